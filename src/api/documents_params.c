/* Parameters of reading documents. Owns their tables and the checks of ids; opens no index. */
#include "api/documents_params.h"

#include "index/index.h"

/* --- ids */

/* shown: the id as JSON. */
static int
check_id(struct str id, struct str shown, size_t i, enum err_code code, struct err *err)
{
    if (document_id_is_valid(id))
        return 0;
    return err_set(err, code,
                   "In `.ids[%zu]`: Document identifier `%.*s` is invalid. A document identifier "
                   "can be of type integer or string, only composed of alphanumeric characters "
                   "(a-z A-Z 0-9), hyphens (-) and underscores (_), and can not be more than %d "
                   "bytes.",
                   i, STR_ARG(shown), DOCUMENT_ID_MAX_BYTES);
}

static int
check_id_count(size_t n, enum err_code code, struct err *err)
{
    if (n <= DOCUMENT_IDS_MAX)
        return 0;
    return err_set(err, code, "At most %d ids are accepted in one request.", DOCUMENT_IDS_MAX);
}

static int
param_ids(const struct param_in *in, void *dst)
{
    struct param_strs *ret = dst;
    size_t n = 1;
    for (size_t i = 0; i < in->value.len; i++)
        n += in->value.data[i] == ',';
    if (check_id_count(n, in->row->code, in->err) < 0)
        return -1;
    *ret = (struct param_strs){.is_given = true};
    ret->values = arena_alloc(in->arena, n * sizeof(*ret->values));
    for (size_t from = 0; ret->n < n;) {
        size_t comma = str_find(in->value, ',', from);
        struct str id = str_trim(str_slice(in->value, from, comma));
        struct buf shown = BUF_INIT;
        json_write_string(&shown, id);
        int rc = check_id(id, buf_str(&shown), ret->n, in->row->code, in->err);
        buf_done(&shown);
        if (rc < 0)
            return rc;
        ret->values[ret->n++] = id;
        from = comma + 1;
    }
    return 0;
}

/* An id in a body: a string, or an integer in decimal. */
static int
read_json_id(const struct field_in *in, const struct json *value, size_t i, struct str *ret)
{
    struct buf shown = BUF_INIT;
    uint64_t positive;
    int64_t negative;
    json_write_normal(&shown, value);
    if (json_type(value) == JSON_STRING)
        *ret = json_string(value);
    else if (json_to_u64(value, &positive) || json_to_i64(value, &negative))
        *ret = arena_copy(in->arena, buf_str(&shown));
    else
        *ret = STR_NULL; /* never valid */
    int rc = check_id(*ret, buf_str(&shown), i, in->row->code, in->err);
    buf_done(&shown);
    return rc;
}

static int
field_ids(const struct field_in *in, void *dst)
{
    struct param_strs *ret = dst;
    size_t n = json_length(in->value);
    if (check_id_count(n, in->row->code, in->err) < 0)
        return -1;
    *ret = (struct param_strs){.is_given = true};
    ret->values = arena_alloc(in->arena, (n + 1) * sizeof(*ret->values));
    struct json_iter it = json_iter(in->value);
    for (; json_next(&it); ret->n++) {
        if (read_json_id(in, it.value, ret->n, &ret->values[ret->n]) < 0)
            return -1;
    }
    return 0;
}

/* --- sorts */

static bool
ends_a_point(struct str piece)
{
    return str_ends_with(piece, "):asc") || str_ends_with(piece, "):desc");
}

/* Rules between commas, as upstream cuts them: those of a _geoPoint( are part of its rule. */
static int
param_sort(const struct param_in *in, void *dst)
{
    struct param_strs *ret = dst;
    struct str all = in->value;
    while (all.len > 0 && all.data[0] == '"')
        all = str_slice(all, 1, all.len);
    while (all.len > 0 && all.data[all.len - 1] == '"')
        all = str_slice(all, 0, all.len - 1);
    size_t n_pieces = 1, len = 0;
    for (size_t i = 0; i < all.len; i++)
        n_pieces += all.data[i] == ',';
    char *text = arena_alloc(in->arena, all.len + 1);
    *ret = (struct param_strs){.is_given = true};
    ret->values = arena_alloc(in->arena, n_pieces * sizeof(*ret->values));
    bool is_in_point = false;
    for (size_t i = 0, from = 0; i < n_pieces; i++) {
        size_t comma = str_find(all, ',', from);
        struct str piece = str_trim(str_slice(all, from, comma));
        if (is_in_point)
            text[len++] = ',';
        else
            ret->values[ret->n++] = str_make(text + len, 0);
        for (size_t c = 0; c < piece.len; c++)
            text[len++] = piece.data[c];
        struct str *rule = &ret->values[ret->n - 1];
        rule->len = (size_t) (text + len - rule->data);
        is_in_point = is_in_point ? !ends_a_point(piece) : str_starts_with(piece, "_geoPoint(");
        from = comma + 1;
    }
    return 0;
}

/* --- other readers of the body */

static int
field_names(const struct field_in *in, void *dst)
{
    struct param_strs *ret = dst;
    struct field_strings list;
    if (field_strings(in, &list) < 0)
        return -1;
    *ret = (struct param_strs){.is_given = true, .values = list.values, .n = list.n};
    for (size_t i = 0; i < list.n; i++)
        ret->has_star |= str_is(list.values[i], "*");
    return 0;
}

