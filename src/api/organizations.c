/* /v1/organizations/webhooks (contracts.md 3.2): bodies, pages and answers. What a webhook is, and
 * its JSON, is webhook/'s; errors go through envelope.c. */
#include "webhook/organization_webhooks.h"

#include "api/fields.h"
#include "api/organizations.h"
#include "api/params.h"
#include "api/receivers.h"

enum { LIMIT_DEFAULT = 20, LIMIT_MAX = 1000, OFFSET_MAX = 10000 };

/* --- bodies */

/* What the server sets itself may be sent back as it was shown. */
static int
field_ignored(const struct field_in *in, void *dst)
{
    (void) in;
    (void) dst;
    return 0;
}

#define ROW(field_name, kind, reader, member)                                                      \
    .name = (field_name), .code = ERR_INVALID_ORGANIZATION_FIELD, .kinds = (kind),                 \
    .read = (reader), .offset = offsetof(struct organization_draft, member)
#define REQUIRED .no_null = true, .missing = ERR_MISSING_ORGANIZATION_FIELD
static const struct field draft_rows[] = {
    {ROW("webhook_name", FIELD_STRING, field_string, name), REQUIRED},
    {ROW("event_types", FIELD_ARRAY, field_json, event_types), REQUIRED},
    {ROW("channels", FIELD_ARRAY, field_json, channels), REQUIRED},
    {ROW("is_active", FIELD_BOOL, field_bool, is_active)},
    {ROW("webhook_id", FIELD_ANY, field_ignored, name)},
    {ROW("internal_id", FIELD_ANY, field_ignored, name)},
    {ROW("created_at", FIELD_ANY, field_ignored, name)},
    {ROW("updated_at", FIELD_ANY, field_ignored, name)},
};
#undef ROW
static const struct fields draft_fields = {.rows = draft_rows,
                                           .n = sizeof(draft_rows) / sizeof(draft_rows[0]),
                                           .code = ERR_INVALID_ORGANIZATION_FIELD};

static int
read_draft(struct http_call *call, const struct json *body, struct organization_draft *ret)
{
    *ret = (struct organization_draft){.is_active = true};
    return fields_read(call->arena, body, "", &draft_fields, ret, &call->err);
}

/* --- one webhook */

static int
create(struct http_call *call, const struct json *body, struct buf *out)
{
    struct organization_draft d;
    if (read_draft(call, body, &d) < 0)
        return -1;
    return organization_webhooks_create(handler_api(call)->webhooks, &d, out, &call->err);
}

static int
update(struct http_call *call, const struct json *body, struct buf *out)
{
    struct organization_draft d;
    if (read_draft(call, body, &d) < 0)
        return -1;
    return organization_webhooks_update(handler_api(call)->webhooks, handler_param(call, 0), &d,
                                        out, &call->err);
}

static enum http_result
organization_webhook_create(struct http_call *call)
{
    return receivers_change(call, 201, create);
}

static enum http_result
organization_webhook_update(struct http_call *call)
{
    return receivers_change(call, 200, update);
}

static enum http_result
organization_webhook_get(struct http_call *call)
{
    struct buf out = BUF_INIT;
    if (organization_webhooks_write_one(handler_api(call)->webhooks, handler_param(call, 0), &out,
                                        &call->err) == 0)
        return reply_json(call, 200, &out);
    buf_done(&out);
    return HTTP_ERROR;
}

static enum http_result
organization_webhook_delete(struct http_call *call)
{
    struct buf none = BUF_INIT;
    organization_webhooks_delete(handler_api(call)->webhooks, handler_param(call, 0));
    return receivers_reply_changed(call, 204, &none);
}

/* --- all of them */

static enum http_result
organization_webhook_all(struct http_call *call)
{
    struct organization_query all = {.limit = ORGANIZATION_WEBHOOKS_MAX};
    struct organization_page page;
    struct buf out = BUF_INIT;
    buf_add_char(&out, '[');
    organization_webhooks_write_page(handler_api(call)->webhooks, &all, &out, &page);
    buf_add_char(&out, ']');
    return reply_json(call, 200, &out);
}

struct list_params {
    struct param_u64 limit, offset;
    struct str cursor;
    bool include_total; /* the total is always shown: clients require it */
};
#define ROW(param_name, reader, member)                                                            \
    {                                                                                              \
        .name = (param_name), .code = ERR_INVALID_ORGANIZATION_PARAMETER, .read = (reader),        \
        .offset = offsetof(struct list_params, member)                                             \
    }
