#pragma once
/* Fields of JSON bodies by table (contract 1.6): first error only, present keys in document order,
 * then missing ones in the order of the rows. */
#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"

/* Accepted kinds of value; the words of messages are made from them. */
enum field_kind {
    FIELD_BOOL = 1 << 1,
    FIELD_POSITIVE = 1 << 2, /* an integer >= 0 */
    FIELD_NEGATIVE = 1 << 3,
    FIELD_FLOAT = 1 << 4,
    FIELD_STRING = 1 << 5,
    FIELD_ARRAY = 1 << 6,
    FIELD_OBJECT = 1 << 7,
    FIELD_ANY = 0xfe,
};

struct field_in {
    struct arena *arena;
    const struct field *row;
    const char *path; /* ".uid", "[0].indexes" */
    const struct json *value;
    struct err *err;
};
/* Reads in->value, whose kind was checked, into dst: 0, or -1 with in->err set. */
typedef int field_reader(const struct field_in *in, void *dst);

struct field {
    const char *name;
    enum err_code code;    /* of every complaint about the value */
    unsigned kinds;        /* of enum field_kind */
    bool no_null;          /* null is refused; otherwise null means not given */
    enum err_code missing; /* required: the code when absent; ERR_NONE: optional */
    field_reader *read;    /* NULL: a name that may not be changed (`Immutable field`) */
    size_t offset;         /* of the destination in the handler's struct */
};

struct field_strings {
    bool is_given;
    struct str *values;
    size_t n;
};

/* Readers; texts point into the document. */
field_reader field_string;  /* struct str; data is never NULL when given */
field_reader field_bool;    /* bool */
field_reader field_u64;     /* uint64_t */
field_reader field_strings; /* struct field_strings */
field_reader field_json;    /* const struct json * */
enum { FIELD_TOKEN_MAX_BYTES = 4096 };
field_reader field_token;             /* struct str that becomes a header's value */
bool field_is_token(struct str text); /* 1 to so many visible ASCII characters */

/* Reads the members of body into dst, which the caller has filled with defaults. path: where body
 * is, "" for the root. code: for body itself and unknown names. */
struct fields {
    const struct field *rows;
    size_t n;
    enum err_code code; /* bad_request for most routes */
};
int fields_read(struct arena *arena, const struct json *body, const char *path,
                const struct fields *fields, void *dst, struct err *err);
#define FIELDS_OF(array)                                                                           \
    {                                                                                              \
        .rows = (array), .n = sizeof(array) / sizeof((array)[0]), .code = ERR_BAD_REQUEST          \
    }

/* "Invalid value type at `path`: expected {kinds}, but found {kind}: `{json}`" unless value has one
 * of the kinds: 0 or -1. */
int field_check_kind(const struct json *value, unsigned kinds, const char *path, enum err_code code,
                     struct err *err);
/* Fails with "Invalid value at `path`: " and the message. Returns -1. */
int field_invalid(const struct field_in *in, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
