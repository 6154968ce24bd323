#pragma once
/* For the tests of conf/: reads options in an own directory, without printing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/read.h"

struct reading {
    struct conf conf;
    struct conf_report report;
};

enum { READING_MAX_WORDS = 32 };

/* Lists end with NULL; env may be NULL. */
static inline void
reading_run(struct reading *r, char *const *args, char *const *env)
{
    char *argv[READING_MAX_WORDS] = {"taskhook"};
    int argc = 1;
    for (; args != NULL && args[argc - 1] != NULL; argc++)
        argv[argc] = args[argc - 1];
    *r = (struct reading){0};
    conf_read(argc, argv, env, &r->conf, &r->report);
}

#define ARGS(...) ((char *[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define ENV(...) ARGS(__VA_ARGS__)

static inline void
reading_done(struct reading *r)
{
    conf_done(&r->conf);
    report_done(&r->report);
}

static inline void
reading_write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

/* Setup and teardown of a test: the current directory is an empty one of its own. */
static inline int
reading_enter_directory(void **state)
{
    char *dir = strdup("/tmp/taskhook-conf-XXXXXX");
    *state = dir;
    return dir == NULL || mkdtemp(dir) == NULL || chdir(dir) != 0;
}

static inline int
reading_leave_directory(void **state)
{
    static const char *const FILES[] = {"config.toml", "other.toml"};
    for (size_t i = 0; i < 2; i++)
        (void) unlink(FILES[i]); /* most tests make none */
    int rc = chdir("/") != 0 || rmdir(*state) != 0;
    free(*state);
    return rc;
}

#define reading_test(f)                                                                            \
    cmocka_unit_test_setup_teardown(f, reading_enter_directory, reading_leave_directory)
