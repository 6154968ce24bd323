#pragma once
/* The forms that values of settings take. A reader checks in->value and leaves it as JSON text. */
#include "api/fields.h"

/* The destination of every reader: text in the arena; data NULL: null, or not there. */
struct value_text {
    struct str json;
};
int value_leave(const struct field_in *in, struct buf *text, void *dst); /* consumes text */

field_reader value_any;        /* as it was sent */
field_reader value_strings;    /* a list of strings */
field_reader value_string_set; /* sorted, each once */
/* One of some words. */
int value_choice(const struct field_in *in, void *dst, const char *const *names, size_t n);
#define VALUE_CHOICES(...) ((const char *const[]){__VA_ARGS__})
#define VALUE_CHOICE(in, dst, ...)                                                                 \
    value_choice((in), (dst), VALUE_CHOICES(__VA_ARGS__),                                          \
                 sizeof(VALUE_CHOICES(__VA_ARGS__)) / sizeof(char *))
/* A list, of whose elements each is read. */
int value_each(const struct field_in *in, field_reader *read, void *dst);

/* An object of known members; their codes and places are set here. */
int value_object(const struct field_in *in, const struct field *rows, size_t n, void *dst);
#define VALUE_OBJECT(in, rows, dst)                                                                \
    value_object((in), (rows), sizeof(rows) / sizeof((rows)[0]), (dst))
#define VALUE_ROW(member, kind, reader)                                                            \
    {                                                                                              \
        .name = (member), .kinds = (kind), .read = (reader)                                        \
    }
#define VALUE_ROW_NO_NULL(member, kind, reader)                                                    \
    {                                                                                              \
        .name = (member), .kinds = (kind), .no_null = true, .read = (reader)                       \
    }
#define VALUE_ROW_NEEDED(member, kind, reader)                                                     \
    {                                                                                              \
        .name = (member), .kinds = (kind), .no_null = true,                                        \
        .missing = ERR_BAD_REQUEST /* value_object puts the setting's own */, .read = (reader)     \
    }
/* Where row i puts its text. */
#define VALUE_AT(i) ((i) * sizeof(struct value_text))
/* Writes what was sent, in the order of the rows; null stays null. */
void value_write_object(struct buf *out, const struct json *sent, const struct fields *fields,
                        const struct value_text *texts);

/* An object of members with names of the client's, sorted by name; read: of each value, whose kinds
 * are given. */
enum { VALUE_MAP_NULL = 1 /* among the kinds: a value may be null */ };
int value_map(const struct field_in *in, unsigned kinds, field_reader *read, void *dst);
