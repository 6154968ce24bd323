/* The fields of a webhook: reading, showing, storing, and whom a policy wants. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/digest.h"
#include "store/rec.h"
#include "webhook/policy_fields.h"
#include "webhook/secret.h"

#define URL "\"url\":\"http://a\""
#define PLAIN "\"isEditable\":true," URL ",\"headers\":{}"

/* The text after the uuid: what differs from webhook to webhook is cut away. */
static const char *
behind_uuid(struct buf *got)
{
    const char *text = buf_cstr(got), *at = strstr(text, "\"isEditable\"");
    return at != NULL ? at : text;
}

static struct uuid
uuid_of(struct buf *got)
{
    struct uuid uuid = UUID_NIL;
    struct json_doc *doc = json_parse(buf_str(got), NULL);
    assert_non_null(doc);
    assert_true(uuid_parse(json_string(json_get_c(json_root(doc), "uuid")), &uuid, NULL));
    json_doc_free(doc);
    return uuid;
}

static void
expect_shown(struct fixture *f, const struct uuid *uuid, const char *want)
{
    char text[UUID_TEXT_LEN + 1];
    struct buf got = BUF_INIT;
    struct err err = ERR_INIT;
    assert_int_equal(webhooks_write_one(f->webhooks, str_from(uuid_format(uuid, text)), &got, &err),
                     0);
    assert_string_equal(behind_uuid(&got), want);
    buf_done(&got);
}

/* --- every field ----------------------------------------------------------------------------- */

static const struct field_row {
    const char *given, *shown;
} field_rows[] = {
    {"\"events\":[\"webhook.failing\",\"batch.finished\"]",
     "\"events\":[\"batch.finished\",\"webhook.failing\"]"},
    {"\"events\":[]", "\"events\":[]"},
    {"\"indexUids\":[\"movies\",\"log-*\",\"*\"]", "\"indexUids\":[\"movies\",\"log-*\",\"*\"]"},
    {"\"types\":[\"DOCUMENTDELETION\",\"documentEdition\"]",
     "\"types\":[\"documentEdition\",\"documentDeletion\"]"},
    {"\"statuses\":[\"failed\",\"succeeded\",\"failed\"]",
     "\"statuses\":[\"succeeded\",\"failed\"]"},
    {"\"wait\":false", "\"wait\":false"},
    {"\"wait\":true", "\"wait\":true"},
    {"\"timeoutMs\":30000", "\"timeoutMs\":30000"},
    {"\"timeoutMs\":1", "\"timeoutMs\":1"},
    {"\"ordered\":true", "\"ordered\":true"},
    {"\"maxInFlight\":1", "\"maxInFlight\":1"},
    {"\"maxInFlight\":100", "\"maxInFlight\":100"},
    {"\"rateLimit\":1", "\"rateLimit\":1"},
    {"\"rateLimit\":1000000", "\"rateLimit\":1000000"},
    {"\"retrySchedule\":[0,0.25,5,2592000]", "\"retrySchedule\":[0,0.25,5,2592000]"},
    {"\"retrySchedule\":[]", "\"retrySchedule\":[]"},
    {"\"format\":\"cloudevents\"", "\"format\":\"cloudevents\""},
    {"\"compression\":\"none\"", "\"compression\":\"none\""},
    {"\"secret\":\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"", "\"secret\":\"whsec_XXX...\""},
    {"\"secret\":[\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\","
     "\"whsk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"]",
     "\"secret\":[\"whsec_XXX...\",\"whpk_O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=\"]"},
    {"\"description\":\"for the caf\\u00e9\"", "\"description\":\"for the caf\xC3\xA9\""},
    {"\"isActive\":false", "\"isActive\":false"},
};
enum { N_FIELD_ROWS = sizeof(field_rows) / sizeof(field_rows[0]) };

static struct uuid
create_with(struct fixture *f, const char *fields, const char *want)
{
    char body[512];
    struct buf got = BUF_INIT;
    (void) snprintf(body, sizeof(body), "{" URL ",%s}", fields);
    assert_int_equal(fixture_create(f, body, &got, NULL), 0);
    assert_string_equal(behind_uuid(&got), want);
    struct uuid uuid = uuid_of(&got);
    buf_done(&got);
    return uuid;
}

