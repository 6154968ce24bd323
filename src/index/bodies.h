#pragma once
/* Bodies of documents by internal id, for the one writer: those of a small batch lie in LMDB, those
 * of a large one in segments. Knows no external id and no field. */
#include "index/segments.h"

struct bodies {
    struct segments *segments;
    struct store_txn *txn;
    struct refs_writer refs;
    uint64_t inline_left; /* bytes of this batch that may still go to LMDB */
    uint64_t n_changed,
        n_moved;         /* bytes put into segments or become garbage; moved by compacting */
    uint32_t empty_upto; /* segments to be emptied whatever it costs; 0: as the rule says */
};

void bodies_init(struct bodies *b, struct segments *s, struct store_txn *txn);
void bodies_done(struct bodies *b); /* neither commits nor gives up */

/* 1, 0: none, or STORE_E*. Valid until the next change. */
int body_get(struct bodies *b, uint32_t id, struct str *ret);
/* The first document with internal id >= from: 1, 0 at the end, or STORE_E*. */
int body_next(struct bodies *b, uint32_t from, uint32_t *ret_id, struct str *ret);
/* The same of what lies in txn, also for readers. */
int bodies_next(struct store_txn *txn, struct segments *s, uint32_t from, uint32_t *ret_id,
                struct str *ret);
/* BODY_LAST: a new document with an id above all others. */
enum body_kind { BODY_CHANGED, BODY_NEW, BODY_LAST };
int body_put(struct bodies *b, uint32_t id, enum body_kind kind, struct str text);
int body_delete(struct bodies *b, uint32_t id);
int bodies_clear(struct bodies *b);

/* Moves bodies out of segments that hold little else than garbage, then syncs; see
 * index_writer_settle. 1, 0 or STORE_E*. */
int bodies_settle(struct bodies *b, int64_t deadline_us);
/* From now on settling empties every segment of now that holds garbage. */
void bodies_empty_all(struct bodies *b);
int bodies_store(struct bodies *b); /* everything into the transaction: 0 or STORE_E* */
