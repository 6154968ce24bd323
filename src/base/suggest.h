#pragma once
/* "Did you mean": upstream's rule (contract 1.6). */
#include <stddef.h>

#include "base/str.h"

/* The nearest of n names to received, or NULL when none is near enough: Damerau-Levenshtein
 * distance, allowed by byte length of received (<=3 never, 4-7: 1, 8-12: 2, 13-17: 3, 18-24: 4,
 * more: 5); first in the list on ties. */
const char *suggest_name(struct str received, const char *const *names, size_t n);
