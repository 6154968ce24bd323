/* LD_PRELOAD library: syncs do nothing, so that the same server can be measured without the price
 * of durability. For measuring only. */
/* The functions below replace glibc's: its checked and renamed variants must stay out of the way.
 */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

int
fdatasync(int fd)
{
    (void) fd;
    return 0;
}

int
fsync(int fd)
{
    (void) fd;
    return 0;
}

int
sync_file_range(int fd, off_t at, off_t len, unsigned flags)
{
    (void) fd, (void) at, (void) len, (void) flags;
    return 0;
}

/* LMDB writes its meta pages through a descriptor that syncs each write, and the journal its
 * records through one that goes past the page cache, too. */
int
open(const char *path, int flags, ...)
{
    static int (*real)(const char *, int, ...);
    va_list ap;
    va_start(ap, flags);
    int mode = va_arg(ap, int);
    va_end(ap);
    if (real == NULL)
        *(void **) &real = dlsym(RTLD_NEXT, "open");
    return real(path, flags & ~(O_DSYNC | O_SYNC | O_DIRECT), mode);
}

int
open64(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    int mode = va_arg(ap, int);
    va_end(ap);
    return open(path, flags, mode);
}
