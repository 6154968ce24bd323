/* From a URL's host to the address policy: every way of writing an address is either refused or
 * becomes the address that it means, and is judged as that one. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/address.h"
#include "net/url.h"

static const char refused[] = "refused";
static const char name[] = "a name"; /* for DNS, whose answers are judged */

/* verdict: one of the above, or the address's class; NULL: public. */
static const struct row {
    const char *host, *verdict, *address;
} rows[] = {
    /* dotted */
    {"127.0.0.1", "loopback", "127.0.0.1"},
    {"127.0.0.1.", "loopback", "127.0.0.1"},
    {"127.0.0.1..", name, NULL},
    {".127.0.0.1", refused, NULL},
    {"127..0.1", refused, NULL},
    {"127.0.0.1.example", name, NULL},
    {"8.8.8.8", NULL, "8.8.8.8"},
    {"0", "unspecified", "0.0.0.0"},
    {"0.0.0.0", "unspecified", "0.0.0.0"},
    {"00000000000.0.0.0", "unspecified", "0.0.0.0"},
    /* short forms */
    {"127.1", "loopback", "127.0.0.1"},
    {"127.1.", "loopback", "127.0.0.1"},
    {"127.0.1", "loopback", "127.0.0.1"},
    {"127.257", "loopback", "127.0.1.1"},
    {"10.1", "private", "10.0.0.1"},
    {"172.16.1", "private", "172.16.0.1"},
    {"192.168.257", "private", "192.168.1.1"},
    {"169.254.43518", "link-local", "169.254.169.254"},
    {"127.16777216", refused, NULL},
    {"127.0.65536", refused, NULL},
    {"127.0.0.256", refused, NULL},
    {"127.0.0.0.1", refused, NULL},
    /* one number */
    {"2130706433", "loopback", "127.0.0.1"},
    {"2130706433.", "loopback", "127.0.0.1"},
    {"2852039166", "link-local", "169.254.169.254"},
    {"3232235521", "private", "192.168.0.1"},
    {"167772161", "private", "10.0.0.1"},
    {"134744072", NULL, "8.8.8.8"},
    {"4294967295", "broadcast", "255.255.255.255"},
    {"4294967296", refused, NULL},
    {"4294967297", refused, NULL},
    {"18446744073709551617", refused, NULL},
    /* octal */
    {"0177.0.0.1", "loopback", "127.0.0.1"},
    {"0177.1", "loopback", "127.0.0.1"},
    {"0000177.0.0.01", "loopback", "127.0.0.1"},
    {"017700000001", "loopback", "127.0.0.1"},
    {"012.0.0.1", "private", "10.0.0.1"},
    {"0300.0250.0.1", "private", "192.168.0.1"},
    {"0251.0376.0251.0376", "link-local", "169.254.169.254"},
    {"010.8.8.8", NULL, "8.8.8.8"},
    {"08.0.0.1", refused, NULL},
    {"0400.0.0.1", refused, NULL},
    {"040000000000", refused, NULL},
    /* hexadecimal */
    {"0x7f000001", "loopback", "127.0.0.1"},
    {"0X7F000001", "loopback", "127.0.0.1"},
    {"0x7f.1", "loopback", "127.0.0.1"},
    {"0x7f.0x0.0x0.0x1", "loopback", "127.0.0.1"},
    {"0x7f.0.0x0.01", "loopback", "127.0.0.1"},
    {"0x0000000007f000001", "loopback", "127.0.0.1"},
    {"0xa9fea9fe", "link-local", "169.254.169.254"},
    {"0xA.0x0.0x0.0x1", "private", "10.0.0.1"},
    {"0x", "unspecified", "0.0.0.0"},
    {"0xg", name, NULL},
    {"0x100000000", refused, NULL},
    {"0x100.0.0.1", refused, NULL},
    /* escaped */
    {"%31%32%37%2e%30%2e%30%2e%31", "loopback", "127.0.0.1"},
    {"127%2E0.0.1", "loopback", "127.0.0.1"},
    {"0%787f000001", "loopback", "127.0.0.1"},
    {"%6Cocalhost", name, NULL},
    {"127.0.0.1%00", refused, NULL},
    {"127.0.0.1%00.example", refused, NULL},
    {"127.0.0.1%20", refused, NULL},
    {"127.0.0.1%2f", refused, NULL},
    {"%2531%32%37.0.0.1", refused, NULL},
    /* other scripts: fullwidth, circled and Arabic digits, ideographic and fullwidth full stops */
    {"\uff11\uff12\uff17.0.0.1", refused, NULL},
    {"\u2460\u2461\u2466.0.0.1", refused, NULL},
    {"\u00b9\u00b2\u2077.0.0.1", refused, NULL},
    {"%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1", refused, NULL},
    {"127\u30020\u30020\u30021", "loopback", "127.0.0.1"},
    {"127\uff0e0\uff0e0\uff0e1", "loopback", "127.0.0.1"},
    {"127\uff610\uff610\uff611", "loopback", "127.0.0.1"},
    {"2130706433\u3002", "loopback", "127.0.0.1"},
    {"0\uff587f.1", refused, NULL},
    {"127.0.0.1\u200b", refused, NULL},
    {"127.0.0\u00ad.1", "loopback", "127.0.0.1"} /* it is ignored */,
    {"[\uff1a:1]", refused, NULL},
    /* IPv6 */
    {"[::1]", "loopback", "::1"},
    {"[0:0:0:0:0:0:0:1]", "loopback", "::1"},
    {"[0000:0000:0000:0000:0000:0000:0000:0001]", "loopback", "::1"},
    {"[::0.0.0.1]", "loopback", "::1"},
    {"[::]", "unspecified", "::"},
    {"[::127.0.0.1]", "reserved", "::127.0.0.1"},
    {"[::ffff:127.0.0.1]", "loopback", "::ffff:127.0.0.1"},
    {"[::FFFF:7F00:1]", "loopback", "::ffff:127.0.0.1"},
    {"[0:0:0:0:0:ffff:a9fe:a9fe]", "link-local", "::ffff:169.254.169.254"},
    {"[64:ff9b::7f00:1]", "loopback", "64:ff9b::7f00:1"},
    {"[64:ff9b::10.0.0.1]", "private", "64:ff9b::a00:1"},
    {"[2002:7f00:1::]", "6to4", "2002:7f00:1::"},
    {"[FD00::1]", "private", "fd00::1"},
    {"[fe80::1]", "link-local", "fe80::1"},
    {"[2a00::5efe:a00:1]", "private", "2a00::5efe:a00:1"},
    {"[2606:4700::1111]", NULL, "2606:4700::1111"},
    {"[fe80::1%25eth0]", refused, NULL},
    {"[fe80::1%eth0]", refused, NULL},
    {"[fe80::1%251]", refused, NULL},
    {"[::ffff:127.1]", refused, NULL},
    {"[::ffff:0x7f.0.0.1]", refused, NULL},
    {"[::ffff:0177.0.0.1]", refused, NULL},
    {"[::1", refused, NULL},
    {"::1", refused, NULL},
    {"[::1].", refused, NULL},
    {"[v1.fe80::a]", refused, NULL},
    /* what stands around the host */
    {"user:password@127.1", "loopback", "127.0.0.1"},
    {"8.8.8.8@127.1", "loopback", "127.0.0.1"},
    {"8.8.8.8%40127.1", refused, NULL},
    {"8.8.8.8:80@127.1:81", "loopback", "127.0.0.1"},
    {"127.1#@8.8.8.8", "loopback", "127.0.0.1"},
    {"127.1\\@8.8.8.8", "loopback", "127.0.0.1"},
    {"127.1?@8.8.8.8", "loopback", "127.0.0.1"},
    {"127.1:00080", "loopback", "127.0.0.1"},
    {"1\t2\n7.0.0.1", "loopback", "127.0.0.1"},
    /* names */
    {"localhost", name, NULL},
    {"LocalHost.", name, NULL},
    {"1a", name, NULL},
    {"127.0.0.1a", name, NULL},
    {"127-0-0-1.example", name, NULL},
};

