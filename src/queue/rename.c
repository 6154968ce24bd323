/* Renaming the past (contract 4.6): a swap or rename exchanges index uids in every older task. The
 * finishing transaction stores only a record of it, through which tasks are read from then on; the
 * rows follow piece by piece before the next batch (invariant 13), also after a restart. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "queue/marks.h"
#include "store/rec.h"

enum { RENAME_RECORD_VERSION = 1 };

struct names {
    struct str a, b;
};

/* The other name, or the same when it is neither. */
static struct str
exchanged(const struct names *names, struct str uid)
{
    if (str_equal(uid, names->a))
        return names->b;
    return str_equal(uid, names->b) ? names->a : uid;
}

/* Whether *uid (NULL accepted) changed. */
static bool
exchange(const struct names *names, char **uid)
{
    if (*uid == NULL)
        return false;
    struct str to = exchanged(names, str_from(*uid));
    if (to.data == *uid)
        return false;
    free(*uid);
    *uid = mem_strndup(to.data, to.len);
    return true;
}

/* --- the details of earlier swaps */

static void
write_swap(struct json_out *j, const struct json *swap, const struct names *names)
{
    struct json_iter it = json_iter(swap);
    json_begin_object(j);
    while (json_next(&it)) {
        json_key_str(j, it.key);
        if (str_is(it.key, "indexes")) {
            struct json_iter uids = json_iter(it.value);
            json_begin_array(j);
            while (json_next(&uids))
                json_put_str(j, exchanged(names, json_string(uids.value)));
            json_end_array(j);
        } else {
            struct buf value = BUF_INIT;
            json_write(&value, it.value);
            json_put_raw(j, buf_str(&value));
            buf_done(&value);
        }
    }
    json_end_object(j);
}

static void
exchange_details(struct task *t, const struct names *names)
{
    struct json_doc *doc = t->details == NULL ? NULL : json_parse(str_from(t->details), NULL);
    const struct json *swaps = doc == NULL ? NULL : json_get_c(json_root(doc), "swaps");
    if (swaps == NULL) {
        json_doc_free(doc);
        return;
    }
    struct buf text = BUF_INIT;
    struct json_out j = json_out(&text);
    struct json_iter it = json_iter(swaps);
    json_begin_object(&j);
    json_key(&j, "swaps");
    json_begin_array(&j);
    while (json_next(&it))
        write_swap(&j, it.value, names);
    json_end_array(&j);
    json_end_object(&j);
    json_doc_free(doc);
    free(t->details);
    t->details = buf_take(&text);
}

/* --- one task */

/* Its row among those that are not finished gets the name: 1, 0 when there is none, or negative. */
static int
exchange_queue_row(struct queue *q, struct store_txn *txn, const struct task *before,
                   const struct names *names)
{
    uint8_t bytes[4];
    struct queue_row row;
    int rc = queue_row_read(txn, before->uid, &row);
    if (rc <= 0)
        return rc;
    (void) exchange(names, &row.index_uid); /* a row without index stays as it is */
    buf_clear(&q->record);
    queue_row_encode(&q->record, &row);
    queue_row_done(&row);
    rc = store_put(txn, TABLE_TASK_QUEUE, key_u32(bytes, before->uid), buf_str(&q->record));
    return rc < 0 ? rc : 1;
}

/* The rows and sets that make it findable by its index. */
static int
exchange_rows(struct queue *q, struct store_txn *txn, const struct task *before,
              const struct names *names)
{
    int is_open = exchange_queue_row(q, txn, before, names);
    bool had_a = false, had_b = false;
    for (uint32_t i = 0; i <= before->n_also_indexes; i++) {
        const char *uid = i == 0 ? before->index_uid : before->also_indexes[i - 1];
        had_a = had_a || (uid != NULL && str_is(names->a, uid));
        had_b = had_b || (uid != NULL && str_is(names->b, uid));
    }
    if (is_open < 0 || had_a == had_b)
        return is_open;
    struct str from = had_a ? names->a : names->b, to = had_a ? names->b : names->a;
    int rc = marks_rename_task(q, txn, before->uid, from, to);
    if (rc == 0 && is_open)
        rc = queue_index_delete(txn, from, before->uid);
    return rc < 0 || !is_open ? rc : queue_index_put(txn, to, before->uid);
}

