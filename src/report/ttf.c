/* Reading and cutting TrueType fonts (OpenType 1.9: cmap 4 and 12, glyf, loca, hmtx). Every offset
 * is checked: what lies outside of the file reads as 0. Pure. */
#include "report/ttf.h"

enum {
    COMPOSITE_WORDS = 1,
    COMPOSITE_SCALE = 8,
    COMPOSITE_MORE = 32,
    COMPOSITE_TWO_SCALES = 64,
    COMPOSITE_MATRIX = 128,
};

static uint32_t
u16(struct str s, size_t at)
{
    if (at + 2 > s.len)
        return 0;
    return (uint32_t) (unsigned char) s.data[at] << 8 | (unsigned char) s.data[at + 1];
}

static int
i16(struct str s, size_t at)
{
    return (int16_t) u16(s, at);
}

static uint32_t
u32(struct str s, size_t at)
{
    return u16(s, at) << 16 | u16(s, at + 2);
}

static struct str
table(struct str font, const char *tag)
{
    uint32_t n = u16(font, 4);
    for (uint32_t i = 0; i < n; i++) {
        size_t row = 12 + 16 * (size_t) i;
        if (row + 16 <= font.len && memcmp(font.data + row, tag, 4) == 0) {
            size_t from = u32(font, row + 8), len = u32(font, row + 12);
            return str_slice(font, from, from + len);
        }
    }
    return STR_NULL;
}

static int
scaled(const struct ttf *f, int units)
{
    return units * 1000 / (int) f->units_per_em;
}

/* The best map of characters: all of Unicode, else its first plane. */
static struct str
find_map(struct str cmap)
{
    struct str best = STR_NULL;
    for (uint32_t i = 0; i < u16(cmap, 2); i++) {
        size_t row = 4 + 8 * (size_t) i;
        struct str map = str_slice(cmap, u32(cmap, row + 4), cmap.len);
        bool is_unicode = u16(cmap, row) == 0 || u16(cmap, row) == 3;
        if (is_unicode && u16(map, 0) == 12)
            return map;
        if (is_unicode && u16(map, 0) == 4)
            best = map;
    }
    return best;
}

bool
ttf_open(struct ttf *f, struct str bytes)
{
    *f = (struct ttf){.bytes = bytes};
    f->head = table(bytes, "head");
    f->hhea = table(bytes, "hhea");
    f->hmtx = table(bytes, "hmtx");
    f->maxp = table(bytes, "maxp");
    f->loca = table(bytes, "loca");
    f->glyf = table(bytes, "glyf");
    f->cmap = find_map(table(bytes, "cmap"));
    f->units_per_em = u16(f->head, 18);
    f->has_long_offsets = u16(f->head, 50) != 0;
    f->n_glyphs = u16(f->maxp, 4);
    f->n_metrics = u16(f->hhea, 34);
    if (f->units_per_em == 0 || f->n_glyphs == 0 || f->n_metrics == 0 || f->cmap.len == 0 ||
        f->glyf.len == 0 || f->loca.len == 0)
        return false;
    f->ascent = scaled(f, i16(f->hhea, 4));
    f->descent = scaled(f, i16(f->hhea, 6));
    for (size_t i = 0; i < 4; i++)
        f->box[i] = scaled(f, i16(f->head, 36 + 2 * i));
    return true;
}

static uint32_t
glyph_of_plane(struct str map, uint32_t c)
{
    uint32_t n = u16(map, 6) / 2, i = 0, to = n;
    while (i < to) { /* the first segment that ends at c or behind */
        uint32_t middle = i + (to - i) / 2;
        if (u16(map, 14 + 2 * (size_t) middle) < c)
            i = middle + 1;
        else
            to = middle;
    }
    size_t at = 14 + 2 * (size_t) i, offsets = at + 2 + 6 * (size_t) n;
    uint32_t first = u16(map, at + 2 + 2 * n), delta = u16(map, at + 2 + 4 * n);
    uint32_t offset = u16(map, offsets);
    if (i == n || c > 0xFFFF || first > c)
        return 0;
    if (offset == 0)
        return (c + delta) & 0xFFFF;
    uint32_t glyph = u16(map, offsets + offset + 2 * (size_t) (c - first));
    return glyph == 0 ? 0 : (glyph + delta) & 0xFFFF;
}

static uint32_t
glyph_of_groups(struct str map, uint32_t c)
{
    uint32_t from = 0, to = u32(map, 12);
    while (from < to) {
        uint32_t i = from + (to - from) / 2;
        size_t at = 16 + 12 * (size_t) i;
        if (c < u32(map, at))
            to = i;
        else if (c > u32(map, at + 4))
            from = i + 1;
        else
            return u32(map, at + 8) + c - u32(map, at);
    }
    return 0;
}

uint32_t
ttf_glyph(const struct ttf *f, uint32_t character)
{
    uint32_t glyph = u16(f->cmap, 0) == 12 ? glyph_of_groups(f->cmap, character)
                                           : glyph_of_plane(f->cmap, character);
    return glyph < f->n_glyphs ? glyph : 0;
}

uint32_t
ttf_advance(const struct ttf *f, uint32_t glyph)
{
    uint32_t i = glyph < f->n_metrics ? glyph : f->n_metrics - 1;
    return u16(f->hmtx, 4 * (size_t) i) * 1000 / f->units_per_em;
}

