/* Builds bodies out of stored event lines. Reads the store, one read transaction a call; knows
 * nothing of attempts, and of webhooks only what they want to be sent. */
#include "webhook/body.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "webhook/event_lines.h"
#include "webhook/owe.h"
#include "webhook/state.h"

enum {
    BODY_GZIP_LEVEL = 6,         /* as upstream (contract 7.5) */
    BODY_PIECE_BYTES = 4 * 1024, /* about 180 us at that level */
    SKIPPED_LINES = 64,          /* between two looks at the clock */
};

/* Which bytes: bodies with the same spec are the same. */
struct body_spec {
    uint64_t event;
    struct format_part part;
    enum webhook_format format;
    bool is_gzipped, keeps_plain;
};

struct body {
    struct body *next;
    struct body_spec spec;
    unsigned refs;
    enum body_state state;
    const char *failure;
    struct event_record record;
    struct gzip_out *gzip;
    struct buf plain, zipped; /* those that the spec asks for */
    struct body_waiter *waiters;
    /* cursor: stored part, offset of the next line in it, number of that line, bytes of the line's
     * text that were fed already; is_begun: the text before the lines was fed, in_line: that before
     * this line */
    uint32_t part;
    size_t line_at, text_at;
    uint64_t line;
    bool is_begun, in_line, has_lines;
};

static void
fail(struct body *b, const char *why)
{
    b->state = BODY_FAILED;
    b->failure = why;
}

/* --- building -------------------------------------------------------------------------------- */

static struct format_facts
facts_of(const struct webhooks *w, const struct body *b)
{
    return (struct format_facts){
        .format = b->spec.format,
        .event = &b->record,
        .part = b->spec.part,
        .words = &w->conf.words,
    };
}

static void
feed(struct body *b, struct str piece)
{
    if (b->gzip != NULL)
        gzip_out_add(b->gzip, piece, &b->zipped);
    if (b->spec.keeps_plain)
        buf_add_str(&b->plain, piece);
}

/* Feeds what a function of format.h writes. */
static void
feed_text(struct body *b, struct buf *text)
{
    if (text->len > 0)
        feed(b, buf_str(text));
    buf_done(text);
}

/* What one call of build() works with; memory of the store. */
struct pass {
    struct format_facts facts;
    struct str selection; /* data NULL: every line */
    uint64_t end;         /* the line after the last one */
    int64_t deadline_us;
};

static bool
is_selected(const struct body *b, const struct pass *p)
{
    return b->line >= b->spec.part.first_line &&
           (p->selection.data == NULL || selection_has(p->selection, (uint32_t) b->line));
}

/* The line at the cursor: true when it is through, false when time is up. */
static bool
feed_line(struct body *b, const struct line_view *line, const struct pass *p)
{
    struct buf text = BUF_INIT;
    if (!b->in_line) {
        format_before(&text, &p->facts, line, (uint32_t) b->line, !b->has_lines);
        feed_text(b, &text);
        b->in_line = b->has_lines = true;
    }
    while (b->text_at < line->text.len) {
        size_t to = b->text_at + BODY_PIECE_BYTES;
        feed(b, str_slice(line->text, b->text_at, to));
        b->text_at = to < line->text.len ? to : line->text.len;
        if (clock_mono_us() >= p->deadline_us)
            return false;
    }
    format_after(&text, &p->facts);
    feed_text(b, &text);
    b->text_at = 0;
    b->in_line = false;
    return true;
}

/* One stored part, from the cursor: 1 when it is through, 0 when time is up, negative. */
static int
feed_part(struct body *b, struct str part, const struct pass *p)
{
    struct line_view line;
    while (b->line < p->end) {
        size_t next_at = b->line_at;
        int rc = lines_next(part, &next_at, &line);
        if (rc <= 0)
            return rc < 0 ? rc : 1;
        if (is_selected(b, p) && !feed_line(b, &line, p))
            return 0;
        b->line_at = next_at;
        b->line++;
        if (b->line % SKIPPED_LINES == 0 && clock_mono_us() >= p->deadline_us)
            return 0;
    }
    return 1;
}

static int
get_part(const struct body *b, struct store_txn *txn, uint32_t index, struct str *ret)
{
    uint8_t key[KEY_PART_LEN];
    int rc = store_get(txn, TABLE_EVENT_LINES, key_numbered(key, b->spec.event, index), ret);
    return rc == 0 ? STORE_ECORRUPT : rc;
}

/* Puts the cursor at the stored part that holds the first wanted line. 0 or negative. */
static int
seek_first(struct body *b, struct store_txn *txn)
{
    struct event_part part;
    int rc =
        event_lines_seek(txn, b->spec.event, b->record.n_parts, b->spec.part.first_line, &part);
    if (rc < 0)
        return rc;
    b->part = part.index;
    b->line = part.first_line;
    return 0;
}

