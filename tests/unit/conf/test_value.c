/* Texts to values: sizes, durations, and each type of row. */
#include "reading.h"

static void
size_accepts_plain_bytes_and_units(void **state)
{
    (void) state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } CASES[] = {
        {"0", 0},
        {"107374182400", 107374182400},
        {"3 B", 3},
        {"3B", 3},
        {"10 MiB", 10485760},
        {"10MiB", 10485760},
        {"10 mib", 10485760},
        {"100 MB", 100000000},
        {"100mb", 100000000},
        {"1.5 GB", 1500000000},
        {"107.7GB", 107700000000},
        {"0.5 KiB", 512},
        {"2 K", 2000},
        {"2 Ki", 2048},
        {"1 TiB", UINT64_C(1) << 40},
        {"18446744073709551615", UINT64_MAX},
        {" 7 KB ", 7000},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        uint64_t bytes = 1;
        if (!value_parse_size(str_from(CASES[i].text), &bytes) || bytes != CASES[i].bytes)
            fail_msg("'%s' gave %ju", CASES[i].text, (uintmax_t) bytes);
    }
}

static void
size_refuses_what_is_not_one(void **state)
{
    (void) state;
    static const char *const CASES[] = {
        "",
        " ",
        "MB",
        "-1",
        "+1",
        "1 XB",
        "1 MBB",
        "1..5 MB",
        "1. MB",
        ".5 MB",
        "1,5 MB",
        "1.5",
        "1.5 B",
        "1.1234567 GB",
        "18446744073709551616",
        "99999999999 TiB",
        "1 0 MB",
        "1e6",
        "0x10",
        /* bits */ "10 Mb",
        "10 Mib",
        "10 Kb",
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        uint64_t bytes = 42;
        if (value_parse_size(str_from(CASES[i]), &bytes) || bytes != 42)
            fail_msg("'%s' was accepted as %ju", CASES[i], (uintmax_t) bytes);
    }
}

static void
duration_accepts_seconds_and_units(void **state)
{
    (void) state;
    static const struct {
        const char *text;
        uint64_t ms;
    } CASES[] = {{"30", 30000},  {"30s", 30000},  {"500ms", 500}, {"500 ms", 500},
                 {"5m", 300000}, {"1h", 3600000}, {"0", 0}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        uint64_t ms = 1;
        if (!value_parse_duration(str_from(CASES[i].text), &ms) || ms != CASES[i].ms)
            fail_msg("'%s' gave %ju", CASES[i].text, (uintmax_t) ms);
    }
}

static void
duration_refuses_what_is_not_one(void **state)
{
    (void) state;
    static const char *const CASES[] = {
        "", "s", "-1", "1.5s", "1d", "1 s s", "9999999999999999999h"};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        uint64_t ms = 42;
        if (value_parse_duration(str_from(CASES[i]), &ms) || ms != 42)
            fail_msg("'%s' was accepted as %ju", CASES[i], (uintmax_t) ms);
    }
}

/* The rest of the message for a value of an option, "" when it is accepted. */
static const char *
why_not(const char *flag, const char *text)
{
    static char copy[512];
    struct conf conf = {0};
    struct buf why = BUF_INIT;
    int rc = option_parse(option_find(str_from(flag)), text, &conf, &why);
    assert_int_equal(rc == 0, why.len == 0);
    (void) snprintf(copy, sizeof(copy), "%s", buf_cstr(&why));
    buf_done(&why);
    conf_done(&conf);
    return copy;
}

static void
numbers_are_held_to_their_range(void **state)
{
    (void) state;
    assert_string_equal(why_not("max-connections", "1"), "");
    assert_string_equal(why_not("max-connections", "1000000"), "");
    assert_string_equal(why_not("max-connections", "0"), ": the smallest accepted value is 1");
    assert_string_equal(why_not("max-connections", "1000001"),
                        ": the largest accepted value is 1000000");
    assert_string_equal(why_not("max-connections", "many"), ": expected a whole number");
    assert_string_equal(why_not("max-connections", "unlimited"), ": expected a whole number");
    assert_string_equal(why_not("http-payload-size-limit", "0 B"),
                        ": the smallest accepted value is 1 B");
    assert_string_equal(why_not("http-payload-size-limit", "2 TiB"),
                        ": the largest accepted value is 1099511627776 B");
    assert_string_equal(why_not("webhook-timeout", "11m"),
                        ": the largest accepted value is 600000 ms");
    assert_string_equal(why_not("idle-timeout", "1500ms"), ": expected whole seconds");
}

