/* Interned strings: an open-addressing table over entries, the bytes in chunks that never move.
 * Knows nothing of documents. Client-sized: every allocation may fail and is reported. */
#include "index/strmap.h"

#include <stdlib.h>

#include "base/uuid.h"

enum { CHUNK_BYTES = 16 * 1024, FIRST_SLOTS = 64 };

struct strmap_entry {
    uint64_t hash;
    struct str name;
};
struct strmap_chunk {
    struct strmap_chunk *next;
    size_t used, cap;
    char bytes[];
};

void
strmap_init(struct strmap *m)
{
    *m = (struct strmap){0};
    random_bytes(&m->seed, sizeof(m->seed));
}

void
strmap_done(struct strmap *m)
{
    struct strmap_chunk *next;

    for (struct strmap_chunk *c = m->chunks; c != NULL; c = next) {
        next = c->next;
        free(c);
    }
    free(m->entries);
    free(m->slots);
    *m = (struct strmap){0};
}

static uint64_t
mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128) a * b;

    return (uint64_t) product ^ (uint64_t) (product >> 64);
}

static uint64_t
hash_bytes(uint64_t seed, struct str s)
{
    uint64_t h = seed, word;
    size_t at = 0;

    for (; s.len - at >= sizeof(word); at += sizeof(word)) {
        memcpy(&word, s.data + at, sizeof(word));
        h = mix(h ^ word, 0x9e3779b97f4a7c15u);
    }
    word = 0;
    if (at < s.len)
        memcpy(&word, s.data + at, s.len - at);
    h = mix(h ^ word, 0xd6e8feb86659fd93u);
    return mix(h ^ s.len, 0xa0761d6478bd642fu);
}

/* The slot that holds s, or the empty one where it belongs. */
static uint32_t
find_slot(const struct strmap *m, struct str s, uint64_t hash)
{
    uint32_t mask = m->n_slots - 1, at = (uint32_t) hash & mask;

    for (; m->slots[at] != 0; at = (at + 1) & mask) {
        const struct strmap_entry *e = &m->entries[m->slots[at] - 1];
        if (e->hash == hash && str_equal(e->name, s))
            break;
    }
    return at;
}

static bool
grow_slots(struct strmap *m)
{
    uint32_t n_slots = m->n_slots == 0 ? FIRST_SLOTS : m->n_slots * 2;
    uint32_t *slots = calloc(n_slots, sizeof(*slots));

    if (slots == NULL)
        return false;
    free(m->slots);
    m->slots = slots;
    m->n_slots = n_slots;
    for (uint32_t i = 0; i < m->n; i++) {
        uint32_t at = (uint32_t) m->entries[i].hash & (n_slots - 1);
        while (slots[at] != 0)
            at = (at + 1) & (n_slots - 1);
        slots[at] = i + 1;
    }
    return true;
}

static bool
grow(struct strmap *m)
{
    if (m->n == m->cap) {
        uint32_t cap = m->cap == 0 ? FIRST_SLOTS / 2 : m->cap * 2;
        struct strmap_entry *entries = realloc(m->entries, cap * sizeof(*entries));
        if (entries == NULL)
            return false;
        m->entries = entries;
        m->cap = cap;
    }
    return (uint64_t) m->n * 2 < m->n_slots || grow_slots(m);
}

static bool
copy_bytes(struct strmap *m, struct str s, struct str *ret)
{
    struct strmap_chunk *c = m->chunks;

    if (c == NULL || c->cap - c->used < s.len) {
        size_t cap = s.len > CHUNK_BYTES ? s.len : CHUNK_BYTES;
        c = malloc(sizeof(*c) + cap);
        if (c == NULL)
            return false;
        *c = (struct strmap_chunk){.next = m->chunks, .cap = cap};
        m->chunks = c;
    }
    if (s.len > 0)
        memcpy(c->bytes + c->used, s.data, s.len);
    *ret = str_make(c->bytes + c->used, s.len);
    c->used += s.len;
    return true;
}

int64_t
strmap_put(struct strmap *m, struct str s, bool *ret_new)
{
    uint64_t hash = hash_bytes(m->seed, s);
    uint32_t at;
    struct str copy;

    if (!grow(m))
        return -1;
    at = find_slot(m, s, hash);
    if (ret_new != NULL)
        *ret_new = m->slots[at] == 0;
    if (m->slots[at] != 0)
        return m->slots[at] - 1;
    if (m->n == UINT32_MAX - 1 || !copy_bytes(m, s, &copy))
        return -1;
    m->entries[m->n] = (struct strmap_entry){.hash = hash, .name = copy};
    m->slots[at] = ++m->n;
    return m->n - 1;
}

bool
strmap_has(const struct strmap *m, struct str s)
{
    return m->n > 0 && m->slots[find_slot(m, s, hash_bytes(m->seed, s))] != 0;
}

struct str
strmap_name(const struct strmap *m, uint32_t number)
{
    return m->entries[number].name;
}
