#pragma once
/* Invariant 9 for whoever connects: every address that a name has is judged, and one that is
 * refused refuses the whole. Only "localhost" may lose one of its two addresses: both are this
 * machine, and a user who allowed 127.0.0.0/8 means it. Private to the folder. */
#include "net/address.h"

enum { JUDGE_ADDRESS_CAP = 64 };
struct judgement {
    const struct address_policy *policy;
    const struct address_policy *also; /* what this one lists is allowed too; NULL: none */
    bool plain_only_to_listed; /* without TLS whoever is on the way reads along: only to networks
                                  that the policy lists */
    bool is_local;             /* the name is "localhost" */
};
/* Moves the addresses that may be connected to to the front; their number. 0: address is the
 * refused one and why says for what reason. */
size_t judge_addresses(const struct judgement *j, struct sockaddr_storage *addresses, size_t n,
                       char address[JUDGE_ADDRESS_CAP], struct buf *why);
