/* Answers of every size, plain, over TLS, encoded and in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "codec/gzip.h"
#include "server_fixture.h"

#define H " HTTP/1.1\r\nHost: a\r\n"

static const size_t sizes[] = {0,     1,     100,   1024,  1025,   4096,   16000,  16384,
                               20000, 65536, 65537, 70000, 300000, 999999, 1 << 20};
enum { N_SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static void
expect_filled(struct str body, size_t n)
{
    assert_int_equal(body.len, n);
    for (size_t i = 0; i < n; i++) {
        if (body.data[i] != (char) ('a' + i % 10000 % 26) && body.data[i] != (char) ('a' + i % 26))
            fail_msg("byte %zu of %zu is `%c`", i, n, body.data[i]);
    }
}

static struct buf
inflate_all(struct str in, enum gzip_format format)
{
    struct buf out = BUF_INIT;
    struct gzip_in *z = gzip_in_new(format);
    int result = 0;
    while (result == 0 && (in.len > 0 || !gzip_in_ended(z)))
        result = gzip_in_step(z, &in, &out, 65536);
    assert_true(gzip_in_ended(z));
    gzip_in_free(z);
    return out;
}

/* Each size from each kind of reply on one kept-alive connection. */
static void
check_sizes(struct server_fixture *f, const char *headers)
{
    static const char *const kinds[] = {"size", "take", "pieces"};
    struct buf all = BUF_INIT;
    for (size_t i = 0; i < 3 * N_SIZES; i++)
        buf_addf(&all, "GET /%s/%zu" H "%s%s\r\n", kinds[i % 3], sizes[i / 3], headers,
                 i == 3 * N_SIZES - 1 ? "Connection: close\r\n" : "");
    struct talk t = talk_once(f, buf_str(&all));
    struct str rest = buf_str(&t.got);
    for (size_t i = 0; i < 3 * N_SIZES; i++) {
        struct answer a;
        assert_true(answer_next(&rest, true, &a));
        assert_int_equal(a.status, 200);
        bool is_gzip = answer_has(&a, "Content-Encoding: gzip");
        bool is_deflate = answer_has(&a, "Content-Encoding: deflate");
        if (headers[0] != '\0' && sizes[i / 3] > 1024)
            assert_true(is_gzip || is_deflate);
        if (is_gzip || is_deflate) {
            assert_true(answer_has(&a, "Vary: accept-encoding"));
            struct buf plain =
                inflate_all(buf_str(&a.body), is_gzip ? GZIP_FORMAT_GZIP : GZIP_FORMAT_DEFLATE);
            expect_filled(buf_str(&plain), sizes[i / 3]);
            buf_done(&plain);
        } else {
            expect_filled(buf_str(&a.body), sizes[i / 3]);
        }
        answer_done(&a);
    }
    assert_int_equal(rest.len, 0);
    assert_int_equal(f->n_released, N_SIZES);
    buf_done(&t.got);
    buf_done(&all);
}

static void
every_size_arrives_plain(void **state)
{
    struct server_fixture f;
    (void) state;
    server_fixture_init(&f, NULL, false);
    check_sizes(&f, "");
    server_fixture_done(&f);
}

static void
every_size_arrives_over_tls(void **state)
{
    struct server_fixture f;
    (void) state;
    server_fixture_init(&f, NULL, true);
    check_sizes(&f, "");
    server_fixture_done(&f);
}

/* Several long chains wait in the output at a time: each must be written whole before the next. */
static void
long_pieces_arrive_over_tls(void **state)
{
    struct server_fixture f;
    struct talk t;
    struct answer a;
    enum { ALL = 32 << 20 };
    (void) state;
    server_fixture_init(&f, NULL, true);
    talk_open(&t, &f);
    talk_send(&t, STR("GET /long-pieces/33554432" H "Connection: close\r\n\r\n"));
    talk_wait_bytes(&t, 1);
    talk_pause(&t, true);
    server_fixture_turn(&f, 100);
    assert_int_equal(f.n_released, 0); /* the output is full */
    talk_pause(&t, false);
    talk_wait(&t);
    struct str rest = buf_str(&t.got);
    assert_true(answer_next(&rest, true, &a));
    assert_int_equal(a.body.len, ALL);
    size_t same = 0;
    while (same < ALL && a.body.data[same] == (char) ('a' + same % 65536 % 26))
        same++;
    assert_int_equal(same, ALL);
    assert_int_equal(rest.len, 0);
    answer_done(&a);
    talk_close(&t);
    server_fixture_done(&f);
}

