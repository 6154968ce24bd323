#pragma once
/* Assertions on slices and buffers, for the tests of every folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"

/* Shows both texts when they differ. */
static inline void
assert_text(struct str got, const char *expected)
{
    char *copy = strndup(got.len > 0 ? got.data : "", got.len);
    assert_string_equal(copy, expected);
    assert_int_equal(got.len, strlen(expected));
    free(copy);
}

/* The same for a buffer, which it frees. */
static inline void
assert_buf_text(struct buf *got, const char *expected)
{
    assert_false(buf_failed(got));
    assert_text(buf_str(got), expected);
    buf_done(got);
}

#define COUNT_OF(rows) (sizeof(rows) / sizeof((rows)[0]))
