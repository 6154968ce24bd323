/* The text format of Prometheus. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/prometheus.h"

static void
label_values_are_escaped(void **state)
{
    struct buf out = BUF_INIT;
    struct prometheus_label labels[] = {{"a", STR("x\"\\\ny")}, {"b", STR("")}};
    (void) state;
    prometheus_u64(&out, "n", PROMETHEUS_LABELS(labels), 7);
    assert_string_equal(buf_cstr(&out), "n{a=\"x\\\"\\\\\\ny\",b=\"\"} 7\n");
    buf_done(&out);
}

static void
seconds_have_no_exponent(void **state)
{
    struct buf out = BUF_INIT;
    (void) state;
    prometheus_seconds(&out, "n", PROMETHEUS_NO_LABELS, 50);
    prometheus_seconds(&out, "n", PROMETHEUS_NO_LABELS, 2500000);
    prometheus_seconds(&out, "n", PROMETHEUS_NO_LABELS, 10000000);
    assert_string_equal(buf_cstr(&out), "n 0.00005\nn 2.5\nn 10\n");
    buf_done(&out);
}

static void
buckets_are_cumulative_and_inclusive(void **state)
{
    static const int64_t values[] = {1000, 20000};
    static const struct histogram_bounds bounds = {.n = 2, .values = values};
    struct histogram h = {.bounds = &bounds};
    struct buf out = BUF_INIT;
    (void) state;
    histogram_add(&h, 1000);
    histogram_add(&h, 1001);
    histogram_add(&h, -5);
    histogram_add(&h, 90000);
    prometheus_histogram(&out, "h", PROMETHEUS_NO_LABELS, &h, true);
    assert_string_equal(buf_cstr(&out), "h_bucket{le=\"0.001\"} 2\nh_bucket{le=\"0.02\"} 3\n"
                                        "h_bucket{le=\"+Inf\"} 4\nh_sum 0.092001\nh_count 4\n");
    buf_done(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(label_values_are_escaped),
        cmocka_unit_test(seconds_have_no_exponent),
        cmocka_unit_test(buckets_are_cumulative_and_inclusive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
