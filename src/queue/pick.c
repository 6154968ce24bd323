/* Picking: which enqueued tasks run next (contract 4.1). Walks queue rows in slices, feeding the
 * automaton; reads only committed rows and changes none. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/queue_internal.h"
#include "store/rec.h"

void
pick_reset(struct pick *p)
{
    autobatch_done(&p->automaton);
    free(p->index_uid);
    free(p->uids);
    buf_done(&p->prefix);
    buf_done(&p->strategy);
    *p = (struct pick){0};
}

static void
take(struct pick *p, uint32_t uid)
{
    if (p->n == p->cap) {
        p->cap = p->cap == 0 ? 16 : p->cap * 2;
        p->uids = mem_grow(p->uids, p->cap, sizeof(*p->uids));
    }
    p->uids[p->n++] = uid;
}

/* --- what a picked set of tasks is */

static enum batch_type
type_of_alone(enum task_kind kind)
{
    switch (kind) {
    case KIND_INDEX_CREATION:
        return BATCH_INDEX_CREATION;
    case KIND_INDEX_UPDATE:
        return BATCH_INDEX_UPDATE;
    case KIND_INDEX_SWAP:
        return BATCH_INDEX_SWAP;
    case KIND_TASK_CANCELATION:
        return BATCH_TASK_CANCELATION;
    case KIND_TASK_DELETION:
        return BATCH_TASK_DELETION;
    case KIND_INDEX_DEPLOY:
        return BATCH_INDEX_DEPLOY;
    case KIND_REPORT:
        return BATCH_REPORT;
    case KIND_INDEX_COMPACTION:
        return BATCH_INDEX_COMPACTION;
    default:
        return BATCH_TYPES; /* no operation exists: the task fails */
    }
}

static enum batch_type
type_of(enum autobatch_state state, enum task_kind first_kind)
{
    static const enum batch_type types[AUTOBATCH_STATES] = {
        [AUTOBATCH_DOCUMENTS] = BATCH_DOCUMENTS,
        [AUTOBATCH_DELETIONS] = BATCH_DOCUMENTS,
        [AUTOBATCH_CLEAR] = BATCH_DOCUMENTS,
        [AUTOBATCH_SETTINGS] = BATCH_SETTINGS,
        [AUTOBATCH_CLEAR_SETTINGS] = BATCH_SETTINGS,
        [AUTOBATCH_INDEX_DELETION] = BATCH_INDEX_DELETION,
    };
    return state == AUTOBATCH_ALONE ? type_of_alone(first_kind) : types[state];
}

static int
next_batch_uid(struct store_txn *txn, uint32_t *ret)
{
    struct store_cursor c;
    int rc = store_cursor_open(&c, txn, TABLE_BATCHES);
    if (rc < 0)
        return rc;
    rc = store_cursor_last(&c);
    *ret = rc > 0 ? key_read_u32(c.key, 0) + 1 : 0;
    store_cursor_close(&c);
    return rc < 0 ? rc : 0;
}

/* Turns the pick into the running batch. */
static int
finish_pick(struct queue *q, struct store_txn *txn, enum batch_type type)
{
    struct pick *p = &q->pick;
    uint32_t batch_uid;
    int rc = next_batch_uid(txn, &batch_uid);
    if (rc < 0)
        return rc;
    struct run *r = run_new(q, type, p->uids, p->n);
    r->pub.batch_uid = batch_uid;
    r->pub.run_id = ++q->last_run_id;
    r->pub.started_at_ns = clock_wall_ns();
    r->pub.index_uid = p->index_uid;
    p->index_uid = NULL;
    r->pub.may_create_index = p->automaton.may_create_index;
    r->strategy = buf_take(&p->strategy);
    q->run = r;
    pick_reset(p);
    return PICK_DONE;
}

static int
finish_alone(struct queue *q, struct store_txn *txn, uint32_t uid, enum task_kind kind)
{
    take(&q->pick, uid);
    autobatch_write_alone(&q->pick.strategy, uid, kind);
    return finish_pick(q, txn, type_of_alone(kind));
}

/* --- the groups of priority */

