/* Fields that hold what must not be shown: signing secrets and client certificates; and the
 * authorities, which are checked alike. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/pem.h"
#include "webhook/field_err.h"
#include "webhook/policy_types.h"
#include "webhook/secret.h"

static const char secret_words[] =
    "expected `generate`, `generate:ed25519`, or a secret in Base64: 24 to 64 bytes behind "
    "`whsec_`, or an ed25519 seed of 32 bytes behind `whsk_`";

/* --- secrets --------------------------------------------------------------------------------- */

static const struct generator_row {
    const char *word;
    enum secret_kind kind;
} generators[] = {{"generate", SECRET_V1_HMAC}, {"generate:ed25519", SECRET_V1A_ED25519}};

/* Redacted ones keep their public text in the place of a key until they are looked up. */
static bool
is_redacted(struct str text)
{
    return str_is(text, "whsec_XXX...") || str_starts_with(text, "whpk_");
}

static int
secret_read(struct policy_reader *r, const struct policy_row *row, struct str path,
            const struct json *v)
{
    struct policy_change *c = r->change;
    struct str text = json_string(v);
    struct webhook_secret *s = &c->policy.secrets[c->policy.n_secrets];
    uint32_t bit = 1u << c->policy.n_secrets++;
    if (json_type(v) != JSON_STRING)
        return field_err_type(r->err, row->code, path, "a string", v);
    for (size_t i = 0; i < sizeof(generators) / sizeof(generators[0]); i++) {
        if (!str_is(text, generators[i].word))
            continue;
        secret_generate(s, generators[i].kind);
        c->generated |= bit;
        return 0;
    }
    if (is_redacted(text) && text.len <= sizeof(s->key)) {
        memcpy(s->key, text.data, text.len);
        s->n_key = text.len;
        c->kept_secrets |= bit;
        return 0;
    }
    if (secret_parse(text, s))
        return 0;
    return field_err_value(r->err, row->code, path, "%s", secret_words); /* the text is secret */
}

static int
secrets_read(struct policy_reader *r, const struct policy_row *row, const struct json *v)
{
    size_t n = json_type(v) == JSON_ARRAY ? json_length(v) : 1;
    r->change->generated = r->change->kept_secrets = 0;
    if (json_type(v) != JSON_ARRAY && json_type(v) != JSON_STRING)
        return field_err_type(r->err, row->code, r->path, "a string or an array", v);
    if (n == 0 || n > row->max)
        return field_err_value(r->err, row->code, r->path,
                               "%zu secrets, expected 1 to %" PRIu64 "; `null` removes them", n,
                               row->max);
    r->change->policy.secrets = mem_new(n, sizeof(struct webhook_secret));
    if (json_type(v) == JSON_STRING)
        return secret_read(r, row, r->path, v);
    struct json_iter it = json_iter(v);
    int rc = 0;
    for (size_t at = 0; rc == 0 && json_next(&it); at++) {
        struct buf path = BUF_INIT;
        policy_write_element(&path, r->path, at);
        rc = secret_read(r, row, buf_str(&path), it.value);
        buf_done(&path);
    }
    return rc;
}

static bool
is_current(const struct webhook_secret *s)
{
    return s->expires_at_ms == 0;
}

static size_t
count_current(const struct webhook_policy *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_secrets; i++)
        n += is_current(&p->secrets[i]);
    return n;
}

/* The at-th secret that does not expire, when it is shown like that. */
static const struct webhook_secret *
find_shown(const struct webhook_policy *p, size_t at, struct str shown)
{
    for (size_t i = 0; i < p->n_secrets; i++) {
        if (is_current(&p->secrets[i]) && at-- == 0)
            return secret_is_redacted_as(&p->secrets[i], shown) ? &p->secrets[i] : NULL;
    }
    return NULL;
}

/* Everything sent back as it was shown: nothing changes, old secrets keep their time. */
static void
keep_all(struct policy_change *c, const struct webhook_policy *old)
{
    struct webhook_policy copy;
    policy_copy(&copy, old);
    mem_wipe(c->policy.secrets, c->policy.n_secrets * sizeof(*c->policy.secrets));
    free(c->policy.secrets);
    c->policy.secrets = copy.secrets;
    c->policy.n_secrets = copy.n_secrets;
    copy.secrets = NULL;
    copy.n_secrets = 0;
    policy_done(&copy);
}

int
policy_secrets_restore(struct policy_change *c, const struct webhook_policy *old, struct err *err)
{
    size_t n = c->policy.n_secrets, n_kept = 0;
    for (size_t i = 0; i < n && c->kept_secrets != 0; i++) {
        struct webhook_secret *s = &c->policy.secrets[i];
        if ((c->kept_secrets >> i & 1) == 0)
            continue;
        const struct webhook_secret *kept = find_shown(old, i, str_make(s->key, s->n_key));
        if (kept == NULL)
            return field_err_quoting(err, ERR_INVALID_WEBHOOK_SECRET, STR(".secret"),
                                     str_make(s->key, s->n_key),
                                     " is how a secret is shown, and this webhook has no such "
                                     "secret in that place");
        *s = *kept;
        n_kept++;
    }
    if (n_kept > 0 && n_kept == n && n == count_current(old))
        keep_all(c, old);
    return 0;
}

static void
write_one(struct json_out *j, const struct webhook_secret *s, bool is_revealed)
{
    struct buf text = BUF_INIT;
    if (is_revealed)
        secret_write(&text, s);
    else
        secret_write_redacted(&text, s);
    json_put_str(j, buf_str(&text));
    policy_wipe_buf(&text);
}

