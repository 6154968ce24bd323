/* /keys: create, list, get, change, remove (contract 9). Owns the bodies and their errors; keys
 * themselves are auth/'s. */
#include "auth/keys.h"

#include <stdlib.h>

#include "api/body.h"
#include "api/fields.h"
#include "api/handler.h"
#include "api/params.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/suggest.h"

enum { KEY_INDEXES_MAX = 10000 /* of one key: every request of it is compared with them */ };

/* --- what a body says */

struct key_expiry {
    struct str text; /* as it will be shown; data NULL: never */
    int64_t at_ns;
};
struct key_actions {
    uint8_t *values;
    size_t n;
};
struct create_fields {
    const struct json *description, *name; /* NULL: none */
    struct uuid uid;
    struct key_actions actions;
    struct field_strings indexes;
    struct key_expiry expires_at;
};

static int
field_uid(const struct field_in *in, void *dst)
{
    struct buf why = BUF_INIT;
    int rc = 0;
    if (!uuid_parse(json_string(in->value), dst, &why))
        rc = field_invalid(in, "%s", buf_cstr(&why));
    buf_done(&why);
    return rc;
}

static int
unknown_action(const struct field_in *in, const char *path, struct str name)
{
    size_t n;
    const char *const *names = action_names(&n);
    const char *near = suggest_name(name, names, n);
    struct buf message = BUF_INIT;
    buf_addf(&message, "Unknown value `%.*s` at `%s`: ", STR_ARG(name), path);
    if (near != NULL)
        buf_addf(&message, "did you mean `%s`? ", near);
    buf_add_cstr(&message, "expected one of ");
    names_write(&message, names, n);
    int rc = err_set_str(in->err, in->row->code, buf_str(&message));
    buf_done(&message);
    return rc;
}

static int
field_actions(const struct field_in *in, void *dst)
{
    struct key_actions *ret = dst;
    struct json_iter it = json_iter(in->value);
    ret->values = arena_alloc(in->arena, json_length(in->value) + 1);
    while (json_next(&it)) {
        enum auth_action action;
        const char *path = arena_printf(in->arena, "%s[%zu]", in->path, ret->n);
        if (field_check_kind(it.value, FIELD_STRING, path, in->row->code, in->err) < 0)
            return -1;
        if (!action_from_name(json_string(it.value), &action))
            return unknown_action(in, path, json_string(it.value));
        ret->values[ret->n++] = (uint8_t) action;
    }
    return 0;
}

/* A uid, the beginning of one and a star, or the star alone. */
static bool
is_pattern(struct str text)
{
    bool has_star = text.len > 0 && text.data[text.len - 1] == '*';
    return str_is(text, "*") ||
           index_uid_is_valid(has_star ? str_slice(text, 0, text.len - 1) : text);
}

static int
field_indexes(const struct field_in *in, void *dst)
{
    struct field_strings *ret = dst;
    if (json_length(in->value) > KEY_INDEXES_MAX)
        return field_invalid(in, "a key may name at most %d indexes", KEY_INDEXES_MAX);
    if (field_strings(in, dst) < 0)
        return -1;
    for (size_t i = 0; i < ret->n; i++) {
        struct field_in element = *in;
        if (is_pattern(ret->values[i]))
            continue;
        element.path = arena_printf(in->arena, "%s[%zu]", in->path, i);
        return field_invalid(&element,
                             "`%.*s` is not a valid index uid pattern. Index uid patterns can be "
                             "an integer or a string containing only alphanumeric characters, "
                             "hyphens (-), underscores (_), and optionally end with a star (*).",
                             STR_ARG(ret->values[i]));
    }
    return 0;
}

/* Where the part of a date behind its seconds ends. */
static size_t
fraction_end(struct str date, size_t begin)
{
    size_t end = begin;
    while (end < date.len &&
           (date.data[end] == '.' || (date.data[end] >= '0' && date.data[end] <= '9')))
        end++;
    return end;
}

/* The same moment in the one form that upstream prints: capital T and Z, a fraction of at most nine
 * digits without zeros at its end, the offset as given unless it is zero. */
