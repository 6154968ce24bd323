/* The URL parser against tables: what the WHATWG standard writes, and upstream's words for what it
 * refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/url.h"

struct good_row {
    const char *text, *written;
};

static const struct good_row good[] = {
    /* the contract's own */
    {"http://defined-in-test-cli.com", "http://defined-in-test-cli.com/"},
    {"https://third.com", "https://third.com/"},
    {"http:foo", "http://foo/"},
    {"  http://foo/  ", "http://foo/"},
    {"ftp://x", "ftp://x/"},
    {"mailto:a@b", "mailto:a@b"},
    {"localhost:8080", "localhost:8080"},
    {"javascript:1", "javascript:1"},
    /* schemes, slashes, blanks */
    {"HTTP://EXAMPLE.COM/A", "http://example.com/A"},
    {"https:/foo/bar", "https://foo/bar"},
    {"https:////foo//bar", "https://foo//bar"},
    {"https:\\\\foo\\bar", "https://foo/bar"},
    {"http:/\\/foo", "http://foo/"},
    {"ht\ntp://ex\tample.com/\r\na", "http://example.com/a"},
    {"\x01 http://foo/\x1f", "http://foo/"},
    {"a+b-c.1:x", "a+b-c.1:x"},
    {"ws://h:80/", "ws://h/"},
    {"wss://h:443/x", "wss://h/x"},
    {"ftp://h:21/", "ftp://h/"},
    {"ftp://h:80/", "ftp://h:80/"},
    /* userinfo */
    {"http://user@host/", "http://user@host/"},
    {"http://user:pass@host/", "http://user:pass@host/"},
    {"http://user:@host/", "http://user@host/"},
    {"http://:pass@host/", "http://:pass@host/"},
    {"http://@host/", "http://host/"},
    {"http://:@host/", "http://host/"},
    {"http://a@b@c/", "http://a%40b@c/"},
    {"http://a:b:c@h/", "http://a:b%3Ac@h/"},
    {"http://u s:p[w@h/", "http://u%20s:p%5Bw@h/"},
    /* ports */
    {"http://h:80/", "http://h/"},
    {"https://h:443/", "https://h/"},
    {"http://h:443/", "http://h:443/"},
    {"http://h:/", "http://h/"},
    {"http://h:00080/", "http://h/"},
    {"http://h:65535/", "http://h:65535/"},
    {"http://h:0/", "http://h:0/"},
    {"http://h:000000000000000000000008080/", "http://h:8080/"},
    {"http://h:8080?q", "http://h:8080/?q"},
    {"http://h:8080\\x", "http://h:8080/x"},
    /* IPv4 spellings */
    {"http://127.0.0.1/", "http://127.0.0.1/"},
    {"http://127.1/", "http://127.0.0.1/"},
    {"http://127.0.1/", "http://127.0.0.1/"},
    {"http://2130706433/", "http://127.0.0.1/"},
    {"http://0x7f000001/", "http://127.0.0.1/"},
    {"http://0x7F.1/", "http://127.0.0.1/"},
    {"http://017700000001/", "http://127.0.0.1/"},
    {"http://0177.0.0.01/", "http://127.0.0.1/"},
    {"http://127.0.0.1./", "http://127.0.0.1/"},
    {"http://0/", "http://0.0.0.0/"},
    {"http://0x/", "http://0.0.0.0/"},
    {"http://4294967295/", "http://255.255.255.255/"},
    {"http://1.65535/", "http://1.0.255.255/"},
    {"http://%31%32%37.0.0.1/", "http://127.0.0.1/"},
    {"http://1.2.3.4.example/", "http://1.2.3.4.example/"},
    {"http://1a/", "http://1a/"},
    /* IPv6 */
    {"http://[::1]/", "http://[::1]/"},
    {"http://[0:0:0:0:0:0:0:1]:8080/", "http://[::1]:8080/"},
    {"http://[2001:DB8:0:0:8:800:200C:417A]/", "http://[2001:db8::8:800:200c:417a]/"},
    {"http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/"},
    {"http://[::]/", "http://[::]/"},
    {"http://[1:0:0:2:0:0:0:3]/", "http://[1:0:0:2::3]/"},
    {"http://[1:0:2:3:4:5:6:7]/", "http://[1:0:2:3:4:5:6:7]/"},
    {"http://[1::]/", "http://[1::]/"},
    /* domains */
    {"http://a.b.c./", "http://a.b.c./"},
    {"http://ex%41mple.com/", "http://example.com/"},
    {"http://under_score.example/", "http://under_score.example/"},
    {"http://b\xC3\xBC"
     "cher.example/",
     "http://xn--bcher-kva.example/"},
    {"http://B\xC3\x9C"
     "CHER.example/",
     "http://xn--bcher-kva.example/"},
    {"http://\xE4\xBE\x8B\xE3\x81\x88.\xE3\x83\x86\xE3\x82\xB9\xE3\x83\x88/",
     "http://xn--r8jz45g.xn--zckzah/"},
    {"http://\xD0\x9F\xD0\xA0\xD0\x98\xD0\x9C\xD0\x95\xD0\xA0.example/",
     "http://xn--e1afmkfd.example/"},
    {"http://fa\xC3\x9F.de/", "http://xn--fa-hia.de/"},
    {"http://a\xE3\x80\x82"
     "b/",
     "http://a.b/"},
    {"http://m%C3%BCnchen.de/", "http://xn--mnchen-3ya.de/"},
    /* paths and queries */
    {"http://h", "http://h/"},
    {"http://h?q=1", "http://h/?q=1"},
    {"http://h#f", "http://h/#f"},
    {"http://h/a/../b/./c", "http://h/b/c"},
    {"http://h/a/b/..", "http://h/a/"},
    {"http://h/a/b/.", "http://h/a/b/"},
    {"http://h/../../x", "http://h/x"},
    {"http://h/a/%2e%2E/b", "http://h/b"},
    {"http://h/a/.%2e/b/%2e", "http://h/b/"},
    {"http://h/a//b", "http://h/a//b"},
    {"http://h/...", "http://h/..."},
    {"http://h/a b\"<>`{}^", "http://h/a%20b%22%3C%3E%60%7B%7D%5E"},
    {"http://h/\xC3\xA9?\xC3\xA9='\"", "http://h/%C3%A9?%C3%A9=%27%22"},
    {"http://h/%zz%", "http://h/%zz%"},
    {"http://h/?", "http://h/?"},
    {"http://h/?a?b/c\\d", "http://h/?a?b/c\\d"},
    {"http://h/\\a\\..\\b", "http://h//b"},
    {"http://h/x;y=1,2:@!$&'()*+", "http://h/x;y=1,2:@!$&'()*+"},
    {"http://h/p#a b<", "http://h/p#a%20b%3C"},
    {"http://h/\x01\x7f", "http://h/%01%7F"},
    /* other schemes */
    {"foo://Bar/x", "foo://Bar/x"},
    {"foo://bar", "foo://bar"},
    {"foo:///x", "foo:///x"},
    {"foo:/a/../b", "foo:/b"},
    {"foo:/..//x", "foo:/.//x"},
    {"foo://h/a\\b?'", "foo://h/a\\b?'"},
    {"file:///etc/passwd", "file:///etc/passwd"},
    {"file://localhost/x", "file:///x"},
    {"file:x", "file:///x"},
    {"data:text/plain,a b", "data:text/plain,a b"},
};

