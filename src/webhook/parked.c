/* Looks through what disabled webhooks are owed, newest first, and expires what is beyond the
 * limits. Knows nothing of attempts: those in flight finish, and find their delivery expired. */
#include "webhook/parked.h"

#include "base/clock.h"
#include "webhook/lane_news.h"
#include "webhook/owed.h"
#include "webhook/state.h"

/* --- which webhook --------------------------------------------------------------------------- */

static bool
is_parked(const struct lane *l, const struct webhook *h)
{
    enum lane_state s = lane_state_of(&l->health, h->policy.is_active, INT64_MAX);
    return s == LANE_DISABLED || s == LANE_INACTIVE;
}

/* The first parked webhook behind that one (NULL: the first of all), or NULL. */
static struct lane *
next_parked(struct webhooks *w, const struct uuid *after)
{
    for (size_t i = 0; i < w->registry.n; i++) {
        const struct webhook *h = w->registry.items[i];
        if (after != NULL && memcmp(h->uuid.bytes, after->bytes, sizeof(after->bytes)) <= 0)
            continue;
        struct lane *l = lane_of(w, &h->uuid);
        if (is_parked(l, h))
            return l;
    }
    return NULL;
}

static int
end_webhook(struct webhooks *w, struct store_txn *txn)
{
    struct parked *p = &w->parked;
    struct lane *l = lane_of(w, &p->webhook);
    int rc = p->told.n > 0 ? lane_expired_emit(l, txn, &p->told) : 0;
    if (p->expired.n > 0)
        lane_expired_log(l, &p->expired);
    p->expired = p->told = (struct lane_expired){0};
    return rc;
}

/* False when all were looked at. */
static bool
begin_webhook(struct webhooks *w, const struct lane *l)
{
    struct parked *p = &w->parked;
    if (l == NULL)
        return false;
    p->has_begun = true;
    p->webhook = l->uuid;
    p->sequence = UINT64_MAX;
    p->bytes = 0;
    p->expired = p->told = (struct lane_expired){0};
    return true;
}

/* --- its deliveries -------------------------------------------------------------------------- */

/* The newest delivery below p->sequence: 1 / 0 / negative. */
static int
next_older(struct parked *p, struct store_txn *txn, uint64_t *ret_delivery)
{
    uint8_t key[KEY_SEQUENCE_LEN];
    struct uuid uuid;
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_WEBHOOK_DELIVERIES);
    if (rc == 0)
        rc = store_cursor_seek(&c, key_sequence(key, &p->webhook, p->sequence));
    if (rc >= 0)
        rc = rc == 1 ? store_cursor_prev(&c) : store_cursor_last(&c);
    if (rc == 1 && (!key_sequence_read(c.key, &uuid, &p->sequence) ||
                    !uuid_equal(&uuid, &p->webhook) || c.value.len != 8))
        rc = 0;
    if (rc == 1)
        *ret_delivery = key_read_u64(c.value, 0);
    store_cursor_close(&c);
    return rc;
}

/* Its share of the event's lines. */
static uint64_t
bytes_of(const struct event_record *e, const struct delivery_record *d)
{
    return d->n_lines < e->n_lines ? e->n_bytes / e->n_lines * d->n_lines : e->n_bytes;
}

/* The newest comes first. */
static void
count_in(struct lane_expired *e, uint64_t sequence)
{
    if (e->n++ == 0)
        e->last_sequence = sequence;
    e->first_sequence = sequence;
}

static int
expire(struct webhooks *w, struct store_txn *txn, uint64_t delivery, struct delivery_record *d)
{
    int rc = owed_remove(txn, delivery, d);
    if (rc < 0)
        return rc;
    d->state = DELIVERY_EXPIRED;
    d->finished_at_ns = clock_wall_ns();
    count_in(&w->parked.expired, d->sequence);
    w->stats.expired++;
    lane_of(w, &w->parked.webhook)->stats.expired++;
    return delivery_put(txn, delivery, d);
}

