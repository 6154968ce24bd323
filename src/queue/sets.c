/* Sets in the store, and the changes that are collected for them. Knows what members are no better
 * than their numbers. */
#include "queue/sets.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/rec.h"
#include "store/tables.h"

enum { CACHED_CHUNKS = 64, CACHED_TIMES = 12 };

/* --- keys: kind u8, number u32be or name and 0x00; then chunk u32be */

static void
add_prefix(struct buf *out, const struct set_id *id)
{
    rec_put_u8(out, (uint8_t) id->kind);
    if (id->name.data == NULL) {
        rec_put_u32(out, id->number);
        return;
    }
    buf_add_str(out, id->name);
    buf_add_char(out, '\0');
}

static void
make_key(struct buf *out, const struct set_id *id, uint32_t chunk)
{
    buf_clear(out);
    add_prefix(out, id);
    rec_put_u32(out, chunk);
}

/* Whether the cursor's key belongs to the set whose key was sought. */
static bool
is_of_set(const struct store_cursor *c, const struct buf *key)
{
    return c->key.len == key->len && memcmp(c->key.data, key->data, key->len - 4) == 0;
}

static uint32_t
chunk_of(struct str key)
{
    return key_read_u32(key, key.len - 4);
}

/* --- reading */

int
sets_read(struct store_txn *txn, const struct set_id *id, uint32_t chunk, struct bits *ret)
{
    struct buf key = BUF_INIT;
    struct str record;
    bits_clear(ret);
    make_key(&key, id, chunk);
    int rc = store_get(txn, TABLE_TASK_SETS, buf_str(&key), &record);
    buf_done(&key);
    if (rc > 0 && !bits_decode(ret, record))
        rc = STORE_ECORRUPT;
    return rc;
}

/* Positions the cursor at the nearest chunk of the set: 1 / 0 / negative. */
static int
seek(struct store_cursor *c, const struct set_id *id, uint32_t at, bool ascending)
{
    struct buf key = BUF_INIT;
    make_key(&key, id, at);
    int rc = store_cursor_seek(c, buf_str(&key));
    bool is_exact = rc > 0 && str_equal(c->key, buf_str(&key));
    if (rc >= 0 && !ascending && !is_exact)
        rc = rc == 0 ? store_cursor_last(c) : store_cursor_prev(c);
    if (rc > 0)
        rc = is_of_set(c, &key);
    buf_done(&key);
    return rc;
}

int
sets_seek(struct store_txn *txn, const struct set_id *id, uint32_t at, bool ascending,
          uint32_t *ret_chunk)
{
    struct store_cursor c;
    int rc = store_cursor_open(&c, txn, TABLE_TASK_SETS);
    if (rc < 0)
        return rc;
    rc = seek(&c, id, at, ascending);
    if (rc > 0)
        *ret_chunk = chunk_of(c.key);
    store_cursor_close(&c);
    return rc;
}

int
sets_next(struct store_txn *txn, const struct set_id *id, uint32_t at, uint32_t *ret_uid)
{
    struct bits bits;
    uint32_t chunk = bits_chunk(at);
    int rc;
    while ((rc = sets_seek(txn, id, chunk, true, &chunk)) > 0) {
        rc = sets_read(txn, id, chunk, &bits);
        if (rc < 0)
            return rc;
        unsigned found = bits_seek(&bits, chunk == bits_chunk(at) ? at % BITS_COUNT : 0, true);
        if (found < BITS_COUNT) {
            *ret_uid = bits_uid(chunk, found);
            return 1;
        }
        if (chunk++ == bits_chunk(UINT32_MAX))
            return 0;
    }
    return rc;
}

/* Calls fn for each stored chunk: 0 or negative. */
static int
each_chunk(struct store_txn *txn, const struct set_id *id,
           void (*fn)(void *arg, uint32_t chunk, const struct bits *bits), void *arg)
{
    struct store_cursor c;
    struct bits bits;
    struct buf key = BUF_INIT;
    int rc = store_cursor_open(&c, txn, TABLE_TASK_SETS);
    if (rc < 0)
        return rc;
    make_key(&key, id, 0);
    for (rc = seek(&c, id, 0, true); rc > 0 && is_of_set(&c, &key); rc = store_cursor_next(&c)) {
        if (!bits_decode(&bits, c.value)) {
            rc = STORE_ECORRUPT;
            break;
        }
        fn(arg, chunk_of(c.key), &bits);
    }
    buf_done(&key);
    store_cursor_close(&c);
    return rc < 0 ? rc : 0;
}

static void
count_chunk(void *arg, uint32_t chunk, const struct bits *bits)
{
    uint64_t *count = arg;
    (void) chunk; /* all count alike */
    *count += bits_count(bits);
}

int
sets_count(struct store_txn *txn, const struct set_id *id, uint64_t *add_to)
{
    return each_chunk(txn, id, count_chunk, add_to);
}

static void
load_chunk(void *arg, uint32_t chunk, const struct bits *bits)
{
    *uidmap_at(arg, chunk) = *bits;
}

int
sets_load(struct store_txn *txn, const struct set_id *id, struct uidmap *ret)
{
    uidmap_init(ret);
    int rc = each_chunk(txn, id, load_chunk, ret);
    if (rc < 0)
        uidmap_done(ret);
    return rc;
}

/* --- changing */

struct cached_chunk {
    struct buf key;
    bool is_changed;
    struct bits bits;
};
struct cached_times {
    enum time_column column;
    uint32_t block;
    struct times times;
};
struct sets {
    struct cached_chunk *chunks[CACHED_CHUNKS];
    size_t n_chunks, last; /* last: where the last change was */
    struct cached_times *times[CACHED_TIMES];
    size_t n_times;
    struct buf key, record; /* scratch */
};

