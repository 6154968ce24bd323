/* What only a test inside the process can see: refused commits, clients that leave at a certain
 * point, a full disk, a stopping server, keys in flight; and long listings in small pieces. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOVIES "/indexes/movies/documents"

/* An upload too large to be read inside its handler. */
static char *
large_upload(void)
{
    struct buf text = BUF_INIT;
    buf_add_cstr(&text, "[{\"id\":0}");
    for (int i = 1; i < 20000; i++)
        buf_addf(&text, ",{\"id\":%d,\"title\":\"a title of some length\"}", i);
    buf_add_char(&text, ']');
    return buf_take(&text);
}

static void
a_success_is_told_after_the_commit(void **state)
{
    struct fixture *f = *state;
    struct fake_call *c = fixture_call(f, HTTP_POST, "/indexes", "{\"uid\":\"movies\"}");
    fixture_send(f, c);
    assert_int_equal(c->n_replies, 0);
    assert_int_equal(fixture_tasks(f), 0);
    fixture_wait(f, c);
    assert_int_equal(fixture_tasks(f), 1);
    fixture_assert(c, 202, "\"taskUid\":0,\"indexUid\":\"movies\",\"status\":\"enqueued\"");
}

static void
a_refused_commit_is_an_error_and_health_says_so(void **state)
{
    struct fixture *f = *state;
    struct fake_call *c = fixture_call(f, HTTP_POST, "/indexes", "{\"uid\":\"movies\"}");
    fixture_send(f, c);
    turn_fail(f->api.turn, STORE_EINVAL);
    fixture_wait(f, c);
    assert_non_null(strstr(buf_cstr(&c->headers), "Retry-After: 10\n"));
    fixture_assert(c, 503, "nothing of this request took effect");
    assert_int_equal(fixture_tasks(f), 0);
    fixture_assert(fixture_ask(f, HTTP_GET, "/health", NULL), 503, "\"code\":\"internal\"");
    fixture_assert(fixture_ask(f, HTTP_POST, "/indexes", "{\"uid\":\"movies\"}"), 202, "taskUid");
    fixture_assert(fixture_ask(f, HTTP_GET, "/health", NULL), 200, "available");
}

static void
a_refused_commit_leaves_no_payload_and_frees_the_key(void **state)
{
    struct fixture *f = *state;
    char *body = large_upload();
    for (int round = 0; round < 2; round++) {
        struct fake_call *c = fixture_call(f, HTTP_POST, MOVIES, body);
        fixture_header(c, "Idempotency-Key", "k");
        fixture_send(f, c);
        while (c->is_alive) { /* the task is added in one of these turns */
            if (round == 0)
                turn_fail(f->api.turn, STORE_EINVAL);
            fixture_turn(f);
        }
        assert_null(strstr(buf_cstr(&c->headers), "Replayed"));
        fixture_assert(c, round == 0 ? 503 : 202, round == 0 ? "internal" : "taskUid");
        assert_int_equal(fixture_files(f, "updates"), round);
    }
    free(body);
}

static void
a_client_that_leaves_before_the_commit_leaves_its_task(void **state)
{
    struct fixture *f = *state;
    struct fake_call *c = fixture_call(f, HTTP_POST, "/indexes", "{\"uid\":\"movies\"}");
    fixture_header(c, "Idempotency-Key", "k");
    fixture_send(f, c);
    fixture_gone(c);
    fixture_turn(f);
    assert_int_equal(c->n_replies, 0);
    fixture_free(c);
    assert_int_equal(fixture_tasks(f), 1);
    c = fixture_call(f, HTTP_POST, "/indexes", "{\"uid\":\"movies\"}");
    fixture_header(c, "Idempotency-Key", "k");
    fixture_send(f, c);
    assert_non_null(strstr(buf_cstr(&c->headers), "Idempotency-Replayed: true\n"));
    fixture_assert(c, 202, "\"taskUid\":0");
}

static void
a_client_that_leaves_during_its_upload_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    char *body = large_upload();
    struct fake_call *c = fixture_call(f, HTTP_POST, MOVIES, body);
    fixture_header(c, "Idempotency-Key", "k");
    fixture_send(f, c);
    assert_true(c->is_alive);
    fixture_turn(f);
    fixture_gone(c);
    fixture_free(c);
    fixture_turn(f);
    assert_int_equal(fixture_tasks(f), 0);
    assert_int_equal(fixture_files(f, "updates"), 0);
    c = fixture_call(f, HTTP_POST, MOVIES, "[]");
    fixture_header(c, "Idempotency-Key", "k");
    fixture_send(f, c);
    fixture_wait(f, c);
    fixture_assert(c, 202, "taskUid");
    free(body);
}

static void
a_client_that_leaves_a_cancelation_cancels_nothing(void **state)
{
    struct fixture *f = *state;
    fixture_assert(fixture_ask(f, HTTP_POST, "/indexes", "{\"uid\":\"a\"}"), 202, "taskUid");
    struct fake_call *c = fixture_call(f, HTTP_POST, "/tasks/cancel?statuses=enqueued", NULL);
    fixture_send(f, c);
    fixture_gone(c);
    fixture_free(c);
    fixture_turn(f);
    assert_int_equal(fixture_tasks(f), 1);
}

