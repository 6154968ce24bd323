/* Retry-After in its four forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "webhook/retry_after.h"

/* Sun, 06 Nov 1994 08:49:37 GMT */
#define NOW_MS INT64_C(784111777000)

static void
check(const char *value, int64_t want_ms)
{
    int64_t got_ms = retry_after_ms(str_from(value), NOW_MS);
    if (got_ms != want_ms)
        fail_msg("%s: %lld, not %lld", value, (long long) got_ms, (long long) want_ms);
}

static void
seconds_are_read_and_saturate(void **state)
{
    (void) state;
    check("0", 0);
    check("120", 120 * 1000);
    check("  7\t", 7 * 1000);
    check("99999999999999999999", INT64_C(1000000000000));
}

static void
dates_are_read_in_all_three_forms(void **state)
{
    (void) state;
    check("Sun, 06 Nov 1994 08:50:37 GMT", 60 * 1000);
    check("Sunday, 06-Nov-94 08:50:37 GMT", 60 * 1000);
    check("Sun Nov  6 08:50:37 1994", 60 * 1000);
    check("Mon, 07 Nov 1994 08:49:37 GMT", INT64_C(24) * 3600 * 1000);
}

static void
two_digit_year_is_the_nearer_one(void **state)
{
    (void) state;
    check("Wednesday, 06-Nov-02 08:49:37 GMT", 0); /* 1902: more than 50 years ahead otherwise */
    check("Monday, 06-Nov-95 08:49:37 GMT", INT64_C(365) * 24 * 3600 * 1000);
}

static void
past_dates_mean_now(void **state)
{
    (void) state;
    check("Sun, 06 Nov 1994 08:49:36 GMT", 0);
    check("Thu, 01 Jan 1970 00:00:00 GMT", 0);
}

static void
anything_else_is_ignored(void **state)
{
    (void) state;
    static const char *const values[] = {
        "",
        "-5",
        "5s",
        "5.5",
        "soon",
        "Sun",
        "Sun, ",
        "Sun, 06 Nov 1994",
        "Sun, 06 Nov 08:50:37 GMT",
        "Sun, 06 Now 1994 08:50:37 GMT",
        "Sun, 32 Nov 1994 08:50:37 GMT",
        "Sun, 06 Nov 1994 25:50:37 GMT",
        "Sun, 06 Nov 1994 8:50:37 GMT",
        "Sun, 06 Nov 1994 08:50:37 GMT GMT x",
        "Sunday, 06-Nov-1994 08:50:37 GMT",
        "1994-11-06T08:50:37Z",
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        check(values[i], 0);
    assert_int_equal(retry_after_ms(STR_NULL, NOW_MS), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_are_read_and_saturate),
        cmocka_unit_test(dates_are_read_in_all_three_forms),
        cmocka_unit_test(two_digit_year_is_the_nearer_one),
        cmocka_unit_test(past_dates_mean_now),
        cmocka_unit_test(anything_else_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
