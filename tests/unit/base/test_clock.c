/* Dates and durations on the wire (contract 1.10 and 2.8). */
#include <stdlib.h>

#include "../support.h"
#include "base/clock.h"

static const struct {
    int64_t wall_ns;
    const char *text;
} dates[] = {
    {1704164645000000000, "2024-01-02T03:04:05Z"},
    {1704164645100000000, "2024-01-02T03:04:05.1Z"},
    {1704164645123456789, "2024-01-02T03:04:05.123456789Z"},
    {1704164645000001000, "2024-01-02T03:04:05.000001Z"},
    {1704164645000000001, "2024-01-02T03:04:05.000000001Z"},
    {1709164800000000000, "2024-02-29T00:00:00Z"},
    {0, "1970-01-01T00:00:00Z"},
    {-1, "1969-12-31T23:59:59.999999999Z"},
};

static void
clock_format_trims_zeros(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT_OF(dates); i++) {
        struct buf out = BUF_INIT;
        clock_format(&out, dates[i].wall_ns);
        assert_buf_text(&out, dates[i].text);
    }
}

static void
clock_parse_reverses_format(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT_OF(dates); i++) {
        int64_t ns = 5;
        assert_true(clock_parse(str_from(dates[i].text), &ns));
        assert_true(ns == dates[i].wall_ns);
    }
}

static void
clock_parse_accepts_what_rfc_3339_allows(void **state)
{
    (void) state;
    static const char *const same[] = {
        "2024-01-02t03:04:05z",
        "2024-01-02T03:04:05.0Z",
        "2024-01-02T05:04:05+02:00",
        "2024-01-01T21:34:05-05:30",
        "2024-01-02T03:04:05.00000000099999Z",
    };
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        int64_t ns;
        assert_true(clock_parse(str_from(same[i]), &ns));
        assert_true(ns == 1704164645000000000);
    }
}

static void
clock_parse_refuses_the_rest(void **state)
{
    (void) state;
    static const char *const bad[] = {
        "",
        "2024-01-02",
        "2024-01-02 03:04:05Z",
        "2024-01-02T03:04Z",
        "2024-01-02T03:04:05",
        "2024-01-02T03:04:05.Z",
        "2024-01-02T03:04:05+0200",
        "2024-01-02T03:04:05+24:00",
        "2024-01-02T03:04:05Zx",
        "2024-02-30T03:04:05Z",
        "2023-02-29T03:04:05Z",
        "2024-13-01T03:04:05Z",
        "2024-00-01T03:04:05Z",
        "2024-01-00T03:04:05Z",
        "2024-01-02T24:04:05Z",
        "2024-01-02T03:60:05Z",
        "24-01-02T03:04:05Z",
        "2024-1-02T03:04:05Z",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t ns = 5;
        assert_false(clock_parse(str_from(bad[i]), &ns));
        assert_int_equal(ns, 5);
    }
}

static void
clock_parse_saturates_far_dates(void **state)
{
    (void) state;
    int64_t ns;
    assert_true(clock_parse(STR("9999-12-31T23:59:59Z"), &ns));
    assert_true(ns == INT64_MAX);
    assert_true(clock_parse(STR("0001-01-01T00:00:00Z"), &ns));
    assert_true(ns == INT64_MIN);
}

static void
clock_format_duration_never_uses_hours_or_minutes(void **state)
{
    (void) state;
    static const struct {
        int64_t ns;
        const char *text;
    } rows[] = {
        {0, "PT0S"},
        {1000000000, "PT1S"},
        {364788000, "PT0.364788S"},
        {500000000, "PT0.500S"},
        {13327222868990, "PT13327.222868990S"},
        {25 * 3600 * INT64_C(1000000000), "P1DT3600S"},
        {24 * 3600 * INT64_C(1000000000), "P1D"},
        {24 * 3600 * INT64_C(1000000000) + 1, "P1DT0.000000001S"},
        {86399999999999, "PT86399.999999999S"},
        {1, "PT0.000000001S"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out = BUF_INIT;
        assert_true(clock_format_duration(&out, rows[i].ns));
        assert_buf_text(&out, rows[i].text);
    }
}

static void
clock_format_duration_writes_nothing_for_a_negative_one(void **state)
{
    (void) state;
    struct buf out = BUF_INIT;
    assert_false(clock_format_duration(&out, -1));
    assert_buf_text(&out, "");
}

static void
clock_format_http_date_follows_rfc_9110(void **state)
{
    (void) state;
    char text[30];
    clock_format_http_date(text, 784111777000000000);
    assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
}

static int64_t
fake_wall(void)
{
    return 1234567890;
}

static int64_t
fake_mono(void)
{
    return 42;
}

static void
clock_set_fake_replaces_both_clocks(void **state)
{
    (void) state;
    clock_set_fake(fake_wall, fake_mono);
    assert_int_equal(clock_wall_ns(), 1234567890);
    assert_int_equal(clock_wall_ms(), 1234);
    assert_int_equal(clock_mono_us(), 42);
    clock_set_fake(NULL, NULL);
    assert_true(clock_wall_ns() > 1704164645000000000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_format_trims_zeros),
        cmocka_unit_test(clock_parse_reverses_format),
        cmocka_unit_test(clock_parse_accepts_what_rfc_3339_allows),
        cmocka_unit_test(clock_parse_refuses_the_rest),
        cmocka_unit_test(clock_parse_saturates_far_dates),
        cmocka_unit_test(clock_format_duration_never_uses_hours_or_minutes),
        cmocka_unit_test(clock_format_duration_writes_nothing_for_a_negative_one),
        cmocka_unit_test(clock_format_http_date_follows_rfc_9110),
        cmocka_unit_test(clock_set_fake_replaces_both_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
