/* taskDeletion: all that are enqueued in one batch; each counts the tasks that it is the first to
 * delete (contract 2.7). Which those are and how they go is queue/'s. */
#include <stdlib.h>

#include "base/mem.h"
#include "ops/ops_internal.h"

struct state {
    struct task_deletion *deletion;
    size_t at; /* the member whose tasks are being found */
    uint64_t n_deleted;
};

static void
state_free(struct batch_run *run)
{
    struct state *s = run->state;

    if (s == NULL)
        return;
    run->state = NULL;
    task_deletion_free(s->deletion);
    free(s);
}

static int
deletion_prepare(struct batch_run *run)
{
    struct state *s = mem_new(1, sizeof(*s));

    run->state = s;
    s->deletion = task_deletion_new(run->queue);
    return OP_DONE;
}

/* 1 when it is time, 0 when the member is decided, negative. */
static int
decide_member(struct batch_run *run, struct store_txn *txn, int64_t deadline_us)
{
    struct state *s = run->state;
    struct batch_member *m = &run->members[s->at];
    struct task t;
    int rc = task_deletion_add(s->deletion, txn, m->uid, deadline_us, &s->n_deleted);

    if (rc != 0)
        return rc < 0 ? ops_store_error(run, rc) : rc;
    if (ops_load_task(run, txn, s->at, &t) < 0)
        return -1;
    ops_succeed(m, details_with(t.details, "deletedTasks", s->n_deleted));
    task_done(&t);
    s->at++;
    s->n_deleted = 0;
    return 0;
}

static int
deletion_step(struct batch_run *run, int64_t deadline_us)
{
    struct state *s = run->state;
    struct store_txn *txn = ops_read(run);
    int rc = 0;

    if (txn == NULL)
        return -1;
    if (s->at < run->n_members)
        batch_run_step(run, 1, &(struct progress_step){"retrieving tasks", 0, 8});
    while (rc == 0 && s->at < run->n_members)
        rc = decide_member(run, txn, deadline_us);
    if (rc == 0) {
        batch_run_step(run, 1, &(struct progress_step){"retrieving batch tasks", 1, 8});
        rc = task_deletion_gather(s->deletion, txn, deadline_us);
        if (rc < 0)
            (void) ops_store_error(run, rc);
    }
    store_abort(txn);
    return rc < 0 ? -1 : rc > 0 ? OP_MORE : OP_DONE;
}

static int
deletion_finish(struct batch_run *run, struct store_txn *txn)
{
    struct state *s = run->state;

    return task_deletion_finish(s->deletion, txn);
}

static void
deletion_done(struct batch_run *run)
{
    struct state *s = run->state;

    task_deletion_done(s->deletion);
    state_free(run);
}

const struct batch_op task_deletion_op = {
    .name = "task deletion",
    .prepare = deletion_prepare,
    .step = deletion_step,
    .finish = deletion_finish,
    .abort = state_free,
    .done = deletion_done,
};
