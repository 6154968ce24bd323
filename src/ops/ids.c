/* Document ids out of a JSON array. Owns the unread bytes and their place (line, column) in the
 * upload; each element is cut out first and parsed alone, so that no piece takes long.
 *
 * START -> ELEMENT or END_OF_ARRAY -> COMMA -> ELEMENT ... -> TRAILING */
#include "ops/ids.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/json.h"

enum ids_state {
    IDS_START,
    IDS_FIRST, /* after '[': an element or ']' */
    IDS_COMMA, /* after an element: ',' or ']' */
    IDS_NEXT,  /* after ',': an element */
    IDS_TRAILING,
};

/* How far the end of an element was looked for; goes on with the next bytes. */
struct scan {
    size_t at; /* bytes looked at */
    unsigned depth;
    bool in_string, after_backslash, has_begun;
};

struct ids {
    enum ids_state state;
    struct buf bytes;
    size_t at; /* consumed */
    bool has_ended, is_empty;
    uint64_t line, column; /* 1-based line, bytes consumed on it */
    struct scan scan;
    struct buf id;
};

struct ids *
ids_new(void)
{
    struct ids *d = mem_new(1, sizeof(*d));

    d->line = 1;
    d->is_empty = true;
    return d;
}

void
ids_free(struct ids *d)
{
    if (d == NULL)
        return;
    buf_done(&d->bytes);
    buf_done(&d->id);
    free(d);
}

void
ids_feed(struct ids *d, struct str bytes)
{
    buf_drop_front(&d->bytes, d->at);
    d->at = 0;
    buf_add_str(&d->bytes, bytes);
    d->is_empty &= bytes.len == 0;
}

void
ids_end(struct ids *d)
{
    d->has_ended = true;
}

static struct str
rest(const struct ids *d)
{
    return str_slice(buf_str(&d->bytes), d->at, d->bytes.len);
}

static void
consume(struct ids *d, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        d->column++;
        if (d->bytes.data[d->at++] == '\n') {
            d->line++;
            d->column = 0;
        }
    }
}

static int
fail_malformed(struct err *err, struct str reason)
{
    return err_set(err, ERR_MALFORMED_PAYLOAD, "The json payload provided is malformed. `%.*s`.",
                   STR_ARG(reason));
}

/* reason at the current place plus `ahead` bytes of this line. */
static int
fail_here(struct ids *d, const char *reason, unsigned ahead, struct err *err)
{
    struct buf text = BUF_INIT;
    int rc;

    buf_addf(&text, "%s at line %llu column %llu", reason, (unsigned long long) d->line,
             (unsigned long long) d->column + ahead);
    rc = fail_malformed(err, buf_str(&text));
    buf_done(&text);
    return rc;
}

/* --- the place in an element's error, moved into the whole upload */

static bool
split_place(struct str why, struct str *ret_reason, uint64_t *ret_line, uint64_t *ret_column)
{
    static const char line_mark[] = " at line ", column_mark[] = " column ";
    const char *line = NULL;
    struct str place, numbers[2];

    for (size_t i = 0; i + sizeof(line_mark) - 1 <= why.len; i++)
        if (memcmp(why.data + i, line_mark, sizeof(line_mark) - 1) == 0)
            line = why.data + i;
    if (line == NULL)
        return false;
    *ret_reason = str_make(why.data, (size_t) (line - why.data));
    place = str_slice(why, ret_reason->len + sizeof(line_mark) - 1, why.len);
    numbers[0] = str_slice(place, 0, str_find(place, ' ', 0));
    numbers[1] = str_slice(place, numbers[0].len + sizeof(column_mark) - 1, place.len);
    return str_to_u64(numbers[0], UINT32_MAX, ret_line) &&
           str_to_u64(numbers[1], UINT32_MAX, ret_column);
}

static int
fail_element(struct ids *d, struct str why, struct err *err)
{
    struct buf text = BUF_INIT;
    struct str reason;
    uint64_t line, column;
    int rc;

    if (!split_place(why, &reason, &line, &column))
        return fail_malformed(err, why);
    if (str_is(reason, "trailing characters")) /* behind an element of a list it is this */
        reason = STR("expected `,` or `]`");
    if (line == 1)
        column += d->column;
    line += d->line - 1;
    buf_add_str(&text, reason);
    buf_addf(&text, " at line %llu column %llu", (unsigned long long) line,
             (unsigned long long) column);
    rc = fail_malformed(err, buf_str(&text));
    buf_done(&text);
    return rc;
}

/* --- the end of an element */

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Looks at one byte; true when the element ends before it. */
static bool
ends_before(struct scan *s, char c)
{
    bool is_nested = s->depth > 0 || s->in_string;

    return s->has_begun && !is_nested && (c == ',' || c == ']' || is_space(c));
}

static void
scan_byte(struct scan *s, char c)
{
    s->has_begun = true;
    if (s->in_string) {
        if (s->after_backslash)
            s->after_backslash = false;
        else if (c == '\\')
            s->after_backslash = true;
        else if (c == '"')
            s->in_string = false;
        return;
    }
    s->in_string = c == '"';
    s->depth += c == '[' || c == '{';
    s->depth -= (c == ']' || c == '}') && s->depth > 0;
}

/* Whether the element's end is known; its length is scan.at then. */
static bool
find_end(struct ids *d)
{
    struct str s = rest(d);

    for (; d->scan.at < s.len; d->scan.at++) {
        if (ends_before(&d->scan, s.data[d->scan.at]))
            return true;
        scan_byte(&d->scan, s.data[d->scan.at]);
    }
    return d->has_ended;
}

