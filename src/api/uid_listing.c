/* Listing by uid. Owns the cursor and the shape of the answer; what matches is the queue's, what a
 * task or a batch is comes through struct uid_listing_kind. */
#include "api/uid_listing.h"

#include "api/reply.h"
#include "base/clock.h"

static struct uid_listing *
listing_new(struct http_call *call, const struct uid_listing_kind *kind,
            const struct task_filter *filter)
{
    struct arena *arena = arena_new();
    struct uid_listing *l = arena_alloc(arena, sizeof(*l));
    struct task_query query;
    *l = (struct uid_listing){.kind = kind,
                              .arena = arena,
                              .queue = handler_api(call)->queue,
                              .turn = handler_api(call)->turn,
                              .item = arena_alloc(arena, kind->item_size)};
    struct auth_grant grant = handler_grant(call);
    l->grant = auth_grant_keep(arena, &grant);
    task_filter_copy(&l->filter, filter, arena);
    task_filter_query(&l->filter, &query);
    l->is_all = task_query_is_all(&query);
    l->selection = selection_new(l->queue, &query, kind->of_batches);
    return l;
}

static void
release(void *arg)
{
    struct uid_listing *l = arg;
    selection_free(l->selection);
    arena_free(l->arena);
}

/* --- the cursor */

/* Unfiltered, nothing before `from` needs to be looked at: the total is known. */
static void
begin(struct uid_listing *l)
{
    const struct task_filter *f = &l->filter;
    bool from = l->is_all && f->from.is_given;
    uint32_t chunk = bits_chunk((uint32_t) f->from.value);
    l->has_begun = true;
    if (f->reverse)
        l->chunk = from ? chunk : 0;
    else
        l->chunk = (uint64_t) (from ? chunk : bits_chunk(UINT32_MAX)) + 1;
}

/* Where in a chunk `from` is; BITS_COUNT when the whole chunk lies before it. */
static unsigned
start_in(const struct uid_listing *l, uint32_t chunk)
{
    const struct task_filter *f = &l->filter;
    unsigned all = f->reverse ? 0 : BITS_COUNT - 1;
    uint32_t from = bits_chunk((uint32_t) f->from.value);
    if (!f->from.is_given)
        return all;
    if (chunk == from)
        return (uint32_t) f->from.value % BITS_COUNT;
    return (f->reverse ? chunk > from : chunk < from) ? all : BITS_COUNT;
}

/* The next chunk with its members, counted: 1 / 0 / negative. One that was begun in an earlier
 * piece is read again: what is shown is what it is now. */
static int
next_chunk(struct uid_listing *l, struct store_txn *txn, uint32_t *ret_chunk, struct bits *ret)
{
    bool ascending = l->filter.reverse;
    uint32_t chunk = (uint32_t) (ascending ? l->chunk : l->chunk - 1);
    if (!l->is_in_chunk) {
        if (ascending ? l->chunk > bits_chunk(UINT32_MAX) : l->chunk == 0)
            return 0;
        int rc = selection_seek(l->selection, txn, chunk, ascending, &chunk);
        if (rc <= 0)
            return rc;
    }
    int rc = selection_read(l->selection, txn, chunk, ret);
    if (rc < 0)
        return rc;
    if (!l->is_in_chunk) {
        l->total += bits_count(ret);
        l->at = start_in(l, chunk);
    }
    l->is_in_chunk = true;
    l->chunk = ascending ? chunk : (uint64_t) chunk + 1;
    *ret_chunk = chunk;
    return 1;
}

static void
leave_chunk(struct uid_listing *l)
{
    l->is_in_chunk = false;
    l->chunk = l->filter.reverse ? l->chunk + 1 : l->chunk - 1;
}

static void
write_item(struct uid_listing *l, uint32_t uid, struct buf *out)
{
    if (l->kind->hides(l, l->item))
        return;
    if (!l->has_first)
        l->first = uid;
    l->has_first = true;
    if (l->shown++ > 0)
        buf_add_char(out, ',');
    l->kind->write(out, l->item);
}

