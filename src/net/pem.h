#pragma once
/* Certificates and keys that come as PEM text over the API (OpenSSL). */
#include "base/buf.h"

/* At least one certificate, and nothing in a certificate's place that is none. 0, or -1 with the
 * reason appended to why. */
int pem_check_authorities(struct str pem, struct buf *why);
/* A certificate (its chain may follow) and the private key that belongs to it, without a pass
 * phrase, in any order. */
int pem_check_identity(struct str pem, struct buf *why);
bool pem_has_private_key(struct str pem); /* by its heading */
/* The certificates only, as written. */
void pem_write_certificates(struct buf *out, struct str pem);
