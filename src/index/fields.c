/* The field distribution while an index is written: counts by top-level field name, and marks that
 * make merging linear. Knows nothing of ids. */
#include <stdlib.h>

#include "index/index_internal.h"
#include "store/rec.h"

enum { FIELDS_VERSION = 1 };

void
fields_init(struct fields *f)
{
    *f = (struct fields){0};
    strmap_init(&f->names);
}

void
fields_done(struct fields *f)
{
    strmap_done(&f->names);
    free(f->rows);
    *f = (struct fields){0};
}

/* The row of a name, made when missing; NULL when memory runs out. */
static struct field *
find_row(struct fields *f, struct str name)
{
    bool is_new = false;
    int64_t number = strmap_put(&f->names, name, &is_new);

    if (number < 0)
        return NULL;
    if (number >= f->cap) {
        uint32_t cap = f->cap == 0 ? 64 : f->cap * 2;
        struct field *rows = realloc(f->rows, cap * sizeof(*rows));
        if (rows == NULL)
            return NULL;
        memset(rows + f->cap, 0, (cap - f->cap) * sizeof(*rows));
        f->rows = rows;
        f->cap = cap;
    }
    return &f->rows[number];
}

int
fields_load(struct fields *f, struct store_txn *txn)
{
    struct str value;
    int rc = store_get(txn, INDEX_META, INDEX_META_FIELDS, &value);

    if (rc <= 0)
        return rc;
    struct rec r = rec_open(value, FIELDS_VERSION);
    for (uint32_t n = rec_u32(&r); n > 0 && !r.failed; n--) {
        struct str name = rec_str(&r);
        uint64_t n_documents = rec_u64(&r);
        struct field *row = r.failed ? NULL : find_row(f, name);
        if (row == NULL)
            break;
        row->n_documents = n_documents;
        f->n_live++;
    }
    return rec_ok(&r) ? 0 : STORE_ECORRUPT;
}

int
fields_store(struct fields *f, struct store_txn *txn)
{
    struct buf value = BUF_INIT;
    int rc = STORE_EFULL;

    if (!f->is_changed)
        return 0;
    rec_put_u8(&value, FIELDS_VERSION);
    rec_put_u32(&value, f->n_live);
    for (uint32_t i = 0; i < f->names.n; i++) {
        if (f->rows[i].n_documents == 0)
            continue;
        rec_put_str(&value, strmap_name(&f->names, i));
        rec_put_u64(&value, f->rows[i].n_documents);
    }
    if (!buf_failed(&value))
        rc = store_put(txn, INDEX_META, INDEX_META_FIELDS, buf_str(&value));
    buf_done(&value);
    return rc;
}

void
fields_clear(struct fields *f)
{
    for (uint32_t i = 0; i < f->names.n; i++)
        f->rows[i].n_documents = 0;
    f->n_live = 0;
    f->is_changed = true;
}

int
fields_mark(struct fields *f, const struct json *document)
{
    f->mark++;
    for (struct json_iter it = json_iter(document); json_next(&it);) {
        struct field *row = find_row(f, it.key);
        if (row == NULL)
            return -1;
        row->mark = f->mark;
        row->value = it.value;
    }
    return 0;
}

const struct json *
fields_take(struct fields *f, struct str name)
{
    struct field *row = find_row(f, name);

    if (row == NULL || row->mark != f->mark)
        return NULL;
    row->mark = 0;
    return row->value;
}

int
fields_count(struct fields *f, const struct json *document, bool more)
{
    f->is_changed = true;
    for (struct json_iter it = json_iter(document); json_next(&it);) {
        struct field *row = find_row(f, it.key);
        if (row == NULL)
            return -1;
        if (more)
            f->n_live += row->n_documents++ == 0;
        else if (row->n_documents > 0)
            f->n_live -= --row->n_documents == 0;
    }
    return 0;
}

struct named_count {
    struct str name;
    uint64_t n_documents;
};

static int
compare_names(const void *a, const void *b)
{
    return str_compare(((const struct named_count *) a)->name,
                       ((const struct named_count *) b)->name);
}

static void
write_counts(struct buf *out, const struct named_count *counts, uint32_t n)
{
    struct json_out j = json_out(out);

    json_begin_object(&j);
    for (uint32_t i = 0; i < n; i++) {
        json_key_str(&j, counts[i].name);
        json_put_u64(&j, counts[i].n_documents);
    }
    json_end_object(&j);
}

char *
fields_write(const struct fields *f)
{
    struct named_count *counts = calloc((size_t) f->n_live + 1, sizeof(*counts));
    struct buf out = BUF_INIT;
    uint32_t n = 0;

    if (counts == NULL)
        return NULL;
    for (uint32_t i = 0; i < f->names.n; i++)
        if (f->rows[i].n_documents > 0)
            counts[n++] = (struct named_count){strmap_name(&f->names, i), f->rows[i].n_documents};
    qsort(counts, n, sizeof(*counts), compare_names);
    write_counts(&out, counts, n);
    free(counts);
    if (buf_failed(&out)) {
        buf_done(&out);
        return NULL;
    }
    return buf_take(&out);
}
