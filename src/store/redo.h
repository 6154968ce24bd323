#pragma once
/* What ties an environment to its journal: notes a transaction's changes, commits, checkpoints,
 * recovers. For env.c only. */
#include "store/env_internal.h"

struct redo *redo_new(const char *dir);
void redo_free(struct redo *r); /* NULL accepted */

/* Opens env->mdb, as the journal says: what it holds is in the database afterwards. */
int redo_open(struct store_env *env, struct err *err);
/* A checkpoint after which the journal holds nothing, if it can be made; closes env->mdb. */
void redo_close(struct store_env *env);

/* Around a write transaction; begin is 0 or a STORE_E*. Commit ends mdb; LMDB's code or an errno.
 */
int redo_begin(struct store_env *env);
int redo_commit(struct store_env *env, MDB_txn *mdb);

/* A change about to be made; redo_strike() takes back what was noted since redo_mark(). */
void redo_note_put(struct redo *r, int table, struct str key, struct str value);
void redo_note_delete(struct redo *r, int table, struct str key);
void redo_note_clear(struct redo *r, int table);
/* The transaction whose state a crash would go back to before the journal is read; 0: unknown. */
size_t redo_durable_txn(const struct redo *r);
size_t redo_mark(const struct redo *r);
void redo_strike(struct redo *r, size_t mark);
