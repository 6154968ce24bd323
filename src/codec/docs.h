#pragma once
/* Documents out of an upload, piece by piece: JSON (array of objects or one object), NDJSON, CSV
 * (contract 5.2). Bytes are fed in pieces of any size; documents come out one by one as compact
 * JSON objects, numbers as written. Never needs the whole upload in memory: only the document being
 * read, as long as docs_next is called until it gives 0 before the next docs_feed. */
#include "base/err.h"

enum docs_format { DOCS_JSON, DOCS_NDJSON, DOCS_CSV };
enum { DOCS_CSV_MAX_COLUMNS = 65535 }; /* beyond: ERR_MAX_FIELDS_LIMIT_EXCEEDED */

struct docs;
struct docs *docs_new(enum docs_format format, char csv_delimiter);
void docs_free(struct docs *d); /* NULL accepted */
/* Gives more bytes (copied). -1 with err when memory runs out. */
int docs_feed(struct docs *d, struct str bytes, struct err *err);
/* No more bytes follow. */
void docs_end(struct docs *d);
/* The next document: 1 with *ret (valid until the next call), 0 when more bytes are needed or,
 * after docs_end, all are out; negative with err: ERR_MALFORMED_PAYLOAD or, for an empty upload,
 * ERR_MISSING_PAYLOAD, in the contract's words. After an error only docs_free may follow.
 *
 * A JSON array's elements are given out before its end is known to be right. What follows the
 * closing ']' is ignored, as upstream does; what follows a single object is an error. */
int docs_next(struct docs *d, struct str *ret, struct err *err);
uint64_t docs_count(const struct docs *d);             /* documents given out so far */
const char *docs_format_name(enum docs_format format); /* "json" "ndjson" "csv" */
