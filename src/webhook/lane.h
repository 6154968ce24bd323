#pragma once
/* A lane a webhook: what is owed to it, in order of due time, and the attempts in flight. Private
 * to the folder.
 *
 * A healthy lane without a backlog starts the first attempt of a new event at once, and only such
 * an attempt makes the queue wait (invariant 5). Everything else (retries, the backlog, everything
 * of a failing lane) goes out one request at a time. A lane is failing from its first failed
 * attempt until its next success, also across restarts. */
#include "base/log.h"
#include "webhook/attempt.h"
#include "webhook/webhook.h"

enum {
    LANE_IN_FLIGHT_MAX = 8,        /* first attempts at the same time */
    LANE_TIMER_MAX_MS = 60 * 1000, /* a jump of the wall clock is noticed within */
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
    bool is_failing;
    struct attempt *attempts; /* in flight, or waiting for their record to be stored */
    unsigned n_attempts;
    struct loop_timer timer; /* the next due time */
    struct log_limit log;
};

struct lanes {
    struct lane *first;
    struct pause *pauses;
};

/* Takes up what the store owes; true when the queue must wait for first attempts. */
bool lanes_start(struct webhooks *w);
/* Starts what can start at once of an event; true when the queue must wait for it. */
bool lanes_announce(struct webhooks *w, uint64_t event);
void lanes_stop(struct webhooks *w); /* cancels what is in flight */
bool lanes_are_idle(const struct webhooks *w);
void lanes_close(struct webhooks *w);
/* Lanes of deleted webhooks cancel what is in flight and go. */
void lanes_drop_unregistered(struct webhooks *w);

/* For attempt.c. An attempt has left the lane: starts the next (after a hiccup of our own later),
 * or frees the lane. May call out. */
void lane_attempt_left(struct lane *l, bool was_hiccup);
/* One attempt that the queue waited for has ended (NULL: it did not wait). May call out. */
void pause_release(struct webhooks *w, struct pause *p);
