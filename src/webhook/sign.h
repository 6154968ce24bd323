#pragma once
/* Standard Webhooks signatures: of "<webhook-id>.<webhook-timestamp>.<body>", the body as it is
 * before compression, because that is what the official libraries verify. One signature a key,
 * separated by spaces: the current key and the old ones that have not expired. Private to the
 * folder. */
#include "base/buf.h"
#include "webhook/policy.h"

struct signing;

/* NULL when there is no key to sign with. The body must stay until the signature is made. */
struct signing *signing_new(const struct webhook_policy *policy, struct str id, int64_t now_ms,
                            struct str body);
void signing_free(struct signing *s); /* NULL accepted */
/* Works until the deadline; true when the signature is complete. An ed25519 signature is made in
 * one go, a key a step (bodies for such keys are kept small: plan.h). */
bool signing_step(struct signing *s, int64_t deadline_us);

/* The headers' values, once complete; valid until freed. */
const char *signing_timestamp(const struct signing *s);
const char *signing_signature(struct signing *s);
