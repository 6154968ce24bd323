/* Groups and aggregates. Rows become entries, whose keys are equal for rows of one group; sorted,
 * they come back group after group, so that one group is in memory at a time. */
#include "report/reports_internal.h"

#include <stdlib.h>

#include "base/mem.h"
#include "index/filter.h"
#include "index/sort.h"

/* 10^38 fits into 128 bits: 13 digits are left for carrying. */
enum { DECIMAL_DIGITS = 9, DECIMAL_INPUT_DIGITS = 16 };

/* One aggregate over the open group. */
struct sum {
    uint64_t n; /* rows with a value; of `count` without a field: all */
    bool is_float;
    __int128 decimal;    /* in units of 10^-DECIMAL_DIGITS, exact: amounts of money add up */
    double number, lost; /* is_float; Neumaier's sum: what the addition lost is kept apart */
    struct buf best;     /* min, max: the value as JSON */
};

struct grouping {
    const struct report_definition *definition;
    struct sort *order; /* of groups; NULL: by their JSON texts */
    struct sum *sums;
    struct buf values; /* of the open group: JSON array */
    bool is_open;
};

static struct sort *
order_of(const struct report_definition *d)
{
    struct str rules[REPORT_FIELDS_MAX];
    char *texts[REPORT_FIELDS_MAX];
    struct err err = ERR_INIT;
    if (d->n_group_by == 0)
        return NULL;
    for (size_t i = 0; i < d->n_group_by; i++) {
        struct buf rule = BUF_INIT;
        buf_addf(&rule, "%s:asc", d->group_by[i]);
        texts[i] = buf_take(&rule);
        rules[i] = str_from(texts[i]);
    }
    struct sort *s = sort_parse(rules, d->n_group_by, &err);
    for (size_t i = 0; i < d->n_group_by; i++)
        free(texts[i]);
    err_done(&err); /* a name that no sort rule may have */
    return s;
}

struct grouping *
grouping_new(const struct report_definition *d)
{
    struct grouping *g = mem_new(1, sizeof(*g));
    g->definition = d;
    g->order = order_of(d);
    g->sums = mem_new(d->n_aggregates + 1, sizeof(*g->sums));
    g->is_open = d->n_group_by == 0; /* all rows are one group, also when there are none */
    return g;
}

void
grouping_free(struct grouping *g)
{
    if (g == NULL)
        return;
    for (size_t i = 0; i < g->definition->n_aggregates; i++)
        buf_done(&g->sums[i].best);
    sort_free(g->order);
    free(g->sums);
    buf_done(&g->values);
    free(g);
}

bool
grouping_is_open(const struct grouping *g)
{
    return g->is_open;
}

static void
put_value(struct json_out *j, const struct json *v)
{
    if (v == NULL) {
        json_put_null(j);
        return;
    }
    if (j->comma)
        buf_add_char(j->out, ',');
    json_write(j->out, v);
    j->comma = true;
}

/* The texts stand behind the sort key, so that groups that sort alike are still told apart; their
 * length at the end makes the whole unambiguous. */
void
grouping_entry(const struct grouping *g, const struct json *row, struct buf *key,
               struct buf *payload)
{
    const struct report_definition *d = g->definition;
    struct buf values = BUF_INIT;
    struct json_out group = json_out(&values), all = json_out(payload);
    json_begin_array(&group);
    for (size_t i = 0; i < d->n_group_by; i++)
        put_value(&group, report_cell(row, str_from(d->group_by[i])));
    json_end_array(&group);
    if (g->order != NULL)
        sort_key(g->order, row, key);
    buf_add_str(key, buf_str(&values));
    uint32_t len = (uint32_t) values.len;
    buf_add(key, &len, sizeof(len));
    json_begin_array(&all);
    json_put_raw(&all, buf_str(&values));
    for (size_t i = 0; i < d->n_aggregates; i++)
        put_value(&all, d->aggregates[i].field == NULL
                            ? NULL
                            : report_cell(row, str_from(d->aggregates[i].field)));
    json_end_array(&all);
    buf_done(&values);
}

/* --- adding up ------------------------------------------------------------------------------- */

static void
add_float(struct sum *s, double x)
{
    double t = s->number + x;
    double larger = s->number >= 0 ? s->number : -s->number, smaller = x >= 0 ? x : -x;
    s->lost += larger >= smaller ? (s->number - t) + x : (x - t) + s->number;
    s->number = t;
}

/* The number of a text without exponent and with few digits; false: it is none such. */
static bool
read_decimal(struct str text, __int128 *ret)
{
    bool is_negative = text.len > 0 && text.data[0] == '-', has_point = false;
    int n_digits = 0, n_fraction = 0;
    __int128 value = 0;
    for (size_t i = is_negative; i < text.len; i++) {
        if (text.data[i] == '.' && !has_point) {
            has_point = true;
            continue;
        }
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        n_fraction += has_point;
        if (++n_digits > DECIMAL_INPUT_DIGITS || n_fraction > DECIMAL_DIGITS)
            return false;
        value = value * 10 + (text.data[i] - '0');
    }
    for (; n_fraction < DECIMAL_DIGITS; n_fraction++)
        value *= 10;
    *ret = is_negative ? -value : value;
    return true;
}

