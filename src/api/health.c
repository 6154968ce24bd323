/* The small routes: /, /health, /version. */
#include "api/handler.h"
#include "api/reply.h"
#include "codec/json.h"

/* The version of the wire contract that we speak, for clients that look at it. */
static const char wire_version[] = "1.50.0";

static enum http_result
root_get(struct http_call *call)
{
    http_reply(call, 200, "application/json", STR("{\"status\":\"Meilisearch is running\"}"));
    return HTTP_DONE;
}

static enum http_result
health_get(struct http_call *call)
{
    if (turn_is_healthy(handler_api(call)->turn))
        http_reply(call, 200, "application/json", STR("{\"status\":\"available\"}"));
    else
        reply_unavailable(call, "The store refuses writes at the moment.");
    return HTTP_DONE;
}

static enum http_result
version_get(struct http_call *call)
{
    struct buf body = BUF_INIT;
    struct json_out j = json_out(&body);
    json_begin_object(&j);
    json_key(&j, "commitSha");
    json_put_cstr(&j, "unknown");
    json_key(&j, "commitDate");
    json_put_cstr(&j, "unknown");
    json_key(&j, "pkgVersion");
    json_put_cstr(&j, wire_version);
    json_end_object(&j);
    return reply_json(call, 200, &body);
}

static const struct route rows[] = {
    {.method = HTTP_GET,
     .pattern = "/",
     .flags = ROUTE_OPEN,
     .handler = root_get,
     .summary = "Say that the server is running"},
    {.method = HTTP_GET,
     .pattern = "/health",
     .flags = ROUTE_OPEN,
     .handler = health_get,
     .summary = "Whether the server works"},
    {.method = HTTP_GET,
     .pattern = "/version",
     .action = "version",
     .handler = version_get,
     .summary = "The version of the API"},
};
const struct route_table health_routes = ROUTE_TABLE(rows);
