/* Makes webhooks of what was given at the start, by the rules of the API. Touches no state. */
#include "webhook/declaration.h"

#include "webhook/field_err.h"
#include "webhook/settings.h"

/* A secret that we made could not be shown to anybody. */
static int
check_secrets(const struct policy_change *c, struct err *err)
{
    if (c->generated == 0)
        return 0;
    return field_err_value(err, ERR_INVALID_WEBHOOK_SECRET, STR(".secret"),
                           "a secret can be generated over the API only");
}

/* The policy that the change makes of upstream's behaviour; to be done with in any case. */
static int
make_policy(struct policy_change *c, struct webhook_policy *ret, struct err *err)
{
    policy_init(ret);
    return check_secrets(c, err) != 0 ? -1 : policy_change_apply(c, ret, err);
}

static int
check(const struct webhooks_conf *conf, const struct webhook_draft *d, struct err *err)
{
    if (draft_check(d, err) != 0)
        return -1;
    return conf->requires_https ? draft_check_https(d->url, conf->policy, err) : 0;
}

/* Checks the draft with the policy that is asked for, and makes it a webhook. */
static struct webhook *
make(const struct webhooks_conf *conf, struct webhook_draft *d, struct policy_change *c,
     struct err *err)
{
    struct webhook_policy policy;
    struct webhook *h = NULL;
    d->policy = &policy;
    if (make_policy(c, &policy, err) == 0 && check(conf, d, err) == 0)
        h = webhook_new(d);
    policy_done(&policy);
    return h;
}

static void
say_where(const char *where, struct err *err)
{
    struct buf b = BUF_INIT;
    buf_addf(&b, "%s: %s", where, err->message);
    (void) field_err_take(err, err->code, &b);
}

struct webhook *
declaration_read(const struct webhooks_conf *conf, const struct webhook_declaration *d,
                 struct err *err)
{
    struct webhook_settings s;
    struct webhook *h = NULL;
    if (webhook_settings_read(d->body, &conf->words, &s, err) == 0) {
        struct webhook_draft draft = {
            .uuid = d->uuid,
            .origin = WEBHOOK_DECLARED,
            .url = s.url,
            .headers = s.headers,
            .n_headers = s.n_headers,
        };
        h = make(conf, &draft, &s.policy, err);
        webhook_settings_done(&s);
    }
    if (h == NULL)
        say_where(d->where, err);
    return h;
}

/* Its URL is shown as a parser writes it (contract 7.1). */
static struct webhook *
make_cli(const struct webhooks_conf *conf, struct policy_change *c, struct err *err)
{
    struct header_view header = {.name = STR("Authorization"),
                                 .value = str_from(conf->cli_authorization)};
    struct url parsed = URL_INIT;
    struct buf normal = BUF_INIT;
    struct webhook_draft d = {
        .uuid = UUID_NIL,
        .origin = WEBHOOK_CLI,
        .url = str_from(conf->cli_url),
        .headers = &header,
        .n_headers = conf->cli_authorization != NULL,
    };
    if (url_parse(d.url, &parsed, NULL) == 0) {
        url_write(&normal, &parsed);
        d.url = buf_str(&normal);
    }
    struct webhook *h = make(conf, &d, c, err);
    url_done(&parsed);
    buf_done(&normal);
    return h;
}

struct webhook *
declaration_read_cli(const struct webhooks_conf *conf, struct err *err)
{
    struct webhook_settings s;
    struct policy_change none;
    policy_change_init(&none);
    bool has_fields = conf->cli_fields != NULL;
    if (has_fields && webhook_settings_read(conf->cli_fields, &conf->words, &s, err) != 0)
        return NULL;
    struct webhook *h = make_cli(conf, has_fields ? &s.policy : &none, err);
    policy_change_done(&none);
    if (has_fields)
        webhook_settings_done(&s);
    return h;
}

int
webhooks_check_field(const struct webhook_words *words, const struct json *body, struct err *err)
{
    struct webhook_settings s;
    if (webhook_settings_read(body, words, &s, err) != 0)
        return -1;
    int rc = check_secrets(&s.policy, err);
    webhook_settings_done(&s);
    return rc;
}
