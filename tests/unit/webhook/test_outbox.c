/* Events: their lines, their numbers, what they owe (invariants 4 and 14). */
#include "fixture.h"

#include <stdio.h>

static const struct event_line_facts facts = {.index_uids = STR_NULL, .kind = 1, .status = 2};

static void
add_line(struct fixture *f, void *builder, struct str line)
{
    assert_int_equal(webhooks_event_add(builder, turn_txn(f->turn), &facts, line), 0);
}

static void
nothing_is_built_without_a_webhook(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    assert_null(webhooks_event_begin(f->webhooks, 1));
    assert_false(webhooks_announce(f->webhooks, 1));
}

static void
event_is_built_while_the_last_webhook_is_being_deleted(void **state)
{
    struct fixture *f = *state;
    char text[UUID_TEXT_LEN + 1];
    struct err err = ERR_INIT;
    fixture_start(f);
    struct uuid uuid = fixture_register(f, "/hook");
    assert_int_equal(webhooks_delete(f->webhooks, str_from(uuid_format(&uuid, text)), &err), 0);
    void *builder = webhooks_event_begin(f->webhooks, 1);
    assert_non_null(builder);
    add_line(f, builder, STR("{}"));
    assert_int_equal(webhooks_event_finish(builder, turn_txn(f->turn)), 0);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(fixture_count(f, TABLE_EVENTS), 0);
    assert_null(webhooks_event_begin(f->webhooks, 2));
}

static void
lines_and_their_facts_are_read_back_from_many_parts(void **state)
{
    struct fixture *f = *state;
    enum { LINES = 5000 };
    struct event_record e;
    fixture_start(f);
    (void) fixture_register(f, "/hook");
    void *builder = webhooks_event_begin(f->webhooks, 7);
    for (uint32_t i = 0; i < LINES; i++) {
        char line[64], index[16];
        int len = snprintf(line, sizeof(line), "{\"uid\":%u,\"details\":{}}", i);
        int index_len = snprintf(index, sizeof(index), "i%u", i);
        struct event_line_facts own = {.index_uids = str_make(index, (size_t) index_len),
                                       .kind = (uint8_t) (i % 18),
                                       .status = (uint8_t) (i % 5)};
        if (i % 3 == 0)
            own.index_uids = STR_NULL;
        assert_int_equal(
            webhooks_event_add(builder, turn_txn(f->turn), &own, str_make(line, (size_t) len)), 0);
        if (i % 1000 == 0)
            assert_int_equal(fixture_commit(f), 0);
    }
    assert_int_equal(webhooks_event_finish(builder, turn_txn(f->turn)), 0);
    assert_int_equal(fixture_commit(f), 0);
    struct store_txn *txn = turn_read(f->turn);
    assert_int_equal(event_get(txn, 1, &e), 1);
    assert_true(e.n_parts > 1);
    assert_int_equal(e.batch_uid, 7);
    assert_int_equal(e.n_lines, LINES);
    uint32_t seen = 0;
    for (uint32_t part = 0; part < e.n_parts; part++) {
        uint8_t key[KEY_PART_LEN];
        struct str value;
        struct line_view line;
        size_t at = 0;
        assert_int_equal(store_get(txn, TABLE_EVENT_LINES, key_numbered(key, 1, part), &value), 1);
        for (; lines_next(value, &at, &line) == 1; seen++) {
            char want[64], index[16];
            (void) snprintf(want, sizeof(want), "{\"uid\":%u,\"details\":{}}", seen);
            (void) snprintf(index, sizeof(index), "i%u", seen);
            assert_true(str_is(line.text, want));
            assert_int_equal(line.kind, seen % 18);
            assert_int_equal(line.status, seen % 5);
            assert_true(seen % 3 == 0 ? line.index_uids.data == NULL
                                      : str_is(line.index_uids, index));
        }
    }
    store_abort(txn);
    assert_int_equal(seen, LINES);
}

