/* Cancelations, stopping and the sliced finishing of large batches. */
#include <stdio.h>

#include "fixture.h"

#include "base/mem.h"
#include "store/tables.h"

/* --- cancelations */

static void
cancelation_cancels_what_is_enqueued(void **state)
{
    struct fixture *f = *state;
    (void) add_import(f, "a");
    (void) add_import(f, "b");
    (void) add_import(f, "a");
    (void) add_cancelation(f, "0-1");
    fixture_start(f);
    run_until(f, is_settled);
    expect_in(task_json(f, 0), "{\"uid\":0,\"batchUid\":0,\"indexUid\":\"a\",\"status\":"
                               "\"canceled\",\"type\":\"documentAdditionOrUpdate\","
                               "\"canceledBy\":3,\"details\":{\"receivedDocuments\":1,"
                               "\"indexedDocuments\":0},\"error\":null,\"duration\":\"PT");
    assert_int_equal(status_of(f, 1), TASK_CANCELED);
    assert_int_equal(status_of(f, 2), TASK_SUCCEEDED);
    expect_in(task_json(f, 3), "\"canceledTasks\":2");
    expect_in(batch_json(f, 0), "\"stats\":{\"totalNbTasks\":3,\"status\":{\"succeeded\":1,"
                                "\"canceled\":2}");
}

static void
canceled_tasks_get_the_times_of_the_cancelation(void **state)
{
    struct fixture *f = *state;
    struct task canceled, cancelation;
    (void) add_import(f, "a");
    (void) add_cancelation(f, "0");
    fixture_start(f);
    run_until(f, is_settled);
    struct store_txn *txn = turn_read(f->turn);
    assert_int_equal(queue_task_get(f->queue, txn, 0, &canceled), 1);
    assert_int_equal(queue_task_get(f->queue, txn, 1, &cancelation), 1);
    store_abort(txn);
    assert_int_equal(canceled.started_at_ns, cancelation.started_at_ns);
    assert_int_equal(canceled.finished_at_ns, cancelation.finished_at_ns);
    assert_int_equal(cancelation.canceled_by, TASK_NONE);
    assert_null(cancelation.matched);
    task_done(&canceled);
    task_done(&cancelation);
}

static void
cancelation_of_a_running_task_rolls_its_batch_back(void **state)
{
    struct fixture *f = *state;
    f->hold = STAGE_STEP;
    f->watches = false; /* processing -> enqueued -> processing is what is tested */
    (void) add_import(f, "a");
    (void) add_import(f, "a");
    fixture_start(f);
    run_until(f, is_holding);
    assert_int_equal(batch_of(f, 0), 0);
    (void) add_cancelation(f, "1");
    run_turns(f, 20); /* it is stored, and seen between two slices */
    f->hold = STAGE_NONE;
    run_until(f, is_settled);
    assert_int_equal(f->calls[STAGE_ABORT], 1);
    assert_int_equal(f->calls[STAGE_COMMIT], 1);
    assert_int_equal(batch_of(f, 2), 0); /* the uid of the aborted batch is used again */
    assert_int_equal(status_of(f, 1), TASK_CANCELED);
    assert_int_equal(status_of(f, 0), TASK_SUCCEEDED);
    assert_int_equal(batch_of(f, 0), 1);
    assert_int_equal(f->events, 2);
}

static void
cancelation_of_others_lets_the_batch_run(void **state)
{
    struct fixture *f = *state;
    f->hold = STAGE_STEP;
    (void) add_import(f, "a");
    (void) add_import(f, "b");
    fixture_start(f);
    run_until(f, is_holding);
    (void) add_cancelation(f, "1");
    run_turns(f, 20);
    assert_int_equal(status_of(f, 0), TASK_PROCESSING);
    f->hold = STAGE_NONE;
    run_until(f, is_settled);
    assert_int_equal(f->calls[STAGE_ABORT], 0);
    assert_int_equal(status_of(f, 0), TASK_SUCCEEDED);
    assert_int_equal(batch_of(f, 0), 0);
    assert_int_equal(status_of(f, 1), TASK_CANCELED);
}

