/* A configuration is refused with the place of what is wrong, or read; its rules make of any event
 * a document that is one object with the id it is known by, or say why they do not apply.
 * Input: a byte for the provider, a line of JSON (provider_config), and the event's body. */
#include "fuzz.h"
#include "inbound/mapping.h"
#include "index/catalog.h"

static const char *const primary_keys[] = {NULL, "id", "asset_id", "a.b"};
enum { PRIMARY_KEYS = sizeof(primary_keys) / sizeof(primary_keys[0]) };

static void
require_document(const struct rule *r, const struct rule_effect *e, struct str primary_key)
{
    struct json_doc *doc = json_parse(buf_str(&e->json), NULL);
    FUZZ_REQUIRE(doc != NULL && json_type(json_root(doc)) == JSON_OBJECT);
    const struct json *id = json_get(json_root(doc), rule_id_field(r, primary_key));
    if (r->action != RULE_PUBLISH && !e->by_field) {
        FUZZ_REQUIRE(id != NULL);
        FUZZ_REQUIRE(
            str_equal(json_type(id) == JSON_NUMBER ? json_number(id) : json_string(id), e->id));
    }
    if (e->by_field)
        FUZZ_REQUIRE(json_get(json_root(doc), primary_key) == NULL);
    FUZZ_REQUIRE(e->json.len <= MAPPING_DOCUMENT_MAX_BYTES);
    json_doc_free(doc);
}

static void
find_index(const struct rule *r, const struct json *body)
{
    struct str index;
    struct buf message = BUF_INIT;
    if (r->action == RULE_PUBLISH)
        return;
    const char *reason = rule_find_index(r, body, &index, &message);
    FUZZ_REQUIRE((reason == NULL) == index_uid_is_valid(index));
    buf_done(&message);
}

static void
apply(const struct rule *r, const struct json *body)
{
    find_index(r, body);
    for (size_t i = 0; i < PRIMARY_KEYS; i++) {
        struct rule_effect e;
        struct buf message = BUF_INIT;
        struct str key = str_from(primary_keys[i]);
        const char *reason = rule_apply(r, body, key, &e, &message);
        FUZZ_REQUIRE((reason == NULL) == (message.len == 0));
        if (reason == NULL && r->action != RULE_DELETE)
            require_document(r, &e, key);
        if (reason == NULL)
            FUZZ_REQUIRE(e.id.len > 0 && e.value.len > 0);
        rule_effect_done(&e);
        buf_done(&message);
    }
}

static void
read_and_apply(enum provider p, const struct json *config, const struct json *body)
{
    struct arena *arena = arena_new();
    struct mapping mapping;
    struct err err = ERR_INIT;
    struct provider_headers h = {.id = STR("1"), .event = STR("push")};
    struct provider_event event;
    provider_read_event(p, &h, body, arena, &event);
    int rc = mapping_read(arena, p, config, &mapping, &err);
    FUZZ_REQUIRE((rc < 0) == err_is_set(&err));
    FUZZ_REQUIRE(rc == 0 || (err.code == ERR_INVALID_CONNECTION && err.path != NULL &&
                             str_is_utf8(str_from(err.path))));
    for (size_t i = 0; rc == 0 && i < mapping.n; i++) {
        (void) rule_matches(&mapping.rules[i], &event);
        apply(&mapping.rules[i], body);
    }
    err_done(&err);
    arena_free(arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_make(data + 1, size - (size > 0)), line;
    if (size == 0 || !str_split(&rest, '\n', &line))
        return 0;
    struct json_doc *config = json_parse(line, NULL), *body = json_parse(rest, NULL);
    if (config != NULL && body != NULL && json_type(json_root(config)) == JSON_OBJECT)
        read_and_apply((enum provider)(data[0] % PROVIDER_COUNT), json_root(config),
                       json_root(body));
    json_doc_free(config);
    json_doc_free(body);
    return 0;
}
