/* One outgoing connection: an evhttp client connection to a numeric address, over TLS or not. Owns
 * the bufferevent and everything libevent and OpenSSL say about it, and reports in plain words to
 * the exchange. Must not decide what a failure means, and never frees itself inside a callback. */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "net/http_client_internal.h"
#include "net/tls_internal.h"

enum {
    HEAD_MAX_BYTES = 64 * 1024,
    /* evhttp keeps a chunk until it is whole, so this beyond what is wanted of the body. */
    CHUNK_MAX_BYTES = 256 * 1024,
    /* Of unread input, beyond the body: what comes while we still send is read by nobody. */
    INPUT_MAX_BYTES = HEAD_MAX_BYTES + 2 * CHUNK_MAX_BYTES,
    /* evhttp's own time-outs must not come before ours (its defaults are 45 and 50 s). */
    EVHTTP_TIMEOUT_S = 24 * 3600,
    HTTP_CONTINUE = 100,
    HTTP_SWITCHING_PROTOCOLS = 101, /* never asked for */
    WRITE_BYTES = 16 * 1024, /* what libevent offers TLS at once (MAX_SINGLE_WRITE_DEFAULT) */
};

/* --- words for failures ---------------------------------------------------------------------- */

static bool
tls_failure(struct http_client_conn *conn, struct buf *out)
{
    return tls_write_failure(out, conn->ssl, conn->bev, conn->last_words);
}

/* The connection is lost, but its socket still open. A receiver that refuses us after our side of
 * the handshake (TLS 1.3: a client certificate is missing) sends an alert and closes; the reset
 * that follows can be met first, with the alert still unread. */
static void
read_last_words(struct http_client_conn *conn)
{
    char byte;
    unsigned long error;
    if (conn->ssl == NULL || conn->has_bytes || conn->last_words != 0)
        return;
    ERR_clear_error();
    (void) SSL_read(conn->ssl, &byte, 1); /* only the error it leaves matters */
    while ((error = ERR_get_error()) != 0)
        if (conn->last_words == 0 && ERR_GET_LIB(error) == ERR_LIB_SSL)
            conn->last_words = error;
}

static const char *
broken_text(const struct http_client_conn *conn)
{
    if (conn->has_bytes && conn->first_byte == 0x15 && conn->ssl == NULL)
        return "the receiver speaks TLS on this port, not plain HTTP";
    switch (conn->last_error) {
    case EVREQ_HTTP_INVALID_HEADER:
        return "what came is not an HTTP answer, or its head is longer than 64 KiB";
    case EVREQ_HTTP_EOF:
        return conn->has_bytes ? "the receiver closed the connection in the middle of its answer"
                               : "the receiver closed the connection without an answer";
    case EVREQ_HTTP_TIMEOUT:
    case EVREQ_HTTP_BUFFER_ERROR:
    case EVREQ_HTTP_REQUEST_CANCEL:
    case EVREQ_HTTP_DATA_TOO_LONG:
        break;
    }
    return "the connection failed";
}

/* --- connecting ------------------------------------------------------------------------------ */

