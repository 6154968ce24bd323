/* One write transaction a loop turn. Owns the open transaction and the list of those who wait for
 * its commit; the order at the end of a turn is: commit, then tell the waiters (invariant 2). */
#include "store/turn.h"

#include <stdlib.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/env_internal.h"

enum {
    SPACE_CHECK_US = 200 * 1000, /* how old the reading of free space may be */
    SETTLE_MS = 1000, /* without a commit: then the database is made complete without its journal */
};
#define SPACE_FLOOR_DEFAULT_BYTES (64ull << 20)

struct turn {
    struct loop *loop;
    struct store_env *env;
    char *dir;
    struct store_txn *txn;      /* NULL: nothing written in this turn yet */
    bool put_failed;            /* a change in txn failed */
    int failure;                /* first STORE_E* of this turn, 0: none */
    struct turn_waiter waiting; /* ring head: told after this turn's commit */
    struct turn_waiter telling; /* ring head: being told now */
    bool is_healthy, above_floor;
    uint64_t floor_bytes;
    int64_t space_checked_us;
    loop_fn *before_commit;
    void *before_commit_arg;
    loop_fn *fatal;
    void *fatal_arg;
    struct turn_stats stats;
    struct histogram commit_times;
    struct loop_timer settle; /* set while the environment is behind its journal */
    uint64_t settle_commits;  /* stats.commits when it was set */
};

static void
ring_init(struct turn_waiter *head)
{
    head->next = head->prev = head;
}

static void
ring_add(struct turn_waiter *head, struct turn_waiter *w)
{
    w->prev = head->prev;
    w->next = head;
    head->prev->next = w;
    head->prev = w;
    w->queued = true;
}

static void
ring_remove(struct turn_waiter *w)
{
    w->prev->next = w->next;
    w->next->prev = w->prev;
    w->next = w->prev = NULL;
    w->queued = false;
}

static void
ring_take(struct turn_waiter *to, struct turn_waiter *from)
{
    while (from->next != from) {
        struct turn_waiter *w = from->next;
        ring_remove(w);
        ring_add(to, w);
    }
}

static void
tell(struct turn *t, int result)
{
    /* Whoever waits from inside a callback waits for the next turn. */
    ring_take(&t->telling, &t->waiting);
    while (t->telling.next != &t->telling) {
        struct turn_waiter *w = t->telling.next;
        ring_remove(w);
        t->stats.waiters++;
        w->fn(w->arg, result);
    }
}

static bool
has_space(struct turn *t)
{
    int64_t now = clock_mono_us();
    if (t->space_checked_us != 0 && now - t->space_checked_us < SPACE_CHECK_US)
        return t->above_floor;
    struct statvfs fs;
    bool above =
        statvfs(t->dir, &fs) != 0 || (uint64_t) fs.f_bavail * fs.f_frsize >= t->floor_bytes;
    if (above != t->above_floor)
        log_warn("store",
                 above ? "free space is above the floor again: writes are accepted floor_bytes=%llu"
                       : "free space is below the floor: writes are refused floor_bytes=%llu",
                 (unsigned long long) t->floor_bytes);
    t->above_floor = above;
    t->space_checked_us = now;
    return above;
}

static int
commit(struct turn *t)
{
    struct store_txn *txn = t->txn;
    t->txn = NULL;
    if (t->put_failed && t->failure == 0)
        t->failure = STORE_EIO;
    if (t->failure != 0) {
        store_abort(txn);
        return t->failure;
    }
    int64_t start = clock_mono_us();
    int rc = store_commit(txn);
    int64_t took = clock_mono_us() - start;
    t->stats.commits++;
    t->stats.commit_us += took;
    histogram_add(&t->commit_times, took);
    if (took > t->stats.longest_commit_us)
        t->stats.longest_commit_us = took;
    return rc;
}

/* A disk that refuses although there is space will not get better: the supervisor must restart us
 * (invariant 12). */
static void
judge(struct turn *t, int rc)
{
    if (rc == 0) {
        if (!t->is_healthy)
            log_info("store", "commits succeed again");
        t->is_healthy = true;
        return;
    }
    if (t->is_healthy)
        log_error("store", "commit refused, nothing of this turn was stored error=\"%s\"",
                  store_strerror(rc));
    t->is_healthy = false;
    t->stats.failed_commits++;
    t->space_checked_us = 0;
    if (((rc == STORE_EIO && has_space(t)) || store_env_is_broken(t->env)) && t->fatal != NULL)
        t->fatal(t->fatal_arg);
}

