/* Matching paths against route rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/route.h"

static const struct route rows_[] = {
    {.method = HTTP_GET, .pattern = "/"},
    {.method = HTTP_GET, .pattern = "/indexes/{uid}"},
    {.method = HTTP_DELETE, .pattern = "/indexes/{uid}"},
    {.method = HTTP_GET, .pattern = "/indexes/{uid}/documents/{id}"},
    {.method = HTTP_POST, .pattern = "/indexes/{uid}/documents/fetch"},
    {.method = HTTP_GET, .pattern = "/tasks"},
};
enum { N = sizeof(rows_) / sizeof(rows_[0]) };

static struct route_match
find(enum http_method method, const char *path)
{
    const struct route *rows[N];
    uint8_t depths[N];
    for (size_t i = 0; i < N; i++) {
        rows[i] = &rows_[i];
        depths[i] = route_depth(rows_[i].pattern);
    }
    return route_find(rows, depths, N, method, str_from(path));
}

static void
route_find_gives_row_and_parameters(void **state)
{
    (void) state;
    struct route_match m = find(HTTP_GET, "/indexes/movies/documents/7%2F8");
    assert_ptr_equal(m.route, &rows_[3]);
    assert_true(str_is(m.params[0], "movies"));
    assert_true(str_is(m.params[1], "7%2F8"));
}

static void
route_find_collapses_slashes(void **state)
{
    (void) state;
    static const char *const paths[] = {"/tasks", "/tasks/", "//tasks", "///tasks//"};
    for (size_t i = 0; i < 4; i++)
        assert_ptr_equal(find(HTTP_GET, paths[i]).route, &rows_[5]);
    assert_ptr_equal(find(HTTP_GET, "/").route, &rows_[0]);
    assert_ptr_equal(find(HTTP_GET, "//indexes//a//").route, &rows_[1]);
}

static void
route_find_tells_unknown_from_other_method(void **state)
{
    (void) state;
    assert_false(find(HTTP_GET, "/nothing").path_exists);
    assert_false(find(HTTP_GET, "/tasks/1/2").path_exists);
    assert_false(find(HTTP_GET, "/task").path_exists);
    assert_false(find(HTTP_OPTIONS, "*").path_exists);
    struct route_match m = find(HTTP_PATCH, "/indexes/a");
    assert_null(m.route);
    assert_true(m.path_exists);
}

static void
route_find_gives_literals_the_path(void **state)
{
    (void) state;
    assert_ptr_equal(find(HTTP_POST, "/indexes/a/documents/fetch").route, &rows_[4]);
    struct route_match m = find(HTTP_GET, "/indexes/a/documents/fetch");
    assert_null(m.route);
    assert_true(m.path_exists);
}

static void
route_find_serves_head_by_get(void **state)
{
    (void) state;
    assert_ptr_equal(find(HTTP_HEAD, "/tasks").route, &rows_[5]);
}

static void
method_names_are_exact(void **state)
{
    (void) state;
    enum http_method m;
    for (int i = 0; i < HTTP_METHODS; i++) {
        assert_true(http_method_parse(str_from(http_method_name((enum http_method) i)), &m));
        assert_int_equal(m, i);
    }
    assert_false(http_method_parse(STR("get"), &m));
    assert_false(http_method_parse(STR("GETT"), &m));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(route_find_gives_row_and_parameters),
        cmocka_unit_test(route_find_collapses_slashes),
        cmocka_unit_test(route_find_tells_unknown_from_other_method),
        cmocka_unit_test(route_find_gives_literals_the_path),
        cmocka_unit_test(route_find_serves_head_by_get),
        cmocka_unit_test(method_names_are_exact),
    };
    return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
