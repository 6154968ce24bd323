/* Documents out of uploads, whole and in pieces of every small size (contract 5.2). */
#include <stdlib.h>

#include "../support.h"
#include "codec/docs.h"

#define JSON_ERROR(what)                                                                           \
    "400 malformed_payload The `json` payload provided is malformed. `Couldn't serialize "         \
    "document value: " what "`."
#define NDJSON_ERROR(what)                                                                         \
    "400 malformed_payload The `ndjson` payload provided is malformed. `Couldn't serialize "       \
    "document value: " what "`."
#define CSV_ERROR(what) "400 malformed_payload The `csv` payload provided is malformed: `" what "`."
#define NO_OBJECT "data are neither an object nor a list of objects"

/* All documents, one a line, and the error if there is one. */
static struct buf
read_all(enum docs_format format, char delimiter, struct str text, size_t piece)
{
    struct docs *d = docs_new(format, delimiter);
    struct err err = ERR_INIT;
    struct buf out = BUF_INIT;
    struct str doc;
    uint64_t n = 0;
    int rc = 0;
    for (size_t at = 0; rc >= 0; at += piece) {
        if (at < text.len) {
            char *copy = strndup(text.data + at, piece);
            size_t len = str_slice(text, at, at + piece).len;
            memcpy(copy, text.data + at, len); /* NUL bytes too */
            assert_int_equal(docs_feed(d, str_make(copy, len), &err), 0);
            free(copy);
        } else {
            docs_end(d);
        }
        while ((rc = docs_next(d, &doc, &err)) > 0) {
            buf_add_str(&out, doc);
            buf_add_char(&out, '\n');
            n++;
        }
        if (at >= text.len)
            break;
    }
    assert_int_equal(docs_count(d), n);
    assert_int_equal(err_is_set(&err), rc < 0);
    if (rc < 0)
        buf_addf(&out, "%d %s %s", err_http_status(err.code), err_name(err.code), err.message);
    err_done(&err);
    docs_free(d);
    return out;
}

static const size_t pieces[] = {1u << 20, 1, 2, 3, 5, 7};

static void
assert_read(enum docs_format format, struct str text, const char *expected)
{
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        struct buf out = read_all(format, ',', text, pieces[i]);
        assert_buf_text(&out, expected);
    }
}

struct row {
    struct str text;
    const char *expected;
};

static void
assert_rows(enum docs_format format, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_read(format, rows[i].text, rows[i].expected);
}

static void
docs_reads_json_arrays_and_single_objects(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {STR("[]"), ""},
        {STR(" [ ] "), ""},
        {STR("[{\"a\":1}]"), "{\"a\":1}\n"},
        {STR(" [\n {\"id\" : 1.10, \"t\":\"]}\\\"[{\\\\\"} ,\n{\"x\":[{},[[]]]} ]\n"),
         "{\"id\":1.10,\"t\":\"]}\\\"[{\\\\\"}\n{\"x\":[{},[[]]]}\n"},
        {STR("{\"a\":{\"b\":[1,2]}}\n"), "{\"a\":{\"b\":[1,2]}}\n"},
        {STR("[{\"k\":\"\\u00e9\\\\\"},{}]"), "{\"k\":\"\xC3\xA9\\\\\"}\n{}\n"},
        {STR("[{\"a\":1,\"b\":2,\"a\":3}]"), "{\"a\":3,\"b\":2}\n"},
    };
    assert_rows(DOCS_JSON, rows, COUNT_OF(rows));
}

static void
docs_ignores_what_follows_an_array(void **state)
{
    (void) state;
    assert_read(DOCS_JSON, STR("[{\"a\":1}] x }}\""), "{\"a\":1}\n");
}

