/* The table of actions. Owns what each one grants and where it may be used; knows neither keys nor
 * routes. */
#include "auth/action.h"

enum scope {
    SCOPE_INDEX,   /* only on routes that name an index in their path */
    SCOPE_HANDLER, /* elsewhere the handler looks at the indexes of the key */
    SCOPE_SEVERAL, /* a wildcard over actions of several scopes */
    SCOPE_GLOBAL,  /* the whole server */
};

#define BIT(action) (UINT64_C(1) << ACTION_##action)
#define EVERY_ACTION ((UINT64_C(1) << ACTION_COUNT) - 1)
/* Not keys.get, which would hand out every key; nor chatCompletions, which may start chats. */
#define EVERY_READ                                                                                 \
    (BIT(ALL_GET) | BIT(SEARCH) | BIT(DOCUMENTS_GET) | BIT(EXPORT) | BIT(INDEXES_GET) |            \
     BIT(TASKS_GET) | BIT(SETTINGS_GET) | BIT(STATS_GET) | BIT(METRICS_GET) | BIT(VERSION) |       \
     BIT(EXPERIMENTAL_GET) | BIT(NETWORK_GET) | BIT(CHATS_GET) | BIT(CHATS_SETTINGS_GET) |         \
     BIT(WEBHOOKS_GET) | BIT(FIELDS_POST) | BIT(DYNAMIC_SEARCH_RULES_GET))

