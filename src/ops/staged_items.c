/* Reading snapshot and notify requests. Owns the unread bytes and the place in the grammar; each
 * element is cut out first and parsed alone, so that no piece takes long.
 *
 *  snapshot: START ------------------------------> FIRST -> ELEMENT_END <-> NEXT  -> TRAILING
 *  notify:   START -> FIRST_KEY -> COLON -> VALUE -> FIRST -> ELEMENT_END <-> NEXT
 *                     NEXT_KEY <- VALUE_END <------------------+            -> TRAILING */
#include "ops/staged_items.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "index/index.h"

enum items_state {
    ITEMS_START,
    ITEMS_FIRST_KEY, /* after '{': a name or '}' */
    ITEMS_NEXT_KEY,  /* after ',': a name */
    ITEMS_COLON,
    ITEMS_VALUE,       /* '[' */
    ITEMS_FIRST,       /* after '[': an element or ']' */
    ITEMS_NEXT,        /* after ',': an element */
    ITEMS_ELEMENT_END, /* ',' or ']' */
    ITEMS_VALUE_END,   /* ',' or '}' */
    ITEMS_TRAILING,
};

/* How far the end of a value was looked for; goes on with the next bytes. */
struct scan {
    size_t at; /* bytes looked at */
    unsigned depth;
    bool has_begun, in_string, after_backslash;
};

struct staged_items {
    enum staged_kind kind;
    enum items_state state;
    struct buf bytes, line, id;
    size_t at; /* consumed */
    bool has_ended, is_empty, has_list;
    struct scan scan;
    const struct list_row *list; /* that is being read */
    uint64_t n_in_list, n_removes;
    char *id_name;
    struct json_scratch *scratch;
};

static const struct list_row {
    const char *name;
    bool is_remove;
} list_rows[] = {
    {"upsert", false},    {"remove", true},
    {"insert", false},    /* in the types of a client library */
    {"delete", true},     /* sent by another */
    {"documents", false}, /* of a snapshot; no name that a request may use */
};
enum { LISTS = 4, SNAPSHOT_LIST = 4 };

struct staged_items *
staged_items_new(enum staged_kind kind, struct str id_name)
{
    struct staged_items *d = mem_new(1, sizeof(*d));

    d->kind = kind;
    d->is_empty = true;
    d->id_name = mem_strndup(id_name.data, id_name.len);
    d->scratch = json_scratch_new();
    return d;
}

void
staged_items_free(struct staged_items *d)
{
    if (d == NULL)
        return;
    buf_done(&d->bytes);
    buf_done(&d->line);
    buf_done(&d->id);
    json_scratch_free(d->scratch);
    free(d->id_name);
    free(d);
}

void
staged_items_feed(struct staged_items *d, struct str bytes)
{
    buf_drop_front(&d->bytes, d->at);
    d->at = 0;
    buf_add_str(&d->bytes, bytes);
    d->is_empty &= bytes.len == 0;
}

void
staged_items_end(struct staged_items *d)
{
    d->has_ended = true;
}

uint64_t
staged_items_removes(const struct staged_items *d)
{
    return d->n_removes;
}

/* --- ids and documents */

static int
fail_id(const struct json *id, struct err *err)
{
    struct buf message = BUF_INIT;
    int rc;

    buf_add_cstr(&message, "Document identifier `");
    json_write_normal(&message, id);
    buf_addf(&message,
             "` is invalid. Here a document identifier is an integer or a string of 1 to %d bytes.",
             DOCUMENT_ID_MAX_BYTES);
    rc = err_set_str(err, ERR_INVALID_DOCUMENT_ID, buf_str(&message));
    buf_done(&message);
    return rc;
}

int
staged_id(const struct json *id, struct buf *out, struct err *err)
{
    struct str text = json_string(id);
    int64_t i;
    uint64_t u;

    if (json_type(id) == JSON_STRING && document_id_is_storable(text))
        buf_add_str(out, text);
    else if (json_type(id) == JSON_NUMBER && json_to_u64(id, &u))
        buf_addf(out, "%llu", (unsigned long long) u);
    else if (json_type(id) == JSON_NUMBER && json_to_i64(id, &i))
        buf_addf(out, "%lld", (long long) i);
    else
        return fail_id(id, err);
    return 0;
}

/* The document with a generated id in front. */
static void
write_with_id(struct staged_items *d, const struct json *document)
{
    char text[UUID_TEXT_LEN + 1];
    struct uuid uuid = uuid_v4();
    size_t from;

    buf_add_char(&d->line, '{');
    json_write_string(&d->line, str_from(d->id_name));
    buf_addf(&d->line, ":\"%s\"", uuid_format(&uuid, text));
    if (json_length(document) == 0) {
        buf_add_char(&d->line, '}');
        return;
    }
    from = d->line.len;
    json_write(&d->line, document);
    if (!buf_failed(&d->line))
        d->line.data[from] = ','; /* in the place of its '{' */
}