static bool
is_attached(const struct task *t, const struct names *names)
{
    for (uint32_t i = 0; i <= t->n_also_indexes; i++) {
        const char *uid = i == 0 ? t->index_uid : t->also_indexes[i - 1];
        if (uid != NULL && (str_is(names->a, uid) || str_is(names->b, uid)))
            return true;
    }
    return false;
}

static void
exchange_names(struct task *t, const struct names *names)
{
    (void) exchange(names, &t->index_uid); /* none, for a swap */
    for (uint32_t i = 0; i < t->n_also_indexes; i++)
        (void) exchange(names, &t->also_indexes[i]); /* it may be attached to others as well */
    if (t->kind == KIND_INDEX_SWAP)
        exchange_details(t, names);
}

/* --- the rename that is being carried out: its record in the store
 *
 * v1: below u32, done u32 (tasks with a lower uid bear their new names), n u32, then a, b each. */

struct rename {
    uint32_t below, done, n;
    struct names *pairs; /* of one swap: no name twice, so their order does not matter */
    struct buf record;   /* what they point into */
};

static void
rename_done(struct rename *r)
{
    free(r->pairs);
    buf_done(&r->record);
}

/* 1 (rename_done it), 0 when there is none, negative. */
static int
rename_get(struct store_txn *txn, struct rename *ret)
{
    struct str record;
    int rc = store_get(txn, TABLE_META, META_RENAME, &record);
    if (rc <= 0)
        return rc;
    *ret = (struct rename){0};
    buf_add_str(&ret->record, record);
    struct rec r = rec_open(buf_str(&ret->record), RENAME_RECORD_VERSION);
    ret->below = rec_u32(&r);
    ret->done = rec_u32(&r);
    ret->n = rec_u32(&r);
    if (ret->n > record.len)
        ret->n = 0; /* damaged: bytes are left */
    ret->pairs = mem_new((size_t) ret->n + 1, sizeof(*ret->pairs));
    for (uint32_t i = 0; i < ret->n; i++) {
        ret->pairs[i].a = rec_str(&r);
        ret->pairs[i].b = rec_str(&r);
    }
    if (rec_ok(&r))
        return 1;
    rename_done(ret);
    return STORE_ECORRUPT;
}

static int
rename_put(struct store_txn *txn, const struct rename *r)
{
    struct buf record = BUF_INIT;
    rec_put_u8(&record, RENAME_RECORD_VERSION);
    rec_put_u32(&record, r->below);
    rec_put_u32(&record, r->done);
    rec_put_u32(&record, r->n);
    for (uint32_t i = 0; i < r->n; i++) {
        rec_put_str(&record, r->pairs[i].a);
        rec_put_str(&record, r->pairs[i].b);
    }
    int rc = store_put(txn, TABLE_META, META_RENAME, buf_str(&record));
    buf_done(&record);
    return rc;
}

/* Takes over from the other set the tasks whose rows have their names still to come. */
static int
blend_due(struct store_txn *txn, const struct rename *r, const struct set_id *other, uint32_t chunk,
          struct bits *ret)
{
    struct bits bits, due;
    uint64_t first = bits_uid(chunk, 0), last = bits_uid(chunk, BITS_COUNT - 1);
    int rc = sets_read(txn, other, chunk, &bits);
    if (rc < 0 || r->below <= first || r->done > last)
        return rc;
    bits_clear(&due);
    bits_fill(&due, r->done > first ? r->done % BITS_COUNT : 0,
              r->below <= last ? (r->below - 1) % BITS_COUNT : BITS_COUNT - 1);
    bits_blend(ret, &bits, &due);
    return 0;
}

int
rename_show(const struct queue *q, struct store_txn *txn, struct task *t)
{
    struct rename r;
    if (!q->is_renaming)
        return 0;
    int rc = rename_get(txn, &r);
    if (rc <= 0)
        return rc;
    bool is_due = t->uid >= r.done && t->uid < r.below;
    for (uint32_t i = 0; is_due && i < r.n; i++)
        exchange_names(t, &r.pairs[i]);
    rename_done(&r);
    return 0;
}

