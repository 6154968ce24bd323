#pragma once
/* The formats of a report: rows in, bytes out, nothing kept but what a format needs of its own.
 * Private to the folder.
 *
 * To add one: a value, a row in format.c. */
#include "base/buf.h"
#include "codec/json.h"

struct report_head {
    const char *report_type, *title;
    int64_t created_at_ns;
    const struct str *columns; /* in order; not for formats that show whole documents */
    size_t n_columns;
    bool are_chosen; /* the columns are the definition's `fields`; else those that were found */
};

struct report_format {
    const char *name, *media_type, *extension;
    bool has_columns; /* is a table: columns must be known before the first row */
    size_t max_columns;
    uint64_t max_rows;                                               /* 0: no limit */
    void *(*begin)(const struct report_head *head, struct buf *out); /* head outlives it */
    /* text: the row's object as JSON; object: the same, parsed. */
    void (*row)(void *w, struct str text, const struct json *object, struct buf *out);
    /* Called until it returns false: what comes behind the last row, in pieces. */
    bool (*end)(void *w, struct buf *out);
    void (*free)(void *w);
};
/* NULL when there is none of that name. */
const struct report_format *report_format_find(struct str name);
const struct report_format *report_format_at(size_t i); /* NULL at the end */

/* The value under a column's name: a member of that very name, else `a.b` through objects. NULL:
 * none. */
const struct json *report_cell(const struct json *object, struct str column);
/* The value as a table shows it: texts without quotes, nothing for null, JSON for the rest. */
void report_cell_write(struct buf *out, const struct json *value);

extern const struct report_format report_format_pdf; /* pdf.c */
