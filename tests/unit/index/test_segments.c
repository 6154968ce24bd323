/* Bodies in segment files: they come back, a batch given up leaves nothing, garbage goes, damage is
 * told, older indexes are read. Small limits, so that little data makes many segments. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fixture.h"
#include "index/index_internal.h"
#include "store/rec.h"

enum { SEGMENT_BYTES = 64 * 1024, COMPACT_BYTES = 8 * 1024, PAGE = 4096 };

static const struct segment_limits small = {
    .inline_bytes = 512, .segment_bytes = SEGMENT_BYTES, .compact_bytes = COMPACT_BYTES};

static int
setup(void **state)
{
    if (fixture_setup(state) != 0)
        return -1;
    struct fixture *f = *state;
    f->limits = &small;
    fixture_reopen(f);
    return 0;
}

static char *
make_text(unsigned id, unsigned version, size_t n_pad)
{
    struct buf out = BUF_INIT;

    buf_addf(&out, "{\"id\":%u,\"v\":%u,\"pad\":\"", id, version);
    for (size_t i = 0; i < n_pad; i++)
        buf_add_char(&out, (char) ('a' + (id + version + i) % 26));
    buf_add_cstr(&out, "\"}");
    return buf_take(&out);
}

static void
put(struct fixture *f, unsigned id, unsigned version, size_t n_pad)
{
    char *text = make_text(id, version, n_pad);

    assert_true(fixture_add(f, DOCUMENT_REPLACE, text, version + 1) > 0);
    free(text);
}

static void
put_many(struct fixture *f, unsigned n, unsigned version, size_t n_pad)
{
    for (unsigned id = 0; id < n; id++)
        put(f, id, version, n_pad);
}

static void
assert_document(struct fixture *f, unsigned id, unsigned version, size_t n_pad)
{
    char key[16], *expected = make_text(id, version, n_pad), *found;

    (void) snprintf(key, sizeof(key), "%u", id);
    found = fixture_get(f, key);
    assert_string_equal(found == NULL ? "(none)" : found, expected);
    free(expected);
    free(found);
}

static void
assert_many(struct fixture *f, unsigned n, unsigned version, size_t n_pad)
{
    for (unsigned id = 0; id < n; id++)
        assert_document(f, id, version, n_pad);
}

static void
path_of(struct fixture *f, const char *name, char ret[200])
{
    char uuid[UUID_TEXT_LEN + 1];

    (void) snprintf(ret, 200, "%s/indexes/%s/%s", f->dir, uuid_format(&f->uuid, uuid), name);
}

/* The segment files: how many, and their bytes. */
static unsigned
count_segments(struct fixture *f, uint64_t *ret_bytes)
{
    char path[200];
    unsigned n = 0;
    struct stat st;

    path_of(f, "", path);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    *ret_bytes = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (strncmp(e->d_name, "segment-", 8) != 0)
            continue;
        assert_int_equal(fstatat(dirfd(dir), e->d_name, &st, 0), 0);
        *ret_bytes += (uint64_t) st.st_size;
        n++;
    }
    (void) closedir(dir);
    return n;
}

static uint64_t
segment_bytes(struct fixture *f)
{
    uint64_t bytes;

    (void) count_segments(f, &bytes);
    return bytes;
}

static unsigned
n_segments(struct fixture *f)
{
    uint64_t bytes;

    return count_segments(f, &bytes);
}

static void
give_up(struct fixture *f)
{
    index_writer_abort(f->writer);
    f->writer = NULL;
}

/* --- coming back */

static void
large_batches_come_back(void **state)
{
    struct fixture *f = *state;

    fixture_begin(f);
    put_many(f, 500, 0, 600);
    fixture_commit(f, "r");
    assert_true(n_segments(f) >= 5);
    assert_many(f, 500, 0, 600);
    fixture_reopen(f);
    assert_many(f, 500, 0, 600);
}

static void
small_batches_make_no_file(void **state)
{
    struct fixture *f = *state;

    for (unsigned id = 0; id < 20; id++) {
        fixture_begin(f);
        put(f, id, 0, 100);
        fixture_commit(f, "r");
    }
    assert_int_equal(n_segments(f), 0);
    assert_many(f, 20, 0, 100);
}

