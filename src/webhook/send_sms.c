/* A request a number, in the shape of Twilio's API, one after the other within the attempt's
 * deadline.
 *
 * There is no key that would make a repeated request harmless. So a number is tried again, once,
 * only when nothing can have been sent: its request was not begun, or no connection came about.
 * Whatever else is not a success is given up. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/unicode.h"
#include "codec/digest.h"
#include "codec/form.h"
#include "webhook/answer.h"
#include "webhook/sending.h"
#include "webhook/state.h"

enum {
    BODY_MAX_CHARS = 1600,    /* Twilio refuses more */
    ANSWER_SHOWN_BYTES = 300, /* of each answer in the attempt's record */
};

struct sms {
    struct buf message;
    struct url url;
    char *authorization;
    size_t at; /* the number that is asked for */
    int64_t began_us, deadline_us;
    struct buf answers; /* a line a number */
    struct buf detail;
    struct http_client_result told; /* the first failure, else the last answer */
    char address[64];
    bool has_told, has_failed;
};

static void send_next(struct sending *s);

/* --- the request
 * --------------------------------------------------------------------------------------- */

static void
write_body(struct buf *out, const struct webhooks_sms *service, const char *to, struct str message)
{
    bool is_service = str_starts_with(str_from(service->from), "MG");
    buf_add_cstr(out, "To=");
    form_encode(out, str_from(to));
    buf_add_cstr(out, is_service ? "&MessagingServiceSid=" : "&From=");
    form_encode(out, str_from(service->from));
    buf_add_cstr(out, "&Body=");
    form_encode(out, message);
}

/* As much as fits, with an ellipsis where something is missing. */
static void
set_message(struct sms *m, struct str text)
{
    size_t end = 0, n = 0, len;
    text = str_trim(text);
    if (unicode_count(text) <= BODY_MAX_CHARS) {
        buf_add_str(&m->message, text);
        return;
    }
    for (; n < BODY_MAX_CHARS - 1; n++, end += len)
        (void) unicode_read(text, end, &len);
    buf_add_str(&m->message, str_slice(text, 0, end));
    buf_add_cstr(&m->message, "\xE2\x80\xA6");
}

static char *
authorization_of(const struct webhooks_sms *service)
{
    struct buf pair = BUF_INIT, value = BUF_INIT;
    buf_addf(&pair, "%s:%s", service->account_sid, service->auth_token);
    buf_add_cstr(&value, "Basic ");
    base64_encode(&value, buf_str(&pair));
    mem_wipe(pair.data, pair.len);
    buf_done(&pair);
    return buf_take(&value);
}

static int
set_url(struct sms *m, const struct webhooks_sms *service)
{
    struct buf text = BUF_INIT;
    size_t len = strlen(service->base_url);
    buf_add(&text, service->base_url, len > 0 && service->base_url[len - 1] == '/' ? len - 1 : len);
    buf_add_cstr(&text, "/2010-04-01/Accounts/");
    form_encode(&text, str_from(service->account_sid));
    buf_add_cstr(&text, "/Messages.json");
    int rc = url_parse(buf_str(&text), &m->url, NULL);
    buf_done(&text);
    return rc;
}

/* --- the answers
 * --------------------------------------------------------------------------------------- */

/* Nothing can have reached the service: connections are never reused here (is_once), so the request
 * went out after this one was ready. */
static bool
was_not_sent(const struct sms *m, const struct http_client_result *answer)
{
    bool is_https = strcmp(m->url.scheme, "https") == 0;
    return (is_https ? answer->tls_us : answer->connect_us) < 0;
}

static bool
is_success(const struct http_client_result *answer)
{
    return answer->outcome == HTTP_OUTCOME_ANSWERED &&
           (answer->status == 201 || answer->status == 200);
}

static void
add_printable(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        buf_add_char(out, (unsigned char) s.data[i] < ' ' ? ' ' : s.data[i]);
}

/* {"code": 21211, "message": "...", "status": 400} in a few words. */
static void
describe(struct buf *out, const struct http_client_result *answer)
{
    struct json_doc *doc = json_parse(answer->body, NULL);
    const struct json *code = json_get_c(doc == NULL ? NULL : json_root(doc), "code");
    const struct json *message = json_get_c(doc == NULL ? NULL : json_root(doc), "message");
    buf_addf(out, "http status: %d", answer->status);
    if (code != NULL && json_type(code) == JSON_NUMBER && json_number(code).len < 12)
        buf_addf(out, ": error %.*s", STR_ARG(json_number(code)));
    if (message != NULL && json_type(message) == JSON_STRING) {
        buf_add_cstr(out, ": ");
        add_printable(out, str_slice(json_string(message), 0, 120));
    }
    json_doc_free(doc);
}

static void
note_answer(struct sms *m, const char *number, const struct http_client_result *answer)
{
    buf_addf(&m->answers, "%s: %s", number, http_outcome_name(answer->outcome));
    if (answer->outcome == HTTP_OUTCOME_ANSWERED)
        buf_addf(&m->answers, " %d ", answer->status);
    add_printable(&m->answers, str_slice(answer->body, 0, ANSWER_SHOWN_BYTES));
    buf_add_char(&m->answers, '\n');
    if (m->has_failed)
        return;
    m->has_failed = !is_success(answer);
    m->has_told = true;
    m->told = *answer;
    m->told.body = m->told.headers = STR_NULL;
    m->told.retry_after = NULL;
    (void) snprintf(m->address, sizeof(m->address), "%s", answer->address);
    buf_clear(&m->detail);
    if (answer->outcome == HTTP_OUTCOME_ANSWERED && m->has_failed)
        describe(&m->detail, answer);
    else
        buf_add_cstr(&m->detail, answer->detail);
}

