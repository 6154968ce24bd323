#pragma once
/* Which sets and columns a task or a batch stands in, kept in step with its row. Private to the
 * folder. Everything is collected until the turn's end (sets.h). 0 or negative. */
#include "queue/queue_internal.h"
#include "queue/sets.h"

int marks_add_task(struct queue *q, struct store_txn *txn, const struct task *t);
/* Before the row is replaced: what it says now is compared with what it will. Index uids are
 * marks_rename_task's. */
int marks_change_task(struct queue *q, struct store_txn *txn, const struct task *t);
int marks_remove_task(struct queue *q, struct store_txn *txn, const struct task *t);
/* The task leaves the index set `from` for `to`. */
int marks_rename_task(struct queue *q, struct store_txn *txn, uint32_t uid, struct str from,
                      struct str to);
/* A row of TABLE_TASK_RESULTS is written or removed. */
int marks_put_result(struct queue *q, struct store_txn *txn, const struct task *t, bool is_there);
int marks_drop_results(struct store_txn *txn); /* all */
int marks_put_batch(struct queue *q, struct store_txn *txn, const struct batch *b, bool is_there);
