#pragma once
/* A document batch while it runs: shared by documents.c (the batch) and members.c (one task). */
#include "index/strmap.h"
#include "ops/ops_internal.h"

/*  OPEN -> SCAN -> WORK -> DONE
 *    |             |
 *    +-> FAIL <----+    every member fails with documents.err
 */
enum documents_phase {
    DOCUMENTS_OPEN, /* finds or creates the index, begins the writer */
    DOCUMENTS_SCAN, /* reads every member's role: what kind of batch this is */
    DOCUMENTS_WORK, /* member by member, document by document */
    DOCUMENTS_FAIL,
    DOCUMENTS_DONE,
};

/* The member being worked on. */
struct member {
    bool is_open;
    struct task task;
    bool is_merge, skips_creation;
    struct buf copy;   /* of an inline payload */
    struct str mapped; /* a payload file */
    struct str text;   /* the payload: one document or id a line */
    size_t at;         /* in text */
    bool is_checked;   /* an import's second pass: every document may be applied */
    uint64_t count;    /* distinct ids, or documents deleted */
    struct strmap ids; /* distinct ids of a deletion in a mixed batch */
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
    uint64_t payload_bytes, done_bytes; /* for progress: of all members, of those below at */
    uint64_t n_cleared;                 /* to be told by the first clear-all */
    char *batch_primary_key;            /* of the first import, NULL: none */
    char *new_primary_key;              /* found by this batch for an index without, NULL: none */
    bool has_success;
    size_t at; /* member */
    struct member member;
    struct json_scratch *scratch;
    struct buf id;
    struct buf outcomes; /* of the members below at, for the applied record */
    struct err err;
    struct applied applied;
    bool is_applied; /* the index environment holds it */
};

/* Works on member d->at until the deadline: OP_DONE with its outcome, OP_MORE, or negative with
 * d->err: the whole batch fails. */
int member_step(struct documents *d, int64_t deadline_us);
void member_close(struct documents *d); /* also of one that is not open */
