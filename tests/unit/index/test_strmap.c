/* Interned strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "index/strmap.h"

static void
equal_strings_have_one_number(void **state)
{
    struct strmap m;
    bool is_new;

    (void) state;
    strmap_init(&m);
    assert_int_equal(strmap_put(&m, STR("a"), &is_new), 0);
    assert_true(is_new);
    assert_int_equal(strmap_put(&m, STR(""), NULL), 1);
    assert_int_equal(strmap_put(&m, str_make("a\0b", 3), NULL), 2);
    assert_int_equal(strmap_put(&m, STR("a"), &is_new), 0);
    assert_false(is_new);
    assert_true(strmap_has(&m, STR("")));
    assert_false(strmap_has(&m, STR("b")));
    strmap_done(&m);
}

static void
many_and_long_strings_keep_their_numbers(void **state)
{
    struct strmap m;
    char name[32], *big = malloc(100000);

    (void) state;
    memset(big, 'x', 100000);
    strmap_init(&m);
    for (int i = 0; i < 20000; i++) {
        (void) snprintf(name, sizeof(name), "name %d", i);
        assert_int_equal(strmap_put(&m, str_from(name), NULL), i);
    }
    assert_int_equal(strmap_put(&m, str_make(big, 100000), NULL), 20000);
    for (uint32_t i = 0; i < 20000; i++) {
        (void) snprintf(name, sizeof(name), "name %u", i);
        assert_true(str_is(strmap_name(&m, i), name));
        assert_int_equal(strmap_put(&m, str_from(name), NULL), i);
    }
    strmap_done(&m);
    free(big);
}

static void
an_empty_map_has_nothing(void **state)
{
    struct strmap m;

    (void) state;
    strmap_init(&m);
    assert_false(strmap_has(&m, STR("a")));
    strmap_done(&m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_strings_have_one_number),
        cmocka_unit_test(many_and_long_strings_keep_their_numbers),
        cmocka_unit_test(an_empty_map_has_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
