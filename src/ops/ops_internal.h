#pragma once
/* What the files of ops/ share; nobody else includes it.
 *
 * ops.c         the object, facts for picking, the sweep at start
 * tasks.c       building tasks
 * details.c     task details
 * documents.c   document batches: their phases; members.c what one member does
 * applied.c     the applied record of an index environment
 * index_ops.c   indexCreation, indexUpdate; deletion.c indexDeletion; swap.c indexSwap
 * compaction.c  indexCompaction
 * cancel.c      taskCancelation; task_deletion.c taskDeletion
 * intake.c, ids.c, staged_items.c   uploads
 * staging.c, collector.c, deploy.c  staged operations: their rows, deleting dead ones, applying */
#include "index/catalog.h"
#include "ops/ops.h"

#define LOG_TARGET "ops"

struct ops {
    struct loop *loop;
    struct turn *turn;
    struct queue *queue;
    struct index_set *indexes;
    struct payload_dir *payloads;
    struct webhooks *webhooks;   /* NULL: nobody is told */
    struct collector *collector; /* of what is dead in staging */
};

/* The batch operations, one row each in ops.c. */
extern const struct batch_op documents_op, index_creation_op, index_update_op, index_swap_op,
    index_deletion_op, index_compaction_op, task_cancelation_op, task_deletion_op;

/* How many cheap items are handled between two looks at the clock. */
enum { OPS_CLOCK_EVERY = 16 };

/* --- details.c */
/* details (JSON object text) with the value of one member replaced; heap. */
char *details_with(const char *details, const char *name, uint64_t value);
/* The number of that name in details, 0 when there is none. */
uint64_t details_number(const char *details, const char *name);
/* The details of a failed or canceled task (contract 2.3); heap, NULL: unchanged. */
char *details_of_failed(const struct task *t);

/* --- stage.c */
struct deploy_details {
    bool is_done; /* otherwise only the keys are known */
    bool replaces_all;
    uint64_t n_ops, n_indexed, n_deleted;
};
void ops_write_deploy_details(struct buf *out, const struct deploy_details *d);

/* --- ops.c: for batch operations */
/* Loads member i's task: 0, or negative with run->err. */
int ops_load_task(struct batch_run *run, struct store_txn *txn, size_t i, struct task *ret);
/* A read transaction, or NULL with run->err. */
struct store_txn *ops_read(struct batch_run *run);
/* The outcome of a member; consumes details (NULL: unchanged). */
void ops_succeed(struct batch_member *m, char *take_details);
void ops_fail(struct batch_member *m, const struct task *t, const struct err *why);
/* Fails members from *at on with why until the deadline: OP_MORE, OP_DONE, or negative. */
int ops_fail_all(struct batch_run *run, size_t *at, const struct err *why, int64_t deadline_us);
/* A STORE_E* code as run->err; returns -1. */
int ops_store_error(struct batch_run *run, int code);
int ops_index_not_found(struct err *err, const char *index_uid);
int ops_index_exists(struct err *err, const char *index_uid);
/* Puts upstream's "Index `x`: " in front of the message. */
void ops_prefix_error(struct err *err, const char *index_uid);

/* --- collector.c: deletes dead staging rows and their files in pieces */
struct collector;
struct collector *collector_new(struct loop *l, struct turn *turn, struct payload_dir *payloads);
void collector_free(struct collector *c); /* NULL accepted */
void collector_wake(struct collector *c); /* looks after this turn's commit */

/* --- applied.c: what a document batch did, in the index environment */
struct applied {
    uint64_t run_id;
    int64_t updated_at_ns; /* 0: unchanged */
    char *primary_key;     /* set by this batch, NULL: none */
    struct index_totals totals;
};
void applied_done(struct applied *a);
void applied_write_outcome(struct buf *out, const struct batch_member *m);
/* outcomes: n_members of them. */
void applied_write(struct buf *out, const struct applied *a, struct str outcomes, size_t n_members);
/* 1 when the record is of this run (ret and every outcome are filled in), 0 when not, or
 * STORE_ECORRUPT. */
int applied_read(struct applied *ret, struct batch_run *run, struct str record);