static void
cancelation_added_in_the_turn_that_opens_the_batch_is_heard(void **state)
{
    struct fixture *f = *state;
    f->watches = false;
    (void) add_import(f, "a");
    run_turns(f, 2);
    f->hold = STAGE_PREPARE;
    fixture_start(f);
    while (rows_in(f, TABLE_META) < 3) { /* the run record and its id */
        if (queue_stats(f->queue).enqueued == 1)
            run_turns(f, 1);
    }
    (void) add_cancelation(f, "0");
    f->hold = STAGE_NONE;
    run_until(f, is_settled);
    assert_int_equal(status_of(f, 0), TASK_CANCELED);
    assert_int_equal(f->calls[STAGE_COMMIT], 0);
}

static bool
has_finish_failed(struct fixture *f)
{
    return f->calls[STAGE_FINISH] >= 1;
}

static void
nothing_cancels_after_the_commit(void **state)
{
    struct fixture *f = *state;
    f->hold = STAGE_FINISH;
    (void) add_import(f, "a");
    fixture_start(f);
    run_until(f, has_finish_failed);
    (void) add_cancelation(f, "0");
    run_turns(f, 20);
    f->hold = STAGE_NONE;
    run_until(f, is_settled);
    assert_int_equal(status_of(f, 0), TASK_SUCCEEDED);
    assert_int_equal(batch_of(f, 0), 0);
    expect_in(task_json(f, 1), "\"status\":\"succeeded\"");
    expect_in(task_json(f, 1), "\"canceledTasks\":0");
}

static bool
is_canceled(struct fixture *f)
{
    return status_of(f, 1) == TASK_CANCELED;
}

static void
cancelation_runs_during_a_pause(void **state)
{
    struct fixture *f = *state;
    f->must_wait = true;
    (void) add_import(f, "a");
    (void) add_import(f, "b");
    (void) add_import(f, "c");
    fixture_start(f);
    while (!queue_stats(f->queue).waiting)
        run_turns(f, 1);
    (void) add_cancelation(f, "1");
    run_until(f, is_canceled);
    queue_announced(f->queue, 0);
    run_turns(f, 20);
    assert_int_equal(status_of(f, 2), TASK_ENQUEUED); /* the cancelation's own is owed, too */
    f->must_wait = false;
    queue_announced(f->queue, 1);
    run_until(f, is_settled);
    assert_int_equal(status_of(f, 2), TASK_SUCCEEDED);
}

static void
failed_cancelation_leaves_its_tasks_alone(void **state)
{
    struct fixture *f = *state;
    (void) add_import(f, "a");
    (void) add_cancelation(f, "0");
    run_turns(f, 2);
    f->fail = STAGE_STEP;
    fixture_start(f);
    while (status_of(f, 1) != TASK_FAILED)
        run_turns(f, 1);
    f->fail = STAGE_NONE;
    expect_in(task_json(f, 1), "\"canceledTasks\":0");
    run_until(f, is_settled);
    assert_true(status_of(f, 0) != TASK_CANCELED);
    expect_in(batch_json(f, 0), "\"totalNbTasks\":1");
}

static void
refused_cancelation_rolls_nothing_back(void **state)
{
    struct fixture *f = *state;
    f->hold = STAGE_STEP;
    (void) add_import(f, "a");
    fixture_start(f);
    run_until(f, is_holding);
    (void) add_cancelation(f, "0");
    turn_fail(f->turn, STORE_EIO);
    run_turns(f, 5);
    assert_int_equal(f->calls[STAGE_ABORT], 0);
    f->hold = STAGE_NONE;
    run_until(f, is_settled);
    assert_int_equal(status_of(f, 0), TASK_SUCCEEDED);
}

/* --- stopping */

static void
count_stop(void *arg)
{
    ++*(int *) arg;
}

static int stops;

static bool
has_stopped(struct fixture *f)
{
    (void) f;
    return stops == 1;
}

static void
stop_when_idle_is_at_once_and_nothing_runs_after(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    run_turns(f, 5);
    stops = 0;
    queue_stop(f->queue, count_stop, &stops);
    assert_int_equal(stops, 1);
    (void) add_import(f, "a");
    run_turns(f, 20);
    assert_int_equal(status_of(f, 0), TASK_ENQUEUED);
}

