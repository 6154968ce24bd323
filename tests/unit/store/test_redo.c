/* The main environment and its journal: what a start finds after kills, power losses and faults of
 * the disk. A copy of the directory, made while it is in use, is what a kill leaves. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support.h"
#include "faults.h"
#include "store/env_internal.h"
#include "store/rec.h"
#include "store/tables.h"
#include "store/turn.h"

enum { PAGE_BYTES = 4096, COPIES = 4, MODEL_KEYS = 200 };

struct fixture {
    char dir[COPIES][64]; /* 0: the one in use */
    int n_copies;
    struct loop *loop;
    struct store_env *env;
    struct turn *turn;
    struct turn_waiter waiter;
    struct loop_timer timer;
    int result, told, n_fatal;
    char model[MODEL_KEYS][24]; /* of TABLE_TASKS; empty: no such row */
    unsigned random;
};

static int
remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void) st;
    (void) flag;
    (void) ftw;
    return remove(path);
}

static void
on_fatal(void *arg)
{
    struct fixture *f = arg;
    f->n_fatal++;
}

static void
open_all(struct fixture *f)
{
    struct err err = ERR_INIT;
    f->loop = loop_new(&err);
    assert_non_null(f->loop);
    assert_int_equal(main_env_open(&f->env, f->dir[0], &err), 0);
    f->turn = turn_new(f->loop, f->env, f->dir[0]);
    turn_set_floor(f->turn, 0);
    turn_on_fatal(f->turn, on_fatal, f);
}

static void
close_all(struct fixture *f)
{
    loop_timer_done(&f->timer);
    turn_free(f->turn);
    loop_free(f->loop);
    store_env_close(f->env);
}

static void
new_dir(struct fixture *f, int i)
{
    strcpy(f->dir[i], "/tmp/taskhook-redo-XXXXXX");
    assert_non_null(mkdtemp(f->dir[i]));
}

static int
setup_direct(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));
    new_dir(f, 0);
    open_all(f);
    f->random = 1;
    *state = f;
    return 0;
}

static int
setup_plain(void **state)
{
    fault_refuse_direct(true);
    return setup_direct(state);
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    fault_clear();
    fault_refuse_direct(false);
    close_all(f);
    for (int i = 0; i <= f->n_copies; i++)
        (void) nftw(f->dir[i], remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    test_free(f);
    return 0;
}

/* --- turns */

static void
on_told(void *arg, int result)
{
    struct fixture *f = arg;
    f->result = result;
    f->told++;
    loop_stop(f->loop);
}

/* Ends the turn; what its waiter was told. */
static int
end_turn(struct fixture *f)
{
    int before = f->told;
    f->waiter.fn = on_told;
    f->waiter.arg = f;
    turn_wait(f->turn, &f->waiter);
    while (f->told == before)
        loop_run(f->loop);
    return f->result;
}

static int
put(struct fixture *f, const char *key, const char *value)
{
    (void) store_put(turn_txn(f->turn), TABLE_META, str_from(key), str_from(value));
    return end_turn(f);
}

static bool
has(struct store_env *env, const char *key)
{
    struct store_txn *txn;
    assert_int_equal(store_begin_read(env, &txn), 0);
    int rc = store_get(txn, TABLE_META, str_from(key), NULL);
    store_abort(txn);
    return rc == 1;
}

static unsigned
next_random(struct fixture *f, unsigned n)
{
    f->random = f->random * 1103515245u + 12345u;
    return (f->random >> 16) % n;
}

static void
change_row(struct fixture *f, unsigned i)
{
    uint8_t key[4];
    struct str k = key_u32(key, i);
    struct store_txn *txn = turn_txn(f->turn);
    if (next_random(f, 3) == 0) {
        assert_int_equal(store_delete(txn, TABLE_TASKS, k), f->model[i][0] != '\0');
        f->model[i][0] = '\0';
        return;
    }
    (void) snprintf(f->model[i], sizeof(f->model[i]), "value %u", next_random(f, 1u << 15));
    assert_int_equal(store_append(txn, TABLE_TASKS, k, str_from(f->model[i])), 0);
}

/* One turn in which rows of TABLE_TASKS are put and deleted, by key and by cursor. */
static void
change_rows(struct fixture *f)
{
    struct store_cursor c;
    for (int n = 0; n < 8; n++)
        change_row(f, next_random(f, MODEL_KEYS));
    if (next_random(f, 4) == 0) {
        assert_int_equal(store_cursor_open(&c, turn_txn(f->turn), TABLE_TASKS), 0);
        if (store_cursor_first(&c) == 1) {
            f->model[key_read_u32(c.key, 0)][0] = '\0';
            assert_int_equal(store_cursor_delete(&c), 0);
        }
        store_cursor_close(&c);
    }
    assert_int_equal(end_turn(f), 0);
}

static void
assert_rows_as_in_the_model(struct fixture *f, struct store_env *env)
{
    struct store_txn *txn;
    struct store_cursor c;
    assert_int_equal(store_begin_read(env, &txn), 0);
    assert_int_equal(store_cursor_open(&c, txn, TABLE_TASKS), 0);
    int rc = store_cursor_first(&c);
    for (uint32_t i = 0; i < MODEL_KEYS; i++) {
        if (f->model[i][0] == '\0')
            continue;
        assert_int_equal(rc, 1);
        assert_int_equal(key_read_u32(c.key, 0), i);
        assert_text(c.value, f->model[i]);
        rc = store_cursor_next(&c);
    }
    assert_int_equal(rc, 0);
    store_cursor_close(&c);
    store_abort(txn);
}

/* --- copies */

static const char *
path_in(const char *dir, const char *name)
{
    static char path[2][128];
    static int turn;
    turn ^= 1;
    (void) snprintf(path[turn], sizeof(path[turn]), "%s/queue/%s", dir, name);
    return path[turn];
}

static size_t
read_file(const char *path, char **ret)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    *ret = test_malloc((size_t) st.st_size + 1);
    assert_int_equal(read(fd, *ret, (size_t) st.st_size), st.st_size);
    assert_int_equal(close(fd), 0);
    return (size_t) st.st_size;
}

