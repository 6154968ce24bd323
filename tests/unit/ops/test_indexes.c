/* The life of indexes with the real queue: creation, update, rename, deletion, swap, cancelation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fixture.h"

#define RECEIVED(r, i) "{\"receivedDocuments\":" r ",\"indexedDocuments\":" i "}"
#define PROVIDED(p, d) "{\"providedIds\":" p ",\"deletedDocuments\":" d ",\"originalFilter\":null}"
#define DELETED(d) "{\"deletedDocuments\":" d "}"
#define SWAP(a, b, rename) "{\"swaps\":[{\"indexes\":[\"" a "\",\"" b "\"],\"rename\":" rename "}]}"

static void
swap(struct fixture *f, const char *a, const char *b, bool rename)
{
    struct ops_swap s = {.a = str_from(a), .b = str_from(b), .rename = rename};
    struct ops_result result;

    assert_int_equal(ops_swap_indexes(f->ops, &s, 1, &result, &f->err), 0);
    f->last = result.task_uid;
    buf_done(&result.summary);
}

/* --- creation and update */

static void
creation_makes_an_empty_index(void **state)
{
    struct fixture *f = *state;

    create_index(f, "movies", "sku");
    create_index(f, "books", NULL);
    fixture_run(f);
    assert_task(f, 0, "succeeded {\"primaryKey\":\"sku\"}");
    assert_task(f, 1, "succeeded {\"primaryKey\":null}");
    assert_index(f, "movies", "sku|0|{}");
    assert_index(f, "books", "null|0|{}");
    assert_documents(f, "books", "");
}

static void
creation_of_an_existing_index_fails(void **state)
{
    struct fixture *f = *state;

    create_index(f, "movies", NULL);
    create_index(f, "movies", "id");
    fixture_run(f);
    assert_task(
        f, 1,
        "failed {\"primaryKey\":\"id\"} index_already_exists: Index `movies` already exists.");
    assert_index(f, "movies", "null|0|{}");
}

static void
update_sets_the_primary_key(void **state)
{
    struct fixture *f = *state;

    create_index(f, "movies", NULL);
    update_index(f, "movies", "sku", NULL);
    update_index(f, "movies", "isbn", NULL);
    fixture_run(f);
    assert_task(f, 1, "succeeded {\"primaryKey\":\"sku\"}");
    assert_task(f, 2, "succeeded {\"primaryKey\":\"isbn\"}");
    assert_index(f, "movies", "isbn|0|{}");
}

static void
update_cannot_change_the_primary_key_of_documents(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "movies", "id", "{\"id\":1}");
    update_index(f, "movies", "sku", NULL);
    update_index(f, "movies", "id", NULL);
    fixture_run(f);
    assert_task(f, 1,
                "failed {\"primaryKey\":\"sku\"} index_primary_key_already_exists: Index "
                "`movies`: Index already has a primary key: `id`.");
    assert_task(f, 2, "succeeded {\"primaryKey\":\"id\"}");
    assert_index(f, "movies", "id|1|{\"id\":1}");
}

static void
update_of_a_missing_index_fails(void **state)
{
    struct fixture *f = *state;

    update_index(f, "movies", "id", NULL);
    fixture_run(f);
    assert_task(f, 0, "failed {\"primaryKey\":\"id\"} index_not_found: Index `movies` not found.");
}

static void
rename_moves_the_index(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "movies", "id", "{\"id\":1}");
    update_index(f, "movies", NULL, "films");
    fixture_run(f);
    assert_task(f, 1,
                "succeeded {\"primaryKey\":null,\"oldIndexUid\":\"movies\",\"newIndexUid\":"
                "\"films\"}");
    assert_index(f, "movies", "(missing)");
    assert_documents(f, "films", "{\"id\":1}");
}

static void
rename_onto_an_existing_index_fails(void **state)
{
    struct fixture *f = *state;

    create_index(f, "movies", NULL);
    create_index(f, "films", NULL);
    update_index(f, "movies", NULL, "films");
    fixture_run(f);
    assert_task(f, 2,
                "failed {\"primaryKey\":null,\"oldIndexUid\":\"movies\",\"newIndexUid\":"
                "\"films\"} index_already_exists: Index `films` already exists.");
}

