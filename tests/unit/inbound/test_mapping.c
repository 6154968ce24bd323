/* Rules: what is refused at which place, which events they match, and what they make of them. */
#include <stdlib.h>

#include "../support.h"
#include "inbound/mapping.h"
#include "inbound/path.h"

struct fixture {
    struct arena *arena;
    struct json_doc *config, *body;
    struct mapping mapping;
    struct err err;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->arena = arena_new();
    *state = f;
    return 0;
}

static void
reset(struct fixture *f)
{
    json_doc_free(f->config);
    json_doc_free(f->body);
    f->config = f->body = NULL;
    err_done(&f->err);
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    reset(f);
    arena_free(f->arena);
    free(f);
    return 0;
}

static int
read_config(struct fixture *f, enum provider p, const char *text)
{
    reset(f);
    f->config = json_parse(str_from(text), NULL);
    assert_non_null(f->config);
    return mapping_read(f->arena, p, json_root(f->config), &f->mapping, &f->err);
}

static void
assert_refused(struct fixture *f, const char *text, const char *path)
{
    assert_int_equal(read_config(f, PROVIDER_STRIPE, text), -1);
    assert_int_equal(f->err.code, ERR_INVALID_CONNECTION);
    assert_non_null(f->err.path);
    assert_string_equal(f->err.path, path);
}

/* "reason: document" of the first rule. */
static void
assert_effect(struct fixture *f, const char *body, const char *primary_key, const char *expected)
{
    struct rule_effect effect;
    struct buf message = BUF_INIT, got = BUF_INIT;
    json_doc_free(f->body);
    f->body = json_parse(str_from(body), NULL);
    assert_non_null(f->body);
    struct str key = primary_key == NULL ? STR_NULL : str_from(primary_key);
    const char *reason =
        rule_apply(&f->mapping.rules[0], json_root(f->body), key, &effect, &message);
    if (reason != NULL)
        buf_add_cstr(&got, reason);
    else
        buf_addf(&got, "%s%.*s %.*s", effect.by_field ? "by field " : "", STR_ARG(effect.id),
                 STR_ARG(buf_str(&effect.json)));
    assert_int_equal(reason == NULL, message.len == 0);
    rule_effect_done(&effect);
    buf_done(&message);
    assert_buf_text(&got, expected);
}

/* --- reading */

