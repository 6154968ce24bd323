/* Values and expressions. Every step is paid for (run_spend, run_alloc), so that no template takes
 * more than its share; recursion is as deep as a node is high (TEMPLATE_MAX_HEIGHT). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/template_internal.h"

/* --- making values ------------------------------------------------------------------------------
 */

struct tvalue
tvalue_string(struct str s)
{
    return (struct tvalue){.kind = TVALUE_STRING, .s = s};
}

struct tvalue
tvalue_int(int64_t i)
{
    return (struct tvalue){.kind = TVALUE_INT, .i = i};
}

struct tvalue
tvalue_bool(bool b)
{
    return (struct tvalue){.kind = TVALUE_BOOL, .is_true = b};
}

static struct tvalue
of_number(const struct json *v)
{
    char text[64];
    struct tvalue n = {.kind = TVALUE_INT, .s = json_number(v)};
    if (json_to_i64(v, &n.i))
        return n;
    n.kind = TVALUE_FLOAT; /* longer ones are as near as their first 63 digits */
    (void) snprintf(text, sizeof(text), "%.*s", STR_ARG(n.s));
    n.f = strtod(text, NULL);
    return n;
}

struct tvalue
tvalue_of_json(const struct json *v)
{
    if (v == NULL)
        return (struct tvalue){0};
    switch (json_type(v)) {
    case JSON_NULL:
        return (struct tvalue){.kind = TVALUE_NONE};
    case JSON_BOOL:
        return tvalue_bool(json_bool(v));
    case JSON_NUMBER:
        return of_number(v);
    case JSON_STRING:
        return tvalue_string(json_string(v));
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    return (struct tvalue){.kind = TVALUE_JSON, .json = v};
}

/* --- asking them ---------------------------------------------------------------------------------
 */

bool
tvalue_number(const struct tvalue *v, double *ret)
{
    if (v->kind != TVALUE_INT && v->kind != TVALUE_FLOAT && v->kind != TVALUE_BOOL)
        return false;
    *ret = v->kind == TVALUE_FLOAT ? v->f : v->kind == TVALUE_INT ? (double) v->i : v->is_true;
    return true;
}

static size_t
count_characters(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char) s.data[i] & 0xC0) != 0x80;
    return n;
}

size_t
tvalue_length(const struct tvalue *v, bool *ret_has)
{
    *ret_has = true;
    switch (v->kind) {
    case TVALUE_STRING:
        return count_characters(v->s);
    case TVALUE_JSON:
    case TVALUE_ITEMS:
        return json_length(v->json);
    case TVALUE_LIST:
        return v->n;
    case TVALUE_UNDEFINED:
        return 0;
    case TVALUE_NONE:
    case TVALUE_BOOL:
    case TVALUE_INT:
    case TVALUE_FLOAT:
    case TVALUE_LOOP:
        break;
    }
    *ret_has = false;
    return 0;
}

bool
tvalue_is_true(const struct tvalue *v)
{
    bool has_length;
    double number;
    if (v->kind == TVALUE_STRING)
        return v->s.len > 0;
    size_t length = tvalue_length(v, &has_length);
    if (has_length)
        return length > 0;
    if (tvalue_number(v, &number))
        return number != 0;
    return v->kind == TVALUE_LOOP;
}

/* Lists and maps are compared as JSON. */
static bool
equals(struct template_run *r, const struct node *n, const struct tvalue *a, const struct tvalue *b)
{
    double x, y;
    struct buf left = BUF_INIT, right = BUF_INIT;
    if (a->kind == TVALUE_INT && b->kind == TVALUE_INT)
        return a->i == b->i;
    if (tvalue_number(a, &x) && tvalue_number(b, &y))
        return !(x < y) && !(x > y);
    if (a->kind == TVALUE_STRING || b->kind == TVALUE_STRING)
        return a->kind == b->kind && str_equal(a->s, b->s);
    if (a->kind <= TVALUE_NONE || b->kind <= TVALUE_NONE)
        return a->kind == b->kind;
    tvalue_print_json(&left, a);
    tvalue_print_json(&right, b);
    bool is_same = run_spend(r, n, (left.len + right.len) / 64) && !buf_failed(&left) &&
                   str_equal(buf_str(&left), buf_str(&right));
    buf_done(&left);
    buf_done(&right);
    return is_same;
}