static void
delete_one(struct fixture *f, const struct uuid *uuid)
{
    char text[UUID_TEXT_LEN + 1];
    struct err err = ERR_INIT;
    assert_int_equal(webhooks_delete(f->webhooks, str_from(uuid_format(uuid, text)), &err), 0);
    assert_int_equal(fixture_commit(f), 0);
}

static void
each_field_is_shown_and_survives_a_restart(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    for (size_t i = 0; i < N_FIELD_ROWS; i++) {
        char want[512];
        (void) snprintf(want, sizeof(want), "%s,%s}", PLAIN, field_rows[i].shown);
        struct uuid uuid = create_with(f, field_rows[i].given, want);
        fixture_restart(f);
        expect_shown(f, &uuid, want);
        delete_one(f, &uuid);
    }
}

static void
expect_plain(const struct webhook_policy *p)
{
    assert_int_equal(p->given, 0);
    assert_int_equal(p->events, 1u << EVENT_BATCH_FINISHED);
    assert_true(p->kinds == 0 && p->statuses == 0 && p->n_index_uids == 0);
    assert_true(p->waits && p->is_active && !p->is_ordered);
    assert_true(p->timeout_ms == 0 && p->max_in_flight == 0 && p->rate_limit == 0);
    assert_true(p->n_retries == 0 && p->retry_ms == NULL);
    assert_true(p->format == FORMAT_NDJSON && p->compression == COMPRESSION_DEFAULT);
    assert_true(p->n_secrets == 0 && p->secrets == NULL);
    assert_true(p->ca == NULL && p->client_certificate == NULL && p->description == NULL);
}

static void
null_in_an_update_resets_each_field_to_its_default(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    for (size_t i = 0; i < N_FIELD_ROWS; i++) {
        char uuid_text[UUID_TEXT_LEN + 1], body[96];
        struct buf got = BUF_INIT;
        struct uuid uuid = fixture_register_with(f, "/hook", field_rows[i].given);
        size_t name_len = strcspn(field_rows[i].given + 1, "\"");
        (void) snprintf(body, sizeof(body), "{" URL ",\"%.*s\":null}", (int) name_len,
                        field_rows[i].given + 1);
        assert_int_equal(fixture_update(f, uuid_format(&uuid, uuid_text), body, &got, NULL), 0);
        assert_string_equal(behind_uuid(&got), PLAIN "}");
        buf_done(&got);
        expect_plain(&registry_find(f->webhooks, &uuid)->policy);
        delete_one(f, &uuid);
    }
}

static void
null_at_creation_is_the_default(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    (void) create_with(f, "\"events\":null,\"secret\":null,\"wait\":null,\"ca\":null", PLAIN "}");
}

static void
update_changes_what_it_names_and_keeps_the_rest(void **state)
{
    struct fixture *f = *state;
    char text[UUID_TEXT_LEN + 1];
    struct buf got = BUF_INIT;
    fixture_start(f);
    struct uuid uuid = fixture_register_with(
        f, "/hook", "\"indexUids\":[\"a\",\"b\"],\"timeoutMs\":5,\"description\":\"x\"");
    assert_int_equal(fixture_update(f, uuid_format(&uuid, text),
                                    "{" URL
                                    ",\"indexUids\":[\"c\"],\"description\":null,\"ordered\":true}",
                                    &got, NULL),
                     0);
    assert_string_equal(behind_uuid(&got),
                        PLAIN ",\"indexUids\":[\"c\"],\"timeoutMs\":5,\"ordered\":true}");
    buf_done(&got);
    fixture_restart(f);
    expect_shown(f, &uuid, PLAIN ",\"indexUids\":[\"c\"],\"timeoutMs\":5,\"ordered\":true}");
}

/* --- refusals -------------------------------------------------------------------------------- */

#define TOO_LARGE(x, max)                                                                          \
    "value: `" x "` is too large to be deserialized, maximum value authorized is `" max "`"
#define TOO_SMALL(x)                                                                               \
    "value: `" x "` is too small to be deserialized, minimum value authorized is `1`"
