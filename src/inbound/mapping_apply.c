/* Applying a rule to an event. Pure functions of JSON; every text that comes out is JSON made here
 * from values, never glued together. */
#include "inbound/mapping.h"
#include "inbound/path.h"
#include "index/catalog.h"
#include "index/index.h"

void
rule_effect_done(struct rule_effect *e)
{
    buf_done(&e->value);
    buf_done(&e->json);
}

static bool
pattern_matches(struct str pattern, struct str type)
{
    if (!str_ends_with(pattern, "*"))
        return str_equal(pattern, type);
    struct str beginning = str_slice(pattern, 0, pattern.len - 1);
    return type.len >= beginning.len && str_equal(str_slice(type, 0, beginning.len), beginning);
}

bool
rule_matches(const struct rule *r, const struct provider_event *event)
{
    if (pattern_matches(r->event, event->type))
        return true;
    if (event->kind.len == 0)
        return false;
    struct buf whole = BUF_INIT;
    buf_add_str(&whole, event->type);
    buf_add_char(&whole, '.');
    buf_add_str(&whole, event->kind);
    bool matches = pattern_matches(r->event, buf_str(&whole));
    buf_done(&whole);
    return matches;
}

struct str
rule_id_field(const struct rule *r, struct str primary_key)
{
    if (r->id_field.data != NULL)
        return r->id_field;
    return primary_key.data != NULL ? primary_key : STR("id");
}

/* --- the id */

static const char *
say(struct buf *message, const struct rule *r, const char *reason, const char *text)
{
    buf_addf(message, "%s: the rule for `%.*s` does not apply: %s", r->path, STR_ARG(r->event),
             text);
    return reason;
}

static const char *
find_id(const struct rule *r, const struct json *body, struct rule_effect *ret, struct buf *message)
{
    const struct json *id = path_find(body, r->id);
    uint64_t u;
    int64_t i;
    if (id != NULL && json_type(id) == JSON_STRING)
        ret->id = json_string(id);
    else if (id != NULL && json_type(id) == JSON_NUMBER)
        ret->id = json_number(id);
    if (ret->id.len > 0) {
        ret->may_be_id =
            document_id_is_valid(ret->id) &&
            (json_type(id) == JSON_STRING || json_to_u64(id, &u) || json_to_i64(id, &i));
        json_write(&ret->value, id);
        return NULL;
    }
    struct buf text = BUF_INIT;
    buf_addf(&text, "the event has no text or number at `%.*s`.", STR_ARG(r->id));
    (void) say(message, r, "id_not_found", buf_cstr(&text));
    buf_done(&text);
    return "id_not_found";
}

/* --- documents */

const char *
rule_find_index(const struct rule *r, const struct json *body, struct str *ret, struct buf *message)
{
    *ret = r->index;
    if (r->index_path.data == NULL)
        return NULL;
    const struct json *found = path_find(body, r->index_path);
    *ret = found == NULL ? STR("") : json_string(found);
    if (index_uid_is_valid(*ret))
        return NULL;
    return say(message, r, "invalid_index",
               "what the event has at its `index_path` cannot be the uid of an index.");
}

/* Whether fields set that name to something that the event has. */
static bool
is_set_by_fields(const struct rule *r, const struct json *body, struct str name)
{
    const struct json *path = r->fields == NULL ? NULL : json_get(r->fields, name);
    return path != NULL && path_find(body, json_string(path)) != NULL;
}

static bool
is_too_long(const struct buf *out)
{
    return out->len > MAPPING_DOCUMENT_MAX_BYTES || buf_failed(out);
}

static void
put_value(struct json_out *j, struct str name, const struct json *value)
{
    json_key_str(j, name);
    json_write(j->out, value);
    j->comma = true;
}

/* The members that come from the event; skipped: the name that is put by the caller. Their number.
 */
static size_t
put_members(struct json_out *j, const struct rule *r, const struct json *body, struct str skipped)
{
    size_t n = 0;
    const struct json *document = r->document.data == NULL ? NULL : path_find(body, r->document);
    struct json_iter it = {0};
    if (document != NULL && json_type(document) == JSON_OBJECT)
        it = json_iter(document);
    while (it.left > 0 && !is_too_long(j->out) && json_next(&it)) {
        if (str_equal(it.key, skipped) || is_set_by_fields(r, body, it.key))
            continue;
        put_value(j, it.key, it.value);
        n++;
    }
    if (r->fields == NULL)
        return n;
    for (it = json_iter(r->fields); !is_too_long(j->out) && json_next(&it);) {
        const struct json *value = path_find(body, json_string(it.value));
        if (value == NULL || str_equal(it.key, skipped))
            continue;
        put_value(j, it.key, value);
        n++;
    }
    return n;
}

static const char *
apply_to_documents(const struct rule *r, const struct json *body, struct str primary_key,
                   struct rule_effect *ret, struct buf *message)
{
    struct str key = rule_id_field(r, primary_key);
    struct json_out j = json_out(&ret->json);
    bool is_other = primary_key.data != NULL && !str_equal(key, primary_key);
    ret->by_field = is_other && r->action != RULE_UPSERT;
    if (is_other && r->action == RULE_UPSERT)
        return say(message, r, "primary_key_mismatch",
                   "`id_field` is not the primary key of the index.");
    if (!ret->by_field && !ret->may_be_id)
        return say(message, r, "invalid_id",
                   "the id it finds cannot be the id of a document (1 to 511 of a-z A-Z 0-9 - _).");
    if (ret->by_field && ret->id.len > MAPPING_VALUE_MAX_BYTES)
        return say(message, r, "invalid_id", "the value it finds has more than 4 KiB.");
    if (r->action == RULE_DELETE)
        return NULL;
    json_begin_object(&j);
    if (!ret->by_field) {
        json_key_str(&j, key);
        json_put_raw(&j, buf_str(&ret->value));
    }
    size_t n = put_members(&j, r, body, ret->by_field ? primary_key : key);
    json_end_object(&j);
    if (is_too_long(&ret->json))
        return say(message, r, "document_too_large", "the document has more than 1 MiB.");
    if (n == 0 && r->action == RULE_UPDATE)
        return say(message, r, "nothing_to_update", "the event has none of its fields.");
    return NULL;
}

/* --- events */

static const char *
apply_to_event(const struct rule *r, const struct json *body, struct rule_effect *ret,
               struct buf *message)
{
    struct json_out j = json_out(&ret->json);
    if (ret->id.len > ORGANIZATION_ID_MAX_BYTES)
        return say(message, r, "invalid_id", "the subject's id has more than 1024 bytes.");
    json_begin_object(&j);
    (void) put_members(&j, r, body, STR_NULL);
    json_end_object(&j);
    if (ret->json.len > ORGANIZATION_METADATA_MAX_BYTES || buf_failed(&ret->json))
        return say(message, r, "metadata_too_large", "the metadata has more than 256 KiB.");
    return NULL;
}

const char *
rule_apply(const struct rule *r, const struct json *body, struct str primary_key,
           struct rule_effect *ret, struct buf *message)
{
    *ret = (struct rule_effect){.id = STR("")};
    const char *reason = find_id(r, body, ret, message);
    if (reason != NULL)
        return reason;
    if (r->action == RULE_PUBLISH)
        return apply_to_event(r, body, ret, message);
    return apply_to_documents(r, body, primary_key, ret, message);
}