static void
stop_rolls_a_running_batch_back(void **state)
{
    struct fixture *f = *state;
    f->hold = STAGE_STEP;
    f->watches = false;
    (void) add_import(f, "a");
    fixture_start(f);
    run_until(f, is_holding);
    stops = 0;
    queue_stop(f->queue, count_stop, &stops);
    run_until(f, has_stopped);
    assert_int_equal(f->calls[STAGE_ABORT], 1);
    assert_int_equal(status_of(f, 0), TASK_ENQUEUED);
    fixture_restart(f);
    run_until(f, is_settled);
    assert_int_equal(f->calls[STAGE_RECOVER], 0); /* a stop is no crash */
    assert_int_equal(status_of(f, 0), TASK_SUCCEEDED);
}

static void
stop_after_the_commit_finishes_the_batch(void **state)
{
    struct fixture *f = *state;
    f->hold = STAGE_FINISH;
    (void) add_import(f, "a");
    (void) add_import(f, "b");
    fixture_start(f);
    run_until(f, has_finish_failed);
    f->hold = STAGE_NONE;
    stops = 0;
    queue_stop(f->queue, count_stop, &stops);
    run_until(f, has_stopped);
    assert_int_equal(status_of(f, 0), TASK_SUCCEEDED);
    assert_int_equal(status_of(f, 1), TASK_ENQUEUED);
    assert_int_equal(f->calls[STAGE_DONE], 1);
}

static void
stop_ends_though_the_store_refuses(void **state)
{
    struct fixture *f = *state;
    f->hold = STAGE_FINISH;
    (void) add_import(f, "a");
    fixture_start(f);
    run_until(f, has_finish_failed);
    stops = 0;
    queue_stop(f->queue, count_stop, &stops);
    run_until(f, has_stopped);
    f->watches = false;
    fixture_restart(f);
    run_until(f, is_settled);
    assert_int_equal(f->calls[STAGE_RECOVER], 1);
    assert_int_equal(f->calls[STAGE_PREPARE], 0);
    assert_int_equal(status_of(f, 0), TASK_SUCCEEDED);
}

/* --- large batches (invariant 13) */

enum { MANY = 600 };

static void
add_many(struct fixture *f)
{
    f->conf.max_finish_at_once = 2;
    fixture_close(f);
    fixture_open(f);
    for (int i = 0; i < MANY; i++)
        (void) add_import(f, "a");
    (void) add_import(f, "b");
    f->hold = STAGE_PREPARE; /* later changes make the tests wait elsewhere */
    fixture_start(f);
    run_until(f, is_holding);
    f->hold = STAGE_NONE;
}

static bool
has_hidden_results(struct fixture *f)
{
    return rows_in(f, TABLE_TASK_RESULTS) > 0 && rows_in(f, TABLE_BATCHES) == 0;
}

static bool
is_moving(struct fixture *f)
{
    uint64_t left = rows_in(f, TABLE_TASK_RESULTS);
    return left > 0 && left < MANY && rows_in(f, TABLE_BATCHES) == 1;
}

static void
run_turns_until(struct fixture *f, bool (*condition)(struct fixture *f))
{
    for (int i = 0; !condition(f); i++) {
        assert_true(i < 100000);
        run_turns(f, 1);
    }
}

static void
expect_many_finished(struct fixture *f)
{
    struct buf wanted = BUF_INIT;
    run_until(f, is_settled);
    for (uint32_t uid = 0; uid < MANY; uid++)
        assert_int_equal(status_of(f, uid), TASK_SUCCEEDED);
    buf_addf(&wanted, "\"status\":{\"succeeded\":%d}", MANY);
    expect_in(batch_json(f, 0), buf_cstr(&wanted));
    buf_done(&wanted);
    assert_int_equal(batch_of(f, MANY), 1);
    assert_int_equal(rows_in(f, TABLE_TASK_QUEUE), 0);
    assert_int_equal(rows_in(f, TABLE_TASK_QUEUE_INDEX), 0);
    assert_int_equal(rows_in(f, TABLE_TASKS), MANY + 1);
}

static void
large_batch_is_finished_in_pieces_and_becomes_visible_at_once(void **state)
{
    struct fixture *f = *state;
    add_many(f);
    run_turns_until(f, has_hidden_results);
    assert_int_equal(status_of(f, 0), TASK_PROCESSING);
    assert_int_equal(status_of(f, MANY - 1), TASK_PROCESSING);
    run_turns_until(f, is_moving);
    for (uint32_t uid = 0; uid < MANY; uid++)
        assert_int_equal(status_of(f, uid), TASK_SUCCEEDED);
    assert_int_equal(queue_stats(f->queue).enqueued, 1);
    expect_in(batch_json(f, 0), "\"progress\":null");
    expect_many_finished(f);
    assert_int_equal(f->events, 2);
    assert_int_equal(f->discarded, 0);
    assert_int_equal(f->calls[STAGE_DONE], 2);
}

