/* /indexes: create, list, get, update, delete. The catalogue answers reads; writes are tasks. */
#include <stdlib.h>

#include "api/body.h"
#include "api/enqueue.h"
#include "api/fields.h"
#include "api/params.h"
#include "api/reply.h"
#include "base/mem.h"

/* --- GET /indexes */

struct list_params {
    struct param_u64 offset, limit;
};
static const struct param list_rows[] = {
    {.name = "offset",
     .code = ERR_INVALID_INDEX_OFFSET,
     .read = param_u64,
     .offset = offsetof(struct list_params, offset)},
    {.name = "limit",
     .code = ERR_INVALID_INDEX_LIMIT,
     .read = param_u64,
     .offset = offsetof(struct list_params, limit)},
};
static const struct param_table list_query = PARAM_TABLE(list_rows);

struct list {
    struct turn *turn;
    struct arena *arena; /* of the grant */
    struct auth_grant grant;
    uint64_t offset, limit;
    bool has_begun;
    uint64_t seen, shown; /* of the key's indexes */
    struct buf after;     /* uid of the last index looked at */
};

/* Seen and, when on the page, shown. */
static void
list_add(struct list *l, const struct index_info *info, struct buf *out)
{
    buf_clear(&l->after);
    buf_add_cstr(&l->after, info->uid);
    if (!auth_grant_sees(&l->grant, str_from(info->uid)))
        return;
    if (l->seen++ < l->offset || l->shown >= l->limit)
        return;
    if (l->shown++ > 0)
        buf_add_char(out, ',');
    index_info_write_json(out, info);
}

/* 1: more follows, 0: the page is complete, negative: store code. A key for some indexes has their
 * number as its total: they are counted to the end. */
static int
list_rows_into(struct list *l, struct store_txn *txn, struct buf *out, int64_t deadline_us)
{
    while (l->shown < l->limit || !l->grant.sees_all_indexes) {
        struct index_info info;
        index_info_init(&info);
        int rc = catalog_next(txn, l->after.len == 0 ? STR_NULL : buf_str(&l->after), &info);
        if (rc == 1)
            list_add(l, &info, out);
        index_info_done(&info);
        if (rc <= 0)
            return rc;
        if (reply_piece_is_full(out, deadline_us))
            return 1;
    }
    return 0;
}

static enum http_piece
list_make(void *arg, struct buf *out, int64_t deadline_us)
{
    struct list *l = arg;
    struct store_txn *txn = turn_read(l->turn);
    if (txn == NULL)
        return HTTP_PIECE_FAILED;
    if (!l->has_begun)
        buf_add_cstr(out, "{\"results\":[");
    l->has_begun = true;
    int rc = list_rows_into(l, txn, out, deadline_us);
    if (rc == 0)
        buf_addf(out, "],\"offset\":%llu,\"limit\":%llu,\"total\":%llu}",
                 (unsigned long long) l->offset, (unsigned long long) l->limit,
                 (unsigned long long) (l->grant.sees_all_indexes ? catalog_count(txn) : l->seen));
    store_abort(txn);
    return rc < 0 ? HTTP_PIECE_FAILED : rc == 0 ? HTTP_PIECE_LAST : HTTP_PIECE_MORE;
}

static void
list_release(void *arg)
{
    struct list *l = arg;
    buf_done(&l->after);
    arena_free(l->arena);
    free(l);
}

static enum http_result
index_list(struct http_call *call)
{
    struct list_params params = {.limit.value = 20};
    if (PARAMS_READ(call, list_rows, &params) < 0)
        return HTTP_ERROR;
    struct list *l = mem_new(1, sizeof(*l));
    *l = (struct list){.turn = handler_api(call)->turn,
                       .arena = arena_new(),
                       .offset = params.offset.value,
                       .limit = params.limit.value};
    struct auth_grant grant = handler_grant(call);
    l->grant = auth_grant_keep(l->arena, &grant);
    struct reply_listing listing = {list_make, list_release, l};
    return reply_listing(call, &listing);
}

/* --- GET /indexes/{indexUid} */

int
handler_find_index(struct http_call *call, struct str uid, struct index_info *ret)
{
    struct store_txn *txn = handler_read(call);
    if (txn == NULL)
        return -1;
    int rc = catalog_get(txn, uid, ret);
    store_abort(txn);
    if (rc == 0)
        return err_set(&call->err, ERR_INDEX_NOT_FOUND, "Index `%.*s` not found.", STR_ARG(uid));
    return rc < 0 ? handler_store_error(&call->err, rc) : 0;
}

static enum http_result
index_get(struct http_call *call)
{
    struct str uid;
    struct index_info info;
    struct buf body = BUF_INIT;
    index_info_init(&info);
    int rc = handler_index_uid(call, 0, &uid);
    if (rc == 0)
        rc = handler_find_index(call, uid, &info);
    if (rc == 0)
        index_info_write_json(&body, &info);
    index_info_done(&info);
    return rc < 0 ? HTTP_ERROR : reply_json(call, 200, &body);
}

/* --- POST /indexes, PATCH and DELETE /indexes/{indexUid} */

struct index_fields {
    struct str path_uid, uid, primary_key;
};

static int
field_index_uid(const struct field_in *in, void *dst)
{
    struct str *ret = dst, uid = json_string(in->value);
    *ret = uid;
    if (index_uid_is_valid(uid))
        return 0;
    struct buf why = BUF_INIT;
    index_uid_write_invalid(&why, uid);
    int rc = field_invalid(in, "%s", buf_cstr(&why));
    buf_done(&why);
    return rc;
}

