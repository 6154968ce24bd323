/* Checking values of settings and leaving them as JSON text. Knows forms, not settings. */
#include "api/settings_value.h"

#include <stdlib.h>

#include "api/params.h"
#include "base/suggest.h"

int
value_leave(const struct field_in *in, struct buf *text, void *dst)
{
    struct value_text *ret = dst;
    int rc = buf_failed(text) ? err_set(in->err, ERR_INTERNAL, "out of memory") : 0;
    if (rc == 0)
        ret->json = arena_copy(in->arena, buf_str(text));
    buf_done(text);
    return rc;
}

int
value_any(const struct field_in *in, void *dst)
{
    struct buf text = BUF_INIT;
    json_write(&text, in->value);
    return value_leave(in, &text, dst);
}

/* --- choices */

/* What upstream says of a word it does not know. */
static int
refuse_choice(const struct field_in *in, const char *path, struct str found,
              const char *const *names, size_t n)
{
    const char *near = suggest_name(found, names, n);
    struct buf message = BUF_INIT;
    buf_addf(&message, "Unknown value `%.*s`", STR_ARG(found));
    if (path[0] != '\0')
        buf_addf(&message, " at `%s`", path);
    buf_add_cstr(&message, ": ");
    if (near != NULL)
        buf_addf(&message, "did you mean `%s`? ", near);
    buf_add_cstr(&message, "expected one of ");
    names_write(&message, names, n);
    err_set_str(in->err, in->row->code, buf_str(&message));
    buf_done(&message);
    return -1;
}

static int
check_choice(const struct field_in *in, const char *path, const struct json *value,
             const char *const *names, size_t n)
{
    if (field_check_kind(value, FIELD_STRING, path, in->row->code, in->err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (str_is(json_string(value), names[i]))
            return 0;
    return refuse_choice(in, path, json_string(value), names, n);
}

int
value_choice(const struct field_in *in, void *dst, const char *const *names, size_t n)
{
    return check_choice(in, in->path, in->value, names, n) < 0 ? -1 : value_any(in, dst);
}

/* --- lists */

int
value_strings(const struct field_in *in, void *dst)
{
    struct field_strings list;
    return field_strings(in, &list) < 0 ? -1 : value_any(in, dst);
}

static int
compare_strings(const void *a, const void *b)
{
    return str_compare(*(const struct str *) a, *(const struct str *) b);
}

int
value_string_set(const struct field_in *in, void *dst)
{
    struct field_strings list;
    struct buf text = BUF_INIT;
    struct json_out j = json_out(&text);
    if (field_strings(in, &list) < 0)
        return -1;
    qsort(list.values, list.n, sizeof(*list.values), compare_strings);
    json_begin_array(&j);
    for (size_t i = 0; i < list.n; i++)
        if (i == 0 || !str_equal(list.values[i], list.values[i - 1]))
            json_put_str(&j, list.values[i]);
    json_end_array(&j);
    return value_leave(in, &text, dst);
}

int
value_each(const struct field_in *in, field_reader *read, void *dst)
{
    struct buf text = BUF_INIT;
    struct json_out j = json_out(&text);
    size_t i = 0;
    json_begin_array(&j);
    for (struct json_iter it = json_iter(in->value); json_next(&it); i++) {
        struct field_in element = *in;
        struct value_text written = {STR_NULL};
        element.path = arena_printf(in->arena, "%s[%zu]", in->path, i);
        element.value = it.value;
        if (read(&element, &written) < 0) {
            buf_done(&text);
            return -1;
        }
        json_put_raw(&j, written.json);
    }
    json_end_array(&j);
    return value_leave(in, &text, dst);
}

/* --- objects */

enum { OBJECT_FIELDS_MAX = 24 };

void
value_write_object(struct buf *out, const struct json *sent, const struct fields *fields,
                   const struct value_text *texts)
{
    struct json_out j = json_out(out);
    json_begin_object(&j);
    for (size_t i = 0; i < fields->n; i++) {
        if (json_get_c(sent, fields->rows[i].name) == NULL)
            continue;
        json_key(&j, fields->rows[i].name);
        json_put_raw(&j, texts[i].json.data == NULL ? STR("null") : texts[i].json);
    }
    json_end_object(&j);
}

int
value_object(const struct field_in *in, const struct field *rows, size_t n, void *dst)
{
    struct value_text texts[OBJECT_FIELDS_MAX] = {{STR_NULL}};
    struct field own[OBJECT_FIELDS_MAX];
    struct fields fields = {.rows = own, .n = n, .code = in->row->code};
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < n; i++) {
        own[i] = rows[i];
        own[i].code = in->row->code;
        own[i].offset = VALUE_AT(i);
        own[i].missing = rows[i].missing == ERR_NONE ? ERR_NONE : in->row->code;
    }
    if (fields_read(in->arena, in->value, in->path, &fields, texts, in->err) < 0)
        return -1;
    value_write_object(&text, in->value, &fields, texts);
    return value_leave(in, &text, dst);
}

/* --- members with names of the client's */

struct member {
    struct str name, json;
};

static int
compare_members(const void *a, const void *b)
{
    return str_compare(((const struct member *) a)->name, ((const struct member *) b)->name);
}

static int
leave_members(const struct field_in *in, struct member *all, size_t n, void *dst)
{
    struct buf text = BUF_INIT;
    struct json_out j = json_out(&text);
    qsort(all, n, sizeof(*all), compare_members);
    json_begin_object(&j);
    for (size_t i = 0; i < n; i++) {
        json_key_str(&j, all[i].name);
        json_put_raw(&j, all[i].json.data == NULL ? STR("null") : all[i].json);
    }
    json_end_object(&j);
    return value_leave(in, &text, dst);
}

int
value_map(const struct field_in *in, unsigned kinds, field_reader *read, void *dst)
{
    struct json_iter it = json_iter(in->value);
    struct member *all = arena_alloc(in->arena, (it.left + 1) * sizeof(*all));
    size_t n = 0;
    bool may_be_null = (kinds & VALUE_MAP_NULL) != 0;
    for (; json_next(&it); n++) {
        struct field_in value = *in;
        struct value_text written = {STR_NULL};
        value.path = arena_printf(in->arena, "%s.%.*s", in->path, STR_ARG(it.key));
        value.value = it.value;
        bool is_null = may_be_null && json_type(it.value) == JSON_NULL;
        if (!is_null && (field_check_kind(it.value, kinds & ~(unsigned) VALUE_MAP_NULL, value.path,
                                          in->row->code, in->err) < 0 ||
                         read(&value, &written) < 0))
            return -1;
        all[n] = (struct member){.name = it.key, .json = written.json};
    }
    return leave_members(in, all, n, dst);
}
