/* Long answers: pieces are made in slices, encoded and framed when needed, and put into the output
 * only as fast as the client takes them.
 *
 *   http_reply_pieces -> slice: step -> first piece is the last: an ordinary reply
 *                                    -> begin -> add_piece ... -> end -> server_conn_finish
 *   connection lost, make failed     -> http_pieces_gone (release exactly once) */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/http_internal.h"

enum {
    OUTPUT_HIGH_BYTES = 256 << 10, /* above, the slice sleeps */
    OUTPUT_LOW_BYTES = 64 << 10,   /* below, it wakes */
    ENCODE_LEVEL = 1,
};

struct http_pieces {
    struct http_request *request;
    struct loop_slice slice;
    enum http_piece (*make)(void *arg, struct buf *out, int64_t deadline_us);
    void (*release)(void *arg);
    void *arg;
    struct http_reply reply;
    struct evbuffer *out;    /* of the connection; watched once has_begun */
    struct gzip_out *packer; /* NULL: as it is */
    struct buf raw, packed;
    bool has_begun;
};

static void
free_later(void *arg)
{
    struct http_pieces *p = arg;
    buf_done(&p->raw);
    buf_done(&p->packed);
    free(p);
}

/* Gives everything back; the memory itself goes at the end of the turn, since the slice may be
 * running. */
static void
end_pieces(struct http_pieces *p)
{
    struct loop *loop = p->slice.loop;
    loop_slice_sleep(&p->slice);
    if (p->packer != NULL)
        gzip_out_free(p->packer);
    p->packer = NULL;
    p->request = NULL;
    p->release(p->arg);
    loop_defer(loop, free_later, p);
}

static void
on_output(struct evbuffer *out, const struct evbuffer_cb_info *info, void *arg)
{
    struct http_pieces *p = arg;
    if (info->n_deleted > 0 && evbuffer_get_length(out) < OUTPUT_LOW_BYTES)
        loop_slice_wake(&p->slice);
}

/* The output's callback goes before anything else touches it. */
static void
unwatch(struct http_pieces *p)
{
    if (p->has_begun)
        (void) evbuffer_remove_cb(p->out, on_output, p); /* it was added */
}

void
http_pieces_gone(struct http_pieces *p)
{
    unwatch(p); /* over TLS libevent drains the output once more after the close */
    p->request->pieces = NULL;
    end_pieces(p);
}

static bool
begin(struct http_pieces *p)
{
    struct http_request *r = p->request;
    struct server_conn *c = r->conn;
    p->reply.is_chunked = !r->gate.head.is_http_1_0 && !p->reply.is_sized;
    if (!p->reply.is_chunked && !p->reply.is_sized)
        c->must_close = true; /* the end of the connection ends the body */
    struct str head = http_reply_render_head(r, &p->reply);
    if (buf_failed(&r->server->scratch) || evbuffer_add(c->out, head.data, head.len) != 0)
        return false;
    if (evbuffer_add_cb(c->out, on_output, p) == NULL)
        return false;
    p->out = c->out;
    p->has_begun = true;
    server_conn_begin_stream(c);
    return true;
}

static bool
add_piece(struct http_pieces *p, struct str piece)
{
    struct evbuffer *out = p->request->conn->out;
    char size[24];
    if (piece.len == 0)
        return true; /* an empty chunk would end the body */
    if (!p->reply.is_chunked)
        return evbuffer_add(out, piece.data, piece.len) == 0;
    int n = snprintf(size, sizeof(size), "%zx\r\n", piece.len);
    return evbuffer_expand(out, piece.len + sizeof(size)) == 0 &&
           evbuffer_add(out, size, (size_t) n) == 0 &&
           evbuffer_add(out, piece.data, piece.len) == 0 && evbuffer_add(out, "\r\n", 2) == 0;
}

/* The piece in raw as it goes out; is_last ends the encoded stream. */
static struct str
encode(struct http_pieces *p, bool is_last)
{
    if (p->packer == NULL)
        return buf_str(&p->raw);
    buf_clear(&p->packed);
    gzip_out_add(p->packer, buf_str(&p->raw), &p->packed);
    if (is_last)
        gzip_out_finish(p->packer, &p->packed);
    return buf_str(&p->packed);
}

/* One piece was everything: an ordinary reply with its length. */
static void
send_whole(struct http_pieces *p)
{
    struct http_request *r = p->request;
    struct http_reply reply = p->reply;
    r->pieces = NULL;
    server_conn_set_state(r->conn, CONN_HANDLING);
    if (p->packer != NULL) {
        (void) encode(p, true);
        buf_done(&p->raw);
        p->raw = p->packed;
        p->packed = BUF_INIT;
    }
    bool is_whole = !buf_failed(&p->raw);
    reply.body = buf_str(&p->raw);
    reply.owned = p->raw.data;
    p->raw = BUF_INIT;
    end_pieces(p);
    if (is_whole) {
        http_reply_send(r, &reply);
        return;
    }
    free(reply.owned);
    (void) err_set(&r->call.err, ERR_INTERNAL, "out of memory for the answer");
    http_reply_error(&r->call);
}

