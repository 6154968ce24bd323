/* Reading values, repeated names, compact and normal text, the builder. */
#include <math.h>
#include <stdlib.h>

#include "../support.h"
#include "codec/json.h"

static struct json_doc *
parse(const char *text)
{
    struct json_doc *d = json_parse(str_from(text), NULL);
    assert_non_null(d);
    return d;
}

static void
assert_written(const char *text, const char *expected)
{
    struct json_doc *d = parse(text);
    struct buf out = BUF_INIT;
    json_write(&out, json_root(d));
    assert_buf_text(&out, expected);
    json_doc_free(d);
}

static void
json_type_tells_all_six(void **state)
{
    (void) state;
    static const enum json_type types[] = {JSON_NULL,   JSON_BOOL,  JSON_NUMBER,
                                           JSON_STRING, JSON_ARRAY, JSON_OBJECT};
    struct json_doc *d = parse("[null,true,1,\"\",[],{}]");
    struct json_iter it = json_iter(json_root(d));
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        assert_true(json_next(&it));
        assert_int_equal(json_type(it.value), types[i]);
    }
    assert_false(json_next(&it));
    json_doc_free(d);
}

static void
json_iter_gives_members_in_document_order(void **state)
{
    (void) state;
    struct json_doc *d = parse("{\"b\":{\"x\":1},\"a\":[1,2],\"\":true}");
    struct json_iter it = json_iter(json_root(d));
    assert_true(json_next(&it));
    assert_text(it.key, "b");
    assert_true(json_next(&it));
    assert_text(it.key, "a");
    assert_int_equal(json_length(it.value), 2);
    assert_true(json_next(&it));
    assert_text(it.key, "");
    assert_true(json_bool(it.value));
    assert_false(json_next(&it));
    json_doc_free(d);
}

static void
json_get_finds_members_and_only_in_objects(void **state)
{
    (void) state;
    struct json_doc *d = parse("{\"a\":\"x\",\"\":1,\"n\\u0000l\":2}");
    const struct json *root = json_root(d);
    assert_text(json_string(json_get_c(root, "a")), "x");
    assert_text(json_number(json_get(root, STR_NULL)), "1");
    assert_text(json_number(json_get(root, STR("n\0l"))), "2");
    assert_null(json_get_c(root, "b"));
    assert_null(json_get_c(json_get_c(root, "a"), "a"));
    json_doc_free(d);
}

static void
json_string_unescapes_to_utf8(void **state)
{
    (void) state;
    struct json_doc *d = parse("\"\\u00e9\\ud83d\\ude00\\n\\/\\\"\\\\\"");
    assert_text(json_string(json_root(d)), "\xC3\xA9\xF0\x9F\x98\x80\n/\"\\");
    json_doc_free(d);
}

static void
json_parse_copies_the_text(void **state)
{
    (void) state;
    char text[] = "[\"abc\",12]";
    struct json_doc *d = json_parse(str_from(text), NULL);
    memset(text, 'x', sizeof(text));
    struct json_iter it = json_iter(json_root(d));
    assert_true(json_next(&it));
    assert_text(json_string(it.value), "abc");
    assert_true(json_next(&it));
    assert_text(json_number(it.value), "12");
    json_doc_free(d);
}

static void
json_to_u64_takes_integers_in_range_only(void **state)
{
    (void) state;
    static const struct {
        const char *text;
        bool ok;
        uint64_t value;
    } rows[] = {{"0", true, 0},      {"18446744073709551615", true, UINT64_MAX},
                {"-1", false, 0},    {"18446744073709551616", false, 0},
                {"1.0", false, 0},   {"1e2", false, 0},
                {"\"1\"", false, 0}, {"null", false, 0}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct json_doc *d = parse(rows[i].text);
        uint64_t n = 0;
        assert_int_equal(json_to_u64(json_root(d), &n), rows[i].ok);
        assert_true(n == rows[i].value);
        json_doc_free(d);
    }
}

static void
json_to_i64_takes_integers_in_range_only(void **state)
{
    (void) state;
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } rows[] = {{"9223372036854775807", true, INT64_MAX},
                {"-9223372036854775808", true, INT64_MIN},
                {"-1", true, -1},
                {"0", true, 0},
                {"9223372036854775808", false, 0},
                {"-9223372036854775809", false, 0},
                {"-0", false, 0},
                {"1.5", false, 0}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct json_doc *d = parse(rows[i].text);
        int64_t n = 0;
        assert_int_equal(json_to_i64(json_root(d), &n), rows[i].ok);
        assert_true(n == rows[i].value);
        json_doc_free(d);
    }
}

