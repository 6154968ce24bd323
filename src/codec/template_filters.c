/* The filters, tests and methods of templates: a row each. They compute values; what they make is
 * paid for (run_take_string, run_alloc). */
#include <math.h>

#include "base/suggest.h"
#include "base/unicode.h"
#include "codec/form.h"
#include "codec/template_internal.h"

/* --- texts
 * ----------------------------------------------------------------------------------------- */

/* What a text filter works on: any value, as it is printed. */
static struct str
text_of(struct buf *space, const struct tvalue *v)
{
    if (v->kind == TVALUE_STRING)
        return v->s;
    tvalue_print(space, v);
    return buf_str(space);
}

static bool
is_between(uint32_t code, uint32_t first, uint32_t last)
{
    return code >= first && code <= last;
}

/* ASCII, Latin, Greek and Cyrillic; other letters stay as they are. */
static uint32_t
to_lower(uint32_t c)
{
    if (is_between(c, 'A', 'Z') || (is_between(c, 0xC0, 0xDE) && c != 0xD7) ||
        is_between(c, 0x391, 0x3AB) || is_between(c, 0x410, 0x42F))
        return c + 32;
    if (is_between(c, 0x400, 0x40F))
        return c + 80;
    if (is_between(c, 0x139, 0x148) || is_between(c, 0x179, 0x17E))
        return c % 2 == 1 ? c + 1 : c;
    if (is_between(c, 0x100, 0x137) || is_between(c, 0x14A, 0x177))
        return c % 2 == 0 ? c + 1 : c;
    return c;
}

static uint32_t
to_upper(uint32_t c)
{
    if (is_between(c, 'a', 'z') || (is_between(c, 0xE0, 0xFE) && c != 0xF7) ||
        (is_between(c, 0x3B1, 0x3CB) && c != 0x3C2) || is_between(c, 0x430, 0x44F))
        return c - 32;
    if (is_between(c, 0x450, 0x45F))
        return c - 80;
    if (is_between(c, 0x139, 0x148) || is_between(c, 0x179, 0x17E))
        return c % 2 == 0 ? c - 1 : c;
    if (is_between(c, 0x100, 0x137) || is_between(c, 0x14A, 0x177))
        return c % 2 == 1 ? c - 1 : c;
    return c;
}

enum letters { LETTERS_UPPER, LETTERS_LOWER, LETTERS_CAPITALIZE, LETTERS_TITLE };

static void
change_letters(struct template_run *r, const struct node *n, struct tvalue *v, enum letters how)
{
    struct buf space = BUF_INIT, out = BUF_INIT;
    struct str s = text_of(&space, v);
    bool is_first = true;
    for (size_t at = 0, len; at < s.len; at += len) {
        uint32_t c = unicode_read(s, at, &len);
        bool is_upper = how == LETTERS_UPPER || (how >= LETTERS_CAPITALIZE && is_first);
        unicode_write(&out, is_upper ? to_upper(c) : to_lower(c));
        is_first = how == LETTERS_TITLE && !unicode_is_letter(c) && c != '\'';
    }
    *v = run_take_string(r, n, &out);
    buf_done(&space);
}

#define LETTERS(name, how)                                                                         \
    static void name(struct template_run *r, const struct node *n, struct tvalue *v,               \
                     const struct tvalue *a)                                                       \
    {                                                                                              \
        (void) a;                                                                                  \
        change_letters(r, n, v, how);                                                              \
    }
LETTERS(do_upper, LETTERS_UPPER)
LETTERS(do_lower, LETTERS_LOWER)
LETTERS(do_capitalize, LETTERS_CAPITALIZE)
LETTERS(do_title, LETTERS_TITLE)

static void
do_string(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    struct buf out = BUF_INIT;
    (void) a;
    if (v->kind == TVALUE_STRING)
        return;
    tvalue_print(&out, v);
    *v = run_take_string(r, n, &out);
}

static void
do_trim(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    do_string(r, n, v, a);
    v->s = str_trim(v->s);
}

/* The bytes of the first n characters. */
static size_t
prefix_of(struct str s, int64_t n)
{
    size_t at = 0;
    while (at < s.len && n-- > 0) {
        at++;
        while (at < s.len && ((unsigned char) s.data[at] & 0xC0) == 0x80)
            at++;
    }
    return at;
}

static int64_t
int_or(const struct tvalue *v, int64_t otherwise)
{
    return v->kind == TVALUE_INT ? v->i : otherwise;
}

