/* What one task of a document batch does: an import checks all its documents first, so that a user
 * error fails it as a whole, then applies them; a deletion deletes ids (contract 4.4, 4.5). */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ops/documents.h"

enum { UNMAP_BYTES = 4 << 20 }; /* of a payload that were read for the last time */

const char *
documents_primary_key(const struct documents *d)
{
    return d->info.primary_key != NULL ? d->info.primary_key : d->new_primary_key;
}

static struct batch_member *
outcome(struct documents *d)
{
    return &d->run->members[d->at];
}

/* --- opening and closing */

int
member_store_error(struct documents *d, int code)
{
    return err_set(&d->err, code == STORE_EIO ? ERR_IO_ERROR : ERR_INTERNAL, "%s",
                   store_strerror(code));
}

int
member_load_text(struct documents *d, const struct uuid *file, struct str inline_bytes)
{
    struct member *m = &d->member;

    if (!uuid_is_nil(file)) {
        if (payload_map(d->ops->payloads, file, &m->mapped, &d->err) < 0)
            return -1;
        m->text = m->mapped;
        return 0;
    }
    buf_clear(&m->copy);
    buf_add_str(&m->copy, inline_bytes);
    if (buf_failed(&m->copy))
        return err_set(&d->err, ERR_INTERNAL, "out of memory");
    m->text = buf_str(&m->copy);
    return 0;
}

static int
load_payload(struct documents *d, struct store_txn *txn)
{
    const struct task *t = &d->member.task;
    struct str bytes = STR_NULL;
    int rc = 1;

    if (t->payload_size == 0)
        return 0;
    if (uuid_is_nil(&t->payload_file))
        rc = queue_payload_inline(txn, t->uid, &bytes);
    if (rc != 1)
        return member_store_error(d, rc < 0 ? rc : STORE_ECORRUPT);
    return member_load_text(d, &t->payload_file, bytes);
}

static void
read_params(struct member *m)
{
    struct json_doc *doc =
        m->task.params == NULL ? NULL : json_parse(str_from(m->task.params), NULL);
    const struct json *merge, *skip;

    if (doc == NULL)
        return;
    merge = json_get_c(json_root(doc), "merge");
    skip = json_get_c(json_root(doc), "skipCreation");
    m->is_merge = merge != NULL && json_bool(merge);
    m->skips_creation = skip != NULL && json_bool(skip);
    (void) field_condition_read(&m->condition, doc); /* most have none; takes doc */
}

int
member_load(struct documents *d)
{
    struct store_txn *txn = turn_read(d->ops->turn);
    int rc;

    if (txn == NULL)
        return member_store_error(d, STORE_EIO);
    rc = queue_task_get(d->run->queue, txn, outcome(d)->uid, &d->member.task);
    if (rc == 1) {
        d->member.is_open = true;
        rc = load_payload(d, txn);
    } else {
        rc = member_store_error(d, rc < 0 ? rc : STORE_ECORRUPT);
    }
    store_abort(txn);
    return rc;
}

void
member_close(struct documents *d)
{
    struct member *m = &d->member;
    struct buf copy = m->copy;

    if (m->is_open)
        task_done(&m->task);
    payload_unmap(m->mapped);
    strmap_done(&m->ids);
    filter_free(m->filter);
    field_condition_done(&m->condition);
    json_doc_free(m->patch);
    *m = (struct member){.copy = copy}; /* its memory serves the next one */
}

/* --- outcomes */

int
member_refused(struct documents *d)
{
    ops_fail(outcome(d), &d->member.task, &d->err);
    err_done(&d->err);
    return OP_DONE;
}

int
member_counted(struct documents *d, const char *counter)
{
    ops_succeed(outcome(d), details_with(d->member.task.details, counter, d->member.count));
    d->has_success = true;
    return OP_DONE;
}

/* --- lines */

bool
member_next_line(struct member *m, struct str *ret)
{
    size_t end;

    if (m->at >= m->text.len)
        return false;
    end = str_find(m->text, '\n', m->at);
    *ret = str_slice(m->text, m->at, end);
    m->at = end + 1;
    m->n_lines++;
    return true;
}

