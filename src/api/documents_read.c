/* /indexes/{indexUid}/documents, the reading side: one document, listings, fetch. A listing is a
 * generator: it keeps a cursor, and each piece opens and closes its own reader, so nothing is held
 * while a client is slow. */
#include <stdlib.h>

#include "api/body.h"
#include "api/documents_params.h"
#include "api/handler.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/mem.h"

/* --- what of a document is shown */

struct shape {
    bool all, with_vectors;
    const struct str *fields;
    size_t n_fields;
};

static struct shape
shape_of(const struct document_list *l)
{
    return (struct shape){.all = !l->fields.is_given || l->fields.has_star,
                          .with_vectors = l->retrieve_vectors,
                          .fields = l->fields.values,
                          .n_fields = l->fields.n};
}

static bool
may_hold_vectors(struct str text)
{
    static const char name[] = "\"_vectors\"";
    return memmem(text.data, text.len, name, sizeof(name) - 1) != NULL;
}

/* The document without its top-level `_vectors`. */
static void
write_without_vectors(struct buf *out, struct str text)
{
    struct json_doc *doc = json_parse(text, NULL);
    if (doc == NULL) {
        buf_add_str(out, text); /* the store holds nothing that does not parse */
        return;
    }
    struct json_iter it = json_iter(json_root(doc));
    struct json_out j = json_out(out);
    json_begin_object(&j);
    while (json_next(&it)) {
        if (str_is(it.key, "_vectors"))
            continue;
        struct buf value = BUF_INIT;
        json_write(&value, it.value);
        json_key_str(&j, it.key);
        json_put_raw(&j, buf_str(&value));
        buf_done(&value);
    }
    json_end_object(&j);
    json_doc_free(doc);
}

static void
write_document(struct buf *out, struct str text, const struct shape *shape)
{
    struct buf plain = BUF_INIT;
    if (!shape->with_vectors && may_hold_vectors(text)) {
        write_without_vectors(&plain, text);
        text = buf_str(&plain);
    }
    if (shape->all)
        buf_add_str(out, text);
    else if (shape->n_fields == 0)
        buf_add_cstr(out, "{}");
    else
        document_write_fields(out, text, shape->fields, shape->n_fields);
    buf_done(&plain);
}

/* --- listings */

struct browse {
    struct arena *arena; /* owns this struct and everything it points to */
    struct turn *turn;
    struct index_set *indexes;
    struct str index_uid;
    struct uuid index_uuid;
    uint64_t offset, limit;
    struct shape shape;
    bool by_ids;
    struct str *ids; /* asked for */
    size_t n_ids, n_looked_up;
    uint32_t *found; /* their internal ids: in any order, then ascending and distinct */
    size_t n_found;
    /* the cursor */
    bool has_begun;
    uint64_t next; /* internal id, or position in found */
    uint64_t seen, shown;
};

static void
copy_ids(struct browse *b, const struct param_strs *ids)
{
    b->by_ids = ids->is_given;
    b->ids = arena_alloc(b->arena, (ids->n + 1) * sizeof(*b->ids));
    b->found = arena_alloc(b->arena, (ids->n + 1) * sizeof(*b->found));
    for (size_t i = 0; i < ids->n; i++)
        b->ids[b->n_ids++] = arena_copy(b->arena, ids->values[i]);
}

static struct browse *
browse_new(struct http_call *call, const struct document_list *l, struct str index_uid,
           const struct uuid *index_uuid)
{
    struct arena *arena = arena_new();
    struct browse *b = arena_alloc(arena, sizeof(*b));
    struct str *fields = arena_alloc(arena, (l->fields.n + 1) * sizeof(*fields));
    for (size_t i = 0; i < l->fields.n; i++)
        fields[i] = arena_copy(arena, l->fields.values[i]);
    *b = (struct browse){.arena = arena,
                         .turn = handler_api(call)->turn,
                         .indexes = handler_api(call)->indexes,
                         .index_uid = arena_copy(arena, index_uid),
                         .index_uuid = *index_uuid,
                         .offset = l->offset.value,
                         .limit = l->limit.value,
                         .shape = shape_of(l)};
    b->shape.fields = fields;
    copy_ids(b, &l->ids);
    return b;
}