static void
cut_part_is_an_error_and_not_an_end(void **state)
{
    (void) state;
    struct buf part = BUF_INIT;
    struct line_view line = {.text = STR("{}")};
    size_t at = 0;
    lines_begin(&part, 0);
    size_t header_len = part.len;
    lines_add(&part, &line);
    for (size_t len = 2; len < part.len; len++) {
        if (len == header_len)
            continue; /* whole, only without lines */
        at = 0;
        assert_int_equal(lines_next(str_make(part.data, len), &at, &line), STORE_ECORRUPT);
    }
    at = 0;
    assert_int_equal(lines_next(buf_str(&part), &at, &line), 1);
    assert_int_equal(lines_next(buf_str(&part), &at, &line), 0);
    buf_done(&part);
}

static void
event_owes_one_delivery_to_each_webhook(void **state)
{
    struct fixture *f = *state;
    f->cli_url = "http://127.0.0.1:1/cli";
    fixture_start(f);
    struct uuid a = fixture_register(f, "/a");
    void *builder = webhooks_event_begin(f->webhooks, 1);
    add_line(f, builder, STR("{}"));
    assert_int_equal(webhooks_event_finish(builder, turn_txn(f->turn)), 0);
    assert_int_equal(fixture_commit(f), 0);
    struct delivery_record first = fixture_delivery(f, 1), second = fixture_delivery(f, 2);
    assert_true(uuid_is_nil(&first.webhook));
    assert_true(uuid_equal(&second.webhook, &a));
    assert_int_equal(first.state, DELIVERY_OWED);
    assert_int_equal(first.event, 1);
    assert_int_equal(second.event, 1);
    assert_int_equal(fixture_count(f, TABLE_DELIVERY_DUE), 2);
    assert_int_equal(webhooks_stats(f->webhooks).pending, 2);
}

static void
event_without_lines_owes_nothing(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    void *builder = webhooks_event_begin(f->webhooks, 1);
    assert_int_equal(webhooks_event_finish(builder, turn_txn(f->turn)), 0);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(fixture_count(f, TABLE_EVENTS), 0);
    assert_false(webhooks_announce(f->webhooks, 1));
}

static void
refused_commit_leaves_no_event_and_no_gap_in_the_sequence(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    assert_true(fixture_finish_batch(f, 1, 0, 1));
    void *builder = webhooks_event_begin(f->webhooks, 2);
    add_line(f, builder, STR("{}"));
    assert_int_equal(webhooks_event_finish(builder, turn_txn(f->turn)), 0);
    turn_fail(f->turn, STORE_EFULL);
    assert_int_equal(fixture_commit(f), STORE_EFULL);
    uint64_t refused = f->webhooks->outbox.next_delivery - 1;
    (void) fixture_finish_batch(f, 2, 0, 1);
    assert_int_equal(fixture_count(f, TABLE_EVENTS), 2);
    assert_int_equal(fixture_delivery(f, 1).sequence, 1);
    assert_int_equal(fixture_delivery(f, refused + 1).sequence, 2);
}

static void
event_with_a_refused_part_cannot_be_finished(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register(f, "/a");
    static char big[EVENT_PART_BYTES];
    memset(big, 'x', sizeof(big));
    void *builder = webhooks_event_begin(f->webhooks, 1);
    add_line(f, builder, str_make(big, sizeof(big)));
    turn_fail(f->turn, STORE_EFULL);
    assert_int_equal(fixture_commit(f), STORE_EFULL);
    add_line(f, builder, STR("{}"));
    assert_true(webhooks_event_finish(builder, turn_txn(f->turn)) < 0);
    assert_int_equal(fixture_commit(f), STORE_EFULL);
    assert_int_equal(fixture_count(f, TABLE_DELIVERIES), 0);
}

static void
numbers_are_never_given_out_twice(void **state)
{
    struct fixture *f = *state;
    static char big[EVENT_PART_BYTES];
    uint8_t key[KEY_PART_LEN];
    fixture_start(f);
    (void) fixture_register(f, "/a");
    (void) fixture_finish_batch(f, 1, 0, 1);
    uint64_t next_delivery = f->webhooks->outbox.next_delivery;
    fixture_stop(f);
    /* Lines of an event that a killed process did not finish. */
    assert_int_equal(store_put(turn_txn(f->turn), TABLE_EVENT_LINES, key_numbered(key, 5, 0),
                               str_make(big, sizeof(big))),
                     0);
    assert_int_equal(fixture_commit(f), 0);
    fixture_start(f);
    assert_int_equal(f->webhooks->outbox.next_event, 6);
    assert_int_equal(f->webhooks->outbox.next_delivery, next_delivery);
}

