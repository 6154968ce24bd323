/* Writing and reading an index: what goes in comes out, ids are reused, counts are right, and a
 * commit is all or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fixture.h"

static void
assert_stored(struct fixture *f, const char *id, const char *expected)
{
    char *text = fixture_get(f, id);

    if (expected == NULL)
        assert_null(text);
    else
        assert_string_equal(text == NULL ? "(none)" : text, expected);
    free(text);
}

static void
assert_listed(struct fixture *f, const char *expected)
{
    char *text = fixture_list(f);

    assert_string_equal(text, expected);
    free(text);
}

static void
assert_distribution(struct fixture *f, const char *expected)
{
    struct index_totals totals;

    assert_int_equal(index_writer_totals(f->writer, &totals), 0);
    assert_string_equal(totals.field_distribution, expected);
    free(totals.field_distribution);
}

static void
documents_come_back_as_they_went_in(void **state)
{
    static const char text[] = "{\"z\":1.10,\"id\":\"a\",\"n\":99999999999999999999,\"e\":1E5,"
                               "\"ü\":\"日本 \\\"q\\\" 🍰\",\"o\":{\"b\":[null,true]}}";
    struct fixture *f = *state;

    fixture_begin(f);
    assert_int_equal(fixture_add(f, DOCUMENT_REPLACE, text, 1), 2);
    fixture_commit(f, "r");
    fixture_reopen(f);
    assert_stored(f, "a", text);
    assert_stored(f, "b", NULL);
}

static void
replace_forgets_the_old_fields(void **state)
{
    struct fixture *f = *state;

    fixture_begin(f);
    fixture_add(f, DOCUMENT_REPLACE, "{\"id\":1,\"a\":1,\"b\":2}", 1);
    fixture_add(f, DOCUMENT_REPLACE, "{\"id\":\"1\",\"c\":3}", 1);
    assert_distribution(f, "{\"c\":1,\"id\":1}");
    fixture_commit(f, "r");
    assert_stored(f, "1", "{\"id\":\"1\",\"c\":3}");
}

static void
merge_keeps_places_and_appends_new_fields(void **state)
{
    struct fixture *f = *state;

    fixture_begin(f);
    fixture_add(f, DOCUMENT_REPLACE, "{\"a\":{\"x\":1},\"id\":1,\"b\":1.10}", 1);
    fixture_add(f, DOCUMENT_MERGE, "{\"new\":1.0,\"id\":1,\"a\":{\"y\":2}}", 2);
    assert_distribution(f, "{\"a\":1,\"b\":1,\"id\":1,\"new\":1}");
    fixture_commit(f, "r");
    assert_stored(f, "1", "{\"a\":{\"y\":2},\"id\":1,\"b\":1.10,\"new\":1.0}");
}

static void
merge_of_an_unknown_document_adds_it(void **state)
{
    struct fixture *f = *state;

    fixture_begin(f);
    assert_int_equal(fixture_add(f, DOCUMENT_MERGE, "{\"id\":1,\"a\":1}", 1), 2);
    fixture_commit(f, "r");
    assert_stored(f, "1", "{\"id\":1,\"a\":1}");
}

static void
add_counts_distinct_ids_by_marker(void **state)
{
    struct fixture *f = *state;

    fixture_begin(f);
    assert_int_equal(fixture_add(f, DOCUMENT_REPLACE, "{\"id\":1}", 1), 2);
    assert_int_equal(fixture_add(f, DOCUMENT_REPLACE, "{\"id\":1,\"a\":1}", 1), 1);
    assert_int_equal(fixture_add(f, DOCUMENT_REPLACE, "{\"id\":1,\"a\":2}", 2), 2);
}

static void
add_can_skip_creation(void **state)
{
    struct fixture *f = *state;
    struct json_doc *doc = json_parse(STR("{\"id\":1}"), NULL);
    struct index_add add = {.external_id = STR("1"),
                            .document = json_root(doc),
                            .text = STR("{\"id\":1}"),
                            .skip_creation = true,
                            .marker = 1};

    fixture_begin(f);
    assert_int_equal(index_writer_add(f->writer, &add, &f->err), 0);
    assert_int_equal(index_writer_count(f->writer), 0);
    fixture_add(f, DOCUMENT_REPLACE, "{\"id\":1,\"a\":1}", 1);
    assert_int_equal(index_writer_add(f->writer, &add, &f->err), 1);
    fixture_commit(f, "r");
    assert_stored(f, "1", "{\"id\":1}");
    json_doc_free(doc);
}

static void
freed_ids_are_reused_lowest_first(void **state)
{
    struct fixture *f = *state;

    fixture_begin(f);
    fixture_add(f, DOCUMENT_REPLACE, "{\"id\":\"a\"}", 1);
    fixture_add(f, DOCUMENT_REPLACE, "{\"id\":\"b\"}", 1);
    fixture_add(f, DOCUMENT_REPLACE, "{\"id\":\"c\"}", 1);
    assert_int_equal(index_writer_delete(f->writer, STR("b"), &f->err), 1);
    assert_int_equal(index_writer_delete(f->writer, STR("a"), &f->err), 1);
    assert_int_equal(index_writer_delete(f->writer, STR("a"), &f->err), 0);
    assert_int_equal(index_writer_delete(f->writer, STR("no such/id"), &f->err), 0);
    fixture_commit(f, "r");
    fixture_reopen(f);
    fixture_begin(f);
    fixture_add(f, DOCUMENT_REPLACE, "{\"id\":\"d\"}", 1);
    fixture_add(f, DOCUMENT_REPLACE, "{\"id\":\"e\"}", 1);
    fixture_add(f, DOCUMENT_REPLACE, "{\"id\":\"f\"}", 1);
    fixture_commit(f, "r");
    assert_listed(f, "0 {\"id\":\"d\"}\n1 {\"id\":\"e\"}\n2 {\"id\":\"c\"}\n3 {\"id\":\"f\"}\n");
}

static void
clear_starts_from_nothing(void **state)
{
    struct fixture *f = *state;

    fixture_begin(f);
    fixture_add(f, DOCUMENT_REPLACE, "{\"id\":\"a\",\"x\":1}", 1);
    fixture_add(f, DOCUMENT_REPLACE, "{\"id\":\"b\"}", 1);
    fixture_commit(f, "r");
    fixture_begin(f);
    assert_int_equal(index_writer_clear(f->writer, &f->err), 0);
    assert_int_equal(index_writer_count(f->writer), 0);
    fixture_add(f, DOCUMENT_REPLACE, "{\"id\":\"c\"}", 1);
    assert_distribution(f, "{\"id\":1}");
    fixture_commit(f, "r");
    assert_listed(f, "0 {\"id\":\"c\"}\n");
}

static void
abort_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct index_reader r;
    struct str applied;

    fixture_begin(f);
    fixture_add(f, DOCUMENT_REPLACE, "{\"id\":\"a\"}", 1);
    index_writer_abort(f->writer);
    f->writer = NULL;
    assert_listed(f, "");
    assert_int_equal(index_reader_open(&r, f->index), 0);
    assert_int_equal(index_reader_applied(&r, &applied), 0);
    index_reader_close(&r);
}

static void
commit_holds_documents_and_applied_record_together(void **state)
{
    struct fixture *f = *state;
    struct index_reader r;
    struct str applied;

    fixture_begin(f);
    fixture_add(f, DOCUMENT_REPLACE, "{\"id\":\"a\"}", 1);
    fixture_commit(f, "run 7");
    fixture_reopen(f);
    assert_int_equal(index_reader_open(&r, f->index), 0);
    assert_int_equal(index_reader_applied(&r, &applied), 1);
    assert_true(str_is(applied, "run 7"));
    assert_int_equal(index_reader_count(&r), 1);
    index_reader_close(&r);
}

static void
readers_do_not_see_the_open_writer(void **state)
{
    struct fixture *f = *state;

    fixture_begin(f);
    fixture_add(f, DOCUMENT_REPLACE, "{\"id\":\"a\"}", 1);
    assert_stored(f, "a", NULL);
    fixture_commit(f, "r");
    assert_stored(f, "a", "{\"id\":\"a\"}");
}

static void
field_names_may_be_long_or_empty(void **state)
{
    struct fixture *f = *state;
    char json[800], name[601];

    memset(name, 'n', 600);
    name[600] = '\0';
    (void) snprintf(json, sizeof(json), "{\"id\":1,\"\":2,\"%s\":3}", name);
    fixture_begin(f);
    assert_int_equal(fixture_add(f, DOCUMENT_REPLACE, json, 1), 2);
    fixture_commit(f, "r");
    fixture_reopen(f);
    fixture_begin(f);
    (void) snprintf(json, sizeof(json), "{\"\":1,\"id\":1,\"%s\":1}", name);
    assert_distribution(f, json);
}

static void
fields_are_limited_over_the_whole_index(void **state)
{
    struct fixture *f = *state;
    struct buf json = BUF_INIT;

    fixture_begin(f);
    buf_add_cstr(&json, "{\"id\":1");
    for (unsigned i = 1; i < DOCUMENT_MAX_FIELDS; i++)
        buf_addf(&json, ",\"f%u\":0", i);
    buf_add_char(&json, '}');
    assert_int_equal(fixture_add(f, DOCUMENT_REPLACE, buf_cstr(&json), 1), 2);
    buf_done(&json);
    assert_true(fixture_add(f, DOCUMENT_REPLACE, "{\"id\":2,\"one more\":1}", 1) < 0);
    assert_string_equal(err_name(f->err.code), "max_fields_limit_exceeded");
    assert_string_equal(f->err.message, "A document cannot contain more than 65,535 fields.");
}

/* --- a naive model */

