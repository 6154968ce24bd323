/* /indexes/{indexUid}/settings and a route for every setting: reading answers from the index,
 * writing is a task. Which setting a route is about stands at the end of its pattern. */
#include "api/settings_read.h"

#include "api/body.h"
#include "api/enqueue.h"
#include "api/experimental.h"
#include "api/reply.h"

/* The setting of the call's route, SETTING_COUNT for all of them. */
static enum setting
setting_of(const struct http_call *call)
{
    static const char prefix[] = "/indexes/{indexUid}/settings/";
    struct str pattern = str_from(call->route->pattern);
    return setting_find_sub_route(str_slice(pattern, sizeof(prefix) - 1, pattern.len));
}

/* --- GET */

/* Settings that are shown only where their feature is on. */
static uint32_t
hidden_settings(uint32_t features)
{
    return (feature_is_on(features, FEATURE_FOREIGN_KEYS) ? 0
                                                          : UINT32_C(1) << SETTING_FOREIGN_KEYS) |
           (feature_is_on(features, FEATURE_CHAT_COMPLETIONS) ? 0 : UINT32_C(1) << SETTING_CHAT);
}

int
handler_settings(struct http_call *call, const struct uuid *index_uuid, struct settings *ret)
{
    struct index_reader r;
    settings_init(ret);
    struct index *index = index_open(handler_api(call)->indexes, index_uuid, &call->err);
    if (index == NULL)
        return -1;
    int rc = index_reader_open(&r, index);
    if (rc >= 0) {
        rc = index_reader_settings(&r, ret);
        index_reader_close(&r);
    }
    index_release(index);
    return rc < 0 ? handler_store_error(&call->err, rc) : 0;
}

static int
read_settings(struct http_call *call, struct settings *ret)
{
    struct str uid;
    struct index_info info;
    index_info_init(&info);
    settings_init(ret);
    int rc = handler_index_uid(call, 0, &uid);
    if (rc == 0)
        rc = handler_find_index(call, uid, &info);
    if (rc == 0)
        rc = handler_settings(call, &info.uuid, ret);
    index_info_done(&info);
    return rc;
}

static enum http_result
settings_get(struct http_call *call)
{
    struct settings s;
    struct buf body = BUF_INIT;
    uint32_t features;
    enum setting which = setting_of(call);
    int rc = read_settings(call, &s);
    if (rc == 0)
        rc = features_enabled(call, &features);
    if (rc == 0 && which == SETTING_COUNT)
        settings_write_json(&body, &s, hidden_settings(features));
    else if (rc == 0)
        settings_write_one(&body, &s, which);
    settings_done(&s);
    return rc < 0 ? HTTP_ERROR : reply_json(call, 200, &body);
}

/* --- PUT, PATCH, DELETE */

struct change {
    struct str index_uid;
    struct json_doc *sent; /* as it is stored: an object by setting name */
    bool is_reset;
};

static bool
is_set(const struct json *sent, enum setting which)
{
    const struct json *value = json_get_c(sent, setting_rows[which].name);
    return value != NULL && json_type(value) != JSON_NULL;
}

static bool
embedder_has(const struct json *embedder, const char *field)
{
    const struct json *value = json_get_c(embedder, field);
    return value != NULL && json_type(value) != JSON_NULL;
}

