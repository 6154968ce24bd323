/* What is sent for a delivery: its lines in its format (body.h, format.h). */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "webhook/body.h"

/* The plain text of a delivery's body for the webhook it belongs to. */
static char *
text_of(struct fixture *f, uint64_t delivery)
{
    struct delivery_record d = fixture_delivery(f, delivery), read;
    const struct webhook *h = registry_find(f->webhooks, &d.webhook);
    struct body *b = body_take(f->webhooks, delivery, &h->policy, &read);
    struct buf text = BUF_INIT;
    for (int i = 0; body_state(b) == BODY_BUILDING && i < 10000; i++)
        fixture_run_turns(f, 1);
    assert_int_equal(body_state(b), BODY_READY);
    assert_int_equal(read.sequence, d.sequence);
    if (body_is_gzipped(b)) {
        struct gzip_in *z = gzip_in_new(GZIP_FORMAT_GZIP);
        struct str in = body_bytes(b);
        assert_int_equal(gzip_in_step(z, &in, &text, 64 << 20), 1);
        gzip_in_free(z);
    } else {
        buf_add_str(&text, body_bytes(b));
    }
    body_release(f->webhooks, b);
    return buf_take(&text);
}

/* A batch of n tasks {"uid":..} on the indexes a, b, a, b, ...; succeeded, failed, failed, ... */
static void
finish(struct fixture *f, uint32_t batch_uid, uint32_t n)
{
    void *builder = webhooks_event_begin(f->webhooks, batch_uid);
    for (uint32_t i = 0; i < n; i++) {
        char line[64];
        int len = snprintf(line, sizeof(line), "{\"uid\":%u}", i);
        struct event_line_facts facts = {
            .index_uids = i % 2 == 0 ? STR("a") : STR("b"), .kind = 0, .status = i == 0 ? 2 : 3};
        assert_int_equal(
            webhooks_event_add(builder, turn_txn(f->turn), &facts, str_make(line, (size_t) len)),
            0);
    }
    assert_int_equal(webhooks_event_finish(builder, turn_txn(f->turn)), 0);
    assert_int_equal(fixture_commit(f), 0);
}

static struct event_record
event_of(struct fixture *f, uint64_t event)
{
    struct event_record e = {0};
    struct store_txn *txn = turn_read(f->turn);
    assert_int_equal(event_get(txn, event, &e), 1);
    store_abort(txn);
    return e;
}

static void
assert_text(struct fixture *f, uint64_t delivery, const char *want)
{
    char *text = text_of(f, delivery);
    assert_string_equal(text, want);
    free(text);
}

static void
ndjson_is_the_wanted_lines(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"indexUids\":[\"b\"]");
    finish(f, 1, 6);
    assert_text(f, 1, "{\"uid\":1}\n{\"uid\":3}\n{\"uid\":5}\n");
}

static void
json_is_one_document_with_the_tasks(void **state)
{
    struct fixture *f = *state;
    char want[512], id[UUID_TEXT_LEN + 1];
    struct buf time = BUF_INIT;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"format\":\"json\"");
    finish(f, 7, 2);
    struct event_record e = event_of(f, 1);
    clock_format(&time, e.created_at_ns);
    (void) snprintf(want, sizeof(want),
                    "{\"id\":\"%s\",\"type\":\"batch.finished\",\"time\":\"%s\",\"batchUid\":7,"
                    "\"tasks\":[{\"uid\":0},{\"uid\":1}]}",
                    uuid_format(&e.id, id), buf_cstr(&time));
    assert_text(f, 1, want);
    buf_done(&time);
}

static void
part_of_a_json_document_says_which_one_it_is(void **state)
{
    struct fixture *f = *state;
    char id[UUID_TEXT_LEN + 1], want[128];
    f->payload.max_tasks = 2;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"format\":\"json\"");
    finish(f, 7, 3);
    struct event_record e = event_of(f, 1);
    char *text = text_of(f, 2);
    (void) snprintf(want, sizeof(want), "{\"id\":\"%s.2\",", uuid_format(&e.id, id));
    assert_true(str_starts_with(str_from(text), want));
    assert_non_null(strstr(text, "\"part\":2,\"parts\":2,\"batchUid\":7,\"tasks\":[{\"uid\":2}]}"));
    free(text);
}

static void
cloudevents_are_an_array_with_an_id_of_its_own_for_each_task(void **state)
{
    struct fixture *f = *state;
    char want[1024], id[UUID_TEXT_LEN + 1];
    struct buf time = BUF_INIT;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"format\":\"cloudevents\",\"indexUids\":[\"a\"]");
    finish(f, 7, 3);
    struct event_record e = event_of(f, 1);
    clock_format(&time, e.created_at_ns);
    (void) uuid_format(&e.id, id);
    (void) snprintf(want, sizeof(want),
                    "[{\"specversion\":\"1.0\",\"id\":\"%s-0\",\"source\":\"urn:taskhook\","
                    "\"type\":\"taskhook.task.succeeded\",\"subject\":\"a\",\"time\":\"%s\","
                    "\"datacontenttype\":\"application/json\",\"data\":{\"uid\":0}},"
                    "{\"specversion\":\"1.0\",\"id\":\"%s-2\",\"source\":\"urn:taskhook\","
                    "\"type\":\"taskhook.task.failed\",\"subject\":\"a\",\"time\":\"%s\","
                    "\"datacontenttype\":\"application/json\",\"data\":{\"uid\":2}}]",
                    id, buf_cstr(&time), id, buf_cstr(&time));
    assert_text(f, 1, want);
    buf_done(&time);
}

