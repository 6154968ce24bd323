/* Tasks that run beside the batches: found by their group, kept by whoever carries them out. Knows
 * no kind. A cancelation reaches them through the rows that every unfinished task has. */
#include "queue/changes.h"
#include "store/rec.h"

/* The first uid >= at: 1 / 0 / negative. */
static int
find(struct store_txn *txn, uint32_t at, uint32_t *ret)
{
    struct store_cursor c;
    struct buf prefix = BUF_INIT;
    int rc = store_cursor_open(&c, txn, TABLE_TASK_QUEUE_INDEX);
    if (rc < 0)
        return rc;
    queue_index_prefix(&prefix, str_from(queue_group(ROLE_BESIDE)));
    rc = queue_next_of_prefix(&c, buf_str(&prefix), at, ret);
    store_cursor_close(&c);
    buf_done(&prefix);
    return rc;
}

/* Whether a batch that is being finished has already decided how the task ends. */
static int
is_ending(struct store_txn *txn, uint32_t uid)
{
    uint8_t bytes[4];
    return store_get(txn, TABLE_TASK_RESULTS, key_u32(bytes, uid), NULL);
}

int
queue_beside_is_wanted(struct queue *q, struct store_txn *txn, uint32_t uid)
{
    uint8_t bytes[4];
    (void) q; /* the rows say it all */
    int rc = store_get(txn, TABLE_TASK_QUEUE, key_u32(bytes, uid), NULL);
    if (rc <= 0)
        return rc;
    rc = is_ending(txn, uid);
    return rc < 0 ? rc : rc == 0;
}

int
queue_beside_next(struct queue *q, struct store_txn *txn, uint32_t at, struct task *ret)
{
    uint32_t uid;
    int rc;
    while ((rc = find(txn, at, &uid)) == 1) {
        rc = queue_beside_is_wanted(q, txn, uid);
        if (rc != 0)
            return rc < 0 ? rc : task_read(q, txn, TABLE_TASKS, uid, ret);
        at = uid + 1;
    }
    return rc;
}

uint64_t
queue_beside_count(struct queue *q, struct store_txn *txn, uint64_t max)
{
    uint64_t n = 0;
    uint32_t uid = 0;
    (void) q; /* the rows say it all */
    for (uint32_t at = 0; n < max && find(txn, at, &uid) == 1; at = uid + 1)
        n++;
    return n;
}

/* Notes the change when the status is another one than before. */
static int
note_change(struct queue *q, struct store_txn *txn, const struct task *t)
{
    struct task before;
    int rc = task_read(q, txn, TABLE_TASKS, t->uid, &before);
    if (rc <= 0)
        return rc;
    bool is_same = before.status == t->status;
    task_done(&before);
    return is_same ? 0 : changes_add_beside(q, t);
}

int
queue_beside_put(struct queue *q, struct store_txn *txn, struct task *t)
{
    bool is_final = t->status != TASK_ENQUEUED && t->status != TASK_PROCESSING;
    int rc = note_change(q, txn, t);
    if (rc >= 0 && is_final)
        rc = queue_rows_delete(txn, t);
    return rc < 0 ? rc : task_write(q, txn, TABLE_TASKS, t);
}
