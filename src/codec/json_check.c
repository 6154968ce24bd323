/* The diagnosing JSON scanner: walks a text in serde_json's order of checks without building a
 * tree. Must not know yyjson; entered from json.c and docs_json.c on the error path. */
#include "codec/json_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/json.h"

#define EOF_VALUE "EOF while parsing a value"
#define EOF_LIST "EOF while parsing a list"
#define EOF_OBJECT "EOF while parsing an object"
#define EOF_STRING "EOF while parsing a string"
#define CONTROL_CHARACTER "control character (\\u0000-\\u001F) found while parsing a string"
#define LONE_SURROGATE "lone leading surrogate in hex escape"

struct scan {
    struct str text;
    size_t at;
    struct json_fault fault;
    size_t depth;
    bool is_object[JSON_MAX_DEPTH];
};

/* The next byte, or -1 at the end. */
static int
peek(const struct scan *s)
{
    return s->at < s->text.len ? (unsigned char) s->text.data[s->at] : -1;
}

static int
peek_token(struct scan *s)
{
    int c;
    while ((c = peek(s)) == ' ' || c == '\t' || c == '\n' || c == '\r')
        s->at++;
    return c;
}

/* A fault at what has been consumed. */
static bool
fail(struct scan *s, const char *what)
{
    s->fault = (struct json_fault){what, s->at};
    return false;
}

/* A fault at the byte that is next. */
static bool
fail_next(struct scan *s, const char *what)
{
    s->fault = (struct json_fault){what, s->at < s->text.len ? s->at + 1 : s->at};
    return false;
}

static bool
scan_word(struct scan *s, const char *word)
{
    for (; *word != '\0'; word++) {
        int c = peek(s);
        if (c < 0)
            return fail(s, EOF_VALUE);
        s->at++;
        if (c != *word)
            return fail(s, "expected ident");
    }
    return true;
}

static bool
is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static void
skip_digits(struct scan *s)
{
    while (is_digit(peek(s)))
        s->at++;
}

/* start: of the number. serde_json gives up at the digit with which the exponent passes 31 bits. */
static bool
scan_exponent(struct scan *s, size_t start)
{
    s->at++;
    if (peek(s) == '+' || peek(s) == '-')
        s->at++;
    int c = peek(s);
    if (c < 0)
        return fail(s, EOF_VALUE);
    s->at++;
    if (!is_digit(c))
        return fail(s, "invalid number");
    long exponent = c - '0';
    while (is_digit(c = peek(s)) && exponent <= INT32_MAX) {
        s->at++;
        exponent = exponent * 10 + (c - '0');
    }
    if (exponent > INT32_MAX && !json_number_fits(str_slice(s->text, start, s->at)))
        return fail(s, "number out of range");
    skip_digits(s);
    return true;
}

/* Entered at the first byte, a digit or '-'. */
static bool
scan_number(struct scan *s)
{
    size_t start = s->at;
    if (peek(s) == '-')
        s->at++;
    int first = peek(s);
    if (first < 0)
        return fail(s, EOF_VALUE);
    s->at++;
    if (!is_digit(first))
        return fail(s, "invalid number");
    if (first == '0' && is_digit(peek(s)))
        return fail_next(s, "invalid number");
    skip_digits(s);
    if (peek(s) == '.') {
        s->at++;
        if (!is_digit(peek(s)))
            return fail_next(s, peek(s) < 0 ? EOF_VALUE : "invalid number");
        skip_digits(s);
    }
    if ((peek(s) == 'e' || peek(s) == 'E') && !scan_exponent(s, start))
        return false;
    return json_number_fits(str_slice(s->text, start, s->at)) || fail(s, "number out of range");
}

static bool
scan_hex4(struct scan *s, unsigned *ret)
{
    if (s->text.len - s->at < 4) {
        s->at = s->text.len;
        return fail(s, EOF_STRING);
    }
    int value = 0, bad = 0;
    for (int i = 0; i < 4; i++) {
        int digit = str_hex_value(s->text.data[s->at++]);
        bad |= digit;
        value = value * 16 + digit;
    }
    if (bad < 0)
        return fail(s, "invalid escape");
    *ret = (unsigned) value;
    return true;
}