static void
json_write_is_compact_and_keeps_numbers_as_written(void **state)
{
    (void) state;
    assert_written(" { \"a\" : [ 1.10 , 1E3, -0, 99999999999999999999.5e-1 ] ,\n\"b\" : null } ",
                   "{\"a\":[1.10,1E3,-0,99999999999999999999.5e-1],\"b\":null}");
}

static void
json_write_escapes_as_serde_json(void **state)
{
    (void) state;
    assert_written("\"\\u0000\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f\\\"\\\\\\/\\u007f\\u2028\"",
                   "\"\\u0000\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f\\\"\\\\/\x7F\xE2\x80\xA8\"");
}

static void
json_write_string_finds_escapes_at_every_place(void **state)
{
    (void) state;
    for (size_t len = 0; len < 40; len++) {
        for (size_t at = 0; at < len; at++) {
            char text[40], expected[48];
            memset(text, 0xC3, sizeof(text)); /* bytes above 0x7F must not look special */
            text[at] = '"';
            expected[0] = '"';
            memset(expected + 1, 0xC3, len + 1);
            memcpy(expected + 1 + at, "\\\"", 2);
            expected[len + 2] = '"';
            struct buf out = BUF_INIT;
            json_write_string(&out, str_make(text, len));
            assert_int_equal(out.len, len + 3);
            assert_memory_equal(out.data, expected, len + 3);
            buf_done(&out);
        }
    }
}

static void
json_parse_lets_the_last_of_repeated_names_count(void **state)
{
    (void) state;
    assert_written("{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}");
    assert_written("{\"a\":1,\"a\":2,\"a\":{\"x\":[{\"y\":1,\"y\":2}],\"x\":[{\"z\":1,\"z\":2}]}}",
                   "{\"a\":{\"x\":[{\"z\":2}]}}");
    assert_written("[{\"\\u0061\":1,\"a\":2.50}]", "[{\"a\":2.50}]");
}

static void
json_parse_settles_repeated_names_in_wide_objects(void **state)
{
    (void) state;
    struct buf text = BUF_INIT;
    buf_add_char(&text, '{');
    for (int i = 0; i < 1000; i++)
        buf_addf(&text, "\"k%d\":%d,", i % 500, i);
    buf_add_cstr(&text, "\"last\":0}");
    struct json_doc *d = json_parse(buf_str(&text), NULL);
    assert_int_equal(json_length(json_root(d)), 501);
    assert_text(json_number(json_get_c(json_root(d), "k7")), "507");
    json_doc_free(d);
    buf_done(&text);
}

static void
json_parse_keeps_different_names_that_look_alike(void **state)
{
    (void) state;
    const char *text = "{\"axb\":1,\"ayb\":2,\"a\":3,\"aa\":4,\"A\":5,\"a\\u0000\":6,\"\":7}";
    assert_written(text, text);
}

static void
json_parse_scratch_reads_one_document_after_the_other(void **state)
{
    (void) state;
    struct json_scratch *s = json_scratch_new();
    struct buf big = BUF_INIT, out = BUF_INIT;
    buf_add_char(&big, '[');
    while (big.len < 200000)
        buf_add_cstr(&big, "0,");
    buf_add_cstr(&big, "{\"x\":1,\"x\":2}]");
    struct str texts[] = {STR("{\"a\":1}"), buf_str(&big), STR("[true]"), STR("{\"b\":1,\"b\":2}")};
    for (size_t round = 0; round < 8; round++) {
        struct json_doc *d = json_parse_scratch(s, texts[round % 4], NULL);
        assert_non_null(d);
        buf_clear(&out);
        json_write(&out, json_root(d));
        json_doc_free(d);
        assert_null(json_parse_scratch(s, STR("{"), NULL));
    }
    assert_buf_text(&out, "{\"b\":2}");
    json_scratch_free(s);
    buf_done(&big);
}

static void
json_write_normal_prints_numbers_as_serde_json(void **state)
{
    (void) state;
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"1.10", "1.1"},
        {"1e3", "1000.0"},
        {"1.0", "1.0"},
        {"100", "100"},
        {"-0", "-0.0"},
        {"-0.0", "-0.0"},
        {"0.0", "0.0"},
        {"0e5", "0.0"},
        {"18446744073709551615", "18446744073709551615"},
        {"18446744073709551616", "1.8446744073709552e19"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"-9223372036854775809", "-9.223372036854776e18"},
        {"99999999999999999999", "1e20"},
        {"1e15", "1000000000000000.0"},
        {"1e16", "1e16"},
        {"123456789012345678.0", "1.2345678901234568e17"},
        {"1234567890123456.7", "1234567890123456.8"},
        {"0.00001", "0.00001"},
        {"0.000001", "1e-6"},
        {"1e-7", "1e-7"},
        {"12.5e-3", "0.0125"},
        {"0.1", "0.1"},
        {"0.30000000000000004", "0.30000000000000004"},
        {"5e-324", "5e-324"},
        {"1e-400", "0.0"},
        {"1.7976931348623157e308", "1.7976931348623157e308"},
        {"5.684341886080802e-14", "5.684341886080802e-14"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct json_doc *d = parse(rows[i].text);
        struct buf out = BUF_INIT;
        json_write_normal(&out, json_root(d));
        assert_buf_text(&out, rows[i].expected);
        json_doc_free(d);
    }
}

