/* Asynchronous durable writes by the kernel's own calls, for which libc has no names. Owns a
 * descriptor, the kernel's context and a buffer that is aligned as O_DIRECT wants it. Knows nothing
 * of what is written. */
#include "store/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

struct direct {
    int fd;
    aio_context_t context; /* 0: none */
    char *block;           /* DIRECT_MAX_BYTES */
    size_t n_under_way;    /* bytes */
};

struct direct *
direct_open(int fd)
{
    struct direct *d = mem_new(1, sizeof(*d));
    char path[32];
    (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd); /* fits */
    d->fd = open(path, O_WRONLY | O_DIRECT | O_DSYNC | O_CLOEXEC);
    d->block =
        aligned_alloc(DIRECT_BLOCK_BYTES, DIRECT_MAX_BYTES); /* untouched pages cost nothing */
    if (d->fd < 0 || d->block == NULL || syscall(SYS_io_setup, 1u, &d->context) != 0) {
        direct_close(d);
        return NULL;
    }
    return d;
}

void
direct_close(struct direct *d)
{
    if (d == NULL)
        return;
    if (d->context != 0)
        (void) syscall(SYS_io_destroy, d->context); /* fails only for a wrong context */
    if (d->fd >= 0)
        (void) close(d->fd); /* nothing is under way */
    free(d->block);
    free(d);
}

bool
direct_start(struct direct *d, const void *bytes, size_t len, uint64_t at)
{
    size_t padded = (len + DIRECT_BLOCK_BYTES - 1) / DIRECT_BLOCK_BYTES * DIRECT_BLOCK_BYTES;
    struct iocb write = {.aio_lio_opcode = IOCB_CMD_PWRITE,
                         .aio_fildes = (uint32_t) d->fd,
                         .aio_buf = (uintptr_t) d->block,
                         .aio_nbytes = padded,
                         .aio_offset = (int64_t) at};
    struct iocb *all[] = {&write};
    if (padded > DIRECT_MAX_BYTES)
        return false;
    memcpy(d->block, bytes, len);
    memset(d->block + len, 0, padded - len);
    if (syscall(SYS_io_submit, d->context, 1l, all) != 1)
        return false;
    d->n_under_way = padded;
    return true;
}

int
direct_finish(struct direct *d)
{
    struct io_event event;
    long n;
    do
        n = syscall(SYS_io_getevents, d->context, 1l, 1l, &event, NULL);
    while (n < 0 && errno == EINTR);
    if (n != 1)
        abort(); /* a context that is not ours: nobody can say what the disk does with the buffer */
    size_t expected = d->n_under_way;
    d->n_under_way = 0;
    if (event.res < 0)
        return (int) -event.res;
    return (size_t) event.res == expected ? 0 : EIO;
}
