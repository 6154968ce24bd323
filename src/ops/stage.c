/* Accepting what data sources send: the task that records it and the staging rows, in the turn's
 * transaction. Carries nothing out: that is deploy.c. */
#include <stdlib.h>

#include "codec/json.h"
#include "ops/ops_internal.h"

/* Where the answer says all, it names the deployment by its task. */
#define SUCCESS "{\"success\":true}"

void
ops_write_deploy_details(struct buf *out, const struct deploy_details *d)
{
    struct json_out j = json_out(out);

    json_begin_object(&j);
    if (!d->is_done) {
        static const char *const keys[] = {"stagedOperations", "replaceAll", "indexedDocuments",
                                           "deletedDocuments"};
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
            json_key(&j, keys[i]);
            json_put_null(&j);
        }
    } else {
        json_key(&j, "stagedOperations");
        json_put_u64(&j, d->n_ops);
        json_key(&j, "replaceAll");
        json_put_bool(&j, d->replaces_all);
        json_key(&j, "indexedDocuments");
        json_put_u64(&j, d->n_indexed);
        json_key(&j, "deletedDocuments");
        json_put_u64(&j, d->n_deleted);
    }
    json_end_object(&j);
}

/* --- does the index exist, or may it */

static int
fail_read(struct err *err, int code)
{
    return err_set(err, ERR_INTERNAL, "The store could not be read: %s.", store_strerror(code));
}

static int
fail_missing(struct err *err, struct str index_uid)
{
    return err_set(err, ERR_INDEX_NOT_FOUND, "Index `%.*s` not found.", STR_ARG(index_uid));
}

/* An index counts as known from the first staged operation that may create it. 1 / 0 / negative;
 * ret_id_name may be NULL. */
static int
is_known(struct store_txn *txn, struct str index_uid, struct buf *ret_id_name)
{
    struct index_info info;
    struct staging s;
    int rc = catalog_get(txn, index_uid, &info);

    if (ret_id_name != NULL && rc >= 0)
        buf_add_cstr(ret_id_name,
                     rc == 1 && info.primary_key != NULL ? info.primary_key : STAGING_ID_NAME);
    index_info_done(&info);
    if (rc != 0)
        return rc;
    rc = staging_get(txn, index_uid, &s);
    return rc == 1 ? s.may_create : rc;
}

int
ops_stage_begin(struct ops *o, struct str index_uid, bool may_create, struct buf *ret_id_name,
                struct err *err)
{
    struct store_txn *txn = turn_read(o->turn);
    int rc = txn == NULL ? STORE_EIO : is_known(txn, index_uid, ret_id_name);

    store_abort(txn);
    if (rc < 0)
        return fail_read(err, rc);
    return rc == 1 || may_create ? 0 : fail_missing(err, index_uid);
}

int
ops_has_staged(struct ops *o, struct str index_uid, struct err *err)
{
    struct store_txn *txn = turn_read(o->turn);
    int known = txn == NULL ? STORE_EIO : is_known(txn, index_uid, NULL);
    int rc = known == 1 ? staging_has_data(o->queue, txn, index_uid) : known;

    store_abort(txn);
    if (rc < 0)
        return fail_read(err, rc);
    return known == 1 ? rc : fail_missing(err, index_uid);
}

/* In the turn's transaction, where nothing may come between it and the task. */
static int
check_known(struct store_txn *txn, struct str index_uid, bool may_create, struct err *err)
{
    int rc = is_known(txn, index_uid, NULL);

    if (rc < 0)
        return fail_read(err, rc);
    return rc == 1 || may_create ? 0 : fail_missing(err, index_uid);
}

/* --- adding */

/* A put that failed fails the whole turn, which the held reply reports. */
static void
settle(struct ops *o, int rc)
{
    if (rc < 0)
        turn_fail(o->turn, rc);
}

static int
add_stage_task(struct ops *o, struct str index_uid, struct str details, uint32_t *ret_uid,
               struct err *err)
{
    struct task_new n = {.kind = KIND_INDEX_STAGE,
                         .role = ROLE_ALONE,
                         .index_uid = index_uid,
                         .details = details,
                         .is_done = true};

    return queue_add(o->queue, &n, ret_uid, NULL, err);
}

int
ops_stage(struct ops *o, const struct ops_stage *s, struct ops_result *ret, struct err *err)
{
    struct store_txn *txn = turn_txn(o->turn);
    struct staged op = {.kind = s->kind,
                        .n_upserts = s->n_upserts,
                        .n_removes = s->n_removes,
                        .size = s->payload->size,
                        .file = s->payload->file,
                        .inline_bytes = s->payload->inline_bytes};
    struct buf details = BUF_INIT;
    int rc;

    if (check_known(txn, s->index_uid, s->may_create, err) < 0)
        return -1;
    buf_addf(&details, "{\"operation\":\"%s\",\"receivedDocuments\":%llu,\"providedIds\":%llu}",
             s->kind == STAGED_SNAPSHOT ? "snapshot" : "notify", (unsigned long long) s->n_upserts,
             (unsigned long long) s->n_removes);
    rc = add_stage_task(o, s->index_uid, buf_str(&details), &op.uid, err);
    buf_done(&details);
    if (rc < 0)
        return rc;
    settle(o, staging_put(o->queue, txn, s->index_uid, &op, s->may_create));
    if (s->kind == STAGED_SNAPSHOT)
        collector_wake(o->collector);
    ret->task_uid = op.uid;
    buf_add_cstr(&ret->summary, SUCCESS);
    return 0;
}

int
ops_stage_schema(struct ops *o, struct str index_uid, struct str names, bool may_create,
                 struct ops_result *ret, struct err *err)
{
    struct store_txn *txn = turn_txn(o->turn);

    if (check_known(txn, index_uid, may_create, err) < 0 ||
        add_stage_task(o, index_uid, STR("{\"operation\":\"update-schema\"}"), &ret->task_uid,
                       err) < 0)
        return -1;
    settle(o, staging_put_schema(txn, index_uid, ret->task_uid, names, may_create));
    buf_add_cstr(&ret->summary, SUCCESS);
    return 0;
}

int
ops_deploy(struct ops *o, struct str index_uid, struct ops_result *ret, struct err *err)
{
    struct store_txn *txn = turn_txn(o->turn);
    struct buf details = BUF_INIT;
    struct staging s;
    struct task_new n = {.kind = KIND_INDEX_DEPLOY, .role = ROLE_DEPLOY, .index_uid = index_uid};
    int rc;

    if (check_known(txn, index_uid, false, err) < 0)
        return -1;
    if (!staging_may_deploy(o->queue, txn, index_uid))
        return err_set(err, ERR_TOO_MANY_DEPLOYS,
                       "Index `%.*s` has %d unfinished deployments. Try again when one of them has "
                       "finished.",
                       STR_ARG(index_uid), STAGING_MAX_DEPLOYS);
    n.allow_index_creation = staging_get(txn, index_uid, &s) == 1 && s.may_create;
    ops_write_deploy_details(&details, &(struct deploy_details){.is_done = false});
    n.details = buf_str(&details);
    rc = queue_add(o->queue, &n, &ret->task_uid, NULL, err);
    buf_done(&details);
    if (rc < 0)
        return rc;
    settle(o, staging_put_deploy(o->queue, txn, index_uid, ret->task_uid));
    buf_addf(&ret->summary, "{\"success\":true,\"deploymentId\":\"dep_%u\"}", ret->task_uid);
    return 0;
}
