/* The automaton that forms batches. Pure: no store, no clock, no queue. */
#include "queue/autobatch.h"

#include <stdlib.h>

#include "base/mem.h"

enum stop {
    STOP_NONE,
    STOP_DOCUMENTS_THEN_SETTINGS,
    STOP_DOCUMENTS_THEN_FILTER,
    STOP_SETTINGS_THEN_DOCUMENTS,
    STOP_ALONE,
};

static const char *const stop_texts[] = {
    [STOP_DOCUMENTS_THEN_SETTINGS] =
        "it is a settings change which cannot be batched with document operations",
    [STOP_DOCUMENTS_THEN_FILTER] =
        "it is a deletion by filter which cannot be batched with document operations",
    [STOP_SETTINGS_THEN_DOCUMENTS] =
        "it is a document operation which cannot be batched with settings changes",
};

struct step {
    enum autobatch_state to;
    enum stop stop; /* not STOP_NONE: the task does not join */
};

#define TO(state)                                                                                  \
    {                                                                                              \
        .to = AUTOBATCH_##state                                                                    \
    }
#define NO(reason)                                                                                 \
    {                                                                                              \
        .stop = STOP_##reason                                                                      \
    }

/* Contract 4.2, one row a state. "Deletions, then an import" needs no condition of its own: where
 * the import would create the index the check before the table refuses it. (Upstream lets a
 * deletion by filter take such an import along, which then fails; here it gets a batch that creates
 * the index.) Clear followed by an import stops with the settings text, as upstream does. */
static const struct step next[AUTOBATCH_STATES][ROLE_COUNT] = {
    [AUTOBATCH_DOCUMENTS] = {[ROLE_CANCELATION] = NO(ALONE),
                             [ROLE_TASK_DELETION] = NO(ALONE),
                             [ROLE_IMPORT] = TO(DOCUMENTS),
                             [ROLE_DELETE_BY_IDS] = TO(DOCUMENTS),
                             [ROLE_DELETE_BY_FILTER] = NO(DOCUMENTS_THEN_FILTER),
                             [ROLE_CLEAR] = TO(CLEAR),
                             [ROLE_SETTINGS] = NO(DOCUMENTS_THEN_SETTINGS),
                             [ROLE_INDEX_DELETION] = TO(INDEX_DELETION),
                             [ROLE_ALONE] = NO(ALONE),
                             [ROLE_DEPLOY] = NO(ALONE),
                             [ROLE_COMPACTION] = NO(ALONE)},
    [AUTOBATCH_DELETIONS] = {[ROLE_CANCELATION] = NO(ALONE),
                             [ROLE_TASK_DELETION] = NO(ALONE),
                             [ROLE_IMPORT] = TO(DOCUMENTS),
                             [ROLE_DELETE_BY_IDS] = TO(DELETIONS),
                             [ROLE_DELETE_BY_FILTER] = TO(DELETIONS),
                             [ROLE_CLEAR] = TO(CLEAR),
                             [ROLE_SETTINGS] = NO(DOCUMENTS_THEN_SETTINGS),
                             [ROLE_INDEX_DELETION] = TO(INDEX_DELETION),
                             [ROLE_ALONE] = NO(ALONE),
                             [ROLE_DEPLOY] = NO(ALONE),
                             [ROLE_COMPACTION] = NO(ALONE)},
    [AUTOBATCH_CLEAR] = {[ROLE_CANCELATION] = NO(ALONE),
                         [ROLE_TASK_DELETION] = NO(ALONE),
                         [ROLE_IMPORT] = NO(DOCUMENTS_THEN_SETTINGS),
                         [ROLE_DELETE_BY_IDS] = TO(CLEAR),
                         [ROLE_DELETE_BY_FILTER] = TO(CLEAR),
                         [ROLE_CLEAR] = TO(CLEAR),
                         [ROLE_SETTINGS] = NO(DOCUMENTS_THEN_SETTINGS),
                         [ROLE_INDEX_DELETION] = TO(INDEX_DELETION),
                         [ROLE_ALONE] = NO(ALONE),
                         [ROLE_DEPLOY] = NO(ALONE),
                         [ROLE_COMPACTION] = NO(ALONE)},
    [AUTOBATCH_SETTINGS] = {[ROLE_CANCELATION] = NO(ALONE),
                            [ROLE_TASK_DELETION] = NO(ALONE),
                            [ROLE_IMPORT] = NO(SETTINGS_THEN_DOCUMENTS),
                            [ROLE_DELETE_BY_IDS] = NO(SETTINGS_THEN_DOCUMENTS),
                            [ROLE_DELETE_BY_FILTER] = NO(SETTINGS_THEN_DOCUMENTS),
                            [ROLE_CLEAR] = TO(CLEAR_SETTINGS),
                            [ROLE_SETTINGS] = TO(SETTINGS),
                            [ROLE_INDEX_DELETION] = TO(INDEX_DELETION),
                            [ROLE_ALONE] = NO(ALONE),
                            [ROLE_DEPLOY] = NO(ALONE),
                            [ROLE_COMPACTION] = NO(ALONE)},
    [AUTOBATCH_CLEAR_SETTINGS] = {[ROLE_CANCELATION] = NO(ALONE),
                                  [ROLE_TASK_DELETION] = NO(ALONE),
                                  [ROLE_IMPORT] = NO(SETTINGS_THEN_DOCUMENTS),
                                  [ROLE_DELETE_BY_IDS] = TO(CLEAR_SETTINGS),
                                  [ROLE_DELETE_BY_FILTER] = TO(CLEAR_SETTINGS),
                                  [ROLE_CLEAR] = TO(CLEAR_SETTINGS),
                                  [ROLE_SETTINGS] = TO(CLEAR_SETTINGS),
                                  [ROLE_INDEX_DELETION] = TO(INDEX_DELETION),
                                  [ROLE_ALONE] = NO(ALONE),
                                  [ROLE_DEPLOY] = NO(ALONE),
                                  [ROLE_COMPACTION] = NO(ALONE)},
};

