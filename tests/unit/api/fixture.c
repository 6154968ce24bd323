#include "fixture.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/tables.h"

enum { DEADLINE_MS = 20 * 1000 };

/* --- net/, as far as handlers see it */

static struct fake_call *
fake(struct http_call *call)
{
    struct fake_call *c = (struct fake_call *) call;
    assert_true(c->is_alive);
    return c;
}

struct str
http_call_header(const struct http_call *call, const char *name)
{
    const struct fake_call *c = (const struct fake_call *) call;
    for (size_t i = 0; i < c->n_headers; i++) {
        if (strcmp(c->names[i], name) == 0)
            return str_from(c->values[i]);
    }
    return STR_NULL;
}

uint64_t
http_call_body_left(const struct http_call *call)
{
    return ((const struct fake_call *) call)->body.len;
}

size_t
http_call_take_body(struct http_call *call, struct buf *out, size_t max)
{
    struct fake_call *c = fake(call);
    size_t n = c->body.len < max ? c->body.len : max;
    buf_add(out, c->body.data, n);
    buf_drop_front(&c->body, n);
    return n;
}

void
http_call_add_header(struct http_call *call, const char *name, const char *value)
{
    buf_addf(&fake(call)->headers, "%s: %s\n", name, value);
}

static void
replied(struct fake_call *c, int status)
{
    c->n_replies++;
    c->status = status;
    c->is_alive = false;
    err_done(&c->call.err);
    arena_free(c->call.arena);
    c->call = (struct http_call){0};
}

void
http_reply(struct http_call *call, int status, const char *content_type, struct str body)
{
    struct fake_call *c = fake(call);
    assert_string_equal(content_type, "application/json");
    buf_add_str(&c->text, body);
    replied(c, status);
}

void
http_reply_json(struct http_call *call, int status, struct buf *body)
{
    http_reply(call, status, "application/json", buf_str(body));
    buf_done(body);
}

void
http_reply_error(struct http_call *call)
{
    struct buf text = BUF_INIT;
    int status = err_http_status(call->err.code);
    err_write_json(&text, call->err.code, str_from(call->err.message));
    http_reply_json(call, status, &text);
}

void
http_reply_empty(struct http_call *call, int status)
{
    replied(fake(call), status);
}

void
http_reply_pieces(struct http_call *call, int status, const char *content_type,
                  enum http_piece (*make)(void *arg, struct buf *out, int64_t deadline_us),
                  void (*release)(void *arg), void *arg)
{
    struct fake_call *c = fake(call);
    enum http_piece piece = HTTP_PIECE_MORE;
    assert_string_equal(content_type, "application/json");
    while (piece == HTTP_PIECE_MORE) {
        size_t had = c->text.len;
        piece = make(arg, &c->text, clock_mono_us() + 100);
        assert_true(c->text.len > had); /* an empty chunk would end a chunked answer */
    }
    release(arg);
    replied(c, piece == HTTP_PIECE_LAST ? status : -1);
}

/* --- what no test here reaches: named, so that the real server is not linked */

const char *
http_server_address(const struct http_server *s)
{
    (void) s;
    return "127.0.0.1:7700";
}

struct http_server_stats
http_server_stats(const struct http_server *s)
{
    (void) s;
    return (struct http_server_stats){0};
}

void
http_call_watch(struct http_call *call)
{
    (void) fake(call);
}

void
http_reply_take(struct http_call *call, int status, const char *content_type, struct buf *body)
{
    http_reply(call, status, content_type, buf_str(body));
    buf_done(body);
}

void
http_reply_sized(struct http_call *call, const struct http_sized *body)
{
    (void) call;
    (void) body;
    fail_msg("an answer of known size");
}

struct http_stream *
http_reply_stream(struct http_call *call, const char *content_type,
                  const struct http_stream_hooks *hooks)
{
    (void) call;
    (void) content_type;
    (void) hooks;
    fail_msg("an answer without an end");
    return NULL;
}

bool
http_stream_write(struct http_stream *s, struct str bytes)
{
    (void) s;
    (void) bytes;
    return false;
}

size_t
http_stream_waiting(const struct http_stream *s)
{
    (void) s;
    return 0;
}

void
http_stream_await_drained(struct http_stream *s)
{
    (void) s;
}

void
http_stream_end(struct http_stream *s)
{
    (void) s;
}

void
http_stream_cut(struct http_stream *s)
{
    (void) s;
}

/* --- the engine */

static int
no_facts(void *arg, struct store_txn *txn, struct str index_uid, struct index_facts *ret)
{
    return ops_index_facts(arg, txn, index_uid, ret);
}

static void *
no_event(void *arg, uint32_t batch_uid)
{
    (void) arg, (void) batch_uid; /* nobody listens */
    return NULL;
}

static bool
no_announcement(void *arg, uint32_t batch_uid)
{
    (void) arg, (void) batch_uid; /* never called without an event */
    return false;
}

static void
open_engine(struct fixture *f)
{
    struct err err = ERR_INIT;
    struct api *a = &f->api;
    struct queue_conf queue_conf = {.max_batched_tasks = 0, .max_batched_bytes = UINT64_MAX};
    f->loop = a->loop = loop_new(&err);
    assert_int_equal(main_env_open(&f->env, f->dir, &err), 0);
    a->turn = turn_new(f->loop, f->env, f->dir);
    turn_set_floor(a->turn, 0);
    a->payloads = payload_dir_open(f->dir, &err);
    a->indexes = index_set_open(f->dir, &err);
    a->queue = queue_new(f->loop, a->turn, a->payloads, &queue_conf, &err);
    struct ops_conf ops_conf = {.loop = f->loop,
                                .turn = a->turn,
                                .queue = a->queue,
                                .indexes = a->indexes,
                                .payloads = a->payloads};
    a->ops = ops_new(&ops_conf);
    struct queue_hooks hooks = {.arg = a->ops,
                                .index_facts = no_facts,
                                .event_begin = no_event,
                                .announce = no_announcement};
    queue_set_hooks(a->queue, &hooks);
    assert_int_equal(queue_start(a->queue, false, &err), 0);
}