static void
write_file(const char *path, const char *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    assert_int_equal(close(fd), 0);
}

static void
copy_file(const char *from, const char *to)
{
    char *bytes;
    size_t len = read_file(from, &bytes);
    write_file(to, bytes, len);
    test_free(bytes);
}

/* The directory as a kill would leave it now. */
static const char *
copy_of(struct fixture *f, const char *dir)
{
    char queue[80];
    int i = ++f->n_copies;
    assert_true(i < COPIES);
    new_dir(f, i);
    (void) snprintf(queue, sizeof(queue), "%s/queue", f->dir[i]);
    assert_int_equal(mkdir(queue, 0700), 0);
    copy_file(path_in(dir, "data.mdb"), path_in(f->dir[i], "data.mdb"));
    copy_file(path_in(dir, "journal"), path_in(f->dir[i], "journal"));
    return f->dir[i];
}

static struct store_env *
start_on(const char *dir)
{
    struct err err = ERR_INIT;
    struct store_env *env;
    assert_int_equal(main_env_open(&env, dir, &err), 0);
    return env;
}

static void
assert_a_start_finds(struct fixture *f, const char *key, bool is_there)
{
    struct store_env *env = start_on(copy_of(f, f->dir[0]));
    assert_int_equal(has(env, key), is_there);
    store_env_close(env);
}

/* --- recovery */

static void
commits_survive_a_kill(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f, "a", "1"), 0);
    assert_int_equal(put(f, "b", "2"), 0);
    struct store_env *env = start_on(copy_of(f, f->dir[0]));
    assert_true(has(env, "a") && has(env, "b"));
    store_env_close(env);
}

static void
a_kill_during_recovery_changes_nothing(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 20; i++)
        change_rows(f);
    const char *killed = copy_of(f, f->dir[0]);
    fault_set(FAULT_SYNC, "/journal", EIO, 0, -1); /* replayed, but not the header behind it */
    struct err err = ERR_INIT;
    struct store_env *env;
    assert_int_not_equal(main_env_open(&env, killed, &err), 0);
    err_done(&err);
    fault_clear();
    env = start_on(killed);
    assert_rows_as_in_the_model(f, env);
    const char *again = copy_of(f, killed);
    store_env_close(env);
    env = start_on(again);
    assert_rows_as_in_the_model(f, env);
    store_env_close(env);
}

