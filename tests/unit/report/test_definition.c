/* Definitions: the built-in ones are valid, overlays replace and remove members. */
#include "../support.h"
#include "report/definition.h"

static void
definition_that_is_built_in_can_be_read(void **state)
{
    (void) state;
    for (size_t i = 0; report_built_in_name(i) != NULL; i++) {
        struct report_definition d;
        struct err err = ERR_INIT;
        struct json_doc *doc =
            json_parse(str_from(report_built_in(str_from(report_built_in_name(i)))), NULL);
        assert_non_null(doc);
        assert_int_equal(report_definition_read(json_root(doc), "", &d, &err), 0);
        assert_int_equal(d.source, i);
        report_definition_done(&d);
        json_doc_free(doc);
    }
}

static void
definition_overlay_replaces_adds_and_removes(void **state)
{
    struct json_doc *base = json_parse(STR("{\"index\":\"a\",\"title\":\"t\",\"limit\":3}"), NULL);
    struct json_doc *changes =
        json_parse(STR("{\"title\":null,\"index\":\"b\",\"sort\":[\"x:asc\"]}"), NULL);
    struct buf out = BUF_INIT;
    (void) state;
    report_definition_overlay(&out, json_root(base), json_root(changes));
    assert_buf_text(&out, "{\"limit\":3,\"index\":\"b\",\"sort\":[\"x:asc\"]}");
    json_doc_free(base);
    json_doc_free(changes);
}

static void
definition_names_have_a_shape(void **state)
{
    (void) state;
    assert_true(report_name_is_valid(STR("monthly_sales-2026.v1")));
    assert_false(report_name_is_valid(STR("")));
    assert_false(report_name_is_valid(STR(".hidden")));
    assert_false(report_name_is_valid(STR("a/b")));
    assert_false(report_name_is_valid(STR("ü")));
}

static void
definition_error_tells_where_it_is(void **state)
{
    struct report_definition d;
    struct err err = ERR_INIT;
    struct json_doc *doc = json_parse(STR("{\"fields\":[\"a\",7]}"), NULL);
    (void) state;
    assert_int_equal(report_definition_read(json_root(doc), ".parameters", &d, &err), -1);
    assert_int_equal(err.code, ERR_INVALID_REPORT_DEFINITION);
    assert_string_equal(err.path, ".parameters.fields[1]");
    err_done(&err);
    json_doc_free(doc);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definition_that_is_built_in_can_be_read),
        cmocka_unit_test(definition_overlay_replaces_adds_and_removes),
        cmocka_unit_test(definition_names_have_a_shape),
        cmocka_unit_test(definition_error_tells_where_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
