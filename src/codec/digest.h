#pragma once
/* Digests and text forms of bytes (OpenSSL). */
#include "base/buf.h"

enum { SHA256_BYTES = 32 };
void digest_sha256(struct str data, uint8_t out[SHA256_BYTES]);
void digest_hmac_sha256(struct str key, struct str data, uint8_t out[SHA256_BYTES]);
/* Incremental SHA-256 for uploads. */
struct sha256;
struct sha256 *sha256_new(void);
void sha256_add(struct sha256 *s, struct str data);
void sha256_finish(struct sha256 *s, uint8_t out[SHA256_BYTES]); /* consumes */
void sha256_free(struct sha256 *s); /* without a result; NULL accepted */

void hex_encode(struct buf *out, struct str data); /* lower case */
void base64_encode(struct buf *out, struct str data);
bool base64_decode(struct buf *out,
                   struct str text); /* standard alphabet, padding required; false when invalid */
/* Equal in constant time for equal lengths (the length itself is not hidden). */
bool bytes_equal_secret(struct str a, struct str b);
