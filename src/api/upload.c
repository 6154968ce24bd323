/* The way of an upload: intake -> judged -> enqueue_finish, or abandoned where the client leaves or
 * the body is refused. Knows no resource. */
#include "api/upload.h"

#include <stdlib.h>
#include <string.h>

#include "api/body.h"
#include "base/mem.h"

static size_t
pull_body(void *arg, struct buf *out, size_t max)
{
    struct upload *u = arg;
    return http_call_take_body(u->call, out, max);
}

/* Consumes u. */
static enum http_result
end(struct upload *u)
{
    struct http_call *call = u->call;
    enum http_result result = HTTP_ERROR;
    call->on_gone = NULL;
    if (!err_is_set(&call->err) && (u->judge == NULL || u->judge(u) == 0))
        result = enqueue_finish(u->enqueue, call, u->found.digest, u->add, u);
    else
        enqueue_abandon(u->enqueue);
    free(u);
    return result;
}

static void
on_intake_done(void *arg, const struct intake_result *found, struct err *err)
{
    struct upload *u = arg;
    struct http_call *call = u->call;
    u->is_read = true;
    if (found != NULL)
        u->found = *found;
    else
        err_move(&call->err, err);
    if (!u->in_handler)
        handler_finish(call, end(u));
}

static void
on_gone(struct http_call *call)
{
    struct upload *u = call->state;
    enqueue_abandon(u->enqueue);
    free(u);
}

/* u->enqueue holds the intake from here on. */
static enum http_result
run(struct upload *u, const struct intake_conf *conf)
{
    struct http_call *call = u->call;
    struct intake *intake = intake_new(conf);
    enqueue_hold_intake(u->enqueue, intake);
    call->state = u;
    call->on_gone = on_gone;
    u->in_handler = true;
    intake_start(intake, pull_body, on_intake_done, u);
    u->in_handler = false;
    return u->is_read ? end(u) : HTTP_WAIT;
}

enum http_result
upload_begin(const struct upload *u, size_t size, struct intake_conf *conf)
{
    struct api *api = handler_api(u->call);
    conf->loop = api->loop;
    conf->payloads = api->payloads;
    conf->limit_bytes = api->conf->http_payload_size_limit;
    if (body_encoding(u->call, &conf->encoding) < 0)
        return HTTP_ERROR;
    struct enqueue *e = enqueue_begin(u->call, u->status);
    if (e == NULL)
        return HTTP_ERROR;
    conf->want_digest = enqueue_wants_digest(e);
    struct upload *own = mem_new(1, size);
    memcpy(own, u, size);
    own->enqueue = e;
    return run(own, conf);
}
