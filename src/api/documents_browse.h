#pragma once
/* Listings of documents: by insertion order or sorted, all or those with given ids, filtered or
 * not. A generator that keeps a cursor and one state of the index: what batches commit while a
 * listing is being made does not show in it, unless its client takes more than some seconds to read
 * it. */
#include "api/documents_params.h"
#include "api/handler.h"
#include "index/filter.h"
#include "index/sort.h"

/* What of a document is shown. */
struct document_shape {
    bool all, with_vectors;
    const struct str *fields;
    size_t n_fields;
};
struct document_shape document_shape_of(const struct document_list *l);
void document_write(struct buf *out, struct str text, const struct document_shape *shape);

struct browse_conf {
    const struct document_list *list;
    struct str index_uid;
    struct uuid index_uuid;
    struct filter *take_filter; /* checked; NULL: all */
    struct sort *take_sort;     /* NULL: insertion order */
};
/* Consumes the filter and the sort. */
enum http_result browse_reply(struct http_call *call, const struct browse_conf *conf);
