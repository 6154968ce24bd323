/* The address policy against a table: every range of contract 7.6, with the addresses just inside
 * and just outside of it. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/address.h"

static struct sockaddr_storage
address(const char *text)
{
    struct sockaddr_storage ss = {0};
    struct sockaddr_in *in = (struct sockaddr_in *) &ss;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) &ss;
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
        ss.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
        ss.ss_family = AF_INET6;
    else
        fail_msg("not an address: %s", text);
    return ss;
}

static struct address_policy *
policy(const char *text)
{
    struct buf why = BUF_INIT;
    struct address_policy *p = address_policy_parse(str_from(text), &why);
    if (p == NULL)
        fail_msg("%s", buf_cstr(&why));
    buf_done(&why);
    return p;
}

static bool
allows(const struct address_policy *p, const char *text)
{
    struct sockaddr_storage ss = address(text);
    return address_policy_allows(p, (const struct sockaddr *) &ss);
}

static const struct row {
    const char *address;
    const char *class; /* NULL: public */
} rows[] = {
    {"0.0.0.0", "unspecified"},
    {"0.255.255.255", "unspecified"},
    {"1.0.0.0", NULL},
    {"1.1.1.1", NULL},
    {"8.8.8.8", NULL},
    {"9.255.255.255", NULL},
    {"10.0.0.0", "private"},
    {"10.1.2.3", "private"},
    {"10.255.255.255", "private"},
    {"11.0.0.0", NULL},
    {"100.63.255.255", NULL},
    {"100.64.0.0", "shared (carrier-grade NAT)"},
    {"100.127.255.255", "shared (carrier-grade NAT)"},
    {"100.128.0.0", NULL},
    {"126.255.255.255", NULL},
    {"127.0.0.0", "loopback"},
    {"127.0.0.1", "loopback"},
    {"127.255.255.255", "loopback"},
    {"128.0.0.0", NULL},
    {"169.253.255.255", NULL},
    {"169.254.0.0", "link-local"},
    {"169.254.169.254", "link-local"},
    {"169.254.255.255", "link-local"},
    {"169.255.0.0", NULL},
    {"172.15.255.255", NULL},
    {"172.16.0.0", "private"},
    {"172.31.255.255", "private"},
    {"172.32.0.0", NULL},
    {"191.255.255.255", NULL},
    {"192.0.0.0", "reserved"},
    {"192.0.0.8", "reserved"},
    {"192.0.0.9", NULL},
    {"192.0.0.10", NULL},
    {"192.0.0.11", "reserved"},
    {"192.0.0.255", "reserved"},
    {"192.0.1.0", NULL},
    {"192.0.1.255", NULL},
    {"192.0.2.0", "documentation"},
    {"192.0.2.255", "documentation"},
    {"192.0.3.0", NULL},
    {"192.31.195.255", NULL}, /* AS112, globally reachable, as its neighbours */
    {"192.31.196.0", NULL},
    {"192.52.193.0", NULL}, /* AMT */
    {"192.88.98.255", NULL},
    {"192.88.99.1", NULL}, /* the former relay of 6to4: public for upstream, too */
    {"192.88.100.0", NULL},
    {"192.175.48.0", NULL}, /* AS112 */
    {"192.167.255.255", NULL},
    {"192.168.0.0", "private"},
    {"192.168.255.255", "private"},
    {"192.169.0.0", NULL},
    {"198.17.255.255", NULL},
    {"198.18.0.0", "benchmarking"},
    {"198.19.255.255", "benchmarking"},
    {"198.20.0.0", NULL},
    {"198.51.99.255", NULL},
    {"198.51.100.0", "documentation"},
    {"198.51.100.255", "documentation"},
    {"198.51.101.0", NULL},
    {"203.0.112.255", NULL},
    {"203.0.113.0", "documentation"},
    {"203.0.113.255", "documentation"},
    {"203.0.114.0", NULL},
    {"223.255.255.255", NULL},
    {"224.0.0.0", "multicast"},
    {"224.0.0.251", "multicast"},
    {"239.255.255.255", "multicast"},
    {"240.0.0.0", "reserved"},
    {"254.255.255.255", "reserved"},
    {"255.255.255.254", "reserved"},
    {"255.255.255.255", "broadcast"},
    {"::", "unspecified"},
    {"::1", "loopback"},
    {"::2", "reserved"},
    {"::7f00:1", "reserved"}, /* IPv4-compatible */
    {"::127.0.0.1", "reserved"},
    {"::10.0.0.1", "reserved"},
    {"::169.254.169.254", "reserved"},
    {"::8.8.8.8", "reserved"},
    {"::255.255.255.255", "reserved"},
    {"::1:0:0", "reserved"},
    {"::fffe:ffff:ffff", "reserved"},
    {"::ffff:0.0.0.0", "unspecified"},
    {"::ffff:127.0.0.1", "loopback"},
    {"::ffff:10.0.0.1", "private"},
    {"::ffff:169.254.169.254", "link-local"},
    {"::ffff:8.8.8.8", "IPv4-mapped"},
    {"::ffff:255.255.255.255", "broadcast"},
    {"::ffff:0:127.0.0.1", "reserved"}, /* IPv4-translated (SIIT) */
    {"::ffff:0:8.8.8.8", "reserved"},
    {"::1:0:0:0", "reserved"},
    {"64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"64:ff9b::8.8.8.8", NULL},
    {"64:ff9b::127.0.0.1", "loopback"},
    {"64:ff9b::10.0.0.1", "private"},
    {"64:ff9b::192.168.1.1", "private"},
    {"64:ff9b::169.254.169.254", "link-local"},
    {"64:ff9b::", "unspecified"},
    {"64:ff9b::0.0.0.1", "unspecified"},
    {"64:ff9b::100.64.0.1", "shared (carrier-grade NAT)"},
    {"64:ff9b::172.16.0.1", "private"},
    {"64:ff9b::198.18.0.1", "benchmarking"},
    {"64:ff9b::224.0.0.1", "multicast"},
    {"64:ff9b::255.255.255.255", "broadcast"},
    {"64:ff9b::1:0:0", "reserved"},
    {"64:ff9b:0:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"64:ff9b:1::", "local NAT64"},
    {"64:ff9b:1::8.8.8.8", "local NAT64"},
    {"64:ff9b:1:0:8:808:800:0", "local NAT64"},
    {"64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "local NAT64"},
    {"64:ff9b:2::", "reserved"},
    {"ff:ffff:ffff:ffff::", "reserved"},
    {"100::", "discard-only"},
    {"100::ffff:ffff:ffff:ffff", "discard-only"},
    {"100:0:0:0:ffff:ffff:ffff:ffff", "discard-only"},
    {"100:0:0:1::", "reserved"}, /* RFC 9780's dummy prefix */
    {"100:0:0:2::", "reserved"},
    {"1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"2000::", NULL},
    {"2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {"2001::", "Teredo"},
    {"2001:0:4136:e378:8000:63bf:3fff:fdd2", "Teredo"},
    {"2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "Teredo"},
    {"2001:1::", "reserved"},
    {"2001:1::1", NULL},
    {"2001:1::2", NULL},
    {"2001:1::3", "reserved"},
    {"2001:2::", "benchmarking"},
    {"2001:2:0:ffff:ffff:ffff:ffff:ffff", "benchmarking"},
    {"2001:2:1::", "reserved"},
    {"2001:2:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"2001:3::", NULL},
    {"2001:3:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {"2001:4::", "reserved"},
    {"2001:4:111:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"2001:4:112::", NULL},
    {"2001:4:112:ffff:ffff:ffff:ffff:ffff", NULL},
    {"2001:4:113::", "reserved"},
    {"2001:10::", "reserved"}, /* the first ORCHID */
    {"2001:1f::", "reserved"},
    {"2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"2001:20::", NULL}, /* ORCHIDv2, globally reachable */
    {"2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {"2001:30::", NULL},
    {"2001:3f:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {"2001:40::", "reserved"},
    {"2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"2001:200::", NULL},
    {"2001:4860:4860::8888", NULL},
    {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {"2001:db8::", "documentation"},
    {"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"},
    {"2001:db9::", NULL},
    {"2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {"2002::", "6to4"},
    {"2002:7f00:1::", "6to4"},
    {"2002:808:808::1", "6to4"},
    {"2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "6to4"},
    {"2003::", NULL},
    {"2600::", NULL},
    {"2606:4700::6810:84e5", NULL},
    {"2620:4f:8000::", NULL}, /* AS112 */
    {"2a00:1450:4001:800::5efe", NULL},
    {"2a00::5eff:10.0.0.1", NULL},
    {"2a00::5efe:10.0.0.1", "private"}, /* ISATAP */
    {"2a00::200:5efe:10.0.0.1", "private"},
    {"2a00::5efe:127.0.0.1", "loopback"},
    {"2a00::5efe:169.254.169.254", "link-local"},
    {"2a00::5efe:8.8.8.8", NULL},
    {"2a00::200:5efe:8.8.8.8", NULL},
    {"2a00::100:5efe:10.0.0.1", NULL},
    {"2a00::1:5efe:10.0.0.1", NULL},
    {"2a00::1:0:5efe:10.0.0.1", "private"},
    {"3ffd:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {"3fff::", "documentation"},
    {"3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"},
    {"3fff:1000::", NULL},
    {"3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {"4000::", "reserved"},
    {"5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"5f00::", "segment routing"},
    {"5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "segment routing"},
    {"5f01::", "reserved"},
    {"fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"fc00::", "private"},
    {"fd00::1", "private"},
    {"fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "private"},
    {"fe00::", "reserved"},
    {"fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"fe80::", "link-local"},
    {"fe80::1", "link-local"},
    {"fe80::5efe:8.8.8.8", "link-local"},
    {"febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local"},
    {"fec0::", "site-local"},
    {"feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local"},
    {"fec0::1", "site-local"},
    {"fedf:ffff::", "site-local"},
    {"ff00::", "multicast"},
    {"ff01::1", "multicast"},
    {"ff05::2", "multicast"},
    {"ff02::1", "multicast"},
    {"ff0e::1", "multicast"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"},
};

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

static void
address_class_names_every_range(void **state)
{
    (void) state;
    assert_true(N_ROWS >= 200);
    for (size_t i = 0; i < N_ROWS; i++) {
        struct sockaddr_storage ss = address(rows[i].address);
        const char *class = address_class((const struct sockaddr *) &ss);
        const char *got = class == NULL ? "public" : class;
        const char *want = rows[i].class == NULL ? "public" : rows[i].class;
        if (strcmp(got, want) != 0)
            fail_msg("%s: %s instead of %s", rows[i].address, got, want);
    }
}

static void
address_policy_by_default_allows_exactly_the_public(void **state)
{
    (void) state;
    static const char *const defaults[] = {"", "  ", NULL};
    for (size_t k = 0; k < 3; k++) {
        struct address_policy *p = policy(defaults[k]);
        for (size_t i = 0; i < N_ROWS; i++)
            if (allows(p, rows[i].address) != (rows[i].class == NULL))
                fail_msg("%s", rows[i].address);
        address_policy_free(p);
    }
}

static void
address_policy_any_allows_all(void **state)
{
    (void) state;
    struct address_policy *p = policy("10.0.0.0/8, any");
    for (size_t i = 0; i < N_ROWS; i++)
        assert_true(allows(p, rows[i].address));
    address_policy_free(p);
}

static void
address_policy_allows_what_a_network_lists(void **state)
{
    (void) state;
    struct address_policy *p = policy("10.0.0.0/8, 192.168.1.128/25,127.0.0.1,fd00::/8,::1");
    assert_true(allows(p, "10.0.0.0"));
    assert_true(allows(p, "10.255.255.255"));
    assert_false(allows(p, "192.168.1.127"));
    assert_true(allows(p, "192.168.1.128"));
    assert_true(allows(p, "192.168.1.255"));
    assert_false(allows(p, "192.168.2.0"));
    assert_true(allows(p, "127.0.0.1"));
    assert_false(allows(p, "127.0.0.2"));
    assert_true(allows(p, "fd12::1"));
    assert_false(allows(p, "fc12::1"));
    assert_true(allows(p, "::1"));
    assert_false(allows(p, "::"));
    assert_true(allows(p, "8.8.8.8"));
    address_policy_free(p);
}

static void
address_policy_judges_the_ipv4_address_inside(void **state)
{
    (void) state;
    struct address_policy *p = policy("127.0.0.0/8,2002::/16,2001::/32,64:ff9b::/96");
    assert_true(allows(p, "::ffff:127.0.0.1"));
    assert_false(allows(p, "::ffff:10.0.0.1"));
    assert_false(allows(p, "::ffff:8.8.8.8"));
    assert_true(allows(p, "64:ff9b::127.0.0.1"));
    assert_false(allows(p, "64:ff9b::10.0.0.1"));
    assert_true(allows(p, "2002:7f00:1::"));
    assert_true(allows(p, "2002:808:808::"));
    assert_false(allows(p, "2002:a00:1::"));
    address_policy_free(p);
}

static void
address_policy_judges_isatap_hosts(void **state)
{
    (void) state;
    struct address_policy *p = policy("2a00::/16,2002::/16,172.16.0.0/12");
    assert_false(allows(p, "2a00::5efe:10.0.0.1"));
    assert_true(allows(p, "2a00::5efe:172.16.0.1"));
    assert_true(allows(p, "2a00::5efe:8.8.8.8"));
    assert_false(allows(p, "2002:a00:1::5efe:8.8.8.8")); /* the packet goes to 10.0.0.1 */
    address_policy_free(p);
}

static void
address_policy_judges_teredo_clients(void **state)
{
    (void) state;
    struct address_policy *p = policy("2001::/32");
    assert_false(allows(p, "2001:0:808:808:0:0:f5ff:fffe")); /* ~f5fffffe = 10.0.0.1 */
    assert_true(allows(p, "2001:0:808:808:0:0:f7f7:f7f7"));  /* 8.8.8.8 */
    address_policy_free(p);
}

static void
address_policy_refuses_zone_ids(void **state)
{
    (void) state;
    struct sockaddr_storage ss = address("fe80::1");
    ((struct sockaddr_in6 *) &ss)->sin6_scope_id = 1;
    struct address_policy *p = policy("fe80::/10");
    assert_true(allows(p, "fe80::1"));
    assert_false(address_policy_allows(p, (const struct sockaddr *) &ss));
    assert_string_equal(address_class((const struct sockaddr *) &ss), "scoped");
    address_policy_free(p);
}

static void
address_policy_refuses_what_is_not_ip(void **state)
{
    (void) state;
    struct sockaddr_storage ss = {.ss_family = AF_UNIX};
    struct address_policy *p = policy("any");
    assert_false(address_policy_allows(p, (const struct sockaddr *) &ss));
    assert_non_null(address_class((const struct sockaddr *) &ss));
    address_policy_free(p);
}

static void
address_policy_parse_accepts_whole_ranges(void **state)
{
    (void) state;
    struct address_policy *p = policy("0.0.0.0/0,::/0");
    assert_true(allows(p, "127.0.0.1"));
    assert_true(allows(p, "::1"));
    assert_true(allows(p, "::ffff:10.0.0.1"));
    address_policy_free(p);
}

static const struct {
    const char *text, *why;
} bad[] = {
    {"10.0.0.1/8", "`10.0.0.1/8`: host bits must be zero"},
    {"fd00::1/8", "`fd00::1/8`: host bits must be zero"},
    {"10.0.0.0/8,192.168.0.128/24", "`192.168.0.128/24`: host bits must be zero"},
    {"10.0.0.0/33", "`10.0.0.0/33`: the prefix length must be between 0 and 32"},
    {"::/129", "`::/129`: the prefix length must be between 0 and 128"},
    {"10.0.0.0/", "`10.0.0.0/`: the prefix length must be between 0 and 32"},
    {"10.0.0.0/-1", "`10.0.0.0/-1`: the prefix length must be between 0 and 32"},
    {"10.0.0.0/8/8", "`10.0.0.0/8/8`: the prefix length must be between 0 and 32"},
    {"nonsense", "`nonsense`: not an IP address or network"},
    {"10.0.0", "`10.0.0`: not an IP address or network"},
    {"10.0.0.0.0", "`10.0.0.0.0`: not an IP address or network"},
    {"010.0.0.0/8", "`010.0.0.0/8`: not an IP address or network"},
    {"fe80::1%eth0", "`fe80::1%eth0`: not an IP address or network"},
    {"[::1]", "`[::1]`: not an IP address or network"},
    {",", "``: not an IP address or network"},
    {"10.0.0.0/8,", "``: not an IP address or network"},
    {"example.com", "`example.com`: not an IP address or network"},
};

static void
address_policy_parse_refuses_with_the_reason(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct buf why = BUF_INIT;
        assert_null(address_policy_parse(str_from(bad[i].text), &why));
        assert_string_equal(buf_cstr(&why), bad[i].why);
        buf_done(&why);
    }
}

static void
address_policy_parse_takes_1000_networks_and_no_more(void **state)
{
    (void) state;
    struct buf list = BUF_INIT, why = BUF_INIT;
    for (int i = 0; i < 1000; i++)
        buf_addf(&list, "%s10.0.%d.%d", i == 0 ? "" : ",", i / 256, i % 256);
    struct address_policy *p = address_policy_parse(buf_str(&list), &why);
    assert_non_null(p);
    assert_true(allows(p, "10.0.3.231"));
    assert_false(allows(p, "10.0.3.232"));
    address_policy_free(p);
    buf_add_cstr(&list, ",10.9.9.9");
    assert_null(address_policy_parse(buf_str(&list), &why));
    assert_string_equal(buf_cstr(&why), "`10.9.9.9`: too many networks, at most 1000 can be given");
    buf_done(&list);
    buf_done(&why);
}

static void
address_format_writes_numeric_text(void **state)
{
    (void) state;
    char out[64];
    struct sockaddr_storage v4 = address("127.0.0.1"), v6 = address("2001:db8::1"), none = {0};
    address_format((const struct sockaddr *) &v4, out, sizeof(out));
    assert_string_equal(out, "127.0.0.1");
    address_format((const struct sockaddr *) &v6, out, sizeof(out));
    assert_string_equal(out, "2001:db8::1");
    address_format((const struct sockaddr *) &none, out, sizeof(out));
    assert_string_equal(out, "");
}

static bool
lists(const char *networks, const char *text)
{
    struct sockaddr_storage ss = address(text);
    struct address_policy *p = policy(networks);
    bool is_listed = address_policy_lists(p, (const struct sockaddr *) &ss);
    address_policy_free(p);
    return is_listed;
}

static void
address_policy_lists_only_what_a_network_names(void **state)
{
    (void) state;
    assert_true(lists("10.0.0.0/8", "10.1.2.3"));
    assert_true(lists("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_true(lists("8.8.8.8", "8.8.8.8"));
    assert_true(lists("any", "8.8.8.8"));
    assert_false(lists("10.0.0.0/8", "8.8.8.8"));
    assert_false(lists("", "8.8.8.8"));
    assert_false(lists("10.0.0.0/8", "64:ff9b::10.1.2.3"));
}

static void
address_policy_lists_any_when_there_is_a_network(void **state)
{
    (void) state;
    static const char *const texts[] = {"", "10.0.0.0/8", "any"};
    for (size_t i = 0; i < 3; i++) {
        struct address_policy *p = policy(texts[i]);
        assert_int_equal(address_policy_lists_any(p), i > 0);
        address_policy_free(p);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_class_names_every_range),
        cmocka_unit_test(address_policy_by_default_allows_exactly_the_public),
        cmocka_unit_test(address_policy_any_allows_all),
        cmocka_unit_test(address_policy_allows_what_a_network_lists),
        cmocka_unit_test(address_policy_judges_the_ipv4_address_inside),
        cmocka_unit_test(address_policy_judges_isatap_hosts),
        cmocka_unit_test(address_policy_judges_teredo_clients),
        cmocka_unit_test(address_policy_refuses_zone_ids),
        cmocka_unit_test(address_policy_refuses_what_is_not_ip),
        cmocka_unit_test(address_policy_parse_accepts_whole_ranges),
        cmocka_unit_test(address_policy_parse_refuses_with_the_reason),
        cmocka_unit_test(address_policy_parse_takes_1000_networks_and_no_more),
        cmocka_unit_test(address_policy_lists_only_what_a_network_names),
        cmocka_unit_test(address_policy_lists_any_when_there_is_a_network),
        cmocka_unit_test(address_format_writes_numeric_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
