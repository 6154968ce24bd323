/* The feed: one slice that reads changes and passes them on, in pieces however many wait. Owns the
 * lists of those who wait; what a stream sends is in task_stream.c.
 *
 * A stream that is live gets change n when its `at` is n. The output of a client is bounded: above
 * OUTPUT_HIGH_BYTES its stream is blocked, and once the client has read it is behind: it reads the
 * store from its `at` on, at its own pace, until it has caught up. A stream that resumes begins
 * behind. So a slow client costs one output and its place in the log, never a queue of events. */
#include "api/task_feed.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
    BUCKETS = 4096,
    OUTPUT_HIGH_BYTES = 64 << 10,
    CATCH_UP_BYTES = 32 << 10, /* a write of a stream that is behind */
    BEAT_MS = 15 * 1000,
};

struct task_feed {
    struct api *api;
    struct loop_slice slice;
    struct loop_timer beat;
    struct change_reader live, behind;
    struct task_wait *waits[BUCKETS], *ended; /* ended: to be told */
    size_t n_waits, n_streams;
    struct task_stream *lists[STREAM_PLACES], **live_tail;
    /* the change that live streams are being given, and the next of them */
    bool has_event, is_behinds_turn, is_stopped;
    struct task_event event;
    struct task_stream *at, *beat_at;
    bool is_beating;
};

/* --- lists of streams ----------------------------------------------------------------------- */

static void
list_remove(struct task_feed *f, struct task_stream *s)
{
    if (f->at == s)
        f->at = s->next;
    if (f->beat_at == s)
        f->beat_at = s->next;
    if (s->next != NULL)
        s->next->link = s->link;
    else if (s->place == STREAM_LIVE)
        f->live_tail = s->link;
    *s->link = s->next;
    s->next = NULL;
    s->link = NULL;
}

/* Live ones at the end: a walk that is under way comes to them. */
static void
list_add(struct task_feed *f, struct task_stream *s, enum stream_place place)
{
    struct task_stream **at = place == STREAM_LIVE ? f->live_tail : &f->lists[place];
    s->place = place;
    s->next = *at;
    s->link = at;
    if (s->next != NULL)
        s->next->link = &s->next;
    *at = s;
    if (place == STREAM_LIVE)
        f->live_tail = &s->next;
}

static void
move(struct task_feed *f, struct task_stream *s, enum stream_place place)
{
    list_remove(f, s);
    list_add(f, s, place);
}

/* A stream that was just added may be where an ended walk stopped. */
static void
rejoin_walk(struct task_feed *f, struct task_stream *s)
{
    if (f->has_event && f->at == NULL && s->at == f->event.change.number)
        f->at = s;
}

static void
drop(struct task_feed *f, struct task_stream *s)
{
    list_remove(f, s);
    f->n_streams--;
    if (f->n_streams == 0)
        loop_timer_clear(&f->beat);
    task_stream_free(s);
}

static void
on_gone(void *arg)
{
    struct task_stream *s = arg;
    drop(s->feed, s);
}

static void
on_drained(void *arg)
{
    struct task_stream *s = arg;
    move(s->feed, s, STREAM_BEHIND);
    loop_slice_wake(&s->feed->slice);
}

static void
end_stream(struct task_feed *f, struct task_stream *s)
{
    struct http_stream *out = s->out;
    drop(f, s);
    http_stream_end(out);
}

/* Sends what was made for a stream whose place follows from how much waits. False: it was cut. */
static bool
push(struct task_feed *f, struct task_stream *s, struct str text)
{
    struct http_stream *out = s->out;
    if (!http_stream_write(out, text)) {
        drop(f, s);
        http_stream_cut(out);
        return false;
    }
    if (http_stream_waiting(out) > OUTPUT_HIGH_BYTES) {
        move(f, s, STREAM_BLOCKED);
        http_stream_await_drained(out);
    }
    return true;
}

/* --- waits ---------------------------------------------------------------------------------- */

static void
wait_link(struct task_wait *w, struct task_wait **at)
{
    w->next = *at;
    w->link = at;
    if (w->next != NULL)
        w->next->link = &w->next;
    *at = w;
}

static void
wait_unlink(struct task_wait *w)
{
    *w->link = w->next;
    if (w->next != NULL)
        w->next->link = w->link;
    w->next = NULL;
    w->link = NULL;
}

static void
note_end(struct task_feed *f, uint32_t uid)
{
    struct task_wait *w = f->waits[uid % BUCKETS], *next;
    for (; w != NULL; w = next) {
        next = w->next;
        if (w->uid != uid)
            continue;
        wait_unlink(w);
        wait_link(w, &f->ended);
    }
}