static void
mapping_errors_name_the_path_of_the_field(void **state)
{
    static const struct {
        const char *config, *path;
    } rows[] = {
        {"{\"mappings\":{}}", ".provider_config.mappings"},
        {"{\"mappings\":[1]}", ".provider_config.mappings[0]"},
        {"{\"mappings\":[{}]}", ".provider_config.mappings[0].action"},
        {"{\"mappings\":[{\"action\":\"drop\"}]}", ".provider_config.mappings[0].action"},
        {"{\"mappings\":[{\"action\":\"delete\",\"index\":\"m\"}]}",
         ".provider_config.mappings[0].event"},
        {"{\"mappings\":[{\"action\":\"delete\",\"event\":\"a\"}]}",
         ".provider_config.mappings[0].index"},
        {"{\"mappings\":[{\"action\":\"delete\",\"event\":\"a\",\"index\":\"m\"}]}",
         ".provider_config.mappings[0].id"},
        {"{\"mappings\":[{\"action\":\"delete\",\"event\":\"a\",\"index\":\"m\",\"id\":\"a..b\"}]}",
         ".provider_config.mappings[0].id"},
        {"{\"mappings\":[{\"action\":\"delete\",\"event\":\"a\",\"index\":\"m/n\",\"id\":\"i\"}]}",
         ".provider_config.mappings[0].index"},
        {"{\"mappings\":[{\"action\":\"delete\",\"event\":\"a*b\",\"index\":\"m\",\"id\":\"i\"}]}",
         ".provider_config.mappings[0].event"},
        {"{\"mappings\":[{\"action\":\"delete\",\"event\":\"\",\"index\":\"m\",\"id\":\"i\"}]}",
         ".provider_config.mappings[0].event"},
        {"{\"mappings\":[{\"action\":\"delete\",\"event\":\"a\",\"index\":\"m\",\"id\":\"i\","
         "\"fields\":{}}]}",
         ".provider_config.mappings[0].fields"},
        {"{\"mappings\":[{\"action\":\"upsert\",\"event\":\"a\",\"index\":\"m\",\"id\":\"i\","
         "\"fields\":{\"t\":1}}]}",
         ".provider_config.mappings[0].fields.t"},
        {"{\"mappings\":[{\"action\":\"upsert\",\"event\":\"a\",\"index\":\"m\",\"id\":\"i\","
         "\"document\":[]}]}",
         ".provider_config.mappings[0].document"},
        {"{\"mappings\":[{\"action\":\"update\",\"event\":\"a\",\"index\":\"m\",\"id\":\"i\"}]}",
         ".provider_config.mappings[0]"},
        {"{\"mappings\":[{\"action\":\"publish\",\"event\":\"a\",\"event_type\":\"no.such\","
         "\"subject\":{\"type\":\"t\",\"id\":\"i\"}}]}",
         ".provider_config.mappings[0].event_type"},
        {"{\"mappings\":[{\"action\":\"publish\",\"event\":\"a\",\"event_type\":"
         "\"alert.triggered\",\"subject\":{\"id\":\"i\"}}]}",
         ".provider_config.mappings[0].subject.type"},
        {"{\"mappings\":[{\"action\":\"publish\",\"event\":\"a\",\"event_type\":"
         "\"alert.triggered\",\"subject\":{\"type\":\"t\",\"id\":\"i\",\"x\":1}}]}",
         ".provider_config.mappings[0].subject.x"},
        {"{\"event_type_path\":\"\"}", ".provider_config.event_type_path"},
        {"{\"index\":\"movies\"}", ".provider_config.index"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_refused(*state, rows[i].config, rows[i].path);
}

static void
write_rules(struct buf *out, int n)
{
    buf_add_cstr(out, "{\"mappings\":[");
    for (int i = 0; i < n; i++)
        buf_addf(out, "%s{\"action\":\"delete\",\"event\":\"a\",\"index\":\"m\",\"id\":\"i\"}",
                 i == 0 ? "" : ",");
    buf_add_cstr(out, "]}");
}

static void
mapping_has_at_most_64_rules(void **state)
{
    struct buf config = BUF_INIT;
    write_rules(&config, MAPPING_RULES_MAX);
    assert_int_equal(read_config(*state, PROVIDER_STRIPE, buf_cstr(&config)), 0);
    buf_clear(&config);
    write_rules(&config, MAPPING_RULES_MAX + 1);
    assert_refused(*state, buf_cstr(&config), ".provider_config.mappings");
    buf_done(&config);
}

static void
rule_has_at_most_100_fields(void **state)
{
    for (int n = MAPPING_FIELDS_MAX; n <= MAPPING_FIELDS_MAX + 1; n++) {
        struct buf config = BUF_INIT;
        buf_add_cstr(&config, "{\"mappings\":[{\"action\":\"upsert\",\"event\":\"a\",\"index\":"
                              "\"m\",\"id\":\"i\",\"fields\":{");
        for (int i = 0; i < n; i++)
            buf_addf(&config, "%s\"f%d\":\"x\"", i == 0 ? "" : ",", i);
        buf_add_cstr(&config, "}}]}");
        if (n == MAPPING_FIELDS_MAX)
            assert_int_equal(read_config(*state, PROVIDER_STRIPE, buf_cstr(&config)), 0);
        else
            assert_refused(*state, buf_cstr(&config), ".provider_config.mappings[0].fields");
        buf_done(&config);
    }
}

static void
paths_have_at_most_32_names_and_400_bytes(void **state)
{
    struct buf path = BUF_INIT;
    (void) state;
    for (int i = 0; i < PATH_MAX_DEPTH; i++)
        buf_addf(&path, "%sa", i == 0 ? "" : ".");
    assert_null(path_check(buf_str(&path)));
    buf_add_cstr(&path, ".a");
    assert_non_null(path_check(buf_str(&path)));
    buf_clear(&path);
    for (int i = 0; i < PATH_MAX_BYTES; i++)
        buf_add_char(&path, 'a');
    assert_null(path_check(buf_str(&path)));
    buf_add_char(&path, 'a');
    assert_non_null(path_check(buf_str(&path)));
    assert_non_null(path_check(STR("")));
    assert_non_null(path_check(STR(".a")));
    assert_non_null(path_check(STR("a.")));
    buf_done(&path);
}

static void
mux_has_a_short_form_for_its_two_rules(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_config(f, PROVIDER_MUX,
                                 "{\"index\":\"videos\",\"id_field\":\"asset_id\",\"fields\":{"
                                 "\"status\":\"data.status\"}}"),
                     0);
    assert_int_equal(f->mapping.n, 2);
    assert_int_equal(f->mapping.rules[0].action, RULE_DELETE);
    assert_text(f->mapping.rules[0].event, "video.asset.deleted");
    assert_int_equal(f->mapping.rules[1].action, RULE_UPDATE);
    assert_text(f->mapping.rules[1].event, "video.asset.updated");
    assert_text(f->mapping.rules[1].id_field, "asset_id");
    assert_int_equal(read_config(f, PROVIDER_MUX, "{\"index\":\"videos\"}"), 0);
    assert_int_equal(f->mapping.n, 1);
    assert_int_equal(read_config(f, PROVIDER_MUX, "{\"id_field\":\"asset_id\"}"), -1);
    assert_string_equal(f->err.path, ".provider_config.index");
}

/* --- matching */

static void
rules_match_types_beginnings_and_kinds(void **state)
{
    static const struct {
        const char *pattern, *type, *kind;
        bool matches;
    } rows[] = {
        {"push", "push", "", true},
        {"push", "pushed", "", false},
        {"push", "PUSH", "", false},
        {"*", "", "", true},
        {"*", "anything", "", true},
        {"video.asset.*", "video.asset.ready", "", true},
        {"video.asset.*", "video.x", "", false},
        {"issues", "issues", "opened", true},
        {"issues.opened", "issues", "opened", true},
        {"issues.closed", "issues", "opened", false},
        {"issues.*", "issues", "opened", true},
        {"issues.*", "issues", "", false},
    };
    (void) state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct rule r = {.event = str_from(rows[i].pattern)};
        struct provider_event e = {.type = str_from(rows[i].type), .kind = str_from(rows[i].kind)};
        assert_int_equal(rule_matches(&r, &e), rows[i].matches);
    }
}

