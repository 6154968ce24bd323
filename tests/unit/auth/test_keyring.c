/* Keys in the store: the default ones, changes that follow the commit, and what each key may do. */
#include "fixture.h"

#define INVALID "The provided API key is invalid."

static void
the_first_start_makes_the_default_keys_once(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    assert_int_equal(auth_key_count(f->auth), 4);
    const struct api_key *newest = auth_key_next(f->auth, NULL);
    assert_text(newest->facts.name, "Default Search API Key");
    struct key_position at = {newest->facts.created_at_ns, newest->facts.uid};
    assert_text(auth_key_next(f->auth, &at)->facts.name, "Default Admin API Key");
    struct uuid uid = newest->facts.uid;
    fixture_reopen(f, MASTER);
    assert_int_equal(auth_key_count(f->auth), 4);
    assert_true(uuid_equal(&auth_key_next(f->auth, NULL)->facts.uid, &uid));
}

static void
without_a_master_key_nothing_is_read_or_made(void **state)
{
    struct fixture *f = *state;
    f->auth = auth_new(NULL);
    assert_int_equal(auth_open_keys(f->auth, f->turn, &f->err), 0);
    assert_int_equal(auth_key_count(f->auth), 0);
    fixture_reopen(f, MASTER);
    assert_int_equal(auth_key_count(f->auth), 4);
}

/* --- the commit decides */

static void
a_key_is_good_from_its_commit_on(void **state)
{
    struct fixture *f = *state;
    struct auth_grant grant;
    fixture_open(f);
    assert_int_equal(fixture_create(f, 1, "version", "*", 0), 0);
    assert_refused(f, fixture_decide(f, fixture_value(f, 1), "version", NULL, &grant), INVALID);
    assert_int_equal(fixture_commit(f), 0);
    assert_granted(f, fixture_decide(f, fixture_value(f, 1), "version", NULL, &grant));
    fixture_reopen(f, MASTER);
    assert_granted(f, fixture_decide(f, fixture_value(f, 1), "version", NULL, &grant));
}

static void
a_refused_commit_makes_no_key(void **state)
{
    struct fixture *f = *state;
    struct auth_grant grant;
    fixture_open(f);
    assert_int_equal(fixture_create(f, 1, "version", "*", 0), 0);
    fixture_refuse(f);
    assert_refused(f, fixture_decide(f, fixture_value(f, 1), "version", NULL, &grant), INVALID);
    assert_int_equal(auth_key_count(f->auth), 4);
    assert_int_equal(fixture_create(f, 1, "version", "*", 0), 0); /* the uid is free again */
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(auth_key_count(f->auth), 5);
}

static int
change(struct fixture *f, uint8_t n, const char *name)
{
    char uid[UUID_TEXT_LEN + 1];
    struct uuid key_uid = fixture_uid(n);
    struct key_patch patch = {.sets_name = true, .name = str_from(name)};
    buf_clear(&f->shown);
    return auth_key_update(f->auth, str_from(uuid_format(&key_uid, uid)), &patch, &f->shown,
                           &f->err);
}

static int
remove_key(struct fixture *f, uint8_t n)
{
    return auth_key_delete(f->auth, str_from(fixture_value(f, n)), &f->err);
}

static void
a_refused_commit_changes_and_removes_nothing(void **state)
{
    struct fixture *f = *state;
    struct auth_grant grant;
    fixture_open(f);
    assert_int_equal(fixture_create(f, 1, "version", "*", 0), 0);
    assert_int_equal(fixture_create(f, 2, "version", "*", 0), 0);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(change(f, 1, "new"), 0);
    assert_int_equal(remove_key(f, 2), 0);
    fixture_refuse(f);
    struct uuid uid = fixture_uid(1);
    assert_null(keyring_find(&f->auth->keys, &uid)->facts.name.data);
    assert_granted(f, fixture_decide(f, fixture_value(f, 2), "version", NULL, &grant));
    fixture_reopen(f, MASTER);
    assert_int_equal(auth_key_count(f->auth), 6);
}

