/* The retry schedule. Owns one table; knows neither clock nor store. */
#include "webhook/schedule.h"

enum { JITTER_PARTS = 10 /* at most a tenth of the delay is added */ };

#define MINUTE_MS (INT64_C(60) * 1000)
#define HOUR_MS (60 * MINUTE_MS)

/* After the first failed attempt, after the second, ...; the last one for ever, within the span. */
static const int64_t delays_ms[] = {
    5 * 1000,     5 * MINUTE_MS, 30 * MINUTE_MS, 2 * HOUR_MS,  5 * HOUR_MS,
    10 * HOUR_MS, 14 * HOUR_MS,  20 * HOUR_MS,   24 * HOUR_MS,
};
enum { N_DELAYS = sizeof(delays_ms) / sizeof(delays_ms[0]) };

/* splitmix64: neighbouring seeds give unrelated numbers. */
static uint64_t
scramble(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

/* The delay without what the receiver asked for. */
static int64_t
plain_delay(const struct schedule_facts *f)
{
    size_t at = f->attempts - 1;
    if (f->has_own)
        return at < f->n_own ? f->own_ms[at] : SCHEDULE_EXHAUSTED;
    return delays_ms[at < N_DELAYS ? at : N_DELAYS - 1];
}

int64_t
schedule_next_ms(const struct schedule_facts *f)
{
    if (f->is_final)
        return SCHEDULE_EXHAUSTED;
    if (f->attempts == 0)
        return 0;
    int64_t delay = plain_delay(f);
    if (delay == SCHEDULE_EXHAUSTED)
        return SCHEDULE_EXHAUSTED;
    int64_t asked = f->retry_after_ms < SCHEDULE_RETRY_AFTER_MAX_MS ? f->retry_after_ms
                                                                    : SCHEDULE_RETRY_AFTER_MAX_MS;
    if (asked > delay)
        delay = asked;
    if (!f->has_own && f->age_ms + delay > SCHEDULE_SPAN_MS)
        return SCHEDULE_EXHAUSTED;
    uint64_t range = (uint64_t) delay / JITTER_PARTS + 1;
    return delay + (int64_t) (scramble(f->seed + f->attempts) % range);
}
