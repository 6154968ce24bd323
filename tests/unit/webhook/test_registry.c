/* Registering webhooks: contract 7.1 to 7.4. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "webhook/settings.h"

#define NIL "00000000-0000-0000-0000-000000000000"
#define ABSENT "11111111-2222-4333-8444-555555555555"

/* Replaces the first uuid in the text by <uuid>. */
static void
mask_uuid(char *text)
{
    struct uuid ignored;
    for (size_t i = 0; strlen(text + i) >= UUID_TEXT_LEN; i++) {
        if (!uuid_parse(str_make(text + i, UUID_TEXT_LEN), &ignored, NULL))
            continue;
        memmove(text + i + 6, text + i + UUID_TEXT_LEN, strlen(text + i + UUID_TEXT_LEN) + 1);
        memcpy(text + i, "<uuid>", 6);
        return;
    }
}

static void
expect_text(struct buf *got, const char *want)
{
    char *text = mem_strdup(buf_cstr(got));
    mask_uuid(text);
    assert_string_equal(text, want);
    free(text);
    buf_done(got);
}

struct refused_row {
    const char *body;
    enum err_code code;
    const char *message;
};

static void
create_is_refused(struct fixture *f, const struct refused_row *row)
{
    struct buf got = BUF_INIT;
    enum err_code code;
    assert_int_equal(fixture_create(f, row->body, &got, &code), -1);
    assert_int_equal(code, row->code);
    expect_text(&got, row->message);
}

static void
update_is_refused(struct fixture *f, const char *uuid, const struct refused_row *row)
{
    struct buf got = BUF_INIT;
    enum err_code code;
    assert_int_equal(fixture_update(f, uuid, row->body, &got, &code), -1);
    assert_int_equal(code, row->code);
    expect_text(&got, row->message);
}

/* The text of a fresh webhook's uuid. */
static void
register_one(struct fixture *f, char out[UUID_TEXT_LEN + 1])
{
    struct uuid uuid = fixture_register(f, "/hook");
    (void) uuid_format(&uuid, out);
}

static void
create_shows_url_verbatim_and_headers_in_byte_order(void **state)
{
    struct fixture *f = *state;
    struct buf got = BUF_INIT;
    fixture_start(f);
    assert_int_equal(fixture_create(f,
                                    "{\"headers\":{\"b\":\"2\",\"a\":null,\"B\":\"1\"},"
                                    "\"url\":\"https://third.com\"}",
                                    &got, NULL),
                     0);
    expect_text(&got, "{\"uuid\":\"<uuid>\",\"isEditable\":true,\"url\":\"https://third.com\","
                      "\"headers\":{\"B\":\"1\",\"a\":\"\",\"b\":\"2\"}}");
}

static void
create_accepts_null_headers_and_any_scheme(void **state)
{
    struct fixture *f = *state;
    struct buf got = BUF_INIT;
    fixture_start(f);
    assert_int_equal(fixture_create(f, "{\"url\":\"mailto:a@b\",\"headers\":null}", &got, NULL), 0);
    expect_text(&got,
                "{\"uuid\":\"<uuid>\",\"isEditable\":true,\"url\":\"mailto:a@b\",\"headers\":{}}");
}