static void
docs_reports_json_errors_at_their_place_in_the_upload(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {STR(""), "400 missing_payload A json payload is missing."},
        {STR(" \n"), JSON_ERROR("EOF while parsing a value at line 2 column 0")},
        {STR("["), JSON_ERROR("EOF while parsing a list at line 1 column 1")},
        {STR("[{\"a\":1}"),
         "{\"a\":1}\n" JSON_ERROR("EOF while parsing a list at line 1 column 8")},
        {STR("[{},"), "{}\n" JSON_ERROR("EOF while parsing a value at line 1 column 4")},
        {STR("[{},]"), "{}\n" JSON_ERROR("trailing comma at line 1 column 5")},
        {STR("[,"), JSON_ERROR("expected value at line 1 column 2")},
        {STR("[{} {}]"), "{}\n" JSON_ERROR("expected `,` or `]` at line 1 column 5")},
        {STR("[{},\n {},\n {\"b\" 1}]"), "{}\n{}\n" JSON_ERROR("expected `:` at line 3 column 7")},
        {STR("{\"a\":1} x"), "{\"a\":1}\n" JSON_ERROR("trailing characters at line 1 column 9")},
        {STR("{\"a\":\"b"), JSON_ERROR("EOF while parsing a string at line 1 column 7")},
        {STR("{\"a\":1]"), JSON_ERROR("expected `,` or `}` at line 1 column 7")},
        {STR("{\"a\":1e999}"), JSON_ERROR("number out of range at line 1 column 10")},
        {STR("[{\"a\":\"\\u\"},{}]"), JSON_ERROR("invalid escape at line 1 column 13")},
        {STR("[tru,{}]"), JSON_ERROR("expected ident at line 1 column 5")},
        {STR("xyz"), JSON_ERROR("expected value at line 1 column 1")},
        {STR("]"), JSON_ERROR("expected value at line 1 column 1")},
        {STR("tru"), JSON_ERROR("EOF while parsing a value at line 1 column 3")},
        {STR("\xEF\xBB\xBF[]"), JSON_ERROR("expected value at line 1 column 1")},
    };
    assert_rows(DOCS_JSON, rows, COUNT_OF(rows));
}

static void
docs_refuses_values_that_are_no_objects(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {STR("123"), JSON_ERROR(NO_OBJECT)},
        {STR("\"hello\""), JSON_ERROR(NO_OBJECT)},
        {STR("null"), JSON_ERROR(NO_OBJECT)},
        {STR("[1]"), JSON_ERROR(NO_OBJECT)},
        {STR("[{},1,{}]"), "{}\n" JSON_ERROR(NO_OBJECT)},
        {STR("[[{}]]"), JSON_ERROR(NO_OBJECT)},
        {STR("[\"a]\"]"), JSON_ERROR(NO_OBJECT)},
    };
    assert_rows(DOCS_JSON, rows, COUNT_OF(rows));
}

static void
docs_reads_ndjson_with_and_without_separators(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {STR("{\"a\":1}\n{\"b\":2}\n"), "{\"a\":1}\n{\"b\":2}\n"},
        {STR("\n\r\n{\"a\":1}{\"b\":2}\n\n {\"c\":\n3}"), "{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n"},
        {STR("\n"), ""},
        {STR(""), "400 missing_payload A ndjson payload is missing."},
    };
    assert_rows(DOCS_NDJSON, rows, COUNT_OF(rows));
}

static void
docs_reports_ndjson_errors(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {STR("{\"a\":1}\n[{}]\n"), "{\"a\":1}\n" NDJSON_ERROR(NO_OBJECT)},
        {STR("{\"a\":1}\n{\"b\":2\n{\"c\":3}"),
         "{\"a\":1}\n" NDJSON_ERROR("expected `,` or `}` at line 3 column 1")},
        {STR("{}\n,"), "{}\n" NDJSON_ERROR("expected value at line 2 column 1")},
        {STR("{}\n{\"a\""), "{}\n" NDJSON_ERROR("EOF while parsing an object at line 2 column 4")},
        {STR("1"), NDJSON_ERROR(NO_OBJECT)},
    };
    assert_rows(DOCS_NDJSON, rows, COUNT_OF(rows));
}

static void
docs_stops_at_hopeless_depth(void **state)
{
    (void) state;
    struct buf text = BUF_INIT;
    buf_add_cstr(&text, "[{\"a\":");
    for (int i = 0; i < 100000; i++)
        buf_add_char(&text, '[');
    struct buf out = read_all(DOCS_JSON, ',', buf_str(&text), 4096);
    assert_buf_text(&out, JSON_ERROR("recursion limit exceeded at line 1 column 133"));
    buf_done(&text);
}

