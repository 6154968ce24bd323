/* Rules between options, which no row can state alone. */
#include "base/uuid.h"
#include "conf/read.h"

static int
fail_needs(struct conf_report *report, const char *flag, const char *needed)
{
    struct buf text = BUF_INIT;
    buf_add_char(&text, '\'');
    option_write_usage(&text, option_find(str_from(flag)));
    buf_add_cstr(&text, "' needs '");
    option_write_usage(&text, option_find(str_from(needed)));
    buf_add_char(&text, '\'');
    (void) report_usage(report, "%s", buf_cstr(&text)); /* always -1, as we return */
    buf_done(&text);
    return -1;
}

static int
check_tls(const struct conf *c, struct conf_report *report)
{
    if (c->ssl_cert_path != NULL && c->ssl_key_path == NULL)
        return fail_needs(report, "ssl-cert-path", "ssl-key-path");
    if (c->ssl_key_path != NULL && c->ssl_cert_path == NULL)
        return fail_needs(report, "ssl-key-path", "ssl-cert-path");
    if (c->ssl_auth_path != NULL && c->ssl_cert_path == NULL)
        return fail_needs(report, "ssl-auth-path", "ssl-cert-path");
    if (c->ssl_require_auth && c->ssl_auth_path == NULL)
        return fail_needs(report, "ssl-require-auth", "ssl-auth-path");
    return 0;
}

static int
check_channels(const struct conf *c, struct conf_report *report)
{
    if (c->smtp_url != NULL && c->smtp_from == NULL)
        return fail_needs(report, "smtp-url", "smtp-from");
    if (c->sms_account_sid != NULL && c->sms_auth_token == NULL)
        return fail_needs(report, "sms-account-sid", "sms-auth-token");
    if (c->sms_account_sid != NULL && c->sms_from == NULL)
        return fail_needs(report, "sms-account-sid", "sms-from");
    return 0;
}

/* Upstream's words, with a key that can be used as it stands. */
static int
fail_master_key(struct conf_report *report, const char *problem)
{
    enum { KEY_BYTES = 24 };
    unsigned char random[KEY_BYTES];
    char key[2 * KEY_BYTES + 1];
    static const char DIGITS[] = "0123456789abcdef";
    random_bytes(random, sizeof(random));
    for (size_t i = 0; i < KEY_BYTES; i++) {
        key[2 * i] = DIGITS[random[i] >> 4];
        key[2 * i + 1] = DIGITS[random[i] & 15];
    }
    key[2 * KEY_BYTES] = '\0';
    return report_failure(report,
                          "%s\n\nWe generated a new secure master key for you (you can safely use "
                          "this token):\n\n>> --master-key %s <<\n\nRestart taskhook with the "
                          "argument above to use this new and secure master key.",
                          problem, key);
}

static int
check_master_key(const struct conf *c, struct conf_report *report)
{
    if (c->env != CONF_PRODUCTION)
        return 0;
    if (c->master_key == NULL)
        return fail_master_key(
            report, "You must provide a master key to secure your instance in a production "
                    "environment. It can be specified via the MEILI_MASTER_KEY environment "
                    "variable or the --master-key launch option.");
    size_t len = strlen(c->master_key);
    if (len >= CONF_MASTER_KEY_MIN_BYTES)
        return 0;
    struct buf problem = BUF_INIT;
    buf_addf(&problem,
             "The master key must be at least %d bytes in a production environment. The provided "
             "key is only %zu bytes.",
             CONF_MASTER_KEY_MIN_BYTES, len);
    int rc = fail_master_key(report, buf_cstr(&problem));
    buf_done(&problem);
    return rc;
}

static bool
is_given(const struct conf *c, const struct conf_option *o)
{
    char *text;
    enum conf_choice choice;
    const char *field = (const char *) c + o->offset;
    if (o->type == OPTION_ENUM) {
        memcpy(&choice, field, sizeof(choice));
        return choice != CONF_UNSET;
    }
    memcpy(&text, field, sizeof(text));
    return text != NULL;
}

/* What the webhook of the command line chooses, without one. */
static void
warn_about_no_webhook(const struct conf *c, struct conf_report *report)
{
    for (size_t i = 0; i < conf_option_count; i++) {
        const struct conf_option *o = &conf_options[i];
        if (str_starts_with(str_from(o->flag), "task-webhook-") && is_given(c, o))
            report_warning(report,
                           "option without effect option=--%s reason=\"there is no "
                           "--task-webhook-url\"",
                           o->flag);
    }
}

int
check_conf(const struct conf *c, struct conf_report *report)
{
    if (c->task_webhook_url == NULL)
        warn_about_no_webhook(c, report);
    if (check_tls(c, report) != 0 || check_channels(c, report) != 0)
        return -1;
    return check_master_key(c, report);
}
