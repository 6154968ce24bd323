/* Expressions of templates: characters to nodes. Owns the grammar between the braces; knows nothing
 * of statements, nor of values at run time. Recursion is bounded by TEMPLATE_MAX_DEPTH. */
#include <stdlib.h>

#include "codec/template_parser.h"

/* --- errors ----------------------------------------------------------------------------------- */

void *
parser_fail_at(struct parser *p, size_t at, const char *message)
{
    if (!p->has_failed) {
        template_write_place(p->why, p->t, at);
        buf_add_cstr(p->why, ": ");
        buf_add_cstr(p->why, message);
    }
    p->has_failed = true;
    return NULL;
}

void *
parser_fail(struct parser *p, const char *message)
{
    return parser_fail_at(p, p->at, message);
}

void *
parser_fail_name(struct parser *p, size_t at, const char *what, struct str name, const char *near)
{
    struct buf b = BUF_INIT;
    buf_addf(&b, "there is no %s `", what);
    buf_add_str(&b, str_slice(name, 0, 64));
    buf_add_char(&b, '`');
    if (near != NULL)
        buf_addf(&b, ", did you mean `%s`?", near);
    parser_fail_at(p, at, buf_cstr(&b));
    buf_done(&b);
    return NULL;
}

/* --- the characters of a tag ------------------------------------------------------------------ */

char
parser_peek(const struct parser *p, size_t ahead)
{
    return p->at + ahead < p->text.len ? p->text.data[p->at + ahead] : '\0';
}

void
parser_skip_blanks(struct parser *p)
{
    while (p->at < p->text.len && strchr(" \t\r\n", p->text.data[p->at]) != NULL &&
           p->text.data[p->at] != '\0')
        p->at++;
}

static bool
is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
is_name_part(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9');
}

bool
parser_looks_at(struct parser *p, const char *s)
{
    parser_skip_blanks(p);
    return str_starts_with(str_slice(p->text, p->at, p->text.len), s);
}

bool
parser_take(struct parser *p, const char *s)
{
    if (!parser_looks_at(p, s))
        return false;
    p->at += strlen(s);
    return true;
}

struct str
parser_peek_name(struct parser *p)
{
    parser_skip_blanks(p);
    size_t to = p->at;
    if (to < p->text.len && is_name_start(p->text.data[to])) {
        while (to < p->text.len && is_name_part(p->text.data[to]))
            to++;
    }
    return str_slice(p->text, p->at, to);
}

bool
parser_take_word(struct parser *p, const char *word)
{
    if (!str_is(parser_peek_name(p), word))
        return false;
    p->at += strlen(word);
    return true;
}

static bool
is_reserved(struct str name)
{
    static const char *const words[] = {"and", "or", "not", "in", "is", "if", "else", "for"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (str_is(name, words[i]))
            return true;
    }
    return false;
}

/* A name of the user's; data NULL with an error. */
struct str
parser_take_name(struct parser *p)
{
    struct str name = parser_peek_name(p);
    if (name.len == 0 || is_reserved(name)) {
        (void) parser_fail(p, "expected a name");
        return STR_NULL;
    }
    p->at += name.len;
    return name;
}

/* --- nodes ------------------------------------------------------------------------------------ */

static struct node *
node_new(struct parser *p, enum node_kind kind, size_t at)
{
    if (++p->n_nodes > TEMPLATE_MAX_NODES)
        return parser_fail_at(p, at, "the template has too many expressions");
    struct node *n = arena_alloc(p->t->arena, sizeof(*n));
    n->kind = kind;
    n->at = (uint32_t) at;
    return n;
}

/* A part of a node. Whoever evaluates is as deep as the node is high. */
static struct node *
adopt(struct parser *p, struct node *n, struct node *part)
{
    if (n == NULL || part == NULL)
        return NULL;
    if (n->height <= part->height)
        n->height = (uint16_t) (part->height + 1);
    if (n->height > TEMPLATE_MAX_HEIGHT)
        return parser_fail_at(p, n->at, "this expression is nested too deeply");
    return part;
}

