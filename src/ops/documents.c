/* Document and settings batches: imports, deletions, clear-alls and settings of one index, in one
 * transaction of its environment. Owns the phases (documents.h), the creation of the index, the
 * applied record and the catalogue row afterwards. */
#include "ops/documents.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "ops/news.h"

enum { CREATIONS_MAX = 5 /* a turn may be refused because of somebody else's write */ };

static const char *const phase_names[] = {
    [DOCUMENTS_OPEN] = "open",     [DOCUMENTS_SCAN] = "scan", [DOCUMENTS_WORK] = "work",
    [DOCUMENTS_SETTLE] = "settle", [DOCUMENTS_FAIL] = "fail", [DOCUMENTS_DONE] = "done",
};

static void
set_phase(struct documents *d, enum documents_phase to)
{
    log_debug(LOG_TARGET, "document batch batch=%u phase=%s->%s", d->run->batch_uid,
              phase_names[d->phase], phase_names[to]);
    d->phase = to;
}

static struct documents *
documents_new(struct batch_run *run)
{
    struct documents *d = mem_new(1, sizeof(*d));

    d->ops = queue_op_arg(run);
    d->turn = d->ops->turn;
    d->run = run;
    index_info_init(&d->info);
    d->scratch = json_scratch_new();
    run->state = d;
    return d;
}

static void
documents_free(struct batch_run *run)
{
    struct documents *d = run->state;

    if (d == NULL)
        return;
    run->state = NULL;
    turn_forget(d->turn, &d->creation);
    member_close(d);
    buf_done(&d->member.copy);
    index_writer_abort(d->writer);
    index_release(d->index);
    index_info_done(&d->info);
    applied_done(&d->applied);
    settings_done(&d->settings);
    json_scratch_free(d->scratch);
    buf_done(&d->id);
    buf_done(&d->outcomes);
    err_done(&d->err);
    free(d->deploy);
    free(d->roles);
    free(d->batch_primary_key);
    free(d->new_primary_key);
    free(d);
}

/* --- progress: upstream's steps (contract 3.3) */

enum step { STEP_CONFIG, STEP_MERGE, STEP_INDEX, STEP_DELETE, STEP_SETTINGS };
static const struct progress_step steps[] = {
    [STEP_CONFIG] = {"retrieving config", 0, 4},
    [STEP_MERGE] = {"retrieving and merging the settings", 0, 2},
    [STEP_INDEX] = {"indexing", 3, 4},
    [STEP_DELETE] = {"delete documents", 1, 3},
    [STEP_SETTINGS] = {"apply the settings", 1, 2},
};

/* Counted is in tasks where most are swallowed or none has a payload, else in documents. */
static bool
counts_tasks(const struct documents *d)
{
    return d->has_clear || d->n_documents == 0;
}

/* Of a member: the documents or ids that its payload has. */
static uint64_t
payload_documents(const struct task *t)
{
    if (t->role == ROLE_IMPORT)
        return details_number(t->details, "receivedDocuments");
    return t->role == ROLE_DELETE_BY_IDS ? details_number(t->details, "providedIds") : 0;
}

/* In bytes: how many documents operations have is not known. */
static void
note_deploy(struct documents *d)
{
    const struct member *m = &d->member;
    uint64_t read = d->done_bytes + (m->at < m->text.len ? m->at : m->text.len);
    uint64_t total = d->payload_bytes > 0 ? d->payload_bytes : 1;

    batch_run_step(d->run, 1, &(struct progress_step){"applying what is staged", read, total});
}

/* An import goes over its payload twice. */
static void
note_progress(struct documents *d)
{
    const struct member *m = &d->member;
    bool is_import = d->at < d->run->n_members && d->roles[d->at] == ROLE_IMPORT;
    uint64_t read = d->n_done + (is_import ? m->n_lines / 2 : m->n_lines);

    if (d->run->type == BATCH_INDEX_DEPLOY)
        note_deploy(d);
    else if (counts_tasks(d))
        batch_run_step(d->run, 2, &(struct progress_step){"task", d->at, d->run->n_members});
    else
        batch_run_step(d->run, 2, &(struct progress_step){"document", read, d->n_documents});
}

