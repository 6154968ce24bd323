/* The table of settings, and the settings of an index: a JSON text for every one that is not the
 * default. Knows nothing of requests (api/ judges what is sent) and of search (which reads the
 * values). */
#include "index/settings.h"

#include <stdlib.h>

#include "base/mem.h"
#include "index/settings_internal.h"
#include "store/env.h"
#include "store/rec.h"

/* v1: n u32, then each: name str, JSON text str */
enum { SETTINGS_VERSION = 1 };

#define DEFAULT_RULES                                                                              \
    "[\"words\",\"typo\",\"proximity\",\"attributeRank\",\"sort\",\"wordPosition\",\"exactness\"]"
#define DEFAULT_TEMPLATE                                                                           \
    "{% for field in fields %}{% if field.is_searchable and field.value != nil %}"                 \
    "{{ field.name }}: {{ field.value }}\\n{% endif %}{% endfor %}"

const struct setting_row setting_rows[SETTING_COUNT] = {
    [SETTING_DISPLAYED_ATTRIBUTES] = {.name = "displayedAttributes",
                                      .sub_route = "displayed-attributes",
                                      .code = ERR_INVALID_SETTINGS_DISPLAYED_ATTRIBUTES,
                                      .standard = "[\"*\"]",
                                      .shown_reset = "[\"*\"]",
                                      .merge = settings_merge_names},
    [SETTING_SEARCHABLE_ATTRIBUTES] = {.name = "searchableAttributes",
                                       .sub_route = "searchable-attributes",
                                       .code = ERR_INVALID_SETTINGS_SEARCHABLE_ATTRIBUTES,
                                       .standard = "[\"*\"]",
                                       .shown_reset = "[\"*\"]",
                                       .merge = settings_merge_names},
    [SETTING_FILTERABLE_ATTRIBUTES] = {.name = "filterableAttributes",
                                       .sub_route = "filterable-attributes",
                                       .code = ERR_INVALID_SETTINGS_FILTERABLE_ATTRIBUTES,
                                       .standard = "[]"},
    [SETTING_SORTABLE_ATTRIBUTES] = {.name = "sortableAttributes",
                                     .sub_route = "sortable-attributes",
                                     .code = ERR_INVALID_SETTINGS_SORTABLE_ATTRIBUTES,
                                     .standard = "[]"},
    [SETTING_FOREIGN_KEYS] = {.name = "foreignKeys",
                              .sub_route = "foreign-keys",
                              .code = ERR_INVALID_SETTINGS_FOREIGN_KEYS,
                              .standard = "[]"},
    [SETTING_RANKING_RULES] = {.name = "rankingRules",
                               .sub_route = "ranking-rules",
                               .code = ERR_INVALID_SETTINGS_RANKING_RULES,
                               .standard = DEFAULT_RULES},
    [SETTING_STOP_WORDS] = {.name = "stopWords",
                            .sub_route = "stop-words",
                            .code = ERR_INVALID_SETTINGS_STOP_WORDS,
                            .standard = "[]"},
    [SETTING_NON_SEPARATOR_TOKENS] = {.name = "nonSeparatorTokens",
                                      .sub_route = "non-separator-tokens",
                                      .code = ERR_INVALID_SETTINGS_NON_SEPARATOR_TOKENS,
                                      .standard = "[]"},
    [SETTING_SEPARATOR_TOKENS] = {.name = "separatorTokens",
                                  .sub_route = "separator-tokens",
                                  .code = ERR_INVALID_SETTINGS_SEPARATOR_TOKENS,
                                  .standard = "[]"},
    [SETTING_DICTIONARY] = {.name = "dictionary",
                            .sub_route = "dictionary",
                            .code = ERR_INVALID_SETTINGS_DICTIONARY,
                            .standard = "[]"},
    [SETTING_SYNONYMS] = {.name = "synonyms",
                          .sub_route = "synonyms",
                          .code = ERR_INVALID_SETTINGS_SYNONYMS,
                          .standard = "{}"},
    [SETTING_DISTINCT_ATTRIBUTE] = {.name = "distinctAttribute",
                                    .sub_route = "distinct-attribute",
                                    .code = ERR_INVALID_SETTINGS_DISTINCT_ATTRIBUTE,
                                    .standard = "null"},
    [SETTING_PROXIMITY_PRECISION] = {.name = "proximityPrecision",
                                     .sub_route = "proximity-precision",
                                     .code = ERR_INVALID_SETTINGS_PROXIMITY_PRECISION,
                                     .standard = "\"byWord\""},
    [SETTING_TYPO_TOLERANCE] = {.name = "typoTolerance",
                                .sub_route = "typo-tolerance",
                                .code = ERR_INVALID_SETTINGS_TYPO_TOLERANCE,
                                .standard =
                                    "{\"enabled\":true,\"minWordSizeForTypos\":{\"oneTypo\":5,"
                                    "\"twoTypos\":9},\"disableOnWords\":[],\"disableOnAttributes\":"
                                    "[],\"disableOnNumbers\":false}",
                                .merge = settings_merge_typos},
    [SETTING_FACETING] = {.name = "faceting",
                          .sub_route = "faceting",
                          .code = ERR_INVALID_SETTINGS_FACETING,
                          .standard =
                              "{\"maxValuesPerFacet\":100,\"sortFacetValuesBy\":{\"*\":\"alpha\"}}",
                          .merge = settings_merge_faceting},
    [SETTING_PAGINATION] = {.name = "pagination",
                            .sub_route = "pagination",
                            .code = ERR_INVALID_SETTINGS_PAGINATION,
                            .standard = "{\"maxTotalHits\":1000}",
                            .merge = settings_merge_pagination},
    [SETTING_EMBEDDERS] = {.name = "embedders",
                           .sub_route = "embedders",
                           .code = ERR_INVALID_SETTINGS_EMBEDDERS,
                           .standard = "{}",
                           .merge = settings_merge_embedders},
    [SETTING_SEARCH_CUTOFF_MS] = {.name = "searchCutoffMs",
                                  .sub_route = "search-cutoff-ms",
                                  .code = ERR_INVALID_SETTINGS_SEARCH_CUTOFF_MS,
                                  .standard = "null"},
    [SETTING_LOCALIZED_ATTRIBUTES] = {.name = "localizedAttributes",
                                      .sub_route = "localized-attributes",
                                      .code = ERR_INVALID_SETTINGS_LOCALIZED_ATTRIBUTES,
                                      .standard = "null",
                                      .merge = settings_merge_languages},
    [SETTING_FACET_SEARCH] = {.name = "facetSearch",
                              .sub_route = "facet-search",
                              .code = ERR_INVALID_SETTINGS_FACET_SEARCH,
                              .standard = "true"},
    [SETTING_PREFIX_SEARCH] = {.name = "prefixSearch",
                               .sub_route = "prefix-search",
                               .code = ERR_INVALID_SETTINGS_PREFIX_SEARCH,
                               .standard = "\"indexingTime\""},
    [SETTING_CHAT] = {.name = "chat",
                      .sub_route = "chat",
                      .code = ERR_INVALID_SETTINGS_INDEX_CHAT,
                      .standard = "{\"description\":\"\",\"documentTemplate\":\"" DEFAULT_TEMPLATE
                                  "\",\"documentTemplateMaxBytes\":400,\"searchParameters\":{}}",
                      .merge = settings_merge_chat},
};

