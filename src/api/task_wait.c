/* GET /tasks/{taskUid}, and waiting for its end with `Prefer: wait=<seconds>`. A wait is answered
 * when the feed says so, when its time is up, or when the server stops; with the task as it is
 * then, to whom may see it then. */
#include "api/task_wait.h"

#include <stdlib.h>

#include "api/prefer.h"
#include "api/reply.h"
#include "api/task_feed.h"
#include "api/uid_listing.h"
#include "base/mem.h"

enum { WAIT_MAX_S = 60 };

struct wait {
    struct task_wait feed; /* first */
    struct http_call *call;
    struct loop_timer timer;
    unsigned seconds;
};

/* --- the task as it is ------------------------------------------------------------------------ */

static bool
has_ended(const struct task *t)
{
    return t->status != TASK_ENQUEUED && t->status != TASK_PROCESSING;
}

/* 0, or -1 with call->err. */
static int
read_task(struct http_call *call, uint32_t uid, struct buf *body, bool *ret_has_ended)
{
    struct task t;
    struct auth_grant grant = handler_grant(call);
    struct store_txn *txn = handler_read(call);
    if (txn == NULL)
        return -1;
    task_init(&t);
    int rc = queue_task_get(handler_api(call)->queue, txn, uid, &t);
    if (rc == 1 && !task_filter_grants(&grant, &t))
        rc = 0;
    if (rc == 1)
        task_write_json(body, &t);
    *ret_has_ended = rc == 1 && has_ended(&t);
    task_done(&t);
    store_abort(txn);
    if (rc < 0)
        return handler_store_error(&call->err, rc);
    return rc == 1 ? 0 : err_set(&call->err, ERR_TASK_NOT_FOUND, "Task `%u` not found.", uid);
}

static void
say_applied(struct http_call *call, unsigned seconds)
{
    http_call_add_header(call, "Preference-Applied", arena_printf(call->arena, "wait=%u", seconds));
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void
wait_free(void *arg)
{
    struct wait *w = arg;
    loop_timer_done(&w->timer);
    free(w);
}

static void
wait_over(struct wait *w)
{
    struct http_call *call = w->call;
    struct buf body = BUF_INIT;
    enum http_result result = HTTP_ERROR;
    bool ended;
    task_feed_forget(handler_api(call)->feed, &w->feed);
    loop_timer_clear(&w->timer);
    loop_defer(handler_api(call)->loop, wait_free, w); /* its timer may be running */
    call->on_gone = NULL;
    if (read_task(call, w->feed.uid, &body, &ended) == 0) {
        say_applied(call, w->seconds);
        result = reply_json(call, 200, &body);
    }
    handler_finish(call, result);
}

static void
on_ended(struct task_wait *feed)
{
    wait_over((struct wait *) feed);
}

static void
on_time(void *arg)
{
    wait_over(arg);
}

static void
on_gone(struct http_call *call)
{
    struct wait *w = call->state;
    task_feed_forget(handler_api(call)->feed, &w->feed);
    wait_free(w);
}

static bool
wait_begin(struct http_call *call, uint32_t uid, unsigned seconds)
{
    struct api *api = handler_api(call);
    struct wait *w = mem_new(1, sizeof(*w));
    *w = (struct wait){.feed = {.uid = uid, .ended = on_ended}, .call = call, .seconds = seconds};
    if (!task_feed_wait(api->feed, &w->feed)) {
        free(w);
        return false;
    }
    loop_timer_init(&w->timer, api->loop, on_time, w);
    loop_timer_set_ms(&w->timer, (int64_t) seconds * 1000);
    call->state = w;
    call->on_gone = on_gone;
    call->is_slow = true;
    http_call_watch(call);
    return true;
}

enum http_result
task_get(struct http_call *call)
{
    uint32_t uid;
    bool ended;
    struct buf body = BUF_INIT;
    unsigned seconds = 0;
    bool wants_wait = prefer_wait(http_call_header(call, "Prefer"), WAIT_MAX_S, &seconds);
    if (uid_from_path(call, "Task", ERR_INVALID_TASK_UIDS, &uid) < 0 ||
        read_task(call, uid, &body, &ended) < 0)
        return HTTP_ERROR;
    if (wants_wait && !ended && seconds > 0 && wait_begin(call, uid, seconds)) {
        buf_done(&body);
        return HTTP_WAIT;
    }
    if (wants_wait)
        say_applied(call, seconds);
    return reply_json(call, 200, &body);
}