static void
set_nodelay(struct http_client_conn *conn)
{
    int on = 1;
    /* Without it a body behind its head waits 40 ms for an acknowledgement; failing costs only
     * that. */
    (void) setsockopt(bufferevent_getfd(conn->bev), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* OpenSSL begins the handshake when the socket is writable, connected or failed. */
static void
on_ssl_info(const SSL *ssl, int where, int ret)
{
    struct http_client_conn *conn = SSL_get_app_data(ssl);
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);
    (void) ret;
    if ((where & SSL_CB_HANDSHAKE_START) == 0 || conn->is_tcp_connected)
        return;
    if (getpeername(SSL_get_fd(ssl), (struct sockaddr *) &peer, &len) != 0)
        return;
    conn->is_tcp_connected = true;
    if (conn->exchange != NULL)
        http_exchange_on_connected(conn->exchange);
}

static void
report_unconnected(struct http_client_conn *conn, int error_number)
{
    struct http_exchange *x = conn->exchange;
    struct buf detail = BUF_INIT;
    conn->is_dead = true;
    if (x == NULL)
        return;
    if (!conn->is_tcp_connected) {
        http_exchange_on_connect_failed(x, error_number);
        return;
    }
    if (!tls_failure(conn, &detail))
        buf_add_cstr(&detail, "the receiver closed the connection in the handshake");
    http_exchange_on_tls_failed(x, buf_cstr(&detail));
    buf_done(&detail);
}

/* Connected, and lost again before the request could be written. */
static void
report_lost(struct http_client_conn *conn, int error_number)
{
    struct http_exchange *x = conn->exchange;
    struct buf detail = BUF_INIT;
    conn->is_dead = true;
    if (x == NULL)
        return;
    read_last_words(conn);
    if (conn->ssl != NULL && tls_failure(conn, &detail)) {
        http_exchange_on_tls_failed(x, buf_cstr(&detail));
    } else {
        buf_addf(&detail, "the connection failed: %s", strerror(error_number));
        http_exchange_on_broken(x, buf_cstr(&detail));
    }
    buf_done(&detail);
}

/* evhttp's request is a stand-in without headers: it would copy and print each of them. What it has
 * just put into the empty output gives way to the request itself. Ours comes before theirs goes:
 * an empty output means that the request is written (on_output). False: no memory.
 *
 * Over TLS libevent writes each chain of the output on its own, and when the second fails after the
 * first went out, evhttp hears of an error and then of a success, which ends the process (an
 * assertion). So what it takes at once is always one chain. */
static bool
put_request(struct http_client_conn *conn, const struct http_exchange *x)
{
    struct evbuffer *output = bufferevent_get_output(conn->bev);
    size_t n_theirs = evbuffer_get_length(output), len = x->head.len + x->body.len;
    if (len <= WRITE_BYTES)
        (void) evbuffer_expand(output, len); /* both into one chain */
    bool is_ok = evbuffer_add(output, x->head.data, x->head.len) == 0 &&
                 evbuffer_add(output, x->body.data, x->body.len) == 0;
    if (conn->ssl == NULL)
        (void) evbuffer_unfreeze(output, 1); /* over TLS it is never frozen */
    (void) evbuffer_drain(output, is_ok ? n_theirs : evbuffer_get_length(output));
    if (conn->ssl == NULL)
        (void) evbuffer_freeze(output, 1);
    else if (is_ok)
        (void) evbuffer_pullup(output, len < WRITE_BYTES ? (ev_ssize_t) len : WRITE_BYTES);
    return is_ok;
}

/* Instead of in the next turn, with two changes of what epoll watches. What is left, and an error,
 * is for the loop. */
static void
write_now(struct http_client_conn *conn)
{
    struct evbuffer *output = bufferevent_get_output(conn->bev);
    (void) evbuffer_unfreeze(output, 1);
    (void) evbuffer_write(output, bufferevent_getfd(conn->bev)); /* the loop repeats and reports */
    (void) evbuffer_freeze(output, 1);
    if (evbuffer_get_length(output) == 0)
        bufferevent_trigger(conn->bev, EV_WRITE, 0); /* evhttp goes on to the answer */
}

/* evhttp has just made its request on a connection that is ready. */
static void
send_request(struct http_client_conn *conn, bool at_once)
{
    struct http_exchange *x = conn->exchange;
    if (conn->is_dead || x == NULL || evbuffer_get_length(bufferevent_get_output(conn->bev)) == 0)
        return;
    if (!put_request(conn, x)) {
        conn->is_dead = true;
        http_exchange_on_broken(x, "no memory for the request");
    } else if (at_once && conn->ssl == NULL) {
        write_now(conn);
    }
}

/* Stands in front of evhttp's own callback until the connection is ready to be written to. */
static void
on_connecting(struct bufferevent *bev, short what, void *arg)
{
    int error_number = errno;
    socklen_t len = sizeof(error_number);
    struct http_client_conn *conn = arg;
    if ((what & BEV_EVENT_CONNECTED) == 0) {
        report_unconnected(conn, error_number);
        return;
    }
    conn->is_tcp_connected = conn->is_connected = true;
    set_nodelay(conn);
    if (conn->exchange != NULL)
        http_exchange_on_connected(conn->exchange);
    /* evhttp would ask the same, and then say nothing of the reason. */
    if (getsockopt(bufferevent_getfd(bev), SOL_SOCKET, SO_ERROR, &error_number, &len) == 0 &&
        error_number != 0) {
        report_lost(conn, error_number);
        return;
    }
    conn->on_event(bev, what, conn->on_event_arg);
    send_request(conn, false); /* libevent writes as soon as this returns */
}

/* --- evhttp's callbacks ---------------------------------------------------------------- */

static void
on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
    struct http_client_conn *conn = arg;
    struct http_exchange *x = conn->exchange;
    if (info->n_added == 0 || x == NULL)
        return;
    if (!conn->has_bytes) {
        conn->has_bytes = true;
        (void) evbuffer_copyout(input, &conn->first_byte, 1); /* at least one was added */
        http_exchange_on_first_byte(x);
    }
    if (evbuffer_get_length(input) > INPUT_MAX_BYTES + x->max_response_bytes && !conn->is_dead) {
        conn->is_dead = true;
        http_exchange_on_broken(x, "the receiver sends without reading the request");
    }
}