static void
begin_progress(struct documents *d)
{
    enum step step = d->run->type == BATCH_SETTINGS ? STEP_SETTINGS
                     : d->has_import                ? STEP_INDEX
                                                    : STEP_DELETE;

    if (d->run->type != BATCH_INDEX_DEPLOY)
        batch_run_step(d->run, 1, &steps[step]);
    note_progress(d);
}

static void
note_commit(struct documents *d)
{
    unsigned level = d->run->type == BATCH_INDEX_DEPLOY ? 2 : 3;

    batch_run_step(d->run, level, &(struct progress_step){"committing", 0, 2});
}

/* Everything of this batch fails with d->err. */
static void
fail_batch(struct documents *d)
{
    member_close(d);
    index_writer_abort(d->writer);
    d->writer = NULL;
    d->has_success = false;
    d->at = 0;
    set_phase(d, DOCUMENTS_FAIL);
}

/* The same, unless the disk is to blame: then the queue decides, which may let the batch wait. */
static int
give_up(struct documents *d)
{
    ops_prefix_error(&d->err, d->run->index_uid);
    if (d->err.code == ERR_NO_SPACE_LEFT_ON_DEVICE || d->err.code == ERR_IO_ERROR) {
        err_move(&d->run->err, &d->err);
        return -1;
    }
    fail_batch(d);
    return 0;
}

/* --- OPEN */

static void
on_created(void *arg, int result)
{
    struct documents *d = arg;

    if (result < 0)
        log_warn(LOG_TARGET, "creating an index was refused index=%s error=\"%s\"",
                 d->run->index_uid, store_strerror(result));
}

/* Contract 4.3: the index exists before its first documents are looked at, and stays. */
static int
create_index(struct documents *d)
{
    int64_t now_ns = clock_wall_ns();
    struct index_info info = {.uid = d->run->index_uid,
                              .uuid = uuid_v4(),
                              .created_at_ns = now_ns,
                              .updated_at_ns = now_ns};
    int rc;

    if (d->creations++ == CREATIONS_MAX)
        return err_set(&d->run->err, ERR_INDEX_CREATION_FAILED, "Index `%s` cannot be created.",
                       d->run->index_uid);
    rc = catalog_put(turn_txn(d->ops->turn), &info);
    if (rc >= 0)
        rc = news_of_new_index(d->ops, turn_txn(d->ops->turn), &info.uuid);
    if (rc < 0)
        return ops_store_error(d->run, rc);
    d->creation = (struct turn_waiter){.fn = on_created, .arg = d};
    turn_wait(d->ops->turn, &d->creation);
    return OP_MORE;
}

static int
open_index(struct documents *d)
{
    d->index = index_open(d->ops->indexes, &d->info.uuid, &d->err);
    if (d->index != NULL)
        d->writer = index_writer_begin(d->index, &d->err);
    if (d->writer == NULL)
        return give_up(d) < 0 ? -1 : OP_DONE;
    if (index_writer_note_changes(d->writer, news_notes_changes(d->ops) ? d->run->run_id : 0,
                                  &d->err) < 0)
        return give_up(d) < 0 ? -1 : OP_DONE;
    d->roles = mem_new(d->run->n_members, sizeof(*d->roles));
    batch_run_step(d->run, 1, &steps[d->run->type == BATCH_SETTINGS ? STEP_MERGE : STEP_CONFIG]);
    set_phase(d, DOCUMENTS_SCAN);
    return OP_DONE;
}

static int
documents_prepare(struct batch_run *run)
{
    struct documents *d = run->state != NULL ? run->state : documents_new(run);
    struct store_txn *txn;
    int rc;

    if (d->creation.queued)
        return OP_MORE;
    txn = ops_read(run);
    if (txn == NULL)
        return -1;
    rc = catalog_get(txn, str_from(run->index_uid), &d->info);
    store_abort(txn);
    if (rc < 0)
        return ops_store_error(run, rc);
    if (rc == 1)
        return open_index(d);
    if (run->may_create_index)
        return create_index(d);
    (void) ops_index_not_found(&d->err, run->index_uid);
    fail_batch(d);
    return OP_DONE;
}

