#pragma once
/* What a reader of documents asks for: the query of GET and the body of POST /documents/fetch in
 * one struct (contract 5.6). */
#include "api/fields.h"
#include "api/params.h"
#include "index/filter.h"

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
/* What the three below accept, for the route rows. */
extern const struct param_table documents_list_query, document_get_query;
extern const struct fields documents_fetch_body;
/* 0, or -1 with call->err. */
int document_list_from_query(struct http_call *call, struct document_list *ret);
int document_list_from_body(struct http_call *call, const struct json *body,
                            struct document_list *ret);
/* For GET /documents/{documentId}: fields and retrieveVectors only. */
int document_get_from_query(struct http_call *call, struct document_list *ret);

/* Whether a filter was given, though it may be empty. */
bool document_list_filters(const struct document_list *l);
/* Parses it: 1 with *ret (filter_free it), 0 when there is none or it is empty, or -1 with err. */
int document_list_filter(const struct document_list *l, struct filter **ret, struct err *err);
