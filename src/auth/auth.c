/* The one decision point: may this request do this? Owns the master key in memory. Knows nothing of
 * routes or HTTP; it is handed the Authorization header's value, the route's action and its index.
 */
#include "auth/auth.h"

#include <stdlib.h>

#include "auth/auth_internal.h"
#include "auth/tenant.h"
#include "base/clock.h"
#include "base/mem.h"

struct auth *
auth_new(const char *master_key)
{
    struct auth *a = mem_new(1, sizeof(*a));
    if (master_key == NULL || master_key[0] == '\0')
        return a;
    a->master_key = str_from(mem_strdup(master_key));
    uint8_t digest[SHA256_BYTES];
    digest_sha256(a->master_key, digest);
    memcpy(a->master_scope, digest, sizeof(a->master_scope));
    return a;
}

void
auth_free(struct auth *a)
{
    if (a == NULL)
        return;
    keyring_done(&a->keys);
    mem_wipe((void *) (uintptr_t) a->master_key.data, a->master_key.len);
    free((void *) (uintptr_t) a->master_key.data);
    mem_wipe(a, sizeof(*a));
    free(a);
}

/* --- refusals */

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

/* As Rust prints a string for programmers. */
static void
write_quoted(struct buf *out, struct str text)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else if ((unsigned char) c < 0x20)
            buf_addf(out, "\\u{%x}", (unsigned) c);
        else
            buf_add_char(out, c);
    }
    buf_add_char(out, '"');
}

static int
compare_texts(const void *a, const void *b)
{
    return str_compare(*(const struct str *) a, *(const struct str *) b);
}

/* Sorted, each name once: ["catto", "doggo"] */
static void
write_sorted(struct buf *out, struct str *list, size_t n)
{
    qsort(list, n, sizeof(*list), compare_texts);
    buf_add_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && str_equal(list[i - 1], list[i]))
            continue;
        if (i > 0)
            buf_add_cstr(out, ", ");
        write_quoted(out, list[i]);
    }
    buf_add_char(out, ']');
}

static int
refuse_by_tenant(const struct auth_grant *grant, const struct auth_request *r, struct err *err)
{
    struct buf allowed = BUF_INIT;
    struct str *list = arena_alloc(r->arena, (grant->n_rules + 1) * sizeof(*list));
    for (size_t i = 0; i < grant->n_rules; i++)
        list[i] = grant->rules[i].pattern;
    write_sorted(&allowed, list, grant->n_rules);
    int rc = err_set(err, ERR_INVALID_API_KEY,
                     "The provided tenant token cannot acces the index `%.*s`, allowed indexes are "
                     "%s.",
                     STR_ARG(r->index_uid), buf_cstr(&allowed));
    buf_done(&allowed);
    return rc;
}

static int
refuse_by_key(const struct auth_grant *grant, const struct auth_request *r, struct err *err)
{
    struct buf authorized = BUF_INIT;
    if (grant->is_tenant) /* what its key allows is not for everybody to know */
        return err_set(
            err, ERR_INVALID_API_KEY,
            "The API key used to generate this tenant token cannot acces the index `%.*s`.",
            STR_ARG(r->index_uid));
    struct str *list = arena_alloc(r->arena, (grant->n_patterns + 1) * sizeof(*list));
    for (size_t i = 0; i < grant->n_patterns; i++)
        list[i] = grant->patterns[i];
    write_sorted(&authorized, list, grant->n_patterns);
    int rc = err_set(err, ERR_INVALID_API_KEY,
                     "The API key cannot acces the index `%.*s`, authorized indexes are %s.",
                     STR_ARG(r->index_uid), buf_cstr(&authorized));
    buf_done(&authorized);
    return rc;
}

/* --- what a grant covers */

static bool
rules_match(const struct auth_grant *grant, struct str index_uid)
{
    for (size_t i = 0; i < grant->n_rules; i++) {
        if (pattern_matches(grant->rules[i].pattern, index_uid))
            return true;
    }
    return false;
}

static bool
key_covers(const struct auth_grant *grant, struct str index_uid)
{
    return grant->key_sees_all || patterns_match(grant->patterns, grant->n_patterns, index_uid);
}

bool
auth_grant_sees(const struct auth_grant *grant, struct str index_uid)
{
    if (grant->sees_all_indexes)
        return true;
    return key_covers(grant, index_uid) && (!grant->is_tenant || rules_match(grant, index_uid));
}

struct auth_grant
auth_grant_keep(struct arena *arena, const struct auth_grant *grant)
{
    struct auth_grant kept = *grant;
    struct str *patterns = arena_alloc(arena, (grant->n_patterns + 1) * sizeof(*patterns));
    struct tenant_rule *rules = arena_alloc(arena, (grant->n_rules + 1) * sizeof(*rules));
    for (size_t i = 0; i < grant->n_patterns; i++)
        patterns[i] = arena_copy(arena, grant->patterns[i]);
    for (size_t i = 0; i < grant->n_rules; i++) {
        struct str filter = grant->rules[i].filter;
        rules[i].pattern = arena_copy(arena, grant->rules[i].pattern);
        rules[i].filter = filter.data == NULL ? STR_NULL : arena_copy(arena, filter);
    }
    kept.patterns = patterns;
    kept.rules = rules;
    return kept;
}

static bool
is_exact(struct str pattern)
{
    return pattern.len == 0 || pattern.data[pattern.len - 1] != '*';
}

static bool
is_narrower(struct str pattern, struct str than)
{
    if (is_exact(pattern) != is_exact(than))
        return is_exact(pattern);
    return pattern.len > than.len;
}

