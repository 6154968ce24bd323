/* /indexes/{indexUid}/documents, the reading side: one document, listings, fetch. */
#include <stdlib.h>

#include "api/body.h"
#include "api/documents_browse.h"
#include "api/experimental.h"
#include "api/reply.h"
#include "api/settings_read.h"
#include "index/filter_rules.h"

/* --- listings */

/* The filter of the request, ready for the index: 0 with *ret (NULL: none), or -1 with err. */
static int
prepare_filter(struct http_call *call, const struct document_list *l, const struct settings *s,
               struct filter **ret)
{
    struct filter_rules *rules;
    uint32_t features;
    int rc = document_list_filter(l, ret, &call->err);
    if (rc != 1)
        return rc;
    rc = features_enabled(call, &features);
    if (rc == 0)
        rc = filter_check_features(*ret, features_for_filters(features),
                                   ERR_INVALID_DOCUMENT_FILTER, &call->err);
    if (rc < 0)
        return rc;
    rules = filter_rules_new(settings_value(s, SETTING_FILTERABLE_ATTRIBUTES));
    rc = filter_check(*ret, rules, ERR_INVALID_DOCUMENT_FILTER, &call->err);
    filter_rules_free(rules);
    return rc;
}

/* Settings are read only where they matter. 0, or -1 with call->err. */
static int
prepare(struct http_call *call, struct browse_conf *conf)
{
    struct settings s;
    if (!document_list_filters(conf->list) && conf->take_sort == NULL)
        return 0;
    if (handler_settings(call, &conf->index_uuid, &s) < 0)
        return -1;
    int rc = prepare_filter(call, conf->list, &s, &conf->take_filter);
    if (rc == 0 && conf->take_sort != NULL)
        rc = sort_check(conf->take_sort, settings_value(&s, SETTING_SORTABLE_ATTRIBUTES),
                        &call->err);
    settings_done(&s);
    return rc;
}

static enum http_result
list_documents(struct http_call *call, const struct document_list *l)
{
    struct browse_conf conf = {.list = l};
    struct index_info info;
    index_info_init(&info);
    int rc = handler_index_uid(call, 0, &conf.index_uid);
    if (rc == 0 && l->sort.n > 0) {
        conf.take_sort = sort_parse(l->sort.values, l->sort.n, &call->err);
        rc = conf.take_sort == NULL ? -1 : 0;
    }
    if (rc == 0)
        rc = handler_find_index(call, conf.index_uid, &info);
    conf.index_uuid = info.uuid;
    if (rc == 0)
        rc = prepare(call, &conf);
    index_info_done(&info);
    if (rc == 0)
        return browse_reply(call, &conf);
    filter_free(conf.take_filter);
    sort_free(conf.take_sort);
    return HTTP_ERROR;
}

static enum http_result
documents_list(struct http_call *call)
{
    struct document_list l;
    return document_list_from_query(call, &l) < 0 ? HTTP_ERROR : list_documents(call, &l);
}

static enum http_result
documents_fetch(struct http_call *call)
{
    struct body body;
    struct document_list l;
    enum http_result result = HTTP_ERROR;
    if (body_read_json(call, &body) == 0 &&
        document_list_from_body(call, json_root(body.doc), &l) == 0)
        result = list_documents(call, &l);
    body_done(&body);
    return result;
}

/* --- one document */

static int
write_one(struct http_call *call, const struct uuid *uuid, struct str id,
          const struct document_shape *shape, struct buf *out)
{
    struct index_reader r;
    struct str text;
    struct index *index = index_open(handler_api(call)->indexes, uuid, &call->err);
    if (index == NULL)
        return -1;
    int rc = index_reader_open(&r, index);
    if (rc >= 0) {
        rc = index_reader_get(&r, id, &text);
        if (rc == 1)
            document_write(out, text, shape);
        index_reader_close(&r);
    }
    index_release(index);
    if (rc == 0)
        return err_set(&call->err, ERR_DOCUMENT_NOT_FOUND, "Document `%.*s` not found.",
                       STR_ARG(id));
    return rc < 0 ? handler_store_error(&call->err, rc) : 0;
}

static enum http_result
document_get(struct http_call *call)
{
    struct document_list l;
    struct str uid;
    struct index_info info;
    struct buf out = BUF_INIT;
    int rc = -1;
    index_info_init(&info);
    if (document_get_from_query(call, &l) == 0 && handler_index_uid(call, 0, &uid) == 0 &&
        handler_find_index(call, uid, &info) == 0) {
        struct document_shape shape = document_shape_of(&l);
        rc = write_one(call, &info.uuid, handler_param(call, 1), &shape, &out);
    }
    index_info_done(&info);
    if (rc == 0)
        return reply_json(call, 200, &out);
    buf_done(&out);
    return HTTP_ERROR;
}

static const struct route rows[] = {
    {.method = HTTP_GET,
     .pattern = "/indexes/{indexUid}/documents",
     .action = "documents.get",
     .handler = documents_list,
     .query = &documents_list_query,
     .summary = "List documents"},
    {.method = HTTP_POST,
     .pattern = "/indexes/{indexUid}/documents/fetch",
     .action = "documents.get",
     .flags = ROUTE_JSON_BODY,
     .handler = documents_fetch,
     .body = &documents_fetch_body,
     .summary = "List documents, asked for with a body"},
    {.method = HTTP_GET,
     .pattern = "/indexes/{indexUid}/documents/{documentId}",
     .action = "documents.get",
     .handler = document_get,
     .query = &document_get_query,
     .summary = "Get one document"},
};
const struct route_table document_read_routes = ROUTE_TABLE(rows);
