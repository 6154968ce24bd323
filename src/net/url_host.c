/* Hosts of URLs: domains, IPv4 in every spelling the WHATWG standard takes, IPv6, opaque hosts.
 * Knows nothing of the rest of a URL and looks nothing up. */
#include "net/url_host.h"

#include <arpa/inet.h>

static const char bad_domain[] = "invalid international domain name";
static const char bad_ipv4[] = "invalid IPv4 address";
static const char bad_ipv6[] = "invalid IPv6 address";
static const char bad_opaque[] = "invalid domain character";
static const char no_host[] = "empty host";

static int
fail(struct buf *why, const char *reason)
{
    buf_add_cstr(why, reason);
    return -1;
}

static void
percent_decode(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        int high = -1, low = -1;
        if (s.data[i] == '%' && i + 2 < s.len) {
            high = str_hex_value(s.data[i + 1]);
            low = str_hex_value(s.data[i + 2]);
        }
        if (high < 0 || low < 0) {
            buf_add_char(out, s.data[i]);
            continue;
        }
        buf_add_char(out, (char) (high * 16 + low));
        i += 2;
    }
}

static bool
has_forbidden(struct str s, const char *forbidden, bool controls_too)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char) s.data[i];
        if (c == 0 || strchr(forbidden, c) != NULL)
            return true;
        if (controls_too && (c < 0x20 || c == 0x7F))
            return true;
    }
    return false;
}

/* The longest run of two or more zero groups, or -1. */
static int
longest_zero_run(const uint16_t groups[8], int *ret_len)
{
    int best = -1;
    *ret_len = 1;
    for (int i = 0; i < 8; i++) {
        int n = 0;
        while (i + n < 8 && groups[i + n] == 0)
            n++;
        if (n > *ret_len) {
            best = i;
            *ret_len = n;
        }
        if (n > 0)
            i += n - 1;
    }
    return best;
}

/* The standard's IPv6 serializer: like inet_ntop, but never with a dotted tail. */
static void
write_ipv6(struct buf *out, const uint8_t bytes[16])
{
    uint16_t groups[8];
    for (int i = 0; i < 8; i++)
        groups[i] = (uint16_t) (bytes[2 * i] << 8 | bytes[2 * i + 1]);
    int run_len, run = longest_zero_run(groups, &run_len);
    for (int i = 0; i < 8; i++) {
        if (i == run) {
            buf_add_cstr(out, "::");
            i += run_len - 1;
            continue;
        }
        buf_addf(out, "%x", groups[i]);
        if (i < 7 && i + 1 != run)
            buf_add_char(out, ':');
    }
}

static int
parse_ipv6(struct str text, struct buf *out, struct url *u, struct buf *why)
{
    char copy[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    if (text.len >= sizeof(copy) || memchr(text.data, '\0', text.len) != NULL)
        return fail(why, bad_ipv6);
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET6, copy, bytes) != 1)
        return fail(why, bad_ipv6);
    write_ipv6(out, bytes);
    u->host_is_ipv6 = true;
    return 0;
}

/* One part of an IPv4 address: decimal, 0octal or 0xhex. Saturates at 2^33; -1 when not a number.
 */
static int64_t
ipv4_number(struct str part)
{
    int base = 10;
    if (part.len == 0)
        return -1;
    if (part.len >= 2 && part.data[0] == '0') {
        bool is_hex = part.data[1] == 'x' || part.data[1] == 'X';
        base = is_hex ? 16 : 8;
        part = str_slice(part, is_hex ? 2 : 1, part.len);
    }
    int64_t value = 0;
    for (size_t i = 0; i < part.len; i++) {
        int digit = str_hex_value(part.data[i]);
        if (digit < 0 || digit >= base)
            return -1;
        if (value < INT64_C(1) << 33)
            value = value * base + digit;
    }
    return value;
}

