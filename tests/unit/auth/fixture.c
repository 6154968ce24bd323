/* See fixture.h. */
#include "fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static int64_t wall_ns;

static int64_t
fake_wall_ns(void)
{
    return wall_ns;
}

void
fixture_set_clock(int64_t ns)
{
    wall_ns = ns;
}

static int64_t
real_mono_us(void)
{
    struct timespec ts;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int
fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    snprintf(f->dir, sizeof(f->dir), "/tmp/test-auth-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    fixture_set_clock(NOW_NS);
    clock_set_fake(fake_wall_ns, real_mono_us);
    f->loop = loop_new(&f->err);
    assert_non_null(f->loop);
    assert_int_equal(main_env_open(&f->env, f->dir, &f->err), 0);
    f->turn = turn_new(f->loop, f->env, f->dir);
    f->arena = arena_new();
    *state = f;
    return 0;
}

static void
remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    char name[512];
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (unlink(name) != 0)
            remove_tree(name);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(path);
}

int
fixture_teardown(void **state)
{
    struct fixture *f = *state;
    turn_abort(f->turn);
    auth_free(f->auth);
    turn_free(f->turn);
    loop_free(f->loop);
    store_env_close(f->env);
    clock_set_fake(NULL, NULL);
    arena_free(f->arena);
    buf_done(&f->shown);
    err_done(&f->err);
    remove_tree(f->dir);
    free(f);
    return 0;
}

void
fixture_open(struct fixture *f)
{
    f->auth = auth_new(MASTER);
    assert_int_equal(auth_open_keys(f->auth, f->turn, &f->err), 0);
    assert_int_equal(fixture_commit(f), 0);
}

void
fixture_reopen(struct fixture *f, const char *master_key)
{
    auth_free(f->auth);
    f->auth = auth_new(master_key);
    assert_int_equal(auth_open_keys(f->auth, f->turn, &f->err), 0);
    assert_int_equal(fixture_commit(f), 0);
}

struct end {
    struct loop *loop;
    int result;
};

static void
on_end(void *arg, int result)
{
    struct end *end = arg;
    end->result = result;
    loop_stop(end->loop);
}

int
fixture_commit(struct fixture *f)
{
    struct end end = {f->loop, 1};
    struct turn_waiter waiter = {.fn = on_end, .arg = &end};
    turn_wait(f->turn, &waiter);
    loop_run(f->loop);
    return end.result;
}

void
fixture_refuse(struct fixture *f)
{
    turn_fail(f->turn, STORE_EFULL);
    assert_int_equal(fixture_commit(f), STORE_EFULL);
}

struct uuid
fixture_uid(uint8_t n)
{
    struct uuid uid = UUID_NIL;
    uid.bytes[15] = n;
    return uid;
}

int
fixture_create(struct fixture *f, uint8_t n, const char *actions, const char *indexes,
               int64_t expires_at_ns)
{
    uint8_t list[ACTION_COUNT];
    struct str patterns[16], rest = str_from(actions), piece;
    struct key_draft draft = {.has_uid = n != 0, .facts = {.uid = fixture_uid(n)}};
    draft.facts.actions = list;
    draft.facts.indexes = patterns;
    draft.facts.expires_at_ns = expires_at_ns;
    while (rest.len > 0 && str_split(&rest, ' ', &piece)) {
        enum auth_action action;
        assert_true(action_from_name(piece, &action));
        list[draft.facts.n_actions++] = (uint8_t) action;
    }
    rest = str_from(indexes);
    while (rest.len > 0 && str_split(&rest, ' ', &piece))
        patterns[draft.facts.n_indexes++] = piece;
    buf_clear(&f->shown);
    return auth_key_create(f->auth, &draft, &f->shown, &f->err);
}

const char *
fixture_value(struct fixture *f, uint8_t n)
{
    struct buf value = BUF_INIT;
    struct uuid uid = fixture_uid(n);
    key_write_value(&value, f->auth->master_key, &uid);
    const char *copy = arena_strndup(f->arena, value.data, value.len);
    buf_done(&value);
    return copy;
}

int
fixture_decide(struct fixture *f, const char *token, const char *action, const char *index,
               struct auth_grant *ret)
{
    struct auth_request request = {
        .authorization = str_from(arena_printf(f->arena, "Bearer %s", token)),
        .action = action,
        .index_uid = str_from(index),
        .arena = f->arena,
    };
    return auth_decide(f->auth, &request, ret, &f->err);
}

void
assert_granted(struct fixture *f, int rc)
{
    if (rc != 0)
        fail_msg("refused: %s", f->err.message);
}

void
assert_refused(struct fixture *f, int rc, const char *message)
{
    assert_int_equal(rc, -1);
    assert_int_equal(f->err.code, ERR_INVALID_API_KEY);
    assert_string_equal(f->err.message, message);
    err_done(&f->err);
}
