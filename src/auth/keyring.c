/* The set of API keys. Owns both orders of the committed ones, the changes of a turn, and the rows.
 * Knows nothing of requests and decides nothing. */
#include "auth/keyring.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/tables.h"

/* --- the committed keys */

/* The first position whose digest is not below. */
static size_t
digest_position(const struct keyring *k, const uint8_t digest[SHA256_BYTES])
{
    size_t low = 0, high = k->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(k->by_digest[middle]->digest, digest, SHA256_BYTES) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool
is_older(const struct api_key *key, const struct key_position *than)
{
    if (key->facts.created_at_ns != than->created_at_ns)
        return key->facts.created_at_ns < than->created_at_ns;
    return memcmp(key->facts.uid.bytes, than->uid.bytes, sizeof(than->uid.bytes)) < 0;
}

/* The number of keys older than that. */
static size_t
age_position(const struct keyring *k, const struct key_position *than)
{
    size_t low = 0, high = k->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (is_older(k->by_age[middle], than))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct key_position
position_of(const struct api_key *key)
{
    return (struct key_position){key->facts.created_at_ns, key->facts.uid};
}

/* What is compared are digests of what the client sent and of the value: how far they agree tells
 * nothing about the value. */
static struct api_key *
find_digest(const struct keyring *k, const uint8_t digest[SHA256_BYTES])
{
    size_t at = digest_position(k, digest);
    struct api_key *found = at < k->n ? k->by_digest[at] : NULL;
    if (found == NULL ||
        !bytes_equal_secret(str_make(found->digest, SHA256_BYTES), str_make(digest, SHA256_BYTES)))
        return NULL;
    return found;
}

static struct api_key *
find_uid(const struct keyring *k, const struct uuid *uid)
{
    uint8_t value[SHA256_BYTES], digest[SHA256_BYTES];
    key_derive(k->master_key, uid, value);
    digest_sha256(str_make(value, sizeof(value)), digest);
    mem_wipe(value, sizeof(value));
    return find_digest(k, digest);
}

static void
insert_at(struct api_key **list, size_t n, size_t at, struct api_key *key)
{
    memmove(&list[at + 1], &list[at], (n - at) * sizeof(list[0]));
    list[at] = key;
}

static void
remove_at(struct api_key **list, size_t n, size_t at)
{
    memmove(&list[at], &list[at + 1], (n - at - 1) * sizeof(list[0]));
}

static void
set_remove(struct keyring *k, struct api_key *key)
{
    if (key == NULL)
        return;
    struct key_position position = position_of(key);
    remove_at(k->by_digest, k->n, digest_position(k, key->digest));
    remove_at(k->by_age, k->n, age_position(k, &position));
    k->n--;
    key_free(key);
}

/* Takes key, in place of the one with the same uid. */
static void
set_put(struct keyring *k, struct api_key *key)
{
    struct key_position position = position_of(key);
    set_remove(k, find_digest(k, key->digest));
    if (k->n == k->cap) {
        k->cap = k->cap == 0 ? 8 : 2 * k->cap;
        k->by_digest = mem_grow(k->by_digest, k->cap, sizeof(struct api_key *));
        k->by_age = mem_grow(k->by_age, k->cap, sizeof(struct api_key *));
    }
    insert_at(k->by_digest, k->n, digest_position(k, key->digest), key);
    insert_at(k->by_age, k->n, age_position(k, &position), key);
    k->n++;
}

const struct api_key *
keyring_find_value(const struct keyring *k, struct str value)
{
    uint8_t digest[SHA256_BYTES];
    return key_digest_of_value(value, digest) ? find_digest(k, digest) : NULL;
}

const struct api_key *
keyring_find(const struct keyring *k, const struct uuid *uid)
{
    return find_uid(k, uid);
}

const struct api_key *
keyring_older(const struct keyring *k, const struct key_position *after)
{
    size_t older = after == NULL ? k->n : age_position(k, after);
    return older == 0 ? NULL : k->by_age[older - 1];
}

/* --- with this turn's changes */

const struct api_key *
keyring_latest(const struct keyring *k, const struct uuid *uid)
{
    for (size_t i = k->n_changes; i > 0; i--) {
        if (uuid_equal(&k->changes[i - 1].uid, uid))
            return k->changes[i - 1].after;
    }
    return find_uid(k, uid);
}

bool
keyring_uid_of_value(const struct keyring *k, struct str value, struct uuid *ret)
{
    uint8_t digest[SHA256_BYTES];
    if (!key_digest_of_value(value, digest))
        return false;
    const struct api_key *found = find_digest(k, digest);
    for (size_t i = 0; i < k->n_changes && found == NULL; i++) {
        const struct api_key *after = k->changes[i].after;
        if (after != NULL && bytes_equal_secret(str_make(after->digest, SHA256_BYTES),
                                                str_make(digest, SHA256_BYTES)))
            found = after;
    }
    if (found != NULL)
        *ret = found->facts.uid;
    return found != NULL;
}

static void
on_settled(void *arg, int result)
{
    struct keyring *k = arg;
    for (size_t i = 0; i < k->n_changes; i++) {
        struct key_change *change = &k->changes[i];
        if (result != 0)
            key_free(change->after);
        else if (change->after != NULL)
            set_put(k, change->after);
        else
            set_remove(k, find_uid(k, &change->uid));
    }
    k->n_changes = 0;
    if (result != 0)
        log_warn("auth", "changes of API keys were not stored error=\"%s\"",
                 store_strerror(result));
}

static void
note_change(struct keyring *k, const struct uuid *uid, struct api_key *after)
{
    if (k->n_changes == k->changes_cap) {
        k->changes_cap = k->changes_cap == 0 ? 8 : 2 * k->changes_cap;
        k->changes = mem_grow(k->changes, k->changes_cap, sizeof(*k->changes));
    }
    k->changes[k->n_changes++] = (struct key_change){*uid, after};
    turn_wait(k->turn, &k->waiter);
}

/* --- rows */

static struct str
row_key(const struct uuid *uid)
{
    return str_make(uid->bytes, sizeof(uid->bytes));
}

static int
refuse(struct keyring *k, int code, struct err *err)
{
    turn_fail(k->turn, code);
    return err_set(err, ERR_INTERNAL, "The API key could not be stored: %s.", store_strerror(code));
}

const struct api_key *
keyring_put(struct keyring *k, const struct key_facts *facts, struct err *err)
{
    struct buf record = BUF_INIT;
    struct api_key *key = NULL;
    key_encode(&record, facts);
    int rc = buf_failed(&record) ? STORE_EFULL
                                 : store_put(turn_txn(k->turn), TABLE_API_KEYS,
                                             row_key(&facts->uid), buf_str(&record));
    if (rc == 0)
        key = key_decode(k->master_key, buf_str(&record));
    buf_done(&record);
    if (key == NULL) {
        refuse(k, rc < 0 ? rc : STORE_ECORRUPT, err);
        return NULL;
    }
    note_change(k, &facts->uid, key);
    return key;
}

int
keyring_delete(struct keyring *k, const struct uuid *uid, struct err *err)
{
    int rc = store_delete(turn_txn(k->turn), TABLE_API_KEYS, row_key(uid));
    if (rc < 0)
        return refuse(k, rc, err);
    note_change(k, uid, NULL);
    return 0;
}

static int
read_rows(struct keyring *k, struct store_txn *txn)
{
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_API_KEYS);
    if (rc == 0)
        rc = store_cursor_first(&c);
    while (rc == 1) {
        struct api_key *key = key_decode(k->master_key, c.value);
        if (key == NULL || !str_equal(row_key(&key->facts.uid), c.key)) {
            key_free(key);
            rc = STORE_ECORRUPT;
            break;
        }
        set_put(k, key);
        rc = store_cursor_next(&c);
    }
    store_cursor_close(&c);
    return rc;
}

int
keyring_init(struct keyring *k, struct turn *turn, struct str master_key, struct err *err)
{
    *k = (struct keyring){.turn = turn, .master_key = master_key};
    k->waiter = (struct turn_waiter){.fn = on_settled, .arg = k};
    struct store_txn *txn = turn_read(turn);
    int rc = txn == NULL ? STORE_EIO : read_rows(k, txn);
    store_abort(txn);
    return rc == 0 ? 0
                   : err_set(err, ERR_INTERNAL, "cannot read the API keys: %s", store_strerror(rc));
}

void
keyring_done(struct keyring *k)
{
    if (k->turn != NULL)
        turn_forget(k->turn, &k->waiter);
    for (size_t i = 0; i < k->n_changes; i++)
        key_free(k->changes[i].after);
    for (size_t i = 0; i < k->n; i++)
        key_free(k->by_age[i]);
    free(k->changes);
    free(k->by_digest);
    free(k->by_age);
    *k = (struct keyring){0};
}
