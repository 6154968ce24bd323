/* The error catalogue and the error object (contract 1.2). */
#include <stdlib.h>

#include "../support.h"
#include "base/err.h"

static void
err_catalogue_has_a_row_for_every_code(void **state)
{
    (void) state;
    for (int code = ERR_NONE + 1; code < ERR_COUNT; code++) {
        assert_non_null(err_name((enum err_code) code));
        int status = err_http_status((enum err_code) code);
        assert_true(status >= 400 && status < 600);
        assert_non_null(err_type_name((enum err_code) code));
    }
}

static void
err_names_are_unique_and_found_again(void **state)
{
    (void) state;
    for (int code = ERR_NONE + 1; code < ERR_COUNT; code++)
        assert_int_equal(err_from_name(str_from(err_name((enum err_code) code))), code);
}

static void
err_from_name_gives_internal_for_unknown_names(void **state)
{
    (void) state;
    assert_int_equal(err_from_name(STR("no_such_error")), ERR_INTERNAL);
    assert_int_equal(err_from_name(STR_NULL), ERR_INTERNAL);
}

static void
err_type_names_are_upstreams(void **state)
{
    (void) state;
    assert_string_equal(err_type_name(ERR_INDEX_NOT_FOUND), "invalid_request");
    assert_string_equal(err_type_name(ERR_INTERNAL), "internal");
    assert_string_equal(err_type_name(ERR_INVALID_API_KEY), "auth");
    assert_string_equal(err_type_name(ERR_NO_SPACE_LEFT_ON_DEVICE), "system");
}

static void
err_write_json_gives_four_keys_and_escapes(void **state)
{
    (void) state;
    struct buf out = BUF_INIT;
    err_write_json(&out, ERR_INDEX_NOT_FOUND, STR("Index `a\"\\\b\f\n\x01` not found."));
    assert_buf_text(&out, "{\"message\":\"Index `a\\\"\\\\\\b\\f\\n\\u0001` not found.\","
                          "\"code\":\"index_not_found\",\"type\":\"invalid_request\","
                          "\"link\":\"https://docs.meilisearch.com/errors#index_not_found\"}");
}

static void
err_set_replaces_and_may_use_the_old_message(void **state)
{
    (void) state;
    struct err e = ERR_INIT;
    assert_int_equal(err_set(&e, ERR_BAD_REQUEST, "first"), -1);
    assert_int_equal(err_set(&e, ERR_INTERNAL, "%s, second", e.message), -1);
    assert_int_equal(e.code, ERR_INTERNAL);
    assert_string_equal(e.message, "first, second");
    err_done(&e);
    assert_false(err_is_set(&e));
}

static void
err_move_and_copy_keep_one_owner(void **state)
{
    (void) state;
    struct err a = ERR_INIT, b = ERR_INIT, c = ERR_INIT;
    (void) err_set_str(&a, ERR_BAD_REQUEST, STR("text"));
    (void) err_set_str(&b, ERR_INTERNAL, STR("old"));
    err_move(&b, &a);
    assert_false(err_is_set(&a));
    assert_string_equal(b.message, "text");
    err_copy(&c, &b);
    assert_string_equal(c.message, "text");
    assert_ptr_not_equal(c.message, b.message);
    err_move(&b, &b);
    assert_string_equal(b.message, "text");
    err_done(&b);
    err_done(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(err_catalogue_has_a_row_for_every_code),
        cmocka_unit_test(err_names_are_unique_and_found_again),
        cmocka_unit_test(err_from_name_gives_internal_for_unknown_names),
        cmocka_unit_test(err_type_names_are_upstreams),
        cmocka_unit_test(err_write_json_gives_four_keys_and_escapes),
        cmocka_unit_test(err_set_replaces_and_may_use_the_old_message),
        cmocka_unit_test(err_move_and_copy_keep_one_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
