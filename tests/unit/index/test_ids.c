/* External ids: numbers are packed, texts are not, and nobody sees a difference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fixture.h"
#include "index/ids.h"
#include "index/refs.h"

static const char *const ids[] = {"0",
                                  "7",
                                  "07",
                                  "007",
                                  "-7",
                                  "63",
                                  "64",
                                  "65",
                                  "1000000",
                                  "a7",
                                  "7a",
                                  "_",
                                  "00",
                                  "18446744073709551615",
                                  "9999999999999999999",
                                  "10000000000000000000",
                                  "99999999999999999999"};
enum { N_IDS = sizeof(ids) / sizeof(*ids) };

static void
add_all(struct fixture *f)
{
    for (unsigned i = 0; i < N_IDS; i++) {
        char json[96];
        (void) snprintf(json, sizeof(json), "{\"id\":\"%s\",\"n\":%u}", ids[i], i);
        assert_int_equal(fixture_add(f, DOCUMENT_REPLACE, json, 1), 2);
    }
}

static void
assert_there(struct fixture *f, unsigned i, bool expected)
{
    char json[96], *found = fixture_get(f, ids[i]);

    (void) snprintf(json, sizeof(json), "{\"id\":\"%s\",\"n\":%u}", ids[i], i);
    if (expected)
        assert_string_equal(found == NULL ? "(none)" : found, json);
    else
        assert_null(found);
    free(found);
}

static void
every_form_of_a_number_is_an_id_of_its_own(void **state)
{
    struct fixture *f = *state;

    fixture_begin(f);
    add_all(f);
    fixture_commit(f, "r");
    fixture_reopen(f);
    for (unsigned i = 0; i < N_IDS; i++)
        assert_there(f, i, true);
}

static void
deleted_ids_are_gone_and_no_others(void **state)
{
    struct fixture *f = *state;

    fixture_begin(f);
    add_all(f);
    fixture_commit(f, "r");
    fixture_begin(f);
    for (unsigned i = 0; i < N_IDS; i += 2) {
        assert_int_equal(index_writer_delete(f->writer, str_from(ids[i]), &f->err), 1);
        assert_int_equal(index_writer_delete(f->writer, str_from(ids[i]), &f->err), 0);
    }
    fixture_commit(f, "r");
    for (unsigned i = 0; i < N_IDS; i++)
        assert_there(f, i, i % 2 == 1);
}

static void
clear_forgets_numbers_too(void **state)
{
    struct fixture *f = *state;

    fixture_begin(f);
    add_all(f);
    assert_int_equal(index_writer_clear(f->writer, &f->err), 0);
    fixture_commit(f, "r");
    for (unsigned i = 0; i < N_IDS; i++)
        assert_there(f, i, false);
}

static void
groups_of_ids_survive_packing(void **state)
{
    struct id_group g = {.number = 5, .used = 1ull | 1ull << 3 | 1ull << 63}, found;
    struct buf out = BUF_INIT;

    (void) state;
    g.ids[0] = 4000000000u;
    g.ids[3] = 0;
    g.ids[63] = UINT32_MAX;
    id_group_write(&out, &g);
    assert_int_equal(id_group_read(&found, 5, buf_str(&out)), 0);
    assert_memory_equal(&found, &g, sizeof(g));
    buf_done(&out);
}

static void
neighbouring_ids_cost_a_byte_each(void **state)
{
    struct id_group g = {.used = UINT64_MAX};
    struct buf out = BUF_INIT;

    (void) state;
    for (uint32_t i = 0; i < IDS_IN_GROUP; i++)
        g.ids[i] = 1000000 + i;
    id_group_write(&out, &g);
    assert_in_range(out.len, 64, 80);
    buf_done(&out);
}

static void
damaged_groups_of_ids_are_refused(void **state)
{
    struct id_group g = {.used = UINT64_MAX}, found;
    struct buf out = BUF_INIT;

    (void) state;
    for (uint32_t i = 0; i < IDS_IN_GROUP; i++)
        g.ids[i] = i * 1000;
    id_group_write(&out, &g);
    for (size_t n = 0; n < out.len; n++)
        assert_true(id_group_read(&found, 0, str_slice(buf_str(&out), 0, n)) < 0);
    buf_add_char(&out, 0);
    assert_true(id_group_read(&found, 0, buf_str(&out)) < 0);
    buf_done(&out);
}

static void
fill_refs(struct ref_group *g)
{
    for (unsigned i = 0; i < REFS_IN_GROUP; i++)
        if (i % 5 != 0)
            g->refs[i] = (struct ref){.segment = i < 32 ? 7 : UINT32_MAX,
                                      .offset = i % 3 == 0 ? (uint64_t) i << 40 : i * 100,
                                      .length = i % 2 == 0 ? 100 : 70000 + i};
}

static void
groups_of_references_survive_packing(void **state)
{
    struct ref_group g = {.number = 9}, found;
    struct buf out = BUF_INIT;

    (void) state;
    fill_refs(&g);
    ref_group_write(&out, &g);
    assert_int_equal(ref_group_read(&found, 9, buf_str(&out)), 0);
    assert_int_equal(found.number, 9);
    for (unsigned i = 0; i < REFS_IN_GROUP; i++) {
        assert_int_equal(found.refs[i].segment, g.refs[i].segment);
        assert_int_equal(found.refs[i].offset, g.refs[i].offset);
        assert_int_equal(found.refs[i].length, g.refs[i].length);
    }
    buf_done(&out);
}

static void
damaged_groups_of_references_are_refused(void **state)
{
    struct ref_group g = {0}, found;
    struct buf out = BUF_INIT;

    (void) state;
    fill_refs(&g);
    ref_group_write(&out, &g);
    for (size_t n = 0; n < out.len; n++)
        assert_true(ref_group_read(&found, 0, str_slice(buf_str(&out), 0, n)) < 0);
    out.data[0] = 99;
    assert_true(ref_group_read(&found, 0, buf_str(&out)) < 0);
    buf_done(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_form_of_a_number_is_an_id_of_its_own),
        TEST(deleted_ids_are_gone_and_no_others),
        TEST(clear_forgets_numbers_too),
        cmocka_unit_test(groups_of_ids_survive_packing),
        cmocka_unit_test(neighbouring_ids_cost_a_byte_each),
        cmocka_unit_test(damaged_groups_of_ids_are_refused),
        cmocka_unit_test(groups_of_references_survive_packing),
        cmocka_unit_test(damaged_groups_of_references_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
