/* Random histories: tasks of several indexes, cancelations, refused commits, ends of the process.
 * Whatever happens, every acknowledged task ends exactly once, in uid order within its index, and
 * its final line goes out in the event of its batch. */
#include "fixture.h"

#include "base/mem.h"
#include "store/tables.h"

enum { TASKS = 120, HISTORIES = 12 };

struct history {
    struct fixture *f;
    uint32_t n; /* acknowledged tasks */
    char index[TASKS];
    bool is_cancelation[TASKS];
};

struct promise {
    struct turn_waiter waiter;
    struct history *h;
    uint32_t uid;
    char index;
    bool is_cancelation;
};

static void
acknowledge(void *arg, int result)
{
    struct promise *p = arg;
    if (result == 0) {
        p->h->index[p->uid] = p->index;
        p->h->is_cancelation[p->uid] = p->is_cancelation;
        p->h->n++;
    }
    free(p);
}

static void
add_random(struct history *h)
{
    struct promise *p = mem_new(1, sizeof(*p));
    char name[2] = {(char) ('a' + rand() % 3), 0};
    *p = (struct promise){.waiter = {.fn = acknowledge, .arg = p}, .h = h, .index = name[0]};
    p->is_cancelation = h->n > 0 && rand() % 12 == 0;
    if (p->is_cancelation) {
        struct uidset set;
        struct buf text = BUF_INIT;
        uidset_init(&set);
        for (int i = 0; i < 4; i++) {
            uint32_t uid = (uint32_t) rand() % h->n;
            uidset_add(&set, uid, uid);
        }
        uidset_write(&text, &set);
        p->uid = add_cancelation(h->f, buf_cstr(&text));
        buf_done(&text);
        uidset_done(&set);
    } else {
        p->uid = add_import(h->f, name);
    }
    turn_wait(h->f->turn, &p->waiter);
}

static void
disturb(struct history *h)
{
    int what = rand() % 40;
    if (what == 0) {
        run_turns(h->f, 2); /* promises are kept or broken first */
        fixture_restart(h->f);
    } else if (what < 3) {
        (void) turn_txn(h->f->turn);
        turn_fail(h->f->turn, STORE_EIO);
    }
}

static void
check(struct history *h)
{
    uint32_t last_batch[3] = {0};
    assert_int_equal(rows_in(h->f, TABLE_TASKS), h->n);
    for (uint32_t uid = 0; uid < h->n; uid++) {
        enum task_status status = status_of(h->f, uid);
        assert_true(status == TASK_SUCCEEDED || status == TASK_CANCELED);
        if (h->is_cancelation[uid] || status == TASK_CANCELED)
            continue;
        uint32_t *last = &last_batch[h->index[uid] - 'a'];
        assert_true(batch_of(h->f, uid) >= *last);
        *last = batch_of(h->f, uid);
    }
    /* Each task's line went out; once, or again when the process ended before the commit was known.
     */
    for (uint32_t uid = 0; uid < h->n; uid++)
        expect_in(buf_cstr(&h->f->lines), task_json(h->f, uid));
    assert_int_equal(rows_in(h->f, TABLE_TASK_QUEUE), 0);
    assert_int_equal(rows_in(h->f, TABLE_TASK_QUEUE_INDEX), 0);
}

static void
run_history(struct fixture *f, unsigned seed)
{
    struct history h = {.f = f};
    srand(seed);
    f->watches = false;
    f->steps = (uint32_t) rand() % 3;
    f->conf.max_finish_at_once = (uint32_t) rand() % 6 + 1;
    f->conf.max_batched_tasks = rand() % 2 == 0 ? UINT64_MAX : 7;
    fixture_restart(f);
    while (h.n < TASKS) {
        uint32_t room = TASKS - h.n, burst = (uint32_t) rand() % 5;
        for (uint32_t i = 0; i < burst && i < room; i++)
            add_random(&h);
        disturb(&h);
        run_turns(f, rand() % 6 + 2);
    }
    run_until(f, is_settled);
    check(&h);
}

static void
every_task_ends_once_whatever_happens(void **state)
{
    (void) state;
    for (unsigned seed = 1; seed <= HISTORIES; seed++) {
        void *fixture = NULL;
        assert_int_equal(fixture_setup(&fixture), 0);
        run_history(fixture, seed);
        assert_int_equal(fixture_teardown(&fixture), 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_task_ends_once_whatever_happens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