static const struct refused_row create_rows[] = {
    {"{}", ERR_INVALID_WEBHOOK_URL, "The URL for the webhook `<uuid>` is missing."},
    {"{\"url\":null}", ERR_INVALID_WEBHOOK_URL, "The URL for the webhook `<uuid>` is missing."},
    {"{\"url\":\"\"}", ERR_INVALID_WEBHOOK_URL, "The URL for the webhook `<uuid>` is missing."},
    {"{\"url\":\"meili\"}", ERR_INVALID_WEBHOOK_URL,
     "Invalid URL `meili`: relative URL without a base"},
    {"{\"url\":\"http://\"}", ERR_INVALID_WEBHOOK_URL, "Invalid URL `http://`: empty host"},
    {"{\"url\":\"http://a:99999\"}", ERR_INVALID_WEBHOOK_URL,
     "Invalid URL `http://a:99999`: invalid port number"},
    {"{\"url\":5}", ERR_INVALID_WEBHOOK_URL,
     "Invalid value type at `.url`: expected a string, but found a positive integer: `5`"},
    {"{\"url\":-5}", ERR_INVALID_WEBHOOK_URL,
     "Invalid value type at `.url`: expected a string, but found a negative integer: `-5`"},
    {"{\"url\":[1.50]}", ERR_INVALID_WEBHOOK_URL,
     "Invalid value type at `.url`: expected a string, but found an array: `[1.5]`"},
    {"{\"url\":\"http://a\",\"headers\":true}", ERR_INVALID_WEBHOOK_HEADERS,
     "Invalid value type at `.headers`: expected an object, but found a boolean: `true`"},
    {"{\"headers\":{\"X\":{}},\"url\":5}", ERR_INVALID_WEBHOOK_HEADERS,
     "Invalid value type at `.headers.X`: expected a string, but found an object: `{}`"},
    {"{\"url\":\"http://a\",\"headers\":{\"a b\":\"\"}}", ERR_INVALID_WEBHOOK_HEADERS,
     "Invalid header name `a b`: invalid HTTP header name"},
    {"{\"url\":\"http://a\",\"headers\":{\"\":\"\"}}", ERR_INVALID_WEBHOOK_HEADERS,
     "Invalid header name ``: invalid HTTP header name"},
    {"{\"url\":\"http://a\",\"headers\":{\"X\":\"a\\nb\"}}", ERR_INVALID_WEBHOOK_HEADERS,
     "Invalid header value `X`: failed to parse header value"},
    {"{\"url\":\"nonsense\",\"headers\":{\"b c\":\"\",\"a\":\"\\u0000\"}}",
     ERR_INVALID_WEBHOOK_HEADERS, "Invalid header value `a`: failed to parse header value"},
    {"{\"url\":\"http://a\",\"headers\":{\"content-length\":\"1\"}}", ERR_INVALID_WEBHOOK_HEADERS,
     "Invalid header name `content-length`: this header is set by the server and cannot be "
     "changed"},
    {"{\"url\":\"http://a\",\"headers\":{\"Transfer-Encoding\":\"\"}}", ERR_INVALID_WEBHOOK_HEADERS,
     "Invalid header name `Transfer-Encoding`: this header is set by the server and cannot be "
     "changed"},
    {"{\"url\":\"http://a\",\"headers\":{\"Connection\":\"close\"}}", ERR_INVALID_WEBHOOK_HEADERS,
     "Invalid header name `Connection`: this header is set by the server and cannot be changed"},
    {"{\"uuid\":\"x\"}", ERR_IMMUTABLE_WEBHOOK_UUID,
     "Immutable field `uuid`: expected one of `url`, `headers`"},
    {"{\"isEditable\":true}", ERR_IMMUTABLE_WEBHOOK_IS_EDITABLE,
     "Immutable field `isEditable`: expected one of `url`, `headers`"},
    {"{\"nope\":1}", ERR_BAD_REQUEST, "Unknown field `nope`: expected one of `url`, `headers`"},
    {"{\"header\":1}", ERR_BAD_REQUEST,
     "Unknown field `header`: did you mean `headers`? expected one of `url`, `headers`"},
    {"\"hello\"", ERR_BAD_REQUEST,
     "Invalid value type: expected an object, but found a string: `\"hello\"`"},
    {"null", ERR_BAD_REQUEST, "Invalid value type: expected an object, but found null"},
};

static void
create_refuses_bad_bodies(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    for (size_t i = 0; i < sizeof(create_rows) / sizeof(create_rows[0]); i++)
        create_is_refused(f, &create_rows[i]);
    assert_int_equal(fixture_count(f, TABLE_WEBHOOKS), 0);
}

/* {"url":"http://a","headers":{"h0":value,..}} with n headers. */
static char *
body_with_headers(size_t n, const char *value)
{
    struct buf b = BUF_INIT;
    buf_add_cstr(&b, "{\"url\":\"http://a\",\"headers\":{");
    for (size_t i = 0; i < n; i++)
        buf_addf(&b, "%s\"h%zu\":%s", i > 0 ? "," : "", i, value);
    buf_add_cstr(&b, "}}");
    return buf_take(&b);
}

#define TOO_MANY_HEADERS                                                                           \
    "Too many headers for the webhook `<uuid>`. Please limit the number of headers to 200. Hint: " \
    "To remove an already defined header set its value to `null`"

static void
create_accepts_200_headers_and_refuses_201(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    char *fits = body_with_headers(200, "\"\""), *too_many = body_with_headers(201, "\"\"");
    assert_int_equal(fixture_create(f, fits, NULL, NULL), 0);
    create_is_refused(
        f, &(struct refused_row){too_many, ERR_INVALID_WEBHOOK_HEADERS, TOO_MANY_HEADERS});
    free(fits);
    free(too_many);
}

