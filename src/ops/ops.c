/* The object behind every batch operation, the facts for picking, the sweep at start, and what the
 * operations share. */
#include "ops/ops.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "index/strmap.h"
#include "ops/ops_internal.h"
#include "ops/staging.h"

static const struct batch_op *const op_rows[BATCH_TYPES] = {
    [BATCH_DOCUMENTS] = &documents_op,
    [BATCH_SETTINGS] = &documents_op,
    [BATCH_INDEX_CREATION] = &index_creation_op,
    [BATCH_INDEX_UPDATE] = &index_update_op,
    [BATCH_INDEX_SWAP] = &index_swap_op,
    [BATCH_INDEX_DELETION] = &index_deletion_op,
    [BATCH_INDEX_COMPACTION] = &index_compaction_op,
    [BATCH_TASK_CANCELATION] = &task_cancelation_op,
    [BATCH_TASK_DELETION] = &task_deletion_op,
    [BATCH_INDEX_DEPLOY] = &documents_op,
};

struct ops *
ops_new(const struct ops_conf *conf)
{
    struct ops *o = mem_new(1, sizeof(*o));

    *o = (struct ops){.loop = conf->loop,
                      .turn = conf->turn,
                      .queue = conf->queue,
                      .indexes = conf->indexes,
                      .payloads = conf->payloads};
    o->collector = collector_new(conf->loop, conf->turn, conf->payloads);
    for (int type = 0; type < BATCH_TYPES; type++)
        if (op_rows[type] != NULL)
            queue_register_op(o->queue, (enum batch_type) type, op_rows[type], o);
    return o;
}

void
ops_free(struct ops *o)
{
    if (o != NULL)
        collector_free(o->collector);
    free(o);
}

int
ops_index_facts(void *ops, struct store_txn *txn, struct str index_uid, struct index_facts *ret)
{
    struct index_info info;
    int rc = catalog_get(txn, index_uid, &info);

    (void) ops; /* the catalogue is in the transaction */
    *ret = (struct index_facts){.exists = rc == 1, .primary_key = info.primary_key};
    info.primary_key = NULL;
    index_info_done(&info);
    return rc < 0 ? rc : 0;
}

/* --- the sweep */

static bool
is_referenced(void *arg, const struct uuid *uuid)
{
    return strmap_has(arg, str_make(uuid->bytes, sizeof(uuid->bytes)));
}

static int
note(struct strmap *found, const struct uuid *uuid)
{
    if (uuid_is_nil(uuid))
        return 0;
    return strmap_put(found, str_make(uuid->bytes, sizeof(uuid->bytes)), NULL) < 0 ? STORE_EFULL
                                                                                   : 0;
}

static int
note_file(void *found, const struct uuid *uuid)
{
    return note(found, uuid);
}

static int
find_index_dirs(struct store_txn *txn, struct strmap *found)
{
    struct buf after = BUF_INIT;
    struct index_info info;
    int rc;

    while ((rc = catalog_next(txn, buf_str(&after), &info)) == 1) {
        rc = note(found, &info.uuid);
        buf_clear(&after);
        buf_add_cstr(&after, info.uid);
        index_info_done(&info);
        if (rc < 0)
            break;
    }
    buf_done(&after);
    return rc;
}

/* Only tasks that are not finished refer to payloads; before queue_start a run that was interrupted
 * counts as enqueued. */
static int
find_payloads(struct queue *q, struct store_txn *txn, struct strmap *found)
{
    uint32_t uid = 0;
    struct task t;
    int rc;

    while ((rc = queue_next_enqueued(txn, NULL, uid, &uid)) == 1) {
        rc = queue_task_get(q, txn, uid, &t);
        if (rc == 1) {
            rc = note(found, &t.payload_file);
            task_done(&t);
        }
        if (rc < 0 || uid++ == TASK_NONE - 1)
            break;
    }
    return rc;
}

int
ops_sweep(struct ops *o, struct err *err)
{
    struct store_txn *txn = turn_read(o->turn);
    struct strmap dirs, files;
    int rc;

    if (txn == NULL)
        return err_set(err, ERR_INTERNAL, "cannot read the data directory");
    strmap_init(&dirs);
    strmap_init(&files);
    rc = find_index_dirs(txn, &dirs);
    if (rc == 0)
        rc = find_payloads(o->queue, txn, &files);
    if (rc == 0)
        rc = staging_each_file(txn, note_file, &files);
    store_abort(txn);
    if (rc == 0) {
        collector_wake(o->collector);
        index_set_sweep(o->indexes, is_referenced, &dirs);
        payload_dir_sweep(o->payloads, is_referenced, &files);
    }
    strmap_done(&dirs);
    strmap_done(&files);
    return rc < 0 ? err_set(err, ERR_INTERNAL, "cannot read the data directory: %s",
                            store_strerror(rc))
                  : 0;
}

/* --- for the operations */

int
ops_store_error(struct batch_run *run, int code)
{
    return err_set(&run->err, code == STORE_EIO ? ERR_IO_ERROR : ERR_INTERNAL, "%s",
                   store_strerror(code));
}

struct store_txn *
ops_read(struct batch_run *run)
{
    struct ops *o = queue_op_arg(run);
    struct store_txn *txn = turn_read(o->turn);

    if (txn == NULL)
        (void) ops_store_error(run, STORE_EIO);
    return txn;
}

int
ops_load_task(struct batch_run *run, struct store_txn *txn, size_t i, struct task *ret)
{
    int rc = queue_task_get(run->queue, txn, run->members[i].uid, ret);

    if (rc == 1)
        return 0;
    task_init(ret);
    return ops_store_error(run, rc == 0 ? STORE_ECORRUPT : rc);
}

void
ops_succeed(struct batch_member *m, char *take_details)
{
    m->outcome = TASK_SUCCEEDED;
    free(m->details);
    m->details = take_details;
}

void
ops_fail(struct batch_member *m, const struct task *t, const struct err *why)
{
    m->outcome = TASK_FAILED;
    free(m->details);
    m->details = details_of_failed(t);
    err_copy(&m->error, why);
}

int
ops_fail_all(struct batch_run *run, size_t *at, const struct err *why, int64_t deadline_us)
{
    struct store_txn *txn = ops_read(run);
    struct task t;

    if (txn == NULL)
        return -1;
    while (*at < run->n_members) {
        if (ops_load_task(run, txn, *at, &t) < 0) {
            store_abort(txn);
            return -1;
        }
        ops_fail(&run->members[(*at)++], &t, why);
        task_done(&t);
        if (*at % OPS_CLOCK_EVERY == 0 && clock_mono_us() >= deadline_us)
            break;
    }
    store_abort(txn);
    return *at < run->n_members ? OP_MORE : OP_DONE;
}

int
ops_index_not_found(struct err *err, const char *index_uid)
{
    return err_set(err, ERR_INDEX_NOT_FOUND, "Index `%s` not found.", index_uid);
}

int
ops_index_exists(struct err *err, const char *index_uid)
{
    return err_set(err, ERR_INDEX_ALREADY_EXISTS, "Index `%s` already exists.", index_uid);
}

void
ops_prefix_error(struct err *err, const char *index_uid)
{
    struct err prefixed = ERR_INIT;

    (void) err_set(&prefixed, err->code, "Index `%s`: %s", index_uid, err->message);
    err_move(err, &prefixed);
}