static enum line_result
fail_damaged(struct documents *d)
{
    (void) err_set(&d->err, ERR_INTERNAL, "the payload of task %u is damaged", d->member.task.uid);
    return LINE_BROKEN;
}

/* --- imports */

/* The primary key for an index that has none yet: the batch's, else guessed from the payload's
 * first document. */
static int
find_primary_key(struct documents *d, const struct json *first)
{
    struct buf name = BUF_INIT;

    if (documents_primary_key(d) != NULL)
        return 0;
    if (primary_key_guess(first, &name, &d->err) < 0) {
        buf_done(&name);
        return -1;
    }
    d->new_primary_key = buf_take(&name);
    return 0;
}

enum line_result
member_apply(struct documents *d, const struct json *document, struct str text)
{
    struct member *m = &d->member;
    struct index_add add = {
        .external_id = buf_str(&d->id),
        .document = document,
        .text = text,
        .method = m->is_merge ? DOCUMENT_MERGE : DOCUMENT_REPLACE,
        .skip_creation = m->skips_creation,
        .marker = (uint32_t) d->at + 1,
    };
    int rc = index_writer_add(d->writer, &add, &d->err);

    if (rc < 0)
        return LINE_BROKEN;
    m->count += rc == 2;
    return LINE_DONE;
}

static enum line_result
check_document(struct documents *d, const struct json *document)
{
    if (find_primary_key(d, document) < 0)
        return LINE_REFUSED;
    if (json_length(document) > DOCUMENT_MAX_FIELDS) {
        (void) err_set(&d->err, ERR_MAX_FIELDS_LIMIT_EXCEEDED,
                       "A document cannot contain more than 65,535 fields.");
        return LINE_REFUSED;
    }
    buf_clear(&d->id);
    if (document_id(document, str_from(documents_primary_key(d)), &d->id, &d->err) < 0)
        return LINE_REFUSED;
    return d->checks_geo && geo_check(document, buf_str(&d->id), &d->err) < 0 ? LINE_BROKEN
                                                                              : LINE_DONE;
}

/* First pass: checks. Second pass, or the only document of a payload: applies. */
static enum line_result
import_line(struct documents *d, struct str line)
{
    struct member *m = &d->member;
    struct json_doc *doc = json_parse_scratch(d->scratch, line, NULL);
    bool is_only = line.data == m->text.data && m->at >= m->text.len;
    enum line_result result;

    if (doc == NULL)
        return fail_damaged(d);
    result = check_document(d, json_root(doc));
    if (result == LINE_DONE && (m->is_checked || is_only))
        result = member_apply(d, json_root(doc), line);
    m->is_checked |= is_only;
    json_doc_free(doc);
    return result;
}

static bool
has_other_primary_key(const struct documents *d)
{
    return d->info.primary_key != NULL && d->batch_primary_key != NULL &&
           strcmp(d->info.primary_key, d->batch_primary_key) != 0;
}

/* 1: refused. */
static int
begin_import(struct documents *d)
{
    read_params(&d->member);
    if (documents_load_settings(d) < 0)
        return -1;
    if (has_other_primary_key(d)) {
        (void) err_set(&d->err, ERR_INDEX_PRIMARY_KEY_ALREADY_EXISTS,
                       "Index already has a primary key: `%s`.", d->info.primary_key);
        return 1;
    }
    if (documents_primary_key(d) == NULL)
        d->new_primary_key = mem_strdup(d->batch_primary_key);
    return 0;
}

/* What the second pass left behind is not read again. */
static void
unmap_applied(struct member *m)
{
    if (m->mapped.len == 0 || !m->is_checked || m->at >= m->text.len)
        return;
    const char *at = m->text.data + m->at;
    if (at > m->mapped.data && (size_t) (at - m->mapped.data) >= UNMAP_BYTES)
        payload_unmap_front(&m->mapped, at);
}

