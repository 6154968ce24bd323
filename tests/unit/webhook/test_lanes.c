/* What lanes do with answers, limits, order and the clock, against a receiver on loopback. The
 * state machine alone is test_lane_state.c. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "webhook/owed.h"

#define HOUR_MS (INT64_C(3600) * 1000)
#define DAY_MS (24 * HOUR_MS)

static size_t wanted; /* of the conditions below */

static bool
has_attempted(struct fixture *f)
{
    return f->webhooks->stats.attempts >= wanted;
}

static bool
has_delivered(struct fixture *f)
{
    return f->webhooks->stats.delivered >= wanted;
}

static bool
has_received(struct fixture *f)
{
    return f->n_received >= wanted;
}

static bool
has_exhausted(struct fixture *f)
{
    return f->webhooks->stats.exhausted >= wanted;
}

static void
until(struct fixture *f, bool (*holds)(struct fixture *f), size_t n)
{
    wanted = n;
    fixture_run_until(f, holds);
}

static void
finish_batches(struct fixture *f, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i <= to; i++)
        (void) fixture_finish_batch(f, i, i, 1);
}

static struct lane_health
health_of(struct fixture *f, const struct uuid *webhook)
{
    struct lane_record l = {0};
    struct store_txn *txn = turn_read(f->turn);
    assert_int_equal(lane_record_get(txn, webhook, &l), 1);
    store_abort(txn);
    return l.health;
}

/* As if so much had happened before the start. */
static void
put_health(struct fixture *f, const struct uuid *webhook, const struct lane_health *h)
{
    struct lane_record l = {0};
    assert_int_equal(lane_record_get(turn_txn(f->turn), webhook, &l), 1);
    l.health = *h;
    assert_int_equal(lane_record_put(turn_txn(f->turn), webhook, &l), 0);
    assert_int_equal(fixture_commit(f), 0);
}

static struct owed
owed_to(struct fixture *f, const struct uuid *webhook)
{
    struct owed o = {0};
    struct store_txn *txn = turn_read(f->turn);
    assert_int_equal(owed_get(txn, webhook, &o), 1);
    store_abort(txn);
    return o;
}

static struct webhook_stats
stats_of(struct fixture *f, size_t at)
{
    struct webhook_stats all[WEBHOOKS_MAX + 1];
    assert_true(webhooks_stats_each(f->webhooks, all) > at);
    return all[at];
}

static int
first_uid(const struct received *r)
{
    int uid = -1;
    assert_int_equal(sscanf(r->body, "{\"uid\":%d}", &uid), 1);
    return uid;
}

/* --- back-pressure --------------------------------------------------------------------------- */

static void
retry_after_stops_the_whole_webhook_over_a_restart(void **state)
{
    struct fixture *f = *state;
    f->status = 429;
    f->reply_name = "Retry-After";
    f->reply_value = "120";
    fixture_start(f);
    struct uuid id = fixture_register(f, "/a");
    finish_batches(f, 1, 1);
    until(f, has_attempted, 1);
    f->status = 200;
    finish_batches(f, 2, 4);
    fixture_advance_clock(110 * 1000);
    fixture_restart(f);
    fixture_run_turns(f, 50);
    assert_int_equal(f->n_received, 1);
    assert_string_equal(stats_of(f, 0).state, "held");
    fixture_advance_clock(25 * 1000); /* with the jitter of the first one's retry */
    fixture_restart(f);
    until(f, has_delivered, 4);
    assert_int_equal(health_of(f, &id).failed_attempts, 0);
}

static void
retry_after_counts_with_429_and_503_only(void **state)
{
    struct fixture *f = *state;
    f->status = 500;
    f->reply_name = "Retry-After";
    f->reply_value = "120";
    fixture_start(f);
    (void) fixture_register(f, "/a");
    finish_batches(f, 1, 1);
    until(f, has_attempted, 1);
    finish_batches(f, 2, 2);
    until(f, has_attempted, 2);
    assert_int_equal(f->n_received, 2);
}

