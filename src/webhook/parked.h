#pragma once
/* What is owed to webhooks that are disabled or not active: kept up to an age and a size, then the
 * oldest are marked expired, in small steps (invariant 13). Private to the folder. */
#include "loop/loop.h"
#include "webhook/lane_news.h"
#include "webhook/webhook.h"

/* Defaults of struct webhook_retention. */
#define PARKED_AGE_MS (14 * 24 * 3600 * INT64_C(1000))
#define PARKED_MAX_BYTES (UINT64_C(256) << 20)
enum { PARKED_LOOK_MS = 10 * 60 * 1000 };

struct parked {
    struct loop_slice slice;
    struct loop_timer timer;
    /* the look that is under way: webhooks in the order of uuids, each from its newest delivery
     * down */
    bool is_looking, has_begun;
    struct uuid webhook;
    uint64_t sequence;           /* the next one to look at is below */
    uint64_t bytes;              /* owed to the webhook by newer deliveries */
    struct lane_expired expired; /* in this look, of the webhook */
    struct lane_expired told;    /* those of them that others are told of */
};

void parked_open(struct webhooks *w);
void parked_start(struct webhooks *w);
void parked_look(struct webhooks *w); /* now and then, it costs a walk */
void parked_stop(struct webhooks *w);
void parked_close(struct webhooks *w);
