/* From TOML to JSON, with values taken from elsewhere. Knows no field. */
#include "app/value_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

enum { FILE_MAX_BYTES = 256 * 1024 };

static int
fail(struct buf *why, const char *what, const char *name, const char *problem)
{
    buf_addf(why, "%s `%s` %s", what, name, problem);
    return -1;
}

static int
fail_reading(struct buf *why, const char *path, int error)
{
    buf_addf(why, "the file `%s` cannot be read: %s", path, strerror(error));
    return -1;
}

/* 0 or an errno. Room is made once, so that no copy of a secret stays behind from growing. */
static int
read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), error = 0;
    ssize_t n = 1;
    if (fd < 0)
        return errno;
    if (!buf_reserve(out, FILE_MAX_BYTES + 1))
        error = ENOMEM;
    while (error == 0 && n > 0) {
        n = read(fd, out->data + out->len, FILE_MAX_BYTES + 1 - out->len);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n < 0)
            error = errno;
        else
            out->len += (size_t) n;
        if (out->len > FILE_MAX_BYTES)
            error = EFBIG;
    }
    close(fd);
    return error;
}

int
value_source_put_file(struct json_out *j, const char *path, struct buf *why)
{
    struct buf text = BUF_INIT;
    int error = read_file(path, &text), rc = 0;
    struct str value = buf_str(&text);
    while (value.len > 0 &&
           (value.data[value.len - 1] == '\n' || value.data[value.len - 1] == '\r'))
        value.len--;
    if (error != 0)
        rc = fail_reading(why, path, error);
    else if (!str_is_utf8(value))
        rc = fail(why, "the file", path, "is no text (UTF-8)");
    else
        json_put_str(j, value);
    mem_wipe(text.data, text.len);
    buf_done(&text);
    return rc;
}

static int
put_env(struct json_out *j, const char *name, struct buf *why)
{
    const char *value = getenv(name);
    if (value == NULL)
        return fail(why, "the environment variable", name, "is not set");
    if (!str_is_utf8(str_from(value)))
        return fail(why, "the environment variable", name, "is no text (UTF-8)");
    json_put_cstr(j, value);
    return 0;
}

static int
put_reference(struct json_out *j, const struct toml *table, struct buf *why)
{
    const struct toml *only = table->first;
    if (only != NULL && only->next == NULL && only->type == TOML_STRING) {
        if (str_is(only->key, "env"))
            return put_env(j, only->string, why);
        if (str_is(only->key, "file"))
            return value_source_put_file(j, only->string, why);
    }
    buf_addf(why, "`%.*s`: a table here is { env = \"NAME\" } or { file = \"PATH\" }",
             STR_ARG(table->key));
    return -1;
}

static int
put_array(struct json_out *j, const struct toml *array, struct buf *why)
{
    int rc = 0;
    json_begin_array(j);
    for (const struct toml *m = array->first; m != NULL && rc == 0; m = m->next)
        rc = value_source_put(j, m, why);
    json_end_array(j);
    return rc;
}

int
value_source_put(struct json_out *j, const struct toml *v, struct buf *why)
{
    switch (v->type) {
    case TOML_STRING:
        json_put_str(j, str_make(v->string, v->string_len));
        return 0;
    case TOML_INTEGER:
        json_put_i64(j, v->integer);
        return 0;
    case TOML_FLOAT:
        json_put_double(j, v->real);
        return 0;
    case TOML_BOOLEAN:
        json_put_bool(j, v->boolean);
        return 0;
    case TOML_ARRAY:
        return put_array(j, v, why);
    case TOML_TABLE:
        break;
    }
    return put_reference(j, v, why);
}

int
value_source_put_map(struct json_out *j, const struct toml *table, struct buf *why)
{
    int rc = 0;
    json_begin_object(j);
    for (const struct toml *m = table->first; m != NULL && rc == 0; m = m->next) {
        json_key_str(j, m->key);
        rc = value_source_put(j, m, why);
    }
    json_end_object(j);
    return rc;
}
