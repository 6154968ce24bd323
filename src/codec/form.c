/* Query strings and percent encoding (WHATWG URL, application/x-www-form-urlencoded). Results live
 * in the caller's arena. */
#include "codec/form.h"

/* The byte that starts s and the number of bytes it is written with. */
static char
decode_byte(struct str s, bool plus_is_space, size_t *ret_len)
{
    *ret_len = 1;
    if (s.data[0] == '+' && plus_is_space)
        return ' ';
    if (s.data[0] != '%' || s.len < 3 || str_hex_value(s.data[1]) < 0 ||
        str_hex_value(s.data[2]) < 0)
        return s.data[0];
    *ret_len = 3;
    return (char) (str_hex_value(s.data[1]) << 4 | str_hex_value(s.data[2]));
}

/* s with each invalid sequence replaced by U+FFFD. */
static struct str
replace_invalid(struct arena *a, struct str s)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    if (str_is_utf8(s))
        return s;
    char *text = arena_alloc(a, s.len * 3 + 1);
    size_t len = 0;
    for (size_t at = 0; at < s.len;) {
        int n = str_utf8_sequence(s, at);
        const char *from = n > 0 ? s.data + at : replacement;
        size_t n_from = n > 0 ? (size_t) n : 3;
        memcpy(text + len, from, n_from);
        len += n_from;
        at += (size_t) (n > 0 ? n : -n);
    }
    return str_make(text, len);
}

static struct str
decode(struct arena *a, struct str s, bool plus_is_space)
{
    char *text = arena_alloc(a, s.len + 1);
    size_t len = 0;
    for (size_t at = 0, n; at < s.len; at += n)
        text[len++] = decode_byte(str_slice(s, at, s.len), plus_is_space, &n);
    return replace_invalid(a, str_make(text, len));
}

int
form_parse(struct arena *a, struct str query, struct form_param **ret)
{
    size_t n = 0, n_pieces = 0;
    struct str rest = query, part;
    while (str_split(&rest, '&', &part)) {
        if (part.len > 0 && ++n_pieces > FORM_MAX_PARAMS)
            return -1;
    }
    struct form_param *params = arena_alloc(a, (n_pieces + 1) * sizeof(*params));
    rest = query;
    while (str_split(&rest, '&', &part)) {
        if (part.len == 0)
            continue;
        size_t equals = str_find(part, '=', 0);
        params[n].name = decode(a, str_slice(part, 0, equals), true);
        params[n++].value = decode(a, str_slice(part, equals + 1, part.len), true);
    }
    *ret = params;
    return (int) n;
}

struct str
form_decode_path(struct arena *a, struct str segment)
{
    return decode(a, segment, false);
}

static bool
is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void
form_encode(struct buf *out, struct str s)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char byte = (unsigned char) s.data[i];
        char escaped[3] = {'%', hex[byte >> 4], hex[byte & 15]};
        if (is_unreserved(s.data[i]))
            buf_add_char(out, s.data[i]);
        else
            buf_add(out, escaped, 3);
    }
}