/* After "\u"; *ret_len is the number of UTF-8 bytes the escape stands for. */
static bool
scan_unicode_escape(struct scan *s, size_t *ret_len)
{
    unsigned unit;
    if (!scan_hex4(s, &unit))
        return false;
    if (unit >= 0xDC00 && unit <= 0xDFFF)
        return fail(s, LONE_SURROGATE);
    if (unit < 0xD800 || unit > 0xDFFF) {
        *ret_len = unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
        return true;
    }
    for (const char *expected = "\\u"; *expected != '\0'; expected++) {
        int c = peek(s);
        if (c < 0)
            return fail(s, EOF_STRING);
        s->at++;
        if (c != *expected)
            return fail(s, "unexpected end of hex escape");
    }
    if (!scan_hex4(s, &unit))
        return false;
    *ret_len = 4;
    return (unit >= 0xDC00 && unit <= 0xDFFF) || fail(s, LONE_SURROGATE);
}

/* After a backslash. */
static bool
scan_escape(struct scan *s, size_t *ret_len)
{
    int c = peek(s);
    if (c < 0)
        return fail(s, EOF_STRING);
    s->at++;
    *ret_len = 1;
    if (c == 'u')
        return scan_unicode_escape(s, ret_len);
    return (c != '\0' && strchr("\"\\/bfnrt", c) != NULL) || fail(s, "invalid escape");
}

static size_t
plain_end(const struct scan *s)
{
    size_t at = s->at;
    while (at < s->text.len && s->text.data[at] != '"' && s->text.data[at] != '\\' &&
           (unsigned char) s->text.data[at] >= 0x20)
        at++;
    return at;
}

/* After the opening quote. Bad UTF-8 is reported only when the closing quote was found, at its
 * place in the string as it is without escapes: serde_json checks the decoded text. */
static bool
scan_string(struct scan *s)
{
    bool is_valid = true;
    size_t line_start = s->at, decoded_after_bad = 0;
    while (line_start > 0 && s->text.data[line_start - 1] != '\n')
        line_start--;
    for (;;) {
        struct str plain = str_slice(s->text, s->at, plain_end(s));
        size_t good = is_valid ? str_utf8_prefix(plain) : 0;
        is_valid = is_valid && good == plain.len;
        if (!is_valid)
            decoded_after_bad += plain.len - good;
        s->at += plain.len;
        int c = peek(s);
        if (c < 0)
            return fail(s, EOF_STRING);
        s->at++;
        if (c == '"')
            break;
        size_t escape_len;
        if (c != '\\')
            return fail(s, CONTROL_CHARACTER);
        if (!scan_escape(s, &escape_len))
            return false;
        if (!is_valid)
            decoded_after_bad += escape_len;
    }
    if (is_valid)
        return true;
    size_t column = s->at - line_start;
    column -= decoded_after_bad < column ? decoded_after_bad : column;
    s->fault = (struct json_fault){"invalid unicode code point", line_start + column};
    return false;
}

/* A member's name up to and with the colon; entered at what must be a quote. */
static bool
scan_key(struct scan *s)
{
    if (peek(s) != '"')
        return fail_next(s, "key must be a string");
    s->at++;
    if (!scan_string(s))
        return false;
    int c = peek_token(s);
    if (c != ':')
        return fail_next(s, c < 0 ? EOF_OBJECT : "expected `:`");
    s->at++;
    return true;
}

/* The opening bracket and, in an object, the first key. *ret_empty: the container ended at once. */
static bool
open_container(struct scan *s, bool is_object, bool *ret_empty)
{
    if (s->depth == JSON_MAX_DEPTH)
        return fail_next(s, "recursion limit exceeded");
    s->is_object[s->depth++] = is_object;
    s->at++;
    int c = peek_token(s);
    if (c < 0)
        return fail(s, is_object ? EOF_OBJECT : EOF_LIST);
    *ret_empty = c == (is_object ? '}' : ']');
    return *ret_empty || !is_object || scan_key(s);
}

/* One value, or the start of a container up to its first value; *ret_open tells which. */
static bool
scan_value(struct scan *s, bool *ret_open)
{
    int c = peek_token(s);
    bool is_empty = false;
    *ret_open = false;
    switch (c) {
    case -1:
        return fail(s, EOF_VALUE);
    case 'n':
        return scan_word(s, "null");
    case 't':
        return scan_word(s, "true");
    case 'f':
        return scan_word(s, "false");
    case '"':
        s->at++;
        return scan_string(s);
    case '[':
    case '{':
        if (!open_container(s, c == '{', &is_empty))
            return false;
        *ret_open = !is_empty;
        return true;
    default:
        return c == '-' || is_digit(c) ? scan_number(s) : fail_next(s, "expected value");
    }
}

