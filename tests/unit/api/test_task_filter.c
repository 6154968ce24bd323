/* The parameters that select tasks: messages, dates, and the predicate (contract 2.4, 2.6). */
#include "api/task_filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

static struct http_call call;

static int
setup(void **state)
{
    (void) state;
    call = (struct http_call){.arena = arena_new()};
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    err_done(&call.err);
    arena_free(call.arena);
    return 0;
}

static struct task_filter
list(const char *query)
{
    struct task_filter raw, ready;
    call.query = str_from(query);
    assert_int_equal(task_filter_for_list(&call, &raw), 0);
    task_filter_copy(&ready, &raw, call.arena);
    return ready;
}

static void
list_fails(const char *query, enum err_code code, const char *message)
{
    struct task_filter f;
    call.query = str_from(query);
    assert_int_equal(task_filter_for_list(&call, &f), -1);
    assert_string_equal(call.err.message, message);
    assert_int_equal(call.err.code, code);
    err_done(&call.err);
}

static int64_t
at(const char *text)
{
    int64_t ns = 0;
    assert_true(clock_parse(str_from(text), &ns));
    return ns;
}

static void
the_list_of_names_is_in_upstreams_order(void **state)
{
    (void) state;
    list_fails("doggo=1", ERR_BAD_REQUEST,
               "Unknown parameter `doggo`: expected one of `limit`, `from`, `reverse`, "
               "`batchUids`, `uids`, `canceledBy`, `types`, `statuses`, `indexUids`, "
               "`afterEnqueuedAt`, `beforeEnqueuedAt`, `afterStartedAt`, `beforeStartedAt`, "
               "`afterFinishedAt`, `beforeFinishedAt`");
}

static void
bad_values_are_told_in_upstreams_words(void **state)
{
    (void) state;
    list_fails("statuses=doggo", ERR_INVALID_TASK_STATUSES,
               "Invalid value in parameter `statuses`: `doggo` is not a valid task status. "
               "Available statuses are `enqueued`, `processing`, `succeeded`, `failed`, "
               "`canceled`.");
    list_fails("types=indexCreation,doggo", ERR_INVALID_TASK_TYPES,
               "Invalid value in parameter `types[1]`: `doggo` is not a valid task type. "
               "Available types are `documentAdditionOrUpdate`, `documentEdition`, "
               "`documentDeletion`, `settingsUpdate`, `indexCreation`, `indexDeletion`, "
               "`indexUpdate`, `indexSwap`, `taskCancelation`, `taskDeletion`, `dumpCreation`, "
               "`snapshotCreation`, `export`, `upgradeDatabase`, `indexCompaction`, "
               "`networkTopologyChange`, `dsrUpdate`, `dsrClear`.");
    list_fails("indexUids=a b", ERR_INVALID_INDEX_UID,
               "Invalid value in parameter `indexUids`: `a b` is not a valid index uid. Index uid "
               "can be an integer or a string containing only alphanumeric characters, hyphens "
               "(-) and underscores (_), and can not be more than 512 bytes.");
    list_fails("beforeEnqueuedAt=X", ERR_INVALID_TASK_BEFORE_ENQUEUED_AT,
               "Invalid value in parameter `beforeEnqueuedAt`: `X` is an invalid date-time. It "
               "should follow the YYYY-MM-DD or RFC 3339 date-time format.");
    list_fails("uids=1,cat", ERR_INVALID_TASK_UIDS,
               "Invalid value in parameter `uids[1]`: could not parse `cat` as a positive "
               "integer");
}

static void
cancel_needs_a_filter(void **state)
{
    (void) state;
    struct task_filter f;
    call.query = STR("");
    assert_int_equal(task_filter_for_change(&call, "cancel", &f), -1);
    assert_int_equal(call.err.code, ERR_MISSING_TASK_FILTERS);
    assert_string_equal(
        call.err.message,
        "Query parameters to filter the tasks to cancel are missing. Available query parameters "
        "are: `uids`, `indexUids`, `statuses`, `types`, `canceledBy`, `beforeEnqueuedAt`, "
        "`afterEnqueuedAt`, `beforeStartedAt`, `afterStartedAt`, `beforeFinishedAt`, "
        "`afterFinishedAt`.");
}

static void
cancel_knows_no_paging(void **state)
{
    (void) state;
    struct task_filter f;
    call.query = STR("limit=1");
    assert_int_equal(task_filter_for_change(&call, "cancel", &f), -1);
    assert_string_equal(call.err.message,
                        "Unknown parameter `limit`: expected one of `uids`, `batchUids`, "
                        "`canceledBy`, `types`, `statuses`, `indexUids`, `afterEnqueuedAt`, "
                        "`beforeEnqueuedAt`, `afterStartedAt`, `beforeStartedAt`, "
                        "`afterFinishedAt`, `beforeFinishedAt`");
}