static const char *
judge(const struct url *u, struct sockaddr_storage *ss)
{
    ss->ss_family = u->host_is_ipv6 ? AF_INET6 : AF_INET;
    void *bytes = u->host_is_ipv6 ? (void *) &((struct sockaddr_in6 *) ss)->sin6_addr
                                  : (void *) &((struct sockaddr_in *) ss)->sin_addr;
    if (inet_pton(ss->ss_family, u->host, bytes) != 1)
        fail_msg("%s is called an address", u->host);
    return address_class((const struct sockaddr *) ss);
}

static const char *
verdict_of(const char *host, struct sockaddr_storage *ss)
{
    struct url u = URL_INIT;
    struct buf text = BUF_INIT, why = BUF_INIT;
    const char *verdict = refused;
    buf_addf(&text, "http://%s/", host);
    if (url_parse(buf_str(&text), &u, &why) == 0) {
        unsigned char bytes[16];
        if (u.host_is_ipv4 || u.host_is_ipv6)
            verdict = judge(&u, ss);
        else {
            verdict = name;
            /* libc's own reading of odd spellings must not be left to chance. */
            assert_int_equal(inet_pton(AF_INET, u.host, bytes), 0);
            assert_int_equal(inet_aton(u.host, (struct in_addr *) (void *) bytes), 0);
        }
    }
    url_done(&u);
    buf_done(&text);
    buf_done(&why);
    return verdict;
}

