/* /api/v1/webhooks/{indexUid}/… and /api/v1/indexes/get-index: data sources as Orama Cloud's
 * clients speak to them (contracts.md 2). Owns what these requests look like: the Content-Type is
 * ignored, success is exactly 200, errors are plain text. What is staged and deployed is ops/'s.
 *
 *   snapshot, notify: checks -> upload_begin (in slices when it is large) -> add_staged
 *   the others are small */
#include "api/body.h"
#include "api/doors.h"
#include "api/params.h"
#include "api/reply.h"
#include "api/upload.h"

/* --- errors */

/* Whether Accept names a JSON type; wildcards name none. */
static bool
wants_json(const struct http_call *call)
{
    struct str rest = http_call_header(call, "Accept"), type;
    while (str_split(&rest, ',', &type)) {
        type = str_trim(str_slice(type, 0, str_find(type, ';', 0)));
        if (str_equal_nocase(type, STR("application/json")) ||
            (type.len > 5 &&
             str_equal_nocase(str_slice(type, type.len - 5, type.len), STR("+json"))))
            return true;
    }
    return false;
}

/* JSON in an error is taken for success by clients that never look at the status. */
const char *
orama_render(const struct http_call *call, struct buf *out)
{
    if (wants_json(call))
        return NULL;
    buf_add_cstr(out, call->err.message);
    buf_add_char(out, '\n');
    return "text/plain; charset=utf-8";
}

/* --- snapshot, notify */

struct staging_upload {
    struct upload upload; /* first */
    struct str index_uid;
    enum staged_kind kind;
};

static int
add_staged(struct http_call *call, void *arg, struct ops_result *ret)
{
    struct staging_upload *u = arg;
    const struct intake_result *found = &u->upload.found;
    struct ops_stage stage = {
        .index_uid = u->index_uid,
        .kind = u->kind,
        .may_create = handler_grant(call).may_create_indexes,
        .n_upserts = found->count - found->removes,
        .n_removes = found->removes,
        .payload = &found->payload,
    };
    if (stage.n_removes > 0 && handler_require(call, "documents.delete", u->index_uid) < 0)
        return -1;
    return ops_stage(handler_api(call)->ops, &stage, ret, &call->err);
}

/* The index of the path, which must exist or be one that the caller may create. */
static int
begin(struct http_call *call, struct str *ret_uid, struct buf *ret_id_name)
{
    if (handler_index_uid(call, 0, ret_uid) < 0)
        return -1;
    return ops_stage_begin(handler_api(call)->ops, *ret_uid, handler_grant(call).may_create_indexes,
                           ret_id_name, &call->err);
}

static enum http_result
upload(struct http_call *call, enum staged_kind kind)
{
    struct staging_upload u = {.upload = {.call = call, .status = 200, .add = add_staged},
                               .kind = kind};
    struct buf id_name = BUF_INIT;
    enum http_result result = HTTP_ERROR;
    if (begin(call, &u.index_uid, &id_name) == 0) {
        struct intake_conf conf = {.staged_id_name = buf_str(&id_name), .staged = kind};
        result = upload_begin(&u.upload, sizeof(u), &conf);
    }
    buf_done(&id_name);
    return result;
}

/* It replaces all there is, so it needs the right to delete as well. */
static enum http_result
snapshot(struct http_call *call)
{
    if (handler_require(call, "documents.delete", handler_param(call, 0)) < 0)
        return HTTP_ERROR;
    return upload(call, STAGED_SNAPSHOT);
}

static enum http_result
notify(struct http_call *call)
{
    return upload(call, STAGED_NOTIFY);
}

/* --- without a body */

struct small {
    struct str index_uid;
    struct str names; /* update-schema */
};

static enum http_result
enqueue_small(struct http_call *call, enqueue_fn *add)
{
    struct small s = {0};
    struct body body;
    if (handler_index_uid(call, 0, &s.index_uid) < 0)
        return HTTP_ERROR;
    body_read_ignored(call, &body);
    enum http_result result = enqueue_now(call, 200, buf_str(&body.raw), add, &s);
    body_done(&body);
    return result;
}

static int
add_deploy(struct http_call *call, void *arg, struct ops_result *ret)
{
    struct small *s = arg;
    return ops_deploy(handler_api(call)->ops, s->index_uid, ret, &call->err);
}

