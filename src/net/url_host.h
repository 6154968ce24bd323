#pragma once
/* The host part of a URL: for url.c only. */
#include "net/url.h"

/* Parses a host as the standard's "host parser": a bracketed IPv6 address, with is_special a domain
 * or an IPv4 address in any spelling, otherwise an opaque host. Appends the canonical form (IPv6
 * without brackets) to out and sets the two flags of u; -1 with the reason in why. `text` is not
 * empty. */
int url_host_parse(struct str text, bool is_special, struct buf *out, struct url *u,
                   struct buf *why);

/* A domain that holds bytes outside ASCII, as UTF-8, to its ASCII form: labels to RFC 3492
 * punycode. Lower-cases Latin, Greek and Cyrillic letters; what the standard would map in another
 * way (compatibility forms, combining marks, joiners) or forbid is refused rather than sent to the
 * wrong host. -1 when the domain is not acceptable; no reason is written. */
int url_idna_to_ascii(struct str domain, struct buf *out);

/* Appends s, with the bytes outside ASCII, the control characters and those in `also` as %XX. */
void url_percent_encode(struct buf *out, struct str s, const char *also);
