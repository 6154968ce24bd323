/* Slices, growable bytes, UTF-8, the arena. */
#include <stdlib.h>

#include "../support.h"
#include "base/arena.h"
#include "base/str.h"

static void
str_is_utf8_follows_rfc_3629(void **state)
{
    (void) state;
    static const struct {
        struct str text;
        size_t valid; /* bytes before the first bad sequence */
    } rows[] = {
        {STR(""), 0},
        {STR("plain\0text"), 10},
        {STR("\xC2\x80\xDF\xBF"), 4},
        {STR("\xE0\xA0\x80\xED\x9F\xBF\xEF\xBF\xBF"), 9},
        {STR("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"), 8},
        {STR("a\x80"), 1},
        {STR("ab\xC0\xAF"), 2},
        {STR("\xC1\xBF"), 0},
        {STR("\xE0\x9F\xBF"), 0},
        {STR("\xED\xA0\x80"), 0},
        {STR("\xF0\x8F\xBF\xBF"), 0},
        {STR("\xF4\x90\x80\x80"), 0},
        {STR("\xF5\x80\x80\x80"), 0},
        {STR("abc\xE2\x82"), 3},
        {STR("12345678\xFF"), 8},
        {STR("1234567\xC3\xA9"), 9},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(str_utf8_prefix(rows[i].text), rows[i].valid);
        assert_int_equal(str_is_utf8(rows[i].text), rows[i].valid == rows[i].text.len);
    }
}

static void
str_utf8_sequence_measures_what_one_replacement_stands_for(void **state)
{
    (void) state;
    assert_int_equal(str_utf8_sequence(STR("a"), 0), 1);
    assert_int_equal(str_utf8_sequence(STR("x\xF0\x9F\x98\x80"), 1), 4);
    assert_int_equal(str_utf8_sequence(STR("\xF0\x9F\x98"), 0), -3);
    assert_int_equal(str_utf8_sequence(STR("\xF0\x9F"), 0), -2);
    assert_int_equal(str_utf8_sequence(STR("\xF0"), 0), -1);
    assert_int_equal(str_utf8_sequence(STR("\xE2\x82x"), 0), -2);
    assert_int_equal(str_utf8_sequence(STR("\xED\xA0\x80"), 0), -1);
}

static void
str_to_u64_reads_digits_up_to_the_limit(void **state)
{
    (void) state;
    uint64_t n = 7;
    assert_true(str_to_u64(STR("18446744073709551615"), UINT64_MAX, &n));
    assert_true(n == UINT64_MAX);
    assert_true(str_to_u64(STR("0010"), 10, &n));
    assert_int_equal(n, 10);
    static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "1.0", "18446744073709551616"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(str_to_u64(str_from(bad[i]), UINT64_MAX, &n));
    assert_false(str_to_u64(STR("11"), 10, &n));
    assert_int_equal(n, 10);
}

static void
str_split_gives_every_piece_once(void **state)
{
    (void) state;
    struct str rest = STR("a,,b,"), piece;
    static const char *const pieces[] = {"a", "", "b", ""};
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        assert_true(str_split(&rest, ',', &piece));
        assert_text(piece, pieces[i]);
    }
    assert_false(str_split(&rest, ',', &piece));
}

static void
str_compare_puts_prefixes_first(void **state)
{
    (void) state;
    assert_true(str_compare(STR("a"), STR("ab")) < 0);
    assert_true(str_compare(STR("b"), STR("ab")) > 0);
    assert_true(str_compare(STR("\xFF"), STR("a")) > 0);
    assert_int_equal(str_compare(STR_NULL, STR("")), 0);
}

static void
str_slice_clamps_its_bounds(void **state)
{
    (void) state;
    assert_text(str_slice(STR("abc"), 1, 100), "bc");
    assert_text(str_slice(STR("abc"), 5, 2), "");
    assert_text(str_slice(STR_NULL, 0, 3), "");
}

static void
str_trim_takes_blanks_off_both_ends(void **state)
{
    (void) state;
    assert_text(str_trim(STR(" \t\r\na b\n ")), "a b");
    assert_text(str_trim(STR(" \n")), "");
}

