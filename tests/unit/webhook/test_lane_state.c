/* The state machine of a lane, with a clock of the tests' own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "webhook/lane_state.h"

#define T0 INT64_C(1000000000000)
#define HOUR_MS (INT64_C(3600) * 1000)
#define DAY_MS (24 * HOUR_MS)

/* Fails every `every_ms` from T0 on until there is news; when. 0: none before the end. */
static int64_t
fail_until_news(struct lane_health *h, int64_t every_ms, int64_t from_ms, int64_t to_ms,
                enum lane_news *ret)
{
    for (int64_t at_ms = from_ms; at_ms <= to_ms; at_ms += every_ms) {
        *ret = lane_state_fail(h, 0, at_ms);
        if (*ret != LANE_NEWS_NONE)
            return at_ms;
    }
    return 0;
}

static void
new_lane_is_healthy_and_may_send(void **state)
{
    (void) state;
    struct lane_health h = {0};
    assert_int_equal(lane_state_of(&h, true, T0), LANE_HEALTHY);
    assert_int_equal(lane_state_wait_ms(&h, true, T0), 0);
}

static void
failure_makes_it_failing_and_success_healthy_again(void **state)
{
    (void) state;
    struct lane_health h = {0};
    assert_int_equal(lane_state_fail(&h, 0, T0), LANE_NEWS_NONE);
    assert_int_equal(lane_state_of(&h, true, T0), LANE_FAILING);
    assert_int_equal(lane_state_wait_ms(&h, true, T0), 0); /* the next delivery may be the probe */
    assert_int_equal(lane_state_succeed(&h), LANE_NEWS_NONE);
    assert_int_equal(lane_state_of(&h, true, T0), LANE_HEALTHY);
}

