/* The HTTP client against receivers that behave in every way a receiver can. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "client_fixture.h"
#include "receiver.h"

static const char ok_answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/* Answers every request on the connection with the text in arg. */
static void
say_to_each(struct peer *p)
{
    struct buf request = BUF_INIT;
    while (peer_read_request(p, &request))
        peer_say(p, p->arg);
    buf_done(&request);
}

static void
say_and_close(struct peer *p)
{
    struct buf request = BUF_INIT;
    (void) peer_read_request(p, &request);
    peer_say(p, p->arg);
    buf_done(&request);
}

static void
say_and_hang(struct peer *p)
{
    struct buf request = BUF_INIT;
    (void) peer_read_request(p, &request);
    peer_say(p, p->arg);
    peer_wait_for_close(p);
    buf_done(&request);
}

/* One request to a receiver with that script. */
static struct outcome
ask(script_fn *script, const char *text, int64_t timeout_ms)
{
    struct fixture f;
    char url[64];
    struct receiver *r = receiver_start(script, mem_strdup(text), NULL, false);
    fixture_init(&f, "127.0.0.0/8", NULL, NULL, NULL);
    (void) snprintf(url, sizeof(url), "http://127.0.0.1:%d/hook?x=1", receiver_port(r));
    struct outcome o =
        fixture_run(&f, &(struct want){.url = url, .body = STR("hello"), .timeout_ms = timeout_ms});
    fixture_done(&f);
    receiver_stop(r);
    return o;
}

/* The receiver's text is the argument that ask() copied for it. */
static void
free_text(struct peer *p)
{
    free(p->arg);
    p->arg = NULL;
}

static void
script_close(struct peer *p)
{
    say_and_close(p);
    free_text(p);
}

static void
script_hang(struct peer *p)
{
    say_and_hang(p);
    free_text(p);
}

static void
check(struct outcome o, enum http_outcome outcome, int status, const char *body)
{
    if (o.outcome != outcome)
        fail_msg("%s (%s) instead of %s", http_outcome_name(o.outcome), o.detail,
                 http_outcome_name(outcome));
    assert_int_equal(o.status, status);
    assert_string_equal(buf_cstr(&o.body), body);
    if (outcome == HTTP_OUTCOME_ANSWERED)
        assert_string_equal(o.detail, "");
    else
        assert_true(strlen(o.detail) > 0);
    outcome_done(&o);
}

static void
answer_200_with_its_body(void **state)
{
    (void) state;
    struct outcome o = ask(script_hang, ok_answer, 0);
    assert_string_equal(o.address, "127.0.0.1");
    assert_true(o.dns_us >= 0 && o.connect_us >= o.dns_us);
    assert_int_equal(o.tls_us, -1);
    assert_true(o.first_byte_us >= o.connect_us && o.total_us >= o.first_byte_us);
    check(o, HTTP_OUTCOME_ANSWERED, 200, "ok");
}