enum setting
setting_find(struct str name)
{
    int i = 0;
    while (i < SETTING_COUNT && !str_is(name, setting_rows[i].name))
        i++;
    return (enum setting) i;
}

enum setting
setting_find_sub_route(struct str sub_route)
{
    int i = 0;
    while (i < SETTING_COUNT && !str_is(sub_route, setting_rows[i].sub_route))
        i++;
    return (enum setting) i;
}

void
settings_init(struct settings *s)
{
    *s = (struct settings){0};
}

void
settings_done(struct settings *s)
{
    for (int i = 0; i < SETTING_COUNT; i++)
        free(s->values[i]);
    settings_init(s);
}

struct str
settings_value(const struct settings *s, enum setting which)
{
    return str_from(s->values[which] != NULL ? s->values[which] : setting_rows[which].standard);
}

/* --- showing */

static void
write_shown(struct buf *out, enum setting which, struct str value)
{
    struct json_doc *doc = which == SETTING_EMBEDDERS ? json_parse(value, NULL) : NULL;
    if (doc == NULL)
        buf_add_str(out, value);
    else
        settings_write_embedders(out, json_root(doc));
    json_doc_free(doc);
}

void
settings_write_one(struct buf *out, const struct settings *s, enum setting which)
{
    write_shown(out, which, settings_value(s, which));
}