static int
fail_element(const struct staged_items *d, const char *what, struct err *err)
{
    return err_set(err, ERR_BAD_REQUEST, "Element %llu of `%s` is %s.",
                   (unsigned long long) d->n_in_list, d->list->name, what);
}

static int
write_document(struct staged_items *d, const struct json *document, struct err *err)
{
    const struct json *id;

    if (json_type(document) != JSON_OBJECT)
        return fail_element(d, "no document: an object is expected", err);
    id = json_get_c(document, d->id_name);
    if (json_length(document) + (id == NULL) > DOCUMENT_MAX_FIELDS)
        return err_set(err, ERR_MAX_FIELDS_LIMIT_EXCEEDED,
                       "A document cannot contain more than 65,535 fields.");
    if (id == NULL) {
        write_with_id(d, document);
        return 0;
    }
    json_write(&d->line, document);
    buf_clear(&d->id);
    return staged_id(id, &d->id, err);
}

/* An id, or an object that has one. */
static int
write_id(struct staged_items *d, const struct json *value, struct err *err)
{
    const struct json *id = value;

    if (json_type(value) == JSON_OBJECT)
        id = json_get_c(value, d->id_name);
    if (id == NULL)
        return fail_element(d, "no document identifier", err);
    buf_clear(&d->id);
    if (staged_id(id, &d->id, err) < 0)
        return -1;
    json_write_string(&d->line, buf_str(&d->id));
    d->n_removes++;
    return 0;
}

/* --- values cut out of the bytes */

static struct str
rest(const struct staged_items *d)
{
    return str_slice(buf_str(&d->bytes), d->at, d->bytes.len);
}

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Looks at one byte: 1 when the value ends behind it, -1 when it ended before it, else 0. */
static int
scan_byte(struct scan *s, char c)
{
    bool is_scalar = s->has_begun && s->depth == 0 && !s->in_string;

    if (s->in_string) {
        bool is_end = c == '"' && !s->after_backslash;
        s->after_backslash = c == '\\' && !s->after_backslash;
        s->in_string = !is_end;
        return is_end && s->depth == 0;
    }
    if (is_scalar && (c == ',' || c == ']' || c == '}' || is_space(c)))
        return -1;
    s->has_begun = true;
    s->in_string = c == '"';
    if (c == '[' || c == '{')
        s->depth++;
    if ((c == ']' || c == '}') && s->depth > 0)
        return --s->depth == 0;
    return 0;
}

/* Whether the value's end is known; its length is scan.at then. */
static bool
find_end(struct staged_items *d)
{
    struct str s = rest(d);

    while (d->scan.at < s.len) {
        int end = scan_byte(&d->scan, s.data[d->scan.at]);
        if (end < 0)
            return true;
        d->scan.at++;
        if (end > 0)
            return true;
    }
    return d->has_ended;
}

static int
fail_malformed(struct err *err, const char *why)
{
    return err_set(err, ERR_MALFORMED_PAYLOAD, "The json payload provided is malformed. `%s`.",
                   why);
}

/* Takes the value: 1 (json_doc_free it), 0 for more bytes, negative. */
static int
take_value(struct staged_items *d, struct json_doc **ret, struct err *err)
{
    struct buf why = BUF_INIT;

    if (!find_end(d))
        return 0;
    *ret = json_parse_scratch(d->scratch, str_slice(rest(d), 0, d->scan.at), &why);
    d->at += d->scan.at;
    d->scan = (struct scan){0};
    if (*ret == NULL && d->list != NULL)
        buf_addf(&why, " in element %llu of `%s`", (unsigned long long) d->n_in_list,
                 d->list->name);
    if (*ret == NULL)
        (void) fail_malformed(err, buf_cstr(&why));
    buf_done(&why);
    return *ret == NULL ? -1 : 1;
}

static int
read_element(struct staged_items *d, struct str *ret, struct err *err)
{
    struct json_doc *doc = NULL;
    int rc = take_value(d, &doc, err);

    if (rc != 1)
        return rc;
    buf_clear(&d->line);
    rc = d->list->is_remove ? write_id(d, json_root(doc), err)
                            : write_document(d, json_root(doc), err);
    json_doc_free(doc);
    if (rc < 0)
        return rc;
    if (buf_failed(&d->line))
        return err_set(err, ERR_INTERNAL, "out of memory while reading the payload");
    d->n_in_list++;
    d->state = ITEMS_ELEMENT_END;
    *ret = buf_str(&d->line);
    return 1;
}

/* --- the grammar around them */

enum { ITEMS_GO_ON = 2 };

static int
go_on(struct staged_items *d, enum items_state to)
{
    d->at++;
    d->state = to;
    return ITEMS_GO_ON;
}

