/* GET /tasks/stream: server-sent events (WHATWG HTML, 9.2) of what becomes of tasks. An event is a
 * change of a status: its id is the change's number, its name the new status, its data the task as
 * it was then. Knows how to read a request, an event and who may see it; who gets it when is the
 * feed's. */
#include "api/reply.h"
#include "api/task_feed.h"
#include "base/mem.h"
#include "codec/json.h"

enum { RETRY_MS = 1000 };

/* --- events ---------------------------------------------------------------------------------- */

int
task_event_read(struct task_event *e, struct queue *q, struct store_txn *txn,
                const struct queue_change *c)
{
    *e = (struct task_event){.change = *c};
    task_init(&e->task);
    int rc = queue_task_get(q, txn, c->uid, &e->task);
    if (rc <= 0)
        return rc; /* deleted since: nothing is left to be shown */
    e->is_shown = queue_change_show(c, &e->task);
    if (!e->is_shown)
        return 0;
    buf_addf(&e->text, "id: %llu\nevent: %s\ndata: ", (unsigned long long) c->number,
             task_status_name(e->task.status));
    task_write_json(&e->text, &e->task);
    buf_add_cstr(&e->text, "\n\n");
    e->is_shown = !buf_failed(&e->text);
    return 0;
}

void
task_event_done(struct task_event *e)
{
    task_done(&e->task);
    buf_done(&e->text);
    *e = (struct task_event){0};
    task_init(&e->task);
}

bool
task_stream_wants(const struct task_stream *s, const struct task_event *e)
{
    return e->is_shown && task_filter_matches(&s->filter, &e->task) &&
           !task_filter_hides(&s->filter, &e->task) && task_filter_grants(&s->grant, &e->task);
}

/* Written past the feed: small, and now and then only. */
static void
tell(struct task_stream *s, struct buf *text)
{
    (void) http_stream_write(s->out, buf_str(text)); /* no memory: the next event ends it */
    buf_done(text);
}

void
task_stream_tell_gap(struct task_stream *s, uint64_t lost, uint64_t next)
{
    struct buf text = BUF_INIT;
    s->told_id = next - 1;
    buf_addf(&text, "id: %llu\nevent: gap\ndata: {\"lost\":", (unsigned long long) s->told_id);
    if (lost > 0)
        buf_add_u64(&text, lost);
    else
        buf_add_cstr(&text, "null");
    buf_addf(&text, ",\"next\":%llu}\n\n", (unsigned long long) next);
    tell(s, &text);
}

/* A comment, which keeps proxies and clients from giving up; with the id when changes have passed
 * that the stream does not show, so that it resumes behind them. */
bool
task_stream_beat(struct task_stream *s)
{
    struct buf text = BUF_INIT;
    struct auth_grant grant = handler_grant(s->call);
    bool is_allowed = grant.sees_all_indexes || grant.n_patterns > 0;
    if (!is_allowed)
        buf_add_cstr(&text,
                     "event: end\ndata: {\"reason\":\"the API key is not valid any more\"}\n\n");
    else if (s->told_id == 0)
        buf_addf(&text, ":\nretry: %d\n", RETRY_MS);
    else if (http_stream_waiting(s->out) == 0)
        buf_add_cstr(&text, ":\n");
    if (is_allowed && text.len > 0 && s->at - 1 != s->told_id) {
        s->told_id = s->at - 1;
        buf_addf(&text, "id: %llu\n", (unsigned long long) s->told_id);
    }
    if (is_allowed && text.len > 0)
        buf_add_char(&text, '\n');
    tell(s, &text);
    return is_allowed;
}

void
task_stream_free(struct task_stream *s)
{
    arena_free(s->arena); /* s is in it */
}

/* --- the request ----------------------------------------------------------------------------- */

/* Where the stream begins: after the last event that the client has seen, or now. */
static int
find_start(struct http_call *call, uint64_t *ret, bool *ret_is_foreign)
{
    uint64_t first, end, last;
    struct str header = http_call_header(call, "Last-Event-ID");
    if (header.data != NULL && !str_to_u64(header, UINT64_MAX - 1, &last))
        return err_set(&call->err, ERR_BAD_REQUEST,
                       "The Last-Event-ID `%.*s` is invalid. It should be the id of an event of "
                       "this stream.",
                       STR_ARG(handler_utf8(call->arena, header)));
    struct store_txn *txn = handler_read(call);
    if (txn == NULL)
        return -1;
    int rc = queue_changes_bounds(txn, &first, &end);
    store_abort(txn);
    if (rc < 0)
        return handler_store_error(&call->err, rc);
    *ret_is_foreign = header.data != NULL && last >= end; /* of another data directory */
    *ret = header.data == NULL || last >= end ? end : last + 1;
    return 0;
}

static enum http_result
task_stream(struct http_call *call)
{
    struct task_filter filter;
    uint64_t at = 0;
    bool is_foreign = false;
    struct task_feed *feed = handler_api(call)->feed;
    if (task_filter_for_stream(call, &filter) < 0 || find_start(call, &at, &is_foreign) < 0)
        return HTTP_ERROR;
    if (task_feed_is_stopped(feed)) {
        err_set(&call->err, ERR_SHUTTING_DOWN, "The server is shutting down.");
        return HTTP_ERROR;
    }
    struct arena *arena = arena_new();
    struct task_stream *s = arena_alloc(arena, sizeof(*s));
    struct auth_grant grant = handler_grant(call);
    *s = (struct task_stream){.call = call,
                              .arena = arena,
                              .grant = auth_grant_keep(arena, &grant),
                              .at = at,
                              .is_foreign = is_foreign};
    task_filter_copy(&s->filter, &filter, arena);
    call->is_slow = true;
    http_call_add_header(call, "Cache-Control", "no-store");
    http_call_add_header(call, "X-Accel-Buffering", "no"); /* nginx: pass events on at once */
    task_feed_join(feed, s);
    return HTTP_DONE;
}

static const struct route rows[] = {
    {.method = HTTP_GET,
     .pattern = "/tasks/stream",
     .action = "tasks.get",
     .handler = task_stream,
     .query = &task_cancel_query,
     .header = "Last-Event-ID",
     .answer = "text/event-stream",
     .summary = "Server-sent events of what becomes of tasks"},
};
const struct route_table task_stream_routes = ROUTE_TABLE(rows);
