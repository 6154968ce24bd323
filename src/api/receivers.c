/* Bodies, commits and listings of receivers. Knows no field of theirs. */
#include "api/receivers.h"

#include "api/fields.h"

static void
on_settled(void *arg, bool is_committed)
{
    if (!is_committed)
        webhooks_rollback(arg);
}

enum http_result
receivers_reply_changed(struct http_call *call, int status, struct buf *body)
{
    return reply_held(call, status, body, on_settled, handler_api(call)->webhooks);
}

/* A body that is a JSON object, and room on the disk for what it says. */
static int
read_object(struct http_call *call, struct body *ret)
{
    if (body_read_json(call, ret) < 0 ||
        field_check_kind(json_root(ret->doc), FIELD_OBJECT, "", ERR_BAD_REQUEST, &call->err) < 0)
        return -1;
    if (turn_accepts_writes(handler_api(call)->turn))
        return 0;
    return err_set(&call->err, ERR_NO_SPACE_LEFT_ON_DEVICE,
                   "The server has too little free disk space to store a webhook.");
}

enum http_result
receivers_change(struct http_call *call, int status, receiver_change *change)
{
    struct body body;
    struct buf out = BUF_INIT;
    enum http_result result = HTTP_ERROR;
    if (read_object(call, &body) == 0 && change(call, json_root(body.doc), &out) == 0)
        result = receivers_reply_changed(call, status, &out);
    buf_done(&out);
    body_done(&body);
    return result;
}

/* --- deliveries, newest first */

static enum http_piece
list_make(void *arg, struct buf *out, int64_t deadline_us)
{
    struct delivery_budget budget = {REPLY_PIECE_BYTES, deadline_us};
    int rc = delivery_listing_step(arg, out, &budget);
    return rc < 0 ? HTTP_PIECE_FAILED : rc == 0 ? HTTP_PIECE_LAST : HTTP_PIECE_MORE;
}

static void
list_release(void *arg)
{
    delivery_listing_free(arg);
}

enum http_result
receivers_reply_deliveries(struct http_call *call, const struct delivery_query *query)
{
    struct delivery_listing *list = delivery_listing_new(handler_api(call)->webhooks, query);
    struct reply_listing listing = {list_make, list_release, list};
    return reply_listing(call, &listing);
}