static void
rename_to_itself_changes_nothing(void **state)
{
    struct fixture *f = *state;

    create_index(f, "movies", "id");
    update_index(f, "movies", NULL, "movies");
    fixture_run(f);
    assert_task(f, 1,
                "succeeded {\"primaryKey\":null,\"oldIndexUid\":\"movies\",\"newIndexUid\":"
                "\"movies\"}");
    assert_index(f, "movies", "id|0|{}");
}

/* --- deletion */

static void
deletion_removes_row_and_files(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "movies", NULL, "{\"id\":1}\n{\"id\":2}");
    fixture_run(f);
    assert_int_equal(count_files(f, "indexes"), 1);
    delete_index(f, "movies");
    fixture_run(f);
    assert_task(f, 1, "succeeded " DELETED("2"));
    assert_index(f, "movies", "(missing)");
    assert_int_equal(count_files(f, "indexes"), 0);
}

static void
deletion_of_a_missing_index_fails(void **state)
{
    struct fixture *f = *state;

    delete_index(f, "movies");
    fixture_run(f);
    assert_task(f, 0, "failed " DELETED("0") " index_not_found: Index `movies` not found.");
}

static void
deletion_swallows_the_tasks_before_it(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "movies", NULL, "{\"id\":1}\n{\"id\":2}");
    fixture_run(f);
    add_documents(f, "movies", NULL, "{\"id\":3}");
    delete_documents(f, "movies", "\"1\"");
    clear_documents(f, "movies");
    delete_index(f, "movies");
    fixture_run(f);
    assert_int_equal(batch_of(f, 1), batch_of(f, 4));
    assert_task(f, 1, "succeeded " RECEIVED("1", "0"));
    assert_task(f, 2, "succeeded " PROVIDED("1", "0"));
    assert_task(f, 3, "succeeded " DELETED("null"));
    assert_task(f, 4, "succeeded " DELETED("2"));
}

static void
deletion_after_a_creating_import_succeeds(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "movies", NULL, "{\"id\":1}");
    delete_index(f, "movies");
    fixture_run(f);
    assert_task(f, 0, "succeeded " RECEIVED("1", "0"));
    assert_task(f, 1, "succeeded " DELETED("0"));
    assert_index(f, "movies", "(missing)");
}

/* --- swap */

static void
swap_exchanges_documents_and_the_past(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "a", NULL, "{\"id\":1}");
    add_documents(f, "b", NULL, "{\"id\":2}");
    swap(f, "a", "b", false);
    fixture_run(f);
    assert_task(f, 2, "succeeded " SWAP("a", "b", "false"));
    assert_documents(f, "a", "{\"id\":2}");
    assert_documents(f, "b", "{\"id\":1}");
    {
        struct store_txn *txn = turn_read(f->turn);
        struct task t;
        assert_int_equal(queue_task_get(f->queue, txn, 0, &t), 1);
        assert_string_equal(t.index_uid, "b");
        task_done(&t);
        store_abort(txn);
    }
}

static void
swap_names_missing_indexes(void **state)
{
    struct fixture *f = *state;

    create_index(f, "a", NULL);
    swap(f, "a", "b", false);
    swap(f, "y", "x", false);
    swap(f, "q", "r", true);
    fixture_run(f);
    assert_task(f, 1, "failed " SWAP("a", "b", "false") " index_not_found: Index `b` not found.");
    assert_task(f, 2,
                "failed " SWAP("y", "x", "false") " index_not_found: Indexes `x`, `y` not found.");
    assert_task(f, 3, "failed " SWAP("q", "r", "true") " index_not_found: Index `q` not found.");
    assert_index(f, "a", "null|0|{}");
}

static void
swap_can_rename(void **state)
{
    struct fixture *f = *state;

    create_index(f, "a", "id");
    swap(f, "a", "b", true);
    fixture_run(f);
    assert_index(f, "a", "(missing)");
    assert_index(f, "b", "id|0|{}");
}

