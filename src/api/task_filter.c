/* Selecting tasks by parameters. Owns the tables and the predicate; knows neither how tasks are
 * stored nor how they are listed. */
#include "api/task_filter.h"

#include <stdlib.h>

#include "base/clock.h"
#include "index/catalog.h"

/* --- readers */

static int
compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
    return (x > y) - (x < y);
}

static const char *
status_word(unsigned i)
{
    return i < TASK_STATUS_COUNT ? task_status_name((enum task_status) i) : NULL;
}

static int
param_statuses(const struct param_in *in, void *dst)
{
    static const struct param_words words = {"task status", "statuses", TASK_STATUS_COUNT,
                                             status_word};
    return param_words(in, &words, dst);
}

static const char *
type_word(unsigned i)
{
    return i < KIND_COUNT ? task_kind_name((enum task_kind) i) : NULL;
}

static int
param_types(const struct param_in *in, void *dst)
{
    /* upstream's message shows upstream's kinds */
    static const struct param_words words = {"task type", "types", KIND_OF_OUR_OWN, type_word};
    return param_words(in, &words, dst);
}

static int
check_index_uid(const struct param_in *in, const char *name, struct str element, void *dst)
{
    (void) dst; /* param_strings has collected them */
    if (index_uid_is_valid(element))
        return 0;
    struct buf why = BUF_INIT;
    index_uid_write_invalid(&why, element);
    int rc = param_invalid(in, name, "%s", buf_cstr(&why));
    buf_done(&why);
    return rc;
}

static int
param_index_uids(const struct param_in *in, void *dst)
{
    struct param_strs *list = dst;
    if (param_strings(in, list) < 0)
        return -1;
    return param_each(in, &list->has_star, check_index_uid, NULL);
}

/* "YYYY-MM-DD": the midnight before it begins. */
static bool
read_day(struct str text, int64_t *ret_ns)
{
    struct buf full = BUF_INIT;
    buf_add_str(&full, text);
    buf_add_cstr(&full, "T00:00:00Z");
    bool ok = text.len == 10 && clock_parse(buf_str(&full), ret_ns);
    buf_done(&full);
    return ok;
}

bool
date_from_text(struct str text, int64_t *ret_ns)
{
    return clock_parse(text, ret_ns) || read_day(text, ret_ns);
}

static int
read_date(const struct param_in *in, int64_t day_offset_ns, struct param_date *ret)
{
    *ret = (struct param_date){.is_given = true};
    if (str_is(in->value, "*"))
        return 0;
    ret->is_bound = true;
    if (clock_parse(in->value, &ret->ns))
        return 0;
    if (read_day(in->value, &ret->ns)) {
        ret->ns += day_offset_ns;
        return 0;
    }
    return param_invalid(in, in->row->name,
                         "`%.*s` is an invalid date-time. It should follow the YYYY-MM-DD or RFC "
                         "3339 date-time format.",
                         STR_ARG(in->value));
}

static int
param_date_after(const struct param_in *in, void *dst)
{
    return read_date(in, 24 * 3600 * INT64_C(1000000000), dst); /* from the next midnight on */
}

int
param_date(const struct param_in *in, void *dst)
{
    return read_date(in, 0, dst);
}

/* --- tables: the order is that of the messages */

#define ROW(param_name, error, reader, member)                                                     \
    {                                                                                              \
        .name = (param_name), .code = (error), .read = (reader),                                   \
        .offset = offsetof(struct task_filter, member)                                             \
    }
#define ROWS_OF_DATES                                                                              \
    ROW("afterEnqueuedAt", ERR_INVALID_TASK_AFTER_ENQUEUED_AT, param_date_after, after_enqueued),  \
        ROW("beforeEnqueuedAt", ERR_INVALID_TASK_BEFORE_ENQUEUED_AT, param_date, before_enqueued), \
        ROW("afterStartedAt", ERR_INVALID_TASK_AFTER_STARTED_AT, param_date_after, after_started), \
        ROW("beforeStartedAt", ERR_INVALID_TASK_BEFORE_STARTED_AT, param_date, before_started),    \
        ROW("afterFinishedAt", ERR_INVALID_TASK_AFTER_FINISHED_AT, param_date_after,               \
            after_finished),                                                                       \
        ROW("beforeFinishedAt", ERR_INVALID_TASK_BEFORE_FINISHED_AT, param_date, before_finished)

