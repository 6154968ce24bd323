/* Texts to programs: statements, what stands between them, and JSON values whose strings are
 * templates. Expressions are template_expression.c's. */
#include <stdlib.h>

#include "base/mem.h"
#include "codec/template_parser.h"

/* --- instructions ------------------------------------------------------------------------------
 */

static struct instruction *
add(struct parser *p, enum instruction_kind kind)
{
    struct template *t = p->t;
    if (t->n == t->cap) {
        t->cap = t->cap == 0 ? 16 : t->cap * 2;
        t->program = mem_grow(t->program, t->cap, sizeof(*t->program));
    }
    t->program[t->n] = (struct instruction){.kind = kind};
    return &t->program[t->n++];
}

static void
add_text(struct parser *p, struct str text)
{
    if (text.len > 0)
        add(p, DO_TEXT)->text = text;
}

static void
add_print(struct parser *p)
{
    struct node *n = parser_expression(p);
    if (n != NULL)
        add(p, DO_PRINT)->node = n;
}

static struct block *
open_block(struct parser *p, enum block_kind kind, size_t at)
{
    if (p->n_blocks == TEMPLATE_MAX_BLOCKS)
        return parser_fail_at(p, at, "blocks are nested too deeply");
    struct block *b = &p->blocks[p->n_blocks++];
    *b = (struct block){.kind = kind, .at = at, .open = NO_JUMP, .next = NO_JUMP, .ends = NO_JUMP};
    return b;
}

static struct block *
innermost(struct parser *p, enum block_kind kind, const char *message, size_t at)
{
    struct block *b = p->n_blocks == 0 ? NULL : &p->blocks[p->n_blocks - 1];
    return b != NULL && b->kind == kind ? b : parser_fail_at(p, at, message);
}

static void
add_branch(struct parser *p, struct block *b)
{
    struct node *n = parser_expression(p);
    if (n == NULL)
        return;
    b->open = p->t->n;
    add(p, DO_JUMP_UNLESS)->node = n;
}

/* The jump to the end of the block behind the branch that ends here. */
static void
end_branch(struct parser *p, struct block *b)
{
    struct instruction *jump = add(p, DO_JUMP);
    jump->target = b->ends;
    b->ends = p->t->n - 1;
    p->t->program[b->open].target = p->t->n;
    b->open = NO_JUMP;
}

static void
do_if(struct parser *p, size_t at)
{
    struct block *b = open_block(p, BLOCK_IF, at);
    if (b != NULL)
        add_branch(p, b);
}

static void
do_elif(struct parser *p, size_t at)
{
    struct block *b = innermost(p, BLOCK_IF, "`elif` without `if`", at);
    if (b != NULL && b->has_else)
        b = parser_fail_at(p, at, "`elif` behind `else`");
    if (b == NULL)
        return;
    end_branch(p, b);
    add_branch(p, b);
}

static void
end_loop_body(struct parser *p, struct block *b)
{
    struct instruction *next = add(p, DO_NEXT);
    next->target = b->open + 1;
    b->next = p->t->n - 1;
    p->n_loops--;
}

static void
do_else(struct parser *p, size_t at)
{
    struct block *b = p->n_blocks == 0 ? NULL : &p->blocks[p->n_blocks - 1];
    if (b == NULL || b->has_else) {
        (void) parser_fail_at(p, at,
                              b == NULL ? "`else` without `if` or `for`" : "a second `else`");
        return;
    }
    if (b->kind == BLOCK_FOR)
        end_loop_body(p, b);
    end_branch(p, b);
    b->has_else = true;
}

static void
close_block(struct parser *p, struct block *b)
{
    struct template *t = p->t;
    if (b->open != NO_JUMP)
        t->program[b->open].target = t->n;
    for (size_t at = b->ends, next; at != NO_JUMP; at = next) {
        next = t->program[at].target;
        t->program[at].target = t->n;
    }
    p->n_blocks--;
}

