/* Makes the deliveries of organisation events, at once or in pieces beside everything else. Knows
 * neither why an event happened nor how it is sent. */
#include "webhook/fan_out.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "webhook/event_lines.h"
#include "webhook/owe.h"
#include "webhook/state.h"

enum {
    FAN_OUT_V1 = 1,
    REFUSED_PAUSE_MS = 1000,
    PIECE_US = 2000, /* a piece, at most; the commit that follows takes about as long */
    LINES_AT_ONCE = 64,
};
#define KEY_PREFIX "webhook-fan-out:"
enum { KEY_PREFIX_LEN = sizeof(KEY_PREFIX) - 1, KEY_LEN = KEY_PREFIX_LEN + 8 };

static struct str
key_of(uint8_t out[KEY_LEN], uint64_t event)
{
    memcpy(out, KEY_PREFIX, KEY_PREFIX_LEN);
    (void) key_u64(out + KEY_PREFIX_LEN, event);
    return str_make(out, KEY_LEN);
}

/* --- a piece --------------------------------------------------------------------------------- */

/* One that is being worked on: a target each, with its lane. */
struct making {
    struct webhooks *webhooks;
    struct store_txn *txn;
    uint64_t event;
    int64_t created_at_ns;
    const struct fan_out_target *targets;
    struct lane_record *lanes;
    bool *is_used; /* a target that got something */
    size_t n;
    uint32_t line; /* the next one */
    uint32_t made;
    int64_t deadline_us;
};

static int
making_open(struct making *m)
{
    int rc = 0;
    m->lanes = mem_new(m->n + 1, sizeof(*m->lanes));
    m->is_used = mem_new(m->n + 1, sizeof(*m->is_used));
    for (size_t i = 0; rc >= 0 && i < m->n; i++)
        rc = lane_record_get(m->txn, &m->targets[i].webhook, &m->lanes[i]);
    return rc < 0 ? rc : 0;
}

/* The sequence numbers that were given out. */
static int
making_put_lanes(struct making *m)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < m->n; i++) {
        if (m->is_used[i])
            rc = lane_record_put(m->txn, &m->targets[i].webhook, &m->lanes[i]);
    }
    return rc;
}

static void
making_done(struct making *m)
{
    free(m->lanes);
    free(m->is_used);
}

static int
owe_one(struct making *m, size_t target)
{
    struct owing o = {
        .webhooks = m->webhooks,
        .txn = m->txn,
        .event = m->event,
        .webhook = &m->targets[target].webhook,
        .lane = &m->lanes[target],
        .cause = CAUSE_EVENT,
        .now_ns = m->created_at_ns,
    };
    m->is_used[target] = true;
    m->made++;
    return owe_line(&o, m->line);
}

static int
owe_line_to_all(struct making *m, const struct line_view *line)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < m->n; i++) {
        const struct fan_out_target *t = &m->targets[i];
        if (line->kind < CATALOG_EVENTS && (t->events >> line->kind & 1) != 0 &&
            registry_find(m->webhooks, &t->webhook) != NULL)
            rc = owe_one(m, i);
    }
    return rc;
}

/* The lines of one part from the cursor on: 1 when it is through, 0 when time is up, negative. */
static int
make_part(struct making *m, const struct event_part *part)
{
    struct line_view line;
    size_t at = 0;
    uint32_t number = part->first_line;
    int rc;
    for (; (rc = lines_next(part->bytes, &at, &line)) == 1; number++) {
        if (number < m->line)
            continue;
        if (number % LINES_AT_ONCE == 0 && m->made > 0 && clock_mono_us() >= m->deadline_us)
            return 0;
        rc = owe_line_to_all(m, &line);
        if (rc < 0)
            return rc;
        m->line = number + 1;
    }
    return rc < 0 ? rc : 1;
}

/* 1 when all lines are through, 0 when time is up, negative. */
static int
make(struct making *m, const struct event_record *e)
{
    struct event_part part;
    int rc = 1;
    while (rc == 1 && m->line < e->n_lines) {
        uint32_t before = m->line;
        rc = event_lines_seek(m->txn, m->event, e->n_parts, m->line, &part);
        if (rc == 1)
            rc = make_part(m, &part);
        if (rc == 1 && m->line == before)
            rc = STORE_ECORRUPT; /* a hole: it would never end */
    }
    return rc;
}

/* --- rows ------------------------------------------------------------------------------------ */

