#pragma once
/* The task queue and its scheduler: one batch at a time, picked, run in slices, finished in one
 * commit (invariants 1-6, 13).
 *
 *  IDLE -> PICK -> OPEN (run record committed) -> RUN -> COMMIT (index env) | ROLLBACK -> FINISH
 * (main env) -> WAIT -> IDLE
 *
 * queue/ does not know what a task kind does (struct batch_op, registered by ops/), nor webhooks
 * (struct queue_hooks, set by app/). */
#include "loop/loop.h"
#include "queue/batch.h"
#include "queue/progress.h"
#include "queue/uidmap.h"
#include "queue/uidset.h"
#include "store/payload.h"
#include "store/turn.h"

struct queue;
struct batch_run;

/* One member of a running batch; the op fills the outcome. */
struct batch_member {
    uint32_t uid;
    /* TASK_SUCCEEDED, TASK_FAILED or TASK_CANCELED; TASK_PROCESSING while undecided */
    enum task_status outcome;
    /* Final details JSON (owned). NULL: unchanged after success; task_fail_details() otherwise. */
    char *details;
    struct err error; /* with TASK_FAILED */
    bool is_picked;   /* false: added by batch_run_add_member() */
};

/* How a batch is carried out; one row a batch operation, registered by ops/. All run on the loop;
 * none may block except commit (an fsync). A negative result of prepare, step or commit rolls the
 * batch back: abort is called, then every member fails with run->err (an internal error when none
 * was set); a member that already has TASK_FAILED keeps its own error, and added members are left
 * alone. */
struct batch_op {
    const char *name;
    /* Opens what it needs. OP_DONE: go on with step; OP_MORE: waits (for a commit), call again next
     * slice. NULL: OP_DONE */
    int (*prepare)(struct batch_run *run);
    /* Works until deadline_us: OP_MORE or OP_DONE. NULL: OP_DONE */
    int (*step)(struct batch_run *run, int64_t deadline_us);
    /* Makes effects durable in the index environment, with run->run_id and every outcome. NULL:
     * touches none. Outcomes and details are final afterwards. */
    int (*commit)(struct batch_run *run);
    /* The main environment's half, in the finishing transaction; also after a restart when recover
     * said so. Called again when that transaction was refused. 0 or STORE_E*. NULL: none */
    int (*finish)(struct batch_run *run, struct store_txn *txn);
    /* After a start: 1 when the index environment holds run->run_id (outcomes are filled in), 0
     * when it does not (run->state stays NULL), negative: cannot tell now, asked again later. NULL:
     * 0 */
    int (*recover)(struct batch_run *run);
    /* Gives up what is not committed and frees run->state: before commit (a cancelation, the end of
     * the process), after a refused one, or when the process ends between commit and finish. */
    void (*abort)(struct batch_run *run);
    /* The finishing commit is durable: unlink what is no longer needed, free run->state. Not called
     * after abort. */
    void (*done)(struct batch_run *run);
};
enum { OP_DONE = 0, OP_MORE = 1 };

/* What picking decided to run. */
enum batch_type {
    BATCH_DOCUMENTS,
    BATCH_SETTINGS,
    BATCH_INDEX_CREATION,
    BATCH_INDEX_UPDATE,
    BATCH_INDEX_SWAP,
    BATCH_INDEX_DELETION, /* alone or at the end of a document or settings batch */
    BATCH_TASK_CANCELATION,
    BATCH_TASK_DELETION,
    BATCH_INDEX_DEPLOY,
    BATCH_REPORT,
    BATCH_INDEX_COMPACTION,
    BATCH_TYPES
};

struct batch_run {
    struct queue *queue;
    const struct batch_op *op;
    enum batch_type type;
    uint64_t run_id; /* never used again */
    uint32_t batch_uid;
    int64_t started_at_ns;
    char *index_uid;              /* NULL for global batches */
    bool may_create_index;        /* of the first task (contract 4.2) */
    struct batch_member *members; /* ascending uid, the added ones among the picked */
    size_t n_members;
    struct err err;
    void *state; /* the op's own */
};
/* Where the batch is (contract 3.3), for whoever looks: level 1 is a part of "processing tasks", 2
 * a part of that, at most PROGRESS_LEVELS - 1. Steps of deeper levels end with it. */
