/* How a new value joins the old one: objects field by field, embedders by name, names without
 * repetition. Values were checked when they were sent. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/redact.h"
#include "index/settings_internal.h"
#include "index/strmap.h"

static void
put(struct json_out *j, struct str name, const struct json *value)
{
    json_key_str(j, name);
    json_write(j->out, value);
    j->comma = true;
}

static const struct json_doc *
standard_of(enum setting which, struct json_doc **ret)
{
    *ret = json_parse(str_from(setting_rows[which].standard), NULL);
    return *ret;
}

/* The members of the default, each with what was sent, what was, or (sent as null) the default. */
static void
merge_members(struct json_out *j, const struct json *standard, const struct json *now,
              const struct json *sent)
{
    json_begin_object(j);
    for (struct json_iter it = json_iter(standard); json_next(&it);) {
        const struct json *old = json_get(now, it.key), *new = json_get(sent, it.key);
        if (new == NULL)
            put(j, it.key, old != NULL ? old : it.value);
        else
            put(j, it.key, json_type(new) == JSON_NULL ? it.value : new);
    }
    json_end_object(j);
}

static int
merge_object(struct buf *out, enum setting which, const struct json *now, const struct json *sent)
{
    struct json_doc *standard;
    struct json_out j = json_out(out);
    if (standard_of(which, &standard) == NULL)
        return -1;
    merge_members(&j, json_root(standard), now, sent);
    json_doc_free(standard);
    return 0;
}

int
settings_merge_pagination(struct buf *out, const struct json *now, const struct json *sent,
                          struct err *err)
{
    (void) err; /* nothing can be wrong */
    return merge_object(out, SETTING_PAGINATION, now, sent);
}

int
settings_merge_chat(struct buf *out, const struct json *now, const struct json *sent,
                    struct err *err)
{
    (void) err; /* nothing can be wrong */
    return merge_object(out, SETTING_CHAT, now, sent);
}

/* A star stands for everything, which is the default. */
int
settings_merge_names(struct buf *out, const struct json *now, const struct json *sent,
                     struct err *err)
{
    struct json_out j = json_out(out);
    struct strmap seen;
    bool has_star = false;
    (void) now, (void) err; /* replaced, and nothing can be wrong */
    strmap_init(&seen);
    json_begin_array(&j);
    for (struct json_iter it = json_iter(sent); !has_star && json_next(&it);) {
        bool is_new = true;
        has_star = str_is(json_string(it.value), "*");
        if (strmap_put(&seen, json_string(it.value), &is_new) >= 0 && is_new)
            json_put_str(&j, json_string(it.value));
    }
    json_end_array(&j);
    if (has_star)
        buf_clear(out);
    strmap_done(&seen);
    return 0;
}

/* --- typoTolerance */

static uint64_t
size_of(const struct json *sizes, const char *name)
{
    uint64_t size = 0;
    const struct json *value = json_get_c(sizes, name);
    if (value != NULL)
        json_to_u64(value, &size);
    return size;
}

static int
check_sizes(struct str sizes, struct err *err)
{
    struct json_doc *doc = json_parse(sizes, NULL);
    const struct json *value = doc == NULL ? NULL : json_root(doc);
    uint64_t one = size_of(value, "oneTypo"), two = size_of(value, "twoTypos");
    json_doc_free(doc);
    if (one <= two)
        return 0;
    return err_set(err, ERR_INVALID_SETTINGS_TYPO_TOLERANCE,
                   "`minWordSizeForTypos` setting is invalid. `oneTypo` and `twoTypos` fields "
                   "should be between `0` and `255`, and `twoTypos` should be greater or equals to "
                   "`oneTypo` but found `oneTypo: %llu` and twoTypos: %llu`.",
                   (unsigned long long) one, (unsigned long long) two);
}

/* minWordSizeForTypos is an object in the object. */
static int
merge_sizes(struct json_out *j, const struct json *standard, const struct json *now,
            const struct json *sent, struct err *err)
{
    struct buf sizes = BUF_INIT;
    struct json_out inner = json_out(&sizes);
    merge_members(&inner, standard, now, json_type(sent) == JSON_NULL ? standard : sent);
    int rc = check_sizes(buf_str(&sizes), err);
    json_key(j, "minWordSizeForTypos");
    json_put_raw(j, buf_str(&sizes));
    buf_done(&sizes);
    return rc;
}

int
settings_merge_typos(struct buf *out, const struct json *now, const struct json *sent,
                     struct err *err)
{
    struct json_doc *doc;
    struct json_out j = json_out(out);
    int rc = 0;
    if (standard_of(SETTING_TYPO_TOLERANCE, &doc) == NULL)
        return -1;
    json_begin_object(&j);
    for (struct json_iter it = json_iter(json_root(doc)); rc == 0 && json_next(&it);) {
        const struct json *old = json_get(now, it.key), *new = json_get(sent, it.key);
        if (new == NULL)
            put(&j, it.key, old != NULL ? old : it.value);
        else if (json_type(it.value) == JSON_OBJECT)
            rc = merge_sizes(&j, it.value, old, new, err);
        else
            put(&j, it.key, json_type(new) == JSON_NULL ? it.value : new);
    }
    json_end_object(&j);
    json_doc_free(doc);
    return rc;
}

/* --- faceting: the order of a facet falls back on that of `*` */

