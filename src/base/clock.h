#pragma once
/* The two clocks, and the wire forms of times. Records use the wall clock (UTC, nanoseconds since
 * 1970 in int64_t, 0 = unset); deadlines use the monotonic clock (microseconds). Tests may replace
 * both. */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

int64_t clock_wall_ns(void);
int64_t clock_wall_ms(void);
int64_t clock_mono_us(void);

/* Replaces both clocks (tests only); NULL restores the real one. */
void clock_set_fake(int64_t (*wall_ns)(void), int64_t (*mono_us)(void));

/* RFC 3339 in UTC with Z, up to 9 fraction digits, trailing zeros trimmed (contract 1.10). */
void clock_format(struct buf *out, int64_t wall_ns);
/* RFC 3339 with T/t, Z/z or numeric offset, any number of fraction digits; false (ret untouched)
 * otherwise. Dates before 1677 or after 2262 give INT64_MIN or INT64_MAX. */
bool clock_parse(struct str text, int64_t *ret_wall_ns);
/* ISO 8601 duration in the contract's subset (2.8); nothing is written for a negative one and false
 * returned. */
bool clock_format_duration(struct buf *out, int64_t duration_ns);
/* "Sun, 06 Nov 1994 08:49:37 GMT" into at least 30 bytes. */
void clock_format_http_date(char out[30], int64_t wall_ns);
