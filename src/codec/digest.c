/* SHA-256, HMAC, hex and Base64. Owns no state but an upload's running digest; must not know what
 * is digested. */
#include "codec/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

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

void
digest_hmac_sha256(struct str key, struct str data, uint8_t out[SHA256_BYTES])
{
    const char *key_bytes = key.len > 0 ? key.data : ""; /* NULL would mean "the key before" */
    require(HMAC(EVP_sha256(), key_bytes, (int) key.len, (const unsigned char *) data.data,
                 data.len, out, NULL) != NULL);
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

bool
bytes_equal_secret(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}
