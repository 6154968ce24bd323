/* Headers by which downloads and waiting are asked for: Range gives ranges within the size that are
 * together no longer than the whole; Prefer gives a value out of the header. The first byte chooses
 * a size. */
#include "api/prefer.h"
#include "codec/byte_ranges.h"
#include "codec/http_date.h"
#include "fuzz.h"

enum { WAIT_MAX_S = 30 };

static void
check_ranges(struct str header, uint64_t size)
{
    struct byte_ranges r;
    uint64_t total = 0;
    if (byte_ranges_read(header, size, &r) != BYTE_RANGES_SOME)
        return;
    FUZZ_REQUIRE(r.n > 0 && r.n <= BYTE_RANGES_MAX);
    for (size_t i = 0; i < r.n; i++) {
        FUZZ_REQUIRE(r.list[i].from < r.list[i].to && r.list[i].to <= size);
        total += r.list[i].to - r.list[i].from;
    }
    FUZZ_REQUIRE(total <= size);
}

static void
check_prefer(struct str header)
{
    struct str value;
    unsigned seconds = WAIT_MAX_S + 1;
    if (prefer_find(header, "wait", &value) && value.len > 0)
        FUZZ_REQUIRE(value.data >= header.data &&
                     value.data + value.len <= header.data + header.len);
    if (prefer_wait(header, WAIT_MAX_S, &seconds))
        FUZZ_REQUIRE(seconds <= WAIT_MAX_S);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t sizes[] = {0, 1, 100, 1 << 20, UINT32_MAX, INT64_MAX};
    int64_t at_ms;
    if (size == 0)
        return 0;
    struct str header = str_make(data + 1, size - 1);
    check_ranges(header, sizes[data[0] % (sizeof(sizes) / sizeof(sizes[0]))]);
    check_prefer(header);
    if (http_date_parse(header, 0, &at_ms))
        FUZZ_REQUIRE(at_ms % 1000 == 0);
    return 0;
}
