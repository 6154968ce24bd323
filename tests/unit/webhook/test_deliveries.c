/* Deliveries for people: listing in pieces, one with its attempts, resend and discard. */
#include "fixture.h"

#include "base/clock.h"
#include "webhook/answer.h"
#include "webhook/deliveries.h"
#include "webhook/owed.h"

static const struct uuid hook = {.bytes = {7}};

/* The rows below are from 1970: no janitor may find them old. */
static void
start_keeping_all(struct fixture *f)
{
    f->retention.age_ms = INT64_C(200) * 365 * 24 * 3600 * 1000;
    fixture_start(f);
}

/* A delivery row with what belongs to it, as the outbox and attempts write it. */
static void
put_delivery(struct fixture *f, uint64_t number, enum delivery_state state, uint32_t attempts)
{
    uint8_t key[KEY_SEQUENCE_LEN], value[8];
    struct store_txn *txn = turn_txn(f->turn);
    struct event_record e = {.id = {.bytes = {(uint8_t) number}}, .n_lines = 1, .n_kept = 1};
    struct attempt_record a = {.outcome = "answered", .status = 500, .error_class = "server_error"};
    struct delivery_record d = {.event = number,
                                .webhook = hook,
                                .sequence = number,
                                .state = state,
                                .part = 1,
                                .n_parts = 1,
                                .n_lines = 1,
                                .n_tasks = 1,
                                .attempts = attempts,
                                .created_at_ns = (int64_t) number * 1000};
    assert_int_equal(event_put(txn, number, &e), 0);
    assert_int_equal(delivery_put(txn, number, &d), 0);
    assert_int_equal(store_put(txn, TABLE_WEBHOOK_DELIVERIES, key_sequence(key, &hook, number),
                               key_u64(value, number)),
                     0);
    if (state == DELIVERY_OWED)
        assert_int_equal(owed_add(txn, number, &d), 0);
    for (uint32_t i = 1; i <= attempts; i++)
        assert_int_equal(attempt_put(txn, number, i, &a), 0);
}

/* The whole listing in steps of the budget; their number. */
static int
list(struct fixture *f, const struct delivery_query *q, size_t max_bytes, struct buf *out)
{
    int steps = 1, rc;
    struct delivery_listing *l = delivery_listing_new(f->webhooks, q);
    buf_clear(out);
    for (;; steps++) {
        struct delivery_budget budget = {out->len + max_bytes, INT64_MAX};
        rc = delivery_listing_step(l, out, &budget);
        if (rc != 1)
            break;
    }
    assert_int_equal(rc, 0);
    delivery_listing_free(l);
    return steps;
}

static struct delivery_query
everything(void)
{
    return (struct delivery_query){.webhooks = {hook},
                                   .n_webhooks = 1,
                                   .since_ns = INT64_MIN,
                                   .until_ns = INT64_MAX,
                                   .limit = 1000000};
}

static uint64_t
number_of(const struct json *v, const char *name)
{
    uint64_t n = UINT64_MAX;
    (void) json_to_u64(json_get_c(v, name), &n);
    return n;
}

static void
a_listing_in_small_steps_is_the_same_as_at_once(void **state)
{
    struct fixture *f = *state;
    struct buf at_once = BUF_INIT, in_steps = BUF_INIT;
    struct delivery_query q = everything();
    start_keeping_all(f);
    for (uint64_t i = 1; i <= 500; i++)
        put_delivery(f, i, (enum delivery_state)(i % DELIVERY_STATES), 0);
    assert_int_equal(fixture_commit(f), 0);
    for (int round = 0; round < 4; round++) {
        q.is_ascending = round % 2 == 1;
        q.states = round < 2 ? 0 : 1u << DELIVERY_EXHAUSTED;
        assert_int_equal(list(f, &q, SIZE_MAX / 2, &at_once), 1);
        assert_true(list(f, &q, 1, &in_steps) > 4);
        assert_true(str_equal(buf_str(&at_once), buf_str(&in_steps)));
        struct json_doc *doc = json_parse(buf_str(&at_once), NULL);
        assert_int_equal(number_of(json_root(doc), "total"), round < 2 ? 500 : 100);
        assert_int_equal(json_length(json_get_c(json_root(doc), "results")), round < 2 ? 500 : 100);
        json_doc_free(doc);
    }
    buf_done(&at_once);
    buf_done(&in_steps);
}

