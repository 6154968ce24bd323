/* Builds every module in order, wires all callbacks between them, handles signals, drains. The only
 * file that knows everybody; nobody includes it but main.c. */
#include "app/app.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/api.h"
#include "api/doors.h"
#include "app/channels.h"
#include "app/check.h"
#include "app/datadir.h"
#include "app/declare.h"
#include "base/clock.h"
#include "base/mem.h"
#include "ops/news.h"
#include "store/tables.h"
#include "store/trash.h"

#define BUFFERED_BODIES_MIN_BYTES (512ull << 20)

enum {
    DRAIN_MAX_MS = 8000,
    EXIT_FAILED = 1,
};

enum drain_part { DRAIN_SERVER = 1, DRAIN_QUEUE = 2, DRAIN_WEBHOOKS = 4, DRAIN_ALL = 7 };

struct app {
    const struct conf *conf;
    int lock_fd, exit_code;
    struct address_policy *policy;
    struct loop *loop;
    struct store_env *env;
    struct turn *turn;
    struct trash *trash;
    struct payload_dir *payloads;
    struct index_set *indexes;
    struct queue *queue;
    struct ops *ops;
    struct tls_client *tls_client;
    struct tls_server *tls_server;
    struct http_client *client;
    struct app_channels channels;
    struct webhooks *webhooks;
    struct replays *replays;
    struct reports *reports;
    struct inbound *inbound;
    struct auth *auth;
    struct http_server *server;
    struct api api;
    unsigned drained; /* enum drain_part */
    bool is_draining;
    struct loop_timer drain_timer;
};

/* --- wiring: calls go down, news comes up
 * ------------------------------------------------------------------------- */

static int
hook_index_facts(void *arg, struct store_txn *txn, struct str index_uid, struct index_facts *ret)
{
    struct app *a = arg;
    return ops_index_facts(a->ops, txn, index_uid, ret);
}

/* What a finishing batch is to those who tell of it. */
struct batch_news {
    struct app *app;
    void *webhooks, *reports; /* NULL: not interested */
    struct news *news;        /* the same */
};

static void *
hook_event_begin(void *arg, uint32_t batch_uid)
{
    struct app *a = arg;
    struct batch_news news = {a, webhooks_event_begin(a->webhooks, batch_uid),
                              reports_event_begin(a->reports), news_begin(a->ops, batch_uid)};
    if (news.webhooks == NULL && news.reports == NULL && news.news == NULL)
        return NULL;
    struct batch_news *kept = mem_new(1, sizeof(*kept));
    *kept = news;
    return kept;
}

/* As struct event_line_facts wants them. */
static struct str
list_indexes(const struct task *t, struct buf *out)
{
    if (t->n_also_indexes == 0)
        return str_from(t->index_uid);
    if (t->index_uid != NULL)
        buf_add_cstr(out, t->index_uid);
    for (uint32_t i = 0; i < t->n_also_indexes; i++) {
        buf_add_char(out, ',');
        buf_add_cstr(out, t->also_indexes[i]);
    }
    return buf_str(out);
}

static int
hook_event_step(void *builder, struct store_txn *txn, const struct batch_run *run)
{
    struct batch_news *news = builder;
    return news->news == NULL ? 0 : news_step(news->news, txn, run);
}

static int
hook_event_add(void *builder, struct store_txn *txn, const struct task *t, struct str line)
{
    struct batch_news *news = builder;
    struct buf uids = BUF_INIT;
    struct event_line_facts facts = {
        .index_uids = list_indexes(t, &uids),
        .kind = (uint8_t) t->kind,
        .status = (uint8_t) t->status,
    };
    if (news->reports != NULL)
        reports_event_add(news->reports, t);
    int rc = buf_failed(&uids) ? STORE_EFULL : 0;
    if (rc == 0 && news->webhooks != NULL)
        rc = webhooks_event_add(news->webhooks, txn, &facts, line);
    if (rc >= 0 && news->news != NULL)
        rc = news_add(news->news, txn, t);
    buf_done(&uids);
    return rc;
}