void batch_run_step(struct batch_run *run, unsigned level, const struct progress_step *step);
/* The step of that level, or NULL. */
const struct progress_step *batch_run_step_of(const struct batch_run *run, unsigned level);
/* Adds a task that this batch changes though it was not picked (canceled by a cancelation). Keeps
 * the order. */
void batch_run_add_member(struct batch_run *run, uint32_t uid, enum task_status outcome,
                          char *take_details);

struct index_facts {
    bool exists;
    char *primary_key; /* owned by the caller after the call, NULL: none */
};

struct queue_hooks {
    void *arg;
    /* What picking must know of an index. 0 or negative. */
    int (*index_facts)(void *arg, struct store_txn *txn, struct str index_uid,
                       struct index_facts *ret);
    /* The event of a finished batch. begin: NULL when nobody listens. add: one final task with its
     * rendered JSON line (no newline), ascending uid, possibly over several turns. finish: the
     * event and its deliveries, in the finishing transaction. Each of finish and discard consumes
     * the builder. */
    void *(*event_begin)(void *arg, uint32_t batch_uid);
    int (*event_add)(void *builder, struct store_txn *txn, const struct task *t, struct str line);
    /* Before the first add, in the order of turns: what is to be told of the batch besides its
     * tasks and may be long. 1: again in the next turn, 0, or negative. May be NULL. */
    int (*event_step)(void *builder, struct store_txn *txn, const struct batch_run *run);
    int (*event_finish)(void *builder, struct store_txn *txn);
    void (*event_discard)(void *builder);
    /* The finishing commit is durable. True: start no new batch until queue_announced(). */
    bool (*announce)(void *arg, uint32_t batch_uid);
    /* A task with ROLE_BESIDE is durable. */
    void (*beside_added)(void *arg);
    /* More tasks are stored than are to be kept: a deletion of so many of the oldest finished ones
     * may be added. May be NULL. */
    void (*too_many)(void *arg, struct store_txn *txn, uint64_t n);
    /* Statuses have changed and that is durable: queue_changes_next() finds more. May be NULL. */
    void (*changed)(void *arg);
};

struct queue_conf {
    uint64_t max_batched_tasks; /* 0: the scheduler never runs; UINT64_MAX: unlimited */
    uint64_t max_batched_bytes;
    /* Batches with more members are finished in pieces (invariant 13). 0: 1,000 */
    uint32_t max_finish_at_once;
    uint64_t max_tasks; /* so many: hooks.too_many. 0: no limit */
    uint64_t max_bytes; /* of tasks on disk; new ones are refused then. 0: no limit */
};

struct queue *queue_new(struct loop *l, struct turn *turn, struct payload_dir *payloads,
                        const struct queue_conf *conf, struct err *err);
void queue_free(struct queue *q);
void queue_set_hooks(struct queue *q, const struct queue_hooks *hooks);
void queue_register_op(struct queue *q, enum batch_type type, const struct batch_op *op, void *arg);
void *queue_op_arg(const struct batch_run *run); /* the arg given with the op */
/* Recovers what a crash left and starts scheduling. wait_first: a pause from before the restart is
 * still owed; it ends with the first queue_announced() of a batch from before the start. */
int queue_start(struct queue *q, bool wait_first, struct err *err);
/* First attempts of that batch's deliveries have ended. */
void queue_announced(struct queue *q, uint32_t batch_uid);
/* No new batch; the running one is finished when it is past its commit, else rolled back at the end
 * of its slice; done(arg) once nothing runs (possibly at once, from inside). */
void queue_stop(struct queue *q, loop_fn *done, void *arg);

/* --- adding
 * ----------------------------------------------------------------------------------------------------------
 */
struct task_new {
    enum task_kind kind;
    enum task_role role;
    struct str index_uid; /* data NULL: none */
    const struct str *also_indexes;
    uint32_t n_also_indexes;
    struct str details;                      /* JSON */
    struct str params;                       /* JSON or data NULL */
    struct str custom_metadata, primary_key; /* data NULL: none */
    bool allow_index_creation;
    const struct payload *payload; /* NULL: none */
    const struct uidmap *matched;  /* cancelations and deletions: what they match; else NULL */
    bool is_done; /* its work is this transaction: recorded as succeeded, in no batch */
};
/* Writes the task into this turn's transaction; the caller replies after the turn's commit
 * (turn_wait). The summary JSON is appended to ret_summary (may be NULL). Negative with err when
 * refused (not accepting writes: no_space_left_on_device; cancelations and deletions are accepted
 * all the same). The scheduler wakes by itself after the commit. */
