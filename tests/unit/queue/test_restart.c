/* Restarts at every stage, the guard against crash loops, renaming the past, idempotency keys. */
#include "fixture.h"

#include "base/clock.h"
#include "base/mem.h"
#include "store/tables.h"

/* --- restarts: the process ends while the operation is in a stage */

static void
end_in(struct fixture *f, enum stage stage)
{
    f->hold = stage;
    (void) add_import(f, "a");
    (void) add_import(f, "a");
    fixture_start(f);
    run_until(f, is_holding);
    (void) add_import(f, "a"); /* not a member of that run */
    run_turns(f, 2);
    fixture_restart(f);
    assert_int_equal(status_of(f, 0), TASK_ENQUEUED);
    run_until(f, is_settled);
    for (uint32_t uid = 0; uid < 3; uid++)
        assert_int_equal(status_of(f, uid), TASK_SUCCEEDED);
    assert_int_equal(rows_in(f, TABLE_TASK_QUEUE), 0);
}

static void
end_before_picking_runs_after_the_start(void **state)
{
    struct fixture *f = *state;
    (void) add_import(f, "a");
    run_turns(f, 2);
    fixture_restart(f);
    run_until(f, is_settled);
    assert_int_equal(status_of(f, 0), TASK_SUCCEEDED);
}

static void
end_in_prepare_runs_it_again(void **state)
{
    struct fixture *f = *state;
    end_in(f, STAGE_PREPARE);
    assert_int_equal(f->calls[STAGE_RECOVER], 1);
    assert_int_equal(f->calls[STAGE_PREPARE], 1);
    assert_int_equal(batch_of(f, 2), 0); /* picked anew, with what came since */
}

static void
end_in_step_runs_it_again(void **state)
{
    struct fixture *f = *state;
    end_in(f, STAGE_STEP);
    assert_int_equal(f->calls[STAGE_PREPARE], 1);
    assert_int_equal(batch_of(f, 0), 0);
}

static void
end_between_the_commits_finishes_exactly_those_members(void **state)
{
    struct fixture *f = *state;
    end_in(f, STAGE_FINISH);
    assert_int_equal(f->calls[STAGE_RECOVER], 1);
    assert_int_equal(f->calls[STAGE_PREPARE], 1); /* of the third task */
    assert_int_equal(batch_of(f, 0), 0);
    assert_int_equal(batch_of(f, 1), 0);
    assert_int_equal(batch_of(f, 2), 1);
    expect_in(batch_json(f, 0), "\"stats\":{\"totalNbTasks\":2,");
    expect_in(batch_json(f, 0), "\"batchStrategy\":\"batched all enqueued tasks\"");
    assert_int_equal(f->events, 2);
}

static void
run_ids_are_never_used_again(void **state)
{
    struct fixture *f = *state;
    uint64_t before;
    (void) add_import(f, "a");
    fixture_start(f);
    run_until(f, is_settled);
    before = f->applied_run;
    fixture_restart(f);
    (void) add_import(f, "a");
    run_until(f, is_settled);
    assert_true(f->applied_run > before);
}

/* --- crash loops (invariant 3) */

static void
crash_in_prepare(struct fixture *f)
{
    f->hold = STAGE_PREPARE;
    memset(f->calls, 0, sizeof(f->calls));
    run_until(f, is_holding);
    fixture_restart(f);
}

static void
after_two_crashes_tasks_are_tried_one_by_one(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++)
        (void) add_import(f, "a");
    fixture_start(f);
    crash_in_prepare(f);
    crash_in_prepare(f);
    (void) add_import(f, "a"); /* not suspected */
    run_until(f, is_settled);
    for (uint32_t uid = 0; uid < 4; uid++) {
        assert_int_equal(batch_of(f, uid), uid);
        assert_int_equal(status_of(f, uid), TASK_SUCCEEDED);
    }
    (void) add_import(f, "a");
    (void) add_import(f, "a");
    run_until(f, is_settled);
    assert_int_equal(batch_of(f, 4), batch_of(f, 5)); /* all is forgotten */
}