static struct node *
node_binary(struct parser *p, enum node_kind kind, size_t at, struct node *a, struct node *b)
{
    struct node *n = a == NULL || b == NULL ? NULL : node_new(p, kind, at);
    if (n == NULL)
        return NULL;
    n->a = adopt(p, n, a);
    n->b = adopt(p, n, b);
    return p->has_failed ? NULL : n;
}

static struct node *
node_unary(struct parser *p, enum node_kind kind, size_t at, struct node *a)
{
    struct node *n = a == NULL ? NULL : node_new(p, kind, at);
    if (n != NULL)
        n->a = adopt(p, n, a);
    return p->has_failed ? NULL : n;
}

static struct node *
node_literal(struct parser *p, size_t at, struct tvalue value)
{
    struct node *n = node_new(p, NODE_LITERAL, at);
    if (n != NULL)
        n->value = value;
    return n;
}

static char
unescape(char c)
{
    return c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
}

static struct node *
parse_string(struct parser *p)
{
    struct buf b = BUF_INIT;
    size_t start = p->at;
    char quote = p->text.data[p->at++];
    while (p->at < p->text.len && p->text.data[p->at] != quote) {
        bool is_escape = p->text.data[p->at] == '\\' && p->at + 1 < p->text.len;
        p->at += is_escape;
        buf_add_char(&b, is_escape ? unescape(p->text.data[p->at]) : p->text.data[p->at]);
        p->at++;
    }
    struct node *n = NULL;
    if (p->at >= p->text.len)
        (void) parser_fail_at(p, start, "this string does not end");
    else
        n = node_literal(p, start, tvalue_string(arena_copy(p->t->arena, buf_str(&b))));
    p->at++;
    buf_done(&b);
    return n;
}

static struct node *
parse_number(struct parser *p)
{
    size_t start = p->at;
    bool is_float = false;
    while (p->at < p->text.len) {
        char c = p->text.data[p->at];
        bool is_point =
            c == '.' && !is_float && parser_peek(p, 1) >= '0' && parser_peek(p, 1) <= '9';
        if (!is_point && (c < '0' || c > '9'))
            break;
        is_float |= is_point;
        p->at++;
    }
    struct str text = str_slice(p->text, start, p->at);
    uint64_t u;
    char *copy = arena_strndup(p->t->arena, text.data, text.len);
    if (!is_float && str_to_u64(text, INT64_MAX, &u))
        return node_literal(p, start, tvalue_int((int64_t) u));
    if (!is_float)
        return parser_fail_at(p, start, "this number is too large");
    return node_literal(p, start, (struct tvalue){.kind = TVALUE_FLOAT, .f = strtod(copy, NULL)});
}

static const struct {
    const char *word;
    struct tvalue value;
} constants[] = {
    {"true", {.kind = TVALUE_BOOL, .is_true = true}},
    {"True", {.kind = TVALUE_BOOL, .is_true = true}},
    {"false", {.kind = TVALUE_BOOL}},
    {"False", {.kind = TVALUE_BOOL}},
    {"none", {.kind = TVALUE_NONE}},
    {"None", {.kind = TVALUE_NONE}},
    {"null", {.kind = TVALUE_NONE}}, /* ours: people think in JSON */
};

static struct node *
parse_word(struct parser *p)
{
    size_t start = p->at;
    struct str name = parser_take_name(p);
    if (name.data == NULL)
        return NULL;
    for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
        if (str_is(name, constants[i].word))
            return node_literal(p, start, constants[i].value);
    }
    struct node *n = node_new(p, NODE_NAME, start);
    if (n != NULL)
        n->text = name;
    return n;
}

