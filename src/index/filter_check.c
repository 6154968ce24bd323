/* Judging a filter before it meets documents: what experimental features allow, and what the
 * settings of the index do. Reads no document. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "index/filter_internal.h"
#include "index/filter_rules.h"

/* --- experimental features */

/* In the order in which upstream complains. */
static const struct {
    enum filter_feature feature;
    const char *action, *name;
    unsigned discussion;
    const char *unsupported; /* what this server cannot do even then, or NULL */
} feature_rows[] = {
    {FILTER_CONTAINS, "Using `CONTAINS` in a filter", "contains filter", 763, NULL},
    {FILTER_FOREIGN, "using a foreign filter", "foreign_keys", 873, "_foreign"},
    {FILTER_SHARD, "using a shard filter", "network", 805, "_shard"},
    {FILTER_VECTORS, "using a vector filter", "multimodal", 846, NULL},
};
enum { FEATURES = sizeof(feature_rows) / sizeof(feature_rows[0]) };

static const struct filter_token *
uses(const struct filter_node *node, enum filter_feature feature)
{
    bool has_attribute = node->op >= FILTER_EQUAL && node->op <= FILTER_STARTS_WITH;
    if (feature == FILTER_CONTAINS && node->op == FILTER_HAS_PART)
        return &node->keyword;
    if (feature == FILTER_FOREIGN && node->op == FILTER_FOREIGN_MATCH)
        return &node->attribute;
    if (feature == FILTER_SHARD && has_attribute && str_is(node->attribute.value, "_shard"))
        return &node->attribute;
    if (feature == FILTER_VECTORS && node->op == FILTER_VECTORS_EXIST)
        return &node->attribute;
    return NULL;
}

static const struct filter_token *
find_use(const struct filter_node *node, enum filter_feature feature)
{
    const struct filter_token *found = uses(node, feature);
    for (const struct filter_node *c = node->child; c != NULL && found == NULL; c = c->next)
        found = find_use(c, feature);
    return found;
}

int
filter_check_features(const struct filter *f, unsigned enabled, enum err_code code, struct err *err)
{
    for (int i = 0; i < FEATURES; i++) {
        const struct filter_token *token = find_use(f->root, feature_rows[i].feature);
        if (token != NULL && !(enabled & feature_rows[i].feature))
            return filter_refuse(err, ERR_FEATURE_NOT_ENABLED, token,
                                 "%s requires enabling the `%s` experimental feature. See "
                                 "https://github.com/orgs/meilisearch/discussions/%u",
                                 feature_rows[i].action, feature_rows[i].name,
                                 feature_rows[i].discussion);
        if (token != NULL && feature_rows[i].unsupported != NULL)
            return filter_refuse(err, code, token,
                                 "Filter condition `%s` is not supported for this endpoint.",
                                 feature_rows[i].unsupported);
    }
    return 0;
}

/* --- attributes: the last condition is judged first, as upstream's walk does */

static int
refuse_attribute(const struct filter_token *token, const char *attribute,
                 const struct filter_rules *rules, enum err_code code, struct err *err)
{
    struct buf names = BUF_INIT;
    bool has_names = filter_rules_write_names(&names, rules);
    filter_refuse(err, code, token, "Attribute `%s` is not filterable. %s%s%s", attribute,
                  has_names ? "Available filterable attribute patterns are: "
                            : "This index does not have configured filterable attributes.",
                  buf_cstr(&names), has_names ? "." : "");
    buf_done(&names);
    return -1;
}

static int
check_attribute(const struct filter_node *node, const struct filter_rules *rules,
                enum err_code code, struct err *err)
{
    unsigned allowed;
    struct str attribute = node->attribute.value;
    if (filter_rules_find(rules, attribute, &allowed) >= 0 &&
        (allowed & (FILTER_ALLOWS_EQUALITY | FILTER_ALLOWS_COMPARISON)) != 0)
        return 0;
    if (str_is(attribute, "_vectors"))
        return 0;
    struct buf name = BUF_INIT;
    buf_add_str(&name, attribute);
    refuse_attribute(&node->attribute, buf_cstr(&name), rules, code, err);
    buf_done(&name);
    return -1;
}

static int
check_attributes(const struct filter_node *node, const struct filter_rules *rules,
                 enum err_code code, struct err *err)
{
    if (node->op >= FILTER_EQUAL && node->op <= FILTER_STARTS_WITH)
        return check_attribute(node, rules, code, err);
    int rc = 0;
    for (const struct filter_node *c = node->last_child; c != NULL && rc == 0; c = c->prev)
        rc = check_attributes(c, rules, code, err);
    return rc;
}

