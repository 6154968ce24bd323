/* What is removed in the background (invariant 13). */
#include "fixture.h"

#include <stdio.h>

#include "base/clock.h"

#define DAY_MS (24 * 3600 * INT64_C(1000))

static const struct event_line_facts facts = {.index_uids = STR_NULL};

static bool
is_quiet(struct fixture *f)
{
    const struct janitor *jan = &f->webhooks->janitor;
    return !jan->must_discard && !jan->must_sweep && !jan->must_retain && jan->n_trash == 0;
}

static bool
is_delivered(struct fixture *f)
{
    return f->webhooks->stats.delivered > 0;
}

static void
add_big_line(struct fixture *f, void *builder)
{
    static char big[EVENT_PART_BYTES];
    memset(big, 'x', sizeof(big));
    assert_int_equal(
        webhooks_event_add(builder, turn_txn(f->turn), &facts, str_make(big, sizeof(big))), 0);
    assert_int_equal(fixture_commit(f), 0);
}

static void
lines_of_a_discarded_event_go(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    void *builder = webhooks_event_begin(f->webhooks, 1);
    add_big_line(f, builder);
    add_big_line(f, builder);
    assert_int_equal(fixture_count(f, TABLE_EVENT_LINES), 2);
    webhooks_event_discard(builder);
    fixture_run_until(f, is_quiet);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(fixture_count(f, TABLE_EVENT_LINES), 0);
}

static void
lines_of_a_refused_finishing_go_when_the_next_try_succeeds(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    void *builder = webhooks_event_begin(f->webhooks, 1);
    add_big_line(f, builder);
    add_big_line(f, builder);
    assert_int_equal(webhooks_event_finish(builder, turn_txn(f->turn)), 0);
    turn_fail(f->turn, STORE_EFULL);
    assert_int_equal(fixture_commit(f), STORE_EFULL);
    assert_int_equal(fixture_count(f, TABLE_EVENT_LINES), 2);
    (void) fixture_finish_batch(f, 1, 0, 1);
    fixture_run_until(f, is_quiet);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(fixture_count(f, TABLE_EVENT_LINES), 1);
    assert_int_equal(fixture_count(f, TABLE_EVENTS), 1);
}

static void
lines_that_a_crash_left_go_at_the_next_start_and_no_others(void **state)
{
    struct fixture *f = *state;
    uint8_t key[KEY_PART_LEN];
    f->mode = RECEIVER_HOLDS;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    (void) fixture_finish_batch(f, 1, 0, 1);
    fixture_stop(f);
    for (uint32_t part = 0; part < 3; part++)
        assert_int_equal(store_put(turn_txn(f->turn), TABLE_EVENT_LINES, key_numbered(key, 9, part),
                                   STR("left")),
                         0);
    assert_int_equal(fixture_commit(f), 0);
    fixture_start(f);
    fixture_run_until(f, is_quiet);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(fixture_count(f, TABLE_EVENT_LINES), 1);
    assert_int_equal(fixture_count(f, TABLE_EVENTS), 1);
}

static void
finished_deliveries_go_after_seven_days_with_all_that_is_theirs(void **state)
{
    struct fixture *f = *state;
    struct counters_record counters;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    assert_true(fixture_finish_batch(f, 1, 0, 10));
    fixture_run_until(f, is_delivered);
    assert_int_equal(fixture_count(f, TABLE_ATTEMPTS), 1);
    fixture_advance_clock(6 * DAY_MS);
    fixture_restart(f);
    fixture_run_until(f, is_quiet);
    assert_int_equal(fixture_count(f, TABLE_DELIVERIES), 1);
    fixture_advance_clock(2 * DAY_MS);
    fixture_restart(f);
    fixture_run_until(f, is_quiet);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(fixture_count(f, TABLE_DELIVERIES), 0);
    assert_int_equal(fixture_count(f, TABLE_ATTEMPTS), 0);
    assert_int_equal(fixture_count(f, TABLE_EVENTS), 0);
    assert_int_equal(fixture_count(f, TABLE_EVENT_LINES), 0);
    assert_int_equal(fixture_count(f, TABLE_WEBHOOK_DELIVERIES), 0);
    struct store_txn *txn = turn_read(f->turn);
    assert_int_equal(counters_get(txn, &counters), 1);
    store_abort(txn);
    assert_int_equal(counters.event_bytes, 0);
}

