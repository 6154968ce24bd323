/* Segment files: appending, syncing in pieces, reading through one mapping each, the rows that tell
 * how much of a file counts. Must not know documents, ids, or when to compact. */
#include "index/segments.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "index/index_internal.h"
#include "store/dir.h"
#include "store/rec.h"

#define LOG_TARGET "index"
#define NAME_START "segment-"

enum {
    SEGMENT_VERSION = 1,
    PAGE_BYTES = 4096,          /* a batch begins on a page of its own */
    PIECE_BYTES = 64 * 1024,    /* one write */
    PUSH_BYTES = 1 << 20,       /* the kernel is told to start writing; also waited for at once */
    UNDER_WAY_BYTES = 16 << 20, /* at most so much is on its way: keeps every wait short */
};

const struct segment_limits segment_default_limits = {
    .inline_bytes = 256 * 1024,
    .segment_bytes = 64 << 20,
    .compact_bytes = 4 << 20,
};

static int
disk_error(const struct segments *s, uint32_t number, const char *what)
{
    int error = errno;

    log_error(LOG_TARGET, "cannot %s a segment path=%s/" NAME_START "%08u error=\"%s\"", what,
              s->dir, number, strerror(error));
    return error == ENOSPC || error == EDQUOT || error == EFBIG ? STORE_EFULL : STORE_EIO;
}

static const char *
path_of(const struct segments *s, uint32_t number, struct buf *path)
{
    buf_clear(path);
    buf_addf(path, "%s/" NAME_START "%08u", s->dir, number);
    return buf_cstr(path);
}

static int
open_file(const struct segments *s, uint32_t number, int flags)
{
    struct buf path = BUF_INIT;
    int fd = open(path_of(s, number, &path), flags | O_CLOEXEC, 0600), error = errno;

    buf_done(&path);
    errno = error;
    return fd;
}

static void
remove_file(const struct segments *s, uint32_t number)
{
    struct buf path = BUF_INIT;

    if (trash_put(s->trash, AT_FDCWD, path_of(s, number, &path)) != 0)
        log_warn(LOG_TARGET, "cannot remove a segment path=%s error=\"%s\"", buf_cstr(&path),
                 strerror(errno));
    buf_done(&path);
}

/* --- the list */

struct segment *
segments_find(struct segments *s, uint32_t number)
{
    uint32_t low = 0, high = s->n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->items[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->n && s->items[low].number == number ? &s->items[low] : NULL;
}

/* number is above all others. */
static struct segment *
add_segment(struct segments *s, uint32_t number)
{
    s->items = mem_grow(s->items, s->n + 1, sizeof(*s->items));
    s->items[s->n] = (struct segment){.number = number, .fd = -1};
    s->last_number = number;
    return &s->items[s->n++];
}

static void
unmap(struct segments *s, struct segment *g)
{
    if (g->map != NULL)
        trash_put_map(s->trash, g->map, g->map_bytes);
    g->map = NULL;
}

static void
close_fd(struct segment *g)
{
    if (g->fd >= 0)
        (void) close(g->fd); /* synced before, or worth nothing */
    g->fd = -1;
}

/* --- opening and closing */

static int
load_row(struct segments *s, const struct store_cursor *c)
{
    struct rec r = rec_open(c->value, SEGMENT_VERSION);
    struct segment_state state = {.total = rec_u64(&r), .live = 0};
    uint32_t number = key_read_u32(c->key, 0);

    state.live = rec_u64(&r);
    state.swept = rec_u32(&r);
    if (!rec_ok(&r) || c->key.len != 4 || number == 0)
        return STORE_ECORRUPT;
    struct segment *g = add_segment(s, number);
    g->has_row = true;
    g->committed = g->now = state;
    return 0;
}

static int
load_rows(struct segments *s, struct store_txn *txn)
{
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, INDEX_SEGMENTS);

    if (rc >= 0)
        rc = store_cursor_first(&c);
    while (rc == 1) {
        rc = load_row(s, &c);
        if (rc == 0)
            rc = store_cursor_next(&c);
    }
    store_cursor_close(&c);
    return rc;
}

static void
remove_orphans(struct segments *s)
{
    DIR *dir = opendir(s->dir);
    uint64_t number;

    if (dir == NULL)
        return;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        struct str name = str_from(e->d_name);
        if (!str_starts_with(name, NAME_START) ||
            !str_to_u64(str_slice(name, sizeof(NAME_START) - 1, name.len), UINT32_MAX, &number))
            continue;
        if (segments_find(s, (uint32_t) number) == NULL)
            remove_file(s, (uint32_t) number);
    }
    (void) closedir(dir);
}

