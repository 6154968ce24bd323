/* Bump allocator in small chunks; larger pieces get a chunk of their own. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum {
    ARENA_CHUNK_BYTES =
        960 /* with the header still in malloc's thread cache: much cheaper than 4 KiB */
};

struct chunk {
    struct chunk *next;
    size_t used, cap;
    alignas(max_align_t) char bytes[];
};

struct arena {
    struct chunk *chunks; /* the first one is being filled */
};

struct arena *
arena_new(void)
{
    return mem_new(1, sizeof(struct arena));
}

void
arena_free(struct arena *a)
{
    if (a == NULL)
        return;
    for (struct chunk *c = a->chunks, *next; c != NULL; c = next) {
        next = c->next;
        free(c);
    }
    free(a);
}

void *
arena_alloc(struct arena *a, size_t size)
{
    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    struct chunk *c = a->chunks;
    if (c == NULL || c->cap - c->used < size) {
        size_t cap = size > ARENA_CHUNK_BYTES ? size : ARENA_CHUNK_BYTES;
        c = mem_grow(NULL, 1, sizeof(*c) + cap); /* zeroed piece by piece below */
        c->cap = cap;
        c->used = 0;
        c->next = a->chunks;
        a->chunks = c;
    }
    void *p = c->bytes + c->used;
    c->used += size;
    return memset(p, 0, size);
}

char *
arena_strndup(struct arena *a, const char *s, size_t len)
{
    char *copy = arena_alloc(a, len + 1);
    if (len > 0)
        memcpy(copy, s, len);
    return copy;
}

struct str
arena_copy(struct arena *a, struct str s)
{
    return (struct str){arena_strndup(a, s.data, s.len), s.len};
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *text = arena_alloc(a, n < 0 ? 1 : (size_t) n + 1);
    va_start(ap, fmt);
    if (n > 0)
        (void) vsnprintf(text, (size_t) n + 1, fmt, ap); /* length known from above */
    va_end(ap);
    return text;
}
