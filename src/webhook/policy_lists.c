/* Fields that hold lists: names that become a set of bits, patterns of index uids, delays. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "webhook/field_err.h"
#include "webhook/policy_types.h"

enum { PATTERN_MAX_BYTES = 400, NUMBER_MAX_BYTES = 40 };

void
policy_write_element(struct buf *out, struct str path, size_t at)
{
    buf_add_str(out, path);
    buf_addf(out, "[%zu]", at);
}

/* Reads one element; path is its own. */
typedef int element_fn(struct policy_reader *r, const struct policy_row *row, struct str path,
                       const struct json *v);

static int
each_element(struct policy_reader *r, const struct policy_row *row, const struct json *v,
             element_fn *fn)
{
    struct json_iter it = json_iter(v);
    int rc = 0;
    for (size_t at = 0; rc == 0 && json_next(&it); at++) {
        struct buf path = BUF_INIT;
        policy_write_element(&path, r->path, at);
        rc = fn(r, row, buf_str(&path), it.value);
        buf_done(&path);
    }
    return rc;
}

static int
check_length(struct policy_reader *r, const struct policy_row *row, const struct json *v)
{
    if (json_type(v) != JSON_ARRAY)
        return policy_err_type(r, row, "an array", v);
    if (row->max != 0 && json_length(v) > row->max)
        return field_err_value(r->err, row->code, r->path, "%zu elements, the maximum is %" PRIu64,
                               json_length(v), row->max);
    return 0;
}

/* An empty filter would let nothing through, or everything: it says neither. */
static int
check_filter(struct policy_reader *r, const struct policy_row *row, const struct json *v)
{
    if (check_length(r, row, v) != 0)
        return -1;
    if (json_length(v) == 0)
        return field_err_value(r->err, row->code, r->path,
                               "expected at least one element; `null` removes the filter");
    return 0;
}

/* --- names as bits --------------------------------------------------------------------------- */

static void
write_names(struct json_out *j, uint64_t bits, const char *const *names, size_t n)
{
    json_begin_array(j);
    for (size_t i = 0; i < n; i++) {
        if ((bits >> i & 1) != 0 && names[i] != NULL)
            json_put_cstr(j, names[i]);
    }
    json_end_array(j);
}

/* The position of the name (any case), or n. */
static size_t
find_name(struct str name, const char *const *names, size_t n)
{
    size_t i = 0;
    while (i < n && (names[i] == NULL || !str_equal_nocase(name, str_from(names[i]))))
        i++;
    return i;
}

static int
events_element(struct policy_reader *r, const struct policy_row *row, struct str path,
               const struct json *v)
{
    const char *names[EVENT_TYPES]; /* without the ping: it goes to whom it was asked for */
    size_t n = 0;
    enum event_type type;
    if (json_type(v) != JSON_STRING)
        return field_err_type(r->err, row->code, path, "a string", v);
    for (int i = 0; i < EVENT_TYPES; i++) {
        if (event_type_is_chosen((enum event_type) i))
            names[n++] = event_type_name((enum event_type) i);
    }
    if (!event_type_from_name(json_string(v), &type) || !event_type_is_chosen(type))
        return field_err_choice(r->err, row->code, path, json_string(v), names, n);
    r->change->policy.events |= 1u << type;
    return 0;
}

/* An empty list is a webhook that only gets what is replayed to it. */
static int
events_read(struct policy_reader *r, const struct policy_row *row, const struct json *v)
{
    if (check_length(r, row, v) != 0)
        return -1;
    r->change->policy.events = 0;
    return each_element(r, row, v, events_element);
}

static void
events_write(struct json_out *j, const struct policy_row *row, const struct webhook_policy *p,
             const struct policy_view *view)
{
    const char *names[EVENT_TYPES];
    (void) row;
    (void) view;
    for (int i = 0; i < EVENT_TYPES; i++)
        names[i] = event_type_name((enum event_type) i);
    write_names(j, p->events, names, EVENT_TYPES);
}

static void
events_encode(struct buf *out, const struct policy_row *row, const struct webhook_policy *p)
{
    (void) row;
    rec_put_u32(out, p->events);
}

static void
events_decode(struct rec *r, const struct policy_row *row, struct webhook_policy *p)
{
    (void) row;
    p->events = rec_u32(r);
}

const struct policy_type policy_type_events = {events_read, events_write, events_encode,
                                               events_decode, NULL};

static int
err_unknown_name(struct policy_reader *r, const struct policy_row *row, struct str path,
                 struct str found, const char *rest)
{
    bool is_kind = row->type == &policy_type_kinds;
    struct buf b = BUF_INIT;
    buf_add_cstr(&b, rest);
    field_write_names(&b, is_kind ? r->words->kinds : r->words->statuses,
                      is_kind ? r->words->n_kinds : r->words->n_statuses);
    buf_add_char(&b, '.');
    int rc = field_err_quoting(r->err, row->code, path, found, buf_cstr(&b));
    buf_done(&b);
    return rc;
}

