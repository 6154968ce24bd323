#pragma once
/* What the files of the queue share; nobody else includes it.
 *
 * add.c      adding tasks, and cancelations reaching the running batch
 * read.c     reading, with the running batch laid over the stored rows
 * pick.c     which tasks run next
 * run.c      the running batch in memory, and the run record; progress.c where it is
 * crash.c    the guard against crash loops
 * scheduler.c  the state machine
 * finish.c   the finishing commit, the move of a large batch's results
 * beside.c   tasks that no batch holds
 * changes.c  the log of status changes
 * sets.c, times.c, bits.c, marks.c  which tasks are what; query.c answers from them
 * deletion.c deleting tasks; limits.c when, and when no more are taken
 * rename.c, idempotency.c */
#include "queue/autobatch.h"
#include "queue/queue.h"
#include "queue/sets.h"
#include "store/tables.h"

#define LOG_TARGET "queue"

/* Rows of TABLE_META. */
#define META_RUN_ID STR("queue.run_id") /* u64: the last run id given out */
#define META_RUN STR("queue.run")       /* the run record, while a batch runs */
#define META_APPLY STR("queue.apply")   /* TABLE_TASK_RESULTS is visible and being moved */
#define META_RENAME STR("queue.rename") /* index uids of older tasks are being exchanged */
#define META_CRASHES STR("queue.crash") /* the crash guard */

enum {
    FINISH_AT_ONCE = 1000,  /* members of a batch that is finished in one transaction */
    FINISH_PIECE = 512,     /* rows a turn when it is not */
    RENAME_US = 1000,       /* of renaming in a turn, */
    RENAME_PAUSE_MS = 2,    /* then time for whoever else waits */
    RETRY_FIRST_MS = 50,    /* after a refused commit ... */
    RETRY_LAST_MS = 10000,  /* ... doubling up to this */
    HOLD_MS = 1000,         /* below the floor of free space: look again after */
    CRASHES_OF_A_GROUP = 2, /* invariant 3: then its tasks are tried one by one */
    CRASHES_OF_A_TASK = 2,  /* alone; then it fails */
    SPACE_TRIES = 10,       /* of a batch that met a full disk while there seems to be room */
    RECOVER_TRIES = 6, /* to read an index after a crash, 1.5 s in all; then the run is repeated */
    SLICE_CHECK_EVERY = 16, /* rows between two looks at the clock */
};

/* Scheduler states; rows in scheduler.c. */
enum queue_state {
    QUEUE_OFF, /* queue_start() was not called */
    QUEUE_IDLE,
    QUEUE_PICK,
    QUEUE_LOAD, /* members are read, for the batch's counts */
    QUEUE_OPEN, /* the run record's commit is awaited */
    QUEUE_RECOVER,
    QUEUE_PREPARE,
    QUEUE_RUN,
    QUEUE_COMMIT,
    QUEUE_FINISH,      /* from here on nothing cancels */
    QUEUE_FINISH_WAIT, /* a piece of the finishing is being committed */
    QUEUE_DROP,        /* the removal of the run record is being committed */
    QUEUE_APPLY,
    QUEUE_APPLY_WAIT,
    QUEUE_RENAME, /* older tasks get their new index uids */
    QUEUE_RENAME_WAIT,
    QUEUE_RETRY, /* the timer resumes in retry_state */
    QUEUE_STOPPED,
    QUEUE_STATES
};

/* The running batch. */
struct run {
    struct batch_run pub; /* first: ops see only this */
    size_t members_cap;
    char *strategy;
    struct batch batch; /* as shown while it runs */
    struct progress progress;
    size_t n_loaded;
    bool is_recovered;   /* from before the start */
    int recover_tries;   /* that failed */
    bool is_visible;     /* its tasks show as processing */
    bool op_entered;     /* prepare or recover was called: abort or done is owed */
    bool is_rolled_back; /* every member fails */
    bool waits_for_space;
};

/* The finishing of a batch. */
struct finishing {
    bool is_begun, is_last_piece, is_sliced;
    void *event;     /* builder, NULL: nobody listens */
    bool is_stepped; /* hooks.event_step has nothing more to say */
    struct batch batch;
    size_t at; /* members below are written */
    int64_t finished_at_ns;
    uint32_t canceler; /* of the members that are canceled; found once: it is the last of all */
};

/* What the tasks have in common whose results are being moved; in META_APPLY. */
struct applying {
    uint32_t batch_uid, canceler; /* canceler: of those that were canceled */
    int64_t started_at_ns, finished_at_ns;
};

struct uuid_list {
    struct uuid *items;
    size_t n, cap;
};