/* --- applying */

#define RULE(members) "{\"mappings\":[{\"event\":\"*\",\"index\":\"m\"," members "}]}"

static void
upsert_takes_the_document_and_the_fields_under_the_primary_key(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_config(f, PROVIDER_STRIPE,
                                 RULE("\"action\":\"upsert\",\"id\":\"data.object.id\","
                                      "\"document\":\"data.object\",\"fields\":{\"kind\":\"type\","
                                      "\"amount\":\"data.total\",\"none\":\"no.such\"}")),
                     0);
    assert_effect(
        f,
        "{\"type\":\"t\",\"data\":{\"total\":5.10,\"object\":{\"id\":\"ch_1\","
        "\"amount\":1,\"sku\":\"x\",\"a\":[1]}}}",
        "sku", "ch_1 {\"sku\":\"ch_1\",\"id\":\"ch_1\",\"a\":[1],\"kind\":\"t\",\"amount\":5.10}");
    assert_effect(f, "{\"data\":{\"object\":{\"id\":7}}}", NULL, "7 {\"id\":7}");
}

static void
id_field_names_the_primary_key_of_an_index_without_one(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_config(f, PROVIDER_STRIPE,
                                 RULE("\"action\":\"upsert\",\"id\":\"id\",\"id_field\":\"key\"")),
                     0);
    assert_effect(f, "{\"id\":\"a\"}", NULL, "a {\"key\":\"a\"}");
    assert_effect(f, "{\"id\":\"a\"}", "key", "a {\"key\":\"a\"}");
    assert_effect(f, "{\"id\":\"a\"}", "id", "primary_key_mismatch");
}

static void
update_and_delete_find_documents_by_another_field(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_config(f, PROVIDER_STRIPE,
                                 RULE("\"action\":\"update\",\"id\":\"id\",\"id_field\":\"asset\","
                                      "\"fields\":{\"status\":\"s\",\"pk\":\"id\"}")),
                     0);
    assert_effect(f, "{\"id\":\"a b/\\\"c\",\"s\":1}", "pk", "by field a b/\"c {\"status\":1}");
    assert_effect(f, "{\"id\":\"a\",\"s\":1}", "asset",
                  "a {\"asset\":\"a\",\"status\":1,\"pk\":\"a\"}");
    assert_int_equal(read_config(f, PROVIDER_STRIPE,
                                 RULE("\"action\":\"delete\",\"id\":\"id\",\"id_field\":\"a.b\"")),
                     0);
    assert_effect(f, "{\"id\":1.5}", "pk", "by field 1.5 ");
}

