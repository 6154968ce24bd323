/* Answers without an end: bytes are pushed into the connection's output as they come, chunked,
 * until somebody ends it. Knows nothing of what is sent.
 *
 *   http_reply_stream -> http_stream_write ... -> http_stream_end -> server_conn_finish
 *   connection lost   -> http_stream_gone (gone exactly once) */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/http_internal.h"

enum { LOW_BYTES = 16 << 10 /* of output: a slow client may get more */ };

struct http_stream {
    struct http_request *request;
    struct evbuffer *out; /* of the connection */
    struct http_stream_hooks hooks;
    bool is_chunked, wants_drained;
};

static void
on_output(struct evbuffer *out, const struct evbuffer_cb_info *info, void *arg)
{
    struct http_stream *s = arg;
    if (!s->wants_drained || info->n_deleted == 0 || evbuffer_get_length(out) >= LOW_BYTES)
        return;
    s->wants_drained = false;
    s->hooks.drained(s->hooks.arg);
}

static bool
send_head(struct http_stream *s, const char *content_type)
{
    struct http_request *r = s->request;
    struct http_reply reply = {.status = 200, .content_type = content_type};
    s->is_chunked = reply.is_chunked = !r->gate.head.is_http_1_0;
    if (!s->is_chunked)
        r->conn->must_close = true; /* the end of the connection ends the body */
    struct str head = http_reply_render_head(r, &reply);
    return !buf_failed(&r->server->scratch) && evbuffer_add(s->out, head.data, head.len) == 0 &&
           evbuffer_add_cb(s->out, on_output, s) != NULL;
}

struct http_stream *
http_reply_stream(struct http_call *call, const char *content_type,
                  const struct http_stream_hooks *hooks)
{
    struct http_request *r = call->request;
    call->on_gone = NULL;
    if (r->conn == NULL) {
        http_reply_discard(r);
        return NULL;
    }
    if (!http_reply_may_have_body(r, 200)) {
        http_reply(call, 200, content_type, STR_NULL);
        return NULL;
    }
    struct http_stream *s = mem_new(1, sizeof(*s));
    *s = (struct http_stream){.request = r, .out = r->conn->out, .hooks = *hooks};
    if (!send_head(s, content_type)) {
        server_conn_set_state(r->conn, CONN_CLOSING);
        server_conn_doom(r->conn);
        free(s);
        return NULL;
    }
    r->stream = s;
    server_conn_set_state(r->conn, CONN_STREAMING);
    server_conn_begin_stream(r->conn);
    server_conn_watch(r->conn);
    return s;
}

bool
http_stream_write(struct http_stream *s, struct str bytes)
{
    char size[24];
    if (bytes.len == 0)
        return true; /* an empty chunk would end the body */
    if (!s->is_chunked)
        return evbuffer_add(s->out, bytes.data, bytes.len) == 0;
    int n = snprintf(size, sizeof(size), "%zx\r\n", bytes.len);
    return evbuffer_expand(s->out, bytes.len + sizeof(size)) == 0 &&
           evbuffer_add(s->out, size, (size_t) n) == 0 &&
           evbuffer_add(s->out, bytes.data, bytes.len) == 0 && evbuffer_add(s->out, "\r\n", 2) == 0;
}

size_t
http_stream_waiting(const struct http_stream *s)
{
    return evbuffer_get_length(s->out);
}

void
http_stream_await_drained(struct http_stream *s)
{
    s->wants_drained = true;
}

/* The output's callback goes before anything else touches it. */
static void
release(struct http_stream *s)
{
    (void) evbuffer_remove_cb(s->out, on_output, s); /* it was added */
    s->request->stream = NULL;
    free(s);
}

void
http_stream_end(struct http_stream *s)
{
    struct server_conn *c = s->request->conn;
    bool is_whole = !s->is_chunked || evbuffer_add(s->out, "0\r\n\r\n", 5) == 0;
    release(s);
    if (is_whole) {
        server_conn_finish(c);
        return;
    }
    server_conn_set_state(c, CONN_CLOSING);
    server_conn_doom(c);
}

void
http_stream_cut(struct http_stream *s)
{
    struct server_conn *c = s->request->conn;
    release(s);
    server_conn_set_state(c, CONN_CLOSING);
    server_conn_doom(c);
}

void
http_stream_gone(struct http_stream *s)
{
    struct http_stream_hooks hooks = s->hooks;
    release(s);
    hooks.gone(hooks.arg);
}