static void
listing_goes_through_both_kinds_in_order(void **state)
{
    struct fixture *f = *state;
    struct index_reader r;
    struct str text;
    uint32_t id = 0, n = 0;

    for (unsigned i = 0; i < 200; i++) {
        fixture_begin(f);
        put(f, i, 0, i % 3 == 0 ? 1000 : 50);
        fixture_commit(f, "r");
    }
    fixture_begin(f);
    assert_int_equal(index_writer_delete(f->writer, STR("66"), &f->err), 1);
    assert_int_equal(index_writer_delete(f->writer, STR("67"), &f->err), 1);
    fixture_commit(f, "r");
    assert_int_equal(index_reader_open(&r, f->index), 0);
    for (; index_reader_next(&r, id, &id, &text) == 1; id++, n++) {
        char *expected = make_text(id, 0, id % 3 == 0 ? 1000 : 50);
        assert_true(str_is(text, expected));
        free(expected);
    }
    assert_int_equal(n, 198);
    assert_int_equal(index_reader_count(&r), 198);
    index_reader_close(&r);
}

static void
a_body_larger_than_a_segment_has_one_of_its_own(void **state)
{
    struct fixture *f = *state;

    fixture_begin(f);
    put(f, 0, 0, 2000);
    put(f, 1, 0, 3 * SEGMENT_BYTES);
    put(f, 2, 0, 2000);
    fixture_commit(f, "r");
    assert_many(f, 1, 0, 2000);
    assert_document(f, 1, 0, 3 * SEGMENT_BYTES);
    assert_document(f, 2, 0, 2000);
    assert_int_equal(n_segments(f), 3);
}

static void
the_writer_reads_what_it_wrote(void **state)
{
    struct fixture *f = *state;

    fixture_begin(f);
    put_many(f, 300, 0, 600);
    for (unsigned id = 0; id < 300; id++) {
        char json[64];
        (void) snprintf(json, sizeof(json), "{\"id\":%u,\"v\":9}", id);
        assert_int_equal(fixture_add(f, DOCUMENT_MERGE, json, 99), 2);
    }
    fixture_commit(f, "r");
    for (unsigned id = 0; id < 300; id++) {
        char key[16], *found;
        (void) snprintf(key, sizeof(key), "%u", id);
        found = fixture_get(f, key);
        assert_non_null(found);
        assert_non_null(strstr(found, "\"v\":9,\"pad\""));
        free(found);
    }
}

static void
readers_see_the_last_commit_while_a_batch_runs(void **state)
{
    struct fixture *f = *state;

    fixture_begin(f);
    put_many(f, 200, 0, 600);
    fixture_commit(f, "r");
    fixture_begin(f);
    put_many(f, 200, 1, 700);
    assert_many(f, 200, 0, 600);
    while (index_writer_settle(f->writer, INT64_MAX, &f->err) == 1)
        assert_many(f, 200, 0, 600);
    fixture_commit(f, "r");
    assert_many(f, 200, 1, 700);
}

static void
settling_is_done_in_pieces(void **state)
{
    struct fixture *f = *state;
    unsigned n_pieces = 0;
    int rc;

    fixture_begin(f);
    put_many(f, 200, 0, 600);
    while ((rc = index_writer_settle(f->writer, 0, &f->err)) == 1)
        n_pieces++;
    assert_int_equal(rc, 0);
    assert_true(n_pieces >= 3); /* written, synced, its name synced */
    fixture_commit(f, "r");
    assert_many(f, 200, 0, 600);
}

/* --- giving up */

static void
a_first_batch_given_up_leaves_no_file(void **state)
{
    struct fixture *f = *state;

    fixture_begin(f);
    put_many(f, 300, 0, 600);
    assert_true(n_segments(f) > 0);
    give_up(f);
    assert_int_equal(n_segments(f), 0);
    fixture_begin(f);
    put_many(f, 300, 1, 500);
    fixture_commit(f, "r");
    assert_many(f, 300, 1, 500);
}

