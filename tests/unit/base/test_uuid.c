/* Identifiers: forms, upstream's reasons (contract 7.3), versions. */
#include <stdlib.h>

#include "../support.h"
#include "base/uuid.h"

static void
uuid_parse_accepts_four_forms(void **state)
{
    (void) state;
    static const char *const forms[] = {
        "550e8400e29b41d4a716446655440000",
        "550e8400-e29b-41d4-a716-446655440000",
        "550E8400-E29B-41D4-A716-446655440000",
        "{550e8400-e29b-41d4-a716-446655440000}",
        "urn:uuid:550e8400-e29b-41d4-a716-446655440000",
    };
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct uuid u;
        char text[UUID_TEXT_LEN + 1];
        assert_true(uuid_parse(str_from(forms[i]), &u, NULL));
        assert_string_equal(uuid_format(&u, text), "550e8400-e29b-41d4-a716-446655440000");
    }
}

static void
uuid_parse_says_why_not(void **state)
{
    (void) state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"invalid", "invalid character: found `i` at 0"},
        {"550e8400-e29b-41d4-a716-44665544000x", "invalid character: found `x` at 35"},
        {"\xC3\xA9", "invalid character: found `\xC3\xA9` at 0"},
        {"ab\xE2\x82\xAC"
         "cd",
         "invalid character: found `\xE2\x82\xAC` at 2"},
        {"", "invalid length: found 0"},
        {"abc", "invalid length: found 3"},
        {"not hexadecimal digits, but longer than any form", "invalid length: found 48"},
        {"{550e8400e29b41d4a716446655440000}", "invalid group count: expected 5, found 1"},
        {"{550e8400-e29b-41d4-a716-44665544000x}", "invalid character: found `x` at 36"},
        {"URN:UUID:550e8400-e29b-41d4-a716-446655440000", "invalid character: found `U` at 0"},
        {"{", "invalid character: found `{` at 0"},
        {"{}", "invalid group count: expected 5, found 1"},
        {"550e8400-e29b", "invalid group count: expected 5, found 2"},
        {"550e8400-e29b-41d4-a716-4466-55440000", "invalid group count: expected 5, found 6"},
        {"550e840-e29b-41d4-a716-446655440000",
         "invalid group length in group 0: expected 8, found 7"},
        {"550e8400-e29b-41d4-a716-44665544000",
         "invalid group length in group 4: expected 12, found 11"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct uuid u = {{7}};
        struct buf why = BUF_INIT;
        assert_false(uuid_parse(str_from(rows[i].text), &u, &why));
        assert_buf_text(&why, rows[i].why);
        assert_int_equal(u.bytes[0], 7);
        assert_false(uuid_parse(str_from(rows[i].text), &u, NULL));
    }
}

static void
uuid_v4_is_random_and_marked(void **state)
{
    (void) state;
    struct uuid a = uuid_v4(), b = uuid_v4();
    assert_false(uuid_equal(&a, &b));
    assert_int_equal(a.bytes[6] >> 4, 4);
    assert_int_equal(a.bytes[8] >> 6, 2);
}

static void
uuid_v7_starts_with_the_time(void **state)
{
    (void) state;
    char text[UUID_TEXT_LEN + 1];
    struct uuid u = uuid_v7(0x0123456789AB);
    uuid_format(&u, text);
    assert_int_equal(strncmp(text, "01234567-89ab-7", 15), 0);
    assert_int_equal(u.bytes[8] >> 6, 2);
}

static void
uuid_is_nil_only_for_zeros(void **state)
{
    (void) state;
    struct uuid nil, other = {{[15] = 1}};
    assert_true(uuid_parse(STR("00000000-0000-0000-0000-000000000000"), &nil, NULL));
    assert_true(uuid_is_nil(&nil));
    assert_false(uuid_is_nil(&other));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uuid_parse_accepts_four_forms),
        cmocka_unit_test(uuid_parse_says_why_not),
        cmocka_unit_test(uuid_v4_is_random_and_marked),
        cmocka_unit_test(uuid_v7_starts_with_the_time),
        cmocka_unit_test(uuid_is_nil_only_for_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
