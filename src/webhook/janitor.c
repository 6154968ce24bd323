/* Background removal. Every job looks for its work in the turn's transaction, so one that was cut
 * short, by its budget or by a crash, finds the rest. Knows nothing of attempts in flight. */
#include "webhook/janitor.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "webhook/state.h"

enum {
    LOOK_PERIOD_MS = 60 * 60 * 1000, /* at ages */
    LOOK_EVERY_FINISHED = 256,
    REFUSED_PAUSE_MS = 1000,
};
#define KEPT_NS (DELIVERIES_KEPT_DAYS * 24 * 3600 * INT64_C(1000000000))

static bool
is_late(int64_t deadline_us)
{
    return clock_mono_us() >= deadline_us;
}

/* --- what is owed to deleted webhooks -------------------------------------------------------- */

/* The greatest key of a webhook's due rows. */
static struct str
key_due_last(uint8_t out[KEY_DUE_LEN], const struct uuid *webhook)
{
    memset(out, 0xFF, KEY_DUE_LEN);
    memcpy(out, webhook->bytes, sizeof(webhook->bytes));
    return str_make(out, KEY_DUE_LEN);
}

/* What is owed to the command line's webhook waits for a start that names it again: a forgotten
 * flag loses nothing. */
static bool
is_kept(const struct webhooks *w, const struct uuid *webhook)
{
    return uuid_is_nil(webhook) || registry_find(w, webhook) != NULL;
}

/* The first due row of an unregistered webhook: one seek a webhook. 1 / 0 / negative. */
static int
find_orphan(const struct webhooks *w, struct store_txn *txn, struct uuid *ret_webhook,
            struct due *ret)
{
    uint8_t key[KEY_DUE_LEN];
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_DELIVERY_DUE);
    if (rc == 0)
        rc = store_cursor_first(&c);
    while (rc == 1) {
        if (!key_due_read(c.key, ret_webhook, &ret->due_at_ms, &ret->delivery))
            rc = STORE_ECORRUPT;
        else if (is_kept(w, ret_webhook))
            rc = store_cursor_seek(&c, key_due_last(key, ret_webhook));
        else
            break;
    }
    store_cursor_close(&c);
    return rc;
}

static int
discard(struct store_txn *txn, const struct uuid *webhook, const struct due *due)
{
    uint8_t key[KEY_DUE_LEN];
    struct delivery_record d;
    int rc =
        store_delete(txn, TABLE_DELIVERY_DUE, key_due(key, webhook, due->due_at_ms, due->delivery));
    if (rc < 0)
        return rc;
    rc = delivery_get(txn, due->delivery, &d);
    if (rc != 1 || d.state != DELIVERY_OWED)
        return rc < 0 && rc != STORE_ECORRUPT ? rc : 0;
    d.state = DELIVERY_DISCARDED;
    d.finished_at_ns = clock_wall_ns();
    return delivery_put(txn, due->delivery, &d);
}

/* Each job: 1 when there is more to do, 0 when through, negative. */
static int
job_discard(struct webhooks *w, struct store_txn *txn, int64_t deadline_us)
{
    struct uuid webhook;
    struct due due;
    int rc;
    while ((rc = find_orphan(w, txn, &webhook, &due)) == 1) {
        rc = discard(txn, &webhook, &due);
        if (rc < 0)
            return rc;
        if (is_late(deadline_us))
            return 1;
    }
    return rc;
}

/* --- lines without an event ------------------------------------------------------------------ */

/* Deletes one part of the event: 1, 0 when it has none left. */
static int
delete_part(struct store_txn *txn, uint64_t event)
{
    uint8_t key[KEY_PART_LEN];
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_EVENT_LINES);
    if (rc == 0)
        rc = store_cursor_seek(&c, key_numbered(key, event, 0));
    if (rc == 1 && key_read_u64(c.key, 0) != event)
        rc = 0;
    if (rc == 1 && store_cursor_delete(&c) < 0)
        rc = STORE_EIO;
    store_cursor_close(&c);
    return rc;
}

static int
job_trash(struct webhooks *w, struct store_txn *txn, int64_t deadline_us)
{
    struct janitor *jan = &w->janitor;
    struct event_record e;
    bool has_deleted = false;
    while (jan->n_trash > 0) {
        uint64_t event = jan->trash[jan->n_trash - 1];
        int rc = event_get(txn, event, &e); /* its row may have come back with a refused commit */
        if (rc == 0)
            rc = delete_part(txn, event);
        else if (rc == 1)
            rc = 0;
        if (rc < 0 && rc != STORE_ECORRUPT)
            return rc;
        if (rc != 1 && has_deleted) /* forgotten in a later turn, when that is on disk */
            return 1;
        if (rc != 1)
            jan->n_trash--;
        has_deleted = rc == 1;
        if (is_late(deadline_us))
            return 1;
    }
    return 0;
}

