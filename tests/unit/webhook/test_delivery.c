/* Attempts, lanes and the pause of the queue (contract 7.5, invariants 4 and 5), against a receiver
 * on loopback. */
#include "fixture.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

static bool
has_attempted(struct fixture *f)
{
    return f->webhooks->stats.attempts >= 1;
}

static bool
has_attempted_twice(struct fixture *f)
{
    return f->webhooks->stats.attempts >= 2;
}

static bool
has_delivered(struct fixture *f)
{
    return f->webhooks->stats.delivered >= 1;
}

static bool
has_received(struct fixture *f)
{
    return f->n_received >= 1;
}

static bool
has_received_two(struct fixture *f)
{
    return f->n_received >= 2;
}

static bool
is_first_announced(struct fixture *f)
{
    return fixture_has_announced(f, 1);
}

static struct attempt_record
attempt_of(struct fixture *f, uint64_t delivery, uint32_t number)
{
    struct attempt_record a = {0};
    struct store_txn *txn = turn_read(f->turn);
    assert_int_equal(attempt_get(txn, delivery, number, &a), 1);
    store_abort(txn);
    return a;
}

static void
create(struct fixture *f, const char *url, const char *headers)
{
    struct buf json = BUF_INIT;
    buf_addf(&json, "{\"url\":\"%s\",\"headers\":%s}", url, headers);
    assert_int_equal(fixture_create(f, buf_cstr(&json), NULL, NULL), 0);
    buf_done(&json);
}

/* --- the request ----------------------------------------------------------------------------- */

static void
batch_goes_out_as_gzip_ndjson_with_the_registered_headers(void **state)
{
    struct fixture *f = *state;
    char url[64];
    struct uuid id;
    (void) snprintf(url, sizeof(url), "http://127.0.0.1:%d/hook?a=b", f->port);
    fixture_start(f);
    create(f, url, "{\"Authorization\":\"Bearer secret\",\"X-Test\":\"yes\"}");
    assert_true(fixture_finish_batch(f, 1, 10, 2));
    fixture_run_until(f, has_delivered);
    const struct received *r = &f->received[0];
    assert_string_equal(r->path, "/hook?a=b");
    assert_string_equal(r->body, "{\"uid\":10}\n{\"uid\":11}\n");
    assert_string_equal(r->content_type, "application/x-ndjson");
    assert_string_equal(r->content_encoding, "gzip");
    assert_string_equal(r->authorization, "Bearer secret");
    assert_string_equal(r->x_test, "yes");
    assert_true(uuid_parse(str_from(r->webhook_id), &id, NULL));
    assert_int_equal(fixture_delivery(f, 1).state, DELIVERY_DELIVERED);
    assert_int_equal(fixture_count(f, TABLE_DELIVERY_DUE), 0);
}

static void
large_event_arrives_whole(void **state)
{
    struct fixture *f = *state;
    enum { LINES = 30000 };
    struct buf want = BUF_INIT;
    fixture_start(f);
    (void) fixture_register(f, "/hook");
    for (uint32_t i = 0; i < LINES; i++)
        buf_addf(&want, "{\"uid\":%u}\n", i);
    assert_true(fixture_finish_batch(f, 1, 0, LINES));
    fixture_run_until(f, has_delivered);
    assert_int_equal(f->received[0].body_len, want.len);
    assert_memory_equal(f->received[0].body, want.data, want.len);
    buf_done(&want);
}

static void
user_and_password_of_the_url_become_basic_authorization(void **state)
{
    struct fixture *f = *state;
    char url[64];
    (void) snprintf(url, sizeof(url), "http://us%%65r:pass@127.0.0.1:%d/", f->port);
    fixture_start(f);
    create(f, url, "{}");
    (void) fixture_finish_batch(f, 1, 0, 1);
    fixture_run_until(f, has_delivered);
    assert_string_equal(f->received[0].authorization, "Basic dXNlcjpwYXNz");
}

