/* The object of report jobs: adding, looking, and the life of results. What is in memory follows
 * the store only after the commit (struct change). */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "report/reports_internal.h"
#include "store/rec.h"

enum {
    JANITOR_MAX_MS = 3600 * 1000, /* it looks at the wall clock at least so often */
    EXPIRE_AT_ONCE = 100,         /* results a turn */
    FORGET_AT_ONCE = 500,         /* records a turn */
};

/* --- lists ----------------------------------------------------------------------------------- */

static void *
push(void *items, size_t *n, size_t *cap, size_t size, const void *item)
{
    if (*n == *cap) {
        *cap = *cap == 0 ? 16 : *cap * 2;
        items = mem_grow(items, *cap, size);
    }
    memcpy((char *) items + *n * size, item, size);
    ++*n;
    return items;
}

static void
forget_unfinished(struct reports *r, uint32_t uid)
{
    for (size_t i = 0; i < r->n_unfinished; i++) {
        if (r->unfinished[i].uid == uid) {
            r->unfinished[i] = r->unfinished[--r->n_unfinished];
            return;
        }
    }
}

static void
forget_result(struct reports *r, uint32_t uid)
{
    for (size_t i = 0; i < r->n_results; i++) {
        if (r->results[i].uid != uid)
            continue;
        r->n_bytes -= r->results[i].n_bytes;
        r->n_results--;
        memmove(&r->results[i], &r->results[i + 1], (r->n_results - i) * sizeof(*r->results));
        return;
    }
}

/* In the order of uids, so that a start finds the order that it left. */
static void
keep_result(struct reports *r, const struct result *result)
{
    r->results = push(r->results, &r->n_results, &r->results_cap, sizeof(*r->results), result);
    r->n_bytes += result->n_bytes;
}

/* --- changes --------------------------------------------------------------------------------- */

static void
change_free(struct change *c)
{
    struct change **at = &c->reports->changes;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    free(c->added);
    free(c->ended);
    free(c->kept);
    free(c->removed);
    free(c);
}

static void schedule_janitor(struct reports *r);

static void
on_committed(void *arg, int result)
{
    struct change *c = arg;
    struct reports *r = c->reports;
    if (result < 0) { /* whoever made it tries again, or has said no */
        for (size_t i = 0; i < c->n_added; i++)
            forget_unfinished(r, c->added[i].uid);
        change_free(c);
        return;
    }
    for (size_t i = 0; i < c->n_removed; i++) {
        forget_result(r, c->removed[i].uid);
        payload_unlink(r->files, &c->removed[i].file);
    }
    for (size_t i = 0; i < c->n_kept; i++)
        keep_result(r, &c->kept[i]);
    for (size_t i = 0; i < c->n_ended; i++)
        forget_unfinished(r, c->ended[i]);
    schedule_janitor(r);
    change_free(c);
}

struct change *
change_begin(struct reports *r)
{
    struct change *c = mem_new(1, sizeof(*c));
    c->reports = r;
    c->waiter = (struct turn_waiter){.fn = on_committed, .arg = c};
    c->next = r->changes;
    r->changes = c;
    turn_wait(r->conf.turn, &c->waiter);
    return c;
}

void
change_end(struct change *c, const uint32_t *uid)
{
    c->ended = mem_grow(c->ended, c->n_ended + 1, sizeof(*c->ended));
    c->ended[c->n_ended++] = *uid;
}

void
change_keep(struct change *c, const struct result *result)
{
    c->kept = mem_grow(c->kept, c->n_kept + 1, sizeof(*c->kept));
    c->kept[c->n_kept++] = *result;
}

int
reports_drop_result(struct change *c, struct store_txn *txn, const struct result *result)
{
    struct report_record record = {0};
    int rc = report_record_get(txn, result->uid, &record);
    if (rc == 1) {
        record.state = REPORT_REMOVED;
        record.file = UUID_NIL;
        rc = report_record_put(txn, result->uid, &record);
        report_record_done(&record);
    }
    if (rc < 0)
        return rc;
    c->removed = mem_grow(c->removed, c->n_removed + 1, sizeof(*c->removed));
    c->removed[c->n_removed++] = *result;
    return 0;
}

/* --- the end of results ---------------------------------------------------------------------- */

