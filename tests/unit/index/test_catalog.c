/* The index catalogue and its JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "index/catalog.h"
#include "store/tables.h"

struct fixture {
    char dir[64];
    struct store_env *env;
    struct store_txn *txn;
};

static int
setup(void **state)
{
    struct fixture *f = mem_new(1, sizeof(*f));
    struct err err = ERR_INIT;

    (void) snprintf(f->dir, sizeof(f->dir), "/tmp/taskhook-catalog-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(main_env_open(&f->env, f->dir, &err), 0);
    assert_int_equal(store_begin_write(f->env, &f->txn), 0);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    char command[96];

    store_abort(f->txn);
    store_env_close(f->env);
    (void) snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

static void
put(struct fixture *f, const char *uid)
{
    struct index_info info = {
        .uid = (char *) (uintptr_t) uid, .created_at_ns = 1, .updated_at_ns = 1};

    assert_int_equal(catalog_put(f->txn, &info), 0);
}

static void
uid_rules(void **state)
{
    char longest[401];

    (void) state;
    memset(longest, 'a', sizeof(longest));
    assert_true(index_uid_is_valid(STR("movies_2-A")));
    assert_true(index_uid_is_valid(str_make(longest, 400)));
    assert_false(index_uid_is_valid(str_make(longest, 401)));
    assert_false(index_uid_is_valid(STR("")));
    assert_false(index_uid_is_valid(STR("the best doggo")));
    assert_false(index_uid_is_valid(STR("é")));
}

static void
uid_error_text(void **state)
{
    struct buf out = BUF_INIT;

    (void) state;
    index_uid_write_invalid(&out, STR("a b"));
    assert_string_equal(buf_cstr(&out),
                        "`a b` is not a valid index uid. Index uid can be an integer or a string "
                        "containing only alphanumeric characters, hyphens (-) and underscores (_), "
                        "and can not be more than 512 bytes.");
    buf_done(&out);
}

static void
rows_come_back_complete(void **state)
{
    struct fixture *f = *state;
    char uid[] = "movies", key[] = "id", distribution[] = "{\"id\":3}";
    struct index_info in = {.uid = uid,
                            .uuid = uuid_v4(),
                            .primary_key = key,
                            .created_at_ns = 1700000000123456789,
                            .updated_at_ns = 1700000001000000000,
                            .n_documents = 3,
                            .raw_bytes = 100,
                            .field_distribution = distribution};
    struct index_info out;

    assert_int_equal(catalog_put(f->txn, &in), 0);
    assert_int_equal(catalog_get(f->txn, STR("movies"), &out), 1);
    assert_string_equal(out.uid, "movies");
    assert_true(uuid_equal(&out.uuid, &in.uuid));
    assert_string_equal(out.primary_key, "id");
    assert_true(out.created_at_ns == in.created_at_ns && out.updated_at_ns == in.updated_at_ns);
    assert_true(out.n_documents == 3 && out.raw_bytes == 100);
    assert_string_equal(out.field_distribution, "{\"id\":3}");
    index_info_done(&out);
}

static void
get_of_an_unknown_or_impossible_uid_is_nothing(void **state)
{
    struct fixture *f = *state;
    struct index_info info;
    char big[600];

    memset(big, 'a', sizeof(big));
    assert_int_equal(catalog_get(f->txn, STR("nope"), &info), 0);
    assert_int_equal(catalog_get(f->txn, str_make(big, sizeof(big)), &info), 0);
    assert_int_equal(catalog_get(f->txn, STR(""), &info), 0);
}

static void
next_walks_in_byte_order(void **state)
{
    struct fixture *f = *state;
    struct index_info info;
    struct buf seen = BUF_INIT, after = BUF_INIT;

    put(f, "b");
    put(f, "B");
    put(f, "a");
    put(f, "aa");
    while (catalog_next(f->txn, buf_str(&after), &info) == 1) {
        buf_addf(&seen, "%s ", info.uid);
        buf_clear(&after);
        buf_add_cstr(&after, info.uid);
        index_info_done(&info);
    }
    assert_string_equal(buf_cstr(&seen), "B a aa b ");
    assert_int_equal(catalog_count(f->txn), 4);
    assert_int_equal(catalog_delete(f->txn, STR("a")), 1);
    assert_int_equal(catalog_next(f->txn, STR("a"), &info), 1);
    assert_string_equal(info.uid, "aa");
    index_info_done(&info);
    buf_done(&seen);
    buf_done(&after);
}

static void
json_of_an_index(void **state)
{
    char uid[] = "movies";
    struct index_info info = {
        .uid = uid, .created_at_ns = 1704164645000000000, .updated_at_ns = 1704164645100000000};
    struct buf out = BUF_INIT;

    (void) state;
    index_info_write_json(&out, &info);
    assert_string_equal(buf_cstr(&out),
                        "{\"uid\":\"movies\",\"createdAt\":\"2024-01-02T03:04:05Z\","
                        "\"updatedAt\":\"2024-01-02T03:04:05.1Z\",\"primaryKey\":null}");
    buf_done(&out);
}

static void
json_of_stats(void **state)
{
    char distribution[] = "{\"id\":3}";
    struct index_info info = {
        .n_documents = 3, .raw_bytes = 100, .field_distribution = distribution};
    struct buf out = BUF_INIT;

    (void) state;
    index_info_write_stats_json(&out, &info, true);
    assert_string_equal(buf_cstr(&out),
                        "{\"numberOfDocuments\":3,\"rawDocumentDbSize\":100,\"avgDocumentSize\":33,"
                        "\"isIndexing\":true,\"numberOfEmbeddings\":0,"
                        "\"numberOfEmbeddedDocuments\":0,\"fieldDistribution\":{\"id\":3}}");
    buf_done(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uid_rules),     cmocka_unit_test(uid_error_text),
        TEST(rows_come_back_complete),   TEST(get_of_an_unknown_or_impossible_uid_is_nothing),
        TEST(next_walks_in_byte_order),  cmocka_unit_test(json_of_an_index),
        cmocka_unit_test(json_of_stats),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
