/* Definitions: reading, checking, the built-in ones. Pure: touches no store. */
#include "report/definition.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/suggest.h"
#include "index/catalog.h"
#include "index/filter.h"
#include "index/filter_rules.h"
#include "index/sort.h"

static const char *const source_names[REPORT_SOURCES] = {
    [REPORT_OF_DOCUMENTS] = "documents",
    [REPORT_OF_TASKS] = "tasks",
    [REPORT_OF_DELIVERIES] = "deliveries",
};
static const char *const function_names[REPORT_FUNCTIONS] = {
    [REPORT_COUNT] = "count", [REPORT_SUM] = "sum", [REPORT_MIN] = "min",
    [REPORT_MAX] = "max",     [REPORT_AVG] = "avg",
};

static const struct built_in {
    const char *name, *definition;
} built_ins[] = {
    {"documents", "{\"source\":\"documents\",\"title\":\"Documents\"}"},
    {"tasks", "{\"source\":\"tasks\",\"title\":\"Activity of the queue\",\"fields\":[\"uid\","
              "\"batchUid\",\"indexUid\",\"type\",\"status\",\"enqueuedAt\",\"startedAt\","
              "\"finishedAt\",\"duration\",\"error.code\"]}"},
    {"deliveries",
     "{\"source\":\"deliveries\",\"title\":\"Health of the webhooks\",\"groupBy\":[\"webhookUuid\","
     "\"state\"],\"aggregates\":[{\"function\":\"count\",\"as\":\"deliveries\"},{\"function\":"
     "\"sum\",\"field\":\"attemptCount\",\"as\":\"attempts\"},{\"function\":\"avg\",\"field\":"
     "\"attemptCount\",\"as\":\"attemptsEach\"},{\"function\":\"min\",\"field\":\"createdAt\","
     "\"as\":\"oldest\"},{\"function\":\"max\",\"field\":\"createdAt\",\"as\":\"newest\"}]}"},
};
enum { BUILT_INS = sizeof(built_ins) / sizeof(built_ins[0]) };

const char *
report_built_in(struct str name)
{
    for (size_t i = 0; i < BUILT_INS; i++) {
        if (str_is(name, built_ins[i].name))
            return built_ins[i].definition;
    }
    return NULL;
}

const char *
report_built_in_name(size_t i)
{
    return i < BUILT_INS ? built_ins[i].name : NULL;
}

const char *
report_source_name(enum report_source s)
{
    return source_names[s];
}

bool
report_name_is_valid(struct str name)
{
    if (name.len == 0 || name.len > REPORT_NAME_MAX_BYTES || name.data[0] == '.')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        bool is_alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_alnum && c != '_' && c != '-' && c != '.')
            return false;
    }
    return true;
}

bool
report_is_grouped(const struct report_definition *d)
{
    return d->n_group_by > 0 || d->n_aggregates > 0;
}

static void
free_texts(char **texts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(texts[i]);
    free(texts);
}

void
report_definition_done(struct report_definition *d)
{
    free(d->index_uid);
    free(d->title);
    free(d->filter);
    free_texts(d->sort, d->n_sort);
    free_texts(d->fields, d->n_fields);
    free_texts(d->group_by, d->n_group_by);
    for (size_t i = 0; i < d->n_aggregates; i++) {
        free(d->aggregates[i].field);
        free(d->aggregates[i].as);
    }
    free(d->aggregates);
    *d = (struct report_definition){0};
}

/* --- readers --------------------------------------------------------------------------------- */

/* A member being read. */
struct input {
    const char *path;
    const struct json *value;
    struct err *err;
};

static int
refuse(const struct input *in, const char *expected)
{
    struct buf found = BUF_INIT;
    json_write(&found, in->value);
    if (found.len > 200)
        found.len = 200;
    found.len = str_utf8_prefix(buf_str(&found));
    (void) err_set(in->err, ERR_INVALID_REPORT_DEFINITION,
                   "Invalid value at `%s`: expected %s, but found `%.*s`.", in->path, expected,
                   STR_ARG(buf_str(&found)));
    err_set_path(in->err, in->path);
    buf_done(&found);
    return -1;
}

