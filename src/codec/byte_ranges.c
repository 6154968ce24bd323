/* Reading Range. Knows sizes only, nothing of what they are sizes of. */
#include "codec/byte_ranges.h"

enum spec { SPEC_MALFORMED, SPEC_OUTSIDE, SPEC_INSIDE };

/* "-500": the last so many. */
static enum spec
read_suffix(struct str digits, uint64_t size, struct byte_range *ret)
{
    uint64_t n;
    if (!str_to_u64(digits, UINT64_MAX, &n))
        return SPEC_MALFORMED;
    *ret = (struct byte_range){n > size ? 0 : size - n, size};
    return n == 0 || size == 0 ? SPEC_OUTSIDE : SPEC_INSIDE;
}

/* "0-499", "500-" */
static enum spec
read_spec(struct str spec, uint64_t size, struct byte_range *ret)
{
    uint64_t first, last = UINT64_MAX - 1;
    size_t dash = str_find(spec, '-', 0);
    struct str begin = str_slice(spec, 0, dash), end = str_slice(spec, dash + 1, spec.len);
    if (dash == spec.len)
        return SPEC_MALFORMED;
    if (begin.len == 0)
        return read_suffix(end, size, ret);
    if (!str_to_u64(begin, UINT64_MAX - 1, &first) ||
        (end.len > 0 && !str_to_u64(end, UINT64_MAX - 1, &last)) || last < first)
        return SPEC_MALFORMED;
    *ret = (struct byte_range){first, last >= size ? size : last + 1};
    return first >= size ? SPEC_OUTSIDE : SPEC_INSIDE;
}

static uint64_t
total_of(const struct byte_ranges *r)
{
    uint64_t total = 0;
    for (size_t i = 0; i < r->n; i++)
        total += r->list[i].to - r->list[i].from; /* at most 32 sizes of a file: no overflow */
    return total;
}

enum byte_ranges_result
byte_ranges_read(struct str header, uint64_t size, struct byte_ranges *ret)
{
    struct str rest = str_trim(header), spec;
    size_t equals = str_find(rest, '=', 0), n = 0;
    ret->n = 0;
    if (!str_equal_nocase(str_slice(rest, 0, equals), STR("bytes")))
        return BYTE_RANGES_NONE;
    rest = str_slice(rest, equals + 1, rest.len);
    while (str_split(&rest, ',', &spec)) {
        spec = str_trim(spec);
        if (spec.len == 0)
            continue; /* empty elements of a list are none (RFC 9110, 5.6.1) */
        struct byte_range range;
        enum spec found = read_spec(spec, size, &range);
        if (found == SPEC_MALFORMED || n++ == BYTE_RANGES_MAX)
            return BYTE_RANGES_NONE;
        if (found == SPEC_INSIDE)
            ret->list[ret->n++] = range;
    }
    if (ret->n == 0)
        return n == 0 ? BYTE_RANGES_NONE : BYTE_RANGES_UNSATISFIABLE;
    return ret->n > 1 && total_of(ret) > size ? BYTE_RANGES_NONE : BYTE_RANGES_SOME;
}