static bool
compare(const struct tvalue *a, const struct tvalue *b, int *ret)
{
    double x, y;
    if (a->kind == TVALUE_STRING && b->kind == TVALUE_STRING) {
        *ret = str_compare(a->s, b->s);
        return true;
    }
    if (a->kind == TVALUE_INT && b->kind == TVALUE_INT) {
        *ret = (a->i > b->i) - (a->i < b->i);
        return true;
    }
    if (!tvalue_number(a, &x) || !tvalue_number(b, &y))
        return false;
    *ret = (x > y) - (x < y);
    return true;
}

/* --- going through them --------------------------------------------------------------------------
 */

bool
tvalue_can_loop(const struct tvalue *v)
{
    return v->kind == TVALUE_JSON || v->kind == TVALUE_LIST || v->kind == TVALUE_ITEMS ||
           v->kind == TVALUE_UNDEFINED;
}

struct loop_frame
loop_over(const struct tvalue *v)
{
    struct loop_frame f = {.over = *v};
    bool has_length;
    f.n = tvalue_length(v, &has_length);
    if (v->kind == TVALUE_JSON || v->kind == TVALUE_ITEMS)
        f.iter = json_iter(v->json);
    return f;
}

/* at counts what was given out; the present element of a loop is the one before. */
bool
loop_step(struct template_run *r, const struct node *n, struct loop_frame *f, struct tvalue *ret)
{
    if (f->at >= f->n || !run_spend(r, n, 1))
        return false;
    if (f->over.kind == TVALUE_LIST) {
        *ret = f->over.items[f->at++];
        return true;
    }
    if (!json_next(&f->iter))
        return false;
    f->at++;
    bool is_object = json_type(f->over.json) == JSON_OBJECT;
    *ret = is_object ? tvalue_string(f->iter.key) : tvalue_of_json(f->iter.value);
    if (f->over.kind != TVALUE_ITEMS)
        return true;
    struct tvalue *pair = run_alloc(r, n, 2 * sizeof(*pair));
    if (pair == NULL)
        return false;
    pair[0] = tvalue_string(f->iter.key);
    pair[1] = tvalue_of_json(f->iter.value);
    *ret = (struct tvalue){.kind = TVALUE_LIST, .items = pair, .n = 2};
    return true;
}

/* --- printing them
 * -------------------------------------------------------------------------------- */

static void
print_scalar(struct buf *out, const struct tvalue *v)
{
    struct json_out j = json_out(out);
    if (v->kind == TVALUE_NONE)
        buf_add_cstr(out, "None");
    else if (v->kind == TVALUE_BOOL)
        buf_add_cstr(out, v->is_true ? "True" : "False");
    else if (v->s.len > 0) /* as it was written */
        buf_add_str(out, v->s);
    else if (v->kind == TVALUE_INT)
        json_put_i64(&j, v->i);
    else if (v->kind == TVALUE_FLOAT)
        json_put_double(&j, v->f);
}

/* As Python shows a string inside of a list. */
static void
print_quoted(struct buf *out, struct str s)
{
    char quote = str_find(s, '\'', 0) < s.len && str_find(s, '"', 0) == s.len ? '"' : '\'';
    buf_add_char(out, quote);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        if (c == '\n' || c == '\r' || c == '\t')
            buf_addf(out, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
        else if (c == quote || c == '\\')
            buf_addf(out, "\\%c", c);
        else
            buf_add_char(out, c);
    }
    buf_add_char(out, quote);
}

