/* Deletions by filter: the stored documents are gone through in slices, as the batch's writer sees
 * them, and those that match are deleted. */
#include <stdlib.h>

#include "base/clock.h"
#include "ops/documents.h"

static int
parse(struct documents *d)
{
    const char *params = d->member.task.params;
    struct json_doc *doc = params == NULL ? NULL : json_parse(str_from(params), NULL);
    int rc;

    if (doc == NULL)
        return err_set(&d->err, ERR_INTERNAL, "the filter of task %u is damaged",
                       d->member.task.uid);
    if (json_type(json_root(doc)) == JSON_OBJECT && field_condition_read(&d->member.condition, doc))
        return 0;
    rc = filter_parse(json_root(doc), ERR_INVALID_DOCUMENT_FILTER, &d->member.filter, &d->err);
    json_doc_free(doc);
    return rc;
}

/* 0, 1 when this task alone fails with d->err, or negative. */
static int
begin(struct documents *d)
{
    struct filter_rules *rules;
    int rc;

    if (member_load(d) < 0 || documents_load_settings(d) < 0)
        return -1;
    rc = parse(d);
    if (rc == 1) {
        rules = filter_rules_new(settings_value(&d->settings, SETTING_FILTERABLE_ATTRIBUTES));
        rc = filter_check(d->member.filter, rules, ERR_INVALID_DOCUMENT_FILTER, &d->err);
        filter_rules_free(rules);
    }
    if (rc >= 0)
        return 0;
    ops_prefix_error(&d->err, d->run->index_uid);
    return 1;
}

/* Deletes the document when it matches; its text is gone afterwards. 0 or negative with d->err. */
static int
visit(struct documents *d, struct str text)
{
    struct member *m = &d->member;
    struct json_doc *doc = json_parse_scratch(d->scratch, text, NULL);
    const char *key = documents_primary_key(d);
    bool is_match =
        doc != NULL && (m->filter != NULL ? filter_match(m->filter, json_root(doc))
                                          : field_condition_meets(&m->condition, json_root(doc)));
    int rc = 0;

    buf_clear(&d->id);
    if (is_match && key != NULL)
        rc = document_id(json_root(doc), str_from(key), &d->id, &d->err);
    json_doc_free(doc);
    if (doc == NULL)
        return err_set(&d->err, ERR_INTERNAL, "a stored document is damaged");
    if (rc == 0 && is_match)
        rc = index_writer_delete(d->writer, buf_str(&d->id), &d->err);
    m->count += rc == 1;
    return rc < 0 ? rc : 0;
}

int
delete_by_filter_step(struct documents *d, int64_t deadline_us)
{
    struct member *m = &d->member;
    struct str text;
    uint32_t id;

    if (!m->is_open) {
        int rc = begin(d);
        if (rc != 0)
            return rc < 0 ? rc : member_refused(d);
    }
    for (unsigned n = 1; m->filter != NULL || m->condition.params != NULL; n++) {
        int rc = index_writer_next(d->writer, m->next_id, &id, &text, &d->err);
        if (rc == 1)
            rc = visit(d, text) < 0 ? -1 : 1;
        if (rc <= 0 || id == UINT32_MAX)
            return rc < 0 ? rc : member_counted(d, "deletedDocuments");
        m->next_id = id + 1;
        if (n % OPS_CLOCK_EVERY == 0 && clock_mono_us() >= deadline_us)
            return OP_MORE;
    }
    return member_counted(d, "deletedDocuments");
}
