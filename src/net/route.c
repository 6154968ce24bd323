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

enum { MAX_SEGMENTS = 8 }; /* of a pattern; a longer path matches none */

/* Cuts a path into segments; runs of '/' count as one, trailing ones as none. -1 when there are too
 * many. */
static int
split_path(struct str path, struct str ret[MAX_SEGMENTS])
{
    int n = 0;
    for (size_t at = 0; at < path.len;) {
        if (path.data[at] == '/') {
            at++;
            continue;
        }
        size_t end = str_find(path, '/', at);
        if (n == MAX_SEGMENTS)
            return -1;
        ret[n++] = str_slice(path, at, end);
        at = end;
    }
    return n;
}

uint8_t
route_depth(const char *pattern)
{
    struct str segments[MAX_SEGMENTS];
    return (uint8_t) split_path(str_from(pattern), segments);
}

/* How specific the pattern is for this path: a bit for each segment, set for a literal, the first
 * segment highest; -1 when it does not match. Every request comes through here, for many rows: no
 * calls. */
static int
match_pattern(const char *p, const struct str *segments, int n)
{
    int rank = 0;
    for (int i = 0; i < n; i++) {
        struct str got = segments[i];
        if (*p++ != '/')
            return -1;
        if (*p == '{') {
            while (*p != '/' && *p != '\0')
                p++;
            continue;
        }
        for (size_t k = 0; k < got.len; k++) {
            if (*p++ != got.data[k]) /* ends at the pattern's NUL at the latest */
                return -1;
        }
        if (*p != '/' && *p != '\0')
            return -1;
        rank |= 1 << (MAX_SEGMENTS - 1 - i);
    }
    return *p == '\0' || (p[0] == '/' && p[1] == '\0') ? rank : -1;
}

/* Of a pattern that matches. */
static void
take_params(const char *p, const struct str *segments, int n, struct str ret[ROUTE_MAX_PARAMS])
{
    int n_params = 0;
    for (int i = 0; i < n && n_params < ROUTE_MAX_PARAMS; i++) {
        p = strchr(p, '/') + 1; /* there is one a segment */
        if (*p == '{')
            ret[n_params++] = segments[i];
    }
}

static bool
method_fits(const struct route *row, enum http_method method)
{
    return row->method == method || (method == HTTP_HEAD && row->method == HTTP_GET);
}

/* The most specific pattern owns the path, whatever its methods: GET on a path that only POST knows
 * is a 405, also when a pattern with a parameter in that place has GET (as upstream). */
struct route_match
route_find(const struct route *const *rows, const uint8_t *depths, size_t n,
           enum http_method method, struct str path)
{
    struct route_match best = {0};
    struct str segments[MAX_SEGMENTS];
    int best_rank = -1, n_segments = split_path(path, segments);
    for (size_t i = 0; n_segments >= 0 && i < n; i++) {
        if (depths[i] != n_segments)
            continue;
        int rank = match_pattern(rows[i]->pattern, segments, n_segments);
        if (rank < 0 || rank < best_rank)
            continue;
        if (rank > best_rank)
            best.route = NULL;
        best_rank = rank;
        best.path_exists = true;
        bool is_better = best.route == NULL || best.route->method != method;
        if (method_fits(rows[i], method) && is_better)
            best.route = rows[i];
    }
    if (best.route != NULL)
        take_params(best.route->pattern, segments, n_segments, best.params);
    return best;
}
