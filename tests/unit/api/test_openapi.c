/* The OpenAPI document has every route of the tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <ctype.h>

#include "api/api.h"
#include "api/openapi.h"
#include "api/params.h"
#include "codec/json.h"

static struct json_doc *doc;

static int
read_document(void **state)
{
    struct buf text = BUF_INIT;
    (void) state;
    openapi_write(&text);
    doc = json_parse(buf_str(&text), NULL);
    buf_done(&text);
    return doc == NULL ? -1 : 0;
}

static int
free_document(void **state)
{
    (void) state;
    json_doc_free(doc);
    return 0;
}

static const struct json *
operation_of(const struct route *r)
{
    char method[16] = "";
    const char *name = http_method_name(r->method);
    for (size_t i = 0; name[i] != '\0' && i < sizeof(method) - 1; i++)
        method[i] = (char) tolower((unsigned char) name[i]);
    const struct json *paths = json_get_c(json_root(doc), "paths");
    return json_get_c(json_get_c(paths, r->pattern), method);
}

static void
every_route_is_in_it(void **state)
{
    size_t n, found = 0;
    const struct route *const *rows = api_routes(&n);
    (void) state;
    for (size_t i = 0; i < n; i++) {
        const struct json *operation = operation_of(rows[i]);
        if (operation == NULL)
            print_error("missing: %s %s\n", http_method_name(rows[i]->method), rows[i]->pattern);
        assert_non_null(operation);
        assert_true(str_is(json_string(json_get_c(operation, "summary")), rows[i]->summary));
        found++;
    }
    assert_true(found > 50);
}

static void
nothing_else_is_in_it(void **state)
{
    size_t n_rows, n_operations = 0;
    (void) state;
    (void) api_routes(&n_rows);
    struct json_iter it = json_iter(json_get_c(json_root(doc), "paths"));
    while (json_next(&it))
        n_operations += json_length(it.value);
    assert_int_equal(n_operations, n_rows);
}

static void
every_query_parameter_is_in_it(void **state)
{
    size_t n;
    const struct route *const *rows = api_routes(&n);
    (void) state;
    for (size_t i = 0; i < n; i++) {
        size_t expected = rows[i]->query == NULL ? 0 : rows[i]->query->n, seen = 0;
        struct json_iter it = json_iter(json_get_c(operation_of(rows[i]), "parameters"));
        while (json_next(&it))
            seen += str_is(json_string(json_get_c(it.value, "in")), "query");
        assert_int_equal(seen, expected);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_in_it),
        cmocka_unit_test(nothing_else_is_in_it),
        cmocka_unit_test(every_query_parameter_is_in_it),
    };
    return cmocka_run_group_tests(tests, read_document, free_document);
}
