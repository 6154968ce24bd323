#pragma once
/* A queue on a real store in a directory of its own, with an operation and hooks that the tests
 * steer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "queue/queue.h"

/* What the operation was asked to do. */
enum stage {
    STAGE_NONE,
    STAGE_PREPARE,
    STAGE_STEP,
    STAGE_COMMIT,
    STAGE_FINISH,
    STAGE_RECOVER,
    STAGE_ABORT,
    STAGE_DONE,
    STAGES
};

enum { MAX_WATCHED = 1024, MAX_ANNOUNCED = 64 };

struct fixture {
    char dir[64];
    struct loop *loop;
    struct store_env *env;
    struct turn *turn;
    struct payload_dir *payloads;
    struct queue *queue;
    struct queue_conf conf;
    struct loop_timer poll;
    bool (*until)(struct fixture *f);
    bool timed_out;
    int64_t give_up_us;

    /* the operation */
    enum stage hold;          /* PREPARE, STEP: more to do; FINISH: refused */
    enum stage fail;          /* PREPARE, STEP, COMMIT, RECOVER */
    const char *fail_message; /* NULL: no error is set */
    uint32_t fail_member;     /* TASK_NONE: none; fails alone */
    unsigned calls[STAGES];
    uint64_t applied_run; /* what an index environment would hold */
    uint32_t steps;       /* calls of step a member needs */
    uint32_t rename_below;
    const char *rename_a, *rename_b; /* done by finish, not NULL */
    unsigned states;                 /* operations that hold memory now */

    bool stop_when_done; /* a plain operation ends loop_run() with its finishing commit */

    /* the hooks */
    bool index_exists;
    const char *index_key;
    bool listens, must_wait, announce_inside;
    bool event_refused; /* once */
    struct buf lines;   /* of finished events, newline after each, "--" after an event */
    unsigned events, discarded, open_events;
    uint32_t announced[MAX_ANNOUNCED];
    unsigned n_announced;

    /* statuses only go forward, unless rolled back */
    bool watches;
    enum task_status watched[MAX_WATCHED];
};

int fixture_setup(void **state);
int fixture_teardown(void **state);
void fixture_open(struct fixture *f); /* everything but queue_start() */
void fixture_start(struct fixture *f);
void fixture_close(struct fixture *f); /* as if the process ended here */
void fixture_restart(struct fixture *f);

/* Runs the loop until the condition holds; fails after some seconds. */
void run_until(struct fixture *f, bool (*until)(struct fixture *f));
bool is_settled(struct fixture *f); /* nothing enqueued, nothing runs */
bool is_holding(struct fixture *f); /* the operation is called in its held stage */
void run_turns(struct fixture *f,
               int n); /* so many turns of the loop, to see that nothing happens */

/* Adding: uid of the task; the turn is not over yet. */
uint32_t add_import(struct fixture *f, const char *index_uid);
uint32_t add_task(struct fixture *f, const struct task_new *n);
uint32_t add_cancelation(struct fixture *f, const char *matched);
uint32_t add_role(struct fixture *f, enum task_kind kind, enum task_role role,
                  const char *index_uid);

/* Reading. */
const char *task_json(struct fixture *f,
                      uint32_t uid); /* valid until the next call; "" when none */
const char *batch_json(struct fixture *f, uint32_t uid);
enum task_status status_of(struct fixture *f, uint32_t uid);
uint32_t batch_of(struct fixture *f, uint32_t uid);
uint64_t rows_in(struct fixture *f, int table);
void expect_in(const char *text, const char *part);
