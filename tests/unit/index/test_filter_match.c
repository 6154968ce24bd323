/* Filters against settings and documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "index/filter.h"
#include "index/filter_rules.h"

/* Checks filter against rules (JSON): 0, or -1 with err. The filter stays when 0. */
static int
check(const char *filter, const char *rules, struct filter **ret, struct err *err)
{
    struct filter_rules *r = filter_rules_new(str_from(rules));
    int rc;

    assert_int_equal(filter_parse_text(str_from(filter), ERR_INVALID_DOCUMENT_FILTER, ret, err), 1);
    rc = filter_check(*ret, r, ERR_INVALID_DOCUMENT_FILTER, err);
    filter_rules_free(r);
    return rc;
}

#define ALL                                                                                        \
    "[{\"attributePatterns\":[\"*\"],\"features\":{\"filter\":{\"comparison\":true}}},\"_geo\","   \
    "\"_geojson\"]"

static bool
matches(const char *filter, const char *document)
{
    struct json_doc *doc = json_parse(str_from(document), NULL);
    struct filter *f = NULL;
    struct err err = ERR_INIT;
    bool is_match;

    if (check(filter, ALL, &f, &err) < 0)
        fail_msg("%s: %s", filter, err.message);
    is_match = filter_match(f, json_root(doc));
    filter_free(f);
    json_doc_free(doc);
    return is_match;
}

struct row {
    const char *filter, *document;
    bool is_match;
};

static void
assert_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (matches(rows[i].filter, rows[i].document) != rows[i].is_match)
            fail_msg("%s on %s: not %d", rows[i].filter, rows[i].document, rows[i].is_match);
}
#define ASSERT_ROWS(rows) assert_rows((rows), sizeof(rows) / sizeof((rows)[0]))

static void
filter_compares_numbers_as_numbers(void **state)
{
    static const struct row rows[] = {
        {"n = 1", "{\"n\":1}", true},
        {"n = 1.0", "{\"n\":1}", true},
        {"n = 1e2", "{\"n\":100}", true},
        {"n = 2", "{\"n\":1}", false},
        {"n < 2", "{\"n\":-10}", true},
        {"n > 9", "{\"n\":10}", true},
        {"n >= 10", "{\"n\":10}", true},
        {"n <= 9.99", "{\"n\":10}", false},
        {"n 1 TO 3", "{\"n\":3}", true},
        {"n 3 TO 1", "{\"n\":2}", false},
        {"n IN [1, 5, 9]", "{\"n\":5}", true},
        {"n IN [1, 9]", "{\"n\":5}", false},
        {"n IN []", "{\"n\":5}", false},
        {"n = 18446744073709551615", "{\"n\":18446744073709551615}", true},
        {"n > 1e300", "{\"n\":99999999999999999999999999999999}", false},
        {"n > 99999999999999999998", "{\"n\":123456789012345678901234567890}", true},
        {"n = inf", "{\"n\":1e308}", false},
    };

    (void) state;
    ASSERT_ROWS(rows);
}

static void
filter_compares_strings_folded(void **state)
{
    static const struct row rows[] = {
        {"s = carol", "{\"s\":\"CAROL\"}", true},
        {"s = 'ÉTÉ'", "{\"s\":\"e\\u0301te\\u0301\"}", true},
        {"s = ete", "{\"s\":\"été\"}", false},
        {"s = 'ﬁn'", "{\"s\":\"FIN\"}", true},
        {"s = ' carol '", "{\"s\":\"carol\"}", true},
        {"s = 12", "{\"s\":\"12\"}", true},
        {"s = '12.0'", "{\"s\":\"12\"}", false},
        {"s > b", "{\"s\":\"C\"}", true},
        {"s > 10", "{\"s\":\"abc\"}", true},
        {"s a TO m", "{\"s\":\"Hello\"}", true},
        {"s STARTS WITH he", "{\"s\":\"Hello\"}", true},
        {"s STARTS WITH lo", "{\"s\":\"Hello\"}", false},
        {"s STARTS WITH ''", "{\"s\":3}", true},
        {"s CONTAINS LL", "{\"s\":\"Hello\"}", true},
        {"s CONTAINS 3", "{\"s\":3}", false},
        {"s NOT CONTAINS x", "{\"s\":\"Hello\"}", true},
        {"b = true", "{\"b\":true}", true},
        {"b = false", "{\"b\":true}", false},
        {"s IN ['x', \"HELLO\"]", "{\"s\":\"hello\"}", true},
        {"s = ''", "{\"s\":\"\"}", false},
    };

    (void) state;
    ASSERT_ROWS(rows);
}

