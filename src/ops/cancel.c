/* taskCancelation: every matched task that is still enqueued becomes a member with the outcome
 * canceled (contract 2.6). The queue has already taken a running batch with matched tasks back. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ops/ops_internal.h"

struct cancelation {
    uint32_t uid; /* of the cancelation itself */
    struct task task;
    struct uidmap matched;
    uint32_t at;
    uint64_t n_canceled;
};

static void
cancelation_free(struct batch_run *run)
{
    struct cancelation *c = run->state;

    if (c == NULL)
        return;
    run->state = NULL;
    task_done(&c->task);
    uidmap_done(&c->matched);
    free(c);
}

static int
cancelation_prepare(struct batch_run *run)
{
    struct store_txn *txn = ops_read(run);
    struct cancelation *c;
    int rc;

    if (txn == NULL)
        return -1;
    c = mem_new(1, sizeof(*c));
    run->state = c;
    c->uid = run->members[0].uid;
    rc = ops_load_task(run, txn, 0, &c->task);
    if (rc == 0 && (rc = queue_matched(txn, c->uid, &c->matched)) < 0)
        (void) ops_store_error(run, rc);
    store_abort(txn);
    return rc < 0 ? -1 : OP_DONE;
}

static int
cancel_one(struct batch_run *run, struct store_txn *txn, uint32_t uid)
{
    struct cancelation *c = run->state;
    struct task t;
    int rc = queue_task_get(run->queue, txn, uid, &t);

    if (rc != 1)
        return rc < 0 ? rc : STORE_ECORRUPT;
    batch_run_add_member(run, uid, TASK_CANCELED, details_of_failed(&t));
    task_done(&t);
    c->n_canceled++;
    return 0;
}

/* 1 while there may be more. */
static int
cancel_next(struct batch_run *run, struct store_txn *txn)
{
    struct cancelation *c = run->state;
    uint32_t uid;
    int rc = queue_next_enqueued(txn, &c->matched, c->at, &uid);

    if (rc != 1 || uid >= c->uid)
        return rc < 0 ? rc : 0;
    c->at = uid + 1;
    rc = cancel_one(run, txn, uid);
    return rc < 0 ? rc : 1;
}

static void
decide(struct batch_run *run)
{
    struct cancelation *c = run->state;

    for (size_t i = run->n_members; i-- > 0;) { /* it has the highest uid: found at once */
        if (run->members[i].uid == c->uid) {
            ops_succeed(&run->members[i],
                        details_with(c->task.details, "canceledTasks", c->n_canceled));
            return;
        }
    }
}

static int
cancelation_step(struct batch_run *run, int64_t deadline_us)
{
    struct store_txn *txn = ops_read(run);
    int rc = txn == NULL ? STORE_EIO : 1;

    batch_run_step(run, 1, &(struct progress_step){"retrieving tasks", 0, 4});
    for (unsigned n = 1; rc == 1; n++) {
        rc = cancel_next(run, txn);
        if (rc == 1 && n % OPS_CLOCK_EVERY == 0 && clock_mono_us() >= deadline_us)
            break;
    }
    store_abort(txn);
    if (rc < 0)
        return ops_store_error(run, rc);
    if (rc == 0) {
        batch_run_step(run, 1, &(struct progress_step){"updating tasks", 3, 4});
        decide(run);
    }
    return rc == 1 ? OP_MORE : OP_DONE;
}

const struct batch_op task_cancelation_op = {
    .name = "task cancelation",
    .prepare = cancelation_prepare,
    .step = cancelation_step,
    .abort = cancelation_free,
    .done = cancelation_free,
};