static void
rules_say_why_they_do_not_apply(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_config(f, PROVIDER_STRIPE,
                                 RULE("\"action\":\"update\",\"id\":\"data.0.id\",\"fields\":{"
                                      "\"status\":\"s\"}")),
                     0);
    assert_effect(f, "{}", NULL, "id_not_found");
    assert_effect(f, "[]", NULL, "id_not_found");
    assert_effect(f, "{\"data\":[{\"id\":\"\"}]}", NULL, "id_not_found");
    assert_effect(f, "{\"data\":[{\"id\":null}]}", NULL, "id_not_found");
    assert_effect(f, "{\"data\":[{\"id\":\"a/b\"}],\"s\":1}", NULL, "invalid_id");
    assert_effect(f, "{\"data\":[{\"id\":1.5}],\"s\":1}", NULL, "invalid_id");
    assert_effect(f, "{\"data\":[{\"id\":1e5}],\"s\":1}", NULL, "invalid_id");
    assert_effect(f, "{\"data\":[{\"id\":\"a\"}]}", NULL, "nothing_to_update");
    assert_effect(f, "{\"data\":[{\"id\":\"a\"}],\"s\":null}", NULL,
                  "a {\"id\":\"a\",\"status\":null}");
}

static void
event_may_name_the_index(void **state)
{
    struct fixture *f = *state;
    struct str index;
    struct buf message = BUF_INIT;
    assert_int_equal(read_config(f, PROVIDER_STRIPE,
                                 "{\"mappings\":[{\"event\":\"*\",\"action\":\"delete\","
                                 "\"index_path\":\"data.kind\",\"id\":\"id\"}]}"),
                     0);
    f->body = json_parse(STR("{\"data\":{\"kind\":\"movies\"}}"), NULL);
    assert_null(rule_find_index(&f->mapping.rules[0], json_root(f->body), &index, &message));
    assert_text(index, "movies");
    json_doc_free(f->body);
    f->body = json_parse(STR("{\"data\":{\"kind\":\"../movies\"}}"), NULL);
    assert_string_equal(rule_find_index(&f->mapping.rules[0], json_root(f->body), &index, &message),
                        "invalid_index");
    buf_done(&message);
    assert_refused(f,
                   "{\"mappings\":[{\"event\":\"*\",\"action\":\"delete\",\"index\":\"m\","
                   "\"index_path\":\"data.kind\",\"id\":\"id\"}]}",
                   ".provider_config.mappings[0]");
}

static void
document_that_grows_beyond_1_mib_is_refused(void **state)
{
    struct fixture *f = *state;
    struct buf config = BUF_INIT, body = BUF_INIT;
    buf_add_cstr(&config, "{\"mappings\":[{\"event\":\"*\",\"index\":\"m\",\"action\":\"upsert\","
                          "\"id\":\"id\",\"fields\":{");
    for (int i = 0; i < MAPPING_FIELDS_MAX; i++)
        buf_addf(&config, "%s\"f%d\":\"big\"", i == 0 ? "" : ",", i);
    buf_add_cstr(&config, "}}]}");
    assert_int_equal(read_config(f, PROVIDER_STRIPE, buf_cstr(&config)), 0);
    buf_add_cstr(&body, "{\"id\":1,\"big\":\"");
    for (int i = 0; i < 12000; i++)
        buf_add_char(&body, 'x');
    buf_add_cstr(&body, "\"}");
    assert_effect(f, buf_cstr(&body), NULL, "document_too_large");
    buf_done(&config);
    buf_done(&body);
}

static void
publish_makes_metadata_of_paths(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        read_config(f, PROVIDER_GITHUB,
                    "{\"mappings\":[{\"event\":\"push\",\"action\":\"publish\",\"event_type\":"
                    "\"alert.triggered\",\"subject\":{\"type\":\"repository\",\"id\":"
                    "\"repository.id\"},\"metadata\":{\"ref\":\"ref\",\"who\":\"pusher.name\"}}]}"),
        0);
    assert_effect(f, "{\"ref\":\"refs/heads/main\",\"repository\":{\"id\":17}}", NULL,
                  "17 {\"ref\":\"refs/heads/main\"}");
    assert_effect(f, "{\"ref\":\"x\"}", NULL, "id_not_found");
}

/* --- what events are called */

