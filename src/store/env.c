/* LMDB environments, transactions and cursors; translates LMDB's codes into STORE_E*. Knows no
 * table's meaning. */
#include "store/env.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/dir.h"
#include "store/env_internal.h"
#include "store/redo.h"

enum { STORE_MAX_READERS = 126 };

struct store_txn {
    struct store_env *env;
    MDB_txn *mdb; /* NULL: every operation fails with STORE_EIO */
    bool is_write;
    bool *failed; /* set on a failed change; may be NULL */
};

const char *
store_strerror(int code)
{
    switch (code) {
    case 0:
        return "success";
    case STORE_EIO:
        return "input/output error";
    case STORE_EFULL:
        return "no space left in the database or on the device";
    case STORE_ECORRUPT:
        return "corrupt or unknown data";
    case STORE_EINVAL:
        return "invalid operation";
    case STORE_EBUSY:
        return "the database is busy";
    }
    return "unknown error";
}

int
store_translate(int rc)
{
    switch (rc) {
    case 0:
        return 0;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case MDB_DBS_FULL:
    case ENOSPC:
    case EDQUOT:
        return STORE_EFULL;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_VERSION_MISMATCH:
    case MDB_INVALID:
    case MDB_INCOMPATIBLE:
        return STORE_ECORRUPT;
    case MDB_BAD_VALSIZE:
    case MDB_BAD_TXN:
    case MDB_BAD_DBI:
    case EINVAL:
        return STORE_EINVAL;
    case MDB_READERS_FULL:
    case EBUSY:
    case EAGAIN:
        return STORE_EBUSY;
    }
    return STORE_EIO;
}

static MDB_val
val(struct str s)
{
    return (MDB_val){.mv_size = s.len, .mv_data = (void *) (uintptr_t) s.data};
}

static struct str
str_of(MDB_val v)
{
    return str_make(v.mv_data, v.mv_size);
}

int
env_open_tables(struct store_env *env)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(env->mdb, NULL, 0, &txn);
    if (rc != 0)
        return rc;
    for (int i = 0; i < env->n_tables; i++) {
        rc = mdb_dbi_open(txn, env->tables[i].name, MDB_CREATE, &env->dbis[i]);
        if (rc != 0) {
            mdb_txn_abort(txn);
            return rc;
        }
    }
    return mdb_txn_commit(txn);
}

static struct store_env *
env_new(const struct store_table *tables, int n_tables, size_t map_bytes)
{
    struct store_env *env = mem_new(1, sizeof(*env));
    env->dbis = mem_new((size_t) n_tables, sizeof(*env->dbis));
    env->tables = tables;
    env->n_tables = n_tables;
    env->map_bytes = map_bytes;
    return env;
}

int
env_open_mdb(struct store_env *env, const char *path, unsigned flags)
{
    int rc = mdb_env_create(&env->mdb);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(env->mdb, (MDB_dbi) env->n_tables);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(env->mdb, STORE_MAX_READERS);
    if (rc == 0)
        rc = mdb_env_set_mapsize(env->mdb, env->map_bytes);
    if (rc == 0)
        rc = mdb_env_open(env->mdb, path, flags | MDB_NOTLS, 0600);
    return rc;
}

static int
open_plain(struct store_env *env, const char *path, unsigned flags)
{
    int rc = env_open_mdb(env, path, flags);
    return rc == 0 ? env_open_tables(env) : rc;
}

/* --- a new environment: dir/data.mdb is there whole or not at all
 *
 * LMDB writes the first pages of a file unsynced and refuses them when it meets them torn, so an
 * environment is made under another name: directory, its name synced; new.mdb with all tables,
 * committed; renamed; directory synced; new.mdb-lock removed. That last file, LMDB's own, says
 * until then that the directory may not have been synced. */

static void
path_in(struct buf *ret, const char *dir, const char *name)
{
    buf_clear(ret);
    buf_addf(ret, "%s/%s", dir, name);
}

static int
remove_if_there(const char *path)
{
    return unlink(path) == 0 || errno == ENOENT ? 0 : errno;
}

static int
settle_new(const char *dir, const char *lock_path)
{
    return dir_sync(dir) != 0 ? errno : remove_if_there(lock_path);
}