static void
owed_deliveries_are_kept_whatever_their_age(void **state)
{
    struct fixture *f = *state;
    f->mode = RECEIVER_HOLDS;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    assert_true(fixture_finish_batch(f, 1, 0, 1));
    fixture_advance_clock(100 * DAY_MS);
    fixture_restart(f);
    fixture_run_until(f, is_quiet);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(fixture_count(f, TABLE_DELIVERIES), 1);
    assert_int_equal(fixture_count(f, TABLE_EVENT_LINES), 1);
}

/* n finished deliveries of events with a big line each, numbers from first. */
static void
put_finished(struct fixture *f, uint64_t first, uint64_t n)
{
    static char big[EVENT_PART_BYTES / 4];
    uint8_t key[KEY_PART_LEN];
    memset(big, 'x', sizeof(big));
    struct store_txn *txn = turn_txn(f->turn);
    for (uint64_t i = first; i < first + n; i++) {
        struct event_record e = {.n_kept = 1, .n_lines = 1, .n_parts = 1, .n_bytes = sizeof(big)};
        struct delivery_record d = {.event = i,
                                    .sequence = i,
                                    .state = DELIVERY_DELIVERED,
                                    .part = 1,
                                    .n_parts = 1,
                                    .finished_at_ns = clock_wall_ns()};
        assert_int_equal(event_put(txn, i, &e), 0);
        assert_int_equal(
            store_put(txn, TABLE_EVENT_LINES, key_numbered(key, i, 0), str_make(big, sizeof(big))),
            0);
        assert_int_equal(delivery_put(txn, i, &d), 0);
    }
    assert_int_equal(fixture_commit(f), 0);
}

static uint64_t
file_bytes(struct fixture *f)
{
    uint64_t used, file;
    store_env_size(f->env, &used, &file);
    return file;
}

static void
the_oldest_finished_deliveries_go_when_all_take_too_much_room(void **state)
{
    struct fixture *f = *state;
    struct delivery_record d;
    f->retention.max_bytes = 1 << 20;
    put_finished(f, 1, 200); /* more than 3 MiB */
    fixture_start(f);
    fixture_run_until(f, is_quiet);
    assert_int_equal(fixture_commit(f), 0);
    uint64_t left = fixture_count(f, TABLE_DELIVERIES);
    assert_in_range(left, 30, 64);
    assert_int_equal(fixture_count(f, TABLE_EVENTS), left);
    struct store_txn *txn = turn_read(f->turn);
    assert_int_equal(delivery_get(txn, 200 - left, &d), 0);
    assert_int_equal(delivery_get(txn, 200, &d), 1);
    store_abort(txn);
}

static void
what_is_owed_stays_however_much_room_it_takes(void **state)
{
    struct fixture *f = *state;
    f->mode = RECEIVER_HOLDS;
    f->retention.max_bytes = 1;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    assert_true(fixture_finish_batch(f, 1, 0, 10));
    fixture_restart(f);
    fixture_run_until(f, is_quiet);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(fixture_delivery(f, 1).state, DELIVERY_OWED);
    assert_int_equal(fixture_count(f, TABLE_EVENT_LINES), 1);
}

static void
the_room_of_removed_deliveries_is_used_again(void **state)
{
    struct fixture *f = *state;
    uint64_t after_first = 0;
    f->retention.max_bytes = 1 << 20;
    fixture_start(f);
    for (uint64_t round = 0; round < 8; round++) {
        put_finished(f, 1 + round * 100, 100);
        fixture_restart(f);
        fixture_run_until(f, is_quiet);
        assert_int_equal(fixture_commit(f), 0);
        assert_int_equal(store_env_checkpoint(turn_env(f->turn)), 0);
        if (round == 1)
            after_first = file_bytes(f);
    }
    assert_true(file_bytes(f) <= after_first + after_first / 2);
}

static void
a_delivery_that_took_long_does_not_keep_those_behind_it(void **state)
{
    struct fixture *f = *state;
    struct delivery_record d;
    put_finished(f, 1, 3);
    fixture_advance_clock(6 * DAY_MS);
    struct store_txn *txn = turn_txn(f->turn);
    assert_int_equal(delivery_get(txn, 1, &d), 1);
    d.finished_at_ns = clock_wall_ns();
    assert_int_equal(delivery_put(txn, 1, &d), 0);
    assert_int_equal(fixture_commit(f), 0);
    fixture_advance_clock(2 * DAY_MS);
    fixture_start(f);
    fixture_run_until(f, is_quiet);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(fixture_count(f, TABLE_DELIVERIES), 1);
    assert_int_equal(fixture_delivery(f, 1).state, DELIVERY_DELIVERED);
}