static void
do_endif(struct parser *p, size_t at)
{
    struct block *b = innermost(p, BLOCK_IF, "`endif` without `if`", at);
    if (b != NULL)
        close_block(p, b);
}

static void
do_for(struct parser *p, size_t at)
{
    struct str names[2] = {parser_take_name(p), STR_NULL};
    if (!p->has_failed && parser_take(p, ","))
        names[1] = parser_take_name(p);
    if (!p->has_failed && !parser_take_word(p, "in"))
        (void) parser_fail(p, "expected `in`");
    struct node *n = p->has_failed ? NULL : parser_or(p);
    if (n != NULL && p->n_loops == TEMPLATE_MAX_LOOPS)
        n = parser_fail_at(p, at, "loops are nested too deeply");
    struct block *b = n == NULL ? NULL : open_block(p, BLOCK_FOR, at);
    if (b == NULL)
        return;
    p->n_loops++;
    b->open = p->t->n;
    struct instruction *i = add(p, DO_FOR);
    i->node = n;
    i->names[0] = names[0];
    i->names[1] = names[1];
}

static void
do_endfor(struct parser *p, size_t at)
{
    struct block *b = innermost(p, BLOCK_FOR, "`endfor` without `for`", at);
    if (b == NULL)
        return;
    if (!b->has_else)
        end_loop_body(p, b);
    close_block(p, b);
}

static void
do_set(struct parser *p, size_t at)
{
    (void) at;
    struct str name = parser_take_name(p);
    if (!p->has_failed && !parser_take(p, "="))
        (void) parser_fail(p, "expected `=`");
    struct node *n = p->has_failed ? NULL : parser_expression(p);
    if (n == NULL)
        return;
    struct instruction *i = add(p, DO_SET);
    i->names[0] = name;
    i->node = n;
}

static const struct statement_row {
    const char *word;
    void (*fn)(struct parser *p, size_t at);
} statements[] = {
    {"if", do_if},   {"elif", do_elif}, {"else", do_else},     {"endif", do_endif},
    {"for", do_for}, {"set", do_set},   {"endfor", do_endfor},
};

static void
do_statement(struct parser *p)
{
    parser_skip_blanks(p);
    size_t at = p->at;
    struct str word = parser_peek_name(p);
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        if (str_is(word, statements[i].word)) {
            p->at += word.len;
            statements[i].fn(p, at);
            return;
        }
    }
    (void) parser_fail_name(p, at, "statement", word, NULL);
}

/* --- texts and tags ----------------------------------------------------------------------------
 */

static struct str
trim_end(struct str s)
{
    while (s.len > 0 && strchr(" \t\r\n", s.data[s.len - 1]) != NULL)
        s.len--;
    return s;
}

static size_t
find(struct str s, const char *what, size_t from)
{
    size_t len = strlen(what);
    for (size_t at = from; at + len <= s.len; at++) {
        if (memcmp(s.data + at, what, len) == 0)
            return at;
    }
    return s.len;
}

/* Where the next tag begins. */
static size_t
find_tag(const struct parser *p)
{
    size_t at = p->at;
    while ((at = str_find(p->text, '{', at)) < p->text.len) {
        char c = at + 1 < p->text.len ? p->text.data[at + 1] : '\0';
        if (c == '{' || c == '%' || c == '#')
            return at;
        at++;
    }
    return p->text.len;
}

/* The end of a tag; blanks behind it are passed when it has a minus. */
static void
end_tag(struct parser *p, const char *end, const char *message)
{
    bool trims = parser_take(p, "-");
    if (!parser_take(p, end)) {
        (void) parser_fail(p, message);
        return;
    }
    if (trims)
        parser_skip_blanks(p);
}

static void
do_comment(struct parser *p, size_t start)
{
    size_t end = find(p->text, "#}", p->at);
    if (end == p->text.len) {
        (void) parser_fail_at(p, start, "this comment does not end");
        return;
    }
    p->at = end + 2;
    if (p->text.data[end - 1] == '-')
        parser_skip_blanks(p);
}