static int
kinds_element(struct policy_reader *r, const struct policy_row *row, struct str path,
              const struct json *v)
{
    if (json_type(v) != JSON_STRING)
        return field_err_type(r->err, row->code, path, "a string", v);
    size_t i = find_name(json_string(v), r->words->kinds, r->words->n_kinds);
    if (i == r->words->n_kinds)
        return err_unknown_name(r, row, path, json_string(v),
                                " is not a valid task type. Available types are ");
    r->change->policy.kinds |= UINT64_C(1) << i;
    return 0;
}

static int
kinds_read(struct policy_reader *r, const struct policy_row *row, const struct json *v)
{
    return check_filter(r, row, v) != 0 ? -1 : each_element(r, row, v, kinds_element);
}

static void
kinds_write(struct json_out *j, const struct policy_row *row, const struct webhook_policy *p,
            const struct policy_view *view)
{
    (void) row;
    write_names(j, p->kinds, view->words->kinds, view->words->n_kinds);
}

static void
kinds_encode(struct buf *out, const struct policy_row *row, const struct webhook_policy *p)
{
    (void) row;
    rec_put_u64(out, p->kinds);
}

static void
kinds_decode(struct rec *r, const struct policy_row *row, struct webhook_policy *p)
{
    (void) row;
    p->kinds = rec_u64(r);
}

const struct policy_type policy_type_kinds = {kinds_read, kinds_write, kinds_encode, kinds_decode,
                                              NULL};

static int
statuses_element(struct policy_reader *r, const struct policy_row *row, struct str path,
                 const struct json *v)
{
    if (json_type(v) != JSON_STRING)
        return field_err_type(r->err, row->code, path, "a string", v);
    size_t i = find_name(json_string(v), r->words->statuses, r->words->n_statuses);
    if (i == r->words->n_statuses)
        return err_unknown_name(r, row, path, json_string(v),
                                " is not the status of a finished task. Available statuses are ");
    r->change->policy.statuses |= (uint8_t) (1u << i);
    return 0;
}

static int
statuses_read(struct policy_reader *r, const struct policy_row *row, const struct json *v)
{
    return check_filter(r, row, v) != 0 ? -1 : each_element(r, row, v, statuses_element);
}

static void
statuses_write(struct json_out *j, const struct policy_row *row, const struct webhook_policy *p,
               const struct policy_view *view)
{
    (void) row;
    write_names(j, p->statuses, view->words->statuses, view->words->n_statuses);
}

static void
statuses_encode(struct buf *out, const struct policy_row *row, const struct webhook_policy *p)
{
    (void) row;
    rec_put_u8(out, p->statuses);
}

static void
statuses_decode(struct rec *r, const struct policy_row *row, struct webhook_policy *p)
{
    (void) row;
    p->statuses = rec_u8(r);
}

const struct policy_type policy_type_statuses = {statuses_read, statuses_write, statuses_encode,
                                                 statuses_decode, NULL};

/* --- patterns of index uids ------------------------------------------------------------------ */

static bool
is_pattern(struct str s)
{
    if (str_ends_with(s, "*"))
        s.len--;
    else if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        bool is_alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_alnum && c != '-' && c != '_')
            return false;
    }
    return s.len <= PATTERN_MAX_BYTES;
}

static int
patterns_element(struct policy_reader *r, const struct policy_row *row, struct str path,
                 const struct json *v)
{
    struct webhook_policy *p = &r->change->policy;
    struct str pattern = json_string(v);
    if (json_type(v) != JSON_STRING)
        return field_err_type(r->err, row->code, path, "a string", v);
    if (!is_pattern(pattern))
        return field_err_quoting(
            r->err, row->code, path, pattern,
            " is not a valid index uid pattern. Index uid patterns can be an integer or a string "
            "containing only alphanumeric characters, hyphens (-), underscores (_), and optionally "
            "end with a star (*).");
    p->index_uids[p->n_index_uids++] = mem_strndup(pattern.data, pattern.len);
    return 0;
}

static int
patterns_read(struct policy_reader *r, const struct policy_row *row, const struct json *v)
{
    if (check_filter(r, row, v) != 0)
        return -1;
    r->change->policy.index_uids = mem_new(json_length(v), sizeof(char *));
    return each_element(r, row, v, patterns_element);
}

