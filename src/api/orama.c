/* /api/v1/webhooks/{indexUid}/… and /api/v1/indexes/get-index: data sources as Orama Cloud's
 * clients speak to them (contracts.md 2). Owns what these requests look like: the Content-Type is
 * ignored, success is exactly 200, errors are plain text. What is staged and deployed is ops/'s.
 *
 *   snapshot, notify: checks -> [intake, in slices when it is large] -> enqueue_finish
 *   the others are small */
#include <stdlib.h>

#include "api/body.h"
#include "api/doors.h"
#include "api/enqueue.h"
#include "api/params.h"
#include "api/reply.h"
#include "base/mem.h"

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

/* --- rights beyond the route's own */

static int
require(struct http_call *call, const char *action, struct str index_uid)
{
    struct auth_grant grant;
    struct auth_request request = {.authorization = http_call_header(call, "Authorization"),
                                   .action = action,
                                   .index_uid = index_uid,
                                   .arena = call->arena};
    return auth_decide(handler_api(call)->auth, &request, &grant, &call->err);
}

/* --- snapshot, notify */

struct upload {
    struct http_call *call;
    struct enqueue *enqueue;
    struct str index_uid;
    enum staged_kind kind;
    bool in_handler; /* intake_start has not returned yet */
    bool is_read;    /* the intake is done: found, or err in the call */
    struct intake_result found;
};

static size_t
pull_body(void *arg, struct buf *out, size_t max)
{
    struct upload *u = arg;
    return http_call_take_body(u->call, out, max);
}

static int
add_staged(struct http_call *call, void *arg, struct ops_result *ret)
{
    struct upload *u = arg;
    struct ops_stage stage = {
        .index_uid = u->index_uid,
        .kind = u->kind,
        .may_create = handler_grant(call).may_create_indexes,
        .n_upserts = u->found.count - u->found.removes,
        .n_removes = u->found.removes,
        .payload = &u->found.payload,
    };
    if (stage.n_removes > 0 && require(call, "documents.delete", u->index_uid) < 0)
        return -1;
    return ops_stage(handler_api(call)->ops, &stage, ret, &call->err);
}

/* Consumes u. */
static enum http_result
upload_end(struct upload *u)
{
    struct http_call *call = u->call;
    enum http_result result = HTTP_ERROR;
    call->on_gone = NULL;
    if (!err_is_set(&call->err))
        result = enqueue_finish(u->enqueue, call, u->found.digest, add_staged, u);
    else
        enqueue_abandon(u->enqueue);
    free(u);
    return result;
}

static void
on_intake_done(void *arg, const struct intake_result *found, struct err *err)
{
    struct upload *u = arg;
    struct http_call *call = u->call;
    u->is_read = true;
    if (found != NULL)
        u->found = *found;
    else
        err_move(&call->err, err);
    if (!u->in_handler)
        handler_finish(call, upload_end(u));
}

static void
upload_on_gone(struct http_call *call)
{
    struct upload *u = call->state;
    enqueue_abandon(u->enqueue);
    free(u);
}

/* u->enqueue holds the intake from here on. */
static enum http_result
upload_run(struct upload *u, const struct intake_conf *conf)
{
    struct http_call *call = u->call;
    struct intake *intake = intake_new(conf);
    enqueue_hold_intake(u->enqueue, intake);
    call->state = u;
    call->on_gone = upload_on_gone;
    u->in_handler = true;
    intake_start(intake, pull_body, on_intake_done, u);
    u->in_handler = false;
    return u->is_read ? upload_end(u) : HTTP_WAIT;
}

static enum http_result
upload_start(struct http_call *call, enum staged_kind kind, struct str index_uid,
             struct str id_name)
{
    struct api *api = handler_api(call);
    struct intake_conf conf = {.loop = api->loop,
                               .payloads = api->payloads,
                               .limit_bytes = api->conf->http_payload_size_limit,
                               .staged_id_name = id_name,
                               .staged = kind};
    if (body_encoding(call, &conf.encoding) < 0)
        return HTTP_ERROR;
    struct enqueue *e = enqueue_begin(call, 200);
    if (e == NULL)
        return HTTP_ERROR;
    conf.want_digest = enqueue_wants_digest(e);
    struct upload *u = mem_new(1, sizeof(*u));
    *u = (struct upload){.call = call, .enqueue = e, .index_uid = index_uid, .kind = kind};
    return upload_run(u, &conf);
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
    struct str uid;
    struct buf id_name = BUF_INIT;
    enum http_result result = HTTP_ERROR;
    if (begin(call, &uid, &id_name) == 0)
        result = upload_start(call, kind, uid, buf_str(&id_name));
    buf_done(&id_name);
    return result;
}

/* It replaces all there is, so it needs the right to delete as well. */
static enum http_result
snapshot(struct http_call *call)
{
    if (require(call, "documents.delete", handler_param(call, 0)) < 0)
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

static enum http_result
get_index(struct http_call *call)
{
    struct get_index_params params = {.id = STR_NULL};
    struct auth_grant grant = handler_grant(call);
    struct buf answer = BUF_INIT, endpoint = BUF_INIT;
    struct json_out j = json_out(&answer);
    if (PARAMS_READ(call, get_index_rows, &params) < 0)
        return HTTP_ERROR;
    if (params.id.data == NULL) {
        err_set(&call->err, ERR_MISSING_INDEX_UID, "The parameter `id` is missing.");
        return HTTP_ERROR;
    }
    if (handler_check_index(&grant, params.id, &call->err) < 0 ||
        ops_has_staged(handler_api(call)->ops, params.id, &call->err) < 0)
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
     .summary = "Stage all documents of a data source"},
    {.method = HTTP_POST,
     .pattern = DATA_SOURCE "notify",
     .action = "documents.add",
     .flags = ROUTE_DOCUMENTS | ROUTE_ENQUEUES,
     .handler = notify,
     .summary = "Stage changed and removed documents of a data source"},
    {.method = HTTP_POST,
     .pattern = DATA_SOURCE "deploy",
     .action = "documents.add",
     .flags = ROUTE_ENQUEUES,
     .handler = deploy,
     .summary = "Apply what is staged for a data source"},
    {.method = HTTP_POST,
     .pattern = DATA_SOURCE "empty",
     .action = "documents.delete",
     .flags = ROUTE_ENQUEUES,
     .handler = empty,
     .summary = "Stage an empty data source"},
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
     .summary = "Stage the searchable fields of a data source"},
    {.method = HTTP_GET,
     .pattern = "/api/v1/indexes/get-index",
     .action = "indexes.get",
     .handler = get_index,
     .summary = "Where a data source is read"},
};
const struct route_table orama_routes = ROUTE_TABLE(rows);
