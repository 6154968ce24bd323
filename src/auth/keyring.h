#pragma once
/* All API keys, in memory and as rows. Two views: what is committed, which decides about requests,
 * and the latest state with this turn's changes, which the next change builds on. When the turn is
 * committed the first becomes the second; when it is refused the changes are forgotten. */
#include "auth/key.h"
#include "store/turn.h"

struct key_change {
    struct uuid uid;
    struct api_key *after; /* NULL: deleted */
};

struct keyring {
    struct turn *turn;
    struct str master_key; /* the caller's */
    /* the committed keys, twice: by digest; by time of creation, oldest first */
    struct api_key **by_digest, **by_age;
    size_t n, cap;
    /* of this turn, in order */
    struct key_change *changes;
    size_t n_changes, changes_cap;
    struct turn_waiter waiter;
};

/* Reads every row: 0, or -1 with err; keyring_done in both cases. */
int keyring_init(struct keyring *k, struct turn *turn, struct str master_key, struct err *err);
void keyring_done(struct keyring *k); /* accepts a zeroed one */

/* Committed keys, valid until this callback ends; NULL: none. */
const struct api_key *keyring_find_value(const struct keyring *k, struct str value);
const struct api_key *keyring_find(const struct keyring *k, const struct uuid *uid);
/* The newest one that is older than after (NULL: the newest of all), by creation, then uid. */
struct key_position {
    int64_t created_at_ns;
    struct uuid uid;
};
const struct api_key *keyring_older(const struct keyring *k, const struct key_position *after);

/* The same with this turn's changes. */
const struct api_key *keyring_latest(const struct keyring *k, const struct uuid *uid);
/* The uid of the key with that value, also of one that was just made. */
bool keyring_uid_of_value(const struct keyring *k, struct str value, struct uuid *ret);

/* Write into this turn's transaction: reply after turn_wait. The new state, valid until the turn
 * ends; NULL with err when the store refused it. */
const struct api_key *keyring_put(struct keyring *k, const struct key_facts *facts,
                                  struct err *err);
int keyring_delete(struct keyring *k, const struct uuid *uid, struct err *err); /* 0 / -1 */
