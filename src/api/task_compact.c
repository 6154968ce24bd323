/* POST /tasks/compact (contract 2.5): the space of deleted tasks goes back to the file system, in
 * slices, while the server works; no restart is needed. How is store/punch.h's. */
#include "api/task_compact.h"

#include <stdlib.h>

#include "api/experimental.h"
#include "api/reply.h"
#include "base/mem.h"
#include "codec/json.h"
#include "store/punch.h"

enum { TRIES = 1000 /* turns in a row in which a write transaction is open: never met */ };

struct compaction {
    struct http_call *call;
    struct loop_slice slice;
    uint64_t before_bytes, at;
    bool has_begun;
    int n_busy;
};

static struct store_env *
env_of(const struct compaction *c)
{
    return turn_env(handler_api(c->call)->turn);
}

static void
on_gone(struct http_call *call)
{
    struct compaction *c = call->state;
    loop_slice_sleep(&c->slice);
    free(c);
}

/* "12.5 MiB" */
static void
put_size(struct json_out *j, const char *name, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    struct buf text = BUF_INIT;
    double value = (double) bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
        value /= 1024;
    buf_addf(&text, "%.4g %s", value, units[unit]);
    json_key(j, name);
    json_put_str(j, buf_str(&text));
    buf_done(&text);
}

static enum http_result
answer(const struct compaction *c)
{
    struct buf body = BUF_INIT;
    struct json_out j = json_out(&body);
    json_begin_object(&j);
    put_size(&j, "preSize", c->before_bytes);
    put_size(&j, "postSize", store_env_disk_bytes(env_of(c)));
    json_key(&j, "status");
    json_put_cstr(&j, "success");
    json_key(&j, "actionRequired"); /* upstream needs a restart */
    json_put_null(&j);
    json_end_object(&j);
    return reply_json(c->call, 200, &body);
}

static enum http_result
refuse(struct http_call *call, int rc)
{
    if (rc == STORE_EINVAL)
        (void) err_set(&call->err, ERR_IO_ERROR,
                       "The file system of the data directory cannot take space back from a file.");
    else
        (void) handler_store_error(&call->err, rc);
    return HTTP_ERROR;
}

/* What was freed since the last checkpoint can go too after a new one. */
static int
work(struct compaction *c, int64_t deadline_us)
{
    if (!c->has_begun) {
        int rc = store_env_checkpoint(env_of(c));
        if (rc < 0)
            return rc;
        c->has_begun = true;
    }
    return store_env_punch(env_of(c), &c->at, deadline_us);
}

static enum loop_slice_result
compact_step(void *arg, int64_t deadline_us)
{
    struct compaction *c = arg;
    struct http_call *call = c->call;
    struct loop *loop = handler_api(call)->loop;
    bool is_writing = store_env_is_writing(env_of(c)); /* this turn's commit comes first */
    if (is_writing && ++c->n_busy < TRIES)
        return SLICE_MORE;
    c->n_busy = 0;
    int rc = is_writing ? STORE_EBUSY : work(c, deadline_us);
    if (rc > 0)
        return SLICE_MORE;
    loop_slice_sleep(&c->slice);
    call->on_gone = NULL;
    handler_finish(call, rc == 0 ? answer(c) : refuse(call, rc));
    loop_defer(loop, free, c);
    return SLICE_IDLE;
}

enum http_result
task_compact(struct http_call *call)
{
    uint32_t enabled;
    if (features_enabled(call, &enabled) < 0 ||
        feature_require(enabled, FEATURE_TASK_QUEUE_COMPACTION_ROUTE, "Compacting the task queue",
                        &call->err) < 0)
        return HTTP_ERROR;
    struct compaction *c = mem_new(1, sizeof(*c));
    c->call = call;
    c->before_bytes = store_env_disk_bytes(env_of(c));
    call->state = c;
    call->on_gone = on_gone;
    loop_slice_init(&c->slice, handler_api(call)->loop, compact_step, c);
    loop_slice_wake(&c->slice);
    return HTTP_WAIT;
}
