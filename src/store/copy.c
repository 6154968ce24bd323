/* Copying an environment's rows in pieces and putting the copy in its place. Knows LMDB's file
 * names; must not know what a row means. */
#include "store/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/dir.h"
#include "store/env_internal.h"

enum {
    COMMIT_BYTES = 1 << 20, /* of rows in one commit: bounds how long its sync takes */
    CLOCK_EVERY = 16,
};
#define COPY_NAME "copy.mdb"
#define OLD_NAME "copied.mdb" /* what data.mdb was, until the trash has it */

struct store_copy {
    struct store_env *from, *to;
    char *dir;
    struct store_txn *txn; /* writes the copy; NULL: nothing since the last commit */
    uint64_t n_bytes;      /* in txn */
    int table;
    struct buf after; /* the key that was copied last in this table */
    bool has_after;
};

static struct buf
path_in(const char *dir, const char *name)
{
    struct buf path = BUF_INIT;
    buf_addf(&path, "%s/%s", dir, name);
    return path;
}

static void
discard(const char *dir, const char *name, struct trash *trash)
{
    struct buf path = path_in(dir, name);
    if (trash_put(trash, AT_FDCWD, buf_cstr(&path)) != 0)
        log_warn("store", "cannot remove a file path=%s error=\"%m\"", buf_cstr(&path));
    buf_done(&path);
}

void
store_copy_sweep(const char *dir, struct trash *trash)
{
    discard(dir, COPY_NAME, trash);
    discard(dir, OLD_NAME, trash);
}

static void
copy_free(struct store_copy *c)
{
    store_abort(c->txn);
    store_env_close(c->to);
    buf_done(&c->after);
    free(c->dir);
    free(c);
}

void
store_copy_abort(struct store_copy *c)
{
    if (c == NULL)
        return;
    char *dir = c->dir;
    c->dir = NULL;
    copy_free(c);
    discard(dir, COPY_NAME, NULL);
    free(dir);
}

int
store_copy_begin(struct store_copy **ret, struct store_env *env, const char *dir)
{
    store_copy_sweep(dir, NULL);
    struct store_copy *c = mem_new(1, sizeof(*c));
    struct buf path = path_in(dir, COPY_NAME);
    c->from = env;
    c->dir = mem_strdup(dir);
    int rc = env_open_beside(&c->to, env, buf_cstr(&path));
    buf_done(&path);
    if (rc != 0) {
        store_copy_abort(c);
        return store_translate(rc);
    }
    *ret = c;
    return 0;
}

/* --- copying */

static int
begin_txn(struct store_copy *c)
{
    c->n_bytes = 0;
    return c->txn != NULL ? 0 : store_begin_write(c->to, &c->txn);
}

int
store_copy_commit(struct store_copy *c)
{
    struct store_txn *txn = c->txn;
    c->txn = NULL;
    c->n_bytes = 0;
    return txn == NULL ? 0 : store_commit(txn);
}

int
store_copy_put(struct store_copy *c, int table, struct str key, struct str value)
{
    int rc = c->txn == NULL ? begin_txn(c) : 0;
    return rc < 0 ? rc : store_put(c->txn, table, key, value);
}

/* To the first row behind the one copied last: 1, 0 at the end of the table, negative. */
static int
seek(const struct store_copy *c, struct store_cursor *from)
{
    if (!c->has_after)
        return store_cursor_first(from);
    int rc = store_cursor_seek(from, buf_str(&c->after));
    return rc == 1 && str_equal(from->key, buf_str(&c->after)) ? store_cursor_next(from) : rc;
}

static int
copy_row(struct store_copy *c, const struct store_cursor *from)
{
    int rc = store_append(c->txn, c->table, from->key, from->value);
    c->n_bytes += from->key.len + from->value.len;
    return rc;
}

/* Rows of this table until it ends (0), the commit is full or it is time (1). */
static int
copy_rows(struct store_copy *c, struct store_cursor *from, int64_t deadline_us)
{
    int rc = seek(c, from);
    for (unsigned n = 1; rc == 1; n++) {
        rc = copy_row(c, from);
        if (rc < 0)
            break;
        bool is_time = n % CLOCK_EVERY == 0 && clock_mono_us() >= deadline_us;
        if (is_time || c->n_bytes >= COMMIT_BYTES) {
            buf_clear(&c->after);
            buf_add_str(&c->after, from->key);
            c->has_after = true;
            return 1;
        }
        rc = store_cursor_next(from);
    }
    return rc;
}

static int
copy_tables(struct store_copy *c, struct store_txn *txn, int64_t deadline_us)
{
    int rc = 0;
    while (rc == 0 && c->table < c->from->n_tables) {
        struct store_cursor from;
        rc = store_cursor_open(&from, txn, c->table);
        if (rc == 0)
            rc = copy_rows(c, &from, deadline_us);
        store_cursor_close(&from);
        if (rc != 0)
            break;
        c->table++;
        c->has_after = false;
    }
    return rc;
}

int
store_copy_step(struct store_copy *c, int64_t deadline_us)
{
    struct store_txn *txn;
    int rc = c->txn == NULL ? begin_txn(c) : 0;
    if (rc == 0)
        rc = store_begin_read(c->from, &txn);
    if (rc < 0)
        return rc;
    rc = copy_tables(c, txn, deadline_us);
    store_abort(txn);
    if (rc == 0 || (rc == 1 && c->n_bytes >= COMMIT_BYTES)) {
        int committed = store_copy_commit(c);
        rc = committed < 0 ? committed : rc;
    }
    return rc;
}

/* --- changing places */

/* Keeps the old file's bytes for the trash: freeing them at once would hold the loop. */
static void
keep_old(const char *dir)
{
    struct buf data = path_in(dir, "data.mdb"), old = path_in(dir, OLD_NAME);
    (void) link(buf_cstr(&data), buf_cstr(&old)); /* without, they go with the name */
    buf_done(&data);
    buf_done(&old);
}

static int
rename_copy(const char *dir)
{
    struct buf copy = path_in(dir, COPY_NAME), data = path_in(dir, "data.mdb");
    int rc = rename(buf_cstr(&copy), buf_cstr(&data)) == 0 ? 0 : errno;
    if (rc != 0)
        log_error("store", "cannot put a copy in its place path=%s error=\"%m\"", buf_cstr(&data));
    buf_done(&copy);
    buf_done(&data);
    return rc;
}

int
store_copy_take_place(struct store_copy *c, struct trash *trash, bool *ret_is_durable)
{
    struct store_env *env = c->from;
    char *dir = c->dir;
    c->dir = NULL;
    *ret_is_durable = true;
    copy_free(c);
    keep_old(dir);
    env_close_mdb(env); /* one process must not have a file open twice */
    int rc = rename_copy(dir);
    if (rc == 0)
        *ret_is_durable = dir_sync(dir) == 0;
    int opened = env_open_again(env, dir);
    if (opened != 0)
        log_error("store", "cannot open a database again path=%s", dir);
    store_copy_sweep(dir, trash);
    free(dir);
    return store_translate(opened != 0 ? opened : rc);
}