static void
gone_disables_and_keeps_what_is_owed(void **state)
{
    struct fixture *f = *state;
    f->status = 410;
    fixture_start(f);
    struct uuid id = fixture_register(f, "/a");
    finish_batches(f, 1, 1);
    until(f, has_attempted, 1);
    assert_false(fixture_finish_batch(f, 2, 2, 1));
    fixture_advance_clock(30 * DAY_MS);
    fixture_restart(f);
    fixture_run_turns(f, 50);
    assert_int_equal(f->n_received, 1);
    assert_int_equal(health_of(f, &id).disabled, LANE_DISABLED_GONE);
    assert_string_equal(stats_of(f, 0).state, "disabled");
}

static void
receiver_can_disable_with_a_header_even_when_it_accepts(void **state)
{
    struct fixture *f = *state;
    f->reply_name = "Webhook-Delivery";
    f->reply_value = "disable";
    fixture_start(f);
    struct uuid id = fixture_register(f, "/a");
    finish_batches(f, 1, 1);
    until(f, has_delivered, 1);
    finish_batches(f, 2, 2);
    fixture_run_turns(f, 50);
    assert_int_equal(f->n_received, 1);
    assert_int_equal(health_of(f, &id).disabled, LANE_DISABLED_ASKED);
    assert_int_equal(fixture_delivery(f, 2).state, DELIVERY_OWED);
}

static void
is_active_true_enables_a_disabled_webhook_and_sends_what_was_kept(void **state)
{
    struct fixture *f = *state;
    char uuid[UUID_TEXT_LEN + 1];
    f->status = 410;
    fixture_start(f);
    struct uuid id = fixture_register(f, "/a");
    finish_batches(f, 1, 1);
    until(f, has_attempted, 1);
    finish_batches(f, 2, 3);
    f->status = 200;
    assert_int_equal(fixture_update(f, uuid_format(&id, uuid), "{\"isActive\":true}", NULL, NULL),
                     0);
    until(f, has_delivered, 2); /* the first one follows its schedule */
    assert_int_equal(health_of(f, &id).disabled, LANE_ENABLED);
}

static void
start_enables_what_no_patch_can(void **state)
{
    struct fixture *f = *state;
    char url[64];
    struct uuid cli = UUID_NIL;
    (void) snprintf(url, sizeof(url), "http://127.0.0.1:%d/cli", f->port);
    f->cli_url = url;
    f->status = 410;
    fixture_start(f);
    finish_batches(f, 1, 1);
    until(f, has_attempted, 1);
    assert_int_equal(health_of(f, &cli).disabled, LANE_DISABLED_GONE);
    finish_batches(f, 2, 2);
    f->status = 200;
    fixture_restart(f);
    until(f, has_delivered, 1);
    assert_int_equal(health_of(f, &cli).disabled, LANE_ENABLED);
}

static void
inactive_webhook_gets_nothing_until_it_is_active_again(void **state)
{
    struct fixture *f = *state;
    char uuid[UUID_TEXT_LEN + 1];
    fixture_start(f);
    struct uuid id = fixture_register_with(f, "/a", "\"isActive\":false");
    assert_false(fixture_finish_batch(f, 1, 1, 1));
    fixture_run_turns(f, 50);
    assert_int_equal(f->n_received, 0);
    assert_int_equal(owed_to(f, &id).count, 1);
    assert_int_equal(fixture_update(f, uuid_format(&id, uuid), "{\"isActive\":true}", NULL, NULL),
                     0);
    until(f, has_delivered, 1);
    assert_int_equal(owed_to(f, &id).count, 0);
}

static void
abort_message_ends_one_delivery_and_leaves_the_lane_alone(void **state)
{
    struct fixture *f = *state;
    f->status = 400;
    f->reply_name = "webhook-delivery";
    f->reply_value = " abort-message";
    fixture_start(f);
    struct uuid id = fixture_register(f, "/a");
    finish_batches(f, 1, 1);
    until(f, has_exhausted, 1);
    assert_int_equal(fixture_delivery(f, 1).state, DELIVERY_EXHAUSTED);
    assert_int_equal(fixture_delivery(f, 1).attempts, 1);
    assert_int_equal(health_of(f, &id).failed_attempts, 0);
    f->reply_name = NULL;
    f->status = 200;
    assert_true(fixture_finish_batch(f, 2, 2, 1));
    until(f, has_delivered, 1);
}

