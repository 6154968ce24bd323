#pragma once
/* Slices: bytes somebody else owns. Not NUL-terminated, may hold NUL bytes. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *data; /* may be NULL when len is 0 */
    size_t len;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_NULL ((struct str){NULL, 0})
/* For printf("%.*s", STR_ARG(s)). */
#define STR_ARG(s) (int) (s).len, (s).len > 0 ? (s).data : ""

static inline struct str
str_from(const char *s) /* NULL gives an empty slice */
{
    return (struct str){s, s == NULL ? 0 : strlen(s)};
}

static inline struct str
str_make(const void *data, size_t len)
{
    return (struct str){data, len};
}

bool str_equal(struct str a, struct str b);
bool str_equal_nocase(struct str a, struct str b); /* ASCII */
bool str_is(struct str a, const char *b);
bool str_starts_with(struct str s, const char *prefix);
bool str_ends_with(struct str s, const char *suffix);
int str_compare(struct str a, struct str b); /* byte order, like memcmp; shorter first */
/* Position of byte c at or after from, or s.len. */
size_t str_find(struct str s, char c, size_t from);
struct str str_trim(struct str s);                          /* spaces, tabs, CR, LF at both ends */
struct str str_slice(struct str s, size_t from, size_t to); /* bounds are clamped */
/* Cuts the piece up to the first c off *rest (and that c); false when *rest was exhausted (data ==
 * NULL). */
bool str_split(struct str *rest, char c, struct str *ret_piece);
/* Decimal digits only, no sign, whole slice, <= max; false (ret untouched) otherwise. */
bool str_to_u64(struct str s, uint64_t max, uint64_t *ret);
bool str_is_utf8(struct str s);
int str_hex_value(char c); /* 0 to 15, any case; -1 for other characters */
/* The UTF-8 sequence at `at` (< s.len): its length when valid, else minus the number of bytes that
 * one U+FFFD stands for (Unicode's "maximal subpart"). */
int str_utf8_sequence(struct str s, size_t at);
/* Bytes before the first invalid sequence; s.len when all are valid. */
size_t str_utf8_prefix(struct str s);
