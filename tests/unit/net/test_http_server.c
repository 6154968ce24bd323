/* The server as a client sees it: keep-alive, order, refusals, waiting calls, drain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "server_fixture.h"

#define END "Connection: close\r\n\r\n"
#define H " HTTP/1.1\r\nHost: a\r\n"

static void
expect_error(struct str *rest, int status, const char *code)
{
    struct answer a;
    char want[128];
    assert_true(answer_next(rest, true, &a));
    assert_int_equal(a.status, status);
    assert_true(answer_has(&a, "Content-Type: application/json"));
    assert_true(str_starts_with(buf_str(&a.body), "{\"message\":\""));
    (void) snprintf(want, sizeof(want), "errors#%s\"}", code);
    assert_true(str_ends_with(buf_str(&a.body), want));
    answer_done(&a);
}

static void
expect_body(struct str *rest, const char *body)
{
    struct answer a;
    assert_true(answer_next(rest, true, &a));
    assert_int_equal(a.status, 200);
    assert_true(str_is(buf_str(&a.body), body));
    answer_done(&a);
}

static void
get_is_answered(void **state)
{
    struct server_fixture f;
    (void) state;
    server_fixture_init(&f, NULL, false);
    struct talk t = talk_once(&f, STR("GET /hello" H END));
    struct str rest = buf_str(&t.got);
    struct answer a;
    assert_true(answer_next(&rest, true, &a));
    assert_true(str_starts_with(a.head, "HTTP/1.1 200 OK\r\n"));
    assert_true(answer_has(&a, "Connection: close"));
    assert_true(answer_has(&a, "Content-Length: 11"));
    assert_true(answer_has(
        &a, "Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers"));
    assert_true(str_is(buf_str(&a.body), "{\"ok\":true}"));
    assert_int_equal(rest.len, 0);
    answer_done(&a);
    buf_done(&t.got);
    server_fixture_done(&f);
}

static void
requests_in_one_packet_are_answered_in_order(void **state)
{
    struct server_fixture f;
    (void) state;
    server_fixture_init(&f, NULL, false);
    struct talk t = talk_once(&f, STR("GET /hello" H "\r\n"
                                      "POST /echo" H "Content-Length: 3\r\n\r\nabc"
                                      "POST /echo" H "Transfer-Encoding: chunked\r\n\r\n"
                                      "2\r\nde\r\n0\r\n\r\n"
                                      "GET /hello" H END));
    struct str rest = buf_str(&t.got);
    expect_body(&rest, "{\"ok\":true}");
    expect_body(&rest, "abc");
    expect_body(&rest, "de");
    expect_body(&rest, "{\"ok\":true}");
    assert_int_equal(rest.len, 0);
    buf_done(&t.got);
    server_fixture_done(&f);
}

static void
thousand_requests_in_one_go_are_answered(void **state)
{
    struct server_fixture f;
    struct buf all = BUF_INIT;
    (void) state;
    server_fixture_init(&f, NULL, false);
    for (int i = 0; i < 1000; i++)
        buf_addf(&all, "POST /echo" H "Content-Length: 4\r\n\r\n%04d", i);
    buf_add_cstr(&all, "GET /hello" H END);
    struct talk t = talk_once(&f, buf_str(&all));
    struct str rest = buf_str(&t.got);
    for (int i = 0; i < 1000; i++) {
        char want[8];
        (void) snprintf(want, sizeof(want), "%04d", i);
        expect_body(&rest, want);
    }
    assert_int_equal(f.n_handled, 1001);
    buf_done(&t.got);
    buf_done(&all);
    server_fixture_done(&f);
}

static void
bytes_one_by_one_are_a_request(void **state)
{
    struct server_fixture f;
    struct talk t;
    (void) state;
    server_fixture_init(&f, NULL, false);
    talk_open(&t, &f);
    talk_send_slowly(&t, STR("POST /echo" H "Transfer-Encoding: chunked\r\n\r\n"
                             "3\r\nabc\r\n0\r\n\r\nGET /hello" H END));
    talk_wait(&t);
    struct str rest = buf_str(&t.got);
    expect_body(&rest, "abc");
    expect_body(&rest, "{\"ok\":true}");
    talk_close(&t);
    server_fixture_done(&f);
}

static void
refusal_comes_after_the_requests_before_it(void **state)
{
    struct server_fixture f;
    (void) state;
    server_fixture_init(&f, NULL, false);
    struct talk t = talk_once(&f, STR("GET /hello" H "\r\nGET /hello" H "\r\n"
                                      "GET / HTTP/1.1\nGET /hello" H "\r\n"));
    struct str rest = buf_str(&t.got);
    expect_body(&rest, "{\"ok\":true}");
    expect_body(&rest, "{\"ok\":true}");
    expect_error(&rest, 400, "bad_request");
    assert_int_equal(rest.len, 0);
    assert_int_equal(f.n_handled, 2);
    assert_int_equal(http_server_stats(f.server).refused, 1);
    buf_done(&t.got);
    server_fixture_done(&f);
}

static void
each_violation_has_its_status(void **state)
{
    static const struct {
        const char *request, *code;
        int status;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", "bad_request", 400},
        {"GET / HTTP/2.0\r\n\r\n", "http_version_not_supported", 505},
        {"BREW /" H "\r\n", "not_implemented", 501},
        {"POST /" H "Expect: tea\r\nContent-Length: 1\r\n\r\n", "expectation_failed", 417},
        {"POST /" H "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "bad_request", 400},
        {"POST /" H "Transfer-Encoding: gzip\r\n\r\nGET /x" H "\r\n", "bad_request", 400},
        {"POST /" H "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n", "bad_request", 400},
        {"\x16\x03\x01\x02", "bad_request", 400},
    };
    struct server_fixture f;
    (void) state;
    server_fixture_init(&f, NULL, false);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct talk t = talk_once(&f, str_from(cases[i].request));
        struct str rest = buf_str(&t.got);
        expect_error(&rest, cases[i].status, cases[i].code);
        assert_int_equal(rest.len, 0);
        buf_done(&t.got);
    }
    assert_int_equal(f.n_handled, 0);
    server_fixture_done(&f);
}

static void
judge_refuses_before_a_body_and_closes(void **state)
{
    struct server_fixture f;
    (void) state;
    server_fixture_init(&f, NULL, false);
    struct talk t = talk_once(&f, STR("POST /secret" H "Content-Length: 1000000\r\n\r\n"));
    struct str rest = buf_str(&t.got);
    expect_error(&rest, 401, "missing_authorization_header");
    assert_int_equal(rest.len, 0);
    buf_done(&t.got);
    server_fixture_done(&f);
}

static void
judge_refuses_without_a_body_and_goes_on(void **state)
{
    struct server_fixture f;
    (void) state;
    server_fixture_init(&f, NULL, false);
    struct talk t = talk_once(&f, STR("GET /secret" H "\r\nGET /hello" H END));
    struct str rest = buf_str(&t.got);
    expect_error(&rest, 401, "missing_authorization_header");
    expect_body(&rest, "{\"ok\":true}");
    buf_done(&t.got);
    server_fixture_done(&f);
}

static void
expectation_is_answered_once(void **state)
{
    struct server_fixture f;
    struct talk t;
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    (void) state;
    server_fixture_init(&f, NULL, false);
    for (int i = 0; i < 2; i++) {
        talk_open(&t, &f);
        talk_send(&t, STR("GET /hello" H "\r\n"));
        talk_wait_bytes(&t, 50);
        buf_clear(&t.got);
        talk_send(&t, STR("POST /echo" H "Expect: 100-continue\r\nContent-Length: 2\r\n" END));
        talk_wait_bytes(&t, sizeof(interim) - 1);
        assert_true(str_is(buf_str(&t.got), interim));
        talk_send(&t, STR("ab"));
        talk_wait(&t);
        struct str rest = str_slice(buf_str(&t.got), sizeof(interim) - 1, t.got.len);
        expect_body(&rest, "ab");
        assert_int_equal(rest.len, 0);
        talk_close(&t);
    }
    server_fixture_done(&f);
}

static void
check_expectation_behind_another_request(bool with_tls)
{
    struct server_fixture f;
    struct talk t;
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    server_fixture_init(&f, NULL, with_tls);
    talk_open(&t, &f);
    talk_send(&t, STR("GET /hello" H "\r\n"
                      "POST /echo" H "Expect: 100-continue\r\nContent-Length: 2\r\n" END));
    while (!str_ends_with(buf_str(&t.got), interim))
        talk_wait_bytes(&t, t.got.len + 1);
    talk_send(&t, STR("ab"));
    talk_wait(&t);
    struct str rest = buf_str(&t.got);
    expect_body(&rest, "{\"ok\":true}");
    rest = str_slice(rest, sizeof(interim) - 1, rest.len);
    expect_body(&rest, "ab");
    assert_int_equal(rest.len, 0);
    talk_close(&t);
    server_fixture_done(&f);
}

static void
expectation_behind_another_request_is_answered(void **state)
{
    (void) state;
    check_expectation_behind_another_request(false);
    check_expectation_behind_another_request(true);
}

static void
half_closed_client_gets_all_its_answers(void **state)
{
    struct server_fixture f;
    struct talk t;
    (void) state;
    server_fixture_init(&f, NULL, false);
    talk_open(&t, &f);
    talk_send(&t, STR("GET /hello" H "\r\nPOST /echo" H "Content-Length: 2\r\n\r\nab"
                      "GET /wait" H "\r\nGET /hello" H "\r\n"));
    f.stop_at_wait = true;
    talk_end(&t);
    while (f.waiting == NULL)
        loop_run(f.loop);
    server_fixture_turn(&f, 5);
    assert_int_equal(f.n_gone, 0);
    server_fixture_answer(&f);
    talk_wait(&t);
    struct str rest = buf_str(&t.got);
    expect_body(&rest, "{\"ok\":true}");
    expect_body(&rest, "ab");
    expect_body(&rest, "{\"waited\":true}");
    expect_body(&rest, "{\"ok\":true}");
    assert_int_equal(rest.len, 0);
    talk_close(&t);
    server_fixture_done(&f);
}

static void
expectation_of_a_refused_body_gets_the_refusal(void **state)
{
    struct server_fixture f;
    (void) state;
    server_fixture_init(&f, NULL, false);
    struct talk t =
        talk_once(&f, STR("POST /echo" H "Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n"));
    struct str rest = buf_str(&t.got);
    expect_error(&rest, 413, "payload_too_large");
    buf_done(&t.got);
    server_fixture_done(&f);
}

static void
waiting_call_is_answered_later(void **state)
{
    struct server_fixture f;
    struct talk t;
    (void) state;
    server_fixture_init(&f, NULL, false);
    f.stop_at_wait = true;
    talk_open(&t, &f);
    talk_send(&t, STR("GET /wait" H "\r\nGET /hello" H END));
    while (f.waiting == NULL)
        loop_run(f.loop);
    server_fixture_answer(&f);
    talk_wait(&t);
    struct str rest = buf_str(&t.got);
    expect_body(&rest, "{\"waited\":true}");
    expect_body(&rest, "{\"ok\":true}");
    assert_int_equal(f.n_gone, 0);
    talk_close(&t);
    server_fixture_done(&f);
}

static void
client_gone_while_waiting_does_no_harm(void **state)
{
    struct server_fixture f;
    struct talk t;
    (void) state;
    server_fixture_init(&f, NULL, false);
    f.stop_at_wait = true;
    talk_open(&t, &f);
    talk_send(&t, STR("GET /wait" H "\r\n"));
    while (f.waiting == NULL)
        loop_run(f.loop);
    talk_close(&t);
    server_fixture_turn(&f, 5);
    if (f.waiting != NULL)
        server_fixture_answer(&f);
    server_fixture_turn(&f, 20);
    assert_int_equal(http_server_stats(f.server).connections, 0);
    server_fixture_done(&f);
}

static void
server_freed_while_waiting_tells_the_handler(void **state)
{
    struct server_fixture f;
    struct talk t;
    (void) state;
    server_fixture_init(&f, NULL, false);
    f.stop_at_wait = true;
    talk_open(&t, &f);
    talk_send(&t, STR("POST /wait" H "Content-Length: 2\r\n\r\nab"));
    while (f.waiting == NULL)
        loop_run(f.loop);
    http_server_free(f.server);
    f.server = NULL;
    assert_int_equal(f.n_gone, 1);
    talk_close(&t);
    server_fixture_done(&f);
}

static void
reply_after_the_server_is_gone_does_no_harm(void **state)
{
    struct server_fixture f;
    struct talk t;
    (void) state;
    server_fixture_init(&f, NULL, false);
    f.stop_at_wait = true;
    talk_open(&t, &f);
    talk_send(&t, STR("POST /wait-untold" H "X-A: b\r\nContent-Length: 2\r\n\r\nab"));
    while (f.waiting == NULL)
        loop_run(f.loop);
    http_server_free(f.server);
    f.server = NULL;
    assert_true(str_is(http_call_header(f.waiting, "X-A"), "b"));
    assert_true(str_is(f.waiting->path, "/wait-untold"));
    struct buf body = BUF_INIT;
    assert_int_equal(http_call_take_body(f.waiting, &body, 10), 2);
    buf_done(&body);
    server_fixture_answer(&f);
    talk_close(&t);
    server_fixture_done(&f);
}

static void
note_drained(void *arg)
{
    struct server_fixture *f = arg;
    f->n_drained++;
    loop_stop(f->loop);
}

static void
drain_of_an_idle_server_is_over_at_once(void **state)
{
    struct server_fixture f;
    struct talk t;
    (void) state;
    server_fixture_init(&f, NULL, false);
    talk_open(&t, &f);
    talk_send(&t, STR("GET /hello" H "\r\n"));
    talk_wait_bytes(&t, 50);
    http_server_drain(f.server, note_drained, &f);
    while (f.n_drained == 0)
        loop_run(f.loop);
    assert_int_equal(http_server_stats(f.server).connections, 0);
    talk_wait(&t);
    talk_close(&t);
    server_fixture_done(&f);
}

static void
drain_lets_a_running_request_end(void **state)
{
    struct server_fixture f;
    struct talk t;
    (void) state;
    server_fixture_init(&f, NULL, false);
    f.stop_at_wait = true;
    talk_open(&t, &f);
    talk_send(&t, STR("GET /wait" H "\r\n"));
    while (f.waiting == NULL)
        loop_run(f.loop);
    http_server_drain(f.server, note_drained, &f);
    server_fixture_turn(&f, 5);
    assert_int_equal(f.n_drained, 0);
    server_fixture_answer(&f);
    talk_wait(&t);
    struct str rest = buf_str(&t.got);
    struct answer a;
    assert_true(answer_next(&rest, true, &a));
    assert_true(answer_has(&a, "Connection: close"));
    answer_done(&a);
    while (f.n_drained == 0)
        loop_run(f.loop);
    assert_int_equal(f.n_drained, 1);
    talk_close(&t);
    server_fixture_done(&f);
}

static void
drain_closes_a_connection_that_is_reading_its_answer(void **state)
{
    struct server_fixture f;
    struct talk t;
    struct answer a;
    enum { ALL = 50000000 };
    (void) state;
    server_fixture_init(&f, NULL, false);
    talk_open(&t, &f);
    talk_send(&t, STR("GET /take/50000000" H "\r\n"));
    talk_wait_bytes(&t, 1);
    http_server_drain(f.server, note_drained, &f);
    talk_wait(&t); /* the client would keep the connection */
    struct str rest = buf_str(&t.got);
    assert_true(answer_next(&rest, true, &a));
    assert_int_equal(a.body.len, ALL);
    answer_done(&a);
    while (f.n_drained == 0)
        loop_run(f.loop);
    talk_close(&t);
    server_fixture_done(&f);
}

