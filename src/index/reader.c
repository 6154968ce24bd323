/* Reading an index inside one callback. Sees committed state only, never the open writer's. */
#include "index/bodies.h"
#include "index/ids.h"
#include "index/index_internal.h"
#include "store/rec.h"

int
index_reader_open(struct index_reader *r, struct index *i)
{
    r->index = i;
    r->txn = NULL;
    return store_begin_read(i->env, &r->txn);
}

void
index_reader_close(struct index_reader *r)
{
    store_abort(r->txn);
    r->txn = NULL;
}

uint64_t
index_reader_count(struct index_reader *r)
{
    struct counts c;

    return counts_load(&c, r->txn) < 0 ? 0 : c.n_documents;
}

int
index_reader_find(struct index_reader *r, struct str external_id, uint32_t *ret_id)
{
    return document_id_is_storable(external_id) ? ids_find(r->txn, external_id, ret_id) : 0;
}

/* The body behind a reference: 1 or negative. */
static int
read_ref(struct index_reader *r, const struct ref *ref, struct str *ret_text)
{
    int rc = segments_read(&r->index->segments, ref, ret_text);

    return rc < 0 ? rc : 1;
}

int
index_reader_get(struct index_reader *r, struct str external_id, struct str *ret_text)
{
    uint8_t bytes[4];
    uint32_t id;
    struct ref ref;
    int rc = index_reader_find(r, external_id, &id);

    if (rc != 1)
        return rc;
    rc = segments_has_any(&r->index->segments) ? refs_get(r->txn, id, &ref) : 0;
    if (rc == 1)
        return read_ref(r, &ref, ret_text);
    if (rc == 0)
        rc = store_get(r->txn, INDEX_DOCUMENTS, key_u32(bytes, id), ret_text);
    return rc == 0 ? STORE_ECORRUPT : rc;
}

int
index_reader_next(struct index_reader *r, uint32_t from, uint32_t *ret_id, struct str *ret_text)
{
    return bodies_next(r->txn, &r->index->segments, from, ret_id, ret_text);
}

int
index_reader_applied(struct index_reader *r, struct str *ret)
{
    return store_get(r->txn, INDEX_META, INDEX_META_APPLIED, ret);
}
