#pragma once
/* Dates in headers (RFC 9110, 5.6.7). Written by clock_format_http_date(). */
#include "base/str.h"

/* "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994":
 * milliseconds since 1970, false for what is none of these. now_ms decides the century of the
 * second form. */
bool http_date_parse(struct str text, int64_t now_ms, int64_t *ret_ms);
