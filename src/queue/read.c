/* Reading tasks and batches. Stored rows of a running batch stay as they were enqueued; what runs
 * is laid over them here, and the results of a large finished batch that are still being moved.
 * The laying over yields to a stored final row, so nothing ever seems to go back (contract 2.10).
 */
#include <stdlib.h>

#include "base/mem.h"
#include "queue/marks.h"
#include "store/rec.h"

int
task_read(const struct queue *q, struct store_txn *txn, int table, uint32_t uid, struct task *ret)
{
    uint8_t bytes[4];
    struct str record;
    int rc = store_get(txn, table, key_u32(bytes, uid), &record);
    if (rc <= 0)
        return rc;
    rc = task_decode(ret, record);
    if (rc < 0)
        return rc;
    rc = rename_show(q, txn, ret);
    if (rc < 0)
        task_done(ret);
    return rc < 0 ? rc : 1;
}

int
task_write(struct queue *q, struct store_txn *txn, int table, const struct task *t)
{
    uint8_t bytes[4];
    int rc =
        table == TABLE_TASKS ? marks_change_task(q, txn, t) : marks_put_result(q, txn, t, true);
    if (rc < 0)
        return rc;
    buf_clear(&q->record);
    task_encode(&q->record, t);
    return store_put(txn, table, key_u32(bytes, t->uid), buf_str(&q->record));
}

uint64_t
table_count(struct store_txn *txn, int table)
{
    uint64_t count = 0;
    return store_count(txn, table, &count) < 0 ? 0 : count;
}

static void
overlay(const struct queue *q, struct task *t)
{
    const struct run *r = q->run;
    if (r == NULL || !r->is_visible || t->status != TASK_ENQUEUED || !run_has_picked(r, t->uid))
        return;
    t->status = TASK_PROCESSING;
    t->batch_uid = r->pub.batch_uid;
    t->started_at_ns = r->pub.started_at_ns;
}

int
queue_task_get(struct queue *q, struct store_txn *txn, uint32_t uid, struct task *ret)
{
    int rc = deletion_hides(q, txn, SET_DELETED, uid);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    rc = q->is_applying ? task_read(q, txn, TABLE_TASK_RESULTS, uid, ret) : 0;
    if (rc == 0)
        rc = task_read(q, txn, TABLE_TASKS, uid, ret);
    if (rc > 0)
        overlay(q, ret);
    return rc;
}

/* Positions c at the greatest key <= at or the least >= at. */
static int
seek_u32(struct store_cursor *c, uint32_t at, bool ascending)
{
    uint8_t bytes[4];
    int rc = store_cursor_seek(c, key_u32(bytes, at));
    if (ascending || rc < 0)
        return rc;
    if (rc == 0)
        return store_cursor_last(c);
    return key_read_u32(c->key, 0) == at ? 1 : store_cursor_prev(c);
}

int
queue_find_uid(struct store_txn *txn, int table, uint32_t at, bool ascending, uint32_t *ret)
{
    struct store_cursor c;
    int rc = store_cursor_open(&c, txn, table);
    if (rc < 0)
        return rc;
    rc = seek_u32(&c, at, ascending);
    if (rc > 0)
        *ret = key_read_u32(c.key, 0);
    store_cursor_close(&c);
    return rc;
}

int
queue_task_seek(struct queue *q, struct store_txn *txn, uint32_t at, bool ascending,
                struct task *ret)
{
    uint32_t uid;
    int rc;
    while ((rc = queue_find_uid(txn, TABLE_TASKS, at, ascending, &uid)) > 0) {
        rc = queue_task_get(q, txn, uid, ret);
        if (rc != 0 || (!ascending && uid == 0))
            break;
        at = ascending ? uid + 1 : uid - 1; /* a deleted one */
    }
    return rc;
}

