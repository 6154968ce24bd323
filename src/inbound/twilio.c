/* The text that Twilio signs. Owns its order and what may be its address; knows no secret and no
 * connection. */
#include "inbound/twilio.h"

#include <stdlib.h>

#include "codec/form.h"
#include "net/url.h"

/* What is not sent (a fragment), or not signed alike by everybody (a password), cannot match. */
static bool
is_signed_whole(const struct url *u)
{
    return url_is_http(u) && u->host != NULL && u->host[0] != '\0' && u->username == NULL &&
           u->password == NULL && u->fragment == NULL;
}

/* 0: it is not written as addresses are, whatever browsers make of it. */
static size_t
host_begins_at(struct str url)
{
    size_t at = str_starts_with(url, "https://") ? 8 : str_starts_with(url, "http://") ? 7 : 0;
    return at == url.len || url.data[at] == '/' || url.data[at] == '\\' ? 0 : at;
}

const char *
twilio_check_url(struct str url)
{
    struct url parsed = URL_INIT;
    struct buf why = BUF_INIT; /* in upstream's words, which say less than ours */
    bool is_fine = url.len <= TWILIO_URL_MAX_BYTES && host_begins_at(url) > 0;
    for (size_t i = 0; is_fine && i < url.len; i++)
        is_fine = url.data[i] > ' ' && url.data[i] < 0x7f;
    if (is_fine && url_parse(url, &parsed, &why) == 0) {
        is_fine = is_signed_whole(&parsed);
        url_done(&parsed);
    } else {
        is_fine = false;
    }
    buf_done(&why);
    return is_fine ? NULL
                   : "expected the http or https address that Twilio was given, of at most 2048 "
                     "visible ASCII characters, without user, password and fragment";
}

static int
compare_params(const void *a, const void *b)
{
    const struct form_param *x = a, *y = b;
    int by_name = str_compare(x->name, y->name);
    return by_name != 0 ? by_name : str_compare(x->value, y->value);
}

static void
write_url_of_other_port(struct buf *out, struct str url)
{
    size_t at = host_begins_at(url), port = 0;
    for (; at < url.len && strchr("/?\\", url.data[at]) == NULL; at++) {
        if (url.data[at] == ':')
            port = at;
        else if (url.data[at] == ']') /* the colons were those of an IPv6 address */
            port = 0;
    }
    buf_add_str(out, str_slice(url, 0, port > 0 ? port : at));
    if (port == 0)
        buf_add_cstr(out, str_starts_with(url, "https") ? ":443" : ":80");
    buf_add_str(out, str_slice(url, at, url.len));
}

int
twilio_write_signed(struct buf *out, struct buf *other, struct str url, struct str form)
{
    struct arena *arena = arena_new();
    struct form_param *params;
    int n = form_parse(arena, form, &params);
    buf_add_str(out, url);
    write_url_of_other_port(other, url);
    if (n > 0)
        qsort(params, (size_t) n, sizeof(*params), compare_params);
    for (int i = 0; i < n; i++) {
        if (i > 0 && compare_params(&params[i - 1], &params[i]) == 0)
            continue;
        buf_add_str(out, params[i].name);
        buf_add_str(out, params[i].value);
        buf_add_str(other, params[i].name);
        buf_add_str(other, params[i].value);
    }
    arena_free(arena);
    return n < 0 ? -1 : 0;
}
