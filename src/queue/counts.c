/* How many tasks there are of what, for metrics: from the sets and the running batch. */
#include "queue/queue_internal.h"
#include "queue/sets.h"
#include "store/rec.h"

int
queue_count_index(struct store_txn *txn, struct str uid, uint64_t *ret)
{
    struct set_id id = {.kind = SET_INDEX, .name = uid};
    *ret = 0;
    return sets_count(txn, &id, ret);
}

int
queue_count_kind(struct store_txn *txn, enum task_kind kind, uint64_t *ret)
{
    struct set_id id = {.kind = SET_TYPE, .number = kind};
    *ret = 0;
    return sets_count(txn, &id, ret);
}

/* The stored rows of a running batch say enqueued, and those of a large finished one that is still
 * being moved as well: its results are counted in their place. */
int
queue_count_status(struct queue *q, struct store_txn *txn, enum task_status status, uint64_t *ret)
{
    struct set_id id = {.kind = SET_STATUS, .number = status};
    struct set_id result = {.kind = SET_RESULT_STATUS, .number = status};
    uint64_t running = q->run != NULL && q->run->is_visible ? q->run->batch.n_tasks : 0;
    uint64_t taken = q->is_applying ? table_count(txn, TABLE_TASK_RESULTS) : running;
    *ret = status == TASK_PROCESSING ? running : 0;
    int rc = sets_count(txn, &id, ret);
    if (rc >= 0 && q->is_applying)
        rc = sets_count(txn, &result, ret);
    if (status == TASK_ENQUEUED)
        *ret = *ret > taken ? *ret - taken : 0;
    return rc;
}

int
queue_oldest_unfinished(struct queue *q, struct store_txn *txn, int64_t *ret_enqueued_at_ns)
{
    struct store_cursor c;
    struct task t;
    uint32_t uid = 0;
    int rc = store_cursor_open(&c, txn, TABLE_TASK_QUEUE);
    if (rc < 0)
        return rc;
    rc = store_cursor_first(&c);
    if (rc > 0)
        uid = key_read_u32(c.key, 0);
    store_cursor_close(&c);
    if (rc > 0)
        rc = queue_task_get(q, txn, uid, &t);
    if (rc <= 0)
        return rc;
    *ret_enqueued_at_ns = t.enqueued_at_ns;
    task_done(&t);
    return 1;
}