static void
write_orders(struct json_out *j, const struct json *orders)
{
    json_key(j, "sortFacetValuesBy");
    json_begin_object(j);
    if (json_get_c(orders, "*") == NULL) { /* the first of the names in use */
        json_key(j, "*");
        json_put_cstr(j, "alpha");
    }
    for (struct json_iter it = json_iter(orders); json_next(&it);)
        put(j, it.key, it.value);
    json_end_object(j);
}

int
settings_merge_faceting(struct buf *out, const struct json *now, const struct json *sent,
                        struct err *err)
{
    struct json_doc *doc;
    struct buf plain = BUF_INIT;
    struct json_out j = json_out(out);
    (void) err; /* nothing can be wrong */
    if (merge_object(&plain, SETTING_FACETING, now, sent) < 0 ||
        (doc = json_parse(buf_str(&plain), NULL)) == NULL) {
        buf_done(&plain);
        return -1;
    }
    json_begin_object(&j);
    json_key(&j, "maxValuesPerFacet");
    json_write(out, json_get_c(json_root(doc), "maxValuesPerFacet"));
    j.comma = true;
    write_orders(&j, json_get_c(json_root(doc), "sortFacetValuesBy"));
    json_end_object(&j);
    json_doc_free(doc);
    buf_done(&plain);
    return 0;
}

/* --- localizedAttributes: languages by their three letters */

static void
write_languages(struct json_out *j, const struct json *rule)
{
    json_begin_object(j);
    put(j, STR("attributePatterns"), json_get_c(rule, "attributePatterns"));
    json_key(j, "locales");
    json_begin_array(j);
    for (struct json_iter it = json_iter(json_get_c(rule, "locales")); json_next(&it);)
        json_put_str(j, setting_language(json_string(it.value)));
    json_end_array(j);
    json_end_object(j);
}

int
settings_merge_languages(struct buf *out, const struct json *now, const struct json *sent,
                         struct err *err)
{
    struct json_out j = json_out(out);
    (void) now, (void) err; /* replaced, and nothing can be wrong */
    json_begin_array(&j);
    for (struct json_iter it = json_iter(sent); json_next(&it);)
        write_languages(&j, it.value);
    json_end_array(&j);
    return 0;
}

/* --- embedders */

/* One embedder: fields sent replace those there, null takes them away. */
static void
merge_embedder(struct json_out *j, const struct json *now, const struct json *sent)
{
    json_begin_object(j);
    for (struct json_iter it = json_iter(now); json_next(&it);)
        if (json_get(sent, it.key) == NULL)
            put(j, it.key, it.value);
    for (struct json_iter it = json_iter(sent); json_next(&it);)
        if (json_type(it.value) != JSON_NULL)
            put(j, it.key, it.value);
    json_end_object(j);
}

struct named {
    struct str name;
    const struct json *now, *sent;
};

static int
compare_names(const void *a, const void *b)
{
    return str_compare(((const struct named *) a)->name, ((const struct named *) b)->name);
}

int
settings_merge_embedders(struct buf *out, const struct json *now, const struct json *sent,
                         struct err *err)
{
    struct named *all = mem_new(json_length(now) + json_length(sent) + 1, sizeof(*all));
    struct json_out j = json_out(out);
    size_t n = 0;
    (void) err; /* nothing can be wrong */
    for (struct json_iter it = json_iter(now); json_next(&it);)
        all[n++] = (struct named){it.key, it.value, json_get(sent, it.key)};
    for (struct json_iter it = json_iter(sent); json_next(&it);)
        if (json_get(now, it.key) == NULL)
            all[n++] = (struct named){it.key, NULL, it.value};
    qsort(all, n, sizeof(*all), compare_names);
    json_begin_object(&j);
    for (size_t i = 0; i < n; i++) {
        if (all[i].sent != NULL && json_type(all[i].sent) == JSON_NULL)
            continue;
        json_key_str(&j, all[i].name);
        merge_embedder(&j, all[i].now, all[i].sent);
        j.comma = true;
    }
    json_end_object(&j);
    free(all);
    return 0;
}

/* --- secrets */

static void
put_redacted(struct json_out *j, struct str secret)
{
    struct buf shown = BUF_INIT;
    redact(&shown, secret);
    json_put_str(j, buf_str(&shown));
    buf_done(&shown);
}

static void
write_embedder(struct json_out *j, const struct json *embedder)
{
    if (json_type(embedder) != JSON_OBJECT) {
        json_write(j->out, embedder);
        j->comma = true;
        return;
    }
    json_begin_object(j);
    for (struct json_iter it = json_iter(embedder); json_next(&it);) {
        json_key_str(j, it.key);
        if (str_is(it.key, "apiKey") && json_type(it.value) == JSON_STRING) {
            put_redacted(j, json_string(it.value));
            continue;
        }
        if (str_ends_with(it.key, "Embedder")) {
            write_embedder(j, it.value);
            continue;
        }
        json_write(j->out, it.value);
        j->comma = true;
    }
    json_end_object(j);
}

void
settings_write_embedders(struct buf *out, const struct json *embedders)
{
    struct json_out j = json_out(out);
    if (json_type(embedders) != JSON_OBJECT) {
        json_write(out, embedders);
        return;
    }
    json_begin_object(&j);
    for (struct json_iter it = json_iter(embedders); json_next(&it);) {
        json_key_str(&j, it.key);
        write_embedder(&j, it.value);
    }
    json_end_object(&j);
}