static void
dead_receiver_is_probed_with_growing_pauses(void **state)
{
    struct fixture *f = *state;
    f->status = 500;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    finish_batches(f, 1, 1);
    until(f, has_attempted, 1);
    finish_batches(f, 2, 20);
    until(f, has_attempted, 2); /* the second failure is followed by a pause of a second */
    fixture_run_turns(f, 50);
    assert_int_equal(f->n_received, 2);
    assert_int_equal(fixture_delivery(f, 3).attempts, 0);
    until(f, has_attempted, 3);
    assert_int_equal(fixture_delivery(f, 3).attempts, 1);
}

static void
successful_probe_lets_the_backlog_out_at_full_width(void **state)
{
    struct fixture *f = *state;
    f->status = 500;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    finish_batches(f, 1, 1);
    until(f, has_attempted, 1);
    f->mode = RECEIVER_HOLDS;
    finish_batches(f, 2, 40);
    until(f, has_received, 2);
    fixture_release_held(f, 200);
    until(f, has_received, 2 + LANE_IN_FLIGHT_MAX);
    fixture_run_turns(f, 50);
    assert_int_equal(f->n_received, 2 + LANE_IN_FLIGHT_MAX);
    f->mode = RECEIVER_ANSWERS;
    f->status = 200;
    fixture_release_held(f, 200);
    until(f, has_delivered, 39);
}

static void
attempts_that_end_in_one_turn_share_its_commit(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"isActive\":false,\"maxInFlight\":32");
    struct webhook_stats before = stats_of(f, 0);
    char uuid[UUID_TEXT_LEN + 1];
    finish_batches(f, 1, 64);
    f->mode = RECEIVER_HOLDS;
    assert_int_equal(
        fixture_update(f, uuid_format(&before.uuid, uuid), "{\"isActive\":true}", NULL, NULL), 0);
    until(f, has_received, 32);
    uint64_t commits = turn_stats(f->turn).commits;
    f->mode = RECEIVER_ANSWERS;
    fixture_release_held(f, 200);
    until(f, has_delivered, 64);
    assert_true(turn_stats(f->turn).commits - commits < 32);
}

/* --- limits ---------------------------------------------------------------------------------- */

static void
max_in_flight_limits_the_attempts_at_the_same_time(void **state)
{
    struct fixture *f = *state;
    f->mode = RECEIVER_HOLDS;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"maxInFlight\":3");
    finish_batches(f, 1, 10);
    until(f, has_received, 3);
    fixture_run_turns(f, 50);
    assert_int_equal(f->n_received, 3);
}

static void
rate_limit_spaces_the_requests(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"rateLimit\":20");
    int64_t began_us = clock_mono_us();
    finish_batches(f, 1, 5);
    until(f, has_delivered, 5);
    assert_true(clock_mono_us() - began_us >= 4 * 50 * 1000);
}

static void
queue_does_not_wait_for_a_rate_limited_webhook(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"rateLimit\":1");
    assert_true(fixture_finish_batch(f, 1, 1, 1));
    assert_false(fixture_finish_batch(f, 2, 2, 1));
}

static void
queue_does_not_wait_for_a_webhook_that_opted_out(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"wait\":false");
    assert_false(fixture_finish_batch(f, 1, 1, 1));
    until(f, has_delivered, 1);
}

static void
timeout_of_the_webhook_replaces_the_servers(void **state)
{
    struct fixture *f = *state;
    f->mode = RECEIVER_HOLDS;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"timeoutMs\":100");
    finish_batches(f, 1, 1);
    until(f, has_attempted, 1);
    assert_int_equal(stats_of(f, 0).results[WEBHOOK_RESULT_TIMEOUT], 1);
}

static void
own_retry_schedule_is_followed_and_ends(void **state)
{
    struct fixture *f = *state;
    f->status = 500;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"retrySchedule\":[0.01,0.02]");
    finish_batches(f, 1, 1);
    until(f, has_exhausted, 1);
    assert_int_equal(fixture_delivery(f, 1).attempts, 3);
    assert_int_equal(f->n_received, 3);
}

static void
empty_retry_schedule_means_one_attempt(void **state)
{
    struct fixture *f = *state;
    f->status = 500;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"retrySchedule\":[]");
    finish_batches(f, 1, 1);
    until(f, has_exhausted, 1);
    assert_int_equal(f->n_received, 1);
}

