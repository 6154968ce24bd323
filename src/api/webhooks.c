/* /webhooks: the routes of registered receivers. Everything about a webhook's fields is webhook/'s;
 * here are only bodies, replies and their commit. */
#include "api/receivers.h"

static enum http_result
webhook_list(struct http_call *call)
{
    struct buf body = BUF_INIT;
    webhooks_write_list(handler_api(call)->webhooks, &body);
    return reply_json(call, 200, &body);
}

static enum http_result
webhook_get(struct http_call *call)
{
    struct buf body = BUF_INIT;
    if (webhooks_write_one(handler_api(call)->webhooks, handler_param(call, 0), &body,
                           &call->err) == 0)
        return reply_json(call, 200, &body);
    buf_done(&body);
    return HTTP_ERROR;
}

static int
create(struct http_call *call, const struct json *body, struct buf *out)
{
    return webhooks_create(handler_api(call)->webhooks, body, out, &call->err);
}

static enum http_result
webhook_create(struct http_call *call)
{
    return receivers_change(call, 201, create);
}

static int
update(struct http_call *call, const struct json *body, struct buf *out)
{
    return webhooks_update(handler_api(call)->webhooks, handler_param(call, 0), body, out,
                           &call->err);
}

static enum http_result
webhook_update(struct http_call *call)
{
    return receivers_change(call, 200, update);
}

static enum http_result
webhook_delete(struct http_call *call)
{
    struct buf none = BUF_INIT;
    if (webhooks_delete(handler_api(call)->webhooks, handler_param(call, 0), &call->err) < 0)
        return HTTP_ERROR;
    return receivers_reply_changed(call, 204, &none);
}

static const struct route rows[] = {
    {.method = HTTP_GET,
     .pattern = "/webhooks",
     .action = "webhooks.get",
     .handler = webhook_list,
     .summary = "List webhooks"},
    {.method = HTTP_POST,
     .pattern = "/webhooks",
     .action = "webhooks.create",
     .flags = ROUTE_JSON_BODY,
     .handler = webhook_create,
     .status = 201,
     .summary = "Register a webhook"},
    {.method = HTTP_GET,
     .pattern = "/webhooks/{webhookUuid}",
     .action = "webhooks.get",
     .handler = webhook_get,
     .summary = "Get one webhook"},
    {.method = HTTP_PATCH,
     .pattern = "/webhooks/{webhookUuid}",
     .action = "webhooks.update",
     .flags = ROUTE_JSON_BODY,
     .handler = webhook_update,
     .summary = "Change a webhook's URL or headers"},
    {.method = HTTP_DELETE,
     .pattern = "/webhooks/{webhookUuid}",
     .action = "webhooks.delete",
     .handler = webhook_delete,
     .status = 204,
     .summary = "Remove a webhook"},
};
const struct route_table webhook_routes = ROUTE_TABLE(rows);