static int
begin_list(struct staged_items *d, const struct list_row *list)
{
    d->list = list;
    d->has_list = true;
    d->n_in_list = 0;
    return go_on(d, ITEMS_FIRST);
}

static int
start(struct staged_items *d, char c, struct err *err)
{
    if (d->kind == STAGED_SNAPSHOT && c == '[')
        return begin_list(d, &list_rows[SNAPSHOT_LIST]);
    if (d->kind == STAGED_NOTIFY && c == '{')
        return go_on(d, ITEMS_FIRST_KEY);
    return err_set(err, ERR_BAD_REQUEST,
                   d->kind == STAGED_SNAPSHOT
                       ? "A snapshot is a JSON array of documents."
                       : "A notification is a JSON object with `upsert` or `remove`.");
}

static int
read_key(struct staged_items *d, char c, struct err *err)
{
    struct json_doc *doc = NULL;
    struct str name;
    int rc, i = 0;

    if (c != '"')
        return fail_malformed(err, "key must be a string");
    d->list = NULL;
    rc = take_value(d, &doc, err);
    if (rc != 1)
        return rc;
    name = json_string(json_root(doc));
    while (i < LISTS && !str_is(name, list_rows[i].name))
        i++;
    if (i == LISTS)
        (void) err_set(err, ERR_BAD_REQUEST,
                       "Unknown field `%.*s`: expected one of `upsert`, `remove`, `insert`, "
                       "`delete`",
                       (int) (name.len > 64 ? str_utf8_prefix(str_slice(name, 0, 64)) : name.len),
                       name.data);
    json_doc_free(doc);
    if (i == LISTS)
        return -1;
    d->list = &list_rows[i];
    d->state = ITEMS_COLON;
    return ITEMS_GO_ON;
}

static int
end_object(struct staged_items *d, struct err *err)
{
    if (!d->has_list)
        return err_set(err, ERR_BAD_REQUEST,
                       "A notification needs `upsert` or `remove`: an array each.");
    return go_on(d, ITEMS_TRAILING);
}

/* One token, c being its first byte: a line, more bytes, an error, or ITEMS_GO_ON. */
static int
read_token(struct staged_items *d, char c, struct str *ret, struct err *err)
{
    bool is_notify = d->kind == STAGED_NOTIFY;

    switch (d->state) {
    case ITEMS_START:
        return start(d, c, err);
    case ITEMS_FIRST_KEY:
        return c == '}' ? end_object(d, err) : read_key(d, c, err);
    case ITEMS_NEXT_KEY:
        return read_key(d, c, err);
    case ITEMS_COLON:
        return c == ':' ? go_on(d, ITEMS_VALUE) : fail_malformed(err, "expected `:`");
    case ITEMS_VALUE:
        if (c == '[')
            return begin_list(d, d->list);
        return err_set(err, ERR_BAD_REQUEST, "`%s` must be an array.", d->list->name);
    case ITEMS_FIRST:
        if (c == ']')
            return go_on(d, is_notify ? ITEMS_VALUE_END : ITEMS_TRAILING);
        return read_element(d, ret, err);
    case ITEMS_NEXT:
        return c == ']' ? fail_malformed(err, "trailing comma") : read_element(d, ret, err);
    case ITEMS_ELEMENT_END:
        if (c == ',')
            return go_on(d, ITEMS_NEXT);
        if (c == ']')
            return go_on(d, is_notify ? ITEMS_VALUE_END : ITEMS_TRAILING);
        return fail_malformed(err, "expected `,` or `]`");
    case ITEMS_VALUE_END:
        if (c == ',')
            return go_on(d, ITEMS_NEXT_KEY);
        return c == '}' ? end_object(d, err) : fail_malformed(err, "expected `,` or `}`");
    default:
        return fail_malformed(err, "trailing characters");
    }
}

static int
fail_end(const struct staged_items *d, struct err *err)
{
    if (d->state == ITEMS_TRAILING)
        return 0;
    if (d->is_empty)
        return err_set(err, ERR_MISSING_PAYLOAD, "A json payload is missing.");
    return fail_malformed(err, "EOF while parsing");
}

int
staged_items_next(struct staged_items *d, struct str *ret, struct err *err)
{
    int rc;

    if (buf_failed(&d->bytes))
        return err_set(err, ERR_INTERNAL, "out of memory while reading the payload");
    do {
        while (!d->scan.has_begun && d->at < d->bytes.len && is_space(d->bytes.data[d->at]))
            d->at++;
        if (d->at == d->bytes.len)
            return d->has_ended ? fail_end(d, err) : 0;
        rc = read_token(d, d->bytes.data[d->at], ret, err);
    } while (rc == ITEMS_GO_ON);
    return rc;
}
