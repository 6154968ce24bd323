#pragma once
/* Deliveries for people: looking them up with every attempt, and changing them by hand (resend,
 * discard). What is due is the lane's. */
#include "webhook/webhook.h"

/* --- listing the deliveries of a webhook ------------------------------------------------------ */

enum { DELIVERY_QUERY_WEBHOOKS_MAX = 10 };
struct delivery_query {
    struct uuid webhooks[DELIVERY_QUERY_WEBHOOKS_MAX]; /* theirs, all together */
    size_t n_webhooks;
    uint32_t states; /* bit an enum delivery_state; 0: all */
    bool has_event, has_from, is_ascending;
    struct uuid event;
    uint32_t event_line; /* of an event that is told line by line, its number from 1; 0: any */
    int64_t since_ns, until_ns; /* created in [since, until); INT64_MIN, INT64_MAX: open */
    uint64_t limit, from;       /* from: the number of the first delivery to show */
};
/* The name of a state as a query says it: false when there is none. */
bool delivery_state_bit(struct str name, uint32_t *ret_bit);
void delivery_states_write(struct buf *out);     /* "`owed`, `delivered`, ..." */
const char *delivery_state_text(unsigned state); /* NULL: there is none with that number */

/* {"results":[...],"total":..,"limit":..,"from":..,"next":..}, newest first (ascending: oldest
 * first). */
struct delivery_listing;
struct delivery_listing *delivery_listing_new(struct webhooks *w, const struct delivery_query *q);
void delivery_listing_free(struct delivery_listing *l);
/* How much one step may do. */
struct delivery_budget {
    size_t max_bytes;
    int64_t deadline_us;
};
/* Appends until the budget is used: 1 when more follows, 0 at the end, negative STORE_E*. */
int delivery_listing_step(struct delivery_listing *l, struct buf *out,
                          const struct delivery_budget *budget);

/* The first delivery with a number >= from, whoever it is for, as listings show it: 1 / 0 /
 * negative.
 */
int deliveries_next(struct store_txn *txn, uint64_t from, uint64_t *ret_number, struct buf *out);

/* --- one delivery with its attempts ----------------------------------------------------------- */

struct delivery_view;
/* NULL with err (delivery_not_found). */
struct delivery_view *delivery_view_new(struct webhooks *w, uint64_t delivery, struct err *err);
void delivery_view_free(struct delivery_view *v);
int delivery_view_step(struct delivery_view *v, struct buf *out,
                       const struct delivery_budget *budget); /* as delivery_listing_step */

/* --- changing by hand -------------------------------------------------------------------------
 * In this turn's transaction: reply after the commit. The lane looks by itself. 0, or -1 with err.
 */

/* Owed again and due at once, whatever its state was; its schedule begins anew. The delivery as it
 * is now is appended to out, here and below. */
int delivery_resend(struct webhooks *w, uint64_t delivery, struct buf *out, struct err *err);
/* No longer owed; the row is kept as any finished one. */
int delivery_discard(struct webhooks *w, uint64_t delivery, struct err *err);
/* An event of the type webhook.ping to that webhook alone. The queue never waits for it. */
int webhook_ping(struct webhooks *w, struct str uuid, struct buf *out, struct err *err);
/* For queries: the webhook must be registered. */
int webhook_uuid_from_text(struct webhooks *w, struct str text, struct uuid *ret, struct err *err);
