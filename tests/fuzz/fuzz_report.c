/* A definition is read or refused with a reason, and what it is overlaid with is JSON again; rows,
 * whatever they are, become groups that are JSON, and end well in every format. Lines: definition,
 * changes, rows. */
#include "base/mem.h"
#include "fuzz.h"
#include "report/definition.h"
#include "report/format.h"
#include "report/reports_internal.h"

enum { END_CALLS_MAX = 1000000 };

static struct json_doc *
parse(struct str text)
{
    struct json_doc *d = json_parse(text, NULL);
    if (d != NULL && json_type(json_root(d)) == JSON_OBJECT)
        return d;
    json_doc_free(d);
    return NULL;
}

/* Whether it is a definition; then done() it. */
static bool
read_definition(const struct json *body, struct report_definition *ret)
{
    struct err err = ERR_INIT;
    bool is_read = report_definition_read(body, "", ret, &err) == 0;
    FUZZ_REQUIRE(is_read != err_is_set(&err));
    FUZZ_REQUIRE(is_read || str_is_utf8(str_from(err.message)));
    FUZZ_REQUIRE(err.path == NULL || err.path[0] == '.');
    err_done(&err);
    return is_read;
}

/* Changes are what the overlay has of their names; changing twice changes nothing more. */
static struct buf
overlay(const struct json *base, const struct json *changes)
{
    struct buf once = BUF_INIT, twice = BUF_INIT;
    report_definition_overlay(&once, base, changes);
    struct json_doc *d = parse(buf_str(&once));
    FUZZ_REQUIRE(d != NULL);
    for (struct json_iter it = json_iter(changes); json_next(&it);)
        FUZZ_REQUIRE((json_get(json_root(d), it.key) == NULL) ==
                     (json_type(json_get(changes, it.key)) == JSON_NULL));
    report_definition_overlay(&twice, json_root(d), changes);
    struct json_doc *again = parse(buf_str(&twice));
    FUZZ_REQUIRE(again != NULL);
    FUZZ_REQUIRE(json_length(json_root(again)) == json_length(json_root(d)));
    json_doc_free(again);
    json_doc_free(d);
    buf_done(&twice);
    return once;
}

/* --- rows */

struct row {
    struct str text;
    struct json_doc *doc;
};

static void
group(const struct report_definition *d, const struct row *rows, size_t n)
{
    struct grouping *g = grouping_new(d);
    struct buf key = BUF_INIT, payload = BUF_INIT, out = BUF_INIT;
    for (size_t i = 0; i < n; i++) {
        buf_clear(&key);
        buf_clear(&payload);
        buf_clear(&out);
        grouping_entry(g, json_root(rows[i].doc), &key, &payload);
        grouping_add(g, buf_str(&payload));
        FUZZ_REQUIRE(grouping_is_open(g));
        grouping_take(g, &out);
        struct json_doc *made = parse(buf_str(&out));
        FUZZ_REQUIRE(made != NULL);
        json_doc_free(made);
    }
    buf_done(&key);
    buf_done(&payload);
    buf_done(&out);
    grouping_free(g);
}

static void
write_rows(const struct report_format *f, const struct report_definition *d, const struct row *rows,
           size_t n)
{
    struct str columns[8] = {STR("a"), STR("b.c"), STR("")};
    struct report_head head = {.report_type = "fuzz",
                               .title = d->title == NULL ? "fuzz" : d->title,
                               .columns = columns,
                               .n_columns = 3};
    struct buf out = BUF_INIT;
    int calls = 0;
    if (d->n_fields > 0)
        head.n_columns = 0;
    for (size_t i = 0; i < d->n_fields && i < sizeof(columns) / sizeof(columns[0]); i++)
        columns[head.n_columns++] = str_from(d->fields[i]);
    void *w = f->begin(&head, &out);
    for (size_t i = 0; i < n; i++)
        f->row(w, rows[i].text, json_root(rows[i].doc), &out);
    while (f->end(w, &out))
        FUZZ_REQUIRE(++calls < END_CALLS_MAX);
    f->free(w);
    FUZZ_REQUIRE(!buf_failed(&out));
    if (str_equal(str_from(f->name), STR("json"))) {
        struct json_doc *whole = parse(buf_str(&out));
        FUZZ_REQUIRE(whole != NULL);
        json_doc_free(whole);
    }
    buf_done(&out);
}

static void
use(const struct report_definition *d, struct str rest)
{
    struct row rows[32];
    size_t n = 0;
    struct str line;
    while (n < 32 && str_split(&rest, '\n', &line)) {
        rows[n] = (struct row){line, parse(line)};
        n += rows[n].doc != NULL;
    }
    if (report_is_grouped(d))
        group(d, rows, n);
    for (size_t i = 0; report_format_at(i) != NULL; i++)
        write_rows(report_format_at(i), d, rows, n);
    while (n > 0)
        json_doc_free(rows[--n].doc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_make(data, size), first = STR_NULL, second = STR_NULL;
    struct report_definition d;
    if (size == 0)
        return 0;
    (void) str_split(&rest, '\n', &first);
    (void) str_split(&rest, '\n', &second);
    struct json_doc *base = parse(first), *changes = parse(second);
    if (base != NULL && changes != NULL) {
        struct buf text = overlay(json_root(base), json_root(changes));
        struct json_doc *both = parse(buf_str(&text));
        if (read_definition(json_root(both), &d)) {
            use(&d, rest);
            report_definition_done(&d);
        }
        json_doc_free(both);
        buf_done(&text);
    }
    json_doc_free(base);
    json_doc_free(changes);
    return 0;
}
