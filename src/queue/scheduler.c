/* The scheduler: one state, one setter, one slice. Decides when a batch is picked, carried out,
 * rolled back and finished; what the steps do is in pick.c, run.c, finish.c and the ops.
 *
 *  (start) --> IDLE <--> PICK --> LOAD --> OPEN --> PREPARE --> RUN --> COMMIT --> FINISH
 *     |         ^                  |                   |         |        |        ^   |
 *     |         |                  v (after a start)   +---------+--------+ failed |   v
 *     |         +-- DROP <----- RECOVER ---------------------------------- done ---+ FINISH_WAIT
 *     |         ^                                                                      |
 *     |         +------- DROP <-- a cancelation or queue_stop() in OPEN .. COMMIT      |
 *     |         +----------------------------------------------------------------------+
 *     +-------> +------------ APPLY <--> APPLY_WAIT <-- a large batch -----------------+
 *               +------------ RENAME <-> RENAME_WAIT <- a swap or rename --------------+
 *
 * A start goes to LOAD with the run that was interrupted, to APPLY or to IDLE; an unfinished
 * renaming goes on from IDLE.
 * A refused commit leads to RETRY, which comes back to FINISH, APPLY, RENAME, RECOVER or IDLE; so
 * does the pause between two pieces of a renaming.
 * STOPPED is reached from IDLE, APPLY, APPLY_WAIT, RENAME, RENAME_WAIT and RETRY. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/changes.h"
#include "queue/marks.h"

/* What queue_stop() does in a state. */
enum on_stop {
    STOP_AT_ONCE, /* nothing runs, or what runs is taken up after a start */
    STOP_ROLL_BACK,
    STOP_LATER, /* the state ends by itself and leads to one that stops */
};

static const struct state_row {
    const char *name;
    enum on_stop on_stop;
    bool (*step)(struct queue *q, int64_t deadline_us); /* true: go on at once; NULL: waits */
    void (*committed)(struct queue *q, int result);     /* the awaited commit's result */
} states[QUEUE_STATES];

void
queue_wake(struct queue *q)
{
    if (q->state == QUEUE_OFF || q->state == QUEUE_STOPPED)
        return;
    q->woken = true;
    loop_slice_wake(&q->slice);
}

void
queue_set_state(struct queue *q, enum queue_state to)
{
    log_debug(LOG_TARGET, "state %s -> %s batch_uid=%lld", states[q->state].name, states[to].name,
              q->run == NULL ? -1LL : (long long) q->run->pub.batch_uid);
    q->state = to;
}

static void
on_commit(void *arg, int result)
{
    struct queue *q = arg;
    if (result == 0)
        q->retry_ms = RETRY_FIRST_MS;
    states[q->state].committed(q, result);
    queue_wake(q);
}

void
queue_await_commit(struct queue *q, enum queue_state to)
{
    queue_set_state(q, to);
    q->commit.fn = on_commit;
    q->commit.arg = q;
    turn_wait(q->turn, &q->commit);
}

static void
stop_now(struct queue *q)
{
    loop_timer_clear(&q->timer);
    turn_forget(q->turn, &q->commit);
    queue_set_state(q, QUEUE_STOPPED);
    loop_slice_sleep(&q->slice);
    q->stop_fn(q->stop_arg);
}

static void
pause_for(struct queue *q, enum queue_state to, int64_t ms)
{
    if (q->stop_fn != NULL) {
        stop_now(q);
        return;
    }
    q->retry_state = to;
    queue_set_state(q, QUEUE_RETRY);
    loop_timer_set_ms(&q->timer, ms);
}

void
queue_retry(struct queue *q, enum queue_state to)
{
    int64_t ms = q->retry_ms;
    q->retry_ms = ms * 2 > RETRY_LAST_MS ? RETRY_LAST_MS : ms * 2;
    log_warn(LOG_TARGET, "the store refused, trying again state=%s in_ms=%lld", states[to].name,
             (long long) ms);
    pause_for(q, to, ms);
}

static void
on_timer(void *arg)
{
    struct queue *q = arg;
    queue_set_state(q, q->retry_state);
    queue_wake(q);
}

/* --- picking */

static bool
idle_step(struct queue *q, int64_t deadline_us)
{
    (void) deadline_us;
    if (q->stop_fn != NULL) {
        stop_now(q);
        return false;
    }
    if (q->is_renaming) {
        queue_set_state(q, QUEUE_RENAME);
        return true;
    }
    if (q->conf.max_batched_tasks == 0)
        return false;
    limits_look(q);
    queue_set_state(q, QUEUE_PICK);
    return true;
}