static void
crash_between_pieces_writes_them_again(void **state)
{
    struct fixture *f = *state;
    add_many(f);
    run_turns_until(f, has_hidden_results);
    fixture_restart(f);
    f->watches = false;
    run_turns(f, 1);
    expect_many_finished(f);
    assert_int_equal(f->calls[STAGE_RECOVER], 1);
    assert_int_equal(f->calls[STAGE_PREPARE], 1); /* of the other index */
}

static void
crash_before_the_commit_drops_hidden_results(void **state)
{
    struct fixture *f = *state;
    add_many(f);
    run_turns_until(f, has_hidden_results);
    f->applied_run = 0; /* as if the operation had no environment of its own */
    fixture_restart(f);
    f->watches = false;
    expect_many_finished(f);
    assert_int_equal(f->calls[STAGE_PREPARE], 2);
}

static void
crash_while_moving_goes_on_moving(void **state)
{
    struct fixture *f = *state;
    add_many(f);
    run_turns_until(f, is_moving);
    fixture_restart(f);
    assert_int_equal(status_of(f, 0), TASK_SUCCEEDED);
    assert_int_equal(status_of(f, MANY - 1), TASK_SUCCEEDED);
    assert_int_equal(status_of(f, MANY), TASK_ENQUEUED);
    expect_many_finished(f);
    assert_int_equal(f->calls[STAGE_RECOVER], 0);
    assert_int_equal(f->calls[STAGE_PREPARE], 1);
}

static void
refused_piece_starts_the_finishing_over(void **state)
{
    struct fixture *f = *state;
    add_many(f);
    run_turns_until(f, has_hidden_results);
    (void) turn_txn(f->turn);
    turn_fail(f->turn, STORE_EIO);
    f->event_refused = true; /* the small commit, too */
    expect_many_finished(f);
    assert_true(f->discarded <= 1);
    assert_int_equal(f->events, 2);
    assert_int_equal(f->calls[STAGE_COMMIT], 2);
}

static void
large_cancelation_is_moved_too(void **state)
{
    struct fixture *f = *state;
    f->conf.max_finish_at_once = 2;
    fixture_close(f);
    fixture_open(f);
    for (int i = 0; i < MANY; i++)
        (void) add_import(f, i % 2 == 0 ? "a" : "b");
    (void) add_cancelation(f, "0-598");
    fixture_start(f);
    run_until(f, is_settled);
    for (uint32_t uid = 0; uid < MANY - 1; uid++)
        assert_int_equal(status_of(f, uid), TASK_CANCELED);
    assert_int_equal(status_of(f, MANY - 1), TASK_SUCCEEDED);
    expect_in(task_json(f, 5), "\"canceledBy\":600");
    assert_int_equal(rows_in(f, TABLE_TASK_QUEUE), 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(cancelation_cancels_what_is_enqueued),
        CASE(canceled_tasks_get_the_times_of_the_cancelation),
        CASE(cancelation_of_a_running_task_rolls_its_batch_back),
        CASE(cancelation_of_others_lets_the_batch_run),
        CASE(cancelation_added_in_the_turn_that_opens_the_batch_is_heard),
        CASE(nothing_cancels_after_the_commit),
        CASE(cancelation_runs_during_a_pause),
        CASE(failed_cancelation_leaves_its_tasks_alone),
        CASE(refused_cancelation_rolls_nothing_back),
        CASE(stop_when_idle_is_at_once_and_nothing_runs_after),
        CASE(stop_rolls_a_running_batch_back),
        CASE(stop_after_the_commit_finishes_the_batch),
        CASE(stop_ends_though_the_store_refuses),
        CASE(large_batch_is_finished_in_pieces_and_becomes_visible_at_once),
        CASE(crash_between_pieces_writes_them_again),
        CASE(crash_before_the_commit_drops_hidden_results),
        CASE(crash_while_moving_goes_on_moving),
        CASE(refused_piece_starts_the_finishing_over),
        CASE(large_cancelation_is_moved_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
