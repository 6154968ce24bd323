/* Fields of JSON bodies by table. Owns the wording of contract 1.6; knows no route. */
#include "api/fields.h"

#include "api/params.h"
#include "base/suggest.h"

enum { FIELDS_MAX = 32 /* rows of one table */ };

static const struct {
    unsigned kinds;
    const char *words;
} kind_words[] = {
    {FIELD_BOOL, "a boolean"},
    {FIELD_POSITIVE, "a positive integer"},
    {FIELD_NEGATIVE, "a negative integer"},
    {FIELD_FLOAT, "a number"},
    {FIELD_STRING, "a string"},
    {FIELD_ARRAY, "an array"},
    {FIELD_OBJECT, "an object"},
};
enum { N_KIND_WORDS = sizeof(kind_words) / sizeof(kind_words[0]) };

static unsigned
kind_of(const struct json *value)
{
    uint64_t positive;
    int64_t negative;
    switch (json_type(value)) {
    case JSON_BOOL:
        return FIELD_BOOL;
    case JSON_STRING:
        return FIELD_STRING;
    case JSON_ARRAY:
        return FIELD_ARRAY;
    case JSON_OBJECT:
        return FIELD_OBJECT;
    case JSON_NUMBER:
        if (json_to_u64(value, &positive))
            return FIELD_POSITIVE;
        return json_to_i64(value, &negative) ? FIELD_NEGATIVE : FIELD_FLOAT;
    case JSON_NULL:
        break;
    }
    return 0;
}

/* "a string", "a string or an array", "a boolean, a string, or an array". */
static void
write_expected(struct buf *out, unsigned kinds)
{
    const char *words[N_KIND_WORDS];
    size_t n = 0;
    bool has_float = (kinds & FIELD_FLOAT) != 0;
    bool has_both = (kinds & FIELD_POSITIVE) && (kinds & FIELD_NEGATIVE);
    for (size_t i = 0; i < N_KIND_WORDS; i++) {
        unsigned kind = kind_words[i].kinds;
        bool is_integer = kind == FIELD_POSITIVE || kind == FIELD_NEGATIVE;
        if (!(kinds & kind) || (has_float && is_integer) || (has_both && kind == FIELD_NEGATIVE))
            continue;
        words[n++] = has_both && is_integer ? "an integer" : kind_words[i].words;
    }
    for (size_t i = 0; i < n; i++) {
        const char *between = i == 0 ? "" : i + 1 < n ? ", " : n == 2 ? " or " : ", or ";
        buf_addf(out, "%s%s", between, words[i]);
    }
}

static void
write_found(struct buf *out, const struct json *value)
{
    unsigned kind = kind_of(value);
    for (size_t i = 0; i < N_KIND_WORDS; i++) {
        if (kind != kind_words[i].kinds)
            continue;
        buf_addf(out, "%s: `", kind_words[i].words);
        json_write_normal(out, value);
        buf_add_char(out, '`');
        return;
    }
    buf_add_cstr(out, "null");
}

static int
fail(struct err *err, enum err_code code, struct buf *message)
{
    err_set_str(err, code, buf_str(message));
    buf_done(message);
    return -1;
}

int
field_check_kind(const struct json *value, unsigned kinds, const char *path, enum err_code code,
                 struct err *err)
{
    if (kind_of(value) & kinds)
        return 0;
    struct buf message = BUF_INIT;
    buf_add_cstr(&message, "Invalid value type");
    if (path[0] != '\0')
        buf_addf(&message, " at `%s`", path);
    buf_add_cstr(&message, ": expected ");
    write_expected(&message, kinds);
    buf_add_cstr(&message, ", but found ");
    write_found(&message, value);
    (void) fail(err, code, &message);
    err_set_path(err, path);
    return -1;
}

int
field_invalid(const struct field_in *in, const char *fmt, ...)
{
    struct buf message = BUF_INIT;
    va_list ap;
    buf_addf(&message, "Invalid value at `%s`: ", in->path);
    va_start(ap, fmt);
    buf_addv(&message, fmt, ap);
    va_end(ap);
    (void) fail(in->err, in->row->code, &message);
    err_set_path(in->err, in->path);
    return -1;
}

int
field_string(const struct field_in *in, void *dst)
{
    struct str *ret = dst, text = json_string(in->value);
    if (str_find(text, '\0', 0) < text.len) /* they end texts inside */
        return field_invalid(in, "NUL characters are not accepted");
    *ret = text.len == 0 ? STR("") : text;
    return 0;
}

bool
field_is_token(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] <= ' ' || text.data[i] >= 0x7F)
            return false;
    }
    return text.len > 0 && text.len <= FIELD_TOKEN_MAX_BYTES;
}

