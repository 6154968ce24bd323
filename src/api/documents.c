/* /indexes/{indexUid}/documents, the writing side: uploads (POST, PUT, delete-batch) run through
 * ops/intake, the big ones in slices; deletions of one and of all are small.
 *
 *   upload: checks -> upload_begin -> add_documents
 *   A client that leaves before its body is read takes its upload along; after it the task stays.
 */
#include "api/body.h"
#include "api/experimental.h"
#include "api/fields.h"
#include "api/params.h"
#include "api/reply.h"
#include "api/upload.h"
#include "index/filter.h"

/* --- parameters */

struct write_params {
    struct str primary_key, custom_metadata;
    struct str csv_delimiter; /* one byte when given */
    bool skip_creation;
};

static size_t
count_chars(struct str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += ((unsigned char) text.data[i] & 0xc0) != 0x80;
    return n;
}

static int
param_csv_delimiter(const struct param_in *in, void *dst)
{
    struct str *ret = dst;
    size_t n_chars = count_chars(in->value);
    *ret = in->value;
    if (in->value.len == 0)
        return param_invalid(in, in->row->name,
                             "expected a string of one character, but found an empty string");
    if (n_chars > 1)
        return param_invalid(in, in->row->name,
                             "expected a string of one character, but found the following string "
                             "of %zu characters: `%.*s`",
                             n_chars, STR_ARG(in->value));
    if (in->value.len == 1)
        return 0;
    return err_set(in->err, in->row->code,
                   "csv delimiter must be an ascii character. Found: `%.*s`", STR_ARG(in->value));
}

static int
param_skip_creation(const struct param_in *in, void *dst)
{
    bool *ret = dst;
    *ret = str_equal_nocase(in->value, STR("true"));
    if (*ret || str_equal_nocase(in->value, STR("false")))
        return 0;
    return err_set(in->err, in->row->code,
                   "skipCreation must be either `true` or `false`. Found: `%.*s`",
                   STR_ARG(in->value));
}

static const struct param add_params[] = {
    {.name = "primaryKey",
     .code = ERR_INVALID_INDEX_PRIMARY_KEY,
     .read = param_string,
     .offset = offsetof(struct write_params, primary_key)},
    {.name = "csvDelimiter",
     .code = ERR_INVALID_DOCUMENT_CSV_DELIMITER,
     .read = param_csv_delimiter,
     .offset = offsetof(struct write_params, csv_delimiter)},
    {.name = "customMetadata",
     .code = ERR_INVALID_INDEX_CUSTOM_METADATA,
     .read = param_string,
     .offset = offsetof(struct write_params, custom_metadata)},
    {.name = "skipCreation",
     .code = ERR_INVALID_SKIP_CREATION,
     .read = param_skip_creation,
     .offset = offsetof(struct write_params, skip_creation)},
};
static const struct param_table add_query = PARAM_TABLE(add_params);
static const struct param delete_params[] = {
    {.name = "customMetadata",
     .code = ERR_INVALID_INDEX_CUSTOM_METADATA,
     .read = param_string,
     .offset = offsetof(struct write_params, custom_metadata)},
};
static const struct param_table delete_query = PARAM_TABLE(delete_params);

/* --- uploads */

struct document_upload {
    struct upload upload; /* first */
    struct write_params params;
    struct str index_uid;
    enum document_method method;
};

static const struct body_type upload_types[] = {
    {"application/json", DOCS_JSON},
    {"application/x-ndjson", DOCS_NDJSON},
    {"text/csv", DOCS_CSV},
};

static int
add_documents(struct http_call *call, void *arg, struct ops_result *ret)
{
    struct document_upload *u = arg;
    struct ops_documents documents = {
        .index_uid = u->index_uid,
        .method = u->method,
        .primary_key = u->params.primary_key,
        .custom_metadata = u->params.custom_metadata,
        .skip_creation = u->params.skip_creation,
        .allow_index_creation = handler_grant(call).may_create_indexes,
        .received = u->upload.found.count,
        .payload = &u->upload.found.payload,
    };
    return ops_add_documents(handler_api(call)->ops, &documents, ret, &call->err);
}

static int
add_deletion(struct http_call *call, void *arg, struct ops_result *ret)
{
    struct document_upload *u = arg;
    return ops_delete_documents(handler_api(call)->ops, u->index_uid, u->upload.found.count,
                                &u->upload.found.payload, u->params.custom_metadata, ret,
                                &call->err);
}

/* Of a deletion the body is judged before the rest (contract 1.3). */
static int
judge_deletion(struct upload *upload)
{
    struct document_upload *u = (struct document_upload *) upload;
    if (PARAMS_READ(upload->call, delete_params, &u->params) < 0)
        return -1;
    return handler_index_uid(upload->call, 0, &u->index_uid);
}