/* The oldest records of what is over are forgotten, so that the table stays bounded. */
static int
forget_records(struct reports *r, struct store_txn *txn)
{
    struct store_cursor c = {0};
    uint64_t n = 0;
    int rc = store_count(txn, TABLE_REPORTS, &n);
    if (rc < 0 || n <= REPORT_RECORDS_MAX)
        return rc;
    uint64_t surplus = n - REPORT_RECORDS_MAX;
    rc = store_cursor_open(&c, txn, TABLE_REPORTS);
    if (rc == 0)
        rc = store_cursor_first(&c);
    for (int i = 0; rc == 1 && surplus > 0 && i < FORGET_AT_ONCE; i++) {
        struct report_record record = {0};
        bool is_over = report_record_decode(&record, c.value) < 0 ||
                       record.state == REPORT_REMOVED || record.state == REPORT_FAILED ||
                       record.state == REPORT_CANCELED;
        report_record_done(&record);
        if (is_over) {
            rc = store_cursor_delete(&c);
            surplus--;
        }
        if (rc >= 0)
            rc = store_cursor_next(&c);
    }
    store_cursor_close(&c);
    (void) r;
    return rc < 0 ? rc : 0;
}

static void
on_janitor(void *arg)
{
    struct reports *r = arg;
    int64_t now_ns = clock_wall_ns();
    struct change *c = NULL;
    int rc = 0;
    struct store_txn *txn = turn_txn(r->conf.turn);
    for (size_t i = 0; rc >= 0 && i < r->n_results && i < EXPIRE_AT_ONCE; i++) {
        if (r->results[i].expires_at_ns > now_ns)
            continue;
        if (c == NULL)
            c = change_begin(r);
        rc = reports_drop_result(c, txn, &r->results[i]);
    }
    if (rc >= 0)
        rc = forget_records(r, txn);
    if (rc < 0) {
        turn_fail(r->conf.turn, rc);
        loop_timer_set_ms(&r->janitor, JANITOR_MAX_MS / 60);
    } else if (c == NULL) {
        schedule_janitor(r);
    }
}

static void
schedule_janitor(struct reports *r)
{
    int64_t now_ns = clock_wall_ns(), after_ms = JANITOR_MAX_MS;
    for (size_t i = 0; i < r->n_results; i++) {
        int64_t left_ms = (r->results[i].expires_at_ns - now_ns) / 1000000 + 1;
        left_ms = left_ms < 0 ? 0 : left_ms;
        after_ms = left_ms < after_ms ? left_ms : after_ms;
    }
    loop_timer_set_ms(&r->janitor, after_ms);
}

int
reports_remove(struct reports *r, uint32_t uid, struct err *err)
{
    for (size_t i = 0; i < r->n_results; i++) {
        if (r->results[i].uid != uid)
            continue;
        int rc = reports_drop_result(change_begin(r), turn_txn(r->conf.turn), &r->results[i]);
        if (rc >= 0)
            return 0;
        turn_fail(r->conf.turn, rc);
        return err_set(err, ERR_IO_ERROR, "The report could not be removed: %s.",
                       store_strerror(rc));
    }
    return err_set(err, ERR_REPORT_EXPIRED, "The result of report `%u` is gone already.", uid);
}

/* --- the start ------------------------------------------------------------------------------- */

static int
load_one(struct reports *r, uint32_t uid, const struct report_record *record)
{
    if (record->state == REPORT_COMPLETED) {
        struct result result = {uid, record->n_bytes, record->expires_at_ns, record->file};
        keep_result(r, &result);
    } else if (record->state == REPORT_PENDING) {
        struct unfinished u = {uid, record->callback};
        r->unfinished = push(r->unfinished, &r->n_unfinished, &r->unfinished_cap, sizeof(u), &u);
    }
    return 0;
}

static int
load(struct reports *r, struct store_txn *txn)
{
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_REPORTS);
    if (rc == 0)
        rc = store_cursor_first(&c);
    for (; rc == 1; rc = store_cursor_next(&c)) {
        struct report_record record = {0};
        if (report_record_decode(&record, c.value) < 0) {
            log_warn(LOG_TARGET, "a record cannot be read and is passed over task_uid=%u",
                     key_read_u32(c.key, 0));
            continue;
        }
        (void) load_one(r, key_read_u32(c.key, 0), &record);
        report_record_done(&record);
    }
    store_cursor_close(&c);
    return rc;
}

static bool
is_kept(void *arg, const struct uuid *file)
{
    const struct reports *r = arg;
    for (size_t i = 0; i < r->n_results; i++) {
        if (uuid_equal(&r->results[i].file, file))
            return true;
    }
    return false;
}

static int
open_all(struct reports *r, struct err *err)
{
    r->files = payload_dir_open_named(r->conf.data_dir, "reports", err);
    if (r->files == NULL)
        return -1;
    struct store_txn *txn = turn_read(r->conf.turn);
    int rc = txn == NULL ? STORE_EIO : load(r, txn);
    store_abort(txn);
    if (rc < 0)
        return err_set(err, ERR_INTERNAL, "cannot read the reports: %s", store_strerror(rc));
    payload_dir_sweep(r->files, is_kept, r);
    schedule_janitor(r);
    return 0;
}

