/* The log of status changes: numbers, order, what readers get, and that it survives a restart. */
#include "fixture.h"

#include "store/tables.h"

/* "number:kind:uid " of every change from `at` on. */
static const char *
changes_from(struct fixture *f, uint64_t at)
{
    static struct buf text;
    static const char kinds[CHANGE_KINDS] = {'e', 's', 'x'};
    struct change_reader r = {.at = at};
    struct queue_change c;
    struct store_txn *txn = turn_read(f->turn);
    int rc;
    buf_clear(&text);
    while ((rc = queue_changes_next(&r, txn, &c)) == 1)
        buf_addf(&text, "%s%llu:%c:%u", text.len > 0 ? " " : "", (unsigned long long) c.number,
                 kinds[c.kind], c.uid);
    assert_int_equal(rc, 0);
    change_reader_done(&r);
    store_abort(txn);
    return buf_cstr(&text);
}

static void
tasks_enqueued_one_after_the_other_share_a_run(void **state)
{
    struct fixture *f = *state;
    add_import(f, "a");
    add_import(f, "b");
    run_turns(f, 2);
    add_import(f, "a");
    run_turns(f, 2);
    assert_string_equal(changes_from(f, 1), "1:e:0 2:e:1 3:e:2");
    assert_int_equal(rows_in(f, TABLE_TASK_CHANGES), 1);
}

static void
a_batch_starts_and_ends_in_the_order_of_uids(void **state)
{
    struct fixture *f = *state;
    add_import(f, "a");
    add_import(f, "a");
    fixture_start(f);
    run_until(f, is_settled);
    assert_string_equal(changes_from(f, 1), "1:e:0 2:e:1 3:s:0 4:s:1 5:x:0 6:x:1");
}

static void
a_task_that_is_done_at_once_has_only_ended(void **state)
{
    struct fixture *f = *state;
    add_import(f, "a");
    add_task(f, &(struct task_new){.kind = KIND_INDEX_STAGE,
                                   .role = ROLE_ALONE,
                                   .index_uid = STR("a"),
                                   .is_done = true});
    add_import(f, "a");
    run_turns(f, 2);
    assert_string_equal(changes_from(f, 1), "1:e:0 2:x:1 3:e:2");
}

static void
reading_begins_anywhere_and_ends_at_what_is_not_there_yet(void **state)
{
    struct fixture *f = *state;
    add_import(f, "a");
    add_import(f, "a");
    fixture_start(f);
    run_until(f, is_settled);
    assert_string_equal(changes_from(f, 4), "4:s:1 5:x:0 6:x:1");
    assert_string_equal(changes_from(f, 7), "");
}

static void
a_reader_goes_on_with_what_comes_later(void **state)
{
    struct fixture *f = *state;
    struct change_reader r = {.at = 1};
    struct queue_change c;
    add_import(f, "a");
    run_turns(f, 2);
    struct store_txn *txn = turn_read(f->turn);
    assert_int_equal(queue_changes_next(&r, txn, &c), 1);
    assert_int_equal(queue_changes_next(&r, txn, &c), 0);
    store_abort(txn);
    add_import(f, "a"); /* makes the run that was read longer */
    run_turns(f, 2);
    txn = turn_read(f->turn);
    assert_int_equal(queue_changes_next(&r, txn, &c), 1);
    assert_int_equal(c.number, 2);
    assert_int_equal(c.uid, 1);
    r.at = 1; /* and back */
    assert_int_equal(queue_changes_next(&r, txn, &c), 1);
    assert_int_equal(c.uid, 0);
    store_abort(txn);
    change_reader_done(&r);
}

static void
numbers_go_on_after_a_restart(void **state)
{
    struct fixture *f = *state;
    uint64_t first, end;
    add_import(f, "a");
    run_turns(f, 2);
    fixture_restart(f);
    add_import(f, "a");
    run_turns(f, 2);
    struct store_txn *txn = turn_read(f->turn);
    assert_int_equal(queue_changes_bounds(txn, &first, &end), 0);
    store_abort(txn);
    assert_int_equal(first, 1);
    assert_true(end >= 3);
}

static void
a_batch_that_is_rolled_back_is_enqueued_again(void **state)
{
    struct fixture *f = *state;
    f->hold = STAGE_STEP;
    f->watches = false; /* a status goes back */
    add_import(f, "a");
    fixture_start(f);
    run_until(f, is_holding);
    add_cancelation(f, "0");
    run_turns(f, 20); /* it is stored, and seen between two slices */
    f->hold = STAGE_NONE;
    run_until(f, is_settled);
    expect_in(changes_from(f, 1), "1:e:0 2:s:0 3:e:1 4:e:0 5:s:1");
}

/* --- showing */

static void
a_task_is_shown_as_it_was(void **state)
{
    struct task t;
    struct queue_change c = {.kind = CHANGE_STARTED, .batch_uid = 7, .started_at_ns = 5};
    (void) state;
    task_init(&t);
    t.kind = KIND_DOCUMENT_ADDITION_OR_UPDATE;
    t.status = TASK_FAILED;
    t.batch_uid = 9;
    t.started_at_ns = 10;
    t.finished_at_ns = 11;
    t.details = strdup("{\"receivedDocuments\":1,\"indexedDocuments\":0}");
    (void) err_set(&t.error, ERR_INTERNAL, "x");
    assert_true(queue_change_show(&c, &t));
    assert_int_equal(t.status, TASK_PROCESSING);
    assert_int_equal(t.batch_uid, 7);
    assert_int_equal(t.started_at_ns, 5);
    assert_int_equal(t.finished_at_ns, 0);
    assert_false(err_is_set(&t.error));
    assert_string_equal(t.details, "{\"receivedDocuments\":1,\"indexedDocuments\":null}");
    c.kind = CHANGE_ENQUEUED;
    assert_true(queue_change_show(&c, &t));
    assert_int_equal(t.status, TASK_ENQUEUED);
    assert_int_equal(t.batch_uid, TASK_NONE);
    assert_int_equal(t.started_at_ns, 0);
    c.kind = CHANGE_ENDED;
    assert_false(queue_change_show(&c, &t)); /* it has not ended */
    task_done(&t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tasks_enqueued_one_after_the_other_share_a_run),
        TEST(a_batch_starts_and_ends_in_the_order_of_uids),
        TEST(a_task_that_is_done_at_once_has_only_ended),
        TEST(reading_begins_anywhere_and_ends_at_what_is_not_there_yet),
        TEST(a_reader_goes_on_with_what_comes_later),
        TEST(numbers_go_on_after_a_restart),
        TEST(a_batch_that_is_rolled_back_is_enqueued_again),
        cmocka_unit_test(a_task_is_shown_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
