/* Conditions of lists, as Mixpeek's clients write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/organization_filter.h"

static const char object[] = "{\"id\":\"7\",\"n\":7,\"name\":\"Ada\",\"none\":null,\"flag\":true,"
                             "\"list\":[\"a\",\"b\"],\"deep\":{\"at\":\"2026-01-02\",\"x\":1.5}}";

/* 1 met, 0 not, -1 refused. */
static int
meets(const char *filter)
{
    struct err err = ERR_INIT;
    struct json_doc *f = json_parse(str_from(filter), NULL);
    struct json_doc *o = json_parse(str_from(object), NULL);
    assert_non_null(f);
    assert_non_null(o);
    int rc = organization_filter_check(json_root(f), ".filters", &err);
    if (rc == 0)
        rc = organization_filter_meets(json_root(f), json_root(o));
    else
        assert_string_equal(err.path, ".filters");
    json_doc_free(f);
    json_doc_free(o);
    err_done(&err);
    return rc;
}

static void
assert_all(const char *const *filters, size_t n, int expected)
{
    for (size_t i = 0; i < n; i++) {
        if (meets(filters[i]) != expected)
            fail_msg("%s is not %d", filters[i], expected);
    }
}
#define ASSERT_ALL(array, expected)                                                                \
    assert_all((array), sizeof(array) / sizeof((array)[0]), (expected))
#define IS(field, op, value) "{\"field\":\"" field "\",\"operator\":\"" op "\",\"value\":" value "}"

static void
conditions_that_are_met(void **state)
{
    static const char *const filters[] = {
        "{}",
        "{\"id\":7}",
        "{\"name\":\"ada\"}",
        "{\"deep.at\":\"2026-01-02\",\"flag\":true}",
        "{\"none\":null,\"missing\":null}",
        "{\"field\":\"n\",\"value\":\"7\"}",
        "{\"field\":\"n\",\"operator\":null,\"value\":7}",
        IS("n", "ne", "8"),
        IS("n", "gt", "6.5"),
        IS("n", "gte", "7"),
        IS("n", "lt", "70"),
        IS("n", "lte", "7"),
        IS("deep.at", "gt", "\"2026-01-01\""),
        IS("id", "in", "[1,\"7\"]"),
        IS("id", "nin", "[1,2]"),
        IS("missing", "nin", "[1]"),
        IS("missing", "ne", "1"),
        IS("name", "contains", "\"D\""),
        IS("name", "text", "\"da\""),
        IS("list", "contains", "\"b\""),
        IS("name", "starts_with", "\"ad\""),
        IS("name", "ends_with", "\"A\""),
        IS("flag", "exists", "true"),
        IS("none", "exists", "false"),
        IS("none", "is_null", "true"),
        IS("name", "is_null", "false"),
        "{\"AND\":[{\"n\":7},{\"name\":\"Ada\"}],\"OR\":[{\"n\":8},{\"n\":7}],\"NOT\":[{\"n\":8}]}",
        "{\"OR\":[{\"AND\":[{\"n\":8}]},{\"NOT\":[{\"n\":9}]}]}",
        "{\"AND\":[],\"OR\":null}",
        "{\"case_sensitive\":true,\"name\":\"Ada\"}",
    };
    (void) state;
    ASSERT_ALL(filters, 1);
}

static void
conditions_that_are_not_met(void **state)
{
    static const char *const filters[] = {
        "{\"id\":8}",
        "{\"missing\":1}",
        "{\"case_sensitive\":true,\"name\":\"ada\"}",
        "{\"case_sensitive\":true,\"AND\":[" IS("name", "starts_with", "\"a\"") "]}",
        IS("n", "ne", "7"),
        IS("n", "gt", "7"),
        IS("missing", "gt", "1"),
        IS("n", "lt", "7"),
        IS("id", "in", "[]"),
        IS("id", "nin", "[7]"),
        IS("name", "contains", "\"x\""),
        IS("name", "starts_with", "\"Adam\""),
        IS("flag", "exists", "false"),
        IS("name", "is_null", "true"),
        IS("deep", "eq", "1"),
        IS("name.x", "eq", "1"),
        "{\"AND\":[{\"n\":7},{\"n\":8}]}",
        "{\"OR\":[{\"n\":8}]}",
        "{\"NOT\":[{\"n\":8},{\"n\":7}]}",
        IS("name", "lte", "\"Ad\""),
        IS("n", "gte", "\"nan\""), /* no number */
        IS("deep", "lt", "5"),
        IS("name", "gt", "[]"),
        IS("name", "contains", "{}"),
        IS("name", "starts_with", "[]"),
    };
    (void) state;
    ASSERT_ALL(filters, 0);
}

