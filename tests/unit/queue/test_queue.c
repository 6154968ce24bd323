/* Adding, reading, picking and finishing, with the running batch laid over the stored rows. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

#include "base/mem.h"
#include "store/tables.h"

/* --- adding */

static void
added_task_is_summarised_and_shown_as_enqueued(void **state)
{
    struct fixture *f = *state;
    struct buf summary = BUF_INIT;
    struct err err = ERR_INIT;
    uint32_t uid = 9;
    const struct task_new n = {
        .kind = KIND_DOCUMENT_ADDITION_OR_UPDATE,
        .role = ROLE_IMPORT,
        .index_uid = STR("movies"),
        .details = STR("{\"receivedDocuments\":1,\"indexedDocuments\":null}"),
        .custom_metadata = STR("m"),
    };
    assert_int_equal(queue_add(f->queue, &n, &uid, &summary, &err), 0);
    assert_int_equal(uid, 0);
    expect_in(buf_cstr(&summary), "{\"taskUid\":0,\"indexUid\":\"movies\",\"status\":\"enqueued\","
                                  "\"type\":\"documentAdditionOrUpdate\",\"enqueuedAt\":\"");
    expect_in(buf_cstr(&summary), ",\"customMetadata\":\"m\"}");
    assert_string_equal(task_json(f, 0), ""); /* not before the commit */
    run_turns(f, 2);
    expect_in(task_json(f, 0), "{\"uid\":0,\"batchUid\":null,\"indexUid\":\"movies\","
                               "\"status\":\"enqueued\"");
    assert_int_equal(queue_stats(f->queue).enqueued, 1);
    buf_done(&summary);
}

static void
uids_go_on_after_a_restart(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add_import(f, "a"), 0);
    assert_int_equal(add_import(f, "a"), 1);
    run_turns(f, 2);
    fixture_restart(f);
    assert_int_equal(add_import(f, "a"), 2);
}

struct adder {
    struct fixture *f;
    struct turn_waiter waiter;
    uint32_t uid;
    int result;
};

static void
add_again(void *arg, int result)
{
    struct adder *adder = arg;
    adder->result = result;
    adder->uid = add_import(adder->f, "a");
}

static void
uids_of_a_refused_turn_are_given_again(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add_import(f, "a"), 0);
    run_turns(f, 2);
    assert_int_equal(add_import(f, "a"), 1);
    assert_int_equal(add_import(f, "a"), 2);
    turn_fail(f->turn, STORE_EIO);
    run_turns(f, 2);
    assert_string_equal(task_json(f, 1), "");
    assert_int_equal(add_import(f, "a"), 1);
    run_turns(f, 2);
    expect_in(task_json(f, 1), "\"status\":\"enqueued\"");
}

static void
adding_while_a_turn_is_refused_makes_no_uid_twice(void **state)
{
    struct fixture *f = *state;
    struct adder adder = {.f = f, .waiter = {.fn = add_again, .arg = &adder}};
    turn_wait(f->turn, &adder.waiter); /* told before the queue is */
    assert_int_equal(add_import(f, "a"), 0);
    turn_fail(f->turn, STORE_EIO);
    run_turns(f, 1);
    assert_int_equal(adder.result, STORE_EIO);
    uint32_t next = add_import(f, "a");
    assert_true(next != adder.uid);
    run_turns(f, 3);
    assert_int_equal(rows_in(f, TABLE_TASKS), 2);
    expect_in(task_json(f, adder.uid), "enqueued");
    expect_in(task_json(f, next), "enqueued");
    fixture_start(f);
    run_until(f, is_settled);
    assert_int_equal(status_of(f, adder.uid), TASK_SUCCEEDED);
}

static void
below_the_floor_only_what_frees_space_is_accepted(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    uint32_t uid;
    turn_set_floor(f->turn, UINT64_MAX);
    const struct task_new import = {.role = ROLE_IMPORT, .index_uid = STR("a")};
    assert_int_equal(queue_add(f->queue, &import, &uid, NULL, &err), -1);
    assert_int_equal(err.code, ERR_NO_SPACE_LEFT_ON_DEVICE);
    err_done(&err);
    (void) add_cancelation(f, "");
    (void) add_role(f, KIND_INDEX_DELETION, ROLE_INDEX_DELETION, "a");
    run_turns(f, 2);
    assert_int_equal(rows_in(f, TABLE_TASKS), 2);
}

