/* /swap-indexes: checks of the list (contract 6); the exchange itself is a task. */
#include <stdlib.h>

#include "api/body.h"
#include "api/enqueue.h"
#include "api/fields.h"
#include "api/params.h"
#include "base/mem.h"

enum { SWAPS_MAX = 1000 /* in one request */ };

struct swap_fields {
    struct field_strings indexes;
    bool rename;
};

static int
field_index_uids(const struct field_in *in, void *dst)
{
    struct field_strings *ret = dst;
    if (field_strings(in, dst) < 0)
        return -1;
    for (size_t i = 0; i < ret->n; i++) {
        if (index_uid_is_valid(ret->values[i]))
            continue;
        struct buf why = BUF_INIT;
        struct field_in element = *in;
        element.path = arena_printf(in->arena, "%s[%zu]", in->path, i);
        index_uid_write_invalid(&why, ret->values[i]);
        int rc = field_invalid(&element, "%s", buf_cstr(&why));
        buf_done(&why);
        return rc;
    }
    return 0;
}

static const struct field swap_rows[] = {
    {.name = "indexes",
     .code = ERR_INVALID_SWAP_INDEXES,
     .kinds = FIELD_ARRAY,
     .no_null = true,
     .missing = ERR_MISSING_SWAP_INDEXES,
     .read = field_index_uids,
     .offset = offsetof(struct swap_fields, indexes)},
    {.name = "rename",
     .code = ERR_INVALID_SWAP_RENAME,
     .kinds = FIELD_BOOL,
     .no_null = true,
     .read = field_bool,
     .offset = offsetof(struct swap_fields, rename)},
};
static const struct fields swap_fields = FIELDS_OF(swap_rows);

static int
wrong_length(struct err *err, const struct field_strings *list)
{
    struct buf message = BUF_INIT;
    buf_add_cstr(&message, "Two indexes must be given for each swap. The list `[");
    for (size_t i = 0; i < list->n; i++)
        buf_addf(&message, "%s\"%.*s\"", i == 0 ? "" : ", ", STR_ARG(list->values[i]));
    buf_addf(&message, "]` contains %zu indexes.", list->n);
    int rc = err_set_str(err, ERR_INVALID_SWAP_INDEXES, buf_str(&message));
    buf_done(&message);
    return rc;
}

static int
compare_uids(const void *a, const void *b)
{
    return str_compare(*(const struct str *) a, *(const struct str *) b);
}

static int
refuse_duplicates(struct err *err, const struct str *sorted, size_t n)
{
    struct buf message = BUF_INIT;
    size_t found = 0;
    buf_add_cstr(&message, "Indexes must be declared only once during a swap. ");
    for (size_t i = 1; i < n; i++) {
        bool is_first_repeat = i < 2 || !str_equal(sorted[i - 2], sorted[i]);
        if (str_equal(sorted[i - 1], sorted[i]) && is_first_repeat)
            buf_addf(&message, "%s`%.*s`", found++ == 0 ? "" : ", ", STR_ARG(sorted[i]));
    }
    buf_addf(&message, " %s specified several times.", found == 1 ? "was" : "were");
    int rc = found == 0
                 ? 0
                 : err_set_str(err, ERR_INVALID_SWAP_DUPLICATE_INDEX_FOUND, buf_str(&message));
    buf_done(&message);
    return rc;
}

static int
check_duplicates(struct arena *arena, const struct ops_swap *swaps, size_t n, struct err *err)
{
    struct str *uids = arena_alloc(arena, (2 * n + 1) * sizeof(*uids));
    for (size_t i = 0; i < n; i++) {
        uids[2 * i] = swaps[i].a;
        uids[2 * i + 1] = swaps[i].b;
    }
    qsort(uids, 2 * n, sizeof(*uids), compare_uids);
    return refuse_duplicates(err, uids, 2 * n);
}

struct swap_list {
    struct ops_swap *swaps;
    size_t n;
};

static int
check_pairs(const struct auth_grant *grant, const struct swap_fields *fields, size_t n,
            struct swap_list *ret, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (fields[i].indexes.n != 2)
            return wrong_length(err, &fields[i].indexes);
        if (handler_check_index(grant, fields[i].indexes.values[0], err) < 0 ||
            handler_check_index(grant, fields[i].indexes.values[1], err) < 0)
            return -1;
        ret->swaps[i] = (struct ops_swap){.a = fields[i].indexes.values[0],
                                          .b = fields[i].indexes.values[1],
                                          .rename = fields[i].rename};
    }
    return 0;
}

/* The shape of every element is checked before what the elements say. */
static int
read_swaps(struct http_call *call, const struct json *body, struct swap_list *ret)
{
    if (field_check_kind(body, FIELD_ARRAY, "", ERR_BAD_REQUEST, &call->err) < 0)
        return -1;
    size_t n = json_length(body);
    if (n > SWAPS_MAX)
        return err_set(&call->err, ERR_INVALID_SWAP_INDEXES,
                       "At most %d swaps are accepted in one request.", SWAPS_MAX);
    struct swap_fields *fields = arena_alloc(call->arena, (n + 1) * sizeof(*fields));
    struct json_iter it = json_iter(body);
    for (size_t i = 0; json_next(&it); i++) {
        const char *path = arena_printf(call->arena, "[%zu]", i);
        if (fields_read(call->arena, it.value, path, &swap_fields, &fields[i], &call->err) < 0)
            return -1;
    }
    ret->n = n;
    ret->swaps = arena_alloc(call->arena, (n + 1) * sizeof(*ret->swaps));
    struct auth_grant grant = handler_grant(call);
    if (check_pairs(&grant, fields, n, ret, &call->err) < 0)
        return -1;
    return check_duplicates(call->arena, ret->swaps, n, &call->err);
}

static int
add_swap(struct http_call *call, void *arg, struct ops_result *ret)
{
    struct swap_list *list = arg;
    return ops_swap_indexes(handler_api(call)->ops, list->swaps, list->n, ret, &call->err);
}

static enum http_result
swap_indexes(struct http_call *call)
{
    struct body body;
    struct swap_list list = {0};
    enum http_result result = HTTP_ERROR;
    if (body_read_json(call, &body) == 0 && read_swaps(call, json_root(body.doc), &list) == 0)
        result = enqueue_now(call, 202, buf_str(&body.raw), add_swap, &list);
    body_done(&body);
    return result;
}

static const struct route rows[] = {
    {.method = HTTP_POST,
     .pattern = "/swap-indexes",
     .action = "indexes.swap",
     .flags = ROUTE_JSON_BODY | ROUTE_ENQUEUES,
     .handler = swap_indexes,
     .summary = "Exchange the documents and settings of pairs of indexes"},
};
const struct route_table swap_routes = ROUTE_TABLE(rows);