static struct node *
parse_list(struct parser *p)
{
    size_t start = p->at++;
    struct node *items[TEMPLATE_MAX_DEPTH * 2];
    size_t n_items = 0;
    while (!p->has_failed && !parser_looks_at(p, "]")) {
        if (n_items == sizeof(items) / sizeof(items[0]))
            return parser_fail(p, "this list has too many elements");
        items[n_items++] = parser_expression(p);
        if (!parser_take(p, ",") && !parser_looks_at(p, "]"))
            return parser_fail(p, "expected `,` or `]`");
    }
    struct node *n = p->has_failed ? NULL : node_new(p, NODE_LIST, start);
    if (n == NULL)
        return NULL;
    p->at++;
    n->operands = arena_alloc(p->t->arena, (n_items + 1) * sizeof(struct node *));
    for (size_t i = 0; i < n_items; i++)
        n->operands[i] = adopt(p, n, items[i]);
    n->n_operands = n_items;
    return p->has_failed ? NULL : n;
}

static struct node *
parse_primary(struct parser *p)
{
    parser_skip_blanks(p);
    char c = parser_peek(p, 0);
    if (c == '\'' || c == '"')
        return parse_string(p);
    if (c >= '0' && c <= '9')
        return parse_number(p);
    if (c == '[')
        return parse_list(p);
    if (c != '(')
        return is_name_start(c) ? parse_word(p) : parser_fail(p, "expected an expression");
    p->at++;
    struct node *n = parser_expression(p);
    if (n != NULL && !parser_take(p, ")"))
        return parser_fail(p, "expected `)`");
    return n;
}

/* --- arguments -------------------------------------------------------------------------------- */

static size_t
parameter_at(const struct filter_row *row, struct str name)
{
    size_t i = 0;
    while (i < TEMPLATE_ARGUMENTS_MAX && row->parameters[i] != NULL &&
           !str_is(name, row->parameters[i]))
        i++;
    return i;
}

static bool
looks_at_keyword(struct parser *p, struct str *ret_name)
{
    size_t start = p->at;
    *ret_name = parser_peek_name(p);
    p->at += ret_name->len;
    bool is_keyword = ret_name->len > 0 && parser_looks_at(p, "=") && parser_peek(p, 1) != '=';
    if (is_keyword)
        p->at++;
    else
        p->at = start;
    return is_keyword;
}

/* Behind the "(". row: of a filter, whose arguments may be named; max: of positions. */
static bool
parse_arguments(struct parser *p, struct node *n, const struct filter_row *row, size_t max)
{
    size_t n_given = 0;
    n->operands = arena_alloc(p->t->arena, TEMPLATE_ARGUMENTS_MAX * sizeof(struct node *));
    while (!parser_take(p, ")")) {
        struct str name;
        size_t to = n_given, at = p->at;
        if (row != NULL && looks_at_keyword(p, &name))
            to = parameter_at(row, name);
        if (to >= max || n->operands[to] != NULL) {
            (void) parser_fail_at(p, at, "this argument is not known, given twice or one too many");
            return false;
        }
        n->operands[to] = adopt(p, n, parser_expression(p));
        n->n_operands = ++n_given;
        if (n->operands[to] == NULL)
            return false;
        if (!parser_take(p, ",") && !parser_looks_at(p, ")")) {
            (void) parser_fail(p, "expected `,` or `)`");
            return false;
        }
    }
    return true;
}

static size_t
count_parameters(const struct filter_row *row)
{
    size_t n = 0;
    while (n < TEMPLATE_ARGUMENTS_MAX && row->parameters[n] != NULL)
        n++;
    return n;
}

static struct node *
parse_filter(struct parser *p, struct node *of)
{
    const char *near = NULL;
    parser_skip_blanks(p);
    size_t start = p->at;
    struct str name = parser_take_name(p);
    const struct filter_row *row = name.data == NULL ? NULL : template_filter(name, &near);
    if (row == NULL)
        return p->has_failed ? NULL : parser_fail_name(p, start, "filter", name, near);
    struct node *n = node_unary(p, NODE_FILTER, start, of);
    if (n == NULL)
        return NULL;
    n->filter = row;
    if (parser_take(p, "(") && !parse_arguments(p, n, row, count_parameters(row)))
        return NULL;
    for (size_t i = 0; i < row->n_required; i++) {
        if (n->operands == NULL || n->operands[i] == NULL)
            return parser_fail_at(p, start, "this filter needs an argument");
    }
    return n;
}