static int
look_at(struct webhooks *w, struct store_txn *txn, uint64_t delivery)
{
    const struct webhook_retention *limits = &w->conf.retention;
    int64_t age_ms = limits->parked_age_ms != 0 ? limits->parked_age_ms : PARKED_AGE_MS;
    uint64_t max_bytes =
        limits->parked_max_bytes != 0 ? limits->parked_max_bytes : PARKED_MAX_BYTES;
    struct event_record e = {0};
    struct delivery_record d;
    int rc = delivery_get(txn, delivery, &d);
    if (rc != 1 || d.state != DELIVERY_OWED)
        return rc == STORE_ECORRUPT || rc >= 0 ? 0 : rc;
    (void) event_get(txn, d.event, &e); /* one that cannot be read takes no room */
    w->parked.bytes += bytes_of(&e, &d);
    bool is_old = d.created_at_ns < clock_wall_ns() - age_ms * 1000000;
    if (!is_old && w->parked.bytes <= max_bytes)
        return 0;
    if (!event_type_is_operational((enum event_type) e.type))
        count_in(&w->parked.told, d.sequence);
    return expire(w, txn, delivery, &d);
}

/* 1 when there is more to do, 0 when through, negative. */
static int
look(struct webhooks *w, int64_t deadline_us)
{
    struct parked *p = &w->parked;
    uint64_t delivery;
    struct store_txn *txn = turn_txn(w->conf.turn);
    do {
        const struct webhook *h = p->has_begun ? registry_find(w, &p->webhook) : NULL;
        bool is_wanted = h != NULL && is_parked(lane_of(w, &p->webhook), h);
        int rc = is_wanted ? next_older(p, txn, &delivery) : 0;
        if (rc == 1)
            rc = look_at(w, txn, delivery) < 0 ? STORE_EIO : 1;
        if (rc < 0)
            return rc;
        if (rc == 0) {
            if (h != NULL && end_webhook(w, txn) < 0)
                return STORE_EIO;
            if (!begin_webhook(w, next_parked(w, p->has_begun ? &p->webhook : NULL)))
                return 0;
        }
    } while (clock_mono_us() < deadline_us);
    return 1;
}

/* --- when ------------------------------------------------------------------------------------ */

static enum loop_slice_result
on_slice(void *arg, int64_t deadline_us)
{
    struct webhooks *w = arg;
    int rc = turn_is_healthy(w->conf.turn) ? look(w, deadline_us) : STORE_EIO;
    if (rc > 0)
        return SLICE_MORE;
    if (rc < 0)
        turn_fail(w->conf.turn, rc);
    w->parked.is_looking = false;
    return SLICE_IDLE;
}

void
parked_look(struct webhooks *w)
{
    struct parked *p = &w->parked;
    if (!w->is_started || w->is_stopping || p->is_looking || next_parked(w, NULL) == NULL)
        return;
    p->is_looking = true;
    p->has_begun = false;
    loop_slice_wake(&p->slice);
}

static void
on_timer(void *arg)
{
    struct webhooks *w = arg;
    loop_timer_set_ms(&w->parked.timer, PARKED_LOOK_MS);
    parked_look(w);
}

void
parked_open(struct webhooks *w)
{
    loop_slice_init(&w->parked.slice, w->conf.loop, on_slice, w);
    loop_timer_init(&w->parked.timer, w->conf.loop, on_timer, w);
}

void
parked_start(struct webhooks *w)
{
    loop_timer_set_ms(&w->parked.timer, PARKED_LOOK_MS);
    parked_look(w);
}

void
parked_stop(struct webhooks *w)
{
    loop_slice_sleep(&w->parked.slice);
    loop_timer_clear(&w->parked.timer);
}

void
parked_close(struct webhooks *w)
{
    if (w->parked.slice.loop != NULL)
        loop_slice_sleep(&w->parked.slice);
    loop_timer_done(&w->parked.timer);
}
