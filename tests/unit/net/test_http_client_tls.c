/* The HTTP client over TLS: whom it trusts, what it says when it does not, and the same behaviour
 * as without. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "certs.h"
#include "client_fixture.h"
#include "receiver.h"

static const char ok_answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
static const char good_names[] = "DNS:localhost,DNS:*.wild.test,IP:127.0.0.1,IP:::1";
static struct authority authority;

/* Answers each request with the server name it was asked for. */
static void
say_server_name(struct peer *p)
{
    struct buf request = BUF_INIT, answer = BUF_INIT;
    while (peer_read_request(p, &request)) {
        const char *name = SSL_get_servername(p->ssl, TLSEXT_NAMETYPE_host_name);
        name = name != NULL ? name : "none";
        buf_clear(&answer);
        buf_addf(&answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(name), name);
        peer_write(p, answer.data, answer.len);
    }
    buf_done(&request);
    buf_done(&answer);
}

/* Answers once with the text in arg and waits. */
static void
say_and_hang(struct peer *p)
{
    struct buf request = BUF_INIT;
    if (peer_read_request(p, &request)) {
        peer_say(p, p->arg);
        peer_wait_for_close(p);
    }
    buf_done(&request);
}

/* Answers once and closes without a close_notify. */
static void
say_and_cut(struct peer *p)
{
    struct buf request = BUF_INIT;
    if (peer_read_request(p, &request))
        peer_say(p, p->arg);
    buf_done(&request);
}

static void
say_nothing(struct peer *p)
{
    peer_wait_for_close(p);
}

/* One request: url_format gets the port; ctx is consumed. */
static struct outcome
ask(script_fn *script, const char *arg, SSL_CTX *ctx, const char *url_format, int64_t timeout_ms)
{
    struct fixture f;
    char url[96];
    char hosts[] = "/tmp/taskhook-hosts-XXXXXX";
    static const char text[] = "127.0.0.1 localhost a.wild.test a.b.wild.test other.test\n";
    int fd = mkstemp(hosts);
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    close(fd);
    struct receiver *r = receiver_start(script, (void *) (uintptr_t) arg, ctx, false);
    fixture_init(&f, "127.0.0.0/8", authority.ca_path, NULL, hosts);
    (void) snprintf(url, sizeof(url), url_format, receiver_port(r));
    struct outcome o =
        fixture_run(&f, &(struct want){.url = url, .body = STR("hello"), .timeout_ms = timeout_ms});
    fixture_done(&f);
    receiver_stop(r);
    SSL_CTX_free(ctx);
    (void) unlink(hosts);
    return o;
}

static SSL_CTX *
good_ctx(void)
{
    return authority_server_ctx(&authority, good_names, -1, 30, false);
}

static void
check(struct outcome o, enum http_outcome outcome, int status, const char *body_or_detail)
{
    if (o.outcome != outcome)
        fail_msg("%s (%s)", http_outcome_name(o.outcome), o.detail);
    assert_int_equal(o.status, status);
    assert_string_equal(outcome == HTTP_OUTCOME_ANSWERED ? buf_cstr(&o.body) : o.detail,
                        body_or_detail);
    outcome_done(&o);
}

static void
good_certificate_is_accepted(void **state)
{
    (void) state;
    struct outcome o = ask(say_server_name, NULL, good_ctx(), "https://localhost:%d/", 0);
    assert_true(o.connect_us >= 0 && o.tls_us >= o.connect_us);
    assert_true(o.first_byte_us >= o.tls_us);
    check(o, HTTP_OUTCOME_ANSWERED, 200, "localhost");
    check(ask(say_server_name, NULL, good_ctx(), "https://a.wild.test:%d/", 0),
          HTTP_OUTCOME_ANSWERED, 200, "a.wild.test");
}

static void
address_in_the_url_is_verified_as_an_address(void **state)
{
    (void) state;
    check(ask(say_server_name, NULL, good_ctx(), "https://127.0.0.1:%d/", 0), HTTP_OUTCOME_ANSWERED,
          200, "none");
    SSL_CTX *ctx = authority_server_ctx(&authority, "DNS:localhost,IP:127.0.0.2", -1, 30, false);
    check(ask(say_server_name, NULL, ctx, "https://127.0.0.1:%d/", 0), HTTP_OUTCOME_TLS, 0,
          "certificate verify failed: IP address mismatch");
}

static void
certificate_of_another_host_is_refused(void **state)
{
    (void) state;
    static const char *const urls[] = {"https://other.test:%d/", "https://a.b.wild.test:%d/"};
    for (size_t i = 0; i < 2; i++)
        check(ask(say_server_name, NULL, good_ctx(), urls[i], 0), HTTP_OUTCOME_TLS, 0,
              "certificate verify failed: hostname mismatch");
}

