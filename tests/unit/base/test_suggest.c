/* Suggestions: thresholds by byte length, ties, transpositions (contract 1.6). */
#include "../support.h"
#include "base/suggest.h"

static void
assert_suggested(const char *received, const char *name, bool is_near)
{
    const char *found = suggest_name(str_from(received), &name, 1);
    if (is_near)
        assert_string_equal(found, name);
    else
        assert_null(found);
}

static void
suggest_name_allows_more_for_longer_names(void **state)
{
    (void) state;
    static const struct {
        const char *received, *name;
        bool is_near;
    } rows[] = {
        {"abc", "abd", false}, /* 3 bytes: never */
        {"abc", "abc", true},
        {"abcd", "abc-", true}, /* 4-7: 1 */
        {"abcd", "ab--", false},
        {"abcdefg", "abcdef-", true},
        {"abcdefg", "abcde--", false},
        {"abcdefgh", "abcdef--", true}, /* 8-12: 2 */
        {"abcdefgh", "abcde---", false},
        {"abcdefghijkl", "abcdefghij--", true},
        {"abcdefghijkl", "abcdefghi---", false},
        {"abcdefghijklm", "abcdefghij---", true}, /* 13-17: 3 */
        {"abcdefghijklmnopq", "abcdefghijklm----", false},
        {"abcdefghijklmnopqr", "abcdefghijklmn----", true}, /* 18-24: 4 */
        {"abcdefghijklmnopqrstuvwx", "abcdefghijklmnopqrs-----", false},
        {"abcdefghijklmnopqrstuvwxy", "abcdefghijklmnopqrst-----", true}, /* 25 and more: 5 */
        {"abcdefghijklmnopqrstuvwxy", "abcdefghijklmnopqrs------", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_suggested(rows[i].received, rows[i].name, rows[i].is_near);
}

static void
suggest_name_counts_a_transposition_as_one(void **state)
{
    (void) state;
    assert_suggested("liimt", "limit", true);
    assert_suggested("statuess", "statuses", true);
}

static void
suggest_name_lets_transposed_characters_lie_apart(void **state)
{
    (void) state;
    assert_suggested("xxxxxxca", "xxxxxxabc", true); /* 2, not 3 */
}

static void
suggest_name_counts_bytes(void **state)
{
    (void) state;
    assert_suggested("\xC3\xA9\xC3\xA9", "\xC3\xA9\xC3\xA8", true); /* 4 bytes, 1 differs */
}

static void
suggest_name_takes_the_nearest_and_the_first_of_equals(void **state)
{
    (void) state;
    static const char *const names[] = {"offsets", "limits", "limit", "limbit"};
    assert_string_equal(suggest_name(STR("limits"), names, 4), "limits");
    assert_string_equal(suggest_name(STR("limitt"), names, 4), "limits");
    assert_string_equal(suggest_name(STR("limti"), names + 1, 3), "limit");
    assert_null(suggest_name(STR("nothing"), names, 4));
    assert_null(suggest_name(STR("limits"), names, 0));
}

static void
suggest_name_ignores_huge_input(void **state)
{
    (void) state;
    static char huge[100000];
    memset(huge, 'a', sizeof(huge));
    static const char *const names[] = {"limit"};
    assert_null(suggest_name(str_make(huge, sizeof(huge)), names, 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suggest_name_allows_more_for_longer_names),
        cmocka_unit_test(suggest_name_counts_a_transposition_as_one),
        cmocka_unit_test(suggest_name_lets_transposed_characters_lie_apart),
        cmocka_unit_test(suggest_name_counts_bytes),
        cmocka_unit_test(suggest_name_takes_the_nearest_and_the_first_of_equals),
        cmocka_unit_test(suggest_name_ignores_huge_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
