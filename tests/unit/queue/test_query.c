/* Sets and columns next to the tasks themselves, in every turn of the queue's work: while a batch
 * runs, while its results are moved, while indexes are renamed, while deleted tasks are removed. */
#include <stdio.h>

#include "fixture.h"

#include "base/mem.h"
#include "queue/query.h"
#include "store/tables.h"

/* Every task as it is in a turn, read once for all the questions about it. */
struct tasks {
    struct fixture *f;
    struct store_txn *txn;
    struct task *items; /* by uid */
    bool *is_there;
    uint32_t n;
};

static struct tasks
read_tasks(struct fixture *f)
{
    struct tasks all = {.f = f, .txn = turn_read(f->turn), .n = queue_next_uid(f->queue)};
    all.items = mem_new(all.n + 1, sizeof(*all.items));
    all.is_there = mem_new(all.n + 1, sizeof(*all.is_there));
    for (uint32_t uid = 0; uid < all.n; uid++) {
        int rc = queue_task_get(f->queue, all.txn, uid, &all.items[uid]);
        assert_true(rc >= 0);
        all.is_there[uid] = rc > 0;
    }
    return all;
}

static void
release_tasks(struct tasks *all)
{
    for (uint32_t uid = 0; uid < all->n; uid++)
        if (all->is_there[uid])
            task_done(&all->items[uid]);
    free(all->items);
    free(all->is_there);
    store_abort(all->txn);
}

/* Whether the query selects exactly the tasks for which holds() is true. */
static void
expect_selected(const struct tasks *all, const struct task_query *query,
                bool (*holds)(const struct task *t, const struct task_query *query))
{
    struct selection *s = selection_new(all->f->queue, query, false);
    struct bits bits;
    assert_int_equal(selection_prepare(s, all->txn, INT64_MAX), 0);
    assert_int_equal(selection_read(s, all->txn, 0, &bits), 0);
    for (uint32_t uid = 0; uid < all->n; uid++) {
        const struct task *t = &all->items[uid];
        bool is_expected = all->is_there[uid] && holds(t, query);
        if (is_expected != bits_has(&bits, uid))
            fail_msg("uid %u should%s be selected, status %s", uid, is_expected ? "" : " not",
                     all->is_there[uid] ? task_status_name(t->status) : "none");
    }
    selection_free(s);
}

static bool
has_status(const struct task *t, const struct task_query *query)
{
    return (query->statuses >> t->status & 1) != 0;
}

static bool
has_batch(const struct task *t, const struct task_query *query)
{
    return t->batch_uid == query->batch_uids[0];
}

static bool
has_canceler(const struct task *t, const struct task_query *query)
{
    return t->canceled_by == query->canceled_by[0];
}

static bool
has_index(const struct task *t, const struct task_query *query)
{
    bool has = t->index_uid != NULL && str_is(query->index_uids[0], t->index_uid);
    for (uint32_t i = 0; i < t->n_also_indexes; i++)
        has = has || str_is(query->index_uids[0], t->also_indexes[i]);
    return has;
}

static bool
has_times(const struct task *t, const struct task_query *query)
{
    return (time_range_is_all(&query->started) ||
            time_range_has(&query->started, t->started_at_ns)) &&
           (time_range_is_all(&query->finished) ||
            time_range_has(&query->finished, t->finished_at_ns)) &&
           time_range_has(&query->enqueued, t->enqueued_at_ns);
}

static void
expect_times(const struct tasks *all, uint32_t uid)
{
    const struct task *t = &all->items[uid];
    struct task_query query = TASK_QUERY_ALL;
    if (!all->is_there[uid])
        return;
    query.enqueued.after_ns = t->enqueued_at_ns - 1;
    expect_selected(all, &query, has_times);
    if (t->started_at_ns != 0)
        query.started.before_ns = t->started_at_ns + 1;
    expect_selected(all, &query, has_times);
    if (t->finished_at_ns != 0)
        query.finished.after_ns = t->finished_at_ns - 1;
    expect_selected(all, &query, has_times);
}

static void
expect_sets(const struct tasks *all)
{
    static const struct str names[] = {{"a", 1}, {"b", 1}, {"c", 1}};
    for (uint32_t i = 0; i < TASK_STATUS_COUNT; i++) {
        struct task_query query = TASK_QUERY_ALL;
        query.statuses = 1u << i;
        expect_selected(all, &query, has_status);
    }
    for (uint32_t i = 0; i < 4; i++) {
        struct task_query query = TASK_QUERY_ALL;
        query.batch_uids = &i;
        query.n_batch_uids = 1;
        expect_selected(all, &query, has_batch);
    }
    for (int i = 0; i < 3; i++) {
        struct task_query query = TASK_QUERY_ALL;
        query.index_uids = &names[i];
        query.n_index_uids = 1;
        expect_selected(all, &query, has_index);
    }
}

/* Everything, as it is in this turn. */
static void
expect_all(struct fixture *f)
{
    struct tasks all = read_tasks(f);
    expect_sets(&all);
    for (uint32_t uid = 0; uid < all.n; uid += 5) {
        struct task_query query = TASK_QUERY_ALL;
        query.canceled_by = &uid;
        query.n_canceled_by = 1;
        expect_selected(&all, &query, has_canceler);
        expect_times(&all, uid);
    }
    release_tasks(&all);
}

/* Turn by turn, until nothing is enqueued and nothing runs. */
static void
expect_until_settled(struct fixture *f)
{
    for (int turns = 0; turns < 3000; turns++) {
        expect_all(f);
        if (is_settled(f))
            break;
        run_turns(f, 1);
    }
    assert_true(is_settled(f));
    run_turns(f, 5);
    expect_all(f);
}

