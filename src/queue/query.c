/* Answering queries from the stored sets, with what they do not say yet laid over them: the running
 * batch, results that are being moved, index uids that are being exchanged, tasks that are being
 * deleted. The overlays are read.c's, for sets. Changes nothing. */
#include "queue/query.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "queue/marks.h"
#include "store/rec.h"

struct selection {
    struct queue *queue;
    struct task_query query;
    bool of_batches;
    /* resolved lists: members are what is selected, so of_uids of tasks is the list itself */
    struct uidmap of_uids, of_batch_uids, of_canceled_by;
    size_t at_uid, at_batch_uid, at_canceled_by;
};

bool
task_query_is_all(const struct task_query *query)
{
    return query->statuses == UINT32_MAX && query->types == UINT32_MAX && query->uids == NULL &&
           query->batch_uids == NULL && query->canceled_by == NULL && query->index_uids == NULL &&
           time_range_is_all(&query->enqueued) && time_range_is_all(&query->started) &&
           time_range_is_all(&query->finished);
}

struct selection *
selection_new(struct queue *q, const struct task_query *query, bool of_batches)
{
    struct selection *s = mem_new(1, sizeof(*s));
    s->queue = q;
    s->query = *query;
    s->of_batches = of_batches;
    return s;
}

void
selection_free(struct selection *s)
{
    if (s == NULL)
        return;
    uidmap_done(&s->of_uids);
    uidmap_done(&s->of_batch_uids);
    uidmap_done(&s->of_canceled_by);
    free(s);
}

static bool
has_value(const uint32_t *sorted, size_t n, uint32_t value)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sorted[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && sorted[low] == value;
}

/* --- preparing: the lists */

static int
add_set(struct store_txn *txn, enum set_kind kind, uint32_t number, struct uidmap *add_to)
{
    struct set_id id = {.kind = kind, .number = number};
    struct bits bits;
    uint32_t chunk;
    int rc;
    for (uint32_t at = 0; (rc = sets_seek(txn, &id, at, true, &chunk)) > 0; at = chunk + 1) {
        rc = sets_read(txn, &id, chunk, &bits);
        if (rc < 0)
            break;
        bits_or(uidmap_at(add_to, chunk), &bits);
    }
    return rc;
}

/* The batch of a task, when it is of the kind (KIND_COUNT: any). */
static int
add_batch_of(struct selection *s, struct store_txn *txn, uint32_t uid, enum task_kind kind,
             struct uidmap *add_to)
{
    struct task t;
    int rc = queue_task_get(s->queue, txn, uid, &t);
    if (rc <= 0)
        return rc;
    if (t.batch_uid != TASK_NONE && (kind == KIND_COUNT || t.kind == kind))
        uidmap_add(add_to, t.batch_uid);
    task_done(&t);
    return 0;
}

static int
resolve_uid(struct selection *s, struct store_txn *txn, uint32_t uid)
{
    if (s->of_batches)
        return add_batch_of(s, txn, uid, KIND_COUNT, &s->of_uids);
    uidmap_add(&s->of_uids, uid);
    return 0;
}

static int
resolve_batch_uid(struct selection *s, struct store_txn *txn, uint32_t uid)
{
    if (!s->of_batches)
        return add_set(txn, SET_BATCH, uid, &s->of_batch_uids);
    uidmap_add(&s->of_batch_uids, uid);
    return 0;
}

static int
resolve_canceled_by(struct selection *s, struct store_txn *txn, uint32_t uid)
{
    if (!s->of_batches)
        return add_set(txn, SET_CANCELER, uid, &s->of_canceled_by);
    return add_batch_of(s, txn, uid, KIND_TASK_CANCELATION, &s->of_canceled_by);
}

int
selection_prepare(struct selection *s, struct store_txn *txn, int64_t deadline_us)
{
    const struct {
        const uint32_t *values;
        size_t n, *at;
        int (*resolve)(struct selection *s, struct store_txn *txn, uint32_t uid);
    } lists[] = {
        {s->query.uids, s->query.n_uids, &s->at_uid, resolve_uid},
        {s->query.batch_uids, s->query.n_batch_uids, &s->at_batch_uid, resolve_batch_uid},
        {s->query.canceled_by, s->query.n_canceled_by, &s->at_canceled_by, resolve_canceled_by},
    };
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        while (lists[i].values != NULL && *lists[i].at < lists[i].n) {
            int rc = lists[i].resolve(s, txn, lists[i].values[(*lists[i].at)++]);
            if (rc < 0)
                return rc;
            if (*lists[i].at % SLICE_CHECK_EVERY == 0 && clock_mono_us() >= deadline_us)
                return 1;
        }
    }
    return 0;
}

