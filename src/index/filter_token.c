/* The words of a filter: blanks, values with quotes and escapes, geo arguments. Knows no operator
 * and builds no tree but the geo conditions, which are words with arguments. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/unicode.h"
#include "index/filter_internal.h"

enum { GEO_MAX_NUMBERS = 100000 };

struct str
filter_rest(const struct filter_parser *p, size_t at)
{
    return str_slice(p->source, at, p->source.len);
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

size_t
filter_skip_blanks(const struct filter_parser *p, size_t at)
{
    while (at < p->source.len && is_blank(p->source.data[at]))
        at++;
    return at;
}

static size_t
skip_spaces(const struct filter_parser *p, size_t at)
{
    size_t len;
    while (at < p->source.len && unicode_is_space(unicode_read(p->source, at, &len)))
        at += len;
    return at;
}

static size_t
word_len(const struct filter_parser *p, size_t at, bool with_dots)
{
    size_t end = at, len;
    for (; end < p->source.len; end += len) {
        uint32_t c = unicode_read(p->source, end, &len);
        if (!unicode_is_letter(c) && c != '_' && c != '-' && (c != '.' || !with_dots))
            break;
    }
    return end - at;
}

size_t
filter_word_len(const struct filter_parser *p, size_t at)
{
    return word_len(p, at, true);
}

bool
filter_is_word(const struct filter_parser *p, size_t at, const char *word)
{
    return str_is(str_slice(p->source, at, at + filter_word_len(p, at)), word);
}

bool
filter_has(const struct filter_parser *p, size_t at, const char *text)
{
    return str_starts_with(filter_rest(p, at), text);
}

/* --- escapes */

/* Reads up to max digits of the base: their number. */
static size_t
read_digits(struct str s, size_t at, unsigned base, size_t max, uint32_t *ret)
{
    size_t n = 0;
    for (*ret = 0; n < max && at + n < s.len; n++) {
        int digit = str_hex_value(s.data[at + n]);
        if (digit < 0 || (unsigned) digit >= base)
            break;
        *ret = *ret * base + (uint32_t) digit;
    }
    return n;
}

enum escape { ESCAPE_OK, ESCAPE_CUT, ESCAPE_BAD_NUMBER, ESCAPE_BAD_CHAR };

/* \xHH, \uHHHH, \u{H...}; at is behind the letter. */
static enum escape
read_hex_escape(struct str s, size_t *at, char letter, uint32_t *ret)
{
    bool in_braces = letter == 'u' && *at < s.len && s.data[*at] == '{';
    size_t want = letter == 'x' ? 2 : 4;
    if (in_braces) {
        size_t close = str_find(s, '}', ++*at);
        if (close == s.len)
            return ESCAPE_CUT;
        want = close - *at;
    }
    if (*at + want > s.len)
        return ESCAPE_CUT;
    if (want == 0 || want > 8 || read_digits(s, *at, 16, want, ret) != want)
        return ESCAPE_BAD_NUMBER;
    *at += want + in_braces;
    return ESCAPE_OK;
}

static enum escape
read_escape(struct str s, size_t *at, uint32_t *ret)
{
    static const char letters[] = "bfnrt'\"\\", values[] = "\b\f\n\r\t'\"\\";
    if (*at == s.len)
        return ESCAPE_CUT;
    char c = s.data[(*at)++];
    const char *found = c == '\0' ? NULL : strchr(letters, c);
    enum escape result = ESCAPE_OK;
    if (found != NULL)
        *ret = (uint32_t) values[found - letters];
    else if (c == 'x' || c == 'u')
        result = read_hex_escape(s, at, c, ret);
    else if (c >= '0' && c <= '7')
        *at += read_digits(s, *at - 1, 8, c <= '3' ? 3 : 2, ret) - 1;
    else
        return ESCAPE_BAD_CHAR;
    if (result == ESCAPE_OK && (*ret > 0x10FFFF || (*ret >= 0xD800 && *ret <= 0xDFFF)))
        return ESCAPE_BAD_CHAR;
    return result;
}