static bool
is_one_left(struct fixture *f)
{
    return queue_stats(f->queue).enqueued == 1 && !queue_stats(f->queue).running;
}

static void
work_that_needs_space_waits_below_the_floor_and_cancelations_do_not(void **state)
{
    struct fixture *f = *state;
    uint32_t import = add_import(f, "a"), other = add_import(f, "a");
    run_turns(f, 2);
    turn_set_floor(f->turn, UINT64_MAX);
    fixture_start(f);
    run_turns(f, 20);
    assert_int_equal(status_of(f, import), TASK_ENQUEUED);
    (void) add_cancelation(f, "1");
    run_until(f, is_one_left);
    assert_int_equal(status_of(f, other), TASK_CANCELED);
    assert_int_equal(status_of(f, import), TASK_ENQUEUED);
    turn_set_floor(f->turn, 0);
    run_until(f, is_settled);
    assert_int_equal(status_of(f, import), TASK_SUCCEEDED);
}

/* --- picking */

static void
tasks_of_one_index_run_together_and_others_wait(void **state)
{
    struct fixture *f = *state;
    (void) add_import(f, "a");
    (void) add_import(f, "b");
    (void) add_import(f, "a");
    fixture_start(f);
    run_until(f, is_settled);
    assert_int_equal(batch_of(f, 0), 0);
    assert_int_equal(batch_of(f, 1), 1);
    assert_int_equal(batch_of(f, 2), 0);
    expect_in(batch_json(f, 0), "\"batchStrategy\":\"batched all enqueued tasks for index `a`\"");
    expect_in(batch_json(f, 0), "\"details\":{\"receivedDocuments\":2,\"indexedDocuments\":2},"
                                "\"stats\":{\"totalNbTasks\":2,\"status\":{\"succeeded\":2},"
                                "\"types\":{\"documentAdditionOrUpdate\":2},"
                                "\"indexUids\":{\"a\":2},\"progressTrace\":{");
    expect_in(batch_json(f, 1), "\"batchStrategy\":\"batched all enqueued tasks\"");
    expect_in(task_json(f, 2), "\"status\":\"succeeded\"");
    assert_int_equal(rows_in(f, TABLE_TASK_QUEUE), 0);
    assert_int_equal(rows_in(f, TABLE_TASK_QUEUE_INDEX), 0);
}

static void
indexes_that_begin_alike_are_kept_apart(void **state)
{
    struct fixture *f = *state;
    (void) add_import(f, "movies");
    (void) add_import(f, "movies-2");
    (void) add_import(f, "movie");
    fixture_start(f);
    run_until(f, is_settled);
    for (uint32_t uid = 0; uid < 3; uid++)
        assert_int_equal(batch_of(f, uid), uid);
}

static void
count_limit_ends_a_batch(void **state)
{
    struct fixture *f = *state;
    f->conf.max_batched_tasks = 2;
    fixture_close(f);
    fixture_open(f);
    for (int i = 0; i < 5; i++)
        (void) add_import(f, "a");
    fixture_start(f);
    run_until(f, is_settled);
    expect_in(batch_json(f, 0), "\"batched up to configured batch limit of 2 tasks\"");
    expect_in(batch_json(f, 1), "\"batched up to configured batch limit of 2 tasks\"");
    expect_in(batch_json(f, 2), "\"batched all enqueued tasks\"");
    assert_int_equal(batch_of(f, 3), 1);
}

static uint32_t
add_payload(struct fixture *f, const struct payload *payload)
{
    return add_task(f, &(struct task_new){.kind = KIND_DOCUMENT_ADDITION_OR_UPDATE,
                                          .role = ROLE_IMPORT,
                                          .index_uid = STR("a"),
                                          .payload = payload});
}

