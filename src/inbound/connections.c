/* The stored connections. Owns their table; what one is made of is connection.c's. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "inbound/inbound_internal.h"

static struct str
key_of(const struct uuid *uuid)
{
    return str_make(uuid->bytes, sizeof(uuid->bytes));
}

static int
fail_read(struct err *err, int code)
{
    return err_set(err, ERR_INTERNAL, "The connections could not be read: %s.",
                   store_strerror(code));
}

static int
fail_missing(struct err *err)
{
    return err_set(err, ERR_CONNECTION_NOT_FOUND, "There is no such connection.");
}

static int
fail_write(struct inbound *in, int code, struct err *err)
{
    turn_fail(in->conf.turn, code);
    return err_set(err, ERR_IO_ERROR, "The connection could not be stored: %s.",
                   store_strerror(code));
}

int
connection_get(struct store_txn *txn, const struct uuid *uuid, struct connection *ret)
{
    struct str record;
    int rc = store_get(txn, TABLE_CONNECTIONS, key_of(uuid), &record);
    if (rc == 1) {
        rc = connection_decode(ret, uuid, record);
        return rc < 0 ? rc : 1;
    }
    return rc;
}

/* What this turn may have changed a moment ago counts. */
static int
load(struct inbound *in, struct str id, struct connection *ret, struct err *err)
{
    struct uuid uuid;
    if (!connection_id_parse(id, &uuid))
        return fail_missing(err);
    int rc = connection_get(turn_txn(in->conf.turn), &uuid, ret);
    if (rc < 0)
        return fail_read(err, rc);
    return rc == 0 ? fail_missing(err) : 0;
}

struct connection *
inbound_find(struct inbound *in, struct str id, struct err *err)
{
    struct uuid uuid;
    struct connection *c = mem_new(1, sizeof(*c));
    struct store_txn *txn = turn_read(in->conf.turn);
    int rc = 0;
    if (connection_id_parse(id, &uuid))
        rc = txn == NULL ? STORE_EIO : connection_get(txn, &uuid, c);
    store_abort(txn);
    if (rc == 1)
        return c;
    free(c);
    (void) (rc < 0 ? fail_read(err, rc) : fail_missing(err));
    return NULL;
}

struct connection *
inbound_draft(struct inbound *in, enum connection_change change, struct str id,
              const struct connection_fields *fields, struct err *err)
{
    struct connection *c = mem_new(1, sizeof(*c));
    int rc = 0;
    if (change != CONNECTION_CREATE)
        rc = load(in, id, c, err);
    else
        *c = (struct connection){.is_new = true, .tolerance_s = SIGNATURE_TOLERANCE_S};
    if (rc == 0 && connection_apply(c, change, fields, err) == 0)
        return c;
    connection_free(c);
    return NULL;
}

bool
connection_right(const struct connection *c, size_t i, struct connection_right *ret)
{
    if (!c->has_new_config || i >= c->mapping.n)
        return false;
    const struct rule *r = &c->mapping.rules[i];
    *ret = (struct connection_right){
        .index_uid = r->index.data != NULL ? r->index : STR("*"), /* then it may be any */
        .deletes = r->action == RULE_DELETE,
        .makes = r->action == RULE_UPSERT || r->action == RULE_UPDATE,
    };
    return true;
}

static int
put(struct inbound *in, const struct connection *c, struct err *err)
{
    struct buf record = BUF_INIT;
    connection_encode(&record, c);
    int rc = buf_failed(&record) ? STORE_EFULL
                                 : store_put(turn_txn(in->conf.turn), TABLE_CONNECTIONS,
                                             key_of(&c->uuid), buf_str(&record));
    mem_wipe(record.data, record.len);
    buf_done(&record);
    return rc < 0 ? fail_write(in, rc, err) : 0;
}