/* --- order ----------------------------------------------------------------------------------- */

static void
ordered_webhook_gets_one_at_a_time_by_sequence(void **state)
{
    struct fixture *f = *state;
    f->mode = RECEIVER_HOLDS;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"ordered\":true");
    finish_batches(f, 1, 30);
    until(f, has_received, 1);
    f->mode = RECEIVER_ANSWERS;
    fixture_release_held(f, 200);
    until(f, has_delivered, 30);
    assert_int_equal(f->most_held, 1);
    for (int i = 0; i < 30; i++)
        assert_int_equal(first_uid(&f->received[i]), i + 1);
}

static void
head_of_an_ordered_webhook_holds_up_the_rest_until_it_is_accepted(void **state)
{
    struct fixture *f = *state;
    f->status = 500;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"ordered\":true,\"retrySchedule\":[0.01,0.01,3600]");
    finish_batches(f, 1, 5);
    until(f, has_attempted, 3);
    fixture_run_turns(f, 50);
    assert_int_equal(f->n_received, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(first_uid(&f->received[i]), 1);
    f->status = 200;
    fixture_advance_clock(2 * HOUR_MS);
    webhooks_clock_was_set(f->webhooks);
    until(f, has_delivered, 5);
    for (int i = 1; i <= 5; i++)
        assert_int_equal(first_uid(&f->received[2 + i]), i);
}

static void
exhausted_head_is_skipped_visibly(void **state)
{
    struct fixture *f = *state;
    f->status = 500;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"ordered\":true,\"retrySchedule\":[]");
    fixture_capture_log(f);
    finish_batches(f, 1, 1);
    until(f, has_exhausted, 1);
    f->status = 200;
    finish_batches(f, 2, 3);
    until(f, has_delivered, 2);
    struct buf log = fixture_captured_log(f);
    assert_non_null(strstr(buf_cstr(&log), "a delivery is given up"));
    assert_non_null(strstr(buf_cstr(&log), "sequence=1 "));
    buf_done(&log);
    assert_int_equal(first_uid(&f->received[2]), 3);
}

static void
webhook_that_becomes_ordered_sends_what_is_owed_by_sequence(void **state)
{
    struct fixture *f = *state;
    char uuid[UUID_TEXT_LEN + 1];
    fixture_start(f);
    struct uuid id = fixture_register_with(f, "/a", "\"isActive\":false");
    finish_batches(f, 1, 20);
    assert_int_equal(owed_to(f, &id).count, 20);
    assert_int_equal(owed_to(f, &id).low_sequence, 1);
    assert_int_equal(fixture_update(f, uuid_format(&id, uuid),
                                    "{\"isActive\":true,\"ordered\":true}", NULL, NULL),
                     0);
    until(f, has_delivered, 20);
    for (int i = 0; i < 20; i++)
        assert_int_equal(first_uid(&f->received[i]), i + 1);
    assert_int_equal(owed_to(f, &id).count, 0);
}

static void
order_holds_over_random_failures_and_restarts(void **state)
{
    struct fixture *f = *state;
    uint32_t made = 0;
    unsigned seed = 7;
    int last = 0;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"ordered\":true,\"retrySchedule\":[0,0,0,0,0,0,0,0,0]");
    for (int round = 0; round < 20; round++) {
        f->status = rand_r(&seed) % 3 == 0 ? 503 : 200;
        finish_batches(f, made + 1, made + 2);
        made += 2;
        fixture_run_turns(f, (int) (rand_r(&seed) % 30));
        if (rand_r(&seed) % 4 == 0)
            fixture_restart(f);
    }
    f->status = 200;
    fixture_advance_clock(HOUR_MS);
    fixture_restart(f);
    while (fixture_count(f, TABLE_DELIVERY_DUE) > 0)
        until(f, has_delivered, f->webhooks->stats.delivered + 1);
    for (size_t i = 0; i < f->n_received; i++) {
        int uid = first_uid(&f->received[i]);
        assert_true(uid == last || uid == last + 1);
        last = uid;
    }
    assert_int_equal(last, (int) made);
}

