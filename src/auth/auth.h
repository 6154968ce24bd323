#pragma once
/* Who may do what: the one decision point (contract 1.4). Today one master key; scoped keys join
 * behind this call. */
#include "base/err.h"
#include "base/str.h"

struct auth;
struct auth *
auth_new(const char *master_key); /* NULL or "": everything is open. Copies; wiped by auth_free */
void auth_free(struct auth *a);

/* What a granted request may do beyond its action. */
struct auth_grant {
    bool may_create_indexes;
    uint8_t scope[8]; /* distinguishes callers, for idempotency keys */
};
/* 0, or -1 with err (missing_authorization_header, invalid_api_key, missing_master_key).
 * authorization: header value or data == NULL. action: the route's, NULL for open routes. */
int auth_decide(const struct auth *a, struct str authorization, const char *action,
                struct auth_grant *ret, struct err *err);
