/* Inflating in small steps, members, garbage and bombs; deflating with flushes. */
#include <stdlib.h>

#include "../support.h"
#include "codec/gzip.h"

/* RFC 1951 stream of "hello" without any wrapper. */
#define RAW_HELLO STR("\xCB\x48\xCD\xC9\xC9\x07\x00")

static struct buf
compress(enum gzip_format format, struct str text)
{
    struct gzip_out *z = gzip_out_new(format, 6);
    struct buf out = BUF_INIT;
    gzip_out_add(z, text, &out);
    gzip_out_finish(z, &out);
    gzip_out_free(z);
    return out;
}

/* The text, then "!" when corrupt or "?" when incomplete. */
static struct buf
expand(enum gzip_format format, struct str packed, size_t piece, size_t max_out)
{
    struct gzip_in *z = gzip_in_new(format);
    struct buf out = BUF_INIT;
    int rc = 0;
    for (size_t at = 0; at < packed.len && rc >= 0; at += piece) {
        struct str in = str_slice(packed, at, at + piece);
        size_t before;
        do {
            before = out.len;
            rc = gzip_in_step(z, &in, &out, max_out);
            assert_true(out.len - before <= max_out);
        } while (rc >= 0 && (in.len > 0 || out.len - before == max_out));
    }
    if (rc < 0)
        buf_add_char(&out, '!');
    else if (!gzip_in_ended(z))
        buf_add_char(&out, '?');
    gzip_in_free(z);
    return out;
}

static struct str
sample(struct buf *text)
{
    for (int i = 0; i < 20000; i++)
        buf_addf(text, "line %d of a text; ", i * 7919 % 1000);
    return buf_str(text);
}

static void
gzip_in_gives_back_what_gzip_out_took(void **state)
{
    (void) state;
    static const size_t steps[][2] = {{1 << 20, 1 << 20}, {1, 100}, {1000, 7}, {3, 65536}};
    struct buf text = BUF_INIT;
    struct str plain = sample(&text);
    for (int format = GZIP_FORMAT_GZIP; format <= GZIP_FORMAT_DEFLATE; format++) {
        struct buf packed = compress((enum gzip_format) format, plain);
        assert_true(packed.len < plain.len / 3);
        for (size_t i = 0; i < COUNT_OF(steps); i++) {
            struct buf out =
                expand((enum gzip_format) format, buf_str(&packed), steps[i][0], steps[i][1]);
            assert_true(str_equal(buf_str(&out), plain));
            buf_done(&out);
        }
        buf_done(&packed);
    }
    buf_done(&text);
}

static void
gzip_out_reset_starts_over_after_a_whole_and_a_half_stream(void **state)
{
    (void) state;
    struct gzip_out *z = gzip_out_new(GZIP_FORMAT_GZIP, 6);
    struct buf out = BUF_INIT;
    gzip_out_add(z, STR("first"), &out);
    gzip_out_finish(z, &out);
    gzip_out_reset(z);
    gzip_out_add(z, STR("never finished"), &out);
    gzip_out_reset(z);
    buf_clear(&out);
    gzip_out_add(z, STR("second"), &out);
    gzip_out_finish(z, &out);
    gzip_out_free(z);
    struct buf plain = expand(GZIP_FORMAT_GZIP, buf_str(&out), 1 << 20, 1 << 20);
    assert_true(str_is(buf_str(&plain), "second"));
    buf_done(&plain);
    buf_done(&out);
}

static void
gzip_in_reads_an_empty_stream(void **state)
{
    (void) state;
    struct buf packed = compress(GZIP_FORMAT_GZIP, STR_NULL);
    struct buf out = expand(GZIP_FORMAT_GZIP, buf_str(&packed), 100, 100);
    assert_buf_text(&out, "");
    buf_done(&packed);
}

static void
gzip_in_takes_raw_deflate_for_deflate(void **state)
{
    (void) state;
    for (size_t piece = 1; piece < 8; piece++) {
        struct buf out = expand(GZIP_FORMAT_DEFLATE, RAW_HELLO, piece, 100);
        assert_buf_text(&out, "hello");
    }
}

static void
gzip_in_joins_members(void **state)
{
    (void) state;
    struct buf packed = compress(GZIP_FORMAT_GZIP, STR("one "));
    struct buf more = compress(GZIP_FORMAT_GZIP, STR("two"));
    buf_add_str(&packed, buf_str(&more));
    for (size_t piece = 1; piece <= packed.len; piece++) {
        struct buf out = expand(GZIP_FORMAT_GZIP, buf_str(&packed), piece, 100);
        assert_buf_text(&out, "one two");
    }
    buf_done(&more);
    buf_done(&packed);
}

