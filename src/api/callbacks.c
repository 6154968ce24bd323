/* /api/webhooks: who is told of reports. The rows are the registry's (webhook/callbacks.h); here
 * are this door's names for their fields, and its answers. */
#include "webhook/callbacks.h"

#include "api/fields.h"
#include "api/params.h"
#include "api/receivers.h"
#include "base/mem.h"

enum { EVENTS_ALL = (1 << CALLBACK_EVENTS) - 1 };

/* --- bodies */

struct callback_fields {
    uint32_t events;
    bool has_active, is_active;
    struct str url, token, secret;
    const struct json *headers;
};

/* `report.completed`, `report.*` or `*`. */
static int
read_event(const struct field_in *in, struct str name, uint32_t *ret)
{
    struct buf all = BUF_INIT;
    uint32_t bits = str_is(name, "*") || str_is(name, "report.*") ? EVENTS_ALL : 0;
    for (int i = 0; i < CALLBACK_EVENTS; i++) {
        const char *known = callback_event_name((enum callback_event) i);
        buf_addf(&all, "`%s`, ", known);
        if (str_is(name, known))
            bits |= 1u << i;
    }
    int rc = 0;
    if (bits == 0)
        rc = field_invalid(in,
                           "`%.*s` is no event of this server: expected one of %s`report.*` "
                           "and `*`.",
                           STR_ARG(name), buf_cstr(&all));
    *ret |= bits;
    buf_done(&all);
    return rc;
}

static int
field_event(const struct field_in *in, void *dst)
{
    return read_event(in, json_string(in->value), dst);
}

static int
field_events(const struct field_in *in, void *dst)
{
    struct field_strings names = {0};
    if (field_strings(in, &names) < 0)
        return -1;
    if (names.n == 0)
        return field_invalid(in, "expected at least one event.");
    for (size_t i = 0; i < names.n; i++) {
        if (read_event(in, names.values[i], dst) < 0)
            return -1;
    }
    return 0;
}

static int
field_active(const struct field_in *in, void *dst)
{
    struct callback_fields *f =
        (struct callback_fields *) ((char *) dst - offsetof(struct callback_fields, is_active));
    f->has_active = true;
    f->is_active = json_bool(in->value);
    return 0;
}

#define ROW(field_name, error, kind, reader, member)                                               \
    {                                                                                              \
        .name = (field_name), .code = (error), .kinds = (kind), .read = (reader),                  \
        .offset = offsetof(struct callback_fields, member)                                         \
    }
static const struct field callback_rows[] = {
    ROW("event", ERR_INVALID_CALLBACK_EVENT, FIELD_STRING, field_event, events),
    ROW("events", ERR_INVALID_CALLBACK_EVENT, FIELD_ARRAY, field_events, events),
    ROW("callbackUrl", ERR_INVALID_CALLBACK_URL, FIELD_STRING, field_string, url),
    ROW("token", ERR_INVALID_CALLBACK_TOKEN, FIELD_STRING, field_token, token),
    ROW("secret", ERR_INVALID_CALLBACK_SECRET, FIELD_STRING, field_string, secret),
    ROW("headers", ERR_INVALID_CALLBACK_HEADERS, FIELD_OBJECT, field_json, headers),
    ROW("active", ERR_INVALID_CALLBACK_ACTIVE, FIELD_BOOL, field_active, is_active),
};
static const struct fields callback_fields = FIELDS_OF(callback_rows);

static void
put_headers(struct json_out *j, const struct callback_fields *f)
{
    if (f->headers == NULL && f->token.data == NULL)
        return;
    json_key(j, "headers");
    json_begin_object(j);
    for (struct json_iter it = f->headers == NULL ? (struct json_iter){0} : json_iter(f->headers);
         f->headers != NULL && json_next(&it);) {
        json_key_str(j, it.key);
        json_write(j->out, it.value);
        j->comma = true;
    }
    if (f->token.data != NULL) {
        struct buf value = BUF_INIT;
        buf_add_cstr(&value, "Bearer ");
        buf_add_str(&value, f->token);
        json_key(j, "Authorization");
        json_put_str(j, buf_str(&value));
        mem_wipe(value.data, value.len);
        buf_done(&value);
    }
    json_end_object(j);
}

/* The fields under the registry's names. */
static struct json_doc *
settings_of(const struct callback_fields *f)
{
    struct buf text = BUF_INIT;
    struct json_out j = json_out(&text);
    json_begin_object(&j);
    if (f->url.data != NULL) {
        json_key(&j, "url");
        json_put_str(&j, f->url);
    }
    put_headers(&j, f);
    if (f->secret.data != NULL) {
        json_key(&j, "secret");
        json_put_str(&j, f->secret);
    }
    if (f->has_active) {
        json_key(&j, "isActive");
        json_put_bool(&j, f->is_active);
    }
    json_end_object(&j);
    struct json_doc *doc = json_parse(buf_str(&text), NULL);
    mem_wipe(text.data, text.len);
    buf_done(&text);
    return doc;
}