static void
self_signed_certificate_is_refused(void **state)
{
    (void) state;
    SSL_CTX *ctx = authority_server_ctx(&authority, good_names, -1, 30, true);
    check(ask(say_server_name, NULL, ctx, "https://localhost:%d/", 0), HTTP_OUTCOME_TLS, 0,
          "certificate verify failed: self-signed certificate");
}

static void
expired_certificate_is_refused(void **state)
{
    (void) state;
    SSL_CTX *ctx = authority_server_ctx(&authority, good_names, -30, -1, false);
    check(ask(say_server_name, NULL, ctx, "https://localhost:%d/", 0), HTTP_OUTCOME_TLS, 0,
          "certificate verify failed: certificate has expired");
}

static void
certificate_of_the_future_is_refused(void **state)
{
    (void) state;
    SSL_CTX *ctx = authority_server_ctx(&authority, good_names, 2, 30, false);
    check(ask(say_server_name, NULL, ctx, "https://localhost:%d/", 0), HTTP_OUTCOME_TLS, 0,
          "certificate verify failed: certificate is not yet valid");
}

static void
old_protocols_are_refused(void **state)
{
    (void) state;
    SSL_CTX *ctx = good_ctx();
    SSL_CTX_set_security_level(ctx, 0);
    assert_int_equal(SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION), 1);
    struct outcome o = ask(say_server_name, NULL, ctx, "https://localhost:%d/", 0);
    assert_int_equal(o.outcome, HTTP_OUTCOME_TLS);
    assert_true(strlen(o.detail) > 0);
    outcome_done(&o);
}

static void
missing_client_certificate_is_a_tls_failure(void **state)
{
    (void) state;
    SSL_CTX *ctx = good_ctx();
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    struct outcome o = ask(say_server_name, NULL, ctx, "https://localhost:%d/", 0);
    if (o.outcome != HTTP_OUTCOME_TLS)
        fail_msg("%s %s", http_outcome_name(o.outcome), o.detail);
    assert_non_null(strstr(o.detail, "certificate required"));
    outcome_done(&o);
}

static void
silence_in_the_handshake_is_a_timeout(void **state)
{
    (void) state;
    check(ask(say_nothing, NULL, NULL, "https://localhost:%d/", 400), HTTP_OUTCOME_TIMEOUT, 0,
          "no answer within 400 ms (in the TLS handshake)");
}

static void
say_at_once(struct peer *p)
{
    char some[16];
    (void) recv(p->fd, some, sizeof(some), 0);
    peer_say(p, "HTTP/1.1 400 Bad Request\r\n\r\n");
    peer_wait_for_close(p);
}

static void
close_at_once(struct peer *p)
{
    char some[4096];
    (void) recv(p->fd, some, sizeof(some), 0);
}

static void
answer_that_is_not_tls_is_told(void **state)
{
    (void) state;
    check(ask(say_at_once, NULL, NULL, "https://localhost:%d/", 5000), HTTP_OUTCOME_TLS, 0,
          "the receiver does not speak TLS on this port");
    check(ask(close_at_once, NULL, NULL, "https://localhost:%d/", 5000), HTTP_OUTCOME_TLS, 0,
          "the receiver closed the connection in the handshake");
}

/* What a TLS port says to a plain request. */
static void
say_alert(struct peer *p)
{
    char some[16];
    (void) recv(p->fd, some, sizeof(some), 0);
    peer_write(p, "\x15\x03\x01\x00\x02\x02\x46\r\n", 9);
    peer_wait_for_close(p);
}

static void
tls_on_a_port_for_plain_http_is_told(void **state)
{
    (void) state;
    check(ask(say_alert, NULL, NULL, "http://localhost:%d/", 5000), HTTP_OUTCOME_PROTOCOL, 0,
          "the receiver speaks TLS on this port, not plain HTTP");
}

static void
refused_connection_is_no_tls_failure(void **state)
{
    (void) state;
    struct fixture f;
    char expected[96];
    struct receiver *r = receiver_start(say_nothing, NULL, NULL, false);
    int port = receiver_port(r);
    receiver_stop(r);
    fixture_init(&f, "127.0.0.0/8", authority.ca_path, NULL, NULL);
    (void) snprintf(expected, sizeof(expected),
                    "cannot connect to 127.0.0.1 port %d: Connection refused", port);
    struct outcome o = fixture_get(&f, "https://127.0.0.1:%d/", port);
    assert_int_equal(o.tls_us, -1);
    check(o, HTTP_OUTCOME_CONNECT, 0, expected);
    fixture_done(&f);
}

static void
continue_before_the_answer_is_skipped(void **state)
{
    (void) state;
    check(ask(say_and_hang,
              "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
              good_ctx(), "https://localhost:%d/", 5000),
          HTTP_OUTCOME_ANSWERED, 200, "ok");
}

