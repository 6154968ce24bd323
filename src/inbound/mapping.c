/* Reading rules. Owns the members of a rule and the words about them; what a rule does to an event
 * is in mapping_apply.c. */
#include "inbound/mapping.h"

#include "inbound/path.h"
#include "index/catalog.h"
#include "webhook/field_err.h"

#define AT(action) (1u << RULE_##action)
#define OF_DOCUMENTS (AT(UPSERT) | AT(UPDATE) | AT(DELETE))
#define OF_ALL (OF_DOCUMENTS | AT(PUBLISH))

static const char *const action_names[RULE_ACTIONS] = {
    [RULE_UPSERT] = "upsert",
    [RULE_UPDATE] = "update",
    [RULE_DELETE] = "delete",
    [RULE_PUBLISH] = "publish",
};

/* A member being read. */
struct input {
    struct arena *arena;
    const char *path;
    const struct json *value;
    struct err *err;
};

static int
refuse(const struct input *in, const char *expected)
{
    (void) field_err_value(in->err, ERR_INVALID_CONNECTION, str_from(in->path), "%s.", expected);
    err_set_path(in->err, in->path);
    return -1;
}

static int
refuse_type(const struct input *in, const char *expected)
{
    (void) field_err_type(in->err, ERR_INVALID_CONNECTION, str_from(in->path), expected, in->value);
    err_set_path(in->err, in->path);
    return -1;
}

static int
refuse_choice(const struct input *in, const char *const *names, size_t n)
{
    (void) field_err_choice(in->err, ERR_INVALID_CONNECTION, str_from(in->path),
                            json_string(in->value), names, n);
    err_set_path(in->err, in->path);
    return -1;
}

static int
refuse_missing(const struct input *in, const char *name)
{
    (void) err_set(in->err, ERR_INVALID_CONNECTION, "Missing field `%s` inside `%s`", name,
                   in->path);
    err_set_path(in->err, arena_printf(in->arena, "%s.%s", in->path, name));
    return -1;
}

static struct input
member_of(const struct input *in, struct str name, const struct json *value)
{
    struct input member = *in;
    struct str shown = str_slice(name, 0, str_utf8_prefix(str_slice(name, 0, 100)));
    member.path = arena_printf(in->arena, "%s.%.*s", in->path, STR_ARG(shown));
    member.value = value;
    return member;
}

/* --- kinds of members */

static int
read_text(const struct input *in, size_t max, struct str *ret)
{
    struct str text = json_string(in->value);
    if (json_type(in->value) != JSON_STRING)
        return refuse_type(in, "a string");
    if (text.len == 0 || text.len > max || str_find(text, '\0', 0) < text.len)
        return refuse(in, arena_printf(in->arena, "expected 1 to %zu bytes without NUL", max));
    *ret = text;
    return 0;
}

static int
read_path(const struct input *in, struct str *ret)
{
    if (json_type(in->value) != JSON_STRING)
        return refuse_type(in, "a string");
    const char *wrong = path_check(json_string(in->value));
    if (wrong != NULL)
        return refuse(in, wrong);
    *ret = json_string(in->value);
    return 0;
}

static int
read_paths(const struct input *in, const struct json **ret)
{
    if (json_type(in->value) != JSON_OBJECT)
        return refuse_type(in, "an object");
    if (json_length(in->value) > MAPPING_FIELDS_MAX)
        return refuse(in, "expected at most 100 fields");
    for (struct json_iter it = json_iter(in->value); json_next(&it);) {
        struct input field = member_of(in, it.key, it.value);
        struct str path;
        if (it.key.len == 0 || it.key.len > MAPPING_NAME_MAX_BYTES ||
            str_find(it.key, '\0', 0) < it.key.len)
            return refuse(in, "expected names of 1 to 400 bytes without NUL");
        if (read_path(&field, &path) < 0)
            return -1;
    }
    *ret = in->value;
    return 0;
}

/* --- members of a rule */

static int
read_event(const struct input *in, struct rule *r)
{
    if (read_text(in, MAPPING_PATTERN_MAX_BYTES, &r->event) < 0)
        return -1;
    if (str_find(r->event, '*', 0) + 1 < r->event.len)
        return refuse(in,
                      "expected an event type, or how it begins with `*` as the last character");
    return 0;
}

static int
read_action(const struct input *in, struct rule *r)
{
    if (json_type(in->value) != JSON_STRING)
        return refuse_type(in, "a string");
    for (int i = 0; i < RULE_ACTIONS; i++) {
        if (!str_is(json_string(in->value), action_names[i]))
            continue;
        r->action = (enum rule_action) i;
        return 0;
    }
    return refuse_choice(in, action_names, RULE_ACTIONS);
}

