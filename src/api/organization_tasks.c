/* /v1/tasks (contracts.md 3.5): the queue's tasks in the words of the Mixpeek-style door. Owns
 * those words and the order of a list; the tasks are queue/'s. */
#include <stdlib.h>

#include "api/enqueue.h"
#include "api/fields.h"
#include "api/organization_filter.h"
#include "api/organizations.h"
#include "api/reply.h"
#include "api/task_filter.h"
#include "api/uid_listing.h"
#include "base/clock.h"
#include "base/mem.h"
#include "queue/query.h"

enum { SEARCH_MAX_BYTES = 256 };

/* --- words */

static const char *const status_names[TASK_STATUS_COUNT] = {
    [TASK_ENQUEUED] = "PENDING", [TASK_PROCESSING] = "PROCESSING", [TASK_SUCCEEDED] = "COMPLETED",
    [TASK_FAILED] = "FAILED",    [TASK_CANCELED] = "CANCELED",
};
/* What a client may ask for besides: no task of this server is ever in one of them. */
static const char *const other_statuses[] = {
    "COMPLETED_WITH_ERRORS", "UNKNOWN", "SKIPPED", "DRAFT", "ACTIVE", "ARCHIVED", "SUSPENDED"};

/* Their type is a closed enum in client libraries; ours is in additional_data.native_type. */
static const char *const type_names[KIND_COUNT] = {
    [KIND_DOCUMENT_ADDITION_OR_UPDATE] = "api_collections_documents_create",
    [KIND_DOCUMENT_EDITION] = "api_collections_documents_create",
    [KIND_DOCUMENT_DELETION] = "api_collections_documents_create",
    [KIND_SETTINGS_UPDATE] = "api_namespaces_migrations_run",
    [KIND_INDEX_CREATION] = "api_namespaces_create",
    [KIND_INDEX_DELETION] = "api_namespaces_delete",
    [KIND_INDEX_UPDATE] = "api_namespaces_migrations_run",
    [KIND_INDEX_SWAP] = "api_namespaces_migrations_run",
    [KIND_INDEX_STAGE] = "api_collections_trigger",
    [KIND_INDEX_DEPLOY] = "materialize",
    [KIND_REPORT] = "api_collections_export",
    [KIND_EXPORT] = "api_collections_export",
};
#define TYPE_OTHER "plugin_custom"

static const char *
type_name(enum task_kind k)
{
    return type_names[k] == NULL ? TYPE_OTHER : type_names[k];
}

/* --- one task */

static void
put_text(struct json_out *j, const char *name, const char *text)
{
    json_key(j, name);
    json_put_cstr(j, text);
}

static void
put_time(struct json_out *j, const char *name, int64_t ns)
{
    json_key(j, name);
    json_put_time(j, ns);
}

static void
put_uid(struct json_out *j, const char *name, uint32_t uid)
{
    struct buf text = BUF_INIT;
    json_key(j, name);
    if (uid == TASK_NONE) {
        json_put_null(j);
        return;
    }
    buf_add_u64(&text, uid);
    json_put_str(j, buf_str(&text));
    buf_done(&text);
}

static void
put_list(struct json_out *j, const char *name, struct str json)
{
    json_key(j, name);
    json_begin_array(j);
    if (json.data != NULL)
        json_put_raw(j, json);
    json_end_array(j);
}

static void
put_inputs(struct json_out *j, const struct task *t)
{
    json_key(j, "inputs");
    json_begin_array(j);
    if (t->index_uid != NULL)
        json_put_cstr(j, t->index_uid);
    for (uint32_t i = 0; i < t->n_also_indexes; i++)
        json_put_cstr(j, t->also_indexes[i]);
    json_end_array(j);
}

