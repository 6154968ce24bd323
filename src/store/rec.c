/* Field-by-field encoding of records and keys; big-endian, so that byte order is number order. */
#include "store/rec.h"

#include "base/mem.h"

static void
put_be(struct buf *b, uint64_t v, int bytes)
{
    if (!buf_reserve(b, (size_t) bytes))
        return;
    char *out = b->data + b->len;
    for (int i = 0; i < bytes; i++)
        out[i] = (char) (v >> (8 * (bytes - 1 - i)));
    b->len += (size_t) bytes;
}

void
rec_put_u8(struct buf *b, uint8_t v)
{
    buf_add_char(b, (char) v);
}

void
rec_put_u32(struct buf *b, uint32_t v)
{
    put_be(b, v, 4);
}

void
rec_put_u64(struct buf *b, uint64_t v)
{
    put_be(b, v, 8);
}

void
rec_put_i64(struct buf *b, int64_t v)
{
    put_be(b, (uint64_t) v, 8);
}

void
rec_put_varint(struct buf *b, uint64_t v)
{
    char out[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        out[n++] = (char) (v | 0x80);
    out[n++] = (char) v;
    buf_add(b, out, n);
}

void
rec_put_str(struct buf *b, struct str s)
{
    put_be(b, s.len, 4);
    buf_add_str(b, s);
}

void
rec_put_cstr(struct buf *b, const char *s)
{
    rec_put_u8(b, s != NULL);
    if (s != NULL)
        rec_put_str(b, str_from(s));
}

void
rec_put_uuid(struct buf *b, const struct uuid *u)
{
    buf_add(b, u->bytes, sizeof(u->bytes));
}

struct rec
rec_open(struct str value, uint8_t version)
{
    struct rec r = {.rest = value};
    if (rec_u8(&r) != version)
        r.failed = true;
    return r;
}

bool
rec_ok(const struct rec *r)
{
    return !r->failed && r->rest.len == 0;
}

/* The next n bytes; empty and failed when there are fewer. */
static struct str
take(struct rec *r, size_t n)
{
    if (r->failed || r->rest.len < n) {
        r->failed = true;
        return STR_NULL;
    }
    struct str s = str_slice(r->rest, 0, n);
    r->rest = str_slice(r->rest, n, r->rest.len);
    return s;
}

static uint64_t
read_be(struct str s)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.len; i++)
        v = v << 8 | (uint8_t) s.data[i];
    return v;
}

uint8_t
rec_u8(struct rec *r)
{
    return (uint8_t) read_be(take(r, 1));
}

uint32_t
rec_u32(struct rec *r)
{
    return (uint32_t) read_be(take(r, 4));
}

uint64_t
rec_u64(struct rec *r)
{
    return read_be(take(r, 8));
}

int64_t
rec_i64(struct rec *r)
{
    return (int64_t) rec_u64(r);
}

uint64_t
rec_varint(struct rec *r)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < r->rest.len && i < 10; i++) {
        uint64_t byte = (uint8_t) r->rest.data[i];
        v |= (byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            r->rest = str_slice(r->rest, i + 1, r->rest.len);
            return v;
        }
    }
    r->failed = true;
    return 0;
}

struct str
rec_str(struct rec *r)
{
    uint32_t len = rec_u32(r);
    return take(r, len);
}

char *
rec_cstr(struct rec *r)
{
    if (rec_u8(r) == 0)
        return NULL;
    struct str s = rec_str(r);
    return r->failed ? NULL : mem_strndup(s.data, s.len);
}

struct uuid
rec_uuid(struct rec *r)
{
    struct uuid u = UUID_NIL;
    struct str s = take(r, sizeof(u.bytes));
    if (s.len == sizeof(u.bytes))
        memcpy(u.bytes, s.data, s.len);
    return u;
}

struct str
key_u32(uint8_t out[4], uint32_t v)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t) (v >> (8 * (3 - i)));
    return str_make(out, 4);
}

struct str
key_u64(uint8_t out[8], uint64_t v)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t) (v >> (8 * (7 - i)));
    return str_make(out, 8);
}

uint32_t
key_read_u32(struct str key, size_t at)
{
    return at + 4 > key.len ? 0 : (uint32_t) read_be(str_slice(key, at, at + 4));
}

uint64_t
key_read_u64(struct str key, size_t at)
{
    return at + 8 > key.len ? 0 : read_be(str_slice(key, at, at + 8));
}
