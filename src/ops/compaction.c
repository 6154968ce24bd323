/* indexCompaction: an index is written anew beside itself and takes its own place at the batch's
 * commit (index/compact.c). Its applied record tells a start that this has happened, with the sizes
 * before and after. The catalogue does not change: documents and times stay as they are. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "codec/json.h"
#include "ops/ops_internal.h"

enum { SIZE_TRIES = 4 /* the record that holds the size is part of it */ };

struct compaction {
    struct ops *ops;
    struct index_info info;
    struct index *index;
    struct index_compaction *work;
    uint64_t before_bytes;
    bool is_refused; /* the task has failed */
};

static void
compaction_free(struct batch_run *run)
{
    struct compaction *c = run->state;

    if (c == NULL)
        return;
    run->state = NULL;
    index_compact_abort(c->work);
    index_release(c->index);
    index_info_done(&c->info);
    free(c);
}

static struct compaction *
compaction_new(struct batch_run *run)
{
    struct compaction *c = mem_new(1, sizeof(*c));

    c->ops = queue_op_arg(run);
    index_info_init(&c->info);
    run->state = c;
    return c;
}

static uint64_t
size_now(const struct compaction *c)
{
    uint64_t bytes = 0;

    index_set_add_size(c->ops->indexes, &c->info.uuid, &bytes);
    return bytes;
}

/* Upstream's form: the greatest unit of either kind that leaves a whole part, all digits. */
static void
put_size(struct json_out *j, const char *name, uint64_t bytes)
{
    static const struct {
        const char *name;
        double bytes;
    } units[] = {{"TiB", 0x1p40}, {"TB", 1e12},  {"GiB", 0x1p30}, {"GB", 1e9}, {"MiB", 0x1p20},
                 {"MB", 1e6},     {"KiB", 1024}, {"KB", 1000},    {"B", 1}};
    char text[64];
    size_t unit = 0;
    while (units[unit].bytes > 1 && (double) bytes < units[unit].bytes)
        unit++;
    double value = (double) bytes / units[unit].bytes;
    for (int digits = 1; digits <= 17; digits++) {
        (void) snprintf(text, sizeof(text), "%.*g", digits, value); /* fits */
        if (strchr(text, 'e') == NULL && strtod(text, NULL) == value)
            break;
    }
    struct buf size = BUF_INIT;
    buf_addf(&size, "%s %s", text, units[unit].name);
    json_key(j, name);
    json_put_str(j, buf_str(&size));
    buf_done(&size);
}

static char *
details_of(uint64_t before_bytes, uint64_t after_bytes)
{
    struct buf details = BUF_INIT;
    struct json_out j = json_out(&details);

    json_begin_object(&j);
    put_size(&j, "preCompactionSize", before_bytes);
    put_size(&j, "postCompactionSize", after_bytes);
    json_end_object(&j);
    return buf_take(&details);
}

/* --- the way to the commit */

static void
show(struct batch_run *run, const char *name, uint64_t finished)
{
    batch_run_step(run, 1, &(struct progress_step){name, finished, 6});
}

static int
refuse(struct batch_run *run)
{
    struct compaction *c = run->state;
    struct err err = ERR_INIT;
    size_t at = 0;

    c->is_refused = true;
    (void) ops_index_not_found(&err, run->index_uid);
    int rc = ops_fail_all(run, &at, &err, INT64_MAX); /* it is one */
    err_done(&err);
    return rc;
}

static int
compaction_prepare(struct batch_run *run)
{
    struct compaction *c = compaction_new(run);
    struct store_txn *txn = ops_read(run);
    int rc;

    if (txn == NULL)
        return -1;
    show(run, "retrieve the index", 0);
    rc = catalog_get(txn, str_from(run->index_uid), &c->info);
    store_abort(txn);
    if (rc < 0)
        return ops_store_error(run, rc);
    if (rc == 0)
        return refuse(run);
    c->before_bytes = size_now(c);
    show(run, "create temporary file", 1);
    c->index = index_open(c->ops->indexes, &c->info.uuid, &run->err);
    if (c->index != NULL)
        c->work = index_compact_begin(c->index, &run->err);
    return c->work == NULL ? -1 : OP_DONE;
}

static int
compaction_step(struct batch_run *run, int64_t deadline_us)
{
    struct compaction *c = run->state;
    int rc;

    if (c->is_refused)
        return OP_DONE;
    show(run, "copy and compact the index", 2);
    rc = index_compact_step(c->work, deadline_us, &run->err);
    return rc < 0 ? -1 : rc == 1 ? OP_MORE : OP_DONE;
}

/* Writes the record with the size that the index will have. */
static int
record(struct batch_run *run, uint64_t after_bytes)
{
    struct compaction *c = run->state;
    struct applied applied = {.run_id = run->run_id};
    struct buf outcome = BUF_INIT, text = BUF_INIT;

    ops_succeed(&run->members[0], details_of(c->before_bytes, after_bytes));
    applied_write_outcome(&outcome, &run->members[0]);
    applied_write(&text, &applied, buf_str(&outcome), run->n_members);
    int rc = index_compact_record(c->work, buf_str(&text), &run->err);
    buf_done(&outcome);
    buf_done(&text);
    return rc;
}

static int
compaction_commit(struct batch_run *run)
{
    struct compaction *c = run->state;
    struct index_compaction *work = c->work;
    uint64_t told = 0, after = 1;

    if (c->is_refused)
        return 0;
    show(run, "persist the compacted index", 3);
    for (int i = 0; i < SIZE_TRIES && told != after; i++) {
        told = index_compact_size(work);
        if (record(run, told) < 0)
            return -1;
        after = index_compact_size(work);
    }
    show(run, "reopen the index", 5);
    c->work = NULL; /* consumed */
    if (index_compact_end(work, &run->err) < 0) {
        run->members[0].outcome = TASK_PROCESSING;
        return -1;
    }
    log_info(LOG_TARGET, "index is compacted index=%s bytes=%llu->%llu", run->index_uid,
             (unsigned long long) c->before_bytes, (unsigned long long) after);
    return 0;
}

/* --- after a crash */

static int
read_applied(struct batch_run *run, struct compaction *c)
{
    struct index_reader reader;
    struct applied applied = {0};
    struct str text;

    c->index = index_open(c->ops->indexes, &c->info.uuid, &run->err);
    if (c->index == NULL)
        return -1;
    int rc = index_reader_open(&reader, c->index);
    if (rc < 0)
        return rc;
    rc = index_reader_applied(&reader, &text);
    if (rc == 1)
        rc = applied_read(&applied, run, text);
    index_reader_close(&reader);
    applied_done(&applied);
    return rc;
}

static int
compaction_recover(struct batch_run *run)
{
    struct store_txn *txn = ops_read(run);
    struct compaction *c;
    int rc;

    if (txn == NULL)
        return -1;
    c = compaction_new(run);
    rc = catalog_get(txn, str_from(run->index_uid), &c->info);
    store_abort(txn);
    if (rc == 1)
        rc = read_applied(run, c);
    if (rc == STORE_ECORRUPT) /* asking again would not help; running again does no harm */
        rc = 0;
    if (rc != 1)
        compaction_free(run);
    return rc;
}

const struct batch_op index_compaction_op = {
    .name = "index compaction",
    .prepare = compaction_prepare,
    .step = compaction_step,
    .commit = compaction_commit,
    .recover = compaction_recover,
    .abort = compaction_free,
    .done = compaction_free,
};
