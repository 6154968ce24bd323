/* Mail out: the dialogue with a relay, whom it trusts, and relays that mean harm. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support.h"
#include "base/clock.h"
#include "base/mem.h"
#include "certs.h"
#include "client_fixture.h"
#include "net/smtp_client.h"
#include "net/smtp_session.h"
#include "receiver.h"

static struct authority authority;

/* --- a relay that follows a script
 * ------------------------------------------------------------------- Lines: "< text" says it with
 * CR LF, "raw text" says it with CR LF for each $; "> text" reads a line; "body" reads lines up to
 * the dot; "tls" begins TLS; "drip" says bytes one by one for ever; "flood" the same at once;
 * "hang" waits for the close. What was read is kept, a line each. */

struct relay {
    const char *script;
    SSL_CTX *ctx; /* of STARTTLS */
    struct buf heard;
    bool was_secured;
};

static ssize_t
read_byte(struct peer *p, char *c)
{
    return p->ssl != NULL ? SSL_read(p->ssl, c, 1) : recv(p->fd, c, 1, 0);
}

static bool
hear_line(struct peer *p)
{
    struct relay *relay = p->arg;
    struct buf line = BUF_INIT;
    char c;
    ssize_t n;
    while ((n = read_byte(p, &c)) == 1 && c != '\n')
        buf_add_char(&line, c);
    struct str text = buf_str(&line);
    bool is_crlf = text.len > 0 && text.data[text.len - 1] == '\r';
    if (text.len > 0 || n == 1) {
        buf_add_str(&relay->heard, str_slice(text, 0, text.len - is_crlf));
        buf_add_cstr(&relay->heard, is_crlf ? "\n" : "<LF>\n");
    }
    bool is_end = is_crlf && text.len == 2 && text.data[0] == '.';
    buf_done(&line);
    return n == 1 && !is_end;
}

static bool
secure(struct peer *p)
{
    struct relay *relay = p->arg;
    p->ssl = SSL_new(relay->ctx);
    SSL_set_fd(p->ssl, p->fd);
    relay->was_secured = SSL_accept(p->ssl) == 1;
    return relay->was_secured;
}

static void
drip(struct peer *p, bool slowly)
{
    char c;
    for (int i = 0; i < 100000; i++) {
        if (send(p->fd, "2", 1, MSG_NOSIGNAL) != 1)
            return;
        /* a relay's own pace, not a wait for anything of the client's */
        if (slowly && recv(p->fd, &c, 1, MSG_DONTWAIT) == 0)
            return;
        if (slowly)
            (void) usleep(5000);
    }
}

/* At once, with CR LF for each dollar. */
static void
say_raw(struct peer *p, struct str text)
{
    struct buf out = BUF_INIT;
    for (size_t i = 0; i < text.len; i++)
        buf_add(&out, text.data[i] == '$' ? "\r\n" : &text.data[i], text.data[i] == '$' ? 2 : 1);
    peer_write(p, out.data, out.len);
    buf_done(&out);
}

static void
follow(struct peer *p)
{
    struct relay *relay = p->arg;
    struct str script = str_from(relay->script), line;
    bool goes_on = true;
    while (goes_on && str_split(&script, '\n', &line)) {
        char text[4096];
        (void) snprintf(text, sizeof(text), "%.*s\r\n", STR_ARG(str_slice(line, 2, line.len)));
        if (str_starts_with(line, "< "))
            peer_say(p, text);
        else if (str_starts_with(line, "raw "))
            say_raw(p, str_slice(line, 4, line.len));
        else if (str_starts_with(line, ">"))
            (void) hear_line(p);
        else if (str_is(line, "body"))
            while (hear_line(p))
                continue;
        else if (str_is(line, "tls"))
            goes_on = secure(p);
        else if (str_is(line, "drip") || str_is(line, "flood"))
            drip(p, str_is(line, "drip"));
        else if (str_is(line, "hang"))
            peer_wait_for_close(p);
    }
}

