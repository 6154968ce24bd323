/* Places and shapes. `_geo` is a point; `_geojson` a geometry (RFC 7946), tested for touching the
 * shape on the flat map of longitudes and latitudes, as upstream does. Knows no attribute but these
 * two. */
#include <math.h>

#include "index/filter_internal.h"

enum { RADIUS_CORNERS = 125, GEOMETRY_MAX_DEPTH = 16 };
#define EARTH_RADIUS_METERS 6371000.0
#define DEGREE (M_PI / 180)

/* Corners as latitude, longitude; the last is joined to the first. */
struct ring {
    const double *corners;
    size_t n;
};

double
filter_geo_distance(const double a[2], const double b[2])
{
    double d_lat = (b[0] - a[0]) * DEGREE / 2, d_lng = (b[1] - a[1]) * DEGREE / 2;
    double h =
        sin(d_lat) * sin(d_lat) + cos(a[0] * DEGREE) * cos(b[0] * DEGREE) * sin(d_lng) * sin(d_lng);
    return EARTH_RADIUS_METERS * 2 * atan2(sqrt(h), sqrt(fmax(0, 1 - h)));
}

/* --- preparing */

/* The corner of a circle in that direction (radians from north). */
static void
circle_corner(const struct filter_node *node, double direction, double *ret)
{
    double lat = node->numbers[0].value * DEGREE, lng = node->numbers[1].value * DEGREE;
    double arc = node->numbers[2].value / EARTH_RADIUS_METERS;
    double to_lat = asin(sin(lat) * cos(arc) + cos(lat) * sin(arc) * cos(direction));
    double to_lng =
        lng + atan2(sin(direction) * sin(arc) * cos(lat), cos(arc) - sin(lat) * sin(to_lat));
    ret[0] = to_lat / DEGREE;
    ret[1] = to_lng / DEGREE;
}

static void
prepare_circle(struct arena *a, struct filter_node *node)
{
    node->n_corners = node->n_numbers == 4 ? (size_t) node->numbers[3].value : RADIUS_CORNERS;
    node->shape = arena_alloc(a, node->n_corners * 2 * sizeof(*node->shape));
    for (size_t i = 0; i < node->n_corners; i++)
        circle_corner(node, 2 * M_PI * (double) i / (double) node->n_corners, node->shape + 2 * i);
}

static void
prepare_box(struct arena *a, struct filter_node *node)
{
    double top = node->numbers[0].value, right = node->numbers[1].value;
    double bottom = node->numbers[2].value, left = node->numbers[3].value;
    const double corners[] = {top, right, top, left, bottom, left, bottom, right};
    node->n_corners = 4;
    node->shape = arena_alloc(a, sizeof(corners));
    memcpy(node->shape, corners, sizeof(corners));
}

void
filter_geo_prepare(struct arena *a, struct filter_node *node)
{
    if (node->op == FILTER_GEO_RADIUS) {
        prepare_circle(a, node);
    } else if (node->op == FILTER_GEO_BOX) {
        prepare_box(a, node);
    } else {
        node->n_corners = node->n_numbers / 2;
        node->shape = arena_alloc(a, node->n_numbers * sizeof(*node->shape));
        for (size_t i = 0; i < node->n_numbers; i++)
            node->shape[i] = node->numbers[i].value;
    }
}

/* --- _geo */

/* A coordinate is a number, or a text that is one. */
static bool
read_coordinate(const struct json *value, double *ret)
{
    if (value == NULL)
        return false;
    if (json_type(value) == JSON_NUMBER)
        return filter_number(json_number(value), ret);
    return json_type(value) == JSON_STRING && filter_number(json_string(value), ret);
}

bool
filter_geo_place(const struct json *document, double *ret_lat, double *ret_lng)
{
    const struct json *geo = json_get_c(document, "_geo");
    return geo != NULL && read_coordinate(json_get_c(geo, "lat"), ret_lat) &&
           read_coordinate(json_get_c(geo, "lng"), ret_lng);
}

static bool
box_holds(const struct filter_node *node, const double place[2])
{
    double right = node->numbers[1].value, left = node->numbers[3].value;
    if (place[0] > node->numbers[0].value || place[0] < node->numbers[2].value)
        return false;
    if (right < left) /* around the back of the earth */
        return (place[1] >= left && place[1] <= 180) || (place[1] >= -180 && place[1] <= right);
    return place[1] >= left && place[1] <= right;
}

static bool
place_matches(const struct filter_node *node, const struct json *document)
{
    double place[2];
    if (!filter_geo_place(document, &place[0], &place[1]))
        return false;
    if (node->op == FILTER_GEO_BOX)
        return box_holds(node, place);
    const double center[2] = {node->numbers[0].value, node->numbers[1].value};
    return node->op == FILTER_GEO_RADIUS &&
           filter_geo_distance(center, place) <= node->numbers[2].value;
}

/* --- shapes */

static double
side_of(const double a[2], const double b[2], const double p[2])
{
    return (b[1] - a[1]) * (p[0] - a[0]) - (b[0] - a[0]) * (p[1] - a[1]);
}

/* p is on the line through a and b: whether it is between them. */
static bool
is_between(const double a[2], const double b[2], const double p[2])
{
    return p[0] >= fmin(a[0], b[0]) && p[0] <= fmax(a[0], b[0]) && p[1] >= fmin(a[1], b[1]) &&
           p[1] <= fmax(a[1], b[1]);
}

