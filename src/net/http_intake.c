/* Bytes in: moves them from evhttp's input buffer through the gate, asks for the verdict at the end
 * of the head, keeps the body within its limits, and hands evhttp a ticket for each request or
 * refusal. Entered from the input buffer's callback and after each reply. */
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "net/http_internal.h"

enum {
    LIBEVENT_READ_BYTES = 4096, /* what evbuffer_read takes a turn (EVBUFFER_MAX_READ) */
    READ_MORE_BYTES = 256 << 10,
    AHEAD_MAX_BYTES = 64 << 10, /* read while a request is answered, before the next is its turn */
    COPY_BELOW_BYTES =
        2048, /* smaller pieces of a body are copied: their chains are mostly empty */
};

static struct evbuffer *
new_buffer(void)
{
    struct evbuffer *b = evbuffer_new();
    if (b == NULL)
        abort(); /* small bounded size */
    return b;
}

/* --- tickets and refusals ------------------------------------------------------------------ */

/* Gives evhttp a request to call back for. Its start is never frozen for the input, so prepending
 * works from inside every callback. */
static void
give_ticket(struct server_conn *c)
{
    server_conn_set_state(c, CONN_TICKET);
    if (evbuffer_prepend(c->in, c->ticket_line, c->ticket_len) != 0)
        abort(); /* small bounded size */
}

/* The request being read will be answered with *err (moved). */
static void
refuse(struct server_conn *c, struct err *err, bool must_close)
{
    struct http_request *r = c->request;
    err_move(&r->refusal, err);
    http_request_drop_body(r);
    c->must_close = c->must_linger = must_close;
    c->server->stats.refused++;
    give_ticket(c);
}

void
http_intake_refuse_late(struct server_conn *c, struct err *err)
{
    c->is_in_intake = true;
    refuse(c, err, true);
    c->is_in_intake = false;
    bufferevent_trigger(c->bev, EV_READ, BEV_TRIG_IGNORE_WATERMARKS);
}

/* --- body ---------------------------------------------------------------------------------- */

static void
refuse_too_large(struct server_conn *c, uint64_t declared)
{
    struct http_server *s = c->server;
    struct http_request *r = c->request;
    struct http_head head = http_request_head(r);
    struct err err = ERR_INIT;
    if (s->conf.too_large != NULL)
        s->conf.too_large(s->conf.app, &head, declared, r->body_limit, &err);
    if (!err_is_set(&err))
        (void) err_set(&err, ERR_PAYLOAD_TOO_LARGE, "The body is larger than %llu bytes.",
                       (unsigned long long) r->body_limit);
    refuse(c, &err, true);
}

static void
refuse_busy(struct server_conn *c)
{
    struct err err = ERR_INIT;
    (void) err_set(&err, ERR_SERVER_BUSY,
                   "The server is holding too many request bodies. Try again later.");
    refuse(c, &err, true);
}

static bool
fits_budget(const struct http_server *s, uint64_t more)
{
    uint64_t held = s->stats.buffered_body_bytes, max = s->conf.max_buffered_body_bytes;
    return held <= max && more <= max - held;
}

/* Moves n bytes into the body: whole chains without a copy. */
static void
move_body(struct http_request *r, struct evbuffer *src, size_t n)
{
    if (r->body == NULL)
        r->body = new_buffer();
    int result = 0;
    while (n > 0 && result >= 0) {
        struct evbuffer_iovec first;
        (void) evbuffer_peek(src, -1, NULL, &first, 1); /* src holds n bytes: there is one */
        size_t piece = first.iov_len < n ? first.iov_len : n;
        if (piece < COPY_BELOW_BYTES) {
            result = evbuffer_add(r->body, first.iov_base, piece);
            (void) evbuffer_drain(src, piece);
        } else {
            result = evbuffer_remove_buffer(src, r->body, piece);
        }
        n -= piece;
    }
    if (result < 0)
        abort(); /* libevent cannot say how much was lost; the budget bounds this */
}

/* Takes what is there of the body's current run; false when the request was refused. */
static bool
take_body(struct server_conn *c, struct evbuffer *src)
{
    struct http_request *r = c->request;
    uint64_t run = gate_body_run(&r->gate);
    if (run > r->body_limit - r->body_bytes) {
        refuse_too_large(c, UINT64_MAX);
        return false;
    }
    size_t there = evbuffer_get_length(src), n = run < there ? (size_t) run : there;
    if (!fits_budget(c->server, n)) {
        refuse_busy(c);
        return false;
    }
    move_body(r, src, n);
    r->body_bytes += n;
    http_server_body_grew(c->server, n);
    gate_body_taken(&r->gate, n);
    return true;
}

/* --- head ---------------------------------------------------------------------------------- */

/* Preflights are answered before routing and rights (contract 1.8). */
static bool
needs_judge(const struct http_request *r)
{
    return r->server->conf.judge != NULL && !http_request_is_preflight(r);
}

/* Asks for the verdict; false when the request was refused. */
static bool
judge(struct server_conn *c)
{
    struct http_server *s = c->server;
    struct http_request *r = c->request;
    struct http_head head = http_request_head(r);
    struct http_verdict verdict = {.body_limit_bytes = s->conf.judge == NULL ? UINT64_MAX : 0};
    if (c->is_surplus)
        (void) err_set(&verdict.err, ERR_TOO_MANY_CONNECTIONS,
                       "The server has too many connections. Try again later.");
    else if (needs_judge(r))
        s->conf.judge(s->conf.app, &head, &verdict);
    r->body_limit = verdict.body_limit_bytes;
    if (err_is_set(&verdict.err)) {
        refuse(c, &verdict.err, c->is_surplus || gate_has_body(&r->gate));
        return false;
    }
    const struct gate_head *h = &r->gate.head;
    if (!h->is_chunked && h->content_length > r->body_limit) {
        refuse_too_large(c, h->content_length);
        return false;
    }
    if (!h->is_chunked && !fits_budget(s, h->content_length)) {
        refuse_busy(c);
        return false;
    }
    return true;
}