/* {% raw %}: everything up to {% endraw %}, with any blanks and minus signs in the tags. */
static void
do_raw(struct parser *p, size_t start)
{
    end_tag(p, "%}", "expected `%}`");
    size_t from = p->at;
    while (!p->has_failed) {
        size_t open = find(p->text, "{%", p->at);
        if (open == p->text.len) {
            (void) parser_fail_at(p, start, "`raw` without `endraw`");
            return;
        }
        p->at = open + 2;
        bool trims = parser_take(p, "-");
        if (!parser_take_word(p, "endraw"))
            continue;
        struct str text = str_slice(p->text, from, open);
        add_text(p, trims ? trim_end(text) : text);
        end_tag(p, "%}", "expected `%}`");
        return;
    }
}

static void
parse_tag(struct parser *p, size_t start)
{
    char kind = p->text.data[start + 1];
    p->at = start + 2;
    if (parser_peek(p, 0) == '-')
        p->at++;
    if (kind == '#') {
        do_comment(p, start);
    } else if (kind == '{') {
        add_print(p);
        if (!p->has_failed)
            end_tag(p, "}}", "expected `}}`");
    } else if (parser_take_word(p, "raw")) {
        do_raw(p, start);
    } else {
        do_statement(p);
        if (!p->has_failed)
            end_tag(p, "%}", "expected `%}`");
    }
}

/* The piece of the source that the parser stands in. */
static void
parse_text(struct parser *p)
{
    while (p->at < p->text.len && !p->has_failed) {
        size_t tag = find_tag(p);
        struct str before = str_slice(p->text, p->at, tag);
        bool trims = tag + 2 < p->text.len && p->text.data[tag + 2] == '-';
        add_text(p, trims ? trim_end(before) : before);
        p->at = tag;
        if (tag < p->text.len)
            parse_tag(p, tag);
    }
    if (!p->has_failed && p->n_blocks > 0) {
        struct block *b = &p->blocks[p->n_blocks - 1];
        (void) parser_fail_at(
            p, b->at, b->kind == BLOCK_IF ? "`if` without `endif`" : "`for` without `endfor`");
    }
}

/* --- the two kinds of templates ----------------------------------------------------------------
 */

static struct template *
template_new(void)
{
    struct template *t = mem_new(1, sizeof(*t));
    t->arena = arena_new();
    return t;
}

void
template_free(struct template *t)
{
    if (t == NULL)
        return;
    arena_free(t->arena);
    free(t->program);
    free(t->pieces);
    free(t);
}

void
template_write_place(struct buf *out, const struct template *t, size_t at)
{
    size_t line = 1, column = 1, piece = 0;
    while (piece + 1 < t->n_pieces && t->pieces[piece + 1].from <= at)
        piece++;
    size_t from = t->n_pieces == 0 ? 0 : t->pieces[piece].from;
    for (size_t i = from; i < at && i < t->source.len; i++) {
        bool is_newline = t->source.data[i] == '\n';
        line += is_newline;
        column = is_newline ? 1 : column + (((unsigned char) t->source.data[i] & 0xC0) != 0x80);
    }
    if (t->n_pieces > 0) {
        buf_add_cstr(out, "at `");
        buf_add_str(out, t->pieces[piece].path);
        buf_add_cstr(out, "`, ");
    }
    buf_addf(out, "line %zu column %zu", line, column);
}

static struct template *
finish(struct parser *p)
{
    if (!p->has_failed)
        return p->t;
    template_free(p->t);
    return NULL;
}

struct template *
template_compile(struct str text, struct buf *why)
{
    struct parser p = {.t = template_new(), .why = why};
    /* as Jinja2: one newline at the end is the editor's */
    if (text.len > 0 && text.data[text.len - 1] == '\n')
        text.len--;
    if (text.len > TEMPLATE_MAX_BYTES) {
        buf_addf(why, "the template is longer than %d bytes", TEMPLATE_MAX_BYTES);
        p.has_failed = true;
        return finish(&p);
    }
    p.text = p.t->source = arena_copy(p.t->arena, text);
    parse_text(&p);
    return finish(&p);
}

