/* LD_PRELOAD shim of the power-loss test: passes every call on and appends what it did to the files
 * under one directory to a log, in order. What a disk may have kept of it is rebuild.py's business.
 *
 *   TASKHOOK_POWERLOSS_DIR   the directory: absolute, without symbolic links; it exists
 *   TASKHOOK_POWERLOSS_LOG   the log, outside of it; a second process appends
 *
 *   TASKHOOK_POWERLOSS_UNPIN set: a control. The first read transaction of .../queue, which pins
 * the pages of its last checkpoint (src/store/redo.c), pins nothing
 *
 * When a file with the name of the log and ".stop" behind it appears, the process is killed at the
 * next record: from outside, a kill could come between a call and its record.
 *
 * Recorded: creation, truncation, writes with their bytes, fsync and fdatasync, mkdir, rename,
 * unlink, rmdir. A write of the kernel's asynchronous I/O is recorded twice: when it is submitted,
 * as one that promises nothing, and when it was waited for, as the durable one that it then is. A
 * record is written after its call succeeded and before the caller goes on, so
 * whoever learns something from the program finds the log at least that long. Not recorded:
 * sync_file_range (promises nothing), stores through a mapping (LMDB without MDB_WRITEMAP makes
 * them to lock.mdb only, which no start believes), close (says nothing about the disk). The test
 * compares a full replay with the directory itself: a write by a way that is not wrapped here is
 * found there. */
#undef _FILE_OFFSET_BITS /* would make one of open and open64: programs call both */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum record_op {
    RECORD_ROOT = 1,
    RECORD_CREATE,
    RECORD_MKDIR,
    RECORD_WRITE,
    RECORD_TRUNCATE,
    RECORD_SYNC,
    RECORD_RENAME,
    RECORD_UNLINK,
};
enum { RECORD_MAGIC = 0x504c5231, MAX_FDS = 4096, LOG_FD_MIN = 900 };

/* In the log: this, then the name, then the data; rebuild.py reads the same layout. */
struct record {
    uint32_t magic, op;
    uint64_t inode;     /* of the file or directory itself; 0 for an unlink */
    uint64_t dir;       /* that holds (or held) the name */
    uint64_t other_dir; /* of a rename: the new one, whose name is the data */
    uint64_t offset;    /* of a write; of a truncation: the new size */
    uint64_t data_len;
    uint32_t name_len;
    uint32_t is_durable; /* a write through a descriptor with O_DSYNC or O_SYNC */
};

/* Where a path leads: a name in a directory under the root. */
struct place {
    uint64_t dir;
    char name[NAME_MAX + 1];
};

struct tracked {
    dev_t dev;
    ino_t inode; /* 0: not ours */
    bool is_durable, is_append;
};

static char root[PATH_MAX];
static size_t root_len;
static char stop_path[PATH_MAX];
static int log_fd = -1;
static struct tracked tracked[MAX_FDS];
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

/* The next definition of a wrapped function. */
#define REAL(name) ((__typeof__(&name)) next_symbol(#name))

static void *
next_symbol(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL)
        abort();
    return found;
}

/* --- the log */

static void
append(struct record r, const char *name, const struct iovec *data, int n_data)
{
    struct iovec all[IOV_MAX];
    int saved = errno;
    ssize_t total = (ssize_t) (sizeof(r) + r.name_len + r.data_len);
    if (log_fd < 0)
        return;
    if (n_data > IOV_MAX - 2)
        abort();
    r.magic = RECORD_MAGIC;
    all[0] = (struct iovec){.iov_base = &r, .iov_len = sizeof(r)};
    all[1] = (struct iovec){.iov_base = (void *) (uintptr_t) name, .iov_len = r.name_len};
    for (int i = 0; i < n_data; i++)
        all[i + 2] = data[i];
    (void) pthread_mutex_lock(&log_lock); /* a default mutex: cannot fail */
    if (syscall(SYS_writev, log_fd, all, n_data + 2) != total)
        abort(); /* a log with a hole proves nothing */
    if (syscall(SYS_faccessat, AT_FDCWD, stop_path, F_OK) == 0)
        (void) kill(getpid(), SIGKILL); /* does not return */
    (void) pthread_mutex_unlock(&log_lock);
    errno = saved;
}