static struct str
normal_date(struct arena *arena, struct str rfc3339)
{
    static const size_t seconds_len = 19, fraction_max = 1 + 9;
    size_t end = fraction_end(rfc3339, seconds_len);
    struct str zone = str_slice(rfc3339, end, rfc3339.len);
    if (zone.len == 1 || str_ends_with(zone, "00:00"))
        zone = STR("Z");
    if (end > seconds_len + fraction_max)
        end = seconds_len + fraction_max;
    while (end > seconds_len && (rfc3339.data[end - 1] == '0' || rfc3339.data[end - 1] == '.'))
        end--;
    return str_from(arena_printf(arena, "%.10sT%.*s%.*s", rfc3339.data, (int) (end - 11),
                                 rfc3339.data + 11, STR_ARG(zone)));
}

/* RFC 3339, or in UTC: YYYY-MM-DDTHH:MM:SS, the same with a space, YYYY-MM-DD. */
static bool
read_date(struct arena *arena, struct str text, struct key_expiry *ret)
{
    struct str full = text;
    if (text.len == 10)
        full = str_from(arena_printf(arena, "%.*sT00:00:00Z", STR_ARG(text)));
    else if (text.len == 19 && (text.data[10] == 'T' || text.data[10] == ' '))
        full = str_from(arena_printf(arena, "%.10sT%.8sZ", text.data, text.data + 11));
    if (!clock_parse(full, &ret->at_ns) || str_equal(str_slice(full, 17, 19), STR("60")))
        return false;
    ret->text = normal_date(arena, full);
    return true;
}

static int
field_expiry(const struct field_in *in, void *dst)
{
    struct str text = json_string(in->value);
    struct key_expiry expiry;
    if (!read_date(in->arena, text, &expiry) || expiry.at_ns <= clock_wall_ns())
        return field_invalid(
            in,
            "`%.*s` is not a valid date. It should follow the RFC 3339 format to represents a date "
            "or datetime in the future or specified as a null value. e.g. 'YYYY-MM-DD' or "
            "'YYYY-MM-DD HH:MM:SS'.\n",
            STR_ARG(text));
    *(struct key_expiry *) dst = expiry;
    return 0;
}

#define TEXT_ROW(field_name, error, of_struct, member)                                             \
    {                                                                                              \
        .name = (field_name), .code = (error), .kinds = FIELD_STRING, .read = field_json,          \
        .offset = offsetof(struct of_struct, member)                                               \
    }

static const struct field create_rows[] = {
    TEXT_ROW("description", ERR_INVALID_API_KEY_DESCRIPTION, create_fields, description),
    TEXT_ROW("name", ERR_INVALID_API_KEY_NAME, create_fields, name),
    {.name = "uid",
     .code = ERR_INVALID_API_KEY_UID,
     .kinds = FIELD_STRING,
     .no_null = true,
     .read = field_uid,
     .offset = offsetof(struct create_fields, uid)},
    {.name = "actions",
     .code = ERR_INVALID_API_KEY_ACTIONS,
     .kinds = FIELD_ARRAY,
     .no_null = true,
     .missing = ERR_MISSING_API_KEY_ACTIONS,
     .read = field_actions,
     .offset = offsetof(struct create_fields, actions)},
    {.name = "indexes",
     .code = ERR_INVALID_API_KEY_INDEXES,
     .kinds = FIELD_ARRAY,
     .no_null = true,
     .missing = ERR_MISSING_API_KEY_INDEXES,
     .read = field_indexes,
     .offset = offsetof(struct create_fields, indexes)},
    {.name = "expiresAt",
     .code = ERR_INVALID_API_KEY_EXPIRES_AT,
     .kinds = FIELD_STRING,
     .missing = ERR_MISSING_API_KEY_EXPIRES_AT,
     .read = field_expiry,
     .offset = offsetof(struct create_fields, expires_at)},
};
static const struct fields create_fields = FIELDS_OF(create_rows);

