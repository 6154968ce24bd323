#pragma once
/* Bits of one chunk: which of 8,192 neighbouring uids belong to a set. What is stored of a chunk is
 * the smallest of three forms: runs, single members, or all bits. */
#include "base/buf.h"

enum {
    BITS_SHIFT = 13, /* uid >> BITS_SHIFT is the chunk's number */
    BITS_COUNT = 1 << BITS_SHIFT,
    BITS_WORDS = BITS_COUNT / 64,
};

struct bits {
    uint64_t words[BITS_WORDS];
};
static inline uint32_t
bits_chunk(uint32_t uid)
{
    return uid >> BITS_SHIFT;
}
/* The uid at a position of a chunk. */
static inline uint32_t
bits_uid(uint32_t chunk, unsigned at)
{
    return (chunk << BITS_SHIFT) | at;
}

void bits_clear(struct bits *b);
/* All positions are of the chunk: 0 to BITS_COUNT - 1; uids may be given as well. */
void bits_put(struct bits *b, uint32_t at, bool is_member);
bool bits_has(const struct bits *b, uint32_t at);
void bits_fill(struct bits *b, unsigned first, unsigned last); /* both included */
void bits_cut(struct bits *b, unsigned from);                  /* no members from there on */
void bits_or(struct bits *b, const struct bits *with);
void bits_and(struct bits *b, const struct bits *with);
void bits_and_not(struct bits *b, const struct bits *with);
/* Takes over the bits of `from` where the mask is set. */
void bits_blend(struct bits *b, const struct bits *from, const struct bits *mask);
unsigned bits_count(const struct bits *b);
bool bits_is_empty(const struct bits *b);
bool bits_intersect(const struct bits *a, const struct bits *b);
/* The first member at or after `at` (descending: at or before); BITS_COUNT when there is none. */
unsigned bits_seek(const struct bits *b, unsigned at, bool ascending);

void bits_encode(struct buf *out, const struct bits *b);
bool bits_decode(struct bits *ret, struct str record); /* false: not understood */