/* --- the end
 * ------------------------------------------------------------------------------------------- */

static bool
is_about_numbers(const struct sms *m)
{
    return m->told.outcome == HTTP_OUTCOME_ANSWERED && m->told.status == 400;
}

static struct verdict
judge(const struct sending *s)
{
    struct verdict v = sending_judge_recipients(s);
    v.is_final = !v.is_success && (v.is_final || s->attempts > 0);
    v.lane.is_neutral = !v.is_success && is_about_numbers(s->own);
    return v;
}

static void
finish(struct sending *s)
{
    struct sms *m = s->own;
    struct send_result result = {.exchange = &m->told, .verdict = judge(s)};
    m->told.address = m->address;
    m->told.detail = buf_cstr(&m->detail);
    m->told.body = buf_str(&m->answers);
    m->told.total_us = clock_mono_us() - m->began_us;
    bool is_refusal = m->told.status >= 400 && m->told.status < 500 && m->told.status != 429;
    if (m->told.outcome == HTTP_OUTCOME_ANSWERED && is_refusal)
        result.error_class = "rejected";
    sending_end(s, &result);
}

/* The server stops, or the webhook was deleted. A number whose answer is still to come may have got
 * its message: that is remembered, and so are those before it. */
static void
on_canceled(struct sending *s, const struct http_client_result *answer)
{
    struct sms *m = s->own;
    struct http_client_result unsure = *answer;
    if (was_not_sent(m, answer) && !m->has_told) {
        struct send_result result = {.exchange = answer};
        sending_end(s, &result);
        return;
    }
    if (!was_not_sent(m, answer)) {
        unsure.outcome = HTTP_OUTCOME_PROTOCOL;
        unsure.detail = "canceled while the answer was awaited: the message may have been sent";
        note_answer(m, s->recipients.channel->recipients[m->at].text, &unsure);
        s->recipients.states[m->at] = RECIPIENT_GIVEN_UP;
    }
    finish(s);
}

static void
on_answer(void *arg, const struct http_client_result *answer)
{
    struct sending *s = arg;
    struct sms *m = s->own;
    if (answer->outcome == HTTP_OUTCOME_CANCELED) {
        on_canceled(s, answer);
        return;
    }
    note_answer(m, s->recipients.channel->recipients[m->at].text, answer);
    if (is_success(answer))
        s->recipients.states[m->at] = RECIPIENT_ACCEPTED;
    else if (!was_not_sent(m, answer))
        s->recipients.states[m->at] = RECIPIENT_GIVEN_UP;
    m->at++;
    send_next(s);
}

static void
send_next(struct sending *s)
{
    struct sms *m = s->own;
    const struct channel *c = s->recipients.channel;
    int64_t left_ms = (m->deadline_us - clock_mono_us()) / 1000;
    while (m->at < c->n_recipients && s->recipients.states[m->at] != RECIPIENT_OPEN)
        m->at++;
    if (m->at == c->n_recipients || (m->has_told && left_ms <= 0)) {
        finish(s);
        return;
    }
    struct buf body = BUF_INIT;
    const struct http_header headers[] = {
        {"Authorization", m->authorization},
        {"Content-Type", "application/x-www-form-urlencoded"},
        {"Accept", "application/json"},
    };
    write_body(&body, &s->webhooks->conf.sms, c->recipients[m->at].text, buf_str(&m->message));
    struct http_client_request request = {
        .url = &m->url,
        .method = "POST",
        .headers = headers,
        .n_headers = sizeof(headers) / sizeof(headers[0]),
        .body = buf_str(&body),
        .timeout_ms = left_ms > 0 ? left_ms : 1,
        .max_response_bytes = ANSWER_BODY_MAX_BYTES,
        .plain_only_to_listed = true,
        .is_once = true,
    };
    s->exchange = http_client_start(s->webhooks->conf.client, &request, on_answer, s);
    buf_done(&body);
}

static void
start(struct sending *s)
{
    const struct webhooks_sms *service = &s->webhooks->conf.sms;
    struct sms *m = mem_new(1, sizeof(*m));
    s->own = m;
    m->began_us = clock_mono_us();
    m->deadline_us = m->began_us + s->timeout_ms * 1000;
    if (service->account_sid == NULL || set_url(m, service) != 0) { /* since it was registered */
        sending_end_later(s, HTTP_OUTCOME_CONNECT,
                          "there is no SMS service: the server was started without "
                          "--sms-account-sid",
                          "no_service");
        return;
    }
    m->authorization = authorization_of(service);
    set_message(m, request_text(s->request, CHANNEL_MAIN));
    send_next(s);
}

static void
cancel(struct sending *s)
{
    http_exchange_cancel(s->exchange);
}

static void
free_own(struct sending *s)
{
    struct sms *m = s->own;
    buf_done(&m->message);
    buf_done(&m->answers);
    buf_done(&m->detail);
    url_done(&m->url);
    if (m->authorization != NULL)
        mem_wipe(m->authorization, strlen(m->authorization));
    free(m->authorization);
    free(m);
}

const struct sender sender_sms = {.start = start, .cancel = cancel, .free = free_own};
