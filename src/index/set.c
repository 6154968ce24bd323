/* The open index environments: found by uuid, referenced, closed least recently used first, and the
 * directories indexes/<uuid> themselves. Must not know what an index holds. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "index/index_internal.h"
#include "store/copy.h"
#include "store/dir.h"

#define INDEX_MAP_BYTES ((size_t) 1 << 38)

static const struct store_table index_tables[INDEX_TABLES] = {
    [INDEX_DOCUMENTS] = {"documents", "internal id u32be", "compact JSON"},
    [INDEX_EXTERNAL_IDS] = {"external-ids", "external id", "internal id u32be"},
    [INDEX_FREE_IDS] = {"free-ids", "internal id u32be", "empty"},
    [INDEX_META] = {"meta", "name", "records of index_internal.h"},
    [INDEX_REFS] = {"refs", "group of internal ids u32be", "references v1"},
    [INDEX_NUMBER_IDS] = {"number-ids", "group of external ids u64be", "internal ids v1"},
    [INDEX_CHANGES] = {"changes", "external id", "existed before"},
    [INDEX_SEGMENTS] = {"segments", "segment number u32be", "segment state v1"},
};

struct index_set {
    char *dir;
    int fd;
    struct trash *trash; /* may be NULL */
    const struct segment_limits *limits;
    struct index *newest, *oldest;
    unsigned n_open, n_snapshots;
};

int
index_store_error(struct err *err, int code)
{
    enum err_code shown = ERR_INTERNAL;

    if (code == STORE_EIO)
        shown = ERR_IO_ERROR;
    else if (code == STORE_EFULL)
        shown = ERR_NO_SPACE_LEFT_ON_DEVICE;
    return err_set(err, shown, "%s", store_strerror(code));
}

struct index_set *
index_set_open(const char *data_dir, struct err *err)
{
    struct buf path = BUF_INIT;
    struct index_set *s = mem_new(1, sizeof(*s));

    buf_addf(&path, "%s/indexes", data_dir);
    s->dir = buf_take(&path);
    s->fd = -1;
    s->limits = &segment_default_limits;
    if (dir_make(s->dir) == 0)
        s->fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->fd < 0) {
        (void) err_set(err, ERR_IO_ERROR, "cannot open directory %s: %s", s->dir, strerror(errno));
        index_set_close(s);
        return NULL;
    }
    return s;
}

void
index_set_use_trash(struct index_set *s, struct trash *t)
{
    s->trash = t;
}

unsigned *
index_set_snapshots(struct index_set *s)
{
    return &s->n_snapshots;
}

struct trash *
index_set_trash(const struct index_set *s)
{
    return s->trash;
}

void
index_set_limit_segments(struct index_set *s, const struct segment_limits *limits)
{
    s->limits = limits;
}

static void
list_unlink(struct index_set *s, struct index *i)
{
    *(i->newer != NULL ? &i->newer->older : &s->newest) = i->older;
    *(i->older != NULL ? &i->older->newer : &s->oldest) = i->newer;
    i->newer = i->older = NULL;
}

static void
list_push(struct index_set *s, struct index *i)
{
    i->older = s->newest;
    i->newer = NULL;
    *(s->newest != NULL ? &s->newest->newer : &s->oldest) = i;
    s->newest = i;
}

static void
close_index(struct index *i)
{
    list_unlink(i->set, i);
    i->set->n_open--;
    segments_close(&i->segments);
    store_env_close(i->env);
    free(i);
}

void
index_set_close(struct index_set *s)
{
    if (s == NULL)
        return;
    while (s->newest != NULL)
        close_index(s->newest);
    if (s->fd >= 0)
        (void) close(s->fd); /* read-only descriptor */
    free(s->dir);
    free(s);
}

static struct index *
find_open(struct index_set *s, const struct uuid *uuid)
{
    for (struct index *i = s->newest; i != NULL; i = i->older)
        if (uuid_equal(&i->uuid, uuid))
            return i;
    return NULL;
}

/* Makes room for one more; false when every open index is in use. */
static bool
evict_one(struct index_set *s)
{
    for (struct index *i = s->oldest; i != NULL; i = i->newer) {
        if (i->references == 0) {
            close_index(i);
            return true;
        }
    }
    return false;
}

static int
open_segments(struct index *i, const char *dir, struct err *err)
{
    struct store_txn *txn;
    int rc = store_begin_read(i->env, &txn);

    if (rc == 0) {
        i->segments = (struct segments){.limits = i->set->limits, .trash = i->set->trash};
        rc = segments_open(&i->segments, dir, txn);
        store_abort(txn);
    }
    return rc < 0 ? index_store_error(err, rc) : 0;
}