static void
an_index_that_cannot_be_read_after_a_crash_stops_nobody_for_ever(void **state)
{
    struct fixture *f = *state;
    (void) add_import(f, "a");
    fixture_start(f);
    crash_in_prepare(f);
    f->fail = STAGE_RECOVER;
    run_until(f, is_settled);
    assert_true(f->calls[STAGE_RECOVER] > 1);
    assert_int_equal(status_of(f, 0), TASK_SUCCEEDED); /* repeated */
}

static void
one_crash_changes_nothing(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++)
        (void) add_import(f, "a");
    fixture_start(f);
    crash_in_prepare(f);
    run_until(f, is_settled);
    assert_int_equal(batch_of(f, 2), 0);
    assert_int_equal(rows_in(f, TABLE_META), 3); /* format, sets, run id */
}

/* Starts that end before the loop turns even once. */
static void
starts_that_are_cut_short_are_not_counted_again(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++)
        (void) add_import(f, "a");
    fixture_start(f);
    crash_in_prepare(f);
    for (int i = 0; i < 10; i++)
        fixture_restart(f);
    run_until(f, is_settled);
    for (uint32_t uid = 0; uid < 3; uid++) {
        assert_int_equal(status_of(f, uid), TASK_SUCCEEDED);
        assert_int_equal(batch_of(f, uid), 0);
    }
    assert_int_equal(rows_in(f, TABLE_META), 3); /* format, sets, run id */
}

static void
end_of_an_applied_run_is_not_counted(void **state)
{
    struct fixture *f = *state;
    (void) add_import(f, "a");
    (void) add_import(f, "a");
    fixture_start(f);
    for (int i = 0; i < 6; i++) {
        f->hold = STAGE_FINISH;
        run_until(f, is_holding);
        fixture_restart(f);
    }
    run_until(f, is_settled);
    assert_int_equal(status_of(f, 0), TASK_SUCCEEDED);
    assert_int_equal(batch_of(f, 1), 0);
    assert_int_equal(rows_in(f, TABLE_META), 3);
}

static void
task_that_ends_the_process_twice_alone_fails(void **state)
{
    struct fixture *f = *state;
    (void) add_import(f, "a");
    (void) add_import(f, "a");
    fixture_start(f);
    for (int i = 0; i < 4; i++)
        crash_in_prepare(f);
    run_until(f, is_settled);
    expect_in(task_json(f, 0), "\"status\":\"failed\"");
    expect_in(task_json(f, 0),
              "{\"message\":\"An unexpected crash occurred when processing the task: ");
    expect_in(task_json(f, 0), "\"code\":\"internal\"");
    assert_int_equal(status_of(f, 1), TASK_SUCCEEDED);
    assert_int_equal(f->calls[STAGE_PREPARE], 1);
    assert_int_equal(rows_in(f, TABLE_META), 3);
}

/* --- renaming the past (contract 4.6) */

static uint32_t
add_swap(struct fixture *f, const char *a, const char *b, const char *details)
{
    const struct str both[] = {str_from(a), str_from(b)};
    return add_task(f, &(struct task_new){.kind = KIND_INDEX_SWAP,
                                          .role = ROLE_ALONE,
                                          .details = str_from(details),
                                          .also_indexes = both,
                                          .n_also_indexes = 2});
}

