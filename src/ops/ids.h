#pragma once
/* A JSON array of document ids, read piece by piece (contract 1.5, 5.7): strings are themselves,
 * numbers their decimal text, other values their JSON text. Errors in serde_json's words with the
 * place in the whole upload. */
#include "base/err.h"

struct ids;
struct ids *ids_new(void);
void ids_free(struct ids *d);                   /* NULL accepted */
void ids_feed(struct ids *d, struct str bytes); /* copied */
void ids_end(struct ids *d);                    /* no more bytes follow */
/* The next id: 1 with *ret (valid until the next call), 0 when more bytes are needed or, after
 * ids_end, all are out; negative with err. */
int ids_next(struct ids *d, struct str *ret, struct err *err);
