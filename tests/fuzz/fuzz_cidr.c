/* A list of networks either gives a reason or a policy, and a policy that allows loopback was given
 * "any" or a network. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "fuzz.h"
#include "net/address.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf why = BUF_INIT;
    struct sockaddr_in public = {.sin_family = AF_INET, .sin_addr = {htonl(0x08080808)}};
    struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct str text = str_make(data, size);
    struct address_policy *p = address_policy_parse(text, &why);
    FUZZ_REQUIRE((p == NULL) == (why.len > 0));
    if (p != NULL) {
        FUZZ_REQUIRE(address_policy_allows(p, (const struct sockaddr *) &public));
        if (str_trim(text).len == 0)
            FUZZ_REQUIRE(!address_policy_allows(p, (const struct sockaddr *) &loopback));
    }
    address_policy_free(p);
    buf_done(&why);
    return 0;
}
