/* The staging tables. Owns keys and records; knows neither requests nor how an index is written.
 *
 * TABLE_STAGING        index uid -> v1: id u64, may create u8, dead below u32
 * TABLE_STAGED         id u64be, kind, task uid u32be; the kinds:
 *   'b' a snapshot     empty
 *   'd' a deploy       empty
 *   'o' an operation   v1: kind u8, upserts u64, removes u64, size u64, file, inline str
 *   's' a schema       v1: names str
 * TABLE_STAGING_TRASH  id u64be -> v1: u32 below which 'b' and 'o' are dead, u32 for all kinds
 *
 * The id stands for the index's name, so that swapping names moves no row. */
#include "ops/staging.h"

#include <stdlib.h>

#include "store/rec.h"
#include "store/tables.h"

enum { STAGING_VERSION = 1, STAGED_VERSION = 1, TRASH_VERSION = 1, KEY_LEN = 13 };
#define META_STAGING_ID STR("staging.id") /* the last one given out */

/* --- keys */

struct key {
    uint8_t bytes[KEY_LEN];
};

static struct str
key_of(struct key *k, uint64_t id, char kind, uint32_t uid)
{
    (void) key_u64(k->bytes, id);
    k->bytes[8] = (uint8_t) kind;
    (void) key_u32(k->bytes + 9, uid);
    return str_make(k->bytes, KEY_LEN);
}

static bool
is_of(struct str key, uint64_t id, char kind)
{
    return key.len == KEY_LEN && key_read_u64(key, 0) == id && key.data[8] == kind;
}

static uint32_t
uid_of(struct str key)
{
    return key_read_u32(key, 9);
}

/* Positions c at the row of that kind with the least uid >= from: 1 / 0 / negative. */
static int
seek(struct store_cursor *c, uint64_t id, char kind, uint32_t from)
{
    struct key k;
    int rc = store_cursor_seek(c, key_of(&k, id, kind, from));

    return rc == 1 ? is_of(c->key, id, kind) : rc;
}

/* At the row of that kind with the greatest uid < below. */
static int
seek_below(struct store_cursor *c, uint64_t id, char kind, uint32_t below)
{
    struct key k;
    int rc = store_cursor_seek(c, key_of(&k, id, kind, below));

    if (rc >= 0)
        rc = rc == 1 ? store_cursor_prev(c) : store_cursor_last(c);
    return rc == 1 ? is_of(c->key, id, kind) : rc;
}

static int
find_below(struct store_txn *txn, uint64_t id, char kind, uint32_t below, uint32_t *ret)
{
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_STAGED);

    if (rc >= 0)
        rc = seek_below(&c, id, kind, below);
    if (rc == 1)
        *ret = uid_of(c.key);
    store_cursor_close(&c);
    return rc;
}

static int
put_row(struct store_txn *txn, uint64_t id, char kind, uint32_t uid, struct str value)
{
    struct key k;

    return store_put(txn, TABLE_STAGED, key_of(&k, id, kind, uid), value);
}

/* --- an index's staging */

int
staging_get(struct store_txn *txn, struct str index_uid, struct staging *ret)
{
    struct str value;
    int rc = store_get(txn, TABLE_STAGING, index_uid, &value);
    struct rec r;

    *ret = (struct staging){0};
    if (rc != 1)
        return rc;
    r = rec_open(value, STAGING_VERSION);
    ret->id = rec_u64(&r);
    ret->may_create = rec_u8(&r) != 0;
    ret->dead_below = rec_u32(&r);
    return rec_ok(&r) ? 1 : STORE_ECORRUPT;
}

static int
put_staging(struct store_txn *txn, struct str index_uid, const struct staging *s)
{
    struct buf value = BUF_INIT;
    int rc;

    rec_put_u8(&value, STAGING_VERSION);
    rec_put_u64(&value, s->id);
    rec_put_u8(&value, s->may_create);
    rec_put_u32(&value, s->dead_below);
    rc = store_put(txn, TABLE_STAGING, index_uid, buf_str(&value));
    buf_done(&value);
    return rc;
}

