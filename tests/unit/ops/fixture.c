/* The tests' engine. */
#include "fixture.h"
#include "codec/json.h"
#include "index/settings.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/tables.h"

static void
on_poll(void *arg)
{
    struct fixture *f = arg;
    struct queue_stats stats = queue_stats(f->queue);

    if (stats.enqueued == 0 && !stats.running)
        loop_stop(f->loop);
    else
        loop_timer_set_ms(&f->poll, 1); /* slices go on in between */
}

static int
facts(void *arg, struct store_txn *txn, struct str index_uid, struct index_facts *ret)
{
    struct fixture *f = arg;

    return ops_index_facts(f->ops, txn, index_uid, ret);
}

void
fixture_open(struct fixture *f)
{
    struct queue_conf conf = {.max_batched_tasks = UINT64_MAX, .max_batched_bytes = UINT64_MAX};
    struct queue_hooks hooks = {.arg = f, .index_facts = facts};

    f->loop = loop_new(&f->err);
    assert_int_equal(main_env_open(&f->env, f->dir, &f->err), 0);
    f->turn = turn_new(f->loop, f->env, f->dir);
    f->payloads = payload_dir_open(f->dir, &f->err);
    f->indexes = index_set_open(f->dir, &f->err);
    f->queue = queue_new(f->loop, f->turn, f->payloads, &conf, &f->err);
    f->ops = ops_new(&(struct ops_conf){.loop = f->loop,
                                        .turn = f->turn,
                                        .queue = f->queue,
                                        .indexes = f->indexes,
                                        .payloads = f->payloads});
    queue_set_hooks(f->queue, &hooks);
    assert_int_equal(ops_sweep(f->ops, &f->err), 0);
    loop_timer_init(&f->poll, f->loop, on_poll, f);
    f->is_started = false;
}

void
fixture_close(struct fixture *f)
{
    loop_timer_done(&f->poll);
    queue_free(f->queue);
    ops_free(f->ops);
    index_set_close(f->indexes);
    payload_dir_close(f->payloads);
    turn_free(f->turn);
    loop_free(f->loop);
    store_env_close(f->env);
}