/* The last key that begins with prefix: 1 / 0 / negative. */
static int
seek_last(struct store_cursor *c, struct str prefix)
{
    struct buf after = BUF_INIT;
    buf_add_str(&after, prefix);
    buf_add_cstr(&after, "\xff\xff\xff\xff");
    int rc = store_cursor_seek(c, buf_str(&after));
    buf_done(&after);
    if (rc < 0)
        return rc;
    rc = rc == 0 ? store_cursor_last(c) : store_cursor_prev(c);
    if (rc <= 0)
        return rc;
    return c->key.len == prefix.len + 4 && memcmp(c->key.data, prefix.data, prefix.len) == 0;
}

static int
newest_cancelation(struct store_txn *txn, uint32_t *ret)
{
    struct store_cursor c;
    struct buf prefix = BUF_INIT;
    int rc = store_cursor_open(&c, txn, TABLE_TASK_QUEUE_INDEX);
    if (rc < 0)
        return rc;
    queue_index_prefix(&prefix, str_from(queue_group(ROLE_CANCELATION)));
    rc = seek_last(&c, buf_str(&prefix));
    if (rc > 0)
        *ret = key_read_u32(c.key, prefix.len);
    store_cursor_close(&c);
    buf_done(&prefix);
    return rc;
}

int
queue_next_of_prefix(struct store_cursor *c, struct str prefix, uint32_t at, uint32_t *ret)
{
    uint8_t bytes[4];
    struct buf key = BUF_INIT;
    buf_add_str(&key, prefix);
    buf_add_str(&key, key_u32(bytes, at));
    int rc = store_cursor_seek(c, buf_str(&key));
    buf_done(&key);
    if (rc <= 0)
        return rc;
    if (c->key.len != prefix.len + 4 || memcmp(c->key.data, prefix.data, prefix.len) != 0)
        return 0;
    *ret = key_read_u32(c->key, prefix.len);
    return 1;
}

/* --- walking an index */

static void
close_strategy(struct queue *q, struct store_txn *txn)
{
    struct pick *p = &q->pick;
    if (p->strategy.len > 0)
        return;
    if (p->automaton.stop_text.len > 0)
        buf_add_str(&p->strategy, buf_str(&p->automaton.stop_text));
    else if (table_count(txn, TABLE_TASK_QUEUE) == p->n)
        buf_add_cstr(&p->strategy, "batched all enqueued tasks");
    else
        buf_addf(&p->strategy, "batched all enqueued tasks for index `%s`", p->index_uid);
}

/* Whether the limits leave room for one more task; else says why. */
static bool
has_room(struct queue *q, uint64_t payload_size)
{
    struct pick *p = &q->pick;
    if (p->n >= q->conf.max_batched_tasks) {
        buf_addf(&p->strategy, "batched up to configured batch limit of %llu tasks",
                 (unsigned long long) q->conf.max_batched_tasks);
        return false;
    }
    if (payload_size > 0 && (payload_size > q->conf.max_batched_bytes ||
                             p->bytes > q->conf.max_batched_bytes - payload_size)) {
        buf_addf(&p->strategy,
                 "batched up to configured batch size limit of %lluB with a total of %lluB",
                 (unsigned long long) q->conf.max_batched_bytes, (unsigned long long) p->bytes);
        return false;
    }
    return true;
}

static struct autobatch_facts
facts_of(uint32_t uid, const struct queue_row *row)
{
    return (struct autobatch_facts){
        .uid = uid,
        .kind = row->kind,
        .role = row->role,
        .primary_key = row->primary_key == NULL ? STR_NULL : str_from(row->primary_key),
        .allow = row->allow,
    };
}

/* Offers one row to the batch: whether to go on. */
static bool
offer(struct queue *q, uint32_t uid, const struct queue_row *row)
{
    struct pick *p = &q->pick;
    struct autobatch_facts facts = facts_of(uid, row);
    if (crash_must_be_alone(q, uid) || !has_room(q, row->payload_size))
        return false;
    enum autobatch_result result = autobatch_next(&p->automaton, &facts);
    if (result == AUTOBATCH_REFUSED)
        return false;
    take(p, uid);
    p->bytes += row->payload_size;
    return result == AUTOBATCH_JOINED;
}