static struct node *
parse_call(struct parser *p, struct node *of, struct str name, size_t start)
{
    const struct method_row *row = template_method(name);
    struct node *n = row == NULL ? NULL : node_unary(p, NODE_CALL, start, of);
    if (row == NULL)
        return parser_fail_name(p, start, "method", name, NULL);
    if (n == NULL)
        return NULL;
    n->method = row;
    if (!parse_arguments(p, n, NULL, row->n_max))
        return NULL;
    if (n->n_operands < row->n_min)
        return parser_fail_at(p, start, "this method needs an argument");
    return n;
}

static struct node *
parse_member(struct parser *p, struct node *of)
{
    size_t start = p->at;
    struct str name = parser_peek_name(p);
    if (name.len == 0)
        return parser_fail(p, "expected the name of a member");
    p->at += name.len;
    if (parser_peek(p, 0) == '(') {
        p->at++;
        return parse_call(p, of, name, start);
    }
    struct node *n = node_unary(p, NODE_MEMBER, start, of);
    if (n != NULL)
        n->text = name;
    return n;
}

static struct node *
parse_index(struct parser *p, struct node *of)
{
    size_t start = p->at;
    struct node *n = node_binary(p, NODE_INDEX, start, of, parser_expression(p));
    if (n != NULL && !parser_take(p, "]"))
        return parser_fail(p, "expected `]`");
    return n;
}

static struct node *
parse_postfix(struct parser *p)
{
    struct node *n = parse_primary(p);
    while (n != NULL) {
        if (parser_take(p, "."))
            n = parse_member(p, n);
        else if (parser_take(p, "["))
            n = parse_index(p, n);
        else if (parser_looks_at(p, "("))
            return parser_fail(p, "only methods of values can be called");
        else
            return n;
    }
    return NULL;
}

/* --- operators, loosest first ------------------------------------------------------------------
 */

struct operator_row {
    const char *sign;
    enum node_kind kind;
};
static const struct operator_row products[] = {{"//", NODE_FLOOR_DIVIDE},
                                               {"*", NODE_MULTIPLY},
                                               {"/", NODE_DIVIDE},
                                               {"%", NODE_REMAINDER},
                                               {NULL, 0}},
                                 sums[] = {{"+", NODE_ADD}, {"-", NODE_SUBTRACT}, {NULL, 0}},
                                 concats[] = {{"~", NODE_CONCAT}, {NULL, 0}},
                                 comparisons[] = {{"==", NODE_EQUAL},
                                                  {"!=", NODE_UNEQUAL},
                                                  {"<=", NODE_LESS_EQUAL},
                                                  {">=", NODE_GREATER_EQUAL},
                                                  {"<", NODE_LESS},
                                                  {">", NODE_GREATER},
                                                  {NULL, 0}};

/* The ends of tags are no operators. */
static bool
looks_at_end(struct parser *p)
{
    return parser_looks_at(p, "%}") || parser_looks_at(p, "}}") || parser_looks_at(p, "-%}") ||
           parser_looks_at(p, "-}}");
}

static const struct operator_row *
take_operator(struct parser *p, const struct operator_row *rows)
{
    if (looks_at_end(p))
        return NULL;
    while (rows->sign != NULL && !parser_take(p, rows->sign))
        rows++;
    return rows->sign == NULL ? NULL : rows;
}

typedef struct node *level_fn(struct parser *p);

static struct node *
parse_level(struct parser *p, level_fn *tighter, const struct operator_row *rows)
{
    struct node *n = tighter(p);
    const struct operator_row *row;
    while (n != NULL && (row = take_operator(p, rows)) != NULL)
        n = node_binary(p, row->kind, p->at, n, tighter(p));
    return n;
}