struct patch_fields {
    const struct json *description, *name;
};
static const struct field patch_rows[] = {
    TEXT_ROW("description", ERR_INVALID_API_KEY_DESCRIPTION, patch_fields, description),
    TEXT_ROW("name", ERR_INVALID_API_KEY_NAME, patch_fields, name),
    {.name = "uid", .code = ERR_IMMUTABLE_API_KEY_UID},
    {.name = "actions", .code = ERR_IMMUTABLE_API_KEY_ACTIONS},
    {.name = "indexes", .code = ERR_IMMUTABLE_API_KEY_INDEXES},
    {.name = "expiresAt", .code = ERR_IMMUTABLE_API_KEY_EXPIRES_AT},
    {.name = "createdAt", .code = ERR_IMMUTABLE_API_KEY_CREATED_AT},
    {.name = "updatedAt", .code = ERR_IMMUTABLE_API_KEY_UPDATED_AT},
};
static const struct fields patch_fields = FIELDS_OF(patch_rows);

/* data NULL for null and for what was not given. */
static struct str
text_of(const struct json *value)
{
    if (value == NULL)
        return STR_NULL;
    struct str text = json_string(value);
    return text.len == 0 ? STR("") : text;
}

/* --- POST, PATCH, DELETE */

static int
check_space(struct http_call *call)
{
    if (turn_accepts_writes(handler_api(call)->turn))
        return 0;
    return err_set(&call->err, ERR_NO_SPACE_LEFT_ON_DEVICE,
                   "The server has too little free disk space to store an API key.");
}

static struct key_draft
draft_of(const struct create_fields *f, const struct json *body)
{
    return (struct key_draft){
        .has_uid = json_get_c(body, "uid") != NULL,
        .facts = {.uid = f->uid,
                  .name = text_of(f->name),
                  .description = text_of(f->description),
                  .actions = f->actions.values,
                  .n_actions = f->actions.n,
                  .indexes = f->indexes.values,
                  .n_indexes = f->indexes.n,
                  .expires_at = f->expires_at.text,
                  .expires_at_ns = f->expires_at.at_ns},
    };
}

/* Holds the reply until the change is durable. */
static enum http_result
reply_changed(struct http_call *call, int status, struct buf *out)
{
    return reply_held(call, status, out, NULL, NULL);
}

static enum http_result
key_create(struct http_call *call)
{
    struct body body;
    struct buf out = BUF_INIT;
    struct create_fields f = {0};
    enum http_result result = HTTP_ERROR;
    if (body_read_json(call, &body) == 0 &&
        fields_read(call->arena, json_root(body.doc), "", &create_fields, &f, &call->err) == 0 &&
        check_space(call) == 0) {
        struct key_draft draft = draft_of(&f, json_root(body.doc));
        if (auth_key_create(handler_api(call)->auth, &draft, &out, &call->err) == 0)
            result = reply_changed(call, 201, &out);
    }
    buf_done(&out);
    body_done(&body);
    return result;
}

static enum http_result
key_update(struct http_call *call)
{
    struct body body;
    struct buf out = BUF_INIT;
    struct patch_fields f = {0};
    enum http_result result = HTTP_ERROR;
    if (body_read_json(call, &body) == 0 &&
        fields_read(call->arena, json_root(body.doc), "", &patch_fields, &f, &call->err) == 0 &&
        check_space(call) == 0) {
        const struct json *root = json_root(body.doc);
        struct key_patch patch = {
            .sets_name = json_get_c(root, "name") != NULL,
            .sets_description = json_get_c(root, "description") != NULL,
            .name = text_of(f.name),
            .description = text_of(f.description),
        };
        if (auth_key_update(handler_api(call)->auth, handler_param(call, 0), &patch, &out,
                            &call->err) == 0)
            result = reply_changed(call, 200, &out);
    }
    buf_done(&out);
    body_done(&body);
    return result;
}

static enum http_result
key_delete(struct http_call *call)
{
    struct buf none = BUF_INIT;
    if (auth_key_delete(handler_api(call)->auth, handler_param(call, 0), &call->err) < 0)
        return HTTP_ERROR;
    return reply_changed(call, 204, &none);
}

