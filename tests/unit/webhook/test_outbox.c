/* Events: their lines, their numbers, what they owe (invariants 4 and 14). */
#include "fixture.h"

#include <stdio.h>

static const struct event_line_facts facts = {.index_uid = STR_NULL, .kind = 1, .status = 2};

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
        struct event_line_facts own = {.index_uid = str_make(index, (size_t) index_len),
                                       .kind = (uint8_t) (i % 18),
                                       .status = (uint8_t) (i % 5)};
        if (i % 3 == 0)
            own.index_uid = STR_NULL;
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
            assert_true(seen % 3 == 0 ? line.index_uid.data == NULL
                                      : str_is(line.index_uid, index));
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
    lines_begin(&part);
    lines_add(&part, &line);
    for (size_t len = 2; len < part.len; len++) {
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

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nothing_is_built_without_a_webhook),
        CASE(event_is_built_while_the_last_webhook_is_being_deleted),
        CASE(lines_and_their_facts_are_read_back_from_many_parts),
        cmocka_unit_test(cut_part_is_an_error_and_not_an_end),
        CASE(event_owes_one_delivery_to_each_webhook),
        CASE(event_without_lines_owes_nothing),
        CASE(refused_commit_leaves_no_event_and_no_gap_in_the_sequence),
        CASE(event_with_a_refused_part_cannot_be_finished),
        CASE(numbers_are_never_given_out_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
