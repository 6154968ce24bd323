/* Reading Idempotency-Key: bare or as a quoted structured-field string. */
#include "api/idempotency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
reads(const char *header, const char *key)
{
    struct buf got = BUF_INIT;
    assert_true(idempotent_read_key(str_from(header), &got));
    assert_string_equal(buf_cstr(&got), key);
    buf_done(&got);
}

static void
refuses(const char *header)
{
    struct buf got = BUF_INIT;
    assert_false(idempotent_read_key(str_from(header), &got));
    buf_done(&got);
}

static void
bare_keys_are_taken_as_they_are(void **state)
{
    (void) state;
    reads("8e03978e-40d5-43e8-bc93-6894a57f9324", "8e03978e-40d5-43e8-bc93-6894a57f9324");
    reads("a\"b\\c", "a\"b\\c");
}

static void
quoted_keys_equal_bare_ones(void **state)
{
    (void) state;
    reads("\"abc\"", "abc");
    reads("\"a\\\"b\\\\c\"", "a\"b\\c");
}

static void
broken_quotes_are_refused(void **state)
{
    (void) state;
    static const char *const bad[] = {"\"", "\"abc", "\"abc\\\"", "\"a\"b\"", "\"a\\nb\"", "\"\""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refuses(bad[i]);
}

static void
only_visible_ascii_is_accepted(void **state)
{
    (void) state;
    static const char *const bad[] = {"", "a b", "a\tb", "caf\xc3\xa9", "\x7f", "\"a b\""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refuses(bad[i]);
}

static void
keys_end_at_255_bytes(void **state)
{
    (void) state;
    char text[257];
    memset(text, 'k', sizeof(text));
    text[255] = '\0';
    reads(text, text);
    text[255] = 'k';
    text[256] = '\0';
    refuses(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bare_keys_are_taken_as_they_are),
        cmocka_unit_test(quoted_keys_equal_bare_ones),
        cmocka_unit_test(broken_quotes_are_refused),
        cmocka_unit_test(only_visible_ascii_is_accepted),
        cmocka_unit_test(keys_end_at_255_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
