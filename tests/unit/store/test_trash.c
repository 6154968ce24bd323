/* The trash: names are free at once, the space follows. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/trash.h"

enum { LARGE_BYTES = 3 << 20 };

struct fixture {
    char dir[64];
    struct loop *loop;
    struct trash *trash;
    struct loop_timer timer;
    unsigned n_looked;
};

static void
open_trash(struct fixture *f)
{
    struct err err = ERR_INIT;

    f->loop = loop_new(&err);
    assert_non_null(f->loop);
    f->trash = trash_open(f->dir, f->loop, &err);
    assert_non_null(f->trash);
}

static void
close_trash(struct fixture *f)
{
    trash_close(f->trash);
    loop_timer_done(&f->timer);
    loop_free(f->loop);
}

static int
setup(void **state)
{
    struct fixture *f = mem_new(1, sizeof(*f));

    (void) snprintf(f->dir, sizeof(f->dir), "/tmp/taskhook-trash-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    open_trash(f);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    char command[96];

    close_trash(f);
    (void) snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

static void
make_file(const struct fixture *f, const char *name, off_t bytes)
{
    char path[160];

    (void) snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, bytes), 0);
    (void) close(fd);
}

static bool
is_there(const struct fixture *f, const char *name)
{
    char path[160];
    struct stat st;

    (void) snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    return stat(path, &st) == 0;
}

static unsigned
count_trash(const struct fixture *f)
{
    char path[160];
    unsigned n = 0;

    (void) snprintf(path, sizeof(path), "%s/trash", f->dir);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        n += e->d_name[0] != '.';
    (void) closedir(dir);
    return n;
}

static void
look(void *arg)
{
    struct fixture *f = arg;

    if (count_trash(f) == 0 || ++f->n_looked > 10000)
        loop_stop(f->loop);
    else
        loop_timer_set_ms(&f->timer, 1);
}

static void
run_until_empty(struct fixture *f)
{
    loop_timer_init(&f->timer, f->loop, look, f);
    loop_timer_set_ms(&f->timer, 0);
    loop_run(f->loop);
    assert_int_equal(count_trash(f), 0);
}

static int
put(struct fixture *f, struct trash *t, const char *name)
{
    char path[160];

    (void) snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    return trash_put(t, AT_FDCWD, path);
}

static void
a_large_file_gives_its_name_free_at_once(void **state)
{
    struct fixture *f = *state;

    make_file(f, "large", LARGE_BYTES);
    assert_int_equal(put(f, f->trash, "large"), 0);
    assert_false(is_there(f, "large"));
    assert_int_equal(count_trash(f), 1);
    run_until_empty(f);
}

static void
a_small_file_goes_at_once(void **state)
{
    struct fixture *f = *state;

    make_file(f, "small", 1000);
    assert_int_equal(put(f, f->trash, "small"), 0);
    assert_false(is_there(f, "small"));
    assert_int_equal(count_trash(f), 0);
}

static void
without_a_trash_every_file_goes_at_once(void **state)
{
    struct fixture *f = *state;

    make_file(f, "large", LARGE_BYTES);
    assert_int_equal(put(f, NULL, "large"), 0);
    assert_false(is_there(f, "large"));
    assert_int_equal(count_trash(f), 0);
}

static void
a_missing_file_is_fine(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(put(f, f->trash, "missing"), 0);
}

static void
a_directory_goes_with_what_is_in_it(void **state)
{
    struct fixture *f = *state;
    char path[160];

    (void) snprintf(path, sizeof(path), "%s/index", f->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    make_file(f, "index/a", LARGE_BYTES);
    make_file(f, "index/b", 10);
    assert_int_equal(trash_put_dir(f->trash, AT_FDCWD, path), 0);
    assert_false(is_there(f, "index"));
    run_until_empty(f);
}

static void
what_a_crash_left_goes_at_the_next_start(void **state)
{
    struct fixture *f = *state;

    make_file(f, "large", LARGE_BYTES);
    make_file(f, "another", LARGE_BYTES);
    assert_int_equal(put(f, f->trash, "large"), 0);
    assert_int_equal(put(f, f->trash, "another"), 0);
    close_trash(f);
    f->timer = (struct loop_timer){0};
    open_trash(f);
    assert_int_equal(count_trash(f), 2);
    run_until_empty(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_large_file_gives_its_name_free_at_once),
        TEST(a_small_file_goes_at_once),
        TEST(without_a_trash_every_file_goes_at_once),
        TEST(a_missing_file_is_fine),
        TEST(a_directory_goes_with_what_is_in_it),
        TEST(what_a_crash_left_goes_at_the_next_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
