/* Cutting documents down to wanted fields (contract 5.6). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "index/index.h"

static void
assert_selected(const char *json, const char *wanted, const char *expected)
{
    struct str list = str_from(wanted), fields[8];
    struct buf out = BUF_INIT;
    size_t n = 0;

    while (str_split(&list, ',', &fields[n]))
        n++;
    document_write_fields(&out, str_from(json), fields, n);
    assert_string_equal(buf_cstr(&out), expected);
    buf_done(&out);
}

static void
select_without_fields_gives_the_document_as_it_is(void **state)
{
    struct buf out = BUF_INIT;

    (void) state;
    document_write_fields(&out, STR("{\"b\":1.10,\"a\":2}"), NULL, 0);
    assert_string_equal(buf_cstr(&out), "{\"b\":1.10,\"a\":2}");
    buf_done(&out);
}

static void
select_keeps_document_order_and_numbers(void **state)
{
    (void) state;
    assert_selected("{\"c\":1.10,\"b\":2,\"a\":3}", "a,c", "{\"c\":1.10,\"a\":3}");
}

static void
select_ignores_unknown_names(void **state)
{
    (void) state;
    assert_selected("{\"a\":1}", "x,y.z", "{}");
    assert_selected("{\"a\":1}", "a.b", "{}");
}

static void
select_goes_into_objects(void **state)
{
    (void) state;
    assert_selected("{\"a\":{\"b\":1,\"c\":2},\"d\":3}", "a.b", "{\"a\":{\"b\":1}}");
    assert_selected("{\"a\":{\"c\":2},\"d\":3}", "a.b,d", "{\"a\":{},\"d\":3}");
    assert_selected("{\"a\":{\"b\":{\"c\":1}}}", "a.b.c", "{\"a\":{\"b\":{\"c\":1}}}");
}

static void
select_goes_through_arrays_and_drops_what_has_nothing(void **state)
{
    (void) state;
    assert_selected("{\"a\":[{\"b\":1,\"c\":2},{\"c\":3},4,{\"b\":[]}]}", "a.b",
                    "{\"a\":[{\"b\":1},{\"b\":[]}]}");
    assert_selected("{\"a\":[{\"c\":1}],\"z\":1}", "a.b,z", "{\"a\":[],\"z\":1}");
    assert_selected("{\"a\":[[{\"b\":{}}],[{\"c\":1}]]}", "a.b", "{\"a\":[[{\"b\":{}}],[]]}");
}

static void
select_matches_literal_dotted_names(void **state)
{
    (void) state;
    assert_selected("{\"a.b\":1,\"a\":{\"b\":2,\"c\":3}}", "a.b", "{\"a.b\":1,\"a\":{\"b\":2}}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(select_without_fields_gives_the_document_as_it_is),
        cmocka_unit_test(select_keeps_document_order_and_numbers),
        cmocka_unit_test(select_ignores_unknown_names),
        cmocka_unit_test(select_goes_into_objects),
        cmocka_unit_test(select_goes_through_arrays_and_drops_what_has_nothing),
        cmocka_unit_test(select_matches_literal_dotted_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
