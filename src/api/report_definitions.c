/* /api/report-definitions: what a report type means. Everything about a definition's members is
 * report/'s; here are only bodies, replies and their commit. */
#include <stdlib.h>

#include "api/body.h"
#include "api/handler.h"
#include "api/reply.h"
#include "base/mem.h"
#include "report/reports.h"

static int
show(struct http_call *call, struct str name, struct buf *out)
{
    return reports_write_definition(handler_api(call)->reports, name, out, &call->err);
}

static enum http_result
definition_get(struct http_call *call)
{
    struct buf out = BUF_INIT;
    if (show(call, handler_param(call, 0), &out) == 0)
        return reply_json(call, 200, &out);
    buf_done(&out);
    return HTTP_ERROR;
}

static enum http_result
definition_put(struct http_call *call)
{
    struct body body;
    struct buf out = BUF_INIT;
    bool is_new = false;
    struct str name = handler_param(call, 0);
    enum http_result result = HTTP_ERROR;
    if (body_read_json(call, &body) == 0 &&
        reports_put_definition(handler_api(call)->reports, name, json_root(body.doc), &is_new,
                               &call->err) == 0) {
        struct json_out j = json_out(&out);
        json_begin_object(&j);
        json_key(&j, "reportType");
        json_put_str(&j, name);
        json_key(&j, "builtIn");
        json_put_bool(&j, false);
        json_key(&j, "definition");
        json_write(&out, json_root(body.doc));
        buf_add_char(&out, '}');
        if (is_new)
            http_call_add_header(
                call, "Location",
                arena_printf(call->arena, "/api/report-definitions/%.*s", STR_ARG(name)));
        result = reply_held(call, is_new ? 201 : 200, &out, NULL, NULL);
    }
    buf_done(&out);
    body_done(&body);
    return result;
}

static enum http_result
definition_delete(struct http_call *call)
{
    struct buf none = BUF_INIT;
    if (reports_delete_definition(handler_api(call)->reports, handler_param(call, 0), &call->err) <
        0)
        return HTTP_ERROR;
    return reply_held(call, 204, &none, NULL, NULL);
}

/* --- listing */

struct listing {
    struct reports *reports;
    struct buf at;
};

static enum http_piece
list_make(void *arg, struct buf *out, int64_t deadline_us)
{
    struct listing *l = arg;
    int rc = reports_write_definitions(l->reports, &l->at, out, deadline_us);
    return rc < 0 ? HTTP_PIECE_FAILED : rc == 0 ? HTTP_PIECE_LAST : HTTP_PIECE_MORE;
}

static void
list_release(void *arg)
{
    struct listing *l = arg;
    buf_done(&l->at);
    free(l);
}

static enum http_result
definition_list(struct http_call *call)
{
    struct listing *l = mem_new(1, sizeof(*l));
    l->reports = handler_api(call)->reports;
    struct reply_listing listing = {list_make, list_release, l};
    return reply_listing(call, &listing);
}

static const struct route rows[] = {
    {.method = HTTP_GET,
     .pattern = "/api/report-definitions",
     .action = "settings.get",
     .handler = definition_list,
     .summary = "List report definitions"},
    {.method = HTTP_GET,
     .pattern = "/api/report-definitions/{reportType}",
     .action = "settings.get",
     .handler = definition_get,
     .summary = "Get a report definition"},
    {.method = HTTP_PUT,
     .pattern = "/api/report-definitions/{reportType}",
     .action = "settings.update",
     .flags = ROUTE_JSON_BODY,
     .handler = definition_put,
     .summary = "Create or replace a report definition"},
    {.method = HTTP_DELETE,
     .pattern = "/api/report-definitions/{reportType}",
     .action = "settings.update",
     .handler = definition_delete,
     .summary = "Remove a report definition",
     .status = 204},
};
const struct route_table report_definition_routes = ROUTE_TABLE(rows);
