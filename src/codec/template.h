#pragma once
/* Templates in the language of Jinja2, as far as notifications use it:
 *
 *  {{ a.b[0]['c'] | filter(x) }}   {% if %} {% elif %} {% else %} {% endif %}
 *  {% for x in list %} {% for k, v in map.items() %} {% else %} {% endfor %}   {% set x = y %}
 *  {# comment #}  {% raw %} {% endraw %}   {{- and -}} take blanks away
 *  operators  or and not  == != < <= > >= in, not in  is [not] defined ...  ~ + - * / // %  x if y
 *             else z
 *  loop.index, index0, revindex, revindex0, first, last, length
 *  filters    see template_filters.c; methods: items, keys, values, get, upper, lower, strip,
 *             startswith, endswith
 *
 * Unlike Jinja2's default, a member of something undefined is undefined (and prints nothing), and
 * `tojson` keeps the order of members. Values are JSON and never change; there are no includes, no
 * macros, no calls of anything else. So a template cannot loop for ever, and what it may take is
 * bounded: instructions, memory and output; a run goes on in pieces.
 *
 * What is longer than the limits below does not compile. */
#include "codec/json.h"

enum {
    TEMPLATE_MAX_BYTES = 64 * 1024,
    TEMPLATE_MAX_NODES = 8 * 1024, /* of all expressions */
    TEMPLATE_MAX_DEPTH = 32,       /* of parentheses, operators and filters in each other */
    TEMPLATE_MAX_BLOCKS = 16,      /* if and for in each other */
    TEMPLATE_MAX_LOOPS = 8,        /* for in each other */
};

/* Never changes once compiled. */
struct template;

/* NULL with "line 2 column 5: ..." (counted from 1, in characters) appended to why. Copies what it
 * needs. */
struct template *template_compile(struct str text, struct buf *why);
/* A JSON value as a template: each string in it (not the names of members) is one. A string that is
 * nothing but one {{ expression }} becomes that value with its type; all others stay strings. The
 * output is compact JSON. why begins with where: "at `.a.b[2]`, line 1 column 4: ...". */
struct template *template_compile_json(const struct json *v, struct buf *why);
void template_free(struct template *t); /* NULL accepted */

/* --- running one ----------------------------------------------------------------------------- */

enum {
    TEMPLATE_FUEL = 4 * 1000 * 1000,         /* nodes, and 64 bytes of work, until a run fails */
    TEMPLATE_MEMORY_BYTES = 8 * 1024 * 1024, /* of values made on the way, until a run fails */
};

struct template_input {
    const struct template *template; /* borrowed until the run is freed, as data */
    const struct json *data;         /* an object: its members are the variables; and as a whole */
    const char *data_name;           /* this one ("event"); NULL: not */
    bool escapes_html;               /* what expressions print, unless marked safe */
    size_t max_bytes;                /* of output: more is a failure */
};
enum template_state { TEMPLATE_MORE, TEMPLATE_DONE, TEMPLATE_FAILED };
struct template_run;
struct template_run *template_run_new(const struct template_input *input);
void template_run_free(struct template_run *r); /* NULL accepted */
/* Goes on until it is through or the monotonic clock reaches the deadline. */
enum template_state template_run_step(struct template_run *r, int64_t deadline_us);
struct str template_run_output(const struct template_run *r); /* once DONE, until freed */
const char *
template_run_error(const struct template_run *r); /* once FAILED: with line and column */
