/* Lanes: what is started when (invariant 5, due times). Knows nothing of HTTP; the state machine is
 * lane_state.c. Entered by an announcement, a lane's timer, a wake, or the end of an attempt. */
#include "webhook/lane.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "webhook/lane_news.h"
#include "webhook/lane_pick.h"
#include "webhook/state.h"

enum {
    RATE_BURST_US = 10 * 1000, /* a timer's grain: what was due within it goes out together */
    SECOND_US = 1000 * 1000,
    START_EVENTS_MAX = 100, /* looked through for the batch that a pause was for */
};

/* --- time ------------------------------------------------------------------------------------ */

int64_t
lanes_now_ms(struct webhooks *w)
{
    int64_t mono_ms = clock_mono_us() / 1000, ahead_ms = clock_wall_ms() - mono_ms;
    if (ahead_ms > w->lanes.ahead_ms)
        w->lanes.ahead_ms = ahead_ms;
    return mono_ms + w->lanes.ahead_ms;
}

static bool
is_active(const struct lane *l)
{
    const struct webhook *h = registry_find(l->webhooks, &l->uuid);
    return h != NULL && h->policy.is_active;
}

/* From now on the monotonic clock counts: the wall clock may be set. */
static void
follow_health(struct lane *l)
{
    int64_t wait_ms = lane_state_wait_ms(&l->health, is_active(l), lanes_now_ms(l->webhooks));
    l->not_before_us = wait_ms < 0 ? -1 : clock_mono_us() + wait_ms * 1000;
}

/* --- the list -------------------------------------------------------------------------------- */

static void
on_timer(void *arg)
{
    lane_pump(arg, NULL);
}

static void
look_soon(struct lane *l)
{
    if (l->looks_soon)
        return;
    l->looks_soon = true;
    loop_timer_set_ms(&l->timer, 0);
}