struct bad_row {
    const char *text, *why;
};

static const struct bad_row bad[] = {
    {"", "relative URL without a base"},
    {"   ", "relative URL without a base"},
    {"foo", "relative URL without a base"},
    {"//x", "relative URL without a base"},
    {"/path", "relative URL without a base"},
    {"1http://x", "relative URL without a base"},
    {":x", "relative URL without a base"},
    {"ht tp://x", "relative URL without a base"},
    {"example.com/hook", "relative URL without a base"},
    {"http://", "empty host"},
    {"http:", "empty host"},
    {"http:///", "empty host"},
    {"http://:80", "empty host"},
    {"http://user@", "empty host"},
    {"http://user@/x", "empty host"},
    {"http://?q", "empty host"},
    {"http://#f", "empty host"},
    {"foo://:80/", "empty host"},
    {"foo://u@/", "empty host"},
    {"http://%C2%AD/", "empty host"},
    {"http://h:65536/", "invalid port number"},
    {"http://h:x/", "invalid port number"},
    {"http://h:80x/", "invalid port number"},
    {"http://h:-1/", "invalid port number"},
    {"http://h:99999999999999999999/", "invalid port number"},
    {"http://[::1]x/", "invalid IPv6 address"},
    {"http://256.1.1.1", "invalid IPv4 address"},
    {"http://1.2.3.4.5", "invalid IPv4 address"},
    {"http://1.2.3.256/", "invalid IPv4 address"},
    {"http://4294967296/", "invalid IPv4 address"},
    {"http://1..2/", "invalid IPv4 address"},
    {"http://09/", "invalid IPv4 address"},
    {"http://foo.0x4/", "invalid IPv4 address"},
    {"http://foo.09/", "invalid IPv4 address"},
    {"http://99999999999999999999/", "invalid IPv4 address"},
    {"http://[::1/", "invalid IPv6 address"},
    {"http://[]/", "invalid IPv6 address"},
    {"http://[1:2]/", "invalid IPv6 address"},
    {"http://[::1%25eth0]/", "invalid IPv6 address"},
    {"http://[::g]/", "invalid IPv6 address"},
    {"http://[1::2::3]/", "invalid IPv6 address"},
    {"http://[::127.0.0.256]/", "invalid IPv6 address"},
    {"http://[0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:1]/", "invalid IPv6 address"},
    {"http://a b/", "invalid international domain name"},
    {"http://a<b/", "invalid international domain name"},
    {"http://a%20b/", "invalid international domain name"},
    {"http://a%00b/", "invalid international domain name"},
    {"http://a%2fb/", "invalid international domain name"},
    {"http://a%b/", "invalid international domain name"},
    {"http://a|b/", "invalid international domain name"},
    {"http://a^b/", "invalid international domain name"},
    {"http://a]b/", "invalid international domain name"},
    {"http://a\x7f/", "invalid international domain name"},
    {"http://\xFF/", "invalid international domain name"},
    {"http://\xEF\xBC\xA7\xEF\xBD\x8F.com/", "invalid international domain name"},
    {"http://a\xCC\x88/", "invalid international domain name"},
    {"http://a\xE2\x80\x8D"
     "b/",
     "invalid international domain name"},
    {"http://xn--/", "invalid international domain name"},
    {"foo://a b/", "invalid domain character"},
    {"foo://a<b/", "invalid domain character"},
    {"foo://a^b/", "invalid domain character"},
};