static void
gzip_in_refuses_garbage_after_the_stream(void **state)
{
    (void) state;
    for (int format = GZIP_FORMAT_GZIP; format <= GZIP_FORMAT_DEFLATE; format++) {
        struct buf packed = compress((enum gzip_format) format, STR("text"));
        buf_add_cstr(&packed, "garbage");
        struct buf out = expand((enum gzip_format) format, buf_str(&packed), 3, 100);
        assert_buf_text(&out, "text!");
        buf_done(&packed);
    }
}

static void
gzip_in_refuses_what_is_no_stream(void **state)
{
    (void) state;
    struct buf out = expand(GZIP_FORMAT_GZIP, STR("{\"a\":1}"), 100, 100);
    assert_buf_text(&out, "!");
    out = expand(GZIP_FORMAT_DEFLATE, STR("\xFF\xFF\xFF\xFF\xFF\xFF"), 100, 100);
    assert_buf_text(&out, "!");
}

static void
gzip_in_refuses_a_wrong_checksum(void **state)
{
    (void) state;
    struct buf packed = compress(GZIP_FORMAT_GZIP, STR("text"));
    packed.data[packed.len - 6] ^= 1;
    struct buf out = expand(GZIP_FORMAT_GZIP, buf_str(&packed), 100, 100);
    assert_buf_text(&out, "text!");
    buf_done(&packed);
}

static void
gzip_in_tells_a_truncated_stream(void **state)
{
    (void) state;
    struct buf packed = compress(GZIP_FORMAT_GZIP, STR("text"));
    for (size_t len = 1; len < packed.len; len++) {
        struct buf out = expand(GZIP_FORMAT_GZIP, str_slice(buf_str(&packed), 0, len), 100, 100);
        assert_int_equal(out.data[out.len - 1], '?');
        buf_done(&out);
    }
    buf_done(&packed);
}

static void
gzip_in_bounds_the_output_of_a_bomb(void **state)
{
    (void) state;
    char *zeros = calloc(1, 50000000);
    struct buf packed = compress(GZIP_FORMAT_GZIP, str_make(zeros, 50000000)), out = BUF_INIT;
    free(zeros);
    assert_true(packed.len < 100000);
    struct gzip_in *z = gzip_in_new(GZIP_FORMAT_GZIP);
    struct str in = buf_str(&packed);
    assert_int_equal(gzip_in_step(z, &in, &out, 100000), 0);
    assert_int_equal(out.len, 100000);
    assert_true(in.len > 0);
    gzip_in_free(z);
    buf_done(&packed);
    buf_done(&out);
}

static void
gzip_out_flush_makes_everything_readable(void **state)
{
    (void) state;
    struct gzip_out *z = gzip_out_new(GZIP_FORMAT_GZIP, 1);
    struct buf packed = BUF_INIT;
    gzip_out_add(z, STR("first line\n"), &packed);
    gzip_out_flush(z, &packed);
    struct buf out = expand(GZIP_FORMAT_GZIP, buf_str(&packed), 5, 100);
    assert_buf_text(&out, "first line\n?");
    gzip_out_add(z, STR("second"), &packed);
    gzip_out_finish(z, &packed);
    out = expand(GZIP_FORMAT_GZIP, buf_str(&packed), 5, 100);
    assert_buf_text(&out, "first line\nsecond");
    gzip_out_free(z);
    buf_done(&packed);
}

static void
gzip_free_accepts_unfinished_and_null(void **state)
{
    (void) state;
    struct gzip_out *z = gzip_out_new(GZIP_FORMAT_DEFLATE, 9);
    struct buf out = BUF_INIT;
    gzip_out_add(z, STR("x"), &out);
    gzip_out_free(z);
    gzip_out_free(NULL);
    gzip_in_free(NULL);
    struct gzip_in *in = gzip_in_new(GZIP_FORMAT_GZIP);
    assert_false(gzip_in_ended(in));
    gzip_in_free(in);
    buf_done(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gzip_in_gives_back_what_gzip_out_took),
        cmocka_unit_test(gzip_out_reset_starts_over_after_a_whole_and_a_half_stream),
        cmocka_unit_test(gzip_in_reads_an_empty_stream),
        cmocka_unit_test(gzip_in_takes_raw_deflate_for_deflate),
        cmocka_unit_test(gzip_in_joins_members),
        cmocka_unit_test(gzip_in_refuses_garbage_after_the_stream),
        cmocka_unit_test(gzip_in_refuses_what_is_no_stream),
        cmocka_unit_test(gzip_in_refuses_a_wrong_checksum),
        cmocka_unit_test(gzip_in_tells_a_truncated_stream),
        cmocka_unit_test(gzip_in_bounds_the_output_of_a_bomb),
        cmocka_unit_test(gzip_out_flush_makes_everything_readable),
        cmocka_unit_test(gzip_free_accepts_unfinished_and_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
