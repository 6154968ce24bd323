#pragma once
/* Tenant tokens (contract 1.4): JWTs signed with the value of an API key. They carry rules about
 * indexes and are good for searching only. */
#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"

struct tenant_rule {
    struct str pattern; /* any text; see pattern_matches */
    struct str filter;  /* JSON text of a filter to add to every search; data NULL: none */
};
struct tenant_token {
    struct uuid key_uid; /* whose value has signed it; whether there is such a key is not checked */
    const struct tenant_rule *rules;
    size_t n_rules;
};

/* 1: shape, signature and end are fine, *ret is in the arena; 0: it does not look like a token; -1
 * with err. */
int tenant_token_read(struct arena *arena, struct str master_key, struct str text,
                      struct tenant_token *ret, struct err *err);
