/* Keys one by one. Owns their record and derivation; knows nothing of the others or of requests. */
#include "auth/key.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/rec.h"

enum { RECORD_V1 = 1 };

/* --- the record */

static void
put_text(struct buf *out, struct str text)
{
    rec_put_u8(out, text.data != NULL);
    if (text.data != NULL)
        rec_put_str(out, text);
}

static struct str
read_text(struct rec *r)
{
    if (rec_u8(r) == 0)
        return STR_NULL;
    struct str text = rec_str(r);
    return text.len == 0 ? STR("") : text;
}

void
key_encode(struct buf *out, const struct key_facts *f)
{
    rec_put_u8(out, RECORD_V1);
    rec_put_uuid(out, &f->uid);
    put_text(out, f->name);
    put_text(out, f->description);
    rec_put_u32(out, (uint32_t) f->n_actions);
    for (size_t i = 0; i < f->n_actions; i++)
        rec_put_str(out, str_from(action_name((enum auth_action) f->actions[i])));
    rec_put_u32(out, (uint32_t) f->n_indexes);
    for (size_t i = 0; i < f->n_indexes; i++)
        rec_put_str(out, f->indexes[i]);
    put_text(out, f->expires_at);
    rec_put_i64(out, f->expires_at_ns);
    rec_put_i64(out, f->created_at_ns);
    rec_put_i64(out, f->updated_at_ns);
}

static void
read_actions(struct rec *r, struct api_key *key)
{
    uint32_t n = rec_u32(r);
    if (n > r->rest.len) /* each takes more than a byte */
        r->failed = true;
    uint8_t *actions = mem_new(r->failed ? 1 : n + 1, sizeof(*actions));
    key->facts.actions = actions;
    for (uint32_t i = 0; i < n && !r->failed; i++) {
        enum auth_action action;
        if (!action_from_name(rec_str(r), &action)) {
            r->failed = true;
            return;
        }
        actions[key->facts.n_actions++] = (uint8_t) action;
        key->granted |= action_grants(action);
    }
}

static void
read_indexes(struct rec *r, struct api_key *key)
{
    uint32_t n = rec_u32(r);
    if (n > r->rest.len)
        r->failed = true;
    struct str *indexes = mem_new(r->failed ? 1 : n + 1, sizeof(*indexes));
    key->facts.indexes = indexes;
    for (uint32_t i = 0; i < n && !r->failed; i++) {
        struct str pattern = rec_str(r);
        indexes[key->facts.n_indexes++] = pattern;
        key->covers_all_indexes = key->covers_all_indexes || str_is(pattern, "*");
    }
}

static bool
read_record(struct rec *r, struct api_key *key)
{
    struct key_facts *f = &key->facts;
    f->uid = rec_uuid(r);
    f->name = read_text(r);
    f->description = read_text(r);
    read_actions(r, key);
    read_indexes(r, key);
    f->expires_at = read_text(r);
    f->expires_at_ns = rec_i64(r);
    f->created_at_ns = rec_i64(r);
    f->updated_at_ns = rec_i64(r);
    return rec_ok(r);
}

struct api_key *
key_decode(struct str master_key, struct str record)
{
    struct api_key *key = mem_new(1, sizeof(*key));
    uint8_t value[SHA256_BYTES];
    key->record = mem_strndup(record.data, record.len);
    struct rec r = rec_open(str_make(key->record, record.len), RECORD_V1);
    if (!read_record(&r, key)) {
        key_free(key);
        return NULL;
    }
    key_derive(master_key, &key->facts.uid, value);
    digest_sha256(str_make(value, sizeof(value)), key->digest);
    mem_wipe(value, sizeof(value));
    return key;
}

void
key_free(struct api_key *key)
{
    if (key == NULL)
        return;
    free((void *) (uintptr_t) key->facts.actions);
    free((void *) (uintptr_t) key->facts.indexes);
    free(key->record);
    mem_wipe(key, sizeof(*key));
    free(key);
}

/* --- the value */

void
key_derive(struct str master_key, const struct uuid *uid, uint8_t ret[SHA256_BYTES])
{
    char text[UUID_TEXT_LEN + 1];
    digest_hmac_sha256(master_key, str_from(uuid_format(uid, text)), ret);
}

void
key_write_value(struct buf *out, struct str master_key, const struct uuid *uid)
{
    uint8_t value[SHA256_BYTES];
    key_derive(master_key, uid, value);
    hex_encode(out, str_make(value, sizeof(value)));
    mem_wipe(value, sizeof(value));
}

bool
key_digest_of_value(struct str value, uint8_t ret[SHA256_BYTES])
{
    uint8_t bytes[SHA256_BYTES];
    bool ok = value.len == KEY_VALUE_LEN;
    for (size_t i = 0; ok && i < SHA256_BYTES; i++) {
        int high = str_hex_value(value.data[2 * i]), low = str_hex_value(value.data[2 * i + 1]);
        ok = high >= 0 && low >= 0;
        bytes[i] = (uint8_t) (ok ? high << 4 | low : 0);
    }
    if (ok)
        digest_sha256(str_make(bytes, sizeof(bytes)), ret);
    mem_wipe(bytes, sizeof(bytes));
    return ok;
}

/* --- what it covers */

bool
key_is_expired(const struct api_key *key, int64_t now_ns)
{
    int64_t end = key->facts.expires_at_ns;
    return end != 0 && end != INT64_MAX && now_ns >= end;
}

bool
pattern_matches(struct str pattern, struct str index_uid)
{
    if (pattern.len == 0 || pattern.data[pattern.len - 1] != '*')
        return str_equal(pattern, index_uid);
    struct str prefix = str_slice(pattern, 0, pattern.len - 1);
    return str_equal(str_slice(index_uid, 0, prefix.len), prefix);
}

bool
patterns_match(const struct str *patterns, size_t n, struct str index_uid)
{
    for (size_t i = 0; i < n; i++) {
        if (pattern_matches(patterns[i], index_uid))
            return true;
    }
    return false;
}