static bool
pick_run_step(struct queue *q, int64_t deadline_us)
{
    struct store_txn *txn = turn_read(q->turn);
    int rc = txn == NULL ? STORE_EIO : pick_step(q, txn, deadline_us);
    store_abort(txn);
    if (rc < 0) {
        pick_reset(&q->pick);
        queue_retry(q, QUEUE_IDLE);
        return false;
    }
    if (rc == PICK_NOTHING) {
        queue_set_state(q, QUEUE_IDLE);
        return false;
    }
    if (rc == PICK_DONE)
        queue_set_state(q, QUEUE_LOAD);
    return true;
}

static void
drop_run(struct queue *q)
{
    run_abort_op(q->run);
    run_free(q->run);
    q->run = NULL;
}

/* Work that needs space waits below the floor; what frees space goes on (invariant 12). */
static bool
needs_space(const struct queue *q)
{
    static const bool types[BATCH_TYPES + 1] = {
        [BATCH_DOCUMENTS] = true,
        [BATCH_SETTINGS] = true,
        [BATCH_INDEX_CREATION] = true,
        [BATCH_INDEX_DEPLOY] = true,
    };
    return types[q->run->pub.type];
}

static bool
must_hold(struct queue *q)
{
    return needs_space(q) && !turn_accepts_writes(q->turn);
}

static bool
load_step(struct queue *q, int64_t deadline_us)
{
    struct store_txn *txn = turn_read(q->turn);
    int rc = txn == NULL ? STORE_EIO : run_load(q->run, txn, deadline_us);
    store_abort(txn);
    if (rc == 0)
        return true;
    if (rc < 0) {
        bool is_recovered = q->run->is_recovered;
        if (!is_recovered)
            drop_run(q);
        queue_retry(q, is_recovered ? QUEUE_LOAD : QUEUE_IDLE);
        return false;
    }
    if (q->run->is_recovered) {
        queue_set_state(q, QUEUE_RECOVER);
        return true;
    }
    if (must_hold(q)) {
        drop_run(q);
        pause_for(q, QUEUE_IDLE, HOLD_MS);
        return false;
    }
    struct store_txn *write = turn_txn(q->turn);
    rc = run_record_put(q, write, q->run);
    if (rc >= 0)
        rc = changes_add_run(q, CHANGE_STARTED, q->run, false);
    if (rc < 0)
        turn_fail(q->turn, rc);
    queue_await_commit(q, QUEUE_OPEN);
    return false;
}

static void
open_committed(struct queue *q, int result)
{
    if (result < 0) {
        drop_run(q);
        queue_retry(q, QUEUE_IDLE);
        return;
    }
    q->run->is_visible = true;
    log_debug(LOG_TARGET, "batch starts batch_uid=%u type=%s tasks=%zu index=%s",
              q->run->pub.batch_uid, run_type_name(q->run->pub.type), q->run->pub.n_members,
              q->run->pub.index_uid == NULL ? "" : q->run->pub.index_uid);
    queue_set_state(q, QUEUE_PREPARE);
}

/* --- carrying out */

/* Rolls back and forgets the run; its tasks are enqueued again. One that the process did not
 * survive is counted in the same commit: once, however often a start is interrupted before. */
static void
roll_back(struct queue *q)
{
    turn_forget(q->turn, &q->commit);
    run_abort_op(q->run);
    q->run->is_visible = false;
    int rc = store_delete(turn_txn(q->turn), TABLE_META, META_RUN);
    if (rc >= 0 && q->run->is_recovered)
        rc = crash_note(q, turn_txn(q->turn), q->run);
    if (rc >= 0)
        rc = changes_add_run(q, CHANGE_ENQUEUED, q->run, false);
    if (rc < 0)
        turn_fail(q->turn, rc);
    queue_await_commit(q, QUEUE_DROP);
}

static void
drop_committed(struct queue *q, int result)
{
    bool waits = q->run->waits_for_space;
    if (result < 0) /* the next run record replaces it */
        log_warn(LOG_TARGET, "a rolled back batch could not be forgotten batch_uid=%u",
                 q->run->pub.batch_uid);
    drop_run(q);
    if (waits)
        pause_for(q, QUEUE_IDLE, HOLD_MS);
    else
        queue_set_state(q, QUEUE_IDLE);
}

