/* /webhooks: the routes of registered receivers. Everything about a webhook's fields is webhook/'s;
 * here are only bodies, replies and their commit. */
#include "api/body.h"
#include "api/fields.h"
#include "api/handler.h"
#include "api/reply.h"

/* When nothing of the turn was stored, the list in memory must forget it too. */
static void
on_settled(void *arg, bool is_committed)
{
    if (!is_committed)
        webhooks_rollback(arg);
}

static enum http_result
reply_changed(struct http_call *call, int status, struct buf *body)
{
    return reply_held(call, status, body, on_settled, handler_api(call)->webhooks);
}

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

/* A body that is a JSON object, and room on the disk for what it says. */
static int
read_object(struct http_call *call, struct body *ret)
{
    if (body_read_json(call, ret) < 0)
        return -1;
    if (field_check_kind(json_root(ret->doc), FIELD_OBJECT, "", ERR_BAD_REQUEST, &call->err) < 0)
        return -1;
    if (!turn_accepts_writes(handler_api(call)->turn))
        return err_set(&call->err, ERR_NO_SPACE_LEFT_ON_DEVICE,
                       "The server has too little free disk space to store a webhook.");
    return 0;
}

static enum http_result
webhook_create(struct http_call *call)
{
    struct body body;
    struct buf out = BUF_INIT;
    enum http_result result = HTTP_ERROR;
    if (read_object(call, &body) == 0 &&
        webhooks_create(handler_api(call)->webhooks, json_root(body.doc), &out, &call->err) == 0)
        result = reply_changed(call, 201, &out);
    buf_done(&out);
    body_done(&body);
    return result;
}

static enum http_result
webhook_update(struct http_call *call)
{
    struct body body;
    struct buf out = BUF_INIT;
    enum http_result result = HTTP_ERROR;
    if (read_object(call, &body) == 0 &&
        webhooks_update(handler_api(call)->webhooks, handler_param(call, 0), json_root(body.doc),
                        &out, &call->err) == 0)
        result = reply_changed(call, 200, &out);
    buf_done(&out);
    body_done(&body);
    return result;
}

static enum http_result
webhook_delete(struct http_call *call)
{
    struct buf none = BUF_INIT;
    if (webhooks_delete(handler_api(call)->webhooks, handler_param(call, 0), &call->err) < 0)
        return HTTP_ERROR;
    return reply_changed(call, 204, &none);
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