int queue_add(struct queue *q, const struct task_new *n, uint32_t *ret_uid, struct buf *ret_summary,
              struct err *err);

/* --- idempotency keys (contracts.md 4, README): remembered for 24 h, at most a fixed number
 * ------------------------------ */
struct idempotency {
    uint8_t key[32]; /* sha-256 of caller scope, method, path and key */
};
enum idempotency_state { IDEMPOTENCY_NEW, IDEMPOTENCY_IN_FLIGHT, IDEMPOTENCY_KNOWN };
/* NEW: the caller owns the key until queue_idempotency_end. KNOWN: the stored request digest and
 * answer. */
enum idempotency_state queue_idempotency_begin(struct queue *q, const struct idempotency *k,
                                               uint8_t ret_digest[32], struct buf *ret_answer);
/* Stores digest and answer in this turn's transaction, next to the task. */
int queue_idempotency_store(struct queue *q, const struct idempotency *k, const uint8_t digest[32],
                            struct str answer);
void queue_idempotency_end(struct queue *q, const struct idempotency *k);

/* The uid that the next task gets. */
uint32_t queue_next_uid(const struct queue *q);

/* --- reading: with a transaction from turn_read(); the running batch is overlaid
 * ---------------------------------------- */
int queue_task_get(struct queue *q, struct store_txn *txn, uint32_t uid,
                   struct task *ret); /* 1 / 0 / negative */
/* The task with the greatest uid <= at (or, ascending, the least >= at): 1 / 0 / negative. */
int queue_task_seek(struct queue *q, struct store_txn *txn, uint32_t at, bool ascending,
                    struct task *ret);
uint64_t queue_task_total(struct queue *q, struct store_txn *txn);
int queue_batch_get(struct queue *q, struct store_txn *txn, uint32_t uid, struct batch *ret);
int queue_batch_seek(struct queue *q, struct store_txn *txn, uint32_t at, bool ascending,
                     struct batch *ret);
uint64_t queue_batch_total(struct queue *q, struct store_txn *txn);
/* The index whose documents the running batch changes, NULL when none: isIndexing. */
const char *queue_busy_index(const struct queue *q);

/* What a cancelation or deletion matched when it was added: 0 or negative. uidmap_done() it. */
int queue_matched(struct store_txn *txn, uint32_t uid, struct uidmap *ret);
/* The least uid >= at of the set (NULL: of all) that is not finished, past the running batch: 1 / 0
 * / negative. */
int queue_next_enqueued(struct store_txn *txn, const struct uidmap *set, uint32_t at,
                        uint32_t *ret);
/* The oldest finished tasks, at most max: 0 or negative. uidmap_done() it. */
int queue_oldest_finished(struct store_txn *txn, uint64_t max, struct uidmap *ret);

/* --- deleting tasks (for the op): which, by the sets of the batch's deletions; then it is so with
 * the finishing transaction, and their rows go by themselves */
struct task_deletion;
struct task_deletion *task_deletion_new(struct queue *q);
void task_deletion_free(struct task_deletion *d); /* NULL accepted */
/* Adds the finished tasks that the deletion `uid` matches and none before it did; counts them. 1:
 * call again with the same uid; 0: done; negative. */
int task_deletion_add(struct task_deletion *d, struct store_txn *txn, uint32_t uid,
                      int64_t deadline_us, uint64_t *add_to);
/* After the last: finds the batches that go along. The same results. */
int task_deletion_gather(struct task_deletion *d, struct store_txn *txn, int64_t deadline_us);
int task_deletion_finish(struct task_deletion *d, struct store_txn *txn); /* 0 or negative */
void task_deletion_done(struct task_deletion *d);                         /* that is durable */

/* For swaps and renames: exchanges the index uids a and b in every task with uid < below (contract
 * 4.6), in the details of earlier swaps too. Shows as soon as txn is committed; the rows follow
 * before the next batch. Several calls with the same below are one swap: no uid twice. */
