#pragma once
/* The log of status changes: what streams resume from. Private to the folder; read through
 * queue.h.
 *
 * A row of TABLE_TASK_CHANGES is a run: one change each of a set of tasks, numbered upwards from
 * its key in the order of their uids. So the enqueueing of a thousand tasks, the start of a batch
 * and its end are a row each, written in the transaction that makes them true. */
#include "queue/queue_internal.h"

/* Each appends to this turn's transaction; readers are woken after the commit. 0 or negative. */

/* A new task. Those that are enqueued one after the other share a run. */
int changes_add_new(struct queue *q, uint32_t uid);
/* A task beside the batches, as it is now. */
int changes_add_beside(struct queue *q, const struct task *t);
/* Of the running batch's members; a start notes the batch and its time. added: also those that were
 * not picked. */
int changes_add_run(struct queue *q, enum change_kind kind, const struct run *r, bool added);