static int
hook_event_finish(void *builder, struct store_txn *txn)
{
    struct batch_news *news = builder;
    int rc = news->webhooks == NULL ? 0 : webhooks_event_finish(news->webhooks, txn);
    if (news->reports != NULL && rc >= 0)
        rc = reports_event_finish(news->reports, txn);
    else if (news->reports != NULL)
        reports_event_discard(news->reports);
    if (news->news != NULL && rc >= 0)
        rc = news_finish(news->news, txn);
    else if (news->news != NULL)
        news_discard(news->news);
    free(news);
    return rc;
}

static void
hook_event_discard(void *builder)
{
    struct batch_news *news = builder;
    if (news->webhooks != NULL)
        webhooks_event_discard(news->webhooks);
    if (news->reports != NULL)
        reports_event_discard(news->reports);
    if (news->news != NULL)
        news_discard(news->news);
    free(news);
}

static bool
hook_announce(void *arg, uint32_t batch_uid)
{
    struct app *a = arg;
    return webhooks_announce(a->webhooks, batch_uid);
}

static void
on_clock_set(void *arg)
{
    struct app *a = arg;
    if (a->webhooks != NULL)
        webhooks_clock_was_set(a->webhooks);
}

static void
hook_too_many(void *arg, struct store_txn *txn, uint64_t n)
{
    struct app *a = arg;
    ops_delete_oldest(a->ops, txn, n);
}

static void
hook_beside_added(void *arg)
{
    struct app *a = arg;
    replays_wake(a->replays);
}

static void
hook_changed(void *arg)
{
    struct app *a = arg;
    api_tasks_changed(&a->api);
}

static void
on_announced(void *arg, uint32_t batch_uid)
{
    struct app *a = arg;
    queue_announced(a->queue, batch_uid);
}

static void
wire_queue(struct app *a)
{
    struct queue_hooks hooks = {
        .arg = a,
        .index_facts = hook_index_facts,
        .event_begin = hook_event_begin,
        .event_step = hook_event_step,
        .event_add = hook_event_add,
        .event_finish = hook_event_finish,
        .event_discard = hook_event_discard,
        .announce = hook_announce,
        .beside_added = hook_beside_added,
        .too_many = hook_too_many,
        .changed = hook_changed,
    };
    queue_set_hooks(a->queue, &hooks);
}

/* --- the end
 * -----------------------------------------------------------------------------------------------------------
 */

static void
part_drained(struct app *a, enum drain_part part)
{
    a->drained |= part;
    if (a->drained == DRAIN_ALL)
        loop_timer_set_ms(&a->drain_timer, 0); /* after this turn's commit */
}

static void
server_drained(void *arg)
{
    part_drained(arg, DRAIN_SERVER);
}

static void
queue_drained(void *arg)
{
    part_drained(arg, DRAIN_QUEUE);
}

static void
webhooks_drained(void *arg)
{
    part_drained(arg, DRAIN_WEBHOOKS);
}

static void
on_drain_end(void *arg)
{
    struct app *a = arg;
    if (a->drained != DRAIN_ALL)
        log_warn("app", "not everything ended in time, stopping all the same drained=%u",
                 a->drained);
    loop_stop(a->loop);
}

static void
begin_drain(struct app *a)
{
    a->is_draining = true;
    loop_timer_set_ms(&a->drain_timer, DRAIN_MAX_MS);
    http_server_drain(a->server, server_drained, a);
    api_stop(&a->api); /* after the drain has begun: its connections close */
    replays_stop(a->replays);
    queue_stop(a->queue, queue_drained, a);
    webhooks_stop(a->webhooks, webhooks_drained, a);
}

static void
on_terminate(void *arg, int signal_number)
{
    struct app *a = arg;
    if (a->is_draining) {
        log_warn("app", "second signal: exiting at once signal=%d", signal_number);
        _exit(128 + signal_number);
    }
    log_info("app", "stopping signal=%d", signal_number);
    begin_drain(a);
}

