/* Methods by name, and matching a path against the route rows. Knows nothing of handlers. */
#include "net/route.h"

static const char *const method_names[HTTP_METHODS] = {
    [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",
    [HTTP_PUT] = "PUT",         [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
    [HTTP_OPTIONS] = "OPTIONS", [HTTP_TRACE] = "TRACE", [HTTP_CONNECT] = "CONNECT",
};

const char *
http_method_name(enum http_method m)
{
    return m < HTTP_METHODS ? method_names[m] : "UNKNOWN";
}

bool
http_method_parse(struct str name, enum http_method *ret)
{
    for (int i = 0; i < HTTP_METHODS; i++) {
        if (str_is(name, method_names[i])) {
            *ret = (enum http_method) i;
            return true;
        }
    }
    return false;
}

/* Cuts the next segment off a path; false at its end. Runs of '/' count as one. */
static bool
next_segment(struct str *rest, struct str *ret)
{
    while (rest->len > 0 && rest->data[0] == '/')
        *rest = str_slice(*rest, 1, rest->len);
    if (rest->len == 0)
        return false;
    size_t end = str_find(*rest, '/', 0);
    *ret = str_slice(*rest, 0, end);
    *rest = str_slice(*rest, end, rest->len);
    return true;
}

enum { RANK_SEGMENTS = 30 };

/* How specific the pattern is for this path: a bit for each segment, set for a literal, the first
 * segment highest; -1 when it does not match. Fills params. */
static int
match_pattern(const char *pattern, struct str path, struct str params[ROUTE_MAX_PARAMS])
{
    struct str rest = str_from(pattern), want, got;
    int rank = 0, n_params = 0;
    for (int i = 0; i < RANK_SEGMENTS; i++) {
        bool has_got = next_segment(&path, &got);
        if (next_segment(&rest, &want) != has_got)
            return -1;
        if (!has_got)
            return rank;
        if (want.data[0] != '{') {
            if (!str_equal(want, got))
                return -1;
            rank |= 1 << (RANK_SEGMENTS - 1 - i);
        } else if (n_params < ROUTE_MAX_PARAMS) {
            params[n_params++] = got;
        }
    }
    return -1;
}

static bool
method_fits(const struct route *row, enum http_method method)
{
    return row->method == method || (method == HTTP_HEAD && row->method == HTTP_GET);
}

/* The most specific pattern owns the path, whatever its methods: GET on a path that only POST knows
 * is a 405, also when a pattern with a parameter in that place has GET (as upstream). */
struct route_match
route_find(const struct route *const *rows, size_t n, enum http_method method, struct str path)
{
    struct route_match best = {0};
    int best_rank = -1;
    char first = path.len > 1 && path.data[0] == '/' ? path.data[1] : '/';
    for (size_t i = 0; i < n; i++) {
        /* Most rows differ in the first letter already. */
        const char *pattern = rows[i]->pattern;
        if (first != '/' && pattern[1] != '{' && pattern[1] != first)
            continue;
        struct str params[ROUTE_MAX_PARAMS] = {{0}};
        int rank = match_pattern(pattern, path, params);
        if (rank < 0 || rank < best_rank)
            continue;
        if (rank > best_rank)
            best.route = NULL;
        best_rank = rank;
        best.path_exists = true;
        bool is_better = best.route == NULL || best.route->method != method;
        if (method_fits(rows[i], method) && is_better) {
            best.route = rows[i];
            memcpy(best.params, params, sizeof(params));
        }
    }
    return best;
}
