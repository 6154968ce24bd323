/* Sorting through runs: order, payloads, sizes above every buffer, and constant memory's merges. */
#include "../support.h"
#include "report/spill.h"

#include <stdio.h>

static struct spill *
fill(size_t n, size_t payload_bytes)
{
    struct spill *s = spill_new("/tmp");
    char key[16], *payload = malloc(payload_bytes + 1);
    memset(payload, 'p', payload_bytes);
    for (size_t i = 0; i < n; i++) {
        (void) snprintf(key, sizeof(key), "%010zu", i * 7919 % n);
        assert_int_equal(spill_add(s, str_from(key), str_make(payload, payload_bytes)), 0);
    }
    free(payload);
    return s;
}

static void
expect_order(struct spill *s, size_t n, size_t payload_bytes)
{
    struct str key, payload;
    char expected[16];
    int rc;
    while ((rc = spill_merge(s, 0)) == 1)
        ;
    assert_int_equal(rc, 0);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(spill_next(s, &key, &payload), 1);
        (void) snprintf(expected, sizeof(expected), "%010zu", i);
        assert_text(key, expected);
        assert_int_equal(payload.len, payload_bytes);
    }
    assert_int_equal(spill_next(s, &key, &payload), 0);
    spill_free(s);
}

static void
spill_sorts_what_fits_into_memory(void **state)
{
    (void) state;
    expect_order(fill(100, 3), 100, 3);
}

static void
spill_of_nothing_is_empty(void **state)
{
    (void) state;
    expect_order(spill_new("/tmp"), 0, 0);
}

static void
spill_merges_more_runs_than_may_be_open(void **state)
{
    (void) state;
    expect_order(fill(400009, 2), 400009, 2); /* about 200 runs */
}

static void
spill_takes_entries_larger_than_its_buffers(void **state)
{
    (void) state;
    expect_order(fill(11, 300000), 11, 300000);
}

static void
spill_orders_equal_keys_by_their_payloads(void **state)
{
    struct spill *s = spill_new("/tmp");
    struct str key, payload;
    (void) state;
    assert_int_equal(spill_add(s, STR("k"), STR("b")), 0);
    assert_int_equal(spill_add(s, STR("k"), STR("a")), 0);
    assert_int_equal(spill_merge(s, INT64_MAX), 0);
    assert_int_equal(spill_next(s, &key, &payload), 1);
    assert_text(payload, "a");
    spill_free(s);
}

static void
spill_reports_a_directory_that_is_not_there(void **state)
{
    struct spill *s = spill_new("/nonexistent");
    int rc = 0;
    (void) state;
    for (int i = 0; rc == 0 && i < 100000; i++)
        rc = spill_add(s, STR("key"), STR("payload"));
    assert_int_equal(rc, -1);
    spill_free(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spill_sorts_what_fits_into_memory),
        cmocka_unit_test(spill_of_nothing_is_empty),
        cmocka_unit_test(spill_merges_more_runs_than_may_be_open),
        cmocka_unit_test(spill_takes_entries_larger_than_its_buffers),
        cmocka_unit_test(spill_orders_equal_keys_by_their_payloads),
        cmocka_unit_test(spill_reports_a_directory_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