static void
size_limit_ends_a_batch_but_one_task_always_runs(void **state)
{
    struct fixture *f = *state;
    f->conf.max_batched_bytes = 10;
    fixture_close(f);
    fixture_open(f);
    const struct payload small = {.inline_bytes = STR("12345"), .size = 5};
    const struct payload big = {.inline_bytes = STR("12345678901234567890"), .size = 20};
    (void) add_payload(f, &small);
    (void) add_payload(f, &small);
    (void) add_payload(f, &small);
    (void) add_payload(f, &big);
    fixture_start(f);
    run_until(f, is_settled);
    assert_int_equal(batch_of(f, 1), 0);
    assert_int_equal(batch_of(f, 2), 1);
    assert_int_equal(batch_of(f, 3), 2);
    expect_in(batch_json(f, 0),
              "\"batched up to configured batch size limit of 10B with a total of 10B\"");
    expect_in(batch_json(f, 1),
              "\"batched up to configured batch size limit of 10B with a total of 5B\"");
}

static void
swap_runs_alone_between_the_tasks_of_its_indexes(void **state)
{
    struct fixture *f = *state;
    const struct str both[] = {STR("a"), STR("b")};
    (void) add_import(f, "b");
    (void) add_task(f, &(struct task_new){.kind = KIND_INDEX_SWAP,
                                          .role = ROLE_ALONE,
                                          .also_indexes = both,
                                          .n_also_indexes = 2});
    (void) add_import(f, "a");
    (void) add_import(f, "b");
    fixture_start(f);
    run_until(f, is_settled);
    assert_int_equal(batch_of(f, 0), 0);
    assert_int_equal(batch_of(f, 1), 1);
    assert_int_equal(batch_of(f, 2), 2);
    assert_int_equal(batch_of(f, 3), 3);
    expect_in(batch_json(f, 0), "created batch containing only task with id 1 of type `indexSwap`");
    expect_in(batch_json(f, 1), "created batch containing only task with id 1 of type `indexSwap`");
    expect_in(batch_json(f, 1), "\"indexUids\":{}");
    assert_int_equal(rows_in(f, TABLE_TASK_QUEUE_INDEX), 0);
}

static void
swap_of_nothing_runs_alone(void **state)
{
    struct fixture *f = *state;
    (void) add_role(f, KIND_INDEX_SWAP, ROLE_ALONE, NULL);
    (void) add_role(f, KIND_INDEX_SWAP, ROLE_ALONE, NULL);
    fixture_start(f);
    run_until(f, is_settled);
    assert_int_equal(batch_of(f, 1), 1);
    assert_int_equal(status_of(f, 1), TASK_SUCCEEDED);
}

static void
task_deletions_run_first_and_together(void **state)
{
    struct fixture *f = *state;
    (void) add_import(f, "a");
    (void) add_role(f, KIND_TASK_DELETION, ROLE_TASK_DELETION, NULL);
    (void) add_import(f, "a");
    (void) add_role(f, KIND_TASK_DELETION, ROLE_TASK_DELETION, NULL);
    fixture_start(f);
    run_until(f, is_settled);
    assert_int_equal(batch_of(f, 1), 0);
    assert_int_equal(batch_of(f, 3), 0);
    assert_int_equal(batch_of(f, 0), 1);
    expect_in(batch_json(f, 0), "stopped after the last task of type `taskDeletion` because they "
                                "cannot be batched with tasks of any other type.");
}

static void
newest_cancelation_runs_first_and_alone(void **state)
{
    struct fixture *f = *state;
    (void) add_import(f, "a");
    (void) add_role(f, KIND_TASK_DELETION, ROLE_TASK_DELETION, NULL);
    (void) add_cancelation(f, "");
    (void) add_cancelation(f, "");
    fixture_start(f);
    run_until(f, is_settled);
    assert_int_equal(batch_of(f, 3), 0);
    assert_int_equal(batch_of(f, 2), 1);
    assert_int_equal(batch_of(f, 1), 2);
    assert_int_equal(batch_of(f, 0), 3);
    expect_in(batch_json(f, 0), "only task with id 3 of type `taskCancelation`");
}

