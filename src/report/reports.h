#pragma once
/* Report jobs: definitions, the batch operation that makes a report, and what becomes of results.
 *
 *  POST -> task (enqueued) and record (pending), one commit
 *  batch: rows -> [sorted runs] -> format -> file, synced          (run.c)
 *  finish: record (completed | failed | canceled), event and deliveries, one commit
 *  lifetime over, total size exceeded, deleted by hand: record (removed), then the file goes
 *
 * TABLE_REPORTS             task uid u32be     struct report_record
 * TABLE_REPORT_DEFINITIONS  name               definition as JSON */
#include "index/index.h"
#include "ops/ops.h"
#include "report/definition.h"
#include "webhook/webhook.h"

enum {
    REPORTS_UNFINISHED_MAX = 1000,
    REPORT_DEFINITIONS_MAX = 1000,
    REPORT_DEFINITION_MAX_BYTES = 64 * 1024,
    REPORT_RESULTS_MAX = 10000,  /* kept at a time; beyond it the oldest goes */
    REPORT_RECORDS_MAX = 100000, /* also of removed ones; beyond it the oldest are forgotten */
};

struct reports;
struct reports_conf {
    struct loop *loop;
    struct turn *turn;
    struct queue *queue;
    struct index_set *indexes;
    struct webhooks *webhooks;
    const char *data_dir;
    int64_t lifetime_ms;
    uint64_t max_bytes;
};
/* Registers its operation with the queue; removes files that no record knows. NULL with err. */
struct reports *reports_new(const struct reports_conf *conf, struct err *err);
void reports_free(struct reports *r); /* after queue_free; NULL accepted */

/* --- definitions: in this turn's transaction; reply after the commit -------------------------- */
int reports_put_definition(struct reports *r, struct str name, const struct json *body,
                           bool *ret_is_new, struct err *err);
int reports_delete_definition(struct reports *r, struct str name, struct err *err);
/* {"reportType":..,"builtIn":..,"definition":{..}}: 0 or -1 with err. */
int reports_write_definition(struct reports *r, struct str name, struct buf *out, struct err *err);
/* All of them, the built-in ones first. `at` is the cursor, begun with an empty buffer: 1 more, 0
 * the end, negative STORE_E*. */
int reports_write_definitions(struct reports *r, struct buf *at, struct buf *out,
                              int64_t deadline_us);

/* --- adding ----------------------------------------------------------------------------------- */
struct report_request {
    struct str report_type, format;
    const struct json *parameters; /* NULL: none */
    struct uuid callback;          /* nil: none */
};
/* What a request would make: for rights, before it is added. 0, or -1 with err. done() it. */
struct report_plan {
    struct report_definition definition;
    struct buf text; /* of the definition */
};
void report_plan_done(struct report_plan *p);
int reports_plan(struct reports *r, const struct report_request *q, struct report_plan *ret,
                 struct err *err);
int reports_add(struct reports *r, const struct report_request *q, const struct report_plan *p,
                uint32_t *ret_uid, struct err *err);
/* For callbacks_take_url(): whether an unfinished report names that callback. */
bool reports_need_callback(void *reports, const struct uuid *callback);

/* --- looking ---------------------------------------------------------------------------------- */
enum report_state {
    REPORT_PENDING,
    REPORT_PROCESSING,
    REPORT_COMPLETED,
    REPORT_FAILED,
    REPORT_CANCELED,
    REPORT_REMOVED, /* it was completed; the result is gone: lifetime, total size, or deleted */
};
struct report_view {
    uint32_t uid;
    enum report_state state;
    char *report_type, *index_uid; /* owned; index_uid NULL: none */
    const char *format, *media_type, *extension;
    enum report_source source;
    struct uuid callback;
    struct err error; /* of a failed one */
    int64_t created_at_ns, started_at_ns, finished_at_ns, expires_at_ns;
    uint64_t n_rows, n_bytes;
    uint64_t done, total; /* while processing, 0: not known */
    char etag[40];        /* with quotes, "" when there is no result */
};
void report_view_done(struct report_view *v);
/* 1, 0: there is no such report, negative STORE_E*. */
int reports_get(struct reports *r, uint32_t uid, struct report_view *ret);
/* The report with the greatest uid <= at: 1 / 0 / negative. */
int reports_seek(struct reports *r, uint32_t at, struct report_view *ret);
/* {"taskId","status",...}: the status document. */
void report_write_status(struct buf *out, const struct report_view *v);
void report_write_url(struct buf *out, uint32_t uid, const char *what); /* "/api/reports/1/what" */
bool report_is_finished(const struct report_view *v);

/* The bytes of a completed one, mapped: unmap with payload_unmap(). 0, or -1 with err. */
int reports_map(struct reports *r, uint32_t uid, struct str *ret, struct err *err);
/* Removes a result in this turn's transaction: 0 or -1 with err. */
int reports_remove(struct reports *r, uint32_t uid, struct err *err);

/* --- the queue's side: which reports a finishing batch ended, whatever its kind -----------------
 */
void *reports_event_begin(struct reports *r); /* NULL while no report is unfinished */
void reports_event_add(void *builder, const struct task *t);
int reports_event_finish(void *builder, struct store_txn *txn); /* consumes */
void reports_event_discard(void *builder);