static void
on_fatal(void *arg)
{
    struct app *a = arg;
    log_error(
        "app",
        "the disk refuses to store data: exiting so that a supervisor can restart the server");
    a->exit_code = EXIT_FAILED;
    loop_stop(a->loop);
}

static void
on_reload(void *arg, int signal_number)
{
    struct app *a = arg;
    struct err err = ERR_INIT;
    (void) signal_number;
    if (a->tls_server != NULL && tls_server_reload(a->tls_server, &err) != 0)
        log_error("app", "certificates not reloaded, the old ones stay: %s", err.message);
    if (tls_client_reload(a->tls_client, &err) != 0)
        log_error("app", "certificate authorities not reloaded, the old ones stay: %s",
                  err.message);
    http_client_reload(a->client);
    log_info("app", "reloaded certificates, authorities and resolver configuration");
    err_done(&err);
}

/* --- building, lowest level first
 * ------------------------------------------------------------------------------------ */

static int
build_storage(struct app *a, struct err *err)
{
    const char *dir = a->conf->db_path;
    a->lock_fd = datadir_lock(dir, err);
    if (a->lock_fd < 0)
        return -1;
    a->loop = loop_new(err);
    if (a->loop == NULL || main_env_open(&a->env, dir, err) != 0)
        return -1;
    store_env_limit_commits(a->env, (unsigned) a->conf->checkpoint_commits);
    a->turn = turn_new(a->loop, a->env, dir);
    turn_set_floor(a->turn, a->conf->min_free_disk_bytes);
    turn_on_fatal(a->turn, on_fatal, a);
    a->trash = trash_open(dir, a->loop, err);
    a->payloads = a->trash == NULL ? NULL : payload_dir_open(dir, err);
    a->indexes = a->payloads == NULL ? NULL : index_set_open(dir, err);
    if (a->indexes == NULL)
        return -1;
    payload_dir_use_trash(a->payloads, a->trash);
    index_set_use_trash(a->indexes, a->trash);
    return 0;
}

static int
build_engine(struct app *a, struct err *err)
{
    struct queue_conf queue_conf = {
        .max_batched_tasks = a->conf->max_batched_tasks,
        .max_batched_bytes = a->conf->batched_tasks_total_size,
        .max_tasks = a->conf->max_tasks,
        .max_bytes = a->conf->max_task_db_bytes,
    };
    a->queue = queue_new(a->loop, a->turn, a->payloads, &queue_conf, err);
    if (a->queue == NULL)
        return -1;
    struct ops_conf ops_conf = {
        .loop = a->loop,
        .turn = a->turn,
        .queue = a->queue,
        .indexes = a->indexes,
        .payloads = a->payloads,
    };
    a->ops = ops_new(&ops_conf);
    wire_queue(a);
    return ops_sweep(a->ops, err);
}

