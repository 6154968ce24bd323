/* Compacting an index, and readings that hold one state of it. Small limits, so that little data
 * makes many segments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fixture.h"
#include "index/index_internal.h"

enum { DOCUMENTS = 600 };

static const struct segment_limits small = {
    .inline_bytes = 512, .segment_bytes = 64 * 1024, .compact_bytes = 1024};

static void
put_all(struct fixture *f, unsigned version, unsigned step)
{
    fixture_begin(f);
    for (unsigned id = 0; id < DOCUMENTS; id += step) {
        struct buf text = BUF_INIT;
        buf_addf(&text, "{\"id\":%u,\"v\":%u,\"pad\":\"", id, version);
        for (int i = 0; i < 500; i++)
            buf_add_char(&text, 'p');
        buf_add_cstr(&text, "\"}");
        assert_true(fixture_add(f, DOCUMENT_REPLACE, buf_cstr(&text), version + 1) > 0);
        buf_done(&text);
    }
    fixture_commit(f, "before");
}

static void
delete_some(struct fixture *f, unsigned step)
{
    char id[16];
    fixture_begin(f);
    for (unsigned i = 0; i < DOCUMENTS; i += step) {
        (void) snprintf(id, sizeof(id), "%u", i);
        assert_int_equal(index_writer_delete(f->writer, str_from(id), &f->err), 1);
    }
    fixture_commit(f, "before");
}

static int
setup(void **state)
{
    if (fixture_setup(state) != 0)
        return -1;
    struct fixture *f = *state;
    f->limits = &small;
    fixture_reopen(f);
    put_all(f, 0, 1);
    put_all(f, 1, 7);
    delete_some(f, 3);
    return 0;
}

static uint64_t
size_of(struct fixture *f)
{
    uint64_t bytes = 0;
    index_set_add_size(f->set, &f->uuid, &bytes);
    return bytes;
}

static bool
has_file(struct fixture *f, const char *name)
{
    char path[200], uuid[UUID_TEXT_LEN + 1];
    (void) snprintf(path, sizeof(path), "%s/indexes/%s/%s", f->dir, uuid_format(&f->uuid, uuid),
                    name);
    return access(path, F_OK) == 0;
}

static char *
applied_of(struct fixture *f)
{
    struct index_reader r;
    struct str text;
    assert_int_equal(index_reader_open(&r, f->index), 0);
    assert_int_equal(index_reader_applied(&r, &text), 1);
    char *copy = mem_strndup(text.data, text.len);
    index_reader_close(&r);
    return copy;
}

static struct index_compaction *
compact_to_the_end(struct fixture *f)
{
    struct index_compaction *c = index_compact_begin(f->index, &f->err);
    int rc;
    assert_non_null(c);
    while ((rc = index_compact_step(c, 0, &f->err)) == 1) /* the least a step does */
        continue;
    assert_int_equal(rc, 0);
    return c;
}

static void
compact(struct fixture *f, const char *applied)
{
    struct index_compaction *c = compact_to_the_end(f);
    assert_int_equal(index_compact_record(c, str_from(applied), &f->err), 0);
    assert_int_equal(index_compact_end(c, &f->err), 0);
}

static void
documents_stay_and_garbage_goes(void **state)
{
    struct fixture *f = *state;
    char *before = fixture_list(f);
    uint64_t had = size_of(f);
    compact(f, "compacted");
    assert_true(size_of(f) < had);
    char *after = fixture_list(f), *applied = applied_of(f);
    assert_string_equal(after, before);
    assert_string_equal(applied, "compacted");
    free(after);
    free(applied);
    assert_false(has_file(f, "copy.mdb"));
    assert_false(has_file(f, "copied.mdb"));
    fixture_reopen(f);
    after = fixture_list(f);
    assert_string_equal(after, before);
    free(after);
    free(before);
}

static void
the_size_is_known_before_the_end(void **state)
{
    struct fixture *f = *state;
    struct index_compaction *c = compact_to_the_end(f);
    uint64_t told = 0, next = 1;
    for (int i = 0; i < 4 && told != next; i++) {
        told = next;
        assert_int_equal(index_compact_record(c, STR("r"), &f->err), 0);
        next = index_compact_size(c);
    }
    assert_int_equal(told, next);
    assert_int_equal(index_compact_end(c, &f->err), 0);
    assert_int_equal(size_of(f), told);
}

static void
an_index_goes_on_after_a_compaction(void **state)
{
    struct fixture *f = *state;
    compact(f, "compacted");
    put_all(f, 2, 2);
    char *text = fixture_get(f, "4"), *applied = applied_of(f);
    assert_non_null(strstr(text, "\"v\":2"));
    assert_string_equal(applied, "before");
    free(text);
    free(applied);
    compact(f, "again");
    text = fixture_get(f, "4");
    assert_non_null(strstr(text, "\"v\":2"));
    free(text);
}