/* --- SCAN */

static void
scan_task(struct documents *d, const struct task *t)
{
    if (t->role == ROLE_IMPORT && !d->has_import)
        d->batch_primary_key = mem_strdup(t->primary_key);
    d->has_import |= t->role == ROLE_IMPORT;
    d->has_clear |= t->role == ROLE_CLEAR;
    d->n_documents += payload_documents(t);
    d->roles[d->at++] = (uint8_t) t->role;
}

/* Called again while there is more to do. */
static int
begin_work(struct documents *d, int64_t deadline_us)
{
    if (d->has_clear) {
        int rc = index_writer_note_all(d->writer, deadline_us, &d->err);
        if (rc != 0)
            return rc < 0 ? -1 : OP_MORE;
        d->n_cleared = index_writer_count(d->writer);
        if (index_writer_clear(d->writer, &d->err) < 0)
            return -1;
    }
    d->at = 0;
    begin_progress(d);
    set_phase(d, DOCUMENTS_WORK);
    return OP_MORE;
}

static int
scan(struct documents *d, int64_t deadline_us)
{
    struct store_txn *txn = ops_read(d->run);
    struct task t;

    if (txn == NULL)
        return -1;
    while (d->at < d->run->n_members) {
        if (ops_load_task(d->run, txn, d->at, &t) < 0) {
            store_abort(txn);
            return -1;
        }
        scan_task(d, &t);
        task_done(&t);
        if (d->at % OPS_CLOCK_EVERY == 0 && clock_mono_us() >= deadline_us)
            break;
    }
    store_abort(txn);
    return d->at < d->run->n_members ? OP_MORE : begin_work(d, deadline_us);
}

/* --- WORK */

static int
work(struct documents *d, int64_t deadline_us)
{
    while (d->at < d->run->n_members) {
        int rc = member_step(d, deadline_us);
        note_progress(d);
        if (rc != OP_DONE)
            return rc;
        if (d->member.is_open)
            d->n_done += payload_documents(&d->member.task);
        member_close(d);
        applied_write_outcome(&d->outcomes, &d->run->members[d->at++]);
        if (clock_mono_us() >= deadline_us)
            break;
    }
    if (d->at < d->run->n_members)
        return OP_MORE;
    note_progress(d);
    note_commit(d);
    set_phase(d, d->has_success ? DOCUMENTS_SETTLE : DOCUMENTS_DONE);
    return d->has_success ? OP_MORE : OP_DONE;
}

static int
settle(struct documents *d, int64_t deadline_us)
{
    int rc = index_writer_settle(d->writer, deadline_us, &d->err);

    if (rc != 0)
        return rc < 0 ? rc : OP_MORE;
    set_phase(d, DOCUMENTS_DONE);
    return OP_DONE;
}

static int
documents_step(struct batch_run *run, int64_t deadline_us)
{
    struct documents *d = run->state;
    int rc = OP_DONE;

    if (d->phase == DOCUMENTS_SCAN)
        rc = scan(d, deadline_us);
    else if (d->phase == DOCUMENTS_WORK)
        rc = work(d, deadline_us);
    else if (d->phase == DOCUMENTS_SETTLE)
        rc = settle(d, deadline_us);
    else if (d->phase == DOCUMENTS_FAIL)
        return ops_fail_all(run, &d->at, &d->err, deadline_us);
    if (rc >= 0 || !err_is_set(&d->err))
        return rc;
    return give_up(d) < 0 ? -1 : OP_MORE;
}

/* --- commit, finish, recover */

static int
fill_applied(struct documents *d)
{
    struct applied *a = &d->applied;

    a->run_id = d->run->run_id;
    a->updated_at_ns = clock_wall_ns();
    a->primary_key = mem_strdup(d->new_primary_key);
    return index_writer_totals(d->writer, &a->totals);
}

