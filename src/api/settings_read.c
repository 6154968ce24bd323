/* Readers of settings: which form the value of each has. Knows no route and no index. */
#include "api/settings_read.h"

#include "api/settings_value.h"
#include "index/sort.h"

/* --- words */

static int
read_precision(const struct field_in *in, void *dst)
{
    return VALUE_CHOICE(in, dst, "byWord", "byAttribute");
}

static int
read_prefix_search(const struct field_in *in, void *dst)
{
    return VALUE_CHOICE(in, dst, "indexingTime", "disabled");
}

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
    return value_leave(in, &text, dst);
}

static int
read_filter_features(const struct field_in *in, void *dst)
{
    static const struct field rows[] = {
        VALUE_ROW_NO_NULL("equality", FIELD_BOOL, value_any),
        VALUE_ROW_NO_NULL("comparison", FIELD_BOOL, value_any),
    };
    return VALUE_OBJECT(in, rows, dst);
}

static int
read_features(const struct field_in *in, void *dst)
{
    static const struct field rows[] = {
        VALUE_ROW_NO_NULL("facetSearch", FIELD_BOOL, value_any),
        VALUE_ROW_NO_NULL("filter", FIELD_OBJECT, read_filter_features),
    };
    struct value_text ignored;
    return VALUE_OBJECT(in, rows, &ignored) < 0 ? -1 : write_features(in, in->value, dst);
}

static int
read_patterns(const struct field_in *in, void *dst)
{
    static const struct field rows[] = {
        VALUE_ROW_NEEDED("attributePatterns", FIELD_ARRAY, value_strings),
        VALUE_ROW_NO_NULL("features", FIELD_OBJECT, read_features),
    };
    struct value_text checked, features;
    struct buf text = BUF_INIT;
    struct json_out j = json_out(&text);
    if (VALUE_OBJECT(in, rows, &checked) < 0 ||
        write_features(in, json_get_c(in->value, "features"), &features) < 0)
        return -1;
    json_begin_object(&j);
    json_key(&j, "attributePatterns");
    json_write(&text, json_get_c(in->value, "attributePatterns"));
    j.comma = true;
    json_key(&j, "features");
    json_put_raw(&j, features.json);
    json_end_object(&j);
    return value_leave(in, &text, dst);
}

static int
read_filterable_rule(const struct field_in *in, void *dst)
{
    if (json_type(in->value) == JSON_OBJECT)
        return read_patterns(in, dst);
    if (field_check_kind(in->value, FIELD_STRING, in->path, in->row->code, in->err) < 0)
        return -1;
    return value_any(in, dst);
}

static int
read_filterable(const struct field_in *in, void *dst)
{
    return value_each(in, read_filterable_rule, dst);
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
            return value_any(in, dst);
    size_t suffix = str_ends_with(rule, ":asc") ? 4 : str_ends_with(rule, ":desc") ? 5 : 0;
    if (suffix == 0)
        return refuse_rule(in, rule,
                           " ranking rule is invalid. Valid ranking rules are words, typo, sort, "
                           "proximity, attribute, exactness and custom ranking rules.");
    struct str name = str_slice(rule, 0, rule.len - suffix);
    return attribute_is_reserved(name) ? refuse_reserved_rule(in, name) : value_any(in, dst);
}

static int
read_rules(const struct field_in *in, void *dst)
{
    return value_each(in, read_rule, dst);
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
    return value_any(in, dst);
}

static int
read_not_zero(const struct field_in *in, void *dst)
{
    uint64_t n = 0;
    json_to_u64(in->value, &n);
    if (n == 0)
        return field_invalid(in, "a non-zero integer value lower than `18446744073709551615` was "
                                 "expected, but found a zero");
    return value_any(in, dst);
}

/* --- objects */

static int
read_word_sizes(const struct field_in *in, void *dst)
{
    static const struct field rows[] = {
        VALUE_ROW("oneTypo", FIELD_POSITIVE, read_byte),
        VALUE_ROW("twoTypos", FIELD_POSITIVE, read_byte),
    };
    const struct json *one = json_get_c(in->value, "oneTypo");
    const struct json *two = json_get_c(in->value, "twoTypos");
    uint64_t n_one, n_two;
    if (VALUE_OBJECT(in, rows, dst) < 0)
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
        VALUE_ROW("enabled", FIELD_BOOL, value_any),
        VALUE_ROW("minWordSizeForTypos", FIELD_OBJECT, read_word_sizes),
        VALUE_ROW("disableOnWords", FIELD_ARRAY, value_string_set),
        VALUE_ROW("disableOnAttributes", FIELD_ARRAY, value_string_set),
        VALUE_ROW("disableOnNumbers", FIELD_BOOL, value_any),
    };
    return VALUE_OBJECT(in, rows, dst);
}