static const enum autobatch_state first_states[ROLE_COUNT] = {
    [ROLE_CANCELATION] = AUTOBATCH_ALONE,
    [ROLE_TASK_DELETION] = AUTOBATCH_ALONE,
    [ROLE_IMPORT] = AUTOBATCH_DOCUMENTS,
    [ROLE_DELETE_BY_IDS] = AUTOBATCH_DELETIONS,
    [ROLE_DELETE_BY_FILTER] = AUTOBATCH_DELETIONS,
    [ROLE_CLEAR] = AUTOBATCH_CLEAR,
    [ROLE_SETTINGS] = AUTOBATCH_SETTINGS,
    [ROLE_INDEX_DELETION] = AUTOBATCH_INDEX_DELETION,
    [ROLE_ALONE] = AUTOBATCH_ALONE,
    [ROLE_DEPLOY] = AUTOBATCH_ALONE,
    [ROLE_COMPACTION] = AUTOBATCH_ALONE,
};

void
autobatch_write_alone(struct buf *out, uint32_t uid, enum task_kind kind)
{
    buf_addf(out,
             "created batch containing only task with id %u of type `%s` that cannot be batched "
             "with any other task.",
             uid, task_kind_name(kind));
}

static bool
may_create(const struct autobatch_facts *t)
{
    return t->allow &&
           (t->role == ROLE_IMPORT || t->role == ROLE_SETTINGS || t->role == ROLE_DEPLOY);
}

static void
stop_by_key(struct autobatch *a, const struct autobatch_facts *t, const char *whose,
            const char *key)
{
    buf_addf(&a->stop_text,
             "stopped batching before task with id %u because its primary key `%.*s` is different "
             "from the primary key of the %s `%s`",
             t->uid, STR_ARG(t->primary_key), whose, key);
}