static void
create_refuses_the_21st_webhook_not_counting_the_command_lines(void **state)
{
    struct fixture *f = *state;
    f->cli_url = "http://cli.example";
    fixture_start(f);
    for (int i = 0; i < 20; i++)
        (void) fixture_register(f, "/hook");
    create_is_refused(
        f, &(struct refused_row){"{}", ERR_INVALID_WEBHOOKS,
                                 "Defining too many webhooks would crush the server. Please limit "
                                 "the number of webhooks to 20. You may use a third-party proxy "
                                 "server to dispatch events to more than 20 endpoints."});
    assert_int_equal(f->webhooks->registry.n, 21);
}

static void
sizes_are_limited(void **state)
{
    struct fixture *f = *state;
    fixture_start(f);
    struct buf url = BUF_INIT, header = BUF_INIT;
    buf_add_cstr(&url, "{\"url\":\"http://a/");
    buf_add_cstr(&header, "{\"url\":\"http://a/\",\"headers\":{\"X\":\"");
    for (size_t i = strlen("http://a/"); i < WEBHOOK_URL_MAX_BYTES; i++)
        buf_add_char(&url, 'u');
    for (size_t i = 1; i < WEBHOOK_HEADERS_MAX_BYTES; i++)
        buf_add_char(&header, 'v');
    size_t url_len = url.len, header_len = header.len;
    buf_add_cstr(&url, "\"}");
    buf_add_cstr(&header, "\"}}");
    assert_int_equal(fixture_create(f, buf_cstr(&url), NULL, NULL), 0);
    assert_int_equal(fixture_create(f, buf_cstr(&header), NULL, NULL), 0);
    url.len = url_len;
    header.len = header_len;
    buf_add_cstr(&url, "u\"}");
    buf_add_cstr(&header, "v\"}}");
    create_is_refused(f, &(struct refused_row){buf_cstr(&url), ERR_INVALID_WEBHOOK_URL,
                                               "The URL for the webhook `<uuid>` is too long. "
                                               "Please limit it to 8192 bytes."});
    create_is_refused(f, &(struct refused_row){buf_cstr(&header), ERR_INVALID_WEBHOOK_HEADERS,
                                               "The headers of the webhook `<uuid>` are too "
                                               "large. Please limit their names and values to "
                                               "65536 bytes in all."});
    buf_done(&url);
    buf_done(&header);
}

static void
update_merges_headers_by_exact_name(void **state)
{
    struct fixture *f = *state;
    char uuid[UUID_TEXT_LEN + 1];
    struct buf got = BUF_INIT;
    fixture_start(f);
    register_one(f, uuid);
    assert_int_equal(
        fixture_update(f, uuid, "{\"headers\":{\"b\":\"1\",\"d\":\"2\",\"B\":\"3\"}}", NULL, NULL),
        0);
    assert_int_equal(
        fixture_update(
            f, uuid,
            "{\"headers\":{\"a\":\"x\",\"b\":null,\"d\":\"4\",\"e\":null},\"url\":\"http://x\"}",
            &got, NULL),
        0);
    expect_text(&got, "{\"uuid\":\"<uuid>\",\"isEditable\":true,\"url\":\"http://x\","
                      "\"headers\":{\"B\":\"3\",\"a\":\"x\",\"d\":\"4\"}}");
}

static void
update_with_null_headers_removes_all_and_absent_url_keeps(void **state)
{
    struct fixture *f = *state;
    char uuid[UUID_TEXT_LEN + 1];
    struct buf got = BUF_INIT, one = BUF_INIT;
    struct err err = ERR_INIT;
    fixture_start(f);
    register_one(f, uuid);
    assert_int_equal(
        fixture_update(f, uuid, "{\"url\":\"http://k\",\"headers\":{\"b\":\"1\"}}", NULL, NULL), 0);
    assert_int_equal(fixture_update(f, uuid, "{\"headers\":null}", &got, NULL), 0);
    expect_text(&got,
                "{\"uuid\":\"<uuid>\",\"isEditable\":true,\"url\":\"http://k\",\"headers\":{}}");
    assert_int_equal(webhooks_write_one(f->webhooks, str_from(uuid), &one, &err), 0);
    expect_text(&one,
                "{\"uuid\":\"<uuid>\",\"isEditable\":true,\"url\":\"http://k\",\"headers\":{}}");
}

