/* The deletion that the server adds by itself when too many tasks are kept (contract 2.9). */
#include "base/clock.h"
#include "base/log.h"
#include "ops/ops_internal.h"

/* As if somebody had asked for it: "?beforeEnqueuedAt={newest + 1 ns}&statuses=...". */
static int
write_filter(struct buf *out, struct queue *q, struct store_txn *txn, const struct uidmap *matched)
{
    struct task t;
    const struct uidmap_chunk *last = matched->chunks[matched->n - 1];
    int rc = queue_task_get(
        q, txn, bits_uid(last->number, bits_seek(&last->bits, BITS_COUNT - 1, false)), &t);

    if (rc <= 0)
        return rc < 0 ? rc : STORE_ECORRUPT;
    buf_add_cstr(out, "?beforeEnqueuedAt=");
    clock_format(out, t.enqueued_at_ns + 1);
    buf_add_cstr(out, "&statuses=succeeded,failed,canceled");
    task_done(&t);
    return 0;
}

static void
add(struct ops *o, struct str filter, const struct uidmap *matched)
{
    struct ops_result result;
    struct err err = ERR_INIT;

    if (ops_delete_tasks(o, filter, matched, &result, &err) < 0) {
        log_warn(LOG_TARGET, "the oldest tasks could not be deleted error=\"%s\"", err.message);
        err_done(&err);
        return;
    }
    log_info(LOG_TARGET, "deleting the oldest tasks, too many are kept task_uid=%u tasks=%llu",
             result.task_uid, (unsigned long long) uidmap_count(matched));
    buf_done(&result.summary);
}

void
ops_delete_oldest(void *ops, struct store_txn *txn, uint64_t n)
{
    struct ops *o = ops;
    struct uidmap matched;
    struct buf filter = BUF_INIT;

    if (queue_oldest_finished(txn, n, &matched) < 0)
        return; /* unreadable now: asked again before the next batch */
    if (uidmap_count(&matched) >= 2 && write_filter(&filter, o->queue, txn, &matched) == 0)
        add(o, buf_str(&filter), &matched);
    buf_done(&filter);
    uidmap_done(&matched);
}