static int
show(struct uid_listing *l, struct store_txn *txn, uint32_t uid, struct buf *out)
{
    if (l->matched++ >= l->filter.limit.value) {
        l->next = uid;
        l->has_next = true;
        return 0;
    }
    l->kind->init(l->item);
    int rc = l->kind->get(l->queue, txn, uid, l->item);
    if (rc == 1)
        write_item(l, uid, out);
    l->kind->done(l->item);
    return rc;
}

/* Shows the members of a chunk: 1 when the piece is full, 0, or negative. */
static int
show_chunk(struct uid_listing *l, struct store_txn *txn, uint32_t chunk, const struct bits *bits,
           struct buf *out, int64_t deadline_us)
{
    bool ascending = l->filter.reverse;
    while (!l->has_next && l->at < BITS_COUNT) {
        unsigned found = bits_seek(bits, l->at, ascending);
        if (found == BITS_COUNT)
            break;
        bool is_last = ascending ? found == BITS_COUNT - 1 : found == 0;
        l->at = is_last ? BITS_COUNT : ascending ? found + 1 : found - 1;
        int rc = show(l, txn, bits_uid(chunk, found), out);
        if (rc < 0)
            return rc;
        if (reply_piece_is_full(out, deadline_us))
            return 1;
    }
    return 0;
}

/* 1: more follows, 0: complete, negative: store code. */
static int
scan(struct uid_listing *l, struct store_txn *txn, struct buf *out, int64_t deadline_us)
{
    struct bits bits;
    uint32_t chunk;
    while (!(l->is_all && l->has_next)) {
        int rc = next_chunk(l, txn, &chunk, &bits);
        if (rc <= 0)
            return rc;
        rc = show_chunk(l, txn, chunk, &bits, out, deadline_us);
        if (rc != 0)
            return rc;
        leave_chunk(l);
        if (reply_piece_is_full(out, deadline_us))
            return 1;
    }
    return 0;
}

static void
write_end(struct uid_listing *l, struct store_txn *txn, struct buf *out)
{
    uint64_t total = l->is_all ? l->kind->total(l->queue, txn) : l->total;
    buf_addf(out, "],\"total\":%llu,\"limit\":%llu,\"from\":", (unsigned long long) total,
             (unsigned long long) l->filter.limit.value);
    if (l->has_first)
        buf_add_u64(out, l->first);
    else
        buf_add_cstr(out, "null");
    buf_add_cstr(out, ",\"next\":");
    if (l->has_next)
        buf_add_u64(out, l->next);
    else
        buf_add_cstr(out, "null");
    buf_add_char(out, '}');
}

static int
make_with(struct uid_listing *l, struct store_txn *txn, struct buf *out, int64_t deadline_us)
{
    if (!l->is_prepared) {
        int rc = selection_prepare(l->selection, txn, deadline_us);
        if (rc != 0)
            return rc;
    }
    l->is_prepared = true;
    if (!l->has_begun) {
        begin(l);
        buf_add_cstr(out, "{\"results\":[");
    }
    int rc = scan(l, txn, out, deadline_us);
    if (rc == 0)
        write_end(l, txn, out);
    return rc;
}

static enum http_piece
make(void *arg, struct buf *out, int64_t deadline_us)
{
    struct uid_listing *l = arg;
    struct store_txn *txn = turn_read(l->turn);
    if (txn == NULL)
        return HTTP_PIECE_FAILED;
    int rc = make_with(l, txn, out, deadline_us);
    store_abort(txn);
    return rc < 0 ? HTTP_PIECE_FAILED : rc == 0 ? HTTP_PIECE_LAST : HTTP_PIECE_MORE;
}

enum http_result
uid_listing_reply(struct http_call *call, const struct uid_listing_kind *kind,
                  const struct task_filter *filter)
{
    struct reply_listing listing = {make, release, listing_new(call, kind, filter)};
    return reply_listing(call, &listing);
}

int
uid_from_path(struct http_call *call, const char *what, enum err_code code, uint32_t *ret)
{
    struct str text = handler_param(call, 0);
    uint64_t uid;
    if (!str_to_u64(text, UINT32_MAX, &uid))
        return err_set(&call->err, code,
                       "%s uid `%.*s` is invalid. It should only contain numeric characters.", what,
                       STR_ARG(text));
    *ret = (uint32_t) uid;
    return 0;
}