static const struct param list_params[] = {
    ROW("limit", ERR_INVALID_TASK_LIMIT, param_u32, limit),
    ROW("from", ERR_INVALID_TASK_FROM, param_u32, from),
    ROW("reverse", ERR_INVALID_TASK_REVERSE, param_bool, reverse),
    ROW("batchUids", ERR_INVALID_BATCH_UIDS, param_u32s, batch_uids),
    ROW("uids", ERR_INVALID_TASK_UIDS, param_u32s, uids),
    ROW("canceledBy", ERR_INVALID_TASK_CANCELED_BY, param_u32s, canceled_by),
    ROW("types", ERR_INVALID_TASK_TYPES, param_types, types),
    ROW("statuses", ERR_INVALID_TASK_STATUSES, param_statuses, statuses),
    ROW("indexUids", ERR_INVALID_INDEX_UID, param_index_uids, index_uids),
    ROWS_OF_DATES,
};
static const struct param cancel_params[] = {
    ROW("uids", ERR_INVALID_TASK_UIDS, param_u32s, uids),
    ROW("batchUids", ERR_INVALID_BATCH_UIDS, param_u32s, batch_uids),
    ROW("canceledBy", ERR_INVALID_TASK_CANCELED_BY, param_u32s, canceled_by),
    ROW("types", ERR_INVALID_TASK_TYPES, param_types, types),
    ROW("statuses", ERR_INVALID_TASK_STATUSES, param_statuses, statuses),
    ROW("indexUids", ERR_INVALID_INDEX_UID, param_index_uids, index_uids),
    ROWS_OF_DATES,
};

const struct param_table task_list_query = PARAM_TABLE(list_params);
const struct param_table task_cancel_query = PARAM_TABLE(cancel_params);

int
task_filter_for_list(struct http_call *call, struct task_filter *ret)
{
    *ret = (struct task_filter){.limit.value = 20};
    return PARAMS_READ(call, list_params, ret);
}

int
task_filter_for_stream(struct http_call *call, struct task_filter *ret)
{
    *ret = (struct task_filter){0};
    return PARAMS_READ(call, cancel_params, ret);
}

static bool
has_filter(const struct task_filter *f)
{
    return f->uids.is_given || f->batch_uids.is_given || f->canceled_by.is_given ||
           f->types.is_given || f->statuses.is_given || f->index_uids.is_given ||
           f->after_enqueued.is_given || f->before_enqueued.is_given || f->after_started.is_given ||
           f->before_started.is_given || f->after_finished.is_given || f->before_finished.is_given;
}

int
task_filter_for_change(struct http_call *call, const char *verb, struct task_filter *ret)
{
    *ret = (struct task_filter){0};
    if (PARAMS_READ(call, cancel_params, ret) < 0)
        return -1;
    if (has_filter(ret))
        return 0;
    return err_set(&call->err, ERR_MISSING_TASK_FILTERS,
                   "Query parameters to filter the tasks to %s are missing. Available query "
                   "parameters are: `uids`, `indexUids`, `statuses`, `types`, `canceledBy`, "
                   "`beforeEnqueuedAt`, `afterEnqueuedAt`, `beforeStartedAt`, `afterStartedAt`, "
                   "`beforeFinishedAt`, `afterFinishedAt`.",
                   verb);
}

static void
copy_u32s(struct param_u32s *list, struct arena *arena)
{
    uint32_t *values = arena_alloc(arena, (list->n + 1) * sizeof(*values));
    if (list->n > 0)
        memcpy(values, list->values, list->n * sizeof(*values));
    qsort(values, list->n, sizeof(*values), compare_u32);
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++) {
        if (n == 0 || values[n - 1] != values[i])
            values[n++] = values[i];
    }
    list->values = values;
    list->n = n;
}

void
task_filter_copy(struct task_filter *ret, const struct task_filter *from, struct arena *arena)
{
    *ret = *from;
    copy_u32s(&ret->uids, arena);
    copy_u32s(&ret->batch_uids, arena);
    copy_u32s(&ret->canceled_by, arena);
    struct str *uids = arena_alloc(arena, (from->index_uids.n + 1) * sizeof(*uids));
    for (size_t i = 0; i < from->index_uids.n; i++)
        uids[i] = arena_copy(arena, from->index_uids.values[i]);
    ret->index_uids.values = uids;
}

/* --- the query */

/* Whether a list is a filter: given and without a star. */
static bool
list_filters(const struct param_u32s *list)
{
    return list->is_given && !list->has_star;
}

