#pragma once
/* What the files of this folder share of env.c beyond the public interface. */
#include <lmdb.h>

#include "store/env.h"

enum { STORE_SPARE_READS = 4 };

struct redo;

struct store_env {
    MDB_env *mdb; /* NULL: could not be opened again; every operation fails */
    MDB_dbi *dbis;
    const struct store_table *tables;
    int n_tables;
    size_t map_bytes;
    struct store_txn
        *spare[STORE_SPARE_READS]; /* reset read transactions: renewing is 5 times cheaper */
    int n_spare, n_writers;        /* n_writers: open write transactions, at most one */
    struct redo *redo;             /* NULL: commits are LMDB's own */
};

/* LMDB's code or an errno as STORE_E*. */
int store_translate(int rc);
/* LMDB's steps of opening; LMDB's code or an errno. */
int env_open_mdb(struct store_env *env, const char *path, unsigned flags);
int env_open_tables(struct store_env *env);
/* A new environment with the same tables in a file of its own, for nobody else. */
int env_open_beside(struct store_env **ret, const struct store_env *like, const char *path);
/* After env_close_mdb(): the file of dir again. LMDB's code or an errno, env->mdb is NULL then. */
int env_open_again(struct store_env *env, const char *dir);
/* Ends what is kept open between transactions and closes env->mdb; harmless twice. */
void env_close_mdb(struct store_env *env);

/* A write transaction on which everything fails with STORE_EIO: for a turn whose real one could not
 * begin. */
struct store_txn *store_begin_failed(struct store_env *env);
/* Sets *failed to true when a change in txn fails. */
void store_watch_failures(struct store_txn *txn, bool *failed);
