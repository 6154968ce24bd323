/* PDF reports: a table on A4 pages, written page after page, so that memory does not grow with the
 * rows (16 bytes a page). Text is Unicode in one embedded font, of which only the used outlines are
 * stored. ISO 32000-1; no library does this in pieces.
 *
 *   begin -> the first rows are kept, to choose the widths of the columns
 *   row -> lines on the page; a full page is compressed and written
 *   end -> font, number of pages, page tree, cross-reference table, a piece a call */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/gzip.h"
#include "report/format.h"
#include "report/pdf_font.h"
#include "report/pdf_text.h"

enum {
    COLUMNS_MAX = 30,
    ROWS_MAX = 10 * 1000 * 1000,
    SAMPLE_ROWS = 60,
    CELL_MAX_BYTES = 600,
    LINES_MAX = 6, /* of one cell */
    TITLE_LINES_MAX = 3,
    FONT_PIECE_BYTES = 16 * 1024,
    TREE_PIECE = 500,
    PDF_ZLIB_LEVEL = 6,
};

#define SHORT_SIDE 595.0
#define LONG_SIDE 842.0
#define MARGIN 40.0
#define FOOTER 24.0
#define TEXT_SIZE 8.0
#define LINE_HEIGHT 10.5
#define CELL_PADDING 4.0
#define TITLE_SIZE 16.0
#define FOOTER_NUMBER 30.0 /* room for the number of pages */
#define NARROWEST 28.0

/* Numbers of objects; pages follow, two each: contents, then the page. */
enum {
    OBJECT_CATALOG = 1,
    OBJECT_PAGES,
    OBJECT_FONT,
    OBJECT_CID_FONT,
    OBJECT_DESCRIPTOR,
    OBJECT_FONT_FILE,
    OBJECT_TO_UNICODE,
    OBJECT_PAGE_COUNT,
    OBJECT_INFO,
    OBJECT_FIRST_PAGE,
};

enum stage {
    STAGE_LAST_PAGE,
    STAGE_FONT_CUT,
    STAGE_FONT_PACK,
    STAGE_FONT_TABLES,
    STAGE_PAGE_TREE,
    STAGE_REFERENCES,
    STAGE_OVER
};

struct cell {
    struct str text; /* owned */
    bool is_number;
};

struct pdf {
    const struct report_head *head;
    struct pdf_text text;
    double width, height;
    double *x, *widths; /* of the columns */
    bool *is_number;    /* whether a column's first rows hold numbers only */
    size_t n_columns;
    struct cell *sample;
    size_t n_sample;
    bool has_widths;
    struct buf content, packed;
    double y;
    uint32_t n_pages;
    uint64_t n_rows, base, at; /* base: offset in the file of out's first byte */
    uint64_t *offsets;
    size_t n_offsets, offsets_cap;
    enum stage stage;
    struct buf file; /* the font's */
    struct gzip_out *packer;
    size_t packed_to, listed;
};

/* --- objects --------------------------------------------------------------------------------- */

static void
enter(struct pdf *p, const struct buf *out)
{
    p->base = p->at - out->len;
}

static void
leave(struct pdf *p, const struct buf *out)
{
    p->at = p->base + out->len;
}

static void
begin_object(struct pdf *p, size_t number, struct buf *out)
{
    while (p->n_offsets <= number) {
        if (p->n_offsets == p->offsets_cap) {
            p->offsets_cap = p->offsets_cap == 0 ? 64 : p->offsets_cap * 2;
            p->offsets = mem_grow(p->offsets, p->offsets_cap, sizeof(*p->offsets));
        }
        p->offsets[p->n_offsets++] = 0;
    }
    p->offsets[number] = p->base + out->len;
    buf_addf(out, "%zu 0 obj\n", number);
}

static void
put_stream(struct pdf *p, size_t number, const char *extra, struct str plain, struct buf *out)
{
    struct gzip_out *z = gzip_out_new(GZIP_FORMAT_DEFLATE, PDF_ZLIB_LEVEL);
    buf_clear(&p->packed);
    gzip_out_add(z, plain, &p->packed);
    gzip_out_finish(z, &p->packed);
    gzip_out_free(z);
    begin_object(p, number, out);
    buf_addf(out, "<</Length %zu/Filter/FlateDecode%s>>stream\n", p->packed.len, extra);
    buf_add_str(out, buf_str(&p->packed));
    buf_add_cstr(out, "\nendstream\nendobj\n");
}

