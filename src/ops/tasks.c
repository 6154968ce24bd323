/* Building tasks: details as the API shows them, parameters that only ops/ reads, and the role that
 * decides how batches form (contract 2.3, 4.2). Adds rows; carries nothing out. */
#include <stdlib.h>

#include "base/mem.h"
#include "codec/json.h"
#include "index/settings.h"
#include "ops/ops.h"
#include "ops/ops_internal.h"

/* Adds the task with details and params (each may be empty); releases both. */
static int
add_task(struct ops *o, struct task_new *n, struct buf *details, struct buf *params,
         struct ops_result *ret, struct err *err)
{
    int rc;

    buf_init(&ret->summary);
    n->details = buf_str(details);
    n->params = params == NULL ? STR_NULL : buf_str(params);
    rc = queue_add(o->queue, n, &ret->task_uid, &ret->summary, err);
    if (rc < 0)
        buf_done(&ret->summary);
    buf_done(details);
    if (params != NULL)
        buf_done(params);
    return rc;
}

static void
put_optional(struct json_out *j, const char *name, struct str value)
{
    json_key(j, name);
    if (value.data == NULL)
        json_put_null(j);
    else
        json_put_str(j, value);
}

static void
put_null(struct json_out *j, const char *name)
{
    json_key(j, name);
    json_put_null(j);
}

int
ops_add_documents(struct ops *o, const struct ops_documents *d, struct ops_result *ret,
                  struct err *err)
{
    struct buf details = BUF_INIT, params = BUF_INIT;
    struct task_new n = {.kind = KIND_DOCUMENT_ADDITION_OR_UPDATE,
                         .role = ROLE_IMPORT,
                         .index_uid = d->index_uid,
                         .custom_metadata = d->custom_metadata,
                         .primary_key = d->primary_key,
                         .allow_index_creation = d->allow_index_creation,
                         .payload = d->payload};

    buf_add_str(&details, STR("{\"receivedDocuments\":"));
    buf_add_u64(&details, d->received);
    buf_add_str(&details, STR(",\"indexedDocuments\":null}"));
    buf_add_str(&params, STR("{\"merge\":"));
    buf_add_cstr(&params, d->method == DOCUMENT_MERGE ? "true" : "false");
    buf_add_str(&params, STR(",\"skipCreation\":"));
    buf_add_cstr(&params, d->skip_creation ? "true}" : "false}");
    return add_task(o, &n, &details, &params, ret, err);
}

int
ops_delete_documents(struct ops *o, struct str index_uid, uint64_t provided,
                     const struct payload *payload, struct str custom_metadata,
                     struct ops_result *ret, struct err *err)
{
    struct buf details = BUF_INIT;
    struct task_new n = {.kind = KIND_DOCUMENT_DELETION,
                         .role = ROLE_DELETE_BY_IDS,
                         .index_uid = index_uid,
                         .custom_metadata = custom_metadata,
                         .payload = payload};

    buf_addf(&details, "{\"providedIds\":%llu,\"deletedDocuments\":null,\"originalFilter\":null}",
             (unsigned long long) provided);
    return add_task(o, &n, &details, NULL, ret, err);
}

int
ops_delete_by_filter(struct ops *o, struct str index_uid, const struct json *filter,
                     struct str custom_metadata, struct ops_result *ret, struct err *err)
{
    struct buf details = BUF_INIT, params = BUF_INIT;
    struct json_out j = json_out(&details);
    struct task_new n = {.kind = KIND_DOCUMENT_DELETION,
                         .role = ROLE_DELETE_BY_FILTER,
                         .index_uid = index_uid,
                         .custom_metadata = custom_metadata};

    json_write(&params, filter);
    json_begin_object(&j);
    json_key(&j, "providedIds");
    json_put_u64(&j, 0);
    put_null(&j, "deletedDocuments");
    json_key(&j, "originalFilter"); /* JSON in a string (contract 2.3) */
    json_put_str(&j, buf_str(&params));
    json_end_object(&j);
    return add_task(o, &n, &details, &params, ret, err);
}

