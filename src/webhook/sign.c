/* Signatures of request bodies. Knows nothing of requests. */
#include "webhook/sign.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "codec/ed25519.h"

enum { PIECE_BYTES = 8 * 1024 }; /* for up to SECRETS_MAX keys: some 100 us */

struct signing {
    struct webhook_secret secrets[SECRETS_MAX];
    struct hmac_sha256 *macs[SECRETS_MAX]; /* of the HMAC ones */
    size_t n;
    struct str body;
    size_t at;     /* of the body, for the HMACs */
    size_t n_made; /* signatures */
    char timestamp[24];
    struct buf prefix; /* "<id>.<timestamp>." */
    struct buf signature;
};

static bool
is_valid(const struct webhook_secret *s, int64_t now_ms)
{
    return s->expires_at_ms == 0 || s->expires_at_ms > now_ms;
}

struct signing *
signing_new(const struct webhook_policy *policy, struct str id, int64_t now_ms, struct str body)
{
    struct signing *s = mem_new(1, sizeof(*s));
    s->body = body;
    (void) snprintf(s->timestamp, sizeof(s->timestamp), "%lld", (long long) (now_ms / 1000));
    buf_add_str(&s->prefix, id);
    buf_add_char(&s->prefix, '.');
    buf_add_cstr(&s->prefix, s->timestamp);
    buf_add_char(&s->prefix, '.');
    for (size_t i = 0; i < policy->n_secrets && s->n < SECRETS_MAX; i++) {
        const struct webhook_secret *secret = &policy->secrets[i];
        if (!is_valid(secret, now_ms))
            continue;
        if (secret->kind == SECRET_V1_HMAC) {
            s->macs[s->n] = hmac_sha256_new(str_make(secret->key, secret->n_key));
            hmac_sha256_add(s->macs[s->n], buf_str(&s->prefix));
        }
        s->secrets[s->n++] = *secret;
    }
    if (s->n > 0)
        return s;
    signing_free(s);
    return NULL;
}

void
signing_free(struct signing *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->n; i++)
        hmac_sha256_free(s->macs[i]);
    mem_wipe(s->secrets, sizeof(s->secrets));
    buf_done(&s->prefix);
    buf_done(&s->signature);
    free(s);
}

static void
add_signature(struct signing *s, const char *version, struct str bytes)
{
    if (s->signature.len > 0)
        buf_add_char(&s->signature, ' ');
    buf_add_cstr(&s->signature, version);
    base64_encode(&s->signature, bytes);
}

/* Ed25519 reads its message twice, so it needs all of it. */
static void
sign_whole(struct signing *s, const struct webhook_secret *secret)
{
    uint8_t bytes[ED25519_SIGNATURE_BYTES];
    struct buf message = BUF_INIT;
    buf_add_str(&message, buf_str(&s->prefix));
    buf_add_str(&message, s->body);
    if (!buf_failed(&message)) {
        ed25519_sign(secret->key, buf_str(&message), bytes);
        add_signature(s, "v1a,", str_make(bytes, sizeof(bytes)));
    }
    buf_done(&message);
}

static void
make_one(struct signing *s, size_t i)
{
    uint8_t bytes[SHA256_BYTES];
    if (s->macs[i] == NULL) {
        sign_whole(s, &s->secrets[i]);
        return;
    }
    hmac_sha256_finish(s->macs[i], bytes);
    s->macs[i] = NULL;
    add_signature(s, "v1,", str_make(bytes, sizeof(bytes)));
}

static void
feed_piece(struct signing *s)
{
    struct str piece = str_slice(s->body, s->at, s->at + PIECE_BYTES);
    for (size_t i = 0; i < s->n; i++) {
        if (s->macs[i] != NULL)
            hmac_sha256_add(s->macs[i], piece);
    }
    s->at += piece.len;
}

bool
signing_step(struct signing *s, int64_t deadline_us)
{
    while (s->n_made < s->n) {
        if (s->at < s->body.len)
            feed_piece(s);
        else
            make_one(s, s->n_made++);
        if (s->n_made < s->n && clock_mono_us() >= deadline_us)
            return false;
    }
    return true;
}

const char *
signing_timestamp(const struct signing *s)
{
    return s->timestamp;
}

const char *
signing_signature(struct signing *s)
{
    return buf_cstr(&s->signature);
}