static void
a_later_batch_given_up_leaves_the_files_as_they_were(void **state)
{
    struct fixture *f = *state;

    fixture_begin(f);
    put_many(f, 30, 0, 600);
    fixture_commit(f, "r");
    uint64_t before = segment_bytes(f);
    fixture_begin(f);
    put_many(f, 300, 1, 600);
    give_up(f);
    assert_int_equal(n_segments(f), 1);
    assert_in_range(segment_bytes(f), before, before + SEGMENT_BYTES);
    assert_many(f, 30, 0, 600);
    fixture_begin(f);
    put_many(f, 60, 2, 600);
    fixture_commit(f, "r");
    fixture_reopen(f);
    assert_many(f, 60, 2, 600);
}

static void
what_a_crash_left_behind_the_end_is_written_over(void **state)
{
    struct fixture *f = *state;
    char path[200], garbage[5000];

    fixture_begin(f);
    put_many(f, 20, 0, 600);
    fixture_commit(f, "r");
    path_of(f, "segment-00000001", path);
    memset(garbage, '{', sizeof(garbage));
    int fd = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, garbage, sizeof(garbage)), sizeof(garbage));
    (void) close(fd);
    fixture_reopen(f);
    fixture_begin(f);
    for (unsigned id = 20; id < 40; id++)
        put(f, id, 0, 600);
    fixture_commit(f, "r");
    assert_int_equal(n_segments(f), 1);
    assert_many(f, 40, 0, 600);
}

static void
files_without_a_row_are_removed_at_open(void **state)
{
    struct fixture *f = *state;
    char path[200];
    struct stat st;

    fixture_begin(f);
    put_many(f, 20, 0, 600);
    fixture_commit(f, "r");
    path_of(f, "segment-00000002", path);
    (void) close(open(path, O_WRONLY | O_CREAT, 0600));
    assert_int_equal(stat(path, &st), 0);
    fixture_reopen(f);
    assert_int_not_equal(stat(path, &st), 0);
    assert_many(f, 20, 0, 600);
}

/* --- garbage */

static void
overwriting_the_same_documents_stays_bounded(void **state)
{
    struct fixture *f = *state;
    enum { N = 300, PAD = 1000 };
    uint64_t live = 0, most = 0;

    for (unsigned version = 0; version < 60; version++) {
        fixture_begin(f);
        put_many(f, N, version, PAD);
        fixture_commit(f, "r");
        uint64_t bytes = segment_bytes(f);
        most = bytes > most ? bytes : most;
    }
    live = N * PAD;
    assert_in_range(most, live, 3 * live + 2 * SEGMENT_BYTES);
    assert_many(f, N, 59, PAD);
}

static void
overwriting_at_random_stays_bounded(void **state)
{
    struct fixture *f = *state;
    enum { N = 400, PAD = 1000 };
    unsigned versions[N] = {0}, seed = 7;
    uint64_t most = 0;

    fixture_begin(f);
    put_many(f, N, 0, PAD);
    fixture_commit(f, "r");
    for (unsigned round = 1; round < 120; round++) {
        fixture_begin(f);
        for (unsigned i = 0; i < 40; i++) {
            seed = seed * 1103515245u + 12345u;
            unsigned id = (seed >> 16) % N;
            put(f, id, versions[id] = round, PAD);
        }
        fixture_commit(f, "r");
        if (round % 20 == 0)
            fixture_reopen(f);
        uint64_t bytes = segment_bytes(f);
        most = bytes > most ? bytes : most;
    }
    assert_in_range(most, N * PAD, 3 * N * PAD + 2 * SEGMENT_BYTES);
    for (unsigned id = 0; id < N; id++)
        assert_document(f, id, versions[id], PAD);
}

