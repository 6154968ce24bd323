/* Finishing a batch: final task records, the batch row, the op's half and the event, made true by
 * one commit (invariants 3, 13, 14). Small batches take one transaction. Large ones write their
 * results piece by piece into TABLE_TASK_RESULTS, where nobody looks; one small commit makes them
 * visible, and they are then moved piece by piece. A refused commit starts the finishing over; the
 * op is not run again. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/changes.h"
#include "queue/marks.h"
#include "store/rec.h"

enum { APPLYING_VERSION = 1 };

static void
list_add(struct uuid_list *l, const struct uuid *item)
{
    if (l->n == l->cap) {
        l->cap = l->cap == 0 ? 16 : l->cap * 2;
        l->items = mem_grow(l->items, l->cap, sizeof(*l->items));
    }
    l->items[l->n++] = *item;
}

/* --- unlinking payloads, after the commit that no longer refers to them */

enum loop_slice_result
unlink_step(void *arg, int64_t deadline_us)
{
    struct queue *q = arg;
    while (q->unlinks.n > 0 && clock_mono_us() < deadline_us)
        payload_unlink(q->payloads, &q->unlinks.items[--q->unlinks.n]);
    return q->unlinks.n > 0 ? SLICE_MORE : SLICE_IDLE;
}

static void
release_files(struct queue *q)
{
    for (size_t i = 0; i < q->files.n; i++)
        list_add(&q->unlinks, &q->files.items[i]);
    q->files.n = 0;
    if (q->unlinks.n > 0)
        loop_slice_wake(&q->unlinking);
}

/* --- one member */

/* The final record takes the place of the enqueued one. */
static int
put_final(struct queue *q, struct store_txn *txn, struct task *t)
{
    int rc = queue_rows_delete(txn, t);
    if (rc < 0)
        return rc;
    if (!uuid_is_nil(&t->payload_file))
        list_add(&q->files, &t->payload_file);
    t->payload_file = UUID_NIL;
    t->payload_size = 0;
    free(t->params);
    free(t->matched);
    t->params = t->matched = NULL;
    return task_write(q, txn, TABLE_TASKS, t);
}

/* The task that canceled the others: the one picked. */
static uint32_t
canceler(const struct batch_run *run)
{
    for (size_t i = 0; i < run->n_members; i++) {
        if (run->members[i].is_picked)
            return run->members[i].uid;
    }
    return TASK_NONE;
}

static void
settle_error(const struct run *r, const struct batch_member *m, struct task *t)
{
    if (m->outcome == TASK_FAILED && err_is_set(&m->error))
        err_copy(&t->error, &m->error);
    else if (err_is_set(&r->pub.err))
        err_copy(&t->error, &r->pub.err);
    else
        (void) err_set(&t->error, ERR_INTERNAL, "The batch operation `%s` gave no result.",
                       run_type_name(r->pub.type));
}

/* Fills in how the task ended. */
static void
settle(const struct queue *q, const struct batch_member *m, struct task *t)
{
    const struct run *r = q->run;
    bool has_own_end = !r->is_rolled_back || m->outcome == TASK_FAILED;
    t->status = has_own_end && m->outcome != TASK_PROCESSING ? m->outcome : TASK_FAILED;
    t->batch_uid = r->pub.batch_uid;
    t->started_at_ns = r->pub.started_at_ns;
    t->finished_at_ns = q->finishing.finished_at_ns;
    if (t->status == TASK_FAILED)
        settle_error(r, m, t);
    if (t->status == TASK_CANCELED)
        t->canceled_by = q->finishing.canceler;
    if (has_own_end && m->details != NULL) {
        free(t->details);
        t->details = mem_strdup(m->details);
    } else if (t->status != TASK_SUCCEEDED) {
        task_fail_details(t);
    }
}

static int
add_to_event(struct queue *q, struct store_txn *txn, const struct task *t)
{
    struct buf line = BUF_INIT;
    if (q->finishing.event == NULL)
        return 0;
    task_write_json(&line, t);
    int rc = q->hooks.event_add(q->finishing.event, txn, t, buf_str(&line));
    buf_done(&line);
    return rc;
}

static int
finish_member(struct queue *q, struct store_txn *txn, const struct batch_member *m)
{
    struct task t;
    if (q->run->is_rolled_back && !m->is_picked)
        return 0;
    int rc = task_read(q, txn, TABLE_TASKS, m->uid, &t);
    if (rc <= 0)
        return rc;
    settle(q, m, &t);
    batch_add_task(&q->finishing.batch, &t);
    rc = add_to_event(q, txn, &t);
    if (rc >= 0)
        rc = q->finishing.is_sliced ? task_write(q, txn, TABLE_TASK_RESULTS, &t)
                                    : put_final(q, txn, &t);
    task_done(&t);
    return rc < 0 ? rc : 0;
}

