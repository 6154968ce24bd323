/* Columns of times in the store. Knows neither tasks nor batches. */
#include "queue/times.h"

#include "store/rec.h"
#include "store/tables.h"

/* v1: width u8, set u16, least i64, greatest i64; then an entry a uid, width bytes big-endian: 0
 * for none, else 1 + the time from the least on. Entries behind the last that is set are left out.
 */
enum { TIMES_VERSION = 1 };

struct head {
    unsigned width, n_set;
    int64_t least, greatest;
    const uint8_t *entries;
    size_t n;
};

static struct str
block_key(uint8_t bytes[5], enum time_column column, uint32_t block)
{
    bytes[0] = (uint8_t) column;
    (void) key_u32(bytes + 1, block);
    return str_make(bytes, 5);
}

static int
read_head(struct head *ret, struct str record)
{
    struct rec r = rec_open(record, TIMES_VERSION);
    ret->width = rec_u8(&r);
    ret->n_set = (unsigned) rec_u8(&r) << 8;
    ret->n_set |= rec_u8(&r);
    ret->least = rec_i64(&r);
    ret->greatest = rec_i64(&r);
    if (r.failed || ret->width == 0 || ret->width > 8 || r.rest.len % ret->width != 0)
        return STORE_ECORRUPT;
    ret->entries = (const uint8_t *) r.rest.data;
    ret->n = r.rest.len / ret->width;
    return ret->n > TIMES_COUNT || ret->greatest < ret->least ? STORE_ECORRUPT : 0;
}

/* The time of an entry, 0: none. */
static int64_t
entry(const struct head *h, size_t at)
{
    const uint8_t *bytes = h->entries + at * h->width;
    uint64_t code = 0;
    for (unsigned i = 0; i < h->width; i++)
        code = code << 8 | bytes[i];
    return code == 0 ? 0 : (int64_t) ((uint64_t) h->least + (code - 1));
}

/* --- selecting */

static void
select_block(const struct head *h, const struct time_range *range, unsigned at, struct bits *add_to)
{
    if (h->least >= range->before_ns || h->greatest <= range->after_ns)
        return;
    if (h->n_set == TIMES_COUNT && h->least > range->after_ns && h->greatest < range->before_ns) {
        bits_fill(add_to, at, at + TIMES_COUNT - 1);
        return;
    }
    for (size_t i = 0; i < h->n; i++)
        if (time_range_has(range, entry(h, i)))
            bits_put(add_to, at + (unsigned) i, true);
}

int
times_select(struct store_txn *txn, enum time_column column, const struct time_range *range,
             uint32_t chunk, struct bits *add_to)
{
    enum { BLOCKS = BITS_COUNT / TIMES_COUNT };
    uint8_t bytes[5];
    uint32_t first = chunk * BLOCKS;
    struct store_cursor c;
    struct head head;
    int rc = store_cursor_open(&c, txn, TABLE_TASK_TIMES);
    if (rc < 0)
        return rc;
    rc = store_cursor_seek(&c, block_key(bytes, column, first));
    for (; rc > 0; rc = store_cursor_next(&c)) {
        uint32_t block = key_read_u32(c.key, 1);
        if (c.key.len != 5 || (uint8_t) c.key.data[0] != column || block - first >= BLOCKS)
            break;
        rc = read_head(&head, c.value);
        if (rc < 0)
            break;
        select_block(&head, range, (block - first) * TIMES_COUNT, add_to);
    }
    store_cursor_close(&c);
    return rc < 0 ? rc : 0;
}

/* --- whole blocks */

int
times_load(struct store_txn *txn, enum time_column column, uint32_t block, struct times *ret)
{
    uint8_t bytes[5];
    struct str record;
    struct head head;
    *ret = (struct times){{0}};
    int rc = store_get(txn, TABLE_TASK_TIMES, block_key(bytes, column, block), &record);
    if (rc > 0)
        rc = read_head(&head, record) < 0 ? STORE_ECORRUPT : 1;
    if (rc <= 0)
        return rc;
    for (size_t i = 0; i < head.n; i++)
        ret->ns[i] = entry(&head, i);
    return 0;
}

static struct head
measure(const struct times *t)
{
    struct head h = {.width = 1, .least = INT64_MAX, .greatest = INT64_MIN};
    for (size_t i = 0; i < TIMES_COUNT; i++) {
        int64_t ns = t->ns[i];
        if (ns == 0)
            continue;
        h.n_set++;
        h.n = i + 1;
        h.least = ns < h.least ? ns : h.least;
        h.greatest = ns > h.greatest ? ns : h.greatest;
    }
    uint64_t span = h.n_set == 0 ? 0 : (uint64_t) h.greatest - (uint64_t) h.least;
    while (h.width < 8 && (span + 1) >> (8 * h.width) != 0)
        h.width++;
    return h;
}

int
times_store(struct store_txn *txn, enum time_column column, uint32_t block, const struct times *t)
{
    uint8_t bytes[5];
    struct str key = block_key(bytes, column, block);
    struct head h = measure(t);
    if (h.n_set == 0) {
        int rc = store_delete(txn, TABLE_TASK_TIMES, key);
        return rc < 0 ? rc : 0;
    }
    struct buf out = BUF_INIT;
    rec_put_u8(&out, TIMES_VERSION);
    rec_put_u8(&out, (uint8_t) h.width);
    rec_put_u8(&out, (uint8_t) (h.n_set >> 8));
    rec_put_u8(&out, (uint8_t) h.n_set);
    rec_put_i64(&out, h.least);
    rec_put_i64(&out, h.greatest);
    for (size_t i = 0; i < h.n; i++) {
        uint64_t code = t->ns[i] == 0 ? 0 : (uint64_t) t->ns[i] - (uint64_t) h.least + 1;
        for (unsigned k = h.width; k-- > 0;)
            buf_add_char(&out, (char) (code >> (8 * k) & 0xff));
    }
    int rc = store_put(txn, TABLE_TASK_TIMES, key, buf_str(&out));
    buf_done(&out);
    return rc;
}
