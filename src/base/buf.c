/* Growable byte buffers. */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum {
    BUF_FIRST_BYTES = 240, /* most texts fit: one allocation, from malloc's thread cache */
    ADDF_GUESS_BYTES = 64, /* most formatted texts fit: they are formatted once */
};

void
buf_init(struct buf *b)
{
    *b = BUF_INIT;
}

void
buf_done(struct buf *b)
{
    free(b->data);
    *b = BUF_INIT;
}

void
buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

bool
buf_failed(const struct buf *b)
{
    return b->failed;
}

bool
buf_reserve(struct buf *b, size_t more)
{
    if (b->failed)
        return false;
    if (more <= b->cap - b->len)
        return true;
    size_t want = b->len + more;
    size_t cap = b->cap < BUF_FIRST_BYTES ? BUF_FIRST_BYTES : b->cap + b->cap / 2;
    if (want < b->len || cap < b->cap) {
        b->failed = true;
        return false;
    }
    if (cap < want)
        cap = want;
    char *data = realloc(b->data, cap);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

void
buf_add(struct buf *b, const void *data, size_t len)
{
    bool has_room = len <= b->cap - b->len && !b->failed;
    if (len == 0 || (!has_room && !buf_reserve(b, len)))
        return;
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

void
buf_add_str(struct buf *b, struct str s)
{
    buf_add(b, s.data, s.len);
}

void
buf_add_cstr(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void
buf_add_char(struct buf *b, char c)
{
    if ((b->len < b->cap && !b->failed) || buf_reserve(b, 1))
        b->data[b->len++] = c;
}

void
buf_add_u64(struct buf *b, uint64_t n)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char) ('0' + n % 10);
        n /= 10;
    } while (n > 0);
    buf_add(b, digits + at, sizeof(digits) - at);
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_addv(b, fmt, ap);
    va_end(ap);
}

void
buf_addv(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    bool has_room = buf_reserve(b, ADDF_GUESS_BYTES);
    size_t room = has_room ? b->cap - b->len : 0;
    int n = vsnprintf(has_room ? b->data + b->len : NULL, room, fmt, ap);
    if (n > 0 && (size_t) n >= room && buf_reserve(b, (size_t) n + 1))
        (void) vsnprintf(b->data + b->len, (size_t) n + 1, fmt,
                         again); /* length known from above */
    if (n > 0 && !b->failed)
        b->len += (size_t) n;
    va_end(again);
}

void
buf_drop_front(struct buf *b, size_t n)
{
    if (n >= b->len) {
        b->len = 0;
        return;
    }
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}

struct str
buf_str(const struct buf *b)
{
    return (struct str){b->data, b->len};
}

const char *
buf_cstr(struct buf *b)
{
    if (!buf_reserve(b, 1))
        return "";
    b->data[b->len] = '\0';
    return b->data;
}

char *
buf_take(struct buf *b)
{
    if (b->failed || !buf_reserve(b, 1))
        abort();
    b->data[b->len] = '\0';
    char *data = b->data;
    *b = BUF_INIT;
    return data;
}
