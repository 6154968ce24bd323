/* Limits, each at and one beyond, and deadlines of slow clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "server_fixture.h"

#define H " HTTP/1.1\r\nHost: a\r\n"
#define END "Connection: close\r\n\r\n"

static void
fill(struct buf *out, char c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_add_char(out, c);
}

/* The status of the one answer, 0 when there is none. */
static int
status_of(struct server_fixture *f, struct str request)
{
    struct talk t = talk_once(f, request);
    struct str rest = buf_str(&t.got);
    struct answer a = {0};
    int status = answer_next(&rest, true, &a) ? a.status : 0;
    answer_done(&a);
    buf_done(&t.got);
    return status;
}

static void
body_of_known_length_has_its_limit(void **state)
{
    struct server_fixture f;
    (void) state;
    server_fixture_init(&f, NULL, false);
    for (size_t n = ECHO_LIMIT; n <= ECHO_LIMIT + 1; n++) {
        struct buf b = BUF_INIT;
        buf_addf(&b, "POST /echo" H "Content-Length: %zu\r\n" END, n);
        fill(&b, 'x', n);
        assert_int_equal(status_of(&f, buf_str(&b)), n == ECHO_LIMIT ? 200 : 413);
        buf_done(&b);
    }
    server_fixture_done(&f);
}

static void
body_in_chunks_has_its_limit(void **state)
{
    struct server_fixture f;
    (void) state;
    server_fixture_init(&f, NULL, false);
    for (size_t n = ECHO_LIMIT; n <= ECHO_LIMIT + 1; n++) {
        struct buf b = BUF_INIT;
        buf_addf(&b, "POST /echo" H "Transfer-Encoding: chunked\r\n" END "1f4\r\n");
        fill(&b, 'x', 500);
        buf_addf(&b, "\r\n%zx\r\n", n - 500);
        fill(&b, 'x', n - 500);
        buf_add_cstr(&b, "\r\n0\r\n\r\n");
        assert_int_equal(status_of(&f, buf_str(&b)), n == ECHO_LIMIT ? 200 : 413);
        buf_done(&b);
    }
    server_fixture_done(&f);
}

static void
refused_upload_can_read_its_answer(void **state)
{
    struct server_fixture f;
    struct talk t;
    struct buf b = BUF_INIT;
    struct answer a;
    (void) state;
    server_fixture_init(&f, NULL, false);
    buf_addf(&b, "POST /echo" H "Content-Length: 8000000\r\n\r\n");
    fill(&b, 'x', 8000000);
    talk_open(&t, &f);
    talk_send(&t, buf_str(&b)); /* the client writes on, whatever comes */
    talk_wait(&t);
    struct str rest = buf_str(&t.got);
    assert_true(answer_next(&rest, true, &a));
    assert_int_equal(a.status, 413);
    assert_non_null(memmem(a.body.data, a.body.len, "declared known, limit 1000", 26));
    answer_done(&a);
    talk_close(&t);
    buf_done(&b);
    server_fixture_done(&f);
}

static void
target_and_headers_have_limits(void **state)
{
    struct http_server_conf conf = {
        .max_uri_bytes = 1000, .max_header_bytes = 2000, .max_headers = 3};
    struct server_fixture f;
    (void) state;
    server_fixture_init(&f, &conf, false);
    static const struct {
        size_t uri, header;
        int extra, status;
    } cases[] = {
        {1000, 1, 0, 200}, {1001, 1, 0, 414}, {6, 1900, 0, 200},
        {6, 1990, 0, 431}, {6, 1, 1, 431},    {9000, 1, 0, 414},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf b = BUF_INIT;
        buf_add_cstr(&b, "GET /");
        fill(&b, 'u', cases[i].uri - 1);
        buf_add_cstr(&b, H "X: ");
        fill(&b, 'h', cases[i].header);
        buf_addf(&b, "\r\n%s" END, cases[i].extra > 0 ? "Y: z\r\n" : "");
        assert_int_equal(status_of(&f, buf_str(&b)), cases[i].status);
        buf_done(&b);
    }
    server_fixture_done(&f);
}

