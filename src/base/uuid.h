#pragma once
/* 128-bit identifiers (RFC 9562). */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum { UUID_TEXT_LEN = 36 };

struct uuid {
    uint8_t bytes[16];
};

#define UUID_NIL ((struct uuid){{0}})

struct uuid uuid_v4(void);            /* random; aborts if the kernel gives no randomness */
struct uuid uuid_v7(int64_t wall_ms); /* time-ordered */
bool uuid_is_nil(const struct uuid *u);
bool uuid_equal(const struct uuid *a, const struct uuid *b);
/* Lower-case hyphenated text with NUL: 37 bytes. Returns out. */
char *uuid_format(const struct uuid *u, char out[UUID_TEXT_LEN + 1]);
/* Simple, hyphenated, braced or urn:uuid: text. On failure false, ret untouched, and the reason in
 * upstream's words (contract 7.3) appended to why (may be NULL). */
bool uuid_parse(struct str text, struct uuid *ret, struct buf *why);
/* n bytes from the kernel's generator. */
void random_bytes(void *out, size_t n);
