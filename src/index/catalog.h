#pragma once
/* The index catalogue in the main environment: one row an index, enough to list and count without
 * opening any. */
#include "base/uuid.h"
#include "store/env.h"

enum { INDEX_UID_MAX_BYTES = 400 };
bool index_uid_is_valid(struct str uid); /* 1-400 bytes of [A-Za-z0-9_-] */
/* Appends upstream's text: `x` is not a valid index uid. Index uid can be ... (contract 5.1) */
void index_uid_write_invalid(struct buf *out, struct str uid);

struct index_info {
    char *uid;
    struct uuid uuid;  /* its directory indexes/<uuid> */
    char *primary_key; /* NULL: none yet */
    int64_t created_at_ns, updated_at_ns;
    uint64_t n_documents, raw_bytes; /* raw: sum of the stored documents' sizes */
    char *field_distribution;        /* JSON object text, names in byte order */
};
void index_info_init(struct index_info *i);
void index_info_done(struct index_info *i);
int catalog_get(struct store_txn *txn, struct str uid,
                struct index_info *ret); /* 1 / 0 / negative */
int catalog_put(struct store_txn *txn, const struct index_info *i);
int catalog_delete(struct store_txn *txn, struct str uid);
/* The first index with uid > after (data NULL: the very first), in byte order: 1 / 0 / negative. */
int catalog_next(struct store_txn *txn, struct str after, struct index_info *ret);
uint64_t catalog_count(struct store_txn *txn);
void index_info_write_json(struct buf *out, const struct index_info *i); /* contract 6 */
void index_info_write_stats_json(struct buf *out, const struct index_info *i,
                                 bool is_indexing); /* contract 9 */
