/* Evaluates conditions of lists. Pure functions over JSON; knows nothing of what the objects are.
 */
#include "api/organization_filter.h"

#include <stdlib.h>

#include "base/buf.h"

enum {
    FILTER_DEPTH_MAX = 8,
    FILTER_CONDITIONS_MAX = 100, /* objects and short forms together */
    FILTER_LIST_MAX = 1000,      /* elements of all lists together */
    FILTER_TEXT_MAX_BYTES = 1024,
    NUMBER_TEXT_CAP = 64,
};

enum operator{
    OPERATOR_EQ,
    OPERATOR_NE,
    OPERATOR_GT,
    OPERATOR_GTE,
    OPERATOR_LT,
    OPERATOR_LTE,
    OPERATOR_IN,
    OPERATOR_NIN,
    OPERATOR_CONTAINS,
    OPERATOR_TEXT,
    OPERATOR_STARTS_WITH,
    OPERATOR_ENDS_WITH,
    OPERATOR_EXISTS,
    OPERATOR_IS_NULL,
    OPERATORS
};
static const char *const operator_names[OPERATORS] = {
    [OPERATOR_EQ] = "eq",
    [OPERATOR_NE] = "ne",
    [OPERATOR_GT] = "gt",
    [OPERATOR_GTE] = "gte",
    [OPERATOR_LT] = "lt",
    [OPERATOR_LTE] = "lte",
    [OPERATOR_IN] = "in",
    [OPERATOR_NIN] = "nin",
    [OPERATOR_CONTAINS] = "contains",
    [OPERATOR_TEXT] = "text",
    [OPERATOR_STARTS_WITH] = "starts_with",
    [OPERATOR_ENDS_WITH] = "ends_with",
    [OPERATOR_EXISTS] = "exists",
    [OPERATOR_IS_NULL] = "is_null",
};

static bool
is_group(struct str name)
{
    return str_is(name, "AND") || str_is(name, "OR") || str_is(name, "NOT");
}

static bool
is_condition(const struct json *v)
{
    const struct json *field = json_get_c(v, "field");
    return field != NULL && json_type(field) == JSON_STRING;
}

static enum operator operator_of(const struct json *condition)
{
    const struct json *name = json_get_c(condition, "operator");
    if (name == NULL || json_type(name) == JSON_NULL)
        return OPERATOR_EQ;
    for (int i = 0; i < OPERATORS; i++) {
        if (str_is(json_string(name), operator_names[i]))
            return (enum operator) i;
    }
    return OPERATORS;
}

/* --- checking */

struct checking {
    struct err *err;
    const char *path;
    size_t n_conditions, n_elements;
};

#define TOO_MANY "there are too many conditions, or they are nested too deeply."

static int check(struct checking *c, const struct json *v, unsigned depth);
static int check_group(struct checking *c, const struct json *list, unsigned depth);

static int
refuse(struct checking *c, const char *why)
{
    (void) err_set(c->err, ERR_INVALID_ORGANIZATION_FIELD, "Invalid value at `%s`: %s", c->path,
                   why);
    err_set_path(c->err, c->path);
    return -1;
}

static int
check_operator(struct checking *c, const struct json *v)
{
    struct buf why = BUF_INIT;
    int rc = 0;
    if (operator_of(v) == OPERATORS) {
        buf_addf(&why, "`%.*s` is no operator: expected one of ",
                 STR_ARG(json_string(json_get_c(v, "operator"))));
        for (int i = 0; i < OPERATORS; i++)
            buf_addf(&why, "%s`%s`", i == 0 ? "" : ", ", operator_names[i]);
        buf_add_char(&why, '.');
        rc = refuse(c, buf_cstr(&why));
    }
    buf_done(&why);
    return rc;
}

static bool
is_short(const struct json *v)
{
    return json_type(v) != JSON_STRING || json_string(v).len <= FILTER_TEXT_MAX_BYTES;
}

/* What is compared with is bounded: a list compares it with every task there is. */
static int
check_value(struct checking *c, const struct json *v)
{
    bool is_fine = v == NULL || is_short(v);
    if (v != NULL && json_type(v) == JSON_ARRAY) {
        c->n_elements += json_length(v);
        is_fine = c->n_elements <= FILTER_LIST_MAX;
        for (struct json_iter it = json_iter(v); is_fine && json_next(&it);)
            is_fine = is_short(it.value);
    }
    return is_fine ? 0
                   : refuse(c, "texts have at most 1024 bytes, and lists 1000 elements in all.");
}

