#pragma once
/* One API key: its facts, its row and its value. A key never changes: a change makes another object
 * with the same uid. The value is derived from uid and master key whenever it is needed and kept
 * nowhere; a digest of it finds the key (contract 1.4). */
#include "auth/action.h"
#include "base/buf.h"
#include "base/uuid.h"
#include "codec/digest.h"

enum { KEY_VALUE_LEN = 2 * SHA256_BYTES };

/* What a client says about a key, and when. Texts with data == NULL are null. */
struct key_facts {
    struct uuid uid;
    struct str name, description;
    const uint8_t *actions; /* of enum auth_action, as given: order and doubles are kept */
    size_t n_actions;
    const struct str *indexes; /* uids, prefixes with a star, or the star alone */
    size_t n_indexes;
    struct str expires_at; /* as it is shown: RFC 3339, with the offset that was given */
    int64_t expires_at_ns; /* 0: never; the end of what an int64_t can say counts as never too */
    int64_t created_at_ns, updated_at_ns;
};

struct api_key {
    struct key_facts facts; /* all of it points into record and the lists */
    uint64_t granted;       /* set of actions, wildcards resolved */
    bool covers_all_indexes;
    uint8_t digest[SHA256_BYTES]; /* of the value's bytes */
    char *record;
};

/* The row's value. */
void key_encode(struct buf *out, const struct key_facts *facts);
/* The key of such a row, or NULL when it is not understood. key_free releases it. */
struct api_key *key_decode(struct str master_key, struct str record);
void key_free(struct api_key *key); /* NULL accepted */

/* The bytes whose hexadecimal text is the value: HMAC-SHA256 of the uid's text. Wipe them. */
void key_derive(struct str master_key, const struct uuid *uid, uint8_t ret[SHA256_BYTES]);
/* Appends the value. */
void key_write_value(struct buf *out, struct str master_key, const struct uuid *uid);
/* The digest that finds a key of that value; false when the text cannot be one. */
bool key_digest_of_value(struct str value, uint8_t ret[SHA256_BYTES]);

bool key_is_expired(const struct api_key *key, int64_t now_ns);
/* Whether a pattern of a list covers the index. */
bool pattern_matches(struct str pattern, struct str index_uid);
bool patterns_match(const struct str *patterns, size_t n, struct str index_uid);
