/* Folding by the tables of unicode_tables.h (made by make-unicode-tables). ASCII, which is nearly
 * everything, takes a path without tables. */
#include "base/unicode.h"

struct fold_range {
    uint32_t first, last;
    uint8_t stride;
    int32_t distance;
};
struct fold_entry {
    uint32_t code;
    uint16_t at;
    uint8_t len;
};
struct combining_range {
    uint32_t first, last;
    uint8_t combining;
};
struct letter_range {
    uint32_t first, last;
};
#include "base/unicode_tables.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
/* The row of a sorted table of ranges that holds the code, or NULL. */
#define FIND_RANGE(table, code) find_range((table), COUNT(table), sizeof((table)[0]), (code))

enum {
    HANGUL_FIRST = 0xAC00,
    HANGUL_LAST = 0xD7A3,
    HANGUL_L = 0x1100,
    HANGUL_V = 0x1161,
    HANGUL_T = 0x11A7,
    HANGUL_V_COUNT = 21,
    HANGUL_T_COUNT = 28,
    REPLACEMENT = 0xFFFD,
    MARKS_MAX = 32, /* sorted at a time; longer runs are sorted in parts */
};

/* Every range row begins with first and last. */
static const void *
find_range(const void *table, size_t n, size_t row_size, uint32_t code)
{
    size_t low = 0;
    while (low < n) {
        size_t middle = low + (n - low) / 2;
        const struct letter_range *row = (const void *) ((const char *) table + middle * row_size);
        if (code >= row->first && code <= row->last)
            return row;
        if (code < row->first)
            n = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

uint32_t
unicode_read(struct str s, size_t at, size_t *ret_len)
{
    int n = str_utf8_sequence(s, at);
    const unsigned char *p = (const unsigned char *) s.data + at;
    if (n < 0) {
        *ret_len = (size_t) -n;
        return REPLACEMENT;
    }
    *ret_len = (size_t) n;
    if (n == 1)
        return p[0];
    uint32_t code = p[0] & (0x7Fu >> n);
    for (int i = 1; i < n; i++)
        code = code << 6 | (p[i] & 0x3F);
    return code;
}

void
unicode_write(struct buf *out, uint32_t code)
{
    if (code < 0x80) {
        buf_add_char(out, (char) code);
    } else if (code < 0x800) {
        buf_add_char(out, (char) (0xC0 | code >> 6));
        buf_add_char(out, (char) (0x80 | (code & 0x3F)));
    } else if (code < 0x10000) {
        buf_add_char(out, (char) (0xE0 | code >> 12));
        buf_add_char(out, (char) (0x80 | (code >> 6 & 0x3F)));
        buf_add_char(out, (char) (0x80 | (code & 0x3F)));
    } else {
        buf_add_char(out, (char) (0xF0 | code >> 18));
        buf_add_char(out, (char) (0x80 | (code >> 12 & 0x3F)));
        buf_add_char(out, (char) (0x80 | (code >> 6 & 0x3F)));
        buf_add_char(out, (char) (0x80 | (code & 0x3F)));
    }
}

size_t
unicode_count(struct str s)
{
    size_t n = 0, len;
    for (size_t at = 0; at < s.len; at += len, n++)
        (void) unicode_read(s, at, &len);
    return n;
}

bool
unicode_is_letter(uint32_t code)
{
    if (code < 0x80)
        return (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z') ||
               (code >= '0' && code <= '9');
    return FIND_RANGE(letter_ranges, code) != NULL;
}

bool
unicode_is_space(uint32_t code)
{
    return (code >= 9 && code <= 13) || code == ' ' || code == 0x85 || code == 0xA0 ||
           code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
           code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

/* --- folding */

/* Marks that wait to be put in canonical order. */
struct marks {
    uint32_t codes[MARKS_MAX];
    uint8_t classes[MARKS_MAX];
    size_t n;
};

static void
flush_marks(struct buf *out, struct marks *m)
{
    for (size_t i = 0; i < m->n; i++)
        unicode_write(out, m->codes[i]);
    m->n = 0;
}

static void
add_code(struct buf *out, struct marks *m, uint32_t code)
{
    const struct combining_range *row = code < 0x300 ? NULL : FIND_RANGE(combining_ranges, code);
    if (row == NULL) {
        flush_marks(out, m);
        unicode_write(out, code);
        return;
    }
    if (m->n == MARKS_MAX)
        flush_marks(out, m);
    size_t i = m->n++;
    for (; i > 0 && m->classes[i - 1] > row->combining; i--) {
        m->codes[i] = m->codes[i - 1];
        m->classes[i] = m->classes[i - 1];
    }
    m->codes[i] = code;
    m->classes[i] = row->combining;
}

static const struct fold_entry *
find_entry(uint32_t code)
{
    size_t low = 0, high = COUNT(fold_entries);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (fold_entries[middle].code == code)
            return &fold_entries[middle];
        if (fold_entries[middle].code > code)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static void
add_hangul(struct buf *out, struct marks *m, uint32_t code)
{
    uint32_t syllable = code - HANGUL_FIRST, tail = syllable % HANGUL_T_COUNT;
    add_code(out, m, HANGUL_L + syllable / (HANGUL_V_COUNT * HANGUL_T_COUNT));
    add_code(out, m, HANGUL_V + syllable / HANGUL_T_COUNT % HANGUL_V_COUNT);
    if (tail > 0)
        add_code(out, m, HANGUL_T + tail);
}

static void
add_folded(struct buf *out, struct marks *m, uint32_t code)
{
    if (code >= HANGUL_FIRST && code <= HANGUL_LAST) {
        add_hangul(out, m, code);
        return;
    }
    const struct fold_range *range = FIND_RANGE(fold_ranges, code);
    if (range != NULL && (code - range->first) % range->stride == 0) {
        add_code(out, m, (uint32_t) ((int32_t) code + range->distance));
        return;
    }
    const struct fold_entry *entry = find_entry(code);
    if (entry == NULL)
        add_code(out, m, code);
    for (size_t i = 0; entry != NULL && i < entry->len; i++)
        add_code(out, m, fold_pool[entry->at + i]);
}

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char) (c | 0x20) : c;
}

void
unicode_fold(struct buf *out, struct str s)
{
    struct marks marks = {.n = 0};
    size_t len;
    for (size_t at = 0; at < s.len; at += len) {
        if ((unsigned char) s.data[at] < 0x80) {
            flush_marks(out, &marks);
            buf_add_char(out, lower(s.data[at]));
            len = 1;
            continue;
        }
        uint32_t code = unicode_read(s, at, &len);
        add_folded(out, &marks, code);
    }
    flush_marks(out, &marks);
}