static void
json_write_number_normal_reads_very_long_numbers(void **state)
{
    (void) state;
    struct buf text = BUF_INIT, out = BUF_INIT;
    buf_add_cstr(&text, "0.");
    for (int i = 0; i < 100000; i++)
        buf_add_char(&text, '0');
    buf_add_cstr(&text, "15e100000");
    json_write_number_normal(&out, buf_str(&text));
    assert_buf_text(&out, "0.15");
    buf_done(&text);
}

static void
json_out_places_commas(void **state)
{
    (void) state;
    struct buf out = BUF_INIT;
    struct json_out j = json_out(&out);
    json_begin_object(&j);
    json_key(&j, "a");
    json_begin_array(&j);
    json_put_u64(&j, UINT64_MAX);
    json_put_i64(&j, INT64_MIN);
    json_begin_object(&j);
    json_end_object(&j);
    json_begin_array(&j);
    json_end_array(&j);
    json_put_bool(&j, true);
    json_end_array(&j);
    json_key_str(&j, STR("b\""));
    json_put_str(&j, STR("x"));
    json_key(&j, "c");
    json_put_cstr(&j, NULL);
    json_key(&j, "d");
    json_put_raw(&j, STR("{\"y\":1}"));
    json_key(&j, "e");
    json_put_null(&j);
    json_end_object(&j);
    assert_buf_text(&out, "{\"a\":[18446744073709551615,-9223372036854775808,{},[],true],"
                          "\"b\\\"\":\"x\",\"c\":null,\"d\":{\"y\":1},\"e\":null}");
}

static void
json_put_time_gives_null_for_unset(void **state)
{
    (void) state;
    struct buf out = BUF_INIT;
    struct json_out j = json_out(&out);
    json_begin_array(&j);
    json_put_time(&j, 0);
    json_put_time(&j, 1704164645100000000);
    json_end_array(&j);
    assert_buf_text(&out, "[null,\"2024-01-02T03:04:05.1Z\"]");
}

static void
json_put_float_prints_single_precision_percentages(void **state)
{
    (void) state;
    struct buf out = BUF_INIT;
    struct json_out j = json_out(&out);
    json_begin_array(&j);
    json_put_float(&j, 100.0f / 3.0f);
    json_put_float(&j, 200.0f / 3.0f);
    json_put_float(&j, 50.0f);
    json_put_float(&j, 0.0f);
    json_put_double(&j, 2.5);
    json_put_double(&j, NAN);
    json_end_array(&j);
    assert_buf_text(&out, "[33.333332,66.666664,50.0,0.0,2.5,null]");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_type_tells_all_six),
        cmocka_unit_test(json_iter_gives_members_in_document_order),
        cmocka_unit_test(json_get_finds_members_and_only_in_objects),
        cmocka_unit_test(json_string_unescapes_to_utf8),
        cmocka_unit_test(json_parse_copies_the_text),
        cmocka_unit_test(json_to_u64_takes_integers_in_range_only),
        cmocka_unit_test(json_to_i64_takes_integers_in_range_only),
        cmocka_unit_test(json_write_is_compact_and_keeps_numbers_as_written),
        cmocka_unit_test(json_write_escapes_as_serde_json),
        cmocka_unit_test(json_write_string_finds_escapes_at_every_place),
        cmocka_unit_test(json_parse_lets_the_last_of_repeated_names_count),
        cmocka_unit_test(json_parse_settles_repeated_names_in_wide_objects),
        cmocka_unit_test(json_parse_keeps_different_names_that_look_alike),
        cmocka_unit_test(json_parse_scratch_reads_one_document_after_the_other),
        cmocka_unit_test(json_write_normal_prints_numbers_as_serde_json),
        cmocka_unit_test(json_write_number_normal_reads_very_long_numbers),
        cmocka_unit_test(json_out_places_commas),
        cmocka_unit_test(json_put_time_gives_null_for_unset),
        cmocka_unit_test(json_put_float_prints_single_precision_percentages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
