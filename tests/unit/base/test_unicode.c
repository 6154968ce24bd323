/* Code points, letters, and folding. The tables were compared with Python's over every code point
 * when they were made; here are the kinds of entries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/unicode.h"

static void
fold_makes_equal_what_is_compared_as_equal(void **state)
{
    static const struct {
        const char *text, *folded;
    } rows[] = {
        {"", ""},
        {"Hello World", "hello world"},
        {"ÉTÉ", "e\u0301te\u0301"},
        {"e\u0301", "e\u0301"},
        {"ΣΑΣ", "σασ"},
        {"ς", "σ"},
        {"İ", "i\u0307"},
        {"ﬁ", "fi"},
        {"①", "1"},
        {"ｆｕｌｌ", "full"},
        {"한", "\u1112\u1161\u11ab"},
        {"a\u0301\u0323", "a\u0323\u0301"}, /* canonical order */
        {"ß", "ß"},
        {"\xF0\x9D\x94\xB8", "a"}, /* a mathematical letter */
        {"a\xFFz", "a\uFFFDz"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out = BUF_INIT;
        unicode_fold(&out, str_from(rows[i].text));
        assert_string_equal(buf_cstr(&out), rows[i].folded);
        buf_done(&out);
    }
}

static void
fold_keeps_long_runs_of_marks(void **state)
{
    struct buf text = BUF_INIT, out = BUF_INIT;

    (void) state;
    buf_add_char(&text, 'a');
    for (int i = 0; i < 1000; i++)
        unicode_write(&text, i % 2 == 0 ? 0x301 : 0x323);
    unicode_fold(&out, buf_str(&text));
    assert_int_equal(out.len, text.len);
    buf_done(&text);
    buf_done(&out);
}

static void
letters_are_told_from_other_signs(void **state)
{
    (void) state;
    assert_true(unicode_is_letter('a') && unicode_is_letter('9') && unicode_is_letter(0xE9) &&
                unicode_is_letter(0x4E2D) && unicode_is_letter(0x661));
    assert_false(unicode_is_letter('-') || unicode_is_letter(0x1F43B) ||
                 unicode_is_letter(0x20AC) || unicode_is_letter(' '));
    assert_true(unicode_is_space(' ') && unicode_is_space('\n') && unicode_is_space(0x3000));
    assert_false(unicode_is_space('a') || unicode_is_space(0x200B));
}

static void
code_points_are_counted(void **state)
{
    (void) state;
    assert_int_equal(unicode_count(STR("")), 0);
    assert_int_equal(unicode_count(STR("aé中\xF0\x9F\x90\xBB")), 4);
    assert_int_equal(unicode_count(STR("\xFF\xFE")), 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fold_makes_equal_what_is_compared_as_equal),
        cmocka_unit_test(fold_keeps_long_runs_of_marks),
        cmocka_unit_test(letters_are_told_from_other_signs),
        cmocka_unit_test(code_points_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
