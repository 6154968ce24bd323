/* The log of status changes: runs of numbered changes in TABLE_TASK_CHANGES, the oldest dropped as
 * new ones come. Knows nothing of who reads it. Entered from wherever a task changes, and from
 * readers with a transaction of their own. */
#include "queue/changes.h"

#include "store/rec.h"

enum {
    RECORD_VERSION = 1,
    KEPT_CHANGES = 1000000, /* about; at least the last run */
    KEPT_RUNS = 100000,
    DROP_AT_ONCE = 8, /* runs, so that no commit pays for many */
    GROWS_TO = 4096,  /* changes of a run of enqueued tasks: it is dropped as a whole */
    GROWS_BELOW = 64, /* bytes of the text of its set: one range */
};

/* A row. */
struct run_record {
    uint64_t first, n;
    enum change_kind kind;
    uint32_t batch_uid;
    int64_t started_at_ns;
    struct str set; /* uidset_write() text */
};

static void
encode(struct buf *out, const struct run_record *r)
{
    rec_put_u8(out, RECORD_VERSION);
    rec_put_u8(out, (uint8_t) r->kind);
    rec_put_u64(out, r->n);
    rec_put_u32(out, r->batch_uid);
    rec_put_i64(out, r->started_at_ns);
    rec_put_str(out, r->set);
}

static int
decode(struct str key, struct str value, struct run_record *ret)
{
    struct rec r = rec_open(value, RECORD_VERSION);
    uint8_t kind = rec_u8(&r);
    *ret = (struct run_record){.first = key_read_u64(key, 0), .kind = (enum change_kind) kind};
    ret->n = rec_u64(&r);
    ret->batch_uid = rec_u32(&r);
    ret->started_at_ns = rec_i64(&r);
    ret->set = rec_str(&r);
    return rec_ok(&r) && kind < CHANGE_KINDS ? 1 : STORE_ECORRUPT;
}

/* The last row: 1 / 0 / negative. ret->set is valid until the next write. */
static int
read_last(struct store_txn *txn, struct run_record *ret)
{
    struct store_cursor c;
    int rc = store_cursor_open(&c, txn, TABLE_TASK_CHANGES);
    if (rc < 0)
        return rc;
    rc = store_cursor_last(&c);
    if (rc > 0)
        rc = decode(c.key, c.value, ret);
    store_cursor_close(&c);
    return rc;
}

/* --- adding */

static int
drop_oldest(struct store_txn *txn, uint64_t end)
{
    struct store_cursor c;
    uint64_t n_runs = table_count(txn, TABLE_TASK_CHANGES);
    int rc = store_cursor_open(&c, txn, TABLE_TASK_CHANGES);
    if (rc < 0)
        return rc;
    for (int i = 0; i < DROP_AT_ONCE && n_runs > 1 && (rc = store_cursor_first(&c)) > 0; i++) {
        struct run_record r;
        rc = decode(c.key, c.value, &r);
        if (rc < 0 || (n_runs <= KEPT_RUNS && end - (r.first + r.n) < KEPT_CHANGES))
            break;
        rc = store_cursor_delete(&c);
        if (rc < 0)
            break;
        n_runs--;
    }
    store_cursor_close(&c);
    return rc < 0 ? rc : 0;
}

static int
put(struct queue *q, struct store_txn *txn, const struct run_record *r)
{
    uint8_t bytes[8];
    buf_clear(&q->record);
    encode(&q->record, r);
    int rc = store_append(txn, TABLE_TASK_CHANGES, key_u64(bytes, r->first), buf_str(&q->record));
    return rc < 0 ? rc : drop_oldest(txn, r->first + r->n);
}

static void
on_changed(void *arg, int result)
{
    struct queue *q = arg;
    if (q->changed_turn == queue_turn_number(q))
        turn_wait(q->turn, &q->changed); /* more have come since, for the next commit */
    if (result == 0 && q->hooks.changed != NULL)
        q->hooks.changed(q->hooks.arg);
}

