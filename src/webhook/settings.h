#pragma once
/* What a request body asks of a webhook: field names and types (contract 1.6 and 7.2), then the
 * checks on a finished draft (7.3). Private to the folder. */
#include "base/err.h"
#include "base/uuid.h"
#include "codec/json.h"
#include "net/address.h"
#include "webhook/policy_fields.h"
#include "webhook/registry.h"

enum setting { SETTING_ABSENT, SETTING_NULL, SETTING_GIVEN };

struct header_view {
    struct str name, value;
    bool is_null; /* in settings only: the value was null */
    size_t order; /* position in the body */
};

/* Slices point into the body. */
struct webhook_settings {
    enum setting url_state, headers_state;
    struct str url;
    struct header_view *headers; /* byte order by name, each name once (the last one given wins) */
    size_t n_headers;
    struct policy_change policy; /* owned */
};
/* 0, or -1 with err (first error in the order of the document). */
int webhook_settings_read(const struct json *body, const struct webhook_words *words,
                          struct webhook_settings *ret, struct err *err);
void webhook_settings_done(struct webhook_settings *s);

/* A webhook that is about to be registered; slices belong to somebody else. */
struct webhook_draft {
    struct uuid uuid;
    enum webhook_origin origin;
    struct str url;
    const struct header_view *headers;
    size_t n_headers;
    const struct webhook_policy *policy; /* NULL: upstream's behaviour */
};
/* What is never sent on behalf of a user (the sender frames its own requests), and sizes that
 * upstream leaves open (invariant 10). */
enum { WEBHOOK_URL_MAX_BYTES = 8 * 1024, WEBHOOK_HEADERS_MAX_BYTES = 64 * 1024 };

int draft_check(const struct webhook_draft *d, struct err *err);
/* --webhook-require-https, for a URL that parses: plain http only where the allowed networks are
 * meant. A name is judged by its addresses when it is called, but without any allowed network it
 * never could be. */
int draft_check_https(struct str url, const struct address_policy *policy, struct err *err);
/* The single errors of contract 7.3 that need more than a draft. Each returns -1. */
int webhook_err_url_missing(const struct uuid *uuid, struct err *err);
int webhook_err_too_many_headers(const struct uuid *uuid, struct err *err);
