/* The table of actions against upstream's: what each one grants, and where. */
#include "../support.h"
#include "auth/action.h"

static void
names_and_actions_lead_to_each_other(void **state)
{
    (void) state;
    size_t n;
    const char *const *names = action_names(&n);
    assert_int_equal(n, 58);
    for (size_t i = 0; i < n; i++) {
        enum auth_action action = ACTION_COUNT;
        assert_true(action_from_name(str_from(names[i]), &action));
        assert_int_equal(action, i);
        assert_string_equal(action_name(action), names[i]);
    }
}

static void
other_names_are_no_actions(void **state)
{
    (void) state;
    static const char *const names[] = {"",          "keys.*",         "Search",
                                        "documents", "documents.add ", "**"};
    enum auth_action action;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_false(action_from_name(str_from(names[i]), &action));
}

static uint64_t
set_of(const char *words)
{
    uint64_t set = 0;
    struct str rest = str_from(words), piece;
    while (str_split(&rest, ' ', &piece)) {
        enum auth_action action;
        assert_true(action_from_name(piece, &action));
        set |= UINT64_C(1) << action;
    }
    return set;
}

static const struct {
    const char *name, *grants;
} wildcards[] = {
    {"documents.*", "documents.* documents.add documents.get documents.delete"},
    {"indexes.*", "indexes.* indexes.create indexes.get indexes.update indexes.delete indexes.swap "
                  "indexes.compact"},
    {"tasks.*", "tasks.* tasks.cancel tasks.delete tasks.get tasks.compact"},
    {"settings.*", "settings.* settings.get settings.update"},
    {"stats.*", "stats.* stats.get"},
    {"metrics.*", "metrics.* metrics.get"},
    {"dumps.*", "dumps.* dumps.create"},
    {"snapshots.*", "snapshots.* snapshots.create"},
    {"chats.*", "chats.* chats.get chats.delete"},
    {"chatsSettings.*", "chatsSettings.* chatsSettings.get chatsSettings.update"},
    {"webhooks.*", "webhooks.* webhooks.get webhooks.update webhooks.delete webhooks.create"},
    {"dynamicSearchRules.*",
     "dynamicSearchRules.* dynamicSearchRules.get dynamicSearchRules.create "
     "dynamicSearchRules.update dynamicSearchRules.delete"},
    {"*.get", "*.get search documents.get export indexes.get tasks.get settings.get stats.get "
              "metrics.get version experimental.get network.get chats.get chatsSettings.get "
              "webhooks.get fields.post dynamicSearchRules.get"},
};

/* The set of a wildcard's row; 0: it is none. */
static uint64_t
wildcard_set(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(wildcards); i++) {
        if (strcmp(wildcards[i].name, name) == 0)
            return set_of(wildcards[i].grants);
    }
    return 0;
}

static void
wildcards_grant_their_members_and_all_others_themselves(void **state)
{
    (void) state;
    for (size_t i = 0; i < ACTION_COUNT; i++) {
        enum auth_action action = (enum auth_action) i;
        uint64_t expected = wildcard_set(action_name(action));
        if (expected == 0)
            expected = i == ACTION_ALL ? (UINT64_C(1) << ACTION_COUNT) - 1 : UINT64_C(1) << i;
        assert_true(action_grants(action) == expected);
    }
}

static void
reading_everything_does_not_read_keys(void **state)
{
    (void) state;
    assert_false(action_is_in(action_grants(ACTION_ALL_GET), ACTION_KEYS_GET));
    assert_false(action_is_in(action_grants(ACTION_ALL_GET), ACTION_CHAT_COMPLETIONS));
}

static void
scopes_are_upstreams(void **state)
{
    (void) state;
    uint64_t global = set_of(
        "metrics.* metrics.get dumps.* dumps.create snapshots.* snapshots.create version "
        "keys.create keys.get keys.update keys.delete experimental.get experimental.update export "
        "network.get network.update chats.* chats.get chats.delete chatsSettings.* "
        "chatsSettings.get chatsSettings.update webhooks.get webhooks.update webhooks.delete "
        "webhooks.create webhooks.* tasks.compact dynamicSearchRules.get dynamicSearchRules.create "
        "dynamicSearchRules.update dynamicSearchRules.delete dynamicSearchRules.*");
    uint64_t handler = set_of("documents.get search indexes.create indexes.get indexes.swap "
                              "tasks.cancel tasks.delete tasks.get settings.get stats.* stats.get "
                              "chatCompletions");
    for (size_t i = 0; i < ACTION_COUNT; i++) {
        enum auth_action action = (enum auth_action) i;
        assert_int_equal(action_is_global(action), action_is_in(global, action));
        assert_int_equal(action_is_judged_by_handler(action), action_is_in(handler, action));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_actions_lead_to_each_other),
        cmocka_unit_test(other_names_are_no_actions),
        cmocka_unit_test(wildcards_grant_their_members_and_all_others_themselves),
        cmocka_unit_test(reading_everything_does_not_read_keys),
        cmocka_unit_test(scopes_are_upstreams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