static void
filter_knows_missing_null_and_empty(void **state)
{
    static const struct row rows[] = {
        {"a EXISTS", "{\"a\":null}", true},
        {"a EXISTS", "{\"b\":1}", false},
        {"a NOT EXISTS", "{\"b\":1}", true},
        {"a EXISTS", "{\"a\":[]}", true},
        {"a IS NULL", "{\"a\":null}", true},
        {"a IS NULL", "{\"a\":[null]}", false},
        {"a IS NULL", "{}", false},
        {"a IS NOT NULL", "{}", true},
        {"a.b IS NULL", "{\"a\":[{\"b\":1},{\"b\":null}]}", true},
        {"a IS EMPTY", "{\"a\":\"\"}", true},
        {"a IS EMPTY", "{\"a\":[]}", true},
        {"a IS EMPTY", "{\"a\":{}}", true},
        {"a IS EMPTY", "{\"a\":[\"\"]}", false},
        {"a IS EMPTY", "{\"a\":null}", false},
        {"a != 1", "{}", true},
        {"a != 1", "{\"a\":[1,2]}", false},
        {"NOT a = 1", "{\"a\":2}", true},
    };

    (void) state;
    ASSERT_ROWS(rows);
}

static void
filter_goes_into_objects_and_arrays(void **state)
{
    static const struct row rows[] = {
        {"a.b = 1", "{\"a\":{\"b\":1}}", true},
        {"a.b = 1", "{\"a.b\":1}", true},
        {"a.b.c = 1", "{\"a\":{\"b.c\":1}}", true},
        {"a.b = 1", "{\"a\":[{\"b\":2},[{\"b\":1}]]}", true},
        {"a = 2", "{\"a\":[1,[2,3]]}", true},
        {"a = 1", "{\"a\":{\"b\":1}}", false},
        {"a > 2 AND a < 2", "{\"a\":[1,3]}", true},
        {"ab = 1", "{\"a\":{\"b\":1}}", false},
    };

    (void) state;
    ASSERT_ROWS(rows);
}

static void
filter_joins_conditions(void **state)
{
    static const struct row rows[] = {
        {"a = 1 AND b = 2", "{\"a\":1,\"b\":2}", true},
        {"a = 1 AND b = 3", "{\"a\":1,\"b\":2}", false},
        {"a = 2 OR b = 2", "{\"a\":1,\"b\":2}", true},
        {"a = 1 OR a = 2 AND b = 9", "{\"a\":1,\"b\":2}", true},
        {"(a = 1 OR a = 2) AND b = 9", "{\"a\":1,\"b\":2}", false},
        {"NOT (a = 1 AND b = 2)", "{\"a\":1,\"b\":2}", false},
        {"NOT NOT a = 1", "{\"a\":1}", true},
    };

    (void) state;
    ASSERT_ROWS(rows);
}

static void
filter_finds_places(void **state)
{
    static const struct row rows[] = {
        {"_geoRadius(45.4777, 9.1813, 2000)", "{\"_geo\":{\"lat\":45.4777,\"lng\":9.19}}", true},
        {"_geoRadius(45.4777, 9.1813, 600)", "{\"_geo\":{\"lat\":45.4777,\"lng\":9.19}}", false},
        {"_geoRadius(0, 180, 30000)", "{\"_geo\":{\"lat\":\"0\",\"lng\":\"-179.9\"}}", true},
        {"_geoRadius(0, 0, 100)", "{}", false},
        {"NOT _geoRadius(0, 0, 100)", "{\"a\":1}", true},
        {"_geoBoundingBox([46, 10], [45, 9])", "{\"_geo\":{\"lat\":45.5,\"lng\":9.5}}", true},
        {"_geoBoundingBox([46, 10], [45, 9])", "{\"_geo\":{\"lat\":44.5,\"lng\":9.5}}", false},
        {"_geoBoundingBox([1, -170], [-1, 170])", "{\"_geo\":{\"lat\":0,\"lng\":175}}", true},
        {"_geoBoundingBox([1, -170], [-1, 170])", "{\"_geo\":{\"lat\":0,\"lng\":0}}", false},
        {"_geoPolygon([0,0],[0,10],[10,10],[10,0])",
         "{\"_geojson\":{\"type\":\"Point\",\"coordinates\":[5,5]}}", true},
        {"_geoPolygon([0,0],[0,10],[10,10],[10,0])",
         "{\"_geojson\":{\"type\":\"Point\",\"coordinates\":[15,5]}}", false},
        {"_geoPolygon([0,0],[0,10],[10,10],[10,0])",
         "{\"_geojson\":{\"type\":\"LineString\",\"coordinates\":[[-5,5],[15,5]]}}", true},
        {"_geoPolygon([4,4],[4,6],[6,6],[6,4])",
         "{\"_geojson\":{\"type\":\"Feature\",\"geometry\":{\"type\":\"Polygon\",\"coordinates\":"
         "[[[0,0],[10,0],[10,10],[0,10],[0,0]]]}}}",
         true},
        {"_geoPolygon([4,4],[4,6],[6,6],[6,4])",
         "{\"_geojson\":{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[10,0],[10,10],[0,10],[0,0]],"
         "[[1,1],[9,1],[9,9],[1,9],[1,1]]]}}",
         false},
        {"_geoRadius(5, 5, 1000)",
         "{\"_geojson\":{\"type\":\"MultiPoint\",\"coordinates\":[[0,0],[5,5]]}}", true},
        {"_geoBoundingBox([6,6],[4,4])",
         "{\"_geojson\":{\"type\":\"GeometryCollection\",\"geometries\":[{\"type\":\"Point\","
         "\"coordinates\":[5,5]}]}}",
         true},
    };

    (void) state;
    ASSERT_ROWS(rows);
}

