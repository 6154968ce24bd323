/* Which of a name's addresses may be connected to. Pure but for the words. */
#include "net/judge.h"

static bool
allows(const struct judgement *j, const struct sockaddr *sa)
{
    return address_policy_allows(j->policy, sa) ||
           (j->also != NULL && address_policy_lists(j->also, sa));
}

static bool
may_be_plain(const struct judgement *j, const struct sockaddr *sa)
{
    return !j->plain_only_to_listed || address_policy_lists(j->policy, sa);
}

static void
write_refusal(const struct judgement *j, const struct sockaddr *sa, const char *address,
              struct buf *why)
{
    const char *class = address_class(sa);
    if (allows(j, sa))
        buf_addf(why,
                 "plain http to %s is refused: use https, or list its network in "
                 "--experimental-allowed-ip-networks",
                 address);
    else
        buf_addf(why,
                 "the address %s is refused: %s addresses are not public; "
                 "--experimental-allowed-ip-networks can allow them",
                 address, class != NULL ? class : "such");
}

size_t
judge_addresses(const struct judgement *j, struct sockaddr_storage *addresses, size_t n,
                char address[JUDGE_ADDRESS_CAP], struct buf *why)
{
    const struct sockaddr *refused = NULL;
    size_t n_allowed = 0;
    for (size_t i = 0; i < n && (refused == NULL || j->is_local); i++) {
        const struct sockaddr *sa = (const struct sockaddr *) &addresses[i];
        if (allows(j, sa) && may_be_plain(j, sa))
            addresses[n_allowed++] = addresses[i];
        else if (refused == NULL)
            refused = sa;
    }
    if (refused == NULL || (j->is_local && n_allowed > 0))
        return n_allowed;
    address_format(refused, address, JUDGE_ADDRESS_CAP);
    write_refusal(j, refused, address, why);
    return 0;
}