static void
drain_during_an_upload_lets_it_end(void **state)
{
    struct server_fixture f;
    struct talk t;
    (void) state;
    server_fixture_init(&f, NULL, false);
    talk_open(&t, &f);
    talk_send(&t, STR("POST /echo" H "Content-Length: 4\r\n\r\nab"));
    while (http_server_stats(f.server).buffered_body_bytes < 2)
        server_fixture_turn(&f, 1);
    http_server_drain(f.server, note_drained, &f);
    talk_send(&t, STR("cd"));
    talk_wait(&t);
    struct str rest = buf_str(&t.got);
    expect_body(&rest, "abcd");
    while (f.n_drained == 0)
        loop_run(f.loop);
    talk_close(&t);
    server_fixture_done(&f);
}

static void
old_clients_get_what_they_understand(void **state)
{
    struct server_fixture f;
    (void) state;
    server_fixture_init(&f, NULL, false);
    struct talk t = talk_once(&f, STR("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
                                      "GET /pieces/30000 HTTP/1.0\r\n\r\n"));
    struct str rest = buf_str(&t.got);
    struct answer a;
    assert_true(answer_next(&rest, true, &a));
    assert_true(answer_has(&a, "Connection: keep-alive"));
    answer_done(&a);
    assert_true(answer_next(&rest, false, &a)); /* the body ends with the connection */
    assert_true(answer_has(&a, "Connection: close"));
    assert_false(answer_has(&a, "Transfer-Encoding: chunked"));
    assert_int_equal(rest.len, 30000);
    buf_done(&t.got);
    server_fixture_done(&f);
}

