#pragma once
/* What a webhookReplay task stores as text: its parameters with the cursor, and its details.
 * Private to ops/replay*.c. */
#include "webhook/replay.h"

void replay_params_write(struct buf *out, const struct replay_request *r,
                         const struct replay_cursor *at);
/* What replay_params_write wrote: false when it is not understood. The request is to be freed. */
bool replay_params_read(struct str text, struct replay_request *ret, struct replay_cursor *ret_at);
void replay_request_done(struct replay_request *r);

/* As the API shows them: what was asked, how far it is. */
void replay_details_write(struct buf *out, const struct replay_request *r,
                          const struct replay_cursor *at);
