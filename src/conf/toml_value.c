/* Values of TOML 1.0: strings, numbers, booleans, arrays, inline tables. Knows nothing of options;
 * entered from toml.c. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "conf/toml_internal.h"

/* --- strings ----------------------------------------------------------------------------------*/

/* The text between the quotes, before escapes are resolved. */
struct quoted {
    const char *at, *end;
    char quote;
    bool is_multiline;
};

static size_t
count_quotes(const struct toml_reader *r, const char *at, char quote)
{
    size_t n = 0;
    while (at + n < r->end && at[n] == quote)
        n++;
    return n;
}

/* Moves to the end of the string; the closing quotes of a multi-line one may follow up to two that
 * belong to the text. */
static int
find_closing_quote(struct toml_reader *r, struct quoted *q)
{
    for (const char *p = q->at; p < r->end; p++) {
        if (*p == '\\' && q->quote == '"') {
            p++;
        } else if (*p == q->quote && !q->is_multiline) {
            q->end = p;
            r->at = p + 1;
            return 0;
        } else if (*p == q->quote) {
            size_t n = count_quotes(r, p, q->quote);
            if (n >= 3) {
                q->end = p + (n > 5 ? 2 : n - 3);
                r->at = q->end + 3;
                return 0;
            }
            p += n - 1;
        } else if (*p == '\n' && !q->is_multiline) {
            break;
        }
    }
    return toml_fail(r, "a string without its closing quote");
}

static char *
write_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (char) c;
        return out;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint32_t LEAD[] = {0, 0xc0, 0xe0, 0xf0};
    *out++ = (char) (LEAD[more] | c >> (6 * more));
    while (more-- > 0)
        *out++ = (char) (0x80 | ((c >> (6 * more)) & 0x3f));
    return out;
}

static int
read_code_point(struct toml_reader *r, struct quoted *q, int digits, char **out)
{
    uint32_t c = 0;
    for (int i = 0; i < digits; i++) {
        int v = q->at < q->end ? str_hex_value(*q->at) : -1;
        if (v < 0)
            return toml_fail(r, "expected %d hexadecimal digits after '\\%c'", digits,
                             digits == 4 ? 'u' : 'U');
        c = c << 4 | (uint32_t) v;
        q->at++;
    }
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return toml_fail(r, "'\\%c%0*X' is not a Unicode scalar value", digits == 4 ? 'u' : 'U',
                         digits, (unsigned) c);
    *out = write_utf8(*out, c);
    return 0;
}

/* A backslash at the end of a line of a multi-line string takes away all blanks and line ends up to
 * the next text. False when it is not one. */
static bool
skip_folded_line(struct toml_reader *r, struct quoted *q)
{
    const char *p = q->at;
    while (p < q->end && (*p == ' ' || *p == '\t'))
        p++;
    if (p + 1 < q->end && *p == '\r' && p[1] == '\n')
        p++;
    if (!q->is_multiline || p >= q->end || *p != '\n')
        return false;
    for (; p < q->end && (*p == ' ' || *p == '\t' || *p == '\n' ||
                          (*p == '\r' && p + 1 < q->end && p[1] == '\n'));
         p++)
        r->line += *p == '\n';
    q->at = p;
    return true;
}

static int
read_escape(struct toml_reader *r, struct quoted *q, char **out)
{
    static const char NAMES[] = "btnfr\"\\", VALUES[] = "\b\t\n\f\r\"\\";
    if (skip_folded_line(r, q))
        return 0;
    char c = q->at < q->end ? *q->at : '\0';
    const char *name = c == '\0' ? NULL : strchr(NAMES, c);
    if (name != NULL) {
        q->at++;
        *(*out)++ = VALUES[name - NAMES];
        return 0;
    }
    if (c != 'u' && c != 'U')
        return toml_fail(r,
                         "unknown escape in a string: only \\b \\t \\n \\f \\r \\\" \\\\ \\uXXXX "
                         "\\UXXXXXXXX exist (use 'single quotes' for plain text)");
    q->at++;
    return read_code_point(r, q, c == 'u' ? 4 : 8, out);
}

