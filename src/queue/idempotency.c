/* Idempotency keys: which are in flight (memory) and what was answered (store, 24 h, bounded).
 * Every store sweeps a few of the oldest rows, so nothing else has to.
 *
 * Two rows a key in TABLE_IDEMPOTENCY: 'k' key -> digest, time, answer; 't' time u64be key ->
 * empty, in order of age. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "queue/queue_internal.h"
#include "store/rec.h"

enum {
    RECORD_VERSION = 1,
    MAX_KEYS = 100 * 1000,
    SWEEP_ROWS = 4, /* a store: more than one, so that a full table shrinks */
};
#define MAX_AGE_NS (24ll * 3600 * 1000000000)

/* --- in flight */

static struct in_flight **
find_in_flight(struct queue *q, const struct idempotency *k)
{
    struct in_flight **at = &q->in_flight[k->key[0] % IN_FLIGHT_BUCKETS];
    while (*at != NULL && memcmp((*at)->key.key, k->key, sizeof(k->key)) != 0)
        at = &(*at)->next;
    return at;
}

void
in_flight_free(struct queue *q)
{
    for (int i = 0; i < IN_FLIGHT_BUCKETS; i++) {
        while (q->in_flight[i] != NULL) {
            struct in_flight *first = q->in_flight[i];
            q->in_flight[i] = first->next;
            free(first);
        }
    }
}

void
queue_idempotency_end(struct queue *q, const struct idempotency *k)
{
    struct in_flight **at = find_in_flight(q, k), *found = *at;
    if (found == NULL)
        return;
    *at = found->next;
    free(found);
}

/* --- rows */

static struct str
answer_key(uint8_t out[33], const uint8_t key[32])
{
    out[0] = 'k';
    memcpy(out + 1, key, 32);
    return str_make(out, 33);
}

static struct str
age_key(uint8_t out[41], int64_t at_ns, const uint8_t key[32])
{
    out[0] = 't';
    (void) key_u64(out + 1, (uint64_t) at_ns); /* the bytes are what counts */
    memcpy(out + 9, key, 32);
    return str_make(out, 41);
}

struct answer_row {
    uint8_t digest[32];
    int64_t at_ns;
    struct str answer; /* in the transaction's memory */
};

/* 1 / 0 / negative; rows of a shape not understood count as absent. */
static int
read_answer(struct store_txn *txn, const uint8_t key[32], struct answer_row *ret)
{
    uint8_t bytes[33];
    struct str record;
    int rc = store_get(txn, TABLE_IDEMPOTENCY, answer_key(bytes, key), &record);
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
has_expired(int64_t at_ns)
{
    return clock_wall_ns() - at_ns >= MAX_AGE_NS;
}

enum idempotency_state
queue_idempotency_begin(struct queue *q, const struct idempotency *k, uint8_t ret_digest[32],
                        struct buf *ret_answer)
{
    struct in_flight **at = find_in_flight(q, k);
    if (*at != NULL)
        return IDEMPOTENCY_IN_FLIGHT;
    struct answer_row row;
    struct store_txn *txn = turn_read(q->turn);
    bool is_known = txn != NULL && read_answer(txn, k->key, &row) > 0 && !has_expired(row.at_ns);
    if (is_known) {
        memcpy(ret_digest, row.digest, sizeof(row.digest));
        buf_add_str(ret_answer, row.answer);
    }
    store_abort(txn);
    if (is_known)
        return IDEMPOTENCY_KNOWN;
    *at = mem_new(1, sizeof(**at));
    (*at)->key = *k;
    return IDEMPOTENCY_NEW;
}

/* Deletes the oldest rows that are expired or too many. */
static int
sweep(struct store_txn *txn)
{
    struct store_cursor c;
    int rc = store_cursor_open(&c, txn, TABLE_IDEMPOTENCY);
    if (rc < 0)
        return rc;
    for (int i = 0; rc >= 0 && i < SWEEP_ROWS; i++) {
        uint8_t bytes[33], key[32];
        rc = store_cursor_seek(&c, STR("t"));
        if (rc <= 0 || c.key.len != 41)
            break;
        if (!has_expired((int64_t) key_read_u64(c.key, 1)) &&
            table_count(txn, TABLE_IDEMPOTENCY) <= 2 * (uint64_t) MAX_KEYS)
            break;
        memcpy(key, c.key.data + 9, sizeof(key));
        rc = store_cursor_delete(&c);
        if (rc >= 0)
            rc = store_delete(txn, TABLE_IDEMPOTENCY, answer_key(bytes, key));
    }
    store_cursor_close(&c);
    return rc < 0 ? rc : 0;
}

int
queue_idempotency_store(struct queue *q, const struct idempotency *k, const uint8_t digest[32],
                        struct str answer)
{
    uint8_t bytes[41];
    struct answer_row old;
    struct store_txn *txn = turn_txn(q->turn);
    int64_t now_ns = clock_wall_ns();
    int rc = read_answer(txn, k->key, &old);
    if (rc > 0)
        rc = store_delete(txn, TABLE_IDEMPOTENCY, age_key(bytes, old.at_ns, k->key));
    buf_clear(&q->record);
    rec_put_u8(&q->record, RECORD_VERSION);
    rec_put_str(&q->record, str_make(digest, 32));
    rec_put_i64(&q->record, now_ns);
    rec_put_str(&q->record, answer);
    if (rc >= 0)
        rc = store_put(txn, TABLE_IDEMPOTENCY, answer_key(bytes, k->key), buf_str(&q->record));
    if (rc >= 0)
        rc = store_put(txn, TABLE_IDEMPOTENCY, age_key(bytes, now_ns, k->key), STR(""));
    if (rc >= 0)
        rc = sweep(txn);
    if (rc < 0)
        turn_fail(q->turn, rc);
    return rc;
}