static void
every_webhook_gets_the_same_event(void **state)
{
    struct fixture *f = *state;
    char url[64];
    (void) snprintf(url, sizeof(url), "http://127.0.0.1:%d/cli", f->port);
    f->cli_url = url;
    f->cli_authorization = "Bearer token";
    fixture_start(f);
    (void) fixture_register(f, "/a");
    assert_true(fixture_finish_batch(f, 1, 0, 1));
    fixture_run_until(f, is_first_announced);
    fixture_run_until(f, has_received_two);
    assert_string_equal(f->received[0].webhook_id, f->received[1].webhook_id);
    assert_string_not_equal(f->received[0].path, f->received[1].path);
}

/* --- the pause ------------------------------------------------------------------------------- */

static void
queue_waits_until_the_receiver_has_answered(void **state)
{
    struct fixture *f = *state;
    f->mode = RECEIVER_HOLDS;
    fixture_start(f);
    (void) fixture_register(f, "/hook");
    assert_true(fixture_finish_batch(f, 1, 0, 1));
    fixture_run_until(f, has_received);
    fixture_run_turns(f, 20);
    assert_int_equal(f->n_announced, 0);
    fixture_release_held(f, 200);
    fixture_run_until(f, is_first_announced);
    assert_int_equal(f->n_announced, 1);
}

static void
queue_waits_for_the_last_of_several_webhooks(void **state)
{
    struct fixture *f = *state;
    f->mode = RECEIVER_HOLDS;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    (void) fixture_register(f, "/b");
    assert_true(fixture_finish_batch(f, 1, 0, 1));
    fixture_run_until(f, has_received_two);
    struct evhttp_request *second = f->held[1];
    f->n_held = 1;
    fixture_release_held(f, 200);
    fixture_run_until(f, has_delivered);
    assert_int_equal(f->n_announced, 0);
    f->held[f->n_held++] = second;
    fixture_release_held(f, 200);
    fixture_run_until(f, is_first_announced);
}

static bool
are_both_announced(struct fixture *f)
{
    return f->n_announced == 2;
}

static void
batches_that_finish_during_a_pause_have_pauses_of_their_own(void **state)
{
    struct fixture *f = *state;
    f->mode = RECEIVER_HOLDS;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    assert_true(fixture_finish_batch(f, 1, 0, 1));
    fixture_run_until(f, has_received);
    assert_true(fixture_finish_batch(f, 2, 1, 1)); /* a cancelation */
    fixture_run_until(f, has_received_two);
    fixture_release_held(f, 200);
    fixture_run_until(f, are_both_announced);
    assert_true(fixture_has_announced(f, 1) && fixture_has_announced(f, 2));
}

static void
first_attempts_at_the_same_time_are_limited(void **state)
{
    struct fixture *f = *state;
    f->mode = RECEIVER_HOLDS;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    for (uint32_t i = 1; i <= LANE_IN_FLIGHT_MAX; i++)
        assert_true(fixture_finish_batch(f, i, 0, 1));
    assert_false(fixture_finish_batch(f, 100, 0, 1));
}

static void
pause_ends_when_its_webhook_is_deleted(void **state)
{
    struct fixture *f = *state;
    char text[UUID_TEXT_LEN + 1];
    struct err err = ERR_INIT;
    f->mode = RECEIVER_HOLDS;
    fixture_start(f);
    struct uuid uuid = fixture_register(f, "/a");
    assert_true(fixture_finish_batch(f, 1, 0, 1));
    fixture_run_until(f, has_received);
    assert_int_equal(webhooks_delete(f->webhooks, str_from(uuid_format(&uuid, text)), &err), 0);
    fixture_run_until(f, is_first_announced);
    while (fixture_count(f, TABLE_DELIVERY_DUE) > 0)
        assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(fixture_delivery(f, 1).state, DELIVERY_DISCARDED);
    assert_int_equal(fixture_delivery(f, 1).attempts, 0);
    assert_null(f->webhooks->lanes.first);
}

