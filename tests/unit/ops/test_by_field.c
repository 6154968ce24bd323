/* Documents known by a field that is not their id: which are meant, and that a batch sees what it
 * has written itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

static void
delete_by_field(struct fixture *f, const char *field, const char *value)
{
    struct ops_field where = {
        .index_uid = STR("m"), .name = str_from(field), .value = str_from(value)};
    struct ops_result result;
    assert_int_equal(ops_delete_by_field(f->ops, &where, &result, &f->err), 0);
    f->last = result.task_uid;
    buf_done(&result.summary);
}

static void
update_by_field(struct fixture *f, const char *field, const char *value, const char *patch)
{
    struct ops_field where = {
        .index_uid = STR("m"), .name = str_from(field), .value = str_from(value)};
    struct payload payload = {
        .file = UUID_NIL, .inline_bytes = str_from(patch), .size = strlen(patch)};
    struct ops_result result;
    assert_int_equal(ops_update_by_field(f->ops, &where, &payload, &result, &f->err), 0);
    f->last = result.task_uid;
    buf_done(&result.summary);
}

static void
deletion_compares_values_exactly(void **state)
{
    struct fixture *f = *state;
    add_documents(f, "m", "id",
                  "{\"id\":1,\"a\":\"x\"}\n{\"id\":2,\"a\":\"X\"}\n{\"id\":3,\"a\":\" x\"}\n"
                  "{\"id\":4,\"a\":[\"y\",\"x\"]}\n{\"id\":5,\"a\":{\"x\":1}}\n{\"id\":6}");
    fixture_run(f);
    delete_by_field(f, "a", "\"x\"");
    fixture_run(f);
    assert_task(f, f->last,
                "succeeded {\"providedIds\":0,\"deletedDocuments\":2,\"originalFilter\":"
                "\"\\\"\\\\\\\"a\\\\\\\" = \\\\\\\"x\\\\\\\"\\\"\"}");
    assert_documents(f, "m",
                     "{\"id\":2,\"a\":\"X\"}\n{\"id\":3,\"a\":\" x\"}\n{\"id\":5,\"a\":{\"x\":1}}\n"
                     "{\"id\":6}");
}

static void
numbers_and_their_texts_are_the_same_id(void **state)
{
    struct fixture *f = *state;
    add_documents(f, "m", "id",
                  "{\"id\":1,\"a\":7}\n{\"id\":2,\"a\":\"7\"}\n{\"id\":3,\"a\":7.0}\n"
                  "{\"id\":4,\"a\":18446744073709551615}\n{\"id\":5,\"a\":18446744073709551614}\n"
                  "{\"id\":6,\"a\":true}");
    fixture_run(f);
    delete_by_field(f, "a", "7");
    delete_by_field(f, "a", "18446744073709551615");
    fixture_run(f);
    assert_documents(f, "m", "{\"id\":5,\"a\":18446744073709551614}\n{\"id\":6,\"a\":true}");
}

static void
paths_lead_through_objects_arrays_and_names_with_dots(void **state)
{
    struct fixture *f = *state;
    add_documents(f, "m", "id",
                  "{\"id\":1,\"a\":{\"b\":\"x\"}}\n{\"id\":2,\"a.b\":\"x\"}\n"
                  "{\"id\":3,\"a\":[{\"b\":\"y\"},{\"b\":[\"x\"]}]}\n{\"id\":4,\"a\":\"x\"}\n"
                  "{\"id\":5,\"ab\":\"x\"}");
    fixture_run(f);
    delete_by_field(f, "a.b", "\"x\"");
    fixture_run(f);
    assert_documents(f, "m", "{\"id\":4,\"a\":\"x\"}\n{\"id\":5,\"ab\":\"x\"}");
}

static void
update_merges_into_every_document_that_matches(void **state)
{
    struct fixture *f = *state;
    add_documents(f, "m", "id",
                  "{\"id\":1,\"a\":\"x\",\"n\":1}\n{\"id\":2,\"a\":\"y\"}\n{\"id\":3,\"a\":\"x\"}");
    fixture_run(f);
    update_by_field(f, "a", "\"x\"", "{\"n\":2,\"s\":null}\n");
    fixture_run(f);
    assert_task(f, f->last, "succeeded {\"receivedDocuments\":1,\"indexedDocuments\":2}");
    assert_documents(f, "m",
                     "{\"id\":1,\"a\":\"x\",\"n\":2,\"s\":null}\n{\"id\":2,\"a\":\"y\"}\n"
                     "{\"id\":3,\"a\":\"x\",\"n\":2,\"s\":null}");
    assert_index(f, "m", "id|3|{\"a\":3,\"id\":3,\"n\":2,\"s\":2}");
}

static void
update_sees_what_its_batch_has_written(void **state)
{
    struct fixture *f = *state;
    add_documents(f, "m", "id", "{\"id\":1,\"a\":\"x\"}");
    update_by_field(f, "a", "\"x\"", "{\"a\":\"z\"}\n");
    add_documents(f, "m", "id", "{\"id\":2,\"a\":\"x\"}");
    update_by_field(f, "a", "\"x\"", "{\"n\":2}\n");
    fixture_run(f);
    assert_int_equal(batch_of(f, 0), batch_of(f, f->last));
    assert_documents(f, "m", "{\"id\":1,\"a\":\"z\"}\n{\"id\":2,\"a\":\"x\",\"n\":2}");
}

static void
update_of_a_missing_index_fails(void **state)
{
    struct fixture *f = *state;
    update_by_field(f, "a", "\"x\"", "{\"n\":2}\n");
    fixture_run(f);
    assert_task(
        f, f->last,
        "failed {\"receivedDocuments\":1,\"indexedDocuments\":0} index_not_found: Index `m` "
        "not found.");
}

static void
update_of_an_index_without_documents_changes_nothing(void **state)
{
    struct fixture *f = *state;
    create_index(f, "m", NULL);
    update_by_field(f, "a", "\"x\"", "{\"id\":1,\"n\":2}\n");
    fixture_run(f);
    assert_task(f, f->last, "succeeded {\"receivedDocuments\":1,\"indexedDocuments\":0}");
    assert_documents(f, "m", "");
}

static void
update_of_the_primary_key_fails(void **state)
{
    struct fixture *f = *state;
    add_documents(f, "m", "id", "{\"id\":1,\"a\":\"x\"}");
    fixture_run(f);
    update_by_field(f, "a", "\"x\"", "{\"id\":2}\n");
    fixture_run(f);
    assert_task(f, f->last,
                "failed {\"receivedDocuments\":1,\"indexedDocuments\":0} invalid_document_id: The "
                "primary key `id` of documents found by `a` cannot be changed.");
    assert_documents(f, "m", "{\"id\":1,\"a\":\"x\"}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(deletion_compares_values_exactly),
        TEST(numbers_and_their_texts_are_the_same_id),
        TEST(paths_lead_through_objects_arrays_and_names_with_dots),
        TEST(update_merges_into_every_document_that_matches),
        TEST(update_sees_what_its_batch_has_written),
        TEST(update_of_a_missing_index_fails),
        TEST(update_of_an_index_without_documents_changes_nothing),
        TEST(update_of_the_primary_key_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
