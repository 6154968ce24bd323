/* Staged operations: how requests are read, what a deploy takes and leaves, crashes in it, and that
 * dead rows and files go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fixture.h"
#include "ops/ops_internal.h"
#include "ops/staged_items.h"
#include "store/tables.h"

/* --- reading requests */

/* The lines that come out of text fed in pieces, each followed by '|'; or "code: message". */
static void
read_in_pieces(struct buf *out, enum staged_kind kind, struct str text, size_t piece)
{
    struct staged_items *d = staged_items_new(kind, STR("id"));
    struct err err = ERR_INIT;
    struct str line;
    size_t at = 0;
    int rc = 0;

    while (rc == 0 && at < text.len) {
        staged_items_feed(d, str_slice(text, at, at + piece));
        at += piece;
        while ((rc = staged_items_next(d, &line, &err)) == 1) {
            buf_add_str(out, line);
            buf_add_char(out, '|');
        }
    }
    staged_items_end(d);
    while (rc == 0 && (rc = staged_items_next(d, &line, &err)) == 1) {
        buf_add_str(out, line);
        buf_add_char(out, '|');
        rc = 0;
    }
    if (err_is_set(&err))
        buf_addf(out, "%s: %s", err_name(err.code), err.message);
    err_done(&err);
    staged_items_free(d);
}

/* However the bytes are cut, the same comes out. */
static void
assert_items(enum staged_kind kind, const char *text, const char *expected)
{
    for (size_t piece = 1; piece <= strlen(text) + 1; piece++) {
        struct buf out = BUF_INIT;
        read_in_pieces(&out, kind, str_from(text), piece);
        assert_string_equal(buf_cstr(&out), expected);
        buf_done(&out);
    }
}

static void
a_snapshot_is_cut_into_documents(void **state)
{
    (void) state;
    assert_items(STAGED_SNAPSHOT, "[]", "");
    assert_items(STAGED_SNAPSHOT, " [ {\"id\" : 1.0e0 , \"a\":[\"]}\\\"\",{}]}\n]\t",
                 "invalid_document_id: Document identifier `1.0` is invalid. Here a document "
                 "identifier is an integer or a string of 1 to 511 bytes.");
    assert_items(STAGED_SNAPSHOT, " [ {\"id\" : 1 , \"a\":[\"]}\\\"\",{}]}\n,{\"id\":\"/x\"}]\t",
                 "{\"id\":1,\"a\":[\"]}\\\"\",{}]}|{\"id\":\"/x\"}|");
}

static void
a_notification_is_cut_into_documents_and_ids(void **state)
{
    (void) state;
    assert_items(STAGED_NOTIFY,
                 "{\"upsert\" : [{\"id\":2}] , \"remove\":[ 1,\"a\" , {\"id\":-3}],\"delete\":[],"
                 "\"ins\\u0065rt\":[{\"id\":4}]}",
                 "{\"id\":2}|\"1\"|\"a\"|\"-3\"|{\"id\":4}|");
}

static void
what_is_no_request_is_refused_where_it_fails(void **state)
{
    (void) state;
    assert_items(STAGED_NOTIFY, "{\"upsert\":[{\"id\":1},{\"id\":}]}",
                 "{\"id\":1}|malformed_payload: The json payload provided is malformed. `expected "
                 "value at line 1 column 7 in element 1 of `upsert``.");
    assert_items(STAGED_NOTIFY, "{\"x\":[]}",
                 "bad_request: Unknown field `x`: expected one of `upsert`, `remove`, `insert`, "
                 "`delete`");
    assert_items(STAGED_NOTIFY, "{\"remove\":[1]} }",
                 "\"1\"|malformed_payload: The json payload provided is malformed. `trailing "
                 "characters`.");
    assert_items(STAGED_SNAPSHOT, "[1 2]",
                 "bad_request: Element 0 of `documents` is no document: an object is expected.");
}

static void
a_document_without_id_gets_a_uuid_in_front(void **state)
{
    struct buf out = BUF_INIT;

    (void) state;
    read_in_pieces(&out, STAGED_SNAPSHOT, STR("[{\"a\":1},{}]"), 100);
    assert_int_equal(out.len, 2 * (7 + UUID_TEXT_LEN) + 9 + 3);
    assert_memory_equal(out.data, "{\"id\":\"", 7);
    assert_memory_equal(out.data + 7 + UUID_TEXT_LEN, "\",\"a\":1}|", 9);
    assert_memory_equal(out.data + out.len - 3, "\"}|", 3);
    buf_done(&out);
}

/* --- staging and deploying */

