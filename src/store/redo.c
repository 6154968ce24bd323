/* Durability of an environment that has a journal (design: invariants 1, 2, 12).
 *
 * A commit starts to write its changes into the journal, lets LMDB commit meanwhile without a sync
 * (MDB_NOSYNC), and returns when the journal is durable. When the journal is refused, LMDB goes
 * back to what the disk says. So data.mdb is behind on disk, and perhaps torn, until the next
 * checkpoint: sync of data.mdb; then a journal header with a copy of its two meta pages, synced;
 * only then the read transaction that pins the checkpoint's snapshot is renewed. LMDB never
 * overwrites a page of a snapshot that a reader may see (mdb_find_oldest(), mdb_page_alloc()),
 * takes nothing but the meta pages for a fact at start, and never makes the file shorter: the
 * copied meta pages put back, with whatever else a power loss left, are the checkpoint again, and
 * the records bring back the rest.
 *
 * Owns the journal and the pin. Must not know what tables mean, nor turns. */
#include "store/redo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/journal.h"
#include "store/rec.h"

enum { OP_PUT = 1, OP_DELETE, OP_CLEAR };
enum {
    JOURNAL_MAX_BYTES = 8 << 20,
    /* With its headers and the last block: a full one is not cut and made longer again each time.
     */
    JOURNAL_KEEP_BYTES = JOURNAL_MAX_BYTES + (64 << 10),
    /* LMDB may reuse no page between two checkpoints, so their number bounds the file's growth. */
    MAX_COMMITS = 512,
    /* Write-back is asked for in portions, so that a checkpoint finds little left to wait for;
     * small ones, because a full queue of the device holds up who asks. */
    WRITE_BACK_COMMITS = 4,
    RECORD_KEEP_BYTES = 256 << 10,
};

enum redo_state {
    REDO_SYNCED, /* no checkpoint yet: commits are LMDB's own, synced */
    REDO_READY,
    REDO_OWES,   /* a checkpoint failed and may succeed later: no commit before */
    REDO_REOPEN, /* data.mdb could not be synced for want of space: its pages cannot be trusted */
    REDO_BROKEN, /* only another start can tell what is on the disk */
};

struct redo {
    char *dir, *path; /* of the environment, of the journal */
    struct journal *journal;
    struct buf record; /* of the open write transaction; its head is the journal's */
    struct buf names;  /* of the tables, for the header */
    MDB_txn *pin;
    enum redo_state state;
    unsigned n_commits, max_commits; /* since the checkpoint */
};

static char *
path_in(const char *dir, const char *name)
{
    struct buf b = BUF_INIT;
    buf_addf(&b, "%s/%s", dir, name);
    return buf_take(&b);
}

struct redo *
redo_new(const char *dir)
{
    struct redo *r = mem_new(1, sizeof(*r));
    r->dir = mem_strdup(dir);
    r->path = path_in(dir, "journal");
    r->max_commits = MAX_COMMITS;
    return r;
}

void
redo_free(struct redo *r)
{
    if (r == NULL)
        return;
    journal_close(r->journal);
    buf_done(&r->record);
    buf_done(&r->names);
    free(r->dir);
    free(r->path);
    free(r);
}

/* --- what a record says: op u8, table u8, then str key and, of a put, str value */

static void
clear_record(struct redo *r)
{
    if (r->record.cap > RECORD_KEEP_BYTES)
        buf_done(&r->record);
    buf_clear(&r->record);
    buf_add(&r->record, (char[JOURNAL_RECORD_HEAD_BYTES]){0}, JOURNAL_RECORD_HEAD_BYTES);
}

static bool
is_empty(const struct redo *r)
{
    return r->record.len == JOURNAL_RECORD_HEAD_BYTES;
}

/* False where the commit is going to be LMDB's own. */
static bool
is_noting(const struct redo *r)
{
    return r->state == REDO_READY;
}

static void
note(struct redo *r, int op, int table, struct str key)
{
    buf_add_char(&r->record, (char) op);
    buf_add_char(&r->record, (char) table);
    rec_put_str(&r->record, key);
}

void
redo_note_put(struct redo *r, int table, struct str key, struct str value)
{
    if (!is_noting(r))
        return;
    note(r, OP_PUT, table, key);
    rec_put_str(&r->record, value);
}

void
redo_note_delete(struct redo *r, int table, struct str key)
{
    if (is_noting(r))
        note(r, OP_DELETE, table, key);
}

void
redo_note_clear(struct redo *r, int table)
{
    if (is_noting(r))
        note(r, OP_CLEAR, table, STR_NULL);
}

size_t
redo_mark(const struct redo *r)
{
    return r->record.len;
}

