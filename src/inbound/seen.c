/* The memory of events. Owns its keys and the clearing up while nothing comes in; the rows are
 * store/aged.h's. */
#include "inbound/seen.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "inbound/inbound.h"
#include "store/aged.h"
#include "store/tables.h"

enum {
    LOOK_EVERY_MS = 10 * 60 * 1000,
    PIECE_KEYS = 100, /* removed at once; the next go in the next turns */
    PIECE_PAUSE_MS = 20,
};
#define MAX_AGE_NS ((int64_t) INBOUND_SEEN_DAYS * 24 * 3600 * 1000000000)

static const struct aged_table answers = {
    .table = TABLE_INBOUND_SEEN, .max_age_ns = MAX_AGE_NS, .max_keys = INBOUND_SEEN_MAX};

struct seen {
    struct turn *turn;
    struct loop_timer janitor;
};

/* Whether a sweep would find anything: a transaction that writes nothing is a commit all the same.
 */
static bool
has_old(struct seen *s)
{
    struct store_txn *txn = turn_read(s->turn);
    bool has = txn != NULL && aged_has_old(&answers, txn);
    store_abort(txn);
    return has;
}

static void
on_janitor(void *arg)
{
    struct seen *s = arg;
    int rc = has_old(s) ? aged_sweep(&answers, turn_txn(s->turn), PIECE_KEYS) : 0;
    if (rc < 0)
        turn_fail(s->turn, rc);
    loop_timer_set_ms(&s->janitor, rc == 1 ? PIECE_PAUSE_MS : LOOK_EVERY_MS);
}

struct seen *
seen_new(struct loop *l, struct turn *turn)
{
    struct seen *s = mem_new(1, sizeof(*s));
    s->turn = turn;
    loop_timer_init(&s->janitor, l, on_janitor, s);
    loop_timer_set_ms(&s->janitor, PIECE_PAUSE_MS);
    return s;
}

void
seen_free(struct seen *s)
{
    if (s == NULL)
        return;
    loop_timer_done(&s->janitor);
    free(s);
}

/* The kind keeps an id from ever being taken for bytes. */
static struct sha256 *
begin_key(const struct uuid *connection, char kind)
{
    struct sha256 *digest = sha256_new();
    sha256_add(digest, str_make(connection->bytes, sizeof(connection->bytes)));
    sha256_add(digest, str_make(&kind, 1));
    return digest;
}

void
seen_make_key(const struct uuid *connection, struct str id, uint8_t out[SEEN_KEY_BYTES])
{
    struct sha256 *digest = begin_key(connection, 'i');
    sha256_add(digest, id);
    sha256_finish(digest, out);
}

void
seen_make_key_of_bytes(const struct uuid *connection, struct str timestamp, struct str body,
                       uint8_t out[SEEN_KEY_BYTES])
{
    struct sha256 *digest = begin_key(connection, 'b');
    sha256_add(digest, timestamp);
    sha256_add(digest, STR("."));
    sha256_add(digest, body);
    sha256_finish(digest, out);
}

int
seen_find(struct seen *s, const uint8_t key[SEEN_KEY_BYTES], struct str *ret_answer)
{
    struct aged_row row;
    int rc = aged_get(&answers, turn_txn(s->turn), key, &row);
    if (rc == 1)
        *ret_answer = row.answer;
    return rc;
}

int
seen_store(struct seen *s, const uint8_t key[SEEN_KEY_BYTES], struct str answer)
{
    return aged_put(&answers, turn_txn(s->turn), key, key, answer);
}