#define SECRET_WORDS                                                                               \
    "Invalid value at `.secret`: expected `generate`, `generate:ed25519`, or a secret in Base64: " \
    "24 to 64 bytes behind `whsec_`, or an ed25519 seed of 32 bytes behind `whsk_`"

static const struct refused_row {
    const char *fields;
    enum err_code code;
    const char *message;
} refused_rows[] = {
    {"\"events\":\"batch.finished\"", ERR_INVALID_WEBHOOK_EVENTS,
     "Invalid value type at `.events`: expected an array, but found a string: "
     "`\"batch.finished\"`"},
    {"\"events\":[\"batch.finshed\"]", ERR_INVALID_WEBHOOK_EVENTS,
     "Unknown value `batch.finshed` at `.events[0]`: did you mean `batch.finished`? expected one "
     "of "
     "`batch.finished`, `webhook.failing`, `webhook.exhausted`, `webhook.disabled`, "
     "`webhook.recovered`, `report.completed`, `report.failed`, `report.canceled`, "
     "`webhook.expired`"},
    {"\"events\":[\"webhook.ping\"]", ERR_INVALID_WEBHOOK_EVENTS,
     "Unknown value `webhook.ping` at `.events[0]`: expected one of `batch.finished`, "
     "`webhook.failing`, `webhook.exhausted`, `webhook.disabled`, `webhook.recovered`, "
     "`report.completed`, `report.failed`, `report.canceled`, `webhook.expired`"},
    {"\"indexUids\":[]", ERR_INVALID_WEBHOOK_INDEX_UIDS,
     "Invalid value at `.indexUids`: expected at least one element; `null` removes the filter"},
    {"\"indexUids\":[\"a\",7]", ERR_INVALID_WEBHOOK_INDEX_UIDS,
     "Invalid value type at `.indexUids[1]`: expected a string, but found a positive integer: `7`"},
    {"\"indexUids\":[\"a*b\"]", ERR_INVALID_WEBHOOK_INDEX_UIDS,
     "Invalid value at `.indexUids[0]`: `a*b` is not a valid index uid pattern. Index uid patterns "
     "can be an integer or a string containing only alphanumeric characters, hyphens (-), "
     "underscores (_), and optionally end with a star (*)."},
    {"\"types\":[\"nope\"]", ERR_INVALID_WEBHOOK_TYPES,
     "Invalid value at `.types[0]`: `nope` is not a valid task type. Available types are "
     "`documentAdditionOrUpdate`, `documentEdition`, `documentDeletion`."},
    {"\"statuses\":[\"succeeded\",\"processing\"]", ERR_INVALID_WEBHOOK_STATUSES,
     "Invalid value at `.statuses[1]`: `processing` is not the status of a finished task. "
     "Available "
     "statuses are `succeeded`, `failed`, `canceled`."},
    {"\"wait\":1", ERR_INVALID_WEBHOOK_WAIT,
     "Invalid value type at `.wait`: expected a boolean, but found a positive integer: `1`"},
    {"\"timeoutMs\":0", ERR_INVALID_WEBHOOK_TIMEOUT_MS,
     "Invalid value at `.timeoutMs`: " TOO_SMALL("0")},
    {"\"timeoutMs\":30001", ERR_INVALID_WEBHOOK_TIMEOUT_MS,
     "Invalid value at `.timeoutMs`: " TOO_LARGE("30001", "30000")},
    {"\"timeoutMs\":-1", ERR_INVALID_WEBHOOK_TIMEOUT_MS,
     "Invalid value type at `.timeoutMs`: expected a positive integer, but found a negative "
     "integer: `-1`"},
    {"\"ordered\":\"yes\"", ERR_INVALID_WEBHOOK_ORDERED,
     "Invalid value type at `.ordered`: expected a boolean, but found a string: `\"yes\"`"},
    {"\"maxInFlight\":101", ERR_INVALID_WEBHOOK_MAX_IN_FLIGHT,
     "Invalid value at `.maxInFlight`: " TOO_LARGE("101", "100")},
    {"\"rateLimit\":1000001", ERR_INVALID_WEBHOOK_RATE_LIMIT,
     "Invalid value at `.rateLimit`: " TOO_LARGE("1000001", "1000000")},
    {"\"rateLimit\":1.5", ERR_INVALID_WEBHOOK_RATE_LIMIT,
     "Invalid value type at `.rateLimit`: expected a positive integer, but found a number: `1.5`"},
    {"\"retrySchedule\":[5,2592001]", ERR_INVALID_WEBHOOK_RETRY_SCHEDULE,
     "Invalid value at `.retrySchedule[1]`: `2592001` is not a number of seconds between 0 and "
     "2592000"},
    {"\"retrySchedule\":[-0.5]", ERR_INVALID_WEBHOOK_RETRY_SCHEDULE,
     "Invalid value at `.retrySchedule[0]`: `-0.5` is not a number of seconds between 0 and "
     "2592000"},
    {"\"retrySchedule\":[\"5m\"]", ERR_INVALID_WEBHOOK_RETRY_SCHEDULE,
     "Invalid value type at `.retrySchedule[0]`: expected a number, but found a string: `\"5m\"`"},
    {"\"format\":\"xml\"", ERR_INVALID_WEBHOOK_FORMAT,
     "Unknown value `xml` at `.format`: expected one of `ndjson`, `json`, `cloudevents`"},
    {"\"compression\":\"gzp1\"", ERR_INVALID_WEBHOOK_COMPRESSION,
     "Unknown value `gzp1` at `.compression`: expected one of `gzip`, `none`"},
    {"\"secret\":true", ERR_INVALID_WEBHOOK_SECRET,
     "Invalid value type at `.secret`: expected a string or an array, but found a boolean: `true`"},
    {"\"secret\":\"hunter2\"", ERR_INVALID_WEBHOOK_SECRET, SECRET_WORDS},
    {"\"secret\":\"whsec_not base64\"", ERR_INVALID_WEBHOOK_SECRET, SECRET_WORDS},
    {"\"secret\":[]", ERR_INVALID_WEBHOOK_SECRET,
     "Invalid value at `.secret`: 0 secrets, expected 1 to 5; `null` removes them"},
    {"\"secret\":\"whsec_XXX...\"", ERR_INVALID_WEBHOOK_SECRET,
     "Invalid value at `.secret`: `whsec_XXX...` is how a secret is shown, and this webhook has no "
     "such secret in that place"},
    {"\"ca\":\"nonsense\"", ERR_INVALID_WEBHOOK_CA,
     "Invalid value at `.ca`: expected certificates in PEM (`-----BEGIN CERTIFICATE-----`)"},
    {"\"ca\":\"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n\"",
     ERR_INVALID_WEBHOOK_CA, "Invalid value at `.ca`: a certificate in it cannot be read"},
    {"\"clientCertificate\":\"nonsense\"", ERR_INVALID_WEBHOOK_CLIENT_CERTIFICATE,
     "Invalid value at `.clientCertificate`: expected a certificate and its private key, both in "
     "PEM"},
    {"\"description\":5", ERR_INVALID_WEBHOOK_DESCRIPTION,
     "Invalid value type at `.description`: expected a string, but found a positive integer: `5`"},
    {"\"description\":\"a\\u0000b\"", ERR_INVALID_WEBHOOK_DESCRIPTION,
     "Invalid value at `.description`: the text holds a NUL character"},
    {"\"isActive\":{}", ERR_INVALID_WEBHOOK_IS_ACTIVE,
     "Invalid value type at `.isActive`: expected a boolean, but found an object: `{}`"},
    {"\"timeoutMS\":5", ERR_BAD_REQUEST,
     "Unknown field `timeoutMS`: did you mean `timeoutMs`? expected one of `url`, `headers`, "
     "`events`, `indexUids`, `types`, `statuses`, `wait`, `timeoutMs`, `ordered`, `maxInFlight`, "
     "`rateLimit`, `retrySchedule`, `format`, `compression`, `secret`, `ca`, `clientCertificate`, "
     "`description`, `isActive`"},
};

