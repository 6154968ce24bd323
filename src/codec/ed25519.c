/* Ed25519 by OpenSSL. Owns no state; must not know what is signed. */
#include "codec/ed25519.h"

#include <openssl/evp.h>
#include <stdlib.h>

/* See digest.c: these calls fail only when memory runs out or the library is unusable. */
static void
require(bool ok)
{
    if (!ok)
        abort();
}

static EVP_PKEY *
key_of(const uint8_t seed[ED25519_SEED_BYTES])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, ED25519_SEED_BYTES);
    require(key != NULL);
    return key;
}

void
ed25519_public_key(const uint8_t seed[ED25519_SEED_BYTES], uint8_t out[ED25519_PUBLIC_BYTES])
{
    size_t len = ED25519_PUBLIC_BYTES;
    EVP_PKEY *key = key_of(seed);
    require(EVP_PKEY_get_raw_public_key(key, out, &len) == 1);
    EVP_PKEY_free(key);
}

void
ed25519_sign(const uint8_t seed[ED25519_SEED_BYTES], struct str message,
             uint8_t out[ED25519_SIGNATURE_BYTES])
{
    size_t len = ED25519_SIGNATURE_BYTES;
    EVP_PKEY *key = key_of(seed);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    require(ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1);
    require(EVP_DigestSign(ctx, out, &len, (const unsigned char *) message.data, message.len) == 1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
}

bool
ed25519_verify(const uint8_t public_key[ED25519_PUBLIC_BYTES], struct str message,
               const uint8_t signature[ED25519_SIGNATURE_BYTES])
{
    EVP_PKEY *key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, ED25519_PUBLIC_BYTES);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    require(key != NULL && ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1);
    bool is_valid = EVP_DigestVerify(ctx, signature, ED25519_SIGNATURE_BYTES,
                                     (const unsigned char *) message.data, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return is_valid;
}