static void
given_up_at_any_step_it_leaves_the_index_as_it_was(void **state)
{
    struct fixture *f = *state;
    char *before = fixture_list(f);
    bool is_through = false;
    for (int steps = 0; !is_through; steps++) {
        struct index_compaction *c = index_compact_begin(f->index, &f->err);
        assert_non_null(c);
        for (int i = 0; i < steps && !is_through; i++)
            is_through = index_compact_step(c, 0, &f->err) == 0;
        index_compact_abort(c);
        char *after = fixture_list(f), *applied = applied_of(f);
        assert_string_equal(after, before);
        assert_string_equal(applied, "before");
        assert_false(has_file(f, "copy.mdb"));
        free(after);
        free(applied);
    }
    free(before);
}

static void
what_a_crash_leaves_goes_when_the_index_is_opened(void **state)
{
    struct fixture *f = *state;
    char path[200], uuid[UUID_TEXT_LEN + 1];
    (void) snprintf(path, sizeof(path), "%s/indexes/%s/copy.mdb", f->dir,
                    uuid_format(&f->uuid, uuid));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void) fputs("half", file);
    (void) fclose(file);
    fixture_reopen(f);
    assert_false(has_file(f, "copy.mdb"));
}

static void
an_empty_index_can_be_compacted(void **state)
{
    struct fixture *f = *state;
    fixture_begin(f);
    assert_int_equal(index_writer_clear(f->writer, &f->err), 0);
    fixture_commit(f, "cleared");
    compact(f, "compacted");
    char *list = fixture_list(f);
    assert_string_equal(list, "");
    free(list);
}

/* --- snapshots */

static char *
list_of(struct index_reader *r)
{
    struct buf out = BUF_INIT;
    struct str text;
    uint32_t id = 0;
    for (; index_reader_next(r, id, &id, &text) == 1; id++)
        buf_addf(&out, "%u %.*s\n", id, STR_ARG(text));
    return buf_take(&out);
}

static void
a_snapshot_stays_what_it_was(void **state)
{
    struct fixture *f = *state;
    char *before = fixture_list(f);
    struct index_snapshot *s = index_snapshot_take(f->index);
    assert_non_null(s);
    uint64_t n = index_reader_count(index_snapshot_reader(s));
    put_all(f, 5, 1);
    put_all(f, 6, 1);
    fixture_begin(f);
    assert_int_equal(index_writer_clear(f->writer, &f->err), 0);
    fixture_commit(f, "cleared");
    char *now = list_of(index_snapshot_reader(s)), *other = fixture_list(f);
    assert_string_equal(now, before);
    assert_string_equal(other, "");
    assert_int_equal(index_reader_count(index_snapshot_reader(s)), n);
    free(now);
    free(other);
    free(before);
    assert_true(has_file(f, "segment-00000001"));
    index_snapshot_release(s);
    assert_false(has_file(f, "segment-00000001"));
}

static void
files_wait_for_the_last_snapshot(void **state)
{
    struct fixture *f = *state;
    struct index_snapshot *a = index_snapshot_take(f->index), *b;
    put_all(f, 5, 1);
    b = index_snapshot_take(f->index);
    fixture_begin(f);
    assert_int_equal(index_writer_clear(f->writer, &f->err), 0);
    fixture_commit(f, "cleared");
    index_snapshot_release(a);
    assert_true(has_file(f, "segment-00000001"));
    char *text = list_of(index_snapshot_reader(b));
    assert_non_null(strstr(text, "\"v\":5"));
    free(text);
    index_snapshot_release(b);
    assert_false(has_file(f, "segment-00000001"));
}

static void
so_many_snapshots_and_no_more(void **state)
{
    struct fixture *f = *state;
    struct index_snapshot *all[64];
    int n = 0;
    while (n < 64 && (all[n] = index_snapshot_take(f->index)) != NULL)
        n++;
    assert_true(n > 1 && n < 64);
    index_snapshot_release(all[--n]);
    all[n] = index_snapshot_take(f->index);
    assert_non_null(all[n++]);
    while (n > 0)
        index_snapshot_release(all[--n]);
}

static void
a_compaction_waits_for_snapshots_and_refuses_new_ones(void **state)
{
    struct fixture *f = *state;
    struct index_snapshot *s = index_snapshot_take(f->index);
    struct index_compaction *c = index_compact_begin(f->index, &f->err);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(index_compact_step(c, INT64_MAX, &f->err), 1);
    assert_null(index_snapshot_take(f->index));
    index_snapshot_release(s);
    assert_int_equal(index_compact_step(c, INT64_MAX, &f->err), 0);
    assert_int_equal(index_compact_record(c, STR("r"), &f->err), 0);
    assert_int_equal(index_compact_end(c, &f->err), 0);
    s = index_snapshot_take(f->index);
    assert_non_null(s);
    index_snapshot_release(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(documents_stay_and_garbage_goes),
        TEST(the_size_is_known_before_the_end),
        TEST(an_index_goes_on_after_a_compaction),
        TEST(given_up_at_any_step_it_leaves_the_index_as_it_was),
        TEST(what_a_crash_leaves_goes_when_the_index_is_opened),
        TEST(an_empty_index_can_be_compacted),
        TEST(a_snapshot_stays_what_it_was),
        TEST(files_wait_for_the_last_snapshot),
        TEST(so_many_snapshots_and_no_more),
        TEST(a_compaction_waits_for_snapshots_and_refuses_new_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
