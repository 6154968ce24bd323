/* Environments, the turn's transaction, records and payload files, in a directory of their own. */
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

#include "store/payload.h"
#include "store/rec.h"
#include "store/tables.h"
#include "store/turn.h"

struct fixture {
    char dir[64];
    struct loop *loop;
    struct store_env *env;
    struct turn *turn;
    struct turn_waiter waiters[2];
    struct loop_timer timer;
    int results[2], told;
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
open_all(struct fixture *f)
{
    struct err err = ERR_INIT;
    f->loop = loop_new(&err);
    assert_non_null(f->loop);
    assert_int_equal(main_env_open(&f->env, f->dir, &err), 0);
    f->turn = turn_new(f->loop, f->env, f->dir);
    turn_set_floor(f->turn, 0);
}

static void
close_all(struct fixture *f)
{
    loop_timer_done(&f->timer);
    turn_free(f->turn);
    loop_free(f->loop);
    store_env_close(f->env);
}

static int
setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));
    strcpy(f->dir, "/tmp/taskhook-store-XXXXXX");
    if (mkdtemp(f->dir) == NULL)
        return -1;
    open_all(f);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    close_all(f);
    (void) nftw(f->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    test_free(f);
    return 0;
}

static void
on_told(void *arg, int result)
{
    struct fixture *f = arg;
    f->results[f->told++] = result;
    loop_stop(f->loop);
}

static void
wait_in(struct fixture *f, int i)
{
    f->waiters[i].fn = on_told;
    f->waiters[i].arg = f;
    turn_wait(f->turn, &f->waiters[i]);
}

static bool
is_stored(struct fixture *f, struct str key)
{
    struct store_txn *txn = turn_read(f->turn);
    assert_non_null(txn);
    int rc = store_get(txn, TABLE_META, key, NULL);
    store_abort(txn);
    return rc == 1;
}

static void
writes_of_a_turn_share_one_commit_and_waiters_hear_after_it(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_put(turn_txn(f->turn), TABLE_META, STR("a"), STR("1")), 0);
    wait_in(f, 0);
    assert_int_equal(store_put(turn_txn(f->turn), TABLE_META, STR("b"), STR("2")), 0);
    wait_in(f, 1);
    assert_false(is_stored(f, STR("a"))); /* not before the commit */
    loop_run(f->loop);
    assert_int_equal(f->told, 2);
    assert_int_equal(f->results[0], 0);
    assert_int_equal(f->results[1], 0);
    assert_int_equal(turn_stats(f->turn).commits, 1);
    assert_true(is_stored(f, STR("a")) && is_stored(f, STR("b")));
}

static void
a_failed_turn_stores_nothing_and_tells_everybody(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_put(turn_txn(f->turn), TABLE_META, STR("a"), STR("1")), 0);
    wait_in(f, 0);
    turn_fail(f->turn, STORE_EFULL);
    loop_run(f->loop);
    assert_int_equal(f->results[0], STORE_EFULL);
    assert_false(is_stored(f, STR("a")));
    assert_false(turn_is_healthy(f->turn));
    assert_int_equal(store_put(turn_txn(f->turn), TABLE_META, STR("c"), STR("1")), 0);
    wait_in(f, 1);
    loop_run(f->loop);
    assert_int_equal(f->results[1], 0);
    assert_true(turn_is_healthy(f->turn));
}

static void
a_failed_put_poisons_the_turn(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_put(turn_txn(f->turn), TABLE_META, STR("a"), STR("1")), 0);
    assert_int_equal(store_put(turn_txn(f->turn), TABLE_META, STR(""), STR("1")), STORE_EINVAL);
    wait_in(f, 0);
    loop_run(f->loop);
    assert_true(f->results[0] < 0);
    assert_false(is_stored(f, STR("a")));
}

static void
an_aborted_turn_stores_nothing_tells_everybody_and_can_go_on(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_put(turn_txn(f->turn), TABLE_META, STR("a"), STR("1")), 0);
    wait_in(f, 0);
    turn_abort(f->turn);
    assert_int_equal(f->told, 1);
    assert_int_equal(f->results[0], STORE_EIO);
    assert_false(is_stored(f, STR("a")));
    turn_abort(f->turn); /* nobody is told twice */
    assert_int_equal(f->told, 1);
    assert_int_equal(store_put(turn_txn(f->turn), TABLE_META, STR("b"), STR("1")), 0);
    wait_in(f, 1);
    loop_run(f->loop);
    assert_int_equal(f->results[1], 0);
    assert_true(is_stored(f, STR("b")));
}

static void
write_again(void *arg, int result)
{
    struct fixture *f = arg;
    (void) result;
    f->told++;
    assert_int_equal(store_put(turn_txn(f->turn), TABLE_META, STR("late"), STR("1")), 0);
}