static void
bad_fields_are_refused_by_name_and_value(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    for (size_t i = 0; i < sizeof(refused_rows) / sizeof(refused_rows[0]); i++) {
        char body[512];
        struct buf got = BUF_INIT;
        enum err_code code;
        (void) snprintf(body, sizeof(body), "{" URL ",%s}", refused_rows[i].fields);
        assert_int_equal(fixture_create(f, body, &got, &code), -1);
        assert_string_equal(buf_cstr(&got), refused_rows[i].message);
        assert_int_equal(code, refused_rows[i].code);
        buf_done(&got);
    }
    assert_int_equal(fixture_count(f, TABLE_WEBHOOKS), 0);
}

/* --- limits ---------------------------------------------------------------------------------- */

/* {"url":..,"name":[element,element,..]} with n elements, or a text of n characters. */
static char *
body_of(const char *name, const char *element, size_t n)
{
    struct buf b = BUF_INIT;
    bool is_list = strlen(element) > 1;
    buf_addf(&b, "{" URL ",\"%s\":%s", name, is_list ? "[" : "\"");
    for (size_t i = 0; i < n; i++)
        buf_addf(&b, "%s%s", is_list && i > 0 ? "," : "", element);
    buf_add_cstr(&b, is_list ? "]}" : "\"}");
    return buf_take(&b);
}

