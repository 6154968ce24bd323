/* The condition `_vectors[.embedder[.kind]] [NOT] EXISTS`, whose errors are final from the first
 * dot on. */
#include "base/suggest.h"
#include "index/filter_internal.h"

static const struct {
    const char *suffix;
    enum filter_vectors vectors;
} vector_rows[] = {
    {"fragments", FILTER_VECTORS_NEVER},
    {"userProvided", FILTER_VECTORS_USER_PROVIDED},
    {"documentTemplate", FILTER_VECTORS_NEVER},
    {"regenerate", FILTER_VECTORS_REGENERATE},
};
enum { VECTOR_ROWS = sizeof(vector_rows) / sizeof(vector_rows[0]) };

/* A name, or a final error with the message. */
static enum filter_result
need_name(struct filter_parser *p, size_t *at, const char *message, struct filter_token *ret)
{
    size_t from = *at;
    bool is_quoted =
        from < p->source.len && (p->source.data[from] == '"' || p->source.data[from] == '\'');
    enum filter_result result = filter_read_name(p, at, ret);
    if (result == FILTER_OK)
        return result;
    err_done(p->err);
    return filter_fail(p, filter_rest(p, from), "%s",
                       is_quoted ? "The quotes in one of the values are inconsistent." : message);
}

/* What follows the dot behind an embedder's name or behind what may follow that. */
static enum filter_result
refuse_suffix(struct filter_parser *p, size_t at, const char *previous)
{
    struct filter_token name;
    size_t end = at + 1;
    static const char all[] = "`fragments`, `userProvided`, `documentTemplate`";
    bool is_quoted = end < p->source.len && strchr("\"'", p->source.data[end]) != NULL;
    if (filter_read_name(p, &end, &name) != FILTER_OK) {
        err_done(p->err);
        return filter_fail(p, str_slice(p->source, at, at + 1),
                           "Was expecting one of `.fragments`, `.userProvided`, "
                           "`.documentTemplate`, `.regenerate` or nothing, but instead found a "
                           "point without a valid value.");
    }
    if (previous != NULL)
        return filter_fail(p, name.fragment,
                           "Vector filter can only accept one of %s or `regenerate`, but found "
                           "both `%s` and `%.*s`.",
                           all, previous, STR_ARG(name.value));
    for (int i = 0; is_quoted && i < VECTOR_ROWS; i++)
        if (str_is(name.value, vector_rows[i].suffix))
            return filter_fail(p, name.fragment, "Was expecting this part to be unquoted.");
    const char *names[VECTOR_ROWS];
    for (int i = 0; i < VECTOR_ROWS; i++)
        names[i] = vector_rows[i].suffix;
    const char *near = suggest_name(name.value, names, VECTOR_ROWS);
    return filter_fail(p, name.fragment,
                       "Was expecting one of %s, `regenerate` or nothing, but instead found "
                       "`%.*s`.%s%s%s",
                       all, STR_ARG(name.value), near == NULL ? "" : " Did you mean `",
                       near == NULL ? "" : near, near == NULL ? "" : "`?");
}

/* The kind behind .embedder: FILTER_OK also when there is none. */
static enum filter_result
read_vector_kind(struct filter_parser *p, size_t *at, struct filter_node *node)
{
    const char *found = NULL;
    for (int i = 0; i < VECTOR_ROWS && found == NULL; i++) {
        size_t len = strlen(vector_rows[i].suffix);
        if (!filter_has(p, *at, ".") || !filter_has(p, *at + 1, vector_rows[i].suffix))
            continue;
        found = vector_rows[i].suffix;
        node->vectors = vector_rows[i].vectors;
        *at += len + 1;
    }
    if (found != NULL && str_is(str_from(found), "fragments")) {
        struct filter_token fragment;
        if (!filter_has(p, *at, "."))
            return filter_fail(p, filter_rest(p, *at),
                               "The vector filter is missing a fragment name.");
        ++*at;
        enum filter_result result =
            need_name(p, at, "The vector filter's fragment name is invalid.", &fragment);
        if (result != FILTER_OK)
            return result;
    }
    return filter_has(p, *at, ".") ? refuse_suffix(p, *at, found) : FILTER_OK;
}

/* .embedder and what follows it up to a blank; at: the dot. */
static enum filter_result
read_embedder(struct filter_parser *p, size_t *at, struct filter_node *node)
{
    struct filter_token name;
    ++*at;
    if (filter_has(p, *at, " "))
        return filter_fail(p, str_slice(p->source, *at, *at + 1),
                           "Was expecting embedder name but found nothing.");
    enum filter_result result =
        need_name(p, at, "The vector filter's embedder name is invalid.", &name);
    if (result == FILTER_OK)
        result = read_vector_kind(p, at, node);
    if (result != FILTER_OK)
        return result;
    node->embedder = name.value.len == 0 ? STR("") : name.value;
    if (filter_skip_blanks(p, *at) == *at)
        return filter_fail(p, filter_rest(p, *at), "The vector filter has leftover tokens.");
    *at = filter_skip_blanks(p, *at);
    return FILTER_OK;
}

/* _vectors[.embedder[.kind]] [NOT] EXISTS; at: the start of the condition. */
enum filter_result
filter_read_vectors(struct filter_parser *p, size_t *at, struct filter_node **ret)
{
    static const char word[] = "_vectors";
    size_t from = filter_skip_blanks(p, *at), end = from + sizeof(word) - 1;
    if (!filter_has(p, from, word))
        return FILTER_NO;
    struct str fragment = str_slice(p->source, from, end);
    struct filter_token token = {p->source, fragment, fragment};
    struct filter_node *node = filter_node_new(p->arena, FILTER_VECTORS_EXIST);
    node->attribute = token;
    size_t behind = filter_skip_blanks(p, end);
    if (behind == end && !filter_has(p, end, "."))
        return FILTER_NO;
    if (behind == end) {
        enum filter_result result = read_embedder(p, &behind, node);
        if (result != FILTER_OK)
            return result;
    }
    bool is_not = !filter_skip_words(p, &behind, "EXISTS");
    if (is_not && !filter_skip_words(p, &behind, "NOT EXISTS"))
        return filter_fail(p, filter_rest(p, behind),
                           "Was expecting an operation like `EXISTS` or `NOT EXISTS` after the "
                           "vector filter.");
    *ret = is_not ? filter_negate(p, node) : node;
    *at = behind;
    return FILTER_OK;
}
