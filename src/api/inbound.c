/* POST /v1/webhooks/{provider}/{connectionId}: what providers send. There is no Authorization: the
 * signature is the key, over the bytes exactly as they came. Owns the HTTP around inbound/: taking
 * the body, its encoding, the reply after the commit.
 *
 *   receive -> inbound_check (at once | slices) -> [on_checked] -> inbound_apply -> commit -> reply
 */
#include "inbound/inbound.h"

#include "api/body.h"
#include "api/handler.h"
#include "api/reply.h"

/* The call's state while the check runs. */
struct receiving {
    struct http_call *call;
    struct inbound_request *request;
    struct provider_headers headers;
    bool in_handler; /* inbound_check has not returned yet */
    bool is_checked;
    int result; /* of the check; the error is the call's */
};

static struct str
header_of(const void *call, const char *name)
{
    return http_call_header(call, name);
}

static void
on_settled(void *arg, bool is_committed)
{
    inbound_end(arg, is_committed);
}

static void
answer_text(struct http_call *call, int status, struct buf *body)
{
    http_reply(call, status, "text/plain; charset=utf-8", buf_str(body));
}

/* Consumes the request. */
static enum http_result
answer(struct http_call *call, struct inbound_request *request, struct inbound_answer *a)
{
    if (a->is_held)
        return reply_held(call, 200, &a->body, on_settled, request);
    inbound_end(request, false);
    if (!a->is_text)
        return reply_json(call, 200, &a->body);
    answer_text(call, 200, &a->body);
    buf_done(&a->body);
    return HTTP_DONE;
}

static int
check_stopping(struct http_call *call)
{
    if (!handler_api(call)->is_stopping)
        return 0;
    return err_set(&call->err, ERR_SHUTTING_DOWN,
                   "The server is shutting down and takes no more events.");
}

/* Consumes the request, whose sender is known to be who he says. */
static enum http_result
apply(struct http_call *call, struct inbound_request *request)
{
    struct inbound_answer a = {.is_text = false};
    struct buf plain = BUF_INIT;
    struct str body = inbound_body(request);
    int rc = check_stopping(call);
    if (rc == 0)
        rc = body_inflate(call, &body, &plain, INBOUND_BODY_MAX_BYTES);
    if (rc == 0)
        rc = inbound_apply(request, body, &a, &call->err);
    buf_done(&plain);
    if (rc == 0)
        return answer(call, request, &a);
    inbound_end(request, false);
    return HTTP_ERROR;
}

static enum http_result
finish(struct receiving *r)
{
    r->call->on_gone = NULL;
    if (r->result == 0)
        return apply(r->call, r->request);
    inbound_end(r->request, false);
    return HTTP_ERROR;
}

static void
on_checked(void *arg, int result, struct err *err)
{
    struct receiving *r = arg;
    struct http_call *call = r->call;
    r->is_checked = true;
    r->result = result;
    if (result < 0)
        err_move(&call->err, err);
    if (!r->in_handler)
        handler_finish(call, finish(r));
}

static void
receive_on_gone(struct http_call *call)
{
    struct receiving *r = call->state;
    inbound_end(r->request, false);
}

static enum http_result
receive(struct http_call *call)
{
    struct receiving *r = arena_alloc(call->arena, sizeof(*r));
    struct body body;
    *r = (struct receiving){.call = call};
    body_read_ignored(call, &body);
    if (buf_failed(&body.raw)) {
        body_done(&body);
        err_set(&call->err, ERR_SERVER_BUSY, "Not enough memory for this request.");
        return HTTP_ERROR;
    }
    struct inbound_message m = {.provider = handler_param(call, 0),
                                .connection_id = handler_param(call, 1),
                                .body = &body.raw};
    inbound_read_headers(m.provider, header_of, call, &m.headers);
    r->request = inbound_begin(handler_api(call)->inbound, &m);
    call->state = r;
    call->on_gone = receive_on_gone;
    r->in_handler = true;
    inbound_check(r->request, on_checked, r);
    r->in_handler = false;
    return r->is_checked ? finish(r) : HTTP_WAIT;
}

static const struct route rows[] = {
    {.method = HTTP_POST,
     .pattern = "/v1/webhooks/{provider}/{connectionId}",
     .flags = ROUTE_OPEN | ROUTE_JSON_BODY | ROUTE_PROVIDER,
     .handler = receive,
     .summary =
         "Take in a provider's webhook (signed by mux, github, stripe, standard, slack or twilio)"},
};
const struct route_table inbound_routes = ROUTE_TABLE(rows);
