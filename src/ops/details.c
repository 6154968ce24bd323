/* Task details: which counter stands for what was done, and setting it. Knows the keys of
 * contract 2.3 only. */
#include "base/mem.h"
#include "codec/json.h"
#include "ops/ops_internal.h"

/* The counter that is 0 for a failed or canceled task. */
static const char *const counter_names[KIND_COUNT] = {
    [KIND_DOCUMENT_ADDITION_OR_UPDATE] = "indexedDocuments",
    [KIND_DOCUMENT_EDITION] = "editedDocuments",
    [KIND_DOCUMENT_DELETION] = "deletedDocuments",
    [KIND_INDEX_DELETION] = "deletedDocuments",
    [KIND_TASK_CANCELATION] = "canceledTasks",
    [KIND_TASK_DELETION] = "deletedTasks",
    [KIND_INDEX_DEPLOY] = "indexedDocuments",
};

static void
put_member(struct json_out *j, const struct json_iter *it)
{
    json_key_str(j, it->key);
    json_write(j->out, it->value);
    j->comma = true;
}

char *
details_with(const char *details, const char *name, uint64_t value)
{
    struct json_doc *doc = json_parse(str_from(details), NULL);
    struct buf out = BUF_INIT;
    struct json_out j = json_out(&out);

    if (doc == NULL) /* written by us: cannot happen on an undamaged disk */
        return mem_strdup(details);
    json_begin_object(&j);
    for (struct json_iter it = json_iter(json_root(doc)); json_next(&it);) {
        if (str_is(it.key, name)) {
            json_key(&j, name);
            json_put_u64(&j, value);
        } else {
            put_member(&j, &it);
        }
    }
    json_end_object(&j);
    json_doc_free(doc);
    return buf_take(&out);
}

uint64_t
details_number(const char *details, const char *name)
{
    struct json_doc *doc = details == NULL ? NULL : json_parse(str_from(details), NULL);
    const struct json *value = doc == NULL ? NULL : json_get_c(json_root(doc), name);
    uint64_t number = 0;

    if (value != NULL && !json_to_u64(value, &number))
        number = 0;
    json_doc_free(doc);
    return number;
}

char *
details_of_failed(const struct task *t)
{
    if (t->details == NULL || counter_names[t->kind] == NULL)
        return NULL;
    return details_with(t->details, counter_names[t->kind], 0);
}