static int
read_text(const struct input *in, char **ret, size_t max)
{
    struct str text = json_string(in->value);
    char expected[80];
    (void) snprintf(expected, sizeof(expected), "a text of 1 to %zu bytes without NUL", max);
    if (json_type(in->value) != JSON_STRING || text.len == 0 || text.len > max ||
        memchr(text.data, '\0', text.len) != NULL)
        return refuse(in, expected);
    free(*ret);
    *ret = mem_strndup(text.data, text.len);
    return 0;
}

static int
read_texts(const struct input *in, char ***ret, size_t *ret_n)
{
    char expected[80], path[200];
    size_t n = json_type(in->value) == JSON_ARRAY ? json_length(in->value) : 0;
    (void) snprintf(expected, sizeof(expected), "an array of 1 to %d texts", REPORT_FIELDS_MAX);
    if (n == 0 || n > REPORT_FIELDS_MAX)
        return refuse(in, expected);
    free_texts(*ret, *ret_n);
    *ret = mem_new(n, sizeof(char *));
    *ret_n = 0;
    for (struct json_iter it = json_iter(in->value); json_next(&it);) {
        (void) snprintf(path, sizeof(path), "%s[%zu]", in->path, *ret_n);
        struct input element = {path, it.value, in->err};
        (*ret)[*ret_n] = NULL;
        if (read_text(&element, &(*ret)[*ret_n], REPORT_FIELD_MAX_BYTES) < 0)
            return -1;
        ++*ret_n;
    }
    return 0;
}

typedef int member_reader(const struct input *in, struct report_definition *d);

static int
read_source(const struct input *in, struct report_definition *d)
{
    for (int i = 0; i < REPORT_SOURCES; i++) {
        if (str_is(json_string(in->value), source_names[i])) {
            d->source = (enum report_source) i;
            return 0;
        }
    }
    return refuse(in, "`documents`, `tasks` or `deliveries`");
}

static int
read_index(const struct input *in, struct report_definition *d)
{
    if (json_type(in->value) != JSON_STRING || !index_uid_is_valid(json_string(in->value)))
        return refuse(in, "the uid of an index");
    return read_text(in, &d->index_uid, INDEX_UID_MAX_BYTES);
}

static int
read_title(const struct input *in, struct report_definition *d)
{
    return read_text(in, &d->title, REPORT_TITLE_MAX_BYTES);
}

static int
read_filter(const struct input *in, struct report_definition *d)
{
    struct filter *filter = NULL;
    struct buf text = BUF_INIT;
    struct filter_rules *all = filter_rules_new(REPORT_FILTERABLE);
    int rc = filter_parse(in->value, ERR_INVALID_REPORT_FILTER, &filter, in->err);
    if (rc > 0 &&
        filter_check_features(filter, FILTER_CONTAINS, ERR_INVALID_REPORT_FILTER, in->err) == 0)
        rc = filter_check(filter, all, ERR_INVALID_REPORT_FILTER, in->err);
    else if (rc > 0)
        rc = -1;
    filter_free(filter);
    filter_rules_free(all);
    if (rc < 0) {
        err_set_path(in->err, in->path);
        return -1;
    }
    json_write(&text, in->value);
    free(d->filter);
    d->filter = buf_take(&text);
    return 0;
}

static int
read_sort(const struct input *in, struct report_definition *d)
{
    struct str rules[REPORT_FIELDS_MAX];
    if (read_texts(in, &d->sort, &d->n_sort) < 0)
        return -1;
    for (size_t i = 0; i < d->n_sort; i++)
        rules[i] = str_from(d->sort[i]);
    struct sort *sort = sort_parse(rules, d->n_sort, in->err);
    if (sort == NULL) {
        in->err->code = ERR_INVALID_REPORT_SORT;
        err_set_path(in->err, in->path);
        return -1;
    }
    sort_free(sort);
    return 0;
}

