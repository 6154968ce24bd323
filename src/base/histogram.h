#pragma once
/* Counting values by size: buckets with upper bounds, for metrics. */
#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_BUCKETS_MAX = 16 };

/* Upper bounds, inclusive and ascending; what is above the last counts in one more bucket. */
struct histogram_bounds {
    size_t n; /* at most HISTOGRAM_BUCKETS_MAX - 1 */
    const int64_t *values;
};
extern const struct histogram_bounds histogram_times_us; /* 50 us to 5 s */
extern const struct histogram_bounds histogram_sizes;    /* 1 to 1,000,000 */

struct histogram {
    const struct histogram_bounds *bounds;
    uint64_t counts[HISTOGRAM_BUCKETS_MAX]; /* each bucket for itself */
    uint64_t sum;
};
void histogram_add(struct histogram *h, int64_t value); /* negative ones count as 0 */
