/* The embedded font can be read, and cut down to a font that can be read. */
#include "../support.h"
#include "report/pdf_font.h"
#include "report/ttf.h"

static void
ttf_knows_the_characters_of_europe(void **state)
{
    struct ttf f;
    (void) state;
    assert_true(ttf_open(&f, report_pdf_font()));
    const uint32_t characters[] = {'A', 0xE9, 0x17D, 0x416, 0x3B1, 0x20AC, 0x2026, 0xFFFD};
    for (size_t i = 0; i < COUNT_OF(characters); i++) {
        uint32_t glyph = ttf_glyph(&f, characters[i]);
        assert_true(glyph > 0 && ttf_advance(&f, glyph) > 0);
    }
    assert_int_equal(ttf_glyph(&f, 0x4E2D), 0); /* not a Chinese font */
}

static void
ttf_subset_is_a_smaller_font_with_the_same_numbers(void **state)
{
    struct ttf f;
    struct buf out = BUF_INIT;
    (void) state;
    assert_true(ttf_open(&f, report_pdf_font()));
    uint8_t *bits = calloc(f.n_glyphs / 8 + 1, 1);
    uint32_t glyph = ttf_glyph(&f, 0xE9); /* composed of e and an accent */
    bits[glyph / 8] = (uint8_t) (bits[glyph / 8] | 1u << (glyph % 8));
    ttf_close_set(&f, bits);
    uint32_t e = ttf_glyph(&f, 'e');
    assert_true(bits[e / 8] >> (e % 8) & 1);
    ttf_subset(&f, bits, &out);
    assert_true(out.len < f.bytes.len / 4);
    assert_int_equal(out.data[1], 1);
    free(bits);
    buf_done(&out);
}

static void
ttf_refuses_what_is_no_font(void **state)
{
    struct ttf f;
    (void) state;
    assert_false(ttf_open(&f, STR_NULL));
    assert_false(ttf_open(&f, STR("%PDF-1.5 and some more bytes that are no font at all")));
    for (size_t n = 0; n < 4096; n += 7)
        (void) ttf_open(&f, str_slice(report_pdf_font(), 0, n)); /* never reads outside */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ttf_knows_the_characters_of_europe),
        cmocka_unit_test(ttf_subset_is_a_smaller_font_with_the_same_numbers),
        cmocka_unit_test(ttf_refuses_what_is_no_font),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
