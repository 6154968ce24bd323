/* Judges option values with net/'s parsers. Creates nothing, listens nowhere. */
#include "app/check.h"

#include "app/channels.h"
#include "app/declare.h"
#include "net/url.h"

enum { EXIT_USAGE = 2 };

static int
check_webhook_url(const char *text)
{
    struct url url = URL_INIT;
    struct buf why = BUF_INIT;
    if (text == NULL)
        return 0;
    int rc = url_parse(str_from(text), &url, &why);
    if (rc == 0 && !url_is_http(&url)) {
        buf_addf(&why, "the scheme `%s` cannot receive a webhook, expected `http` or `https`",
                 url.scheme);
        rc = -1;
    }
    if (rc != 0)
        conf_print_invalid("task-webhook-url", text, buf_cstr(&why));
    url_done(&url);
    buf_done(&why);
    return rc == 0 ? 0 : EXIT_USAGE;
}

/* What a header value may hold (contract 7.3): no control characters but TAB. */
static int
check_authorization(const char *value)
{
    for (const char *p = value; p != NULL && *p != '\0'; p++) {
        if (((unsigned char) *p < 0x20 && *p != '\t') || *p == 0x7F) {
            conf_print_invalid("task-webhook-authorization-header", value,
                               "failed to parse header value");
            return EXIT_USAGE;
        }
    }
    return 0;
}

static int
check_networks(const char *text, struct address_policy **ret)
{
    struct buf why = BUF_INIT;
    *ret = address_policy_parse(str_from(text), &why);
    if (*ret == NULL)
        conf_print_invalid("experimental-allowed-ip-networks", text, buf_cstr(&why));
    buf_done(&why);
    return *ret == NULL ? EXIT_USAGE : 0;
}

int
app_check_options(const struct conf *conf, struct address_policy **ret_policy)
{
    int rc = check_webhook_url(conf->task_webhook_url);
    if (rc == 0)
        rc = check_authorization(conf->task_webhook_authorization_header);
    if (rc == 0)
        rc = app_check_task_webhook(conf);
    if (rc == 0 && app_channels_check(conf) != 0)
        rc = EXIT_USAGE;
    if (rc == 0)
        rc = check_networks(conf->allowed_ip_networks, ret_policy);
    return rc;
}