static const struct limit_row {
    const char *name, *element;
    size_t max;
} limit_rows[] = {
    {"indexUids", "\"a*\"", POLICY_INDEX_UIDS_MAX},
    {"retrySchedule", "10", POLICY_RETRIES_MAX},
    {"secret", "\"generate\"", POLICY_SECRETS_GIVEN_MAX},
    {"description", "d", POLICY_DESCRIPTION_MAX_BYTES},
};

static void
lists_and_texts_are_accepted_up_to_their_limit(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    for (size_t i = 0; i < sizeof(limit_rows) / sizeof(limit_rows[0]); i++) {
        const struct limit_row *row = &limit_rows[i];
        char *fits = body_of(row->name, row->element, row->max),
             *too_many = body_of(row->name, row->element, row->max + 1);
        assert_int_equal(fixture_create(f, fits, NULL, NULL), 0);
        assert_int_equal(fixture_create(f, too_many, NULL, NULL), -1);
        free(fits);
        free(too_many);
    }
}

static void
pem_texts_are_limited(void **state)
{
    struct fixture *f = *state;
    struct buf got = BUF_INIT;
    fixture_start(f);
    char *fits = body_of("ca", "c", POLICY_PEM_MAX_BYTES),
         *too_long = body_of("ca", "c", POLICY_PEM_MAX_BYTES + 1);
    assert_int_equal(fixture_create(f, fits, &got, NULL), -1);
    assert_non_null(strstr(buf_cstr(&got), "expected certificates in PEM"));
    buf_clear(&got);
    assert_int_equal(fixture_create(f, too_long, &got, NULL), -1);
    assert_string_equal(buf_cstr(&got),
                        "Invalid value at `.ca`: the text has 65537 bytes, the maximum is 65536");
    buf_done(&got);
    free(fits);
    free(too_long);
}

static void
a_pattern_may_have_400_bytes(void **state)
{
    struct fixture *f = *state;
    char pattern[512], body[600];
    fixture_start(f);
    memset(pattern, 'p', sizeof(pattern));
    for (int len = 400; len <= 401; len++) {
        (void) snprintf(body, sizeof(body), "{" URL ",\"indexUids\":[\"%.*s*\"]}", len, pattern);
        assert_int_equal(fixture_create(f, body, NULL, NULL), len == 400 ? 0 : -1);
    }
}

/* --- secrets --------------------------------------------------------------------------------- */

static bool
parse_key_of(size_t n_bytes, const char *prefix)
{
    uint8_t key[80] = {0};
    struct webhook_secret s;
    struct buf text = BUF_INIT;
    buf_add_cstr(&text, prefix);
    base64_encode(&text, str_make(key, n_bytes));
    bool is_parsed = secret_parse(buf_str(&text), &s);
    buf_done(&text);
    return is_parsed;
}