static void
swap_refuses_to_rename_onto_existing_indexes(void **state)
{
    struct fixture *f = *state;
    struct ops_swap swaps[] = {{STR("a"), STR("y"), true}, {STR("b"), STR("x"), true}};
    struct ops_result result;

    create_index(f, "a", NULL);
    create_index(f, "b", NULL);
    create_index(f, "x", NULL);
    create_index(f, "y", NULL);
    swap(f, "a", "x", true);
    assert_int_equal(ops_swap_indexes(f->ops, swaps, 2, &result, &f->err), 0);
    buf_done(&result.summary);
    fixture_run(f);
    assert_task(f, 4,
                "failed " SWAP("a", "x", "true") " index_already_exists: Cannot rename `a` to "
                                                 "`x` as the index already exists. Hint: You can "
                                                 "remove `x` first and then do your "
                                                 "remove.");
    assert_task(
        f, 5,
        "failed {\"swaps\":[{\"indexes\":[\"a\",\"y\"],\"rename\":true},{\"indexes\":[\"b\","
        "\"x\"],\"rename\":true}]} index_already_exists: The following indexes are being renamed "
        "but cannot because their new name conflicts with an already existing index: `x`, `y`. "
        "Renaming doesn't overwrite the other index name.");
}

static void
empty_swap_succeeds(void **state)
{
    struct fixture *f = *state;
    struct ops_result result;

    assert_int_equal(ops_swap_indexes(f->ops, NULL, 0, &result, &f->err), 0);
    buf_done(&result.summary);
    fixture_run(f);
    assert_task(f, 0, "succeeded {\"swaps\":[]}");
}

/* --- cancelation */

static void
cancelation_takes_what_is_enqueued(void **state)
{
    struct fixture *f = *state;

    create_index(f, "movies", "id");
    fixture_run(f);
    add_documents(f, "movies", NULL, "{\"id\":1}");
    delete_documents(f, "movies", "\"1\"");
    clear_documents(f, "movies");
    delete_index(f, "movies");
    cancel_all(f);
    fixture_run(f);
    assert_task(f, 0, "succeeded {\"primaryKey\":\"id\"}");
    assert_task(f, 1, "canceled " RECEIVED("1", "0"));
    assert_task(f, 2, "canceled " PROVIDED("1", "0"));
    assert_task(f, 3, "canceled " DELETED("0"));
    assert_task(f, 4, "canceled " DELETED("0"));
    assert_task(
        f, 5, "succeeded {\"matchedTasks\":5,\"canceledTasks\":4,\"originalFilter\":\"?uids=*\"}");
    assert_int_equal(batch_of(f, 1), batch_of(f, 5));
    assert_index(f, "movies", "id|0|{}");
}

static void
cancelation_of_nothing_succeeds(void **state)
{
    struct fixture *f = *state;

    cancel_all(f);
    fixture_run(f);
    assert_task(
        f, 0, "succeeded {\"matchedTasks\":0,\"canceledTasks\":0,\"originalFilter\":\"?uids=*\"}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(creation_makes_an_empty_index),
        TEST(creation_of_an_existing_index_fails),
        TEST(update_sets_the_primary_key),
        TEST(update_cannot_change_the_primary_key_of_documents),
        TEST(update_of_a_missing_index_fails),
        TEST(rename_moves_the_index),
        TEST(rename_onto_an_existing_index_fails),
        TEST(rename_to_itself_changes_nothing),
        TEST(deletion_removes_row_and_files),
        TEST(deletion_of_a_missing_index_fails),
        TEST(deletion_swallows_the_tasks_before_it),
        TEST(deletion_after_a_creating_import_succeeds),
        TEST(swap_exchanges_documents_and_the_past),
        TEST(swap_names_missing_indexes),
        TEST(swap_can_rename),
        TEST(swap_refuses_to_rename_onto_existing_indexes),
        TEST(empty_swap_succeeds),
        TEST(cancelation_takes_what_is_enqueued),
        TEST(cancelation_of_nothing_succeeds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
