#pragma once
/* What a reader of documents asks for: the query of GET and the body of POST /documents/fetch in
 * one struct (contract 5.6). */
#include "api/fields.h"
#include "api/params.h"

enum { DOCUMENT_IDS_MAX = 50000 /* in one request */ };

struct document_list {
    struct param_u64 offset, limit;
    struct param_strs fields; /* n == 0 without has_star: no field at all */
    struct param_strs ids;    /* valid ids, possibly repeated */
    struct param_strs sort;
    struct str filter;              /* text given in a query */
    const struct json *filter_json; /* value given in a body */
    bool retrieve_vectors, use_network;
};
/* 0, or -1 with call->err. */
int document_list_from_query(struct http_call *call, struct document_list *ret);
int document_list_from_body(struct http_call *call, const struct json *body,
                            struct document_list *ret);
/* For GET /documents/{documentId}: fields and retrieveVectors only. */
int document_get_from_query(struct http_call *call, struct document_list *ret);

/* No attribute is filterable or sortable: an index has no such settings. 0 when nothing was asked
 * for, else -1 with err in upstream's words. */
int document_list_check_filter(const struct document_list *l, struct err *err);
int document_list_check_sort(const struct document_list *l, struct err *err);