static int
put_row(struct store_txn *txn, uint64_t event, uint32_t line, const struct fan_out_target *targets,
        size_t n)
{
    uint8_t key[KEY_LEN];
    struct buf b = BUF_INIT;
    rec_put_u8(&b, FAN_OUT_V1);
    rec_put_u32(&b, line);
    rec_put_u32(&b, (uint32_t) n);
    for (size_t i = 0; i < n; i++) {
        rec_put_uuid(&b, &targets[i].webhook);
        rec_put_u64(&b, targets[i].events);
    }
    int rc =
        buf_failed(&b) ? STORE_EFULL : store_put(txn, TABLE_META, key_of(key, event), buf_str(&b));
    buf_done(&b);
    return rc;
}

static bool
read_row(struct str value, struct making *m, struct fan_out_target **ret_targets)
{
    struct rec r = rec_open(value, FAN_OUT_V1);
    m->line = rec_u32(&r);
    uint32_t n = rec_u32(&r);
    if (r.failed || n > r.rest.len)
        return false;
    *ret_targets = mem_new(n + 1, sizeof(**ret_targets));
    for (m->n = 0; m->n < n; m->n++) {
        (*ret_targets)[m->n].webhook = rec_uuid(&r);
        (*ret_targets)[m->n].events = rec_u64(&r);
    }
    m->targets = *ret_targets;
    return rec_ok(&r);
}

/* The oldest row: 1 with the event and a copy of its value, 0, negative. */
static int
first_row(struct store_txn *txn, uint64_t *ret_event, struct buf *ret)
{
    uint8_t key[KEY_LEN];
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_META);
    if (rc == 0)
        rc = store_cursor_seek(&c, key_of(key, 0));
    if (rc == 1 && (c.key.len != KEY_LEN || memcmp(c.key.data, KEY_PREFIX, KEY_PREFIX_LEN) != 0))
        rc = 0;
    if (rc == 1) {
        *ret_event = key_read_u64(c.key, KEY_PREFIX_LEN);
        buf_add_str(ret, c.value);
    }
    store_cursor_close(&c);
    return rc == 1 && buf_failed(ret) ? STORE_EFULL : rc;
}

/* --- in the commit of the event --------------------------------------------------------------- */

static int
make_at_once(struct webhooks *w, struct store_txn *txn, const struct fan_out *f)
{
    struct making m = {.webhooks = w,
                       .txn = txn,
                       .event = f->event,
                       .created_at_ns = f->record->created_at_ns,
                       .targets = f->targets,
                       .n = f->n_targets,
                       .deadline_us = INT64_MAX};
    f->record->first_delivery = w->outbox.next_delivery;
    int rc = making_open(&m);
    if (rc == 0)
        rc = make(&m, f->record);
    if (rc == 1)
        rc = making_put_lanes(&m);
    making_done(&m);
    f->record->n_deliveries = f->record->n_kept = m.made;
    return rc;
}

int
fan_out_begin(struct webhooks *w, struct store_txn *txn, const struct fan_out *f)
{
    if (f->total <= FAN_OUT_AT_ONCE)
        return make_at_once(w, txn, f);
    f->record->first_delivery = w->outbox.next_delivery;
    f->record->n_deliveries = 0;
    f->record->n_kept = 1;
    if (w->is_started && !w->is_stopping)
        loop_slice_wake(&w->fan_outs.slice); /* it looks after this turn's commit */
    return put_row(txn, f->event, 0, f->targets, f->n_targets);
}

/* --- afterwards ------------------------------------------------------------------------------- */

static void
keep_to_wake(struct fan_outs *f, const struct making *m)
{
    free(f->to_wake);
    f->to_wake = mem_new(m->n + 1, sizeof(*f->to_wake));
    f->n_to_wake = 0;
    for (size_t i = 0; i < m->n; i++) {
        if (m->is_used[i])
            f->to_wake[f->n_to_wake++] = m->targets[i].webhook;
    }
}

/* What a piece has come to: 0 or negative. */
static int
put_piece(struct making *m, struct event_record *e, bool is_through)
{
    uint8_t key[KEY_LEN];
    e->n_kept += m->made;
    int rc = making_put_lanes(m);
    if (rc == 0)
        rc = event_put(m->txn, m->event, e);
    if (rc == 0 && !is_through)
        rc = put_row(m->txn, m->event, m->line, m->targets, m->n);
    if (rc == 0 && is_through)
        rc = store_delete(m->txn, TABLE_META, key_of(key, m->event));
    if (rc >= 0 && is_through)
        rc = janitor_release_event(m->webhooks, m->txn, m->event);
    return rc < 0 ? rc : outbox_put_counters(m->webhooks, m->txn);
}