static void
part_tells_the_number_of_its_first_line(void **state)
{
    (void) state;
    struct buf part = BUF_INIT;
    uint32_t line = 0;
    lines_begin(&part, 4711);
    assert_true(lines_first(buf_str(&part), &line));
    assert_int_equal(line, 4711);
    buf_done(&part);
}

/* What the first version stored: no number of the first line. */
static void
part_of_version_1_is_still_read(void **state)
{
    (void) state;
    struct buf part = BUF_INIT;
    struct line_view line = {.text = STR("{}"), .kind = 3, .status = 4};
    uint32_t first;
    size_t at = 0;
    rec_put_u8(&part, 1);
    lines_add(&part, &line);
    assert_false(lines_first(buf_str(&part), &first));
    line = (struct line_view){0};
    assert_int_equal(lines_next(buf_str(&part), &at, &line), 1);
    assert_true(str_is(line.text, "{}"));
    assert_int_equal(line.kind, 3);
    assert_int_equal(lines_next(buf_str(&part), &at, &line), 0);
    buf_done(&part);
}

/* --- filters and parts ----------------------------------------------------------------------- */

#define INACTIVE "\"isActive\":false"

/* n tasks of kind 0 on index "a", succeeded; every third one on "b", failed. */
static void
add_mixed(struct fixture *f, void *builder, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct event_line_facts own = {.index_uids = STR("a"), .kind = 0, .status = 2};
        if (i % 3 == 2)
            own = (struct event_line_facts){.index_uids = STR("b"), .kind = 0, .status = 3};
        assert_int_equal(webhooks_event_add(builder, turn_txn(f->turn), &own, STR("{}")), 0);
    }
}

static void
finish_mixed(struct fixture *f, uint32_t n)
{
    void *builder = webhooks_event_begin(f->webhooks, 1);
    assert_non_null(builder);
    add_mixed(f, builder, n);
    assert_int_equal(webhooks_event_finish(builder, turn_txn(f->turn)), 0);
    assert_int_equal(fixture_commit(f), 0);
}

static void
webhook_is_owed_the_tasks_that_its_filter_wants(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", INACTIVE ",\"indexUids\":[\"b\"]");
    finish_mixed(f, 9);
    struct delivery_record d = fixture_delivery(f, 1);
    assert_int_equal(d.n_tasks, 3);
    assert_int_equal(d.first_line, 2);
    assert_int_equal(d.n_lines, 7);
    assert_int_not_equal(d.selection, 0);
}

static void
webhook_without_a_matching_task_is_owed_nothing(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", INACTIVE ",\"statuses\":[\"canceled\"]");
    (void) fixture_register_with(f, "/b", INACTIVE);
    finish_mixed(f, 3);
    assert_int_equal(fixture_count(f, TABLE_DELIVERIES), 1);
    assert_int_equal(fixture_delivery(f, 1).n_tasks, 3);
}

static void
event_that_nobody_wants_is_not_stored(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", INACTIVE ",\"types\":[\"documentDeletion\"]");
    finish_mixed(f, 3);
    assert_int_equal(fixture_count(f, TABLE_EVENTS), 0);
    assert_int_equal(fixture_count(f, TABLE_EVENT_LINES), 0);
    assert_false(webhooks_announce(f->webhooks, 1));
}

static bool
has_no_lines(struct fixture *f)
{
    return fixture_count(f, TABLE_EVENT_LINES) == 0;
}

static void
stored_lines_of_an_event_that_nobody_wants_are_removed(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", INACTIVE ",\"types\":[\"documentDeletion\"]");
    void *builder = webhooks_event_begin(f->webhooks, 1);
    add_mixed(f, builder, 20000);
    assert_int_equal(fixture_commit(f), 0);
    assert_false(has_no_lines(f));
    assert_int_equal(webhooks_event_finish(builder, turn_txn(f->turn)), 0);
    fixture_run_until(f, has_no_lines);
    assert_int_equal(fixture_count(f, TABLE_EVENTS), 0);
}

static void
no_lines_are_gathered_when_nobody_listens_to_batches(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"events\":[\"webhook.failing\"]");
    assert_null(webhooks_event_begin(f->webhooks, 1));
}