static void
every_size_arrives_as_gzip(void **state)
{
    struct server_fixture f;
    (void) state;
    server_fixture_init(&f, NULL, false);
    check_sizes(&f, "Accept-Encoding: gzip\r\n");
    server_fixture_done(&f);
}

static void
every_size_arrives_as_deflate_over_tls(void **state)
{
    struct server_fixture f;
    (void) state;
    server_fixture_init(&f, NULL, true);
    check_sizes(&f, "Accept-Encoding: deflate\r\n");
    server_fixture_done(&f);
}

static void
small_answers_are_not_encoded(void **state)
{
    struct server_fixture f;
    struct answer a;
    (void) state;
    server_fixture_init(&f, NULL, false);
    struct talk t =
        talk_once(&f, STR("GET /size/1024" H "Accept-Encoding: gzip\r\nConnection: close\r\n\r\n"));
    struct str rest = buf_str(&t.got);
    assert_true(answer_next(&rest, true, &a));
    assert_false(answer_has(&a, "Content-Encoding: gzip"));
    expect_filled(buf_str(&a.body), 1024);
    answer_done(&a);
    buf_done(&t.got);
    server_fixture_done(&f);
}

static void
nothing_acceptable_is_a_406(void **state)
{
    struct server_fixture f;
    struct answer a;
    (void) state;
    server_fixture_init(&f, NULL, false);
    struct talk t = talk_once(
        &f, STR("GET /hello" H "Accept-Encoding: identity;q=0\r\nConnection: close\r\n\r\n"));
    struct str rest = buf_str(&t.got);
    assert_true(answer_next(&rest, true, &a));
    assert_int_equal(a.status, 406);
    assert_true(str_is(buf_str(&a.body), "gzip, deflate"));
    answer_done(&a);
    buf_done(&t.got);
    server_fixture_done(&f);
}

static void
head_has_the_length_and_no_body(void **state)
{
    struct server_fixture f;
    struct answer a;
    (void) state;
    server_fixture_init(&f, NULL, false);
    struct talk t =
        talk_once(&f, STR("HEAD /size/5000" H "\r\nHEAD /pieces/5000" H "\r\nHEAD /pieces/50000" H
                          "\r\nHEAD /take/100000" H "Connection: close\r\n\r\n"));
    struct str rest = buf_str(&t.got);
    assert_true(answer_next(&rest, false, &a));
    assert_true(answer_has(&a, "Content-Length: 5000"));
    assert_true(answer_next(&rest, false, &a));
    assert_true(answer_has(&a, "Content-Length: 5000"));
    assert_true(answer_next(&rest, false, &a));
    assert_int_equal(a.status, 200);
    assert_true(answer_next(&rest, false, &a));
    assert_true(answer_has(&a, "Content-Length: 100000"));
    assert_int_equal(rest.len, 0);
    assert_int_equal(f.n_released, 2);
    buf_done(&t.got);
    server_fixture_done(&f);
}

static void
statuses_without_content_have_no_length(void **state)
{
    struct server_fixture f;
    struct answer a;
    (void) state;
    server_fixture_init(&f, NULL, false);
    struct talk t =
        talk_once(&f, STR("DELETE /status/204" H "\r\nGET /status/304" H "\r\nGET /status/404" H
                          "\r\nGET /hello" H "Connection: close\r\n\r\n"));
    struct str rest = buf_str(&t.got);
    for (int i = 0; i < 2; i++) {
        assert_true(answer_next(&rest, false, &a));
        assert_false(answer_has(&a, "Content-Length: 0"));
    }
    assert_true(answer_next(&rest, true, &a));
    assert_true(str_starts_with(a.head, "HTTP/1.1 404 Not Found\r\n"));
    assert_true(answer_has(&a, "Content-Length: 0"));
    assert_true(answer_next(&rest, true, &a));
    assert_int_equal(a.status, 200);
    answer_done(&a);
    assert_int_equal(rest.len, 0);
    buf_done(&t.got);
    server_fixture_done(&f);
}

static void
unavailable_says_when_to_come_back(void **state)
{
    struct server_fixture f;
    struct answer a;
    (void) state;
    server_fixture_init(&f, NULL, false);
    struct talk t = talk_once(&f, STR("GET /error503" H "Connection: close\r\n\r\n"));
    struct str rest = buf_str(&t.got);
    assert_true(answer_next(&rest, true, &a));
    assert_int_equal(a.status, 503);
    assert_true(answer_has(&a, "Retry-After: 10"));
    answer_done(&a);
    buf_done(&t.got);
    server_fixture_done(&f);
}