/* The head is complete; false when the request was refused. */
static bool
end_head(struct server_conn *c, const struct evbuffer *src)
{
    const struct gate *g = &c->request->gate;
    if (!judge(c))
        return false;
    if (!gate_has_body(g))
        return true;
    server_conn_set_state(c, CONN_BODY);
    if (!g->head.expects_continue || evbuffer_get_length(src) > 0)
        return true;
    if (src == c->in)
        server_conn_send_continue(c);
    else
        server_conn_send_continue_later(c); /* evhttp is about to reset the bufferevent */
    return true;
}

/* --- stream -------------------------------------------------------------------------------- */

static enum gate_state
feed_gate(struct server_conn *c, struct evbuffer *src)
{
    struct evbuffer_iovec piece = {NULL, 0};
    size_t used = 0;
    (void) evbuffer_peek(src, -1, NULL, &piece, 1); /* none: an empty piece */
    if (piece.iov_len == 0 && evbuffer_get_length(src) > 0) {
        piece.iov_base = evbuffer_pullup(src, 1); /* an empty first chain */
        piece.iov_len = piece.iov_base != NULL;
    }
    enum gate_state state = gate_feed(&c->request->gate, piece.iov_base, piece.iov_len, &used);
    (void) evbuffer_drain(src, used); /* never frozen at the start */
    return state;
}

static bool
is_reading(const struct server_conn *c)
{
    return c->state == CONN_IDLE || c->state == CONN_HEAD || c->state == CONN_BODY;
}

/* Runs the gate over src until its bytes are used up or the request is complete or refused. */
static void
read_request(struct server_conn *c, struct evbuffer *src)
{
    bool goes_on = true;
    while (goes_on && is_reading(c)) {
        switch (feed_gate(c, src)) {
        case GATE_MORE:
            goes_on = evbuffer_get_length(src) > 0;
            break;
        case GATE_HEAD:
            goes_on = end_head(c, src);
            break;
        case GATE_BODY:
            goes_on = evbuffer_get_length(src) > 0 && take_body(c, src);
            break;
        case GATE_DONE:
            give_ticket(c);
            break;
        case GATE_REFUSED:
            refuse(c, &c->request->gate.err, true);
            break;
        }
    }
    if (c->state == CONN_IDLE && gate_has_begun(&c->request->gate))
        server_conn_set_state(c, CONN_HEAD);
}

/* libevent reads 4 KiB a turn; a long body takes what the socket has. */
static void
read_more(struct server_conn *c)
{
    int fd = bufferevent_getfd(c->bev), there = 0;
    if (ioctl(fd, FIONREAD, &there) != 0 || there < LIBEVENT_READ_BYTES)
        return;
    struct evbuffer_iovec space;
    size_t want = there > READ_MORE_BYTES ? READ_MORE_BYTES : (size_t) there;
    if (evbuffer_reserve_space(c->in, (ev_ssize_t) want, &space, 1) != 1)
        return;
    struct iovec vec = {space.iov_base, want};
    ssize_t n = readv(fd, &vec, 1);
    if (n <= 0)
        return; /* libevent will meet it in the next turn */
    space.iov_len = (size_t) n;
    (void) evbuffer_commit_space(c->in, &space, 1);
}

/* Bytes beyond the request in hand wait outside evhttp's sight. */
static void
put_ahead(struct server_conn *c)
{
    struct http_request *r = c->request;
    size_t ticket = c->state == CONN_TICKET ? c->ticket_len : 0;
    if (evbuffer_get_length(c->in) == ticket)
        return;
    if (c->must_close || c->state == CONN_CLOSING) {
        (void) evbuffer_drain(c->in, evbuffer_get_length(c->in));
    } else {
        if (r->ahead == NULL)
            r->ahead = new_buffer();
        (void) evbuffer_drain(c->in, ticket);
        if (evbuffer_add_buffer(r->ahead, c->in) != 0)
            abort(); /* chains are only moved */
    }
    if (ticket > 0 && evbuffer_prepend(c->in, c->ticket_line, ticket) != 0)
        abort(); /* small bounded size */
}

void
http_intake_on_input(struct evbuffer *in, const struct evbuffer_cb_info *info, void *arg)
{
    struct server_conn *c = arg;
    if (c->is_in_intake || info->n_added == 0)
        return;
    c->is_in_intake = true;
    server_conn_adopt(c);
    if (c->is_doomed) {
        (void) evbuffer_drain(in, evbuffer_get_length(in));
    } else if (is_reading(c)) {
        if (c->state == CONN_BODY && !c->is_tls && info->n_added == LIBEVENT_READ_BYTES)
            read_more(c);
        read_request(c, in);
    }
    if (!is_reading(c))
        put_ahead(c);
    bool is_full =
        c->request->ahead != NULL && evbuffer_get_length(c->request->ahead) > AHEAD_MAX_BYTES;
    if (c->is_watched && is_full)
        (void) bufferevent_disable(c->bev, EV_READ); /* TCP holds the rest back */
    c->is_in_intake = false;
}

void
http_intake_resume(struct server_conn *c)
{
    struct evbuffer *ahead = c->request->ahead;
    if (ahead == NULL || evbuffer_get_length(ahead) == 0)
        return;
    c->is_in_intake = true;
    read_request(c, ahead);
    c->is_in_intake = false;
}
