/* SHA-256, HMAC, CRC-32, hex and Base64. Owns no state but an upload's running digest; must not
 * know what is digested. */
#include "codec/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <zlib.h>

/* OpenSSL's digests fail only when memory runs out or the library is unusable: nothing that needs a
 * digest may go on then. */
static void
require(bool ok)
{
    if (!ok)
        abort();
}

void
digest_sha256(struct str data, uint8_t out[SHA256_BYTES])
{
    require(EVP_Digest(data.data, data.len, out, NULL, EVP_sha256(), NULL) == 1);
}

static void
hmac(const EVP_MD *digest, struct str key, struct str data, uint8_t *out)
{
    const char *key_bytes = key.len > 0 ? key.data : ""; /* NULL would mean "the key before" */
    require(HMAC(digest, key_bytes, (int) key.len, (const unsigned char *) data.data, data.len, out,
                 NULL) != NULL);
}

void
digest_hmac_sha256(struct str key, struct str data, uint8_t out[SHA256_BYTES])
{
    hmac(EVP_sha256(), key, data, out);
}

void
digest_hmac_sha1(struct str key, struct str data, uint8_t out[SHA1_BYTES])
{
    hmac(EVP_sha1(), key, data, out);
}

void
digest_hmac_sha384(struct str key, struct str data, uint8_t out[SHA384_BYTES])
{
    hmac(EVP_sha384(), key, data, out);
}

void
digest_hmac_sha512(struct str key, struct str data, uint8_t out[SHA512_BYTES])
{
    hmac(EVP_sha512(), key, data, out);
}

struct sha256 {
    EVP_MD_CTX *context;
};

struct sha256 *
sha256_new(void)
{
    struct sha256 *s = calloc(1, sizeof(*s));
    require(s != NULL);
    s->context = EVP_MD_CTX_new();
    require(s->context != NULL && EVP_DigestInit_ex(s->context, EVP_sha256(), NULL) == 1);
    return s;
}

void
sha256_add(struct sha256 *s, struct str data)
{
    require(EVP_DigestUpdate(s->context, data.data, data.len) == 1);
}

void
sha256_finish(struct sha256 *s, uint8_t out[SHA256_BYTES])
{
    require(EVP_DigestFinal_ex(s->context, out, NULL) == 1);
    sha256_free(s);
}

void
sha256_free(struct sha256 *s)
{
    if (s == NULL)
        return;
    EVP_MD_CTX_free(s->context);
    free(s);
}

enum { SHA256_BLOCK_BYTES = 64 };

struct hmac_sha256 {
    struct sha256 *inner;
    uint8_t key[SHA256_BLOCK_BYTES]; /* padded with zeros */
};

/* The key with every byte changed by pad is what the inner and the outer digest begin with. */
static struct sha256 *
hmac_begin(const uint8_t key[SHA256_BLOCK_BYTES], uint8_t pad)
{
    uint8_t block[SHA256_BLOCK_BYTES];
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = key[i] ^ pad;
    struct sha256 *s = sha256_new();
    sha256_add(s, str_make(block, sizeof(block)));
    OPENSSL_cleanse(block, sizeof(block));
    return s;
}

struct hmac_sha256 *
hmac_sha256_new(struct str key)
{
    struct hmac_sha256 *h = calloc(1, sizeof(*h));
    require(h != NULL);
    if (key.len > sizeof(h->key))
        digest_sha256(key, h->key);
    else if (key.len > 0)
        memcpy(h->key, key.data, key.len);
    h->inner = hmac_begin(h->key, 0x36);
    return h;
}

void
hmac_sha256_add(struct hmac_sha256 *h, struct str data)
{
    sha256_add(h->inner, data);
}

void
hmac_sha256_finish(struct hmac_sha256 *h, uint8_t out[SHA256_BYTES])
{
    uint8_t digest[SHA256_BYTES];
    sha256_finish(h->inner, digest);
    h->inner = NULL;
    struct sha256 *outer = hmac_begin(h->key, 0x5c);
    sha256_add(outer, str_make(digest, sizeof(digest)));
    sha256_finish(outer, out);
    hmac_sha256_free(h);
}

void
hmac_sha256_free(struct hmac_sha256 *h)
{
    if (h == NULL)
        return;
    sha256_free(h->inner);
    OPENSSL_cleanse(h->key, sizeof(h->key));
    free(h);
}

