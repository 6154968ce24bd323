/* Chunks of sets and their stored forms, maps of chunks, columns of times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "queue/uidmap.h"

static void
assert_comes_back(const struct bits *b, size_t max_bytes)
{
    struct bits read;
    struct buf text = BUF_INIT;
    bits_encode(&text, b);
    assert_true(text.len <= max_bytes);
    assert_true(bits_decode(&read, buf_str(&text)));
    assert_memory_equal(&read, b, sizeof(read));
    buf_done(&text);
}

static void
every_form_comes_back_and_is_the_smallest(void **state)
{
    struct bits b;
    (void) state;
    bits_clear(&b);
    assert_comes_back(&b, 1);
    bits_fill(&b, 0, BITS_COUNT - 1);
    assert_comes_back(&b, 5);
    bits_put(&b, 4000, false);
    assert_comes_back(&b, 9);
    bits_clear(&b);
    for (unsigned at = 0; at < 100; at++)
        bits_put(&b, at * 80, true);
    assert_comes_back(&b, 201);
    for (unsigned at = 0; at < BITS_COUNT; at += 2)
        bits_put(&b, at, true);
    assert_comes_back(&b, 1025);
}

static void
random_sets_come_back(void **state)
{
    (void) state;
    srand(1);
    for (int round = 0; round < 300; round++) {
        struct bits b;
        bits_clear(&b);
        int density = 1 + rand() % 4000;
        for (unsigned at = 0; at < BITS_COUNT; at++)
            bits_put(&b, at, rand() % density == 0 || (rand() % 3 == 0 && at % 64 < 40));
        assert_comes_back(&b, 1025);
    }
}

static void
damaged_records_are_refused(void **state)
{
    struct bits b;
    (void) state;
    assert_false(bits_decode(&b, STR("")));
    assert_false(bits_decode(&b, STR("\x07")));
    assert_false(bits_decode(&b, str_make("\x01\x00\x05\x00\x04", 5))); /* ends before it begins */
    assert_false(bits_decode(&b, str_make("\x01\x00\x05\x20\x00", 5))); /* past the chunk */
    assert_false(bits_decode(&b, str_make("\x02\x20\x00", 3)));
    assert_false(bits_decode(&b, str_make("\x02\x20", 2)));
    assert_false(bits_decode(&b, str_make("\x03\x00", 2)));
}

static void
seeking_finds_the_nearest_member(void **state)
{
    struct bits b;
    (void) state;
    bits_clear(&b);
    assert_int_equal(bits_seek(&b, 0, true), BITS_COUNT);
    assert_int_equal(bits_seek(&b, BITS_COUNT - 1, false), BITS_COUNT);
    bits_put(&b, 63, true);
    bits_put(&b, 8000, true);
    assert_int_equal(bits_seek(&b, 0, true), 63);
    assert_int_equal(bits_seek(&b, 64, true), 8000);
    assert_int_equal(bits_seek(&b, 8001, true), BITS_COUNT);
    assert_int_equal(bits_seek(&b, BITS_COUNT - 1, false), 8000);
    assert_int_equal(bits_seek(&b, 7999, false), 63);
    assert_int_equal(bits_seek(&b, 62, false), BITS_COUNT);
}

static void
cutting_and_blending_keep_to_their_bounds(void **state)
{
    struct bits a, b, mask;
    (void) state;
    bits_clear(&a);
    bits_fill(&a, 0, BITS_COUNT - 1);
    bits_cut(&a, 100);
    assert_int_equal(bits_count(&a), 100);
    bits_clear(&b);
    bits_clear(&mask);
    bits_fill(&b, 90, 200);
    bits_fill(&mask, 50, 149);
    bits_blend(&a, &b, &mask);
    assert_int_equal(bits_count(&a), 50 + 60); /* 0-49, 90-149 */
    assert_true(bits_has(&a, 49) && !bits_has(&a, 50) && bits_has(&a, 149) && !bits_has(&a, 150));
}

static void
maps_find_uids_in_any_chunk(void **state)
{
    struct uidmap m, copy;
    uint32_t uid, chunk;
    (void) state;
    uidmap_init(&m);
    uidmap_add(&m, UINT32_MAX);
    uidmap_add(&m, 5);
    uidmap_add(&m, 9000);
    uidmap_copy(&copy, &m);
    uidmap_done(&m);
    assert_int_equal(uidmap_count(&copy), 3);
    assert_true(uidmap_seek(&copy, 6, &uid) && uid == 9000);
    assert_true(uidmap_seek(&copy, 9001, &uid) && uid == UINT32_MAX);
    assert_true(uidmap_has(&copy, 5) && !uidmap_has(&copy, 6));
    assert_true(uidmap_seek_chunk(&copy, 2, true, &chunk) && chunk == bits_chunk(UINT32_MAX));
    assert_true(uidmap_seek_chunk(&copy, 2, false, &chunk) && chunk == 1);
    assert_true(uidmap_seek_chunk(&copy, 1, false, &chunk) && chunk == 1);
    uidmap_done(&copy);
    assert_false(uidmap_seek(&copy, 0, &uid));
    assert_false(uidmap_seek_chunk(&copy, 7, false, &chunk));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_comes_back_and_is_the_smallest),
        cmocka_unit_test(random_sets_come_back),
        cmocka_unit_test(damaged_records_are_refused),
        cmocka_unit_test(seeking_finds_the_nearest_member),
        cmocka_unit_test(cutting_and_blending_keep_to_their_bounds),
        cmocka_unit_test(maps_find_uids_in_any_chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
