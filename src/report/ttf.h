#pragma once
/* TrueType fonts, as far as a PDF needs them: glyphs of characters, their widths, and a copy that
 * holds only some glyphs. Private to the folder. */
#include "base/buf.h"

struct ttf {
    struct str bytes;
    struct str head, hhea, hmtx, maxp, loca, glyf, cmap; /* slices of bytes */
    uint32_t n_glyphs, n_metrics, units_per_em;
    bool has_long_offsets;
    int ascent, descent, box[4]; /* in thousandths of an em */
};
bool ttf_open(struct ttf *f, struct str bytes); /* false: not a font that can be used */
uint32_t ttf_glyph(const struct ttf *f, uint32_t character); /* 0: it has none */
uint32_t ttf_advance(const struct ttf *f, uint32_t glyph);   /* in thousandths of an em */
/* Marks the glyphs that marked ones are composed of: in bits, a bit a glyph. */
void ttf_close_set(const struct ttf *f, uint8_t *bits);
/* The font with the outlines of marked glyphs only; the glyphs keep their numbers. */
void ttf_subset(const struct ttf *f, const uint8_t *bits, struct buf *out);
