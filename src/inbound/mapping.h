#pragma once
/* What becomes of an event: rules, checked when a connection is stored, and applied to the event's
 * body. Pure: touches no store.
 *
 *  {"event": "video.asset.*", "action": "upsert" | "update", "index": "videos", "id": "data.id",
 *   "id_field": "asset_id", "document": "data", "fields": {"status": "data.status"}}
 *  {"event": "...", "action": "delete", "index_path": "data.kind", "id": "data.id"}
 *  {"event": "...", "action": "publish", "event_type": "alert.triggered",
 *   "subject": {"type": "asset", "id": "data.id"}, "metadata": {"status": "data.status"}}
 *
 * upsert makes or replaces a document; update changes fields of documents that are there. id_field
 * is the field of the documents that holds the id: the index's primary key when it is not named;
 * when it is another field, update and delete concern every document in which it equals the id. */
#include "base/arena.h"
#include "base/err.h"
#include "inbound/provider.h"
#include "webhook/organization.h"

enum {
    MAPPING_RULES_MAX = 64,
    MAPPING_FIELDS_MAX = 100, /* of one rule */
    MAPPING_NAME_MAX_BYTES = 400,
    MAPPING_PATTERN_MAX_BYTES = 200,
    MAPPING_VALUE_MAX_BYTES = 4 * 1024, /* of a field that is no id */
    MAPPING_DOCUMENT_MAX_BYTES = 1024 * 1024,
};

enum rule_action { RULE_UPSERT, RULE_UPDATE, RULE_DELETE, RULE_PUBLISH, RULE_ACTIONS };

/* Texts are those of the configuration. */
struct rule {
    const char *path; /* ".provider_config.mappings[0]" */
    enum rule_action action;
    struct str event; /* a type, or how it begins with `*` behind it */
    struct str index; /* of documents; data NULL: the event names it */
    struct str index_path;
    struct str id;             /* a path; of publish: of the subject */
    struct str id_field;       /* data NULL: the index's primary key */
    struct str document;       /* a path; data NULL: none */
    const struct json *fields; /* name -> path; of publish: the metadata. NULL: none */
    enum catalog_event event_type;
    struct str subject_type, namespace_id;
};
struct mapping {
    struct str event_type_path; /* data NULL: where the provider puts it */
    struct rule *rules;         /* in the arena */
    size_t n;
};
/* Reads and checks what `provider_config` says of events: 0, or -1 with err and its path. */
int mapping_read(struct arena *arena, enum provider p, const struct json *config,
                 struct mapping *ret, struct err *err);

bool rule_matches(const struct rule *r, const struct provider_event *event);

/* What a rule makes of an event. */
struct rule_effect {
    bool by_field;    /* documents are found by r->id_field, not by their id */
    bool may_be_id;   /* of a document */
    struct str id;    /* text; of the event's body */
    struct buf value; /* the id as JSON */
    struct buf json;  /* the document, or the metadata */
};
void rule_effect_done(struct rule_effect *e);
/* The index that it changes documents of: the rule's, or what the event names. NULL, or the reason
 * why it does not apply. */
const char *rule_find_index(const struct rule *r, const struct json *body, struct str *ret,
                            struct buf *message);
/* primary_key: of that index, data NULL when it has none (yet). NULL when it applies, or the reason
 * why not (a word), and in message a sentence. rule_effect_done() in both cases. */
const char *rule_apply(const struct rule *r, const struct json *body, struct str primary_key,
                       struct rule_effect *ret, struct buf *message);
/* The field that holds the id: the rule's, the index's, or `id`. */
struct str rule_id_field(const struct rule *r, struct str primary_key);