/* --- cells ----------------------------------------------------------------------------------- */

static void
draw(struct pdf *p, const struct pdf_place *at, struct str s)
{
    pdf_text_draw(&p->text, &p->content, at, s);
}

static void
draw_cell(struct pdf *p, const struct cell *cell, size_t column)
{
    struct str s = cell->text;
    double width = p->widths[column] - 2 * CELL_PADDING;
    struct pdf_place at = {p->x[column] + CELL_PADDING, p->y - TEXT_SIZE - 1, TEXT_SIZE};
    for (int n = 1; s.len > 0; n++, at.y -= LINE_HEIGHT) {
        size_t len = pdf_text_fit(&p->text, s, width, TEXT_SIZE);
        if (n == LINES_MAX && len < s.len) {
            pdf_text_draw_cut(&p->text, &p->content, &at, s, width);
            return;
        }
        struct str line = str_trim(str_slice(s, 0, len));
        struct pdf_place here = at;
        if (cell->is_number && len == s.len && n == 1)
            here.x = p->x[column] + p->widths[column] - CELL_PADDING -
                     pdf_text_width(&p->text, line, TEXT_SIZE);
        draw(p, &here, line);
        s = str_slice(s, len, s.len);
    }
}

/* --- pages ----------------------------------------------------------------------------------- */

static void
fill(struct pdf *p, const char *color, double height)
{
    buf_addf(&p->content, "%s rg %.2f %.2f %.2f %.2f re f 0.1 0.12 0.16 rg\n", color, MARGIN,
             p->y - height, p->width - 2 * MARGIN, height);
}

static double
row_height(const struct pdf *p, const struct cell *cells)
{
    int lines = 1;
    for (size_t i = 0; i < p->n_columns; i++) {
        int n = pdf_text_count_lines(&p->text, cells[i].text, p->widths[i] - 2 * CELL_PADDING,
                                     TEXT_SIZE, LINES_MAX);
        lines = n > lines ? n : lines;
    }
    return lines * LINE_HEIGHT + 4;
}

static void
draw_names(struct pdf *p)
{
    struct cell *cells = mem_new(p->n_columns, sizeof(*cells));
    for (size_t i = 0; i < p->n_columns; i++)
        cells[i] = (struct cell){p->head->columns[i], p->is_number[i]}; /* a loan */
    double height = row_height(p, cells);
    fill(p, "0.87 0.9 0.94", height);
    for (size_t i = 0; i < p->n_columns; i++)
        draw_cell(p, &cells[i], i);
    p->y -= height;
    free(cells);
}

static void
draw_title(struct pdf *p)
{
    struct buf date = BUF_INIT;
    struct str rest = str_from(p->head->title);
    double width = p->width - 2 * MARGIN;
    struct pdf_place at = {MARGIN, p->y - TITLE_SIZE, TITLE_SIZE};
    for (int n = 1; n < TITLE_LINES_MAX; n++, at.y -= TITLE_SIZE * 1.25) {
        size_t len = pdf_text_fit(&p->text, rest, width, TITLE_SIZE);
        if (len == rest.len)
            break;
        draw(p, &at, str_trim(str_slice(rest, 0, len)));
        rest = str_slice(rest, len, rest.len);
    }
    pdf_text_draw_cut(&p->text, &p->content, &at, rest, width);
    at = (struct pdf_place){MARGIN, at.y - 16, TEXT_SIZE};
    clock_format(&date, p->head->created_at_ns - p->head->created_at_ns % 1000000000);
    draw(p, &at, buf_str(&date));
    buf_done(&date);
    p->y = at.y - 12;
}

static void
begin_page(struct pdf *p)
{
    buf_clear(&p->content);
    buf_add_cstr(&p->content, "0.1 0.12 0.16 rg\n");
    p->y = p->height - MARGIN;
    if (p->n_pages == 0)
        draw_title(p);
    draw_names(p);
}

