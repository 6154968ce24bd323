/* Carries webhookReplay tasks out, beside the batches:
 *
 *   IDLE --task added, start--> WORK --piece written--> COMMIT --durable--> WORK
 *     ^                          | ^                      |
 *     |  no task is left         | |   refused, or too    | refused
 *     +--------------------------+ +--- little room: PAUSE <+
 *
 *  replays_wake, replays_start  IDLE -> WORK
 *  on_slice                     WORK -> COMMIT, PAUSE or IDLE
 *  on_committed                 COMMIT -> WORK or PAUSE
 *  on_timer                     PAUSE -> WORK
 *  replays_stop                 any -> OFF
 *
 * A piece writes deliveries and, in the same commit, the task with its cursor: whatever ends the
 * process, the next start goes on behind the last delivery made. Cancelation is the queue's: before
 * a piece the task's row is looked at in the piece's own transaction. */
#include "ops/replay.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "ops/replay_text.h"

#define LOG_TARGET "ops"

enum {
    PAUSE_MS = 1000,
    /* A piece takes as long as a commit does, so that at most half of the time goes to the disk;
     * the loop is held no longer than by that commit. */
    PIECE_MIN_US = 500,
    PIECE_MAX_US = 4000,
};

enum replays_state {
    REPLAYS_OFF,
    REPLAYS_IDLE,
    REPLAYS_WORK,
    REPLAYS_COMMIT,
    REPLAYS_PAUSE,
    REPLAYS_STATES
};

struct replays {
    struct replays_conf conf;
    enum replays_state state;
    struct loop_slice slice;
    struct loop_timer timer;
    struct turn_waiter waiter;
    /* the present task; has_task: loaded */
    bool has_task;
    struct task task;
    struct replay_request request;
    struct replay_cursor at;
};

static void
set_state(struct replays *r, enum replays_state to)
{
    static const char *const names[REPLAYS_STATES] = {"off", "idle", "work", "commit", "pause"};
    if (r->state != to)
        log_debug(LOG_TARGET, "replays %s -> %s", names[r->state], names[to]);
    r->state = to;
}

static void
drop_task(struct replays *r)
{
    if (!r->has_task)
        return;
    r->has_task = false;
    task_done(&r->task);
    replay_request_done(&r->request);
}

static void
go_on(struct replays *r)
{
    set_state(r, REPLAYS_WORK);
    loop_slice_wake(&r->slice);
}

/* What is in memory may be ahead of the store: it is read again. */
static enum loop_slice_result
pause_for_a_while(struct replays *r)
{
    drop_task(r);
    set_state(r, REPLAYS_PAUSE);
    loop_timer_set_ms(&r->timer, PAUSE_MS);
    return SLICE_IDLE;
}

/* --- the task -------------------------------------------------------------------------------- */

/* 1 when there is one, 0, negative. */
static int
load_task(struct replays *r)
{
    struct store_txn *txn = turn_read(r->conf.turn);
    if (txn == NULL)
        return STORE_EIO;
    int rc = queue_beside_next(r->conf.queue, txn, 0, &r->task);
    store_abort(txn);
    if (rc != 1)
        return rc;
    r->has_task = true;
    if (r->task.status == TASK_ENQUEUED) {
        r->task.status = TASK_PROCESSING;
        r->task.started_at_ns = clock_wall_ns();
        log_info(LOG_TARGET, "a replay starts task_uid=%u", r->task.uid);
    }
    return 1;
}

static void
end_task(struct replays *r, enum task_status status)
{
    r->task.status = status;
    r->task.finished_at_ns = clock_wall_ns();
    free(r->task.params);
    r->task.params = NULL;
}

static void
show_progress(struct replays *r)
{
    struct buf details = BUF_INIT, params = BUF_INIT;
    replay_details_write(&details, &r->request, &r->at);
    replay_params_write(&params, &r->request, &r->at);
    free(r->task.details);
    free(r->task.params);
    r->task.details = buf_take(&details);
    r->task.params = buf_take(&params);
}

/* --- a piece --------------------------------------------------------------------------------- */

static int64_t
piece_us(const struct replays *r)
{
    struct turn_stats s = turn_stats(r->conf.turn);
    int64_t us = s.commits == 0 ? 0 : s.commit_us / (int64_t) s.commits;
    return us < PIECE_MIN_US ? PIECE_MIN_US : us > PIECE_MAX_US ? PIECE_MAX_US : us;
}

static int
work(struct replays *r, struct store_txn *txn)
{
    char uuid[UUID_TEXT_LEN + 1];
    int rc = replay_step(r->conf.webhooks, txn, &r->request, &r->at, clock_mono_us() + piece_us(r));
    if (rc < 0)
        return rc;
    show_progress(r);
    if (rc == REPLAY_THROUGH)
        end_task(r, TASK_SUCCEEDED);
    if (rc == REPLAY_NO_WEBHOOK) {
        (void) err_set(&r->task.error, ERR_WEBHOOK_NOT_FOUND, "Webhook `%s` not found.",
                       uuid_format(&r->request.webhook, uuid));
        end_task(r, TASK_FAILED);
    }
    return 0;
}

