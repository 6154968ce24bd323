/* Adding tasks: the hot path. Owns the uid counter and the rows of the queue tables; knows the
 * scheduler only to wake it. Entered from requests (queue_add) and from the turn's end. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/changes.h"
#include "queue/marks.h"
#include "store/rec.h"

enum { ROW_VERSION = 1 };

/* --- rows of the queue tables */

void
queue_row_encode(struct buf *out, const struct queue_row *row)
{
    rec_put_u8(out, ROW_VERSION);
    rec_put_u8(out, (uint8_t) row->role);
    rec_put_u8(out, (uint8_t) row->kind);
    rec_put_cstr(out, row->index_uid);
    rec_put_cstr(out, row->primary_key);
    rec_put_u8(out, row->allow);
    rec_put_u64(out, row->payload_size);
    rec_put_uuid(out, &row->payload_file);
}

int
queue_row_decode(struct queue_row *ret, struct str record)
{
    struct rec r = rec_open(record, ROW_VERSION);
    uint8_t role = rec_u8(&r), kind = rec_u8(&r);
    struct queue_row row = {
        .role = (enum task_role) role,
        .kind = (enum task_kind) kind,
    };
    row.index_uid = rec_cstr(&r);
    row.primary_key = rec_cstr(&r);
    row.allow = rec_u8(&r) != 0;
    row.payload_size = rec_u64(&r);
    row.payload_file = rec_uuid(&r);
    if (!rec_ok(&r) || role >= ROLE_COUNT || kind >= KIND_COUNT) {
        queue_row_done(&row);
        return STORE_ECORRUPT;
    }
    *ret = row;
    return 0;
}

void
queue_row_done(struct queue_row *row)
{
    free(row->index_uid);
    free(row->primary_key);
    row->index_uid = row->primary_key = NULL;
}

int
queue_row_read(struct store_txn *txn, uint32_t uid, struct queue_row *ret)
{
    uint8_t bytes[4];
    struct str record;
    int rc = store_get(txn, TABLE_TASK_QUEUE, key_u32(bytes, uid), &record);
    if (rc <= 0)
        return rc;
    rc = queue_row_decode(ret, record);
    return rc < 0 ? rc : 1;
}

const char *
queue_group(enum task_role role)
{
    static const char *const groups[ROLE_COUNT] = {
        [ROLE_CANCELATION] = "*taskCancelation",
        [ROLE_TASK_DELETION] = "*taskDeletion",
        [ROLE_BESIDE] = "*beside",
        [ROLE_COMPACTION] = "*indexCompaction",
    };
    return groups[role];
}

void
queue_index_prefix(struct buf *out, struct str name)
{
    buf_add_str(out, name);
    buf_add_char(out, '\0');
}

static void
index_key(struct buf *out, struct str name, uint32_t uid)
{
    uint8_t bytes[4];
    queue_index_prefix(out, name);
    buf_add_str(out, key_u32(bytes, uid));
}

int
queue_index_put(struct store_txn *txn, struct str name, uint32_t uid)
{
    struct buf key = BUF_INIT;
    index_key(&key, name, uid);
    int rc = store_put(txn, TABLE_TASK_QUEUE_INDEX, buf_str(&key), STR(""));
    buf_done(&key);
    return rc;
}

int
queue_index_delete(struct store_txn *txn, struct str name, uint32_t uid)
{
    struct buf key = BUF_INIT;
    index_key(&key, name, uid);
    int rc = store_delete(txn, TABLE_TASK_QUEUE_INDEX, buf_str(&key));
    buf_done(&key);
    return rc;
}

/* Calls fn for every name under which the task stands in TABLE_TASK_QUEUE_INDEX: 0 or negative. */
static int
each_name(struct store_txn *txn, const struct task *t,
          int (*fn)(struct store_txn *txn, struct str name, uint32_t uid))
{
    const char *group = queue_group(t->role);
    int rc = group == NULL ? 0 : fn(txn, str_from(group), t->uid);
    if (rc >= 0 && t->index_uid != NULL)
        rc = fn(txn, str_from(t->index_uid), t->uid);
    for (uint32_t i = 0; rc >= 0 && i < t->n_also_indexes; i++)
        rc = fn(txn, str_from(t->also_indexes[i]), t->uid);
    return rc < 0 ? rc : 0;
}

int
queue_rows_delete(struct store_txn *txn, const struct task *t)
{
    uint8_t bytes[4];
    struct str key = key_u32(bytes, t->uid);
    int rc = store_delete(txn, TABLE_TASK_QUEUE, key);
    if (rc >= 0)
        rc = each_name(txn, t, queue_index_delete);
    if (rc >= 0 && t->payload_size > 0 && uuid_is_nil(&t->payload_file))
        rc = store_delete(txn, TABLE_TASK_PAYLOADS, key);
    struct set_id matched = {.kind = SET_MATCHED, .number = t->uid};
    if (rc >= 0 && (t->role == ROLE_CANCELATION || t->role == ROLE_TASK_DELETION))
        rc = sets_drop(txn, &matched, UINT32_MAX);
    return rc < 0 ? rc : 0;
}

