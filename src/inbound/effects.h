#pragma once
/* What an event causes: planned whole before anything is written, then written whole into the
 * turn's transaction. Private to the folder. */
#include "inbound/inbound_internal.h"
#include "inbound/path.h"

struct effects {
    struct inbound *inbound;
    struct effect *list;
    size_t n;
    size_t n_bytes;
};
void effects_init(struct effects *e, struct inbound *in);
/* is_committed: payload files stay. */
void effects_done(struct effects *e, bool is_committed);
/* NULL when every rule that matches applies, else why nothing is to happen. body, mapping and event
 * must stay until effects_carry_out. */
const char *effects_plan(struct effects *e, const struct mapping *mapping,
                         const struct provider_event *event, const struct json *body,
                         struct buf *message);
/* Appends the members that the answer tells of them: 0, or -1 with err and a turn in which nothing
 * of it is left. */
int effects_carry_out(struct effects *e, const struct connection *c,
                      const struct provider_event *event, struct buf *answer, struct err *err);