int
segments_open(struct segments *s, const char *dir, struct store_txn *txn)
{
    int rc;

    s->dir = mem_strdup(dir);
    rc = load_rows(s, txn);
    if (rc == 0)
        remove_orphans(s);
    return rc;
}

void
segments_drop_retired(struct segments *s)
{
    for (uint32_t i = 0; i < s->n_retired; i++) {
        unmap(s, &s->retired[i]);
        remove_file(s, s->retired[i].number);
    }
    free(s->retired);
    s->retired = NULL;
    s->n_retired = 0;
}

static void
retire(struct segments *s, const struct segment *g)
{
    s->retired = mem_grow(s->retired, s->n_retired + 1, sizeof(*s->retired));
    s->retired[s->n_retired++] = *g;
}

static struct segment *
find_retired(struct segments *s, uint32_t number)
{
    uint32_t i = 0;

    while (i < s->n_retired && s->retired[i].number != number)
        i++;
    return i < s->n_retired ? &s->retired[i] : NULL;
}

void
segments_close(struct segments *s)
{
    segments_drop_retired(s);
    for (uint32_t i = 0; i < s->n; i++) {
        unmap(s, &s->items[i]);
        close_fd(&s->items[i]);
    }
    free(s->items);
    free(s->dir);
    buf_done(&s->pending);
    *s = (struct segments){0};
}

/* --- reading */

