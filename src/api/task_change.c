/* POST /tasks/cancel, DELETE /tasks (contract 2.6, 2.7). Which tasks are meant is decided now, in
 * slices up to the newest task of the start, chunk by chunk; then the task that changes them is
 * added. Changes none itself. */
#include "api/task_change.h"

#include <stdlib.h>

#include "api/body.h"
#include "api/enqueue.h"
#include "api/task_filter.h"
#include "base/clock.h"
#include "base/mem.h"

typedef int add_fn(struct ops *o, struct str original_filter, const struct uidmap *matched,
                   struct ops_result *ret, struct err *err);

struct change {
    struct http_call *call;
    struct enqueue *enqueue;
    add_fn *add;
    uint8_t digest[SHA256_BYTES]; /* of the body, which is ignored */
    struct str original_filter;
    struct uidmap matched;
    /* the search */
    struct arena *arena;
    struct task_filter filter;
    struct auth_grant grant;
    struct selection *selection;
    struct loop_slice slice;
    uint64_t chunk; /* the next one */
    unsigned at;    /* in it: below, it was looked at whether the caller may know of the task */
    uint32_t end;   /* uids from there on are newer than the request */
};

static void
change_free(void *arg)
{
    struct change *c = arg;
    uidmap_done(&c->matched);
    selection_free(c->selection);
    arena_free(c->arena);
    free(c);
}

static int
add_task(struct http_call *call, void *arg, struct ops_result *ret)
{
    struct change *c = arg;
    return c->add(handler_api(call)->ops, c->original_filter, &c->matched, ret, &call->err);
}

/* --- the search */

static int
add_if_granted(struct change *c, struct store_txn *txn, uint32_t uid)
{
    struct task t;
    int rc = queue_task_get(handler_api(c->call)->queue, txn, uid, &t);
    if (rc <= 0)
        return rc;
    if (task_filter_grants(&c->grant, &t))
        uidmap_add(&c->matched, uid);
    task_done(&t);
    return 0;
}

/* 1: it is time, 0: the chunk is done, negative. */
static int
take_granted(struct change *c, struct store_txn *txn, const struct bits *bits, int64_t deadline_us)
{
    while (c->at < BITS_COUNT && (c->at = bits_seek(bits, c->at, true)) < BITS_COUNT) {
        int rc = add_if_granted(c, txn, bits_uid((uint32_t) c->chunk, c->at++));
        if (rc < 0)
            return rc;
        if (clock_mono_us() >= deadline_us)
            return 1;
    }
    return 0;
}

static int
take_chunk(struct change *c, struct store_txn *txn, int64_t deadline_us)
{
    struct bits bits;
    uint32_t chunk = (uint32_t) c->chunk;
    int rc = selection_read(c->selection, txn, chunk, &bits);
    if (rc < 0)
        return rc;
    if (bits_chunk(c->end) == chunk)
        bits_cut(&bits, c->end % BITS_COUNT);
    if (!c->grant.sees_all_indexes)
        return take_granted(c, txn, &bits, deadline_us);
    if (!bits_is_empty(&bits))
        *uidmap_at(&c->matched, chunk) = bits;
    return 0;
}

/* 1: more follows, 0: complete, negative: store code. */
static int
search(struct change *c, struct store_txn *txn, int64_t deadline_us)
{
    uint32_t chunk;
    int rc = selection_prepare(c->selection, txn, deadline_us);
    while (rc == 0 && c->chunk <= bits_chunk(UINT32_MAX)) {
        rc = selection_seek(c->selection, txn, (uint32_t) c->chunk, true, &chunk);
        if (rc <= 0 || bits_uid(chunk, 0) >= c->end)
            return rc < 0 ? rc : 0;
        if (chunk != c->chunk)
            c->at = 0;
        c->chunk = chunk;
        rc = take_chunk(c, txn, deadline_us);
        if (rc != 0)
            return rc;
        c->chunk++;
        c->at = 0;
        if (clock_mono_us() >= deadline_us)
            return 1;
    }
    return rc;
}

/* --- the request */

static void
on_gone(struct http_call *call)
{
    struct change *c = call->state;
    loop_slice_sleep(&c->slice);
    enqueue_abandon(c->enqueue);
    change_free(c);
}

/* Consumes c, whose slice is running. */
static void
change_end(struct change *c, int rc)
{
    struct http_call *call = c->call;
    struct loop *loop = handler_api(call)->loop;
    enum http_result result = HTTP_ERROR;
    loop_slice_sleep(&c->slice);
    call->on_gone = NULL;
    if (rc == 0) {
        result = enqueue_finish(c->enqueue, call, c->digest, add_task, c);
    } else {
        enqueue_abandon(c->enqueue);
        handler_store_error(&call->err, rc);
    }
    handler_finish(call, result);
    loop_defer(loop, change_free, c);
}

static enum loop_slice_result
change_step(void *arg, int64_t deadline_us)
{
    struct change *c = arg;
    struct store_txn *txn = turn_read(handler_api(c->call)->turn);
    int rc = txn == NULL ? STORE_EIO : search(c, txn, deadline_us);
    store_abort(txn);
    if (rc == 1)
        return SLICE_MORE;
    change_end(c, rc);
    return SLICE_IDLE;
}

/* What the caller would see in a listing. */
static void
build_query(const struct task_filter *f, struct task_query *ret)
{
    task_filter_query(f, ret);
    if (ret->index_uids != NULL)
        ret->types &= ~task_filter_global_types();
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
change_begin(struct http_call *call, const char *verb, add_fn *add)
{
    struct task_filter filter;
    struct task_query query;
    if (task_filter_for_change(call, verb, &filter) < 0)
        return HTTP_ERROR;
    struct enqueue *e = enqueue_begin(call, 200);
    if (e == NULL)
        return HTTP_ERROR;
    struct change *c = mem_new(1, sizeof(*c));
    struct auth_grant grant = handler_grant(call);
    c->call = call;
    c->enqueue = e;
    c->add = add;
    c->arena = arena_new();
    task_filter_copy(&c->filter, &filter, c->arena);
    build_query(&c->filter, &query);
    c->grant = auth_grant_keep(c->arena, &grant);
    c->original_filter = str_from(arena_printf(c->arena, "?%.*s", STR_ARG(call->query)));
    c->selection = selection_new(handler_api(call)->queue, &query, false);
    c->end = queue_next_uid(handler_api(call)->queue);
    digest_ignored_body(call, c->digest);
    call->state = c;
    call->on_gone = on_gone;
    loop_slice_init(&c->slice, handler_api(call)->loop, change_step, c);
    loop_slice_wake(&c->slice);
    return HTTP_WAIT;
}

enum http_result
task_cancel(struct http_call *call)
{
    return change_begin(call, "cancel", ops_cancel_tasks);
}

enum http_result
task_delete(struct http_call *call)
{
    return change_begin(call, "delete", ops_delete_tasks);
}