static void
await_changed(struct queue *q)
{
    q->changed_turn = queue_turn_number(q);
    q->changed.fn = on_changed;
    q->changed.arg = q;
    turn_wait(q->turn, &q->changed);
}

static int
add(struct queue *q, struct run_record *r)
{
    struct store_txn *txn = turn_txn(q->turn);
    struct run_record last;
    int rc = read_last(txn, &last);
    if (rc < 0)
        return rc;
    r->first = rc > 0 ? last.first + last.n : 1;
    await_changed(q);
    return put(q, txn, r);
}

/* A run of one kind; empty sets add nothing. */
static int
add_set(struct queue *q, struct run_record *r, const struct uidset *set)
{
    struct buf text = BUF_INIT;
    r->n = uidset_count(set);
    if (r->n == 0)
        return 0;
    uidset_write(&text, set);
    r->set = buf_str(&text);
    int rc = buf_failed(&text) ? STORE_EFULL : add(q, r);
    buf_done(&text);
    return rc;
}

static int
add_one(struct queue *q, struct run_record *r, uint32_t uid)
{
    struct uidset set;
    uidset_init(&set);
    uidset_add(&set, uid, uid);
    int rc = add_set(q, r, &set);
    uidset_done(&set);
    return rc;
}

/* Makes the last run one longer when it is of the tasks enqueued just before: 1, 0 or negative. */
static int
grow_last(struct queue *q, struct store_txn *txn, uint32_t uid)
{
    struct run_record last;
    struct uidset set;
    int rc = read_last(txn, &last);
    if (rc <= 0 || last.kind != CHANGE_ENQUEUED || last.n >= GROWS_TO ||
        last.set.len >= GROWS_BELOW || !uidset_read(&set, last.set))
        return rc < 0 ? rc : 0;
    bool is_next = set.n == 1 && set.ranges[0].last + 1 == uid;
    if (is_next) {
        struct buf text = BUF_INIT;
        uidset_add(&set, uid, uid);
        uidset_write(&text, &set);
        last.n++;
        last.set = buf_str(&text);
        rc = put(q, txn, &last);
        buf_done(&text);
    }
    uidset_done(&set);
    return rc < 0 ? rc : is_next;
}

int
changes_add_new(struct queue *q, uint32_t uid)
{
    struct run_record r = {.kind = CHANGE_ENQUEUED, .batch_uid = TASK_NONE};
    int rc = grow_last(q, turn_txn(q->turn), uid);
    if (rc > 0)
        await_changed(q);
    return rc == 0 ? add_one(q, &r, uid) : rc < 0 ? rc : 0;
}

int
changes_add_beside(struct queue *q, const struct task *t)
{
    struct run_record r = {.kind = CHANGE_ENDED, .batch_uid = TASK_NONE};
    if (t->status == TASK_ENQUEUED)
        r.kind = CHANGE_ENQUEUED;
    if (t->status == TASK_PROCESSING) {
        r.kind = CHANGE_STARTED;
        r.batch_uid = t->batch_uid;
        r.started_at_ns = t->started_at_ns;
    }
    return add_one(q, &r, t->uid);
}

int
changes_add_run(struct queue *q, enum change_kind kind, const struct run *run, bool added)
{
    struct uidset set;
    struct run_record r = {.kind = kind, .batch_uid = TASK_NONE};
    if (kind == CHANGE_STARTED) {
        r.batch_uid = run->pub.batch_uid;
        r.started_at_ns = run->pub.started_at_ns;
    }
    uidset_init(&set);
    for (size_t i = 0; i < run->pub.n_members; i++) {
        if (added || run->pub.members[i].is_picked)
            uidset_add(&set, run->pub.members[i].uid, run->pub.members[i].uid);
    }
    int rc = add_set(q, &r, &set);
    uidset_done(&set);
    return rc;
}