static struct str
string_or(const struct tvalue *v, struct str otherwise)
{
    return v->kind == TVALUE_STRING ? v->s : otherwise;
}

/* As Jinja2's: length 255, killwords false, end "...", leeway 5; words stay whole unless asked. */
static void
do_truncate(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    struct buf out = BUF_INIT;
    int64_t length = int_or(&a[0], 255), leeway = int_or(&a[3], 5);
    struct str end = string_or(&a[2], STR("..."));
    do_string(r, n, v, a);
    if (!run_spend(r, n, v->s.len / 64))
        return;
    int64_t end_length = (int64_t) unicode_count(end);
    if (length < end_length || length > INT32_MAX || leeway < 0 || leeway > INT32_MAX) {
        run_fail(r, n, "this length is too small or too large");
        return;
    }
    if ((int64_t) unicode_count(v->s) <= length + leeway)
        return;
    struct str kept = str_slice(v->s, 0, prefix_of(v->s, length - end_length));
    if (!tvalue_is_true(&a[1])) {
        size_t to = kept.len;
        while (to > 0 && kept.data[to - 1] != ' ')
            to--;
        kept.len = to == 0 ? kept.len : to - 1;
    }
    buf_add_str(&out, kept);
    buf_add_str(&out, end);
    *v = run_take_string(r, n, &out);
}

static void
do_replace(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    struct buf out = BUF_INIT;
    do_string(r, n, v, a);
    if (a[0].kind != TVALUE_STRING || a[1].kind != TVALUE_STRING || a[0].s.len == 0) {
        run_fail(r, n, "`replace` needs two strings, the first not empty");
        return;
    }
    struct str from = a[0].s, rest = v->s;
    size_t most = TEMPLATE_MEMORY_BYTES;
    while (rest.len >= from.len && out.len <= most && run_spend(r, n, 1)) {
        const char *found = memmem(rest.data, rest.len, from.data, from.len);
        if (found == NULL)
            break;
        buf_add(&out, rest.data, (size_t) (found - rest.data));
        buf_add_str(&out, a[1].s);
        rest = str_slice(rest, (size_t) (found - rest.data) + from.len, rest.len);
    }
    buf_add_str(&out, rest);
    *v = run_take_string(r, n, &out);
}

static void
do_escape(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    struct buf out = BUF_INIT;
    do_string(r, n, v, a);
    if (v->is_safe)
        return;
    template_escape_html(&out, v->s);
    *v = run_take_string(r, n, &out);
    v->is_safe = true;
}

static void
do_safe(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    do_string(r, n, v, a);
    v->is_safe = true;
}

static void
do_urlencode(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    struct buf out = BUF_INIT;
    do_string(r, n, v, a);
    form_encode(&out, v->s);
    *v = run_take_string(r, n, &out);
}

/* As Jinja2's: the characters that mean something in HTML are \u003c and so on, so that the result
 * may stand in a script or an attribute. */
static void
do_tojson(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    struct buf text = BUF_INIT, out = BUF_INIT;
    (void) a;
    tvalue_print_json(&text, v);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '<' || c == '>' || c == '&' || c == '\'')
            buf_addf(&out, "\\u%04x", (unsigned) c);
        else
            buf_add_char(&out, c);
    }
    buf_done(&text);
    *v = run_take_string(r, n, &out);
    v->is_safe = true;
}

/* --- values
 * ---------------------------------------------------------------------------------------- */

static void
do_default(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    (void) r, (void) n;
    bool is_missing = v->kind == TVALUE_UNDEFINED || (a[1].kind != TVALUE_UNDEFINED &&
                                                      tvalue_is_true(&a[1]) && !tvalue_is_true(v));
    if (is_missing)
        *v = a[0].kind == TVALUE_UNDEFINED ? tvalue_string(STR("")) : a[0];
}

static void
do_length(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    bool has_length;
    (void) a;
    if (!run_spend(r, n, v->kind == TVALUE_STRING ? v->s.len / 64 : 1))
        return;
    *v = tvalue_int((int64_t) tvalue_length(v, &has_length));
    if (!has_length)
        run_fail(r, n, "this value has no length");
}