static void
equal_selections_are_stored_once(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", INACTIVE ",\"indexUids\":[\"b\"]");
    (void) fixture_register_with(f, "/b", INACTIVE ",\"statuses\":[\"failed\"]");
    (void) fixture_register_with(f, "/c", INACTIVE ",\"statuses\":[\"succeeded\"]");
    finish_mixed(f, 9);
    assert_int_equal(fixture_count(f, TABLE_EVENT_LINES), 1 + 2);
}

static void
large_payload_is_split_into_numbered_parts(void **state)
{
    struct fixture *f = *state;
    f->payload.max_tasks = 4;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", INACTIVE);
    finish_mixed(f, 9);
    assert_int_equal(fixture_count(f, TABLE_DELIVERIES), 3);
    for (uint32_t i = 0; i < 3; i++) {
        struct delivery_record d = fixture_delivery(f, i + 1);
        assert_int_equal(d.part, i + 1);
        assert_int_equal(d.n_parts, 3);
        assert_int_equal(d.sequence, i + 1);
        assert_int_equal(d.first_line, 4 * i);
        assert_int_equal(d.n_tasks, i < 2 ? 4 : 1);
    }
}

static void
every_delivery_is_found_by_its_sequence_number(void **state)
{
    struct fixture *f = *state;
    uint8_t key[KEY_SEQUENCE_LEN];
    struct str value;
    f->payload.max_tasks = 1;
    fixture_start(f);
    struct uuid a = fixture_register_with(f, "/a", INACTIVE);
    finish_mixed(f, 3);
    struct store_txn *txn = turn_read(f->turn);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(store_get(txn, TABLE_WEBHOOK_DELIVERIES, key_sequence(key, &a, i), &value),
                         1);
        assert_int_equal(key_read_u64(value, 0), i);
    }
    store_abort(txn);
}

static void
webhook_registered_while_the_event_is_built_is_served_too(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", INACTIVE);
    void *builder = webhooks_event_begin(f->webhooks, 1);
    add_mixed(f, builder, 3);
    struct uuid late = fixture_register_with(f, "/late", INACTIVE ",\"indexUids\":[\"b\"]");
    add_mixed(f, builder, 3);
    assert_int_equal(webhooks_event_finish(builder, turn_txn(f->turn)), 0);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(fixture_count(f, TABLE_DELIVERIES), 2);
    struct delivery_record d = fixture_delivery(f, 1);
    d = uuid_equal(&d.webhook, &late) ? d : fixture_delivery(f, 2);
    assert_int_equal(d.n_tasks, 2);
    assert_int_equal(d.first_line, 2);
}

static void
filter_changed_while_the_event_is_built_counts_from_the_next_one(void **state)
{
    struct fixture *f = *state;
    char uuid[UUID_TEXT_LEN + 1];
    fixture_start(f);
    struct uuid a = fixture_register_with(f, "/a", INACTIVE ",\"indexUids\":[\"b\"]");
    void *builder = webhooks_event_begin(f->webhooks, 1);
    add_mixed(f, builder, 3);
    assert_int_equal(
        fixture_update(f, uuid_format(&a, uuid), "{\"indexUids\":[\"a\"]}", NULL, NULL), 0);
    add_mixed(f, builder, 3);
    assert_int_equal(webhooks_event_finish(builder, turn_txn(f->turn)), 0);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(fixture_delivery(f, 1).n_tasks, 2);
}

/* --- events that no batch made --------------------------------------------------------------- */

static int
emit(struct fixture *f, const struct emission *e, uint64_t *ret_delivery)
{
    int rc = event_emit(f->webhooks, turn_txn(f->turn), e, ret_delivery);
    assert_int_equal(fixture_commit(f), 0);
    return rc;
}

static void
operational_event_is_owed_to_its_subscribers(void **state)
{
    struct fixture *f = *state;
    struct emission e = {.type = EVENT_WEBHOOK_FAILING, .data = STR("{}")};
    uint64_t delivery;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", INACTIVE);
    struct uuid b = fixture_register_with(f, "/b", INACTIVE ",\"events\":[\"webhook.failing\"]");
    assert_int_equal(emit(f, &e, &delivery), 0);
    assert_int_equal(fixture_count(f, TABLE_DELIVERIES), 1);
    struct delivery_record d = fixture_delivery(f, delivery);
    assert_true(uuid_equal(&d.webhook, &b));
    assert_int_equal(d.cause, CAUSE_EVENT);
}

