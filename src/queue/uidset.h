#pragma once
/* Sets of task uids as sorted disjoint ranges. */
#include "base/buf.h"

struct uid_range {
    uint32_t first, last; /* inclusive */
};
struct uidset {
    struct uid_range *ranges;
    size_t n, cap;
};
void uidset_init(struct uidset *s);
void uidset_done(struct uidset *s);
void uidset_add(struct uidset *s, uint32_t first, uint32_t last); /* any order */
void uidset_remove(struct uidset *s, uint32_t uid);
bool uidset_has(const struct uidset *s, uint32_t uid);
/* The least uid of the set that is >= at; false when there is none. */
bool uidset_seek(const struct uidset *s, uint32_t at, uint32_t *ret);
uint64_t uidset_count(const struct uidset *s);
void uidset_write(struct buf *out, const struct uidset *s); /* "0-5,7" */
/* Reads uidset_write()'s text ("" is the empty set) into an uninitialised set; false (ret
 * untouched) when it is none. */
bool uidset_read(struct uidset *ret, struct str text);
