/* Checking signatures. Owns what each provider signs and how it is written down; knows no
 * connection. Entered by signature_check_step from a request's callback or a slice.
 *
 *   new -> HASH (pieces of the body into every slot) -> COMPARE -> ED25519 (one a step) -> done
 *   Twilio: new -> WRITE (the fields in their order) -> a slot a step -> done */
#include "inbound/signature.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "inbound/twilio.h"

enum {
    PIECE_BYTES = 16 * 1024,
    KEY_MIN_BYTES = 24, /* of Standard Webhooks */
    KEY_MAX_BYTES = 64,
    TIMESTAMP_MAX_DIGITS = 15,
};

/* --- keys */

static const char *
read_base64_key(struct str text, bool is_public, struct signature_key *ret)
{
    struct buf key = BUF_INIT;
    bool is_valid = base64_decode(&key, text) && key.len > 0;
    if (is_valid && is_public)
        is_valid = key.len == ED25519_PUBLIC_BYTES;
    else if (is_valid)
        is_valid = key.len >= KEY_MIN_BYTES && key.len <= KEY_MAX_BYTES;
    if (is_valid) {
        memcpy(ret->bytes, key.data, key.len);
        ret->n = key.len;
    }
    mem_wipe(key.data, key.len);
    buf_done(&key);
    if (is_valid)
        return NULL;
    return is_public ? "expected `whpk_` and the base64 of 32 bytes"
                     : "expected `whsec_` and the base64 of 24 to 64 bytes";
}

static const char *
read_standard_key(struct str secret, struct signature_key *ret)
{
    if (str_starts_with(secret, "whsk_"))
        return "expected the public key (`whpk_`): whoever holds the private one can sign";
    if (str_starts_with(secret, "whpk_")) {
        ret->is_ed25519 = true;
        return read_base64_key(str_slice(secret, 5, secret.len), true, ret);
    }
    if (str_starts_with(secret, "whsec_"))
        secret = str_slice(secret, 6, secret.len);
    return read_base64_key(secret, false, ret);
}

const char *
signature_read_key(enum provider p, struct str secret, struct signature_key *ret)
{
    *ret = (struct signature_key){0};
    if (secret.len < SIGNATURE_SECRET_MIN_BYTES || secret.len > SIGNATURE_SECRET_MAX_BYTES)
        return "expected a secret of 8 to 512 bytes";
    if (p == PROVIDER_STANDARD)
        return read_standard_key(secret, ret);
    memcpy(ret->bytes, secret.data, secret.len);
    ret->n = secret.len;
    return NULL;
}

void
signature_key_done(struct signature_key *key)
{
    mem_wipe(key, sizeof(*key));
}

void
signature_write_redacted(struct buf *out, enum provider p, struct str secret, size_t at)
{
    if (p == PROVIDER_STANDARD && str_starts_with(secret, "whpk_")) {
        buf_add_str(out, secret);
        return;
    }
    if (str_starts_with(secret, "whsec_"))
        buf_add_cstr(out, "whsec_");
    buf_add_cstr(out, "XXX...");
    if (at > 0)
        buf_addf(out, "#%zu", at + 1);
}

/* --- what headers say */

/* The next signature of the header, without its label: `v1=`, `sha256=`, `v1,`, `v1a,`. */
struct label {
    char between;      /* pieces */
    const char *label; /* of those that are HMACs */
};
static const struct label labels[PROVIDER_COUNT] = {
    [PROVIDER_MUX] = {',', "v1="},        [PROVIDER_STRIPE] = {',', "v1="},
    [PROVIDER_GITHUB] = {',', "sha256="}, [PROVIDER_STANDARD] = {' ', "v1,"},
    [PROVIDER_SLACK] = {',', "v0="},      [PROVIDER_TWILIO] = {',', ""},
};
#define ED25519_LABEL "v1a,"

static bool
next_signature(struct str *rest, char between, const char *label, struct str *ret)
{
    struct str piece;
    while (str_split(rest, between, &piece)) {
        piece = str_trim(piece);
        if (!str_starts_with(piece, label))
            continue;
        *ret = str_slice(piece, strlen(label), piece.len);
        return true;
    }
    return false;
}

