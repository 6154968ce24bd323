#pragma once
/* The details of a batch: the sum of its members' (contract 3.2). */
#include "base/buf.h"

struct details_sum;

struct details_sum *details_sum_new(void);
void details_sum_free(struct details_sum *s); /* NULL accepted */
/* Adds one task's details, JSON object text. is_settings: unknown keys are settings, of which the
 * later value wins and null stays (it resets a setting). */
void details_sum_add(struct details_sum *s, struct str details, bool is_settings);
/* Appends the JSON object in the contract's key order; while a batch runs null-valued keys show. */
void details_sum_write(struct buf *out, const struct details_sum *s, bool drop_nulls);