/* --- walking the chunks */

static int
seek_stored(struct selection *s, struct store_txn *txn, uint32_t at, bool ascending,
            uint32_t *ret_chunk)
{
    uint32_t from = ascending ? bits_uid(at, 0) : bits_uid(at, BITS_COUNT - 1), uid;
    int rc =
        queue_find_uid(txn, s->of_batches ? TABLE_BATCHES : TABLE_TASKS, from, ascending, &uid);
    const struct run *r = s->queue->run;
    if (rc >= 0 && s->of_batches && r != NULL && r->is_visible) {
        uint32_t running = r->pub.batch_uid; /* its row is not there yet */
        if ((ascending ? running >= from : running <= from) &&
            (rc == 0 || (ascending ? running < uid : running > uid))) {
            uid = running;
            rc = 1;
        }
    }
    if (rc > 0)
        *ret_chunk = bits_chunk(uid);
    return rc;
}

int
selection_seek(struct selection *s, struct store_txn *txn, uint32_t at, bool ascending,
               uint32_t *ret_chunk)
{
    const struct uidmap *m = s->query.uids != NULL                          ? &s->of_uids
                             : s->of_batches && s->query.batch_uids != NULL ? &s->of_batch_uids
                                                                            : NULL;
    if (m == NULL)
        return seek_stored(s, txn, at, ascending, ret_chunk);
    return uidmap_seek_chunk(m, at, ascending, ret_chunk);
}

/* --- one chunk */

/* What is laid over the stored sets in a chunk. */
struct overlay {
    uint32_t chunk;
    struct bits running;                      /* members of the running batch */
    struct bits results;                      /* tasks whose results are being moved */
    struct bits result_by[TASK_STATUS_COUNT]; /* the same by final status */
    bool has_running, has_results;
};

static int
read_status(struct store_txn *txn, enum set_kind kind, uint32_t status, uint32_t chunk,
            struct bits *ret)
{
    struct set_id id = {.kind = kind, .number = status};
    return sets_read(txn, &id, chunk, ret);
}

static int
overlay_results(struct selection *s, struct store_txn *txn, struct overlay *o)
{
    for (uint32_t status = 0; s->queue->is_applying && status < TASK_STATUS_COUNT; status++) {
        int rc = read_status(txn, SET_RESULT_STATUS, status, o->chunk, &o->result_by[status]);
        if (rc < 0)
            return rc;
        bits_or(&o->results, &o->result_by[status]);
        o->has_results = o->has_results || rc > 0;
    }
    return 0;
}

/* Only what is still stored as enqueued shows as processing. */
static int
overlay_running(struct selection *s, struct store_txn *txn, struct overlay *o)
{
    struct bits enqueued;
    const struct run *r = s->queue->run;
    if (r == NULL || !r->is_visible || !run_fill_picked(r, o->chunk, &o->running))
        return 0;
    int rc = read_status(txn, SET_STATUS, TASK_ENQUEUED, o->chunk, &enqueued);
    bits_and(&o->running, &enqueued);
    bits_and_not(&o->running, &o->results);
    o->has_running = true;
    return rc;
}

/* The bits of one status with the overlay. */
static int
add_status(struct store_txn *txn, const struct overlay *o, uint32_t status, struct bits *add_to)
{
    struct bits bits;
    int rc = read_status(txn, SET_STATUS, status, o->chunk, &bits);
    if (rc < 0)
        return rc;
    if (o->has_results) {
        bits_and_not(&bits, &o->results);
        bits_or(&bits, &o->result_by[status]);
    }
    if (o->has_running && status == TASK_ENQUEUED)
        bits_and_not(&bits, &o->running);
    if (o->has_running && status == TASK_PROCESSING)
        bits_or(&bits, &o->running);
    bits_or(add_to, &bits);
    return 0;
}

/* Any of the values of an enum, for sets without an overlay. */
static int
add_values(struct store_txn *txn, enum set_kind kind, uint32_t values, uint32_t chunk,
           struct bits *add_to)
{
    int rc = 0;
    for (uint32_t i = 0; i < 32 && rc >= 0; i++) {
        struct bits bits;
        if ((values >> i & 1) == 0 ||
            i >= (kind == SET_TYPE || kind == SET_BATCH_TYPE ? KIND_COUNT : TASK_STATUS_COUNT))
            continue;
        rc = read_status(txn, kind, i, chunk, &bits);
        bits_or(add_to, &bits);
    }
    return rc < 0 ? rc : 0;
}

