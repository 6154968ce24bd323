#pragma once
/* Sets of task uids as bits of chunks: for large sets with gaps, where ranges (uidset.h) would be
 * many. */
#include "queue/bits.h"

struct uidmap_chunk {
    uint32_t number;
    struct bits bits;
};
struct uidmap {
    struct uidmap_chunk **chunks; /* ascending */
    size_t n, cap;
};
void uidmap_init(struct uidmap *m);
void uidmap_done(struct uidmap *m);
void uidmap_copy(struct uidmap *ret, const struct uidmap *m); /* into an uninitialised one */
void uidmap_add(struct uidmap *m, uint32_t uid);
/* The bits of a chunk, made when they are missing. */
struct bits *uidmap_at(struct uidmap *m, uint32_t chunk);
/* The same, or NULL. */
const struct bits *uidmap_find(const struct uidmap *m, uint32_t chunk);
bool uidmap_has(const struct uidmap *m, uint32_t uid);
/* The least uid of the set that is >= at; false when there is none. */
bool uidmap_seek(const struct uidmap *m, uint32_t at, uint32_t *ret);
/* The number of the nearest chunk at or after (descending: at or before) `at`: false when none. */
bool uidmap_seek_chunk(const struct uidmap *m, uint32_t at, bool ascending, uint32_t *ret);
uint64_t uidmap_count(const struct uidmap *m);
