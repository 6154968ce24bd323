#pragma once
/* The order of documents (contract 5.6): `attribute:asc`, `attribute:desc`, and by distance from
 * `_geoPoint(lat, lng)`. A document becomes a key; keys compare as bytes. Numbers come before
 * strings in both directions, and what has neither comes last. Of several values the one that comes
 * first counts. */
#include "base/err.h"
#include "codec/json.h"

struct sort;
/* NULL with err: invalid_document_sort. */
struct sort *sort_parse(const struct str *rules, size_t n, struct err *err);
void sort_free(struct sort *s); /* NULL accepted */
/* sortable: the setting's JSON text. 0, or -1 with err. */
int sort_check(const struct sort *s, struct str sortable, struct err *err);
/* Appends the document's key; documents with equal keys stay in their own order. */
void sort_key(const struct sort *s, const struct json *document, struct buf *out);

/* Whether upstream keeps the name for its geo rules: also no ranking rule may use it. */
bool attribute_is_reserved(struct str name);

/* --- the first of many: keeps `capacity` entries, those that come first (bounded memory) */
struct sort_entry {
    struct str key; /* owned by the top */
    uint32_t id;
};
struct sort_top;
struct sort_top *sort_top_new(size_t capacity); /* NULL when memory runs out */
void sort_top_free(struct sort_top *t);         /* NULL accepted */
/* Offers an entry; only those behind the floor are taken. 0, or -1 when memory runs out. */
int sort_top_add(struct sort_top *t, struct str key, uint32_t id);
/* Ends the adding: the entries in order. Valid until sort_top_next or sort_top_free. */
const struct sort_entry *sort_top_take(struct sort_top *t, size_t *ret_n);
/* Begins anew behind the last entry taken: for what did not fit. 0 or -1. */
int sort_top_next(struct sort_top *t);
