/* The batch operation of reports.
 *
 *   plain    SCAN ------------------------------------------------------> END
 *   sorted   SCAN -> MERGE -> ORDERED ----------------------------------> END
 *   grouped  SCAN -> MERGE -> GROUPS [-> MERGE_GROUPS -> ORDERED_GROUPS] -> END
 *
 * prepare -> step (a slice each) -> commit (the file is synced) -> finish (the record) -> done, or
 * abort at any point before. An interrupted run is repeated from the start. Memory: the buffers of
 * two sorts, one row, one group, 64 KiB of output. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "index/catalog.h"
#include "index/filter.h"
#include "index/filter_rules.h"
#include "index/sort.h"
#include "report/reports_internal.h"
#include "report/spill.h"
#include "store/rec.h"

enum { FLUSH_BYTES = 32 * 1024, CLOCK_EVERY = 8 };

enum phase {
    PHASE_SCAN,
    PHASE_MERGE,
    PHASE_ORDERED,
    PHASE_GROUPS,
    PHASE_MERGE_GROUPS,
    PHASE_ORDERED_GROUPS,
    PHASE_END,
    PHASE_OVER,
    PHASES
};
/* As shown while it runs. */
static const char *const phase_names[PHASES] = {
    [PHASE_SCAN] = "reading rows",           [PHASE_MERGE] = "sorting rows",
    [PHASE_ORDERED] = "writing rows",        [PHASE_GROUPS] = "computing aggregates",
    [PHASE_MERGE_GROUPS] = "sorting groups", [PHASE_ORDERED_GROUPS] = "writing rows",
    [PHASE_END] = "finishing the file",      [PHASE_OVER] = "storing the result",
};

struct job {
    struct reports *reports;
    struct batch_run *run;
    struct report_definition definition;
    const struct report_format *format;
    struct report_head head;
    char *report_type;
    struct json_doc *columns_doc; /* where column names point to, when they were found */
    struct str *columns;
    struct source source;
    struct filter *filter;
    struct sort *sort;
    struct grouping *grouping;
    struct spill *rows, *groups;
    struct json_scratch *scratch;
    void *writer;
    struct buf out, key, payload;
    struct buf open_key; /* of the open group */
    struct payload_writer *file;
    struct sha256 *hash;
    struct payload result;
    uint8_t digest[SHA256_BYTES];
    enum phase phase;
    uint64_t next, n_rows, n_bytes;
    uint64_t n_read, n_total; /* of the source, for progress */
    bool is_kept;             /* the file belongs to the record */
};

static void
job_free(struct job *j)
{
    if (j == NULL)
        return;
    if (j->reports->running == j->run)
        j->reports->running = NULL;
    if (j->writer != NULL)
        j->format->free(j->writer);
    payload_writer_free(j->file, j->is_kept);
    sha256_free(j->hash);
    spill_free(j->rows);
    spill_free(j->groups);
    grouping_free(j->grouping);
    filter_free(j->filter);
    sort_free(j->sort);
    index_release(j->source.index);
    json_scratch_free(j->scratch);
    buf_done(&j->source.text);
    buf_done(&j->out);
    buf_done(&j->key);
    buf_done(&j->payload);
    buf_done(&j->open_key);
    report_definition_done(&j->definition);
    json_doc_free(j->columns_doc);
    free(j->columns);
    free(j->report_type);
    free(j);
}

static void
release(struct batch_run *run)
{
    struct job *j = run->state;
    run->state = NULL;
    job_free(j);
}

static int
fail_store(struct job *j, int code)
{
    return err_set(&j->run->err, code == STORE_EIO ? ERR_IO_ERROR : ERR_INTERNAL,
                   "The report could not be read: %s.", store_strerror(code));
}

static int
fail_spill(struct job *j)
{
    return err_set(&j->run->err,
                   errno == ENOSPC || errno == EDQUOT ? ERR_NO_SPACE_LEFT_ON_DEVICE : ERR_IO_ERROR,
                   "The rows of the report could not be sorted: %s.", strerror(errno));
}