enum { MODEL_IDS = 40, MODEL_FIELDS = 6, MODEL_STEPS = 4000 };

struct model {
    /* per document, fields in order with their value; "id" is not counted here */
    struct {
        bool exists;
        unsigned order[MODEL_FIELDS], values[MODEL_FIELDS], n;
    } docs[MODEL_IDS];
};

static unsigned
next_random(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16;
}

static void
model_put(struct model *m, unsigned id, unsigned field, unsigned value)
{
    unsigned i = 0;

    while (i < m->docs[id].n && m->docs[id].order[i] != field)
        i++;
    m->docs[id].order[i] = field;
    m->docs[id].values[i] = value;
    m->docs[id].n += i == m->docs[id].n;
}

static char *
model_text(const struct model *m, unsigned id)
{
    struct buf out = BUF_INIT;

    buf_addf(&out, "{\"id\":%u", id);
    for (unsigned i = 0; i < m->docs[id].n; i++)
        buf_addf(&out, ",\"f%u\":%u", m->docs[id].order[i], m->docs[id].values[i]);
    buf_add_char(&out, '}');
    return buf_take(&out);
}

static void
model_change(struct fixture *f, struct model *m, unsigned *seed)
{
    unsigned id = next_random(seed) % MODEL_IDS, n = next_random(seed) % MODEL_FIELDS;
    bool is_merge = next_random(seed) % 2;
    struct model given = {0};
    char *text;

    if (next_random(seed) % 4 == 0) {
        char key[16];
        (void) snprintf(key, sizeof(key), "%u", id);
        assert_int_equal(index_writer_delete(f->writer, str_from(key), &f->err),
                         m->docs[id].exists);
        memset(&m->docs[id], 0, sizeof(m->docs[id]));
        return;
    }
    if (!is_merge)
        memset(&m->docs[id], 0, sizeof(m->docs[id]));
    m->docs[id].exists = true;
    for (unsigned i = 0; i < n; i++) {
        unsigned field = next_random(seed) % MODEL_FIELDS, value = next_random(seed) % 1000;
        model_put(&given, id, field, value);
    }
    for (unsigned i = 0; i < given.docs[id].n; i++)
        model_put(m, id, given.docs[id].order[i], given.docs[id].values[i]);
    text = model_text(&given, id);
    assert_true(fixture_add(f, is_merge ? DOCUMENT_MERGE : DOCUMENT_REPLACE, text, 1) > 0);
    free(text);
}

