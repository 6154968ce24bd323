/* CSV uploads: RFC 4180 records read byte by byte into one row, and rows turned into JSON objects
 * by the typed header. Errors in the words and at the places of upstream's reader (contract 5.2).
 * Entered through docs_next. */
#include <stdlib.h>

#include "base/mem.h"
#include "codec/docs_reader.h"
#include "codec/json.h"

enum column_type { COLUMN_STRING, COLUMN_NUMBER, COLUMN_BOOLEAN };

static const char *const column_types[] = {
    [COLUMN_STRING] = "string", [COLUMN_NUMBER] = "number", [COLUMN_BOOLEAN] = "boolean"};

struct column {
    struct str name; /* in names */
    enum column_type type;
    size_t source;  /* the field with the value: of columns with one name the last */
    bool is_hidden; /* a later one of these columns */
};

enum state { BEGIN, RECORD, FIELD, PLAIN, QUOTED, QUOTE_IN_QUOTED };

/* Where the record being read started. */
struct record_place {
    uint64_t record, line, byte;
};

struct docs_csv {
    char delimiter;
    enum state state;
    bool has_header;
    struct buf row;  /* unescaped fields, one after the other */
    struct buf ends; /* size_t: the end of each complete field in row */
    struct record_place start;
    uint64_t line, byte; /* of the next byte */
    struct buf names;
    struct column *columns;
    size_t n_columns;
};

struct docs_csv *
docs_csv_new(char delimiter)
{
    struct docs_csv *c = mem_new(1, sizeof(*c));
    c->delimiter = delimiter;
    c->line = 1;
    c->start.line = 1;
    return c;
}

void
docs_csv_free(struct docs_csv *c)
{
    if (c == NULL)
        return;
    buf_done(&c->row);
    buf_done(&c->ends);
    buf_done(&c->names);
    free(c->columns);
    free(c);
}

/* message: of the reader, without the frame. Consumes it. */
static int
refuse(struct err *err, struct buf *message)
{
    int rc = err_set(err, ERR_MALFORMED_PAYLOAD, "The `csv` payload provided is malformed: `%s`.",
                     buf_cstr(message));
    buf_done(message);
    return rc;
}

/* --- records ------------------------------------------------------------------------------- */

static size_t
field_count(const struct docs_csv *c)
{
    return c->ends.len / sizeof(size_t);
}

static size_t
field_end(const struct docs_csv *c, size_t i)
{
    size_t end;
    memcpy(&end, c->ends.data + i * sizeof(end), sizeof(end));
    return end;
}

static struct str
field(const struct docs_csv *c, size_t i)
{
    return str_slice(buf_str(&c->row), i == 0 ? 0 : field_end(c, i - 1), field_end(c, i));
}

static void
end_field(struct docs_csv *c)
{
    buf_add(&c->ends, &c->row.len, sizeof(c->row.len));
}

/* The bytes that mean themselves at the front of text, in this state. */
static size_t
plain_run(const struct docs_csv *c, struct str text)
{
    if (c->state == QUOTED)
        return str_find(text, '"', 0);
    size_t n = 0;
    if (c->state == PLAIN) {
        while (n < text.len && text.data[n] != c->delimiter && text.data[n] != '\n' &&
               text.data[n] != '\r')
            n++;
    }
    return n;
}

static bool
is_line_end(char ch)
{
    return ch == '\n' || ch == '\r';
}

/* One byte that is no run; whether it ends the record. */
static bool
take_byte(struct docs_csv *c, char ch)
{
    if (c->state == RECORD) {
        if (is_line_end(ch))
            return false; /* a blank line, or the second half of CR LF */
        c->state = FIELD;
    }
    if (c->state == QUOTED) {
        c->state = QUOTE_IN_QUOTED;
    } else if (ch == '"' && c->state == FIELD) {
        c->state = QUOTED;
    } else if (ch == '"' && c->state == QUOTE_IN_QUOTED) {
        buf_add_char(&c->row, '"');
        c->state = QUOTED;
    } else if (ch == c->delimiter) {
        end_field(c);
        c->state = FIELD;
    } else if (is_line_end(ch)) {
        end_field(c);
        c->state = RECORD;
        return true;
    } else {
        buf_add_char(&c->row, ch);
        c->state = PLAIN;
    }
    return false;
}