void
redo_strike(struct redo *r, size_t mark)
{
    r->record.len = mark;
}

/* --- recovery */

/* The environment as the records' writer saw it: its table numbers are not ours when the list has
 * changed. */
struct replay {
    struct store_env *env;
    struct store_txn *txn;
    int tables[256]; /* -1: no such number */
    uint64_t n_records;
};

static int
find_table(const struct store_env *env, struct str name)
{
    for (int i = 0; i < env->n_tables; i++) {
        if (str_is(name, env->tables[i].name))
            return i;
    }
    return -1;
}

static int
map_tables(struct replay *p, struct str names, struct err *err)
{
    int n = 0;
    memset(p->tables, -1, sizeof(p->tables));
    while (names.len > 0 && n < 256) {
        size_t len = strnlen(names.data, names.len);
        p->tables[n] = find_table(p->env, str_slice(names, 0, len));
        if (p->tables[n++] < 0)
            return err_set(err, ERR_INVALID_STATE,
                           "the journal has changes of a table %.*s that this version does not "
                           "know: use the version that wrote it",
                           (int) len, names.data);
        names = str_slice(names, len + 1, names.len);
    }
    return 0;
}

static int
replay_change(struct replay *p, struct rec *r)
{
    uint8_t op = rec_u8(r);
    int table = p->tables[rec_u8(r)];
    struct str key = rec_str(r), value = op == OP_PUT ? rec_str(r) : STR_NULL;
    if (r->failed || table < 0)
        return STORE_ECORRUPT;
    switch (op) {
    case OP_PUT:
        return store_put(p->txn, table, key, value);
    case OP_DELETE:
        return store_delete(p->txn, table, key);
    case OP_CLEAR:
        return store_clear(p->txn, table);
    }
    return STORE_ECORRUPT;
}

static int
replay_record(void *arg, struct str record, struct err *err)
{
    struct replay *p = arg;
    struct rec r = {.rest = record};
    int rc = 0;
    while (rc >= 0 && r.rest.len > 0)
        rc = replay_change(p, &r);
    p->n_records++;
    return rc >= 0
               ? 0
               : err_set(err, ERR_IO_ERROR, "cannot replay the journal: %s", store_strerror(rc));
}

/* All in one transaction with LMDB's own sync. A stop in between changes nothing: the header still
 * says what to put back. */
static int
replay(struct store_env *env, struct err *err)
{
    struct redo *r = env->redo;
    struct replay p = {.env = env};
    if (map_tables(&p, journal_base(r->journal)->tables, err) != 0)
        return -1;
    int rc = store_begin_write(env, &p.txn);
    if (rc == 0 && journal_replay(r->journal, replay_record, &p, err) != 0) {
        store_abort(p.txn);
        return -1;
    }
    if (rc == 0)
        rc = store_commit(p.txn);
    if (rc != 0)
        return err_set(err, ERR_IO_ERROR, "cannot replay the journal into %s: %s", r->dir,
                       store_strerror(rc));
    if (p.n_records > 0)
        log_info("store", "replayed the journal dir=%s commits=%llu bytes=%llu", r->dir,
                 (unsigned long long) p.n_records, (unsigned long long) journal_bytes(r->journal));
    return 0;
}

static int
write_back_metas(const struct redo *r)
{
    const struct journal_base *base = journal_base(r->journal);
    struct stat st;
    char *path = path_in(r->dir, "data.mdb");
    int fd = open(path, O_WRONLY | O_CLOEXEC), rc = 0;
    free(path);
    if (fd < 0)
        return errno;
    if (fstat(fd, &st) != 0)
        rc = errno;
    else if ((uint64_t) st.st_size < base->data_bytes)
        rc = MDB_INVALID; /* not the file that the journal is about */
    for (int i = 0; rc == 0 && i < 2; i++) {
        ssize_t n = pwrite(fd, base->metas[i], JOURNAL_META_BYTES, i * (off_t) base->page_bytes);
        rc = n == JOURNAL_META_BYTES ? 0 : n < 0 ? errno : EIO;
    }
    if (rc == 0 && fdatasync(fd) != 0)
        rc = errno;
    (void) close(fd); /* synced */
    return rc;
}

static int
open_pinned(struct store_env *env)
{
    int rc = env_open_mdb(env, env->redo->dir, 0);
    if (rc == 0) /* before the first write: the snapshot that a start returns to */
        rc = mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &env->redo->pin);
    return rc == 0 ? env_open_tables(env) : rc;
}

