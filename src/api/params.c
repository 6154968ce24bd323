/* Query parameters by table. Owns the wording of contract 1.7; knows no route. */
#include "api/params.h"

#include <stdio.h>

#include "base/suggest.h"
#include "codec/form.h"

enum { PARAMS_MAX = 32 /* rows of one table */ };

void
names_write(struct buf *out, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_addf(out, "%s`%s`", i == 0 ? "" : ", ", names[i]);
}

int
param_invalid(const struct param_in *in, const char *name, const char *fmt, ...)
{
    struct buf message = BUF_INIT;
    va_list ap;
    buf_addf(&message, "Invalid value in parameter `%s`: ", name);
    va_start(ap, fmt);
    buf_addv(&message, fmt, ap);
    va_end(ap);
    int rc = err_set_str(in->err, in->row->code, buf_str(&message));
    buf_done(&message);
    return rc;
}

/* Rust's parse of unsigned numbers: one leading '+' is fine. */
static bool
to_number(struct str text, uint64_t max, uint64_t *ret)
{
    if (text.len > 1 && text.data[0] == '+')
        text = str_slice(text, 1, text.len);
    return str_to_u64(text, max, ret);
}

static int
not_a_number(const struct param_in *in, const char *name, struct str value)
{
    return param_invalid(in, name, "could not parse `%.*s` as a positive integer", STR_ARG(value));
}

int
param_string(const struct param_in *in, void *dst)
{
    struct str *ret = dst;
    if (str_find(in->value, '\0', 0) < in->value.len) /* they end texts inside */
        return param_invalid(in, in->row->name, "NUL characters are not accepted");
    *ret = in->value.len == 0 ? STR("") : in->value;
    return 0;
}

static int
read_number(const struct param_in *in, uint64_t max, struct param_u64 *ret)
{
    uint64_t n;
    if (!to_number(in->value, max, &n))
        return not_a_number(in, in->row->name, in->value);
    *ret = (struct param_u64){.is_given = true, .value = n};
    return 0;
}

int
param_u64(const struct param_in *in, void *dst)
{
    return read_number(in, UINT64_MAX, dst);
}

int
param_u32(const struct param_in *in, void *dst)
{
    return read_number(in, UINT32_MAX, dst);
}

int
param_bool(const struct param_in *in, void *dst)
{
    bool *ret = dst;
    *ret = str_is(in->value, "true");
    if (*ret || str_is(in->value, "false"))
        return 0;
    return param_invalid(in, in->row->name,
                         "could not parse `%.*s` as a boolean, expected either `true` or `false`",
                         STR_ARG(in->value));
}

int
param_choice(const struct param_in *in, void *dst)
{
    int *ret = dst;
    size_t n = 0;
    for (; in->row->choices[n] != NULL; n++) {
        if (str_is(in->value, in->row->choices[n])) {
            *ret = (int) n;
            return 0;
        }
    }
    struct buf message = BUF_INIT;
    const char *near = suggest_name(in->value, in->row->choices, n);
    buf_addf(&message, "Unknown value `%.*s` for parameter `%s`: ", STR_ARG(in->value),
             in->row->name);
    if (near != NULL)
        buf_addf(&message, "did you mean `%s`? ", near);
    buf_add_cstr(&message, "expected one of ");
    names_write(&message, in->row->choices, n);
    err_set_str(in->err, in->row->code, buf_str(&message));
    buf_done(&message);
    return -1;
}

static size_t
count_elements(struct str list)
{
    size_t n = 1;
    for (size_t i = 0; i < list.len; i++)
        n += list.data[i] == ',';
    return n;
}

