#pragma once
/* The outbox: events and the deliveries they owe, written in the commit that finishes a batch
 * (invariants 4 and 14). Private to the folder; its public half is the queue's side of webhook.h.
 *
 * The lines of an event are stored in parts under an event number that nobody else gets, over
 * several turns if need be; the event row and its deliveries appear in the finishing commit. Parts
 * without an event row are what a crash or a discarded builder left: the janitor removes them.
 *
 * Filters are judged while the lines pass, with the webhooks as they were when the event began (one
 * that was registered since then is served too). What a webhook wanted is written into its
 * deliveries, so that a later change of its filter changes no body that was owed before. */
#include "webhook/plan.h"
#include "webhook/record.h"
#include "webhook/registry.h"
#include "webhook/webhook.h"

/* An event whose finishing commit was asked for; waits to be announced. */
struct finished_event {
    struct finished_event *next;
    uint32_t batch_uid;
    uint64_t event;
};

struct outbox {
    uint64_t next_event, next_delivery; /* never given out twice, also not after a restart */
    struct finished_event *finished;
    struct emitted *emitted; /* emit.c's: commits waited for */
};

int outbox_open(struct webhooks *w, struct err *err);
void outbox_close(struct webhooks *w);
/* The event of that batch, and forgets it: false when there was none. */
bool outbox_take_finished(struct webhooks *w, uint32_t batch_uid, uint64_t *ret_event);
/* The newest event that is stored: 1 / 0 / negative. */
int outbox_newest(struct store_txn *txn, uint64_t *ret_event);

/* --- events that no batch made ---------------------------------------------------------------- */

struct emission {
    enum event_type type;
    struct str data;          /* one JSON object: what the event tells */
    const struct uuid *about; /* that webhook hears nothing of itself; NULL: everybody may */
    const struct uuid *to;    /* only this one, subscribed or not (a ping); NULL: the subscribers */
    const struct uuid *also;  /* besides them, unless one in the same format has its URL; or NULL */
};
/* Writes an event and what it owes into the transaction of this turn; after its commit the lanes
 * look for what is due (lanes_wake). An event that nobody wants is not stored. 0, or a STORE_E*
 * code: the caller fails the turn. ret_delivery: the first delivery made, 0 when none; may be NULL.
 *
 * Nothing is to be emitted about deliveries of operational events
 * (event_type_is_operational), or two dead webhooks would report each other for ever. */
int event_emit(struct webhooks *w, struct store_txn *txn, const struct emission *e,
               uint64_t *ret_delivery);

/* --- an old event once more ------------------------------------------------------------------- */

/* Owes a stored event to a webhook again, with the filter and the limits of now: for replays.
 * `lane` is the caller's (read before the first call, written after the last, as the counters:
 * outbox_put_counters). Changes e->n_kept; the caller puts the event. 0 with ret_made (0: the event
 * holds nothing that the webhook wants), or negative. */
struct owe_again {
    struct webhooks *webhooks;
    struct store_txn *txn;
    const struct webhook *webhook;
    struct lane_record *lane;
    int64_t now_ns;
    uint64_t told_from; /* no delivery below this number was ever made for the webhook */
    uint32_t own_at;    /* where the webhook's deliveries stood among those of the event before */
};
int event_owe_again(struct owe_again *o, uint64_t event, struct event_record *e,
                    uint32_t *ret_made);
/* Makes the numbers given out in this turn survive. */
int outbox_put_counters(struct webhooks *w, struct store_txn *txn);
