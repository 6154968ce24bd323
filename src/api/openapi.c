/* GET /openapi.json: OpenAPI 3.1, written from the route rows and the tables of parameters and
 * fields that they name, so that it says what the server does. Knows no resource. */
#include "api/openapi.h"

#include <ctype.h>

#include "api/fields.h"
#include "api/handler.h"
#include "api/params.h"
#include "api/reply.h"
#include "codec/json.h"

static void
put(struct json_out *j, const char *key, const char *text)
{
    json_key(j, key);
    json_put_cstr(j, text);
}

static void
put_raw(struct json_out *j, const char *key, const char *json)
{
    json_key(j, key);
    json_put_raw(j, str_from(json));
}

/* --- parameters */

#define LIST_OF(items) "{\"type\":\"array\",\"items\":" items "}"

static const struct {
    param_reader *read;
    const char *schema;
} readers[] = {
    {param_bool, "{\"type\":\"boolean\"}"},
    {param_u32, "{\"type\":\"integer\",\"minimum\":0,\"maximum\":4294967295}"},
    {param_u64, "{\"type\":\"integer\",\"minimum\":0}"},
    {param_u32s, LIST_OF("{\"anyOf\":[{\"type\":\"integer\",\"minimum\":0},{\"const\":\"*\"}]}")},
    {param_strings, LIST_OF("{\"type\":\"string\"}")},
};

static void
put_choices(struct json_out *j, const char *const *choices)
{
    json_begin_object(j);
    put(j, "type", "string");
    json_key(j, "enum");
    json_begin_array(j);
    for (size_t i = 0; choices[i] != NULL; i++)
        json_put_cstr(j, choices[i]);
    json_end_array(j);
    json_end_object(j);
}

static void
put_param_schema(struct json_out *j, const struct param *p)
{
    const char *schema = p->schema;
    json_key(j, "schema");
    if (p->read == param_choice) {
        put_choices(j, p->choices);
        return;
    }
    for (size_t i = 0; schema == NULL && i < sizeof(readers) / sizeof(readers[0]); i++) {
        if (readers[i].read == p->read)
            schema = readers[i].schema;
    }
    json_put_raw(j, str_from(schema == NULL ? "{\"type\":\"string\"}" : schema));
}

static void
put_param(struct json_out *j, const char *name, const char *in, const char *schema)
{
    json_begin_object(j);
    put(j, "name", name);
    put(j, "in", in);
    put_raw(j, "required", strcmp(in, "path") == 0 ? "true" : "false");
    put_raw(j, "schema", schema);
    json_end_object(j);
}

static void
put_path_params(struct json_out *j, const char *pattern)
{
    for (const char *p = strchr(pattern, '{'); p != NULL; p = strchr(p, '{')) {
        const char *end = strchr(++p, '}');
        struct buf name = BUF_INIT;
        buf_add(&name, p, (size_t) (end - p));
        bool is_number = str_is(buf_str(&name), "taskUid") || str_is(buf_str(&name), "batchUid");
        put_param(j, buf_cstr(&name), "path",
                  is_number ? "{\"type\":\"integer\",\"minimum\":0,\"maximum\":4294967295}"
                            : "{\"type\":\"string\"}");
        buf_done(&name);
    }
}

static void
put_params(struct json_out *j, const struct route *r)
{
    json_key(j, "parameters");
    json_begin_array(j);
    put_path_params(j, r->pattern);
    for (size_t i = 0; r->query != NULL && i < r->query->n; i++) {
        json_begin_object(j);
        put(j, "name", r->query->rows[i].name);
        put(j, "in", "query");
        put_raw(j, "required", "false");
        put_raw(j, "explode", "false"); /* lists: a,b,c */
        put_param_schema(j, &r->query->rows[i]);
        json_end_object(j);
    }
    if (r->flags & ROUTE_ENQUEUES)
        put_param(j, "Idempotency-Key", "header", "{\"type\":\"string\"}");
    if (r->header != NULL)
        put_param(j, r->header, "header", "{\"type\":\"string\"}");
    json_end_array(j);
}

/* --- bodies */

