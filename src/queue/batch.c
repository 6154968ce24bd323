/* Batches: counting members, the record in the store, the JSON (contract 3). Knows no table. */
#include "queue/batch.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "queue/details.h"
#include "store/rec.h"

/* A new shape of the record means a new version here that batch_decode() reads next to the old.
 * Version 2 adds the trace. */
enum { BATCH_RECORD_VERSION = 2, BATCH_RECORD_WITHOUT_TRACE = 1 };

void
batch_init(struct batch *b)
{
    *b = (struct batch){.uid = TASK_NONE};
}

void
batch_done(struct batch *b)
{
    for (uint32_t i = 0; i < b->n_indexes; i++)
        free(b->index_uids[i]);
    free(b->index_uids);
    free(b->index_counts);
    details_sum_free(b->sum);
    free(b->details);
    free(b->strategy);
    free(b->progress);
    free(b->trace);
    batch_init(b);
}

/* Position of the index uid in the sorted list, or where it belongs. */
static uint32_t
index_at(const struct batch *b, struct str uid, bool *ret_found)
{
    uint32_t low = 0, high = b->n_indexes;
    *ret_found = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = str_compare(str_from(b->index_uids[middle]), uid);
        *ret_found = *ret_found || order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void
insert_index(struct batch *b, uint32_t at, struct str uid, uint32_t count)
{
    uint32_t n = b->n_indexes + 1;
    b->index_uids = mem_grow(b->index_uids, n, sizeof(*b->index_uids));
    b->index_counts = mem_grow(b->index_counts, n, sizeof(*b->index_counts));
    memmove(b->index_uids + at + 1, b->index_uids + at,
            (b->n_indexes - at) * sizeof(*b->index_uids));
    memmove(b->index_counts + at + 1, b->index_counts + at,
            (b->n_indexes - at) * sizeof(*b->index_counts));
    b->index_uids[at] = mem_strndup(uid.data, uid.len);
    b->index_counts[at] = count;
    b->n_indexes = n;
}

static void
count_index(struct batch *b, const char *index_uid)
{
    bool found;
    uint32_t at = index_at(b, str_from(index_uid), &found);
    if (found)
        b->index_counts[at]++;
    else
        insert_index(b, at, str_from(index_uid), 1);
}

void
batch_add_task(struct batch *b, const struct task *t)
{
    if (b->n_tasks == 0 || t->enqueued_at_ns < b->first_enqueued_at_ns)
        b->first_enqueued_at_ns = t->enqueued_at_ns;
    if (b->n_tasks == 0 || t->enqueued_at_ns > b->last_enqueued_at_ns)
        b->last_enqueued_at_ns = t->enqueued_at_ns;
    b->n_tasks++;
    b->by_status[t->status]++;
    b->by_kind[t->kind]++;
    if (t->index_uid != NULL)
        count_index(b, t->index_uid);
    if (t->details == NULL)
        return;
    if (b->sum == NULL)
        b->sum = details_sum_new();
    details_sum_add(b->sum, str_from(t->details), t->kind == KIND_SETTINGS_UPDATE);
}

static char *
render_details(const struct batch *b, bool drop_nulls)
{
    struct buf text = BUF_INIT;
    if (b->sum != NULL)
        details_sum_write(&text, b->sum, drop_nulls);
    else
        buf_add_cstr(&text, b->details != NULL ? b->details : "{}");
    return buf_take(&text);
}

void
batch_finish_details(struct batch *b)
{
    char *details = render_details(b, true);
    details_sum_free(b->sum);
    b->sum = NULL;
    free(b->details);
    b->details = details;
}

void
batch_copy(struct batch *ret, const struct batch *b)
{
    batch_init(ret);
    ret->uid = b->uid;
    ret->started_at_ns = b->started_at_ns;
    ret->finished_at_ns = b->finished_at_ns;
    ret->details = render_details(b, false);
    ret->strategy = mem_strdup(b->strategy);
    ret->progress = mem_strdup(b->progress);
    ret->n_tasks = b->n_tasks;
    memcpy(ret->by_status, b->by_status, sizeof(ret->by_status));
    memcpy(ret->by_kind, b->by_kind, sizeof(ret->by_kind));
    for (uint32_t i = 0; i < b->n_indexes; i++)
        insert_index(ret, i, str_from(b->index_uids[i]), b->index_counts[i]);
}

/* Counts that are not zero, each with its number: enums may grow without a new version. */
static void
encode_counts(struct buf *out, const uint32_t *counts, int n)
{
    uint8_t used = 0;
    for (int i = 0; i < n; i++)
        used = (uint8_t) (used + (counts[i] != 0));
    rec_put_u8(out, used);
    for (int i = 0; i < n; i++) {
        if (counts[i] == 0)
            continue;
        rec_put_u8(out, (uint8_t) i);
        rec_put_u32(out, counts[i]);
    }
}

static void
decode_counts(struct rec *r, uint32_t *counts, int n)
{
    uint8_t used = rec_u8(r);
    for (int i = 0; i < used; i++) {
        uint8_t at = rec_u8(r);
        uint32_t count = rec_u32(r);
        if (at >= n)
            r->failed = true;
        else
            counts[at] = count;
    }
}

void
batch_encode(struct buf *out, const struct batch *b)
{
    rec_put_u8(out, BATCH_RECORD_VERSION);
    rec_put_u32(out, b->uid);
    rec_put_i64(out, b->started_at_ns);
    rec_put_i64(out, b->finished_at_ns);
    rec_put_cstr(out, b->details);
    rec_put_cstr(out, b->strategy);
    rec_put_u32(out, b->n_tasks);
    encode_counts(out, b->by_status, TASK_STATUS_COUNT);
    encode_counts(out, b->by_kind, KIND_COUNT);
    rec_put_u32(out, b->n_indexes);
    for (uint32_t i = 0; i < b->n_indexes; i++) {
        rec_put_str(out, str_from(b->index_uids[i]));
        rec_put_u32(out, b->index_counts[i]);
    }
    rec_put_cstr(out, b->trace);
}

int
batch_decode(struct batch *ret, struct str record)
{
    bool has_trace = record.len == 0 || record.data[0] != BATCH_RECORD_WITHOUT_TRACE;
    struct rec r = rec_open(record, has_trace ? BATCH_RECORD_VERSION : BATCH_RECORD_WITHOUT_TRACE);
    struct batch b;
    batch_init(&b);
    b.uid = rec_u32(&r);
    b.started_at_ns = rec_i64(&r);
    b.finished_at_ns = rec_i64(&r);
    b.details = rec_cstr(&r);
    b.strategy = rec_cstr(&r);
    b.n_tasks = rec_u32(&r);
    decode_counts(&r, b.by_status, TASK_STATUS_COUNT);
    decode_counts(&r, b.by_kind, KIND_COUNT);
    uint32_t n = rec_u32(&r);
    for (uint32_t i = 0; i < n && !r.failed; i++) {
        struct str uid = rec_str(&r);
        insert_index(&b, i, uid, rec_u32(&r));
    }
    if (has_trace)
        b.trace = rec_cstr(&r);
    if (!rec_ok(&r)) {
        batch_done(&b);
        return STORE_ECORRUPT;
    }
    *ret = b;
    return 0;
}

static void
put_counts(struct json_out *j, const char *key, const uint32_t *counts, int n,
           const char *(*name)(int) )
{
    json_key(j, key);
    json_begin_object(j);
    for (int i = 0; i < n; i++) {
        if (counts[i] == 0)
            continue;
        json_key(j, name(i));
        json_put_u64(j, counts[i]);
    }
    json_end_object(j);
}

static const char *
status_name(int i)
{
    return task_status_name((enum task_status) i);
}

static const char *
kind_name(int i)
{
    return task_kind_name((enum task_kind) i);
}

static void
put_stats(struct json_out *j, const struct batch *b)
{
    json_key(j, "stats");
    json_begin_object(j);
    json_key(j, "totalNbTasks");
    json_put_u64(j, b->n_tasks);
    put_counts(j, "status", b->by_status, TASK_STATUS_COUNT, status_name);
    put_counts(j, "types", b->by_kind, KIND_COUNT, kind_name);
    json_key(j, "indexUids");
    json_begin_object(j);
    for (uint32_t i = 0; i < b->n_indexes; i++) {
        json_key(j, b->index_uids[i]);
        json_put_u64(j, b->index_counts[i]);
    }
    json_end_object(j);
    if (b->trace != NULL) {
        json_key(j, "progressTrace");
        json_put_raw(j, str_from(b->trace));
    }
    json_end_object(j);
}

static void
put_duration(struct json_out *j, const struct batch *b)
{
    struct buf text = BUF_INIT;
    json_key(j, "duration");
    if (b->finished_at_ns != 0 &&
        clock_format_duration(&text, b->finished_at_ns - b->started_at_ns))
        json_put_str(j, buf_str(&text));
    else
        json_put_null(j);
    buf_done(&text);
}

void
batch_write_json(struct buf *out, const struct batch *b)
{
    struct json_out j = json_out(out);
    char *details = render_details(b, false);
    json_begin_object(&j);
    json_key(&j, "uid");
    json_put_u64(&j, b->uid);
    json_key(&j, "progress");
    json_put_raw(&j, b->progress != NULL ? str_from(b->progress) : STR("null"));
    json_key(&j, "details");
    json_put_raw(&j, str_from(details));
    put_stats(&j, b);
    put_duration(&j, b);
    json_key(&j, "startedAt");
    json_put_time(&j, b->started_at_ns);
    json_key(&j, "finishedAt");
    json_put_time(&j, b->finished_at_ns);
    json_key(&j, "batchStrategy");
    json_put_cstr(&j, b->strategy != NULL ? b->strategy : "unspecified");
    json_end_object(&j);
    free(details);
}
