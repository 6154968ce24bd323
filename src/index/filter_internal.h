#pragma once
/* What the files of the filter share: its tree.
 *
 * filter_parse.c   the grammar; filter_token.c words, quotes and geo arguments; filter_vectors.c
 * filter_error.c   messages
 * filter_check.c   features, filterable attributes, operators, coordinates
 * filter_match.c   one document; filter_geo.c places and shapes */
#include "base/arena.h"
#include "index/filter.h"

enum { FILTER_MAX_DEPTH = 150 /* upstream's; a parenthesis takes four */ };

/* A piece of a filter's text. */
struct filter_token {
    struct str source;   /* the whole text it is from */
    struct str fragment; /* the piece, without quotes */
    struct str value;    /* with escapes replaced */
};

/* Something that documents are compared with. */
struct filter_value {
    struct filter_token token;
    struct str folded; /* as strings are compared (unicode_fold) */
    bool has_number;
    double number;
};

enum filter_op {
    FILTER_AND,
    FILTER_OR,
    FILTER_NOT,
    /* of an attribute */
    FILTER_EQUAL,
    FILTER_NOT_EQUAL,
    FILTER_GREATER,
    FILTER_GREATER_EQUAL,
    FILTER_LOWER,
    FILTER_LOWER_EQUAL,
    FILTER_BETWEEN,
    FILTER_IN,
    FILTER_EXISTS,
    FILTER_IS_NULL,
    FILTER_IS_EMPTY,
    FILTER_HAS_PART, /* CONTAINS */
    FILTER_STARTS_WITH,
    /* of a document */
    FILTER_GEO_RADIUS,
    FILTER_GEO_BOX,
    FILTER_GEO_POLYGON,
    FILTER_VECTORS_EXIST,
    FILTER_FOREIGN_MATCH,
};

enum filter_vectors { /* what of an embedder must exist */
                      FILTER_VECTORS_ANY,
                      FILTER_VECTORS_USER_PROVIDED,
                      FILTER_VECTORS_REGENERATE,
                      FILTER_VECTORS_NEVER, /* fragments and document templates: no embedder runs
                                               here */
};

struct filter_number {
    struct filter_token token;
    double value;
};

struct filter_node {
    enum filter_op op;
    struct filter_node *child, *last_child, *next, *prev; /* AND, OR, NOT */
    struct filter_token attribute, keyword;               /* keyword: of CONTAINS and STARTS WITH */
    struct filter_value *values;                          /* BETWEEN: two; IN: sorted by folded */
    size_t n_values;
    double *sorted; /* IN: the values that are numbers */
    size_t n_sorted;
    struct filter_number *numbers; /* geo: latitude, longitude, ..., radius, resolution */
    size_t n_numbers;
    double *shape; /* corners of a radius as latitude, longitude, ... for geometries */
    size_t n_corners;
    enum filter_vectors vectors;
    struct str embedder; /* data NULL: any */
};

struct filter {
    struct arena *arena;
    struct filter_node *root;
    bool uses_geo, uses_geojson; /* which of a document's fields places are read from */
};

struct filter_node *filter_node_new(struct arena *a, enum filter_op op);
void filter_node_add(struct filter_node *parent, struct filter_node *child);

/* --- filter_error.c */

/* Appends "\n{column}:{end} {source}" for a fragment of source. */
void filter_write_place(struct buf *out, struct str source, struct str fragment);
/* Sets err to the message and the place of the token. Returns -1. */
int filter_refuse(struct err *err, enum err_code code, const struct filter_token *at,
                  const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Appends text as Rust's escape_debug shows it. */
void filter_write_escaped(struct buf *out, struct str text);

/* --- filter_token.c: one text being read; positions are byte offsets into it */

enum filter_result {
    FILTER_OK,
    FILTER_NO,     /* does not match here: another way may be tried */
    FILTER_FAILED, /* an error that stays, in parser->err */
};
struct filter_parser {
    struct arena *arena;
    struct str source;
    enum err_code code;
    struct err *err;
    /* Why the last value was FILTER_NO, for those who must have one. */
    struct str no_fragment;
    enum filter_no { FILTER_NO_VALUE, FILTER_NO_KEYWORD, FILTER_NO_NUMBER, FILTER_NO_ESCAPE } no;
};
struct str filter_rest(const struct filter_parser *p, size_t at);
size_t filter_skip_blanks(const struct filter_parser *p, size_t at);
/* The word at `at` (letters, digits, _ - .); its length, 0 when there is none. */
size_t filter_word_len(const struct filter_parser *p, size_t at);
bool filter_is_word(const struct filter_parser *p, size_t at, const char *word);
bool filter_has(const struct filter_parser *p, size_t at, const char *text);
/* A word or quoted text with the blanks around it. */
enum filter_result filter_read_value(struct filter_parser *p, size_t *at, struct filter_token *ret);
/* Like it, where nothing else can follow: never FILTER_NO. */
enum filter_result filter_need_value(struct filter_parser *p, size_t *at, struct filter_token *ret);
/* An embedder's or fragment's name: like a value, but a word ends at a dot. */
enum filter_result filter_read_name(struct filter_parser *p, size_t *at, struct filter_token *ret);
/* Sets p->err to the message and the place of the fragment. Returns FILTER_FAILED. */
enum filter_result filter_fail(struct filter_parser *p, struct str fragment, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The text escaped, for messages; in the arena. */
char *filter_shown(struct filter_parser *p, struct str text);
/* _geoRadius(...), _geoBoundingBox(...), _geoPolygon(...): FILTER_NO when the text is none. */
enum filter_result filter_read_geo(struct filter_parser *p, size_t *at, struct filter_node **ret);

/* --- filter_parse.c and filter_vectors.c */

/* Goes past the words, with one blank between them in the text for one or more: false when they are
 * not there. */
bool filter_skip_words(const struct filter_parser *p, size_t *at, const char *words);
/* NOT node; NOT NOT x is x. */
struct filter_node *filter_negate(struct filter_parser *p, struct filter_node *node);
/* The condition of vectors; FILTER_NO when the text is none. at: the start of the condition. */
enum filter_result filter_read_vectors(struct filter_parser *p, size_t *at,
                                       struct filter_node **ret);

/* --- filter_geo.c */

/* Computes what matching needs of a checked geo condition: the corners of a radius. */
void filter_geo_prepare(struct arena *a, struct filter_node *node);
/* Whether the document is there; use_geo, use_geojson: which of its fields count. */
bool filter_geo_match(const struct filter_node *node, const struct json *document, bool use_geo,
                      bool use_geojson);
/* The place in `_geo`: false when there is none. */
bool filter_geo_place(const struct json *document, double *ret_lat, double *ret_lng);
/* Meters on a sphere, as upstream computes it. */
double filter_geo_distance(const double a[2], const double b[2]);
