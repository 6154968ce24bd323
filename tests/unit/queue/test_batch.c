/* Batches: merged details, counts, the record, the JSON of contract 3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "queue/batch.h"

static void
add(struct batch *b, enum task_kind kind, enum task_status status, const char *index_uid,
    const char *details)
{
    struct task t;
    task_init(&t);
    t.kind = kind;
    t.status = status;
    t.index_uid = mem_strdup(index_uid);
    t.details = mem_strdup(details);
    batch_add_task(b, &t);
    task_done(&t);
}

static void
expect_details(struct batch *b, const char *running, const char *finished)
{
    struct buf out = BUF_INIT;
    batch_write_json(&out, b);
    struct buf wanted = BUF_INIT;
    buf_addf(&wanted, "\"details\":%s,\"stats\"", running);
    assert_non_null(strstr(buf_cstr(&out), buf_cstr(&wanted)));
    batch_finish_details(b);
    assert_string_equal(b->details, finished);
    buf_done(&out);
    buf_done(&wanted);
    batch_done(b);
}

static void
counters_are_added_and_nulls_vanish_at_the_end(void **state)
{
    struct batch b;
    (void) state;
    batch_init(&b);
    add(&b, KIND_DOCUMENT_ADDITION_OR_UPDATE, TASK_SUCCEEDED, "m",
        "{\"receivedDocuments\":2,\"indexedDocuments\":null}");
    add(&b, KIND_DOCUMENT_ADDITION_OR_UPDATE, TASK_SUCCEEDED, "m",
        "{\"receivedDocuments\":3,\"indexedDocuments\":null}");
    add(&b, KIND_DOCUMENT_DELETION, TASK_SUCCEEDED, "m",
        "{\"providedIds\":1,\"deletedDocuments\":0,\"originalFilter\":null}");
    expect_details(&b,
                   "{\"receivedDocuments\":5,\"indexedDocuments\":null,\"providedIds\":1,"
                   "\"deletedDocuments\":0,\"originalFilter\":null}",
                   "{\"receivedDocuments\":5,\"providedIds\":1,\"deletedDocuments\":0}");
}

static void
first_value_wins_and_filters_are_joined(void **state)
{
    struct batch b;
    (void) state;
    batch_init(&b);
    add(&b, KIND_TASK_DELETION, TASK_SUCCEEDED, NULL,
        "{\"matchedTasks\":1,\"deletedTasks\":1,\"originalFilter\":\"?uids=1\"}");
    add(&b, KIND_TASK_DELETION, TASK_SUCCEEDED, NULL,
        "{\"matchedTasks\":2,\"deletedTasks\":0,\"originalFilter\":\"?uids=1\\\"2\"}");
    add(&b, KIND_INDEX_CREATION, TASK_SUCCEEDED, "m", "{\"primaryKey\":null}");
    add(&b, KIND_INDEX_CREATION, TASK_SUCCEEDED, "m", "{\"primaryKey\":\"id\"}");
    add(&b, KIND_INDEX_CREATION, TASK_SUCCEEDED, "m", "{\"primaryKey\":\"other\"}");
    expect_details(&b,
                   "{\"primaryKey\":\"id\",\"matchedTasks\":3,\"deletedTasks\":1,"
                   "\"originalFilter\":\"?uids=1&?uids=1\\\"2\"}",
                   "{\"primaryKey\":\"id\",\"matchedTasks\":3,\"deletedTasks\":1,"
                   "\"originalFilter\":\"?uids=1&?uids=1\\\"2\"}");
}

static void
later_settings_win_and_resets_stay(void **state)
{
    struct batch b;
    (void) state;
    batch_init(&b);
    add(&b, KIND_SETTINGS_UPDATE, TASK_SUCCEEDED, "m",
        "{\"stopWords\":[\"a\"],\"synonyms\":{\"x\":[\"y\"]}}");
    add(&b, KIND_SETTINGS_UPDATE, TASK_SUCCEEDED, "m",
        "{\"stopWords\":null,\"pagination\":{\"maxTotalHits\":1.0}}");
    add(&b, KIND_DOCUMENT_DELETION, TASK_SUCCEEDED, "m", "{\"deletedDocuments\":4}");
    const char *merged = "{\"deletedDocuments\":4,\"stopWords\":null,\"synonyms\":{\"x\":[\"y\"]},"
                         "\"pagination\":{\"maxTotalHits\":1.0}}";
    expect_details(&b, merged, merged);
}

static void
swaps_are_appended(void **state)
{
    struct batch b;
    (void) state;
    batch_init(&b);
    add(&b, KIND_INDEX_SWAP, TASK_SUCCEEDED, NULL,
        "{\"swaps\":[{\"indexes\":[\"a\",\"b\"],\"rename\":false}]}");
    add(&b, KIND_INDEX_SWAP, TASK_SUCCEEDED, NULL, "{\"swaps\":[]}");
    add(&b, KIND_INDEX_SWAP, TASK_SUCCEEDED, NULL,
        "{\"swaps\":[{\"indexes\":[\"c\",\"d\"],\"rename\":true}]}");
    const char *merged = "{\"swaps\":[{\"indexes\":[\"a\",\"b\"],\"rename\":false},"
                         "{\"indexes\":[\"c\",\"d\"],\"rename\":true}]}";
    expect_details(&b, merged, merged);
}

static void
batch_without_details_has_an_empty_object(void **state)
{
    struct batch b;
    (void) state;
    batch_init(&b);
    add(&b, KIND_INDEX_CREATION, TASK_SUCCEEDED, "m", "{\"primaryKey\":null}");
    expect_details(&b, "{\"primaryKey\":null}", "{}");
    batch_init(&b);
    add(&b, KIND_SNAPSHOT_CREATION, TASK_SUCCEEDED, NULL, NULL);
    expect_details(&b, "{}", "{}");
}

static void
build_finished(struct batch *b)
{
    batch_init(b);
    b->uid = 5;
    b->strategy = mem_strdup("batched all enqueued tasks");
    assert_true(clock_parse(STR("2024-01-02T03:04:05Z"), &b->started_at_ns));
    b->finished_at_ns = b->started_at_ns + 100000000;
    add(b, KIND_DOCUMENT_ADDITION_OR_UPDATE, TASK_SUCCEEDED, "movies",
        "{\"receivedDocuments\":1,\"indexedDocuments\":1}");
    add(b, KIND_INDEX_SWAP, TASK_FAILED, NULL, NULL);
    add(b, KIND_DOCUMENT_ADDITION_OR_UPDATE, TASK_CANCELED, "apps", NULL);
    add(b, KIND_DOCUMENT_DELETION, TASK_SUCCEEDED, "movies", "{\"deletedDocuments\":null}");
    batch_finish_details(b);
}

static const char finished_json[] =
    "{\"uid\":5,\"progress\":null,\"details\":{\"receivedDocuments\":1,\"indexedDocuments\":1},"
    "\"stats\":{\"totalNbTasks\":4,\"status\":{\"succeeded\":2,\"failed\":1,\"canceled\":1},"
    "\"types\":{\"documentAdditionOrUpdate\":2,\"documentDeletion\":1,\"indexSwap\":1},"
    "\"indexUids\":{\"apps\":1,\"movies\":2}},\"duration\":\"PT0.100S\","
    "\"startedAt\":\"2024-01-02T03:04:05Z\",\"finishedAt\":\"2024-01-02T03:04:05.1Z\","
    "\"batchStrategy\":\"batched all enqueued tasks\"}";

static void
json_of_a_finished_batch_is_the_contracts(void **state)
{
    struct batch b;
    struct buf out = BUF_INIT;
    (void) state;
    build_finished(&b);
    batch_write_json(&out, &b);
    assert_string_equal(buf_cstr(&out), finished_json);
    buf_done(&out);
    batch_done(&b);
}

static void
record_keeps_the_batch(void **state)
{
    struct batch a, b;
    struct buf record = BUF_INIT, out = BUF_INIT;
    (void) state;
    build_finished(&a);
    batch_encode(&record, &a);
    assert_int_equal(batch_decode(&b, buf_str(&record)), 0);
    batch_write_json(&out, &b);
    assert_string_equal(buf_cstr(&out), finished_json);
    batch_done(&b);
    for (size_t len = 0; len < record.len; len++)
        assert_int_equal(batch_decode(&b, str_make(record.data, len)), STORE_ECORRUPT);
    buf_done(&record);
    buf_done(&out);
    batch_done(&a);
}

static void
record_without_a_trace_is_read(void **state)
{
    struct batch a, b;
    struct buf record = BUF_INIT, out = BUF_INIT;
    (void) state;
    build_finished(&a);
    batch_encode(&record, &a);
    record.data[0] = 1; /* the version before: all but the presence byte at the end */
    assert_int_equal(batch_decode(&b, str_make(record.data, record.len - 1)), 0);
    batch_write_json(&out, &b);
    assert_string_equal(buf_cstr(&out), finished_json);
    buf_done(&record);
    buf_done(&out);
    batch_done(&a);
    batch_done(&b);
}

