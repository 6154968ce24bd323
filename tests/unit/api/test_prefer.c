/* The Prefer header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/prefer.h"

enum { NOT_GIVEN = 999 };

static unsigned
wait_of(const char *header)
{
    unsigned seconds = NOT_GIVEN;
    return prefer_wait(str_from(header), 60, &seconds) ? seconds : NOT_GIVEN;
}

static void
wait_is_found_among_others(void **state)
{
    (void) state;
    assert_int_equal(wait_of("wait=10"), 10);
    assert_int_equal(wait_of("respond-async, wait=10"), 10);
    assert_int_equal(wait_of(" WAIT = 10 ; x=y, z"), 10);
    assert_int_equal(wait_of("wait=\"10\""), 10);
    assert_int_equal(wait_of("a=\"b,wait=5\", wait=7"), 7);
    assert_int_equal(wait_of("a=\"\\\",wait=5\", wait=7"), 7);
    assert_int_equal(wait_of("wait=1, wait=2"), 1);
    assert_int_equal(wait_of("wait=0"), 0);
}

static void
long_waits_are_capped(void **state)
{
    (void) state;
    assert_int_equal(wait_of("wait=61"), 60);
    assert_int_equal(wait_of("wait=99999999999999999999999999"), 60);
}

static void
what_is_not_understood_is_ignored(void **state)
{
    (void) state;
    static const char *const headers[] = {"",          "wait",     "wait=",     "wait=x",
                                          "wait=-1",   "wait=1.5", "waits=5",   "return=minimal",
                                          "wait=\"5x", ",,;=\"",   "wait=\"\"", "wait=5 6"};
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        assert_int_equal(wait_of(headers[i]), NOT_GIVEN);
}

static void
any_preference_is_found_with_its_value(void **state)
{
    (void) state;
    struct str value;
    assert_true(prefer_find(STR("wait=1, Return=\"representation\"; x"), "return", &value));
    assert_true(str_is(value, "representation"));
    assert_true(prefer_find(STR("respond-async"), "respond-async", &value));
    assert_int_equal(value.len, 0);
    assert_false(prefer_find(STR("a=\"return=minimal\""), "return", &value));
    assert_false(prefer_find(STR(""), "return", &value));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wait_is_found_among_others),
        cmocka_unit_test(long_waits_are_capped),
        cmocka_unit_test(what_is_not_understood_is_ignored),
        cmocka_unit_test(any_preference_is_found_with_its_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
