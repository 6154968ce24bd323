/* POST /v1/events: another engine publishes what happened there, through the same durable delivery
 * (contracts.md 7.3). Ours; Mixpeek has no such route. */
#include "api/enqueue.h"
#include "api/fields.h"
#include "api/handler.h"
#include "api/organizations.h"
#include "webhook/organization.h"

/* Before it is parsed, which happens at once; blanks and escapes take more room than what is kept.
 */
enum { BODY_MAX_BYTES = 1024 * 1024 };

struct event_fields {
    enum catalog_event type;
    struct str namespace_id;
    const struct json *subject, *metadata, *cache_scope;
};
struct subject_fields {
    struct str type, id;
};
struct scope_fields {
    struct str scope, collection_id;
    struct field_strings keys;
};

static int
field_event_type(const struct field_in *in, void *dst)
{
    struct str name = json_string(in->value);
    struct buf all = BUF_INIT;
    int rc = 0;
    if (!catalog_event_from_name(name, dst)) {
        catalog_write_names(&all);
        rc = field_invalid(in, "`%.*s` is no event of this server: expected one of %s.",
                           STR_ARG(name), buf_cstr(&all));
    }
    buf_done(&all);
    return rc;
}

static int
field_id(const struct field_in *in, void *dst)
{
    struct str id = json_string(in->value);
    if (id.len == 0 || id.len > ORGANIZATION_ID_MAX_BYTES)
        return field_invalid(in, "expected 1 to %d bytes, but there are %zu.",
                             ORGANIZATION_ID_MAX_BYTES, id.len);
    return field_string(in, dst);
}

static int
field_scope(const struct field_in *in, void *dst)
{
    struct str scope = json_string(in->value);
    if (!str_is(scope, "key") && !str_is(scope, "collection") && !str_is(scope, "namespace"))
        return field_invalid(in, "expected one of `key`, `collection`, `namespace`.");
    return field_string(in, dst);
}

#define ROW(field_name, error, kind, reader, type, member)                                         \
    .name = (field_name), .code = (error), .kinds = (kind), .read = (reader),                      \
    .offset = offsetof(struct type, member)
#define REQUIRED .no_null = true, .missing = ERR_MISSING_ORGANIZATION_FIELD
#define FIELD ERR_INVALID_ORGANIZATION_FIELD
static const struct field event_rows[] = {
    {ROW("event_type", ERR_UNKNOWN_EVENT_TYPE, FIELD_STRING, field_event_type, event_fields, type),
     REQUIRED},
    {ROW("subject", FIELD, FIELD_OBJECT, field_json, event_fields, subject), REQUIRED},
    {ROW("metadata", FIELD, FIELD_OBJECT, field_json, event_fields, metadata)},
    {ROW("cache_scope", FIELD, FIELD_OBJECT, field_json, event_fields, cache_scope)},
    {ROW("namespace_id", FIELD, FIELD_STRING, field_id, event_fields, namespace_id)},
};
static const struct field subject_rows[] = {
    {ROW("type", FIELD, FIELD_STRING, field_id, subject_fields, type), REQUIRED},
    {ROW("id", FIELD, FIELD_STRING, field_id, subject_fields, id), REQUIRED},
};
static const struct field scope_rows[] = {
    {ROW("scope", FIELD, FIELD_STRING, field_scope, scope_fields, scope), REQUIRED},
    {ROW("collection_id", FIELD, FIELD_STRING, field_id, scope_fields, collection_id)},
    {ROW("keys", FIELD, FIELD_ARRAY, field_strings, scope_fields, keys)},
};
#define TABLE_OF(array)                                                                            \
    {                                                                                              \
        .rows = (array), .n = sizeof(array) / sizeof((array)[0]), .code = FIELD                    \
    }
static const struct fields event_fields = TABLE_OF(event_rows),
                           subject_fields = TABLE_OF(subject_rows),
                           scope_fields = TABLE_OF(scope_rows);

struct publication {
    struct buf metadata, cache_scope; /* as text */
    struct organization_event event;
};

static int
missing_in_scope(struct err *err, const char *path, const char *what)
{
    (void) err_set(err, ERR_MISSING_ORGANIZATION_FIELD, "Missing field `%s` inside `.cache_scope`",
                   what);
    err_set_path(err, path);
    return -1;
}

/* A scope says what it is the scope of. */
static int
check_scope(struct http_call *call, const struct json *v)
{
    struct scope_fields s = {0};
    if (fields_read(call->arena, v, ".cache_scope", &scope_fields, &s, &call->err) < 0)
        return -1;
    if (str_is(s.scope, "collection") && s.collection_id.data == NULL)
        return missing_in_scope(&call->err, ".cache_scope.collection_id", "collection_id");
    if (str_is(s.scope, "key") && s.keys.n == 0)
        return missing_in_scope(&call->err, ".cache_scope.keys", "keys");
    return 0;
}

