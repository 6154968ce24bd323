/* Idempotency keys: which are in flight (memory) and what was answered (store, 24 h, bounded:
 * store/aged.h). */
#include <stdlib.h>

#include "base/mem.h"
#include "queue/queue_internal.h"
#include "store/aged.h"

enum { MAX_KEYS = 100 * 1000 };
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

/* --- answers */

static const struct aged_table answers = {
    .table = TABLE_IDEMPOTENCY, .max_age_ns = MAX_AGE_NS, .max_keys = MAX_KEYS};

enum idempotency_state
queue_idempotency_begin(struct queue *q, const struct idempotency *k, uint8_t ret_digest[32],
                        struct buf *ret_answer)
{
    struct in_flight **at = find_in_flight(q, k);
    if (*at != NULL)
        return IDEMPOTENCY_IN_FLIGHT;
    struct aged_row row;
    struct store_txn *txn = turn_read(q->turn);
    bool is_known = txn != NULL && aged_get(&answers, txn, k->key, &row) > 0;
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

int
queue_idempotency_store(struct queue *q, const struct idempotency *k, const uint8_t digest[32],
                        struct str answer)
{
    int rc = aged_put(&answers, turn_txn(q->turn), k->key, digest, answer);
    if (rc < 0)
        turn_fail(q->turn, rc);
    return rc;
}