#define WILDCARD(action, text, of_scope, members)                                                  \
    [ACTION_##action] = {text, SCOPE_##of_scope, BIT(action) | (members)}
#define ROW(action, text, of_scope) WILDCARD(action, text, of_scope, 0)

static const struct {
    const char *name;
    enum scope scope;
    uint64_t grants;
} rows[ACTION_COUNT] = {
    WILDCARD(ALL, "*", SEVERAL, EVERY_ACTION),
    ROW(SEARCH, "search", HANDLER),
    WILDCARD(DOCUMENTS_ALL, "documents.*", SEVERAL,
             BIT(DOCUMENTS_ADD) | BIT(DOCUMENTS_GET) | BIT(DOCUMENTS_DELETE)),
    ROW(DOCUMENTS_ADD, "documents.add", INDEX),
    ROW(DOCUMENTS_GET, "documents.get", HANDLER),
    ROW(DOCUMENTS_DELETE, "documents.delete", INDEX),
    WILDCARD(INDEXES_ALL, "indexes.*", SEVERAL,
             BIT(INDEXES_CREATE) | BIT(INDEXES_GET) | BIT(INDEXES_UPDATE) | BIT(INDEXES_DELETE) |
                 BIT(INDEXES_SWAP) | BIT(INDEXES_COMPACT)),
    ROW(INDEXES_CREATE, "indexes.create", HANDLER),
    ROW(INDEXES_GET, "indexes.get", HANDLER),
    ROW(INDEXES_UPDATE, "indexes.update", INDEX),
    ROW(INDEXES_DELETE, "indexes.delete", INDEX),
    ROW(INDEXES_SWAP, "indexes.swap", HANDLER),
    WILDCARD(TASKS_ALL, "tasks.*", SEVERAL,
             BIT(TASKS_CANCEL) | BIT(TASKS_DELETE) | BIT(TASKS_GET) | BIT(TASKS_COMPACT)),
    ROW(TASKS_CANCEL, "tasks.cancel", HANDLER),
    ROW(TASKS_DELETE, "tasks.delete", HANDLER),
    ROW(TASKS_GET, "tasks.get", HANDLER),
    WILDCARD(SETTINGS_ALL, "settings.*", SEVERAL, BIT(SETTINGS_GET) | BIT(SETTINGS_UPDATE)),
    ROW(SETTINGS_GET, "settings.get", HANDLER),
    ROW(SETTINGS_UPDATE, "settings.update", INDEX),
    WILDCARD(STATS_ALL, "stats.*", HANDLER, BIT(STATS_GET)),
    ROW(STATS_GET, "stats.get", HANDLER),
    WILDCARD(METRICS_ALL, "metrics.*", GLOBAL, BIT(METRICS_GET)),
    ROW(METRICS_GET, "metrics.get", GLOBAL),
    WILDCARD(DUMPS_ALL, "dumps.*", GLOBAL, BIT(DUMPS_CREATE)),
    ROW(DUMPS_CREATE, "dumps.create", GLOBAL),
    WILDCARD(SNAPSHOTS_ALL, "snapshots.*", GLOBAL, BIT(SNAPSHOTS_CREATE)),
    ROW(SNAPSHOTS_CREATE, "snapshots.create", GLOBAL),
    ROW(VERSION, "version", GLOBAL),
    ROW(KEYS_CREATE, "keys.create", GLOBAL),
    ROW(KEYS_GET, "keys.get", GLOBAL),
    ROW(KEYS_UPDATE, "keys.update", GLOBAL),
    ROW(KEYS_DELETE, "keys.delete", GLOBAL),
    ROW(EXPERIMENTAL_GET, "experimental.get", GLOBAL),
    ROW(EXPERIMENTAL_UPDATE, "experimental.update", GLOBAL),
    ROW(EXPORT, "export", GLOBAL),
    ROW(NETWORK_GET, "network.get", GLOBAL),
    ROW(NETWORK_UPDATE, "network.update", GLOBAL),
    ROW(CHAT_COMPLETIONS, "chatCompletions", HANDLER),
    WILDCARD(CHATS_ALL, "chats.*", GLOBAL, BIT(CHATS_GET) | BIT(CHATS_DELETE)),
    ROW(CHATS_GET, "chats.get", GLOBAL),
    ROW(CHATS_DELETE, "chats.delete", GLOBAL),
    WILDCARD(CHATS_SETTINGS_ALL, "chatsSettings.*", GLOBAL,
             BIT(CHATS_SETTINGS_GET) | BIT(CHATS_SETTINGS_UPDATE)),
    ROW(CHATS_SETTINGS_GET, "chatsSettings.get", GLOBAL),
    ROW(CHATS_SETTINGS_UPDATE, "chatsSettings.update", GLOBAL),
    WILDCARD(ALL_GET, "*.get", SEVERAL, EVERY_READ),
    ROW(WEBHOOKS_GET, "webhooks.get", GLOBAL),
    ROW(WEBHOOKS_UPDATE, "webhooks.update", GLOBAL),
    ROW(WEBHOOKS_DELETE, "webhooks.delete", GLOBAL),
    ROW(WEBHOOKS_CREATE, "webhooks.create", GLOBAL),
    WILDCARD(WEBHOOKS_ALL, "webhooks.*", GLOBAL,
             BIT(WEBHOOKS_GET) | BIT(WEBHOOKS_UPDATE) | BIT(WEBHOOKS_DELETE) |
                 BIT(WEBHOOKS_CREATE)),
    ROW(INDEXES_COMPACT, "indexes.compact", INDEX),
    ROW(FIELDS_POST, "fields.post", INDEX),
    ROW(TASKS_COMPACT, "tasks.compact", GLOBAL),
    ROW(DYNAMIC_SEARCH_RULES_GET, "dynamicSearchRules.get", GLOBAL),
    ROW(DYNAMIC_SEARCH_RULES_CREATE, "dynamicSearchRules.create", GLOBAL),
    ROW(DYNAMIC_SEARCH_RULES_UPDATE, "dynamicSearchRules.update", GLOBAL),
    ROW(DYNAMIC_SEARCH_RULES_DELETE, "dynamicSearchRules.delete", GLOBAL),
    WILDCARD(DYNAMIC_SEARCH_RULES_ALL, "dynamicSearchRules.*", GLOBAL,
             BIT(DYNAMIC_SEARCH_RULES_GET) | BIT(DYNAMIC_SEARCH_RULES_CREATE) |
                 BIT(DYNAMIC_SEARCH_RULES_UPDATE) | BIT(DYNAMIC_SEARCH_RULES_DELETE)),
};

const char *
action_name(enum auth_action action)
{
    return rows[action].name;
}

bool
action_from_name(struct str name, enum auth_action *ret)
{
    for (size_t i = 0; i < ACTION_COUNT; i++) {
        if (!str_is(name, rows[i].name))
            continue;
        *ret = (enum auth_action) i;
        return true;
    }
    return false;
}

const char *const *
action_names(size_t *ret_n)
{
    static const char *names[ACTION_COUNT];
    for (size_t i = 0; i < ACTION_COUNT; i++)
        names[i] = rows[i].name;
    *ret_n = ACTION_COUNT;
    return names;
}

uint64_t
action_grants(enum auth_action action)
{
    return rows[action].grants;
}

bool
action_is_global(enum auth_action action)
{
    return rows[action].scope == SCOPE_GLOBAL;
}

bool
action_is_judged_by_handler(enum auth_action action)
{
    return rows[action].scope == SCOPE_HANDLER;
}