/* --- GET */

static enum http_result
key_get(struct http_call *call)
{
    struct buf body = BUF_INIT;
    if (auth_key_get(handler_api(call)->auth, handler_param(call, 0), &body, &call->err) == 0)
        return reply_json(call, 200, &body);
    buf_done(&body);
    return HTTP_ERROR;
}

struct list_params {
    struct param_u64 offset, limit;
};
static const struct param list_rows[] = {
    {.name = "offset",
     .code = ERR_INVALID_API_KEY_OFFSET,
     .read = param_u64,
     .offset = offsetof(struct list_params, offset)},
    {.name = "limit",
     .code = ERR_INVALID_API_KEY_LIMIT,
     .read = param_u64,
     .offset = offsetof(struct list_params, limit)},
};
static const struct param_table list_query = PARAM_TABLE(list_rows);

/* Walks from the newest key down, in pieces. */
struct list {
    const struct auth *auth;
    uint64_t offset, limit;
    uint64_t n_seen, n_shown;
    struct key_position last; /* seen */
};

/* The next key on the page, or NULL. */
static const struct api_key *
list_next(struct list *l)
{
    while (l->n_shown < l->limit) {
        const struct api_key *key = auth_key_next(l->auth, l->n_seen == 0 ? NULL : &l->last);
        if (key == NULL)
            return NULL;
        l->last = (struct key_position){key->facts.created_at_ns, key->facts.uid};
        if (l->n_seen++ >= l->offset)
            return key;
    }
    return NULL;
}

static enum http_piece
list_make(void *arg, struct buf *out, int64_t deadline_us)
{
    struct list *l = arg;
    const struct api_key *key;
    if (l->n_seen == 0)
        buf_add_cstr(out, "{\"results\":[");
    while ((key = list_next(l)) != NULL) {
        if (l->n_shown++ > 0)
            buf_add_char(out, ',');
        auth_key_write_json(out, l->auth, key);
        if (reply_piece_is_full(out, deadline_us))
            return HTTP_PIECE_MORE;
    }
    buf_addf(out, "],\"offset\":%llu,\"limit\":%llu,\"total\":%llu}",
             (unsigned long long) l->offset, (unsigned long long) l->limit,
             (unsigned long long) auth_key_count(l->auth));
    return HTTP_PIECE_LAST;
}

static enum http_result
key_list(struct http_call *call)
{
    struct list_params params = {.limit.value = 20};
    if (PARAMS_READ(call, list_rows, &params) < 0)
        return HTTP_ERROR;
    struct list *l = mem_new(1, sizeof(*l));
    *l = (struct list){.auth = handler_api(call)->auth,
                       .offset = params.offset.value,
                       .limit = params.limit.value};
    struct reply_listing listing = {list_make, free, l};
    return reply_listing(call, &listing);
}

static const struct route rows[] = {
    {.method = HTTP_GET,
     .pattern = "/keys",
     .action = "keys.get",
     .handler = key_list,
     .query = &list_query,
     .summary = "List API keys"},
    {.method = HTTP_POST,
     .pattern = "/keys",
     .action = "keys.create",
     .flags = ROUTE_JSON_BODY,
     .handler = key_create,
     .body = &create_fields,
     .status = 201,
     .summary = "Create an API key"},
    {.method = HTTP_GET,
     .pattern = "/keys/{uidOrKey}",
     .action = "keys.get",
     .handler = key_get,
     .summary = "Get one API key"},
    {.method = HTTP_PATCH,
     .pattern = "/keys/{uidOrKey}",
     .action = "keys.update",
     .flags = ROUTE_JSON_BODY,
     .handler = key_update,
     .body = &patch_fields,
     .summary = "Change the name or description of an API key"},
    {.method = HTTP_DELETE,
     .pattern = "/keys/{uidOrKey}",
     .action = "keys.delete",
     .handler = key_delete,
     .status = 204,
     .summary = "Remove an API key"},
};
const struct route_table key_routes = ROUTE_TABLE(rows);
