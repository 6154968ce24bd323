/* International domain names: UTF-8 to punycode (RFC 3492). Knows the simple lower-case mappings of
 * three scripts and which ranges of Unicode it must refuse; holds no other part of UTS 46. */
#include <string.h>

#include "net/url_host.h"

enum {
    LABEL_MAX = 63, /* code points of one label; its ASCII form must fit in a DNS label too */
    PUNY_BASE = 36,
    PUNY_TMIN = 1,
    PUNY_TMAX = 26,
    PUNY_SKEW = 38,
    PUNY_DAMP = 700,
    PUNY_BIAS = 72,
    PUNY_FIRST = 128,
};

struct range {
    uint32_t first, last;
};

/* Mapped to something else by UTS 46, needing normalisation, or forbidden. */
static const struct range refused[] = {
    {0x0080, 0x00B6},    /* controls, Latin-1 signs with compatibility forms */
    {0x00B8, 0x00BF},    /* ditto */
    {0x0130, 0x0130},    /* dotted capital I */
    {0x0132, 0x0133},    /* ij */
    {0x013F, 0x0140},    /* l with middle dot */
    {0x0149, 0x0149},    /* 'n */
    {0x017F, 0x024F},    /* long s, Latin Extended-B: irregular pairs */
    {0x02B0, 0x0390},    /* modifier letters, combining marks, irregular Greek */
    {0x03A2, 0x03A2},    /* unassigned */
    {0x03AA, 0x03AB},    /* decomposable Greek capitals */
    {0x03CF, 0x03FF},    /* Greek symbols */
    {0x0460, 0x052F},    /* historic Cyrillic: irregular pairs */
    {0x0531, 0x0556},    /* Armenian capitals */
    {0x0587, 0x0587},    /* Armenian ligature */
    {0x0600, 0x061F},    /* Arabic signs */
    {0x0675, 0x0678},    /* Arabic compatibility letters */
    {0x06DD, 0x06DD},    /* Arabic end of ayah */
    {0x0E33, 0x0E33},    /* Thai and Lao vowels with compatibility forms */
    {0x0EB3, 0x0EB3},    /* ditto */
    {0x10A0, 0x10FF},    /* Georgian capitals */
    {0x1100, 0x11FF},    /* conjoining jamo */
    {0x13A0, 0x13FF},    /* Cherokee */
    {0x180B, 0x180F},    /* Mongolian selectors */
    {0x1C80, 0x1CBF},    /* Cyrillic and Georgian extensions */
    {0x1D2C, 0x1FFF},    /* phonetic extensions, Latin and Greek additional: irregular */
    {0x2000, 0x22FF},    /* spaces, joiners, super- and subscripts, letterlike, arrows */
    {0x2460, 0x24FF},    /* enclosed */
    {0x2A00, 0x2AFF},    /* operators */
    {0x2C00, 0x2FFF},    /* Glagolitic, radicals, description characters */
    {0x3000, 0x3004},    /* ideographic space and stops (the full stop is mapped before) */
    {0x302A, 0x3040},    /* tone marks, compatibility */
    {0x3099, 0x309C},    /* voicing marks */
    {0x309F, 0x309F},    /* ligature */
    {0x30FF, 0x3104},    /* ligature */
    {0x3130, 0x319F},    /* compatibility jamo */
    {0x31C0, 0x33FF},    /* strokes, enclosed, squared */
    {0xA640, 0xA7FF},    /* Cyrillic and Latin extensions */
    {0xAB30, 0xABBF},    /* ditto */
    {0xD800, 0xFFFF},    /* surrogates, private use, compatibility, full width, specials */
    {0x10400, 0x104FF},  /* scripts with case */
    {0x10C80, 0x10CFF},  /* ditto */
    {0x118A0, 0x118DF},  /* ditto */
    {0x1BCA0, 0x1BCAF},  /* format characters */
    {0x1D100, 0x1D7FF},  /* music and mathematical alphabets */
    {0x1E900, 0x1E95F},  /* Adlam */
    {0x1EE00, 0x1EEFF},  /* Arabic mathematical */
    {0x1F100, 0x1F2FF},  /* enclosed */
    {0x1FBF0, 0x1FFFF},  /* segmented digits, noncharacters */
    {0x2F800, 0x2FFFF},  /* CJK compatibility, noncharacters */
    {0x323B0, 0x10FFFF}, /* unassigned, tags, private use */
};

static bool
is_refused(uint32_t c)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (c >= refused[i].first && c <= refused[i].last)
            return true;
    return false;
}