static void
what_is_written_while_a_turn_is_aborted_is_not_stored(void **state)
{
    struct fixture *f = *state;
    f->waiters[0] = (struct turn_waiter){.fn = write_again, .arg = f};
    turn_wait(f->turn, &f->waiters[0]);
    turn_abort(f->turn);
    assert_int_equal(f->told, 1);
    assert_false(is_stored(f, STR("late")));
    turn_abort(NULL);
}

static void
a_forgotten_waiter_is_not_told(void **state)
{
    struct fixture *f = *state;
    wait_in(f, 0);
    wait_in(f, 1);
    turn_forget(f->turn, &f->waiters[0]);
    turn_forget(f->turn, &f->waiters[0]);
    loop_run(f->loop);
    assert_int_equal(f->told, 1);
}

static void
writes_are_refused_below_the_floor_of_free_space_and_accepted_above(void **state)
{
    struct fixture *f = *state;
    assert_true(turn_accepts_writes(f->turn));
    turn_set_floor(f->turn, UINT64_MAX);
    assert_false(turn_accepts_writes(f->turn));
    turn_set_floor(f->turn, 0);
    assert_true(turn_accepts_writes(f->turn));
}

static void
rows_come_back_in_key_order_both_ways(void **state)
{
    struct fixture *f = *state;
    struct store_txn *txn = turn_txn(f->turn);
    uint8_t k[4];
    for (uint32_t uid = 0; uid < 600; uid += 2)
        assert_int_equal(store_append(txn, TABLE_TASKS, key_u32(k, uid), STR("x")), 0);
    assert_int_equal(store_append(txn, TABLE_TASKS, key_u32(k, 301), STR("y")),
                     0); /* not at the end: still put */
    struct store_cursor c;
    assert_int_equal(store_cursor_open(&c, txn, TABLE_TASKS), 0);
    assert_int_equal(store_cursor_seek(&c, key_u32(k, 301)), 1);
    assert_int_equal(key_read_u32(c.key, 0), 301);
    assert_int_equal(store_cursor_next(&c), 1);
    assert_int_equal(key_read_u32(c.key, 0), 302);
    assert_int_equal(store_cursor_last(&c), 1);
    assert_int_equal(key_read_u32(c.key, 0), 598);
    assert_int_equal(store_cursor_next(&c), 0);
    assert_int_equal(store_cursor_first(&c), 1);
    assert_int_equal(store_cursor_delete(&c), 0);
    assert_int_equal(store_cursor_next(&c), 1);
    assert_int_equal(key_read_u32(c.key, 0), 2);
    store_cursor_close(&c);
    uint64_t n;
    assert_int_equal(store_count(txn, TABLE_TASKS, &n), 0);
    assert_int_equal(n, 300);
    assert_int_equal(store_delete(txn, TABLE_TASKS, key_u32(k, 4)), 1);
    assert_int_equal(store_delete(txn, TABLE_TASKS, key_u32(k, 4)), 0);
}

static void
committed_rows_survive_reopening(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_put(turn_txn(f->turn), TABLE_META, STR("kept"), STR("1")), 0);
    wait_in(f, 0);
    loop_run(f->loop);
    close_all(f);
    open_all(f);
    assert_true(is_stored(f, STR("kept")));
}

/* As a power loss or a kill in the middle of its creation leaves it. */
static void
a_half_made_environment_is_made_again(void **state)
{
    static const struct store_table tables[] = {{"rows", "key", "value"}};
    static const char *const leftovers[] = {"new.mdb", "new.mdb-lock"};
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    struct store_env *env = NULL;
    char dir[96], path[128];
    (void) snprintf(dir, sizeof(dir), "%s/half", f->dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    for (size_t i = 0; i < 2; i++) {
        (void) snprintf(path, sizeof(path), "%s/%s", dir, leftovers[i]);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(leftovers, 1, sizeof(leftovers), file), sizeof(leftovers));
        assert_int_equal(fclose(file), 0);
    }
    assert_int_equal(store_env_open(&env, dir, tables, 1, 1 << 20, &err), 0);
    for (size_t i = 0; i < 2; i++) {
        (void) snprintf(path, sizeof(path), "%s/%s", dir, leftovers[i]);
        assert_int_equal(access(path, F_OK), -1);
    }
    store_env_close(env);
}