/* 1 when something was written, 0 when the task is no longer ours, negative. */
static int
write_piece(struct replays *r, struct store_txn *txn)
{
    int rc = queue_beside_is_wanted(r->conf.queue, txn, r->task.uid);
    if (rc != 1)
        return rc;
    replay_request_done(&r->request);
    struct str params = str_from(r->task.params);
    if (replay_params_read(params, &r->request, &r->at)) {
        rc = work(r, txn);
    } else {
        (void) err_set(&r->task.error, ERR_INTERNAL, "The replay's parameters cannot be read.");
        end_task(r, TASK_FAILED);
        rc = 0;
    }
    if (rc == 0)
        rc = queue_beside_put(r->conf.queue, txn, &r->task);
    return rc < 0 ? rc : 1;
}

static enum loop_slice_result
piece(struct replays *r)
{
    int rc = write_piece(r, turn_txn(r->conf.turn));
    if (rc == 0) { /* canceled; the row goes with its batch */
        drop_task(r);
        return SLICE_MORE;
    }
    if (rc < 0)
        turn_fail(r->conf.turn, rc);
    set_state(r, REPLAYS_COMMIT);
    turn_wait(r->conf.turn, &r->waiter);
    return SLICE_IDLE;
}

static enum loop_slice_result
on_slice(void *arg, int64_t deadline_us)
{
    struct replays *r = arg;
    (void) deadline_us; /* a piece has a budget of its own, and waits for its commit */
    if (r->state != REPLAYS_WORK)
        return SLICE_IDLE;
    if (!turn_accepts_writes(r->conf.turn))
        return pause_for_a_while(r);
    int rc = r->has_task ? 1 : load_task(r);
    if (rc == 1)
        return piece(r);
    if (rc < 0)
        return pause_for_a_while(r);
    set_state(r, REPLAYS_IDLE);
    return SLICE_IDLE;
}

static void
on_committed(void *arg, int result)
{
    struct replays *r = arg;
    if (r->state != REPLAYS_COMMIT)
        return;
    if (result != 0) {
        (void) pause_for_a_while(r);
        return;
    }
    if (r->task.status != TASK_PROCESSING) {
        log_info(LOG_TARGET, "a replay has ended task_uid=%u status=%s events=%llu deliveries=%llu",
                 r->task.uid, task_status_name(r->task.status), (unsigned long long) r->at.matched,
                 (unsigned long long) r->at.queued);
        drop_task(r);
    }
    go_on(r);
}

static void
on_timer(void *arg)
{
    go_on(arg);
}

/* --- life ------------------------------------------------------------------------------------ */

struct replays *
replays_new(const struct replays_conf *conf)
{
    struct replays *r = mem_new(1, sizeof(*r));
    r->conf = *conf;
    r->waiter = (struct turn_waiter){.fn = on_committed, .arg = r};
    loop_slice_init(&r->slice, conf->loop, on_slice, r);
    loop_timer_init(&r->timer, conf->loop, on_timer, r);
    return r;
}

void
replays_free(struct replays *r)
{
    if (r == NULL)
        return;
    replays_stop(r);
    loop_timer_done(&r->timer);
    free(r);
}

void
replays_start(struct replays *r)
{
    go_on(r);
}

void
replays_stop(struct replays *r)
{
    loop_slice_sleep(&r->slice);
    loop_timer_clear(&r->timer);
    turn_forget(r->conf.turn, &r->waiter);
    drop_task(r);
    set_state(r, REPLAYS_OFF);
}

void
replays_wake(struct replays *r)
{
    if (r->state == REPLAYS_IDLE)
        go_on(r);
}

/* --- adding ---------------------------------------------------------------------------------- */

static int
check_number(struct replays *r, struct err *err)
{
    struct store_txn *txn = turn_read(r->conf.turn);
    uint64_t n = txn == NULL ? 0 : queue_beside_count(r->conf.queue, txn, REPLAYS_MAX);
    store_abort(txn);
    if (n < REPLAYS_MAX)
        return 0;
    return err_set(err, ERR_TOO_MANY_REPLAYS,
                   "At most %d replays may be unfinished at a time. Please wait until one has "
                   "ended, or cancel one.",
                   REPLAYS_MAX);
}

int
replays_add(struct replays *r, const struct replay_request *request, struct ops_result *ret,
            struct err *err)
{
    struct replay_cursor at;
    struct buf details = BUF_INIT, params = BUF_INIT;
    struct task_new n = {.kind = KIND_WEBHOOK_REPLAY, .role = ROLE_BESIDE};
    if (check_number(r, err) < 0)
        return -1;
    int rc = replay_begin(r->conf.webhooks, &at);
    if (rc < 0)
        return err_set(err, ERR_INTERNAL, "The events could not be read: %s.", store_strerror(rc));
    replay_details_write(&details, request, &at);
    replay_params_write(&params, request, &at);
    n.details = buf_str(&details);
    n.params = buf_str(&params);
    buf_init(&ret->summary);
    rc = queue_add(r->conf.queue, &n, &ret->task_uid, &ret->summary, err);
    if (rc < 0)
        buf_done(&ret->summary);
    buf_done(&details);
    buf_done(&params);
    return rc;
}
