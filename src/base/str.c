/* Slices of bytes; knows no encoding but ASCII and UTF-8 validity. */
#include "base/str.h"

bool
str_equal(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static char
lower(char c)
{
    return (char) (c >= 'A' && c <= 'Z' ? c + 0x20 : c);
}

bool
str_equal_nocase(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) /* strncasecmp() would stop at a NUL */
        if (lower(a.data[i]) != lower(b.data[i]))
            return false;
    return true;
}

bool
str_is(struct str a, const char *b)
{
    return str_equal(a, str_from(b));
}

bool
str_starts_with(struct str s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.len >= n && (n == 0 || memcmp(s.data, prefix, n) == 0);
}

bool
str_ends_with(struct str s, const char *suffix)
{
    size_t n = strlen(suffix);
    return s.len >= n && (n == 0 || memcmp(s.data + s.len - n, suffix, n) == 0);
}

int
str_compare(struct str a, struct str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n == 0 ? 0 : memcmp(a.data, b.data, n);
    if (c != 0)
        return c;
    return a.len < b.len ? -1 : a.len > b.len;
}

size_t
str_find(struct str s, char c, size_t from)
{
    if (from >= s.len)
        return s.len;
    const char *p = memchr(s.data + from, c, s.len - from);
    return p == NULL ? s.len : (size_t) (p - s.data);
}

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str
str_trim(struct str s)
{
    while (s.len > 0 && is_space(s.data[0])) {
        s.data++;
        s.len--;
    }
    while (s.len > 0 && is_space(s.data[s.len - 1]))
        s.len--;
    return s;
}

struct str
str_slice(struct str s, size_t from, size_t to)
{
    if (to > s.len)
        to = s.len;
    if (from > to)
        from = to;
    return (struct str){s.data == NULL ? NULL : s.data + from, to - from};
}

bool
str_split(struct str *rest, char c, struct str *ret_piece)
{
    if (rest->data == NULL)
        return false;
    size_t at = str_find(*rest, c, 0);
    *ret_piece = str_slice(*rest, 0, at);
    if (at == rest->len)
        *rest = STR_NULL;
    else
        *rest = str_slice(*rest, at + 1, rest->len);
    return true;
}

bool
str_to_u64(struct str s, uint64_t max, uint64_t *ret)
{
    if (s.len == 0)
        return false;
    uint64_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
        uint64_t digit = (uint64_t) (s.data[i] - '0');
        if (n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    if (n > max)
        return false;
    *ret = n;
    return true;
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
static const struct utf8_row {
    unsigned char first_min, first_max, second_min, second_max;
    int len;
} utf8_rows[] = {
    {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
    {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
    {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

static const struct utf8_row *
utf8_row_of(unsigned char first)
{
    for (size_t r = 0; r < sizeof(utf8_rows) / sizeof(utf8_rows[0]); r++) {
        if (first >= utf8_rows[r].first_min && first <= utf8_rows[r].first_max)
            return &utf8_rows[r];
    }
    return NULL;
}

int
str_utf8_sequence(struct str s, size_t at)
{
    const unsigned char *p = (const unsigned char *) s.data + at;
    size_t n = s.len - at;
    if (p[0] < 0x80)
        return 1;
    const struct utf8_row *row = utf8_row_of(p[0]);
    if (row == NULL || n < 2 || p[1] < row->second_min || p[1] > row->second_max)
        return -1;
    for (int i = 2; i < row->len; i++) {
        if ((size_t) i >= n || (p[i] & 0xC0) != 0x80)
            return -i;
    }
    return row->len;
}

/* Whether the eight bytes are ASCII. */
static bool
is_ascii8(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return (v & 0x8080808080808080) == 0;
}

size_t
str_utf8_prefix(struct str s)
{
    size_t at = 0;
    while (at < s.len) {
        if (s.len - at >= 8 && is_ascii8(s.data + at)) {
            at += 8;
            continue;
        }
        int n = str_utf8_sequence(s, at);
        if (n < 0)
            break;
        at += (size_t) n;
    }
    return at;
}

bool
str_is_utf8(struct str s)
{
    return str_utf8_prefix(s) == s.len;
}

int
str_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}