static int
read_index(const struct input *in, struct rule *r)
{
    if (json_type(in->value) != JSON_STRING)
        return refuse_type(in, "a string");
    r->index = json_string(in->value);
    if (!index_uid_is_valid(r->index))
        return refuse(in, "expected the uid of an index: 1 to 400 of a-z A-Z 0-9 - _");
    return 0;
}

static int
read_index_path(const struct input *in, struct rule *r)
{
    return read_path(in, &r->index_path);
}

static int
read_id(const struct input *in, struct rule *r)
{
    return read_path(in, &r->id);
}

static int
read_id_field(const struct input *in, struct rule *r)
{
    return read_path(in, &r->id_field);
}

static int
read_document(const struct input *in, struct rule *r)
{
    return read_path(in, &r->document);
}

static int
read_fields(const struct input *in, struct rule *r)
{
    return read_paths(in, &r->fields);
}

static int
read_event_type(const struct input *in, struct rule *r)
{
    if (json_type(in->value) != JSON_STRING)
        return refuse_type(in, "a string");
    if (catalog_event_from_name(json_string(in->value), &r->event_type))
        return 0;
    const char *names[CATALOG_EVENTS];
    for (int i = 0; i < CATALOG_EVENTS; i++)
        names[i] = catalog_event_name((enum catalog_event) i);
    return refuse_choice(in, names, CATALOG_EVENTS);
}

static int
read_subject(const struct input *in, struct rule *r)
{
    if (json_type(in->value) != JSON_OBJECT)
        return refuse_type(in, "an object");
    for (struct json_iter it = json_iter(in->value); json_next(&it);) {
        struct input member = member_of(in, it.key, it.value);
        int rc;
        if (str_is(it.key, "type"))
            rc = read_text(&member, MAPPING_NAME_MAX_BYTES, &r->subject_type);
        else if (str_is(it.key, "id"))
            rc = read_path(&member, &r->id);
        else
            rc = refuse(&member, "expected only `type`, a text, and `id`, a path");
        if (rc < 0)
            return -1;
    }
    if (r->subject_type.data == NULL)
        return refuse_missing(in, "type");
    return r->id.data == NULL ? refuse_missing(in, "id") : 0;
}

static int
read_namespace(const struct input *in, struct rule *r)
{
    return read_text(in, ORGANIZATION_ID_MAX_BYTES, &r->namespace_id);
}

static const struct member {
    const char *name;
    unsigned actions, required; /* sets of enum rule_action */
    int (*read)(const struct input *in, struct rule *r);
} members[] = {
    {"event", OF_ALL, OF_ALL, read_event},
    {"action", OF_ALL, OF_ALL, read_action},
    {"index", OF_DOCUMENTS, 0, read_index}, /* one of these two */
    {"index_path", OF_DOCUMENTS, 0, read_index_path},
    {"id", OF_DOCUMENTS, OF_DOCUMENTS, read_id},
    {"id_field", OF_DOCUMENTS, 0, read_id_field},
    {"document", AT(UPSERT) | AT(UPDATE), 0, read_document},
    {"fields", AT(UPSERT) | AT(UPDATE), 0, read_fields},
    {"event_type", AT(PUBLISH), AT(PUBLISH), read_event_type},
    {"subject", AT(PUBLISH), AT(PUBLISH), read_subject},
    {"metadata", AT(PUBLISH), 0, read_fields},
    {"namespace_id", AT(PUBLISH), 0, read_namespace},
};
enum { MEMBERS = sizeof(members) / sizeof(members[0]) };

static const struct member *
find_member(struct str name)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        if (str_is(name, members[i].name))
            return &members[i];
    }
    return NULL;
}

static int
refuse_member(const struct input *rule, struct str name, enum rule_action action)
{
    const char *names[MEMBERS];
    struct input member = member_of(rule, name, NULL);
    struct buf text = BUF_INIT;
    size_t n = 0;
    for (size_t i = 0; i < MEMBERS; i++) {
        if (members[i].actions & (1u << action))
            names[n++] = members[i].name;
    }
    buf_addf(&text, "Unknown field `%.*s` inside `%s` with the action `%s`: expected one of ",
             STR_ARG(name), rule->path, action_names[action]);
    field_write_names(&text, names, n);
    (void) field_err_take(rule->err, ERR_INVALID_CONNECTION, &text);
    err_set_path(rule->err, member.path);
    return -1;
}

static int
check_index(const struct input *in, const struct rule *r)
{
    if (r->action == RULE_PUBLISH || (r->index.data == NULL) != (r->index_path.data == NULL))
        return 0;
    if (r->index.data == NULL)
        return refuse_missing(in, "index");
    return refuse(in, "expected either `index` or `index_path`");
}