/* Reads on to the end of a record: true when one is complete in row. */
static bool
read_record(struct docs *d)
{
    struct docs_csv *c = d->csv;
    struct str text = docs_rest(d);
    size_t at = 0;
    bool is_complete = false;
    while (at < text.len && !is_complete) {
        size_t run = plain_run(c, str_slice(text, at, text.len));
        buf_add(&c->row, text.data + at, run);
        at += run;
        if (at < text.len)
            is_complete = take_byte(c, text.data[at++]);
    }
    struct json_place place = {.line = c->line};
    json_place_advance(&place, str_slice(text, 0, at));
    c->line = place.line;
    c->byte += at;
    d->at += at;
    if (is_complete || !d->is_ended || c->state == RECORD)
        return is_complete;
    end_field(c); /* the last line has no end */
    c->state = RECORD;
    return true;
}

static void
next_record(struct docs_csv *c)
{
    buf_clear(&c->row);
    buf_clear(&c->ends);
    c->start =
        (struct record_place){.record = c->start.record + 1, .line = c->line, .byte = c->byte};
}

/* Lengths and encoding of the record in row. */
static int
check_record(const struct docs_csv *c, struct err *err)
{
    struct buf text = BUF_INIT;
    unsigned long long record = c->start.record, line = c->start.line, byte = c->start.byte;
    size_t n = field_count(c);
    if (c->has_header && n != c->n_columns) {
        buf_addf(&text,
                 "CSV error: record %llu (line: %llu, byte: %llu): found record with %zu fields, "
                 "but the previous record has %zu fields",
                 record, line, byte, n, c->n_columns);
        return refuse(err, &text);
    }
    for (size_t i = 0; i < n; i++) {
        size_t valid = str_utf8_prefix(field(c, i));
        if (valid == field(c, i).len)
            continue;
        buf_addf(&text,
                 "CSV parse error: record %llu (line %llu, field: %zu, byte: %llu): invalid utf-8: "
                 "invalid UTF-8 in field %zu near byte index %zu",
                 record, line, i, byte, i, valid);
        return refuse(err, &text);
    }
    return 0;
}

/* --- the header ---------------------------------------------------------------------------- */

/* "name:type", split at the last ':'; an unknown type belongs to the name. */
static struct column
parse_column(struct str header)
{
    for (size_t at = header.len; at-- > 0;) {
        if (header.data[at] != ':')
            continue;
        for (size_t t = 0; t < sizeof(column_types) / sizeof(column_types[0]); t++) {
            if (str_is(str_slice(header, at + 1, header.len), column_types[t]))
                return (struct column){str_slice(header, 0, at), (enum column_type) t, 0, false};
        }
        break;
    }
    return (struct column){header, COLUMN_STRING, 0, false};
}

static int
compare_columns(const void *a, const void *b)
{
    const struct column *x = *(struct column *const *) a, *y = *(struct column *const *) b;
    int by_name = str_compare(x->name, y->name);
    return by_name != 0 ? by_name : x->source < y->source ? -1 : x->source > y->source;
}

/* Of columns with one name the first gives the place and the last the value. */
static void
settle_columns(struct docs_csv *c)
{
    struct column **sorted = mem_new(c->n_columns, sizeof(*sorted));
    for (size_t i = 0; i < c->n_columns; i++)
        sorted[i] = &c->columns[i];
    qsort(sorted, c->n_columns, sizeof(*sorted), compare_columns);
    for (size_t i = 1, first = 0; i < c->n_columns; i++) {
        if (!str_equal(sorted[first]->name, sorted[i]->name)) {
            first = i;
            continue;
        }
        sorted[first]->source = sorted[i]->source;
        sorted[i]->is_hidden = true;
    }
    free(sorted);
}

