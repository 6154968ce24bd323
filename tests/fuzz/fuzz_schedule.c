/* Whatever the facts, a retry is never early and at most a tenth late, and the server's own
 * schedule ends. */
#include <string.h>

#include "fuzz.h"
#include "webhook/schedule.h"

enum { OWN_MAX = 100 };
#define SANE_MS (INT64_C(366) * 24 * 3600 * 1000)

/* A number of the input; 0 behind its end. */
static uint64_t
take(const uint8_t **data, size_t *size, size_t n)
{
    uint64_t v = 0;
    if (*size < n)
        n = *size;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t) (*data)[i] << (8 * i);
    *data += n;
    *size -= n;
    return v;
}

static int64_t
take_ms(const uint8_t **data, size_t *size)
{
    return (int64_t) (take(data, size, 8) % (uint64_t) SANE_MS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t own_ms[OWN_MAX];
    struct schedule_facts f = {.own_ms = own_ms};
    f.attempts = (uint32_t) take(&data, &size, 4);
    f.seed = take(&data, &size, 8);
    f.age_ms = take_ms(&data, &size);
    f.retry_after_ms = take_ms(&data, &size);
    f.has_own = take(&data, &size, 1) & 1;
    while (size > 0 && f.n_own < OWN_MAX)
        own_ms[f.n_own++] = take_ms(&data, &size);
    int64_t next = schedule_next_ms(&f);
    FUZZ_REQUIRE(next >= 0 || next == SCHEDULE_EXHAUSTED);
    FUZZ_REQUIRE(next == schedule_next_ms(&f));
    if (next == SCHEDULE_EXHAUSTED || f.attempts == 0)
        return 0;
    int64_t asked = f.retry_after_ms < SCHEDULE_RETRY_AFTER_MAX_MS ? f.retry_after_ms
                                                                   : SCHEDULE_RETRY_AFTER_MAX_MS;
    FUZZ_REQUIRE(next >= asked);
    if (f.has_own) {
        int64_t base = own_ms[f.attempts - 1] > asked ? own_ms[f.attempts - 1] : asked;
        FUZZ_REQUIRE(f.attempts <= f.n_own && next >= base && next <= base + base / 10);
    } else {
        FUZZ_REQUIRE(f.age_ms + next <= SCHEDULE_SPAN_MS + SCHEDULE_SPAN_MS / 10);
    }
    return 0;
}
