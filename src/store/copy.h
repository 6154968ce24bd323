#pragma once
/* An environment written anew, row by row, beside itself, and then in its own place: neither free
 * pages nor half-filled ones remain, and what they took goes back to the file system. For
 * environments without a journal that nobody writes meanwhile.
 *
 *   begin (dir/copy.mdb) -> step ... -> put, commit -> take_place: copy.mdb becomes data.mdb
 *
 * Every commit is synced and small. A crash leaves one of the two under the name data.mdb, whole
 * (their rows are the same), and perhaps a file for store_copy_sweep(). */
#include "store/env.h"
#include "store/trash.h"

struct store_copy;

/* Negative (STORE_E*) when the file cannot be made. dir: of the environment. */
int store_copy_begin(struct store_copy **ret, struct store_env *env, const char *dir);
/* Copies until the deadline and commits what was copied when that is enough: 1 when there is more,
 * 0 when every row is in the copy, negative. */
int store_copy_step(struct store_copy *c, int64_t deadline_us);
/* A row that only the copy has, or has otherwise; after the last step. 0 or negative. */
int store_copy_put(struct store_copy *c, int table, struct str key, struct str value);
int store_copy_commit(struct store_copy *c); /* 0 or negative */
/* Puts the copy in the environment's place; inside no transaction. Consumes c. 0; or negative: the
 * environment has its old file, or it is broken (store_env_is_open()). The new name is not durable
 * before ret_is_durable or a dir_sync() of dir: nothing may be committed before. */
int store_copy_take_place(struct store_copy *c, struct trash *trash, bool *ret_is_durable);
void store_copy_abort(struct store_copy *c); /* consumes; NULL accepted */
/* Removes what a crash left: before the environment is opened. */
void store_copy_sweep(const char *dir, struct trash *trash);
