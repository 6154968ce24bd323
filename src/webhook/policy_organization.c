/* The two members of a policy that make it one of an organisation's webhook. No body sets them:
 * they come from organization_webhooks.c or the store. */
#include "webhook/channel.h"
#include "webhook/policy_types.h"
#include "webhook/terms.h"

static void
channel_encode(struct buf *out, const struct policy_row *row, const struct webhook_policy *p)
{
    (void) row;
    rec_put_str(out, channel_text(p->channel));
}

static void
channel_decode(struct rec *r, const struct policy_row *row, struct webhook_policy *p)
{
    struct str text = rec_str(r);
    (void) row;
    if (!r->failed)
        p->channel = channel_from_text(text);
    if (p->channel == NULL)
        r->failed = true;
}

static void
channel_let_go(const struct policy_row *row, struct webhook_policy *p)
{
    (void) row;
    channel_release(p->channel);
}

const struct policy_type policy_type_channel = {
    .encode = channel_encode, .decode = channel_decode, .release = channel_let_go};

static void
encode_terms(struct buf *out, const struct policy_row *row, const struct webhook_policy *p)
{
    (void) row;
    terms_encode(out, p->terms);
}

static void
decode_terms(struct rec *r, const struct policy_row *row, struct webhook_policy *p)
{
    (void) row;
    p->terms = terms_decode(r);
}

static void
terms_let_go(const struct policy_row *row, struct webhook_policy *p)
{
    (void) row;
    terms_release(p->terms);
}

const struct policy_type policy_type_terms = {
    .encode = encode_terms, .decode = decode_terms, .release = terms_let_go};
