/* /batches: list, get. A batch is selected by its own facts, and by those of its tasks, which are
 * looked up before the scan. */
#include "api/reply.h"
#include "api/uid_listing.h"
#include "base/clock.h"

/* Batches that the task filters lead to. */
struct batch_sets {
    struct uidset of_uids, of_canceled_by, enqueued_after, enqueued_before;
    bool has_lookups;   /* the first two are complete */
    uint64_t next_task; /* the scan for the other two */
};

static void
item_init(void *item)
{
    batch_init(item);
}

static void
item_done(void *item)
{
    batch_done(item);
}

static int
item_seek(struct queue *q, struct store_txn *txn, uint32_t at, bool ascending, void *item,
          uint32_t *ret_uid)
{
    struct batch *b = item;
    int rc = queue_batch_seek(q, txn, at, ascending, b);
    *ret_uid = b->uid;
    return rc;
}

static void
item_write(struct buf *out, const void *item)
{
    batch_write_json(out, item);
}

/* --- before the scan */

/* Adds the batches of the tasks in list; with only_kind those of that kind (KIND_COUNT: any). */
static int
look_up(struct uid_listing *l, struct store_txn *txn, const struct param_u32s *list,
        enum task_kind only_kind, struct uidset *ret)
{
    for (size_t i = 0; i < list->n; i++) {
        struct task t;
        task_init(&t);
        int rc = queue_task_get(l->queue, txn, list->values[i], &t);
        bool is_wanted = only_kind == KIND_COUNT || t.kind == only_kind;
        if (rc == 1 && is_wanted && t.batch_uid != TASK_NONE)
            uidset_add(ret, t.batch_uid, t.batch_uid);
        task_done(&t);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void
note_enqueued(struct uid_listing *l, const struct task *t)
{
    static const struct param_date none = {0};
    struct batch_sets *sets = l->extra;
    if (t->batch_uid == TASK_NONE)
        return;
    if (param_date_passes(&l->filter.after_enqueued, &none, t->enqueued_at_ns))
        uidset_add(&sets->enqueued_after, t->batch_uid, t->batch_uid);
    if (param_date_passes(&none, &l->filter.before_enqueued, t->enqueued_at_ns))
        uidset_add(&sets->enqueued_before, t->batch_uid, t->batch_uid);
}

/* 1: more follows, 0: complete, negative: store code. */
static int
scan_tasks(struct uid_listing *l, struct store_txn *txn, int64_t deadline_us)
{
    struct batch_sets *sets = l->extra;
    while (sets->next_task < TASK_NONE) {
        struct task t;
        task_init(&t);
        int rc = queue_task_seek(l->queue, txn, (uint32_t) sets->next_task, true, &t);
        if (rc == 1)
            note_enqueued(l, &t);
        sets->next_task = (uint64_t) t.uid + 1;
        task_done(&t);
        if (rc <= 0)
            return rc;
        if (clock_mono_us() >= deadline_us)
            return 1;
    }
    return 0;
}

static int
prepare(struct uid_listing *l, struct store_txn *txn, int64_t deadline_us)
{
    struct batch_sets *sets = l->extra;
    if (!sets->has_lookups) {
        int rc = look_up(l, txn, &l->filter.uids, KIND_COUNT, &sets->of_uids);
        if (rc == 0)
            rc = look_up(l, txn, &l->filter.canceled_by, KIND_TASK_CANCELATION,
                         &sets->of_canceled_by);
        if (rc < 0)
            return rc;
        sets->has_lookups = true;
    }
    if (!l->filter.after_enqueued.is_bound && !l->filter.before_enqueued.is_bound)
        return 0;
    return scan_tasks(l, txn, deadline_us);
}

static void
release(struct uid_listing *l)
{
    struct batch_sets *sets = l->extra;
    uidset_done(&sets->of_uids);
    uidset_done(&sets->of_canceled_by);
    uidset_done(&sets->enqueued_after);
    uidset_done(&sets->enqueued_before);
}

/* --- the predicate */

static bool
passes_counts(const struct param_set *set, const uint32_t *counts, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (counts[i] > 0 && param_set_passes(set, i))
            return true;
    }
    return !set->is_given || set->has_star;
}

static bool
passes_index_uids(const struct param_strs *list, const struct batch *b)
{
    if (!list->is_given || list->has_star)
        return true;
    for (size_t i = 0; i < list->n; i++) {
        for (uint32_t k = 0; k < b->n_indexes; k++) {
            if (str_is(list->values[i], b->index_uids[k]))
                return true;
        }
    }
    return false;
}

static bool
passes_sets(const struct task_filter *f, const struct batch_sets *sets, uint32_t uid)
{
    return (!param_u32s_filters(&f->uids) || uidset_has(&sets->of_uids, uid)) &&
           (!param_u32s_filters(&f->canceled_by) || uidset_has(&sets->of_canceled_by, uid)) &&
           (!f->after_enqueued.is_bound || uidset_has(&sets->enqueued_after, uid)) &&
           (!f->before_enqueued.is_bound || uidset_has(&sets->enqueued_before, uid));
}

static bool
item_matches(const struct uid_listing *l, const void *item)
{
    const struct batch *b = item;
    const struct task_filter *f = &l->filter;
    return (!param_u32s_filters(&f->batch_uids) || param_u32s_has(&f->batch_uids, b->uid)) &&
           passes_counts(&f->types, b->by_kind, KIND_COUNT) &&
           passes_counts(&f->statuses, b->by_status, TASK_STATUS_COUNT) &&
           passes_index_uids(&f->index_uids, b) &&
           param_date_passes(&f->after_started, &f->before_started, b->started_at_ns) &&
           param_date_passes(&f->after_finished, &f->before_finished, b->finished_at_ns) &&
           passes_sets(f, l->extra, b->uid);
}

static bool
item_hides(const struct uid_listing *l, const void *item)
{
    (void) l, (void) item; /* every matching batch is shown */
    return false;
}

static const struct uid_listing_kind batch_kind_of_listing = {
    .item_size = sizeof(struct batch),
    .init = item_init,
    .done = item_done,
    .seek = item_seek,
    .total = queue_batch_total,
    .matches = item_matches,
    .hides = item_hides,
    .write = item_write,
    .prepare = prepare,
    .release = release,
};

/* --- routes */

static enum http_result
batch_list(struct http_call *call)
{
    struct task_filter filter;
    if (task_filter_for_list(call, &filter) < 0)
        return HTTP_ERROR;
    struct uid_listing *l =
        uid_listing_new(call, &batch_kind_of_listing, &filter, sizeof(struct batch_sets));
    struct batch_sets *sets = l->extra;
    uidset_init(&sets->of_uids);
    uidset_init(&sets->of_canceled_by);
    uidset_init(&sets->enqueued_after);
    uidset_init(&sets->enqueued_before);
    if (param_u32s_filters(&l->filter.batch_uids))
        l->candidates = &l->filter.batch_uids;
    return uid_listing_reply(call, l);
}

static enum http_result
batch_get(struct http_call *call)
{
    uint32_t uid;
    struct batch b;
    struct buf body = BUF_INIT;
    if (uid_from_path(call, "Batch", ERR_INVALID_BATCH_UIDS, &uid) < 0)
        return HTTP_ERROR;
    struct store_txn *txn = handler_read(call);
    if (txn == NULL)
        return HTTP_ERROR;
    batch_init(&b);
    int rc = queue_batch_get(handler_api(call)->queue, txn, uid, &b);
    if (rc == 1)
        batch_write_json(&body, &b);
    batch_done(&b);
    store_abort(txn);
    if (rc == 1)
        return reply_json(call, 200, &body);
    if (rc == 0)
        err_set(&call->err, ERR_BATCH_NOT_FOUND, "Batch `%u` not found.", uid);
    else
        handler_store_error(&call->err, rc);
    return HTTP_ERROR;
}

static const struct route rows[] = {
    {.method = HTTP_GET,
     .pattern = "/batches",
     .action = "tasks.get",
     .handler = batch_list,
     .summary = "List batches"},
    {.method = HTTP_GET,
     .pattern = "/batches/{batchUid}",
     .action = "tasks.get",
     .handler = batch_get,
     .summary = "Get one batch"},
};
const struct route_table batch_routes = ROUTE_TABLE(rows);
