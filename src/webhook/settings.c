/* Reads the body of POST and PATCH /webhooks: which fields, of which types (contract 1.6, 7.2).
 * Knows nothing of registered webhooks. Entered through settings_read(). */
#include "webhook/settings.h"

#include <stdlib.h>

#include "base/suggest.h"

static const char *const accepted[] = {"url", "headers"};
enum { N_ACCEPTED = sizeof(accepted) / sizeof(accepted[0]) };

static const struct immutable_row {
    const char *name;
    enum err_code code;
} immutable_rows[] = {
    {"uuid", ERR_IMMUTABLE_WEBHOOK_UUID},
    {"isEditable", ERR_IMMUTABLE_WEBHOOK_IS_EDITABLE},
};

static int
set_message(struct err *err, enum err_code code, struct buf *message)
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

/* path: "" for the body itself, else ".headers" and the like; key: the last step, may be empty. */
static int
err_wrong_type(struct err *err, enum err_code code, const char *path, struct str key,
               const char *expected, const struct json *found)
{
    struct buf b = BUF_INIT;
    buf_add_cstr(&b, "Invalid value type");
    if (path[0] != '\0') {
        buf_addf(&b, " at `%s", path);
        buf_add_str(&b, key);
        buf_add_char(&b, '`');
    }
    buf_addf(&b, ": expected %s, but found %s", expected, kind_words(found));
    if (json_type(found) != JSON_NULL) {
        buf_add_cstr(&b, ": `");
        json_write_normal(&b, found);
        buf_add_char(&b, '`');
    }
    return set_message(err, code, &b);
}

static int
err_unexpected_field(struct err *err, struct str name)
{
    enum err_code code = ERR_BAD_REQUEST;
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < sizeof(immutable_rows) / sizeof(immutable_rows[0]); i++) {
        if (str_is(name, immutable_rows[i].name))
            code = immutable_rows[i].code;
    }
    buf_add_cstr(&b, code == ERR_BAD_REQUEST ? "Unknown field `" : "Immutable field `");
    buf_add_str(&b, name);
    buf_add_cstr(&b, "`: ");
    const char *near = suggest_name(name, accepted, N_ACCEPTED);
    if (code == ERR_BAD_REQUEST && near != NULL)
        buf_addf(&b, "did you mean `%s`? ", near);
    buf_add_cstr(&b, "expected one of `url`, `headers`");
    return set_message(err, code, &b);
}

static int
read_url(const struct json *v, struct webhook_settings *ret, struct err *err)
{
    if (json_type(v) == JSON_NULL) {
        ret->url_state = SETTING_NULL;
        return 0;
    }
    if (json_type(v) != JSON_STRING)
        return err_wrong_type(err, ERR_INVALID_WEBHOOK_URL, ".url", STR_NULL, "a string", v);
    ret->url_state = SETTING_GIVEN;
    ret->url = json_string(v);
    return 0;
}

static int
compare_headers(const void *a, const void *b)
{
    const struct header_view *x = a, *y = b;
    int c = str_compare(x->name, y->name);
    return c != 0 ? c : (x->order > y->order) - (x->order < y->order);
}

static void
sort_headers(struct webhook_settings *s)
{
    size_t kept = 0;
    if (s->n_headers == 0)
        return;
    qsort(s->headers, s->n_headers, sizeof(*s->headers), compare_headers);
    for (size_t i = 0; i < s->n_headers; i++) {
        if (kept > 0 && str_equal(s->headers[kept - 1].name, s->headers[i].name))
            kept--;
        s->headers[kept++] = s->headers[i];
    }
    s->n_headers = kept;
}

static int
read_headers(const struct json *v, struct webhook_settings *ret, struct err *err)
{
    free(ret->headers);
    ret->headers = NULL;
    ret->n_headers = 0;
    ret->headers_state = json_type(v) == JSON_NULL ? SETTING_NULL : SETTING_GIVEN;
    if (json_type(v) == JSON_NULL)
        return 0;
    if (json_type(v) != JSON_OBJECT)
        return err_wrong_type(err, ERR_INVALID_WEBHOOK_HEADERS, ".headers", STR_NULL, "an object",
                              v);
    /* A client decides how many: this allocation may fail. */
    ret->headers = calloc(json_length(v) + 1, sizeof(*ret->headers));
    if (ret->headers == NULL)
        return err_set(err, ERR_INTERNAL, "out of memory");
    struct json_iter it = json_iter(v);
    while (json_next(&it)) {
        enum json_type type = json_type(it.value);
        if (type != JSON_STRING && type != JSON_NULL)
            return err_wrong_type(err, ERR_INVALID_WEBHOOK_HEADERS, ".headers.", it.key, "a string",
                                  it.value);
        ret->headers[ret->n_headers] = (struct header_view){
            .name = it.key,
            .value = json_string(it.value),
            .is_null = type == JSON_NULL,
            .order = ret->n_headers,
        };
        ret->n_headers++;
    }
    sort_headers(ret);
    return 0;
}

int
settings_read(const struct json *body, struct webhook_settings *ret, struct err *err)
{
    *ret = (struct webhook_settings){0};
    if (json_type(body) != JSON_OBJECT)
        return err_wrong_type(err, ERR_BAD_REQUEST, "", STR_NULL, "an object", body);
    struct json_iter it = json_iter(body);
    int rc = 0;
    while (rc == 0 && json_next(&it)) {
        if (str_is(it.key, "url"))
            rc = read_url(it.value, ret, err);
        else if (str_is(it.key, "headers"))
            rc = read_headers(it.value, ret, err);
        else
            rc = err_unexpected_field(err, it.key);
    }
    if (rc != 0)
        settings_done(ret);
    return rc;
}

void
settings_done(struct webhook_settings *s)
{
    free(s->headers);
    *s = (struct webhook_settings){0};
}