static void
pauses_between_probes_double_up_to_a_minute(void **state)
{
    (void) state;
    static const int64_t want_ms[] = {0, 0, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    for (uint32_t i = 0; i < sizeof(want_ms) / sizeof(want_ms[0]); i++)
        assert_int_equal(lane_state_pause_ms(i), want_ms[i]);
    assert_int_equal(lane_state_pause_ms(UINT32_MAX), 60000);
}

static void
pause_passes_also_over_a_restart_and_a_clock_set_back_does_not_lengthen_it(void **state)
{
    (void) state;
    struct lane_health h = {0};
    for (int i = 0; i < 4; i++)
        (void) lane_state_fail(&h, 0, T0);
    assert_int_equal(lane_state_wait_ms(&h, true, T0), 4000);
    assert_int_equal(lane_state_wait_ms(&h, true, T0 + 3000), 1000);
    assert_int_equal(lane_state_wait_ms(&h, true, T0 + DAY_MS), 0);
    assert_int_equal(lane_state_wait_ms(&h, true, T0 - DAY_MS), 4000);
}

static void
retry_after_holds_it_for_at_most_a_day(void **state)
{
    (void) state;
    struct lane_health h = {0};
    (void) lane_state_fail(&h, 120 * 1000, T0);
    assert_int_equal(lane_state_of(&h, true, T0 + 119 * 1000), LANE_HELD);
    assert_int_equal(lane_state_wait_ms(&h, true, T0 + 20 * 1000), 100 * 1000);
    assert_int_equal(lane_state_of(&h, true, T0 + 120 * 1000), LANE_FAILING);
    (void) lane_state_fail(&h, 100 * DAY_MS, T0);
    assert_int_equal(lane_state_wait_ms(&h, true, T0), DAY_MS);
    assert_int_equal(lane_state_wait_ms(&h, true, T0 - 7 * DAY_MS), DAY_MS);
}

static void
success_of_one_that_was_in_flight_does_not_end_the_hold(void **state)
{
    (void) state;
    struct lane_health h = {0};
    (void) lane_state_fail(&h, 60 * 1000, T0);
    (void) lane_state_succeed(&h);
    assert_int_equal(lane_state_of(&h, true, T0 + 1000), LANE_HELD);
    assert_int_equal(lane_state_of(&h, true, T0 + 60 * 1000), LANE_HEALTHY);
}

static void
shorter_hold_does_not_replace_a_longer_one(void **state)
{
    (void) state;
    struct lane_health h = {0};
    (void) lane_state_fail(&h, HOUR_MS, T0);
    (void) lane_state_fail(&h, 1000, T0);
    assert_int_equal(lane_state_wait_ms(&h, true, T0), HOUR_MS);
}

static void
long_failure_is_warned_of_a_day_ahead_and_then_disables(void **state)
{
    (void) state;
    struct lane_health h = {0};
    enum lane_news news;
    int64_t warned_ms = fail_until_news(&h, HOUR_MS, T0, T0 + 30 * DAY_MS, &news);
    assert_int_equal(news, LANE_NEWS_FAILING);
    assert_int_equal(warned_ms, T0 + 4 * DAY_MS);
    assert_int_equal(h.disable_at_ms, T0 + 5 * DAY_MS);
    int64_t end_ms = fail_until_news(&h, HOUR_MS, warned_ms + HOUR_MS, T0 + 30 * DAY_MS, &news);
    assert_int_equal(news, LANE_NEWS_DISABLED);
    assert_int_equal(end_ms, T0 + 5 * DAY_MS);
    assert_int_equal(h.disabled, LANE_DISABLED_FAILING);
    assert_int_equal(lane_state_of(&h, true, end_ms), LANE_DISABLED);
}

static void
few_failures_never_disable(void **state)
{
    (void) state;
    struct lane_health h = {0};
    enum lane_news news;
    int64_t at_ms = fail_until_news(&h, 2 * DAY_MS, T0, T0 + 300 * DAY_MS, &news);
    assert_int_equal(news, LANE_NEWS_FAILING);
    at_ms = fail_until_news(&h, 2 * DAY_MS, at_ms + 2 * DAY_MS, T0 + 300 * DAY_MS, &news);
    assert_int_equal(news, LANE_NEWS_DISABLED);
    assert_int_equal(at_ms, T0 + (LANE_FAILURES_MIN - 1) * 2 * DAY_MS);
}

static void
many_failures_in_a_short_time_never_disable(void **state)
{
    (void) state;
    struct lane_health h = {0};
    enum lane_news news = LANE_NEWS_NONE;
    (void) fail_until_news(&h, 60 * 1000, T0, T0 + 4 * DAY_MS - 1, &news);
    assert_int_equal(news, LANE_NEWS_NONE);
    assert_true(h.failed_attempts > 5000);
    assert_int_equal(h.disabled, LANE_ENABLED);
}

/* A server that was off for a month comes back: it still warns first. */
static void
warning_comes_a_day_ahead_even_when_it_is_late(void **state)
{
    (void) state;
    struct lane_health h = {0};
    for (int i = 0; i < LANE_FAILURES_MIN; i++)
        (void) lane_state_fail(&h, 0, T0);
    assert_int_equal(lane_state_fail(&h, 0, T0 + 30 * DAY_MS), LANE_NEWS_FAILING);
    assert_int_equal(h.disable_at_ms, T0 + 31 * DAY_MS);
    assert_int_equal(lane_state_fail(&h, 0, T0 + 31 * DAY_MS - 1), LANE_NEWS_NONE);
    assert_int_equal(lane_state_fail(&h, 0, T0 + 31 * DAY_MS), LANE_NEWS_DISABLED);
}

static void
success_starts_the_count_anew_and_is_told_after_a_warning(void **state)
{
    (void) state;
    struct lane_health h = {0};
    enum lane_news news;
    int64_t at_ms = fail_until_news(&h, HOUR_MS, T0, T0 + 30 * DAY_MS, &news);
    assert_int_equal(lane_state_succeed(&h), LANE_NEWS_RECOVERED);
    int64_t again_ms = fail_until_news(&h, HOUR_MS, at_ms, at_ms + 30 * DAY_MS, &news);
    assert_int_equal(again_ms, at_ms + 4 * DAY_MS);
}

static void
disabled_by_failures_probes_once_a_day_and_recovers(void **state)
{
    (void) state;
    struct lane_health h = {.failed_attempts = 50,
                            .failing_since_ms = T0,
                            .last_failed_ms = T0,
                            .disable_at_ms = T0 + 1};
    assert_int_equal(lane_state_disable(&h, LANE_DISABLED_FAILING, T0), LANE_NEWS_DISABLED);
    assert_int_equal(lane_state_wait_ms(&h, true, T0 + HOUR_MS), 23 * HOUR_MS);
    assert_int_equal(lane_state_fail(&h, 0, T0 + DAY_MS), LANE_NEWS_NONE);
    assert_int_equal(lane_state_wait_ms(&h, true, T0 + DAY_MS), DAY_MS);
    assert_int_equal(lane_state_succeed(&h), LANE_NEWS_RECOVERED);
    assert_int_equal(lane_state_of(&h, true, T0 + DAY_MS), LANE_HEALTHY);
}

static void
disabled_on_purpose_waits_for_somebody(void **state)
{
    (void) state;
    static const enum lane_disabled reasons[] = {LANE_DISABLED_GONE, LANE_DISABLED_ASKED};
    for (int i = 0; i < 2; i++) {
        struct lane_health h = {0};
        assert_int_equal(lane_state_disable(&h, reasons[i], T0), LANE_NEWS_DISABLED);
        assert_int_equal(lane_state_disable(&h, reasons[i], T0), LANE_NEWS_NONE);
        assert_int_equal(lane_state_wait_ms(&h, true, T0 + 365 * DAY_MS), -1);
        assert_int_equal(lane_state_succeed(&h), LANE_NEWS_NONE); /* was in flight */
        assert_int_equal(lane_state_of(&h, true, T0), LANE_DISABLED);
        lane_state_enable(&h);
        assert_int_equal(lane_state_of(&h, true, T0), LANE_HEALTHY);
    }
}

static void
enabled_by_hand_the_next_success_is_a_recovery(void **state)
{
    (void) state;
    struct lane_health h = {0};
    enum lane_news news;
    assert_int_equal(lane_state_disable(&h, LANE_DISABLED_GONE, T0), LANE_NEWS_DISABLED);
    lane_state_enable(&h);
    assert_int_equal(lane_state_of(&h, true, T0), LANE_HEALTHY);
    assert_int_equal(lane_state_fail(&h, 0, T0), LANE_NEWS_NONE);
    assert_int_equal(lane_state_succeed(&h), LANE_NEWS_RECOVERED);
    assert_int_equal(lane_state_succeed(&h), LANE_NEWS_NONE);
    assert_int_equal(lane_state_disable(&h, LANE_DISABLED_GONE, T0), LANE_NEWS_DISABLED);
    lane_state_enable(&h);
    int64_t at_ms = fail_until_news(&h, HOUR_MS, T0, T0 + 10 * DAY_MS, &news);
    assert_int_equal(news, LANE_NEWS_FAILING); /* a failure that lasts is warned of all the same */
    assert_int_equal(at_ms, T0 + 4 * DAY_MS);
}

static void
inactive_covers_every_other_state(void **state)
{
    (void) state;
    struct lane_health h = {0};
    assert_int_equal(lane_state_of(&h, false, T0), LANE_INACTIVE);
    assert_int_equal(lane_state_wait_ms(&h, false, T0), -1);
    (void) lane_state_fail(&h, HOUR_MS, T0);
    assert_int_equal(lane_state_of(&h, false, T0), LANE_INACTIVE);
    assert_int_equal(lane_state_of(&h, true, T0), LANE_HELD);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_lane_is_healthy_and_may_send),
        cmocka_unit_test(failure_makes_it_failing_and_success_healthy_again),
        cmocka_unit_test(pauses_between_probes_double_up_to_a_minute),
        cmocka_unit_test(
            pause_passes_also_over_a_restart_and_a_clock_set_back_does_not_lengthen_it),
        cmocka_unit_test(retry_after_holds_it_for_at_most_a_day),
        cmocka_unit_test(success_of_one_that_was_in_flight_does_not_end_the_hold),
        cmocka_unit_test(shorter_hold_does_not_replace_a_longer_one),
        cmocka_unit_test(long_failure_is_warned_of_a_day_ahead_and_then_disables),
        cmocka_unit_test(few_failures_never_disable),
        cmocka_unit_test(many_failures_in_a_short_time_never_disable),
        cmocka_unit_test(warning_comes_a_day_ahead_even_when_it_is_late),
        cmocka_unit_test(success_starts_the_count_anew_and_is_told_after_a_warning),
        cmocka_unit_test(disabled_by_failures_probes_once_a_day_and_recovers),
        cmocka_unit_test(disabled_on_purpose_waits_for_somebody),
        cmocka_unit_test(enabled_by_hand_the_next_success_is_a_recovery),
        cmocka_unit_test(inactive_covers_every_other_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