/* "Page 3 of ", and how many there are: an object that is written at the end. */
static void
draw_footer(struct pdf *p)
{
    char text[40];
    struct pdf_place at = {MARGIN, MARGIN - 12, 7};
    (void) snprintf(text, sizeof(text), "Page %u of ", p->n_pages + 1);
    double width = pdf_text_width(&p->text, str_from(text), at.size);
    double number_x = p->width - MARGIN - FOOTER_NUMBER;
    pdf_text_draw_cut(&p->text, &p->content, &at, str_from(p->head->title),
                      number_x - width - 2 * MARGIN);
    at.x = number_x - width;
    draw(p, &at, str_from(text));
    at.x = number_x;
    buf_addf(&p->content, "q 1 0 0 1 %.2f %.2f cm /N Do Q\n", at.x, at.y);
}

static void
end_page(struct pdf *p, struct buf *out)
{
    size_t number = OBJECT_FIRST_PAGE + 2 * (size_t) p->n_pages;
    draw_footer(p);
    put_stream(p, number, "", buf_str(&p->content), out);
    begin_object(p, number + 1, out);
    buf_addf(out,
             "<</Type/Page/Parent %d 0 R/MediaBox[0 0 %.0f %.0f]/Contents %zu 0 R/Resources<<"
             "/Font<</F %d 0 R>>/XObject<</N %d 0 R>>>>>>\nendobj\n",
             OBJECT_PAGES, p->width, p->height, number, OBJECT_FONT, OBJECT_PAGE_COUNT);
    p->n_pages++;
}

static void
draw_row(struct pdf *p, const struct cell *cells, struct buf *out)
{
    double height = row_height(p, cells);
    if (p->y - height < MARGIN + FOOTER / 2) {
        end_page(p, out);
        begin_page(p);
    }
    if (p->n_rows % 2 == 1)
        fill(p, "0.965 0.97 0.98", height);
    for (size_t i = 0; i < p->n_columns; i++)
        draw_cell(p, &cells[i], i);
    p->y -= height;
    p->n_rows++;
}

/* --- widths ---------------------------------------------------------------------------------- */

static double
natural_width(const struct pdf *p, size_t column)
{
    double widest = pdf_text_width(&p->text, p->head->columns[column], TEXT_SIZE);
    for (size_t i = 0; i < p->n_sample; i++) {
        const struct cell *cell = &p->sample[i * p->n_columns + column];
        double w = pdf_text_width(&p->text, cell->text, TEXT_SIZE);
        widest = w > widest ? w : widest;
    }
    return widest + 2 * CELL_PADDING + 1;
}

/* Columns that need little get that; the others share the rest alike, but what one does not need
 * the next ones have. */
static void
choose_widths(struct pdf *p)
{
    double left = p->width - 2 * MARGIN, *natural = mem_new(p->n_columns + 1, sizeof(*natural));
    size_t open = p->n_columns;
    for (size_t i = 0; i < p->n_columns; i++)
        natural[i] = natural_width(p, i);
    for (bool is_changed = true; is_changed && open > 0;) {
        double share = left / (double) open;
        is_changed = false;
        for (size_t i = 0; i < p->n_columns; i++) {
            if (p->widths[i] > 0 || natural[i] > share)
                continue;
            p->widths[i] = natural[i] < NARROWEST && NARROWEST < share ? NARROWEST : natural[i];
            left -= p->widths[i];
            open--;
            is_changed = true;
        }
    }
    double x = MARGIN, spare = open == 0 && p->n_columns > 0 ? left / (double) p->n_columns : 0;
    for (size_t i = 0; i < p->n_columns; i++) {
        p->widths[i] = p->widths[i] > 0 ? p->widths[i] + spare : left / (double) open;
        p->x[i] = x;
        x += p->widths[i];
    }
    free(natural);
}

/* A column's name stands where its numbers stand. */
static void
choose_alignment(struct pdf *p)
{
    for (size_t i = 0; i < p->n_columns; i++) {
        bool has_number = false, has_text = false;
        for (size_t k = 0; k < p->n_sample; k++) {
            const struct cell *cell = &p->sample[k * p->n_columns + i];
            has_number = has_number || cell->is_number;
            has_text = has_text || (!cell->is_number && cell->text.len > 0);
        }
        p->is_number[i] = has_number && !has_text;
    }
}

static void
free_cells(struct cell *cells, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free((char *) (uintptr_t) cells[i].text.data);
}