/* First the quote itself, then everything else, as upstream does in two passes. */
static struct str
unquote(struct arena *a, struct str s, char quote)
{
    char *out = arena_alloc(a, s.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '\\' && i + 1 < s.len && s.data[i + 1] == quote)
            i++;
        out[n++] = s.data[i];
    }
    return str_make(out, n);
}

static enum escape
unescape(struct arena *a, struct str s, struct str *ret)
{
    struct buf out = BUF_INIT;
    enum escape result = ESCAPE_OK;
    size_t at = 0;
    while (at < s.len && result == ESCAPE_OK) {
        uint32_t code;
        if (s.data[at] != '\\') {
            buf_add_char(&out, s.data[at++]);
            continue;
        }
        at++;
        result = read_escape(s, &at, &code);
        if (result == ESCAPE_OK)
            unicode_write(&out, code);
    }
    if (result == ESCAPE_OK)
        *ret = arena_copy(a, buf_str(&out));
    buf_done(&out);
    return result;
}

/* --- values */

static enum filter_result
refuse_value(struct filter_parser *p, struct str fragment, enum filter_no why)
{
    p->no_fragment = fragment;
    p->no = why;
    return FILTER_NO;
}

static enum filter_result
finish_value(struct filter_parser *p, struct filter_token *t)
{
    if (memchr(t->value.len > 0 ? t->value.data : "", '\\', t->value.len) == NULL)
        return FILTER_OK;
    switch (unescape(p->arena, t->value, &t->value)) {
    case ESCAPE_CUT:
        return filter_fail(p, p->source,
                           "The filter is incomplete and requires Unknown additional bytes to be "
                           "parsed.");
    case ESCAPE_BAD_NUMBER:
        return refuse_value(p, t->fragment, FILTER_NO_NUMBER);
    case ESCAPE_BAD_CHAR:
        return refuse_value(p, t->fragment, FILTER_NO_ESCAPE);
    default:
        return FILTER_OK;
    }
}

/* at: the opening quote. */
static enum filter_result
read_quoted(struct filter_parser *p, size_t *at, struct filter_token *ret)
{
    char quote = p->source.data[*at];
    size_t from = *at + 1, end = from;
    bool has_escape = false;
    while (end < p->source.len && p->source.data[end] != quote) {
        if (p->source.data[end] == '\\') {
            if (++end == p->source.len)
                return filter_fail(p, filter_rest(p, from), "Malformed value: `%s`.",
                                   filter_shown(p, filter_rest(p, from)));
            has_escape |= p->source.data[end] == quote;
        }
        end++;
    }
    if (end >= p->source.len)
        return filter_fail(p, filter_rest(p, *at),
                           "Expression `%s` is missing the following closing delimiter: `%c`.",
                           filter_shown(p, filter_rest(p, *at)), quote);
    ret->fragment = ret->value = str_slice(p->source, from, end);
    if (has_escape)
        ret->value = unquote(p->arena, ret->fragment, quote);
    *at = end + 1;
    return finish_value(p, ret);
}

static bool
is_keyword(struct str word)
{
    static const char *const keywords[] = {
        "AND",  "OR",    "IN",       "NOT",    "TO",   "EXISTS",     "IS",
        "NULL", "EMPTY", "CONTAINS", "STARTS", "WITH", "_geoRadius", "_geoBoundingBox",
    };
    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
        if (str_is(word, keywords[i]))
            return true;
    return false;
}

/* Geo words are conditions or nothing at all, never values. */
static enum filter_result
refuse_geo_words(struct filter_parser *p, size_t at)
{
    const char *reserved = filter_has(p, at, "_geoPoint")      ? "_geoPoint"
                           : filter_has(p, at, "_geoDistance") ? "_geoDistance"
                           : filter_is_word(p, at, "_geo")     ? "_geo"
                                                               : NULL;
    if (reserved != NULL)
        return filter_fail(
            p, filter_rest(p, at),
            "`%s` is a reserved keyword and thus can't be used as a filter expression. Use the "
            "`_geoRadius(latitude, longitude, distance)` or `_geoBoundingBox([latitude, "
            "longitude], [latitude, longitude])` built-in rules to filter on `_geo` coordinates.",
            reserved);
    const char *misused = filter_is_word(p, at, "_geoRadius")        ? "_geoRadius"
                          : filter_is_word(p, at, "_geoBoundingBox") ? "_geoBoundingBox"
                                                                     : NULL;
    if (misused == NULL)
        return FILTER_OK;
    return filter_fail(p, filter_rest(p, at),
                       "The `%s` filter is an operation and can't be used as a value.", misused);
}

