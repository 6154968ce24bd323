/* Channels: what is accepted and stored, what is shown of it, and what comes back. */
#include "../support.h"
#include "webhook/channel_internal.h"
#include "webhook/channel_render.h"
#include "webhook/recipients.h"

static struct address_policy *policy;

static struct channel *
read_with(const char *text, const struct channel *old, struct err *err)
{
    struct json_doc *doc = json_parse(str_from(text), NULL);
    struct channel_rules rules = {.policy = policy, .has_smtp = true, .has_sms = true};
    assert_non_null(doc);
    struct channel *c = channel_read(json_root(doc), &rules, ".channels[2]", old, err);
    json_doc_free(doc); /* the channel has copied what it needs */
    return c;
}

static struct channel *
channel(const char *text)
{
    struct err err = ERR_INIT;
    struct channel *c = read_with(text, NULL, &err);
    if (c == NULL)
        print_message("%s\n", err.message);
    assert_non_null(c);
    err_done(&err);
    return c;
}

static void
assert_shown(const struct channel *c, const char *expected)
{
    struct buf out = BUF_INIT;
    struct json_out j = json_out(&out);
    channel_write_json(&j, c);
    assert_buf_text(&out, expected);
}

static const char slack[] =
    "{\"channel\":\"slack\",\"configs\":{\"webhook_url\":\"https://h.test/s/T/B/0123456789\"}}";

static void
a_channel_is_stored_as_it_was_given(void **state)
{
    static const char *const texts[] = {
        "{\"channel\":\"webhook\",\"configs\":{\"url\":\"https://a.test/"
        "x\",\"timeout\":2.50,\"mine\":[1e3],"
        "\"headers\":{\"B\":\"2\",\"A\":\"1\"},\"payload_template\":{\"x\":\"{{ a "
        "}}\",\"n\":1.10}}}",
        slack,
        "{\"channel\":\"email\",\"configs\":{\"to_addresses\":[\"a@b.c\"],\"body_template\":\"{{ x "
        "}}\"}}",
        "{\"channel\":\"sms\",\"configs\":{\"phone_numbers\":[\"+15550100\"],\"message_template\":"
        "null}}",
    };
    (void) state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct channel *c = channel(texts[i]);
        assert_text(channel_text(c), texts[i]);
        assert_int_equal(channel_kind(c), i);
        struct channel *again = channel_from_text(channel_text(c));
        assert_non_null(again);
        assert_text(channel_text(again), texts[i]);
        assert_int_equal(channel_timeout_ms(again), channel_timeout_ms(c));
        assert_true(str_equal(channel_url(again), channel_url(c)));
        channel_release(c);
        channel_release(again);
    }
}

static void
what_a_text_must_not_be_is_not_understood(void **state)
{
    static const char *const texts[] = {"",
                                        "{}",
                                        "[]",
                                        "{\"channel\":\"fax\",\"configs\":{}}",
                                        "{\"channel\":\"slack\",\"configs\":{}}",
                                        "{\"channel\":\"webhook\",\"configs\":{\"url\":\"x\"}}"};
    (void) state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_null(channel_from_text(str_from(texts[i])));
}

static void
the_registry_learns_url_headers_and_time_out(void **state)
{
    size_t n;
    (void) state;
    struct channel *c = channel(
        "{\"channel\":\"webhook\",\"configs\":{\"url\":\"https://a.test/x\",\"timeout\":0.5,"
        "\"headers\":{\"X-B\":\"2\",\"X-A\":\"1\"}}}");
    const struct channel_header *headers = channel_headers(c, &n);
    assert_int_equal(n, 2);
    assert_text(headers[0].name, "X-A");
    assert_text(headers[1].value, "2");
    assert_text(channel_url(c), "https://a.test/x");
    assert_int_equal(channel_timeout_ms(c), 500);
    channel_release(c);
    c = channel("{\"channel\":\"email\",\"configs\":{\"to_addresses\":[\"a@b.c\",\"d@e.f\"]}}");
    assert_text(channel_url(c), "mailto:a@b.c");
    assert_int_equal(channel_timeout_ms(c), 30000);
    channel_release(c);
    c = channel("{\"channel\":\"sms\",\"configs\":{\"phone_numbers\":[\"+15550100\"]}}");
    assert_text(channel_url(c), "sms:+15550100");
    assert_int_equal(channel_timeout_ms(c), CHANNEL_TIMEOUT_DEFAULT_MS);
    channel_release(c);
}

