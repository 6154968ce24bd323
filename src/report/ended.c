/* What a finishing batch means for reports: one that ran (completed, failed), and any number that a
 * cancelation ended. Their records and events are part of the finishing commit, so that "finished"
 * means that the callback is on disk too. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "report/reports_internal.h"
#include "webhook/callbacks.h"

struct ended {
    uint32_t uid;
    enum task_status status;
    int64_t finished_at_ns;
    struct err error;
};
struct builder {
    struct reports *reports;
    struct ended *items;
    size_t n, cap;
};

void *
reports_event_begin(struct reports *r)
{
    if (r->n_unfinished == 0)
        return NULL;
    struct builder *b = mem_new(1, sizeof(*b));
    b->reports = r;
    return b;
}

void
reports_event_add(void *builder, const struct task *t)
{
    struct builder *b = builder;
    if (t->kind != KIND_REPORT)
        return;
    if (b->n == b->cap) {
        b->cap = b->cap == 0 ? 4 : b->cap * 2;
        b->items = mem_grow(b->items, b->cap, sizeof(*b->items));
    }
    struct ended *e = &b->items[b->n++];
    *e = (struct ended){.uid = t->uid, .status = t->status, .finished_at_ns = t->finished_at_ns};
    if (err_is_set(&t->error))
        err_copy(&e->error, &t->error);
}

void
reports_event_discard(void *builder)
{
    struct builder *b = builder;
    for (size_t i = 0; i < b->n; i++)
        err_done(&b->items[i].error);
    free(b->items);
    free(b);
}

static enum callback_event
event_of(enum report_state state)
{
    return state == REPORT_COMPLETED ? CALLBACK_COMPLETED
           : state == REPORT_FAILED  ? CALLBACK_FAILED
                                     : CALLBACK_CANCELED;
}

/* Exactly the keys of the contract: taskId, status, resultUrl, and error where there is one. */
static void
write_event(struct buf *out, uint32_t uid, const struct report_record *record)
{
    struct buf text = BUF_INIT;
    struct json_out j = json_out(out);
    json_begin_object(&j);
    buf_add_u64(&text, uid);
    json_key(&j, "taskId");
    json_put_str(&j, buf_str(&text));
    json_key(&j, "status");
    json_put_cstr(&j, record->state == REPORT_COMPLETED ? "completed"
                      : record->state == REPORT_FAILED  ? "failed"
                                                        : "canceled");
    buf_clear(&text);
    report_write_url(&text, uid, "download");
    json_key(&j, "resultUrl");
    if (record->state == REPORT_COMPLETED)
        json_put_str(&j, buf_str(&text));
    else
        json_put_null(&j);
    if (record->state == REPORT_FAILED) {
        json_key(&j, "error");
        json_begin_object(&j);
        json_key(&j, "code");
        json_put_cstr(&j, err_name(record->error.code));
        json_key(&j, "message");
        json_put_cstr(&j, record->error.message);
        json_end_object(&j);
    }
    json_end_object(&j);
    buf_done(&text);
}

static void
settle(const struct reports *r, struct report_record *record, const struct ended *e)
{
    record->state = e->status == TASK_SUCCEEDED ? REPORT_COMPLETED
                    : e->status == TASK_FAILED  ? REPORT_FAILED
                                                : REPORT_CANCELED;
    record->finished_at_ns = e->finished_at_ns;
    if (e->status == TASK_SUCCEEDED)
        record->expires_at_ns = e->finished_at_ns + r->conf.lifetime_ms * 1000000;
    if (e->status == TASK_FAILED)
        err_copy(&record->error, &e->error);
}

/* Room for a new result: the oldest go before their time. */
static int
make_room(struct change *c, struct store_txn *txn, uint64_t n_bytes)
{
    const struct reports *r = c->reports;
    uint64_t bytes = r->n_bytes;
    size_t n = r->n_results;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->n_results; i++) {
        if (bytes + n_bytes <= r->conf.max_bytes && n < REPORT_RESULTS_MAX)
            break;
        rc = reports_drop_result(c, txn, &r->results[i]);
        bytes -= r->results[i].n_bytes;
        n--;
    }
    return rc;
}

static int
end_one(struct change *c, struct store_txn *txn, const struct ended *e)
{
    struct reports *r = c->reports;
    struct report_record record = {0};
    struct buf data = BUF_INIT;
    int rc = report_record_get(txn, e->uid, &record);
    if (rc != 1)
        return rc;
    settle(r, &record, e);
    rc = report_record_put(txn, e->uid, &record);
    if (rc == 0 && record.state == REPORT_COMPLETED) {
        struct result result = {e->uid, record.n_bytes, record.expires_at_ns, record.file};
        rc = make_room(c, txn, record.n_bytes);
        change_keep(c, &result);
    }
    write_event(&data, e->uid, &record);
    if (rc == 0)
        rc = callbacks_emit(r->conf.webhooks, txn, event_of(record.state), buf_str(&data),
                            &record.callback);
    change_end(c, &e->uid);
    buf_done(&data);
    report_record_done(&record);
    return rc;
}

int
reports_event_finish(void *builder, struct store_txn *txn)
{
    struct builder *b = builder;
    int rc = 0;
    if (b->n > 0) {
        struct change *c = change_begin(b->reports);
        for (size_t i = 0; rc >= 0 && i < b->n; i++)
            rc = end_one(c, txn, &b->items[i]);
    }
    if (rc < 0)
        turn_fail(b->reports->conf.turn, rc); /* no half of it may be committed */
    reports_event_discard(b);
    return rc < 0 ? rc : 0;
}
