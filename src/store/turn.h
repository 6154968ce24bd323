#pragma once
/* The main environment's one write transaction a loop turn (invariants 1, 2, 12).
 *
 * The first turn_txn() of a turn opens the transaction and asks for the end of the turn; there it
 * is committed, then everybody who waits is told the result, in the order of waiting. A failing put
 * poisons the turn (turn_fail): the transaction is aborted instead and every waiter gets the error.
 * So validate first, write last. */
#include "loop/loop.h"
#include "store/env.h"

struct turn;

/* dir: data directory, watched for free space. Takes neither loop nor env. */
struct turn *turn_new(struct loop *l, struct store_env *env, const char *dir);
/* Gives the turn up: aborts an open transaction and tells every waiter STORE_EIO. The first step of
 * a teardown, while those who wait are still whole. NULL accepted. */
void turn_abort(struct turn *t);
void turn_free(struct turn *t); /* turn_abort(), then frees; NULL accepted */

struct store_env *turn_env(struct turn *t);
/* The write transaction of this turn, never NULL: when the store cannot begin one the turn is
 * poisoned and every operation on the returned transaction fails. */
struct store_txn *turn_txn(struct turn *t);
/* Marks the turn as failed with a STORE_E* code (kept: the first one). */
void turn_fail(struct turn *t, int code);

/* Waits for the commit of this turn: fn(arg, 0) when durable, fn(arg, STORE_E*) when nothing of the
 * turn happened. Without an open transaction the call comes at the end of this turn all the same,
 * with 0. The struct is the caller's and must live until called or turn_forget()ten. Called at most
 * once a wait; fn may start new waits. */
struct turn_waiter {
    void (*fn)(void *arg, int result);
    void *arg;
    struct turn_waiter *next, *prev; /* private */
    bool queued;
};
void turn_wait(struct turn *t, struct turn_waiter *w);
void turn_forget(struct turn *t, struct turn_waiter *w); /* harmless when not waiting */

/* A read transaction on the last committed state; end it with store_abort() inside the same
 * callback. NULL when the store refuses (logged). */
struct store_txn *turn_read(struct turn *t);

/* Whether new work may be accepted: false below the floor of free space. Cancelation, deletion and
 * deliveries ignore it. After a refused commit the next transaction is the probe: the server stays
 * open for it. */
bool turn_accepts_writes(struct turn *t);
/* The disk was found full elsewhere: the next question measures free space anew, which is done
 * every 200 ms otherwise. */
void turn_doubt_space(struct turn *t);
/* The floor of free space in bytes (default 64 MiB). */
void turn_set_floor(struct turn *t, uint64_t floor_bytes);
/* fn(arg) when the disk failed for good although it has space: the process must end (invariant 12).
 */
void turn_on_fatal(struct turn *t, loop_fn *fn, void *arg);
/* False from a refused commit until the next successful one. */
bool turn_is_healthy(struct turn *t);

/* fn(arg) before each commit, while the turn's transaction is open: the last chance to write what
 * was collected. Called for a turn that has failed as well. One caller a turn. */
void turn_on_commit(struct turn *t, loop_fn *fn, void *arg);

struct turn_stats {
    uint64_t commits, failed_commits, waiters;
    int64_t commit_us, longest_commit_us;
};
struct turn_stats turn_stats(const struct turn *t);
const struct histogram *turn_commit_times(const struct turn *t); /* microseconds each */
