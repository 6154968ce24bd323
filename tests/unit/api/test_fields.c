/* Every form of message of contract 1.6. */
#include "api/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct values {
    struct str uid, key;
    uint64_t limit;
    bool rename;
    struct field_strings list;
    const struct json *any;
};

static int
read_never(const struct field_in *in, void *dst)
{
    (void) dst;
    return field_invalid(in, "never %s", "good");
}

static const struct field field_rows[] = {
    {.name = "uid",
     .code = ERR_INVALID_INDEX_UID,
     .kinds = FIELD_STRING,
     .no_null = true,
     .missing = ERR_MISSING_INDEX_UID,
     .read = field_string,
     .offset = offsetof(struct values, uid)},
    {.name = "primaryKey",
     .code = ERR_INVALID_INDEX_PRIMARY_KEY,
     .kinds = FIELD_STRING,
     .read = field_string,
     .offset = offsetof(struct values, key)},
    {.name = "limit",
     .code = ERR_INVALID_INDEX_LIMIT,
     .kinds = FIELD_POSITIVE,
     .read = field_u64,
     .offset = offsetof(struct values, limit)},
    {.name = "rename",
     .code = ERR_INVALID_SWAP_RENAME,
     .kinds = FIELD_BOOL,
     .read = field_bool,
     .offset = offsetof(struct values, rename)},
    {.name = "list",
     .code = ERR_INVALID_SWAP_INDEXES,
     .kinds = FIELD_ARRAY,
     .read = field_strings,
     .offset = offsetof(struct values, list)},
    {.name = "never",
     .code = ERR_INVALID_INDEX_OFFSET,
     .kinds = FIELD_ANY,
     .read = read_never,
     .offset = offsetof(struct values, any)},
    {.name = "createdAt", .code = ERR_IMMUTABLE_INDEX_CREATED_AT},
};
static const struct fields fields = FIELDS_OF(field_rows);
#define NAMES "`uid`, `primaryKey`, `limit`, `rename`, `list`, `never`"

static int
read_at(const char *text, const char *path, struct values *ret, struct err *err,
        struct arena *arena, struct json_doc **ret_doc)
{
    *ret = (struct values){0};
    *ret_doc = json_parse(str_from(text), NULL);
    assert_non_null(*ret_doc);
    return fields_read(arena, json_root(*ret_doc), path, &fields, ret, err);
}

static void
fails_at(const char *text, const char *path, enum err_code code, const char *message)
{
    struct arena *arena = arena_new();
    struct err err = ERR_INIT;
    struct values v;
    struct json_doc *doc;
    assert_int_equal(read_at(text, path, &v, &err, arena, &doc), -1);
    assert_string_equal(err.message, message);
    assert_int_equal(err.code, code);
    err_done(&err);
    json_doc_free(doc);
    arena_free(arena);
}

static void
fails(const char *text, enum err_code code, const char *message)
{
    fails_at(text, "", code, message);
}

static void
the_root_must_be_an_object(void **state)
{
    (void) state;
    fails("\"hello\"", ERR_BAD_REQUEST,
          "Invalid value type: expected an object, but found a string: `\"hello\"`");
    fails("null", ERR_BAD_REQUEST, "Invalid value type: expected an object, but found null");
    fails_at("3", "[0]", ERR_BAD_REQUEST,
             "Invalid value type at `[0]`: expected an object, but found a positive integer: `3`");
}

static void
wrong_types_name_both_kinds(void **state)
{
    (void) state;
    fails("{\"uid\":true}", ERR_INVALID_INDEX_UID,
          "Invalid value type at `.uid`: expected a string, but found a boolean: `true`");
    fails("{\"uid\":null}", ERR_INVALID_INDEX_UID,
          "Invalid value type at `.uid`: expected a string, but found null");
    fails("{\"limit\":-1}", ERR_INVALID_INDEX_LIMIT,
          "Invalid value type at `.limit`: expected a positive integer, but found a negative "
          "integer: `-1`");
    fails("{\"limit\":1.5}", ERR_INVALID_INDEX_LIMIT,
          "Invalid value type at `.limit`: expected a positive integer, but found a number: `1.5`");
    fails("{\"rename\":[1, 2]}", ERR_INVALID_SWAP_RENAME,
          "Invalid value type at `.rename`: expected a boolean, but found an array: `[1,2]`");
    fails("{\"list\":{\"a\": 1}}", ERR_INVALID_SWAP_INDEXES,
          "Invalid value type at `.list`: expected an array, but found an object: `{\"a\":1}`");
}

