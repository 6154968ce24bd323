#pragma once
/* What a snapshot or notify request holds, piece by piece: a JSON array of documents, or an object
 * with `upsert` (also `insert`): documents, and `remove` (also `delete`): ids. Comes out as the
 * lines of a staged payload (staging.h). Bytes are fed in pieces of any size; only the element
 * being read is in memory. */
#include "base/err.h"
#include "codec/json.h"
#include "ops/staging.h"

struct staged_items;
/* id_name: the member that is a document's id, where a generated one is put (copied). */
struct staged_items *staged_items_new(enum staged_kind kind, struct str id_name);
void staged_items_free(struct staged_items *d); /* NULL accepted */
void staged_items_feed(struct staged_items *d, struct str bytes);
void staged_items_end(struct staged_items *d);
/* 1 with a line (valid until the next call), 0 when more bytes are needed or, after the end, all
 * are out; negative with err (missing_payload, malformed_payload, bad_request, invalid_document_id,
 * max_fields_limit_exceeded). */
int staged_items_next(struct staged_items *d, struct str *ret, struct err *err);
uint64_t staged_items_removes(const struct staged_items *d); /* ids given out so far */

/* The text by which an id is matched: a string as it is, an integer in decimal. 0, or -1 with err
 * (invalid_document_id). Wider than document_id(): such data sources use paths and package names.
 */
int staged_id(const struct json *id, struct buf *out, struct err *err);
