/* Mail messages: headers that cannot become two, words that every client reads, bodies that every
 * relay takes. */
#include "../support.h"
#include "codec/digest.h"
#include "codec/mime.h"

static void
check_header(const char *value, const char *expected)
{
    struct buf out = BUF_INIT;
    mime_add_header(&out, "Subject", str_from(value));
    if (strcmp(buf_cstr(&out), expected) != 0)
        print_message("%s\n", buf_cstr(&out));
    assert_string_equal(buf_cstr(&out), expected);
    buf_done(&out);
}

static void
a_header_of_ascii_is_plain(void **state)
{
    (void) state;
    check_header("All is well", "Subject: All is well\n");
    check_header("", "Subject: \n");
}

static void
a_header_never_becomes_two(void **state)
{
    (void) state;
    check_header("a\r\nBcc: x@y.z", "Subject: a  Bcc: x@y.z\n");
    check_header("a\nb\rc\x01 d\x7F", "Subject: a b c  d\n");
}

static void
other_characters_become_encoded_words(void **state)
{
    (void) state;
    check_header("Gr\xC3\xB6\xC3\x9F"
                 "e",
                 "Subject: =?UTF-8?B?R3LDtsOfZQ==?=\n");
    check_header("=?UTF-8?B?eA==?=", "Subject: =?UTF-8?B?PT9VVEYtOD9CP2VBPT0/PQ==?=\n");
}

static void
encoded_words_are_short_and_never_cut_a_character(void **state)
{
    struct buf value = BUF_INIT, out = BUF_INIT;
    (void) state;
    for (int i = 0; i < 50; i++)
        buf_add_cstr(&value, "\xE2\x82\xAC");
    mime_add_header(&out, "Subject", buf_str(&value));
    struct str rest = buf_str(&out), line;
    while (str_split(&rest, '\n', &line))
        assert_true(line.len <= 78);
    /* 14 characters of three bytes are 56 of Base64 */
    assert_non_null(strstr(buf_cstr(&out),
                           "=?UTF-8?B?4oKs4oKs4oKs4oKs4oKs4oKs4oKs4oKs4oKs4oKs4oKs4oKs"
                           "4oKs4oKs?=\n =?UTF-8?B?"));
    buf_done(&value);
    buf_done(&out);
}

static void
a_long_header_is_folded_at_blanks(void **state)
{
    struct buf value = BUF_INIT, out = BUF_INIT;
    (void) state;
    for (int i = 0; i < 40; i++)
        buf_add_cstr(&value, "word ");
    mime_add_header(&out, "Subject", buf_str(&value));
    struct str rest = buf_str(&out), line;
    size_t n = 0;
    while (str_split(&rest, '\n', &line)) {
        assert_true(line.len <= 78);
        assert_true(n == 0 || line.len == 0 || line.data[0] == ' ');
        n++;
    }
    assert_true(n > 2);
    buf_done(&value);
    buf_done(&out);
}

static void
a_list_is_folded_behind_commas(void **state)
{
    struct buf out = BUF_INIT;
    const struct str items[] = {STR("a-rather-long-name@example.com"),
                                STR("another-rather-long-name@example.com"), STR("c@example.com")};
    (void) state;
    mime_add_list(&out, "To", items, 3);
    assert_string_equal(
        buf_cstr(&out),
        "To: a-rather-long-name@example.com, another-rather-long-name@example.com,\n"
        " c@example.com\n");
    buf_done(&out);
}

static void
check_body(const char *body, const char *coding, const char *expected)
{
    struct buf out = BUF_INIT, head = BUF_INIT;
    mime_add_body(&out, "text/plain", str_from(body));
    buf_addf(&head,
             "MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
             "Content-Transfer-Encoding: %s\n\n%s",
             coding, expected);
    assert_string_equal(buf_cstr(&out), buf_cstr(&head));
    buf_done(&out);
    buf_done(&head);
}

