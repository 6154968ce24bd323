/* The grammar of filters:
 *
 *   or = and ("OR" and)*    and = not ("AND" not)*    not = "NOT" not | primary
 *   primary = "(" or ")" | geo | value condition
 *
 * A way that does not match gives FILTER_NO and the next one is tried; where upstream commits
 * itself the result is FILTER_FAILED. Everything lives in the filter's arena. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/unicode.h"
#include "index/filter_internal.h"

static enum filter_result parse_or(struct filter_parser *p, size_t *at, unsigned depth,
                                   struct filter_node **ret);

struct filter_node *
filter_node_new(struct arena *a, enum filter_op op)
{
    struct filter_node *node = arena_alloc(a, sizeof(*node));
    node->op = op;
    return node;
}

void
filter_node_add(struct filter_node *parent, struct filter_node *child)
{
    child->next = NULL;
    child->prev = parent->last_child;
    if (parent->child == NULL)
        parent->child = child;
    else
        parent->last_child->next = child;
    parent->last_child = child;
}

struct filter_node *
filter_negate(struct filter_parser *p, struct filter_node *node)
{
    if (node->op == FILTER_NOT)
        return node->child;
    struct filter_node *not = filter_node_new(p->arena, FILTER_NOT);
    filter_node_add(not, node);
    return not ;
}

static void
set_value(struct filter_parser *p, struct filter_value *v, const struct filter_token *token)
{
    struct buf folded = BUF_INIT;
    v->token = *token;
    unicode_fold(&folded, str_trim(token->value));
    v->folded = arena_copy(p->arena, buf_str(&folded));
    v->has_number = filter_number(token->value, &v->number);
    buf_done(&folded);
}

static struct filter_node *
node_of(struct filter_parser *p, enum filter_op op, const struct filter_token *attribute,
        size_t n_values)
{
    struct filter_node *node = filter_node_new(p->arena, op);
    node->attribute = *attribute;
    node->n_values = n_values;
    if (n_values > 0)
        node->values = arena_alloc(p->arena, n_values * sizeof(*node->values));
    return node;
}

/* --- IN */

struct token_list {
    struct filter_token *items;
    size_t n, cap;
};

static void
add_token(struct token_list *list, const struct filter_token *token)
{
    if (list->n == list->cap) {
        list->cap = list->cap == 0 ? 16 : list->cap * 2;
        list->items = mem_grow(list->items, list->cap, sizeof(*list->items));
    }
    list->items[list->n++] = *token;
}

/* value, value, ... with an optional comma behind: FILTER_OK also for none, or FILTER_FAILED. */
static enum filter_result
read_list(struct filter_parser *p, size_t *at, struct token_list *list)
{
    struct filter_token token;
    size_t end = *at;
    enum filter_result result = filter_read_value(p, &end, &token);
    while (result == FILTER_OK) {
        add_token(list, &token);
        *at = end;
        end = filter_skip_blanks(p, end);
        if (!filter_has(p, end, ","))
            return FILTER_OK;
        end = filter_skip_blanks(p, end + 1);
        size_t behind_comma = end;
        result = filter_read_value(p, &end, &token);
        if (result == FILTER_NO)
            *at = behind_comma;
    }
    return result == FILTER_NO ? FILTER_OK : result;
}

static int
compare_values(const void *a, const void *b)
{
    return str_compare(((const struct filter_value *) a)->folded,
                       ((const struct filter_value *) b)->folded);
}