int
field_token(const struct field_in *in, void *dst)
{
    if (!field_is_token(json_string(in->value)))
        return field_invalid(in, "expected 1 to %d visible ASCII characters.",
                             FIELD_TOKEN_MAX_BYTES);
    *(struct str *) dst = json_string(in->value);
    return 0;
}

int
field_bool(const struct field_in *in, void *dst)
{
    bool *ret = dst;
    *ret = json_bool(in->value);
    return 0;
}

int
field_u64(const struct field_in *in, void *dst)
{
    uint64_t *ret = dst;
    json_to_u64(in->value, ret);
    return 0;
}

int
field_json(const struct field_in *in, void *dst)
{
    const struct json **ret = dst;
    *ret = in->value;
    return 0;
}

int
field_strings(const struct field_in *in, void *dst)
{
    struct field_strings *ret = dst;
    struct json_iter it = json_iter(in->value);
    *ret = (struct field_strings){.is_given = true};
    ret->values = arena_alloc(in->arena, (json_length(in->value) + 1) * sizeof(*ret->values));
    while (json_next(&it)) {
        char *path = arena_printf(in->arena, "%s[%zu]", in->path, ret->n);
        if (field_check_kind(it.value, FIELD_STRING, path, in->row->code, in->err) < 0)
            return -1;
        ret->values[ret->n++] = json_string(it.value);
    }
    return 0;
}

/* The names that may be sent, in the order of the rows. */
static size_t
list_names(const struct fields *fields, const char **names)
{
    size_t n = 0;
    for (size_t i = 0; i < fields->n && n < FIELDS_MAX; i++) {
        if (fields->rows[i].read != NULL)
            names[n++] = fields->rows[i].name;
    }
    return n;
}

/* The error is about the member of that name. Returns -1. */
static int
set_member_path(struct err *err, const char *path, struct str name)
{
    struct buf member = BUF_INIT;
    buf_addf(&member, "%s.", path);
    buf_add_str(&member, name);
    err_set_path(err, buf_cstr(&member));
    buf_done(&member);
    return -1;
}

static int
refuse_name(const struct fields *fields, const struct field *immutable, struct str name,
            const char *path, struct err *err)
{
    const char *names[FIELDS_MAX];
    size_t n = list_names(fields, names);
    struct buf message = BUF_INIT;
    buf_addf(&message, "%s field `%.*s`", immutable != NULL ? "Immutable" : "Unknown",
             STR_ARG(name));
    if (path[0] != '\0')
        buf_addf(&message, " inside `%s`", path);
    buf_add_cstr(&message, ": ");
    const char *near = immutable != NULL ? NULL : suggest_name(name, names, n);
    if (near != NULL)
        buf_addf(&message, "did you mean `%s`? ", near);
    buf_add_cstr(&message, "expected one of ");
    names_write(&message, names, n);
    (void) fail(err, immutable != NULL ? immutable->code : fields->code, &message);
    return set_member_path(err, path, name);
}

static const struct field *
find_field(const struct fields *fields, struct str name)
{
    for (size_t i = 0; i < fields->n; i++) {
        if (str_is(name, fields->rows[i].name))
            return &fields->rows[i];
    }
    return NULL;
}

static int
read_one(struct field_in *in, void *dst)
{
    bool is_null = json_type(in->value) == JSON_NULL;
    if (is_null && !in->row->no_null)
        return 0;
    int rc = field_check_kind(in->value, in->row->kinds, in->path, in->row->code, in->err);
    return rc < 0 ? rc : in->row->read(in, (char *) dst + in->row->offset);
}

static int
check_missing(const struct json *body, const char *path, const struct fields *fields,
              struct err *err)
{
    for (size_t i = 0; i < fields->n; i++) {
        const struct field *row = &fields->rows[i];
        if (row->missing == ERR_NONE || json_get_c(body, row->name) != NULL)
            continue;
        if (path[0] == '\0')
            (void) err_set(err, row->missing, "Missing field `%s`", row->name);
        else
            (void) err_set(err, row->missing, "Missing field `%s` inside `%s`", row->name, path);
        return set_member_path(err, path, str_from(row->name));
    }
    return 0;
}

int
fields_read(struct arena *arena, const struct json *body, const char *path,
            const struct fields *fields, void *dst, struct err *err)
{
    if (field_check_kind(body, FIELD_OBJECT, path, fields->code, err) < 0)
        return -1;
    struct json_iter it = json_iter(body);
    while (json_next(&it)) {
        const struct field *row = find_field(fields, it.key);
        if (row == NULL || row->read == NULL)
            return refuse_name(fields, row, it.key, path, err);
        struct field_in in = {.arena = arena, .row = row, .value = it.value, .err = err};
        in.path = arena_printf(arena, "%s.%s", path, row->name);
        if (read_one(&in, dst) < 0)
            return -1;
    }
    return check_missing(body, path, fields, err);
}
