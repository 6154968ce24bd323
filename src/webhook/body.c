/* Builds gzipped bodies out of stored event lines. Reads the store, one read transaction a call;
 * knows nothing of webhooks or attempts. */
#include "webhook/body.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "webhook/state.h"

/* As upstream (contract 7.5); 4 KiB at that level take about 180 us. */
enum { BODY_GZIP_LEVEL = 6, BODY_PIECE_BYTES = 4 * 1024 };

struct body {
    struct body *next;
    uint64_t event;
    unsigned refs;
    enum body_state state;
    const char *failure;
    struct event_record record;
    struct gzip_out *gzip;
    struct buf bytes;
    struct body_waiter *waiters;
    /* cursor: part, offset of the line in it, bytes of the line's text already fed */
    uint32_t part;
    size_t line_at, text_at;
};

static void
fail(struct body *b, const char *why)
{
    b->state = BODY_FAILED;
    b->failure = why;
}

/* One stored part, from the cursor: 1 when it is through, 0 when time is up, negative. */
static int
feed_part(struct body *b, struct str part, int64_t deadline_us)
{
    struct line_view line;
    for (;;) {
        size_t next_at = b->line_at;
        int rc = lines_next(part, &next_at, &line);
        if (rc <= 0)
            return rc < 0 ? rc : 1;
        while (b->text_at < line.text.len) {
            size_t to = b->text_at + BODY_PIECE_BYTES;
            gzip_out_add(b->gzip, str_slice(line.text, b->text_at, to), &b->bytes);
            b->text_at = to < line.text.len ? to : line.text.len;
            if (clock_mono_us() >= deadline_us)
                return 0;
        }
        gzip_out_add(b->gzip, STR("\n"), &b->bytes);
        b->line_at = next_at;
        b->text_at = 0;
    }
}

static void
build_with(struct body *b, struct store_txn *txn, int64_t deadline_us)
{
    uint8_t key[KEY_PART_LEN];
    struct str part;
    while (b->part < b->record.n_parts && !buf_failed(&b->bytes)) {
        int rc = store_get(txn, TABLE_EVENT_LINES, key_numbered(key, b->event, b->part), &part);
        if (rc == 1)
            rc = feed_part(b, part, deadline_us);
        else if (rc == 0)
            rc = STORE_ECORRUPT;
        if (rc < 0) {
            fail(b, store_strerror(rc));
            return;
        }
        if (rc == 0)
            return;
        b->part++;
        b->line_at = 0;
    }
    gzip_out_finish(b->gzip, &b->bytes);
    b->state = BODY_READY;
    if (buf_failed(&b->bytes))
        fail(b, "out of memory");
}

static void
build(struct webhooks *w, struct body *b, int64_t deadline_us)
{
    struct store_txn *txn = turn_read(w->conf.turn);
    if (txn == NULL)
        fail(b, "the store cannot be read");
    else
        build_with(b, txn, deadline_us);
    store_abort(txn);
    if (b->state == BODY_BUILDING)
        return;
    if (b->gzip != NULL)
        gzip_out_free(b->gzip);
    b->gzip = NULL;
}

/* Waiters release the body and may call out: it is held until all were told. */
static void
tell_waiters(struct webhooks *w, struct body *b)
{
    b->refs++;
    while (b->waiters != NULL) {
        struct body_waiter *waiter = b->waiters;
        b->waiters = waiter->next;
        waiter->fn(waiter->arg);
    }
    body_release(w, b);
}

static struct body *
first_building(const struct body_set *s)
{
    for (struct body *b = s->first; b != NULL; b = b->next) {
        if (b->state == BODY_BUILDING)
            return b;
    }
    return NULL;
}

static enum loop_slice_result
on_slice(void *arg, int64_t deadline_us)
{
    struct webhooks *w = arg;
    struct body *b = first_building(&w->bodies);
    if (b == NULL)
        return SLICE_IDLE;
    build(w, b, deadline_us);
    if (b->state != BODY_BUILDING)
        tell_waiters(w, b);
    return first_building(&w->bodies) == NULL ? SLICE_IDLE : SLICE_MORE;
}

void
bodies_open(struct webhooks *w)
{
    loop_slice_init(&w->bodies.slice, w->conf.loop, on_slice, w);
}

static void
body_free(struct body *b)
{
    if (b->gzip != NULL)
        gzip_out_free(b->gzip);
    buf_done(&b->bytes);
    free(b);
}

void
bodies_close(struct webhooks *w)
{
    if (w->bodies.slice.loop != NULL)
        loop_slice_sleep(&w->bodies.slice);
    while (w->bodies.first != NULL) {
        struct body *b = w->bodies.first;
        w->bodies.first = b->next;
        body_free(b);
    }
}

static void
open_event(struct webhooks *w, struct body *b)
{
    struct store_txn *txn = turn_read(w->conf.turn);
    int rc = txn == NULL ? STORE_EIO : event_get(txn, b->event, &b->record);
    store_abort(txn);
    if (rc != 1) {
        fail(b, rc == 0 ? "the event is gone" : store_strerror(rc));
        return;
    }
    b->gzip = gzip_out_new(GZIP_FORMAT_GZIP, BODY_GZIP_LEVEL);
    if (b->record.n_bytes <= BODY_AT_ONCE_BYTES)
        build(w, b, INT64_MAX);
    else
        loop_slice_wake(&w->bodies.slice);
}

struct body *
body_take(struct webhooks *w, uint64_t event)
{
    for (struct body *b = w->bodies.first; b != NULL; b = b->next) {
        if (b->event == event && b->state != BODY_FAILED) {
            b->refs++;
            return b;
        }
    }
    struct body *b = mem_new(1, sizeof(*b));
    b->event = event;
    b->refs = 1;
    b->next = w->bodies.first;
    w->bodies.first = b;
    open_event(w, b);
    return b;
}

void
body_release(struct webhooks *w, struct body *b)
{
    if (b == NULL || --b->refs > 0)
        return;
    struct body **at = &w->bodies.first;
    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    body_free(b);
}

enum body_state
body_state(const struct body *b)
{
    return b->state;
}

void
body_wait(struct body *b, struct body_waiter *waiter)
{
    struct body_waiter **at = &b->waiters;
    while (*at != NULL)
        at = &(*at)->next;
    waiter->next = NULL;
    *at = waiter;
}

void
body_forget(struct body *b, struct body_waiter *waiter)
{
    for (struct body_waiter **at = &b->waiters; *at != NULL; at = &(*at)->next) {
        if (*at == waiter) {
            *at = waiter->next;
            return;
        }
    }
}

struct str
body_bytes(const struct body *b)
{
    return buf_str(&b->bytes);
}

const struct uuid *
body_event_id(const struct body *b)
{
    return &b->record.id;
}

const char *
body_failure(const struct body *b)
{
    return b->failure;
}
