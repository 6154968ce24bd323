#pragma once
/* Members with one name in one object: the last value counts, at the place of the first. */
#include <stdbool.h>
#include <yyjson.h>

/* Whether any of an object's n members share a name: 1 or 0, negative when memory runs out. */
int json_keys_repeat(yyjson_val *object, size_t n);
/* Consumes doc; a document without such repetition (heap memory), or NULL when memory runs out.
 * Nesting must have been checked. */
yyjson_doc *json_keys_settle(yyjson_doc *doc);
