/* webhookReplay tasks: beside the batches, resumed without doubling, canceled, bounded. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "ops/replay.h"
#include "store/rec.h"
#include "store/tables.h"

enum { EVENTS = 3000, EVENTS_A_TURN = 500 };

static const char *const kinds[] = {"documentAdditionOrUpdate", "documentEdition"};
static const char *const statuses[] = {NULL, NULL, "succeeded", "failed"};

/* The engine of the fixture with webhooks that deliver nothing (they are not started). */
struct engine {
    struct fixture *f;
    struct webhooks *webhooks;
    struct replays *replays;
    struct uuid hook;
    uint32_t uid; /* of the last replay */
};

static void
tell_replays(void *arg)
{
    struct engine *e = arg;
    replays_wake(e->replays);
}

static void
engine_open(struct engine *e)
{
    struct fixture *f = e->f;
    struct queue_hooks hooks = {.arg = e, .beside_added = tell_replays};
    struct webhooks_conf conf = {
        .loop = f->loop,
        .turn = f->turn,
        .words = {.kinds = kinds, .statuses = statuses, .n_kinds = 2, .n_statuses = 4},
    };
    e->webhooks = webhooks_new(&conf, &f->err);
    assert_non_null(e->webhooks);
    struct replays_conf replays = {
        .loop = f->loop, .turn = f->turn, .queue = f->queue, .webhooks = e->webhooks};
    e->replays = replays_new(&replays);
    queue_set_hooks(f->queue, &hooks);
}

/* As a killed process leaves it; then a new one. */
static void
engine_restart(struct engine *e)
{
    turn_abort(e->f->turn);
    replays_free(e->replays);
    webhooks_free(e->webhooks);
    fixture_close(e->f);
    fixture_open(e->f);
    engine_open(e);
}

static int
setup(void **state)
{
    struct engine *e = mem_new(1, sizeof(*e));
    log_setup(LOG_OFF, LOG_HUMAN);
    (void) fixture_setup((void **) &e->f);
    engine_open(e);
    *state = e;
    return 0;
}

static int
teardown(void **state)
{
    struct engine *e = *state;
    turn_abort(e->f->turn);
    replays_free(e->replays);
    webhooks_free(e->webhooks);
    (void) fixture_teardown((void **) &e->f);
    free(e);
    return 0;
}

static void
register_webhook(struct engine *e)
{
    struct buf out = BUF_INIT;
    struct json_doc *doc = json_parse(STR("{\"url\":\"http://192.0.2.1/\",\"wait\":false}"), NULL);
    assert_int_equal(webhooks_create(e->webhooks, json_root(doc), &out, &e->f->err), 0);
    json_doc_free(doc);
    fixture_turn(e->f);
    doc = json_parse(buf_str(&out), NULL);
    assert_true(uuid_parse(json_string(json_get_c(json_root(doc), "uuid")), &e->hook, NULL));
    json_doc_free(doc);
    buf_done(&out);
}

static void
add_event(struct engine *e, uint32_t batch_uid)
{
    struct event_line_facts facts = {
        .index_uids = STR("movies"), .kind = (uint8_t) (batch_uid % 2), .status = 2};
    struct store_txn *txn = turn_txn(e->f->turn);
    void *builder = webhooks_event_begin(e->webhooks, batch_uid);
    assert_non_null(builder);
    assert_int_equal(webhooks_event_add(builder, txn, &facts, STR("{\"uid\":1}")), 0);
    assert_int_equal(webhooks_event_finish(builder, txn), 0);
    (void) webhooks_announce(e->webhooks, batch_uid);
}

static void
add_events(struct engine *e, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        add_event(e, i);
        if (i % EVENTS_A_TURN == EVENTS_A_TURN - 1)
            fixture_turn(e->f);
    }
    fixture_turn(e->f);
}

static void
request_replay_of(struct engine *e, uint64_t kind_bits)
{
    struct ops_result result = {0};
    struct replay_request request = {.webhook = e->hook, .until_ns = INT64_MAX, .kinds = kind_bits};
    assert_int_equal(replays_add(e->replays, &request, &result, &e->f->err), 0);
    e->uid = result.task_uid;
    buf_done(&result.summary);
    fixture_turn(e->f);
}

static uint64_t
count(struct engine *e, int table)
{
    uint64_t n = 0;
    struct store_txn *txn = turn_read(e->f->turn);
    assert_int_equal(store_count(txn, table, &n), 0);
    store_abort(txn);
    return n;
}

struct shown {
    enum task_status status;
    uint64_t scanned, matched, queued;
    char error[64];
};