static void
preflight_comes_before_rights(void **state)
{
    struct server_fixture f;
    (void) state;
    server_fixture_init(&f, NULL, false);
    struct talk t = talk_once(&f, STR("OPTIONS /secret" H "Origin: http://x\r\n"
                                      "Access-Control-Request-Method: PATCH\r\n"
                                      "Access-Control-Request-Headers: authorization\r\n" END));
    struct str rest = buf_str(&t.got);
    struct answer a;
    assert_true(answer_next(&rest, true, &a));
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body.len, 0);
    assert_true(answer_has(&a, "Access-Control-Allow-Origin: *"));
    assert_true(answer_has(&a, "Access-Control-Allow-Headers: authorization"));
    assert_true(answer_has(&a, "Access-Control-Max-Age: 86400"));
    assert_int_equal(f.n_handled, 0);
    answer_done(&a);
    buf_done(&t.got);
    server_fixture_done(&f);
}

static void
options_without_a_method_is_routed(void **state)
{
    struct server_fixture f;
    (void) state;
    server_fixture_init(&f, NULL, false);
    struct talk t =
        talk_once(&f, STR("OPTIONS /hello" H "Access-Control-Request-Method: NOPE\r\n" END));
    assert_int_equal(f.n_handled, 1);
    buf_done(&t.got);
    server_fixture_done(&f);
}

