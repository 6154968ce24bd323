/* The rules of filterableAttributes. A plain name matches itself and what is nested below it; a
 * pattern may have stars at its ends and matches nothing else. */
#include "index/filter_rules.h"

#include <stdlib.h>

#include "base/arena.h"

struct rule {
    struct str *patterns;
    size_t n_patterns;
    bool is_name; /* one pattern, without stars */
    unsigned allowed;
};
struct filter_rules {
    struct arena *arena;
    struct rule *rules;
    size_t n;
};

static bool
is_on(const struct json *object, const char *name, bool otherwise)
{
    const struct json *value = json_get_c(object, name);
    return value == NULL ? otherwise : json_bool(value);
}

static void
read_patterns(struct arena *a, struct rule *r, const struct json *value)
{
    const struct json *features = json_get_c(value, "features");
    const struct json *filter = json_get_c(features, "filter");
    struct json_iter it = json_iter(json_get_c(value, "attributePatterns"));
    r->patterns = arena_alloc(a, (it.left + 1) * sizeof(*r->patterns));
    while (json_next(&it))
        r->patterns[r->n_patterns++] = arena_copy(a, json_string(it.value));
    r->allowed = (is_on(filter, "equality", true) ? FILTER_ALLOWS_EQUALITY : 0u) |
                 (is_on(filter, "comparison", false) ? FILTER_ALLOWS_COMPARISON : 0u) |
                 (is_on(features, "facetSearch", false) ? FILTER_ALLOWS_FACET_SEARCH : 0u);
}

static void
read_rule(struct arena *a, struct rule *r, const struct json *value)
{
    if (json_type(value) == JSON_OBJECT) {
        read_patterns(a, r, value);
        return;
    }
    *r = (struct rule){.is_name = true, .n_patterns = 1};
    r->allowed = FILTER_ALLOWS_EQUALITY | FILTER_ALLOWS_COMPARISON | FILTER_ALLOWS_FACET_SEARCH;
    r->patterns = arena_alloc(a, sizeof(*r->patterns));
    r->patterns[0] = arena_copy(a, json_string(value));
}

struct filter_rules *
filter_rules_new(struct str rules)
{
    struct arena *a = arena_new();
    struct filter_rules *r = arena_alloc(a, sizeof(*r));
    struct json_doc *doc = json_parse(rules, NULL);
    r->arena = a;
    if (doc == NULL)
        return r;
    struct json_iter it = json_iter(json_root(doc));
    r->rules = arena_alloc(a, (it.left + 1) * sizeof(*r->rules));
    while (json_next(&it))
        read_rule(a, &r->rules[r->n++], it.value);
    json_doc_free(doc);
    return r;
}

void
filter_rules_free(struct filter_rules *r)
{
    if (r != NULL)
        arena_free(r->arena);
}

bool
attribute_is_below(struct str field, struct str facet)
{
    return field.len >= facet.len && str_equal(str_slice(field, 0, facet.len), facet) &&
           (field.len == facet.len || field.data[facet.len] == '.');
}

static bool
pattern_matches(struct str pattern, struct str s)
{
    bool starts = str_starts_with(pattern, "*"), ends = str_ends_with(pattern, "*");
    struct str core = str_slice(pattern, starts, pattern.len - (ends && pattern.len > 1));
    if (str_is(pattern, "*"))
        return true;
    if (core.len > s.len)
        return false;
    if (starts && ends)
        return core.len == 0 || memmem(s.data, s.len, core.data, core.len) != NULL;
    if (starts)
        return str_equal(str_slice(s, s.len - core.len, s.len), core);
    if (ends)
        return str_equal(str_slice(s, 0, core.len), core);
    return str_equal(s, core);
}

static bool
rule_matches(const struct rule *r, struct str attribute)
{
    if (r->is_name)
        return attribute_is_below(attribute, r->patterns[0]);
    for (size_t i = 0; i < r->n_patterns; i++)
        if (pattern_matches(r->patterns[i], attribute))
            return true;
    return false;
}

int
filter_rules_find(const struct filter_rules *r, struct str attribute, unsigned *ret_allowed)
{
    for (size_t i = 0; i < r->n; i++) {
        if (!rule_matches(&r->rules[i], attribute))
            continue;
        *ret_allowed = r->rules[i].allowed;
        return (int) i;
    }
    return -1;
}

bool
filter_rules_name(const struct filter_rules *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->rules[i].is_name && str_is(r->rules[i].patterns[0], name))
            return true;
    return false;
}

static int
compare_names(const void *a, const void *b)
{
    return str_compare(*(const struct str *) a, *(const struct str *) b);
}

bool
filter_rules_write_names(struct buf *out, const struct filter_rules *r)
{
    size_t n = 0, n_max = 0;
    for (size_t i = 0; i < r->n; i++)
        n_max += r->rules[i].n_patterns;
    struct str *names = arena_alloc(r->arena, (n_max + 1) * sizeof(*names));
    for (size_t i = 0; i < r->n; i++) {
        const struct rule *rule = &r->rules[i];
        if ((rule->allowed & (FILTER_ALLOWS_EQUALITY | FILTER_ALLOWS_COMPARISON)) == 0)
            continue;
        for (size_t k = 0; k < rule->n_patterns; k++)
            names[n++] = rule->patterns[k];
    }
    qsort(names, n, sizeof(*names), compare_names);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && str_equal(names[i], names[i - 1]))
            continue;
        buf_addf(out, "%s`%.*s`", i == 0 ? "" : ", ", STR_ARG(names[i]));
    }
    return n > 0;
}
