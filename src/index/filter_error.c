/* Messages of filters: escaping, and the place a message points to. */
#include <stdarg.h>

#include "base/unicode.h"
#include "index/filter_internal.h"

void
filter_write_escaped(struct buf *out, struct str text)
{
    size_t len;
    for (size_t at = 0; at < text.len; at += len) {
        static const char special[] = "\t\r\n\0'\"\\", shown[] = "trn0'\"\\";
        uint32_t code = unicode_read(text, at, &len);
        const char *found = code < 0x80 ? memchr(special, (int) code, sizeof(special) - 1) : NULL;
        if (found != NULL)
            buf_addf(out, "\\%c", shown[found - special]);
        else if (code < 0x20 || (code >= 0x7F && code < 0xA0))
            buf_addf(out, "\\u{%x}", code);
        else
            buf_add_str(out, str_slice(text, at, at + len));
    }
}

void
filter_write_place(struct buf *out, struct str source, struct str fragment)
{
    size_t before = fragment.data == NULL ? 0 : (size_t) (fragment.data - source.data);
    size_t column = unicode_count(str_slice(source, 0, before)) + 1;
    buf_addf(out, "\n%zu:%zu ", column, column + unicode_count(fragment));
    buf_add_str(out, source);
}

static int
refuse(struct err *err, enum err_code code, const struct filter_token *at, struct buf *message)
{
    filter_write_place(message, at->source, at->fragment);
    err_set_str(err, code, buf_str(message));
    buf_done(message);
    return -1;
}

int
filter_refuse(struct err *err, enum err_code code, const struct filter_token *at, const char *fmt,
              ...)
{
    struct buf message = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&message, fmt, ap);
    va_end(ap);
    return refuse(err, code, at, &message);
}

char *
filter_shown(struct filter_parser *p, struct str text)
{
    struct buf shown = BUF_INIT;
    filter_write_escaped(&shown, text);
    char *copy = arena_strndup(p->arena, shown.len == 0 ? "" : shown.data, shown.len);
    buf_done(&shown);
    return copy;
}

enum filter_result
filter_fail(struct filter_parser *p, struct str fragment, const char *fmt, ...)
{
    struct filter_token at = {.source = p->source, .fragment = fragment};
    struct buf message = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&message, fmt, ap);
    va_end(ap);
    refuse(p->err, p->code, &at, &message);
    return FILTER_FAILED;
}
