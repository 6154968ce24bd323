/* Sorted disjoint ranges of task uids. Adjacent ranges are merged, so a set has one form only. */
#include "queue/uidset.h"

#include <stdlib.h>

#include "base/mem.h"

void
uidset_init(struct uidset *s)
{
    *s = (struct uidset){0};
}

void
uidset_done(struct uidset *s)
{
    free(s->ranges);
    uidset_init(s);
}

/* Position of the first range that ends at or after uid; s->n when there is none. */
static size_t
range_at(const struct uidset *s, uint32_t uid)
{
    size_t low = 0, high = s->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->ranges[middle].last < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void
insert_range(struct uidset *s, size_t at, uint32_t first, uint32_t last)
{
    if (s->n == s->cap) {
        s->cap = s->cap == 0 ? 4 : s->cap * 2;
        s->ranges = mem_grow(s->ranges, s->cap, sizeof(*s->ranges));
    }
    memmove(s->ranges + at + 1, s->ranges + at, (s->n - at) * sizeof(*s->ranges));
    s->ranges[at] = (struct uid_range){first, last};
    s->n++;
}

void
uidset_add(struct uidset *s, uint32_t first, uint32_t last)
{
    if (first > last)
        return;
    size_t at = range_at(s, first > 0 ? first - 1 : 0); /* a neighbour is joined too */
    size_t end = at;
    while (end < s->n && (last == UINT32_MAX || s->ranges[end].first <= last + 1)) {
        if (s->ranges[end].first < first)
            first = s->ranges[end].first;
        if (s->ranges[end].last > last)
            last = s->ranges[end].last;
        end++;
    }
    if (end == at) {
        insert_range(s, at, first, last);
        return;
    }
    s->ranges[at] = (struct uid_range){first, last};
    memmove(s->ranges + at + 1, s->ranges + end, (s->n - end) * sizeof(*s->ranges));
    s->n -= end - at - 1;
}

bool
uidset_has(const struct uidset *s, uint32_t uid)
{
    size_t at = range_at(s, uid);
    return at < s->n && s->ranges[at].first <= uid;
}

bool
uidset_seek(const struct uidset *s, uint32_t at, uint32_t *ret)
{
    size_t i = range_at(s, at);
    if (i == s->n)
        return false;
    *ret = s->ranges[i].first > at ? s->ranges[i].first : at;
    return true;
}

void
uidset_remove(struct uidset *s, uint32_t uid)
{
    size_t at = range_at(s, uid);
    if (at == s->n || s->ranges[at].first > uid)
        return;
    struct uid_range whole = s->ranges[at];
    memmove(s->ranges + at, s->ranges + at + 1, (s->n - at - 1) * sizeof(*s->ranges));
    s->n--;
    if (uid < whole.last)
        insert_range(s, at, uid + 1, whole.last);
    if (uid > whole.first)
        insert_range(s, at, whole.first, uid - 1);
}

uint64_t
uidset_count(const struct uidset *s)
{
    uint64_t count = 0;
    for (size_t i = 0; i < s->n; i++)
        count += (uint64_t) s->ranges[i].last - s->ranges[i].first + 1;
    return count;
}

void
uidset_write(struct buf *out, const struct uidset *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        buf_add_u64(out, s->ranges[i].first);
        if (s->ranges[i].last == s->ranges[i].first)
            continue;
        buf_add_char(out, '-');
        buf_add_u64(out, s->ranges[i].last);
    }
}

static bool
read_range(struct uidset *s, struct str piece)
{
    uint64_t first, last;
    size_t dash = str_find(piece, '-', 0);
    if (!str_to_u64(str_slice(piece, 0, dash), UINT32_MAX, &first))
        return false;
    last = first;
    if (dash < piece.len && !str_to_u64(str_slice(piece, dash + 1, piece.len), UINT32_MAX, &last))
        return false;
    uidset_add(s, (uint32_t) first, (uint32_t) last);
    return first <= last;
}

bool
uidset_read(struct uidset *ret, struct str text)
{
    struct uidset set;
    struct str rest = text, piece;
    uidset_init(&set);
    while (text.len > 0 && str_split(&rest, ',', &piece)) {
        if (read_range(&set, piece))
            continue;
        uidset_done(&set);
        return false;
    }
    *ret = set;
    return true;
}
