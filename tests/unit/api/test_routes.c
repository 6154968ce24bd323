/* The joined route table: complete, without doubles, and judged at the gate in the right order. */
#include "api/api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "api/body.h"

static void
every_row_is_complete(void **state)
{
    (void) state;
    size_t n;
    const struct route *const *rows = api_routes(&n);
    assert_true(n >= 25);
    for (size_t i = 0; i < n; i++) {
        assert_non_null(rows[i]->handler);
        assert_true(rows[i]->pattern[0] == '/');
        assert_true(rows[i]->summary != NULL && strlen(rows[i]->summary) > 0);
        assert_true(((rows[i]->flags & ROUTE_OPEN) != 0) == (rows[i]->action == NULL));
        enum auth_action action;
        if (rows[i]->action != NULL)
            assert_true(action_from_name(str_from(rows[i]->action), &action));
    }
}

static void
no_row_is_there_twice(void **state)
{
    (void) state;
    size_t n;
    const struct route *const *rows = api_routes(&n);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = i + 1; k < n; k++)
            assert_false(rows[i]->method == rows[k]->method &&
                         strcmp(rows[i]->pattern, rows[k]->pattern) == 0);
    }
}

static struct str authorization;

static struct str
header(const struct http_head *head, const char *name)
{
    (void) head;
    return strcmp(name, "Authorization") == 0 ? authorization : STR_NULL;
}

static enum err_code
judge(const char *master_key, enum http_method method, const char *path, uint64_t *ret_limit)
{
    struct conf conf = {.http_payload_size_limit = 123456789};
    struct api api = {.conf = &conf, .auth = auth_new(master_key)};
    struct http_head head = {
        .method = method, .path = str_from(path), .query = STR(""), .header = header};
    struct http_verdict verdict = {0};
    api_judge(&api, &head, &verdict);
    enum err_code code = verdict.err.code;
    if (ret_limit != NULL)
        *ret_limit = verdict.body_limit_bytes;
    err_done(&verdict.err);
    auth_free(api.auth);
    return code;
}

static void
the_gate_refuses_strangers_before_their_body(void **state)
{
    (void) state;
    authorization = STR_NULL;
    assert_int_equal(judge("master", HTTP_POST, "/indexes/movies/documents", NULL),
                     ERR_MISSING_AUTHORIZATION_HEADER);
    authorization = STR("Bearer wrong");
    assert_int_equal(judge("master", HTTP_GET, "/tasks", NULL), ERR_INVALID_API_KEY);
    authorization = STR("Bearer master");
    assert_int_equal(judge("master", HTTP_GET, "/tasks", NULL), ERR_NONE);
}

static void
open_and_unknown_routes_pass_the_gate(void **state)
{
    (void) state;
    authorization = STR_NULL;
    assert_int_equal(judge("master", HTTP_GET, "/health", NULL), ERR_NONE);
    assert_int_equal(judge("master", HTTP_GET, "/", NULL), ERR_NONE);
    assert_int_equal(judge("master", HTTP_GET, "/doggo", NULL), ERR_NONE);
    assert_int_equal(judge("master", HTTP_PUT, "/tasks", NULL), ERR_NONE);
}

static void
body_limits_follow_the_route(void **state)
{
    (void) state;
    uint64_t limit = 0;
    authorization = STR_NULL;
    judge(NULL, HTTP_PUT, "/indexes/movies/documents", &limit);
    assert_int_equal(limit, 123456789);
    judge(NULL, HTTP_POST, "/indexes/movies/documents/delete-batch/", &limit);
    assert_int_equal(limit, 123456789);
    judge(NULL, HTTP_POST, "/webhooks", &limit);
    assert_int_equal(limit, BODY_JSON_MAX_BYTES);
    judge(NULL, HTTP_GET, "/tasks", &limit);
    assert_int_equal(limit, BODY_IGNORED_MAX_BYTES);
}

static void
too_large(enum http_method method, const char *path, uint64_t declared, uint64_t limit,
          const char *message)
{
    struct http_head head = {.method = method, .path = str_from(path), .header = header};
    struct err err = ERR_INIT;
    api_too_large(NULL, &head, declared, limit, &err);
    assert_int_equal(err.code, ERR_PAYLOAD_TOO_LARGE);
    assert_string_equal(err.message, message);
    err_done(&err);
}

static void
too_large_bodies_are_told_in_upstreams_words(void **state)
{
    (void) state;
    too_large(HTTP_POST, "/indexes", 5000000, 4194304,
              "JSON payload (5000000 bytes) is larger than allowed (limit: 4194304 bytes).");
    too_large(HTTP_POST, "/indexes", UINT64_MAX, 4194304,
              "JSON payload has exceeded limit (4194304 bytes).");
    static const struct {
        uint64_t limit;
        const char *size;
    } sizes[] = {{100000000, "100 MB"}, {10485760, "10 MiB"}, {3, "3 B"}, {1500, "1.5 KB"}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct buf message = BUF_INIT;
        buf_addf(&message,
                 "The provided payload reached the size limit. The maximum accepted payload size "
                 "is %s.",
                 sizes[i].size);
        too_large(HTTP_PUT, "/indexes/a/documents", 1, sizes[i].limit, buf_cstr(&message));
        buf_done(&message);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_complete),
        cmocka_unit_test(no_row_is_there_twice),
        cmocka_unit_test(the_gate_refuses_strangers_before_their_body),
        cmocka_unit_test(open_and_unknown_routes_pass_the_gate),
        cmocka_unit_test(body_limits_follow_the_route),
        cmocka_unit_test(too_large_bodies_are_told_in_upstreams_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
