/* The decision table of contract 1.4, for a master key and for none. */
#include "auth/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define HEADER_MISSING                                                                             \
    "The Authorization header is missing. It must use the bearer authorization method."
#define KEY_INVALID "The provided API key is invalid."

struct decision {
    const char *master_key, *authorization, *action;
    enum err_code code; /* ERR_NONE: granted */
    const char *message;
};

static void
check(const struct decision *d)
{
    struct auth *a = auth_new(d->master_key);
    struct auth_grant grant = {0};
    struct err err = ERR_INIT;
    struct arena *arena = arena_new();
    struct auth_request request = {
        .authorization = str_from(d->authorization), .action = d->action, .arena = arena};
    int rc = auth_decide(a, &request, &grant, &err);
    assert_int_equal(err.code, d->code);
    assert_int_equal(rc, d->code == ERR_NONE ? 0 : -1);
    if (d->message != NULL)
        assert_string_equal(err.message, d->message);
    err_done(&err);
    arena_free(arena);
    auth_free(a);
}

static void
open_routes_need_nothing(void **state)
{
    (void) state;
    check(&(struct decision){"master", NULL, NULL, ERR_NONE, NULL});
    check(&(struct decision){"master", "Basic x", NULL, ERR_NONE, NULL});
}

static void
the_master_key_grants_every_action(void **state)
{
    (void) state;
    check(&(struct decision){"master", "Bearer master", "tasks.get", ERR_NONE, NULL});
    check(&(struct decision){"a key with spaces", "Bearer a key with spaces", "documents.add",
                             ERR_NONE, NULL});
}

static void
a_missing_header_is_401(void **state)
{
    (void) state;
    check(&(struct decision){"master", NULL, "tasks.get", ERR_MISSING_AUTHORIZATION_HEADER,
                             HEADER_MISSING});
}

static void
another_scheme_is_401_even_without_a_master_key(void **state)
{
    (void) state;
    static const char *const headers[] = {"Basic bWFzdGVy", "bearer master", "master", ""};
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        check(&(struct decision){"master", headers[i], "tasks.get",
                                 ERR_MISSING_AUTHORIZATION_HEADER, HEADER_MISSING});
        check(&(struct decision){NULL, headers[i], "tasks.get", ERR_MISSING_AUTHORIZATION_HEADER,
                                 HEADER_MISSING});
    }
}

static void
bearer_without_a_token_is_403(void **state)
{
    (void) state;
    check(&(struct decision){"master", "Bearer", "tasks.get", ERR_INVALID_API_KEY, KEY_INVALID});
    check(&(struct decision){NULL, "Bearer", "tasks.get", ERR_INVALID_API_KEY, KEY_INVALID});
}

static void
a_wrong_token_is_403(void **state)
{
    (void) state;
    static const char *const headers[] = {"Bearer wrong", "Bearer maste", "Bearer masterx",
                                          "Bearer  master", "Bearer "};
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        check(&(struct decision){"master", headers[i], "tasks.get", ERR_INVALID_API_KEY,
                                 KEY_INVALID});
}

static void
without_a_master_key_everything_but_keys_is_open(void **state)
{
    (void) state;
    check(&(struct decision){NULL, NULL, "tasks.get", ERR_NONE, NULL});
    check(&(struct decision){"", NULL, "tasks.get", ERR_NONE, NULL});
    check(&(struct decision){NULL, "Bearer anything", "documents.add", ERR_NONE, NULL});
    check(&(struct decision){NULL, NULL, "keys.get", ERR_MISSING_MASTER_KEY,
                             "Meilisearch is running without a master key. To access this API "
                             "endpoint, you must have set a master key at launch."});
}

static void
the_master_key_may_do_everything_and_is_named_by_its_scope(void **state)
{
    (void) state;
    struct auth *a = auth_new("one"), *b = auth_new("two");
    struct auth_grant of_a = {0}, of_b = {0};
    struct err err = ERR_INIT;
    struct auth_request request = {.authorization = STR("Bearer one"), .action = "tasks.get"};
    assert_int_equal(auth_decide(a, &request, &of_a, &err), 0);
    request.authorization = STR("Bearer two");
    assert_int_equal(auth_decide(b, &request, &of_b, &err), 0);
    assert_true(of_a.may_create_indexes);
    assert_true(of_a.sees_all_indexes);
    assert_true(auth_grant_sees(&of_a, STR("any")));
    assert_memory_not_equal(of_a.scope, of_b.scope, sizeof(of_a.scope));
    auth_free(a);
    auth_free(b);
}

static void
a_zeroed_grant_sees_nothing(void **state)
{
    (void) state;
    struct auth_grant grant = {0};
    assert_false(auth_grant_sees(&grant, STR("any")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_routes_need_nothing),
        cmocka_unit_test(the_master_key_grants_every_action),
        cmocka_unit_test(a_missing_header_is_401),
        cmocka_unit_test(another_scheme_is_401_even_without_a_master_key),
        cmocka_unit_test(bearer_without_a_token_is_403),
        cmocka_unit_test(a_wrong_token_is_403),
        cmocka_unit_test(without_a_master_key_everything_but_keys_is_open),
        cmocka_unit_test(the_master_key_may_do_everything_and_is_named_by_its_scope),
        cmocka_unit_test(a_zeroed_grant_sees_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