static void
put_kinds(struct json_out *j, const struct field *f)
{
    static const struct {
        unsigned kinds;
        const char *type;
    } types[] = {
        {FIELD_BOOL, "boolean"}, {FIELD_FLOAT, "number"},  {FIELD_STRING, "string"},
        {FIELD_ARRAY, "array"},  {FIELD_OBJECT, "object"},
    };
    json_key(j, "type");
    json_begin_array(j);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (f->kinds & types[i].kinds)
            json_put_cstr(j, types[i].type);
    }
    if ((f->kinds & (FIELD_POSITIVE | FIELD_NEGATIVE)) && !(f->kinds & FIELD_FLOAT))
        json_put_cstr(j, "integer");
    if (!f->no_null)
        json_put_cstr(j, "null");
    json_end_array(j);
}

static void
put_properties(struct json_out *j, const struct fields *fields)
{
    json_key(j, "properties");
    json_begin_object(j);
    for (size_t i = 0; i < fields->n; i++) {
        const struct field *f = &fields->rows[i];
        if (f->read == NULL)
            continue; /* known only to say that it may not be changed */
        json_key(j, f->name);
        json_begin_object(j);
        if (f->kinds != FIELD_ANY)
            put_kinds(j, f);
        json_end_object(j);
    }
    json_end_object(j);
}

static void
put_required(struct json_out *j, const struct fields *fields)
{
    size_t n = 0;
    for (size_t i = 0; i < fields->n; i++) {
        if (fields->rows[i].read == NULL || fields->rows[i].missing == ERR_NONE)
            continue;
        if (n++ == 0) {
            json_key(j, "required");
            json_begin_array(j);
        }
        json_put_cstr(j, fields->rows[i].name);
    }
    if (n > 0)
        json_end_array(j);
}

static void
put_body_schema(struct json_out *j, const struct fields *fields)
{
    json_begin_object(j);
    if (fields != NULL) {
        put(j, "type", "object");
        put_properties(j, fields);
        put_required(j, fields);
        put_raw(j, "additionalProperties", "false");
    }
    json_end_object(j);
}

static void
put_body(struct json_out *j, const struct route *r)
{
    bool is_upload = (r->flags & ROUTE_DOCUMENTS) && !(r->flags & ROUTE_JSON_BODY);
    if (!is_upload && !(r->flags & ROUTE_JSON_BODY))
        return;
    json_key(j, "requestBody");
    json_begin_object(j);
    put_raw(j, "required", "true");
    json_key(j, "content");
    json_begin_object(j);
    json_key(j, "application/json");
    json_begin_object(j);
    json_key(j, "schema");
    put_body_schema(j, r->body);
    json_end_object(j);
    if (is_upload) {
        put_raw(j, "application/x-ndjson", "{\"schema\":{\"type\":\"string\"}}");
        put_raw(j, "text/csv", "{\"schema\":{\"type\":\"string\"}}");
    }
    json_end_object(j);
    json_end_object(j);
}

/* --- answers */

static void
put_success(struct json_out *j, const struct route *r, int status)
{
    const char *type = r->answer == NULL ? "application/json" : r->answer;
    json_begin_object(j);
    put(j, "description", (r->flags & ROUTE_ENQUEUES) ? "The task was enqueued." : "Success.");
    if (status != 204) {
        json_key(j, "content");
        json_begin_object(j);
        put_raw(j, type,
                (r->flags & ROUTE_ENQUEUES)
                    ? "{\"schema\":{\"$ref\":\"#/components/schemas/TaskSummary\"}}"
                : r->answer == NULL ? "{\"schema\":{}}"
                                    : "{\"schema\":{\"type\":\"string\"}}");
        json_end_object(j);
    }
    json_end_object(j);
}

static void
put_answers(struct json_out *j, const struct route *r)
{
    int status = r->status != 0 ? r->status : (r->flags & ROUTE_ENQUEUES) ? 202 : 200;
    struct buf text = BUF_INIT;
    buf_addf(&text, "%d", status);
    json_key(j, "responses");
    json_begin_object(j);
    json_key(j, buf_cstr(&text));
    put_success(j, r, status);
    put_raw(j, "default", "{\"$ref\":\"#/components/responses/Error\"}");
    json_end_object(j);
    buf_done(&text);
}

/* --- operations */

/* getIndexesIndexUidDocuments: unique, because method and pattern are. */
static void
put_operation_id(struct json_out *j, const struct route *r)
{
    struct buf id = BUF_INIT;
    bool is_start = true;
    for (const char *p = http_method_name(r->method); *p != '\0'; p++)
        buf_add_char(&id, (char) tolower((unsigned char) *p));
    for (const char *p = r->pattern; *p != '\0'; p++) {
        bool is_word = isalnum((unsigned char) *p) != 0;
        if (is_word)
            buf_add_char(&id, (char) (is_start ? toupper((unsigned char) *p) : *p));
        is_start = !is_word;
    }
    put(j, "operationId", buf_cstr(&id));
    buf_done(&id);
}

