#pragma once
/* Query parameters by table (contract 1.7): each route's handler lists its parameters in rows, in
 * the order of upstream's "expected one of" list, and gets them in a struct of its own. */
#include "net/http_server.h"

/* A parameter being read; custom readers use it for their messages. */
struct param_in {
    struct arena *arena;
    const struct param *row;
    struct str value;
    struct err *err;
};

/* Reads in->value into dst: 0, or -1 with in->err set. */
typedef int param_reader(const struct param_in *in, void *dst);

struct param {
    const char *name;
    enum err_code code; /* of every complaint about the value */
    param_reader *read;
    size_t offset;              /* of the destination in the handler's struct */
    const char *const *choices; /* for param_choice: NULL-terminated */
    const char *schema;         /* JSON schema for documents, where the reader does not say it */
};
/* The parameters of a route, for its row. */
struct param_table {
    const struct param *rows;
    size_t n;
};
#define PARAM_TABLE(array)                                                                         \
    {                                                                                              \
        .rows = (array), .n = sizeof(array) / sizeof((array)[0])                                   \
    }

struct param_u64 {
    bool is_given;
    uint64_t value;
};
/* A comma-separated list. has_star: one element was `*`, which means no filter at all. */
struct param_u32s {
    bool is_given, has_star;
    uint32_t *values;
    size_t n;
};
struct param_strs {
    bool is_given, has_star;
    struct str *values;
    size_t n;
};
struct param_set { /* bit i: word i of a set of words */
    bool is_given, has_star;
    uint32_t bits;
};

/* Readers for the destinations named. */
param_reader param_string;  /* struct str; data is never NULL when given */
param_reader param_u64;     /* struct param_u64 */
param_reader param_u32;     /* struct param_u64 with a value <= UINT32_MAX */
param_reader param_bool;    /* bool */
param_reader param_choice;  /* int: position in row->choices */
param_reader param_u32s;    /* struct param_u32s */
param_reader param_strings; /* struct param_strs */

/* Splits in->value at commas and gives each element to read_one with the name that messages show:
 * `uids`, or `uids[1]` when the list has more than one element. `*` elements are skipped and
 * reported. 0, or what read_one returned. */
int param_each(const struct param_in *in, bool *ret_has_star,
               int (*read_one)(const struct param_in *in, const char *name, struct str element,
                               void *dst),
               void *dst);
/* A comma-separated list of words out of a set, in any case. */
struct param_words {
    const char *one, *several;       /* for messages: "task status", "statuses" */
    unsigned n_shown;                /* words that messages show, the first ones */
    const char *(*word)(unsigned i); /* NULL behind the last */
};
/* Reads in->value into a struct param_set. */
int param_words(const struct param_in *in, const struct param_words *words, void *dst);
/* Fails with "Invalid value in parameter `name`: " and the message. Returns -1. */
int param_invalid(const struct param_in *in, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads the call's query into dst, which the caller has filled with defaults. First error only:
 * call->err, and -1. Unknown names are errors (bad_request); the last of equal names counts. */
int params_read(struct http_call *call, const struct param *rows, size_t n, void *dst);
#define PARAMS_READ(call, rows, dst)                                                               \
    params_read((call), (rows), sizeof(rows) / sizeof((rows)[0]), (dst))

/* "`a`, `b`, `c`" */
void names_write(struct buf *out, const char *const *names, size_t n);
