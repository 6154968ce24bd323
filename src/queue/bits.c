/* Sets of positions in a chunk, and their stored forms. Knows neither uids' meaning nor the store.
 *
 * Stored: a byte for the form, then
 *   runs     first and last position of each run, u16 big-endian
 *   members  their positions, u16 big-endian
 *   all      the words, little-endian */
#include "queue/bits.h"

#include <string.h>

enum form { FORM_RUNS = 1, FORM_MEMBERS = 2, FORM_ALL = 3 };
enum { ALL_BYTES = BITS_WORDS * 8 };

void
bits_clear(struct bits *b)
{
    memset(b, 0, sizeof(*b));
}

void
bits_put(struct bits *b, uint32_t at, bool is_member)
{
    uint64_t *word = &b->words[at % BITS_COUNT / 64], bit = UINT64_C(1) << (at % 64);
    *word = is_member ? *word | bit : *word & ~bit;
}

bool
bits_has(const struct bits *b, uint32_t at)
{
    return (b->words[at % BITS_COUNT / 64] >> (at % 64) & 1) != 0;
}

void
bits_fill(struct bits *b, unsigned first, unsigned last)
{
    for (unsigned w = first / 64; w <= last / 64; w++) {
        uint64_t word = UINT64_MAX;
        if (w == first / 64)
            word &= UINT64_MAX << (first % 64);
        if (w == last / 64)
            word &= UINT64_MAX >> (63 - last % 64);
        b->words[w] |= word;
    }
}

void
bits_cut(struct bits *b, unsigned from)
{
    b->words[from / 64] &= ~(UINT64_MAX << (from % 64));
    for (unsigned w = from / 64 + 1; w < BITS_WORDS; w++)
        b->words[w] = 0;
}

void
bits_or(struct bits *b, const struct bits *with)
{
    for (int w = 0; w < BITS_WORDS; w++)
        b->words[w] |= with->words[w];
}

void
bits_and(struct bits *b, const struct bits *with)
{
    for (int w = 0; w < BITS_WORDS; w++)
        b->words[w] &= with->words[w];
}

void
bits_and_not(struct bits *b, const struct bits *with)
{
    for (int w = 0; w < BITS_WORDS; w++)
        b->words[w] &= ~with->words[w];
}

void
bits_blend(struct bits *b, const struct bits *from, const struct bits *mask)
{
    for (int w = 0; w < BITS_WORDS; w++)
        b->words[w] = (b->words[w] & ~mask->words[w]) | (from->words[w] & mask->words[w]);
}

unsigned
bits_count(const struct bits *b)
{
    unsigned count = 0;
    for (int w = 0; w < BITS_WORDS; w++)
        count += (unsigned) __builtin_popcountll(b->words[w]);
    return count;
}

bool
bits_is_empty(const struct bits *b)
{
    uint64_t any = 0;
    for (int w = 0; w < BITS_WORDS; w++)
        any |= b->words[w];
    return any == 0;
}

bool
bits_intersect(const struct bits *a, const struct bits *b)
{
    uint64_t any = 0;
    for (int w = 0; w < BITS_WORDS; w++)
        any |= a->words[w] & b->words[w];
    return any != 0;
}

static unsigned
seek_up(const struct bits *b, unsigned at)
{
    uint64_t word = b->words[at / 64] & (UINT64_MAX << (at % 64));
    for (unsigned w = at / 64;; word = b->words[w]) {
        if (word != 0)
            return w * 64 + (unsigned) __builtin_ctzll(word);
        if (++w == BITS_WORDS)
            return BITS_COUNT;
    }
}

static unsigned
seek_down(const struct bits *b, unsigned at)
{
    uint64_t word = b->words[at / 64] & (UINT64_MAX >> (63 - at % 64));
    for (unsigned w = at / 64;; word = b->words[w]) {
        if (word != 0)
            return w * 64 + 63 - (unsigned) __builtin_clzll(word);
        if (w-- == 0)
            return BITS_COUNT;
    }
}

unsigned
bits_seek(const struct bits *b, unsigned at, bool ascending)
{
    return ascending ? seek_up(b, at) : seek_down(b, at);
}