static int
next_id(struct store_txn *txn, uint64_t *ret)
{
    struct str value;
    uint8_t bytes[8];
    int rc = store_get(txn, TABLE_META, META_STAGING_ID, &value);

    if (rc < 0)
        return rc;
    *ret = (rc == 1 ? key_read_u64(value, 0) : 0) + 1;
    return store_put(txn, TABLE_META, META_STAGING_ID, key_u64(bytes, *ret));
}

/* The index's staging, begun when there is none. */
static int
get_or_begin(struct store_txn *txn, struct str index_uid, bool may_create, struct staging *ret)
{
    int rc = staging_get(txn, index_uid, ret);

    if (rc < 0 || (rc == 1 && (ret->may_create || !may_create)))
        return rc < 0 ? rc : 0;
    if (rc == 0)
        rc = next_id(txn, &ret->id);
    ret->may_create = may_create;
    return rc < 0 ? rc : put_staging(txn, index_uid, ret);
}

/* --- what is dead */

static int
get_trash(struct store_txn *txn, uint64_t id, uint32_t *ret_ops, uint32_t *ret_all)
{
    uint8_t bytes[8];
    struct str value;
    int rc = store_get(txn, TABLE_STAGING_TRASH, key_u64(bytes, id), &value);
    struct rec r;

    *ret_ops = *ret_all = 0;
    if (rc != 1)
        return rc;
    r = rec_open(value, TRASH_VERSION);
    *ret_ops = rec_u32(&r);
    *ret_all = rec_u32(&r);
    return rec_ok(&r) ? 1 : STORE_ECORRUPT;
}

static int
add_trash(struct store_txn *txn, uint64_t id, uint32_t ops_below, uint32_t all_below)
{
    uint8_t bytes[8];
    uint32_t ops, all;
    struct buf value = BUF_INIT;
    int rc = get_trash(txn, id, &ops, &all);

    if (rc < 0)
        return rc;
    rec_put_u8(&value, TRASH_VERSION);
    rec_put_u32(&value, ops_below > ops ? ops_below : ops);
    rec_put_u32(&value, all_below > all ? all_below : all);
    rc = store_put(txn, TABLE_STAGING_TRASH, key_u64(bytes, id), buf_str(&value));
    buf_done(&value);
    return rc;
}

/* --- deploys */

/* 1 while the task is enqueued or processing. */
static int
is_unfinished(struct queue *q, struct store_txn *txn, uint32_t uid)
{
    struct task t;
    int rc = queue_task_get(q, txn, uid, &t);

    if (rc != 1)
        return rc;
    rc = t.status == TASK_ENQUEUED || t.status == TASK_PROCESSING;
    task_done(&t);
    return rc;
}

/* Goes through the unfinished deploys, of which there are few: their number, first and last. */
struct deploys {
    unsigned n;
    uint32_t first, last;
};

static int
read_deploys(struct queue *q, struct store_txn *txn, uint64_t id, struct deploys *ret)
{
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_STAGED);

    *ret = (struct deploys){0};
    if (rc >= 0)
        rc = seek(&c, id, 'd', 0);
    while (rc == 1) {
        uint32_t uid = uid_of(c.key);
        rc = is_unfinished(q, txn, uid);
        if (rc == 1) {
            ret->first = ret->n++ == 0 ? uid : ret->first;
            ret->last = uid;
        }
        rc = rc < 0 ? rc : seek(&c, id, 'd', uid + 1);
    }
    store_cursor_close(&c);
    return rc;
}