static int
read_header(struct docs_csv *c, struct err *err)
{
    size_t n = field_count(c);
    if (n > DOCS_CSV_MAX_COLUMNS)
        return err_set(err, ERR_MAX_FIELDS_LIMIT_EXCEEDED,
                       "A document cannot contain more than 65,535 fields.");
    c->names = c->row;
    c->row = BUF_INIT;
    c->columns = mem_new(n, sizeof(*c->columns));
    c->n_columns = n;
    for (size_t i = 0; i < n; i++) {
        size_t start = i == 0 ? 0 : field_end(c, i - 1);
        c->columns[i] = parse_column(str_slice(buf_str(&c->names), start, field_end(c, i)));
        c->columns[i].source = i;
    }
    settle_columns(c);
    c->has_header = true;
    return 0;
}

/* --- values -------------------------------------------------------------------------------- */

/* A string as Rust's {:?} shows it. */
static void
add_debug_string(struct buf *out, struct str s)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char ch = (unsigned char) s.data[i];
        const char *escape = ch == '"'    ? "\\\""
                             : ch == '\\' ? "\\\\"
                             : ch == '\n' ? "\\n"
                             : ch == '\r' ? "\\r"
                             : ch == '\t' ? "\\t"
                             : ch == '\0' ? "\\0"
                                          : NULL;
        if (escape != NULL)
            buf_add_cstr(out, escape);
        else if (ch < 0x20 || ch == 0x7F)
            buf_addf(out, "\\u{%x}", ch);
        else
            buf_add_char(out, (char) ch);
    }
    buf_add_char(out, '"');
}

static int
refuse_value(const struct docs_csv *c, struct err *err, struct str value, enum column_type type)
{
    struct buf text = BUF_INIT;
    buf_addf(&text, "Error parsing %s ", column_types[type]);
    add_debug_string(&text, value);
    buf_addf(&text, " at line %llu: %s", (unsigned long long) c->start.record,
             type == COLUMN_NUMBER ? "invalid float literal"
                                   : "provided string was not `true` or `false`");
    return refuse(err, &text);
}

static size_t
skip_digits(struct str s, size_t at)
{
    while (at < s.len && s.data[at] >= '0' && s.data[at] <= '9')
        at++;
    return at;
}

static size_t
skip_sign(struct str s, size_t at)
{
    return at + (at < s.len && (s.data[at] == '+' || s.data[at] == '-'));
}

/* Decimal digits with an optional sign, point and exponent: what Rust reads as a float, without
 * its words for infinity and not-a-number. */
static bool
is_decimal(struct str s)
{
    size_t start = skip_sign(s, 0), at = skip_digits(s, start), n_digits = at - start;
    if (at < s.len && s.data[at] == '.') {
        size_t end = skip_digits(s, at + 1);
        n_digits += end - at - 1;
        at = end;
    }
    if (n_digits > 0 && at < s.len && (s.data[at] == 'e' || s.data[at] == 'E')) {
        start = skip_sign(s, at + 1);
        at = skip_digits(s, start);
        n_digits = at - start;
    }
    return n_digits > 0 && at == s.len;
}

static bool
is_not_finite_word(struct str s)
{
    struct str word = str_slice(s, skip_sign(s, 0), s.len);
    return str_equal_nocase(word, STR("nan")) || str_equal_nocase(word, STR("inf")) ||
           str_equal_nocase(word, STR("infinity"));
}

