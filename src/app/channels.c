/* The options of channels: judged with net/'s parsers, and made into what sends. */
#include "app/channels.h"

#include <stdlib.h>

#include "base/mem.h"

/* "Name <address>" or the address alone; both owned by the caller. 0 or -1. */
static int
parse_from(const char *text, char **ret_address, char **ret_name)
{
    struct str s = str_trim(str_from(text)), name = STR_NULL, address = s;
    size_t open = str_find(s, '<', 0);
    if (open < s.len && s.data[s.len - 1] == '>') {
        name = str_trim(str_slice(s, 0, open));
        address = str_slice(s, open + 1, s.len - 1);
    }
    if (name.len >= 2 && name.data[0] == '"' && name.data[name.len - 1] == '"')
        name = str_slice(name, 1, name.len - 1);
    for (size_t i = 0; i < name.len; i++) {
        if ((unsigned char) name.data[i] < ' ' || strchr("\"\\<>,;:@", name.data[i]) != NULL)
            return -1;
    }
    if (!smtp_address_is_valid(address) || !str_is_utf8(name))
        return -1;
    *ret_address = mem_strndup(address.data, address.len);
    *ret_name = name.len == 0 ? NULL : mem_strndup(name.data, name.len);
    return 0;
}

static int
fail(const char *flag, const char *value, const char *why)
{
    conf_print_invalid(flag, value, why);
    return -1;
}

static int
check_from(const char *text)
{
    char *address = NULL, *name = NULL;
    if (text != NULL && parse_from(text, &address, &name) != 0)
        return fail("smtp-from", text,
                    "expected an address like `hooks@example.com` or `Hooks <hooks@example.com>`");
    free(address);
    free(name);
    return 0;
}

static int
check_url(const char *flag, const char *text, bool is_relay)
{
    struct url url = URL_INIT;
    struct buf why = BUF_INIT;
    if (text == NULL)
        return 0;
    int rc = url_parse(str_from(text), &url, &why);
    if (rc == 0 && is_relay)
        rc = smtp_url_check(&url, &why);
    if (rc == 0 && !is_relay && !url_is_http(&url)) {
        buf_addf(&why, "expected http:// or https://, but found `%s:`", url.scheme);
        rc = -1;
    }
    if (rc != 0)
        (void) fail(flag, text, buf_cstr(&why)); /* always -1, as rc */
    url_done(&url);
    buf_done(&why);
    return rc;
}

static int
check_networks(const char *text)
{
    struct buf why = BUF_INIT;
    struct address_policy *p = address_policy_parse(str_from(text), &why);
    int rc = p == NULL ? fail("smtp-plain-networks", text, buf_cstr(&why)) : 0;
    address_policy_free(p);
    buf_done(&why);
    return rc;
}

int
app_channels_check(const struct conf *conf)
{
    int rc = check_url("smtp-url", conf->smtp_url, true);
    if (rc == 0)
        rc = check_from(conf->smtp_from);
    if (rc == 0)
        rc = check_networks(conf->smtp_plain_networks);
    if (rc == 0)
        rc = check_url("sms-base-url", conf->sms_base_url, false);
    return rc;
}

void
app_channels_open(struct app_channels *c, const struct conf *conf, struct loop *loop,
                  struct http_client *http)
{
    struct url url = URL_INIT;
    *c = (struct app_channels){0};
    if (conf->smtp_url == NULL || url_parse(str_from(conf->smtp_url), &url, NULL) != 0 ||
        parse_from(conf->smtp_from, &c->from, &c->from_name) != 0) {
        url_done(&url);
        return;
    }
    c->plain = address_policy_parse(str_from(conf->smtp_plain_networks), NULL);
    struct smtp_client_conf smtp = {.http = http, .plain = c->plain, .relay = &url};
    c->smtp = smtp_client_new(loop, &smtp);
    url_done(&url);
}

void
app_channels_close(struct app_channels *c)
{
    smtp_client_free(c->smtp);
    address_policy_free(c->plain);
    free(c->from);
    free(c->from_name);
    *c = (struct app_channels){0};
}

void
app_channels_fill(const struct app_channels *c, const struct conf *conf, struct webhooks_conf *ret)
{
    ret->email = (struct webhooks_email){c->smtp, c->from, c->from_name};
    ret->sms = (struct webhooks_sms){
        .base_url = conf->sms_base_url,
        .account_sid = conf->sms_account_sid,
        .auth_token = conf->sms_auth_token,
        .from = conf->sms_from,
    };
}