/* --- preparing ------------------------------------------------------------------------------- */

static void
use_columns(struct job *j, size_t n)
{
    j->head.columns = j->columns;
    j->head.n_columns = n;
}

static void
columns_of_groups(struct job *j)
{
    const struct report_definition *d = &j->definition;
    size_t n = 0;
    j->columns = mem_new(d->n_group_by + d->n_aggregates, sizeof(*j->columns));
    for (size_t i = 0; i < d->n_group_by; i++)
        j->columns[n++] = str_from(d->group_by[i]);
    for (size_t i = 0; i < d->n_aggregates; i++)
        j->columns[n++] = str_from(d->aggregates[i].as);
    use_columns(j, n);
}

/* Every field that a document has, the primary key first. */
static void
columns_of_index(struct job *j, const struct index_info *info)
{
    const char *text = info->field_distribution == NULL ? "{}" : info->field_distribution;
    size_t n = 0;
    j->columns_doc = json_parse(str_from(text), NULL);
    const struct json *fields = j->columns_doc == NULL ? NULL : json_root(j->columns_doc);
    j->columns = mem_new(fields == NULL ? 1 : json_length(fields) + 1, sizeof(*j->columns));
    for (int round = 0; round < 2 && fields != NULL; round++) {
        for (struct json_iter it = json_iter(fields); json_next(&it);) {
            bool is_key = info->primary_key != NULL && str_is(it.key, info->primary_key);
            if (is_key == (round == 0))
                j->columns[n++] = it.key;
        }
    }
    use_columns(j, n);
}

static void
choose_columns(struct job *j, const struct index_info *info)
{
    const struct report_definition *d = &j->definition;
    if (report_is_grouped(d)) {
        columns_of_groups(j);
        return;
    }
    if (d->n_fields > 0) {
        j->head.are_chosen = true;
        j->columns = mem_new(d->n_fields, sizeof(*j->columns));
        for (size_t i = 0; i < d->n_fields; i++)
            j->columns[i] = str_from(d->fields[i]);
        use_columns(j, d->n_fields);
    } else if (j->format->has_columns && d->source == REPORT_OF_DOCUMENTS) {
        columns_of_index(j, info);
    } else if (j->format->has_columns) {
        size_t n;
        const char *const *names = source_columns(d->source, &n);
        j->columns = mem_new(n, sizeof(*j->columns));
        for (size_t i = 0; i < n; i++)
            j->columns[i] = str_from(names[i]);
        use_columns(j, n);
    }
}

static int
check_columns(struct job *j)
{
    if (!j->format->has_columns || j->head.n_columns <= j->format->max_columns)
        return 0;
    return err_set(&j->run->err, ERR_REPORT_TOO_LARGE,
                   "The report has %zu columns, the format `%s` takes at most %zu: choose some of "
                   "them with `fields`.",
                   j->head.n_columns, j->format->name, j->format->max_columns);
}

static int
open_index(struct job *j, const struct index_info *info, int found)
{
    if (j->definition.source != REPORT_OF_DOCUMENTS)
        return 0;
    if (found == 0)
        return err_set(&j->run->err, ERR_INDEX_NOT_FOUND, "Index `%s` not found.",
                       j->run->index_uid);
    j->source.index = index_open(j->reports->conf.indexes, &info->uuid, &j->run->err);
    return j->source.index == NULL ? -1 : 0;
}