static void
assert_equals_model(struct fixture *f, const struct model *m)
{
    unsigned counts[MODEL_FIELDS] = {0}, n_documents = 0;
    uint64_t raw_bytes = 0;
    struct index_totals totals;
    struct buf expected = BUF_INIT;

    for (unsigned id = 0; id < MODEL_IDS; id++) {
        char key[16], *text = m->docs[id].exists ? model_text(m, id) : NULL;
        (void) snprintf(key, sizeof(key), "%u", id);
        assert_stored(f, key, text);
        n_documents += text != NULL;
        raw_bytes += text != NULL ? strlen(text) : 0;
        for (unsigned i = 0; i < m->docs[id].n; i++)
            counts[m->docs[id].order[i]]++;
        free(text);
    }
    buf_add_char(&expected, '{');
    for (unsigned i = 0; i < MODEL_FIELDS; i++)
        if (counts[i] > 0)
            buf_addf(&expected, "\"f%u\":%u,", i, counts[i]);
    buf_addf(&expected, "\"id\":%u}", n_documents);
    fixture_begin(f);
    assert_int_equal(index_writer_totals(f->writer, &totals), 0);
    index_writer_abort(f->writer);
    f->writer = NULL;
    assert_int_equal(totals.n_documents, n_documents);
    assert_int_equal(totals.raw_bytes, raw_bytes);
    assert_string_equal(totals.field_distribution, buf_cstr(&expected));
    free(totals.field_distribution);
    buf_done(&expected);
}