static void
a_page_begins_behind_what_was_removed_meanwhile(void **state)
{
    struct fixture *f = *state;
    struct buf out = BUF_INIT;
    struct delivery_query q = everything();
    start_keeping_all(f);
    put_delivery(f, 3, DELIVERY_DELIVERED, 0);
    put_delivery(f, 9, DELIVERY_DELIVERED, 0);
    assert_int_equal(fixture_commit(f), 0);
    q.has_from = true;
    q.from = 5; /* it is gone */
    q.limit = 1;
    (void) list(f, &q, SIZE_MAX / 2, &out);
    struct json_doc *doc = json_parse(buf_str(&out), NULL);
    assert_true(str_is(json_string(json_get_c(json_root(doc), "from")), "3"));
    assert_int_equal(number_of(json_root(doc), "total"), 2);
    json_doc_free(doc);
    q.is_ascending = true;
    (void) list(f, &q, SIZE_MAX / 2, &out);
    doc = json_parse(buf_str(&out), NULL);
    assert_true(str_is(json_string(json_get_c(json_root(doc), "from")), "9"));
    json_doc_free(doc);
    buf_done(&out);
}

static void
one_with_very_many_attempts_is_shown_in_pieces(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    struct buf out = BUF_INIT;
    int steps = 1;
    start_keeping_all(f);
    put_delivery(f, 1, DELIVERY_DELIVERED, 300);
    assert_int_equal(fixture_commit(f), 0);
    struct delivery_view *v = delivery_view_new(f->webhooks, 1, &err);
    assert_non_null(v);
    for (;; steps++) {
        struct delivery_budget budget = {out.len + 1000, INT64_MAX};
        if (delivery_view_step(v, &out, &budget) != 1)
            break;
    }
    delivery_view_free(v);
    assert_true(steps > 30);
    struct json_doc *doc = json_parse(buf_str(&out), NULL);
    assert_non_null(doc);
    assert_int_equal(json_length(json_get_c(json_root(doc), "attempts")), 300);
    json_doc_free(doc);
    buf_done(&out);
}

static void
a_row_of_version_one_is_a_whole_event(void **state)
{
    struct fixture *f = *state;
    struct buf b = BUF_INIT;
    uint8_t key[8];
    start_keeping_all(f);
    rec_put_u8(&b, 1);
    rec_put_u64(&b, 5);
    rec_put_uuid(&b, &hook);
    rec_put_u64(&b, 9);
    rec_put_u8(&b, DELIVERY_DELIVERED);
    rec_put_u32(&b, 2);
    rec_put_i64(&b, 10);
    rec_put_i64(&b, 20);
    rec_put_i64(&b, 30);
    assert_int_equal(store_put(turn_txn(f->turn), TABLE_DELIVERIES, key_u64(key, 1), buf_str(&b)),
                     0);
    assert_int_equal(fixture_commit(f), 0);
    struct delivery_record d = fixture_delivery(f, 1);
    assert_int_equal(d.sequence, 9);
    assert_int_equal(d.state, DELIVERY_DELIVERED);
    assert_int_equal(d.part, 1);
    assert_int_equal(d.n_parts, 1);
    assert_int_equal(d.first_line, 0);
    assert_true(d.n_lines == DELIVERY_ALL_LINES);
    buf_done(&b);
}

