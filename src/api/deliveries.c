/* /deliveries and what hangs on a webhook: looking deliveries up, sending them again, discarding
 * them, a ping. What a delivery is, and its JSON, is webhook/'s. */
#include "webhook/deliveries.h"

#include <limits.h>

#include "api/body.h"
#include "api/fields.h"
#include "api/receivers.h"
#include "api/task_filter.h"
#include "webhook/organization_webhooks.h"

/* --- GET /webhooks/{webhookUuid}/deliveries */

struct list_params {
    struct param_u64 limit, from;
    bool reverse;
    struct param_set states;
    struct param_date since, until;
    struct delivery_query event; /* only its event */
};

static int
param_states(const struct param_in *in, void *dst)
{
    static const struct param_words words = {"delivery state", "states", UINT_MAX,
                                             delivery_state_text};
    return param_words(in, &words, dst);
}

static int
param_event(const struct param_in *in, void *dst)
{
    struct delivery_query *q = dst;
    struct buf why = BUF_INIT;
    int rc = 0;
    size_t dot = str_find(in->value, '.', 0);
    uint64_t line = 0;
    bool has_line =
        dot == in->value.len ||
        (str_to_u64(str_slice(in->value, dot + 1, in->value.len), UINT32_MAX, &line) && line > 0);
    q->event_line = (uint32_t) line;
    q->has_event = uuid_parse(has_line ? str_slice(in->value, 0, dot) : in->value, &q->event, &why);
    if (!q->has_event)
        rc = param_invalid(in, in->row->name, "Invalid UUID: %s", buf_cstr(&why));
    buf_done(&why);
    return rc;
}

#define ROW(param_name, error, reader, member)                                                     \
    {                                                                                              \
        .name = (param_name), .code = (error), .read = (reader),                                   \
        .offset = offsetof(struct list_params, member)                                             \
    }
static const struct param list_rows[] = {
    ROW("limit", ERR_INVALID_DELIVERY_LIMIT, param_u32, limit),
    ROW("from", ERR_INVALID_DELIVERY_FROM, param_u64, from),
    ROW("reverse", ERR_INVALID_DELIVERY_REVERSE, param_bool, reverse),
    ROW("state", ERR_INVALID_DELIVERY_STATE, param_states, states),
    ROW("since", ERR_INVALID_DELIVERY_SINCE, param_date, since),
    ROW("until", ERR_INVALID_DELIVERY_UNTIL, param_date, until),
    ROW("event", ERR_INVALID_DELIVERY_EVENT, param_event, event),
};
static const struct param_table list_query = PARAM_TABLE(list_rows);

static enum http_piece
piece_of(int rc)
{
    return rc < 0 ? HTTP_PIECE_FAILED : rc == 0 ? HTTP_PIECE_LAST : HTTP_PIECE_MORE;
}

static int
read_query(struct http_call *call, struct delivery_query *ret)
{
    struct list_params p = {.limit.value = 20};
    if (PARAMS_READ(call, list_rows, &p) < 0)
        return -1;
    *ret = (struct delivery_query){
        .states = p.states.has_star ? 0 : p.states.bits,
        .has_event = p.event.has_event,
        .event = p.event.event,
        .event_line = p.event.event_line,
        .has_from = p.from.is_given,
        .from = p.from.value,
        .is_ascending = p.reverse,
        .limit = p.limit.value,
        .since_ns = p.since.is_bound ? p.since.ns : INT64_MIN,
        .until_ns = p.until.is_bound ? p.until.ns : INT64_MAX,
    };
    return 0;
}

static enum http_result
delivery_list(struct http_call *call)
{
    struct webhooks *w = handler_api(call)->webhooks;
    struct delivery_query q;
    if (read_query(call, &q) < 0 ||
        webhook_uuid_from_text(w, handler_param(call, 0), &q.webhooks[0], &call->err) < 0)
        return HTTP_ERROR;
    q.n_webhooks = 1;
    return receivers_reply_deliveries(call, &q);
}

_Static_assert((int) ORGANIZATION_CHANNELS_MAX == (int) DELIVERY_QUERY_WEBHOOKS_MAX, "one listing");
/* Of all its channels. */
static enum http_result
organization_delivery_list(struct http_call *call)
{
    struct webhooks *w = handler_api(call)->webhooks;
    struct delivery_query q;
    if (read_query(call, &q) < 0)
        return HTTP_ERROR;
    int n = organization_webhooks_channels(w, handler_param(call, 0), q.webhooks, &call->err);
    if (n < 0)
        return HTTP_ERROR;
    q.n_webhooks = (size_t) n;
    return receivers_reply_deliveries(call, &q);
}