int
queue_payload_files(struct store_txn *txn, void (*fn)(void *arg, const struct uuid *file),
                    void *arg)
{
    struct store_cursor c;
    int rc = store_cursor_open(&c, txn, TABLE_TASK_QUEUE);
    if (rc < 0)
        return rc;
    for (rc = store_cursor_first(&c); rc > 0; rc = store_cursor_next(&c)) {
        struct queue_row row;
        rc = queue_row_decode(&row, c.value);
        if (rc < 0)
            break;
        if (!uuid_is_nil(&row.payload_file))
            fn(arg, &row.payload_file);
        queue_row_done(&row);
    }
    store_cursor_close(&c);
    return rc;
}

/* --- the counter */

int
queue_load_counters(struct queue *q, struct store_txn *txn)
{
    struct store_cursor c;
    struct str run_id;
    int rc = store_cursor_open(&c, txn, TABLE_TASKS);
    if (rc < 0)
        return rc;
    rc = store_cursor_last(&c);
    q->next_uid = rc > 0 ? key_read_u32(c.key, 0) + 1 : 0;
    store_cursor_close(&c);
    if (rc >= 0)
        rc = store_get(txn, TABLE_META, META_RUN_ID, &run_id);
    if (rc > 0)
        q->last_run_id = key_read_u64(run_id, 0);
    return rc < 0 ? rc : 0;
}

uint64_t
queue_turn_number(const struct queue *q)
{
    struct turn_stats stats = turn_stats(q->turn);
    return stats.commits + stats.failed_commits;
}

static void
tell_scheduler(struct queue *q, uint64_t turn)
{
    size_t kept = 0;
    for (size_t i = 0; i < q->n_cancels; i++) {
        if (q->cancels[i].turn == turn) {
            q->cancels[kept++] = q->cancels[i];
            continue;
        }
        queue_canceled(q, &q->cancels[i].matched);
        uidmap_done(&q->cancels[i].matched);
    }
    q->n_cancels = kept;
}

static void
forget_cancels(struct queue *q, uint64_t turn)
{
    size_t kept = 0;
    for (size_t i = 0; i < q->n_cancels; i++) {
        if (q->cancels[i].turn == turn)
            q->cancels[kept++] = q->cancels[i];
        else
            uidmap_done(&q->cancels[i].matched);
    }
    q->n_cancels = kept;
}

/* Takes back the uids of the turn that failed. What was already added to the next turn is seen only
 * in its open transaction. */
static void
reload_counters(struct queue *q, bool has_added)
{
    struct store_txn *read = has_added ? NULL : turn_read(q->turn);
    struct store_txn *txn = has_added ? turn_txn(q->turn) : read;
    if (txn == NULL || queue_load_counters(q, txn) < 0)
        log_error(LOG_TARGET, "cannot read the task counter again next_uid=%u", q->next_uid);
    store_abort(read);
}

static void
on_added(void *arg, int result)
{
    struct queue *q = arg;
    uint64_t turn = queue_turn_number(q);
    if (q->added_turn == turn)
        turn_wait(q->turn, &q->added);
    if (result == 0) {
        tell_scheduler(q, turn);
        queue_wake(q);
        if (q->has_new_beside && q->hooks.beside_added != NULL)
            q->hooks.beside_added(q->hooks.arg);
        q->has_new_beside = false;
        return;
    }
    forget_cancels(q, turn);
    reload_counters(q, q->added_turn == turn);
}

static void
await_added(struct queue *q, const struct uidmap *canceled)
{
    q->added_turn = queue_turn_number(q);
    q->added.fn = on_added;
    q->added.arg = q;
    turn_wait(q->turn, &q->added);
    if (canceled == NULL)
        return;
    q->cancels = mem_grow(q->cancels, q->n_cancels + 1, sizeof(*q->cancels));
    struct pending_cancel *cancel = &q->cancels[q->n_cancels++];
    *cancel = (struct pending_cancel){.turn = q->added_turn};
    uidmap_copy(&cancel->matched, canceled);
}

/* --- adding */

static char *
copy_or_null(struct str s)
{
    return s.data == NULL ? NULL : mem_strndup(s.data, s.len);
}