static void
random_operations_equal_a_naive_model(void **state)
{
    struct fixture *f = *state;
    struct model *m = mem_new(1, sizeof(*m));
    unsigned seed = 20240102;

    for (unsigned round = 0; round < 8; round++) {
        fixture_begin(f);
        for (unsigned i = 0; i < MODEL_STEPS / 8; i++)
            model_change(f, m, &seed);
        fixture_commit(f, "r");
        if (round % 2 == 0)
            fixture_reopen(f);
        assert_equals_model(f, m);
    }
    free(m);
}

/* --- the set */

static bool
has_dir(struct fixture *f, const struct uuid *uuid)
{
    char path[160], name[UUID_TEXT_LEN + 1];
    struct stat st;

    (void) snprintf(path, sizeof(path), "%s/indexes/%s", f->dir, uuid_format(uuid, name));
    return stat(path, &st) == 0;
}

static void
remove_waits_for_the_last_reference(void **state)
{
    struct fixture *f = *state;

    index_remove(f->set, &f->uuid);
    assert_true(has_dir(f, &f->uuid));
    assert_listed(f, "");
    assert_null(index_open(f->set, &f->uuid, &f->err));
    index_release(f->index);
    f->index = NULL;
    assert_false(has_dir(f, &f->uuid));
}

static void
remove_of_an_unknown_index_is_fine(void **state)
{
    struct fixture *f = *state;
    struct uuid other = uuid_v4();

    index_remove(f->set, &other);
    assert_false(has_dir(f, &other));
    assert_true(has_dir(f, &f->uuid));
}

static void
set_closes_the_least_recently_used(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < INDEX_MAX_OPEN + 8; i++) {
        struct uuid uuid = uuid_v4();
        struct index *index = index_open(f->set, &uuid, &f->err);
        assert_non_null(index);
        index_release(index);
    }
    assert_listed(f, ""); /* referenced: still open */
}

