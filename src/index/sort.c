/* Sort rules, the keys they make, and the heap that keeps the first entries. Reads no store. */
#include "index/sort.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/unicode.h"
#include "index/filter_internal.h"
#include "index/filter_rules.h"

enum { KEY_STRING_MAX_BYTES = 468 /* upstream's limit of what it compares */ };

struct rule {
    struct str attribute; /* data NULL: by distance */
    double place[2];
    bool is_descending;
};
struct sort {
    struct arena *arena;
    struct rule *rules;
    size_t n;
};

/* --- parsing */

static int
refuse_rule(struct err *err, const char *before, struct str name, const char *behind)
{
    return err_set(err, ERR_INVALID_DOCUMENT_SORT, "%s`%.*s`%s", before, STR_ARG(name), behind);
}

#define USE_POINT                                                                                  \
    " is a reserved keyword and thus can't be used as a sort expression. Use the "                 \
    "_geoPoint(latitude, longitude) built-in rule to sort on _geo field coordinates."

static int
refuse_reserved(struct err *err, struct str name)
{
    if (str_starts_with(name, "_geoPoint"))
        return refuse_rule(err,
                           "Invalid syntax for the geo parameter: expected expression formated "
                           "like `_geoPoint(latitude, longitude)` and ending by `:asc` or "
                           "`:desc`, found ",
                           name, ".");
    if (str_is(name, "_geo"))
        return refuse_rule(err, "", name, USE_POINT);
    if (str_starts_with(name, "_geoRadius"))
        return refuse_rule(err, "", STR("_geoRadius"), USE_POINT);
    if (str_starts_with(name, "_geoBoundingBox"))
        return refuse_rule(err, "", STR("_geoBoundingBox"), USE_POINT);
    return refuse_rule(err, "", name,
                       " is a reserved keyword and thus can't be used as a sort expression.");
}

bool
attribute_is_reserved(struct str name)
{
    static const char *const words[] = {"_geo",       "_geojson",   "_geoDistance",
                                        "_geoPoint",  "_geoRadius", "_geoBoundingBox",
                                        "_geoPolygon"};
    static const char *const calls[] = {"_geoRadius(", "_geoBoundingBox(", "_geo(", "_geoDistance(",
                                        "_geoPoint("};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (str_is(name, words[i]))
            return true;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (str_starts_with(name, calls[i]))
            return true;
    return false;
}

static int
check_degrees(double value, double limit, const char *what, struct err *err)
{
    if (value >= -limit && value <= limit)
        return 0;
    struct buf shown = BUF_INIT;
    struct json_out j = json_out(&shown);
    json_put_double(&j, value);
    if (str_ends_with(buf_str(&shown), ".0"))
        shown.len -= 2;
    double turned = fmod(value + 180, 360);
    turned = (turned < 0 ? turned + 360 : turned) - 180;
    if (limit < 100)
        err_set(err, ERR_INVALID_DOCUMENT_SORT,
                "Bad %s `%s`. Latitude must be contained between -90 and 90 degrees.", what,
                buf_cstr(&shown));
    else
        err_set(err, ERR_INVALID_DOCUMENT_SORT,
                "Bad %s `%s`. Longitude must be contained between -180 and 180 degrees. Hint: try "
                "using `%.15g` instead.",
                what, buf_cstr(&shown), turned);
    buf_done(&shown);
    return -1;
}

/* _geoPoint(lat, lng) */
static int
read_point(struct rule *r, struct str name, struct err *err)
{
    struct str inner = str_slice(name, sizeof("_geoPoint(") - 1, name.len - 1);
    size_t comma = str_find(inner, ',', 0);
    if (!str_ends_with(name, ")") || comma == inner.len ||
        !filter_number(str_trim(str_slice(inner, 0, comma)), &r->place[0]) ||
        !filter_number(str_trim(str_slice(inner, comma + 1, inner.len)), &r->place[1]))
        return refuse_reserved(err, name);
    r->attribute = STR_NULL;
    if (check_degrees(r->place[0], 90, "latitude", err) < 0)
        return -1;
    return check_degrees(r->place[1], 180, "longitude", err);
}

