/* Joins the route tables, judges requests at the gate and dispatches them. Knows no resource: a
 * route's row and handler are in its resource's file. */
#include "api/api.h"

#include "api/body.h"
#include "api/doors.h"
#include "api/handler.h"
#include "api/http_counts.h"
#include "api/logs.h"
#include "api/task_feed.h"
#include "base/clock.h"
#include "codec/form.h"

enum { ROUTES_MAX = 256 };

static const struct route_table *const tables[] = {
    &task_stream_routes,
    &metrics_routes,
    &logs_routes,
    &openapi_routes,
    &health_routes,
    &stats_routes,
    &index_routes,
    &swap_routes,
    &document_write_routes,
    &document_read_routes,
    &task_routes,
    &task_document_routes,
    &batch_routes,
    &webhook_routes,
    &key_routes,
    &delivery_routes,
    &replay_routes,
    &webhook_secret_routes,
    &settings_routes,
    &experimental_routes,
    &orama_routes,
    &report_routes,
    &callback_routes,
    &report_definition_routes,
    &connection_routes,
    &inbound_routes,
    &organization_routes,
    &organization_event_routes,
    &organization_task_routes,
};

const struct route *const *
api_routes(size_t *ret_n)
{
    static const struct route *rows[ROUTES_MAX];
    static size_t n;
    if (n == 0) {
        for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
            for (size_t i = 0; i < tables[t]->n && n < ROUTES_MAX; i++)
                rows[n++] = &tables[t]->rows[i];
        }
    }
    *ret_n = n;
    return rows;
}

static struct route_match
find_route(enum http_method method, struct str path)
{
    static uint8_t depths[ROUTES_MAX];
    static size_t n_known;
    size_t n;
    const struct route *const *rows = api_routes(&n);
    for (; n_known < n; n_known++)
        depths[n_known] = route_depth(rows[n_known]->pattern);
    return route_find(rows, depths, n, method, path);
}

/* What auth/ is asked about a request. The first parameter of a path below /indexes, or of
 * a data source, is the index. */
static struct auth_request
request_of(const struct route *route, const struct str *params, struct arena *arena)
{
    struct auth_request r = {.action = route->action, .arena = arena};
    if (str_starts_with(str_from(route->pattern), "/indexes/{") ||
        str_starts_with(str_from(route->pattern), "/api/v1/webhooks/{"))
        r.index_uid = handler_utf8(arena, form_decode_path(arena, params[0]));
    return r;
}

/* --- at the gate: from the head alone */

static uint64_t
body_limit(const struct api *api, const struct route *route)
{
    if (route != NULL && (route->flags & ROUTE_PROVIDER))
        return INBOUND_BODY_MAX_BYTES;
    if (route != NULL && (route->flags & ROUTE_DOCUMENTS))
        return api->conf->http_payload_size_limit;
    if (route != NULL && (route->flags & ROUTE_JSON_BODY))
        return body_json_limit(api);
    return BODY_IGNORED_MAX_BYTES;
}

static int
judge_rights(const struct api *api, const struct http_head *head, const struct route_match *match,
             struct err *err)
{
    struct auth_grant grant;
    struct arena *arena = arena_new();
    struct auth_request request = request_of(match->route, match->params, arena);
    request.authorization = head->header(head, "Authorization");
    int rc = auth_decide(api->auth, &request, &grant, err);
    if (rc < 0)
        doors_judge_key(head->path, api->auth, request.authorization, err);
    arena_free(arena);
    return rc;
}

void
api_judge(void *arg, const struct http_head *head, struct http_verdict *ret)
{
    struct api *api = arg;
    struct route_match match = find_route(head->method, head->path);
    ret->body_limit_bytes = body_limit(api, match.route);
    if (match.route == NULL)
        return; /* 404 or 405 come from api_handle, without a body */
    if (judge_rights(api, head, &match, &ret->err) < 0)
        return;
    if (api->is_stopping && (match.route->flags & ROUTE_ENQUEUES))
        err_set(&ret->err, ERR_SHUTTING_DOWN,
                "The server is shutting down and accepts no new tasks.");
}

void
api_too_large(void *arg, const struct http_head *head, uint64_t declared, uint64_t limit,
              struct err *ret)
{
    struct route_match match = find_route(head->method, head->path);
    (void) arg; /* the limit says it all */
    if (match.route != NULL && (match.route->flags & ROUTE_DOCUMENTS) &&
        !(match.route->flags & ROUTE_JSON_BODY))
        body_upload_too_large(ret, limit);
    else
        body_json_too_large(ret, declared, limit);
}

/* --- the whole request is there */

void
handler_finish(struct http_call *call, enum http_result result)
{
    if (result != HTTP_ERROR)
        return; /* the reply is out or under way: the call may be gone */
    call->on_gone = NULL;
    http_reply_error(call);
}

static int
decide(const struct http_call *call, struct auth_grant *ret, struct err *err)
{
    struct auth_request request = request_of(call->route, call->params, call->arena);
    request.authorization = http_call_header(call, "Authorization");
    return auth_decide(handler_api(call)->auth, &request, ret, err);
}

