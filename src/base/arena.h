#pragma once
/* Memory that is freed all at once: what belongs to one request. */
#include <stddef.h>

#include "base/str.h"

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a); /* NULL is accepted */
/* Zeroed, aligned for any type, never NULL; for small bounded sizes (aborts when out of memory). */
void *arena_alloc(struct arena *a, size_t size);
char *arena_strndup(struct arena *a, const char *s, size_t len); /* NUL-terminated */
struct str arena_copy(struct arena *a, struct str s);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
