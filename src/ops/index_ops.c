/* indexCreation and indexUpdate (primary key, rename): checked in step, written to the catalogue in
 * the finishing transaction; no index environment is touched (the catalogue alone holds the primary
 * key). */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "ops/ops_internal.h"
#include "ops/staging.h"

/* What the one task of the batch wants and what it met. */
struct change {
    char *primary_key, *new_uid; /* wanted, NULL: not given */
    struct index_info info;      /* the index as it was; when creating: as it will be */
    bool is_accepted, is_rename;
};

static void
change_free(struct batch_run *run)
{
    struct change *c = run->state;

    if (c == NULL)
        return;
    run->state = NULL;
    free(c->primary_key);
    free(c->new_uid);
    index_info_done(&c->info);
    free(c);
}

static char *
param(const struct json_doc *params, const char *name)
{
    const struct json *value = params == NULL ? NULL : json_get_c(json_root(params), name);
    struct str text;

    if (value == NULL || json_type(value) != JSON_STRING)
        return NULL;
    text = json_string(value);
    return mem_strndup(text.data, text.len);
}

static struct change *
change_new(struct batch_run *run, const struct task *t)
{
    struct json_doc *params = t->params == NULL ? NULL : json_parse(str_from(t->params), NULL);
    struct change *c = mem_new(1, sizeof(*c));

    c->primary_key = param(params, "primaryKey");
    c->new_uid = param(params, "newUid");
    index_info_init(&c->info);
    json_doc_free(params);
    run->state = c;
    return c;
}

/* Runs check on the task: 0 accepted, 1 refused with err, negative a store error. */
typedef int check_fn(struct batch_run *run, struct store_txn *txn, struct change *c,
                     struct err *err);

static int
check_and_decide(struct batch_run *run, check_fn *check)
{
    struct store_txn *txn = ops_read(run);
    struct err err = ERR_INIT;
    struct change *c;
    struct task t;
    int rc;

    if (txn == NULL)
        return -1;
    rc = ops_load_task(run, txn, 0, &t);
    if (rc == 0) {
        c = change_new(run, &t);
        rc = check(run, txn, c, &err);
        if (rc < 0)
            (void) ops_store_error(run, rc);
        c->is_accepted = rc == 0;
    }
    store_abort(txn);
    if (rc == 0)
        ops_succeed(&run->members[0], NULL);
    else if (rc == 1)
        ops_fail(&run->members[0], &t, &err);
    err_done(&err);
    task_done(&t);
    return rc < 0 ? -1 : OP_DONE;
}

/* --- creation */

static int
check_creation(struct batch_run *run, struct store_txn *txn, struct change *c, struct err *err)
{
    int rc = catalog_get(txn, str_from(run->index_uid), &c->info);

    if (rc == 1)
        (void) ops_index_exists(err, run->index_uid);
    if (rc != 0)
        return rc;
    c->info.uid = mem_strdup(run->index_uid);
    c->info.uuid = uuid_v4();
    c->info.primary_key = mem_strdup(c->primary_key);
    c->info.created_at_ns = c->info.updated_at_ns = clock_wall_ns();
    return 0;
}

static int
creation_step(struct batch_run *run, int64_t deadline_us)
{
    (void) deadline_us; /* one look-up */
    batch_run_step(run, 1, &(struct progress_step){"creating the index", 0, 1});
    return check_and_decide(run, check_creation);
}

static int
creation_finish(struct batch_run *run, struct store_txn *txn)
{
    struct change *c = run->state;

    return c->is_accepted ? catalog_put(txn, &c->info) : 0;
}

const struct batch_op index_creation_op = {
    .name = "index creation",
    .step = creation_step,
    .finish = creation_finish,
    .abort = change_free,
    .done = change_free,
};

/* --- update */

static int
check_rename(struct store_txn *txn, struct change *c, struct err *err)
{
    struct index_info other;
    int rc;

    c->is_rename = c->new_uid != NULL && strcmp(c->new_uid, c->info.uid) != 0;
    if (!c->is_rename)
        return 0;
    rc = catalog_get(txn, str_from(c->new_uid), &other);
    index_info_done(&other);
    if (rc == 1)
        (void) ops_index_exists(err, c->new_uid);
    return rc;
}

static bool
changes_primary_key(const struct change *c)
{
    return c->primary_key != NULL &&
           (c->info.primary_key == NULL || strcmp(c->primary_key, c->info.primary_key) != 0);
}

static int
check_update(struct batch_run *run, struct store_txn *txn, struct change *c, struct err *err)
{
    int rc = catalog_get(txn, str_from(run->index_uid), &c->info);

    if (rc == 0)
        (void) ops_index_not_found(err, run->index_uid);
    if (rc != 1)
        return rc < 0 ? rc : 1;
    rc = check_rename(txn, c, err);
    if (rc != 0)
        return rc;
    if (!changes_primary_key(c) || c->info.primary_key == NULL || c->info.n_documents == 0)
        return 0;
    (void) err_set(err, ERR_INDEX_PRIMARY_KEY_ALREADY_EXISTS,
                   "Index `%s`: Index already has a primary key: `%s`.", run->index_uid,
                   c->info.primary_key);
    return 1;
}

static int
update_step(struct batch_run *run, int64_t deadline_us)
{
    (void) deadline_us; /* two look-ups */
    batch_run_step(run, 1, &(struct progress_step){"updating the index", 0, 1});
    return check_and_decide(run, check_update);
}

static int
put_updated(struct store_txn *txn, const struct change *c)
{
    struct index_info info = c->info; /* its strings stay the change's */

    if (c->is_rename)
        info.uid = c->new_uid;
    if (changes_primary_key(c))
        info.primary_key = c->primary_key;
    info.updated_at_ns = clock_wall_ns();
    return catalog_put(txn, &info);
}

static int
update_finish(struct batch_run *run, struct store_txn *txn)
{
    struct change *c = run->state;
    int rc = 0;

    if (!c->is_accepted || (!c->is_rename && !changes_primary_key(c)))
        return 0;
    if (c->is_rename)
        rc = catalog_delete(txn, str_from(c->info.uid));
    if (rc >= 0)
        rc = put_updated(txn, c);
    if (rc >= 0 && c->is_rename)
        rc = staging_exchange(txn, str_from(c->info.uid), str_from(c->new_uid));
    if (rc >= 0 && c->is_rename)
        rc = queue_rename_indexes(run->queue, txn, str_from(c->info.uid), str_from(c->new_uid),
                                  run->members[0].uid);
    return rc < 0 ? rc : 0;
}

const struct batch_op index_update_op = {
    .name = "index update",
    .step = update_step,
    .finish = update_finish,
    .abort = change_free,
    .done = change_free,
};