/* "Ends in a number": such a host is an IPv4 address or nothing. */
static bool
ends_in_number(struct str host)
{
    if (host.len > 0 && host.data[host.len - 1] == '.')
        host.len--;
    size_t start = host.len;
    while (start > 0 && host.data[start - 1] != '.')
        start--;
    struct str last = str_slice(host, start, host.len);
    bool is_digits = last.len > 0;
    for (size_t i = 0; i < last.len; i++)
        is_digits = is_digits && last.data[i] >= '0' && last.data[i] <= '9';
    return is_digits || ipv4_number(last) >= 0;
}

static int
parse_ipv4(struct str text, struct buf *out, struct url *u, struct buf *why)
{
    int64_t parts[4];
    int n = 0;
    if (text.len > 0 && text.data[text.len - 1] == '.')
        text.len--;
    struct str rest = text, piece;
    while (str_split(&rest, '.', &piece)) {
        if (n == 4 || (parts[n] = ipv4_number(piece)) < 0)
            return fail(why, bad_ipv4);
        n++;
    }
    if (n == 0)
        return fail(why, bad_ipv4);
    uint32_t address = 0;
    for (int i = 0; i < n - 1; i++) {
        if (parts[i] > 255)
            return fail(why, bad_ipv4);
        address |= (uint32_t) parts[i] << (24 - 8 * i);
    }
    if (parts[n - 1] >= INT64_C(1) << (8 * (5 - n)))
        return fail(why, bad_ipv4);
    address |= (uint32_t) parts[n - 1];
    buf_addf(out, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255,
             address & 255);
    u->host_is_ipv4 = true;
    return 0;
}

static int
write_domain(struct str decoded, struct buf *out)
{
    bool is_ascii = true;
    for (size_t i = 0; i < decoded.len; i++)
        is_ascii = is_ascii && (unsigned char) decoded.data[i] < 0x80;
    if (!is_ascii)
        return url_idna_to_ascii(decoded, out);
    for (size_t i = 0; i < decoded.len; i++) {
        char c = decoded.data[i];
        buf_add_char(out, (char) (c >= 'A' && c <= 'Z' ? c + 0x20 : c));
    }
    return 0;
}

/* "xn--" must be followed by something that could be punycode. */
static bool
has_empty_punycode(struct str domain)
{
    struct str rest = domain, label;
    while (str_split(&rest, '.', &label))
        if (str_starts_with(label, "xn--") && (label.len == 4 || label.data[label.len - 1] == '-'))
            return true;
    return false;
}

static int
parse_domain(struct str text, struct buf *out, struct url *u, struct buf *why)
{
    struct buf decoded = BUF_INIT, domain = BUF_INIT;
    int rc = -1;
    percent_decode(&decoded, text);
    if (write_domain(buf_str(&decoded), &domain) < 0 ||
        has_forbidden(buf_str(&domain), " #/:<>?@[\\]^|%", true) ||
        has_empty_punycode(buf_str(&domain)))
        (void) fail(why, bad_domain);
    else if (domain.len == 0)
        (void) fail(why, no_host);
    else if (ends_in_number(buf_str(&domain)))
        rc = parse_ipv4(buf_str(&domain), out, u, why);
    else {
        buf_add_str(out, buf_str(&domain));
        rc = 0;
    }
    buf_done(&decoded);
    buf_done(&domain);
    return rc;
}

int
url_host_parse(struct str text, bool is_special, struct buf *out, struct url *u, struct buf *why)
{
    if (text.data[0] == '[') {
        if (text.len < 2 || text.data[text.len - 1] != ']')
            return fail(why, bad_ipv6);
        return parse_ipv6(str_slice(text, 1, text.len - 1), out, u, why);
    }
    if (is_special)
        return parse_domain(text, out, u, why);
    if (has_forbidden(text, " #/:<>?@[\\]^|", false))
        return fail(why, bad_opaque);
    url_percent_encode(out, text, "");
    return 0;
}
