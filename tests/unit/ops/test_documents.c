/* Document batches with the real queue: contract 4.3 to 4.5 and 5.3 to 5.5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fixture.h"

#define RECEIVED(r, i) "{\"receivedDocuments\":" r ",\"indexedDocuments\":" i "}"
#define PROVIDED(p, d) "{\"providedIds\":" p ",\"deletedDocuments\":" d ",\"originalFilter\":null}"
#define CLEARED(d) "{\"deletedDocuments\":" d "}"
#define NO_CANDIDATE                                                                               \
    "index_primary_key_no_candidate_found: The primary key inference failed as the engine did "    \
    "not find any field ending with `id` in its name. Please specify the primary key manually "    \
    "using the `primaryKey` query parameter."

static void
import_creates_the_index_and_guesses_the_primary_key(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "movies", NULL, "{\"id\":1,\"t\":1.10}\n{\"id\":2}\n{\"id\":1,\"t\":\"ü\"}");
    fixture_run(f);
    assert_task(f, 0, "succeeded " RECEIVED("3", "2"));
    assert_index(f, "movies", "id|2|{\"id\":2,\"t\":1}");
    assert_documents(f, "movies", "{\"id\":1,\"t\":\"ü\"}\n{\"id\":2}");
}

static void
import_without_the_right_to_create_fails(void **state)
{
    struct fixture *f = *state;
    struct ops_documents d = {.index_uid = STR("movies")};

    add_documents_with(f, &d, "{\"id\":1}");
    fixture_run(f);
    assert_task(f, 0, "failed " RECEIVED("1", "0") " index_not_found: Index `movies` not found.");
    assert_index(f, "movies", "(missing)");
}

static void
deletion_and_clear_of_a_missing_index_fail(void **state)
{
    struct fixture *f = *state;

    delete_documents(f, "movies", "\"1\"");
    clear_documents(f, "movies");
    fixture_run(f);
    assert_task(f, 0, "failed " PROVIDED("1", "0") " index_not_found: Index `movies` not found.");
    assert_task(f, 1, "failed " CLEARED("0") " index_not_found: Index `movies` not found.");
}

static void
user_error_fails_its_own_task_only(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "movies", NULL, "{\"id\":1}");
    add_documents(f, "movies", NULL, "{\"id\":2}\n{\"id\":\"a b\"}\n{\"id\":3}");
    add_documents(f, "movies", NULL, "{\"id\":4}\n{\"title\":1.0}");
    add_documents(f, "movies", NULL, "{\"id\":5}");
    fixture_run(f);
    assert_int_equal(batch_of(f, 0), batch_of(f, 3));
    assert_task(f, 0, "succeeded " RECEIVED("1", "1"));
    assert_task(
        f, 1,
        "failed " RECEIVED(
            "3",
            "0") " invalid_document_id: Document identifier `\"a b\"` "
                 "is invalid. A document identifier can be of type integer or string, only "
                 "composed of alphanumeric characters (a-z A-Z 0-9), hyphens (-) and underscores "
                 "(_), and can not be more than 511 bytes.");
    assert_task(f, 2,
                "failed " RECEIVED("2", "0") " missing_document_id: Document doesn't have a `id` "
                                             "attribute: `{\"title\":1.0}`.");
    assert_documents(f, "movies", "{\"id\":1}\n{\"id\":5}");
}

static void
all_failed_leaves_an_empty_index_without_primary_key(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "movies", NULL, "{\"title\":1}");
    fixture_run(f);
    assert_task(f, 0, "failed " RECEIVED("1", "0") " " NO_CANDIDATE);
    assert_index(f, "movies", "null|0|{}");
}

static void
guessing_names_the_candidates(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "movies", NULL, "{\"uid\":1,\"id\":1}");
    fixture_run(f);
    assert_task(
        f, 0,
        "failed " RECEIVED(
            "1",
            "0") " index_primary_key_multiple_candidates_found: The primary "
                 "key inference failed as the engine found 2 fields ending with `id` in their "
                 "names: 'id' "
                 "and 'uid'. Please specify the primary key manually using the `primaryKey` query "
                 "parameter.");
}

static void
next_payload_may_provide_the_primary_key(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "movies", NULL, "");
    add_documents(f, "movies", NULL, "{\"title\":1}");
    delete_documents(f, "movies", "\"1\"\n\"2\"");
    add_documents(f, "movies", NULL, "{\"isbnId\":1}");
    delete_documents(f, "movies", "\"1\"\n\"7\"\n\"1\"");
    fixture_run(f);
    assert_task(f, 0, "succeeded " RECEIVED("0", "0"));
    assert_task(f, 1, "failed " RECEIVED("1", "0") " " NO_CANDIDATE);
    assert_task(f, 2, "succeeded " PROVIDED("2", "0"));
    assert_task(f, 3, "succeeded " RECEIVED("1", "1"));
    assert_task(f, 4, "succeeded " PROVIDED("3", "2"));
    assert_index(f, "movies", "isbnId|0|{}");
}

static void
empty_payload_sets_an_explicit_primary_key(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "movies", "sku", "");
    fixture_run(f);
    assert_task(f, 0, "succeeded " RECEIVED("0", "0"));
    assert_index(f, "movies", "sku|0|{}");
}

static void
other_primary_key_is_refused(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "movies", "id", "{\"id\":1,\"sku\":2}");
    add_documents(f, "movies", "sku", "{\"id\":2,\"sku\":2}");
    fixture_run(f);
    assert_task(f, 0, "succeeded " RECEIVED("1", "1"));
    assert_task(f, 1,
                "failed " RECEIVED("1", "0") " index_primary_key_already_exists: Index already "
                                             "has a primary key: `id`.");
    assert_documents(f, "movies", "{\"id\":1,\"sku\":2}");
}

static void
dotted_primary_key_works(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "movies", "a.id", "{\"a\":{\"id\":7}}\n{\"a.id\":8}");
    fixture_run(f);
    assert_task(f, 0, "succeeded " RECEIVED("2", "2"));
    assert_index(f, "movies", "a.id|2|{\"a\":1,\"a.id\":1}");
}

static void
merge_and_replace_mix_in_one_batch(void **state)
{
    struct fixture *f = *state;
    struct ops_documents d = {
        .index_uid = STR("movies"), .method = DOCUMENT_MERGE, .allow_index_creation = true};

    add_documents(f, "movies", NULL, "{\"id\":1,\"a\":1}\n{\"id\":2,\"a\":1}");
    add_documents_with(f, &d, "{\"id\":1,\"b\":1}");
    add_documents(f, "movies", NULL, "{\"id\":2,\"c\":1}");
    fixture_run(f);
    assert_int_equal(batch_of(f, 0), batch_of(f, 2));
    assert_documents(f, "movies", "{\"id\":1,\"a\":1,\"b\":1}\n{\"id\":2,\"c\":1}");
}

static void
skip_creation_ignores_unknown_documents(void **state)
{
    struct fixture *f = *state;
    struct ops_documents d = {
        .index_uid = STR("movies"), .skip_creation = true, .allow_index_creation = true};

    add_documents(f, "movies", NULL, "{\"id\":1}");
    add_documents_with(f, &d, "{\"id\":1,\"x\":1}\n{\"id\":2,\"x\":1}");
    fixture_run(f);
    assert_task(f, 1, "succeeded " RECEIVED("2", "1"));
    assert_documents(f, "movies", "{\"id\":1,\"x\":1}");
}

static void
pure_deletions_count_what_existed(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "movies", NULL, "{\"id\":1}\n{\"id\":2}\n{\"id\":3}");
    fixture_run(f);
    delete_documents(f, "movies", "\"1\"\n\"9\"\n\"1\"");
    delete_documents(f, "movies", "\"1\"\n\"2\"\n\"no \\\"id\"");
    fixture_run(f);
    assert_int_equal(batch_of(f, 1), batch_of(f, 2));
    assert_task(f, 1, "succeeded " PROVIDED("3", "1"));
    assert_task(f, 2, "succeeded " PROVIDED("3", "1"));
    assert_documents(f, "movies", "{\"id\":3}");
    assert_index(f, "movies", "id|1|{\"id\":1}");
}

static void
clear_swallows_the_batch(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "movies", NULL, "{\"id\":1}\n{\"id\":2}");
    fixture_run(f);
    add_documents(f, "movies", NULL, "{\"id\":3}");
    delete_documents(f, "movies", "\"1\"");
    clear_documents(f, "movies");
    clear_documents(f, "movies");
    fixture_run(f);
    assert_int_equal(batch_of(f, 1), batch_of(f, 4));
    assert_task(f, 1, "succeeded " RECEIVED("1", "null"));
    assert_task(f, 2, "succeeded " PROVIDED("1", "null"));
    assert_task(f, 3, "succeeded " CLEARED("2"));
    assert_task(f, 4, "succeeded " CLEARED("0"));
    assert_index(f, "movies", "id|0|{}");
}

static void
large_payload_travels_as_a_file_and_is_removed(void **state)
{
    struct fixture *f = *state;
    struct buf lines = BUF_INIT;

    for (int i = 0; i < 3000; i++)
        buf_addf(&lines, "%s{\"id\":%d,\"text\":\"some text that makes it longer %d\"}",
                 i == 0 ? "" : "\n", i, i);
    add_documents(f, "movies", NULL, buf_cstr(&lines));
    fixture_turn(f);
    assert_int_equal(count_files(f, "updates"), 1);
    fixture_run(f);
    assert_task(f, 0, "succeeded " RECEIVED("3000", "3000"));
    assert_index(f, "movies", "id|3000|{\"id\":3000,\"text\":3000}");
    fixture_settle(f);
    assert_int_equal(count_files(f, "updates"), 0);
    buf_done(&lines);
}

static void
fields_over_the_limit_fail_the_batch_with_a_prefix(void **state)
{
    struct fixture *f = *state;
    struct buf line = BUF_INIT;

    buf_add_cstr(&line, "{\"id\":1");
    for (unsigned i = 1; i < DOCUMENT_MAX_FIELDS; i++)
        buf_addf(&line, ",\"f%u\":0", i);
    buf_add_char(&line, '}');
    add_documents(f, "movies", NULL, buf_cstr(&line));
    add_documents(f, "movies", NULL, "{\"id\":2,\"more\":1}");
    fixture_run(f);
    assert_task(f, 0,
                "failed " RECEIVED("1", "0") " max_fields_limit_exceeded: Index `movies`: A "
                                             "document cannot contain more than 65,535 fields.");
    assert_task(f, 1,
                "failed " RECEIVED("1", "0") " max_fields_limit_exceeded: Index `movies`: A "
                                             "document cannot contain more than 65,535 fields.");
    assert_index(f, "movies", "null|0|{}");
    buf_done(&line);
}

static void
document_with_too_many_fields_fails_bare(void **state)
{
    struct fixture *f = *state;
    struct buf line = BUF_INIT;

    buf_add_cstr(&line, "{\"id\":1");
    for (unsigned i = 0; i < DOCUMENT_MAX_FIELDS; i++)
        buf_addf(&line, ",\"f%u\":0", i);
    buf_add_char(&line, '}');
    add_documents(f, "movies", NULL, buf_cstr(&line));
    fixture_run(f);
    assert_task(f, 0,
                "failed " RECEIVED("1", "0") " max_fields_limit_exceeded: A document cannot "
                                             "contain more than 65,535 fields.");
    buf_done(&line);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(import_creates_the_index_and_guesses_the_primary_key),
        TEST(import_without_the_right_to_create_fails),
        TEST(deletion_and_clear_of_a_missing_index_fail),
        TEST(user_error_fails_its_own_task_only),
        TEST(all_failed_leaves_an_empty_index_without_primary_key),
        TEST(guessing_names_the_candidates),
        TEST(next_payload_may_provide_the_primary_key),
        TEST(empty_payload_sets_an_explicit_primary_key),
        TEST(other_primary_key_is_refused),
        TEST(dotted_primary_key_works),
        TEST(merge_and_replace_mix_in_one_batch),
        TEST(skip_creation_ignores_unknown_documents),
        TEST(pure_deletions_count_what_existed),
        TEST(clear_swallows_the_batch),
        TEST(large_payload_travels_as_a_file_and_is_removed),
        TEST(fields_over_the_limit_fail_the_batch_with_a_prefix),
        TEST(document_with_too_many_fields_fails_bare),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