static int
compare_numbers(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

static struct filter_node *
node_of_list(struct filter_parser *p, const struct filter_token *attribute,
             const struct token_list *list)
{
    struct filter_node *node = node_of(p, FILTER_IN, attribute, list->n);
    for (size_t i = 0; i < list->n; i++)
        set_value(p, &node->values[i], &list->items[i]);
    if (list->n == 0)
        return node;
    qsort(node->values, list->n, sizeof(*node->values), compare_values);
    node->sorted = arena_alloc(p->arena, list->n * sizeof(*node->sorted));
    for (size_t i = 0; i < list->n; i++)
        if (node->values[i].has_number)
            node->sorted[node->n_sorted++] = node->values[i].number;
    qsort(node->sorted, node->n_sorted, sizeof(*node->sorted), compare_numbers);
    return node;
}

/* at: behind IN. */
static enum filter_result
read_in(struct filter_parser *p, size_t *at, const struct filter_token *attribute,
        struct filter_node **ret)
{
    struct token_list list = {0};
    size_t end = filter_skip_blanks(p, *at);
    if (!filter_has(p, end, "["))
        return filter_fail(p, filter_rest(p, end), "Expected `[` after `IN` keyword.");
    end++;
    enum filter_result result = read_list(p, &end, &list);
    size_t close = filter_skip_blanks(p, end);
    if (result == FILTER_OK && !filter_has(p, close, "]"))
        result = end == p->source.len
                     ? filter_fail(p, filter_rest(p, end),
                                   "Expected matching `]` after the list of field names given to "
                                   "`IN[`")
                     : filter_fail(p, filter_rest(p, end),
                                   "Expected only comma-separated field names inside `IN[..]` but "
                                   "instead found `%s`.",
                                   filter_shown(p, filter_rest(p, end)));
    if (result == FILTER_OK) {
        *ret = node_of_list(p, attribute, &list);
        *at = filter_skip_blanks(p, close + 1);
    }
    free(list.items);
    return result;
}

/* attribute IN, attribute NOT IN; at: behind the attribute. */
static enum filter_result
try_in(struct filter_parser *p, size_t *at, const struct filter_token *attribute,
       struct filter_node **ret)
{
    size_t end = filter_skip_blanks(p, *at);
    bool is_not = filter_is_word(p, end, "NOT");
    if (is_not)
        end = filter_skip_blanks(p, end + 3);
    if (!filter_is_word(p, end, "IN"))
        return FILTER_NO;
    *at = end + 2;
    enum filter_result result = read_in(p, at, attribute, ret);
    if (result == FILTER_OK && is_not)
        *ret = filter_negate(p, *ret);
    return result;
}

/* --- = != > >= < <= */

static enum filter_result
try_comparison(struct filter_parser *p, size_t *at, const struct filter_token *attribute,
               struct filter_node **ret)
{
    static const struct {
        const char *sign;
        enum filter_op op;
    } rows[] = {
        {"<=", FILTER_LOWER_EQUAL}, {">=", FILTER_GREATER_EQUAL}, {"!=", FILTER_NOT_EQUAL},
        {"<", FILTER_LOWER},        {">", FILTER_GREATER},        {"=", FILTER_EQUAL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct filter_token value;
        if (!filter_has(p, *at, rows[i].sign))
            continue;
        *at += strlen(rows[i].sign);
        enum filter_result result = filter_need_value(p, at, &value);
        if (result != FILTER_OK)
            return result;
        *ret = node_of(p, rows[i].op, attribute, 1);
        set_value(p, &(*ret)->values[0], &value);
        return FILTER_OK;
    }
    return FILTER_NO;
}

/* --- words behind an attribute */

bool
filter_skip_words(const struct filter_parser *p, size_t *at, const char *words)
{
    struct str rest = str_from(words), word;
    size_t end = *at;
    bool is_first = true;
    while (str_split(&rest, ' ', &word)) {
        size_t from = is_first ? end : filter_skip_blanks(p, end);
        if ((!is_first && from == end) ||
            !str_equal(str_slice(p->source, from, from + word.len), word))
            return false;
        end = from + word.len;
        is_first = false;
    }
    *at = end;
    return true;
}

struct state_row {
    const char *words;
    enum filter_op op;
    bool is_not;
};

static enum filter_result
try_rows(struct filter_parser *p, size_t *at, const struct filter_token *attribute,
         const struct state_row *rows, struct filter_node **ret)
{
    for (const struct state_row *row = rows; row->words != NULL; row++) {
        if (!filter_skip_words(p, at, row->words))
            continue;
        *ret = node_of(p, row->op, attribute, 0);
        if (row->is_not)
            *ret = filter_negate(p, *ret);
        return FILTER_OK;
    }
    return FILTER_NO;
}

static enum filter_result
try_is(struct filter_parser *p, size_t *at, const struct filter_token *attribute,
       struct filter_node **ret)
{
    static const struct state_row rows[] = {
        {"IS NULL", FILTER_IS_NULL, false},   {"IS NOT NULL", FILTER_IS_NULL, true},
        {"IS EMPTY", FILTER_IS_EMPTY, false}, {"IS NOT EMPTY", FILTER_IS_EMPTY, true},
        {NULL, FILTER_EXISTS, false},
    };
    return try_rows(p, at, attribute, rows, ret);
}

static enum filter_result
try_exists(struct filter_parser *p, size_t *at, const struct filter_token *attribute,
           struct filter_node **ret)
{
    static const struct state_row rows[] = {
        {"EXISTS", FILTER_EXISTS, false},
        {"NOT EXISTS", FILTER_EXISTS, true},
        {NULL, FILTER_EXISTS, false},
    };
    return try_rows(p, at, attribute, rows, ret);
}

/* attribute from TO to */
static enum filter_result
try_between(struct filter_parser *p, size_t *at, const struct filter_token *attribute,
            struct filter_node **ret)
{
    struct filter_token from, to;
    size_t end = *at;
    enum filter_result result = filter_read_value(p, &end, &from);
    if (result != FILTER_OK)
        return result;
    if (!filter_has(p, end, "TO") || filter_skip_blanks(p, end + 2) == end + 2)
        return FILTER_NO;
    *at = filter_skip_blanks(p, end + 2);
    result = filter_need_value(p, at, &to);
    if (result != FILTER_OK)
        return result;
    *ret = node_of(p, FILTER_BETWEEN, attribute, 2);
    set_value(p, &(*ret)->values[0], &from);
    set_value(p, &(*ret)->values[1], &to);
    return FILTER_OK;
}

static enum filter_result
try_part(struct filter_parser *p, size_t *at, const struct filter_token *attribute,
         struct filter_node **ret)
{
    static const struct {
        const char *words;
        enum filter_op op;
    } rows[] = {{"CONTAINS", FILTER_HAS_PART}, {"STARTS WITH", FILTER_STARTS_WITH}};
    size_t end = *at;
    bool is_not = filter_skip_words(p, &end, "NOT") && filter_skip_blanks(p, end) > end;
    end = is_not ? filter_skip_blanks(p, end) : *at;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct filter_token value;
        if (!filter_has(p, end, rows[i].words))
            continue;
        struct str keyword = str_slice(p->source, end, end + strlen(rows[i].words));
        *at = end + keyword.len;
        enum filter_result result = filter_need_value(p, at, &value);
        if (result != FILTER_OK)
            return result;
        *ret = node_of(p, rows[i].op, attribute, 1);
        (*ret)->keyword = (struct filter_token){p->source, keyword, keyword};
        set_value(p, &(*ret)->values[0], &value);
        if (is_not)
            *ret = filter_negate(p, *ret);
        return FILTER_OK;
    }
    return FILTER_NO;
}

/* --- _foreign(attribute, filter) */

static enum filter_result
refuse_foreign(struct filter_parser *p, size_t at)
{
    err_done(p->err);
    return filter_fail(p, filter_rest(p, at),
                       "Was expecting a field name and an condition inside `_foreign(..)` filter "
                       "but instead found `%s`.",
                       filter_shown(p, filter_rest(p, at)));
}

static enum filter_result
try_foreign(struct filter_parser *p, size_t *at, unsigned depth, struct filter_node **ret)
{
    struct filter_token attribute;
    struct filter_node *inner;
    size_t end = filter_skip_blanks(p, *at);
    if (!filter_is_word(p, end, "_foreign"))
        return FILTER_NO;
    end += sizeof("_foreign") - 1;
    if (!filter_has(p, end, "("))
        return refuse_foreign(p, end);
    end++;
    if (filter_read_value(p, &end, &attribute) != FILTER_OK || !filter_has(p, end, ","))
        return refuse_foreign(p, end);
    end = filter_skip_blanks(p, end + 1);
    if (parse_or(p, &end, depth, &inner) != FILTER_OK || !filter_has(p, end, ")"))
        return refuse_foreign(p, end);
    *ret = node_of(p, FILTER_FOREIGN_MATCH, &attribute, 0);
    *at = end + 1;
    return FILTER_OK;
}

/* --- the condition of an attribute */

static enum filter_result
refuse_primary(struct filter_parser *p, size_t at)
{
    struct str rest = filter_rest(p, at);
    const char *before = str_trim(rest).len == 0 ? "but instead got nothing" : "at `";
    return filter_fail(
        p, rest,
        "Was expecting an operation `=`, `!=`, `>=`, `>`, `<=`, `<`, `IN`, `NOT IN`, `TO`, "
        "`EXISTS`, `NOT EXISTS`, `IS NULL`, `IS NOT NULL`, `IS EMPTY`, `IS NOT EMPTY`, "
        "`CONTAINS`, `NOT CONTAINS`, `STARTS WITH`, `NOT STARTS WITH`, `_geoRadius`, "
        "`_geoBoundingBox` or `_geoPolygon` %s%s%s.",
        before, str_trim(rest).len == 0 ? "" : filter_shown(p, rest),
        str_trim(rest).len == 0 ? "" : "`");
}

typedef enum filter_result try_fn(struct filter_parser *p, size_t *at,
                                  const struct filter_token *attribute, struct filter_node **ret);

/* Each of the ways in turn until one matches or fails; at: behind the attribute. */
static enum filter_result
try_each(struct filter_parser *p, size_t *at, const struct filter_token *attribute,
         try_fn *const *ways, struct filter_node **ret)
{
    enum filter_result result = FILTER_NO;
    for (size_t start = *at; *ways != NULL && result == FILTER_NO; ways++) {
        *at = start;
        result = (*ways)(p, at, attribute, ret);
    }
    return result;
}

/* In upstream's order, which decides between errors. */
static enum filter_result
try_attribute(struct filter_parser *p, size_t *at, struct filter_node **ret)
{
    static try_fn *const first[] = {try_in, try_comparison, try_is, NULL};
    static try_fn *const then[] = {try_exists, try_between, try_part, NULL};
    struct filter_token attribute;
    size_t start = *at;
    enum filter_result result = filter_read_value(p, &start, &attribute);
    if (result == FILTER_NO && p->no == FILTER_NO_KEYWORD)
        return filter_need_value(p, at, &attribute);
    if (result != FILTER_OK)
        return result;
    size_t end = start;
    result = try_each(p, &end, &attribute, first, ret);
    if (result == FILTER_NO) {
        end = *at;
        result = filter_read_vectors(p, &end, ret);
    }
    if (result == FILTER_NO) {
        end = start;
        result = try_each(p, &end, &attribute, then, ret);
    }
    if (result == FILTER_OK)
        *at = end;
    return result;
}

static enum filter_result
refuse_depth(struct filter_parser *p, size_t at)
{
    return filter_fail(p, filter_rest(p, at),
                       "The filter exceeded the maximum depth limit. Try rewriting the filter so "
                       "that it contains fewer nested conditions.");
}

/* --- parentheses, NOT, AND, OR */

static enum filter_result
parse_parenthesis(struct filter_parser *p, size_t *at, unsigned depth, struct filter_node **ret)
{
    size_t end = filter_skip_blanks(p, *at) + 1;
    end = filter_skip_blanks(p, end);
    enum filter_result result = parse_or(p, &end, depth + 1, ret);
    if (result != FILTER_OK)
        return result;
    end = filter_skip_blanks(p, end);
    if (!filter_has(p, end, ")"))
        return filter_fail(p, filter_rest(p, *at),
                           "Expression `%s` is missing the following closing delimiter: `)`.",
                           filter_shown(p, filter_rest(p, *at)));
    *at = filter_skip_blanks(p, end + 1);
    return FILTER_OK;
}

static enum filter_result
parse_primary(struct filter_parser *p, size_t *at, unsigned depth, struct filter_node **ret)
{
    if (depth > FILTER_MAX_DEPTH)
        return refuse_depth(p, *at);
    if (filter_has(p, filter_skip_blanks(p, *at), "("))
        return parse_parenthesis(p, at, depth, ret);
    enum filter_result result = filter_read_geo(p, at, ret);
    if (result == FILTER_NO)
        result = try_attribute(p, at, ret);
    if (result == FILTER_NO)
        result = try_foreign(p, at, depth, ret);
    return result == FILTER_NO ? refuse_primary(p, *at) : result;
}

static enum filter_result
parse_not(struct filter_parser *p, size_t *at, unsigned depth, struct filter_node **ret)
{
    if (depth > FILTER_MAX_DEPTH)
        return refuse_depth(p, *at);
    size_t end = filter_skip_blanks(p, *at);
    if (!filter_is_word(p, end, "NOT"))
        return parse_primary(p, at, depth + 1, ret);
    *at = filter_skip_blanks(p, end + 3);
    enum filter_result result = parse_not(p, at, depth + 1, ret);
    if (result == FILTER_OK)
        *ret = filter_negate(p, *ret);
    return result;
}

typedef enum filter_result parse_fn(struct filter_parser *p, size_t *at, unsigned depth,
                                    struct filter_node **ret);

/* part (word part)*, as one node of op when there is more than one. */
static enum filter_result
parse_chain(struct filter_parser *p, size_t *at, unsigned depth, parse_fn *part, enum filter_op op,
            struct filter_node **ret)
{
    const char *word = op == FILTER_OR ? "OR" : "AND";
    struct filter_node *chain = NULL, *node;
    if (depth > FILTER_MAX_DEPTH)
        return refuse_depth(p, *at);
    enum filter_result result = part(p, at, depth + 1, ret);
    while (result == FILTER_OK) {
        size_t end = filter_skip_blanks(p, *at);
        if (!filter_is_word(p, end, word))
            return FILTER_OK;
        *at = filter_skip_blanks(p, end + strlen(word));
        result = part(p, at, depth + 1, &node);
        if (result != FILTER_OK)
            break;
        if (chain == NULL) {
            chain = filter_node_new(p->arena, op);
            filter_node_add(chain, *ret);
            *ret = chain;
        }
        filter_node_add(chain, node);
    }
    return result;
}

static enum filter_result
parse_and(struct filter_parser *p, size_t *at, unsigned depth, struct filter_node **ret)
{
    return parse_chain(p, at, depth, parse_not, FILTER_AND, ret);
}

static enum filter_result
parse_or(struct filter_parser *p, size_t *at, unsigned depth, struct filter_node **ret)
{
    return parse_chain(p, at, depth, parse_and, FILTER_OR, ret);
}

/* --- whole filters */

/* 1 with the node, 0 when text is blank, -1 with err. */
static int
parse_source(struct arena *a, struct str text, enum err_code code, struct filter_node **ret,
             struct err *err)
{
    struct filter_parser p = {.arena = a, .source = arena_copy(a, text), .code = code, .err = err};
    size_t at = 0;
    if (str_trim(text).len == 0)
        return 0;
    if (parse_or(&p, &at, 0, ret) != FILTER_OK)
        return -1;
    if (filter_skip_blanks(&p, at) == p.source.len)
        return 1;
    (void) filter_fail(&p, filter_rest(&p, at),
                       "Found unexpected characters at the end of the filter: `%s`. You probably "
                       "forgot an `OR` or an `AND` rule.",
                       filter_shown(&p, filter_rest(&p, at)));
    return -1;
}

static int
refuse_json(const struct json *value, const char *expected, enum err_code code, struct err *err)
{
    struct buf message = BUF_INIT;
    buf_addf(&message, "Invalid syntax for the filter parameter: `expected %s, found: ", expected);
    json_write_normal(&message, value);
    buf_add_cstr(&message, "`.");
    err_set_str(err, code, buf_str(&message));
    buf_done(&message);
    return -1;
}

/* The nodes of a list as one: NULL for none. */
static struct filter_node *
join(struct filter_node *list)
{
    bool has_several = list->child != NULL && list->child->next != NULL;
    return has_several ? list : list->child;
}

static int parse_array(struct arena *a, const struct json *array, bool is_inner, enum err_code code,
                       struct filter_node **ret, struct err *err);

static int
parse_element(struct arena *a, const struct json *value, bool is_inner, enum err_code code,
              struct filter_node **ret, struct err *err)
{
    if (json_type(value) == JSON_STRING)
        return parse_source(a, json_string(value), code, ret, err);
    if (!is_inner && json_type(value) == JSON_ARRAY)
        return parse_array(a, value, true, code, ret, err);
    return refuse_json(value, is_inner ? "String" : "String, [String]", code, err);
}

/* Types first, as upstream: a wrong one is told before a wrong text. */
static int
check_types(const struct json *array, bool is_inner, enum err_code code, struct err *err)
{
    for (struct json_iter it = json_iter(array); json_next(&it);) {
        if (json_type(it.value) == JSON_STRING)
            continue;
        if (is_inner || json_type(it.value) != JSON_ARRAY)
            return refuse_json(it.value, is_inner ? "String" : "String, [String]", code, err);
        if (check_types(it.value, true, code, err) < 0)
            return -1;
    }
    return 0;
}

static int
parse_array(struct arena *a, const struct json *array, bool is_inner, enum err_code code,
            struct filter_node **ret, struct err *err)
{
    struct filter_node *list = filter_node_new(a, is_inner ? FILTER_OR : FILTER_AND);
    for (struct json_iter it = json_iter(array); json_next(&it);) {
        struct filter_node *node = NULL;
        int rc = parse_element(a, it.value, is_inner, code, &node, err);
        if (rc < 0)
            return rc;
        if (rc == 1)
            filter_node_add(list, node);
    }
    *ret = join(list);
    return *ret != NULL;
}

static int
parse_value(struct arena *a, const struct json *value, enum err_code code, struct filter_node **ret,
            struct err *err)
{
    if (json_type(value) == JSON_STRING)
        return parse_source(a, json_string(value), code, ret, err);
    if (json_type(value) != JSON_ARRAY)
        return refuse_json(value, "String, Array", code, err);
    if (check_types(value, false, code, err) < 0)
        return -1;
    return parse_array(a, value, false, code, ret, err);
}

/* Consumes the arena unless rc is 1. */
static int
finish(struct arena *a, int rc, struct filter_node *root, struct filter **ret)
{
    *ret = NULL;
    if (rc != 1) {
        arena_free(a);
        return rc;
    }
    *ret = arena_alloc(a, sizeof(**ret));
    **ret = (struct filter){.arena = a, .root = root};
    return 1;
}

int
filter_parse(const struct json *value, enum err_code code, struct filter **ret, struct err *err)
{
    struct arena *a = arena_new();
    struct filter_node *root = NULL;
    int rc = parse_value(a, value, code, &root, err);
    return finish(a, rc, root, ret);
}

int
filter_parse_text(struct str text, enum err_code code, struct filter **ret, struct err *err)
{
    struct arena *a = arena_new();
    struct filter_node *root = NULL;
    int rc = parse_source(a, text, code, &root, err);
    return finish(a, rc, root, ret);
}

void
filter_free(struct filter *f)
{
    if (f != NULL)
        arena_free(f->arena);
}
