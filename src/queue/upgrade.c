/* Stores from before there were sets (TABLE_TASK_SETS): makes the sets and columns of what is
 * stored, at the start, in transactions of their own. Interrupted, it starts over. */
#include "base/clock.h"
#include "base/log.h"
#include "queue/marks.h"
#include "store/rec.h"

#define META_SETS STR("queue.sets") /* the sets are complete */
enum { ROWS_AT_ONCE = 20000 };

/* Handles one row; 0 or negative. */
typedef int row_fn(struct queue *q, struct store_txn *txn, uint32_t uid, struct str record);

static int
add_task(struct queue *q, struct store_txn *txn, uint32_t uid, struct str record)
{
    struct task t;
    struct uidset ranges;
    struct uidmap matched = {0};
    struct set_id id = {.kind = SET_MATCHED, .number = uid};
    int rc = task_decode(&t, record);
    if (rc < 0)
        return rc;
    rc = marks_add_task(q, txn, &t);
    if (rc == 0 && t.matched != NULL && uidset_read(&ranges, str_from(t.matched))) {
        for (size_t i = 0; i < ranges.n; i++)
            for (uint64_t at = ranges.ranges[i].first; at <= ranges.ranges[i].last; at++)
                uidmap_add(&matched, (uint32_t) at);
        rc = sets_store(txn, &id, &matched);
        uidmap_done(&matched);
        uidset_done(&ranges);
    }
    task_done(&t);
    return rc;
}

static int
add_result(struct queue *q, struct store_txn *txn, uint32_t uid, struct str record)
{
    struct task t;
    (void) uid; /* it is in the record */
    int rc = task_decode(&t, record);
    if (rc < 0)
        return rc;
    rc = marks_put_result(q, txn, &t, true);
    q->applying.batch_uid = t.batch_uid;
    q->applying.started_at_ns = t.started_at_ns;
    q->applying.finished_at_ns = t.finished_at_ns;
    if (t.status == TASK_CANCELED)
        q->applying.canceler = t.canceled_by;
    task_done(&t);
    return rc;
}

/* When the tasks of a batch were enqueued. */
static int
find_enqueued(struct store_txn *txn, struct batch *b)
{
    struct set_id id = {.kind = SET_BATCH, .number = b->uid};
    uint32_t uid;
    int rc;
    for (uint32_t at = 0; (rc = sets_next(txn, &id, at, &uid)) > 0; at = uid + 1) {
        uint8_t bytes[4];
        struct str record;
        struct task_head head;
        rc = store_get(txn, TABLE_TASKS, key_u32(bytes, uid), &record);
        if (rc > 0)
            rc = task_decode_head(&head, record);
        if (rc < 0)
            break;
        if (b->first_enqueued_at_ns == 0 || head.enqueued_at_ns < b->first_enqueued_at_ns)
            b->first_enqueued_at_ns = head.enqueued_at_ns;
        if (head.enqueued_at_ns > b->last_enqueued_at_ns)
            b->last_enqueued_at_ns = head.enqueued_at_ns;
    }
    return rc;
}

static int
add_batch(struct queue *q, struct store_txn *txn, uint32_t uid, struct str record)
{
    struct batch b;
    (void) uid; /* it is in the record */
    int rc = batch_decode(&b, record);
    if (rc < 0)
        return rc;
    rc = find_enqueued(txn, &b);
    if (rc >= 0)
        rc = marks_put_batch(q, txn, &b, true);
    batch_done(&b);
    return rc;
}

/* The next rows of a table in one transaction: 1 when there may be more, 0, negative. */
static int
add_rows(struct queue *q, int table, uint32_t *at, row_fn *fn)
{
    struct store_txn *txn;
    uint32_t uid;
    int rc = store_begin_write(turn_env(q->turn), &txn), n = 0;
    if (rc < 0)
        return rc;
    for (; n < ROWS_AT_ONCE && (rc = queue_find_uid(txn, table, *at, true, &uid)) > 0; n++) {
        uint8_t bytes[4];
        struct str record;
        rc = store_get(txn, table, key_u32(bytes, uid), &record);
        if (rc > 0)
            rc = fn(q, txn, uid, record);
        if (rc < 0)
            break;
        *at = uid + 1;
    }
    int flushed = sets_flush(q->sets, txn);
    if (rc < 0 || flushed < 0) {
        store_abort(txn);
        return rc < 0 ? rc : flushed;
    }
    rc = store_commit(txn);
    return rc < 0 ? rc : n == ROWS_AT_ONCE;
}

static int
add_table(struct queue *q, int table, row_fn *fn)
{
    uint32_t at = 0;
    int rc;
    while ((rc = add_rows(q, table, &at, fn)) > 0)
        log_info(LOG_TARGET, "upgrading the task store table=%s uid=%u", main_tables[table].name,
                 at);
    return rc;
}

/* In a transaction of its own. */
static int
change(struct queue *q, int (*fn)(struct queue *q, struct store_txn *txn))
{
    struct store_txn *txn;
    int rc = store_begin_write(turn_env(q->turn), &txn);
    if (rc < 0)
        return rc;
    rc = fn(q, txn);
    if (rc >= 0)
        return store_commit(txn);
    store_abort(txn);
    return rc;
}

static int
clear_sets(struct queue *q, struct store_txn *txn)
{
    (void) q; /* all rows */
    int rc = store_clear(txn, TABLE_TASK_SETS);
    return rc < 0 ? rc : store_clear(txn, TABLE_TASK_TIMES);
}

static int
end(struct queue *q, struct store_txn *txn)
{
    int rc = store_get(txn, TABLE_META, META_APPLY, NULL);
    if (rc > 0)
        rc = applying_put(q, txn);
    return rc < 0 ? rc : store_put(txn, TABLE_META, META_SETS, STR("1"));
}

static int
build(struct queue *q)
{
    int64_t start = clock_mono_us();
    log_info(LOG_TARGET, "upgrading the task store: this happens once");
    q->applying.canceler = TASK_NONE;
    int rc = change(q, clear_sets);
    if (rc == 0)
        rc = add_table(q, TABLE_TASKS, add_task);
    if (rc == 0)
        rc = add_table(q, TABLE_TASK_RESULTS, add_result);
    if (rc == 0)
        rc = add_table(q, TABLE_BATCHES, add_batch);
    if (rc == 0)
        rc = change(q, end);
    if (rc == 0)
        log_info(LOG_TARGET, "upgraded the task store took_ms=%lld",
                 (long long) ((clock_mono_us() - start) / 1000));
    return rc;
}

int
upgrade_sets(struct queue *q)
{
    struct store_txn *txn = turn_read(q->turn);
    int rc = txn == NULL ? STORE_EIO : store_get(txn, TABLE_META, META_SETS, NULL);
    bool is_empty = rc == 0 && table_count(txn, TABLE_TASKS) == 0;
    store_abort(txn);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    return is_empty ? change(q, end) : build(q);
}