static void
small_batches_empty_what_a_deletion_left(void **state)
{
    struct fixture *f = *state;
    enum { N = 1000, PAD = 1000 };

    fixture_begin(f);
    put_many(f, N, 0, PAD);
    fixture_commit(f, "r");
    assert_true(segment_bytes(f) > N * PAD);
    fixture_begin(f);
    for (unsigned id = 0; id < N; id++) {
        char key[16];
        (void) snprintf(key, sizeof(key), "%u", id);
        if (id % 4 != 0)
            assert_int_equal(index_writer_delete(f->writer, str_from(key), &f->err), 1);
    }
    give_up(f); /* all at once would empty them at once */
    for (unsigned first = 0; first < N; first += 20) {
        fixture_begin(f);
        for (unsigned id = first; id < first + 20; id++) {
            char key[16];
            (void) snprintf(key, sizeof(key), "%u", id);
            if (id % 4 != 0)
                assert_int_equal(index_writer_delete(f->writer, str_from(key), &f->err), 1);
        }
        fixture_commit(f, "r");
        if (first % 200 == 0)
            fixture_reopen(f);
    }
    assert_in_range(segment_bytes(f), N / 4 * PAD, 3 * (N / 4) * PAD);
    for (unsigned id = 0; id < N; id += 4)
        assert_document(f, id, 0, PAD);
}

static void
clear_removes_all_files(void **state)
{
    struct fixture *f = *state;

    fixture_begin(f);
    put_many(f, 300, 0, 600);
    fixture_commit(f, "r");
    fixture_begin(f);
    assert_int_equal(index_writer_clear(f->writer, &f->err), 0);
    assert_many(f, 300, 0, 600);
    fixture_commit(f, "r");
    assert_int_equal(n_segments(f), 0);
    fixture_begin(f);
    put_many(f, 300, 1, 600);
    fixture_commit(f, "r");
    fixture_reopen(f);
    assert_many(f, 300, 1, 600);
}

static void
clear_and_refill_in_one_batch(void **state)
{
    struct fixture *f = *state;

    fixture_begin(f);
    put_many(f, 300, 0, 600);
    fixture_commit(f, "r");
    fixture_begin(f);
    put_many(f, 300, 1, 600);
    assert_int_equal(index_writer_clear(f->writer, &f->err), 0);
    put_many(f, 100, 2, 700);
    fixture_commit(f, "r");
    fixture_reopen(f);
    assert_many(f, 100, 2, 700);
    assert_in_range(segment_bytes(f), 0, 100 * 800 + SEGMENT_BYTES);
}

static void
size_of_an_index_counts_its_segments(void **state)
{
    struct fixture *f = *state;
    uint64_t before = 0, after = 0;

    index_set_add_size(f->set, &f->uuid, &before);
    fixture_begin(f);
    put_many(f, 300, 0, 1000);
    fixture_commit(f, "r");
    index_set_add_size(f->set, &f->uuid, &after);
    assert_true(after >= before + segment_bytes(f));
}

static void
a_removed_index_takes_its_segments_along(void **state)
{
    struct fixture *f = *state;
    char path[200];
    struct stat st;

    fixture_begin(f);
    put_many(f, 300, 0, 1000);
    fixture_commit(f, "r");
    index_remove(f->set, &f->uuid);
    index_release(f->index);
    f->index = NULL;
    path_of(f, "", path);
    assert_int_not_equal(stat(path, &st), 0);
}

/* --- against a naive model, with batches given up and the index reopened */

enum { MODEL_IDS = 300 };

struct model {
    bool exists[MODEL_IDS];
    unsigned version[MODEL_IDS], n_pad[MODEL_IDS];
};

static unsigned
next_random(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16;
}

static void
model_change(struct fixture *f, struct model *m, unsigned *seed, unsigned version)
{
    unsigned id = next_random(seed) % MODEL_IDS;
    char key[16];

    if (next_random(seed) % 4 == 0) {
        (void) snprintf(key, sizeof(key), "%u", id);
        assert_int_equal(index_writer_delete(f->writer, str_from(key), &f->err), m->exists[id]);
        m->exists[id] = false;
        return;
    }
    m->exists[id] = true;
    m->version[id] = version;
    m->n_pad[id] = next_random(seed) % 10 == 0 ? 9000 : next_random(seed) % 800;
    put(f, id, version, m->n_pad[id]);
}

