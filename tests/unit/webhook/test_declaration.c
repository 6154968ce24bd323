/* Webhooks given at the start: the command line's fields, the configuration file's, and what
 * becomes of those that are not declared any more. */
#include "fixture.h"

#include <stdio.h>

#include "webhook/owed.h"

/* The bodies live as long as the fixture's next start. */
struct declared {
    struct webhook_declaration items[WEBHOOKS_MAX];
    struct json_doc *docs[WEBHOOKS_MAX];
    size_t n;
};

static struct uuid
uuid_number(uint8_t n)
{
    struct uuid uuid = UUID_NIL;
    uuid.bytes[15] = n;
    return uuid;
}

static void
declare(struct declared *d, uint8_t number, const char *body)
{
    d->docs[d->n] = json_parse(str_from(body), NULL);
    assert_non_null(d->docs[d->n]);
    d->items[d->n] = (struct webhook_declaration){uuid_number(number), "the file, line 7",
                                                  json_root(d->docs[d->n])};
    d->n++;
}

static void
start_with(struct fixture *f, struct declared *d)
{
    f->declared = d->items;
    f->n_declared = d->n;
    fixture_start(f);
    for (size_t i = 0; i < d->n; i++)
        json_doc_free(d->docs[i]);
    *d = (struct declared){0};
    f->declared = NULL;
    f->n_declared = 0;
    assert_int_equal(fixture_commit(f), 0);
}

static const struct webhook *
find(struct fixture *f, uint8_t number)
{
    struct uuid uuid = uuid_number(number);
    return registry_find(f->webhooks, &uuid);
}

/* The first error of a start; the webhooks are not made. */
static void
start_is_refused(struct fixture *f, struct declared *d, const char *message)
{
    struct err err = ERR_INIT;
    struct webhooks_conf conf = {.loop = f->loop,
                                 .turn = f->turn,
                                 .client = f->client,
                                 .policy = f->policy,
                                 .requires_https = f->requires_https,
                                 .declared = d->items,
                                 .n_declared = d->n};
    assert_null(webhooks_new(&conf, &err));
    assert_string_equal(err.message, message);
    err_done(&err);
    for (size_t i = 0; i < d->n; i++)
        json_doc_free(d->docs[i]);
    *d = (struct declared){0};
}

static void
declared_webhook_is_registered_with_its_fields_and_not_editable(void **state)
{
    struct fixture *f = *state;
    struct declared d = {0};
    declare(&d, 1, "{\"url\":\"http://a\",\"headers\":{\"A\":\"1\"},\"ordered\":true}");
    start_with(f, &d);
    const struct webhook *h = find(f, 1);
    assert_non_null(h);
    assert_false(h->is_editable);
    assert_true(h->policy.is_ordered);
    assert_string_equal(h->headers[0].value, "1");
}

static void
declared_webhook_cannot_be_changed_or_deleted_over_the_api(void **state)
{
    struct fixture *f = *state;
    char text[UUID_TEXT_LEN + 1];
    struct uuid uuid = uuid_number(1);
    struct declared d = {0};
    struct err err = ERR_INIT;
    struct buf got = BUF_INIT;
    enum err_code code;
    declare(&d, 1, "{\"url\":\"http://a\"}");
    start_with(f, &d);
    (void) uuid_format(&uuid, text);
    assert_int_equal(fixture_update(f, text, "{\"url\":\"http://b\"}", &got, &code), -1);
    assert_int_equal(code, ERR_IMMUTABLE_WEBHOOK);
    assert_string_equal(buf_cstr(&got),
                        "Webhook `00000000-0000-0000-0000-000000000001` is immutable. The webhook "
                        "defined from the configuration file cannot be modified using the API.");
    assert_int_equal(webhooks_delete(f->webhooks, str_from(text), &err), -1);
    err_done(&err);
    buf_done(&got);
}

static void
changed_declaration_replaces_the_stored_one(void **state)
{
    struct fixture *f = *state;
    struct declared d = {0};
    declare(&d, 1, "{\"url\":\"http://a\",\"timeoutMs\":5}");
    start_with(f, &d);
    fixture_stop(f);
    declare(&d, 1, "{\"url\":\"http://b\"}");
    start_with(f, &d);
    assert_true(str_is(find(f, 1)->url, "http://b"));
    assert_int_equal(find(f, 1)->policy.given, 0);
    assert_int_equal(fixture_count(f, TABLE_WEBHOOKS), 1);
}