/* --- cutting --------------------------------------------------------------------------------- */

static struct str
outline(const struct ttf *f, uint32_t glyph)
{
    size_t from, to;
    if (f->has_long_offsets) {
        from = u32(f->loca, 4 * (size_t) glyph);
        to = u32(f->loca, 4 * (size_t) glyph + 4);
    } else {
        from = 2 * (size_t) u16(f->loca, 2 * (size_t) glyph);
        to = 2 * (size_t) u16(f->loca, 2 * (size_t) glyph + 2);
    }
    return to > from ? str_slice(f->glyf, from, to) : STR_NULL;
}

static bool
has(const uint8_t *bits, uint32_t i)
{
    return (bits[i / 8] >> (i % 8) & 1) != 0;
}

/* Marks the parts of a composite glyph; whether one of them is new. */
static bool
mark_parts(const struct ttf *f, uint32_t glyph, uint8_t *bits)
{
    struct str o = outline(f, glyph);
    bool is_new = false;
    uint32_t flags = COMPOSITE_MORE;
    if (o.len < 10 || i16(o, 0) >= 0)
        return false;
    for (size_t at = 10; (flags & COMPOSITE_MORE) != 0 && at + 4 <= o.len;) {
        uint32_t part = u16(o, at + 2);
        flags = u16(o, at);
        if (part < f->n_glyphs && !has(bits, part)) {
            bits[part / 8] = (uint8_t) (bits[part / 8] | 1u << (part % 8));
            is_new = true;
        }
        at += (flags & COMPOSITE_WORDS) ? 8 : 6;
        at += (flags & COMPOSITE_SCALE)        ? 2
              : (flags & COMPOSITE_TWO_SCALES) ? 4
              : (flags & COMPOSITE_MATRIX)     ? 8
                                               : 0;
    }
    return is_new;
}

void
ttf_close_set(const struct ttf *f, uint8_t *bits)
{
    bool is_new = true;
    bits[0] |= 1; /* the glyph of what is missing */
    while (is_new) {
        is_new = false;
        for (uint32_t i = 0; i < f->n_glyphs; i++)
            is_new = (has(bits, i) && mark_parts(f, i, bits)) || is_new;
    }
}

static void
put16(struct buf *b, uint32_t v)
{
    buf_add_char(b, (char) (v >> 8));
    buf_add_char(b, (char) v);
}

static void
put32(struct buf *b, uint32_t v)
{
    put16(b, v >> 16);
    put16(b, v & 0xFFFF);
}

static void
cut_outlines(const struct ttf *f, const uint8_t *bits, struct buf *glyf, struct buf *loca)
{
    for (uint32_t i = 0; i < f->n_glyphs; i++) {
        put32(loca, (uint32_t) glyf->len);
        if (!has(bits, i))
            continue;
        buf_add_str(glyf, outline(f, i));
        while (glyf->len % 4 != 0)
            buf_add_char(glyf, '\0');
    }
    put32(loca, (uint32_t) glyf->len);
}

static uint32_t
checksum(struct str s)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < s.len; i += 4) {
        for (size_t k = 0; k < 4; k++)
            sum += (i + k < s.len ? (uint32_t) (unsigned char) s.data[i + k] : 0) << (24 - 8 * k);
    }
    return sum;
}

enum { TABLES = 9 };

static void
put_font(struct buf *out, const char *const tags[TABLES], const struct str parts[TABLES])
{
    size_t at = 12 + 16 * TABLES;
    put32(out, 0x00010000);
    put16(out, TABLES);
    put16(out, 128); /* 16 times the largest power of two, its logarithm, and the rest */
    put16(out, 3);
    put16(out, TABLES * 16 - 128);
    for (size_t i = 0; i < TABLES; i++) {
        buf_add(out, tags[i], 4);
        put32(out, checksum(parts[i]));
        put32(out, (uint32_t) at);
        put32(out, (uint32_t) parts[i].len);
        at += (parts[i].len + 3) & ~(size_t) 3;
    }
    for (size_t i = 0; i < TABLES; i++) {
        buf_add_str(out, parts[i]);
        while (out->len % 4 != 0)
            buf_add_char(out, '\0');
    }
}

void
ttf_subset(const struct ttf *f, const uint8_t *bits, struct buf *out)
{
    static const char *const tags[TABLES] = {"cvt ", "fpgm", "glyf", "head", "hhea",
                                             "hmtx", "loca", "maxp", "prep"};
    struct buf glyf = BUF_INIT, loca = BUF_INIT, head = BUF_INIT;
    cut_outlines(f, bits, &glyf, &loca);
    buf_add_str(&head, f->head);
    if (head.len > 51)
        head.data[50] = 0, head.data[51] = 1; /* long offsets */
    const struct str parts[TABLES] = {table(f->bytes, "cvt "),
                                      table(f->bytes, "fpgm"),
                                      buf_str(&glyf),
                                      buf_str(&head),
                                      f->hhea,
                                      f->hmtx,
                                      buf_str(&loca),
                                      f->maxp,
                                      table(f->bytes, "prep")};
    put_font(out, tags, parts);
    buf_done(&glyf);
    buf_done(&loca);
    buf_done(&head);
}
