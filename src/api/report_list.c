/* GET /api/reports: the status documents of those that the caller may see, newest first. */
#include <stdlib.h>

#include "api/params.h"
#include "api/reply.h"
#include "api/report_files.h"
#include "base/mem.h"

struct list_params {
    struct param_u64 limit, from;
};
static const struct param list_rows[] = {
    {.name = "limit",
     .code = ERR_INVALID_TASK_LIMIT,
     .read = param_u32,
     .offset = offsetof(struct list_params, limit)},
    {.name = "from",
     .code = ERR_INVALID_TASK_FROM,
     .read = param_u32,
     .offset = offsetof(struct list_params, from)},
};

const struct param_table report_list_query = PARAM_TABLE(list_rows);

struct list {
    struct reports *reports;
    struct auth_grant documents;
    bool sees_tasks, sees_deliveries;
    struct arena *arena;
    uint64_t limit, shown;
    int64_t at; /* the next uid to look at, -1: none */
    bool has_begun;
};

static bool
list_shows(const struct list *l, const struct report_view *v)
{
    return v->source == REPORT_OF_TASKS ? l->sees_tasks
           : v->source == REPORT_OF_DELIVERIES
               ? l->sees_deliveries
               : auth_grant_sees(&l->documents, str_from(v->index_uid));
}

/* The next one that is shown: 1, 0 at the end, negative. */
static int
list_next(struct list *l, struct report_view *ret)
{
    while (l->at >= 0) {
        int rc = reports_seek(l->reports, (uint32_t) l->at, ret);
        if (rc != 1)
            return rc;
        l->at = (int64_t) ret->uid - 1;
        if (list_shows(l, ret))
            return 1;
        report_view_done(ret);
    }
    return 0;
}

static enum http_piece
list_make(void *arg, struct buf *out, int64_t deadline_us)
{
    struct list *l = arg;
    struct report_view v;
    if (!l->has_begun)
        buf_add_cstr(out, "{\"results\":[");
    l->has_begun = true;
    for (;;) {
        int rc = list_next(l, &v);
        if (rc < 0)
            return HTTP_PIECE_FAILED;
        bool is_over = rc == 0 || l->shown == l->limit;
        if (is_over && rc == 0)
            buf_addf(out, "],\"limit\":%llu,\"next\":null}", (unsigned long long) l->limit);
        else if (is_over)
            buf_addf(out, "],\"limit\":%llu,\"next\":%u}", (unsigned long long) l->limit, v.uid);
        else if (l->shown++ > 0)
            buf_add_char(out, ',');
        if (!is_over)
            report_write_status(out, &v);
        if (rc == 1)
            report_view_done(&v);
        if (is_over)
            return HTTP_PIECE_LAST;
        if (reply_piece_is_full(out, deadline_us))
            return HTTP_PIECE_MORE;
    }
}

static void
list_release(void *arg)
{
    struct list *l = arg;
    arena_free(l->arena);
    free(l);
}

enum http_result
report_list(struct http_call *call)
{
    struct list_params p = {.limit.value = 20};
    struct err err = ERR_INIT;
    if (PARAMS_READ(call, list_rows, &p) < 0)
        return HTTP_ERROR;
    struct auth_grant grant = handler_grant(call);
    struct list *l = mem_new(1, sizeof(*l));
    *l = (struct list){
        .reports = handler_api(call)->reports,
        .arena = arena_new(),
        .limit = p.limit.value,
        .at = p.from.is_given ? (int64_t) p.from.value : UINT32_MAX,
    };
    l->documents = auth_grant_keep(l->arena, &grant);
    l->sees_tasks = report_check_rights(call, REPORT_OF_TASKS, STR_NULL, &err) == 0;
    l->sees_deliveries = report_check_rights(call, REPORT_OF_DELIVERIES, STR_NULL, &err) == 0;
    err_done(&err);
    struct reply_listing listing = {list_make, list_release, l};
    return reply_listing(call, &listing);
}