int
rename_read_index(const struct queue *q, struct store_txn *txn, struct str name, uint32_t chunk,
                  struct bits *ret)
{
    struct rename r;
    struct set_id id = {.kind = SET_INDEX, .name = name};
    int rc = sets_read(txn, &id, chunk, ret);
    if (rc < 0 || !q->is_renaming)
        return rc;
    rc = rename_get(txn, &r);
    if (rc <= 0)
        return rc;
    for (uint32_t i = 0; i < r.n; i++)
        id.name = exchanged(&r.pairs[i], id.name); /* no name stands in two pairs */
    if (id.name.data != name.data)
        rc = blend_due(txn, &r, &id, chunk, ret);
    rename_done(&r);
    return rc < 0 ? rc : 1;
}

/* --- carrying it out */

static int
rename_task(struct queue *q, struct store_txn *txn, const struct rename *r, struct str record)
{
    struct task t;
    bool is_changed = false;
    int rc = task_decode(&t, record);
    if (rc < 0)
        return rc;
    for (uint32_t i = 0; i < r->n && rc >= 0; i++) {
        if (!is_attached(&t, &r->pairs[i]))
            continue;
        rc = exchange_rows(q, txn, &t, &r->pairs[i]);
        exchange_names(&t, &r->pairs[i]);
        is_changed = true;
    }
    if (rc >= 0 && is_changed)
        rc = task_write(q, txn, TABLE_TASKS, &t);
    task_done(&t);
    return rc < 0 ? rc : 0;
}

/* The first task from at on that is attached to one of the names: 1 / 0 / negative. */
static int
next_attached(struct store_txn *txn, const struct rename *r, uint32_t at, uint32_t *ret)
{
    uint32_t least = UINT32_MAX;
    bool has_any = false;
    for (uint32_t i = 0; i < 2 * r->n; i++) {
        uint32_t uid;
        struct names names = r->pairs[i / 2];
        int rc = sets_next(txn, &(struct set_id){SET_INDEX, 0, i % 2 == 0 ? names.a : names.b}, at,
                           &uid);
        if (rc < 0)
            return rc;
        if (rc > 0 && uid <= least) {
            least = uid;
            has_any = true;
        }
    }
    *ret = least;
    return has_any;
}

/* The next tasks: 1 when none is left, 0 when there may be more, negative. */
static int
rename_tasks(struct queue *q, struct store_txn *txn, struct rename *r, int64_t deadline_us)
{
    uint8_t bytes[4];
    uint32_t uid;
    int n = 0, rc;
    while ((rc = next_attached(txn, r, r->done, &uid)) > 0 && uid < r->below) {
        struct str record;
        rc = store_get(txn, TABLE_TASKS, key_u32(bytes, uid), &record);
        if (rc > 0)
            rc = rename_task(q, txn, r, record);
        r->done = uid + 1;
        bool is_time = ++n % SLICE_CHECK_EVERY == 0 && clock_mono_us() >= deadline_us;
        if (rc < 0 || n == FINISH_PIECE || is_time)
            return rc;
    }
    return rc < 0 ? rc : 1;
}

int
rename_piece(struct queue *q, struct store_txn *txn, int64_t deadline_us)
{
    struct rename r;
    int rc = rename_get(txn, &r);
    if (rc <= 0)
        return rc < 0 ? rc : 1;
    rc = rename_tasks(q, txn, &r, deadline_us);
    int stored = rc < 0    ? rc
                 : rc == 0 ? rename_put(txn, &r)
                           : store_delete(txn, TABLE_META, META_RENAME);
    rename_done(&r);
    return stored < 0 ? stored : rc;
}

/* One more pair of the same swap. */
static int
rename_add(struct store_txn *txn, struct rename *r, const struct names *names)
{
    r->pairs = mem_grow(r->pairs, (size_t) r->n + 1, sizeof(*r->pairs));
    r->pairs[r->n++] = *names;
    return rename_put(txn, r);
}

int
queue_rename_indexes(struct queue *q, struct store_txn *txn, struct str a, struct str b,
                     uint32_t below)
{
    struct names names = {a, b};
    struct rename r;
    q->is_renaming = true;
    int rc = rename_get(txn, &r);
    bool is_same = rc > 0 && r.below == below && r.done == 0;
    if (rc > 0 && !is_same) { /* the scheduler ends one before the next: never met */
        rename_done(&r);
        while ((rc = rename_piece(q, txn, INT64_MAX)) == 0)
            ;
    }
    if (rc < 0)
        return rc;
    if (!is_same)
        r = (struct rename){.below = below};
    rc = rename_add(txn, &r, &names);
    rename_done(&r);
    return rc;
}