static void print_inner(struct buf *out, const struct tvalue *v);

static void
print_json_value(struct buf *out, const struct json *v, bool as_pairs)
{
    bool is_object = json_type(v) == JSON_OBJECT, is_first = true;
    struct json_iter it = json_iter(v);
    buf_add_char(out, is_object && !as_pairs ? '{' : '[');
    while (json_next(&it)) {
        struct tvalue inner = tvalue_of_json(it.value);
        buf_add_cstr(out, is_first ? "" : ", ");
        is_first = false;
        buf_add_cstr(out, as_pairs ? "(" : "");
        if (is_object) {
            print_quoted(out, it.key);
            buf_add_cstr(out, as_pairs ? ", " : ": ");
        }
        print_inner(out, &inner); /* as deep as JSON may be */
        buf_add_cstr(out, as_pairs ? ")" : "");
    }
    buf_add_char(out, is_object && !as_pairs ? '}' : ']');
}

static void
print_list(struct buf *out, const struct tvalue *v)
{
    buf_add_char(out, '[');
    for (size_t i = 0; i < v->n; i++) {
        buf_add_cstr(out, i == 0 ? "" : ", ");
        print_inner(out, &v->items[i]);
    }
    buf_add_char(out, ']');
}

static void
print_inner(struct buf *out, const struct tvalue *v)
{
    if (v->kind == TVALUE_STRING)
        print_quoted(out, v->s);
    else
        tvalue_print(out, v);
}

void
tvalue_print(struct buf *out, const struct tvalue *v)
{
    switch (v->kind) {
    case TVALUE_UNDEFINED:
    case TVALUE_LOOP:
        return;
    case TVALUE_STRING:
        buf_add_str(out, v->s);
        return;
    case TVALUE_JSON:
    case TVALUE_ITEMS:
        print_json_value(out, v->json, v->kind == TVALUE_ITEMS);
        return;
    case TVALUE_LIST:
        print_list(out, v);
        return;
    case TVALUE_NONE:
    case TVALUE_BOOL:
    case TVALUE_INT:
    case TVALUE_FLOAT:
        break;
    }
    print_scalar(out, v);
}

void
tvalue_print_json(struct buf *out, const struct tvalue *v)
{
    struct json_out j = json_out(out);
    if (v->kind == TVALUE_STRING) {
        json_write_string(out, v->s);
    } else if (v->kind == TVALUE_BOOL) {
        json_put_bool(&j, v->is_true);
    } else if (v->kind == TVALUE_INT || (v->kind == TVALUE_FLOAT && isfinite(v->f))) {
        print_scalar(out, v);
    } else if (v->kind == TVALUE_JSON || v->kind == TVALUE_ITEMS) {
        json_write(out, v->json);
    } else if (v->kind == TVALUE_LIST) {
        buf_add_char(out, '[');
        for (size_t i = 0; i < v->n; i++) {
            buf_add_cstr(out, i == 0 ? "" : ",");
            tvalue_print_json(out, &v->items[i]);
        }
        buf_add_char(out, ']');
    } else {
        json_put_null(&j);
    }
}

void
template_escape_html(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        const char *name = c == '&'    ? "&amp;"
                           : c == '<'  ? "&lt;"
                           : c == '>'  ? "&gt;"
                           : c == '"'  ? "&#34;"
                           : c == '\'' ? "&#39;"
                                       : NULL;
        if (name != NULL)
            buf_add_cstr(out, name);
        else
            buf_add_char(out, c);
    }
}

/* --- names and members
 * ---------------------------------------------------------------------------- */