static int
parse(const char *text, struct url *u, struct buf *why)
{
    return url_parse(str_from(text), u, why);
}

static void
url_parse_writes_what_the_standard_writes(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct url u = URL_INIT;
        struct buf why = BUF_INIT, out = BUF_INIT;
        if (parse(good[i].text, &u, &why) < 0)
            fail_msg("%s: refused: %s", good[i].text, buf_cstr(&why));
        url_write(&out, &u);
        if (strcmp(buf_cstr(&out), good[i].written) != 0)
            fail_msg("%s: %s instead of %s", good[i].text, buf_cstr(&out), good[i].written);
        buf_done(&out);
        buf_done(&why);
        url_done(&u);
    }
}

static void
url_parse_of_its_own_output_changes_nothing(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct url u = URL_INIT;
        struct buf why = BUF_INIT, out = BUF_INIT;
        assert_int_equal(parse(good[i].written, &u, &why), 0);
        url_write(&out, &u);
        assert_string_equal(buf_cstr(&out), good[i].written);
        buf_done(&out);
        buf_done(&why);
        url_done(&u);
    }
}

static void
url_parse_refuses_in_upstreams_words(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct url u = URL_INIT;
        struct buf why = BUF_INIT;
        if (parse(bad[i].text, &u, &why) == 0)
            fail_msg("%s: accepted, host %s", bad[i].text, u.host);
        if (strcmp(buf_cstr(&why), bad[i].why) != 0)
            fail_msg("%s: %s instead of %s", bad[i].text, buf_cstr(&why), bad[i].why);
        assert_null(u.scheme);
        buf_done(&why);
    }
}

