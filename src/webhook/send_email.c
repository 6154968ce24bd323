/* A mail an attempt, through the relay of the configuration, to all recipients that are open. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/mime.h"
#include "net/smtp_client.h"
#include "webhook/sending.h"
#include "webhook/state.h"

static const char *const media_types[CONTENTS] = {
    [CONTENT_PLAIN] = "text/plain",
    [CONTENT_HTML] = "text/html",
    [CONTENT_MARKDOWN] = "text/markdown",
    [CONTENT_JSON] = "application/json",
};

enum { FROM_LINE_BYTES = 70, SUBJECT_MAX_BYTES = 500 };
_Static_assert((int) CHANNEL_RECIPIENTS_MAX <= (int) SMTP_RECIPIENTS_MAX,
               "a mail goes to all of a channel");

/* Positions in the channel of those that the message goes to. */
struct email {
    size_t at[CHANNEL_RECIPIENTS_MAX], n;
};

/* --- the message
 * --------------------------------------------------------------------------------------- */

static void
add_recipients(struct buf *out, const struct channel *c, const char *name, enum recipient_kind kind)
{
    struct str items[CHANNEL_RECIPIENTS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < c->n_recipients; i++) {
        if (c->recipients[i].kind == kind)
            items[n++] = str_from(c->recipients[i].text);
    }
    if (n > 0)
        mime_add_list(out, name, items, n);
}

static void
add_from(struct buf *out, const struct webhooks_email *email)
{
    struct buf name = BUF_INIT;
    if (email->from_name == NULL) {
        struct str address = str_from(email->from);
        mime_add_list(out, "From", &address, 1);
        return;
    }
    mime_add_header(&name, "From", str_from(email->from_name));
    name.len--; /* the address belongs to the same header */
    struct str last = buf_str(&name);
    for (size_t at; (at = str_find(last, '\n', 0)) < last.len;)
        last = str_slice(last, at + 1, last.len);
    bool folds = last.len + strlen(email->from) > FROM_LINE_BYTES;
    buf_add_str(out, buf_str(&name));
    buf_addf(out, "%s <%s>\n", folds ? "\n" : "", email->from);
    buf_done(&name);
}

/* The same on every attempt, so that whoever gets it twice can tell. */
static void
add_message_id(struct buf *out, const struct sending *s)
{
    char id[FORMAT_ID_CAP];
    const char *from = s->webhooks->conf.email.from;
    buf_addf(out, "Message-ID: <%s.%llu%s>\n", request_event_id(s->request, id),
             (unsigned long long) s->delivery, strchr(from, '@'));
}

static void
write_message(struct buf *out, const struct sending *s)
{
    const struct channel *c = s->webhook->policy.channel;
    struct str body = request_text(s->request, CHANNEL_EXTRA);
    struct str subject = request_text(s->request, CHANNEL_MAIN);
    struct str cut = str_slice(subject, 0, SUBJECT_MAX_BYTES);
    mime_add_date(out, clock_wall_ns());
    add_from(out, &s->webhooks->conf.email);
    add_recipients(out, c, "To", RECIPIENT_TO);
    add_recipients(out, c, "Cc", RECIPIENT_CC);
    mime_add_header(out, "Subject", str_slice(subject, 0, str_utf8_prefix(cut)));
    add_message_id(out, s);
    buf_add_cstr(out, "Auto-Submitted: auto-generated\n"); /* RFC 3834: nobody is away to us */
    mime_add_body(out, media_types[c->content],
                  body.data == NULL ? request_event(s->request) : body);
}

/* --- its end
 * ------------------------------------------------------------------------------------------- */

static void
settle(struct sending *s, const struct smtp_result *mail)
{
    const struct email *e = s->own;
    for (size_t i = 0; i < e->n; i++) {
        if (mail->fates[i] != SMTP_PENDING)
            s->recipients.states[e->at[i]] =
                mail->fates[i] == SMTP_ACCEPTED ? RECIPIENT_ACCEPTED : RECIPIENT_GIVEN_UP;
    }
}

/* A relay that took part of it, or judged it, is well. */
static struct verdict
judge(const struct sending *s, const struct smtp_result *mail)
{
    struct verdict v = sending_judge_recipients(s);
    v.lane.is_neutral = !v.is_success && (v.is_final || mail->n_accepted > 0);
    return v;
}

static void
on_mail(void *arg, const struct smtp_result *mail)
{
    struct sending *s = arg;
    settle(s, mail);
    struct http_client_result exchange = {
        .outcome = mail->outcome,
        .status = mail->code,
        .detail = mail->detail,
        .address = mail->address,
        .body = mail->replies,
        .dns_us = mail->dns_us,
        .connect_us = mail->connect_us,
        .tls_us = mail->tls_us,
        .first_byte_us = mail->first_byte_us,
        .total_us = mail->total_us,
    };
    struct send_result result = {.exchange = &exchange, .verdict = judge(s, mail)};
    if (mail->outcome == HTTP_OUTCOME_ANSWERED)
        result.error_class = result.verdict.is_success ? ""
                             : result.verdict.is_final ? "rejected"
                                                       : "deferred";
    sending_end(s, &result);
}

static void
start(struct sending *s)
{
    struct email *e = mem_new(1, sizeof(*e));
    struct smtp_message m = {.from = s->webhooks->conf.email.from, .timeout_ms = s->timeout_ms};
    struct buf data = BUF_INIT;
    s->own = e;
    if (s->webhooks->conf.email.client == NULL) { /* started without one since it was registered */
        sending_end_later(s, HTTP_OUTCOME_CONNECT,
                          "there is no relay: the server was started without --smtp-url",
                          "no_relay");
        return;
    }
    for (size_t i = 0; i < s->recipients.channel->n_recipients; i++) {
        if (s->recipients.states[i] != RECIPIENT_OPEN)
            continue;
        e->at[e->n++] = i;
        m.recipients[m.n_recipients++] = s->recipients.channel->recipients[i].text;
    }
    write_message(&data, s);
    m.data = buf_str(&data);
    s->mail = smtp_client_start(s->webhooks->conf.email.client, &m, on_mail, s);
    buf_done(&data);
}

static void
cancel(struct sending *s)
{
    smtp_exchange_cancel(s->mail);
}

static void
free_own(struct sending *s)
{
    free(s->own);
}

const struct sender sender_email = {.start = start, .cancel = cancel, .free = free_own};
