/* What GET /metrics tells of finished batches: how long the last one was in which step, and what
 * the last one that changed documents did (names and rules are upstream's). */
#include "api/metrics_batches.h"

#include <stdlib.h>

#include "api/prometheus.h"
#include "base/clock.h"
#include "codec/json.h"
#include "queue/query.h"

enum {
    CHUNKS_MAX = 16,   /* of batches looked through for the last one that changed documents */
    SHOWN_MS = 300000, /* it is shown so long after its end, and as long again as it took */
};

/* --- the steps of the last one */

/* "12.34ms" in milliseconds, cut. */
static uint64_t
milliseconds(struct str text)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"s", 1000}, {"ms", 1}, {"µs", 0.001}};
    struct buf copy = BUF_INIT;
    char *unit;
    buf_add_str(&copy, text);
    double value = strtod(buf_cstr(&copy), &unit), ms = 0;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(unit, units[i].unit) == 0)
            ms = value * units[i].ms;
    buf_done(&copy);
    return (uint64_t) ms;
}

static void
write_trace(struct buf *out, const struct batch *b)
{
    static const char name[] = "meilisearch_last_finished_batches_progress_trace_ms";
    struct json_doc *doc = b->trace == NULL ? NULL : json_parse(str_from(b->trace), NULL);
    struct buf uid = BUF_INIT;
    if (doc == NULL)
        return;
    buf_add_u64(&uid, b->uid);
    prometheus_head(out, name, "gauge", "The last few batches progress trace in milliseconds");
    for (struct json_iter it = json_iter(json_root(doc)); json_next(&it);) {
        struct prometheus_label labels[] = {{"batch_uid", buf_str(&uid)}, {"step_name", it.key}};
        prometheus_u64(out, name, PROMETHEUS_LABELS(labels), milliseconds(json_string(it.value)));
    }
    buf_done(&uid);
    json_doc_free(doc);
}

/* 1 with ret, 0, or negative. */
static int
last_finished(struct queue *q, struct store_txn *txn, struct batch *ret)
{
    int rc = queue_batch_seek(q, txn, UINT32_MAX, false, ret);
    if (rc <= 0 || ret->finished_at_ns != 0)
        return rc;
    uint32_t running = ret->uid;
    batch_done(ret);
    return running == 0 ? 0 : queue_batch_seek(q, txn, running - 1, false, ret);
}

/* --- the last one that changed documents */

static int
find_in(struct selection *s, struct store_txn *txn, uint32_t *ret_uid)
{
    uint32_t chunk = bits_chunk(UINT32_MAX);
    int rc = selection_prepare(s, txn, INT64_MAX); /* no list of uids: nothing to prepare */
    for (int i = 0; rc == 0 && i < CHUNKS_MAX; i++) {
        struct bits found;
        rc = selection_seek(s, txn, chunk, false, &chunk);
        if (rc <= 0)
            return rc;
        rc = selection_read(s, txn, chunk, &found);
        if (rc == 0 && !bits_is_empty(&found)) {
            *ret_uid = bits_uid(chunk, bits_seek(&found, BITS_COUNT - 1, false));
            return 1;
        }
        if (chunk-- == 0)
            break;
    }
    return rc < 0 ? rc : 0;
}

static int
last_of_documents(struct queue *q, struct store_txn *txn, struct batch *ret)
{
    struct task_query query = TASK_QUERY_ALL;
    uint32_t uid;
    query.statuses = 1u << TASK_SUCCEEDED;
    query.types = 1u << KIND_DOCUMENT_ADDITION_OR_UPDATE | 1u << KIND_DOCUMENT_EDITION |
                  1u << KIND_DOCUMENT_DELETION;
    struct selection *s = selection_new(q, &query, true);
    int rc = find_in(s, txn, &uid);
    selection_free(s);
    return rc <= 0 ? rc : queue_batch_get(q, txn, uid, ret);
}

static uint64_t
changed_documents(const struct batch *b)
{
    static const char *const names[] = {"indexedDocuments", "editedDocuments", "deletedDocuments"};
    struct json_doc *doc = b->details == NULL ? NULL : json_parse(str_from(b->details), NULL);
    uint64_t sum = 0;
    for (size_t i = 0; doc != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        const struct json *value = json_get_c(json_root(doc), names[i]);
        uint64_t n;
        if (value != NULL && json_to_u64(value, &n))
            sum += n;
    }
    json_doc_free(doc);
    return sum;
}

static void
write_documents(struct buf *out, const struct batch *b)
{
    static const char count[] = "meilisearch_last_indexed_documents_count";
    static const char duration[] = "meilisearch_last_indexed_documents_duration_ms";
    int64_t took_ms = (b->finished_at_ns - b->started_at_ns) / 1000000;
    int64_t age_ms = (clock_wall_ns() - b->finished_at_ns) / 1000000;
    struct buf uid = BUF_INIT;
    if (b->finished_at_ns == 0 || age_ms < 0 || took_ms < 0 || age_ms > took_ms + SHOWN_MS)
        return;
    buf_add_u64(&uid, b->uid);
    struct prometheus_label labels[] = {
        {"batch_uid", buf_str(&uid)},
        {"index", b->n_indexes == 0 ? STR("") : str_from(b->index_uids[0])},
    };
    prometheus_head(out, count, "gauge", "The last number of indexed documents in a batch");
    prometheus_u64(out, count, PROMETHEUS_LABELS(labels), changed_documents(b));
    prometheus_head(out, duration, "gauge",
                    "The duration in ms of the last batch that indexed documents");
    prometheus_u64(out, duration, PROMETHEUS_LABELS(labels), (uint64_t) took_ms);
    buf_done(&uid);
}

int
metrics_write_batches(struct queue *q, struct store_txn *txn, struct buf *out)
{
    struct batch b;
    batch_init(&b);
    int rc = last_finished(q, txn, &b);
    if (rc > 0)
        write_trace(out, &b);
    batch_done(&b);
    if (rc < 0)
        return rc;
    rc = last_of_documents(q, txn, &b);
    if (rc > 0)
        write_documents(out, &b);
    batch_done(&b);
    return rc < 0 ? rc : 0;
}