int
fixture_setup(void **state)
{
    struct fixture *f = mem_new(1, sizeof(*f));

    (void) snprintf(f->dir, sizeof(f->dir), "/tmp/taskhook-ops-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    fixture_open(f);
    *state = f;
    return 0;
}

int
fixture_teardown(void **state)
{
    struct fixture *f = *state;
    char command[96];

    fixture_close(f);
    (void) snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
    err_done(&f->err);
    free(f);
    return 0;
}

static void
on_committed(void *arg, int result)
{
    struct fixture *f = arg;

    assert_int_equal(result, 0);
    loop_stop(f->loop);
}

void
fixture_turn(struct fixture *f)
{
    struct turn_waiter w = {.fn = on_committed, .arg = f};

    turn_wait(f->turn, &w);
    loop_run(f->loop);
}

void
fixture_run(struct fixture *f)
{
    fixture_turn(f);
    if (!f->is_started)
        assert_int_equal(queue_start(f->queue, false, &f->err), 0);
    f->is_started = true;
    loop_timer_set_ms(&f->poll, 0);
    loop_run(f->loop);
}

static enum loop_slice_result
count_slice(void *arg, int64_t deadline_us)
{
    struct fixture *f = arg;

    (void) deadline_us; /* no work of its own */
    if (--f->settle_slices > 0)
        return SLICE_MORE;
    loop_stop(f->loop);
    return SLICE_IDLE;
}

void
fixture_settle(struct fixture *f)
{
    struct loop_slice slice;

    f->settle_slices = 100;
    loop_slice_init(&slice, f->loop, count_slice, f);
    loop_slice_wake(&slice);
    loop_run(f->loop);
}

/* --- tasks */

static struct str
optional(const char *s)
{
    return s == NULL ? STR_NULL : str_from(s);
}

static void
added(struct fixture *f, struct ops_result *result, int rc)
{
    assert_int_equal(rc, 0);
    f->last = result->task_uid;
    buf_done(&result->summary);
}

static struct payload_writer *
write_lines(struct fixture *f, const char *lines, struct payload *ret, uint64_t *ret_count)
{
    struct payload_writer *w = payload_writer_new(f->payloads);
    struct str rest = str_from(lines), line;

    *ret_count = 0;
    while (*lines != '\0' && str_split(&rest, '\n', &line)) {
        assert_int_equal(payload_writer_add(w, line, &f->err), 0);
        assert_int_equal(payload_writer_add(w, STR("\n"), &f->err), 0);
        ++*ret_count;
    }
    assert_int_equal(payload_writer_finish(w, ret, &f->err), 0);
    return w;
}

void
add_documents_with(struct fixture *f, const struct ops_documents *d, const char *lines)
{
    struct ops_documents filled = *d;
    struct ops_result result;
    struct payload payload;
    struct payload_writer *w = write_lines(f, lines, &payload, &filled.received);

    filled.payload = &payload;
    added(f, &result, ops_add_documents(f->ops, &filled, &result, &f->err));
    payload_writer_free(w, true);
}

void
add_documents(struct fixture *f, const char *index, const char *primary_key, const char *lines)
{
    struct ops_documents d = {.index_uid = str_from(index),
                              .primary_key = optional(primary_key),
                              .allow_index_creation = true};

    add_documents_with(f, &d, lines);
}

void
delete_documents(struct fixture *f, const char *index, const char *lines)
{
    struct ops_result result;
    struct payload payload;
    uint64_t n;
    struct payload_writer *w = write_lines(f, lines, &payload, &n);

    added(f, &result,
          ops_delete_documents(f->ops, str_from(index), n, &payload, STR_NULL, &result, &f->err));
    payload_writer_free(w, true);
}

void
delete_by_filter(struct fixture *f, const char *index, const char *filter_json)
{
    struct json_doc *doc = json_parse(str_from(filter_json), NULL);
    struct ops_result result;

    added(
        f, &result,
        ops_delete_by_filter(f->ops, str_from(index), json_root(doc), STR_NULL, &result, &f->err));
    json_doc_free(doc);
}

void
update_settings(struct fixture *f, const char *index, const char *sent, bool may_create)
{
    struct json_doc *doc = json_parse(str_from(sent), NULL);
    struct ops_result result;

    added(
        f, &result,
        ops_update_settings(f->ops, str_from(index), json_root(doc), may_create, &result, &f->err));
    json_doc_free(doc);
}

void
clear_documents(struct fixture *f, const char *index)
{
    struct ops_result result;

    added(f, &result, ops_clear_documents(f->ops, str_from(index), STR_NULL, &result, &f->err));
}

void
create_index(struct fixture *f, const char *index, const char *primary_key)
{
    struct ops_result result;

    added(f, &result,
          ops_create_index(f->ops, str_from(index), optional(primary_key), &result, &f->err));
}

void
update_index(struct fixture *f, const char *index, const char *primary_key, const char *new_uid)
{
    struct ops_result result;

    added(f, &result,
          ops_update_index(f->ops, str_from(index), optional(primary_key), optional(new_uid),
                           &result, &f->err));
}

void
delete_index(struct fixture *f, const char *index)
{
    struct ops_result result;

    added(f, &result, ops_delete_index(f->ops, str_from(index), &result, &f->err));
}

void
cancel_all(struct fixture *f)
{
    struct ops_result result;
    struct uidmap matched;

    fixture_turn(f);
    uidmap_init(&matched);
    for (uint32_t uid = 0; uid < queue_next_uid(f->queue); uid++)
        uidmap_add(&matched, uid);
    added(f, &result, ops_cancel_tasks(f->ops, STR("?uids=*"), &matched, &result, &f->err));
    uidmap_done(&matched);
}

/* --- looking */

static void
assert_text(struct buf *text, const char *expected)
{
    assert_string_equal(buf_cstr(text), expected);
    buf_done(text);
}

void
assert_task(struct fixture *f, uint32_t uid, const char *expected)
{
    struct store_txn *txn = turn_read(f->turn);
    struct buf text = BUF_INIT;
    struct task t;

    assert_int_equal(queue_task_get(f->queue, txn, uid, &t), 1);
    store_abort(txn);
    buf_addf(&text, "%s %s", task_status_name(t.status), t.details);
    if (err_is_set(&t.error))
        buf_addf(&text, " %s: %s", err_name(t.error.code), t.error.message);
    task_done(&t);
    assert_text(&text, expected);
}

uint32_t
batch_of(struct fixture *f, uint32_t uid)
{
    struct store_txn *txn = turn_read(f->turn);
    struct task t;
    uint32_t batch;

    assert_int_equal(queue_task_get(f->queue, txn, uid, &t), 1);
    store_abort(txn);
    batch = t.batch_uid;
    task_done(&t);
    return batch;
}

static bool
find_index(struct fixture *f, const char *index, struct index_info *ret)
{
    struct store_txn *txn = turn_read(f->turn);
    int rc = catalog_get(txn, str_from(index), ret);

    store_abort(txn);
    assert_true(rc >= 0);
    return rc == 1;
}

static void
write_documents(struct fixture *f, const struct uuid *uuid, struct buf *out)
{
    struct index *index = index_open(f->indexes, uuid, &f->err);
    struct index_reader r;
    struct str text;
    uint32_t id = 0;

    assert_non_null(index);
    assert_int_equal(index_reader_open(&r, index), 0);
    for (; index_reader_next(&r, id, &id, &text) == 1; id++)
        buf_addf(out, "%s%.*s", out->len == 0 ? "" : "\n", STR_ARG(text));
    index_reader_close(&r);
    index_release(index);
}

void
assert_documents(struct fixture *f, const char *index, const char *expected)
{
    struct index_info info;
    struct buf text = BUF_INIT;

    if (find_index(f, index, &info))
        write_documents(f, &info.uuid, &text);
    else
        buf_add_cstr(&text, "(missing)");
    index_info_done(&info);
    assert_text(&text, expected);
}

void
assert_index(struct fixture *f, const char *index, const char *expected)
{
    struct index_info info;
    struct buf text = BUF_INIT;

    if (find_index(f, index, &info))
        buf_addf(&text, "%s|%llu|%s", info.primary_key == NULL ? "null" : info.primary_key,
                 (unsigned long long) info.n_documents, info.field_distribution);
    else
        buf_add_cstr(&text, "(missing)");
    index_info_done(&info);
    assert_text(&text, expected);
}

void
assert_setting(struct fixture *f, const char *index, const char *name, const char *expected)
{
    struct index_info info;
    struct index_reader reader;
    struct settings settings;
    struct buf text = BUF_INIT;

    if (find_index(f, index, &info)) {
        struct index *open = index_open(f->indexes, &info.uuid, &f->err);
        assert_non_null(open);
        assert_int_equal(index_reader_open(&reader, open), 0);
        assert_int_equal(index_reader_settings(&reader, &settings), 0);
        settings_write_one(&text, &settings, setting_find(str_from(name)));
        settings_done(&settings);
        index_reader_close(&reader);
        index_release(open);
    } else {
        buf_add_cstr(&text, "(missing)");
    }
    index_info_done(&info);
    assert_text(&text, expected);
}

unsigned
count_files(struct fixture *f, const char *folder)
{
    char path[128];
    unsigned n = 0;
    DIR *dir;

    (void) snprintf(path, sizeof(path), "%s/%s", f->dir, folder);
    dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        n += e->d_name[0] != '.';
    (void) closedir(dir);
    return n;
}
