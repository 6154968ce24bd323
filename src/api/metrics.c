/* GET /metrics: what a Prometheus server scrapes. A generator: sections in the order of a table,
 * each a metric or a few that belong together, so that many indexes do not hold the loop. Names
 * that begin with meilisearch_ are upstream's (contract 9), the others are ours. */
#include <stdlib.h>

#include "api/experimental.h"
#include "api/handler.h"
#include "api/http_counts.h"
#include "api/metrics_batches.h"
#include "api/prometheus.h"
#include "api/reply.h"
#include "api/task_feed.h"
#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "index/index.h"

struct metrics {
    struct api *api;
    size_t section;
    struct buf after; /* uid of the last index seen in this section */
    bool has_begun;   /* the section's head is written */
    /* summed up over the indexes */
    uint64_t n_indexes, size_bytes, used_bytes;
    int64_t last_update_ns;
};

static void
gauge(struct buf *out, const char *name, const char *help, uint64_t n)
{
    prometheus_head(out, name, "gauge", help);
    prometheus_u64(out, name, PROMETHEUS_NO_LABELS, n);
}

static void
counter(struct buf *out, const char *name, const char *help, uint64_t n)
{
    prometheus_head(out, name, "counter", help);
    prometheus_u64(out, name, PROMETHEUS_NO_LABELS, n);
}

static void
histogram(struct buf *out, const char *name, const char *help, const struct histogram *h,
          bool in_us)
{
    prometheus_head(out, name, "histogram", help);
    prometheus_histogram(out, name, PROMETHEUS_NO_LABELS, h, in_us);
}

/* The next index of the section's walk: 1, 0 at the end, negative. */
static int
next_index(struct metrics *m, struct store_txn *txn, struct index_info *ret)
{
    index_info_init(ret);
    int rc = catalog_next(txn, m->after.len == 0 ? STR_NULL : buf_str(&m->after), ret);
    if (rc <= 0)
        return rc;
    buf_clear(&m->after);
    buf_add_cstr(&m->after, ret->uid);
    return 1;
}

/* --- sections: 1 when there is more to write, 0, or negative */

static int
write_http(struct metrics *m, struct store_txn *txn, struct buf *out)
{
    (void) txn;
    http_counts_write(m->api->http_counts, out);
    return 0;
}

static int
write_documents(struct metrics *m, struct store_txn *txn, struct buf *out)
{
    static const char name[] = "meilisearch_index_docs_count";
    struct index_info info;
    if (!m->has_begun)
        prometheus_head(out, name, "gauge", "Meilisearch Index Docs Count");
    int rc = next_index(m, txn, &info);
    if (rc == 1) {
        struct prometheus_label labels[] = {{"index", str_from(info.uid)}};
        prometheus_u64(out, name, PROMETHEUS_LABELS(labels), info.n_documents);
        m->n_indexes++;
        m->used_bytes += info.raw_bytes;
        index_set_add_size(m->api->indexes, &info.uuid, &m->size_bytes);
        if (info.updated_at_ns > m->last_update_ns)
            m->last_update_ns = info.updated_at_ns;
    }
    index_info_done(&info);
    return rc;
}

static int
write_sizes(struct metrics *m, struct store_txn *txn, struct buf *out)
{
    uint64_t used, file;
    (void) txn;
    store_env_size(turn_env(m->api->turn), &used, &file);
    gauge(out, "meilisearch_db_size_bytes", "Meilisearch DB Size In Bytes", m->size_bytes + file);
    gauge(out, "meilisearch_used_db_size_bytes", "Meilisearch Used DB Size In Bytes",
          m->used_bytes + used);
    gauge(out, "meilisearch_index_count", "Meilisearch Index Count", m->n_indexes);
    if (m->last_update_ns != 0)
        gauge(out, "meilisearch_last_update", "Meilisearch Last Update",
              (uint64_t) (m->last_update_ns / 1000000000));
    return 0;
}

/* Upstream counts its whole task store, of which tasks may fill a share; here the limit is the
 * tasks'. Without one there is no size at which new tasks are refused. */