int
fixture_setup(void **state)
{
    struct fixture *f = mem_new(1, sizeof(*f));
    strcpy(f->dir, "/tmp/taskhook-api-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->conf = (struct conf){.db_path = f->dir, .http_payload_size_limit = 100 * 1000 * 1000};
    f->api = (struct api){.conf = &f->conf, .auth = auth_new(NULL)};
    open_engine(f);
    *state = f;
    return 0;
}

static void
stop_loop(void *arg)
{
    loop_stop(arg);
}

int
fixture_teardown(void **state)
{
    struct fixture *f = *state;
    struct buf command = BUF_INIT;
    queue_stop(f->api.queue, stop_loop, f->loop);
    loop_timer_done(&f->poll);
    ops_free(f->api.ops);
    queue_free(f->api.queue);
    index_set_close(f->api.indexes);
    payload_dir_close(f->api.payloads);
    turn_free(f->api.turn);
    loop_free(f->loop);
    store_env_close(f->env);
    auth_free(f->api.auth);
    buf_addf(&command, "rm -rf '%s'", f->dir);
    int rc = system(buf_cstr(&command));
    buf_done(&command);
    free(f);
    return rc;
}

/* --- running the loop: a timer looks every turn whether the wanted event has come */

static int64_t give_up_us;

static void
on_poll(void *arg)
{
    struct fixture *f = arg;
    if (f->until(f->until_arg) || clock_mono_us() > give_up_us)
        loop_stop(f->loop);
    else
        loop_timer_set_ms(&f->poll, 0);
}

static void
run_until(struct fixture *f, bool (*until)(void *arg), void *arg)
{
    f->until = until;
    f->until_arg = arg;
    give_up_us = clock_mono_us() + DEADLINE_MS * 1000ll;
    loop_timer_done(&f->poll);
    loop_timer_init(&f->poll, f->loop, on_poll, f);
    loop_timer_set_ms(&f->poll, 0);
    loop_run(f->loop);
    assert_true(until(arg));
}

static bool
is_settled(void *arg)
{
    return *(bool *) arg;
}

static void
on_settled(void *arg, int result)
{
    (void) result; /* settled is settled */
    *(bool *) arg = true;
}

void
fixture_turn(struct fixture *f)
{
    bool settled = false;
    struct turn_waiter waiter = {.fn = on_settled, .arg = &settled};
    turn_wait(f->api.turn, &waiter);
    run_until(f, is_settled, &settled);
}

static bool
is_over(void *arg)
{
    return !((struct fake_call *) arg)->is_alive;
}

void
fixture_wait(struct fixture *f, struct fake_call *c)
{
    run_until(f, is_over, c);
    assert_int_equal(c->n_replies, 1);
}

/* --- calls */

struct fake_call *
fixture_call(struct fixture *f, enum http_method method, const char *target, const char *body)
{
    struct fake_call *c = mem_new(1, sizeof(*c));
    struct str all = str_from(target);
    size_t mark = str_find(all, '?', 0);
    c->is_alive = true;
    c->api = &f->api;
    c->call = (struct http_call){.arena = arena_new(),
                                 .method = method,
                                 .path = str_slice(all, 0, mark),
                                 .query = str_slice(all, mark + 1, all.len),
                                 .app = &f->api};
    if (body != NULL) {
        buf_add_cstr(&c->body, body);
        fixture_header(c, "Content-Type", "application/json");
    }
    return c;
}

void
fixture_header(struct fake_call *c, const char *name, const char *value)
{
    c->names[c->n_headers] = name;
    c->values[c->n_headers++] = value;
}

void
fixture_send(struct fixture *f, struct fake_call *c)
{
    api_handle(&f->api, &c->call);
}

void
fixture_gone(struct fake_call *c)
{
    assert_true(c->is_alive);
    assert_non_null(c->call.on_gone);
    c->call.on_gone(&c->call);
    c->is_alive = false;
    err_done(&c->call.err);
    arena_free(c->call.arena);
    c->call = (struct http_call){0};
}

void
fixture_free(struct fake_call *c)
{
    assert_false(c->is_alive);
    buf_done(&c->body);
    buf_done(&c->text);
    buf_done(&c->headers);
    free(c);
}

struct fake_call *
fixture_ask(struct fixture *f, enum http_method method, const char *target, const char *body)
{
    struct fake_call *c = fixture_call(f, method, target, body);
    fixture_send(f, c);
    fixture_wait(f, c);
    return c;
}

void
fixture_assert(struct fake_call *c, int status, const char *part)
{
    if (strstr(buf_cstr(&c->text), part) == NULL)
        fail_msg("%d %s", c->status, buf_cstr(&c->text));
    assert_int_equal(c->status, status);
    fixture_free(c);
}

uint64_t
fixture_tasks(struct fixture *f)
{
    struct store_txn *txn = turn_read(f->api.turn);
    uint64_t n = queue_task_total(f->api.queue, txn);
    store_abort(txn);
    return n;
}

unsigned
fixture_files(struct fixture *f, const char *folder)
{
    struct buf path = BUF_INIT;
    buf_addf(&path, "%s/%s", f->dir, folder);
    DIR *dir = opendir(buf_cstr(&path));
    unsigned n = 0;
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        n += entry->d_name[0] != '.';
    closedir(dir);
    buf_done(&path);
    return n;
}