static void
draw_sample(struct pdf *p, struct buf *out)
{
    p->has_widths = true;
    choose_widths(p);
    choose_alignment(p);
    begin_page(p);
    for (size_t i = 0; i < p->n_sample; i++)
        draw_row(p, &p->sample[i * p->n_columns], out);
    free_cells(p->sample, p->n_sample * p->n_columns);
    p->n_sample = 0;
}

/* --- the format's functions ------------------------------------------------------------------ */

static void *
pdf_begin(const struct report_head *head, struct buf *out)
{
    struct pdf *p = mem_new(1, sizeof(*p));
    bool is_wide = head->n_columns > 5;
    p->head = head;
    p->n_columns = head->n_columns;
    pdf_text_init(&p->text, report_pdf_font());
    p->width = is_wide ? LONG_SIDE : SHORT_SIDE;
    p->height = is_wide ? SHORT_SIDE : LONG_SIDE;
    p->x = mem_new(p->n_columns + 1, sizeof(*p->x));
    p->widths = mem_new(p->n_columns + 1, sizeof(*p->widths));
    p->is_number = mem_new(p->n_columns + 1, sizeof(*p->is_number));
    p->sample = mem_new(SAMPLE_ROWS * p->n_columns + 1, sizeof(*p->sample));
    enter(p, out);
    buf_add_cstr(out, "%PDF-1.5\n%\xE2\xE3\xCF\xD3\n");
    leave(p, out);
    return p;
}

/* Times on paper end with their seconds. */
static void
write_cell(struct buf *out, const struct json *value)
{
    int64_t wall_ns;
    report_cell_write(out, value);
    if (out->len < 20 || !clock_parse(buf_str(out), &wall_ns) || wall_ns <= 0)
        return;
    buf_clear(out);
    clock_format(out, wall_ns - wall_ns % 1000000000);
    out->data[10] = ' ';
}

/* What a cell can never show is not kept; that something is missing stays visible. */
static void
cut_cell(struct buf *text)
{
    size_t len = CELL_MAX_BYTES;
    if (text->len <= len)
        return;
    while (len > 0 && ((unsigned char) text->data[len] & 0xC0) == 0x80)
        len--;
    text->len = len;
    buf_add_cstr(text, "…");
}

static void
read_row(const struct pdf *p, const struct json *object, struct cell *cells)
{
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < p->n_columns; i++) {
        const struct json *value = report_cell(object, p->head->columns[i]);
        buf_clear(&text);
        write_cell(&text, value);
        cut_cell(&text);
        cells[i].text = str_make(mem_strndup(text.data, text.len), text.len);
        cells[i].is_number = value != NULL && json_type(value) == JSON_NUMBER;
    }
    buf_done(&text);
}

static void
pdf_row(void *arg, struct str text, const struct json *object, struct buf *out)
{
    struct pdf *p = arg;
    struct cell cells[COLUMNS_MAX] = {0};
    (void) text;
    enter(p, out);
    if (!p->has_widths) {
        read_row(p, object, &p->sample[p->n_sample++ * p->n_columns]);
        if (p->n_sample == SAMPLE_ROWS)
            draw_sample(p, out);
    } else {
        read_row(p, object, cells);
        draw_row(p, cells, out);
        free_cells(cells, p->n_columns);
    }
    leave(p, out);
}

/* --- the end --------------------------------------------------------------------------------- */

static void
put_page_count(struct pdf *p, struct buf *out)
{
    char text[16];
    (void) snprintf(text, sizeof(text), "%u", p->n_pages);
    struct pdf_place at = {0, 0, 7};
    char extra[160];
    buf_clear(&p->content);
    buf_add_cstr(&p->content, "0.1 0.12 0.16 rg\n");
    draw(p, &at, str_from(text));
    (void) snprintf(extra, sizeof(extra),
                    "/Type/XObject/Subtype/Form/BBox[0 -5 60 12]/Resources<</Font<</F %d 0 R>>>>",
                    OBJECT_FONT);
    put_stream(p, OBJECT_PAGE_COUNT, extra, buf_str(&p->content), out);
}

