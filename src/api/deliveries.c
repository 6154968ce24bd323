/* /deliveries and what hangs on a webhook: looking deliveries up, sending them again, discarding
 * them, a ping. What a delivery is, and its JSON, is webhook/'s. */
#include "webhook/deliveries.h"

#include "api/handler.h"
#include "api/reply.h"
#include "api/task_filter.h"

/* --- GET /webhooks/{webhookUuid}/deliveries */

struct list_params {
    struct param_u64 limit, from;
    bool reverse;
    struct param_set states;
    struct param_date since, until;
    struct delivery_query event; /* only its event */
};

static int
add_state(const struct param_in *in, const char *name, struct str element, void *dst)
{
    struct param_set *set = dst;
    uint32_t bit;
    if (delivery_state_bit(element, &bit)) {
        set->bits |= bit;
        return 0;
    }
    struct buf all = BUF_INIT;
    delivery_states_write(&all);
    int rc =
        param_invalid(in, name, "`%.*s` is not a valid delivery state. Available states are %s.",
                      STR_ARG(element), buf_cstr(&all));
    buf_done(&all);
    return rc;
}

static int
param_states(const struct param_in *in, void *dst)
{
    struct param_set *set = dst;
    *set = (struct param_set){.is_given = true};
    return param_each(in, &set->has_star, add_state, set);
}

static int
param_event(const struct param_in *in, void *dst)
{
    struct delivery_query *q = dst;
    struct buf why = BUF_INIT;
    int rc = 0;
    q->has_event = uuid_parse(in->value, &q->event, &why);
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

static enum http_piece
list_make(void *arg, struct buf *out, int64_t deadline_us)
{
    struct delivery_budget budget = {REPLY_PIECE_BYTES, deadline_us};
    return piece_of(delivery_listing_step(arg, out, &budget));
}

static void
list_release(void *arg)
{
    delivery_listing_free(arg);
}

static enum http_result
delivery_list(struct http_call *call)
{
    struct webhooks *w = handler_api(call)->webhooks;
    struct list_params p = {.limit.value = 20};
    struct delivery_query q = {.since_ns = INT64_MIN, .until_ns = INT64_MAX};
    if (PARAMS_READ(call, list_rows, &p) < 0 ||
        webhook_uuid_from_text(w, handler_param(call, 0), &q.webhook, &call->err) < 0)
        return HTTP_ERROR;
    q.states = p.states.has_star ? 0 : p.states.bits;
    q.has_event = p.event.has_event;
    q.event = p.event.event;
    q.has_from = p.from.is_given;
    q.from = p.from.value;
    q.is_ascending = p.reverse;
    q.limit = p.limit.value;
    if (p.since.is_bound)
        q.since_ns = p.since.ns;
    if (p.until.is_bound)
        q.until_ns = p.until.ns;
    struct reply_listing listing = {list_make, list_release, delivery_listing_new(w, &q)};
    return reply_listing(call, &listing);
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

static enum http_result
ping(struct http_call *call)
{
    struct buf body = BUF_INIT;
    if (check_room(call) == 0 &&
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
