#pragma once
/* Upstream's filter language (contract 5.6): a text, or arrays in which the elements are ANDed and
 * those of an inner array ORed. Parsing, judging against the settings of an index, and matching one
 * document; nothing here reads a store. Messages are upstream's, each with its
 * "\n{column}:{end} {filter}". */
#include "base/err.h"
#include "codec/json.h"

struct filter;
struct filter_rules; /* filter_rules.h */

/* 1 with *ret (filter_free it), 0 when the filter is empty (*ret is NULL: everything matches), or
 * -1 with err of the given code. What is needed of value is copied. */
int filter_parse(const struct json *value, enum err_code code, struct filter **ret,
                 struct err *err);
int filter_parse_text(struct str text, enum err_code code, struct filter **ret, struct err *err);
void filter_free(struct filter *f); /* NULL accepted */

/* What a filter uses that upstream lets only experimental features do. */
enum filter_feature {
    FILTER_CONTAINS = 1 << 0,
    FILTER_FOREIGN = 1 << 1,
    FILTER_SHARD = 1 << 2,
    FILTER_VECTORS = 1 << 3,
};
/* Refuses what is used and not enabled (feature_not_enabled), and what this server cannot evaluate
 * (code): 0 or -1. */
int filter_check_features(const struct filter *f, unsigned enabled, enum err_code code,
                          struct err *err);
/* Whether every attribute is filterable (code), every operator allowed by its rule
 * (invalid_search_filter, as upstream) and every coordinate possible (code): 0 or -1. */
int filter_check(struct filter *f, const struct filter_rules *rules, enum err_code code,
                 struct err *err);

/* The number a text is, as Rust's f64 parser reads it, if it is finite. */
bool filter_number(struct str text, double *ret);

/* Only for filters that passed filter_check. document: an object. */
bool filter_match(const struct filter *f, const struct json *document);