/* Healthy when it cannot be read: the first attempt will tell. */
static struct lane_health
read_health(struct webhooks *w, const struct uuid *uuid)
{
    struct lane_record record = {0};
    struct store_txn *txn = turn_read(w->conf.turn);
    if (txn != NULL)
        (void) lane_record_get(txn, uuid, &record); /* untouched on failure */
    store_abort(txn);
    return record.health;
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

struct lane *
lane_of(struct webhooks *w, const struct uuid *uuid)
{
    struct lane *l = lane_find(w, uuid);
    if (l != NULL)
        return l;
    l = mem_new(1, sizeof(*l));
    l->webhooks = w;
    l->uuid = *uuid;
    l->health = read_health(w, uuid);
    loop_timer_init(&l->timer, w->conf.loop, on_timer, l);
    l->next = w->lanes.first;
    w->lanes.first = l;
    follow_health(l);
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

struct attempt *
lane_attempt(const struct lane *l, uint64_t delivery)
{
    for (struct attempt *a = l->attempts; a != NULL; a = a->next) {
        if (a->delivery == delivery)
            return a;
    }
    return NULL;
}

/* --- how many may start ---------------------------------------------------------------------- */

/* wait_ms: to the next look when none may; -1: something else will bring it. */
struct gate {
    unsigned n;
    int64_t wait_ms;
};

static int64_t
ms_until(int64_t at_us, int64_t now_us)
{
    return at_us <= now_us ? 0 : (at_us - now_us + 999) / 1000;
}

static bool
is_healthy(const struct lane *l)
{
    return l->health.failed_attempts == 0 && l->health.disabled == LANE_ENABLED;
}

/* Requests are spaced evenly; those of one grain of time go together. */
static int64_t
rate_interval_us(const struct webhook *h)
{
    return (SECOND_US + h->policy.rate_limit - 1) / h->policy.rate_limit;
}

static int64_t
rate_burst_us(int64_t interval_us)
{
    return interval_us < RATE_BURST_US ? RATE_BURST_US : 0;
}

static struct gate
limit_rate(const struct lane *l, const struct webhook *h, struct gate g)
{
    if (h->policy.rate_limit == 0)
        return g;
    int64_t now_us = clock_mono_us(), interval_us = rate_interval_us(h);
    int64_t open_us = now_us + rate_burst_us(interval_us) - l->slot_us;
    if (open_us < 0)
        return (struct gate){0, ms_until(-open_us, 0)};
    int64_t n = l->slot_us < now_us ? rate_burst_us(interval_us) / interval_us + 1
                                    : open_us / interval_us + 1;
    if (n < g.n)
        g.n = (unsigned) n;
    return g;
}

static void
take_slot(struct lane *l, const struct webhook *h)
{
    int64_t now_us = clock_mono_us();
    if (h->policy.rate_limit == 0)
        return;
    l->slot_us = (l->slot_us > now_us ? l->slot_us : now_us) + rate_interval_us(h);
}

static struct gate
gate_of(const struct lane *l, const struct webhook *h)
{
    const struct webhooks *w = l->webhooks;
    int64_t now_us = clock_mono_us();
    unsigned width = 1;
    if (!w->is_started || w->is_stopping || l->not_before_us < 0)
        return (struct gate){0, -1};
    if (l->not_before_us > now_us)
        return (struct gate){0, ms_until(l->not_before_us, now_us)};
    if (is_healthy(l) && !h->policy.is_ordered)
        width = h->policy.max_in_flight > 0 ? h->policy.max_in_flight : LANE_IN_FLIGHT_MAX;
    if (l->n_attempts >= width)
        return (struct gate){0, -1};
    return limit_rate(l, h, (struct gate){width - l->n_attempts, -1});
}

/* --- looking for work ------------------------------------------------------------------------ */

static bool
is_of_event(const struct announcement *a, uint64_t delivery)
{
    return a != NULL && delivery >= a->first_delivery && delivery < a->end_delivery;
}

/* Some met their due time before the announcement. */
static void
join_running(struct lane *l, const struct announcement *a)
{
    for (struct attempt *at = l->attempts; at != NULL; at = at->next) {
        if (!is_of_event(a, at->delivery) || at->pause != NULL || !at->is_first ||
            at->state > ATTEMPT_SEND)
            continue;
        at->pause = a->pause;
        a->pause->outstanding++;
    }
}

/* What stands behind deliveries of earlier events is backlog: it starts, but nobody waits for it.
 */
static void
start_picks(struct lane *l, const struct webhook *h, const struct picks *picks,
            const struct announcement *a)
{
    bool is_waited = a != NULL && is_healthy(l) && h->policy.waits;
    if (is_waited)
        join_running(l, a);
    for (unsigned i = 0; i < picks->n; i++) {
        const struct due *due = &picks->items[i];
        struct pause *p = NULL;
        is_waited = is_waited && is_of_event(a, due->delivery);
        if (is_waited && due->is_first) {
            p = a->pause;
            p->outstanding++;
        }
        take_slot(l, h);
        attempt_start(l, due, p);
    }
}

static void
look_again_in(struct lane *l, int64_t wait_ms)
{
    if (wait_ms < 0 || l->webhooks->is_stopping)
        return;
    l->looks_soon = false;
    loop_timer_set_ms(&l->timer, wait_ms < LANE_TIMER_MAX_MS ? wait_ms : LANE_TIMER_MAX_MS);
}

void
lane_pump(struct lane *l, const struct announcement *a)
{
    const struct webhook *h = registry_find(l->webhooks, &l->uuid);
    struct picks picks = {.wait_ms = -1};
    loop_timer_clear(&l->timer);
    l->looks_soon = false;
    if (h == NULL)
        return;
    struct gate g = gate_of(l, h);
    if (g.n == 0) {
        if (a != NULL && is_healthy(l) && h->policy.waits)
            join_running(l, a);
        look_again_in(l, g.wait_ms);
        return;
    }
    struct store_txn *txn = turn_read(l->webhooks->conf.turn);
    int rc = txn == NULL ? STORE_EIO : lane_pick(l, txn, h->policy.is_ordered, g.n, &picks);
    store_abort(txn);
    start_picks(l, h, &picks, a);
    if (rc < 0)
        look_again_in(l, LANE_HICCUP_MS);
    else if (picks.n > 0 && (picks.n == g.n || picks.n == LANE_STARTS_MAX))
        look_again_in(l, gate_of(l, h).n > 0 ? 0 : gate_of(l, h).wait_ms);
    else
        look_again_in(l, picks.wait_ms);
}

void
lanes_wake(struct webhooks *w, const struct uuid *webhook)
{
    if (w->is_started && !w->is_stopping && registry_find(w, webhook) != NULL)
        look_soon(lane_of(w, webhook)); /* the end of this turn comes before any timer */
}

void
webhooks_clock_was_set(struct webhooks *w)
{
    for (struct lane *l = w->lanes.first; l != NULL; l = l->next) {
        if (w->is_started && !w->is_stopping)
            look_soon(l);
    }
}

/* --- attempts that end ----------------------------------------------------------------------- */

static enum lane_state
state_at(const struct lane *l, int64_t now_ms)
{
    return lane_state_of(&l->health, is_active(l), now_ms);
}

static void
log_change(const struct lane *l, enum lane_state from, enum lane_state to)
{
    char uuid[UUID_TEXT_LEN + 1];
    if (from != to)
        log_debug("webhook", "lane webhook=%s %s -> %s failed_attempts=%u",
                  uuid_format(&l->uuid, uuid), lane_state_name(from), lane_state_name(to),
                  l->health.failed_attempts);
}

static void
take_news(struct lane *l, enum lane_news news)
{
    if (news == LANE_NEWS_NONE)
        return;
    l->news = news;
    l->is_news_written = false;
    lane_news_log(l, news);
}

void
lane_take_outcome(struct lane *l, const struct lane_outcome *o)
{
    int64_t now_ms = lanes_now_ms(l->webhooks);
    bool was_healthy = is_healthy(l) && l->health.disable_at_ms == 0;
    enum lane_state before = state_at(l, now_ms);
    if (o->is_success)
        take_news(l, lane_state_succeed(&l->health));
    else if (!o->is_neutral)
        take_news(l, lane_state_fail(&l->health, o->retry_after_ms, now_ms));
    if (o->disables != LANE_ENABLED)
        take_news(l, lane_state_disable(&l->health, o->disables, now_ms));
    if (was_healthy && is_healthy(l))
        return;
    l->is_health_dirty = true;
    follow_health(l);
    log_change(l, before, state_at(l, now_ms));
}

int
lane_write(struct lane *l, struct store_txn *txn)
{
    struct lane_record record;
    if (!l->is_health_dirty || registry_find(l->webhooks, &l->uuid) == NULL)
        return 0;
    int rc = 0;
    if (l->news != LANE_NEWS_NONE && !l->is_news_written)
        rc = lane_news_emit(l, txn, l->news);
    if (rc < 0)
        return rc;
    l->is_news_written = true; /* others that end in this turn write the lane once more */
    rc = lane_record_get(txn, &l->uuid, &record);
    if (rc < 0)
        return rc;
    record.health = l->health;
    return lane_record_put(txn, &l->uuid, &record);
}

void
lane_written(struct lane *l, int result)
{
    l->is_news_written = false;
    if (result != 0)
        return;
    l->is_health_dirty = false;
    l->news = LANE_NEWS_NONE;
}

void
lane_attempt_left(struct lane *l, bool was_hiccup)
{
    struct webhooks *w = l->webhooks;
    if (l->n_attempts == 0 && registry_find(w, &l->uuid) == NULL) {
        lane_free(l);
    } else if (was_hiccup && !w->is_stopping) {
        if (l->not_before_us >= 0)
            l->not_before_us = clock_mono_us() + LANE_HICCUP_MS * 1000;
        look_again_in(l, LANE_HICCUP_MS);
    } else if (!w->is_stopping) {
        look_soon(l); /* one look for all that end with this turn's commit */
    }
    webhooks_check_stopped(w);
}

/* --- all of them ----------------------------------------------------------------------------- */

/* Operational events may be newer. */
static bool
newest_batch_event(struct webhooks *w, uint64_t *ret)
{
    struct event_record e;
    struct store_txn *txn = turn_read(w->conf.turn);
    int rc = txn != NULL ? outbox_newest(txn, ret) : 0;
    for (int i = 0; rc == 1 && i<START_EVENTS_MAX && * ret> 0; i++, --*ret) {
        if (event_get(txn, *ret, &e) == 1 && e.type == EVENT_BATCH_FINISHED) {
            store_abort(txn);
            return true;
        }
    }
    store_abort(txn);
    return false;
}

/* What no PATCH can enable is enabled by a start: whoever starts the server declares it. */
static void
enable_declared(struct webhooks *w)
{
    for (size_t i = 0; i < w->registry.n; i++) {
        const struct webhook *h = w->registry.items[i];
        struct lane *l = lane_of(w, &h->uuid);
        if (h->is_editable || l->health.disabled == LANE_ENABLED)
            continue;
        int rc = lane_enable(turn_txn(w->conf.turn), &h->uuid);
        if (rc < 0)
            turn_fail(w->conf.turn, rc);
        lane_state_enable(&l->health);
        follow_health(l);
    }
}

bool
lanes_start(struct webhooks *w)
{
    uint64_t event;
    enable_declared(w);
    bool must_wait = newest_batch_event(w, &event) && lanes_announce(w, event);
    for (size_t i = 0; i < w->registry.n; i++)
        look_soon(lane_of(w, &w->registry.items[i]->uuid));
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

/* Enabled by hand: what the store says counts, unless it is behind. */
static void
follow_store(struct lane *l)
{
    struct lane_health stored = read_health(l->webhooks, &l->uuid);
    if (!l->is_health_dirty && l->health.disabled != stored.disabled)
        l->health = stored;
    follow_health(l);
    look_soon(l);
}

void
lanes_follow_registry(struct webhooks *w)
{
    struct lane *next;
    for (struct lane *l = w->lanes.first; l != NULL; l = next) {
        next = l->next;
        if (registry_find(w, &l->uuid) != NULL) {
            if (w->is_started && !w->is_stopping)
                follow_store(l);
            continue;
        }
        cancel_all(l);
        if (l->n_attempts == 0)
            lane_free(l);
    }
}

int
lane_enable(struct store_txn *txn, const struct uuid *webhook)
{
    struct lane_record record;
    int rc = lane_record_get(txn, webhook, &record);
    if (rc < 0 || record.health.disabled == LANE_ENABLED)
        return rc < 0 ? rc : 0;
    lane_state_enable(&record.health);
    return lane_record_put(txn, webhook, &record);
}

void
lanes_close(struct webhooks *w)
{
    while (w->lanes.first != NULL)
        lane_free(w->lanes.first);
    pauses_close(w);
}