static int
check_delimiter(struct http_call *call, enum docs_format format, struct str delimiter)
{
    if (delimiter.data == NULL || format == DOCS_CSV)
        return 0;
    const char *essence = upload_types[format == DOCS_JSON ? 0 : 1].essence;
    return err_set(&call->err, ERR_INVALID_CONTENT_TYPE,
                   "The Content-Type `%s` does not support the use of a csv delimiter. The csv "
                   "delimiter can only be used with the Content-Type `text/csv`.",
                   essence);
}

static enum http_result
add_or_update(struct http_call *call, enum document_method method)
{
    struct document_upload u = {.upload = {.call = call, .status = 202, .add = add_documents},
                                .method = method};
    struct intake_conf conf = {.csv_delimiter = ','};
    int format;
    if (PARAMS_READ(call, add_params, &u.params) < 0 ||
        handler_index_uid(call, 0, &u.index_uid) < 0 ||
        body_content_type(call, upload_types, 3, &format) < 0 ||
        check_delimiter(call, (enum docs_format) format, u.params.csv_delimiter) < 0)
        return HTTP_ERROR;
    conf.format = (enum docs_format) format;
    if (u.params.csv_delimiter.len > 0)
        conf.csv_delimiter = u.params.csv_delimiter.data[0];
    return upload_begin(&u.upload, sizeof(u), &conf);
}

static enum http_result
documents_add(struct http_call *call)
{
    return add_or_update(call, DOCUMENT_REPLACE);
}

static enum http_result
documents_update(struct http_call *call)
{
    return add_or_update(call, DOCUMENT_MERGE);
}

static enum http_result
documents_delete_batch(struct http_call *call)
{
    struct document_upload u = {
        .upload = {.call = call, .status = 202, .add = add_deletion, .judge = judge_deletion}};
    struct intake_conf conf = {.format = DOCS_JSON, .ids = true};
    int format;
    if (body_content_type(call, upload_types, 1, &format) < 0)
        return HTTP_ERROR;
    return upload_begin(&u.upload, sizeof(u), &conf);
}

/* --- deletion by filter */

struct filter_deletion {
    struct write_params params;
    struct str index_uid;
    const struct json *filter;
};

static int
add_delete_by_filter(struct http_call *call, void *arg, struct ops_result *ret)
{
    struct filter_deletion *d = arg;
    return ops_delete_by_filter(handler_api(call)->ops, d->index_uid, d->filter,
                                d->params.custom_metadata, ret, &call->err);
}

/* {"filter": ...}: null is a value here, of a wrong type. */
static int
read_filter(struct http_call *call, const struct json *body, const struct json **ret)
{
    static const struct field rows[] = {
        {.name = "filter",
         .code = ERR_INVALID_DOCUMENT_FILTER,
         .kinds = FIELD_ANY,
         .missing = ERR_MISSING_DOCUMENT_FILTER,
         .read = field_json},
    };
    static const struct fields fields = FIELDS_OF(rows);
    if (fields_read(call->arena, body, "", &fields, ret, &call->err) < 0)
        return -1;
    *ret = json_get_c(body, "filter");
    return 0;
}

/* Whether it is one at all; whether its attributes are filterable is seen when the task runs. */
static int
check_filter(struct http_call *call, const struct json *value)
{
    struct filter *filter = NULL;
    uint32_t features;
    int rc = filter_parse(value, ERR_INVALID_DOCUMENT_FILTER, &filter, &call->err);
    if (rc == 0)
        rc = err_set(&call->err, ERR_INVALID_DOCUMENT_FILTER,
                     "Sending an empty filter is forbidden.");
    if (rc == 1)
        rc = features_enabled(call, &features);
    if (rc == 0)
        rc = filter_check_features(filter, features_for_filters(features),
                                   ERR_INVALID_DOCUMENT_FILTER, &call->err);
    filter_free(filter);
    return rc;
}

static enum http_result
documents_delete_by_filter(struct http_call *call)
{
    struct body body;
    struct filter_deletion d = {.filter = NULL};
    enum http_result result = HTTP_ERROR;
    if (PARAMS_READ(call, delete_params, &d.params) < 0)
        return HTTP_ERROR;
    if (body_read_json(call, &body) == 0 &&
        read_filter(call, json_root(body.doc), &d.filter) == 0 &&
        handler_index_uid(call, 0, &d.index_uid) == 0 && check_filter(call, d.filter) == 0)
        result = enqueue_now(call, 202, buf_str(&body.raw), add_delete_by_filter, &d);
    body_done(&body);
    return result;
}

/* --- deletions without a body */

struct deletion {
    struct write_params params;
    struct str index_uid, document_id;
};