/* --- the clock ------------------------------------------------------------------------------- */

static void
clock_set_back_delays_nothing_that_is_due(void **state)
{
    struct fixture *f = *state;
    f->status = 500;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"retrySchedule\":[0.05]");
    finish_batches(f, 1, 1);
    until(f, has_attempted, 1);
    f->status = 200;
    fixture_advance_clock(-DAY_MS);
    webhooks_clock_was_set(f->webhooks);
    int64_t began_us = clock_mono_us();
    finish_batches(f, 2, 2);
    until(f, has_delivered, 2);
    assert_true(clock_mono_us() - began_us < 5 * 1000 * 1000); /* far from a day */
}

static void
clock_set_forward_brings_what_is_due_by_then(void **state)
{
    struct fixture *f = *state;
    f->status = 500;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    finish_batches(f, 1, 1);
    until(f, has_attempted, 1);
    f->status = 200;
    fixture_advance_clock(HOUR_MS);
    webhooks_clock_was_set(f->webhooks);
    until(f, has_delivered, 1);
}

static void
first_attempt_is_not_late_when_the_clock_was_set_back_over_a_restart(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"isActive\":false");
    finish_batches(f, 1, 2);
    char uuid[UUID_TEXT_LEN + 1];
    struct uuid id = stats_of(f, 0).uuid;
    fixture_advance_clock(-DAY_MS);
    fixture_restart(f);
    assert_int_equal(fixture_update(f, uuid_format(&id, uuid), "{\"isActive\":true}", NULL, NULL),
                     0);
    until(f, has_delivered, 2);
}

/* --- failing for long ------------------------------------------------------------------------ */

static size_t
count_watched(const struct fixture *f, const char *text)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n_received; i++) {
        const struct received *r = &f->received[i];
        n += strcmp(r->path, "/watch") == 0 && strstr(r->body, text) != NULL;
    }
    return n;
}

static bool
has_told_watcher(struct fixture *f)
{
    return count_watched(f, "") >= wanted;
}

static bool
has_told_all(struct fixture *f)
{
    return count_watched(f, "\"disableAt\":") >= wanted &&
           count_watched(f, "\"reason\":\"failing\"") >= wanted &&
           fixture_count(f, TABLE_EVENTS) == 4; /* the batch, failing, disabled, recovered */
}

static struct uuid watched; /* by the next two */

static bool
is_disabled(struct fixture *f)
{
    return health_of(f, &watched).disabled == LANE_DISABLED_FAILING;
}

static bool
is_enabled(struct fixture *f)
{
    return health_of(f, &watched).disabled == LANE_ENABLED;
}

static void
long_failure_disables_after_a_warning_and_a_probe_enables_again(void **state)
{
    struct fixture *f = *state;
    f->status = 500;
    fixture_start(f);
    watched = fixture_register(f, "/a");
    (void) fixture_register_with(
        f, "/watch", "\"events\":[\"webhook.failing\",\"webhook.disabled\",\"webhook.recovered\"]");
    struct lane_health h = {.failed_attempts = 25,
                            .failing_since_ms = clock_wall_ms() - 4 * DAY_MS,
                            .last_failed_ms = clock_wall_ms() - HOUR_MS};
    put_health(f, &watched, &h);
    fixture_restart(f);
    finish_batches(f, 1, 1);
    until(f, has_attempted, 1);
    assert_true(health_of(f, &watched).disable_at_ms >= clock_wall_ms() + 23 * HOUR_MS);
    fixture_advance_clock(25 * HOUR_MS);
    fixture_restart(f);
    until(f, is_disabled, 1);
    f->status = 200;
    fixture_advance_clock(25 * HOUR_MS);
    fixture_restart(f);
    until(f, is_enabled, 1);
    until(f, has_told_all, 1);
}

static void
webhook_hears_nothing_of_itself(void **state)
{
    struct fixture *f = *state;
    f->status = 410;
    fixture_start(f);
    (void) fixture_register_with(f, "/self",
                                 "\"events\":[\"batch.finished\",\"webhook.disabled\","
                                 "\"webhook.exhausted\"],\"retrySchedule\":[]");
    finish_batches(f, 1, 1);
    until(f, has_exhausted, 1);
    fixture_run_turns(f, 50);
    assert_int_equal(fixture_count(f, TABLE_EVENTS), 1);
    assert_int_equal(f->n_received, 1);
}

