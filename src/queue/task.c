/* Tasks: the names of kinds and statuses, and the record in the store. Knows no table and no batch;
 * the JSON is in task_json.c. */
#include "queue/task.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/rec.h"

/* A new shape of the record means a new version here that task_decode() reads next to the old. */
enum { TASK_RECORD_VERSION = 1, TASK_MAX_ALSO_INDEXES = 1 << 16 };

static const char *const kind_rows[KIND_COUNT] = {
    [KIND_DOCUMENT_ADDITION_OR_UPDATE] = "documentAdditionOrUpdate",
    [KIND_DOCUMENT_EDITION] = "documentEdition",
    [KIND_DOCUMENT_DELETION] = "documentDeletion",
    [KIND_SETTINGS_UPDATE] = "settingsUpdate",
    [KIND_INDEX_CREATION] = "indexCreation",
    [KIND_INDEX_DELETION] = "indexDeletion",
    [KIND_INDEX_UPDATE] = "indexUpdate",
    [KIND_INDEX_SWAP] = "indexSwap",
    [KIND_TASK_CANCELATION] = "taskCancelation",
    [KIND_TASK_DELETION] = "taskDeletion",
    [KIND_DUMP_CREATION] = "dumpCreation",
    [KIND_SNAPSHOT_CREATION] = "snapshotCreation",
    [KIND_EXPORT] = "export",
    [KIND_UPGRADE_DATABASE] = "upgradeDatabase",
    [KIND_INDEX_COMPACTION] = "indexCompaction",
    [KIND_NETWORK_TOPOLOGY_CHANGE] = "networkTopologyChange",
    [KIND_DSR_UPDATE] = "dsrUpdate",
    [KIND_DSR_CLEAR] = "dsrClear",
    [KIND_WEBHOOK_REPLAY] = "webhookReplay",
    [KIND_INDEX_STAGE] = "indexStage",
    [KIND_INDEX_DEPLOY] = "indexDeploy",
    [KIND_REPORT] = "report",
};

static const char *const status_rows[TASK_STATUS_COUNT] = {
    [TASK_ENQUEUED] = "enqueued", [TASK_PROCESSING] = "processing", [TASK_SUCCEEDED] = "succeeded",
    [TASK_FAILED] = "failed",     [TASK_CANCELED] = "canceled",
};

const char *
task_kind_name(enum task_kind k)
{
    return kind_rows[k];
}

const char *
task_status_name(enum task_status s)
{
    return status_rows[s];
}

/* Position of the name in rows, or n. */
static int
find_name(const char *const *rows, int n, struct str name)
{
    int i = 0;
    while (i < n && !str_equal_nocase(str_from(rows[i]), name))
        i++;
    return i;
}

bool
task_kind_from_name(struct str name, enum task_kind *ret)
{
    int i = find_name(kind_rows, KIND_COUNT, name);
    if (i == KIND_COUNT)
        return false;
    *ret = (enum task_kind) i;
    return true;
}

bool
task_status_from_name(struct str name, enum task_status *ret)
{
    int i = find_name(status_rows, TASK_STATUS_COUNT, name);
    if (i == TASK_STATUS_COUNT)
        return false;
    *ret = (enum task_status) i;
    return true;
}

void
task_init(struct task *t)
{
    *t = (struct task){.uid = TASK_NONE, .batch_uid = TASK_NONE, .canceled_by = TASK_NONE};
}

void
task_done(struct task *t)
{
    for (uint32_t i = 0; i < t->n_also_indexes; i++)
        free(t->also_indexes[i]);
    free(t->also_indexes);
    free(t->index_uid);
    free(t->details);
    free(t->custom_metadata);
    free(t->primary_key);
    free(t->params);
    free(t->matched);
    err_done(&t->error);
    task_init(t);
}