static void
swap_renames_older_tasks_and_the_details_of_older_swaps(void **state)
{
    struct fixture *f = *state;
    (void) add_import(f, "a");
    (void) add_import(f, "b");
    (void) add_import(f, "c");
    (void) add_swap(f, "a", "d", "{\"swaps\":[{\"indexes\":[\"a\",\"d\"],\"rename\":false}]}");
    fixture_start(f);
    run_until(f, is_settled);
    f->rename_a = "a";
    f->rename_b = "b";
    f->rename_below = 4;
    (void) add_swap(f, "a", "b", "{\"swaps\":[{\"indexes\":[\"a\",\"b\"],\"rename\":false}]}");
    (void) add_role(f, KIND_INDEX_DELETION, ROLE_INDEX_DELETION, "z");
    run_until(f, is_settled);
    expect_in(task_json(f, 4), "{\"swaps\":[{\"indexes\":[\"a\",\"b\"],\"rename\":false}]}");
    f->rename_a = NULL;
    /* The index deletion's finish swapped a second time: undone by a third. */
    struct store_txn *txn = turn_txn(f->turn);
    assert_int_equal(queue_rename_indexes(f->queue, txn, STR("a"), STR("b"), 4), 0);
    run_turns(f, 2);
    expect_in(task_json(f, 0), "\"indexUid\":\"b\"");
    expect_in(task_json(f, 1), "\"indexUid\":\"a\"");
    expect_in(task_json(f, 2), "\"indexUid\":\"c\"");
    expect_in(task_json(f, 3), "{\"swaps\":[{\"indexes\":[\"b\",\"d\"],\"rename\":false}]}");
}

static void
renamed_enqueued_tasks_are_picked_under_their_new_name(void **state)
{
    struct fixture *f = *state;
    (void) add_import(f, "a"); /* becomes b's */
    (void) add_import(f, "b"); /* becomes a's */
    (void) add_swap(f, "a", "b", NULL);
    (void) add_import(f, "a"); /* not older */
    run_turns(f, 2);
    struct store_txn *txn = turn_txn(f->turn);
    assert_int_equal(queue_rename_indexes(f->queue, txn, STR("a"), STR("b"), 3), 0);
    fixture_start(f);
    f->hold = STAGE_PREPARE;
    run_until(f, is_holding);
    assert_string_equal(queue_busy_index(f->queue), "b");
    expect_in(task_json(f, 0), "\"indexUid\":\"b\",\"status\":\"processing\"");
    f->hold = STAGE_NONE;
    run_until(f, is_settled);
    for (uint32_t uid = 0; uid < 4; uid++) {
        assert_int_equal(status_of(f, uid), TASK_SUCCEEDED);
        assert_int_equal(batch_of(f, uid), uid);
    }
    assert_int_equal(rows_in(f, TABLE_TASK_QUEUE), 0);
    assert_int_equal(rows_in(f, TABLE_TASK_QUEUE_INDEX), 0);
}

enum { MANY = 1300 }; /* more than one piece */

static bool
is_all_renamed(struct fixture *f)
{
    return rows_in(f, TABLE_META) == 3; /* format, sets, run id */
}

static void
expect_exchanged(struct fixture *f)
{
    for (uint32_t uid = 0; uid < MANY; uid += 37)
        expect_in(task_json(f, uid), uid % 2 == 0 ? "\"indexUid\":\"b\"" : "\"indexUid\":\"a\"");
}

/* The names change with the finishing commit; the rows follow, over a restart too. */
static void
many_older_tasks_are_renamed_at_once_and_in_pieces(void **state)
{
    struct fixture *f = *state;
    f->watches = false;
    for (uint32_t uid = 0; uid < MANY; uid++)
        (void) add_import(f, uid % 2 == 0 ? "a" : "b");
    fixture_start(f);
    run_until(f, is_settled);
    f->rename_a = "a";
    f->rename_b = "b";
    f->rename_below = MANY;
    (void) add_role(f, KIND_INDEX_DELETION, ROLE_INDEX_DELETION, "z");
    f->stop_when_done = true;
    loop_run(f->loop);
    f->stop_when_done = false;
    assert_int_equal(status_of(f, MANY), TASK_SUCCEEDED);
    f->rename_a = NULL;
    assert_int_equal(rows_in(f, TABLE_META), 4);
    expect_exchanged(f);
    fixture_restart(f);
    assert_int_equal(rows_in(f, TABLE_META), 4);
    (void) add_import(f, "a"); /* waits, and keeps its name */
    expect_exchanged(f);
    run_until(f, is_settled);
    expect_exchanged(f);
    expect_in(task_json(f, MANY + 1), "\"indexUid\":\"a\"");
    run_until(f, is_all_renamed);
    expect_exchanged(f);
}

