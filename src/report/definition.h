#pragma once
/* What a report shows: stored under a name (PUT /api/report-definitions/{reportType}) or built in,
 * and overlaid by the parameters of a request. */
#include "base/err.h"
#include "codec/json.h"

enum report_source { REPORT_OF_DOCUMENTS, REPORT_OF_TASKS, REPORT_OF_DELIVERIES, REPORT_SOURCES };
enum report_function {
    REPORT_COUNT,
    REPORT_SUM,
    REPORT_MIN,
    REPORT_MAX,
    REPORT_AVG,
    REPORT_FUNCTIONS
};
enum {
    REPORT_NAME_MAX_BYTES = 100,
    REPORT_TITLE_MAX_BYTES = 500,
    REPORT_FIELDS_MAX = 200, /* fields, groupBy, sort and aggregates: of each */
    REPORT_FIELD_MAX_BYTES = 400,
};

struct report_aggregate {
    enum report_function function;
    char *field; /* NULL: count of rows */
    char *as;    /* the column's name */
};
struct report_definition {
    enum report_source source;
    char *index_uid; /* of documents; NULL: not said (yet) */
    char *title;     /* NULL: the name of the report type */
    char *filter;    /* JSON text as sent; NULL: none */
    char **sort, **fields, **group_by;
    size_t n_sort, n_fields, n_group_by;
    struct report_aggregate *aggregates;
    size_t n_aggregates;
    uint64_t limit; /* of rows; 0: all */
};
void report_definition_done(struct report_definition *d); /* accepts a zeroed one */
/* Checks and reads a whole definition: 0, or -1 with err and its path below `at` (".parameters";
 * "" for a body). Does not look whether the index exists: it may come later. */
int report_definition_read(const struct json *body, const char *at, struct report_definition *ret,
                           struct err *err);
/* A report reads every row anyway: filters need no setting of the index. filterableAttributes as if
 * everything were filterable. */
#define REPORT_FILTERABLE                                                                          \
    STR("[\"_geo\",\"_geojson\",{\"attributePatterns\":[\"*\"],\"features\":{\"facetSearch\":"     \
        "true,"                                                                                    \
        "\"filter\":{\"equality\":true,\"comparison\":true}}}]")
bool report_is_grouped(const struct report_definition *d);
const char *report_source_name(enum report_source s);

/* 1 to REPORT_NAME_MAX_BYTES of [A-Za-z0-9_.-], not beginning with a dot. */
bool report_name_is_valid(struct str name);
/* The definition of a report type that every server has; NULL: none of that name. */
const char *report_built_in(struct str name);
const char *report_built_in_name(size_t i); /* NULL at the end */
/* base with the members of changes in the place of its own; null removes one. */
void report_definition_overlay(struct buf *out, const struct json *base,
                               const struct json *changes);
