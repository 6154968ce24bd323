/* Signing secrets: their texts and their making. Knows neither requests nor signatures. */
#include "webhook/secret.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "codec/ed25519.h"

static const struct kind_row {
    const char *prefix, *shown_prefix;
    size_t generated_bytes;
} kind_rows[] = {
    [SECRET_V1_HMAC] = {"whsec_", "whsec_", 32},
    [SECRET_V1A_ED25519] = {"whsk_", "whpk_", ED25519_SEED_BYTES},
};
enum { SECRET_KINDS = sizeof(kind_rows) / sizeof(kind_rows[0]) };
static const char hidden[] = "XXX...";

void
secret_generate(struct webhook_secret *ret, enum secret_kind kind)
{
    *ret = (struct webhook_secret){
        .kind = kind,
        .n_key = kind_rows[kind].generated_bytes,
        .created_at_ms = clock_wall_ms(),
    };
    random_bytes(ret->key, ret->n_key);
}

static struct str
key_of(const struct webhook_secret *s)
{
    return str_make(s->key, s->n_key);
}

static bool
take_hmac_key(struct webhook_secret *s, struct str key)
{
    if (key.len < SECRET_KEY_MIN_BYTES || key.len > SECRET_KEY_MAX_BYTES)
        return false;
    memcpy(s->key, key.data, key.len);
    s->n_key = key.len;
    return true;
}

/* The public half, where it is given, must belong to the seed. */
static bool
take_seed(struct webhook_secret *s, struct str key)
{
    uint8_t public_key[ED25519_PUBLIC_BYTES];
    if (key.len != ED25519_SEED_BYTES && key.len != ED25519_SEED_BYTES + ED25519_PUBLIC_BYTES)
        return false;
    memcpy(s->key, key.data, ED25519_SEED_BYTES);
    s->n_key = ED25519_SEED_BYTES;
    ed25519_public_key(s->key, public_key);
    return key.len == ED25519_SEED_BYTES ||
           memcmp(key.data + ED25519_SEED_BYTES, public_key, sizeof(public_key)) == 0;
}

bool
secret_parse(struct str text, struct webhook_secret *ret)
{
    size_t kind = 0;
    while (kind < SECRET_KINDS && !str_starts_with(text, kind_rows[kind].prefix))
        kind++;
    if (kind == SECRET_KINDS)
        return false;
    *ret =
        (struct webhook_secret){.kind = (enum secret_kind) kind, .created_at_ms = clock_wall_ms()};
    struct buf key = BUF_INIT;
    bool is_valid = base64_decode(&key, str_slice(text, strlen(kind_rows[kind].prefix), text.len));
    if (is_valid)
        is_valid = ret->kind == SECRET_V1_HMAC ? take_hmac_key(ret, buf_str(&key))
                                               : take_seed(ret, buf_str(&key));
    mem_wipe(key.data, key.len);
    buf_done(&key);
    if (!is_valid)
        mem_wipe(ret, sizeof(*ret));
    return is_valid;
}

void
secret_write(struct buf *out, const struct webhook_secret *s)
{
    uint8_t public_key[ED25519_PUBLIC_BYTES];
    buf_add_cstr(out, kind_rows[s->kind].shown_prefix);
    if (s->kind == SECRET_V1_HMAC) {
        base64_encode(out, key_of(s));
        return;
    }
    ed25519_public_key(s->key, public_key);
    base64_encode(out, str_make(public_key, sizeof(public_key)));
}

void
secret_write_redacted(struct buf *out, const struct webhook_secret *s)
{
    if (s->kind != SECRET_V1_HMAC) {
        secret_write(out, s);
        return;
    }
    buf_add_cstr(out, kind_rows[s->kind].shown_prefix);
    buf_add_cstr(out, hidden);
}

bool
secret_is_redacted_as(const struct webhook_secret *s, struct str text)
{
    struct buf shown = BUF_INIT;
    secret_write_redacted(&shown, s);
    bool is_equal = str_equal(buf_str(&shown), text);
    buf_done(&shown);
    return is_equal;
}
