/* The retry schedule. Owns one table; knows neither clock nor store. */
#include "webhook/schedule.h"

#include <stddef.h>

enum { JITTER_PARTS = 10 /* at most a tenth of the delay is added */ };

/* After the first failed attempt, after the second, ... */
static const int64_t delays_ms[] = {
    5 * 1000, 30 * 1000, 5 * 60 * 1000, 30 * 60 * 1000, 2 * 60 * 60 * 1000,
};

/* splitmix64: neighbouring seeds give unrelated numbers. */
static uint64_t
scramble(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

int64_t
schedule_next_ms(const struct schedule_facts *facts)
{
    size_t n = sizeof(delays_ms) / sizeof(delays_ms[0]);
    if (facts->attempts == 0)
        return 0;
    if (facts->attempts > n)
        return SCHEDULE_EXHAUSTED;
    int64_t delay = delays_ms[facts->attempts - 1];
    uint64_t range = (uint64_t) delay / JITTER_PARTS + 1;
    return delay + (int64_t) (scramble(facts->seed + facts->attempts) % range);
}
