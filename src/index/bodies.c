/* Where bodies go: into LMDB or into segments, and out of segments that are mostly garbage. Must
 * not know what a body says.
 *
 * How much garbage there can be: a full segment is emptied once half of it is garbage, and a batch
 * moves as many bytes as it made garbage and wrote (or compact_bytes, when it is small), which is
 * what random overwriting asks for. The last, open segment is emptied only when it is worth it. */
#include "index/bodies.h"

#include "base/clock.h"
#include "base/log.h"
#include "index/index_internal.h"
#include "store/rec.h"

void
bodies_init(struct bodies *b, struct segments *s, struct store_txn *txn)
{
    *b = (struct bodies){.segments = s, .txn = txn, .inline_left = s->limits->inline_bytes};
    refs_writer_init(&b->refs, txn);
}

void
bodies_done(struct bodies *b)
{
    refs_writer_done(&b->refs);
}

/* --- one body */

/* The place of its reference, NULL when it surely has none. */
static struct ref *
find_ref(struct bodies *b, uint32_t id, int *ret_rc)
{
    *ret_rc = 0;
    return b->segments->n == 0 ? NULL : refs_writer_at(&b->refs, id, ret_rc);
}

static void
release(struct bodies *b, struct ref *place)
{
    b->n_changed += place->length;
    segments_release(b->segments, place);
    refs_writer_set(&b->refs, place, (struct ref){0});
}

int
body_get(struct bodies *b, uint32_t id, struct str *ret)
{
    uint8_t key[4];
    int rc;
    struct ref *place = find_ref(b, id, &rc);

    if (rc < 0)
        return rc;
    if (place == NULL || place->segment == 0)
        return store_get(b->txn, INDEX_DOCUMENTS, key_u32(key, id), ret);
    rc = segments_read(b->segments, place, ret);
    return rc < 0 ? rc : 1;
}

static int
next_inline(struct store_txn *txn, uint32_t from, uint32_t *ret_id, struct str *ret)
{
    struct store_cursor c = {0};
    uint8_t key[4];
    int rc = store_cursor_open(&c, txn, INDEX_DOCUMENTS);

    if (rc >= 0)
        rc = store_cursor_seek(&c, key_u32(key, from));
    if (rc == 1) {
        *ret_id = key_read_u32(c.key, 0);
        *ret = c.value;
    }
    store_cursor_close(&c);
    return rc;
}

int
bodies_next(struct store_txn *txn, struct segments *s, uint32_t from, uint32_t *ret_id,
            struct str *ret)
{
    struct ref ref;
    uint32_t id = 0;
    int rc, in_segment = segments_has_any(s) ? refs_next(txn, from, &id, &ref) : 0;

    if (in_segment < 0)
        return in_segment;
    if (in_segment == 0 || id > from) {
        rc = next_inline(txn, from, ret_id, ret);
        if (rc < 0 || in_segment == 0 || (rc == 1 && *ret_id < id))
            return rc;
    }
    *ret_id = id;
    rc = segments_read(s, &ref, ret);
    return rc < 0 ? rc : 1;
}

int
body_next(struct bodies *b, uint32_t from, uint32_t *ret_id, struct str *ret)
{
    int rc = refs_writer_flush(&b->refs);

    return rc < 0 ? rc : bodies_next(b->txn, b->segments, from, ret_id, ret);
}

static int
put_inline(struct bodies *b, uint32_t id, enum body_kind kind, struct str text)
{
    uint8_t key[4];
    int rc = 0;
    struct ref *place = kind == BODY_CHANGED ? find_ref(b, id, &rc) : NULL;

    if (rc < 0)
        return rc;
    if (place != NULL && place->segment != 0)
        release(b, place);
    b->inline_left -= text.len;
    if (kind == BODY_LAST)
        return store_append(b->txn, INDEX_DOCUMENTS, key_u32(key, id), text);
    return store_put(b->txn, INDEX_DOCUMENTS, key_u32(key, id), text);
}

static int
put_in_segment(struct bodies *b, uint32_t id, enum body_kind kind, struct str text)
{
    uint8_t key[4];
    struct ref ref, *place;
    int rc = segments_append(b->segments, text, &ref);

    if (rc < 0)
        return rc;
    place = refs_writer_at(&b->refs, id, &rc);
    if (place == NULL)
        return rc;
    if (place->segment != 0)
        release(b, place);
    else if (kind == BODY_CHANGED)
        rc = store_delete(b->txn, INDEX_DOCUMENTS, key_u32(key, id));
    b->n_changed += text.len;
    refs_writer_set(&b->refs, place, ref);
    return rc < 0 ? rc : 0;
}

int
body_put(struct bodies *b, uint32_t id, enum body_kind kind, struct str text)
{
    if (text.len <= b->inline_left)
        return put_inline(b, id, kind, text);
    b->inline_left = 0; /* a large batch: all the rest as well */
    return put_in_segment(b, id, kind, text);
}

int
body_delete(struct bodies *b, uint32_t id)
{
    uint8_t key[4];
    int rc;
    struct ref *place = find_ref(b, id, &rc);

    if (rc < 0)
        return rc;
    if (place != NULL && place->segment != 0) {
        release(b, place);
        return 0;
    }
    rc = store_delete(b->txn, INDEX_DOCUMENTS, key_u32(key, id));
    return rc < 0 ? rc : 0;
}

