#pragma once
/* PEM text to OpenSSL's objects: for the other files of net/ only. */
#include <openssl/x509.h>

#include "base/str.h"

/* Hands every certificate to take(), which owns it then. Their number; -1 when one is broken (those
 * before it were handed over). */
int pem_read_certificates(struct str pem, void (*take)(void *arg, X509 *certificate), void *arg);
/* NULL when there is none that can be read without a pass phrase. */
EVP_PKEY *pem_read_key(struct str pem);
