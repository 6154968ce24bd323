/* indexSwap: all swaps are checked first, then the catalogue rows change places and the tasks of
 * the past follow them, in the finishing transaction (contract 4.6, 6). */
#include <stdlib.h>

#include "base/mem.h"
#include "codec/json.h"
#include "ops/ops_internal.h"
#include "ops/staging.h"

struct swap {
    char *a, *b;
    bool is_rename;
};
struct swaps {
    struct swap *items;
    size_t n;
    bool is_accepted;
};

static void
swaps_free(struct batch_run *run)
{
    struct swaps *s = run->state;

    if (s == NULL)
        return;
    run->state = NULL;
    for (size_t i = 0; i < s->n; i++) {
        free(s->items[i].a);
        free(s->items[i].b);
    }
    free(s->items);
    free(s);
}

static char *
element(const struct json *array, size_t at)
{
    struct json_iter it = json_iter(array);
    struct str text;

    do {
        if (!json_next(&it))
            return mem_strdup("");
    } while (at-- > 0);
    text = json_string(it.value);
    return mem_strndup(text.data, text.len);
}

static struct swaps *
swaps_new(struct batch_run *run, const struct task *t)
{
    struct json_doc *params = t->params == NULL ? NULL : json_parse(str_from(t->params), NULL);
    const struct json *list = params == NULL ? NULL : json_get_c(json_root(params), "swaps");
    struct swaps *s = mem_new(1, sizeof(*s));

    run->state = s;
    if (list != NULL) {
        s->items = mem_new(json_length(list) + 1, sizeof(*s->items));
        for (struct json_iter it = json_iter(list); json_next(&it);) {
            const struct json *uids = json_get_c(it.value, "indexes");
            const struct json *rename = json_get_c(it.value, "rename");
            s->items[s->n++] = (struct swap){.a = element(uids, 0),
                                             .b = element(uids, 1),
                                             .is_rename = rename != NULL && json_bool(rename)};
        }
    }
    json_doc_free(params);
    return s;
}

/* --- checking */

struct names {
    const char **items;
    size_t n;
};

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static void
write_names(struct buf *out, const struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        buf_addf(out, "%s`%s`", i == 0 ? "" : ", ", names->items[i]);
}

static int
refuse_missing(struct err *err, struct names *missing)
{
    struct buf message = BUF_INIT;
    int rc;

    qsort(missing->items, missing->n, sizeof(*missing->items), compare_names);
    buf_add_cstr(&message, missing->n == 1 ? "Index " : "Indexes ");
    write_names(&message, missing);
    buf_add_cstr(&message, " not found.");
    rc = err_set_str(err, ERR_INDEX_NOT_FOUND, buf_str(&message));
    buf_done(&message);
    return rc;
}

/* taken: the second names of renames that exist already. */
static int
refuse_taken(struct err *err, const struct swaps *s, struct names *taken)
{
    struct buf message = BUF_INIT;
    int rc;

    if (taken->n == 1) {
        size_t i = 0;
        while (s->items[i].b != taken->items[0])
            i++;
        return err_set(err, ERR_INDEX_ALREADY_EXISTS,
                       "Cannot rename `%s` to `%s` as the index already exists. Hint: You can "
                       "remove `%s` first and then do your remove.",
                       s->items[i].a, s->items[i].b, s->items[i].b);
    }
    qsort(taken->items, taken->n, sizeof(*taken->items), compare_names);
    buf_add_cstr(&message, "The following indexes are being renamed but cannot because their new "
                           "name conflicts with an already existing index: ");
    write_names(&message, taken);
    buf_add_cstr(&message, ". Renaming doesn't overwrite the other index name.");
    rc = err_set_str(err, ERR_INDEX_ALREADY_EXISTS, buf_str(&message));
    buf_done(&message);
    return rc;
}

static int
exists(struct store_txn *txn, const char *uid)
{
    struct index_info info;
    int rc = catalog_get(txn, str_from(uid), &info);

    index_info_done(&info);
    return rc;
}

