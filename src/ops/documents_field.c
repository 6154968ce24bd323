/* Documents that are known by a field which is not their id: deleted, or changed where they hold
 * a value. The stored documents are gone through in slices, as the batch's writer sees them; values
 * are compared exactly, unlike those of filters, which fold letters. */
#include <stdlib.h>

#include "base/clock.h"
#include "index/filter_rules.h"
#include "ops/documents.h"

int
field_condition_read(struct field_condition *c, struct json_doc *take_params)
{
    const struct json *field = json_get_c(json_root(take_params), "field");
    const struct json *value = json_get_c(json_root(take_params), "value");

    if (field == NULL || value == NULL) {
        json_doc_free(take_params);
        return 0;
    }
    *c = (struct field_condition){take_params, json_string(field), value};
    return 1;
}

void
field_condition_done(struct field_condition *c)
{
    json_doc_free(c->params);
    *c = (struct field_condition){0};
}

/* --- matching */

static struct str
text_of(const struct json *v)
{
    return json_type(v) == JSON_NUMBER ? json_number(v) : json_string(v);
}

static bool
numbers_equal(const struct json *a, const struct json *b)
{
    uint64_t ua, ub;
    double da, db;

    if (json_to_u64(a, &ua) && json_to_u64(b, &ub))
        return ua == ub;
    return filter_number(json_number(a), &da) && filter_number(json_number(b), &db) && da == db;
}

/* An id that one side writes as a number and the other as a text is the same id. */
static bool
scalars_equal(const struct json *a, const struct json *b)
{
    if (json_type(a) == JSON_NUMBER && json_type(b) == JSON_NUMBER)
        return numbers_equal(a, b);
    if (json_type(a) != JSON_NUMBER && json_type(a) != JSON_STRING)
        return false;
    return str_equal(text_of(a), text_of(b));
}

static bool value_meets(const struct json *value, struct str path, const struct json *wanted);

static bool
object_meets(const struct json *object, struct str path, const struct json *wanted)
{
    for (struct json_iter it = json_iter(object); json_next(&it);) {
        if (!attribute_is_below(path, it.key))
            continue;
        struct str rest =
            it.key.len == path.len ? STR("") : str_slice(path, it.key.len + 1, path.len);
        if (value_meets(it.value, rest, wanted))
            return true;
    }
    return false;
}

/* path: what is left of it. Depth: that of the stored JSON. */
static bool
value_meets(const struct json *value, struct str path, const struct json *wanted)
{
    if (json_type(value) == JSON_ARRAY) {
        for (struct json_iter it = json_iter(value); json_next(&it);) {
            if (value_meets(it.value, path, wanted))
                return true;
        }
        return false;
    }
    if (path.len == 0)
        return scalars_equal(value, wanted);
    return json_type(value) == JSON_OBJECT && object_meets(value, path, wanted);
}

bool
field_condition_meets(const struct field_condition *c, const struct json *document)
{
    return object_meets(document, c->field, c->value);
}

/* --- updates */

/* 0, 1 when this task alone fails with d->err, or negative. */
static int
begin(struct documents *d)
{
    struct member *m = &d->member;
    struct str line = STR("");
    const char *key = documents_primary_key(d);

    if (!member_next_line(m, &line) || (m->patch = json_parse(line, NULL)) == NULL)
        return err_set(&d->err, ERR_INTERNAL, "the payload of task %u is damaged", m->task.uid);
    m->patch_text = line;
    if (key != NULL && json_get_c(json_root(m->patch), key) != NULL) {
        (void) err_set(&d->err, ERR_INVALID_DOCUMENT_ID,
                       "The primary key `%s` of documents found by `%.*s` cannot be changed.", key,
                       STR_ARG(m->condition.field));
        return 1;
    }
    if (!d->checks_geo)
        return 0;
    return geo_check(json_root(m->patch), STR(""), &d->err) < 0 ? 1 : 0;
}

/* Changes the document when it matches; its text is gone afterwards. 0 or negative with d->err. */
static int
visit(struct documents *d, struct str text)
{
    struct member *m = &d->member;
    struct json_doc *doc = json_parse_scratch(d->scratch, text, NULL);
    const char *key = documents_primary_key(d);
    int rc = 0;

    if (doc == NULL)
        return err_set(&d->err, ERR_INTERNAL, "a stored document is damaged");
    bool is_match = key != NULL && field_condition_meets(&m->condition, json_root(doc));
    buf_clear(&d->id);
    if (is_match)
        rc = document_id(json_root(doc), str_from(key), &d->id, &d->err);
    json_doc_free(doc);
    if (rc == 0 && is_match && member_apply(d, json_root(m->patch), m->patch_text) != LINE_DONE)
        rc = -1;
    return rc;
}

int
update_by_field_step(struct documents *d, int64_t deadline_us)
{
    struct member *m = &d->member;
    struct str text;
    uint32_t id;

    if (m->patch == NULL) {
        int rc = begin(d);
        if (rc != 0)
            return rc < 0 ? rc : member_refused(d);
    }
    for (unsigned n = 1;; n++) {
        int rc = index_writer_next(d->writer, m->next_id, &id, &text, &d->err);
        if (rc == 1)
            rc = visit(d, text) < 0 ? -1 : 1;
        if (rc <= 0 || id == UINT32_MAX)
            return rc < 0 ? rc : member_counted(d, "indexedDocuments");
        m->next_id = id + 1;
        if (n % OPS_CLOCK_EVERY == 0 && clock_mono_us() >= deadline_us)
            return OP_MORE;
    }
}