/* --- failures -------------------------------------------------------------------------------- */

/* One failed first attempt: the queue goes on, a retry is due, and the next batch does not wait. */
static void
check_failed(struct fixture *f, const char *outcome, int status)
{
    assert_true(fixture_finish_batch(f, 1, 0, 1));
    fixture_run_until(f, is_first_announced);
    fixture_run_until(f, has_attempted);
    struct delivery_record d = fixture_delivery(f, 1);
    struct attempt_record a = attempt_of(f, 1, 1);
    assert_int_equal(d.state, DELIVERY_OWED);
    assert_int_equal(d.attempts, 1);
    int64_t delay_ms = d.due_at_ms - d.created_at_ns / 1000000;
    assert_true(delay_ms >= 5000 && delay_ms < 10000);
    assert_string_equal(a.outcome, outcome);
    assert_int_equal(a.status, status);
    assert_int_equal(fixture_count(f, TABLE_DELIVERY_DUE), 1);
    assert_false(fixture_finish_batch(f, 2, 0, 1));
    fixture_run_until(f, has_attempted_twice);
    assert_int_equal(f->n_announced, 1);
}

static void
answer_500_is_a_failed_attempt(void **state)
{
    struct fixture *f = *state;
    f->status = 500;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    check_failed(f, "answered", 500);
}

static void
redirect_is_a_failed_attempt(void **state)
{
    struct fixture *f = *state;
    f->status = 301;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    check_failed(f, "answered", 301);
}

static void
reset_is_a_failed_attempt(void **state)
{
    struct fixture *f = *state;
    f->mode = RECEIVER_RESETS;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    check_failed(f, http_outcome_name(HTTP_OUTCOME_PROTOCOL), 0);
}

static void
receiver_that_hangs_costs_one_deadline(void **state)
{
    struct fixture *f = *state;
    f->mode = RECEIVER_HOLDS;
    f->timeout_ms = 100;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    check_failed(f, http_outcome_name(HTTP_OUTCOME_TIMEOUT), 0);
}

/* A port that nobody listens on. */
static int
closed_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *) &address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &address, &len), 0);
    assert_int_equal(close(fd), 0);
    return ntohs(address.sin_port);
}

static void
absent_receiver_is_a_failed_attempt(void **state)
{
    struct fixture *f = *state;
    char url[64];
    (void) snprintf(url, sizeof(url), "http://127.0.0.1:%d/", closed_port());
    fixture_start(f);
    create(f, url, "{}");
    check_failed(f, http_outcome_name(HTTP_OUTCOME_CONNECT), 0);
}

static void
refused_address_is_a_failed_attempt(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    create(f, "http://10.1.2.3/", "{}");
    check_failed(f, http_outcome_name(HTTP_OUTCOME_ADDRESS_DENIED), 0);
}

static void
other_schemes_fail_at_sending(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    create(f, "mailto:a@b", "{}");
    check_failed(f, http_outcome_name(HTTP_OUTCOME_BAD_URL), 0);
}

static void
success_heals_a_failing_lane(void **state)
{
    struct fixture *f = *state;
    f->status = 503;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    assert_true(fixture_finish_batch(f, 1, 0, 1));
    fixture_run_until(f, has_attempted);
    f->status = 204;
    assert_false(fixture_finish_batch(f, 2, 1, 1));
    fixture_run_until(f, has_delivered);
    assert_true(fixture_finish_batch(f, 3, 2, 1));
}

static void
failing_lane_is_still_failing_after_a_restart(void **state)
{
    struct fixture *f = *state;
    f->status = 500;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    assert_true(fixture_finish_batch(f, 1, 0, 1));
    fixture_run_until(f, has_attempted);
    fixture_restart(f);
    assert_false(f->must_wait);
    assert_false(fixture_finish_batch(f, 2, 1, 1));
}