static int
walk_index(struct queue *q, struct store_txn *txn, int64_t deadline_us)
{
    struct pick *p = &q->pick;
    struct store_cursor c;
    struct queue_row row;
    uint32_t uid;
    int rc = store_cursor_open(&c, txn, TABLE_TASK_QUEUE_INDEX);
    if (rc < 0)
        return rc;
    rc = queue_next_of_prefix(&c, buf_str(&p->prefix), p->uids[p->n - 1] + 1, &uid);
    while (rc > 0) {
        rc = queue_row_read(txn, uid, &row);
        if (rc <= 0)
            break;
        bool goes_on = offer(q, uid, &row);
        queue_row_done(&row);
        if (!goes_on) {
            rc = 0;
            break;
        }
        if (p->n % SLICE_CHECK_EVERY == 0 && clock_mono_us() >= deadline_us) {
            store_cursor_close(&c);
            return PICK_MORE;
        }
        rc = queue_next_of_prefix(&c, buf_str(&p->prefix), uid + 1, &uid);
    }
    store_cursor_close(&c);
    if (rc < 0)
        return rc;
    close_strategy(q, txn);
    return finish_pick(q, txn, type_of(p->automaton.state, KIND_COUNT));
}

static int
walk_group(struct queue *q, struct store_txn *txn, int64_t deadline_us)
{
    struct pick *p = &q->pick;
    struct store_cursor c;
    uint32_t uid;
    int rc = store_cursor_open(&c, txn, TABLE_TASK_QUEUE_INDEX);
    if (rc < 0)
        return rc;
    rc = queue_next_of_prefix(&c, buf_str(&p->prefix), p->uids[p->n - 1] + 1, &uid);
    while (rc > 0) {
        take(p, uid);
        if (p->n % SLICE_CHECK_EVERY == 0 && clock_mono_us() >= deadline_us) {
            store_cursor_close(&c);
            return PICK_MORE;
        }
        rc = queue_next_of_prefix(&c, buf_str(&p->prefix), uid + 1, &uid);
    }
    store_cursor_close(&c);
    if (rc < 0)
        return rc;
    buf_addf(&p->strategy,
             "stopped after the last task of type `%s` because they cannot be batched with tasks "
             "of any other type.",
             task_kind_name(KIND_TASK_DELETION));
    return finish_pick(q, txn, BATCH_TASK_DELETION);
}

/* --- beginning */

static int
index_facts(struct queue *q, struct store_txn *txn, const char *index_uid, struct index_facts *ret)
{
    *ret = (struct index_facts){0};
    if (q->hooks.index_facts == NULL || index_uid == NULL)
        return 0;
    return q->hooks.index_facts(q->hooks.arg, txn, str_from(index_uid), ret);
}

static int
begin_index(struct queue *q, struct store_txn *txn, uint32_t uid, const struct queue_row *row)
{
    struct pick *p = &q->pick;
    struct index_facts index;
    struct autobatch_facts first = facts_of(uid, row);
    int rc = index_facts(q, txn, row->index_uid, &index);
    if (rc < 0)
        return rc;
    p->index_uid = mem_strdup(row->index_uid);
    enum autobatch_result result =
        autobatch_begin(&p->automaton, &first, index.exists,
                        index.primary_key == NULL ? STR_NULL : str_from(index.primary_key));
    free(index.primary_key);
    take(p, uid);
    p->bytes = row->payload_size;
    if (crash_must_be_alone(q, uid)) {
        autobatch_write_alone(&p->strategy, uid, row->kind);
        result = AUTOBATCH_LAST;
    }
    if (result == AUTOBATCH_LAST || row->index_uid == NULL) {
        close_strategy(q, txn);
        return finish_pick(q, txn, type_of(p->automaton.state, row->kind));
    }
    p->source = PICK_FROM_INDEX;
    queue_index_prefix(&p->prefix, str_from(row->index_uid));
    p->is_begun = true;
    return PICK_MORE;
}