/* What a message shows where no value is: up to the next blank or operator. */
static struct str
wrong_word(const struct filter_parser *p, size_t at)
{
    size_t end = at, len;
    for (; end < p->source.len; end += len) {
        uint32_t c = unicode_read(p->source, end, &len);
        if (unicode_is_space(c) || (c != 0 && c < 0x80 && strchr("()=<>!", (int) c) != NULL))
            break;
    }
    return str_slice(p->source, at, end);
}

static enum filter_result
read_word(struct filter_parser *p, size_t *at, struct filter_token *ret)
{
    size_t len = filter_word_len(p, *at);
    ret->fragment = ret->value = str_slice(p->source, *at, *at + len);
    if (len == 0)
        return refuse_value(p, wrong_word(p, *at), FILTER_NO_VALUE);
    if (is_keyword(ret->fragment))
        return refuse_value(p, wrong_word(p, *at), FILTER_NO_KEYWORD);
    *at += len;
    return FILTER_OK;
}

enum filter_result
filter_read_value(struct filter_parser *p, size_t *at, struct filter_token *ret)
{
    size_t end = skip_spaces(p, *at);
    *ret = (struct filter_token){.source = p->source};
    enum filter_result result = refuse_geo_words(p, end);
    if (result != FILTER_OK)
        return result;
    bool is_quoted =
        end < p->source.len && (p->source.data[end] == '\'' || p->source.data[end] == '"');
    result = is_quoted ? read_quoted(p, &end, ret) : read_word(p, &end, ret);
    if (result == FILTER_OK)
        *at = filter_skip_blanks(p, end);
    return result;
}

enum filter_result
filter_need_value(struct filter_parser *p, size_t *at, struct filter_token *ret)
{
    enum filter_result result = filter_read_value(p, at, ret);
    if (result != FILTER_NO)
        return result;
    char *shown = filter_shown(p, p->no_fragment);
    if (p->no == FILTER_NO_NUMBER)
        return filter_fail(p, p->no_fragment, "Found an invalid escaped sequence number: `%s`.",
                           shown);
    if (p->no == FILTER_NO_ESCAPE)
        return filter_fail(p, p->no_fragment, "Malformed value: `%s`.", shown);
    if (p->no_fragment.len == 0)
        return filter_fail(p, p->no_fragment, "Was expecting a value but instead got nothing.");
    if (p->no == FILTER_NO_KEYWORD)
        return filter_fail(p, p->no_fragment,
                           "Was expecting a value but instead got `%s`, which is a reserved "
                           "keyword. To use `%s` as a field name or a value, surround it by "
                           "quotes.",
                           shown, shown);
    return filter_fail(p, p->no_fragment, "Was expecting a value but instead got `%s`.", shown);
}

enum filter_result
filter_read_name(struct filter_parser *p, size_t *at, struct filter_token *ret)
{
    *ret = (struct filter_token){.source = p->source};
    if (*at < p->source.len && (p->source.data[*at] == '\'' || p->source.data[*at] == '"'))
        return read_quoted(p, at, ret);
    size_t len = word_len(p, *at, false);
    ret->fragment = ret->value = str_slice(p->source, *at, *at + len);
    *at += len;
    return len > 0 ? FILTER_OK : FILTER_NO;
}

/* --- numbers */

static size_t
skip_digits(struct str s, size_t at)
{
    while (at < s.len && s.data[at] >= '0' && s.data[at] <= '9')
        at++;
    return at;
}