/* --- operators */

/* How the operators of an attribute are shown, and what of its rule they need. */
static const struct {
    const char *shown;
    unsigned needs; /* any of them; 0: nothing */
} operator_rows[] = {
    [FILTER_EQUAL] = {"=", FILTER_ALLOWS_EQUALITY},
    [FILTER_NOT_EQUAL] = {"!=", FILTER_ALLOWS_EQUALITY},
    [FILTER_GREATER] = {">", FILTER_ALLOWS_COMPARISON},
    [FILTER_GREATER_EQUAL] = {">=", FILTER_ALLOWS_COMPARISON},
    [FILTER_LOWER] = {"<", FILTER_ALLOWS_COMPARISON},
    [FILTER_LOWER_EQUAL] = {"<=", FILTER_ALLOWS_COMPARISON},
    [FILTER_BETWEEN] = {"TO", FILTER_ALLOWS_COMPARISON},
    [FILTER_IN] = {"=", FILTER_ALLOWS_EQUALITY}, /* an OR of equalities */
    [FILTER_EXISTS] = {"EXISTS", 0},
    [FILTER_IS_NULL] = {"IS NULL", 0},
    [FILTER_IS_EMPTY] = {"IS EMPTY", 0},
    [FILTER_HAS_PART] = {"CONTAINS", 0},
    [FILTER_STARTS_WITH] = {"STARTS WITH", 0},
};

static int
check_operator(const struct filter_node *node, const struct filter_rules *rules, struct err *err)
{
    unsigned allowed = 0, needs = operator_rows[node->op].needs;
    int rule = filter_rules_find(rules, node->attribute.value, &allowed);
    struct str name = node->attribute.value;
    if (rule < 0 || needs == 0 || (allowed & needs) != 0 || node->n_values == 0)
        return 0;
    return err_set(
        err, ERR_INVALID_SEARCH_FILTER,
        "Filter operator `%s` is not allowed for the attribute `%.*s`.\n"
        "  - Note: allowed operators: OR, AND, NOT, %sIS EMPTY, IS NULL, EXISTS.\n"
        "  - Note: field `%.*s` matched rule #%d in `filterableAttributes`\n"
        "  - Hint: enable %s in rule #%d by modifying the features.filter object\n"
        "  - Hint: prepend another rule matching `%.*s` with appropriate filter features before "
        "rule #%d",
        operator_rows[node->op].shown, STR_ARG(name),
        needs == FILTER_ALLOWS_EQUALITY ? "<, >, <=, >=, TO, " : "=, !=, IN, ", STR_ARG(name), rule,
        needs == FILTER_ALLOWS_EQUALITY ? "equality" : "comparison", rule, STR_ARG(name), rule);
}

/* --- places */

struct judge {
    const struct filter_rules *rules;
    enum err_code code;
    bool has_geo, has_geojson;
    struct err *err;
};

/* Text of a number as Rust's {} shows it: without ".0" and without an exponent. */
static char *
show_number(struct buf *out, double number)
{
    int digits = 0;
    char text[512];
    do {
        snprintf(text, sizeof(text), "%.*f", digits, number);
    } while (strtod(text, NULL) != number && ++digits < 20);
    buf_clear(out);
    buf_add_cstr(out, text);
    return (char *) buf_cstr(out);
}

static int
refuse_latitude(const struct judge *j, const struct filter_number *n)
{
    struct buf shown = BUF_INIT;
    int rc = filter_refuse(j->err, j->code, &n->token,
                           "Bad latitude `%s`. Latitude must be contained between -90 and 90 "
                           "degrees.",
                           show_number(&shown, n->value));
    buf_done(&shown);
    return rc;
}

static int
refuse_longitude(const struct judge *j, const struct filter_number *n)
{
    struct buf shown = BUF_INIT, hint = BUF_INIT;
    double turned = fmod(n->value + 180, 360);
    turned = (turned < 0 ? turned + 360 : turned) - 180;
    int rc = filter_refuse(j->err, j->code, &n->token,
                           "Bad longitude `%s`. Longitude must be contained between -180 and 180 "
                           "degrees. Hint: try using `%s` instead.",
                           show_number(&shown, n->value), show_number(&hint, turned));
    buf_done(&shown);
    buf_done(&hint);
    return rc;
}

