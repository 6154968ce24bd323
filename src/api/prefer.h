#pragma once
/* The Prefer request header (RFC 7240). */
#include "base/str.h"

/* The value of a preference without its quotes, empty when it has none; false: it is not given. Of
 * several the first counts. */
bool prefer_find(struct str header, const char *name, struct str *ret);
/* The seconds of the preference `wait`, at most max; false when it is not given or not a number
 * (preferences that are not understood are ignored). */
bool prefer_wait(struct str header, unsigned max, unsigned *ret);