static void
stage(struct fixture *f, enum staged_kind kind, const char *lines, uint64_t n_removes)
{
    struct payload_writer *w = payload_writer_new(f->payloads);
    struct payload payload;
    struct ops_result result = {0};

    assert_int_equal(payload_writer_add(w, str_from(lines), &f->err), 0);
    assert_int_equal(payload_writer_finish(w, &payload, &f->err), 0);
    struct ops_stage s = {.index_uid = STR("source"),
                          .kind = kind,
                          .may_create = true,
                          .n_upserts = 1,
                          .n_removes = n_removes,
                          .payload = &payload};
    assert_int_equal(ops_stage(f->ops, &s, &result, &f->err), 0);
    f->last = result.task_uid;
    buf_done(&result.summary);
    fixture_turn(f);
    payload_writer_free(w, true);
}

static void
deploy(struct fixture *f)
{
    struct ops_result result = {0};

    assert_int_equal(ops_deploy(f->ops, STR("source"), &result, &f->err), 0);
    f->last = result.task_uid;
    buf_done(&result.summary);
    fixture_turn(f);
}

static uint64_t
count_rows(struct fixture *f, int table)
{
    struct store_txn *txn = turn_read(f->turn);
    uint64_t n = 0;

    assert_int_equal(store_count(txn, table, &n), 0);
    store_abort(txn);
    return n;
}

static void
settle(struct fixture *f)
{
    while (count_rows(f, TABLE_STAGING_TRASH) > 0) {
        fixture_settle(f);
        fixture_turn(f);
    }
    fixture_settle(f);
}

static void
a_deploy_applies_all_and_leaves_nothing(void **state)
{
    struct fixture *f = *state;

    stage(f, STAGED_NOTIFY, "{\"id\":\"old\"}\n", 0);
    stage(f, STAGED_SNAPSHOT, "{\"id\":\"a\"}\n{\"id\":\"b\"}\n", 0);
    stage(f, STAGED_NOTIFY, "{\"id\":\"b\",\"v\":2}\n\"a\"\n\"b\"\n", 2);
    assert_int_equal(ops_has_staged(f->ops, STR("source"), &f->err), 1);
    assert_index(f, "source", "(missing)");
    deploy(f);
    assert_int_equal(ops_has_staged(f->ops, STR("source"), &f->err), 0);
    fixture_run(f);
    assert_documents(f, "source", "{\"id\":\"b\",\"v\":2}");
    assert_index(f, "source", "id|1|{\"id\":1,\"v\":1}");
    assert_task(f, f->last,
                "succeeded {\"stagedOperations\":2,\"replaceAll\":true,\"indexedDocuments\":3,"
                "\"deletedDocuments\":2}");
    settle(f);
    assert_int_equal(count_rows(f, TABLE_STAGED), 0);
}

static void
overtaken_operations_and_their_files_go(void **state)
{
    struct fixture *f = *state;
    struct buf large = BUF_INIT;

    buf_add_cstr(&large, "{\"id\":\"a\",\"pad\":\"");
    for (int i = 0; i < PAYLOAD_INLINE_MAX_BYTES; i++)
        buf_add_char(&large, 'p');
    buf_add_cstr(&large, "\"}\n");
    for (int i = 0; i < 2 * STAGING_COLLECT_ROWS; i++)
        stage(f, STAGED_NOTIFY, "{\"id\":\"x\"}\n", 0);
    stage(f, STAGED_NOTIFY, buf_cstr(&large), 0);
    assert_int_equal(count_files(f, "updates"), 1);
    stage(f, STAGED_SNAPSHOT, "{\"id\":\"a\"}\n", 0);
    settle(f);
    assert_int_equal(count_rows(f, TABLE_STAGED), 2); /* the snapshot and its mark */
    assert_int_equal(count_files(f, "updates"), 0);
    buf_done(&large);
}

static void
staged_files_outlive_a_restart(void **state)
{
    struct fixture *f = *state;
    struct buf large = BUF_INIT;

    buf_add_cstr(&large, "{\"id\":\"a\",\"pad\":\"");
    for (int i = 0; i < PAYLOAD_INLINE_MAX_BYTES; i++)
        buf_add_char(&large, 'p');
    buf_add_cstr(&large, "\"}\n");
    stage(f, STAGED_NOTIFY, buf_cstr(&large), 0);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(count_files(f, "updates"), 1);
    deploy(f);
    fixture_run(f);
    settle(f);
    assert_int_equal(count_files(f, "updates"), 0);
    assert_index(f, "source", "id|1|{\"id\":1,\"pad\":1}");
    buf_done(&large);
}