void
task_encode(struct buf *out, const struct task *t)
{
    rec_put_u8(out, TASK_RECORD_VERSION);
    rec_put_u32(out, t->uid);
    rec_put_u32(out, t->batch_uid);
    rec_put_u32(out, t->canceled_by);
    rec_put_u8(out, (uint8_t) t->kind);
    rec_put_u8(out, (uint8_t) t->status);
    rec_put_u8(out, (uint8_t) t->role);
    rec_put_u8(out, t->allow_index_creation);
    rec_put_i64(out, t->enqueued_at_ns);
    rec_put_i64(out, t->started_at_ns);
    rec_put_i64(out, t->finished_at_ns);
    rec_put_cstr(out, t->index_uid);
    rec_put_u32(out, t->n_also_indexes);
    for (uint32_t i = 0; i < t->n_also_indexes; i++)
        rec_put_str(out, str_from(t->also_indexes[i]));
    rec_put_cstr(out, t->details);
    /* By name: the catalogue of errors may be reordered. */
    rec_put_cstr(out, err_is_set(&t->error) ? err_name(t->error.code) : NULL);
    rec_put_cstr(out, t->error.message);
    rec_put_cstr(out, t->custom_metadata);
    rec_put_cstr(out, t->primary_key);
    rec_put_cstr(out, t->params);
    rec_put_cstr(out, t->matched);
    rec_put_uuid(out, &t->payload_file);
    rec_put_u64(out, t->payload_size);
}

static void
decode_indexes(struct rec *r, struct task *t)
{
    t->index_uid = rec_cstr(r);
    uint32_t n = rec_u32(r);
    if (n > TASK_MAX_ALSO_INDEXES || n > r->rest.len)
        r->failed = true;
    if (r->failed || n == 0)
        return;
    t->also_indexes = mem_new(n, sizeof(*t->also_indexes));
    for (uint32_t i = 0; i < n && !r->failed; i++) {
        struct str uid = rec_str(r);
        t->also_indexes[t->n_also_indexes++] = mem_strndup(uid.data, uid.len);
    }
}

static void
decode_error(struct rec *r, struct task *t)
{
    char *name = rec_cstr(r);
    char *message = rec_cstr(r);
    if (name != NULL)
        (void) err_set_str(&t->error, err_from_name(str_from(name)), str_from(message));
    free(name);
    free(message);
}

static void
decode_enums(struct rec *r, struct task *t)
{
    uint8_t kind = rec_u8(r), status = rec_u8(r), role = rec_u8(r);
    if (kind >= KIND_COUNT || status >= TASK_STATUS_COUNT || role >= ROLE_COUNT) {
        r->failed = true;
        return;
    }
    t->kind = (enum task_kind) kind;
    t->status = (enum task_status) status;
    t->role = (enum task_role) role;
}

int
task_decode_head(struct task_head *ret, struct str record)
{
    struct rec r = rec_open(record, TASK_RECORD_VERSION);
    struct task t;
    task_init(&t);
    t.uid = rec_u32(&r);
    t.batch_uid = rec_u32(&r);
    t.canceled_by = rec_u32(&r);
    decode_enums(&r, &t);
    (void) rec_u8(&r); /* allow_index_creation */
    t.enqueued_at_ns = rec_i64(&r);
    t.started_at_ns = rec_i64(&r);
    t.finished_at_ns = rec_i64(&r);
    *ret = (struct task_head){t.uid,    t.batch_uid,      t.canceled_by,   t.kind,
                              t.status, t.enqueued_at_ns, t.started_at_ns, t.finished_at_ns};
    return r.failed ? STORE_ECORRUPT : 0;
}

int
task_decode(struct task *ret, struct str record)
{
    struct rec r = rec_open(record, TASK_RECORD_VERSION);
    struct task t;
    task_init(&t);
    t.uid = rec_u32(&r);
    t.batch_uid = rec_u32(&r);
    t.canceled_by = rec_u32(&r);
    decode_enums(&r, &t);
    t.allow_index_creation = rec_u8(&r) != 0;
    t.enqueued_at_ns = rec_i64(&r);
    t.started_at_ns = rec_i64(&r);
    t.finished_at_ns = rec_i64(&r);
    decode_indexes(&r, &t);
    t.details = rec_cstr(&r);
    decode_error(&r, &t);
    t.custom_metadata = rec_cstr(&r);
    t.primary_key = rec_cstr(&r);
    t.params = rec_cstr(&r);
    t.matched = rec_cstr(&r);
    t.payload_file = rec_uuid(&r);
    t.payload_size = rec_u64(&r);
    if (!rec_ok(&r)) {
        task_done(&t);
        return STORE_ECORRUPT;
    }
    *ret = t;
    return 0;
}
