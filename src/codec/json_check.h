#pragma once
/* Says what is wrong with a JSON text, in the words and at the place serde_json would (contract
 * 1.5). Accepts exactly what json_parse accepts; runs only after that refused a text. */
#include "base/buf.h"

struct json_fault {
    const char *what; /* NULL: no fault */
    size_t at;        /* bytes consumed where serde_json reports it */
};
/* Whole text: one value between optional white space. */
struct json_fault json_check(struct str text);
/* Only the first value; whatever follows it is not looked at. */
struct json_fault json_check_first(struct str text);

/* False for a number whose magnitude is beyond a double. number: JSON syntax. */
bool json_number_fits(struct str number);

/* A place in a text, counted as serde_json does: lines from 1, columns are the bytes consumed on
 * the line. */
struct json_place {
    uint64_t line, column;
};
#define JSON_PLACE_START ((struct json_place){1, 0})
void json_place_advance(struct json_place *place, struct str consumed);
/* Appends "{what} at line {line} column {column}"; start: the place of text's first byte. */
void json_fault_write(struct buf *out, const struct json_fault *fault, struct str text,
                      struct json_place start);