/* Deletes the marks of deploys that ended otherwise than well. */
static int
forget_finished(struct queue *q, struct store_txn *txn, uint64_t id)
{
    uint32_t from = 0;

    for (;;) {
        struct store_cursor c = {0};
        struct key k;
        int rc = store_cursor_open(&c, txn, TABLE_STAGED);
        if (rc >= 0)
            rc = seek(&c, id, 'd', from);
        if (rc == 1)
            from = uid_of(c.key);
        store_cursor_close(&c);
        if (rc != 1)
            return rc;
        rc = is_unfinished(q, txn, from);
        if (rc == 0)
            rc = store_delete(txn, TABLE_STAGED, key_of(&k, id, 'd', from));
        if (rc < 0)
            return rc;
        from++;
    }
}

bool
staging_may_deploy(struct queue *q, struct store_txn *txn, struct str index_uid)
{
    struct staging s;
    struct deploys deploys;

    return staging_get(txn, index_uid, &s) != 1 || read_deploys(q, txn, s.id, &deploys) < 0 ||
           deploys.n < STAGING_MAX_DEPLOYS;
}

int
staging_put_deploy(struct queue *q, struct store_txn *txn, struct str index_uid, uint32_t uid)
{
    struct staging s;
    int rc = get_or_begin(txn, index_uid, false, &s);

    if (rc >= 0)
        rc = forget_finished(q, txn, s.id);
    return rc < 0 ? rc : put_row(txn, s.id, 'd', uid, STR(""));
}

int
staging_has_data(struct queue *q, struct store_txn *txn, struct str index_uid)
{
    struct staging s;
    struct deploys deploys;
    uint32_t last, marked;
    int rc = staging_get(txn, index_uid, &s);

    if (rc == 1)
        rc = read_deploys(q, txn, s.id, &deploys) < 0 ? STORE_ECORRUPT : 1;
    if (rc != 1)
        return rc;
    marked = deploys.n > 0 && deploys.last > s.dead_below ? deploys.last : s.dead_below;
    for (const char *kind = "os"; *kind != '\0'; kind++) {
        rc = find_below(txn, s.id, *kind, TASK_NONE, &last);
        if (rc < 0 || (rc == 1 && last >= marked))
            return rc;
    }
    return 0;
}

/* --- staging */

static int
put_op(struct store_txn *txn, uint64_t id, const struct staged *op)
{
    struct buf value = BUF_INIT;
    int rc = STORE_EFULL;

    rec_put_u8(&value, STAGED_VERSION);
    rec_put_u8(&value, (uint8_t) op->kind);
    rec_put_u64(&value, op->n_upserts);
    rec_put_u64(&value, op->n_removes);
    rec_put_u64(&value, op->size);
    rec_put_uuid(&value, &op->file);
    rec_put_str(&value, op->inline_bytes);
    if (!buf_failed(&value))
        rc = put_row(txn, id, 'o', op->uid, buf_str(&value));
    buf_done(&value);
    return rc;
}

/* What a new snapshot overtakes: all of it, unless unfinished deploys still need some. */
static int
overtake(struct queue *q, struct store_txn *txn, uint64_t id, uint32_t snapshot)
{
    struct deploys deploys;
    uint32_t below = snapshot;
    int rc = read_deploys(q, txn, id, &deploys);

    if (rc >= 0 && deploys.n > 0)
        rc = find_below(txn, id, 'b', deploys.first, &below) == 1;
    else
        rc = rc < 0 ? rc : 1;
    return rc == 1 ? add_trash(txn, id, below, 0) : rc;
}

int
staging_put(struct queue *q, struct store_txn *txn, struct str index_uid, const struct staged *op,
            bool may_create)
{
    struct staging s;
    int rc = get_or_begin(txn, index_uid, may_create, &s);

    if (rc >= 0)
        rc = put_op(txn, s.id, op);
    if (rc < 0 || op->kind != STAGED_SNAPSHOT)
        return rc;
    rc = put_row(txn, s.id, 'b', op->uid, STR(""));
    return rc < 0 ? rc : overtake(q, txn, s.id, op->uid);
}

