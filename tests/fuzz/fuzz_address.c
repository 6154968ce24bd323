/* Any address against any list of networks. The first 16 bytes are the address (4 of them, with an
 * odd 17th byte, an IPv4 one), the rest is the list. What must hold: without networks exactly the
 * public is allowed; a longer list never allows less; what an address carries is judged, too; and
 * no spelling of an address in a URL is judged in another way. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "fuzz.h"
#include "net/address.h"
#include "net/url.h"

enum { ADDRESS_BYTES = 16 };

static struct sockaddr_storage
make(int family, const uint8_t *bytes)
{
    struct sockaddr_storage ss = {.ss_family = (sa_family_t) family};
    if (family == AF_INET)
        memcpy(&((struct sockaddr_in *) &ss)->sin_addr, bytes, 4);
    else
        memcpy(&((struct sockaddr_in6 *) &ss)->sin6_addr, bytes, 16);
    return ss;
}

static const struct sockaddr *
plain(const struct sockaddr_storage *ss)
{
    return (const struct sockaddr *) ss;
}

static struct address_policy *
parse(struct str text)
{
    struct buf why = BUF_INIT;
    struct address_policy *p = address_policy_parse(text, &why);
    FUZZ_REQUIRE((p == NULL) == (why.len > 0));
    buf_done(&why);
    return p;
}

/* An IPv4 address that is refused is refused in every dress as well. */
static void
check_dresses(const struct address_policy *nothing, const uint8_t *v4)
{
    uint8_t mapped[16] = {[10] = 0xFF, [11] = 0xFF}, nat64[16] = {0x00, 0x64, 0xFF, 0x9B},
            isatap[16] = {0x2A, 0x00, [10] = 0x5E, [11] = 0xFE}, six[16] = {0x20, 0x02};
    struct sockaddr_storage inner = make(AF_INET, v4);
    memcpy(mapped + 12, v4, 4);
    memcpy(nat64 + 12, v4, 4);
    memcpy(isatap + 12, v4, 4);
    memcpy(six + 2, v4, 4);
    const uint8_t *const dresses[] = {nat64, isatap, mapped, six};
    for (size_t i = 0; i < 4; i++) {
        struct sockaddr_storage ss = make(AF_INET6, dresses[i]);
        bool is_allowed = address_policy_allows(nothing, plain(&ss));
        FUZZ_REQUIRE(!is_allowed || address_policy_allows(nothing, plain(&inner)));
        if (i >= 2)
            FUZZ_REQUIRE(!is_allowed);
    }
}

static void
check_scoped(const struct address_policy *p, struct sockaddr_storage ss)
{
    if (ss.ss_family != AF_INET6)
        return;
    ((struct sockaddr_in6 *) &ss)->sin6_scope_id = 1;
    FUZZ_REQUIRE(!address_policy_allows(p, plain(&ss)));
}

static void
check_url(const struct sockaddr_storage *ss)
{
    char text[64], bracketed[72];
    uint8_t bytes[16];
    struct url u = URL_INIT;
    struct buf why = BUF_INIT, whole = BUF_INIT;
    address_format(plain(ss), text, sizeof(text));
    FUZZ_REQUIRE(inet_pton(ss->ss_family, text, bytes) == 1);
    (void) snprintf(bracketed, sizeof(bracketed), ss->ss_family == AF_INET6 ? "[%s]" : "%s", text);
    buf_addf(&whole, "http://%s/", bracketed);
    FUZZ_REQUIRE(url_parse(buf_str(&whole), &u, &why) == 0);
    FUZZ_REQUIRE(inet_pton(ss->ss_family, u.host, bytes) == 1);
    struct sockaddr_storage again = make(ss->ss_family, bytes);
    FUZZ_REQUIRE(memcmp(&again, ss, sizeof(again)) == 0);
    url_done(&u);
    buf_done(&why);
    buf_done(&whole);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size <= ADDRESS_BYTES)
        return 0;
    struct sockaddr_storage ss = make(data[ADDRESS_BYTES] & 1 ? AF_INET : AF_INET6, data);
    struct str list = str_make(data + ADDRESS_BYTES + 1, size - ADDRESS_BYTES - 1);
    struct address_policy *nothing = parse(STR("")), *some = parse(list);
    bool is_public = address_policy_allows(nothing, plain(&ss));
    FUZZ_REQUIRE(is_public == (address_class(plain(&ss)) == NULL));
    FUZZ_REQUIRE(!address_policy_lists(nothing, plain(&ss)));
    check_dresses(nothing, data);
    check_url(&ss);
    if (some != NULL) {
        FUZZ_REQUIRE(!is_public || address_policy_allows(some, plain(&ss)));
        if (!address_policy_lists_any(some))
            FUZZ_REQUIRE(is_public == address_policy_allows(some, plain(&ss)));
        if (memmem(list.data, list.len, "n", 1) == NULL &&
            memmem(list.data, list.len, "N", 1) == NULL) /* not "any" */
            check_scoped(some, ss);
    }
    address_policy_free(nothing);
    address_policy_free(some);
    return 0;
}