/* While the request is being written, an early answer followed by a close must not be lost to the
 * write error; afterwards a close is to be seen at once. */
static void
on_output(struct evbuffer *output, const struct evbuffer_cb_info *info, void *arg)
{
    struct http_client_conn *conn = arg;
    if (info->n_deleted > 0 && evbuffer_get_length(output) == 0)
        (void) evhttp_connection_set_flags(conn->evcon, 0); /* known flags */
}

static void
on_close(struct evhttp_connection *evcon, void *arg)
{
    struct http_client_conn *conn = arg;
    (void) evcon;
    bool was_idle = conn->exchange == NULL && !conn->is_dead;
    conn->is_dead = true;
    if (conn->exchange != NULL)
        read_last_words(conn);
    if (was_idle)
        http_client_idle_bury(conn);
}

static size_t
count_headers(const struct evkeyvalq *headers, const char *name)
{
    size_t n = 0;
    for (const struct evkeyval *h = headers->tqh_first; h != NULL; h = h->next.tqe_next)
        n += strcasecmp(h->key, name) == 0;
    return n;
}

/* Only what HTTP/1.1 says plainly: anything unusual ends the connection with the answer. */
static bool
may_keep(const struct evhttp_request *req, const struct evkeyvalq *headers, int status)
{
    const char *connection = evhttp_find_header(headers, "Connection");
    const char *coding = evhttp_find_header(headers, "Transfer-Encoding");
    size_t n_lengths = count_headers(headers, "Content-Length");
    if (req->major != 1 || req->minor < 1)
        return false;
    if (connection != NULL && strcasecmp(connection, "keep-alive") != 0)
        return false;
    if (coding != NULL)
        return strcasecmp(coding, "chunked") == 0 && n_lengths == 0 &&
               count_headers(headers, "Transfer-Encoding") == 1;
    return n_lengths == 1 || (n_lengths == 0 && (status == 204 || status == 304));
}

/* Bounded by HEAD_MAX_BYTES. */
static void
write_lines(struct buf *out, const struct evkeyvalq *headers)
{
    for (const struct evkeyval *h = headers->tqh_first; h != NULL; h = h->next.tqe_next) {
        buf_add_cstr(out, h->key);
        buf_add_cstr(out, ": ");
        buf_add_cstr(out, h->value);
        buf_add_char(out, '\n');
    }
}