int queue_rename_indexes(struct queue *q, struct store_txn *txn, struct str a, struct str b,
                         uint32_t below);
/* The payload files that enqueued tasks still need, for sweeping the others at the start: 0 or
 * negative. */
int queue_payload_files(struct store_txn *txn, void (*fn)(void *arg, const struct uuid *file),
                        void *arg);
/* The bytes of an inline payload: 1 / 0 / negative. */
int queue_payload_inline(struct store_txn *txn, uint32_t uid, struct str *ret);

/* --- tasks beside the batches -------------------------------------------------------------------
 * With ROLE_BESIDE a task is in no batch and makes no event: somebody else carries it out, in
 * pieces of his own, and keeps its record. Canceling it is the queue's, as for every task. */

/* The unfinished one with the least uid >= at: 1 with ret, 0, or negative. */
int queue_beside_next(struct queue *q, struct store_txn *txn, uint32_t at, struct task *ret);
uint64_t queue_beside_count(struct queue *q, struct store_txn *txn, uint64_t max);
/* In this turn's transaction, before anything is done for it: 1 while the task is to be carried
 * out, 0 when it was canceled or is about to be, negative. */
int queue_beside_is_wanted(struct queue *q, struct store_txn *txn, uint32_t uid);
/* Stores what it shows now (details, params, status, times); with a final status that is its end. 0
 * or negative. */
int queue_beside_put(struct queue *q, struct store_txn *txn, struct task *t);

/* --- changes of status ---------------------------------------------------------------------------
 * Each has a number, 1 for the first ever, never used again; of a batch's they are in the order of
 * uids. About a million are kept, across restarts. */

enum change_kind {
    CHANGE_ENQUEUED, /* new, or its batch was rolled back */
    CHANGE_STARTED,
    CHANGE_ENDED,
    CHANGE_KINDS
};
struct queue_change {
    uint64_t number;
    uint32_t uid;
    enum change_kind kind;
    uint32_t batch_uid;    /* of CHANGE_STARTED; TASK_NONE for a task beside the batches */
    int64_t started_at_ns; /* the same */
};
/* Kept are the numbers from first on; end is the next one to be given out. 0 or negative. */
int queue_changes_bounds(struct store_txn *txn, uint64_t *ret_first, uint64_t *ret_end);
/* Reads changes from `at` on, which must be kept. A zeroed one with its `at` set is ready; setting
 * `at` again moves it. Holds memory of the run it is in until change_reader_done. */
struct change_reader {
    uint64_t at; /* the number that comes next */
    /* private */
    uint64_t first, end, passed;
    struct uidset set;
    size_t range;
    struct queue_change change;
};
/* 1, 0 when there is none yet, negative. */
int queue_changes_next(struct change_reader *r, struct store_txn *txn, struct queue_change *ret);
void change_reader_done(struct change_reader *r); /* keeps `at` */
/* Makes the task, as queue_task_get reads it now, what it was right after the change. False when
 * the change is not to be seen any more. */
bool queue_change_show(const struct queue_change *c, struct task *t);

struct queue_stats {
    uint64_t enqueued;     /* committed and not running */
    uint64_t batches;      /* finished since the start */
    bool running, waiting; /* waiting: paused at the batch boundary */
    uint32_t running_batch_uid;
};
struct queue_stats queue_stats(struct queue *q);
const struct histogram *queue_batch_sizes(const struct queue *q); /* tasks of finished batches */
const struct histogram *queue_batch_times(const struct queue *q); /* microseconds, from the start */
/* The bytes that tasks and batches take in the store, and how many they may (0: no limit). */
uint64_t queue_size(const struct queue *q, struct store_txn *txn, uint64_t *ret_max);
/* When the oldest unfinished task was enqueued: 1, 0 when there is none, negative. */
int queue_oldest_unfinished(struct queue *q, struct store_txn *txn, int64_t *ret_enqueued_at_ns);
/* How many tasks are attached to an index, are of a kind, have a status. 0 or negative. */
int queue_count_index(struct store_txn *txn, struct str uid, uint64_t *ret);
int queue_count_kind(struct store_txn *txn, enum task_kind kind, uint64_t *ret);
int queue_count_status(struct queue *q, struct store_txn *txn, enum task_status status,
                       uint64_t *ret);
