#pragma once
/* The channels of an organisation's webhook: how an event reaches somebody. One `{channel,
 * configs}` object is read and checked here, stored as its own text, shown with its secrets
 * redacted, and turned into what is sent. Private to the folder.
 *
 *  webhook  url, headers, payload_template, timeout, method ("POST"); further keys are kept
 *  slack    webhook_url, channel, username, icon_emoji, icon_url, blocks_template
 *  email    to_addresses, cc_addresses, bcc_addresses, subject_template, body_template,
 * content_type sms      phone_numbers, message_template
 *
 * To add one: a value before CHANNEL_KINDS, a row in channel.c (its fields and checks), and what is
 * made of an event in channel_render.c. */
#include "base/err.h"
#include "codec/json.h"
#include "net/address.h"

enum channel_kind { CHANNEL_WEBHOOK, CHANNEL_SLACK, CHANNEL_EMAIL, CHANNEL_SMS, CHANNEL_KINDS };
const char *channel_kind_name(enum channel_kind k); /* "webhook" */

enum {
    CHANNEL_RECIPIENTS_MAX = 50, /* addresses of an email (to, cc and bcc), numbers of an sms */
    CHANNEL_TEMPLATE_MAX_BYTES = 64 * 1024, /* each template, and all of a JSON template together */
    CHANNEL_TIMEOUT_DEFAULT_MS = 10 * 1000,
    CHANNEL_TIMEOUT_MAX_MS = 30 * 1000,
};

/* What this server can do, for the checks. */
struct channel_rules {
    const struct address_policy *policy; /* plain http only to addresses that it lists */
    bool has_smtp, has_sms;              /* a relay, an SMS service is configured */
};

struct webhooks;
struct channel_rules channel_rules_of(const struct webhooks *w);

/* Never changes once it is read: it is shared by counting. */
struct channel;

/* Reads and checks one object. path: where it stands in the body (".channels[0]"), the beginning of
 * err's path. old: the channel that stands in its place until now (NULL: none), for values that are
 * sent back as they were shown (redacted): they stay what they are. NULL with err, whose path names
 * the field (".channels[0].configs.url") and whose message says field, value and what is expected;
 * code ERR_INVALID_WEBHOOK_CHANNELS (422). */
struct channel *channel_read(const struct json *v, const struct channel_rules *rules,
                             const char *path, const struct channel *old, struct err *err);
/* The stored form, and back (NULL: not understood; nothing else is checked again). */
struct str channel_text(const struct channel *c);
struct channel *channel_from_text(struct str text);
struct channel *channel_hold(const struct channel *c); /* NULL gives NULL */
void channel_release(const struct channel *c);         /* NULL accepted */

/* The `{channel, configs}` object as it is shown: as it was given, secrets redacted (the values of
 * headers but Content-Type and Accept, the password of a URL, the end of Slack's URL). */
void channel_write_json(struct json_out *j, const struct channel *c);

/* For the registry's row of the channel (its policy: FORMAT_FLAT or another that gives one JSON
 * object, COMPRESSION_NONE, no waiting). */
enum channel_kind channel_kind(const struct channel *c);
/* webhook, slack: what is called; email: "mailto:<first>"; sms: "sms:<first>". For logs and lists.
 */
struct str channel_url(const struct channel *c);
/* The same without its secrets. */
void channel_write_target(struct buf *out, const struct channel *c);
/* Headers of a webhook channel, by name in byte order; n 0 for the others. Owned by the channel. */
struct channel_header {
    struct str name, value;
};
const struct channel_header *channel_headers(const struct channel *c, size_t *ret_n);
int64_t channel_timeout_ms(const struct channel *c); /* of an attempt; always set */