static void
every_kind_of_change_is_replayed(void **state)
{
    struct fixture *f = *state;
    uint8_t key[4];
    for (int i = 0; i < 50; i++)
        change_rows(f);
    assert_int_equal(store_put(turn_txn(f->turn), TABLE_BATCHES, key_u32(key, 1), STR("x")), 0);
    assert_int_equal(end_turn(f), 0);
    assert_int_equal(store_clear(turn_txn(f->turn), TABLE_BATCHES), 0);
    assert_int_equal(end_turn(f), 0);
    struct store_env *env = start_on(copy_of(f, f->dir[0]));
    struct store_txn *txn;
    uint64_t n;
    assert_rows_as_in_the_model(f, env);
    assert_int_equal(store_begin_read(env, &txn), 0);
    assert_int_equal(store_count(txn, TABLE_BATCHES, &n), 0);
    assert_int_equal(n, 0);
    store_abort(txn);
    store_env_close(env);
}

/* A value may be given as it lies in the database, where the change moves it. */
static void
a_value_from_the_database_itself_is_noted_as_it_was(void **state)
{
    struct fixture *f = *state;
    struct str value;
    assert_int_equal(put(f, "from", "the value"), 0);
    struct store_txn *txn = turn_txn(f->turn);
    assert_int_equal(store_put(txn, TABLE_META, STR("other"), STR("makes the page dirty")), 0);
    assert_int_equal(store_get(txn, TABLE_META, STR("from"), &value), 1);
    assert_int_equal(store_put(txn, TABLE_META, STR("a"), value), 0);
    assert_int_equal(end_turn(f), 0);
    struct store_env *env = start_on(copy_of(f, f->dir[0]));
    assert_int_equal(store_begin_read(env, &txn), 0);
    assert_int_equal(store_get(txn, TABLE_META, STR("a"), &value), 1);
    assert_text(value, "the value");
    store_abort(txn);
    store_env_close(env);
}

static void
a_change_that_failed_is_not_replayed(void **state)
{
    struct fixture *f = *state;
    struct store_txn *txn;
    char long_key[600] = "";
    assert_int_equal(store_begin_write(f->env, &txn), 0);
    assert_int_equal(store_put(txn, TABLE_META, STR("a"), STR("1")), 0);
    assert_int_equal(store_put(txn, TABLE_META, str_make(long_key, sizeof(long_key)), STR("")),
                     STORE_EINVAL);
    assert_int_equal(store_delete(txn, TABLE_META, STR("nothing")), 0);
    assert_int_equal(store_commit(txn), 0);
    assert_a_start_finds(f, "a", true);
}

/* What was written since the last sync of data.mdb, each page kept, lost or half there: the pages
 * of the checkpoint must not be among them. */
static void
tear_pages(struct fixture *f, const char *before, const char *dir)
{
    char *old, *new;
    size_t n_old = read_file(before, &old), n_new = read_file(path_in(dir, "data.mdb"), &new);
    for (size_t at = 0; at < n_new; at += PAGE_BYTES) {
        size_t from = (size_t[]){0, PAGE_BYTES / 2, PAGE_BYTES}[next_random(f, 3)];
        if (at < n_old)
            memcpy(new + at + from, old + at + from, PAGE_BYTES - from);
        else
            memset(new + at + from, 0, PAGE_BYTES - from);
    }
    write_file(path_in(dir, "data.mdb"), new, n_new);
    test_free(old);
    test_free(new);
}

static void
commits_survive_the_loss_of_every_page_since_the_checkpoint(void **state)
{
    struct fixture *f = *state;
    char before[80];
    (void) snprintf(before, sizeof(before), "%s/before", f->dir[0]);
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 5; i++)
            change_rows(f);
        assert_int_equal(store_env_checkpoint(f->env), 0);
        copy_file(path_in(f->dir[0], "data.mdb"), before);
        for (int i = 0; i < 20; i++)
            change_rows(f);
        const char *lost = copy_of(f, f->dir[0]);
        tear_pages(f, before, lost);
        struct store_env *env = start_on(lost);
        assert_rows_as_in_the_model(f, env);
        store_env_close(env);
        (void) nftw(lost, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
        f->n_copies--;
    }
}

