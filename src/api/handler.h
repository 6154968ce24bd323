#pragma once
/* What every handler of api/ starts from: the server's parts, the request's path parameters, the
 * caller's rights, and the lists of route rows.
 *
 * To add a route: a row in the table of its resource's file (method, pattern, action, flags,
 * handler, summary); a new table is declared here and joined in api.c. */
#include "api/api.h"
#include "index/catalog.h"

/* The route rows of one resource, next to their handlers. */
struct route_table {
    const struct route *rows;
    size_t n;
};
#define ROUTE_TABLE(array)                                                                         \
    {                                                                                              \
        .rows = (array), .n = sizeof(array) / sizeof((array)[0])                                   \
    }

extern const struct route_table health_routes, stats_routes, index_routes, swap_routes,
    document_write_routes, document_read_routes, task_routes, batch_routes, webhook_routes,
    key_routes, delivery_routes, replay_routes, webhook_secret_routes, settings_routes,
    experimental_routes, orama_routes, report_routes, callback_routes, report_definition_routes,
    organization_routes, organization_event_routes, organization_task_routes;
extern const struct route_table connection_routes, inbound_routes;
extern const struct route_table task_document_routes, task_stream_routes, metrics_routes,
    logs_routes, openapi_routes;

struct api *handler_api(const struct http_call *call);
/* Path parameter i, percent-decoded, always UTF-8 (invalid bytes become U+FFFD); in the arena. */
struct str handler_param(struct http_call *call, size_t i);
/* The rights of the caller, who passed the gate before; a grant that sees nothing when the key has
 * been removed since. */
struct auth_grant handler_grant(const struct http_call *call);
/* Another right than the route's own, on that index: 0, or -1 with call->err. */
int handler_require(struct http_call *call, const char *action, struct str index_uid);
/* For an index that is named elsewhere than in the path: 0, or -1 with call->err unless the
 * caller's key covers it. */
int handler_check_index(const struct auth_grant *grant, struct str uid, struct err *err);
/* Whether it can be an index's: 0, or -1 with err (contract 5.1). */
int handler_check_uid(struct str uid, struct err *err);
/* Path parameter i as an index uid: 0, or -1 with call->err. */
int handler_index_uid(struct http_call *call, size_t i, struct str *ret);
/* The catalogue's row of an index: 0 (index_info_done it), or -1 with call->err (index_not_found).
 */
int handler_find_index(struct http_call *call, struct str uid, struct index_info *ret);
/* A read transaction, or NULL with call->err. */
struct store_txn *handler_read(struct http_call *call);
/* What follows a handler's result: renders call->err for HTTP_ERROR. Handlers that ended with
 * HTTP_WAIT call it themselves when the result is there. */
void handler_finish(struct http_call *call, enum http_result result);
/* For store codes that no client can mend. Returns -1. */
int handler_store_error(struct err *err, int code);
/* The text in the arena with invalid UTF-8 replaced, so that it may appear in an error message. */
struct str handler_utf8(struct arena *arena, struct str text);
