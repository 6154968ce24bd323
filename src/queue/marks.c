/* What the sets say of tasks and batches. Knows which facts have a set or a column; how these are
 * stored is sets.c's. */
#include "queue/marks.h"
#include "store/rec.h"

static int
put(struct queue *q, struct store_txn *txn, enum set_kind kind, uint32_t number, uint32_t uid,
    bool is_member)
{
    struct set_id id = {.kind = kind, .number = number};
    return sets_put(q->sets, txn, &id, uid, is_member);
}

static int
put_name(struct queue *q, struct store_txn *txn, const struct set_id *id, uint32_t uid,
         bool is_member)
{
    return id->name.data == NULL ? 0 : sets_put(q->sets, txn, id, uid, is_member);
}

static int
put_names(struct queue *q, struct store_txn *txn, const struct task *t, bool is_member)
{
    int rc = 0;
    for (uint32_t i = 0; i <= t->n_also_indexes && rc == 0; i++) {
        const char *name = i == 0 ? t->index_uid : t->also_indexes[i - 1];
        struct set_id id = {.kind = SET_INDEX, .name = name == NULL ? STR_NULL : str_from(name)};
        rc = put_name(q, txn, &id, t->uid, is_member);
    }
    return rc;
}

/* A number that may be absent moves from one set to another. */
static int
move(struct queue *q, struct store_txn *txn, enum set_kind kind, const uint32_t change[2],
     uint32_t uid)
{
    int rc = 0;
    if (change[0] == change[1])
        return 0;
    if (change[0] != TASK_NONE)
        rc = put(q, txn, kind, change[0], uid, false);
    if (rc == 0 && change[1] != TASK_NONE)
        rc = put(q, txn, kind, change[1], uid, true);
    return rc;
}

static int
move_time(struct queue *q, struct store_txn *txn, enum time_column column, const int64_t change[2],
          uint32_t uid)
{
    return change[0] == change[1] ? 0 : sets_put_time(q->sets, txn, column, uid, change[1]);
}

/* What of a task has a set or a column, but for its names. */
struct facts {
    uint32_t status, type, batch, canceler; /* TASK_NONE: none */
    int64_t enqueued, started, finished;
};
static const struct facts no_facts = {TASK_NONE, TASK_NONE, TASK_NONE, TASK_NONE, 0, 0, 0};

static struct facts
facts_of(const struct task *t)
{
    return (struct facts){t->status,         t->kind,          t->batch_uid,     t->canceled_by,
                          t->enqueued_at_ns, t->started_at_ns, t->finished_at_ns};
}

static int
change_facts(struct queue *q, struct store_txn *txn, uint32_t uid, const struct facts *from,
             const struct facts *to)
{
    int rc = move(q, txn, SET_STATUS, (uint32_t[]){from->status, to->status}, uid);
    if (rc == 0)
        rc = move(q, txn, SET_TYPE, (uint32_t[]){from->type, to->type}, uid);
    if (rc == 0)
        rc = move(q, txn, SET_BATCH, (uint32_t[]){from->batch, to->batch}, uid);
    if (rc == 0)
        rc = move(q, txn, SET_CANCELER, (uint32_t[]){from->canceler, to->canceler}, uid);
    if (rc == 0)
        rc = move_time(q, txn, TIME_ENQUEUED, (int64_t[]){from->enqueued, to->enqueued}, uid);
    if (rc == 0)
        rc = move_time(q, txn, TIME_STARTED, (int64_t[]){from->started, to->started}, uid);
    if (rc == 0)
        rc = move_time(q, txn, TIME_FINISHED, (int64_t[]){from->finished, to->finished}, uid);
    return rc;
}

int
marks_add_task(struct queue *q, struct store_txn *txn, const struct task *t)
{
    struct facts to = facts_of(t);
    int rc = change_facts(q, txn, t->uid, &no_facts, &to);
    return rc < 0 ? rc : put_names(q, txn, t, true);
}

int
marks_change_task(struct queue *q, struct store_txn *txn, const struct task *t)
{
    uint8_t bytes[4];
    struct str record;
    struct task_head head;
    int rc = store_get(txn, TABLE_TASKS, key_u32(bytes, t->uid), &record);
    if (rc > 0)
        rc = task_decode_head(&head, record) < 0 ? STORE_ECORRUPT : 1;
    if (rc <= 0)
        return rc < 0 ? rc : STORE_ECORRUPT;
    struct facts from = {head.status,        head.kind,           head.batch_uid,
                         head.canceled_by,   head.enqueued_at_ns, head.started_at_ns,
                         head.finished_at_ns};
    struct facts to = facts_of(t);
    return change_facts(q, txn, t->uid, &from, &to);
}

int
marks_remove_task(struct queue *q, struct store_txn *txn, const struct task *t)
{
    struct facts from = facts_of(t);
    int rc = change_facts(q, txn, t->uid, &from, &no_facts);
    return rc < 0 ? rc : put_names(q, txn, t, false);
}

int
marks_rename_task(struct queue *q, struct store_txn *txn, uint32_t uid, struct str from,
                  struct str to)
{
    struct set_id old = {.kind = SET_INDEX, .name = from}, new = {.kind = SET_INDEX, .name = to};
    int rc = sets_put(q->sets, txn, &old, uid, false);
    return rc < 0 ? rc : sets_put(q->sets, txn, &new, uid, true);
}

int
marks_put_result(struct queue *q, struct store_txn *txn, const struct task *t, bool is_there)
{
    return put(q, txn, SET_RESULT_STATUS, t->status, t->uid, is_there);
}

int
marks_drop_results(struct store_txn *txn)
{
    int rc = 0;
    for (uint32_t status = 0; status < TASK_STATUS_COUNT && rc >= 0; status++) {
        struct set_id id = {.kind = SET_RESULT_STATUS, .number = status};
        rc = sets_drop(txn, &id, UINT32_MAX);
    }
    return rc < 0 ? rc : 0;
}

/* --- batches */

static int
put_counts(struct queue *q, struct store_txn *txn, const struct batch *b, bool is_there)
{
    int rc = 0;
    for (uint32_t i = 0; i < TASK_STATUS_COUNT && rc == 0; i++)
        if (b->by_status[i] > 0)
            rc = put(q, txn, SET_BATCH_STATUS, i, b->uid, is_there);
    for (uint32_t i = 0; i < KIND_COUNT && rc == 0; i++)
        if (b->by_kind[i] > 0)
            rc = put(q, txn, SET_BATCH_TYPE, i, b->uid, is_there);
    for (uint32_t i = 0; i < b->n_indexes && rc == 0; i++) {
        struct set_id id = {.kind = SET_BATCH_INDEX, .name = str_from(b->index_uids[i])};
        rc = sets_put(q->sets, txn, &id, b->uid, is_there);
    }
    return rc;
}

int
marks_put_batch(struct queue *q, struct store_txn *txn, const struct batch *b, bool is_there)
{
    const struct {
        enum time_column column;
        int64_t ns;
    } times[] = {
        {TIME_BATCH_FIRST_ENQUEUED, b->first_enqueued_at_ns},
        {TIME_BATCH_LAST_ENQUEUED, b->last_enqueued_at_ns},
        {TIME_BATCH_STARTED, b->started_at_ns},
        {TIME_BATCH_FINISHED, b->finished_at_ns},
    };
    int rc = put_counts(q, txn, b, is_there);
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]) && rc == 0; i++)
        rc = sets_put_time(q->sets, txn, times[i].column, b->uid, is_there ? times[i].ns : 0);
    return rc;
}