static void
set_refuses_more_than_its_maximum_in_use(void **state)
{
    struct fixture *f = *state;
    struct index *open[INDEX_MAX_OPEN] = {f->index};
    struct uuid uuid;

    for (int i = 1; i < INDEX_MAX_OPEN; i++) {
        uuid = uuid_v4();
        open[i] = index_open(f->set, &uuid, &f->err);
        assert_non_null(open[i]);
    }
    uuid = uuid_v4();
    assert_null(index_open(f->set, &uuid, &f->err));
    for (int i = 1; i < INDEX_MAX_OPEN; i++)
        index_release(open[i]);
}

static bool
keep_one(void *arg, const struct uuid *uuid)
{
    return uuid_equal(arg, uuid);
}

static void
sweep_removes_what_is_not_kept(void **state)
{
    struct fixture *f = *state;
    struct uuid other = uuid_v4();

    index_release(index_open(f->set, &other, &f->err));
    assert_true(has_dir(f, &other));
    index_set_sweep(f->set, keep_one, &f->uuid);
    assert_false(has_dir(f, &other));
    assert_true(has_dir(f, &f->uuid));
}

static void
external_ids_lead_to_internal_ids_in_order_of_insertion(void **state)
{
    struct fixture *f = *state;
    struct index_reader r;
    uint32_t a = 9, z = 9, none = 9;
    fixture_begin(f);
    assert_int_equal(fixture_add(f, DOCUMENT_REPLACE, "{\"id\":\"z\"}", 1), 2);
    assert_int_equal(fixture_add(f, DOCUMENT_REPLACE, "{\"id\":\"a\"}", 1), 2);
    fixture_commit(f, "");
    assert_int_equal(index_reader_open(&r, f->index), 0);
    assert_int_equal(index_reader_find(&r, STR("a"), &a), 1);
    assert_int_equal(index_reader_find(&r, STR("z"), &z), 1);
    assert_int_equal(index_reader_find(&r, STR("b"), &none), 0);
    assert_int_equal(index_reader_find(&r, STR("not valid"), &none), 0);
    assert_int_equal(none, 9);
    assert_true(z < a);
    index_reader_close(&r);
}

static void
size_of_an_index_is_that_of_its_file(void **state)
{
    struct fixture *f = *state;
    struct uuid unknown = uuid_v4();
    uint64_t bytes = 1;
    index_set_add_size(f->set, &f->uuid, &bytes);
    assert_true(bytes > 4096);
    uint64_t before = bytes;
    index_set_add_size(f->set, &unknown, &bytes);
    assert_int_equal(bytes, before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(documents_come_back_as_they_went_in),
        TEST(replace_forgets_the_old_fields),
        TEST(merge_keeps_places_and_appends_new_fields),
        TEST(merge_of_an_unknown_document_adds_it),
        TEST(add_counts_distinct_ids_by_marker),
        TEST(add_can_skip_creation),
        TEST(freed_ids_are_reused_lowest_first),
        TEST(clear_starts_from_nothing),
        TEST(abort_leaves_nothing),
        TEST(commit_holds_documents_and_applied_record_together),
        TEST(readers_do_not_see_the_open_writer),
        TEST(field_names_may_be_long_or_empty),
        TEST(fields_are_limited_over_the_whole_index),
        TEST(random_operations_equal_a_naive_model),
        TEST(remove_waits_for_the_last_reference),
        TEST(remove_of_an_unknown_index_is_fine),
        TEST(set_closes_the_least_recently_used),
        TEST(set_refuses_more_than_its_maximum_in_use),
        TEST(sweep_removes_what_is_not_kept),
        TEST(external_ids_lead_to_internal_ids_in_order_of_insertion),
        TEST(size_of_an_index_is_that_of_its_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