static int
on_head(struct evhttp_request *req, void *arg)
{
    struct buf lines = BUF_INIT;
    struct http_client_conn *conn = arg;
    struct http_exchange *x = conn->exchange;
    struct evkeyvalq *headers = evhttp_request_get_input_headers(req);
    struct http_client_answer answer = {.status = evhttp_request_get_response_code(req)};
    if (x == NULL)
        return -1;
    /* evhttp waits for the answer behind a 100, but not behind the other interim ones (103, Early
     * Hints), which may come as well (RFC 9110, 15.2). */
    if (answer.status > HTTP_SWITCHING_PROTOCOLS && answer.status < 200)
        answer.status = req->response_code = HTTP_CONTINUE;
    answer.retry_after = evhttp_find_header(headers, "Retry-After");
    answer.may_keep = may_keep(req, headers, answer.status);
    write_lines(&lines, headers);
    answer.headers = buf_str(&lines);
    int rc = http_exchange_on_head(x, &answer);
    buf_done(&lines);
    if (rc < 0)
        return -1;
    if (answer.status == 100)
        evhttp_clear_headers(headers); /* they are not those of the answer */
    else if (evhttp_find_header(headers, "Transfer-Encoding") != NULL)
        evhttp_connection_set_max_body_size(conn->evcon,
                                            (ev_ssize_t) x->max_response_bytes + CHUNK_MAX_BYTES);
    return 0;
}

static void
on_chunk(struct evhttp_request *req, void *arg)
{
    struct http_client_conn *conn = arg;
    if (conn->exchange != NULL)
        http_exchange_on_body(conn->exchange, evhttp_request_get_input_buffer(req));
}

static void
on_error(enum evhttp_request_error error, void *arg)
{
    struct http_client_conn *conn = arg;
    conn->last_error = error;
}

static void
on_done(struct evhttp_request *req, void *arg)
{
    int error_number = errno;
    struct http_client_conn *conn = arg;
    struct http_exchange *x = conn->exchange;
    struct buf detail = BUF_INIT;
    bool is_answer = req != NULL && evhttp_request_get_response_code(req) != 0;
    if (!is_answer)
        conn->is_dead = true;
    if (x == NULL)
        return;
    if (is_answer)
        http_exchange_on_complete(x);
    else if (!conn->is_connected)
        report_unconnected(conn, error_number); /* from inside evhttp_make_request */
    else if (conn->ssl != NULL && tls_failure(conn, &detail))
        http_exchange_on_tls_failed(x, buf_cstr(&detail));
    else
        http_exchange_on_broken(x, broken_text(conn));
    buf_done(&detail);
}

/* --- life ------------------------------------------------------------------------------------ */

/* A fresh one for each connection: reconnecting on a used SSL fails with some OpenSSL versions. */
static SSL *
new_ssl(struct http_client_conn *conn, const struct http_client_target *target)
{
    SSL *ssl = target->tls_ctx == NULL
                   ? NULL
                   : tls_client_ssl_new(target->tls_ctx, target->tls_host, target->tls_host_is_ip);
    if (ssl == NULL)
        return NULL;
    SSL_set_info_callback(ssl, on_ssl_info);
    if (SSL_set_app_data(ssl, conn) == 1)
        return ssl;
    SSL_free(ssl);
    return NULL;
}

static struct bufferevent *
new_bufferevent(struct http_client_conn *conn, const struct http_client_target *target)
{
    struct event_base *base = loop_base(conn->client->loop);
    if (target->tls_host == NULL)
        return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    conn->ssl = new_ssl(conn, target);
    if (conn->ssl == NULL)
        return NULL;
    struct bufferevent *bev = bufferevent_openssl_socket_new(
        base, -1, conn->ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL)
        SSL_free(conn->ssl);
    return bev;
}

