/* LD_PRELOAD library: a wall clock that can be set without privileges and without anybody else
 * noticing. TASKHOOK_WALLCLOCK names a FIFO; eight bytes written into it, a native int64_t of
 * nanoseconds, become the distance to the true time, and the process learns of it as from the
 * kernel: its timer on CLOCK_REALTIME with TFD_TIMER_CANCEL_ON_SET is that FIFO, whose read() ends
 * with ECANCELED. With TASKHOOK_WALLCLOCK_PASSES the monotonic clock moves along: the time has not
 * been set, it has passed. For measuring and tests only. */
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static int64_t ahead_ns;
static int fifo = -1;
static bool passes;

int
timerfd_create(clockid_t clock, int flags)
{
    const char *path = getenv("TASKHOOK_WALLCLOCK");
    if (clock != CLOCK_REALTIME || path == NULL || fifo >= 0)
        return (int) syscall(SYS_timerfd_create, clock, flags);
    passes = getenv("TASKHOOK_WALLCLOCK_PASSES") != NULL;
    fifo = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    return fifo;
}

int
timerfd_settime(int fd, int flags, const struct itimerspec *to, struct itimerspec *old)
{
    return fd == fifo && fd >= 0 ? 0 : (int) syscall(SYS_timerfd_settime, fd, flags, to, old);
}

ssize_t
read(int fd, void *to, size_t n)
{
    int64_t distance_ns;
    if (fd != fifo || fd < 0)
        return syscall(SYS_read, fd, to, n);
    if (syscall(SYS_read, fd, &distance_ns, sizeof(distance_ns)) == sizeof(distance_ns)) {
        ahead_ns = distance_ns;
        errno = ECANCELED;
    }
    return -1;
}

int
clock_gettime(clockid_t clock, struct timespec *ret)
{
    static int (*real)(clockid_t, struct timespec *);
    if (real == NULL)
        *(void **) &real = dlsym(RTLD_NEXT, "clock_gettime");
    int rc = real(clock, ret);
    bool is_wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    bool is_mono = clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE;
    if (rc != 0 || ahead_ns == 0 || !(is_wall || (is_mono && passes)))
        return rc;
    int64_t ns = (int64_t) ret->tv_sec * 1000000000 + ret->tv_nsec + ahead_ns;
    *ret = (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    return 0;
}