static int
begin(struct body *b, struct store_txn *txn, const struct pass *p)
{
    struct buf text = BUF_INIT;
    int rc = seek_first(b, txn);
    if (rc < 0)
        return rc;
    format_begin(&text, &p->facts);
    feed_text(b, &text);
    b->is_begun = true;
    return 0;
}

/* 1 when all lines are through, 0 when time is up, negative. */
static int
feed_parts(struct body *b, struct store_txn *txn, const struct pass *p)
{
    struct str part;
    while (b->part < b->record.n_parts && b->line < p->end && !buf_failed(&b->zipped) &&
           !buf_failed(&b->plain)) {
        int rc = get_part(b, txn, b->part, &part);
        if (rc == 1)
            rc = feed_part(b, part, p);
        if (rc != 1)
            return rc;
        b->part++;
        b->line_at = 0;
    }
    return 1;
}

static int
open_pass(const struct webhooks *w, const struct body *b, struct store_txn *txn, struct pass *ret)
{
    uint64_t end = (uint64_t) b->spec.part.first_line + b->spec.part.n_lines;
    ret->facts = facts_of(w, b);
    ret->selection = STR_NULL;
    ret->end = end < b->record.n_lines ? end : b->record.n_lines;
    if (b->spec.part.selection == 0)
        return 0;
    int rc = selection_get(txn, b->spec.event, b->spec.part.selection, &ret->selection);
    return rc == 0 ? STORE_ECORRUPT : rc < 0 ? rc : 0;
}

static void
finish(struct body *b, const struct pass *p)
{
    struct buf text = BUF_INIT;
    format_end(&text, &p->facts);
    feed_text(b, &text);
    if (b->gzip != NULL)
        gzip_out_finish(b->gzip, &b->zipped);
    b->state = BODY_READY;
    if (buf_failed(&b->zipped) || buf_failed(&b->plain))
        fail(b, "out of memory");
}

static void
build_with(struct webhooks *w, struct body *b, struct store_txn *txn, int64_t deadline_us)
{
    struct pass pass = {.deadline_us = deadline_us};
    int rc = open_pass(w, b, txn, &pass);
    if (rc == 0 && !b->is_begun)
        rc = begin(b, txn, &pass);
    if (rc == 0)
        rc = feed_parts(b, txn, &pass);
    if (rc < 0)
        fail(b, store_strerror(rc));
    else if (rc == 1)
        finish(b, &pass);
}

/* A stream costs more to make than a small body to compress. */
static void
give_back_gzip(struct body_set *s, struct body *b)
{
    if (b->gzip == NULL)
        return;
    gzip_out_reset(b->gzip);
    if (s->spare != NULL)
        gzip_out_free(b->gzip);
    else
        s->spare = b->gzip;
    b->gzip = NULL;
}

static void
take_gzip(struct body_set *s, struct body *b)
{
    b->gzip = s->spare != NULL ? s->spare : gzip_out_new(GZIP_FORMAT_GZIP, BODY_GZIP_LEVEL);
    s->spare = NULL;
}

