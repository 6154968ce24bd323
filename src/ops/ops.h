#pragma once
/* What each task kind does: building tasks (enqueue) and carrying batches out (struct batch_op
 * rows). */
#include "index/index.h"
#include "ops/staging.h"
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
/* filter: as sent (contract 5.7); the caller has parsed it. */
int ops_delete_by_filter(struct ops *o, struct str index_uid, const struct json *filter,
                         struct str custom_metadata, struct ops_result *ret, struct err *err);
/* Documents in which a field holds exactly that value, whatever the index's filterable attributes.
 */
struct ops_field {
    struct str index_uid;
    struct str name;            /* "asset.id": through objects and arrays */
    struct str value;           /* JSON text of a string or a number */
    struct str custom_metadata; /* data NULL: none */
};
int ops_delete_by_field(struct ops *o, const struct ops_field *f, struct ops_result *ret,
                        struct err *err);
/* payload: one object, merged into each of them. */
int ops_update_by_field(struct ops *o, const struct ops_field *f, const struct payload *payload,
                        struct ops_result *ret, struct err *err);
/* sent: an object of checked values by setting name, null resets (index/settings.h). */
int ops_update_settings(struct ops *o, struct str index_uid, const struct json *sent,
                        bool allow_index_creation, struct ops_result *ret, struct err *err);
int ops_clear_documents(struct ops *o, struct str index_uid, struct str custom_metadata,
                        struct ops_result *ret, struct err *err);
int ops_create_index(struct ops *o, struct str index_uid, struct str primary_key,
                     struct ops_result *ret, struct err *err);
/* new_uid, primary_key: data NULL: not given. */
int ops_update_index(struct ops *o, struct str index_uid, struct str primary_key,
                     struct str new_uid, struct ops_result *ret, struct err *err);
int ops_delete_index(struct ops *o, struct str index_uid, struct ops_result *ret, struct err *err);
int ops_compact_index(struct ops *o, struct str index_uid, struct ops_result *ret, struct err *err);
struct ops_swap {
    struct str a, b;
    bool rename;
};
int ops_swap_indexes(struct ops *o, const struct ops_swap *swaps, size_t n, struct ops_result *ret,
                     struct err *err);
/* --- data sources (contracts.md 2, staging.h). The summary is the answer to the client. */
struct ops_stage {
    struct str index_uid;
    enum staged_kind kind;
    bool may_create; /* the caller may create the index, which it does when deployed */
    uint64_t n_upserts, n_removes;
    const struct payload *payload;
};
/* What the index's documents are known by in requests: its primary key, or "id". 0 with the name
 * appended, or -1 with err when there is no such index and may_create is false. */
int ops_stage_begin(struct ops *o, struct str index_uid, bool may_create, struct buf *ret_id_name,
                    struct err *err);
int ops_stage(struct ops *o, const struct ops_stage *s, struct ops_result *ret, struct err *err);
/* names: a JSON list of fields, the searchable ones from the next deploy on. */
int ops_stage_schema(struct ops *o, struct str index_uid, struct str names, bool may_create,
                     struct ops_result *ret, struct err *err);
int ops_deploy(struct ops *o, struct str index_uid, struct ops_result *ret, struct err *err);
/* Whether something waits for a deploy: 1 or 0, or -1 with err (index_not_found). */
int ops_has_staged(struct ops *o, struct str index_uid, struct err *err);
/* original_filter: "?uids=1" raw. matched: the set (contract 2.6). */
int ops_cancel_tasks(struct ops *o, struct str original_filter, const struct uidmap *matched,
                     struct ops_result *ret, struct err *err);
/* Adds a deletion of the n oldest finished tasks, unless fewer than two are finished. For struct
 * queue_hooks. */
void ops_delete_oldest(void *ops, struct store_txn *txn, uint64_t n);
int ops_delete_tasks(struct ops *o, struct str original_filter, const struct uidmap *matched,
                     struct ops_result *ret, struct err *err);