static int
read_order(const struct field_in *in, void *dst)
{
    return VALUE_CHOICE(in, dst, "alpha", "count");
}

static int
read_orders(const struct field_in *in, void *dst)
{
    return value_map(in, FIELD_STRING, read_order, dst);
}

static int
read_faceting(const struct field_in *in, void *dst)
{
    static const struct field rows[] = {
        VALUE_ROW("maxValuesPerFacet", FIELD_POSITIVE, value_any),
        VALUE_ROW("sortFacetValuesBy", FIELD_OBJECT, read_orders),
    };
    return VALUE_OBJECT(in, rows, dst);
}

static int
read_pagination(const struct field_in *in, void *dst)
{
    static const struct field rows[] = {
        VALUE_ROW("maxTotalHits", FIELD_POSITIVE, read_not_zero),
    };
    return VALUE_OBJECT(in, rows, dst);
}

static int
read_synonyms(const struct field_in *in, void *dst)
{
    return value_map(in, FIELD_ARRAY, value_strings, dst);
}

static int
read_chat(const struct field_in *in, void *dst)
{
    static const struct field rows[] = {
        VALUE_ROW("description", FIELD_STRING, value_any),
        VALUE_ROW("documentTemplate", FIELD_STRING, value_any),
        VALUE_ROW("documentTemplateMaxBytes", FIELD_POSITIVE, read_not_zero),
        VALUE_ROW("searchParameters", FIELD_OBJECT, value_any),
    };
    return VALUE_OBJECT(in, rows, dst);
}

static int
read_foreign_key(const struct field_in *in, void *dst)
{
    static const struct field rows[] = {
        VALUE_ROW_NEEDED("foreignIndexUid", FIELD_STRING, value_any),
        VALUE_ROW_NEEDED("fieldName", FIELD_STRING, value_any),
    };
    return VALUE_OBJECT(in, rows, dst);
}

static int
read_foreign_keys(const struct field_in *in, void *dst)
{
    return value_each(in, read_foreign_key, dst);
}

/* --- localizedAttributes */

static int
read_locale(const struct field_in *in, void *dst)
{
    const char *const *names;
    size_t n = setting_languages(&names);
    return value_choice(in, dst, names, n);
}

static int
read_locales(const struct field_in *in, void *dst)
{
    return value_each(in, read_locale, dst);
}

static int
read_localized_rule(const struct field_in *in, void *dst)
{
    static const struct field rows[] = {
        VALUE_ROW_NEEDED("attributePatterns", FIELD_ARRAY, value_strings),
        VALUE_ROW_NEEDED("locales", FIELD_ARRAY, read_locales),
    };
    return VALUE_OBJECT(in, rows, dst);
}

static int
read_localized(const struct field_in *in, void *dst)
{
    return value_each(in, read_localized_rule, dst);
}

/* --- embedders: their form; which fields a source allows is for the search that uses them */

static int
read_source(const struct field_in *in, void *dst)
{
    return VALUE_CHOICE(in, dst, "openAi", "huggingFace", "ollama", "userProvided", "rest",
                        "composite");
}

static int
read_pooling(const struct field_in *in, void *dst)
{
    return VALUE_CHOICE(in, dst, "useModel", "forceCls", "forceMean");
}

static int
read_headers(const struct field_in *in, void *dst)
{
    return value_map(in, FIELD_STRING, value_any, dst);
}

static int
read_distribution(const struct field_in *in, void *dst)
{
    static const struct field rows[] = {
        VALUE_ROW_NEEDED("mean", FIELD_FLOAT | FIELD_POSITIVE | FIELD_NEGATIVE, value_any),
        VALUE_ROW_NEEDED("sigma", FIELD_FLOAT | FIELD_POSITIVE | FIELD_NEGATIVE, value_any),
    };
    return VALUE_OBJECT(in, rows, dst);
}

static int read_embedder(const struct field_in *in, void *dst);

