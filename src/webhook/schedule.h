#pragma once
/* When a failed delivery is tried again. A pure function: no clock, no state.
 *
 * After the first attempt: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, then every 24 h as long
 * as that is within 8 days of the first attempt; or the webhook's own list of delays. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCHEDULE_EXHAUSTED = -1 };
#define SCHEDULE_SPAN_MS (INT64_C(8) * 24 * 3600 * 1000)
#define SCHEDULE_RETRY_AFTER_MAX_MS (INT64_C(24) * 3600 * 1000)

struct schedule_facts {
    uint32_t attempts;      /* that have ended since the schedule began, the failed one included */
    uint64_t seed;          /* spreads retries that failed together; same seed, same answer */
    int64_t age_ms;         /* from the schedule's begin to the end of the failed attempt */
    int64_t retry_after_ms; /* the receiver asked to wait so long; 0: it did not; at most the cap
                               above is honoured */
    bool is_final;          /* the receiver does not want it again, whatever the schedule says */
    bool has_own;           /* the webhook has delays of its own instead of the ones above: */
    const int64_t *own_ms;  /* after the first failed attempt, after the second, ... */
    size_t n_own;           /* 0: never again */
};
/* Milliseconds from the end of the failed attempt to the next one, or SCHEDULE_EXHAUSTED. Jitter is
 * only added (at most a tenth), so no attempt is early, neither against the schedule nor against
 * what the receiver asked. */
int64_t schedule_next_ms(const struct schedule_facts *facts);