static void
secrets_have_24_to_64_bytes(void **state)
{
    (void) state;
    assert_false(parse_key_of(23, "whsec_"));
    assert_true(parse_key_of(24, "whsec_"));
    assert_true(parse_key_of(64, "whsec_"));
    assert_false(parse_key_of(65, "whsec_"));
    assert_false(parse_key_of(31, "whsk_"));
    assert_true(parse_key_of(32, "whsk_"));
    assert_false(parse_key_of(33, "whsk_"));
    assert_false(parse_key_of(32, "whpk_"));
    assert_false(parse_key_of(32, ""));
}

static void
an_ed25519_seed_may_be_followed_by_its_public_key_only(void **state)
{
    struct webhook_secret s;
    (void) state;
    /* svix's own test vector: seed and public key */
    assert_true(
        secret_parse(STR("whsk_6Xb/dCcHpPea21PS1N9VY/"
                         "NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="),
                     &s));
    struct buf shown = BUF_INIT;
    secret_write(&shown, &s);
    assert_string_equal(buf_cstr(&shown), "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=");
    buf_done(&shown);
    assert_false(parse_key_of(64, "whsk_"));
}

static char *
member_text(struct buf *answer, const char *name)
{
    struct json_doc *doc = json_parse(buf_str(answer), NULL);
    struct str s = json_string(json_get_c(json_root(doc), name));
    char *copy = mem_strndup(s.data, s.len);
    json_doc_free(doc);
    return copy;
}

static void
a_generated_secret_is_shown_once(void **state)
{
    struct fixture *f = *state;
    struct buf got = BUF_INIT;
    struct webhook_secret s;
    fixture_start(f);
    assert_int_equal(fixture_create(f, "{" URL ",\"secret\":\"generate\"}", &got, NULL), 0);
    struct uuid uuid = uuid_of(&got);
    char *secret = member_text(&got, "secret");
    assert_true(secret_parse(str_from(secret), &s));
    const struct webhook_policy *p = &registry_find(f->webhooks, &uuid)->policy;
    assert_int_equal(p->n_secrets, 1);
    assert_int_equal(p->secrets[0].n_key, 32);
    assert_memory_equal(p->secrets[0].key, s.key, 32);
    expect_shown(f, &uuid, PLAIN ",\"secret\":\"whsec_XXX...\"}");
    free(secret);
    buf_done(&got);
}

static void
a_generated_ed25519_pair_shows_its_public_key_only(void **state)
{
    struct fixture *f = *state;
    struct buf got = BUF_INIT;
    fixture_start(f);
    assert_int_equal(fixture_create(f, "{" URL ",\"secret\":\"generate:ed25519\"}", &got, NULL), 0);
    char *shown = member_text(&got, "secret");
    assert_true(str_starts_with(str_from(shown), "whpk_"));
    assert_null(strstr(buf_cstr(&got), "whsk_"));
    free(shown);
    buf_done(&got);
}

static void
redacted_secrets_sent_back_keep_the_stored_ones(void **state)
{
    struct fixture *f = *state;
    char text[UUID_TEXT_LEN + 1];
    struct buf got = BUF_INIT;
    fixture_start(f);
    struct uuid uuid =
        fixture_register_with(f, "/hook", "\"secret\":[\"generate\",\"generate:ed25519\"]");
    struct webhook_policy before;
    policy_copy(&before, &registry_find(f->webhooks, &uuid)->policy);
    (void) uuid_format(&uuid, text);
    webhooks_write_one(f->webhooks, str_from(text), &got, &(struct err){0});
    char *shown = strstr(buf_cstr(&got), "\"secret\":");
    struct buf body = BUF_INIT;
    buf_addf(&body, "{\"timeoutMs\":7,%s", shown);
    assert_int_equal(fixture_update(f, text, buf_cstr(&body), NULL, NULL), 0);
    const struct webhook_policy *after = &registry_find(f->webhooks, &uuid)->policy;
    assert_int_equal(after->n_secrets, 2);
    assert_memory_equal(after->secrets, before.secrets, 2 * sizeof(*before.secrets));
    assert_int_equal(after->timeout_ms, 7);
    policy_done(&before);
    buf_done(&body);
    buf_done(&got);
}