static void
dead_receiver_does_not_hold_up_the_others(void **state)
{
    struct fixture *f = *state;
    char url[64];
    (void) snprintf(url, sizeof(url), "http://127.0.0.1:%d/dead", closed_port());
    fixture_start(f);
    create(f, url, "{}");
    (void) fixture_register(f, "/alive");
    assert_true(fixture_finish_batch(f, 1, 0, 1));
    fixture_run_until(f, is_first_announced);
    assert_true(fixture_finish_batch(f, 2, 1, 1)); /* for the living one */
    fixture_run_until(f, has_received_two);
    assert_string_equal(f->received[1].body, "{\"uid\":1}\n");
}

static void
failure_is_logged_without_secrets(void **state)
{
    struct fixture *f = *state;
    char url[96];
    (void) snprintf(url, sizeof(url), "http://user:s3cret@127.0.0.1:%d/p?key=s3cret", f->port);
    f->status = 418;
    fixture_start(f);
    fixture_capture_log(f);
    create(f, url, "{\"Authorization\":\"Bearer s3cret\",\"X-Test\":\"s3cret\"}");
    (void) fixture_finish_batch(f, 1, 0, 1);
    fixture_run_until(f, has_attempted);
    struct buf log = fixture_captured_log(f);
    assert_non_null(strstr(buf_cstr(&log), "ERROR webhook: While sending data to the webhook "));
    assert_non_null(strstr(buf_cstr(&log), ": http status: 418 "));
    assert_non_null(strstr(buf_cstr(&log), " attempt=1 "));
    assert_null(strstr(buf_cstr(&log), "s3cret"));
    buf_done(&log);
}

/* --- retries --------------------------------------------------------------------------------- */

static void
retry_sends_the_same_event_when_its_time_has_come(void **state)
{
    struct fixture *f = *state;
    f->status = 500;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    (void) fixture_finish_batch(f, 1, 0, 3);
    fixture_run_until(f, has_attempted);
    f->status = 200;
    fixture_advance_clock(4 * 1000);
    fixture_restart(f);
    fixture_run_turns(f, 50);
    assert_int_equal(f->n_received, 1); /* not due yet */
    fixture_advance_clock(2 * 1000);
    fixture_restart(f);
    fixture_run_until(f, has_delivered);
    assert_string_equal(f->received[0].webhook_id, f->received[1].webhook_id);
    assert_string_equal(f->received[0].body, f->received[1].body);
    assert_int_equal(fixture_delivery(f, 1).attempts, 2);
    assert_int_equal(fixture_delivery(f, 1).state, DELIVERY_DELIVERED);
}

static void
exhausted_delivery_is_kept_with_its_attempts(void **state)
{
    struct fixture *f = *state;
    f->status = 500;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    (void) fixture_finish_batch(f, 1, 0, 1);
    fixture_run_until(f, has_attempted);
    while (fixture_delivery(f, 1).state == DELIVERY_OWED) {
        fixture_advance_clock(25 * 3600 * 1000);
        fixture_restart(f);
        fixture_run_until(f, has_attempted);
    }
    assert_int_equal(f->webhooks->stats.exhausted, 1);
    struct delivery_record d = fixture_delivery(f, 1);
    assert_int_equal(d.state, DELIVERY_EXHAUSTED);
    assert_int_equal(d.attempts, 8); /* a day apart, the last one within eight days */
    assert_true(d.finished_at_ns > 0);
    assert_int_equal(fixture_count(f, TABLE_DELIVERY_DUE), 0);
    assert_int_equal(fixture_count(f, TABLE_ATTEMPTS), 8);
    assert_int_equal(attempt_of(f, 1, 8).status, 500);
}