static int
read_string_byte(struct toml_reader *r, struct quoted *q, char **out)
{
    char c = *q->at++;
    if (c == '\\' && q->quote == '"')
        return read_escape(r, q, out);
    if (c == '\r' && q->is_multiline && q->at < q->end && *q->at == '\n')
        return 0; /* CR LF becomes LF */
    bool is_newline = c == '\n' && q->is_multiline;
    if ((((unsigned char) c < 0x20 && c != '\t') || c == 0x7f) && !is_newline)
        return toml_fail(r, "control character 0x%02x in a string", (unsigned char) c);
    r->line += is_newline;
    *(*out)++ = c;
    return 0;
}

int
toml_read_string(struct toml_reader *r, bool may_be_multiline, char **ret, size_t *ret_len)
{
    struct quoted q = {.quote = *r->at};
    size_t quotes = count_quotes(r, r->at, q.quote);
    q.is_multiline = quotes >= 3;
    if (q.is_multiline && !may_be_multiline)
        return toml_fail(r, "a multi-line string cannot be a key");
    q.at = r->at + (q.is_multiline ? 3 : 1);
    if (find_closing_quote(r, &q) != 0)
        return -1;
    /* an escape is never shorter than what it stands for */
    char *text = arena_alloc(r->arena, (size_t) (q.end - q.at) + 1), *out = text;
    if (q.is_multiline && q.at + 1 < q.end && q.at[0] == '\r' && q.at[1] == '\n')
        q.at++;
    if (q.is_multiline && q.at < q.end && *q.at == '\n') {
        q.at++;
        r->line++;
    }
    while (q.at < q.end) {
        if (read_string_byte(r, &q, &out) != 0)
            return -1;
    }
    *ret = text;
    *ret_len = (size_t) (out - text);
    return 0;
}

/* --- numbers ----------------------------------------------------------------------------------*/

static bool
is_digit(char c, int base)
{
    int v = str_hex_value(c);
    return v >= 0 && v < base;
}

/* Copies digits to *out, taking the underscores between them away; how many, 0 for none or a stray
 * underscore. */
static size_t
take_digits(const char **in, int base, char **out)
{
    size_t n = 0;
    while (is_digit(**in, base) || (**in == '_' && n > 0 && is_digit((*in)[1], base))) {
        if (**in != '_') {
            *(*out)++ = **in;
            n++;
        }
        (*in)++;
    }
    return **in == '_' ? 0 : n;
}

static int
store_integer(struct toml_reader *r, const char *digits, int base, struct toml *node)
{
    char *end;
    errno = 0;
    node->type = TOML_INTEGER;
    node->integer = strtoll(digits, &end, base);
    if (errno != 0 || *end != '\0')
        return toml_fail(r, "an integer that does not fit into 64 bits");
    return 0;
}

static int
store_float(struct toml_reader *r, const char *digits, struct toml *node)
{
    node->type = TOML_FLOAT;
    node->real = strtod(digits, NULL);
    if (isinf(node->real))
        return toml_fail(r, "a float that is too large");
    return 0;
}

/* [.digits][e[sign]digits] after the whole part; false when it is not that. */
static bool
take_fraction(const char **in, char **out)
{
    if (**in == '.') {
        *(*out)++ = *(*in)++;
        if (take_digits(in, 10, out) == 0)
            return false;
    }
    if (**in == 'e' || **in == 'E') {
        *(*out)++ = *(*in)++;
        if (**in == '+' || **in == '-')
            *(*out)++ = *(*in)++;
        if (take_digits(in, 10, out) == 0)
            return false;
    }
    return **in == '\0';
}

static int
parse_decimal(struct toml_reader *r, const char *token, struct toml *node)
{
    char *clean = arena_alloc(r->arena, strlen(token) + 1), *out = clean;
    const char *in = token;
    if (*in == '+' || *in == '-')
        *out++ = *in++;
    bool is_zero = *in == '0';
    size_t digits = take_digits(&in, 10, &out);
    if (digits == 0)
        return toml_fail(r, "expected a value (text needs quotes)");
    if (is_zero && digits > 1)
        return toml_fail(r, "a number cannot begin with a zero");
    if (*in == '\0')
        return store_integer(r, clean, 10, node);
    if (!take_fraction(&in, &out))
        return toml_fail(r, "a malformed number");
    return store_float(r, clean, node);
}

