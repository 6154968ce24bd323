#pragma once
/* Faults of the disk: this program's own fdatasync() and writes, also for LMDB, fail when asked to.
 * A direct write (direct.h) is a write and a sync; either fault is told when it is waited for. */
#include <stdbool.h>

enum fault_call { FAULT_SYNC, FAULT_WRITE, FAULT_CALLS };

/* The calls on files whose path ends so fail with the errno, after `skip` that succeed, `times`
 * times
 * (-1: always). One fault a kind of call at a time; a NULL path ends it. */
void fault_set(enum fault_call call, const char *path_end, int error, int skip, int times);
void fault_clear(void);
/* How many calls were made on such files since fault_set. */
int fault_seen(enum fault_call call);
/* From now on the kernel has no direct writes, or has them again. */
void fault_refuse_direct(bool is_refused);
