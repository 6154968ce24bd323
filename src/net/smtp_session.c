/* Owns the order of commands and what replies mean. Knows neither sockets nor time. */
#include "net/smtp_session.h"

#include <stdio.h>

#include "base/mem.h"
#include "codec/digest.h"

static const struct {
    const char *doing, *refused;
} states[SMTP_STATES] = {
    [SMTP_STATE_GREETING] = {"waiting for the greeting", "the connection"},
    [SMTP_STATE_EHLO] = {"waiting for the answer to EHLO", "EHLO"},
    [SMTP_STATE_STARTTLS] = {"waiting for the answer to STARTTLS", "STARTTLS"},
    [SMTP_STATE_AUTH] = {"logging in", "the login"},
    [SMTP_STATE_USER] = {"logging in", "the login"},
    [SMTP_STATE_PASSWORD] = {"logging in", "the login"},
    [SMTP_STATE_MAIL] = {"waiting for the answer to MAIL", "the sender"},
    [SMTP_STATE_RCPT] = {"waiting for the answer to RCPT", "the recipients"},
    [SMTP_STATE_DATA] = {"waiting for the answer to DATA", "the message"},
    [SMTP_STATE_BODY] = {"waiting for the answer to the message", "the message"},
    [SMTP_STATE_DONE] = {"", ""},
};

const char *
smtp_state_doing(enum smtp_state s)
{
    return states[s].doing;
}

/* --- addresses and data
 * ------------------------------------------------------------------------------ */

