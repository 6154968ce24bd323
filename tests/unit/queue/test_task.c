/* Tasks: names, the record, the JSON of contract 2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "queue/task.h"

static int64_t
at(const char *text)
{
    int64_t ns = 0;
    assert_true(clock_parse(str_from(text), &ns));
    return ns;
}

static void
full_task(struct task *t)
{
    task_init(t);
    t->uid = 7;
    t->batch_uid = 3;
    t->canceled_by = 9;
    t->kind = KIND_INDEX_SWAP;
    t->status = TASK_CANCELED;
    t->role = ROLE_ALONE;
    t->index_uid = mem_strdup("movies");
    t->also_indexes = mem_new(2, sizeof(*t->also_indexes));
    t->also_indexes[0] = mem_strdup("a");
    t->also_indexes[1] = mem_strdup("b");
    t->n_also_indexes = 2;
    t->details = mem_strdup("{\"swaps\":[]}");
    (void) err_set(&t->error, ERR_INDEX_NOT_FOUND, "Index `a` not found.");
    t->enqueued_at_ns = 11;
    t->started_at_ns = 22;
    t->finished_at_ns = 33;
    t->custom_metadata = mem_strdup("");
    t->primary_key = mem_strdup("id");
    t->allow_index_creation = true;
    t->params = mem_strdup("{}");
    t->matched = mem_strdup("0-5");
    t->payload_file = uuid_v4();
    t->payload_size = 1ull << 40;
}

static void
names_are_found_in_any_case(void **state)
{
    enum task_kind kind;
    enum task_status status;
    (void) state;
    for (int i = 0; i < KIND_COUNT; i++) {
        assert_true(task_kind_from_name(str_from(task_kind_name((enum task_kind) i)), &kind));
        assert_int_equal(kind, i);
    }
    for (int i = 0; i < TASK_STATUS_COUNT; i++) {
        assert_true(
            task_status_from_name(str_from(task_status_name((enum task_status) i)), &status));
        assert_int_equal(status, i);
    }
    assert_true(task_kind_from_name(STR("INDEXSWAP"), &kind));
    assert_int_equal(kind, KIND_INDEX_SWAP);
    assert_false(task_kind_from_name(STR("indexSwa"), &kind));
    assert_false(task_status_from_name(STR(""), &status));
}

static void
record_keeps_every_field(void **state)
{
    struct task a, b;
    struct buf record = BUF_INIT, again = BUF_INIT;
    (void) state;
    full_task(&a);
    task_encode(&record, &a);
    assert_int_equal(task_decode(&b, buf_str(&record)), 0);
    task_encode(&again, &b);
    assert_true(str_equal(buf_str(&record), buf_str(&again)));
    assert_int_equal(b.n_also_indexes, 2);
    assert_string_equal(b.also_indexes[1], "b");
    assert_int_equal(b.error.code, ERR_INDEX_NOT_FOUND);
    assert_string_equal(b.custom_metadata, "");
    assert_string_equal(b.matched, "0-5");
    assert_true(uuid_equal(&a.payload_file, &b.payload_file));
    assert_int_equal(b.payload_size, a.payload_size);
    buf_done(&record);
    buf_done(&again);
    task_done(&a);
    task_done(&b);
}

static void
cut_or_foreign_record_is_refused(void **state)
{
    struct task a, b;
    struct buf record = BUF_INIT;
    (void) state;
    full_task(&a);
    task_encode(&record, &a);
    for (size_t len = 0; len < record.len; len++)
        assert_int_equal(task_decode(&b, str_make(record.data, len)), STORE_ECORRUPT);
    record.data[0] = 99; /* the version */
    assert_int_equal(task_decode(&b, buf_str(&record)), STORE_ECORRUPT);
    buf_done(&record);
    task_done(&a);
}

static void
expect_json(const struct task *t, const char *json)
{
    struct buf out = BUF_INIT;
    task_write_json(&out, t);
    assert_string_equal(buf_cstr(&out), json);
    buf_done(&out);
}