/* One event at or above *at whose number is below end: 1 with *at, 0. */
static int
next_with_lines(struct store_txn *txn, uint64_t *at, uint64_t end)
{
    uint8_t key[KEY_PART_LEN];
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_EVENT_LINES);
    if (rc == 0)
        rc = store_cursor_seek(&c, key_numbered(key, *at, 0));
    if (rc == 1)
        *at = key_read_u64(c.key, 0);
    store_cursor_close(&c);
    return rc == 1 && *at >= end ? 0 : rc;
}

static int
job_sweep(struct webhooks *w, struct store_txn *txn, int64_t deadline_us)
{
    struct janitor *jan = &w->janitor;
    struct event_record e;
    int rc;
    while ((rc = next_with_lines(txn, &jan->sweep_at, jan->sweep_end)) == 1) {
        rc = event_get(txn, jan->sweep_at, &e);
        if (rc == 0)
            rc = delete_part(txn, jan->sweep_at);
        else
            jan->sweep_at++;
        if (rc < 0 && rc != STORE_ECORRUPT)
            return rc;
        if (is_late(deadline_us))
            return 1;
    }
    return rc;
}

/* --- retention ------------------------------------------------------------------------------- */

/* One delivery less refers to the event; the last one takes it along. */
static int
release_event(struct webhooks *w, struct store_txn *txn, uint64_t event)
{
    uint8_t key[8];
    struct event_record e;
    struct counters_record counters;
    int rc = event_get(txn, event, &e);
    if (rc != 1)
        return rc == STORE_ECORRUPT ? 0 : rc;
    if (e.n_kept > 1) {
        e.n_kept--;
        return event_put(txn, event, &e);
    }
    rc = store_delete(txn, TABLE_EVENTS, key_u64(key, event));
    if (rc >= 0)
        rc = counters_get(txn, &counters);
    if (rc < 0)
        return rc;
    counters.event_bytes -= e.n_bytes < counters.event_bytes ? e.n_bytes : counters.event_bytes;
    janitor_trash_lines(w, event);
    return counters_put(txn, &counters);
}

static int
remove_delivery(struct webhooks *w, struct store_txn *txn, uint64_t delivery,
                const struct delivery_record *d)
{
    uint8_t key[8], attempt_key[KEY_PART_LEN];
    for (uint32_t i = 1; i <= d->attempts; i++) {
        int rc = store_delete(txn, TABLE_ATTEMPTS, key_numbered(attempt_key, delivery, i));
        if (rc < 0)
            return rc;
    }
    int rc = store_delete(txn, TABLE_DELIVERIES, key_u64(key, delivery));
    return rc < 0 ? rc : release_event(w, txn, d->event);
}

/* Whether more is kept than wanted, whatever its age. */
static int
is_too_much(struct store_txn *txn, bool *ret)
{
    uint64_t all, owed;
    struct counters_record counters;
    int rc = store_count(txn, TABLE_DELIVERIES, &all);
    if (rc == 0)
        rc = store_count(txn, TABLE_DELIVERY_DUE, &owed);
    if (rc == 0)
        rc = counters_get(txn, &counters);
    if (rc < 0)
        return rc;
    *ret = all > owed + DELIVERIES_KEPT_MAX || counters.event_bytes > EVENT_BYTES_KEPT_MAX;
    return 0;
}

/* The oldest delivery from retain_at on: 1 / 0 / negative. One that cannot be read counts as owed.
 */
static int
oldest(struct janitor *jan, struct store_txn *txn, struct delivery_record *ret)
{
    uint8_t key[8];
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_DELIVERIES);
    if (rc == 0)
        rc = store_cursor_seek(&c, key_u64(key, jan->retain_at));
    if (rc == 1) {
        jan->retain_at = key_read_u64(c.key, 0);
        if (!delivery_decode(c.value, ret))
            *ret = (struct delivery_record){.state = DELIVERY_OWED};
    }
    store_cursor_close(&c);
    return rc;
}