static bool
is_atom(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

static bool
is_domain(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.';
}

static bool
is_dotted(struct str s, bool (*is_part)(char c))
{
    for (size_t i = 0; i < s.len; i++) {
        bool is_edge = i == 0 || i + 1 == s.len;
        if (!is_part(s.data[i]) || (s.data[i] == '.' && (is_edge || s.data[i + 1] == '.')))
            return false;
    }
    return s.len > 0;
}

bool
smtp_address_is_valid(struct str address)
{
    size_t at = str_find(address, '@', 0);
    return address.len <= 254 && at <= 64 && at < address.len &&
           is_dotted(str_slice(address, 0, at), is_atom) &&
           is_dotted(str_slice(address, at + 1, address.len), is_domain);
}

void
smtp_write_data(struct buf *out, struct str data)
{
    size_t at = 0;
    while (at < data.len) {
        size_t end = at;
        while (end < data.len && data.data[end] != '\r' && data.data[end] != '\n')
            end++;
        if (data.data[at] == '.')
            buf_add_char(out, '.');
        buf_add_str(out, str_slice(data, at, end));
        buf_add_cstr(out, "\r\n");
        bool is_pair = end + 1 < data.len && data.data[end] == '\r' && data.data[end + 1] == '\n';
        at = end + (is_pair ? 2 : 1);
    }
    buf_add_cstr(out, ".\r\n");
}

/* --- ends
 * --------------------------------------------------------------------------------------------- */

static enum smtp_step end(struct smtp_session *s, enum http_outcome outcome, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static enum smtp_step
end(struct smtp_session *s, enum http_outcome outcome, const char *fmt, ...)
{
    va_list ap;
    if (s->state == SMTP_STATE_DONE)
        return SMTP_STEP_DONE;
    s->state = SMTP_STATE_DONE;
    s->outcome = outcome;
    va_start(ap, fmt);
    buf_addv(&s->detail, fmt, ap);
    va_end(ap);
    mem_wipe(s->out.data, s->out.len);
    buf_clear(&s->out);
    buf_add_cstr(&s->out, "QUIT\r\n");
    return SMTP_STEP_DONE;
}

void
smtp_session_fail(struct smtp_session *s, enum http_outcome outcome, const char *detail)
{
    (void) end(s, outcome, "%s", detail);
}

static bool
is_for_good(int code)
{
    return code >= 500;
}

/* Nobody who is still hoped for will get it. */
static void
refuse_all(struct smtp_session *s)
{
    for (size_t i = 0; i < s->conf.n_recipients; i++)
        s->fates[i] = SMTP_REFUSED;
}

/* A reply that is none of those that go on. One that concerns the message ends it for good with
 * 5yz; a login or a greeting that is refused may be a matter of the relay's configuration: mail
 * servers wait for it to be mended, and so do we. */
static enum smtp_step
refused(struct smtp_session *s)
{
    bool concerns_message = s->state >= SMTP_STATE_MAIL;
    s->final_code = s->code;
    if (s->code < 400 && s->state != SMTP_STATE_DONE)
        return end(s, HTTP_OUTCOME_PROTOCOL,
                   "the relay answered %d %s, which means nothing here (%s)", s->code, s->text,
                   states[s->state].doing);
    s->is_final = concerns_message && is_for_good(s->code);
    if (s->is_final)
        refuse_all(s);
    return end(s, HTTP_OUTCOME_ANSWERED, "the relay refused %s: %d %s", states[s->state].refused,
               s->code, s->text);
}

/* --- commands
 * ------------------------------------------------------------------------------------------ */

static enum smtp_step command(struct smtp_session *s, enum smtp_state state, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static enum smtp_step
command(struct smtp_session *s, enum smtp_state state, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&s->out, fmt, ap);
    va_end(ap);
    buf_add_cstr(&s->out, "\r\n");
    s->state = state;
    return SMTP_STEP_READ;
}

static enum smtp_step
send_ehlo(struct smtp_session *s)
{
    s->offers_tls = s->offers_plain = s->offers_login = s->offers_size = false;
    s->max_bytes = 0;
    return command(s, SMTP_STATE_EHLO, "EHLO %s", s->conf.name);
}

static enum smtp_step
send_mail(struct smtp_session *s)
{
    if (s->max_bytes != 0 && s->conf.data.len > s->max_bytes) {
        s->final_code = 552;
        s->is_final = true;
        refuse_all(s);
        return end(s, HTTP_OUTCOME_ANSWERED,
                   "the message has %zu bytes, and the relay takes %llu (SIZE)", s->conf.data.len,
                   (unsigned long long) s->max_bytes);
    }
    if (s->offers_size)
        return command(s, SMTP_STATE_MAIL, "MAIL FROM:<%s> SIZE=%zu", s->conf.from,
                       s->conf.data.len);
    return command(s, SMTP_STATE_MAIL, "MAIL FROM:<%s>", s->conf.from);
}

static enum smtp_step
send_encoded(struct smtp_session *s, enum smtp_state state, const char *before, struct str text)
{
    buf_add_cstr(&s->out, before);
    base64_encode(&s->out, text);
    return command(s, state, "%s", "");
}

static enum smtp_step
send_auth(struct smtp_session *s)
{
    struct buf secret = BUF_INIT;
    if (s->offers_plain) {
        buf_add_char(&secret, '\0');
        buf_add_cstr(&secret, s->conf.user);
        buf_add_char(&secret, '\0');
        buf_add_cstr(&secret, s->conf.password);
        enum smtp_step step = send_encoded(s, SMTP_STATE_PASSWORD, "AUTH PLAIN ", buf_str(&secret));
        mem_wipe(secret.data, secret.len);
        buf_done(&secret);
        return step;
    }
    if (s->offers_login)
        return command(s, SMTP_STATE_AUTH, "AUTH LOGIN");
    return end(s, HTTP_OUTCOME_PROTOCOL,
               "the relay offers neither AUTH PLAIN nor AUTH LOGIN, but --smtp-url has a password");
}

static enum smtp_step
send_rcpt(struct smtp_session *s)
{
    return command(s, SMTP_STATE_RCPT, "RCPT TO:<%s>", s->conf.recipients[s->at]);
}

/* --- what replies mean
 * ----------------------------------------------------------------------------------- */

static enum smtp_step
after_ehlo(struct smtp_session *s)
{
    if (!s->has_tls && s->offers_tls)
        return command(s, SMTP_STATE_STARTTLS, "STARTTLS");
    if (!s->has_tls && !s->conf.may_be_plain)
        return end(s, HTTP_OUTCOME_TLS,
                   "the relay does not offer STARTTLS, and its address is not in "
                   "--smtp-plain-networks");
    return s->conf.user != NULL ? send_auth(s) : send_mail(s);
}

/* Some recipients may be refused and the others get the message. */
static enum smtp_step
after_rcpt(struct smtp_session *s)
{
    bool is_taken = s->code >= 200 && s->code < 300;
    if (s->code < 200 || (s->code >= 300 && s->code < 400) || s->code == 421)
        return refused(s);
    s->is_taken[s->at] = is_taken;
    s->n_taken += is_taken;
    if (is_for_good(s->code))
        s->fates[s->at] = SMTP_REFUSED;
    if (!is_taken)
        s->final_code = s->code;
    if (++s->at < s->conf.n_recipients)
        return send_rcpt(s);
    if (s->n_taken > 0)
        return command(s, SMTP_STATE_DATA, "DATA");
    return end(s, HTTP_OUTCOME_ANSWERED, "the relay refused every recipient, the last one: %d %s",
               s->code, s->text);
}

static enum smtp_step
after_body(struct smtp_session *s)
{
    bool is_accepted = s->code >= 200 && s->code < 300;
    if (!is_accepted && !is_for_good(s->code))
        return refused(s);
    for (size_t i = 0; i < s->conf.n_recipients; i++) {
        if (s->is_taken[i])
            s->fates[i] = is_accepted ? SMTP_ACCEPTED : SMTP_REFUSED;
    }
    if (!is_accepted)
        return refused(s);
    s->final_code = s->final_code != 0 ? s->final_code : s->code;
    return end(s, HTTP_OUTCOME_ANSWERED, "%d %s", s->code, s->text);
}

static enum smtp_step
on_reply(struct smtp_session *s)
{
    bool is_ok = s->code >= 200 && s->code < 300, goes_on = s->code == 334;
    switch (s->state) {
    case SMTP_STATE_GREETING:
        return s->code == 220 ? send_ehlo(s) : refused(s);
    case SMTP_STATE_EHLO:
        return is_ok ? after_ehlo(s) : refused(s);
    case SMTP_STATE_STARTTLS:
        return s->code == 220 ? SMTP_STEP_TLS : refused(s);
    case SMTP_STATE_AUTH:
        return goes_on ? send_encoded(s, SMTP_STATE_USER, "", str_from(s->conf.user)) : refused(s);
    case SMTP_STATE_USER:
        return goes_on ? send_encoded(s, SMTP_STATE_PASSWORD, "", str_from(s->conf.password))
                       : refused(s);
    case SMTP_STATE_PASSWORD:
        return is_ok ? send_mail(s) : refused(s);
    case SMTP_STATE_MAIL:
        return is_ok ? send_rcpt(s) : refused(s);
    case SMTP_STATE_RCPT:
        return after_rcpt(s);
    case SMTP_STATE_DATA:
        if (s->code != 354)
            return refused(s);
        buf_add_str(&s->out, s->conf.data);
        s->state = SMTP_STATE_BODY;
        return SMTP_STEP_READ;
    case SMTP_STATE_BODY:
        return after_body(s);
    case SMTP_STATE_DONE:
    case SMTP_STATES:
        break;
    }
    return SMTP_STEP_DONE;
}

/* --- lines
 * ------------------------------------------------------------------------------------------------
 */

static void
note_offer(struct smtp_session *s, struct str line)
{
    struct str word = str_slice(line, 0, str_find(line, ' ', 0));
    struct str rest = str_trim(str_slice(line, word.len, line.len)), mechanism;
    if (str_equal_nocase(word, STR("STARTTLS"))) {
        s->offers_tls = true;
    } else if (str_equal_nocase(word, STR("SIZE"))) {
        s->offers_size = true;
        if (!str_to_u64(rest, UINT64_MAX, &s->max_bytes))
            s->max_bytes = 0;
    } else if (str_equal_nocase(word, STR("AUTH"))) {
        while (str_split(&rest, ' ', &mechanism)) {
            s->offers_plain |= str_equal_nocase(mechanism, STR("PLAIN"));
            s->offers_login |= str_equal_nocase(mechanism, STR("LOGIN"));
        }
    }
}

/* For people: nothing that is not printable. */
static void
note_text(struct smtp_session *s, struct str text)
{
    if (s->text_len > 0 && s->text_len + 1 < sizeof(s->text))
        s->text[s->text_len++] = ' ';
    for (size_t i = 0; i < text.len && s->text_len + 1 < sizeof(s->text); i++)
        s->text[s->text_len++] = text.data[i] >= ' ' && text.data[i] < 127 ? text.data[i] : '?';
    s->text[s->text_len] = '\0';
}

static void
keep_line(struct smtp_session *s, struct str line)
{
    if (s->replies.len + line.len + 1 > SMTP_REPLIES_KEPT_BYTES)
        return;
    for (size_t i = 0; i < line.len; i++)
        buf_add_char(&s->replies, line.data[i] >= ' ' && line.data[i] < 127 ? line.data[i] : '?');
    buf_add_char(&s->replies, '\n');
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* 250-text, 250 text, or 250. */
static bool
parse_line(struct str line, int *ret_code, bool *ret_is_last)
{
    if (line.len < 3 || line.data[0] < '2' || line.data[0] > '5' || !is_digit(line.data[1]) ||
        !is_digit(line.data[2]))
        return false;
    if (line.len > 3 && line.data[3] != ' ' && line.data[3] != '-')
        return false;
    *ret_code = (line.data[0] - '0') * 100 + (line.data[1] - '0') * 10 + line.data[2] - '0';
    *ret_is_last = line.len == 3 || line.data[3] == ' ';
    return true;
}

enum smtp_step
smtp_session_line(struct smtp_session *s, struct str line)
{
    int code;
    bool is_last;
    if (s->state == SMTP_STATE_DONE)
        return SMTP_STEP_DONE;
    keep_line(s, line);
    if (line.len > SMTP_LINE_MAX_BYTES || !parse_line(line, &code, &is_last) ||
        (s->n_lines > 0 && code != s->code))
        return end(s, HTTP_OUTCOME_PROTOCOL, "what came is not an SMTP reply (%s)",
                   states[s->state].doing);
    if (++s->n_lines > SMTP_REPLY_MAX_LINES)
        return end(s, HTTP_OUTCOME_PROTOCOL, "the relay's reply has no end (%s)",
                   states[s->state].doing);
    struct str text = str_slice(line, 4, line.len);
    if (s->n_lines == 1) {
        s->code = code;
        s->text_len = 0;
        s->text[0] = '\0';
    } else if (s->state == SMTP_STATE_EHLO) {
        note_offer(s, text);
    }
    note_text(s, text);
    if (!is_last)
        return SMTP_STEP_READ;
    s->n_lines = 0;
    return on_reply(s);
}

enum smtp_step
smtp_session_secured(struct smtp_session *s)
{
    s->has_tls = true;
    return send_ehlo(s);
}

void
smtp_session_init(struct smtp_session *s, const struct smtp_session_conf *conf)
{
    *s = (struct smtp_session){.conf = *conf, .has_tls = conf->has_tls};
}

void
smtp_session_done(struct smtp_session *s)
{
    mem_wipe(s->out.data, s->out.len);
    buf_done(&s->out);
    buf_done(&s->replies);
    buf_done(&s->detail);
}