struct sets *
sets_new(void)
{
    return mem_new(1, sizeof(struct sets));
}

void
sets_free(struct sets *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < CACHED_CHUNKS && s->chunks[i] != NULL; i++) {
        buf_done(&s->chunks[i]->key);
        free(s->chunks[i]);
    }
    for (size_t i = 0; i < CACHED_TIMES && s->times[i] != NULL; i++)
        free(s->times[i]);
    buf_done(&s->key);
    buf_done(&s->record);
    free(s);
}

static int
flush_chunk(struct sets *s, struct store_txn *txn, const struct cached_chunk *c)
{
    struct str key = buf_str(&c->key);
    if (!c->is_changed)
        return 0;
    if (bits_is_empty(&c->bits)) {
        int rc = store_delete(txn, TABLE_TASK_SETS, key);
        return rc < 0 ? rc : 0;
    }
    buf_clear(&s->record);
    bits_encode(&s->record, &c->bits);
    return store_put(txn, TABLE_TASK_SETS, key, buf_str(&s->record));
}

static int
flush_chunks(struct sets *s, struct store_txn *txn)
{
    int rc = 0;
    for (size_t i = 0; i < s->n_chunks && rc == 0; i++)
        rc = flush_chunk(s, txn, s->chunks[i]);
    s->n_chunks = s->last = 0; /* their memory is used again */
    return rc;
}

static int
flush_times(struct sets *s, struct store_txn *txn)
{
    int rc = 0;
    for (size_t i = 0; i < s->n_times && rc == 0; i++)
        rc = times_store(txn, s->times[i]->column, s->times[i]->block, &s->times[i]->times);
    s->n_times = 0;
    return rc;
}

int
sets_flush(struct sets *s, struct store_txn *txn)
{
    int rc = flush_chunks(s, txn), times_rc = flush_times(s, txn);
    return rc < 0 ? rc : times_rc;
}

static bool
is_chunk(const struct sets *s, size_t at)
{
    return at < s->n_chunks && str_equal(buf_str(&s->chunks[at]->key), buf_str(&s->key));
}

/* The chunk whose key is in s->key, loaded: 0 or negative. */
static int
take_chunk(struct sets *s, struct store_txn *txn)
{
    struct str record;
    int rc = s->n_chunks == CACHED_CHUNKS ? flush_chunks(s, txn) : 0;
    if (rc < 0)
        return rc;
    struct cached_chunk *c = s->chunks[s->n_chunks];
    if (c == NULL)
        c = s->chunks[s->n_chunks] = mem_new(1, sizeof(*c));
    buf_clear(&c->key);
    buf_add_str(&c->key, buf_str(&s->key));
    c->is_changed = false;
    bits_clear(&c->bits);
    rc = store_get(txn, TABLE_TASK_SETS, buf_str(&c->key), &record);
    if (rc > 0 && !bits_decode(&c->bits, record))
        rc = STORE_ECORRUPT;
    if (rc < 0)
        return rc;
    s->last = s->n_chunks++;
    return 0;
}

int
sets_put(struct sets *s, struct store_txn *txn, const struct set_id *id, uint32_t uid,
         bool is_member)
{
    make_key(&s->key, id, bits_chunk(uid));
    if (!is_chunk(s, s->last)) {
        s->last = 0;
        while (s->last < s->n_chunks && !is_chunk(s, s->last))
            s->last++;
        int rc = s->last < s->n_chunks ? 0 : take_chunk(s, txn);
        if (rc < 0)
            return rc;
    }
    struct cached_chunk *c = s->chunks[s->last];
    c->is_changed = true;
    bits_put(&c->bits, uid, is_member);
    return 0;
}

int
sets_put_time(struct sets *s, struct store_txn *txn, enum time_column column, uint32_t uid,
              int64_t ns)
{
    uint32_t block = uid >> TIMES_SHIFT;
    size_t at = 0;
    while (at < s->n_times && (s->times[at]->column != column || s->times[at]->block != block))
        at++;
    if (at == CACHED_TIMES) {
        int rc = flush_times(s, txn);
        if (rc < 0)
            return rc;
        at = 0;
    }
    if (at == s->n_times) {
        if (s->times[at] == NULL)
            s->times[at] = mem_new(1, sizeof(*s->times[at]));
        s->times[at]->column = column;
        s->times[at]->block = block;
        int rc = times_load(txn, column, block, &s->times[at]->times);
        if (rc < 0)
            return rc;
        s->n_times++;
    }
    s->times[at]->times.ns[uid % TIMES_COUNT] = ns;
    return 0;
}

int
sets_store(struct store_txn *txn, const struct set_id *id, const struct uidmap *m)
{
    struct buf key = BUF_INIT, record = BUF_INIT;
    int rc = 0;
    for (size_t i = 0; i < m->n && rc == 0; i++) {
        if (bits_is_empty(&m->chunks[i]->bits))
            continue;
        make_key(&key, id, m->chunks[i]->number);
        buf_clear(&record);
        bits_encode(&record, &m->chunks[i]->bits);
        rc = store_put(txn, TABLE_TASK_SETS, buf_str(&key), buf_str(&record));
    }
    buf_done(&key);
    buf_done(&record);
    return rc;
}

int
sets_drop(struct store_txn *txn, const struct set_id *id, unsigned max)
{
    struct buf key = BUF_INIT;
    int rc = 1;
    unsigned n = 0;
    for (; n < max; n++) {
        uint32_t chunk;
        rc = sets_seek(txn, id, 0, true, &chunk);
        if (rc <= 0)
            break;
        make_key(&key, id, chunk);
        rc = store_delete(txn, TABLE_TASK_SETS, buf_str(&key));
        if (rc < 0)
            break;
    }
    buf_done(&key);
    return rc < 0 ? rc : (int) n;
}
