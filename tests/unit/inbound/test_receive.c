/* A request from its bytes to its commit: what is one transaction, what is remembered and for how
 * long, and that whoever sends, the work is the same. With the real queue, indexes and store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "../ops/fixture.h"
#include "base/clock.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "inbound/inbound.h"
#include "store/tables.h"

#define SECRET "gh_test_secret_0001"
#define DAY_NS (24ll * 3600 * 1000000000)

struct receiver {
    struct fixture *f;
    struct inbound *inbound;
    struct buf id; /* of the connection */
    int64_t clock_ahead_ns;
    struct inbound_request *request;
    bool is_checked;
    int result;
    struct err err;
    struct buf answer;
};
static struct receiver *current; /* for the clock */

static int64_t
ahead_wall(void)
{
    struct timespec now;
    (void) clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec + current->clock_ahead_ns;
}

static int64_t
plain_mono(void)
{
    struct timespec now;
    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000ll + now.tv_nsec / 1000;
}

static void
make_inbound(struct receiver *r)
{
    struct inbound_conf conf = {.loop = r->f->loop,
                                .turn = r->f->turn,
                                .queue = r->f->queue,
                                .ops = r->f->ops,
                                .payloads = r->f->payloads};
    r->inbound = inbound_new(&conf);
}

static void
create(struct receiver *r, const char *config)
{
    struct json_doc *doc = json_parse(str_from(config), NULL);
    struct connection_fields fields = {
        .name = STR("n"), .provider_type = STR("github"), .provider_config = json_root(doc)};
    struct connection *c = inbound_draft(r->inbound, CONNECTION_CREATE, STR_NULL, &fields, &r->err);
    assert_non_null(c);
    assert_int_equal(inbound_store(r->inbound, c, true, &r->err), 0);
    struct buf shown = BUF_INIT;
    connection_write(&shown, c);
    struct json_doc *view = json_parse(buf_str(&shown), NULL);
    buf_clear(&r->id);
    buf_add_str(&r->id, json_string(json_get_c(json_root(view), "connection_id")));
    json_doc_free(view);
    buf_done(&shown);
    connection_free(c);
    json_doc_free(doc);
    fixture_turn(r->f);
}

static int
setup(void **state)
{
    struct receiver *r = mem_new(1, sizeof(*r));
    void *fixture;
    current = r;
    clock_set_fake(ahead_wall, plain_mono);
    assert_int_equal(fixture_setup(&fixture), 0);
    r->f = fixture;
    make_inbound(r);
    create(r, "{\"webhook_secret\":\"" SECRET "\",\"mappings\":[{\"event\":\"*\",\"action\":"
              "\"upsert\",\"index\":\"m\",\"id\":\"id\"},{\"event\":\"two\",\"action\":\"delete\","
              "\"index\":\"m\",\"id\":\"old\"}]}");
    *state = r;
    return 0;
}

static int
teardown(void **state)
{
    struct receiver *r = *state;
    void *fixture = r->f;
    inbound_free(r->inbound);
    err_done(&r->err);
    buf_done(&r->id);
    buf_done(&r->answer);
    assert_int_equal(fixture_teardown(&fixture), 0);
    clock_set_fake(NULL, NULL);
    free(r);
    return 0;
}

static void
on_checked(void *arg, int result, struct err *err)
{
    struct receiver *r = arg;
    r->is_checked = true;
    r->result = result;
    err_done(&r->err);
    err_move(&r->err, err);
    loop_stop(r->f->loop); /* where it runs */
}

struct message {
    const char *id, *event;
    struct str body;
    const char *secret;     /* NULL: the right one */
    const char *connection; /* NULL: the one there is */
};

static void
begin(struct receiver *r, const struct message *m)
{
    uint8_t mac[SHA256_BYTES];
    static struct buf signature;
    struct buf body = BUF_INIT;
    buf_add_str(&body, m->body);
    digest_hmac_sha256(m->secret == NULL ? STR(SECRET) : str_from(m->secret), m->body, mac);
    buf_done(&signature);
    buf_add_cstr(&signature, "sha256=");
    hex_encode(&signature, str_make(mac, sizeof(mac)));
    struct inbound_message message = {
        .provider = STR("github"),
        .connection_id = m->connection == NULL ? buf_str(&r->id) : str_from(m->connection),
        .headers = {.signature = buf_str(&signature),
                    .id = str_from(m->id),
                    .event = str_from(m->event)},
        .body = &body,
    };
    r->is_checked = false;
    r->request = inbound_begin(r->inbound, &message);
    inbound_check(r->request, on_checked, r);
}

static void
wait_checked(struct receiver *r)
{
    while (!r->is_checked)
        loop_run(r->f->loop);
}

