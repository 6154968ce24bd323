/* The journal file: headers, records, their checks. Owns the descriptor. Must not know LMDB, tables
 * or turns; the order of its steps against data.mdb's is redo.c's. */
#include "store/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "codec/digest.h"
#include "store/dir.h"
#include "store/direct.h"
#include "store/rec.h"

enum {
    SLOT_BYTES = 4096,
    RECORDS_AT = 2 * SLOT_BYTES,
    GROW_BYTES = 1 << 19,
    ZEROS_BYTES = 64 * 1024,
    HEADER_VERSION = 2, /* 1: a record begins where the one before ends */
    CRC_BYTES = 4,
};
static const char header_magic[8] = "taskhk-j";

struct journal {
    int fd;
    struct direct *direct;               /* NULL: none yet, or not here */
    bool is_plain;                       /* not here */
    uint64_t generation, salt, sequence; /* sequence: of the next record */
    uint64_t tail, last;                 /* where the last record ends, and begins */
    uint64_t align;                      /* of the generation's records */
    uint64_t size;                       /* of the file; written up to there */
    bool is_broken, is_unsure;           /* unsure: a header that may or may not be there */
    struct {
        const struct buf *record; /* NULL: none */
        bool is_direct;
    } started;
    struct journal_base base;
    struct buf tables;
};

