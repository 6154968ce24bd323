/* Renaming the past (contract 4.6): a swap or rename exchanges two index uids in every older task.
 * One pass over the tasks and one over the queue rows, in the finishing transaction. */
#include <stdlib.h>

#include "base/mem.h"
#include "codec/json.h"
#include "queue/queue_internal.h"
#include "store/rec.h"

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

/* The rows that make it findable by its index move along. */
static int
exchange_rows(struct queue *q, struct store_txn *txn, const struct task *before,
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
    bool had_a = false, had_b = false;
    for (uint32_t i = 0; i <= before->n_also_indexes; i++) {
        const char *uid = i == 0 ? before->index_uid : before->also_indexes[i - 1];
        had_a = had_a || (uid != NULL && str_is(names->a, uid));
        had_b = had_b || (uid != NULL && str_is(names->b, uid));
    }
    if (rc < 0 || had_a == had_b)
        return rc;
    rc = queue_index_delete(txn, had_a ? names->a : names->b, before->uid);
    return rc < 0 ? rc : queue_index_put(txn, had_a ? names->b : names->a, before->uid);
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

static int
exchange_task(struct queue *q, struct store_txn *txn, struct task *t, const struct names *names)
{
    if (!is_attached(t, names))
        return 0;
    int rc = exchange_rows(q, txn, t, names);
    if (rc < 0)
        return rc;
    (void) exchange(names, &t->index_uid); /* none, for a swap */
    for (uint32_t i = 0; i < t->n_also_indexes; i++)
        (void) exchange(names, &t->also_indexes[i]); /* it may be attached to others as well */
    if (t->kind == KIND_INDEX_SWAP)
        exchange_details(t, names);
    return task_write(q, txn, TABLE_TASKS, t);
}

int
queue_rename_indexes(struct queue *q, struct store_txn *txn, struct str a, struct str b,
                     uint32_t below)
{
    const struct names names = {a, b};
    struct store_cursor c;
    struct task t;
    uint8_t bytes[4];
    int rc = store_cursor_open(&c, txn, TABLE_TASKS);
    if (rc < 0)
        return rc;
    rc = store_cursor_first(&c);
    while (rc > 0) {
        uint32_t uid = key_read_u32(c.key, 0);
        if (uid >= below) {
            rc = 0;
            break;
        }
        rc = task_decode(&t, c.value);
        if (rc == 0) {
            rc = exchange_task(q, txn, &t, &names);
            task_done(&t);
        }
        /* Found again after the puts, which may have moved the row. */
        if (rc == 0)
            rc = store_cursor_seek(&c, key_u32(bytes, uid + 1));
    }
    store_cursor_close(&c);
    return rc;
}