static void
url_parse_refuses_a_nul_in_the_host(void **state)
{
    (void) state;
    struct url u = URL_INIT;
    struct buf why = BUF_INIT;
    assert_int_equal(url_parse(STR("http://a\0b/"), &u, &why), -1);
    assert_string_equal(buf_cstr(&why), "invalid international domain name");
    buf_done(&why);
}

static void
url_parse_splits_into_parts(void **state)
{
    (void) state;
    struct url u = URL_INIT;
    struct buf why = BUF_INIT;
    assert_int_equal(parse("https://u:p@[::1]:8443/a/b?c=d#e", &u, &why), 0);
    assert_string_equal(u.scheme, "https");
    assert_string_equal(u.username, "u");
    assert_string_equal(u.password, "p");
    assert_string_equal(u.host, "::1");
    assert_true(u.host_is_ipv6);
    assert_false(u.host_is_ipv4);
    assert_int_equal(u.port, 8443);
    assert_string_equal(u.path, "/a/b");
    assert_string_equal(u.query, "c=d");
    assert_string_equal(u.fragment, "e");
    assert_true(u.is_special);
    assert_true(url_is_http(&u));
    url_done(&u);
    buf_done(&why);
}

static void
check_forms(const char *text, int port, const char *origin, const char *host, const char *redacted)
{
    struct url u = URL_INIT;
    struct buf why = BUF_INIT, a = BUF_INIT, b = BUF_INIT, c = BUF_INIT;
    assert_int_equal(parse(text, &u, &why), 0);
    url_write_origin_form(&a, &u);
    url_write_host_header(&b, &u);
    url_write_redacted(&c, &u);
    assert_int_equal(url_effective_port(&u), port);
    assert_string_equal(buf_cstr(&a), origin);
    assert_string_equal(buf_cstr(&b), host);
    assert_string_equal(buf_cstr(&c), redacted);
    buf_done(&a);
    buf_done(&b);
    buf_done(&c);
    buf_done(&why);
    url_done(&u);
}

static void
url_forms_for_the_request_and_for_logs(void **state)
{
    (void) state;
    check_forms("http://u:secret@h/p?token=1#f", 80, "/p?token=1", "h", "http://h/p");
    check_forms("https://h", 443, "/", "h", "https://h/");
    check_forms("https://h:80/x", 80, "/x", "h:80", "https://h:80/x");
    check_forms("http://[::1]:99/", 99, "/", "[::1]:99", "http://[::1]:99/");
    check_forms("http://[::1]/", 80, "/", "[::1]", "http://[::1]/");
    check_forms("mailto:x", -1, "x", "", "mailto:x");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(url_parse_writes_what_the_standard_writes),
        cmocka_unit_test(url_parse_of_its_own_output_changes_nothing),
        cmocka_unit_test(url_parse_refuses_in_upstreams_words),
        cmocka_unit_test(url_parse_refuses_a_nul_in_the_host),
        cmocka_unit_test(url_parse_splits_into_parts),
        cmocka_unit_test(url_forms_for_the_request_and_for_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
