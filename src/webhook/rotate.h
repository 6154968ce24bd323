#pragma once
/* Rotation of signing secrets: new ones take over at once, and what they replace goes on signing
 * beside them for a grace period, so that receivers can follow. Private to the folder; webhook.h
 * has the public half. */
#include "base/err.h"
#include "webhook/policy.h"
#include "webhook/webhook.h"

/* Puts new secrets into a policy that is not registered yet. ret_generated: bit a secret that we
 * made, to be shown once. 0, or -1 with err. */
int policy_rotate_secrets(struct webhook_policy *p, const struct webhook_rotation *rotation,
                          int64_t now_ms, uint32_t *ret_generated, struct err *err);