/* 0 with r->answer, or the error's code. The request stays. */
static int
apply(struct receiver *r)
{
    struct inbound_answer answer;
    wait_checked(r);
    if (r->result < 0)
        return (int) r->err.code;
    err_done(&r->err);
    assert_int_equal(inbound_apply(r->request, inbound_body(r->request), &answer, &r->err), 0);
    buf_done(&r->answer);
    r->answer = answer.body;
    return 0;
}

static int
receive(struct receiver *r, const struct message *m)
{
    begin(r, m);
    int rc = apply(r);
    if (rc == 0)
        fixture_turn(r->f);
    inbound_end(r->request, true);
    return rc;
}

static void
assert_answer(struct receiver *r, const char *expected)
{
    assert_string_equal(buf_cstr(&r->answer), expected);
}

#define ONE(number)                                                                                \
    "{\"handled\":true,\"event_id\":\"d-1\",\"task_uid\":" number ",\"task_uids\":[" number        \
    "],\"published\":[]}"
#define AGAIN(number)                                                                              \
    "{\"handled\":true,\"duplicate\":true,\"event_id\":\"d-1\",\"task_uid\":" number               \
    ",\"task_uids\":[" number "],\"published\":[]}"
static const struct message one = {.id = "d-1", .event = "one", .body = {"{\"id\":1}", 8}};

/* --- once */

static void
repeat_in_the_same_turn_finds_what_is_not_committed_yet(void **state)
{
    struct receiver *r = *state;
    begin(r, &one);
    assert_int_equal(apply(r), 0);
    struct inbound_request *first = r->request;
    assert_answer(r, ONE("0"));
    begin(r, &one);
    assert_int_equal(apply(r), 0);
    assert_answer(r, AGAIN("0"));
    fixture_turn(r->f);
    inbound_end(first, true);
    inbound_end(r->request, true);
    assert_int_equal(queue_next_uid(r->f->queue), 1);
}

static void
on_failed(void *arg, int result)
{
    assert_true(result < 0);
    loop_stop(arg);
}

static void
failed_turn_leaves_neither_task_nor_memory(void **state)
{
    struct receiver *r = *state;
    struct turn_waiter w = {.fn = on_failed, .arg = r->f->loop};
    begin(r, &one);
    assert_int_equal(apply(r), 0);
    turn_fail(r->f->turn, STORE_EFULL);
    turn_wait(r->f->turn, &w);
    loop_run(r->f->loop);
    inbound_end(r->request, false);
    assert_int_equal(queue_next_uid(r->f->queue), 0);
    assert_int_equal(receive(r, &one), 0);
    assert_answer(r, ONE("0"));
}

static void
event_is_known_for_seven_days_and_across_restarts(void **state)
{
    struct receiver *r = *state;
    assert_int_equal(receive(r, &one), 0);
    r->clock_ahead_ns = INBOUND_SEEN_DAYS * DAY_NS - 60 * 1000000000ll;
    inbound_free(r->inbound);
    fixture_close(r->f);
    fixture_open(r->f);
    make_inbound(r);
    assert_int_equal(receive(r, &one), 0);
    assert_answer(r, AGAIN("0"));
    r->clock_ahead_ns = INBOUND_SEEN_DAYS * DAY_NS + 60 * 1000000000ll;
    assert_int_equal(receive(r, &one), 0);
    assert_answer(r, ONE("1"));
}

static uint64_t
rows(struct receiver *r)
{
    uint64_t n = 0;
    struct store_txn *txn = turn_read(r->f->turn);
    assert_int_equal(store_count(txn, TABLE_INBOUND_SEEN, &n), 0);
    store_abort(txn);
    return n;
}

static void
what_is_too_old_goes_without_new_events(void **state)
{
    struct receiver *r = *state;
    for (int i = 0; i < 3; i++) {
        char id[8];
        (void) snprintf(id, sizeof(id), "d-%d", i);
        struct message m = one;
        m.id = id;
        assert_int_equal(receive(r, &m), 0);
    }
    assert_int_equal(rows(r), 6);
    r->clock_ahead_ns = (INBOUND_SEEN_DAYS + 1) * DAY_NS;
    inbound_free(r->inbound);
    make_inbound(r); /* it looks at its start */
    while (rows(r) > 0)
        fixture_settle(r->f);
}

/* --- together */

static void
rules_of_one_event_apply_together_or_not_at_all(void **state)
{
    struct receiver *r = *state;
    struct message m = {.id = "d-2", .event = "two", .body = {"{\"id\":1}", 8}};
    assert_int_equal(receive(r, &m), 0);
    assert_non_null(strstr(buf_cstr(&r->answer), "\"reason\":\"id_not_found\""));
    assert_int_equal(queue_next_uid(r->f->queue), 0);
    m.body = STR("{\"id\":1,\"old\":2}");
    assert_int_equal(receive(r, &m), 0);
    assert_int_equal(queue_next_uid(r->f->queue), 2);
    fixture_run(r->f);
    assert_documents(r->f, "m", "{\"id\":1}");
}

