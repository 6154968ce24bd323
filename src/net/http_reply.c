/* The answer: status line and headers, which bodies are encoded, and the bytes into the output in
 * as few pieces as can be. Knows nothing of how they leave (server_conn.c). */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/http_internal.h"

enum {
    ENCODE_MIN_BYTES = 1024,      /* below, the headers cost more than it saves */
    ENCODE_AT_ONCE_BYTES = 65536, /* above, in slices */
    COPY_MAX_BYTES = 65536,       /* larger owned bodies are referred to, not copied */
    ENCODE_LEVEL = 1,
    RETRY_AFTER_S = 10,
};

/* RFC 9110, 15 and the registry; libevent's own table ends at 417. */
static const struct {
    int status;
    const char *phrase;
} phrases[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {424, "Failed Dependency"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

static const char *
phrase_of(int status)
{
    for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
        if (phrases[i].status == status)
            return phrases[i].phrase;
    }
    return "Unknown";
}

/* --- head ---------------------------------------------------------------------------------- */

/* The Date line, formatted once a second. */
static void
add_date(struct http_server *s, struct buf *out)
{
    int64_t now_ns = clock_wall_ns(), now_s = now_ns / 1000000000;
    if (now_s != s->date_s || s->date[0] == '\0') {
        char text[30];
        clock_format_http_date(text, now_ns);
        (void) snprintf(s->date, sizeof(s->date), "Date: %s\r\n", text);
        s->date_s = now_s;
    }
    buf_add_cstr(out, s->date);
}

static void
add_line(struct buf *out, const char *name, const char *value)
{
    buf_add_cstr(out, name);
    buf_add(out, ": ", 2);
    buf_add_cstr(out, value);
    buf_add(out, "\r\n", 2);
}

static void
add_body_headers(struct buf *out, const struct http_reply *reply)
{
    if (reply->content_type != NULL)
        add_line(out, "Content-Type", reply->content_type);
    if (reply->encoding != NULL)
        add_line(out, "Content-Encoding", reply->encoding);
    if (reply->is_chunked)
        buf_add_str(out, STR("Transfer-Encoding: chunked\r\n"));
    if ((!reply->has_length && !reply->is_sized) || reply->is_chunked)
        return;
    buf_add_str(out, STR("Content-Length: "));
    buf_add_u64(out, reply->is_sized ? reply->size : reply->body.len);
    buf_add(out, "\r\n", 2);
}

struct str
http_reply_render_head(struct http_request *r, const struct http_reply *reply)
{
    struct buf *out = &r->server->scratch;
    if (r->server->conf.replied != NULL)
        r->server->conf.replied(r->server->conf.app, &r->call, reply->status);
    buf_clear(out);
    buf_add_str(out, STR("HTTP/1.1 "));
    buf_add_u64(out, (uint64_t) reply->status);
    buf_add_char(out, ' ');
    buf_add_cstr(out, phrase_of(reply->status));
    buf_add(out, "\r\n", 2);
    add_body_headers(out, reply);
    add_date(r->server, out);
    buf_add_str(out, STR("Vary: Origin, Access-Control-Request-Method, "
                         "Access-Control-Request-Headers\r\n"));
    if (reply->varies)
        buf_add_str(out, STR("Vary: accept-encoding\r\n"));
    if (gate_header(&r->gate, "Origin").data != NULL)
        buf_add_str(out, STR("Access-Control-Allow-Origin: *\r\n"));
    buf_add_str(out, buf_str(&r->extra));
    if (r->conn->must_close)
        buf_add_str(out, STR("Connection: close\r\n"));
    else if (r->gate.head.is_http_1_0)
        buf_add_str(out, STR("Connection: keep-alive\r\n"));
    buf_add(out, "\r\n", 2);
    return buf_str(out);
}

/* RFC 9110, 6.4.1: no body after HEAD, 204 and 304. */
bool
http_reply_may_have_body(const struct http_request *r, int status)
{
    return r->gate.head.method != HTTP_HEAD && status != 204 && status != 304;
}

/* --- sending ------------------------------------------------------------------------------- */

static void
free_owned(const void *data, size_t len, void *owned)
{
    (void) data, (void) len;
    free(owned);
}

/* Head and body in one chain of the output: one system call, one TLS record. */
static bool
add_in_one(struct evbuffer *out, struct str head, struct str body)
{
    struct evbuffer_iovec space;
    size_t len = head.len + body.len;
    if (evbuffer_reserve_space(out, (ev_ssize_t) len, &space, 1) != 1)
        return false;
    memcpy(space.iov_base, head.data, head.len);
    if (body.len > 0)
        memcpy((char *) space.iov_base + head.len, body.data, body.len);
    space.iov_len = len;
    return evbuffer_commit_space(out, &space, 1) == 0;
}

static bool
add_reply(struct evbuffer *out, struct str head, struct http_reply *reply, bool has_body)
{
    struct str body = has_body ? reply->body : STR_NULL;
    if (body.len <= COPY_MAX_BYTES || reply->owned == NULL)
        return add_in_one(out, head, body);
    if (!add_in_one(out, head, STR_NULL) ||
        evbuffer_add_reference(out, body.data, body.len, free_owned, reply->owned) != 0)
        return false;
    reply->owned = NULL;
    return true;
}

void
http_reply_send(struct http_request *r, struct http_reply *reply)
{
    struct server_conn *c = r->conn;
    reply->has_length = reply->status != 204 && reply->status != 304;
    struct str head = http_reply_render_head(r, reply);
    bool is_whole = !buf_failed(&r->server->scratch) &&
                    add_reply(c->out, head, reply, http_reply_may_have_body(r, reply->status));
    free(reply->owned);
    reply->owned = NULL;
    if (!is_whole) {
        log_error("http", "out of memory for a reply status=%d", reply->status);
        server_conn_set_state(c, CONN_CLOSING); /* the call is over */
        server_conn_doom(c);
        return;
    }
    server_conn_finish(c);
}

void
http_reply_discard(struct http_request *r)
{
    http_request_free(r);
}

/* --- encoding ------------------------------------------------------------------------------ */

bool
http_reply_is_worth_encoding(const char *content_type, size_t len)
{
    static const char *const types[] = {
        "application/json",       "application/x-ndjson", "text/",
        "application/javascript", "image/svg+xml",        "application/xml",
    };
    if (len <= ENCODE_MIN_BYTES || content_type == NULL)
        return false;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (str_starts_with(str_from(content_type), types[i]))
            return true;
    }
    return false;
}

