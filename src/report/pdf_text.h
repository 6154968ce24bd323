#pragma once
/* Text on a page of a PDF, in one font: how wide it is, where it breaks, and the glyphs it takes.
 * Private to the folder. */
#include "report/ttf.h"

struct pdf_text {
    struct ttf font;
    uint8_t *used;     /* a bit a glyph */
    uint32_t *unicode; /* of a used glyph */
};
struct pdf_place {
    double x, y, size;
};
void pdf_text_init(struct pdf_text *t, struct str font);
void pdf_text_done(struct pdf_text *t);
/* The character at *at, which moves behind it; a control is a space, what is no UTF-8 U+FFFD. */
uint32_t pdf_text_next(struct str s, size_t *at);
double pdf_text_width(const struct pdf_text *t, struct str s, double size);
/* How many bytes of s fit into the width: to the last space if there is one, at least a character.
 */
size_t pdf_text_fit(const struct pdf_text *t, struct str s, double width, double size);
/* Lines that s takes, at most max. */
int pdf_text_count_lines(const struct pdf_text *t, struct str s, double width, double size,
                         int max);
/* Draws s on one line. What the font lacks becomes its box for that; controls become spaces. */
void pdf_text_draw(struct pdf_text *t, struct buf *content, const struct pdf_place *at,
                   struct str s);
/* The same, cut with an ellipsis where it is wider than that. */
void pdf_text_draw_cut(struct pdf_text *t, struct buf *content, const struct pdf_place *at,
                       struct str s, double width);