static void
continue_and_answer_in_pieces(struct peer *p)
{
    struct buf request = BUF_INIT;
    (void) peer_read_request(p, &request);
    peer_say(p, "HTTP/1.1 100 Continue\r\n\r\n");
    struct timeval wait = {0, 50000};
    char byte[1];
    (void) setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    (void) SSL_read(p->ssl, byte, 1); /* nothing comes: the client has seen the first part */
    peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    buf_done(&request);
}

static void
continue_long_before_the_answer_is_skipped(void **state)
{
    (void) state;
    check(ask(continue_and_answer_in_pieces, NULL, good_ctx(), "https://localhost:%d/", 5000),
          HTTP_OUTCOME_ANSWERED, 200, "ok");
}

static void
body_that_ends_without_close_notify_is_whole(void **state)
{
    (void) state;
    check(ask(say_and_cut, "HTTP/1.1 200 OK\r\n\r\nuntil the end", good_ctx(),
              "https://localhost:%d/", 5000),
          HTTP_OUTCOME_ANSWERED, 200, "until the end");
}

/* Says no at the sight of the head. */
static void
say_early_and_close(struct peer *p)
{
    char some[512];
    (void) SSL_read(p->ssl, some, sizeof(some));
    peer_say(p, "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}

static void
close_without_an_answer_is_a_protocol_failure(void **state)
{
    (void) state;
    check(ask(say_and_cut, "", good_ctx(), "https://localhost:%d/", 5000), HTTP_OUTCOME_PROTOCOL, 0,
          "the receiver closed the connection without an answer");
}

static void
connection_is_kept_and_replaced(void **state)
{
    (void) state;
    struct fixture f;
    SSL_CTX *ctx = good_ctx();
    struct receiver *r = receiver_start(say_server_name, NULL, ctx, false);
    fixture_init(&f, "127.0.0.0/8", authority.ca_path, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        struct outcome o = fixture_get(&f, "https://127.0.0.1:%d/", receiver_port(r));
        assert_int_equal(o.tls_us >= 0, i == 0); /* only the first shakes hands */
        check(o, HTTP_OUTCOME_ANSWERED, 200, "none");
    }
    assert_int_equal(receiver_connections(r), 1);
    http_client_reload(f.client);
    check(fixture_get(&f, "https://127.0.0.1:%d/", receiver_port(r)), HTTP_OUTCOME_ANSWERED, 200,
          "none");
    assert_int_equal(receiver_connections(r), 2);
    fixture_done(&f);
    receiver_stop(r);
    SSL_CTX_free(ctx);
}

static void
die_on_second(struct peer *p)
{
    struct buf request = BUF_INIT;
    if (peer_read_request(p, &request))
        peer_say(p, ok_answer);
    (void) peer_read_request(p, &request);
    peer_reset(p);
    buf_done(&request);
}

static void
kept_connection_that_died_is_retried_on_a_fresh_one(void **state)
{
    (void) state;
    struct fixture f;
    SSL_CTX *ctx = good_ctx();
    struct receiver *r = receiver_start(die_on_second, NULL, ctx, false);
    fixture_init(&f, "127.0.0.0/8", authority.ca_path, NULL, NULL);
    for (int i = 0; i < 3; i++)
        check(fixture_get(&f, "https://127.0.0.1:%d/", receiver_port(r)), HTTP_OUTCOME_ANSWERED,
              200, "ok");
    assert_int_equal(receiver_connections(r), 3);
    fixture_done(&f);
    receiver_stop(r);
    SSL_CTX_free(ctx);
}

/* Our descriptor of the connection to the port; -1 when there is none. */
static int
find_connection(int port)
{
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in peer = {0};
        socklen_t len = sizeof(peer);
        if (getpeername(fd, (struct sockaddr *) &peer, &len) == 0 && peer.sin_family == AF_INET &&
            ntohs(peer.sin_port) == port)
            return fd;
    }
    return -1;
}

static void
small_requests_do_not_wait_for_acknowledgements(void **state)
{
    (void) state;
    struct fixture f;
    SSL_CTX *ctx = good_ctx();
    int is_set = 0;
    socklen_t len = sizeof(is_set);
    struct receiver *r = receiver_start(say_server_name, NULL, ctx, false);
    fixture_init(&f, "127.0.0.0/8", authority.ca_path, NULL, NULL);
    check(fixture_get(&f, "https://127.0.0.1:%d/", receiver_port(r)), HTTP_OUTCOME_ANSWERED, 200,
          "none");
    int fd = find_connection(receiver_port(r)); /* kept alive */
    assert_true(fd >= 0);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &is_set, &len), 0);
    assert_true(is_set); /* with Nagle's algorithm each request takes 44 ms */
    fixture_done(&f);
    receiver_stop(r);
    SSL_CTX_free(ctx);
}

