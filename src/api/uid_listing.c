/* Listing by uid. Owns the cursor and the shape of the answer; what a task or a batch is comes
 * through struct uid_listing_kind. */
#include "api/uid_listing.h"

#include "api/reply.h"
#include "base/clock.h"

struct uid_listing *
uid_listing_new(struct http_call *call, const struct uid_listing_kind *kind,
                const struct task_filter *filter, size_t extra_size)
{
    struct arena *arena = arena_new();
    struct uid_listing *l = arena_alloc(arena, sizeof(*l));
    *l = (struct uid_listing){.kind = kind,
                              .arena = arena,
                              .queue = handler_api(call)->queue,
                              .turn = handler_api(call)->turn,
                              .is_all = task_filter_is_all(filter),
                              .item = arena_alloc(arena, kind->item_size),
                              .extra = arena_alloc(arena, extra_size + 1)};
    task_filter_copy(&l->filter, filter, arena);
    return l;
}

static void
release(void *arg)
{
    struct uid_listing *l = arg;
    if (l->kind->release != NULL)
        l->kind->release(l);
    arena_free(l->arena);
}

/* --- the cursor */

static void
begin(struct uid_listing *l)
{
    const struct task_filter *f = &l->filter;
    l->has_begun = true;
    if (l->candidates != NULL)
        l->at = 0;
    else if (f->reverse)
        l->at = l->is_all && f->from.is_given ? f->from.value : 0;
    else
        l->at = l->is_all && f->from.is_given ? f->from.value + 1 : TASK_NONE;
}

static int
next_candidate(struct uid_listing *l, struct store_txn *txn, uint32_t *ret_uid)
{
    const struct param_u32s *list = l->candidates;
    while (l->at < list->n) {
        size_t i = l->filter.reverse ? l->at : list->n - 1 - l->at;
        uint32_t wanted = list->values[i];
        l->at++;
        int rc = l->kind->seek(l->queue, txn, wanted, l->filter.reverse, l->item, ret_uid);
        if (rc < 0 || (rc == 1 && *ret_uid == wanted))
            return rc;
        if (rc == 1) {
            l->kind->done(l->item);
            l->kind->init(l->item);
        }
    }
    return 0;
}

/* The next item in l->item: 1 / 0 / negative. */
static int
next_item(struct uid_listing *l, struct store_txn *txn, uint32_t *ret_uid)
{
    bool ascending = l->filter.reverse;
    if (l->candidates != NULL)
        return next_candidate(l, txn, ret_uid);
    if (ascending ? l->at >= TASK_NONE : l->at == 0)
        return 0;
    uint32_t at = (uint32_t) (ascending ? l->at : l->at - 1);
    int rc = l->kind->seek(l->queue, txn, at, ascending, l->item, ret_uid);
    if (rc == 1)
        l->at = ascending ? (uint64_t) *ret_uid + 1 : *ret_uid;
    return rc;
}

static bool
is_from_on(const struct task_filter *f, uint32_t uid)
{
    if (!f->from.is_given)
        return true;
    return f->reverse ? uid >= f->from.value : uid <= f->from.value;
}

static void
show(struct uid_listing *l, uint32_t uid, struct buf *out)
{
    if (l->matched++ >= l->filter.limit.value) {
        if (!l->has_next)
            l->next = uid;
        l->has_next = true;
        return;
    }
    if (l->kind->hides(l, l->item))
        return;
    if (!l->has_first)
        l->first = uid;
    l->has_first = true;
    if (l->shown++ > 0)
        buf_add_char(out, ',');
    l->kind->write(out, l->item);
}

/* 1: more follows, 0: complete, negative: store code. */
static int
scan(struct uid_listing *l, struct store_txn *txn, struct buf *out, int64_t deadline_us)
{
    while (!(l->is_all && l->has_next)) {
        uint32_t uid = 0;
        l->kind->init(l->item);
        int rc = next_item(l, txn, &uid);
        if (rc == 1 && l->kind->matches(l, l->item)) {
            l->total++;
            if (is_from_on(&l->filter, uid))
                show(l, uid, out);
        }
        l->kind->done(l->item);
        if (rc <= 0)
            return rc;
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
    if (!l->is_prepared && l->kind->prepare != NULL) {
        int rc = l->kind->prepare(l, txn, deadline_us);
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
uid_listing_reply(struct http_call *call, struct uid_listing *l)
{
    struct reply_listing listing = {make, release, l};
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
