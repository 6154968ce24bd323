/* See fixture.h. */
#include "fixture.h"

#include <dirent.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { PATIENCE_S = 20 };

static int64_t clock_ahead_ns;

static int64_t
fake_wall_ns(void)
{
    struct timespec ts;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &ts), 0);
    return (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec + clock_ahead_ns;
}

static int64_t
real_mono_us(void)
{
    struct timespec ts;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void
fixture_advance_clock(int64_t ms)
{
    clock_ahead_ns += ms * 1000000;
}

/* --- log ------------------------------------------------------------------------------------- */

void
fixture_capture_log(struct fixture *f)
{
    char path[96];
    (void) snprintf(path, sizeof(path), "%s/log", f->dir);
    f->real_stderr = dup(STDERR_FILENO);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(close(fd), 0);
    log_setup(LOG_TRACE, LOG_HUMAN);
}

struct buf
fixture_captured_log(struct fixture *f)
{
    struct buf text = BUF_INIT;
    char piece[4096];
    ssize_t n;
    off_t at = 0;
    while ((n = pread(STDERR_FILENO, piece, sizeof(piece), at)) > 0) {
        buf_add(&text, piece, (size_t) n);
        at += n;
    }
    log_setup(LOG_OFF, LOG_HUMAN);
    assert_int_equal(dup2(f->real_stderr, STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(close(f->real_stderr), 0);
    return text;
}

/* --- receiver -------------------------------------------------------------------------------- */

static char *
header_of(struct evhttp_request *req, const char *name)
{
    return mem_strdup(evhttp_find_header(evhttp_request_get_input_headers(req), name));
}

static void
inflate_body(struct evhttp_request *req, struct received *r)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(req);
    size_t len = evbuffer_get_length(in);
    struct str rest = str_make(evbuffer_pullup(in, -1), len);
    struct buf plain = BUF_INIT;
    if (r->content_encoding == NULL) {
        r->body_len = len;
        r->body = mem_strndup(rest.data, rest.len);
        return;
    }
    struct gzip_in *z = gzip_in_new(GZIP_FORMAT_GZIP);
    int rc = 0;
    while (rc == 0 && rest.len > 0)
        rc = gzip_in_step(z, &rest, &plain, 1 << 20);
    while (rc == 0 && !gzip_in_ended(z))
        rc = gzip_in_step(z, &rest, &plain, 1 << 20);
    gzip_in_free(z);
    assert_int_equal(rc, 1);
    r->body_len = plain.len;
    r->body = buf_take(&plain);
}

static void
add_reply_header(const struct fixture *f, struct evhttp_request *req)
{
    if (f->reply_name != NULL)
        assert_int_equal(evhttp_add_header(evhttp_request_get_output_headers(req), f->reply_name,
                                           f->reply_value),
                         0);
}

static void
on_request(struct evhttp_request *req, void *arg)
{
    struct fixture *f = arg;
    struct evhttp_connection *connection = evhttp_request_get_connection(req);
    assert_true(f->n_received < RECEIVED_MAX);
    struct received *r = &f->received[f->n_received++];
    r->path = mem_strdup(evhttp_request_get_uri(req));
    r->content_type = header_of(req, "Content-Type");
    r->content_encoding = header_of(req, "Content-Encoding");
    r->webhook_id = header_of(req, "webhook-id");
    r->authorization = header_of(req, "Authorization");
    r->x_test = header_of(req, "X-Test");
    inflate_body(req, r);
    switch (f->mode) {
    case RECEIVER_ANSWERS:
        add_reply_header(f, req);
        evhttp_send_reply(req, f->status, "Reason", NULL);
        break;
    case RECEIVER_HOLDS:
        f->held[f->n_held++] = req;
        if (f->n_held > f->most_held)
            f->most_held = f->n_held;
        break;
    case RECEIVER_RESETS:
        evhttp_connection_free(connection);
        break;
    }
}

void
fixture_release_held(struct fixture *f, int status)
{
    for (size_t i = 0; i < f->n_held; i++)
        evhttp_send_reply(f->held[i], status, "Reason", NULL);
    f->n_held = 0;
}

static void
open_receiver(struct fixture *f)
{
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    f->http = evhttp_new(loop_base(f->loop));
    evhttp_set_gencb(f->http, on_request, f);
    struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(f->http, "127.0.0.1", 0);
    assert_non_null(bound);
    assert_int_equal(
        getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *) &address, &len), 0);
    f->port = ntohs(address.sin_port);
    f->status = 200;
}

/* --- the whole ------------------------------------------------------------------------------- */

static void
on_announced(void *arg, uint32_t batch_uid)
{
    struct fixture *f = arg;
    assert_true(f->n_announced < BATCHES_MAX);
    f->announced[f->n_announced++] = batch_uid;
    if (f->fail_turn_when_announced)
        turn_fail(f->turn, STORE_EFULL);
    f->fail_turn_when_announced = false;
}

