#pragma once
/* What the files of the template language share: template_parse.c makes a program out of a text,
 * template.c runs it, template_eval.c computes expressions, template_filters.c has the filters. */
#include "base/arena.h"
#include "codec/template.h"

/* --- expressions ------------------------------------------------------------------------------ */

enum node_kind {
    NODE_LITERAL, /* .value */
    NODE_LIST,    /* of the operands */
    NODE_NAME,    /* .text */
    NODE_MEMBER,  /* a.text */
    NODE_INDEX,   /* a[b] */
    NODE_CALL,    /* a.text(arguments): .method */
    NODE_FILTER,  /* a | text(arguments): .filter */
    NODE_TEST,    /* a is text: .test */
    NODE_NOT,
    NODE_NEGATE,
    NODE_AND,
    NODE_OR,
    NODE_EQUAL,
    NODE_UNEQUAL,
    NODE_LESS,
    NODE_LESS_EQUAL,
    NODE_GREATER,
    NODE_GREATER_EQUAL,
    NODE_IN,
    NODE_NOT_IN,
    NODE_CONCAT,
    NODE_ADD,
    NODE_SUBTRACT,
    NODE_MULTIPLY,
    NODE_DIVIDE,
    NODE_FLOOR_DIVIDE,
    NODE_REMAINDER,
    NODE_CHOICE, /* a if b else c; c may be NULL */
};

enum tvalue_kind {
    TVALUE_UNDEFINED,
    TVALUE_NONE,
    TVALUE_BOOL,
    TVALUE_INT,
    TVALUE_FLOAT,
    TVALUE_STRING,
    TVALUE_JSON,  /* an array or an object of the data */
    TVALUE_LIST,  /* made on the way */
    TVALUE_ITEMS, /* pairs of an object */
    TVALUE_LOOP,  /* the variable `loop` */
};
struct loop_frame;
struct tvalue {
    enum tvalue_kind kind;
    bool is_true; /* BOOL */
    bool is_safe; /* STRING: not to be escaped */
    int64_t i;
    double f;
    struct str s; /* STRING; of a number of the data: as it was written */
    const struct json *json;
    struct tvalue *items;
    size_t n;
    const struct loop_frame *loop;
};

enum { TEMPLATE_ARGUMENTS_MAX = 4, TEMPLATE_MAX_HEIGHT = 64 };
struct filter_row;
struct test_row;
struct method_row;
struct node {
    enum node_kind kind;
    uint16_t height; /* of its parts' the highest, and one */
    uint32_t at;     /* in the source */
    struct str text;
    struct node *a, *b, *c;
    struct node **operands; /* LIST: its elements; CALL, FILTER: TEMPLATE_ARGUMENTS_MAX, or NULL */
    size_t n_operands;
    struct tvalue value;
    const struct filter_row *filter;
    const struct test_row *test;
    const struct method_row *method;
};

/* --- programs --------------------------------------------------------------------------------- */

enum instruction_kind {
    DO_TEXT,         /* .text as it is */
    DO_PRINT,        /* .node */
    DO_PRINT_JSON,   /* .node as a JSON value */
    DO_STRING_BEGIN, /* what is printed until STRING_END is the inside of a JSON string */
    DO_STRING_END,
    DO_JUMP,        /* to .target */
    DO_JUMP_UNLESS, /* .node is true */
    DO_FOR,         /* .names over .node; without an element to .target */
    DO_NEXT,        /* the next element at .target (behind its FOR), or on */
    DO_SET,         /* .names[0] */
};
struct instruction {
    enum instruction_kind kind;
    struct str text;
    struct node *node;
    struct str names[2]; /* the second one: data NULL when there is none */
    size_t target;
};
struct template
{
    struct arena *arena;
    struct instruction *program;
    size_t n, cap;
    struct str source;           /* all texts, one behind the other; positions of nodes are in it */
    struct source_piece *pieces; /* of a JSON template: where each text stands */
    size_t n_pieces;
};
struct source_piece {
    struct str path; /* "" when it is the whole */
    size_t from;     /* in the source */
};
/* "line 2 column 5" of a position in the source, behind "at `.a`, " where there are pieces. */
void template_write_place(struct buf *out, const struct template *t, size_t at);

/* --- running ---------------------------------------------------------------------------------- */

struct variable {
    struct str name;
    struct tvalue value;
};
struct loop_frame {
    size_t at, n; /* the present element and how many there are */
    struct tvalue over;
    struct json_iter iter; /* of JSON and ITEMS */
    size_t n_variables;    /* outside of the loop */
    const struct loop_frame *outer;
};
enum { TEMPLATE_VARIABLES_MAX = 64 };
struct template_run {
    struct template_input input;
    struct arena *arena;
    size_t pc;
    uint64_t fuel;
    size_t memory;
    bool in_string;
    struct loop_frame loops[TEMPLATE_MAX_LOOPS];
    size_t n_loops;
    struct variable variables[TEMPLATE_VARIABLES_MAX];
    size_t n_variables;
    struct buf out, scratch;
    enum template_state state;
    char *error;
};

/* The run fails; the first failure counts. */
void run_fail(struct template_run *r, const struct node *n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool run_has_failed(const struct template_run *r);
/* So much work of 64 bytes or nodes, so much memory from the arena; false: too much. */
bool run_spend(struct template_run *r, const struct node *n, uint64_t fuel);
void *run_alloc(struct template_run *r, const struct node *n, size_t size); /* NULL: too much */
/* A string out of a buffer, which is emptied. */
struct tvalue run_take_string(struct template_run *r, const struct node *n, struct buf *b);

struct tvalue eval(struct template_run *r, const struct node *n);
bool tvalue_is_true(const struct tvalue *v);
/* Its number; false: it is none. */
bool tvalue_number(const struct tvalue *v, double *ret);
size_t tvalue_length(const struct tvalue *v, bool *ret_has); /* of strings in characters */
/* As {{ }} prints it, but not escaped; and as JSON. */
void tvalue_print(struct buf *out, const struct tvalue *v);
void tvalue_print_json(struct buf *out, const struct tvalue *v);
void template_escape_html(struct buf *out, struct str s);
struct tvalue tvalue_of_json(const struct json *v);
struct tvalue tvalue_string(struct str s);
struct tvalue tvalue_int(int64_t i);
struct tvalue tvalue_bool(bool b);
/* The elements one after the other; iteration over lists, arrays, items, and names of objects. */
struct loop_frame loop_over(const struct tvalue *v);
bool loop_step(struct template_run *r, const struct node *n, struct loop_frame *f,
               struct tvalue *ret);
bool tvalue_can_loop(const struct tvalue *v);

/* --- tables (template_filters.c) -------------------------------------------------------------- */

typedef void template_fn(struct template_run *r, const struct node *n, struct tvalue *v,
                         const struct tvalue *arguments); /* not given: UNDEFINED */
struct filter_row {
    const char *name;
    template_fn *fn;
    const char *parameters[TEMPLATE_ARGUMENTS_MAX]; /* in order; NULL ends them */
    size_t n_required;
};
struct method_row {
    const char *name;
    template_fn *fn;
    size_t n_min, n_max;
};
struct test_row {
    const char *name;
    bool (*fn)(const struct tvalue *v);
};
/* NULL: none; then near (may be NULL) is what was perhaps meant. */
const struct filter_row *template_filter(struct str name, const char **ret_near);
const struct test_row *template_test(struct str name, const char **ret_near);
const struct method_row *template_method(struct str name);