static void
assert_equals_model(struct fixture *f, const struct model *m)
{
    uint64_t live = 0, counted = 0;

    for (unsigned id = 0; id < MODEL_IDS; id++) {
        char key[16], *found;
        (void) snprintf(key, sizeof(key), "%u", id);
        if (m->exists[id]) {
            assert_document(f, id, m->version[id], m->n_pad[id]);
            continue;
        }
        found = fixture_get(f, key);
        assert_null(found);
    }
    struct index_reader r;
    struct ref_group g = {0};
    assert_int_equal(index_reader_open(&r, f->index), 0);
    for (uint32_t n = 0; refs_next_group(r.txn, n, &g) == 1; n = g.number + 1)
        for (unsigned i = 0; i < REFS_IN_GROUP; i++)
            live += g.refs[i].length;
    index_reader_close(&r);
    for (uint32_t i = 0; i < f->index->segments.n; i++)
        counted += f->index->segments.items[i].committed.live;
    assert_int_equal(counted, live);
}

static void
random_batches_equal_a_naive_model(void **state)
{
    struct fixture *f = *state;
    struct model m = {0};
    unsigned seed = 20260301;

    for (unsigned round = 0; round < 150; round++) {
        struct model before = m;
        fixture_begin(f);
        for (unsigned n = next_random(&seed) % 80; n > 0; n--)
            model_change(f, &m, &seed, round);
        if (next_random(&seed) % 4 == 0) {
            if (next_random(&seed) % 2 == 0)
                (void) index_writer_settle(f->writer, INT64_MAX, &f->err);
            give_up(f);
            m = before;
        } else {
            fixture_commit(f, "r");
        }
        if (next_random(&seed) % 8 == 0)
            fixture_reopen(f);
        assert_equals_model(f, &m);
    }
}

/* --- damage */

static int
get(struct fixture *f, const char *id)
{
    struct index_reader r;
    struct str text;

    assert_int_equal(index_reader_open(&r, f->index), 0);
    int rc = index_reader_get(&r, str_from(id), &text);
    index_reader_close(&r);
    return rc;
}

static void
fill_and_close(struct fixture *f, char path[200])
{
    fixture_begin(f);
    put_many(f, 40, 0, 1000);
    fixture_commit(f, "r");
    path_of(f, "segment-00000001", path);
}

static void
a_short_segment_is_told_and_does_not_crash(void **state)
{
    struct fixture *f = *state;
    char path[200];

    fill_and_close(f, path);
    assert_int_equal(truncate(path, 2 * PAGE), 0);
    fixture_reopen(f);
    assert_int_equal(get(f, "39"), STORE_ECORRUPT);
    assert_int_equal(get(f, "1"), 1);
    assert_int_equal(get(f, "39"), STORE_ECORRUPT);
}

static void
a_short_segment_is_not_appended_to(void **state)
{
    struct fixture *f = *state;
    char path[200];

    fill_and_close(f, path);
    assert_int_equal(truncate(path, 2 * PAGE), 0);
    fixture_reopen(f);
    fixture_begin(f);
    for (unsigned id = 100; id < 120; id++)
        put(f, id, 0, 1000);
    fixture_commit(f, "r");
    assert_int_equal(n_segments(f), 2);
    assert_document(f, 119, 0, 1000);
    assert_int_equal(get(f, "39"), STORE_ECORRUPT);
}

static void
a_missing_segment_is_told(void **state)
{
    struct fixture *f = *state;
    char path[200];

    fill_and_close(f, path);
    assert_int_equal(unlink(path), 0);
    fixture_reopen(f);
    assert_int_equal(get(f, "1"), STORE_ECORRUPT);
    fixture_begin(f);
    for (unsigned id = 100; id < 120; id++)
        put(f, id, 0, 1000);
    fixture_commit(f, "r");
    assert_document(f, 119, 0, 1000);
}

static void
zeros_instead_of_a_body_are_told(void **state)
{
    struct fixture *f = *state;
    char path[200], zeros[PAGE] = {0};

    fill_and_close(f, path);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, zeros, sizeof(zeros), PAGE), sizeof(zeros));
    (void) close(fd);
    fixture_reopen(f);
    assert_int_equal(get(f, "4"), STORE_ECORRUPT);
    assert_int_equal(get(f, "30"), 1);
}