static void
a_cancelation_by_filter_counts_what_it_matched(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++)
        fixture_assert(fixture_ask(f, HTTP_POST, "/indexes", "{\"uid\":\"a\"}"), 202, "taskUid");
    fixture_assert(fixture_ask(f, HTTP_DELETE, "/indexes/a", NULL), 202, "taskUid");
    fixture_assert(fixture_ask(f, HTTP_POST, "/tasks/cancel?types=indexCreation&uids=0,2,3", NULL),
                   200, "\"taskUid\":4,\"indexUid\":null");
    fixture_assert(fixture_ask(f, HTTP_GET, "/tasks/4", NULL), 200,
                   "\"details\":{\"matchedTasks\":2,\"canceledTasks\":null,"
                   "\"originalFilter\":\"?types=indexCreation&uids=0,2,3\"}");
}

static void
a_key_in_flight_is_in_use(void **state)
{
    struct fixture *f = *state;
    struct fake_call *first = fixture_call(f, HTTP_POST, MOVIES, "[]");
    struct fake_call *second = fixture_call(f, HTTP_POST, MOVIES, "[]");
    fixture_header(first, "Idempotency-Key", "k");
    fixture_header(second, "Idempotency-Key", "\"k\"");
    fixture_send(f, first);
    fixture_send(f, second);
    fixture_assert(second, 409, "idempotency_key_in_use");
    fixture_wait(f, first);
    fixture_assert(first, 202, "taskUid");
    assert_int_equal(fixture_tasks(f), 1);
}

static void
a_stopping_server_takes_no_tasks(void **state)
{
    struct fixture *f = *state;
    f->api.is_stopping = true;
    fixture_assert(fixture_ask(f, HTTP_POST, "/indexes", "{\"uid\":\"a\"}"), 503, "shutting_down");
    fixture_assert(fixture_ask(f, HTTP_POST, MOVIES, "[]"), 503, "shutting_down");
    fixture_assert(fixture_ask(f, HTTP_POST, "/tasks/cancel?uids=*", NULL), 503, "shutting_down");
    fixture_assert(fixture_ask(f, HTTP_GET, "/tasks", NULL), 200, "results");
}

static void
a_full_disk_refuses_tasks_but_not_cancelations(void **state)
{
    struct fixture *f = *state;
    turn_set_floor(f->api.turn, UINT64_MAX);
    fixture_assert(fixture_ask(f, HTTP_POST, "/indexes", "{\"uid\":\"a\"}"), 422,
                   "no_space_left_on_device");
    fixture_assert(fixture_ask(f, HTTP_POST, MOVIES, "[]"), 422, "no_space_left_on_device");
    fixture_assert(fixture_ask(f, HTTP_POST, "/tasks/cancel?uids=*", NULL), 200, "taskUid");
    fixture_assert(fixture_ask(f, HTTP_GET, "/tasks", NULL), 200, "\"total\":1");
}

static void
listings_in_many_pieces_are_one_answer(void **state)
{
    struct fixture *f = *state;
    enum { TASKS = 2000 };
    struct fake_call *c[TASKS];
    for (int i = 0; i < TASKS; i++) {
        c[i] = fixture_call(f, HTTP_POST, "/indexes", "{\"uid\":\"movies\"}");
        fixture_send(f, c[i]);
    }
    fixture_turn(f);
    for (int i = 0; i < TASKS; i++)
        fixture_assert(c[i], 202, "taskUid");
    struct fake_call *list =
        fixture_ask(f, HTTP_GET, "/tasks?limit=1500&statuses=enqueued&reverse=true", NULL);
    struct json_doc *doc = json_parse(buf_str(&list->text), NULL);
    const struct json *root = json_root(doc);
    assert_int_equal(json_length(json_get_c(root, "results")), 1500);
    assert_true(str_is(json_number(json_get_c(root, "total")), "2000"));
    assert_true(str_is(json_number(json_get_c(root, "next")), "1500"));
    json_doc_free(doc);
    fixture_assert(list, 200, "\"uid\":1499");
}

static void
unknown_routes_have_no_body(void **state)
{
    struct fixture *f = *state;
    struct fake_call *c = fixture_ask(f, HTTP_GET, "/doggo", NULL);
    assert_int_equal(c->text.len, 0);
    fixture_assert(c, 404, "");
    c = fixture_ask(f, HTTP_PUT, "/tasks", NULL);
    assert_int_equal(c->text.len, 0);
    fixture_assert(c, 405, "");
}

static void
paths_are_shown_as_valid_text(void **state)
{
    struct fixture *f = *state;
    fixture_assert(fixture_ask(f, HTTP_GET, "/indexes/%ff%00x", NULL), 400, "invalid_index_uid");
    fixture_assert(fixture_ask(f, HTTP_GET, "/tasks/%f0", NULL), 400,
                   "Task uid `\xef\xbf\xbd` is invalid.");
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(a_success_is_told_after_the_commit),
        WITH(a_refused_commit_is_an_error_and_health_says_so),
        WITH(a_refused_commit_leaves_no_payload_and_frees_the_key),
        WITH(a_client_that_leaves_before_the_commit_leaves_its_task),
        WITH(a_client_that_leaves_during_its_upload_leaves_nothing),
        WITH(a_client_that_leaves_a_cancelation_cancels_nothing),
        WITH(a_cancelation_by_filter_counts_what_it_matched),
        WITH(a_key_in_flight_is_in_use),
        WITH(a_stopping_server_takes_no_tasks),
        WITH(a_full_disk_refuses_tasks_but_not_cancelations),
        WITH(listings_in_many_pieces_are_one_answer),
        WITH(unknown_routes_have_no_body),
        WITH(paths_are_shown_as_valid_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