static void
sets_follow_a_batch(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 12; i++)
        (void) add_import(f, i % 3 == 0 ? "b" : "a");
    f->fail_member = 4;
    run_turns(f, 2);
    fixture_start(f);
    expect_until_settled(f);
}

static void
sets_follow_a_batch_whose_results_are_moved(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    f->conf.max_finish_at_once = 4;
    fixture_open(f);
    for (int i = 0; i < 1200; i++) /* more than a piece */
        (void) add_import(f, "a");
    f->fail_member = 7;
    run_turns(f, 2);
    fixture_start(f);
    expect_until_settled(f);
    assert_int_equal(rows_in(f, TABLE_TASK_RESULTS), 0);
}

static void
sets_follow_a_cancelation_whose_results_are_moved(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    f->conf.max_finish_at_once = 4;
    fixture_open(f);
    for (int i = 0; i < 40; i++)
        (void) add_import(f, i % 2 == 0 ? "a" : "b");
    (void) add_cancelation(f, "0-9,20-31");
    run_turns(f, 2);
    fixture_start(f);
    expect_until_settled(f);
    fixture_restart(f);
    expect_until_settled(f);
}

static void
sets_follow_a_renaming(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 30; i++)
        (void) add_import(f, i % 2 == 0 ? "a" : "c");
    f->rename_a = "a";
    f->rename_b = "b";
    f->rename_below = 20;
    run_turns(f, 2);
    fixture_start(f);
    while (f->calls[STAGE_FINISH] == 0)
        run_turns(f, 1);
    f->rename_a = NULL; /* once */
    expect_until_settled(f);
}

/* --- deletion, carried out by hand */

static void delete (struct fixture *f, const char *uids)
{
    struct uidset ranges;
    struct uidmap matched;
    uint64_t n = 0;
    uidmap_init(&matched);
    assert_true(uidset_read(&ranges, str_from(uids)));
    for (uint32_t at = 0, uid; uidset_seek(&ranges, at, &uid); at = uid + 1)
        uidmap_add(&matched, uid);
    uint32_t uid = add_task(f, &(struct task_new){.kind = KIND_TASK_DELETION,
                                                  .role = ROLE_TASK_DELETION,
                                                  .matched = &matched});
    uidset_done(&ranges);
    uidmap_done(&matched);
    run_turns(f, 2);
    struct task_deletion *d = task_deletion_new(f->queue);
    struct store_txn *txn = turn_read(f->turn);
    assert_int_equal(task_deletion_add(d, txn, uid, INT64_MAX, &n), 0);
    assert_int_equal(task_deletion_gather(d, txn, INT64_MAX), 0);
    store_abort(txn);
    assert_int_equal(task_deletion_finish(d, turn_txn(f->turn)), 0);
    run_turns(f, 1); /* durable */
    task_deletion_done(d);
    task_deletion_free(d);
}

static void
deleted_tasks_are_gone_from_every_set_at_once_and_from_the_store_soon(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 700; i++)
        (void) add_import(f, i % 2 == 0 ? "a" : "b");
    run_turns(f, 2);
    fixture_start(f);
    run_until(f, is_settled);
    delete (f, "0-599,690");
    assert_true(rows_in(f, TABLE_TASKS) > 600);
    expect_all(f);
    fixture_restart(f); /* what is left to remove is taken up */
    while (rows_in(f, TABLE_TASKS) > 100) {
        run_turns(f, 1);
        expect_all(f);
    }
    run_until(f, is_settled);
    expect_all(f);
}

static bool
is_removed(struct fixture *f)
{
    uint8_t bytes[4] = {0};
    struct store_txn *txn = turn_read(f->turn);
    int rc = store_get(txn, TABLE_BATCHES, str_make(bytes, 4), NULL);
    store_abort(txn);
    return rc == 0;
}

static void
a_batch_goes_with_its_last_task(void **state)
{
    struct fixture *f = *state;
    (void) add_import(f, "a");
    (void) add_import(f, "a");
    run_turns(f, 2);
    fixture_start(f);
    run_until(f, is_settled);
    delete (f, "0");
    run_turns(f, 20);
    expect_in(batch_json(f, 0), "\"totalNbTasks\":2");
    delete (f, "1");
    assert_string_equal(batch_json(f, 0), "");
    run_until(f, is_removed);
    run_until(f, is_settled);
}

static void
a_store_without_sets_gets_them(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 30; i++)
        (void) add_import(f, i % 2 == 0 ? "a" : "c");
    (void) add_cancelation(f, "3,4");
    run_turns(f, 2);
    fixture_start(f);
    run_until(f, is_settled);
    (void) add_import(f, "b");
    run_turns(f, 2);
    struct store_txn *txn = turn_txn(f->turn);
    assert_int_equal(store_clear(txn, TABLE_TASK_SETS), 0);
    assert_int_equal(store_clear(txn, TABLE_TASK_TIMES), 0);
    assert_int_equal(store_delete(txn, TABLE_META, STR("queue.sets")), 1);
    run_turns(f, 2);
    fixture_restart(f);
    expect_all(f);
    run_until(f, is_settled);
    expect_all(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sets_follow_a_batch, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(sets_follow_a_batch_whose_results_are_moved, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(sets_follow_a_cancelation_whose_results_are_moved,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(sets_follow_a_renaming, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
            deleted_tasks_are_gone_from_every_set_at_once_and_from_the_store_soon, fixture_setup,
            fixture_teardown),
        cmocka_unit_test_setup_teardown(a_batch_goes_with_its_last_task, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_store_without_sets_gets_them, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