static int
select_statuses(struct selection *s, struct store_txn *txn, const struct overlay *o,
                struct bits *ret)
{
    int rc = 0;
    if (s->of_batches)
        return add_values(txn, SET_BATCH_STATUS, s->query.statuses, o->chunk, ret);
    for (uint32_t i = 0; i < TASK_STATUS_COUNT && rc == 0; i++)
        if (s->query.statuses >> i & 1)
            rc = add_status(txn, o, i, ret);
    return rc;
}

static int
select_types(struct selection *s, struct store_txn *txn, const struct overlay *o, struct bits *ret)
{
    return add_values(txn, s->of_batches ? SET_BATCH_TYPE : SET_TYPE, s->query.types, o->chunk,
                      ret);
}

static int
select_indexes(struct selection *s, struct store_txn *txn, const struct overlay *o,
               struct bits *ret)
{
    int rc = 0;
    for (size_t i = 0; i < s->query.n_index_uids && rc >= 0; i++) {
        struct bits bits;
        struct set_id id = {.kind = s->of_batches ? SET_BATCH_INDEX : SET_INDEX,
                            .name = s->query.index_uids[i]};
        rc = s->of_batches ? sets_read(txn, &id, o->chunk, &bits)
                           : rename_read_index(s->queue, txn, id.name, o->chunk, &bits);
        bits_or(ret, &bits);
    }
    return rc < 0 ? rc : 0;
}

static void
add_listed(const struct uidmap *m, uint32_t chunk, struct bits *ret)
{
    const struct bits *listed = uidmap_find(m, chunk);
    if (listed != NULL)
        bits_or(ret, listed);
}

static int
select_uids(struct selection *s, struct store_txn *txn, const struct overlay *o, struct bits *ret)
{
    (void) txn; /* resolved before */
    add_listed(&s->of_uids, o->chunk, ret);
    return 0;
}

static int
select_batch_uids(struct selection *s, struct store_txn *txn, const struct overlay *o,
                  struct bits *ret)
{
    const struct task_query *q = &s->query;
    (void) txn; /* resolved before */
    add_listed(&s->of_batch_uids, o->chunk, ret);
    if (s->of_batches)
        return 0;
    if (o->has_results && has_value(q->batch_uids, q->n_batch_uids, s->queue->applying.batch_uid))
        bits_or(ret, &o->results);
    if (o->has_running && has_value(q->batch_uids, q->n_batch_uids, s->queue->run->pub.batch_uid))
        bits_or(ret, &o->running);
    return 0;
}

static int
select_canceled_by(struct selection *s, struct store_txn *txn, const struct overlay *o,
                   struct bits *ret)
{
    const struct task_query *q = &s->query;
    (void) txn; /* resolved before */
    add_listed(&s->of_canceled_by, o->chunk, ret);
    if (!s->of_batches && o->has_results &&
        has_value(q->canceled_by, q->n_canceled_by, s->queue->applying.canceler))
        bits_or(ret, &o->result_by[TASK_CANCELED]);
    return 0;
}

/* Tasks of the running batch, and those whose results are being moved, share their times. */
static int
select_time(struct selection *s, struct store_txn *txn, const struct overlay *o,
            enum time_column column, struct bits *ret)
{
    bool is_start = column == TIME_STARTED;
    const struct time_range *range = is_start ? &s->query.started : &s->query.finished;
    const struct applying *a = &s->queue->applying;
    int rc = times_select(txn, column, range, o->chunk, ret);
    if (rc == 0 && o->has_results) {
        bits_and_not(ret, &o->results);
        if (time_range_has(range, is_start ? a->started_at_ns : a->finished_at_ns))
            bits_or(ret, &o->results);
    }
    if (rc == 0 && o->has_running && is_start &&
        time_range_has(range, s->queue->run->pub.started_at_ns))
        bits_or(ret, &o->running);
    return rc;
}

static int
select_enqueued(struct selection *s, struct store_txn *txn, const struct overlay *o,
                struct bits *ret)
{
    const struct time_range *range = &s->query.enqueued;
    if (!s->of_batches)
        return times_select(txn, TIME_ENQUEUED, range, o->chunk, ret);
    int rc = times_select(txn, TIME_BATCH_FIRST_ENQUEUED, range, o->chunk, ret);
    return rc < 0 ? rc : times_select(txn, TIME_BATCH_LAST_ENQUEUED, range, o->chunk, ret);
}

static int
select_started(struct selection *s, struct store_txn *txn, const struct overlay *o,
               struct bits *ret)
{
    if (s->of_batches)
        return times_select(txn, TIME_BATCH_STARTED, &s->query.started, o->chunk, ret);
    return select_time(s, txn, o, TIME_STARTED, ret);
}

static int
select_finished(struct selection *s, struct store_txn *txn, const struct overlay *o,
                struct bits *ret)
{
    if (s->of_batches)
        return times_select(txn, TIME_BATCH_FINISHED, &s->query.finished, o->chunk, ret);
    return select_time(s, txn, o, TIME_FINISHED, ret);
}