static struct shown
show(struct engine *e, uint32_t uid)
{
    struct task t;
    struct shown s = {0};
    struct store_txn *txn = turn_read(e->f->turn);
    assert_int_equal(queue_task_get(e->f->queue, txn, uid, &t), 1);
    store_abort(txn);
    struct json_doc *doc = json_parse(str_from(t.details), NULL);
    s.status = t.status;
    (void) json_to_u64(json_get_c(json_root(doc), "scannedEvents"), &s.scanned);
    (void) json_to_u64(json_get_c(json_root(doc), "matchedEvents"), &s.matched);
    (void) json_to_u64(json_get_c(json_root(doc), "queuedDeliveries"), &s.queued);
    if (err_is_set(&t.error))
        (void) snprintf(s.error, sizeof(s.error), "%s", err_name(t.error.code));
    json_doc_free(doc);
    task_done(&t);
    return s;
}

static bool
has_ended(struct engine *e, uint32_t uid)
{
    enum task_status status = show(e, uid).status;
    return status != TASK_ENQUEUED && status != TASK_PROCESSING;
}

/* Runs the loop until the condition holds, looked at after each commit. */
struct wish {
    struct engine *engine;
    bool (*holds)(struct engine *e, uint64_t arg);
    uint64_t arg;
    struct loop_timer timer;
    int64_t give_up_us;
};

static void
on_look(void *arg)
{
    struct wish *w = arg;
    if (w->holds(w->engine, w->arg) || clock_mono_us() > w->give_up_us)
        loop_stop(w->engine->f->loop);
    else
        loop_timer_set_ms(&w->timer, 0);
}

static void
run_until(struct engine *e, bool (*holds)(struct engine *e, uint64_t arg), uint64_t arg)
{
    struct wish w = {e, holds, arg, .give_up_us = clock_mono_us() + 60 * 1000 * 1000};
    loop_timer_init(&w.timer, e->f->loop, on_look, &w);
    loop_timer_set_ms(&w.timer, 0);
    loop_run(e->f->loop);
    loop_timer_done(&w.timer);
    assert_true(holds(e, arg));
}

static bool
is_over(struct engine *e, uint64_t uid)
{
    return has_ended(e, (uint32_t) uid);
}

static bool
has_moved(struct engine *e, uint64_t scanned)
{
    return show(e, e->uid).scanned != scanned || has_ended(e, e->uid);
}

static void
run_to_the_end(struct engine *e)
{
    replays_start(e->replays);
    run_until(e, is_over, e->uid);
}

static void
run_one_piece(struct engine *e)
{
    replays_start(e->replays);
    run_until(e, has_moved, show(e, e->uid).scanned);
}

/* Every event once in the replays' deliveries, with sequence numbers without a gap. */
static void
assert_each_event_queued(struct engine *e, uint64_t events, uint64_t times)
{
    assert_int_equal(count(e, TABLE_DELIVERIES), events * (times + 1));
    assert_int_equal(count(e, TABLE_WEBHOOK_DELIVERIES), events * (times + 1));
    assert_int_equal(count(e, TABLE_DELIVERY_DUE), events * (times + 1));
    struct store_cursor c;
    struct store_txn *txn = turn_read(e->f->turn);
    assert_int_equal(store_cursor_open(&c, txn, TABLE_WEBHOOK_DELIVERIES), 0);
    assert_int_equal(store_cursor_last(&c), 1);
    assert_int_equal(key_read_u64(c.key, 16), events * (times + 1));
    store_cursor_close(&c);
    store_abort(txn);
}

/* --- the tests ------------------------------------------------------------------------------- */

static void
queues_every_event_once_in_pieces(void **state)
{
    struct engine *e = *state;
    const char *n = getenv("TASKHOOK_REPLAY_EVENTS"); /* to measure: 1000000 */
    uint32_t events = n != NULL ? (uint32_t) strtoul(n, NULL, 10) : EVENTS;
    register_webhook(e);
    add_events(e, events);
    request_replay_of(e, 0);
    assert_int_equal(show(e, e->uid).status, TASK_ENQUEUED);
    struct turn_stats before = turn_stats(e->f->turn);
    int64_t began_us = clock_mono_us();
    run_to_the_end(e);
    if (n != NULL)
        print_message("%u queued in %lld ms\n", events,
                      (long long) (clock_mono_us() - began_us) / 1000);
    struct shown s = show(e, e->uid);
    assert_int_equal(s.status, TASK_SUCCEEDED);
    assert_int_equal(s.queued, events);
    assert_int_equal(s.matched, events);
    assert_each_event_queued(e, events, 1);
    assert_true(turn_stats(e->f->turn).commits > before.commits + 1);
}

static void
the_filter_reads_the_facts_of_the_lines(void **state)
{
    struct engine *e = *state;
    register_webhook(e);
    add_events(e, 10);
    request_replay_of(e, 1 << 1);
    run_to_the_end(e);
    assert_int_equal(show(e, e->uid).scanned, 10);
    assert_int_equal(show(e, e->uid).queued, 5);
}

