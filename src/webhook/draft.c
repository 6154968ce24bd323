/* The checks on a webhook before it is registered, in upstream's order and words
 * (contract 7.2, 7.3), and three of our own: headers that the sender sets, and two sizes. Touches
 * no state. */
#include "net/url.h"
#include "webhook/settings.h"
#include "webhook/webhook.h"

/* The sender frames its requests itself: a user's value would desynchronise the connection. */
static const char *const framing_headers[] = {"Content-Length", "Transfer-Encoding", "Connection"};

int
webhook_err_url_missing(const struct uuid *uuid, struct err *err)
{
    char text[UUID_TEXT_LEN + 1];
    return err_set(err, ERR_INVALID_WEBHOOK_URL, "The URL for the webhook `%s` is missing.",
                   uuid_format(uuid, text));
}

int
webhook_err_too_many_headers(const struct uuid *uuid, struct err *err)
{
    char text[UUID_TEXT_LEN + 1];
    return err_set(err, ERR_INVALID_WEBHOOK_HEADERS,
                   "Too many headers for the webhook `%s`. Please limit the number of headers to "
                   "%d. Hint: To remove an already defined header set its value to `null`",
                   uuid_format(uuid, text), WEBHOOK_HEADERS_MAX);
}

/* Names may hold any bytes, NUL included: no printf. */
static int
err_quoting(struct err *err, enum err_code code, const char *before, struct str quoted,
            struct str why)
{
    struct buf b = BUF_INIT;
    buf_add_cstr(&b, before);
    buf_add_str(&b, quoted);
    buf_add_cstr(&b, "`: ");
    buf_add_str(&b, why);
    int rc = buf_failed(&b) ? err_set(err, ERR_INTERNAL, "out of memory")
                            : err_set_str(err, code, buf_str(&b));
    buf_done(&b);
    return rc;
}

static bool
is_token(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        bool is_alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_alnum && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return s.len > 0;
}

static bool
is_header_value(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char) s.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return false;
    }
    return true;
}

static int
check_header(const struct header_view *h, struct err *err)
{
    if (!is_token(h->name))
        return err_quoting(err, ERR_INVALID_WEBHOOK_HEADERS, "Invalid header name `", h->name,
                           STR("invalid HTTP header name"));
    for (size_t i = 0; i < sizeof(framing_headers) / sizeof(framing_headers[0]); i++) {
        if (str_equal_nocase(h->name, str_from(framing_headers[i])))
            return err_quoting(err, ERR_INVALID_WEBHOOK_HEADERS, "Invalid header name `", h->name,
                               STR("this header is set by the server and cannot be changed"));
    }
    if (!is_header_value(h->value))
        return err_quoting(err, ERR_INVALID_WEBHOOK_HEADERS, "Invalid header value `", h->name,
                           STR("failed to parse header value"));
    return 0;
}

static int
check_sizes(const struct webhook_draft *d, struct err *err)
{
    size_t total = 0;
    char text[UUID_TEXT_LEN + 1];
    for (size_t i = 0; i < d->n_headers; i++)
        total += d->headers[i].name.len + d->headers[i].value.len;
    if (total > WEBHOOK_HEADERS_MAX_BYTES)
        return err_set(err, ERR_INVALID_WEBHOOK_HEADERS,
                       "The headers of the webhook `%s` are too large. Please limit their names "
                       "and values to %d bytes in all.",
                       uuid_format(&d->uuid, text), WEBHOOK_HEADERS_MAX_BYTES);
    if (d->url.len > WEBHOOK_URL_MAX_BYTES)
        return err_set(err, ERR_INVALID_WEBHOOK_URL,
                       "The URL for the webhook `%s` is too long. Please limit it to %d bytes.",
                       uuid_format(&d->uuid, text), WEBHOOK_URL_MAX_BYTES);
    return 0;
}

static int
check_url(struct str url, struct err *err)
{
    struct url parsed = URL_INIT;
    struct buf why = BUF_INIT;
    int rc = url_parse(url, &parsed, &why);
    if (rc != 0)
        rc = err_quoting(err, ERR_INVALID_WEBHOOK_URL, "Invalid URL `", url, buf_str(&why));
    url_done(&parsed);
    buf_done(&why);
    return rc;
}

int
draft_check(const struct webhook_draft *d, struct err *err)
{
    if (d->url.len == 0)
        return webhook_err_url_missing(&d->uuid, err);
    if (d->n_headers > WEBHOOK_HEADERS_MAX)
        return webhook_err_too_many_headers(&d->uuid, err);
    if (check_sizes(d, err) != 0)
        return -1;
    for (size_t i = 0; i < d->n_headers; i++) {
        if (check_header(&d->headers[i], err) != 0)
            return -1;
    }
    return check_url(d->url, err);
}

static bool
may_be_plain(const struct url *u, const struct address_policy *policy)
{
    struct sockaddr_storage address;
    if (strcmp(u->scheme, "http") != 0)
        return true;
    if (url_literal_address(u, &address))
        return address_policy_lists(policy, (struct sockaddr *) &address);
    return address_policy_lists_any(policy);
}

int
draft_check_https(struct str url, const struct address_policy *policy, struct err *err)
{
    struct url parsed = URL_INIT;
    int rc = 0;
    if (url_parse(url, &parsed, NULL) == 0 && !may_be_plain(&parsed, policy))
        rc = err_quoting(err, ERR_INVALID_WEBHOOK_URL, "Invalid URL `", url,
                         STR("this server sends plain http only to the networks of "
                             "--experimental-allowed-ip-networks (--webhook-require-https)"));
    url_done(&parsed);
    return rc;
}
