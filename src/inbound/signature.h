#pragma once
/* Signatures of providers over the raw bytes of a body (contracts.md 5): HMAC-SHA256 in five
 * notations, ed25519 (v1a) of Standard Webhooks, and HMAC-SHA1 over an address and a form's fields
 * (Twilio). Pure: no store, no clock, no request.
 *
 * The work of a check depends on the request alone, never on the connection: every slot for
 * a secret is computed, the empty ones and those of an unknown connection with a dummy, and every
 * comparison takes constant time. So how long a refusal takes says nothing (struct signature_work
 * counts it). */
#include "codec/digest.h"
#include "codec/ed25519.h"
#include "inbound/provider.h"

enum {
    SIGNATURE_SECRETS_MAX = 4,
    SIGNATURE_ED25519_MAX = 4, /* signatures of that kind in one header that are looked at */
    SIGNATURE_SECRET_MIN_BYTES = 8,
    SIGNATURE_SECRET_MAX_BYTES = 512, /* of its text */
    SIGNATURE_TOLERANCE_S = 300,
    SIGNATURE_TOLERANCE_MAX_S = 24 * 3600,
};

/* What is computed with. Wipe it after use (signature_key_done). */
struct signature_key {
    bool is_ed25519;
    uint8_t bytes[SIGNATURE_SECRET_MAX_BYTES];
    size_t n;
};
/* The key in a secret's text: the text itself, or for Standard Webhooks what `whsec_` and `whpk_`
 * hold. NULL, or why it is none ("expected ..."). */
const char *signature_read_key(enum provider p, struct str secret, struct signature_key *ret);
void signature_key_done(struct signature_key *key);
/* What everybody may see of a secret, the number `at` of several; appended. A public key is shown
 * as it is. */
void signature_write_redacted(struct buf *out, enum provider p, struct str secret, size_t at);

/* What a request says of its signature; slices of the headers. */
struct signature_claim {
    struct str timestamp; /* as signed; empty: none */
    bool has_time;
    int64_t at_s;
};
void signature_read_claim(enum provider p, const struct provider_headers *h,
                          struct signature_claim *ret);
bool signature_has_time(enum provider p); /* whether it signs one */
/* Whether its time is near enough; true for providers that sign none. */
bool signature_is_timely(enum provider p, const struct signature_claim *c, int64_t now_s,
                         int64_t tolerance_s);

struct signature_work {
    uint64_t hmacs, hmac_bytes, ed25519s, ed25519_bytes;
};

/* One check, in pieces. The headers, the body and the url must stay where they are. url: that
 * Twilio was given, at most TWILIO_URL_MAX_BYTES; unused for others. */
struct signature_check;
struct signature_check *signature_check_new(enum provider p, const struct provider_headers *h,
                                            const struct signature_key *keys, size_t n,
                                            struct str url);
/* Works until the deadline, at least a piece: 1 there is more to do, 0 done. */
int signature_check_step(struct signature_check *c, struct str body, int64_t deadline_us);
/* Once it is done: whether one of the signatures is one of the keys'. */
bool signature_check_matches(const struct signature_check *c);
struct signature_work signature_check_work(const struct signature_check *c);
void signature_check_free(struct signature_check *c); /* NULL accepted */