static void
large_document_is_a_file_that_its_batch_removes(void **state)
{
    struct receiver *r = *state;
    struct buf body = BUF_INIT;
    create(r, "{\"webhook_secret\":\"" SECRET "\",\"mappings\":[{\"event\":\"*\",\"action\":"
              "\"upsert\",\"index\":\"m\",\"id\":\"id\",\"document\":\"d\"}]}");
    buf_add_cstr(&body, "{\"id\":1,\"d\":{\"pad\":\"");
    for (int i = 0; i < 200000; i++)
        buf_add_char(&body, 'p');
    buf_add_cstr(&body, "\"}}");
    struct message m = {.id = "d-3", .event = "one", .body = buf_str(&body)};
    assert_int_equal(receive(r, &m), 0);
    assert_int_equal(count_files(r->f, "updates"), 1);
    fixture_run(r->f);
    fixture_settle(r->f);
    assert_int_equal(count_files(r->f, "updates"), 0);
    begin(r, &(struct message){.id = "d-4", .event = "one", .body = buf_str(&body)});
    assert_int_equal(apply(r), 0);
    turn_fail(r->f->turn, STORE_EFULL);
    struct turn_waiter w = {.fn = on_failed, .arg = r->f->loop};
    turn_wait(r->f->turn, &w);
    loop_run(r->f->loop);
    inbound_end(r->request, false);
    assert_int_equal(count_files(r->f, "updates"), 0);
    buf_done(&body);
}

/* --- who sent it */

static struct signature_work
work_of(struct receiver *r, const struct message *m, enum err_code expected)
{
    struct signature_work before = inbound_stats(r->inbound).work, after;
    assert_int_equal(receive(r, m), expected);
    after = inbound_stats(r->inbound).work;
    after.hmacs -= before.hmacs;
    after.hmac_bytes -= before.hmac_bytes;
    after.ed25519s -= before.ed25519s;
    after.ed25519_bytes -= before.ed25519_bytes;
    return after;
}

static void
refusals_cost_the_same(void **state)
{
    struct receiver *r = *state;
    char *bytes = mem_new(1, 300000);
    size_t sizes[] = {0, 10, 300000};
    for (size_t i = 0; i < 3; i++) {
        struct message wrong = {
            .id = "x", .event = "one", .body = str_make(bytes, sizes[i]), .secret = "another one"};
        struct message unknown = wrong;
        unknown.connection = "conn_00000000000000000000000000000000";
        struct signature_work a = work_of(r, &wrong, ERR_INVALID_SIGNATURE);
        struct signature_work b = work_of(r, &unknown, ERR_CONNECTION_NOT_FOUND);
        assert_memory_equal(&a, &b, sizeof(a));
        assert_int_equal(a.hmac_bytes, SIGNATURE_SECRETS_MAX * sizes[i]);
        unknown.connection = "no id at all";
        b = work_of(r, &unknown, ERR_CONNECTION_NOT_FOUND);
        assert_memory_equal(&a, &b, sizeof(a));
    }
    free(bytes);
}

static void
client_that_leaves_takes_its_check_along(void **state)
{
    struct receiver *r = *state;
    size_t len = INBOUND_BODY_MAX_BYTES;
    char *bytes = mem_new(1, len);
    begin(r, &(struct message){.id = "x", .event = "one", .body = str_make(bytes, len)});
    assert_false(r->is_checked); /* it takes longer than one callback may */
    inbound_end(r->request, false);
    fixture_settle(r->f);
    assert_false(r->is_checked);
    free(bytes);
}

static void
connection_that_goes_meanwhile_is_not_found(void **state)
{
    struct receiver *r = *state;
    struct inbound_answer answer;
    begin(r, &one);
    wait_checked(r);
    assert_int_equal(r->result, 0);
    assert_int_equal(inbound_delete(r->inbound, buf_str(&r->id), &r->err), 1);
    fixture_turn(r->f);
    assert_int_equal(inbound_apply(r->request, inbound_body(r->request), &answer, &r->err), -1);
    assert_int_equal(r->err.code, ERR_CONNECTION_NOT_FOUND);
    inbound_end(r->request, false);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(repeat_in_the_same_turn_finds_what_is_not_committed_yet),
        TEST(failed_turn_leaves_neither_task_nor_memory),
        TEST(event_is_known_for_seven_days_and_across_restarts),
        TEST(what_is_too_old_goes_without_new_events),
        TEST(rules_of_one_event_apply_together_or_not_at_all),
        TEST(large_document_is_a_file_that_its_batch_removes),
        TEST(refusals_cost_the_same),
        TEST(client_that_leaves_takes_its_check_along),
        TEST(connection_that_goes_meanwhile_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
