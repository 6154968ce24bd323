/* Organisation events: who is owed what of them, at once and in pieces. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "webhook/organization_webhooks.h"
#include "webhook/owed.h"

/* A webhook of one channel; its first uuid. */
static struct uuid
subscribe(struct fixture *f, const char *path, const char *events)
{
    struct buf channels = BUF_INIT, out = BUF_INIT;
    struct err err = ERR_INIT;
    struct uuid uuids[ORGANIZATION_CHANNELS_MAX];
    buf_addf(&channels,
             "[{\"channel\":\"webhook\",\"configs\":{\"url\":\"http://127.0.0.1:%d%s\"}}]", f->port,
             path);
    struct json_doc *c = json_parse(buf_str(&channels), NULL),
                    *e = json_parse(str_from(events), NULL);
    struct organization_draft d = {
        .name = STR("w"), .event_types = json_root(e), .channels = json_root(c), .is_active = true};
    if (organization_webhooks_create(f->webhooks, &d, &out, &err) < 0)
        fail_msg("%s", err.message);
    struct json_doc *made = json_parse(buf_str(&out), NULL);
    struct str id = json_string(json_get_c(json_root(made), "webhook_id"));
    assert_int_equal(organization_webhooks_channels(f->webhooks, id, uuids, &err), 1);
    assert_int_equal(fixture_commit(f), 0);
    json_doc_free(made);
    json_doc_free(c);
    json_doc_free(e);
    buf_done(&channels);
    buf_done(&out);
    return uuids[0];
}

static struct organization_event
event_of(enum catalog_event type)
{
    return (struct organization_event){.type = type,
                                       .subject_type = STR("thing"),
                                       .subject_id = STR("1"),
                                       .metadata = STR("{\"a\":1}")};
}

static uint64_t
owed_to(struct fixture *f, const struct uuid *webhook)
{
    struct owed owed = {0};
    struct store_txn *txn = turn_read(f->turn);
    assert_true(owed_get(txn, webhook, &owed) >= 0);
    store_abort(txn);
    return owed.count;
}

static void
finish(struct fixture *f, struct organization_news *n)
{
    assert_int_equal(organization_news_finish(n, turn_txn(f->turn), NULL), 0);
}

static void
add_many(struct fixture *f, struct organization_news *n, enum catalog_event type, uint32_t count)
{
    struct organization_event e = event_of(type);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(organization_news_add(n, turn_txn(f->turn), &e), 0);
}

static bool
has_received_two(struct fixture *f)
{
    return f->n_received == 2;
}

static void
an_event_reaches_who_is_subscribed_to_it(void **state)
{
    struct fixture *f = *state;
    struct organization_emitted emitted;
    char id[UUID_TEXT_LEN + 1];
    fixture_start(f);
    (void) subscribe(f, "/all", "[\"*\"]");
    (void) subscribe(f, "/created", "[\"cluster.created\"]");
    (void) subscribe(f, "/deleted", "[\"cluster.deleted\"]");
    struct organization_event e = event_of(CATALOG_CLUSTER_CREATED);
    assert_int_equal(organization_emit(f->webhooks, turn_txn(f->turn), &e, &emitted), 0);
    assert_int_equal(emitted.n_deliveries, 2);
    assert_int_equal(fixture_commit(f), 0);
    fixture_run_until(f, has_received_two);
    (void) uuid_format(&emitted.id, id);
    for (size_t i = 0; i < 2; i++) {
        struct json_doc *doc = json_parse(str_from(f->received[i].body), NULL);
        assert_true(str_is(json_string(json_get_c(json_root(doc), "event_id")), id));
        assert_true(
            str_is(json_string(json_get_c(json_root(doc), "event_type")), "cluster.created"));
        assert_string_equal(f->received[i].webhook_id, id);
        json_doc_free(doc);
    }
}

static void
what_nobody_wants_leaves_no_row(void **state)
{
    struct fixture *f = *state;
    struct organization_emitted emitted;
    fixture_start(f);
    (void) subscribe(f, "/deleted", "[\"cluster.deleted\"]");
    struct organization_event e = event_of(CATALOG_CLUSTER_CREATED);
    assert_int_equal(organization_emit(f->webhooks, turn_txn(f->turn), &e, &emitted), 0);
    assert_int_equal(emitted.n_deliveries, 0);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(fixture_count(f, TABLE_EVENTS), 0);
    assert_int_equal(fixture_count(f, TABLE_EVENT_LINES), 0);
    assert_int_equal(fixture_count(f, TABLE_DELIVERIES), 0);
}

static void
a_few_are_owed_in_the_commit_of_the_event(void **state)
{
    struct fixture *f = *state;
    f->mode = RECEIVER_HOLDS;
    fixture_start(f);
    struct uuid a = subscribe(f, "/a", "[\"object.created\"]");
    struct uuid b = subscribe(f, "/b", "[\"object.created\",\"batch.completed\"]");
    struct organization_news *n = organization_news_begin(f->webhooks);
    add_many(f, n, CATALOG_OBJECT_CREATED, FAN_OUT_AT_ONCE / 2 - 1);
    add_many(f, n, CATALOG_BATCH_COMPLETED, 2);
    finish(f, n);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(owed_to(f, &a), FAN_OUT_AT_ONCE / 2 - 1);
    assert_int_equal(owed_to(f, &b), FAN_OUT_AT_ONCE / 2 + 1);
    assert_int_equal(fixture_count(f, TABLE_EVENTS), 1);
}

