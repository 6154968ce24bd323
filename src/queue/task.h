#pragma once
/* Tasks: what they are, their record in the store, their JSON (contract 2). The JSON is rendered
 * here for the API, the webhooks and every other reader alike. */
#include "base/err.h"
#include "base/uuid.h"
#include "store/env.h"

enum { TASK_NONE = UINT32_MAX }; /* "no uid" in batch_uid and canceled_by */

/* In the order of upstream's list (contract 1.7); names in kind_rows[] of task.c. */
enum task_kind {
    KIND_DOCUMENT_ADDITION_OR_UPDATE,
    KIND_DOCUMENT_EDITION,
    KIND_DOCUMENT_DELETION,
    KIND_SETTINGS_UPDATE,
    KIND_INDEX_CREATION,
    KIND_INDEX_DELETION,
    KIND_INDEX_UPDATE,
    KIND_INDEX_SWAP,
    KIND_TASK_CANCELATION,
    KIND_TASK_DELETION,
    KIND_DUMP_CREATION,
    KIND_SNAPSHOT_CREATION,
    KIND_EXPORT,
    KIND_UPGRADE_DATABASE,
    KIND_INDEX_COMPACTION,
    KIND_NETWORK_TOPOLOGY_CHANGE,
    KIND_DSR_UPDATE,
    KIND_DSR_CLEAR,
    KIND_OF_OUR_OWN, /* from here on unknown to upstream and to strict client libraries */
    KIND_WEBHOOK_REPLAY = KIND_OF_OUR_OWN,
    KIND_INDEX_STAGE,
    KIND_INDEX_DEPLOY,
    KIND_REPORT,
    KIND_COUNT
};
enum task_status {
    TASK_ENQUEUED,
    TASK_PROCESSING,
    TASK_SUCCEEDED,
    TASK_FAILED,
    TASK_CANCELED,
    TASK_STATUS_COUNT
};
const char *task_kind_name(enum task_kind k);
const char *task_status_name(enum task_status s);
bool task_kind_from_name(struct str name, enum task_kind *ret);     /* any case */
bool task_status_from_name(struct str name, enum task_status *ret); /* any case */

/* How a task behaves when batches are formed (contract 4.1, 4.2). */
enum task_role {
    ROLE_CANCELATION,
    ROLE_TASK_DELETION, /* served before everything else */
    ROLE_IMPORT,
    ROLE_DELETE_BY_IDS,
    ROLE_DELETE_BY_FILTER,
    ROLE_CLEAR,
    ROLE_SETTINGS,
    ROLE_INDEX_DELETION,
    ROLE_ALONE,      /* indexCreation, indexUpdate, indexSwap, documentEdition, report */
    ROLE_BESIDE,     /* never in a batch: webhookReplay (queue_beside_next) */
    ROLE_DEPLOY,     /* alone, but creates its index as an import does */
    ROLE_COMPACTION, /* alone, after cancelations and task deletions, before everything else */
    ROLE_COUNT
};

/* A task in memory: all pointers are owned by it (task_done). */
struct task {
    uint32_t uid, batch_uid, canceled_by; /* TASK_NONE when unset */
    enum task_kind kind;
    enum task_status status;
    enum task_role role;
    char *index_uid;     /* NULL: null */
    char **also_indexes; /* further uids it is attached to: swaps, renames */
    uint32_t n_also_indexes;
    char *details; /* JSON object text as shown by the API; NULL: no `details` key */
    struct err error;
    int64_t enqueued_at_ns, started_at_ns, finished_at_ns; /* 0: unset */
    char *custom_metadata;                                 /* NULL: key omitted */
    char *primary_key;                                     /* given with an import, or NULL */
    bool allow_index_creation;
    char *params;  /* JSON text that only ops/ understands, or NULL; gone once finished */
    char *matched; /* uidset_write() text, in stores from before TABLE_TASK_SETS; else NULL */
    struct uuid
        payload_file; /* nil: inline in TABLE_TASK_PAYLOADS, or none when payload_size is 0 */
    uint64_t payload_size;
};
void task_init(struct task *t);
void task_done(struct task *t);
void task_encode(struct buf *out, const struct task *t);
int task_decode(struct task *ret, struct str record); /* 0, or STORE_ECORRUPT */
/* What stands at the beginning of the record, without any memory: 0, or STORE_ECORRUPT. */
struct task_head {
    uint32_t uid, batch_uid, canceled_by;
    enum task_kind kind;
    enum task_status status;
    int64_t enqueued_at_ns, started_at_ns, finished_at_ns;
};
int task_decode_head(struct task_head *ret, struct str record);
/* What details become when a task fails or is canceled (contract 2.3): its own counter, null until
 * then, is 0. */
void task_fail_details(struct task *t);
/* The way back, for showing what was: the counter is null. */
void task_unfinish_details(struct task *t);
/* The task object of contract 2.1, without a newline. */
void task_write_json(struct buf *out, const struct task *t);
/* The summary of contract 2.2. */
void task_write_summary(struct buf *out, const struct task *t);
