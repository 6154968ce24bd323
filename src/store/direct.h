#pragma once
/* Durable writes past the page cache, which the disk works on while their writer does something
 * else: Linux' asynchronous I/O on a descriptor with O_DIRECT and O_DSYNC. One at a time. It takes
 * neither threads nor a library; where the kernel, a sandbox or the file system has no such thing,
 * the caller writes and syncs as everybody does. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DIRECT_BLOCK_BYTES = 4096,
    DIRECT_MAX_BYTES = 1 << 20 /* of one write: it is copied */
};

struct direct;

/* For the file of the descriptor, which is not kept; it has been written up to where direct_start()
 * is going to write. NULL when that is refused. */
struct direct *direct_open(int fd);
void direct_close(struct direct *d); /* nothing may be under way; NULL accepted */

/* Writes the bytes and, behind them, zeros up to the next block. `at` is a multiple of the block.
 * False: nothing is under way, and never will be again. */
bool direct_start(struct direct *d, const void *bytes, size_t len, uint64_t at);
/* Waits for what was started. 0: durable. EINVAL, EOPNOTSUPP: not for this file, nothing was
 * written. Any other errno: what the disk holds there is unknown. */
int direct_finish(struct direct *d);
