/* Answers that are forgotten: by age, by number, a few at a time. */
#include <stdio.h>
#include <stdlib.h>

#include "../support.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/aged.h"
#include "store/tables.h"

static int64_t now_ns;

static int64_t
fake_wall(void)
{
    return now_ns;
}

static int64_t
fake_mono(void)
{
    return now_ns / 1000;
}

struct fixture {
    char dir[64];
    struct store_env *env;
    struct store_txn *txn;
};
static const struct aged_table table = {
    .table = TABLE_IDEMPOTENCY, .max_age_ns = 1000, .max_keys = 10};

static int
setup(void **state)
{
    struct fixture *f = mem_new(1, sizeof(*f));
    struct err err = ERR_INIT;
    now_ns = 1000000;
    clock_set_fake(fake_wall, fake_mono);
    (void) snprintf(f->dir, sizeof(f->dir), "/tmp/taskhook-aged-XXXXXX");
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
    clock_set_fake(NULL, NULL);
    (void) snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

static void
put(struct fixture *f, uint8_t n, const char *answer)
{
    uint8_t key[AGED_KEY_BYTES] = {n}, digest[AGED_KEY_BYTES] = {(uint8_t) (n + 1)};
    assert_int_equal(aged_put(&table, f->txn, key, digest, str_from(answer)), 0);
}

static void
assert_answer(struct fixture *f, uint8_t n, const char *expected)
{
    uint8_t key[AGED_KEY_BYTES] = {n};
    struct aged_row row;
    int rc = aged_get(&table, f->txn, key, &row);
    assert_int_equal(rc, expected != NULL);
    if (expected == NULL)
        return;
    assert_text(row.answer, expected);
    assert_int_equal(row.digest[0], n + 1);
}

static uint64_t
count(struct fixture *f)
{
    uint64_t n;
    assert_int_equal(store_count(f->txn, TABLE_IDEMPOTENCY, &n), 0);
    return n / 2;
}

static void
aged_answers_until_its_time_is_over(void **state)
{
    struct fixture *f = *state;
    put(f, 1, "one");
    put(f, 1, "again");
    assert_answer(f, 1, "again");
    assert_answer(f, 2, NULL);
    assert_int_equal(count(f), 1);
    now_ns += 999;
    assert_answer(f, 1, "again");
    assert_false(aged_has_old(&table, f->txn));
    now_ns += 1;
    assert_answer(f, 1, NULL);
    assert_true(aged_has_old(&table, f->txn));
}

static void
aged_sweep_removes_no_more_than_it_may(void **state)
{
    struct fixture *f = *state;
    for (uint8_t n = 0; n < 6; n++)
        put(f, n, "x");
    now_ns += 500;
    put(f, 9, "young");
    now_ns += 500;
    assert_int_equal(aged_sweep(&table, f->txn, 4), 1);
    assert_int_equal(count(f), 3);
    assert_int_equal(aged_sweep(&table, f->txn, 4), 0);
    assert_int_equal(count(f), 1);
    assert_answer(f, 9, "young");
}

static void
aged_put_makes_room_for_the_newest(void **state)
{
    struct fixture *f = *state;
    for (uint8_t n = 0; n < 30; n++) {
        now_ns++;
        put(f, n, "x");
        assert_true(count(f) <= table.max_keys);
    }
    assert_answer(f, 29, "x");
    assert_answer(f, 20, "x");
    assert_answer(f, 0, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(aged_answers_until_its_time_is_over, setup, teardown),
        cmocka_unit_test_setup_teardown(aged_sweep_removes_no_more_than_it_may, setup, teardown),
        cmocka_unit_test_setup_teardown(aged_put_makes_room_for_the_newest, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
