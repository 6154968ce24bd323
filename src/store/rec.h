#pragma once
/* Records field by field: a version byte, then big-endian integers and length-prefixed bytes. Also
 * keys. */
#include "base/buf.h"
#include "base/uuid.h"

/* Writing. */
void rec_put_u8(struct buf *b, uint8_t v);
void rec_put_u32(struct buf *b, uint32_t v);
void rec_put_u64(struct buf *b, uint64_t v);
void rec_put_i64(struct buf *b, int64_t v);
void rec_put_varint(struct buf *b, uint64_t v);  /* 7 bits a byte, lowest first */
void rec_put_str(struct buf *b, struct str s);   /* u32 length + bytes */
void rec_put_cstr(struct buf *b, const char *s); /* NULL is kept apart from "" (presence byte) */
void rec_put_uuid(struct buf *b, const struct uuid *u);

/* Reading: a cursor with sticky failure. After the last field check rec_ok(). Reads past the end
 * give 0 / empty. */
struct rec {
    struct str rest;
    bool failed;
};
struct rec rec_open(struct str value, uint8_t version); /* checks and skips the version byte */
bool rec_ok(const struct rec *r);                       /* nothing failed and nothing is left */
uint8_t rec_u8(struct rec *r);
uint32_t rec_u32(struct rec *r);
uint64_t rec_u64(struct rec *r);
int64_t rec_i64(struct rec *r);
uint64_t rec_varint(struct rec *r);
struct str rec_str(struct rec *r); /* points into the value */
char *rec_cstr(struct rec *r);     /* heap copy or NULL as written; the caller frees */
struct uuid rec_uuid(struct rec *r);

/* Fixed keys into the caller's bytes: struct str k = key_u32(bytes, uid). */
struct str key_u32(uint8_t out[4], uint32_t v);
struct str key_u64(uint8_t out[8], uint64_t v);
uint32_t key_read_u32(struct str key, size_t at); /* 0 when too short */
uint64_t key_read_u64(struct str key, size_t at);
