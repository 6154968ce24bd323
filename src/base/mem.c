/* Owns nothing; the allocation policy for small bounded sizes: abort, never return NULL. */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
check(void *p)
{
    if (p == NULL) {
        fputs("taskhook: out of memory\n", stderr);
        abort();
    }
    return p;
}

enum { SMALL_BYTES = 1024 };

/* Apart, or the compiler would make a calloc of it and the memset. */
static __attribute__((noinline)) void *
get(size_t len)
{
    return check(malloc(len > 0 ? len : 1));
}

/* glibc's calloc passes by the cache of small blocks that its malloc and free have for a thread. */
void *
mem_new(size_t n, size_t size)
{
    if (n > SMALL_BYTES || size > SMALL_BYTES || n * size > SMALL_BYTES)
        return check(calloc(n, size));
    return memset(get(n * size), 0, n * size);
}

void *
mem_grow(void *p, size_t n, size_t size)
{
    return check(reallocarray(p, n > 0 ? n : 1, size));
}

char *
mem_strdup(const char *s)
{
    return s == NULL ? NULL : check(strdup(s));
}

char *
mem_strndup(const char *s, size_t len)
{
    char *copy = get(len + 1);
    copy[len] = '\0';
    if (len > 0)
        memcpy(copy, s, len);
    return copy;
}

void
mem_wipe(void *p, size_t len)
{
    if (p != NULL)
        explicit_bzero(p, len);
}