static int
read_members(const struct input *in, struct rule *r)
{
    for (struct json_iter it = json_iter(in->value); json_next(&it);) {
        const struct member *m = find_member(it.key);
        if (m == NULL || !(m->actions & (1u << r->action)))
            return refuse_member(in, it.key, r->action);
        struct input member = member_of(in, it.key, it.value);
        if (m->read(&member, r) < 0)
            return -1;
    }
    if (check_index(in, r) < 0)
        return -1;
    for (size_t i = 0; i < MEMBERS; i++) {
        if ((members[i].required & (1u << r->action)) &&
            json_get_c(in->value, members[i].name) == NULL)
            return refuse_missing(in, members[i].name);
    }
    return 0;
}

/* The action first: it says which members there may be. */
static int
read_rule(const struct input *in, struct rule *r)
{
    if (json_type(in->value) != JSON_OBJECT)
        return refuse_type(in, "an object");
    *r = (struct rule){.path = in->path};
    const struct json *action = json_get_c(in->value, "action");
    if (action == NULL)
        return refuse_missing(in, "action");
    struct input member = member_of(in, STR("action"), action);
    if (read_action(&member, r) < 0 || read_members(in, r) < 0)
        return -1;
    if (r->action != RULE_UPDATE || r->document.data != NULL ||
        (r->fields != NULL && json_length(r->fields) > 0))
        return 0;
    return refuse(in, "an update needs `fields` or a `document`");
}

static int
read_rules(const struct input *in, struct mapping *ret)
{
    size_t i = 0;
    if (json_type(in->value) != JSON_ARRAY)
        return refuse_type(in, "an array");
    if (json_length(in->value) > MAPPING_RULES_MAX)
        return refuse(in, "expected at most 64 rules");
    for (struct json_iter it = json_iter(in->value); json_next(&it); i++) {
        struct input rule = *in;
        rule.path = arena_printf(in->arena, "%s[%zu]", in->path, i);
        rule.value = it.value;
        if (read_rule(&rule, &ret->rules[ret->n++]) < 0)
            return -1;
    }
    return 0;
}

/* --- what is said beside the rules */

/* Of Mux: index, id_field and fields stand for the two rules that everybody wants. */
static int
add_mux_rules(const struct input *in, const struct json *index, struct mapping *ret)
{
    const struct json *id_field = json_get_c(in->value, "id_field");
    const struct json *fields = json_get_c(in->value, "fields");
    struct rule r = {.path = in->path,
                     .action = RULE_DELETE,
                     .event = STR("video.asset.deleted"),
                     .id = STR("data.id")};
    struct input member = member_of(in, STR("index"), index);
    if (read_index(&member, &r) < 0)
        return -1;
    member = member_of(in, STR("id_field"), id_field);
    if (id_field != NULL && read_id_field(&member, &r) < 0)
        return -1;
    ret->rules[ret->n++] = r;
    if (fields == NULL)
        return 0;
    member = member_of(in, STR("fields"), fields);
    r.action = RULE_UPDATE;
    r.event = STR("video.asset.updated");
    if (read_fields(&member, &r) < 0)
        return -1;
    ret->rules[ret->n++] = r;
    return 0;
}

static int
read_short(const struct input *in, enum provider p, struct mapping *ret)
{
    static const char *const names[] = {"index", "id_field", "fields"};
    const struct json *index = json_get_c(in->value, "index");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct json *value = json_get_c(in->value, names[i]);
        struct input member = member_of(in, str_from(names[i]), value);
        if (value != NULL && p != PROVIDER_MUX)
            return refuse(&member, "only connections of `mux` have it: give it in `mappings`");
        if (value != NULL && index == NULL)
            return refuse_missing(in, "index");
    }
    return index == NULL ? 0 : add_mux_rules(in, index, ret);
}

int
mapping_read(struct arena *arena, enum provider p, const struct json *config, struct mapping *ret,
             struct err *err)
{
    struct input in = {.arena = arena, .path = ".provider_config", .value = config, .err = err};
    const struct json *rules = json_get_c(config, "mappings");
    const struct json *type = json_get_c(config, "event_type_path");
    *ret = (struct mapping){
        .rules = arena_alloc(arena, (MAPPING_RULES_MAX + 2) * sizeof(struct rule)),
    };
    struct input member = member_of(&in, STR("event_type_path"), type);
    if (type != NULL && read_path(&member, &ret->event_type_path) < 0)
        return -1;
    if (read_short(&in, p, ret) < 0)
        return -1;
    member = member_of(&in, STR("mappings"), rules);
    return rules == NULL ? 0 : read_rules(&member, ret);
}