static int
check_embedder(uint32_t features, const struct json *embedder, struct err *err)
{
    static const struct {
        const char *field;
        enum feature feature;
        const char *action;
    } rows[] = {
        {"searchEmbedder", FEATURE_COMPOSITE_EMBEDDERS, "setting `searchEmbedder`"},
        {"indexingEmbedder", FEATURE_COMPOSITE_EMBEDDERS, "setting `indexingEmbedder`"},
        {"indexingFragments", FEATURE_MULTIMODAL, "setting `indexingFragments`"},
        {"searchFragments", FEATURE_MULTIMODAL, "setting `searchFragments`"},
    };
    const struct json *source = json_get_c(embedder, "source");
    if (source != NULL && str_is(json_string(source), "composite") &&
        feature_require(features, FEATURE_COMPOSITE_EMBEDDERS, "using `\"composite\"` as source",
                        err) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (embedder_has(embedder, rows[i].field) &&
            feature_require(features, rows[i].feature, rows[i].action, err) < 0)
            return -1;
    return 0;
}

static int
check_features(struct http_call *call, const struct json *sent)
{
    uint32_t features;
    struct json_iter it = json_iter(json_get_c(sent, "embedders"));
    if (features_enabled(call, &features) < 0)
        return -1;
    while (json_next(&it))
        if (check_embedder(features, it.value, &call->err) < 0)
            return -1;
    if (is_set(sent, SETTING_CHAT) &&
        feature_require(features, FEATURE_CHAT_COMPLETIONS, "setting `chat` in the index settings",
                        &call->err) < 0)
        return -1;
    if (is_set(sent, SETTING_FOREIGN_KEYS) &&
        feature_require(features, FEATURE_FOREIGN_KEYS,
                        "setting `foreignKeys` in the index settings", &call->err) < 0)
        return -1;
    return 0;
}

static int
add_change(struct http_call *call, void *arg, struct ops_result *ret)
{
    struct change *c = arg;
    bool may_create = !c->is_reset && handler_grant(call).may_create_indexes;
    return ops_update_settings(handler_api(call)->ops, c->index_uid, json_root(c->sent), may_create,
                               ret, &call->err);
}

/* Enqueues what text says; raw: what the client sent. */
static enum http_result
enqueue_change(struct http_call *call, struct str text, struct str raw, bool is_reset)
{
    struct change c = {.is_reset = is_reset};
    enum http_result result = HTTP_ERROR;
    c.sent = json_parse(text, NULL);
    if (c.sent == NULL)
        err_set(&call->err, ERR_INTERNAL, "out of memory");
    else if (handler_index_uid(call, 0, &c.index_uid) == 0 &&
             check_features(call, json_root(c.sent)) == 0)
        result = enqueue_now(call, 202, raw, add_change, &c);
    json_doc_free(c.sent);
    return result;
}

static enum http_result
settings_update(struct http_call *call)
{
    struct body body;
    struct buf text = BUF_INIT;
    enum setting which = setting_of(call);
    enum http_result result = HTTP_ERROR;
    int rc = body_read_json(call, &body);
    if (rc == 0 && which == SETTING_COUNT)
        rc = settings_read_all(call->arena, json_root(body.doc), &text, &call->err);
    else if (rc == 0)
        rc = settings_read_one(call->arena, which, json_root(body.doc), &text, &call->err);
    if (rc == 0)
        result = enqueue_change(call, buf_str(&text), buf_str(&body.raw), false);
    buf_done(&text);
    body_done(&body);
    return result;
}

static enum http_result
settings_reset(struct http_call *call)
{
    struct body body;
    struct buf text = BUF_INIT;
    body_read_ignored(call, &body);
    settings_write_reset(&text, setting_of(call));
    enum http_result result = enqueue_change(call, buf_str(&text), buf_str(&body.raw), true);
    buf_done(&text);
    body_done(&body);
    return result;
}

/* --- routes: GET, the verb and DELETE of each */

#define SETTING_ROUTES(path, verb, what)                                                           \
    {.method = HTTP_GET,                                                                           \
     .pattern = "/indexes/{indexUid}/settings" path,                                               \
     .action = "settings.get",                                                                     \
     .handler = settings_get,                                                                      \
     .summary = "Get " what " of an index"},                                                       \
        {.method = HTTP_##verb,                                                                    \
         .pattern = "/indexes/{indexUid}/settings" path,                                           \
         .action = "settings.update",                                                              \
         .flags = ROUTE_JSON_BODY | ROUTE_ENQUEUES,                                                \
         .handler = settings_update,                                                               \
         .summary = "Update " what " of an index"},                                                \
    {                                                                                              \
        .method = HTTP_DELETE, .pattern = "/indexes/{indexUid}/settings" path,                     \
        .action = "settings.update", .flags = ROUTE_ENQUEUES, .handler = settings_reset,           \
        .summary = "Reset " what " of an index"                                                    \
    }

static const struct route rows[] = {
    SETTING_ROUTES("", PATCH, "all settings"),
    SETTING_ROUTES("/displayed-attributes", PUT, "displayedAttributes"),
    SETTING_ROUTES("/searchable-attributes", PUT, "searchableAttributes"),
    SETTING_ROUTES("/filterable-attributes", PUT, "filterableAttributes"),
    SETTING_ROUTES("/sortable-attributes", PUT, "sortableAttributes"),
    SETTING_ROUTES("/foreign-keys", PUT, "foreignKeys"),
    SETTING_ROUTES("/ranking-rules", PUT, "rankingRules"),
    SETTING_ROUTES("/stop-words", PUT, "stopWords"),
    SETTING_ROUTES("/non-separator-tokens", PUT, "nonSeparatorTokens"),
    SETTING_ROUTES("/separator-tokens", PUT, "separatorTokens"),
    SETTING_ROUTES("/dictionary", PUT, "dictionary"),
    SETTING_ROUTES("/synonyms", PUT, "synonyms"),
    SETTING_ROUTES("/distinct-attribute", PUT, "distinctAttribute"),
    SETTING_ROUTES("/proximity-precision", PUT, "proximityPrecision"),
    SETTING_ROUTES("/typo-tolerance", PATCH, "typoTolerance"),
    SETTING_ROUTES("/faceting", PATCH, "faceting"),
    SETTING_ROUTES("/pagination", PATCH, "pagination"),
    SETTING_ROUTES("/embedders", PATCH, "embedders"),
    SETTING_ROUTES("/search-cutoff-ms", PUT, "searchCutoffMs"),
    SETTING_ROUTES("/localized-attributes", PUT, "localizedAttributes"),
    SETTING_ROUTES("/facet-search", PUT, "facetSearch"),
    SETTING_ROUTES("/prefix-search", PUT, "prefixSearch"),
    SETTING_ROUTES("/chat", PATCH, "chat"),
};
const struct route_table settings_routes = ROUTE_TABLE(rows);
