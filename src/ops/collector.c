/* Deletes dead staging rows in pieces, a commit each, and the files they named after it
 * (invariant 13). What is dead is in the store, so that a start takes it up again. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "ops/ops_internal.h"
#include "ops/staging.h"

struct collector {
    struct turn *turn;
    struct payload_dir *payloads;
    struct loop_slice slice;
    struct turn_waiter woken, committed;
    struct uuid files[STAGING_COLLECT_ROWS]; /* of the piece that is being committed */
    size_t n_files;
};

static void
on_committed(void *arg, int result)
{
    struct collector *c = arg;

    for (size_t i = 0; result == 0 && i < c->n_files; i++)
        payload_unlink(c->payloads, &c->files[i]);
    c->n_files = 0;
    if (result == 0)
        loop_slice_wake(&c->slice); /* refused: the next wake or start goes on */
}

static void
on_woken(void *arg, int result)
{
    struct collector *c = arg;

    (void) result; /* what is dead is seen in the store */
    loop_slice_wake(&c->slice);
}

static bool
has_work(struct collector *c)
{
    struct store_txn *txn = turn_read(c->turn);
    bool has_trash = txn != NULL && staging_has_trash(txn);

    store_abort(txn);
    return has_trash;
}

static enum loop_slice_result
collect(void *arg, int64_t deadline_us)
{
    struct collector *c = arg;
    int rc;

    (void) deadline_us; /* a piece is bounded by its rows */
    if (c->committed.queued || !has_work(c))
        return SLICE_IDLE;
    rc = staging_collect(turn_txn(c->turn), c->files, &c->n_files);
    if (rc < 0) {
        log_error(LOG_TARGET, "staged operations cannot be cleaned up error=\"%s\"",
                  store_strerror(rc));
        turn_fail(c->turn, rc);
    }
    c->committed = (struct turn_waiter){.fn = on_committed, .arg = c};
    turn_wait(c->turn, &c->committed);
    return SLICE_IDLE;
}

struct collector *
collector_new(struct loop *l, struct turn *turn, struct payload_dir *payloads)
{
    struct collector *c = mem_new(1, sizeof(*c));

    c->turn = turn;
    c->payloads = payloads;
    loop_slice_init(&c->slice, l, collect, c);
    return c;
}

void
collector_free(struct collector *c)
{
    if (c == NULL)
        return;
    loop_slice_sleep(&c->slice);
    turn_forget(c->turn, &c->woken);
    turn_forget(c->turn, &c->committed);
    free(c);
}

void
collector_wake(struct collector *c)
{
    if (c->woken.queued)
        return;
    c->woken = (struct turn_waiter){.fn = on_woken, .arg = c};
    turn_wait(c->turn, &c->woken);
}