static void
put_additional(struct json_out *j, const struct task *t)
{
    json_key(j, "additional_data");
    json_begin_object(j);
    put_text(j, "native_type", task_kind_name(t->kind));
    put_text(j, "native_status", task_status_name(t->status));
    put_text(j, "collection_id", t->index_uid);
    put_uid(j, "batch_id", t->batch_uid);
    put_uid(j, "canceled_by", t->canceled_by);
    put_time(j, "created_at", t->enqueued_at_ns);
    put_time(j, "started_at", t->started_at_ns);
    put_time(j, "finished_at", t->finished_at_ns);
    json_key(j, "details");
    if (t->details != NULL)
        json_put_raw(j, str_from(t->details));
    else
        json_put_null(j);
    if (t->custom_metadata != NULL)
        put_text(j, "custom_metadata", t->custom_metadata);
    if (err_is_set(&t->error)) {
        put_text(j, "error", t->error.message);
        put_text(j, "error_code", err_name(t->error.code));
    }
    json_end_object(j);
}

static void
write_task(struct buf *out, const struct task *t)
{
    struct json_out j = json_out(out);
    const char *error = err_is_set(&t->error) ? t->error.message : NULL;
    json_begin_object(&j);
    put_uid(&j, "task_id", t->uid);
    put_text(&j, "task_type", type_name(t->kind));
    put_text(&j, "status", status_names[t->status]);
    put_inputs(&j, t);
    put_list(&j, "outputs",
             t->status == TASK_SUCCEEDED && t->details != NULL ? str_from(t->details) : STR_NULL);
    put_additional(&j, t);
    put_text(&j, "error", error);
    put_text(&j, "error_message", error);
    json_end_object(&j);
}

/* The task that the path names, if the caller may know of it: 1 (task_done it), 0, negative. */
static int
read_task(struct http_call *call, struct task *ret)
{
    uint64_t uid;
    struct str text = handler_param(call, 0);
    struct auth_grant grant = handler_grant(call);
    task_init(ret);
    if (!str_to_u64(text, UINT32_MAX, &uid))
        return 0; /* ids are texts: this is none of ours */
    struct store_txn *txn = turn_read(handler_api(call)->turn);
    int rc = txn == NULL ? STORE_EIO
                         : queue_task_get(handler_api(call)->queue, txn, (uint32_t) uid, ret);
    store_abort(txn);
    if (rc == 1 && !task_filter_grants(&grant, ret)) {
        task_done(ret);
        task_init(ret);
        rc = 0;
    }
    return rc;
}

static enum http_result
organization_task_get(struct http_call *call)
{
    struct task t;
    struct buf out = BUF_INIT;
    int rc = read_task(call, &t);
    if (rc == 1)
        write_task(&out, &t);
    task_done(&t);
    if (rc == 1)
        return reply_json(call, 200, &out);
    if (rc < 0)
        handler_store_error(&call->err, rc);
    else
        (void) err_set(&call->err, ERR_TASK_NOT_FOUND, "Task `%.*s` not found.",
                       STR_ARG(handler_param(call, 0)));
    return HTTP_ERROR;
}

/* --- ending one: canceled while it is not finished, deleted afterwards */

static bool
has_ended(const struct task *t)
{
    return t->status != TASK_ENQUEUED && t->status != TASK_PROCESSING;
}

static int
add_change(struct http_call *call, void *arg, struct ops_result *ret)
{
    const struct task *t = arg;
    struct ops *ops = handler_api(call)->ops;
    struct uidmap matched = {0};
    struct str original = str_from(arena_printf(call->arena, "?uids=%u", t->uid));
    uidmap_add(&matched, t->uid);
    int rc = has_ended(t) ? ops_delete_tasks(ops, original, &matched, ret, &call->err)
                          : ops_cancel_tasks(ops, original, &matched, ret, &call->err);
    uidmap_done(&matched);
    buf_clear(&ret->summary);
    buf_add_cstr(&ret->summary, "{\"message\":\"Successfully deleted\",\"success\":true}");
    return rc;
}