/* After a value inside a container: up to the next value (*ret_more), or past the bracket. */
static bool
scan_separator(struct scan *s, bool *ret_more)
{
    bool is_object = s->is_object[s->depth - 1];
    int closing = is_object ? '}' : ']', c = peek_token(s);
    *ret_more = false;
    if (c < 0)
        return fail(s, is_object ? EOF_OBJECT : EOF_LIST);
    if (c == closing) {
        s->at++;
        s->depth--;
        return true;
    }
    if (c != ',')
        return fail_next(s, is_object ? "expected `,` or `}`" : "expected `,` or `]`");
    s->at++;
    c = peek_token(s);
    if (c < 0)
        return fail(s, EOF_VALUE);
    if (c == closing)
        return fail_next(s, "trailing comma");
    *ret_more = true;
    return !is_object || scan_key(s);
}

static bool
scan_document(struct scan *s)
{
    for (;;) {
        bool more;
        if (!scan_value(s, &more))
            return false;
        while (!more) {
            if (s->depth == 0)
                return true;
            if (!scan_separator(s, &more))
                return false;
        }
    }
}

struct json_fault
json_check(struct str text)
{
    struct scan s = {.text = text};
    if (scan_document(&s) && peek_token(&s) >= 0)
        (void) fail_next(&s, "trailing characters"); /* sets the fault */
    return s.fault;
}

struct json_fault
json_check_first(struct str text)
{
    struct scan s = {.text = text};
    (void) scan_document(&s); /* sets the fault */
    return s.fault;
}

/* --- numbers ------------------------------------------------------------------------------- */

enum { DOUBLE_MAX_EXPONENT10 = 308, EXPONENT_CAP = 2000000000 };

static long
exponent_value(struct str digits)
{
    long value = 0;
    bool is_negative = digits.len > 0 && digits.data[0] == '-';
    for (size_t i = 0; i < digits.len; i++) {
        if (is_digit(digits.data[i]) && value < EXPONENT_CAP)
            value = value * 10 + (digits.data[i] - '0');
    }
    return is_negative ? -value : value;
}

bool
json_number_fits(struct str number)
{
    enum { KEPT_DIGITS = 40 }; /* enough to tell a magnitude from the largest double's */
    char kept[KEPT_DIGITS + 32];
    size_t n_kept = 0, i = 0;
    bool in_fraction = false;
    long point = 0; /* the value is d.ddd * 10^point, d the first significant digit */
    for (; i < number.len && number.data[i] != 'e' && number.data[i] != 'E'; i++) {
        char c = number.data[i];
        if (c == '.')
            in_fraction = true;
        if (!is_digit(c))
            continue;
        if (n_kept == 0 && c == '0') {
            point -= in_fraction;
            continue;
        }
        point += !in_fraction;
        if (n_kept < KEPT_DIGITS)
            kept[n_kept++] = c;
    }
    if (n_kept == 0)
        return true;
    if (i < number.len)
        point += exponent_value(str_slice(number, i + 1, number.len));
    point--;
    if (point != DOUBLE_MAX_EXPONENT10)
        return point < DOUBLE_MAX_EXPONENT10;
    (void) snprintf(kept + n_kept, sizeof(kept) - n_kept, "e%ld",
                    (long) DOUBLE_MAX_EXPONENT10 + 1 - (long) n_kept); /* fits: see kept */
    return isfinite(strtod(kept, NULL));
}

/* --- places -------------------------------------------------------------------------------- */

void
json_place_advance(struct json_place *place, struct str consumed)
{
    size_t from = 0, at;
    while ((at = str_find(consumed, '\n', from)) < consumed.len) {
        place->line++;
        place->column = 0;
        from = at + 1;
    }
    place->column += consumed.len - from;
}

void
json_fault_write(struct buf *out, const struct json_fault *fault, struct str text,
                 struct json_place start)
{
    json_place_advance(&start, str_slice(text, 0, fault->at));
    buf_addf(out, "%s at line %llu column %llu", fault->what, (unsigned long long) start.line,
             (unsigned long long) start.column);
}