/* The length of the number at `at`: sign, digits with a point among them, exponent; 0 for none. */
static size_t
number_len(struct str s, size_t from)
{
    size_t at = from;
    at += at < s.len && (s.data[at] == '-' || s.data[at] == '+');
    size_t whole = at;
    at = skip_digits(s, at);
    bool has_digits = at > whole;
    if (at < s.len && s.data[at] == '.') {
        size_t fraction = skip_digits(s, at + 1);
        if (!has_digits && fraction == at + 1)
            return 0;
        has_digits = true;
        at = fraction;
    }
    if (!has_digits || at == s.len || (s.data[at] != 'e' && s.data[at] != 'E'))
        return has_digits ? at - from : 0;
    size_t exponent = at + 1;
    exponent += exponent < s.len && (s.data[exponent] == '-' || s.data[exponent] == '+');
    size_t end = skip_digits(s, exponent);
    return end > exponent ? end - from : at - from;
}

bool
filter_number(struct str text, double *ret)
{
    char small[64];
    if (text.len == 0 || number_len(text, 0) != text.len)
        return false;
    char *copy = text.len < sizeof(small) ? small : mem_new(text.len + 1, 1);
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *ret = strtod(copy, NULL);
    if (copy != small)
        free(copy);
    return isfinite(*ret);
}

/* --- geo */

struct number_list {
    struct filter_number *items;
    size_t n, cap;
};

static bool
add_number(struct number_list *list, const struct filter_parser *p, struct str fragment)
{
    if (list->n == GEO_MAX_NUMBERS)
        return false;
    if (list->n == list->cap) {
        list->cap = list->cap == 0 ? 8 : list->cap * 2;
        list->items = mem_grow(list->items, list->cap, sizeof(*list->items));
    }
    struct filter_token token = {.source = p->source, .fragment = fragment, .value = fragment};
    list->items[list->n++] = (struct filter_number){.token = token};
    return true;
}

/* Numbers with commas between them: false when not even one is there, at = where it was missed. */
static bool
read_numbers(struct filter_parser *p, size_t *at, struct number_list *list)
{
    size_t from = filter_skip_blanks(p, *at), n_before = list->n;
    for (;;) {
        size_t len = number_len(p->source, from);
        if (len == 0 || !add_number(list, p, str_slice(p->source, from, from + len)))
            break;
        *at = filter_skip_blanks(p, from + len);
        if (!filter_has(p, *at, ","))
            return true;
        from = filter_skip_blanks(p, *at + 1);
    }
    if (list->n == n_before)
        *at = from;
    return list->n > n_before;
}

/* [numbers]: false with at = where something else was met. */
static bool
read_point(struct filter_parser *p, size_t *at, struct number_list *list)
{
    size_t end = filter_skip_blanks(p, *at);
    *at = end;
    if (!filter_has(p, end, "["))
        return false;
    end++;
    bool is_read = read_numbers(p, &end, list);
    *at = end;
    if (!is_read || !filter_has(p, end, "]"))
        return false;
    *at = filter_skip_blanks(p, end + 1);
    return true;
}

/* Points with commas between them; sizes gets the numbers of each. */
struct point_list {
    struct number_list numbers;
    size_t n, n_wrong; /* points; numbers of the first without two */
    struct str wrong;  /* and its first number */
    struct str last;   /* the last number of all */
};

static bool
read_points(struct filter_parser *p, size_t *at, struct point_list *list)
{
    for (;;) {
        size_t before = list->numbers.n, end = *at + (list->n > 0);
        if (!read_point(p, &end, &list->numbers)) {
            list->numbers.n = before;
            if (list->n == 0)
                *at = end;
            return list->n > 0;
        }
        size_t n = list->numbers.n - before;
        if (n != 2 && list->n_wrong == 0) {
            list->n_wrong = n;
            list->wrong = list->numbers.items[before].token.fragment;
        }
        list->last = list->numbers.items[list->numbers.n - 1].token.fragment;
        list->n++;
        *at = end;
        if (!filter_has(p, end, ","))
            return true;
    }
}

static struct filter_node *
node_of_numbers(struct filter_parser *p, enum filter_op op, const struct number_list *list)
{
    struct filter_node *node = filter_node_new(p->arena, op);
    node->numbers = arena_alloc(p->arena, list->n * sizeof(*node->numbers));
    memcpy(node->numbers, list->items, list->n * sizeof(*node->numbers));
    node->n_numbers = list->n;
    return node;
}