/* --- a message
 * ---------------------------------------------------------------------------------------- */

struct mail {
    struct fixture *fixture;
    int calls;
    struct smtp_result result; /* texts copied below */
    char detail[512], address[64], replies[9000];
};

static void
on_mail(void *arg, const struct smtp_result *r)
{
    struct mail *m = arg;
    m->calls++;
    m->result = *r;
    (void) snprintf(m->detail, sizeof(m->detail), "%s", r->detail);
    (void) snprintf(m->address, sizeof(m->address), "%s", r->address);
    (void) snprintf(m->replies, sizeof(m->replies), "%.*s", STR_ARG(r->replies));
    if (--m->fixture->n_open == 0)
        loop_stop(m->fixture->loop);
}

struct want_mail {
    const char *script, *url; /* the URL's %d is the port */
    const char *plain;        /* networks; NULL: none */
    const char *allowed;      /* NULL: loopback */
    SSL_CTX *ctx;             /* of STARTTLS, or of all with is_tls; consumed */
    bool is_tls;
    const char *data;    /* NULL: a short one */
    size_t n_recipients; /* 0: 1 */
    int64_t timeout_ms;  /* 0: 10 s */
    bool is_canceled;
};
#define ALL_PLAIN "127.0.0.0/8"

static struct mail
mail(const struct want_mail *w, struct buf *ret_heard)
{
    static const char *const recipients[] = {"a@example.com", "b@example.com", "c@example.com"};
    struct fixture f;
    struct url url = URL_INIT;
    char url_text[128];
    struct relay relay = {.script = w->script, .ctx = w->ctx};
    struct receiver *r = receiver_start(follow, &relay, w->is_tls ? w->ctx : NULL, false);
    fixture_init(&f, w->allowed != NULL ? w->allowed : "127.0.0.0/8", authority.ca_path, NULL,
                 NULL);
    (void) snprintf(url_text, sizeof(url_text), w->url != NULL ? w->url : "smtp://127.0.0.1:%d",
                    receiver_port(r));
    assert_int_equal(url_parse(str_from(url_text), &url, NULL), 0);
    assert_int_equal(smtp_url_check(&url, NULL), 0);
    struct address_policy *plain = address_policy_parse(str_from(w->plain), NULL);
    struct smtp_client_conf conf = {
        .http = f.client, .plain = plain, .relay = &url, .name = "me.test"};
    struct smtp_client *client = smtp_client_new(f.loop, &conf);
    struct smtp_message message = {
        .from = "from@example.com",
        .n_recipients = w->n_recipients > 0 ? w->n_recipients : 1,
        .data = str_from(w->data != NULL ? w->data : "Subject: x\n\nbody\n"),
        .timeout_ms = w->timeout_ms > 0 ? w->timeout_ms : 10000,
    };
    memcpy(message.recipients, recipients, sizeof(recipients));
    struct mail m = {.fixture = &f};
    f.n_open = 1;
    struct smtp_exchange *x = smtp_client_start(client, &message, on_mail, &m);
    assert_int_equal(m.calls, 0); /* never from inside */
    if (w->is_canceled)
        smtp_exchange_cancel(x);
    fixture_wait(&f);
    assert_int_equal(m.calls, 1);
    smtp_client_free(client);
    fixture_turn(&f); /* connections close */
    receiver_stop(r); /* heard all there is */
    fixture_done(&f);
    address_policy_free(plain);
    url_done(&url);
    if (w->ctx != NULL)
        SSL_CTX_free(w->ctx);
    if (ret_heard != NULL)
        *ret_heard = relay.heard;
    else
        buf_done(&relay.heard);
    return m;
}

#define OK_PLAIN                                                                                   \
    "< 220 relay ESMTP\n> \n< 250-relay\n< 250 8BITMIME\n> \n< 250 ok\n> \n< 250 ok\n> \n"         \
    "< 354 go\nbody\n< 250 queued as 1\n> \n< 221 bye"