static void
several_pairs_of_one_swap_are_exchanged_in_one_pass(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++)
        (void) add_import(f, names[i]);
    fixture_start(f);
    run_until(f, is_settled);
    struct store_txn *txn = turn_txn(f->turn);
    assert_int_equal(queue_rename_indexes(f->queue, txn, STR("a"), STR("b"), 4), 0);
    assert_int_equal(queue_rename_indexes(f->queue, txn, STR("c"), STR("d"), 4), 0);
    fixture_restart(f);
    expect_in(task_json(f, 0), "\"indexUid\":\"a\""); /* it was not committed */
    txn = turn_txn(f->turn);
    assert_int_equal(queue_rename_indexes(f->queue, txn, STR("a"), STR("b"), 4), 0);
    assert_int_equal(queue_rename_indexes(f->queue, txn, STR("c"), STR("d"), 4), 0);
    (void) add_import(f, "e");
    run_until(f, is_settled);
    static const char *const expected[] = {"\"b\"", "\"a\"", "\"d\"", "\"c\"", "\"e\""};
    for (uint32_t uid = 0; uid < 5; uid++)
        expect_in(task_json(f, uid), expected[uid]);
    assert_true(is_all_renamed(f));
}

static void
rename_takes_over_the_tasks_of_a_name_long_gone(void **state)
{
    struct fixture *f = *state;
    (void) add_import(f, "old");
    (void) add_import(f, "new");
    fixture_start(f);
    run_until(f, is_settled);
    assert_int_equal(queue_rename_indexes(f->queue, turn_txn(f->turn), STR("old"), STR("new"), 2),
                     0);
    run_turns(f, 2);
    expect_in(task_json(f, 0), "\"indexUid\":\"new\"");
    expect_in(task_json(f, 1), "\"indexUid\":\"old\"");
}

/* --- idempotency keys */

static int64_t now_ns;

static int64_t
fake_wall(void)
{
    return now_ns;
}

static int64_t
real_mono(void)
{
    static int64_t at_us;
    return at_us += 10;
}

static struct idempotency
key_of(uint8_t n)
{
    struct idempotency k = {{n}};
    k.key[31] = 1;
    return k;
}

static enum idempotency_state
begin(struct fixture *f, const struct idempotency *k, struct buf *answer, uint8_t digest[32])
{
    buf_clear(answer);
    memset(digest, 0, 32);
    return queue_idempotency_begin(f->queue, k, digest, answer);
}

static void
key_is_new_then_in_flight_then_known(void **state)
{
    struct fixture *f = *state;
    struct idempotency k = key_of(1), same_bucket = key_of(1);
    uint8_t digest[32], stored[32] = {7, 7};
    struct buf answer = BUF_INIT;
    same_bucket.key[5] = 9;
    assert_int_equal(begin(f, &k, &answer, digest), IDEMPOTENCY_NEW);
    assert_int_equal(begin(f, &k, &answer, digest), IDEMPOTENCY_IN_FLIGHT);
    assert_int_equal(begin(f, &same_bucket, &answer, digest), IDEMPOTENCY_NEW);
    assert_int_equal(queue_idempotency_store(f->queue, &k, stored, STR("{\"taskUid\":0}")), 0);
    run_turns(f, 2);
    assert_int_equal(begin(f, &k, &answer, digest), IDEMPOTENCY_IN_FLIGHT);
    queue_idempotency_end(f->queue, &k);
    assert_int_equal(begin(f, &k, &answer, digest), IDEMPOTENCY_KNOWN);
    assert_string_equal(buf_cstr(&answer), "{\"taskUid\":0}");
    assert_memory_equal(digest, stored, 32);
    queue_idempotency_end(f->queue, &same_bucket); /* failed: nothing was stored */
    assert_int_equal(begin(f, &same_bucket, &answer, digest), IDEMPOTENCY_NEW);
    fixture_restart(f);
    assert_int_equal(begin(f, &k, &answer, digest), IDEMPOTENCY_KNOWN);
    assert_int_equal(begin(f, &same_bucket, &answer, digest), IDEMPOTENCY_NEW);
    buf_done(&answer);
}