struct reports *
reports_new(const struct reports_conf *conf, struct err *err)
{
    struct reports *r = mem_new(1, sizeof(*r));
    struct buf dir = BUF_INIT;
    r->conf = *conf;
    buf_addf(&dir, "%s/reports", conf->data_dir);
    r->dir = buf_take(&dir);
    loop_timer_init(&r->janitor, conf->loop, on_janitor, r);
    if (open_all(r, err) < 0) {
        reports_free(r);
        return NULL;
    }
    queue_register_op(conf->queue, BATCH_REPORT, &report_op, r);
    return r;
}

void
reports_free(struct reports *r)
{
    if (r == NULL)
        return;
    while (r->changes != NULL) {
        turn_forget(r->conf.turn, &r->changes->waiter);
        change_free(r->changes);
    }
    loop_timer_done(&r->janitor);
    payload_dir_close(r->files);
    free(r->unfinished);
    free(r->results);
    free(r->dir);
    free(r);
}

/* --- adding ---------------------------------------------------------------------------------- */

static void
write_params(struct buf *out, const struct report_request *q, struct str definition)
{
    struct json_out j = json_out(out);
    json_begin_object(&j);
    json_key(&j, "reportType");
    json_put_str(&j, q->report_type);
    json_key(&j, "format");
    json_put_str(&j, q->format);
    json_key(&j, "definition");
    json_put_raw(&j, definition);
    json_end_object(&j);
}

static void
write_details(struct buf *out, const struct report_request *q)
{
    struct json_out j = json_out(out);
    json_begin_object(&j);
    json_key(&j, "reportType");
    json_put_str(&j, q->report_type);
    json_key(&j, "format");
    json_put_str(&j, q->format);
    json_key(&j, "rows");
    json_put_null(&j);
    json_key(&j, "bytes");
    json_put_null(&j);
    json_end_object(&j);
}

static int
add_task(struct reports *r, const struct report_request *q, const struct report_plan *p,
         uint32_t *ret_uid, struct err *err)
{
    struct buf details = BUF_INIT, params = BUF_INIT;
    write_details(&details, q);
    write_params(&params, q, buf_str(&p->text));
    struct task_new n = {
        .kind = KIND_REPORT,
        .role = ROLE_ALONE,
        .index_uid = p->definition.index_uid == NULL ? STR_NULL : str_from(p->definition.index_uid),
        .details = buf_str(&details),
        .params = buf_str(&params),
    };
    int rc = queue_add(r->conf.queue, &n, ret_uid, NULL, err);
    buf_done(&details);
    buf_done(&params);
    return rc;
}

static int
add_record(struct reports *r, const struct report_request *q, const struct report_plan *p,
           uint32_t uid)
{
    struct report_record record = {
        .state = REPORT_PENDING,
        .report_type = mem_strndup(q->report_type.data, q->report_type.len),
        .index_uid = mem_strdup(p->definition.index_uid),
        .format = report_format_find(q->format),
        .source = p->definition.source,
        .callback = q->callback,
        .created_at_ns = clock_wall_ns(),
    };
    int rc = report_record_put(turn_txn(r->conf.turn), uid, &record);
    report_record_done(&record);
    return rc;
}

int
reports_add(struct reports *r, const struct report_request *q, const struct report_plan *p,
            uint32_t *ret_uid, struct err *err)
{
    if (r->n_unfinished >= REPORTS_UNFINISHED_MAX)
        return err_set(err, ERR_TOO_MANY_REPORTS,
                       "At most %d reports may be unfinished at a time. Please wait until one has "
                       "ended, or cancel one.",
                       REPORTS_UNFINISHED_MAX);
    if (add_task(r, q, p, ret_uid, err) < 0)
        return -1;
    int rc = add_record(r, q, p, *ret_uid);
    if (rc < 0) {
        turn_fail(r->conf.turn, rc);
        return err_set(err, ERR_IO_ERROR, "The report could not be stored: %s.",
                       store_strerror(rc));
    }
    struct unfinished u = {*ret_uid, q->callback};
    struct change *c = change_begin(r);
    c->added = mem_new(1, sizeof(*c->added));
    c->added[c->n_added++] = u;
    r->unfinished = push(r->unfinished, &r->n_unfinished, &r->unfinished_cap, sizeof(u), &u);
    return 0;
}

bool
reports_need_callback(void *reports, const struct uuid *callback)
{
    const struct reports *r = reports;
    for (size_t i = 0; i < r->n_unfinished; i++) {
        if (uuid_equal(&r->unfinished[i].callback, callback))
            return true;
    }
    return false;
}

/* --- results ---------------------------------------------------------------------------------- */

int
reports_map(struct reports *r, uint32_t uid, struct str *ret, struct err *err)
{
    for (size_t i = 0; i < r->n_results; i++) {
        if (r->results[i].uid == uid)
            return payload_map(r->files, &r->results[i].file, ret, err);
    }
    return err_set(err, ERR_REPORT_EXPIRED, "The result of report `%u` is gone.", uid);
}
