/* Where a running batch is, and how long its steps took (contract 3.1, 3.3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "queue/progress.h"

static int64_t now_us;

static int64_t
fake_mono_us(void)
{
    return now_us;
}

static void
enter(struct progress *p, unsigned level, const char *name, uint64_t finished, uint64_t total)
{
    progress_enter(p, level, &(struct progress_step){name, finished, total});
}

static void
expect(void (*write)(struct buf *out, const struct progress *p), struct progress *p,
       const char *wanted)
{
    struct buf out = BUF_INIT;
    write(&out, p);
    assert_string_equal(buf_cstr(&out), wanted);
    buf_done(&out);
}

/* The numbers of upstream's own test of it. */
static void
percentage_is_upstreams(void **state)
{
    struct progress p = {0};
    (void) state;
    enter(&p, 0, "processing tasks", 0, 2);
    enter(&p, 1, "task", 6, 10);
    expect(progress_write, &p,
           "{\"steps\":[{\"currentStep\":\"processing tasks\",\"finished\":0,\"total\":2},"
           "{\"currentStep\":\"task\",\"finished\":6,\"total\":10}],\"percentage\":30.000002}");
    enter(&p, 0, "writing tasks to disk", 1, 2);
    expect(progress_write, &p,
           "{\"steps\":[{\"currentStep\":\"writing tasks to disk\",\"finished\":1,\"total\":2}],"
           "\"percentage\":50.0}");
    enter(&p, 1, "task", 4, 5);
    expect(progress_write, &p,
           "{\"steps\":[{\"currentStep\":\"writing tasks to disk\",\"finished\":1,\"total\":2},"
           "{\"currentStep\":\"task\",\"finished\":4,\"total\":5}],\"percentage\":90.0}");
    progress_done(&p);
}

static void
nothing_to_count_is_no_division_by_zero(void **state)
{
    struct progress p = {0};
    (void) state;
    enter(&p, 0, "processing tasks", 0, 2);
    enter(&p, 1, "task", 0, 0);
    expect(progress_write, &p,
           "{\"steps\":[{\"currentStep\":\"processing tasks\",\"finished\":0,\"total\":2},"
           "{\"currentStep\":\"task\",\"finished\":0,\"total\":0}],\"percentage\":0.0}");
    progress_done(&p);
}

static void
levels_without_the_one_above_are_ignored(void **state)
{
    struct progress p = {0};
    (void) state;
    enter(&p, 1, "task", 1, 2);
    expect(progress_write, &p, "{\"steps\":[],\"percentage\":0.0}");
    for (unsigned level = 0; level < PROGRESS_LEVELS + 3; level++)
        enter(&p, level, "deep", 0, 1);
    assert_int_equal(p.n, PROGRESS_LEVELS);
    progress_done(&p);
}

static void
trace_sums_what_a_path_took(void **state)
{
    struct progress p = {0};
    (void) state;
    now_us = 1000;
    enter(&p, 0, "processing tasks", 0, 2);
    enter(&p, 1, "indexing", 3, 4);
    now_us += 417;
    enter(&p, 2, "document", 1, 10);
    now_us += 12340;
    enter(&p, 2, "document", 2, 10); /* the same step goes on */
    enter(&p, 1, "committing", 0, 2);
    now_us += 1200000;
    enter(&p, 1, "indexing", 3, 4); /* again */
    now_us += 1;
    expect(progress_write_trace, &p,
           "{\"processing tasks > indexing > document\":\"12.34ms\","
           "\"processing tasks > indexing\":\"12.76ms\","
           "\"processing tasks > committing\":\"1.20s\",\"processing tasks\":\"1.21s\"}");
    assert_int_equal(p.n, 2); /* it goes on */
    progress_done(&p);
}

static void
short_times_are_in_microseconds(void **state)
{
    struct progress p = {0};
    (void) state;
    now_us = 5;
    enter(&p, 0, "processing tasks", 0, 2);
    now_us += 853;
    expect(progress_write_trace, &p, "{\"processing tasks\":\"853.00µs\"}");
    progress_done(&p);
}

static int
setup(void **state)
{
    (void) state;
    clock_set_fake(NULL, fake_mono_us);
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    clock_set_fake(NULL, NULL);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentage_is_upstreams),
        cmocka_unit_test(nothing_to_count_is_no_division_by_zero),
        cmocka_unit_test(levels_without_the_one_above_are_ignored),
        cmocka_unit_test(trace_sums_what_a_path_took),
        cmocka_unit_test(short_times_are_in_microseconds),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