static void
the_retention_time_is_an_option(void **state)
{
    struct fixture *f = *state;
    f->retention.age_ms = 1000;
    put_finished(f, 1, 1);
    fixture_advance_clock(2000);
    fixture_start(f);
    fixture_run_until(f, is_quiet);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(fixture_count(f, TABLE_DELIVERIES), 0);
}

static void
a_delivery_with_very_many_attempts_goes_too(void **state)
{
    struct fixture *f = *state;
    struct delivery_record d;
    struct attempt_record a = {.status = 500};
    f->retention.age_ms = 1000;
    put_finished(f, 1, 1);
    struct store_txn *txn = turn_txn(f->turn);
    assert_int_equal(delivery_get(txn, 1, &d), 1);
    for (d.attempts = 0; d.attempts < 300; d.attempts++)
        assert_int_equal(attempt_put(txn, 1, d.attempts + 1, &a), 0);
    assert_int_equal(delivery_put(txn, 1, &d), 0);
    assert_int_equal(fixture_commit(f), 0);
    fixture_advance_clock(2000);
    fixture_start(f);
    fixture_run_until(f, is_quiet);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(fixture_count(f, TABLE_ATTEMPTS), 0);
    assert_int_equal(fixture_count(f, TABLE_DELIVERIES), 0);
}

static void
what_is_owed_to_a_deleted_webhook_is_discarded_after_a_crash_too(void **state)
{
    struct fixture *f = *state;
    f->mode = RECEIVER_HOLDS;
    fixture_start(f);
    struct uuid a = fixture_register(f, "/a");
    (void) fixture_register(f, "/b");
    assert_true(fixture_finish_batch(f, 1, 0, 1));
    fixture_stop(f);
    assert_int_equal(
        store_delete(turn_txn(f->turn), TABLE_WEBHOOKS, str_make(a.bytes, sizeof(a.bytes))), 1);
    assert_int_equal(fixture_commit(f), 0);
    fixture_start(f);
    fixture_run_until(f, is_quiet);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(fixture_count(f, TABLE_DELIVERY_DUE), 1);
    for (uint64_t i = 1; i <= 2; i++) {
        struct delivery_record d = fixture_delivery(f, i);
        assert_int_equal(d.state, uuid_equal(&d.webhook, &a) ? DELIVERY_DISCARDED : DELIVERY_OWED);
    }
}

static void
what_is_owed_to_the_command_lines_webhook_waits_for_it(void **state)
{
    struct fixture *f = *state;
    char url[64];
    f->mode = RECEIVER_HOLDS;
    (void) snprintf(url, sizeof(url), "http://127.0.0.1:%d/cli", f->port);
    f->cli_url = url;
    fixture_start(f);
    assert_true(fixture_finish_batch(f, 1, 0, 1));
    fixture_stop(f);
    f->cli_url = NULL;
    fixture_start(f);
    fixture_run_until(f, is_quiet);
    assert_int_equal(fixture_delivery(f, 1).state, DELIVERY_OWED);
    assert_false(f->must_wait);
    f->mode = RECEIVER_ANSWERS;
    f->cli_url = url;
    fixture_restart(f);
    fixture_run_until(f, is_delivered);
    assert_int_equal(fixture_delivery(f, 1).state, DELIVERY_DELIVERED);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(lines_of_a_discarded_event_go),
        CASE(lines_of_a_refused_finishing_go_when_the_next_try_succeeds),
        CASE(lines_that_a_crash_left_go_at_the_next_start_and_no_others),
        CASE(finished_deliveries_go_after_seven_days_with_all_that_is_theirs),
        CASE(owed_deliveries_are_kept_whatever_their_age),
        CASE(the_oldest_finished_deliveries_go_when_all_take_too_much_room),
        CASE(what_is_owed_stays_however_much_room_it_takes),
        CASE(the_room_of_removed_deliveries_is_used_again),
        CASE(a_delivery_that_took_long_does_not_keep_those_behind_it),
        CASE(the_retention_time_is_an_option),
        CASE(a_delivery_with_very_many_attempts_goes_too),
        CASE(what_is_owed_to_a_deleted_webhook_is_discarded_after_a_crash_too),
        CASE(what_is_owed_to_the_command_lines_webhook_waits_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
