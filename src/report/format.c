/* The formats that are texts. Pure. */
#include "report/format.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "index/index.h"

const struct json *
report_cell(const struct json *object, struct str column)
{
    const struct json *value = json_get(object, column);
    size_t dot = str_find(column, '.', 0);
    if (value != NULL || dot == column.len)
        return value;
    for (; dot < column.len; dot = str_find(column, '.', dot + 1)) {
        const struct json *inner = json_get(object, str_slice(column, 0, dot));
        if (inner != NULL && json_type(inner) == JSON_OBJECT)
            return report_cell(inner, str_slice(column, dot + 1, column.len));
    }
    return NULL;
}

void
report_cell_write(struct buf *out, const struct json *value)
{
    if (value == NULL || json_type(value) == JSON_NULL)
        return;
    if (json_type(value) == JSON_STRING)
        buf_add_str(out, json_string(value));
    else
        json_write(out, value);
}

/* What every text format keeps. */
struct writer {
    const struct report_head *head;
    uint64_t n_rows;
    struct buf cell;
};

static struct writer *
writer_new(const struct report_head *head)
{
    struct writer *w = mem_new(1, sizeof(*w));
    w->head = head;
    return w;
}

static void
writer_free(void *arg)
{
    struct writer *w = arg;
    if (w == NULL)
        return;
    buf_done(&w->cell);
    free(w);
}

static bool
end_nothing(void *arg, struct buf *out)
{
    (void) arg, (void) out; /* the last row was the end */
    return false;
}

/* --- json, ndjson ---------------------------------------------------------------------------- */

static void
add_object(const struct writer *w, struct str text, struct buf *out)
{
    if (w->head->are_chosen)
        document_write_fields(out, text, w->head->columns, w->head->n_columns);
    else
        buf_add_str(out, text);
}

static void *
write_json_begin(const struct report_head *head, struct buf *out)
{
    struct json_out j = json_out(out);
    json_begin_object(&j);
    json_key(&j, "reportType");
    json_put_cstr(&j, head->report_type);
    json_key(&j, "title");
    json_put_cstr(&j, head->title);
    json_key(&j, "createdAt");
    json_put_time(&j, head->created_at_ns);
    json_key(&j, "rows");
    json_begin_array(&j);
    return writer_new(head);
}

static void
write_json_row(void *arg, struct str text, const struct json *object, struct buf *out)
{
    struct writer *w = arg;
    (void) object;
    buf_add_cstr(out, w->n_rows++ == 0 ? "\n" : ",\n");
    add_object(w, text, out);
}

static bool
write_json_end(void *arg, struct buf *out)
{
    struct writer *w = arg;
    buf_addf(out, "%s],\"total\":%llu}\n", w->n_rows == 0 ? "" : "\n",
             (unsigned long long) w->n_rows);
    return false;
}

static void *
ndjson_begin(const struct report_head *head, struct buf *out)
{
    (void) out;
    return writer_new(head);
}

static void
ndjson_row(void *arg, struct str text, const struct json *object, struct buf *out)
{
    (void) object;
    add_object(arg, text, out);
    buf_add_char(out, '\n');
}

/* --- csv (RFC 4180, UTF-8) ------------------------------------------------------------------- */

static void
csv_cell(struct buf *out, struct str text, bool is_first)
{
    bool is_quoted = text.len == 0 ? false : text.data[0] == ' ' || text.data[text.len - 1] == ' ';
    for (size_t i = 0; i < text.len && !is_quoted; i++)
        is_quoted = strchr(",\"\r\n", text.data[i]) != NULL;
    if (!is_first)
        buf_add_char(out, ',');
    if (!is_quoted) {
        buf_add_str(out, text);
        return;
    }
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"')
            buf_add_char(out, '"');
        buf_add_char(out, text.data[i]);
    }
    buf_add_char(out, '"');
}

static void *
csv_begin(const struct report_head *head, struct buf *out)
{
    for (size_t i = 0; i < head->n_columns; i++)
        csv_cell(out, head->columns[i], i == 0);
    buf_add_cstr(out, "\r\n");
    return writer_new(head);
}

static void
csv_row(void *arg, struct str text, const struct json *object, struct buf *out)
{
    struct writer *w = arg;
    (void) text;
    for (size_t i = 0; i < w->head->n_columns; i++) {
        buf_clear(&w->cell);
        report_cell_write(&w->cell, report_cell(object, w->head->columns[i]));
        csv_cell(out, buf_str(&w->cell), i == 0);
    }
    buf_add_cstr(out, "\r\n");
}

/* --- html ------------------------------------------------------------------------------------ */

