/* The running batch: its members in memory, its progress, and the run record that survives a crash.
 * Knows the op only to give it up. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/queue_internal.h"
#include "store/rec.h"

enum { RUN_RECORD_VERSION = 1 };

/* Also the form of the type in the run record. */
static const char *const type_names[BATCH_TYPES + 1] = {
    [BATCH_DOCUMENTS] = "documents",
    [BATCH_SETTINGS] = "settings",
    [BATCH_INDEX_CREATION] = "index creation",
    [BATCH_INDEX_UPDATE] = "index update",
    [BATCH_INDEX_SWAP] = "index swap",
    [BATCH_INDEX_DELETION] = "index deletion",
    [BATCH_TASK_CANCELATION] = "task cancelation",
    [BATCH_TASK_DELETION] = "task deletion",
    [BATCH_INDEX_DEPLOY] = "index deploy",
    [BATCH_REPORT] = "report",
    [BATCH_INDEX_COMPACTION] = "index compaction",
    [BATCH_TYPES] = "none",
};

const char *
run_type_name(enum batch_type type)
{
    return type_names[type];
}

struct run *
run_new(struct queue *q, enum batch_type type, const uint32_t *uids, size_t n)
{
    struct run *r = mem_new(1, sizeof(*r));
    r->pub.queue = q;
    r->pub.type = type;
    r->pub.op = type < BATCH_TYPES ? q->ops[type].op : NULL;
    r->pub.members = mem_new(n, sizeof(*r->pub.members));
    r->pub.n_members = r->members_cap = n;
    for (size_t i = 0; i < n; i++)
        r->pub.members[i] =
            (struct batch_member){.uid = uids[i], .outcome = TASK_PROCESSING, .is_picked = true};
    batch_init(&r->batch);
    progress_enter(&r->progress, 0, &(struct progress_step){"processing tasks", 0, 2});
    return r;
}

void
run_free(struct run *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->pub.n_members; i++) {
        free(r->pub.members[i].details);
        err_done(&r->pub.members[i].error);
    }
    free(r->pub.members);
    free(r->pub.index_uid);
    err_done(&r->pub.err);
    free(r->strategy);
    batch_done(&r->batch);
    progress_done(&r->progress);
    free(r);
}

