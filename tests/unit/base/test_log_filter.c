/* Filters of log messages, and reading the log along. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/log_filter.h"

static struct log_filter
filter_of(const char *text)
{
    struct log_filter f;
    assert_int_equal(log_filter_parse(str_from(text), &f, NULL), 0);
    return f;
}

static void
a_level_is_for_everything(void **state)
{
    struct log_filter f = filter_of("Info");
    (void) state;
    assert_true(log_filter_passes(&f, LOG_INFO, "queue"));
    assert_false(log_filter_passes(&f, LOG_DEBUG, "queue"));
    f = filter_of("4");
    assert_true(log_filter_passes(&f, LOG_DEBUG, "http"));
}

static void
the_longest_target_counts(void **state)
{
    struct log_filter f = filter_of("warn, web=debug ,webhook=off");
    (void) state;
    assert_true(log_filter_passes(&f, LOG_DEBUG, "web"));
    assert_false(log_filter_passes(&f, LOG_ERROR, "webhook"));
    assert_true(log_filter_passes(&f, LOG_WARN, "queue"));
    assert_false(log_filter_passes(&f, LOG_INFO, "queue"));
    assert_int_equal(log_filter_highest(&f), LOG_DEBUG);
}

static void
a_target_alone_passes_whole_and_the_rest_not(void **state)
{
    struct log_filter f = filter_of("queue");
    (void) state;
    assert_true(log_filter_passes(&f, LOG_TRACE, "queue"));
    assert_false(log_filter_passes(&f, LOG_ERROR, "http"));
}

static void
bad_filters_say_why(void **state)
{
    struct log_filter f;
    struct buf why = BUF_INIT;
    (void) state;
    assert_int_equal(log_filter_parse(STR("a=b=c"), &f, &why), -1);
    assert_string_equal(buf_cstr(&why),
                        "invalid filter directive: too many '=' in filter directive, expected 0 "
                        "or 1");
    buf_clear(&why);
    assert_int_equal(log_filter_parse(STR("queue=loud"), &f, &why), -1);
    assert_true(str_starts_with(buf_str(&why), "error parsing level filter: expected one of"));
    buf_done(&why);
}

static void
note_line(void *arg, struct str line)
{
    buf_add_str(arg, line);
    log_error("test", "from inside"); /* goes to stderr only */
}

static void
the_tap_gets_what_its_filter_passes(void **state)
{
    struct log_filter f = filter_of("off,test=debug");
    struct buf lines = BUF_INIT;
    (void) state;
    log_setup(LOG_OFF, LOG_HUMAN);
    log_tap(&f, LOG_JSON, note_line, &lines);
    log_debug("test", "n=%d", 1);
    log_error("other", "not this");
    log_tap(NULL, LOG_HUMAN, NULL, NULL);
    log_error("test", "nor this");
    assert_true(str_ends_with(buf_str(&lines),
                              "\"level\":\"DEBUG\",\"target\":\"test\",\"message\":\"n=1\"}\n"));
    assert_int_equal(str_find(buf_str(&lines), '\n', 0), lines.len - 1);
    buf_done(&lines);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_level_is_for_everything),
        cmocka_unit_test(the_longest_target_counts),
        cmocka_unit_test(a_target_alone_passes_whole_and_the_rest_not),
        cmocka_unit_test(bad_filters_say_why),
        cmocka_unit_test(the_tap_gets_what_its_filter_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
