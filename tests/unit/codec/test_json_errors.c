/* serde_json's messages, lines and columns (contract 1.5), checked against serde_json 1.0.154. */
#include <stdlib.h>

#include "../support.h"
#include "codec/json.h"

static const struct row {
    struct str input;
    const char *message;
} rows[] = {
    /* the contract's table */
    {STR("{"), "EOF while parsing an object at line 1 column 1"},
    {STR("{\"a\":"), "EOF while parsing a value at line 1 column 5"},
    {STR("tru"), "EOF while parsing a value at line 1 column 3"},
    {STR("-"), "EOF while parsing a value at line 1 column 1"},
    {STR("[1,2"), "EOF while parsing a list at line 1 column 4"},
    {STR("{\"a\":\"b}"), "EOF while parsing a string at line 1 column 8"},
    {STR("{\"a\" 1}"), "expected `:` at line 1 column 6"},
    {STR("{\"a\":1,}"), "trailing comma at line 1 column 8"},
    {STR("{'a':1}"), "key must be a string at line 1 column 2"},
    {STR("{1:2}"), "key must be a string at line 1 column 2"},
    {STR("{\"a\":1} x"), "trailing characters at line 1 column 9"},
    {STR("{\"a\":01}"), "invalid number at line 1 column 7"},
    {STR("{\"a\":1e999}"), "number out of range at line 1 column 10"},
    {STR("\"\\x\""), "invalid escape at line 1 column 3"},
    {STR("\"a\x01\""),
     "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 3"},
    {STR("]"), "expected value at line 1 column 1"},
    {STR("xyz"), "expected value at line 1 column 1"},
    {STR("\xFF"), "expected value at line 1 column 1"},
    {STR("{\"a\": \"x\" \"y\"}"), "expected `,` or `}` at line 1 column 11"},
    {STR("\"\xFF\""), "invalid unicode code point at line 1 column 2"},
    /* beyond it */
    {STR(""), "EOF while parsing a value at line 1 column 0"},
    {STR(" \n "), "EOF while parsing a value at line 2 column 1"},
    {STR("\xEF\xBB\xBF{}"), "expected value at line 1 column 1"},
    {STR("trux"), "expected ident at line 1 column 4"},
    {STR("[1 2]"), "expected `,` or `]` at line 1 column 4"},
    {STR("[1,]"), "trailing comma at line 1 column 4"},
    {STR("[,]"), "expected value at line 1 column 2"},
    {STR("{\"a\"}"), "expected `:` at line 1 column 5"},
    {STR("{\"a\""), "EOF while parsing an object at line 1 column 4"},
    {STR("{\"a\":1,"), "EOF while parsing a value at line 1 column 7"},
    {STR("{\n\"a\":\n1,\n2}"), "key must be a string at line 4 column 1"},
    {STR("[1\n"), "EOF while parsing a list at line 2 column 0"},
    {STR("1."), "EOF while parsing a value at line 1 column 2"},
    {STR("1.x"), "invalid number at line 1 column 3"},
    {STR("1e+"), "EOF while parsing a value at line 1 column 3"},
    {STR("1ex"), "invalid number at line 1 column 3"},
    {STR("-x"), "invalid number at line 1 column 2"},
    {STR("-01"), "invalid number at line 1 column 3"},
    {STR("1e99999999999999"), "number out of range at line 1 column 12"},
    {STR("\"\\ud800\""), "unexpected end of hex escape at line 1 column 8"},
    {STR("\"\\ud800\\n\""), "unexpected end of hex escape at line 1 column 9"},
    {STR("\"\\udc00\""), "lone leading surrogate in hex escape at line 1 column 7"},
    {STR("\"\\ud800\\u0041\""), "lone leading surrogate in hex escape at line 1 column 13"},
    {STR("\"\\u12g4\""), "invalid escape at line 1 column 7"},
    {STR("\"\\u12"), "EOF while parsing a string at line 1 column 5"},
    {STR("\"\\"), "EOF while parsing a string at line 1 column 2"},
    {STR("\"\xC3\""), "invalid unicode code point at line 1 column 2"},
    {STR("\"ab\xED\xA0\x80\""), "invalid unicode code point at line 1 column 4"},
    {STR("\"\\n\xFF\\n\""), "invalid unicode code point at line 1 column 5"},
    {STR("{\"\xFF\":1}"), "invalid unicode code point at line 1 column 3"},
    {STR("1\0"), "trailing characters at line 1 column 2"},
};

static void
json_parse_reports_what_serde_json_reports(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf why = BUF_INIT;
        assert_null(json_parse(rows[i].input, &why));
        assert_buf_text(&why, rows[i].message);
    }
}

static struct buf
nested(size_t depth)
{
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < depth; i++)
        buf_add_char(&text, '[');
    for (size_t i = 0; i < depth; i++)
        buf_add_char(&text, ']');
    return text;
}

static void
json_parse_accepts_the_deepest_nesting(void **state)
{
    (void) state;
    struct buf text = nested(JSON_MAX_DEPTH);
    struct json_doc *d = json_parse(buf_str(&text), NULL);
    assert_non_null(d);
    json_doc_free(d);
    buf_done(&text);
}

static void
json_parse_refuses_deeper_nesting(void **state)
{
    (void) state;
    struct buf text = nested(JSON_MAX_DEPTH + 1), why = BUF_INIT;
    assert_null(json_parse(buf_str(&text), &why));
    assert_buf_text(&why, "recursion limit exceeded at line 1 column 128");
    buf_done(&text);
}

static void
json_parse_survives_a_million_brackets(void **state)
{
    (void) state;
    struct buf text = nested(1000000), why = BUF_INIT;
    assert_null(json_parse(buf_str(&text), &why));
    assert_buf_text(&why, "recursion limit exceeded at line 1 column 128");
    buf_done(&text);
}

static void
json_parse_counts_many_side_by_side_containers_as_flat(void **state)
{
    (void) state;
    struct buf text = BUF_INIT;
    buf_add_char(&text, '[');
    for (int i = 0; i < 1000; i++)
        buf_add_cstr(&text, i == 0 ? "[{}]" : ",[{}]");
    buf_add_char(&text, ']');
    struct json_doc *d = json_parse(buf_str(&text), NULL);
    assert_non_null(d);
    assert_int_equal(json_length(json_root(d)), 1000);
    json_doc_free(d);
    buf_done(&text);
}

static void
json_parse_works_without_a_place_for_the_reason(void **state)
{
    (void) state;
    assert_null(json_parse(STR("{"), NULL));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_parse_reports_what_serde_json_reports),
        cmocka_unit_test(json_parse_accepts_the_deepest_nesting),
        cmocka_unit_test(json_parse_refuses_deeper_nesting),
        cmocka_unit_test(json_parse_survives_a_million_brackets),
        cmocka_unit_test(json_parse_counts_many_side_by_side_containers_as_flat),
        cmocka_unit_test(json_parse_works_without_a_place_for_the_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