static void
a_body_is_encoded_only_where_it_must_be(void **state)
{
    (void) state;
    check_body("plain = text\nof lines", "7bit", "plain = text\nof lines");
    check_body("f\xC3\xBCr =\r\nx \n", "quoted-printable", "f=C3=BCr =3D\nx=20\n");
    check_body("a\rb", "quoted-printable", "a\nb\n");
    check_body("a\tb \tc\t\r", "quoted-printable", "a\tb \tc=09\n");
}

static void
a_long_body_that_is_mostly_no_ascii_is_base64(void **state)
{
    struct buf body = BUF_INIT, canonical = BUF_INIT, out = BUF_INIT, text = BUF_INIT,
               decoded = BUF_INIT;
    (void) state;
    for (int i = 0; i < 400; i++) {
        buf_add_cstr(&body, i % 2 == 0 ? "\xE2\x82\xAC\n" : "\xE2\x82\xAC\r\r\n");
        buf_add_cstr(&canonical, i % 2 == 0 ? "\xE2\x82\xAC\r\n" : "\xE2\x82\xAC\r\n\r\n");
    }
    mime_add_body(&out, "text/plain", buf_str(&body));
    const char *encoded = strstr(buf_cstr(&out), "Encoding: base64\n\n");
    assert_non_null(encoded);
    struct str rest = str_from(encoded + strlen("Encoding: base64\n\n")), line;
    while (str_split(&rest, '\n', &line)) {
        assert_true(line.len <= 76);
        buf_add_str(&text, line);
    }
    assert_true(base64_decode(&decoded, buf_str(&text)));
    assert_string_equal(buf_cstr(&decoded), buf_cstr(&canonical));
    buf_done(&body);
    buf_done(&canonical);
    buf_done(&out);
    buf_done(&text);
    buf_done(&decoded);
}

static void
codes_are_never_cut_at_the_end_of_a_line(void **state)
{
    (void) state;
    for (int before = 70; before <= 76; before++) {
        struct buf body = BUF_INIT, out = BUF_INIT;
        for (int i = 0; i < before; i++)
            buf_add_char(&body, 'x');
        buf_add_cstr(&body, "\x01yz"); /* "=01" stays together */
        mime_add_body(&out, "text/plain", buf_str(&body));
        assert_non_null(strstr(buf_cstr(&out), "=01"));
        struct str rest = buf_str(&out), line;
        while (str_split(&rest, '\n', &line))
            assert_true(line.len <= 76);
        buf_done(&body);
        buf_done(&out);
    }
}

static void
long_lines_are_broken_softly(void **state)
{
    struct buf body = BUF_INIT, out = BUF_INIT;
    (void) state;
    for (int i = 0; i < 2000; i++)
        buf_add_char(&body, 'x');
    mime_add_body(&out, "text/plain", buf_str(&body));
    struct str rest = buf_str(&out), line;
    while (str_split(&rest, '\n', &line))
        assert_true(line.len <= 76);
    assert_non_null(strstr(buf_cstr(&out), "quoted-printable"));
    buf_done(&body);
    buf_done(&out);
}

static void
the_date_is_a_mails(void **state)
{
    struct buf out = BUF_INIT;
    (void) state;
    mime_add_date(&out, INT64_C(784111777) * 1000000000);
    assert_string_equal(buf_cstr(&out), "Date: Sun, 06 Nov 1994 08:49:37 +0000\n");
    buf_done(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_of_ascii_is_plain),
        cmocka_unit_test(a_header_never_becomes_two),
        cmocka_unit_test(other_characters_become_encoded_words),
        cmocka_unit_test(encoded_words_are_short_and_never_cut_a_character),
        cmocka_unit_test(a_long_header_is_folded_at_blanks),
        cmocka_unit_test(a_list_is_folded_behind_commas),
        cmocka_unit_test(a_body_is_encoded_only_where_it_must_be),
        cmocka_unit_test(a_long_body_that_is_mostly_no_ascii_is_base64),
        cmocka_unit_test(codes_are_never_cut_at_the_end_of_a_line),
        cmocka_unit_test(long_lines_are_broken_softly),
        cmocka_unit_test(the_date_is_a_mails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