static int
read_deletion(struct http_call *call, struct deletion *ret)
{
    if (PARAMS_READ(call, delete_params, &ret->params) < 0)
        return -1;
    return handler_index_uid(call, 0, &ret->index_uid);
}

static enum http_result
enqueue_deletion(struct http_call *call, enqueue_fn *add, struct deletion *d)
{
    struct body body;
    body_read_ignored(call, &body);
    enum http_result result = enqueue_now(call, 202, buf_str(&body.raw), add, d);
    body_done(&body);
    return result;
}

static int
add_delete_one(struct http_call *call, void *arg, struct ops_result *ret)
{
    struct deletion *d = arg;
    struct buf line = BUF_INIT;
    json_write_string(&line, d->document_id);
    buf_add_char(&line, '\n');
    struct payload payload = {.file = UUID_NIL, .inline_bytes = buf_str(&line), .size = line.len};
    int rc = ops_delete_documents(handler_api(call)->ops, d->index_uid, 1, &payload,
                                  d->params.custom_metadata, ret, &call->err);
    buf_done(&line);
    return rc;
}

static enum http_result
document_delete(struct http_call *call)
{
    struct deletion d = {0};
    if (read_deletion(call, &d) < 0)
        return HTTP_ERROR;
    d.document_id = handler_param(call, 1);
    return enqueue_deletion(call, add_delete_one, &d);
}

static int
add_clear(struct http_call *call, void *arg, struct ops_result *ret)
{
    struct deletion *d = arg;
    return ops_clear_documents(handler_api(call)->ops, d->index_uid, d->params.custom_metadata, ret,
                               &call->err);
}

static enum http_result
documents_clear(struct http_call *call)
{
    struct deletion d = {0};
    return read_deletion(call, &d) < 0 ? HTTP_ERROR : enqueue_deletion(call, add_clear, &d);
}

/* Upstream runs a function in a language of its own over documents; nothing here can. */
static enum http_result
documents_edit(struct http_call *call)
{
    uint32_t enabled;
    if (features_enabled(call, &enabled) == 0 &&
        feature_require(enabled, FEATURE_EDIT_DOCUMENTS_BY_FUNCTION,
                        "Using the documents edit route", &call->err) == 0)
        (void) err_set(&call->err, ERR_FEATURE_NOT_ENABLED,
                       "This server cannot run functions over documents. Send the changed "
                       "documents instead: `PUT /indexes/{indexUid}/documents`.");
    return HTTP_ERROR;
}

static const struct route rows[] = {
    {.method = HTTP_POST,
     .pattern = "/indexes/{indexUid}/documents",
     .action = "documents.add",
     .flags = ROUTE_DOCUMENTS | ROUTE_ENQUEUES,
     .handler = documents_add,
     .query = &add_query,
     .summary = "Add documents, replacing those with the same id"},
    {.method = HTTP_PUT,
     .pattern = "/indexes/{indexUid}/documents",
     .action = "documents.add",
     .flags = ROUTE_DOCUMENTS | ROUTE_ENQUEUES,
     .handler = documents_update,
     .query = &add_query,
     .summary = "Add documents, merging into those with the same id"},
    {.method = HTTP_DELETE,
     .pattern = "/indexes/{indexUid}/documents",
     .action = "documents.delete",
     .flags = ROUTE_ENQUEUES,
     .handler = documents_clear,
     .query = &delete_query,
     .summary = "Delete all documents"},
    {.method = HTTP_POST,
     .pattern = "/indexes/{indexUid}/documents/edit",
     .action = "documents.*",
     .flags = ROUTE_JSON_BODY,
     .handler = documents_edit,
     .summary = "Edit documents by function (refused: no functions here)"},
    {.method = HTTP_POST,
     .pattern = "/indexes/{indexUid}/documents/delete-batch",
     .action = "documents.delete",
     .flags = ROUTE_DOCUMENTS | ROUTE_JSON_BODY | ROUTE_ENQUEUES,
     .handler = documents_delete_batch,
     .query = &delete_query,
     .summary = "Delete documents by a list of ids"},
    {.method = HTTP_POST,
     .pattern = "/indexes/{indexUid}/documents/delete",
     .action = "documents.delete",
     .flags = ROUTE_JSON_BODY | ROUTE_ENQUEUES,
     .handler = documents_delete_by_filter,
     .query = &delete_query,
     .summary = "Delete documents by a filter"},
    {.method = HTTP_DELETE,
     .pattern = "/indexes/{indexUid}/documents/{documentId}",
     .action = "documents.delete",
     .flags = ROUTE_ENQUEUES,
     .handler = document_delete,
     .query = &delete_query,
     .summary = "Delete one document"},
};
const struct route_table document_write_routes = ROUTE_TABLE(rows);
