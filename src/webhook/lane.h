#pragma once
/* A lane a webhook: what is owed to it and the attempts in flight. When it may send is decided by
 * lane_state.h, what comes next is read by lane_pick.h. Nothing is kept in memory of a delivery
 * that is not in flight. Private to the folder. */
#include "base/log.h"
#include "webhook/attempt.h"
#include "webhook/lane_state.h"
#include "webhook/webhook.h"

enum {
    LANE_IN_FLIGHT_MAX = 8, /* attempts at the same time, unless the webhook says otherwise */
    LANE_STARTS_MAX = 64,   /* attempts that one look at the store starts */
    LANE_TIMER_MAX_MS = 60 * 1000, /* a missed change of the wall clock is noticed within */
    LANE_HICCUP_MS = 1000,         /* to the next try when our own store or client failed */
};

/* The queue waits for a batch until outstanding is 0. */
struct pause {
    struct pause *next;
    uint32_t batch_uid;
    unsigned outstanding; /* first attempts, and one while they are being started */
};

struct lane {
    struct lane *next;
    struct webhooks *webhooks;
    struct uuid uuid;
    struct lane_health health; /* ahead of the store until what changed it is committed */
    bool is_health_dirty;
    enum lane_news news;   /* not durable yet */
    bool is_news_written;  /* in this turn's transaction */
    int64_t not_before_us; /* by health, monotonic; -1: not before something changes */
    int64_t slot_us;       /* by rateLimit: when the next request is due, monotonic */
    /* an ordered lane: no owed delivery has a sequence number below order_at, as long as the
     * store's own bound is low_seen */
    uint64_t order_at, low_seen;
    struct attempt *attempts; /* in flight, or waiting for their record to be stored */
    unsigned n_attempts;
    struct loop_timer timer; /* the next look at the store */
    bool looks_soon;         /* the timer is set, and to now */
    struct log_limit log;
    struct webhook_stats stats;
};

struct lanes {
    struct lane *first;
    struct pause *pauses;
    int64_t paused_since_us; /* with pauses */
    int64_t ahead_ms;        /* of the due clock to the monotonic one */
};

/* Takes up what the store owes; true when the queue must wait for first attempts. */
bool lanes_start(struct webhooks *w);
/* Starts what can start at once of an event; true when the queue must wait for it. */
bool lanes_announce(struct webhooks *w, uint64_t event);
void lanes_stop(struct webhooks *w); /* cancels what is in flight */
bool lanes_are_idle(const struct webhooks *w);
void lanes_close(struct webhooks *w);
/* A change of registered webhooks is durable: lanes of deleted ones cancel what is in flight and
 * go, the others follow what their policy and the store say now. */
void lanes_follow_registry(struct webhooks *w);
/* Something is owed to the webhook, or not any more: looks after this turn's commit. */
void lanes_wake(struct webhooks *w, const struct uuid *webhook);
/* The time by which deliveries are due: the wall clock, but when that is set back it goes on, so
 * that what is due stays due. */
int64_t lanes_now_ms(struct webhooks *w);
/* Takes back that the receiver or its failures disabled the webhook; in memory with the commit, by
 * lanes_follow_registry. 0 or negative. */
int lane_enable(struct store_txn *txn, const struct uuid *webhook);

/* The lane of a registered webhook, made when it is first needed. */
struct lane *lane_of(struct webhooks *w, const struct uuid *uuid);
struct attempt *lane_attempt(const struct lane *l, uint64_t delivery); /* in flight, or NULL */

/* An event that has just become durable, while lanes look at what they owe. */
struct announcement {
    uint64_t first_delivery, end_delivery;
    struct pause *pause; /* counts what could start at once */
};
/* Starts what may start, or waits for its time. NULL: nobody waits. */
void lane_pump(struct lane *l, const struct announcement *a);

/* --- for attempt.c --------------------------------------------------------------------------- */

void lane_take_outcome(struct lane *l, const struct lane_outcome *o);
/* Writes what changed, and its event, into the turn's transaction. 0 or negative. */
int lane_write(struct lane *l, struct store_txn *txn);
/* The commit of that: 0, or it was refused and everything is to be written again. */
void lane_written(struct lane *l, int result);
/* An attempt has left the lane: looks for the next (after a hiccup of our own later), or frees the
 * lane. May call out. */
void lane_attempt_left(struct lane *l, bool was_hiccup);
/* One attempt that the queue waited for has ended (NULL: it did not wait). May call out. */
void pause_release(struct webhooks *w, struct pause *p);
void pauses_close(struct webhooks *w);