/* Whether the failed run met a full disk, and is to be tried again: for want of space nothing that
 * was acknowledged fails (invariant 12). The error says so, not the space there is now: somebody
 * may have made room meanwhile. LMDB tells of a full disk as EIO, too. What is told as no space
 * while there is room, again and again, is something else (a database at its size limit). */
static bool
is_for_want_of_space(struct queue *q)
{
    enum err_code code = q->run->pub.err.code;
    if (!needs_space(q) || (code != ERR_NO_SPACE_LEFT_ON_DEVICE && code != ERR_IO_ERROR))
        return false;
    turn_doubt_space(q->turn);
    return must_hold(q) || (code == ERR_NO_SPACE_LEFT_ON_DEVICE && q->space_tries++ < SPACE_TRIES);
}

/* Every member fails with the run's error, or the batch is given back. */
static bool
fail_run(struct queue *q)
{
    struct run *r = q->run;
    if (is_for_want_of_space(q)) {
        log_warn(LOG_TARGET,
                 "batch is rolled back, it waits for free space batch_uid=%u error=\"%s\"",
                 r->pub.batch_uid, r->pub.err.message);
        r->waits_for_space = true;
        roll_back(q);
        return false;
    }
    if (!err_is_set(&r->pub.err))
        (void) err_set(&r->pub.err, ERR_INTERNAL, "The batch operation `%s` failed.",
                       run_type_name(r->pub.type));
    log_warn(LOG_TARGET, "batch failed batch_uid=%u type=%s error=\"%s\"", r->pub.batch_uid,
             run_type_name(r->pub.type), r->pub.err.message);
    run_abort_op(r);
    r->is_rolled_back = true;
    queue_set_state(q, QUEUE_FINISH);
    return true;
}

static bool
prepare_step(struct queue *q, int64_t deadline_us)
{
    struct run *r = q->run;
    (void) deadline_us;
    if (r->pub.op == NULL) {
        (void) err_set(&r->pub.err, ERR_INTERNAL,
                       "Tasks of this type cannot be processed by this server.");
        return fail_run(q);
    }
    if (!r->op_entered && crash_is_hopeless(q, r)) {
        (void) err_set(&r->pub.err, ERR_INTERNAL,
                       "An unexpected crash occurred when processing the task: the server ended "
                       "%u times while it was processed alone.",
                       q->crashes.task_crashes);
        return fail_run(q);
    }
    r->op_entered = true;
    int rc = r->pub.op->prepare == NULL ? OP_DONE : r->pub.op->prepare(&r->pub);
    if (rc < 0)
        return fail_run(q);
    if (rc == OP_DONE)
        queue_set_state(q, QUEUE_RUN);
    return true;
}

static bool
run_step(struct queue *q, int64_t deadline_us)
{
    struct batch_run *run = &q->run->pub;
    int rc = run->op->step == NULL ? OP_DONE : run->op->step(run, deadline_us);
    if (rc < 0)
        return fail_run(q);
    if (rc == OP_DONE)
        queue_set_state(q, QUEUE_COMMIT);
    return true;
}

static bool
commit_step(struct queue *q, int64_t deadline_us)
{
    struct batch_run *run = &q->run->pub;
    (void) deadline_us;
    if (run->op->commit != NULL && run->op->commit(run) < 0)
        return fail_run(q);
    queue_set_state(q, QUEUE_FINISH);
    return true;
}

static bool
recover_step(struct queue *q, int64_t deadline_us)
{
    struct run *r = q->run;
    (void) deadline_us;
    int rc = r->pub.op == NULL || r->pub.op->recover == NULL ? 0 : r->pub.op->recover(&r->pub);
    if (rc < 0) {
        log_error(LOG_TARGET, "cannot tell yet whether a batch was applied batch_uid=%u",
                  r->pub.batch_uid);
        /* One unreadable index must not stop the others for ever: repeated, its batch fails by
         * itself. */
        if (++r->recover_tries < RECOVER_TRIES) {
            queue_retry(q, QUEUE_RECOVER);
            return false;
        }
        rc = 0;
    }
    log_info(LOG_TARGET, "a batch was interrupted batch_uid=%u tasks=%zu %s", r->pub.batch_uid,
             r->pub.n_members, rc > 0 ? "it was applied: finishing" : "it runs again");
    if (rc == 0) {
        roll_back(q);
        return false;
    }
    r->op_entered = r->is_visible = true;
    queue_set_state(q, QUEUE_FINISH);
    return true;
}