/* Position of the first member with uid >= the given one. */
static size_t
member_at(const struct batch_run *run, uint32_t uid)
{
    size_t low = 0, high = run->n_members;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (run->members[middle].uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool
run_has_picked(const struct run *r, uint32_t uid)
{
    size_t at = member_at(&r->pub, uid);
    return at < r->pub.n_members && r->pub.members[at].uid == uid && r->pub.members[at].is_picked;
}

bool
run_intersects(const struct run *r, const struct uidset *set)
{
    for (size_t i = 0; i < set->n; i++) {
        size_t at = member_at(&r->pub, set->ranges[i].first);
        while (at < r->pub.n_members && r->pub.members[at].uid <= set->ranges[i].last) {
            if (r->pub.members[at++].is_picked)
                return true;
        }
    }
    return false;
}

bool
run_is_matched(const struct run *r, const struct uidmap *matched)
{
    for (size_t i = 0; i < matched->n; i++) {
        struct bits picked;
        bits_clear(&picked);
        if (run_fill_picked(r, matched->chunks[i]->number, &picked) &&
            bits_intersect(&picked, &matched->chunks[i]->bits))
            return true;
    }
    return false;
}

bool
run_fill_picked(const struct run *r, uint32_t chunk, struct bits *add_to)
{
    bool has_any = false;
    for (size_t at = member_at(&r->pub, bits_uid(chunk, 0));
         at < r->pub.n_members && bits_chunk(r->pub.members[at].uid) == chunk; at++) {
        if (!r->pub.members[at].is_picked)
            continue;
        bits_put(add_to, r->pub.members[at].uid, true);
        has_any = true;
    }
    return has_any;
}

void
batch_run_add_member(struct batch_run *run, uint32_t uid, enum task_status outcome,
                     char *take_details)
{
    struct run *r = (struct run *) run;
    size_t at = member_at(run, uid);
    if (at < run->n_members && run->members[at].uid == uid) {
        free(take_details); /* it is a member already: its own outcome counts */
        return;
    }
    if (run->n_members == r->members_cap) {
        r->members_cap = r->members_cap == 0 ? 4 : r->members_cap * 2;
        run->members = mem_grow(run->members, r->members_cap, sizeof(*run->members));
    }
    memmove(run->members + at + 1, run->members + at,
            (run->n_members - at) * sizeof(*run->members));
    run->members[at] =
        (struct batch_member){.uid = uid, .outcome = outcome, .details = take_details};
    run->n_members++;
}

void
run_abort_op(struct run *r)
{
    if (r->op_entered && r->pub.op->abort != NULL)
        r->pub.op->abort(&r->pub);
    r->op_entered = false;
}

/* --- loading the members for the batch's counts */

static int
load_member(struct run *r, struct store_txn *txn, uint32_t uid)
{
    struct task t;
    int rc = task_read(r->pub.queue, txn, TABLE_TASKS, uid, &t);
    if (rc <= 0)
        return rc;
    t.status = TASK_PROCESSING;
    batch_add_task(&r->batch, &t);
    task_done(&t);
    return 0;
}

int
run_load(struct run *r, struct store_txn *txn, int64_t deadline_us)
{
    if (r->n_loaded == 0) {
        r->batch.uid = r->pub.batch_uid;
        r->batch.started_at_ns = r->pub.started_at_ns;
        free(r->batch.strategy);
        r->batch.strategy = mem_strdup(r->strategy);
    }
    while (r->n_loaded < r->pub.n_members) {
        int rc = load_member(r, txn, r->pub.members[r->n_loaded].uid);
        if (rc < 0)
            return rc;
        r->n_loaded++;
        if (r->n_loaded % SLICE_CHECK_EVERY == 0 && clock_mono_us() >= deadline_us)
            return r->n_loaded == r->pub.n_members;
    }
    return 1;
}

/* --- progress (contract 3.3) */

void
batch_run_step(struct batch_run *run, unsigned level, const struct progress_step *step)
{
    struct run *r = (struct run *) run;
    if (level > 0)
        progress_enter(&r->progress, level, step);
}

const struct progress_step *
batch_run_step_of(const struct batch_run *run, unsigned level)
{
    const struct run *r = (const struct run *) run;
    return level < r->progress.n ? &r->progress.levels[level].step : NULL;
}

/* --- the run record (invariant 3) */

static void
encode_record(struct buf *out, const struct run *r)
{
    struct uidset members;
    struct buf text = BUF_INIT;
    uidset_init(&members);
    for (size_t i = 0; i < r->pub.n_members; i++)
        uidset_add(&members, r->pub.members[i].uid, r->pub.members[i].uid);
    uidset_write(&text, &members);
    uidset_done(&members);
    rec_put_u8(out, RUN_RECORD_VERSION);
    rec_put_u64(out, r->pub.run_id);
    rec_put_u32(out, r->pub.batch_uid);
    rec_put_i64(out, r->pub.started_at_ns);
    rec_put_cstr(out, run_type_name(r->pub.type));
    rec_put_cstr(out, r->pub.index_uid);
    rec_put_cstr(out, r->strategy);
    rec_put_u8(out, r->pub.may_create_index);
    rec_put_str(out, buf_str(&text));
    buf_done(&text);
}

int
run_record_put(struct queue *q, struct store_txn *txn, const struct run *r)
{
    uint8_t bytes[8];
    buf_clear(&q->record);
    encode_record(&q->record, r);
    int rc = store_put(txn, TABLE_META, META_RUN, buf_str(&q->record));
    if (rc == 0)
        rc = store_put(txn, TABLE_META, META_RUN_ID, key_u64(bytes, r->pub.run_id));
    return rc;
}

static bool
read_type(struct rec *r, enum batch_type *ret)
{
    char *name = rec_cstr(r);
    int i = 0;
    while (name != NULL && i < BATCH_TYPES && strcmp(name, type_names[i]) != 0)
        i++;
    *ret = (enum batch_type) i;
    bool is_known = name != NULL && strcmp(name, type_names[i]) == 0;
    free(name);
    return is_known;
}

static struct run *
run_from_set(struct queue *q, enum batch_type type, const struct uidset *set)
{
    size_t n = 0;
    uint32_t *uids = mem_new(uidset_count(set) + 1, sizeof(*uids));
    for (size_t i = 0; i < set->n; i++) {
        for (uint64_t uid = set->ranges[i].first; uid <= set->ranges[i].last; uid++)
            uids[n++] = (uint32_t) uid;
    }
    struct run *r = run_new(q, type, uids, n);
    free(uids);
    return r;
}

static struct run *
decode_record(struct queue *q, struct str record)
{
    enum batch_type type;
    struct uidset members;
    struct rec r = rec_open(record, RUN_RECORD_VERSION);
    uint64_t run_id = rec_u64(&r);
    uint32_t batch_uid = rec_u32(&r);
    int64_t started_at_ns = rec_i64(&r);
    bool is_known = read_type(&r, &type);
    char *index_uid = rec_cstr(&r);
    char *strategy = rec_cstr(&r);
    bool may_create = rec_u8(&r) != 0;
    struct str text = rec_str(&r);
    if (!rec_ok(&r) || !is_known || !uidset_read(&members, text)) {
        free(index_uid);
        free(strategy);
        return NULL;
    }
    struct run *run = run_from_set(q, type, &members);
    uidset_done(&members);
    run->pub.run_id = run_id;
    run->pub.batch_uid = batch_uid;
    run->pub.started_at_ns = started_at_ns;
    run->pub.index_uid = index_uid;
    run->pub.may_create_index = may_create;
    run->strategy = strategy;
    run->is_recovered = true;
    return run;
}

int
run_record_load(struct queue *q, struct store_txn *txn, struct run **ret)
{
    struct str record;
    int rc = store_get(txn, TABLE_META, META_RUN, &record);
    if (rc <= 0)
        return rc;
    *ret = decode_record(q, record);
    return *ret == NULL ? STORE_ECORRUPT : 1;
}
