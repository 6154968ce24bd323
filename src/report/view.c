/* Looking at reports: record and task together, and the status document. */
#include <stdlib.h>

#include "base/mem.h"
#include "codec/digest.h"
#include "report/reports_internal.h"
#include "store/rec.h"

static const char *const state_words[] = {
    [REPORT_PENDING] = "pending",     [REPORT_PROCESSING] = "processing",
    [REPORT_COMPLETED] = "completed", [REPORT_FAILED] = "failed",
    [REPORT_CANCELED] = "canceled",   [REPORT_REMOVED] = "completed",
};

void
report_view_done(struct report_view *v)
{
    free(v->report_type);
    free(v->index_uid);
    err_done(&v->error);
    *v = (struct report_view){0};
}

bool
report_is_finished(const struct report_view *v)
{
    return v->state != REPORT_PENDING && v->state != REPORT_PROCESSING;
}

static void
write_etag(char out[40], const uint8_t digest[16])
{
    struct buf text = BUF_INIT;
    hex_encode(&text, str_make(digest, 16));
    out[0] = '"';
    memcpy(out + 1, text.data, text.len);
    memcpy(out + 1 + text.len, "\"", 2);
    buf_done(&text);
}

/* What only the task knows. */
static int
add_task(struct reports *r, struct store_txn *txn, struct report_view *v)
{
    struct task t;
    int rc = queue_task_get(r->conf.queue, txn, v->uid, &t);
    if (rc != 1)
        return rc;
    v->started_at_ns = t.started_at_ns;
    if (v->state == REPORT_PENDING && t.status == TASK_PROCESSING) {
        v->state = REPORT_PROCESSING;
        if (r->running != NULL && r->running->members[0].uid == v->uid) {
            const struct progress_step *step = batch_run_step_of(r->running, 1);
            v->done = step == NULL ? 0 : step->finished;
            v->total = step == NULL ? 0 : step->total;
        }
    }
    task_done(&t);
    return 0;
}

static int
view_of(struct reports *r, struct store_txn *txn, uint32_t uid, struct str value,
        struct report_view *ret)
{
    struct report_record record = {0};
    int rc = report_record_decode(&record, value);
    if (rc < 0)
        return rc;
    *ret = (struct report_view){
        .uid = uid,
        .state = record.state,
        .report_type = record.report_type,
        .index_uid = record.index_uid,
        .format = record.format->name,
        .media_type = record.format->media_type,
        .extension = record.format->extension,
        .source = record.source,
        .callback = record.callback,
        .error = record.error,
        .created_at_ns = record.created_at_ns,
        .finished_at_ns = record.finished_at_ns,
        .expires_at_ns = record.expires_at_ns,
        .n_rows = record.n_rows,
        .n_bytes = record.n_bytes,
    };
    if (record.state == REPORT_COMPLETED)
        write_etag(ret->etag, record.digest);
    rc = add_task(r, txn, ret);
    if (rc < 0)
        report_view_done(ret);
    return rc < 0 ? rc : 1;
}

int
reports_get(struct reports *r, uint32_t uid, struct report_view *ret)
{
    uint8_t key[4];
    struct str value;
    struct store_txn *txn = turn_read(r->conf.turn);
    if (txn == NULL)
        return STORE_EIO;
    int rc = store_get(txn, TABLE_REPORTS, key_u32(key, uid), &value);
    if (rc == 1)
        rc = view_of(r, txn, uid, value, ret);
    store_abort(txn);
    return rc;
}

int
reports_seek(struct reports *r, uint32_t at, struct report_view *ret)
{
    uint8_t key[4];
    struct store_cursor c = {0};
    struct store_txn *txn = turn_read(r->conf.turn);
    int rc = txn == NULL ? STORE_EIO : store_cursor_open(&c, txn, TABLE_REPORTS);
    if (rc == 0) {
        rc = store_cursor_seek(&c, key_u32(key, at));
        if (rc == 0)
            rc = store_cursor_last(&c);
        else if (rc == 1 && key_read_u32(c.key, 0) > at)
            rc = store_cursor_prev(&c);
    }
    if (rc == 1)
        rc = view_of(r, txn, key_read_u32(c.key, 0), c.value, ret);
    store_cursor_close(&c);
    store_abort(txn);
    return rc;
}

/* --- the status document --------------------------------------------------------------------- */

void
report_write_url(struct buf *out, uint32_t uid, const char *what)
{
    buf_addf(out, "/api/reports/%u%s%s", uid, what[0] == '\0' ? "" : "/", what);
}

static void
put_url(struct json_out *j, const char *name, uint32_t uid, const char *what)
{
    struct buf url = BUF_INIT;
    report_write_url(&url, uid, what);
    json_key(j, name);
    json_put_str(j, buf_str(&url));
    buf_done(&url);
}

static void
put_progress(struct json_out *j, const struct report_view *v)
{
    json_key(j, "progress");
    json_begin_object(j);
    json_key(j, "rows");
    json_put_u64(j, v->done);
    json_key(j, "total");
    json_put_u64(j, v->total);
    json_end_object(j);
}

static void
put_result(struct json_out *j, const struct report_view *v)
{
    if (v->state == REPORT_COMPLETED) {
        put_url(j, "resultUrl", v->uid, "download");
        json_key(j, "rows");
        json_put_u64(j, v->n_rows);
        json_key(j, "bytes");
        json_put_u64(j, v->n_bytes);
        json_key(j, "mediaType");
        json_put_cstr(j, v->media_type);
        json_key(j, "expiresAt");
        json_put_time(j, v->expires_at_ns);
    } else {
        json_key(j, "resultUrl");
        json_put_null(j);
    }
    if (v->state == REPORT_REMOVED) {
        json_key(j, "expiredAt");
        json_put_time(j, v->expires_at_ns);
    }
    if (v->state == REPORT_FAILED) {
        json_key(j, "error");
        json_begin_object(j);
        json_key(j, "code");
        json_put_cstr(j, err_name(v->error.code));
        json_key(j, "message");
        json_put_cstr(j, v->error.message);
        json_end_object(j);
    }
}

void
report_write_status(struct buf *out, const struct report_view *v)
{
    struct buf id = BUF_INIT;
    char uuid[UUID_TEXT_LEN + 1];
    struct json_out j = json_out(out);
    buf_add_u64(&id, v->uid);
    json_begin_object(&j);
    json_key(&j, "taskId");
    json_put_str(&j, buf_str(&id));
    json_key(&j, "status");
    json_put_cstr(&j, state_words[v->state]);
    json_key(&j, "reportType");
    json_put_cstr(&j, v->report_type);
    json_key(&j, "format");
    json_put_cstr(&j, v->format);
    if (v->state == REPORT_PROCESSING)
        put_progress(&j, v);
    put_result(&j, v);
    if (!uuid_is_nil(&v->callback)) {
        json_key(&j, "callbackId");
        json_put_cstr(&j, uuid_format(&v->callback, uuid));
    }
    json_key(&j, "createdAt");
    json_put_time(&j, v->created_at_ns);
    json_key(&j, "startedAt");
    json_put_time(&j, v->started_at_ns);
    json_key(&j, "finishedAt");
    json_put_time(&j, v->finished_at_ns);
    json_end_object(&j);
    buf_done(&id);
}
