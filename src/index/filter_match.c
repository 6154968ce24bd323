/* Matching one document. An attribute's values are what its path leads to: through objects at each
 * dot, through arrays at every element; a key that has dots itself counts as well. Strings compare
 * folded and in byte order, numbers as numbers, booleans as the words. */
#include <stdlib.h>

#include "base/unicode.h"
#include "index/filter_internal.h"
#include "index/filter_rules.h"

/* --- one condition and the values it meets */

struct meeting {
    const struct filter_node *node;
    struct buf folded; /* of the string at hand */
    bool is_met;
};

static bool
equals_one(const struct filter_node *node, struct str folded)
{
    if (node->op != FILTER_IN)
        return str_equal(folded, node->values[0].folded);
    size_t low = 0, high = node->n_values;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_compare(node->values[middle].folded, folded);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static bool
string_meets(const struct filter_node *node, struct str s)
{
    struct str value = node->n_values > 0 ? node->values[0].folded : STR("");
    switch (node->op) {
    case FILTER_EQUAL:
    case FILTER_NOT_EQUAL:
    case FILTER_IN:
        return equals_one(node, s);
    case FILTER_GREATER:
        return str_compare(s, value) > 0;
    case FILTER_GREATER_EQUAL:
        return str_compare(s, value) >= 0;
    case FILTER_LOWER:
        return str_compare(s, value) < 0;
    case FILTER_LOWER_EQUAL:
        return str_compare(s, value) <= 0;
    case FILTER_BETWEEN:
        return str_compare(s, value) >= 0 && str_compare(s, node->values[1].folded) <= 0;
    case FILTER_HAS_PART:
        return value.len == 0 || memmem(s.data, s.len, value.data, value.len) != NULL;
    case FILTER_STARTS_WITH:
        return str_equal(str_slice(s, 0, value.len), value);
    default:
        return false;
    }
}

static bool
is_listed(const struct filter_node *node, double number)
{
    size_t low = 0, high = node->n_sorted;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (node->sorted[middle] == number)
            return true;
        if (node->sorted[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static bool
number_meets(const struct filter_node *node, double n)
{
    const struct filter_value *v = node->values;
    if (node->op == FILTER_IN)
        return is_listed(node, n);
    if (node->n_values == 0 || !v[0].has_number || (node->n_values == 2 && !v[1].has_number))
        return false;
    switch (node->op) {
    case FILTER_EQUAL:
    case FILTER_NOT_EQUAL:
        return n == v[0].number;
    case FILTER_GREATER:
        return n > v[0].number;
    case FILTER_GREATER_EQUAL:
        return n >= v[0].number;
    case FILTER_LOWER:
        return n < v[0].number;
    case FILTER_LOWER_EQUAL:
        return n <= v[0].number;
    case FILTER_BETWEEN:
        return n >= v[0].number && n <= v[1].number;
    default:
        return false;
    }
}

static bool
is_empty(const struct json *value)
{
    if (json_type(value) == JSON_STRING)
        return json_string(value).len == 0;
    return (json_type(value) == JSON_ARRAY || json_type(value) == JSON_OBJECT) &&
           json_length(value) == 0;
}

static bool
scalar_meets(struct meeting *m, const struct json *value)
{
    double number;
    struct str text = json_string(value);
    switch (json_type(value)) {
    case JSON_STRING:
        if (text.len == 0)
            return false;
        buf_clear(&m->folded);
        unicode_fold(&m->folded, str_trim(text));
        return !buf_failed(&m->folded) && string_meets(m->node, buf_str(&m->folded));
    case JSON_BOOL:
        return string_meets(m->node, json_bool(value) ? STR("true") : STR("false"));
    case JSON_NUMBER:
        return filter_number(json_number(value), &number) && number_meets(m->node, number);
    default:
        return false;
    }
}

/* One value of the attribute; in_array: it is an element. */
static void
meet(struct meeting *m, const struct json *value, bool in_array)
{
    switch (m->node->op) {
    case FILTER_EXISTS:
        m->is_met = true;
        break;
    case FILTER_IS_NULL:
        m->is_met |= !in_array && json_type(value) == JSON_NULL;
        break;
    case FILTER_IS_EMPTY:
        m->is_met |= !in_array && is_empty(value);
        break;
    case FILTER_STARTS_WITH: /* upstream: of nothing starts whatever exists */
        m->is_met |= m->node->values[0].folded.len == 0 || scalar_meets(m, value);
        break;
    default:
        m->is_met |= scalar_meets(m, value);
    }
}

/* --- the walk */

static void
meet_all(struct meeting *m, const struct json *value, bool in_array)
{
    meet(m, value, in_array);
    if (json_type(value) != JSON_ARRAY)
        return;
    for (struct json_iter it = json_iter(value); !m->is_met && json_next(&it);)
        meet_all(m, it.value, true);
}

static void walk_below(struct meeting *m, const struct json *value, struct str path);

static void
walk_object(struct meeting *m, const struct json *object, struct str path)
{
    for (struct json_iter it = json_iter(object); !m->is_met && json_next(&it);) {
        if (!attribute_is_below(path, it.key))
            continue;
        if (it.key.len == path.len)
            meet_all(m, it.value, false);
        else
            walk_below(m, it.value, str_slice(path, it.key.len + 1, path.len));
    }
}

static void
walk_below(struct meeting *m, const struct json *value, struct str path)
{
    if (json_type(value) == JSON_OBJECT)
        walk_object(m, value, path);
    if (json_type(value) != JSON_ARRAY)
        return;
    for (struct json_iter it = json_iter(value); !m->is_met && json_next(&it);)
        walk_below(m, it.value, path);
}

static bool
attribute_meets(const struct filter_node *node, const struct json *document)
{
    struct meeting m = {.node = node};
    walk_object(&m, document, node->attribute.value);
    buf_done(&m.folded);
    return node->op == FILTER_NOT_EQUAL ? !m.is_met : m.is_met;
}

/* --- vectors */

static bool
embedder_meets(const struct filter_node *node, const struct json *value)
{
    const struct json *regenerate = json_get_c(value, "regenerate");
    bool is_regenerated = regenerate != NULL && json_bool(regenerate);
    if (json_type(value) == JSON_NULL)
        return false;
    switch (node->vectors) {
    case FILTER_VECTORS_ANY:
        return true;
    case FILTER_VECTORS_USER_PROVIDED:
        return !is_regenerated;
    case FILTER_VECTORS_REGENERATE:
        return is_regenerated;
    default:
        return false;
    }
}

static bool
vectors_meet(const struct filter_node *node, const struct json *document)
{
    const struct json *vectors = json_get_c(document, "_vectors");
    bool is_met = false;
    if (vectors == NULL)
        return false;
    for (struct json_iter it = json_iter(vectors); !is_met && json_next(&it);)
        is_met = (node->embedder.data == NULL || str_equal(it.key, node->embedder)) &&
                 embedder_meets(node, it.value);
    return is_met;
}

/* --- the tree: its depth is bounded by the parser */

static bool
node_matches(const struct filter *f, const struct filter_node *node, const struct json *document)
{
    const struct filter_node *c = node->child;
    switch (node->op) {
    case FILTER_AND:
        while (c != NULL && node_matches(f, c, document))
            c = c->next;
        return c == NULL;
    case FILTER_OR:
        while (c != NULL && !node_matches(f, c, document))
            c = c->next;
        return c != NULL;
    case FILTER_NOT:
        return !node_matches(f, c, document);
    case FILTER_GEO_RADIUS:
    case FILTER_GEO_BOX:
    case FILTER_GEO_POLYGON:
        return filter_geo_match(node, document, f->uses_geo, f->uses_geojson);
    case FILTER_VECTORS_EXIST:
        return vectors_meet(node, document);
    case FILTER_FOREIGN_MATCH:
        return false; /* refused by filter_check_features */
    default:
        return attribute_meets(node, document);
    }
}

bool
filter_match(const struct filter *f, const struct json *document)
{
    return node_matches(f, f->root, document);
}
