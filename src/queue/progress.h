#pragma once
/* Where the running batch is and how long each of its steps took (contract 3.1, 3.3). Private to
 * the folder; ops tell their steps through batch_run_step(). Knows no step by name. */
#include "base/buf.h"

enum { PROGRESS_LEVELS = 4 }; /* the queue's own is level 0 */

struct progress_step {
    const char *name; /* not copied */
    uint64_t finished, total;
};

/* How long a path of steps took: all times that it was met, in us. */
struct progress_time {
    char *path;
    int64_t us;
};
/* Zeroed: no step yet. */
struct progress {
    struct {
        struct progress_step step;
        int64_t since_us;
    } levels[PROGRESS_LEVELS];
    unsigned n;
    struct progress_time *times; /* in the order in which they ended first, the inner before */
    size_t n_times;
};
void progress_done(struct progress *p);

/* The batch is in that step of that level; deeper ones end, and the one before when its name is
 * another. A level that has none above it yet is ignored. */
void progress_enter(struct progress *p, unsigned level, const struct progress_step *step);
/* {"steps":[...],"percentage":12.5} */
void progress_write(struct buf *out, const struct progress *p);
/* {"processing tasks > indexing":"8.10ms", ...}, the steps of now included. */
void progress_write_trace(struct buf *out, const struct progress *p);