static int
compile_filter(struct job *j)
{
    if (j->definition.filter == NULL)
        return 0;
    struct json_doc *doc = json_parse(str_from(j->definition.filter), NULL);
    struct filter_rules *all = filter_rules_new(REPORT_FILTERABLE);
    int rc =
        doc == NULL
            ? err_set(&j->run->err, ERR_INTERNAL, "The report's filter cannot be read.")
            : filter_parse(json_root(doc), ERR_INVALID_REPORT_FILTER, &j->filter, &j->run->err);
    if (rc > 0)
        rc = filter_check(j->filter, all, ERR_INVALID_REPORT_FILTER, &j->run->err);
    filter_rules_free(all);
    json_doc_free(doc);
    return rc < 0 ? -1 : 0;
}

static int
compile_sort(struct job *j)
{
    struct str rules[REPORT_FIELDS_MAX];
    for (size_t i = 0; i < j->definition.n_sort; i++)
        rules[i] = str_from(j->definition.sort[i]);
    if (j->definition.n_sort == 0)
        return 0;
    j->sort = sort_parse(rules, j->definition.n_sort, &j->run->err);
    return j->sort == NULL ? -1 : 0;
}

static void
begin_output(struct job *j)
{
    const struct report_definition *d = &j->definition;
    j->head.report_type = j->report_type;
    j->head.title = d->title != NULL ? d->title : j->report_type;
    j->head.created_at_ns = clock_wall_ns();
    j->file = payload_writer_new(j->reports->files);
    j->hash = sha256_new();
    j->scratch = json_scratch_new();
    j->writer = j->format->begin(&j->head, &j->out);
    if (report_is_grouped(d))
        j->grouping = grouping_new(d);
    if (j->grouping != NULL || j->sort != NULL)
        j->rows = spill_new(j->reports->dir);
    if (j->grouping != NULL && j->sort != NULL)
        j->groups = spill_new(j->reports->dir);
}

static int
read_params(struct job *j, const struct task *t)
{
    struct json_doc *doc = t->params == NULL ? NULL : json_parse(str_from(t->params), NULL);
    const struct json *root = doc == NULL ? NULL : json_root(doc);
    const struct json *definition = root == NULL ? NULL : json_get_c(root, "definition");
    int rc = -1;
    if (definition == NULL) {
        (void) err_set(&j->run->err, ERR_INTERNAL, "The report's parameters cannot be read.");
    } else {
        struct str type = json_string(json_get_c(root, "reportType"));
        j->report_type = mem_strndup(type.data, type.len);
        j->format = report_format_find(json_string(json_get_c(root, "format")));
        rc = report_definition_read(definition, "", &j->definition, &j->run->err);
        if (rc == 0 && (j->format == NULL || j->format->begin == NULL))
            rc = err_set(&j->run->err, ERR_INVALID_REPORT_FORMAT,
                         "This server was built without the format of this report.");
    }
    json_doc_free(doc);
    return rc;
}

static int
prepare_from(struct job *j, struct store_txn *txn, const struct task *t)
{
    struct index_info info;
    index_info_init(&info);
    int found = 0, rc = read_params(j, t);
    if (rc == 0 && t->index_uid != NULL)
        found = catalog_get(txn, str_from(t->index_uid), &info);
    if (found < 0)
        rc = fail_store(j, found);
    j->source.kind = j->definition.source;
    j->source.reports = j->reports;
    if (rc == 0)
        rc = open_index(j, &info, found);
    if (rc == 0)
        choose_columns(j, &info);
    index_info_done(&info);
    if (rc == 0 && (check_columns(j) < 0 || compile_filter(j) < 0 || compile_sort(j) < 0))
        rc = -1;
    if (rc == 0)
        begin_output(j);
    return rc;
}

static int
prepare(struct batch_run *run)
{
    struct job *j = mem_new(1, sizeof(*j));
    struct task t;
    run->state = j;
    j->run = run;
    j->reports = queue_op_arg(run);
    j->reports->running = run;
    struct store_txn *txn = turn_read(j->reports->conf.turn);
    int rc = txn == NULL ? STORE_EIO
                         : queue_task_get(j->reports->conf.queue, txn, run->members[0].uid, &t);
    if (rc != 1) {
        store_abort(txn);
        return fail_store(j, rc == 0 ? STORE_ECORRUPT : rc);
    }
    rc = prepare_from(j, txn, &t);
    store_abort(txn);
    task_done(&t);
    return rc < 0 ? -1 : OP_DONE;
}

