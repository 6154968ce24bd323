/* /tasks: list, get, cancel. The tasks themselves, their JSON and their cancelation are queue/'s
 * and ops/'s. */
#include <stdlib.h>

#include "api/body.h"
#include "api/enqueue.h"
#include "api/reply.h"
#include "api/uid_listing.h"
#include "base/clock.h"
#include "base/mem.h"

/* --- GET /tasks */

static void
item_init(void *item)
{
    task_init(item);
}

static void
item_done(void *item)
{
    task_done(item);
}

static int
item_seek(struct queue *q, struct store_txn *txn, uint32_t at, bool ascending, void *item,
          uint32_t *ret_uid)
{
    struct task *t = item;
    int rc = queue_task_seek(q, txn, at, ascending, t);
    *ret_uid = t->uid;
    return rc;
}

static bool
item_matches(const struct uid_listing *l, const void *item)
{
    return task_filter_matches(&l->filter, item);
}

static bool
item_hides(const struct uid_listing *l, const void *item)
{
    return task_filter_hides(&l->filter, item);
}

static void
item_write(struct buf *out, const void *item)
{
    task_write_json(out, item);
}

static const struct uid_listing_kind task_kind_of_listing = {
    .item_size = sizeof(struct task),
    .init = item_init,
    .done = item_done,
    .seek = item_seek,
    .total = queue_task_total,
    .matches = item_matches,
    .hides = item_hides,
    .write = item_write,
};

static enum http_result
task_list(struct http_call *call)
{
    struct task_filter filter;
    if (task_filter_for_list(call, &filter) < 0)
        return HTTP_ERROR;
    struct uid_listing *l = uid_listing_new(call, &task_kind_of_listing, &filter, 0);
    if (param_u32s_filters(&l->filter.uids))
        l->candidates = &l->filter.uids;
    return uid_listing_reply(call, l);
}

/* --- GET /tasks/{taskUid} */

static enum http_result
task_get(struct http_call *call)
{
    uint32_t uid;
    struct task t;
    struct buf body = BUF_INIT;
    if (uid_from_path(call, "Task", ERR_INVALID_TASK_UIDS, &uid) < 0)
        return HTTP_ERROR;
    struct store_txn *txn = handler_read(call);
    if (txn == NULL)
        return HTTP_ERROR;
    task_init(&t);
    int rc = queue_task_get(handler_api(call)->queue, txn, uid, &t);
    if (rc == 1)
        task_write_json(&body, &t);
    task_done(&t);
    store_abort(txn);
    if (rc == 1)
        return reply_json(call, 200, &body);
    if (rc == 0)
        err_set(&call->err, ERR_TASK_NOT_FOUND, "Task `%u` not found.", uid);
    else
        handler_store_error(&call->err, rc);
    return HTTP_ERROR;
}

/* --- POST /tasks/cancel
 *
 * Which tasks are meant is decided now (contract 2.6): all or given uids at once; with other
 * filters a scan in slices up to the newest task of the start, then the task is added. */

struct cancel {
    struct http_call *call;
    struct enqueue *enqueue;
    uint8_t digest[SHA256_BYTES]; /* of the body, which is ignored */
    struct str original_filter;
    struct uidset matched;
    /* the scan */
    struct arena *arena;
    struct task_filter filter;
    struct loop_slice slice;
    uint64_t at, last;
};

static void
cancel_free(void *arg)
{
    struct cancel *c = arg;
    uidset_done(&c->matched);
    arena_free(c->arena);
    free(c);
}

static int
add_cancelation(struct http_call *call, void *arg, struct ops_result *ret)
{
    struct cancel *c = arg;
    return ops_cancel_tasks(handler_api(call)->ops, c->original_filter, &c->matched, ret,
                            &call->err);
}

static void
cancel_on_gone(struct http_call *call)
{
    struct cancel *c = call->state;
    loop_slice_sleep(&c->slice);
    enqueue_abandon(c->enqueue);
    cancel_free(c);
}

/* 1: more follows, 0: complete, negative: store code. */
static int
cancel_scan(struct cancel *c, struct store_txn *txn, int64_t deadline_us)
{
    while (c->at <= c->last) {
        struct task t;
        task_init(&t);
        int rc = queue_task_seek(handler_api(c->call)->queue, txn, (uint32_t) c->at, true, &t);
        if (rc == 1)
            c->at = (uint64_t) t.uid + 1;
        if (rc == 1 && t.uid <= c->last && task_filter_matches(&c->filter, &t))
            uidset_add(&c->matched, t.uid, t.uid);
        task_done(&t);
        if (rc <= 0)
            return rc;
        if (clock_mono_us() >= deadline_us)
            return 1;
    }
    return 0;
}

