/* The one decision point: may this request do this? Owns the master key in memory. Knows nothing of
 * routes or HTTP; it is handed the Authorization header's value and the route's action. */
#include "auth/auth.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/digest.h"

struct auth {
    char *master_key; /* NULL: everything is open */
    size_t master_key_len;
    uint8_t master_scope[8];
};

struct auth *
auth_new(const char *master_key)
{
    struct auth *a = mem_new(1, sizeof(*a));
    if (master_key == NULL || master_key[0] == '\0')
        return a;
    a->master_key = mem_strdup(master_key);
    a->master_key_len = strlen(master_key);
    uint8_t digest[SHA256_BYTES];
    digest_sha256(str_from(master_key), digest);
    memcpy(a->master_scope, digest, sizeof(a->master_scope));
    return a;
}

void
auth_free(struct auth *a)
{
    if (a == NULL)
        return;
    mem_wipe(a->master_key, a->master_key_len);
    free(a->master_key);
    mem_wipe(a, sizeof(*a));
    free(a);
}

static int
refuse_header(struct err *err)
{
    return err_set(
        err, ERR_MISSING_AUTHORIZATION_HEADER,
        "The Authorization header is missing. It must use the bearer authorization method.");
}

static int
refuse_key(struct err *err)
{
    return err_set(err, ERR_INVALID_API_KEY, "The provided API key is invalid.");
}

/* The token of "Bearer {token}": 1; no header: 0; -1 with err. Split at the first space, the scheme
 * exactly "Bearer" (contract 1.4). */
static int
read_token(struct str authorization, struct str *ret, struct err *err)
{
    if (authorization.data == NULL)
        return 0;
    size_t space = str_find(authorization, ' ', 0);
    if (!str_is(str_slice(authorization, 0, space), "Bearer"))
        return refuse_header(err);
    if (space == authorization.len)
        return refuse_key(err);
    *ret = str_slice(authorization, space + 1, authorization.len);
    return 1;
}

static int
decide_without_master(const char *action, struct auth_grant *ret, struct err *err)
{
    if (action != NULL && str_starts_with(str_from(action), "keys."))
        return err_set(err, ERR_MISSING_MASTER_KEY,
                       "Meilisearch is running without a master key. To access this API endpoint, "
                       "you must have set a master key at launch.");
    *ret = (struct auth_grant){.may_create_indexes = true};
    return 0;
}

int
auth_decide(const struct auth *a, struct str authorization, const char *action,
            struct auth_grant *ret, struct err *err)
{
    struct str token = STR_NULL;
    if (action == NULL) {
        *ret = (struct auth_grant){0};
        return 0;
    }
    int rc = read_token(authorization, &token, err);
    if (rc < 0)
        return rc;
    if (a->master_key == NULL)
        return decide_without_master(action, ret, err);
    if (rc == 0)
        return refuse_header(err);
    if (!bytes_equal_secret(token, str_make(a->master_key, a->master_key_len)))
        return refuse_key(err);
    *ret = (struct auth_grant){.may_create_indexes = true};
    memcpy(ret->scope, a->master_scope, sizeof(ret->scope));
    return 0;
}