static enum http_result
organization_task_end(struct http_call *call)
{
    struct task t;
    struct buf out = BUF_INIT;
    enum http_result result = HTTP_ERROR;
    int rc = read_task(call, &t);
    if (rc == 1 && has_ended(&t) && handler_require(call, "tasks.delete", STR_NULL) < 0) {
        result = HTTP_ERROR;
    } else if (rc == 1) {
        result = enqueue_now(call, 200, STR(""), add_change, &t);
    } else if (rc == 0) { /* idempotent */
        buf_add_cstr(&out, "{\"message\":\"Successfully deleted\",\"success\":true}");
        result = reply_json(call, 200, &out);
    } else {
        handler_store_error(&call->err, rc);
    }
    task_done(&t);
    return result;
}

/* --- the list */

struct sort_fields {
    struct str field, direction;
};
struct list_fields {
    uint32_t statuses, types; /* bits; as in struct task_query */
    struct str search;
    const struct json *filters, *sort;
};

static bool
is_other_status(struct str name)
{
    for (size_t i = 0; i < sizeof(other_statuses) / sizeof(other_statuses[0]); i++) {
        if (str_equal_nocase(name, str_from(other_statuses[i])))
            return true;
    }
    return false;
}

static int
refuse_status(const struct field_in *in)
{
    struct buf all = BUF_INIT;
    for (int i = 0; i < TASK_STATUS_COUNT; i++) {
        buf_add_cstr(&all, status_names[i]);
        buf_add_cstr(&all, "`, `");
    }
    for (size_t i = 0; i < sizeof(other_statuses) / sizeof(other_statuses[0]); i++) {
        buf_add_cstr(&all, other_statuses[i]);
        buf_add_cstr(&all, "`, `");
    }
    int rc = field_invalid(in, "`%.*s` is no status: expected one of `%sIN_PROGRESS`.",
                           STR_ARG(json_string(in->value)), buf_cstr(&all));
    buf_done(&all);
    return rc;
}

static int
field_status(const struct field_in *in, void *dst)
{
    uint32_t *bits = dst;
    struct str name = json_string(in->value);
    *bits = str_equal_nocase(name, STR("IN_PROGRESS")) ? 1u << TASK_PROCESSING : 0;
    for (int i = 0; i < TASK_STATUS_COUNT; i++) {
        if (str_equal_nocase(name, str_from(status_names[i])))
            *bits |= 1u << i;
    }
    return *bits != 0 || is_other_status(name) ? 0 : refuse_status(in);
}

/* A type that none of our tasks has gives an empty list: the enum of clients has many. */
static int
field_type(const struct field_in *in, void *dst)
{
    uint32_t *bits = dst;
    struct str name = json_string(in->value);
    *bits = 0;
    for (int i = 0; i < KIND_COUNT; i++) {
        if (str_equal_nocase(name, str_from(type_name((enum task_kind) i))) ||
            str_equal_nocase(name, str_from(task_kind_name((enum task_kind) i))))
            *bits |= 1u << i;
    }
    return 0;
}

static int
field_search(const struct field_in *in, void *dst)
{
    if (json_string(in->value).len > SEARCH_MAX_BYTES)
        return field_invalid(in, "expected at most %d bytes.", SEARCH_MAX_BYTES);
    return field_string(in, dst);
}

static int
field_sort_by(const struct field_in *in, void *dst)
{
    struct str name = json_string(in->value);
    if (!str_is(name, "task_id") && !str_is(name, "created_at") &&
        !str_is(name, "additional_data.created_at"))
        return field_invalid(in,
                             "`%.*s` cannot be sorted by: expected one of `created_at`, "
                             "`additional_data.created_at`, `task_id`.",
                             STR_ARG(name));
    return field_string(in, dst);
}

static int
field_direction(const struct field_in *in, void *dst)
{
    struct str name = json_string(in->value);
    if (!str_is(name, "asc") && !str_is(name, "desc"))
        return field_invalid(in, "expected `asc` or `desc`.");
    return field_string(in, dst);
}