static int
read_fields(const struct input *in, struct report_definition *d)
{
    return read_texts(in, &d->fields, &d->n_fields);
}

static int
read_group_by(const struct input *in, struct report_definition *d)
{
    return read_texts(in, &d->group_by, &d->n_group_by);
}

static int
read_limit(const struct input *in, struct report_definition *d)
{
    if (!json_to_u64(in->value, &d->limit) || d->limit == 0)
        return refuse(in, "a number of rows above 0");
    return 0;
}

static int
read_function(const struct input *in, struct report_aggregate *a)
{
    for (int i = 0; i < REPORT_FUNCTIONS; i++) {
        if (str_is(json_string(in->value), function_names[i])) {
            a->function = (enum report_function) i;
            return 0;
        }
    }
    return refuse(in, "`count`, `sum`, `min`, `max` or `avg`");
}

static void
name_aggregate(struct report_aggregate *a)
{
    struct buf name = BUF_INIT;
    if (a->as != NULL)
        return;
    buf_add_cstr(&name, function_names[a->function]);
    if (a->field != NULL)
        buf_addf(&name, "_%s", a->field);
    a->as = buf_take(&name);
}

static int
read_aggregate(const struct input *in, struct report_aggregate *a)
{
    bool has_function = false;
    char path[300];
    if (json_type(in->value) != JSON_OBJECT)
        return refuse(in, "an object");
    for (struct json_iter it = json_iter(in->value); json_next(&it);) {
        struct str shown = str_slice(it.key, 0, 50);
        (void) snprintf(path, sizeof(path), "%.200s.%.*s", in->path, STR_ARG(shown));
        struct input member = {path, it.value, in->err};
        int rc;
        if (str_is(it.key, "function")) {
            rc = read_function(&member, a);
            has_function = true;
        } else if (str_is(it.key, "field")) {
            rc = read_text(&member, &a->field, REPORT_FIELD_MAX_BYTES);
        } else if (str_is(it.key, "as")) {
            rc = read_text(&member, &a->as, REPORT_FIELD_MAX_BYTES);
        } else {
            return refuse(in, "an object with `function`, `field` and `as`");
        }
        if (rc < 0)
            return -1;
    }
    if (!has_function || (a->field == NULL && a->function != REPORT_COUNT))
        return refuse(in, "a `function` and, unless that is `count`, a `field`");
    name_aggregate(a);
    return 0;
}

static int
read_aggregates(const struct input *in, struct report_definition *d)
{
    char path[200];
    size_t n = json_type(in->value) == JSON_ARRAY ? json_length(in->value) : 0;
    if (n == 0 || n > REPORT_FIELDS_MAX)
        return refuse(in, "an array of 1 to 200 objects");
    d->aggregates = mem_new(n, sizeof(*d->aggregates));
    for (struct json_iter it = json_iter(in->value); json_next(&it);) {
        (void) snprintf(path, sizeof(path), "%s[%zu]", in->path, d->n_aggregates);
        struct input element = {path, it.value, in->err};
        if (read_aggregate(&element, &d->aggregates[d->n_aggregates++]) < 0)
            return -1;
    }
    return 0;
}

static const struct member {
    const char *name;
    member_reader *read;
} members[] = {
    {"source", read_source}, {"index", read_index},           {"filter", read_filter},
    {"sort", read_sort},     {"fields", read_fields},         {"groupBy", read_group_by},
    {"limit", read_limit},   {"aggregates", read_aggregates}, {"title", read_title},
};
enum { MEMBERS = sizeof(members) / sizeof(members[0]) };

/* --- a whole one ----------------------------------------------------------------------------- */

