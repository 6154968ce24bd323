/* Deleting finished tasks (contract 2.7). A million rows are not removed in one transaction
 * (invariant 13): the batch that deletes finds out which they are, its finishing commit names them
 * in two sets, through which nobody sees them any more, and their rows then go piece by piece
 * beside the batches, also after a restart. A batch goes with the last of its tasks. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/marks.h"
#include "store/rec.h"

enum {
    CLEAN_AT_ONCE = 256, /* rows */
    CLEAN_US = 1000,     /* of work, then a commit */
    CLEAN_PAUSE_MS = 2,  /* and room for the requests that waited behind it */
};

static const struct set_id deleted = {.kind = SET_DELETED};
static const struct set_id deleted_batches = {.kind = SET_DELETED_BATCH};

/* --- what a batch deletes */

struct task_deletion {
    struct queue *queue;
    struct uidmap tasks;   /* to be deleted */
    struct uidmap batches; /* of those, then: that lose their last task */
    uint32_t chunk;        /* of the set that is being added */
    uint32_t next_task, next_batch;
    bool has_batches; /* every task's is known */
};

struct task_deletion *
task_deletion_new(struct queue *q)
{
    struct task_deletion *d = mem_new(1, sizeof(*d));
    d->queue = q;
    return d;
}

void
task_deletion_free(struct task_deletion *d)
{
    if (d == NULL)
        return;
    uidmap_done(&d->tasks);
    uidmap_done(&d->batches);
    free(d);
}

int
queue_read_finished(struct store_txn *txn, uint32_t chunk, struct bits *ret)
{
    static const enum task_status final[] = {TASK_SUCCEEDED, TASK_FAILED, TASK_CANCELED};
    struct bits bits;
    int rc = 0;
    bits_clear(ret);
    for (size_t i = 0; i < sizeof(final) / sizeof(final[0]) && rc >= 0; i++) {
        struct set_id id = {.kind = SET_STATUS, .number = final[i]};
        rc = sets_read(txn, &id, chunk, &bits);
        bits_or(ret, &bits);
    }
    if (rc >= 0)
        rc = sets_read(txn, &deleted, chunk, &bits);
    bits_and_not(ret, &bits);
    return rc < 0 ? rc : 0;
}

/* The tasks of a chunk that this deletion is the first to name. */
static int
add_chunk(struct task_deletion *d, struct store_txn *txn, const struct set_id *matched,
          uint32_t chunk, uint64_t *add_to)
{
    struct bits bits, finished;
    int rc = sets_read(txn, matched, chunk, &bits);
    if (rc > 0)
        rc = queue_read_finished(txn, chunk, &finished);
    if (rc < 0)
        return rc;
    bits_and(&bits, &finished);
    const struct bits *before = uidmap_find(&d->tasks, chunk);
    if (before != NULL)
        bits_and_not(&bits, before);
    *add_to += bits_count(&bits);
    if (!bits_is_empty(&bits))
        bits_or(uidmap_at(&d->tasks, chunk), &bits);
    return 0;
}

int
task_deletion_add(struct task_deletion *d, struct store_txn *txn, uint32_t uid, int64_t deadline_us,
                  uint64_t *add_to)
{
    struct set_id matched = {.kind = SET_MATCHED, .number = uid};
    uint32_t chunk;
    int rc;
    while ((rc = sets_seek(txn, &matched, d->chunk, true, &chunk)) > 0) {
        rc = add_chunk(d, txn, &matched, chunk, add_to);
        if (rc < 0)
            return rc;
        d->chunk = chunk + 1;
        if (clock_mono_us() >= deadline_us)
            return 1;
    }
    d->chunk = 0;
    return rc;
}

static int
note_batch(struct task_deletion *d, struct store_txn *txn, uint32_t uid)
{
    uint8_t bytes[4];
    struct str record;
    struct task_head head;
    int rc = store_get(txn, TABLE_TASKS, key_u32(bytes, uid), &record);
    if (rc <= 0)
        return rc;
    rc = task_decode_head(&head, record);
    if (rc == 0 && head.batch_uid != TASK_NONE)
        uidmap_add(&d->batches, head.batch_uid);
    return rc;
}

