/* Task payloads as files updates/<uuid>. Owns the directory's descriptor; knows nothing of tasks.
 */
#include "store/payload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/dir.h"
#include "store/trash.h"

enum {
    WRITE_PIECE_BYTES = 64 * 1024,
    WRITEBACK_BYTES = 1 << 20, /* dirty bytes after which the kernel is told to start writing: keeps
                                  the sync short */
};

struct payload_dir {
    int fd;
    struct trash *trash; /* may be NULL */
};

struct payload_writer {
    struct payload_dir *dir;
    struct buf pending; /* inline bytes, or what was not written to the file yet */
    int fd;             /* -1: still inline */
    struct uuid file;
    uint64_t size, written, pushed;
};

static int
disk_error(struct err *err, const char *what)
{
    enum err_code code =
        errno == ENOSPC || errno == EDQUOT ? ERR_NO_SPACE_LEFT_ON_DEVICE : ERR_IO_ERROR;
    if (errno == EMFILE || errno == ENFILE)
        code = ERR_TOO_MANY_OPEN_FILES;
    return err_set(err, code, "cannot %s a task payload: %s", what, strerror(errno));
}

struct payload_dir *
payload_dir_open(const char *data_dir, struct err *err)
{
    return payload_dir_open_named(data_dir, "updates", err);
}

struct payload_dir *
payload_dir_open_named(const char *data_dir, const char *name, struct err *err)
{
    struct buf path = BUF_INIT;
    buf_addf(&path, "%s/%s", data_dir, name);
    int fd = -1;
    if (dir_make(buf_cstr(&path)) == 0)
        fd = open(buf_cstr(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        (void) err_set(err, ERR_IO_ERROR, "cannot open directory %s: %s", buf_cstr(&path),
                       strerror(errno));
        buf_done(&path);
        return NULL;
    }
    buf_done(&path);
    struct payload_dir *d = mem_new(1, sizeof(*d));
    d->fd = fd;
    return d;
}

void
payload_dir_close(struct payload_dir *d)
{
    if (d == NULL)
        return;
    (void) close(d->fd); /* read-only descriptor */
    free(d);
}

void
payload_dir_use_trash(struct payload_dir *d, struct trash *t)
{
    d->trash = t;
}

struct payload_writer *
payload_writer_new(struct payload_dir *d)
{
    struct payload_writer *w = mem_new(1, sizeof(*w));
    w->dir = d;
    w->fd = -1;
    return w;
}

static int
write_all(struct payload_writer *w, struct err *err)
{
    struct str s = buf_str(&w->pending);
    while (s.len > 0) {
        ssize_t n = write(w->fd, s.data, s.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return disk_error(err, "write");
        s = str_slice(s, (size_t) n, s.len);
        w->written += (uint64_t) n;
    }
    buf_clear(&w->pending);
    if (w->written - w->pushed >= WRITEBACK_BYTES) {
        /* Only a hint: the sync at the end is what counts. */
        (void) sync_file_range(w->fd, (off64_t) w->pushed, (off64_t) (w->written - w->pushed),
                               SYNC_FILE_RANGE_WRITE);
        w->pushed = w->written;
    }
    return 0;
}

static int
spill(struct payload_writer *w, struct err *err)
{
    char name[UUID_TEXT_LEN + 1];
    w->file = uuid_v4();
    w->fd = openat(w->dir->fd, uuid_format(&w->file, name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                   0600);
    return w->fd < 0 ? disk_error(err, "create") : write_all(w, err);
}

int
payload_writer_add(struct payload_writer *w, struct str bytes, struct err *err)
{
    buf_add_str(&w->pending, bytes);
    if (buf_failed(&w->pending))
        return err_set(err, ERR_INTERNAL, "out of memory while storing a payload");
    w->size += bytes.len;
    if (w->fd < 0 && w->size > PAYLOAD_INLINE_MAX_BYTES)
        return spill(w, err);
    if (w->fd >= 0 && w->pending.len >= WRITE_PIECE_BYTES)
        return write_all(w, err);
    return 0;
}

uint64_t
payload_writer_size(const struct payload_writer *w)
{
    return w->size;
}

int
payload_writer_finish(struct payload_writer *w, struct payload *ret, struct err *err)
{
    *ret = (struct payload){.size = w->size};
    if (w->fd < 0) {
        ret->inline_bytes = buf_str(&w->pending);
        return 0;
    }
    if (write_all(w, err) != 0)
        return -1;
    if (fdatasync(w->fd) != 0 || fsync(w->dir->fd) != 0)
        return disk_error(err, "sync");
    ret->file = w->file;
    return 0;
}

int
payload_writer_finish_file(struct payload_writer *w, struct payload *ret, struct err *err)
{
    if (w->fd < 0 && spill(w, err) < 0)
        return -1;
    return payload_writer_finish(w, ret, err);
}

void
payload_writer_free(struct payload_writer *w, bool keep)
{
    if (w == NULL)
        return;
    if (w->fd >= 0)
        (void) close(w->fd); /* synced before, or thrown away below */
    if (!keep && !uuid_is_nil(&w->file))
        payload_unlink(w->dir, &w->file);
    buf_done(&w->pending);
    free(w);
}

int
payload_map(struct payload_dir *d, const struct uuid *file, struct str *ret, struct err *err)
{
    char name[UUID_TEXT_LEN + 1];
    struct stat st;
    int fd = openat(d->fd, uuid_format(file, name), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return disk_error(err, "open");
    if (fstat(fd, &st) != 0) {
        int rc = disk_error(err, "read");
        (void) close(fd);
        return rc;
    }
    void *p =
        st.st_size == 0 ? NULL : mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    int rc = p == MAP_FAILED ? disk_error(err, "map") : 0;
    (void) close(fd); /* the mapping stays */
    if (rc != 0)
        return rc;
    if (p != NULL)
        (void) madvise(p, (size_t) st.st_size, MADV_SEQUENTIAL); /* a hint */
    *ret = str_make(p, (size_t) st.st_size);
    return 0;
}

void
payload_unmap_front(struct str *mapped, const char *upto)
{
    size_t page = (size_t) sysconf(_SC_PAGESIZE), n = (size_t) (upto - mapped->data) / page * page;

    payload_unmap(str_slice(*mapped, 0, n));
    *mapped = str_slice(*mapped, n, mapped->len);
}

void
payload_unmap(struct str mapped)
{
    if (mapped.len > 0)
        (void) munmap((void *) (uintptr_t) mapped.data, mapped.len);
}

void
payload_unlink(struct payload_dir *d, const struct uuid *file)
{
    char name[UUID_TEXT_LEN + 1];
    if (uuid_is_nil(file))
        return;
    if (trash_put(d->trash, d->fd, uuid_format(file, name)) != 0)
        log_warn("store", "cannot remove a payload file=%s error=\"%s\"", name, strerror(errno));
}

void
payload_dir_sweep(struct payload_dir *d, bool (*keep)(void *arg, const struct uuid *file),
                  void *arg)
{
    int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL)
        return;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        struct uuid file;
        if (e->d_name[0] == '.' || !uuid_parse(str_from(e->d_name), &file, NULL) ||
            keep(arg, &file))
            continue;
        log_info("store", "removing an orphaned payload file=%s", e->d_name);
        payload_unlink(d, &file);
    }
    (void) closedir(dir);
}