static void
query_list(const struct param_u32s *list, const uint32_t **ret_values, size_t *ret_n)
{
    *ret_values = list_filters(list) ? list->values : NULL;
    *ret_n = list->n;
}

static uint32_t
query_values(const struct param_set *set)
{
    return set->is_given && !set->has_star ? set->bits : UINT32_MAX;
}

static struct time_range
query_range(const struct param_date *after, const struct param_date *before)
{
    return (struct time_range){after->is_bound ? after->ns : INT64_MIN,
                               before->is_bound ? before->ns : INT64_MAX};
}

void
task_filter_query(const struct task_filter *f, struct task_query *ret)
{
    *ret = (struct task_query){
        .statuses = query_values(&f->statuses),
        .types = query_values(&f->types),
        .enqueued = query_range(&f->after_enqueued, &f->before_enqueued),
        .started = query_range(&f->after_started, &f->before_started),
        .finished = query_range(&f->after_finished, &f->before_finished),
        .n_index_uids = f->index_uids.n,
    };
    query_list(&f->uids, &ret->uids, &ret->n_uids);
    query_list(&f->batch_uids, &ret->batch_uids, &ret->n_batch_uids);
    query_list(&f->canceled_by, &ret->canceled_by, &ret->n_canceled_by);
    if (f->index_uids.is_given && !f->index_uids.has_star)
        ret->index_uids = f->index_uids.values;
}

/* --- the predicate */

static bool
list_has(const struct param_u32s *sorted, uint32_t value)
{
    return bsearch(&value, sorted->values, sorted->n, sizeof(value), compare_u32) != NULL;
}

static bool
passes_uids(const struct param_u32s *list, uint32_t value)
{
    return !list_filters(list) || list_has(list, value);
}

static bool
set_passes(const struct param_set *set, unsigned value)
{
    return !set->is_given || set->has_star || (set->bits & (1u << value)) != 0;
}

static bool
dates_pass(const struct param_date *after, const struct param_date *before, int64_t ns)
{
    if (!after->is_bound && !before->is_bound)
        return true;
    return ns != 0 && (!after->is_bound || ns > after->ns) &&
           (!before->is_bound || ns < before->ns);
}

static bool
passes_index_uids(const struct param_strs *list, const struct task *t)
{
    if (!list->is_given || list->has_star)
        return true;
    for (size_t i = 0; i < list->n; i++) {
        if (t->index_uid != NULL && str_is(list->values[i], t->index_uid))
            return true;
        for (uint32_t k = 0; k < t->n_also_indexes; k++) {
            if (str_is(list->values[i], t->also_indexes[k]))
                return true;
        }
    }
    return false;
}

bool
task_filter_matches(const struct task_filter *f, const struct task *t)
{
    return passes_uids(&f->uids, t->uid) && passes_uids(&f->batch_uids, t->batch_uid) &&
           passes_uids(&f->canceled_by, t->canceled_by) && set_passes(&f->types, t->kind) &&
           set_passes(&f->statuses, t->status) && passes_index_uids(&f->index_uids, t) &&
           dates_pass(&f->after_enqueued, &f->before_enqueued, t->enqueued_at_ns) &&
           dates_pass(&f->after_started, &f->before_started, t->started_at_ns) &&
           dates_pass(&f->after_finished, &f->before_finished, t->finished_at_ns);
}

uint32_t
task_filter_global_types(void)
{
    return 1u << KIND_INDEX_SWAP | 1u << KIND_TASK_CANCELATION | 1u << KIND_TASK_DELETION |
           1u << KIND_DUMP_CREATION | 1u << KIND_SNAPSHOT_CREATION | 1u << KIND_EXPORT |
           1u << KIND_UPGRADE_DATABASE | 1u << KIND_NETWORK_TOPOLOGY_CHANGE;
}

static bool
is_global(const struct task *t)
{
    return (task_filter_global_types() & (1u << t->kind)) != 0;
}

bool
task_filter_hides(const struct task_filter *f, const struct task *t)
{
    return f->index_uids.is_given && !f->index_uids.has_star && is_global(t);
}

bool
task_filter_grants(const struct auth_grant *grant, const struct task *t)
{
    if (grant->sees_all_indexes)
        return true;
    if (is_global(t) || t->index_uid == NULL || !auth_grant_sees(grant, str_from(t->index_uid)))
        return false;
    for (uint32_t i = 0; i < t->n_also_indexes; i++) {
        if (!auth_grant_sees(grant, str_from(t->also_indexes[i])))
            return false;
    }
    return true;
}