static const char html_style[] =
    "<style>\n"
    "body{font:14px/1.45 system-ui,sans-serif;margin:2rem;color:#1a202c;background:#fff}\n"
    "h1{font-size:1.4rem;margin:0 0 .2rem}p{color:#5a6577;margin:0 0 1rem}\n"
    "table{border-collapse:collapse;min-width:100%}\n"
    "th{position:sticky;top:0;background:#eef1f6;text-align:left}\n"
    "th,td{padding:.35rem .7rem;border-bottom:1px solid #dde2ea;vertical-align:top}\n"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}\n"
    "tr:nth-child(even) td{background:#f8f9fc}\n"
    "@media print{th{position:static}body{margin:0}}\n"
    "</style>\n";

static void
html_text(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        switch (s.data[i]) {
        case '&':
            buf_add_cstr(out, "&amp;");
            break;
        case '<':
            buf_add_cstr(out, "&lt;");
            break;
        case '>':
            buf_add_cstr(out, "&gt;");
            break;
        case '"':
            buf_add_cstr(out, "&quot;");
            break;
        case '\0':
            buf_add_cstr(out, "\xef\xbf\xbd");
            break;
        default:
            buf_add_char(out, s.data[i]);
        }
    }
}

static void *
html_begin(const struct report_head *head, struct buf *out)
{
    buf_add_cstr(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<title>");
    html_text(out, str_from(head->title));
    buf_addf(out, "</title>\n%s</head><body>\n<h1>", html_style);
    html_text(out, str_from(head->title));
    buf_add_cstr(out, "</h1>\n<p>");
    clock_format(out, head->created_at_ns);
    buf_add_cstr(out, "</p>\n<table><thead><tr>");
    for (size_t i = 0; i < head->n_columns; i++) {
        buf_add_cstr(out, "<th scope=\"col\">");
        html_text(out, head->columns[i]);
        buf_add_cstr(out, "</th>");
    }
    buf_add_cstr(out, "</tr></thead><tbody>\n");
    return writer_new(head);
}

static void
html_row(void *arg, struct str text, const struct json *object, struct buf *out)
{
    struct writer *w = arg;
    (void) text;
    buf_add_cstr(out, "<tr>");
    for (size_t i = 0; i < w->head->n_columns; i++) {
        const struct json *value = report_cell(object, w->head->columns[i]);
        bool is_number = value != NULL && json_type(value) == JSON_NUMBER;
        buf_clear(&w->cell);
        report_cell_write(&w->cell, value);
        buf_add_cstr(out, is_number ? "<td class=\"n\">" : "<td>");
        html_text(out, buf_str(&w->cell));
        buf_add_cstr(out, "</td>");
    }
    buf_add_cstr(out, "</tr>\n");
    w->n_rows++;
}

static bool
html_end(void *arg, struct buf *out)
{
    struct writer *w = arg;
    buf_addf(out, "</tbody></table>\n<p>%llu row%s</p>\n</body></html>\n",
             (unsigned long long) w->n_rows, w->n_rows == 1 ? "" : "s");
    return false;
}

/* --- all ------------------------------------------------------------------------------------- */

enum { TABLE_COLUMNS_MAX = 1000 };

static const struct report_format format_json = {.name = "json",
                                                 .media_type = "application/json",
                                                 .extension = "json",
                                                 .begin = write_json_begin,
                                                 .row = write_json_row,
                                                 .end = write_json_end,
                                                 .free = writer_free};
static const struct report_format format_ndjson = {.name = "ndjson",
                                                   .media_type = "application/x-ndjson",
                                                   .extension = "ndjson",
                                                   .begin = ndjson_begin,
                                                   .row = ndjson_row,
                                                   .end = end_nothing,
                                                   .free = writer_free};
static const struct report_format format_csv = {.name = "csv",
                                                .media_type = "text/csv; charset=utf-8",
                                                .extension = "csv",
                                                .has_columns = true,
                                                .max_columns = TABLE_COLUMNS_MAX,
                                                .begin = csv_begin,
                                                .row = csv_row,
                                                .end = end_nothing,
                                                .free = writer_free};
static const struct report_format format_html = {.name = "html",
                                                 .media_type = "text/html; charset=utf-8",
                                                 .extension = "html",
                                                 .has_columns = true,
                                                 .max_columns = TABLE_COLUMNS_MAX,
                                                 .begin = html_begin,
                                                 .row = html_row,
                                                 .end = html_end,
                                                 .free = writer_free};

static const struct report_format *const formats[] = {&format_json, &format_ndjson, &format_csv,
                                                      &format_html, &report_format_pdf};
enum { FORMATS = sizeof(formats) / sizeof(formats[0]) };

const struct report_format *
report_format_at(size_t i)
{
    return i < FORMATS ? formats[i] : NULL;
}

const struct report_format *
report_format_find(struct str name)
{
    for (size_t i = 0; i < FORMATS; i++) {
        if (str_is(name, formats[i]->name))
            return formats[i];
    }
    return NULL;
}