/* The body is complete, or (HEAD) not wanted. */
static void
end(struct http_pieces *p)
{
    struct http_request *r = p->request;
    bool is_chunked = p->reply.is_chunked && http_reply_may_have_body(r, p->reply.status);
    unwatch(p);
    r->pieces = NULL;
    end_pieces(p);
    if (is_chunked && evbuffer_add(r->conn->out, "0\r\n\r\n", 5) != 0) {
        server_conn_set_state(r->conn, CONN_CLOSING);
        server_conn_doom(r->conn);
        return;
    }
    server_conn_finish(r->conn);
}

/* The client must see that the body is cut: no last chunk. */
static void
fail(struct http_pieces *p)
{
    struct server_conn *c = p->request->conn;
    unwatch(p);
    p->request->pieces = NULL;
    end_pieces(p);
    server_conn_set_state(c, CONN_CLOSING);
    server_conn_doom(c);
}

static enum loop_slice_result
step(void *arg, int64_t deadline_us)
{
    struct http_pieces *p = arg;
    struct evbuffer *out = p->request->conn->out;
    if (evbuffer_get_length(out) > OUTPUT_HIGH_BYTES)
        return SLICE_IDLE; /* on_output wakes it */
    buf_clear(&p->raw);
    enum http_piece result = p->make(p->arg, &p->raw, deadline_us);
    if (!p->has_begun && result == HTTP_PIECE_LAST) {
        send_whole(p);
        return SLICE_IDLE;
    }
    bool is_last = result == HTTP_PIECE_LAST, is_ok = result != HTTP_PIECE_FAILED;
    is_ok = is_ok && (p->has_begun || begin(p));
    bool wants_body = http_reply_may_have_body(p->request, p->reply.status);
    if (is_ok && wants_body) {
        struct str piece = encode(p, is_last);
        is_ok = !buf_failed(&p->raw) && !buf_failed(&p->packed) && add_piece(p, piece);
    }
    if (!is_ok)
        fail(p);
    else if (is_last || !wants_body)
        end(p);
    else
        return SLICE_MORE;
    return SLICE_IDLE;
}

static struct http_pieces *
pieces_new(struct http_call *call, int status, const char *content_type)
{
    struct http_pieces *p = mem_new(1, sizeof(*p));
    p->request = call->request;
    p->reply.status = status;
    if (content_type != NULL)
        p->reply.content_type = arena_strndup(call->arena, content_type, strlen(content_type));
    return p;
}

static void
encode_as_accepted(struct http_pieces *p)
{
    struct http_request *r = p->request;
    enum http_encoding e = HTTP_IDENTITY;
    /* How long it will be is not known: worth it when it is of such a type. */
    p->reply.varies = http_reply_is_worth_encoding(p->reply.content_type, SIZE_MAX);
    if (p->reply.varies && http_reply_may_have_body(r, p->reply.status))
        e = http_accept_encoding(gate_header(&r->gate, "Accept-Encoding"));
    if (e != HTTP_GZIP && e != HTTP_DEFLATE)
        return;
    p->packer = gzip_out_new(http_encoding_format(e), ENCODE_LEVEL);
    p->reply.encoding = http_encoding_name(e);
}

static void
pieces_start(struct http_pieces *p)
{
    struct http_request *r = p->request;
    r->pieces = p;
    r->call.on_gone = NULL;
    server_conn_set_state(r->conn, CONN_STREAMING);
    loop_slice_init(&p->slice, r->server->loop, step, p);
    loop_slice_wake(&p->slice);
}

void
http_reply_pieces(struct http_call *call, int status, const char *content_type,
                  enum http_piece (*make)(void *arg, struct buf *out, int64_t deadline_us),
                  void (*release)(void *arg), void *arg)
{
    if (call->request->conn == NULL) {
        release(arg);
        http_reply_discard(call->request);
        return;
    }
    struct http_pieces *p = pieces_new(call, status, content_type);
    p->make = make;
    p->release = release;
    p->arg = arg;
    encode_as_accepted(p);
    pieces_start(p);
}

void
http_reply_sized(struct http_call *call, const struct http_sized *body)
{
    if (call->request->conn == NULL) {
        body->release(body->arg);
        http_reply_discard(call->request);
        return;
    }
    struct http_pieces *p = pieces_new(call, body->status, body->content_type);
    p->make = body->make;
    p->release = body->release;
    p->arg = body->arg;
    p->reply.is_sized = true;
    p->reply.size = body->size;
    pieces_start(p);
}
