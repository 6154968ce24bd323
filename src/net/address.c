/* The address policy: which addresses are public, and which others the user allowed. The only place
 * that judges addresses; knows nothing of names or sockets. */
#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { POLICY_MAX_NETWORKS = 1000 };

struct network {
    int family; /* AF_INET, AF_INET6 */
    uint8_t bytes[16];
    int bits;
};

struct address_policy {
    bool allows_any;
    size_t n;
    struct network *networks;
};

/* IANA's special-purpose registries as contract 7.6 reads them; the first row that matches decides,
 * a NULL class is public. Multicast is refused too: it is nobody's unicast address. */
struct class_row {
    const char *prefix;
    int bits;
    const char *class;
};

static const struct class_row ipv4_rows[] = {
    {"0.0.0.0", 8, "unspecified"},
    {"10.0.0.0", 8, "private"},
    {"100.64.0.0", 10, "shared (carrier-grade NAT)"},
    {"127.0.0.0", 8, "loopback"},
    {"169.254.0.0", 16, "link-local"},
    {"172.16.0.0", 12, "private"},
    {"192.0.0.9", 32, NULL},
    {"192.0.0.10", 32, NULL},
    {"192.0.0.0", 24, "reserved"},
    {"192.0.2.0", 24, "documentation"},
    {"192.168.0.0", 16, "private"},
    {"198.18.0.0", 15, "benchmarking"},
    {"198.51.100.0", 24, "documentation"},
    {"203.0.113.0", 24, "documentation"},
    {"224.0.0.0", 4, "multicast"},
    {"255.255.255.255", 32, "broadcast"},
    {"240.0.0.0", 4, "reserved"},
};

/* Outside 2000::/3 and the well-known NAT64 prefix nothing is global unicast. */
static const struct class_row ipv6_rows[] = {
    {"::", 128, "unspecified"},
    {"::1", 128, "loopback"},
    {"::ffff:0:0", 96, "IPv4-mapped"},
    {"64:ff9b::", 96, NULL},
    {"64:ff9b:1::", 48, "local NAT64"},
    {"100::", 64, "discard-only"},
    {"2001::", 32, "Teredo"},
    {"2001:1::1", 128, NULL},
    {"2001:1::2", 128, NULL},
    {"2001:2::", 48, "benchmarking"},
    {"2001:3::", 32, NULL},
    {"2001:4:112::", 48, NULL},
    {"2001:20::", 28, NULL},
    {"2001:30::", 28, NULL},
    {"2001::", 23, "reserved"},
    {"2001:db8::", 32, "documentation"},
    {"2002::", 16, "6to4"},
    {"3fff::", 20, "documentation"},
    {"2000::", 3, NULL},
    {"5f00::", 16, "segment routing"},
    {"fc00::", 7, "private"},
    {"fe80::", 10, "link-local"},
    {"fec0::", 10, "site-local"},
    {"ff00::", 8, "multicast"},
    {"::", 0, "reserved"},
};

/* An address without port and padding; family 0 for anything that is not IP. */
struct plain {
    int family;
    uint8_t bytes[16];
    bool has_zone;
};

static struct plain
plain_from(const struct sockaddr *sa)
{
    struct plain a = {0};
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *) (const void *) sa;
        a.family = AF_INET;
        memcpy(a.bytes, &in->sin_addr, 4);
    } else if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) (const void *) sa;
        a.family = AF_INET6;
        memcpy(a.bytes, &in6->sin6_addr, 16);
        a.has_zone = in6->sin6_scope_id != 0;
    }
    return a;
}

static bool
prefix_matches(const uint8_t *address, const uint8_t *prefix, int bits)
{
    int whole = bits / 8, rest = bits % 8;
    if (memcmp(address, prefix, (size_t) whole) != 0)
        return false;
    if (rest == 0)
        return true;
    int mask = 0xFF << (8 - rest) & 0xFF;
    return (address[whole] & mask) == (prefix[whole] & mask);
}