static void
secrets_are_not_shown(void **state)
{
    (void) state;
    struct channel *c = channel(
        "{\"channel\":\"webhook\",\"configs\":{\"url\":\"https://u:a-long-password@a.test/x\","
        "\"headers\":{\"X-Secret\":\"0123456789\",\"content-type\":\"a/b\"},\"note\":\"n\"}}");
    assert_shown(
        c, "{\"channel\":\"webhook\",\"configs\":{\"url\":\"https://u:a-XXXX...@a.test/x\","
           "\"headers\":{\"X-Secret\":\"01XXXX...\",\"content-type\":\"a/b\"},\"note\":\"n\"}}");
    channel_release(c);
    c = channel(slack);
    assert_shown(
        c,
        "{\"channel\":\"slack\",\"configs\":{\"webhook_url\":\"https://h.test/s/T/B/01XXXX...\"}}");
    channel_release(c);
}

static void
assert_slack_url_is_shown(const char *url, const char *expected)
{
    struct buf text = BUF_INIT, shown = BUF_INIT;
    buf_addf(&text, "{\"channel\":\"slack\",\"configs\":{\"webhook_url\":\"%s\"}}", url);
    struct channel *c = channel(buf_cstr(&text));
    channel_write_target(&shown, c);
    assert_buf_text(&shown, expected);
    channel_release(c);
    buf_done(&text);
}

static void
the_secret_of_slacks_url_is_hidden_wherever_it_stands(void **state)
{
    (void) state;
    assert_slack_url_is_shown("https://h.test/s/T/0123456789", "https://h.test/s/T/01XXXX...");
    assert_slack_url_is_shown("https://h.test/s/T/0123456789/", "https://h.test/s/T/01XXXX...");
    assert_slack_url_is_shown("https://h.test/s/T/0123456789///?a=/",
                              "https://h.test/s/T/01XXXX...");
    assert_slack_url_is_shown("https://h.test/s?token=0123456789/x", "https://h.test/s?tXXXXX...");
    assert_slack_url_is_shown("https://h.test/?token=0123456789", "https://h.test/?XXXX...");
    assert_slack_url_is_shown("https://h.test?token=0123456789", "https://h.test?tXXXX...");
    assert_slack_url_is_shown("https://u:a-long-password@h.test/T/0123456789",
                              "https://u:a-XXXX...@h.test/T/01XXXX...");
    assert_slack_url_is_shown("https://h.test", "https://h.test");
}

static void
what_was_shown_and_is_sent_back_stays_what_it_is(void **state)
{
    static const char *const texts[] = {
        "{\"channel\":\"webhook\",\"configs\":{\"url\":\"https://u:a-long-password@a.test/x\","
        "\"headers\":{\"X-Secret\":\"0123456789\",\"X-Other\":\"abcdefghijkl\"}}}",
        slack,
    };
    (void) state;
    for (size_t i = 0; i < 2; i++) {
        struct err err = ERR_INIT;
        struct buf shown = BUF_INIT;
        struct json_out j = json_out(&shown);
        struct channel *old = channel(texts[i]);
        channel_write_json(&j, old);
        struct channel *c = read_with(buf_cstr(&shown), old, &err);
        assert_non_null(c);
        assert_text(channel_text(c), texts[i]);
        channel_release(old);
        channel_release(c);
        buf_done(&shown);
    }
}

