/* Documents, tables and keys of TOML 1.0. Debian 12 has no C library for TOML, so the reader is our
 * own. Knows nothing of options; entered through toml_parse. */
#include <stdio.h>

#include "base/mem.h"
#include "conf/toml_internal.h"

enum { KEY_MAX_PARTS = 32 };

struct key_path {
    struct str parts[KEY_MAX_PARTS];
    size_t n;
};

int
toml_fail(struct toml_reader *r, const char *fmt, ...)
{
    va_list ap;
    buf_addf(r->why, "line %zu: ", r->line);
    va_start(ap, fmt);
    buf_addv(r->why, fmt, ap);
    va_end(ap);
    return -1;
}

int
toml_peek(const struct toml_reader *r)
{
    return r->at < r->end ? (unsigned char) *r->at : -1;
}

bool
toml_accept(struct toml_reader *r, char c)
{
    if (toml_peek(r) != (unsigned char) c)
        return false;
    r->at++;
    return true;
}

void
toml_skip_blanks(struct toml_reader *r)
{
    while (toml_peek(r) == ' ' || toml_peek(r) == '\t')
        r->at++;
}

static bool
accept_newline(struct toml_reader *r)
{
    if (toml_peek(r) == '\r' && r->end - r->at > 1 && r->at[1] == '\n')
        r->at++;
    if (!toml_accept(r, '\n'))
        return false;
    r->line++;
    return true;
}

static int
skip_comment(struct toml_reader *r)
{
    if (!toml_accept(r, '#'))
        return 0;
    for (;; r->at++) {
        int c = toml_peek(r);
        bool is_line_end = c == '\n' || (c == '\r' && r->end - r->at > 1 && r->at[1] == '\n');
        if (c < 0 || is_line_end)
            return 0;
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return toml_fail(r, "control character 0x%02x in a comment", (unsigned) c);
    }
}

int
toml_skip_gaps(struct toml_reader *r)
{
    do {
        toml_skip_blanks(r);
        if (skip_comment(r) != 0)
            return -1;
    } while (accept_newline(r));
    return 0;
}

static int
expect_line_end(struct toml_reader *r, const char *after)
{
    toml_skip_blanks(r);
    if (skip_comment(r) != 0)
        return -1;
    if (accept_newline(r) || toml_peek(r) < 0)
        return 0;
    return toml_fail(r, "expected the end of the line after %s", after);
}

struct toml *
toml_new(struct toml_reader *r, enum toml_type type)
{
    if (++r->nodes > TOML_MAX_NODES) {
        (void) toml_fail(r, "more than %d values", TOML_MAX_NODES); /* NULL says the same */
        return NULL;
    }
    struct toml *node = arena_alloc(r->arena, sizeof(*node));
    node->type = type;
    node->line = r->line;
    return node;
}

void
toml_append(struct toml *parent, struct toml *child)
{
    if (parent->last == NULL)
        parent->first = child;
    else
        parent->last->next = child;
    parent->last = child;
}

static struct toml *
find_member(const struct toml *table, struct str key)
{
    for (struct toml *m = table->first; m != NULL; m = m->next) {
        if (str_equal(m->key, key))
            return m;
    }
    return NULL;
}

const struct toml *
toml_get(const struct toml *table, struct str key)
{
    return find_member(table, key);
}

/* --- keys -------------------------------------------------------------------------------------*/

static bool
is_bare(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-';
}

static int
read_key_part(struct toml_reader *r, struct str *ret)
{
    const char *start = r->at;
    if (toml_peek(r) == '"' || toml_peek(r) == '\'') {
        char *text;
        size_t len;
        if (toml_read_string(r, false, &text, &len) != 0)
            return -1;
        *ret = str_make(text, len);
        return 0;
    }
    while (is_bare(toml_peek(r)))
        r->at++;
    if (r->at == start)
        return toml_fail(r, "expected a key");
    size_t len = (size_t) (r->at - start);
    *ret = str_make(arena_strndup(r->arena, start, len), len);
    return 0;
}

static int
read_key_path(struct toml_reader *r, struct key_path *ret)
{
    ret->n = 0;
    do {
        if (ret->n == KEY_MAX_PARTS)
            return toml_fail(r, "a key of more than %d parts", KEY_MAX_PARTS);
        toml_skip_blanks(r);
        if (read_key_part(r, &ret->parts[ret->n++]) != 0)
            return -1;
        toml_skip_blanks(r);
    } while (toml_accept(r, '.'));
    return 0;
}

static struct toml *
add_table(struct toml_reader *r, struct toml *parent, struct str key)
{
    struct toml *t = toml_new(r, TOML_TABLE);
    if (t == NULL)
        return NULL;
    t->key = key;
    toml_append(parent, t);
    return t;
}

static int
fail_defined(struct toml_reader *r, const struct toml *before)
{
    return toml_fail(r, "`%.*s` is defined already, on line %zu", STR_ARG(before->key),
                     before->line);
}

/* Follows a.b of "a.b.c = 1": only tables that dotted keys made may be added to. */
static int
enter_dotted(struct toml_reader *r, struct str key, struct toml **table)
{
    struct toml *member = find_member(*table, key);
    if (member == NULL) {
        member = add_table(r, *table, key);
        if (member == NULL)
            return -1;
        member->is_dotted = true;
    } else if (member->type != TOML_TABLE || !member->is_dotted) {
        return fail_defined(r, member);
    }
    *table = member;
    return 0;
}