static void
do_int(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    double x = 0;
    struct json_doc *doc = NULL;
    (void) r, (void) n;
    if (v->kind == TVALUE_STRING)
        doc = json_parse(str_trim(str_slice(v->s, 0, 64)), NULL);
    struct tvalue number = doc == NULL ? *v : tvalue_of_json(json_root(doc));
    if (number.kind == TVALUE_INT)
        *v = tvalue_int(number.i);
    else if (number.kind != TVALUE_STRING && tvalue_number(&number, &x) && fabs(x) < 9e18)
        *v = tvalue_int((int64_t) x);
    else
        *v = tvalue_int(int_or(&a[0], 0));
    json_doc_free(doc);
}

static void
do_float(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    double x = 0;
    struct json_doc *doc = NULL;
    (void) r, (void) n;
    if (v->kind == TVALUE_STRING)
        doc = json_parse(str_trim(str_slice(v->s, 0, 64)), NULL);
    struct tvalue number = doc == NULL ? *v : tvalue_of_json(json_root(doc));
    if (!tvalue_number(&number, &x) && !tvalue_number(&a[0], &x))
        x = 0;
    *v = (struct tvalue){.kind = TVALUE_FLOAT, .f = x};
    json_doc_free(doc);
}

/* Half to even, as Python rounds. */
static void
do_round(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    double x, scale = pow(10, (double) int_or(&a[0], 0));
    struct str how = string_or(&a[1], STR("common"));
    if (!tvalue_number(v, &x) || fabs(log10(scale)) > 15) {
        run_fail(r, n, "this can only be done with numbers");
        return;
    }
    x = str_is(how, "ceil")    ? ceil(x * scale)
        : str_is(how, "floor") ? floor(x * scale)
                               : nearbyint(x * scale);
    *v = (struct tvalue){.kind = TVALUE_FLOAT, .f = x / scale};
}

static void
do_abs(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    double x;
    (void) a;
    if (v->kind == TVALUE_INT && v->i != INT64_MIN)
        *v = tvalue_int(v->i < 0 ? -v->i : v->i);
    else if (tvalue_number(v, &x))
        *v = (struct tvalue){.kind = TVALUE_FLOAT, .f = fabs(x)};
    else
        run_fail(r, n, "this can only be done with numbers");
}

/* --- lists
 * ----------------------------------------------------------------------------------------- */

static bool
needs_loop(struct template_run *r, const struct node *n, const struct tvalue *v)
{
    if (!tvalue_can_loop(v))
        run_fail(r, n, "this value cannot be gone through");
    return tvalue_can_loop(v);
}

/* A member of an element when an attribute is asked for; else the element. */
static struct tvalue
attribute_of(const struct tvalue *v, const struct tvalue *name)
{
    if (name->kind != TVALUE_STRING)
        return *v;
    return v->kind == TVALUE_JSON ? tvalue_of_json(json_get(v->json, name->s)) : (struct tvalue){0};
}

static void
do_join(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    struct buf out = BUF_INIT;
    struct tvalue element;
    if (!needs_loop(r, n, v))
        return;
    struct loop_frame f = loop_over(v);
    while (out.len <= TEMPLATE_MEMORY_BYTES && loop_step(r, n, &f, &element)) {
        struct tvalue shown = attribute_of(&element, &a[1]);
        if (f.at > 1 && a[0].kind == TVALUE_STRING)
            buf_add_str(&out, a[0].s);
        tvalue_print(&out, &shown);
    }
    *v = run_take_string(r, n, &out);
}

static struct tvalue
list_of(struct template_run *r, const struct node *n, const struct tvalue *v,
        const struct tvalue *attribute)
{
    struct tvalue list = {.kind = TVALUE_LIST};
    struct loop_frame f = loop_over(v);
    list.items = run_alloc(r, n, (f.n + 1) * sizeof(*list.items));
    while (list.items != NULL && loop_step(r, n, &f, &list.items[list.n])) {
        list.items[list.n] = attribute_of(&list.items[list.n], attribute);
        list.n++;
    }
    return list;
}

static void
do_map(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    if (a[0].kind != TVALUE_STRING)
        run_fail(r, n, "`map` needs attribute='name'");
    else if (needs_loop(r, n, v))
        *v = list_of(r, n, v, &a[0]);
}

static void
do_list(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    const struct tvalue none = {0};
    (void) a;
    if (needs_loop(r, n, v))
        *v = list_of(r, n, v, &none);
}

static void
do_reverse(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    do_list(r, n, v, a);
    for (size_t i = 0; !run_has_failed(r) && i < v->n / 2; i++) {
        struct tvalue other = v->items[i];
        v->items[i] = v->items[v->n - 1 - i];
        v->items[v->n - 1 - i] = other;
    }
}