static void
a_mask_that_stands_for_nothing_is_refused(void **state)
{
    static const char *const masked[] = {
        "{\"channel\":\"webhook\",\"configs\":{\"url\":\"https://a.test/\","
        "\"headers\":{\"A\":\"01XXXX...\"}}}", /* of another kind */
        "{\"channel\":\"slack\",\"configs\":{\"webhook_url\":\"https://h.test/s/T/C/01XXXX...\"}}",
        "{\"channel\":\"webhook\",\"configs\":{\"url\":\"https://u:a-XXXX...@a.test/\"}}",
    };
    (void) state;
    struct channel *old = channel(slack);
    for (size_t i = 0; i < sizeof(masked) / sizeof(masked[0]); i++) {
        struct err err = ERR_INIT;
        assert_null(read_with(masked[i], old, &err));
        assert_int_equal(err.code, ERR_INVALID_WEBHOOK_CHANNELS);
        assert_string_equal(err.path, ".channels[2]");
        err_done(&err);
    }
    channel_release(old);
}

static void
an_error_names_field_and_value(void **state)
{
    static const struct {
        const char *text, *path, *message;
    } rows[] = {
        {"5", ".channels[2]",
         "Invalid value type at `.channels[2]`: expected an object with `channel` and `configs`, "
         "but "
         "found a positive integer: `5`"},
        {"{\"channel\":\"emial\",\"configs\":{}}", ".channels[2].channel",
         "Unknown value `emial` at `.channels[2].channel`: did you mean `email`? expected one of "
         "`webhook`, `slack`, "
         "`email`, `sms`"},
        {"{\"channel\":\"sms\",\"configs\":{\"phone_numbers\":[\"+15550100\",\"0\"]}}",
         ".channels[2].configs.phone_numbers[1]",
         "Invalid value at `.channels[2].configs.phone_numbers[1]`: `0` is no number like "
         "`+15550100` "
         "(E.164)"},
        {"{\"channel\":\"slack\",\"configs\":{\"webhook_url\":null}}",
         ".channels[2].configs.webhook_url",
         "Invalid value type at `.channels[2].configs.webhook_url`: expected a value, but found "
         "null"},
        {"{\"channel\":\"slack\",\"configs\":{\"webhook_url\":\"http://10.0.0.1/\"}}",
         ".channels[2].configs.webhook_url",
         "Invalid value at `.channels[2].configs.webhook_url`: `http://10.0.0.1/` must be https: "
         "plain "
         "http is sent only into the networks of --experimental-allowed-ip-networks"},
    };
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err err = ERR_INIT;
        assert_null(read_with(rows[i].text, NULL, &err));
        assert_string_equal(err.path, rows[i].path);
        assert_string_equal(err.message, rows[i].message);
        assert_int_equal(err_http_status(err.code), 422);
        err_done(&err);
    }
}

static void
a_recipient_is_counted_once(void **state)
{
    (void) state;
    struct channel *c =
        channel("{\"channel\":\"email\",\"configs\":{\"to_addresses\":[\"a@b.c\",\"A@B.C\"],"
                "\"cc_addresses\":[\"d@e.f\"],\"bcc_addresses\":[\"a@b.c\"]}}");
    assert_int_equal(c->n_recipients, 2);
    assert_int_equal(c->recipients[1].kind, RECIPIENT_CC);
    channel_release(c);
}

/* --- rendering
 * ------------------------------------------------------------------------------------ */

static const char event[] = "{\"event_id\":\"e1\",\"event_type\":\"x.y\",\"occurred_at\":\"t\","
                            "\"namespace_id\":\"n\",\"subject\":{\"type\":\"s\",\"id\":\"<1>\"},"
                            "\"metadata\":{\"a\":1},\"cache_scope\":null}";