static const struct field embedder_rows[] = {
    VALUE_ROW("source", FIELD_STRING, read_source),
    VALUE_ROW("model", FIELD_STRING, value_any),
    VALUE_ROW("revision", FIELD_STRING, value_any),
    VALUE_ROW("pooling", FIELD_STRING, read_pooling),
    VALUE_ROW("apiKey", FIELD_STRING, value_any),
    VALUE_ROW("dimensions", FIELD_POSITIVE, value_any),
    VALUE_ROW("binaryQuantized", FIELD_BOOL, value_any),
    VALUE_ROW("documentTemplate", FIELD_STRING, value_any),
    VALUE_ROW("documentTemplateMaxBytes", FIELD_POSITIVE, value_any),
    VALUE_ROW("url", FIELD_STRING, value_any),
    VALUE_ROW("indexingFragments", FIELD_OBJECT, value_any),
    VALUE_ROW("searchFragments", FIELD_OBJECT, value_any),
    VALUE_ROW("request", FIELD_ANY, value_any),
    VALUE_ROW("response", FIELD_ANY, value_any),
    VALUE_ROW("headers", FIELD_OBJECT, read_headers),
    VALUE_ROW("searchEmbedder", FIELD_OBJECT, read_embedder),
    VALUE_ROW("indexingEmbedder", FIELD_OBJECT, read_embedder),
    VALUE_ROW("distribution", FIELD_OBJECT, read_distribution),
};

static int
read_embedder(const struct field_in *in, void *dst)
{
    return VALUE_OBJECT(in, embedder_rows, dst);
}

static int
read_embedders(const struct field_in *in, void *dst)
{
    return value_map(in, FIELD_OBJECT | VALUE_MAP_NULL, read_embedder, dst);
}

/* --- the settings */

static const struct {
    unsigned kinds;
    field_reader *read;
} readers[SETTING_COUNT] = {
    [SETTING_DISPLAYED_ATTRIBUTES] = {FIELD_ARRAY, value_strings},
    [SETTING_SEARCHABLE_ATTRIBUTES] = {FIELD_ARRAY, value_strings},
    [SETTING_FILTERABLE_ATTRIBUTES] = {FIELD_ARRAY, read_filterable},
    [SETTING_SORTABLE_ATTRIBUTES] = {FIELD_ARRAY, value_string_set},
    [SETTING_FOREIGN_KEYS] = {FIELD_ARRAY, read_foreign_keys},
    [SETTING_RANKING_RULES] = {FIELD_ARRAY, read_rules},
    [SETTING_STOP_WORDS] = {FIELD_ARRAY, value_string_set},
    [SETTING_NON_SEPARATOR_TOKENS] = {FIELD_ARRAY, value_string_set},
    [SETTING_SEPARATOR_TOKENS] = {FIELD_ARRAY, value_string_set},
    [SETTING_DICTIONARY] = {FIELD_ARRAY, value_string_set},
    [SETTING_SYNONYMS] = {FIELD_OBJECT, read_synonyms},
    [SETTING_DISTINCT_ATTRIBUTE] = {FIELD_STRING, value_any},
    [SETTING_PROXIMITY_PRECISION] = {FIELD_STRING, read_precision},
    [SETTING_TYPO_TOLERANCE] = {FIELD_OBJECT, read_typo_tolerance},
    [SETTING_FACETING] = {FIELD_OBJECT, read_faceting},
    [SETTING_PAGINATION] = {FIELD_OBJECT, read_pagination},
    [SETTING_EMBEDDERS] = {FIELD_OBJECT, read_embedders},
    [SETTING_SEARCH_CUTOFF_MS] = {FIELD_POSITIVE, value_any},
    [SETTING_LOCALIZED_ATTRIBUTES] = {FIELD_ARRAY, read_localized},
    [SETTING_FACET_SEARCH] = {FIELD_BOOL, value_any},
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
                          .offset = VALUE_AT(which)};
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
    struct value_text texts[SETTING_COUNT] = {{STR_NULL}};
    struct field rows[SETTING_COUNT];
    struct fields fields = {.rows = rows, .n = SETTING_COUNT, .code = ERR_BAD_REQUEST};
    for (int i = 0; i < SETTING_COUNT; i++)
        rows[i] = row_of((enum setting) i);
    if (fields_read(arena, body, "", &fields, texts, err) < 0)
        return -1;
    value_write_object(out, body, &fields, texts);
    return check_rules(json_get_c(body, "rankingRules"), err);
}

int
settings_read_one(struct arena *arena, enum setting which, const struct json *value,
                  struct buf *out, struct err *err)
{
    struct field row = row_of(which);
    struct field_in in = {.arena = arena, .row = &row, .path = "", .value = value, .err = err};
    struct value_text text = {STR("null")};
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
