#pragma once
/* The Prefer request header (RFC 7240). */
#include "base/str.h"

/* The seconds of the preference `wait`, at most max; false when it is not given or not a number
 * (preferences that are not understood are ignored). Of several the first counts. */
bool prefer_wait(struct str header, unsigned max, unsigned *ret);