static void
update_checks_in_upstreams_order(void **state)
{
    struct fixture *f = *state;
    char uuid[UUID_TEXT_LEN + 1];
    fixture_start(f);
    register_one(f, uuid);
    char *full = body_with_headers(200, "\"\"");
    assert_int_equal(fixture_update(f, uuid, full, NULL, NULL), 0);
    free(full);
    update_is_refused(f, "not-a-uuid",
                      &(struct refused_row){"{\"url\":7}", ERR_INVALID_WEBHOOK_URL,
                                            "Invalid value type at `.url`: expected a string, but "
                                            "found a positive integer: `7`"});
    update_is_refused(f, "invalid-uuid",
                      &(struct refused_row){"{\"url\":null}", ERR_INVALID_WEBHOOK_UUID,
                                            "Invalid UUID: invalid character: found `i` at 0"});
    update_is_refused(f, NIL,
                      &(struct refused_row){"{\"url\":null}", ERR_IMMUTABLE_WEBHOOK,
                                            "Webhook `<uuid>` is immutable. The webhook defined "
                                            "from the command line cannot be modified using the "
                                            "API."});
    update_is_refused(f, ABSENT,
                      &(struct refused_row){"{\"url\":null}", ERR_WEBHOOK_NOT_FOUND,
                                            "Webhook `<uuid>` not found."});
    update_is_refused(f, uuid,
                      &(struct refused_row){"{\"url\":null,\"headers\":{\"one-more\":\"\"}}",
                                            ERR_INVALID_WEBHOOK_URL,
                                            "The URL for the webhook `<uuid>` is missing."});
    update_is_refused(f, uuid,
                      &(struct refused_row){"{\"url\":\"\",\"headers\":{\"one-more\":\"\"}}",
                                            ERR_INVALID_WEBHOOK_HEADERS, TOO_MANY_HEADERS});
    update_is_refused(f, uuid,
                      &(struct refused_row){"{\"url\":\"\",\"headers\":{\"h0\":\"\\u0001\"}}",
                                            ERR_INVALID_WEBHOOK_URL,
                                            "The URL for the webhook `<uuid>` is missing."});
    update_is_refused(f, uuid,
                      &(struct refused_row){"{\"url\":\"x\",\"headers\":{\"h0\":\"\\u0001\"}}",
                                            ERR_INVALID_WEBHOOK_HEADERS,
                                            "Invalid header value `h0`: failed to parse header "
                                            "value"});
    update_is_refused(f, uuid,
                      &(struct refused_row){"{\"url\":\"x\"}", ERR_INVALID_WEBHOOK_URL,
                                            "Invalid URL `x`: relative URL without a base"});
}

static void
update_can_swap_a_header_when_full(void **state)
{
    struct fixture *f = *state;
    char uuid[UUID_TEXT_LEN + 1];
    fixture_start(f);
    register_one(f, uuid);
    char *full = body_with_headers(200, "\"\"");
    assert_int_equal(fixture_update(f, uuid, full, NULL, NULL), 0);
    free(full);
    assert_int_equal(
        fixture_update(f, uuid, "{\"headers\":{\"h7\":null,\"zz\":\"1\"}}", NULL, NULL), 0);
}

static void
get_and_delete_report_bad_missing_and_immutable_uuids(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    struct buf out = BUF_INIT;
    fixture_start(f);
    assert_int_equal(webhooks_write_one(f->webhooks, STR("deadbeef"), &out, &err), -1);
    assert_int_equal(err.code, ERR_INVALID_WEBHOOK_UUID);
    assert_string_equal(err.message, "Invalid UUID: invalid length: found 8");
    assert_int_equal(webhooks_write_one(f->webhooks, STR(NIL), &out, &err), -1);
    assert_string_equal(err.message, "Webhook `" NIL "` not found.");
    assert_int_equal(webhooks_delete(f->webhooks, STR(ABSENT), &err), -1);
    assert_int_equal(err.code, ERR_WEBHOOK_NOT_FOUND);
    assert_int_equal(webhooks_delete(f->webhooks, STR(NIL), &err), -1);
    assert_int_equal(err.code, ERR_IMMUTABLE_WEBHOOK);
    assert_int_equal(out.len, 0);
    err_done(&err);
}

