/* Answers by hash and by age. Owns the two shapes of rows; knows nobody who asks. */
#include "store/aged.h"

#include "base/clock.h"
#include "store/rec.h"

enum {
    RECORD_VERSION = 1,
    SWEEP_KEYS = 4, /* a put: more than one, so that a full table shrinks */
    ANSWER_KEY_BYTES = 1 + AGED_KEY_BYTES,
    AGE_KEY_BYTES = 1 + 8 + AGED_KEY_BYTES,
};

static struct str
answer_key(uint8_t out[ANSWER_KEY_BYTES], const uint8_t key[AGED_KEY_BYTES])
{
    out[0] = 'k';
    memcpy(out + 1, key, AGED_KEY_BYTES);
    return str_make(out, ANSWER_KEY_BYTES);
}

static struct str
age_key(uint8_t out[AGE_KEY_BYTES], int64_t at_ns, const uint8_t key[AGED_KEY_BYTES])
{
    out[0] = 't';
    (void) key_u64(out + 1, (uint64_t) at_ns); /* the bytes are what counts */
    memcpy(out + 9, key, AGED_KEY_BYTES);
    return str_make(out, AGE_KEY_BYTES);
}

static int
read_answer(const struct aged_table *t, struct store_txn *txn, const uint8_t key[AGED_KEY_BYTES],
            struct aged_row *ret)
{
    uint8_t bytes[ANSWER_KEY_BYTES];
    struct str record;
    int rc = store_get(txn, t->table, answer_key(bytes, key), &record);
    if (rc <= 0)
        return rc;
    struct rec r = rec_open(record, RECORD_VERSION);
    struct str digest = rec_str(&r);
    ret->at_ns = rec_i64(&r);
    ret->answer = rec_str(&r);
    if (!rec_ok(&r) || digest.len != sizeof(ret->digest))
        return 0;
    memcpy(ret->digest, digest.data, sizeof(ret->digest));
    return 1;
}

static bool
has_expired(const struct aged_table *t, int64_t at_ns)
{
    return clock_wall_ns() - at_ns >= t->max_age_ns;
}

int
aged_get(const struct aged_table *t, struct store_txn *txn, const uint8_t key[AGED_KEY_BYTES],
         struct aged_row *ret)
{
    int rc = read_answer(t, txn, key, ret);
    return rc == 1 && has_expired(t, ret->at_ns) ? 0 : rc;
}

/* Moves to the oldest key: 1 when it is expired or one too many, 0 when it may stay, negative. */
static int
find_old(const struct aged_table *t, struct store_txn *txn, struct store_cursor *c)
{
    uint64_t n_rows;
    int rc = store_cursor_seek(c, STR("t"));
    if (rc <= 0 || c->key.len != AGE_KEY_BYTES)
        return rc < 0 ? rc : 0;
    if (has_expired(t, (int64_t) key_read_u64(c->key, 1)))
        return 1;
    rc = store_count(txn, t->table, &n_rows);
    return rc < 0 ? rc : n_rows > 2 * t->max_keys;
}

bool
aged_has_old(const struct aged_table *t, struct store_txn *txn)
{
    struct store_cursor c;
    if (store_cursor_open(&c, txn, t->table) < 0)
        return false;
    bool has = find_old(t, txn, &c) == 1;
    store_cursor_close(&c);
    return has;
}

/* Deletes the oldest key when it may go: 1, 0 when it may stay, negative. */
static int
sweep_one(const struct aged_table *t, struct store_txn *txn, struct store_cursor *c)
{
    uint8_t bytes[ANSWER_KEY_BYTES], key[AGED_KEY_BYTES];
    int rc = find_old(t, txn, c);
    if (rc <= 0)
        return rc;
    memcpy(key, c->key.data + 9, sizeof(key));
    rc = store_cursor_delete(c);
    if (rc >= 0)
        rc = store_delete(txn, t->table, answer_key(bytes, key));
    return rc < 0 ? rc : 1;
}

int
aged_sweep(const struct aged_table *t, struct store_txn *txn, unsigned max)
{
    struct store_cursor c;
    int rc = store_cursor_open(&c, txn, t->table);
    if (rc < 0)
        return rc;
    rc = 1;
    for (unsigned i = 0; rc == 1 && i < max; i++)
        rc = sweep_one(t, txn, &c);
    store_cursor_close(&c);
    return rc;
}

int
aged_put(const struct aged_table *t, struct store_txn *txn, const uint8_t key[AGED_KEY_BYTES],
         const uint8_t digest[AGED_KEY_BYTES], struct str answer)
{
    uint8_t bytes[AGE_KEY_BYTES];
    struct aged_row old;
    struct buf record = BUF_INIT;
    int64_t now_ns = clock_wall_ns();
    int rc = read_answer(t, txn, key, &old);
    if (rc > 0)
        rc = store_delete(txn, t->table, age_key(bytes, old.at_ns, key));
    rec_put_u8(&record, RECORD_VERSION);
    rec_put_str(&record, str_make(digest, AGED_KEY_BYTES));
    rec_put_i64(&record, now_ns);
    rec_put_str(&record, answer);
    if (rc >= 0 && buf_failed(&record))
        rc = STORE_EFULL;
    if (rc >= 0)
        rc = store_put(txn, t->table, answer_key(bytes, key), buf_str(&record));
    if (rc >= 0)
        rc = store_put(txn, t->table, age_key(bytes, now_ns, key), STR(""));
    if (rc >= 0)
        rc = aged_sweep(t, txn, SWEEP_KEYS);
    buf_done(&record);
    return rc < 0 ? rc : 0;
}