/* --- settings */

static void
assert_check(const char *filter, const char *rules, const char *message)
{
    struct filter *f = NULL;
    struct err err = ERR_INIT;
    int rc = check(filter, rules, &f, &err);

    assert_string_equal(rc == 0 ? "" : err.message, message);
    err_done(&err);
    filter_free(f);
}

static void
filter_wants_filterable_attributes(void **state)
{
    (void) state;
    assert_check("doggo = 1", "[]",
                 "Attribute `doggo` is not filterable. This index does not have configured "
                 "filterable attributes.\n1:6 doggo = 1");
    assert_check("a = 1 AND 'my dog' = 1", "[\"title\",\"a\",\"id\",\"a\"]",
                 "Attribute `my dog` is not filterable. Available filterable attribute patterns "
                 "are: `a`, `id`, `title`.\n12:18 a = 1 AND 'my dog' = 1");
    assert_check("x = 1 AND (y = 2 OR z = 3)", "[\"a\"]",
                 "Attribute `z` is not filterable. Available filterable attribute patterns are: "
                 "`a`.\n21:22 x = 1 AND (y = 2 OR z = 3)");
    assert_check("a.b = 1", "[\"a\"]", "");
    assert_check("ab = 1", "[\"a\"]",
                 "Attribute `ab` is not filterable. Available filterable attribute patterns are: "
                 "`a`.\n1:3 ab = 1");
    assert_check("_geoRadius(1, 2, 3)", "[\"a\"]",
                 "Attribute `_geo/_geojson` is not filterable. Available filterable attribute "
                 "patterns are: `a`.\n12:13 _geoRadius(1, 2, 3)");
    assert_check("_geoPolygon([1,2],[3,4],[5,6])", "[\"_geo\"]",
                 "Attribute `_geojson` is not filterable. Available filterable attribute patterns "
                 "are: `_geo`.\n14:15 _geoPolygon([1,2],[3,4],[5,6])");
}

static void
filter_patterns_have_features(void **state)
{
    static const char rules[] =
        "[{\"attributePatterns\":[\"price_*\"],\"features\":{\"filter\":{\"equality\":false,"
        "\"comparison\":true}}},{\"attributePatterns\":[\"*_id\",\"*mid*\"]},"
        "{\"attributePatterns\":[\"off\"],\"features\":{\"filter\":{\"equality\":false}}}]";

    (void) state;
    assert_check("price_eur > 3", rules, "");
    assert_check(
        "price_eur = 3", rules,
        "Filter operator `=` is not allowed for the attribute `price_eur`.\n  - Note: "
        "allowed operators: OR, AND, NOT, <, >, <=, >=, TO, IS EMPTY, IS NULL, EXISTS.\n"
        "  - Note: field `price_eur` matched rule #0 in `filterableAttributes`\n  - Hint: "
        "enable equality in rule #0 by modifying the features.filter object\n  - Hint: "
        "prepend another rule matching `price_eur` with appropriate filter features before "
        "rule #0");
    assert_check("user_id IN [1]", rules, "");
    assert_check("amidst = 1", rules, "");
    assert_check(
        "user_id 1 TO 3", rules,
        "Filter operator `TO` is not allowed for the attribute `user_id`.\n  - Note: "
        "allowed operators: OR, AND, NOT, =, !=, IN, IS EMPTY, IS NULL, EXISTS.\n  - Note: "
        "field `user_id` matched rule #1 in `filterableAttributes`\n  - Hint: enable "
        "comparison in rule #1 by modifying the features.filter object\n  - Hint: prepend "
        "another rule matching `user_id` with appropriate filter features before rule #1");
    assert_check("off EXISTS", rules,
                 "Attribute `off` is not filterable. Available filterable attribute patterns are: "
                 "`*_id`, `*mid*`, `price_*`.\n1:4 off EXISTS");
}