static void
scheduler_with_limit_zero_never_runs(void **state)
{
    struct fixture *f = *state;
    f->conf.max_batched_tasks = 0;
    fixture_close(f);
    fixture_open(f);
    (void) add_import(f, "a");
    (void) add_cancelation(f, "0");
    fixture_start(f);
    run_turns(f, 30);
    assert_int_equal(status_of(f, 0), TASK_ENQUEUED);
    assert_int_equal(status_of(f, 1), TASK_ENQUEUED);
}

static void
kind_without_operation_fails(void **state)
{
    struct fixture *f = *state;
    (void) add_role(f, KIND_EXPORT, ROLE_ALONE, NULL);
    (void) add_role(f, KIND_INDEX_CREATION, ROLE_ALONE, "a");
    fixture_start(f);
    run_until(f, is_settled);
    assert_int_equal(status_of(f, 0), TASK_FAILED);
    expect_in(task_json(f, 1), "\"code\":\"internal\"");
    assert_int_equal(batch_of(f, 1), 1);
}

/* --- what runs */

static void
running_batch_shows_everywhere(void **state)
{
    struct fixture *f = *state;
    struct batch b;
    f->hold = STAGE_PREPARE;
    (void) add_import(f, "a");
    (void) add_import(f, "a");
    (void) add_import(f, "b");
    fixture_start(f);
    run_until(f, is_holding);
    expect_in(task_json(f, 1), "\"batchUid\":0,\"indexUid\":\"a\",\"status\":\"processing\"");
    assert_null(strstr(task_json(f, 1), "\"startedAt\":null"));
    expect_in(task_json(f, 1), "\"finishedAt\":null");
    expect_in(task_json(f, 2), "\"batchUid\":null");
    expect_in(batch_json(f, 0),
              "{\"uid\":0,\"progress\":{\"steps\":[{\"currentStep\":\"processing "
              "tasks\",\"finished\":0,\"total\":2}],\"percentage\":0.0},"
              "\"details\":{\"receivedDocuments\":2,\"indexedDocuments\":null},\"stats\":"
              "{\"totalNbTasks\":2,\"status\":{\"processing\":2},");
    struct queue_stats stats = queue_stats(f->queue);
    assert_true(stats.running);
    assert_int_equal(stats.running_batch_uid, 0);
    assert_int_equal(stats.enqueued, 1);
    assert_string_equal(queue_busy_index(f->queue), "a");
    struct store_txn *txn = turn_read(f->turn);
    assert_int_equal(queue_batch_total(f->queue, txn), 1);
    assert_int_equal(queue_task_total(f->queue, txn), 3);
    assert_int_equal(queue_batch_seek(f->queue, txn, UINT32_MAX, false, &b), 1);
    assert_int_equal(b.uid, 0);
    batch_done(&b);
    assert_int_equal(queue_batch_seek(f->queue, txn, 1, true, &b), 0);
    store_abort(txn);
    f->hold = STAGE_NONE;
    run_until(f, is_settled);
    assert_null(queue_busy_index(f->queue));
    expect_in(batch_json(f, 0), "\"progress\":null");
}

static void
progress_shows_the_operations_step(void **state)
{
    struct fixture *f = *state;
    f->hold = STAGE_STEP;
    f->steps = 0;
    for (int i = 0; i < 2; i++)
        (void) add_import(f, "a");
    fixture_start(f);
    run_until(f, is_holding);
    run_turns(f, 10);
    expect_in(batch_json(f, 0), "{\"currentStep\":\"indexing\",\"finished\":3,\"total\":4},"
                                "{\"currentStep\":\"document\",\"finished\":2,\"total\":2}],"
                                "\"percentage\":50.0}");
}

