/* The pauses of the queue (invariant 5): announcements of events, and who is still waited for.
 * Knows neither HTTP nor when a lane may send. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "webhook/lane.h"
#include "webhook/state.h"

static struct pause *
pause_new(struct webhooks *w, uint32_t batch_uid)
{
    struct pause *p = mem_new(1, sizeof(*p));
    *p = (struct pause){.next = w->lanes.pauses, .batch_uid = batch_uid, .outstanding = 1};
    if (w->lanes.pauses == NULL)
        w->lanes.paused_since_us = clock_mono_us();
    w->lanes.pauses = p;
    return p;
}

static void
pause_free(struct webhooks *w, struct pause *p)
{
    struct pause **at = &w->lanes.pauses;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    free(p);
    if (w->lanes.pauses == NULL)
        w->stats.pause_us += (uint64_t) (clock_mono_us() - w->lanes.paused_since_us);
}

bool
lanes_announce(struct webhooks *w, uint64_t event)
{
    struct event_record e;
    struct store_txn *txn = turn_read(w->conf.turn);
    bool found = txn != NULL && event_get(txn, event, &e) == 1;
    store_abort(txn);
    if (!found || e.n_deliveries == 0)
        return false;
    struct announcement a = {.first_delivery = e.first_delivery,
                             .end_delivery = e.first_delivery + e.n_deliveries,
                             .pause = pause_new(w, e.batch_uid)};
    bool is_waited = e.type == EVENT_BATCH_FINISHED;
    for (size_t i = 0; i < w->registry.n; i++) {
        const struct webhook *h = w->registry.items[i];
        if (h->origin != WEBHOOK_ORGANIZATION) /* they are woken for their own events */
            lane_pump(lane_of(w, &h->uuid), is_waited ? &a : NULL);
    }
    if (--a.pause->outstanding > 0)
        return true;
    pause_free(w, a.pause);
    return false;
}

void
pause_release(struct webhooks *w, struct pause *p)
{
    if (p == NULL || --p->outstanding > 0)
        return;
    uint32_t batch_uid = p->batch_uid;
    pause_free(w, p);
    /* Stopping cancels without an end: the pause is owed to the next start. */
    if (!w->is_stopping && w->conf.announced != NULL)
        w->conf.announced(w->conf.arg, batch_uid);
}

void
pauses_close(struct webhooks *w)
{
    while (w->lanes.pauses != NULL) {
        struct pause *p = w->lanes.pauses;
        w->lanes.pauses = p->next;
        free(p);
    }
}