static void
answer_statuses_are_told_as_they_are(void **state)
{
    (void) state;
    static const struct {
        const char *text;
        int status;
    } rows[] = {
        {"HTTP/1.1 204 No Content\r\n\r\n", 204},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", 304},
        {"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", 400},
        {"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", 500},
        {"HTTP/1.1 599\r\nContent-Length: 0\r\n\r\n", 599},
        {"HTTP/1.0 200 OK\r\n\r\n", 200},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(ask(script_close, rows[i].text, 0), HTTP_OUTCOME_ANSWERED, rows[i].status, "");
}

static void
redirects_are_not_followed(void **state)
{
    (void) state;
    check(
        ask(script_close,
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 4\r\n\r\nmove",
            0),
        HTTP_OUTCOME_ANSWERED, 302, "move");
}

static void
answer_retry_after_is_told(void **state)
{
    (void) state;
    struct outcome o =
        ask(script_close, "HTTP/1.1 503 x\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n", 0);
    assert_string_equal(o.retry_after, "120");
    check(o, HTTP_OUTCOME_ANSWERED, 503, "");
}

static void
body_without_a_length_ends_with_the_connection(void **state)
{
    (void) state;
    check(ask(script_close, "HTTP/1.1 200 OK\r\n\r\nuntil the end", 0), HTTP_OUTCOME_ANSWERED, 200,
          "until the end");
}

static void
body_in_chunks_is_joined(void **state)
{
    (void) state;
    check(
        ask(script_hang,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            0),
        HTTP_OUTCOME_ANSWERED, 200, "abcde");
}

static void
body_shorter_than_its_length_still_counts(void **state)
{
    (void) state;
    check(ask(script_close, "HTTP/1.1 201 x\r\nContent-Length: 100\r\n\r\nshort", 0),
          HTTP_OUTCOME_ANSWERED, 201, "short");
}

static void
body_with_a_nonsense_length_still_counts(void **state)
{
    (void) state;
    check(ask(script_close, "HTTP/1.1 200 x\r\nContent-Length: -5\r\n\r\nx", 0),
          HTTP_OUTCOME_ANSWERED, 200, "");
    check(ask(script_close, "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 0),
          HTTP_OUTCOME_ANSWERED, 200, "");
    check(ask(script_close,
              "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", 0),
          HTTP_OUTCOME_ANSWERED, 200, "");
}

static void
body_that_never_ends_counts_at_the_deadline(void **state)
{
    (void) state;
    struct outcome o = ask(script_hang, "HTTP/1.1 200 x\r\nContent-Length: 100\r\n\r\npart", 400);
    assert_true(o.total_us >= 390000);
    check(o, HTTP_OUTCOME_ANSWERED, 200, "part");
}

static void
drip(struct peer *p, const char *head)
{
    struct buf request = BUF_INIT;
    char byte[1];
    (void) peer_read_request(p, &request);
    peer_say(p, head);
    /* Until the client has gone; every receive waits 20 ms for its close. */
    struct timeval wait = {0, 20000};
    (void) setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    while (recv(p->fd, byte, 1, 0) < 0)
        peer_say(p, "x");
    buf_done(&request);
}

static void
script_drip_body(struct peer *p)
{
    drip(p, "HTTP/1.1 200 OK\r\n\r\n");
    free_text(p);
}

static void
script_drip_head(struct peer *p)
{
    drip(p, "HTTP/1.1 200 OK\r\nX: ");
    free_text(p);
}

static void
body_that_trickles_is_cut_by_the_deadline(void **state)
{
    (void) state;
    struct outcome o = ask(script_drip_body, "", 400);
    assert_true(o.body.len > 0);
    assert_int_equal(o.outcome, HTTP_OUTCOME_ANSWERED);
    outcome_done(&o);
}

static void
head_that_trickles_is_a_timeout(void **state)
{
    (void) state;
    struct outcome o = ask(script_drip_head, "", 400);
    assert_string_equal(o.detail, "no answer within 400 ms (waiting for the answer)");
    check(o, HTTP_OUTCOME_TIMEOUT, 0, "");
}

static void
silence_is_a_timeout(void **state)
{
    (void) state;
    check(ask(script_hang, "", 100), HTTP_OUTCOME_TIMEOUT, 0, "");
    check(ask(script_hang, "HTTP/1.1 200 O", 100), HTTP_OUTCOME_TIMEOUT, 0, "");
    check(ask(script_hang, "HTTP/1.1 200 OK\r\nX: y\r\n", 100), HTTP_OUTCOME_TIMEOUT, 0, "");
}

static void
listener_that_never_accepts_is_a_timeout(void **state)
{
    (void) state;
    struct fixture f;
    char url[64];
    struct receiver *r = receiver_start(say_and_hang, (void *) (uintptr_t) "", NULL, false);
    fixture_init(&f, "127.0.0.0/8", NULL, NULL, NULL);
    (void) snprintf(url, sizeof(url), "http://127.0.0.1:%d/", receiver_port(r));
    /* The receiver serves one at a time: while the first hangs, the second stays in the backlog. */
    struct outcome first, second;
    (void) fixture_start(&f, &(struct want){.url = url, .timeout_ms = 300}, &first);
    (void) fixture_start(&f, &(struct want){.url = url, .timeout_ms = 100}, &second);
    fixture_wait(&f);
    check(second, HTTP_OUTCOME_TIMEOUT, 0, "");
    check(first, HTTP_OUTCOME_TIMEOUT, 0, "");
    fixture_done(&f);
    receiver_stop(r);
}

static void
script_reset(struct peer *p)
{
    struct buf request = BUF_INIT;
    (void) peer_read_request(p, &request);
    peer_reset(p);
    buf_done(&request);
    free_text(p);
}

static void
close_or_reset_without_an_answer_is_a_protocol_failure(void **state)
{
    (void) state;
    struct outcome o = ask(script_close, "", 0);
    assert_string_equal(o.detail, "the receiver closed the connection without an answer");
    check(o, HTTP_OUTCOME_PROTOCOL, 0, "");
    check(ask(script_reset, "", 0), HTTP_OUTCOME_PROTOCOL, 0, "");
    o = ask(script_close, "HTTP/1.1 200", 0);
    assert_string_equal(o.detail, "the receiver closed the connection in the middle of its answer");
    check(o, HTTP_OUTCOME_PROTOCOL, 0, "");
}

static void
garbage_is_a_protocol_failure_at_once(void **state)
{
    (void) state;
    static const char *const texts[] = {
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 20000 OK\r\n\r\n",
        "HTTP/1.1 99 x\r\n\r\n",
        "HTTP/1.1 -200 x\r\n\r\n",
        "\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct outcome o = ask(script_hang, texts[i], 5000);
        check(o, HTTP_OUTCOME_PROTOCOL, 0, "");
    }
}

static void
head_beyond_64_kib_is_a_protocol_failure(void **state)
{
    (void) state;
    struct buf text = BUF_INIT;
    buf_add_cstr(&text, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 7000; i++)
        buf_addf(&text, "X-%d: 0123456789\r\n", i);
    check(ask(script_close, buf_cstr(&text), 5000), HTTP_OUTCOME_PROTOCOL, 0, "");
    buf_done(&text);
}

static void
switching_protocols_is_a_protocol_failure(void **state)
{
    (void) state;
    struct outcome o = ask(script_hang, "HTTP/1.1 101 x\r\n\r\n", 5000);
    assert_string_equal(o.detail, "the receiver sent status 101, which ends nothing");
    check(o, HTTP_OUTCOME_PROTOCOL, 0, "");
}

static void
interim_answers_are_skipped(void **state)
{
    (void) state;
    check(ask(script_hang,
              "HTTP/1.1 102 Processing\r\n\r\n"
              "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\nRetry-After: 9\r\n\r\n"
              "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 199 x\r\nContent-Length: 5\r\n\r\n"
              "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok",
              5000),
          HTTP_OUTCOME_ANSWERED, 201, "ok");
}

static void
interim_answers_alone_are_a_timeout(void **state)
{
    (void) state;
    check(ask(script_hang, "HTTP/1.1 103 Early Hints\r\n\r\n", 300), HTTP_OUTCOME_TIMEOUT, 0, "");
}

static void
close_after_an_interim_answer_is_a_protocol_failure(void **state)
{
    (void) state;
    check(ask(script_close, "HTTP/1.1 103 Early Hints\r\n\r\n", 5000), HTTP_OUTCOME_PROTOCOL, 0,
          "");
}

static void
continue_before_the_answer_is_skipped(void **state)
{
    (void) state;
    check(ask(script_hang,
              "HTTP/1.1 100 Continue\r\nContent-Length: 7\r\n\r\n"
              "HTTP/1.1 100 Continue\r\n\r\n"
              "HTTP/1.1 202 x\r\nContent-Length: 2\r\n\r\nok",
              5000),
          HTTP_OUTCOME_ANSWERED, 202, "ok");
}

static void
script_10_mib(struct peer *p)
{
    static const char piece[65536];
    struct buf request = BUF_INIT;
    (void) peer_read_request(p, &request);
    peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n");
    for (int i = 0; i < 160; i++)
        peer_write(p, piece, sizeof(piece));
    buf_done(&request);
    free_text(p);
}

static void
script_10_mib_in_chunks(struct peer *p)
{
    static const char piece[65536];
    struct buf request = BUF_INIT;
    (void) peer_read_request(p, &request);
    peer_say(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 160; i++) {
        peer_say(p, "10000\r\n");
        peer_write(p, piece, sizeof(piece));
        peer_say(p, "\r\n");
    }
    buf_done(&request);
    free_text(p);
}

static void
body_of_10_mib_is_cut_at_the_limit(void **state)
{
    (void) state;
    script_fn *const scripts[] = {script_10_mib, script_10_mib_in_chunks};
    for (int i = 0; i < 2; i++) {
        struct outcome o = ask(scripts[i], "", 0);
        assert_int_equal(o.outcome, HTTP_OUTCOME_ANSWERED);
        assert_int_equal(o.status, 200);
        assert_int_equal(o.body.len, 16384);
        outcome_done(&o);
    }
}

static void
script_413_without_reading(struct peer *p)
{
    char head[256];
    (void) recv(p->fd, head, sizeof(head), 0);
    peer_say(p, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
    (void) shutdown(p->fd, SHUT_WR);
    (void) recv(p->fd, head, sizeof(head), 0);
    peer_close(p); /* the rest is unread: a reset follows */
}

static void
answer_before_the_request_is_read_is_not_lost(void **state)
{
    (void) state;
    struct fixture f;
    char url[64];
    struct receiver *r = receiver_start(script_413_without_reading, NULL, NULL, false);
    char *body = mem_new(1, 8 << 20);
    fixture_init(&f, "127.0.0.0/8", NULL, NULL, NULL);
    (void) snprintf(url, sizeof(url), "http://127.0.0.1:%d/", receiver_port(r));
    check(fixture_run(&f, &(struct want){.url = url, .body = str_make(body, 8 << 20)}),
          HTTP_OUTCOME_ANSWERED, 413, "big");
    fixture_done(&f);
    receiver_stop(r);
    free(body);
}

static void
script_flood(struct peer *p)
{
    static const char piece[65536];
    while (send(p->fd, piece, sizeof(piece), MSG_NOSIGNAL) > 0) {
    }
}

static void
receiver_that_floods_instead_of_reading_is_cut(void **state)
{
    (void) state;
    struct fixture f;
    char url[64];
    struct receiver *r = receiver_start(script_flood, NULL, NULL, false);
    char *body = mem_new(1, 32 << 20);
    fixture_init(&f, "127.0.0.0/8", NULL, NULL, NULL);
    (void) snprintf(url, sizeof(url), "http://127.0.0.1:%d/", receiver_port(r));
    struct outcome o =
        fixture_run(&f, &(struct want){.url = url, .body = str_make(body, 32 << 20)});
    assert_string_equal(o.detail, "the receiver sends without reading the request");
    check(o, HTTP_OUTCOME_PROTOCOL, 0, "");
    fixture_done(&f);
    receiver_stop(r);
    free(body);
}

/* --- the request ----------------------------------------------------------------------------- */

/* Answers with the request itself as the body. */
static void
script_echo(struct peer *p)
{
    struct buf request = BUF_INIT, answer = BUF_INIT;
    while (peer_read_request(p, &request)) {
        buf_clear(&answer);
        buf_addf(&answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", request.len,
                 buf_cstr(&request));
        peer_write(p, answer.data, answer.len);
    }
    buf_done(&request);
    buf_done(&answer);
}

/* Sends and compares with what arrived; PORT in `expected` stands for the receiver's. */
static void
check_request(const char *path, const struct want *more, const char *expected)
{
    struct fixture f;
    struct want w = *more;
    struct buf text = BUF_INIT;
    char url[128];
    struct receiver *r = receiver_start(script_echo, NULL, NULL, false);
    fixture_init(&f, "127.0.0.0/8", NULL, NULL, NULL);
    (void) snprintf(url, sizeof(url), path, receiver_port(r));
    w.url = url;
    struct outcome o = fixture_run(&f, &w);
    for (const char *at = expected; *at != '\0'; at++) {
        if (strncmp(at, "PORT", 4) == 0) {
            buf_addf(&text, "%d", receiver_port(r));
            at += 3;
        } else {
            buf_add_char(&text, *at);
        }
    }
    assert_int_equal(o.outcome, HTTP_OUTCOME_ANSWERED);
    assert_string_equal(buf_cstr(&o.body), buf_cstr(&text));
    outcome_done(&o);
    buf_done(&text);
    fixture_done(&f);
    receiver_stop(r);
}

static void
request_carries_defaults_and_framing(void **state)
{
    (void) state;
    check_request("http://127.0.0.1:%d/a%%20b?c=d#frag", &(struct want){.body = STR("hello")},
                  "POST /a%20b?c=d HTTP/1.1\r\n"
                  "Host: 127.0.0.1:PORT\r\n"
                  "User-Agent: taskhook/test\r\n"
                  "Accept: */*\r\n"
                  "Accept-Encoding: gzip\r\n"
                  "Content-Length: 5\r\n"
                  "\r\nhello");
}

static void
request_get_has_no_content_length(void **state)
{
    (void) state;
    check_request("http://127.0.0.1:%d/", &(struct want){.method = "GET"},
                  "GET / HTTP/1.1\r\n"
                  "Host: 127.0.0.1:PORT\r\n"
                  "User-Agent: taskhook/test\r\n"
                  "Accept: */*\r\n"
                  "Accept-Encoding: gzip\r\n"
                  "\r\n");
}

static void
request_headers_of_the_caller_replace_the_defaults(void **state)
{
    (void) state;
    static const struct http_header headers[] = {
        {"Content-Encoding", "gzip"},
        {"Content-Type", "application/x-ndjson"},
        {"content-type", "text/mine"},
        {"host", "example.org"},
        {"user-agent", "me/1"},
        {"accept", "text/plain"},
        {"ACCEPT-ENCODING", "identity"},
        {"X-Twice", "1"},
        {"x-twice", "2"},
        {"X-Empty", ""},
        {"X-Utf8", "\xC3\xA9\tb"},
    };
    check_request("http://127.0.0.1:%d/", &(struct want){.headers = headers, .n_headers = 11},
                  "POST / HTTP/1.1\r\n"
                  "host: example.org\r\n"
                  "user-agent: me/1\r\n"
                  "accept: text/plain\r\n"
                  "ACCEPT-ENCODING: identity\r\n"
                  "Content-Encoding: gzip\r\n"
                  "content-type: text/mine\r\n"
                  "X-Twice: 1\r\n"
                  "x-twice: 2\r\n"
                  "X-Empty: \r\n"
                  "X-Utf8: \xC3\xA9\tb\r\n"
                  "Content-Length: 0\r\n"
                  "\r\n");
}

static void
request_framing_headers_of_the_caller_are_ignored(void **state)
{
    (void) state;
    static const struct http_header headers[] = {
        {"Content-Length", "3"},    {"transfer-encoding", "chunked"},
        {"Connection", "close, X"}, {"Keep-Alive", "x"},
        {"TE", "trailers"},         {"Trailer", "X"},
        {"Upgrade", "websocket"},   {"Expect", "100-continue"},
        {"Proxy-Connection", "x"},  {"Proxy-Authorization", "x"},
    };
    check_request("http://127.0.0.1:%d/",
                  &(struct want){.headers = headers, .n_headers = 10, .body = STR("hello")},
                  "POST / HTTP/1.1\r\n"
                  "Host: 127.0.0.1:PORT\r\n"
                  "User-Agent: taskhook/test\r\n"
                  "Accept: */*\r\n"
                  "Accept-Encoding: gzip\r\n"
                  "Content-Length: 5\r\n"
                  "\r\nhello");
}

static void
request_userinfo_becomes_basic_authorization(void **state)
{
    (void) state;
    check_request("http://us%%40er:p%%C3%%A9@127.0.0.1:%d/", &(struct want){.method = "GET"},
                  "GET / HTTP/1.1\r\n"
                  "Host: 127.0.0.1:PORT\r\n"
                  "User-Agent: taskhook/test\r\n"
                  "Accept: */*\r\n"
                  "Accept-Encoding: gzip\r\n"
                  "Authorization: Basic dXNAZXI6cMOp\r\n"
                  "\r\n");
}

static void
request_authorization_of_the_caller_wins_over_userinfo(void **state)
{
    (void) state;
    static const struct http_header headers[] = {{"authorization", "Bearer x"}};
    check_request("http://u:p@127.0.0.1:%d/",
                  &(struct want){.method = "GET", .headers = headers, .n_headers = 1},
                  "GET / HTTP/1.1\r\n"
                  "Host: 127.0.0.1:PORT\r\n"
                  "User-Agent: taskhook/test\r\n"
                  "Accept: */*\r\n"
                  "Accept-Encoding: gzip\r\n"
                  "authorization: Bearer x\r\n"
                  "\r\n");
}

static void
request_that_could_break_the_framing_is_not_sent(void **state)
{
    (void) state;
    static const struct http_header bad[] = {
        {"X", "a\r\nContent-Length: 0"},
        {"X", "a\nb"},
        {"X", "a\r\n b"},
        {"X", "a\x7f"},
        {"X y", "a"},
        {"X:", "a"},
        {"", "a"},
        {"X\r\nY", "a"},
    };
    struct fixture f;
    fixture_init(&f, "any", NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check(fixture_run(
                  &f,
                  &(struct want){.url = "http://127.0.0.1:1/", .headers = &bad[i], .n_headers = 1}),
              HTTP_OUTCOME_PROTOCOL, 0, "");
    fixture_done(&f);
}

static void
request_body_of_megabytes_arrives_whole(void **state)
{
    (void) state;
    struct fixture f;
    struct buf body = BUF_INIT;
    char url[64];
    struct receiver *r = receiver_start(script_echo, NULL, NULL, false);
    for (int i = 0; i < 300000; i++)
        buf_addf(&body, "%09d\n", i);
    fixture_init(&f, "127.0.0.0/8", NULL, NULL, NULL);
    (void) snprintf(url, sizeof(url), "http://127.0.0.1:%d/", receiver_port(r));
    struct outcome o =
        fixture_run(&f, &(struct want){.url = url, .body = buf_str(&body), .max_bytes = 8 << 20});
    assert_int_equal(o.outcome, HTTP_OUTCOME_ANSWERED);
    assert_true(o.body.len > body.len);
    assert_memory_equal(o.body.data + o.body.len - body.len, body.data, body.len);
    outcome_done(&o);
    buf_done(&body);
    fixture_done(&f);
    receiver_stop(r);
}

/* --- connections ----------------------------------------------------------------------------- */

/* n requests one after the other; gives the number of connections they took. */
static int
connections_for(script_fn *script, const char *text, int n, const char *const *pools)
{
    struct fixture f;
    struct receiver *r = receiver_start(script, (void *) (uintptr_t) text, NULL, false);
    char url[64];
    fixture_init(&f, "127.0.0.0/8", NULL, NULL, NULL);
    (void) snprintf(url, sizeof(url), "http://127.0.0.1:%d/", receiver_port(r));
    for (int i = 0; i < n; i++) {
        struct outcome o =
            fixture_run(&f, &(struct want){.url = url, .pool = pools != NULL ? pools[i] : "p"});
        if (o.outcome != HTTP_OUTCOME_ANSWERED)
            fail_msg("request %d: %s (%s)", i, o.detail, text);
        assert_int_equal(o.status, 200);
        outcome_done(&o);
    }
    int connections = receiver_connections(r);
    fixture_done(&f);
    receiver_stop(r);
    return connections;
}

static void
connection_is_kept_for_the_next_request(void **state)
{
    (void) state;
    assert_int_equal(connections_for(say_to_each, ok_answer, 5, NULL), 1);
    assert_int_equal(connections_for(say_to_each,
                                     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                     "2\r\nok\r\n0\r\n\r\n",
                                     5, NULL),
                     1);
}

static void
connection_of_another_pool_is_not_used(void **state)
{
    (void) state;
    static const char *const pools[] = {"a", "b"};
    /* The first must be served to its end before the second connection is accepted. */
    assert_int_equal(
        connections_for(say_and_close, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 2, pools),
        2);
}

static void
connection_with_doubtful_end_is_not_kept(void **state)
{
    (void) state;
    static const char *const texts[] = {
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: x, close\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 Smuggled\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (connections_for(say_to_each, texts[i], 3, NULL) != 3)
            fail_msg("kept after: %s", texts[i]);
}

/* Answers the first request of a connection and closes when the second has come. */
static void
script_die_on_second(struct peer *p)
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
    assert_int_equal(connections_for(script_die_on_second, NULL, 4, NULL), 4);
}

static void
kept_connection_closed_while_idle_is_replaced(void **state)
{
    (void) state;
    assert_int_equal(connections_for(say_and_close, ok_answer, 3, NULL), 3);
}

/* The first connection serves one request; every later one dies without an answer. */
static void
script_die_after_first(struct peer *p)
{
    struct buf request = BUF_INIT;
    if (p->nth == 1 && peer_read_request(p, &request))
        peer_say(p, ok_answer);
    (void) peer_read_request(p, &request);
    buf_done(&request);
}

static void
retry_on_a_fresh_connection_happens_once(void **state)
{
    (void) state;
    struct fixture f;
    struct receiver *r = receiver_start(script_die_after_first, NULL, NULL, false);
    fixture_init(&f, "127.0.0.0/8", NULL, NULL, NULL);
    check(fixture_get(&f, "http://127.0.0.1:%d/", receiver_port(r)), HTTP_OUTCOME_ANSWERED, 200,
          "ok");
    check(fixture_get(&f, "http://127.0.0.1:%d/", receiver_port(r)), HTTP_OUTCOME_PROTOCOL, 0, "");
    assert_int_equal(receiver_connections(r), 2);
    fixture_done(&f);
    receiver_stop(r);
}

/* Answers half a head on the second request. */
static void
script_half_answer_on_second(struct peer *p)
{
    struct buf request = BUF_INIT;
    if (peer_read_request(p, &request))
        peer_say(p, ok_answer);
    if (peer_read_request(p, &request))
        peer_say(p, "HTTP/1.1 2");
    buf_done(&request);
}

static void
kept_connection_that_began_to_answer_is_not_retried(void **state)
{
    (void) state;
    struct fixture f;
    struct receiver *r = receiver_start(script_half_answer_on_second, NULL, NULL, false);
    fixture_init(&f, "127.0.0.0/8", NULL, NULL, NULL);
    check(fixture_get(&f, "http://127.0.0.1:%d/", receiver_port(r)), HTTP_OUTCOME_ANSWERED, 200,
          "ok");
    check(fixture_get(&f, "http://127.0.0.1:%d/", receiver_port(r)), HTTP_OUTCOME_PROTOCOL, 0, "");
    assert_int_equal(receiver_connections(r), 1);
    fixture_done(&f);
    receiver_stop(r);
}

static void
reload_drops_kept_connections(void **state)
{
    (void) state;
    struct fixture f;
    struct receiver *r = receiver_start(say_to_each, (void *) (uintptr_t) ok_answer, NULL, false);
    fixture_init(&f, "127.0.0.0/8", NULL, NULL, NULL);
    check(fixture_get(&f, "http://127.0.0.1:%d/", receiver_port(r)), HTTP_OUTCOME_ANSWERED, 200,
          "ok");
    http_client_reload(f.client);
    check(fixture_get(&f, "http://127.0.0.1:%d/", receiver_port(r)), HTTP_OUTCOME_ANSWERED, 200,
          "ok");
    assert_int_equal(receiver_connections(r), 2);
    fixture_done(&f);
    receiver_stop(r);
}

/* A port of 127.0.0.1 on which nobody listens. */
static int
closed_port(void)
{
    struct receiver *r = receiver_start(say_to_each, NULL, NULL, false);
    int port = receiver_port(r);
    receiver_stop(r);
    return port;
}

static void
refused_connection_says_so(void **state)
{
    (void) state;
    struct fixture f;
    char expected[96];
    int port = closed_port();
    fixture_init(&f, "127.0.0.0/8", NULL, NULL, NULL);
    struct outcome o = fixture_get(&f, "http://127.0.0.1:%d/", port);
    (void) snprintf(expected, sizeof(expected),
                    "cannot connect to 127.0.0.1 port %d: Connection refused", port);
    assert_string_equal(o.detail, expected);
    assert_string_equal(o.address, "127.0.0.1");
    check(o, HTTP_OUTCOME_CONNECT, 0, "");
    fixture_done(&f);
}

static void
ipv6_literal_is_connected_to(void **state)
{
    (void) state;
    struct fixture f;
    struct receiver *r = receiver_start(say_to_each, (void *) (uintptr_t) ok_answer, NULL, true);
    if (r == NULL)
        skip(); /* no ::1 here */
    fixture_init(&f, "::1", NULL, NULL, NULL);
    struct outcome o = fixture_get(&f, "http://[::1]:%d/", receiver_port(r));
    assert_string_equal(o.address, "::1");
    check(o, HTTP_OUTCOME_ANSWERED, 200, "ok");
    fixture_done(&f);
    receiver_stop(r);
}

/* --- the policy ------------------------------------------------------------------------------ */

static void
loopback_is_refused_by_default(void **state)
{
    (void) state;
    static const char *const urls[] = {"http://127.0.0.1:%d/", "http://2130706433:%d/",
                                       "http://[::ffff:127.0.0.1]:%d/", "http://localhost:%d/"};
    struct fixture f;
    struct receiver *r = receiver_start(say_to_each, NULL, NULL, false);
    fixture_init(&f, "", NULL, NULL, "/dev/null");
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        char url[64];
        (void) snprintf(url, sizeof(url), urls[i], receiver_port(r));
        struct outcome o = fixture_run(&f, &(struct want){.url = url});
        assert_non_null(strstr(o.detail, o.address));
        assert_non_null(strstr(o.detail, "loopback"));
        assert_non_null(strstr(o.detail, "--experimental-allowed-ip-networks"));
        check(o, HTTP_OUTCOME_ADDRESS_DENIED, 0, "");
    }
    assert_int_equal(receiver_connections(r), 0);
    fixture_done(&f);
    receiver_stop(r);
}

static void
localhost_works_with_one_of_its_families_allowed(void **state)
{
    (void) state;
    struct fixture f;
    struct receiver *r = receiver_start(say_to_each, (void *) (uintptr_t) ok_answer, NULL, false);
    fixture_init(&f, "127.0.0.0/8", NULL, NULL, "/dev/null");
    check(fixture_get(&f, "http://localhost:%d/", receiver_port(r)), HTTP_OUTCOME_ANSWERED, 200,
          "ok");
    fixture_done(&f);
    receiver_stop(r);
}

static char *
hosts_file(const char *text)
{
    char path[] = "/tmp/taskhook-hosts-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t) strlen(text));
    close(fd);
    return mem_strdup(path);
}

static void
name_with_one_refused_address_is_refused_whole(void **state)
{
    (void) state;
    struct fixture f;
    char *hosts = hosts_file("127.0.0.1 mixed.test # allowed\n10.0.0.1 other MIXED.test\n");
    struct receiver *r = receiver_start(say_to_each, NULL, NULL, false);
    fixture_init(&f, "127.0.0.0/8", NULL, NULL, hosts);
    struct outcome o = fixture_get(&f, "http://mixed.test:%d/", receiver_port(r));
    assert_string_equal(o.address, "10.0.0.1");
    check(o, HTTP_OUTCOME_ADDRESS_DENIED, 0, "");
    assert_int_equal(receiver_connections(r), 0);
    fixture_done(&f);
    receiver_stop(r);
    (void) unlink(hosts);
    free(hosts);
}

static void
next_address_is_tried_when_the_first_refuses(void **state)
{
    (void) state;
    struct fixture f;
    char *hosts = hosts_file("127.0.0.2 two.test\n127.0.0.1 two.test\n");
    struct receiver *r = receiver_start(say_to_each, (void *) (uintptr_t) ok_answer, NULL, false);
    fixture_init(&f, "127.0.0.0/8", NULL, NULL, hosts);
    struct outcome o = fixture_get(&f, "http://two.test:%d/", receiver_port(r));
    assert_string_equal(o.address, "127.0.0.1");
    check(o, HTTP_OUTCOME_ANSWERED, 200, "ok");
    /* And the kept connection to the second address is preferred to the first address. */
    check(fixture_get(&f, "http://two.test:%d/", receiver_port(r)), HTTP_OUTCOME_ANSWERED, 200,
          "ok");
    assert_int_equal(receiver_connections(r), 1);
    fixture_done(&f);
    receiver_stop(r);
    (void) unlink(hosts);
    free(hosts);
}

static void
what_cannot_be_requested_is_a_bad_url(void **state)
{
    (void) state;
    static const char *const urls[] = {"ftp://127.0.0.1/", "mailto:a@b", "http://127.0.0.1:0/",
                                       "javascript:1", "ws://127.0.0.1/"};
    struct fixture f;
    fixture_init(&f, "any", NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
        check(fixture_run(&f, &(struct want){.url = urls[i]}), HTTP_OUTCOME_BAD_URL, 0, "");
    fixture_done(&f);
}

/* --- life ------------------------------------------------------------------------------------ */

static void
cancel_ends_an_exchange_at_any_moment(void **state)
{
    (void) state;
    struct fixture f;
    char url[64];
    for (int turns = 0; turns < 6; turns++) {
        struct outcome o;
        struct receiver *r = receiver_start(say_and_hang, (void *) (uintptr_t) "", NULL, false);
        fixture_init(&f, "127.0.0.0/8", NULL, NULL, NULL);
        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%d/", receiver_port(r));
        struct http_exchange *x = fixture_start(&f, &(struct want){.url = url}, &o);
        for (int i = 0; i < turns; i++)
            fixture_turn(&f);
        http_exchange_cancel(x);
        assert_false(o.is_done);
        fixture_wait(&f);
        assert_int_equal(o.calls, 1);
        check(o, HTTP_OUTCOME_CANCELED, 0, "");
        fixture_done(&f);
        receiver_stop(r);
    }
}

static void
free_calls_back_what_is_open(void **state)
{
    (void) state;
    struct fixture f;
    struct outcome outcomes[3];
    char url[64];
    struct receiver *r = receiver_start(say_and_hang, (void *) (uintptr_t) "", NULL, false);
    fixture_init(&f, "127.0.0.0/8", NULL, NULL, NULL);
    (void) snprintf(url, sizeof(url), "http://127.0.0.1:%d/", receiver_port(r));
    (void) fixture_start(&f, &(struct want){.url = url}, &outcomes[0]);
    fixture_turn(&f);
    fixture_turn(&f);
    (void) fixture_start(&f, &(struct want){.url = url}, &outcomes[1]);
    (void) fixture_start(&f, &(struct want){.url = "ftp://x/"}, &outcomes[2]);
    fixture_done(&f);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(outcomes[i].calls, 1);
        check(outcomes[i], HTTP_OUTCOME_CANCELED, 0, "");
    }
    receiver_stop(r);
}

struct free_inside {
    struct fixture *fixture;
    int calls;
};

static void
on_result_free_client(void *arg, const struct http_client_result *result)
{
    struct free_inside *s = arg;
    assert_true(result->outcome == HTTP_OUTCOME_ANSWERED ||
                result->outcome == HTTP_OUTCOME_CANCELED);
    struct http_client *c = s->fixture->client;
    s->fixture->client = NULL;
    http_client_free(c);
    s->calls++;
    loop_stop(s->fixture->loop);
}

static void
free_inside_a_callback_is_safe(void **state)
{
    (void) state;
    struct fixture f;
    struct url u = URL_INIT;
    struct buf why = BUF_INIT, text = BUF_INIT;
    struct receiver *r = receiver_start(say_to_each, (void *) (uintptr_t) ok_answer, NULL, false);
    fixture_init(&f, "127.0.0.0/8", NULL, NULL, NULL);
    buf_addf(&text, "http://127.0.0.1:%d/", receiver_port(r));
    assert_int_equal(url_parse(buf_str(&text), &u, &why), 0);
    struct free_inside s = {.fixture = &f};
    struct http_client_request request = {
        .url = &u, .method = "POST", .timeout_ms = 5000, .max_response_bytes = 10};
    (void) http_client_start(f.client, &request, on_result_free_client, &s);
    (void) http_client_start(f.client, &request, on_result_free_client, &s);
    loop_run(f.loop);
    assert_int_equal(s.calls, 2);
    fixture_done(&f);
    receiver_stop(r);
    url_done(&u);
    buf_done(&why);
    buf_done(&text);
}

static void
many_at_once_all_end(void **state)
{
    (void) state;
    enum { N = 100 };
    struct fixture f;
    char url[64];
    struct outcome outcomes[N];
    struct receiver *r = receiver_start(say_and_close, (void *) (uintptr_t) ok_answer, NULL, false);
    fixture_init(&f, "127.0.0.0/8", NULL, NULL, NULL);
    (void) snprintf(url, sizeof(url), "http://127.0.0.1:%d/", receiver_port(r));
    for (int i = 0; i < N; i++)
        (void) fixture_start(&f, &(struct want){.url = url, .body = STR("x")}, &outcomes[i]);
    fixture_wait(&f);
    for (int i = 0; i < N; i++) {
        assert_int_equal(outcomes[i].calls, 1);
        check(outcomes[i], HTTP_OUTCOME_ANSWERED, 200, "ok");
    }
    fixture_done(&f);
    receiver_stop(r);
}

static void
outcomes_have_names(void **state)
{
    (void) state;
    for (int o = HTTP_OUTCOME_ANSWERED; o <= HTTP_OUTCOME_CANCELED; o++)
        assert_non_null(http_outcome_name((enum http_outcome) o));
    assert_string_equal(http_outcome_name(HTTP_OUTCOME_ADDRESS_DENIED), "address_denied");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_200_with_its_body),
        cmocka_unit_test(answer_statuses_are_told_as_they_are),
        cmocka_unit_test(redirects_are_not_followed),
        cmocka_unit_test(answer_retry_after_is_told),
        cmocka_unit_test(body_without_a_length_ends_with_the_connection),
        cmocka_unit_test(body_in_chunks_is_joined),
        cmocka_unit_test(body_shorter_than_its_length_still_counts),
        cmocka_unit_test(body_with_a_nonsense_length_still_counts),
        cmocka_unit_test(body_that_never_ends_counts_at_the_deadline),
        cmocka_unit_test(body_that_trickles_is_cut_by_the_deadline),
        cmocka_unit_test(head_that_trickles_is_a_timeout),
        cmocka_unit_test(silence_is_a_timeout),
        cmocka_unit_test(listener_that_never_accepts_is_a_timeout),
        cmocka_unit_test(close_or_reset_without_an_answer_is_a_protocol_failure),
        cmocka_unit_test(garbage_is_a_protocol_failure_at_once),
        cmocka_unit_test(head_beyond_64_kib_is_a_protocol_failure),
        cmocka_unit_test(switching_protocols_is_a_protocol_failure),
        cmocka_unit_test(interim_answers_are_skipped),
        cmocka_unit_test(interim_answers_alone_are_a_timeout),
        cmocka_unit_test(close_after_an_interim_answer_is_a_protocol_failure),
        cmocka_unit_test(continue_before_the_answer_is_skipped),
        cmocka_unit_test(body_of_10_mib_is_cut_at_the_limit),
        cmocka_unit_test(answer_before_the_request_is_read_is_not_lost),
        cmocka_unit_test(receiver_that_floods_instead_of_reading_is_cut),
        cmocka_unit_test(request_carries_defaults_and_framing),
        cmocka_unit_test(request_get_has_no_content_length),
        cmocka_unit_test(request_headers_of_the_caller_replace_the_defaults),
        cmocka_unit_test(request_framing_headers_of_the_caller_are_ignored),
        cmocka_unit_test(request_userinfo_becomes_basic_authorization),
        cmocka_unit_test(request_authorization_of_the_caller_wins_over_userinfo),
        cmocka_unit_test(request_that_could_break_the_framing_is_not_sent),
        cmocka_unit_test(request_body_of_megabytes_arrives_whole),
        cmocka_unit_test(connection_is_kept_for_the_next_request),
        cmocka_unit_test(connection_of_another_pool_is_not_used),
        cmocka_unit_test(connection_with_doubtful_end_is_not_kept),
        cmocka_unit_test(kept_connection_that_died_is_retried_on_a_fresh_one),
        cmocka_unit_test(kept_connection_closed_while_idle_is_replaced),
        cmocka_unit_test(retry_on_a_fresh_connection_happens_once),
        cmocka_unit_test(kept_connection_that_began_to_answer_is_not_retried),
        cmocka_unit_test(reload_drops_kept_connections),
        cmocka_unit_test(refused_connection_says_so),
        cmocka_unit_test(ipv6_literal_is_connected_to),
        cmocka_unit_test(loopback_is_refused_by_default),
        cmocka_unit_test(localhost_works_with_one_of_its_families_allowed),
        cmocka_unit_test(name_with_one_refused_address_is_refused_whole),
        cmocka_unit_test(next_address_is_tried_when_the_first_refuses),
        cmocka_unit_test(what_cannot_be_requested_is_a_bad_url),
        cmocka_unit_test(cancel_ends_an_exchange_at_any_moment),
        cmocka_unit_test(free_calls_back_what_is_open),
        cmocka_unit_test(free_inside_a_callback_is_safe),
        cmocka_unit_test(many_at_once_all_end),
        cmocka_unit_test(outcomes_have_names),
    };
    (void) alarm(120);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