/* --- output ---------------------------------------------------------------------------------- */

static int
flush(struct job *j)
{
    struct reports *r = j->reports;
    struct str bytes = buf_str(&j->out);
    if (buf_failed(&j->out))
        return err_set(&j->run->err, ERR_INTERNAL, "Not enough memory for the report.");
    if (j->n_bytes + bytes.len > r->conf.max_bytes)
        return err_set(&j->run->err, ERR_REPORT_TOO_LARGE,
                       "The report is larger than all results may be together (%llu bytes, "
                       "--report-max-size).",
                       (unsigned long long) r->conf.max_bytes);
    if (!turn_accepts_writes(r->conf.turn))
        return err_set(&j->run->err, ERR_NO_SPACE_LEFT_ON_DEVICE,
                       "The server has too little free disk space to store the report.");
    sha256_add(j->hash, bytes);
    j->n_bytes += bytes.len;
    int rc = payload_writer_add(j->file, bytes, &j->run->err);
    buf_clear(&j->out);
    return rc < 0 ? -1 : 0;
}

/* 1 to go on, 0 when the report has all its rows, -1. */
static int
write_row(struct job *j, struct str text, const struct json *object)
{
    const struct report_format *f = j->format;
    if (f->max_rows != 0 && j->n_rows >= f->max_rows)
        return err_set(&j->run->err, ERR_REPORT_TOO_LARGE,
                       "The report has more than %llu rows, which is what the format `%s` takes.",
                       (unsigned long long) f->max_rows, f->name);
    f->row(j->writer, text, object, &j->out);
    j->n_rows++;
    if (j->out.len >= FLUSH_BYTES && flush(j) < 0)
        return -1;
    return j->definition.limit == 0 || j->n_rows < j->definition.limit;
}

static int
write_text(struct job *j, struct str text)
{
    struct json_doc *doc = json_parse_scratch(j->scratch, text, NULL);
    int rc = doc == NULL ? 1 : write_row(j, text, json_root(doc));
    json_doc_free(doc);
    return rc;
}

/* --- the phases: 1 call again, 0 the phase is over, -1 -----------------------------------------
 */

static int
add_sorted(struct job *j, uint64_t number, const struct json *row)
{
    uint8_t bytes[8];
    buf_clear(&j->key);
    sort_key(j->sort, row, &j->key);
    if (buf_failed(&j->key) || spill_add(j->rows, buf_str(&j->key), key_u64(bytes, number)) < 0)
        return fail_spill(j);
    return 1;
}

static int
add_grouped(struct job *j, const struct json *row)
{
    buf_clear(&j->key);
    buf_clear(&j->payload);
    grouping_entry(j->grouping, row, &j->key, &j->payload);
    if (buf_failed(&j->key) || buf_failed(&j->payload) ||
        spill_add(j->rows, buf_str(&j->key), buf_str(&j->payload)) < 0)
        return fail_spill(j);
    return 1;
}

static int
scan_row(struct job *j, uint64_t number, struct str text)
{
    struct json_doc *doc = json_parse_scratch(j->scratch, text, NULL);
    int rc = 1;
    if (doc == NULL)
        return 1; /* the store holds nothing that does not parse */
    const struct json *row = json_root(doc);
    if (j->filter == NULL || filter_match(j->filter, row))
        rc = j->grouping != NULL ? add_grouped(j, row)
             : j->sort != NULL   ? add_sorted(j, number, row)
                                 : write_row(j, text, row);
    json_doc_free(doc);
    return rc;
}