#define ROW(field_name, kind, reader, type, member)                                                \
    .name = (field_name), .code = ERR_INVALID_ORGANIZATION_FIELD, .kinds = (kind),                 \
    .read = (reader), .offset = offsetof(struct type, member)
static const struct field list_rows[] = {
    {ROW("status", FIELD_STRING, field_status, list_fields, statuses)},
    {ROW("task_type", FIELD_STRING, field_type, list_fields, types)},
    {ROW("filters", FIELD_OBJECT, field_json, list_fields, filters)},
    {ROW("sort", FIELD_OBJECT, field_json, list_fields, sort)},
    {ROW("search", FIELD_STRING, field_search, list_fields, search)},
};
static const struct field sort_rows[] = {
    {ROW("field", FIELD_STRING, field_sort_by, sort_fields, field), .no_null = true,
     .missing = ERR_MISSING_ORGANIZATION_FIELD},
    {ROW("direction", FIELD_STRING, field_direction, sort_fields, direction)},
};
#define TABLE_OF(array)                                                                            \
    {                                                                                              \
        .rows = (array), .n = sizeof(array) / sizeof((array)[0]),                                  \
        .code = ERR_INVALID_ORGANIZATION_FIELD                                                     \
    }
static const struct fields list_fields = TABLE_OF(list_rows), sort_fields = TABLE_OF(sort_rows);

struct task_pages {
    struct arena *arena; /* owns this struct */
    struct queue *queue;
    struct turn *turn;
    struct body body; /* owns search and filters */
    struct list_fields wanted;
    struct organization_paging paging;
    struct auth_grant grant;
    struct task_query query;
    struct selection *selection;
    bool is_ascending, has_begun, is_prepared;
    /* the cursor: the next chunk (descending: + 1), and the place in it */
    uint64_t chunk;
    unsigned at;
    bool is_in_chunk;
    uint64_t total, shown, after; /* after: a cursor of the client; tasks from there on */
    bool has_more;
    uint32_t last;
};

static void
pages_free(void *arg)
{
    struct task_pages *p = arg;
    selection_free(p->selection);
    body_done(&p->body);
    arena_free(p->arena);
}

/* Whether the task is one of the list; out: its JSON, for filters. */
static bool
is_listed(const struct task_pages *p, const struct task *t, struct buf *out)
{
    if (!task_filter_grants(&p->grant, t))
        return false;
    write_task(out, t);
    if (p->wanted.search.len > 0 && !organization_text_has(buf_str(out), p->wanted.search))
        return false;
    if (p->wanted.filters == NULL)
        return true;
    struct json_doc *doc = json_parse(buf_str(out), NULL);
    bool is_met = doc != NULL && organization_filter_meets(p->wanted.filters, json_root(doc));
    json_doc_free(doc);
    return is_met;
}

static bool
is_behind_cursor(const struct task_pages *p, uint32_t uid)
{
    if (p->paging.cursor.data == NULL)
        return true;
    return p->is_ascending ? uid > p->after : uid < p->after;
}

static void
show(struct task_pages *p, uint32_t uid, struct str json, struct buf *out)
{
    p->total++;
    if (!is_behind_cursor(p, uid) || p->total <= p->paging.offset)
        return;
    if (p->shown == p->paging.limit) {
        p->has_more = true;
        return;
    }
    if (p->shown++ > 0)
        buf_add_char(out, ',');
    buf_add_str(out, json);
    p->last = uid;
}

static int
take(struct task_pages *p, struct store_txn *txn, uint32_t uid, struct buf *out)
{
    struct task t;
    struct buf json = BUF_INIT;
    int rc = queue_task_get(p->queue, txn, uid, &t);
    if (rc <= 0)
        return rc;
    if (is_listed(p, &t, &json))
        show(p, uid, buf_str(&json), out);
    buf_done(&json);
    task_done(&t);
    return 0;
}