static void
encode_at_once(struct http_reply *reply, enum http_encoding encoding)
{
    struct buf packed = BUF_INIT;
    struct gzip_out *z = gzip_out_new(http_encoding_format(encoding), ENCODE_LEVEL);
    gzip_out_add(z, reply->body, &packed);
    gzip_out_finish(z, &packed);
    gzip_out_free(z);
    if (buf_failed(&packed)) {
        buf_done(&packed);
        return; /* sent as it is */
    }
    free(reply->owned);
    reply->body = buf_str(&packed);
    reply->owned = packed.data;
    reply->encoding = http_encoding_name(encoding);
}

/* A body in memory as a source of pieces: encoding a long one takes many slices. */
struct memory {
    char *data;
    size_t len, at;
};

static enum http_piece
make_from_memory(void *arg, struct buf *out, int64_t deadline_us)
{
    struct memory *m = arg;
    size_t n = m->len - m->at;
    (void) deadline_us; /* a piece takes well below a slice to copy */
    n = n > ENCODE_AT_ONCE_BYTES / 4 ? ENCODE_AT_ONCE_BYTES / 4 : n;
    buf_add(out, m->data + m->at, n);
    m->at += n;
    return m->at < m->len ? HTTP_PIECE_MORE : HTTP_PIECE_LAST;
}