static void
append_entry(enum record_op op, const struct place *place, uint64_t inode)
{
    append((struct record){.op = op,
                           .inode = inode,
                           .dir = place->dir,
                           .name_len = (uint32_t) strlen(place->name)},
           place->name, NULL, 0);
}

__attribute__((constructor)) static void
start(void)
{
    const char *dir = getenv("TASKHOOK_POWERLOSS_DIR"), *path = getenv("TASKHOOK_POWERLOSS_LOG");
    struct stat st;
    if (dir == NULL || path == NULL)
        return;
    int fd =
        (int) syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    log_fd = fcntl(fd, F_DUPFD_CLOEXEC, LOG_FD_MIN); /* out of the way of the program's own */
    if (log_fd < 0 || stat(dir, &st) != 0 || strlen(dir) >= sizeof(root) ||
        snprintf(stop_path, sizeof(stop_path), "%s.stop", path) >= (int) sizeof(stop_path))
        abort();
    (void) syscall(SYS_close, fd);
    root_len = strlen(strcpy(root, dir));
    append((struct record){.op = RECORD_ROOT, .inode = st.st_ino}, "", NULL, 0);
}

/* --- which calls are ours */

static bool
is_under_root(int fd)
{
    char link[32], path[PATH_MAX];
    (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd); /* fits */
    ssize_t n = log_fd < 0 ? -1 : syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof(path));
    return n >= (ssize_t) root_len && memcmp(path, root, root_len) == 0 &&
           (n == (ssize_t) root_len || path[root_len] == '/');
}

static bool
find_place(int at, const char *path, struct place *ret)
{
    char parent[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    struct stat st;
    if (log_fd < 0 || strlen(path) >= sizeof(parent) || strlen(name) > NAME_MAX)
        return false;
    if (slash != NULL) {
        size_t len = slash == path ? 1 : (size_t) (slash - path);
        memcpy(parent, path, len);
        parent[len] = '\0';
    }
    int fd = (int) syscall(SYS_openat, at, parent, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool is_ours = is_under_root(fd) && fstat(fd, &st) == 0;
    (void) syscall(SYS_close, fd);
    if (is_ours) {
        ret->dir = st.st_ino;
        strcpy(ret->name, name);
    }
    return is_ours;
}

static uint64_t
inode_at(int at, const char *path)
{
    struct stat st;
    return fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
}

/* No power loss leaves anything of a file without a name. */
static bool
is_nameless(int flags)
{
    return (flags & O_TMPFILE) == O_TMPFILE;
}

static void
track(int fd, int flags)
{
    struct stat st;
    if (fd >= MAX_FDS)
        return;
    tracked[fd] = (struct tracked){0};
    if (is_nameless(flags) || !is_under_root(fd) || fstat(fd, &st) != 0)
        return;
    tracked[fd] = (struct tracked){.dev = st.st_dev,
                                   .inode = st.st_ino,
                                   .is_durable = (flags & (O_DSYNC | O_SYNC)) != 0,
                                   .is_append = (flags & O_APPEND) != 0};
}

/* Also after the number was given to something else. */
static struct tracked *
find_tracked(int fd, struct stat *st)
{
    if (fd < 0 || fd >= MAX_FDS || tracked[fd].inode == 0)
        return NULL;
    struct tracked *t = &tracked[fd];
    bool is_same = fstat(fd, st) == 0 && st->st_dev == t->dev && st->st_ino == t->inode;
    return is_same ? t : NULL;
}

/* --- opening */

static int
open_any(int at, const char *path, int flags, mode_t mode)
{
    struct place place;
    int saved = errno;
    bool creates =
        (flags & O_CREAT) != 0 && find_place(at, path, &place) && inode_at(at, path) == 0;
    errno = saved;
    int fd = REAL(openat64)(at, path, flags, mode);
    saved = errno;
    if (fd >= 0)
        track(fd, flags);
    if (fd >= 0 && fd < MAX_FDS && tracked[fd].inode != 0) {
        if (creates)
            append_entry(RECORD_CREATE, &place, tracked[fd].inode);
        else if ((flags & O_TRUNC) != 0)
            append((struct record){.op = RECORD_TRUNCATE, .inode = tracked[fd].inode}, "", NULL, 0);
    }
    errno = saved;
    return fd;
}

static mode_t
mode_of(int flags, va_list args)
{
    return (flags & O_CREAT) != 0 || is_nameless(flags) ? va_arg(args, mode_t) : 0;
}

#define WRAP_OPEN(name)                                                                            \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        mode_t mode = mode_of(flags, args);                                                        \
        va_end(args);                                                                              \
        return open_any(AT_FDCWD, path, flags, mode);                                              \
    }
#define WRAP_OPENAT(name)                                                                          \
    int name(int at, const char *path, int flags, ...)                                             \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        mode_t mode = mode_of(flags, args);                                                        \
        va_end(args);                                                                              \
        return open_any(at, path, flags, mode);                                                    \
    }
