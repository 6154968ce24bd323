/* The error catalogue and the four-key error object. */
#include "base/err.h"

#include <stdlib.h>

#include "base/mem.h"

#define ERR_LINK "https://docs.meilisearch.com/errors#"

static const struct err_row {
    const char *name;
    int http_status;
    enum err_type type;
} rows[ERR_COUNT] = {
#define ERR_ROW(id, name, status, type) [ERR_##id] = {name, status, ERR_TYPE_##type},
#include "base/err_rows.h"
#undef ERR_ROW
};

static const char *const type_names[] = {
    [ERR_TYPE_INVALID_REQUEST] = "invalid_request",
    [ERR_TYPE_INTERNAL] = "internal",
    [ERR_TYPE_AUTH] = "auth",
    [ERR_TYPE_SYSTEM] = "system",
};

int
err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    struct buf text = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&text, fmt, ap);
    va_end(ap);
    err_done(e);
    e->code = code;
    e->message = buf_take(&text);
    return -1;
}

int
err_set_str(struct err *e, enum err_code code, struct str message)
{
    char *copy = mem_strndup(message.data, message.len);
    err_done(e);
    e->code = code;
    e->message = copy;
    return -1;
}

void
err_done(struct err *e)
{
    free(e->message);
    free(e->path);
    *e = ERR_INIT;
}

void
err_set_path(struct err *e, const char *path)
{
    free(e->path);
    e->path = path[0] == '\0' ? NULL : mem_strdup(path);
}

void
err_move(struct err *to, struct err *from)
{
    if (to == from)
        return;
    err_done(to);
    *to = *from;
    *from = ERR_INIT;
}

void
err_copy(struct err *to, const struct err *from)
{
    struct err copy = {
        .code = from->code, .message = mem_strdup(from->message), .path = mem_strdup(from->path)};
    err_move(to, &copy);
}

bool
err_is_set(const struct err *e)
{
    return e->code != ERR_NONE;
}

static const struct err_row *
row_of(enum err_code code)
{
    return &rows[code > ERR_NONE && code < ERR_COUNT ? code : ERR_INTERNAL];
}

const char *
err_name(enum err_code code)
{
    return row_of(code)->name;
}

int
err_http_status(enum err_code code)
{
    return row_of(code)->http_status;
}

const char *
err_type_name(enum err_code code)
{
    return type_names[row_of(code)->type];
}

enum err_code
err_from_name(struct str name)
{
    for (int i = 1; i < ERR_COUNT; i++) {
        if (str_is(name, rows[i].name))
            return (enum err_code) i;
    }
    return ERR_INTERNAL;
}

static void
add_json_string(struct buf *out, struct str s)
{
    static const char hex[] = "0123456789abcdef";
    buf_add_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char) s.data[i];
        if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else if (c == '\b')
            buf_add_cstr(out, "\\b");
        else if (c == '\f')
            buf_add_cstr(out, "\\f");
        else if (c == '\n')
            buf_add_cstr(out, "\\n");
        else if (c == '\t')
            buf_add_cstr(out, "\\t");
        else if (c == '\r')
            buf_add_cstr(out, "\\r");
        else if (c < 0x20)
            buf_addf(out, "\\u00%c%c", hex[c >> 4], hex[c & 15]);
        else
            buf_add_char(out, (char) c);
    }
    buf_add_char(out, '"');
}

void
err_write_json(struct buf *out, enum err_code code, struct str message)
{
    buf_add_cstr(out, "{\"message\":");
    add_json_string(out, message);
    buf_addf(out, ",\"code\":\"%s\",\"type\":\"%s\",\"link\":\"" ERR_LINK "%s\"}", err_name(code),
             err_type_name(code), err_name(code));
}
