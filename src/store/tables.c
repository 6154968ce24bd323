/* The tables of the main environment and its format version. */
#include "store/tables.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "store/dir.h"

#define MAIN_MAP_BYTES                                                                             \
    ((size_t) 1 << 40) /* address space, not disk: never resized (pitfalls: LMDB) */
#define FORMAT_VERSION "1"

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
};

static int
check_format(struct store_env *env, const char *dir, struct err *err)
{
    struct store_txn *txn;
    struct str found;
    int rc = store_begin_write(env, &txn);
    if (rc != 0)
        return err_set(err, ERR_IO_ERROR, "cannot read database %s: %s", dir, store_strerror(rc));
    rc = store_get(txn, TABLE_META, STR("format"), &found);
    if (rc == 1 && !str_is(found, FORMAT_VERSION)) {
        (void) err_set(err, ERR_INVALID_STATE,
                       "database %s has format %.*s, this taskhook reads format " FORMAT_VERSION
                       ": use the version that wrote it, or another --db-path",
                       dir, STR_ARG(found));
        store_abort(txn);
        return -1;
    }
    if (rc == 0)
        rc = store_put(txn, TABLE_META, STR("format"), STR(FORMAT_VERSION));
    if (rc < 0) {
        store_abort(txn);
        return err_set(err, ERR_IO_ERROR, "cannot write database %s: %s", dir, store_strerror(rc));
    }
    rc = store_commit(txn);
    return rc == 0 ? 0
                   : err_set(err, ERR_IO_ERROR, "cannot write database %s: %s", dir,
                             store_strerror(rc));
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
        rc = store_env_open(&env, buf_cstr(&dir), main_tables, TABLE_COUNT, MAIN_MAP_BYTES, err);
    if (rc == 0 && (rc = check_format(env, buf_cstr(&dir), err)) != 0)
        store_env_close(env);
    if (rc == 0)
        *ret = env;
    buf_done(&dir);
    return rc;
}
