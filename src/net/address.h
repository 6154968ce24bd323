#pragma once
/* The address policy (contract 7.6, invariant 9): every address that is not public is refused
 * unless allowed. */
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"

struct address_policy; /* allowed networks */

/* Comma-separated CIDRs ("10.0.0.0/8,fd00::/8", bare address = host, host bits must be zero) or
 * containing "any". Empty or NULL text: nothing but public addresses. NULL with why ("`10.0.0.1/8`:
 * host bits must be zero") on error. */
struct address_policy *address_policy_parse(struct str text, struct buf *why);
void address_policy_free(struct address_policy *p);
/* Judges one address. IPv4-mapped, NAT64 (64:ff9b::/96), ISATAP, 6to4 and Teredo addresses are
 * judged by the IPv4 address they carry as well; scoped (zone id) addresses are refused. */
bool address_policy_allows(const struct address_policy *p, const struct sockaddr *sa);
/* Whether an allowed network lists it ("any": every address); and whether there is such a network.
 */
bool address_policy_lists(const struct address_policy *p, const struct sockaddr *sa);
bool address_policy_lists_any(const struct address_policy *p);
/* Why it would be refused: "loopback", "private", "link-local", ... ; NULL when it is public. */
const char *address_class(const struct sockaddr *sa);
void address_format(const struct sockaddr *sa, char *out,
                    size_t cap); /* "127.0.0.1", "::1", no port */
