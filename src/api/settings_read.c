/* Readers of settings: each checks its value, in->value, and leaves it as JSON text. Knows no route
 * and no index. */
#include "api/settings_read.h"

#include <stdlib.h>

#include "api/fields.h"
#include "api/params.h"
#include "base/mem.h"
#include "base/suggest.h"
#include "index/sort.h"

/* Every reader's destination: the value as JSON text in the arena; data NULL: null or not there. */
struct text {
    struct str json;
};

static int
leave(const struct field_in *in, struct buf *text, void *dst)
{
    struct text *ret = dst;
    int rc = buf_failed(text) ? err_set(in->err, ERR_INTERNAL, "out of memory") : 0;
    if (rc == 0)
        ret->json = arena_copy(in->arena, buf_str(text));
    buf_done(text);
    return rc;
}

static int
read_any(const struct field_in *in, void *dst)
{
    struct buf text = BUF_INIT;
    json_write(&text, in->value);
    return leave(in, &text, dst);
}

/* --- choices */

/* What upstream says of a word it does not know. */
static int
refuse_choice(const struct field_in *in, const char *path, struct str found,
              const char *const *names, size_t n)
{
    const char *near = suggest_name(found, names, n);
    struct buf message = BUF_INIT;
    buf_addf(&message, "Unknown value `%.*s`", STR_ARG(found));
    if (path[0] != '\0')
        buf_addf(&message, " at `%s`", path);
    buf_add_cstr(&message, ": ");
    if (near != NULL)
        buf_addf(&message, "did you mean `%s`? ", near);
    buf_add_cstr(&message, "expected one of ");
    names_write(&message, names, n);
    err_set_str(in->err, in->row->code, buf_str(&message));
    buf_done(&message);
    return -1;
}