static enum http_result
deploy(struct http_call *call)
{
    return enqueue_small(call, add_deploy);
}

static int
add_empty(struct http_call *call, void *arg, struct ops_result *ret)
{
    struct small *s = arg;
    struct payload none = {.file = UUID_NIL};
    struct ops_stage stage = {.index_uid = s->index_uid,
                              .kind = STAGED_SNAPSHOT,
                              .may_create = handler_grant(call).may_create_indexes,
                              .payload = &none};
    return ops_stage(handler_api(call)->ops, &stage, ret, &call->err);
}

static enum http_result
empty(struct http_call *call)
{
    return enqueue_small(call, add_empty);
}

static enum http_result
has_data(struct http_call *call)
{
    struct str uid;
    struct buf answer = BUF_INIT;
    if (handler_index_uid(call, 0, &uid) < 0)
        return HTTP_ERROR;
    int rc = ops_has_staged(handler_api(call)->ops, uid, &call->err);
    if (rc < 0)
        return HTTP_ERROR;
    buf_addf(&answer, "{\"hasData\":%s}", rc == 1 ? "true" : "false");
    return reply_json(call, 200, &answer);
}

/* --- update-schema */

static int
fail_schema(struct http_call *call, const char *why)
{
    return err_set(&call->err, ERR_INVALID_SCHEMA,
                   "Invalid schema: %s. Expected `{\"schema\": {\"field\": \"string\"}}`", why);
}

/* The names of the fields, those of nested ones with dots. Depth: that of the JSON text. */
static int
put_names(struct http_call *call, struct json_out *j, const struct json *schema, struct buf *path)
{
    size_t len = path->len;
    for (struct json_iter it = json_iter(schema); json_next(&it);) {
        buf_add_str(path, it.key);
        if (json_type(it.value) == JSON_OBJECT) {
            buf_add_char(path, '.');
            if (put_names(call, j, it.value, path) < 0)
                return -1;
        } else if (json_type(it.value) == JSON_STRING) {
            json_put_str(j, buf_str(path));
        } else {
            return fail_schema(call, "the type of a field is a text");
        }
        path->len = len;
        if (j->out->len > STAGING_SCHEMA_MAX_BYTES)
            return err_set(&call->err, ERR_PAYLOAD_TOO_LARGE,
                           "The names of the schema's fields are longer than %d bytes.",
                           STAGING_SCHEMA_MAX_BYTES);
    }
    return 0;
}

static int
read_schema(struct http_call *call, const struct json *body, struct buf *ret_names)
{
    struct json_out j = json_out(ret_names);
    struct buf path = BUF_INIT;
    const struct json *schema = json_get_c(body, "schema");
    if (schema == NULL || json_type(schema) != JSON_OBJECT)
        return fail_schema(call, "`schema` is missing or no object");
    for (struct json_iter it = json_iter(body); json_next(&it);) {
        if (!str_is(it.key, "schema") && !str_is(it.key, "embeddings"))
            return fail_schema(call, "only `schema` and `embeddings` are known");
    }
    json_begin_array(&j);
    int rc = put_names(call, &j, schema, &path);
    json_end_array(&j);
    buf_done(&path);
    return rc;
}

static int
add_schema(struct http_call *call, void *arg, struct ops_result *ret)
{
    struct small *s = arg;
    return ops_stage_schema(handler_api(call)->ops, s->index_uid, s->names,
                            handler_grant(call).may_create_indexes, ret, &call->err);
}

static enum http_result
update_schema(struct http_call *call)
{
    struct small s = {0};
    struct body body;
    struct buf names = BUF_INIT, ignored = BUF_INIT;
    enum http_result result = HTTP_ERROR;
    int rc = begin(call, &s.index_uid, &ignored);
    buf_done(&ignored);
    if (rc < 0)
        return HTTP_ERROR;
    if (body_read_json_as_any(call, &body) == 0 &&
        read_schema(call, json_root(body.doc), &names) == 0) {
        s.names = buf_str(&names);
        result = enqueue_now(call, 200, buf_str(&body.raw), add_schema, &s);
    }
    body_done(&body);
    buf_done(&names);
    return result;
}

/* --- get-index */

struct get_index_params {
    struct str id;
};
static const struct param get_index_rows[] = {
    {.name = "id",
     .code = ERR_INVALID_INDEX_UID,
     .read = param_string,
     .offset = offsetof(struct get_index_params, id)},
};