static void
batches_are_listed_in_both_directions(void **state)
{
    struct fixture *f = *state;
    struct batch b;
    for (int i = 0; i < 2; i++) {
        (void) add_import(f, "a");
        (void) add_import(f, "b");
    }
    fixture_start(f);
    run_until(f, is_settled);
    f->hold = STAGE_PREPARE;
    memset(f->calls, 0, sizeof(f->calls));
    (void) add_import(f, "c");
    run_until(f, is_holding);
    struct store_txn *txn = turn_read(f->turn);
    uint32_t expected[] = {0, 1, 2};
    uint32_t at = 0;
    for (int i = 0; i < 3; i++, at = b.uid + 1) {
        assert_int_equal(queue_batch_seek(f->queue, txn, at, true, &b), 1);
        assert_int_equal(b.uid, expected[i]);
        uint32_t uid = b.uid;
        batch_done(&b);
        b.uid = uid;
    }
    at = UINT32_MAX;
    for (int i = 2; i >= 0; i--, at = b.uid - 1) {
        assert_int_equal(queue_batch_seek(f->queue, txn, at, false, &b), 1);
        assert_int_equal(b.uid, expected[i]);
        uint32_t uid = b.uid;
        batch_done(&b);
        b.uid = uid;
    }
    store_abort(txn);
}

static void
tasks_are_listed_in_both_directions(void **state)
{
    struct fixture *f = *state;
    struct task t;
    for (int i = 0; i < 3; i++)
        (void) add_import(f, "a");
    run_turns(f, 2);
    struct store_txn *txn = turn_read(f->turn);
    assert_int_equal(queue_task_seek(f->queue, txn, UINT32_MAX, false, &t), 1);
    assert_int_equal(t.uid, 2);
    task_done(&t);
    assert_int_equal(queue_task_seek(f->queue, txn, 1, false, &t), 1);
    assert_int_equal(t.uid, 1);
    task_done(&t);
    assert_int_equal(queue_task_seek(f->queue, txn, 1, true, &t), 1);
    assert_int_equal(t.uid, 1);
    task_done(&t);
    assert_int_equal(queue_task_seek(f->queue, txn, 3, true, &t), 0);
    store_abort(txn);
}

static void
slow_operation_takes_many_slices(void **state)
{
    struct fixture *f = *state;
    f->steps = 50;
    for (int i = 0; i < 4; i++)
        (void) add_import(f, "a");
    fixture_start(f);
    run_until(f, is_settled);
    assert_true(f->calls[STAGE_STEP] > 4 * 50);
    assert_int_equal(f->calls[STAGE_COMMIT], 1);
    assert_int_equal(status_of(f, 3), TASK_SUCCEEDED);
}

/* --- failing */

static void
expect_all_failed(struct fixture *f, const char *error)
{
    (void) add_import(f, "a");
    (void) add_import(f, "a");
    fixture_start(f);
    run_until(f, is_settled);
    for (uint32_t uid = 0; uid < 2; uid++) {
        expect_in(task_json(f, uid), "\"batchUid\":0,\"indexUid\":\"a\",\"status\":\"failed\"");
        expect_in(task_json(f, uid), "{\"receivedDocuments\":1,\"indexedDocuments\":0}");
        expect_in(task_json(f, uid), error);
    }
    assert_int_equal(f->calls[STAGE_ABORT], 1);
    assert_int_equal(f->calls[STAGE_DONE], 0);
    assert_int_equal(f->calls[STAGE_FINISH], 0);
    expect_in(batch_json(f, 0), "\"status\":{\"failed\":2}");
}

static void
failed_prepare_fails_every_member_with_its_error(void **state)
{
    struct fixture *f = *state;
    f->fail = STAGE_PREPARE;
    f->fail_message = "Index `a` not found.";
    expect_all_failed(f, "{\"message\":\"Index `a` not found.\",\"code\":\"index_not_found\"");
}

static void
failed_step_rolls_back_decided_members(void **state)
{
    struct fixture *f = *state;
    f->fail = STAGE_STEP;
    expect_all_failed(f, "\"code\":\"internal\"");
}

static void
failed_commit_fails_every_member(void **state)
{
    struct fixture *f = *state;
    f->fail = STAGE_COMMIT;
    f->fail_message = "no";
    expect_all_failed(f, "{\"message\":\"no\"");
}

