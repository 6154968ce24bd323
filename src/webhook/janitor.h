#pragma once
/* What is removed in the background, in small steps that any start can resume (invariant 13): what
 * is owed to deleted webhooks is marked discarded, lines without an event go, and finished
 * deliveries are kept for a time only. Private to the folder. */
#include "webhook/webhook.h"

/* Defaults of struct webhook_retention. */
#define RETENTION_AGE_MS (7 * 24 * 3600 * INT64_C(1000))
#define RETENTION_MAX_BYTES (UINT64_C(1) << 30)

struct janitor {
    struct loop_slice slice;
    struct loop_timer timer; /* the next look at ages, or at a store that refused */
    bool must_discard, must_sweep, must_retain;
    bool looks_at_all; /* the present look at ages goes through all deliveries, not only the oldest
                        */
    uint64_t *trash;   /* events whose lines go */
    size_t n_trash, trash_cap;
    uint64_t sweep_at, sweep_end; /* events from before the start, for lines without an event */
    uint64_t retain_at;           /* the next delivery to look at */
    unsigned finished;            /* since the last look */
};

void janitor_open(struct webhooks *w);
void janitor_start(struct webhooks *w);
void janitor_stop(struct webhooks *w);
void janitor_close(struct webhooks *w);

void janitor_discard_orphans(struct webhooks *w); /* a webhook was deleted */
/* Lines of an event that has no row (any more). */
void janitor_trash_lines(struct webhooks *w, uint64_t event);
/* One delivery less refers to the event; the last one takes it along. 0 or negative. */
int janitor_release_event(struct webhooks *w, struct store_txn *txn, uint64_t event);
void janitor_count_finished(struct webhooks *w); /* an attempt was recorded */