static const char *
row_class(const struct plain *a, const struct class_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t prefix[16];
        if (inet_pton(a->family, rows[i].prefix, prefix) == 1 &&
            prefix_matches(a->bytes, prefix, rows[i].bits))
            return rows[i].class;
    }
    return NULL;
}

/* The class by the registry alone, without the address carried inside. */
static const char *
own_class(const struct plain *a)
{
    if (a->family == AF_INET)
        return row_class(a, ipv4_rows, sizeof(ipv4_rows) / sizeof(ipv4_rows[0]));
    if (a->family == AF_INET6)
        return row_class(a, ipv6_rows, sizeof(ipv6_rows) / sizeof(ipv6_rows[0]));
    return "not an internet";
}

static bool
is_mapped(const struct plain *a)
{
    static const uint8_t prefix[12] = {[10] = 0xFF, [11] = 0xFF};
    return a->family == AF_INET6 && memcmp(a->bytes, prefix, sizeof(prefix)) == 0;
}

/* Interface identifiers ::0:5efe:a.b.c.d and ::200:5efe:a.b.c.d (RFC 5214) in any network. */
static bool
is_isatap(const struct plain *a)
{
    static const uint8_t id[4] = {0x00, 0x00, 0x5E, 0xFE};
    uint8_t first = a->bytes[8] & 0xFD; /* without the universal/local bit */
    return first == id[0] && memcmp(a->bytes + 9, id + 1, 3) == 0;
}

/* The IPv4 address that an IPv6 one carries: the mapped one, behind NAT64, 6to4's router, Teredo's
 * client, ISATAP's host (in this order: packets go to the first that fits). */
static bool
carried_ipv4(const struct plain *a, struct plain *ret)
{
    static const uint8_t nat64[12] = {0x00, 0x64, 0xFF, 0x9B};
    static const uint8_t teredo[4] = {0x20, 0x01};
    *ret = (struct plain){.family = AF_INET};
    if (a->family != AF_INET6)
        return false;
    if (is_mapped(a) || memcmp(a->bytes, nat64, sizeof(nat64)) == 0) {
        memcpy(ret->bytes, a->bytes + 12, 4);
        return true;
    }
    if (a->bytes[0] == 0x20 && a->bytes[1] == 0x02) {
        memcpy(ret->bytes, a->bytes + 2, 4);
        return true;
    }
    bool is_teredo = memcmp(a->bytes, teredo, sizeof(teredo)) == 0;
    if (!is_teredo && !is_isatap(a))
        return false;
    for (int i = 0; i < 4; i++)
        ret->bytes[i] = (uint8_t) (is_teredo ? ~a->bytes[12 + i] : a->bytes[12 + i]);
    return true;
}

const char *
address_class(const struct sockaddr *sa)
{
    struct plain a = plain_from(sa), inner;
    if (a.has_zone)
        return "scoped";
    const char *class = own_class(&a);
    bool carries = carried_ipv4(&a, &inner);
    if (carries && (class == NULL || is_mapped(&a))) {
        const char *inner_class = own_class(&inner);
        if (inner_class != NULL)
            return inner_class;
    }
    return class;
}

static bool
is_listed(const struct address_policy *p, const struct plain *a)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->networks[i].family == a->family &&
            prefix_matches(a->bytes, p->networks[i].bytes, p->networks[i].bits))
            return true;
    return false;
}

static bool
is_listed_or_public(const struct address_policy *p, const struct plain *a)
{
    return own_class(a) == NULL || is_listed(p, a);
}