struct str
auth_grant_filter(const struct auth_grant *grant, struct str index_uid)
{
    const struct tenant_rule *best = NULL;
    for (size_t i = 0; i < grant->n_rules; i++) {
        const struct tenant_rule *rule = &grant->rules[i];
        if (pattern_matches(rule->pattern, index_uid) &&
            (best == NULL || is_narrower(rule->pattern, best->pattern)))
            best = rule;
    }
    return best == NULL ? STR_NULL : best->filter;
}

static bool
has_rule_for_all(const struct auth_grant *grant)
{
    for (size_t i = 0; i < grant->n_rules; i++) {
        if (str_is(grant->rules[i].pattern, "*"))
            return true;
    }
    return false;
}

/* --- API keys and tenant tokens */

static void
grant_key(const struct api_key *key, struct auth_grant *ret)
{
    *ret = (struct auth_grant){
        .may_create_indexes = action_is_in(key->granted, ACTION_INDEXES_CREATE),
        .sees_all_indexes = key->covers_all_indexes,
        .key_sees_all = key->covers_all_indexes,
        .patterns = key->facts.indexes,
        .n_patterns = key->facts.n_indexes,
    };
    memcpy(ret->scope, key->digest, sizeof(ret->scope));
}

static void
narrow_grant(const struct tenant_token *token, struct auth_grant *ret)
{
    ret->is_tenant = true;
    ret->rules = token->rules;
    ret->n_rules = token->n_rules;
    ret->sees_all_indexes = ret->key_sees_all && has_rule_for_all(ret);
}

static bool
is_allowed(const struct api_key *key, enum auth_action action, struct str index_uid)
{
    if (!action_is_in(key->granted, action) || key_is_expired(key, clock_wall_ns()))
        return false;
    if (key->covers_all_indexes)
        return true;
    if (index_uid.data == NULL)
        return key->facts.n_indexes > 0 && action_is_judged_by_handler(action);
    return patterns_match(key->facts.indexes, key->facts.n_indexes, index_uid);
}

static int
check_index(const struct auth_grant *grant, const struct auth_request *r, struct err *err)
{
    if (grant->is_tenant && !rules_match(grant, r->index_uid))
        return refuse_by_tenant(grant, r, err);
    return key_covers(grant, r->index_uid) ? 0 : refuse_by_key(grant, r, err);
}

static bool
accepts_tenants(enum auth_action action)
{
    return action == ACTION_SEARCH || action == ACTION_CHAT_COMPLETIONS;
}

/* The key that the token is, or that has signed it; NULL with err when there is none. */
static const struct api_key *
find_key(const struct auth *a, const struct auth_request *r, enum auth_action action,
         struct str token, struct auth_grant *ret, struct err *err)
{
    struct tenant_token tenant;
    int rc = 0;
    if (accepts_tenants(action))
        rc = tenant_token_read(r->arena, a->master_key, token, &tenant, err);
    if (rc < 0)
        return NULL;
    const struct api_key *key =
        rc == 1 ? keyring_find(&a->keys, &tenant.key_uid) : keyring_find_value(&a->keys, token);
    if (key == NULL) {
        refuse_key(err);
        return NULL;
    }
    grant_key(key, ret);
    if (rc == 1)
        narrow_grant(&tenant, ret);
    return key;
}

static int
decide_with_key(const struct auth *a, const struct auth_request *r, struct str token,
                struct auth_grant *ret, struct err *err)
{
    enum auth_action action;
    if (!action_from_name(str_from(r->action), &action))
        return refuse_key(err);
    const struct api_key *key = find_key(a, r, action, token, ret, err);
    if (key == NULL)
        return -1;
    if (r->index_uid.data != NULL && check_index(ret, r, err) < 0)
        return -1;
    return is_allowed(key, action, r->index_uid) ? 0 : refuse_key(err);
}

/* --- the decision */

/* The token of "Bearer {token}": 1; no header: 0; -1 with err. Split at the first space, the scheme
 * exactly "Bearer". */
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

static void
grant_everything(const struct auth *a, struct auth_grant *ret)
{
    *ret = (struct auth_grant){
        .may_create_indexes = true, .sees_all_indexes = true, .key_sees_all = true};
    memcpy(ret->scope, a->master_scope, sizeof(ret->scope));
}

static int
decide_without_master(const struct auth *a, const char *action, struct auth_grant *ret,
                      struct err *err)
{
    if (str_starts_with(str_from(action), "keys."))
        return err_set(err, ERR_MISSING_MASTER_KEY,
                       "Meilisearch is running without a master key. To access this API endpoint, "
                       "you must have set a master key at launch.");
    grant_everything(a, ret);
    return 0;
}

int
auth_decide(const struct auth *a, const struct auth_request *r, struct auth_grant *ret,
            struct err *err)
{
    struct str token = STR_NULL;
    struct auth_grant grant = {0};
    int rc = 0;
    if (r->action == NULL) {
        *ret = grant;
        return 0;
    }
    int has_token = read_token(r->authorization, &token, err);
    if (has_token < 0)
        return -1;
    if (a->master_key.data == NULL)
        rc = decide_without_master(a, r->action, &grant, err);
    else if (has_token == 0)
        rc = refuse_header(err);
    else if (bytes_equal_secret(token, a->master_key))
        grant_everything(a, &grant);
    else
        rc = decide_with_key(a, r, token, &grant, err);
    if (rc == 0)
        *ret = grant;
    return rc;
}

bool
auth_knows_key(const struct auth *a, struct str authorization)
{
    struct str token;
    struct err err = ERR_INIT;
    bool has_token = read_token(authorization, &token, &err) == 1;
    err_done(&err);
    return has_token && (bytes_equal_secret(token, a->master_key) ||
                         keyring_find_value(&a->keys, token) != NULL);
}