static int
write_at(int fd, const void *data, size_t len, uint64_t at)
{
    const char *from = data;
    while (len > 0) {
        ssize_t n = pwrite(fd, from, len, (off_t) at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? EIO : errno;
        from += n;
        at += (uint64_t) n;
        len -= (size_t) n;
    }
    return 0;
}

static int
sync_data(int fd)
{
    return fdatasync(fd) == 0 ? 0 : errno;
}

static uint64_t
round_up(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}

static uint32_t
crc_behind(struct str bytes)
{
    return digest_crc32(str_slice(bytes, CRC_BYTES, bytes.len));
}

static void
set_crc(char *bytes, size_t len)
{
    uint8_t crc[CRC_BYTES];
    memcpy(bytes, key_u32(crc, crc_behind(str_make(bytes, len))).data, CRC_BYTES);
}

/* --- headers */

static void
put_header(const struct journal *j, const struct journal_base *base, char out[SLOT_BYTES])
{
    struct buf b = BUF_INIT;
    rec_put_u32(&b, 0); /* the CRC comes last */
    buf_add(&b, header_magic, sizeof(header_magic));
    rec_put_u8(&b, HEADER_VERSION);
    rec_put_u64(&b, j->generation);
    rec_put_u64(&b, j->salt);
    rec_put_u8(&b, base->is_clean);
    rec_put_u32(&b, base->page_bytes);
    rec_put_u64(&b, base->data_bytes);
    for (int i = 0; i < 2; i++)
        rec_put_str(&b, str_make(base->metas[i], JOURNAL_META_BYTES));
    rec_put_str(&b, base->tables);
    if (buf_failed(&b) || b.len > SLOT_BYTES)
        abort(); /* more tables than a header holds: a programmer's error */
    memset(out, 0, SLOT_BYTES);
    memcpy(out, b.data, b.len);
    buf_done(&b);
    set_crc(out, SLOT_BYTES);
}

/* Whether the slot holds a header newer than j's; then j is as it says. */
static bool
take_header(struct journal *j, struct str slot)
{
    struct str magic = str_make(header_magic, sizeof(header_magic));
    if (slot.len < SLOT_BYTES || crc_behind(slot) != key_read_u32(slot, 0) ||
        !str_equal(str_slice(slot, CRC_BYTES, CRC_BYTES + magic.len), magic))
        return false;
    struct str fields = str_slice(slot, CRC_BYTES + magic.len, slot.len);
    bool is_first_version = fields.data[0] == 1;
    struct rec r = rec_open(fields, is_first_version ? 1 : HEADER_VERSION);
    struct journal_base base = {0};
    uint64_t generation = rec_u64(&r), salt = rec_u64(&r);
    base.is_clean = rec_u8(&r) != 0;
    base.page_bytes = rec_u32(&r);
    base.data_bytes = rec_u64(&r);
    for (int i = 0; i < 2; i++) {
        struct str meta = rec_str(&r);
        if (meta.len != JOURNAL_META_BYTES)
            return false;
        memcpy(base.metas[i], meta.data, meta.len);
    }
    struct str tables = rec_str(&r);
    if (r.failed || generation <= j->generation)
        return false;
    buf_clear(&j->tables);
    buf_add_str(&j->tables, tables);
    j->base = base;
    j->base.tables = buf_str(&j->tables);
    j->generation = generation;
    j->salt = salt;
    j->align = is_first_version ? 1 : DIRECT_BLOCK_BYTES;
    return true;
}

/* j is what the disk will say next, in the slot that the present header is not in. */
static int
write_header(struct journal *j, const struct journal_base *base)
{
    char slot[SLOT_BYTES];
    put_header(j, base, slot);
    int rc = write_at(j->fd, slot, sizeof(slot), (j->generation & 1) * SLOT_BYTES);
    return rc == 0 ? sync_data(j->fd) : rc;
}

static void
use_base(struct journal *j, const struct journal_base *base)
{
    j->base = *base;
    if (base->tables.data != j->tables.data) {
        buf_clear(&j->tables);
        buf_add_str(&j->tables, base->tables);
    }
    j->base.tables = buf_str(&j->tables);
    j->tail = j->last = RECORDS_AT;
    j->align = DIRECT_BLOCK_BYTES;
    j->sequence = 0;
}

/* --- opening */

static struct journal *
journal_new(int fd)
{
    struct journal *j = mem_new(1, sizeof(*j));
    j->fd = fd;
    j->tail = j->last = RECORDS_AT;
    return j;
}

void
journal_close(struct journal *j)
{
    if (j == NULL)
        return;
    direct_close(j->direct);
    (void) close(j->fd); /* everything that counts was synced */
    buf_done(&j->tables);
    free(j);
}

static int
read_headers(struct journal *j, const char *path, struct err *err)
{
    char slots[RECORDS_AT];
    ssize_t n = pread(j->fd, slots, sizeof(slots), 0);
    if (n < 0)
        return err_set(err, ERR_IO_ERROR, "cannot read %s: %s", path, strerror(errno));
    bool found = false;
    for (size_t at = 0; at + SLOT_BYTES <= (size_t) n; at += SLOT_BYTES)
        found |= take_header(j, str_make(slots + at, SLOT_BYTES));
    return found ? 0
                 : err_set(err, ERR_INVALID_STATE,
                           "the journal %s is damaged, or of another version: its headers are not "
                           "understood",
                           path);
}

int
journal_open(struct journal **ret, const char *path, struct err *err)
{
    struct stat st;
    *ret = NULL;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &st) != 0) {
        (void) err_set(err, ERR_IO_ERROR, "cannot open %s: %s", path, strerror(errno));
        if (fd >= 0)
            (void) close(fd);
        return -1;
    }
    struct journal *j = journal_new(fd);
    j->size = (uint64_t) st.st_size;
    if (j->size == 0 || read_headers(j, path, err) != 0) {
        int rc = j->size == 0 ? 0 : -1;
        journal_close(j);
        return rc;
    }
    *ret = j;
    return 0;
}

/* Zeros up to `to`, durable, so that later writes change no metadata. */
static int
grow(struct journal *j, uint64_t to)
{
    static const char zeros[ZEROS_BYTES];
    int rc = 0;
    if (j->size >= to)
        return 0;
    while (rc == 0 && j->size < to) {
        uint64_t n = to - j->size < sizeof(zeros) ? to - j->size : sizeof(zeros);
        rc = write_at(j->fd, zeros, n, j->size);
        if (rc == 0)
            j->size += n;
    }
    return rc == 0 ? sync_data(j->fd) : rc;
}