static int
write_queue_size(struct metrics *m, struct store_txn *txn, struct buf *out)
{
    uint64_t max, used = queue_size(m->api->queue, txn, &max);
    gauge(out, "meilisearch_task_queue_used_size", "Meilisearch Task Queue Used Size", used);
    if (max == 0)
        return 0;
    gauge(out, "meilisearch_task_queue_max_size", "Meilisearch Task Queue Max Size", max);
    gauge(out, "meilisearch_task_queue_size_until_stop_registering",
          "Meilisearch Task Queue Size Until Stop Registering", max > used ? max - used : 0);
    return 0;
}

static void
put_task_count(struct buf *out, const char *kind, struct str value, uint64_t n)
{
    struct prometheus_label labels[] = {{"kind", str_from(kind)}, {"value", value}};
    prometheus_u64(out, "meilisearch_nb_tasks", PROMETHEUS_LABELS(labels), n);
}

static int
write_task_counts(struct metrics *m, struct store_txn *txn, struct buf *out)
{
    struct index_info info;
    uint64_t n;
    int rc = 0;
    if (!m->has_begun) {
        prometheus_head(out, "meilisearch_nb_tasks", "gauge", "Meilisearch Number of tasks");
        for (unsigned i = 0; rc >= 0 && i < TASK_STATUS_COUNT; i++) {
            rc = queue_count_status(m->api->queue, txn, (enum task_status) i, &n);
            put_task_count(out, "statuses", str_from(task_status_name((enum task_status) i)), n);
        }
        for (unsigned i = 0; rc >= 0 && i < KIND_COUNT; i++) {
            rc = queue_count_kind(txn, (enum task_kind) i, &n);
            put_task_count(out, "types", str_from(task_kind_name((enum task_kind) i)), n);
        }
        return rc < 0 ? rc : 1;
    }
    rc = next_index(m, txn, &info);
    if (rc == 1) {
        int failed = queue_count_index(txn, str_from(info.uid), &n);
        put_task_count(out, "indexes", str_from(info.uid), n);
        rc = failed < 0 ? failed : 1;
    }
    index_info_done(&info);
    return rc;
}

/* The steps that the batch is in now, as GET /batches shows them. */
static void
write_progress(struct buf *out, const struct batch *b)
{
    static const char name[] = "meilisearch_batch_running_progress_trace";
    struct buf uid = BUF_INIT;
    struct json_doc *doc = b->progress == NULL ? NULL : json_parse(str_from(b->progress), NULL);
    if (doc == NULL)
        return;
    buf_add_u64(&uid, b->uid);
    prometheus_head(out, name, "gauge", "The currently running progress trace");
    struct json_iter it = json_iter(json_get_c(json_root(doc), "steps"));
    while (json_next(&it)) {
        uint64_t done = 0, total = 0;
        struct prometheus_label labels[] = {
            {"batch_uid", buf_str(&uid)},
            {"step_name", json_string(json_get_c(it.value, "currentStep"))},
        };
        (void) json_to_u64(json_get_c(it.value, "finished"), &done); /* we have written them */
        (void) json_to_u64(json_get_c(it.value, "total"), &total);
        prometheus_double(out, name, PROMETHEUS_LABELS(labels),
                          total == 0 ? 0 : (double) done / (double) total);
    }
    json_doc_free(doc);
    buf_done(&uid);
}

