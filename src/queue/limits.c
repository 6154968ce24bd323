/* How much the queue may keep: the oldest finished tasks go when there are too many, and new ones
 * are refused when they take too much of the disk (contract 2.9). Decides; whoever deletes is told
 * through a hook. */
#include "queue/marks.h"
#include "store/rec.h"

enum { DELETE_SHARE = 10 /* of the tasks that may be kept: a tenth goes at once */ };

/* Whether a deletion waits that will make room. */
static bool
awaits_deletion(struct store_txn *txn)
{
    struct store_cursor c;
    struct buf prefix = BUF_INIT;
    uint32_t uid;
    int rc = store_cursor_open(&c, txn, TABLE_TASK_QUEUE_INDEX);
    if (rc < 0)
        return true;
    queue_index_prefix(&prefix, str_from(queue_group(ROLE_TASK_DELETION)));
    rc = queue_next_of_prefix(&c, buf_str(&prefix), 0, &uid);
    store_cursor_close(&c);
    buf_done(&prefix);
    return rc != 0;
}

void
limits_look(struct queue *q)
{
    struct store_txn *txn;
    if (q->conf.max_tasks == 0 || q->hooks.too_many == NULL || (txn = turn_read(q->turn)) == NULL)
        return;
    bool is_due = queue_task_total(q, txn) >= q->conf.max_tasks && !awaits_deletion(txn);
    uint64_t n = q->conf.max_tasks / DELETE_SHARE;
    if (is_due)
        q->hooks.too_many(q->hooks.arg, txn, n < 2 ? 2 : n);
    store_abort(txn);
}

/* Takes members in the order of their uids until there are max. */
static void
keep_first(struct bits *b, uint64_t max)
{
    unsigned at = 0;
    for (uint64_t n = 0; n < max && at < BITS_COUNT; n++) {
        at = bits_seek(b, at, true);
        if (at < BITS_COUNT)
            at++;
    }
    if (at < BITS_COUNT)
        bits_cut(b, at);
}

int
queue_oldest_finished(struct store_txn *txn, uint64_t max, struct uidmap *ret)
{
    uint32_t uid, at = 0;
    int rc;
    uidmap_init(ret);
    while (max > 0 && (rc = queue_find_uid(txn, TABLE_TASKS, at, true, &uid)) > 0) {
        struct bits bits;
        uint32_t chunk = bits_chunk(uid);
        rc = queue_read_finished(txn, chunk, &bits);
        if (rc < 0) {
            uidmap_done(ret);
            return rc;
        }
        keep_first(&bits, max);
        max -= bits_count(&bits);
        if (!bits_is_empty(&bits))
            *uidmap_at(ret, chunk) = bits;
        if (chunk == bits_chunk(UINT32_MAX))
            break;
        at = bits_uid(chunk + 1, 0);
    }
    return 0;
}

/* --- the size */

uint64_t
queue_size(const struct queue *q, struct store_txn *txn, uint64_t *ret_max)
{
    static const enum main_table tables[] = {
        TABLE_TASKS,        TABLE_TASK_QUEUE,    TABLE_TASK_QUEUE_INDEX,
        TABLE_TASK_RESULTS, TABLE_TASK_PAYLOADS, TABLE_BATCHES,
        TABLE_TASK_SETS,    TABLE_TASK_TIMES,    TABLE_TASK_CHANGES,
    };
    uint64_t bytes = 0;
    *ret_max = q->conf.max_bytes;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        (void) store_table_bytes(txn, tables[i], &bytes); /* unreadable: the write will tell */
    return bytes;
}

static bool
is_full_now(struct queue *q)
{
    struct store_txn *txn = turn_read(q->turn);
    uint64_t max;
    bool is_full = txn != NULL && queue_size(q, txn, &max) >= max;
    store_abort(txn);
    return is_full;
}

bool
limits_are_full(struct queue *q)
{
    uint64_t turn = queue_turn_number(q) + 1; /* 0: not measured yet */
    if (q->conf.max_bytes == 0)
        return false;
    if (q->measured_turn != turn)
        q->is_full = is_full_now(q);
    q->measured_turn = turn;
    return q->is_full;
}