/* An element that ends too early fails at the byte behind it, where there is one. */
static void
explain_cut(const struct ids *d, struct buf *why)
{
    struct str s = rest(d);

    if (d->scan.at == s.len || !str_starts_with(buf_str(why), "EOF"))
        return;
    buf_clear(why);
    json_doc_free(json_parse(str_slice(s, 0, d->scan.at + 1), why)); /* fails as well */
}

static void
write_id(struct buf *out, const struct json *value)
{
    buf_clear(out);
    if (json_type(value) == JSON_STRING)
        buf_add_str(out, json_string(value));
    else
        json_write_normal(out, value);
}

/* 1 with the id, 0 for more bytes, negative. */
static int
read_element(struct ids *d, struct str *ret, struct err *err)
{
    struct buf why = BUF_INIT;
    struct json_doc *doc;
    int rc = 1;

    if (!find_end(d))
        return 0;
    doc = json_parse(str_slice(rest(d), 0, d->scan.at), &why);
    if (doc == NULL) {
        explain_cut(d, &why);
        rc = fail_element(d, buf_str(&why), err);
    } else {
        write_id(&d->id, json_root(doc));
        *ret = buf_str(&d->id);
        consume(d, d->scan.at);
        d->scan = (struct scan){0};
        d->state = IDS_COMMA;
    }
    json_doc_free(doc);
    buf_done(&why);
    return rc;
}

/* --- everything that is not an array */

static void
write_unexpected(struct buf *out, const struct json *value)
{
    uint64_t u;
    int64_t i;

    switch (json_type(value)) {
    case JSON_STRING: /* as Rust's {:?} for ordinary text */
        buf_add_cstr(out, "string ");
        json_write(out, value);
        return;
    case JSON_NUMBER:
        buf_add_cstr(out, json_to_u64(value, &u) || json_to_i64(value, &i) ? "integer `"
                                                                           : "floating point `");
        break;
    case JSON_BOOL:
        buf_add_cstr(out, "boolean `");
        break;
    default:
        buf_add_cstr(out, "null");
        return;
    }
    json_write_normal(out, value);
    buf_add_char(out, '`');
}

static int
fail_type(struct err *err, struct str unexpected, uint64_t line, uint64_t column)
{
    return err_set(err, ERR_BAD_REQUEST,
                   "Json deserialize error: invalid type: %.*s, expected a sequence at line %llu "
                   "column %llu",
                   STR_ARG(unexpected), (unsigned long long) line, (unsigned long long) column);
}

static int
read_other(struct ids *d, struct err *err)
{
    struct buf text = BUF_INIT;
    struct json_doc *doc;
    int rc;

    if (rest(d).data[0] == '{')
        return fail_type(err, STR("map"), d->line, d->column);
    if (!find_end(d))
        return 0;
    doc = json_parse(str_slice(rest(d), 0, d->scan.at), &text);
    if (doc == NULL) {
        rc = fail_element(d, buf_str(&text), err);
    } else {
        write_unexpected(&text, json_root(doc));
        consume(d, d->scan.at);
        rc = fail_type(err, buf_str(&text), d->line, d->column);
    }
    json_doc_free(doc);
    buf_done(&text);
    return rc;
}

/* --- between the elements */

static int
fail_end(struct ids *d, struct err *err)
{
    switch (d->state) {
    case IDS_START:
        if (d->is_empty)
            return err_set(err, ERR_MISSING_PAYLOAD, "A json payload is missing.");
        return fail_here(d, "EOF while parsing a value", 0, err);
    case IDS_NEXT:
        return fail_here(d, "EOF while parsing a value", 0, err);
    case IDS_TRAILING:
        return 0;
    default:
        return fail_here(d, "EOF while parsing a list", 0, err);
    }
}

enum { IDS_GO_ON = 2 };

static int
go_on(struct ids *d, enum ids_state to)
{
    consume(d, 1);
    d->state = to;
    return IDS_GO_ON;
}

/* One token, c being its first byte: an id, more bytes, an error, or IDS_GO_ON. */
static int
read_token(struct ids *d, char c, struct str *ret, struct err *err)
{
    switch (d->state) {
    case IDS_START:
        return c == '[' ? go_on(d, IDS_FIRST) : read_other(d, err);
    case IDS_FIRST:
        return c == ']' ? go_on(d, IDS_TRAILING) : read_element(d, ret, err);
    case IDS_NEXT:
        return c == ']' ? fail_here(d, "trailing comma", 1, err) : read_element(d, ret, err);
    case IDS_COMMA:
        if (c == ',' || c == ']')
            return go_on(d, c == ',' ? IDS_NEXT : IDS_TRAILING);
        return fail_here(d, "expected `,` or `]`", 1, err);
    default:
        return fail_here(d, "trailing characters", 1, err);
    }
}

int
ids_next(struct ids *d, struct str *ret, struct err *err)
{
    int rc;

    if (buf_failed(&d->bytes))
        return err_set(err, ERR_INTERNAL, "out of memory while reading the payload");
    do {
        while (!d->scan.has_begun && d->at < d->bytes.len && is_space(d->bytes.data[d->at]))
            consume(d, 1);
        if (d->at == d->bytes.len)
            return d->has_ended ? fail_end(d, err) : 0;
        rc = read_token(d, d->bytes.data[d->at], ret, err);
    } while (rc == IDS_GO_ON);
    return rc;
}
