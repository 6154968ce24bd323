#pragma once
/* From the lines of an organisation event (EVENT_ORGANIZATION) to deliveries: one for each line and
 * each channel that wants it. A few are made in the commit of the event. Of many that commit holds
 * a row only, and they are made in pieces afterwards (invariant 13): each piece writes deliveries
 * and, in the same commit, how far it has come, so that a crash repeats and loses nothing. Private
 * to the folder.
 *
 *  TABLE_META  "webhook-fan-out:" event u64be   v1: next line u32, n u32, then each: uuid, events
 *                                               u64 (what that channel wanted when it happened)
 *
 * An event with such a row counts it among the deliveries that keep it (event_record.n_kept). */
#include "webhook/event_catalog.h"
#include "webhook/record.h"
#include "webhook/webhook.h"

enum { FAN_OUT_AT_ONCE = 256 /* deliveries; more are made in pieces */ };

struct fan_outs {
    struct loop_slice slice;
    struct loop_timer timer; /* the next try after a refused commit */
    struct turn_waiter waiter;
    struct uuid *to_wake; /* of the piece that is being committed */
    size_t n_to_wake;
};
void fan_outs_open(struct webhooks *w);
void fan_outs_start(struct webhooks *w);
void fan_outs_stop(struct webhooks *w);
void fan_outs_close(struct webhooks *w);

struct fan_out_target {
    struct uuid webhook;
    uint64_t events; /* CATALOG_BIT */
};
/* Makes the deliveries of an event whose lines are stored, `total` in all, or writes the row and
 * wakes up. Counts into e (n_deliveries, n_kept); the caller puts it, and wakes the lanes after
 * the commit. 0 or negative. */
struct fan_out {
    uint64_t event;
    struct event_record *record;
    const struct fan_out_target *targets;
    size_t n_targets;
    uint64_t total;
};
int fan_out_begin(struct webhooks *w, struct store_txn *txn, const struct fan_out *f);
