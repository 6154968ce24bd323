/* The common path of requests that add a task. Owns the order of its steps; knows no kind of task.
 *
 *   begin (stopping? key) -> [turns of the handler] -> finish (known answer? add, store the answer,
 *   hold the reply) -> commit -> settled (give the key back, keep or drop the payload)
 */
#include "api/enqueue.h"

#include <stdlib.h>

#include "api/reply.h"
#include "base/mem.h"

struct enqueue {
    int status; /* of the success reply */
    struct idempotent key;
    struct intake *intake; /* NULL: no payload */
    reply_answer *answer;  /* NULL: the summary */
};

static void
finish(struct enqueue *e, bool is_committed)
{
    idempotent_end(&e->key);
    intake_free(e->intake, is_committed);
    free(e);
}

static void
on_settled(void *arg, bool is_committed)
{
    finish(arg, is_committed);
}

void
enqueue_abandon(struct enqueue *e)
{
    if (e != NULL)
        finish(e, false);
}

static int
check_stopping(struct http_call *call)
{
    if (!handler_api(call)->is_stopping)
        return 0;
    return err_set(&call->err, ERR_SHUTTING_DOWN,
                   "The server is shutting down and accepts no new tasks.");
}

struct enqueue *
enqueue_begin(struct http_call *call, int status)
{
    struct enqueue *e = mem_new(1, sizeof(*e));
    e->status = status;
    if (check_stopping(call) == 0 && idempotent_begin(call, &e->key) == 0)
        return e;
    free(e);
    return NULL;
}

void
enqueue_hold_intake(struct enqueue *e, struct intake *intake)
{
    e->intake = intake;
}

void
enqueue_answer_with(struct enqueue *e, reply_answer *answer)
{
    e->answer = answer;
}

bool
enqueue_wants_digest(const struct enqueue *e)
{
    return e->key.is_used;
}

static enum http_result
replay(struct enqueue *e, struct http_call *call)
{
    int status = e->status;
    struct buf answer = e->key.answer;
    reply_answer *answer_with = e->answer;
    e->key.answer = BUF_INIT;
    finish(e, false);
    http_call_add_header(call, "Idempotency-Replayed", "true");
    if (answer_with != NULL) {
        answer_with(call, status, &answer);
        return HTTP_WAIT;
    }
    return reply_json(call, status, &answer);
}

static enum http_result
fail(struct enqueue *e, struct http_call *call)
{
    finish(e, false);
    if (!err_is_set(&call->err))
        err_set(&call->err, ERR_INTERNAL, "The task could not be stored.");
    return HTTP_ERROR;
}

enum http_result
enqueue_finish(struct enqueue *e, struct http_call *call, const uint8_t digest[SHA256_BYTES],
               enqueue_fn *add, void *arg)
{
    struct ops_result result = {0};
    int known = idempotent_check(&e->key, digest, &call->err);
    if (known > 0)
        return replay(e, call);
    if (known < 0 || check_stopping(call) < 0 || add(call, arg, &result) < 0) {
        buf_done(&result.summary);
        return fail(e, call);
    }
    /* a failed put fails the whole turn, which the held reply reports */
    (void) idempotent_store(&e->key, digest, buf_str(&result.summary));
    struct reply_promise promise = {e->status, &result.summary, on_settled, e, e->answer};
    return reply_promised(call, &promise);
}

enum http_result
enqueue_now(struct http_call *call, int status, struct str raw_body, enqueue_fn *add, void *arg)
{
    uint8_t digest[SHA256_BYTES] = {0};
    struct enqueue *e = enqueue_begin(call, status);
    if (e == NULL)
        return HTTP_ERROR;
    if (enqueue_wants_digest(e))
        digest_sha256(raw_body, digest);
    return enqueue_finish(e, call, digest, add, arg);
}