static struct tvalue
find_name(struct template_run *r, struct str name)
{
    for (size_t i = r->n_variables; i > 0; i--) {
        if (str_equal(r->variables[i - 1].name, name))
            return r->variables[i - 1].value;
    }
    if (r->n_loops > 0 && str_is(name, "loop"))
        return (struct tvalue){.kind = TVALUE_LOOP, .loop = &r->loops[r->n_loops - 1]};
    const struct json *v = json_get(r->input.data, name);
    if (v == NULL && r->input.data_name != NULL && str_is(name, r->input.data_name))
        v = r->input.data;
    return tvalue_of_json(v);
}

static struct tvalue
loop_member(const struct loop_frame *f, struct str name)
{
    int64_t at = (int64_t) f->at, n = (int64_t) f->n;
    if (str_is(name, "index"))
        return tvalue_int(at);
    if (str_is(name, "index0"))
        return tvalue_int(at - 1);
    if (str_is(name, "revindex"))
        return tvalue_int(n - at + 1);
    if (str_is(name, "revindex0"))
        return tvalue_int(n - at);
    if (str_is(name, "first"))
        return tvalue_bool(at == 1);
    if (str_is(name, "last"))
        return tvalue_bool(at == n);
    if (str_is(name, "length"))
        return tvalue_int(n);
    return (struct tvalue){0};
}

static struct tvalue
member(struct template_run *r, const struct node *n, const struct tvalue *of, struct str name)
{
    if (of->kind == TVALUE_LOOP)
        return loop_member(of->loop, name);
    if (of->kind != TVALUE_JSON || !run_spend(r, n, 1 + json_length(of->json) / 8))
        return (struct tvalue){0};
    return tvalue_of_json(json_get(of->json, name));
}

static struct tvalue
element(struct template_run *r, const struct node *n, const struct tvalue *of, int64_t at)
{
    struct tvalue found = {0};
    bool has_length;
    size_t length = tvalue_length(of, &has_length);
    if (!tvalue_can_loop(of) || (of->kind == TVALUE_JSON && json_type(of->json) != JSON_ARRAY))
        return found;
    at = at < 0 ? at + (int64_t) length : at;
    if (at < 0 || (size_t) at >= length || !run_spend(r, n, 1 + (uint64_t) at / 8))
        return found;
    struct loop_frame f = loop_over(of);
    for (int64_t i = 0; i <= at; i++)
        (void) loop_step(r, n, &f, &found); /* there are as many */
    return found;
}

static struct tvalue
index_of(struct template_run *r, const struct node *n, const struct tvalue *of,
         const struct tvalue *by)
{
    if (by->kind == TVALUE_INT)
        return element(r, n, of, by->i);
    return by->kind == TVALUE_STRING ? member(r, n, of, by->s) : (struct tvalue){0};
}

/* --- operators
 * ------------------------------------------------------------------------------------ */

static struct tvalue
concat(struct template_run *r, const struct node *n, const struct tvalue *a, const struct tvalue *b)
{
    struct buf out = BUF_INIT;
    const struct tvalue *parts[] = {a, b};
    bool is_safe = r->input.escapes_html && (a->is_safe || b->is_safe);
    for (size_t i = 0; i < 2; i++) {
        struct buf part = BUF_INIT;
        tvalue_print(&part, parts[i]);
        if (is_safe && !parts[i]->is_safe)
            template_escape_html(&out, buf_str(&part));
        else
            buf_add_str(&out, buf_str(&part));
        buf_done(&part);
    }
    struct tvalue v = run_take_string(r, n, &out);
    v.is_safe = is_safe;
    return v;
}

static bool
int_result(enum node_kind kind, int64_t a, int64_t b, int64_t *ret)
{
    if (kind == NODE_ADD)
        return !__builtin_add_overflow(a, b, ret);
    if (kind == NODE_SUBTRACT)
        return !__builtin_sub_overflow(a, b, ret);
    if (kind == NODE_MULTIPLY)
        return !__builtin_mul_overflow(a, b, ret);
    if (kind == NODE_DIVIDE || (a == INT64_MIN && b == -1))
        return false;
    int64_t rest = a % b, is_below = rest != 0 && (rest < 0) != (b < 0); /* as Python: down */
    *ret = kind == NODE_REMAINDER ? rest + is_below * b : a / b - is_below;
    return true;
}

