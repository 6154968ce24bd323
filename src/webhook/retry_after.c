/* Reads Retry-After. Strict in form, generous in size. */
#include "webhook/retry_after.h"

#include "codec/http_date.h"

enum { SECONDS_MAX = 1000 * 1000 * 1000 };

int64_t
retry_after_ms(struct str value, int64_t now_ms)
{
    uint64_t seconds;
    int64_t at_ms;
    value = str_trim(value);
    if (value.len > 0 && value.data[0] >= '0' && value.data[0] <= '9') {
        for (size_t i = 0; i < value.len; i++) {
            if (value.data[i] < '0' || value.data[i] > '9')
                return 0;
        }
        return str_to_u64(value, SECONDS_MAX, &seconds) ? (int64_t) seconds * 1000
                                                        : (int64_t) SECONDS_MAX * 1000;
    }
    return http_date_parse(value, now_ms, &at_ms) && at_ms > now_ms ? at_ms - now_ms : 0;
}