/* Whether the rest of a chunk may be counted without a look at its tasks. */
static bool
is_counted_only(const struct task_pages *p)
{
    return p->has_more && p->grant.sees_all_indexes && p->wanted.filters == NULL &&
           p->wanted.search.len == 0;
}

/* 1: the piece is full, 0: the chunk is through, negative. */
static int
take_chunk(struct task_pages *p, struct store_txn *txn, uint32_t chunk, const struct bits *bits,
           struct buf *out, int64_t deadline_us)
{
    while (p->at < BITS_COUNT) {
        unsigned found = bits_seek(bits, p->at, p->is_ascending);
        if (found == BITS_COUNT)
            break;
        bool is_last = p->is_ascending ? found == BITS_COUNT - 1 : found == 0;
        p->at = is_last ? BITS_COUNT : p->is_ascending ? found + 1 : found - 1;
        if (is_counted_only(p)) {
            p->total++;
            continue;
        }
        int rc = take(p, txn, bits_uid(chunk, found), out);
        if (rc < 0)
            return rc;
        if (reply_piece_is_full(out, deadline_us))
            return 1;
    }
    return 0;
}

/* 1: more follows, 0: complete, negative. */
static int
scan(struct task_pages *p, struct store_txn *txn, struct buf *out, int64_t deadline_us)
{
    struct bits bits;
    for (;;) {
        uint32_t chunk = (uint32_t) (p->is_ascending ? p->chunk : p->chunk - 1);
        if (p->is_ascending ? p->chunk > bits_chunk(UINT32_MAX) : p->chunk == 0)
            return 0;
        int rc =
            p->is_in_chunk ? 1 : selection_seek(p->selection, txn, chunk, p->is_ascending, &chunk);
        if (rc <= 0)
            return rc;
        if (!p->is_in_chunk)
            p->at = p->is_ascending ? 0 : BITS_COUNT - 1;
        p->is_in_chunk = true;
        p->chunk = p->is_ascending ? chunk : (uint64_t) chunk + 1;
        rc = selection_read(p->selection, txn, chunk, &bits);
        if (rc >= 0)
            rc = take_chunk(p, txn, chunk, &bits, out, deadline_us);
        if (rc != 0)
            return rc;
        p->is_in_chunk = false;
        p->chunk = p->is_ascending ? (uint64_t) chunk + 1 : chunk;
        if (reply_piece_is_full(out, deadline_us))
            return 1;
    }
}

static void
write_end(const struct task_pages *p, struct buf *out)
{
    struct buf cursor = BUF_INIT;
    struct json_out j = json_out(out);
    buf_add_u64(&cursor, p->last);
    struct organization_pages pages = {.path = "/v1/tasks/list",
                                       .paging = p->paging,
                                       .total = p->total,
                                       .next_cursor = p->has_more ? buf_cstr(&cursor) : NULL};
    buf_add_char(out, ']');
    j.comma = true;
    organization_write_pagination(&j, &pages);
    buf_add_char(out, '}');
    buf_done(&cursor);
}

static int
make_with(struct task_pages *p, struct store_txn *txn, struct buf *out, int64_t deadline_us)
{
    if (!p->is_prepared) {
        int rc = selection_prepare(p->selection, txn, deadline_us);
        if (rc != 0)
            return rc;
        p->is_prepared = true;
    }
    if (!p->has_begun)
        buf_add_cstr(out, "{\"results\":[");
    p->has_begun = true;
    int rc = scan(p, txn, out, deadline_us);
    if (rc == 0)
        write_end(p, out);
    return rc;
}

static enum http_piece
make(void *arg, struct buf *out, int64_t deadline_us)
{
    struct task_pages *p = arg;
    struct store_txn *txn = turn_read(p->turn);
    int rc = txn == NULL ? STORE_EIO : make_with(p, txn, out, deadline_us);
    store_abort(txn);
    return rc < 0 ? HTTP_PIECE_FAILED : rc == 0 ? HTTP_PIECE_LAST : HTTP_PIECE_MORE;
}

