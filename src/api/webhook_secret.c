/* POST /webhooks/{uuid}/secret/rotate: new signing secrets. What becomes of the old ones is
 * webhook/'s. */
#include "api/body.h"
#include "api/fields.h"
#include "api/handler.h"
#include "api/reply.h"

struct rotate_body {
    const struct json *secret;
    uint64_t grace_s;
};

static int
read_grace(const struct field_in *in, void *dst)
{
    uint64_t *grace_s = dst;
    if (field_u64(in, dst) == 0 && *grace_s <= WEBHOOK_GRACE_MAX_S)
        return 0;
    return field_invalid(in, "expected an integer number of seconds from 0 to %d",
                         WEBHOOK_GRACE_MAX_S);
}

static const struct field rotate_rows[] = {
    {.name = "secret",
     .code = ERR_INVALID_WEBHOOK_SECRET,
     .kinds = FIELD_STRING | FIELD_ARRAY,
     .read = field_json,
     .offset = offsetof(struct rotate_body, secret)},
    {.name = "gracePeriod",
     .code = ERR_INVALID_WEBHOOK_GRACE_PERIOD,
     .kinds = FIELD_POSITIVE,
     .read = read_grace,
     .offset = offsetof(struct rotate_body, grace_s)},
};
static const struct fields rotate_fields = FIELDS_OF(rotate_rows);

/* Without a body everything is as usual. */
static int
read_body(struct http_call *call, struct body *body, struct rotate_body *ret)
{
    *ret = (struct rotate_body){.grace_s = WEBHOOK_GRACE_DEFAULT_S};
    *body = (struct body){0};
    if (http_call_body_left(call) == 0)
        return 0;
    if (body_read_json(call, body) < 0)
        return -1;
    return fields_read(call->arena, json_root(body->doc), "", &rotate_fields, ret, &call->err);
}

static void
on_settled(void *arg, bool is_committed)
{
    if (!is_committed)
        webhooks_rollback(arg);
}

static enum http_result
rotate(struct http_call *call)
{
    struct body body;
    struct rotate_body asked;
    struct webhooks *webhooks = handler_api(call)->webhooks;
    struct buf out = BUF_INIT;
    int rc = read_body(call, &body, &asked);
    if (rc == 0 && !turn_accepts_writes(handler_api(call)->turn))
        rc = err_set(&call->err, ERR_NO_SPACE_LEFT_ON_DEVICE,
                     "The server has too little free disk space to store a secret.");
    struct webhook_rotation rotation = {.secret = asked.secret,
                                        .grace_ms = (int64_t) asked.grace_s * 1000};
    if (rc == 0)
        rc = webhooks_rotate_secret(webhooks, handler_param(call, 0), &rotation, &out, &call->err);
    body_done(&body);
    if (rc == 0)
        return reply_held(call, 200, &out, on_settled, webhooks);
    buf_done(&out);
    return HTTP_ERROR;
}

static const struct route rows[] = {
    {.method = HTTP_POST,
     .pattern = "/webhooks/{webhookUuid}/secret/rotate",
     .action = "webhooks.update",
     .handler = rotate,
     .body = &rotate_fields,
     .summary = "Replace a webhook's signing secret"},
};
const struct route_table webhook_secret_routes = ROUTE_TABLE(rows);