static void
failed_pieces_cut_the_connection(void **state)
{
    struct server_fixture f;
    (void) state;
    server_fixture_init(&f, NULL, false);
    struct talk t = talk_once(&f, STR("GET /broken" H "\r\n"));
    assert_int_equal(f.n_released, 1);
    assert_false(str_ends_with(buf_str(&t.got), "0\r\n\r\n"));
    assert_int_equal(http_server_stats(f.server).connections, 0);
    buf_done(&t.got);
    server_fixture_done(&f);
}

static void
slow_reader_holds_the_pieces_back(void **state)
{
    struct server_fixture f;
    struct talk t;
    struct answer a;
    enum { ALL = 64 << 20 };
    (void) state;
    server_fixture_init(&f, NULL, false);
    talk_open(&t, &f);
    talk_send(&t, STR("GET /pieces/67108864" H "Connection: close\r\n\r\n"));
    talk_wait_bytes(&t, 1);
    talk_pause(&t, true);
    server_fixture_turn(&f, 200);
    assert_int_equal(f.n_released, 0); /* not all of it was made */
    talk_pause(&t, false);
    talk_wait(&t);
    assert_int_equal(f.n_released, 1);
    struct str rest = buf_str(&t.got);
    assert_true(answer_next(&rest, true, &a));
    assert_int_equal(a.body.len, ALL);
    answer_done(&a);
    talk_close(&t);
    server_fixture_done(&f);
}

static void
client_gone_in_the_middle_releases_once(void **state)
{
    struct server_fixture f;
    struct talk t;
    (void) state;
    server_fixture_init(&f, NULL, false);
    talk_open(&t, &f);
    talk_send(&t, STR("GET /pieces/67108864" H "\r\n"));
    talk_wait_bytes(&t, 100000);
    talk_close(&t);
    for (int i = 0; i < 100 && f.n_released == 0; i++)
        server_fixture_turn(&f, 10);
    assert_int_equal(f.n_released, 1);
    assert_int_equal(http_server_stats(f.server).connections, 0);
    server_fixture_done(&f);
}

/* Over TLS libevent drains the output once more after it has told of the error. */
static void
client_reset_in_the_middle_over_tls_releases_once(void **state)
{
    struct server_fixture f;
    struct talk t;
    enum { ROUNDS = 20 };
    (void) state;
    server_fixture_init(&f, NULL, true);
    for (int i = 0; i < ROUNDS; i++) {
        talk_open(&t, &f);
        talk_send(&t, STR("GET /pieces/67108864" H "\r\n"));
        talk_wait_bytes(&t, 1 + (size_t) i * 10000);
        talk_reset(&t);
        while (http_server_stats(f.server).connections > 0)
            server_fixture_turn(&f, 1);
    }
    assert_int_equal(f.n_released, ROUNDS);
    server_fixture_done(&f);
}

static void
server_freed_in_the_middle_releases_once(void **state)
{
    struct server_fixture f;
    struct talk t;
    (void) state;
    server_fixture_init(&f, NULL, true);
    talk_open(&t, &f);
    talk_send(&t, STR("GET /pieces/67108864" H "Accept-Encoding: gzip\r\n\r\n"));
    talk_wait_bytes(&t, 10000);
    http_server_free(f.server);
    f.server = NULL;
    assert_int_equal(f.n_released, 1);
    talk_close(&t);
    server_fixture_done(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_arrives_plain),
        cmocka_unit_test(every_size_arrives_over_tls),
        cmocka_unit_test(long_pieces_arrive_over_tls),
        cmocka_unit_test(every_size_arrives_as_gzip),
        cmocka_unit_test(every_size_arrives_as_deflate_over_tls),
        cmocka_unit_test(small_answers_are_not_encoded),
        cmocka_unit_test(nothing_acceptable_is_a_406),
        cmocka_unit_test(head_has_the_length_and_no_body),
        cmocka_unit_test(statuses_without_content_have_no_length),
        cmocka_unit_test(unavailable_says_when_to_come_back),
        cmocka_unit_test(failed_pieces_cut_the_connection),
        cmocka_unit_test(slow_reader_holds_the_pieces_back),
        cmocka_unit_test(client_gone_in_the_middle_releases_once),
        cmocka_unit_test(client_reset_in_the_middle_over_tls_releases_once),
        cmocka_unit_test(server_freed_in_the_middle_releases_once),
    };
    return cmocka_run_group_tests_name("http_replies", tests, NULL, NULL);
}