/* --- the batch */

static void
begin(struct queue *q)
{
    struct finishing *f = &q->finishing;
    const struct batch_run *run = &q->run->pub;
    *f = (struct finishing){
        .is_begun = true,
        .is_sliced = run->n_members > q->conf.max_finish_at_once,
        .finished_at_ns = clock_wall_ns(),
        .canceler = canceler(run),
    };
    batch_init(&f->batch);
    f->batch.uid = run->batch_uid;
    f->batch.started_at_ns = run->started_at_ns;
    f->batch.finished_at_ns = f->finished_at_ns;
    f->batch.strategy = mem_strdup(q->run->strategy);
    progress_enter(&q->run->progress, 0, &(struct progress_step){"writing tasks to disk", 1, 2});
    if (q->hooks.event_begin != NULL)
        f->event = q->hooks.event_begin(q->hooks.arg, run->batch_uid);
}

void
finish_reset(struct queue *q)
{
    struct finishing *f = &q->finishing;
    if (f->event != NULL)
        q->hooks.event_discard(f->event);
    if (f->is_begun)
        batch_done(&f->batch);
    *f = (struct finishing){0};
}

static int
put_batch(struct queue *q, struct store_txn *txn)
{
    uint8_t bytes[4];
    buf_clear(&q->record);
    batch_encode(&q->record, &q->finishing.batch);
    int rc =
        store_put(txn, TABLE_BATCHES, key_u32(bytes, q->run->pub.batch_uid), buf_str(&q->record));
    return rc < 0 ? rc : marks_put_batch(q, txn, &q->finishing.batch, true);
}

/* --- what tells that results are being moved
 *
 * v1: batch uid u32, canceler u32, started i64, finished i64 */

static struct applying
applying_of(const struct queue *q)
{
    return (struct applying){q->run->pub.batch_uid, q->finishing.canceler,
                             q->run->pub.started_at_ns, q->finishing.finished_at_ns};
}

int
applying_put(struct queue *q, struct store_txn *txn)
{
    const struct applying *a = &q->applying;
    buf_clear(&q->record);
    rec_put_u8(&q->record, APPLYING_VERSION);
    rec_put_u32(&q->record, a->batch_uid);
    rec_put_u32(&q->record, a->canceler);
    rec_put_i64(&q->record, a->started_at_ns);
    rec_put_i64(&q->record, a->finished_at_ns);
    return store_put(txn, TABLE_META, META_APPLY, buf_str(&q->record));
}

int
applying_load(struct queue *q, struct store_txn *txn)
{
    struct str record;
    int rc = store_get(txn, TABLE_META, META_APPLY, &record);
    q->is_applying = rc > 0;
    if (rc <= 0)
        return rc;
    struct rec r = rec_open(record, APPLYING_VERSION);
    q->applying.batch_uid = rec_u32(&r);
    q->applying.canceler = rec_u32(&r);
    q->applying.started_at_ns = rec_i64(&r);
    q->applying.finished_at_ns = rec_i64(&r);
    return rec_ok(&r) ? 0 : STORE_ECORRUPT;
}

/* What the batch's record says besides its counts. */
static void
finish_record(struct queue *q)
{
    struct batch *b = &q->finishing.batch;
    struct buf trace = BUF_INIT;
    batch_finish_details(b);
    progress_write_trace(&trace, &q->run->progress);
    free(b->trace);
    b->trace = buf_take(&trace);
}

/* What makes the batch finished, after its last member. */
static int
put_end(struct queue *q, struct store_txn *txn)
{
    struct finishing *f = &q->finishing;
    struct batch_run *run = &q->run->pub;
    int rc = 0;
    if (q->run->op_entered && run->op->finish != NULL)
        rc = run->op->finish(run, txn);
    finish_record(q);
    if (rc >= 0)
        rc = put_batch(q, txn);
    if (rc >= 0 && f->event != NULL) {
        void *event = f->event;
        f->event = NULL; /* consumed */
        rc = q->hooks.event_finish(event, txn);
    }
    if (rc >= 0)
        rc = store_delete(txn, TABLE_META, META_RUN);
    if (rc >= 0 && f->is_sliced) {
        q->applying = applying_of(q);
        rc = applying_put(q, txn);
    }
    if (rc >= 0)
        rc = crash_forget(q, txn, q->run);
    if (rc >= 0)
        rc = changes_add_run(q, CHANGE_ENDED, q->run, !q->run->is_rolled_back);
    return rc;
}

static int
put_piece(struct queue *q, struct store_txn *txn)
{
    struct finishing *f = &q->finishing;
    struct batch_run *run = &q->run->pub;
    size_t end = f->is_sliced ? f->at + FINISH_PIECE : run->n_members;
    if (end > run->n_members)
        end = run->n_members;
    f->is_last_piece = !f->is_sliced || f->at == run->n_members;
    progress_enter(&q->run->progress, 1, &(struct progress_step){"task", f->at, run->n_members});
    while (f->at < end) {
        int rc = finish_member(q, txn, &run->members[f->at]);
        if (rc < 0)
            return rc;
        f->at++;
    }
    return f->is_last_piece ? put_end(q, txn) : 0;
}