/* --- stored forms */

static unsigned
count_runs(const struct bits *b)
{
    unsigned runs = 0;
    uint64_t before = 0; /* the last bit of the word before */
    for (int w = 0; w < BITS_WORDS; w++) {
        uint64_t word = b->words[w];
        runs += (unsigned) __builtin_popcountll(word & ~(word << 1 | before));
        before = word >> 63;
    }
    return runs;
}

static void
put_u16(struct buf *out, unsigned v)
{
    buf_add_char(out, (char) (v >> 8));
    buf_add_char(out, (char) (v & 0xff));
}

static unsigned
get_u16(struct str record, size_t at)
{
    const uint8_t *bytes = (const uint8_t *) record.data + at;
    return (unsigned) bytes[0] << 8 | bytes[1];
}

/* The first position at or after `at` that is no member; BITS_COUNT at the end. */
static unsigned
run_end(const struct bits *b, unsigned at)
{
    while (at < BITS_COUNT) {
        uint64_t gaps = ~b->words[at / 64] & (UINT64_MAX << (at % 64));
        if (gaps != 0)
            return at / 64 * 64 + (unsigned) __builtin_ctzll(gaps);
        at = at / 64 * 64 + 64;
    }
    return BITS_COUNT;
}

static void
encode_runs(struct buf *out, const struct bits *b)
{
    buf_add_char(out, FORM_RUNS);
    for (unsigned at = 0; at < BITS_COUNT && (at = seek_up(b, at)) < BITS_COUNT;) {
        unsigned end = run_end(b, at);
        put_u16(out, at);
        put_u16(out, end - 1);
        at = end;
    }
}

static void
encode_members(struct buf *out, const struct bits *b)
{
    buf_add_char(out, FORM_MEMBERS);
    for (unsigned at = 0; at < BITS_COUNT && (at = seek_up(b, at)) < BITS_COUNT; at++)
        put_u16(out, at);
}

static void
encode_all(struct buf *out, const struct bits *b)
{
    buf_add_char(out, FORM_ALL);
    for (int w = 0; w < BITS_WORDS; w++)
        for (int shift = 0; shift < 64; shift += 8)
            buf_add_char(out, (char) (b->words[w] >> shift & 0xff));
}

void
bits_encode(struct buf *out, const struct bits *b)
{
    unsigned run_bytes = count_runs(b) * 4, member_bytes = bits_count(b) * 2;
    if (run_bytes <= member_bytes && run_bytes < ALL_BYTES)
        encode_runs(out, b);
    else if (member_bytes < ALL_BYTES)
        encode_members(out, b);
    else
        encode_all(out, b);
}

static bool
decode_runs(struct bits *b, struct str body)
{
    for (size_t at = 0; at + 4 <= body.len; at += 4) {
        unsigned first = get_u16(body, at), last = get_u16(body, at + 2);
        if (first > last || last >= BITS_COUNT)
            return false;
        bits_fill(b, first, last);
    }
    return body.len % 4 == 0;
}

static bool
decode_members(struct bits *b, struct str body)
{
    for (size_t at = 0; at + 2 <= body.len; at += 2) {
        unsigned member = get_u16(body, at);
        if (member >= BITS_COUNT)
            return false;
        b->words[member / 64] |= UINT64_C(1) << (member % 64);
    }
    return body.len % 2 == 0;
}

static bool
decode_all(struct bits *b, struct str body)
{
    const uint8_t *bytes = (const uint8_t *) body.data;
    if (body.len != ALL_BYTES)
        return false;
    for (int w = 0; w < BITS_WORDS; w++)
        for (int i = 0; i < 8; i++)
            b->words[w] |= (uint64_t) bytes[w * 8 + i] << (i * 8);
    return true;
}

bool
bits_decode(struct bits *ret, struct str record)
{
    bits_clear(ret);
    if (record.len == 0)
        return false;
    struct str body = str_slice(record, 1, record.len);
    switch (record.data[0]) {
    case FORM_RUNS:
        return decode_runs(ret, body);
    case FORM_MEMBERS:
        return decode_members(ret, body);
    case FORM_ALL:
        return decode_all(ret, body);
    }
    return false;
}