/* Whether the batch keeps a task: 1 / 0 / negative. */
static int
keeps_task(const struct task_deletion *d, struct store_txn *txn, uint32_t batch_uid)
{
    struct set_id id = {.kind = SET_BATCH, .number = batch_uid};
    struct bits members, gone;
    uint32_t chunk;
    int rc;
    for (uint32_t at = 0; (rc = sets_seek(txn, &id, at, true, &chunk)) > 0; at = chunk + 1) {
        rc = sets_read(txn, &id, chunk, &members);
        if (rc >= 0)
            rc = sets_read(txn, &deleted, chunk, &gone);
        if (rc < 0)
            return rc;
        const struct bits *now = uidmap_find(&d->tasks, chunk);
        bits_and_not(&members, &gone);
        if (now != NULL)
            bits_and_not(&members, now);
        if (!bits_is_empty(&members))
            return 1;
    }
    return rc;
}

static int
judge_batch(struct task_deletion *d, struct store_txn *txn, uint32_t batch_uid)
{
    int rc = keeps_task(d, txn, batch_uid);
    if (rc > 0)
        bits_put(uidmap_at(&d->batches, bits_chunk(batch_uid)), batch_uid, false);
    return rc < 0 ? rc : 0;
}

/* Calls fn for each member from *at on: 1 when it is time, 0 at the end, negative. */
static int
each_member(struct task_deletion *d, struct store_txn *txn, const struct uidmap *m, uint32_t *at,
            int64_t deadline_us,
            int (*fn)(struct task_deletion *d, struct store_txn *txn, uint32_t uid))
{
    uint32_t uid;
    for (unsigned n = 1; uidmap_seek(m, *at, &uid); n++) {
        int rc = fn(d, txn, uid);
        if (rc < 0)
            return rc;
        *at = uid + 1;
        if (n % SLICE_CHECK_EVERY == 0 && clock_mono_us() >= deadline_us)
            return 1;
    }
    return 0;
}

int
task_deletion_gather(struct task_deletion *d, struct store_txn *txn, int64_t deadline_us)
{
    int rc = 0;
    if (!d->has_batches)
        rc = each_member(d, txn, &d->tasks, &d->next_task, deadline_us, note_batch);
    if (rc != 0)
        return rc;
    d->has_batches = true;
    return each_member(d, txn, &d->batches, &d->next_batch, deadline_us, judge_batch);
}

/* Adds to a stored set. */
static int
merge(struct store_txn *txn, const struct set_id *id, const struct uidmap *add)
{
    struct uidmap all;
    int rc = sets_load(txn, id, &all);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < add->n; i++)
        bits_or(uidmap_at(&all, add->chunks[i]->number), &add->chunks[i]->bits);
    rc = sets_store(txn, id, &all);
    uidmap_done(&all);
    return rc;
}

int
task_deletion_finish(struct task_deletion *d, struct store_txn *txn)
{
    int rc = sets_flush(d->queue->sets, txn); /* a piece of an earlier clean-up */
    if (rc == 0)
        rc = merge(txn, &deleted, &d->tasks);
    return rc < 0 ? rc : merge(txn, &deleted_batches, &d->batches);
}

void
task_deletion_done(struct task_deletion *d)
{
    deletion_clean(d->queue);
}

/* --- until the rows are gone */

int
deletion_hides(const struct queue *q, struct store_txn *txn, enum set_kind kind, uint32_t uid)
{
    struct bits bits;
    struct set_id id = {.kind = kind};
    if (!q->is_deleting)
        return 0;
    int rc = sets_read(txn, &id, bits_chunk(uid), &bits);
    return rc <= 0 ? rc : bits_has(&bits, uid);
}

static int
remove_task(struct queue *q, struct store_txn *txn, uint32_t uid)
{
    uint8_t bytes[4];
    struct str record, key = key_u32(bytes, uid);
    struct task t;
    int rc = store_get(txn, TABLE_TASKS, key, &record);
    if (rc <= 0)
        return rc;
    rc = task_decode(&t, record); /* with the names that its sets have, renamed or not */
    if (rc < 0)
        return rc;
    rc = marks_remove_task(q, txn, &t);
    task_done(&t);
    return rc < 0 ? rc : store_delete(txn, TABLE_TASKS, key);
}

