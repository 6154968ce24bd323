/* indexDeletion, alone or at the end of a batch whose other tasks it swallows: the catalogue row
 * goes in the finishing transaction, the files after it (invariant 3). */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ops/ops_internal.h"
#include "ops/staging.h"

struct deletion {
    struct index_info info;
    bool exists;
    struct err err; /* why every member fails */
    size_t at;
};

static void
deletion_free(struct batch_run *run)
{
    struct deletion *d = run->state;

    if (d == NULL)
        return;
    run->state = NULL;
    index_info_done(&d->info);
    err_done(&d->err);
    free(d);
}

static int
deletion_prepare(struct batch_run *run)
{
    struct store_txn *txn = ops_read(run);
    struct deletion *d;
    int rc;

    if (txn == NULL)
        return -1;
    d = mem_new(1, sizeof(*d));
    run->state = d;
    rc = catalog_get(txn, str_from(run->index_uid), &d->info);
    store_abort(txn);
    if (rc < 0)
        return ops_store_error(run, rc);
    d->exists = rc == 1;
    if (!d->exists && !run->may_create_index)
        (void) ops_index_not_found(&d->err, run->index_uid);
    return OP_DONE;
}

/* Contract 4.5, the row of index deletions; NULL: unchanged. */
static char *
swallowed_details(const struct deletion *d, const struct task *t)
{
    switch (t->role) {
    case ROLE_IMPORT:
        return details_with(t->details, "indexedDocuments", 0);
    case ROLE_DELETE_BY_IDS:
    case ROLE_DELETE_BY_FILTER:
        return details_with(t->details, "deletedDocuments", 0);
    case ROLE_INDEX_DELETION:
        return details_with(t->details, "deletedDocuments", d->info.n_documents);
    default:
        return NULL;
    }
}

static int
deletion_step(struct batch_run *run, int64_t deadline_us)
{
    struct deletion *d = run->state;
    struct store_txn *txn;
    struct task t;

    batch_run_step(run, 1, &(struct progress_step){"deleting the index", 0, 1});
    if (err_is_set(&d->err))
        return ops_fail_all(run, &d->at, &d->err, deadline_us);
    txn = ops_read(run);
    if (txn == NULL)
        return -1;
    while (d->at < run->n_members) {
        if (ops_load_task(run, txn, d->at, &t) < 0) {
            store_abort(txn);
            return -1;
        }
        ops_succeed(&run->members[d->at++], swallowed_details(d, &t));
        task_done(&t);
        if (d->at % OPS_CLOCK_EVERY == 0 && clock_mono_us() >= deadline_us)
            break;
    }
    store_abort(txn);
    return d->at < run->n_members ? OP_MORE : OP_DONE;
}

static int
deletion_finish(struct batch_run *run, struct store_txn *txn)
{
    struct deletion *d = run->state;
    int rc = d->exists ? catalog_delete(txn, str_from(run->index_uid)) : 0;

    if (rc >= 0 && !err_is_set(&d->err)) /* the deletion itself is the last of the batch */
        rc = staging_drop(txn, str_from(run->index_uid), run->members[run->n_members - 1].uid);
    return rc < 0 ? rc : 0;
}

static void
deletion_done(struct batch_run *run)
{
    struct deletion *d = run->state;
    struct ops *o = queue_op_arg(run);

    collector_wake(o->collector);
    if (d->exists)
        index_remove(o->indexes, &d->info.uuid);
    deletion_free(run);
}

const struct batch_op index_deletion_op = {
    .name = "index deletion",
    .prepare = deletion_prepare,
    .step = deletion_step,
    .finish = deletion_finish,
    .abort = deletion_free,
    .done = deletion_done,
};
