#pragma once
/* Columns of times: when tasks were enqueued, started and finished, and batches. A row of
 * TABLE_TASK_TIMES holds a block of 256 neighbouring uids with its least and greatest time, so a
 * range of time is answered by looking at blocks, and into those only that lie across a bound.
 * Clocks that were set back make more of these, never a wrong answer. Private to the folder;
 * written through sets.h. */
#include "queue/bits.h"
#include "store/env.h"

/* Stored in keys: numbers are never used again for something else. */
enum time_column {
    TIME_ENQUEUED = 1,
    TIME_STARTED,
    TIME_FINISHED,
    TIME_BATCH_FIRST_ENQUEUED = 16, /* of its tasks */
    TIME_BATCH_LAST_ENQUEUED,
    TIME_BATCH_STARTED,
    TIME_BATCH_FINISHED,
};
enum { TIMES_SHIFT = 8, TIMES_COUNT = 1 << TIMES_SHIFT };

/* An open interval; a bound that is absent is the least or the greatest number. */
struct time_range {
    int64_t after_ns, before_ns;
};
#define TIME_RANGE_ALL                                                                             \
    {                                                                                              \
        .after_ns = INT64_MIN, .before_ns = INT64_MAX                                              \
    }
static inline bool
time_range_is_all(const struct time_range *r)
{
    return r->after_ns == INT64_MIN && r->before_ns == INT64_MAX;
}
static inline bool
time_range_has(const struct time_range *r, int64_t ns)
{
    return ns != 0 && ns > r->after_ns && ns < r->before_ns;
}

struct times {
    int64_t ns[TIMES_COUNT]; /* 0: none */
};
/* Adds the members of the chunk whose time is in the range: 0 or negative. */
int times_select(struct store_txn *txn, enum time_column column, const struct time_range *range,
                 uint32_t chunk, struct bits *add_to);
/* A block: 0 or negative. An empty one is deleted. */
int times_load(struct store_txn *txn, enum time_column column, uint32_t block, struct times *ret);
int times_store(struct store_txn *txn, enum time_column column, uint32_t block,
                const struct times *t);