static uint64_t
count_deleted(const struct queue *q, struct store_txn *txn, enum set_kind kind)
{
    uint64_t count = 0;
    struct set_id id = {.kind = kind};
    return q->is_deleting && sets_count(txn, &id, &count) < 0 ? 0 : count;
}

uint64_t
queue_task_total(struct queue *q, struct store_txn *txn)
{
    /* A running or finished batch neither adds nor hides tasks. */
    return table_count(txn, TABLE_TASKS) - count_deleted(q, txn, SET_DELETED);
}

/* --- batches */

/* Whether the running batch shows: it does from its run record's commit until its own row is
 * stored. */
static bool
running_shows(struct queue *q, struct store_txn *txn)
{
    uint8_t bytes[4];
    return q->run != NULL && q->run->is_visible &&
           store_get(txn, TABLE_BATCHES, key_u32(bytes, q->run->pub.batch_uid), NULL) == 0;
}

static void
copy_running(struct queue *q, struct batch *ret)
{
    struct buf progress = BUF_INIT;
    batch_copy(ret, &q->run->batch);
    progress_write(&progress, &q->run->progress);
    free(ret->progress);
    ret->progress = buf_take(&progress);
}

int
queue_batch_get(struct queue *q, struct store_txn *txn, uint32_t uid, struct batch *ret)
{
    uint8_t bytes[4];
    struct str record;
    int rc = deletion_hides(q, txn, SET_DELETED_BATCH, uid);
    if (rc == 0)
        rc = store_get(txn, TABLE_BATCHES, key_u32(bytes, uid), &record);
    else if (rc > 0)
        return 0;
    if (rc < 0)
        return rc;
    if (rc > 0) {
        rc = batch_decode(ret, record);
        return rc < 0 ? rc : 1;
    }
    if (!running_shows(q, txn) || q->run->pub.batch_uid != uid)
        return 0;
    copy_running(q, ret);
    return 1;
}

int
queue_batch_seek(struct queue *q, struct store_txn *txn, uint32_t at, bool ascending,
                 struct batch *ret)
{
    uint32_t uid = 0, running = q->run == NULL ? TASK_NONE : q->run->pub.batch_uid;
    int rc = queue_find_uid(txn, TABLE_BATCHES, at, ascending, &uid);
    if (rc < 0)
        return rc;
    if (running_shows(q, txn) && (ascending ? running >= at : running <= at) &&
        (rc == 0 || (ascending ? running < uid : running > uid))) {
        uid = running;
        rc = 1;
    }
    return rc == 0 ? 0 : queue_batch_get(q, txn, uid, ret);
}

uint64_t
queue_batch_total(struct queue *q, struct store_txn *txn)
{
    return table_count(txn, TABLE_BATCHES) + running_shows(q, txn) -
           count_deleted(q, txn, SET_DELETED_BATCH);
}

const char *
queue_busy_index(const struct queue *q)
{
    return q->run != NULL && q->run->is_visible ? q->run->pub.index_uid : NULL;
}

/* --- for cancelations and deletions */

int
queue_matched(struct store_txn *txn, uint32_t uid, struct uidmap *ret)
{
    struct set_id id = {.kind = SET_MATCHED, .number = uid};
    return sets_load(txn, &id, ret);
}

int
queue_next_enqueued(struct store_txn *txn, const struct uidmap *set, uint32_t at, uint32_t *ret)
{
    uint32_t wanted = at, found;
    while (set == NULL || uidmap_seek(set, at, &wanted)) {
        int rc = queue_find_uid(txn, TABLE_TASK_QUEUE, wanted, true, &found);
        if (rc <= 0)
            return rc;
        if (set == NULL || uidmap_has(set, found)) {
            *ret = found;
            return 1;
        }
        at = found;
    }
    return 0;
}

int
queue_payload_inline(struct store_txn *txn, uint32_t uid, struct str *ret)
{
    uint8_t bytes[4];
    return store_get(txn, TABLE_TASK_PAYLOADS, key_u32(bytes, uid), ret);
}