static int
read_rule(struct arena *a, struct rule *r, struct str text, struct err *err)
{
    r->is_descending = str_ends_with(text, ":desc");
    if (!r->is_descending && !str_ends_with(text, ":asc"))
        return refuse_rule(err,
                           "Invalid syntax for the sort parameter: expected expression ending by "
                           "`:asc` or `:desc`, found ",
                           text, ".");
    struct str name = str_slice(text, 0, text.len - (r->is_descending ? 5 : 4));
    if (str_starts_with(name, "_geoPoint("))
        return read_point(r, name, err);
    if (attribute_is_reserved(name))
        return refuse_reserved(err, name);
    r->attribute = name.len == 0 ? STR("") : arena_copy(a, name);
    return 0;
}

struct sort *
sort_parse(const struct str *rules, size_t n, struct err *err)
{
    struct arena *a = arena_new();
    struct sort *s = arena_alloc(a, sizeof(*s));
    s->arena = a;
    s->n = n;
    s->rules = arena_alloc(a, (n + 1) * sizeof(*s->rules));
    for (size_t i = 0; i < n; i++) {
        if (read_rule(a, &s->rules[i], rules[i], err) == 0)
            continue;
        sort_free(s);
        return NULL;
    }
    return s;
}

void
sort_free(struct sort *s)
{
    if (s != NULL)
        arena_free(s->arena);
}

/* --- what may be sorted by */

static bool
is_sortable(const struct rule *r, const struct json *sortable)
{
    bool is_found = false;
    for (struct json_iter it = json_iter(sortable); !is_found && json_next(&it);)
        is_found = r->attribute.data == NULL
                       ? str_is(json_string(it.value), "_geo")
                       : attribute_is_below(r->attribute, json_string(it.value));
    return is_found;
}

static int
refuse_attribute(const struct rule *r, const struct json *sortable, struct err *err)
{
    struct str name = r->attribute.data == NULL ? STR("_geo") : r->attribute;
    struct buf names = BUF_INIT;
    for (struct json_iter it = json_iter(sortable); json_next(&it);)
        buf_addf(&names, "%s%.*s", names.len == 0 ? "" : ", ", STR_ARG(json_string(it.value)));
    if (names.len == 0)
        refuse_rule(err, "Attribute ", name,
                    " is not sortable. This index does not have configured sortable attributes.");
    else
        err_set(err, ERR_INVALID_DOCUMENT_SORT,
                "Attribute `%.*s` is not sortable. Available sortable attributes are: `%s`.",
                STR_ARG(name), buf_cstr(&names));
    buf_done(&names);
    return -1;
}

int
sort_check(const struct sort *s, struct str sortable, struct err *err)
{
    struct json_doc *doc = json_parse(sortable, NULL);
    const struct json *list = doc == NULL ? NULL : json_root(doc);
    int rc = 0;
    for (size_t i = 0; i < s->n && rc == 0; i++)
        if (!is_sortable(&s->rules[i], list))
            rc = refuse_attribute(&s->rules[i], list, err);
    json_doc_free(doc);
    return rc;
}

/* --- keys: a class, then the value; bytes are turned over for a descending order */

enum key_class { KEY_NUMBER = 1, KEY_STRING = 2, KEY_NOTHING = 3 };

/* The value that comes first of those met so far. */
struct best {
    enum key_class class;
    bool is_descending;
    double number;
    struct buf *string, *other; /* the best string, and room for the next */
};

static void
offer_number(struct best *b, double n)
{
    bool is_better = b->is_descending ? n > b->number : n < b->number;
    if (b->class != KEY_NUMBER || is_better)
        b->number = n;
    b->class = KEY_NUMBER;
}

