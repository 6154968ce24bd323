#pragma once
/* Which tasks or batches match (contract 2.4, 3.4), answered a chunk of 8,192 uids at a time: some
 * microseconds each, so a million tasks are a few milliseconds in all, and whoever asks can stop
 * and go on between two chunks. */
#include "queue/bits.h"
#include "queue/queue.h"
#include "queue/times.h"

/* Parts are ANDed, the values inside one ORed. The lists are the caller's and stay for the
 * selection's life; NULL filters nothing (n 0: nothing matches). */
struct task_query {
    uint32_t statuses, types;                        /* bit i: value i of the enum */
    const uint32_t *uids, *batch_uids, *canceled_by; /* ascending */
    size_t n_uids, n_batch_uids, n_canceled_by;
    const struct str *index_uids;
    size_t n_index_uids;
    struct time_range enqueued, started, finished;
};
#define TASK_QUERY_ALL                                                                             \
    {                                                                                              \
        .statuses = UINT32_MAX, .types = UINT32_MAX, .enqueued = TIME_RANGE_ALL,                   \
        .started = TIME_RANGE_ALL, .finished = TIME_RANGE_ALL,                                     \
    }
bool task_query_is_all(const struct task_query *query);

struct selection;
/* of_batches: of batches by their own facts and their tasks'; uids are tasks', batch_uids the
 * batches' own. */
struct selection *selection_new(struct queue *q, const struct task_query *query, bool of_batches);
void selection_free(struct selection *s); /* NULL accepted */
/* Before anything else, in pieces: 1 when there is more to do, 0 when done, negative. */
int selection_prepare(struct selection *s, struct store_txn *txn, int64_t deadline_us);
/* The next chunk that may hold a match, at or after (descending: at or before) `at`: 1 / 0 /
 * negative. */
int selection_seek(struct selection *s, struct store_txn *txn, uint32_t at, bool ascending,
                   uint32_t *ret_chunk);
/* The matches in a chunk: 0 or negative. */
int selection_read(struct selection *s, struct store_txn *txn, uint32_t chunk, struct bits *ret);