static SSL_CTX *
good_ctx(void)
{
    return authority_server_ctx(&authority, "DNS:localhost,IP:127.0.0.1", -1, 1, false);
}

/* --- what is said
 * --------------------------------------------------------------------------------------- */

static void
a_message_goes_out_line_by_line(void **state)
{
    struct buf heard;
    (void) state;
    struct mail m = mail(&(struct want_mail){.script = OK_PLAIN, .plain = ALL_PLAIN}, &heard);
    assert_int_equal(m.result.outcome, HTTP_OUTCOME_ANSWERED);
    assert_int_equal(m.result.code, 250);
    assert_int_equal(m.result.n_accepted, 1);
    assert_string_equal(m.detail, "250 queued as 1");
    assert_string_equal(m.address, "127.0.0.1");
    assert_non_null(strstr(m.replies, "354 go\n250 queued as 1\n"));
    assert_true(m.result.connect_us >= 0 && m.result.first_byte_us >= m.result.connect_us &&
                m.result.total_us >= m.result.first_byte_us && m.result.tls_us == -1);
    assert_buf_text(&heard, "EHLO me.test\nMAIL FROM:<from@example.com>\n"
                            "RCPT TO:<a@example.com>\nDATA\nSubject: x\n\nbody\n.\nQUIT\n");
}

static void
dots_are_doubled_and_every_line_ends_in_crlf(void **state)
{
    struct buf heard;
    (void) state;
    struct mail m = mail(&(struct want_mail){.script = OK_PLAIN,
                                             .plain = ALL_PLAIN,
                                             .data = "A: b\r\n\n.\n..x\r.\r\n.\r\nQUIT\n.end"},
                         &heard);
    assert_int_equal(m.result.n_accepted, 1);
    assert_non_null(
        strstr(buf_cstr(&heard), "DATA\nA: b\n\n..\n...x\n..\n..\nQUIT\n..end\n.\nQUIT\n"));
    buf_done(&heard);
}

static void
replies_of_several_lines_and_the_size_are_understood(void **state)
{
    struct buf heard;
    (void) state;
    struct mail m = mail(
        &(struct want_mail){.script =
                                "< 220-hello\n< 220-there\n< 220 go\n> \n< 250-a\n< 250-SIZE 1000\n"
                                "< 250 HELP\n> \n< 250-fine\n< 250 ok\n> \n< 251 will do\n> \n"
                                "< 354 go\nbody\n< 250 ok\n> ",
                            .plain = ALL_PLAIN},
        &heard);
    assert_int_equal(m.result.n_accepted, 1);
    assert_non_null(strstr(buf_cstr(&heard), "MAIL FROM:<from@example.com> SIZE=23\n"));
    buf_done(&heard);
}

static void
what_is_larger_than_the_relay_takes_is_refused_for_good(void **state)
{
    (void) state;
    struct mail m = mail(&(struct want_mail){.script = "< 220 x\n> \n< 250-a\n< 250 SIZE 10\n> ",
                                             .plain = ALL_PLAIN},
                         NULL);
    assert_int_equal(m.result.code, 552);
    assert_true(m.result.is_final);
    assert_int_equal(m.result.n_refused, 1);
}

/* --- TLS and passwords
 * ------------------------------------------------------------------------------------ */

#define AFTER_TLS                                                                                  \
    "> \n< 250-relay\n< 250 AUTH LOGIN PLAIN\n> \n< 235 in\n> \n< 250 ok\n> \n< 250 ok\n> \n"      \
    "< 354 go\nbody\n< 250 queued\n> "