/* --- checkpoints */

static char *
journal_headers_of(struct fixture *f)
{
    char *bytes;
    assert_true(read_file(path_in(f->dir[0], "journal"), &bytes) > 2 * PAGE_BYTES);
    return bytes;
}

static bool
a_generation_begins_during(struct fixture *f, void (*what)(struct fixture *f))
{
    char *before = journal_headers_of(f);
    what(f);
    char *after = journal_headers_of(f);
    bool is_new = memcmp(before, after, 2 * PAGE_BYTES) != 0;
    test_free(before);
    test_free(after);
    return is_new;
}

static void
put_one(struct fixture *f)
{
    assert_int_equal(put(f, "one", "more"), 0);
}

static void
a_checkpoint_comes_after_so_many_commits(void **state)
{
    struct fixture *f = *state;
    store_env_limit_commits(f->env, 3);
    for (int i = 0; i < 3; i++)
        assert_false(a_generation_begins_during(f, put_one));
    assert_true(a_generation_begins_during(f, put_one));
    assert_false(a_generation_begins_during(f, put_one));
    assert_a_start_finds(f, "one", true);
}

static void
put_large(struct fixture *f)
{
    size_t len = 3 << 20;
    char *bytes = test_malloc(len);
    memset(bytes, 'l', len);
    assert_int_equal(store_put(turn_txn(f->turn), TABLE_META, STR("large"), str_make(bytes, len)),
                     0);
    assert_int_equal(end_turn(f), 0);
    test_free(bytes);
}

static void
a_full_journal_is_begun_anew(void **state)
{
    struct fixture *f = *state;
    assert_false(a_generation_begins_during(f, put_large));
    assert_false(a_generation_begins_during(f, put_large));
    assert_true(a_generation_begins_during(f, put_large)); /* 9 MiB of 8 */
    assert_a_start_finds(f, "large", true);
}

static void
a_record_larger_than_the_journal_is_one_commit_all_the_same(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(put(f, "before", "it"), 0);
    struct store_txn *txn = turn_txn(f->turn);
    size_t len = 5 << 20;
    char *bytes = test_calloc(1, len);
    assert_int_equal(store_put(txn, TABLE_META, STR("large"), str_make(bytes, len)), 0);
    assert_int_equal(store_put(txn, TABLE_META, STR("larger"), str_make(bytes, len)), 0);
    assert_int_equal(end_turn(f), 0);
    test_free(bytes);
    struct store_env *env = start_on(copy_of(f, f->dir[0]));
    assert_true(has(env, "before") && has(env, "large") && has(env, "larger"));
    store_env_close(env);
}

static void
an_idle_database_is_complete_without_its_journal(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f, "a", "1"), 0);
    assert_true(store_env_is_behind(f->env));
    while (store_env_is_behind(f->env)) {
        assert_int_equal(turn_stats(f->turn).commits, 1);
        loop_timer_done(&f->timer);
        loop_timer_init(&f->timer, f->loop, (loop_fn *) loop_stop, f->loop);
        loop_timer_set_ms(&f->timer, 50);
        loop_run(f->loop);
    }
    const char *copy = copy_of(f, f->dir[0]);
    write_file(path_in(copy, "journal"), "", 0);
    struct store_env *env = start_on(copy);
    assert_true(has(env, "a"));
    store_env_close(env);
}

static void
a_closed_database_is_complete_and_may_be_changed_without_its_journal(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f, "a", "1"), 0);
    close_all(f);
    const char *copy = copy_of(f, f->dir[0]); /* by something that knows no journal */
    write_file(path_in(copy, "journal"), "", 0);
    struct store_env *env = start_on(copy);
    struct store_txn *txn;
    assert_true(has(env, "a"));
    assert_int_equal(store_begin_write(env, &txn), 0);
    assert_int_equal(store_put(txn, TABLE_META, STR("b"), STR("2")), 0);
    assert_int_equal(store_commit(txn), 0);
    store_env_close(env);
    copy_file(path_in(copy, "data.mdb"), path_in(f->dir[0], "data.mdb"));
    open_all(f);
    assert_true(has(f->env, "a") && has(f->env, "b"));
}

