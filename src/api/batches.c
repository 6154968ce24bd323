/* /batches: list, get. Which match is the queue's. */
#include "api/reply.h"
#include "api/uid_listing.h"

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
item_get(struct queue *q, struct store_txn *txn, uint32_t uid, void *item)
{
    return queue_batch_get(q, txn, uid, item);
}

static void
item_write(struct buf *out, const void *item)
{
    batch_write_json(out, item);
}

/* Whether a caller may know of the batch: one of its indexes must be the key's. */
static bool
is_granted(const struct auth_grant *grant, const struct batch *b)
{
    for (uint32_t i = 0; i < b->n_indexes && !grant->sees_all_indexes; i++) {
        if (auth_grant_sees(grant, str_from(b->index_uids[i])))
            return true;
    }
    return grant->sees_all_indexes;
}

static bool
item_hides(const struct uid_listing *l, const void *item)
{
    return !is_granted(&l->grant, item);
}

static const struct uid_listing_kind batch_kind_of_listing = {
    .item_size = sizeof(struct batch),
    .of_batches = true,
    .init = item_init,
    .done = item_done,
    .get = item_get,
    .total = queue_batch_total,
    .hides = item_hides,
    .write = item_write,
};

/* --- routes */

static enum http_result
batch_list(struct http_call *call)
{
    struct task_filter filter;
    if (task_filter_for_list(call, &filter) < 0)
        return HTTP_ERROR;
    return uid_listing_reply(call, &batch_kind_of_listing, &filter);
}

static enum http_result
batch_get(struct http_call *call)
{
    uint32_t uid;
    struct batch b;
    struct buf body = BUF_INIT;
    struct auth_grant grant = handler_grant(call);
    if (uid_from_path(call, "Batch", ERR_INVALID_BATCH_UIDS, &uid) < 0)
        return HTTP_ERROR;
    struct store_txn *txn = handler_read(call);
    if (txn == NULL)
        return HTTP_ERROR;
    batch_init(&b);
    int rc = queue_batch_get(handler_api(call)->queue, txn, uid, &b);
    if (rc == 1 && !is_granted(&grant, &b))
        rc = 0;
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
     .query = &task_list_query,
     .summary = "List batches"},
    {.method = HTTP_GET,
     .pattern = "/batches/{batchUid}",
     .action = "tasks.get",
     .handler = batch_get,
     .summary = "Get one batch"},
};
const struct route_table batch_routes = ROUTE_TABLE(rows);
