/* The queue object: its parts are built, wired and freed here; all else is in the files that
 * queue_internal.h lists. */
#include <stdlib.h>

#include "base/mem.h"
#include "queue/queue_internal.h"

/* What was collected for the sets goes with the turn. */
static void
on_commit(void *arg)
{
    struct queue *q = arg;
    int rc = sets_flush(q->sets, turn_txn(q->turn));
    if (rc < 0)
        turn_fail(q->turn, rc);
}

struct queue *
queue_new(struct loop *l, struct turn *turn, struct payload_dir *payloads,
          const struct queue_conf *conf, struct err *err)
{
    struct queue *q = mem_new(1, sizeof(*q));
    q->loop = l;
    q->turn = turn;
    q->payloads = payloads;
    q->conf = *conf;
    q->retry_ms = RETRY_FIRST_MS;
    q->crashes.task = TASK_NONE;
    q->batch_sizes.bounds = &histogram_sizes;
    q->batch_times.bounds = &histogram_times_us;
    if (q->conf.max_finish_at_once == 0)
        q->conf.max_finish_at_once = FINISH_AT_ONCE;
    q->sets = sets_new();
    turn_on_commit(turn, on_commit, q);
    loop_slice_init(&q->unlinking, l, unlink_step, q);
    deletion_init(q);
    int rc = upgrade_sets(q);
    struct store_txn *txn = rc < 0 ? NULL : turn_read(turn);
    if (rc == 0)
        rc = txn == NULL ? STORE_EIO : queue_load_counters(q, txn);
    store_abort(txn);
    if (rc == 0)
        return q;
    (void) err_set(err, ERR_INTERNAL, "cannot read the task queue: %s", store_strerror(rc));
    queue_free(q);
    return NULL;
}

void
queue_free(struct queue *q)
{
    if (q == NULL)
        return;
    if (q->state != QUEUE_OFF)
        loop_slice_sleep(&q->slice);
    loop_slice_sleep(&q->unlinking);
    loop_timer_done(&q->timer);
    turn_forget(q->turn, &q->commit);
    turn_forget(q->turn, &q->added);
    turn_forget(q->turn, &q->changed);
    turn_on_commit(q->turn, NULL, NULL);
    deletion_end(q);
    pick_reset(&q->pick);
    finish_reset(q);
    if (q->run != NULL)
        run_abort_op(q->run);
    run_free(q->run);
    for (size_t i = 0; i < q->n_cancels; i++)
        uidmap_done(&q->cancels[i].matched);
    free(q->cancels);
    free(q->awaited);
    free(q->files.items);
    free(q->unlinks.items);
    uidset_done(&q->crashes.suspects);
    in_flight_free(q);
    sets_free(q->sets);
    buf_done(&q->record);
    free(q);
}

void
queue_set_hooks(struct queue *q, const struct queue_hooks *hooks)
{
    q->hooks = *hooks;
}

void
queue_register_op(struct queue *q, enum batch_type type, const struct batch_op *op, void *arg)
{
    q->ops[type].op = op;
    q->ops[type].arg = arg;
}

void *
queue_op_arg(const struct batch_run *run)
{
    return run->type < BATCH_TYPES ? run->queue->ops[run->type].arg : NULL;
}

uint32_t
queue_next_uid(const struct queue *q)
{
    return q->next_uid;
}

static uint64_t
count_enqueued(struct queue *q)
{
    struct store_txn *txn = turn_read(q->turn);
    if (txn == NULL)
        return 0;
    uint64_t enqueued = table_count(txn, TABLE_TASK_QUEUE), taken = 0;
    if (q->is_applying)
        taken = table_count(txn, TABLE_TASK_RESULTS);
    else if (q->run != NULL && q->run->is_visible)
        taken = q->run->batch.n_tasks;
    store_abort(txn);
    return enqueued > taken ? enqueued - taken : 0;
}

const struct histogram *
queue_batch_sizes(const struct queue *q)
{
    return &q->batch_sizes;
}

const struct histogram *
queue_batch_times(const struct queue *q)
{
    return &q->batch_times;
}

struct queue_stats
queue_stats(struct queue *q)
{
    bool runs = q->run != NULL && q->run->is_visible;
    return (struct queue_stats){
        .enqueued = count_enqueued(q),
        .batches = q->n_batches,
        .running = runs,
        .waiting = queue_is_pausing(q),
        .running_batch_uid = runs ? q->run->pub.batch_uid : TASK_NONE,
    };
}
