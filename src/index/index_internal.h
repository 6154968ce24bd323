#pragma once
/* What the files of index/ share. */
#include "index/index.h"
#include "index/segments.h"
#include "index/strmap.h"

enum index_table {
    INDEX_DOCUMENTS,    /* internal id u32be -> compact JSON, unless it is in a segment */
    INDEX_EXTERNAL_IDS, /* external id -> internal id u32be, unless it is in INDEX_NUMBER_IDS */
    INDEX_FREE_IDS,     /* internal id u32be -> empty: to be reused, lowest first */
    INDEX_META,         /* the names below -> value */
    INDEX_REFS,         /* group of internal ids u32be -> references v1 (refs.h) */
    INDEX_SEGMENTS,     /* segment number u32be -> state v1 (segments.h) */
    INDEX_NUMBER_IDS,   /* external ids that are numbers, by groups u64be -> ids v1 (ids.h) */
    INDEX_CHANGES,      /* external id -> "1" when it existed before, "0" when not (changes.c) */
    INDEX_TABLES
};
#define INDEX_META_TOTALS STR("totals")   /* v1: documents u64, raw bytes u64, next id u32 */
#define INDEX_META_FIELDS STR("fields")   /* v1: n u32, then (name str, documents u64) each */
#define INDEX_META_APPLIED STR("applied") /* record of the last applied batch; ops/ reads it */
#define INDEX_META_CHANGES STR("changes") /* v1: whose INDEX_CHANGES are: run u64 */
#define INDEX_META_SETTINGS                                                                        \
    STR("settings") /* record of settings.c; absent: all are the defaults                          \
                     */

/* One open environment. */
struct index {
    struct index_set *set;
    struct uuid uuid;
    struct store_env *env;
    struct segments segments;
    unsigned references;
    bool is_removed;        /* closed and unlinked with the last reference */
    bool refuses_snapshots; /* its file is about to be another */
    bool needs_dir_sync;    /* before anything is committed: a new name may not be durable */
    struct index *newer, *older;
};

/* How many documents have each top-level field; the marks serve one document at a time. */
struct field {
    uint64_t n_documents;
    uint32_t mark; /* equal to fields.mark: in the document last marked, not yet written */
    const struct json *value; /* its value there */
};
struct fields {
    struct strmap names;
    struct field *rows; /* by number of the name */
    uint32_t cap, mark;
    uint32_t n_live; /* with n_documents > 0 */
    bool is_changed;
};

void fields_init(struct fields *f);
void fields_done(struct fields *f);
int fields_load(struct fields *f, struct store_txn *txn); /* 0 or STORE_E* */
int fields_store(struct fields *f, struct store_txn *txn);
void fields_clear(struct fields *f);
/* Marks the members of document with their values: 0, or negative when memory runs out. */
int fields_mark(struct fields *f, const struct json *document);
/* The marked value of that name, taken (a second call gives NULL). NULL when not marked. */
const struct json *fields_take(struct fields *f, struct str name);
/* Counts one document more, or one less, with every member of document: 0, or negative when memory
 * runs out. */
int fields_count(struct fields *f, const struct json *document, bool more);
/* The distribution as JSON text, names in byte order; heap. NULL when memory runs out. */
char *fields_write(const struct fields *f);

struct trash *index_set_trash(const struct index_set *s); /* may be NULL */

unsigned *index_set_snapshots(struct index_set *s); /* how many are out */
/* The size of the environment's file alone. */
uint64_t index_set_database_bytes(const struct index_set *s, const struct uuid *uuid);

/* Settling moves everything out of every segment with garbage worth the name, whatever it costs. */
void index_writer_empty_all(struct index_writer *w);
/* The transaction of an open writer. */
struct store_txn *index_writer_txn(struct index_writer *w);
/* Documents, raw bytes and next id of the last commit; zeros before the first. 0 or STORE_E*. */
struct counts {
    uint64_t n_documents, raw_bytes;
    uint32_t next_id; /* above every id in use or free */
};
int counts_load(struct counts *ret, struct store_txn *txn);
int counts_store(const struct counts *c, struct store_txn *txn);

/* For tests: indexes opened from now on. */
void index_set_limit_segments(struct index_set *s, const struct segment_limits *limits);

/* Turns a STORE_E* code into err; returns -1. */
int index_store_error(struct err *err, int code);

/* Of a writer (changes.c). Each returns 0 or STORE_E*. */
struct changes {
    struct store_txn *txn;
    bool is_on;
    /* changes_note_all: the place in the present table */
    unsigned n_tables_noted;
    bool has_at;
    struct buf at;
};
void changes_init(struct changes *c, struct store_txn *txn);
void changes_done(struct changes *c);
int changes_begin(struct changes *c, uint64_t run);
int changes_note(struct changes *c, struct str external_id, bool existed);
int changes_note_all(struct changes *c, int64_t deadline_us); /* 1: call again */