/* --- finishing */

static bool
finish_step(struct queue *q, int64_t deadline_us)
{
    (void) deadline_us; /* a piece is bounded by its rows; each turn's commit follows it */
    finish_piece(q);
    return false;
}

static bool
apply_step(struct queue *q, int64_t deadline_us)
{
    (void) deadline_us;
    apply_piece(q);
    return false;
}

static bool
rename_step(struct queue *q, int64_t deadline_us)
{
    int64_t until_us = clock_mono_us() + RENAME_US; /* the queue waits: a commit should pay */
    int rc = rename_piece(q, turn_txn(q->turn), until_us > deadline_us ? until_us : deadline_us);
    q->finishing.is_last_piece = rc == 1;
    if (rc < 0)
        turn_fail(q->turn, rc);
    queue_await_commit(q, QUEUE_RENAME_WAIT);
    return false;
}

static void
rename_committed(struct queue *q, int result)
{
    if (result < 0) {
        queue_retry(q, QUEUE_RENAME);
        return;
    }
    if (!q->finishing.is_last_piece) { /* room for the requests that waited behind it */
        pause_for(q, QUEUE_RENAME, RENAME_PAUSE_MS);
        return;
    }
    q->is_renaming = false;
    queue_set_state(q, QUEUE_IDLE);
}

static const struct state_row states[QUEUE_STATES] = {
    [QUEUE_OFF] = {"off", STOP_AT_ONCE, NULL, NULL},
    [QUEUE_IDLE] = {"idle", STOP_AT_ONCE, idle_step, NULL},
    [QUEUE_PICK] = {"pick", STOP_AT_ONCE, pick_run_step, NULL},
    [QUEUE_LOAD] = {"load", STOP_LATER, load_step, NULL},
    [QUEUE_OPEN] = {"open", STOP_ROLL_BACK, NULL, open_committed},
    [QUEUE_RECOVER] = {"recover", STOP_LATER, recover_step, NULL},
    [QUEUE_PREPARE] = {"prepare", STOP_ROLL_BACK, prepare_step, NULL},
    [QUEUE_RUN] = {"run", STOP_ROLL_BACK, run_step, NULL},
    [QUEUE_COMMIT] = {"commit", STOP_ROLL_BACK, commit_step, NULL},
    [QUEUE_FINISH] = {"finish", STOP_LATER, finish_step, NULL},
    [QUEUE_FINISH_WAIT] = {"finish-wait", STOP_LATER, NULL, finish_committed},
    [QUEUE_DROP] = {"drop", STOP_LATER, NULL, drop_committed},
    [QUEUE_APPLY] = {"apply", STOP_AT_ONCE, apply_step, NULL},
    [QUEUE_APPLY_WAIT] = {"apply-wait", STOP_AT_ONCE, NULL, apply_committed},
    [QUEUE_RENAME] = {"rename", STOP_AT_ONCE, rename_step, NULL},
    [QUEUE_RENAME_WAIT] = {"rename-wait", STOP_AT_ONCE, NULL, rename_committed},
    [QUEUE_RETRY] = {"retry", STOP_LATER, NULL, NULL},
    [QUEUE_STOPPED] = {"stopped", STOP_AT_ONCE, NULL, NULL},
};

/* One slice: steps follow each other until the budget is used or something must be waited for. */
static enum loop_slice_result
on_slice(void *arg, int64_t deadline_us)
{
    struct queue *q = arg;
    bool goes_on = true;
    while (goes_on) {
        if (states[q->state].step == NULL)
            return SLICE_IDLE;
        q->woken = false;
        goes_on = states[q->state].step(q, deadline_us);
        if (clock_mono_us() >= deadline_us)
            break;
    }
    return goes_on || q->woken ? SLICE_MORE : SLICE_IDLE;
}

/* --- cancelations */

