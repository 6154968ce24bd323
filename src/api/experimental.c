/* /experimental-features, and the one place that knows which of them are on. A row of TABLE_META
 * holds those that were ever set; options of the command line switch some on as well. */
#include "api/experimental.h"

#include "api/body.h"
#include "api/fields.h"
#include "api/handler.h"
#include "api/reply.h"
#include "index/filter.h"
#include "store/rec.h"
#include "store/tables.h"

/* v1: n u32, then each: name str, state u8 */
enum { FEATURES_VERSION = 1 };
#define FEATURES_KEY STR("experimental-features")

enum state { STATE_UNSET, STATE_OFF, STATE_ON };

static const struct feature_row {
    const char *name;  /* as it is set */
    const char *words; /* in messages */
    const char *discussion;
    bool may_be_unset; /* shown as null until it is set; the others as false */
} rows[FEATURE_COUNT] = {
    [FEATURE_METRICS] = {"metrics", "metrics",
                         "https://github.com/meilisearch/product/discussions/625", false},
#define DISCUSSION(n) "https://github.com/orgs/meilisearch/discussions/" #n
    [FEATURE_LOGS_ROUTE] = {"logsRoute", "logs route", DISCUSSION(721), false},
    [FEATURE_EDIT_DOCUMENTS_BY_FUNCTION] = {"editDocumentsByFunction", "edit documents by function",
                                            DISCUSSION(762), false},
    [FEATURE_CONTAINS_FILTER] = {"containsFilter", "contains filter", DISCUSSION(763), false},
    [FEATURE_DYNAMIC_SEARCH_RULES] = {"dynamicSearchRules", "dynamic search rules", DISCUSSION(884),
                                      false},
    [FEATURE_NETWORK] = {"network", "network", DISCUSSION(805), false},
    [FEATURE_GET_TASK_DOCUMENTS_ROUTE] = {"getTaskDocumentsRoute", "get task documents route",
                                          DISCUSSION(808), false},
    [FEATURE_TASK_QUEUE_COMPACTION_ROUTE] = {"taskQueueCompactionRoute",
                                             "task queue compaction route", DISCUSSION(883), false},
    [FEATURE_COMPOSITE_EMBEDDERS] = {"compositeEmbedders", "composite embedders", DISCUSSION(816),
                                     false},
    [FEATURE_CHAT_COMPLETIONS] = {"chatCompletions", "chat completions", DISCUSSION(835), false},
    [FEATURE_MULTIMODAL] = {"multimodal", "multimodal", DISCUSSION(846), false},
    [FEATURE_FOREIGN_KEYS] = {"foreignKeys", "foreign_keys", DISCUSSION(873), false},
    [FEATURE_DISABLE_DOCUMENTS_FETCH_QUEUE] = {"disableDocumentsFetchQueue",
                                               "disable documents fetch queue", "", false},
    [FEATURE_LEGACY_SEARCH] = {"legacySearch", "legacy search", "", true},
    [FEATURE_RENDER_ROUTE] = {"renderRoute", "render_route", DISCUSSION(888), false},
};

struct states {
    uint8_t of[FEATURE_COUNT]; /* enum state */
};

/* --- the row */

static void
set_state(struct states *s, struct str name, uint8_t state)
{
    for (int i = 0; i < FEATURE_COUNT; i++)
        if (str_is(name, rows[i].name) && state <= STATE_ON)
            s->of[i] = state;
}

static int
load(struct store_txn *txn, struct states *ret)
{
    struct str value;
    *ret = (struct states){{STATE_UNSET}};
    int rc = store_get(txn, TABLE_META, FEATURES_KEY, &value);
    if (rc != 1)
        return rc;
    struct rec r = rec_open(value, FEATURES_VERSION);
    for (uint32_t n = rec_u32(&r); n > 0 && !r.failed; n--) {
        struct str name = rec_str(&r);
        set_state(ret, name, rec_u8(&r)); /* one that is gone since is skipped */
    }
    return rec_ok(&r) ? 0 : STORE_ECORRUPT;
}

static int
save(struct store_txn *txn, const struct states *s)
{
    struct buf value = BUF_INIT;
    rec_put_u8(&value, FEATURES_VERSION);
    rec_put_u32(&value, FEATURE_COUNT);
    for (int i = 0; i < FEATURE_COUNT; i++) {
        rec_put_str(&value, str_from(rows[i].name));
        rec_put_u8(&value, s->of[i]);
    }
    int rc = store_put(txn, TABLE_META, FEATURES_KEY, buf_str(&value));
    buf_done(&value);
    return rc;
}

/* What the command line switched on stays on whatever the row says. */
static void
add_options(const struct http_call *call, struct states *s)
{
    if (handler_api(call)->conf->experimental_contains_filter)
        s->of[FEATURE_CONTAINS_FILTER] = STATE_ON;
    if (handler_api(call)->conf->experimental_metrics)
        s->of[FEATURE_METRICS] = STATE_ON;
    if (handler_api(call)->conf->experimental_logs_route)
        s->of[FEATURE_LOGS_ROUTE] = STATE_ON;
}