static enum filter_result
read_radius(struct filter_parser *p, size_t *at, struct filter_node **ret)
{
    struct number_list list = {0};
    size_t end = *at;
    enum filter_result result = FILTER_OK;
    bool is_fine = filter_has(p, end, "(");
    if (is_fine) {
        end++;
        is_fine = read_numbers(p, &end, &list) && filter_has(p, end, ")");
    }
    if (!is_fine)
        result = filter_fail(p, filter_rest(p, end),
                             "The `_geoRadius` filter must be in the form: `_geoRadius(latitude, "
                             "longitude, radius, optionalResolution)`.");
    else if (list.n < 3 || list.n > 4)
        result = filter_fail(p, filter_rest(p, end + 1),
                             "Was expecting 3 or 4 arguments for `_geoRadius`, but instead found "
                             "%zu.",
                             list.n);
    if (result == FILTER_OK) {
        *ret = node_of_numbers(p, FILTER_GEO_RADIUS, &list);
        *at = end + 1;
    }
    free(list.items);
    return result;
}

/* (points), for a polygon with an optional comma before the parenthesis: false with at = where
 * something else was met. */
static bool
read_shape(struct filter_parser *p, size_t *at, bool may_end_in_comma, struct point_list *list)
{
    if (!filter_has(p, *at, "("))
        return false;
    ++*at;
    if (!read_points(p, at, list))
        return false;
    if (may_end_in_comma && filter_has(p, *at, ","))
        *at = filter_skip_blanks(p, *at + 1);
    if (!filter_has(p, *at, ")"))
        return false;
    ++*at;
    return true;
}

static enum filter_result
refuse_pair(struct filter_parser *p, const struct point_list *list)
{
    return filter_fail(p, list->wrong, "Was expecting 2 coordinates but instead found %zu.",
                       list->n_wrong);
}

static enum filter_result
read_box(struct filter_parser *p, size_t *at, struct filter_node **ret)
{
    struct point_list list = {0};
    size_t end = *at;
    enum filter_result result = FILTER_OK;
    if (!read_shape(p, &end, false, &list) || list.n != 2)
        result = filter_fail(p, filter_rest(p, end),
                             "The `_geoBoundingBox` filter expects two pairs of arguments: "
                             "`_geoBoundingBox([latitude, longitude], [latitude, longitude])`.");
    else if (list.n_wrong > 0)
        result = refuse_pair(p, &list);
    if (result == FILTER_OK) {
        *ret = node_of_numbers(p, FILTER_GEO_BOX, &list.numbers);
        *at = end;
    }
    free(list.numbers.items);
    return result;
}

static enum filter_result
read_polygon(struct filter_parser *p, size_t *at, struct filter_node **ret)
{
    struct point_list list = {0};
    size_t end = *at;
    enum filter_result result = FILTER_OK;
    if (!read_shape(p, &end, true, &list))
        result = filter_fail(p, filter_rest(p, end),
                             "The `_geoPolygon` filter doesn't match the expected format: "
                             "`_geoPolygon([latitude, longitude], [latitude, longitude])`.");
    else if (list.n < 3)
        result = filter_fail(p, list.last,
                             "The `_geoPolygon` filter expects at least 3 points but only %zu were "
                             "specified",
                             list.n);
    else if (list.n_wrong > 0)
        result = refuse_pair(p, &list);
    if (result == FILTER_OK) {
        *ret = node_of_numbers(p, FILTER_GEO_POLYGON, &list.numbers);
        *at = end;
    }
    free(list.numbers.items);
    return result;
}

enum filter_result
filter_read_geo(struct filter_parser *p, size_t *at, struct filter_node **ret)
{
    static const struct {
        const char *word;
        enum filter_result (*read)(struct filter_parser *p, size_t *at, struct filter_node **ret);
    } rows[] = {
        {"_geoRadius", read_radius},
        {"_geoBoundingBox", read_box},
        {"_geoPolygon", read_polygon},
    };
    size_t from = filter_skip_blanks(p, *at);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!filter_is_word(p, from, rows[i].word))
            continue;
        *at = from + strlen(rows[i].word);
        return rows[i].read(p, at, ret);
    }
    return FILTER_NO;
}