void
queue_canceled(struct queue *q, const struct uidmap *matched)
{
    bool is_picking = q->state == QUEUE_PICK || (q->state == QUEUE_LOAD && !q->run->is_recovered);
    if (is_picking) { /* start over: the cancelation comes first */
        pick_reset(&q->pick);
        if (q->run != NULL)
            drop_run(q);
        queue_set_state(q, QUEUE_IDLE);
    } else if (q->state == QUEUE_RETRY && q->retry_state == QUEUE_IDLE) {
        loop_timer_clear(&q->timer);
        queue_set_state(q, QUEUE_IDLE);
    } else if (states[q->state].on_stop == STOP_ROLL_BACK && run_is_matched(q->run, matched)) {
        log_info(LOG_TARGET, "batch is rolled back by a cancelation batch_uid=%u",
                 q->run->pub.batch_uid);
        roll_back(q);
    }
    queue_wake(q);
}

/* --- the pause at the batch boundary (invariant 5) */

bool
queue_is_pausing(const struct queue *q)
{
    return q->n_awaited > 0 || q->awaits_any;
}

void
queue_announce(struct queue *q, uint32_t batch_uid)
{
    if (q->hooks.announce == NULL)
        return;
    q->is_announcing = true; /* the answer may come from inside */
    q->was_announced = false;
    q->announcing = batch_uid;
    bool must_wait = q->hooks.announce(q->hooks.arg, batch_uid);
    q->is_announcing = false;
    if (!must_wait || q->was_announced)
        return;
    q->awaited = mem_grow(q->awaited, q->n_awaited + 1, sizeof(*q->awaited));
    q->awaited[q->n_awaited++] = batch_uid;
}

void
queue_announced(struct queue *q, uint32_t batch_uid)
{
    if (q->is_announcing && q->announcing == batch_uid) {
        q->was_announced = true;
        return;
    }
    size_t i = 0;
    while (i < q->n_awaited && q->awaited[i] != batch_uid)
        i++;
    if (i < q->n_awaited)
        q->awaited[i] = q->awaited[--q->n_awaited];
    else
        q->awaits_any = false;
    queue_wake(q);
}

/* --- start and stop */

/* What a crash left: an unfinished move goes on, an unfinished run is recovered. */
static int
take_up(struct queue *q, struct store_txn *txn)
{
    int rc = crash_load(q, txn);
    if (rc < 0)
        return rc;
    rc = applying_load(q, txn);
    if (rc < 0)
        return rc;
    rc = store_get(txn, TABLE_META, META_RENAME, NULL);
    if (rc < 0)
        return rc;
    q->is_renaming = q->is_renaming || rc > 0;
    rc = run_record_load(q, txn, &q->run);
    return rc < 0 ? rc : 0;
}

static int
drop_results(struct store_txn *txn)
{
    int rc = store_clear(txn, TABLE_TASK_RESULTS);
    return rc < 0 ? rc : marks_drop_results(txn);
}

int
queue_start(struct queue *q, bool wait_first, struct err *err)
{
    struct store_txn *txn = turn_read(q->turn);
    int rc = txn == NULL ? STORE_EIO : take_up(q, txn);
    /* Results that no finishing commit made visible are worth nothing. */
    bool has_leftovers = rc == 0 && !q->is_applying && table_count(txn, TABLE_TASK_RESULTS) > 0;
    store_abort(txn);
    if (rc < 0)
        return err_set(err, ERR_INTERNAL, "cannot read the task queue: %s", store_strerror(rc));
    loop_slice_init(&q->slice, q->loop, on_slice, q);
    loop_timer_init(&q->timer, q->loop, on_timer, q);
    q->awaits_any = wait_first;
    if (has_leftovers && (rc = drop_results(turn_txn(q->turn))) < 0)
        turn_fail(q->turn, rc);
    deletion_clean(q);
    queue_set_state(q, q->run != NULL ? QUEUE_LOAD : q->is_applying ? QUEUE_APPLY : QUEUE_IDLE);
    queue_wake(q);
    return 0;
}

void
queue_stop(struct queue *q, loop_fn *done, void *arg)
{
    q->stop_fn = done;
    q->stop_arg = arg;
    if (q->state == QUEUE_LOAD && !q->run->is_recovered) {
        drop_run(q);
        stop_now(q);
    } else if (q->state == QUEUE_RETRY && q->retry_state == QUEUE_IDLE) {
        stop_now(q);
    } else if (q->state == QUEUE_RETRY) { /* one more try */
        loop_timer_clear(&q->timer);
        queue_set_state(q, q->retry_state);
        queue_wake(q);
    } else if (states[q->state].on_stop == STOP_AT_ONCE) {
        pick_reset(&q->pick);
        stop_now(q);
    } else if (states[q->state].on_stop == STOP_ROLL_BACK) {
        roll_back(q);
    }
}
