/* /v1/organizations/connections: the providers whose events are taken in. Everything about
 * a connection's members is inbound/'s; here are bodies, rights, replies and their commit. */
#include <stdlib.h>

#include "api/body.h"
#include "api/fields.h"
#include "api/handler.h"
#include "api/organizations.h"
#include "api/reply.h"
#include "base/mem.h"
#include "inbound/inbound.h"

/* --- bodies */

struct sent {
    struct connection_fields fields;
    const struct json *ignored; /* what the server says of a connection and clients send back */
};

static int
field_active(const struct field_in *in, void *dst)
{
    struct connection_fields *f =
        (struct connection_fields *) ((char *) dst - offsetof(struct connection_fields, is_active));
    f->has_active = true;
    f->is_active = json_bool(in->value);
    return 0;
}

#define ROW(field_name, kind, reader, member)                                                      \
    {                                                                                              \
        .name = (field_name), .code = ERR_INVALID_CONNECTION, .kinds = (kind), .read = (reader),   \
        .offset = offsetof(struct sent, member)                                                    \
    }
#define IGNORED(field_name) ROW(field_name, FIELD_ANY, field_json, ignored)
static const struct field connection_rows[] = {
    ROW("name", FIELD_STRING, field_string, fields.name),
    ROW("provider_type", FIELD_STRING, field_string, fields.provider_type),
    ROW("provider_config", FIELD_OBJECT, field_json, fields.provider_config),
    ROW("description", FIELD_STRING, field_string, fields.description),
    ROW("metadata", FIELD_OBJECT, field_json, fields.metadata),
    ROW("is_active", FIELD_BOOL, field_active, fields.is_active),
    ROW("test_before_save", FIELD_BOOL, field_json, ignored), /* there is nothing to call */
    IGNORED("connection_id"),
    IGNORED("status"),
    IGNORED("last_error"),
    IGNORED("consecutive_failures"),
    IGNORED("webhook_path"),
    IGNORED("created_at"),
    IGNORED("updated_at"),
};
static const struct fields connection_fields = {
    .rows = connection_rows,
    .n = sizeof(connection_rows) / sizeof(connection_rows[0]),
    .code = ERR_INVALID_CONNECTION,
};

/* --- rights: whoever lets a provider write documents needs the right to do so himself */

static int
check_rights(struct http_call *call, const struct connection *c)
{
    struct connection_right right;
    for (size_t i = 0; connection_right(c, i, &right); i++) {
        if (right.makes && handler_require(call, "documents.add", right.index_uid) < 0)
            return -1;
        if (right.deletes && handler_require(call, "documents.delete", right.index_uid) < 0)
            return -1;
    }
    return 0;
}

/* --- changing */

static int
change(struct http_call *call, enum connection_change kind, const struct json *body,
       struct buf *out)
{
    struct inbound *in = handler_api(call)->inbound;
    struct sent sent = {.ignored = NULL};
    struct str id = kind == CONNECTION_CREATE ? STR_NULL : handler_param(call, 0);
    if (fields_read(call->arena, body, "", &connection_fields, &sent, &call->err) < 0)
        return -1;
    struct connection *c = inbound_draft(in, kind, id, &sent.fields, &call->err);
    if (c == NULL)
        return -1;
    int rc = check_rights(call, c);
    if (rc == 0)
        rc = inbound_store(in, c, handler_grant(call).may_create_indexes, &call->err);
    if (rc == 0)
        connection_write(out, c);
    connection_free(c);
    return rc;
}

static enum http_result
change_and_reply(struct http_call *call, enum connection_change kind)
{
    struct body body;
    struct buf out = BUF_INIT;
    enum http_result result = HTTP_ERROR;
    if (body_read_json(call, &body) == 0 && change(call, kind, json_root(body.doc), &out) == 0)
        result = reply_held(call, kind == CONNECTION_CREATE ? 201 : 200, &out, NULL, NULL);
    buf_done(&out);
    mem_wipe(body.raw.data, body.raw.len); /* it may hold secrets */
    body_done(&body);
    return result;
}

static enum http_result
connection_create(struct http_call *call)
{
    return change_and_reply(call, CONNECTION_CREATE);
}

static enum http_result
connection_replace(struct http_call *call)
{
    return change_and_reply(call, CONNECTION_REPLACE);
}

static enum http_result
connection_patch(struct http_call *call)
{
    return change_and_reply(call, CONNECTION_PATCH);
}

/* Gone is gone, also when it was before. */
static enum http_result
connection_delete(struct http_call *call)
{
    struct buf none = BUF_INIT;
    if (inbound_delete(handler_api(call)->inbound, handler_param(call, 0), &call->err) < 0)
        return HTTP_ERROR;
    return reply_held(call, 204, &none, NULL, NULL);
}

static enum http_result
connection_get(struct http_call *call)
{
    struct buf out = BUF_INIT;
    struct connection *c =
        inbound_find(handler_api(call)->inbound, handler_param(call, 0), &call->err);
    if (c == NULL)
        return HTTP_ERROR;
    connection_write(&out, c);
    connection_free(c);
    return reply_json(call, 200, &out);
}

