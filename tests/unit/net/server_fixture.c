#include "server_fixture.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

/* --- the application ----------------------------------------------------------------------- */

static void
judge(void *app, const struct http_head *head, struct http_verdict *ret)
{
    (void) app;
    ret->body_limit_bytes = str_is(head->path, "/echo") ? ECHO_LIMIT : 64 << 20;
    if (str_is(head->path, "/secret"))
        (void) err_set(&ret->err, ERR_MISSING_AUTHORIZATION_HEADER, "no");
}

static void
too_large(void *app, const struct http_head *head, uint64_t declared, uint64_t limit,
          struct err *ret)
{
    (void) app, (void) head;
    (void) err_set(ret, ERR_PAYLOAD_TOO_LARGE, "declared %s, limit %llu",
                   declared == UINT64_MAX ? "unknown" : "known", (unsigned long long) limit);
}

static void
fill(struct buf *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_add_char(out, (char) ('a' + i % 26));
}

struct source {
    struct server_fixture *fixture;
    size_t left, piece;
    bool is_broken;
};

static enum http_piece
make_piece(void *arg, struct buf *out, int64_t deadline_us)
{
    struct source *s = arg;
    (void) deadline_us;
    if (s->is_broken && s->left == 0)
        return HTTP_PIECE_FAILED;
    size_t n = s->left > s->piece ? s->piece : s->left;
    fill(out, n);
    s->left -= n;
    return s->left > 0 || s->is_broken ? HTTP_PIECE_MORE : HTTP_PIECE_LAST;
}

static void
release_source(void *arg)
{
    struct source *s = arg;
    s->fixture->n_released++;
    free(s);
}

static void
reply_in_pieces(struct server_fixture *f, struct http_call *call, size_t n, size_t piece)
{
    struct source *s = mem_new(1, sizeof(*s));
    *s = (struct source){
        .fixture = f, .left = n, .piece = piece, .is_broken = str_is(call->path, "/broken")};
    http_reply_pieces(call, 200, "application/json", make_piece, release_source, s);
}

static void
on_gone(struct http_call *call)
{
    struct server_fixture *f = call->app;
    f->n_gone++;
    f->waiting = NULL;
}

static size_t
number_after(struct str path, const char *prefix)
{
    uint64_t n = 0;
    (void) str_to_u64(str_slice(path, strlen(prefix), path.len), UINT32_MAX, &n);
    return (size_t) n;
}

static void
wait_for_test(struct server_fixture *f, struct http_call *call)
{
    f->waiting = call;
    call->on_gone = str_is(call->path, "/wait") ? on_gone : NULL;
    if (f->stop_at_wait)
        loop_stop(f->loop);
}

void
server_fixture_handle(void *app, struct http_call *call)
{
    struct server_fixture *f = app;
    struct buf body = BUF_INIT;
    f->n_handled++;
    if (str_starts_with(call->path, "/size/")) {
        fill(&body, number_after(call->path, "/size/"));
        http_reply(call, 200, "application/json", buf_str(&body));
    } else if (str_starts_with(call->path, "/take/")) {
        fill(&body, number_after(call->path, "/take/"));
        http_reply_json(call, 200, &body);
    } else if (str_starts_with(call->path, "/pieces/")) {
        reply_in_pieces(f, call, number_after(call->path, "/pieces/"), 10000);
    } else if (str_starts_with(call->path, "/long-pieces/")) {
        reply_in_pieces(f, call, number_after(call->path, "/long-pieces/"), 65536);
    } else if (str_is(call->path, "/broken")) {
        reply_in_pieces(f, call, 10000, 10000);
    } else if (str_starts_with(call->path, "/status/")) {
        http_reply_empty(call, (int) number_after(call->path, "/status/"));
    } else if (str_starts_with(call->path, "/wait")) {
        wait_for_test(f, call);
    } else if (str_is(call->path, "/error503")) {
        (void) err_set(&call->err, ERR_SERVER_BUSY, "busy");
        http_reply_error(call);
    } else if (str_is(call->path, "/hello")) {
        http_reply(call, 200, "application/json", STR("{\"ok\":true}"));
    } else {
        while (http_call_take_body(call, &body, 100) > 0)
            continue;
        http_reply_json(call, 200, &body);
    }
    buf_done(&body);
}

/* --- life ---------------------------------------------------------------------------------- */

void
server_fixture_write_certificate(const char *cert_path, const char *key_path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    assert_non_null(key);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), -3600));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 3600));
    assert_int_equal(X509_set_pubkey(cert, key), 1);
    X509_NAME *name = X509_get_subject_name(cert);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const unsigned char *) "localhost", -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(cert, name), 1);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    FILE *out = fopen(cert_path, "w");
    assert_int_equal(PEM_write_X509(out, cert), 1);
    assert_int_equal(fclose(out), 0);
    out = fopen(key_path, "w");
    assert_int_equal(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(out), 0);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static void