static void
bodies_beyond_the_budget_are_turned_away(void **state)
{
    struct http_server_conf conf = {.max_buffered_body_bytes = 100000};
    struct server_fixture f;
    struct talk first;
    (void) state;
    server_fixture_init(&f, &conf, false);
    struct buf b = BUF_INIT, c = BUF_INIT;
    buf_addf(&b, "POST /upload" H "Content-Length: 90000\r\n" END);
    fill(&b, 'x', 89999);
    talk_open(&first, &f);
    talk_send(&first, buf_str(&b));
    while (http_server_stats(f.server).buffered_body_bytes < 89999)
        server_fixture_turn(&f, 1);
    buf_addf(&c, "POST /u" H "Content-Length: 10001\r\n" END); /* the last byte of the budget */
    fill(&c, 'x', 10001);
    assert_int_equal(status_of(&f, buf_str(&c)), 200);
    buf_clear(&c);
    assert_int_equal(status_of(&f, STR("POST /u" H "Content-Length: 10002\r\n\r\n")), 503);
    buf_addf(&c, "POST /u" H "Transfer-Encoding: chunked\r\n" END "2712\r\n");
    fill(&c, 'x', 10002);
    assert_int_equal(status_of(&f, buf_str(&c)), 503);
    talk_send(&first, STR("x"));
    talk_wait(&first);
    assert_int_equal(http_server_stats(f.server).buffered_body_bytes, 0);
    talk_close(&first);
    buf_done(&b);
    buf_done(&c);
    server_fixture_done(&f);
}

static void
connections_beyond_the_limit_are_told(void **state)
{
    struct http_server_conf conf = {.max_connections = 2};
    struct server_fixture f;
    struct talk t[2];
    (void) state;
    server_fixture_init(&f, &conf, false);
    for (int i = 0; i < 2; i++) {
        talk_open(&t[i], &f);
        talk_send(&t[i], STR("GET /hello" H "\r\n"));
        talk_wait_bytes(&t[i], 50);
    }
    assert_int_equal(status_of(&f, STR("GET /hello" H "\r\n")), 503);
    talk_close(&t[0]);
    while (http_server_stats(f.server).connections > 1)
        server_fixture_turn(&f, 1);
    assert_int_equal(status_of(&f, STR("GET /hello" H END)), 200);
    talk_close(&t[1]);
    server_fixture_done(&f);
}

static void
listener_rests_when_far_beyond_the_limit(void **state)
{
    struct http_server_conf conf = {.max_connections = 1};
    struct server_fixture f;
    static struct talk t[80];
    (void) state;
    server_fixture_init(&f, &conf, false);
    for (int i = 0; i < 80; i++)
        talk_open(&t[i], &f);
    server_fixture_turn(&f, 20);
    assert_int_equal(http_server_stats(f.server).connections, 65);
    for (int i = 0; i < 80; i++)
        talk_close(&t[i]);
    do {
        server_fixture_turn(&f, 20); /* those that waited in the backlog come and go */
    } while (http_server_stats(f.server).connections > 0);
    assert_int_equal(status_of(&f, STR("GET /hello" H END)), 200);
    server_fixture_done(&f);
}

/* Sends the bytes, waits for the server to close; the status of what it said. */
static int
status_after_silence(struct server_fixture *f, const char *bytes)
{
    return status_of(f, str_from(bytes));
}

static const struct http_server_conf hasty = {
    .idle_timeout_ms = 150, .head_timeout_ms = 300, .body_timeout_ms = 250};

static void
slow_head_gets_a_408(void **state)
{
    struct server_fixture f;
    (void) state;
    server_fixture_init(&f, &hasty, false);
    assert_int_equal(status_after_silence(&f, "GET /hello HTTP/1.1\r\nHo"), 408);
    server_fixture_done(&f);
}

static void
slow_body_gets_a_408(void **state)
{
    struct server_fixture f;
    (void) state;
    server_fixture_init(&f, &hasty, false);
    assert_int_equal(status_after_silence(&f, "POST /echo" H "Content-Length: 10\r\n\r\n12345"),
                     408);
    assert_int_equal(
        status_after_silence(&f, "POST /echo" H "Transfer-Encoding: chunked\r\n\r\n5\r\n12"), 408);
    assert_int_equal(http_server_stats(f.server).buffered_body_bytes, 0);
    server_fixture_done(&f);
}

static void
dripping_head_is_cut(void **state)
{
    struct server_fixture f;
    struct talk t;
    struct buf b = BUF_INIT;
    (void) state;
    server_fixture_init(&f, &hasty, false);
    buf_add_cstr(&b, "GET /hello HTTP/1.1\r\nX: ");
    fill(&b, 'x', 60000);
    talk_open(&t, &f);
    t.drip_ms = 5;
    talk_send_slowly(&t, buf_str(&b));
    talk_wait(&t);
    assert_true(str_starts_with(buf_str(&t.got), "HTTP/1.1 408 "));
    talk_close(&t);
    buf_done(&b);
    server_fixture_done(&f);
}

