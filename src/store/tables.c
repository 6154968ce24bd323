/* The tables of the main environment and its format version. */
#include "store/tables.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "store/dir.h"

#define MAIN_MAP_BYTES                                                                             \
    ((size_t) 1 << 40) /* address space, not disk: never resized (pitfalls: LMDB) */
#define FORMAT_VERSION "2"
#define FORMAT_WITHOUT_JOURNAL "1"

const struct store_table main_tables[TABLE_COUNT] = {
    [TABLE_META] = {"meta", "name", "by name"},
    [TABLE_TASKS] = {"tasks", "task uid u32be", "task record v1"},
    [TABLE_TASK_QUEUE] = {"task-queue", "task uid u32be", "picking facts v1"},
    [TABLE_TASK_QUEUE_INDEX] = {"task-queue-index", "index uid, 0x00, task uid u32be", "empty"},
    [TABLE_TASK_RESULTS] = {"task-results", "task uid u32be", "task record v1"},
    [TABLE_TASK_PAYLOADS] = {"task-payloads", "task uid u32be", "bytes"},
    [TABLE_BATCHES] = {"batches", "batch uid u32be", "batch record v1"},
    [TABLE_IDEMPOTENCY] = {"idempotency", "'k', sha-256; or 't', time u64be, sha-256",
                           "answer record v1; or empty"},
    [TABLE_INDEXES] = {"indexes", "index uid", "catalogue record v1"},
    [TABLE_WEBHOOKS] = {"webhooks", "uuid", "webhook record v1"},
    [TABLE_EVENTS] = {"events", "event number u64be", "event record v1"},
    [TABLE_EVENT_LINES] = {"event-lines", "event number u64be, part u32be", "lines record v1"},
    [TABLE_DELIVERIES] = {"deliveries", "delivery number u64be", "delivery record v1"},
    [TABLE_DELIVERY_DUE] = {"delivery-due", "webhook uuid, due ms u64be, delivery number u64be",
                            "empty"},
    [TABLE_ATTEMPTS] = {"attempts", "delivery number u64be, attempt u32be", "attempt record v1"},
    [TABLE_WEBHOOK_DELIVERIES] = {"webhook-deliveries", "webhook uuid, sequence u64be",
                                  "delivery number u64be"},
    [TABLE_API_KEYS] = {"api-keys", "uid", "API key record v1"},
    [TABLE_TASK_CHANGES] = {"task-changes", "change number u64be", "run of changes v1"},
    [TABLE_STAGING] = {"staging", "index uid", "staging record v1"},
    [TABLE_STAGED] = {"staged", "staging id u64be, kind, task uid u32be",
                      "staged operation or schema record v1; or empty"},
    [TABLE_STAGING_TRASH] = {"staging-trash", "staging id u64be", "trash record v1"},
    [TABLE_REPORTS] = {"reports", "task uid u32be", "report record v1"},
    [TABLE_REPORT_DEFINITIONS] = {"report-definitions", "name", "JSON text"},
    [TABLE_TASK_SETS] = {"task-sets", "kind u8, number u32be or name and 0x00, chunk u32be",
                         "members of the chunk: a byte for the form, runs or members or bits"},
    [TABLE_TASK_TIMES] = {"task-times", "column u8, block u32be", "256 times v1"},
    [TABLE_CONNECTIONS] = {"connections", "uuid", "connection record v1"},
    [TABLE_INBOUND_SEEN] = {"inbound-seen", "'k', sha-256; or 't', time u64be, sha-256",
                            "answer record v1; or empty"},
};

static int
refuse_format(const char *dir, struct str found, struct err *err)
{
    return err_set(err, ERR_INVALID_STATE,
                   "database %s has format %.*s, this taskhook reads format " FORMAT_VERSION
                   ": use the version that wrote it, or another --db-path",
                   dir, STR_ARG(found));
}

/* Without it data.mdb may lack what was acknowledged, or be torn. */
static int
refuse_lost_journal(const char *dir, struct err *err)
{
    return err_set(err, ERR_INVALID_STATE,
                   "the file journal is missing from %s: put it back. If data.mdb is known to be "
                   "complete, such as a copy made by mdb_copy, create an empty file journal there",
                   dir);
}

/* Makes a database of format 1, or a new one, format 2. The journal's name is durable before the
 * format is, and in use only after: an older version either finds a complete database or refuses.
 */
static int
upgrade(struct store_env *env, struct store_txn *txn)
{
    int rc = store_env_add_journal(env);
    return rc == 0 ? store_put(txn, TABLE_META, STR("format"), STR(FORMAT_VERSION)) : rc;
}

/* Ends txn with 0 or the error's code, in err too. */
static int
check_format_in(struct store_env *env, struct store_txn *txn, const char *dir, struct err *err)
{
    struct str found;
    int rc = store_get(txn, TABLE_META, STR("format"), &found);
    bool is_present = rc == 1 && str_is(found, FORMAT_VERSION);
    if (rc == 1 && !is_present && !str_is(found, FORMAT_WITHOUT_JOURNAL))
        rc = refuse_format(dir, found, err);
    else if (is_present && !store_env_has_journal(env))
        rc = refuse_lost_journal(dir, err);
    else if (rc >= 0)
        rc = is_present ? store_env_add_journal(env) : upgrade(env, txn);
    if (rc == 0)
        return store_commit(txn);
    store_abort(txn);
    return rc;
}

static int
check_format(struct store_env *env, const char *dir, struct err *err)
{
    struct store_txn *txn;
    int rc = store_begin_write(env, &txn);
    if (rc == 0)
        rc = check_format_in(env, txn, dir, err);
    if (rc == 0)
        rc = store_env_checkpoint(env);
    if (rc != 0 && !err_is_set(err))
        (void) err_set(err, ERR_IO_ERROR, "cannot write database %s: %s", dir, store_strerror(rc));
    return rc;
}

int
main_env_open(struct store_env **ret, const char *data_dir, struct err *err)
{
    struct buf dir = BUF_INIT;
    struct store_env *env = NULL;
    buf_addf(&dir, "%s/queue", data_dir);
    /* The name of a data directory just created must last too; where its parent may not be read,
     * the administrator made it long ago. */
    int rc = dir_sync_parent(data_dir) == 0 || errno == EACCES
                 ? 0
                 : err_set(err, ERR_IO_ERROR, "cannot sync the parent directory of %s: %s",
                           data_dir, strerror(errno));
    if (rc == 0)
        rc = store_env_open_journaled(&env, buf_cstr(&dir), main_tables, TABLE_COUNT,
                                      MAIN_MAP_BYTES, err);
    if (rc == 0 && (rc = check_format(env, buf_cstr(&dir), err)) != 0)
        store_env_close(env);
    if (rc == 0)
        *ret = env;
    buf_done(&dir);
    return rc;
}