static const struct param list_rows[] = {
    ROW("limit", param_u64, limit),
    ROW("offset", param_u64, offset),
    ROW("cursor", param_string, cursor),
    ROW("include_total", param_bool, include_total),
};
#undef ROW
const struct param_table organization_page_query = PARAM_TABLE(list_rows);

static int
check_range(struct http_call *call, const char *name, uint64_t value, uint64_t min, uint64_t max)
{
    if (value >= min && value <= max)
        return 0;
    return err_set(&call->err, ERR_INVALID_ORGANIZATION_PARAMETER,
                   "Invalid value in parameter `%s`: expected %llu to %llu, but found %llu.", name,
                   (unsigned long long) min, (unsigned long long) max, (unsigned long long) value);
}

int
organization_read_page(struct http_call *call, struct organization_paging *ret)
{
    struct list_params p = {.limit.value = LIMIT_DEFAULT};
    if (PARAMS_READ(call, list_rows, &p) < 0 ||
        check_range(call, "limit", p.limit.value, 1, LIMIT_MAX) < 0 ||
        check_range(call, "offset", p.offset.value, 0, OFFSET_MAX) < 0)
        return -1;
    *ret = (struct organization_paging){p.limit.value, p.offset.value, p.cursor};
    return 0;
}

/* "/v1/...?limit=10&offset=20", null where there is no such page. */
static void
put_page_link(struct json_out *j, const char *name, const struct organization_pages *p, bool exists,
              uint64_t offset)
{
    struct buf link = BUF_INIT;
    json_key(j, name);
    if (!exists) {
        json_put_null(j);
        return;
    }
    buf_addf(&link, "%s?limit=%llu&offset=%llu", p->path, (unsigned long long) p->paging.limit,
             (unsigned long long) offset);
    json_put_str(j, buf_str(&link));
    buf_done(&link);
}

void
organization_write_pagination(struct json_out *j, const struct organization_pages *p)
{
    uint64_t limit = p->paging.limit, offset = p->paging.offset;
    bool has_pages = p->paging.cursor.data == NULL;
    json_key(j, "pagination");
    json_begin_object(j);
    json_key(j, "total");
    json_put_u64(j, p->total);
    json_key(j, "page");
    if (has_pages)
        json_put_u64(j, offset / limit + 1);
    else
        json_put_null(j);
    json_key(j, "page_size");
    json_put_u64(j, limit);
    json_key(j, "total_pages");
    json_put_u64(j, (p->total + limit - 1) / limit);
    put_page_link(j, "next_page", p, has_pages && p->next_cursor != NULL, offset + limit);
    put_page_link(j, "previous_page", p, has_pages && offset > 0,
                  offset > limit ? offset - limit : 0);
    json_key(j, "next_cursor");
    json_put_cstr(j, p->next_cursor);
    json_end_object(j);
    json_key(j, "total");
    json_put_u64(j, p->total);
}

int
organization_read_optional_body(struct http_call *call, struct body *ret)
{
    *ret = (struct body){0};
    if (http_call_body_left(call) == 0)
        return 0;
    if (body_read_json_as_any(call, ret) < 0)
        return -1;
    if (json_type(json_root(ret->doc)) == JSON_NULL)
        return 0;
    return field_check_kind(json_root(ret->doc), FIELD_OBJECT, "", ERR_INVALID_ORGANIZATION_FIELD,
                            &call->err) < 0
               ? -1
               : 1;
}

struct list_fields {
    struct str event_type;
    bool is_active;
};
#define ROW(field_name, kind, reader, member)                                                      \
    {                                                                                              \
        .name = (field_name), .code = ERR_INVALID_ORGANIZATION_FIELD, .kinds = (kind),             \
        .read = (reader), .offset = offsetof(struct list_fields, member)                           \
    }
static const struct field filter_rows[] = {
    ROW("event_type", FIELD_STRING, field_string, event_type),
    ROW("is_active", FIELD_BOOL, field_bool, is_active),
};
#undef ROW
static const struct fields filter_fields = {.rows = filter_rows,
                                            .n = sizeof(filter_rows) / sizeof(filter_rows[0]),
                                            .code = ERR_INVALID_ORGANIZATION_FIELD};