static void
starttls_comes_before_the_password(void **state)
{
    struct buf heard;
    (void) state;
    struct mail m =
        mail(&(struct want_mail){.script = "< 220 x\n> \n< 250-relay\n< 250-AUTH PLAIN\n< 250 "
                                           "STARTTLS\n> \n< 220 go\ntls\n" AFTER_TLS,
                                 .url = "smtp://us%%40er:p%%3Aw@localhost:%d",
                                 .ctx = good_ctx()},
             &heard);
    assert_int_equal(m.result.outcome, HTTP_OUTCOME_ANSWERED);
    assert_int_equal(m.result.n_accepted, 1);
    assert_true(m.result.tls_us > 0);
    assert_buf_text(&heard, "EHLO me.test\nSTARTTLS\nEHLO me.test\n"
                            "AUTH PLAIN AHVzQGVyAHA6dw==\n" /* \0us@er\0p:w */
                            "MAIL FROM:<from@example.com>\nRCPT TO:<a@example.com>\nDATA\n"
                            "Subject: x\n\nbody\n.\nQUIT\n");
}

static void
smtps_is_tls_from_the_first_byte(void **state)
{
    struct buf heard;
    (void) state;
    struct mail m = mail(&(struct want_mail){.script = "< 220 x\n" AFTER_TLS,
                                             .url = "smtps://u:p@127.0.0.1:%d",
                                             .ctx = good_ctx(),
                                             .is_tls = true},
                         &heard);
    assert_int_equal(m.result.outcome, HTTP_OUTCOME_ANSWERED);
    assert_int_equal(m.result.n_accepted, 1);
    assert_true(str_starts_with(buf_str(&heard), "EHLO me.test\nAUTH PLAIN AHUAcA==\nMAIL"));
    buf_done(&heard);
}

static void
auth_login_is_spoken_where_there_is_no_plain(void **state)
{
    struct buf heard;
    (void) state;
    struct mail m =
        mail(&(struct want_mail){.script =
                                     "< 220 x\n> \n< 250-a\n< 250 AUTH GSSAPI LOGIN\n> \n"
                                     "< 334 VXNlcm5hbWU6\n> \n< 334 UGFzc3dvcmQ6\n> \n< 235 in\n"
                                     "> \n< 250 ok\n> \n< 250 ok\n> \n< 354 go\nbody\n< 250 ok\n> ",
                                 .url = "smtp://user:word@127.0.0.1:%d",
                                 .plain = ALL_PLAIN},
             &heard);
    assert_int_equal(m.result.n_accepted, 1);
    assert_true(str_starts_with(buf_str(&heard),
                                "EHLO me.test\nAUTH LOGIN\ndXNlcg==\nd29yZA==\nMAIL FROM"));
    buf_done(&heard);
}

static void
without_tls_nothing_is_sent_and_no_password(void **state)
{
    struct buf heard;
    (void) state;
    struct mail m =
        mail(&(struct want_mail){.script = "< 220 x\n> \n< 250-a\n< 250 AUTH PLAIN\n> \nhang",
                                 .url = "smtp://user:word@127.0.0.1:%d"},
             &heard);
    assert_int_equal(m.result.outcome, HTTP_OUTCOME_TLS);
    assert_non_null(strstr(m.detail, "does not offer STARTTLS"));
    assert_int_equal(m.result.n_pending, 1);
    assert_buf_text(&heard, "EHLO me.test\nQUIT\n");
}

static void
what_follows_the_answer_to_starttls_is_not_taken_for_the_relays(void **state)
{
    (void) state;
    struct mail m = mail(&(struct want_mail){.script = "< 220 x\n> \n< 250-a\n< 250 STARTTLS\n> \n"
                                                       "raw 220 go$250 injected$\ntls\nhang",
                                             .ctx = good_ctx()},
                         NULL);
    assert_int_equal(m.result.outcome, HTTP_OUTCOME_TLS);
    assert_string_equal(m.detail,
                        "the relay sent more than its answer to STARTTLS before the handshake");
    assert_int_equal(m.result.n_pending, 1);
}