/* --- listing */

#define CONNECTIONS "/v1/organizations/connections"

struct listing {
    struct inbound *inbound;
    struct connection_cursor at;
    struct organization_pages pages;
    uint64_t n;
    bool has_begun;
};

static int
list_begin(struct listing *l, struct buf *out)
{
    l->has_begun = true;
    l->pages.total = inbound_count(l->inbound);
    buf_add_cstr(out, "{\"results\":[");
    return inbound_skip(l->inbound, &l->at, l->pages.paging.offset);
}

static void
list_end(struct listing *l, struct buf *out)
{
    struct json_out j = {.out = out, .comma = true};
    struct connection_cursor peek = l->at;
    struct connection *next = NULL;
    struct buf cursor = BUF_INIT;
    if (inbound_next(l->inbound, &peek, &next) == 1 && l->n > 0) {
        connection_cursor_write(&cursor, &l->at);
        l->pages.next_cursor = buf_cstr(&cursor);
    }
    connection_free(next);
    json_end_array(&j);
    organization_write_pagination(&j, &l->pages);
    json_end_object(&j);
    buf_done(&cursor);
}

static enum http_piece
list_make(void *arg, struct buf *out, int64_t deadline_us)
{
    struct listing *l = arg;
    struct connection *c;
    int rc = 1;
    if (!l->has_begun && list_begin(l, out) < 0)
        return HTTP_PIECE_FAILED;
    while (l->n < l->pages.paging.limit && (rc = inbound_next(l->inbound, &l->at, &c)) == 1) {
        if (l->n++ > 0)
            buf_add_char(out, ',');
        connection_write(out, c);
        connection_free(c);
        if (reply_piece_is_full(out, deadline_us))
            return HTTP_PIECE_MORE;
    }
    if (rc < 0)
        return HTTP_PIECE_FAILED;
    list_end(l, out);
    return HTTP_PIECE_LAST;
}

static void
list_release(void *arg)
{
    free(arg);
}

static enum http_result
connection_list(struct http_call *call)
{
    struct body ignored;
    struct listing l = {.inbound = handler_api(call)->inbound, .pages.path = CONNECTIONS};
    struct organization_paging *paging = &l.pages.paging;
    if (organization_read_page(call, paging) < 0)
        return HTTP_ERROR;
    if (paging->cursor.data != NULL && !connection_cursor_read(paging->cursor, &l.at)) {
        err_set(&call->err, ERR_INVALID_ORGANIZATION_PARAMETER,
                "Invalid value in parameter `cursor`: expected a `next_cursor`.");
        return HTTP_ERROR;
    }
    if (paging->cursor.data != NULL)
        paging->cursor = STR("given"); /* the request may be gone before the last piece */
    body_read_ignored(call, &ignored);
    body_done(&ignored);
    struct listing *kept = mem_new(1, sizeof(*kept));
    *kept = l;
    struct reply_listing listing = {list_make, list_release, kept};
    return reply_listing(call, &listing);
}

static const struct route rows[] = {
    {.method = HTTP_POST,
     .pattern = CONNECTIONS,
     .action = "webhooks.create",
     .flags = ROUTE_JSON_BODY,
     .handler = connection_create,
     .body = &connection_fields,
     .status = 201,
     .summary = "Add a provider whose webhooks are taken in"},
    {.method = HTTP_GET,
     .pattern = CONNECTIONS,
     .action = "webhooks.get",
     .handler = connection_list,
     .query = &organization_page_query,
     .summary = "List connections of providers"},
    {.method = HTTP_POST,
     .pattern = CONNECTIONS "/list",
     .action = "webhooks.get",
     .handler = connection_list,
     .query = &organization_page_query,
     .summary = "List connections of providers (as clients with a body do)"},
    {.method = HTTP_GET,
     .pattern = CONNECTIONS "/{connectionId}",
     .action = "webhooks.get",
     .handler = connection_get,
     .summary = "Get one connection of a provider"},
    {.method = HTTP_PUT,
     .pattern = CONNECTIONS "/{connectionId}",
     .action = "webhooks.update",
     .flags = ROUTE_JSON_BODY,
     .handler = connection_replace,
     .body = &connection_fields,
     .summary = "Replace a connection of a provider"},
    {.method = HTTP_PATCH,
     .pattern = CONNECTIONS "/{connectionId}",
     .action = "webhooks.update",
     .flags = ROUTE_JSON_BODY,
     .handler = connection_patch,
     .body = &connection_fields,
     .summary = "Change a connection of a provider"},
    {.method = HTTP_DELETE,
     .pattern = CONNECTIONS "/{connectionId}",
     .action = "webhooks.delete",
     .handler = connection_delete,
     .status = 204,
     .summary = "Remove a connection of a provider"},
};
const struct route_table connection_routes = ROUTE_TABLE(rows);
