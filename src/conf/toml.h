#pragma once
/* A strict reader for TOML 1.0 configuration files, into a tree. All of the language but dates and
 * times, which no option needs: they are refused by name. */
#include "base/arena.h"
#include "base/buf.h"

enum toml_type { TOML_STRING, TOML_INTEGER, TOML_FLOAT, TOML_BOOLEAN, TOML_ARRAY, TOML_TABLE };

enum { TOML_MAX_DEPTH = 64, TOML_MAX_NODES = 10000 };

struct toml {
    enum toml_type type;
    size_t line;    /* where it begins, from 1 */
    struct str key; /* inside a table; empty elsewhere */
    char *string;   /* TOML_STRING: UTF-8 with a NUL after it, may hold NULs */
    size_t string_len;
    int64_t integer;
    double real;
    bool boolean;
    struct toml *first, *last; /* TOML_ARRAY, TOML_TABLE: the members, in the order of the file */
    struct toml *next;         /* the next member beside this one */
    /* the reader's own: how the table or array came to be, which decides who may add to it */
    bool is_explicit, is_dotted, is_inline;
};

/* The root table, living in the arena, or NULL with "line 3: expected ..." appended to why. */
struct toml *toml_parse(struct str text, struct arena *a, struct buf *why);
const struct toml *toml_get(const struct toml *table, struct str key); /* NULL when absent */
const char *toml_type_words(enum toml_type type);                      /* "a string" */
/* Overwrites every string of the tree: configuration files hold secrets. NULL is accepted. */
void toml_wipe(struct toml *root);
