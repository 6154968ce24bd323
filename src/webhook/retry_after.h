#pragma once
/* The Retry-After header (RFC 9110, 10.2.3): seconds, or a date in one of the three forms of HTTP.
 * Private to the folder. */
#include <stdint.h>

#include "base/str.h"

/* Milliseconds from now_ms (wall clock); 0 when there is none, when it is past or not understood.
 * Absurdly large numbers saturate. */
int64_t retry_after_ms(struct str value, int64_t now_ms);