static void
release_memory(void *arg)
{
    struct memory *m = arg;
    free(m->data);
    free(m);
}

static void
reply_from_memory(struct http_call *call, struct http_reply *reply)
{
    struct memory *m = malloc(sizeof(*m));
    char *data = reply->owned;
    if (m != NULL && data == NULL && (data = malloc(reply->body.len)) != NULL)
        memcpy(data, reply->body.data, reply->body.len);
    if (m == NULL || data == NULL) {
        free(m);
        http_reply_send(call->request, reply); /* as it is */
        return;
    }
    *m = (struct memory){.data = data, .len = reply->body.len};
    http_reply_pieces(call, reply->status, reply->content_type, make_from_memory, release_memory,
                      m);
}

static void
send_encoded(struct http_call *call, struct http_reply *reply)
{
    struct http_request *r = call->request;
    if (r->conn == NULL) {
        free(reply->owned);
        http_reply_discard(r);
        return;
    }
    enum http_encoding encoding = HTTP_IDENTITY;
    if (http_reply_is_worth_encoding(reply->content_type, reply->body.len)) {
        reply->varies = true;
        if (http_reply_may_have_body(r, reply->status))
            encoding = http_accept_encoding(gate_header(&r->gate, "Accept-Encoding"));
    }
    bool is_encoded = encoding == HTTP_GZIP || encoding == HTTP_DEFLATE;
    if (is_encoded && reply->body.len > ENCODE_AT_ONCE_BYTES) {
        reply_from_memory(call, reply);
        return;
    }
    if (is_encoded)
        encode_at_once(reply, encoding);
    http_reply_send(r, reply);
}

/* --- the replies of http_server.h ---------------------------------------------------------- */

/* Names and values come from handlers; a line break would be a second header. */
void
http_call_add_header(struct http_call *call, const char *name, const char *value)
{
    if (strpbrk(name, "\r\n:") == NULL && strpbrk(value, "\r\n") == NULL)
        add_line(&call->request->extra, name, value);
}

void
http_reply(struct http_call *call, int status, const char *content_type, struct str body)
{
    struct http_reply reply = {.status = status, .content_type = content_type, .body = body};
    send_encoded(call, &reply);
}

void
http_reply_take(struct http_call *call, int status, const char *content_type, struct buf *body)
{
    struct http_reply reply = {.status = status, .content_type = content_type};
    if (buf_failed(body)) {
        buf_done(body);
        (void) err_set(&call->err, ERR_INTERNAL, "out of memory for the answer");
        http_reply_error(call);
        return;
    }
    reply.body = buf_str(body);
    reply.owned = body->data;
    *body = BUF_INIT;
    send_encoded(call, &reply);
}

void
http_reply_json(struct http_call *call, int status, struct buf *body)
{
    http_reply_take(call, status, "application/json", body);
}

/* Appends the body and returns its media type. */
static const char *
render_error(struct http_call *call, struct buf *out)
{
    const struct http_server_conf *conf = &call->request->server->conf;
    const char *type = conf->render_error == NULL ? NULL : conf->render_error(conf->app, call, out);
    if (type != NULL)
        return type;
    err_write_json(out, call->err.code, str_from(call->err.message));
    return "application/json";
}

void
http_reply_error(struct http_call *call)
{
    struct buf body = BUF_INIT;
    if (!err_is_set(&call->err))
        (void) err_set(&call->err, ERR_INTERNAL, "The request failed without a reason.");
    int status = err_http_status(call->err.code);
    const char *type = render_error(call, &body);
    if (status == 503) {
        char seconds[8];
        (void) snprintf(seconds, sizeof(seconds), "%d", RETRY_AFTER_S);
        http_call_add_header(call, "Retry-After", seconds);
    }
    struct http_reply reply = {
        .status = status, .content_type = type, .body = buf_str(&body), .owned = body.data};
    send_encoded(call, &reply);
}

void
http_reply_empty(struct http_call *call, int status)
{
    http_reply(call, status, NULL, STR_NULL);
}
