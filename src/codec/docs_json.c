/* JSON and NDJSON uploads: finds where the next document ends by hopping over quotes and brackets,
 * and leaves its syntax to json_parse. Entered through docs_next. */
#include <stdlib.h>

#include "base/mem.h"
#include "codec/docs_reader.h"
#include "codec/json.h"

/*
 *            '['                  ']'
 *  START ----------> FIRST ------------------> DONE (the rest is ignored)
 *    |                 | value                  ^
 *    |                 v        ']'             |
 *    |               AFTER ---------------------+
 *    |                 | ','   ^ value
 *    |                 v       |
 *    |               ELEMENT --+
 *    | other: one value
 *    v
 *  SINGLE -> TRAILING (nothing but white space)
 *  STREAM (NDJSON): values, white space between them or not
 */
enum state { START, FIRST, AFTER, ELEMENT, DONE, SINGLE, TRAILING, STREAM };

enum value_kind { VALUE_NONE, VALUE_BRACKETS, VALUE_STRING, VALUE_SCALAR };

/* How far behind a wrong value the scanner may look to name the fault: "\u" may be followed by the
 * closing quote and three more bytes. */
enum { LOOKAHEAD_BYTES = 4 };

struct docs_json {
    enum state state;
    struct json_place place; /* of the first byte not read */
    struct json_scratch *scratch;
    /* the value that starts there and of which the first `scanned` bytes were looked at */
    enum value_kind kind;
    size_t scanned;
    size_t depth;
    bool in_string;
    bool is_complete; /* its end is at `scanned` */
};

struct docs_json *
docs_json_new(bool is_array_allowed)
{
    struct docs_json *j = mem_new(1, sizeof(*j));
    j->state = is_array_allowed ? START : STREAM;
    j->place = JSON_PLACE_START;
    j->scratch = json_scratch_new();
    return j;
}

void
docs_json_free(struct docs_json *j)
{
    if (j == NULL)
        return;
    json_scratch_free(j->scratch);
    free(j);
}

bool
docs_json_is_done(const struct docs_json *j)
{
    return j->state == DONE;
}

/* --- errors -------------------------------------------------------------------------------- */

static int
refuse(const struct docs *d, struct err *err, const char *message)
{
    return err_set(err, ERR_MALFORMED_PAYLOAD,
                   "The `%s` payload provided is malformed. `Couldn't serialize document value: "
                   "%s`.",
                   docs_format_name(d->format), message);
}

/* A fault within the bytes not read yet. */
static int
refuse_fault(const struct docs *d, struct err *err, struct json_fault fault)
{
    struct buf text = BUF_INIT;
    json_fault_write(&text, &fault, docs_rest(d), d->json->place);
    int rc = refuse(d, err, buf_cstr(&text));
    buf_done(&text);
    return rc;
}

static int
refuse_next(const struct docs *d, struct err *err, const char *what)
{
    return refuse_fault(d, err, (struct json_fault){what, docs_rest(d).len > 0});
}

/* text: a value that is no object or not JSON. */
static int
refuse_value(const struct docs *d, struct err *err, struct str text)
{
    struct json_fault fault = json_check_first(text);
    if (fault.what != NULL)
        return refuse_fault(d, err, fault);
    return refuse(d, err, "data are neither an object nor a list of objects");
}

/* --- where a value ends -------------------------------------------------------------------- */

/* Which bytes matter outside strings. */
static const signed char bracket_step[256] = {
    ['{'] = 1, ['['] = 1, ['}'] = -1, [']'] = -1, ['"'] = 2};

/* Whether the quote at text.data[at] is escaped. A run of backslashes ends at the quote that opened
 * the string at the latest. */
static bool
is_escaped(struct str text, size_t at)
{
    size_t n = 0;
    while (text.data[at - 1 - n] == '\\')
        n++;
    return n % 2 == 1;
}

/* Moves behind the closing quote; false when it is not there yet. */
static bool
skip_string(struct docs_json *j, struct str text)
{
    for (;;) {
        size_t at = str_find(text, '"', j->scanned);
        if (at == text.len) {
            j->scanned = at;
            return false;
        }
        j->scanned = at + 1;
        if (!is_escaped(text, at)) {
            j->in_string = false;
            return true;
        }
    }
}

/* Whether the value of brackets is complete (or hopelessly deep). */
static bool
skip_brackets(struct docs_json *j, struct str text)
{
    for (;;) {
        if (j->in_string && !skip_string(j, text))
            return false;
        size_t at = j->scanned;
        while (at < text.len && bracket_step[(unsigned char) text.data[at]] == 0)
            at++;
        j->scanned = at;
        if (at == text.len)
            return false;
        int step = bracket_step[(unsigned char) text.data[at]];
        j->scanned++;
        if (step == 2) {
            j->in_string = true;
            continue;
        }
        j->depth += (size_t) (long) step;
        if (j->depth == 0 || j->depth > JSON_MAX_DEPTH)
            return true;
    }
}

static bool
is_scalar_end(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' || c == '"' ||
           bracket_step[(unsigned char) c] != 0;
}