static struct uuid awaited;
static uint64_t awaited_count;

static bool
is_owed(struct fixture *f)
{
    return fixture_count(f, TABLE_DELIVERIES) == awaited_count;
}

/* Each line once to each, whatever ends the process. */
static void
assert_each_line_once(struct fixture *f, const struct uuid *webhook, uint32_t lines)
{
    struct delivery_record d;
    bool *seen = calloc(lines, sizeof(*seen));
    struct store_txn *txn = turn_read(f->turn);
    uint64_t last = f->webhooks->outbox.next_delivery;
    uint32_t n = 0;
    for (uint64_t i = 1; i < last; i++) {
        if (delivery_get(txn, i, &d) != 1 || !uuid_equal(&d.webhook, webhook))
            continue;
        assert_true(d.first_line < lines && !seen[d.first_line]);
        assert_int_equal(d.n_lines, 1);
        seen[d.first_line] = true;
        n++;
    }
    store_abort(txn);
    free(seen);
    assert_int_equal(n, lines);
}

static void
many_are_made_in_pieces_and_over_restarts(void **state)
{
    struct fixture *f = *state;
    enum { LINES = 20000 };
    f->mode = RECEIVER_HOLDS;
    fixture_start(f);
    awaited = subscribe(f, "/a", "[\"object.created\"]");
    struct uuid other = subscribe(f, "/b", "[\"*\"]");
    struct organization_news *n = organization_news_begin(f->webhooks);
    add_many(f, n, CATALOG_OBJECT_CREATED, LINES / 2);
    assert_int_equal(fixture_commit(f), 0); /* lines may be stored in earlier turns */
    assert_int_equal(fixture_count(f, TABLE_EVENTS), 0);
    add_many(f, n, CATALOG_OBJECT_CREATED, LINES / 2);
    finish(f, n);
    assert_int_equal(fixture_commit(f), 0);
    assert_true(fixture_count(f, TABLE_DELIVERIES) < LINES); /* at most a piece or two */
    awaited_count = 2 * LINES;
    while (!is_owed(f)) {
        fixture_run_turns(f, 20);
        fixture_restart(f);
    }
    fixture_run_turns(f, 50);
    assert_true(is_owed(f));
    assert_each_line_once(f, &awaited, LINES);
    assert_each_line_once(f, &other, LINES);
}

static void
a_refused_commit_makes_nothing_and_the_next_try_everything(void **state)
{
    struct fixture *f = *state;
    f->mode = RECEIVER_HOLDS;
    fixture_start(f);
    (void) subscribe(f, "/a", "[\"object.created\"]");
    for (int i = 0; i < 2; i++) {
        struct organization_news *n = organization_news_begin(f->webhooks);
        add_many(f, n, CATALOG_OBJECT_CREATED, FAN_OUT_AT_ONCE + 1);
        finish(f, n);
        if (i == 0)
            turn_fail(f->turn, STORE_EFULL);
        assert_int_equal(fixture_commit(f), i == 0 ? STORE_EFULL : 0);
    }
    awaited_count = FAN_OUT_AT_ONCE + 1;
    fixture_run_until(f, is_owed);
    assert_int_equal(fixture_count(f, TABLE_EVENTS), 1);
}

static void
who_is_deleted_meanwhile_gets_nothing_and_the_event_goes(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    char id[ORGANIZATION_ID_LEN + 1] = "wh_";
    f->mode = RECEIVER_HOLDS;
    fixture_start(f);
    struct uuid a = subscribe(f, "/a", "[\"object.created\"]");
    for (int i = 0; i < 8; i++)
        (void) snprintf(id + 3 + 2 * i, 3, "%02x", a.bytes[i]);
    struct organization_news *n = organization_news_begin(f->webhooks);
    add_many(f, n, CATALOG_OBJECT_CREATED, FAN_OUT_AT_ONCE + 1);
    finish(f, n);
    organization_webhooks_delete(f->webhooks, str_from(id));
    assert_int_equal(fixture_commit(f), 0);
    while (fixture_count(f, TABLE_EVENTS) > 0)
        fixture_run_turns(f, 10);
    assert_int_equal(fixture_count(f, TABLE_DELIVERIES), 0);
    err_done(&err);
}

static void
a_webhook_hears_nothing_of_itself(void **state)
{
    struct fixture *f = *state;
    struct organization_emitted emitted;
    fixture_start(f);
    struct uuid a = subscribe(f, "/a", "[\"*\"]");
    (void) subscribe(f, "/b", "[\"webhook.failing\"]");
    struct organization_event e = event_of(CATALOG_WEBHOOK_FAILING);
    e.about = &a;
    assert_int_equal(organization_emit(f->webhooks, turn_txn(f->turn), &e, &emitted), 0);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(owed_to(f, &a), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_event_reaches_who_is_subscribed_to_it),
        TEST(what_nobody_wants_leaves_no_row),
        TEST(a_few_are_owed_in_the_commit_of_the_event),
        TEST(many_are_made_in_pieces_and_over_restarts),
        TEST(a_refused_commit_makes_nothing_and_the_next_try_everything),
        TEST(who_is_deleted_meanwhile_gets_nothing_and_the_event_goes),
        TEST(a_webhook_hears_nothing_of_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
