/* External ids: rows of their own, or packed when they are numbers. Must not know documents. */
#include "index/ids.h"

#include "index/index_internal.h"
#include "store/rec.h"

enum { IDS_VERSION = 1, NUMBER_MAX_DIGITS = 19 };

/* --- packing */

void
id_group_write(struct buf *out, const struct id_group *g)
{
    int64_t expected = 0;

    rec_put_u8(out, IDS_VERSION);
    rec_put_u64(out, g->used);
    for (unsigned i = 0; i < IDS_IN_GROUP; i++) {
        if ((g->used >> i & 1) == 0)
            continue;
        int64_t step = (int64_t) g->ids[i] - expected;
        rec_put_varint(out, (uint64_t) step << 1 ^ (uint64_t) (step >> 63));
        expected = (int64_t) g->ids[i] + 1;
    }
}

int
id_group_read(struct id_group *ret, uint64_t number, struct str value)
{
    struct rec r = rec_open(value, IDS_VERSION);
    uint64_t expected = 0;

    *ret = (struct id_group){.number = number, .used = rec_u64(&r)};
    for (unsigned i = 0; i < IDS_IN_GROUP && !r.failed; i++) {
        if ((ret->used >> i & 1) == 0)
            continue;
        uint64_t step = rec_varint(&r), id = expected + (step >> 1 ^ (0 - (step & 1)));
        r.failed |= id > UINT32_MAX;
        ret->ids[i] = (uint32_t) id;
        expected = id + 1;
    }
    return rec_ok(&r) ? 0 : STORE_ECORRUPT;
}

/* Only the one form that a number is written in: 7 and 07 are different ids. */
static bool
is_number(struct str id, uint64_t *ret)
{
    bool has_one_form = id.len == 1 || (id.len > 1 && id.data[0] != '0');

    return has_one_form && id.len <= NUMBER_MAX_DIGITS && str_to_u64(id, UINT64_MAX, ret);
}

static int
get_group(struct store_txn *txn, uint64_t number, struct id_group *ret)
{
    struct str value;
    uint8_t key[8];
    int rc = store_get(txn, INDEX_NUMBER_IDS, key_u64(key, number), &value);

    return rc == 1 && id_group_read(ret, number, value) < 0 ? STORE_ECORRUPT : rc;
}

static int
find_row(struct store_txn *txn, struct str external_id, uint32_t *ret)
{
    struct str id;
    int rc = store_get(txn, INDEX_EXTERNAL_IDS, external_id, &id);

    if (rc == 1)
        *ret = key_read_u32(id, 0);
    return rc;
}

/* 1 with the id when the slot is used, else 0. */
static int
look_in(const struct id_group *g, uint64_t number, uint32_t *ret)
{
    unsigned slot = number % IDS_IN_GROUP;

    if ((g->used >> slot & 1) == 0)
        return 0;
    *ret = g->ids[slot];
    return 1;
}

int
ids_find(struct store_txn *txn, struct str external_id, uint32_t *ret)
{
    struct id_group g;
    uint64_t number;
    int rc = 0;

    if (is_number(external_id, &number)) {
        rc = get_group(txn, number / IDS_IN_GROUP, &g);
        if (rc == 1)
            rc = look_in(&g, number, ret);
    }
    return rc == 0 ? find_row(txn, external_id, ret) : rc;
}

/* --- changing */

void
ids_writer_init(struct ids_writer *w, struct store_txn *txn)
{
    *w = (struct ids_writer){.txn = txn};
}

void
ids_writer_done(struct ids_writer *w)
{
    buf_done(&w->text);
}

int
ids_writer_flush(struct ids_writer *w)
{
    uint8_t key[8];
    struct str k = key_u64(key, w->group.number);
    int rc;

    if (!w->is_changed)
        return 0;
    w->is_changed = false;
    if (w->group.used == 0) {
        rc = store_delete(w->txn, INDEX_NUMBER_IDS, k);
        return rc < 0 ? rc : 0;
    }
    buf_clear(&w->text);
    id_group_write(&w->text, &w->group);
    if (buf_failed(&w->text))
        return STORE_EFULL;
    return store_append(w->txn, INDEX_NUMBER_IDS, k, buf_str(&w->text));
}

static int
load_group(struct ids_writer *w, uint64_t number)
{
    int rc;

    if (w->is_loaded && w->group.number == number)
        return 0;
    rc = ids_writer_flush(w);
    if (rc < 0)
        return rc;
    w->is_loaded = false;
    rc = get_group(w->txn, number, &w->group);
    if (rc < 0)
        return rc;
    if (rc == 0)
        w->group = (struct id_group){.number = number};
    w->is_loaded = true;
    return 0;
}

int
ids_writer_find(struct ids_writer *w, struct str external_id, uint32_t *ret)
{
    uint64_t number;
    int rc = 0;

    if (is_number(external_id, &number)) {
        rc = load_group(w, number / IDS_IN_GROUP);
        if (rc == 0)
            rc = look_in(&w->group, number, ret);
    }
    return rc == 0 ? find_row(w->txn, external_id, ret) : rc;
}

int
ids_writer_put(struct ids_writer *w, struct str external_id, uint32_t id)
{
    uint64_t number;
    uint8_t bytes[4];
    int rc;

    if (!is_number(external_id, &number))
        return store_put(w->txn, INDEX_EXTERNAL_IDS, external_id, key_u32(bytes, id));
    rc = load_group(w, number / IDS_IN_GROUP);
    if (rc < 0)
        return rc;
    w->group.ids[number % IDS_IN_GROUP] = id;
    w->group.used |= 1ull << number % IDS_IN_GROUP;
    w->is_changed = true;
    return 0;
}

int
ids_writer_delete(struct ids_writer *w, struct str external_id)
{
    uint64_t number;
    uint32_t id;
    int rc = 0;

    if (is_number(external_id, &number)) {
        rc = load_group(w, number / IDS_IN_GROUP);
        if (rc == 0 && look_in(&w->group, number, &id) == 1) {
            w->group.used &= ~(1ull << number % IDS_IN_GROUP);
            w->is_changed = true;
            return 0;
        }
    }
    if (rc == 0)
        rc = store_delete(w->txn, INDEX_EXTERNAL_IDS, external_id);
    return rc < 0 ? rc : 0;
}

int
ids_writer_clear(struct ids_writer *w)
{
    int rc = store_clear(w->txn, INDEX_EXTERNAL_IDS);

    w->is_loaded = w->is_changed = false;
    return rc < 0 ? rc : store_clear(w->txn, INDEX_NUMBER_IDS);
}
