/* Finds and settles repeated member names. Finding runs on every parsed object and must stay
 * cheap and free of quadratic input; settling is rare and goes through a mutable tree. */
#include "codec/json_keys.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FILTER_MAX_MEMBERS = 32 };

static int
compare_names(const char *a, size_t a_len, const char *b, size_t b_len)
{
    if (a_len != b_len)
        return a_len < b_len ? -1 : 1;
    return memcmp(a, b, a_len);
}

static int
compare_keys(const void *a, const void *b)
{
    yyjson_val *x = *(yyjson_val *const *) a, *y = *(yyjson_val *const *) b;
    return compare_names(unsafe_yyjson_get_str(x), unsafe_yyjson_get_len(x),
                         unsafe_yyjson_get_str(y), unsafe_yyjson_get_len(y));
}

/* Many members: sorted, so that no choice of names is slow. */
static int
repeat_sorted(yyjson_val *object, size_t n)
{
    yyjson_val **keys = malloc(n * sizeof(*keys));
    if (keys == NULL)
        return -1;
    yyjson_val *key = unsafe_yyjson_get_first(object);
    for (size_t i = 0; i < n; i++, key = unsafe_yyjson_get_next(key + 1))
        keys[i] = key;
    qsort(keys, n, sizeof(*keys), compare_keys);
    int found = 0;
    for (size_t i = 1; i < n && found == 0; i++)
        found = compare_keys(&keys[i - 1], &keys[i]) == 0;
    free(keys);
    return found;
}

/* Few members: names are compared only when their 64-bit filter already has the bit. */
static int
repeat_filtered(yyjson_val *object, size_t n)
{
    yyjson_val *keys[FILTER_MAX_MEMBERS];
    uint64_t filter = 0;
    yyjson_val *key = unsafe_yyjson_get_first(object);
    for (size_t i = 0; i < n; i++, key = unsafe_yyjson_get_next(key + 1)) {
        const unsigned char *name = (const unsigned char *) unsafe_yyjson_get_str(key);
        size_t len = unsafe_yyjson_get_len(key);
        size_t mix = len * 11 + (len > 0 ? name[0] * 5u + name[len - 1] * 3u + name[len / 2] : 0);
        uint64_t bit = (uint64_t) 1 << (mix & 63);
        for (size_t j = 0; j < i && (filter & bit) != 0; j++) {
            if (compare_keys(&keys[j], &key) == 0)
                return 1;
        }
        filter |= bit;
        keys[i] = key;
    }
    return 0;
}

int
json_keys_repeat(yyjson_val *object, size_t n)
{
    if (n < 2)
        return 0;
    return n <= FILTER_MAX_MEMBERS ? repeat_filtered(object, n) : repeat_sorted(object, n);
}

struct member {
    yyjson_mut_val *key, *value;
    size_t place;
    bool is_dropped;
};

static int
compare_members(const void *a, const void *b)
{
    const struct member *x = *(const struct member *const *) a;
    const struct member *y = *(const struct member *const *) b;
    int c = compare_names(unsafe_yyjson_get_str(x->key), unsafe_yyjson_get_len(x->key),
                          unsafe_yyjson_get_str(y->key), unsafe_yyjson_get_len(y->key));
    return c != 0 ? c : x->place < y->place ? -1 : 1;
}

/* members: in order of place; sorted: room for n pointers. */
static void
settle_members(struct member *members, struct member **sorted, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sorted[i] = &members[i];
    qsort(sorted, n, sizeof(*sorted), compare_members);
    for (size_t i = 1, first = 0; i < n; i++) {
        yyjson_mut_val *a = sorted[first]->key, *b = sorted[i]->key;
        if (compare_names(a->uni.str, unsafe_yyjson_get_len(a), b->uni.str,
                          unsafe_yyjson_get_len(b)) != 0) {
            first = i;
            continue;
        }
        sorted[first]->value = sorted[i]->value;
        sorted[i]->is_dropped = true;
    }
}

static bool
settle_object(yyjson_mut_val *object)
{
    size_t n = yyjson_mut_obj_size(object), i = 0;
    if (n < 2)
        return true;
    struct member *members = calloc(n, sizeof(*members));
    struct member **sorted = malloc(n * sizeof(*sorted));
    bool ok = members != NULL && sorted != NULL;
    if (ok) {
        yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(object);
        for (yyjson_mut_val *key; (key = yyjson_mut_obj_iter_next(&it)) != NULL; i++)
            members[i] =
                (struct member){.key = key, .value = yyjson_mut_obj_iter_get_val(key), .place = i};
        settle_members(members, sorted, n);
        (void) yyjson_mut_obj_clear(object); /* fails for non-objects only */
        for (i = 0; i < n; i++) {
            if (!members[i].is_dropped)
                ok = yyjson_mut_obj_add(object, members[i].key, members[i].value) && ok;
        }
    }
    free(sorted);
    free(members);
    return ok;
}

/* Recursion is bounded by JSON_MAX_DEPTH. */
static bool
settle_value(yyjson_mut_val *v)
{
    bool ok = true;
    if (yyjson_mut_is_arr(v)) {
        yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(v);
        for (yyjson_mut_val *item; ok && (item = yyjson_mut_arr_iter_next(&it)) != NULL;)
            ok = settle_value(item);
    } else if (yyjson_mut_is_obj(v)) {
        ok = settle_object(v);
        yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(v);
        for (yyjson_mut_val *key; ok && (key = yyjson_mut_obj_iter_next(&it)) != NULL;)
            ok = settle_value(yyjson_mut_obj_iter_get_val(key));
    }
    return ok;
}

yyjson_doc *
json_keys_settle(yyjson_doc *doc)
{
    yyjson_mut_doc *changed = yyjson_doc_mut_copy(doc, NULL);
    yyjson_doc_free(doc);
    yyjson_doc *settled = NULL;
    if (changed != NULL && settle_value(yyjson_mut_doc_get_root(changed)))
        settled = yyjson_mut_doc_imut_copy(changed, NULL);
    yyjson_mut_doc_free(changed);
    return settled;
}