static void
docs_reads_a_large_document_in_pieces(void **state)
{
    (void) state;
    struct buf text = BUF_INIT;
    buf_add_cstr(&text, "[{\"a\":\"");
    for (int i = 0; i < 300000; i++)
        buf_add_cstr(&text, "\\\\\\\"x");
    buf_add_cstr(&text, "\"},{\"b\":1}]");
    struct buf out = read_all(DOCS_JSON, ',', buf_str(&text), 4096);
    assert_int_equal(out.len, text.len - 1); /* "[", "," and "]" for two line ends */
    assert_true(str_ends_with(buf_str(&out), "\"}\n{\"b\":1}\n"));
    buf_done(&out);
    buf_done(&text);
}

static void
docs_reads_csv(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {STR("id,name\n1,abc\n2,\n"),
         "{\"id\":\"1\",\"name\":\"abc\"}\n{\"id\":\"2\",\"name\":null}\n"},
        {STR("a,b\r\n\r\n1,2\r\n\n\n3,4"),
         "{\"a\":\"1\",\"b\":\"2\"}\n{\"a\":\"3\",\"b\":\"4\"}\n"},
        {STR("\xEF\xBB\xBF"
             "a\nx"),
         "{\"a\":\"x\"}\n"},
        {STR("a,\"b \"\"q\"\"\"\n\"x,\ny\",\"\"\n"), "{\"a\":\"x,\\ny\",\"b \\\"q\\\"\":null}\n"},
        {STR("a\n\"x\"y\"z\"\nq\"r\n\"\"\n\"open"),
         "{\"a\":\"xy\\\"z\\\"\"}\n{\"a\":\"q\\\"r\"}\n{\"a\":null}\n{\"a\":\"open\"}\n"},
        {STR("a,b,a\n1,2,3\n"), "{\"a\":\"3\",\"b\":\"2\"}\n"},
        {STR("a,b\n,"), "{\"a\":null,\"b\":null}\n"},
        {STR("a,b\n"), ""},
        {STR("\n\r\n"), ""},
        {STR("n\xC3\xA9\n\xE2\x82\xAC\n"), "{\"n\xC3\xA9\":\"\xE2\x82\xAC\"}\n"},
    };
    assert_rows(DOCS_CSV, rows, COUNT_OF(rows));
}

static void
docs_types_csv_columns_by_the_last_colon(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {STR("a:b:number,c:foo,d:string,e:boolean\n 12 ,12,12, true \n"),
         "{\"a:b\":12,\"c:foo\":\"12\",\"d\":\"12\",\"e\":true}\n"},
        {STR("n:number\n1.10\n1e3\n+7\n007\n-0\n.5\n5.\n-.5e1\n \n\"\"\ninf\nNaN\n1e999\n"
             "18446744073709551615\n9223372036854775808\n"),
         "{\"n\":1.10}\n{\"n\":1e3}\n{\"n\":7}\n{\"n\":7}\n{\"n\":0}\n{\"n\":0.5}\n{\"n\":5.0}\n"
         "{\"n\":-5.0}\n{\"n\":null}\n{\"n\":null}\n{\"n\":null}\n{\"n\":null}\n{\"n\":null}\n"
         "{\"n\":18446744073709551615}\n{\"n\":9223372036854775808}\n"},
        {STR("b:boolean\ntrue\nfalse\n\" \"\n"), "{\"b\":true}\n{\"b\":false}\n{\"b\":null}\n"},
    };
    assert_rows(DOCS_CSV, rows, COUNT_OF(rows));
}

