/* Measuring, breaking and drawing text. Knows the font and nothing of pages. */
#include "report/pdf_text.h"

#include <stdlib.h>

#include "base/mem.h"

void
pdf_text_init(struct pdf_text *t, struct str font)
{
    (void) ttf_open(&t->font, font); /* a test sees to it */
    t->used = mem_new(t->font.n_glyphs / 8 + 1, 1);
    t->unicode = mem_new(t->font.n_glyphs + 1, sizeof(*t->unicode));
}

void
pdf_text_done(struct pdf_text *t)
{
    free(t->used);
    free(t->unicode);
}

uint32_t
pdf_text_next(struct str s, size_t *at)
{
    int n = str_utf8_sequence(s, *at);
    const unsigned char *c = (const unsigned char *) s.data + *at;
    *at += (size_t) (n > 0 ? n : -n);
    if (n <= 0)
        return 0xFFFD;
    uint32_t u = n == 1   ? c[0]
                 : n == 2 ? (c[0] & 0x1Fu) << 6 | (c[1] & 0x3Fu)
                 : n == 3 ? (c[0] & 0x0Fu) << 12 | (c[1] & 0x3Fu) << 6 | (c[2] & 0x3Fu)
                          : (c[0] & 0x07u) << 18 | (c[1] & 0x3Fu) << 12 | (c[2] & 0x3Fu) << 6 |
                                (c[3] & 0x3Fu);
    return u < 0x20 || u == 0x7F ? ' ' : u;
}

double
pdf_text_width(const struct pdf_text *t, struct str s, double size)
{
    double width = 0;
    for (size_t at = 0; at < s.len;)
        width += ttf_advance(&t->font, ttf_glyph(&t->font, pdf_text_next(s, &at)));
    return width * size / 1000;
}

size_t
pdf_text_fit(const struct pdf_text *t, struct str s, double width, double size)
{
    double used = 0;
    size_t at = 0, space = 0;
    while (at < s.len) {
        size_t next = at;
        uint32_t c = pdf_text_next(s, &next);
        used += ttf_advance(&t->font, ttf_glyph(&t->font, c)) * size / 1000;
        if (used > width && at > 0)
            return space > 0 ? space : at;
        at = next;
        if (c == ' ' || c == '/')
            space = at;
    }
    return s.len;
}

int
pdf_text_count_lines(const struct pdf_text *t, struct str s, double width, double size, int max)
{
    int n = 0;
    while (s.len > 0 && n < max) {
        s = str_slice(s, pdf_text_fit(t, s, width, size), s.len);
        n++;
    }
    return n;
}

static void
add_glyphs(struct pdf_text *t, struct buf *content, struct str s)
{
    buf_add_char(content, '<');
    for (size_t at = 0; at < s.len;) {
        uint32_t c = pdf_text_next(s, &at), glyph = ttf_glyph(&t->font, c);
        t->used[glyph / 8] = (uint8_t) (t->used[glyph / 8] | 1u << (glyph % 8));
        t->unicode[glyph] = glyph == 0 ? 0xFFFD : c;
        buf_addf(content, "%04X", glyph);
    }
    buf_add_char(content, '>');
}

void
pdf_text_draw(struct pdf_text *t, struct buf *content, const struct pdf_place *at, struct str s)
{
    buf_addf(content, "BT/F %.1f Tf %.2f %.2f Td ", at->size, at->x, at->y);
    add_glyphs(t, content, s);
    buf_add_cstr(content, "Tj ET\n");
}

void
pdf_text_draw_cut(struct pdf_text *t, struct buf *content, const struct pdf_place *at, struct str s,
                  double width)
{
    struct buf line = BUF_INIT;
    double ellipsis = pdf_text_width(t, STR("…"), at->size);
    size_t len = pdf_text_fit(t, s, width, at->size);
    if (len < s.len)
        len = pdf_text_fit(t, s, width > ellipsis ? width - ellipsis : width, at->size);
    buf_add_str(&line, str_slice(s, 0, len));
    if (len < s.len)
        buf_add_cstr(&line, "…");
    pdf_text_draw(t, content, at, buf_str(&line));
    buf_done(&line);
}
