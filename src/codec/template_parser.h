#pragma once
/* What the two halves of the parser share: template_expression.c reads characters and expressions,
 * template_parse.c statements, texts and JSON. */
#include "codec/template_internal.h"

enum block_kind { BLOCK_IF, BLOCK_FOR };
#define NO_JUMP SIZE_MAX

struct block {
    enum block_kind kind;
    size_t at;   /* in the source, for errors */
    size_t open; /* the instruction that jumps to the next branch; NO_JUMP behind an else */
    size_t next; /* of a for: its NEXT, once the loop's body has ended */
    size_t ends; /* chain (through .target) of jumps to the end */
    bool has_else;
};

struct parser {
    struct template *t;
    struct buf *why;
    struct str text; /* this piece's end bounds it: positions are those of the whole source */
    size_t at;
    bool is_in_tag, has_failed;
    size_t n_nodes, depth, n_loops;
    struct block blocks[TEMPLATE_MAX_BLOCKS];
    size_t n_blocks;
};

/* The first error counts; each returns NULL. */
void *parser_fail(struct parser *p, const char *message); /* where it stands */
void *parser_fail_at(struct parser *p, size_t at, const char *message);
/* there is no <what> `name`, did you mean `near`? */
void *parser_fail_name(struct parser *p, size_t at, const char *what, struct str name,
                       const char *near);

char parser_peek(const struct parser *p, size_t ahead); /* NUL at the end */
void parser_skip_blanks(struct parser *p);
/* Blanks in front are passed. */
bool parser_looks_at(struct parser *p, const char *s);
bool parser_take(struct parser *p, const char *s);
bool parser_take_word(struct parser *p, const char *word);
struct str parser_peek_name(struct parser *p); /* empty: there is none */
struct str parser_take_name(struct parser *p); /* of the user's; data NULL with an error */

/* NULL with an error. */
struct node *parser_expression(struct parser *p);
struct node *parser_or(struct parser *p); /* without "if else", as a loop goes over */