static void
check_rendered(const char *text, const char *main_text, const char *extra)
{
    struct channel *c = channel(text);
    struct channel_render *r = channel_render_new(c, str_from(event));
    channel_release(c); /* the rendering holds it */
    assert_int_equal(channel_render_step(r, INT64_MAX), TEMPLATE_DONE);
    struct str made = channel_render_text(r, CHANNEL_EXTRA);
    assert_text(channel_render_text(r, CHANNEL_MAIN), main_text);
    assert_int_equal(made.data == NULL, extra == NULL);
    if (extra != NULL)
        assert_text(made, extra);
    channel_render_free(r);
}

static void
without_templates_an_event_is_told_all_the_same(void **state)
{
    (void) state;
    check_rendered(slack, "*x.y*: s `<1>` in `n` (t)", NULL);
    check_rendered("{\"channel\":\"sms\",\"configs\":{\"phone_numbers\":[\"+15550100\"]}}",
                   "x.y: s <1> in n", NULL);
    check_rendered("{\"channel\":\"email\",\"configs\":{\"to_addresses\":[\"a@b.c\"],"
                   "\"content_type\":\"markdown\"}}",
                   "x.y: <1>",
                   "## x.y\n\n- s: <1>\n- namespace: n\n- time: t\n- event: e1\n- a: 1\n");
    check_rendered("{\"channel\":\"email\",\"configs\":{\"to_addresses\":[\"a@b.c\"],"
                   "\"content_type\":\"json\"}}",
                   "x.y: <1>", NULL);
    struct channel *c =
        channel("{\"channel\":\"webhook\",\"configs\":{\"url\":\"https://a.test/\"}}");
    assert_false(channel_has_parts(c));
    channel_release(c);
}

static void
only_the_body_of_a_mail_is_html(void **state)
{
    (void) state;
    check_rendered(
        "{\"channel\":\"email\",\"configs\":{\"to_addresses\":[\"a@b.c\"],"
        "\"subject_template\":\"{{ subject.id }}\",\"body_template\":\"{{ subject.id }}\"}}",
        "<1>", "&lt;1&gt;");
}

static void
an_event_that_is_too_large_is_not_rendered(void **state)
{
    struct buf large = BUF_INIT;
    (void) state;
    struct channel *c = channel(slack);
    buf_add_cstr(&large, "{\"a\":\"");
    for (int i = 0; i < CHANNEL_EVENT_MAX_BYTES / 16; i++)
        buf_add_cstr(&large, "0123456789abcdef");
    buf_add_cstr(&large, "\"}");
    struct channel_render *r = channel_render_new(c, buf_str(&large));
    assert_int_equal(channel_render_step(r, INT64_MAX), TEMPLATE_FAILED);
    assert_non_null(strstr(channel_render_error(r), "too large for a template"));
    channel_render_free(r);
    channel_release(c);
    buf_done(&large);
}

static int
set_up(void **state)
{
    (void) state;
    policy = address_policy_parse(STR("127.0.0.0/8"), NULL);
    return 0;
}

static int
tear_down(void **state)
{
    (void) state;
    address_policy_free(policy);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_channel_is_stored_as_it_was_given),
        cmocka_unit_test(what_a_text_must_not_be_is_not_understood),
        cmocka_unit_test(the_registry_learns_url_headers_and_time_out),
        cmocka_unit_test(secrets_are_not_shown),
        cmocka_unit_test(the_secret_of_slacks_url_is_hidden_wherever_it_stands),
        cmocka_unit_test(what_was_shown_and_is_sent_back_stays_what_it_is),
        cmocka_unit_test(a_mask_that_stands_for_nothing_is_refused),
        cmocka_unit_test(an_error_names_field_and_value),
        cmocka_unit_test(a_recipient_is_counted_once),
        cmocka_unit_test(without_templates_an_event_is_told_all_the_same),
        cmocka_unit_test(only_the_body_of_a_mail_is_html),
        cmocka_unit_test(an_event_that_is_too_large_is_not_rendered),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
