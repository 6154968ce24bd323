/* The generator of documents_browse.h.
 *
 *   look up ids (when given) -> show: every candidate in order, or
 *   look up ids -> [rank: every candidate into the heap -> show the ranked ones] ...
 *   Sorting keeps BROWSE_RANKED_MAX entries; what is asked for beyond them takes further rounds. */
#include "api/documents_browse.h"

#include <stdlib.h>

#include "api/reply.h"
#include "base/mem.h"
#include "index/index.h"

enum {
    BROWSE_RANKED_MAX = 10000,
    BROWSE_SNAPSHOT_MS =
        5000, /* a listing that takes longer goes on with the index as it is then */
};

/* --- what of a document is shown */

struct document_shape
document_shape_of(const struct document_list *l)
{
    return (struct document_shape){.all = !l->fields.is_given || l->fields.has_star,
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

void
document_write(struct buf *out, struct str text, const struct document_shape *shape)
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

/* --- the object */

enum browse_phase { BROWSE_LOOK_UP, BROWSE_SHOW, BROWSE_RANK, BROWSE_SHOW_RANKED };

struct browse {
    struct arena *arena; /* owns this struct and everything it points to */
    struct turn *turn;
    struct index_set *indexes;
    struct str index_uid;
    struct uuid index_uuid;
    uint64_t offset, limit;
    struct document_shape shape;
    struct filter *filter; /* NULL: all match */
    struct sort *sort;     /* NULL: in insertion order */
    struct sort_top *top;
    struct json_scratch *scratch;
    struct buf key;
    bool by_ids;
    struct str *ids; /* asked for */
    size_t n_ids, n_looked_up;
    uint32_t *found; /* their internal ids: in any order, then ascending and distinct */
    size_t n_found;
    /* the cursor */
    enum browse_phase phase;
    bool has_begun;
    uint64_t next;                   /* internal id, or position in found */
    uint64_t seen, shown;            /* of those that match */
    const struct sort_entry *ranked; /* of this round */
    size_t n_ranked, next_ranked;
    uint64_t n_before; /* ranked in earlier rounds */
    /* between two pieces */
    struct index_snapshot *snapshot; /* NULL: each piece reads the index of its time */
    struct loop_timer hold;
};

/* A client that reads slowly must not keep the index's past for ever. */
static void
on_held_long(void *arg)
{
    struct browse *b = arg;
    index_snapshot_release(b->snapshot);
    b->snapshot = NULL;
}

static void
copy_ids(struct browse *b, const struct param_strs *ids)
{
    b->by_ids = ids->is_given;
    b->ids = arena_alloc(b->arena, (ids->n + 1) * sizeof(*b->ids));
    b->found = arena_alloc(b->arena, (ids->n + 1) * sizeof(*b->found));
    for (size_t i = 0; i < ids->n; i++)
        b->ids[b->n_ids++] = arena_copy(b->arena, ids->values[i]);
}

/* The last position asked for, without overflow. */
static uint64_t
browse_end(const struct browse *b)
{
    return b->limit > UINT64_MAX - b->offset ? UINT64_MAX : b->offset + b->limit;
}

static struct browse *
browse_new(struct http_call *call, const struct browse_conf *conf)
{
    const struct document_list *l = conf->list;
    struct arena *arena = arena_new();
    struct browse *b = arena_alloc(arena, sizeof(*b));
    struct str *fields = arena_alloc(arena, (l->fields.n + 1) * sizeof(*fields));
    for (size_t i = 0; i < l->fields.n; i++)
        fields[i] = arena_copy(arena, l->fields.values[i]);
    *b = (struct browse){.arena = arena,
                         .turn = handler_api(call)->turn,
                         .indexes = handler_api(call)->indexes,
                         .index_uid = arena_copy(arena, conf->index_uid),
                         .index_uuid = conf->index_uuid,
                         .offset = l->offset.value,
                         .limit = l->limit.value,
                         .shape = document_shape_of(l),
                         .filter = conf->take_filter,
                         .sort = conf->take_sort,
                         .scratch = json_scratch_new()};
    b->shape.fields = fields;
    copy_ids(b, &l->ids);
    loop_timer_init(&b->hold, handler_api(call)->loop, on_held_long, b);
    if (b->sort != NULL)
        b->top = sort_top_new(browse_end(b) < BROWSE_RANKED_MAX ? (size_t) browse_end(b)
                                                                : BROWSE_RANKED_MAX);
    return b;
}

static void
browse_release(void *arg)
{
    struct browse *b = arg;
    loop_timer_done(&b->hold);
    index_snapshot_release(b->snapshot);
    filter_free(b->filter);
    sort_free(b->sort);
    sort_top_free(b->top);
    json_scratch_free(b->scratch);
    buf_done(&b->key);
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

/* Every step of a phase: 1: more follows, 0: the phase is over, negative: store code. */
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
    b->phase = b->sort == NULL ? BROWSE_SHOW : BROWSE_RANK;
    return 0;
}

/* The document with that internal id: its text, data NULL when it is gone since; 1 or negative. */
static int
fetch(struct index_reader *r, uint32_t wanted, struct str *ret_text)
{
    uint32_t id = 0;
    int rc = index_reader_next(r, wanted, &id, ret_text);
    if (rc >= 0 && (rc == 0 || id != wanted))
        *ret_text = STR_NULL;
    return rc < 0 ? rc : 1;
}

/* The next candidate: 1 with its text (data NULL: no such document), 0 at the end, negative. */
static int
next_candidate(struct browse *b, struct index_reader *r, uint32_t *ret_id, struct str *ret_text)
{
    if (b->by_ids) {
        if (b->next >= b->n_found)
            return 0;
        *ret_id = b->found[b->next++];
        return fetch(r, *ret_id, ret_text);
    }
    if (b->next > UINT32_MAX)
        return 0;
    int rc = index_reader_next(r, (uint32_t) b->next, ret_id, ret_text);
    b->next = (uint64_t) *ret_id + 1;
    return rc;
}

/* --- in insertion order */

static bool
matches(struct browse *b, struct str text)
{
    if (b->filter == NULL)
        return true;
    struct json_doc *doc = json_parse_scratch(b->scratch, text, NULL);
    bool is_match = doc != NULL && filter_match(b->filter, json_root(doc));
    json_doc_free(doc);
    return is_match;
}

static void
show_one(struct browse *b, struct str text, struct buf *out)
{
    if (b->shown++ > 0)
        buf_add_char(out, ',');
    document_write(out, text, &b->shape);
}

/* A page of the usual size is read in one piece. */
enum { DOCUMENTS_AT_LEAST = 64 };

static int
show(struct browse *b, struct index_reader *r, struct buf *out, int64_t deadline_us)
{
    unsigned n = 0;
    while (b->filter != NULL || b->shown < b->limit) { /* a filter must see all, for the total */
        struct str text = STR_NULL;
        uint32_t id = 0;
        int rc = next_candidate(b, r, &id, &text);
        if (rc <= 0)
            return rc;
        if (text.data != NULL && matches(b, text) && b->seen++ >= b->offset && b->shown < b->limit)
            show_one(b, text, out);
        n++;
        if (reply_piece_is_full(out, n < DOCUMENTS_AT_LEAST ? INT64_MAX : deadline_us))
            return 1;
    }
    return 0;
}

/* --- sorted */

static int
rank_one(struct browse *b, uint32_t id, struct str text)
{
    struct json_doc *doc = json_parse_scratch(b->scratch, text, NULL);
    int rc = 0;
    if (doc != NULL && (b->filter == NULL || filter_match(b->filter, json_root(doc)))) {
        buf_clear(&b->key);
        sort_key(b->sort, json_root(doc), &b->key);
        rc = buf_failed(&b->key) ? -1 : sort_top_add(b->top, buf_str(&b->key), id);
        b->seen += b->n_before == 0; /* counted in the first round */
    }
    json_doc_free(doc);
    return rc < 0 ? STORE_EFULL : 0;
}

static int
rank(struct browse *b, struct index_reader *r, const struct buf *out, int64_t deadline_us)
{
    for (;;) {
        struct str text = STR_NULL;
        uint32_t id = 0;
        int rc = next_candidate(b, r, &id, &text);
        if (rc < 0)
            return rc;
        if (rc == 0)
            break;
        if (text.data != NULL && rank_one(b, id, text) < 0)
            return STORE_EFULL;
        if (reply_piece_is_full(out, deadline_us))
            return 1;
    }
    b->ranked = sort_top_take(b->top, &b->n_ranked);
    b->next_ranked = 0;
    b->phase = BROWSE_SHOW_RANKED;
    return 1;
}

static int
show_ranked(struct browse *b, struct index_reader *r, struct buf *out, int64_t deadline_us)
{
    for (; b->next_ranked < b->n_ranked && b->shown < b->limit; b->next_ranked++) {
        struct str text = STR_NULL;
        if (b->n_before + b->next_ranked < b->offset)
            continue;
        int rc = fetch(r, b->ranked[b->next_ranked].id, &text);
        if (rc < 0)
            return rc;
        if (text.data != NULL)
            show_one(b, text, out);
        if (reply_piece_is_full(out, deadline_us)) {
            b->next_ranked++;
            return 1;
        }
    }
    b->n_before += b->n_ranked;
    if (b->n_ranked == 0 || b->shown >= b->limit || b->n_before >= b->seen ||
        b->n_before >= browse_end(b))
        return 0;
    b->next = 0;
    b->phase = BROWSE_RANK;
    return sort_top_next(b->top) < 0 ? STORE_EFULL : 1;
}

/* --- pieces */

static int
browse_step(struct browse *b, struct index_reader *r, struct buf *out, int64_t deadline_us)
{
    if (b->phase == BROWSE_LOOK_UP) {
        int rc = look_up(b, r, out, deadline_us);
        if (rc != 0)
            return rc;
    }
    switch (b->phase) {
    case BROWSE_RANK:
        return rank(b, r, out, deadline_us);
    case BROWSE_SHOW_RANKED:
        return show_ranked(b, r, out, deadline_us);
    default:
        return show(b, r, out, deadline_us);
    }
}

static uint64_t
browse_total(const struct browse *b, struct index_reader *r)
{
    if (b->filter != NULL)
        return b->seen;
    return b->by_ids ? b->n_found : index_reader_count(r);
}

static enum http_piece
make_piece(struct browse *b, struct index_reader *r, struct buf *out, int64_t deadline_us)
{
    int rc;
    if (!b->has_begun)
        buf_add_cstr(out, "{\"results\":[");
    b->has_begun = true;
    do {
        rc = browse_step(b, r, out, deadline_us);
    } while (rc == 1 && !reply_piece_is_full(out, deadline_us));
    if (rc == 0)
        buf_addf(out, "],\"offset\":%llu,\"limit\":%llu,\"total\":%llu}",
                 (unsigned long long) b->offset, (unsigned long long) b->limit,
                 (unsigned long long) browse_total(b, r));
    return rc < 0 ? HTTP_PIECE_FAILED : rc == 0 ? HTTP_PIECE_LAST : HTTP_PIECE_MORE;
}

/* The index of now; the first piece keeps its state for the others. */
static enum http_piece
make_from_now(struct browse *b, struct buf *out, int64_t deadline_us)
{
    struct index_reader r;
    enum http_piece result = HTTP_PIECE_FAILED;
    struct index *index = browse_open(b);
    if (index == NULL)
        return HTTP_PIECE_FAILED;
    if (!b->has_begun && (b->snapshot = index_snapshot_take(index)) != NULL) {
        loop_timer_set_ms(&b->hold, BROWSE_SNAPSHOT_MS);
        result = make_piece(b, index_snapshot_reader(b->snapshot), out, deadline_us);
    } else if (index_reader_open(&r, index) == 0) {
        result = make_piece(b, &r, out, deadline_us);
        index_reader_close(&r);
    }
    index_release(index);
    return result;
}

static enum http_piece
browse_make(void *arg, struct buf *out, int64_t deadline_us)
{
    struct browse *b = arg;
    if (b->snapshot != NULL)
        return make_piece(b, index_snapshot_reader(b->snapshot), out, deadline_us);
    return make_from_now(b, out, deadline_us);
}

enum http_result
browse_reply(struct http_call *call, const struct browse_conf *conf)
{
    struct reply_listing listing = {browse_make, browse_release, browse_new(call, conf)};
    return reply_listing(call, &listing);
}