static void
a_redacted_secret_in_another_place_is_refused(void **state)
{
    struct fixture *f = *state;
    char text[UUID_TEXT_LEN + 1];
    enum err_code code;
    fixture_start(f);
    struct uuid uuid =
        fixture_register_with(f, "/hook", "\"secret\":[\"generate:ed25519\",\"generate\"]");
    assert_int_equal(fixture_update(f, uuid_format(&uuid, text),
                                    "{\"secret\":[\"whsec_XXX...\",\"generate\"]}", NULL, &code),
                     -1);
    assert_int_equal(code, ERR_INVALID_WEBHOOK_SECRET);
}

static void
a_redacted_authorization_sent_back_keeps_the_stored_one(void **state)
{
    struct fixture *f = *state;
    char text[UUID_TEXT_LEN + 1];
    struct buf got = BUF_INIT;
    fixture_start(f);
    assert_int_equal(fixture_create(f,
                                    "{" URL ",\"headers\":{\"Authorization\":\"Bearer 0123456789\","
                                    "\"X\":\"XXX...\"}}",
                                    &got, NULL),
                     0);
    struct uuid uuid = uuid_of(&got);
    assert_int_equal(fixture_update(f, uuid_format(&uuid, text),
                                    "{\"headers\":{\"Authorization\":\"Bearer 01XXXX...\","
                                    "\"X\":\"XXX...\"}}",
                                    NULL, NULL),
                     0);
    const struct webhook *h = registry_find(f->webhooks, &uuid);
    assert_string_equal(h->headers[0].value, "Bearer 0123456789");
    assert_string_equal(h->headers[1].value, "XXX...");
    buf_done(&got);
}

/* --- rows ------------------------------------------------------------------------------------ */

static void
a_row_of_version_1_is_a_plain_webhook(void **state)
{
    struct fixture *f = *state;
    struct uuid uuid = uuid_v4();
    struct buf row = BUF_INIT;
    rec_put_u8(&row, 1);
    rec_put_str(&row, STR("http://a"));
    rec_put_u32(&row, 1);
    rec_put_str(&row, STR("X-A"));
    rec_put_str(&row, STR("1"));
    assert_int_equal(store_put(turn_txn(f->turn), TABLE_WEBHOOKS,
                               str_make(uuid.bytes, sizeof(uuid.bytes)), buf_str(&row)),
                     0);
    assert_int_equal(fixture_commit(f), 0);
    fixture_start(f);
    expect_shown(f, &uuid, "\"isEditable\":true," URL ",\"headers\":{\"X-A\":\"1\"}}");
    buf_done(&row);
}

static void
a_damaged_policy_is_not_misread(void **state)
{
    struct webhook_policy p, read;
    struct buf row = BUF_INIT;
    (void) state;
    policy_init(&p);
    p.timeout_ms = 5;
    p.given = 1u << POLICY_TIMEOUT_MS;
    policy_encode(&row, &p);
    for (size_t len = 0; len <= row.len; len++) {
        struct rec r = {.rest = str_make(row.data, len)};
        policy_init(&read);
        assert_int_equal(policy_decode(&r, &read), len == row.len);
        policy_done(&read);
    }
    row.data[1] = POLICY_FIELDS;
    struct rec r = {.rest = buf_str(&row)};
    policy_init(&read);
    assert_false(policy_decode(&r, &read));
    policy_done(&read);
    buf_done(&row);
}

/* --- whom a policy wants --------------------------------------------------------------------- */

static char *patterns_movies_logs[] = {"movies", "log-*"};
static char *patterns_all[] = {"*"};

static void
without_filters_every_task_is_wanted(void **state)
{
    struct webhook_policy p;
    (void) state;
    policy_init(&p);
    assert_true(policy_wants(&p, STR("movies"), 0, 2));
    assert_true(policy_wants(&p, STR_NULL, 17, 4));
}

