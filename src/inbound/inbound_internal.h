#pragma once
/* What the files of inbound/ share; nobody else includes it. */
#include "inbound/inbound.h"
#include "inbound/seen.h"
#include "inbound/twilio.h"
#include "store/tables.h"

#define LOG_TARGET "inbound"

struct inbound {
    struct inbound_conf conf;
    struct inbound_stats stats;
    struct seen *seen;
    struct buf dummies[PROVIDER_COUNT]; /* rows that unknown connections are checked with */
};

/* connection.c */
struct connection {
    struct uuid uuid;
    enum provider provider;
    bool is_active, may_create_indexes;
    bool is_new, has_new_config; /* of a draft */
    uint32_t tolerance_s;
    char *secrets[SIGNATURE_SECRETS_MAX]; /* texts */
    size_t n_secrets;
    char *url; /* that Twilio was given; NULL for others */
    int64_t created_at_ns, updated_at_ns;
    char *name, *description; /* description NULL: none */
    char *config;             /* JSON object: provider_config without what is secret */
    char *metadata;           /* JSON object */
    /* of drafts: config, read */
    struct arena *arena;
    struct json_doc *config_doc;
    struct mapping mapping;
};
#define CONNECTION_PREFIX "conn_"
bool connection_id_parse(struct str id, struct uuid *ret);
void connection_id_write(struct buf *out, const struct uuid *uuid);
void connection_encode(struct buf *out, const struct connection *c);
/* 0 or STORE_ECORRUPT. */
int connection_decode(struct connection *ret, const struct uuid *uuid, struct str record);
void connection_done(struct connection *c);
/* What a request is checked with, no more of the row than that: 0 or STORE_ECORRUPT. */
struct connection_lock {
    enum provider provider;
    uint32_t tolerance_s;
    struct signature_key keys[SIGNATURE_SECRETS_MAX];
    size_t n;
    char url[TWILIO_URL_MAX_BYTES + 1]; /* "" for others than Twilio */
};
int connection_decode_lock(struct connection_lock *ret, struct str record);
void connection_lock_done(struct connection_lock *l);
/* Reads c->config into c->mapping: 0, or -1 with err. */
int connection_read_mapping(struct connection *c, struct err *err);
/* Applies what was sent to c, which holds what is stored (or a new one): 0, or -1 with err. */
int connection_apply(struct connection *c, enum connection_change change,
                     const struct connection_fields *f, struct err *err);

/* connections.c: 1 (connection_done it) / 0 / negative */
int connection_get(struct store_txn *txn, const struct uuid *uuid, struct connection *ret);
