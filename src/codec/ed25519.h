#pragma once
/* Ed25519 (RFC 8032): signatures of 64 bytes, made with a 32-byte seed. */
#include <stdint.h>

#include "base/str.h"

enum { ED25519_SEED_BYTES = 32, ED25519_PUBLIC_BYTES = 32, ED25519_SIGNATURE_BYTES = 64 };
void ed25519_public_key(const uint8_t seed[ED25519_SEED_BYTES], uint8_t out[ED25519_PUBLIC_BYTES]);
void ed25519_sign(const uint8_t seed[ED25519_SEED_BYTES], struct str message,
                  uint8_t out[ED25519_SIGNATURE_BYTES]);
/* Whether the signature is the message's by the owner of that public key. */
bool ed25519_verify(const uint8_t public_key[ED25519_PUBLIC_BYTES], struct str message,
                    const uint8_t signature[ED25519_SIGNATURE_BYTES]);
