#pragma once
/* Strings interned to dense numbers 0, 1, 2, ... in the order of their first use; any bytes, any
 * length, hashed with a random seed. For field names and for counting distinct ids. */
#include "base/str.h"

struct strmap_entry;
struct strmap_chunk;
struct strmap {
    uint64_t seed;
    struct strmap_entry *entries;
    uint32_t n, cap;
    uint32_t *slots; /* entry number + 1, 0: empty; open addressing */
    uint32_t n_slots;
    struct strmap_chunk *chunks;
};
void strmap_init(struct strmap *m);
void strmap_done(struct strmap *m); /* accepts a zeroed one */
/* The string's number, added when new (*ret_new, may be NULL); negative when memory runs out. */
int64_t strmap_put(struct strmap *m, struct str s, bool *ret_new);
bool strmap_has(const struct strmap *m, struct str s);
/* The interned string; valid until strmap_done. */
struct str strmap_name(const struct strmap *m, uint32_t number);
