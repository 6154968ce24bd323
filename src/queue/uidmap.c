/* Sets of task uids in memory: a sorted list of chunks, only those that were asked for. */
#include "queue/uidmap.h"

#include <stdlib.h>

#include "base/mem.h"

void
uidmap_init(struct uidmap *m)
{
    *m = (struct uidmap){0};
}

void
uidmap_done(struct uidmap *m)
{
    for (size_t i = 0; i < m->n; i++)
        free(m->chunks[i]);
    free(m->chunks);
    uidmap_init(m);
}

/* Position of the first chunk with that number or a greater one. */
static size_t
position(const struct uidmap *m, uint32_t chunk)
{
    size_t low = 0, high = m->n;
    if (m->n > 0 && m->chunks[m->n - 1]->number < chunk)
        return m->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (m->chunks[middle]->number < chunk)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct bits *
uidmap_at(struct uidmap *m, uint32_t chunk)
{
    size_t at = position(m, chunk);
    if (at < m->n && m->chunks[at]->number == chunk)
        return &m->chunks[at]->bits;
    if (m->n == m->cap) {
        m->cap = m->cap == 0 ? 4 : m->cap * 2;
        m->chunks = mem_grow(m->chunks, m->cap, sizeof(struct uidmap_chunk *));
    }
    struct uidmap_chunk *made = mem_new(1, sizeof(*made));
    made->number = chunk;
    memmove(m->chunks + at + 1, m->chunks + at, (m->n - at) * sizeof(struct uidmap_chunk *));
    m->chunks[at] = made;
    m->n++;
    return &made->bits;
}

const struct bits *
uidmap_find(const struct uidmap *m, uint32_t chunk)
{
    size_t at = position(m, chunk);
    return at < m->n && m->chunks[at]->number == chunk ? &m->chunks[at]->bits : NULL;
}

void
uidmap_copy(struct uidmap *ret, const struct uidmap *m)
{
    uidmap_init(ret);
    for (size_t i = 0; i < m->n; i++)
        *uidmap_at(ret, m->chunks[i]->number) = m->chunks[i]->bits;
}

void
uidmap_add(struct uidmap *m, uint32_t uid)
{
    bits_put(uidmap_at(m, bits_chunk(uid)), uid, true);
}

bool
uidmap_has(const struct uidmap *m, uint32_t uid)
{
    const struct bits *bits = uidmap_find(m, bits_chunk(uid));
    return bits != NULL && bits_has(bits, uid);
}

bool
uidmap_seek(const struct uidmap *m, uint32_t at, uint32_t *ret)
{
    for (size_t i = position(m, bits_chunk(at)); i < m->n; i++) {
        const struct uidmap_chunk *c = m->chunks[i];
        unsigned from = c->number == bits_chunk(at) ? at % BITS_COUNT : 0;
        unsigned found = bits_seek(&c->bits, from, true);
        if (found == BITS_COUNT)
            continue;
        *ret = bits_uid(c->number, found);
        return true;
    }
    return false;
}

bool
uidmap_seek_chunk(const struct uidmap *m, uint32_t at, bool ascending, uint32_t *ret)
{
    size_t i = position(m, at);
    bool is_exact = i < m->n && m->chunks[i]->number == at;
    if (!ascending && !is_exact && i-- == 0)
        return false;
    if (i == m->n)
        return false;
    *ret = m->chunks[i]->number;
    return true;
}

uint64_t
uidmap_count(const struct uidmap *m)
{
    uint64_t count = 0;
    for (size_t i = 0; i < m->n; i++)
        count += bits_count(&m->chunks[i]->bits);
    return count;
}