/* Filters bind looser than a sign: -3|abs is 3. */
static struct node *
parse_unary(struct parser *p)
{
    parser_skip_blanks(p);
    size_t start = p->at;
    bool is_negative = parser_peek(p, 0) == '-' && !looks_at_end(p);
    p->at += is_negative;
    struct node *n = parse_postfix(p);
    if (is_negative)
        n = node_unary(p, NODE_NEGATE, start, n);
    while (n != NULL && parser_take(p, "|"))
        n = parse_filter(p, n);
    return n;
}

static struct node *
parse_product(struct parser *p)
{
    return parse_level(p, parse_unary, products);
}

static struct node *
parse_sum(struct parser *p)
{
    return parse_level(p, parse_product, sums);
}

static struct node *
parse_concat(struct parser *p)
{
    return parse_level(p, parse_sum, concats);
}

static struct node *
parse_test(struct parser *p, struct node *of)
{
    const char *near = NULL;
    bool is_negated = parser_take_word(p, "not");
    parser_skip_blanks(p);
    size_t start = p->at;
    struct str name = parser_peek_name(p);
    p->at += name.len;
    const struct test_row *row = template_test(name, &near);
    if (row == NULL)
        return parser_fail_name(p, start, "test", name, near);
    struct node *n = node_unary(p, NODE_TEST, start, of);
    if (n == NULL)
        return NULL;
    n->test = row;
    return is_negated ? node_unary(p, NODE_NOT, start, n) : n;
}

static bool
take_not_in(struct parser *p)
{
    size_t start = p->at;
    if (parser_take_word(p, "not") && parser_take_word(p, "in"))
        return true;
    p->at = start;
    return false;
}

static struct node *
parse_comparison(struct parser *p)
{
    struct node *n = parse_concat(p);
    while (n != NULL) {
        const struct operator_row *row = take_operator(p, comparisons);
        if (row != NULL)
            n = node_binary(p, row->kind, p->at, n, parse_concat(p));
        else if (parser_take_word(p, "in"))
            n = node_binary(p, NODE_IN, p->at, n, parse_concat(p));
        else if (take_not_in(p))
            n = node_binary(p, NODE_NOT_IN, p->at, n, parse_concat(p));
        else if (parser_take_word(p, "is"))
            n = parse_test(p, n);
        else
            return n;
    }
    return NULL;
}

static struct node *
parse_not(struct parser *p)
{
    size_t count = 0, start = p->at;
    while (parser_take_word(p, "not"))
        count++;
    struct node *n = parse_comparison(p);
    for (; count > 0 && n != NULL; count--)
        n = node_unary(p, NODE_NOT, start, n);
    return n;
}

static struct node *
parse_words(struct parser *p, level_fn *tighter, const char *word, enum node_kind kind)
{
    struct node *n = tighter(p);
    while (n != NULL && parser_take_word(p, word))
        n = node_binary(p, kind, p->at, n, tighter(p));
    return p->has_failed ? NULL : n;
}

static struct node *
parse_and(struct parser *p)
{
    return parse_words(p, parse_not, "and", NODE_AND);
}

struct node *
parser_or(struct parser *p)
{
    return parse_words(p, parse_and, "or", NODE_OR);
}

static struct node *
parse_choice(struct parser *p)
{
    struct node *n = parser_or(p);
    if (n == NULL || !parser_take_word(p, "if"))
        return n;
    n = node_binary(p, NODE_CHOICE, p->at, n, parser_or(p));
    if (n != NULL && parser_take_word(p, "else")) {
        n->c = adopt(p, n, parser_expression(p));
        if (n->c == NULL)
            return NULL;
    }
    return n;
}

struct node *
parser_expression(struct parser *p)
{
    if (p->depth + 1 > TEMPLATE_MAX_DEPTH)
        return parser_fail(p, "this expression is nested too deeply");
    p->depth++;
    struct node *n = parse_choice(p);
    p->depth--;
    return n;
}