static void
elements_have_a_path(void **state)
{
    (void) state;
    fails_at("{\"list\":[\"a\",3]}", "[2]", ERR_INVALID_SWAP_INDEXES,
             "Invalid value type at `[2].list[1]`: expected a string, but found a positive "
             "integer: `3`");
}

static void
lists_of_kinds_read_well(void **state)
{
    (void) state;
    static const struct {
        unsigned kinds;
        const char *words;
    } cases[] = {
        {FIELD_STRING | FIELD_ARRAY, "a string or an array"},
        {FIELD_BOOL | FIELD_STRING | FIELD_ARRAY, "a boolean, a string, or an array"},
        {FIELD_POSITIVE | FIELD_NEGATIVE, "an integer"},
        {FIELD_POSITIVE | FIELD_NEGATIVE | FIELD_FLOAT, "a number"},
        {FIELD_POSITIVE | FIELD_NEGATIVE | FIELD_STRING, "an integer or a string"},
    };
    struct json_doc *doc = json_parse(STR("null"), NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = ERR_INIT;
        struct buf expected = BUF_INIT;
        buf_addf(&expected, "Invalid value type at `.x`: expected %s, but found null",
                 cases[i].words);
        assert_int_equal(
            field_check_kind(json_root(doc), cases[i].kinds, ".x", ERR_BAD_REQUEST, &err), -1);
        assert_string_equal(err.message, buf_cstr(&expected));
        buf_done(&expected);
        err_done(&err);
    }
    json_doc_free(doc);
}

static void
unknown_and_immutable_fields_are_refused(void **state)
{
    (void) state;
    fails("{\"doggo\":1}", ERR_BAD_REQUEST, "Unknown field `doggo`: expected one of " NAMES);
    fails("{\"limmit\":1}", ERR_BAD_REQUEST,
          "Unknown field `limmit`: did you mean `limit`? expected one of " NAMES);
    fails_at("{\"doggo\":1}", "[1]", ERR_BAD_REQUEST,
             "Unknown field `doggo` inside `[1]`: expected one of " NAMES);
    fails("{\"createdAt\":1}", ERR_IMMUTABLE_INDEX_CREATED_AT,
          "Immutable field `createdAt`: expected one of " NAMES);
}

static void
missing_fields_come_last(void **state)
{
    (void) state;
    fails("{}", ERR_MISSING_INDEX_UID, "Missing field `uid`");
    fails_at("{}", "[0]", ERR_MISSING_INDEX_UID, "Missing field `uid` inside `[0]`");
    fails("{\"rename\":1}", ERR_INVALID_SWAP_RENAME,
          "Invalid value type at `.rename`: expected a boolean, but found a positive integer: `1`");
}

static void
document_order_decides_which_error_is_told(void **state)
{
    (void) state;
    fails("{\"doggo\":1,\"uid\":1}", ERR_BAD_REQUEST,
          "Unknown field `doggo`: expected one of " NAMES);
    fails("{\"uid\":1,\"doggo\":1}", ERR_INVALID_INDEX_UID,
          "Invalid value type at `.uid`: expected a string, but found a positive integer: `1`");
}

static void
custom_readers_have_their_own_words(void **state)
{
    (void) state;
    fails("{\"never\":1}", ERR_INVALID_INDEX_OFFSET, "Invalid value at `.never`: never good");
}

static void
good_values_are_read_and_null_is_not_given(void **state)
{
    (void) state;
    struct arena *arena = arena_new();
    struct err err = ERR_INIT;
    struct values v;
    struct json_doc *doc;
    assert_int_equal(read_at("{\"uid\":\"\",\"primaryKey\":null,\"limit\":3,\"rename\":true,"
                             "\"list\":[\"a\",\"b\"]}",
                             "", &v, &err, arena, &doc),
                     0);
    assert_non_null(v.uid.data);
    assert_null(v.key.data);
    assert_int_equal(v.limit, 3);
    assert_true(v.rename);
    assert_int_equal(v.list.n, 2);
    assert_true(str_is(v.list.values[1], "b"));
    json_doc_free(doc);
    arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_root_must_be_an_object),
        cmocka_unit_test(wrong_types_name_both_kinds),
        cmocka_unit_test(elements_have_a_path),
        cmocka_unit_test(lists_of_kinds_read_well),
        cmocka_unit_test(unknown_and_immutable_fields_are_refused),
        cmocka_unit_test(missing_fields_come_last),
        cmocka_unit_test(document_order_decides_which_error_is_told),
        cmocka_unit_test(custom_readers_have_their_own_words),
        cmocka_unit_test(good_values_are_read_and_null_is_not_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
