/* Joins the route tables, judges requests at the gate and dispatches them. Knows no resource: a
 * route's row and handler are in its resource's file. */
#include "api/api.h"

#include "api/body.h"
#include "api/handler.h"
#include "codec/form.h"

enum { ROUTES_MAX = 256 };

static const struct route_table *const tables[] = {
    &health_routes,        &stats_routes, &index_routes, &swap_routes,    &document_write_routes,
    &document_read_routes, &task_routes,  &batch_routes, &webhook_routes,
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
    size_t n;
    const struct route *const *rows = api_routes(&n);
    return route_find(rows, n, method, path);
}

/* --- at the gate: from the head alone */

static uint64_t
body_limit(const struct api *api, const struct route *route)
{
    if (route != NULL && (route->flags & ROUTE_DOCUMENTS))
        return api->conf->http_payload_size_limit;
    if (route != NULL && (route->flags & ROUTE_JSON_BODY))
        return body_json_limit(api);
    return BODY_IGNORED_MAX_BYTES;
}

void
api_judge(void *arg, const struct http_head *head, struct http_verdict *ret)
{
    struct api *api = arg;
    struct auth_grant grant;
    struct route_match match = find_route(head->method, head->path);
    ret->body_limit_bytes = body_limit(api, match.route);
    if (match.route == NULL)
        return; /* 404 or 405 come from api_handle, without a body */
    if (auth_decide(api->auth, head->header(head, "Authorization"), match.route->action, &grant,
                    &ret->err) < 0)
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

void
api_handle(void *arg, struct http_call *call)
{
    struct api *api = arg;
    struct auth_grant grant;
    struct route_match match = find_route(call->method, call->path);
    if (match.route == NULL) {
        http_reply_empty(call, match.path_exists ? 405 : 404);
        return;
    }
    call->route = match.route;
    memcpy(call->params, match.params, sizeof(call->params));
    enum http_result result = HTTP_ERROR;
    if (auth_decide(api->auth, http_call_header(call, "Authorization"), call->route->action, &grant,
                    &call->err) == 0)
        result = call->route->handler(call);
    handler_finish(call, result);
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
    if (auth_decide(handler_api(call)->auth, http_call_header(call, "Authorization"),
                    call->route->action, &grant, &err) < 0)
        grant = (struct auth_grant){0};
    err_done(&err);
    return grant;
}

int
handler_index_uid(struct http_call *call, size_t i, struct str *ret)
{
    *ret = handler_param(call, i);
    if (index_uid_is_valid(*ret))
        return 0;
    struct buf message = BUF_INIT;
    index_uid_write_invalid(&message, *ret);
    int rc = err_set_str(&call->err, ERR_INVALID_INDEX_UID, buf_str(&message));
    buf_done(&message);
    return rc;
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