int
staging_put_schema(struct store_txn *txn, struct str index_uid, uint32_t uid, struct str names,
                   bool may_create)
{
    struct staging s;
    struct buf value = BUF_INIT;
    int rc = get_or_begin(txn, index_uid, may_create, &s);

    rec_put_u8(&value, STAGED_VERSION);
    rec_put_str(&value, names);
    if (rc >= 0)
        rc = buf_failed(&value) ? STORE_EFULL : put_row(txn, s.id, 's', uid, buf_str(&value));
    buf_done(&value);
    return rc;
}

/* --- for deploys */

int
staging_base(struct store_txn *txn, const struct staging *s, uint32_t below, uint32_t *ret)
{
    int rc = find_below(txn, s->id, 'b', below, ret);

    return rc == 1 ? *ret >= s->dead_below : rc;
}

static int
decode_op(struct staged *ret, struct str value)
{
    struct rec r = rec_open(value, STAGED_VERSION);

    ret->kind = (enum staged_kind) rec_u8(&r);
    ret->n_upserts = rec_u64(&r);
    ret->n_removes = rec_u64(&r);
    ret->size = rec_u64(&r);
    ret->file = rec_uuid(&r);
    ret->inline_bytes = rec_str(&r);
    return rec_ok(&r) ? 1 : STORE_ECORRUPT;
}

int
staging_next(struct store_txn *txn, const struct staging *s, uint32_t from, uint32_t below,
             struct staged *ret)
{
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_STAGED);

    if (rc >= 0)
        rc = seek(&c, s->id, 'o', from > s->dead_below ? from : s->dead_below);
    if (rc == 1 && uid_of(c.key) >= below)
        rc = 0;
    if (rc == 1) {
        *ret = (struct staged){.uid = uid_of(c.key)};
        rc = decode_op(ret, c.value);
    }
    store_cursor_close(&c);
    return rc;
}

int
staging_schema(struct store_txn *txn, const struct staging *s, uint32_t below, struct str *ret)
{
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_STAGED);

    if (rc >= 0)
        rc = seek_below(&c, s->id, 's', below);
    if (rc == 1 && uid_of(c.key) < s->dead_below)
        rc = 0;
    if (rc == 1) {
        struct rec r = rec_open(c.value, STAGED_VERSION);
        *ret = rec_str(&r);
        rc = rec_ok(&r) ? 1 : STORE_ECORRUPT;
    }
    store_cursor_close(&c);
    return rc;
}

int
staging_applied(struct store_txn *txn, struct str index_uid, uint32_t uid)
{
    struct staging s;
    int rc = staging_get(txn, index_uid, &s);

    if (rc != 1)
        return rc;
    s.dead_below = uid > s.dead_below ? uid : s.dead_below;
    rc = put_staging(txn, index_uid, &s);
    return rc < 0 ? rc : add_trash(txn, s.id, s.dead_below, s.dead_below + 1);
}

/* --- indexes */

/* Whether anything was staged, or a deploy asked for, at that uid or later: 1 / 0 / negative. */
static int
has_later(struct store_txn *txn, uint64_t id, uint32_t from)
{
    uint32_t last;

    for (const char *kind = "osd"; *kind != '\0'; kind++) {
        int rc = find_below(txn, id, *kind, TASK_NONE, &last);
        if (rc < 0 || (rc == 1 && last >= from))
            return rc;
    }
    return 0;
}

int
staging_drop(struct store_txn *txn, struct str index_uid, uint32_t below)
{
    struct staging s;
    int rc = staging_get(txn, index_uid, &s);
    int later = rc == 1 ? has_later(txn, s.id, below) : 0;

    if (rc != 1 || later < 0)
        return rc != 1 ? rc : later;
    s.dead_below = below;
    if (later == 0)
        rc = store_delete(txn, TABLE_STAGING, index_uid);
    else
        rc = put_staging(txn, index_uid, &s);
    return rc < 0 ? rc : add_trash(txn, s.id, below, below);
}

