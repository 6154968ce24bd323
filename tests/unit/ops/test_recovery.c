/* Invariant 3 across a crash: what the index environment holds is not done twice, anything else is
 * run again, and orphans are swept. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "ops/ops_internal.h"

#define PROVIDED(p, d) "{\"providedIds\":" p ",\"deletedDocuments\":" d ",\"originalFilter\":null}"

static struct fixture *crashing; /* whose loop ends at the moment of the crash */

static int
finish_is_never_reached(struct batch_run *run, struct store_txn *txn)
{
    (void) run;
    (void) txn;
    loop_stop(crashing->loop);
    return STORE_EIO;
}

static int
commit_is_never_reached(struct batch_run *run)
{
    (void) run;
    loop_stop(crashing->loop);
    return OP_MORE;
}

static int
step_until_stopped(struct batch_run *run, int64_t deadline_us)
{
    int rc = documents_op.step(run, deadline_us);

    return rc == OP_DONE ? commit_is_never_reached(run) : rc;
}

/* Runs until the moment, then opens the directory again as after a SIGKILL. */
static void
crash_with(struct fixture *f, const struct batch_op *op)
{
    fixture_turn(f);
    crashing = f;
    queue_register_op(f->queue, BATCH_DOCUMENTS, op, f->ops);
    queue_register_op(f->queue, BATCH_SETTINGS, op, f->ops);
    if (!f->is_started)
        assert_int_equal(queue_start(f->queue, false, &f->err), 0);
    loop_run(f->loop);
    fixture_close(f);
    fixture_open(f);
}

static void
crash_between_the_commits(struct fixture *f)
{
    struct batch_op op = documents_op;

    op.finish = finish_is_never_reached;
    crash_with(f, &op);
}

static void
crash_before_the_first_commit(struct fixture *f)
{
    struct batch_op op = documents_op;

    op.step = step_until_stopped;
    crash_with(f, &op);
}

static void
what_the_index_holds_is_only_finished(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "movies", NULL, "{\"id\":1}\n{\"id\":2}");
    fixture_run(f);
    delete_documents(f, "movies", "\"1\"");
    delete_documents(f, "movies", "\"2\"\n\"3\"");
    crash_between_the_commits(f);
    assert_index(f, "movies", "id|2|{\"id\":2}"); /* the catalogue is not there yet */
    fixture_run(f);
    assert_task(f, 1, "succeeded " PROVIDED("1", "1")); /* run again it would be 0 */
    assert_task(f, 2, "succeeded " PROVIDED("2", "1"));
    assert_index(f, "movies", "id|0|{}");
}

static void
errors_and_primary_key_survive_between_the_commits(void **state)
{
    struct fixture *f = *state;

    create_index(f, "movies", NULL);
    fixture_run(f);
    add_documents(f, "movies", NULL, "{\"sku_id\":1,\"a\":1.10}");
    add_documents(f, "movies", NULL, "{\"title\":1}");
    crash_between_the_commits(f);
    fixture_run(f);
    assert_task(f, 1, "succeeded {\"receivedDocuments\":1,\"indexedDocuments\":1}");
    assert_task(f, 2,
                "failed {\"receivedDocuments\":1,\"indexedDocuments\":0} missing_document_id: "
                "Document doesn't have a `sku_id` attribute: `{\"title\":1}`.");
    assert_index(f, "movies", "sku_id|1|{\"a\":1,\"sku_id\":1}");
    assert_documents(f, "movies", "{\"sku_id\":1,\"a\":1.10}");
}

static void
settings_survive_between_the_commits_and_before_them(void **state)
{
    struct fixture *f = *state;

    update_settings(f, "movies", "{\"stopWords\":[\"a\"]}", true);
    crash_between_the_commits(f);
    assert_setting(f, "movies", "stopWords", "[\"a\"]");
    fixture_run(f);
    assert_task(f, 0, "succeeded {\"stopWords\":[\"a\"]}");
    update_settings(f, "movies", "{\"stopWords\":[\"b\"]}", true);
    crash_before_the_first_commit(f);
    assert_setting(f, "movies", "stopWords", "[\"a\"]");
    fixture_run(f);
    assert_task(f, 1, "succeeded {\"stopWords\":[\"b\"]}");
    assert_setting(f, "movies", "stopWords", "[\"b\"]");
}

static void
what_the_index_does_not_hold_is_run_again(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "movies", NULL, "{\"id\":1}\n{\"id\":2}");
    fixture_run(f);
    delete_documents(f, "movies", "\"1\"");
    crash_before_the_first_commit(f);
    assert_documents(f, "movies", "{\"id\":1}\n{\"id\":2}");
    fixture_run(f);
    assert_task(f, 1, "succeeded " PROVIDED("1", "1"));
    assert_documents(f, "movies", "{\"id\":2}");
}

static void
creation_of_the_index_survives_a_crash(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "movies", NULL, "{\"id\":1}");
    crash_before_the_first_commit(f);
    assert_index(f, "movies", "null|0|{}");
    fixture_run(f);
    assert_task(f, 0, "succeeded {\"receivedDocuments\":1,\"indexedDocuments\":1}");
    assert_documents(f, "movies", "{\"id\":1}");
}

static void
sweep_removes_orphans_only(void **state)
{
    struct fixture *f = *state;
    struct uuid orphan = uuid_v4();
    char name[UUID_TEXT_LEN + 1], path[160];
    struct buf lines = BUF_INIT;
    int fd;

    for (int i = 0; i < 2000; i++)
        buf_addf(&lines, "%s{\"id\":%d,\"t\":\"some text to be long\"}", i == 0 ? "" : "\n", i);
    create_index(f, "movies", NULL);
    fixture_run(f);
    add_documents(f, "other", NULL, buf_cstr(&lines));
    fixture_turn(f);
    uuid_format(&orphan, name);
    (void) snprintf(path, sizeof(path), "%s/indexes/%s", f->dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
    (void) snprintf(path, sizeof(path), "%s/updates/%s", f->dir, name);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    (void) close(fd);
    assert_documents(f, "movies", ""); /* makes its directory */
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(count_files(f, "indexes"), 1);
    assert_int_equal(count_files(f, "updates"), 1);
    fixture_run(f);
    assert_task(f, 1, "succeeded {\"receivedDocuments\":2000,\"indexedDocuments\":2000}");
    buf_done(&lines);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_the_index_holds_is_only_finished),
        TEST(errors_and_primary_key_survive_between_the_commits),
        TEST(settings_survive_between_the_commits_and_before_them),
        TEST(what_the_index_does_not_hold_is_run_again),
        TEST(creation_of_the_index_survives_a_crash),
        TEST(sweep_removes_orphans_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