static void
bad_numbers_are_told_what_is_accepted(void **state)
{
    (void) state;
    assert_string_equal(why_not("http-payload-size-limit", "big"),
                        ": expected a number of bytes ('1048576') or a size with a unit such as "
                        "'3 B', '10 MiB', '100 MB' or '1.5 GB'");
    assert_string_equal(
        why_not("webhook-timeout", "soon"),
        ": expected a duration such as '30' (seconds), '30s', '500ms', '5m' or '1h'");
    assert_string_equal(why_not("experimental-max-number-of-batched-tasks", "x"),
                        ": expected a whole number or 'unlimited'");
}

static void
log_level_and_mode_are_read_in_any_case(void **state)
{
    (void) state;
    struct conf conf = {0};
    assert_int_equal(option_parse(option_find(STR("log-level")), "dEbUg", &conf, NULL), 0);
    assert_int_equal(conf.log_level, LOG_DEBUG);
    assert_int_equal(option_parse(option_find(STR("experimental-logs-mode")), "json", &conf, NULL),
                     0);
    assert_int_equal(conf.log_mode, LOG_JSON);
    assert_int_equal(option_parse(option_find(STR("experimental-logs-mode")), "HUMAN", &conf, NULL),
                     0);
    assert_int_equal(conf.log_mode, LOG_HUMAN);
}

static void
unknown_log_level_and_mode_are_told_in_upstreams_words(void **state)
{
    (void) state;
    assert_string_equal(why_not("log-level", "loud"),
                        ": Log level 'loud' is invalid. Accepted values are 'OFF', 'ERROR', "
                        "'WARN', 'INFO', 'DEBUG', and 'TRACE'.");
    assert_string_equal(
        why_not("experimental-logs-mode", "xml"),
        ": Unsupported log mode level `xml`. Supported values are `HUMAN` and `JSON`.");
}

static void
env_is_one_of_two_words(void **state)
{
    (void) state;
    assert_string_equal(why_not("env", "production"), "");
    assert_string_equal(why_not("env", "staging"),
                        "\n  [possible values: development, production]");
    assert_string_equal(why_not("env", "productoin"),
                        "\n  [possible values: development, production]\n\n  tip: a similar value "
                        "exists: 'production'");
}

static void
header_values_cannot_hold_control_characters(void **state)
{
    (void) state;
    const char *text = ": a line break or another control character cannot be sent in an HTTP "
                       "header";
    assert_string_equal(why_not("task-webhook-authorization-header", "Bearer a\r\nX: y"), text);
    assert_string_equal(why_not("master-key", "abc\n"), text);
    assert_string_equal(why_not("task-webhook-authorization-header", "Bearer a b\tc"), "");
}

static void
texts_must_be_utf8_and_paths_need_not(void **state)
{
    (void) state;
    assert_string_equal(why_not("http-addr", "\xff"), ": not valid UTF-8");
    assert_string_equal(why_not("db-path", "/tmp/\xff"), "");
}

static void
empty_texts_are_refused_but_for_the_networks(void **state)
{
    (void) state;
    assert_string_equal(why_not("db-path", ""), ": the value is empty");
    assert_string_equal(why_not("master-key", ""), ": the value is empty");
    assert_string_equal(why_not("experimental-allowed-ip-networks", ""), "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(size_accepts_plain_bytes_and_units),
        cmocka_unit_test(size_refuses_what_is_not_one),
        cmocka_unit_test(duration_accepts_seconds_and_units),
        cmocka_unit_test(duration_refuses_what_is_not_one),
        cmocka_unit_test(numbers_are_held_to_their_range),
        cmocka_unit_test(bad_numbers_are_told_what_is_accepted),
        cmocka_unit_test(log_level_and_mode_are_read_in_any_case),
        cmocka_unit_test(unknown_log_level_and_mode_are_told_in_upstreams_words),
        cmocka_unit_test(env_is_one_of_two_words),
        cmocka_unit_test(header_values_cannot_hold_control_characters),
        cmocka_unit_test(texts_must_be_utf8_and_paths_need_not),
        cmocka_unit_test(empty_texts_are_refused_but_for_the_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
