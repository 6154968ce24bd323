/* Background removal. Every job looks for its work in the turn's transaction, so one that was cut
 * short, by its budget or by a crash, finds the rest. Knows nothing of attempts in flight. */
#include "webhook/janitor.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "webhook/owed.h"
#include "webhook/state.h"

enum {
    LOOK_PERIOD_MS = 60 * 60 * 1000, /* at ages */
    LOOK_EVERY_FINISHED = 256,
    REFUSED_PAUSE_MS = 1000,
    ATTEMPTS_AT_ONCE = 64, /* rows of one delivery */
    PARTS_AT_ONCE = 4,     /* of an event's lines */
    OWED_AT_ONCE = 128,    /* owed deliveries that one look passes over */
};

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
    struct delivery_record d;
    int rc = delivery_get(txn, due->delivery, &d);
    if (rc == 0 || rc == STORE_ECORRUPT) /* the row is all there is */
        return owed_remove_row(txn, webhook, due->due_at_ms, due->delivery);
    if (rc < 0)
        return rc;
    bool was_owed = d.state == DELIVERY_OWED;
    rc = owed_remove_row(txn, webhook, due->due_at_ms, due->delivery);
    if (rc < 0 || !was_owed)
        return rc;
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

/* Those of a large event go in further steps. */
static int
remove_lines(struct webhooks *w, struct store_txn *txn, uint64_t event, uint32_t n_parts)
{
    int rc = 1;
    if (n_parts > PARTS_AT_ONCE)
        janitor_trash_lines(w, event);
    else
        while (rc == 1)
            rc = delete_part(txn, event);
    return rc < 0 ? rc : 0;
}

int
janitor_release_event(struct webhooks *w, struct store_txn *txn, uint64_t event)
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
    rc = counters_put(txn, &counters);
    return rc < 0 ? rc : remove_lines(w, txn, event, e.n_parts);
}

/* The last attempts of a delivery: 1 when that were all, 0 when more are left, negative. */
static int
remove_attempts(struct store_txn *txn, uint64_t delivery, struct delivery_record *d)
{
    uint8_t key[KEY_PART_LEN];
    for (int i = 0; i < ATTEMPTS_AT_ONCE && d->attempts > 0; i++, d->attempts--) {
        int rc = store_delete(txn, TABLE_ATTEMPTS, key_numbered(key, delivery, d->attempts));
        if (rc < 0)
            return rc;
    }
    return d->attempts == 0;
}

static int
remove_delivery(struct webhooks *w, struct store_txn *txn, uint64_t delivery,
                struct delivery_record *d)
{
    uint8_t key[8], sequence_key[KEY_SEQUENCE_LEN];
    int rc = remove_attempts(txn, delivery, d);
    if (rc <= 0) /* sent again by hand very often: the rest follows */
        return rc < 0 ? rc : delivery_put(txn, delivery, d);
    rc = store_delete(txn, TABLE_DELIVERIES, key_u64(key, delivery));
    if (rc >= 0)
        rc = store_delete(txn, TABLE_WEBHOOK_DELIVERIES,
                          key_sequence(sequence_key, &d->webhook, d->sequence));
    return rc < 0 ? rc : janitor_release_event(w, txn, d->event);
}

/* Whether more is kept than wanted, whatever its age. */
static int
is_too_much(const struct webhooks *w, struct store_txn *txn, bool *ret)
{
    static const int tables[] = {TABLE_EVENTS,       TABLE_EVENT_LINES, TABLE_DELIVERIES,
                                 TABLE_DELIVERY_DUE, TABLE_ATTEMPTS,    TABLE_WEBHOOK_DELIVERIES};
    uint64_t max_bytes = w->conf.retention.max_bytes, bytes = 0;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        int rc = store_table_bytes(txn, tables[i], &bytes);
        if (rc < 0)
            return rc;
    }
    *ret = bytes > (max_bytes != 0 ? max_bytes : RETENTION_MAX_BYTES);
    return 0;
}

/* The oldest delivery from retain_at on that is finished, or a later one when many are owed: 1 / 0
 * / negative. One that cannot be read counts as owed. */
static int
oldest(struct janitor *jan, struct store_txn *txn, struct delivery_record *ret)
{
    uint8_t key[8];
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_DELIVERIES);
    if (rc == 0)
        rc = store_cursor_seek(&c, key_u64(key, jan->retain_at));
    for (int n = 1; rc == 1; n++) {
        jan->retain_at = key_read_u64(c.key, 0);
        if (!delivery_decode(c.value, ret))
            ret->state = DELIVERY_OWED;
        if (ret->state != DELIVERY_OWED || n == OWED_AT_ONCE)
            break;
        rc = store_cursor_next(&c);
    }
    store_cursor_close(&c);
    return rc;
}

static int64_t
oldest_kept_ns(const struct webhooks *w)
{
    int64_t age_ms = w->conf.retention.age_ms;
    return clock_wall_ns() - (age_ms != 0 ? age_ms : RETENTION_AGE_MS) * 1000000;
}

/* Deliveries go from the oldest on while there are too many bytes or they are too old. The first
 * that may stay ends it, but now and then all are looked at: one that took long to finish must not
 * keep those behind it. */
static int
job_retain(struct webhooks *w, struct store_txn *txn, int64_t deadline_us)
{
    struct janitor *jan = &w->janitor;
    struct delivery_record d;
    bool too_much;
    int64_t kept_from_ns = oldest_kept_ns(w);
    int rc;
    while ((rc = oldest(jan, txn, &d)) == 1) {
        rc = is_too_much(w, txn, &too_much);
        if (rc == 0 && d.state != DELIVERY_OWED && (too_much || d.finished_at_ns < kept_from_ns))
            rc = remove_delivery(w, txn, jan->retain_at, &d);
        else if (rc == 0 && (d.state == DELIVERY_OWED || jan->looks_at_all))
            jan->retain_at++;
        else
            return rc;
        if (rc < 0)
            return rc;
        if (is_late(deadline_us) || jan->n_trash > 0) /* what goes counts no more: it goes first */
            return 1;
    }
    jan->looks_at_all = false;
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
    w->janitor.looks_at_all = true;
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
    w->janitor.looks_at_all = true;
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