/* The one `t=` of the header; with two it would not be clear which was signed. */
static struct str
timestamp_in(struct str header)
{
    struct str found = STR(""), again;
    if (!next_signature(&header, ',', "t=", &found) || next_signature(&header, ',', "t=", &again))
        return STR("");
    return found;
}

void
signature_read_claim(enum provider p, const struct provider_headers *h, struct signature_claim *ret)
{
    uint64_t seconds;
    *ret = (struct signature_claim){.timestamp = h->timestamp};
    if (p == PROVIDER_MUX || p == PROVIDER_STRIPE)
        ret->timestamp = timestamp_in(h->signature);
    ret->has_time = ret->timestamp.len <= TIMESTAMP_MAX_DIGITS &&
                    str_to_u64(ret->timestamp, INT64_MAX, &seconds);
    if (ret->has_time)
        ret->at_s = (int64_t) seconds;
}

bool
signature_has_time(enum provider p)
{
    return p != PROVIDER_GITHUB && p != PROVIDER_TWILIO;
}

bool
signature_is_timely(enum provider p, const struct signature_claim *c, int64_t now_s,
                    int64_t tolerance_s)
{
    if (!signature_has_time(p))
        return true;
    return c->has_time && c->at_s >= now_s - tolerance_s && c->at_s <= now_s + tolerance_s;
}

/* --- the check */

struct slot {
    bool is_real, is_ed25519;
    struct hmac_sha256 *hmac;
    struct signature_key key; /* of Twilio, in the place of the HMAC */
    uint8_t public_key[ED25519_PUBLIC_BYTES];
};

struct signature_check {
    enum provider provider;
    struct provider_headers headers;
    struct str url;
    struct slot slots[SIGNATURE_SECRETS_MAX];
    uint8_t signatures[SIGNATURE_ED25519_MAX][ED25519_SIGNATURE_BYTES];
    size_t n_signatures;
    struct buf prefix;       /* what is signed before the body */
    struct buf signed_bytes; /* of ed25519 and Twilio, which want them in one piece */
    struct buf other_bytes;  /* of Twilio: with the other spelling of the address */
    size_t at;               /* in the body */
    size_t next_ed25519;
    size_t next_slot; /* of Twilio */
    bool is_written, is_signable;
    bool is_hashed, matches;
    struct signature_work work;
};

/* A valid point, whose seed nobody signs with. */
static void
dummy_public_key(uint8_t out[ED25519_PUBLIC_BYTES])
{
    static uint8_t made[ED25519_PUBLIC_BYTES];
    static bool is_made;
    if (!is_made) {
        uint8_t seed[ED25519_SEED_BYTES];
        random_bytes(seed, sizeof(seed));
        ed25519_public_key(seed, made);
        mem_wipe(seed, sizeof(seed));
        is_made = true;
    }
    memcpy(out, made, sizeof(made));
}

static struct str
dummy_key(void)
{
    static uint8_t made[SHA256_BYTES];
    static bool is_made;
    if (!is_made)
        random_bytes(made, sizeof(made));
    is_made = true;
    return str_make(made, sizeof(made));
}

static void
fill_slot(struct slot *s, const struct signature_key *key)
{
    bool is_hmac = key != NULL && !key->is_ed25519;
    s->is_real = key != NULL;
    s->is_ed25519 = key != NULL && key->is_ed25519;
    s->hmac = hmac_sha256_new(is_hmac ? str_make(key->bytes, key->n) : dummy_key());
    dummy_public_key(s->public_key);
    if (s->is_ed25519)
        memcpy(s->public_key, key->bytes, sizeof(s->public_key));
}