static int
write_queue(struct metrics *m, struct store_txn *txn, struct buf *out)
{
    struct queue *q = m->api->queue;
    struct queue_stats stats = queue_stats(q);
    int64_t oldest_ns = 0, now_ns = clock_wall_ns();
    int rc = queue_oldest_unfinished(q, txn, &oldest_ns);
    bool has_age = rc == 1 && now_ns > oldest_ns;
    gauge(out, "meilisearch_is_indexing", "Meilisearch Is Indexing", stats.running);
    prometheus_head(out, "meilisearch_task_queue_latency_seconds", "gauge",
                    "Meilisearch Task Queue Latency in Seconds");
    prometheus_seconds(out, "meilisearch_task_queue_latency_seconds", PROMETHEUS_NO_LABELS,
                       has_age ? (uint64_t) (now_ns - oldest_ns) / 1000 : 0);
    if (rc >= 0 && stats.running) {
        struct batch b;
        batch_init(&b);
        if (queue_batch_get(q, txn, stats.running_batch_uid, &b) == 1)
            write_progress(out, &b);
        batch_done(&b);
    }
    gauge(out, "taskhook_queue_is_paused",
          "Whether the queue waits for first attempts of webhooks before its next batch",
          stats.waiting);
    histogram(out, "taskhook_batch_tasks", "Tasks in finished batches", queue_batch_sizes(q),
              false);
    histogram(out, "taskhook_batch_seconds", "From the start of a batch to its finish",
              queue_batch_times(q), true);
    return rc < 0 ? rc : 0;
}

static int
write_batches(struct metrics *m, struct store_txn *txn, struct buf *out)
{
    return metrics_write_batches(m->api->queue, txn, out);
}

static int
write_searches(struct metrics *m, struct store_txn *txn, struct buf *out)
{
    (void) m, (void) txn; /* nothing searches: upstream's names for those who expect them */
    gauge(out, "meilisearch_degraded_search_requests",
          "Meilisearch number of degraded search requests", 0);
    gauge(out, "meilisearch_personalized_search_requests",
          "Meilisearch number of search requests with personalization", 0);
    gauge(out, "meilisearch_search_queue_size", "Meilisearch Search Queue Size", 0);
    gauge(out, "meilisearch_searches_running", "Meilisearch Searches Running", 0);
    gauge(out, "meilisearch_searches_waiting_to_be_processed",
          "Meilisearch Searches Being Processed", 0);
    return 0;
}

static int
write_engine(struct metrics *m, struct store_txn *txn, struct buf *out)
{
    const struct api *api = m->api;
    struct turn_stats turn = turn_stats(api->turn);
    struct http_server_stats http = http_server_stats(api->server);
    (void) txn;
    histogram(out, "taskhook_commit_seconds", "Commits of the main environment",
              turn_commit_times(api->turn), true);
    counter(out, "taskhook_failed_commits_total", "Commits that the store refused",
            turn.failed_commits);
    gauge(out, "taskhook_store_is_healthy", "Whether the last commit succeeded",
          turn_is_healthy(api->turn));
    histogram(out, "taskhook_slice_seconds", "Pieces of background work",
              loop_slice_times(api->loop), true);
    histogram(out, "taskhook_loop_latency_seconds", "How late timers of the event loop fire",
              loop_lateness(api->loop), true);
    gauge(out, "taskhook_connections", "Open client connections", (uint64_t) http.connections);
    counter(out, "taskhook_refused_requests_total", "Requests refused before their route",
            http.refused);
    gauge(out, "taskhook_buffered_body_bytes", "Request bodies held in memory",
          http.buffered_body_bytes);
    gauge(out, "taskhook_waits", "Requests that wait for the end of a task",
          task_feed_waits(api->feed));
    gauge(out, "taskhook_streams", "Clients of GET /tasks/stream", task_feed_streams(api->feed));
    return 0;
}

/* --- webhooks */

struct hooks {
    struct webhook_stats items[WEBHOOKS_MAX + 1];
    size_t n;
};

static void
write_hook_values(struct buf *out, const struct hooks *hooks, const char *name, const char *type,
                  const char *help, uint64_t (*value)(const struct webhook_stats *s))
{
    prometheus_head(out, name, type, help);
    for (size_t i = 0; i < hooks->n; i++) {
        char uuid[UUID_TEXT_LEN + 1];
        uuid_format(&hooks->items[i].uuid, uuid);
        struct prometheus_label labels[] = {{"webhook", str_from(uuid)}};
        prometheus_u64(out, name, PROMETHEUS_LABELS(labels), value(&hooks->items[i]));
    }
}

static uint64_t
pending_of(const struct webhook_stats *s)
{
    return s->pending;
}

static uint64_t
in_flight_of(const struct webhook_stats *s)
{
    return s->in_flight;
}

