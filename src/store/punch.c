/* Holes in the file of an environment. Knows how LMDB lists free pages: the rows of its table 0 are
 * the number of the transaction that freed them and a list of pages, its length first. */
#include "store/punch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/env_internal.h"
#include "store/redo.h"

enum { FREE_TABLE = 0, PART_PAGES = 1 << 16 /* of a call: 256 MiB */ };

/* Which pages of a part are free: a byte each. */
struct part {
    uint64_t first;
    uint8_t is_free[PART_PAGES];
};

static void
note_pages(struct part *p, const MDB_val *value)
{
    const size_t *list = value->mv_data;
    if (value->mv_size < sizeof(*list) || value->mv_size / sizeof(*list) <= list[0])
        return;
    for (size_t i = 1; i <= list[0]; i++)
        if (list[i] >= p->first && list[i] - p->first < PART_PAGES)
            p->is_free[list[i] - p->first] = 1;
}

/* Only what was freed before the state that a crash would go back to. */
static int
find_free(MDB_txn *txn, size_t durable, struct part *p)
{
    MDB_cursor *c;
    MDB_val key, value;
    int rc = mdb_cursor_open(txn, FREE_TABLE, &c);
    if (rc != 0)
        return rc;
    while ((rc = mdb_cursor_get(c, &key, &value, MDB_NEXT)) == 0) {
        if (key.mv_size != sizeof(size_t) || *(const size_t *) key.mv_data >= durable)
            break;
        note_pages(p, &value);
    }
    mdb_cursor_close(c);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Makes the holes from *at on, until the deadline: 0 or an errno. */
static int
punch_part(int fd, const struct part *p, size_t page_bytes, uint64_t *at, int64_t deadline_us)
{
    uint64_t i = *at - p->first;
    while (i < PART_PAGES) {
        uint64_t end = i;
        while (end < PART_PAGES && p->is_free[end])
            end++;
        if (end > i &&
            fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                      (off_t) ((p->first + i) * page_bytes), (off_t) ((end - i) * page_bytes)) != 0)
            return errno;
        bool has_punched = end > i;
        i = end + 1;
        *at = p->first + (i < PART_PAGES ? i : PART_PAGES);
        if (has_punched && clock_mono_us() >= deadline_us)
            break;
    }
    return 0;
}

static int
punch(struct store_env *env, MDB_txn *txn, uint64_t *at, int64_t deadline_us)
{
    MDB_stat stat;
    mdb_filehandle_t fd;
    struct part *p = mem_new(1, sizeof(*p));
    size_t durable = env->redo == NULL ? mdb_txn_id(txn) : redo_durable_txn(env->redo);
    p->first = *at - *at % PART_PAGES;
    int rc = find_free(txn, durable, p);
    if (rc == 0)
        rc = mdb_env_get_fd(env->mdb, &fd);
    if (rc == 0)
        rc = mdb_env_stat(env->mdb, &stat);
    if (rc == 0)
        rc = punch_part(fd, p, stat.ms_psize, at, deadline_us);
    free(p);
    return rc;
}

int
store_env_punch(struct store_env *env, uint64_t *at, int64_t deadline_us)
{
    MDB_txn *txn;
    MDB_envinfo info;
    if (env->n_writers > 0 || env->mdb == NULL)
        return STORE_EBUSY;
    int rc = mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &txn);
    if (rc != 0)
        return store_translate(rc);
    rc = punch(env, txn, at, deadline_us);
    mdb_txn_abort(txn);
    if (rc == EOPNOTSUPP || rc == ENOSYS)
        return STORE_EINVAL;
    if (rc == 0)
        rc = mdb_env_info(env->mdb, &info);
    if (rc != 0)
        log_error("store", "cannot give pages back: %s", mdb_strerror(rc));
    return rc != 0 ? store_translate(rc) : *at <= info.me_last_pgno;
}

bool
store_env_is_writing(const struct store_env *env)
{
    return env->n_writers > 0;
}

uint64_t
store_env_disk_bytes(struct store_env *env)
{
    struct stat st;
    mdb_filehandle_t fd;
    if (env->mdb == NULL || mdb_env_get_fd(env->mdb, &fd) != 0 || fstat(fd, &st) != 0)
        return 0;
    return (uint64_t) st.st_blocks * 512;
}