static void
origin_is_allowed_on_errors_too(void **state)
{
    struct server_fixture f;
    (void) state;
    server_fixture_init(&f, NULL, false);
    struct talk t = talk_once(&f, STR("GET /secret" H "Origin: http://x\r\n" END));
    struct str rest = buf_str(&t.got);
    struct answer a;
    assert_true(answer_next(&rest, true, &a));
    assert_int_equal(a.status, 401);
    assert_true(answer_has(&a, "Access-Control-Allow-Origin: *"));
    answer_done(&a);
    buf_done(&t.got);
    server_fixture_done(&f);
}

static void
busy_port_is_named_in_the_error(void **state)
{
    struct server_fixture f;
    struct err err = ERR_INIT;
    (void) state;
    server_fixture_init(&f, NULL, false);
    struct http_server_conf conf = {.addr = http_server_address(f.server)};
    assert_null(http_server_new(f.loop, &conf, &err));
    assert_non_null(strstr(err.message, http_server_address(f.server)));
    assert_non_null(strstr(err.message, "in use"));
    err_done(&err);
    server_fixture_done(&f);
}

static void
bad_addresses_are_refused(void **state)
{
    static const char *const addresses[] = {"",      "localhost",   "127.0.0.1:", "127.0.0.1:70000",
                                            "::1:0", "127.0.0.1:x", "unix:",      "[::1:0"};
    struct err err = ERR_INIT;
    struct loop *loop = loop_new(&err);
    (void) state;
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct http_server_conf conf = {.addr = addresses[i]};
        assert_null(http_server_new(loop, &conf, &err));
        assert_true(err_is_set(&err));
        err_done(&err);
    }
    loop_free(loop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_is_answered),
        cmocka_unit_test(requests_in_one_packet_are_answered_in_order),
        cmocka_unit_test(thousand_requests_in_one_go_are_answered),
        cmocka_unit_test(bytes_one_by_one_are_a_request),
        cmocka_unit_test(refusal_comes_after_the_requests_before_it),
        cmocka_unit_test(each_violation_has_its_status),
        cmocka_unit_test(judge_refuses_before_a_body_and_closes),
        cmocka_unit_test(judge_refuses_without_a_body_and_goes_on),
        cmocka_unit_test(expectation_is_answered_once),
        cmocka_unit_test(expectation_behind_another_request_is_answered),
        cmocka_unit_test(half_closed_client_gets_all_its_answers),
        cmocka_unit_test(expectation_of_a_refused_body_gets_the_refusal),
        cmocka_unit_test(waiting_call_is_answered_later),
        cmocka_unit_test(client_gone_while_waiting_does_no_harm),
        cmocka_unit_test(server_freed_while_waiting_tells_the_handler),
        cmocka_unit_test(reply_after_the_server_is_gone_does_no_harm),
        cmocka_unit_test(drain_of_an_idle_server_is_over_at_once),
        cmocka_unit_test(drain_lets_a_running_request_end),
        cmocka_unit_test(drain_closes_a_connection_that_is_reading_its_answer),
        cmocka_unit_test(drain_during_an_upload_lets_it_end),
        cmocka_unit_test(old_clients_get_what_they_understand),
        cmocka_unit_test(preflight_comes_before_rights),
        cmocka_unit_test(options_without_a_method_is_routed),
        cmocka_unit_test(origin_is_allowed_on_errors_too),
        cmocka_unit_test(busy_port_is_named_in_the_error),
        cmocka_unit_test(bad_addresses_are_refused),
    };
    return cmocka_run_group_tests_name("http_server", tests, NULL, NULL);
}
