/* One state of an index, held over several callbacks: its read transaction, and the segments that
 * batches meanwhile give up. Bounds how many are out; for how long is the taker's. */
#include <stdlib.h>

#include "base/mem.h"
#include "index/index_internal.h"

enum { SNAPSHOTS_MAX = 16 /* of all indexes */ };

struct index_snapshot {
    struct index_reader reader; /* its index is referenced */
};

struct index_snapshot *
index_snapshot_take(struct index *i)
{
    struct index_snapshot *s;
    unsigned *n_out = index_set_snapshots(i->set);

    if (i->refuses_snapshots || *n_out >= SNAPSHOTS_MAX)
        return NULL;
    s = mem_new(1, sizeof(*s));
    if (index_reader_open(&s->reader, i) < 0) {
        free(s);
        return NULL;
    }
    ++*n_out;
    i->references++;
    i->segments.n_holders++;
    return s;
}

struct index_reader *
index_snapshot_reader(struct index_snapshot *s)
{
    return &s->reader;
}

void
index_snapshot_release(struct index_snapshot *s)
{
    if (s == NULL)
        return;
    struct index *i = s->reader.index;
    index_reader_close(&s->reader);
    --*index_set_snapshots(i->set);
    if (--i->segments.n_holders == 0)
        segments_drop_retired(&i->segments);
    index_release(i);
    free(s);
}