static void
changed_url_applies_from_the_next_attempt(void **state)
{
    struct fixture *f = *state;
    char uuid[UUID_TEXT_LEN + 1], json[96];
    f->status = 500;
    fixture_start(f);
    struct uuid id = fixture_register(f, "/old");
    (void) fixture_finish_batch(f, 1, 0, 1);
    fixture_run_until(f, has_attempted);
    f->status = 200;
    (void) snprintf(json, sizeof(json), "{\"url\":\"http://127.0.0.1:%d/new\"}", f->port);
    assert_int_equal(fixture_update(f, uuid_format(&id, uuid), json, NULL, NULL), 0);
    fixture_advance_clock(10 * 1000);
    fixture_restart(f);
    fixture_run_until(f, has_delivered);
    assert_string_equal(f->received[1].path, "/new");
}

static bool
has_delivered_all(struct fixture *f)
{
    return f->webhooks->stats.delivered == 5;
}

static void
backlog_of_a_failing_lane_waits_behind_one_probe(void **state)
{
    struct fixture *f = *state;
    f->status = 500;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    (void) fixture_finish_batch(f, 1, 0, 1);
    fixture_run_until(f, has_attempted);
    f->mode = RECEIVER_HOLDS;
    for (uint32_t i = 2; i <= 5; i++)
        assert_false(fixture_finish_batch(f, i, i, 1));
    fixture_run_until(f, has_received_two);
    fixture_run_turns(f, 50);
    assert_int_equal(f->n_received, 2);
    f->mode = RECEIVER_ANSWERS;
    f->status = 200;
    fixture_release_held(f, 200);
    fixture_advance_clock(10 * 1000);
    fixture_run_until(f, has_delivered_all);
    assert_string_equal(f->received[1].body, "{\"uid\":2}\n");
    assert_int_equal(f->n_received, 6);
}

/* --- restarts -------------------------------------------------------------------------------- */

static void
interrupted_first_attempt_is_not_counted_and_sent_again_and_waited_for(void **state)
{
    struct fixture *f = *state;
    f->mode = RECEIVER_HOLDS;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    assert_true(fixture_finish_batch(f, 1, 0, 1));
    fixture_run_until(f, has_received);
    fixture_stop(f);
    assert_int_equal(f->n_announced, 0);
    assert_int_equal(fixture_delivery(f, 1).attempts, 0);
    assert_int_equal(fixture_delivery(f, 1).state, DELIVERY_OWED);
    f->mode = RECEIVER_ANSWERS;
    fixture_start(f);
    assert_true(f->must_wait);
    fixture_run_until(f, is_first_announced);
    fixture_run_until(f, has_delivered);
    assert_string_equal(f->received[0].webhook_id, f->received[1].webhook_id);
    assert_string_equal(f->received[0].body, f->received[1].body);
}

/* Finishes a batch, but the process dies before it is announced. */
static void
finish_unannounced(struct fixture *f, uint32_t batch_uid)
{
    struct event_line_facts facts = {.index_uids = STR_NULL};
    char line[32];
    int len = snprintf(line, sizeof(line), "{\"uid\":%u}", batch_uid);
    void *builder = webhooks_event_begin(f->webhooks, batch_uid);
    assert_int_equal(
        webhooks_event_add(builder, turn_txn(f->turn), &facts, str_make(line, (size_t) len)), 0);
    assert_int_equal(webhooks_event_finish(builder, turn_txn(f->turn)), 0);
    assert_int_equal(fixture_commit(f), 0);
}

static bool
has_delivered_three(struct fixture *f)
{
    return f->webhooks->stats.delivered == 3;
}

static void
backlog_is_served_after_a_restart_and_not_waited_for(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    for (uint32_t i = 1; i <= 3; i++)
        finish_unannounced(f, i);
    assert_int_equal(f->n_received, 0);
    fixture_restart(f);
    assert_false(f->must_wait);
    fixture_run_until(f, has_delivered_three);
    assert_int_equal(f->n_announced, 0);
}