static void
do_first(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    struct tvalue element = {0};
    (void) a;
    if (v->kind == TVALUE_STRING) {
        v->s = str_slice(v->s, 0, prefix_of(v->s, 1));
        return;
    }
    if (!needs_loop(r, n, v))
        return;
    struct loop_frame f = loop_over(v);
    *v = loop_step(r, n, &f, &element) ? element : (struct tvalue){0};
}

static void
do_last(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    struct tvalue element = {0};
    (void) a;
    if (!needs_loop(r, n, v))
        return;
    struct loop_frame f = loop_over(v);
    while (loop_step(r, n, &f, &element))
        continue;
    *v = element;
}

static void
do_sum(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    struct tvalue element, sum = tvalue_int(0);
    double total = 0, x;
    bool is_int = true;
    if (!needs_loop(r, n, v))
        return;
    struct loop_frame f = loop_over(v);
    while (loop_step(r, n, &f, &element)) {
        element = attribute_of(&element, &a[0]);
        if (!tvalue_number(&element, &x)) {
            run_fail(r, n, "this can only be done with numbers");
            return;
        }
        total += x;
        is_int = is_int && element.kind == TVALUE_INT &&
                 !__builtin_add_overflow(sum.i, element.i, &sum.i);
    }
    *v = is_int ? sum : (struct tvalue){.kind = TVALUE_FLOAT, .f = total};
}

static void
do_items(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    (void) a;
    if (v->kind == TVALUE_UNDEFINED)
        return;
    if (v->kind == TVALUE_JSON && json_type(v->json) == JSON_OBJECT)
        v->kind = TVALUE_ITEMS;
    else
        run_fail(r, n, "only a map has items");
}

/* --- methods
 * --------------------------------------------------------------------------------------- */

static void
do_keys(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    do_items(r, n, v, a);
    if (v->kind == TVALUE_ITEMS)
        v->kind = TVALUE_JSON; /* names are what a map is gone through by */
}

static void
do_values(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    do_items(r, n, v, a);
    if (v->kind != TVALUE_ITEMS)
        return;
    struct tvalue list = {.kind = TVALUE_LIST};
    struct json_iter it = json_iter(v->json);
    list.items = run_alloc(r, n, (json_length(v->json) + 1) * sizeof(*list.items));
    while (list.items != NULL && run_spend(r, n, 1) && json_next(&it))
        list.items[list.n++] = tvalue_of_json(it.value);
    *v = list;
}

static void
do_get(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    const struct json *found = NULL;
    if (!run_spend(r, n, v->kind == TVALUE_JSON ? 1 + json_length(v->json) / 8 : 1))
        return;
    if (v->kind == TVALUE_JSON && a[0].kind == TVALUE_STRING)
        found = json_get(v->json, a[0].s);
    if (found != NULL)
        *v = tvalue_of_json(found);
    else
        *v = a[1].kind == TVALUE_UNDEFINED ? (struct tvalue){.kind = TVALUE_NONE} : a[1];
}

static void
check_edge(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a,
           bool at_end)
{
    do_string(r, n, v, a);
    struct str part = string_or(&a[0], STR_NULL);
    struct str edge =
        at_end ? str_slice(v->s, v->s.len - (part.len < v->s.len ? part.len : v->s.len), v->s.len)
               : str_slice(v->s, 0, part.len);
    *v = tvalue_bool(str_equal(edge, part));
}

static void
do_startswith(struct template_run *r, const struct node *n, struct tvalue *v,
              const struct tvalue *a)
{
    check_edge(r, n, v, a, false);
}

static void
do_endswith(struct template_run *r, const struct node *n, struct tvalue *v, const struct tvalue *a)
{
    check_edge(r, n, v, a, true);
}

static const struct method_row methods[] = {
    {"items", do_items, 0, 0},       {"keys", do_keys, 0, 0},   {"values", do_values, 0, 0},
    {"get", do_get, 1, 2},           {"upper", do_upper, 0, 0}, {"lower", do_lower, 0, 0},
    {"strip", do_trim, 0, 0},        {"title", do_title, 0, 0}, {"startswith", do_startswith, 1, 1},
    {"endswith", do_endswith, 1, 1},
};

const struct method_row *
template_method(struct str name)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (str_is(name, methods[i].name))
            return &methods[i];
    }
    return NULL;
}

/* --- filters
 * --------------------------------------------------------------------------------------- */

