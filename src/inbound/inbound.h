#pragma once
/* Inbound provider webhooks: connections, and what becomes of the events that come in on them.
 *
 *  POST /v1/webhooks/mux/conn_… -> signature over the raw bytes -> JSON -> rules
 *    -> tasks and published events, and the note that this event was seen: one commit -> 200
 *
 * TABLE_CONNECTIONS   uuid (of time, so in order of creation)   struct connection
 * TABLE_INBOUND_SEEN  sha-256 of connection and event id        store/aged.h: the answer
 *
 * signature.c   what each provider signs       mapping.c, mapping_apply.c   rules
 * provider.c    where providers put things     path.c                       dot-paths
 * twilio.c      the text that Twilio signs
 * connection.c  one connection: row, JSON      connections.c                the stored ones
 * receive.c     a request, from its bytes to its tasks; seen.c  what was seen before */
#include "inbound/mapping.h"
#include "inbound/signature.h"
#include "ops/ops.h"
#include "webhook/organization.h"

enum {
    CONNECTIONS_MAX = 1000,
    CONNECTION_NAME_MAX_BYTES = 200,
    CONNECTION_DESCRIPTION_MAX_BYTES = 1000,
    CONNECTION_METADATA_MAX_BYTES = 16 * 1024,
    CONNECTION_CONFIG_MAX_BYTES = 64 * 1024,
    INBOUND_BODY_MAX_BYTES = 1024 * 1024, /* as sent, and decompressed */
    INBOUND_SEEN_MAX = 500 * 1000,        /* events remembered; beyond it the oldest go early */
    INBOUND_SEEN_DAYS = 7,
};

struct inbound;
struct inbound_conf {
    struct loop *loop;
    struct turn *turn;
    struct queue *queue;
    struct ops *ops;
    struct webhooks *webhooks;
    struct payload_dir *payloads;
};
struct inbound *inbound_new(const struct inbound_conf *conf);
void inbound_free(struct inbound *in); /* no request may be open; NULL accepted */

/* --- connections: changes are in this turn's transaction; reply after the commit ---------------
 */

/* Members of a request; data or pointer NULL: not sent. */
struct connection_fields {
    struct str name, provider_type, description;
    const struct json *provider_config, *metadata;
    bool has_active, is_active;
};
enum connection_change { CONNECTION_CREATE, CONNECTION_REPLACE, CONNECTION_PATCH };

/* A connection as it would become. */
struct connection;
/* Checks and merges: NULL with err. id: of the one that is changed. */
struct connection *inbound_draft(struct inbound *in, enum connection_change change, struct str id,
                                 const struct connection_fields *fields, struct err *err);
void connection_free(struct connection *c); /* wipes; NULL accepted */
/* What storing it needs the right to: its rules, `i` from 0; false at the end. */
struct connection_right {
    struct str index_uid;
    bool deletes, makes; /* documents */
};
bool connection_right(const struct connection *c, size_t i, struct connection_right *ret);
/* 0, or -1 with err. may_create_indexes: of who asks; counts with a new configuration. */
int inbound_store(struct inbound *in, struct connection *c, bool may_create_indexes,
                  struct err *err);
/* As everybody may see it. */
void connection_write(struct buf *out, const struct connection *c);
/* NULL with err (connection_not_found). */
struct connection *inbound_find(struct inbound *in, struct str id, struct err *err);
int inbound_delete(struct inbound *in, struct str id,
                   struct err *err); /* 1, 0: was not there, -1 */
uint64_t inbound_count(struct inbound *in);
/* Listing, the oldest first. Zeroed it is ready. */
struct connection_cursor {
    bool has_begun;
    struct uuid at;
};
/* 1 with *ret, 0 at the end, negative STORE_E*. */
int inbound_next(struct inbound *in, struct connection_cursor *c, struct connection **ret);
/* The id of the connection it is behind, and the way back: false when it is no id. */
void connection_cursor_write(struct buf *out, const struct connection_cursor *c);
bool connection_cursor_read(struct str id, struct connection_cursor *ret);
/* Passes over the first n: 0 or negative. */
int inbound_skip(struct inbound *in, struct connection_cursor *c, uint64_t n);

/* --- events ------------------------------------------------------------------------------------
 */

struct inbound_message {
    struct str provider, connection_id; /* of the path */
    struct provider_headers headers;    /* must stay as long as the request */
    struct buf *body;                   /* raw; taken */
};
/* The headers that the provider of the path uses; an unknown one has some too. */
void inbound_read_headers(struct str provider, provider_header_fn *header, const void *arg,
                          struct provider_headers *ret);

/* One request: begin -> checked (once, maybe from inside) -> apply -> the turn's commit -> end. */
struct inbound_request;
/* Checks who sent it, in slices when it is large: checked(arg, 0), or -1 with err
 * (connection_not_found, connection_without_secret, invalid_signature). */
typedef void inbound_checked(void *arg, int result, struct err *err);
struct inbound_request *inbound_begin(struct inbound *in, const struct inbound_message *m);
void inbound_check(struct inbound_request *r, inbound_checked *checked, void *arg);

struct inbound_answer {
    struct buf body; /* whoever got it frees it */
    bool is_text;    /* Slack's challenge; else JSON */
    bool is_held;    /* reply after this turn's commit */
};
/* Does what the rules say of the event, in this turn's transaction. body: as sent, decompressed.
 * 0, or -1 with err. */
int inbound_apply(struct inbound_request *r, struct str body, struct inbound_answer *ret,
                  struct err *err);
struct str inbound_body(const struct inbound_request *r); /* raw */
/* Frees it, at any time: whether what it wrote was committed. */
void inbound_end(struct inbound_request *r, bool is_committed);

struct inbound_stats {
    uint64_t received, handled, duplicates, ignored, refused;
    struct signature_work work;
};
struct inbound_stats inbound_stats(const struct inbound *in);