static void
filter_judges_coordinates(void **state)
{
    (void) state;
    assert_check("_geoRadius(-100, 150, 10)", "[\"_geo\"]",
                 "Bad latitude `-100`. Latitude must be contained between -90 and 90 degrees.\n"
                 "12:16 _geoRadius(-100, 150, 10)");
    assert_check("_geoRadius(10.5, 250.5, 10)", "[\"_geo\"]",
                 "Bad longitude `250.5`. Longitude must be contained between -180 and 180 degrees. "
                 "Hint: try using `-109.5` instead.\n18:23 _geoRadius(10.5, 250.5, 10)");
    assert_check("_geoRadius(1, 2, 3, 2)", "[\"_geo\"]",
                 "Invalid resolution `2`. Resolution must be between 3 and 1000.\n21:22 "
                 "_geoRadius(1, 2, 3, 2)");
    assert_check("_geoBoundingBox([10, 1], [20, 2])", "[\"_geo\"]",
                 "The top latitude `10` is below the bottom latitude `20`.\n31:32 "
                 "_geoBoundingBox([10, 1], [20, 2])");
    assert_check("_geoRadius(1e999, 1, 1)", "[\"_geo\"]",
                 "Non finite floats are not supported\n12:17 _geoRadius(1e999, 1, 1)");
}

static void
filter_features_must_be_enabled(void **state)
{
    static const struct {
        const char *filter;
        unsigned enabled;
        const char *message;
    } rows[] = {
        {"a = 1", 0, ""},
        {"a STARTS WITH b", 0, ""},
        {"a NOT CONTAINS b", 0,
         "Using `CONTAINS` in a filter requires enabling the `contains filter` experimental "
         "feature. See https://github.com/orgs/meilisearch/discussions/763\n7:15 a NOT CONTAINS b"},
        {"a CONTAINS b", FILTER_CONTAINS, ""},
        {"b = 1 OR _foreign(a, b = 1)", 0,
         "using a foreign filter requires enabling the `foreign_keys` experimental feature. See "
         "https://github.com/orgs/meilisearch/discussions/873\n19:20 b = 1 OR _foreign(a, b = 1)"},
        {"_foreign(a, b = 1)", FILTER_FOREIGN,
         "Filter condition `_foreign` is not supported for this endpoint.\n10:11 _foreign(a, b = "
         "1)"},
        {"_shard = a", 0,
         "using a shard filter requires enabling the `network` experimental feature. See "
         "https://github.com/orgs/meilisearch/discussions/805\n1:7 _shard = a"},
        {"_vectors EXISTS", 0,
         "using a vector filter requires enabling the `multimodal` experimental feature. See "
         "https://github.com/orgs/meilisearch/discussions/846\n1:9 _vectors EXISTS"},
        {"_vectors EXISTS", FILTER_VECTORS, ""},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct filter *f;
        struct err err = ERR_INIT;
        assert_int_equal(
            filter_parse_text(str_from(rows[i].filter), ERR_INVALID_DOCUMENT_FILTER, &f, &err), 1);
        int rc = filter_check_features(f, rows[i].enabled, ERR_INVALID_DOCUMENT_FILTER, &err);
        assert_string_equal(rc < 0 ? err.message : "", rows[i].message);
        err_done(&err);
        filter_free(f);
    }
}

static void
filter_sees_vectors(void **state)
{
    static const struct row rows[] = {
        {"_vectors EXISTS", "{\"_vectors\":{\"e\":[1]}}", true},
        {"_vectors EXISTS", "{\"_vectors\":{\"e\":null}}", false},
        {"_vectors.e EXISTS", "{\"_vectors\":{\"f\":[1]}}", false},
        {"_vectors.e NOT EXISTS", "{}", true},
        {"_vectors.e.regenerate EXISTS", "{\"_vectors\":{\"e\":{\"regenerate\":true}}}", true},
        {"_vectors.e.userProvided EXISTS", "{\"_vectors\":{\"e\":[1]}}", true},
        {"_vectors.e.documentTemplate EXISTS", "{\"_vectors\":{\"e\":[1]}}", false},
    };

    (void) state;
    ASSERT_ROWS(rows);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter_compares_numbers_as_numbers),
        cmocka_unit_test(filter_compares_strings_folded),
        cmocka_unit_test(filter_knows_missing_null_and_empty),
        cmocka_unit_test(filter_goes_into_objects_and_arrays),
        cmocka_unit_test(filter_joins_conditions),
        cmocka_unit_test(filter_finds_places),
        cmocka_unit_test(filter_wants_filterable_attributes),
        cmocka_unit_test(filter_patterns_have_features),
        cmocka_unit_test(filter_judges_coordinates),
        cmocka_unit_test(filter_features_must_be_enabled),
        cmocka_unit_test(filter_sees_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