/* Several end in the same turn, which disables the webhook once. */
static void
disabled_webhook_is_told_to_subscribers_once(void **state)
{
    struct fixture *f = *state;
    f->mode = RECEIVER_HOLDS;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    (void) fixture_register_with(f, "/watch", "\"events\":[\"webhook.disabled\"]");
    finish_batches(f, 1, 5);
    until(f, has_received, 5);
    f->mode = RECEIVER_ANSWERS;
    fixture_release_held(f, 410);
    until(f, has_attempted, 5);
    until(f, has_told_watcher, 1);
    fixture_run_turns(f, 50);
    assert_int_equal(count_watched(f, "\"reason\":\"gone\""), 1);
    assert_int_equal(count_watched(f, ""), 1);
}

static void
exhausted_delivery_is_told_to_subscribers(void **state)
{
    struct fixture *f = *state;
    f->status = 500;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"retrySchedule\":[]");
    (void) fixture_register_with(f, "/watch",
                                 "\"events\":[\"webhook.exhausted\"],\"retrySchedule\":[]");
    finish_batches(f, 1, 1);
    until(f, has_told_watcher, 1);
    assert_int_equal(count_watched(f, "\"batchUid\":1"), 1);
    /* its own failure is told to nobody */
    until(f, has_exhausted, 2);
    fixture_run_turns(f, 100);
    assert_int_equal(f->n_received, 2);
}

static void
two_dead_webhooks_do_not_report_each_other_for_ever(void **state)
{
    struct fixture *f = *state;
    static const char both[] = "\"events\":[\"batch.finished\",\"webhook.exhausted\"],"
                               "\"retrySchedule\":[]";
    f->status = 500;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", both);
    (void) fixture_register_with(f, "/b", both);
    finish_batches(f, 1, 1);
    until(f, has_exhausted, 4); /* the batch twice, and each told of the other */
    fixture_run_turns(f, 200);
    assert_int_equal(fixture_count(f, TABLE_DELIVERIES), 4);
}

/* --- what a disabled webhook is owed --------------------------------------------------------- */

static bool
has_expired(struct fixture *f)
{
    return f->webhooks->stats.expired >= wanted;
}

static void
old_deliveries_of_an_inactive_webhook_expire(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    struct uuid id = fixture_register_with(f, "/a", "\"isActive\":false");
    finish_batches(f, 1, 3);
    fixture_advance_clock(15 * DAY_MS);
    finish_batches(f, 4, 4);
    fixture_restart(f);
    until(f, has_expired, 3);
    fixture_run_turns(f, 50);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(owed_to(f, &id).count, 1);
    assert_int_equal(fixture_delivery(f, 4).state, DELIVERY_OWED);
    assert_int_equal(fixture_delivery(f, 1).state, DELIVERY_EXPIRED);
    assert_int_equal(stats_of(f, 0).expired, 3);
}

static void
expired_deliveries_are_told_to_subscribers_once(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"isActive\":false");
    (void) fixture_register_with(f, "/watch", "\"events\":[\"webhook.expired\"]");
    finish_batches(f, 1, 3);
    fixture_advance_clock(15 * DAY_MS);
    fixture_restart(f);
    until(f, has_told_watcher, 1);
    assert_int_equal(count_watched(f, "\"deliveries\":3,\"firstSequence\":1,\"lastSequence\":3"),
                     1);
    fixture_restart(f);
    fixture_run_turns(f, 100);
    assert_int_equal(count_watched(f, ""), 1);
}

/* Each was told of the other; what is told of them expires too. */
static void
expired_operational_events_are_told_to_nobody(void **state)
{
    struct fixture *f = *state;
    static const char both[] = "\"events\":[\"batch.finished\",\"webhook.expired\"],"
                               "\"isActive\":false";
    fixture_start(f);
    (void) fixture_register_with(f, "/a", both);
    (void) fixture_register_with(f, "/b", both);
    finish_batches(f, 1, 1);
    for (int i = 0; i < 2; i++) {
        fixture_advance_clock(15 * DAY_MS);
        fixture_restart(f);
        until(f, has_expired, 2);
        fixture_run_turns(f, 50);
    }
    assert_int_equal(f->webhooks->stats.expired, 2);
    fixture_restart(f);
    fixture_run_turns(f, 50);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(fixture_count(f, TABLE_DELIVERY_DUE), 0);
}