static void
end_last_page(struct pdf *p, struct buf *out)
{
    if (!p->has_widths)
        draw_sample(p, out);
    char text[40];
    struct pdf_place at = {MARGIN, p->y - 14, TEXT_SIZE};
    (void) snprintf(text, sizeof(text), "%llu row%s", (unsigned long long) p->n_rows,
                    p->n_rows == 1 ? "" : "s");
    if (at.y > MARGIN)
        draw(p, &at, str_from(text));
    end_page(p, out);
    put_page_count(p, out);
}

static void
pack_font(struct pdf *p, struct buf *out)
{
    struct str piece = str_slice(buf_str(&p->file), p->packed_to, p->packed_to + FONT_PIECE_BYTES);
    if (piece.len > 0) {
        gzip_out_add(p->packer, piece, &p->packed);
        p->packed_to += piece.len;
        return;
    }
    gzip_out_finish(p->packer, &p->packed);
    begin_object(p, OBJECT_FONT_FILE, out);
    buf_addf(out, "<</Length %zu/Length1 %zu/Filter/FlateDecode>>stream\n", p->packed.len,
             p->file.len);
    buf_add_str(out, buf_str(&p->packed));
    buf_add_cstr(out, "\nendstream\nendobj\n");
    p->stage++;
}

static void
put_descriptor(struct pdf *p, struct buf *out)
{
    const struct ttf *f = &p->text.font;
    begin_object(p, OBJECT_DESCRIPTOR, out);
    buf_addf(
        out,
        "<</Type/FontDescriptor/FontName/AAAAAA+Report/Flags 4/FontBBox[%d %d %d %d]/"
        "ItalicAngle 0/Ascent %d/Descent %d/CapHeight %d/StemV 80/FontFile2 %d 0 R>>\nendobj\n",
        f->box[0], f->box[1], f->box[2], f->box[3], f->ascent, f->descent, f->ascent,
        OBJECT_FONT_FILE);
}

static bool
is_used(const struct pdf *p, uint32_t glyph)
{
    return p->text.unicode[glyph] != 0;
}

static void
put_fonts(struct pdf *p, struct buf *out)
{
    begin_object(p, OBJECT_FONT, out);
    buf_addf(out,
             "<</Type/Font/Subtype/Type0/BaseFont/AAAAAA+Report/Encoding/Identity-H/"
             "DescendantFonts[%d 0 R]/ToUnicode %d 0 R>>\nendobj\n",
             OBJECT_CID_FONT, OBJECT_TO_UNICODE);
    begin_object(p, OBJECT_CID_FONT, out);
    buf_addf(out,
             "<</Type/Font/Subtype/CIDFontType2/BaseFont/AAAAAA+Report/CIDSystemInfo<</Registry"
             "(Adobe)/Ordering(Identity)/Supplement 0>>/CIDToGIDMap/Identity/FontDescriptor %d 0 "
             "R/DW 600/W[",
             OBJECT_DESCRIPTOR);
    for (uint32_t i = 0; i < p->text.font.n_glyphs; i++) {
        if (is_used(p, i))
            buf_addf(out, "%u[%u]", i, ttf_advance(&p->text.font, i));
    }
    buf_add_cstr(out, "]>>\nendobj\n");
    put_descriptor(p, out);
}

/* So that text can be searched and copied. */
static void
put_to_unicode(struct pdf *p, struct buf *out)
{
    struct buf *map = &p->content;
    buf_clear(map);
    buf_add_cstr(map, "/CIDInit/ProcSet findresource begin 12 dict begin begincmap\n"
                      "/CMapName/R def/CMapType 2 def\n"
                      "1 begincodespacerange<0000><FFFF>endcodespacerange\n");
    for (uint32_t i = 0; i < p->text.font.n_glyphs; i++) {
        uint32_t c = p->text.unicode[i];
        if (c == 0)
            continue;
        if (c < 0x10000)
            buf_addf(map, "1 beginbfchar<%04X><%04X>endbfchar\n", i, c);
        else
            buf_addf(map, "1 beginbfchar<%04X><%04X%04X>endbfchar\n", i,
                     0xD800 + ((c - 0x10000) >> 10), 0xDC00 + ((c - 0x10000) & 0x3FF));
    }
    buf_add_cstr(map, "endcmap CMapName currentdict/CMap defineresource pop end end\n");
    put_stream(p, OBJECT_TO_UNICODE, "", buf_str(map), out);
}