static void
webhook_that_left_the_file_is_removed_when_nothing_is_owed(void **state)
{
    struct fixture *f = *state;
    struct declared d = {0};
    declare(&d, 1, "{\"url\":\"http://a\"}");
    start_with(f, &d);
    fixture_stop(f);
    start_with(f, &d);
    assert_null(find(f, 1));
    assert_int_equal(fixture_count(f, TABLE_WEBHOOKS), 0);
}

/* Declares the receiver as number 1, which refuses a delivery of batch 1. */
static void
owe_something(struct fixture *f)
{
    char body[96];
    struct declared d = {0};
    f->status = 500;
    (void) snprintf(body, sizeof(body), "{\"url\":\"http://127.0.0.1:%d/hook\"}", f->port);
    declare(&d, 1, body);
    start_with(f, &d);
    (void) fixture_finish_batch(f, 1, 0, 1);
}

static bool
has_attempt(struct fixture *f)
{
    return fixture_count(f, TABLE_ATTEMPTS) > 0;
}

static uint64_t
count_owed(struct fixture *f)
{
    struct uuid uuid = uuid_number(1);
    struct owed owed;
    struct store_txn *txn = turn_read(f->turn);
    assert_int_equal(owed_get(txn, &uuid, &owed), 1);
    store_abort(txn);
    return owed.count;
}

static void
webhook_that_left_the_file_stays_inactive_while_something_is_owed(void **state)
{
    struct fixture *f = *state;
    struct declared none = {0};
    owe_something(f);
    fixture_run_until(f, has_attempt);
    fixture_stop(f);
    start_with(f, &none);
    const struct webhook *h = find(f, 1);
    assert_non_null(h);
    assert_true(h->is_editable);
    assert_false(h->policy.is_active);
    assert_int_equal(h->policy.events, 0);
    assert_int_equal(count_owed(f), 1);
}

static void
webhook_that_is_declared_again_is_owed_what_it_was(void **state)
{
    struct fixture *f = *state;
    struct declared d = {0};
    owe_something(f);
    fixture_run_until(f, has_attempt);
    fixture_stop(f);
    start_with(f, &d);
    fixture_stop(f);
    declare(&d, 1, "{\"url\":\"http://elsewhere.example\"}");
    start_with(f, &d);
    assert_true(find(f, 1)->policy.is_active);
    assert_int_equal(count_owed(f), 1);
}

static void
withdrawn_webhook_that_is_changed_belongs_to_the_api(void **state)
{
    struct fixture *f = *state;
    char text[UUID_TEXT_LEN + 1];
    struct uuid uuid = uuid_number(1);
    struct declared none = {0};
    owe_something(f);
    fixture_run_until(f, has_attempt);
    fixture_stop(f);
    start_with(f, &none);
    assert_int_equal(fixture_update(f, uuid_format(&uuid, text), "{\"events\":null}", NULL, NULL),
                     0);
    fixture_restart(f);
    assert_true(find(f, 1)->is_editable);
    assert_int_equal(find(f, 1)->policy.events, 1u << EVENT_BATCH_FINISHED);
}

static void
declaration_takes_over_the_webhook_of_the_api_with_its_uuid(void **state)
{
    struct fixture *f = *state;
    struct declared d = {0};
    fixture_start(f);
    struct uuid uuid = fixture_register(f, "/hook");
    fixture_stop(f);
    declare(&d, 1, "{\"url\":\"http://a\"}");
    d.items[0].uuid = uuid;
    start_with(f, &d);
    assert_int_equal(f->webhooks->registry.n, 1);
    assert_false(registry_find(f->webhooks, &uuid)->is_editable);
}

static void
twenty_webhooks_of_both_kinds_are_the_most(void **state)
{
    struct fixture *f = *state;
    struct declared d = {0};
    fixture_start(f);
    for (int i = 0; i < WEBHOOKS_MAX - 1; i++)
        (void) fixture_register(f, "/hook");
    fixture_stop(f);
    declare(&d, 1, "{\"url\":\"http://a\"}");
    start_with(f, &d);
    enum err_code code;
    assert_int_equal(fixture_create(f, "{\"url\":\"http://b\"}", NULL, &code), -1);
    assert_int_equal(code, ERR_INVALID_WEBHOOKS);
    fixture_stop(f);
    declare(&d, 1, "{\"url\":\"http://a\"}");
    declare(&d, 2, "{\"url\":\"http://a\"}");
    start_is_refused(f, &d,
                     "there would be 21 webhooks, those of the configuration file and those "
                     "registered over the API together: the limit is 20");
}

