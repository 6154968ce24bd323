/* Texts of mail messages. Pure functions. */
#include "codec/mime.h"

#include <stdio.h>

#include "base/clock.h"
#include "codec/digest.h"

enum {
    LINE_FOLD_BYTES = 76,   /* RFC 5322: should not be longer than 78 */
    LINE_MAX_BYTES = 990,   /* must not be longer than 998, with a doubled dot and CR LF */
    ENCODED_MIN = 1000,     /* bytes that are no ASCII; of less the form does not matter */
    LINE_SOURCE_BYTES = 57, /* of Base64: 76 characters */
    WORD_SOURCE_BYTES = 42, /* of an encoded word: "=?UTF-8?B?" and 56 characters of Base64 */
};

static bool
is_printable(char c)
{
    return c >= ' ' && c < 127;
}

static bool
is_plain(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_printable(s.data[i]))
            return false;
    }
    /* "=?" would be taken for an encoded word */
    return memmem(s.len > 0 ? s.data : "", s.len, "=?", 2) == NULL;
}

/* Breaks at spaces where a line gets too long; a word longer than that stays whole. */
static void
add_folded(struct buf *out, size_t column, struct str value)
{
    size_t at = 0;
    while (at < value.len) {
        size_t end = str_find(value, ' ', at + 1);
        if (column + (end - at) > LINE_FOLD_BYTES && value.data[at] == ' ' && at > 0) {
            buf_add_char(out, '\n');
            column = 0;
        }
        buf_add_str(out, str_slice(value, at, end));
        column += end - at;
        at = end;
    }
}

/* So many bytes of whole characters. */
static size_t
word_end(struct str s, size_t from)
{
    size_t end = from;
    while (end < s.len) {
        int step = str_utf8_sequence(s, end);
        size_t len = (size_t) (step < 0 ? -step : step);
        if (end + len - from > WORD_SOURCE_BYTES)
            break;
        end += len;
    }
    return end > from ? end : s.len;
}

static void
add_words(struct buf *out, struct str value)
{
    for (size_t at = 0, end; at < value.len; at = end) {
        end = word_end(value, at);
        buf_add_cstr(out, at == 0 ? "" : "\n ");
        buf_add_cstr(out, "=?UTF-8?B?");
        base64_encode(out, str_slice(value, at, end));
        buf_add_cstr(out, "?=");
    }
}

/* One line without control characters. */
static void
clean(struct buf *out, struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char) value.data[i];
        buf_add_char(out, c < ' ' || c == 127 ? ' ' : value.data[i]);
    }
}

void
mime_add_header(struct buf *out, const char *name, struct str value)
{
    struct buf cleaned = BUF_INIT;
    clean(&cleaned, value);
    struct str text = str_trim(buf_str(&cleaned));
    buf_add_cstr(out, name);
    buf_add_cstr(out, ": ");
    if (is_plain(text) && text.len <= LINE_MAX_BYTES / 2)
        add_folded(out, strlen(name) + 2, text);
    else
        add_words(out, text);
    buf_add_char(out, '\n');
    buf_done(&cleaned);
}

void
mime_add_list(struct buf *out, const char *name, const struct str *items, size_t n)
{
    size_t column = strlen(name) + 2;
    buf_add_cstr(out, name);
    buf_add_cstr(out, ": ");
    for (size_t i = 0; i < n; i++) {
        bool folds = i > 0 && column + items[i].len > LINE_FOLD_BYTES;
        buf_add_cstr(out, i == 0 ? "" : folds ? ",\n " : ", ");
        column = (folds ? 1 : column + 2) + items[i].len;
        buf_add_str(out, items[i]);
    }
    buf_add_char(out, '\n');
}

void
mime_add_date(struct buf *out, int64_t wall_ns)
{
    char date[30];
    clock_format_http_date(date, wall_ns);
    buf_addf(out, "Date: %.25s +0000\n", date); /* "GMT" is HTTP's word */
}