static void
changes_of_one_turn_build_on_each_other(void **state)
{
    struct fixture *f = *state;
    struct auth_grant grant;
    fixture_open(f);
    assert_int_equal(fixture_create(f, 1, "version", "*", 0), 0);
    assert_int_equal(fixture_create(f, 1, "version", "*", 0), -1);
    assert_int_equal(f->err.code, ERR_API_KEY_ALREADY_EXISTS);
    assert_int_equal(change(f, 1, "new"), 0);
    assert_int_equal(remove_key(f, 1), 0); /* by its value, which nobody can know yet */
    assert_int_equal(change(f, 1, "newer"), -1);
    assert_int_equal(f->err.code, ERR_API_KEY_NOT_FOUND);
    assert_int_equal(fixture_create(f, 1, "stats.get", "*", 0), 0);
    assert_int_equal(change(f, 1, "newest"), 0);
    assert_int_equal(fixture_commit(f), 0);
    err_done(&f->err);
    assert_granted(f, fixture_decide(f, fixture_value(f, 1), "stats.get", NULL, &grant));
    assert_refused(f, fixture_decide(f, fixture_value(f, 1), "version", NULL, &grant), INVALID);
    struct uuid uid = fixture_uid(1);
    assert_text(keyring_find(&f->auth->keys, &uid)->facts.name, "newest");
    assert_int_equal(auth_key_count(f->auth), 5);
}

static void
a_removed_key_is_refused_from_its_commit_on(void **state)
{
    struct fixture *f = *state;
    struct auth_grant grant;
    fixture_open(f);
    assert_int_equal(fixture_create(f, 1, "version", "*", 0), 0);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(remove_key(f, 1), 0);
    assert_granted(f, fixture_decide(f, fixture_value(f, 1), "version", NULL, &grant));
    assert_int_equal(fixture_commit(f), 0);
    assert_refused(f, fixture_decide(f, fixture_value(f, 1), "version", NULL, &grant), INVALID);
}

static void
many_keys_are_all_found_and_listed_in_order(void **state)
{
    struct fixture *f = *state;
    struct auth_grant grant;
    fixture_open(f);
    for (int i = 0; i < 200; i++) {
        fixture_set_clock(NOW_NS + 1000 + i);
        assert_int_equal(fixture_create(f, (uint8_t) (i + 1), "version", "*", 0), 0);
        if (i % 7 == 0)
            assert_int_equal(fixture_commit(f), 0);
    }
    assert_int_equal(fixture_commit(f), 0);
    for (int i = 0; i < 200; i += 2)
        assert_int_equal(remove_key(f, (uint8_t) (i + 1)), 0);
    assert_int_equal(fixture_commit(f), 0);
    assert_int_equal(auth_key_count(f->auth), 104);
    for (int i = 0; i < 200; i++) {
        int rc = fixture_decide(f, fixture_value(f, (uint8_t) (i + 1)), "version", NULL, &grant);
        assert_int_equal(rc, i % 2 == 0 ? -1 : 0);
    }
    struct key_position at = {0};
    const struct api_key *key = auth_key_next(f->auth, NULL);
    for (int i = 199; i > 0; i -= 2) {
        assert_int_equal(key->facts.uid.bytes[15], i + 1);
        at = (struct key_position){key->facts.created_at_ns, key->facts.uid};
        key = auth_key_next(f->auth, &at);
    }
}

/* --- what a key may do: actions x patterns */