static uint32_t
to_lower(uint32_t c)
{
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + 0x20 : c;
    if ((c >= 0xC0 && c <= 0xDE && c != 0xD7) || (c >= 0x391 && c <= 0x3A9) ||
        (c >= 0x410 && c <= 0x42F))
        return c + 0x20;
    if (c >= 0x400 && c <= 0x40F)
        return c + 0x50;
    if (c == 0x178)
        return 0xFF;
    bool is_even_upper = (c >= 0x100 && c <= 0x137) || (c >= 0x14A && c <= 0x177);
    bool is_odd_upper = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E);
    if ((is_even_upper && c % 2 == 0) || (is_odd_upper && c % 2 == 1))
        return c + 1;
    return c;
}

/* One code point off valid UTF-8. */
static uint32_t
next_code_point(struct str s, size_t *at)
{
    unsigned char c = (unsigned char) s.data[(*at)++];
    if (c < 0x80)
        return c;
    int more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
    uint32_t value = c & (0x3Fu >> more);
    while (more-- > 0)
        value = value << 6 | ((unsigned char) s.data[(*at)++] & 0x3Fu);
    return value;
}

static bool
is_full_stop(uint32_t c)
{
    return c == '.' || c == 0x3002 || c == 0xFF0E || c == 0xFF61;
}

static uint32_t
puny_adapt(uint32_t delta, uint32_t n_points, bool is_first)
{
    delta = is_first ? delta / PUNY_DAMP : delta / 2;
    delta += delta / n_points;
    uint32_t k = 0;
    for (; delta > ((PUNY_BASE - PUNY_TMIN) * PUNY_TMAX) / 2; k += PUNY_BASE)
        delta /= PUNY_BASE - PUNY_TMIN;
    return k + (PUNY_BASE - PUNY_TMIN + 1) * delta / (delta + PUNY_SKEW);
}

static void
puny_write_number(struct buf *out, uint32_t q, uint32_t bias)
{
    for (uint32_t k = PUNY_BASE;; k += PUNY_BASE) {
        uint32_t t = k <= bias ? PUNY_TMIN : k >= bias + PUNY_TMAX ? PUNY_TMAX : k - bias;
        uint32_t digit = q < t ? q : t + (q - t) % (PUNY_BASE - t);
        buf_add_char(out, (char) (digit < 26 ? 'a' + digit : '0' + (digit - 26)));
        if (q < t)
            return;
        q = (q - t) / (PUNY_BASE - t);
    }
}

static uint32_t
lowest_from(const uint32_t *points, size_t n, uint32_t least)
{
    uint32_t lowest = UINT32_MAX;
    for (size_t i = 0; i < n; i++)
        if (points[i] >= least && points[i] < lowest)
            lowest = points[i];
    return lowest;
}

/* RFC 3492 section 6.3. At most LABEL_MAX code points below 2^21, so nothing here overflows. */
static void
puny_encode(struct buf *out, const uint32_t *points, size_t n)
{
    uint32_t basic = 0;
    for (size_t i = 0; i < n; i++) {
        if (points[i] >= 0x80)
            continue;
        buf_add_char(out, (char) points[i]);
        basic++;
    }
    if (basic > 0)
        buf_add_char(out, '-');
    uint32_t current = PUNY_FIRST, delta = 0, bias = PUNY_BIAS, handled = basic;
    while (handled < n) {
        uint32_t next = lowest_from(points, n, current);
        delta += (next - current) * (handled + 1);
        current = next;
        for (size_t i = 0; i < n; i++) {
            if (points[i] < current)
                delta++;
            if (points[i] != current)
                continue;
            puny_write_number(out, delta, bias);
            bias = puny_adapt(delta, handled + 1, handled == basic);
            delta = 0;
            handled++;
        }
        delta++;
        current++;
    }
}

static int
write_label(struct buf *out, const uint32_t *points, size_t n)
{
    bool is_ascii = true;
    for (size_t i = 0; i < n; i++)
        is_ascii = is_ascii && points[i] < 0x80;
    size_t start = out->len;
    if (is_ascii) {
        for (size_t i = 0; i < n; i++)
            buf_add_char(out, (char) points[i]);
        return 0;
    }
    if (points[0] == '-' || points[n - 1] == '-' || (n > 3 && points[2] == '-' && points[3] == '-'))
        return -1;
    buf_add_cstr(out, "xn--");
    puny_encode(out, points, n);
    return out->len - start <= LABEL_MAX ? 0 : -1;
}

int
url_idna_to_ascii(struct str domain, struct buf *out)
{
    uint32_t points[LABEL_MAX];
    size_t n = 0;
    if (!str_is_utf8(domain))
        return -1;
    for (size_t at = 0; at < domain.len;) {
        uint32_t c = next_code_point(domain, &at);
        if (is_full_stop(c)) {
            if (write_label(out, points, n) < 0)
                return -1;
            buf_add_char(out, '.');
            n = 0;
            continue;
        }
        if (c == 0xAD) /* soft hyphen: ignored by the standard */
            continue;
        if (is_refused(c) || n == LABEL_MAX)
            return -1;
        points[n++] = to_lower(c);
    }
    return write_label(out, points, n);
}