/* An error of the registry under this door's names. */
static void
translate(struct err *err)
{
    static const struct {
        enum err_code from, to;
        const char *path;
    } rows[] = {
        {ERR_INVALID_WEBHOOK_URL, ERR_INVALID_CALLBACK_URL, ".callbackUrl"},
        {ERR_INVALID_WEBHOOK_HEADERS, ERR_INVALID_CALLBACK_HEADERS, ".headers"},
        {ERR_INVALID_WEBHOOK_SECRET, ERR_INVALID_CALLBACK_SECRET, ".secret"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (err->code != rows[i].from)
            continue;
        err->code = rows[i].to;
        err_set_path(err, rows[i].path);
        return;
    }
}

static int
missing(struct http_call *call, enum err_code code, const char *name)
{
    struct buf path = BUF_INIT;
    buf_addf(&path, ".%s", name);
    (void) err_set(&call->err, code, "Missing field `%s`", name);
    err_set_path(&call->err, buf_cstr(&path));
    buf_done(&path);
    return -1;
}

static int
read_fields(struct http_call *call, const struct json *body, struct callback_fields *f)
{
    *f = (struct callback_fields){0};
    return fields_read(call->arena, body, "", &callback_fields, f, &call->err);
}

/* --- answers */

static void
put_events(struct json_out *j, const struct callback_view *v)
{
    bool is_one = (v->events & (v->events - 1)) == 0;
    json_key(j, "event");
    for (int i = 0; i < CALLBACK_EVENTS && is_one; i++) {
        if (v->events >> i & 1)
            json_put_cstr(j, callback_event_name((enum callback_event) i));
    }
    if (!is_one)
        json_put_cstr(j, v->events == EVENTS_ALL ? "report.*" : "several");
    json_key(j, "events");
    json_begin_array(j);
    for (int i = 0; i < CALLBACK_EVENTS; i++) {
        if (v->events >> i & 1)
            json_put_cstr(j, callback_event_name((enum callback_event) i));
    }
    json_end_array(j);
}

static void
write_callback(struct json_out *j, const struct callback_view *v, bool reveals_secret)
{
    char uuid[UUID_TEXT_LEN + 1];
    struct buf secret = BUF_INIT;
    json_begin_object(j);
    json_key(j, "id");
    json_put_cstr(j, uuid_format(&v->uuid, uuid));
    put_events(j, v);
    json_key(j, "callbackUrl");
    json_put_str(j, v->url);
    if (callback_write_secret(&secret, v, reveals_secret)) {
        json_key(j, "secret");
        json_put_str(j, buf_str(&secret));
        mem_wipe(secret.data, secret.len);
    }
    buf_done(&secret);
    json_key(j, "headers");
    callback_write_headers(j, v);
    json_key(j, "createdAt");
    json_put_time(j, v->created_at_ns);
    json_key(j, "active");
    json_put_bool(j, v->is_active);
    if (v->disabled_reason != NULL) {
        json_key(j, "disabledReason");
        json_put_cstr(j, v->disabled_reason);
    }
    json_end_object(j);
}

static int
show(struct http_call *call, struct str id, bool reveals_secret, struct buf *out)
{
    struct callback_view v;
    if (callbacks_get(handler_api(call)->webhooks, id, &v, &call->err) < 0)
        return -1;
    struct json_out j = json_out(out);
    write_callback(&j, &v, reveals_secret);
    return 0;
}

/* --- handlers */

static enum http_result
callback_list(struct http_call *call)
{
    struct callback_view v;
    struct buf out = BUF_INIT;
    struct json_out j = json_out(&out);
    json_begin_object(&j);
    json_key(&j, "results");
    json_begin_array(&j);
    for (size_t at = 0; callbacks_next(handler_api(call)->webhooks, &at, &v);)
        write_callback(&j, &v, false);
    json_end_array(&j);
    json_end_object(&j);
    return reply_json(call, 200, &out);
}

static enum http_result
callback_get(struct http_call *call)
{
    struct buf out = BUF_INIT;
    if (show(call, handler_param(call, 0), false, &out) == 0)
        return reply_json(call, 200, &out);
    buf_done(&out);
    return HTTP_ERROR;
}

/* What was asked for, under the registry's names, is given to it. */
static int
store(struct http_call *call, const struct callback_fields *f, bool is_new, struct uuid *ret_new)
{
    struct webhooks *w = handler_api(call)->webhooks;
    struct json_doc *settings = settings_of(f);
    int rc;
    if (settings == NULL)
        return err_set(&call->err, ERR_INTERNAL, "The webhook cannot be read.");
    if (is_new)
        rc = callbacks_create(w, json_root(settings), f->events, ret_new, &call->err);
    else
        rc =
            callbacks_update(w, handler_param(call, 0), json_root(settings), f->events, &call->err);
    json_doc_free(settings);
    if (rc < 0)
        translate(&call->err);
    return rc;
}

static int
create(struct http_call *call, const struct json *body, struct buf *out)
{
    struct callback_fields f;
    struct uuid uuid;
    char id[UUID_TEXT_LEN + 1];
    if (read_fields(call, body, &f) < 0)
        return -1;
    if (f.events == 0)
        return missing(call, ERR_MISSING_CALLBACK_EVENT, "event");
    if (f.url.data == NULL)
        return missing(call, ERR_MISSING_CALLBACK_URL, "callbackUrl");
    if (store(call, &f, true, &uuid) < 0)
        return -1;
    (void) uuid_format(&uuid, id);
    http_call_add_header(call, "Location", arena_printf(call->arena, "/api/webhooks/%s", id));
    return show(call, str_from(id), true, out);
}

static enum http_result
callback_create(struct http_call *call)
{
    return receivers_change(call, 201, create);
}

static int
update(struct http_call *call, const struct json *body, struct buf *out)
{
    struct callback_fields f;
    if (read_fields(call, body, &f) < 0 || store(call, &f, false, NULL) < 0)
        return -1;
    return show(call, handler_param(call, 0), false, out);
}

static enum http_result
callback_update(struct http_call *call)
{
    return receivers_change(call, 200, update);
}

static enum http_result
callback_delete(struct http_call *call)
{
    struct buf none = BUF_INIT;
    if (callbacks_delete(handler_api(call)->webhooks, handler_param(call, 0), &call->err) < 0)
        return HTTP_ERROR;
    return receivers_reply_changed(call, 204, &none);
}

/* --- deliveries of one, newest first */

struct deliveries_params {
    struct param_u64 limit, from;
};
static const struct param deliveries_rows[] = {
    {.name = "limit",
     .code = ERR_INVALID_DELIVERY_LIMIT,
     .read = param_u32,
     .offset = offsetof(struct deliveries_params, limit)},
    {.name = "from",
     .code = ERR_INVALID_DELIVERY_FROM,
     .read = param_u64,
     .offset = offsetof(struct deliveries_params, from)},
};

static const struct param_table deliveries_query = PARAM_TABLE(deliveries_rows);

static enum http_result
callback_deliveries(struct http_call *call)
{
    struct webhooks *w = handler_api(call)->webhooks;
    struct deliveries_params p = {.limit.value = 20};
    struct delivery_query q = {.n_webhooks = 1, .since_ns = INT64_MIN, .until_ns = INT64_MAX};
    if (PARAMS_READ(call, deliveries_rows, &p) < 0 ||
        callbacks_uuid(w, handler_param(call, 0), &q.webhooks[0], &call->err) < 0)
        return HTTP_ERROR;
    q.limit = p.limit.value;
    q.has_from = p.from.is_given;
    q.from = p.from.value;
    return receivers_reply_deliveries(call, &q);
}

static const struct route rows[] = {
    {.method = HTTP_GET,
     .pattern = "/api/webhooks",
     .action = "webhooks.get",
     .handler = callback_list,
     .summary = "List the webhooks of reports"},
    {.method = HTTP_POST,
     .pattern = "/api/webhooks",
     .action = "webhooks.create",
     .flags = ROUTE_JSON_BODY,
     .handler = callback_create,
     .summary = "Register a webhook for reports",
     .body = &callback_fields,
     .status = 201},
    {.method = HTTP_GET,
     .pattern = "/api/webhooks/{webhookId}",
     .action = "webhooks.get",
     .handler = callback_get,
     .summary = "Get one webhook of reports"},
    {.method = HTTP_PATCH,
     .pattern = "/api/webhooks/{webhookId}",
     .action = "webhooks.update",
     .flags = ROUTE_JSON_BODY,
     .handler = callback_update,
     .summary = "Change a webhook of reports",
     .body = &callback_fields},
    {.method = HTTP_DELETE,
     .pattern = "/api/webhooks/{webhookId}",
     .action = "webhooks.delete",
     .handler = callback_delete,
     .summary = "Remove a webhook of reports",
     .status = 204},
    {.method = HTTP_GET,
     .pattern = "/api/webhooks/{webhookId}/deliveries",
     .action = "webhooks.get",
     .handler = callback_deliveries,
     .summary = "List the deliveries of a webhook of reports",
     .query = &deliveries_query},
};
const struct route_table callback_routes = ROUTE_TABLE(rows);