static int
begin_new(struct inbound *in, struct connection *c, struct err *err)
{
    uint64_t n = 0;
    int rc = store_count(turn_txn(in->conf.turn), TABLE_CONNECTIONS, &n);
    if (rc < 0)
        return fail_read(err, rc);
    if (n >= CONNECTIONS_MAX)
        return err_set(err, ERR_TOO_MANY_PROVIDER_CONNECTIONS,
                       "At most %d connections may be stored. Please remove one first.",
                       CONNECTIONS_MAX);
    c->uuid = uuid_v7(clock_wall_ms());
    c->created_at_ns = clock_wall_ns();
    return 0;
}

int
inbound_store(struct inbound *in, struct connection *c, bool may_create_indexes, struct err *err)
{
    if (!turn_accepts_writes(in->conf.turn))
        return err_set(err, ERR_NO_SPACE_LEFT_ON_DEVICE,
                       "The server has too little free disk space to store a connection.");
    if (c->is_new && begin_new(in, c, err) < 0)
        return -1;
    if (c->has_new_config)
        c->may_create_indexes = may_create_indexes;
    c->updated_at_ns = clock_wall_ns();
    return put(in, c, err);
}

int
inbound_delete(struct inbound *in, struct str id, struct err *err)
{
    struct uuid uuid;
    if (!connection_id_parse(id, &uuid))
        return 0;
    int rc = store_delete(turn_txn(in->conf.turn), TABLE_CONNECTIONS, key_of(&uuid));
    return rc < 0 ? fail_write(in, rc, err) : rc;
}

/* --- listing */

uint64_t
inbound_count(struct inbound *in)
{
    uint64_t n = 0;
    struct store_txn *txn = turn_read(in->conf.turn);
    if (txn == NULL || store_count(txn, TABLE_CONNECTIONS, &n) < 0)
        n = 0;
    store_abort(txn);
    return n;
}

void
connection_cursor_write(struct buf *out, const struct connection_cursor *c)
{
    connection_id_write(out, &c->at);
}

bool
connection_cursor_read(struct str id, struct connection_cursor *ret)
{
    ret->has_begun = connection_id_parse(id, &ret->at);
    return ret->has_begun;
}

/* Behind the cursor's connection, or at the first. */
static int
move(struct store_cursor *c, const struct connection_cursor *at)
{
    if (!at->has_begun)
        return store_cursor_first(c);
    int rc = store_cursor_seek(c, key_of(&at->at));
    if (rc == 1 && str_equal(c->key, key_of(&at->at)))
        rc = store_cursor_next(c);
    return rc;
}

static void
note(struct connection_cursor *at, struct str key)
{
    at->has_begun = true;
    memcpy(at->at.bytes, key.data, sizeof(at->at.bytes));
}

int
inbound_next(struct inbound *in, struct connection_cursor *at, struct connection **ret)
{
    struct store_cursor c = {0};
    struct store_txn *txn = turn_read(in->conf.turn);
    int rc = txn == NULL ? STORE_EIO : store_cursor_open(&c, txn, TABLE_CONNECTIONS);
    if (rc == 0)
        rc = move(&c, at);
    if (rc == 1 && c.key.len == sizeof(at->at.bytes)) {
        note(at, c.key);
        *ret = mem_new(1, sizeof(**ret));
        rc = connection_decode(*ret, &at->at, c.value);
        if (rc < 0)
            free(*ret);
        rc = rc < 0 ? rc : 1;
    }
    store_cursor_close(&c);
    store_abort(txn);
    return rc;
}

int
inbound_skip(struct inbound *in, struct connection_cursor *at, uint64_t n)
{
    struct store_cursor c = {0};
    struct store_txn *txn = turn_read(in->conf.turn);
    int rc = txn == NULL ? STORE_EIO : store_cursor_open(&c, txn, TABLE_CONNECTIONS);
    if (rc == 0 && n > 0)
        rc = move(&c, at);
    for (uint64_t i = 0; rc == 1 && i < n; i++) {
        note(at, c.key);
        rc = store_cursor_next(&c);
    }
    store_cursor_close(&c);
    store_abort(txn);
    return rc < 0 ? rc : 0;
}
