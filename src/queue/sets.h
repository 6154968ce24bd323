#pragma once
/* The sets of tasks and batches that listings, cancelations and deletions are answered from: which
 * uids have a status, a kind, an index, a batch ... A row of TABLE_TASK_SETS is one chunk of one
 * set (bits.h), so that a change touches a few bytes and a question reads a few rows. Private to
 * the folder.
 *
 * Changes are collected and written at the end of the turn, before its commit: whatever a turn adds
 * costs one row a set. The stored sets are therefore behind within a turn; readers use committed
 * ones, or flush first. */
#include "queue/bits.h"
#include "queue/times.h"
#include "queue/uidmap.h"
#include "store/env.h"

/* Stored in keys: numbers are never used again for something else. */
enum set_kind {
    SET_STATUS = 1, /* number: enum task_status */
    SET_TYPE,       /* number: enum task_kind */
    SET_INDEX,      /* name: an index uid the task is attached to */
    SET_BATCH,      /* number: batch uid */
    SET_CANCELER,   /* number: uid of the cancelation */
    /* members are batch uids */
    SET_BATCH_STATUS = 16,
    SET_BATCH_TYPE,
    SET_BATCH_INDEX,
    /* passing */
    SET_RESULT_STATUS = 32, /* tasks of TABLE_TASK_RESULTS by their final status */
    SET_DELETED,            /* number 0: tasks that are deleted though their rows are there */
    SET_DELETED_BATCH,      /* number 0: the same of batches */
    SET_MATCHED,            /* number: the cancelation or deletion whose they are */
};
struct set_id {
    enum set_kind kind;
    uint32_t number;
    struct str name; /* data NULL unless the kind goes by name */
};

/* --- reading */

/* The stored bits of a chunk: 1, 0 (ret is empty), or negative. */
int sets_read(struct store_txn *txn, const struct set_id *id, uint32_t chunk, struct bits *ret);
/* The nearest stored chunk at or after (descending: at or before) `at`: 1 / 0 / negative. */
int sets_seek(struct store_txn *txn, const struct set_id *id, uint32_t at, bool ascending,
              uint32_t *ret_chunk);
/* The least stored member at or after `at`: 1 / 0 / negative. */
int sets_next(struct store_txn *txn, const struct set_id *id, uint32_t at, uint32_t *ret_uid);
int sets_count(struct store_txn *txn, const struct set_id *id, uint64_t *add_to);
int sets_load(struct store_txn *txn, const struct set_id *id, struct uidmap *ret);

/* --- changing */

struct sets;
struct sets *sets_new(void);
void sets_free(struct sets *s); /* NULL accepted */
/* Each returns 0 or negative. */
int sets_put(struct sets *s, struct store_txn *txn, const struct set_id *id, uint32_t uid,
             bool is_member);
int sets_put_time(struct sets *s, struct store_txn *txn, enum time_column column, uint32_t uid,
                  int64_t ns); /* 0: none */
int sets_flush(struct sets *s, struct store_txn *txn);
/* At once and whole, past what is collected: for sets that nobody changes uid by uid. */
int sets_store(struct store_txn *txn, const struct set_id *id, const struct uidmap *m);
/* Deletes the rows of a set from its first chunk on, at most max: how many, or negative. */
int sets_drop(struct store_txn *txn, const struct set_id *id, unsigned max);