bool
address_policy_allows(const struct address_policy *p, const struct sockaddr *sa)
{
    struct plain a = plain_from(sa), inner;
    if (a.family == 0)
        return false;
    if (p->allows_any)
        return true;
    if (a.has_zone)
        return false;
    if (!carried_ipv4(&a, &inner))
        return is_listed_or_public(p, &a);
    /* The kernel connects a mapped address over IPv4: the network that lists it allows both. */
    if (is_mapped(&a) && is_listed(p, &inner))
        return true;
    return is_listed_or_public(p, &a) && is_listed_or_public(p, &inner);
}

bool
address_policy_lists(const struct address_policy *p, const struct sockaddr *sa)
{
    struct plain a = plain_from(sa), inner;
    if (a.family == 0 || p->allows_any)
        return p->allows_any;
    if (a.has_zone)
        return false;
    return is_listed(p, &a) || (is_mapped(&a) && carried_ipv4(&a, &inner) && is_listed(p, &inner));
}

bool
address_policy_lists_any(const struct address_policy *p)
{
    return p->allows_any || p->n > 0;
}

/* --- reading the option ---------------------------------------------------------------------- */

static int
refuse(struct buf *why, struct str text, const char *reason)
{
    buf_addf(why, "`%.*s`: %s", STR_ARG(text), reason);
    return -1;
}

static int
parse_address(struct str text, struct network *ret)
{
    char copy[INET6_ADDRSTRLEN];
    if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.data, '\0', text.len) != NULL)
        return -1;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *ret = (struct network){.family = memchr(copy, ':', text.len) != NULL ? AF_INET6 : AF_INET};
    return inet_pton(ret->family, copy, ret->bytes) == 1 ? 0 : -1;
}

static bool
has_host_bits(const struct network *net)
{
    int size = net->family == AF_INET ? 32 : 128;
    for (int i = net->bits; i < size; i++)
        if ((net->bytes[i / 8] & 0x80 >> i % 8) != 0)
            return true;
    return false;
}

static int
parse_network(struct str text, struct network *ret, struct buf *why)
{
    size_t slash = str_find(text, '/', 0);
    uint64_t bits;
    if (parse_address(str_slice(text, 0, slash), ret) < 0)
        return refuse(why, text, "not an IP address or network");
    int size = ret->family == AF_INET ? 32 : 128;
    ret->bits = size;
    if (slash == text.len)
        return 0;
    if (!str_to_u64(str_slice(text, slash + 1, text.len), (uint64_t) size, &bits))
        return refuse(why, text,
                      size == 32 ? "the prefix length must be between 0 and 32"
                                 : "the prefix length must be between 0 and 128");
    ret->bits = (int) bits;
    if (has_host_bits(ret))
        return refuse(why, text, "host bits must be zero");
    return 0;
}

static int
parse_list(struct address_policy *p, struct str text, struct buf *why)
{
    struct str rest = text, piece;
    while (str_split(&rest, ',', &piece)) {
        piece = str_trim(piece);
        if (str_equal_nocase(piece, STR("any"))) {
            p->allows_any = true;
            continue;
        }
        if (p->n == POLICY_MAX_NETWORKS)
            return refuse(why, piece, "too many networks, at most 1000 can be given");
        p->networks = mem_grow(p->networks, p->n + 1, sizeof(*p->networks));
        if (parse_network(piece, &p->networks[p->n], why) < 0)
            return -1;
        p->n++;
    }
    return 0;
}

struct address_policy *
address_policy_parse(struct str text, struct buf *why)
{
    struct address_policy *p = mem_new(1, sizeof(*p));
    if (str_trim(text).len > 0 && parse_list(p, text, why) < 0) {
        address_policy_free(p);
        return NULL;
    }
    return p;
}

void
address_policy_free(struct address_policy *p)
{
    if (p == NULL)
        return;
    free(p->networks);
    free(p);
}

void
address_format(const struct sockaddr *sa, char *out, size_t cap)
{
    struct plain a = plain_from(sa);
    if (cap > 0 && (a.family == 0 || inet_ntop(a.family, a.bytes, out, (socklen_t) cap) == NULL))
        out[0] = '\0';
}