/* --- /deliveries/{deliveryId} */

static int
number_from_path(struct http_call *call, uint64_t *ret)
{
    struct str text = handler_param(call, 0);
    if (str_to_u64(text, UINT64_MAX, ret))
        return 0;
    return err_set(&call->err, ERR_INVALID_DELIVERY_ID,
                   "Delivery id `%.*s` is invalid. It should only contain numeric characters.",
                   STR_ARG(text));
}

static enum http_piece
view_make(void *arg, struct buf *out, int64_t deadline_us)
{
    struct delivery_budget budget = {REPLY_PIECE_BYTES, deadline_us};
    return piece_of(delivery_view_step(arg, out, &budget));
}

static void
view_release(void *arg)
{
    delivery_view_free(arg);
}

static enum http_result
delivery_show(struct http_call *call)
{
    uint64_t delivery;
    if (number_from_path(call, &delivery) < 0)
        return HTTP_ERROR;
    struct delivery_view *v = delivery_view_new(handler_api(call)->webhooks, delivery, &call->err);
    if (v == NULL)
        return HTTP_ERROR;
    struct reply_listing listing = {view_make, view_release, v};
    return reply_listing(call, &listing);
}

/* What adds to what is owed needs room on the disk. */
static int
check_room(struct http_call *call)
{
    if (turn_accepts_writes(handler_api(call)->turn))
        return 0;
    return err_set(&call->err, ERR_NO_SPACE_LEFT_ON_DEVICE,
                   "The server has too little free disk space to store a delivery.");
}

static enum http_result
resend(struct http_call *call)
{
    uint64_t delivery;
    struct buf body = BUF_INIT;
    if (number_from_path(call, &delivery) == 0 && check_room(call) == 0 &&
        delivery_resend(handler_api(call)->webhooks, delivery, &body, &call->err) == 0)
        return reply_held(call, 202, &body, NULL, NULL);
    buf_done(&body);
    return HTTP_ERROR;
}

static enum http_result
discard(struct http_call *call)
{
    uint64_t delivery;
    struct buf none = BUF_INIT;
    if (number_from_path(call, &delivery) < 0 ||
        delivery_discard(handler_api(call)->webhooks, delivery, &call->err) < 0)
        return HTTP_ERROR;
    return reply_held(call, 204, &none, NULL, NULL);
}

/* It has nothing to say: an empty object at most. */
static const struct fields no_fields = {.code = ERR_BAD_REQUEST};

static int
check_empty_body(struct http_call *call)
{
    struct body body = {0};
    if (http_call_body_left(call) == 0)
        return 0;
    int rc = body_read_json(call, &body);
    if (rc == 0)
        rc = fields_read(call->arena, json_root(body.doc), "", &no_fields, NULL, &call->err);
    body_done(&body);
    return rc;
}

static enum http_result
ping(struct http_call *call)
{
    struct buf body = BUF_INIT;
    if (check_empty_body(call) == 0 && check_room(call) == 0 &&
        webhook_ping(handler_api(call)->webhooks, handler_param(call, 0), &body, &call->err) == 0)
        return reply_held(call, 202, &body, NULL, NULL);
    buf_done(&body);
    return HTTP_ERROR;
}

static const struct route rows[] = {
    {.method = HTTP_GET,
     .pattern = "/webhooks/{webhookUuid}/deliveries",
     .action = "webhooks.get",
     .handler = delivery_list,
     .query = &list_query,
     .summary = "List the deliveries of a webhook"},
    {.method = HTTP_GET,
     .pattern = "/v1/organizations/webhooks/{webhookId}/deliveries",
     .action = "webhooks.get",
     .handler = organization_delivery_list,
     .query = &list_query,
     .summary = "List the deliveries of an organisation's webhook, of all its channels"},
    {.method = HTTP_POST,
     .pattern = "/webhooks/{webhookUuid}/ping",
     .action = "webhooks.update",
     .handler = ping,
     .status = 202,
     .summary = "Send a test event to a webhook"},
    {.method = HTTP_GET,
     .pattern = "/deliveries/{deliveryId}",
     .action = "webhooks.get",
     .handler = delivery_show,
     .summary = "Get one delivery with its attempts"},
    {.method = HTTP_POST,
     .pattern = "/deliveries/{deliveryId}/resend",
     .action = "webhooks.update",
     .handler = resend,
     .status = 202,
     .summary = "Send a delivery again"},
    {.method = HTTP_DELETE,
     .pattern = "/deliveries/{deliveryId}",
     .action = "webhooks.update",
     .handler = discard,
     .status = 204,
     .summary = "Give a delivery up that is still owed"},
};
const struct route_table delivery_routes = ROUTE_TABLE(rows);
