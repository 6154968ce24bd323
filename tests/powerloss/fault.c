/* LD_PRELOAD shim of the fault tests: a disk that fails while a file exists.
 *
 *   TASKHOOK_FAULT   the beginning of the files' names:
 *   ....eio          fsync, fdatasync and the kernel's asynchronous writes (all of them durable)
 * fail with EIO
 *   ....full         whatever would make a regular file longer fails with ENOSPC
 *
 * Nothing else changes: what was written before is there when a process without the shim starts. */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS /* would make one of pwrite and pwrite64: programs call both */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static bool
is_there(const char *which)
{
    char path[4096];
    int saved = errno;
    const char *prefix = getenv("TASKHOOK_FAULT");
    if (prefix == NULL ||
        snprintf(path, sizeof(path), "%s.%s", prefix, which) >= (int) sizeof(path))
        return false;
    bool found = syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
    errno = saved;
    return found;
}

/* Whether [at, at + n) makes the file longer; at -1: from its position on. */
static bool
is_full(int fd, off64_t at, size_t n)
{
    struct stat st;
    if (!is_there("full") || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    if (at < 0)
        at = lseek(fd, 0, SEEK_CUR);
    if (at + (off64_t) n <= st.st_size)
        return false;
    errno = ENOSPC;
    return true;
}

static size_t
length(const struct iovec *v, int n)
{
    size_t sum = 0;
    for (int i = 0; i < n; i++)
        sum += v[i].iov_len;
    return sum;
}

#define WRAP(type, name, parameters, arguments, fails)                                             \
    type name parameters                                                                           \
    {                                                                                              \
        static __typeof__(&name) real;                                                             \
        if (real == NULL)                                                                          \
            real = (__typeof__(&name)) dlsym(RTLD_NEXT, #name);                                    \
        if (fails)                                                                                 \
            return -1;                                                                             \
        return real arguments;                                                                     \
    }

#define FAILS_SYNC (is_there("eio") && (errno = EIO))

WRAP(int, fsync, (int fd), (fd), FAILS_SYNC)
WRAP(int, fdatasync, (int fd), (fd), FAILS_SYNC)
WRAP(ssize_t, write, (int fd, const void *from, size_t n), (fd, from, n), is_full(fd, -1, n))
WRAP(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n),
     is_full(fd, -1, length(v, n)))
WRAP(ssize_t, pwrite, (int fd, const void *from, size_t n, off_t at), (fd, from, n, at),
     is_full(fd, at, n))
WRAP(ssize_t, pwrite64, (int fd, const void *from, size_t n, off64_t at), (fd, from, n, at),
     is_full(fd, at, n))
WRAP(ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at),
     is_full(fd, at, length(v, n)))
WRAP(ssize_t, pwritev64, (int fd, const struct iovec *v, int n, off64_t at), (fd, v, n, at),
     is_full(fd, at, length(v, n)))
WRAP(int, ftruncate, (int fd, off_t to), (fd, to), is_full(fd, to, 0))
WRAP(int, ftruncate64, (int fd, off64_t to), (fd, to), is_full(fd, to, 0))
WRAP(int, fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n),
     is_full(fd, at, (size_t) n))
WRAP(int, fallocate64, (int fd, int mode, off64_t at, off64_t n), (fd, mode, at, n),
     is_full(fd, at, (size_t) n))

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
        real = (__typeof__(&syscall)) dlsym(RTLD_NEXT, "syscall");
    long result = real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (number == SYS_io_getevents && result > 0 && is_there("eio"))
        ((struct io_event *) a[3])->res = -EIO;
    return result;
}