void
settings_write_json(struct buf *out, const struct settings *s, uint32_t hidden)
{
    struct json_out j = json_out(out);
    json_begin_object(&j);
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (hidden & UINT32_C(1) << i)
            continue;
        json_key(&j, setting_rows[i].name);
        settings_write_one(out, s, (enum setting) i);
        j.comma = true;
    }
    json_end_object(&j);
}

static void
write_detail(struct buf *out, enum setting which, const struct json *value)
{
    const char *reset = which == SETTING_COUNT ? NULL : setting_rows[which].shown_reset;
    if (json_type(value) == JSON_NULL)
        buf_add_cstr(out, reset != NULL ? reset : "null");
    else if (which == SETTING_EMBEDDERS)
        settings_write_embedders(out, value);
    else
        json_write(out, value);
}

void
settings_write_details(struct buf *out, const struct json *sent)
{
    struct json_out j = json_out(out);
    json_begin_object(&j);
    for (struct json_iter it = json_iter(sent); json_next(&it);) {
        json_key_str(&j, it.key);
        write_detail(out, setting_find(it.key), it.value);
        j.comma = true;
    }
    json_end_object(&j);
}

/* --- applying */

/* Takes the value, or none for the default. */
static void
set_value(struct settings *s, enum setting which, struct buf *value)
{
    free(s->values[which]);
    s->values[which] = value->len == 0 ? NULL : buf_take(value);
    buf_done(value);
}

static int
apply_one(struct settings *s, enum setting which, const struct json *sent, struct err *err)
{
    setting_merge *merge = setting_rows[which].merge;
    struct buf value = BUF_INIT;
    int rc = 0;
    if (json_type(sent) != JSON_NULL && merge == NULL) {
        json_write(&value, sent);
    } else if (json_type(sent) != JSON_NULL) {
        struct json_doc *now = json_parse(settings_value(s, which), NULL);
        rc = merge(&value, now == NULL ? NULL : json_root(now), sent, err);
        json_doc_free(now);
    }
    if (rc == 0 && buf_failed(&value))
        rc = -1;
    if (rc < 0 && !err_is_set(err))
        err_set(err, ERR_INTERNAL, "out of memory");
    if (rc < 0)
        buf_done(&value);
    else
        set_value(s, which, &value);
    return rc;
}

int
settings_apply(struct settings *s, const struct json *sent, struct err *err)
{
    for (struct json_iter it = json_iter(sent); json_next(&it);) {
        enum setting which = setting_find(it.key);
        if (which != SETTING_COUNT && apply_one(s, which, it.value, err) < 0)
            return -1;
    }
    return 0;
}

/* --- the record */

void
settings_encode(struct buf *out, const struct settings *s)
{
    uint32_t n = 0;
    for (int i = 0; i < SETTING_COUNT; i++)
        n += s->values[i] != NULL;
    rec_put_u8(out, SETTINGS_VERSION);
    rec_put_u32(out, n);
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (s->values[i] == NULL)
            continue;
        rec_put_str(out, str_from(setting_rows[i].name));
        rec_put_str(out, str_from(s->values[i]));
    }
}

int
settings_decode(struct settings *ret, struct str record)
{
    struct rec r = rec_open(record, SETTINGS_VERSION);
    settings_init(ret);
    for (uint32_t n = rec_u32(&r); n > 0 && !r.failed; n--) {
        enum setting which = setting_find(rec_str(&r));
        struct str value = rec_str(&r);
        if (r.failed || which == SETTING_COUNT)
            r.failed = true;
        else if (ret->values[which] == NULL)
            ret->values[which] = mem_strndup(value.data, value.len);
    }
    if (rec_ok(&r))
        return 0;
    settings_done(ret);
    return STORE_ECORRUPT;
}