static void
patterns_write(struct json_out *j, const struct policy_row *row, const struct webhook_policy *p,
               const struct policy_view *view)
{
    (void) row;
    (void) view;
    json_begin_array(j);
    for (size_t i = 0; i < p->n_index_uids; i++)
        json_put_cstr(j, p->index_uids[i]);
    json_end_array(j);
}

static void
patterns_encode(struct buf *out, const struct policy_row *row, const struct webhook_policy *p)
{
    (void) row;
    rec_put_u32(out, (uint32_t) p->n_index_uids);
    for (size_t i = 0; i < p->n_index_uids; i++)
        rec_put_str(out, str_from(p->index_uids[i]));
}

/* The length of a stored array; 0 and failed when no writer has written it. */
static size_t
read_length(struct rec *r, const struct policy_row *row)
{
    uint32_t n = rec_u32(r);
    r->failed |= n > row->max;
    return r->failed ? 0 : n;
}

static void
patterns_decode(struct rec *r, const struct policy_row *row, struct webhook_policy *p)
{
    size_t n = read_length(r, row);
    p->index_uids = mem_new(n, sizeof(char *));
    while (p->n_index_uids < n) {
        struct str pattern = rec_str(r);
        p->index_uids[p->n_index_uids++] = mem_strndup(pattern.data, pattern.len);
    }
}

static void
patterns_release(const struct policy_row *row, struct webhook_policy *p)
{
    (void) row;
    for (size_t i = 0; i < p->n_index_uids; i++)
        free(p->index_uids[i]);
    free(p->index_uids);
    p->index_uids = NULL;
    p->n_index_uids = 0;
}

const struct policy_type policy_type_patterns = {patterns_read, patterns_write, patterns_encode,
                                                 patterns_decode, patterns_release};

/* --- delays ---------------------------------------------------------------------------------- */

/* Seconds as written, "0.25" too; false unless between 0 and the maximum. */
static bool
read_seconds(struct str number, int64_t *ret_ms)
{
    char text[NUMBER_MAX_BYTES + 1];
    if (number.len > NUMBER_MAX_BYTES)
        return false;
    memcpy(text, number.data, number.len);
    text[number.len] = '\0';
    double seconds = strtod(text, NULL);
    if (!(seconds >= 0 && seconds <= POLICY_RETRY_MAX_S))
        return false;
    *ret_ms = (int64_t) (seconds * 1000 + 0.5);
    return true;
}

static int
delays_element(struct policy_reader *r, const struct policy_row *row, struct str path,
               const struct json *v)
{
    struct webhook_policy *p = &r->change->policy;
    char rest[80];
    if (json_type(v) != JSON_NUMBER)
        return field_err_type(r->err, row->code, path, "a number", v);
    if (read_seconds(json_number(v), &p->retry_ms[p->n_retries])) {
        p->n_retries++;
        return 0;
    }
    (void) snprintf(rest, sizeof(rest), " is not a number of seconds between 0 and %d",
                    POLICY_RETRY_MAX_S);
    return field_err_quoting(r->err, row->code, path, json_number(v), rest);
}

static int
delays_read(struct policy_reader *r, const struct policy_row *row, const struct json *v)
{
    if (check_length(r, row, v) != 0)
        return -1;
    r->change->policy.retry_ms = mem_new(json_length(v), sizeof(int64_t));
    return each_element(r, row, v, delays_element);
}

/* Seconds, with a fraction only where there is one. */
static void
delays_write(struct json_out *j, const struct policy_row *row, const struct webhook_policy *p,
             const struct policy_view *view)
{
    (void) row;
    (void) view;
    json_begin_array(j);
    for (size_t i = 0; i < p->n_retries; i++) {
        if (p->retry_ms[i] % 1000 == 0)
            json_put_i64(j, p->retry_ms[i] / 1000);
        else
            json_put_double(j, (double) p->retry_ms[i] / 1000);
    }
    json_end_array(j);
}

static void
delays_encode(struct buf *out, const struct policy_row *row, const struct webhook_policy *p)
{
    (void) row;
    rec_put_u32(out, (uint32_t) p->n_retries);
    for (size_t i = 0; i < p->n_retries; i++)
        rec_put_i64(out, p->retry_ms[i]);
}

static void
delays_decode(struct rec *r, const struct policy_row *row, struct webhook_policy *p)
{
    size_t n = read_length(r, row);
    p->retry_ms = mem_new(n, sizeof(int64_t));
    while (p->n_retries < n)
        p->retry_ms[p->n_retries++] = rec_i64(r);
}

static void
delays_release(const struct policy_row *row, struct webhook_policy *p)
{
    (void) row;
    free(p->retry_ms);
    p->retry_ms = NULL;
    p->n_retries = 0;
}

const struct policy_type policy_type_delays = {delays_read, delays_write, delays_encode,
                                               delays_decode, delays_release};