static void
docs_reports_csv_errors(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {STR(""), "400 missing_payload A csv payload is missing."},
        {STR("a:boolean\ndoggo\n"),
         CSV_ERROR("Error parsing boolean \"doggo\" at line 1: provided string was not `true` or "
                   "`false`")},
        {STR("a:number\n1\ndo\"g\n"),
         "{\"a\":1}\n" CSV_ERROR("Error parsing number \"do\\\"g\" at line 2: invalid float "
                                 "literal")},
        {STR("a:number\n0x10\n"),
         CSV_ERROR("Error parsing number \"0x10\" at line 1: invalid float literal")},
        {STR("a:number\n1e\n"),
         CSV_ERROR("Error parsing number \"1e\" at line 1: invalid float literal")},
        {STR("id,name\n\"x\",b,c\n"),
         CSV_ERROR("CSV error: record 1 (line: 2, byte: 8): found record with 3 fields, but the "
                   "previous record has 2 fields")},
        {STR("a,b\r\n1,2\r\n\r\n1,2,3\r\n"),
         "{\"a\":\"1\",\"b\":\"2\"}\n" CSV_ERROR(
             "CSV error: record 2 (line: 2, byte: 9): found record with 3 fields, but the "
             "previous record has 2 fields")},
        {STR("\xEF\xBB\xBF"
             "a,b\n\n1"),
         CSV_ERROR("CSV error: record 1 (line: 2, byte: 7): found record with 1 fields, but the "
                   "previous record has 2 fields")},
        {STR("\xFF,b\n"),
         CSV_ERROR("CSV parse error: record 0 (line 1, field: 0, byte: 0): invalid utf-8: invalid "
                   "UTF-8 in field 0 near byte index 0")},
        {STR("a,b\n1,2\xC3\n"),
         CSV_ERROR("CSV parse error: record 1 (line 2, field: 1, byte: 4): invalid utf-8: invalid "
                   "UTF-8 in field 1 near byte index 1")},
        {STR("a,b\n\xC3,\xA9\n"),
         CSV_ERROR("CSV parse error: record 1 (line 2, field: 0, byte: 4): invalid utf-8: invalid "
                   "UTF-8 in field 0 near byte index 0")},
    };
    assert_rows(DOCS_CSV, rows, COUNT_OF(rows));
}

static void
docs_splits_csv_at_the_given_delimiter(void **state)
{
    (void) state;
    struct buf out = read_all(DOCS_CSV, ';', STR("a;b,c\n1;\"2;3\"\n"), 1);
    assert_buf_text(&out, "{\"a\":\"1\",\"b,c\":\"2;3\"}\n");
}

static struct buf
wide_header(size_t n)
{
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < n; i++)
        buf_addf(&text, "%s%zu", i == 0 ? "" : ",", i);
    buf_add_char(&text, '\n');
    return text;
}

static void
docs_accepts_csv_columns_up_to_the_limit(void **state)
{
    (void) state;
    struct buf text = wide_header(DOCS_CSV_MAX_COLUMNS);
    struct buf out = read_all(DOCS_CSV, ',', buf_str(&text), 65536);
    assert_buf_text(&out, "");
    buf_done(&text);
}

static void
docs_refuses_csv_columns_beyond_the_limit(void **state)
{
    (void) state;
    struct buf text = wide_header(DOCS_CSV_MAX_COLUMNS + 1);
    struct buf out = read_all(DOCS_CSV, ',', buf_str(&text), 65536);
    assert_buf_text(&out, "400 max_fields_limit_exceeded A document cannot contain more than "
                          "65,535 fields.");
    buf_done(&text);
}

static void
docs_next_waits_for_more_before_the_end(void **state)
{
    (void) state;
    for (int format = DOCS_JSON; format <= DOCS_CSV; format++) {
        struct docs *d = docs_new((enum docs_format) format, ',');
        struct err err = ERR_INIT;
        struct str doc;
        assert_int_equal(docs_next(d, &doc, &err), 0);
        assert_int_equal(docs_feed(d, STR("{"), &err), 0);
        assert_int_equal(docs_next(d, &doc, &err), 0);
        assert_int_equal(docs_next(d, &doc, &err), 0);
        assert_false(err_is_set(&err));
        docs_free(d);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(docs_reads_json_arrays_and_single_objects),
        cmocka_unit_test(docs_ignores_what_follows_an_array),
        cmocka_unit_test(docs_reports_json_errors_at_their_place_in_the_upload),
        cmocka_unit_test(docs_refuses_values_that_are_no_objects),
        cmocka_unit_test(docs_reads_ndjson_with_and_without_separators),
        cmocka_unit_test(docs_reports_ndjson_errors),
        cmocka_unit_test(docs_stops_at_hopeless_depth),
        cmocka_unit_test(docs_reads_a_large_document_in_pieces),
        cmocka_unit_test(docs_reads_csv),
        cmocka_unit_test(docs_types_csv_columns_by_the_last_colon),
        cmocka_unit_test(docs_reports_csv_errors),
        cmocka_unit_test(docs_splits_csv_at_the_given_delimiter),
        cmocka_unit_test(docs_accepts_csv_columns_up_to_the_limit),
        cmocka_unit_test(docs_refuses_csv_columns_beyond_the_limit),
        cmocka_unit_test(docs_next_waits_for_more_before_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