/* 1: there is more, nothing else is written in this turn; 0; negative. */
static int
step_event(struct queue *q, struct store_txn *txn)
{
    struct finishing *f = &q->finishing;
    int rc = 0;
    if (f->event != NULL && !f->is_stepped && q->hooks.event_step != NULL)
        rc = q->hooks.event_step(f->event, txn, &q->run->pub);
    f->is_stepped = rc == 0;
    f->is_last_piece = false;
    return rc;
}

void
finish_piece(struct queue *q)
{
    if (!q->finishing.is_begun)
        begin(q);
    int rc = step_event(q, turn_txn(q->turn));
    if (rc == 0)
        rc = put_piece(q, turn_txn(q->turn));
    if (rc < 0)
        turn_fail(q->turn, rc);
    queue_await_commit(q, QUEUE_FINISH_WAIT);
}

static void
log_finished(const struct queue *q)
{
    const struct batch *b = &q->finishing.batch;
    log_info(
        LOG_TARGET,
        "batch finished batch_uid=%u type=\"%s\" succeeded=%u failed=%u canceled=%u took_ms=%lld",
        b->uid, run_type_name(q->run->pub.type), b->by_status[TASK_SUCCEEDED],
        b->by_status[TASK_FAILED], b->by_status[TASK_CANCELED],
        (long long) ((b->finished_at_ns - b->started_at_ns) / 1000000));
}

/* The finishing commit is on disk. */
static void
finished(struct queue *q)
{
    struct run *r = q->run;
    uint32_t batch_uid = r->pub.batch_uid;
    log_finished(q);
    histogram_add(&q->batch_sizes, (int64_t) r->pub.n_members);
    histogram_add(&q->batch_times, (q->finishing.finished_at_ns - r->pub.started_at_ns) / 1000);
    q->is_applying = q->finishing.is_sliced;
    q->n_batches++;
    q->space_tries = 0;
    q->run = NULL;
    finish_reset(q);
    release_files(q);
    crash_forgotten(q);
    if (r->op_entered && r->pub.op->done != NULL)
        r->pub.op->done(&r->pub);
    run_free(r);
    queue_set_state(q, q->is_applying ? QUEUE_APPLY : q->is_renaming ? QUEUE_RENAME : QUEUE_IDLE);
    queue_announce(q, batch_uid);
}

void
finish_committed(struct queue *q, int result)
{
    if (result < 0) {
        q->files.n = 0;
        finish_reset(q);
        queue_retry(q, QUEUE_FINISH);
    } else if (q->finishing.is_last_piece) {
        finished(q);
    } else {
        queue_set_state(q, QUEUE_FINISH);
    }
}

/* --- moving the results of a large batch */

/* Moves one row: 1, 0 when none is left, negative. */
static int
apply_row(struct queue *q, struct store_txn *txn, struct store_cursor *c)
{
    struct task t;
    int rc = store_cursor_first(c);
    if (rc <= 0)
        return rc;
    rc = task_decode(&t, c->value);
    if (rc < 0)
        return rc;
    rc = store_cursor_delete(c);
    if (rc >= 0)
        rc = marks_put_result(q, txn, &t, false);
    if (rc >= 0)
        rc = put_final(q, txn, &t);
    task_done(&t);
    return rc < 0 ? rc : 1;
}

static int
apply_rows(struct queue *q, struct store_txn *txn)
{
    struct store_cursor c;
    int rc = store_cursor_open(&c, txn, TABLE_TASK_RESULTS);
    if (rc < 0)
        return rc;
    for (int i = 0; i < FINISH_PIECE && (rc = apply_row(q, txn, &c)) > 0; i++)
        ;
    store_cursor_close(&c);
    return rc;
}

void
apply_piece(struct queue *q)
{
    struct store_txn *txn = turn_txn(q->turn);
    int rc = apply_rows(q, txn);
    q->finishing.is_last_piece = rc == 0;
    if (rc == 0)
        rc = store_delete(txn, TABLE_META, META_APPLY);
    if (rc < 0)
        turn_fail(q->turn, rc);
    queue_await_commit(q, QUEUE_APPLY_WAIT);
}

void
apply_committed(struct queue *q, int result)
{
    if (result < 0) {
        q->files.n = 0;
        queue_retry(q, QUEUE_APPLY);
        return;
    }
    release_files(q);
    if (q->finishing.is_last_piece)
        q->is_applying = false;
    queue_set_state(q, q->finishing.is_last_piece ? QUEUE_IDLE : QUEUE_APPLY);
}
