#pragma once
/* The Range request header for bytes (RFC 9110, 14.1.2 and 14.2). */
#include "base/str.h"

enum { BYTE_RANGES_MAX = 32 };
struct byte_range {
    uint64_t from, to; /* the first byte, and the one behind the last */
};
struct byte_ranges {
    struct byte_range list[BYTE_RANGES_MAX]; /* in the client's order, each within the size */
    size_t n;
};
enum byte_ranges_result {
    BYTE_RANGES_NONE,          /* not given, not understood, or not worth it: the whole */
    BYTE_RANGES_SOME,          /* one at least; what lies beyond the end is left out */
    BYTE_RANGES_UNSATISFIABLE, /* there is nothing in any of them */
};
/* header.data NULL: not given. More than BYTE_RANGES_MAX of them, or such as are together longer
 * than the whole, count as none, so that no request costs more than the whole (RFC 9110, 17.15). */
enum byte_ranges_result byte_ranges_read(struct str header, uint64_t size, struct byte_ranges *ret);