static int
read_number(const struct judge *j, struct filter_number *n)
{
    if (filter_number(n->token.value, &n->value))
        return 0;
    return filter_refuse(j->err, j->code, &n->token, "Non finite floats are not supported");
}

/* Numbers first to first + 1: latitude and longitude. */
static int
check_point(const struct judge *j, struct filter_node *node, size_t first)
{
    struct filter_number *n = node->numbers + first;
    if (read_number(j, &n[0]) < 0 || read_number(j, &n[1]) < 0)
        return -1;
    if (!(n[0].value >= -90 && n[0].value <= 90))
        return refuse_latitude(j, &n[0]);
    if (!(n[1].value >= -180 && n[1].value <= 180))
        return refuse_longitude(j, &n[1]);
    return 0;
}

static int
check_geo_attribute(const struct judge *j, const struct filter_node *node, bool has,
                    const char *attribute)
{
    return has ? 0
               : refuse_attribute(&node->numbers[0].token, attribute, j->rules, j->code, j->err);
}

static int
check_radius(const struct judge *j, struct filter_node *node)
{
    if (check_point(j, node, 0) < 0 || read_number(j, &node->numbers[2]) < 0)
        return -1;
    if (node->n_numbers == 4) {
        struct filter_number *n = &node->numbers[3];
        if (read_number(j, n) < 0)
            return -1;
        n->value = n->value < 0 ? 0 : floor(n->value);
        if (n->value < 3 || n->value > 1000)
            return filter_refuse(j->err, j->code, &n->token,
                                 "Invalid resolution `%.0f`. Resolution must be between 3 and "
                                 "1000.",
                                 n->value);
    }
    return check_geo_attribute(j, node, j->has_geo || j->has_geojson, "_geo/_geojson");
}

static int
check_box(const struct judge *j, struct filter_node *node)
{
    struct buf top = BUF_INIT, bottom = BUF_INIT;
    if (check_point(j, node, 0) < 0 || check_point(j, node, 2) < 0)
        return -1;
    if (node->numbers[0].value >= node->numbers[2].value)
        return check_geo_attribute(j, node, j->has_geo || j->has_geojson, "_geo/_geojson");
    filter_refuse(j->err, j->code, &node->numbers[3].token,
                  "The top latitude `%s` is below the bottom latitude `%s`.",
                  show_number(&top, node->numbers[0].value),
                  show_number(&bottom, node->numbers[2].value));
    buf_done(&top);
    buf_done(&bottom);
    return -1;
}

static int
check_polygon(const struct judge *j, struct filter_node *node)
{
    if (check_geo_attribute(j, node, j->has_geojson, "_geojson") < 0)
        return -1;
    for (size_t i = 0; i < node->n_numbers; i += 2)
        if (check_point(j, node, i) < 0)
            return -1;
    return 0;
}

/* --- all of it, in the order of evaluation */

static int
check_node(const struct judge *j, struct filter_node *node)
{
    switch (node->op) {
    case FILTER_AND:
    case FILTER_OR:
    case FILTER_NOT: {
        int rc = 0;
        for (struct filter_node *c = node->child; c != NULL && rc == 0; c = c->next)
            rc = check_node(j, c);
        return rc;
    }
    case FILTER_GEO_RADIUS:
        return check_radius(j, node);
    case FILTER_GEO_BOX:
        return check_box(j, node);
    case FILTER_GEO_POLYGON:
        return check_polygon(j, node);
    case FILTER_VECTORS_EXIST:
    case FILTER_FOREIGN_MATCH:
        return 0;
    default:
        return check_operator(node, j->rules, j->err);
    }
}

static void
prepare(struct filter *f, struct filter_node *node)
{
    for (struct filter_node *c = node->child; c != NULL; c = c->next)
        prepare(f, c);
    if (node->op >= FILTER_GEO_RADIUS && node->op <= FILTER_GEO_POLYGON)
        filter_geo_prepare(f->arena, node);
}

int
filter_check(struct filter *f, const struct filter_rules *rules, enum err_code code,
             struct err *err)
{
    struct judge j = {.rules = rules,
                      .code = code,
                      .has_geo = filter_rules_name(rules, "_geo"),
                      .has_geojson = filter_rules_name(rules, "_geojson"),
                      .err = err};
    if (check_attributes(f->root, rules, code, err) < 0 || check_node(&j, f->root) < 0)
        return -1;
    f->uses_geo = j.has_geo;
    f->uses_geojson = j.has_geojson;
    prepare(f, f->root);
    return 0;
}
