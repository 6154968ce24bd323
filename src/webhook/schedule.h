#pragma once
/* When a failed delivery is tried again. A pure function: no clock, no state. */
#include <stdint.h>

enum { SCHEDULE_EXHAUSTED = -1 };

struct schedule_facts {
    uint32_t attempts; /* attempts that have ended, the failed one included: at least 1 */
    uint64_t seed;     /* spreads retries that failed together; same seed, same answer */
};
/* Milliseconds from the end of the failed attempt to the next one, or SCHEDULE_EXHAUSTED. Jitter is
 * only added (at most a tenth), so no attempt is early. */
int64_t schedule_next_ms(const struct schedule_facts *facts);