static void
write_field_params(struct buf *out, const struct ops_field *f, bool is_update)
{
    struct json_out j = json_out(out);

    json_begin_object(&j);
    if (is_update) {
        json_key(&j, "merge");
        json_put_bool(&j, true);
        json_key(&j, "skipCreation");
        json_put_bool(&j, true);
    }
    json_key(&j, "field");
    json_put_str(&j, f->name);
    json_key(&j, "value");
    json_put_raw(&j, f->value);
    json_end_object(&j);
}

/* The details show it as the filter that it is nearest to. */
int
ops_delete_by_field(struct ops *o, const struct ops_field *f, struct ops_result *ret,
                    struct err *err)
{
    struct buf details = BUF_INIT, params = BUF_INIT, filter = BUF_INIT, shown = BUF_INIT;
    struct json_out j = json_out(&details);
    struct task_new n = {
        .kind = KIND_DOCUMENT_DELETION, .role = ROLE_DELETE_BY_FILTER, .index_uid = f->index_uid};

    json_write_string(&filter, f->name);
    buf_add_cstr(&filter, " = ");
    buf_add_str(&filter, f->value);
    json_write_string(&shown, buf_str(&filter));
    json_begin_object(&j);
    json_key(&j, "providedIds");
    json_put_u64(&j, 0);
    put_null(&j, "deletedDocuments");
    json_key(&j, "originalFilter");
    json_put_str(&j, buf_str(&shown));
    json_end_object(&j);
    buf_done(&filter);
    buf_done(&shown);
    write_field_params(&params, f, false);
    return add_task(o, &n, &details, &params, ret, err);
}

int
ops_update_by_field(struct ops *o, const struct ops_field *f, const struct payload *payload,
                    struct ops_result *ret, struct err *err)
{
    struct buf details = BUF_INIT, params = BUF_INIT;
    struct task_new n = {.kind = KIND_DOCUMENT_ADDITION_OR_UPDATE,
                         .role = ROLE_IMPORT,
                         .index_uid = f->index_uid,
                         .custom_metadata = f->custom_metadata,
                         .payload = payload};

    buf_add_cstr(&details, "{\"receivedDocuments\":1,\"indexedDocuments\":null}");
    write_field_params(&params, f, true);
    return add_task(o, &n, &details, &params, ret, err);
}

int
ops_update_settings(struct ops *o, struct str index_uid, const struct json *sent,
                    bool allow_index_creation, struct ops_result *ret, struct err *err)
{
    struct buf details = BUF_INIT, params = BUF_INIT;
    struct task_new n = {.kind = KIND_SETTINGS_UPDATE,
                         .role = ROLE_SETTINGS,
                         .index_uid = index_uid,
                         .allow_index_creation = allow_index_creation};

    settings_write_details(&details, sent);
    json_write(&params, sent);
    if (str_equal(buf_str(&details), buf_str(&params))) /* then the details say it all */
        buf_clear(&params);
    return add_task(o, &n, &details, &params, ret, err);
}

int
ops_clear_documents(struct ops *o, struct str index_uid, struct str custom_metadata,
                    struct ops_result *ret, struct err *err)
{
    struct buf details = BUF_INIT;
    struct task_new n = {.kind = KIND_DOCUMENT_DELETION,
                         .role = ROLE_CLEAR,
                         .index_uid = index_uid,
                         .custom_metadata = custom_metadata};

    buf_add_cstr(&details, "{\"deletedDocuments\":null}");
    return add_task(o, &n, &details, NULL, ret, err);
}

int
ops_create_index(struct ops *o, struct str index_uid, struct str primary_key,
                 struct ops_result *ret, struct err *err)
{
    struct buf details = BUF_INIT, params = BUF_INIT;
    struct json_out j = json_out(&details);
    struct task_new n = {.kind = KIND_INDEX_CREATION, .role = ROLE_ALONE, .index_uid = index_uid};

    json_begin_object(&j);
    put_optional(&j, "primaryKey", primary_key);
    json_end_object(&j);
    buf_add_str(&params, buf_str(&details));
    return add_task(o, &n, &details, &params, ret, err);
}

int
ops_update_index(struct ops *o, struct str index_uid, struct str primary_key, struct str new_uid,
                 struct ops_result *ret, struct err *err)
{
    struct buf details = BUF_INIT, params = BUF_INIT;
    struct json_out j = json_out(&details), p = json_out(&params);
    struct task_new n = {.kind = KIND_INDEX_UPDATE,
                         .role = ROLE_ALONE,
                         .index_uid = index_uid,
                         .also_indexes = &new_uid,
                         .n_also_indexes = new_uid.data != NULL && !str_equal(new_uid, index_uid)};