/* --- the running batch among the batches: in no set yet */

static bool
counts_pass(const uint32_t *counts, unsigned n, uint32_t values)
{
    for (unsigned i = 0; i < n; i++)
        if (counts[i] > 0 && (values >> i & 1) != 0)
            return true;
    return values == UINT32_MAX;
}

static bool
indexes_pass(const struct task_query *query, const struct batch *b)
{
    for (size_t i = 0; i < query->n_index_uids; i++)
        for (uint32_t k = 0; k < b->n_indexes; k++)
            if (str_is(query->index_uids[i], b->index_uids[k]))
                return true;
    return query->index_uids == NULL;
}

static bool
running_passes(const struct selection *s, const struct batch *b)
{
    const struct task_query *q = &s->query;
    return counts_pass(b->by_status, TASK_STATUS_COUNT, q->statuses) &&
           counts_pass(b->by_kind, KIND_COUNT, q->types) && indexes_pass(q, b) &&
           (q->uids == NULL || uidmap_has(&s->of_uids, b->uid)) &&
           (q->batch_uids == NULL || uidmap_has(&s->of_batch_uids, b->uid)) &&
           (q->canceled_by == NULL || uidmap_has(&s->of_canceled_by, b->uid)) &&
           (time_range_is_all(&q->enqueued) ||
            time_range_has(&q->enqueued, b->first_enqueued_at_ns) ||
            time_range_has(&q->enqueued, b->last_enqueued_at_ns)) &&
           (time_range_is_all(&q->started) || time_range_has(&q->started, b->started_at_ns)) &&
           time_range_is_all(&q->finished);
}

static void
put_running(const struct selection *s, struct store_txn *txn, uint32_t chunk, struct bits *ret)
{
    uint8_t bytes[4];
    const struct run *r = s->queue->run;
    if (r == NULL || !r->is_visible || bits_chunk(r->pub.batch_uid) != chunk ||
        store_get(txn, TABLE_BATCHES, key_u32(bytes, r->pub.batch_uid), NULL) != 0)
        return;
    if (running_passes(s, &r->batch))
        bits_put(ret, r->pub.batch_uid, true);
}

/* --- together */

static int
take_off_deleted(struct selection *s, struct store_txn *txn, uint32_t chunk, struct bits *ret)
{
    struct bits deleted;
    struct set_id id = {.kind = s->of_batches ? SET_DELETED_BATCH : SET_DELETED};
    if (!s->queue->is_deleting)
        return 0;
    int rc = sets_read(txn, &id, chunk, &deleted);
    if (rc > 0)
        bits_and_not(ret, &deleted);
    return rc < 0 ? rc : 0;
}

typedef int select_fn(struct selection *s, struct store_txn *txn, const struct overlay *o,
                      struct bits *ret);

/* Whatever exists has a status: their row stands for all that is there. */
static int
select_all(struct selection *s, struct store_txn *txn, const struct overlay *o, struct bits *ret)
{
    const struct task_query *q = &s->query;
    const struct {
        bool is_wanted;
        select_fn *select;
    } parts[] = {
        {q->uids != NULL, select_uids},
        {q->batch_uids != NULL, select_batch_uids},
        {q->canceled_by != NULL, select_canceled_by},
        {true, select_statuses},
        {q->types != UINT32_MAX, select_types},
        {q->index_uids != NULL, select_indexes},
        {!time_range_is_all(&q->enqueued), select_enqueued},
        {!time_range_is_all(&q->started), select_started},
        {!time_range_is_all(&q->finished), select_finished},
    };
    bits_clear(ret);
    bits_fill(ret, 0, BITS_COUNT - 1);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        struct bits part;
        if (!parts[i].is_wanted)
            continue;
        bits_clear(&part);
        int rc = parts[i].select(s, txn, o, &part);
        if (rc < 0)
            return rc;
        bits_and(ret, &part);
        if (bits_is_empty(ret))
            break;
    }
    return 0;
}

int
selection_read(struct selection *s, struct store_txn *txn, uint32_t chunk, struct bits *ret)
{
    struct overlay o = {.chunk = chunk};
    int rc = s->of_batches ? 0 : overlay_results(s, txn, &o);
    if (rc >= 0 && !s->of_batches)
        rc = overlay_running(s, txn, &o);
    if (rc >= 0)
        rc = select_all(s, txn, &o, ret);
    if (rc >= 0)
        rc = take_off_deleted(s, txn, chunk, ret);
    if (rc >= 0 && s->of_batches)
        put_running(s, txn, chunk, ret);
    return rc < 0 ? rc : 0;
}
