#pragma once
/* Replays: events that are still kept are owed to a webhook once more. Here is what one piece does;
 * when pieces run, and the task they belong to, is ops/'s. */
#include "webhook/webhook.h"

struct replay_request {
    struct uuid webhook;
    int64_t since_ns, until_ns; /* events that happened in [since, until) */
    uint32_t states;            /* bit a delivery state: only events whose own deliveries to the
                                   webhook (not those of replays) show one of them; 0: all events */
    /* only batches with a task of these; 0, none: any */
    uint64_t kinds;
    uint8_t statuses;
    char **index_uids; /* patterns as in a webhook's indexUids */
    size_t n_index_uids;
};

/* Where a replay stands; kept with the rows that it has made, in one commit. Event numbers. */
struct replay_cursor {
    uint64_t first, next, end; /* next: the first one that was not looked at */
    uint64_t matched, queued;  /* events, deliveries */
};

/* All that is kept now. 0 or negative. */
int replay_begin(struct webhooks *w, struct replay_cursor *ret);

enum { REPLAY_THROUGH, REPLAY_MORE, REPLAY_NO_WEBHOOK /* it was deleted */ };
/* Goes on until the deadline, in this turn's transaction: one of the above, or negative (the caller
 * fails the turn). New deliveries are due at once, with sequence numbers of their own, after the
 * commit; the queue never waits for them. */
int replay_step(struct webhooks *w, struct store_txn *txn, const struct replay_request *request,
                struct replay_cursor *at, int64_t deadline_us);