static int
import_step(struct documents *d, int64_t deadline_us)
{
    struct member *m = &d->member;
    struct str line;

    for (unsigned n = 1;; n++) {
        if (!member_next_line(m, &line)) {
            if (m->is_checked || m->text.len == 0)
                return member_counted(d, "indexedDocuments");
            m->is_checked = true;
            m->at = 0;
            continue;
        }
        enum line_result result = import_line(d, line);
        if (result == LINE_REFUSED)
            return member_refused(d);
        if (result == LINE_BROKEN)
            return -1;
        if (n % OPS_CLOCK_EVERY == 0 && clock_mono_us() >= deadline_us) {
            unmap_applied(m);
            return OP_MORE;
        }
    }
}

/* --- deletions by ids */

static enum line_result
delete_id(struct documents *d, struct str id)
{
    struct member *m = &d->member;
    bool is_new = true;
    int rc;

    if (d->has_import && strmap_put(&m->ids, id, &is_new) < 0) {
        (void) err_set(&d->err, ERR_INTERNAL, "out of memory");
        return LINE_BROKEN;
    }
    rc = index_writer_delete(d->writer, id, &d->err);
    if (rc < 0)
        return LINE_BROKEN;
    m->count += d->has_import ? is_new : rc == 1;
    return LINE_DONE;
}

/* A line is one JSON string; most hold no escape. */
static enum line_result
delete_line(struct documents *d, struct str line)
{
    struct json_doc *doc;
    enum line_result result;

    if (line.len >= 2 && memchr(line.data, '\\', line.len) == NULL)
        return delete_id(d, str_slice(line, 1, line.len - 1));
    doc = json_parse_scratch(d->scratch, line, NULL);
    if (doc == NULL)
        return fail_damaged(d);
    result = delete_id(d, json_string(json_root(doc)));
    json_doc_free(doc);
    return result;
}

static int
delete_step(struct documents *d, int64_t deadline_us)
{
    struct member *m = &d->member;
    struct str line;

    for (unsigned n = 1; member_next_line(m, &line); n++) {
        if (delete_line(d, line) != LINE_DONE)
            return -1;
        if (n % OPS_CLOCK_EVERY == 0 && clock_mono_us() >= deadline_us)
            return OP_MORE;
    }
    return member_counted(d, "deletedDocuments");
}

/* Before a primary key is known there is nothing to delete, and nothing is counted. */
static void
begin_deletion(struct documents *d)
{
    if (!d->has_import)
        return;
    strmap_init(&d->member.ids);
    if (documents_primary_key(d) == NULL)
        d->member.at = d->member.text.len;
}

/* --- clear-all, and what it swallows */

static int
clear_step(struct documents *d)
{
    int rc = 0;

    d->has_success = true;
    if (d->roles[d->at] != ROLE_CLEAR) {
        ops_succeed(outcome(d), NULL);
        return OP_DONE;
    }
    rc = member_load(d);
    if (rc < 0)
        return rc;
    d->member.count = d->n_cleared;
    d->n_cleared = 0;
    return member_counted(d, "deletedDocuments");
}

static int
open_and_begin(struct documents *d)
{
    if (member_load(d) < 0)
        return -1;
    if (d->roles[d->at] == ROLE_IMPORT)
        return begin_import(d);
    begin_deletion(d);
    return 0;
}

int
member_step(struct documents *d, int64_t deadline_us)
{
    int rc;

    if (d->roles[d->at] == ROLE_SETTINGS)
        return settings_step(d, deadline_us);
    if (d->roles[d->at] == ROLE_DEPLOY)
        return deploy_step(d, deadline_us);
    if (d->has_clear)
        return clear_step(d);
    if (d->roles[d->at] == ROLE_DELETE_BY_FILTER)
        return delete_by_filter_step(d, deadline_us);
    if (!d->member.is_open) {
        rc = open_and_begin(d);
        if (rc != 0)
            return rc < 0 ? rc : member_refused(d);
    }
    if (d->roles[d->at] != ROLE_IMPORT)
        return delete_step(d, deadline_us);
    return d->member.condition.params != NULL ? update_by_field_step(d, deadline_us)
                                              : import_step(d, deadline_us);
}