static const struct {
    const char *actions, *indexes; /* of the key */
    const char *action, *index;    /* asked for; index NULL: the route names none */
    const char *refusal;           /* NULL: granted */
} decisions[] = {
    {"version", "*", "version", NULL, NULL},
    {"version", "*", "stats.get", NULL, INVALID},
    {"*", "*", "keys.delete", NULL, NULL},
    {"*.get", "*", "documents.get", "dog", NULL},
    {"*.get", "*", "documents.add", "dog", INVALID},
    {"*.get", "*", "keys.get", NULL, INVALID},
    {"*.get keys.get", "*", "keys.get", NULL, NULL},
    {"documents.*", "*", "documents.add", "dog", NULL},
    {"documents.*", "*", "indexes.get", "dog", INVALID},
    {"documents.add", "dog", "documents.add", "dog", NULL},
    {"documents.add", "dog", "documents.add", "cat",
     "The API key cannot acces the index `cat`, authorized indexes are [\"dog\"]."},
    {"documents.add", "dog", "documents.add", "dogs",
     "The API key cannot acces the index `dogs`, authorized indexes are [\"dog\"]."},
    {"documents.add", "zoo dog* cat dog*", "documents.add", "bird",
     "The API key cannot acces the index `bird`, authorized indexes are [\"cat\", \"dog*\", "
     "\"zoo\"]."},
    {"documents.add", "dog* cat", "documents.add", "dogs", NULL},
    {"documents.get", "dog* cat", "documents.add", "dogs", INVALID},
    {"documents.get", "dog", "documents.add", "cat",
     "The API key cannot acces the index `cat`, authorized indexes are [\"dog\"]."},
    {"documents.get", "", "documents.get", "dog",
     "The API key cannot acces the index `dog`, authorized indexes are []."},
    {"documents.get", "dog *", "documents.get", "cat", NULL},
    /* routes without an index: those whose handler looks at the indexes */
    {"*", "dog", "indexes.get", NULL, NULL},
    {"*", "dog", "indexes.create", NULL, NULL},
    {"*", "dog", "indexes.swap", NULL, NULL},
    {"*", "dog", "tasks.get", NULL, NULL},
    {"*", "dog", "tasks.cancel", NULL, NULL},
    {"*", "dog", "tasks.delete", NULL, NULL},
    {"*", "dog", "stats.get", NULL, NULL},
    {"*", "dog", "search", NULL, NULL},
    {"*", "dog", "version", NULL, INVALID},
    {"*", "dog", "keys.get", NULL, INVALID},
    {"*", "dog", "webhooks.create", NULL, INVALID},
    {"*", "dog", "tasks.compact", NULL, INVALID},
    {"*", "dog", "documents.add", NULL, INVALID},
    {"*", "", "tasks.get", NULL, INVALID},
    {"*", "*", "no.such.action", NULL, INVALID},
};

static void
actions_and_patterns_decide(void **state)
{
    struct fixture *f = *state;
    struct auth_grant grant;
    fixture_open(f);
    for (size_t i = 0; i < COUNT_OF(decisions); i++) {
        uint8_t n = (uint8_t) (i + 1);
        assert_int_equal(fixture_create(f, n, decisions[i].actions, decisions[i].indexes, 0), 0);
        assert_int_equal(fixture_commit(f), 0);
        int rc =
            fixture_decide(f, fixture_value(f, n), decisions[i].action, decisions[i].index, &grant);
        if (decisions[i].refusal == NULL)
            assert_granted(f, rc);
        else
            assert_refused(f, rc, decisions[i].refusal);
    }
}

static void
a_key_ends_at_its_expiry(void **state)
{
    struct fixture *f = *state;
    struct auth_grant grant;
    fixture_open(f);
    assert_int_equal(fixture_create(f, 1, "documents.get", "dog", NOW_NS + 10), 0);
    assert_int_equal(fixture_create(f, 2, "documents.get", "dog", INT64_MAX), 0);
    assert_int_equal(fixture_commit(f), 0);
    fixture_set_clock(NOW_NS + 9);
    assert_granted(f, fixture_decide(f, fixture_value(f, 1), "documents.get", "dog", &grant));
    fixture_set_clock(NOW_NS + 10);
    assert_refused(f, fixture_decide(f, fixture_value(f, 1), "documents.get", "dog", &grant),
                   INVALID);
    fixture_set_clock(INT64_MAX);
    assert_granted(f, fixture_decide(f, fixture_value(f, 2), "documents.get", "dog", &grant));
}

static void
another_master_key_makes_other_values(void **state)
{
    struct fixture *f = *state;
    struct auth_grant grant;
    fixture_open(f);
    assert_int_equal(fixture_create(f, 1, "version", "*", 0), 0);
    assert_int_equal(fixture_commit(f), 0);
    const char *old = fixture_value(f, 1);
    fixture_reopen(f, "another");
    assert_refused(f, fixture_decide(f, old, "version", NULL, &grant), INVALID);
    assert_granted(f, fixture_decide(f, fixture_value(f, 1), "version", NULL, &grant));
}

/* --- what a grant says */

