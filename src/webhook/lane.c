/* Lanes: what is started when (invariant 5, due times), and the pauses of the queue. Knows nothing
 * of HTTP. Entered by an announcement, a lane's timer, or the end of an attempt. */
#include "webhook/lane.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "webhook/state.h"

static void lane_pump(struct lane *l);

/* --- the list -------------------------------------------------------------------------------- */

static void
on_timer(void *arg)
{
    lane_pump(arg);
}

static bool
read_failing(struct webhooks *w, const struct uuid *uuid)
{
    struct lane_record record;
    struct store_txn *txn = turn_read(w->conf.turn);
    bool is_failing = txn != NULL && lane_record_get(txn, uuid, &record) == 1 && record.is_failing;
    store_abort(txn);
    return is_failing;
}

static struct lane *
lane_find(const struct webhooks *w, const struct uuid *uuid)
{
    for (struct lane *l = w->lanes.first; l != NULL; l = l->next) {
        if (uuid_equal(&l->uuid, uuid))
            return l;
    }
    return NULL;
}

/* The lane of a registered webhook, made when it is first needed. */
static struct lane *
lane_of(struct webhooks *w, const struct uuid *uuid)
{
    struct lane *l = lane_find(w, uuid);
    if (l != NULL)
        return l;
    l = mem_new(1, sizeof(*l));
    l->webhooks = w;
    l->uuid = *uuid;
    l->is_failing = read_failing(w, uuid);
    loop_timer_init(&l->timer, w->conf.loop, on_timer, l);
    l->next = w->lanes.first;
    w->lanes.first = l;
    return l;
}

static void
lane_free(struct lane *l)
{
    struct lane **at = &l->webhooks->lanes.first;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    while (l->attempts != NULL)
        attempt_free(l->attempts);
    loop_timer_done(&l->timer);
    free(l);
}

static struct attempt *
lane_attempt(const struct lane *l, uint64_t delivery)
{
    for (struct attempt *a = l->attempts; a != NULL; a = a->next) {
        if (a->delivery == delivery)
            return a;
    }
    return NULL;
}

/* --- what is due ----------------------------------------------------------------------------- */

/* The first owed delivery that is not in flight, due or not: 1 / 0 / negative. */
static int
next_due(const struct lane *l, struct store_txn *txn, struct due *ret)
{
    uint8_t key[KEY_DUE_LEN];
    struct uuid uuid;
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_DELIVERY_DUE);
    if (rc == 0)
        rc = store_cursor_seek(&c, key_due(key, &l->uuid, 0, 0));
    while (rc == 1) {
        if (!key_due_read(c.key, &uuid, &ret->due_at_ms, &ret->delivery) ||
            !uuid_equal(&uuid, &l->uuid)) {
            rc = 0;
            break;
        }
        if (lane_attempt(l, ret->delivery) == NULL)
            break;
        rc = store_cursor_next(&c);
    }
    store_cursor_close(&c);
    return rc;
}

/* The same with its event. A due row without a readable delivery is given out with event 0: its
 * attempt fails and removes the row. */
static int
next_due_with_event(const struct lane *l, struct due *ret)
{
    struct delivery_record d = {0};
    struct store_txn *txn = turn_read(l->webhooks->conf.turn);
    int rc = txn == NULL ? STORE_EIO : next_due(l, txn, ret);
    if (rc == 1 && delivery_get(txn, ret->delivery, &d) != 1)
        log_error("webhook", "a delivery cannot be read delivery=%llu",
                  (unsigned long long) ret->delivery);
    store_abort(txn);
    ret->event = d.event;
    return rc;
}

/* Starts the next due delivery when nothing is in flight, or waits for its time. */
static void
lane_pump(struct lane *l)
{
    struct webhooks *w = l->webhooks;
    struct due due;
    loop_timer_clear(&l->timer);
    if (!w->is_started || w->is_stopping || l->n_attempts > 0 || registry_find(w, &l->uuid) == NULL)
        return;
    int rc = next_due_with_event(l, &due);
    if (rc == 0)
        return;
    int64_t wait_ms = rc < 0 ? LANE_HICCUP_MS : due.due_at_ms - clock_wall_ms();
    if (rc == 1 && wait_ms <= 0) {
        attempt_start(l, &due, NULL);
        return;
    }
    loop_timer_set_ms(&l->timer, wait_ms < LANE_TIMER_MAX_MS ? wait_ms : LANE_TIMER_MAX_MS);
}

void
lane_attempt_left(struct lane *l, bool was_hiccup)
{
    struct webhooks *w = l->webhooks;
    if (l->n_attempts == 0 && registry_find(w, &l->uuid) == NULL)
        lane_free(l);
    else if (was_hiccup && !w->is_stopping)
        loop_timer_set_ms(&l->timer, LANE_HICCUP_MS);
    else
        lane_pump(l);
    webhooks_check_stopped(w);
}

/* --- announcements --------------------------------------------------------------------------- */