static void
nothing_of_an_active_webhook_expires(void **state)
{
    struct fixture *f = *state;
    f->status = 500;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"retrySchedule\":[3600]");
    finish_batches(f, 1, 1);
    until(f, has_attempted, 1);
    fixture_advance_clock(30 * DAY_MS);
    fixture_restart(f);
    until(f, has_exhausted, 1);
    assert_int_equal(f->webhooks->stats.expired, 0);
}

/* --- figures --------------------------------------------------------------------------------- */

static void
stats_tell_what_is_owed_and_how_attempts_ended(void **state)
{
    struct fixture *f = *state;
    f->status = 500;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    finish_batches(f, 1, 1);
    until(f, has_attempted, 1);
    fixture_advance_clock(2000);
    struct webhook_stats s = stats_of(f, 0);
    assert_string_equal(s.state, "failing");
    assert_int_equal(s.pending, 1);
    assert_true(s.oldest_owed_ms >= 2000 && s.oldest_owed_ms < 60 * 1000);
    assert_int_equal(s.results[WEBHOOK_RESULT_STATUS], 1);
    uint64_t n = 0;
    for (int i = 0; i < WEBHOOK_LATENCY_BUCKETS; i++)
        n += s.latency[i];
    assert_int_equal(n, 1);
    assert_true(webhooks_stats(f->webhooks).pause_us > 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(retry_after_stops_the_whole_webhook_over_a_restart),
        CASE(retry_after_counts_with_429_and_503_only),
        CASE(gone_disables_and_keeps_what_is_owed),
        CASE(receiver_can_disable_with_a_header_even_when_it_accepts),
        CASE(is_active_true_enables_a_disabled_webhook_and_sends_what_was_kept),
        CASE(start_enables_what_no_patch_can),
        CASE(inactive_webhook_gets_nothing_until_it_is_active_again),
        CASE(abort_message_ends_one_delivery_and_leaves_the_lane_alone),
        CASE(dead_receiver_is_probed_with_growing_pauses),
        CASE(successful_probe_lets_the_backlog_out_at_full_width),
        CASE(attempts_that_end_in_one_turn_share_its_commit),
        CASE(max_in_flight_limits_the_attempts_at_the_same_time),
        CASE(rate_limit_spaces_the_requests),
        CASE(queue_does_not_wait_for_a_rate_limited_webhook),
        CASE(queue_does_not_wait_for_a_webhook_that_opted_out),
        CASE(timeout_of_the_webhook_replaces_the_servers),
        CASE(own_retry_schedule_is_followed_and_ends),
        CASE(empty_retry_schedule_means_one_attempt),
        CASE(ordered_webhook_gets_one_at_a_time_by_sequence),
        CASE(head_of_an_ordered_webhook_holds_up_the_rest_until_it_is_accepted),
        CASE(exhausted_head_is_skipped_visibly),
        CASE(webhook_that_becomes_ordered_sends_what_is_owed_by_sequence),
        CASE(order_holds_over_random_failures_and_restarts),
        CASE(clock_set_back_delays_nothing_that_is_due),
        CASE(clock_set_forward_brings_what_is_due_by_then),
        CASE(first_attempt_is_not_late_when_the_clock_was_set_back_over_a_restart),
        CASE(long_failure_disables_after_a_warning_and_a_probe_enables_again),
        CASE(webhook_hears_nothing_of_itself),
        CASE(disabled_webhook_is_told_to_subscribers_once),
        CASE(exhausted_delivery_is_told_to_subscribers),
        CASE(two_dead_webhooks_do_not_report_each_other_for_ever),
        CASE(old_deliveries_of_an_inactive_webhook_expire),
        CASE(expired_deliveries_are_told_to_subscribers_once),
        CASE(expired_operational_events_are_told_to_nobody),
        CASE(nothing_of_an_active_webhook_expires),
        CASE(stats_tell_what_is_owed_and_how_attempts_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