static int
map_file(struct segments *s, struct segment *g)
{
    struct stat st;
    int fd = open_file(s, g->number, O_RDONLY), rc = 0;
    void *map;

    if (fd < 0)
        return errno == ENOENT ? STORE_ECORRUPT : disk_error(s, g->number, "open");
    if (fstat(fd, &st) != 0)
        rc = disk_error(s, g->number, "read");
    if (rc == 0) {
        /* Room to grow: a mapping beyond the end of the file becomes readable as the file grows. */
        g->file_bytes = (uint64_t) st.st_size;
        g->map_bytes =
            g->file_bytes > s->limits->segment_bytes ? g->file_bytes : s->limits->segment_bytes;
        map = mmap(NULL, g->map_bytes, PROT_READ, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
            rc = disk_error(s, g->number, "map");
        else
            g->map = map;
    }
    (void) close(fd); /* read-only descriptor; the mapping stays */
    return rc;
}

/* A body is a JSON object: whoever was led to another place notices. */
static int
check_body(struct str body)
{
    return body.len >= 2 && body.data[0] == '{' && body.data[body.len - 1] == '}' ? 0
                                                                                  : STORE_ECORRUPT;
}

static int
find_body(struct segments *s, const struct ref *ref, struct str *ret)
{
    struct segment *g = segments_find(s, ref->segment);
    uint64_t end = ref->offset + ref->length;

    if (g == NULL)
        g = find_retired(s, ref->segment);
    if (g == NULL || end < ref->offset)
        return STORE_ECORRUPT;
    if (g->number == s->active && ref->offset >= g->file_bytes) {
        *ret = str_slice(buf_str(&s->pending), ref->offset - g->file_bytes, end - g->file_bytes);
        return ret->len == ref->length ? 0 : STORE_ECORRUPT;
    }
    int rc = g->map == NULL ? map_file(s, g) : 0;
    if (rc < 0)
        return rc;
    if (end > g->file_bytes || end > g->map_bytes) /* reading there would be SIGBUS */
        return STORE_ECORRUPT;
    *ret = str_make(g->map + ref->offset, ref->length);
    return 0;
}

int
segments_read(struct segments *s, const struct ref *ref, struct str *ret)
{
    int rc = find_body(s, ref, ret);

    return rc == 0 ? check_body(*ret) : rc;
}

/* --- appending */

/* A kernel or file system without it loses only the head start. */
static int
sync_range(const struct segments *s, const struct segment *g, uint64_t from, uint64_t to,
           unsigned flags)
{
    if (to > from && /* else it would be all of the file */
        sync_file_range(g->fd, (off64_t) from, (off64_t) (to - from), flags) != 0 &&
        (errno == EIO || errno == ENOSPC || errno == EDQUOT))
        return disk_error(s, g->number, "write");
    return 0;
}

static int
push(const struct segments *s, struct segment *g)
{
    int rc = sync_range(s, g, g->pushed, g->file_bytes, SYNC_FILE_RANGE_WRITE);

    g->pushed = g->file_bytes;
    return rc;
}

/* An error seen by this wait is not seen again by the sync: it counts. */
static int
wait_piece(const struct segments *s, struct segment *g)
{
    uint64_t left = g->pushed - g->waited, to = g->waited + (left < PUSH_BYTES ? left : PUSH_BYTES);
    int rc = sync_range(s, g, g->waited, to, SYNC_FILE_RANGE_WAIT_BEFORE);

    g->waited = to;
    return rc;
}

static int
write_out(struct segments *s, struct segment *g, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = pwrite(g->fd, bytes.data, bytes.len, (off_t) g->file_bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return disk_error(s, g->number, "write");
        bytes = str_slice(bytes, (size_t) n, bytes.len);
        g->file_bytes += (uint64_t) n;
    }
    if (g->file_bytes - g->pushed < PUSH_BYTES)
        return 0;
    int rc = push(s, g);
    return rc == 0 && g->pushed - g->waited > UNDER_WAY_BYTES ? wait_piece(s, g) : rc;
}

static int
flush(struct segments *s, struct segment *g)
{
    int rc = write_out(s, g, buf_str(&s->pending));

    buf_clear(&s->pending);
    return rc;
}

/* Opens the segment for appending behind what is committed. 1: it cannot be used. */
static int
open_active(struct segments *s, struct segment *g, int flags)
{
    uint64_t start = (g->now.total + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    struct stat st;

    g->fd = open_file(s, g->number, O_RDWR | flags);
    if (g->fd < 0)
        return errno == ENOENT ? 1 : disk_error(s, g->number, "open");
    if (fstat(g->fd, &st) != 0)
        return disk_error(s, g->number, "read");
    if ((uint64_t) st.st_size < g->now.total) {
        log_error(LOG_TARGET,
                  "a segment is damaged: %llu bytes are missing path=%s/" NAME_START "%08u",
                  (unsigned long long) (g->now.total - (uint64_t) st.st_size), s->dir, g->number);
        g->is_damaged = true;
        close_fd(g);
        return 1;
    }
    if (ftruncate(g->fd, (off_t) start) != 0)
        return disk_error(s, g->number, "write");
    g->file_bytes = g->now.total = g->pushed = g->waited = start;
    s->active = g->number;
    return 0;
}

static int
begin_segment(struct segments *s)
{
    struct segment *g = add_segment(s, s->last_number + 1);
    int rc = open_active(s, g, O_CREAT | O_TRUNC);

    if (rc == 1) /* the directory is not there */
        return disk_error(s, g->number, "create");
    s->has_new_name = true;
    return rc;
}

/* Whether the next body may go behind the others of this segment. */
static bool
has_room(const struct segments *s, const struct segment *g, size_t len)
{
    return !g->is_damaged && g->now.swept == 0 && g->number > s->closed_upto &&
           g->now.total + PAGE_BYTES + len <= s->limits->segment_bytes;
}

/* The full one is left with its last megabytes on the way; the one before is surely through. */
static int
end_active(struct segments *s)
{
    struct segment *g = segments_find(s, s->active);
    int rc = flush(s, g);

    if (rc == 0)
        rc = push(s, g);
    s->active = 0;
    for (uint32_t i = 0; rc == 0 && i < s->n; i++) {
        struct segment *before = &s->items[i];
        if (before->fd < 0 || before == g)
            continue;
        if (fdatasync(before->fd) != 0)
            rc = disk_error(s, before->number, "sync");
        close_fd(before);
    }
    return rc;
}

/* The segment that takes len more bytes, open; NULL with *ret_rc negative. */
static struct segment *
find_room(struct segments *s, size_t len, int *ret_rc)
{
    struct segment *g = segments_find(s, s->active);

    *ret_rc = 0;
    if (g != NULL && g->fd >= 0 && has_room(s, g, len))
        return g;
    if (g != NULL)
        *ret_rc = end_active(s);
    else if (s->n > 0 && has_room(s, &s->items[s->n - 1], len))
        *ret_rc = open_active(s, &s->items[s->n - 1], 0);
    if (*ret_rc < 0)
        return NULL;
    if (s->active == 0)
        *ret_rc = begin_segment(s);
    return *ret_rc < 0 ? NULL : segments_find(s, s->active);
}

bool
segments_is_open_end(const struct segments *s, const struct segment *g)
{
    return g == &s->items[s->n - 1] && has_room(s, g, 0);
}

int
segments_append(struct segments *s, struct str body, struct ref *ret)
{
    int rc;
    struct segment *g = find_room(s, body.len, &rc);

    if (g == NULL)
        return rc;
    *ret = (struct ref){.segment = g->number, .offset = g->now.total, .length = body.len};
    if (s->pending.len + body.len > PIECE_BYTES)
        rc = flush(s, g);
    if (rc == 0 && body.len >= PIECE_BYTES)
        rc = write_out(s, g, body);
    else if (rc == 0)
        buf_add_str(&s->pending, body);
    if (rc == 0 && buf_failed(&s->pending))
        rc = STORE_EFULL;
    g->now.total += body.len;
    g->now.live += body.len;
    return rc;
}

void
segments_release(struct segments *s, const struct ref *ref)
{
    struct segment *g = segments_find(s, ref->segment);

    if (g != NULL)
        g->now.live -= ref->length < g->now.live ? ref->length : g->now.live;
}

void
segments_release_all(struct segments *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        s->items[i].now.live = 0;
}

int
segments_begin_emptying(struct segments *s, struct segment *g)
{
    g->now.swept = 1;
    return g->number == s->active ? end_active(s) : 0;
}

/* --- syncing and committing */

static int
sync_piece(struct segments *s, struct segment *g)
{
    int rc = 1;

    if (g->number == s->active && s->pending.len > 0)
        rc = flush(s, g);
    else if (g->pushed < g->file_bytes)
        rc = push(s, g);
    else if (g->waited < g->pushed)
        rc = wait_piece(s, g);
    else if (fdatasync(g->fd) != 0)
        rc = disk_error(s, g->number, "sync");
    else
        close_fd(g);
    return rc < 0 ? rc : 1;
}

int
segments_sync_step(struct segments *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->items[i].fd < 0)
            continue;
        if (s->items[i].now.live > 0)
            return sync_piece(s, &s->items[i]);
        close_fd(&s->items[i]); /* goes with the commit */
    }
    if (!s->has_new_name)
        return 0;
    if (dir_sync(s->dir) != 0)
        return disk_error(s, 0, "sync the directory of");
    s->has_new_name = false;
    return 1;
}

