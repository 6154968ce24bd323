/* The guard against crash loops (invariant 3): counts how often the process ended while a batch
 * ran and was not applied yet. After two ends the batch's tasks are tried one by one, and one that
 * ends the process twice more alone is failed. Owns one row of TABLE_META, which is absent in
 * peaceful times. */
#include "queue/queue_internal.h"
#include "store/rec.h"

enum { CRASH_RECORD_VERSION = 1 };

int
crash_load(struct queue *q, struct store_txn *txn)
{
    struct str record;
    struct crash_guard *guard = &q->crashes;
    guard->task = TASK_NONE;
    int rc = store_get(txn, TABLE_META, META_CRASHES, &record);
    if (rc <= 0)
        return rc;
    guard->has_row = true;
    struct rec r = rec_open(record, CRASH_RECORD_VERSION);
    guard->group_crashes = rec_u32(&r);
    guard->task = rec_u32(&r);
    guard->task_crashes = rec_u32(&r);
    struct str suspects = rec_str(&r);
    return rec_ok(&r) && uidset_read(&guard->suspects, suspects) ? 0 : STORE_ECORRUPT;
}

static int
store_guard(struct queue *q, struct store_txn *txn)
{
    struct crash_guard *guard = &q->crashes;
    struct buf record = BUF_INIT, suspects = BUF_INIT;
    uidset_write(&suspects, &guard->suspects);
    rec_put_u8(&record, CRASH_RECORD_VERSION);
    rec_put_u32(&record, guard->group_crashes);
    rec_put_u32(&record, guard->task);
    rec_put_u32(&record, guard->task_crashes);
    rec_put_str(&record, buf_str(&suspects));
    int rc = store_put(txn, TABLE_META, META_CRASHES, buf_str(&record));
    guard->has_row = true;
    buf_done(&record);
    buf_done(&suspects);
    return rc;
}

bool
crash_must_be_alone(const struct queue *q, uint32_t uid)
{
    return q->crashes.group_crashes >= CRASHES_OF_A_GROUP && uidset_has(&q->crashes.suspects, uid);
}

bool
crash_is_hopeless(const struct queue *q, const struct run *r)
{
    return r->pub.n_members == 1 && r->pub.members[0].uid == q->crashes.task &&
           q->crashes.task_crashes >= CRASHES_OF_A_TASK;
}

static void
note_task(struct crash_guard *guard, uint32_t uid)
{
    if (guard->task != uid)
        guard->task_crashes = 0;
    guard->task = uid;
    guard->task_crashes++;
}

static void
note_group(struct crash_guard *guard, const struct run *r)
{
    if (!run_intersects(r, &guard->suspects)) {
        uidset_done(&guard->suspects);
        guard->group_crashes = 0;
    }
    guard->group_crashes++;
    for (size_t i = 0; i < r->pub.n_members; i++)
        uidset_add(&guard->suspects, r->pub.members[i].uid, r->pub.members[i].uid);
}

int
crash_note(struct queue *q, struct store_txn *txn, const struct run *r)
{
    if (r->pub.n_members == 1 && crash_must_be_alone(q, r->pub.members[0].uid))
        note_task(&q->crashes, r->pub.members[0].uid);
    else
        note_group(&q->crashes, r);
    return store_guard(q, txn);
}

int
crash_forget(struct queue *q, struct store_txn *txn, const struct run *r)
{
    struct crash_guard *guard = &q->crashes;
    if (!guard->has_row)
        return 0;
    for (size_t i = 0; i < r->pub.n_members; i++) {
        uint32_t uid = r->pub.members[i].uid;
        uidset_remove(&guard->suspects, uid);
        if (guard->task == uid) {
            guard->task = TASK_NONE;
            guard->task_crashes = 0;
        }
    }
    if (guard->suspects.n > 0)
        return store_guard(q, txn);
    guard->group_crashes = 0;
    int rc = store_delete(txn, TABLE_META, META_CRASHES);
    return rc < 0 ? rc : 0;
}

void
crash_forgotten(struct queue *q)
{
    q->crashes.has_row = q->crashes.suspects.n > 0;
}
