/* The retry schedule: its steps, and what holds for any facts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "webhook/schedule.h"

#define HOUR_MS (INT64_C(3600) * 1000)
#define DAY_MS (24 * HOUR_MS)
enum { ROUNDS = 20000 };

static const int64_t delays_ms[] = {
    5000,         5 * 60000,    30 * 60000,   2 * HOUR_MS,  5 * HOUR_MS,
    10 * HOUR_MS, 14 * HOUR_MS, 20 * HOUR_MS, 24 * HOUR_MS, 24 * HOUR_MS,
};
enum { N_DELAYS = sizeof(delays_ms) / sizeof(delays_ms[0]) };

/* xorshift: the same facts in every run. */
static uint64_t
draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static struct schedule_facts
draw_facts(uint64_t *state, int64_t own_ms[10])
{
    struct schedule_facts f = {
        .attempts = (uint32_t) (draw(state) % 40 + 1),
        .seed = draw(state),
        .age_ms = (int64_t) (draw(state) % (uint64_t) (10 * DAY_MS)),
        .retry_after_ms =
            draw(state) % 3 == 0 ? (int64_t) (draw(state) % (uint64_t) (3 * DAY_MS)) : 0,
        .has_own = draw(state) % 3 == 0,
    };
    if (f.has_own) {
        f.n_own = draw(state) % 11;
        f.own_ms = own_ms;
        for (size_t i = 0; i < f.n_own; i++)
            own_ms[i] = (int64_t) (draw(state) % (uint64_t) DAY_MS);
    }
    return f;
}

static void
delays_are_those_of_the_table_and_jitter_is_only_added(void **state)
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

/* As a delivery lives through it: attempts that take no time. */
static void
whole_schedule_ends_within_eight_days_and_not_before_the_seventh(void **state)
{
    (void) state;
    for (uint64_t seed = 0; seed < 1000; seed++) {
        struct schedule_facts facts = {.attempts = 1, .seed = seed};
        int64_t next;
        while ((next = schedule_next_ms(&facts)) != SCHEDULE_EXHAUSTED) {
            facts.age_ms += next;
            facts.attempts++;
        }
        assert_true(facts.attempts >= 13 && facts.attempts <= 14);
        assert_true(facts.age_ms > 7 * DAY_MS - DAY_MS / 4);
        assert_true(facts.age_ms <= SCHEDULE_SPAN_MS + DAY_MS / 10);
    }
}

static void
first_attempt_is_due_at_once(void **state)
{
    (void) state;
    struct schedule_facts facts = {.attempts = 0};
    assert_int_equal(schedule_next_ms(&facts), 0);
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

static void
own_delays_replace_the_table_and_end_with_their_last(void **state)
{
    (void) state;
    const int64_t own[] = {100, 20};
    struct schedule_facts facts = {.attempts = 1, .has_own = true, .own_ms = own, .n_own = 2};
    int64_t first = schedule_next_ms(&facts);
    assert_true(first >= 100 && first <= 110);
    facts.attempts = 2;
    facts.age_ms = 30 * DAY_MS; /* its own affair */
    int64_t second = schedule_next_ms(&facts);
    assert_true(second >= 20 && second <= 22);
    facts.attempts = 3;
    assert_int_equal(schedule_next_ms(&facts), SCHEDULE_EXHAUSTED);
}

static void
empty_list_of_own_delays_means_never_again(void **state)
{
    (void) state;
    struct schedule_facts facts = {.attempts = 1, .has_own = true};
    assert_int_equal(schedule_next_ms(&facts), SCHEDULE_EXHAUSTED);
}

static void
receiver_can_end_it_and_can_ask_for_more_time_up_to_a_day(void **state)
{
    (void) state;
    struct schedule_facts facts = {.attempts = 1, .retry_after_ms = 60 * 1000};
    int64_t next = schedule_next_ms(&facts);
    assert_true(next >= 60 * 1000 && next <= 66 * 1000);
    facts.retry_after_ms = 100 * DAY_MS;
    next = schedule_next_ms(&facts);
    assert_true(next >= DAY_MS && next <= DAY_MS + DAY_MS / 10);
    facts.is_final = true;
    assert_int_equal(schedule_next_ms(&facts), SCHEDULE_EXHAUSTED);
}

static void
any_facts_are_never_early_and_never_more_than_a_tenth_late(void **state)
{
    (void) state;
    uint64_t random = 88172645463325252u;
    int64_t own_ms[10];
    for (int i = 0; i < ROUNDS; i++) {
        struct schedule_facts f = draw_facts(&random, own_ms);
        int64_t next = schedule_next_ms(&f),
                asked = f.retry_after_ms < DAY_MS ? f.retry_after_ms : DAY_MS;
        bool is_over = f.has_own && f.attempts > f.n_own;
        if (is_over || next == SCHEDULE_EXHAUSTED) {
            assert_int_equal(next, SCHEDULE_EXHAUSTED);
            assert_true(is_over || (!f.has_own && f.age_ms + DAY_MS > SCHEDULE_SPAN_MS));
            continue;
        }
        size_t at = f.attempts - 1;
        int64_t base = f.has_own ? f.own_ms[at] : delays_ms[at < N_DELAYS ? at : N_DELAYS - 1];
        base = base > asked ? base : asked;
        assert_true(next >= base && next <= base + base / 10);
        assert_true(f.has_own || f.age_ms + base <= SCHEDULE_SPAN_MS);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_are_those_of_the_table_and_jitter_is_only_added),
        cmocka_unit_test(whole_schedule_ends_within_eight_days_and_not_before_the_seventh),
        cmocka_unit_test(first_attempt_is_due_at_once),
        cmocka_unit_test(same_facts_give_the_same_answer_and_seeds_spread),
        cmocka_unit_test(own_delays_replace_the_table_and_end_with_their_last),
        cmocka_unit_test(empty_list_of_own_delays_means_never_again),
        cmocka_unit_test(receiver_can_end_it_and_can_ask_for_more_time_up_to_a_day),
        cmocka_unit_test(any_facts_are_never_early_and_never_more_than_a_tenth_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