enum pick_source { PICK_FROM_INDEX, PICK_FROM_GROUP };
/* A walk over the queue rows of one index or one group of priority; resumed slice after slice. */
struct pick {
    bool is_begun;
    enum pick_source source;
    struct autobatch automaton;
    char *index_uid;   /* NULL: none */
    struct buf prefix; /* of the keys in TABLE_TASK_QUEUE_INDEX */
    struct buf strategy;
    uint64_t bytes;
    uint32_t *uids;
    size_t n, cap;
};
enum pick_result { PICK_NOTHING, PICK_MORE, PICK_DONE };

struct crash_guard {
    bool has_row; /* in TABLE_META */
    uint32_t group_crashes;
    struct uidset suspects;
    uint32_t task, task_crashes;
};

/* A row of TABLE_TASK_QUEUE. */
struct queue_row {
    enum task_role role;
    enum task_kind kind;
    char *index_uid, *primary_key; /* owned */
    bool allow;
    uint64_t payload_size;
    struct uuid payload_file;
};

enum { IN_FLIGHT_BUCKETS = 256 };
struct in_flight {
    struct in_flight *next;
    struct idempotency key;
};

/* Matched set of a cancelation whose commit is awaited. */
struct pending_cancel {
    uint64_t turn;
    struct uidmap matched;
};

struct queue {
    struct loop *loop;
    struct turn *turn;
    struct payload_dir *payloads;
    struct queue_conf conf;
    struct queue_hooks hooks;
    struct {
        const struct batch_op *op;
        void *arg;
    } ops[BATCH_TYPES];

    enum queue_state state, retry_state;
    struct loop_slice slice;
    bool woken; /* since the current step began */
    struct loop_timer timer;
    int64_t retry_ms;
    struct turn_waiter commit; /* the state machine waits for this turn */
    loop_fn *stop_fn;          /* not NULL: stopping */
    void *stop_arg;

    struct pick pick;
    struct run *run; /* NULL: none */
    int space_tries; /* that met a full disk since the last batch that did not */
    struct finishing finishing;
    bool is_applying; /* results are read from TABLE_TASK_RESULTS first */
    struct applying applying;
    bool is_renaming;         /* META_RENAME may exist */
    struct uuid_list files;   /* unlinked when the awaited commit is durable */
    struct uuid_list unlinks; /* to be unlinked, in slices */
    struct loop_slice unlinking;
    uint64_t last_run_id, n_batches;
    struct crash_guard crashes;

    uint32_t *awaited; /* batch uids that are not announced yet */
    size_t n_awaited;
    bool awaits_any; /* the pause from before the start */
    bool is_announcing, was_announced;
    uint32_t announcing;

    uint32_t next_uid;
    uint64_t added_turn; /* the turn of the last queue_add */
    bool has_new_beside; /* one with ROLE_BESIDE was added and not told */
    struct turn_waiter added;
    struct histogram batch_sizes, batch_times;
    uint64_t changed_turn; /* the turn of the last change of a status */
    struct turn_waiter changed;
    struct pending_cancel *cancels;
    size_t n_cancels;
    struct buf record; /* scratch */

    struct sets *sets;      /* changes of this turn, for its commit */
    uint64_t measured_turn; /* + 1; when is_full was found */
    bool is_full;           /* max_bytes are in use */
    bool is_deleting;       /* there may be tasks that are deleted though their rows are there */
    struct loop_slice cleaning;
    struct loop_timer clean_again;
    uint64_t n_cleaned; /* rows, for the log */
    struct turn_waiter cleaned;

    struct in_flight *in_flight[IN_FLIGHT_BUCKETS];
};

/* --- scheduler.c */
void queue_wake(struct queue *q);
void queue_set_state(struct queue *q, enum queue_state to);
/* Waits for this turn's commit in state to. */
void queue_await_commit(struct queue *q, enum queue_state to);
/* Resumes in state to after a pause that grows; when stopping, ends instead. */
void queue_retry(struct queue *q, enum queue_state to);
/* A cancelation of these tasks is on disk. */
void queue_canceled(struct queue *q, const struct uidmap *matched);
bool queue_is_pausing(const struct queue *q); /* invariant 5 */
void queue_announce(struct queue *q, uint32_t batch_uid);

/* --- add.c: rows of the queue tables */
/* Numbers the turns, to tell what belongs to the awaited turn from what came for the next one:
 * callbacks of the turn's end that run before ours may write already. */
uint64_t queue_turn_number(const struct queue *q);
int queue_load_counters(struct queue *q, struct store_txn *txn);
int queue_row_read(struct store_txn *txn, uint32_t uid, struct queue_row *ret); /* 1 / 0 / neg. */
int queue_row_decode(struct queue_row *ret, struct str record);
void queue_row_encode(struct buf *out, const struct queue_row *row);
void queue_row_done(struct queue_row *row);
/* The group in which tasks of this role are found (picked before all others, or carried out beside
 * the batches), NULL for the others; stands in TABLE_TASK_QUEUE_INDEX in the place of an index uid,
 * which never holds such characters. */