uint32_t
digest_crc32(struct str data)
{
    return (uint32_t) crc32_z(0, (const unsigned char *) data.data, data.len);
}

void
hex_encode(struct buf *out, struct str data)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < data.len; i++) {
        unsigned char byte = (unsigned char) data.data[i];
        char pair[2] = {hex[byte >> 4], hex[byte & 15]};
        buf_add(out, pair, 2);
    }
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(struct buf *out, struct str data)
{
    for (size_t i = 0; i < data.len; i += 3) {
        size_t n = data.len - i < 3 ? data.len - i : 3;
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < n ? (unsigned char) data.data[i + k] : 0u);
        char group[4];
        for (size_t k = 0; k < 4; k++)
            group[k] = k <= n ? alphabet[bits >> (18 - 6 * k) & 63] : '=';
        buf_add(out, group, 4);
    }
}

static int
base64_value(char c)
{
    const char *at = c == '\0' ? NULL : strchr(alphabet, c);
    return at == NULL ? -1 : (int) (at - alphabet);
}

/* One group of four with n bytes in it; bits that stand for nothing must be zero (RFC 4648 3.5). */
static bool
decode_group(struct buf *out, const char *group, size_t n)
{
    uint32_t bits = 0;
    for (size_t k = 0; k <= n; k++) {
        int value = base64_value(group[k]);
        if (value < 0)
            return false;
        bits |= (uint32_t) value << (18 - 6 * k);
    }
    if ((bits & ((1u << (24 - 8 * n)) - 1)) != 0)
        return false;
    for (size_t k = 0; k < n; k++)
        buf_add_char(out, (char) (bits >> (16 - 8 * k) & 0xFF));
    return true;
}

bool
base64_decode(struct buf *out, struct str text)
{
    size_t before = out->len;
    bool ok = text.len % 4 == 0;
    for (size_t i = 0; ok && i < text.len; i += 4) {
        const char *group = text.data + i;
        size_t padding = 0;
        if (i + 4 == text.len && group[3] == '=')
            padding = group[2] == '=' ? 2 : 1;
        ok = decode_group(out, group, 3 - padding);
    }
    if (!ok)
        out->len = before;
    return ok;
}

/* In Base64 for URLs two characters differ from the standard alphabet. */
static int
base64url_value(char c)
{
    if (c == '-' || c == '_')
        return c == '-' ? 62 : 63;
    return c == '+' || c == '/' ? -1 : base64_value(c);
}

static bool
refuse_symbol(struct buf *why, const char *what, struct str text, size_t at)
{
    if (why != NULL)
        buf_addf(why, "%s %d, offset %zu.", what, (unsigned char) text.data[at], at);
    return false;
}

/* From here on there is only what pads the last group. */
static bool
is_padding(struct str text, size_t at)
{
    bool is_pair = at + 2 == text.len && text.data[at + 1] == '=';
    return text.data[at] == '=' && at % 4 >= 2 && (at + 1 == text.len || is_pair);
}

/* The order of these checks is that of upstream's library. */
static bool
check_base64url(struct str text, struct buf *why)
{
    if (text.len % 4 == 1) {
        if (base64url_value(text.data[text.len - 1]) < 0)
            return refuse_symbol(why, "Invalid symbol", text, text.len - 1);
        if (why != NULL)
            buf_addf(why, "Invalid input length: %zu", text.len);
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (base64url_value(text.data[i]) >= 0)
            continue;
        if (!is_padding(text, i))
            return refuse_symbol(why, "Invalid symbol", text, i);
        if (why != NULL)
            buf_add_cstr(why, "Invalid padding");
        return false;
    }
    if (text.len % 4 == 0)
        return true;
    int unused = text.len % 4 == 2 ? 15 : 3; /* bits that stand for nothing must be zero */
    if ((base64url_value(text.data[text.len - 1]) & unused) != 0)
        return refuse_symbol(why, "Invalid last symbol", text, text.len - 1);
    return true;
}

bool
base64url_decode(struct buf *out, struct str text, struct buf *why)
{
    if (!check_base64url(text, why))
        return false;
    uint32_t bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        bits = bits << 6 | (uint32_t) base64url_value(text.data[i]);
        if (i % 4 != 0) /* the second, third and fourth complete a byte each */
            buf_add_char(out, (char) (bits >> (6 - 2 * (i % 4)) & 0xFF));
    }
    return true;
}

bool
bytes_equal_secret(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}