static int
make_new(const char *dir, const struct store_table *tables, int n_tables, size_t map_bytes)
{
    struct store_env *env = env_new(tables, n_tables, map_bytes);
    struct buf made = BUF_INIT, final = BUF_INIT;
    path_in(&made, dir, "new.mdb");
    path_in(&final, dir, "data.mdb");
    int rc = dir_make(dir) != 0 ? errno : remove_if_there(buf_cstr(&made));
    if (rc == 0)
        rc = open_plain(env, buf_cstr(&made), MDB_NOSUBDIR);
    store_env_close(env);
    if (rc == 0 && rename(buf_cstr(&made), buf_cstr(&final)) != 0)
        rc = errno;
    buf_done(&made);
    buf_done(&final);
    return rc;
}

static int
make_if_new(const char *dir, const struct store_table *tables, int n_tables, size_t map_bytes)
{
    struct buf data = BUF_INIT, lock = BUF_INIT;
    int rc = 0;
    path_in(&data, dir, "data.mdb");
    path_in(&lock, dir, "new.mdb-lock");
    if (access(buf_cstr(&data), F_OK) != 0)
        rc = errno == ENOENT ? make_new(dir, tables, n_tables, map_bytes) : errno;
    if (rc == 0 && access(buf_cstr(&lock), F_OK) == 0)
        rc = settle_new(dir, buf_cstr(&lock));
    buf_done(&data);
    buf_done(&lock);
    return rc;
}

static int
cannot_open(const char *dir, int rc, struct err *err)
{
    return err_set(err, ERR_IO_ERROR, "cannot open database %s: %s", dir, mdb_strerror(rc));
}

int
store_env_open(struct store_env **ret, const char *dir, const struct store_table *tables,
               int n_tables, size_t map_bytes, struct err *err)
{
    struct store_env *env = env_new(tables, n_tables, map_bytes);
    int rc = make_if_new(dir, tables, n_tables, map_bytes);
    if (rc == 0)
        rc = open_plain(env, dir, 0);
    if (rc != 0) {
        store_env_close(env);
        return cannot_open(dir, rc, err);
    }
    *ret = env;
    return 0;
}

int
store_env_open_journaled(struct store_env **ret, const char *dir, const struct store_table *tables,
                         int n_tables, size_t map_bytes, struct err *err)
{
    int rc = make_if_new(dir, tables, n_tables, map_bytes);
    if (rc != 0)
        return cannot_open(dir, rc, err);
    struct store_env *env = env_new(tables, n_tables, map_bytes);
    env->redo = redo_new(dir);
    if (redo_open(env, err) != 0) {
        store_env_close(env);
        return -1;
    }
    *ret = env;
    return 0;
}

void
env_close_mdb(struct store_env *env)
{
    for (int i = 0; i < env->n_spare; i++) {
        mdb_txn_abort(env->spare[i]->mdb);
        free(env->spare[i]);
    }
    env->n_spare = 0;
    if (env->mdb != NULL)
        mdb_env_close(env->mdb);
    env->mdb = NULL;
}

void
store_env_close(struct store_env *env)
{
    if (env == NULL)
        return;
    if (env->redo != NULL)
        redo_close(env);
    env_close_mdb(env);
    redo_free(env->redo);
    free(env->dbis);
    free(env);
}

int
env_open_beside(struct store_env **ret, const struct store_env *like, const char *path)
{
    struct store_env *env = env_new(like->tables, like->n_tables, like->map_bytes);
    int rc = open_plain(env, path, MDB_NOSUBDIR | MDB_NOLOCK);
    if (rc != 0)
        store_env_close(env);
    else
        *ret = env;
    return rc;
}

int
env_open_again(struct store_env *env, const char *dir)
{
    int rc = open_plain(env, dir, 0);
    if (rc != 0)
        env_close_mdb(env);
    return rc;
}

bool
store_env_is_open(const struct store_env *env)
{
    return env->mdb != NULL;
}

static uint64_t
page_bytes(const MDB_stat *stat)
{
    return (stat->ms_branch_pages + stat->ms_leaf_pages + stat->ms_overflow_pages) *
           (uint64_t) stat->ms_psize;
}

void
store_env_size(struct store_env *env, uint64_t *ret_used_bytes, uint64_t *ret_file_bytes)
{
    MDB_envinfo info = {0};
    MDB_stat stat = {0};
    (void) mdb_env_info(env->mdb, &info); /* these two fail only for a NULL environment */
    (void) mdb_env_stat(env->mdb, &stat);
    *ret_file_bytes = (info.me_last_pgno + 1) * (uint64_t) stat.ms_psize;
    *ret_used_bytes = 0;
    struct store_txn *txn;
    if (store_begin_read(env, &txn) != 0)
        return;
    for (int i = 0; i < env->n_tables; i++) {
        if (mdb_stat(txn->mdb, env->dbis[i], &stat) == 0)
            *ret_used_bytes += page_bytes(&stat);
    }
    store_abort(txn);
}