static int
scan(struct job *j, int64_t deadline_us)
{
    for (unsigned n = 1;; n++) {
        uint64_t number = 0;
        struct str text = STR_NULL;
        int rc = source_next(&j->source, j->next, &number, &text);
        if (rc < 0)
            return fail_store(j, rc);
        if (rc == 0)
            return 0;
        j->next = number + 1;
        j->n_read++;
        rc = scan_row(j, number, text);
        if (rc <= 0)
            return rc;
        if (n % CLOCK_EVERY == 0 && clock_mono_us() >= deadline_us)
            return 1;
    }
}

static int
ordered(struct job *j, int64_t deadline_us)
{
    struct str key, payload, text = STR_NULL;
    for (unsigned n = 1;; n++) {
        int rc = spill_next(j->rows, &key, &payload);
        if (rc <= 0)
            return rc < 0 ? fail_spill(j) : 0;
        uint64_t wanted = key_read_u64(payload, 0), number = 0;
        rc = source_next(&j->source, wanted, &number, &text);
        if (rc < 0)
            return fail_store(j, rc);
        if (rc == 1 && number == wanted) /* a task or delivery may be gone since */
            rc = write_text(j, text);
        else
            rc = 1;
        if (rc <= 0)
            return rc;
        if (n % CLOCK_EVERY == 0 && clock_mono_us() >= deadline_us)
            return 1;
    }
}

static int
end_group(struct job *j)
{
    struct buf text = BUF_INIT;
    int rc = 1;
    grouping_take(j->grouping, &text);
    if (j->sort == NULL) {
        rc = write_text(j, buf_str(&text));
    } else {
        struct json_doc *doc = json_parse_scratch(j->scratch, buf_str(&text), NULL);
        buf_clear(&j->key);
        if (doc != NULL)
            sort_key(j->sort, json_root(doc), &j->key);
        json_doc_free(doc);
        if (spill_add(j->groups, buf_str(&j->key), buf_str(&text)) < 0)
            rc = fail_spill(j);
    }
    buf_done(&text);
    return rc;
}

static int
groups(struct job *j, int64_t deadline_us)
{
    struct str key, payload;
    for (unsigned n = 1;; n++) {
        int rc = spill_next(j->rows, &key, &payload);
        if (rc < 0)
            return fail_spill(j);
        bool is_new =
            rc == 1 && j->definition.n_group_by > 0 && !str_equal(key, buf_str(&j->open_key));
        if (grouping_is_open(j->grouping) && (rc == 0 || is_new)) {
            int ended = end_group(j);
            if (ended <= 0)
                return ended;
        }
        if (rc == 0)
            return 0;
        if (is_new) {
            buf_clear(&j->open_key);
            buf_add_str(&j->open_key, key);
        }
        grouping_add(j->grouping, payload);
        if (n % CLOCK_EVERY == 0 && clock_mono_us() >= deadline_us)
            return 1;
    }
}

static int
ordered_groups(struct job *j, int64_t deadline_us)
{
    struct str key, payload;
    for (unsigned n = 1;; n++) {
        int rc = spill_next(j->groups, &key, &payload);
        if (rc <= 0)
            return rc < 0 ? fail_spill(j) : 0;
        rc = write_text(j, payload);
        if (rc <= 0)
            return rc;
        if (n % CLOCK_EVERY == 0 && clock_mono_us() >= deadline_us)
            return 1;
    }
}

static int
merge(struct job *j, struct spill *s, int64_t deadline_us)
{
    int rc = spill_merge(s, deadline_us);
    return rc < 0 ? fail_spill(j) : rc;
}

static int
end(struct job *j)
{
    bool has_more = j->format->end(j->writer, &j->out);
    if ((j->out.len >= FLUSH_BYTES || !has_more) && flush(j) < 0)
        return -1;
    return has_more;
}

