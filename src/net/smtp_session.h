#pragma once
/* The words of an SMTP conversation (RFC 5321, 3207, 4954), without any socket: replies go in line
 * by line, commands come out, and in the end it is known what becomes of the message. Private to
 * the folder.
 *
 *   GREETING -> EHLO -+-> MAIL -> RCPT (each) -> DATA -> BODY -> DONE
 *                     |   ^   ^
 *                     +-> STARTTLS -> (handshake) -> EHLO ...
 *                     |       |
 *                     +-> AUTH (-> USER -> PASSWORD)
 *
 * from every state to DONE, by a reply that refuses or by one that is none. */
#include "net/smtp_client.h"

enum {
    SMTP_LINE_MAX_BYTES = 2048, /* of a reply; RFC 5321 says 512 */
    SMTP_REPLY_MAX_LINES = 100,
    SMTP_REPLIES_KEPT_BYTES = 8 * 1024,
};

enum smtp_state {
    SMTP_STATE_GREETING,
    SMTP_STATE_EHLO,
    SMTP_STATE_STARTTLS,
    SMTP_STATE_AUTH,
    SMTP_STATE_USER,
    SMTP_STATE_PASSWORD,
    SMTP_STATE_MAIL,
    SMTP_STATE_RCPT,
    SMTP_STATE_DATA,
    SMTP_STATE_BODY,
    SMTP_STATE_DONE,
    SMTP_STATES
};
const char *smtp_state_doing(enum smtp_state s); /* "waiting for the greeting" */

struct smtp_session_conf {
    const char *name;            /* for EHLO */
    const char *user, *password; /* NULL: no AUTH; borrowed, as the next */
    const char *from;
    char *const *recipients;
    size_t n_recipients;
    struct str data;   /* stuffed, with the end (smtp_write_data) */
    bool has_tls;      /* from the first byte */
    bool may_be_plain; /* without TLS the message goes on, with its password */
};

struct smtp_session {
    struct smtp_session_conf conf;
    enum smtp_state state;
    bool has_tls;
    /* the reply that is coming in */
    int code;
    unsigned n_lines;
    char text[SMTP_TEXT_CAP]; /* of its first lines, printable */
    size_t text_len;
    /* what EHLO offered */
    bool offers_tls, offers_plain, offers_login, offers_size;
    uint64_t max_bytes;                 /* 0: no limit told */
    size_t at;                          /* the recipient that is asked for */
    bool is_taken[SMTP_RECIPIENTS_MAX]; /* by RCPT */
    size_t n_taken;
    struct buf out;     /* to be sent; whoever sends empties it */
    struct buf replies; /* what came, a line each, cut */
    /* when DONE */
    enum http_outcome outcome;
    int final_code;
    bool is_final;
    struct buf detail;
    enum smtp_fate fates[SMTP_RECIPIENTS_MAX];
};

enum smtp_step {
    SMTP_STEP_READ, /* send what is in out, then wait for lines */
    SMTP_STEP_TLS,  /* begin the handshake: what was read behind this line must be nothing */
    SMTP_STEP_DONE, /* send what is in out (QUIT), the end is known */
};
void smtp_session_init(struct smtp_session *s, const struct smtp_session_conf *conf);
void smtp_session_done(struct smtp_session *s);
/* One line, without its end. Not after DONE. */
enum smtp_step smtp_session_line(struct smtp_session *s, struct str line);
/* The handshake is through: goes on with EHLO. */
enum smtp_step smtp_session_secured(struct smtp_session *s);
/* An end that no reply said: the connection broke, time is up. No-op when DONE. */
void smtp_session_fail(struct smtp_session *s, enum http_outcome outcome, const char *detail);

/* Lines with CR LF, dots doubled, and the dot that ends them. A CR or LF on its own ends a line as
 * well: nobody may see an end where the relay sees none. */
void smtp_write_data(struct buf *out, struct str data);