static void
a_damaged_segment_does_not_stop_batches(void **state)
{
    struct fixture *f = *state;
    char path[200], zeros[PAGE] = {0}, key[16];

    fixture_begin(f);
    put_many(f, 200, 0, 1000);
    fixture_commit(f, "r");
    path_of(f, "segment-00000001", path);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, zeros, sizeof(zeros), 0), sizeof(zeros));
    (void) close(fd);
    fixture_reopen(f);
    fixture_begin(f); /* what makes the first segment worth emptying */
    for (unsigned id = 10; id < 60; id++) {
        (void) snprintf(key, sizeof(key), "%u", id);
        assert_int_equal(index_writer_delete(f->writer, str_from(key), &f->err), 1);
    }
    fixture_commit(f, "r");
    assert_int_equal(get(f, "2"), STORE_ECORRUPT);
    assert_document(f, 150, 0, 1000);
}

/* --- no space */

static void
a_full_disk_fails_the_batch_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    struct rlimit old, limit;
    int rc = 1;

    fixture_begin(f);
    put_many(f, 40, 0, 1000);
    fixture_commit(f, "r");
    (void) signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = (struct rlimit){.rlim_cur = 48 * 1024, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    fixture_begin(f);
    for (unsigned id = 0; id < 300 && rc > 0; id++) {
        char *text = make_text(id, 1, 1000);
        rc = fixture_add(f, DOCUMENT_REPLACE, text, 2);
        free(text);
    }
    give_up(f);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_true(rc < 0);
    assert_string_equal(err_name(f->err.code), "no_space_left_on_device");
    assert_many(f, 40, 0, 1000);
    fixture_begin(f);
    put_many(f, 300, 2, 1000);
    fixture_commit(f, "r");
    assert_many(f, 300, 2, 1000);
}

/* Nobody knows what of a commit that failed is on the disk: the bytes it may refer to stay. */
static void
a_refused_commit_leaves_its_bodies_alone(void **state)
{
    struct fixture *f = *state;
    struct rlimit old, limit;

    fixture_begin(f);
    put_many(f, 20, 0, 1000);
    fixture_commit(f, "r");
    (void) signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    fixture_begin(f);
    for (unsigned id = 20; id < 40; id++)
        put(f, id, 0, 1000);
    while (index_writer_settle(f->writer, INT64_MAX, &f->err) == 1)
        continue;
    uint64_t before = segment_bytes(f);
    limit = (struct rlimit){.rlim_cur = PAGE, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int rc = index_writer_commit(f->writer, STR("r"), &f->err);
    f->writer = NULL;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_true(rc < 0);
    assert_int_equal(segment_bytes(f), before);
    assert_many(f, 20, 0, 1000);
    fixture_begin(f);
    for (unsigned id = 20; id < 40; id++)
        put(f, id, 5, 1000);
    fixture_commit(f, "r");
    assert_int_equal(n_segments(f), 2);
    assert_many(f, 20, 0, 1000);
    assert_document(f, 39, 5, 1000);
}

/* --- an index as it was before there were segments */

static void
write_v1(const char *dir)
{
    static const struct store_table tables[] = {
        {"documents", "", ""}, {"external-ids", "", ""}, {"free-ids", "", ""}, {"meta", "", ""}};
    enum { V1_DOCUMENTS, V1_EXTERNAL_IDS, V1_FREE_IDS, V1_META };
    struct store_env *env;
    struct store_txn *txn;
    struct err err = ERR_INIT;
    struct buf totals = BUF_INIT, fields = BUF_INIT;
    uint64_t raw_bytes = 0;

    assert_int_equal(store_env_open(&env, dir, tables, 4, (size_t) 1 << 30, &err), 0);
    assert_int_equal(store_begin_write(env, &txn), 0);
    for (uint32_t id = 0; id < 50; id++) {
        char external[16], *text = make_text(id, 0, 100);
        uint8_t key[4];
        (void) snprintf(external, sizeof(external), "%u", id);
        assert_int_equal(store_put(txn, V1_DOCUMENTS, key_u32(key, id), str_from(text)), 0);
        assert_int_equal(store_put(txn, V1_EXTERNAL_IDS, str_from(external), key_u32(key, id)), 0);
        raw_bytes += strlen(text);
        free(text);
    }
    rec_put_u8(&totals, 1);
    rec_put_u64(&totals, 50);
    rec_put_u64(&totals, raw_bytes);
    rec_put_u32(&totals, 50);
    assert_int_equal(store_put(txn, V1_META, STR("totals"), buf_str(&totals)), 0);
    rec_put_u8(&fields, 1);
    rec_put_u32(&fields, 3);
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = {"id", "v", "pad"};
        rec_put_str(&fields, str_from(names[i]));
        rec_put_u64(&fields, 50);
    }
    assert_int_equal(store_put(txn, V1_META, STR("fields"), buf_str(&fields)), 0);
    assert_int_equal(store_commit(txn), 0);
    store_env_close(env);
    buf_done(&totals);
    buf_done(&fields);
}