static int
build_webhooks(struct app *a, struct err *err)
{
    a->tls_client = tls_client_new(a->conf->webhook_ca_path, err);
    if (a->tls_client == NULL)
        return -1;
    char user_agent[64];
    (void) snprintf(user_agent, sizeof(user_agent), "taskhook/%s", conf_version());
    struct http_client_conf client_conf = {
        .policy = a->policy,
        .plain_only_to_listed = a->conf->webhook_require_https,
        .tls = a->tls_client,
        .user_agent = user_agent,
    };
    a->client = http_client_new(a->loop, &client_conf, err);
    if (a->client == NULL)
        return -1;
    struct app_webhooks declared;
    if (app_webhooks_read(a->conf, &declared, err) != 0) {
        app_webhooks_done(&declared);
        return -1;
    }
    struct webhooks_conf conf = {
        .loop = a->loop,
        .turn = a->turn,
        .client = a->client,
        .policy = a->policy,
        .cli_url = a->conf->task_webhook_url,
        .cli_authorization = a->conf->task_webhook_authorization_header,
        .cli_fields = declared.cli == NULL ? NULL : json_root(declared.cli),
        .declared = declared.declared,
        .n_declared = declared.n_declared,
        .words = *app_webhook_words(),
        .requires_https = a->conf->webhook_require_https,
        .timeout_ms = (int64_t) a->conf->webhook_timeout_ms,
        .payload = {.max_tasks = (uint32_t) a->conf->webhook_payload_tasks,
                    .max_bytes = a->conf->webhook_payload_bytes},
        .retention = {.age_ms = (int64_t) a->conf->webhook_retention_s * 1000,
                      .max_bytes = a->conf->webhook_retention_bytes,
                      .parked_age_ms = (int64_t) a->conf->webhook_parked_s * 1000,
                      .parked_max_bytes = a->conf->webhook_parked_bytes},
        .arg = a,
        .announced = on_announced,
    };
    app_channels_open(&a->channels, a->conf, a->loop, a->client);
    app_channels_fill(&a->channels, a->conf, &conf);
    a->webhooks = webhooks_new(&conf, err);
    app_webhooks_done(&declared);
    if (a->webhooks == NULL)
        return -1;
    ops_tell(a->ops, a->webhooks);
    struct replays_conf replays_conf = {
        .loop = a->loop, .turn = a->turn, .queue = a->queue, .webhooks = a->webhooks};
    a->replays = replays_new(&replays_conf);
    struct reports_conf reports_conf = {
        .loop = a->loop,
        .turn = a->turn,
        .queue = a->queue,
        .indexes = a->indexes,
        .webhooks = a->webhooks,
        .data_dir = a->conf->db_path,
        .lifetime_ms = (int64_t) a->conf->report_lifetime_s * 1000,
        .max_bytes = a->conf->report_max_bytes,
    };
    a->reports = reports_new(&reports_conf, err);
    struct inbound_conf inbound_conf = {
        .loop = a->loop,
        .turn = a->turn,
        .queue = a->queue,
        .ops = a->ops,
        .webhooks = a->webhooks,
        .payloads = a->payloads,
    };
    a->inbound = inbound_new(&inbound_conf);
    return a->reports == NULL ? -1 : 0;
}

/* All bodies together: room for some uploads of the largest size. */
static uint64_t
max_buffered_bodies(const struct conf *c)
{
    uint64_t limit = c->http_payload_size_limit;
    if (limit > UINT64_MAX / 4)
        return UINT64_MAX;
    return limit * 4 > BUFFERED_BODIES_MIN_BYTES ? limit * 4 : BUFFERED_BODIES_MIN_BYTES;
}

/* Connections, indexes and deliveries all need descriptors: as many as the system lets us have. */
static void
raise_descriptor_limit(const struct conf *c)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < c->max_connections)
        log_info("app",
                 "fewer descriptors than connections allowed descriptors=%llu max_connections=%llu",
                 (unsigned long long) limit.rlim_cur, (unsigned long long) c->max_connections);
}

static int
build_server(struct app *a, struct err *err)
{
    const struct conf *c = a->conf;
    if (c->ssl_cert_path != NULL) {
        struct tls_server_conf tls = {
            .cert_path = c->ssl_cert_path,
            .key_path = c->ssl_key_path,
            .auth_path = c->ssl_auth_path,
            .require_auth = c->ssl_require_auth,
        };
        a->tls_server = tls_server_new(&tls, err);
        if (a->tls_server == NULL)
            return -1;
    }
    a->auth = auth_new(c->master_key);
    if (auth_open_keys(a->auth, a->turn, err) < 0)
        return -1;
    a->api = (struct api){
        .conf = c,
        .loop = a->loop,
        .turn = a->turn,
        .auth = a->auth,
        .queue = a->queue,
        .indexes = a->indexes,
        .payloads = a->payloads,
        .ops = a->ops,
        .webhooks = a->webhooks,
        .replays = a->replays,
        .reports = a->reports,
        .inbound = a->inbound,
    };
    api_start(&a->api);
    struct http_server_conf conf = {
        .addr = c->http_addr,
        .tls = a->tls_server,
        .max_buffered_body_bytes = max_buffered_bodies(c),
        .max_connections = (int) c->max_connections,
        .idle_timeout_ms = (int) (c->idle_timeout_s * 1000),
        .app = &a->api,
        .judge = api_judge,
        .handle = api_handle,
        .too_large = api_too_large,
        .replied = api_replied,
        .render_error = doors_render_error,
    };
    a->server = http_server_new(a->loop, &conf, err);
    a->api.server = a->server;
    return a->server == NULL ? -1 : 0;
}