/* False: time is up before all have been told. */
static bool
tell_ended(struct task_feed *f, int64_t deadline_us)
{
    while (f->ended != NULL) {
        struct task_wait *w = f->ended;
        task_feed_forget(f, w);
        w->ended(w);
        if (clock_mono_us() >= deadline_us)
            return false;
    }
    return true;
}

/* Nobody waited until now: what has changed before is nobody's business. */
static void
begin(struct task_feed *f)
{
    uint64_t first, end;
    if (f->n_waits + f->n_streams > 0)
        return;
    struct store_txn *txn = turn_read(f->api->turn);
    if (txn != NULL && queue_changes_bounds(txn, &first, &end) == 0)
        f->live.at = end;
    store_abort(txn);
}

bool
task_feed_wait(struct task_feed *f, struct task_wait *w)
{
    if (f->is_stopped)
        return false;
    begin(f);
    wait_link(w, &f->waits[w->uid % BUCKETS]);
    f->n_waits++;
    return true;
}

void
task_feed_forget(struct task_feed *f, struct task_wait *w)
{
    if (w->link == NULL)
        return;
    wait_unlink(w);
    f->n_waits--;
}

/* --- live ------------------------------------------------------------------------------------ */

static void
end_event(struct task_feed *f)
{
    task_event_done(&f->event);
    f->has_event = false;
    f->at = NULL;
}

static void
give(struct task_feed *f, struct task_stream *s)
{
    uint64_t number = f->event.change.number;
    if (s->at > number)
        return; /* it began later */
    s->at = number + 1;
    if (!task_stream_wants(s, &f->event))
        return;
    s->told_id = number;
    (void) push(f, s, buf_str(&f->event.text)); /* a cut one is out of every list */
}

/* Takes up the next change: 1, 0 when there is none yet, negative. */
static int
next_event(struct task_feed *f, struct store_txn *txn)
{
    struct queue_change c;
    int rc = queue_changes_next(&f->live, txn, &c);
    if (rc <= 0)
        return rc;
    if (c.kind == CHANGE_ENDED && f->n_waits > 0)
        note_end(f, c.uid);
    if (f->lists[STREAM_LIVE] == NULL)
        return 1;
    rc = task_event_read(&f->event, f->api->queue, txn, &c);
    f->has_event = true;
    f->at = f->lists[STREAM_LIVE];
    return rc < 0 ? rc : 1;
}

/* 1: more at once, 0: nothing more, negative. */
static int
run_live(struct task_feed *f, struct store_txn *txn, int64_t deadline_us)
{
    do {
        if (!tell_ended(f, deadline_us))
            return 1;
        if (f->has_event && f->at == NULL)
            end_event(f);
        if (!f->has_event) {
            int rc = next_event(f, txn);
            if (rc <= 0)
                return rc;
            continue;
        }
        struct task_stream *s = f->at;
        f->at = s->next;
        give(f, s);
    } while (clock_mono_us() < deadline_us);
    return 1;
}

/* --- behind ---------------------------------------------------------------------------------- */

/* The next of its changes, into out: 1, 0 when there is none, negative. */
static int
catch_up_one(struct task_feed *f, struct task_stream *s, struct store_txn *txn, struct buf *out)
{
    struct queue_change c;
    struct task_event e;
    int rc = queue_changes_next(&f->behind, txn, &c);
    if (rc <= 0)
        return rc;
    rc = task_event_read(&e, f->api->queue, txn, &c);
    s->at = c.number + 1;
    if (rc >= 0 && task_stream_wants(s, &e)) {
        s->told_id = c.number;
        buf_add_str(out, buf_str(&e.text));
    }
    task_event_done(&e);
    return rc < 0 ? rc : 1;
}

/* A client that was away for longer than changes are kept. */
static int
mind_gap(struct task_stream *s, struct store_txn *txn)
{
    uint64_t first, end;
    int rc = queue_changes_bounds(txn, &first, &end);
    if (rc < 0 || s->at >= first)
        return rc;
    task_stream_tell_gap(s, first - s->at, first);
    s->at = first;
    return 0;
}

static int
run_behind(struct task_feed *f, struct store_txn *txn, int64_t deadline_us)
{
    struct task_stream *s = f->lists[STREAM_BEHIND];
    struct buf text = BUF_INIT;
    int rc = mind_gap(s, txn);
    f->behind.at = s->at;
    /* The change that live streams are being given now is theirs to give. */
    uint64_t live_at = f->has_event ? f->event.change.number : f->live.at;
    while (rc >= 0 && s->at < live_at && text.len < CATCH_UP_BYTES) {
        rc = catch_up_one(f, s, txn, &text);
        if (rc <= 0 || clock_mono_us() >= deadline_us)
            break;
    }
    bool has_caught_up = rc >= 0 && (rc == 0 || s->at >= live_at);
    if (push(f, s, buf_str(&text)) && s->place == STREAM_BEHIND && has_caught_up) {
        change_reader_done(&f->behind);
        move(f, s, STREAM_LIVE);
        rejoin_walk(f, s);
    }
    buf_done(&text);
    return rc < 0 ? rc : 1;
}

