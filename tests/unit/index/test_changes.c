/* What a writer notes of its changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "fixture.h"

enum { RUN = 7 };

static void
begin_noting(struct fixture *f, uint64_t run)
{
    fixture_begin(f);
    assert_int_equal(index_writer_note_changes(f->writer, run, &f->err), 0);
}

static void
add(struct fixture *f, const char *id)
{
    char json[64];
    (void) snprintf(json, sizeof(json), "{\"id\":\"%s\"}", id);
    assert_int_equal(fixture_add(f, DOCUMENT_REPLACE, json, 1), 2);
}

static void
drop(struct fixture *f, const char *id)
{
    assert_int_equal(index_writer_delete(f->writer, str_from(id), &f->err), 1);
}

/* "a+ b- ": + existed before, - did not. */
static void
assert_noted(struct fixture *f, uint64_t run, const char *expected)
{
    struct index_reader r;
    struct index_change c;
    struct buf all = BUF_INIT, after = BUF_INIT;
    assert_int_equal(index_reader_open(&r, f->index), 0);
    assert_int_equal(index_reader_noted(&r, run), expected != NULL);
    while (expected != NULL && index_reader_next_change(&r, buf_str(&after), &c) == 1) {
        buf_addf(&all, "%.*s%c ", STR_ARG(c.external_id), c.existed ? '+' : '-');
        buf_clear(&after);
        buf_add_str(&after, c.external_id);
    }
    index_reader_close(&r);
    if (expected != NULL)
        assert_string_equal(buf_cstr(&all), expected);
    buf_done(&all);
    buf_done(&after);
}

static void
nothing_is_noted_unless_asked_for(void **state)
{
    struct fixture *f = *state;
    fixture_begin(f);
    add(f, "a");
    fixture_commit(f, "x");
    assert_noted(f, RUN, NULL);
}

static void
each_id_is_noted_once_as_it_was_before(void **state)
{
    struct fixture *f = *state;
    fixture_begin(f);
    add(f, "old");
    add(f, "5");
    fixture_commit(f, "x");
    begin_noting(f, RUN);
    add(f, "new");
    drop(f, "new");
    add(f, "new");
    drop(f, "old");
    add(f, "old");
    drop(f, "5");
    add(f, "b");
    drop(f, "b");
    fixture_commit(f, "x");
    assert_noted(f, RUN, "5+ b- new- old+ ");
    assert_noted(f, RUN + 1, NULL);
}

static void
they_stay_until_the_next_writer_that_says_so(void **state)
{
    struct fixture *f = *state;
    begin_noting(f, RUN);
    add(f, "a");
    fixture_commit(f, "x");
    fixture_reopen(f);
    assert_noted(f, RUN, "a- ");
    begin_noting(f, RUN + 1);
    index_writer_abort(f->writer);
    f->writer = NULL;
    assert_noted(f, RUN, "a- ");
    begin_noting(f, RUN + 1);
    add(f, "b");
    fixture_commit(f, "x");
    assert_noted(f, RUN, NULL);
    assert_noted(f, RUN + 1, "b- ");
    begin_noting(f, 0);
    fixture_commit(f, "x");
    assert_noted(f, RUN + 1, NULL);
}

static void
everything_is_noted_before_a_clear(void **state)
{
    struct fixture *f = *state;
    enum { N = 300 };
    unsigned n = 0, rounds = 0;
    struct index_reader r;
    struct index_change c;
    struct buf after = BUF_INIT;
    char id[32];
    int rc;
    fixture_begin(f);
    for (unsigned i = 0; i < N; i++) {
        (void) snprintf(id, sizeof(id), i % 2 == 0 ? "%u" : "x%u", i * 50);
        add(f, id);
    }
    fixture_commit(f, "x");
    begin_noting(f, RUN);
    add(f, "1000000");
    while ((rc = index_writer_note_all(f->writer, 0, &f->err)) == 1)
        rounds++;
    assert_int_equal(rc, 0);
    assert_true(rounds > 2);
    assert_int_equal(index_writer_clear(f->writer, &f->err), 0);
    add(f, "0");
    fixture_commit(f, "x");
    assert_int_equal(index_reader_open(&r, f->index), 0);
    for (; index_reader_next_change(&r, buf_str(&after), &c) == 1; n++) {
        assert_int_equal(c.existed, !str_is(c.external_id, "1000000"));
        buf_clear(&after);
        buf_add_str(&after, c.external_id);
    }
    index_reader_close(&r);
    buf_done(&after);
    assert_int_equal(n, N + 1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_noted_unless_asked_for),
        TEST(each_id_is_noted_once_as_it_was_before),
        TEST(they_stay_until_the_next_writer_that_says_so),
        TEST(everything_is_noted_before_a_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