/* --- what belongs together */

static void
a_directory_of_format_1_is_opened_and_upgraded(void **state)
{
    struct fixture *f = *state;
    char *bytes;
    struct str value;
    struct store_txn *txn;
    assert_int_equal(put(f, "format", "1"), 0);
    assert_int_equal(put(f, "a", "1"), 0);
    close_all(f);
    assert_int_equal(unlink(path_in(f->dir[0], "journal")), 0);
    open_all(f);
    assert_true(has(f->env, "a"));
    txn = turn_read(f->turn);
    assert_int_equal(store_get(txn, TABLE_META, STR("format"), &value), 1);
    assert_text(value, "2");
    store_abort(txn);
    assert_true(read_file(path_in(f->dir[0], "journal"), &bytes) > 0);
    test_free(bytes);
}

static void
a_directory_whose_journal_is_gone_is_refused(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    struct store_env *env;
    assert_int_equal(put(f, "a", "1"), 0);
    const char *copy = copy_of(f, f->dir[0]);
    assert_int_equal(unlink(path_in(copy, "journal")), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_not_equal(main_env_open(&env, copy, &err), 0);
        assert_int_equal(err.code, ERR_INVALID_STATE);
        assert_non_null(strstr(err.message, "the file journal is missing"));
        err_done(&err);
    }
    write_file(path_in(copy, "journal"), "", 0); /* on the administrator's word */
    env = start_on(copy);
    store_env_close(env);
}

static void
a_journal_of_another_database_is_refused(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    struct store_env *env;
    for (int i = 0; i < 10; i++)
        change_rows(f);
    assert_int_equal(store_env_checkpoint(f->env), 0);
    const char *copy = copy_of(f, f->dir[0]);
    assert_int_equal(unlink(path_in(copy, "data.mdb")), 0);
    assert_int_not_equal(main_env_open(&env, copy, &err), 0);
    assert_int_equal(err.code, ERR_INVALID_STATE);
    err_done(&err);
}

/* --- faults */

static void
a_commit_whose_journal_is_refused_did_not_happen(void **state)
{
    static const struct {
        enum fault_call call;
        int error, result, n_fatal;
    } rows[] = {{FAULT_WRITE, ENOSPC, STORE_EFULL, 0},
                {FAULT_SYNC, ENOSPC, STORE_EFULL, 0},
                {FAULT_SYNC, EIO, STORE_EIO, 1}};
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        fault_set(rows[i].call, "/journal", rows[i].error, 0, 1);
        assert_int_equal(put(f, "refused", "1"), rows[i].result);
        assert_false(has(f->env, "refused") || turn_is_healthy(f->turn));
        assert_a_start_finds(f, "refused", false);
        assert_int_equal(f->n_fatal, rows[i].n_fatal);
    }
    assert_int_equal(put(f, "accepted", "1"), 0);
    assert_true(turn_is_healthy(f->turn));
}

/* LMDB has committed by then: what was refused must not stay there, and what was not must. */
static void
a_refused_journal_changes_nothing_else(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 20; i++)
        change_rows(f);
    for (int round = 0; round < 3; round++) {
        fault_set(FAULT_SYNC, "/journal", ENOSPC, 0, 1);
        assert_int_equal(put(f, "refused", "1"), STORE_EFULL);
        assert_false(has(f->env, "refused") || store_env_is_broken(f->env));
        assert_rows_as_in_the_model(f, f->env);
        for (int i = 0; i < 5; i++)
            change_rows(f);
    }
    struct store_env *env = start_on(copy_of(f, f->dir[0]));
    assert_rows_as_in_the_model(f, env);
    assert_false(has(env, "refused"));
    store_env_close(env);
}

