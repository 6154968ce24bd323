#pragma once
/* Mail out: one SMTP conversation a message (RFC 5321) with the one relay of the configuration.
 * Names are resolved, addresses judged and certificates verified as by the HTTP client; one
 * deadline covers everything.
 *
 * The relay is spoken to over TLS: from the first byte (smtps://), or from STARTTLS on, whenever
 * the relay offers it. Without TLS nothing is sent, no password either, unless the address is in
 * one of the plain networks. A relay in those is reached even if the address policy would refuse
 * it. */
#include "net/address.h"
#include "net/http_client.h"

struct smtp_client;
struct smtp_client_conf {
    struct http_client *http; /* borrowed: its resolver, address policy and authorities are used */
    const struct address_policy *plain; /* borrowed; NULL: no plain networks */
    const struct url *relay;            /* smtp or smtps, checked by smtp_url_check; copied */
    const char *name;                   /* what we say we are in EHLO; NULL: the host's name */
};
/* 0, or -1 with why: whether a URL names a relay: smtp://user:password@host:587, smtps://host. */
int smtp_url_check(const struct url *u, struct buf *why);
struct smtp_client *smtp_client_new(struct loop *l, const struct smtp_client_conf *conf);
/* Conversations end as canceled, their functions are called. NULL accepted. */
void smtp_client_free(struct smtp_client *c);

/* Whether it may stand behind MAIL FROM and RCPT TO: local@domain in ASCII without blanks, quotes
 * and control characters, of at most 254 bytes. */
bool smtp_address_is_valid(struct str address);

enum { SMTP_RECIPIENTS_MAX = 50, SMTP_TEXT_CAP = 200 };

/* How the relay answered of one recipient. */
enum smtp_fate {
    SMTP_PENDING,  /* not asked, refused for now, or the message never came that far: to be tried */
    SMTP_ACCEPTED, /* the relay has the message and will deliver it */
    SMTP_REFUSED,  /* for good (5yz): this address will never do */
};

struct smtp_message {
    const char *from;                            /* both must be valid addresses */
    const char *recipients[SMTP_RECIPIENTS_MAX]; /* at least one; copied, as all of this */
    size_t n_recipients;
    struct str data; /* headers, empty line, body: lines end in LF or CR LF, of at most 998 bytes */
    int64_t timeout_ms; /* for everything */
};

struct smtp_result {
    enum http_outcome outcome; /* ANSWERED: the relay has said what becomes of the message */
    int code;                  /* of the reply that decided; 0: none */
    bool is_final;             /* a 5yz to the message itself: the same again will never do */
    const char *detail;        /* readable: the reply, or what went wrong */
    const char *address;       /* of the relay, "" when not connected */
    struct str replies;        /* what the relay said, a line each; no more than 8 KiB */
    enum smtp_fate fates[SMTP_RECIPIENTS_MAX]; /* by position in the message */
    size_t n_accepted, n_refused, n_pending;
    int64_t dns_us, connect_us, tls_us, first_byte_us, total_us; /* as of the HTTP client */
};

/* Starts a conversation. fn is called exactly once, never from inside this function; the result is
 * valid during the call. Never returns NULL. */
struct smtp_exchange;
typedef void smtp_client_fn(void *arg, const struct smtp_result *result);
struct smtp_exchange *smtp_client_start(struct smtp_client *c, const struct smtp_message *message,
                                        smtp_client_fn *fn, void *arg);
/* Ends it now; fn is called with CANCELED in the next turn, or with what the relay has just said of
 * the message. Only before fn was called. */
void smtp_exchange_cancel(struct smtp_exchange *x);