static void
json_of_a_finished_task_is_the_contracts(void **state)
{
    struct task t;
    (void) state;
    task_init(&t);
    t.uid = 0;
    t.batch_uid = 0;
    t.index_uid = mem_strdup("movies");
    t.status = TASK_SUCCEEDED;
    t.kind = KIND_DOCUMENT_ADDITION_OR_UPDATE;
    t.details = mem_strdup("{\"receivedDocuments\":1,\"indexedDocuments\":1}");
    t.enqueued_at_ns = at("2023-02-07T12:44:34.026971537Z");
    t.started_at_ns = at("2023-02-07T12:44:34.46367463Z");
    t.finished_at_ns = at("2023-02-07T12:44:34.771358528Z");
    expect_json(&t, "{\"uid\":0,\"batchUid\":0,\"indexUid\":\"movies\",\"status\":\"succeeded\","
                    "\"type\":\"documentAdditionOrUpdate\",\"canceledBy\":null,"
                    "\"details\":{\"receivedDocuments\":1,\"indexedDocuments\":1},\"error\":null,"
                    "\"duration\":\"PT0.307683898S\","
                    "\"enqueuedAt\":\"2023-02-07T12:44:34.026971537Z\","
                    "\"startedAt\":\"2023-02-07T12:44:34.46367463Z\","
                    "\"finishedAt\":\"2023-02-07T12:44:34.771358528Z\"}");
    task_done(&t);
}

static void
json_of_an_enqueued_task_shows_nulls_and_metadata(void **state)
{
    struct task t;
    (void) state;
    task_init(&t);
    t.uid = 4;
    t.kind = KIND_SNAPSHOT_CREATION;
    t.enqueued_at_ns = at("2024-01-02T03:04:05Z");
    t.custom_metadata = mem_strdup("a\"b");
    expect_json(&t, "{\"uid\":4,\"batchUid\":null,\"indexUid\":null,\"status\":\"enqueued\","
                    "\"type\":\"snapshotCreation\",\"canceledBy\":null,\"error\":null,"
                    "\"duration\":null,\"enqueuedAt\":\"2024-01-02T03:04:05Z\",\"startedAt\":null,"
                    "\"finishedAt\":null,\"customMetadata\":\"a\\\"b\"}");
    task_done(&t);
}

static void
json_of_a_failed_task_holds_the_error_object(void **state)
{
    struct task t;
    struct buf out = BUF_INIT;
    (void) state;
    task_init(&t);
    t.uid = 1;
    t.status = TASK_FAILED;
    t.kind = KIND_INDEX_CREATION;
    t.details = mem_strdup("{\"primaryKey\":null}");
    (void) err_set(&t.error, ERR_INDEX_ALREADY_EXISTS, "Index `x` already exists.");
    task_write_json(&out, &t);
    assert_non_null(strstr(
        buf_cstr(&out),
        "\"details\":{\"primaryKey\":null},\"error\":{\"message\":\"Index `x` already exists.\","
        "\"code\":\"index_already_exists\",\"type\":\"invalid_request\",\"link\":"
        "\"https://docs.meilisearch.com/errors#index_already_exists\"},\"duration\":null,"));
    buf_done(&out);
    task_done(&t);
}

static void
negative_duration_is_null(void **state)
{
    struct task t;
    struct buf out = BUF_INIT;
    (void) state;
    task_init(&t);
    t.started_at_ns = at("2024-01-02T03:04:06Z");
    t.finished_at_ns = at("2024-01-02T03:04:05Z");
    task_write_json(&out, &t);
    assert_non_null(strstr(buf_cstr(&out), "\"duration\":null,"));
    buf_done(&out);
}

