/* Compacting one index: bodies are moved out of every segment that holds garbage, which one commit
 * makes true; then the environment is written anew and takes its own place. Each half leaves an
 * index that holds the same documents, so a crash at any moment does. Must not know tasks. */
#include <stdlib.h>

#include "base/mem.h"
#include "index/index_internal.h"
#include "store/copy.h"

struct index_compaction {
    struct index *index;         /* referenced */
    struct index_writer *writer; /* while segments are emptied; else NULL */
    struct store_copy *copy;
    bool is_copied;
};

struct index_compaction *
index_compact_begin(struct index *i, struct err *err)
{
    struct index_compaction *c = mem_new(1, sizeof(*c));

    c->index = i;
    i->references++;
    c->writer = index_writer_begin(i, err);
    if (c->writer != NULL) {
        index_writer_empty_all(c->writer);
        return c;
    }
    index_compact_abort(c);
    return NULL;
}

void
index_compact_abort(struct index_compaction *c)
{
    if (c == NULL)
        return;
    index_writer_abort(c->writer);
    store_copy_abort(c->copy);
    c->index->refuses_snapshots = false;
    index_release(c->index);
    free(c);
}

/* The bodies are where they stay. */
static int
begin_copy(struct index_compaction *c, struct err *err)
{
    struct index_writer *w = c->writer;
    int rc;

    c->writer = NULL; /* consumed */
    if (index_writer_commit(w, STR_NULL, err) < 0)
        return -1;
    rc = store_copy_begin(&c->copy, c->index->env, c->index->segments.dir);
    return rc < 0 ? index_store_error(err, rc) : 1;
}

int
index_compact_step(struct index_compaction *c, int64_t deadline_us, struct err *err)
{
    int rc;

    if (c->writer != NULL) {
        rc = index_writer_settle(c->writer, deadline_us, err);
        return rc == 0 ? begin_copy(c, err) : rc;
    }
    rc = c->is_copied ? 0 : store_copy_step(c->copy, deadline_us);
    if (rc < 0)
        return index_store_error(err, rc);
    c->is_copied = rc == 0;
    c->index->refuses_snapshots = c->is_copied; /* those that are out end within seconds */
    return rc == 1 || c->index->segments.n_holders > 0;
}

int
index_compact_record(struct index_compaction *c, struct str applied, struct err *err)
{
    int rc = store_copy_put(c->copy, INDEX_META, INDEX_META_APPLIED, applied);

    if (rc == 0)
        rc = store_copy_commit(c->copy);
    return rc < 0 ? index_store_error(err, rc) : 0;
}

uint64_t
index_compact_size(const struct index_compaction *c)
{
    const struct index *i = c->index;
    uint64_t all = 0, old = index_set_database_bytes(i->set, &i->uuid);

    index_set_add_size(i->set, &i->uuid, &all);
    return all > old ? all - old : 0;
}

int
index_compact_end(struct index_compaction *c, struct err *err)
{
    struct index *i = c->index;
    struct store_copy *copy = c->copy;
    bool is_durable;
    int rc;

    c->copy = NULL; /* consumed */
    rc = store_copy_take_place(copy, index_set_trash(i->set), &is_durable);
    i->needs_dir_sync |= !is_durable;
    index_compact_abort(c);
    return rc < 0 ? index_store_error(err, rc) : 0;
}
