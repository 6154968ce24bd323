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

void *
mem_new(size_t n, size_t size)
{
    return check(calloc(n > 0 ? n : 1, size));
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
    char *copy = mem_new(len + 1, 1);
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