static void
build(struct webhooks *w, struct body *b, int64_t deadline_us)
{
    struct store_txn *txn = turn_read(w->conf.turn);
    if (txn == NULL)
        fail(b, "the store cannot be read");
    else
        build_with(w, b, txn, deadline_us);
    store_abort(txn);
    if (b->state != BODY_BUILDING)
        give_back_gzip(&w->bodies, b);
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

/* --- the set --------------------------------------------------------------------------------- */

void
bodies_open(struct webhooks *w)
{
    loop_slice_init(&w->bodies.slice, w->conf.loop, on_slice, w);
}

static void
unlink_and_free(struct body_set *s, struct body *b)
{
    struct body **at = &s->first;
    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    give_back_gzip(s, b);
    buf_done(&b->plain);
    buf_done(&b->zipped);
    free(b);
}

void
bodies_close(struct webhooks *w)
{
    if (w->bodies.slice.loop != NULL)
        loop_slice_sleep(&w->bodies.slice);
    while (w->bodies.first != NULL)
        unlink_and_free(&w->bodies, w->bodies.first);
    gzip_out_free(w->bodies.spare);
    w->bodies.spare = NULL;
}

static bool
is_gzipped(const struct webhook_policy *p)
{
    return p->compression == COMPRESSION_GZIP ||
           (p->compression == COMPRESSION_DEFAULT && p->format == FORMAT_NDJSON);
}

static struct body_spec
spec_of(const struct delivery_record *d, const struct webhook_policy *policy)
{
    bool gzipped = is_gzipped(policy);
    return (struct body_spec){
        .event = d->event,
        .part = format_part_of(d),
        .format = policy->format,
        .is_gzipped = gzipped,
        .keeps_plain = !gzipped || policy->n_secrets > 0,
    };
}

static bool
is_same_part(const struct format_part *a, const struct format_part *b)
{
    return a->part == b->part && a->n_parts == b->n_parts && a->first_line == b->first_line &&
           a->n_lines == b->n_lines && a->selection == b->selection && a->is_other == b->is_other;
}

/* A body that keeps its plain text serves those who do not need it too. */
static bool
serves(const struct body *b, const struct body_spec *s)
{
    const struct body_spec *own = &b->spec;
    return b->state != BODY_FAILED && own->event == s->event &&
           is_same_part(&own->part, &s->part) && own->format == s->format &&
           own->is_gzipped == s->is_gzipped && own->keeps_plain >= s->keeps_plain;
}

static struct body *
find(struct webhooks *w, const struct body_spec *spec)
{
    for (struct body *b = w->bodies.first; b != NULL; b = b->next) {
        if (!serves(b, spec))
            continue;
        w->bodies.n_idle -= b->refs == 0;
        b->refs++;
        return b;
    }
    return NULL;
}

/* About what the body will hold, before it is compressed. */
static uint64_t
expected_bytes(const struct body *b)
{
    uint64_t lines = b->record.n_lines;
    uint64_t held = b->spec.part.n_lines < lines ? b->spec.part.n_lines : lines;
    return lines == 0 ? 0 : b->record.n_bytes / lines * held;
}

static void
start(struct webhooks *w, struct body *b)
{
    if (b->spec.is_gzipped)
        take_gzip(&w->bodies, b);
    if (expected_bytes(b) <= BODY_AT_ONCE_BYTES && b->record.n_bytes <= EVENT_PART_BYTES)
        build(w, b, INT64_MAX);
    else
        loop_slice_wake(&w->bodies.slice);
}

static struct body *
body_new(struct webhooks *w, const struct body_spec *spec)
{
    struct body *b = mem_new(1, sizeof(*b));
    b->spec = *spec;
    b->refs = 1;
    b->next = w->bodies.first;
    w->bodies.first = b;
    return b;
}

/* A body that FAILED because its rows cannot be read. */
static struct body *
unreadable(struct webhooks *w, const struct body_spec *spec, const char *why)
{
    struct body *b = body_new(w, spec);
    fail(b, why);
    return b;
}

struct body *
body_take(struct webhooks *w, uint64_t delivery, const struct webhook_policy *policy,
          struct delivery_record *ret)
{
    struct event_record e;
    struct store_txn *txn = turn_read(w->conf.turn);
    *ret = (struct delivery_record){0};
    int rc = txn == NULL ? STORE_EIO : delivery_get(txn, delivery, ret);
    struct body_spec spec = spec_of(ret, policy);
    struct body *b = rc == 1 ? find(w, &spec) : NULL;
    if (rc == 1 && b == NULL)
        rc = event_get(txn, ret->event, &e);
    store_abort(txn);
    if (b != NULL)
        return b;
    if (rc != 1)
        return unreadable(w, &spec, rc == 0 ? "the event is gone" : store_strerror(rc));
    b = body_new(w, &spec);
    b->record = e;
    start(w, b);
    return b;
}

/* Small bodies stay for a while: the next webhook, or the next retry of this event, may want them.
 */
static void
make_idle(struct body_set *s, struct body *b)
{
    struct body *last = NULL;
    if (++s->n_idle <= BODIES_IDLE_MAX)
        return;
    for (struct body *at = s->first; at != NULL; at = at->next)
        last = at->refs == 0 ? at : last; /* new ones are put in front */
    s->n_idle--;
    unlink_and_free(s, last != NULL ? last : b);
}

void
body_release(struct webhooks *w, struct body *b)
{
    if (b == NULL || --b->refs > 0)
        return;
    bool is_small = b->plain.len + b->zipped.len <= BODY_AT_ONCE_BYTES;
    if (b->state == BODY_READY && is_small)
        make_idle(&w->bodies, b);
    else
        unlink_and_free(&w->bodies, b);
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
    return buf_str(b->spec.is_gzipped ? &b->zipped : &b->plain);
}

struct str
body_plain(const struct body *b)
{
    return buf_str(&b->plain);
}

bool
body_is_gzipped(const struct body *b)
{
    return b->spec.is_gzipped;
}

const char *
body_media_type(const struct body *b)
{
    return format_content_type(b->spec.format);
}

const struct event_record *
body_event(const struct body *b)
{
    return &b->record;
}

const char *
body_failure(const struct body *b)
{
    return b->failure;
}
