/* Parameters of reading documents: ids, and the words for filters and sorts (contract 5.6). */
#include "api/documents_params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

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

#define ID_RULE                                                                                    \
    " is invalid. A document identifier can be of type integer or string, only composed of "       \
    "alphanumeric characters (a-z A-Z 0-9), hyphens (-) and underscores (_), and can not be more " \
    "than 511 bytes."

static void
error_is(enum err_code code, const char *message)
{
    assert_string_equal(call.err.message, message);
    assert_int_equal(call.err.code, code);
    err_done(&call.err);
}

static int
from_query(const char *query, struct document_list *ret)
{
    call.query = str_from(query);
    return document_list_from_query(&call, ret);
}

static void
ids_in_a_query_are_checked(void **state)
{
    (void) state;
    struct document_list l;
    assert_int_equal(from_query("ids=a,illegal/docid", &l), -1);
    error_is(ERR_INVALID_DOCUMENT_IDS,
             "In `.ids[1]`: Document identifier `\"illegal/docid\"`" ID_RULE);
    assert_int_equal(from_query("ids=a, 3", &l), 0);
    assert_int_equal(l.ids.n, 2);
    assert_true(str_is(l.ids.values[1], "3"));
}

static void
sorts_in_a_query_keep_points_whole(void **state)
{
    (void) state;
    static const struct {
        const char *query, *rules;
    } rows[] = {
        {"sort=_geoPoint(12, 13):asc", "_geoPoint(12,13):asc"},
        {"sort=doggo:asc,_geoPoint(12.45,13.56):desc", "doggo:asc|_geoPoint(12.45,13.56):desc"},
        {"sort=a:asc , _geoPoint(1, 2, 3):desc , b:desc", "a:asc|_geoPoint(1,2,3):desc|b:desc"},
        {"sort=a:asc,_geoPoint(1, 2), b:desc", "a:asc|_geoPoint(1,2),b:desc"},
        {"sort=\"a:asc,b:desc\"", "a:asc|b:desc"},
        {"sort=*,a:asc", "*|a:asc"},
        {"sort=", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct document_list l;
        struct buf joined = BUF_INIT;
        assert_int_equal(from_query(rows[i].query, &l), 0);
        for (size_t r = 0; r < l.sort.n; r++)
            buf_addf(&joined, "%s%.*s", r > 0 ? "|" : "", STR_ARG(l.sort.values[r]));
        assert_string_equal(buf_cstr(&joined), rows[i].rules);
        buf_done(&joined);
    }
}

static void
ids_in_a_body_are_strings_or_integers(void **state)
{
    (void) state;
    struct document_list l;
    struct json_doc *doc = json_parse(STR("{\"ids\":[\"a\",3,-4]}"), NULL);
    assert_int_equal(document_list_from_body(&call, json_root(doc), &l), 0);
    assert_int_equal(l.ids.n, 3);
    assert_true(str_is(l.ids.values[2], "-4"));
    json_doc_free(doc);
    doc = json_parse(STR("{\"ids\":[1.5]}"), NULL);
    assert_int_equal(document_list_from_body(&call, json_root(doc), &l), -1);
    error_is(ERR_INVALID_DOCUMENT_IDS, "In `.ids[0]`: Document identifier `1.5`" ID_RULE);
    json_doc_free(doc);
}

/* Whether the filter of l is one: "1", "0" for an empty one, or the message. */
static void
assert_filter(const struct document_list *l, const char *expected)
{
    struct filter *filter;
    int rc = document_list_filter(l, &filter, &call.err);
    assert_string_equal(rc == 1 ? "1" : rc == 0 ? "0" : call.err.message, expected);
    filter_free(filter);
    err_done(&call.err);
}

static void
a_filter_in_a_query_is_json_if_it_can_be(void **state)
{
    (void) state;
    struct document_list l;
    assert_int_equal(from_query("filter=a%20%3D%201", &l), 0);
    assert_filter(&l, "1");
    assert_int_equal(from_query("filter=%5B%5B%22a%3D1%22%2C%22b%3D2%22%5D%5D", &l), 0);
    assert_filter(&l, "1");
    assert_int_equal(from_query("filter=true", &l), 0);
    assert_filter(&l, "Invalid syntax for the filter parameter: `expected String, Array, found: "
                      "true`.");
    assert_int_equal(from_query("filter=%5B%22a%3D", &l), 0);
    assert_int_equal(document_list_filter(&l, &(struct filter *){NULL}, &call.err), -1);
    assert_non_null(strstr(call.err.message, "at `[\\\"a=`.\n1:5 [\"a="));
}

static void
blank_filters_filter_nothing(void **state)
{
    (void) state;
    struct document_list l;
    assert_int_equal(from_query("filter=", &l), 0);
    assert_true(document_list_filters(&l));
    assert_filter(&l, "0");
    assert_int_equal(from_query("filter=%5B%5D", &l), 0);
    assert_filter(&l, "0");
    assert_int_equal(from_query("limit=1", &l), 0);
    assert_false(document_list_filters(&l));
    assert_filter(&l, "0");
}

static void
a_filter_in_a_body_is_text_or_a_list(void **state)
{
    (void) state;
    struct document_list l;
    struct json_doc *doc = json_parse(STR("{\"filter\":true}"), NULL);
    assert_int_equal(document_list_from_body(&call, json_root(doc), &l), 0);
    assert_filter(&l, "Invalid syntax for the filter parameter: `expected String, Array, found: "
                      "true`.");
    json_doc_free(doc);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ids_in_a_query_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(sorts_in_a_query_keep_points_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(ids_in_a_body_are_strings_or_integers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_filter_in_a_query_is_json_if_it_can_be, setup, teardown),
        cmocka_unit_test_setup_teardown(blank_filters_filter_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_filter_in_a_body_is_text_or_a_list, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
