/* GET /tasks/{taskUid}/documents: what an import that has not ended was sent (contract 2.5), in
 * pieces. Always a document a line, as ops/ stores payloads, whatever the format of the upload. */
#include <stdlib.h>

#include "api/experimental.h"
#include "api/handler.h"
#include "api/reply.h"
#include "api/uid_listing.h"
#include "base/mem.h"

struct payload_copy {
    struct str mapped; /* a file; else data NULL */
    struct buf inline_bytes;
    size_t at;
};

static struct str
payload_bytes(const struct payload_copy *p)
{
    return p->mapped.data != NULL ? p->mapped : buf_str(&p->inline_bytes);
}

static void
payload_release(void *arg)
{
    struct payload_copy *p = arg;
    payload_unmap(p->mapped);
    buf_done(&p->inline_bytes);
    free(p);
}

static enum http_piece
payload_make(void *arg, struct buf *out, int64_t deadline_us)
{
    struct payload_copy *p = arg;
    struct str rest = str_slice(payload_bytes(p), p->at, SIZE_MAX);
    struct str piece = str_slice(rest, 0, REPLY_PIECE_BYTES);
    (void) deadline_us; /* one piece is copied in microseconds */
    buf_add_str(out, piece);
    p->at += piece.len;
    return piece.len == rest.len ? HTTP_PIECE_LAST : HTTP_PIECE_MORE;
}

static bool
has_documents(const struct task *t)
{
    return t->kind == KIND_DOCUMENT_ADDITION_OR_UPDATE && t->payload_size > 0 &&
           (t->status == TASK_ENQUEUED || t->status == TASK_PROCESSING);
}

/* 0, or -1 with call->err. */
static int
open_payload(struct http_call *call, struct store_txn *txn, const struct task *t,
             struct payload_copy *ret)
{
    struct str bytes;
    if (!has_documents(t))
        return err_set(&call->err, ERR_TASK_FILE_NOT_FOUND,
                       "Task `%u` does not contain any documents. Only `documentAdditionOrUpdate` "
                       "tasks with the statuses `enqueued` or `processing` contain documents",
                       t->uid);
    if (!uuid_is_nil(&t->payload_file))
        return payload_map(handler_api(call)->payloads, &t->payload_file, &ret->mapped, &call->err);
    int rc = queue_payload_inline(txn, t->uid, &bytes);
    if (rc != 1)
        return handler_store_error(&call->err, rc < 0 ? rc : STORE_ECORRUPT);
    buf_add_str(&ret->inline_bytes, bytes);
    return buf_failed(&ret->inline_bytes) ? err_set(&call->err, ERR_INTERNAL, "out of memory") : 0;
}

static int
find_payload(struct http_call *call, uint32_t uid, struct payload_copy *ret)
{
    struct task t;
    struct auth_grant grant = handler_grant(call);
    struct store_txn *txn = handler_read(call);
    if (txn == NULL)
        return -1;
    task_init(&t);
    int rc = queue_task_get(handler_api(call)->queue, txn, uid, &t);
    if (rc < 0)
        (void) handler_store_error(&call->err, rc);
    else if (rc == 0 || !task_filter_grants(&grant, &t))
        rc = err_set(&call->err, ERR_TASK_NOT_FOUND, "Task `%u` not found.", uid);
    else
        rc = open_payload(call, txn, &t, ret);
    task_done(&t);
    store_abort(txn);
    return rc;
}

static enum http_result
task_documents(struct http_call *call)
{
    uint32_t enabled, uid;
    if (features_enabled(call, &enabled) < 0 ||
        feature_require(enabled, FEATURE_GET_TASK_DOCUMENTS_ROUTE,
                        "Getting the documents of an enqueued task", &call->err) < 0 ||
        uid_from_path(call, "Task", ERR_INVALID_TASK_UIDS, &uid) < 0)
        return HTTP_ERROR;
    struct payload_copy *p = mem_new(1, sizeof(*p));
    if (find_payload(call, uid, p) < 0) {
        payload_release(p);
        return HTTP_ERROR;
    }
    http_reply_pieces(call, 200, "application/x-ndjson", payload_make, payload_release, p);
    return HTTP_DONE;
}

static const struct route rows[] = {
    {.method = HTTP_GET,
     .pattern = "/tasks/{taskUid}/documents",
     .action = "tasks.get",
     .handler = task_documents,
     .answer = "application/x-ndjson",
     .summary = "Get the documents of an import that has not ended"},
};
const struct route_table task_document_routes = ROUTE_TABLE(rows);