static void
silent_connections_are_closed_without_a_word(void **state)
{
    struct server_fixture f;
    struct talk t;
    (void) state;
    server_fixture_init(&f, &hasty, false);
    talk_open(&t, &f);
    talk_wait(&t);
    assert_int_equal(t.got.len, 0);
    talk_close(&t);
    server_fixture_done(&f);
}

static void
idle_connections_are_closed_without_a_word(void **state)
{
    struct server_fixture f;
    struct talk t;
    struct answer a;
    (void) state;
    server_fixture_init(&f, &hasty, false);
    talk_open(&t, &f);
    talk_send(&t, STR("GET /hello" H "\r\n"));
    talk_wait(&t);
    struct str rest = buf_str(&t.got);
    assert_true(answer_next(&rest, true, &a));
    assert_int_equal(a.status, 200);
    assert_int_equal(rest.len, 0);
    answer_done(&a);
    talk_close(&t);
    server_fixture_done(&f);
}

static void
waiting_calls_have_no_deadline(void **state)
{
    struct server_fixture f;
    struct talk t;
    (void) state;
    server_fixture_init(&f, &hasty, false);
    f.stop_at_wait = true;
    talk_open(&t, &f);
    talk_send(&t, STR("GET /wait" H END));
    while (f.waiting == NULL)
        loop_run(f.loop);
    server_fixture_turn(&f, 800);
    assert_non_null(f.waiting);
    server_fixture_answer(&f);
    talk_wait(&t);
    assert_true(str_starts_with(buf_str(&t.got), "HTTP/1.1 200 "));
    talk_close(&t);
    server_fixture_done(&f);
}

static void
client_that_does_not_read_is_cut(void **state)
{
    struct server_fixture f;
    struct talk t;
    (void) state;
    server_fixture_init(&f, &hasty, false);
    talk_open(&t, &f);
    talk_send(&t, STR("GET /pieces/67108864" H "\r\n"));
    talk_wait_bytes(&t, 1);
    talk_pause(&t, true);
    for (int i = 0; i < 200 && http_server_stats(f.server).connections > 0; i++)
        server_fixture_turn(&f, 10);
    assert_int_equal(http_server_stats(f.server).connections, 0);
    assert_int_equal(f.n_released, 1);
    talk_close(&t);
    server_fixture_done(&f);
}

static void
unfinished_handshake_is_cut(void **state)
{
    struct server_fixture f;
    struct talk t;
    (void) state;
    server_fixture_init(&f, &hasty, true);
    struct tls_server *tls = f.tls;
    f.tls = NULL; /* the client speaks plain and says nothing */
    talk_open(&t, &f);
    f.tls = tls;
    talk_wait(&t);
    assert_int_equal(http_server_stats(f.server).connections, 0);
    talk_close(&t);
    server_fixture_done(&f);
}

static void
client_that_floods_while_it_waits_is_not_read(void **state)
{
    struct server_fixture f;
    struct talk t;
    struct buf b = BUF_INIT;
    (void) state;
    server_fixture_init(&f, NULL, false);
    f.stop_at_wait = true;
    talk_open(&t, &f);
    talk_send(&t, STR("GET /wait" H "\r\n"));
    while (f.waiting == NULL)
        loop_run(f.loop);
    fill(&b, 'x', 32 << 20);
    talk_send(&t, buf_str(&b));
    server_fixture_turn(&f, 100);
    assert_true(talk_unsent(&t) > 16 << 20); /* it stays the client's */
    server_fixture_answer(&f);
    talk_wait_bytes(&t, 50);
    talk_close(&t);
    buf_done(&b);
    server_fixture_done(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_of_known_length_has_its_limit),
        cmocka_unit_test(body_in_chunks_has_its_limit),
        cmocka_unit_test(refused_upload_can_read_its_answer),
        cmocka_unit_test(target_and_headers_have_limits),
        cmocka_unit_test(bodies_beyond_the_budget_are_turned_away),
        cmocka_unit_test(connections_beyond_the_limit_are_told),
        cmocka_unit_test(listener_rests_when_far_beyond_the_limit),
        cmocka_unit_test(slow_head_gets_a_408),
        cmocka_unit_test(slow_body_gets_a_408),
        cmocka_unit_test(dripping_head_is_cut),
        cmocka_unit_test(silent_connections_are_closed_without_a_word),
        cmocka_unit_test(idle_connections_are_closed_without_a_word),
        cmocka_unit_test(waiting_calls_have_no_deadline),
        cmocka_unit_test(client_that_does_not_read_is_cut),
        cmocka_unit_test(unfinished_handshake_is_cut),
        cmocka_unit_test(client_that_floods_while_it_waits_is_not_read),
    };
    return cmocka_run_group_tests_name("http_limits", tests, NULL, NULL);
}