static void
a_certificate_that_is_not_trusted_ends_it(void **state)
{
    static const struct {
        const char *names;
        bool is_self_signed;
        const char *detail;
    } rows[] = {
        {"DNS:other.test", false, "hostname mismatch"},
        {"DNS:localhost", true, "certificate verify failed"},
    };
    (void) state;
    for (size_t i = 0; i < 2; i++) {
        struct buf heard;
        struct mail m = mail(
            &(struct want_mail){
                .script = "< 220 x\n> \n< 250-a\n< 250 STARTTLS\n> \n< 220 go\ntls\n> \nhang",
                .url = "smtp://u:p@localhost:%d",
                .plain = ALL_PLAIN,
                .ctx =
                    authority_server_ctx(&authority, rows[i].names, -1, 1, rows[i].is_self_signed)},
            &heard);
        assert_int_equal(m.result.outcome, HTTP_OUTCOME_TLS);
        assert_non_null(strstr(m.detail, rows[i].detail));
        assert_buf_text(&heard, "EHLO me.test\nSTARTTLS\n");
    }
}

/* --- refusals
 * -----------------------------------------------------------------------------------------------
 */

static const struct {
    const char *script;
    enum http_outcome outcome;
    int code;
    bool is_final;
    const char *detail;
} refusals[] = {
    {"< 554 go away\n> ", HTTP_OUTCOME_ANSWERED, 554, false, "refused the connection: 554 go away"},
    {"< 421 busy\n> ", HTTP_OUTCOME_ANSWERED, 421, false, "refused the connection: 421"},
    {"< 220 x\n> \n< 502 what\n> ", HTTP_OUTCOME_ANSWERED, 502, false, "refused EHLO: 502"},
    {"< 220 x\n> \n< 250 a\n> \n< 451 later\n> ", HTTP_OUTCOME_ANSWERED, 451, false,
     "refused the sender: 451 later"},
    {"< 220 x\n> \n< 250 a\n> \n< 550-5.7.1 no\n< 550 5.7.1 really\n> ", HTTP_OUTCOME_ANSWERED, 550,
     true, "refused the sender: 550 5.7.1 no 5.7.1 really"},
    {"< 220 x\n> \n< 250 a\n> \n< 250 a\n> \n< 550 nobody\n> ", HTTP_OUTCOME_ANSWERED, 550, false,
     "refused every recipient, the last one: 550 nobody"},
    {"< 220 x\n> \n< 250 a\n> \n< 250 a\n> \n< 250 a\n> \n< 451 full\n> ", HTTP_OUTCOME_ANSWERED,
     451, false, "refused the message: 451 full"},
    {"< 220 x\n> \n< 250 a\n> \n< 250 a\n> \n< 250 a\n> \n< 354 a\nbody\n< 554 spam\n> ",
     HTTP_OUTCOME_ANSWERED, 554, true, "refused the message: 554 spam"},
    {"< 220 x\n> \n< 250 a\n> \n< 250 a\n> \n< 250 a\n> \n< 250 a\n> ", HTTP_OUTCOME_PROTOCOL, 0,
     false, "which means nothing here"},
    {"< 220 x\n> \n< 250-a\n< 251 b\n> ", HTTP_OUTCOME_PROTOCOL, 0, false, "not an SMTP reply"},
    {"< SSH-2.0-OpenSSH\n> ", HTTP_OUTCOME_PROTOCOL, 0, false, "not an SMTP reply"},
    {"< 220 x\n> \n< 250 a\n> ", HTTP_OUTCOME_PROTOCOL, 0, false, "closed the connection"},
    {"", HTTP_OUTCOME_PROTOCOL, 0, false, "closed the connection (waiting for the greeting)"},
    {"flood", HTTP_OUTCOME_PROTOCOL, 0, false, "a line without an end"},
};

static void
what_the_relay_refuses_is_told(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct mail m =
            mail(&(struct want_mail){.script = refusals[i].script, .plain = ALL_PLAIN}, NULL);
        if (m.result.outcome != refusals[i].outcome || strstr(m.detail, refusals[i].detail) == NULL)
            print_message("%s: %d %s\n", refusals[i].script, (int) m.result.outcome, m.detail);
        assert_int_equal(m.result.outcome, refusals[i].outcome);
        assert_int_equal(m.result.code, refusals[i].code);
        assert_int_equal(m.result.is_final, refusals[i].is_final);
        assert_non_null(strstr(m.detail, refusals[i].detail));
        assert_int_equal(m.result.n_accepted, 0);
    }
}

