#pragma once
/* JSON: reading into a tree with numbers kept as written, errors in serde_json's words
 * (contract 1.5), and compact writing. Wraps yyjson, which no other folder includes. Trees are
 * immutable. */
#include "base/arena.h"
#include "base/buf.h"

struct json_doc;
struct json; /* one value of a tree; valid until its document is freed */

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };
enum { JSON_MAX_DEPTH = 127 }; /* deeper input is an error ("recursion limit exceeded ...") */

/* Parses exactly one value, surrounded by optional white space. NULL on error with the message
 * appended to why ("EOF while parsing an object at line 1 column 1"; JSON_NO_MEMORY when that ran
 * out); why may be NULL. Of members with one name the last value counts, at the place of the first
 * (as in serde_json's maps). Copies what it needs from text. */
#define JSON_NO_MEMORY "not enough memory to read the JSON text"
struct json_doc *json_parse(struct str text, struct buf *why);
/* The same, reusing scratch memory across calls (fast for many small documents); the previous
 * document made with the same scratch becomes invalid. json_doc_free is still called. */
struct json_scratch;
struct json_scratch *json_scratch_new(void);
void json_scratch_free(struct json_scratch *s);
struct json_doc *json_parse_scratch(struct json_scratch *s, struct str text, struct buf *why);
void json_doc_free(struct json_doc *d); /* NULL accepted */
const struct json *json_root(const struct json_doc *d);

enum json_type json_type(const struct json *v);
bool json_bool(const struct json *v);
struct str json_string(const struct json *v); /* UTF-8, unescaped; empty for other types */
struct str json_number(const struct json *v); /* as written: "1.10", "99999999999999999999" */
/* Integers without fraction or exponent; not "-0", which serde_json reads as a float. */
bool json_to_u64(const struct json *v, uint64_t *ret);
bool json_to_i64(const struct json *v, int64_t *ret);
size_t json_length(const struct json *v); /* of an array or object, else 0 */
/* First member with that name, NULL when absent or v is no object. */
const struct json *json_get(const struct json *v, struct str name);
const struct json *json_get_c(const struct json *v, const char *name);

/* Iteration: struct json_iter it = json_iter(v); while (json_next(&it)) use it.key (objects) and
 * it.value. */
struct json_iter {
    const struct json *parent;
    const void *at; /* private */
    size_t left;
    struct str key;
    const struct json *value;
};
struct json_iter json_iter(const struct json *v);
bool json_next(struct json_iter *it);

/* Compact text of a value; numbers exactly as written. */
void json_write(struct buf *out, const struct json *v);
/* Compact text with numbers as serde_json prints them after parsing (1.10 -> 1.1, 1e3 -> 1000.0, >
 * u64 -> float). */
void json_write_normal(struct buf *out, const struct json *v);
/* The same for the text of one number. */
void json_write_number_normal(struct buf *out, struct str number);
void json_write_string(struct buf *out, struct str s); /* quoted and escaped; must be UTF-8 */

/* Building text: commas are placed automatically. struct json_out j = json_out(&buf); */
struct json_out {
    struct buf *out;
    bool comma; /* the next key or element needs one */
};
struct json_out json_out(struct buf *out);
void json_begin_object(struct json_out *j);
void json_end_object(struct json_out *j);
void json_begin_array(struct json_out *j);
void json_end_array(struct json_out *j);
void json_key(struct json_out *j, const char *name);
void json_key_str(struct json_out *j, struct str name);
void json_put_str(struct json_out *j, struct str s);
void json_put_cstr(struct json_out *j, const char *s); /* NULL gives null */
void json_put_u64(struct json_out *j, uint64_t n);
void json_put_i64(struct json_out *j, int64_t n);
/* Shortest text that reads back the same, "null" unless finite: 50.0, 33.333332, 1e16. */
void json_put_double(struct json_out *j, double n);
void json_put_float(struct json_out *j, float n);
void json_put_bool(struct json_out *j, bool b);
void json_put_null(struct json_out *j);
void json_put_raw(struct json_out *j, struct str json_text); /* already JSON */
void json_put_time(struct json_out *j, int64_t wall_ns);     /* RFC 3339, null for 0 */