static void
write_decimal(struct buf *out, __int128 value)
{
    char digits[48];
    int n = 0, low = 0;
    unsigned __int128 rest = value < 0 ? -(unsigned __int128) value : (unsigned __int128) value;
    for (; rest > 0 || n <= DECIMAL_DIGITS; rest /= 10)
        digits[n++] = (char) ('0' + (int) (rest % 10));
    while (low < DECIMAL_DIGITS && digits[low] == '0')
        low++;
    if (value < 0)
        buf_add_char(out, '-');
    while (n > low) {
        if (n == DECIMAL_DIGITS)
            buf_add_char(out, '.');
        buf_add_char(out, digits[--n]);
    }
}

static double
number_of(const struct sum *s)
{
    double x = s->number + s->lost;
    if (!s->is_float) {
        struct buf text = BUF_INIT;
        write_decimal(&text, s->decimal);
        (void) filter_number(buf_str(&text), &x);
        buf_done(&text);
    }
    return x;
}

static void
add_number(struct sum *s, const struct json *v)
{
    __int128 decimal, total;
    double x;
    if (!s->is_float && read_decimal(json_number(v), &decimal) &&
        !__builtin_add_overflow(s->decimal, decimal, &total)) {
        s->decimal = total;
        return;
    }
    if (!s->is_float) {
        s->number = number_of(s);
        s->is_float = true;
    }
    if (filter_number(json_number(v), &x))
        add_float(s, x);
}

/* Numbers before texts; negative, 0, positive. */
static int
compare(const struct json *a, const struct json *b)
{
    double x = 0, y = 0;
    if (json_type(a) != json_type(b))
        return json_type(a) == JSON_NUMBER ? -1 : 1;
    if (json_type(a) == JSON_STRING)
        return str_compare(json_string(a), json_string(b));
    (void) filter_number(json_number(a), &x);
    (void) filter_number(json_number(b), &y);
    return (x > y) - (x < y);
}

static void
note_best(struct sum *s, const struct json *v, bool wants_max)
{
    struct json_doc *doc = s->best.len == 0 ? NULL : json_parse(buf_str(&s->best), NULL);
    int order = doc == NULL ? 0 : compare(v, json_root(doc));
    if (s->best.len == 0 || (wants_max ? order > 0 : order < 0)) {
        buf_clear(&s->best);
        json_write(&s->best, v);
    }
    json_doc_free(doc);
}

static void
add_value(struct sum *s, const struct report_aggregate *a, const struct json *v)
{
    bool is_number = json_type(v) == JSON_NUMBER, is_text = json_type(v) == JSON_STRING;
    switch (a->function) {
    case REPORT_COUNT:
        s->n += a->field == NULL || json_type(v) != JSON_NULL;
        break;
    case REPORT_SUM:
    case REPORT_AVG:
        s->n += is_number;
        if (is_number)
            add_number(s, v);
        break;
    default:
        if (is_number || is_text)
            note_best(s, v, a->function == REPORT_MAX);
    }
}

void
grouping_add(struct grouping *g, struct str payload)
{
    struct json_doc *doc = json_parse(payload, NULL);
    if (doc == NULL)
        return; /* written by us: cannot happen unless the disk lies */
    struct json_iter it = json_iter(json_root(doc));
    if (json_next(&it) && g->values.len == 0)
        json_write(&g->values, it.value);
    for (size_t i = 0; json_next(&it); i++)
        add_value(&g->sums[i], &g->definition->aggregates[i], it.value);
    g->is_open = true;
    json_doc_free(doc);
}

/* --- showing --------------------------------------------------------------------------------- */

static void
put_decimal(struct json_out *j, __int128 value)
{
    struct buf text = BUF_INIT;
    write_decimal(&text, value);
    json_put_raw(j, buf_str(&text));
    buf_done(&text);
}

static void
put_sum(struct json_out *j, const struct report_aggregate *a, const struct sum *s)
{
    json_key(j, a->as);
    if (a->function == REPORT_COUNT)
        json_put_u64(j, s->n);
    else if (a->function == REPORT_SUM && !s->is_float)
        put_decimal(j, s->decimal);
    else if (a->function == REPORT_SUM)
        json_put_double(j, number_of(s));
    else if (a->function == REPORT_AVG && s->n > 0)
        json_put_double(j, number_of(s) / (double) s->n);
    else if (s->best.len > 0)
        json_put_raw(j, buf_str(&s->best));
    else
        json_put_null(j);
}

void
grouping_take(struct grouping *g, struct buf *out)
{
    const struct report_definition *d = g->definition;
    struct json_doc *doc = g->values.len == 0 ? NULL : json_parse(buf_str(&g->values), NULL);
    struct json_out j = json_out(out);
    json_begin_object(&j);
    struct json_iter it = doc == NULL ? (struct json_iter){0} : json_iter(json_root(doc));
    for (size_t i = 0; i < d->n_group_by && doc != NULL && json_next(&it); i++) {
        json_key(&j, d->group_by[i]);
        json_write(out, it.value);
        j.comma = true;
    }
    for (size_t i = 0; i < d->n_aggregates; i++) {
        put_sum(&j, &d->aggregates[i], &g->sums[i]);
        buf_done(&g->sums[i].best);
        g->sums[i] = (struct sum){0};
    }
    json_end_object(&j);
    json_doc_free(doc);
    buf_clear(&g->values);
    g->is_open = false;
}