static void
offer_string(struct best *b, struct str s)
{
    if (s.len == 0 || b->class == KEY_NUMBER)
        return;
    buf_clear(b->other);
    unicode_fold(b->other, str_trim(s));
    int order = str_compare(buf_str(b->other), buf_str(b->string));
    if (b->class == KEY_STRING && (b->is_descending ? order <= 0 : order >= 0))
        return;
    struct buf *better = b->other;
    b->other = b->string;
    b->string = better;
    b->class = KEY_STRING;
}

static void
offer(struct best *b, const struct json *value)
{
    double number;
    switch (json_type(value)) {
    case JSON_NUMBER:
        if (filter_number(json_number(value), &number))
            offer_number(b, number);
        break;
    case JSON_STRING:
        offer_string(b, json_string(value));
        break;
    case JSON_BOOL:
        offer_string(b, json_bool(value) ? STR("true") : STR("false"));
        break;
    case JSON_ARRAY:
        for (struct json_iter it = json_iter(value); json_next(&it);)
            offer(b, it.value);
        break;
    default:
        break;
    }
}

static void walk(struct best *b, const struct json *value, struct str path);

static void
walk_object(struct best *b, const struct json *object, struct str path)
{
    for (struct json_iter it = json_iter(object); json_next(&it);) {
        if (!attribute_is_below(path, it.key))
            continue;
        if (it.key.len == path.len)
            offer(b, it.value);
        else
            walk(b, it.value, str_slice(path, it.key.len + 1, path.len));
    }
}

static void
walk(struct best *b, const struct json *value, struct str path)
{
    if (json_type(value) == JSON_OBJECT)
        walk_object(b, value, path);
    if (json_type(value) == JSON_ARRAY)
        for (struct json_iter it = json_iter(value); json_next(&it);)
            walk(b, it.value, path);
}

static void
add_byte(struct buf *out, unsigned byte, bool is_descending)
{
    buf_add_char(out, (char) (is_descending ? ~byte : byte));
}

/* The bits of a double in an order that is that of the numbers. */
static void
add_number(struct buf *out, double n, bool is_descending)
{
    uint64_t bits;
    n = n == 0 ? 0 : n; /* one zero */
    memcpy(&bits, &n, sizeof(bits));
    bits = bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
    for (int shift = 56; shift >= 0; shift -= 8)
        add_byte(out, (unsigned) (bits >> shift) & 0xFF, is_descending);
}

/* Ends in a byte below every other; a NUL inside is told from it. */
static void
add_string(struct buf *out, struct str s, bool is_descending)
{
    s = str_slice(s, 0, KEY_STRING_MAX_BYTES);
    for (size_t i = 0; i < s.len; i++) {
        add_byte(out, (unsigned char) s.data[i], is_descending);
        if (s.data[i] == '\0')
            add_byte(out, 1, is_descending);
    }
    add_byte(out, 0, is_descending);
    add_byte(out, 0, is_descending);
}

static void
add_rule(const struct rule *r, const struct json *document, struct buf *out)
{
    struct buf first = BUF_INIT, second = BUF_INIT;
    struct best b = {.class = KEY_NOTHING,
                     .is_descending = r->is_descending,
                     .string = &first,
                     .other = &second};
    double place[2];
    if (r->attribute.data != NULL)
        walk_object(&b, document, r->attribute);
    else if (filter_geo_place(document, &place[0], &place[1]))
        offer_number(&b, filter_geo_distance(r->place, place));
    buf_add_char(out, (char) b.class);
    if (b.class == KEY_NUMBER)
        add_number(out, b.number, r->is_descending);
    else if (b.class == KEY_STRING)
        add_string(out, buf_str(b.string), r->is_descending);
    buf_done(&first);
    buf_done(&second);
}

void
sort_key(const struct sort *s, const struct json *document, struct buf *out)
{
    for (size_t i = 0; i < s->n; i++)
        add_rule(&s->rules[i], document, out);
}
