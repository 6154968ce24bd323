/* What an event is to one webhook: parts and selections (plan.h). Pure functions. */
#include "fixture.h"

#include "webhook/plan.h"

static void
feed(struct plan *p, const char *wanted, size_t line_bytes)
{
    for (; *wanted != '\0'; wanted++)
        plan_add(p, *wanted == 'x', line_bytes);
}

static struct plan
plan_of(const char *wanted, uint32_t max_tasks, uint64_t max_bytes)
{
    struct plan p = {.max_tasks = max_tasks, .max_bytes = max_bytes};
    feed(&p, wanted, 10);
    return p;
}

static void
assert_part(const struct plan *p, uint32_t index, uint32_t first_line, uint32_t n_lines,
            uint32_t n_tasks)
{
    const struct plan_part *part = plan_part(p, index);
    assert_int_equal(part->first_line, first_line);
    assert_int_equal(part->n_lines, n_lines);
    assert_int_equal(part->n_tasks, n_tasks);
}

static void
nothing_wanted_is_no_part(void **state)
{
    (void) state;
    struct plan p = plan_of("....", 0, 0);
    assert_int_equal(plan_n_parts(&p), 0);
    plan_done(&p);
}

static void
everything_wanted_is_one_part_without_a_selection(void **state)
{
    (void) state;
    struct plan p = plan_of("xxxxx", 0, 0);
    assert_int_equal(plan_n_parts(&p), 1);
    assert_part(&p, 0, 0, 5, 5);
    assert_false(p.has_gaps);
    assert_int_equal(p.bits.len, 0);
    plan_done(&p);
}

static void
wanted_run_needs_no_selection(void **state)
{
    (void) state;
    struct plan p = plan_of("..xxx...", 0, 0);
    assert_int_equal(plan_n_parts(&p), 1);
    assert_part(&p, 0, 2, 3, 3);
    assert_false(p.has_gaps);
    plan_done(&p);
}

static void
gap_needs_a_selection_of_the_wanted_lines(void **state)
{
    (void) state;
    const char wanted[] = "xxxxxxxxx.x..x";
    struct plan p = plan_of(wanted, 0, 0);
    assert_int_equal(plan_n_parts(&p), 1);
    assert_part(&p, 0, 0, 14, 11);
    assert_true(p.has_gaps);
    for (uint32_t i = 0; i < 32; i++)
        assert_int_equal(selection_has(buf_str(&p.bits), i), i < 14 && wanted[i] == 'x');
    plan_done(&p);
}

static void
selection_after_a_long_wanted_run_is_right(void **state)
{
    (void) state;
    for (uint32_t run = 500; run < 530; run++) {
        struct plan p = {0};
        for (uint32_t i = 0; i < run; i++)
            plan_add(&p, true, 1);
        plan_add(&p, false, 1);
        plan_add(&p, true, 1);
        assert_part(&p, 0, 0, run + 2, run + 1);
        for (uint32_t i = 0; i < run + 10; i++)
            assert_int_equal(selection_has(buf_str(&p.bits), i), i < run || i == run + 1);
        plan_done(&p);
    }
}

static void
limit_of_tasks_starts_a_part_at_the_next_wanted_line(void **state)
{
    (void) state;
    struct plan p = plan_of("xx..xx.x", 2, 0);
    assert_int_equal(plan_n_parts(&p), 3);
    assert_part(&p, 0, 0, 2, 2);
    assert_part(&p, 1, 4, 2, 2);
    assert_part(&p, 2, 7, 1, 1);
    assert_false(p.has_gaps);
    plan_done(&p);
}

static void
limit_of_bytes_is_not_exceeded(void **state)
{
    (void) state;
    struct plan p = plan_of("xxxxxx", 0, 29); /* two of ten bytes fit, three do not */
    assert_int_equal(plan_n_parts(&p), 3);
    assert_part(&p, 0, 0, 2, 2);
    assert_part(&p, 2, 4, 2, 2);
    plan_done(&p);
}

static void
line_above_the_limit_is_a_part_of_its_own(void **state)
{
    (void) state;
    struct plan p = {.max_bytes = 20};
    plan_add(&p, true, 5);
    plan_add(&p, true, 1000);
    plan_add(&p, true, 5);
    assert_int_equal(plan_n_parts(&p), 3);
    assert_part(&p, 1, 1, 1, 1);
    plan_done(&p);
}

static void
parts_of_an_ed25519_webhook_are_small(void **state)
{
    (void) state;
    struct webhook_policy policy;
    struct webhook_payload_limits limits = {.max_tasks = 7, .max_bytes = 100 << 20};
    struct webhook_secret secret = {.kind = SECRET_V1A_ED25519};
    struct plan p;
    policy_init(&policy);
    plan_init(&p, &policy, &limits);
    assert_int_equal(p.max_bytes, 100 << 20);
    policy.secrets = &secret;
    policy.n_secrets = 1;
    plan_init(&p, &policy, &limits);
    assert_int_equal(p.max_tasks, 7);
    assert_int_equal(p.max_bytes, 512 * 1024);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_wanted_is_no_part),
        cmocka_unit_test(everything_wanted_is_one_part_without_a_selection),
        cmocka_unit_test(wanted_run_needs_no_selection),
        cmocka_unit_test(gap_needs_a_selection_of_the_wanted_lines),
        cmocka_unit_test(selection_after_a_long_wanted_run_is_right),
        cmocka_unit_test(limit_of_tasks_starts_a_part_at_the_next_wanted_line),
        cmocka_unit_test(limit_of_bytes_is_not_exceeded),
        cmocka_unit_test(line_above_the_limit_is_a_part_of_its_own),
        cmocka_unit_test(parts_of_an_ed25519_webhook_are_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
