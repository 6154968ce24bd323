/* The JSON of a task (contract 2.1, 2.2), rendered here once for the API and the webhooks alike. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "queue/task.h"

/* The counter of details that a kind's task owes when it ends (contract 2.3). */
static const char *const own_counters[KIND_COUNT] = {
    [KIND_DOCUMENT_ADDITION_OR_UPDATE] = "indexedDocuments",
    [KIND_DOCUMENT_EDITION] = "editedDocuments",
    [KIND_DOCUMENT_DELETION] = "deletedDocuments",
    [KIND_INDEX_DELETION] = "deletedDocuments",
    [KIND_TASK_CANCELATION] = "canceledTasks",
    [KIND_TASK_DELETION] = "deletedTasks",
    [KIND_INDEX_DEPLOY] = "indexedDocuments",
};

static void
set_counter(struct task *t, bool is_known)
{
    const char *counter = own_counters[t->kind];
    struct json_doc *doc =
        counter == NULL || t->details == NULL ? NULL : json_parse(str_from(t->details), NULL);
    if (doc == NULL)
        return;
    struct buf text = BUF_INIT;
    struct json_out j = json_out(&text);
    struct json_iter it = json_iter(json_root(doc));
    json_begin_object(&j);
    while (json_next(&it)) {
        json_key_str(&j, it.key);
        if (str_is(it.key, counter)) {
            if (is_known)
                json_put_u64(&j, 0);
            else
                json_put_null(&j);
            continue;
        }
        struct buf value = BUF_INIT;
        json_write(&value, it.value);
        json_put_raw(&j, buf_str(&value));
        buf_done(&value);
    }
    json_end_object(&j);
    json_doc_free(doc);
    free(t->details);
    t->details = buf_take(&text);
}

void
task_fail_details(struct task *t)
{
    set_counter(t, true);
}

void
task_unfinish_details(struct task *t)
{
    set_counter(t, false);
}

static void
put_uid(struct json_out *j, const char *key, uint32_t uid)
{
    json_key(j, key);
    if (uid == TASK_NONE)
        json_put_null(j);
    else
        json_put_u64(j, uid);
}

static void
put_error(struct json_out *j, const struct err *error)
{
    json_key(j, "error");
    if (!err_is_set(error)) {
        json_put_null(j);
        return;
    }
    struct buf text = BUF_INIT;
    err_write_json(&text, error->code, str_from(error->message));
    json_put_raw(j, buf_str(&text));
    buf_done(&text);
}

static void
put_duration(struct json_out *j, int64_t started_at_ns, int64_t finished_at_ns)
{
    struct buf text = BUF_INIT;
    json_key(j, "duration");
    if (started_at_ns != 0 && finished_at_ns != 0 &&
        clock_format_duration(&text, finished_at_ns - started_at_ns))
        json_put_str(j, buf_str(&text));
    else
        json_put_null(j);
    buf_done(&text);
}

static void
put_time(struct json_out *j, const char *key, int64_t wall_ns)
{
    json_key(j, key);
    json_put_time(j, wall_ns);
}

static void
put_text(struct json_out *j, const char *key, const char *text)
{
    json_key(j, key);
    json_put_cstr(j, text);
}

void
task_write_json(struct buf *out, const struct task *t)
{
    struct json_out j = json_out(out);
    json_begin_object(&j);
    put_uid(&j, "uid", t->uid);
    put_uid(&j, "batchUid", t->batch_uid);
    put_text(&j, "indexUid", t->index_uid);
    put_text(&j, "status", task_status_name(t->status));
    put_text(&j, "type", task_kind_name(t->kind));
    put_uid(&j, "canceledBy", t->canceled_by);
    if (t->details != NULL) {
        json_key(&j, "details");
        json_put_raw(&j, str_from(t->details));
    }
    put_error(&j, &t->error);
    put_duration(&j, t->started_at_ns, t->finished_at_ns);
    put_time(&j, "enqueuedAt", t->enqueued_at_ns);
    put_time(&j, "startedAt", t->started_at_ns);
    put_time(&j, "finishedAt", t->finished_at_ns);
    if (t->custom_metadata != NULL)
        put_text(&j, "customMetadata", t->custom_metadata);
    json_end_object(&j);
}

void
task_write_summary(struct buf *out, const struct task *t)
{
    struct json_out j = json_out(out);
    json_begin_object(&j);
    put_uid(&j, "taskUid", t->uid);
    put_text(&j, "indexUid", t->index_uid);
    put_text(&j, "status", task_status_name(t->status));
    put_text(&j, "type", task_kind_name(t->kind));
    put_time(&j, "enqueuedAt", t->enqueued_at_ns);
    if (t->custom_metadata != NULL)
        put_text(&j, "customMetadata", t->custom_metadata);
    json_end_object(&j);
}