bool
fixture_has_announced(const struct fixture *f, uint32_t batch_uid)
{
    for (size_t i = 0; i < f->n_announced; i++) {
        if (f->announced[i] == batch_uid)
            return true;
    }
    return false;
}

int
fixture_setup(void **state)
{
    struct fixture *f = mem_new(1, sizeof(*f));
    struct err err = ERR_INIT;
    clock_ahead_ns = 0;
    clock_set_fake(fake_wall_ns, real_mono_us);
    log_setup(getenv("TEST_LOG") != NULL ? LOG_DEBUG : LOG_OFF, LOG_HUMAN);
    (void) snprintf(f->dir, sizeof(f->dir), "/tmp/taskhook-webhook-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->loop = loop_new(&err);
    assert_int_equal(main_env_open(&f->env, f->dir, &err), 0);
    f->turn = turn_new(f->loop, f->env, f->dir);
    turn_set_floor(f->turn, 0);
    f->policy = address_policy_parse(STR("127.0.0.0/8"), NULL);
    f->tls = tls_client_new(NULL, &err);
    assert_non_null(f->tls);
    struct http_client_conf conf = {.policy = f->policy, .tls = f->tls};
    f->client = http_client_new(f->loop, &conf, &err);
    assert_non_null(f->client);
    f->timeout_ms = 10000;
    open_receiver(f);
    *state = f;
    return 0;
}

static const char *const kinds[] = {"documentAdditionOrUpdate", "documentEdition",
                                    "documentDeletion"};
static const char *const statuses[] = {NULL, NULL, "succeeded", "failed", "canceled"};

void
fixture_start(struct fixture *f)
{
    struct err err = ERR_INIT;
    struct webhooks_conf conf = {
        .loop = f->loop,
        .turn = f->turn,
        .client = f->client,
        .policy = f->policy,
        .cli_url = f->cli_url,
        .cli_authorization = f->cli_authorization,
        .timeout_ms = f->timeout_ms,
        .cli_fields = f->cli_fields,
        .declared = f->declared,
        .n_declared = f->n_declared,
        .requires_https = f->requires_https,
        .payload = f->payload,
        .words = {.kinds = kinds, .statuses = statuses, .n_kinds = 3, .n_statuses = 5},
        .retention = f->retention,
        .arg = f,
        .announced = on_announced,
    };
    f->webhooks = webhooks_new(&conf, &err);
    assert_non_null(f->webhooks);
    f->must_wait = webhooks_start(f->webhooks);
}

static void
on_stopped(void *arg)
{
    struct fixture *f = arg;
    f->stopped = true;
}

static bool
has_stopped(struct fixture *f)
{
    return f->stopped;
}

void
fixture_stop(struct fixture *f)
{
    if (f->webhooks == NULL)
        return;
    f->stopped = false;
    webhooks_stop(f->webhooks, on_stopped, f);
    fixture_run_until(f, has_stopped);
    webhooks_free(f->webhooks);
    f->webhooks = NULL;
}

void
fixture_restart(struct fixture *f)
{
    fixture_stop(f);
    fixture_start(f);
}

static void
remove_dir(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;
    char child[512];
    while (d != NULL && (e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        (void) snprintf(child, sizeof(child), "%s/%s", path, e->d_name);
        if (unlink(child) != 0)
            remove_dir(child);
    }
    if (d != NULL)
        (void) closedir(d);
    (void) rmdir(path);
}

int
fixture_teardown(void **state)
{
    struct fixture *f = *state;
    fixture_stop(f);
    http_client_free(f->client);
    fixture_run_turns(f, 5);
    evhttp_free(f->http);
    tls_client_free(f->tls);
    address_policy_free(f->policy);
    turn_free(f->turn);
    store_env_close(f->env);
    loop_free(f->loop);
    for (size_t i = 0; i < f->n_received; i++) {
        struct received *r = &f->received[i];
        free(r->path);
        free(r->body);
        free(r->content_type);
        free(r->content_encoding);
        free(r->webhook_id);
        free(r->authorization);
        free(r->x_test);
    }
    remove_dir(f->dir);
    free(f);
    clock_set_fake(NULL, NULL);
    return 0;
}

/* --- running --------------------------------------------------------------------------------- */

static void
on_watchdog(evutil_socket_t fd, short what, void *arg)
{
    bool *fired = arg;
    (void) fd;
    (void) what;
    *fired = true;
}

void
fixture_run_until(struct fixture *f, bool (*holds)(struct fixture *f))
{
    bool fired = false;
    struct timeval patience = {PATIENCE_S, 0};
    struct event *watchdog = event_new(loop_base(f->loop), -1, 0, on_watchdog, &fired);
    assert_int_equal(event_add(watchdog, &patience), 0);
    while (!holds(f) && !fired)
        (void) event_base_loop(loop_base(f->loop), EVLOOP_ONCE);
    event_free(watchdog);
    assert_false(fired);
}

void
fixture_run_turns(struct fixture *f, int n)
{
    for (int i = 0; i < n; i++)
        (void) event_base_loop(loop_base(f->loop), EVLOOP_NONBLOCK);
}

static int commit_result;
static bool commit_done;

static void
on_commit(void *arg, int result)
{
    (void) arg;
    commit_result = result;
    commit_done = true;
}

static bool
is_committed(struct fixture *f)
{
    (void) f;
    return commit_done;
}

int
fixture_commit(struct fixture *f)
{
    struct turn_waiter waiter = {.fn = on_commit};
    commit_done = false;
    turn_wait(f->turn, &waiter);
    fixture_run_until(f, is_committed);
    return commit_result;
}

/* --- the API's and the queue's part ---------------------------------------------------------- */

static int
answer(int rc, struct err *err, struct buf *ret, enum err_code *ret_code)
{
    if (ret_code != NULL)
        *ret_code = err->code;
    if (rc != 0 && ret != NULL)
        buf_add_cstr(ret, err->message);
    err_done(err);
    return rc;
}

int
fixture_create(struct fixture *f, const char *json, struct buf *ret, enum err_code *ret_code)
{
    struct err err = ERR_INIT;
    struct buf ignored = BUF_INIT;
    struct json_doc *doc = json_parse(str_from(json), NULL);
    assert_non_null(doc);
    int rc = webhooks_create(f->webhooks, json_root(doc), ret != NULL ? ret : &ignored, &err);
    json_doc_free(doc);
    assert_int_equal(fixture_commit(f), 0);
    buf_done(&ignored);
    return answer(rc, &err, ret, ret_code);
}

int
fixture_update(struct fixture *f, const char *uuid, const char *json, struct buf *ret,
               enum err_code *ret_code)
{
    struct err err = ERR_INIT;
    struct buf ignored = BUF_INIT;
    struct json_doc *doc = json_parse(str_from(json), NULL);
    assert_non_null(doc);
    int rc = webhooks_update(f->webhooks, str_from(uuid), json_root(doc),
                             ret != NULL ? ret : &ignored, &err);
    json_doc_free(doc);
    assert_int_equal(fixture_commit(f), 0);
    buf_done(&ignored);
    return answer(rc, &err, ret, ret_code);
}

struct uuid
fixture_register(struct fixture *f, const char *path)
{
    return fixture_register_with(f, path, "");
}

struct uuid
fixture_register_with(struct fixture *f, const char *path, const char *fields)
{
    char json[512];
    struct buf out = BUF_INIT;
    struct uuid uuid = UUID_NIL;
    (void) snprintf(json, sizeof(json), "{\"url\":\"http://127.0.0.1:%d%s\"%s%s}", f->port, path,
                    fields[0] != '\0' ? "," : "", fields);
    assert_int_equal(fixture_create(f, json, &out, NULL), 0);
    struct json_doc *doc = json_parse(buf_str(&out), NULL);
    assert_true(uuid_parse(json_string(json_get_c(json_root(doc), "uuid")), &uuid, NULL));
    json_doc_free(doc);
    buf_done(&out);
    return uuid;
}

bool
fixture_finish_batch(struct fixture *f, uint32_t batch_uid, uint32_t first, uint32_t n)
{
    void *builder = webhooks_event_begin(f->webhooks, batch_uid);
    struct event_line_facts facts = {.index_uids = STR("movies"), .kind = 1, .status = 2};
    if (builder == NULL)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        char line[64];
        int len = snprintf(line, sizeof(line), "{\"uid\":%u}", first + i);
        assert_int_equal(
            webhooks_event_add(builder, turn_txn(f->turn), &facts, str_make(line, (size_t) len)),
            0);
    }
    assert_int_equal(webhooks_event_finish(builder, turn_txn(f->turn)), 0);
    assert_int_equal(fixture_commit(f), 0);
    return webhooks_announce(f->webhooks, batch_uid);
}

struct delivery_record
fixture_delivery(struct fixture *f, uint64_t number)
{
    struct delivery_record d = {0};
    struct store_txn *txn = turn_read(f->turn);
    assert_int_equal(delivery_get(txn, number, &d), 1);
    store_abort(txn);
    return d;
}

uint64_t
fixture_count(struct fixture *f, int table)
{
    uint64_t n = 0;
    struct store_txn *txn = turn_read(f->turn);
    assert_int_equal(store_count(txn, table, &n), 0);
    store_abort(txn);
    return n;
}