int
bodies_clear(struct bodies *b)
{
    int rc = store_clear(b->txn, INDEX_DOCUMENTS);

    if (rc == 0)
        rc = store_clear(b->txn, INDEX_REFS);
    refs_writer_clear(&b->refs);
    segments_release_all(b->segments);
    return rc;
}

/* --- compacting */

enum { GARBAGE_SHARE = 16 /* of a segment: less is not worth moving the rest */ };

void
bodies_empty_all(struct bodies *b)
{
    b->empty_upto = b->segments->last_number;
}

static bool
is_worth_emptying(const struct bodies *b, const struct segment *g)
{
    const struct segment_state *now = &g->now;

    if (g->is_damaged || now->live == 0)
        return false;
    if (b->empty_upto > 0)
        return g->number <= b->empty_upto && now->live < now->total &&
               (now->swept > 0 || (now->total - now->live) * GARBAGE_SHARE > now->total);
    if (segments_is_open_end(b->segments, g))
        return now->total >= 4 * b->segments->limits->compact_bytes && now->live * 4 < now->total;
    return now->live * 2 <= now->total;
}

/* One that was begun, else the one with the least to move; NULL: none. When all are emptied the
 * last comes first: else the others' bodies would go there, and be moved again. */
static struct segment *
choose_segment(struct bodies *b)
{
    struct segment *best = NULL;

    for (uint32_t i = 0; i < b->segments->n; i++) {
        struct segment *g = &b->segments->items[i];
        if (!is_worth_emptying(b, g))
            continue;
        if (g->now.swept > 0 || (b->empty_upto > 0 && segments_is_open_end(b->segments, g)))
            return g;
        if (best == NULL || g->now.live < best->now.live)
            best = g;
    }
    return best;
}

static int
move_body(struct bodies *b, uint32_t id, const struct ref *from)
{
    struct str body;
    struct ref to, *place;
    int rc = segments_read(b->segments, from, &body);

    if (rc == 0)
        rc = segments_append(b->segments, body, &to);
    if (rc < 0)
        return rc;
    place = refs_writer_at(&b->refs, id, &rc);
    if (place == NULL)
        return rc;
    segments_release(b->segments, from);
    refs_writer_set(&b->refs, place, to);
    b->n_moved += body.len;
    return 0;
}

static bool
is_spent(const struct bodies *b, int64_t deadline_us)
{
    uint64_t least = b->segments->limits->compact_bytes;
    uint64_t budget = b->n_changed > least ? b->n_changed : least;

    return (b->n_moved >= budget && b->empty_upto == 0) || clock_mono_us() >= deadline_us;
}

/* Moves what of a group lies in the segment: 1 all of it, 0 when time or budget ended. */
static int
move_group(struct bodies *b, const struct ref_group *g, uint32_t segment, int64_t deadline_us)
{
    for (uint32_t i = 0; i < REFS_IN_GROUP; i++) {
        if (g->refs[i].segment != segment)
            continue;
        int rc = move_body(b, g->number * REFS_IN_GROUP + i, &g->refs[i]);
        if (rc < 0)
            return rc;
        if (is_spent(b, deadline_us))
            return 0;
    }
    return 1;
}

/* One that cannot be read through stays as it is: it must not stop the batches. */
static int
leave_damaged(struct segment *g, int rc)
{
    log_error("index", "a segment cannot be emptied number=%u error=\"%s\"", g->number,
              store_strerror(rc));
    g->is_damaged = true;
    return 0;
}

/* Goes on emptying one segment: 1 when it is done with, 0 when time or budget ended. */
static int
empty_segment(struct bodies *b, uint32_t number, int64_t deadline_us)
{
    struct ref_group group;
    int rc;

    for (;;) {
        struct segment *g = segments_find(b->segments, number);
        rc = refs_writer_flush(&b->refs);
        if (rc < 0)
            return rc;
        rc = refs_next_group(b->txn, g->now.swept - 1, &group);
        if (rc == 0) /* nobody refers to it */
            g->now.live = 0;
        if (rc <= 0)
            return rc == 0 ? 1 : leave_damaged(g, rc);
        rc = move_group(b, &group, number, deadline_us);
        g = segments_find(b->segments, number);
        if (rc == STORE_ECORRUPT)
            return leave_damaged(g, rc);
        if (rc <= 0)
            return rc;
        g->now.swept = group.number + 2;
        if (is_spent(b, deadline_us))
            return 0;
    }
}

/* 1: the deadline came first, 0: done for this batch. */
static int
compact(struct bodies *b, int64_t deadline_us)
{
    while (!is_spent(b, INT64_MAX)) {
        struct segment *g = choose_segment(b);
        int rc = 0;
        if (g == NULL)
            return 0;
        uint32_t number = g->number;
        if (g->now.swept == 0)
            rc = segments_begin_emptying(b->segments, g);
        if (rc == 0)
            rc = empty_segment(b, number, deadline_us);
        if (rc < 0)
            return rc;
        if (clock_mono_us() >= deadline_us)
            return 1;
    }
    return 0;
}

int
bodies_settle(struct bodies *b, int64_t deadline_us)
{
    int rc = compact(b, deadline_us);

    return rc != 0 ? rc : segments_sync_step(b->segments);
}

int
bodies_store(struct bodies *b)
{
    int rc = refs_writer_flush(&b->refs);

    return rc < 0 ? rc : segments_store(b->segments, b->txn);
}