static void
record_keeps_the_trace(void **state)
{
    struct batch a, b;
    struct buf record = BUF_INIT, out = BUF_INIT;
    (void) state;
    build_finished(&a);
    a.trace = mem_strdup("{\"processing tasks\":\"1.00ms\"}");
    batch_encode(&record, &a);
    assert_int_equal(batch_decode(&b, buf_str(&record)), 0);
    batch_write_json(&out, &b);
    assert_non_null(strstr(buf_cstr(&out), "\"movies\":2},\"progressTrace\":{\"processing tasks\":"
                                           "\"1.00ms\"}},\"duration\""));
    buf_done(&record);
    buf_done(&out);
    batch_done(&a);
    batch_done(&b);
}

static void
copy_of_a_running_batch_shows_the_same(void **state)
{
    struct batch a, b;
    struct buf of_a = BUF_INIT, of_b = BUF_INIT;
    (void) state;
    batch_init(&a);
    a.uid = 1;
    a.started_at_ns = 1000000000;
    add(&a, KIND_DOCUMENT_ADDITION_OR_UPDATE, TASK_PROCESSING, "movies",
        "{\"receivedDocuments\":1,\"indexedDocuments\":null}");
    batch_copy(&b, &a);
    batch_write_json(&of_a, &a);
    batch_write_json(&of_b, &b);
    assert_string_equal(buf_cstr(&of_a), buf_cstr(&of_b));
    assert_non_null(strstr(buf_cstr(&of_b), "\"status\":{\"processing\":1}"));
    assert_non_null(strstr(buf_cstr(&of_b), "\"duration\":null"));
    assert_non_null(strstr(buf_cstr(&of_b), "\"finishedAt\":null"));
    assert_non_null(strstr(buf_cstr(&of_b), "\"batchStrategy\":\"unspecified\""));
    buf_done(&of_a);
    buf_done(&of_b);
    batch_done(&a);
    batch_done(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_are_added_and_nulls_vanish_at_the_end),
        cmocka_unit_test(first_value_wins_and_filters_are_joined),
        cmocka_unit_test(later_settings_win_and_resets_stay),
        cmocka_unit_test(swaps_are_appended),
        cmocka_unit_test(batch_without_details_has_an_empty_object),
        cmocka_unit_test(json_of_a_finished_batch_is_the_contracts),
        cmocka_unit_test(record_keeps_the_batch),
        cmocka_unit_test(record_without_a_trace_is_read),
        cmocka_unit_test(record_keeps_the_trace),
        cmocka_unit_test(copy_of_a_running_batch_shows_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