/* Consumes c, whose slice is running. */
static void
cancel_end(struct cancel *c, int rc)
{
    struct http_call *call = c->call;
    struct loop *loop = handler_api(call)->loop;
    enum http_result result = HTTP_ERROR;
    loop_slice_sleep(&c->slice);
    call->on_gone = NULL;
    if (rc == 0) {
        result = enqueue_finish(c->enqueue, call, c->digest, add_cancelation, c);
    } else {
        enqueue_abandon(c->enqueue);
        handler_store_error(&call->err, rc);
    }
    handler_finish(call, result);
    loop_defer(loop, cancel_free, c);
}

static enum loop_slice_result
cancel_step(void *arg, int64_t deadline_us)
{
    struct cancel *c = arg;
    struct store_txn *txn = turn_read(handler_api(c->call)->turn);
    int rc = txn == NULL ? STORE_EIO : cancel_scan(c, txn, deadline_us);
    store_abort(txn);
    if (rc == 1)
        return SLICE_MORE;
    cancel_end(c, rc);
    return SLICE_IDLE;
}

static int
cancel_find_last(struct cancel *c, struct store_txn *txn)
{
    struct task t;
    task_init(&t);
    int rc = queue_task_seek(handler_api(c->call)->queue, txn, TASK_NONE - 1, false, &t);
    c->last = t.uid;
    c->at = rc == 1 ? 0 : c->last + 1; /* no task at all: nothing to scan */
    task_done(&t);
    return rc;
}

/* What can be matched without looking at the tasks: 1 done, 0 a scan is needed, negative. */
static int
cancel_match_now(struct cancel *c, struct store_txn *txn)
{
    struct queue *queue = handler_api(c->call)->queue;
    bool all = task_filter_is_all(&c->filter);
    if (!all && !task_filter_is_uids(&c->filter))
        return cancel_find_last(c, txn) < 0 ? -1 : 0;
    int rc = queue_match(queue, txn, all, c->filter.uids.values, all ? 0 : c->filter.uids.n,
                         &c->matched);
    return rc < 0 ? rc : 1;
}

static enum http_result
cancel_start(struct cancel *c)
{
    struct http_call *call = c->call;
    struct store_txn *txn = handler_read(call);
    int rc = txn == NULL ? STORE_EIO : cancel_match_now(c, txn);
    store_abort(txn);
    if (rc == 0) {
        call->state = c;
        call->on_gone = cancel_on_gone;
        loop_slice_init(&c->slice, handler_api(call)->loop, cancel_step, c);
        loop_slice_wake(&c->slice);
        return HTTP_WAIT;
    }
    enum http_result result = HTTP_ERROR;
    if (rc > 0) {
        result = enqueue_finish(c->enqueue, call, c->digest, add_cancelation, c);
    } else {
        enqueue_abandon(c->enqueue);
        handler_store_error(&call->err, rc);
    }
    cancel_free(c);
    return result;
}

static void
digest_ignored_body(struct http_call *call, uint8_t ret[SHA256_BYTES])
{
    struct body body;
    body_read_ignored(call, &body);
    digest_sha256(buf_str(&body.raw), ret);
    body_done(&body);
}

static enum http_result
task_cancel(struct http_call *call)
{
    struct task_filter filter;
    if (task_filter_for_cancel(call, &filter) < 0)
        return HTTP_ERROR;
    struct enqueue *e = enqueue_begin(call, 200);
    if (e == NULL)
        return HTTP_ERROR;
    struct cancel *c = mem_new(1, sizeof(*c));
    c->call = call;
    c->enqueue = e;
    c->arena = arena_new();
    task_filter_copy(&c->filter, &filter, c->arena);
    c->original_filter = str_from(arena_printf(c->arena, "?%.*s", STR_ARG(call->query)));
    uidset_init(&c->matched);
    digest_ignored_body(call, c->digest);
    return cancel_start(c);
}

static const struct route rows[] = {
    {.method = HTTP_GET,
     .pattern = "/tasks",
     .action = "tasks.get",
     .handler = task_list,
     .summary = "List tasks"},
    {.method = HTTP_GET,
     .pattern = "/tasks/{taskUid}",
     .action = "tasks.get",
     .handler = task_get,
     .summary = "Get one task"},
    {.method = HTTP_POST,
     .pattern = "/tasks/cancel",
     .action = "tasks.cancel",
     .flags = ROUTE_ENQUEUES,
     .handler = task_cancel,
     .summary = "Cancel tasks"},
};
const struct route_table task_routes = ROUTE_TABLE(rows);
