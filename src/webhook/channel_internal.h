#pragma once
/* A channel as it lies in memory: for channel*.c and the senders. */
#include "codec/template.h"
#include "webhook/channel.h"

enum channel_content { CONTENT_PLAIN, CONTENT_HTML, CONTENT_MARKDOWN, CONTENT_JSON, CONTENTS };

enum recipient_kind { RECIPIENT_TO, RECIPIENT_CC, RECIPIENT_BCC };
struct channel_recipient {
    enum recipient_kind kind;
    char *text; /* an email address, a number */
};

/* What the templates of a channel make of an event, in this order. NULL: not made.
 *
 *            MAIN                                 EXTRA
 *  webhook   the body; NULL: the event as it is
 *  slack     the text                             the blocks (JSON); NULL: none
 *  email     the subject                          the body; NULL: the event as it is
 *  sms       the message */
enum channel_part { CHANNEL_MAIN, CHANNEL_EXTRA, CHANNEL_PARTS };

struct channel {
    unsigned refs;
    enum channel_kind kind;
    struct json_doc *doc; /* of the text */
    char *text, *url;
    struct channel_header *headers; /* slices of the doc */
    size_t n_headers;
    int64_t timeout_ms;
    struct template *parts[CHANNEL_PARTS];
    bool escapes_html; /* in EXTRA */
    enum channel_content content;
    struct channel_recipient recipients[CHANNEL_RECIPIENTS_MAX]; /* each once */
    size_t n_recipients;
};

/* A string of configs; data NULL: not given, or null. */
struct str channel_config(const struct channel *c, const char *name);

/* How strings that may be secret are written (channel_shown.c): as they are shown, or what was
 * shown put back. */
struct channel_rewriting {
    enum channel_kind kind;
    bool is_restoring, is_headers;
    const struct json *old; /* restoring: the configs in whose place these stand; NULL: none */
    bool has_failed;        /* restoring: a mask stands for nothing */
};
/* The {channel, configs} object. */
void channel_rewrite(struct json_out *j, struct channel_rewriting *w, const struct json *configs);