/* All strings of a value, one behind the other. */
static void
collect(const struct json *v, struct buf *source)
{
    struct json_iter it = json_iter(v);
    if (json_type(v) == JSON_STRING)
        buf_add_str(source, json_string(v));
    while (json_next(&it))
        collect(it.value, source); /* as deep as JSON may be */
}

static void
add_piece(struct template *t, struct str path, size_t from)
{
    t->pieces = mem_grow(t->pieces, t->n_pieces + 1, sizeof(*t->pieces));
    t->pieces[t->n_pieces++] = (struct source_piece){arena_copy(t->arena, path), from};
}

/* Whether the program from there on is one expression and nothing else. */
static bool
is_one_print(const struct template *t, size_t from)
{
    return t->n == from + 1 && t->program[from].kind == DO_PRINT;
}

static void
add_literal(struct parser *p, struct buf *text)
{
    add_text(p, arena_copy(p->t->arena, buf_str(text)));
    buf_clear(text);
}

/* literal: JSON text that waits to be printed. */
static void
compile_string(struct parser *p, const struct json *v, struct str path, struct buf *literal)
{
    struct str s = json_string(v);
    size_t end = p->at + s.len;
    p->text = str_slice(p->t->source, 0, end);
    if (find_tag(p) == end) {
        json_write_string(literal, s);
        p->at = end;
        return;
    }
    add_piece(p->t, path, p->at);
    add_literal(p, literal);
    size_t begin = p->t->n;
    add(p, DO_STRING_BEGIN);
    parse_text(p);
    p->at = end;
    if (is_one_print(p->t, begin + 1)) {
        p->t->program[begin] = p->t->program[begin + 1];
        p->t->program[begin].kind = DO_PRINT_JSON;
        p->t->n = begin + 1;
    } else {
        add(p, DO_STRING_END);
    }
}

static void
compile_value(struct parser *p, const struct json *v, struct buf *path, struct buf *literal)
{
    struct json_iter it = json_iter(v);
    bool is_object = json_type(v) == JSON_OBJECT, is_first = true;
    size_t path_len = path->len;
    if (json_type(v) == JSON_STRING) {
        compile_string(p, v, buf_str(path), literal);
        return;
    }
    if (!is_object && json_type(v) != JSON_ARRAY) {
        json_write(literal, v);
        return;
    }
    buf_add_char(literal, is_object ? '{' : '[');
    for (size_t at = 0; !p->has_failed && json_next(&it); at++) {
        if (!is_first)
            buf_add_char(literal, ',');
        is_first = false;
        if (is_object) {
            json_write_string(literal, it.key);
            buf_add_char(literal, ':');
            buf_add_char(path, '.');
            buf_add_str(path, it.key);
        } else {
            buf_addf(path, "[%zu]", at);
        }
        compile_value(p, it.value, path, literal); /* as deep as JSON may be */
        path->len = path_len;
    }
    buf_add_char(literal, is_object ? '}' : ']');
}

struct template *
template_compile_json(const struct json *v, struct buf *why)
{
    struct parser p = {.t = template_new(), .why = why};
    struct buf source = BUF_INIT, path = BUF_INIT, literal = BUF_INIT;
    collect(v, &source);
    if (source.len > TEMPLATE_MAX_BYTES) {
        buf_addf(why, "the strings of the template are longer than %d bytes together",
                 TEMPLATE_MAX_BYTES);
        p.has_failed = true;
    } else {
        p.t->source = arena_copy(p.t->arena, buf_str(&source));
        compile_value(&p, v, &path, &literal);
        add_literal(&p, &literal);
    }
    buf_done(&source);
    buf_done(&path);
    buf_done(&literal);
    return finish(&p);
}