static int
run_phase(struct job *j, int64_t deadline_us)
{
    switch (j->phase) {
    case PHASE_SCAN:
        return scan(j, deadline_us);
    case PHASE_MERGE:
        return merge(j, j->rows, deadline_us);
    case PHASE_ORDERED:
        return ordered(j, deadline_us);
    case PHASE_GROUPS:
        return groups(j, deadline_us);
    case PHASE_MERGE_GROUPS:
        return merge(j, j->groups, deadline_us);
    case PHASE_ORDERED_GROUPS:
        return ordered_groups(j, deadline_us);
    default:
        return end(j);
    }
}

static enum phase
phase_after(const struct job *j)
{
    switch (j->phase) {
    case PHASE_SCAN:
        return j->rows != NULL ? PHASE_MERGE : PHASE_END;
    case PHASE_MERGE:
        return j->grouping != NULL ? PHASE_GROUPS : PHASE_ORDERED;
    case PHASE_GROUPS:
        return j->groups != NULL ? PHASE_MERGE_GROUPS : PHASE_END;
    case PHASE_MERGE_GROUPS:
        return PHASE_ORDERED_GROUPS;
    case PHASE_END:
        return PHASE_OVER;
    default:
        return PHASE_END;
    }
}

static int
step(struct batch_run *run, int64_t deadline_us)
{
    struct job *j = run->state;
    int rc = source_begin(&j->source);
    if (rc < 0)
        return fail_store(j, rc);
    if (j->n_total == 0)
        j->n_total = source_total(&j->source);
    do {
        batch_run_step(run, 1,
                       &(struct progress_step){phase_names[j->phase], j->n_read, j->n_total});
        rc = run_phase(j, deadline_us);
        if (rc == 0)
            j->phase = phase_after(j);
    } while (rc >= 0 && j->phase != PHASE_OVER && clock_mono_us() < deadline_us);
    source_end(&j->source);
    if (rc < 0)
        return -1;
    return j->phase == PHASE_OVER ? OP_DONE : OP_MORE;
}

/* --- the end --------------------------------------------------------------------------------- */

static void
succeed(struct job *j)
{
    struct buf details = BUF_INIT;
    struct json_out o = json_out(&details);
    json_begin_object(&o);
    json_key(&o, "reportType");
    json_put_cstr(&o, j->report_type);
    json_key(&o, "format");
    json_put_cstr(&o, j->format->name);
    json_key(&o, "rows");
    json_put_u64(&o, j->n_rows);
    json_key(&o, "bytes");
    json_put_u64(&o, j->n_bytes);
    json_end_object(&o);
    j->run->members[0].outcome = TASK_SUCCEEDED;
    free(j->run->members[0].details);
    j->run->members[0].details = buf_take(&details);
}

static int
commit(struct batch_run *run)
{
    struct job *j = run->state;
    if (payload_writer_finish_file(j->file, &j->result, &run->err) < 0)
        return -1;
    sha256_finish(j->hash, j->digest);
    j->hash = NULL;
    succeed(j);
    return 0;
}

/* The rest of the record is written where every ended report passes (ended.c). */
static int
finish(struct batch_run *run, struct store_txn *txn)
{
    struct job *j = run->state;
    struct report_record record = {0};
    int rc = report_record_get(txn, run->members[0].uid, &record);
    if (rc == 0)
        return 0; /* forgotten meanwhile: the file goes with the next start */
    if (rc == 1) {
        record.file = j->result.file;
        record.n_bytes = j->n_bytes;
        record.n_rows = j->n_rows;
        memcpy(record.digest, j->digest, sizeof(record.digest));
        rc = report_record_put(txn, run->members[0].uid, &record);
        report_record_done(&record);
    }
    return rc;
}

static void
done(struct batch_run *run)
{
    struct job *j = run->state;
    if (j != NULL)
        j->is_kept = true;
    release(run);
}

const struct batch_op report_op = {
    .name = "report",
    .prepare = prepare,
    .step = step,
    .commit = commit,
    .finish = finish,
    .abort = release,
    .done = done,
};