static const struct param_table get_index_query = PARAM_TABLE(get_index_rows);

/* Where the client reached us, as it wrote it. */
static void
write_endpoint(struct buf *out, const struct http_call *call, struct str uid)
{
    const struct api *api = handler_api(call);
    struct str host = http_call_header(call, "Host");
    buf_add_cstr(out, api->conf->ssl_cert_path != NULL ? "https://" : "http://");
    buf_add_str(out, host.len > 0 ? host : str_from(http_server_address(api->server)));
    buf_addf(out, "/indexes/%.*s", STR_ARG(uid));
}

/* Clients ask before their first snapshot: what that may begin is known already. */
static enum http_result
get_index(struct http_call *call)
{
    struct get_index_params params = {.id = STR_NULL};
    struct auth_grant grant = handler_grant(call);
    struct buf answer = BUF_INIT, endpoint = BUF_INIT, ignored = BUF_INIT;
    struct json_out j = json_out(&answer);
    if (PARAMS_READ(call, get_index_rows, &params) < 0)
        return HTTP_ERROR;
    if (params.id.data == NULL) {
        err_set(&call->err, ERR_MISSING_INDEX_UID, "The parameter `id` is missing.");
        return HTTP_ERROR;
    }
    int rc = handler_check_uid(params.id, &call->err);
    if (rc == 0)
        rc = handler_check_index(&grant, params.id, &call->err);
    if (rc == 0)
        rc = ops_stage_begin(handler_api(call)->ops, params.id, grant.may_create_indexes, &ignored,
                             &call->err);
    buf_done(&ignored);
    if (rc < 0)
        return HTTP_ERROR;
    write_endpoint(&endpoint, call, params.id);
    json_begin_object(&j);
    json_key(&j, "api_endpoint");
    json_put_str(&j, buf_str(&endpoint));
    json_key(&j, "api_key"); /* no key is handed out by a key */
    json_put_cstr(&j, "");
    json_end_object(&j);
    buf_done(&endpoint);
    return reply_json(call, 200, &answer);
}

#define DATA_SOURCE "/api/v1/webhooks/{indexUid}/"

static const struct route rows[] = {
    {.method = HTTP_POST,
     .pattern = DATA_SOURCE "snapshot",
     .action = "documents.add",
     .flags = ROUTE_DOCUMENTS | ROUTE_ENQUEUES,
     .handler = snapshot,
     .summary = "Stage all documents of a data source",
     .status = 200},
    {.method = HTTP_POST,
     .pattern = DATA_SOURCE "notify",
     .action = "documents.add",
     .flags = ROUTE_DOCUMENTS | ROUTE_ENQUEUES,
     .handler = notify,
     .summary = "Stage changed and removed documents of a data source",
     .status = 200},
    {.method = HTTP_POST,
     .pattern = DATA_SOURCE "deploy",
     .action = "documents.add",
     .flags = ROUTE_ENQUEUES,
     .handler = deploy,
     .summary = "Apply what is staged for a data source",
     .status = 200},
    {.method = HTTP_POST,
     .pattern = DATA_SOURCE "empty",
     .action = "documents.delete",
     .flags = ROUTE_ENQUEUES,
     .handler = empty,
     .summary = "Stage an empty data source",
     .status = 200},
    {.method = HTTP_POST,
     .pattern = DATA_SOURCE "has-data",
     .action = "documents.add",
     .handler = has_data,
     .summary = "Whether something waits for a deploy"},
    {.method = HTTP_GET,
     .pattern = DATA_SOURCE "has-data",
     .action = "documents.add",
     .handler = has_data,
     .summary = "Whether something waits for a deploy"},
    {.method = HTTP_POST,
     .pattern = DATA_SOURCE "update-schema",
     .action = "settings.update",
     .flags = ROUTE_JSON_BODY | ROUTE_ENQUEUES,
     .handler = update_schema,
     .summary = "Stage the searchable fields of a data source",
     .status = 200},
    {.method = HTTP_GET,
     .pattern = "/api/v1/indexes/get-index",
     .action = "indexes.get",
     .handler = get_index,
     .summary = "Where a data source is read",
     .query = &get_index_query},
};
const struct route_table orama_routes = ROUTE_TABLE(rows);