static void
finished_event_is_not_waited_for_after_a_restart(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    assert_true(fixture_finish_batch(f, 1, 0, 1));
    fixture_run_until(f, has_delivered);
    fixture_restart(f);
    assert_false(f->must_wait);
    fixture_run_turns(f, 50);
    assert_int_equal(f->n_received, 1);
}

static void
refused_record_is_written_again_and_not_sent_again(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    f->fail_turn_when_announced = true;
    assert_true(fixture_finish_batch(f, 1, 0, 1));
    fixture_run_until(f, has_delivered);
    assert_false(f->fail_turn_when_announced);
    assert_int_equal(f->n_received, 1);
    assert_int_equal(fixture_delivery(f, 1).attempts, 1);
    assert_int_equal(fixture_delivery(f, 1).state, DELIVERY_DELIVERED);
}

static void
unreadable_event_is_exhausted_and_stops_nothing(void **state)
{
    struct fixture *f = *state;
    uint8_t key[KEY_PART_LEN];
    fixture_start(f);
    (void) fixture_register(f, "/a");
    finish_unannounced(f, 1);
    assert_int_equal(store_delete(turn_txn(f->turn), TABLE_EVENT_LINES, key_numbered(key, 1, 0)),
                     1);
    assert_int_equal(fixture_commit(f), 0);
    assert_false(webhooks_announce(f->webhooks, 1)); /* it has ended already */
    fixture_run_until(f, has_attempted);
    assert_string_equal(attempt_of(f, 1, 1).outcome, "unreadable");
    assert_true(fixture_finish_batch(f, 2, 0, 1));
    fixture_run_until(f, has_delivered);
}

static void
stopping_cancels_a_body_that_is_being_built(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    assert_true(fixture_finish_batch(f, 1, 0, 20000));
    fixture_stop(f);
    assert_int_equal(f->n_received, 0);
    assert_int_equal(fixture_delivery(f, 1).attempts, 0);
    assert_int_equal(f->n_announced, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(batch_goes_out_as_gzip_ndjson_with_the_registered_headers),
        CASE(large_event_arrives_whole),
        CASE(user_and_password_of_the_url_become_basic_authorization),
        CASE(every_webhook_gets_the_same_event),
        CASE(queue_waits_until_the_receiver_has_answered),
        CASE(queue_waits_for_the_last_of_several_webhooks),
        CASE(batches_that_finish_during_a_pause_have_pauses_of_their_own),
        CASE(first_attempts_at_the_same_time_are_limited),
        CASE(pause_ends_when_its_webhook_is_deleted),
        CASE(answer_500_is_a_failed_attempt),
        CASE(redirect_is_a_failed_attempt),
        CASE(reset_is_a_failed_attempt),
        CASE(receiver_that_hangs_costs_one_deadline),
        CASE(absent_receiver_is_a_failed_attempt),
        CASE(refused_address_is_a_failed_attempt),
        CASE(other_schemes_fail_at_sending),
        CASE(success_heals_a_failing_lane),
        CASE(failing_lane_is_still_failing_after_a_restart),
        CASE(dead_receiver_does_not_hold_up_the_others),
        CASE(failure_is_logged_without_secrets),
        CASE(retry_sends_the_same_event_when_its_time_has_come),
        CASE(exhausted_delivery_is_kept_with_its_attempts),
        CASE(changed_url_applies_from_the_next_attempt),
        CASE(backlog_of_a_failing_lane_waits_behind_one_probe),
        CASE(interrupted_first_attempt_is_not_counted_and_sent_again_and_waited_for),
        CASE(backlog_is_served_after_a_restart_and_not_waited_for),
        CASE(finished_event_is_not_waited_for_after_a_restart),
        CASE(refused_record_is_written_again_and_not_sent_again),
        CASE(unreadable_event_is_exhausted_and_stops_nothing),
        CASE(stopping_cancels_a_body_that_is_being_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