static void
settle_later(struct turn *t)
{
    if (!store_env_is_behind(t->env) || loop_timer_is_set(&t->settle))
        return;
    t->settle_commits = t->stats.commits;
    loop_timer_set_ms(&t->settle, SETTLE_MS);
}

/* A second without a commit, or a checkpoint was refused and is tried again. */
static void
on_settle(void *arg)
{
    struct turn *t = arg;
    bool is_idle = t->txn == NULL && t->stats.commits == t->settle_commits;
    int rc = is_idle && (t->is_healthy || has_space(t)) ? store_env_checkpoint(t->env) : 0;
    if (rc != 0)
        judge(t, rc);
    settle_later(t);
}

static void
on_turn_end(void *arg)
{
    struct turn *t = arg;
    int rc = 0;
    if (t->txn != NULL && t->before_commit != NULL)
        t->before_commit(t->before_commit_arg);
    if (t->txn != NULL) {
        rc = commit(t);
        judge(t, rc);
    } else if (t->failure != 0) {
        rc = t->failure;
    }
    t->failure = 0;
    t->put_failed = false;
    settle_later(t);
    tell(t, rc);
}

struct turn *
turn_new(struct loop *l, struct store_env *env, const char *dir)
{
    struct turn *t = mem_new(1, sizeof(*t));
    t->loop = l;
    t->env = env;
    t->dir = mem_strdup(dir);
    t->is_healthy = t->above_floor = true;
    t->floor_bytes = SPACE_FLOOR_DEFAULT_BYTES;
    t->commit_times.bounds = &histogram_times_us;
    ring_init(&t->waiting);
    ring_init(&t->telling);
    loop_timer_init(&t->settle, l, on_settle, t);
    loop_on_turn_end(l, on_turn_end, t);
    return t;
}

void
turn_abort(struct turn *t)
{
    if (t == NULL)
        return;
    do { /* who is told may write or wait again */
        store_abort(t->txn);
        t->txn = NULL;
        t->failure = 0;
        t->put_failed = false;
        tell(t, STORE_EIO);
    } while (t->txn != NULL);
}

void
turn_free(struct turn *t)
{
    if (t == NULL)
        return;
    turn_abort(t);
    loop_timer_done(&t->settle);
    free(t->dir);
    free(t);
}

struct store_env *
turn_env(struct turn *t)
{
    return t->env;
}

struct store_txn *
turn_txn(struct turn *t)
{
    if (t->txn != NULL)
        return t->txn;
    int rc = store_begin_write(t->env, &t->txn);
    if (rc != 0) {
        t->txn = store_begin_failed(t->env);
        turn_fail(t, rc);
    }
    store_watch_failures(t->txn, &t->put_failed);
    loop_end_turn(t->loop);
    return t->txn;
}

void
turn_fail(struct turn *t, int code)
{
    if (t->failure == 0)
        t->failure = code;
    loop_end_turn(t->loop);
}

void
turn_wait(struct turn *t, struct turn_waiter *w)
{
    if (w->queued)
        return;
    ring_add(&t->waiting, w);
    loop_end_turn(t->loop);
}

void
turn_forget(struct turn *t, struct turn_waiter *w)
{
    (void) t; /* the rings need no head to remove */
    if (w->queued)
        ring_remove(w);
}

struct store_txn *
turn_read(struct turn *t)
{
    struct store_txn *txn = NULL;
    int rc = store_begin_read(t->env, &txn);
    if (rc != 0)
        log_error("store", "cannot begin reading error=\"%s\"", store_strerror(rc));
    return txn;
}

bool
turn_accepts_writes(struct turn *t)
{
    return has_space(t);
}

void
turn_doubt_space(struct turn *t)
{
    t->space_checked_us = 0;
}

void
turn_set_floor(struct turn *t, uint64_t floor_bytes)
{
    t->floor_bytes = floor_bytes;
    t->space_checked_us = 0;
}

void
turn_on_fatal(struct turn *t, loop_fn *fn, void *arg)
{
    t->fatal = fn;
    t->fatal_arg = arg;
}

void
turn_on_commit(struct turn *t, loop_fn *fn, void *arg)
{
    t->before_commit = fn;
    t->before_commit_arg = arg;
}

bool
turn_is_healthy(struct turn *t)
{
    return t->is_healthy;
}

struct turn_stats
turn_stats(const struct turn *t)
{
    return t->stats;
}

const struct histogram *
turn_commit_times(const struct turn *t)
{
    return &t->commit_times;
}