static void
a_resend_owes_it_once_whatever_its_state_was(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    struct buf out = BUF_INIT;
    f->mode = RECEIVER_HOLDS;
    start_keeping_all(f);
    (void) fixture_register(f, "/a");
    (void) fixture_finish_batch(f, 1, 0, 1);
    for (enum delivery_state s = 0; s < DELIVERY_STATES; s++) {
        struct owed owed;
        struct store_txn *txn = turn_txn(f->turn);
        struct delivery_record d = fixture_delivery(f, 1);
        if (s != DELIVERY_OWED)
            assert_int_equal(owed_remove(txn, 1, &d), 0);
        d.state = s;
        d.attempts = 4;
        assert_int_equal(delivery_put(txn, 1, &d), 0);
        assert_int_equal(delivery_resend(f->webhooks, 1, &out, &err), 0);
        assert_int_equal(fixture_commit(f), 0);
        d = fixture_delivery(f, 1);
        assert_int_equal(d.state, DELIVERY_OWED);
        assert_int_equal(d.schedule_from, 4);
        assert_int_equal(fixture_count(f, TABLE_DELIVERY_DUE), 1);
        txn = turn_read(f->turn);
        assert_int_equal(owed_get(txn, &d.webhook, &owed), 1);
        store_abort(txn);
        assert_int_equal(owed.count, 1);
    }
    buf_done(&out);
}

static void
a_discarded_one_leaves_the_list_of_the_owed(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    start_keeping_all(f);
    put_delivery(f, 1, DELIVERY_OWED, 0);
    assert_int_equal(delivery_discard(f->webhooks, 1, &err), 0);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(fixture_delivery(f, 1).state, DELIVERY_DISCARDED);
    assert_int_equal(fixture_count(f, TABLE_DELIVERY_DUE), 0);
    put_delivery(f, 2, DELIVERY_EXHAUSTED, 1);
    assert_int_equal(delivery_discard(f->webhooks, 2, &err), -1);
    assert_int_equal(err.code, ERR_DELIVERY_NOT_OWED);
    err_done(&err);
}

static void
an_error_has_a_class(void **state)
{
    static const struct {
        enum http_outcome outcome;
        int status;
        const char *expected;
    } rows[] = {
        {HTTP_OUTCOME_ANSWERED, 200, ""},
        {HTTP_OUTCOME_ANSWERED, 299, ""},
        {HTTP_OUTCOME_ANSWERED, 304, "redirect"},
        {HTTP_OUTCOME_ANSWERED, 400, "client_error"},
        {HTTP_OUTCOME_ANSWERED, 410, "gone"},
        {HTTP_OUTCOME_ANSWERED, 429, "rate_limited"},
        {HTTP_OUTCOME_ANSWERED, 503, "unavailable"},
        {HTTP_OUTCOME_ANSWERED, 599, "server_error"},
        {HTTP_OUTCOME_ANSWERED, 700, "protocol"},
        {HTTP_OUTCOME_TIMEOUT, 0, "timeout"},
        {HTTP_OUTCOME_TLS, 0, "tls"},
    };
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(answer_error_class(rows[i].outcome, rows[i].status), rows[i].expected);
}

static void
headers_that_are_too_long_are_cut_at_a_line(void **state)
{
    struct buf lines = BUF_INIT, kept = BUF_INIT;
    struct attempt_record r = {0};
    (void) state;
    for (int i = 0; i < 2000; i++)
        buf_addf(&lines, "X-%d: some value\n", i);
    struct http_client_result result = {
        .status = 200, .detail = "", .address = "", .headers = buf_str(&lines), .body = STR("hi")};
    answer_describe(&r, &kept, &result);
    assert_in_range(r.response_headers.len, ANSWER_HEADERS_MAX_BYTES - 32,
                    ANSWER_HEADERS_MAX_BYTES);
    assert_true(str_ends_with(r.response_headers, "some value\n"));
    assert_true(str_is(r.response_body, "hi"));
    assert_true(str_is(http_headers_find(r.response_headers, STR("x-7")), "some value"));
    assert_null(http_headers_find(r.response_headers, STR("x-1999")).data);
    buf_done(&lines);
    buf_done(&kept);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_listing_in_small_steps_is_the_same_as_at_once),
        CASE(a_page_begins_behind_what_was_removed_meanwhile),
        CASE(one_with_very_many_attempts_is_shown_in_pieces),
        CASE(a_row_of_version_one_is_a_whole_event),
        CASE(a_resend_owes_it_once_whatever_its_state_was),
        CASE(a_discarded_one_leaves_the_list_of_the_owed),
        cmocka_unit_test(an_error_has_a_class),
        cmocka_unit_test(headers_that_are_too_long_are_cut_at_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
