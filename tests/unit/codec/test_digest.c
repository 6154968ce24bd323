/* Digests against published vectors, text forms, comparison of secrets. */
#include <stdlib.h>

#include "../support.h"
#include "codec/digest.h"

static void
assert_hex_of(struct str digest, const char *expected)
{
    struct buf out = BUF_INIT;
    hex_encode(&out, digest);
    assert_buf_text(&out, expected);
}

static void
assert_hex(const uint8_t digest[SHA256_BYTES], const char *expected)
{
    assert_hex_of(str_make(digest, SHA256_BYTES), expected);
}

static void
digest_sha256_matches_the_standard(void **state)
{
    (void) state;
    uint8_t digest[SHA256_BYTES];
    digest_sha256(STR("abc"), digest);
    assert_hex(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_sha256(STR_NULL, digest);
    assert_hex(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void
sha256_adds_up_pieces(void **state)
{
    (void) state;
    uint8_t digest[SHA256_BYTES];
    struct sha256 *s = sha256_new();
    sha256_add(s, STR("a"));
    sha256_add(s, STR_NULL);
    sha256_add(s, STR("bc"));
    sha256_finish(s, digest);
    assert_hex(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_free(sha256_new());
    sha256_free(NULL);
}

static void
digest_hmac_sha256_matches_rfc_4231(void **state)
{
    (void) state;
    uint8_t digest[SHA256_BYTES];
    digest_hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"), digest);
    assert_hex(digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    digest_hmac_sha256(STR_NULL, STR_NULL, digest);
    assert_hex(digest, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* RFC 4231, test cases 2 and 6 (a key longer than a block). */
static void
hmac_sha256_adds_up_pieces(void **state)
{
    (void) state;
    uint8_t digest[SHA256_BYTES];
    char key[131];
    memset(key, 0xaa, sizeof(key));
    struct hmac_sha256 *h = hmac_sha256_new(STR("Jefe"));
    hmac_sha256_add(h, STR("what do ya want "));
    hmac_sha256_add(h, STR_NULL);
    hmac_sha256_add(h, STR("for nothing?"));
    hmac_sha256_finish(h, digest);
    assert_hex(digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    h = hmac_sha256_new(str_make(key, sizeof(key)));
    hmac_sha256_add(h, STR("Test Using Larger Than Block-Size Key - Hash Key First"));
    hmac_sha256_finish(h, digest);
    assert_hex(digest, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    hmac_sha256_free(hmac_sha256_new(STR_NULL));
    hmac_sha256_free(NULL);
}

/* Test cases 2, 3 and 6 (a key longer than a block). */
static void
digest_hmac_sha1_matches_rfc_2202(void **state)
{
    (void) state;
    uint8_t digest[SHA1_BYTES];
    char key[80], data[50];
    digest_hmac_sha1(STR("Jefe"), STR("what do ya want for nothing?"), digest);
    assert_hex_of(str_make(digest, SHA1_BYTES), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    memset(key, 0xaa, sizeof(key));
    memset(data, 0xdd, sizeof(data));
    digest_hmac_sha1(str_make(key, 20), str_make(data, sizeof(data)), digest);
    assert_hex_of(str_make(digest, SHA1_BYTES), "125d7342b9ac11cd91a39af48aa17b4f63f175d3");
    digest_hmac_sha1(str_make(key, sizeof(key)),
                     STR("Test Using Larger Than Block-Size Key - Hash Key First"), digest);
    assert_hex_of(str_make(digest, SHA1_BYTES), "aa4ae5e15272d00e95705637ce8a3b55ed402112");
}

static void
the_longer_hmacs_match_rfc_4231(void **state)
{
    (void) state;
    uint8_t digest[SHA512_BYTES];
    digest_hmac_sha384(STR("Jefe"), STR("what do ya want for nothing?"), digest);
    assert_hex_of(str_make(digest, SHA384_BYTES),
                  "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
                  "8e2240ca5e69e2c78b3239ecfab21649");
    digest_hmac_sha512(STR("Jefe"), STR("what do ya want for nothing?"), digest);
    assert_hex_of(str_make(digest, SHA512_BYTES),
                  "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
                  "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");
}

static const struct {
    struct str plain;
    const char *text;
} base64_rows[] = {
    {STR(""), ""},
    {STR("f"), "Zg=="},
    {STR("fo"), "Zm8="},
    {STR("foo"), "Zm9v"},
    {STR("foob"), "Zm9vYg=="},
    {STR("fooba"), "Zm9vYmE="},
    {STR("foobar"), "Zm9vYmFy"},
    {STR("\xFB\xFF\xFE\0"), "+//+AA=="},
};

static void
base64_encode_matches_rfc_4648(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT_OF(base64_rows); i++) {
        struct buf out = BUF_INIT;
        base64_encode(&out, base64_rows[i].plain);
        assert_buf_text(&out, base64_rows[i].text);
    }
}

static void
base64_decode_reverses_encode(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT_OF(base64_rows); i++) {
        struct buf out = BUF_INIT;
        assert_true(base64_decode(&out, str_from(base64_rows[i].text)));
        assert_true(str_equal(buf_str(&out), base64_rows[i].plain));
        buf_done(&out);
    }
}

static void
base64_decode_refuses_and_appends_nothing(void **state)
{
    (void) state;
    static const char *const bad[] = {"Z",    "Zg",       "Zg=",     "Zg=a", "====",
                                      "Z===", "Zh==",     "Zm9=",    "Zm-_", "Zm 9v",
                                      "=Zm9", "Zg==Zg==", "Zm9vZ?=="};
    struct buf out = BUF_INIT;
    buf_add_cstr(&out, "before");
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(base64_decode(&out, str_from(bad[i])));
        assert_text(buf_str(&out), "before");
    }
    assert_false(base64_decode(&out, STR("Zg\0=")));
    buf_done(&out);
}

static void
base64url_decode_takes_the_alphabet_of_urls_without_padding(void **state)
{
    (void) state;
    static const struct {
        const char *text;
        struct str plain;
    } rows[] = {
        {"", STR("")},
        {"Zg", STR("f")},
        {"Zm8", STR("fo")},
        {"Zm9v", STR("foo")},
        {"Zm9vYg", STR("foob")},
        {"Zm9vYmE", STR("fooba")},
        {"Zm9vYmFy", STR("foobar")},
        {"-_-_AA", STR("\xFB\xFF\xBF\0")},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out = BUF_INIT;
        assert_true(base64url_decode(&out, str_from(rows[i].text), NULL));
        assert_true(str_equal(buf_str(&out), rows[i].plain));
        buf_done(&out);
    }
}

static void
base64url_decode_says_what_is_wrong_and_appends_nothing(void **state)
{
    (void) state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"Zm9v!", "Invalid symbol 33, offset 4."},
        {"Zm9vZ", "Invalid input length: 5"},
        {"Z+9v", "Invalid symbol 43, offset 1."},
        {"Zm/v", "Invalid symbol 47, offset 2."},
        {"Zm9\xff", "Invalid symbol 255, offset 3."},
        {"Zg==", "Invalid padding"},
        {"Zm8=", "Invalid padding"},
        {"Z===", "Invalid symbol 61, offset 1."},
        {"Zg=a", "Invalid symbol 61, offset 2."},
        {"Zh", "Invalid last symbol 104, offset 1."},
        {"Zm9", "Invalid last symbol 57, offset 2."},
    };
    struct buf out = BUF_INIT;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf why = BUF_INIT;
        assert_false(base64url_decode(&out, str_from(rows[i].text), &why));
        assert_buf_text(&why, rows[i].why);
        assert_int_equal(out.len, 0);
    }
    buf_done(&out);
}

static void
bytes_equal_secret_compares_content_and_length(void **state)
{
    (void) state;
    assert_true(bytes_equal_secret(STR("key"), STR("key")));
    assert_true(bytes_equal_secret(STR_NULL, STR("")));
    assert_false(bytes_equal_secret(STR("key"), STR("kez")));
    assert_false(bytes_equal_secret(STR("key"), STR("keys")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digest_sha256_matches_the_standard),
        cmocka_unit_test(sha256_adds_up_pieces),
        cmocka_unit_test(digest_hmac_sha256_matches_rfc_4231),
        cmocka_unit_test(hmac_sha256_adds_up_pieces),
        cmocka_unit_test(digest_hmac_sha1_matches_rfc_2202),
        cmocka_unit_test(the_longer_hmacs_match_rfc_4231),
        cmocka_unit_test(base64_encode_matches_rfc_4648),
        cmocka_unit_test(base64_decode_reverses_encode),
        cmocka_unit_test(base64_decode_refuses_and_appends_nothing),
        cmocka_unit_test(base64url_decode_takes_the_alphabet_of_urls_without_padding),
        cmocka_unit_test(base64url_decode_says_what_is_wrong_and_appends_nothing),
        cmocka_unit_test(bytes_equal_secret_compares_content_and_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
