#pragma once
/* What an organisation's webhook is besides its channels: the same in the row of each of them.
 * Private to the folder. Never changes once made: it is shared by counting. */
#include "store/rec.h"
#include "webhook/event_catalog.h"

struct terms {
    unsigned refs;
    char *name;
    char *event_types; /* JSON array of names, as it was given */
    uint64_t events;   /* what they mean: CATALOG_BIT */
    int64_t created_at_ns, updated_at_ns;
};
/* Copies of what is given; held once. */
struct terms *terms_new(struct str name, struct str event_types, uint64_t events);
const struct terms *terms_hold(const struct terms *t); /* NULL gives NULL */
void terms_release(const struct terms *t);             /* NULL accepted */
bool terms_want(const struct terms *t, uint8_t event); /* its number in the catalogue */

void terms_encode(struct buf *out, const struct terms *t);
struct terms *terms_decode(struct rec *r); /* NULL: r has failed */
