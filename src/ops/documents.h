#pragma once
/* A document batch while it runs: shared by documents.c (the batch) and members.c (one task). */
#include "index/filter.h"
#include "index/filter_rules.h"
#include "index/settings.h"
#include "index/strmap.h"
#include "ops/ops_internal.h"

/*  OPEN -> SCAN -> WORK -> SETTLE -> DONE
 *    |             |        |
 *    +-> FAIL <----+--------+    every member fails with documents.err
 */
enum documents_phase {
    DOCUMENTS_OPEN,   /* finds or creates the index, begins the writer */
    DOCUMENTS_SCAN,   /* reads every member's role: what kind of batch this is */
    DOCUMENTS_WORK,   /* member by member, document by document */
    DOCUMENTS_SETTLE, /* what is large reaches the disk, so that the commit is short */
    DOCUMENTS_FAIL,
    DOCUMENTS_DONE,
};

/* A field that holds a value: what a task's params say instead of a filter. */
struct field_condition {
    struct json_doc *params; /* owns the other two; NULL: there is no condition */
    struct str field;
    const struct json *value;
};

/* The member being worked on. */
struct member {
    bool is_open;
    struct task task;
    bool is_merge, skips_creation;
    struct buf copy;       /* of an inline payload */
    struct str mapped;     /* a payload file */
    struct str text;       /* the payload: one document or id a line */
    size_t at;             /* in text */
    uint64_t n_lines;      /* read, twice when gone over twice */
    bool is_checked;       /* an import's second pass: every document may be applied */
    uint64_t count;        /* distinct ids, or documents deleted */
    struct strmap ids;     /* distinct ids of a deletion in a mixed batch */
    struct filter *filter; /* of a deletion by filter */
    uint32_t next_id;      /* where going through the stored documents goes on */
    struct field_condition condition;
    struct json_doc *patch; /* of an update by a field; NULL until it begins */
    struct str patch_text;
    bool is_applied; /* settings: what is left is to check the stored documents */
};

struct documents {
    struct ops *ops;
    struct turn *turn; /* for giving up: ops may be gone by then */
    struct batch_run *run;
    enum documents_phase phase;
    struct turn_waiter creation;
    unsigned creations;     /* tries to create the index */
    struct index_info info; /* before this batch */
    struct index *index;
    struct index_writer *writer;
    uint8_t *roles; /* enum task_role by member */
    bool has_import, has_clear;
    uint64_t n_documents, n_done;       /* for progress: in all payloads, in those below at */
    uint64_t payload_bytes, done_bytes; /* the same of a deploy's operations */
    uint64_t n_cleared;                 /* to be told by the first clear-all */
    char *batch_primary_key;            /* of the first import, NULL: none */
    char *new_primary_key;              /* found by this batch for an index without, NULL: none */
    bool has_success;
    struct settings settings; /* as this batch sees them */
    bool has_settings, changes_settings;
    bool checks_geo; /* `_geo` is filterable or sortable: documents must have a proper one */
    size_t at;       /* member */
    struct member member;
    struct deploy *deploy; /* of a batch that is one; NULL until it begins */
    struct json_scratch *scratch;
    struct buf id;
    struct buf outcomes; /* of the members below at, for the applied record */
    struct err err;
    struct applied applied;
    bool is_applied; /* the index environment holds it */
};

/* The index of a document batch that was applied and is being finished; else NULL. */
struct index *documents_applied(const struct batch_run *run);
/* Works on member d->at until the deadline: OP_DONE with its outcome, OP_MORE, or negative with
 * d->err: the whole batch fails. */
int member_step(struct documents *d, int64_t deadline_us);
void member_close(struct documents *d); /* also of one that is not open */

/* --- for the kinds of members in files of their own */
/* refused: this task fails with d->err; broken: the batch does. */
enum line_result { LINE_DONE, LINE_REFUSED, LINE_BROKEN };
/* Cuts the next line off the member's text; false at its end. */
bool member_next_line(struct member *m, struct str *ret);
/* Writes the document with the external id in d->id: LINE_DONE or LINE_BROKEN. */
enum line_result member_apply(struct documents *d, const struct json *document, struct str text);
/* Maps or copies a payload as the member's text: 0, or negative with d->err. */
int member_load_text(struct documents *d, const struct uuid *file, struct str inline_bytes);
/* A STORE_E* code as d->err; returns -1. */
int member_store_error(struct documents *d, int code);
int member_load(struct documents *d); /* 0, or negative with d->err */
/* Ends the member: failed with d->err, or succeeded with that counter in its details. */
int member_refused(struct documents *d);
int member_counted(struct documents *d, const char *counter);
const char *documents_primary_key(const struct documents *d); /* NULL: none yet */

/* documents_settings.c: settings and what depends on them. */
int documents_load_settings(struct documents *d); /* once a batch; 0, or negative with d->err */
int settings_step(struct documents *d, int64_t deadline_us);
/* documents_filter.c */
int delete_by_filter_step(struct documents *d, int64_t deadline_us);
/* documents_field.c. Reads {"field","value",..} and takes it: 1, or 0 when it has neither. */
int field_condition_read(struct field_condition *c, struct json_doc *take_params);
void field_condition_done(struct field_condition *c);
bool field_condition_meets(const struct field_condition *c, const struct json *document);
int update_by_field_step(struct documents *d, int64_t deadline_us);
/* deploy.c: what is staged for the index is applied; what the finishing transaction says of it. */
struct deploy;
int deploy_step(struct documents *d, int64_t deadline_us);
int deploy_finish(struct batch_run *run, struct store_txn *txn); /* 0 or STORE_E* */
/* documents_geo.c: 0, or -1 with err (invalid_document_geo_field); id: as stored. */
int geo_check(const struct json *document, struct str id, struct err *err);