static int
put_or_delete(struct store_txn *txn, struct str index_uid, const struct staging *s)
{
    int rc =
        s->id != 0 ? put_staging(txn, index_uid, s) : store_delete(txn, TABLE_STAGING, index_uid);

    return rc < 0 ? rc : 0;
}

int
staging_exchange(struct store_txn *txn, struct str a, struct str b)
{
    struct staging of_a, of_b;
    int rc = staging_get(txn, a, &of_a);

    if (rc >= 0)
        rc = staging_get(txn, b, &of_b);
    if (rc >= 0)
        rc = put_or_delete(txn, a, &of_b);
    return rc < 0 ? rc : put_or_delete(txn, b, &of_a);
}

/* --- deleting what is dead */

struct collecting {
    struct store_txn *txn;
    uint64_t id;
    unsigned left; /* rows that may still be deleted */
    struct uuid *files;
    size_t *n_files;
};

/* Deletes rows of one kind below the uid: 1 when rows may be left, 0 when not, negative. */
static int
collect_kind(struct collecting *g, char kind, uint32_t below)
{
    struct store_cursor c = {0};
    struct staged op;
    int rc = store_cursor_open(&c, g->txn, TABLE_STAGED);

    if (rc >= 0)
        rc = seek(&c, g->id, kind, 0);
    while (rc == 1 && g->left > 0 && is_of(c.key, g->id, kind) && uid_of(c.key) < below) {
        if (kind == 'o' && decode_op(&op, c.value) == 1 && !uuid_is_nil(&op.file))
            g->files[(*g->n_files)++] = op.file;
        g->left--;
        rc = store_cursor_delete(&c);
        if (rc >= 0)
            rc = seek(&c, g->id, kind, 0);
    }
    store_cursor_close(&c);
    return rc < 0 ? rc : g->left == 0;
}

static int
first_trash(struct store_txn *txn, uint64_t *ret_id)
{
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_STAGING_TRASH);

    if (rc >= 0)
        rc = store_cursor_first(&c);
    if (rc == 1)
        *ret_id = key_read_u64(c.key, 0);
    store_cursor_close(&c);
    return rc;
}

bool
staging_has_trash(struct store_txn *txn)
{
    uint64_t id;

    return first_trash(txn, &id) == 1;
}

int
staging_collect(struct store_txn *txn, struct uuid *ret_files, size_t *ret_n_files)
{
    struct collecting g = {
        .txn = txn, .left = STAGING_COLLECT_ROWS, .files = ret_files, .n_files = ret_n_files};
    uint8_t bytes[8];
    uint32_t ops, all;
    int rc = first_trash(txn, &g.id);

    if (rc == 1)
        rc = get_trash(txn, g.id, &ops, &all);
    if (rc != 1)
        return rc;
    rc = 0;
    for (const char *kind = "bods"; *kind != '\0' && rc == 0; kind++)
        rc = collect_kind(&g, *kind, *kind == 'b' || *kind == 'o' ? ops : all);
    if (rc == 0)
        rc = store_delete(txn, TABLE_STAGING_TRASH, key_u64(bytes, g.id));
    return rc < 0 ? rc : 1;
}

int
staging_each_file(struct store_txn *txn, int (*fn)(void *arg, const struct uuid *file), void *arg)
{
    struct store_cursor c = {0};
    struct staged op;
    int rc = store_cursor_open(&c, txn, TABLE_STAGED);

    if (rc >= 0)
        rc = store_cursor_first(&c);
    while (rc == 1) {
        if (c.key.len == KEY_LEN && c.key.data[8] == 'o') {
            rc = decode_op(&op, c.value);
            if (rc == 1 && !uuid_is_nil(&op.file))
                rc = fn(arg, &op.file);
        }
        rc = rc < 0 ? rc : store_cursor_next(&c);
    }
    store_cursor_close(&c);
    return rc;
}