static void
canceled_deploys_leave_what_they_would_have_applied(void **state)
{
    struct fixture *f = *state;

    stage(f, STAGED_NOTIFY, "{\"id\":\"a\",\"v\":1}\n", 0);
    deploy(f);
    stage(f, STAGED_NOTIFY, "{\"id\":\"a\",\"v\":2}\n", 0);
    deploy(f);
    cancel_all(f);
    fixture_run(f);
    assert_index(f, "source", "(missing)");
    assert_int_equal(ops_has_staged(f->ops, STR("source"), &f->err), 1);
    deploy(f);
    fixture_run(f);
    assert_documents(f, "source", "{\"id\":\"a\",\"v\":2}");
    settle(f);
    assert_int_equal(count_rows(f, TABLE_STAGED), 0);
}

static void
a_document_that_cannot_be_applied_fails_the_deploy_as_a_whole(void **state)
{
    struct fixture *f = *state;

    stage(f, STAGED_NOTIFY, "{\"id\":\"a\"}\n", 0);
    deploy(f);
    fixture_run(f);
    stage(f, STAGED_SNAPSHOT, "{\"id\":\"b\"}\n{\"name\":\"no id\"}\n", 0);
    deploy(f);
    fixture_run(f);
    assert_task(
        f, f->last,
        "failed {\"stagedOperations\":null,\"replaceAll\":null,\"indexedDocuments\":0,"
        "\"deletedDocuments\":null} missing_document_id: Index `source`: A document of task "
        "2 doesn't have a `id` attribute.");
    assert_documents(f, "source", "{\"id\":\"a\"}");
    assert_int_equal(ops_has_staged(f->ops, STR("source"), &f->err), 1);
}

/* --- crashes */

static struct fixture *crashing;

static int
finish_is_never_reached(struct batch_run *run, struct store_txn *txn)
{
    (void) run;
    (void) txn;
    loop_stop(crashing->loop);
    return STORE_EIO;
}

static int
commit_is_never_reached(struct batch_run *run, int64_t deadline_us)
{
    int rc = documents_op.step(run, deadline_us);

    if (rc == OP_DONE)
        loop_stop(crashing->loop);
    return rc == OP_DONE ? OP_MORE : rc;
}

static void
crash_with(struct fixture *f, const struct batch_op *op)
{
    crashing = f;
    queue_register_op(f->queue, BATCH_INDEX_DEPLOY, op, f->ops);
    if (!f->is_started)
        assert_int_equal(queue_start(f->queue, false, &f->err), 0);
    loop_run(f->loop);
    fixture_close(f);
    fixture_open(f);
}

static void
a_deploy_that_the_index_holds_is_only_finished(void **state)
{
    struct fixture *f = *state;
    struct batch_op op = documents_op;

    op.finish = finish_is_never_reached;
    stage(f, STAGED_NOTIFY, "{\"id\":\"a\"}\n", 0);
    deploy(f);
    fixture_run(f);
    stage(f, STAGED_NOTIFY, "\"a\"\n", 1);
    deploy(f);
    crash_with(f, &op);
    fixture_run(f);
    assert_task(f, f->last,
                "succeeded {\"stagedOperations\":1,\"replaceAll\":false,\"indexedDocuments\":0,"
                "\"deletedDocuments\":1}"); /* run again it would be 0 */
    settle(f);
    assert_int_equal(count_rows(f, TABLE_STAGED), 0);
}

static void
a_deploy_that_the_index_does_not_hold_runs_again(void **state)
{
    struct fixture *f = *state;
    struct batch_op op = documents_op;

    op.step = commit_is_never_reached;
    stage(f, STAGED_SNAPSHOT, "{\"id\":\"a\"}\n", 0);
    deploy(f);
    crash_with(f, &op);
    assert_int_equal(ops_has_staged(f->ops, STR("source"), &f->err), 0);
    fixture_run(f);
    assert_documents(f, "source", "{\"id\":\"a\"}");
}

#define ENGINE_TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_is_cut_into_documents),
        cmocka_unit_test(a_notification_is_cut_into_documents_and_ids),
        cmocka_unit_test(what_is_no_request_is_refused_where_it_fails),
        cmocka_unit_test(a_document_without_id_gets_a_uuid_in_front),
        ENGINE_TEST(a_deploy_applies_all_and_leaves_nothing),
        ENGINE_TEST(overtaken_operations_and_their_files_go),
        ENGINE_TEST(staged_files_outlive_a_restart),
        ENGINE_TEST(canceled_deploys_leave_what_they_would_have_applied),
        ENGINE_TEST(a_document_that_cannot_be_applied_fails_the_deploy_as_a_whole),
        ENGINE_TEST(a_deploy_that_the_index_holds_is_only_finished),
        ENGINE_TEST(a_deploy_that_the_index_does_not_hold_runs_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
