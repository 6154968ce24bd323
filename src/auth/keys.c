/* Keys as the API sees them, and the default ones. Owns their JSON and the errors about them; the
 * set itself is the keyring's. */
#include "auth/keys.h"

#include "auth/auth_internal.h"
#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"

/* --- the default keys (contract 1.4) */

static const struct default_key {
    const char *name, *description;
    uint8_t actions[2];
    size_t n_actions;
} default_keys[] = {
    /* in the order of their creation */
    {"Default Chat API Key",
     "Use it to chat and search from the frontend",
     {ACTION_CHAT_COMPLETIONS, ACTION_SEARCH},
     2},
    {"Default Read-Only Admin API Key",
     "Use it to read information across the whole database. Caution! Do not expose this key on a "
     "public frontend",
     {ACTION_ALL_GET, ACTION_KEYS_GET},
     2},
    {"Default Admin API Key",
     "Use it for anything that is not a search operation. Caution! Do not expose it on a public "
     "frontend",
     {ACTION_ALL},
     1},
    {"Default Search API Key", "Use it to search from the frontend", {ACTION_SEARCH}, 1},
};
enum { N_DEFAULT_KEYS = sizeof(default_keys) / sizeof(default_keys[0]) };

static int
add_default_keys(struct auth *a, struct err *err)
{
    static const struct str everywhere = {"*", 1};
    int64_t now_ns = clock_wall_ns();
    for (size_t i = 0; i < N_DEFAULT_KEYS; i++) {
        const struct default_key *d = &default_keys[i];
        int64_t at_ns = now_ns + (int64_t) i; /* apart, because listings go by this time */
        struct key_facts facts = {
            .uid = uuid_v4(),
            .name = str_from(d->name),
            .description = str_from(d->description),
            .actions = d->actions,
            .n_actions = d->n_actions,
            .indexes = &everywhere,
            .n_indexes = 1,
            .created_at_ns = at_ns,
            .updated_at_ns = at_ns,
        };
        if (keyring_put(&a->keys, &facts, err) == NULL)
            return -1;
    }
    return 0;
}

int
auth_open_keys(struct auth *a, struct turn *turn, struct err *err)
{
    if (a->master_key.data == NULL)
        return 0;
    if (keyring_init(&a->keys, turn, a->master_key, err) < 0)
        return -1;
    return a->keys.n == 0 ? add_default_keys(a, err) : 0;
}

/* --- shown */

static void
put_text(struct json_out *j, const char *name, struct str text)
{
    json_key(j, name);
    if (text.data == NULL)
        json_put_null(j);
    else
        json_put_str(j, text);
}

static void
put_value(struct json_out *j, const struct auth *a, const struct uuid *uid)
{
    struct buf value = BUF_INIT;
    key_write_value(&value, a->master_key, uid);
    put_text(j, "key", buf_str(&value));
    mem_wipe(value.data, value.len);
    buf_done(&value);
}

static void
put_lists(struct json_out *j, const struct key_facts *f)
{
    json_key(j, "actions");
    json_begin_array(j);
    for (size_t i = 0; i < f->n_actions; i++)
        json_put_cstr(j, action_name((enum auth_action) f->actions[i]));
    json_end_array(j);
    json_key(j, "indexes");
    json_begin_array(j);
    for (size_t i = 0; i < f->n_indexes; i++)
        json_put_str(j, f->indexes[i]);
    json_end_array(j);
}

void
auth_key_write_json(struct buf *out, const struct auth *a, const struct api_key *key)
{
    const struct key_facts *f = &key->facts;
    char uid[UUID_TEXT_LEN + 1];
    struct json_out j = json_out(out);
    json_begin_object(&j);
    put_text(&j, "name", f->name);
    put_text(&j, "description", f->description);
    put_value(&j, a, &f->uid);
    put_text(&j, "uid", str_from(uuid_format(&f->uid, uid)));
    put_lists(&j, f);
    put_text(&j, "expiresAt", f->expires_at);
    json_key(&j, "createdAt");
    json_put_time(&j, f->created_at_ns);
    json_key(&j, "updatedAt");
    json_put_time(&j, f->updated_at_ns);
    json_end_object(&j);
}

