/* The trash: unmaps and truncates piece by piece, then unlinks. Owns the directory trash/; must not
 * know what the files were. */
#include "store/trash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "store/dir.h"

enum {
    SMALL_BYTES = 1 << 20,     /* removed at once */
    PIECE_BYTES = 512 * 1024,  /* given back at a time: about 300 us */
    MAP_PIECE_BYTES = 2 << 20, /* the same of a mapping */
};

struct map {
    char *at;
    size_t len;
};

struct trash {
    struct loop_slice slice;
    int dir;
    int file; /* the one being shortened, -1: none */
    off_t file_bytes;
    char name[NAME_MAX + 1]; /* its name, in dir */
    struct map *maps;        /* the last one goes first */
    size_t n_maps;
};

/* --- the slice */

/* The first name in a directory: 1, 0 when it is empty, -1. */
static int
first_name(int fd, char ret[NAME_MAX + 1])
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    int rc = dir == NULL ? -1 : 0;

    if (dir == NULL) {
        if (copy >= 0)
            (void) close(copy); /* read-only descriptor */
        return rc;
    }
    for (struct dirent *e; rc == 0 && (e = readdir(dir)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        (void) strcpy(ret, e->d_name); /* d_name is no longer */
        rc = 1;
    }
    (void) closedir(dir);
    return rc;
}

/* Moves what is in a directory up, one name a call; removes it when it is empty. 0 or -1. */
static int
empty_dir(struct trash *t, int fd)
{
    char name[NAME_MAX + 1], moved[UUID_TEXT_LEN + 1];
    struct uuid uuid = uuid_v4();
    int rc = first_name(fd, name);

    if (rc <= 0)
        return rc < 0 ? rc : unlinkat(t->dir, t->name, AT_REMOVEDIR);
    return renameat(fd, name, t->dir, uuid_format(&uuid, moved));
}

/* Takes up the next name: 1, 0 when there is none, -1. */
static int
take_next(struct trash *t)
{
    struct stat st;
    int rc = first_name(t->dir, t->name);

    if (rc <= 0)
        return rc;
    int fd = openat(t->dir, t->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        rc = empty_dir(t, fd);
        (void) close(fd); /* read-only descriptor */
        return rc < 0 ? rc : 1;
    }
    t->file = openat(t->dir, t->name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (t->file < 0 || fstat(t->file, &st) != 0)
        return unlinkat(t->dir, t->name, 0) == 0 ? 1 : -1; /* no file of ours: as it is */
    t->file_bytes = st.st_size;
    return 1;
}

static int
drop_file(struct trash *t)
{
    int rc = unlinkat(t->dir, t->name, 0);

    (void) close(t->file); /* what it held is worth nothing */
    t->file = -1;
    return rc < 0 ? rc : 1;
}

static void
unmap_piece(struct trash *t)
{
    struct map *m = &t->maps[t->n_maps - 1];
    size_t n = m->len < MAP_PIECE_BYTES ? m->len : MAP_PIECE_BYTES;

    (void) munmap(m->at, n); /* fails only for what is no mapping */
    m->at += n;
    m->len -= n;
    t->n_maps -= m->len == 0;
}

/* A piece of work: 1 when there may be more, 0 when the trash is empty, -1. */
static int
advance(struct trash *t)
{
    if (t->n_maps > 0) { /* before the file behind it: else shortening that would unmap it */
        unmap_piece(t);
        return 1;
    }
    if (t->file < 0)
        return take_next(t);
    t->file_bytes -= PIECE_BYTES;
    if (t->file_bytes <= 0 || ftruncate(t->file, t->file_bytes) != 0)
        return drop_file(t);
    return 1;
}

static enum loop_slice_result
on_slice(void *arg, int64_t deadline_us)
{
    struct trash *t = arg;
    int rc;

    do
        rc = advance(t);
    while (rc == 1 && clock_mono_us() < deadline_us);
    if (rc < 0) /* met again with the next thing thrown away, or at the next start */
        log_warn("store", "cannot empty the trash name=%s error=\"%s\"", t->name, strerror(errno));
    return rc == 1 ? SLICE_MORE : SLICE_IDLE;
}

/* --- from outside */

struct trash *
trash_open(const char *data_dir, struct loop *l, struct err *err)
{
    struct buf path = BUF_INIT;
    struct trash *t = mem_new(1, sizeof(*t));

    t->dir = t->file = -1;
    loop_slice_init(&t->slice, l, on_slice, t);
    buf_addf(&path, "%s/trash", data_dir);
    if (dir_make(buf_cstr(&path)) == 0)
        t->dir = open(buf_cstr(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t->dir < 0) {
        (void) err_set(err, ERR_IO_ERROR, "cannot open directory %s: %s", buf_cstr(&path),
                       strerror(errno));
        trash_close(t);
        t = NULL;
    } else {
        loop_slice_wake(&t->slice);
    }
    buf_done(&path);
    return t;
}

void
trash_close(struct trash *t)
{
    if (t == NULL)
        return;
    loop_slice_sleep(&t->slice);
    if (t->file >= 0)
        (void) close(t->file); /* what it held is worth nothing */
    if (t->dir >= 0)
        (void) close(t->dir); /* read-only descriptor */
    while (t->n_maps > 0)
        unmap_piece(t);
    free(t->maps);
    free(t);
}

int
trash_put_dir(struct trash *t, int at, const char *name)
{
    char moved[UUID_TEXT_LEN + 1];
    struct uuid uuid = uuid_v4();

    if (renameat(at, name, t->dir, uuid_format(&uuid, moved)) != 0)
        return -1;
    loop_slice_wake(&t->slice);
    return 0;
}

int
trash_put(struct trash *t, int at, const char *name)
{
    struct stat st;

    if (t != NULL && fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > SMALL_BYTES &&
        trash_put_dir(t, at, name) == 0)
        return 0;
    return unlinkat(at, name, 0) == 0 || errno == ENOENT ? 0 : -1;
}

void
trash_put_map(struct trash *t, void *map, size_t len)
{
    if (len == 0)
        return;
    if (t == NULL) {
        (void) munmap(map, len); /* fails only for what is no mapping */
        return;
    }
    t->maps = mem_grow(t->maps, t->n_maps + 1, sizeof(*t->maps));
    t->maps[t->n_maps++] = (struct map){.at = map, .len = len};
    loop_slice_wake(&t->slice);
}
