/* Accept-Encoding (contract 1.8; RFC 9110, 12.5.3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http_internal.h"

static void
accept_encoding_negotiates(void **state)
{
    static const struct {
        const char *value; /* NULL: absent */
        enum http_encoding want;
    } cases[] = {
        {NULL, HTTP_IDENTITY},
        {"", HTTP_IDENTITY},
        {"gzip", HTTP_GZIP},
        {"GZIP", HTTP_GZIP},
        {"x-gzip", HTTP_GZIP},
        {"deflate", HTTP_DEFLATE},
        {"deflate, gzip", HTTP_GZIP},
        {"gzip;q=0.5, deflate;q=0.9", HTTP_DEFLATE},
        {"gzip;q=0.001", HTTP_GZIP},
        {"gzip;q=0", HTTP_IDENTITY},
        {"br", HTTP_IDENTITY},
        {"br, gzip", HTTP_GZIP},
        {"gzip, deflate, br, zstd", HTTP_GZIP},
        {"*", HTTP_GZIP},
        {"*;q=0.5, gzip;q=0", HTTP_DEFLATE},
        {"identity", HTTP_IDENTITY},
        {"identity, gzip", HTTP_GZIP},
        {"identity, gzip;q=0.5", HTTP_IDENTITY},
        {"identity;q=0", HTTP_NO_ENCODING},
        {"*;q=0", HTTP_NO_ENCODING},
        {"br, identity;q=0", HTTP_NO_ENCODING},
        {"br, *;q=0", HTTP_NO_ENCODING},
        {"gzip, identity;q=0", HTTP_GZIP},
        {"identity, *;q=0", HTTP_IDENTITY},
        {"gzip;q=1.000 , ,deflate;q=0.5", HTTP_GZIP},
        {"gzip; q=0 ;x", HTTP_IDENTITY},
    };
    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct str value = str_from(cases[i].value);
        if (http_accept_encoding(value) != cases[i].want)
            fail_msg("`%s`", cases[i].value);
    }
}

static void
only_long_texts_are_worth_encoding(void **state)
{
    (void) state;
    assert_false(http_reply_is_worth_encoding("application/json", 1024));
    assert_true(http_reply_is_worth_encoding("application/json", 1025));
    assert_true(http_reply_is_worth_encoding("text/html; charset=utf-8", 5000));
    assert_false(http_reply_is_worth_encoding("image/png", 5000));
    assert_false(http_reply_is_worth_encoding(NULL, 5000));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_encoding_negotiates),
        cmocka_unit_test(only_long_texts_are_worth_encoding),
    };
    return cmocka_run_group_tests_name("http_accept", tests, NULL, NULL);
}