static void
key_is_forgotten_after_a_day_and_swept_later(void **state)
{
    struct fixture *f = *state;
    const int64_t day_ns = 24ll * 3600 * 1000000000;
    uint8_t digest[32] = {0};
    struct buf answer = BUF_INIT;
    now_ns = 1700000000ll * 1000000000;
    clock_set_fake(fake_wall, real_mono);
    for (uint8_t i = 0; i < 10; i++) {
        struct idempotency k = key_of(i);
        assert_int_equal(queue_idempotency_store(f->queue, &k, digest, STR("x")), 0);
        now_ns++;
    }
    run_turns(f, 2);
    struct idempotency first = key_of(0), last = key_of(200);
    now_ns += day_ns - 10 - 1;
    assert_int_equal(begin(f, &first, &answer, digest), IDEMPOTENCY_KNOWN);
    now_ns += 1;
    assert_int_equal(begin(f, &first, &answer, digest), IDEMPOTENCY_NEW);
    now_ns += day_ns;
    const uint64_t left[] = {7, 4, 3}; /* each store adds one and sweeps four, while there are */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(queue_idempotency_store(f->queue, &last, digest, STR("y")), 0);
        last.key[1]++;
        now_ns++;
        run_turns(f, 2);
        assert_int_equal(rows_in(f, TABLE_IDEMPOTENCY), 2 * left[i]);
    }
    assert_int_equal(queue_idempotency_store(f->queue, &first, digest, STR("z")), 0);
    run_turns(f, 2);
    queue_idempotency_end(f->queue, &first);
    assert_int_equal(begin(f, &first, &answer, digest), IDEMPOTENCY_KNOWN);
    assert_string_equal(buf_cstr(&answer), "z");
    clock_set_fake(NULL, NULL);
    buf_done(&answer);
}

static void
key_stored_again_replaces_its_rows(void **state)
{
    struct fixture *f = *state;
    struct idempotency k = key_of(3);
    uint8_t digest[32] = {0};
    assert_int_equal(queue_idempotency_store(f->queue, &k, digest, STR("x")), 0);
    assert_int_equal(queue_idempotency_store(f->queue, &k, digest, STR("y")), 0);
    run_turns(f, 2);
    assert_int_equal(rows_in(f, TABLE_IDEMPOTENCY), 2);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(end_before_picking_runs_after_the_start),
        CASE(end_in_prepare_runs_it_again),
        CASE(end_in_step_runs_it_again),
        CASE(end_between_the_commits_finishes_exactly_those_members),
        CASE(run_ids_are_never_used_again),
        CASE(after_two_crashes_tasks_are_tried_one_by_one),
        CASE(starts_that_are_cut_short_are_not_counted_again),
        CASE(end_of_an_applied_run_is_not_counted),
        CASE(an_index_that_cannot_be_read_after_a_crash_stops_nobody_for_ever),
        CASE(one_crash_changes_nothing),
        CASE(task_that_ends_the_process_twice_alone_fails),
        CASE(swap_renames_older_tasks_and_the_details_of_older_swaps),
        CASE(renamed_enqueued_tasks_are_picked_under_their_new_name),
        CASE(many_older_tasks_are_renamed_at_once_and_in_pieces),
        CASE(several_pairs_of_one_swap_are_exchanged_in_one_pass),
        CASE(rename_takes_over_the_tasks_of_a_name_long_gone),
        CASE(key_is_new_then_in_flight_then_known),
        CASE(key_is_forgotten_after_a_day_and_swept_later),
        CASE(key_stored_again_replaces_its_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