static void
browse_release(void *arg)
{
    struct browse *b = arg;
    arena_free(b->arena);
}

/* The index as it is now: opening one that was deleted meanwhile would create it again. */
static struct index *
browse_open(const struct browse *b)
{
    struct index_info info;
    struct err err = ERR_INIT;
    struct index *index = NULL;
    struct store_txn *txn = turn_read(b->turn);
    if (txn == NULL)
        return NULL;
    index_info_init(&info);
    if (catalog_get(txn, b->index_uid, &info) == 1 && uuid_equal(&info.uuid, &b->index_uuid))
        index = index_open(b->indexes, &info.uuid, &err);
    store_abort(txn);
    index_info_done(&info);
    err_done(&err);
    return index;
}

/* --- by ids: first all are looked up, then shown in internal order (contract 5.6) */

static int
compare_found(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
    return (x > y) - (x < y);
}

static void
sort_found(struct browse *b)
{
    size_t n = b->n_found;
    qsort(b->found, n, sizeof(*b->found), compare_found);
    b->n_found = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || b->found[i] != b->found[b->n_found - 1])
            b->found[b->n_found++] = b->found[i];
    }
}

/* 1: more follows, 0: complete, negative: store code. */
static int
look_up(struct browse *b, struct index_reader *r, const struct buf *out, int64_t deadline_us)
{
    while (b->n_looked_up < b->n_ids) {
        int rc = index_reader_find(r, b->ids[b->n_looked_up++], &b->found[b->n_found]);
        if (rc < 0)
            return rc;
        b->n_found += rc == 1;
        if (b->n_looked_up == b->n_ids)
            sort_found(b);
        if (reply_piece_is_full(out, deadline_us))
            return 1;
    }
    return 0;
}

static int
next_found(struct browse *b, struct index_reader *r, struct str *ret_text)
{
    uint32_t wanted, id = 0;
    if (b->shown >= b->limit || b->next >= b->n_found)
        return 0;
    wanted = b->found[b->next++];
    int rc = index_reader_next(r, wanted, &id, ret_text);
    if (rc >= 0 && (rc == 0 || id != wanted))
        *ret_text = STR_NULL; /* deleted since it was looked up */
    return rc < 0 ? rc : 1;
}

/* The next candidate: 1 with its text (data NULL: no such document), 0 at the end, negative. */
static int
browse_next(struct browse *b, struct index_reader *r, struct str *ret_text)
{
    uint32_t id = 0;
    if (b->by_ids)
        return next_found(b, r, ret_text);
    if (b->shown >= b->limit || b->next > UINT32_MAX)
        return 0;
    int rc = index_reader_next(r, (uint32_t) b->next, &id, ret_text);
    b->next = (uint64_t) id + 1;
    return rc;
}

/* 1: more follows, 0: complete, negative: store code. */
static int
browse_documents(struct browse *b, struct index_reader *r, struct buf *out, int64_t deadline_us)
{
    for (;;) {
        struct str text = STR_NULL;
        int rc = browse_next(b, r, &text);
        if (rc <= 0)
            return rc;
        if (text.data != NULL && b->seen++ >= b->offset && b->shown < b->limit) {
            if (b->shown++ > 0)
                buf_add_char(out, ',');
            write_document(out, text, &b->shape);
        }
        if (reply_piece_is_full(out, deadline_us))
            return 1;
    }
}

