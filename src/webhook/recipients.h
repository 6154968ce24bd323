#pragma once
/* Which recipients of a delivery have it already: an email or an sms goes to several, and no
 * attempt sends to one who has accepted it, or for whom it was given up. Every attempt's record
 * holds what is settled so far, so that the next begins with the last. Told by the recipients' own
 * texts: a channel that was changed meanwhile sends to those that are new. Private to the folder.
 *
 * When a delivery is sent again by hand, those for whom it was given up are tried again; when all
 * had it, all get it again. */
#include "webhook/channel_internal.h"
#include "webhook/record.h"

enum recipient_state { RECIPIENT_OPEN, RECIPIENT_ACCEPTED, RECIPIENT_GIVEN_UP };

struct recipients {
    const struct channel *channel; /* borrowed */
    enum recipient_state states[CHANNEL_RECIPIENTS_MAX];
};
/* As the delivery's attempts left them. What cannot be read counts as open. */
void recipients_load(struct recipients *r, const struct channel *c, struct store_txn *txn,
                     uint64_t delivery, const struct delivery_record *d);
size_t recipients_count(const struct recipients *r, enum recipient_state state);
/* For the attempt's record: a line each, "+accepted" or "-given up". */
void recipients_write(struct buf *out, const struct recipients *r);