static const struct field create_rows[] = {
    {.name = "uid",
     .code = ERR_INVALID_INDEX_UID,
     .kinds = FIELD_STRING,
     .no_null = true,
     .missing = ERR_MISSING_INDEX_UID,
     .read = field_index_uid,
     .offset = offsetof(struct index_fields, uid)},
    {.name = "primaryKey",
     .code = ERR_INVALID_INDEX_PRIMARY_KEY,
     .kinds = FIELD_STRING,
     .read = field_string,
     .offset = offsetof(struct index_fields, primary_key)},
};
static const struct fields create_fields = FIELDS_OF(create_rows);

static const struct field update_rows[] = {
    {.name = "primaryKey",
     .code = ERR_INVALID_INDEX_PRIMARY_KEY,
     .kinds = FIELD_STRING,
     .read = field_string,
     .offset = offsetof(struct index_fields, primary_key)},
    {.name = "uid",
     .code = ERR_INVALID_INDEX_UID,
     .kinds = FIELD_STRING,
     .read = field_index_uid,
     .offset = offsetof(struct index_fields, uid)},
    {.name = "createdAt", .code = ERR_IMMUTABLE_INDEX_CREATED_AT},
    {.name = "updatedAt", .code = ERR_IMMUTABLE_INDEX_UPDATED_AT},
};
static const struct fields update_fields = FIELDS_OF(update_rows);

static int
add_create(struct http_call *call, void *arg, struct ops_result *ret)
{
    struct index_fields *f = arg;
    return ops_create_index(handler_api(call)->ops, f->uid, f->primary_key, ret, &call->err);
}

static enum http_result
index_create(struct http_call *call)
{
    struct body body;
    struct index_fields f = {0};
    struct auth_grant grant = handler_grant(call);
    enum http_result result = HTTP_ERROR;
    if (body_read_json(call, &body) == 0 &&
        fields_read(call->arena, json_root(body.doc), "", &create_fields, &f, &call->err) == 0 &&
        handler_check_index(&grant, f.uid, &call->err) == 0)
        result = enqueue_now(call, 202, buf_str(&body.raw), add_create, &f);
    body_done(&body);
    return result;
}

static int
add_update(struct http_call *call, void *arg, struct ops_result *ret)
{
    struct index_fields *f = arg;
    return ops_update_index(handler_api(call)->ops, f->path_uid, f->primary_key, f->uid, ret,
                            &call->err);
}

static enum http_result
index_update(struct http_call *call)
{
    struct body body;
    struct index_fields f = {0};
    struct auth_grant grant = handler_grant(call);
    enum http_result result = HTTP_ERROR;
    if (body_read_json(call, &body) == 0 &&
        fields_read(call->arena, json_root(body.doc), "", &update_fields, &f, &call->err) == 0 &&
        handler_index_uid(call, 0, &f.path_uid) == 0 &&
        (f.uid.data == NULL || handler_check_index(&grant, f.uid, &call->err) == 0))
        result = enqueue_now(call, 202, buf_str(&body.raw), add_update, &f);
    body_done(&body);
    return result;
}

static int
add_delete(struct http_call *call, void *arg, struct ops_result *ret)
{
    struct str *uid = arg;
    return ops_delete_index(handler_api(call)->ops, *uid, ret, &call->err);
}

static enum http_result
index_delete(struct http_call *call)
{
    struct str uid;
    struct body body;
    if (handler_index_uid(call, 0, &uid) < 0)
        return HTTP_ERROR;
    body_read_ignored(call, &body);
    enum http_result result = enqueue_now(call, 202, buf_str(&body.raw), add_delete, &uid);
    body_done(&body);
    return result;
}

static int
add_compact(struct http_call *call, void *arg, struct ops_result *ret)
{
    struct str *uid = arg;
    return ops_compact_index(handler_api(call)->ops, *uid, ret, &call->err);
}

/* No body is asked for, whatever comes is ignored; that the index is missing is the task's error.
 */
static enum http_result
index_compact(struct http_call *call)
{
    struct str uid;
    struct body body;
    if (handler_index_uid(call, 0, &uid) < 0)
        return HTTP_ERROR;
    body_read_ignored(call, &body);
    enum http_result result = enqueue_now(call, 202, buf_str(&body.raw), add_compact, &uid);
    body_done(&body);
    return result;
}

static const struct route rows[] = {
    {.method = HTTP_GET,
     .pattern = "/indexes",
     .action = "indexes.get",
     .handler = index_list,
     .query = &list_query,
     .summary = "List indexes"},
    {.method = HTTP_POST,
     .pattern = "/indexes",
     .action = "indexes.create",
     .flags = ROUTE_JSON_BODY | ROUTE_ENQUEUES,
     .handler = index_create,
     .body = &create_fields,
     .summary = "Create an index"},
    {.method = HTTP_GET,
     .pattern = "/indexes/{indexUid}",
     .action = "indexes.get",
     .handler = index_get,
     .summary = "Get one index"},
    {.method = HTTP_PATCH,
     .pattern = "/indexes/{indexUid}",
     .action = "indexes.update",
     .flags = ROUTE_JSON_BODY | ROUTE_ENQUEUES,
     .handler = index_update,
     .body = &update_fields,
     .summary = "Rename an index or set its primary key"},
    {.method = HTTP_DELETE,
     .pattern = "/indexes/{indexUid}",
     .action = "indexes.delete",
     .flags = ROUTE_ENQUEUES,
     .handler = index_delete,
     .summary = "Delete an index"},
    {.method = HTTP_POST,
     .pattern = "/indexes/{indexUid}/compact",
     .action = "indexes.compact",
     .flags = ROUTE_ENQUEUES,
     .handler = index_compact,
     .summary = "Write an index anew, without what deletions and changes left"},
};
const struct route_table index_routes = ROUTE_TABLE(rows);