static void
want_of_space_after_a_refused_journal_refuses_writes_until_there_is_some(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f, "a", "1"), 0);
    fault_set(FAULT_WRITE, "/journal", ENOSPC, 0, 1);
    fault_set(FAULT_SYNC, "/data.mdb", ENOSPC, 2, -1); /* the checkpoint behind the replay */
    assert_int_equal(put(f, "refused", "1"), STORE_EFULL);
    assert_true(has(f->env, "a"));
    assert_false(has(f->env, "refused") || store_env_is_broken(f->env));
    assert_int_equal(f->n_fatal, 0);
    fault_clear();
    assert_int_equal(store_env_checkpoint(f->env), 0);
    assert_int_equal(put(f, "b", "2"), 0);
    assert_a_start_finds(f, "b", true);
}

static void
a_commit_that_lmdb_refuses_is_taken_back(void **state)
{
    struct fixture *f = *state;
    fault_set(FAULT_WRITE, "/data.mdb", ENOSPC, 0, 1);
    assert_int_equal(put(f, "refused", "1"), STORE_EFULL);
    assert_false(has(f->env, "refused"));
    assert_a_start_finds(f, "refused", false);
    assert_int_equal(put(f, "accepted", "1"), 0);
    struct store_env *env = start_on(copy_of(f, f->dir[0]));
    assert_true(has(env, "accepted"));
    assert_false(has(env, "refused"));
    store_env_close(env);
}

/* Also when it is the meta page, after which LMDB does nothing any more. */
static void
whatever_write_of_lmdb_fails_the_next_start_finds_what_was_told(void **state)
{
    struct fixture *f = *state;
    char key[16];
    for (int skip = 0; skip < 6; skip++) {
        (void) snprintf(key, sizeof(key), "row %d", skip);
        for (int i = 0; i < 3; i++)
            change_rows(f);
        fault_set(FAULT_WRITE, "/data.mdb", EIO, skip, -1);
        bool is_stored = put(f, key, "1") == 0;
        assert_true(skip > 0 || !is_stored);
        fault_clear();
        close_all(f);
        open_all(f);
        assert_int_equal(has(f->env, key), is_stored);
        assert_rows_as_in_the_model(f, f->env);
    }
}

static void
a_commit_that_cannot_be_taken_back_ends_the_process(void **state)
{
    struct fixture *f = *state;
    fault_set(FAULT_WRITE, "/data.mdb", ENOSPC, 0, 1);
    fault_set(FAULT_SYNC, "/journal", ENOSPC, 1, 1);
    assert_int_equal(put(f, "unknown", "1"), STORE_EFULL);
    assert_int_equal(f->n_fatal, 1);
    fault_clear();
    assert_int_equal(put(f, "refused", "1"), STORE_EIO);
    assert_int_equal(store_env_checkpoint(f->env), STORE_EIO);
}

static void
a_database_that_cannot_be_synced_ends_the_process_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    store_env_limit_commits(f->env, 2);
    assert_int_equal(put(f, "a", "1"), 0);
    assert_int_equal(put(f, "b", "2"), 0);
    fault_set(FAULT_SYNC, "/data.mdb", EIO, 0, 1);
    assert_int_equal(put(f, "refused", "3"), STORE_EIO);
    assert_int_equal(f->n_fatal, 1);
    fault_clear();
    assert_int_equal(put(f, "refused", "3"), STORE_EIO); /* a second sync would lie */
    close_all(f);
    open_all(f);
    assert_true(has(f->env, "a") && has(f->env, "b"));
    assert_false(has(f->env, "refused"));
}

static void
want_of_space_at_a_checkpoint_refuses_writes_until_there_is_some(void **state)
{
    static const char *const files[] = {"/journal", "/data.mdb"};
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        store_env_limit_commits(f->env, 1);
        assert_int_equal(put(f, "a", "1"), 0);
        fault_set(FAULT_SYNC, files[i], ENOSPC, 0, -1);
        assert_int_equal(put(f, "refused", "1"), STORE_EFULL);
        assert_int_equal(put(f, "refused", "1"), STORE_EFULL);
        assert_true(has(f->env, "a") && store_env_is_behind(f->env));
        assert_false(turn_is_healthy(f->turn) || store_env_is_broken(f->env));
        fault_clear();
        assert_int_equal(store_env_checkpoint(f->env), 0); /* as turn.c does each second */
        assert_true(has(f->env, "a"));
        store_env_limit_commits(f->env, 100);
        assert_int_equal(put(f, "b", "2"), 0);
        assert_a_start_finds(f, "b", true);
        assert_false(has(f->env, "refused"));
        assert_int_equal(f->n_fatal, 0);
    }
}