static int
parse_prefixed(struct toml_reader *r, const char *token, int base, struct toml *node)
{
    char *clean = arena_alloc(r->arena, strlen(token) + 1), *out = clean;
    const char *in = token + 2;
    if (take_digits(&in, base, &out) == 0 || *in != '\0')
        return toml_fail(r, "a malformed number");
    return store_integer(r, clean, base, node);
}

static bool
looks_like_time(const char *token)
{
    size_t n = strspn(token, "0123456789");
    return (n == 4 && token[4] == '-') || (n == 2 && token[2] == ':');
}

/* true, false, inf, nan. */
static bool
parse_word(const char *token, struct toml *node)
{
    const char *word = *token == '+' || *token == '-' ? token + 1 : token;
    if (strcmp(token, "true") == 0 || strcmp(token, "false") == 0) {
        node->type = TOML_BOOLEAN;
        node->boolean = *token == 't';
        return true;
    }
    if (strcmp(word, "inf") != 0 && strcmp(word, "nan") != 0)
        return false;
    node->type = TOML_FLOAT;
    node->real = *word == 'i' ? (double) INFINITY : (double) NAN;
    if (*token == '-')
        node->real = -node->real;
    return true;
}

static int
read_plain(struct toml_reader *r, struct toml *node)
{
    const char *start = r->at;
    while (r->at < r->end && strchr(" \t\r\n#,]}[{=\"'", *r->at) == NULL)
        r->at++;
    if (r->at == start)
        return toml_fail(r, "expected a value");
    const char *token = arena_strndup(r->arena, start, (size_t) (r->at - start));
    if (parse_word(token, node))
        return 0;
    if (looks_like_time(token))
        return toml_fail(r, "dates and times are not supported");
    if (token[0] == '0' && token[1] == 'x')
        return parse_prefixed(r, token, 16, node);
    if (token[0] == '0' && token[1] == 'o')
        return parse_prefixed(r, token, 8, node);
    if (token[0] == '0' && token[1] == 'b')
        return parse_prefixed(r, token, 2, node);
    return parse_decimal(r, token, node);
}

/* --- arrays and inline tables -----------------------------------------------------------------*/

static int
read_array(struct toml_reader *r, struct toml *array)
{
    array->is_inline = true;
    for (;;) {
        struct toml *item;
        if (toml_skip_gaps(r) != 0)
            return -1;
        if (toml_accept(r, ']'))
            return 0;
        if (toml_read_value(r, &item) != 0 || toml_skip_gaps(r) != 0)
            return -1;
        toml_append(array, item);
        if (toml_accept(r, ']'))
            return 0;
        if (!toml_accept(r, ','))
            return toml_fail(r, "expected ',' or ']' in the array");
    }
}

static int
read_inline_table(struct toml_reader *r, struct toml *table)
{
    table->is_inline = true;
    toml_skip_blanks(r);
    if (toml_accept(r, '}'))
        return 0;
    do {
        if (toml_read_pair(r, table) != 0)
            return -1;
        toml_skip_blanks(r);
    } while (toml_accept(r, ','));
    return toml_accept(r, '}') ? 0 : toml_fail(r, "expected ',' or '}' in the inline table");
}

static int
read_nested(struct toml_reader *r, struct toml *node)
{
    if (r->depth == TOML_MAX_DEPTH)
        return toml_fail(r, "nested deeper than %d levels", TOML_MAX_DEPTH);
    r->depth++;
    bool is_array = *r->at++ == '[';
    node->type = is_array ? TOML_ARRAY : TOML_TABLE;
    int rc = is_array ? read_array(r, node) : read_inline_table(r, node);
    r->depth--;
    return rc;
}

int
toml_read_value(struct toml_reader *r, struct toml **ret)
{
    struct toml *node = toml_new(r, TOML_STRING);
    if (node == NULL)
        return -1;
    *ret = node;
    switch (toml_peek(r)) {
    case '"':
    case '\'':
        return toml_read_string(r, true, &node->string, &node->string_len);
    case '[':
    case '{':
        return read_nested(r, node);
    default:
        return read_plain(r, node);
    }
}