/* Those in their grace period are not shown: they cannot be chosen. */
static void
secrets_write(struct json_out *j, const struct policy_row *row, const struct webhook_policy *p,
              const struct policy_view *view)
{
    bool is_array = count_current(p) != 1;
    (void) row;
    if (is_array)
        json_begin_array(j);
    for (size_t i = 0; i < p->n_secrets; i++) {
        if (is_current(&p->secrets[i]))
            write_one(j, &p->secrets[i], (view->revealed >> i & 1) != 0);
    }
    if (is_array)
        json_end_array(j);
}

static void
secrets_encode(struct buf *out, const struct policy_row *row, const struct webhook_policy *p)
{
    (void) row;
    rec_put_u32(out, (uint32_t) p->n_secrets);
    for (size_t i = 0; i < p->n_secrets; i++) {
        const struct webhook_secret *s = &p->secrets[i];
        rec_put_u8(out, (uint8_t) s->kind);
        rec_put_str(out, str_make(s->key, s->n_key));
        rec_put_i64(out, s->created_at_ms);
        rec_put_i64(out, s->expires_at_ms);
    }
}

static void
decode_one(struct rec *r, struct webhook_secret *s)
{
    uint8_t kind = rec_u8(r);
    struct str key = rec_str(r);
    r->failed |= kind > SECRET_V1A_ED25519 || key.len > sizeof(s->key);
    if (r->failed)
        return;
    s->kind = (enum secret_kind) kind;
    s->n_key = key.len;
    memcpy(s->key, key.data, key.len);
    s->created_at_ms = rec_i64(r);
    s->expires_at_ms = rec_i64(r);
}

static void
secrets_decode(struct rec *r, const struct policy_row *row, struct webhook_policy *p)
{
    uint32_t n = rec_u32(r);
    (void) row;
    r->failed |= n > SECRETS_MAX;
    if (r->failed)
        return;
    p->secrets = mem_new(n, sizeof(*p->secrets));
    for (p->n_secrets = 0; p->n_secrets < n; p->n_secrets++)
        decode_one(r, &p->secrets[p->n_secrets]);
}

static void
secrets_release(const struct policy_row *row, struct webhook_policy *p)
{
    (void) row;
    mem_wipe(p->secrets, p->n_secrets * sizeof(*p->secrets));
    free(p->secrets);
    p->secrets = NULL;
    p->n_secrets = 0;
}

const struct policy_type policy_type_secrets = {secrets_read, secrets_write, secrets_encode,
                                                secrets_decode, secrets_release};

/* --- certificates ---------------------------------------------------------------------------- */

static int
ca_read(struct policy_reader *r, const struct policy_row *row, const struct json *v)
{
    struct buf why = BUF_INIT;
    if (policy_text_read(r, row, v) != 0)
        return -1;
    int rc = pem_check_authorities(str_from(r->change->policy.ca), &why);
    if (rc != 0)
        rc = field_err_value(r->err, row->code, r->path, "%s", buf_cstr(&why));
    buf_done(&why);
    return rc;
}

const struct policy_type policy_type_ca = {ca_read, policy_text_write, policy_text_encode,
                                           policy_text_decode, policy_text_release};

/* Without a private key it is what was shown, sent back: looked at when the old policy is known. */
static int
certificate_read(struct policy_reader *r, const struct policy_row *row, const struct json *v)
{
    struct buf why = BUF_INIT;
    r->change->is_certificate_kept = false;
    if (policy_text_read(r, row, v) != 0)
        return -1;
    struct str pem = str_from(r->change->policy.client_certificate);
    if (!pem_has_private_key(pem)) {
        r->change->is_certificate_kept = true;
        return 0;
    }
    int rc = pem_check_identity(pem, &why);
    if (rc != 0)
        rc = field_err_value(r->err, row->code, r->path, "%s", buf_cstr(&why));
    buf_done(&why);
    return rc;
}

int
policy_certificate_restore(struct policy_change *c, const struct webhook_policy *old,
                           struct err *err)
{
    struct buf shown = BUF_INIT;
    int rc = 0;
    if (!c->is_certificate_kept || !policy_is_given(&c->policy, POLICY_CLIENT_CERTIFICATE))
        return 0;
    pem_write_certificates(&shown, str_from(old->client_certificate));
    if (old->client_certificate == NULL || !str_is(buf_str(&shown), c->policy.client_certificate)) {
        rc = field_err_value(err, ERR_INVALID_WEBHOOK_CLIENT_CERTIFICATE, STR(".clientCertificate"),
                             "expected a certificate and its private key, both in PEM");
    } else {
        free(c->policy.client_certificate);
        c->policy.client_certificate = mem_strdup(old->client_certificate);
    }
    buf_done(&shown);
    return rc;
}

static void
certificate_write(struct json_out *j, const struct policy_row *row, const struct webhook_policy *p,
                  const struct policy_view *view)
{
    struct buf shown = BUF_INIT;
    (void) row;
    (void) view;
    pem_write_certificates(&shown, str_from(p->client_certificate));
    json_put_str(j, buf_str(&shown));
    buf_done(&shown);
}

const struct policy_type policy_type_certificate = {certificate_read, certificate_write,
                                                    policy_text_encode, policy_text_decode,
                                                    policy_text_release};