static bool
lines_touch(const double a[2], const double b[2], const double c[2], const double d[2])
{
    double c_side = side_of(a, b, c), d_side = side_of(a, b, d);
    double a_side = side_of(c, d, a), b_side = side_of(c, d, b);
    if (((c_side > 0) != (d_side > 0)) && ((a_side > 0) != (b_side > 0)) && c_side != 0 &&
        d_side != 0 && a_side != 0 && b_side != 0)
        return true;
    return (c_side == 0 && is_between(a, b, c)) || (d_side == 0 && is_between(a, b, d)) ||
           (a_side == 0 && is_between(c, d, a)) || (b_side == 0 && is_between(c, d, b));
}

static const double *
corner(struct ring r, size_t i)
{
    return r.corners + 2 * (i % r.n);
}

/* Inside or on the border. */
static bool
ring_holds(struct ring r, const double p[2])
{
    bool is_inside = false;
    for (size_t i = 0; i < r.n; i++) {
        const double *a = corner(r, i), *b = corner(r, i + 1);
        if (side_of(a, b, p) == 0 && is_between(a, b, p))
            return true;
        if ((a[0] > p[0]) != (b[0] > p[0]) &&
            p[1] < (b[1] - a[1]) * (p[0] - a[0]) / (b[0] - a[0]) + a[1])
            is_inside = !is_inside;
    }
    return is_inside;
}

/* --- _geojson: positions are longitude, latitude */

static bool
read_position(const struct json *value, double ret[2])
{
    struct json_iter it = json_iter(value);
    return json_type(value) == JSON_ARRAY && json_next(&it) && read_coordinate(it.value, &ret[1]) &&
           json_next(&it) && read_coordinate(it.value, &ret[0]);
}

static bool
point_touches(struct ring shape, const struct json *position)
{
    double p[2];
    return read_position(position, p) && ring_holds(shape, p);
}

static bool
line_touches(struct ring shape, const struct json *line)
{
    double previous[2], p[2];
    bool has_previous = false;
    for (struct json_iter it = json_iter(line); json_next(&it);) {
        if (!read_position(it.value, p))
            continue;
        if (ring_holds(shape, p))
            return true;
        for (size_t i = 0; has_previous && i < shape.n; i++)
            if (lines_touch(previous, p, corner(shape, i), corner(shape, i + 1)))
                return true;
        memcpy(previous, p, sizeof(p));
        has_previous = true;
    }
    return false;
}

/* Whether the point is in the polygon's ring: a ring of JSON positions. */
static bool
json_ring_holds(const struct json *ring, const double p[2])
{
    double a[2], b[2];
    bool is_inside = false, has_previous = false;
    for (struct json_iter it = json_iter(ring); json_next(&it);) {
        if (!read_position(it.value, b))
            continue;
        if (has_previous && (a[0] > p[0]) != (b[0] > p[0]) &&
            p[1] < (b[1] - a[1]) * (p[0] - a[0]) / (b[0] - a[0]) + a[1])
            is_inside = !is_inside;
        memcpy(a, b, sizeof(a));
        has_previous = true;
    }
    return is_inside;
}

/* The first ring is the outside, the others are holes. */
static bool
polygon_touches(struct ring shape, const struct json *rings)
{
    bool is_outside = true, is_in_hole = false;
    for (struct json_iter it = json_iter(rings); json_next(&it);) {
        if (line_touches(shape, it.value) && is_outside)
            return true;
        bool holds = json_ring_holds(it.value, shape.corners);
        if (is_outside && !holds)
            return false;
        is_in_hole |= !is_outside && holds;
        is_outside = false;
    }
    return !is_outside && !is_in_hole;
}

typedef bool touches_fn(struct ring shape, const struct json *coordinates);

static const struct {
    const char *type;
    touches_fn *touches;
    bool is_multi;
} geometry_rows[] = {
    {"Point", point_touches, false},     {"MultiPoint", point_touches, true},
    {"LineString", line_touches, false}, {"MultiLineString", line_touches, true},
    {"Polygon", polygon_touches, false}, {"MultiPolygon", polygon_touches, true},
};

static bool
coordinates_touch(struct ring shape, const struct json *coordinates, touches_fn *touches,
                  bool is_multi)
{
    if (!is_multi)
        return touches(shape, coordinates);
    for (struct json_iter it = json_iter(coordinates); json_next(&it);)
        if (touches(shape, it.value))
            return true;
    return false;
}

static bool
geometry_touches(struct ring shape, const struct json *g, int depth)
{
    static const char *const containers[] = {"geometries", "features"};
    if (g == NULL || json_type(g) != JSON_OBJECT || depth > GEOMETRY_MAX_DEPTH)
        return false;
    const struct json *type = json_get_c(g, "type"), *inner = json_get_c(g, "geometry");
    if (inner != NULL && geometry_touches(shape, inner, depth + 1))
        return true;
    for (size_t i = 0; i < 2; i++) {
        const struct json *list = json_get_c(g, containers[i]);
        struct json_iter it = json_iter(list);
        while (list != NULL && json_next(&it))
            if (geometry_touches(shape, it.value, depth + 1))
                return true;
    }
    const struct json *coordinates = json_get_c(g, "coordinates");
    if (type == NULL || coordinates == NULL)
        return false;
    for (size_t i = 0; i < sizeof(geometry_rows) / sizeof(geometry_rows[0]); i++)
        if (str_is(json_string(type), geometry_rows[i].type))
            return coordinates_touch(shape, coordinates, geometry_rows[i].touches,
                                     geometry_rows[i].is_multi);
    return false;
}

bool
filter_geo_match(const struct filter_node *node, const struct json *document, bool use_geo,
                 bool use_geojson)
{
    if (use_geo && place_matches(node, document))
        return true;
    struct ring shape = {.corners = node->shape, .n = node->n_corners};
    return use_geojson && geometry_touches(shape, json_get_c(document, "_geojson"), 0);
}