static void
a_reply_without_an_end_is_given_up(void **state)
{
    struct buf script = BUF_INIT;
    (void) state;
    buf_add_cstr(&script, "< 220 x\n> \n");
    for (int i = 0; i < SMTP_REPLY_MAX_LINES + 1; i++)
        buf_add_cstr(&script, "< 250-more\n");
    buf_add_cstr(&script, "hang");
    struct mail m =
        mail(&(struct want_mail){.script = buf_cstr(&script), .plain = ALL_PLAIN}, NULL);
    assert_int_equal(m.result.outcome, HTTP_OUTCOME_PROTOCOL);
    assert_non_null(strstr(m.detail, "has no end"));
    buf_done(&script);
}

static void
each_recipient_has_a_fate_of_its_own(void **state)
{
    struct buf heard;
    (void) state;
    struct mail m =
        mail(&(struct want_mail){.script = "< 220 x\n> \n< 250 a\n> \n< 250 a\n> \n< 250 a\n"
                                           "> \n< 550 nobody\n> \n< 450 greylisted\n> \n"
                                           "< 354 go\nbody\n< 250 queued\n> ",
                                 .plain = ALL_PLAIN,
                                 .n_recipients = 3},
             &heard);
    assert_int_equal(m.result.outcome, HTTP_OUTCOME_ANSWERED);
    assert_int_equal(m.result.fates[0], SMTP_ACCEPTED);
    assert_int_equal(m.result.fates[1], SMTP_REFUSED);
    assert_int_equal(m.result.fates[2], SMTP_PENDING);
    assert_int_equal(m.result.code, 450);
    assert_non_null(strstr(buf_cstr(&heard), "RCPT TO:<a@example.com>\nRCPT TO:<b@example.com>\n"
                                             "RCPT TO:<c@example.com>\nDATA\n"));
    buf_done(&heard);
}

/* --- time and addresses
 * --------------------------------------------------------------------------------------- */

static void
one_deadline_covers_everything(void **state)
{
    static const char *const scripts[] = {
        "hang", "drip", "< 220 x\n> \n< 250 a\n> \nhang",
        "< 220 x\n> \n< 250-a\n< 250 STARTTLS\n> \n< 220 go\nhang"};
    (void) state;
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        int64_t began_us = clock_mono_us();
        struct mail m = mail(
            &(struct want_mail){.script = scripts[i], .plain = ALL_PLAIN, .timeout_ms = 300}, NULL);
        assert_int_equal(m.result.outcome, HTTP_OUTCOME_TIMEOUT);
        assert_non_null(strstr(m.detail, "no end within 300 ms"));
        assert_true(m.result.total_us >= 290000 && clock_mono_us() - began_us < 8000000);
    }
}

static void
the_address_policy_is_kept(void **state)
{
    (void) state;
    struct mail m = mail(&(struct want_mail){.script = OK_PLAIN, .allowed = "10.0.0.0/8"}, NULL);
    assert_int_equal(m.result.outcome, HTTP_OUTCOME_ADDRESS_DENIED);
    assert_non_null(strstr(m.detail, "127.0.0.1 is refused: loopback"));
    assert_int_equal(m.result.n_pending, 1);
}

static void
a_plain_network_is_allowed_as_well(void **state)
{
    (void) state;
    struct mail m = mail(
        &(struct want_mail){.script = OK_PLAIN, .allowed = "10.0.0.0/8", .plain = ALL_PLAIN}, NULL);
    assert_int_equal(m.result.n_accepted, 1);
}

static void
a_canceled_conversation_says_so_once(void **state)
{
    (void) state;
    struct mail m = mail(&(struct want_mail){.script = "hang", .is_canceled = true}, NULL);
    assert_int_equal(m.result.outcome, HTTP_OUTCOME_CANCELED);
}

