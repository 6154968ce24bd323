/* Digests against published vectors, text forms, comparison of secrets. */
#include <stdlib.h>

#include "../support.h"
#include "codec/digest.h"

static void
assert_hex(const uint8_t digest[SHA256_BYTES], const char *expected)
{
    struct buf out = BUF_INIT;
    hex_encode(&out, str_make(digest, SHA256_BYTES));
    assert_buf_text(&out, expected);
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
        cmocka_unit_test(base64_encode_matches_rfc_4648),
        cmocka_unit_test(base64_decode_reverses_encode),
        cmocka_unit_test(base64_decode_refuses_and_appends_nothing),
        cmocka_unit_test(bytes_equal_secret_compares_content_and_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