/* The first segment of the path. */
static void
put_tag(struct json_out *j, const char *pattern)
{
    struct str rest = str_from(pattern + 1), tag;
    json_key(j, "tags");
    json_begin_array(j);
    bool has_tag = str_split(&rest, '/', &tag) && tag.len > 0;
    json_put_str(j, has_tag ? tag : STR("server"));
    json_end_array(j);
}

static void
put_operation(struct json_out *j, const struct route *r)
{
    struct buf method = BUF_INIT;
    for (const char *p = http_method_name(r->method); *p != '\0'; p++)
        buf_add_char(&method, (char) tolower((unsigned char) *p));
    json_key(j, buf_cstr(&method));
    buf_done(&method);
    json_begin_object(j);
    put(j, "summary", r->summary);
    put_operation_id(j, r);
    put_tag(j, r->pattern);
    put_raw(j, "security", (r->flags & ROUTE_OPEN) ? "[]" : "[{\"bearer\":[]}]");
    if (r->action != NULL)
        put(j, "x-action", r->action);
    put_params(j, r);
    put_body(j, r);
    put_answers(j, r);
    json_end_object(j);
}

static bool
is_first_of_pattern(const struct route *const *rows, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (strcmp(rows[k]->pattern, rows[i]->pattern) == 0)
            return false;
    }
    return true;
}

static void
put_paths(struct json_out *j)
{
    size_t n;
    const struct route *const *rows = api_routes(&n);
    json_begin_object(j);
    for (size_t i = 0; i < n; i++) {
        if (!is_first_of_pattern(rows, i))
            continue;
        json_key(j, rows[i]->pattern);
        json_begin_object(j);
        for (size_t k = i; k < n; k++) {
            if (strcmp(rows[k]->pattern, rows[i]->pattern) == 0)
                put_operation(j, rows[k]);
        }
        json_end_object(j);
    }
    json_end_object(j);
}

/* --- the document */

static const char components[] =
    "{\"securitySchemes\":{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\","
    "\"description\":\"The master key, an API key or a tenant token. x-action names the action "
    "that a key needs.\"}},"
    "\"responses\":{\"Error\":{\"description\":\"What went wrong.\",\"content\":"
    "{\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/Error\"}}}}},"
    "\"schemas\":{\"Error\":{\"type\":\"object\",\"properties\":{\"message\":{\"type\":\"string\"},"
    "\"code\":{\"type\":\"string\"},\"type\":{\"enum\":[\"invalid_request\",\"internal\",\"auth\","
    "\"system\"]},\"link\":{\"type\":\"string\"}},"
    "\"required\":[\"message\",\"code\",\"type\",\"link\"]},"
    "\"TaskSummary\":{\"type\":\"object\",\"properties\":{\"taskUid\":{\"type\":\"integer\"},"
    "\"indexUid\":{\"type\":[\"string\",\"null\"]},\"status\":{\"type\":\"string\"},"
    "\"type\":{\"type\":\"string\"},\"enqueuedAt\":{\"type\":\"string\",\"format\":\"date-time\"},"
    "\"customMetadata\":{\"type\":\"string\"}},"
    "\"required\":[\"taskUid\",\"indexUid\",\"status\",\"type\",\"enqueuedAt\"]}}}";

void
openapi_write(struct buf *out)
{
    struct json_out j = json_out(out);
    json_begin_object(&j);
    put(&j, "openapi", "3.1.0");
    json_key(&j, "info");
    json_begin_object(&j);
    put(&j, "title", "taskhook");
    put(&j, "version", conf_version());
    put(&j, "description",
        "A task queue with webhooks, compatible with Meilisearch v" CONF_WIRE_VERSION ".");
    json_end_object(&j);
    json_key(&j, "paths");
    put_paths(&j);
    put_raw(&j, "components", components);
    json_end_object(&j);
}

static enum http_result
openapi_get(struct http_call *call)
{
    struct buf body = BUF_INIT;
    openapi_write(&body);
    return reply_json(call, 200, &body);
}

static const struct route rows[] = {
    {.method = HTTP_GET,
     .pattern = "/openapi.json",
     .flags = ROUTE_OPEN,
     .handler = openapi_get,
     .summary = "This API, as OpenAPI 3.1"},
};
const struct route_table openapi_routes = ROUTE_TABLE(rows);
