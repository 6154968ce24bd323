/* Sort rules, the order they make, and the heap of the first entries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "index/sort.h"

enum { RULES_MAX = 4 };

static struct sort *
parse(const char *rules, struct err *err)
{
    struct str rest = str_from(rules), list[RULES_MAX];
    size_t n = 0;

    while (str_split(&rest, ';', &list[n]))
        n++;
    return sort_parse(list, n, err);
}

static void
assert_refused(const char *rule, const char *message)
{
    struct err err = ERR_INIT;
    struct sort *s = parse(rule, &err);

    if (s != NULL && sort_check(s, STR("[\"b\",\"a\"]"), &err) == 0)
        fail_msg("%s is accepted", rule);
    assert_int_equal(err.code, ERR_INVALID_DOCUMENT_SORT);
    assert_string_equal(err.message, message);
    err_done(&err);
    sort_free(s);
}

#define POINT                                                                                      \
    " is a reserved keyword and thus can't be used as a sort expression. Use the "                 \
    "_geoPoint(latitude, longitude) built-in rule to sort on _geo field coordinates."

static void
sort_refuses_what_is_no_rule(void **state)
{
    (void) state;
    assert_refused("name", "Invalid syntax for the sort parameter: expected expression ending by "
                           "`:asc` or `:desc`, found `name`.");
    assert_refused("_geo:asc", "`_geo`" POINT);
    assert_refused("_geoRadius(1,2,3):asc", "`_geoRadius`" POINT);
    assert_refused("_geoDistance:asc", "`_geoDistance` is a reserved keyword and thus can't be "
                                       "used as a sort expression.");
    assert_refused("_geoPoint(1:asc",
                   "Invalid syntax for the geo parameter: expected expression formated like "
                   "`_geoPoint(latitude, longitude)` and ending by `:asc` or `:desc`, found "
                   "`_geoPoint(1`.");
    assert_refused("_geoPoint(95, 12):asc",
                   "Bad latitude `95`. Latitude must be contained between -90 and 90 degrees.");
    assert_refused("x:asc", "Attribute `x` is not sortable. Available sortable attributes are: "
                            "`b, a`.");
    assert_refused("_geoPoint(5, 12):asc", "Attribute `_geo` is not sortable. Available sortable "
                                           "attributes are: `b, a`.");
}

static void
sort_says_when_nothing_is_sortable(void **state)
{
    struct err err = ERR_INIT;
    struct sort *s = parse("name:asc", &err);

    (void) state;
    assert_int_equal(sort_check(s, STR("[]"), &err), -1);
    assert_string_equal(err.message, "Attribute `name` is not sortable. This index does not have "
                                     "configured sortable attributes.");
    err_done(&err);
    sort_free(s);
}

static void
sort_allows_what_is_nested_below(void **state)
{
    struct err err = ERR_INIT;
    struct sort *s = parse("a.b:asc;_geoPoint(1,2):desc", &err);

    (void) state;
    assert_int_equal(sort_check(s, STR("[\"_geo\",\"a\"]"), &err), 0);
    sort_free(s);
}

static void
key_of(const struct sort *s, const char *document, struct buf *ret)
{
    struct json_doc *doc = json_parse(str_from(document), NULL);

    sort_key(s, json_root(doc), ret);
    json_doc_free(doc);
}

/* The documents are in order: each key is above the one before it. */
static void
assert_order(const char *rules, const char *const *documents)
{
    struct err err = ERR_INIT;
    struct sort *s = parse(rules, &err);
    struct buf before = BUF_INIT;

    assert_non_null(s);
    for (size_t i = 0; documents[i] != NULL; i++) {
        struct buf key = BUF_INIT;
        key_of(s, documents[i], &key);
        if (i > 0 && str_compare(buf_str(&before), buf_str(&key)) >= 0)
            fail_msg("%s: %s does not come behind %s", rules, documents[i], documents[i - 1]);
        buf_done(&before);
        before = key;
    }
    buf_done(&before);
    sort_free(s);
}
#define ASSERT_ORDER(rules, ...) assert_order((rules), (const char *const[]){__VA_ARGS__, NULL})