struct http_client_conn *
http_client_conn_new(struct http_client *c, const struct http_client_target *target)
{
    static const struct timeval timeout = {EVHTTP_TIMEOUT_S, 0};
    struct http_client_conn *conn = mem_new(1, sizeof(*conn));
    conn->client = c;
    ERR_clear_error();
    conn->bev = new_bufferevent(conn, target);
    if (conn->bev == NULL) {
        ERR_clear_error();
        free(conn);
        return NULL;
    }
    /* Numeric: no resolver is needed, and none is asked. */
    conn->evcon = evhttp_connection_base_bufferevent_new(loop_base(c->loop), NULL, conn->bev,
                                                         target->address, (uint16_t) target->port);
    if (conn->evcon == NULL)
        abort(); /* small bounded sizes */
    evhttp_connection_set_timeout_tv(conn->evcon, &timeout);
    evhttp_connection_set_max_headers_size(conn->evcon, HEAD_MAX_BYTES);
    evhttp_connection_set_closecb(conn->evcon, on_close, conn);
    conn->key = mem_strdup(target->key);
    conn->key_hash = http_client_key_hash(conn->key);
    (void) evbuffer_add_cb(bufferevent_get_input(conn->bev), on_input, conn);
    (void) evbuffer_add_cb(bufferevent_get_output(conn->bev), on_output, conn);
    return conn;
}

void
http_client_conn_free(struct http_client_conn *conn)
{
    evhttp_connection_set_closecb(conn->evcon, NULL, NULL);
    (void) evbuffer_remove_cb(bufferevent_get_input(conn->bev), on_input, conn);
    (void) evbuffer_remove_cb(bufferevent_get_output(conn->bev), on_output, conn);
    if (conn->ssl != NULL)
        SSL_set_info_callback(conn->ssl, NULL); /* the SSL lives until the loop turns */
    evhttp_connection_free(conn->evcon); /* with the request it may hold, without callbacks */
    free(conn->key);
    free(conn);
}

static struct evhttp_request *
new_request(struct http_client_conn *conn)
{
    struct evhttp_request *req = evhttp_request_new(on_done, conn);
    if (req == NULL)
        abort(); /* small bounded size */
    evhttp_request_set_header_cb(req, on_head);
    evhttp_request_set_chunked_cb(req, on_chunk);
    evhttp_request_set_error_cb(req, on_error);
    return req;
}

void
http_client_conn_send(struct http_client_conn *conn, struct http_exchange *x)
{
    conn->exchange = x;
    conn->has_bytes = false;
    conn->last_error = EVREQ_HTTP_BUFFER_ERROR;
    evhttp_connection_set_max_body_size(conn->evcon, -1); /* cut by the exchange, see on_head */
    (void) evhttp_connection_set_flags(conn->evcon, EVHTTP_CON_READ_ON_WRITE_ERROR);
    struct evhttp_request *req = new_request(conn);
    if (evhttp_make_request(conn->evcon, req, x->method, "/") != 0) {
        report_unconnected(conn, errno);
        return;
    }
    /* It may have called back already; otherwise evhttp waits for the connection, behind us. */
    if (conn->is_dead)
        return;
    if (conn->is_connected) {
        send_request(conn, true);
        return;
    }
    bufferevent_getcb(conn->bev, NULL, NULL, &conn->on_event, &conn->on_event_arg);
    bufferevent_setcb(conn->bev, NULL, NULL, on_connecting, conn);
}

bool
http_client_conn_is_reusable(const struct http_client_conn *conn)
{
    return !conn->is_dead && conn->is_connected &&
           evbuffer_get_length(bufferevent_get_input(conn->bev)) == 0 &&
           evbuffer_get_length(bufferevent_get_output(conn->bev)) == 0;
}

void
http_client_conn_nudge(struct http_client_conn *conn)
{
    if (conn->ssl != NULL && !conn->is_dead)
        bufferevent_trigger(conn->bev, EV_WRITE, BEV_TRIG_IGNORE_WATERMARKS);
}