/* --- checks
 * -----------------------------------------------------------------------------------------------------
 */

static void
only_addresses_without_tricks_are_valid(void **state)
{
    static const char *const good[] = {"a@b", "first.last+tag@example.co.uk",
                                       "x_y-z=1@sub.example.com", "o'neil@example.com"};
    static const char *const bad[] = {"",
                                      "a",
                                      "@b",
                                      "a@",
                                      "a b@c.d",
                                      "a@b\r\nRCPT TO:<x@y.z>",
                                      "a@b>c",
                                      "<a@b>",
                                      "a@b@c",
                                      ".a@b",
                                      "a.@b",
                                      "a..b@c",
                                      "a@b..c",
                                      "a@.b",
                                      "\"a b\"@c.d",
                                      "gr\xC3\xB6\xC3\x9F"
                                      "e@example.com",
                                      "a@b,c@d",
                                      "Name <a@b.c>"};
    (void) state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(smtp_address_is_valid(str_from(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(smtp_address_is_valid(str_from(bad[i])));
    assert_false(smtp_address_is_valid(STR("a@b\0c")));
}

static void
a_relays_url_has_a_host_and_nothing_behind_it(void **state)
{
    static const struct {
        const char *url;
        bool is_ok;
    } rows[] = {
        {"smtp://relay.example.com", true},
        {"smtps://u:p@[::1]:465", true},
        {"smtp://relay:2525/", true},
        {"http://relay", false},
        {"smtp:relay", false},
        {"smtp://", false},
        {"smtp://relay/path", false},
        {"smtp://relay?x", false},
        {"smtp://user@relay", false},
        {"smtp://:p@relay", false},
        {"smtp://relay:0", false},
    };
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct url u = URL_INIT;
        struct buf why = BUF_INIT;
        bool is_ok =
            url_parse(str_from(rows[i].url), &u, &why) == 0 && smtp_url_check(&u, &why) == 0;
        if (is_ok != rows[i].is_ok)
            print_message("%s: %s\n", rows[i].url, buf_cstr(&why));
        assert_int_equal(is_ok, rows[i].is_ok);
        assert_int_equal(is_ok, why.len == 0);
        url_done(&u);
        buf_done(&why);
    }
}

static int
set_up(void **state)
{
    (void) state;
    authority_init(&authority);
    return 0;
}

static int
tear_down(void **state)
{
    (void) state;
    authority_done(&authority);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_goes_out_line_by_line),
        cmocka_unit_test(dots_are_doubled_and_every_line_ends_in_crlf),
        cmocka_unit_test(replies_of_several_lines_and_the_size_are_understood),
        cmocka_unit_test(what_is_larger_than_the_relay_takes_is_refused_for_good),
        cmocka_unit_test(starttls_comes_before_the_password),
        cmocka_unit_test(smtps_is_tls_from_the_first_byte),
        cmocka_unit_test(auth_login_is_spoken_where_there_is_no_plain),
        cmocka_unit_test(without_tls_nothing_is_sent_and_no_password),
        cmocka_unit_test(what_follows_the_answer_to_starttls_is_not_taken_for_the_relays),
        cmocka_unit_test(a_certificate_that_is_not_trusted_ends_it),
        cmocka_unit_test(what_the_relay_refuses_is_told),
        cmocka_unit_test(a_reply_without_an_end_is_given_up),
        cmocka_unit_test(each_recipient_has_a_fate_of_its_own),
        cmocka_unit_test(one_deadline_covers_everything),
        cmocka_unit_test(the_address_policy_is_kept),
        cmocka_unit_test(a_plain_network_is_allowed_as_well),
        cmocka_unit_test(a_canceled_conversation_says_so_once),
        cmocka_unit_test(only_addresses_without_tricks_are_valid),
        cmocka_unit_test(a_relays_url_has_a_host_and_nothing_behind_it),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
