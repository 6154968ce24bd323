/* /keys without sockets: what needs a store that refuses, and limits. Shapes and messages are
 * tested end to end. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "auth/keys.h"

#define FINE "{\"actions\":[\"search\"],\"indexes\":[\"*\"],\"expiresAt\":null}"

static int
setup(void **state)
{
    struct err err = ERR_INIT;
    int rc = fixture_setup(state);
    struct fixture *f = *state;
    auth_free(f->api.auth);
    f->api.auth = auth_new("master");
    assert_int_equal(auth_open_keys(f->api.auth, f->api.turn, &err), 0);
    fixture_turn(f);
    return rc;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    auth_free(f->api.auth); /* before the store */
    f->api.auth = NULL;
    return fixture_teardown(state);
}

static struct fake_call *
send_as_master(struct fixture *f, enum http_method method, const char *target, const char *body)
{
    struct fake_call *c = fixture_call(f, method, target, body);
    fixture_header(c, "Authorization", "Bearer master");
    if (body != NULL)
        fixture_header(c, "Content-Type", "application/json");
    fixture_send(f, c);
    return c;
}

static void
the_answer_waits_for_the_commit(void **state)
{
    struct fixture *f = *state;
    struct fake_call *c = send_as_master(f, HTTP_POST, "/keys", FINE);
    assert_int_equal(c->n_replies, 0);
    assert_int_equal(auth_key_count(f->api.auth), 4);
    fixture_wait(f, c);
    assert_int_equal(auth_key_count(f->api.auth), 5);
    fixture_assert(c, 201, "\"actions\":[\"search\"],\"indexes\":[\"*\"]");
}

static void
a_refused_commit_is_answered_with_an_error_and_makes_no_key(void **state)
{
    struct fixture *f = *state;
    struct fake_call *c = send_as_master(f, HTTP_POST, "/keys", FINE);
    turn_fail(f->api.turn, STORE_EIO);
    fixture_wait(f, c);
    assert_true(c->status >= 400);
    fixture_free(c);
    assert_int_equal(auth_key_count(f->api.auth), 4);
}

static void
a_client_that_leaves_has_made_its_key(void **state)
{
    struct fixture *f = *state;
    struct fake_call *c = send_as_master(f, HTTP_POST, "/keys", FINE);
    fixture_gone(c);
    fixture_turn(f);
    fixture_free(c);
    assert_int_equal(auth_key_count(f->api.auth), 5);
}

static void
below_the_floor_keys_can_only_be_removed(void **state)
{
    struct fixture *f = *state;
    struct fake_call *c = send_as_master(
        f, HTTP_POST, "/keys",
        "{\"uid\":\"00000000-0000-0000-0000-000000000000\",\"actions\":[],\"indexes\":[],"
        "\"expiresAt\":null}");
    fixture_wait(f, c);
    fixture_assert(c, 201, "\"uid\":\"00000000-0000-0000-0000-000000000000\"");
    turn_set_floor(f->api.turn, UINT64_MAX);
    fixture_assert(send_as_master(f, HTTP_POST, "/keys", FINE), 422, "no_space_left_on_device");
    fixture_assert(
        send_as_master(f, HTTP_PATCH, "/keys/00000000-0000-0000-0000-000000000000", "{}"), 422,
        "no_space_left_on_device");
    c = send_as_master(f, HTTP_DELETE, "/keys/00000000-0000-0000-0000-000000000000", NULL);
    fixture_wait(f, c);
    fixture_assert(c, 204, "");
}

static void
a_key_names_ten_thousand_indexes_and_no_more(void **state)
{
    struct fixture *f = *state;
    struct buf body = BUF_INIT;
    buf_add_cstr(&body, "{\"actions\":[],\"expiresAt\":null,\"indexes\":[\"a\"");
    for (int i = 1; i < 10000; i++)
        buf_add_cstr(&body, ",\"a\"");
    size_t len = body.len;
    buf_add_cstr(&body, "]}");
    struct fake_call *c = send_as_master(f, HTTP_POST, "/keys", buf_cstr(&body));
    fixture_wait(f, c);
    fixture_assert(c, 201, "\"indexes\":[\"a\",\"a\"");
    body.len = len;
    buf_add_cstr(&body, ",\"a\"]}");
    fixture_assert(send_as_master(f, HTTP_POST, "/keys", buf_cstr(&body)), 400,
                   "invalid_api_key_indexes");
    buf_done(&body);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_answer_waits_for_the_commit),
        TEST(a_refused_commit_is_answered_with_an_error_and_makes_no_key),
        TEST(a_client_that_leaves_has_made_its_key),
        TEST(below_the_floor_keys_can_only_be_removed),
        TEST(a_key_names_ten_thousand_indexes_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
