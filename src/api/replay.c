/* POST /webhooks/{webhookUuid}/replay: what is to be sent once more. The replay itself is a task
 * (ops/replay.h). */
#include "ops/replay.h"

#include <stdlib.h>

#include "api/body.h"
#include "api/enqueue.h"
#include "api/fields.h"
#include "api/task_filter.h"
#include "base/clock.h"
#include "webhook/deliveries.h"

enum { REPLAY_INDEX_UIDS_MAX = 100 };

struct filter_fields {
    uint32_t states;
    uint64_t kinds, statuses;
    struct field_strings index_uids;
};
struct replay_fields {
    int64_t since_ns, until_ns;
    struct filter_fields filter;
};

/* --- readers */

static int
field_date(const struct field_in *in, void *dst)
{
    struct str text = json_string(in->value);
    if (date_from_text(text, dst))
        return 0;
    return field_invalid(in,
                         "`%.*s` is an invalid date-time. It should follow the YYYY-MM-DD or RFC "
                         "3339 date-time format.",
                         STR_ARG(text));
}

/* What is said of the element i of the list that is being read. */
static struct field_in
element_of(const struct field_in *in, size_t i)
{
    struct field_in element = *in;
    element.path = arena_printf(in->arena, "%s[%zu]", in->path, i);
    return element;
}

/* An empty list would mean nothing, or everything: it says neither. */
static int
filter_strings(const struct field_in *in, struct field_strings *ret)
{
    if (field_strings(in, ret) < 0)
        return -1;
    return ret->n > 0 ? 0 : field_invalid(in, "expected at least one element.");
}

static int
err_state(const struct field_in *in, size_t i, struct str name)
{
    struct field_in element = element_of(in, i);
    struct buf all = BUF_INIT;
    delivery_states_write(&all);
    int rc =
        field_invalid(&element, "`%.*s` is not a valid delivery state. Available states are %s.",
                      STR_ARG(name), buf_cstr(&all));
    buf_done(&all);
    return rc;
}

static int
field_states(const struct field_in *in, void *dst)
{
    struct field_strings names = {0};
    uint32_t *ret = dst;
    if (filter_strings(in, &names) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        uint32_t bit;
        if (delivery_state_bit(names.values[i], &bit)) {
            *ret |= bit;
            continue;
        }
        return err_state(in, i, names.values[i]);
    }
    return 0;
}

static int
field_kinds(const struct field_in *in, void *dst)
{
    struct field_strings names = {0};
    uint64_t *ret = dst;
    if (filter_strings(in, &names) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        enum task_kind kind;
        if (task_kind_from_name(names.values[i], &kind)) {
            *ret |= UINT64_C(1) << kind;
            continue;
        }
        struct field_in element = element_of(in, i);
        return field_invalid(&element, "`%.*s` is not a valid task type.",
                             STR_ARG(names.values[i]));
    }
    return 0;
}

static int
field_statuses(const struct field_in *in, void *dst)
{
    struct field_strings names = {0};
    uint64_t *ret = dst;
    if (filter_strings(in, &names) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        enum task_status status;
        if (task_status_from_name(names.values[i], &status) && status != TASK_ENQUEUED &&
            status != TASK_PROCESSING) {
            *ret |= UINT64_C(1) << status;
            continue;
        }
        struct field_in element = element_of(in, i);
        return field_invalid(&element,
                             "`%.*s` is not the status of a finished task: expected `succeeded`, "
                             "`failed` or `canceled`.",
                             STR_ARG(names.values[i]));
    }
    return 0;
}

/* An index uid, the beginning of one with `*` behind it, or `*`. */
static bool
is_pattern(struct str s)
{
    if (str_ends_with(s, "*"))
        s = str_slice(s, 0, s.len - 1);
    else if (s.len == 0)
        return false;
    return s.len == 0 || index_uid_is_valid(s);
}

static int
field_patterns(const struct field_in *in, void *dst)
{
    struct field_strings *ret = dst;
    if (filter_strings(in, dst) < 0)
        return -1;
    if (ret->n > REPLAY_INDEX_UIDS_MAX)
        return field_invalid(in, "at most %d index uids are accepted.", REPLAY_INDEX_UIDS_MAX);
    for (size_t i = 0; i < ret->n; i++) {
        if (is_pattern(ret->values[i]))
            continue;
        struct field_in element = element_of(in, i);
        return field_invalid(&element, "`%.*s` is not a valid index uid pattern.",
                             STR_ARG(ret->values[i]));
    }
    return 0;
}