static void
a_database_of_another_format_is_refused_with_a_clear_message(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    assert_int_equal(store_put(turn_txn(f->turn), TABLE_META, STR("format"), STR("99")), 0);
    wait_in(f, 0);
    loop_run(f->loop);
    close_all(f);
    assert_int_equal(main_env_open(&f->env, f->dir, &err), -1);
    assert_non_null(strstr(err.message, "has format 99, this taskhook reads format 2"));
    err_done(&err);
    char command[128];
    (void) snprintf(command, sizeof(command), "%s/queue/data.mdb", f->dir);
    assert_int_equal(unlink(command), 0);
    open_all(f);
}

static void
records_round_trip_and_short_ones_fail(void **state)
{
    (void) state;
    struct buf b = BUF_INIT;
    struct uuid u = uuid_v4();
    rec_put_u8(&b, 3);
    rec_put_u32(&b, 0xDEADBEEF);
    rec_put_i64(&b, -5);
    rec_put_str(&b, STR("a\0b"));
    rec_put_cstr(&b, NULL);
    rec_put_cstr(&b, "");
    rec_put_uuid(&b, &u);
    struct rec r = rec_open(buf_str(&b), 3);
    assert_int_equal(rec_u32(&r), 0xDEADBEEF);
    assert_int_equal(rec_i64(&r), -5);
    assert_true(str_equal(rec_str(&r), STR("a\0b")));
    assert_null(rec_cstr(&r));
    char *empty = rec_cstr(&r);
    assert_string_equal(empty, "");
    free(empty);
    struct uuid back = rec_uuid(&r);
    assert_true(uuid_equal(&u, &back));
    assert_true(rec_ok(&r));
    assert_int_equal(rec_u32(&r), 0);
    assert_false(rec_ok(&r));
    struct rec wrong = rec_open(buf_str(&b), 2);
    assert_false(rec_ok(&wrong));
    for (size_t cut = 0; cut < b.len; cut++) {
        struct rec s = rec_open(str_slice(buf_str(&b), 0, cut), 3);
        (void) rec_u32(&s);
        (void) rec_i64(&s);
        (void) rec_str(&s);
        free(rec_cstr(&s));
        free(rec_cstr(&s));
        (void) rec_uuid(&s);
        assert_false(rec_ok(&s));
    }
    buf_done(&b);
}

static bool
keep_none(void *arg, const struct uuid *file)
{
    (void) file;
    ++*(int *) arg;
    return false;
}

static void
payloads_up_to_the_limit_stay_inline_and_one_byte_more_is_a_file(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    struct payload_dir *d = payload_dir_open(f->dir, &err);
    assert_non_null(d);
    char *bytes = test_malloc(PAYLOAD_INLINE_MAX_BYTES + 1);
    memset(bytes, 'x', PAYLOAD_INLINE_MAX_BYTES + 1);
    for (int more = 0; more < 2; more++) {
        struct payload p;
        struct payload_writer *w = payload_writer_new(d);
        assert_int_equal(payload_writer_add(w, str_make(bytes, PAYLOAD_INLINE_MAX_BYTES), &err), 0);
        assert_int_equal(payload_writer_add(w, str_make(bytes, (size_t) more), &err), 0);
        assert_int_equal(payload_writer_finish(w, &p, &err), 0);
        assert_int_equal(p.size, PAYLOAD_INLINE_MAX_BYTES + more);
        assert_int_equal(uuid_is_nil(&p.file), more == 0);
        payload_writer_free(w, true);
        if (more == 1) {
            struct str mapped;
            assert_int_equal(payload_map(d, &p.file, &mapped, &err), 0);
            assert_int_equal(mapped.len, p.size);
            assert_memory_equal(mapped.data, bytes, mapped.len);
            payload_unmap(mapped);
        }
    }
    int seen = 0;
    payload_dir_sweep(d, keep_none, &seen);
    assert_int_equal(seen, 1);
    payload_dir_sweep(d, keep_none, &seen);
    assert_int_equal(seen, 1); /* it was removed */
    test_free(bytes);
    payload_dir_close(d);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_of_a_turn_share_one_commit_and_waiters_hear_after_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_turn_stores_nothing_and_tells_everybody, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_failed_put_poisons_the_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(
            an_aborted_turn_stores_nothing_tells_everybody_and_can_go_on, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_written_while_a_turn_is_aborted_is_not_stored,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_forgotten_waiter_is_not_told, setup, teardown),
        cmocka_unit_test_setup_teardown(
            writes_are_refused_below_the_floor_of_free_space_and_accepted_above, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_come_back_in_key_order_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(committed_rows_survive_reopening, setup, teardown),
        cmocka_unit_test_setup_teardown(a_half_made_environment_is_made_again, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_database_of_another_format_is_refused_with_a_clear_message, setup, teardown),
        cmocka_unit_test_setup_teardown(records_round_trip_and_short_ones_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(
            payloads_up_to_the_limit_stay_inline_and_one_byte_more_is_a_file, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