int
journal_create(struct journal **ret, const char *path, const struct journal_base *base)
{
    struct buf made = BUF_INIT;
    buf_addf(&made, "%s.new", path);
    int fd = open(buf_cstr(&made), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), rc = 0;
    if (fd < 0) {
        rc = errno;
        buf_done(&made);
        return rc;
    }
    struct journal *j = journal_new(fd);
    j->generation = 1;
    random_bytes(&j->salt, sizeof(j->salt));
    rc = grow(j, GROW_BYTES);
    if (rc == 0)
        rc = write_header(j, base);
    if (rc == 0 && (rename(buf_cstr(&made), path) != 0 || dir_sync_parent(path) != 0))
        rc = errno;
    buf_done(&made);
    if (rc != 0) {
        journal_close(j);
        return rc;
    }
    use_base(j, base);
    *ret = j;
    return 0;
}

const struct journal_base *
journal_base(const struct journal *j)
{
    return &j->base;
}

uint64_t
journal_bytes(const struct journal *j)
{
    return j->tail - RECORDS_AT;
}

bool
journal_is_broken(const struct journal *j)
{
    return j->is_broken;
}

/* --- records: crc u32, length of what follows the head u32, salt u64, sequence u64, then the bytes
 */

static void
put_head(const struct journal *j, struct buf *record)
{
    uint8_t part[8];
    char *head = record->data;
    memcpy(head + 4, key_u32(part, (uint32_t) (record->len - JOURNAL_RECORD_HEAD_BYTES)).data, 4);
    memcpy(head + 8, key_u64(part, j->salt).data, 8);
    memcpy(head + 16, key_u64(part, j->sequence).data, 8);
    set_crc(head, record->len);
}

/* The length of the whole record that the bytes begin with; 0: none of this generation. Its
 * sequence number is in *ret_sequence. */
static size_t
find_record(const struct journal *j, struct str bytes, uint64_t *ret_sequence)
{
    if (bytes.len < JOURNAL_RECORD_HEAD_BYTES || key_read_u64(bytes, 8) != j->salt)
        return 0;
    size_t len = JOURNAL_RECORD_HEAD_BYTES + (size_t) key_read_u32(bytes, 4);
    if (len > bytes.len || crc_behind(str_slice(bytes, 0, len)) != key_read_u32(bytes, 0))
        return 0;
    *ret_sequence = key_read_u64(bytes, 16);
    return len;
}

/* A record is written when the one before is durable: a later one behind damage means that
 * something acknowledged is gone. */
static bool
has_record_behind(const struct journal *j, struct str rest)
{
    uint8_t salt[8];
    struct str wanted = key_u64(salt, j->salt);
    uint64_t sequence;
    for (size_t at = 8; at + 8 <= rest.len; at++) {
        const char *found = memmem(rest.data + at, rest.len - at, wanted.data, wanted.len);
        if (found == NULL)
            return false;
        at = (size_t) (found - rest.data);
        if (find_record(j, str_slice(rest, at - 8, rest.len), &sequence) > 0 &&
            sequence > j->sequence)
            return true;
    }
    return false;
}

static uint64_t
next_place(const struct journal *j)
{
    return round_up(j->tail, j->align);
}

static int
replay_mapped(struct journal *j, struct str file, journal_record_fn *fn, void *arg, struct err *err)
{
    struct str rest;
    uint64_t sequence;
    for (;;) {
        uint64_t at = next_place(j);
        rest = str_slice(file, at, file.len);
        size_t len = find_record(j, rest, &sequence);
        if (len == 0 || sequence != j->sequence)
            break;
        if (fn(arg, str_slice(rest, JOURNAL_RECORD_HEAD_BYTES, len), err) < 0)
            return -1;
        j->sequence++;
        j->tail = at + len;
    }
    if (has_record_behind(j, rest))
        return err_set(err, ERR_INVALID_STATE,
                       "the journal is damaged at byte %llu: what follows was acknowledged and "
                       "cannot be read",
                       (unsigned long long) j->tail);
    return 0;
}

