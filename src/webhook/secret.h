#pragma once
/* Signing secrets as texts (Standard Webhooks): whsec_ holds the key of HMAC-SHA256 (24 to 64
 * bytes), whsk_ the seed of an ed25519 pair (32 bytes; 64 when the public key follows it), whpk_
 * its public key. Private to the folder. */
#include "webhook/policy.h"

/* A new random secret, created now. */
void secret_generate(struct webhook_secret *ret, enum secret_kind kind);
/* Reads whsec_ or whsk_ text as a secret created now; false when it is neither. */
bool secret_parse(struct str text, struct webhook_secret *ret);

/* What a receiver needs to verify: the whsec_ text (shown once, when it was generated), or for
 * ed25519 the whpk_ text, which is no secret. Out then holds a secret: wipe it. */
void secret_write(struct buf *out, const struct webhook_secret *s);
/* What everybody may see: "whsec_XXX...", or the same whpk_ text. */
void secret_write_redacted(struct buf *out, const struct webhook_secret *s);
/* Whether text is what secret_write_redacted() writes of it. */
bool secret_is_redacted_as(const struct webhook_secret *s, struct str text);
