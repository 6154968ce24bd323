/* Any Retry-After gives a time that is not negative and that other clocks agree with. */
#include "fuzz.h"
#include "webhook/retry_after.h"

#define NOW_MS INT64_C(784111777000)
#define SECONDS_MAX_MS (INT64_C(1000) * 1000 * 1000 * 1000)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str value = str_make(data, size);
    int64_t now = retry_after_ms(value, NOW_MS), later = retry_after_ms(value, NOW_MS + 1000);
    FUZZ_REQUIRE(now >= 0 && later >= 0);
    FUZZ_REQUIRE(later == now || later == now - 1000 || (now < 1000 && later == 0));
    struct str trimmed = str_trim(value);
    if (trimmed.len > 0 && trimmed.data[0] >= '0' && trimmed.data[0] <= '9')
        FUZZ_REQUIRE(now == later && now <= SECONDS_MAX_MS);
    return 0;
}
