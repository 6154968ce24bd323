/* Reading JSON: the one place where yyjson parses. Owns documents and scratch memory; the words of
 * errors come from json_check.c, writing is json_write.c. */
#include "codec/json.h"

#include <stdlib.h>
#include <yyjson.h>

#include "base/mem.h"
#include "codec/json_check.h"
#include "codec/json_keys.h"

struct json_doc {
    yyjson_doc *tree;
    struct json_scratch *scratch; /* NULL: the heap */
};

enum {
    SCRATCH_MIN_BYTES = 16 * 1024,
    SCRATCH_SPARE_BYTES = 64 * 1024, /* what may be kept for the next user */
    SCRATCH_MAX_BYTES = 1024 * 1024, /* larger documents use the heap */
};

struct json_scratch {
    struct json_doc doc;
    char *memory;
    size_t cap;
};

static yyjson_val *
val(const struct json *v)
{
    return (yyjson_val *) (uintptr_t) v;
}

static const struct json *
from_val(const yyjson_val *v)
{
    return (const struct json *) v;
}

/* --- parsing ------------------------------------------------------------------------------- */

/* No deeper than JSON_MAX_DEPTH; called only for trees with more containers than that. */
static bool
depth_is_allowed(yyjson_val *first, const yyjson_val *end)
{
    const yyjson_val *ends[JSON_MAX_DEPTH];
    size_t depth = 0;
    for (yyjson_val *v = first; v < end; v++) {
        while (depth > 0 && v >= ends[depth - 1])
            depth--;
        if (!unsafe_yyjson_is_ctn(v))
            continue;
        if (depth == JSON_MAX_DEPTH)
            return false;
        ends[depth++] = unsafe_yyjson_get_next(v);
    }
    return true;
}

enum verdict { TREE_OK, TREE_REPEATS, TREE_REFUSED, TREE_NO_MEMORY };

/* What serde_json refuses and yyjson does not, and whether names repeat. The values of a tree lie
 * side by side in document order. */
static enum verdict
tree_check(yyjson_doc *tree)
{
    yyjson_val *first = yyjson_doc_get_root(tree), *end = first + yyjson_doc_get_val_count(tree);
    size_t containers = 0;
    int repeats = 0;
    for (yyjson_val *v = first; v < end; v++) {
        size_t len = unsafe_yyjson_get_len(v);
        if (unsafe_yyjson_is_ctn(v)) {
            containers++;
            if (repeats == 0 && unsafe_yyjson_get_type(v) == YYJSON_TYPE_OBJ)
                repeats = json_keys_repeat(v, len);
        } else if (unsafe_yyjson_get_type(v) == YYJSON_TYPE_RAW && len > 4 &&
                   !json_number_fits(str_make(v->uni.str, len))) {
            return TREE_REFUSED;
        }
    }
    if (containers > JSON_MAX_DEPTH && !depth_is_allowed(first, end))
        return TREE_REFUSED;
    return repeats == 0 ? TREE_OK : repeats > 0 ? TREE_REPEATS : TREE_NO_MEMORY;
}

/* What the parser found wrong with text, in serde_json's words. */
static void
explain(struct buf *why, struct str text, const yyjson_read_err *read_err)
{
    if (why == NULL)
        return;
    if (read_err->code == YYJSON_READ_ERROR_MEMORY_ALLOCATION) {
        buf_add_cstr(why, JSON_NO_MEMORY);
        return;
    }
    struct json_fault fault = json_check(text);
    if (fault.what == NULL)
        fault = (struct json_fault){"expected value", read_err->pos};
    json_fault_write(why, &fault, text, JSON_PLACE_START);
}

static yyjson_doc *
read_syntax(struct str text, const yyjson_alc *memory, yyjson_read_err *ret)
{
    /* yyjson writes to its input only when it parses in place */
    char *data = (char *) (uintptr_t) text.data;
    return yyjson_read_opts(data, text.len, YYJSON_READ_NUMBER_AS_RAW, memory, ret);
}

