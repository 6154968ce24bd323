/* Every form of message of contract 1.7, and what the readers give. */
#include "api/params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct values {
    struct param_u64 limit, from;
    bool reverse;
    int format;
    struct param_u32s uids;
    struct param_strs fields;
    struct str name;
};

static const char *const formats[] = {"raw", "human", NULL};

static const struct param rows[] = {
    {.name = "limit",
     .code = ERR_INVALID_TASK_LIMIT,
     .read = param_u32,
     .offset = offsetof(struct values, limit)},
    {.name = "from",
     .code = ERR_INVALID_TASK_FROM,
     .read = param_u64,
     .offset = offsetof(struct values, from)},
    {.name = "reverse",
     .code = ERR_INVALID_TASK_REVERSE,
     .read = param_bool,
     .offset = offsetof(struct values, reverse)},
    {.name = "sizeFormat",
     .code = ERR_INVALID_STATS_SIZE_FORMAT,
     .read = param_choice,
     .offset = offsetof(struct values, format),
     .choices = formats},
    {.name = "uids",
     .code = ERR_INVALID_TASK_UIDS,
     .read = param_u32s,
     .offset = offsetof(struct values, uids)},
    {.name = "fields",
     .code = ERR_INVALID_DOCUMENT_FIELDS,
     .read = param_strings,
     .offset = offsetof(struct values, fields)},
    {.name = "primaryKey",
     .code = ERR_INVALID_INDEX_PRIMARY_KEY,
     .read = param_string,
     .offset = offsetof(struct values, name)},
};

static struct http_call call;

static int
setup(void **state)
{
    (void) state;
    call = (struct http_call){.arena = arena_new()};
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    err_done(&call.err);
    arena_free(call.arena);
    return 0;
}

static int
read_query(const char *query, struct values *ret)
{
    *ret = (struct values){0};
    call.query = str_from(query);
    return PARAMS_READ(&call, rows, ret);
}

static void
fails(const char *query, enum err_code code, const char *message)
{
    struct values v;
    assert_int_equal(read_query(query, &v), -1);
    assert_string_equal(call.err.message, message);
    assert_int_equal(call.err.code, code);
    err_done(&call.err);
}

#define NAMES "`limit`, `from`, `reverse`, `sizeFormat`, `uids`, `fields`, `primaryKey`"

static void
unknown_names_are_refused(void **state)
{
    (void) state;
    fails("doggo=1", ERR_BAD_REQUEST, "Unknown parameter `doggo`: expected one of " NAMES);
    fails("limti=1", ERR_BAD_REQUEST,
          "Unknown parameter `limti`: did you mean `limit`? expected one of " NAMES);
}

static void
bad_numbers_are_refused(void **state)
{
    (void) state;
    static const char *const bad[] = {"-1", "", "1.0", "doggo", "4294967296"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct values v;
        char query[64], message[128];
        snprintf(query, sizeof(query), "limit=%s", bad[i]);
        snprintf(message, sizeof(message),
                 "Invalid value in parameter `limit`: could not parse `%s` as a positive integer",
                 bad[i]);
        assert_int_equal(read_query(query, &v), -1);
        assert_string_equal(call.err.message, message);
        assert_int_equal(call.err.code, ERR_INVALID_TASK_LIMIT);
        err_done(&call.err);
    }
}

static void
booleans_are_lower_case_words(void **state)
{
    (void) state;
    static const char *const bad[] = {"yes", "True", "1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char query[64], message[160];
        snprintf(query, sizeof(query), "reverse=%s", bad[i]);
        snprintf(message, sizeof(message),
                 "Invalid value in parameter `reverse`: could not parse `%s` as a boolean, "
                 "expected either `true` or `false`",
                 bad[i]);
        fails(query, ERR_INVALID_TASK_REVERSE, message);
    }
}

static void
unknown_choices_are_refused(void **state)
{
    (void) state;
    fails("sizeFormat=humen", ERR_INVALID_STATS_SIZE_FORMAT,
          "Unknown value `humen` for parameter `sizeFormat`: did you mean `human`? expected one "
          "of `raw`, `human`");
    fails("sizeFormat=x", ERR_INVALID_STATS_SIZE_FORMAT,
          "Unknown value `x` for parameter `sizeFormat`: expected one of `raw`, `human`");
}

static void
only_lists_of_several_name_the_element(void **state)
{
    (void) state;
    fails("uids=cat", ERR_INVALID_TASK_UIDS,
          "Invalid value in parameter `uids`: could not parse `cat` as a positive integer");
    fails("uids=1,cat", ERR_INVALID_TASK_UIDS,
          "Invalid value in parameter `uids[1]`: could not parse `cat` as a positive integer");
    fails("uids=*,cat", ERR_INVALID_TASK_UIDS,
          "Invalid value in parameter `uids[1]`: could not parse `cat` as a positive integer");
    fails("uids=1,,2", ERR_INVALID_TASK_UIDS,
          "Invalid value in parameter `uids[1]`: could not parse `` as a positive integer");
}

static void
the_first_error_counts(void **state)
{
    (void) state;
    fails("uids=x&doggo=1", ERR_INVALID_TASK_UIDS,
          "Invalid value in parameter `uids`: could not parse `x` as a positive integer");
    fails("doggo=1&uids=x", ERR_BAD_REQUEST, "Unknown parameter `doggo`: expected one of " NAMES);
}

static void
the_last_of_equal_names_counts(void **state)
{
    (void) state;
    struct values v;
    assert_int_equal(read_query("limit=x&limit=3", &v), 0);
    assert_int_equal(v.limit.value, 3);
}

static void
values_are_decoded(void **state)
{
    (void) state;
    struct values v;
    assert_int_equal(read_query("uids=3%2C5,*&primaryKey=a+b%20c&reverse=true&from=%2B7", &v), 0);
    assert_int_equal(v.uids.n, 2);
    assert_int_equal(v.uids.values[1], 5);
    assert_true(v.uids.has_star);
    assert_true(str_is(v.name, "a b c"));
    assert_true(v.reverse);
}

static void
an_empty_string_is_a_value(void **state)
{
    (void) state;
    struct values v;
    assert_int_equal(read_query("primaryKey=", &v), 0);
    assert_non_null(v.name.data);
    assert_int_equal(read_query("", &v), 0);
    assert_null(v.name.data);
    assert_false(v.limit.is_given);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unknown_names_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_numbers_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(booleans_are_lower_case_words, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_choices_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(only_lists_of_several_name_the_element, setup, teardown),
        cmocka_unit_test_setup_teardown(the_first_error_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_of_equal_names_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(values_are_decoded, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_string_is_a_value, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