static void
write_prefix(struct signature_check *c)
{
    struct signature_claim claim;
    signature_read_claim(c->provider, &c->headers, &claim);
    switch (c->provider) {
    case PROVIDER_MUX:
    case PROVIDER_STRIPE:
        buf_add_str(&c->prefix, claim.timestamp);
        buf_add_char(&c->prefix, '.');
        break;
    case PROVIDER_STANDARD:
        buf_add_str(&c->prefix, c->headers.id);
        buf_add_char(&c->prefix, '.');
        buf_add_str(&c->prefix, claim.timestamp);
        buf_add_char(&c->prefix, '.');
        break;
    case PROVIDER_SLACK:
        buf_add_cstr(&c->prefix, "v0:");
        buf_add_str(&c->prefix, claim.timestamp);
        buf_add_char(&c->prefix, ':');
        break;
    case PROVIDER_GITHUB:
    case PROVIDER_TWILIO:
    case PROVIDER_COUNT:
        break;
    }
}

static void
read_ed25519_signatures(struct signature_check *c)
{
    struct str rest = c->headers.signature, text;
    if (c->provider != PROVIDER_STANDARD)
        return;
    while (c->n_signatures < SIGNATURE_ED25519_MAX &&
           next_signature(&rest, ' ', ED25519_LABEL, &text)) {
        struct buf bytes = BUF_INIT;
        if (base64_decode(&bytes, text) && bytes.len == ED25519_SIGNATURE_BYTES)
            memcpy(c->signatures[c->n_signatures++], bytes.data, ED25519_SIGNATURE_BYTES);
        buf_done(&bytes);
    }
}

static void
fill_twilio_slot(struct slot *s, const struct signature_key *key)
{
    struct str dummy = dummy_key();
    s->is_real = key != NULL;
    s->key.n = dummy.len;
    memcpy(s->key.bytes, dummy.data, dummy.len);
    if (key != NULL)
        s->key = *key;
}

struct signature_check *
signature_check_new(enum provider p, const struct provider_headers *h,
                    const struct signature_key *keys, size_t n, struct str url)
{
    struct signature_check *c = mem_new(1, sizeof(*c));
    *c = (struct signature_check){.provider = p, .headers = *h, .url = url};
    write_prefix(c);
    read_ed25519_signatures(c);
    for (size_t i = 0; i < SIGNATURE_SECRETS_MAX; i++) {
        if (p == PROVIDER_TWILIO) {
            fill_twilio_slot(&c->slots[i], i < n ? &keys[i] : NULL);
            continue;
        }
        fill_slot(&c->slots[i], i < n ? &keys[i] : NULL);
        hmac_sha256_add(c->slots[i].hmac, buf_str(&c->prefix));
    }
    return c;
}

static void
hash_piece(struct signature_check *c, struct str body)
{
    struct str piece = str_slice(body, c->at, c->at + PIECE_BYTES);
    for (size_t i = 0; i < SIGNATURE_SECRETS_MAX; i++)
        hmac_sha256_add(c->slots[i].hmac, piece);
    c->work.hmac_bytes += SIGNATURE_SECRETS_MAX * (uint64_t) piece.len;
    c->at += piece.len;
}

/* Whether the header holds that MAC; every one of its signatures is compared. */
static bool
header_has(const struct signature_check *c, struct str mac)
{
    struct str rest = c->headers.signature, text;
    struct buf expected = BUF_INIT;
    bool has = false;
    if (c->provider == PROVIDER_STANDARD || c->provider == PROVIDER_TWILIO)
        base64_encode(&expected, mac);
    else
        hex_encode(&expected, mac);
    while (next_signature(&rest, labels[c->provider].between, labels[c->provider].label, &text))
        has |= bytes_equal_secret(text, buf_str(&expected));
    mem_wipe(expected.data, expected.len);
    buf_done(&expected);
    return has;
}

static void
compare(struct signature_check *c, struct str body)
{
    uint8_t mac[SHA256_BYTES];
    for (size_t i = 0; i < SIGNATURE_SECRETS_MAX; i++) {
        struct slot *s = &c->slots[i];
        hmac_sha256_finish(s->hmac, mac);
        s->hmac = NULL;
        bool has = header_has(c, str_make(mac, sizeof(mac)));
        c->matches |= has & s->is_real & !s->is_ed25519;
        c->work.hmacs++;
    }
    mem_wipe(mac, sizeof(mac));
    c->is_hashed = true;
    if (c->n_signatures == 0)
        return;
    buf_add_str(&c->signed_bytes, buf_str(&c->prefix));
    buf_add_str(&c->signed_bytes, body);
}