/* RFC 9110, 15.5.6: a 405 says what is known. */
static void
add_allow(struct http_call *call)
{
    struct buf methods = BUF_INIT;
    for (int m = 0; m < HTTP_METHODS; m++) {
        if (find_route((enum http_method) m, call->path).route != NULL)
            buf_addf(&methods, "%s%s", methods.len == 0 ? "" : ", ",
                     http_method_name((enum http_method) m));
    }
    http_call_add_header(call, "Allow", buf_cstr(&methods));
    buf_done(&methods);
}

/* Meilisearch's answers have no body here; a door's have. */
static void
reply_no_route(struct http_call *call, bool path_exists)
{
    if (path_exists)
        add_allow(call);
    if (!doors_own_path(call->path)) {
        http_reply_empty(call, path_exists ? 405 : 404);
        return;
    }
    if (path_exists)
        err_set(&call->err, ERR_METHOD_NOT_ALLOWED, "This method is not known on this path.");
    else
        err_set(&call->err, ERR_ROUTE_NOT_FOUND, "There is no such route.");
    http_reply_error(call);
}

void
api_handle(void *arg, struct http_call *call)
{
    struct auth_grant grant;
    (void) arg; /* call->app */
    struct route_match match = find_route(call->method, call->path);
    if (match.route == NULL) {
        reply_no_route(call, match.path_exists);
        return;
    }
    call->route = match.route;
    memcpy(call->params, match.params, sizeof(call->params));
    enum http_result result = HTTP_ERROR;
    if (decide(call, &grant, &call->err) == 0)
        result = call->route->handler(call);
    handler_finish(call, result);
}

void
api_replied(void *arg, const struct http_call *call, int status)
{
    struct api *api = arg;
    const struct route *route = call->route;
    if (route == NULL) /* refused at the gate */
        route = find_route(call->method, call->path).route;
    if (route != NULL)
        http_counts_add(api->http_counts, route, status, clock_mono_us() - call->began_us,
                        call->is_slow);
}

/* --- life */

void
api_start(struct api *api)
{
    api->feed = task_feed_new(api);
    api->http_counts = http_counts_new();
    api->log_stream = log_stream_new(api->loop);
}

void
api_tasks_changed(struct api *api)
{
    if (api->feed != NULL)
        task_feed_wake(api->feed);
}

void
api_stop(struct api *api)
{
    api->is_stopping = true;
    task_feed_stop(api->feed);
    log_stream_stop(api->log_stream);
}

void
api_done(struct api *api)
{
    task_feed_free(api->feed);
    http_counts_free(api->http_counts);
    log_stream_free(api->log_stream);
    api->feed = NULL;
    api->http_counts = NULL;
    api->log_stream = NULL;
}

/* --- what handlers start from (handler.h) */

struct api *
handler_api(const struct http_call *call)
{
    return call->app;
}

struct str
handler_utf8(struct arena *arena, struct str text)
{
    if (str_is_utf8(text))
        return text;
    struct buf clean = BUF_INIT;
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char) text.data[i] < 0x80)
            buf_add_char(&clean, text.data[i]);
        else
            buf_add_cstr(&clean, "\xef\xbf\xbd");
    }
    struct str copy = arena_copy(arena, buf_str(&clean));
    buf_done(&clean);
    return copy;
}

struct str
handler_param(struct http_call *call, size_t i)
{
    return handler_utf8(call->arena, form_decode_path(call->arena, call->params[i]));
}

struct auth_grant
handler_grant(const struct http_call *call)
{
    struct auth_grant grant = {0};
    struct err err = ERR_INIT;
    if (decide(call, &grant, &err) < 0)
        grant = (struct auth_grant){0};
    err_done(&err);
    return grant;
}

int
handler_require(struct http_call *call, const char *action, struct str index_uid)
{
    struct auth_grant grant;
    struct auth_request request = {.authorization = http_call_header(call, "Authorization"),
                                   .action = action,
                                   .index_uid = index_uid,
                                   .arena = call->arena};
    return auth_decide(handler_api(call)->auth, &request, &grant, &call->err);
}

int
handler_check_index(const struct auth_grant *grant, struct str uid, struct err *err)
{
    if (auth_grant_sees(grant, uid))
        return 0;
    return err_set(err, ERR_INVALID_API_KEY, "The provided API key is invalid.");
}

int
handler_check_uid(struct str uid, struct err *err)
{
    if (index_uid_is_valid(uid))
        return 0;
    struct buf message = BUF_INIT;
    index_uid_write_invalid(&message, uid);
    int rc = err_set_str(err, ERR_INVALID_INDEX_UID, buf_str(&message));
    buf_done(&message);
    return rc;
}

int
handler_index_uid(struct http_call *call, size_t i, struct str *ret)
{
    *ret = handler_param(call, i);
    return handler_check_uid(*ret, &call->err);
}

int
handler_store_error(struct err *err, int code)
{
    return err_set(err, ERR_INTERNAL, "The store could not be read: %s.", store_strerror(code));
}

struct store_txn *
handler_read(struct http_call *call)
{
    struct store_txn *txn = turn_read(handler_api(call)->turn);
    if (txn == NULL)
        err_set(&call->err, ERR_INTERNAL, "The store could not be read.");
    return txn;
}