int
store_begin_read(struct store_env *env, struct store_txn **ret)
{
    if (env->n_spare > 0) {
        struct store_txn *txn = env->spare[--env->n_spare];
        int rc = mdb_txn_renew(txn->mdb);
        if (rc == 0) {
            *ret = txn;
            return 0;
        }
        mdb_txn_abort(txn->mdb);
        free(txn);
        return store_translate(rc);
    }
    if (env->mdb == NULL)
        return STORE_EIO;
    struct store_txn *txn = mem_new(1, sizeof(*txn));
    txn->env = env;
    int rc = mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &txn->mdb);
    if (rc != 0) {
        free(txn);
        return store_translate(rc);
    }
    *ret = txn;
    return 0;
}

int
store_begin_write(struct store_env *env, struct store_txn **ret)
{
    int refused = env->redo != NULL ? redo_begin(env) : 0;
    if (refused == 0 && env->mdb == NULL)
        refused = STORE_EIO;
    if (refused != 0)
        return refused;
    struct store_txn *txn = mem_new(1, sizeof(*txn));
    txn->env = env;
    txn->is_write = true;
    int rc = mdb_txn_begin(env->mdb, NULL, 0, &txn->mdb);
    if (rc != 0) {
        log_error("store", "cannot begin a transaction: %s", mdb_strerror(rc));
        free(txn);
        return store_translate(rc);
    }
    env->n_writers++;
    *ret = txn;
    return 0;
}

struct store_txn *
store_begin_failed(struct store_env *env)
{
    struct store_txn *txn = mem_new(1, sizeof(*txn));
    txn->env = env;
    txn->is_write = true;
    return txn;
}

void
store_watch_failures(struct store_txn *txn, bool *failed)
{
    txn->failed = failed;
}

int
store_commit(struct store_txn *txn)
{
    int rc = EIO;
    txn->env->n_writers -= txn->mdb != NULL;
    if (txn->mdb != NULL)
        rc = txn->env->redo != NULL ? redo_commit(txn->env, txn->mdb) : mdb_txn_commit(txn->mdb);
    if (rc != 0)
        log_error("store", "commit failed: %s", mdb_strerror(rc));
    free(txn);
    return rc == MDB_PANIC ? STORE_EIO : store_translate(rc);
}

void
store_abort(struct store_txn *txn)
{
    if (txn == NULL)
        return;
    if (!txn->is_write && txn->env->n_spare < STORE_SPARE_READS) {
        mdb_txn_reset(txn->mdb);
        txn->env->spare[txn->env->n_spare++] = txn;
        return;
    }
    txn->env->n_writers -= txn->is_write && txn->mdb != NULL;
    if (txn->mdb != NULL)
        mdb_txn_abort(txn->mdb);
    free(txn);
}

/* A change went wrong: nothing of this transaction may be committed. */
static int
failed(struct store_txn *txn, int rc)
{
    if (rc != 0 && txn->failed != NULL)
        *txn->failed = true;
    return store_translate(rc);
}

int
store_get(struct store_txn *txn, int table, struct str key, struct str *ret)
{
    MDB_val k = val(key), v;
    if (txn->mdb == NULL)
        return STORE_EIO;
    int rc = mdb_get(txn->mdb, txn->env->dbis[table], &k, &v);
    if (rc == MDB_NOTFOUND)
        return 0;
    if (rc != 0)
        return store_translate(rc);
    if (ret != NULL)
        *ret = str_of(v);
    return 1;
}

/* Changes are noted before they are made: keys and values may lie in pages that the change moves.
 * What did not happen is struck out. */
static size_t
note_mark(const struct store_txn *txn)
{
    return txn->env->redo == NULL ? 0 : redo_mark(txn->env->redo);
}

static void
note_strike(struct store_txn *txn, size_t mark)
{
    if (txn->env->redo != NULL)
        redo_strike(txn->env->redo, mark);
}

static int
put(struct store_txn *txn, int table, struct str key, struct str value, unsigned flags)
{
    MDB_val k = val(key), v = val(value);
    if (txn->mdb == NULL)
        return failed(txn, EIO);
    size_t mark = note_mark(txn);
    if (txn->env->redo != NULL)
        redo_note_put(txn->env->redo, table, key, value);
    int rc = mdb_put(txn->mdb, txn->env->dbis[table], &k, &v, flags);
    if (rc == MDB_KEYEXIST && flags == MDB_APPEND)
        rc = mdb_put(txn->mdb, txn->env->dbis[table], &k, &v, 0);
    if (rc != 0)
        note_strike(txn, mark);
    return failed(txn, rc);
}