static int
job_retain(struct webhooks *w, struct store_txn *txn, int64_t deadline_us)
{
    struct janitor *jan = &w->janitor;
    struct delivery_record d;
    bool too_much;
    int64_t old_ns = clock_wall_ns() - KEPT_NS;
    int rc;
    while ((rc = oldest(jan, txn, &d)) == 1) {
        rc = is_too_much(txn, &too_much);
        if (rc == 0 && d.state == DELIVERY_OWED)
            jan->retain_at++;
        else if (rc == 0 && (too_much || d.finished_at_ns < old_ns))
            rc = remove_delivery(w, txn, jan->retain_at, &d);
        else
            return rc;
        if (rc < 0)
            return rc;
        if (is_late(deadline_us))
            return 1;
    }
    return rc;
}

/* --- the slice ------------------------------------------------------------------------------- */

static void
wake(struct webhooks *w)
{
    if (w->is_started && !w->is_stopping)
        loop_slice_wake(&w->janitor.slice);
}

/* One job a slice, in the order of how much waits for it. */
static int
run_job(struct webhooks *w, int64_t deadline_us)
{
    struct janitor *jan = &w->janitor;
    struct store_txn *txn = turn_txn(w->conf.turn);
    if (jan->must_discard) {
        int rc = job_discard(w, txn, deadline_us);
        jan->must_discard = rc != 0;
        return rc;
    }
    if (jan->n_trash > 0)
        return job_trash(w, txn, deadline_us);
    if (jan->must_sweep) {
        int rc = job_sweep(w, txn, deadline_us);
        jan->must_sweep = rc != 0;
        return rc;
    }
    int rc = job_retain(w, txn, deadline_us);
    jan->must_retain = rc != 0;
    return rc;
}

static bool
has_work(const struct janitor *jan)
{
    return jan->must_discard || jan->must_sweep || jan->must_retain || jan->n_trash > 0;
}

static enum loop_slice_result
on_slice(void *arg, int64_t deadline_us)
{
    struct webhooks *w = arg;
    struct janitor *jan = &w->janitor;
    if (!has_work(jan))
        return SLICE_IDLE;
    int rc = turn_is_healthy(w->conf.turn) ? run_job(w, deadline_us) : STORE_EIO;
    if (rc >= 0)
        return has_work(jan) ? SLICE_MORE : SLICE_IDLE;
    if (turn_is_healthy(w->conf.turn))
        log_error("webhook", "cannot remove old rows error=\"%s\"", store_strerror(rc));
    loop_timer_set_ms(&jan->timer, REFUSED_PAUSE_MS);
    return SLICE_IDLE;
}

static void
on_timer(void *arg)
{
    struct webhooks *w = arg;
    w->janitor.must_retain = true;
    w->janitor.retain_at = 0; /* some that were owed have finished */
    loop_timer_set_ms(&w->janitor.timer, LOOK_PERIOD_MS);
    wake(w);
}

void
janitor_open(struct webhooks *w)
{
    loop_slice_init(&w->janitor.slice, w->conf.loop, on_slice, w);
    loop_timer_init(&w->janitor.timer, w->conf.loop, on_timer, w);
    w->janitor.must_discard = w->janitor.must_sweep = w->janitor.must_retain = true;
}

void
janitor_start(struct webhooks *w)
{
    w->janitor.sweep_end = w->outbox.next_event; /* builders of this process are above */
    loop_timer_set_ms(&w->janitor.timer, LOOK_PERIOD_MS);
    wake(w);
}

void
janitor_stop(struct webhooks *w)
{
    loop_slice_sleep(&w->janitor.slice);
    loop_timer_clear(&w->janitor.timer);
}

void
janitor_close(struct webhooks *w)
{
    if (w->janitor.slice.loop != NULL)
        loop_slice_sleep(&w->janitor.slice);
    loop_timer_done(&w->janitor.timer);
    free(w->janitor.trash);
    w->janitor.trash = NULL;
}

void
janitor_discard_orphans(struct webhooks *w)
{
    w->janitor.must_discard = true;
    wake(w);
}

void
janitor_trash_lines(struct webhooks *w, uint64_t event)
{
    struct janitor *jan = &w->janitor;
    if (jan->n_trash == jan->trash_cap) {
        jan->trash_cap = jan->trash_cap * 2 + 8;
        jan->trash = mem_grow(jan->trash, jan->trash_cap, sizeof(*jan->trash));
    }
    jan->trash[jan->n_trash++] = event;
    wake(w);
}

void
janitor_count_finished(struct webhooks *w)
{
    if (++w->janitor.finished < LOOK_EVERY_FINISHED)
        return;
    w->janitor.finished = 0;
    w->janitor.must_retain = true;
    wake(w);
}