static void
sort_puts_numbers_before_strings_before_nothing(void **state)
{
    (void) state;
    ASSERT_ORDER("a:asc", "{\"a\":-1e300}", "{\"a\":-2}", "{\"a\":-1.5}", "{\"a\":0}", "{\"a\":7}",
                 "{\"a\":10}", "{\"a\":1e300}", "{\"a\":\"10\"}", "{\"a\":\"A\"}", "{\"a\":\"ab\"}",
                 "{\"a\":\"B\"}", "{\"a\":true}", "{\"b\":1}");
    ASSERT_ORDER("a:desc", "{\"a\":10}", "{\"a\":7}", "{\"a\":-1}", "{\"a\":\"b\"}",
                 "{\"a\":\"ab\"}", "{\"a\":\"a\"}", "{\"a\":null}");
}

static void
sort_takes_the_value_that_comes_first(void **state)
{
    (void) state;
    ASSERT_ORDER("a:asc", "{\"a\":[9,1]}", "{\"a\":2}", "{\"a\":[\"a\",3]}",
                 "{\"a\":[\"z\",\"b\"]}", "{\"a\":\"c\"}");
    ASSERT_ORDER("a:desc", "{\"a\":[9,1]}", "{\"a\":2}", "{\"a\":[\"a\",\"z\"]}", "{\"a\":\"c\"}");
    ASSERT_ORDER("a.b:asc", "{\"a\":[{\"b\":3},{\"b\":1}]}", "{\"a.b\":2}", "{\"a\":{\"b\":4}}");
}

static void
sort_goes_on_to_the_next_rule(void **state)
{
    (void) state;
    ASSERT_ORDER("a:asc;b:desc", "{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":9}",
                 "{\"a\":\"x\",\"b\":3}", "{\"a\":\"x\"}", "{\"a\":\"xy\",\"b\":9}", "{\"b\":1}",
                 "{}");
}

static void
sort_measures_distances(void **state)
{
    (void) state;
    ASSERT_ORDER("_geoPoint(45, 9):asc", "{\"_geo\":{\"lat\":45,\"lng\":9}}",
                 "{\"_geo\":{\"lat\":45.1,\"lng\":9}}", "{\"_geo\":{\"lat\":46,\"lng\":9}}", "{}");
    ASSERT_ORDER("_geoPoint(45, 9):desc", "{\"_geo\":{\"lat\":46,\"lng\":9}}",
                 "{\"_geo\":{\"lat\":45,\"lng\":9}}", "{\"_geo\":null}");
}

/* --- the first of many */

static struct str
key_of_number(char *bytes, unsigned n)
{
    snprintf(bytes, 8, "%06u", n);
    return str_make(bytes, 6);
}

static void
top_keeps_the_first_entries_in_order(void **state)
{
    enum { N = 1000, KEPT = 10 };
    struct sort_top *t = sort_top_new(KEPT);
    const struct sort_entry *entries;
    char bytes[8];
    size_t n;

    (void) state;
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(sort_top_add(t, key_of_number(bytes, i * 7919 % N), i), 0);
    entries = sort_top_take(t, &n);
    assert_int_equal(n, KEPT);
    for (unsigned i = 0; i < KEPT; i++)
        assert_true(str_equal(entries[i].key, key_of_number(bytes, i)));
    sort_top_free(t);
}

static void
top_gives_everything_in_rounds_with_ties_by_id(void **state)
{
    enum { N = 100, KEPT = 7 };
    struct sort_top *t = sort_top_new(KEPT);
    unsigned given = 0;
    size_t n;

    (void) state;
    do {
        const struct sort_entry *entries;
        char bytes[8];
        for (unsigned i = 0; i < N; i++)
            assert_int_equal(sort_top_add(t, key_of_number(bytes, (N - 1 - i) / 10), i), 0);
        entries = sort_top_take(t, &n);
        for (unsigned i = 0; i < n; i++, given++)
            assert_int_equal(entries[i].id, N - 10 - given / 10 * 10 + given % 10);
        assert_int_equal(sort_top_next(t), 0);
    } while (n > 0);
    assert_int_equal(given, N);
    sort_top_free(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sort_refuses_what_is_no_rule),
        cmocka_unit_test(sort_says_when_nothing_is_sortable),
        cmocka_unit_test(sort_allows_what_is_nested_below),
        cmocka_unit_test(sort_puts_numbers_before_strings_before_nothing),
        cmocka_unit_test(sort_takes_the_value_that_comes_first),
        cmocka_unit_test(sort_goes_on_to_the_next_rule),
        cmocka_unit_test(sort_measures_distances),
        cmocka_unit_test(top_keeps_the_first_entries_in_order),
        cmocka_unit_test(top_gives_everything_in_rounds_with_ties_by_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
