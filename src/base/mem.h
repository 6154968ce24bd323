#pragma once
/* Heap allocation that aborts on failure, for small bounded sizes (anything a client sizes uses
 * buf's sticky failure or an explicit check instead). */
#include <stddef.h>

/* Zeroed memory of n * size bytes; aborts on failure or overflow. Release with free(). */
void *mem_new(size_t n, size_t size);
/* Grows p (may be NULL) to n * size bytes; aborts on failure or overflow. */
void *mem_grow(void *p, size_t n, size_t size);
char *mem_strdup(const char *s); /* NULL gives NULL */
/* A NUL-terminated copy of len bytes. */
char *mem_strndup(const char *s, size_t len);
/* Overwrites len bytes in a way the compiler may not remove; NULL is accepted. For secrets. */
void mem_wipe(void *p, size_t len);