/* A first attempt that may start. */
struct candidate {
    struct lane *lane;
    struct due due;
    bool starts_now;
};

/* Whether nothing else comes first in the lane. */
static bool
can_start_now(const struct lane *l, struct store_txn *txn, uint64_t delivery)
{
    struct due first;
    if (l->is_failing || l->n_attempts >= LANE_IN_FLIGHT_MAX)
        return false;
    return lane_attempt(l, delivery) != NULL ||
           (next_due(l, txn, &first) == 1 && first.delivery == delivery);
}

/* The deliveries of an event that were never tried; their number. */
static size_t
find_candidates(struct webhooks *w, struct store_txn *txn, const struct event_record *e,
                struct candidate out[WEBHOOKS_MAX + 1])
{
    size_t n = 0;
    for (uint32_t i = 0; i < e->n_deliveries && n <= WEBHOOKS_MAX; i++) {
        struct delivery_record d;
        uint64_t number = e->first_delivery + i;
        if (delivery_get(txn, number, &d) != 1 || d.state != DELIVERY_OWED || d.attempts > 0 ||
            registry_find(w, &d.webhook) == NULL)
            continue;
        struct lane *l = lane_of(w, &d.webhook);
        out[n++] = (struct candidate){
            .lane = l,
            .due = {.delivery = number, .event = d.event, .due_at_ms = d.due_at_ms},
            .starts_now = can_start_now(l, txn, number),
        };
    }
    return n;
}

static void
start_candidate(const struct candidate *c, struct pause *p)
{
    struct attempt *running = lane_attempt(c->lane, c->due.delivery);
    if (!c->starts_now) {
        lane_pump(c->lane);
        return;
    }
    if (running != NULL && running->pause != NULL)
        return;
    p->outstanding++;
    if (running != NULL)
        running->pause = p; /* its due time was met before the announcement */
    else
        attempt_start(c->lane, &c->due, p);
}

bool
lanes_announce(struct webhooks *w, uint64_t event)
{
    struct candidate candidates[WEBHOOKS_MAX + 1];
    struct event_record e;
    size_t n = 0;
    struct store_txn *txn = turn_read(w->conf.turn);
    if (txn != NULL && event_get(txn, event, &e) == 1)
        n = find_candidates(w, txn, &e, candidates);
    store_abort(txn);
    if (n == 0)
        return false;
    struct pause *p = mem_new(1, sizeof(*p));
    *p = (struct pause){.next = w->lanes.pauses, .batch_uid = e.batch_uid, .outstanding = 1};
    w->lanes.pauses = p;
    for (size_t i = 0; i < n; i++)
        start_candidate(&candidates[i], p);
    if (--p->outstanding > 0)
        return true;
    w->lanes.pauses = p->next; /* nothing was put before it: announcements do not nest */
    free(p);
    return false;
}

void
pause_release(struct webhooks *w, struct pause *p)
{
    if (p == NULL || --p->outstanding > 0)
        return;
    struct pause **at = &w->lanes.pauses;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    uint32_t batch_uid = p->batch_uid;
    free(p);
    /* Stopping cancels without an end: the pause is owed to the next start. */
    if (!w->is_stopping && w->conf.announced != NULL)
        w->conf.announced(w->conf.arg, batch_uid);
}

/* --- all of them ----------------------------------------------------------------------------- */

bool
lanes_start(struct webhooks *w)
{
    uint64_t newest;
    struct store_txn *txn = turn_read(w->conf.turn);
    bool found = txn != NULL && outbox_newest(txn, &newest) == 1;
    store_abort(txn);
    bool must_wait = found && lanes_announce(w, newest);
    for (size_t i = 0; i < w->registry.n; i++)
        lane_pump(lane_of(w, &w->registry.items[i]->uuid));
    return must_wait;
}

static void
cancel_all(struct lane *l)
{
    for (struct attempt *a = l->attempts; a != NULL; a = a->next)
        attempt_cancel(a);
}

void
lanes_stop(struct webhooks *w)
{
    for (struct lane *l = w->lanes.first; l != NULL; l = l->next) {
        loop_timer_clear(&l->timer);
        cancel_all(l);
    }
}

bool
lanes_are_idle(const struct webhooks *w)
{
    for (const struct lane *l = w->lanes.first; l != NULL; l = l->next) {
        if (l->n_attempts > 0)
            return false;
    }
    return true;
}

void
lanes_drop_unregistered(struct webhooks *w)
{
    struct lane *next;
    for (struct lane *l = w->lanes.first; l != NULL; l = next) {
        next = l->next;
        if (registry_find(w, &l->uuid) != NULL)
            continue;
        cancel_all(l);
        if (l->n_attempts == 0)
            lane_free(l);
    }
}

void
lanes_close(struct webhooks *w)
{
    while (w->lanes.first != NULL)
        lane_free(w->lanes.first);
    while (w->lanes.pauses != NULL) {
        struct pause *p = w->lanes.pauses;
        w->lanes.pauses = p->next;
        free(p);
    }
}
