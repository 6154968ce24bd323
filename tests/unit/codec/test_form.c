/* Query strings, path segments, percent encoding. */
#include <stdlib.h>

#include "../support.h"
#include "codec/form.h"

#define FFFD "\xEF\xBF\xBD"

/* "name=value;" for each parameter, escapes undone. */
static struct buf
parsed(struct str query)
{
    struct arena *a = arena_new();
    struct form_param *params;
    struct buf out = BUF_INIT;
    int n = form_parse(a, query, &params);
    for (int i = 0; i < n; i++)
        buf_addf(&out, "%.*s=%.*s;", STR_ARG(params[i].name), STR_ARG(params[i].value));
    arena_free(a);
    return out;
}

static void
form_parse_follows_the_url_standard(void **state)
{
    (void) state;
    static const struct {
        const char *query, *expected;
    } rows[] = {
        {"", ""},
        {"a=1&b=%20+x", "a=1;b=  x;"},
        {"a", "a=;"},
        {"a=", "a=;"},
        {"=x", "=x;"},
        {"&&a=1&", "a=1;"},
        {"a=1&a=2", "a=1;a=2;"},
        {"a=b=c", "a=b=c;"},
        {"%61%3D=%26", "a==&;"},
        {"a=%", "a=%;"},
        {"a=%4", "a=%4;"},
        {"a=%4g%zz", "a=%4g%zz;"},
        {"a=%c3%A9", "a=\xC3\xA9;"},
        {"a=\xC3\xA9", "a=\xC3\xA9;"},
        {"a=%FF", "a=" FFFD ";"},
        {"a=%E2%82x", "a=" FFFD "x;"},
        {"a=%F0%9F%98", "a=" FFFD ";"},
        {"a=%ED%A0%80", "a=" FFFD FFFD FFFD ";"},
        {"a=%C0%80", "a=" FFFD FFFD ";"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out = parsed(str_from(rows[i].query));
        assert_buf_text(&out, rows[i].expected);
    }
}

static void
form_parse_accepts_as_many_as_the_limit(void **state)
{
    (void) state;
    struct buf query = BUF_INIT;
    for (int i = 0; i < FORM_MAX_PARAMS; i++)
        buf_add_cstr(&query, "a&&");
    struct arena *a = arena_new();
    struct form_param *params;
    assert_int_equal(form_parse(a, buf_str(&query), &params), FORM_MAX_PARAMS);
    arena_free(a);
    buf_done(&query);
}

static void
form_parse_refuses_one_more(void **state)
{
    (void) state;
    struct buf query = BUF_INIT;
    for (int i = 0; i <= FORM_MAX_PARAMS; i++)
        buf_add_cstr(&query, "a&");
    struct arena *a = arena_new();
    struct form_param *params;
    assert_int_equal(form_parse(a, buf_str(&query), &params), -1);
    arena_free(a);
    buf_done(&query);
}

static void
form_parse_keeps_nul_bytes(void **state)
{
    (void) state;
    struct arena *a = arena_new();
    struct form_param *params;
    assert_int_equal(form_parse(a, STR("a=x%00y"), &params), 1);
    assert_true(str_equal(params[0].value, STR("x\0y")));
    arena_free(a);
}

static void
form_decode_path_leaves_plus_alone(void **state)
{
    (void) state;
    struct arena *a = arena_new();
    assert_text(form_decode_path(a, STR("a+b%2Fc%20%")), "a+b/c %");
    arena_free(a);
}

static void
form_encode_escapes_all_but_unreserved(void **state)
{
    (void) state;
    struct buf out = BUF_INIT;
    form_encode(&out, STR("aZ09-._~ +/%\xC3\xA9\0"));
    assert_buf_text(&out, "aZ09-._~%20%2B%2F%25%C3%A9%00");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(form_parse_follows_the_url_standard),
        cmocka_unit_test(form_parse_accepts_as_many_as_the_limit),
        cmocka_unit_test(form_parse_refuses_one_more),
        cmocka_unit_test(form_parse_keeps_nul_bytes),
        cmocka_unit_test(form_decode_path_leaves_plus_alone),
        cmocka_unit_test(form_encode_escapes_all_but_unreserved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