static void
a_grant_knows_the_keys_indexes(void **state)
{
    struct fixture *f = *state;
    struct auth_grant grant;
    fixture_open(f);
    assert_int_equal(fixture_create(f, 1, "tasks.get", "dog* cat", 0), 0);
    assert_int_equal(fixture_create(f, 2, "tasks.get indexes.create", "*", 0), 0);
    assert_int_equal(fixture_commit(f), 0);
    assert_granted(f, fixture_decide(f, fixture_value(f, 1), "tasks.get", NULL, &grant));
    assert_false(grant.sees_all_indexes);
    assert_false(grant.may_create_indexes);
    assert_true(auth_grant_sees(&grant, STR("dogs")));
    assert_true(auth_grant_sees(&grant, STR("cat")));
    assert_false(auth_grant_sees(&grant, STR("cats")));
    assert_granted(f, fixture_decide(f, fixture_value(f, 2), "tasks.get", NULL, &grant));
    assert_true(grant.sees_all_indexes);
    assert_true(grant.may_create_indexes);
    assert_true(auth_grant_sees(&grant, STR("any")));
}

static void
a_kept_grant_outlives_its_key(void **state)
{
    struct fixture *f = *state;
    struct auth_grant grant;
    fixture_open(f);
    assert_int_equal(fixture_create(f, 1, "tasks.get", "dog* cat", 0), 0);
    assert_int_equal(fixture_commit(f), 0);
    assert_granted(f, fixture_decide(f, fixture_value(f, 1), "tasks.get", NULL, &grant));
    struct auth_grant kept = auth_grant_keep(f->arena, &grant);
    assert_int_equal(remove_key(f, 1), 0);
    assert_int_equal(fixture_commit(f), 0);
    assert_true(auth_grant_sees(&kept, STR("dogs")));
    assert_false(auth_grant_sees(&kept, STR("bird")));
}

static void
every_key_has_a_scope_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct auth_grant master, one, two, again;
    fixture_open(f);
    assert_int_equal(fixture_create(f, 1, "tasks.get", "*", 0), 0);
    assert_int_equal(fixture_create(f, 2, "tasks.get", "*", 0), 0);
    assert_int_equal(fixture_commit(f), 0);
    assert_granted(f, fixture_decide(f, MASTER, "tasks.get", NULL, &master));
    assert_granted(f, fixture_decide(f, fixture_value(f, 1), "tasks.get", NULL, &one));
    assert_granted(f, fixture_decide(f, fixture_value(f, 2), "tasks.get", NULL, &two));
    assert_int_equal(change(f, 1, "renamed"), 0);
    assert_int_equal(fixture_commit(f), 0);
    assert_granted(f, fixture_decide(f, fixture_value(f, 1), "tasks.get", NULL, &again));
    assert_memory_not_equal(master.scope, one.scope, sizeof(one.scope));
    assert_memory_not_equal(one.scope, two.scope, sizeof(one.scope));
    assert_memory_equal(one.scope, again.scope, sizeof(one.scope));
}

static void
a_row_that_is_not_understood_stops_the_start(void **state)
{
    struct fixture *f = *state;
    struct uuid uid = fixture_uid(1);
    fixture_open(f);
    assert_int_equal(store_put(turn_txn(f->turn), TABLE_API_KEYS,
                               str_make(uid.bytes, sizeof(uid.bytes)), STR("\x63nonsense")),
                     0);
    assert_int_equal(fixture_commit(f), 0);
    auth_free(f->auth);
    f->auth = auth_new(MASTER);
    assert_int_equal(auth_open_keys(f->auth, f->turn, &f->err), -1);
    assert_non_null(strstr(f->err.message, "cannot read the API keys"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_start_makes_the_default_keys_once),
        TEST(without_a_master_key_nothing_is_read_or_made),
        TEST(a_key_is_good_from_its_commit_on),
        TEST(a_refused_commit_makes_no_key),
        TEST(a_refused_commit_changes_and_removes_nothing),
        TEST(changes_of_one_turn_build_on_each_other),
        TEST(a_removed_key_is_refused_from_its_commit_on),
        TEST(many_keys_are_all_found_and_listed_in_order),
        TEST(actions_and_patterns_decide),
        TEST(a_key_ends_at_its_expiry),
        TEST(another_master_key_makes_other_values),
        TEST(a_grant_knows_the_keys_indexes),
        TEST(a_kept_grant_outlives_its_key),
        TEST(every_key_has_a_scope_of_its_own),
        TEST(a_row_that_is_not_understood_stops_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