static void
assert_event(enum provider p, const char *body, const char *expected)
{
    struct provider_headers h = {.id = STR("delivery"), .event = STR("issues")};
    struct json_doc *doc = json_parse(str_from(body), NULL);
    struct provider_event e;
    struct arena *arena = arena_new();
    struct buf got = BUF_INIT;
    assert_non_null(doc);
    provider_read_event(p, &h, json_root(doc), arena, &e);
    buf_addf(&got, "%.*s|%.*s|%.*s", STR_ARG(e.id), STR_ARG(e.type), STR_ARG(e.kind));
    arena_free(arena);
    json_doc_free(doc);
    assert_buf_text(&got, expected);
}

static void
providers_name_their_events_each_in_its_way(void **state)
{
    (void) state;
    assert_event(PROVIDER_MUX, "{\"id\":\"e\",\"type\":\"video.asset.ready\"}",
                 "e|video.asset.ready|");
    assert_event(PROVIDER_STRIPE, "{\"id\":\"evt_1\",\"type\":\"charge.failed\"}",
                 "evt_1|charge.failed|");
    assert_event(PROVIDER_STRIPE, "[]", "||");
    assert_event(PROVIDER_GITHUB, "{\"action\":\"opened\",\"id\":\"x\"}", "delivery|issues|opened");
    assert_event(PROVIDER_STANDARD, "{\"id\":\"x\",\"type\":\"a.b\"}", "delivery|a.b|");
    assert_event(PROVIDER_SLACK,
                 "{\"type\":\"event_callback\",\"event_id\":\"Ev1\",\"event\":{\"type\":"
                 "\"message\",\"subtype\":\"bot_message\"}}",
                 "Ev1|message|bot_message");
    assert_event(PROVIDER_SLACK, "{\"command\":\"/deploy\",\"trigger_id\":\"1.2\"}",
                 "1.2|slash_command|deploy");
    assert_event(PROVIDER_SLACK, "{\"type\":\"block_actions\",\"trigger_id\":\"1.2\"}",
                 "1.2|block_actions|");
    assert_event(PROVIDER_TWILIO,
                 "{\"MessageSid\":\"SM1\",\"MessageStatus\":\"sent\",\"SmsStatus\":\"x\"}",
                 "SM1.sent|sent|");
    assert_event(PROVIDER_TWILIO, "{\"MessageSid\":\"SM1\",\"SmsStatus\":\"received\"}",
                 "SM1.received|received|");
    assert_event(PROVIDER_TWILIO, "{\"MessageSid\":\"SM1\"}", "SM1.||");
    assert_event(PROVIDER_TWILIO, "{\"MessageStatus\":\"sent\"}", "|sent|");
}

static void
forms_become_json(void **state)
{
    struct buf out = BUF_INIT;
    (void) state;
    assert_int_equal(
        provider_form_to_json(PROVIDER_SLACK, STR("command=%2Fdeploy&text=a+%22b%22"), &out), 0);
    assert_buf_text(&out, "{\"command\":\"/deploy\",\"text\":\"a \\\"b\\\"\"}");
    assert_int_equal(
        provider_form_to_json(PROVIDER_GITHUB, STR("x=1&payload=%7B%22a%22%3A1%7D"), &out), 0);
    assert_buf_text(&out, "{\"a\":1}");
    assert_int_equal(provider_form_to_json(PROVIDER_TWILIO, STR("x=1&payload=%7B%7D"), &out), 0);
    assert_buf_text(&out, "{\"x\":\"1\",\"payload\":\"{}\"}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(mapping_errors_name_the_path_of_the_field, setup, teardown),
        cmocka_unit_test_setup_teardown(mapping_has_at_most_64_rules, setup, teardown),
        cmocka_unit_test_setup_teardown(rule_has_at_most_100_fields, setup, teardown),
        cmocka_unit_test(paths_have_at_most_32_names_and_400_bytes),
        cmocka_unit_test_setup_teardown(mux_has_a_short_form_for_its_two_rules, setup, teardown),
        cmocka_unit_test(rules_match_types_beginnings_and_kinds),
        cmocka_unit_test_setup_teardown(
            upsert_takes_the_document_and_the_fields_under_the_primary_key, setup, teardown),
        cmocka_unit_test_setup_teardown(id_field_names_the_primary_key_of_an_index_without_one,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(update_and_delete_find_documents_by_another_field, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(rules_say_why_they_do_not_apply, setup, teardown),
        cmocka_unit_test_setup_teardown(event_may_name_the_index, setup, teardown),
        cmocka_unit_test_setup_teardown(document_that_grows_beyond_1_mib_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(publish_makes_metadata_of_paths, setup, teardown),
        cmocka_unit_test(providers_name_their_events_each_in_its_way),
        cmocka_unit_test(forms_become_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
