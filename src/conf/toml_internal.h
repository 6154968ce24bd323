#pragma once
/* Shared by toml.c (documents, tables) and toml_value.c (values, strings, numbers). */
#include "conf/toml.h"

struct toml_reader {
    const char *at, *end;
    size_t line, nodes;
    int depth; /* of arrays and inline tables */
    struct arena *arena;
    struct buf *why;
};

/* Appends "line N: ..." to why; always returns -1. */
int toml_fail(struct toml_reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int toml_peek(const struct toml_reader *r); /* the byte at hand, -1 at the end */
bool toml_accept(struct toml_reader *r, char c);
void toml_skip_blanks(struct toml_reader *r);
/* Blanks, line ends and comments. */
int toml_skip_gaps(struct toml_reader *r);
/* NULL (and the failure noted) when the file has too many values. */
struct toml *toml_new(struct toml_reader *r, enum toml_type type);
void toml_append(struct toml *parent, struct toml *child);

/* key = value into table; dotted keys make tables. */
int toml_read_pair(struct toml_reader *r, struct toml *table);
int toml_read_value(struct toml_reader *r, struct toml **ret);
/* A quoted string at the opening quote; multi-line forms only when allowed. NUL-terminated. */
int toml_read_string(struct toml_reader *r, bool may_be_multiline, char **ret, size_t *ret_len);
