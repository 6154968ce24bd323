#pragma once
/* Batches: their record and JSON (contract 3). */
#include "queue/task.h"

struct batch {
    uint32_t uid;
    int64_t started_at_ns, finished_at_ns; /* finished 0: still processing */
    /* of its tasks, as they were added; not in the record */
    int64_t first_enqueued_at_ns, last_enqueued_at_ns;
    char *details;           /* merged JSON object text once finished ("{}" at least), else NULL */
    struct details_sum *sum; /* private: the details while tasks are added, NULL when finished */
    char *strategy;
    uint32_t n_tasks;
    uint32_t by_status[TASK_STATUS_COUNT], by_kind[KIND_COUNT];
    char **index_uids; /* sorted, with their counts */
    uint32_t *index_counts;
    uint32_t n_indexes;
    char *progress; /* JSON text while processing, NULL: null */
    char *trace;    /* JSON text of how long each step took, once finished; NULL: unknown */
};
void batch_init(struct batch *b);
void batch_done(struct batch *b);
/* What a finished batch is stored as; batch_finish_details() comes first. */
void batch_encode(struct buf *out, const struct batch *b);
int batch_decode(struct batch *ret, struct str record);
void batch_write_json(struct buf *out, const struct batch *b);
/* A deep copy, also of a batch that is still running. */
void batch_copy(struct batch *ret, const struct batch *b);
/* Counts a task and merges its details (contract 3.2). */
void batch_add_task(struct batch *b, const struct task *t);
/* The last task was added: renders the details, without the null-valued keys. */
void batch_finish_details(struct batch *b);
