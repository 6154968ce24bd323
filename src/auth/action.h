#pragma once
/* What a key may be allowed to do (contract 1.4). A route names one action in its row; a key lists
 * actions, of which the wildcards stand for several.
 *
 * To add one: a value here, a row in action.c. The order is that of upstream's messages; stored
 * keys hold names. */
#include "base/str.h"

enum auth_action {
    ACTION_ALL,
    ACTION_SEARCH,
    ACTION_DOCUMENTS_ALL,
    ACTION_DOCUMENTS_ADD,
    ACTION_DOCUMENTS_GET,
    ACTION_DOCUMENTS_DELETE,
    ACTION_INDEXES_ALL,
    ACTION_INDEXES_CREATE,
    ACTION_INDEXES_GET,
    ACTION_INDEXES_UPDATE,
    ACTION_INDEXES_DELETE,
    ACTION_INDEXES_SWAP,
    ACTION_TASKS_ALL,
    ACTION_TASKS_CANCEL,
    ACTION_TASKS_DELETE,
    ACTION_TASKS_GET,
    ACTION_SETTINGS_ALL,
    ACTION_SETTINGS_GET,
    ACTION_SETTINGS_UPDATE,
    ACTION_STATS_ALL,
    ACTION_STATS_GET,
    ACTION_METRICS_ALL,
    ACTION_METRICS_GET,
    ACTION_DUMPS_ALL,
    ACTION_DUMPS_CREATE,
    ACTION_SNAPSHOTS_ALL,
    ACTION_SNAPSHOTS_CREATE,
    ACTION_VERSION,
    ACTION_KEYS_CREATE,
    ACTION_KEYS_GET,
    ACTION_KEYS_UPDATE,
    ACTION_KEYS_DELETE,
    ACTION_EXPERIMENTAL_GET,
    ACTION_EXPERIMENTAL_UPDATE,
    ACTION_EXPORT,
    ACTION_NETWORK_GET,
    ACTION_NETWORK_UPDATE,
    ACTION_CHAT_COMPLETIONS,
    ACTION_CHATS_ALL,
    ACTION_CHATS_GET,
    ACTION_CHATS_DELETE,
    ACTION_CHATS_SETTINGS_ALL,
    ACTION_CHATS_SETTINGS_GET,
    ACTION_CHATS_SETTINGS_UPDATE,
    ACTION_ALL_GET,
    ACTION_WEBHOOKS_GET,
    ACTION_WEBHOOKS_UPDATE,
    ACTION_WEBHOOKS_DELETE,
    ACTION_WEBHOOKS_CREATE,
    ACTION_WEBHOOKS_ALL,
    ACTION_INDEXES_COMPACT,
    ACTION_FIELDS_POST,
    ACTION_TASKS_COMPACT,
    ACTION_DYNAMIC_SEARCH_RULES_GET,
    ACTION_DYNAMIC_SEARCH_RULES_CREATE,
    ACTION_DYNAMIC_SEARCH_RULES_UPDATE,
    ACTION_DYNAMIC_SEARCH_RULES_DELETE,
    ACTION_DYNAMIC_SEARCH_RULES_ALL,
    ACTION_COUNT
};
_Static_assert(ACTION_COUNT <= 64, "a set of actions is a uint64_t");

const char *action_name(enum auth_action action); /* "documents.add" */
bool action_from_name(struct str name, enum auth_action *ret);
/* All names, in the order of messages. */
const char *const *action_names(size_t *ret_n);
/* What a key that lists this action may do: bit i stands for action i. */
uint64_t action_grants(enum auth_action action);
static inline bool
action_is_in(uint64_t set, enum auth_action action)
{
    return (set >> action & 1) != 0;
}
/* Concerns the whole server: a key for some indexes cannot be made with it. */
bool action_is_global(enum auth_action action);
/* Routes of this action that name no index in their path look themselves at the indexes of the key;
 * those of other actions are closed to keys for some indexes. */
bool action_is_judged_by_handler(enum auth_action action);
