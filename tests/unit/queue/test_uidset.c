/* Sets of uids: one form for each set, whatever the order of the additions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "queue/uidset.h"

static void
expect_text(const struct uidset *s, const char *text)
{
    struct buf out = BUF_INIT;
    uidset_write(&out, s);
    assert_string_equal(buf_cstr(&out), text);
    buf_done(&out);
}

static void
adding_merges_neighbours_and_overlaps(void **state)
{
    struct uidset s;
    (void) state;
    uidset_init(&s);
    uidset_add(&s, 7, 7);
    uidset_add(&s, 0, 3);
    expect_text(&s, "0-3,7");
    uidset_add(&s, 5, 5);
    expect_text(&s, "0-3,5,7");
    uidset_add(&s, 4, 4);
    expect_text(&s, "0-5,7");
    uidset_add(&s, 2, 6);
    expect_text(&s, "0-7");
    uidset_add(&s, UINT32_MAX, UINT32_MAX);
    uidset_add(&s, 9, 8); /* empty */
    expect_text(&s, "0-7,4294967295");
    uidset_add(&s, 1, UINT32_MAX);
    expect_text(&s, "0-4294967295");
    assert_int_equal(uidset_count(&s), (uint64_t) UINT32_MAX + 1);
    uidset_done(&s);
}

static void
removing_splits_a_range(void **state)
{
    struct uidset s;
    (void) state;
    uidset_init(&s);
    uidset_add(&s, 0, 4);
    uidset_remove(&s, 2);
    expect_text(&s, "0-1,3-4");
    uidset_remove(&s, 0);
    uidset_remove(&s, 1);
    uidset_remove(&s, 4);
    uidset_remove(&s, 9);
    expect_text(&s, "3");
    uidset_remove(&s, 3);
    expect_text(&s, "");
    uidset_done(&s);
}

static void
seek_finds_the_next_member(void **state)
{
    struct uidset s;
    uint32_t uid = 0;
    (void) state;
    uidset_init(&s);
    uidset_add(&s, 3, 5);
    uidset_add(&s, 9, 9);
    assert_true(uidset_seek(&s, 0, &uid));
    assert_int_equal(uid, 3);
    assert_true(uidset_seek(&s, 4, &uid));
    assert_int_equal(uid, 4);
    assert_true(uidset_seek(&s, 6, &uid));
    assert_int_equal(uid, 9);
    assert_false(uidset_seek(&s, 10, &uid));
    uidset_done(&s);
}

static void
text_is_read_back_and_nonsense_is_refused(void **state)
{
    static const char *const bad[] = {"1,", ",", "a", "3-2", "1-", "-1", "4294967296", "1 ,2"};
    struct uidset s;
    (void) state;
    assert_true(uidset_read(&s, STR("7,0-3,4")));
    expect_text(&s, "0-4,7");
    uidset_done(&s);
    assert_true(uidset_read(&s, STR("")));
    assert_int_equal(uidset_count(&s), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(uidset_read(&s, str_from(bad[i])));
}

static void
random_changes_agree_with_a_bitmap(void **state)
{
    enum { UIDS = 96, ROUNDS = 4000 };
    bool model[UIDS] = {false};
    struct uidset s;
    (void) state;
    uidset_init(&s);
    srand(7);
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t first = (uint32_t) rand() % UIDS, last = first + (uint32_t) rand() % 6;
        if (last >= UIDS)
            last = UIDS - 1;
        if (rand() % 2 == 0) {
            uidset_add(&s, first, last);
            for (uint32_t uid = first; uid <= last; uid++)
                model[uid] = true;
        } else {
            uidset_remove(&s, first);
            model[first] = false;
        }
        uint64_t count = 0;
        for (uint32_t uid = 0; uid < UIDS; uid++) {
            assert_int_equal(uidset_has(&s, uid), model[uid]);
            count += model[uid];
        }
        assert_int_equal(uidset_count(&s), count);
        for (size_t i = 1; i < s.n; i++)
            assert_true(s.ranges[i - 1].last + 1 < s.ranges[i].first);
    }
    uidset_done(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adding_merges_neighbours_and_overlaps),
        cmocka_unit_test(removing_splits_a_range),
        cmocka_unit_test(seek_finds_the_next_member),
        cmocka_unit_test(text_is_read_back_and_nonsense_is_refused),
        cmocka_unit_test(random_changes_agree_with_a_bitmap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
