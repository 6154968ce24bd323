#pragma once
/* LMDB environments: open, transactions, tables, cursors. The only folder that includes lmdb.h.
 *
 * Rules (design, invariants 2 and 5 and section 5): one write transaction an environment at a time;
 * read transactions open and close inside one callback (index/snapshot.c has the exception); memory
 * returned by a get or a cursor is valid until the transaction ends or, in a write transaction,
 * until the next put or delete: copy before. */
#include "base/err.h"
#include "base/str.h"

/* Negative results of every function below; store_strerror() gives text. */
enum {
    STORE_EIO = -1,      /* the disk refused; the environment may be poisoned */
    STORE_EFULL = -2,    /* map full, transaction too large, or no space */
    STORE_ECORRUPT = -3, /* data not understood, or written by another version */
    STORE_EINVAL = -4,   /* programmer error seen late: bad key size, bad transaction */
    STORE_EBUSY = -5, /* another process holds the environment, or below the floor of free space */
};
const char *store_strerror(int code);

/* One row a table; a folder that stores something has one list of them, the position in the list is
 * the id. */
struct store_table {
    const char *name;
    const char *key, *value; /* shapes, for the reader: "task uid u32be", "task record v1" */
};

struct store_env;
struct store_txn;

/* Opens or creates the environment in directory dir (created 0700 with its parents' existence
 * required). A new one is there whole and durable, under its name, or not at all. map_bytes is
 * address space, not disk. Fails with ERR_INTERNAL/IO_ERROR in err. */
int store_env_open(struct store_env **ret, const char *dir, const struct store_table *tables,
                   int n_tables, size_t map_bytes, struct err *err);
void store_env_close(struct store_env *env); /* no transaction may be open; NULL accepted */

/* --- with a journal (journal.h): a commit costs one sync of dir/journal
 *
 * The database itself is synced at a checkpoint: on demand, when the journal is full, and at close.
 * Opening puts back what the last checkpoint and the journal hold. Until the first
 * store_env_checkpoint() commits are LMDB's own, synced; it needs a journal. */
int store_env_open_journaled(struct store_env **ret, const char *dir,
                             const struct store_table *tables, int n_tables, size_t map_bytes,
                             struct err *err);
bool store_env_has_journal(const struct store_env *env); /* a file, be it an empty one */
int store_env_add_journal(struct store_env *env);        /* unless there is one; not in use yet */
/* No read transaction may be open, and no write transaction. 0 (at once without a journal) or:
 * EFULL: every store_begin_write() is refused until a call succeeds, so ask again when there is
 * space. EIO: the same, and again may help as long as the environment is not broken. */
int store_env_checkpoint(struct store_env *env);
bool store_env_is_behind(const struct store_env *env); /* a checkpoint has something to do */
/* Nothing can be said or done any more before the next start: what is acknowledged is in the
 * journal, what was refused may be. */
bool store_env_is_broken(const struct store_env *env);
/* A checkpoint after so many commits at the latest. */
void store_env_limit_commits(struct store_env *env, unsigned max_commits);

/* False: its file could not be opened again; every operation fails. */
bool store_env_is_open(const struct store_env *env);

/* Bytes used by live pages, and the file's size. */
void store_env_size(struct store_env *env, uint64_t *ret_used_bytes, uint64_t *ret_file_bytes);

int store_begin_read(struct store_env *env, struct store_txn **ret);
int store_begin_write(struct store_env *env, struct store_txn **ret);
int
store_commit(struct store_txn *txn); /* consumes txn, also on failure; durable when it returns 0 */
void store_abort(struct store_txn *txn); /* consumes; NULL accepted; ends a read */

/* 1 found, 0 not found, negative error. ret may be NULL. Keys: 1 to 511 bytes. */
int store_get(struct store_txn *txn, int table, struct str key, struct str *ret);
int store_put(struct store_txn *txn, int table, struct str key, struct str value); /* 0; replaces */
/* Like put, for a key greater than every key of the table (faster); any other key falls back to a
 * put. */
int store_append(struct store_txn *txn, int table, struct str key, struct str value);
int store_delete(struct store_txn *txn, int table, struct str key); /* 1 deleted, 0 was not there */
int store_clear(struct store_txn *txn, int table);                  /* deletes every row */
int store_count(struct store_txn *txn, int table, uint64_t *ret);
/* Adds the bytes of the pages that hold the table's rows now. */
int store_table_bytes(struct store_txn *txn, int table, uint64_t *add_to);

/* A cursor belongs to its transaction and is closed before that ends. */
struct store_cursor {
    void *mdb;             /* private */
    struct store_txn *txn; /* private */
    int table;             /* private */
    struct str key, value; /* the current row after a call that returned 1 */
};
int store_cursor_open(struct store_cursor *c, struct store_txn *txn, int table);
void store_cursor_close(struct store_cursor *c); /* accepts a zeroed one */
/* Each returns 1 with key and value set, 0 at the end, negative on error. */
int store_cursor_seek(struct store_cursor *c, struct str key); /* first row with key >= */
int store_cursor_first(struct store_cursor *c);
int store_cursor_last(struct store_cursor *c);
int store_cursor_next(struct store_cursor *c);
int store_cursor_prev(struct store_cursor *c);
int store_cursor_delete(
    struct store_cursor *c); /* the current row; then next gives the following one. 0 or negative */
