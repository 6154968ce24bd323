/* Messages about the fields of a webhook. Knows no field. */
#include "webhook/field_err.h"

#include "base/suggest.h"

enum { NAMES_MAX = 64 };

int
field_err_take(struct err *err, enum err_code code, struct buf *message)
{
    if (buf_failed(message))
        (void) err_set(err, ERR_INTERNAL, "out of memory");
    else
        (void) err_set_str(err, code, buf_str(message));
    buf_done(message);
    return -1;
}

static const char *
kind_words(const struct json *v)
{
    uint64_t u;
    int64_t i;
    switch (json_type(v)) {
    case JSON_NULL:
        return "null";
    case JSON_BOOL:
        return "a boolean";
    case JSON_NUMBER:
        return json_to_u64(v, &u)   ? "a positive integer"
               : json_to_i64(v, &i) ? "a negative integer"
                                    : "a number";
    case JSON_STRING:
        return "a string";
    case JSON_ARRAY:
        return "an array";
    case JSON_OBJECT:
        break;
    }
    return "an object";
}

static void
write_quoted(struct buf *out, struct str s)
{
    buf_add_char(out, '`');
    buf_add_str(out, s);
    buf_add_char(out, '`');
}

int
field_err_type(struct err *err, enum err_code code, struct str path, const char *expected,
               const struct json *found)
{
    struct buf b = BUF_INIT;
    buf_add_cstr(&b, "Invalid value type");
    if (path.len > 0) {
        buf_add_cstr(&b, " at ");
        write_quoted(&b, path);
    }
    buf_addf(&b, ": expected %s, but found %s", expected, kind_words(found));
    if (json_type(found) != JSON_NULL) {
        buf_add_cstr(&b, ": `");
        json_write_normal(&b, found);
        buf_add_char(&b, '`');
    }
    return field_err_take(err, code, &b);
}

static void
begin_invalid(struct buf *b, struct str path)
{
    buf_add_cstr(b, "Invalid value at ");
    write_quoted(b, path);
    buf_add_cstr(b, ": ");
}

int
field_err_value(struct err *err, enum err_code code, struct str path, const char *fmt, ...)
{
    struct buf b = BUF_INIT;
    va_list ap;
    begin_invalid(&b, path);
    va_start(ap, fmt);
    buf_addv(&b, fmt, ap);
    va_end(ap);
    return field_err_take(err, code, &b);
}

int
field_err_quoting(struct err *err, enum err_code code, struct str path, struct str found,
                  const char *rest)
{
    struct buf b = BUF_INIT;
    begin_invalid(&b, path);
    write_quoted(&b, found);
    buf_add_cstr(&b, rest);
    return field_err_take(err, code, &b);
}

void
field_write_names(struct buf *out, const char *const *names, size_t n)
{
    bool is_first = true;
    for (size_t i = 0; i < n; i++) {
        if (names[i] == NULL)
            continue;
        buf_addf(out, "%s`%s`", is_first ? "" : ", ", names[i]);
        is_first = false;
    }
}

static const char *
suggest_among(struct str found, const char *const *names, size_t n)
{
    const char *given[NAMES_MAX];
    size_t n_given = 0;
    for (size_t i = 0; i < n && n_given < NAMES_MAX; i++) {
        if (names[i] != NULL)
            given[n_given++] = names[i];
    }
    return suggest_name(found, given, n_given);
}

int
field_err_choice(struct err *err, enum err_code code, struct str path, struct str found,
                 const char *const *names, size_t n)
{
    struct buf b = BUF_INIT;
    const char *near = suggest_among(found, names, n);
    buf_add_cstr(&b, "Unknown value ");
    write_quoted(&b, found);
    buf_add_cstr(&b, " at ");
    write_quoted(&b, path);
    buf_add_cstr(&b, ": ");
    if (near != NULL)
        buf_addf(&b, "did you mean `%s`? ", near);
    buf_add_cstr(&b, "expected one of ");
    field_write_names(&b, names, n);
    return field_err_take(err, code, &b);
}
