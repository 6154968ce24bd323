#pragma once
/* Digests and text forms of bytes (OpenSSL), checksums (zlib). */
#include "base/buf.h"

enum { SHA256_BYTES = 32 };
void digest_sha256(struct str data, uint8_t out[SHA256_BYTES]);
void digest_hmac_sha256(struct str key, struct str data, uint8_t out[SHA256_BYTES]);
enum { SHA1_BYTES = 20 }; /* for those who sign with nothing better */
void digest_hmac_sha1(struct str key, struct str data, uint8_t out[SHA1_BYTES]);
enum { SHA384_BYTES = 48, SHA512_BYTES = 64 };
void digest_hmac_sha384(struct str key, struct str data, uint8_t out[SHA384_BYTES]);
void digest_hmac_sha512(struct str key, struct str data, uint8_t out[SHA512_BYTES]);
/* Incremental SHA-256 for uploads. */
struct sha256;
struct sha256 *sha256_new(void);
void sha256_add(struct sha256 *s, struct str data);
void sha256_finish(struct sha256 *s, uint8_t out[SHA256_BYTES]); /* consumes */
void sha256_free(struct sha256 *s); /* without a result; NULL accepted */

/* HMAC-SHA256 of a message in pieces. */
struct hmac_sha256;
struct hmac_sha256 *hmac_sha256_new(struct str key);
void hmac_sha256_add(struct hmac_sha256 *h, struct str data);
void hmac_sha256_finish(struct hmac_sha256 *h, uint8_t out[SHA256_BYTES]); /* consumes */
void hmac_sha256_free(struct hmac_sha256 *h); /* without a result; NULL accepted */
/* CRC-32 (ISO-HDLC, as in gzip): against accidents, not against people. */
uint32_t digest_crc32(struct str data);

void hex_encode(struct buf *out, struct str data); /* lower case */
void base64_encode(struct buf *out, struct str data);
bool base64_decode(struct buf *out,
                   struct str text); /* standard alphabet, padding required; false when invalid */
/* The alphabet of URLs without padding (RFC 4648 section 5). When it is invalid nothing is
 * appended, and the reason, in the words of upstream's library, goes to why (may be NULL). */
bool base64url_decode(struct buf *out, struct str text, struct buf *why);
/* Equal in constant time for equal lengths (the length itself is not hidden). */
bool bytes_equal_secret(struct str a, struct str b);