static void
one_member_fails_alone(void **state)
{
    struct fixture *f = *state;
    f->fail_member = 1;
    for (int i = 0; i < 3; i++)
        (void) add_import(f, "a");
    fixture_start(f);
    run_until(f, is_settled);
    assert_int_equal(status_of(f, 0), TASK_SUCCEEDED);
    assert_int_equal(status_of(f, 2), TASK_SUCCEEDED);
    expect_in(task_json(f, 1), "\"indexedDocuments\":0},\"error\":{\"message\":\"bad id\"");
    expect_in(batch_json(f, 0), "\"status\":{\"succeeded\":2,\"failed\":1}");
    expect_in(batch_json(f, 0), "{\"receivedDocuments\":3,\"indexedDocuments\":2}");
}

/* --- events and the pause */

static void
event_holds_the_lines_that_the_api_shows(void **state)
{
    struct fixture *f = *state;
    struct buf wanted = BUF_INIT;
    for (int i = 0; i < 3; i++)
        (void) add_import(f, "a");
    fixture_start(f);
    run_until(f, is_settled);
    for (uint32_t uid = 0; uid < 3; uid++)
        buf_addf(&wanted, "%s\n", task_json(f, uid));
    buf_add_cstr(&wanted, "--\n");
    assert_string_equal(buf_cstr(&f->lines), buf_cstr(&wanted));
    assert_int_equal(f->discarded, 0);
    buf_done(&wanted);
}

static void
no_listener_means_no_event(void **state)
{
    struct fixture *f = *state;
    f->listens = false;
    (void) add_import(f, "a");
    fixture_start(f);
    run_until(f, is_settled);
    assert_int_equal(f->events, 0);
    assert_int_equal(f->n_announced, 1);
    assert_int_equal(status_of(f, 0), TASK_SUCCEEDED);
}

static bool
is_paused(struct fixture *f)
{
    return queue_stats(f->queue).waiting;
}

static void
queue_pauses_until_the_batch_is_announced(void **state)
{
    struct fixture *f = *state;
    f->must_wait = true;
    (void) add_import(f, "a");
    (void) add_import(f, "b");
    fixture_start(f);
    run_until(f, is_paused);
    run_turns(f, 30);
    assert_int_equal(status_of(f, 0), TASK_SUCCEEDED);
    assert_int_equal(status_of(f, 1), TASK_ENQUEUED);
    queue_announced(f->queue, 7); /* another one's */
    run_turns(f, 30);
    assert_int_equal(status_of(f, 1), TASK_ENQUEUED);
    f->must_wait = false;
    queue_announced(f->queue, 0);
    run_until(f, is_settled);
    assert_int_equal(f->announced[1], 1);
}

static void
announcing_from_inside_means_no_pause(void **state)
{
    struct fixture *f = *state;
    f->must_wait = f->announce_inside = true;
    (void) add_import(f, "a");
    (void) add_import(f, "b");
    fixture_start(f);
    run_until(f, is_settled);
    assert_false(queue_stats(f->queue).waiting);
}

static void
pause_from_before_the_start_is_kept(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    (void) add_import(f, "a");
    (void) add_cancelation(f, "");
    assert_int_equal(queue_start(f->queue, true, &err), 0);
    f->must_wait = true;
    run_until(f, is_one_left);
    run_turns(f, 30);
    assert_int_equal(status_of(f, 0), TASK_ENQUEUED);
    assert_int_equal(status_of(f, 1), TASK_SUCCEEDED); /* cancelations run during a pause */
    queue_announced(f->queue, 0);                      /* that of the cancelation */
    run_turns(f, 30);
    assert_int_equal(status_of(f, 0), TASK_ENQUEUED);
    f->must_wait = false;
    queue_announced(f->queue, 99);
    run_until(f, is_settled);
}

/* --- finishing */

static bool
has_finish_failed(struct fixture *f)
{
    return f->calls[STAGE_FINISH] >= 2;
}

