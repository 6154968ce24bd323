/* GET /tasks/{taskUid}, and waiting for its end with `Prefer: wait=<seconds>`. A wait is answered
 * when the feed says so, when its time is up, or when the server stops; with the task as it is
 * then, to whom may see it then. */
#include "api/task_wait.h"

#include "api/prefer.h"
#include "api/reply.h"
#include "api/task_end.h"
#include "api/uid_listing.h"

enum { WAIT_MAX_S = 60 };

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

struct waited {
    uint32_t uid;
    unsigned seconds;
};

static void
over(struct http_call *call, void *arg)
{
    struct waited *w = arg;
    struct buf body = BUF_INIT;
    enum http_result result = HTTP_ERROR;
    bool ended;
    if (read_task(call, w->uid, &body, &ended) == 0) {
        say_applied(call, w->seconds);
        result = reply_json(call, 200, &body);
    }
    handler_finish(call, result);
}

static bool
begin_wait(struct http_call *call, uint32_t uid, unsigned seconds)
{
    struct waited *w = arena_alloc(call->arena, sizeof(*w));
    *w = (struct waited){uid, seconds};
    return task_end_wait(call, uid, seconds, over, w);
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
    if (wants_wait && !ended && seconds > 0 && begin_wait(call, uid, seconds)) {
        buf_done(&body);
        return HTTP_WAIT;
    }
    if (wants_wait)
        say_applied(call, seconds);
    return reply_json(call, 200, &body);
}
