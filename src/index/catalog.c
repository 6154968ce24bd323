/* The index catalogue: rows of TABLE_INDEXES and their JSON. Must not open an index environment.
 *
 * Record v1: uuid, primary key (cstr), created, updated (i64 ns), documents, raw bytes (u64), field
 * distribution (str). */
#include "index/catalog.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/json.h"
#include "store/rec.h"
#include "store/tables.h"

enum { CATALOG_VERSION = 1 };

static bool
is_uid_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

bool
index_uid_is_valid(struct str uid)
{
    if (uid.len == 0 || uid.len > INDEX_UID_MAX_BYTES)
        return false;
    for (size_t i = 0; i < uid.len; i++)
        if (!is_uid_char(uid.data[i]))
            return false;
    return true;
}

void
index_uid_write_invalid(struct buf *out, struct str uid)
{
    buf_add_char(out, '`');
    buf_add_str(out, uid);
    buf_add_cstr(out, "` is not a valid index uid. Index uid can be an integer or a string "
                      "containing only alphanumeric characters, hyphens (-) and underscores (_), "
                      "and can not be more than 512 bytes.");
}

void
index_info_init(struct index_info *i)
{
    *i = (struct index_info){0};
}

void
index_info_done(struct index_info *i)
{
    free(i->uid);
    free(i->primary_key);
    free(i->field_distribution);
    *i = (struct index_info){0};
}

static int
decode(struct index_info *ret, struct str uid, struct str value)
{
    struct rec r = rec_open(value, CATALOG_VERSION);
    struct str distribution;

    index_info_init(ret);
    ret->uuid = rec_uuid(&r);
    ret->primary_key = rec_cstr(&r);
    ret->created_at_ns = rec_i64(&r);
    ret->updated_at_ns = rec_i64(&r);
    ret->n_documents = rec_u64(&r);
    ret->raw_bytes = rec_u64(&r);
    distribution = rec_str(&r);
    if (!rec_ok(&r)) {
        index_info_done(ret);
        return STORE_ECORRUPT;
    }
    ret->uid = mem_strndup(uid.data, uid.len);
    ret->field_distribution = mem_strndup(distribution.data, distribution.len);
    return 1;
}

int
catalog_get(struct store_txn *txn, struct str uid, struct index_info *ret)
{
    struct str value;
    int rc;

    index_info_init(ret);
    if (!index_uid_is_valid(uid))
        return 0;
    rc = store_get(txn, TABLE_INDEXES, uid, &value);
    return rc == 1 ? decode(ret, uid, value) : rc;
}

int
catalog_put(struct store_txn *txn, const struct index_info *i)
{
    struct buf value = BUF_INIT;
    int rc = STORE_EFULL;

    rec_put_u8(&value, CATALOG_VERSION);
    rec_put_uuid(&value, &i->uuid);
    rec_put_cstr(&value, i->primary_key);
    rec_put_i64(&value, i->created_at_ns);
    rec_put_i64(&value, i->updated_at_ns);
    rec_put_u64(&value, i->n_documents);
    rec_put_u64(&value, i->raw_bytes);
    rec_put_str(&value, str_from(i->field_distribution == NULL ? "{}" : i->field_distribution));
    if (!buf_failed(&value))
        rc = store_put(txn, TABLE_INDEXES, str_from(i->uid), buf_str(&value));
    buf_done(&value);
    return rc;
}

int
catalog_delete(struct store_txn *txn, struct str uid)
{
    return store_delete(txn, TABLE_INDEXES, uid);
}

static int
seek_after(struct store_cursor *c, struct str after)
{
    int rc;

    if (after.data == NULL || after.len == 0)
        return store_cursor_first(c);
    rc = store_cursor_seek(c, after);
    if (rc == 1 && str_equal(c->key, after))
        rc = store_cursor_next(c);
    return rc;
}

int
catalog_next(struct store_txn *txn, struct str after, struct index_info *ret)
{
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_INDEXES);

    index_info_init(ret);
    if (rc >= 0)
        rc = seek_after(&c, after);
    if (rc == 1)
        rc = decode(ret, c.key, c.value);
    store_cursor_close(&c);
    return rc;
}

uint64_t
catalog_count(struct store_txn *txn)
{
    uint64_t n = 0;

    return store_count(txn, TABLE_INDEXES, &n) < 0 ? 0 : n;
}

void
index_info_write_json(struct buf *out, const struct index_info *i)
{
    struct json_out j = json_out(out);

    json_begin_object(&j);
    json_key(&j, "uid");
    json_put_cstr(&j, i->uid);
    json_key(&j, "createdAt");
    json_put_time(&j, i->created_at_ns);
    json_key(&j, "updatedAt");
    json_put_time(&j, i->updated_at_ns);
    json_key(&j, "primaryKey");
    json_put_cstr(&j, i->primary_key);
    json_end_object(&j);
}

void
index_info_write_stats_json(struct buf *out, const struct index_info *i, bool is_indexing)
{
    struct json_out j = json_out(out);

    json_begin_object(&j);
    json_key(&j, "numberOfDocuments");
    json_put_u64(&j, i->n_documents);
    json_key(&j, "rawDocumentDbSize");
    json_put_u64(&j, i->raw_bytes);
    json_key(&j, "avgDocumentSize");
    json_put_u64(&j, i->n_documents == 0 ? 0 : i->raw_bytes / i->n_documents);
    json_key(&j, "isIndexing");
    json_put_bool(&j, is_indexing);
    json_key(&j, "numberOfEmbeddings");
    json_put_u64(&j, 0);
    json_key(&j, "numberOfEmbeddedDocuments");
    json_put_u64(&j, 0);
    json_key(&j, "fieldDistribution");
    json_put_raw(&j, str_from(i->field_distribution == NULL ? "{}" : i->field_distribution));
    json_end_object(&j);
}