static int
check_size(struct http_call *call, const struct publication *p)
{
    size_t size = p->metadata.len + p->cache_scope.len;
    if (buf_failed(&p->metadata) || buf_failed(&p->cache_scope))
        return err_set(&call->err, ERR_INTERNAL, "Not enough memory for this request.");
    if (size <= ORGANIZATION_METADATA_MAX_BYTES)
        return 0;
    return err_set(&call->err, ERR_PAYLOAD_TOO_LARGE,
                   "`metadata` and `cache_scope` take %zu bytes; the maximum is %d.", size,
                   ORGANIZATION_METADATA_MAX_BYTES);
}

/* The body's, or that of the header with which Mixpeek's clients choose one for all requests. */
static int
read_namespace(struct http_call *call, struct str *namespace_id)
{
    struct str name = http_call_header(call, "X-Namespace");
    if (namespace_id->data != NULL || name.data == NULL)
        return 0;
    if (name.len == 0 || name.len > ORGANIZATION_ID_MAX_BYTES || !str_is_utf8(name))
        return err_set(
            &call->err, ERR_INVALID_ORGANIZATION_FIELD,
            "Invalid value of the header `X-Namespace`: expected 1 to %d bytes of UTF-8.",
            ORGANIZATION_ID_MAX_BYTES);
    *namespace_id = name;
    return 0;
}

static int
read_event(struct http_call *call, const struct json *body, struct publication *p)
{
    struct event_fields f = {0};
    struct subject_fields subject = {0};
    if (fields_read(call->arena, body, "", &event_fields, &f, &call->err) < 0 ||
        fields_read(call->arena, f.subject, ".subject", &subject_fields, &subject, &call->err) < 0)
        return -1;
    if (f.cache_scope != NULL && check_scope(call, f.cache_scope) < 0)
        return -1;
    if (read_namespace(call, &f.namespace_id) < 0)
        return -1;
    if (f.metadata != NULL)
        json_write(&p->metadata, f.metadata);
    else
        buf_add_cstr(&p->metadata, "{}");
    if (f.cache_scope != NULL)
        json_write(&p->cache_scope, f.cache_scope);
    p->event = (struct organization_event){
        .type = f.type,
        .namespace_id = f.namespace_id,
        .subject_type = subject.type,
        .subject_id = subject.id,
        .metadata = buf_str(&p->metadata),
        .cache_scope = f.cache_scope != NULL ? buf_str(&p->cache_scope) : STR_NULL,
    };
    return check_size(call, p);
}

static int
publish(struct http_call *call, void *arg, struct ops_result *ret)
{
    const struct publication *p = arg;
    struct api *api = handler_api(call);
    struct organization_emitted emitted = {0};
    char id[UUID_TEXT_LEN + 1];
    if (!turn_accepts_writes(api->turn))
        return err_set(&call->err, ERR_NO_SPACE_LEFT_ON_DEVICE,
                       "The server has too little free disk space to store an event.");
    if (organization_emit(api->webhooks, turn_txn(api->turn), &p->event, &emitted) < 0)
        return err_set(&call->err, ERR_IO_ERROR, "The event could not be stored.");
    struct json_out j = json_out(&ret->summary);
    json_begin_object(&j);
    json_key(&j, "event_id");
    json_put_cstr(&j, uuid_format(&emitted.id, id));
    json_key(&j, "event_type");
    json_put_cstr(&j, catalog_event_name(p->event.type));
    json_key(&j, "deliveries");
    json_put_u64(&j, emitted.n_deliveries);
    json_end_object(&j);
    return 0;
}

static enum http_result
event_publish(struct http_call *call)
{
    struct body body;
    struct publication p = {.metadata = BUF_INIT};
    enum http_result result = HTTP_ERROR;
    uint64_t size = http_call_body_left(call);
    if (size > BODY_MAX_BYTES) {
        (void) body_json_too_large(&call->err, size, BODY_MAX_BYTES);
        return HTTP_ERROR;
    }
    if (body_read_json(call, &body) == 0 && read_event(call, json_root(body.doc), &p) == 0)
        result = enqueue_now(call, 202, buf_str(&body.raw), publish, &p);
    buf_done(&p.metadata);
    buf_done(&p.cache_scope);
    body_done(&body);
    return result;
}

static const struct route rows[] = {
    {.method = HTTP_POST,
     .pattern = "/v1/events",
     .action = "webhooks.update",
     .flags = ROUTE_JSON_BODY | ROUTE_ENQUEUES,
     .handler = event_publish,
     .body = &event_fields,
     .summary = "Publish an event to the webhooks of organisations"},
};
const struct route_table organization_event_routes = ROUTE_TABLE(rows);