static void
a_star_is_a_filter_for_cancel_but_filters_nothing(void **state)
{
    (void) state;
    static const char *const queries[] = {"uids=*", "batchUids=*", "statuses=failed,*",
                                          "afterEnqueuedAt=*", "indexUids=*&types=*"};
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        struct task_filter f;
        call.query = str_from(queries[i]);
        assert_int_equal(task_filter_for_change(&call, "cancel", &f), 0);
        struct task_query query;
        task_filter_query(&f, &query);
        assert_true(task_query_is_all(&query));
    }
}

static void
what_is_given_becomes_a_query(void **state)
{
    (void) state;
    struct task_query query;
    struct task_filter f = list("uids=3,1,3&statuses=failed&types=indexSwap&indexUids=a,b&"
                                "batchUids=7,*&afterFinishedAt=2024-05-06");
    task_filter_query(&f, &query);
    assert_int_equal(query.n_uids, 2);
    assert_int_equal(query.uids[0], 1);
    assert_int_equal(query.statuses, 1u << TASK_FAILED);
    assert_int_equal(query.types, 1u << KIND_INDEX_SWAP);
    assert_int_equal(query.n_index_uids, 2);
    assert_null(query.batch_uids);
    assert_null(query.canceled_by);
    assert_int_equal(query.finished.after_ns, at("2024-05-07T00:00:00Z"));
    assert_int_equal(query.finished.before_ns, INT64_MAX);
    assert_true(time_range_is_all(&query.started));
    assert_false(task_query_is_all(&query));
}

static struct task
sample(void)
{
    struct task t;
    task_init(&t);
    t.uid = 7;
    t.batch_uid = 2;
    t.canceled_by = TASK_NONE;
    t.kind = KIND_INDEX_SWAP;
    t.status = TASK_SUCCEEDED;
    t.index_uid = NULL;
    t.enqueued_at_ns = at("2024-05-06T07:08:09.5Z");
    return t;
}

static bool
matches(const char *query, const struct task *t)
{
    struct task_filter f = list(query);
    return task_filter_matches(&f, t);
}

static void
parameters_are_anded_and_values_ored(void **state)
{
    (void) state;
    struct task t = sample();
    assert_true(matches("", &t));
    assert_true(matches("uids=1,7&batchUids=2&statuses=FAILED,Succeeded&types=indexswap", &t));
    assert_false(matches("uids=1,7&statuses=failed", &t));
    assert_false(matches("canceledBy=0", &t));
    assert_true(matches("canceledBy=*", &t));
    task_done(&t);
}

static void
index_uids_match_swapped_indexes_which_are_then_hidden(void **state)
{
    (void) state;
    struct task t = sample();
    char *also[] = {(char[]){"a"}, (char[]){"b"}};
    t.also_indexes = also;
    t.n_also_indexes = 2;
    struct task_filter f = list("indexUids=x,b");
    assert_true(task_filter_matches(&f, &t));
    assert_true(task_filter_hides(&f, &t));
    f = list("");
    assert_false(task_filter_hides(&f, &t));
    t.also_indexes = NULL;
    t.n_also_indexes = 0;
    task_done(&t);
}

static void
dates_are_exclusive_bounds(void **state)
{
    (void) state;
    struct task t = sample();
    assert_false(matches("afterEnqueuedAt=2024-05-06T07:08:09.5Z", &t));
    assert_true(matches("afterEnqueuedAt=2024-05-06T07:08:09.499999999Z", &t));
    assert_false(matches("beforeEnqueuedAt=2024-05-06T07:08:09.5Z", &t));
    assert_true(matches("beforeEnqueuedAt=2024-05-06T09:08:10%2B02:00", &t));
    task_done(&t);
}

static void
days_exclude_themselves(void **state)
{
    (void) state;
    struct task t = sample();
    assert_false(matches("afterEnqueuedAt=2024-05-06", &t));
    assert_true(matches("afterEnqueuedAt=2024-05-05", &t));
    assert_false(matches("beforeEnqueuedAt=2024-05-06", &t));
    assert_true(matches("beforeEnqueuedAt=2024-05-07", &t));
    task_done(&t);
}

static void
tasks_without_the_date_do_not_match(void **state)
{
    (void) state;
    struct task t = sample();
    assert_false(matches("beforeFinishedAt=2030-01-01", &t));
    assert_false(matches("afterStartedAt=2000-01-01", &t));
    task_done(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_list_of_names_is_in_upstreams_order, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_values_are_told_in_upstreams_words, setup, teardown),
        cmocka_unit_test_setup_teardown(cancel_needs_a_filter, setup, teardown),
        cmocka_unit_test_setup_teardown(cancel_knows_no_paging, setup, teardown),
        cmocka_unit_test_setup_teardown(a_star_is_a_filter_for_cancel_but_filters_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_given_becomes_a_query, setup, teardown),
        cmocka_unit_test_setup_teardown(parameters_are_anded_and_values_ored, setup, teardown),
        cmocka_unit_test_setup_teardown(index_uids_match_swapped_indexes_which_are_then_hidden,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(dates_are_exclusive_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(days_exclude_themselves, setup, teardown),
        cmocka_unit_test_setup_teardown(tasks_without_the_date_do_not_match, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