static void
get_accepts_every_uuid_syntax(void **state)
{
    struct fixture *f = *state;
    char uuid[UUID_TEXT_LEN + 1], text[80];
    struct err err = ERR_INIT;
    struct buf out = BUF_INIT;
    fixture_start(f);
    register_one(f, uuid);
    (void) snprintf(text, sizeof(text), "urn:uuid:%s", uuid);
    assert_int_equal(webhooks_write_one(f->webhooks, str_from(text), &out, &err), 0);
    (void) snprintf(text, sizeof(text), "{%s}", uuid);
    assert_int_equal(webhooks_write_one(f->webhooks, str_from(text), &out, &err), 0);
    buf_done(&out);
}

static void
list_begins_with_the_command_lines_webhook(void **state)
{
    struct fixture *f = *state;
    struct buf list = BUF_INIT;
    f->cli_url = "http://defined-in-test-cli.com";
    f->cli_authorization = "Bearer a-secret-token-defined-in-test-cli";
    fixture_start(f);
    webhooks_write_list(f->webhooks, &list);
    assert_string_equal(
        buf_cstr(&list),
        "{\"results\":[{\"uuid\":\"" NIL "\",\"isEditable\":false,"
        "\"url\":\"http://defined-in-test-cli.com/\",\"headers\":{\"Authorization\":\"Bearer "
        "a-secXXXXXX...\"}}]}");
    buf_done(&list);
}

static void
webhooks_survive_a_restart_sorted_by_uuid(void **state)
{
    struct fixture *f = *state;
    struct buf before = BUF_INIT, after = BUF_INIT;
    fixture_start(f);
    for (int i = 0; i < 5; i++)
        (void) fixture_register(f, "/hook?q=\\u00e9");
    webhooks_write_list(f->webhooks, &before);
    fixture_restart(f);
    webhooks_write_list(f->webhooks, &after);
    assert_string_equal(buf_cstr(&before), buf_cstr(&after));
    for (size_t i = 1; i < 5; i++)
        assert_true(memcmp(&f->webhooks->registry.items[i - 1]->uuid,
                           &f->webhooks->registry.items[i]->uuid, sizeof(struct uuid)) < 0);
    buf_done(&before);
    buf_done(&after);
}

static void
deleted_webhook_is_gone_after_a_restart(void **state)
{
    struct fixture *f = *state;
    char uuid[UUID_TEXT_LEN + 1];
    struct err err = ERR_INIT;
    fixture_start(f);
    register_one(f, uuid);
    assert_int_equal(webhooks_delete(f->webhooks, str_from(uuid), &err), 0);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(f->webhooks->registry.n, 0);
    fixture_restart(f);
    assert_int_equal(f->webhooks->registry.n, 0);
}

static void
refused_commit_brings_the_old_state_back(void **state)
{
    struct fixture *f = *state;
    char uuid[UUID_TEXT_LEN + 1];
    struct err err = ERR_INIT;
    struct buf before = BUF_INIT, after = BUF_INIT, ignored = BUF_INIT;
    f->cli_url = "http://cli.example/";
    fixture_start(f);
    register_one(f, uuid);
    webhooks_write_list(f->webhooks, &before);
    struct json_doc *doc = json_parse(STR("{\"url\":\"http://never\"}"), NULL);
    assert_int_equal(webhooks_create(f->webhooks, json_root(doc), &ignored, &err), 0);
    assert_int_equal(webhooks_delete(f->webhooks, str_from(uuid), &err), 0);
    assert_int_equal(f->webhooks->registry.n, 2);
    turn_fail(f->turn, STORE_EFULL);
    assert_int_equal(fixture_commit(f), STORE_EFULL);
    webhooks_rollback(f->webhooks);
    webhooks_write_list(f->webhooks, &after);
    assert_string_equal(buf_cstr(&before), buf_cstr(&after));
    json_doc_free(doc);
    buf_done(&before);
    buf_done(&after);
    buf_done(&ignored);
}

static void
bad_command_line_webhook_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    struct webhooks_conf conf = {.loop = f->loop,
                                 .turn = f->turn,
                                 .client = f->client,
                                 .cli_url = "http://a",
                                 .cli_authorization = "two\nlines"};
    assert_null(webhooks_new(&conf, &err));
    assert_int_equal(err.code, ERR_INVALID_WEBHOOK_HEADERS);
    err_done(&err);
}

