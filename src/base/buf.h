#pragma once
/* Growable bytes with sticky failure: a failed growth sets `failed`, later appends do nothing, and
 * the owner checks buf_failed() once before using the content. So client-sized data can run out of
 * memory without aborting. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct buf {
    char *data; /* NULL until the first append; not NUL-terminated (see buf_cstr) */
    size_t len;
    size_t cap;
    bool failed;
};

#define BUF_INIT ((struct buf){0})

void buf_init(struct buf *b);
void buf_done(struct buf *b);  /* frees and resets to empty */
void buf_clear(struct buf *b); /* keeps the memory */
bool buf_failed(const struct buf *b);
/* Room for more bytes after len; false (and failed) when memory runs out. */
bool buf_reserve(struct buf *b, size_t more);
void buf_add(struct buf *b, const void *data, size_t len);
void buf_add_str(struct buf *b, struct str s);
void buf_add_cstr(struct buf *b, const char *s);
void buf_add_char(struct buf *b, char c);
void buf_add_u64(struct buf *b, uint64_t n); /* decimal */
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_addv(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void buf_drop_front(struct buf *b, size_t n);
struct str buf_str(const struct buf *b); /* valid until the next change */
/* NUL-terminated view (the NUL is not counted in len); "" for an empty buffer. */
const char *buf_cstr(struct buf *b);
/* Gives the memory away, NUL-terminated; the caller frees it. Aborts if the buffer had failed.
 * Never NULL. */
char *buf_take(struct buf *b);
