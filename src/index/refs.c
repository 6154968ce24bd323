/* References to documents in segment files, packed: most of a group are neighbours in one segment
 * and cost two bytes each. Owns INDEX_REFS; must not know what lies behind a reference. */
#include "index/refs.h"

#include "index/index_internal.h"
#include "store/rec.h"

enum { REFS_VERSION = 1 };

/* --- packing */

static bool
follows(const struct ref *ref, const struct ref *before)
{
    return ref->segment == before->segment && ref->offset == before->offset + before->length;
}

void
ref_group_write(struct buf *out, const struct ref_group *g)
{
    struct ref before = {0};
    uint64_t used = 0;

    for (unsigned i = 0; i < REFS_IN_GROUP; i++)
        used |= (uint64_t) (g->refs[i].segment != 0) << i;
    rec_put_u8(out, REFS_VERSION);
    rec_put_u64(out, used);
    for (unsigned i = 0; i < REFS_IN_GROUP; i++) {
        const struct ref *ref = &g->refs[i];
        if (ref->segment == 0)
            continue;
        rec_put_varint(out, ref->length << 1 | !follows(ref, &before));
        if (!follows(ref, &before)) {
            rec_put_varint(out, ref->segment);
            rec_put_varint(out, ref->offset);
        }
        before = *ref;
    }
}

static struct ref
read_ref(struct rec *r, const struct ref *before)
{
    uint64_t first = rec_varint(r), segment = before->segment;
    struct ref ref = {.offset = before->offset + before->length, .length = first >> 1};

    if (first & 1) {
        segment = rec_varint(r);
        ref.offset = rec_varint(r);
    }
    if (segment == 0 || segment > UINT32_MAX || ref.offset + ref.length < ref.offset)
        r->failed = true;
    ref.segment = (uint32_t) segment;
    return ref;
}

int
ref_group_read(struct ref_group *ret, uint32_t number, struct str value)
{
    struct rec r = rec_open(value, REFS_VERSION);
    uint64_t used = rec_u64(&r);
    struct ref before = {0};

    *ret = (struct ref_group){.number = number};
    for (unsigned i = 0; i < REFS_IN_GROUP && !r.failed; i++)
        if (used >> i & 1)
            before = ret->refs[i] = read_ref(&r, &before);
    return rec_ok(&r) ? 0 : STORE_ECORRUPT;
}

bool
ref_group_is_empty(const struct ref_group *g)
{
    for (unsigned i = 0; i < REFS_IN_GROUP; i++)
        if (g->refs[i].segment != 0)
            return false;
    return true;
}

/* --- reading */

static int
get_group(struct store_txn *txn, uint32_t number, struct ref_group *ret)
{
    struct str value;
    uint8_t key[4];
    int rc = store_get(txn, INDEX_REFS, key_u32(key, number), &value);

    if (rc == 1 && ref_group_read(ret, number, value) < 0)
        return STORE_ECORRUPT;
    return rc;
}

int
refs_get(struct store_txn *txn, uint32_t id, struct ref *ret)
{
    struct ref_group g;
    int rc = get_group(txn, id / REFS_IN_GROUP, &g);

    if (rc == 1)
        *ret = g.refs[id % REFS_IN_GROUP];
    return rc == 1 ? ret->segment != 0 : rc;
}

int
refs_next_group(struct store_txn *txn, uint32_t from, struct ref_group *ret)
{
    struct store_cursor c = {0};
    uint8_t key[4];
    int rc = store_cursor_open(&c, txn, INDEX_REFS);

    if (rc >= 0)
        rc = store_cursor_seek(&c, key_u32(key, from));
    if (rc == 1 && ref_group_read(ret, key_read_u32(c.key, 0), c.value) < 0)
        rc = STORE_ECORRUPT;
    store_cursor_close(&c);
    return rc;
}

int
refs_next(struct store_txn *txn, uint32_t from, uint32_t *ret_id, struct ref *ret)
{
    struct ref_group g;
    uint32_t number = from / REFS_IN_GROUP, slot = from % REFS_IN_GROUP;
    int rc;

    while ((rc = refs_next_group(txn, number, &g)) == 1) {
        for (slot = g.number == from / REFS_IN_GROUP ? slot : 0; slot < REFS_IN_GROUP; slot++) {
            if (g.refs[slot].segment == 0)
                continue;
            *ret_id = g.number * REFS_IN_GROUP + slot;
            *ret = g.refs[slot];
            return 1;
        }
        number = g.number + 1;
    }
    return rc;
}

/* --- changing */

void
refs_writer_init(struct refs_writer *w, struct store_txn *txn)
{
    *w = (struct refs_writer){.txn = txn};
}

void
refs_writer_done(struct refs_writer *w)
{
    buf_done(&w->text);
    *w = (struct refs_writer){0};
}

int
refs_writer_flush(struct refs_writer *w)
{
    uint8_t key[4];
    struct str k = key_u32(key, w->group.number);
    int rc;

    if (!w->is_changed)
        return 0;
    w->is_changed = false;
    if (ref_group_is_empty(&w->group)) {
        rc = store_delete(w->txn, INDEX_REFS, k);
        return rc < 0 ? rc : 0;
    }
    buf_clear(&w->text);
    ref_group_write(&w->text, &w->group);
    if (buf_failed(&w->text))
        return STORE_EFULL;
    return store_append(w->txn, INDEX_REFS, k, buf_str(&w->text));
}

struct ref *
refs_writer_at(struct refs_writer *w, uint32_t id, int *ret_rc)
{
    uint32_t number = id / REFS_IN_GROUP;

    *ret_rc = 0;
    if (!w->is_loaded || w->group.number != number) {
        *ret_rc = refs_writer_flush(w);
        if (*ret_rc < 0)
            return NULL;
        w->is_loaded = false;
        *ret_rc = get_group(w->txn, number, &w->group);
        if (*ret_rc < 0)
            return NULL;
        if (*ret_rc == 0)
            w->group = (struct ref_group){.number = number};
        w->is_loaded = true;
    }
    return &w->group.refs[id % REFS_IN_GROUP];
}

void
refs_writer_set(struct refs_writer *w, struct ref *place, struct ref value)
{
    *place = value;
    w->is_changed = true;
}

void
refs_writer_clear(struct refs_writer *w)
{
    w->is_loaded = w->is_changed = false;
}