static int
field_number(const struct field_in *in, void *dst)
{
    struct param_u64 *ret = dst;
    ret->is_given = true;
    return field_u64(in, &ret->value);
}

/* --- tables */

#define AT(member) offsetof(struct document_list, member)

static const struct param get_params[] = {
    {.name = "fields",
     .code = ERR_INVALID_DOCUMENT_FIELDS,
     .read = param_strings,
     .offset = AT(fields)},
    {.name = "retrieveVectors",
     .code = ERR_INVALID_DOCUMENT_RETRIEVE_VECTORS,
     .read = param_bool,
     .offset = AT(retrieve_vectors)},
};
const struct param_table document_get_query = PARAM_TABLE(get_params);

static const struct param list_params[] = {
    {.name = "offset",
     .code = ERR_INVALID_DOCUMENT_OFFSET,
     .read = param_u64,
     .offset = AT(offset)},
    {.name = "limit", .code = ERR_INVALID_DOCUMENT_LIMIT, .read = param_u64, .offset = AT(limit)},
    {.name = "fields",
     .code = ERR_INVALID_DOCUMENT_FIELDS,
     .read = param_strings,
     .offset = AT(fields)},
    {.name = "retrieveVectors",
     .code = ERR_INVALID_DOCUMENT_RETRIEVE_VECTORS,
     .read = param_bool,
     .offset = AT(retrieve_vectors)},
    {.name = "ids", .code = ERR_INVALID_DOCUMENT_IDS, .read = param_ids, .offset = AT(ids)},
    {.name = "filter",
     .code = ERR_INVALID_DOCUMENT_FILTER,
     .read = param_string,
     .offset = AT(filter)},
    {.name = "sort", .code = ERR_INVALID_DOCUMENT_SORT, .read = param_sort, .offset = AT(sort)},
    {.name = "useNetwork",
     .code = ERR_INVALID_DOCUMENT_USE_NETWORK,
     .read = param_bool,
     .offset = AT(use_network)},
};
const struct param_table documents_list_query = PARAM_TABLE(list_params);

static const struct field list_fields[] = {
    {.name = "offset",
     .code = ERR_INVALID_DOCUMENT_OFFSET,
     .kinds = FIELD_POSITIVE,
     .read = field_number,
     .offset = AT(offset)},
    {.name = "limit",
     .code = ERR_INVALID_DOCUMENT_LIMIT,
     .kinds = FIELD_POSITIVE,
     .read = field_number,
     .offset = AT(limit)},
    {.name = "fields",
     .code = ERR_INVALID_DOCUMENT_FIELDS,
     .kinds = FIELD_ARRAY,
     .read = field_names,
     .offset = AT(fields)},
    {.name = "retrieveVectors",
     .code = ERR_INVALID_DOCUMENT_RETRIEVE_VECTORS,
     .kinds = FIELD_BOOL,
     .read = field_bool,
     .offset = AT(retrieve_vectors)},
    {.name = "ids",
     .code = ERR_INVALID_DOCUMENT_IDS,
     .kinds = FIELD_ARRAY,
     .read = field_ids,
     .offset = AT(ids)},
    {.name = "filter",
     .code = ERR_INVALID_DOCUMENT_FILTER,
     .kinds = FIELD_ANY,
     .read = field_json,
     .offset = AT(filter_json)},
    {.name = "sort",
     .code = ERR_INVALID_DOCUMENT_SORT,
     .kinds = FIELD_ARRAY,
     .read = field_names,
     .offset = AT(sort)},
    {.name = "useNetwork",
     .code = ERR_INVALID_DOCUMENT_USE_NETWORK,
     .kinds = FIELD_BOOL,
     .read = field_bool,
     .offset = AT(use_network)},
};
const struct fields documents_fetch_body = FIELDS_OF(list_fields);

int
document_list_from_query(struct http_call *call, struct document_list *ret)
{
    *ret = (struct document_list){.limit.value = 20};
    return PARAMS_READ(call, list_params, ret);
}

int
document_list_from_body(struct http_call *call, const struct json *body, struct document_list *ret)
{
    *ret = (struct document_list){.limit.value = 20};
    return fields_read(call->arena, body, "", &documents_fetch_body, ret, &call->err);
}

int
document_get_from_query(struct http_call *call, struct document_list *ret)
{
    *ret = (struct document_list){0};
    return PARAMS_READ(call, get_params, ret);
}

/* --- the filter */

bool
document_list_filters(const struct document_list *l)
{
    return l->filter_json != NULL || l->filter.data != NULL;
}

int
document_list_filter(const struct document_list *l, struct filter **ret, struct err *err)
{
    *ret = NULL;
    if (!document_list_filters(l))
        return 0;
    if (l->filter_json != NULL)
        return filter_parse(l->filter_json, ERR_INVALID_DOCUMENT_FILTER, ret, err);
    struct json_doc *doc = json_parse(l->filter, NULL); /* in a query: JSON if it is JSON */
    int rc = doc == NULL ? filter_parse_text(l->filter, ERR_INVALID_DOCUMENT_FILTER, ret, err)
                         : filter_parse(json_root(doc), ERR_INVALID_DOCUMENT_FILTER, ret, err);
    json_doc_free(doc);
    return rc;
}