/* The lowest task that a batch may hold; the few others are passed over. 1 / 0 / negative. */
static int
lowest(struct store_txn *txn, uint32_t *ret_uid, struct queue_row *ret)
{
    struct store_cursor c;
    int rc = store_cursor_open(&c, txn, TABLE_TASK_QUEUE);
    if (rc < 0)
        return rc;
    for (rc = store_cursor_first(&c); rc > 0; rc = store_cursor_next(&c)) {
        *ret_uid = key_read_u32(c.key, 0);
        rc = queue_row_decode(ret, c.value);
        rc = rc < 0 ? rc : 1;
        if (rc < 0 || ret->role != ROLE_BESIDE)
            break;
        queue_row_done(ret);
    }
    store_cursor_close(&c);
    return rc;
}

static int
begin_lowest(struct queue *q, struct store_txn *txn)
{
    struct queue_row row;
    uint32_t uid = 0;
    int rc = lowest(txn, &uid, &row);
    if (rc <= 0)
        return rc < 0 ? rc : PICK_NOTHING;
    rc = begin_index(q, txn, uid, &row);
    queue_row_done(&row);
    return rc;
}

/* The oldest task of a group, with the group's prefix in p->prefix: 1 / 0 / negative. */
static int
oldest_of_group(struct pick *p, struct store_txn *txn, enum task_role role, uint32_t *ret)
{
    struct store_cursor c;
    int rc = store_cursor_open(&c, txn, TABLE_TASK_QUEUE_INDEX);
    if (rc < 0)
        return rc;
    buf_clear(&p->prefix);
    queue_index_prefix(&p->prefix, str_from(queue_group(role)));
    rc = queue_next_of_prefix(&c, buf_str(&p->prefix), 0, ret);
    store_cursor_close(&c);
    if (rc <= 0)
        buf_clear(&p->prefix);
    return rc;
}

static int
begin_compaction(struct queue *q, struct store_txn *txn)
{
    struct queue_row row;
    uint32_t uid;
    int rc = oldest_of_group(&q->pick, txn, ROLE_COMPACTION, &uid);
    if (rc > 0)
        rc = queue_row_read(txn, uid, &row);
    if (rc <= 0)
        return rc < 0 ? rc : PICK_NOTHING;
    q->pick.index_uid = mem_strdup(row.index_uid);
    queue_row_done(&row);
    return finish_alone(q, txn, uid, KIND_INDEX_COMPACTION);
}

static int
begin_deletions(struct queue *q, struct store_txn *txn)
{
    struct pick *p = &q->pick;
    uint32_t uid;
    int rc = oldest_of_group(p, txn, ROLE_TASK_DELETION, &uid);
    if (rc <= 0)
        return rc < 0 ? rc : PICK_NOTHING;
    take(p, uid);
    p->source = PICK_FROM_GROUP;
    p->is_begun = true;
    return PICK_MORE;
}

static int
begin(struct queue *q, struct store_txn *txn)
{
    uint32_t uid;
    int rc = newest_cancelation(txn, &uid);
    if (rc > 0)
        return finish_alone(q, txn, uid, KIND_TASK_CANCELATION);
    if (rc < 0 || queue_is_pausing(q))
        return rc < 0 ? rc : PICK_NOTHING;
    rc = begin_deletions(q, txn);
    if (rc == PICK_NOTHING)
        rc = begin_compaction(q, txn);
    return rc != PICK_NOTHING ? rc : begin_lowest(q, txn);
}

int
pick_step(struct queue *q, struct store_txn *txn, int64_t deadline_us)
{
    int rc;
    if (!q->pick.is_begun)
        rc = begin(q, txn);
    else if (q->pick.source == PICK_FROM_GROUP)
        rc = walk_group(q, txn, deadline_us);
    else
        rc = walk_index(q, txn, deadline_us);
    if (rc == PICK_NOTHING || rc < 0)
        pick_reset(&q->pick);
    if (rc < 0)
        log_error(LOG_TARGET, "cannot pick the next batch error=\"%s\"", store_strerror(rc));
    return rc;
}
