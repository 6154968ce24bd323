/* SMTP replies: whatever the relay says, the conversation ends or waits, commands are whole lines
 * that hold nothing of what was said, and no more than so much is kept. A line 0x01 alone stands
 * for the end of a handshake. */
#include "fuzz.h"
#include "net/smtp_session.h"

static char *const recipients[] = {"a@example.com", "b@example.com", "c@example.com"};

static void
check(struct smtp_session *s, enum smtp_step step)
{
    FUZZ_REQUIRE(s->replies.len <= SMTP_REPLIES_KEPT_BYTES);
    FUZZ_REQUIRE((step == SMTP_STEP_DONE) == (s->state == SMTP_STATE_DONE));
    FUZZ_REQUIRE(s->out.len == 0 || str_ends_with(buf_str(&s->out), "\r\n"));
    for (size_t i = 0; i < 3 && s->state == SMTP_STATE_DONE; i++)
        FUZZ_REQUIRE(s->fates[i] != SMTP_ACCEPTED || s->outcome == HTTP_OUTCOME_ANSWERED);
    buf_clear(&s->out);
}

static void
talk(struct str lines, bool may_be_plain, const char *user)
{
    struct smtp_session s;
    struct str line;
    struct smtp_session_conf conf = {
        .name = "localhost",
        .user = user,
        .password = user,
        .from = "x@example.com",
        .recipients = recipients,
        .n_recipients = 3,
        .data = STR("Subject: x\r\n\r\ny\r\n.\r\n"),
        .may_be_plain = may_be_plain,
    };
    smtp_session_init(&s, &conf);
    enum smtp_step step = SMTP_STEP_READ;
    while (step != SMTP_STEP_DONE && str_split(&lines, '\n', &line)) {
        if (step == SMTP_STEP_TLS)
            step = smtp_session_secured(&s);
        else
            step = smtp_session_line(&s, line);
        check(&s, step);
    }
    smtp_session_done(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = str_make(data, size);
    struct buf stuffed = BUF_INIT;
    talk(input, true, NULL);
    talk(input, true, "user");
    talk(input, false, "user");
    smtp_write_data(&stuffed, input);
    FUZZ_REQUIRE(str_ends_with(buf_str(&stuffed), ".\r\n"));
    for (size_t i = 0; i + 4 < stuffed.len; i++) /* the end comes once */
        FUZZ_REQUIRE(memcmp(stuffed.data + i, "\n.\r\n", 4) != 0 || i + 4 == stuffed.len);
    buf_done(&stuffed);
    return 0;
}
