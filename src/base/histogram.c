/* Histograms. Knows nothing of what is counted. */
#include "base/histogram.h"

#define BOUNDS(array)                                                                              \
    {                                                                                              \
        .n = sizeof(array) / sizeof((array)[0]), .values = (array)                                 \
    }

static const int64_t times_us[] = {50,         100,        200,        500,         1000,
                                   2000,       5000,       10 * 1000,  20 * 1000,   50 * 1000,
                                   100 * 1000, 200 * 1000, 500 * 1000, 1000 * 1000, 5000 * 1000};
static const int64_t sizes[] = {1,   2,   5,    10,        20,         50,         100,
                                200, 500, 1000, 10 * 1000, 100 * 1000, 1000 * 1000};

const struct histogram_bounds histogram_times_us = BOUNDS(times_us);
const struct histogram_bounds histogram_sizes = BOUNDS(sizes);

void
histogram_add(struct histogram *h, int64_t value)
{
    size_t i = 0;
    if (value < 0)
        value = 0;
    while (i < h->bounds->n && value > h->bounds->values[i])
        i++;
    h->counts[i]++;
    h->sum += (uint64_t) value;
}