static int
refuse_member(const char *at, struct str name, struct err *err)
{
    const char *names[MEMBERS];
    struct buf message = BUF_INIT;
    for (size_t i = 0; i < MEMBERS; i++)
        names[i] = members[i].name;
    buf_addf(&message, "Unknown field `%.*s`", STR_ARG(name));
    if (at[0] != '\0')
        buf_addf(&message, " inside `%s`", at);
    const char *near = suggest_name(name, names, MEMBERS);
    buf_add_cstr(&message, ": ");
    if (near != NULL)
        buf_addf(&message, "did you mean `%s`? ", near);
    buf_add_cstr(&message, "expected one of ");
    for (size_t i = 0; i < MEMBERS; i++)
        buf_addf(&message, "%s`%s`", i == 0 ? "" : ", ", names[i]);
    (void) err_set_str(err, ERR_INVALID_REPORT_DEFINITION, buf_str(&message));
    buf_done(&message);
    return -1;
}

static int
read_member(const struct json_iter *it, const char *at, struct report_definition *d,
            struct err *err)
{
    char path[100];
    for (size_t i = 0; i < MEMBERS; i++) {
        if (!str_is(it->key, members[i].name))
            continue;
        (void) snprintf(path, sizeof(path), "%s.%s", at, members[i].name);
        struct input in = {path, it->value, err};
        return json_type(it->value) == JSON_NULL ? 0 : members[i].read(&in, d);
    }
    return refuse_member(at, it->key, err);
}

/* Two columns of one name would hide one another. */
static int
check_names(const struct report_definition *d, struct err *err)
{
    for (size_t i = 0; i < d->n_aggregates; i++) {
        bool is_taken = false;
        for (size_t k = 0; k < i; k++)
            is_taken = is_taken || strcmp(d->aggregates[i].as, d->aggregates[k].as) == 0;
        for (size_t k = 0; k < d->n_group_by; k++)
            is_taken = is_taken || strcmp(d->aggregates[i].as, d->group_by[k]) == 0;
        if (is_taken)
            return err_set(err, ERR_INVALID_REPORT_DEFINITION,
                           "Two columns are named `%s`: give one of them another name with `as`.",
                           d->aggregates[i].as);
    }
    return 0;
}

static int
check_whole(const struct report_definition *d, struct err *err)
{
    if (report_is_grouped(d) && d->n_fields > 0)
        return err_set(err, ERR_INVALID_REPORT_DEFINITION,
                       "`fields` cannot be combined with `groupBy` or `aggregates`: their columns "
                       "are the report's.");
    if (d->source != REPORT_OF_DOCUMENTS && d->index_uid != NULL)
        return err_set(err, ERR_INVALID_REPORT_DEFINITION,
                       "`index` is only for reports of documents.");
    return check_names(d, err);
}

int
report_definition_read(const struct json *body, const char *at, struct report_definition *ret,
                       struct err *err)
{
    *ret = (struct report_definition){0};
    if (json_type(body) != JSON_OBJECT) {
        struct input in = {at, body, err};
        return refuse(&in, "an object");
    }
    for (struct json_iter it = json_iter(body); json_next(&it);) {
        if (read_member(&it, at, ret, err) < 0) {
            report_definition_done(ret);
            return -1;
        }
    }
    if (check_whole(ret, err) == 0)
        return 0;
    report_definition_done(ret);
    return -1;
}

static void
put_member(struct json_out *j, const struct json_iter *it)
{
    if (json_type(it->value) == JSON_NULL)
        return;
    json_key_str(j, it->key);
    json_write(j->out, it->value);
    j->comma = true;
}

void
report_definition_overlay(struct buf *out, const struct json *base, const struct json *changes)
{
    struct json_out j = json_out(out);
    json_begin_object(&j);
    for (struct json_iter it = json_iter(base); json_next(&it);) {
        if (changes == NULL || json_get(changes, it.key) == NULL)
            put_member(&j, &it);
    }
    if (changes != NULL) {
        for (struct json_iter it = json_iter(changes); json_next(&it);)
            put_member(&j, &it);
    }
    json_end_object(&j);
}
