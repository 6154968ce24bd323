/* Settings tasks of a batch: applied in order to what the index has; written once, with the batch's
 * commit. When documents must have proper places from now on, those stored are looked through. */
#include "base/clock.h"
#include "index/filter_rules.h"
#include "ops/documents.h"

static bool
lists_geo(struct str names)
{
    struct filter_rules *rules = filter_rules_new(names); /* a list of names is one of rules */
    bool is_listed = filter_rules_name(rules, "_geo");

    filter_rules_free(rules);
    return is_listed;
}

static bool
wants_geo(const struct settings *s)
{
    return lists_geo(settings_value(s, SETTING_FILTERABLE_ATTRIBUTES)) ||
           lists_geo(settings_value(s, SETTING_SORTABLE_ATTRIBUTES));
}

int
documents_load_settings(struct documents *d)
{
    if (d->has_settings)
        return 0;
    if (index_writer_settings(d->writer, &d->settings, &d->err) < 0)
        return -1;
    d->has_settings = true;
    d->checks_geo = wants_geo(&d->settings);
    return 0;
}

/* What was sent is in the params, or in the details when those show all of it. */
static int
apply(struct documents *d)
{
    const struct task *t = &d->member.task;
    const char *text = t->params != NULL && t->params[0] != '\0' ? t->params : t->details;
    struct json_doc *doc = json_parse(str_from(text), NULL);
    int rc;

    if (doc == NULL)
        return err_set(&d->err, ERR_INTERNAL, "the settings of task %u are damaged", t->uid);
    rc = settings_apply(&d->settings, json_root(doc), &d->err);
    json_doc_free(doc);
    d->changes_settings = true;
    return rc;
}

/* Looks through the stored documents: OP_DONE, OP_MORE, or negative with d->err. */
static int
check_places(struct documents *d, int64_t deadline_us)
{
    struct member *m = &d->member;
    struct str text;
    uint32_t id;

    for (unsigned n = 1;; n++) {
        int rc = index_writer_next(d->writer, m->next_id, &id, &text, &d->err);
        struct json_doc *doc = rc == 1 ? json_parse_scratch(d->scratch, text, NULL) : NULL;
        if (rc <= 0)
            return rc < 0 ? rc : OP_DONE;
        buf_clear(&d->id);
        if (doc != NULL && documents_primary_key(d) != NULL &&
            document_id(json_root(doc), str_from(documents_primary_key(d)), &d->id, &d->err) == 0)
            rc = geo_check(json_root(doc), buf_str(&d->id), &d->err);
        json_doc_free(doc);
        if (rc < 0)
            return rc;
        m->next_id = id + 1;
        if (id == UINT32_MAX)
            return OP_DONE;
        if (n % OPS_CLOCK_EVERY == 0 && clock_mono_us() >= deadline_us)
            return OP_MORE;
    }
}

static int
begin(struct documents *d)
{
    if (member_load(d) < 0 || documents_load_settings(d) < 0)
        return -1;
    return apply(d);
}

int
settings_step(struct documents *d, int64_t deadline_us)
{
    struct member *m = &d->member;
    int rc;

    if (!m->is_open && begin(d) < 0)
        return -1;
    if (!d->checks_geo && wants_geo(&d->settings)) {
        rc = check_places(d, deadline_us);
        if (rc != OP_DONE)
            return rc;
    }
    d->checks_geo = wants_geo(&d->settings);
    ops_succeed(&d->run->members[d->at], NULL);
    d->has_success = true;
    return OP_DONE;
}
