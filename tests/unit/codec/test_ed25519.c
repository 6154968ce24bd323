/* Ed25519 against the vectors of RFC 8032, 7.1. */
#include <stdlib.h>

#include "../support.h"
#include "codec/digest.h"
#include "codec/ed25519.h"

static const struct vector {
    const char *seed, *public_key, *message, *signature; /* hex */
} vectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d8c387b2eaeb4302aeeb00d291612bb0c00"},
};
enum { N_VECTORS = sizeof(vectors) / sizeof(vectors[0]) };

static size_t
from_hex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t) (str_hex_value(hex[2 * i]) << 4 | str_hex_value(hex[2 * i + 1]));
    return n;
}

static void
assert_hex_of(const uint8_t *bytes, size_t len, const char *expected)
{
    struct buf out = BUF_INIT;
    hex_encode(&out, str_make(bytes, len));
    assert_buf_text(&out, expected);
}

static void
ed25519_public_key_matches_the_standard(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_VECTORS; i++) {
        uint8_t seed[ED25519_SEED_BYTES], key[ED25519_PUBLIC_BYTES];
        assert_int_equal(from_hex(vectors[i].seed, seed), sizeof(seed));
        ed25519_public_key(seed, key);
        assert_hex_of(key, sizeof(key), vectors[i].public_key);
    }
}

static void
ed25519_sign_matches_the_standard(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_VECTORS; i++) {
        uint8_t seed[ED25519_SEED_BYTES], message[8], signature[ED25519_SIGNATURE_BYTES];
        assert_int_equal(from_hex(vectors[i].seed, seed), sizeof(seed));
        size_t len = from_hex(vectors[i].message, message);
        ed25519_sign(seed, str_make(message, len), signature);
        assert_hex_of(signature, sizeof(signature), vectors[i].signature);
    }
}

static void
ed25519_verify_accepts_only_what_was_signed(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_VECTORS; i++) {
        uint8_t key[ED25519_PUBLIC_BYTES], message[8], signature[ED25519_SIGNATURE_BYTES];
        (void) from_hex(vectors[i].public_key, key);
        (void) from_hex(vectors[i].signature, signature);
        size_t len = from_hex(vectors[i].message, message);
        assert_true(ed25519_verify(key, str_make(message, len), signature));
        assert_false(ed25519_verify(key, STR("another message"), signature));
        signature[0] ^= 1;
        assert_false(ed25519_verify(key, str_make(message, len), signature));
        signature[0] ^= 1;
        memset(key, 0xff, sizeof(key)); /* no point of the curve */
        assert_false(ed25519_verify(key, str_make(message, len), signature));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ed25519_public_key_matches_the_standard),
        cmocka_unit_test(ed25519_sign_matches_the_standard),
        cmocka_unit_test(ed25519_verify_accepts_only_what_was_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