static bool
has_changed(const struct segment *g)
{
    return !g->has_row || g->now.total != g->committed.total || g->now.live != g->committed.live ||
           g->now.swept != g->committed.swept;
}

static int
store_row(struct segment *g, struct store_txn *txn)
{
    struct buf value = BUF_INIT;
    uint8_t key[4];
    int rc;

    rec_put_u8(&value, SEGMENT_VERSION);
    rec_put_u64(&value, g->now.total);
    rec_put_u64(&value, g->now.live);
    rec_put_u32(&value, g->now.swept);
    rc = store_put(txn, INDEX_SEGMENTS, key_u32(key, g->number), buf_str(&value));
    buf_done(&value);
    return rc;
}

int
segments_store(struct segments *s, struct store_txn *txn)
{
    int rc = 0;

    for (uint32_t i = 0; i < s->n && rc >= 0; i++) {
        struct segment *g = &s->items[i];
        uint8_t key[4];
        if (g->now.live == 0 && g->has_row)
            rc = store_delete(txn, INDEX_SEGMENTS, key_u32(key, g->number));
        else if (g->now.live > 0 && has_changed(g))
            rc = store_row(g, txn);
    }
    return rc < 0 ? rc : 0;
}

static void
end_writing(struct segments *s)
{
    s->active = 0;
    s->has_new_name = false;
    buf_done(&s->pending);
}

void
segments_committed(struct segments *s)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < s->n; i++) {
        struct segment *g = &s->items[i];
        close_fd(g);
        if (g->now.live == 0) {
            retire(s, g);
            continue;
        }
        g->has_row = true;
        g->committed = g->now;
        s->items[kept++] = *g;
    }
    s->n = kept;
    if (s->n_holders == 0)
        segments_drop_retired(s);
    end_writing(s);
}

void
segments_rolled_back(struct segments *s, bool is_sure)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < s->n; i++) {
        struct segment *g = &s->items[i];
        if (g->has_row && g->fd >= 0 && is_sure &&
            ftruncate(g->fd, (off_t) g->committed.total) == 0)
            g->file_bytes = g->committed.total; /* else the next writer does it */
        close_fd(g);
        if (!g->has_row) {
            unmap(s, g);
            if (is_sure)
                remove_file(s, g->number);
            continue;
        }
        g->now = g->committed;
        s->items[kept++] = *g;
    }
    s->n = kept;
    if (!is_sure)
        s->closed_upto = s->last_number;
    end_writing(s);
}