static int
check_members(struct checking *c, const struct json *v, unsigned depth)
{
    c->n_conditions += json_length(v) > 1 ? json_length(v) - 1 : 0;
    if (c->n_conditions > FILTER_CONDITIONS_MAX)
        return refuse(c, TOO_MANY);
    for (struct json_iter it = json_iter(v); json_next(&it);) {
        int rc = is_group(it.key) ? check_group(c, it.value, depth) : check_value(c, it.value);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int
check_group(struct checking *c, const struct json *list, unsigned depth)
{
    if (json_type(list) == JSON_NULL)
        return 0;
    if (json_type(list) != JSON_ARRAY)
        return refuse(c, "`AND`, `OR` and `NOT` are arrays of conditions.");
    for (struct json_iter it = json_iter(list); json_next(&it);) {
        if (check(c, it.value, depth + 1) < 0)
            return -1;
    }
    return 0;
}

static int
check(struct checking *c, const struct json *v, unsigned depth)
{
    if (json_type(v) != JSON_OBJECT)
        return refuse(c, "conditions are objects.");
    if (depth > FILTER_DEPTH_MAX || ++c->n_conditions > FILTER_CONDITIONS_MAX)
        return refuse(c, TOO_MANY);
    if (!is_condition(v))
        return check_members(c, v, depth);
    return check_operator(c, v) < 0 ? -1 : check_value(c, json_get_c(v, "value"));
}

int
organization_filter_check(const struct json *filter, const char *path, struct err *err)
{
    struct checking c = {.err = err, .path = path};
    return check(&c, filter, 1);
}

/* --- meeting */

/* "a.b" through objects; NULL: there is none. */
static const struct json *
look_up(const struct json *object, struct str path)
{
    struct str name;
    while (object != NULL && str_split(&path, '.', &name))
        object = json_type(object) == JSON_OBJECT ? json_get(object, name) : NULL;
    return object;
}

static bool
texts_equal(struct str a, struct str b, bool is_exact)
{
    return is_exact ? str_equal(a, b) : str_equal_nocase(a, b);
}

/* As text; numbers as written, so that "7" meets 7. */
static struct str
text_of(const struct json *v)
{
    if (json_type(v) == JSON_STRING)
        return json_string(v);
    if (json_type(v) == JSON_NUMBER)
        return json_number(v);
    if (json_type(v) == JSON_BOOL)
        return json_bool(v) ? STR("true") : STR("false");
    return STR_NULL;
}

static bool
equals(const struct json *found, const struct json *value, bool is_exact)
{
    if (json_type(value) == JSON_NULL || json_type(found) == JSON_NULL)
        return json_type(value) == json_type(found);
    struct str a = text_of(found), b = text_of(value);
    return a.data != NULL && b.data != NULL && texts_equal(a, b, is_exact);
}

/* No names of numbers that are none, no hexadecimal ones: as in JSON. */
static bool
read_number(struct str text, double *ret)
{
    char copy[NUMBER_TEXT_CAP], *end;
    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *ret = strtod(copy, &end);
    return *end == '\0' && strspn(copy, "0123456789+-.eE") == text.len;
}

/* Numbers as numbers, other texts (times) in byte order; false where one has no order. */
static bool
compare(const struct json *found, const struct json *value, int *ret)
{
    double a, b;
    struct str x = text_of(found), y = text_of(value);
    if (read_number(x, &a) && read_number(y, &b))
        *ret = a < b ? -1 : a > b;
    else
        *ret = str_compare(x, y);
    return x.data != NULL && y.data != NULL;
}

static bool
is_in(const struct json *found, const struct json *list, bool is_exact)
{
    if (json_type(list) != JSON_ARRAY)
        return equals(found, list, is_exact);
    for (struct json_iter it = json_iter(list); json_next(&it);) {
        if (equals(found, it.value, is_exact))
            return true;
    }
    return false;
}

static void
add_folded(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        buf_add_char(out, c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c);
    }
}

static bool
has_exactly(struct str text, struct str part)
{
    return part.len == 0 || (text.len > 0 && memmem(text.data, text.len, part.data, part.len));
}

bool
organization_text_has(struct str text, struct str part)
{
    struct buf a = BUF_INIT, b = BUF_INIT;
    if (part.len > text.len)
        return false;
    add_folded(&a, text);
    add_folded(&b, part);
    bool has = has_exactly(buf_str(&a), buf_str(&b));
    buf_done(&a);
    buf_done(&b);
    return has;
}

static bool
has_text(struct str text, struct str part, bool is_exact)
{
    if (text.data == NULL || part.data == NULL)
        return false;
    return is_exact ? has_exactly(text, part) : organization_text_has(text, part);
}

static bool
contains(const struct json *found, const struct json *value, bool is_exact)
{
    if (json_type(found) == JSON_ARRAY) {
        for (struct json_iter it = json_iter(found); json_next(&it);) {
            if (equals(it.value, value, is_exact))
                return true;
        }
        return false;
    }
    return has_text(text_of(found), text_of(value), is_exact);
}

static bool
meets_text(enum operator op, struct str text, struct str part, bool is_exact)
{
    if (text.data == NULL || part.data == NULL || part.len > text.len)
        return false;
    size_t from = op == OPERATOR_STARTS_WITH ? 0 : text.len - part.len;
    return texts_equal(str_slice(text, from, from + part.len), part, is_exact);
}

static bool
meets_value(enum operator op, const struct json *found, const struct json *value, bool is_exact)
{
    int order;
    switch (op) {
    case OPERATOR_EQ:
        return equals(found, value, is_exact);
    case OPERATOR_GT:
        return compare(found, value, &order) && order > 0;
    case OPERATOR_GTE:
        return compare(found, value, &order) && order >= 0;
    case OPERATOR_LT:
        return compare(found, value, &order) && order < 0;
    case OPERATOR_LTE:
        return compare(found, value, &order) && order <= 0;
    case OPERATOR_IN:
        return is_in(found, value, is_exact);
    case OPERATOR_CONTAINS:
    case OPERATOR_TEXT:
        return contains(found, value, is_exact);
    case OPERATOR_STARTS_WITH:
    case OPERATOR_ENDS_WITH:
        return meets_text(op, text_of(found), text_of(value), is_exact);
    case OPERATOR_NE:
    case OPERATOR_NIN:
    case OPERATOR_EXISTS:
    case OPERATOR_IS_NULL:
    case OPERATORS:
        break;
    }
    return false;
}

static bool
meets_condition(const struct json *condition, const struct json *object, bool is_exact)
{
    enum operator op = operator_of(condition);
    const struct json *value = json_get_c(condition, "value");
    const struct json *found = look_up(object, json_string(json_get_c(condition, "field")));
    bool is_there = found != NULL && json_type(found) != JSON_NULL;
    if (op == OPERATOR_EXISTS)
        return is_there == (value == NULL || json_type(value) != JSON_BOOL || json_bool(value));
    if (op == OPERATOR_IS_NULL)
        return is_there != (value == NULL || json_type(value) != JSON_BOOL || json_bool(value));
    if (op == OPERATOR_NE)
        return value == NULL ? is_there : !is_there || !equals(found, value, is_exact);
    if (op == OPERATOR_NIN)
        return value == NULL || !is_there || !is_in(found, value, is_exact);
    if (value == NULL || json_type(value) == JSON_NULL)
        return op == OPERATOR_EQ && !is_there;
    return is_there && meets_value(op, found, value, is_exact);
}

static bool meets(const struct json *v, const struct json *object, bool is_exact);

static bool
meets_group(struct str name, const struct json *list, const struct json *object, bool is_exact)
{
    bool is_or = str_is(name, "OR"), is_not = str_is(name, "NOT"), is_any = false;
    if (json_type(list) != JSON_ARRAY || json_length(list) == 0)
        return true;
    for (struct json_iter it = json_iter(list); json_next(&it);) {
        bool is_met = meets(it.value, object, is_exact);
        is_any = is_any || is_met;
        if (!is_or && is_met == is_not)
            return false;
    }
    return !is_or || is_any;
}

static bool
meets(const struct json *v, const struct json *object, bool is_exact)
{
    const struct json *exact = json_get_c(v, "case_sensitive");
    if (exact != NULL && json_type(exact) == JSON_BOOL)
        is_exact = json_bool(exact);
    if (is_condition(v))
        return meets_condition(v, object, is_exact);
    for (struct json_iter it = json_iter(v); json_next(&it);) {
        if (str_is(it.key, "case_sensitive"))
            continue;
        if (is_group(it.key)) {
            if (!meets_group(it.key, it.value, object, is_exact))
                return false;
            continue;
        }
        const struct json *found = look_up(object, it.key);
        if (found == NULL ? json_type(it.value) != JSON_NULL : !equals(found, it.value, is_exact))
            return false;
    }
    return true;
}

bool
organization_filter_meets(const struct json *filter, const struct json *object)
{
    return meets(filter, object, false);
}