static int
check_swap(struct store_txn *txn, const struct swap *s, struct names *missing, struct names *taken)
{
    int has_a = exists(txn, s->a), has_b = exists(txn, s->b);

    if (has_a < 0 || has_b < 0)
        return has_a < 0 ? has_a : has_b;
    if (!has_a)
        missing->items[missing->n++] = s->a;
    if (!has_b && !s->is_rename)
        missing->items[missing->n++] = s->b;
    if (has_b && s->is_rename)
        taken->items[taken->n++] = s->b;
    return 0;
}

/* 0 accepted, 1 refused with err, negative a store error. */
static int
check_swaps(struct store_txn *txn, const struct swaps *s, struct err *err)
{
    struct names missing = {mem_new(2 * s->n + 1, sizeof(char *)), 0};
    struct names taken = {mem_new(s->n + 1, sizeof(char *)), 0};
    int rc = 0;

    for (size_t i = 0; i < s->n && rc == 0; i++)
        rc = check_swap(txn, &s->items[i], &missing, &taken);
    if (rc == 0 && missing.n > 0)
        (void) refuse_missing(err, &missing);
    else if (rc == 0 && taken.n > 0)
        (void) refuse_taken(err, s, &taken);
    free(missing.items);
    free(taken.items);
    return rc < 0 ? rc : err_is_set(err);
}

static int
swap_step(struct batch_run *run, int64_t deadline_us)
{
    struct store_txn *txn = ops_read(run);
    struct err err = ERR_INIT;
    struct swaps *s;
    struct task t;
    int rc;

    (void) deadline_us; /* a few look-ups */
    batch_run_step(run, 1, &(struct progress_step){"ensuring correctness of the swap", 0, 2});
    if (txn == NULL)
        return -1;
    rc = ops_load_task(run, txn, 0, &t);
    if (rc == 0) {
        s = swaps_new(run, &t);
        rc = check_swaps(txn, s, &err);
        s->is_accepted = rc == 0;
        if (rc < 0)
            (void) ops_store_error(run, rc);
    }
    store_abort(txn);
    if (rc == 0)
        ops_succeed(&run->members[0], NULL);
    else if (rc == 1)
        ops_fail(&run->members[0], &t, &err);
    err_done(&err);
    task_done(&t);
    return rc < 0 ? -1 : OP_DONE;
}

/* --- applying */

/* Moves the row of an index to another name. */
static int
put_as(struct store_txn *txn, const struct index_info *info, char *uid)
{
    struct index_info moved = *info; /* its strings stay the caller's */

    moved.uid = uid;
    return catalog_put(txn, &moved);
}

static int
apply_swap(struct batch_run *run, struct store_txn *txn, const struct swap *s)
{
    struct index_info a, b;
    int has_a = catalog_get(txn, str_from(s->a), &a);
    int has_b = catalog_get(txn, str_from(s->b), &b);
    int rc = has_a < 0 ? has_a : has_b < 0 ? has_b : 0;

    if (rc == 0)
        rc = has_a ? put_as(txn, &a, s->b) : catalog_delete(txn, str_from(s->b));
    if (rc >= 0)
        rc = has_b ? put_as(txn, &b, s->a) : catalog_delete(txn, str_from(s->a));
    if (rc >= 0)
        rc = staging_exchange(txn, str_from(s->a), str_from(s->b));
    if (rc >= 0)
        rc = queue_rename_indexes(run->queue, txn, str_from(s->a), str_from(s->b),
                                  run->members[0].uid);
    index_info_done(&a);
    index_info_done(&b);
    return rc < 0 ? rc : 0;
}

static int
swap_finish(struct batch_run *run, struct store_txn *txn)
{
    struct swaps *s = run->state;
    int rc = 0;

    for (size_t i = 0; s->is_accepted && i < s->n && rc == 0; i++)
        rc = apply_swap(run, txn, &s->items[i]);
    return rc;
}

const struct batch_op index_swap_op = {
    .name = "index swap",
    .step = swap_step,
    .finish = swap_finish,
    .abort = swaps_free,
    .done = swaps_free,
};
