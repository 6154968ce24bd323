#pragma once
/* Which attributes may be filtered by, and how: `filterableAttributes` of the settings, compiled.
 */
#include "base/buf.h"
#include "codec/json.h"

struct filter_rules;
enum filter_allowed {
    FILTER_ALLOWS_EQUALITY = 1 << 0,
    FILTER_ALLOWS_COMPARISON = 1 << 1,
    FILTER_ALLOWS_FACET_SEARCH = 1 << 2,
};

/* rules: the setting's JSON text: names, or objects with attributePatterns and features. */
struct filter_rules *filter_rules_new(struct str rules);
void filter_rules_free(struct filter_rules *r); /* NULL accepted */
/* The number of the first rule that matches, with what it allows, or -1. */
int filter_rules_find(const struct filter_rules *r, struct str attribute, unsigned *ret_allowed);
/* Whether a plain name among the rules is this one: `_geo` and `_geojson` work only so. */
bool filter_rules_name(const struct filter_rules *r, const char *name);
/* Appends "`a`, `b`": what may be filtered by, sorted. False when that is nothing. */
bool filter_rules_write_names(struct buf *out, const struct filter_rules *r);

/* Whether field is facet or lies below it: `a.b` and `a` are faceted by `a`, `ab` is not. */
bool attribute_is_below(struct str field, struct str facet);