int
store_put(struct store_txn *txn, int table, struct str key, struct str value)
{
    return put(txn, table, key, value, 0);
}

int
store_append(struct store_txn *txn, int table, struct str key, struct str value)
{
    return put(txn, table, key, value, MDB_APPEND);
}

int
store_delete(struct store_txn *txn, int table, struct str key)
{
    MDB_val k = val(key);
    if (txn->mdb == NULL)
        return failed(txn, EIO);
    size_t mark = note_mark(txn);
    if (txn->env->redo != NULL)
        redo_note_delete(txn->env->redo, table, key);
    int rc = mdb_del(txn->mdb, txn->env->dbis[table], &k, NULL);
    if (rc != 0)
        note_strike(txn, mark);
    if (rc == MDB_NOTFOUND)
        return 0;
    return rc == 0 ? 1 : failed(txn, rc);
}

int
store_clear(struct store_txn *txn, int table)
{
    if (txn->mdb == NULL)
        return failed(txn, EIO);
    size_t mark = note_mark(txn);
    if (txn->env->redo != NULL)
        redo_note_clear(txn->env->redo, table);
    int rc = mdb_drop(txn->mdb, txn->env->dbis[table], 0);
    if (rc != 0)
        note_strike(txn, mark);
    return failed(txn, rc);
}

int
store_count(struct store_txn *txn, int table, uint64_t *ret)
{
    MDB_stat stat;
    if (txn->mdb == NULL)
        return STORE_EIO;
    int rc = mdb_stat(txn->mdb, txn->env->dbis[table], &stat);
    if (rc != 0)
        return store_translate(rc);
    *ret = stat.ms_entries;
    return 0;
}

int
store_table_bytes(struct store_txn *txn, int table, uint64_t *add_to)
{
    MDB_stat stat;
    if (txn->mdb == NULL)
        return STORE_EIO;
    int rc = mdb_stat(txn->mdb, txn->env->dbis[table], &stat);
    if (rc != 0)
        return store_translate(rc);
    *add_to += page_bytes(&stat);
    return 0;
}

int
store_cursor_open(struct store_cursor *c, struct store_txn *txn, int table)
{
    MDB_cursor *mdb;
    *c = (struct store_cursor){0};
    if (txn->mdb == NULL)
        return STORE_EIO;
    int rc = mdb_cursor_open(txn->mdb, txn->env->dbis[table], &mdb);
    if (rc != 0)
        return store_translate(rc);
    c->mdb = mdb;
    c->txn = txn;
    c->table = table;
    return 0;
}

void
store_cursor_close(struct store_cursor *c)
{
    if (c->mdb != NULL)
        mdb_cursor_close(c->mdb);
    *c = (struct store_cursor){0};
}

static int
move(struct store_cursor *c, MDB_cursor_op op, struct str from)
{
    MDB_val k = val(from), v = {0};
    if (c->mdb == NULL)
        return STORE_EIO;
    int rc = mdb_cursor_get(c->mdb, &k, &v, op);
    if (rc == MDB_NOTFOUND)
        return 0;
    if (rc != 0)
        return store_translate(rc);
    c->key = str_of(k);
    c->value = str_of(v);
    return 1;
}

int
store_cursor_seek(struct store_cursor *c, struct str key)
{
    return key.len == 0 ? move(c, MDB_FIRST, STR_NULL) : move(c, MDB_SET_RANGE, key);
}

int
store_cursor_first(struct store_cursor *c)
{
    return move(c, MDB_FIRST, STR_NULL);
}

int
store_cursor_last(struct store_cursor *c)
{
    return move(c, MDB_LAST, STR_NULL);
}

int
store_cursor_next(struct store_cursor *c)
{
    return move(c, MDB_NEXT, STR_NULL);
}

int
store_cursor_prev(struct store_cursor *c)
{
    return move(c, MDB_PREV, STR_NULL);
}

int
store_cursor_delete(struct store_cursor *c)
{
    if (c->mdb == NULL)
        return STORE_EIO;
    MDB_val k, v;
    size_t mark = note_mark(c->txn);
    int rc = 0;
    if (c->txn->env->redo != NULL && (rc = mdb_cursor_get(c->mdb, &k, &v, MDB_GET_CURRENT)) == 0)
        redo_note_delete(c->txn->env->redo, c->table, str_of(k));
    if (rc == 0)
        rc = mdb_cursor_del(c->mdb, 0);
    if (rc != 0)
        note_strike(c->txn, mark);
    return failed(c->txn, rc);
}