static void
index_patterns_match_the_whole_uid_or_its_beginning(void **state)
{
    struct webhook_policy p;
    (void) state;
    policy_init(&p);
    p.index_uids = patterns_movies_logs;
    p.n_index_uids = 2;
    assert_true(policy_wants(&p, STR("movies"), 0, 2));
    assert_true(policy_wants(&p, STR("log-"), 0, 2));
    assert_true(policy_wants(&p, STR("log-1"), 0, 2));
    assert_true(policy_wants(&p, STR(",books,movies"), 7, 2)); /* a swap */
    assert_true(policy_wants(&p, STR("books,movies"), 6, 2));  /* a rename */
    assert_false(policy_wants(&p, STR(",books,films"), 7, 2));
    assert_false(policy_wants(&p, STR("movies2"), 0, 2));
    assert_false(policy_wants(&p, STR("movie"), 0, 2));
    assert_false(policy_wants(&p, STR("log"), 0, 2));
    assert_false(policy_wants(&p, STR_NULL, 0, 2));
}

static void
a_star_means_tasks_of_no_index_too(void **state)
{
    struct webhook_policy p;
    (void) state;
    policy_init(&p);
    p.index_uids = patterns_all;
    p.n_index_uids = 1;
    assert_true(policy_wants(&p, STR_NULL, 0, 2));
    assert_true(policy_wants(&p, STR("anything"), 0, 2));
}

static void
kinds_and_statuses_must_both_match(void **state)
{
    struct webhook_policy p;
    (void) state;
    policy_init(&p);
    p.kinds = UINT64_C(1) << 3 | UINT64_C(1) << 17;
    p.statuses = 1u << 3;
    assert_true(policy_wants(&p, STR_NULL, 3, 3));
    assert_true(policy_wants(&p, STR_NULL, 17, 3));
    assert_false(policy_wants(&p, STR_NULL, 4, 3));
    assert_false(policy_wants(&p, STR_NULL, 3, 2));
    assert_false(policy_wants(&p, STR_NULL, 64, 3));
    assert_false(policy_wants(&p, STR_NULL, 3, 8));
}

static void
events_are_wanted_when_chosen_and_a_ping_always(void **state)
{
    struct webhook_policy p;
    (void) state;
    policy_init(&p);
    assert_true(policy_wants_event(&p, EVENT_BATCH_FINISHED));
    assert_false(policy_wants_event(&p, EVENT_WEBHOOK_FAILING));
    p.events = 0;
    assert_false(policy_wants_event(&p, EVENT_BATCH_FINISHED));
    assert_true(policy_wants_event(&p, EVENT_PING));
}

static void
event_types_have_names(void **state)
{
    (void) state;
    for (int i = 0; i < EVENT_TYPES; i++) {
        enum event_type back = EVENT_TYPES;
        assert_true(event_type_from_name(str_from(event_type_name((enum event_type) i)), &back));
        assert_int_equal(back, i);
    }
    assert_false(event_type_from_name(STR("nope"), &(enum event_type){0}));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_field_is_shown_and_survives_a_restart),
        CASE(null_in_an_update_resets_each_field_to_its_default),
        CASE(null_at_creation_is_the_default),
        CASE(update_changes_what_it_names_and_keeps_the_rest),
        CASE(bad_fields_are_refused_by_name_and_value),
        CASE(lists_and_texts_are_accepted_up_to_their_limit),
        CASE(pem_texts_are_limited),
        CASE(a_pattern_may_have_400_bytes),
        cmocka_unit_test(secrets_have_24_to_64_bytes),
        cmocka_unit_test(an_ed25519_seed_may_be_followed_by_its_public_key_only),
        CASE(a_generated_secret_is_shown_once),
        CASE(a_generated_ed25519_pair_shows_its_public_key_only),
        CASE(redacted_secrets_sent_back_keep_the_stored_ones),
        CASE(a_redacted_secret_in_another_place_is_refused),
        CASE(a_redacted_authorization_sent_back_keeps_the_stored_one),
        CASE(a_row_of_version_1_is_a_plain_webhook),
        cmocka_unit_test(a_damaged_policy_is_not_misread),
        cmocka_unit_test(without_filters_every_task_is_wanted),
        cmocka_unit_test(index_patterns_match_the_whole_uid_or_its_beginning),
        cmocka_unit_test(a_star_means_tasks_of_no_index_too),
        cmocka_unit_test(kinds_and_statuses_must_both_match),
        cmocka_unit_test(events_are_wanted_when_chosen_and_a_ping_always),
        cmocka_unit_test(event_types_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
