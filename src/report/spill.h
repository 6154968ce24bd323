#pragma once
/* Sorting more than fits into memory: entries go in in any order and come out by key, then by
 * payload. What exceeds a small buffer lies in a file that has no name, as sorted runs that are
 * merged; memory stays constant. Every call is short, so that a sort can be spread over slices.
 * Private to the folder. */
#include "base/buf.h"

struct spill;
struct spill *spill_new(const char *dir); /* dir is copied: where the file is made */
void spill_free(struct spill *s);         /* NULL accepted */
/* 0, or -1 with errno. */
int spill_add(struct spill *s, struct str key, struct str payload);
/* Once everything was added: 1: call again, 0: spill_next() may begin, -1 with errno. */
int spill_merge(struct spill *s, int64_t deadline_us);
/* 1 with the next entry (valid until the next call), 0 at the end, -1 with errno. */
int spill_next(struct spill *s, struct str *ret_key, struct str *ret_payload);
