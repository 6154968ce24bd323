#pragma once
/* application/x-www-form-urlencoded query strings and percent encoding. */
#include "base/arena.h"
#include "base/buf.h"

struct form_param {
    struct str name, value; /* decoded, in the arena */
};
/* Parses "a=1&b=%20+x" (no leading '?'); '+' is a space, "a" without '=' has an empty value, empty
 * pieces are skipped, bad escapes stay as written, invalid UTF-8 is replaced by U+FFFD. Returns the
 * number of parameters (at most FORM_MAX_PARAMS; -1 when there are more). *ret is in the arena. */
enum { FORM_MAX_PARAMS = 256 };
int form_parse(struct arena *a, struct str query, struct form_param **ret);
/* Percent-decodes a path segment ('+' stays). */
struct str form_decode_path(struct arena *a, struct str segment);
/* Appends s with everything but unreserved characters percent-encoded. */
void form_encode(struct buf *out, struct str s);
