/* Replaces libc's calls for the whole program. */
#undef _FILE_OFFSET_BITS
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <linux/aio_abi.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static struct {
    const char *path_end;
    int error, skip, times, seen;
} faults[FAULT_CALLS];
static struct {
    bool is_refused;
    int error; /* of the one that is under way; 0: the kernel's own result */
} direct;

void
fault_set(enum fault_call call, const char *path_end, int error, int skip, int times)
{
    faults[call].path_end = path_end;
    faults[call].error = error;
    faults[call].skip = skip;
    faults[call].times = times;
    faults[call].seen = 0;
}

void
fault_clear(void)
{
    memset(faults, 0, sizeof(faults));
}

int
fault_seen(enum fault_call call)
{
    return faults[call].seen;
}

static bool
fails(enum fault_call call, int fd)
{
    char link[32], path[PATH_MAX];
    const char *end = faults[call].path_end;
    if (end == NULL)
        return false;
    (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd); /* fits */
    ssize_t n = readlink(link, path, sizeof(path));
    size_t len = strlen(end);
    if (n < (ssize_t) len || memcmp(path + n - len, end, len) != 0)
        return false;
    if (faults[call].seen++ < faults[call].skip || faults[call].times == 0)
        return false;
    if (faults[call].times > 0)
        faults[call].times--;
    errno = faults[call].error;
    return true;
}

int
fdatasync(int fd)
{
    return fails(FAULT_SYNC, fd) ? -1 : (int) syscall(SYS_fdatasync, fd);
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t at)
{
    return fails(FAULT_WRITE, fd) ? -1 : syscall(SYS_pwrite64, fd, data, len, at);
}

ssize_t
pwrite64(int fd, const void *data, size_t len, off_t at)
{
    return pwrite(fd, data, len, at);
}

ssize_t
writev(int fd, const struct iovec *pieces, int n)
{
    return fails(FAULT_WRITE, fd) ? -1 : syscall(SYS_writev, fd, pieces, n);
}

ssize_t
pwritev(int fd, const struct iovec *pieces, int n, off_t at)
{
    return fails(FAULT_WRITE, fd) ? -1 : syscall(SYS_pwritev, fd, pieces, n, at, 0);
}

void
fault_refuse_direct(bool is_refused)
{
    direct.is_refused = is_refused;
}

/* A write that fails is not made, one whose sync fails is. */
static bool
fails_direct(const struct iocb *w)
{
    int fd = (int) w->aio_fildes;
    bool is_refused = fails(FAULT_WRITE, fd);
    direct.error = is_refused || fails(FAULT_SYNC, fd) ? errno : 0;
    if (direct.error != 0 && !is_refused)
        (void) syscall(SYS_pwrite64, fd, w->aio_buf, w->aio_nbytes, w->aio_offset);
    return direct.error != 0;
}

long
syscall(long number, ...)
{
    static __typeof__(&syscall) real;
    long a[6];
    va_list args;
    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    if (real == NULL)
        *(void **) &real = dlsym(RTLD_NEXT, "syscall");
    if (number == SYS_io_setup && direct.is_refused) {
        errno = ENOSYS;
        return -1;
    }
    if (number == SYS_io_submit && fails_direct(*(struct iocb **) a[2]))
        return 1;
    if (number == SYS_io_getevents && direct.error != 0) {
        *(struct io_event *) a[3] = (struct io_event){.res = -direct.error};
        direct.error = 0;
        return 1;
    }
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
