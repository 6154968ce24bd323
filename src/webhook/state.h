#pragma once
/* What the files of webhook/ share. Private to the folder; the parts are described where they are
 * owned: registry.h, outbox.h, body.h, lane.h, janitor.h. */
#include "webhook/body.h"
#include "webhook/fan_out.h"
#include "webhook/janitor.h"
#include "webhook/lane.h"
#include "webhook/outbox.h"
#include "webhook/parked.h"
#include "webhook/registry.h"

struct webhooks {
    struct webhooks_conf conf; /* without the command line's strings */
    struct registry registry;
    struct outbox outbox;
    struct body_set bodies;
    struct lanes lanes;
    struct janitor janitor;
    struct parked parked;
    struct fan_outs fan_outs;
    struct webhooks_stats stats;
    bool is_started, is_stopping;
    loop_fn *stopped;
    void *stopped_arg;
};

/* After each end of something in flight: tells the caller of webhooks_stop when it was the last.
 * Calls out: the last thing a caller does. */
void webhooks_check_stopped(struct webhooks *w);