static int
start(struct app *a, struct err *err)
{
    if (loop_on_signal(a->loop, SIGTERM, on_terminate, a) != 0 ||
        loop_on_signal(a->loop, SIGINT, on_terminate, a) != 0 ||
        loop_on_signal(a->loop, SIGHUP, on_reload, a) != 0)
        return err_set(err, ERR_INTERNAL, "cannot watch signals");
    (void) loop_on_clock_set(a->loop, on_clock_set, a); /* without it they look once a minute */
    loop_timer_init(&a->drain_timer, a->loop, on_drain_end, a);
    bool wait_first = webhooks_start(a->webhooks);
    if (queue_start(a->queue, wait_first, err) != 0)
        return -1;
    replays_start(a->replays);
    if (a->conf->master_key == NULL)
        log_warn("app", "no master key: every route is open to whoever reaches this address");
    log_info("app", "listening address=%s tls=%s version=%s db_path=%s config_file=%s pid=%ld",
             http_server_address(a->server), a->tls_server != NULL ? "yes" : "no", conf_version(),
             a->conf->db_path,
             a->conf->config_file_path != NULL ? a->conf->config_file_path : "none",
             (long) getpid());
    return 0;
}

/* Highest level first; every free accepts NULL. */
static void
teardown(struct app *a)
{
    turn_abort(a->turn); /* who still waits for a commit hears of it while everything is there */
    http_server_free(a->server);
    api_done(&a->api);
    auth_free(a->auth);
    inbound_free(a->inbound);
    replays_free(a->replays);
    webhooks_free(a->webhooks);
    app_channels_close(&a->channels);
    http_client_free(a->client);
    tls_client_free(a->tls_client);
    tls_server_free(a->tls_server);
    queue_free(a->queue); /* may abort a run: before ops */
    reports_free(a->reports);
    ops_free(a->ops);
    index_set_close(a->indexes);
    payload_dir_close(a->payloads);
    trash_close(a->trash);
    turn_free(a->turn);
    loop_timer_done(&a->drain_timer);
    loop_free(a->loop);
    store_env_close(a->env);
    address_policy_free(a->policy);
    if (a->lock_fd >= 0)
        (void) close(a->lock_fd);
}

int
app_run(const struct conf *conf)
{
    struct app a = {.conf = conf, .lock_fd = -1};
    struct err err = ERR_INIT;
    log_setup(conf->log_level, conf->log_mode);
    int rc = app_check_options(conf, &a.policy);
    if (rc != 0)
        return rc;
    raise_descriptor_limit(conf);
    (void) signal(SIGPIPE, SIG_IGN); /* libevent writes to sockets whose peer may be gone */
    if (build_storage(&a, &err) == 0 && build_engine(&a, &err) == 0 &&
        build_webhooks(&a, &err) == 0 && build_server(&a, &err) == 0 && start(&a, &err) == 0) {
        loop_run(a.loop);
    } else {
        fprintf(stderr, "Error: %s\n", err.message != NULL ? err.message : "cannot start");
        a.exit_code = EXIT_FAILED;
    }
    err_done(&err);
    teardown(&a);
    if (a.exit_code == 0)
        log_info("app", "stopped");
    return a.exit_code;
}