static void
refused_finish_is_retried_without_running_again(void **state)
{
    struct fixture *f = *state;
    f->hold = STAGE_FINISH;
    (void) add_import(f, "a");
    fixture_start(f);
    run_until(f, has_finish_failed);
    assert_int_equal(status_of(f, 0), TASK_PROCESSING);
    expect_in(batch_json(f, 0), "\"currentStep\":\"writing tasks to disk\",\"finished\":1");
    f->hold = STAGE_NONE;
    f->event_refused = true;
    run_until(f, is_settled);
    assert_int_equal(f->calls[STAGE_PREPARE], 1);
    assert_int_equal(f->calls[STAGE_COMMIT], 1);
    assert_int_equal(f->calls[STAGE_DONE], 1);
    assert_int_equal(f->events, 1);
    assert_int_equal(status_of(f, 0), TASK_SUCCEEDED);
}

static bool
has_no_file(struct fixture *f)
{
    struct stat st;
    char path[128];
    (void) snprintf(path, sizeof(path), "%s/updates", f->dir);
    return stat(path, &st) == 0 && is_settled(f) && rmdir(path) == 0;
}

static void
count_file(void *arg, const struct uuid *file)
{
    (void) file;
    ++*(int *) arg;
}

static void
payloads_are_removed_after_the_finish(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    struct payload inline_payload = {.inline_bytes = STR("abc"), .size = 3}, file;
    struct buf big = BUF_INIT;
    int files = 0;
    for (int i = 0; i < PAYLOAD_INLINE_MAX_BYTES + 1; i++)
        buf_add_char(&big, 'x');
    struct payload_writer *w = payload_writer_new(f->payloads);
    assert_int_equal(payload_writer_add(w, buf_str(&big), &err), 0);
    assert_int_equal(payload_writer_finish(w, &file, &err), 0);
    (void) add_payload(f, &inline_payload);
    (void) add_payload(f, &file);
    payload_writer_free(w, true);
    buf_done(&big);
    run_turns(f, 2);
    struct store_txn *txn = turn_read(f->turn);
    struct str bytes;
    assert_int_equal(queue_payload_inline(txn, 0, &bytes), 1);
    assert_true(str_is(bytes, "abc"));
    assert_int_equal(queue_payload_files(txn, count_file, &files), 0);
    assert_int_equal(files, 1);
    store_abort(txn);
    fixture_start(f);
    run_until(f, has_no_file);
    assert_int_equal(rows_in(f, TABLE_TASK_PAYLOADS), 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(added_task_is_summarised_and_shown_as_enqueued),
        CASE(uids_go_on_after_a_restart),
        CASE(uids_of_a_refused_turn_are_given_again),
        CASE(adding_while_a_turn_is_refused_makes_no_uid_twice),
        CASE(below_the_floor_only_what_frees_space_is_accepted),
        CASE(work_that_needs_space_waits_below_the_floor_and_cancelations_do_not),
        CASE(tasks_of_one_index_run_together_and_others_wait),
        CASE(indexes_that_begin_alike_are_kept_apart),
        CASE(count_limit_ends_a_batch),
        CASE(size_limit_ends_a_batch_but_one_task_always_runs),
        CASE(swap_runs_alone_between_the_tasks_of_its_indexes),
        CASE(swap_of_nothing_runs_alone),
        CASE(task_deletions_run_first_and_together),
        CASE(newest_cancelation_runs_first_and_alone),
        CASE(scheduler_with_limit_zero_never_runs),
        CASE(kind_without_operation_fails),
        CASE(running_batch_shows_everywhere),
        CASE(progress_shows_the_operations_step),
        CASE(batches_are_listed_in_both_directions),
        CASE(tasks_are_listed_in_both_directions),
        CASE(slow_operation_takes_many_slices),
        CASE(failed_prepare_fails_every_member_with_its_error),
        CASE(failed_step_rolls_back_decided_members),
        CASE(failed_commit_fails_every_member),
        CASE(one_member_fails_alone),
        CASE(event_holds_the_lines_that_the_api_shows),
        CASE(no_listener_means_no_event),
        CASE(queue_pauses_until_the_batch_is_announced),
        CASE(announcing_from_inside_means_no_pause),
        CASE(pause_from_before_the_start_is_kept),
        CASE(refused_finish_is_retried_without_running_again),
        CASE(payloads_are_removed_after_the_finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
