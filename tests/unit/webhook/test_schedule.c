/* The retry schedule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "webhook/schedule.h"

static const int64_t delays_ms[] = {5000, 30000, 300000, 1800000, 7200000};
enum { N_DELAYS = sizeof(delays_ms) / sizeof(delays_ms[0]) };

static void
delays_grow_and_jitter_is_only_added(void **state)
{
    (void) state;
    for (uint32_t attempt = 1; attempt <= N_DELAYS; attempt++) {
        for (uint64_t seed = 0; seed < 1000; seed++) {
            struct schedule_facts facts = {.attempts = attempt, .seed = seed};
            int64_t next = schedule_next_ms(&facts), base = delays_ms[attempt - 1];
            assert_true(next >= base && next <= base + base / 10);
        }
    }
}

static void
ends_after_the_last_delay(void **state)
{
    (void) state;
    for (uint32_t attempt = N_DELAYS + 1; attempt < N_DELAYS + 100; attempt++) {
        struct schedule_facts facts = {.attempts = attempt};
        assert_int_equal(schedule_next_ms(&facts), SCHEDULE_EXHAUSTED);
    }
}

static void
same_facts_give_the_same_answer_and_seeds_spread(void **state)
{
    (void) state;
    int64_t least = INT64_MAX, most = 0;
    for (uint64_t seed = 0; seed < 1000; seed++) {
        struct schedule_facts facts = {.attempts = 3, .seed = seed};
        int64_t next = schedule_next_ms(&facts);
        assert_int_equal(next, schedule_next_ms(&facts));
        least = next < least ? next : least;
        most = next > most ? next : most;
    }
    assert_true(most - least > delays_ms[2] / 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_grow_and_jitter_is_only_added),
        cmocka_unit_test(ends_after_the_last_delay),
        cmocka_unit_test(same_facts_give_the_same_answer_and_seeds_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