/* A sync that failed says nothing about any page: the second start must not believe them either. */
static void
after_a_refused_sync_every_page_is_written_again(void **state)
{
    struct fixture *f = *state;
    char before[80];
    (void) snprintf(before, sizeof(before), "%s/before", f->dir[0]);
    for (int i = 0; i < 5; i++)
        change_rows(f);
    assert_int_equal(store_env_checkpoint(f->env), 0);
    copy_file(path_in(f->dir[0], "data.mdb"), before);
    for (int i = 0; i < 10; i++)
        change_rows(f);
    fault_set(FAULT_SYNC, "/data.mdb", ENOSPC, 0, 1);
    assert_int_equal(store_env_checkpoint(f->env), STORE_EFULL);
    fault_clear();
    store_env_close(f->env);          /* makes no checkpoint */
    tear_pages(f, before, f->dir[0]); /* what the kernel forgot */
    f->env = start_on(f->dir[0]);
    assert_rows_as_in_the_model(f, f->env);
    turn_free(f->turn);
    f->turn = turn_new(f->loop, f->env, f->dir[0]);
}

static void
the_server_recovers_from_want_of_space_by_itself(void **state)
{
    struct fixture *f = *state;
    store_env_limit_commits(f->env, 1);
    assert_int_equal(put(f, "a", "1"), 0);
    fault_set(FAULT_SYNC, "/journal", ENOSPC, 0, 1);
    assert_int_equal(put(f, "refused", "1"), STORE_EFULL);
    while (store_env_is_behind(f->env)) {
        loop_timer_done(&f->timer);
        loop_timer_init(&f->timer, f->loop, (loop_fn *) loop_stop, f->loop);
        loop_timer_set_ms(&f->timer, 50);
        loop_run(f->loop);
    }
    assert_int_equal(put(f, "b", "2"), 0);
    assert_true(turn_is_healthy(f->turn) && has(f->env, "a") && has(f->env, "b"));
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, setup_plain, teardown),                                  \
        cmocka_unit_test_setup_teardown(name, setup_direct, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(commits_survive_a_kill),
        TEST(a_kill_during_recovery_changes_nothing),
        TEST(every_kind_of_change_is_replayed),
        TEST(a_value_from_the_database_itself_is_noted_as_it_was),
        TEST(a_change_that_failed_is_not_replayed),
        TEST(commits_survive_the_loss_of_every_page_since_the_checkpoint),
        TEST(a_checkpoint_comes_after_so_many_commits),
        TEST(a_full_journal_is_begun_anew),
        TEST(a_record_larger_than_the_journal_is_one_commit_all_the_same),
        TEST(an_idle_database_is_complete_without_its_journal),
        TEST(a_closed_database_is_complete_and_may_be_changed_without_its_journal),
        TEST(a_directory_of_format_1_is_opened_and_upgraded),
        TEST(a_directory_whose_journal_is_gone_is_refused),
        TEST(a_journal_of_another_database_is_refused),
        TEST(a_commit_whose_journal_is_refused_did_not_happen),
        TEST(a_refused_journal_changes_nothing_else),
        TEST(want_of_space_after_a_refused_journal_refuses_writes_until_there_is_some),
        TEST(a_commit_that_lmdb_refuses_is_taken_back),
        TEST(whatever_write_of_lmdb_fails_the_next_start_finds_what_was_told),
        TEST(a_commit_that_cannot_be_taken_back_ends_the_process),
        TEST(a_database_that_cannot_be_synced_ends_the_process_and_loses_nothing),
        TEST(want_of_space_at_a_checkpoint_refuses_writes_until_there_is_some),
        TEST(after_a_refused_sync_every_page_is_written_again),
        TEST(the_server_recovers_from_want_of_space_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
