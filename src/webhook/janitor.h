#pragma once
/* What is removed in the background, in small steps that any start can resume (invariant 13): what
 * is owed to deleted webhooks is marked discarded, lines without an event go, and finished
 * deliveries are kept for a time only. Private to the folder. */
#include "webhook/webhook.h"

enum {
    DELIVERIES_KEPT_DAYS = 7,        /* finished ones */
    DELIVERIES_KEPT_MAX = 10 * 1000, /* finished ones, over all webhooks */
};
#define EVENT_BYTES_KEPT_MAX (1ull << 30) /* of lines; what is still owed is kept all the same */

struct janitor {
    struct loop_slice slice;
    struct loop_timer timer; /* the next look at ages, or at a store that refused */
    bool must_discard, must_sweep, must_retain;
    uint64_t *trash; /* events whose lines go */
    size_t n_trash, trash_cap;
    uint64_t sweep_at, sweep_end; /* events from before the start, for lines without an event */
    uint64_t retain_at;           /* deliveries below are owed or gone */
    unsigned finished;            /* since the last look */
};

void janitor_open(struct webhooks *w);
void janitor_start(struct webhooks *w);
void janitor_stop(struct webhooks *w);
void janitor_close(struct webhooks *w);

void janitor_discard_orphans(struct webhooks *w); /* a webhook was deleted */
/* Lines of an event that has no row (any more). */
void janitor_trash_lines(struct webhooks *w, uint64_t event);
void janitor_count_finished(struct webhooks *w); /* an attempt was recorded */
