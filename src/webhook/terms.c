/* Name and events of an organisation's webhook: their life and their stored form.
 *
 *  v1  name str, event types str, events u64, created i64, updated i64 */
#include "webhook/terms.h"

#include <stdlib.h>

#include "base/mem.h"

enum { TERMS_V1 = 1 };

struct terms *
terms_new(struct str name, struct str event_types, uint64_t events)
{
    struct terms *t = mem_new(1, sizeof(*t));
    t->refs = 1;
    t->name = mem_strndup(name.data, name.len);
    t->event_types = mem_strndup(event_types.data, event_types.len);
    t->events = events;
    return t;
}

const struct terms *
terms_hold(const struct terms *t)
{
    if (t != NULL)
        ((struct terms *) (uintptr_t) t)->refs++; /* the count is no part of what never changes */
    return t;
}

void
terms_release(const struct terms *t)
{
    struct terms *own = (struct terms *) (uintptr_t) t;
    if (own == NULL || own->refs-- > 1)
        return;
    free(own->name);
    free(own->event_types);
    free(own);
}

bool
terms_want(const struct terms *t, uint8_t event)
{
    return event < CATALOG_EVENTS && (t->events >> event & 1) != 0;
}

void
terms_encode(struct buf *out, const struct terms *t)
{
    rec_put_u8(out, TERMS_V1);
    rec_put_str(out, str_from(t->name));
    rec_put_str(out, str_from(t->event_types));
    rec_put_u64(out, t->events);
    rec_put_i64(out, t->created_at_ns);
    rec_put_i64(out, t->updated_at_ns);
}

struct terms *
terms_decode(struct rec *r)
{
    if (rec_u8(r) != TERMS_V1)
        r->failed = true;
    struct str name = rec_str(r), event_types = rec_str(r);
    uint64_t events = rec_u64(r);
    int64_t created_at_ns = rec_i64(r), updated_at_ns = rec_i64(r);
    if (r->failed)
        return NULL;
    struct terms *t = terms_new(name, event_types, events);
    t->created_at_ns = created_at_ns;
    t->updated_at_ns = updated_at_ns;
    return t;
}
