#pragma once
/* The API's side of keys: made, changed, removed, shown (contract 9). What a body says was checked
 * before. Create, update and delete write into this turn's transaction: reply after its commit,
 * from which on requests are judged by the change; a refused commit changes nothing. */
#include "auth/auth.h"
#include "auth/key.h"
#include "auth/keyring.h"

/* What a client may choose. Without uid one is drawn. */
struct key_draft {
    bool has_uid;
    struct key_facts facts; /* times of creation and change are set here */
};
struct key_patch {
    bool sets_name, sets_description;
    struct str name, description; /* data NULL: cleared */
};

/* Append the key's JSON to out: 0, or -1 with err (api_key_already_exists, api_key_not_found,
 * index_scoped_api_key_with_global_action). id: a uid or a value. */
int auth_key_create(struct auth *a, const struct key_draft *draft, struct buf *out,
                    struct err *err);
int auth_key_get(const struct auth *a, struct str id, struct buf *out, struct err *err);
int auth_key_update(struct auth *a, struct str id, const struct key_patch *patch, struct buf *out,
                    struct err *err);
int auth_key_delete(struct auth *a, struct str id, struct err *err);

/* Listing, newest first: the key after the last one shown (NULL: the first), or NULL. */
const struct api_key *auth_key_next(const struct auth *a, const struct key_position *last);
size_t auth_key_count(const struct auth *a);
void auth_key_write_json(struct buf *out, const struct auth *a, const struct api_key *key);