static void
buf_failure_sticks_until_cleared(void **state)
{
    (void) state;
    struct buf b = BUF_INIT;
    buf_add_cstr(&b, "kept");
    assert_false(buf_reserve(&b, SIZE_MAX)); /* overflows: no allocator is asked */
    assert_true(buf_failed(&b));
    buf_add_cstr(&b, "lost");
    buf_addf(&b, "%d", 1);
    assert_text(buf_str(&b), "kept");
    buf_clear(&b);
    buf_add_cstr(&b, "again");
    assert_buf_text(&b, "again");
}

static void
buf_adds_every_kind(void **state)
{
    (void) state;
    struct buf b = BUF_INIT;
    buf_add_u64(&b, 0);
    buf_add_char(&b, ' ');
    buf_add_u64(&b, UINT64_MAX);
    buf_addf(&b, " %s-%d", "x", -5);
    buf_add_str(&b, STR_NULL);
    buf_drop_front(&b, 2);
    assert_buf_text(&b, "18446744073709551615 x--5");
}

static void
buf_take_hands_over_a_terminated_text(void **state)
{
    (void) state;
    struct buf b = BUF_INIT;
    buf_add_cstr(&b, "text");
    char *text = buf_take(&b);
    assert_string_equal(text, "text");
    assert_int_equal(b.len, 0);
    free(text);
    text = buf_take(&b);
    assert_string_equal(text, "");
    free(text);
}

static void
arena_gives_zeroed_aligned_memory_of_any_size(void **state)
{
    (void) state;
    struct arena *a = arena_new();
    for (size_t size = 0; size < 20000; size = size * 2 + 1) {
        unsigned char *p = arena_alloc(a, size);
        assert_int_equal((uintptr_t) p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xFF, size);
    }
    assert_text(arena_copy(a, STR("copy")), "copy");
    assert_string_equal(arena_printf(a, "%s %d", "x", 1), "x 1");
    assert_string_equal(arena_strndup(a, "abcdef", 3), "abc");
    arena_free(a);
    arena_free(NULL);
}

static void
str_hex_value_knows_every_digit_and_nothing_else(void **state)
{
    (void) state;
    const char *digits = "0123456789abcdef", *upper = "0123456789ABCDEF";
    int known = 0;
    for (int c = -128; c < 128; c++)
        known += str_hex_value((char) c) >= 0;
    assert_int_equal(known, 22);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(str_hex_value(digits[i]), i);
        assert_int_equal(str_hex_value(upper[i]), i);
    }
}

static void
str_equal_nocase_folds_ascii_letters_and_nothing_else(void **state)
{
    (void) state;
    assert_true(str_equal_nocase(STR("Content-TYPE"), STR("content-type")));
    assert_true(str_equal_nocase(STR(""), STR_NULL));
    assert_false(str_equal_nocase(STR("a"), STR("ab")));
    assert_false(str_equal_nocase(STR("[]"), STR("{}")));
    assert_false(str_equal_nocase(STR("\xC3\x84"), STR("\xC3\xA4")));
    assert_false(str_equal_nocase(STR("a\0b"), STR("a\0c")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(str_is_utf8_follows_rfc_3629),
        cmocka_unit_test(str_hex_value_knows_every_digit_and_nothing_else),
        cmocka_unit_test(str_utf8_sequence_measures_what_one_replacement_stands_for),
        cmocka_unit_test(str_to_u64_reads_digits_up_to_the_limit),
        cmocka_unit_test(str_split_gives_every_piece_once),
        cmocka_unit_test(str_equal_nocase_folds_ascii_letters_and_nothing_else),
        cmocka_unit_test(str_compare_puts_prefixes_first),
        cmocka_unit_test(str_slice_clamps_its_bounds),
        cmocka_unit_test(str_trim_takes_blanks_off_both_ends),
        cmocka_unit_test(buf_failure_sticks_until_cleared),
        cmocka_unit_test(buf_adds_every_kind),
        cmocka_unit_test(buf_take_hands_over_a_terminated_text),
        cmocka_unit_test(arena_gives_zeroed_aligned_memory_of_any_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