static struct index *
open_files(struct index_set *s, const struct uuid *uuid, struct err *err)
{
    char name[UUID_TEXT_LEN + 1];
    struct buf path = BUF_INIT;
    struct index *i = mem_new(1, sizeof(*i));
    int rc;

    *i = (struct index){.set = s, .uuid = *uuid};
    buf_addf(&path, "%s/%s", s->dir, uuid_format(uuid, name));
    store_copy_sweep(buf_cstr(&path), s->trash);
    rc = store_env_open(&i->env, buf_cstr(&path), index_tables, INDEX_TABLES, INDEX_MAP_BYTES, err);
    if (rc == 0)
        rc = open_segments(i, buf_cstr(&path), err);
    buf_done(&path);
    if (rc == 0)
        return i;
    segments_close(&i->segments);
    store_env_close(i->env);
    free(i);
    return NULL;
}

struct index *
index_open(struct index_set *s, const struct uuid *uuid, struct err *err)
{
    struct index *i = find_open(s, uuid);

    if (i != NULL && i->is_removed) {
        (void) err_set(err, ERR_INTERNAL, "the index is being deleted");
        return NULL;
    }
    if (i == NULL) {
        if (s->n_open >= INDEX_MAX_OPEN && !evict_one(s)) {
            (void) err_set(err, ERR_INTERNAL, "too many indexes are in use");
            return NULL;
        }
        i = open_files(s, uuid, err);
        if (i == NULL)
            return NULL;
        s->n_open++;
    } else {
        list_unlink(s, i);
    }
    list_push(s, i);
    i->references++;
    return i;
}

static DIR *
open_dir(const struct index_set *s, const char *name)
{
    int fd = openat(s->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (dir == NULL && fd >= 0)
        (void) close(fd); /* read-only descriptor */
    return dir;
}

void
index_set_add_size(struct index_set *s, const struct uuid *uuid, uint64_t *bytes)
{
    char name[UUID_TEXT_LEN + 1];
    DIR *dir = open_dir(s, uuid_format(uuid, name));
    struct stat st;

    if (dir == NULL)
        return;
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (strcmp(e->d_name, "lock.mdb") != 0 && fstatat(dirfd(dir), e->d_name, &st, 0) == 0 &&
            S_ISREG(st.st_mode))
            *bytes += (uint64_t) st.st_size;
    (void) closedir(dir);
}

uint64_t
index_set_database_bytes(const struct index_set *s, const struct uuid *uuid)
{
    char name[UUID_TEXT_LEN + 1];
    struct buf path = BUF_INIT;
    struct stat st;

    buf_addf(&path, "%s/data.mdb", uuid_format(uuid, name));
    int rc = fstatat(s->fd, buf_cstr(&path), &st, 0);
    buf_done(&path);
    return rc == 0 ? (uint64_t) st.st_size : 0;
}

static void
unlink_dir(struct index_set *s, const char *name)
{
    DIR *dir;

    if (s->trash != NULL && trash_put_dir(s->trash, s->fd, name) == 0)
        return;
    dir = open_dir(s, name);
    if (dir == NULL)
        return;
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            (void) unlinkat(dirfd(dir), e->d_name, 0); /* what stays is met by the next sweep */
    (void) closedir(dir);
    if (unlinkat(s->fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        log_warn("index", "cannot remove directory path=%s/%s error=%s", s->dir, name,
                 strerror(errno));
}

static void
close_and_unlink(struct index_set *s, struct index *i)
{
    char name[UUID_TEXT_LEN + 1];

    uuid_format(&i->uuid, name);
    close_index(i);
    unlink_dir(s, name);
}

void
index_release(struct index *i)
{
    if (i == NULL)
        return;
    i->references--;
    if (i->references == 0 && i->is_removed)
        close_and_unlink(i->set, i);
    else if (i->references == 0 && !store_env_is_open(i->env))
        close_index(i); /* the next one who wants it opens it anew */
}

void
index_remove(struct index_set *s, const struct uuid *uuid)
{
    struct index *i = find_open(s, uuid);
    char name[UUID_TEXT_LEN + 1];

    if (i == NULL)
        unlink_dir(s, uuid_format(uuid, name));
    else if (i->references == 0)
        close_and_unlink(s, i);
    else
        i->is_removed = true;
}

void
index_set_sweep(struct index_set *s, bool (*keep)(void *arg, const struct uuid *uuid), void *arg)
{
    DIR *dir = opendir(s->dir);
    struct uuid uuid;

    if (dir == NULL)
        return;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (!uuid_parse(str_from(e->d_name), &uuid, NULL) || keep(arg, &uuid))
            continue;
        log_info("index", "removing an orphaned index uuid=%s", e->d_name);
        index_remove(s, &uuid);
    }
    (void) closedir(dir);
}