static struct tvalue
float_result(enum node_kind kind, double x, double y)
{
    struct tvalue v = {.kind = TVALUE_FLOAT};
    if (kind == NODE_ADD)
        v.f = x + y;
    else if (kind == NODE_SUBTRACT)
        v.f = x - y;
    else if (kind == NODE_MULTIPLY)
        v.f = x * y;
    else if (kind == NODE_DIVIDE)
        v.f = x / y;
    else
        v.f = kind == NODE_FLOOR_DIVIDE ? floor(x / y) : x - floor(x / y) * y;
    return v;
}

static int64_t
whole(const struct tvalue *v)
{
    return v->kind == TVALUE_INT ? v->i : v->is_true;
}

static struct tvalue
arithmetic(struct template_run *r, const struct node *n, const struct tvalue *a,
           const struct tvalue *b)
{
    double x, y;
    struct tvalue v = {.kind = TVALUE_INT};
    if (n->kind == NODE_ADD && a->kind == TVALUE_STRING && b->kind == TVALUE_STRING)
        return concat(r, n, a, b);
    if (!tvalue_number(a, &x) || !tvalue_number(b, &y)) {
        run_fail(r, n, "this can only be done with numbers");
        return v;
    }
    bool divides =
        n->kind == NODE_DIVIDE || n->kind == NODE_FLOOR_DIVIDE || n->kind == NODE_REMAINDER;
    if (divides && !(y < 0) && !(y > 0)) {
        run_fail(r, n, "division by zero");
        return v;
    }
    if (a->kind != TVALUE_FLOAT && b->kind != TVALUE_FLOAT &&
        int_result(n->kind, whole(a), whole(b), &v.i))
        return v;
    return float_result(n->kind, x, y);
}

static struct tvalue
negate(struct template_run *r, const struct node *n, const struct tvalue *v)
{
    double x;
    if (v->kind == TVALUE_INT && v->i != INT64_MIN)
        return tvalue_int(-v->i);
    if (!tvalue_number(v, &x))
        run_fail(r, n, "this can only be done with numbers");
    return (struct tvalue){.kind = TVALUE_FLOAT, .f = tvalue_number(v, &x) ? -x : 0};
}

static bool
contains(struct template_run *r, const struct node *n, const struct tvalue *a,
         const struct tvalue *in)
{
    struct tvalue element_of;
    if (in->kind == TVALUE_STRING) {
        if (!run_spend(r, n, in->s.len / 64))
            return false;
        return a->kind == TVALUE_STRING &&
               (a->s.len == 0 ||
                (in->s.len > 0 && memmem(in->s.data, in->s.len, a->s.data, a->s.len) != NULL));
    }
    if (in->kind == TVALUE_JSON && json_type(in->json) == JSON_OBJECT)
        return a->kind == TVALUE_STRING && json_get(in->json, a->s) != NULL;
    if (!tvalue_can_loop(in)) {
        run_fail(r, n, "nothing can be in this value");
        return false;
    }
    struct loop_frame f = loop_over(in);
    while (loop_step(r, n, &f, &element_of)) {
        if (equals(r, n, a, &element_of))
            return true;
    }
    return false;
}

static bool
is_ordered(struct template_run *r, const struct node *n, const struct tvalue *a,
           const struct tvalue *b)
{
    int order = 0;
    if (!compare(a, b, &order)) {
        run_fail(r, n, "these values have no order");
        return false;
    }
    return n->kind == NODE_LESS         ? order < 0
           : n->kind == NODE_LESS_EQUAL ? order <= 0
           : n->kind == NODE_GREATER    ? order > 0
                                        : order >= 0;
}