static int
remove_batch(struct queue *q, struct store_txn *txn, uint32_t uid)
{
    uint8_t bytes[4];
    struct str record, key = key_u32(bytes, uid);
    struct batch b;
    int rc = store_get(txn, TABLE_BATCHES, key, &record);
    if (rc <= 0)
        return rc;
    rc = batch_decode(&b, record);
    if (rc < 0)
        return rc;
    rc = marks_put_batch(q, txn, &b, false);
    batch_done(&b);
    return rc < 0 ? rc : store_delete(txn, TABLE_BATCHES, key);
}

/* The next rows of a set: how many, or negative. */
static int
clean_set(struct queue *q, struct store_txn *txn, const struct set_id *id, int64_t deadline_us,
          int (*remove)(struct queue *q, struct store_txn *txn, uint32_t uid))
{
    struct bits bits;
    uint32_t chunk;
    int n = 0, rc = sets_seek(txn, id, 0, true, &chunk);
    if (rc > 0)
        rc = sets_read(txn, id, chunk, &bits);
    if (rc <= 0)
        return rc;
    for (unsigned at = 0; n < CLEAN_AT_ONCE && at < BITS_COUNT; n++, at++) {
        at = bits_seek(&bits, at, true);
        if (at == BITS_COUNT || (n % SLICE_CHECK_EVERY == 0 && clock_mono_us() >= deadline_us))
            break;
        rc = remove(q, txn, bits_uid(chunk, at));
        if (rc >= 0)
            rc = sets_put(q->sets, txn, id, bits_uid(chunk, at), false);
        if (rc < 0)
            return rc;
    }
    return n;
}

static void
on_cleaned(void *arg, int result)
{
    struct queue *q = arg;
    loop_timer_set_ms(&q->clean_again, result == 0 ? CLEAN_PAUSE_MS : HOLD_MS);
}

static void
on_clean_again(void *arg)
{
    struct queue *q = arg;
    loop_slice_wake(&q->cleaning);
}

void
deletion_clean(struct queue *q)
{
    q->is_deleting = true;
    loop_slice_wake(&q->cleaning);
}

/* Whether there is nothing more to do, as far as it is committed. */
static bool
is_clean(struct queue *q)
{
    uint32_t chunk;
    struct store_txn *txn = turn_read(q->turn);
    bool is = txn != NULL && sets_seek(txn, &deleted, 0, true, &chunk) == 0 &&
              sets_seek(txn, &deleted_batches, 0, true, &chunk) == 0;
    store_abort(txn);
    return is;
}

static enum loop_slice_result
clean_step(void *arg, int64_t deadline_us)
{
    struct queue *q = arg;
    int64_t until_us = clock_mono_us() + CLEAN_US;
    if (is_clean(q)) {
        if (q->n_cleaned > 0)
            log_info(LOG_TARGET, "the rows of deleted tasks are gone rows=%llu",
                     (unsigned long long) q->n_cleaned);
        q->is_deleting = false;
        q->n_cleaned = 0;
        return SLICE_IDLE;
    }
    if (until_us < deadline_us)
        until_us = deadline_us;
    struct store_txn *txn = turn_txn(q->turn);
    int rc = clean_set(q, txn, &deleted, until_us, remove_task);
    if (rc == 0)
        rc = clean_set(q, txn, &deleted_batches, until_us, remove_batch);
    if (rc < 0)
        turn_fail(q->turn, rc);
    else
        q->n_cleaned += (uint64_t) rc;
    q->cleaned.fn = on_cleaned;
    q->cleaned.arg = q;
    turn_wait(q->turn, &q->cleaned);
    return SLICE_IDLE;
}

void
deletion_init(struct queue *q)
{
    q->is_deleting = true; /* until it was looked */
    loop_slice_init(&q->cleaning, q->loop, clean_step, q);
    loop_timer_init(&q->clean_again, q->loop, on_clean_again, q);
}

void
deletion_end(struct queue *q)
{
    loop_slice_sleep(&q->cleaning);
    loop_timer_done(&q->clean_again);
    turn_forget(q->turn, &q->cleaned);
}
