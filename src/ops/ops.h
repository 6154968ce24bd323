#pragma once
/* What each task kind does: building tasks (enqueue) and carrying batches out (struct batch_op
 * rows). */
#include "index/index.h"
#include "queue/queue.h"

struct ops;
struct ops_conf {
    struct loop *loop;
    struct turn *turn;
    struct queue *queue;
    struct index_set *indexes;
    struct payload_dir *payloads;
};
struct ops *ops_new(const struct ops_conf *conf); /* registers every batch_op with the queue */
void ops_free(struct ops *o);
/* For struct queue_hooks. */
int ops_index_facts(void *ops, struct store_txn *txn, struct str index_uid,
                    struct index_facts *ret);
/* Removes index directories and payload files that nothing refers to: at start, before queue_start.
 */
int ops_sweep(struct ops *o, struct err *err);

/* --- building tasks: like queue_add (this turn's transaction; reply after the commit)
 * ----------------------------------------- */
struct ops_result {
    uint32_t task_uid;
    struct buf summary; /* JSON, contract 2.2; the caller frees */
};
struct ops_documents {
    struct str index_uid;
    enum document_method method;
    struct str primary_key, custom_metadata; /* data NULL: none */
    bool skip_creation, allow_index_creation;
    uint64_t received;             /* documents */
    const struct payload *payload; /* NDJSON of compact documents */
};
int ops_add_documents(struct ops *o, const struct ops_documents *d, struct ops_result *ret,
                      struct err *err);
/* payload: one JSON string a line. */
int ops_delete_documents(struct ops *o, struct str index_uid, uint64_t provided,
                         const struct payload *payload, struct str custom_metadata,
                         struct ops_result *ret, struct err *err);
int ops_clear_documents(struct ops *o, struct str index_uid, struct str custom_metadata,
                        struct ops_result *ret, struct err *err);
int ops_create_index(struct ops *o, struct str index_uid, struct str primary_key,
                     struct ops_result *ret, struct err *err);
/* new_uid, primary_key: data NULL: not given. */
int ops_update_index(struct ops *o, struct str index_uid, struct str primary_key,
                     struct str new_uid, struct ops_result *ret, struct err *err);
int ops_delete_index(struct ops *o, struct str index_uid, struct ops_result *ret, struct err *err);
struct ops_swap {
    struct str a, b;
    bool rename;
};
int ops_swap_indexes(struct ops *o, const struct ops_swap *swaps, size_t n, struct ops_result *ret,
                     struct err *err);
/* original_filter: "?uids=1" raw. matched: the set (contract 2.6). */
int ops_cancel_tasks(struct ops *o, struct str original_filter, const struct uidset *matched,
                     struct ops_result *ret, struct err *err);
