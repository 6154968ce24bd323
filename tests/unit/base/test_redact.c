/* What is shown of secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/redact.h"

static void
assert_shown(const char *secret, const char *expected)
{
    struct buf shown = BUF_INIT;
    redact(&shown, str_from(secret));
    assert_string_equal(buf_cstr(&shown), expected);
    buf_done(&shown);
}

static void
longer_secrets_show_more_of_their_beginning(void **state)
{
    (void) state;
    assert_shown("", "XXX...");
    assert_shown("123456789", "XXX...");
    assert_shown("1234567890", "12XXXX...");
    assert_shown("1234567890123456789", "12XXXX...");
    assert_shown("12345678901234567890", "123XXXXX...");
    assert_shown("12345678901234567890123456789", "123XXXXX...");
    assert_shown("123456789012345678901234567890", "12345XXXXXX...");
}

static void
characters_are_not_cut(void **state)
{
    (void) state;
    assert_shown("1\xc3\xa9"
                 "4567890",
                 "1\xc3\xa9XXXX...");
    assert_shown("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", "\xe2\x82\xacXXXX...");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(longer_secrets_show_more_of_their_beginning),
        cmocka_unit_test(characters_are_not_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
