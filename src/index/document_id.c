/* External ids and primary keys of documents (contract 5.3 to 5.5). Pure functions of JSON. */
#include "index/index.h"

#define NO_CANDIDATE                                                                               \
    "The primary key inference failed as the engine did not find any field ending with `id` in "   \
    "its name. Please specify the primary key manually using the `primaryKey` query parameter."

static bool
is_id_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

bool
document_id_is_valid(struct str id)
{
    if (id.len == 0 || id.len > DOCUMENT_ID_MAX_BYTES)
        return false;
    for (size_t i = 0; i < id.len; i++)
        if (!is_id_char(id.data[i]))
            return false;
    return true;
}

/* Errors show JSON as upstream does, with numbers normalised. */
static int
fail(struct err *err, enum err_code code, struct buf *message)
{
    int rc = err_set_str(err, code, buf_str(message));

    buf_done(message);
    return rc;
}

static int
fail_attribute(struct err *err, enum err_code code, const char *start, struct str primary_key,
               const struct json *document)
{
    struct buf message = BUF_INIT;

    buf_addf(&message, "%s `%.*s` attribute: `", start, STR_ARG(primary_key));
    json_write_normal(&message, document);
    buf_add_cstr(&message, "`.");
    return fail(err, code, &message);
}

static int
fail_invalid(struct err *err, const struct json *value)
{
    struct buf message = BUF_INIT;

    buf_add_cstr(&message, "Document identifier `");
    json_write_normal(&message, value);
    buf_add_cstr(&message,
                 "` is invalid. A document identifier can be of type integer or string, only "
                 "composed of alphanumeric characters (a-z A-Z 0-9), hyphens (-) and underscores "
                 "(_), and can not be more than 511 bytes.");
    return fail(err, ERR_INVALID_DOCUMENT_ID, &message);
}

/* The values a dotted path leads to: a key may hold any number of its parts. Objects at the end are
 * no match. Stops at the second match. Depth: one part of the path each. */
static unsigned
match_path(const struct json *object, struct str path, const struct json **ret)
{
    unsigned n = 0;

    for (struct json_iter it = json_iter(object); n < 2 && json_next(&it);) {
        if (it.key.len > path.len || memcmp(it.key.data, path.data, it.key.len) != 0)
            continue;
        if (it.key.len == path.len) {
            if (json_type(it.value) != JSON_OBJECT) {
                *ret = it.value;
                n++;
            }
        } else if (path.data[it.key.len] == '.' && json_type(it.value) == JSON_OBJECT) {
            n += match_path(it.value, str_slice(path, it.key.len + 1, path.len), ret);
        }
    }
    return n;
}

static int
write_id(const struct json *value, struct buf *out, struct err *err)
{
    struct str text = json_string(value);
    int64_t i;
    uint64_t u;

    if (json_type(value) == JSON_STRING && document_id_is_valid(text)) {
        buf_add_str(out, text);
        return 0;
    }
    if (json_type(value) != JSON_NUMBER || str_is(json_number(value), "-0") ||
        !(json_to_u64(value, &u) || json_to_i64(value, &i)))
        return fail_invalid(err, value);
    buf_add_str(out, json_number(value));
    return 0;
}

int
document_id(const struct json *document, struct str primary_key, struct buf *out, struct err *err)
{
    const struct json *value = NULL;

    if (str_find(primary_key, '.', 0) == primary_key.len)
        value = json_get(document, primary_key);
    else if (match_path(document, primary_key, &value) > 1)
        return fail_attribute(err, ERR_INVALID_DOCUMENT_ID, "Document have too many matching",
                              primary_key, document);
    if (value == NULL)
        return fail_attribute(err, ERR_MISSING_DOCUMENT_ID, "Document doesn't have a", primary_key,
                              document);
    return write_id(value, out, err);
}

static bool
ends_with_id(struct str name)
{
    return name.len >= 2 && str_equal_nocase(str_slice(name, name.len - 2, name.len), STR("id"));
}

int
primary_key_guess(const struct json *document, struct buf *out, struct err *err)
{
    struct str first = STR_NULL, second = STR_NULL; /* in byte order */
    unsigned n = 0;

    for (struct json_iter it = json_iter(document); json_next(&it);) {
        if (!ends_with_id(it.key))
            continue;
        n++;
        if (n == 1 || str_compare(it.key, first) < 0) {
            second = first;
            first = it.key;
        } else if (second.data == NULL || str_compare(it.key, second) < 0) {
            second = it.key;
        }
    }
    if (n == 0)
        return err_set(err, ERR_INDEX_PRIMARY_KEY_NO_CANDIDATE_FOUND, NO_CANDIDATE);
    if (n > 1)
        return err_set(err, ERR_INDEX_PRIMARY_KEY_MULTIPLE_CANDIDATES_FOUND,
                       "The primary key inference failed as the engine found %u fields ending with "
                       "`id` in their names: '%.*s' and '%.*s'. Please specify the primary key "
                       "manually using the `primaryKey` query parameter.",
                       n, STR_ARG(first), STR_ARG(second));
    buf_add_str(out, first);
    return 0;
}