int
redo_open(struct store_env *env, struct err *err)
{
    struct redo *r = env->redo;
    r->state = REDO_SYNCED;
    r->n_commits = 0;
    if (journal_open(&r->journal, r->path, err) != 0)
        return -1;
    bool in_use = r->journal != NULL && !journal_base(r->journal)->is_clean;
    int rc = in_use ? write_back_metas(r) : 0;
    if (rc == MDB_INVALID)
        return err_set(err, ERR_INVALID_STATE,
                       "%s/data.mdb is not the file that the journal beside it belongs to: "
                       "put back both",
                       r->dir);
    if (rc == 0)
        rc = open_pinned(env);
    if (rc != 0)
        return err_set(err, ERR_IO_ERROR, "cannot open database %s: %s", r->dir, mdb_strerror(rc));
    return in_use ? replay(env, err) : 0;
}

/* --- checkpoint */

static int
read_base(struct store_env *env, bool is_clean, struct journal_base *ret)
{
    struct redo *r = env->redo;
    MDB_stat stat;
    mdb_filehandle_t fd;
    *ret = (struct journal_base){.is_clean = is_clean};
    struct stat st;
    int rc = mdb_env_stat(env->mdb, &stat);
    if (rc == 0)
        rc = mdb_env_get_fd(env->mdb, &fd);
    if (rc == 0 && fstat(fd, &st) != 0)
        rc = errno;
    if (rc != 0)
        return rc;
    ret->page_bytes = stat.ms_psize;
    ret->data_bytes = (uint64_t) st.st_size;
    for (int i = 0; rc == 0 && i < 2; i++) {
        ssize_t n = pread(fd, ret->metas[i], JOURNAL_META_BYTES, i * (off_t) stat.ms_psize);
        rc = n == JOURNAL_META_BYTES ? 0 : n < 0 ? errno : EIO;
    }
    buf_clear(&r->names);
    for (int i = 0; i < env->n_tables; i++)
        buf_add(&r->names, env->tables[i].name, strlen(env->tables[i].name) + 1);
    ret->tables = buf_str(&r->names);
    return rc;
}

static bool
is_for_want_of_space(int rc)
{
    return rc == ENOSPC || rc == EDQUOT;
}

/* After a sync that failed nobody knows which pages are on the disk, and a second one that succeeds
 * says nothing about them: only a journal replayed onto the last checkpoint is sure. */
static int
sync_refused(struct redo *r, int rc)
{
    r->state = is_for_want_of_space(rc) ? REDO_REOPEN : REDO_BROKEN;
    log_error("store", "cannot sync the database; its journal has everything dir=%s error=\"%s\"",
              r->dir, mdb_strerror(rc));
    return store_translate(rc);
}

static int
begin_generation(struct store_env *env, bool is_clean)
{
    struct redo *r = env->redo;
    struct journal_base base;
    int rc = read_base(env, is_clean, &base);
    if (rc == 0)
        rc = journal_begin(r->journal, &base, JOURNAL_KEEP_BYTES);
    if (rc != 0) {
        if (r->state != REDO_OWES)
            log_error("store", "checkpoint refused dir=%s error=\"%s\"", r->dir, strerror(rc));
        r->state = REDO_OWES;
    }
    return rc;
}

static int
checkpoint(struct store_env *env, bool is_clean)
{
    struct redo *r = env->redo;
    int rc = mdb_env_sync(env->mdb, 1);
    if (rc != 0)
        return sync_refused(r, rc);
    rc = begin_generation(env, is_clean);
    if (rc != 0)
        return store_translate(rc);
    mdb_txn_reset(r->pin);
    rc = mdb_txn_renew(r->pin);
    if (rc == 0)
        rc = mdb_env_set_flags(env->mdb, MDB_NOSYNC, 1);
    r->state = rc == 0 ? REDO_READY : REDO_BROKEN;
    r->n_commits = 0;
    return store_translate(rc);
}

size_t
redo_durable_txn(const struct redo *r)
{
    return r->state == REDO_READY && r->pin != NULL ? mdb_txn_id(r->pin) : 0;
}

static void
close_pinned(struct store_env *env)
{
    mdb_txn_abort(env->redo->pin); /* NULL accepted */
    env->redo->pin = NULL;
    env_close_mdb(env);
}

/* From the disk again, as a start would. For want of space the environment may stay open without a
 * checkpoint: it can be read. */
static int
reopen(struct store_env *env)
{
    struct redo *r = env->redo;
    struct err err = ERR_INIT;
    close_pinned(env);
    journal_close(r->journal);
    r->journal = NULL;
    int rc = redo_open(env, &err);
    if (rc == 0)
        rc = checkpoint(env, false);
    else
        log_error("store", "%s", err.message);
    err_done(&err);
    if (rc != 0 && r->state != REDO_OWES && r->state != REDO_REOPEN) {
        close_pinned(env);
        r->state = REDO_BROKEN;
        return STORE_EIO;
    }
    return rc;
}

