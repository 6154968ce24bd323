#pragma once
/* Who sends: one row a provider. What their headers and bodies look like; nothing is stored here.
 *
 * To add one: a value here, a row in provider.c, and what it signs in signature.c. */
#include "base/arena.h"
#include "codec/json.h"

enum provider {
    PROVIDER_MUX,
    PROVIDER_STRIPE,
    PROVIDER_GITHUB,
    PROVIDER_STANDARD, /* Standard Webhooks, Svix */
    PROVIDER_SLACK,
    PROVIDER_TWILIO, /* of messages: their status, and those that come in */
    PROVIDER_COUNT
};
const char *provider_name(enum provider p); /* "mux": in paths and in `provider_type` */
bool provider_from_name(struct str name, enum provider *ret);
/* NULL-terminated, for messages. */
const char *const *provider_names(void);

/* The headers that are looked at, as sent; data NULL: absent. */
struct provider_headers {
    struct str signature, timestamp, id; /* id: of the event (standard, github) */
    struct str event;                    /* github: its type */
    struct str content_type, content_encoding;
};
/* Takes them out of a request. header(arg, name): data NULL when absent. */
typedef struct str provider_header_fn(const void *arg, const char *name);
void provider_read_headers(enum provider p, provider_header_fn *header, const void *arg,
                           struct provider_headers *ret);

/* What an event is called by: rules match its type, or its type with its kind behind a dot
 * ("issues", "issues.opened"). Texts are those of the body, the headers or the arena. */
struct provider_event {
    struct str id;   /* empty: it has none */
    struct str type; /* empty: it has none */
    struct str kind; /* empty: it has none */
};
/* body: any JSON value. */
void provider_read_event(enum provider p, const struct provider_headers *h, const struct json *body,
                         struct arena *arena, struct provider_event *ret);
/* The JSON text in a body that is a form: GitHub's and Slack's `payload`, or an object of the
 * fields themselves (slash commands, Twilio). 0, or -1 when it has too many fields or no memory is
 * left. */
bool provider_sends_forms(enum provider p, const struct provider_headers *h);
int provider_form_to_json(enum provider p, struct str form, struct buf *out);
