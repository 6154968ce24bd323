/* LD_PRELOAD shim: TASKHOOK_RESOLV_CONF names the file that stands for /etc/resolv.conf, so that a
 * test's own name server is asked. */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS /* would make one of open and open64: programs call both */
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *
stand_in(const char *path)
{
    const char *other = getenv("TASKHOOK_RESOLV_CONF");
    return other != NULL && strcmp(path, "/etc/resolv.conf") == 0 ? other : path;
}

#define WRAP(name, more_flags)                                                                     \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        va_list ap;                                                                                \
        va_start(ap, flags);                                                                       \
        int mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(ap, int) : 0;                     \
        va_end(ap);                                                                                \
        return (int) syscall(SYS_openat, AT_FDCWD, stand_in(path), flags | (more_flags), mode);    \
    }

WRAP(open, 0)
WRAP(open64, O_LARGEFILE)