static void
what_is_no_condition_is_refused(void **state)
{
    static const char *const filters[] = {
        "[]",
        "7",
        "{\"AND\":7}",
        "{\"AND\":[7]}",
        IS("n", "like", "7"),
        IS("n", "regex", "\".*\""),
        "{\"NOT\":[{\"OR\":[" IS("n", "", "7") "]}]}",
    };
    (void) state;
    ASSERT_ALL(filters, -1);
}

static int
meets_list_of(int n)
{
    struct buf text = BUF_INIT;
    buf_add_cstr(&text, "{\"field\":\"n\",\"operator\":\"in\",\"value\":[7");
    for (int i = 1; i < n; i++)
        buf_add_cstr(&text, ",8");
    buf_add_cstr(&text, "]}");
    int rc = meets(buf_cstr(&text));
    buf_done(&text);
    return rc;
}

static int
meets_text_of(int n)
{
    struct buf text = BUF_INIT;
    buf_addf(&text, "{\"name\":\"%0*d\"}", n, 0);
    int rc = meets(buf_cstr(&text));
    buf_done(&text);
    return rc;
}

static void
what_is_compared_with_has_limits(void **state)
{
    (void) state;
    assert_int_equal(meets_list_of(1000), 1);
    assert_int_equal(meets_list_of(1001), -1);
    assert_int_equal(meets_text_of(1024), 0);
    assert_int_equal(meets_text_of(1025), -1);
}

static void
a_text_is_found_in_another(void **state)
{
    (void) state;
    assert_true(organization_text_has(STR("Ada Lovelace"), STR("a lOVE")));
    assert_true(organization_text_has(STR("Ada"), STR("")));
    assert_true(organization_text_has(STR(""), STR("")));
    assert_false(organization_text_has(STR("Ada"), STR("Adam")));
    assert_false(organization_text_has(STR("[a]"), STR("{a}")));
    assert_true(organization_text_has(str_make("a\0B", 3), str_make("\0b", 2)));
}

static void
nesting_and_number_have_limits(void **state)
{
    struct buf deep = BUF_INIT, many = BUF_INIT;
    (void) state;
    for (int levels = 8; levels <= 9; levels++) {
        buf_clear(&deep);
        for (int i = 1; i < levels; i++)
            buf_add_cstr(&deep, "{\"AND\":[");
        buf_add_cstr(&deep, "{\"n\":7}");
        for (int i = 1; i < levels; i++)
            buf_add_cstr(&deep, "]}");
        assert_int_equal(meets(buf_cstr(&deep)), levels == 8 ? 1 : -1);
    }
    for (int n = 99; n <= 100; n++) { /* and the one around them */
        buf_clear(&many);
        for (int i = 0; i < n; i++)
            buf_addf(&many, "%s{\"n\":7}", i == 0 ? "{\"AND\":[" : ",");
        buf_add_cstr(&many, "]}");
        assert_int_equal(meets(buf_cstr(&many)), n == 99 ? 1 : -1);
    }
    buf_clear(&many);
    for (int n = 0; n < 101; n++)
        buf_addf(&many, "%s\"a%d\":7", n == 0 ? "{" : ",", n);
    buf_add_cstr(&many, "}");
    assert_int_equal(meets(buf_cstr(&many)), -1);
    buf_done(&deep);
    buf_done(&many);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_that_are_met),
        cmocka_unit_test(conditions_that_are_not_met),
        cmocka_unit_test(what_is_no_condition_is_refused),
        cmocka_unit_test(nesting_and_number_have_limits),
        cmocka_unit_test(what_is_compared_with_has_limits),
        cmocka_unit_test(a_text_is_found_in_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
