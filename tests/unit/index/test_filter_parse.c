/* The grammar of filters: what is accepted, and the words and places of what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "index/filter.h"

static void
assert_parses(const char *filter)
{
    struct filter *f;
    struct err err = ERR_INIT;
    int rc = filter_parse_text(str_from(filter), ERR_INVALID_DOCUMENT_FILTER, &f, &err);

    if (rc != 1)
        fail_msg("%s: %s", filter, err.message);
    filter_free(f);
}

static void
assert_refused(const char *filter, const char *message)
{
    struct filter *f;
    struct err err = ERR_INIT;

    assert_int_equal(filter_parse_text(str_from(filter), ERR_INVALID_DOCUMENT_FILTER, &f, &err),
                     -1);
    assert_null(f);
    assert_int_equal(err.code, ERR_INVALID_DOCUMENT_FILTER);
    assert_string_equal(err.message, message);
    err_done(&err);
}

static void
filter_accepts_every_operator(void **state)
{
    static const char *const filters[] = {
        "name = Carol",
        "name=Carol",
        "name != 'a b'",
        "n < 1",
        "n <= 1.5",
        "n > -3",
        "n >= 1e3",
        "n 1 TO 10",
        "'first name' 1 TO 2",
        "n IN[]",
        "n IN [1]",
        "n IN [ 1 , 'b' , ]",
        "n NOT IN [1,2]",
        "n NOT   IN[1]",
        "n EXISTS",
        "n NOT EXISTS",
        "n IS NULL",
        "n IS NOT NULL",
        "n IS EMPTY",
        "n  IS   NOT  EMPTY",
        "n CONTAINS x",
        "n NOT CONTAINS 'x y'",
        "n STARTS WITH x",
        "n NOT STARTS WITH x",
        "_geoRadius(1, 2.5, 3)",
        "_geoRadius(1,2,3,100)",
        "_geoBoundingBox([1,2],[3,4])",
        "_geoBoundingBox( [1, 2] , [3, 4] )",
        "_geoPolygon([1,2],[3,4],[5,6])",
        "_geoPolygon([1,2],[3,4],[5,6],)",
        "_vectors EXISTS",
        "_vectors.e NOT EXISTS",
        "_vectors.'an e'.fragments.\"f\" EXISTS",
        "_vectors.e.userProvided EXISTS",
        "_foreign(author, name = x OR y > 2)",
        "_vectors IS NULL",
        "a.b.c = 1",
        "été = 1",
        "-x- = .y.",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
        assert_parses(filters[i]);
}

static void
filter_accepts_and_or_not_and_parentheses(void **state)
{
    static const char *const filters[] = {
        "a = 1 AND b = 2 OR c = 3",
        "NOT a = 1",
        "NOT NOT (NOT a = 1)",
        "(a = 1 OR b = 2) AND NOT(c = 3)",
        "((( a = 1 )))",
        "NOT \"OR\" EXISTS AND 'NOT' = 1",
        " \t a = 1 \n AND\rb EXISTS  ",
        "(_geoRadius(1,2,3) )AND a=1",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
        assert_parses(filters[i]);
}

#define OPERATION                                                                                  \
    "Was expecting an operation `=`, `!=`, `>=`, `>`, `<=`, `<`, `IN`, `NOT IN`, `TO`, "           \
    "`EXISTS`, `NOT EXISTS`, `IS NULL`, `IS NOT NULL`, `IS EMPTY`, `IS NOT EMPTY`, "               \
    "`CONTAINS`, `NOT CONTAINS`, `STARTS WITH`, `NOT STARTS WITH`, `_geoRadius`, "                 \
    "`_geoBoundingBox` or `_geoPolygon` "
#define RESERVED(word)                                                                             \
    "Was expecting a value but instead got `" word "`, which is a reserved keyword. To use `" word \
    "` as a field name or a value, surround it by quotes."
#define GEO(word)                                                                                  \
    "`" word "` is a reserved keyword and thus can't be used as a filter expression. Use the "     \
    "`_geoRadius(latitude, longitude, distance)` or `_geoBoundingBox([latitude, longitude], "      \
    "[latitude, longitude])` built-in rules to filter on `_geo` coordinates."
#define RADIUS                                                                                     \
    "The `_geoRadius` filter must be in the form: `_geoRadius(latitude, longitude, radius, "       \
    "optionalResolution)`."
#define BOX                                                                                        \
    "The `_geoBoundingBox` filter expects two pairs of arguments: `_geoBoundingBox([latitude, "    \
    "longitude], [latitude, longitude])`."

static void
filter_tells_what_is_wrong_and_where(void **state)
{
    static const struct {
        const char *filter, *message;
    } rows[] = {
        {"hello", OPERATION "at `hello`.\n1:6 hello"},
        {"cool doggo", OPERATION "at `cool doggo`.\n1:11 cool doggo"},
        {"a = 1 OR", OPERATION "but instead got nothing.\n9:9 a = 1 OR"},
        {"a = 1 AND b IS", OPERATION "at `b IS`.\n11:15 a = 1 AND b IS"},
        {"n 100 TO1000", OPERATION "at `n 100 TO1000`.\n1:13 n 100 TO1000"},
        {"n NOT EXIST", OPERATION "at `n NOT EXIST`.\n1:12 n NOT EXIST"},
        {"'it\\'s'", OPERATION "at `\\'it\\\\\\'s\\'`.\n1:8 'it\\'s'"},
        {"a = ", "Was expecting a value but instead got nothing.\n5:5 a = "},
        {"a = \xF0\x9F\x90\xBB AND b = 1",
         "Was expecting a value but instead got `\xF0\x9F\x90\xBB`.\n5:6 a = \xF0\x9F\x90\xBB AND "
         "b = 1"},
        {"a = OR", RESERVED("OR") "\n5:7 a = OR"},
        {"AND = 8", RESERVED("AND") "\n1:4 AND = 8"},
        {"NOT OR EXISTS", RESERVED("OR") "\n5:7 NOT OR EXISTS"},
        {"a = 'b",
         "Expression `\\'b` is missing the following closing delimiter: `'`.\n5:7 a = 'b"},
        {"(a = 1",
         "Expression `(a = 1` is missing the following closing delimiter: `)`.\n1:7 (a = 1"},
        {"a = b = c", "Found unexpected characters at the end of the filter: `= c`. You probably "
                      "forgot an `OR` or an `AND` rule.\n7:10 a = b = c"},
        {"a = b ORc = d", "Found unexpected characters at the end of the filter: `ORc = d`. You "
                          "probably forgot an `OR` or an `AND` rule.\n7:14 a = b ORc = d"},
        {"a IN b, c]", "Expected `[` after `IN` keyword.\n6:11 a IN b, c]"},
        {"a IN [b, c",
         "Expected matching `]` after the list of field names given to `IN[`\n11:11 a IN [b, c"},
        {"a IN [b > 2]", "Expected only comma-separated field names inside `IN[..]` but instead "
                         "found `> 2]`.\n9:13 a IN [b > 2]"},
        {"a IN [b, OR]", "Expected only comma-separated field names inside `IN[..]` but instead "
                         "found `OR]`.\n10:13 a IN [b, OR]"},
        {"a = \"\\x4\"", "The filter is incomplete and requires Unknown additional bytes to be "
                         "parsed.\n1:10 a = \"\\x4\""},
        {"a = '\\xZZ'", "Found an invalid escaped sequence number: `\\\\xZZ`.\n6:10 a = '\\xZZ'"},
        {"a = '\\q'", "Malformed value: `\\\\q`.\n6:8 a = '\\q'"},
        {"_geoRadius", RADIUS "\n11:11 _geoRadius"},
        {"_geoRadius = 12", RADIUS "\n11:16 _geoRadius = 12"},
        {"_geoRadius(1, 2)", "Was expecting 3 or 4 arguments for `_geoRadius`, but instead found "
                             "2.\n17:17 _geoRadius(1, 2)"},
        {"_geoBoundingBox(1, 1)", BOX "\n17:22 _geoBoundingBox(1, 1)"},
        {"_geoBoundingBox([1,2],[3])",
         "Was expecting 2 coordinates but instead found 1.\n24:25 _geoBoundingBox([1,2],[3])"},
        {"_geoPolygon([1,2])", "The `_geoPolygon` filter expects at least 3 points but only 1 were "
                               "specified\n16:17 _geoPolygon([1,2])"},
        {"a < _geoRadius(1,2,3)", "The `_geoRadius` filter is an operation and can't be used as a "
                                  "value.\n5:22 a < _geoRadius(1,2,3)"},
        {"_geo = 1", GEO("_geo") "\n1:9 _geo = 1"},
        {"_geoPoint(1,2)", GEO("_geoPoint") "\n1:15 _geoPoint(1,2)"},
        {"a = _geoDistance(1)", GEO("_geoDistance") "\n5:20 a = _geoDistance(1)"},
        {"_vectors x EXISTS", "Was expecting an operation like `EXISTS` or `NOT EXISTS` after the "
                              "vector filter.\n10:18 _vectors x EXISTS"},
        {"_vectors. EXISTS",
         "Was expecting embedder name but found nothing.\n10:11 _vectors. EXISTS"},
        {"_vectors.e.fargments EXISTS",
         "Was expecting one of `fragments`, `userProvided`, `documentTemplate`, `regenerate` or "
         "nothing, but instead found `fargments`. Did you mean `fragments`?\n12:21 "
         "_vectors.e.fargments EXISTS"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_refused(rows[i].filter, rows[i].message);
}

static void
filter_depth_is_limited(void **state)
{
    struct buf text = BUF_INIT;
    struct filter *f;
    struct err err = ERR_INIT;

    (void) state;
    for (int i = 0; i < 36; i++)
        buf_add_char(&text, '(');
    buf_add_cstr(&text, "x = 1");
    for (int i = 0; i < 36; i++)
        buf_add_char(&text, ')');
    assert_parses(buf_cstr(&text));
    buf_clear(&text);
    for (int i = 0; i < 100000; i++)
        buf_add_cstr(&text, "NOT (");
    assert_int_equal(filter_parse_text(buf_str(&text), ERR_INVALID_DOCUMENT_FILTER, &f, &err), -1);
    assert_true(str_starts_with(str_from(err.message), "The filter exceeded the maximum depth "
                                                       "limit. Try rewriting the filter so that it "
                                                       "contains fewer nested conditions.\n"));
    err_done(&err);
    buf_done(&text);
}

/* "1", "0", or the message. */
static void
assert_json(const char *json, const char *expected)
{
    struct json_doc *doc = json_parse(str_from(json), NULL);
    struct filter *f;
    struct err err = ERR_INIT;
    int rc = filter_parse(json_root(doc), ERR_INVALID_DOCUMENT_FILTER, &f, &err);

    assert_string_equal(rc < 0 ? err.message : rc == 1 ? "1" : "0", expected);
    filter_free(f);
    err_done(&err);
    json_doc_free(doc);
}

static void
filter_may_be_arrays_of_texts(void **state)
{
    (void) state;
    assert_json("\"a = 1\"", "1");
    assert_json("[\"a = 1\", [\"b = 1\", \"c = 1\"], []]", "1");
    assert_json("\" \"", "0");
    assert_json("[]", "0");
    assert_json("[\"\", [\"\"]]", "0");
    assert_json("true", "Invalid syntax for the filter parameter: `expected String, Array, found: "
                        "true`.");
    assert_json("[\"a = \", 1.10]",
                "Invalid syntax for the filter parameter: `expected String, [String], found: "
                "1.1`.");
    assert_json("[[[\"a = 1\"]]]", "Invalid syntax for the filter parameter: `expected String, "
                                   "found: [\"a = 1\"]`.");
    assert_json("[\"a = 1\", \"b = \"]",
                "Was expecting a value but instead got nothing.\n5:5 b = ");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter_accepts_every_operator),
        cmocka_unit_test(filter_accepts_and_or_not_and_parentheses),
        cmocka_unit_test(filter_tells_what_is_wrong_and_where),
        cmocka_unit_test(filter_depth_is_limited),
        cmocka_unit_test(filter_may_be_arrays_of_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