static void
an_index_of_the_first_format_is_read_and_changed(void **state)
{
    struct fixture *f = *state;
    char path[200];
    struct index_totals totals;

    index_release(f->index);
    index_set_close(f->set);
    f->uuid = uuid_v4();
    path_of(f, "", path);
    path[strlen(path) - 1] = '\0';
    write_v1(path);
    f->set = index_set_open(f->dir, &f->err);
    index_set_limit_segments(f->set, &small);
    f->index = index_open(f->set, &f->uuid, &f->err);
    assert_non_null(f->index);
    assert_many(f, 50, 0, 100);
    fixture_begin(f);
    put_many(f, 30, 1, 500);
    for (unsigned id = 100; id < 120; id++)
        put(f, id, 1, 500);
    assert_int_equal(index_writer_delete(f->writer, STR("49"), &f->err), 1);
    assert_int_equal(index_writer_totals(f->writer, &totals), 0);
    assert_int_equal(totals.n_documents, 69);
    assert_string_equal(totals.field_distribution, "{\"id\":69,\"pad\":69,\"v\":69}");
    free(totals.field_distribution);
    fixture_commit(f, "r");
    fixture_reopen(f);
    assert_many(f, 30, 1, 500);
    assert_document(f, 48, 0, 100);
    assert_document(f, 119, 1, 500);
    assert_int_equal(get(f, "49"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(large_batches_come_back),
        TEST(small_batches_make_no_file),
        TEST(listing_goes_through_both_kinds_in_order),
        TEST(a_body_larger_than_a_segment_has_one_of_its_own),
        TEST(the_writer_reads_what_it_wrote),
        TEST(readers_see_the_last_commit_while_a_batch_runs),
        TEST(settling_is_done_in_pieces),
        TEST(a_first_batch_given_up_leaves_no_file),
        TEST(a_later_batch_given_up_leaves_the_files_as_they_were),
        TEST(what_a_crash_left_behind_the_end_is_written_over),
        TEST(files_without_a_row_are_removed_at_open),
        TEST(overwriting_the_same_documents_stays_bounded),
        TEST(overwriting_at_random_stays_bounded),
        TEST(small_batches_empty_what_a_deletion_left),
        TEST(clear_removes_all_files),
        TEST(clear_and_refill_in_one_batch),
        TEST(size_of_an_index_counts_its_segments),
        TEST(a_removed_index_takes_its_segments_along),
        TEST(random_batches_equal_a_naive_model),
        TEST(a_short_segment_is_told_and_does_not_crash),
        TEST(a_short_segment_is_not_appended_to),
        TEST(a_missing_segment_is_told),
        TEST(zeros_instead_of_a_body_are_told),
        TEST(a_damaged_segment_does_not_stop_batches),
        TEST(a_full_disk_fails_the_batch_and_nothing_else),
        TEST(a_refused_commit_leaves_its_bodies_alone),
        TEST(an_index_of_the_first_format_is_read_and_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