WRAP_OPEN(open)
WRAP_OPEN(open64)
WRAP_OPENAT(openat)
WRAP_OPENAT(openat64)

int
creat(const char *path, mode_t mode)
{
    return open_any(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

int
creat64(const char *path, mode_t mode)
{
    return open_any(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

/* --- writing */

/* Only the first n bytes of the pieces were written. */
static void
wrote(const struct tracked *t, off_t at, const struct iovec *pieces, int n_pieces, ssize_t n)
{
    struct iovec done[IOV_MAX];
    size_t left = (size_t) n;
    int n_done = 0;
    for (; n_done < n_pieces && left > 0; n_done++) {
        done[n_done] = pieces[n_done];
        if (done[n_done].iov_len > left)
            done[n_done].iov_len = left;
        left -= done[n_done].iov_len;
    }
    append((struct record){.op = RECORD_WRITE,
                           .inode = t->inode,
                           .offset = (uint64_t) at,
                           .data_len = (uint64_t) n,
                           .is_durable = t->is_durable},
           "", done, n_done);
}

/* Where a write without an offset goes; -1 for what is not ours. */
static off_t
position(int fd, struct tracked **ret)
{
    struct stat st;
    int saved = errno;
    *ret = find_tracked(fd, &st);
    off_t at = *ret == NULL ? -1 : (*ret)->is_append ? st.st_size : lseek(fd, 0, SEEK_CUR);
    errno = saved;
    return at;
}

ssize_t
write(int fd, const void *data, size_t len)
{
    struct tracked *t;
    off_t at = position(fd, &t);
    ssize_t n = REAL(write)(fd, data, len);
    if (t != NULL && n > 0)
        wrote(t, at, &(struct iovec){.iov_base = (void *) (uintptr_t) data, .iov_len = len}, 1, n);
    return n;
}

ssize_t
writev(int fd, const struct iovec *pieces, int n_pieces)
{
    struct tracked *t;
    off_t at = position(fd, &t);
    ssize_t n = REAL(writev)(fd, pieces, n_pieces);
    if (t != NULL && n > 0)
        wrote(t, at, pieces, n_pieces, n);
    return n;
}

ssize_t
pwrite64(int fd, const void *data, size_t len, off_t at)
{
    struct tracked *t;
    (void) position(fd, &t);
    ssize_t n = REAL(pwrite64)(fd, data, len, at);
    if (t != NULL && n > 0)
        wrote(t, at, &(struct iovec){.iov_base = (void *) (uintptr_t) data, .iov_len = len}, 1, n);
    return n;
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t at)
{
    return pwrite64(fd, data, len, at);
}

ssize_t
pwritev64(int fd, const struct iovec *pieces, int n_pieces, off_t at)
{
    struct tracked *t;
    (void) position(fd, &t);
    ssize_t n = REAL(pwritev64)(fd, pieces, n_pieces, at);
    if (t != NULL && n > 0)
        wrote(t, at, pieces, n_pieces, n);
    return n;
}

ssize_t
pwritev(int fd, const struct iovec *pieces, int n_pieces, off_t at)
{
    return pwritev64(fd, pieces, n_pieces, at);
}

/* --- asynchronous writes: calls without a name in libc; one at a time is all that the program does
 */

static struct iocb under_way; /* aio_nbytes 0: none */

static void
record_async(const struct iocb *w, bool is_finished)
{
    struct stat st;
    const struct tracked *found = find_tracked((int) w->aio_fildes, &st);
    if (found == NULL || w->aio_lio_opcode != IOCB_CMD_PWRITE)
        abort(); /* nothing else is known here */
    struct tracked t = *found;
    t.is_durable &= is_finished;
    wrote(&t, w->aio_offset,
          &(struct iovec){.iov_base = (void *) (uintptr_t) w->aio_buf, .iov_len = w->aio_nbytes}, 1,
          (ssize_t) w->aio_nbytes);
}

static void
note_submit(const long *a, long result)
{
    if (log_fd < 0 || result == 0)
        return;
    if (result != 1 || under_way.aio_nbytes != 0)
        abort();
    under_way = **(struct iocb **) a[2];
    record_async(&under_way, false);
}

static void
note_events(const long *a, long result)
{
    const struct io_event *event = (const struct io_event *) a[3];
    if (log_fd < 0 || result == 0)
        return;
    if (result != 1 || under_way.aio_nbytes == 0)
        abort();
    if (event->res == (int64_t) under_way.aio_nbytes)
        record_async(&under_way, true);
    under_way.aio_nbytes = 0;
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
        real = REAL(syscall);
    long result = real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (number == SYS_io_submit && result >= 0)
        note_submit(a, result);
    else if (number == SYS_io_getevents && result >= 0)
        note_events(a, result);
    return result;
}

/* --- sizes */

static int
resized(int fd, int result)
{
    struct stat st;
    int saved = errno;
    const struct tracked *t = result == 0 ? find_tracked(fd, &st) : NULL;
    if (t != NULL)
        append((struct record){.op = RECORD_TRUNCATE,
                               .inode = t->inode,
                               .offset = (uint64_t) st.st_size},
               "", NULL, 0);
    errno = saved;
    return result;
}

int
ftruncate64(int fd, off_t size)
{
    return resized(fd, REAL(ftruncate64)(fd, size));
}

int
ftruncate(int fd, off_t size)
{
    return ftruncate64(fd, size);
}

/* Only the size counts: space that is reserved without it changes nothing that is read. */
int
fallocate64(int fd, int mode, off_t offset, off_t len)
{
    return resized(fd, REAL(fallocate64)(fd, mode, offset, len));
}

int
fallocate(int fd, int mode, off_t offset, off_t len)
{
    return fallocate64(fd, mode, offset, len);
}

int
posix_fallocate64(int fd, off_t offset, off_t len)
{
    return resized(fd, REAL(posix_fallocate64)(fd, offset, len));
}

int
posix_fallocate(int fd, off_t offset, off_t len)
{
    return posix_fallocate64(fd, offset, len);
}

/* --- syncing */

static int
synced(int fd, int result)
{
    struct stat st;
    int saved = errno;
    const struct tracked *t = result == 0 ? find_tracked(fd, &st) : NULL;
    if (t != NULL)
        append((struct record){.op = RECORD_SYNC, .inode = t->inode}, "", NULL, 0);
    errno = saved;
    return result;
}

int
fsync(int fd)
{
    return synced(fd, REAL(fsync)(fd));
}

int
fdatasync(int fd)
{
    return synced(fd, REAL(fdatasync)(fd));
}

/* --- names */

int
mkdirat(int at, const char *path, mode_t mode)
{
    struct place place;
    int saved = errno;
    bool is_ours = find_place(at, path, &place);
    errno = saved;
    int result = REAL(mkdirat)(at, path, mode);
    if (result == 0 && is_ours)
        append_entry(RECORD_MKDIR, &place, inode_at(at, path));
    return result;
}

int
mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

int
unlinkat(int at, const char *path, int flags)
{
    struct place place;
    int saved = errno;
    bool is_ours = find_place(at, path, &place);
    errno = saved;
    int result = REAL(unlinkat)(at, path, flags);
    if (result == 0 && is_ours)
        append_entry(RECORD_UNLINK, &place, 0);
    return result;
}

int
unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int
rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int
renameat2(int old_at, const char *old_path, int new_at, const char *new_path, unsigned flags)
{
    struct place from, to;
    int saved = errno;
    bool is_ours = find_place(old_at, old_path, &from) && find_place(new_at, new_path, &to);
    uint64_t inode = is_ours ? inode_at(old_at, old_path) : 0;
    errno = saved;
    int result = REAL(renameat2)(old_at, old_path, new_at, new_path, flags);
    if (result != 0 || !is_ours)
        return result;
    struct iovec name = {.iov_base = to.name, .iov_len = strlen(to.name)};
    append((struct record){.op = RECORD_RENAME,
                           .inode = inode,
                           .dir = from.dir,
                           .other_dir = to.dir,
                           .data_len = name.iov_len,
                           .name_len = (uint32_t) strlen(from.name)},
           from.name, &name, 1);
    return result;
}

int
renameat(int old_at, const char *old_path, int new_at, const char *new_path)
{
    return renameat2(old_at, old_path, new_at, new_path, 0);
}

int
rename(const char *old_path, const char *new_path)
{
    return renameat2(AT_FDCWD, old_path, AT_FDCWD, new_path, 0);
}

/* --- the control without a pin: LMDB is a library of its own, whose header is not needed here */

struct MDB_env;
struct MDB_txn;
enum { READ_ONLY = 0x20000 };

int mdb_txn_begin(struct MDB_env *env, struct MDB_txn *parent, unsigned flags,
                  struct MDB_txn **ret);
int mdb_txn_renew(struct MDB_txn *txn);
void mdb_txn_reset(struct MDB_txn *txn);
int mdb_env_get_path(struct MDB_env *env, const char **ret);

static struct MDB_txn *unpinned;

static bool
is_pin(struct MDB_env *env, unsigned flags)
{
    int (*get_path)(struct MDB_env *, const char **) = REAL(mdb_env_get_path);
    const char *path, *slash;
    if (unpinned != NULL || flags != READ_ONLY || getenv("TASKHOOK_POWERLOSS_UNPIN") == NULL)
        return false;
    return get_path(env, &path) == 0 && (slash = strrchr(path, '/')) != NULL &&
           strcmp(slash, "/queue") == 0;
}

int
mdb_txn_begin(struct MDB_env *env, struct MDB_txn *parent, unsigned flags, struct MDB_txn **ret)
{
    int rc = REAL(mdb_txn_begin)(env, parent, flags, ret);
    if (rc == 0 && is_pin(env, flags)) {
        unpinned = *ret;
        REAL(mdb_txn_reset)(unpinned);
    }
    return rc;
}

int
mdb_txn_renew(struct MDB_txn *txn)
{
    return txn == unpinned ? 0 : REAL(mdb_txn_renew)(txn);
}