static bool
skip_scalar(struct docs_json *j, struct str text)
{
    while (j->scanned < text.len && !is_scalar_end(text.data[j->scanned]))
        j->scanned++;
    return j->scanned < text.len;
}

static void
start_value(struct docs_json *j, char first)
{
    j->in_string = first == '"';
    j->kind = j->in_string                               ? VALUE_STRING
              : bracket_step[(unsigned char) first] == 1 ? VALUE_BRACKETS
                                                         : VALUE_SCALAR;
    j->scanned = 1;
    j->depth = 1;
}

/* Whether the end of the value at the front of text was found, at j->scanned. */
static bool
skip_value(struct docs_json *j, struct str text)
{
    if (j->kind == VALUE_NONE)
        start_value(j, text.data[0]);
    if (j->kind == VALUE_BRACKETS)
        return skip_brackets(j, text);
    return j->kind == VALUE_STRING ? skip_string(j, text) : skip_scalar(j, text);
}

/* --- values -------------------------------------------------------------------------------- */

static void
consume(struct docs *d, size_t n)
{
    json_place_advance(&d->json->place, str_slice(docs_rest(d), 0, n));
    d->at += n;
}

/* Gives the complete object that text is as compact text; 0 when it is not JSON. */
static int
give_object(struct docs *d, struct str text, struct str *ret, struct err *err)
{
    struct json_doc *doc = json_parse_scratch(d->json->scratch, text, NULL);
    if (doc == NULL)
        return json_check_first(text).what != NULL ? 0 : docs_no_memory(err);
    buf_clear(&d->out);
    json_write(&d->out, json_root(doc));
    json_doc_free(doc);
    if (buf_failed(&d->out))
        return docs_no_memory(err);
    *ret = buf_str(&d->out);
    return 1;
}

/* The value at the front of the rest; the state that follows it is entered when it is given. */
static int
next_value(struct docs *d, enum state after, struct str *ret, struct err *err)
{
    struct docs_json *j = d->json;
    struct str text = docs_rest(d);
    j->is_complete = j->is_complete || skip_value(j, text);
    if (!j->is_complete && !d->is_ended)
        return 0;
    int rc = 0;
    if (j->is_complete && text.data[0] == '{')
        rc = give_object(d, str_slice(text, 0, j->scanned), ret, err);
    if (rc < 0)
        return rc;
    if (rc > 0) {
        consume(d, j->scanned);
        j->kind = VALUE_NONE;
        j->is_complete = false;
        j->state = after;
        return rc;
    }
    if (!d->is_ended && text.len < j->scanned + LOOKAHEAD_BYTES)
        return 0;
    return refuse_value(d, err, str_slice(text, 0, j->scanned + LOOKAHEAD_BYTES));
}

static int
next_at_end(const struct docs *d, struct err *err)
{
    switch (d->json->state) {
    case FIRST:
    case AFTER:
        return refuse_next(d, err, "EOF while parsing a list");
    case START:
    case ELEMENT:
        return refuse_next(d, err, "EOF while parsing a value");
    default:
        return 0;
    }
}

static void
skip_space(struct docs *d)
{
    struct str text = docs_rest(d);
    size_t n = 0;
    while (n < text.len && (text.data[n] == ' ' || text.data[n] == '\t' || text.data[n] == '\n' ||
                            text.data[n] == '\r'))
        n++;
    if (n > 0)
        consume(d, n);
}

/* Takes the bracket or comma c; 0 to go on, negative with err. */
static int
take_separator(struct docs *d, char c, struct err *err)
{
    struct docs_json *j = d->json;
    if (j->state == ELEMENT)
        return refuse_next(d, err, "trailing comma");
    if (j->state == AFTER && c != ',' && c != ']')
        return refuse_next(d, err, "expected `,` or `]`");
    j->state = j->state == START ? FIRST : c == ',' ? ELEMENT : DONE;
    consume(d, 1);
    return 0;
}

/* Whether c at this place is the array's own syntax and not the start of a value. */
static bool
is_separator(enum state state, char c)
{
    switch (state) {
    case START:
        return c == '[';
    case FIRST:
    case ELEMENT:
        return c == ']';
    default:
        return state == AFTER;
    }
}

int
docs_json_next(struct docs *d, struct str *ret, struct err *err)
{
    struct docs_json *j = d->json;
    for (;;) {
        if (j->state == DONE) {
            d->at = d->in.len;
            return 0;
        }
        skip_space(d);
        if (d->at == d->in.len)
            return d->is_ended ? next_at_end(d, err) : 0;
        char c = d->in.data[d->at];
        if (j->state == TRAILING)
            return refuse_next(d, err, "trailing characters");
        if (!is_separator(j->state, c))
            break;
        if (take_separator(d, c, err) < 0)
            return -1;
    }
    if (j->state == START)
        j->state = SINGLE;
    return next_value(d,
                      j->state == SINGLE   ? TRAILING
                      : j->state == STREAM ? STREAM
                                           : AFTER,
                      ret, err);
}
