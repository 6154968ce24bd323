#pragma once
/* Dot-paths into a JSON value: "data.object.id"; a number is an element of an array
 * ("items.0.id"). A name with a dot in it cannot be reached. */
#include "codec/json.h"

enum { PATH_MAX_BYTES = 400, PATH_MAX_DEPTH = 32 };
/* NULL, or what is wrong with it ("expected ..."). */
const char *path_check(struct str path);
/* What stands there, NULL: nothing. */
const struct json *path_find(const struct json *value, struct str path);