static int
check_choice(const struct field_in *in, const char *path, const struct json *value,
             const char *const *names, size_t n)
{
    if (field_check_kind(value, FIELD_STRING, path, in->row->code, in->err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (str_is(json_string(value), names[i]))
            return 0;
    return refuse_choice(in, path, json_string(value), names, n);
}

static int
read_choice(const struct field_in *in, void *dst, const char *const *names, size_t n)
{
    return check_choice(in, in->path, in->value, names, n) < 0 ? -1 : read_any(in, dst);
}

#define CHOICES(...) ((const char *const[]){__VA_ARGS__})
#define READ_CHOICE(in, dst, ...)                                                                  \
    read_choice((in), (dst), CHOICES(__VA_ARGS__), sizeof(CHOICES(__VA_ARGS__)) / sizeof(char *))

static int
read_precision(const struct field_in *in, void *dst)
{
    return READ_CHOICE(in, dst, "byWord", "byAttribute");
}

static int
read_prefix_search(const struct field_in *in, void *dst)
{
    return READ_CHOICE(in, dst, "indexingTime", "disabled");
}

/* --- lists */

static int
read_strings(const struct field_in *in, void *dst)
{
    struct field_strings list;
    return field_strings(in, &list) < 0 ? -1 : read_any(in, dst);
}

static int
compare_strings(const void *a, const void *b)
{
    return str_compare(*(const struct str *) a, *(const struct str *) b);
}

/* Sorted, each once. */
static int
read_string_set(const struct field_in *in, void *dst)
{
    struct field_strings list;
    struct buf text = BUF_INIT;
    struct json_out j = json_out(&text);
    if (field_strings(in, &list) < 0)
        return -1;
    qsort(list.values, list.n, sizeof(*list.values), compare_strings);
    json_begin_array(&j);
    for (size_t i = 0; i < list.n; i++)
        if (i == 0 || !str_equal(list.values[i], list.values[i - 1]))
            json_put_str(&j, list.values[i]);
    json_end_array(&j);
    return leave(in, &text, dst);
}

/* Runs read on every element and leaves the list. */
static int
read_each(const struct field_in *in, field_reader *read, void *dst)
{
    struct buf text = BUF_INIT;
    struct json_out j = json_out(&text);
    size_t i = 0;
    json_begin_array(&j);
    for (struct json_iter it = json_iter(in->value); json_next(&it); i++) {
        struct field_in element = *in;
        struct text written = {STR_NULL};
        element.path = arena_printf(in->arena, "%s[%zu]", in->path, i);
        element.value = it.value;
        if (read(&element, &written) < 0) {
            buf_done(&text);
            return -1;
        }
        json_put_raw(&j, written.json);
    }
    json_end_array(&j);
    return leave(in, &text, dst);
}

/* --- objects: rows whose destinations are one struct text each, in their order */

enum { OBJECT_FIELDS_MAX = 24 };
#define TEXT_AT(i) ((i) * sizeof(struct text))

/* Writes what was sent, in the order of the rows; null stays null. */
static void
write_object(struct buf *out, const struct json *sent, const struct fields *fields,
             const struct text *texts)
{
    struct json_out j = json_out(out);
    json_begin_object(&j);
    for (size_t i = 0; i < fields->n; i++) {
        if (json_get_c(sent, fields->rows[i].name) == NULL)
            continue;
        json_key(&j, fields->rows[i].name);
        json_put_raw(&j, texts[i].json.data == NULL ? STR("null") : texts[i].json);
    }
    json_end_object(&j);
}

static int
read_object(const struct field_in *in, const struct field *rows, size_t n, void *dst)
{
    struct text texts[OBJECT_FIELDS_MAX] = {{STR_NULL}};
    struct field own[OBJECT_FIELDS_MAX];
    struct fields fields = {.rows = own, .n = n, .code = in->row->code};
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < n; i++) {
        own[i] = rows[i];
        own[i].code = in->row->code;
        own[i].offset = TEXT_AT(i);
        own[i].missing = rows[i].missing == ERR_NONE ? ERR_NONE : in->row->code;
    }
    if (fields_read(in->arena, in->value, in->path, &fields, texts, in->err) < 0)
        return -1;
    write_object(&text, in->value, &fields, texts);
    return leave(in, &text, dst);
}
#define READ_OBJECT(in, rows, dst)                                                                 \
    read_object((in), (rows), sizeof(rows) / sizeof((rows)[0]), (dst))
#define REQUIRED .missing = ERR_BAD_REQUEST /* read_object puts the setting's own code */

/* Members with names of the client's: sorted by name. read: of each value, whose kinds are given.
 */
struct member {
    struct str name, json;
};

static int
compare_members(const void *a, const void *b)
{
    return str_compare(((const struct member *) a)->name, ((const struct member *) b)->name);
}

static int
leave_members(const struct field_in *in, struct member *all, size_t n, void *dst)
{
    struct buf text = BUF_INIT;
    struct json_out j = json_out(&text);
    qsort(all, n, sizeof(*all), compare_members);
    json_begin_object(&j);
    for (size_t i = 0; i < n; i++) {
        json_key_str(&j, all[i].name);
        json_put_raw(&j, all[i].json.data == NULL ? STR("null") : all[i].json);
    }
    json_end_object(&j);
    return leave(in, &text, dst);
}

static int
read_map(const struct field_in *in, unsigned kinds, field_reader *read, void *dst)
{
    struct json_iter it = json_iter(in->value);
    struct member *all = arena_alloc(in->arena, (it.left + 1) * sizeof(*all));
    size_t n = 0;
    bool may_be_null = (kinds & 1) != 0;
    for (; json_next(&it); n++) {
        struct field_in value = *in;
        struct text written = {STR_NULL};
        value.path = arena_printf(in->arena, "%s.%.*s", in->path, STR_ARG(it.key));
        value.value = it.value;
        bool is_null = may_be_null && json_type(it.value) == JSON_NULL;
        if (!is_null &&
            (field_check_kind(it.value, kinds & ~1u, value.path, in->row->code, in->err) < 0 ||
             read(&value, &written) < 0))
            return -1;
        all[n] = (struct member){.name = it.key, .json = written.json};
    }
    return leave_members(in, all, n, dst);
}
enum { MAP_NULL = 1 /* among the kinds of read_map: a value may be null */ };

/* --- filterableAttributes */

/* Features come out whole, with what is on by default. */
static int
write_features(const struct field_in *in, const struct json *features, void *dst)
{
    const struct json *filter = json_get_c(features, "filter");
    const struct json *facet = json_get_c(features, "facetSearch");
    const struct json *equality = json_get_c(filter, "equality");
    const struct json *comparison = json_get_c(filter, "comparison");
    struct buf text = BUF_INIT;
    buf_addf(&text, "{\"facetSearch\":%s,\"filter\":{\"equality\":%s,\"comparison\":%s}}",
             facet != NULL && json_bool(facet) ? "true" : "false",
             equality == NULL || json_bool(equality) ? "true" : "false",
             comparison != NULL && json_bool(comparison) ? "true" : "false");
    return leave(in, &text, dst);
}

static int
read_filter_features(const struct field_in *in, void *dst)
{
    static const struct field rows[] = {
        {.name = "equality", .kinds = FIELD_BOOL, .no_null = true, .read = read_any},
        {.name = "comparison", .kinds = FIELD_BOOL, .no_null = true, .read = read_any},
    };
    return READ_OBJECT(in, rows, dst);
}

static int
read_features(const struct field_in *in, void *dst)
{
    static const struct field rows[] = {
        {.name = "facetSearch", .kinds = FIELD_BOOL, .no_null = true, .read = read_any},
        {.name = "filter", .kinds = FIELD_OBJECT, .no_null = true, .read = read_filter_features},
    };
    struct text ignored;
    return READ_OBJECT(in, rows, &ignored) < 0 ? -1 : write_features(in, in->value, dst);
}

static int
read_patterns(const struct field_in *in, void *dst)
{
    static const struct field rows[] = {
        {.name = "attributePatterns",
         .kinds = FIELD_ARRAY,
         .no_null = true,
         REQUIRED,
         .read = read_strings},
        {.name = "features", .kinds = FIELD_OBJECT, .no_null = true, .read = read_features},
    };
    struct text checked, features;
    struct buf text = BUF_INIT;
    struct json_out j = json_out(&text);
    if (READ_OBJECT(in, rows, &checked) < 0 ||
        write_features(in, json_get_c(in->value, "features"), &features) < 0)
        return -1;
    json_begin_object(&j);
    json_key(&j, "attributePatterns");
    json_write(&text, json_get_c(in->value, "attributePatterns"));
    j.comma = true;
    json_key(&j, "features");
    json_put_raw(&j, features.json);
    json_end_object(&j);
    return leave(in, &text, dst);
}

static int
read_filterable_rule(const struct field_in *in, void *dst)
{
    if (json_type(in->value) == JSON_OBJECT)
        return read_patterns(in, dst);
    if (field_check_kind(in->value, FIELD_STRING, in->path, in->row->code, in->err) < 0)
        return -1;
    return read_any(in, dst);
}

static int
read_filterable(const struct field_in *in, void *dst)
{
    return read_each(in, read_filterable_rule, dst);
}

/* --- rankingRules */

static int
refuse_rule(const struct field_in *in, struct str name, const char *behind)
{
    return field_invalid(in, "`%.*s`%s", STR_ARG(name), behind);
}

static int
refuse_reserved_rule(const struct field_in *in, struct str name)
{
    static const char *const filters[] = {"_geoRadius", "_geoBoundingBox"};
    static const char reserved[] =
        " is a reserved keyword and thus can't be used as a ranking rule";
    if (str_starts_with(name, "_geoPoint"))
        return field_invalid(in,
                             "`_geoPoint`%s. `_geoPoint` can only be used for sorting at "
                             "search time",
                             reserved);
    for (size_t i = 0; i < 2; i++)
        if (str_starts_with(name, filters[i]))
            return field_invalid(in, "`%s`%s. `%s` can only be used for filtering at search time",
                                 filters[i], reserved, filters[i]);
    return refuse_rule(in, name, reserved);
}

static int
read_rule(const struct field_in *in, void *dst)
{
    static const char *const known[] = {"words",         "typo",         "proximity", "attribute",
                                        "attributeRank", "wordPosition", "sort",      "exactness"};
    struct str rule = json_string(in->value);
    if (field_check_kind(in->value, FIELD_STRING, in->path, in->row->code, in->err) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (str_is(rule, known[i]))
            return read_any(in, dst);
    size_t suffix = str_ends_with(rule, ":asc") ? 4 : str_ends_with(rule, ":desc") ? 5 : 0;
    if (suffix == 0)
        return refuse_rule(in, rule,
                           " ranking rule is invalid. Valid ranking rules are words, typo, sort, "
                           "proximity, attribute, exactness and custom ranking rules.");
    struct str name = str_slice(rule, 0, rule.len - suffix);
    return attribute_is_reserved(name) ? refuse_reserved_rule(in, name) : read_any(in, dst);
}

static int
read_rules(const struct field_in *in, void *dst)
{
    return read_each(in, read_rule, dst);
}

/* --- numbers */

static int
read_byte(const struct field_in *in, void *dst)
{
    uint64_t n = 0;
    json_to_u64(in->value, &n);
    if (n > UINT8_MAX)
        return field_invalid(in,
                             "value: `%llu` is too large to be deserialized, maximum value "
                             "authorized is `255`",
                             (unsigned long long) n);
    return read_any(in, dst);
}

static int
read_not_zero(const struct field_in *in, void *dst)
{
    uint64_t n = 0;
    json_to_u64(in->value, &n);
    if (n == 0)
        return field_invalid(in, "a non-zero integer value lower than `18446744073709551615` was "
                                 "expected, but found a zero");
    return read_any(in, dst);
}

/* --- objects */

static int
read_word_sizes(const struct field_in *in, void *dst)
{
    static const struct field rows[] = {
        {.name = "oneTypo", .kinds = FIELD_POSITIVE, .read = read_byte},
        {.name = "twoTypos", .kinds = FIELD_POSITIVE, .read = read_byte},
    };
    const struct json *one = json_get_c(in->value, "oneTypo");
    const struct json *two = json_get_c(in->value, "twoTypos");
    uint64_t n_one, n_two;
    if (READ_OBJECT(in, rows, dst) < 0)
        return -1;
    if (one == NULL || two == NULL || !json_to_u64(one, &n_one) || !json_to_u64(two, &n_two) ||
        n_one <= n_two)
        return 0;
    return field_invalid(in,
                         "`minWordSizeForTypos` setting is invalid. `oneTypo` and `twoTypos` "
                         "fields should be between `0` and `255`, and `twoTypos` should be greater "
                         "or equals to `oneTypo` but found `oneTypo: %llu` and twoTypos: %llu`.",
                         (unsigned long long) n_one, (unsigned long long) n_two);
}

static int
read_typo_tolerance(const struct field_in *in, void *dst)
{
    static const struct field rows[] = {
        {.name = "enabled", .kinds = FIELD_BOOL, .read = read_any},
        {.name = "minWordSizeForTypos", .kinds = FIELD_OBJECT, .read = read_word_sizes},
        {.name = "disableOnWords", .kinds = FIELD_ARRAY, .read = read_string_set},
        {.name = "disableOnAttributes", .kinds = FIELD_ARRAY, .read = read_string_set},
        {.name = "disableOnNumbers", .kinds = FIELD_BOOL, .read = read_any},
    };
    return READ_OBJECT(in, rows, dst);
}

static int
read_order(const struct field_in *in, void *dst)
{
    return READ_CHOICE(in, dst, "alpha", "count");
}

static int
read_orders(const struct field_in *in, void *dst)
{
    return read_map(in, FIELD_STRING, read_order, dst);
}

static int
read_faceting(const struct field_in *in, void *dst)
{
    static const struct field rows[] = {
        {.name = "maxValuesPerFacet", .kinds = FIELD_POSITIVE, .read = read_any},
        {.name = "sortFacetValuesBy", .kinds = FIELD_OBJECT, .read = read_orders},
    };
    return READ_OBJECT(in, rows, dst);
}

static int
read_pagination(const struct field_in *in, void *dst)
{
    static const struct field rows[] = {
        {.name = "maxTotalHits", .kinds = FIELD_POSITIVE, .read = read_not_zero},
    };
    return READ_OBJECT(in, rows, dst);
}

static int
read_synonyms(const struct field_in *in, void *dst)
{
    return read_map(in, FIELD_ARRAY, read_strings, dst);
}

static int
read_chat(const struct field_in *in, void *dst)
{
    static const struct field rows[] = {
        {.name = "description", .kinds = FIELD_STRING, .read = read_any},
        {.name = "documentTemplate", .kinds = FIELD_STRING, .read = read_any},
        {.name = "documentTemplateMaxBytes", .kinds = FIELD_POSITIVE, .read = read_not_zero},
        {.name = "searchParameters", .kinds = FIELD_OBJECT, .read = read_any},
    };
    return READ_OBJECT(in, rows, dst);
}

static int
read_foreign_key(const struct field_in *in, void *dst)
{
    static const struct field rows[] = {
        {.name = "foreignIndexUid",
         .kinds = FIELD_STRING,
         .no_null = true,
         REQUIRED,
         .read = read_any},
        {.name = "fieldName", .kinds = FIELD_STRING, .no_null = true, REQUIRED, .read = read_any},
    };
    return READ_OBJECT(in, rows, dst);
}

static int
read_foreign_keys(const struct field_in *in, void *dst)
{
    return read_each(in, read_foreign_key, dst);
}

/* --- localizedAttributes */

static int
read_locale(const struct field_in *in, void *dst)
{
    const char *const *names;
    size_t n = setting_languages(&names);
    return read_choice(in, dst, names, n);
}

static int
read_locales(const struct field_in *in, void *dst)
{
    return read_each(in, read_locale, dst);
}

static int
read_localized_rule(const struct field_in *in, void *dst)
{
    static const struct field rows[] = {
        {.name = "attributePatterns",
         .kinds = FIELD_ARRAY,
         .no_null = true,
         REQUIRED,
         .read = read_strings},
        {.name = "locales", .kinds = FIELD_ARRAY, .no_null = true, REQUIRED, .read = read_locales},
    };
    return READ_OBJECT(in, rows, dst);
}

static int
read_localized(const struct field_in *in, void *dst)
{
    return read_each(in, read_localized_rule, dst);
}

/* --- embedders: their form; which fields a source allows is for the search that uses them */

static int
read_source(const struct field_in *in, void *dst)
{
    return READ_CHOICE(in, dst, "openAi", "huggingFace", "ollama", "userProvided", "rest",
                       "composite");
}

static int
read_pooling(const struct field_in *in, void *dst)
{
    return READ_CHOICE(in, dst, "useModel", "forceCls", "forceMean");
}

static int
read_headers(const struct field_in *in, void *dst)
{
    return read_map(in, FIELD_STRING, read_any, dst);
}

static int
read_distribution(const struct field_in *in, void *dst)
{
    static const struct field rows[] = {
        {.name = "mean",
         .kinds = FIELD_FLOAT | FIELD_POSITIVE | FIELD_NEGATIVE,
         .no_null = true,
         REQUIRED,
         .read = read_any},
        {.name = "sigma",
         .kinds = FIELD_FLOAT | FIELD_POSITIVE | FIELD_NEGATIVE,
         .no_null = true,
         REQUIRED,
         .read = read_any},
    };
    return READ_OBJECT(in, rows, dst);
}

static int read_embedder(const struct field_in *in, void *dst);

static const struct field embedder_rows[] = {
    {.name = "source", .kinds = FIELD_STRING, .read = read_source},
    {.name = "model", .kinds = FIELD_STRING, .read = read_any},
    {.name = "revision", .kinds = FIELD_STRING, .read = read_any},
    {.name = "pooling", .kinds = FIELD_STRING, .read = read_pooling},
    {.name = "apiKey", .kinds = FIELD_STRING, .read = read_any},
    {.name = "dimensions", .kinds = FIELD_POSITIVE, .read = read_any},
    {.name = "binaryQuantized", .kinds = FIELD_BOOL, .read = read_any},
    {.name = "documentTemplate", .kinds = FIELD_STRING, .read = read_any},
    {.name = "documentTemplateMaxBytes", .kinds = FIELD_POSITIVE, .read = read_any},
    {.name = "url", .kinds = FIELD_STRING, .read = read_any},
    {.name = "indexingFragments", .kinds = FIELD_OBJECT, .read = read_any},
    {.name = "searchFragments", .kinds = FIELD_OBJECT, .read = read_any},
    {.name = "request", .kinds = FIELD_ANY, .read = read_any},
    {.name = "response", .kinds = FIELD_ANY, .read = read_any},
    {.name = "headers", .kinds = FIELD_OBJECT, .read = read_headers},
    {.name = "searchEmbedder", .kinds = FIELD_OBJECT, .read = read_embedder},
    {.name = "indexingEmbedder", .kinds = FIELD_OBJECT, .read = read_embedder},
    {.name = "distribution", .kinds = FIELD_OBJECT, .read = read_distribution},
};

static int
read_embedder(const struct field_in *in, void *dst)
{
    return READ_OBJECT(in, embedder_rows, dst);
}

static int
read_embedders(const struct field_in *in, void *dst)
{
    return read_map(in, FIELD_OBJECT | MAP_NULL, read_embedder, dst);
}

/* --- the settings */

static const struct {
    unsigned kinds;
    field_reader *read;
} readers[SETTING_COUNT] = {
    [SETTING_DISPLAYED_ATTRIBUTES] = {FIELD_ARRAY, read_strings},
    [SETTING_SEARCHABLE_ATTRIBUTES] = {FIELD_ARRAY, read_strings},
    [SETTING_FILTERABLE_ATTRIBUTES] = {FIELD_ARRAY, read_filterable},
    [SETTING_SORTABLE_ATTRIBUTES] = {FIELD_ARRAY, read_string_set},
    [SETTING_FOREIGN_KEYS] = {FIELD_ARRAY, read_foreign_keys},
    [SETTING_RANKING_RULES] = {FIELD_ARRAY, read_rules},
    [SETTING_STOP_WORDS] = {FIELD_ARRAY, read_string_set},
    [SETTING_NON_SEPARATOR_TOKENS] = {FIELD_ARRAY, read_string_set},
    [SETTING_SEPARATOR_TOKENS] = {FIELD_ARRAY, read_string_set},
    [SETTING_DICTIONARY] = {FIELD_ARRAY, read_string_set},
    [SETTING_SYNONYMS] = {FIELD_OBJECT, read_synonyms},
    [SETTING_DISTINCT_ATTRIBUTE] = {FIELD_STRING, read_any},
    [SETTING_PROXIMITY_PRECISION] = {FIELD_STRING, read_precision},
    [SETTING_TYPO_TOLERANCE] = {FIELD_OBJECT, read_typo_tolerance},
    [SETTING_FACETING] = {FIELD_OBJECT, read_faceting},
    [SETTING_PAGINATION] = {FIELD_OBJECT, read_pagination},
    [SETTING_EMBEDDERS] = {FIELD_OBJECT, read_embedders},
    [SETTING_SEARCH_CUTOFF_MS] = {FIELD_POSITIVE, read_any},
    [SETTING_LOCALIZED_ATTRIBUTES] = {FIELD_ARRAY, read_localized},
    [SETTING_FACET_SEARCH] = {FIELD_BOOL, read_any},
    [SETTING_PREFIX_SEARCH] = {FIELD_STRING, read_prefix_search},
    [SETTING_CHAT] = {FIELD_OBJECT, read_chat},
};

static struct field
row_of(enum setting which)
{
    return (struct field){.name = setting_rows[which].name,
                          .code = setting_rows[which].code,
                          .kinds = readers[which].kinds,
                          .read = readers[which].read,
                          .offset = TEXT_AT(which)};
}

/* The rule upstream checks over the whole: `attribute` stands for the other two. */
static int
check_rules(const struct json *rules, struct err *err)
{
    bool has_whole = false, has_part = false;
    for (struct json_iter it = json_iter(rules); json_next(&it);) {
        struct str rule = json_string(it.value);
        has_whole |= str_is(rule, "attribute");
        has_part |= str_is(rule, "attributeRank") || str_is(rule, "wordPosition");
    }
    if (!has_whole || !has_part)
        return 0;
    return err_set(err, ERR_INVALID_SETTINGS_RANKING_RULES,
                   "Mixed usage of the attribute, attributeRank, and wordPosition ranking rules. "
                   "You must either use the attribute ranking rule alone or the attributeRank and "
                   "wordPosition ranking rules.");
}

int
settings_read_all(struct arena *arena, const struct json *body, struct buf *out, struct err *err)
{
    struct text texts[SETTING_COUNT] = {{STR_NULL}};
    struct field rows[SETTING_COUNT];
    struct fields fields = {.rows = rows, .n = SETTING_COUNT, .code = ERR_BAD_REQUEST};
    for (int i = 0; i < SETTING_COUNT; i++)
        rows[i] = row_of((enum setting) i);
    if (fields_read(arena, body, "", &fields, texts, err) < 0)
        return -1;
    write_object(out, body, &fields, texts);
    return check_rules(json_get_c(body, "rankingRules"), err);
}

int
settings_read_one(struct arena *arena, enum setting which, const struct json *value,
                  struct buf *out, struct err *err)
{
    struct field row = row_of(which);
    struct field_in in = {.arena = arena, .row = &row, .path = "", .value = value, .err = err};
    struct text text = {STR("null")};
    struct json_out j = json_out(out);
    if (json_type(value) != JSON_NULL &&
        (field_check_kind(value, row.kinds, "", row.code, err) < 0 || row.read(&in, &text) < 0 ||
         (which == SETTING_RANKING_RULES && check_rules(value, err) < 0)))
        return -1;
    json_begin_object(&j);
    json_key(&j, row.name);
    json_put_raw(&j, text.json);
    json_end_object(&j);
    return 0;
}

void
settings_write_reset(struct buf *out, enum setting which)
{
    struct json_out j = json_out(out);
    json_begin_object(&j);
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (which != SETTING_COUNT && which != (enum setting) i)
            continue;
        json_key(&j, setting_rows[i].name);
        json_put_null(&j);
    }
    json_end_object(&j);
}