static void
hosts_are_judged_as_what_they_mean(void **state)
{
    (void) state;
    int n_wrong = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sockaddr_storage ss = {0}, expected = {0};
        const char *got = verdict_of(rows[i].host, &ss);
        const char *want = rows[i].verdict;
        if ((got == NULL) != (want == NULL) || (got != NULL && strcmp(got, want) != 0)) {
            n_wrong++;
            print_error("%s: %s instead of %s\n", rows[i].host, got == NULL ? "public" : got,
                        want == NULL ? "public" : want);
            continue;
        }
        if (rows[i].address == NULL)
            continue;
        bool is_v6 = ss.ss_family == AF_INET6;
        void *bytes = is_v6 ? (void *) &((struct sockaddr_in6 *) &expected)->sin6_addr
                            : (void *) &((struct sockaddr_in *) &expected)->sin_addr;
        expected.ss_family = ss.ss_family;
        assert_int_equal(inet_pton(ss.ss_family, rows[i].address, bytes), 1);
        if (memcmp(&ss, &expected, sizeof(ss)) != 0)
            fail_msg("%s is not %s", rows[i].host, rows[i].address);
    }
    assert_int_equal(n_wrong, 0);
}

/* All the ways of writing the four bytes, each part in decimal, octal and hexadecimal. */
static void
every_base_and_length_means_the_same_address(void **state)
{
    (void) state;
    static const char *const formats[] = {"%u", "0%o", "0x%x", "0X%X", "000%o", "0x00%x"};
    enum { N = sizeof(formats) / sizeof(formats[0]) };
    static const unsigned parts[4][4] = {
        {0xA9FEA9FE}, {169, 0xFEA9FE}, {169, 254, 0xA9FE}, {169, 254, 169, 254}};
    for (size_t n = 0; n < 4; n++) {
        for (size_t choice = 0; choice < (size_t) N * N; choice++) {
            struct buf host = BUF_INIT;
            struct sockaddr_storage ss = {0};
            for (size_t i = 0; i <= n; i++) {
                const char *format = formats[i % 2 == 0 ? choice % N : choice / N];
                char part[32];
                (void) snprintf(part, sizeof(part), format, parts[n][i]);
                buf_addf(&host, "%s%s", i > 0 ? "." : "", part);
            }
            const char *verdict = verdict_of(buf_cstr(&host), &ss);
            if (verdict == NULL || strcmp(verdict, "link-local") != 0)
                fail_msg("%s: %s", buf_cstr(&host), verdict == NULL ? "public" : verdict);
            buf_done(&host);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_judged_as_what_they_mean),
        cmocka_unit_test(every_base_and_length_means_the_same_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
