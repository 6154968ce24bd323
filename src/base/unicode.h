#pragma once
/* Unicode: code points in and out of UTF-8, letters, and folding for comparisons. */
#include "base/buf.h"

/* The code point at `at` (< s.len) and the bytes it takes; U+FFFD for invalid bytes. */
uint32_t unicode_read(struct str s, size_t at, size_t *ret_len);
void unicode_write(struct buf *out, uint32_t code);
/* Code points in a text; each maximal invalid part counts as one. */
size_t unicode_count(struct str s);
/* Letters, marks and numbers of every script. */
bool unicode_is_letter(uint32_t code);
bool unicode_is_space(uint32_t code);

/* Appends s as it is compared: compatibility decomposition (NFKD), lower case, both sigmas alike.
 * Equal texts come out equal, and byte order is code point order. */
void unicode_fold(struct buf *out, struct str s);