/* A 64-bit integer with optional sign and leading zeros, written plainly. */
static bool
add_integer(struct buf *out, struct str s)
{
    bool is_negative = str_starts_with(s, "-");
    uint64_t magnitude, limit = (uint64_t) INT64_MAX + is_negative;
    if (!str_to_u64(str_slice(s, skip_sign(s, 0), s.len), limit, &magnitude))
        return false;
    if (is_negative && magnitude > 0)
        buf_add_char(out, '-');
    buf_add_u64(out, magnitude);
    return true;
}

/* A number as written where that is JSON, else as the double it stands for; null for what is
 * beyond a double. False when it is none. */
static bool
add_number(struct buf *out, struct str s)
{
    if (add_integer(out, s))
        return true;
    bool is_null = is_not_finite_word(s);
    if (!is_null && !is_decimal(s))
        return false;
    if (is_null || !json_number_fits(s))
        buf_add_cstr(out, "null");
    else if (json_check(s).what == NULL)
        buf_add_str(out, s);
    else
        json_write_number_normal(out, s);
    return true;
}

static bool
is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct str
trim(struct str s)
{
    while (s.len > 0 && is_blank(s.data[0]))
        s = str_slice(s, 1, s.len);
    while (s.len > 0 && is_blank(s.data[s.len - 1]))
        s.len--;
    return s;
}

static int
add_value(struct docs *d, const struct column *column, struct err *err)
{
    const struct docs_csv *c = d->csv;
    enum column_type type = c->columns[column->source].type;
    struct str value = field(c, column->source), trimmed = trim(value);
    if (value.len == 0 || (type != COLUMN_STRING && trimmed.len == 0))
        buf_add_cstr(&d->out, "null");
    else if (type == COLUMN_STRING)
        json_write_string(&d->out, value);
    else if (type == COLUMN_NUMBER)
        return add_number(&d->out, trimmed) ? 0 : refuse_value(c, err, value, type);
    else if (str_is(trimmed, "true") || str_is(trimmed, "false"))
        buf_add_str(&d->out, trimmed);
    else
        return refuse_value(c, err, value, type);
    return 0;
}

static int
give_object(struct docs *d, struct str *ret, struct err *err)
{
    const struct docs_csv *c = d->csv;
    buf_clear(&d->out);
    buf_add_char(&d->out, '{');
    for (size_t i = 0; i < c->n_columns; i++) {
        if (c->columns[i].is_hidden)
            continue;
        if (i > 0)
            buf_add_char(&d->out, ',');
        json_write_string(&d->out, c->columns[i].name);
        buf_add_char(&d->out, ':');
        if (add_value(d, &c->columns[i], err) < 0)
            return -1;
    }
    buf_add_char(&d->out, '}');
    if (buf_failed(&d->out))
        return docs_no_memory(err);
    *ret = buf_str(&d->out);
    return 1;
}

/* Steps over a byte order mark; false when that cannot be told yet. */
static bool
skip_mark(struct docs *d)
{
    static const char mark[] = "\xEF\xBB\xBF";
    struct str text = docs_rest(d);
    size_t n = text.len < 3 ? text.len : 3;
    bool is_start = memcmp(text.data, mark, n) == 0;
    if (is_start && n < 3 && !d->is_ended)
        return false;
    if (is_start && n == 3) {
        d->at += 3;
        d->csv->byte += 3;
    }
    d->csv->state = RECORD;
    return true;
}

int
docs_csv_next(struct docs *d, struct str *ret, struct err *err)
{
    struct docs_csv *c = d->csv;
    if (c->state == BEGIN && !skip_mark(d))
        return 0;
    while (read_record(d)) {
        if (buf_failed(&c->row) || buf_failed(&c->ends))
            return docs_no_memory(err);
        if (check_record(c, err) < 0)
            return -1;
        bool is_header = !c->has_header;
        int rc = is_header ? read_header(c, err) : give_object(d, ret, err);
        if (rc < 0)
            return -1;
        next_record(c);
        if (!is_header)
            return 1;
    }
    return buf_failed(&c->row) || buf_failed(&c->ends) ? docs_no_memory(err) : 0;
}