static int
check_event_type(struct http_call *call, struct str name)
{
    enum catalog_event event;
    struct buf message = BUF_INIT;
    if (name.data == NULL || str_is(name, "*") || catalog_event_from_name(name, &event))
        return 0;
    buf_addf(&message,
             "Invalid value at `.event_type`: `%.*s` is no event of this server: expected "
             "`*` or one of ",
             STR_ARG(name));
    catalog_write_names(&message);
    buf_add_char(&message, '.');
    (void) err_set_str(&call->err, ERR_UNKNOWN_EVENT_TYPE, buf_str(&message));
    err_set_path(&call->err, ".event_type");
    buf_done(&message);
    return -1;
}

static int
read_filter(struct http_call *call, const struct json *body, struct organization_query *q)
{
    struct list_fields f = {0};
    const struct json *active = json_get_c(body, "is_active");
    if (fields_read(call->arena, body, "", &filter_fields, &f, &call->err) < 0 ||
        check_event_type(call, f.event_type) < 0)
        return -1;
    q->event_type = f.event_type;
    q->has_active = active != NULL && json_type(active) == JSON_BOOL;
    q->is_active = f.is_active;
    return 0;
}

static enum http_result
reply_page(struct http_call *call, const struct organization_query *q,
           const struct organization_paging *paging)
{
    struct buf out = BUF_INIT;
    struct organization_page page;
    buf_add_cstr(&out, "{\"results\":[");
    organization_webhooks_write_page(handler_api(call)->webhooks, q, &out, &page);
    buf_add_char(&out, ']');
    struct json_out j = json_out(&out);
    struct organization_pages pages = {.path = "/v1/organizations/webhooks/list",
                                       .paging = *paging,
                                       .total = page.total,
                                       .next_cursor = page.has_more ? page.last : NULL};
    j.comma = true;
    organization_write_pagination(&j, &pages);
    buf_add_char(&out, '}');
    return reply_json(call, 200, &out);
}

static enum http_result
organization_webhook_list(struct http_call *call)
{
    struct organization_paging paging;
    struct organization_query q = {0};
    struct body body;
    enum http_result result = HTTP_ERROR;
    if (organization_read_page(call, &paging) < 0)
        return HTTP_ERROR;
    if (paging.cursor.data != NULL && !organization_webhook_is_id(paging.cursor)) {
        (void) err_set(&call->err, ERR_INVALID_ORGANIZATION_PARAMETER,
                       "Invalid value in parameter `cursor`: expected a `next_cursor` of this "
                       "list.");
        return HTTP_ERROR;
    }
    q.limit = paging.limit;
    q.offset = paging.offset;
    q.after = paging.cursor;
    int rc = organization_read_optional_body(call, &body);
    if (rc == 1)
        rc = read_filter(call, json_root(body.doc), &q);
    if (rc == 0)
        result = reply_page(call, &q, &paging);
    body_done(&body);
    return result;
}

static const struct route rows[] = {
    {.method = HTTP_POST,
     .pattern = "/v1/organizations/webhooks",
     .action = "webhooks.create",
     .flags = ROUTE_JSON_BODY,
     .handler = organization_webhook_create,
     .body = &draft_fields,
     .status = 201,
     .summary = "Register an organisation's webhook"},
    {.method = HTTP_GET,
     .pattern = "/v1/organizations/webhooks",
     .action = "webhooks.get",
     .handler = organization_webhook_all,
     .summary = "All webhooks of organisations"},
    {.method = HTTP_POST,
     .pattern = "/v1/organizations/webhooks/list",
     .action = "webhooks.get",
     .flags = ROUTE_JSON_BODY,
     .handler = organization_webhook_list,
     .query = &organization_page_query,
     .body = &filter_fields,
     .summary = "List webhooks of organisations"},
    {.method = HTTP_GET,
     .pattern = "/v1/organizations/webhooks/{webhookId}",
     .action = "webhooks.get",
     .handler = organization_webhook_get,
     .summary = "Get one webhook of an organisation"},
    {.method = HTTP_PUT,
     .pattern = "/v1/organizations/webhooks/{webhookId}",
     .action = "webhooks.update",
     .flags = ROUTE_JSON_BODY,
     .handler = organization_webhook_update,
     .body = &draft_fields,
     .summary = "Replace a webhook of an organisation"},
    {.method = HTTP_DELETE,
     .pattern = "/v1/organizations/webhooks/{webhookId}",
     .action = "webhooks.delete",
     .handler = organization_webhook_delete,
     .status = 204,
     .summary = "Remove a webhook of an organisation"},
};
const struct route_table organization_routes = ROUTE_TABLE(rows);