static void
parts_of_a_large_event_hold_every_line_once(void **state)
{
    struct fixture *f = *state;
    enum { LINES = 20000, PART = 3000 };
    uint32_t next = 0;
    f->payload.max_tasks = PART;
    fixture_start(f);
    (void) fixture_register_with(f, "/a", "\"isActive\":false");
    finish(f, 1, LINES);
    assert_true(event_of(f, 1).n_parts > 3);
    for (uint64_t delivery = 1; delivery <= fixture_count(f, TABLE_DELIVERIES); delivery++) {
        char *text = text_of(f, delivery);
        struct str rest = str_from(text), line;
        while (str_split(&rest, '\n', &line) && line.len > 0) {
            char want[32];
            (void) snprintf(want, sizeof(want), "{\"uid\":%u}", next++);
            assert_true(str_is(line, want));
        }
        free(text);
    }
    assert_int_equal(next, LINES);
}

static void
deliveries_that_want_the_same_share_a_body(void **state)
{
    struct fixture *f = *state;
    struct delivery_record d;
    fixture_start(f);
    struct uuid a = fixture_register_with(f, "/a", "\"isActive\":false");
    (void) fixture_register_with(f, "/b", "\"isActive\":false,\"indexUids\":[\"*\"]");
    finish(f, 1, 3);
    const struct webhook_policy *p = &registry_find(f->webhooks, &a)->policy;
    struct body *first = body_take(f->webhooks, 1, p, &d);
    struct body *second = body_take(f->webhooks, 2, p, &d);
    assert_ptr_equal(first, second);
    body_release(f->webhooks, first);
    body_release(f->webhooks, second);
    assert_ptr_equal(body_take(f->webhooks, 1, p, &d), first); /* kept for a while */
    body_release(f->webhooks, first);
}

static void
idle_bodies_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct delivery_record d;
    fixture_start(f);
    struct uuid a = fixture_register_with(f, "/a", "\"isActive\":false");
    const struct webhook_policy *p = &registry_find(f->webhooks, &a)->policy;
    for (uint32_t i = 0; i < 2 * BODIES_IDLE_MAX; i++) {
        finish(f, i, 1);
        body_release(f->webhooks, body_take(f->webhooks, i + 1, p, &d));
    }
    assert_int_equal(f->webhooks->bodies.n_idle, BODIES_IDLE_MAX);
}

static void
changed_filter_changes_no_body_that_was_owed_before(void **state)
{
    struct fixture *f = *state;
    char uuid[UUID_TEXT_LEN + 1];
    fixture_start(f);
    struct uuid a = fixture_register_with(f, "/a", "\"isActive\":false,\"statuses\":[\"failed\"]");
    finish(f, 1, 3);
    assert_int_equal(fixture_update(f, uuid_format(&a, uuid),
                                    "{\"statuses\":[\"succeeded\"],\"indexUids\":[\"none\"]}", NULL,
                                    NULL),
                     0);
    assert_text(f, 1, "{\"uid\":1}\n{\"uid\":2}\n");
}

static void
operational_event_is_one_document_in_every_format(void **state)
{
    struct fixture *f = *state;
    struct emission e = {.type = EVENT_WEBHOOK_FAILING, .data = STR("{\"x\":1}")};
    const char *const fields[] = {"\"format\":\"ndjson\"", "\"format\":\"json\"",
                                  "\"format\":\"cloudevents\""};
    const char *const ends[] = {"\"data\":{\"x\":1}}\n", "\"data\":{\"x\":1}}",
                                "\"data\":{\"x\":1}}]"};
    fixture_start(f);
    for (size_t i = 0; i < 3; i++) {
        char with[256];
        (void) snprintf(with, sizeof(with),
                        "%s,\"isActive\":false,\"events\":[\"webhook.failing\"]", fields[i]);
        (void) fixture_register_with(f, "/a", with);
    }
    assert_int_equal(event_emit(f->webhooks, turn_txn(f->turn), &e, NULL), 0);
    assert_int_equal(fixture_commit(f), 0);
    bool seen[3] = {false};
    for (uint64_t delivery = 1; delivery <= 3; delivery++) {
        char *text = text_of(f, delivery);
        assert_non_null(strstr(text, "webhook.failing\""));
        for (size_t i = 0; i < 3; i++)
            seen[i] = seen[i] || str_ends_with(str_from(text), ends[i]);
        free(text);
    }
    assert_true(seen[0] && seen[1] && seen[2]);
}

static void
unreadable_delivery_is_a_failed_body(void **state)
{
    struct fixture *f = *state;
    struct delivery_record d;
    struct webhook_policy p;
    fixture_start(f);
    policy_init(&p);
    struct body *b = body_take(f->webhooks, 77, &p, &d);
    assert_int_equal(body_state(b), BODY_FAILED);
    assert_non_null(body_failure(b));
    body_release(f->webhooks, b);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(ndjson_is_the_wanted_lines),
        CASE(json_is_one_document_with_the_tasks),
        CASE(part_of_a_json_document_says_which_one_it_is),
        CASE(cloudevents_are_an_array_with_an_id_of_its_own_for_each_task),
        CASE(parts_of_a_large_event_hold_every_line_once),
        CASE(deliveries_that_want_the_same_share_a_body),
        CASE(idle_bodies_are_bounded),
        CASE(changed_filter_changes_no_body_that_was_owed_before),
        CASE(operational_event_is_one_document_in_every_format),
        CASE(unreadable_delivery_is_a_failed_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