static int
write_and_commit(struct documents *d)
{
    struct index_writer *w = d->writer;
    struct buf record = BUF_INIT;
    int rc;

    if (d->changes_settings && index_writer_set_settings(w, &d->settings, &d->run->err) < 0)
        return -1;
    rc = fill_applied(d);
    if (rc < 0) {
        (void) ops_store_error(d->run, rc);
        return -1;
    }
    applied_write(&record, &d->applied, buf_str(&d->outcomes), d->run->n_members);
    if (buf_failed(&record) || buf_failed(&d->outcomes)) {
        rc = err_set(&d->run->err, ERR_INTERNAL, "out of memory");
    } else {
        d->writer = NULL; /* consumed */
        rc = index_writer_commit(w, buf_str(&record), &d->run->err);
    }
    buf_done(&record);
    return rc;
}

/* Nothing is written when every task failed: running it again would fail it the same way. */
static int
documents_commit(struct batch_run *run)
{
    struct documents *d = run->state;
    size_t at = 0;

    if (d->writer == NULL || !d->has_success)
        return 0;
    if (write_and_commit(d) == 0) {
        d->is_applied = true;
        return 0;
    }
    ops_prefix_error(&run->err, run->index_uid);
    (void) ops_fail_all(run, &at, &run->err,
                        INT64_MAX); /* what stays undecided fails all the same */
    return -1;
}

static int
documents_finish(struct batch_run *run, struct store_txn *txn)
{
    struct documents *d = run->state;
    const struct applied *a = &d->applied;
    struct index_info info;
    int rc;

    if (!d->is_applied)
        return 0;
    rc = catalog_get(txn, str_from(run->index_uid), &info);
    if (rc != 1)
        return rc;
    info.n_documents = a->totals.n_documents;
    info.raw_bytes = a->totals.raw_bytes;
    info.updated_at_ns = a->updated_at_ns;
    free(info.field_distribution);
    info.field_distribution = mem_strdup(a->totals.field_distribution);
    if (a->primary_key != NULL) {
        free(info.primary_key);
        info.primary_key = mem_strdup(a->primary_key);
    }
    rc = catalog_put(txn, &info);
    index_info_done(&info);
    if (rc >= 0 && run->type == BATCH_INDEX_DEPLOY)
        rc = deploy_finish(run, txn);
    return rc;
}

/* Reads the applied record of the batch's index: 1, 0 or negative. */
static int
read_applied(struct documents *d)
{
    struct index_reader reader;
    struct str record;
    int rc;

    d->index = index_open(d->ops->indexes, &d->info.uuid, &d->err);
    if (d->index == NULL)
        return -1;
    rc = index_reader_open(&reader, d->index);
    if (rc < 0)
        return rc;
    rc = index_reader_applied(&reader, &record);
    if (rc == 1)
        rc = applied_read(&d->applied, d->run, record);
    index_reader_close(&reader);
    return rc;
}

static int
documents_recover(struct batch_run *run)
{
    struct store_txn *txn = ops_read(run);
    struct documents *d;
    int rc;

    if (txn == NULL)
        return -1;
    d = documents_new(run);
    rc = catalog_get(txn, str_from(run->index_uid), &d->info);
    store_abort(txn);
    if (rc == 1)
        rc = read_applied(d);
    d->is_applied = rc == 1;
    if (rc == STORE_ECORRUPT) { /* asking again would not help; running again does no harm */
        log_error(LOG_TARGET, "the applied record is damaged index=%s", run->index_uid);
        rc = 0;
    }
    if (rc != 1)
        documents_free(run);
    return rc;
}

struct index *
documents_applied(const struct batch_run *run)
{
    const struct documents *d = run->state;

    return run->op == &documents_op && d != NULL && d->is_applied ? d->index : NULL;
}

static void
documents_done(struct batch_run *run)
{
    struct ops *o = queue_op_arg(run);

    if (run->type == BATCH_INDEX_DEPLOY)
        collector_wake(o->collector);
    documents_free(run);
}

const struct batch_op documents_op = {
    .name = "documents",
    .prepare = documents_prepare,
    .step = documents_step,
    .commit = documents_commit,
    .finish = documents_finish,
    .recover = documents_recover,
    .abort = documents_free,
    .done = documents_done,
};