static uint64_t
exhausted_of(const struct webhook_stats *s)
{
    return s->exhausted;
}

static uint64_t
expired_of(const struct webhook_stats *s)
{
    return s->expired;
}

static void
write_hook_attempts(struct buf *out, const struct webhook_stats *s, struct str uuid)
{
    for (int r = 0; r < WEBHOOK_RESULTS; r++) {
        struct prometheus_label labels[] = {
            {"webhook", uuid}, {"outcome", str_from(webhook_result_name((enum webhook_result) r))}};
        prometheus_u64(out, "taskhook_webhook_attempts_total", PROMETHEUS_LABELS(labels),
                       s->results[r]);
    }
}

static void
write_hook_age(struct buf *out, const struct webhook_stats *s, struct str uuid)
{
    struct prometheus_label labels[] = {{"webhook", uuid}};
    prometheus_seconds(out, "taskhook_webhook_oldest_owed_seconds", PROMETHEUS_LABELS(labels),
                       (uint64_t) s->oldest_owed_ms * 1000);
}

static void
write_hook_state(struct buf *out, const struct webhook_stats *s, struct str uuid)
{
    struct prometheus_label labels[] = {{"webhook", uuid}, {"state", str_from(s->state)}};
    prometheus_u64(out, "taskhook_webhook_state", PROMETHEUS_LABELS(labels), 1);
}

static void
write_hook_latency(struct buf *out, const struct webhook_stats *s, struct str uuid)
{
    static const struct histogram_bounds bounds = {.n = WEBHOOK_LATENCY_BUCKETS - 1,
                                                   .values = webhook_latency_bounds_us};
    struct histogram h = {.bounds = &bounds, .sum = s->latency_sum_us};
    struct prometheus_label labels[] = {{"webhook", uuid}};
    memcpy(h.counts, s->latency, sizeof(s->latency));
    prometheus_histogram(out, "taskhook_webhook_attempt_seconds", PROMETHEUS_LABELS(labels), &h,
                         true);
}

static void
write_hook_samples(struct buf *out, const struct hooks *hooks,
                   void (*write)(struct buf *out, const struct webhook_stats *s, struct str uuid))
{
    for (size_t i = 0; i < hooks->n; i++) {
        char uuid[UUID_TEXT_LEN + 1];
        uuid_format(&hooks->items[i].uuid, uuid);
        write(out, &hooks->items[i], str_from(uuid));
    }
}

static int
write_webhooks(struct metrics *m, struct store_txn *txn, struct buf *out)
{
    struct hooks *hooks = mem_new(1, sizeof(*hooks));
    struct webhooks_stats all = webhooks_stats(m->api->webhooks);
    (void) txn;
    hooks->n = webhooks_stats_each(m->api->webhooks, hooks->items);
    prometheus_head(out, "taskhook_queue_pause_seconds_total", "counter",
                    "How long the queue has waited for first attempts of webhooks");
    prometheus_seconds(out, "taskhook_queue_pause_seconds_total", PROMETHEUS_NO_LABELS,
                       all.pause_us);
    counter(out, "taskhook_events_total", "Events stored for webhooks", all.events);
    write_hook_values(out, hooks, "taskhook_webhook_pending", "gauge",
                      "Deliveries owed to a webhook", pending_of);
    write_hook_values(out, hooks, "taskhook_webhook_in_flight", "gauge", "Attempts under way",
                      in_flight_of);
    prometheus_head(out, "taskhook_webhook_oldest_owed_seconds", "gauge",
                    "Age of the oldest delivery that is owed");
    write_hook_samples(out, hooks, write_hook_age);
    prometheus_head(out, "taskhook_webhook_state", "gauge", "The state that a webhook is in: 1");
    write_hook_samples(out, hooks, write_hook_state);
    prometheus_head(out, "taskhook_webhook_attempts_total", "counter", "Attempts by their outcome");
    write_hook_samples(out, hooks, write_hook_attempts);
    write_hook_values(out, hooks, "taskhook_webhook_exhausted_total", "counter",
                      "Deliveries given up after their last attempt", exhausted_of);
    write_hook_values(out, hooks, "taskhook_webhook_expired_total", "counter",
                      "Deliveries that a disabled webhook was owed for too long", expired_of);
    prometheus_head(out, "taskhook_webhook_attempt_seconds", "histogram",
                    "Attempts by their duration");
    write_hook_samples(out, hooks, write_hook_latency);
    free(hooks);
    return 0;
}

