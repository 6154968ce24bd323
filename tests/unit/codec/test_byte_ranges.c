/* The Range header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "codec/byte_ranges.h"

/* What is read of a header, as "0-10 20-30", "none" or "unsatisfiable". */
static void
assert_read(const char *header, uint64_t size, const char *expected)
{
    struct byte_ranges r;
    struct buf said = BUF_INIT;
    enum byte_ranges_result found =
        byte_ranges_read(header == NULL ? STR_NULL : str_from(header), size, &r);
    if (found != BYTE_RANGES_SOME)
        buf_add_cstr(&said, found == BYTE_RANGES_NONE ? "none" : "unsatisfiable");
    for (size_t i = 0; i < r.n && found == BYTE_RANGES_SOME; i++)
        buf_addf(&said, "%s%llu-%llu", i == 0 ? "" : " ", (unsigned long long) r.list[i].from,
                 (unsigned long long) r.list[i].to);
    assert_string_equal(buf_cstr(&said), expected);
    buf_done(&said);
}

static void
one_range_is_read_in_its_three_forms(void **state)
{
    (void) state;
    assert_read("bytes=0-9", 100, "0-10");
    assert_read("bytes=90-", 100, "90-100");
    assert_read("bytes=-7", 100, "93-100");
    assert_read("bytes=0-0", 100, "0-1");
    assert_read("Bytes = 0-9", 100, "none");
    assert_read(" BYTES=0-9 ", 100, "0-10");
}

static void
ranges_end_with_the_size(void **state)
{
    (void) state;
    assert_read("bytes=90-1000", 100, "90-100");
    assert_read("bytes=-1000", 100, "0-100");
    assert_read("bytes=0-18446744073709551614", 100, "0-100");
    assert_read("bytes=0-18446744073709551615", 100, "none");
}

static void
several_keep_their_order_and_leave_out_what_is_outside(void **state)
{
    (void) state;
    assert_read("bytes=50-59, 0-9,-5", 100, "50-60 0-10 95-100");
    assert_read("bytes=,0-9, ,200-", 100, "0-10");
    assert_read("bytes=200-,300-400", 100, "unsatisfiable");
}

static void
nothing_inside_is_unsatisfiable(void **state)
{
    (void) state;
    assert_read("bytes=100-", 100, "unsatisfiable");
    assert_read("bytes=-0", 100, "unsatisfiable");
    assert_read("bytes=0-", 0, "unsatisfiable");
    assert_read("bytes=-1", 0, "unsatisfiable");
}

static void
what_is_not_understood_counts_as_none(void **state)
{
    (void) state;
    static const char *const headers[] = {
        "",          "bytes",     "bytes=",      "bytes=,",    "bytes=-",       "bytes=a-",
        "bytes=9-1", "bytes=1-b", "bytes=1--2",  "bytes=+1-2", "lines=0-9",     "bytes=0-9;1",
        "bytes 0-9", "bytes=--1", "bytes=0-1,x", "bytes=0x0-", "bytes=0-9 1-2", "bytes=1 -2",
    };
    assert_read(NULL, 100, "none");
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        assert_read(headers[i], 100, "none");
}

static void
more_than_the_whole_counts_as_none(void **state)
{
    (void) state;
    struct buf many = BUF_INIT;
    assert_read("bytes=0-59,20-59", 100, "0-60 20-60");
    assert_read("bytes=0-59,19-59", 100, "none");
    buf_add_cstr(&many, "bytes=0-0");
    for (int i = 1; i < BYTE_RANGES_MAX; i++)
        buf_addf(&many, ",%d-%d", i, i);
    struct byte_ranges r;
    assert_int_equal(byte_ranges_read(buf_str(&many), 100, &r), BYTE_RANGES_SOME);
    assert_int_equal(r.n, BYTE_RANGES_MAX);
    buf_add_cstr(&many, ",50-50");
    assert_read(buf_cstr(&many), 100, "none");
    buf_done(&many);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_range_is_read_in_its_three_forms),
        cmocka_unit_test(ranges_end_with_the_size),
        cmocka_unit_test(several_keep_their_order_and_leave_out_what_is_outside),
        cmocka_unit_test(nothing_inside_is_unsatisfiable),
        cmocka_unit_test(what_is_not_understood_counts_as_none),
        cmocka_unit_test(more_than_the_whole_counts_as_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