    json_begin_object(&j);
    put_optional(&j, "primaryKey", primary_key);
    if (new_uid.data != NULL) {
        put_optional(&j, "oldIndexUid", index_uid);
        put_optional(&j, "newIndexUid", new_uid);
    }
    json_end_object(&j);
    json_begin_object(&p);
    put_optional(&p, "primaryKey", primary_key);
    put_optional(&p, "newUid", new_uid);
    json_end_object(&p);
    return add_task(o, &n, &details, &params, ret, err);
}

int
ops_delete_index(struct ops *o, struct str index_uid, struct ops_result *ret, struct err *err)
{
    struct buf details = BUF_INIT;
    struct task_new n = {
        .kind = KIND_INDEX_DELETION, .role = ROLE_INDEX_DELETION, .index_uid = index_uid};

    buf_add_cstr(&details, "{\"deletedDocuments\":null}");
    return add_task(o, &n, &details, NULL, ret, err);
}

int
ops_compact_index(struct ops *o, struct str index_uid, struct ops_result *ret, struct err *err)
{
    struct buf details = BUF_INIT;
    struct task_new n = {
        .kind = KIND_INDEX_COMPACTION, .role = ROLE_COMPACTION, .index_uid = index_uid};

    buf_add_cstr(&details, "{}");
    return add_task(o, &n, &details, NULL, ret, err);
}

static void
put_swap(struct json_out *j, const struct ops_swap *s)
{
    json_begin_object(j);
    json_key(j, "indexes");
    json_begin_array(j);
    json_put_str(j, s->a);
    json_put_str(j, s->b);
    json_end_array(j);
    json_key(j, "rename");
    json_put_bool(j, s->rename);
    json_end_object(j);
}

int
ops_swap_indexes(struct ops *o, const struct ops_swap *swaps, size_t n, struct ops_result *ret,
                 struct err *err)
{
    struct buf details = BUF_INIT, params = BUF_INIT;
    struct json_out j = json_out(&details);
    struct str *uids = mem_new(2 * n + 1, sizeof(*uids));
    struct task_new task = {.kind = KIND_INDEX_SWAP,
                            .role = ROLE_ALONE,
                            .also_indexes = uids,
                            .n_also_indexes = (uint32_t) (2 * n)};
    int rc;

    json_begin_object(&j);
    json_key(&j, "swaps");
    json_begin_array(&j);
    for (size_t i = 0; i < n; i++) {
        put_swap(&j, &swaps[i]);
        uids[2 * i] = swaps[i].a;
        uids[2 * i + 1] = swaps[i].b;
    }
    json_end_array(&j);
    json_end_object(&j);
    buf_add_str(&params, buf_str(&details));
    rc = add_task(o, &task, &details, &params, ret, err);
    free(uids);
    return rc;
}

/* A task that changes the tasks it matched; counter: how many it changed. */
static int
change_tasks(struct ops *o, struct task_new *n, const char *counter, struct str original_filter,
             struct ops_result *ret, struct err *err)
{
    struct buf details = BUF_INIT;
    struct json_out j = json_out(&details);

    json_begin_object(&j);
    json_key(&j, "matchedTasks");
    json_put_u64(&j, uidmap_count(n->matched));
    put_null(&j, counter);
    json_key(&j, "originalFilter");
    json_put_str(&j, original_filter);
    json_end_object(&j);
    return add_task(o, n, &details, NULL, ret, err);
}

int
ops_cancel_tasks(struct ops *o, struct str original_filter, const struct uidmap *matched,
                 struct ops_result *ret, struct err *err)
{
    struct task_new n = {
        .kind = KIND_TASK_CANCELATION, .role = ROLE_CANCELATION, .matched = matched};

    return change_tasks(o, &n, "canceledTasks", original_filter, ret, err);
}

int
ops_delete_tasks(struct ops *o, struct str original_filter, const struct uidmap *matched,
                 struct ops_result *ret, struct err *err)
{
    struct task_new n = {
        .kind = KIND_TASK_DELETION, .role = ROLE_TASK_DELETION, .matched = matched};

    return change_tasks(o, &n, "deletedTasks", original_filter, ret, err);
}
