/* Where the rows of a report come from: documents, tasks, deliveries. Opens a read transaction a
 * slice, never longer. Documents cannot change meanwhile: a report is a batch of its own. */
#include "queue/queue.h"
#include "report/reports_internal.h"
#include "webhook/deliveries.h"

int
source_begin(struct source *s)
{
    if (s->kind == REPORT_OF_DOCUMENTS)
        return index_reader_open(&s->reader, s->index);
    s->txn = turn_read(s->reports->conf.turn);
    return s->txn == NULL ? STORE_EIO : 0;
}

void
source_end(struct source *s)
{
    if (s->kind == REPORT_OF_DOCUMENTS) {
        index_reader_close(&s->reader);
        return;
    }
    store_abort(s->txn);
    s->txn = NULL;
}

static int
next_document(struct source *s, uint64_t from, uint64_t *ret_number, struct str *ret_text)
{
    uint32_t id = 0;
    if (from > UINT32_MAX)
        return 0;
    int rc = index_reader_next(&s->reader, (uint32_t) from, &id, ret_text);
    *ret_number = id;
    return rc;
}

static int
next_task(struct source *s, uint64_t from, uint64_t *ret_number, struct str *ret_text)
{
    struct task t;
    if (from >= TASK_NONE)
        return 0;
    int rc = queue_task_seek(s->reports->conf.queue, s->txn, (uint32_t) from, true, &t);
    if (rc != 1)
        return rc;
    buf_clear(&s->text);
    task_write_json(&s->text, &t);
    *ret_number = t.uid;
    *ret_text = buf_str(&s->text);
    task_done(&t);
    return 1;
}

static int
next_delivery(struct source *s, uint64_t from, uint64_t *ret_number, struct str *ret_text)
{
    buf_clear(&s->text);
    int rc = deliveries_next(s->txn, from, ret_number, &s->text);
    *ret_text = buf_str(&s->text);
    return rc;
}

int
source_next(struct source *s, uint64_t from, uint64_t *ret_number, struct str *ret_text)
{
    switch (s->kind) {
    case REPORT_OF_TASKS:
        return next_task(s, from, ret_number, ret_text);
    case REPORT_OF_DELIVERIES:
        return next_delivery(s, from, ret_number, ret_text);
    default:
        return next_document(s, from, ret_number, ret_text);
    }
}

uint64_t
source_total(struct source *s)
{
    uint64_t n = 0;
    if (s->kind == REPORT_OF_DOCUMENTS)
        return index_reader_count(&s->reader);
    if (s->kind == REPORT_OF_TASKS)
        return queue_task_total(s->reports->conf.queue, s->txn);
    return store_count(s->txn, TABLE_DELIVERIES, &n) < 0 ? 0 : n;
}

const char *const *
source_columns(enum report_source kind, size_t *ret_n)
{
    static const char *const tasks[] = {"uid",      "batchUid",   "indexUid",  "type",
                                        "status",   "canceledBy", "details",   "error",
                                        "duration", "enqueuedAt", "startedAt", "finishedAt"};
    static const char *const deliveries[] = {
        "id",          "webhookUuid", "eventId",   "eventType",     "batchUid",  "tasks",
        "sequence",    "state",       "cause",     "part",          "parts",     "attemptCount",
        "lastOutcome", "lastStatus",  "createdAt", "nextAttemptAt", "finishedAt"};
    *ret_n = kind == REPORT_OF_TASKS ? sizeof(tasks) / sizeof(tasks[0])
                                     : sizeof(deliveries) / sizeof(deliveries[0]);
    return kind == REPORT_OF_TASKS ? tasks : deliveries;
}