static bool
is_seven_bit(struct str body)
{
    size_t line = 0;
    for (size_t i = 0; i < body.len; i++) {
        char c = body.data[i];
        if (!is_printable(c) && c != '\n' && c != '\t')
            return false;
        line = c == '\n' ? 0 : line + 1;
        if (line > LINE_MAX_BYTES)
            return false;
    }
    return true;
}

/* A CR LF is one end of a line, and so is either of them alone. */
static size_t
newline_at(struct str s, size_t at)
{
    if (s.data[at] == '\r')
        return at + 1 < s.len && s.data[at + 1] == '\n' ? 2 : 1;
    return s.data[at] == '\n' ? 1 : 0;
}

/* It may stand for itself at that place. */
static bool
is_literal(struct str s, size_t at)
{
    char c = s.data[at];
    if (c != ' ' && c != '\t')
        return is_printable(c) && c != '=';
    return at + 1 < s.len && newline_at(s, at + 1) == 0;
}

static void
add_quoted_printable(struct buf *out, struct str body)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t column = 0;
    for (size_t i = 0; i < body.len;) {
        size_t newline = newline_at(body, i), run = 0;
        while (column + run < LINE_FOLD_BYTES - 1 && i + run < body.len &&
               is_literal(body, i + run))
            run++;
        buf_add(out, body.data + i, run);
        i += run;
        column += run;
        if (newline > 0) {
            buf_add_char(out, '\n');
            column = 0;
            i += newline;
        } else if (run == 0 && column + 3 <= LINE_FOLD_BYTES - 1) {
            unsigned char c = (unsigned char) body.data[i++];
            const char code[] = {'=', digits[c >> 4], digits[c & 15]};
            buf_add(out, code, sizeof(code));
            column += sizeof(code);
        } else if (run == 0) {
            buf_add_cstr(out, "=\n");
            column = 0;
        }
    }
    if (column > 0)
        buf_add_char(out, '\n');
}

static void
add_with_crlf(struct buf *out, struct str body)
{
    for (size_t i = 0, end; i < body.len;) {
        size_t newline = newline_at(body, i);
        for (end = i; end < body.len && newline_at(body, end) == 0; end++)
            continue;
        buf_add_str(out, newline > 0 ? STR("\r\n") : str_slice(body, i, end));
        i = newline > 0 ? i + newline : end;
    }
}

/* For what is mostly no ASCII: smaller, and nobody could read it in the other form either. Ends of
 * lines are encoded too, as they would be sent. */
static void
add_base64(struct buf *out, struct str body)
{
    struct buf canonical = BUF_INIT;
    add_with_crlf(&canonical, body);
    struct str all = buf_str(&canonical);
    for (size_t at = 0; at < all.len; at += LINE_SOURCE_BYTES) {
        base64_encode(out, str_slice(all, at, at + LINE_SOURCE_BYTES));
        buf_add_char(out, '\n');
    }
    buf_done(&canonical);
}

static bool
is_mostly_encoded(struct str body)
{
    size_t n = 0;
    for (size_t i = 0; i < body.len; i++)
        n += (unsigned char) body.data[i] >= 127;
    return n > ENCODED_MIN && n > body.len / 4;
}

void
mime_add_body(struct buf *out, const char *media_type, struct str body)
{
    static const struct {
        const char *name;
        void (*add)(struct buf *out, struct str body);
    } encodings[] = {
        {"7bit", buf_add_str}, {"quoted-printable", add_quoted_printable}, {"base64", add_base64}};
    size_t i = is_seven_bit(body) ? 0 : is_mostly_encoded(body) ? 2 : 1;
    buf_addf(out,
             "MIME-Version: 1.0\nContent-Type: %s; charset=UTF-8\n"
             "Content-Transfer-Encoding: %s\n\n",
             media_type, encodings[i].name);
    encodings[i].add(out, body);
}