#define FILTER_ROW(field_name, reader, member)                                                     \
    {                                                                                              \
        .name = (field_name), .code = ERR_INVALID_REPLAY_FILTER, .kinds = FIELD_ARRAY,             \
        .read = (reader), .offset = offsetof(struct filter_fields, member)                         \
    }
static const struct field filter_rows[] = {
    FILTER_ROW("states", field_states, states),
    FILTER_ROW("indexUids", field_patterns, index_uids),
    FILTER_ROW("types", field_kinds, kinds),
    FILTER_ROW("statuses", field_statuses, statuses),
};
static const struct fields filter_fields = {.rows = filter_rows,
                                            .n = sizeof(filter_rows) / sizeof(filter_rows[0]),
                                            .code = ERR_INVALID_REPLAY_FILTER};

static int
field_filter(const struct field_in *in, void *dst)
{
    return fields_read(in->arena, in->value, in->path, &filter_fields, dst, in->err);
}

static const struct field replay_rows[] = {
    {.name = "since",
     .code = ERR_INVALID_REPLAY_SINCE,
     .kinds = FIELD_STRING,
     .no_null = true,
     .missing = ERR_MISSING_REPLAY_SINCE,
     .read = field_date,
     .offset = offsetof(struct replay_fields, since_ns)},
    {.name = "until",
     .code = ERR_INVALID_REPLAY_UNTIL,
     .kinds = FIELD_STRING,
     .read = field_date,
     .offset = offsetof(struct replay_fields, until_ns)},
    {.name = "filter",
     .code = ERR_INVALID_REPLAY_FILTER,
     .kinds = FIELD_OBJECT,
     .read = field_filter,
     .offset = offsetof(struct replay_fields, filter)},
};
static const struct fields replay_fields = FIELDS_OF(replay_rows);

/* --- POST */

static char **
copy_texts(struct arena *arena, const struct field_strings *list)
{
    char **texts = arena_alloc(arena, (list->n + 1) * sizeof(*texts));
    for (size_t i = 0; i < list->n; i++)
        texts[i] = arena_printf(arena, "%.*s", STR_ARG(list->values[i]));
    return texts;
}

static int
read_request(struct http_call *call, const struct json *body, struct replay_request *ret)
{
    struct replay_fields f = {.until_ns = clock_wall_ns()};
    if (webhook_uuid_from_text(handler_api(call)->webhooks, handler_param(call, 0), &ret->webhook,
                               &call->err) < 0 ||
        fields_read(call->arena, body, "", &replay_fields, &f, &call->err) < 0)
        return -1;
    if (f.until_ns <= f.since_ns)
        return err_set(&call->err, ERR_INVALID_REPLAY_UNTIL,
                       "Invalid value at `.until`: it must be after `.since`.");
    ret->since_ns = f.since_ns;
    ret->until_ns = f.until_ns;
    ret->states = f.filter.states;
    ret->kinds = f.filter.kinds;
    ret->statuses = (uint8_t) f.filter.statuses;
    ret->index_uids = copy_texts(call->arena, &f.filter.index_uids);
    ret->n_index_uids = f.filter.index_uids.n;
    return 0;
}

static int
add_replay(struct http_call *call, void *arg, struct ops_result *ret)
{
    return replays_add(handler_api(call)->replays, arg, ret, &call->err);
}

static enum http_result
replay(struct http_call *call)
{
    struct body body;
    struct replay_request request = {0};
    enum http_result result = HTTP_ERROR;
    if (body_read_json(call, &body) == 0 && read_request(call, json_root(body.doc), &request) == 0)
        result = enqueue_now(call, 202, buf_str(&body.raw), add_replay, &request);
    body_done(&body);
    return result;
}

static const struct route rows[] = {
    {.method = HTTP_POST,
     .pattern = "/webhooks/{webhookUuid}/replay",
     .action = "webhooks.update",
     .flags = ROUTE_JSON_BODY | ROUTE_ENQUEUES,
     .handler = replay,
     .body = &replay_fields,
     .summary = "Send kept events to a webhook once more"},
};
const struct route_table replay_routes = ROUTE_TABLE(rows);
