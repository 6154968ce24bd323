/* External ids and primary keys: every rule and message of contract 5.3 to 5.5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "index/index.h"

/* The id, or "code: message"; heap. */
static char *
id_of(const char *json, const char *primary_key)
{
    struct json_doc *doc = json_parse(str_from(json), NULL);
    struct buf out = BUF_INIT;
    struct err err = ERR_INIT;

    assert_non_null(doc);
    if (document_id(json_root(doc), str_from(primary_key), &out, &err) < 0)
        buf_addf(&out, "%s: %s", err_name(err.code), err.message);
    err_done(&err);
    json_doc_free(doc);
    return buf_take(&out);
}

static void
assert_id(const char *json, const char *primary_key, const char *expected)
{
    char *id = id_of(json, primary_key);

    assert_string_equal(id, expected);
    free(id);
}

#define INVALID(value)                                                                             \
    "invalid_document_id: Document identifier `" value                                             \
    "` is invalid. A document identifier can be of type integer or string, only composed of "      \
    "alphanumeric characters (a-z A-Z 0-9), hyphens (-) and underscores (_), and can not be more " \
    "than 511 bytes."

static void
document_id_takes_strings_and_integers(void **state)
{
    (void) state;
    assert_id("{\"id\":\"Az_-9\"}", "id", "Az_-9");
    assert_id("{\"id\":1}", "id", "1");
    assert_id("{\"id\":-5}", "id", "-5");
    assert_id("{\"id\":18446744073709551615}", "id", "18446744073709551615");
}

static void
document_id_refuses_other_values(void **state)
{
    (void) state;
    assert_id("{\"id\":\"foo & bar\"}", "id", INVALID("\"foo & bar\""));
    assert_id("{\"id\":\"\"}", "id", INVALID("\"\""));
    assert_id("{\"id\":1.10}", "id", INVALID("1.1"));
    assert_id("{\"id\":99999999999999999999}", "id", INVALID("1e20"));
    assert_id("{\"id\":true}", "id", INVALID("true"));
    assert_id("{\"id\":null}", "id", INVALID("null"));
    assert_id("{\"id\":[1]}", "id", INVALID("[1]"));
    assert_id("{\"id\":{\"a\":1}}", "id", INVALID("{\"a\":1}"));
}

static void
document_id_has_at_most_511_bytes(void **state)
{
    char text[513];

    (void) state;
    memset(text, 'a', sizeof(text));
    assert_true(document_id_is_valid(str_make(text, 511)));
    assert_false(document_id_is_valid(str_make(text, 512)));
    assert_false(document_id_is_valid(str_make(text, 0)));
}

static void
document_id_missing_shows_the_document(void **state)
{
    (void) state;
    assert_id("{\"title\":\"x\",\"n\":1.0}", "id",
              "missing_document_id: Document doesn't have a `id` attribute: "
              "`{\"title\":\"x\",\"n\":1.0}`.");
}

static void
document_id_follows_dotted_paths(void **state)
{
    (void) state;
    assert_id("{\"a\":{\"b\":7}}", "a.b", "7");
    assert_id("{\"a.b\":7}", "a.b", "7");
    assert_id("{\"a\":{\"b.c\":7}}", "a.b.c", "7");
    assert_id("{\"a.b\":{\"c\":7}}", "a.b.c", "7");
}

static void
document_id_dotted_path_may_be_missing(void **state)
{
    (void) state;
    assert_id("{\"a\":{\"c\":1}}", "a.b",
              "missing_document_id: Document doesn't have a `a.b` attribute: `{\"a\":{\"c\":1}}`.");
    assert_id("{\"a\":5}", "a.b",
              "missing_document_id: Document doesn't have a `a.b` attribute: `{\"a\":5}`.");
}

static void
document_id_refuses_too_many_matches(void **state)
{
    (void) state;
    assert_id("{\"a\":{\"b\":1},\"a.b\":2}", "a.b",
              "invalid_document_id: Document have too many matching `a.b` attribute: "
              "`{\"a\":{\"b\":1},\"a.b\":2}`.");
}

static char *
guess(const char *json)
{
    struct json_doc *doc = json_parse(str_from(json), NULL);
    struct buf out = BUF_INIT;
    struct err err = ERR_INIT;

    if (primary_key_guess(json_root(doc), &out, &err) < 0)
        buf_addf(&out, "%s: %s", err_name(err.code), err.message);
    err_done(&err);
    json_doc_free(doc);
    return buf_take(&out);
}

static void
assert_guess(const char *json, const char *expected)
{
    char *name = guess(json);

    assert_string_equal(name, expected);
    free(name);
}

static void
primary_key_guess_takes_the_one_name_ending_in_id(void **state)
{
    (void) state;
    assert_guess("{\"title\":1,\"id\":2}", "id");
    assert_guess("{\"movieID\":1}", "movieID");
    assert_guess("{\"solid\":1,\"idea\":2}", "solid");
}

static void
primary_key_guess_without_candidate(void **state)
{
    (void) state;
    assert_guess("{\"title\":1}",
                 "index_primary_key_no_candidate_found: The primary key inference failed as the "
                 "engine did not find any field ending with `id` in its name. Please specify the "
                 "primary key manually using the `primaryKey` query parameter.");
}

static void
primary_key_guess_names_the_first_two_candidates_in_order(void **state)
{
    (void) state;
    assert_guess("{\"zid\":1,\"mid\":2,\"aId\":3}",
                 "index_primary_key_multiple_candidates_found: The primary key inference failed as "
                 "the engine found 3 fields ending with `id` in their names: 'aId' and 'mid'. "
                 "Please specify the primary key manually using the `primaryKey` query parameter.");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(document_id_takes_strings_and_integers),
        cmocka_unit_test(document_id_refuses_other_values),
        cmocka_unit_test(document_id_has_at_most_511_bytes),
        cmocka_unit_test(document_id_missing_shows_the_document),
        cmocka_unit_test(document_id_follows_dotted_paths),
        cmocka_unit_test(document_id_dotted_path_may_be_missing),
        cmocka_unit_test(document_id_refuses_too_many_matches),
        cmocka_unit_test(primary_key_guess_takes_the_one_name_ending_in_id),
        cmocka_unit_test(primary_key_guess_without_candidate),
        cmocka_unit_test(primary_key_guess_names_the_first_two_candidates_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