int
param_each(const struct param_in *in, bool *ret_has_star,
           int (*read_one)(const struct param_in *in, const char *name, struct str element,
                           void *dst),
           void *dst)
{
    size_t n = count_elements(in->value), from = 0;
    for (size_t i = 0; i < n; i++) {
        size_t comma = str_find(in->value, ',', from);
        struct str element = str_slice(in->value, from, comma);
        from = comma + 1;
        if (str_is(element, "*")) {
            *ret_has_star = true;
            continue;
        }
        char name[64];
        snprintf(name, sizeof(name), n > 1 ? "%s[%zu]" : "%s", in->row->name, i);
        int rc = read_one(in, name, element, dst);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int
add_u32(const struct param_in *in, const char *name, struct str element, void *dst)
{
    struct param_u32s *list = dst;
    uint64_t n;
    if (!to_number(element, UINT32_MAX, &n))
        return not_a_number(in, name, element);
    list->values[list->n++] = (uint32_t) n;
    return 0;
}

int
param_u32s(const struct param_in *in, void *dst)
{
    struct param_u32s *ret = dst;
    *ret = (struct param_u32s){.is_given = true};
    ret->values = arena_alloc(in->arena, count_elements(in->value) * sizeof(*ret->values));
    return param_each(in, &ret->has_star, add_u32, ret);
}

static int
add_string(const struct param_in *in, const char *name, struct str element, void *dst)
{
    (void) in, (void) name; /* any text is fine */
    struct param_strs *list = dst;
    list->values[list->n++] = element;
    return 0;
}

int
param_strings(const struct param_in *in, void *dst)
{
    struct param_strs *ret = dst;
    *ret = (struct param_strs){.is_given = true};
    ret->values = arena_alloc(in->arena, count_elements(in->value) * sizeof(*ret->values));
    return param_each(in, &ret->has_star, add_string, ret);
}

/* --- words out of a set */

struct words_in {
    const struct param_words *words;
    struct param_set *set;
};

static int
add_word(const struct param_in *in, const char *name, struct str element, void *dst)
{
    struct words_in *w = dst;
    struct buf all = BUF_INIT;
    const char *word;
    for (unsigned i = 0; (word = w->words->word(i)) != NULL; i++) {
        if (str_equal_nocase(element, str_from(word))) {
            buf_done(&all);
            w->set->bits |= 1u << i;
            return 0;
        }
        if (i < w->words->n_shown)
            buf_addf(&all, "%s`%s`", i == 0 ? "" : ", ", word);
    }
    int rc = param_invalid(in, name, "`%.*s` is not a valid %s. Available %s are %s.",
                           STR_ARG(element), w->words->one, w->words->several, buf_cstr(&all));
    buf_done(&all);
    return rc;
}

int
param_words(const struct param_in *in, const struct param_words *words, void *dst)
{
    struct words_in w = {words, dst};
    *w.set = (struct param_set){.is_given = true};
    return param_each(in, &w.set->has_star, add_word, &w);
}

/* --- the query */

static int
unknown_name(struct err *err, struct str name, const struct param *rows, size_t n)
{
    const char *names[PARAMS_MAX];
    for (size_t i = 0; i < n; i++)
        names[i] = rows[i].name;
    struct buf message = BUF_INIT;
    const char *near = suggest_name(name, names, n);
    buf_addf(&message, "Unknown parameter `%.*s`: ", STR_ARG(name));
    if (near != NULL)
        buf_addf(&message, "did you mean `%s`? ", near);
    buf_add_cstr(&message, "expected one of ");
    names_write(&message, names, n);
    err_set_str(err, ERR_BAD_REQUEST, buf_str(&message));
    buf_done(&message);
    return -1;
}

static const struct param *
find_row(struct str name, const struct param *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_is(name, rows[i].name))
            return &rows[i];
    }
    return NULL;
}

/* Whether the name of given[at] came before; when not, *ret is the value that counts: the last one
 * of that name. */
static bool
is_repeated(const struct form_param *given, size_t n, size_t at, struct str *ret)
{
    for (size_t i = 0; i < at; i++) {
        if (str_equal(given[i].name, given[at].name))
            return true;
    }
    for (size_t i = at; i < n; i++) {
        if (str_equal(given[i].name, given[at].name))
            *ret = given[i].value;
    }
    return false;
}

int
params_read(struct http_call *call, const struct param *rows, size_t n, void *dst)
{
    struct form_param *given = NULL;
    int n_given = form_parse(call->arena, call->query, &given);
    if (n_given < 0 || n > PARAMS_MAX)
        return err_set(&call->err, ERR_BAD_REQUEST,
                       "Too many query parameters: at most %d are accepted.", FORM_MAX_PARAMS);
    for (size_t i = 0; i < (size_t) n_given; i++) {
        struct param_in in = {.arena = call->arena, .err = &call->err};
        if (is_repeated(given, (size_t) n_given, i, &in.value))
            continue;
        in.row = find_row(given[i].name, rows, n);
        if (in.row == NULL)
            return unknown_name(&call->err, given[i].name, rows, n);
        int rc = in.row->read(&in, (char *) dst + in.row->offset);
        if (rc < 0)
            return rc;
    }
    return 0;
}
