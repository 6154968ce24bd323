/* Runs the programs of template_parse.c: output, loops, variables, and what a run may take.
 * Computes nothing itself (template_eval.c). */
#include "codec/template.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/template_internal.h"

enum { STEPS_BETWEEN_LOOKS = 8 /* instructions between two looks at the clock */ };

/* --- what a run may take ------------------------------------------------------------------------
 */

bool
run_has_failed(const struct template_run *r)
{
    return r->state == TEMPLATE_FAILED;
}

void
run_fail(struct template_run *r, const struct node *n, const char *fmt, ...)
{
    va_list ap;
    struct buf text = BUF_INIT;
    if (run_has_failed(r))
        return;
    r->state = TEMPLATE_FAILED;
    if (n != NULL) {
        template_write_place(&text, r->input.template, n->at);
        buf_add_cstr(&text, ": ");
    }
    va_start(ap, fmt);
    buf_addv(&text, fmt, ap);
    va_end(ap);
    r->error = buf_failed(&text) ? mem_strdup("out of memory") : buf_take(&text);
}

bool
run_spend(struct template_run *r, const struct node *n, uint64_t fuel)
{
    if (fuel > r->fuel) {
        run_fail(r, n, "the template takes too long");
        r->fuel = 0;
        return false;
    }
    r->fuel -= fuel;
    return !run_has_failed(r);
}

void *
run_alloc(struct template_run *r, const struct node *n, size_t size)
{
    if (!run_spend(r, n, size / 64))
        return NULL;
    if (size > TEMPLATE_MEMORY_BYTES - r->memory) {
        run_fail(r, n, "the template takes too much memory");
        return NULL;
    }
    r->memory += size;
    return arena_alloc(r->arena, size);
}

struct tvalue
run_take_string(struct template_run *r, const struct node *n, struct buf *b)
{
    size_t len = b->len;
    char *copy = buf_failed(b) ? NULL : run_alloc(r, n, len + 1);
    if (buf_failed(b))
        run_fail(r, n, "out of memory");
    if (copy != NULL && len > 0)
        memcpy(copy, b->data, len);
    buf_done(b);
    return copy == NULL ? (struct tvalue){0} : tvalue_string(str_make(copy, len));
}

/* --- output
 * --------------------------------------------------------------------------------------- */

static void
put(struct template_run *r, const struct node *n, struct str s)
{
    if (!run_spend(r, n, 1 + s.len / 64))
        return;
    if (r->in_string) {
        struct buf quoted = BUF_INIT;
        json_write_string(&quoted, s);
        buf_add_str(&r->out, str_slice(buf_str(&quoted), 1, quoted.len - 1));
        buf_done(&quoted);
    } else {
        buf_add_str(&r->out, s);
    }
    if (buf_failed(&r->out))
        run_fail(r, n, "out of memory");
    else if (r->out.len > r->input.max_bytes)
        run_fail(r, n, "what the template makes is longer than %zu bytes", r->input.max_bytes);
}

static void
print(struct template_run *r, const struct node *n)
{
    struct tvalue v = eval(r, n);
    struct buf *text = &r->scratch;
    buf_clear(text);
    tvalue_print(text, &v);
    if (r->input.escapes_html && !v.is_safe) {
        struct buf escaped = BUF_INIT;
        template_escape_html(&escaped, buf_str(text));
        buf_done(text);
        *text = escaped;
    }
    if (buf_failed(text))
        run_fail(r, n, "out of memory");
    put(r, n, buf_str(text));
}

static void
print_json(struct template_run *r, const struct node *n)
{
    struct tvalue v = eval(r, n);
    buf_clear(&r->scratch);
    tvalue_print_json(&r->scratch, &v);
    if (buf_failed(&r->scratch))
        run_fail(r, n, "out of memory");
    put(r, n, buf_str(&r->scratch));
}

/* --- variables and loops
 * ---------------------------------------------------------------------------- */

static void
bind(struct template_run *r, const struct node *n, struct str name, const struct tvalue *v)
{
    if (r->n_variables == TEMPLATE_VARIABLES_MAX) {
        run_fail(r, n, "there are too many variables");
        return;
    }
    r->variables[r->n_variables++] = (struct variable){name, *v};
}

/* Within a loop a name that is set lives until the end of the turn, as in Jinja2. */
static void
set(struct template_run *r, const struct instruction *i)
{
    struct tvalue v = eval(r, i->node);
    size_t first = r->n_loops == 0 ? 0 : r->loops[r->n_loops - 1].n_variables;
    for (size_t at = first; at < r->n_variables; at++) {
        if (str_equal(r->variables[at].name, i->names[0])) {
            r->variables[at].value = v;
            return;
        }
    }
    bind(r, i->node, i->names[0], &v);
}