int
toml_read_pair(struct toml_reader *r, struct toml *table)
{
    struct key_path path;
    struct toml *value;
    if (read_key_path(r, &path) != 0)
        return -1;
    struct str last = path.parts[path.n - 1];
    if (!toml_accept(r, '='))
        return toml_fail(r, "expected '=' after the key `%.*s`", STR_ARG(last));
    for (size_t i = 0; i + 1 < path.n; i++) {
        if (enter_dotted(r, path.parts[i], &table) != 0)
            return -1;
    }
    const struct toml *before = find_member(table, last);
    if (before != NULL)
        return fail_defined(r, before);
    toml_skip_blanks(r);
    if (toml_read_value(r, &value) != 0)
        return -1;
    value->key = last;
    toml_append(table, value);
    return 0;
}

/* --- [table] and [[array of tables]] ----------------------------------------------------------*/

/* Follows a.b of "[a.b.c]", making what is not there; of an array of tables the last one counts. */
static int
enter_header(struct toml_reader *r, struct str key, struct toml **table)
{
    struct toml *member = find_member(*table, key);
    if (member == NULL) {
        member = add_table(r, *table, key);
        if (member == NULL)
            return -1;
    }
    if (member->is_inline || (member->type != TOML_TABLE && member->type != TOML_ARRAY))
        return toml_fail(r,
                         "`%.*s` is defined already, on line %zu, and is not a table that can "
                         "be added to",
                         STR_ARG(key), member->line);
    *table = member->type == TOML_ARRAY ? member->last : member;
    return 0;
}

static int
open_table(struct toml_reader *r, struct toml *parent, struct str key, struct toml **ret)
{
    struct toml *member = find_member(parent, key);
    if (member == NULL) {
        member = add_table(r, parent, key);
        if (member == NULL)
            return -1;
    } else if (member->type != TOML_TABLE || member->is_explicit || member->is_dotted ||
               member->is_inline) {
        return fail_defined(r, member);
    }
    member->is_explicit = true;
    *ret = member;
    return 0;
}

static int
open_array_table(struct toml_reader *r, struct toml *parent, struct str key, struct toml **ret)
{
    struct toml *array = find_member(parent, key);
    if (array == NULL) {
        array = toml_new(r, TOML_ARRAY);
        if (array == NULL)
            return -1;
        array->key = key;
        toml_append(parent, array);
    } else if (array->type != TOML_ARRAY || array->is_inline) {
        return fail_defined(r, array);
    }
    struct toml *table = add_table(r, array, STR_NULL);
    if (table == NULL)
        return -1;
    table->is_explicit = true;
    *ret = table;
    return 0;
}

static int
read_header(struct toml_reader *r, struct toml *root, struct toml **ret)
{
    struct key_path path;
    bool is_array = toml_accept(r, '[');
    if (read_key_path(r, &path) != 0)
        return -1;
    if (!toml_accept(r, ']') || (is_array && !toml_accept(r, ']')))
        return toml_fail(r, "expected '%s' after the name of the table", is_array ? "]]" : "]");
    struct toml *parent = root;
    for (size_t i = 0; i + 1 < path.n; i++) {
        if (enter_header(r, path.parts[i], &parent) != 0)
            return -1;
    }
    struct str last = path.parts[path.n - 1];
    int rc = is_array ? open_array_table(r, parent, last, ret) : open_table(r, parent, last, ret);
    return rc != 0 ? -1 : expect_line_end(r, "the name of the table");
}

static int
read_document(struct toml_reader *r, struct toml *root)
{
    struct toml *table = root;
    while (toml_skip_gaps(r) == 0) {
        if (toml_peek(r) < 0)
            return 0;
        if (toml_accept(r, '[')) {
            if (read_header(r, root, &table) != 0)
                return -1;
        } else if (toml_read_pair(r, table) != 0 || expect_line_end(r, "the value") != 0) {
            return -1;
        }
    }
    return -1;
}

struct toml *
toml_parse(struct str text, struct arena *a, struct buf *why)
{
    struct toml_reader r = {.line = 1, .arena = a, .why = why};
    if (!str_is_utf8(text)) {
        buf_add_cstr(why, "not valid UTF-8");
        return NULL;
    }
    if (str_starts_with(text, "\xef\xbb\xbf"))
        text = str_slice(text, 3, text.len);
    r.at = text.len > 0 ? text.data : "";
    r.end = r.at + text.len;
    struct toml *root = toml_new(&r, TOML_TABLE);
    if (read_document(&r, root) == 0)
        return root;
    toml_wipe(root);
    return NULL;
}

const char *
toml_type_words(enum toml_type type)
{
    static const char *const WORDS[] = {
        [TOML_STRING] = "a string",   [TOML_INTEGER] = "an integer", [TOML_FLOAT] = "a float",
        [TOML_BOOLEAN] = "a boolean", [TOML_ARRAY] = "an array",     [TOML_TABLE] = "a table",
    };
    return WORDS[type];
}

/* Nesting is bounded by TOML_MAX_DEPTH and the parts of a key. */
void
toml_wipe(struct toml *root)
{
    if (root == NULL)
        return;
    mem_wipe(root->string, root->string_len);
    for (struct toml *m = root->first; m != NULL; m = m->next)
        toml_wipe(m);
}