/* Whether an import's primary key fits; it becomes the batch's when that has none yet. */
static bool
check_key(struct autobatch *a, const struct autobatch_facts *t)
{
    if (t->primary_key.data == NULL) {
        if (a->key == AUTOBATCH_KEY_NONE && a->index_key == NULL)
            a->key = AUTOBATCH_KEY_GUESSED;
        return true;
    }
    if (a->index_key != NULL) {
        if (str_is(t->primary_key, a->index_key))
            return true;
        stop_by_key(a, t, "index", a->index_key);
        return false;
    }
    if (a->key == AUTOBATCH_KEY_GUESSED) {
        buf_addf(&a->stop_text,
                 "stopped batching before task with id %u because it is setting the `%.*s` primary "
                 "key and it would interfere with primary key guessing of the batch",
                 t->uid, STR_ARG(t->primary_key));
        return false;
    }
    if (a->key == AUTOBATCH_KEY_NONE) {
        a->key = AUTOBATCH_KEY_SET;
        a->batch_key = mem_strndup(t->primary_key.data, t->primary_key.len);
        return true;
    }
    if (str_is(t->primary_key, a->batch_key))
        return true;
    stop_by_key(a, t, "batch", a->batch_key);
    return false;
}

static bool
check_creation(struct autobatch *a, const struct autobatch_facts *t)
{
    if (a->index_exists || !may_create(t))
        return true;
    buf_addf(&a->stop_text,
             "stopped batching before task with id %u because its index creation rules differ "
             "from the ones from the batch",
             t->uid);
    return false;
}

static void
stop_after_deletion(struct autobatch *a, uint32_t uid)
{
    buf_addf(&a->stop_text, "stopped after task with id %u because it deletes the index", uid);
}

enum autobatch_result
autobatch_begin(struct autobatch *a, const struct autobatch_facts *first, bool index_exists,
                struct str index_key)
{
    *a = (struct autobatch){
        .state = first_states[first->role],
        .may_create_index = may_create(first),
        .index_exists = index_exists || may_create(first),
        .index_key = index_key.data == NULL ? NULL : mem_strndup(index_key.data, index_key.len),
    };
    if (a->state == AUTOBATCH_ALONE)
        autobatch_write_alone(&a->stop_text, first->uid, first->kind);
    else if (a->state == AUTOBATCH_INDEX_DELETION)
        stop_after_deletion(a, first->uid);
    else if (first->role == ROLE_IMPORT)
        (void) check_key(a, first); /* a key that differs from the index's: alone, and it fails */
    return a->stop_text.len > 0 ? AUTOBATCH_LAST : AUTOBATCH_JOINED;
}

enum autobatch_result
autobatch_next(struct autobatch *a, const struct autobatch_facts *task)
{
    if (task->role == ROLE_IMPORT && !check_key(a, task))
        return AUTOBATCH_REFUSED;
    if (!check_creation(a, task))
        return AUTOBATCH_REFUSED;
    const struct step *step = &next[a->state][task->role];
    if (step->stop == STOP_ALONE) {
        autobatch_write_alone(&a->stop_text, task->uid, task->kind);
        return AUTOBATCH_REFUSED;
    }
    if (step->stop != STOP_NONE) {
        buf_addf(&a->stop_text, "stopped before task with id %u because %s", task->uid,
                 stop_texts[step->stop]);
        return AUTOBATCH_REFUSED;
    }
    a->state = step->to;
    if (a->state != AUTOBATCH_INDEX_DELETION)
        return AUTOBATCH_JOINED;
    stop_after_deletion(a, task->uid);
    return AUTOBATCH_LAST;
}

void
autobatch_done(struct autobatch *a)
{
    free(a->index_key);
    free(a->batch_key);
    buf_done(&a->stop_text);
    *a = (struct autobatch){0};
}
