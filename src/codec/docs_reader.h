#pragma once
/* What the document readers of the formats share (private to docs*.c). */
#include "codec/docs.h"
#include "codec/json_check.h"

struct docs {
    enum docs_format format;
    struct buf in; /* fed bytes; those before `at` are read */
    size_t at;
    bool is_ended;          /* docs_end was called */
    uint64_t n_fed;         /* bytes */
    uint64_t n_given;       /* documents */
    struct buf out;         /* the document given out */
    struct docs_json *json; /* JSON and NDJSON, else NULL */
    struct docs_csv *csv;   /* CSV, else NULL */
};

/* Bytes fed and not yet read. */
struct str docs_rest(const struct docs *d);

struct docs_json *docs_json_new(bool is_array_allowed);
void docs_json_free(struct docs_json *j);
int docs_json_next(struct docs *d, struct str *ret, struct err *err);
bool docs_json_is_done(const struct docs_json *j); /* further bytes are ignored */

struct docs_csv *docs_csv_new(char delimiter);
void docs_csv_free(struct docs_csv *c);
int docs_csv_next(struct docs *d, struct str *ret, struct err *err);

int docs_no_memory(struct err *err);
