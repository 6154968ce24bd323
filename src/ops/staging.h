#pragma once
/* Staged operations of data sources (contracts.md 2.6): durable, invisible, in the order of their
 * tasks, applied by a deploy. Rows in the main environment, larger payloads as files in updates/.
 *
 * Staging is a log an index, and a deploy is a mark in it: deploy task U applies what is staged
 * with a lower uid, from the last snapshot on. So nothing is moved when a deploy is accepted, fails
 * or is canceled: what it would have applied is still there, in front of what came later. A
 * snapshot that was overtaken and what a deploy has applied is dead at once (one small commit) and
 * deleted afterwards in pieces (invariant 13).
 *
 * Every write goes into the caller's transaction, that of the turn. Results: STORE_E* when
 * negative. */
#include "queue/queue.h"

enum {
    STAGING_MAX_DEPLOYS = 100,            /* unfinished ones an index */
    STAGING_SCHEMA_MAX_BYTES = 64 * 1024, /* names of fields, as a JSON list */
    STAGING_COLLECT_ROWS = 128,           /* deleted in one piece */
};

#define STAGING_ID_NAME "id" /* the primary key of an index that data sources begin */

enum staged_kind { STAGED_SNAPSHOT, STAGED_NOTIFY };

/* One staged operation. Its payload holds a line each: a JSON object to be upserted, or a JSON
 * string, an id to be removed. */
struct staged {
    uint32_t uid; /* of its task */
    enum staged_kind kind;
    uint64_t n_upserts, n_removes;
    uint64_t size;           /* of the payload */
    struct uuid file;        /* nil: inline, or none when size is 0 */
    struct str inline_bytes; /* in the transaction's memory */
};

/* What is known of an index's staging. */
struct staging {
    uint64_t id;
    bool may_create;     /* a deploy may create the index */
    uint32_t dead_below; /* applied already */
};
/* 1 / 0 / negative. */
int staging_get(struct store_txn *txn, struct str index_uid, struct staging *ret);
/* Notes the operation. A snapshot makes dead what no unfinished deploy needs. */
int staging_put(struct queue *q, struct store_txn *txn, struct str index_uid,
                const struct staged *op, bool may_create);
/* names: a JSON list, the index's searchable attributes from the next deploy on. */
int staging_put_schema(struct store_txn *txn, struct str index_uid, uint32_t uid, struct str names,
                       bool may_create);
/* Notes a deploy: 1, or 0 when there are STAGING_MAX_DEPLOYS unfinished ones. */
int staging_put_deploy(struct queue *q, struct store_txn *txn, struct str index_uid, uint32_t uid);
bool staging_may_deploy(struct queue *q, struct store_txn *txn, struct str index_uid);
/* Whether something is staged that no unfinished deploy will apply: 1 / 0 / negative. */
int staging_has_data(struct queue *q, struct store_txn *txn, struct str index_uid);

/* --- for deploys */
/* The last snapshot below the uid that is not applied yet: 1 / 0 / negative. */
int staging_base(struct store_txn *txn, const struct staging *s, uint32_t below, uint32_t *ret);
/* The operation with the least uid >= from and < below: 1 / 0 / negative. */
int staging_next(struct store_txn *txn, const struct staging *s, uint32_t from, uint32_t below,
                 struct staged *ret);
/* The last staged schema below the uid: 1 / 0 / negative. */
int staging_schema(struct store_txn *txn, const struct staging *s, uint32_t below, struct str *ret);
/* The deploy has applied what was below it. */
int staging_applied(struct store_txn *txn, struct str index_uid, uint32_t uid);

/* --- for what happens to indexes */
/* The index is deleted by the task with that uid: what was staged before it goes too. */
int staging_drop(struct store_txn *txn, struct str index_uid, uint32_t below);
int staging_exchange(struct store_txn *txn, struct str a, struct str b);

/* --- for the collector and the sweep */
/* Deletes up to STAGING_COLLECT_ROWS dead rows and appends their files: 1 when there is more, 0
 * when nothing was dead, negative. */
int staging_collect(struct store_txn *txn, struct uuid *ret_files, size_t *ret_n_files);
bool staging_has_trash(struct store_txn *txn);
int staging_each_file(struct store_txn *txn, int (*fn)(void *arg, const struct uuid *file),
                      void *arg);
