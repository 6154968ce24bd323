#pragma once
/* What turn.c needs of env.c beyond the public interface. */
#include "store/env.h"

/* A write transaction on which everything fails with STORE_EIO: for a turn whose real one could not
 * begin. */
struct store_txn *store_begin_failed(struct store_env *env);
/* Sets *failed to true when a change in txn fails. */
void store_watch_failures(struct store_txn *txn, bool *failed);