static void
close_at_the_end_of_the_handshake(struct peer *p)
{
    if (p->nth % 2 == 0)
        peer_reset(p);
}

/* The close may come before, between and after the writes of head and body. */
static void
close_after_the_handshake_is_a_protocol_failure(void **state)
{
    (void) state;
    enum { ROUNDS = 60, LONG = 300000 };
    struct fixture f;
    SSL_CTX *ctx = good_ctx();
    char url[64];
    char *body = calloc(1, LONG);
    struct receiver *r = receiver_start(close_at_the_end_of_the_handshake, NULL, ctx, false);
    fixture_init(&f, "127.0.0.0/8", authority.ca_path, NULL, NULL);
    (void) snprintf(url, sizeof(url), "https://127.0.0.1:%d/", receiver_port(r));
    for (size_t i = 0; i < ROUNDS; i++) {
        struct str sent = {body, i % 3 == 0 ? LONG : 100 * i};
        struct outcome o = fixture_run(&f, &(struct want){.url = url, .body = sent});
        assert_int_equal(o.outcome, HTTP_OUTCOME_PROTOCOL);
        assert_int_not_equal(o.detail[0], '\0');
        outcome_done(&o);
    }
    fixture_done(&f);
    receiver_stop(r);
    SSL_CTX_free(ctx);
    free(body);
}

static void
answer_before_the_request_is_read_is_not_lost(void **state)
{
    (void) state;
    struct fixture f;
    SSL_CTX *ctx = good_ctx();
    enum { LONG = 8000000 };
    char url[64];
    char *body = calloc(1, LONG);
    struct receiver *r = receiver_start(say_early_and_close, NULL, ctx, false);
    fixture_init(&f, "127.0.0.0/8", authority.ca_path, NULL, NULL);
    (void) snprintf(url, sizeof(url), "https://127.0.0.1:%d/", receiver_port(r));
    check(fixture_run(&f, &(struct want){.url = url, .body = {body, LONG}}), HTTP_OUTCOME_ANSWERED,
          413, "");
    fixture_done(&f);
    receiver_stop(r);
    SSL_CTX_free(ctx);
    free(body);
}

static void
cancel_in_the_handshake_is_clean(void **state)
{
    (void) state;
    struct fixture f;
    char url[64];
    struct receiver *r = receiver_start(say_nothing, NULL, NULL, false);
    for (int turns = 0; turns < 5; turns++) {
        struct outcome o;
        fixture_init(&f, "127.0.0.0/8", authority.ca_path, NULL, NULL);
        (void) snprintf(url, sizeof(url), "https://127.0.0.1:%d/", receiver_port(r));
        struct http_exchange *x = fixture_start(&f, &(struct want){.url = url}, &o);
        for (int i = 0; i < turns; i++)
            fixture_turn(&f);
        http_exchange_cancel(x);
        fixture_wait(&f);
        check(o, HTTP_OUTCOME_CANCELED, 0, "canceled");
        fixture_done(&f);
    }
    receiver_stop(r);
}

static int
group_setup(void **state)
{
    (void) state;
    authority_init(&authority);
    return 0;
}

static int
group_teardown(void **state)
{
    (void) state;
    authority_done(&authority);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_certificate_is_accepted),
        cmocka_unit_test(address_in_the_url_is_verified_as_an_address),
        cmocka_unit_test(certificate_of_another_host_is_refused),
        cmocka_unit_test(self_signed_certificate_is_refused),
        cmocka_unit_test(expired_certificate_is_refused),
        cmocka_unit_test(certificate_of_the_future_is_refused),
        cmocka_unit_test(old_protocols_are_refused),
        cmocka_unit_test(missing_client_certificate_is_a_tls_failure),
        cmocka_unit_test(silence_in_the_handshake_is_a_timeout),
        cmocka_unit_test(answer_that_is_not_tls_is_told),
        cmocka_unit_test(tls_on_a_port_for_plain_http_is_told),
        cmocka_unit_test(refused_connection_is_no_tls_failure),
        cmocka_unit_test(continue_before_the_answer_is_skipped),
        cmocka_unit_test(continue_long_before_the_answer_is_skipped),
        cmocka_unit_test(body_that_ends_without_close_notify_is_whole),
        cmocka_unit_test(close_without_an_answer_is_a_protocol_failure),
        cmocka_unit_test(connection_is_kept_and_replaced),
        cmocka_unit_test(kept_connection_that_died_is_retried_on_a_fresh_one),
        cmocka_unit_test(small_requests_do_not_wait_for_acknowledgements),
        cmocka_unit_test(close_after_the_handshake_is_a_protocol_failure),
        cmocka_unit_test(answer_before_the_request_is_read_is_not_lost),
        cmocka_unit_test(cancel_in_the_handshake_is_clean),
    };
    (void) alarm(120);
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
