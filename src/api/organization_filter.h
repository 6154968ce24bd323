#pragma once
/* Conditions on shown objects, as Mixpeek's clients write them:
 *
 *  {"AND":[...],"OR":[...],"NOT":[...],"case_sensitive":false}, each element the same again or
 *  {"field":"additional_data.batch_id","operator":"eq","value":"7"}; any other member is short for
 *  an `eq` of that field. All members of an object must be met.
 *
 *  operators: eq (the default), ne, gt, gte, lt, lte, in, nin, contains, text, starts_with,
 *  ends_with, exists, is_null
 *
 * Number and length of what is compared are limited, for a list does it with every task. */
#include "base/err.h"
#include "codec/json.h"

/* 0, or -1 with err and the path in it. path: where the filter is, ".filters". */
int organization_filter_check(const struct json *filter, const char *path, struct err *err);
/* Of a checked filter. */
bool organization_filter_meets(const struct json *filter, const struct json *object);
/* Whether the part is somewhere in the text, without regard to ASCII case; in linear time. */
bool organization_text_has(struct str text, struct str part);