int
journal_replay(struct journal *j, journal_record_fn *fn, void *arg, struct err *err)
{
    if (j->size <= RECORDS_AT)
        return 0;
    void *map = mmap(NULL, j->size, PROT_READ, MAP_SHARED, j->fd, 0);
    if (map == MAP_FAILED)
        return err_set(err, ERR_IO_ERROR, "cannot read the journal: %s", strerror(errno));
    int rc = replay_mapped(j, str_make(map, j->size), fn, arg, err);
    (void) munmap(map, j->size); /* fails only for a wrong range */
    return rc;
}

/* Whatever the disk holds at that place, it is no record afterwards. */
static int
unmake(struct journal *j, uint64_t at)
{
    static const char nothing[DIRECT_BLOCK_BYTES];
    int rc = write_at(j->fd, nothing, sizeof(nothing), at);
    if (rc == 0)
        rc = sync_data(j->fd);
    if (rc != 0) {
        log_error("store", "cannot take back a refused commit error=\"%s\"", strerror(rc));
        j->is_broken = true;
    }
    return rc;
}

static void
stay_plain(struct journal *j)
{
    direct_close(j->direct);
    j->direct = NULL;
    j->is_plain = true;
}

static bool
start_direct(struct journal *j, const struct buf *record, uint64_t at)
{
    if (j->is_plain || record->len > DIRECT_MAX_BYTES)
        return false;
    if (j->direct == NULL)
        j->direct = direct_open(j->fd);
    if (j->direct != NULL && direct_start(j->direct, record->data, record->len, at))
        return true;
    stay_plain(j);
    return false;
}

int
journal_start(struct journal *j, struct buf *record)
{
    if (j->is_broken || j->is_unsure)
        return EIO;
    if (record->len - JOURNAL_RECORD_HEAD_BYTES > UINT32_MAX)
        return EFBIG;
    uint64_t at = next_place(j), end = round_up(at + record->len, DIRECT_BLOCK_BYTES);
    int rc = grow(j, round_up(end, GROW_BYTES));
    if (rc != 0)
        return rc;
    put_head(j, record);
    j->started.is_direct = start_direct(j, record, at);
    if (!j->started.is_direct)
        rc = write_at(j->fd, record->data, record->len, at);
    if (rc != 0) {
        (void) unmake(j, at); /* its own failure is remembered */
        return rc;
    }
    j->started.record = record;
    return 0;
}

static int
finish_direct(struct journal *j, uint64_t at)
{
    int rc = direct_finish(j->direct);
    if (rc != EINVAL && rc != EOPNOTSUPP)
        return rc;
    stay_plain(j);
    rc = write_at(j->fd, j->started.record->data, j->started.record->len, at);
    return rc == 0 ? sync_data(j->fd) : rc;
}

int
journal_finish(struct journal *j)
{
    uint64_t at = next_place(j);
    int rc = j->started.is_direct ? finish_direct(j, at) : sync_data(j->fd);
    if (rc != 0) {
        (void) unmake(j, at); /* its own failure is remembered */
    } else {
        j->last = at;
        j->tail = at + j->started.record->len;
        j->sequence++;
    }
    j->started.record = NULL;
    return rc;
}

int
journal_take_back(struct journal *j)
{
    int rc = unmake(j, j->last);
    j->tail = j->last;
    j->sequence--;
    return rc;
}

int
journal_begin(struct journal *j, const struct journal_base *base, uint64_t keep_bytes)
{
    uint64_t old_salt = j->salt;
    if (j->is_broken)
        return EIO;
    j->generation++;
    random_bytes(&j->salt, sizeof(j->salt));
    int rc = write_header(j, base);
    j->is_unsure = rc != 0;
    if (rc != 0) {
        j->generation--;
        j->salt = old_salt;
        return rc;
    }
    use_base(j, base);
    keep_bytes = round_up(keep_bytes, GROW_BYTES);
    if (j->size > keep_bytes && ftruncate(j->fd, (off_t) keep_bytes) == 0)
        j->size = keep_bytes; /* else it stays large: no harm */
    return 0;
}