static struct tvalue
eval_binary(struct template_run *r, const struct node *n, const struct tvalue *a,
            const struct tvalue *b)
{
    switch (n->kind) {
    case NODE_INDEX:
        return index_of(r, n, a, b);
    case NODE_EQUAL:
        return tvalue_bool(equals(r, n, a, b));
    case NODE_UNEQUAL:
        return tvalue_bool(!equals(r, n, a, b));
    case NODE_IN:
        return tvalue_bool(contains(r, n, a, b));
    case NODE_NOT_IN:
        return tvalue_bool(!contains(r, n, a, b));
    case NODE_CONCAT:
        return concat(r, n, a, b);
    case NODE_LESS:
    case NODE_LESS_EQUAL:
    case NODE_GREATER:
    case NODE_GREATER_EQUAL:
        return tvalue_bool(is_ordered(r, n, a, b));
    default:
        return arithmetic(r, n, a, b);
    }
}

/* --- nodes
 * ---------------------------------------------------------------------------------------- */

static struct tvalue
eval_function(struct template_run *r, const struct node *n)
{
    struct tvalue arguments[TEMPLATE_ARGUMENTS_MAX] = {0};
    struct tvalue v = eval(r, n->a);
    for (size_t i = 0; n->operands != NULL && i < TEMPLATE_ARGUMENTS_MAX; i++) {
        if (n->operands[i] != NULL)
            arguments[i] = eval(r, n->operands[i]);
    }
    if (!run_has_failed(r))
        (n->kind == NODE_FILTER ? n->filter->fn : n->method->fn)(r, n, &v, arguments);
    return v;
}

static struct tvalue
eval_list(struct template_run *r, const struct node *n)
{
    struct tvalue v = {.kind = TVALUE_LIST, .n = n->n_operands};
    v.items = run_alloc(r, n, (n->n_operands + 1) * sizeof(*v.items));
    for (size_t i = 0; v.items != NULL && i < n->n_operands; i++)
        v.items[i] = eval(r, n->operands[i]);
    return v.items == NULL ? (struct tvalue){0} : v;
}

/* What does not compute all of its parts. */
static struct tvalue
eval_choosing(struct template_run *r, const struct node *n)
{
    if (n->kind == NODE_CHOICE) {
        struct tvalue condition = eval(r, n->b);
        const struct node *chosen = tvalue_is_true(&condition) ? n->a : n->c;
        return chosen == NULL ? (struct tvalue){0} : eval(r, chosen);
    }
    struct tvalue a = eval(r, n->a);
    return tvalue_is_true(&a) == (n->kind == NODE_AND) ? eval(r, n->b) : a;
}

static struct tvalue
eval_unary(struct template_run *r, const struct node *n)
{
    struct tvalue a = eval(r, n->a);
    if (n->kind == NODE_MEMBER)
        return member(r, n, &a, n->text);
    if (n->kind == NODE_NOT)
        return tvalue_bool(!tvalue_is_true(&a));
    return n->kind == NODE_TEST ? tvalue_bool(n->test->fn(&a)) : negate(r, n, &a);
}

struct tvalue
eval(struct template_run *r, const struct node *n)
{
    if (!run_spend(r, n, 1))
        return (struct tvalue){0};
    switch (n->kind) {
    case NODE_LITERAL:
        return n->value;
    case NODE_LIST:
        return eval_list(r, n);
    case NODE_NAME:
        return find_name(r, n->text);
    case NODE_CALL:
    case NODE_FILTER:
        return eval_function(r, n);
    case NODE_AND:
    case NODE_OR:
    case NODE_CHOICE:
        return eval_choosing(r, n);
    case NODE_MEMBER:
    case NODE_TEST:
    case NODE_NOT:
    case NODE_NEGATE:
        return eval_unary(r, n);
    default:
        break;
    }
    struct tvalue a = eval(r, n->a), b = eval(r, n->b);
    return run_has_failed(r) ? (struct tvalue){0} : eval_binary(r, n, &a, &b);
}
