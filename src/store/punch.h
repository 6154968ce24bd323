#pragma once
/* Giving free pages of an environment back to the file system.
 *
 * LMDB uses freed pages again but never makes its file shorter. Pages that are free in the last
 * durable state, and therefore in every later one, hold nothing that anybody may read again, not
 * after a crash either: LMDB itself may overwrite them at any time. So they become holes of the
 * file, a part of it a call, while the server works. */
#include "store/env.h"

/* One part from page *at on (0 at first): 1 when there is more, 0 at the end, STORE_EBUSY while a
 * write transaction is open (call again in another turn), STORE_EINVAL where the file system has no
 * holes, or another negative. Works until deadline_us, but at least on one page. */
int store_env_punch(struct store_env *env, uint64_t *at, int64_t deadline_us);
bool store_env_is_writing(const struct store_env *env); /* a write transaction is open */
/* What the file takes on the disk. */
uint64_t store_env_disk_bytes(struct store_env *env);