static const struct filter_row filters[] = {
    {"abs", do_abs, {NULL}, 0},
    {"capitalize", do_capitalize, {NULL}, 0},
    {"count", do_length, {NULL}, 0},
    {"d", do_default, {"default_value", "boolean"}, 0},
    {"default", do_default, {"default_value", "boolean"}, 0},
    {"e", do_escape, {NULL}, 0},
    {"escape", do_escape, {NULL}, 0},
    {"first", do_first, {NULL}, 0},
    {"float", do_float, {"default"}, 0},
    {"int", do_int, {"default"}, 0},
    {"items", do_items, {NULL}, 0},
    {"join", do_join, {"d", "attribute"}, 0},
    {"last", do_last, {NULL}, 0},
    {"length", do_length, {NULL}, 0},
    {"list", do_list, {NULL}, 0},
    {"lower", do_lower, {NULL}, 0},
    {"map", do_map, {"attribute"}, 1},
    {"replace", do_replace, {"old", "new"}, 2},
    {"reverse", do_reverse, {NULL}, 0},
    {"round", do_round, {"precision", "method"}, 0},
    {"safe", do_safe, {NULL}, 0},
    {"string", do_string, {NULL}, 0},
    {"sum", do_sum, {"attribute"}, 0},
    {"title", do_title, {NULL}, 0},
    {"tojson", do_tojson, {NULL}, 0},
    {"trim", do_trim, {NULL}, 0},
    {"truncate", do_truncate, {"length", "killwords", "end", "leeway"}, 0},
    {"upper", do_upper, {NULL}, 0},
    {"urlencode", do_urlencode, {NULL}, 0},
};
enum { FILTERS = sizeof(filters) / sizeof(filters[0]) };

const struct filter_row *
template_filter(struct str name, const char **ret_near)
{
    const char *names[FILTERS];
    for (size_t i = 0; i < FILTERS; i++) {
        if (str_is(name, filters[i].name))
            return &filters[i];
        names[i] = filters[i].name;
    }
    *ret_near = suggest_name(name, names, FILTERS);
    return NULL;
}

/* --- tests
 * ----------------------------------------------------------------------------------------- */

static bool
is_defined(const struct tvalue *v)
{
    return v->kind != TVALUE_UNDEFINED;
}

static bool
is_undefined(const struct tvalue *v)
{
    return v->kind == TVALUE_UNDEFINED;
}

static bool
is_none(const struct tvalue *v)
{
    return v->kind == TVALUE_NONE;
}

static bool
is_string(const struct tvalue *v)
{
    return v->kind == TVALUE_STRING;
}

static bool
is_number(const struct tvalue *v)
{
    double x;
    return tvalue_number(v, &x);
}

static bool
is_boolean(const struct tvalue *v)
{
    return v->kind == TVALUE_BOOL;
}

static bool
is_true(const struct tvalue *v)
{
    return v->kind == TVALUE_BOOL && v->is_true;
}

static bool
is_false(const struct tvalue *v)
{
    return v->kind == TVALUE_BOOL && !v->is_true;
}

static bool
is_mapping(const struct tvalue *v)
{
    return v->kind == TVALUE_JSON && json_type(v->json) == JSON_OBJECT;
}

static bool
is_iterable(const struct tvalue *v)
{
    return v->kind == TVALUE_STRING || (v->kind != TVALUE_UNDEFINED && tvalue_can_loop(v));
}

static bool
is_odd(const struct tvalue *v)
{
    return v->kind == TVALUE_INT && v->i % 2 != 0;
}

static bool
is_even(const struct tvalue *v)
{
    return v->kind == TVALUE_INT && v->i % 2 == 0;
}

static const struct test_row tests[] = {
    {"boolean", is_boolean},     {"defined", is_defined},   {"even", is_even},
    {"false", is_false},         {"iterable", is_iterable}, {"mapping", is_mapping},
    {"none", is_none},           {"number", is_number},     {"odd", is_odd},
    {"sequence", is_iterable},   {"string", is_string},     {"true", is_true},
    {"undefined", is_undefined},
};
enum { TESTS = sizeof(tests) / sizeof(tests[0]) };

const struct test_row *
template_test(struct str name, const char **ret_near)
{
    const char *names[TESTS];
    for (size_t i = 0; i < TESTS; i++) {
        if (str_is(name, tests[i].name))
            return &tests[i];
        names[i] = tests[i].name;
    }
    *ret_near = suggest_name(name, names, TESTS);
    return NULL;
}