static void
put_utf16(struct buf *out, struct str s)
{
    buf_add_cstr(out, "<FEFF");
    for (size_t at = 0; at < s.len;) {
        uint32_t c = pdf_text_next(s, &at);
        if (c < 0x10000)
            buf_addf(out, "%04X", c);
        else
            buf_addf(out, "%04X%04X", 0xD800 + ((c - 0x10000) >> 10),
                     0xDC00 + ((c - 0x10000) & 0x3FF));
    }
    buf_add_char(out, '>');
}

static void
put_font_tables(struct pdf *p, struct buf *out)
{
    put_fonts(p, out);
    put_to_unicode(p, out);
    begin_object(p, OBJECT_INFO, out);
    buf_add_cstr(out, "<</Producer(taskhook)/Title");
    put_utf16(out, str_from(p->head->title));
    buf_add_cstr(out, ">>\nendobj\n");
    begin_object(p, OBJECT_CATALOG, out);
    buf_addf(out, "<</Type/Catalog/Pages %d 0 R>>\nendobj\n", OBJECT_PAGES);
    begin_object(p, OBJECT_PAGES, out);
    buf_addf(out, "<</Type/Pages/Count %u/Kids[", p->n_pages);
    p->stage++;
}

static void
put_page_tree(struct pdf *p, struct buf *out)
{
    for (int i = 0; i < TREE_PIECE && p->listed < p->n_pages; i++, p->listed++)
        buf_addf(out, "%zu 0 R\n", OBJECT_FIRST_PAGE + 2 * p->listed + 1);
    if (p->listed < p->n_pages)
        return;
    buf_add_cstr(out, "]>>\nendobj\n");
    uint64_t at = p->base + out->len;
    buf_addf(out, "xref\n0 %zu\n0000000000 65535 f \n", p->n_offsets);
    p->offsets[0] = at;
    p->listed = 1;
    p->stage++;
}

static void
put_references(struct pdf *p, struct buf *out)
{
    for (int i = 0; i < TREE_PIECE && p->listed < p->n_offsets; i++, p->listed++)
        buf_addf(out, "%010llu 00000 n \n", (unsigned long long) p->offsets[p->listed]);
    if (p->listed < p->n_offsets)
        return;
    buf_addf(out, "trailer\n<</Size %zu/Root %d 0 R/Info %d 0 R>>\nstartxref\n%llu\n%%%%EOF\n",
             p->n_offsets, OBJECT_CATALOG, OBJECT_INFO, (unsigned long long) p->offsets[0]);
    p->stage++;
}

static bool
pdf_end(void *arg, struct buf *out)
{
    struct pdf *p = arg;
    enter(p, out);
    switch (p->stage) {
    case STAGE_LAST_PAGE:
        end_last_page(p, out);
        p->stage++;
        break;
    case STAGE_FONT_CUT:
        ttf_close_set(&p->text.font, p->text.used);
        ttf_subset(&p->text.font, p->text.used, &p->file);
        p->packer = gzip_out_new(GZIP_FORMAT_DEFLATE, PDF_ZLIB_LEVEL);
        buf_clear(&p->packed);
        p->stage++;
        break;
    case STAGE_FONT_PACK:
        pack_font(p, out);
        break;
    case STAGE_FONT_TABLES:
        put_font_tables(p, out);
        break;
    case STAGE_PAGE_TREE:
        put_page_tree(p, out);
        break;
    default:
        put_references(p, out);
    }
    leave(p, out);
    return p->stage != STAGE_OVER;
}

static void
pdf_free(void *arg)
{
    struct pdf *p = arg;
    free_cells(p->sample, p->n_sample * p->n_columns);
    free(p->sample);
    pdf_text_done(&p->text);
    free(p->x);
    free(p->widths);
    free(p->is_number);
    free(p->offsets);
    if (p->packer != NULL)
        gzip_out_free(p->packer);
    buf_done(&p->content);
    buf_done(&p->packed);
    buf_done(&p->file);
    free(p);
}

const struct report_format report_format_pdf = {.name = "pdf",
                                                .media_type = "application/pdf",
                                                .extension = "pdf",
                                                .has_columns = true,
                                                .max_columns = COLUMNS_MAX,
                                                .max_rows = ROWS_MAX,
                                                .begin = pdf_begin,
                                                .row = pdf_row,
                                                .end = pdf_end,
                                                .free = pdf_free};