const struct api_key *
auth_key_next(const struct auth *a, const struct key_position *last)
{
    return keyring_older(&a->keys, last);
}

size_t
auth_key_count(const struct auth *a)
{
    return a->keys.n;
}

/* --- found */

static int
not_found(struct str id, struct err *err)
{
    return err_set(err, ERR_API_KEY_NOT_FOUND, "API key `%.*s` not found.", STR_ARG(id));
}

static int
uid_not_found(const struct uuid *uid, struct err *err)
{
    char text[UUID_TEXT_LEN + 1];
    return not_found(str_from(uuid_format(uid, text)), err);
}

int
auth_key_get(const struct auth *a, struct str id, struct buf *out, struct err *err)
{
    struct uuid uid;
    bool is_uid = uuid_parse(id, &uid, NULL);
    const struct api_key *key =
        is_uid ? keyring_find(&a->keys, &uid) : keyring_find_value(&a->keys, id);
    if (key == NULL)
        return is_uid ? uid_not_found(&uid, err) : not_found(id, err);
    auth_key_write_json(out, a, key);
    return 0;
}

/* The latest state of the key that is to be changed; NULL with err. */
static const struct api_key *
find_to_change(const struct auth *a, struct str id, struct err *err)
{
    struct uuid uid;
    if (!uuid_parse(id, &uid, NULL) && !keyring_uid_of_value(&a->keys, id, &uid)) {
        not_found(id, err);
        return NULL;
    }
    const struct api_key *key = keyring_latest(&a->keys, &uid);
    if (key == NULL)
        uid_not_found(&uid, err);
    return key;
}

/* --- changed */

/* A key for some indexes may not do what concerns all of them. */
static int
check_scope(const struct key_facts *f, struct err *err)
{
    for (size_t i = 0; i < f->n_indexes; i++) {
        if (str_is(f->indexes[i], "*"))
            return 0;
    }
    for (size_t i = 0; i < f->n_actions && f->n_indexes > 0; i++) {
        enum auth_action action = (enum auth_action) f->actions[i];
        const char *name = action_name(action);
        if (action_is_global(action))
            return err_set(err, ERR_INDEX_SCOPED_API_KEY_WITH_GLOBAL_ACTION,
                           "cannot create index-scoped API key with global action `\"%s\"`\n  - "
                           "Hint: remove action `\"%s\"` from the action list, or remove `indexes` "
                           "to make the key global",
                           name, name);
    }
    return 0;
}

static int
put_and_show(struct auth *a, const struct key_facts *facts, struct buf *out, struct err *err)
{
    const struct api_key *key = keyring_put(&a->keys, facts, err);
    if (key == NULL)
        return -1;
    auth_key_write_json(out, a, key);
    return 0;
}

int
auth_key_create(struct auth *a, const struct key_draft *draft, struct buf *out, struct err *err)
{
    struct key_facts facts = draft->facts;
    char text[UUID_TEXT_LEN + 1];
    if (!draft->has_uid)
        facts.uid = uuid_v4();
    if (check_scope(&facts, err) < 0)
        return -1;
    if (keyring_latest(&a->keys, &facts.uid) != NULL)
        return err_set(err, ERR_API_KEY_ALREADY_EXISTS,
                       "`uid` field value `%s` is already an existing API key.",
                       uuid_format(&facts.uid, text));
    facts.created_at_ns = facts.updated_at_ns = clock_wall_ns();
    return put_and_show(a, &facts, out, err);
}

int
auth_key_update(struct auth *a, struct str id, const struct key_patch *patch, struct buf *out,
                struct err *err)
{
    const struct api_key *key = find_to_change(a, id, err);
    if (key == NULL)
        return -1;
    struct key_facts facts = key->facts;
    if (patch->sets_name)
        facts.name = patch->name;
    if (patch->sets_description)
        facts.description = patch->description;
    facts.updated_at_ns = clock_wall_ns();
    return put_and_show(a, &facts, out, err);
}

int
auth_key_delete(struct auth *a, struct str id, struct err *err)
{
    const struct api_key *key = find_to_change(a, id, err);
    return key == NULL ? -1 : keyring_delete(&a->keys, &key->facts.uid, err);
}
