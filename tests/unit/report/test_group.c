/* Aggregates: sums of decimals are exact, other numbers are floats, texts have a least and a
 * greatest. */
#include "../support.h"
#include "report/reports_internal.h"

static struct report_definition
define(const char *text)
{
    struct report_definition d;
    struct err err = ERR_INIT;
    struct json_doc *doc = json_parse(str_from(text), NULL);
    assert_int_equal(report_definition_read(json_root(doc), "", &d, &err), 0);
    json_doc_free(doc);
    return d;
}

/* The object of the group that these rows are. */
static void
expect(const char *definition, const char *const *rows, size_t n, const char *expected)
{
    struct report_definition d = define(definition);
    struct grouping *g = grouping_new(&d);
    struct buf key = BUF_INIT, payload = BUF_INIT, out = BUF_INIT;
    for (size_t i = 0; i < n; i++) {
        struct json_doc *doc = json_parse(str_from(rows[i]), NULL);
        buf_clear(&payload);
        grouping_entry(g, json_root(doc), &key, &payload);
        grouping_add(g, buf_str(&payload));
        json_doc_free(doc);
    }
    grouping_take(g, &out);
    assert_false(grouping_is_open(g));
    assert_buf_text(&out, expected);
    buf_done(&key);
    buf_done(&payload);
    grouping_free(g);
    report_definition_done(&d);
}

#define SUM "{\"aggregates\":[{\"function\":\"sum\",\"field\":\"a\"}]}"

static void
group_sums_decimals_exactly(void **state)
{
    const char *rows[] = {"{\"a\":10.1}", "{\"a\":20.2}", "{\"a\":-0.000000001}", "{\"a\":\"x\"}"};
    (void) state;
    expect(SUM, rows, 2, "{\"sum_a\":30.3}");
    expect(SUM, rows, 4, "{\"sum_a\":30.299999999}");
}

static void
group_sums_floats_without_losing_small_ones(void **state)
{
    const char *rows[] = {"{\"a\":1e100}", "{\"a\":1}", "{\"a\":-1e100}"};
    (void) state;
    expect(SUM, rows, COUNT_OF(rows), "{\"sum_a\":1.0}");
}

static void
group_counts_rows_and_values(void **state)
{
    const char *rows[] = {"{\"a\":1}", "{\"a\":null}", "{}"};
    (void) state;
    expect("{\"aggregates\":[{\"function\":\"count\"},{\"function\":\"count\",\"field\":\"a\"}]}",
           rows, COUNT_OF(rows), "{\"count\":3,\"count_a\":1}");
}

static void
group_compares_numbers_before_texts(void **state)
{
    const char *rows[] = {"{\"a\":\"b\"}", "{\"a\":10}", "{\"a\":9.5}", "{\"a\":\"c\"}",
                          "{\"a\":true}"};
    (void) state;
    expect(
        "{\"aggregates\":[{\"function\":\"min\",\"field\":\"a\"},{\"function\":\"max\",\"field\":"
        "\"a\"}]}",
        rows, COUNT_OF(rows), "{\"min_a\":9.5,\"max_a\":\"c\"}");
}

static void
group_of_nothing_has_no_average(void **state)
{
    (void) state;
    expect("{\"aggregates\":[{\"function\":\"avg\",\"field\":\"a\"}]}", NULL, 0,
           "{\"avg_a\":null}");
}

static void
group_keys_tell_values_apart_that_sort_alike(void **state)
{
    const char *rows[] = {"{\"a\":\"x\"}", "{\"a\":\"X\"}", "{\"a\":1}", "{\"a\":\"1\"}", "{}",
                          "{\"a\":[]}"};
    struct report_definition d = define("{\"groupBy\":[\"a\"]}");
    struct grouping *g = grouping_new(&d);
    struct buf keys[COUNT_OF(rows)] = {0}, payload = BUF_INIT;
    (void) state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct json_doc *doc = json_parse(str_from(rows[i]), NULL);
        grouping_entry(g, json_root(doc), &keys[i], &payload);
        json_doc_free(doc);
        for (size_t k = 0; k < i; k++)
            assert_false(str_equal(buf_str(&keys[i]), buf_str(&keys[k])));
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        buf_done(&keys[i]);
    buf_done(&payload);
    grouping_free(g);
    report_definition_done(&d);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(group_sums_decimals_exactly),
        cmocka_unit_test(group_sums_floats_without_losing_small_ones),
        cmocka_unit_test(group_counts_rows_and_values),
        cmocka_unit_test(group_compares_numbers_before_texts),
        cmocka_unit_test(group_of_nothing_has_no_average),
        cmocka_unit_test(group_keys_tell_values_apart_that_sort_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