static void
webhook_hears_nothing_about_itself(void **state)
{
    struct fixture *f = *state;
    uint64_t delivery;
    fixture_start(f);
    struct uuid a = fixture_register_with(f, "/a", INACTIVE ",\"events\":[\"webhook.failing\"]");
    struct emission e = {.type = EVENT_WEBHOOK_FAILING, .data = STR("{}"), .about = &a};
    assert_int_equal(emit(f, &e, &delivery), 0);
    assert_int_equal(delivery, 0);
    assert_int_equal(fixture_count(f, TABLE_EVENTS), 0);
}

static void
ping_goes_to_one_webhook_whatever_it_subscribes_to(void **state)
{
    struct fixture *f = *state;
    uint64_t delivery;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", INACTIVE);
    struct uuid b = fixture_register_with(f, "/b", INACTIVE);
    struct emission e = {.type = EVENT_PING, .data = STR("{}"), .to = &b};
    assert_int_equal(emit(f, &e, &delivery), 0);
    assert_int_equal(fixture_count(f, TABLE_DELIVERIES), 1);
    struct delivery_record d = fixture_delivery(f, delivery);
    assert_true(uuid_equal(&d.webhook, &b));
    assert_int_equal(d.cause, CAUSE_PING);
}

static bool
has_received(struct fixture *f)
{
    return f->n_received == 1;
}

static void
emitted_event_is_delivered_without_another_event(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    struct uuid a = fixture_register_with(f, "/a", "\"format\":\"json\"");
    struct emission e = {.type = EVENT_PING, .data = STR("{\"x\":1}"), .to = &a};
    assert_int_equal(emit(f, &e, NULL), 0);
    fixture_run_until(f, has_received);
    assert_string_equal(f->received[0].content_type, "application/json");
}

static void
refused_commit_leaves_no_emitted_event(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    struct uuid a = fixture_register_with(f, "/a", INACTIVE);
    struct emission e = {.type = EVENT_PING, .data = STR("{}"), .to = &a};
    assert_int_equal(event_emit(f->webhooks, turn_txn(f->turn), &e, NULL), 0);
    turn_fail(f->turn, STORE_EFULL);
    assert_int_equal(fixture_commit(f), STORE_EFULL);
    assert_int_equal(fixture_count(f, TABLE_EVENTS), 0);
    assert_null(f->webhooks->outbox.emitted);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nothing_is_built_without_a_webhook),
        CASE(event_is_built_while_the_last_webhook_is_being_deleted),
        CASE(lines_and_their_facts_are_read_back_from_many_parts),
        cmocka_unit_test(cut_part_is_an_error_and_not_an_end),
        cmocka_unit_test(part_tells_the_number_of_its_first_line),
        cmocka_unit_test(part_of_version_1_is_still_read),
        CASE(webhook_is_owed_the_tasks_that_its_filter_wants),
        CASE(webhook_without_a_matching_task_is_owed_nothing),
        CASE(event_that_nobody_wants_is_not_stored),
        CASE(stored_lines_of_an_event_that_nobody_wants_are_removed),
        CASE(no_lines_are_gathered_when_nobody_listens_to_batches),
        CASE(equal_selections_are_stored_once),
        CASE(large_payload_is_split_into_numbered_parts),
        CASE(every_delivery_is_found_by_its_sequence_number),
        CASE(webhook_registered_while_the_event_is_built_is_served_too),
        CASE(filter_changed_while_the_event_is_built_counts_from_the_next_one),
        CASE(operational_event_is_owed_to_its_subscribers),
        CASE(webhook_hears_nothing_about_itself),
        CASE(ping_goes_to_one_webhook_whatever_it_subscribes_to),
        CASE(emitted_event_is_delivered_without_another_event),
        CASE(refused_commit_leaves_no_emitted_event),
        CASE(event_owes_one_delivery_to_each_webhook),
        CASE(event_without_lines_owes_nothing),
        CASE(refused_commit_leaves_no_event_and_no_gap_in_the_sequence),
        CASE(event_with_a_refused_part_cannot_be_finished),
        CASE(numbers_are_never_given_out_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
