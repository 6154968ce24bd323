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

static void
check_filter(const char *filter, const char *message)
{
    struct document_list l = {.filter = str_from(filter)};
    int rc = document_list_check_filter(&l, &call.err);
    if (message == NULL)
        assert_int_equal(rc, 0);
    else
        error_is(ERR_INVALID_DOCUMENT_FILTER, message);
}

#define NOT_FILTERABLE                                                                             \
    " is not filterable. This index does not have configured filterable attributes."

static void
no_attribute_is_filterable(void **state)
{
    (void) state;
    check_filter("doggo = bernese", "Attribute `doggo`" NOT_FILTERABLE "\n1:6 doggo = bernese");
    check_filter(" 'my dog' = 1", "Attribute `my dog`" NOT_FILTERABLE "\n3:9  'my dog' = 1");
    check_filter("[[\"a.b > 3\"]]", "Attribute `a.b`" NOT_FILTERABLE "\n1:4 a.b > 3");
}

static void
blank_filters_filter_nothing(void **state)
{
    (void) state;
    check_filter("", NULL);
    check_filter("  ", NULL);
    check_filter("[]", NULL);
}

static void
a_filter_needs_an_operation(void **state)
{
    (void) state;
    check_filter("hello",
                 "Was expecting an operation `=`, `!=`, `>=`, `>`, `<=`, `<`, `IN`, `NOT IN`, "
                 "`TO`, `EXISTS`, `NOT EXISTS`, `IS NULL`, `IS NOT NULL`, `IS EMPTY`, `IS NOT "
                 "EMPTY`, `CONTAINS`, `NOT CONTAINS`, `STARTS WITH`, `NOT STARTS WITH`, "
                 "`_geoRadius`, `_geoBoundingBox` or `_geoPolygon` at `hello`.\n1:6 hello");
}

static void
a_filter_in_a_body_is_text_or_a_list(void **state)
{
    (void) state;
    struct document_list l;
    struct json_doc *doc = json_parse(STR("{\"filter\":true}"), NULL);
    assert_int_equal(document_list_from_body(&call, json_root(doc), &l), 0);
    assert_int_equal(document_list_check_filter(&l, &call.err), -1);
    error_is(ERR_INVALID_DOCUMENT_FILTER,
             "Invalid syntax for the filter parameter: `expected String, Array, found: true`.");
    json_doc_free(doc);
}

static void
no_attribute_is_sortable(void **state)
{
    (void) state;
    struct document_list l;
    assert_int_equal(from_query("sort=name:asc,x:desc", &l), 0);
    assert_int_equal(document_list_check_sort(&l, &call.err), -1);
    error_is(ERR_INVALID_DOCUMENT_SORT, "Attribute `name` is not sortable. This index does not "
                                        "have configured sortable attributes.");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ids_in_a_query_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(ids_in_a_body_are_strings_or_integers, setup, teardown),
        cmocka_unit_test_setup_teardown(no_attribute_is_filterable, setup, teardown),
        cmocka_unit_test_setup_teardown(blank_filters_filter_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_filter_needs_an_operation, setup, teardown),
        cmocka_unit_test_setup_teardown(a_filter_in_a_body_is_text_or_a_list, setup, teardown),
        cmocka_unit_test_setup_teardown(no_attribute_is_sortable, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