static yyjson_doc *
read_tree(struct str text, const yyjson_alc *memory, struct buf *why)
{
    yyjson_read_err read_err;
    yyjson_doc *tree = read_syntax(text, memory, &read_err);
    if (tree == NULL && memory != NULL && read_err.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        tree = read_syntax(text, NULL, &read_err);
    enum verdict verdict = tree == NULL ? TREE_REFUSED : tree_check(tree);
    if (verdict == TREE_OK)
        return tree;
    if (verdict == TREE_REPEATS) {
        tree = json_keys_settle(tree);
        if (tree != NULL)
            return tree;
        verdict = TREE_NO_MEMORY;
    }
    yyjson_doc_free(tree);
    if (verdict == TREE_NO_MEMORY)
        read_err.code = YYJSON_READ_ERROR_MEMORY_ALLOCATION;
    explain(why, text, &read_err);
    return NULL;
}

struct json_doc *
json_parse(struct str text, struct buf *why)
{
    yyjson_doc *tree = read_tree(text, NULL, why);
    if (tree == NULL)
        return NULL;
    struct json_doc *d = mem_new(1, sizeof(*d));
    d->tree = tree;
    return d;
}

/* The last small one freed: uploads of one document each would else pay for a new one every time.
 */
static struct json_scratch *spare_scratch;

struct json_scratch *
json_scratch_new(void)
{
    struct json_scratch *s = spare_scratch;
    spare_scratch = NULL;
    if (s != NULL)
        return s;
    s = mem_new(1, sizeof(*s));
    s->doc.scratch = s;
    return s;
}

void
json_scratch_free(struct json_scratch *s)
{
    if (s == NULL)
        return;
    json_doc_free(&s->doc);
    if (spare_scratch == NULL && s->cap <= SCRATCH_SPARE_BYTES) {
        spare_scratch = s;
        return;
    }
    free(s->memory);
    free(s);
}

/* Scratch memory for a text of that length; false when the heap is to be used. */
static bool
scratch_reserve(struct json_scratch *s, size_t text_len)
{
    if (text_len > SCRATCH_MAX_BYTES / 16)
        return false;
    size_t need = yyjson_read_max_memory_usage(text_len, YYJSON_READ_NUMBER_AS_RAW);
    if (need < SCRATCH_MIN_BYTES)
        need = SCRATCH_MIN_BYTES;
    if (need <= s->cap)
        return true;
    free(s->memory);
    s->cap = need + need / 2;
    s->memory = mem_grow(NULL, s->cap, 1); /* need not be zeroed */
    return true;
}

struct json_doc *
json_parse_scratch(struct json_scratch *s, struct str text, struct buf *why)
{
    yyjson_alc pool;
    json_doc_free(&s->doc);
    bool pooled = scratch_reserve(s, text.len) && yyjson_alc_pool_init(&pool, s->memory, s->cap);
    s->doc = (struct json_doc){.tree = read_tree(text, pooled ? &pool : NULL, why), .scratch = s};
    return s->doc.tree == NULL ? NULL : &s->doc;
}

void
json_doc_free(struct json_doc *d)
{
    if (d == NULL)
        return;
    yyjson_doc_free(d->tree);
    d->tree = NULL;
    if (d->scratch == NULL)
        free(d);
}

/* --- values -------------------------------------------------------------------------------- */

const struct json *
json_root(const struct json_doc *d)
{
    return from_val(yyjson_doc_get_root(d->tree));
}

enum json_type
json_type(const struct json *v)
{
    switch (yyjson_get_type(val(v))) {
    case YYJSON_TYPE_BOOL:
        return JSON_BOOL;
    case YYJSON_TYPE_RAW:
        return JSON_NUMBER;
    case YYJSON_TYPE_STR:
        return JSON_STRING;
    case YYJSON_TYPE_ARR:
        return JSON_ARRAY;
    case YYJSON_TYPE_OBJ:
        return JSON_OBJECT;
    default:
        return JSON_NULL;
    }
}

bool
json_bool(const struct json *v)
{
    return yyjson_get_bool(val(v));
}

struct str
json_string(const struct json *v)
{
    return yyjson_is_str(val(v)) ? str_make(yyjson_get_str(val(v)), yyjson_get_len(val(v)))
                                 : STR_NULL;
}

struct str
json_number(const struct json *v)
{
    return yyjson_is_raw(val(v)) ? str_make(yyjson_get_raw(val(v)), yyjson_get_len(val(v)))
                                 : STR_NULL;
}

bool
json_to_u64(const struct json *v, uint64_t *ret)
{
    return str_to_u64(json_number(v), UINT64_MAX, ret);
}

bool
json_to_i64(const struct json *v, int64_t *ret)
{
    struct str text = json_number(v);
    uint64_t magnitude;
    if (!str_starts_with(text, "-")) {
        if (!str_to_u64(text, INT64_MAX, &magnitude))
            return false;
        *ret = (int64_t) magnitude;
        return true;
    }
    if (!str_to_u64(str_slice(text, 1, text.len), (uint64_t) INT64_MAX + 1, &magnitude) ||
        magnitude == 0)
        return false;
    *ret = -(int64_t) (magnitude - 1) - 1;
    return true;
}

size_t
json_length(const struct json *v)
{
    return yyjson_is_ctn(val(v)) ? yyjson_get_len(val(v)) : 0;
}

const struct json *
json_get(const struct json *v, struct str name)
{
    return from_val(yyjson_obj_getn(val(v), name.len > 0 ? name.data : "", name.len));
}

const struct json *
json_get_c(const struct json *v, const char *name)
{
    return json_get(v, str_from(name));
}

struct json_iter
json_iter(const struct json *v)
{
    size_t n = json_length(v);
    return (struct json_iter){
        .parent = v, .at = n > 0 ? unsafe_yyjson_get_first(val(v)) : NULL, .left = n};
}

bool
json_next(struct json_iter *it)
{
    if (it->left == 0)
        return false;
    it->left--;
    yyjson_val *at = val(it->at);
    if (yyjson_is_obj(val(it->parent))) {
        it->key = str_make(unsafe_yyjson_get_str(at), unsafe_yyjson_get_len(at));
        at++;
    }
    it->value = from_val(at);
    it->at = unsafe_yyjson_get_next(at);
    return true;
}