/* --- beats ----------------------------------------------------------------------------------- */

static void
on_beat(void *arg)
{
    struct task_feed *f = arg;
    f->is_beating = true;
    f->beat_at = f->lists[STREAM_LIVE];
    loop_timer_set_ms(&f->beat, BEAT_MS);
    loop_slice_wake(&f->slice);
}

static void
run_beats(struct task_feed *f, int64_t deadline_us)
{
    while (f->beat_at != NULL && clock_mono_us() < deadline_us) {
        struct task_stream *s = f->beat_at;
        f->beat_at = s->next;
        if (!task_stream_beat(s))
            end_stream(f, s);
    }
    f->is_beating = f->beat_at != NULL;
}

/* --- the slice ------------------------------------------------------------------------------- */

static enum loop_slice_result
step(void *arg, int64_t deadline_us)
{
    struct task_feed *f = arg;
    if (f->is_beating)
        run_beats(f, deadline_us);
    if (f->n_waits + f->n_streams == 0) {
        end_event(f);
        return SLICE_IDLE;
    }
    struct store_txn *txn = turn_read(f->api->turn);
    bool has_behind = f->lists[STREAM_BEHIND] != NULL;
    int rc = txn == NULL ? STORE_EIO : 0;
    if (rc == 0 && !(has_behind && f->is_behinds_turn))
        rc = run_live(f, txn, deadline_us);
    if (rc == 0 && has_behind && f->lists[STREAM_BEHIND] != NULL)
        rc = run_behind(f, txn, deadline_us);
    else if (rc >= 0 && f->lists[STREAM_BEHIND] != NULL)
        rc = 1;
    f->is_behinds_turn = !f->is_behinds_turn;
    store_abort(txn);
    if (rc < 0) { /* the log or a task cannot be read: the next change tries again */
        log_error("api", "cannot read the changes of tasks error=\"%s\"", store_strerror(rc));
        return SLICE_IDLE;
    }
    return rc > 0 || f->is_beating ? SLICE_MORE : SLICE_IDLE;
}

void
task_feed_wake(struct task_feed *f)
{
    if (f->n_waits + f->n_streams > 0)
        loop_slice_wake(&f->slice);
}

void
task_feed_join(struct task_feed *f, struct task_stream *s)
{
    static const char *const content_type = "text/event-stream";
    begin(f);
    struct http_stream_hooks hooks = {.arg = s, .gone = on_gone, .drained = on_drained};
    s->feed = f;
    s->out = http_reply_stream(s->call, content_type, &hooks);
    if (s->out == NULL) {
        task_stream_free(s);
        return;
    }
    uint64_t live_at = f->has_event ? f->event.change.number : f->live.at;
    f->n_streams++;
    list_add(f, s, s->at >= live_at ? STREAM_LIVE : STREAM_BEHIND);
    rejoin_walk(f, s);
    if (!loop_timer_is_set(&f->beat))
        loop_timer_set_ms(&f->beat, BEAT_MS);
    (void) task_stream_beat(s); /* it was allowed a moment ago */
    if (s->is_foreign)
        task_stream_tell_gap(s, 0, s->at);
    loop_slice_wake(&f->slice);
}

/* --- life ------------------------------------------------------------------------------------ */

struct task_feed *
task_feed_new(struct api *api)
{
    struct task_feed *f = mem_new(1, sizeof(*f));
    f->api = api;
    f->live_tail = &f->lists[STREAM_LIVE];
    loop_slice_init(&f->slice, api->loop, step, f);
    loop_timer_init(&f->beat, api->loop, on_beat, f);
    return f;
}

void
task_feed_stop(struct task_feed *f)
{
    f->is_stopped = true;
    (void) tell_ended(f, INT64_MAX);
    for (size_t i = 0; i < BUCKETS; i++) {
        while (f->waits[i] != NULL) {
            struct task_wait *w = f->waits[i];
            task_feed_forget(f, w);
            w->ended(w);
        }
    }
    for (int place = 0; place < STREAM_PLACES; place++) {
        while (f->lists[place] != NULL)
            end_stream(f, f->lists[place]);
    }
}

void
task_feed_free(struct task_feed *f)
{
    if (f == NULL)
        return;
    loop_slice_sleep(&f->slice);
    loop_timer_done(&f->beat);
    end_event(f);
    change_reader_done(&f->live);
    change_reader_done(&f->behind);
    free(f);
}

bool
task_feed_is_stopped(const struct task_feed *f)
{
    return f->is_stopped;
}

size_t
task_feed_streams(const struct task_feed *f)
{
    return f->n_streams;
}

size_t
task_feed_waits(const struct task_feed *f)
{
    return f->n_waits;
}