static int
read_cursor(struct http_call *call, struct task_pages *p)
{
    if (p->paging.cursor.data == NULL || str_to_u64(p->paging.cursor, UINT32_MAX, &p->after))
        return 0;
    return err_set(&call->err, ERR_INVALID_ORGANIZATION_PARAMETER,
                   "Invalid value in parameter `cursor`: expected a `next_cursor` of this list.");
}

static int
read_sort(struct http_call *call, struct task_pages *p)
{
    struct sort_fields s = {0};
    if (p->wanted.sort == NULL)
        return 0;
    if (fields_read(call->arena, p->wanted.sort, ".sort", &sort_fields, &s, &call->err) < 0)
        return -1;
    p->is_ascending = str_is(s.direction, "asc");
    return 0;
}

static int
read_request(struct http_call *call, struct task_pages *p)
{
    p->wanted = (struct list_fields){.statuses = UINT32_MAX, .types = UINT32_MAX};
    if (organization_read_page(call, &p->paging) < 0 || read_cursor(call, p) < 0)
        return -1;
    if (p->paging.cursor.data != NULL)
        p->paging.cursor = arena_copy(p->arena, p->paging.cursor);
    int rc = organization_read_optional_body(call, &p->body);
    if (rc == 1)
        rc = fields_read(call->arena, json_root(p->body.doc), "", &list_fields, &p->wanted,
                         &call->err);
    if (rc == 0)
        rc = read_sort(call, p);
    if (rc == 0 && p->wanted.filters != NULL)
        rc = organization_filter_check(p->wanted.filters, ".filters", &call->err);
    return rc;
}

static enum http_result
organization_task_list(struct http_call *call)
{
    struct arena *arena = arena_new();
    struct task_pages *p = arena_alloc(arena, sizeof(*p));
    struct auth_grant grant = handler_grant(call);
    *p = (struct task_pages){
        .arena = arena, .queue = handler_api(call)->queue, .turn = handler_api(call)->turn};
    if (read_request(call, p) < 0) {
        pages_free(p);
        return HTTP_ERROR;
    }
    p->grant = auth_grant_keep(arena, &grant);
    p->query = (struct task_query) TASK_QUERY_ALL;
    p->query.statuses = p->wanted.statuses;
    p->query.types = p->wanted.types;
    p->selection = selection_new(p->queue, &p->query, false);
    p->chunk = p->is_ascending ? 0 : (uint64_t) bits_chunk(UINT32_MAX) + 1;
    struct reply_listing listing = {make, pages_free, p};
    return reply_listing(call, &listing);
}

static const struct route rows[] = {
    {.method = HTTP_GET,
     .pattern = "/v1/tasks/{taskId}",
     .action = "tasks.get",
     .handler = organization_task_get,
     .summary = "Get one task, as Mixpeek shows it"},
    {.method = HTTP_POST,
     .pattern = "/v1/tasks/list",
     .action = "tasks.get",
     .flags = ROUTE_JSON_BODY,
     .handler = organization_task_list,
     .query = &organization_page_query,
     .body = &list_fields,
     .summary = "List tasks, as Mixpeek shows them"},
    {.method = HTTP_DELETE,
     .pattern = "/v1/tasks/{taskId}",
     .action = "tasks.cancel",
     .flags = ROUTE_ENQUEUES,
     .handler = organization_task_end,
     .status = 200,
     .summary = "Cancel a task, or delete a finished one"},
    {.method = HTTP_POST,
     .pattern = "/v1/tasks/{taskId}/kill",
     .action = "tasks.cancel",
     .flags = ROUTE_ENQUEUES,
     .handler = organization_task_end,
     .status = 200,
     .summary = "The same"},
};
const struct route_table organization_task_routes = ROUTE_TABLE(rows);