/* --- reading */

int
queue_changes_bounds(struct store_txn *txn, uint64_t *ret_first, uint64_t *ret_end)
{
    struct store_cursor c;
    struct run_record r = {0};
    *ret_first = *ret_end = 1;
    int rc = store_cursor_open(&c, txn, TABLE_TASK_CHANGES);
    if (rc < 0)
        return rc;
    rc = store_cursor_first(&c);
    if (rc > 0) {
        *ret_first = key_read_u64(c.key, 0);
        rc = store_cursor_last(&c);
    }
    if (rc > 0)
        rc = decode(c.key, c.value, &r);
    if (rc > 0)
        *ret_end = r.first + r.n;
    store_cursor_close(&c);
    return rc < 0 ? rc : 0;
}

void
change_reader_done(struct change_reader *r)
{
    uidset_done(&r->set);
    *r = (struct change_reader){.at = r->at};
}

/* Loads the run that holds change r->at: 1, 0 when it is not there yet, negative. */
static int
load_run(struct change_reader *r, struct store_txn *txn)
{
    uint8_t bytes[8];
    struct store_cursor c;
    struct run_record record;
    change_reader_done(r);
    int rc = store_cursor_open(&c, txn, TABLE_TASK_CHANGES);
    if (rc < 0)
        return rc;
    rc = store_cursor_seek(&c, key_u64(bytes, r->at));
    if (rc == 0)
        rc = store_cursor_last(&c);
    else if (rc > 0 && key_read_u64(c.key, 0) > r->at)
        rc = store_cursor_prev(&c);
    if (rc > 0)
        rc = decode(c.key, c.value, &record);
    if (rc > 0 && r->at >= record.first + record.n)
        rc = 0;
    if (rc > 0 && !uidset_read(&r->set, record.set))
        rc = STORE_ECORRUPT;
    store_cursor_close(&c);
    if (rc <= 0)
        return rc;
    r->first = record.first;
    r->end = record.first + record.n;
    r->change = (struct queue_change){
        .kind = record.kind, .batch_uid = record.batch_uid, .started_at_ns = record.started_at_ns};
    return 1;
}

/* The uid at position r->at - r->first of the set; ranges are passed once only. */
static bool
find_uid(struct change_reader *r, uint32_t *ret)
{
    uint64_t at = r->at - r->first;
    if (at < r->passed) /* moved back */
        r->passed = r->range = 0;
    while (r->range < r->set.n) {
        const struct uid_range *range = &r->set.ranges[r->range];
        uint64_t n = (uint64_t) range->last - range->first + 1;
        if (at < r->passed + n) {
            *ret = range->first + (uint32_t) (at - r->passed);
            return true;
        }
        r->passed += n;
        r->range++;
    }
    return false;
}

int
queue_changes_next(struct change_reader *r, struct store_txn *txn, struct queue_change *ret)
{
    if (r->at < r->first || r->at >= r->end) {
        int rc = load_run(r, txn);
        if (rc <= 0)
            return rc;
    }
    if (!find_uid(r, &r->change.uid))
        return STORE_ECORRUPT;
    r->change.number = r->at++;
    *ret = r->change;
    return 1;
}

bool
queue_change_show(const struct queue_change *c, struct task *t)
{
    bool is_final = t->status != TASK_ENQUEUED && t->status != TASK_PROCESSING;
    if (c->kind == CHANGE_ENDED)
        return is_final;
    if (is_final)
        task_unfinish_details(t);
    err_done(&t->error);
    t->canceled_by = t->batch_uid = TASK_NONE;
    t->started_at_ns = t->finished_at_ns = 0;
    t->status = TASK_ENQUEUED;
    if (c->kind == CHANGE_STARTED) {
        t->status = TASK_PROCESSING;
        t->batch_uid = c->batch_uid;
        t->started_at_ns = c->started_at_ns;
    }
    return true;
}