/* A row that leads nowhere: its event cannot be read. */
static int
drop_row(struct store_txn *txn, uint64_t event)
{
    uint8_t key[KEY_LEN];
    log_error("webhook", "an event cannot be read, its deliveries are lost event=%llu",
              (unsigned long long) event);
    int rc = store_delete(txn, TABLE_META, key_of(key, event));
    return rc < 0 ? rc : 0;
}

static int
work_on(struct webhooks *w, struct making *m, struct str row)
{
    struct fan_out_target *targets = NULL;
    struct event_record e;
    int rc = event_get(m->txn, m->event, &e);
    if (rc == 1)
        rc = read_row(row, m, &targets) ? 1 : STORE_ECORRUPT;
    w->fan_outs.n_to_wake = 0;
    if (rc == 0 || rc == STORE_ECORRUPT) {
        free(targets);
        return drop_row(m->txn, m->event);
    }
    if (rc == 1) {
        m->created_at_ns = clock_wall_ns();
        rc = making_open(m);
    }
    if (rc == 0)
        rc = make(m, &e);
    if (rc == STORE_ECORRUPT) /* what cannot be read is not told */
        rc = 1;
    if (rc >= 0)
        rc = put_piece(m, &e, rc == 1);
    keep_to_wake(&w->fan_outs, m);
    making_done(m);
    free(targets);
    return rc;
}

/* 1: a piece was written, 0: there is none, negative. */
static int
work(struct webhooks *w)
{
    struct making m = {.webhooks = w, .deadline_us = clock_mono_us() + PIECE_US};
    struct buf row = BUF_INIT;
    struct store_txn *txn = turn_read(w->conf.turn);
    int rc = txn == NULL ? STORE_EIO : first_row(txn, &m.event, &row);
    store_abort(txn);
    if (rc == 1) {
        m.txn = turn_txn(w->conf.turn);
        rc = work_on(w, &m, buf_str(&row));
        if (rc < 0)
            turn_fail(w->conf.turn, rc);
        rc = 1; /* the commit says what became of it */
    }
    buf_done(&row);
    return rc;
}

static void
on_committed(void *arg, int result)
{
    struct webhooks *w = arg;
    struct fan_outs *f = &w->fan_outs;
    if (w->is_stopping)
        return;
    if (result < 0) {
        loop_timer_set_ms(&f->timer, REFUSED_PAUSE_MS);
        return;
    }
    for (size_t i = 0; i < f->n_to_wake; i++)
        lanes_wake(w, &f->to_wake[i]);
    loop_slice_wake(&f->slice);
}

static enum loop_slice_result
on_slice(void *arg, int64_t deadline_us)
{
    struct webhooks *w = arg;
    struct fan_outs *f = &w->fan_outs;
    (void) deadline_us; /* a piece has a length of its own */
    if (f->waiter.queued)
        return SLICE_IDLE;
    int rc = turn_accepts_writes(w->conf.turn) ? work(w) : STORE_EFULL;
    if (rc < 0)
        loop_timer_set_ms(&f->timer, REFUSED_PAUSE_MS);
    else if (rc == 1)
        turn_wait(w->conf.turn, &f->waiter);
    return SLICE_IDLE;
}

static void
on_timer(void *arg)
{
    struct webhooks *w = arg;
    loop_slice_wake(&w->fan_outs.slice);
}

void
fan_outs_open(struct webhooks *w)
{
    loop_slice_init(&w->fan_outs.slice, w->conf.loop, on_slice, w);
    loop_timer_init(&w->fan_outs.timer, w->conf.loop, on_timer, w);
    w->fan_outs.waiter = (struct turn_waiter){.fn = on_committed, .arg = w};
}

void
fan_outs_start(struct webhooks *w)
{
    loop_slice_wake(&w->fan_outs.slice);
}

void
fan_outs_stop(struct webhooks *w)
{
    loop_slice_sleep(&w->fan_outs.slice);
    loop_timer_clear(&w->fan_outs.timer);
}

void
fan_outs_close(struct webhooks *w)
{
    struct fan_outs *f = &w->fan_outs;
    turn_forget(w->conf.turn, &f->waiter);
    if (f->slice.loop != NULL)
        loop_slice_sleep(&f->slice);
    loop_timer_done(&f->timer);
    free(f->to_wake);
    f->to_wake = NULL;
}
