/* Tenant tokens: the input as a token; and, cut at its first line end, as header and claims that
 * are signed well, so that what is behind the signature is reached. An error has a message, a token
 * has rules within the arena. */
#include "auth/key.h"
#include "auth/tenant.h"
#include "fuzz.h"

static void
encode(struct buf *out, struct str data)
{
    struct buf text = BUF_INIT;
    base64_encode(&text, data);
    for (size_t i = 0; i < text.len && text.data[i] != '='; i++) {
        char c = text.data[i];
        buf_add_char(out, c == '+' ? '-' : c == '/' ? '_' : c);
    }
    buf_done(&text);
}

static void
sign(struct buf *token, struct str header, struct str claims)
{
    uint8_t digest[SHA256_BYTES];
    struct uuid uid = UUID_NIL;
    struct buf value = BUF_INIT;
    key_write_value(&value, STR("master"), &uid);
    encode(token, header);
    buf_add_char(token, '.');
    encode(token, claims);
    digest_hmac_sha256(buf_str(&value), buf_str(token), digest);
    buf_add_char(token, '.');
    encode(token, str_make(digest, sizeof(digest)));
    buf_done(&value);
}

static void
check(struct str text)
{
    struct arena *arena = arena_new();
    struct tenant_token token = {0};
    struct err err = ERR_INIT;
    int rc = tenant_token_read(arena, STR("master"), text, &token, &err);
    FUZZ_REQUIRE((rc < 0) == err_is_set(&err));
    for (size_t i = 0; rc == 1 && i < token.n_rules; i++) {
        FUZZ_REQUIRE(str_is_utf8(token.rules[i].pattern));
        FUZZ_REQUIRE(token.rules[i].filter.data == NULL || token.rules[i].filter.len > 0);
        (void) pattern_matches(token.rules[i].pattern, STR("movies"));
    }
    err_done(&err);
    arena_free(arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make(data, size);
    struct buf token = BUF_INIT;
    size_t line = str_find(text, '\n', 0);
    check(text);
    sign(&token, str_slice(text, 0, line), str_slice(text, line + 1, text.len));
    check(buf_str(&token));
    buf_done(&token);
    return 0;
}
