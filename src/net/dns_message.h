#pragma once
/* DNS messages (RFC 1035) as far as asking a recursive server for addresses needs them: for
 * resolver_tcp.c. Pure functions. */
#include "base/buf.h"
#include "net/resolver.h"

enum dns_type { DNS_TYPE_A = 1, DNS_TYPE_AAAA = 28 };

struct dns_query {
    uint16_t id;
    const char *name; /* without the final dot, labels of 1 to 63 bytes, 253 in all */
    enum dns_type type;
};

struct dns_answer {
    int rcode;
    size_t n; /* of addresses, 4 bytes each for A and 16 for AAAA; what is too many is left out */
    uint8_t addresses[RESOLVER_MAX_ADDRESSES * 16];
    uint32_t ttl_s; /* the shortest */
};

void dns_message_write_question(struct buf *out, const struct dns_query *q);
/* -1 when it is no answer to this question. */
int dns_message_read_answer(struct str message, const struct dns_query *q, struct dns_answer *ret);
