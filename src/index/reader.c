/* Reading an index inside one callback. Sees committed state only, never the open writer's. */
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
    uint64_t n = 0;

    return store_count(r->txn, INDEX_DOCUMENTS, &n) < 0 ? 0 : n;
}

int
index_reader_find(struct index_reader *r, struct str external_id, uint32_t *ret_id)
{
    struct str id;
    int rc;

    if (!document_id_is_valid(external_id))
        return 0;
    rc = store_get(r->txn, INDEX_EXTERNAL_IDS, external_id, &id);
    if (rc == 1)
        *ret_id = key_read_u32(id, 0);
    return rc;
}

int
index_reader_get(struct index_reader *r, struct str external_id, struct str *ret_text)
{
    uint8_t bytes[4];
    uint32_t id;
    int rc = index_reader_find(r, external_id, &id);

    if (rc != 1)
        return rc;
    rc = store_get(r->txn, INDEX_DOCUMENTS, key_u32(bytes, id), ret_text);
    return rc == 0 ? STORE_ECORRUPT : rc;
}

int
index_reader_next(struct index_reader *r, uint32_t from, uint32_t *ret_id, struct str *ret_text)
{
    struct store_cursor c = {0};
    uint8_t key[4];
    int rc = store_cursor_open(&c, r->txn, INDEX_DOCUMENTS);

    if (rc >= 0)
        rc = store_cursor_seek(&c, key_u32(key, from));
    if (rc == 1) {
        *ret_id = key_read_u32(c.key, 0);
        *ret_text = c.value;
    }
    store_cursor_close(&c);
    return rc;
}

int
index_reader_applied(struct index_reader *r, struct str *ret)
{
    return store_get(r->txn, INDEX_META, INDEX_META_APPLIED, ret);
}
