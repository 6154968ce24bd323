/* The settings' row in an index environment. */
#include "index/index_internal.h"
#include "index/settings.h"

static int
load(struct store_txn *txn, struct settings *ret)
{
    struct str record;
    int rc = store_get(txn, INDEX_META, INDEX_META_SETTINGS, &record);
    settings_init(ret);
    return rc == 1 ? settings_decode(ret, record) : rc;
}

int
index_reader_settings(struct index_reader *r, struct settings *ret)
{
    return load(r->txn, ret);
}

int
index_writer_settings(struct index_writer *w, struct settings *ret, struct err *err)
{
    int rc = load(index_writer_txn(w), ret);
    return rc < 0 ? index_store_error(err, rc) : 0;
}

int
index_writer_set_settings(struct index_writer *w, const struct settings *s, struct err *err)
{
    struct buf record = BUF_INIT;
    int rc = STORE_EFULL;
    settings_encode(&record, s);
    if (!buf_failed(&record))
        rc = store_put(index_writer_txn(w), INDEX_META, INDEX_META_SETTINGS, buf_str(&record));
    buf_done(&record);
    return rc < 0 ? index_store_error(err, rc) : 0;
}