static void
bind_element(struct template_run *r, const struct instruction *i, const struct tvalue *v)
{
    const struct tvalue none = {0};
    if (i->names[1].data == NULL) {
        bind(r, i->node, i->names[0], v);
        return;
    }
    if (v->kind != TVALUE_LIST && !(v->kind == TVALUE_JSON && json_type(v->json) == JSON_ARRAY)) {
        run_fail(r, i->node, "these elements are no pairs; a map has `.items()`");
        return;
    }
    struct loop_frame pair = loop_over(v);
    struct tvalue first = none, second = none;
    (void) loop_step(r, i->node, &pair, &first);
    if (pair.n != 2 || !loop_step(r, i->node, &pair, &second)) {
        run_fail(r, i->node, "these elements are no pairs; a map has `.items()`");
        return;
    }
    bind(r, i->node, i->names[0], &first);
    bind(r, i->node, i->names[1], &second);
}

/* The next element, or the end of the loop: whether there was one. */
static bool
advance(struct template_run *r, const struct instruction *begin)
{
    struct loop_frame *f = &r->loops[r->n_loops - 1];
    struct tvalue v = {0};
    r->n_variables = f->n_variables;
    if (!loop_step(r, begin->node, f, &v)) {
        r->n_loops--;
        return false;
    }
    bind_element(r, begin, &v);
    return true;
}

static void
begin_loop(struct template_run *r, const struct instruction *i)
{
    struct tvalue over = eval(r, i->node);
    if (!tvalue_can_loop(&over)) {
        run_fail(r, i->node, "this value cannot be gone through");
        return;
    }
    struct loop_frame f = loop_over(&over);
    f.n_variables = r->n_variables;
    r->loops[r->n_loops++] = f; /* the parser counts them */
    if (!advance(r, i))
        r->pc = i->target;
}

/* --- instructions
 * ----------------------------------------------------------------------------------- */

static void
jump_unless(struct template_run *r, const struct instruction *i)
{
    struct tvalue v = eval(r, i->node);
    if (!tvalue_is_true(&v))
        r->pc = i->target;
}

static void
perform(struct template_run *r)
{
    const struct template *t = r->input.template;
    const struct instruction *i = &t->program[r->pc++];
    if (!run_spend(r, i->node, 1))
        return;
    switch (i->kind) {
    case DO_TEXT:
        put(r, NULL, i->text);
        return;
    case DO_PRINT:
        print(r, i->node);
        return;
    case DO_PRINT_JSON:
        print_json(r, i->node);
        return;
    case DO_STRING_BEGIN:
    case DO_STRING_END:
        r->in_string = false;
        put(r, NULL, STR("\""));
        r->in_string = i->kind == DO_STRING_BEGIN;
        return;
    case DO_JUMP:
        r->pc = i->target;
        return;
    case DO_JUMP_UNLESS:
        jump_unless(r, i);
        return;
    case DO_FOR:
        begin_loop(r, i);
        return;
    case DO_NEXT:
        if (advance(r, &t->program[i->target - 1]))
            r->pc = i->target;
        return;
    case DO_SET:
        set(r, i);
        return;
    }
}

/* --- life
 * -------------------------------------------------------------------------------------------- */

struct template_run *
template_run_new(const struct template_input *input)
{
    struct template_run *r = mem_new(1, sizeof(*r));
    r->input = *input;
    r->arena = arena_new();
    r->fuel = TEMPLATE_FUEL;
    return r;
}

void
template_run_free(struct template_run *r)
{
    if (r == NULL)
        return;
    arena_free(r->arena);
    buf_done(&r->out);
    buf_done(&r->scratch);
    free(r->error);
    free(r);
}

enum template_state
template_run_step(struct template_run *r, int64_t deadline_us)
{
    size_t n = r->input.template->n;
    for (unsigned steps = 1; r->state == TEMPLATE_MORE && r->pc < n; steps++) {
        perform(r);
        if (steps % STEPS_BETWEEN_LOOKS == 0 && clock_mono_us() >= deadline_us)
            break;
    }
    if (r->state == TEMPLATE_MORE && r->pc >= n)
        r->state = TEMPLATE_DONE;
    return r->state;
}

struct str
template_run_output(const struct template_run *r)
{
    return buf_str(&r->out);
}

const char *
template_run_error(const struct template_run *r)
{
    return r->error;
}