const char *queue_group(enum task_role role);
/* Appends the key prefix of an index's (or group's) rows. */
void queue_index_prefix(struct buf *out, struct str name);
int queue_index_put(struct store_txn *txn, struct str name, uint32_t uid);
int queue_index_delete(struct store_txn *txn, struct str name, uint32_t uid);
/* Deletes the rows that make the task an enqueued one, and its inline payload. */
int queue_rows_delete(struct store_txn *txn, const struct task *t);

/* --- read.c */
/* 1 / 0 / negative. */
int task_read(const struct queue *q, struct store_txn *txn, int table, uint32_t uid,
              struct task *ret);
int task_write(struct queue *q, struct store_txn *txn, int table, const struct task *t);
/* The greatest u32 key <= at or, ascending, the least >= at: 1 / 0 / negative. */
int queue_find_uid(struct store_txn *txn, int table, uint32_t at, bool ascending, uint32_t *ret);
/* Counts in an open transaction; 0 when the store refuses. */
uint64_t table_count(struct store_txn *txn, int table);

/* --- pick.c */
/* The first uid >= at under a key prefix of TABLE_TASK_QUEUE_INDEX: 1 / 0 / negative. */
int queue_next_of_prefix(struct store_cursor *c, struct str prefix, uint32_t at, uint32_t *ret);
/* PICK_DONE: q->run is set. PICK_NOTHING and negative: the pick was reset. */
int pick_step(struct queue *q, struct store_txn *txn, int64_t deadline_us);
void pick_reset(struct pick *p);

/* --- run.c */
struct run *run_new(struct queue *q, enum batch_type type, const uint32_t *uids, size_t n);
void run_free(struct run *r); /* NULL accepted; does not call the op */
bool run_has_picked(const struct run *r, uint32_t uid);
bool run_intersects(const struct run *r, const struct uidset *set);
bool run_is_matched(const struct run *r, const struct uidmap *matched);
/* Adds the picked members within a chunk; false when there is none. */
bool run_fill_picked(const struct run *r, uint32_t chunk, struct bits *add_to);
int run_record_put(struct queue *q, struct store_txn *txn, const struct run *r);
int run_record_load(struct queue *q, struct store_txn *txn, struct run **ret); /* 1 / 0 / neg. */
/* Reads members into r->batch until the deadline: 1 done, 0 more, negative. */
int run_load(struct run *r, struct store_txn *txn, int64_t deadline_us);
const char *run_type_name(enum batch_type type);
/* Calls the op's abort when one is owed. */
void run_abort_op(struct run *r);

/* --- crash.c */
int crash_load(struct queue *q, struct store_txn *txn);
/* The process ended during this run, before it was applied. */
int crash_note(struct queue *q, struct store_txn *txn, const struct run *r);
/* The run has ended: its members are no longer suspected. */
int crash_forget(struct queue *q, struct store_txn *txn, const struct run *r);
void crash_forgotten(struct queue *q); /* that is on disk */
bool crash_must_be_alone(const struct queue *q, uint32_t uid);
bool crash_is_hopeless(const struct queue *q, const struct run *r);

/* --- finish.c */
/* Writes the next piece into this turn's transaction. */
void finish_piece(struct queue *q);
void finish_committed(struct queue *q, int result);
void finish_reset(struct queue *q);
/* q->applying and its row: 0 or negative. */
int applying_load(struct queue *q, struct store_txn *txn);
int applying_put(struct queue *q, struct store_txn *txn);
void apply_piece(struct queue *q);
void apply_committed(struct queue *q, int result);
enum loop_slice_result unlink_step(void *arg, int64_t deadline_us);

/* --- rename.c */
/* Gives a task that was just read the index uids that it will have. */
int rename_show(const struct queue *q, struct store_txn *txn, struct task *t);
/* The tasks of a chunk that are attached to the index, as it will be: 1 / 0 / negative. */
int rename_read_index(const struct queue *q, struct store_txn *txn, struct str name, uint32_t chunk,
                      struct bits *ret);
/* Renames the next tasks: 1 when none is left, 0 when there are more, negative. */
int rename_piece(struct queue *q, struct store_txn *txn, int64_t deadline_us);

/* --- limits.c */
void limits_look(struct queue *q);
bool limits_are_full(struct queue *q);

/* --- upgrade.c */
/* At the start, before anything is read or written: 0 or negative. */
int upgrade_sets(struct queue *q);

/* --- deletion.c */
/* Whether the task's row is there though it is deleted: 1 / 0 / negative. */
int deletion_hides(const struct queue *q, struct store_txn *txn, enum set_kind kind, uint32_t uid);
/* Goes on with removing rows, when there are any. */
void deletion_clean(struct queue *q);
void deletion_init(struct queue *q);
void deletion_end(struct queue *q);
/* Finished tasks of a chunk that are not deleted: 0 or negative. */
int queue_read_finished(struct store_txn *txn, uint32_t chunk, struct bits *ret);

/* --- idempotency.c */
void in_flight_free(struct queue *q);