static enum http_piece
browse_make(void *arg, struct buf *out, int64_t deadline_us)
{
    struct browse *b = arg;
    struct index_reader r;
    struct index *index = browse_open(b);
    if (index == NULL || index_reader_open(&r, index) < 0) {
        index_release(index);
        return HTTP_PIECE_FAILED;
    }
    if (!b->has_begun)
        buf_add_cstr(out, "{\"results\":[");
    b->has_begun = true;
    int rc = look_up(b, &r, out, deadline_us);
    if (rc == 0)
        rc = browse_documents(b, &r, out, deadline_us);
    uint64_t total = b->by_ids ? b->n_found : index_reader_count(&r);
    if (rc == 0)
        buf_addf(out, "],\"offset\":%llu,\"limit\":%llu,\"total\":%llu}",
                 (unsigned long long) b->offset, (unsigned long long) b->limit,
                 (unsigned long long) total);
    index_reader_close(&r);
    index_release(index);
    return rc < 0 ? HTTP_PIECE_FAILED : rc == 0 ? HTTP_PIECE_LAST : HTTP_PIECE_MORE;
}

static enum http_result
list_documents(struct http_call *call, const struct document_list *l)
{
    struct str uid;
    struct index_info info;
    enum http_result result = HTTP_ERROR;
    index_info_init(&info);
    if (handler_index_uid(call, 0, &uid) == 0 && handler_find_index(call, uid, &info) == 0 &&
        document_list_check_filter(l, &call->err) == 0 &&
        document_list_check_sort(l, &call->err) == 0) {
        struct browse *b = browse_new(call, l, uid, &info.uuid);
        struct reply_listing listing = {browse_make, browse_release, b};
        result = reply_listing(call, &listing);
    }
    index_info_done(&info);
    return result;
}

static enum http_result
documents_list(struct http_call *call)
{
    struct document_list l;
    return document_list_from_query(call, &l) < 0 ? HTTP_ERROR : list_documents(call, &l);
}

static enum http_result
documents_fetch(struct http_call *call)
{
    struct body body;
    struct document_list l;
    enum http_result result = HTTP_ERROR;
    if (body_read_json(call, &body) == 0 &&
        document_list_from_body(call, json_root(body.doc), &l) == 0)
        result = list_documents(call, &l);
    body_done(&body);
    return result;
}

/* --- one document */

static int
write_one(struct http_call *call, const struct uuid *uuid, struct str id, const struct shape *shape,
          struct buf *out)
{
    struct index_reader r;
    struct str text;
    struct index *index = index_open(handler_api(call)->indexes, uuid, &call->err);
    if (index == NULL)
        return -1;
    int rc = index_reader_open(&r, index);
    if (rc >= 0) {
        rc = index_reader_get(&r, id, &text);
        if (rc == 1)
            write_document(out, text, shape);
        index_reader_close(&r);
    }
    index_release(index);
    if (rc == 0)
        return err_set(&call->err, ERR_DOCUMENT_NOT_FOUND, "Document `%.*s` not found.",
                       STR_ARG(id));
    return rc < 0 ? handler_store_error(&call->err, rc) : 0;
}

static enum http_result
document_get(struct http_call *call)
{
    struct document_list l;
    struct str uid;
    struct index_info info;
    struct buf out = BUF_INIT;
    int rc = -1;
    index_info_init(&info);
    if (document_get_from_query(call, &l) == 0 && handler_index_uid(call, 0, &uid) == 0 &&
        handler_find_index(call, uid, &info) == 0) {
        struct shape shape = shape_of(&l);
        rc = write_one(call, &info.uuid, handler_param(call, 1), &shape, &out);
    }
    index_info_done(&info);
    if (rc == 0)
        return reply_json(call, 200, &out);
    buf_done(&out);
    return HTTP_ERROR;
}

static const struct route rows[] = {
    {.method = HTTP_GET,
     .pattern = "/indexes/{indexUid}/documents",
     .action = "documents.get",
     .handler = documents_list,
     .summary = "List documents"},
    {.method = HTTP_POST,
     .pattern = "/indexes/{indexUid}/documents/fetch",
     .action = "documents.get",
     .flags = ROUTE_JSON_BODY,
     .handler = documents_fetch,
     .summary = "List documents, asked for with a body"},
    {.method = HTTP_GET,
     .pattern = "/indexes/{indexUid}/documents/{documentId}",
     .action = "documents.get",
     .handler = document_get,
     .summary = "Get one document"},
};
const struct route_table document_read_routes = ROUTE_TABLE(rows);