path_in(const struct server_fixture *f, const char *name, char out[96])
{
    (void) snprintf(out, 96, "%s/%s", f->dir, name);
}

void
server_fixture_init(struct server_fixture *f, const struct http_server_conf *conf, bool with_tls)
{
    struct err err = ERR_INIT;
    char cert[96], key[96];
    *f = (struct server_fixture){0};
    (void) signal(SIGPIPE, SIG_IGN);
    (void) snprintf(f->dir, sizeof(f->dir), "/tmp/taskhook-net-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->loop = loop_new(&err);
    assert_non_null(f->loop);
    path_in(f, "cert.pem", cert);
    path_in(f, "key.pem", key);
    if (with_tls) {
        server_fixture_write_certificate(cert, key);
        f->tls =
            tls_server_new(&(struct tls_server_conf){.cert_path = cert, .key_path = key}, &err);
        assert_non_null(f->tls);
    }
    struct http_server_conf full = conf != NULL ? *conf : (struct http_server_conf){0};
    if (full.addr == NULL)
        full.addr = "127.0.0.1:0";
    full.tls = f->tls;
    full.app = f;
    full.judge = judge;
    full.handle = server_fixture_handle;
    full.too_large = too_large;
    f->server = http_server_new(f->loop, &full, &err);
    if (f->server == NULL)
        fail_msg("%s", err.message);
}

void
server_fixture_done(struct server_fixture *f)
{
    char path[96];
    http_server_free(f->server);
    loop_free(f->loop);
    tls_server_free(f->tls);
    path_in(f, "cert.pem", path);
    (void) unlink(path);
    path_in(f, "key.pem", path);
    (void) unlink(path);
    assert_int_equal(rmdir(f->dir), 0);
}

void
server_fixture_answer(struct server_fixture *f)
{
    struct http_call *call = f->waiting;
    f->waiting = NULL;
    http_reply(call, 200, "application/json", STR("{\"waited\":true}"));
}

static void
stop(void *arg)
{
    loop_stop(arg);
}

void
server_fixture_turn(struct server_fixture *f, int ms)
{
    struct loop_timer timer;
    loop_timer_init(&timer, f->loop, stop, f->loop);
    loop_timer_set_ms(&timer, ms);
    loop_run(f->loop);
    loop_timer_done(&timer);
}

/* --- the client ---------------------------------------------------------------------------- */

static void
on_readable(struct bufferevent *bev, void *arg)
{
    struct talk *t = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    size_t n = evbuffer_get_length(in);
    if (buf_reserve(&t->got, n)) {
        (void) evbuffer_remove(in, t->got.data + t->got.len, n);
        t->got.len += n;
    }
    if (t->stop_at > 0 && t->got.len >= t->stop_at)
        loop_stop(t->fixture->loop);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
    struct talk *t = arg;
    (void) bev;
    if ((what & BEV_EVENT_CONNECTED) != 0)
        return;
    t->is_closed = true;
    loop_stop(t->fixture->loop);
}

static void
send_byte(void *arg)
{
    struct talk *t = arg;
    if (t->left.len == 0 || t->is_closed)
        return;
    talk_send(t, str_slice(t->left, 0, 1));
    t->left = str_slice(t->left, 1, t->left.len);
    loop_timer_set_ms(&t->timer, t->drip_ms);
}

void
talk_open(struct talk *t, struct server_fixture *f)
{
    const char *address = http_server_address(f->server);
    *t = (struct talk){.fixture = f};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t) atoi(strrchr(address, ':') + 1)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    loop_timer_init(&t->timer, f->loop, send_byte, t);
    struct event_base *base = loop_base(f->loop);
    if (f->tls != NULL) {
        t->ctx = SSL_CTX_new(TLS_client_method());
        (void) SSL_CTX_set_options(t->ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
        if (f->client_cert != NULL) {
            assert_int_equal(SSL_CTX_use_certificate_file(t->ctx, f->client_cert, SSL_FILETYPE_PEM),
                             1);
            assert_int_equal(SSL_CTX_use_PrivateKey_file(t->ctx, f->client_key, SSL_FILETYPE_PEM),
                             1);
        }
        t->bev = bufferevent_openssl_socket_new(base, -1, SSL_new(t->ctx),
                                                BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
    } else {
        t->bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    }
    bufferevent_setcb(t->bev, on_readable, NULL, on_event, t);
    assert_int_equal(bufferevent_enable(t->bev, EV_READ | EV_WRITE), 0);
    assert_int_equal(bufferevent_socket_connect(t->bev, (struct sockaddr *) &to, sizeof(to)), 0);
}

void
talk_send(struct talk *t, struct str bytes)
{
    assert_int_equal(bufferevent_write(t->bev, bytes.data, bytes.len), 0);
}

void
talk_end(struct talk *t)
{
    while (talk_unsent(t) > 0)
        server_fixture_turn(t->fixture, 0);
    assert_int_equal(shutdown(bufferevent_getfd(t->bev), SHUT_WR), 0);
}

void
talk_reset(struct talk *t)
{
    struct linger now = {1, 0};
    int fd = bufferevent_getfd(t->bev);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    talk_close(t);
}

void
talk_send_slowly(struct talk *t, struct str bytes)
{
    t->left = bytes;
    loop_timer_set_ms(&t->timer, 0);
}

/* A test that waits for what never comes fails instead of hanging. */
static void
give_up(void *arg)
{
    struct talk *t = arg;
    t->is_slow = true;
    loop_stop(t->fixture->loop);
}

static void
run_loop(struct talk *t)
{
    struct loop_timer timer;
    loop_timer_init(&timer, t->fixture->loop, give_up, t);
    loop_timer_set_ms(&timer, 10000);
    loop_run(t->fixture->loop);
    loop_timer_done(&timer);
    if (t->is_slow)
        fail_msg("waited too long; got %zu bytes", t->got.len);
}

void
talk_wait(struct talk *t)
{
    t->stop_at = 0;
    while (!t->is_closed)
        run_loop(t);
}

void
talk_wait_bytes(struct talk *t, size_t n)
{
    t->stop_at = n;
    while (!t->is_closed && t->got.len < n)
        run_loop(t);
}

void
talk_pause(struct talk *t, bool is_paused)
{
    if (is_paused)
        assert_int_equal(bufferevent_disable(t->bev, EV_READ), 0);
    else
        assert_int_equal(bufferevent_enable(t->bev, EV_READ), 0);
}

size_t
talk_unsent(const struct talk *t)
{
    return evbuffer_get_length(bufferevent_get_output(t->bev));
}

void
talk_close(struct talk *t)
{
    bufferevent_free(t->bev);
    SSL_CTX_free(t->ctx);
    loop_timer_done(&t->timer);
    buf_done(&t->got);
}

struct talk
talk_once(struct server_fixture *f, struct str bytes)
{
    struct talk t;
    talk_open(&t, f);
    talk_send(&t, bytes);
    talk_wait(&t);
    /* The copy that is returned has no callbacks any more. */
    bufferevent_free(t.bev);
    SSL_CTX_free(t.ctx);
    loop_timer_done(&t.timer);
    t.bev = NULL;
    t.ctx = NULL;
    return t;
}

/* --- answers ------------------------------------------------------------------------------- */

static bool
join_chunks(struct str *rest, struct buf *out)
{
    for (;;) {
        size_t end = str_find(*rest, '\n', 0);
        if (end == rest->len)
            return false;
        size_t n = strtoul(rest->data, NULL, 16);
        if (end + 1 + n + 2 > rest->len)
            return false;
        buf_add_str(out, str_slice(*rest, end + 1, end + 1 + n));
        *rest = str_slice(*rest, end + 1 + n + 2, rest->len);
        if (n == 0)
            return true;
    }
}

static struct str
find_line(struct str head, const char *start)
{
    struct str line;
    while (str_split(&head, '\n', &line)) {
        if (str_starts_with(line, start))
            return str_trim(str_slice(line, strlen(start), line.len));
    }
    return STR_NULL;
}

bool
answer_next(struct str *rest, bool has_body, struct answer *ret)
{
    const char *end = rest->len > 0 ? memmem(rest->data, rest->len, "\r\n\r\n", 4) : NULL;
    uint64_t n = 0;
    if (end == NULL)
        return false;
    *ret = (struct answer){.head = str_slice(*rest, 0, (size_t) (end - rest->data) + 2)};
    *rest = str_slice(*rest, ret->head.len + 2, rest->len);
    ret->status = atoi(ret->head.data + strlen("HTTP/1.1 "));
    if (!has_body)
        return true;
    if (find_line(ret->head, "Transfer-Encoding: chunked").data != NULL)
        return join_chunks(rest, &ret->body);
    (void) str_to_u64(find_line(ret->head, "Content-Length:"), UINT32_MAX, &n);
    if (n > rest->len)
        return false;
    buf_add_str(&ret->body, str_slice(*rest, 0, (size_t) n));
    *rest = str_slice(*rest, (size_t) n, rest->len);
    return true;
}

bool
answer_has(const struct answer *a, const char *header_line)
{
    struct str head = a->head, line;
    while (str_split(&head, '\n', &line)) {
        if (str_is(str_trim(line), header_line))
            return true;
    }
    return false;
}

void
answer_done(struct answer *a)
{
    buf_done(&a->body);
}
