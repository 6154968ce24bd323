/* /tasks: the rows, and listing. One task is task_wait.c's, cancelation and deletion are
 * task_change.c's; the tasks themselves and their JSON are queue/'s. */
#include "api/task_change.h"
#include "api/task_compact.h"
#include "api/task_wait.h"
#include "api/uid_listing.h"

/* --- GET /tasks */

static void
item_init(void *item)
{
    task_init(item);
}

static void
item_done(void *item)
{
    task_done(item);
}

static int
item_get(struct queue *q, struct store_txn *txn, uint32_t uid, void *item)
{
    return queue_task_get(q, txn, uid, item);
}

static bool
item_hides(const struct uid_listing *l, const void *item)
{
    return task_filter_hides(&l->filter, item) || !task_filter_grants(&l->grant, item);
}

static void
item_write(struct buf *out, const void *item)
{
    task_write_json(out, item);
}

static const struct uid_listing_kind task_kind_of_listing = {
    .item_size = sizeof(struct task),
    .init = item_init,
    .done = item_done,
    .get = item_get,
    .total = queue_task_total,
    .hides = item_hides,
    .write = item_write,
};

static enum http_result
task_list(struct http_call *call)
{
    struct task_filter filter;
    if (task_filter_for_list(call, &filter) < 0)
        return HTTP_ERROR;
    return uid_listing_reply(call, &task_kind_of_listing, &filter);
}

static const struct route rows[] = {
    {.method = HTTP_GET,
     .pattern = "/tasks",
     .action = "tasks.get",
     .handler = task_list,
     .query = &task_list_query,
     .summary = "List tasks"},
    {.method = HTTP_GET,
     .pattern = "/tasks/{taskUid}",
     .action = "tasks.get",
     .handler = task_get,
     .header = "Prefer",
     .summary = "Get one task"},
    {.method = HTTP_POST,
     .pattern = "/tasks/cancel",
     .action = "tasks.cancel",
     .flags = ROUTE_ENQUEUES,
     .handler = task_cancel,
     .query = &task_cancel_query,
     .status = 200,
     .summary = "Cancel tasks"},
    {.method = HTTP_POST,
     .pattern = "/tasks/compact",
     .action = "tasks.compact",
     .handler = task_compact,
     .summary = "Give the space of deleted tasks back to the file system"},
    {.method = HTTP_DELETE,
     .pattern = "/tasks",
     .action = "tasks.delete",
     .flags = ROUTE_ENQUEUES,
     .handler = task_delete,
     .query = &task_cancel_query,
     .status = 200,
     .summary = "Delete finished tasks"},
};
const struct route_table task_routes = ROUTE_TABLE(rows);