/* LMDB gave itself up when it could not write a meta page: nobody knows what that page says. Not
 * while a write transaction is open. */
static bool
is_given_up(struct store_env *env)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(env->mdb, NULL, 0, &txn);
    if (rc == 0)
        mdb_txn_abort(txn);
    if (rc == MDB_PANIC)
        env->redo->state = REDO_BROKEN;
    return rc == MDB_PANIC;
}

int
store_env_checkpoint(struct store_env *env)
{
    struct redo *r = env->redo;
    if (r == NULL)
        return 0;
    if (r->state == REDO_BROKEN || r->journal == NULL || is_given_up(env))
        return STORE_EIO;
    return r->state == REDO_REOPEN ? reopen(env) : checkpoint(env, false);
}

bool
store_env_is_behind(const struct store_env *env)
{
    const struct redo *r = env->redo;
    return r != NULL && (r->n_commits > 0 || (r->state != REDO_READY && r->state != REDO_SYNCED));
}

bool
store_env_is_broken(const struct store_env *env)
{
    return env->redo != NULL && env->redo->state == REDO_BROKEN;
}

void
store_env_limit_commits(struct store_env *env, unsigned max_commits)
{
    env->redo->max_commits = max_commits;
}

bool
store_env_has_journal(const struct store_env *env)
{
    return access(env->redo->path, F_OK) == 0;
}

int
store_env_add_journal(struct store_env *env)
{
    struct redo *r = env->redo;
    struct journal_base base;
    if (r->journal != NULL)
        return 0;
    int rc = read_base(env, true, &base);
    if (rc == 0)
        rc = journal_create(&r->journal, r->path, &base);
    return store_translate(rc);
}

void
redo_close(struct store_env *env)
{
    struct redo *r = env->redo;
    bool is_in_use = env->mdb != NULL && (r->state == REDO_READY || r->state == REDO_OWES);
    if (is_in_use && (is_given_up(env) || checkpoint(env, true) != 0))
        log_warn("store", "the next start will replay the journal dir=%s", r->dir);
    close_pinned(env);
}

/* --- commits */

int
redo_begin(struct store_env *env)
{
    struct redo *r = env->redo;
    clear_record(r);
    switch (r->state) {
    case REDO_SYNCED:
    case REDO_READY:
        return 0;
    case REDO_OWES:
    case REDO_REOPEN:
        return STORE_EFULL;
    case REDO_BROKEN:
        break;
    }
    return STORE_EIO;
}

static bool
is_full(const struct redo *r)
{
    return r->n_commits > 0 && (r->n_commits >= r->max_commits ||
                                journal_bytes(r->journal) + r->record.len > JOURNAL_MAX_BYTES);
}

static void
write_back_ahead(struct store_env *env)
{
    mdb_filehandle_t fd;
    if (env->redo->n_commits % WRITE_BACK_COMMITS == 0 && mdb_env_get_fd(env->mdb, &fd) == 0)
        (void) sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* the checkpoint asks again */
}

/* A journal and an LMDB that do not say the same: neither may have what was refused. */
static void
undo(struct store_env *env, bool is_in_journal, bool is_in_lmdb)
{
    struct redo *r = env->redo;
    if (is_in_journal)
        (void) journal_take_back(r->journal); /* its own failure is remembered */
    if (journal_is_broken(r->journal))
        r->state = REDO_BROKEN;
    else if (is_in_lmdb)
        (void) reopen(env); /* its own failure is remembered */
}

/* LMDB commits while the disk is busy with the record: nobody reads before both are through. */
static int
commit_noted(struct store_env *env, MDB_txn *mdb)
{
    struct redo *r = env->redo;
    int rc = is_full(r) ? checkpoint(env, false) : 0;
    if (rc != 0) {
        mdb_txn_abort(mdb);
        return rc == STORE_EFULL ? ENOSPC : EIO;
    }
    rc = journal_start(r->journal, &r->record);
    if (rc != 0) {
        mdb_txn_abort(mdb);
        undo(env, false, false);
        return rc;
    }
    int refused = mdb_txn_commit(mdb);
    write_back_ahead(env);
    rc = journal_finish(r->journal);
    if (rc != 0 || refused != 0) {
        undo(env, rc == 0, refused == 0);
        return rc != 0 ? rc : refused;
    }
    r->n_commits++;
    return 0;
}

int
redo_commit(struct store_env *env, MDB_txn *mdb)
{
    struct redo *r = env->redo;
    if (r->state == REDO_SYNCED || is_empty(r))
        return mdb_txn_commit(mdb);
    if (buf_failed(&r->record)) {
        mdb_txn_abort(mdb);
        return ENOMEM;
    }
    return commit_noted(env, mdb);
}