static int
read_states(struct http_call *call, struct states *ret)
{
    struct store_txn *txn = handler_read(call);
    if (txn == NULL)
        return -1;
    int rc = load(txn, ret);
    store_abort(txn);
    if (rc < 0)
        return handler_store_error(&call->err, rc);
    add_options(call, ret);
    return 0;
}

/* --- for other resources */

int
features_enabled(struct http_call *call, uint32_t *ret)
{
    struct states s;
    *ret = 0;
    if (read_states(call, &s) < 0)
        return -1;
    for (int i = 0; i < FEATURE_COUNT; i++)
        if (s.of[i] == STATE_ON)
            *ret |= UINT32_C(1) << i;
    return 0;
}

int
feature_require(uint32_t enabled, enum feature f, const char *action, struct err *err)
{
    if (feature_is_on(enabled, f))
        return 0;
    return err_set(err, ERR_FEATURE_NOT_ENABLED,
                   "%s requires enabling the `%s` experimental feature. See %s", action,
                   rows[f].words, rows[f].discussion);
}

unsigned
features_for_filters(uint32_t enabled)
{
    return (feature_is_on(enabled, FEATURE_CONTAINS_FILTER) ? FILTER_CONTAINS : 0u) |
           (feature_is_on(enabled, FEATURE_FOREIGN_KEYS) ? FILTER_FOREIGN : 0u) |
           (feature_is_on(enabled, FEATURE_NETWORK) ? FILTER_SHARD : 0u) |
           (feature_is_on(enabled, FEATURE_MULTIMODAL) ? FILTER_VECTORS : 0u);
}

/* --- the routes */

static void
write_states(struct buf *out, const struct states *s)
{
    struct json_out j = json_out(out);
    json_begin_object(&j);
    for (int i = 0; i < FEATURE_COUNT; i++) {
        json_key(&j, rows[i].name);
        if (s->of[i] == STATE_UNSET && rows[i].may_be_unset)
            json_put_null(&j);
        else
            json_put_bool(&j, s->of[i] == STATE_ON);
    }
    json_end_object(&j);
}

static enum http_result
features_get(struct http_call *call)
{
    struct states s;
    struct buf body = BUF_INIT;
    if (read_states(call, &s) < 0)
        return HTTP_ERROR;
    write_states(&body, &s);
    return reply_json(call, 200, &body);
}

static int
field_state(const struct field_in *in, void *dst)
{
    uint8_t *ret = dst;
    *ret = json_bool(in->value) ? STATE_ON : STATE_OFF;
    return 0;
}

static int
read_patch(struct http_call *call, const struct json *body, struct states *ret)
{
    struct field own[FEATURE_COUNT];
    struct fields fields = {.rows = own, .n = FEATURE_COUNT, .code = ERR_BAD_REQUEST};
    *ret = (struct states){{STATE_UNSET}};
    for (int i = 0; i < FEATURE_COUNT; i++)
        own[i] = (struct field){.name = rows[i].name,
                                .code = ERR_BAD_REQUEST,
                                .kinds = FIELD_BOOL,
                                .read = field_state,
                                .offset = offsetof(struct states, of) + (size_t) i};
    return fields_read(call->arena, body, "", &fields, ret, &call->err);
}

/* This turn's transaction sees what an earlier request of the turn wrote. */
static int
patch(struct http_call *call, const struct states *wanted, struct states *ret)
{
    struct store_txn *txn = turn_txn(handler_api(call)->turn);
    int rc = load(txn, ret);
    for (int i = 0; i < FEATURE_COUNT; i++)
        if (wanted->of[i] != STATE_UNSET)
            ret->of[i] = wanted->of[i];
    if (rc >= 0)
        rc = save(txn, ret);
    if (rc < 0)
        return handler_store_error(&call->err, rc);
    add_options(call, ret);
    return 0;
}

static enum http_result
features_patch(struct http_call *call)
{
    struct body body;
    struct states wanted, s;
    struct buf answer = BUF_INIT;
    int rc = body_read_json(call, &body);
    if (rc == 0)
        rc = read_patch(call, json_root(body.doc), &wanted);
    if (rc == 0)
        rc = patch(call, &wanted, &s);
    body_done(&body);
    if (rc < 0)
        return HTTP_ERROR;
    write_states(&answer, &s);
    return reply_held(call, 200, &answer, NULL, NULL);
}

static const struct route route_rows[] = {
    {.method = HTTP_GET,
     .pattern = "/experimental-features",
     .action = "experimental.get",
     .handler = features_get,
     .summary = "Which experimental features are on"},
    {.method = HTTP_PATCH,
     .pattern = "/experimental-features",
     .action = "experimental.update",
     .flags = ROUTE_JSON_BODY,
     .handler = features_patch,
     .summary = "Switch experimental features on or off"},
};
const struct route_table experimental_routes = ROUTE_TABLE(route_rows);