static void
verify_next(struct signature_check *c)
{
    const struct slot *s = &c->slots[c->next_ed25519 % SIGNATURE_SECRETS_MAX];
    const uint8_t *signature = c->signatures[c->next_ed25519 / SIGNATURE_SECRETS_MAX];
    bool is_valid = ed25519_verify(s->public_key, buf_str(&c->signed_bytes), signature);
    c->matches |= is_valid & s->is_ed25519 & !buf_failed(&c->signed_bytes);
    c->work.ed25519s++;
    c->work.ed25519_bytes += c->signed_bytes.len;
    c->next_ed25519++;
}

static void
write_form(struct signature_check *c, struct str body)
{
    int rc = twilio_write_signed(&c->signed_bytes, &c->other_bytes, c->url, body);
    c->is_signable = rc == 0 && !buf_failed(&c->signed_bytes) && !buf_failed(&c->other_bytes);
    c->is_written = true;
}

static bool
is_signed_with(struct signature_check *c, const struct slot *s, struct str bytes)
{
    uint8_t mac[SHA1_BYTES];
    digest_hmac_sha1(str_make(s->key.bytes, s->key.n), bytes, mac);
    bool has = header_has(c, str_make(mac, sizeof(mac)));
    c->work.hmac_bytes += bytes.len;
    mem_wipe(mac, sizeof(mac));
    return has;
}

/* What the addresses lack of the longest is hashed too: how long they are would show otherwise. */
static void
compare_form(struct signature_check *c)
{
    static const char zeros[2 * TWILIO_URL_MAX_BYTES + TWILIO_PORT_MAX_BYTES];
    const struct slot *s = &c->slots[c->next_slot++];
    struct str one = buf_str(&c->signed_bytes), other = buf_str(&c->other_bytes);
    size_t url_bytes = c->url.len + (c->url.len + other.len - one.len);
    bool has = is_signed_with(c, s, one);
    has |= is_signed_with(c, s, other);
    (void) is_signed_with(c, s,
                          str_slice(str_make(zeros, sizeof(zeros)), url_bytes, sizeof(zeros)));
    c->matches |= has & s->is_real & c->is_signable;
    c->work.hmacs++;
}

/* false: done */
static bool
step_twilio(struct signature_check *c, struct str body)
{
    if (!c->is_written)
        write_form(c, body);
    else if (c->next_slot < SIGNATURE_SECRETS_MAX)
        compare_form(c);
    else
        return false;
    return true;
}

/* false: done */
static bool
step(struct signature_check *c, struct str body)
{
    if (c->provider == PROVIDER_TWILIO)
        return step_twilio(c, body);
    if (c->at < body.len)
        hash_piece(c, body);
    else if (!c->is_hashed)
        compare(c, body);
    else if (c->next_ed25519 < c->n_signatures * SIGNATURE_SECRETS_MAX)
        verify_next(c);
    else
        return false;
    return true;
}

int
signature_check_step(struct signature_check *c, struct str body, int64_t deadline_us)
{
    do {
        if (!step(c, body))
            return 0;
    } while (clock_mono_us() < deadline_us);
    return 1;
}

bool
signature_check_matches(const struct signature_check *c)
{
    return c->matches;
}

struct signature_work
signature_check_work(const struct signature_check *c)
{
    return c->work;
}

void
signature_check_free(struct signature_check *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < SIGNATURE_SECRETS_MAX; i++)
        hmac_sha256_free(c->slots[i].hmac);
    mem_wipe(c->slots, sizeof(c->slots));
    buf_done(&c->prefix);
    buf_done(&c->signed_bytes);
    buf_done(&c->other_bytes);
    free(c);
}