static void
build_task(struct task *t, const struct task_new *n, uint32_t uid)
{
    task_init(t);
    t->uid = uid;
    t->kind = n->kind;
    t->role = n->role;
    t->index_uid = copy_or_null(n->index_uid);
    t->details = copy_or_null(n->details);
    t->params = copy_or_null(n->params);
    t->custom_metadata = copy_or_null(n->custom_metadata);
    t->primary_key = copy_or_null(n->primary_key);
    t->allow_index_creation = n->allow_index_creation;
    t->enqueued_at_ns = clock_wall_ns();
    if (n->is_done) {
        t->status = TASK_SUCCEEDED;
        t->started_at_ns = t->finished_at_ns = t->enqueued_at_ns;
    }
    if (n->payload != NULL) {
        t->payload_file = n->payload->file;
        t->payload_size = n->payload->size;
    }
    if (n->n_also_indexes == 0)
        return;
    t->also_indexes = mem_new(n->n_also_indexes, sizeof(*t->also_indexes));
    for (uint32_t i = 0; i < n->n_also_indexes; i++)
        t->also_indexes[t->n_also_indexes++] =
            mem_strndup(n->also_indexes[i].data, n->also_indexes[i].len);
}

static int
put_row(struct queue *q, struct store_txn *txn, const struct task *t)
{
    uint8_t bytes[4];
    struct queue_row row = {
        .role = t->role,
        .kind = t->kind,
        .index_uid = t->index_uid,
        .primary_key = t->primary_key,
        .allow = t->allow_index_creation,
        .payload_size = t->payload_size,
        .payload_file = t->payload_file,
    };
    buf_clear(&q->record);
    queue_row_encode(&q->record, &row);
    return store_append(txn, TABLE_TASK_QUEUE, key_u32(bytes, t->uid), buf_str(&q->record));
}

static int
put_task(struct queue *q, const struct task *t, const struct payload *payload,
         const struct uidmap *matched)
{
    uint8_t bytes[4];
    struct set_id id = {.kind = SET_MATCHED, .number = t->uid};
    struct store_txn *txn = turn_txn(q->turn);
    struct str key = key_u32(bytes, t->uid);
    buf_clear(&q->record);
    task_encode(&q->record, t);
    int rc = store_append(txn, TABLE_TASKS, key, buf_str(&q->record));
    if (rc == 0 && t->status != TASK_ENQUEUED) {
        rc = marks_add_task(q, txn, t);
        return rc == 0 ? changes_add_beside(q, t) : rc;
    }
    if (rc == 0)
        rc = put_row(q, txn, t);
    if (rc == 0)
        rc = each_name(txn, t, queue_index_put);
    if (rc == 0 && payload != NULL && payload->size > 0 && uuid_is_nil(&payload->file))
        rc = store_append(txn, TABLE_TASK_PAYLOADS, key, payload->inline_bytes);
    if (rc == 0)
        rc = marks_add_task(q, txn, t);
    if (rc == 0 && matched != NULL)
        rc = sets_store(txn, &id, matched);
    if (rc == 0)
        rc = changes_add_new(q, t->uid);
    return rc;
}

static int
check_acceptable(struct queue *q, const struct task_new *n, struct err *err)
{
    bool frees_space = n->role == ROLE_CANCELATION || n->role == ROLE_TASK_DELETION ||
                       n->role == ROLE_INDEX_DELETION;
    if (!frees_space && !turn_accepts_writes(q->turn))
        return err_set(err, ERR_NO_SPACE_LEFT_ON_DEVICE,
                       "Cannot receive write operations because the free space on the device is "
                       "below its floor. Please free some space to continue performing write "
                       "operations.");
    bool makes_room = (n->role == ROLE_CANCELATION || n->role == ROLE_TASK_DELETION) &&
                      n->matched != NULL && n->matched->n > 0;
    if (!makes_room && limits_are_full(q))
        return err_set(err, ERR_NO_SPACE_LEFT_ON_DEVICE,
                       "Meilisearch cannot receive write operations because the limit of the task "
                       "database has been reached. Please delete tasks to continue performing "
                       "write operations.");
    if (q->next_uid == TASK_NONE)
        return err_set(err, ERR_INTERNAL, "The last task uid was given out.");
    return 0;
}

int
queue_add(struct queue *q, const struct task_new *n, uint32_t *ret_uid, struct buf *ret_summary,
          struct err *err)
{
    struct task t;
    if (check_acceptable(q, n, err) < 0)
        return -1;
    build_task(&t, n, q->next_uid);
    int rc = put_task(q, &t, n->payload, n->matched);
    if (rc < 0) {
        turn_fail(q->turn, rc);
        await_added(q, NULL); /* the counter is read again when the turn has failed */
        task_done(&t);
        return err_set(err, rc == STORE_EFULL ? ERR_DATABASE_SIZE_LIMIT_REACHED : ERR_IO_ERROR,
                       "The task could not be stored: %s.", store_strerror(rc));
    }
    q->next_uid++;
    q->has_new_beside = q->has_new_beside || n->role == ROLE_BESIDE;
    await_added(q, n->role == ROLE_CANCELATION ? n->matched : NULL);
    *ret_uid = t.uid;
    if (ret_summary != NULL)
        task_write_summary(ret_summary, &t);
    task_done(&t);
    return 0;
}