/* --- webhooks of providers */

static int
write_inbound(struct metrics *m, struct store_txn *txn, struct buf *out)
{
    static const char name[] = "taskhook_inbound_requests_total";
    struct inbound_stats stats = inbound_stats(m->api->inbound);
    const struct {
        const char *outcome;
        uint64_t n;
    } rows[] = {
        {"handled", stats.handled},
        {"duplicate", stats.duplicates},
        {"ignored", stats.ignored},
        {"refused", stats.refused},
    };
    (void) txn; /* figures of this process */
    prometheus_head(out, name, "counter", "Webhooks of providers by what became of them");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct prometheus_label outcome[] = {{"outcome", str_from(rows[i].outcome)}};
        prometheus_u64(out, name, PROMETHEUS_LABELS(outcome), rows[i].n);
    }
    counter(out, "taskhook_inbound_signed_bytes_total",
            "Bytes that were hashed to check signatures of providers",
            stats.work.hmac_bytes + stats.work.ed25519_bytes);
    return 0;
}

/* --- the generator */

static int (*const sections[])(struct metrics *m, struct store_txn *txn, struct buf *out) = {
    write_http,    write_documents, write_sizes,  write_task_counts, write_queue_size, write_queue,
    write_batches, write_searches,  write_engine, write_webhooks,    write_inbound,
};
enum { SECTIONS = sizeof(sections) / sizeof(sections[0]) };

/* 1: more follows, 0: complete, negative. */
static int
run(struct metrics *m, struct store_txn *txn, struct buf *out, int64_t deadline_us)
{
    while (m->section < SECTIONS) {
        int rc = sections[m->section](m, txn, out);
        if (rc < 0)
            return rc;
        m->has_begun = rc > 0;
        if (rc == 0) {
            m->section++;
            buf_clear(&m->after);
        }
        if (m->section < SECTIONS && reply_piece_is_full(out, deadline_us))
            return 1;
    }
    return 0;
}

static enum http_piece
make(void *arg, struct buf *out, int64_t deadline_us)
{
    struct metrics *m = arg;
    struct store_txn *txn = turn_read(m->api->turn);
    int rc = txn == NULL ? STORE_EIO : run(m, txn, out, deadline_us);
    store_abort(txn);
    return rc < 0 ? HTTP_PIECE_FAILED : rc == 0 ? HTTP_PIECE_LAST : HTTP_PIECE_MORE;
}

static void
release(void *arg)
{
    struct metrics *m = arg;
    buf_done(&m->after);
    free(m);
}

static enum http_result
metrics_get(struct http_call *call)
{
    uint32_t enabled;
    if (features_enabled(call, &enabled) < 0 ||
        feature_require(enabled, FEATURE_METRICS, "Getting metrics", &call->err) < 0)
        return HTTP_ERROR;
    struct auth_grant grant = handler_grant(call);
    if (!grant.sees_all_indexes) {
        err_set(&call->err, ERR_INVALID_API_KEY,
                "The provided API key is invalid. The API key for the `/metrics` route must allow "
                "access to all indexes.");
        return HTTP_ERROR;
    }
    struct metrics *m = mem_new(1, sizeof(*m));
    m->api = handler_api(call);
    http_reply_pieces(call, 200, PROMETHEUS_CONTENT_TYPE, make, release, m);
    return HTTP_DONE;
}

static const struct route rows[] = {
    {.method = HTTP_GET,
     .pattern = "/metrics",
     .action = "metrics.get",
     .handler = metrics_get,
     .answer = "text/plain",
     .summary = "Figures for Prometheus"},
};
const struct route_table metrics_routes = ROUTE_TABLE(rows);
