#pragma once
/* Who may do what: the one decision point (contract 1.4). The master key may do everything; an API
 * key what its actions say, on the indexes it names, until it expires; a tenant token what the key
 * that signed it may, for searching, on the indexes that both name. */
#include "auth/action.h"
#include "auth/tenant.h"
#include "base/arena.h"
#include "base/err.h"
#include "store/turn.h"

struct auth;
struct auth *
auth_new(const char *master_key); /* NULL or "": everything is open. Copies; wiped by auth_free */
void auth_free(struct auth *a);
/* Reads the API keys; when there are none yet, writes the default ones into this turn's
 * transaction. Without a master key there are no keys. 0, or -1 with err. */
int auth_open_keys(struct auth *a, struct turn *turn, struct err *err);

/* What a granted request may do beyond its action. A zeroed one sees nothing. The lists are valid
 * until this callback ends; auth_grant_keep makes a copy that lasts. */
struct auth_grant {
    bool may_create_indexes;    /* of those it sees, by sending documents or settings */
    bool sees_all_indexes;      /* otherwise: see auth_grant_sees */
    uint8_t scope[8];           /* distinguishes callers, for idempotency keys */
    const struct str *patterns; /* the key's, unless it sees all */
    size_t n_patterns;
    bool is_tenant; /* a tenant token: its rules narrow what the key sees */
    bool key_sees_all;
    const struct tenant_rule *rules;
    size_t n_rules;
};

struct auth_request {
    struct str authorization; /* the header's value; data NULL: none */
    const char *action;       /* the route's; NULL: an open route */
    struct str index_uid;     /* of the path, decoded; data NULL: the route names no index */
    struct arena *arena;      /* where a tenant token's rules are kept */
};
/* 0, or -1 with err (missing_authorization_header, invalid_api_key, missing_master_key). */
int auth_decide(const struct auth *a, const struct auth_request *request, struct auth_grant *ret,
                struct err *err);

/* Whether the header names the master key or an API key, whatever that may do: for doors that tell
 * a wrong key from one without the right. */
bool auth_knows_key(const struct auth *a, struct str authorization);

bool auth_grant_sees(const struct auth_grant *grant, struct str index_uid);
struct auth_grant auth_grant_keep(struct arena *arena, const struct auth_grant *grant);
/* Searching that index: the JSON text of the filter that a tenant token adds; data NULL: none. Of
 * several patterns that match, the exact one counts, else the longest. */
struct str auth_grant_filter(const struct auth_grant *grant, struct str index_uid);
