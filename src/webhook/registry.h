#pragma once
/* The registered webhooks: in memory, sorted by uuid, written through to the store. Private to the
 * folder. */
#include "base/log.h"
#include "net/url.h"
#include "webhook/webhook.h"

struct webhook_header {
    char *name, *value;
};

/* Never changes: an update makes a new one in its place. */
struct webhook {
    struct uuid uuid;
    bool is_editable; /* false: from the command line, not stored */
    struct str url;   /* as registered (the command line's: normalised); owned */
    struct url target;
    struct webhook_header *headers; /* byte order by name */
    size_t n_headers;
};

struct registry {
    struct webhook *items[WEBHOOKS_MAX + 1]; /* the one of the command line is not counted */
    size_t n;
    bool is_dirty; /* changed in a turn that is not committed yet */
    struct turn_waiter waiter;
    struct log_limit warnings;
};

/* The command line's webhook and every stored one; -1 with err when a row is not understood. */
int registry_open(struct webhooks *w, const char *cli_url, const char *cli_authorization,
                  struct err *err);
void registry_close(struct webhooks *w);
const struct webhook *registry_find(const struct webhooks *w, const struct uuid *uuid);

/* The answer's object (contract 7.1, 7.4) and the redaction of an Authorization value. */
void webhook_write_json(struct json_out *j, const struct webhook *h);
void webhook_write_redacted(struct buf *out, struct str value);