static void
expect_warning(struct fixture *f, const char *json, const char *warning)
{
    fixture_capture_log(f);
    assert_int_equal(fixture_create(f, json, NULL, NULL), 0);
    struct buf log = fixture_captured_log(f);
    if (warning != NULL)
        assert_non_null(strstr(buf_cstr(&log), warning));
    else
        assert_null(strstr(buf_cstr(&log), "WARN"));
    buf_done(&log);
}

static void
webhook_that_can_never_be_reached_is_registered_with_a_warning(void **state)
{
    struct fixture *f = *state;
    const char *flag = "--experimental-allowed-ip-networks";
    fixture_start(f);
    expect_warning(f, "{\"url\":\"http://192.168.0.1/\"}", flag);
    expect_warning(f, "{\"url\":\"http://[::1]:80/\"}", flag);
    expect_warning(f, "{\"url\":\"ftp://example.com/\"}", "only http and https can be called");
    expect_warning(f, "{\"url\":\"http://127.0.0.1/\"}", NULL); /* the fixture allows it */
    expect_warning(f, "{\"url\":\"http://example.com/\"}", NULL);
    assert_int_equal(f->webhooks->registry.n, 5);
}

/* --- redaction ------------------------------------------------------------------------------- */

static const struct redaction_row {
    const char *value, *shown;
} redaction_rows[] = {
    {"", "XXX..."},
    {"TOKEN", "XXX..."},
    {"123456789", "XXX..."},
    {"1234567890", "12XXXX..."},
    {"UPDATED TOKEN", "UPXXXX..."},
    {"12345678901234567890", "123XXXXX..."},
    {"123456789012345678901234567890", "12345XXXXXX..."},
    {"Bearer ", "Bearer XXX..."},
    {"Bearer", "XXX..."},
    {"Bearer short", "Bearer XXX..."},
    {"Bearer a-secret-token", "Bearer a-XXXX..."},
    {"Bearer a-secret-token-defined-in-test-cli", "Bearer a-secXXXXXX..."},
    {"bearer a-secret-token", "beaXXXXX..."},
    {"1\xC3\xA9xxxxxxxxxx", "1\xC3\xA9XXXX..."},
};

static void
authorization_values_are_redacted(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(redaction_rows) / sizeof(redaction_rows[0]); i++) {
        struct buf out = BUF_INIT;
        webhook_write_redacted(&out, str_from(redaction_rows[i].value));
        assert_string_equal(buf_cstr(&out), redaction_rows[i].shown);
        buf_done(&out);
    }
}

static void
every_authorization_header_is_redacted_and_no_other(void **state)
{
    struct fixture *f = *state;
    struct buf got = BUF_INIT;
    fixture_start(f);
    assert_int_equal(
        fixture_create(f,
                       "{\"url\":\"http://a\",\"headers\":{\"authorization\":\"TOKEN\","
                       "\"AUTHORIZATION\":\"1234567890\",\"x-api-key\":\"clear\"}}",
                       &got, NULL),
        0);
    expect_text(&got, "{\"uuid\":\"<uuid>\",\"isEditable\":true,\"url\":\"http://a\",\"headers\":{"
                      "\"AUTHORIZATION\":\"12XXXX...\",\"authorization\":\"XXX...\","
                      "\"x-api-key\":\"clear\"}}");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(create_shows_url_verbatim_and_headers_in_byte_order),
        CASE(create_accepts_null_headers_and_any_scheme),
        CASE(create_refuses_bad_bodies),
        CASE(create_accepts_200_headers_and_refuses_201),
        CASE(create_refuses_the_21st_webhook_not_counting_the_command_lines),
        CASE(sizes_are_limited),
        CASE(update_merges_headers_by_exact_name),
        CASE(update_with_null_headers_removes_all_and_absent_url_keeps),
        CASE(update_checks_in_upstreams_order),
        CASE(update_can_swap_a_header_when_full),
        CASE(get_and_delete_report_bad_missing_and_immutable_uuids),
        CASE(get_accepts_every_uuid_syntax),
        CASE(list_begins_with_the_command_lines_webhook),
        CASE(webhooks_survive_a_restart_sorted_by_uuid),
        CASE(deleted_webhook_is_gone_after_a_restart),
        CASE(refused_commit_brings_the_old_state_back),
        CASE(bad_command_line_webhook_is_an_error),
        CASE(webhook_that_can_never_be_reached_is_registered_with_a_warning),
        cmocka_unit_test(authorization_values_are_redacted),
        CASE(every_authorization_header_is_redacted_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
