/* A call: from evhttp's callback for the ticket to the handler, and what handlers read of it. Owns
 * the request record, its body and its memory. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/http_internal.h"

struct http_request *
http_request_new(struct server_conn *c)
{
    struct http_request *r = mem_new(1, sizeof(*r));
    const struct http_server_conf *conf = &c->server->conf;
    r->server = c->server;
    r->conn = c;
    gate_init(&r->gate, (struct gate_limits){.max_header_bytes = conf->max_header_bytes,
                                             .max_uri_bytes = conf->max_uri_bytes,
                                             .max_headers = conf->max_headers});
    return r;
}

void
http_request_drop_body(struct http_request *r)
{
    if (r->body == NULL)
        return;
    if (r->server != NULL)
        http_server_body_shrank(r->server, evbuffer_get_length(r->body));
    evbuffer_free(r->body);
    r->body = NULL;
}

/* What belongs to one request. */
static void
clear(struct http_request *r)
{
    http_request_drop_body(r);
    arena_free(r->call.arena);
    err_done(&r->call.err);
    err_done(&r->refusal);
    buf_clear(&r->extra);
    r->call = (struct http_call){0};
    r->body_limit = r->body_bytes = 0;
}

void
http_request_reset(struct http_request *r)
{
    clear(r);
    gate_reset(&r->gate);
}

void
http_request_free(struct http_request *r)
{
    if (r == NULL)
        return;
    clear(r);
    gate_done(&r->gate);
    buf_done(&r->extra);
    if (r->ahead != NULL)
        evbuffer_free(r->ahead);
    free(r);
}

void
http_request_conn_gone(struct http_request *r, enum conn_state state)
{
    if (state == CONN_STREAMING && r->stream != NULL)
        http_stream_gone(r->stream);
    else if (state == CONN_STREAMING)
        http_pieces_gone(r->pieces);
    if (state != CONN_HANDLING) {
        http_request_free(r);
        return;
    }
    /* A handler has the call. It is told, or the record stays until it replies. */
    if (r->body != NULL)
        http_server_body_shrank(r->server, evbuffer_get_length(r->body));
    r->server = NULL;
    void (*on_gone)(struct http_call * call) = r->call.on_gone;
    if (on_gone == NULL)
        return;
    r->call.on_gone = NULL;
    on_gone(&r->call);
    http_request_free(r);
}

/* --- from the ticket to the handler -------------------------------------------------------- */

static struct str
head_header(const struct http_head *head, const char *name)
{
    return gate_header(head->private_data, name);
}

struct http_head
http_request_head(const struct http_request *r)
{
    const struct gate_head *h = &r->gate.head;
    return (struct http_head){.method = h->method,
                              .path = h->path,
                              .query = h->query,
                              .header = head_header,
                              .private_data = &r->gate};
}

bool
http_request_is_preflight(const struct http_request *r)
{
    enum http_method ignored;
    return r->gate.head.method == HTTP_OPTIONS &&
           http_method_parse(gate_header(&r->gate, "Access-Control-Request-Method"), &ignored);
}

static void
answer_preflight(struct http_call *call)
{
    struct str asked = http_call_header(call, "Access-Control-Request-Headers");
    struct buf methods = BUF_INIT;
    for (int i = 0; i < HTTP_METHODS; i++)
        buf_addf(&methods, "%s%s", i == 0 ? "" : ", ", http_method_name((enum http_method) i));
    if (http_call_header(call, "Origin").data == NULL)
        http_call_add_header(call, "Access-Control-Allow-Origin", "*");
    http_call_add_header(call, "Access-Control-Allow-Methods", buf_cstr(&methods));
    if (asked.data != NULL)
        http_call_add_header(call, "Access-Control-Allow-Headers",
                             arena_strndup(call->arena, asked.data, asked.len));
    http_call_add_header(call, "Access-Control-Max-Age", "86400");
    buf_done(&methods);
    http_reply_empty(call, 200);
}

static void
dispatch(struct http_request *r)
{
    struct http_call *call = &r->call;
    struct http_server *s = r->server;
    if (err_is_set(&r->refusal)) {
        err_move(&call->err, &r->refusal);
        http_reply_error(call);
    } else if (http_request_is_preflight(r)) {
        answer_preflight(call);
    } else if (http_accept_encoding(gate_header(&r->gate, "Accept-Encoding")) == HTTP_NO_ENCODING) {
        http_reply(call, 406, "text/plain", STR("gzip, deflate"));
    } else {
        s->stats.requests++;
        s->conf.handle(s->conf.app, call);
    }
}

static void
on_ticket_done(struct evhttp_request *ticket, void *conn)
{
    (void) ticket; /* evhttp frees it */
    server_conn_reply_done(conn);
}

/* The connection that the ticket was written for: "/<slot>". */
static struct server_conn *
find_conn(const struct http_server *s, struct evhttp_request *ticket)
{
    unsigned long slot = strtoul(evhttp_request_get_uri(ticket) + 1, NULL, 16);
    return slot < s->n_slots ? s->slots[slot] : NULL;
}

void
http_request_on_ticket(struct evhttp_request *ticket, void *server)
{
    struct server_conn *c = find_conn(server, ticket);
    if (c == NULL || c->state != CONN_TICKET)
        abort(); /* evhttp has read something that we did not write */
    struct http_request *r = c->request;
    const struct gate_head *h = &r->gate.head;
    c->ticket = ticket;
    evhttp_request_set_on_complete_cb(ticket, on_ticket_done, c);
    server_conn_begin_handling(c);
    server_conn_set_state(c, CONN_HANDLING);
    c->must_close = c->must_close || h->wants_close || c->server->is_draining;
    r->call = (struct http_call){.request = r,
                                 .arena = arena_new(),
                                 .method = h->method,
                                 .path = h->path,
                                 .query = h->query,
                                 .app = c->server->conf.app,
                                 .began_us = clock_mono_us()};
    dispatch(r);
}

/* --- reading a call ------------------------------------------------------------------------ */

struct str
http_call_header(const struct http_call *call, const char *name)
{
    return gate_header(&call->request->gate, name);
}

uint64_t
http_call_body_left(const struct http_call *call)
{
    const struct evbuffer *body = call->request->body;
    return body == NULL ? 0 : evbuffer_get_length(body);
}

size_t
http_call_take_body(struct http_call *call, struct buf *out, size_t max)
{
    struct http_request *r = call->request;
    size_t left = r->body == NULL ? 0 : evbuffer_get_length(r->body), n = left < max ? left : max;
    if (n == 0 || !buf_reserve(out, n))
        return 0;
    int got = evbuffer_remove(r->body, out->data + out->len, n);
    if (got <= 0)
        return 0;
    out->len += (size_t) got;
    if (r->server != NULL)
        http_server_body_shrank(r->server, (uint64_t) got);
    return (size_t) got;
}

void
http_call_watch(struct http_call *call)
{
    if (call->request->conn != NULL)
        server_conn_watch(call->request->conn);
}

const char *
http_call_peer(const struct http_call *call)
{
    const struct server_conn *c = call->request->conn;
    char *address = NULL;
    uint16_t port;
    if (c == NULL)
        return "";
    evhttp_connection_get_peer(c->evcon, &address, &port);
    return address != NULL ? address : "";
}