static void
summary_has_five_keys_and_metadata_last(void **state)
{
    struct task t;
    struct buf out = BUF_INIT;
    (void) state;
    task_init(&t);
    t.uid = 1;
    t.index_uid = mem_strdup("movies");
    t.enqueued_at_ns = at("2024-01-02T03:04:05.1Z");
    task_write_summary(&out, &t);
    assert_string_equal(buf_cstr(&out), "{\"taskUid\":1,\"indexUid\":\"movies\",\"status\":"
                                        "\"enqueued\",\"type\":\"documentAdditionOrUpdate\","
                                        "\"enqueuedAt\":\"2024-01-02T03:04:05.1Z\"}");
    t.custom_metadata = mem_strdup("x");
    buf_clear(&out);
    task_write_summary(&out, &t);
    assert_non_null(strstr(buf_cstr(&out), ",\"customMetadata\":\"x\"}"));
    buf_done(&out);
    task_done(&t);
}

static void
failing_zeroes_the_own_counter_only(void **state)
{
    static const struct {
        enum task_kind kind;
        const char *before, *after;
    } rows[] = {
        {KIND_DOCUMENT_ADDITION_OR_UPDATE, "{\"receivedDocuments\":5,\"indexedDocuments\":null}",
         "{\"receivedDocuments\":5,\"indexedDocuments\":0}"},
        {KIND_DOCUMENT_DELETION,
         "{\"providedIds\":2,\"deletedDocuments\":null,\"originalFilter\":null}",
         "{\"providedIds\":2,\"deletedDocuments\":0,\"originalFilter\":null}"},
        {KIND_DOCUMENT_DELETION, "{\"deletedDocuments\":null}", "{\"deletedDocuments\":0}"},
        {KIND_DOCUMENT_EDITION,
         "{\"editedDocuments\":null,\"deletedDocuments\":null,\"originalFilter\":\"\\\"a\\\"\","
         "\"context\":{\"n\":1.10},\"function\":\"f\"}",
         "{\"editedDocuments\":0,\"deletedDocuments\":null,\"originalFilter\":\"\\\"a\\\"\","
         "\"context\":{\"n\":1.10},\"function\":\"f\"}"},
        {KIND_INDEX_DELETION, "{\"deletedDocuments\":null}", "{\"deletedDocuments\":0}"},
        {KIND_TASK_CANCELATION,
         "{\"matchedTasks\":3,\"canceledTasks\":null,\"originalFilter\":\"?uids=1\"}",
         "{\"matchedTasks\":3,\"canceledTasks\":0,\"originalFilter\":\"?uids=1\"}"},
        {KIND_TASK_DELETION, "{\"matchedTasks\":3,\"deletedTasks\":null}",
         "{\"matchedTasks\":3,\"deletedTasks\":0}"},
        {KIND_INDEX_CREATION, "{\"primaryKey\":null}", "{\"primaryKey\":null}"},
        {KIND_SETTINGS_UPDATE, "{\"stopWords\":null}", "{\"stopWords\":null}"},
        {KIND_INDEX_SWAP, "{\"swaps\":[{\"indexes\":[\"a\",\"b\"],\"rename\":false}]}",
         "{\"swaps\":[{\"indexes\":[\"a\",\"b\"],\"rename\":false}]}"},
    };
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct task t;
        task_init(&t);
        t.kind = rows[i].kind;
        t.details = mem_strdup(rows[i].before);
        task_fail_details(&t);
        assert_string_equal(t.details, rows[i].after);
        task_done(&t);
    }
}

static void
failing_without_details_adds_none(void **state)
{
    struct task t;
    (void) state;
    task_init(&t);
    t.kind = KIND_SNAPSHOT_CREATION;
    task_fail_details(&t);
    assert_null(t.details);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found_in_any_case),
        cmocka_unit_test(record_keeps_every_field),
        cmocka_unit_test(cut_or_foreign_record_is_refused),
        cmocka_unit_test(json_of_a_finished_task_is_the_contracts),
        cmocka_unit_test(json_of_an_enqueued_task_shows_nulls_and_metadata),
        cmocka_unit_test(json_of_a_failed_task_holds_the_error_object),
        cmocka_unit_test(negative_duration_is_null),
        cmocka_unit_test(summary_has_five_keys_and_metadata_last),
        cmocka_unit_test(failing_zeroes_the_own_counter_only),
        cmocka_unit_test(failing_without_details_adds_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