static void
bad_declarations_say_where_they_stand(void **state)
{
    static const struct bad_row {
        const char *body, *message;
    } rows[] = {
        {"{\"url\":\"nonsense\"}",
         "the file, line 7: Invalid URL `nonsense`: relative URL without a base"},
        {"{\"url\":\"http://a\",\"nope\":1}",
         "the file, line 7: Unknown field `nope`: expected one of `url`, `headers`"},
        {"{\"url\":\"http://a\",\"format\":\"xml\"}",
         "the file, line 7: Unknown value `xml` at `.format`: expected one of `ndjson`, `json`, "
         "`cloudevents`"},
        {"{\"url\":\"http://a\",\"secret\":\"generate\"}",
         "the file, line 7: Invalid value at `.secret`: a secret can be generated over the API "
         "only"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct declared d = {0};
        declare(&d, 1, rows[i].body);
        start_is_refused(f, &d, rows[i].message);
    }
}

static void
command_lines_webhook_has_fields_too(void **state)
{
    struct fixture *f = *state;
    struct uuid nil = UUID_NIL;
    struct json_doc *doc =
        json_parse(STR("{\"types\":[\"documentEdition\"],\"wait\":false}"), NULL);
    f->cli_url = "http://cli.example";
    f->cli_fields = json_root(doc);
    fixture_start(f);
    f->cli_fields = NULL;
    json_doc_free(doc);
    const struct webhook *h = registry_find(f->webhooks, &nil);
    assert_false(h->policy.waits);
    assert_int_equal(h->policy.kinds, 2);
    assert_int_equal(fixture_count(f, TABLE_WEBHOOKS), 0);
}

/* The fixture allows 127.0.0.0/8. */
static const struct https_row {
    const char *url;
    bool is_accepted;
} https_rows[] = {
    {"https://example.com/", true},
    {"http://127.0.0.1/", true},
    {"http://127.9.9.9:8080/", true},
    {"http://10.0.0.1/", false},
    {"http://8.8.8.8/", false},
    {"http://[::1]/", false},
    {"http://by-name.example", true} /* judged by its addresses when it is called */,
};

static void
required_https_refuses_plain_urls_outside_the_allowed_networks(void **state)
{
    struct fixture *f = *state;
    f->requires_https = true;
    fixture_start(f);
    for (size_t i = 0; i < sizeof(https_rows) / sizeof(https_rows[0]); i++) {
        char body[96];
        (void) snprintf(body, sizeof(body), "{\"url\":\"%s\"}", https_rows[i].url);
        assert_int_equal(fixture_create(f, body, NULL, NULL), https_rows[i].is_accepted ? 0 : -1);
    }
}

static void
required_https_judges_declared_webhooks_too(void **state)
{
    struct fixture *f = *state;
    struct declared d = {0};
    f->requires_https = true;
    declare(&d, 1, "{\"url\":\"http://8.8.8.8\"}");
    start_is_refused(f, &d,
                     "the file, line 7: Invalid URL `http://8.8.8.8`: this server sends plain http "
                     "only to the networks of --experimental-allowed-ip-networks "
                     "(--webhook-require-https)");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(declared_webhook_is_registered_with_its_fields_and_not_editable),
        CASE(declared_webhook_cannot_be_changed_or_deleted_over_the_api),
        CASE(changed_declaration_replaces_the_stored_one),
        CASE(webhook_that_left_the_file_is_removed_when_nothing_is_owed),
        CASE(webhook_that_left_the_file_stays_inactive_while_something_is_owed),
        CASE(webhook_that_is_declared_again_is_owed_what_it_was),
        CASE(withdrawn_webhook_that_is_changed_belongs_to_the_api),
        CASE(declaration_takes_over_the_webhook_of_the_api_with_its_uuid),
        CASE(twenty_webhooks_of_both_kinds_are_the_most),
        CASE(bad_declarations_say_where_they_stand),
        CASE(command_lines_webhook_has_fields_too),
        CASE(required_https_refuses_plain_urls_outside_the_allowed_networks),
        CASE(required_https_judges_declared_webhooks_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