static void
a_restart_after_any_piece_goes_on_without_doubling(void **state)
{
    struct engine *e = *state;
    int pieces = 0;
    register_webhook(e);
    add_events(e, EVENTS);
    request_replay_of(e, 0);
    for (; !has_ended(e, e->uid); pieces++) {
        run_one_piece(e);
        engine_restart(e);
    }
    assert_true(pieces > 2);
    assert_int_equal(show(e, e->uid).status, TASK_SUCCEEDED);
    assert_int_equal(show(e, e->uid).queued, EVENTS);
    assert_each_event_queued(e, EVENTS, 1);
}

static void
a_refused_commit_is_repeated_without_doubling(void **state)
{
    struct engine *e = *state;
    register_webhook(e);
    add_events(e, EVENTS);
    request_replay_of(e, 0);
    run_one_piece(e);
    (void) turn_txn(e->f->turn);
    turn_fail(e->f->turn, STORE_EFULL); /* whatever this turn writes */
    run_to_the_end(e);
    assert_int_equal(show(e, e->uid).queued, EVENTS);
    assert_each_event_queued(e, EVENTS, 1);
}

static void
one_is_canceled_on_its_way_and_says_what_it_queued(void **state)
{
    struct engine *e = *state;
    register_webhook(e);
    add_events(e, EVENTS);
    request_replay_of(e, 0);
    run_one_piece(e);
    assert_int_equal(show(e, e->uid).status, TASK_PROCESSING);
    uint64_t queued = show(e, e->uid).queued;
    assert_in_range(queued, 1, EVENTS - 1);
    replays_stop(e->replays); /* so that the cancelation comes in time */
    cancel_all(e->f);
    fixture_run(e->f);
    assert_int_equal(show(e, e->uid).status, TASK_CANCELED);
    replays_start(e->replays);
    fixture_settle(e->f);
    struct shown s = show(e, e->uid);
    assert_int_equal(s.status, TASK_CANCELED);
    assert_int_equal(s.queued, queued);
    assert_int_equal(count(e, TABLE_DELIVERIES), EVENTS + queued);
    assert_int_equal(count(e, TABLE_TASK_QUEUE), 0);
    assert_int_equal(count(e, TABLE_TASK_QUEUE_INDEX), 0);
}

static void
batches_pass_a_waiting_replay(void **state)
{
    struct engine *e = *state;
    register_webhook(e);
    add_events(e, 10);
    request_replay_of(e, 0);
    create_index(e->f, "movies", NULL);
    uint32_t uid = e->f->last;
    assert_int_equal(queue_start(e->f->queue, false, &e->f->err), 0);
    run_until(e, is_over, uid);
    assert_int_equal(show(e, e->uid).status, TASK_ENQUEUED);
}

static void
they_run_in_the_order_of_their_uids(void **state)
{
    struct engine *e = *state;
    register_webhook(e);
    add_events(e, EVENTS);
    request_replay_of(e, 0);
    uint32_t first = e->uid;
    request_replay_of(e, 0);
    replays_start(e->replays);
    run_until(e, is_over, first);
    assert_int_equal(show(e, first).status, TASK_SUCCEEDED);
    assert_int_equal(show(e, e->uid).queued, 0);
    run_to_the_end(e);
    assert_each_event_queued(e, EVENTS, 2);
}

static void
one_to_a_deleted_webhook_fails(void **state)
{
    struct engine *e = *state;
    char text[UUID_TEXT_LEN + 1];
    register_webhook(e);
    add_events(e, 10);
    request_replay_of(e, 0);
    assert_int_equal(
        webhooks_delete(e->webhooks, str_from(uuid_format(&e->hook, text)), &e->f->err), 0);
    fixture_turn(e->f);
    run_to_the_end(e);
    assert_int_equal(show(e, e->uid).status, TASK_FAILED);
    assert_string_equal(show(e, e->uid).error, "webhook_not_found");
}

static void
no_more_than_a_hundred_may_wait(void **state)
{
    struct engine *e = *state;
    struct ops_result result = {0};
    struct replay_request request = {.until_ns = INT64_MAX};
    register_webhook(e);
    for (int i = 0; i < REPLAYS_MAX; i++)
        request_replay_of(e, 0);
    request.webhook = e->hook;
    assert_int_equal(replays_add(e->replays, &request, &result, &e->f->err), -1);
    assert_int_equal(e->f->err.code, ERR_TOO_MANY_REPLAYS);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(queues_every_event_once_in_pieces),
        CASE(the_filter_reads_the_facts_of_the_lines),
        CASE(a_restart_after_any_piece_goes_on_without_doubling),
        CASE(a_refused_commit_is_repeated_without_doubling),
        CASE(one_is_canceled_on_its_way_and_says_what_it_queued),
        CASE(batches_pass_a_waiting_replay),
        CASE(they_run_in_the_order_of_their_uids),
        CASE(one_to_a_deleted_webhook_fails),
        CASE(no_more_than_a_hundred_may_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
