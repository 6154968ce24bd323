#pragma once
/* Tables of answers that are forgotten after a time, or earlier when there are too many: what a key
 * (a SHA-256) was answered. Every aged_put() removes a few of the oldest, so a table needs nobody
 * who cleans up as long as it grows.
 *
 * Two rows a key: 'k' key -> digest, time, answer; 't' time u64be key -> empty, in order of age. */
#include "store/env.h"

enum { AGED_KEY_BYTES = 32 };
struct aged_table {
    int table;
    int64_t max_age_ns;
    uint64_t max_keys;
};
struct aged_row {
    uint8_t digest[AGED_KEY_BYTES]; /* the caller's: of what was asked */
    int64_t at_ns;
    struct str answer; /* in the transaction's memory */
};
/* 1 / 0 / negative; what is too old or not understood counts as absent. */
int aged_get(const struct aged_table *t, struct store_txn *txn, const uint8_t key[AGED_KEY_BYTES],
             struct aged_row *ret);
/* Stores answer and digest as of now, in the place of an earlier answer: 0 or negative. */
int aged_put(const struct aged_table *t, struct store_txn *txn, const uint8_t key[AGED_KEY_BYTES],
             const uint8_t digest[AGED_KEY_BYTES], struct str answer);
/* Whether a sweep would remove any; false also when that cannot be told. */
bool aged_has_old(const struct aged_table *t, struct store_txn *txn);
/* Removes at most max of the oldest that are expired or too many: 1 when there may be more, 0,
 * negative. */
int aged_sweep(const struct aged_table *t, struct store_txn *txn, unsigned max);
