/* Which secrets a webhook has after a rotation, and the change of a registered one. Knows no
 * replies.
 */
#include "webhook/rotate.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "webhook/field_err.h"
#include "webhook/policy_fields.h"
#include "webhook/secret.h"
#include "webhook/state.h"

struct secret_list {
    struct webhook_secret items[SECRETS_MAX];
    size_t n;
};

static bool
is_in(const struct secret_list *l, const struct webhook_secret *s)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct webhook_secret *item = &l->items[i];
        if (item->kind == s->kind && item->n_key == s->n_key &&
            memcmp(item->key, s->key, s->n_key) == 0)
            return true;
    }
    return false;
}

/* One of ours in the place of each that is in use; of a webhook without any, its first. */
static void
generate(struct secret_list *l, const struct webhook_policy *old, uint32_t *ret_generated)
{
    for (size_t i = 0; i < old->n_secrets; i++) {
        if (old->secrets[i].expires_at_ms == 0)
            secret_generate(&l->items[l->n++], old->secrets[i].kind);
    }
    if (l->n == 0)
        secret_generate(&l->items[l->n++], SECRET_V1_HMAC);
    *ret_generated = (1u << l->n) - 1;
}

/* Those that the caller gives, as the field of a webhook. */
static int
read_given(struct secret_list *l, const struct json *v, uint32_t *ret_generated, struct err *err)
{
    static const struct webhook_words no_words = {0};
    struct policy_change c;
    policy_change_init(&c);
    int rc = policy_change_read(&c, &no_words, STR("secret"), v, err) < 0 ? -1 : 0;
    if (rc == 0 && c.kept_secrets != 0)
        rc = field_err_value(err, ERR_INVALID_WEBHOOK_SECRET, STR(".secret"),
                             "a rotation needs a new secret, this is how one is shown");
    if (rc == 0) {
        l->n = c.policy.n_secrets;
        memcpy(l->items, c.policy.secrets, l->n * sizeof(*l->items));
        *ret_generated = c.generated;
    }
    policy_change_done(&c);
    return rc;
}

/* The old ones behind the new, those that live longest first, as many as there is room for. */
static void
keep_old(struct secret_list *l, const struct webhook_policy *old, int64_t now_ms, int64_t grace_ms)
{
    for (size_t i = 0; i < old->n_secrets && grace_ms > 0 && l->n < SECRETS_MAX; i++) {
        struct webhook_secret s = old->secrets[i];
        if (s.expires_at_ms == 0 && !is_in(l, &s)) {
            s.expires_at_ms = now_ms + grace_ms;
            l->items[l->n++] = s;
        }
        mem_wipe(&s, sizeof(s));
    }
    for (size_t i = 0; i < old->n_secrets && l->n < SECRETS_MAX; i++) {
        const struct webhook_secret *s = &old->secrets[i];
        if (s->expires_at_ms > now_ms && !is_in(l, s))
            l->items[l->n++] = *s;
    }
}

static void
replace(struct webhook_policy *p, const struct secret_list *l)
{
    mem_wipe(p->secrets, p->n_secrets * sizeof(*p->secrets));
    free(p->secrets);
    p->secrets = mem_new(l->n, sizeof(*p->secrets));
    memcpy(p->secrets, l->items, l->n * sizeof(*p->secrets));
    p->n_secrets = l->n;
    p->given |= 1u << POLICY_SECRET;
}

int
policy_rotate_secrets(struct webhook_policy *p, const struct webhook_rotation *rotation,
                      int64_t now_ms, uint32_t *ret_generated, struct err *err)
{
    struct secret_list l = {.n = 0};
    int rc = 0;
    if (rotation->secret == NULL || json_type(rotation->secret) == JSON_NULL)
        generate(&l, p, ret_generated);
    else
        rc = read_given(&l, rotation->secret, ret_generated, err);
    if (rc == 0) {
        keep_old(&l, p, now_ms, rotation->grace_ms);
        replace(p, &l);
    }
    mem_wipe(&l, sizeof(l));
    return rc;
}

int
webhooks_rotate_secret(struct webhooks *w, struct str uuid, const struct webhook_rotation *rotation,
                       struct buf *out, struct err *err)
{
    const struct webhook *h;
    struct webhook_policy policy;
    uint32_t generated = 0;
    if (registry_find_editable(w, uuid, &h, err) != 0)
        return -1;
    policy_copy(&policy, &h->policy);
    int rc = policy_rotate_secrets(&policy, rotation, clock_wall_ms(), &generated, err);
    if (rc == 0) {
        struct json_out j = json_out(out);
        h = registry_put_policy(w, h, &policy);
        webhook_write_now(w, turn_txn(w->conf.turn), h, generated, &j);
    }
    policy_done(&policy);
    return rc;
}
