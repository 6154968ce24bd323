#pragma once
/* Where the body of a document lies in the segment files: references packed by groups of
 * neighbouring internal ids, one row a group. Knows no file.
 *
 * Row of INDEX_REFS, v1: key group number u32be (internal id / REFS_IN_GROUP); value: version byte,
 * u64 with a bit a slot that is used (slot 0 the lowest), then for each of these varints: length *
 * 2, plus 1 when segment and offset follow, else it begins where the one before it in the row ends.
 */
#include "base/buf.h"
#include "store/env.h"

enum { REFS_IN_GROUP = 64 };

struct ref {
    uint32_t segment; /* 0: none */
    uint64_t offset, length;
};

struct ref_group {
    uint32_t number;
    struct ref refs[REFS_IN_GROUP];
};

void ref_group_write(struct buf *out, const struct ref_group *g);
/* 0, or STORE_ECORRUPT. */
int ref_group_read(struct ref_group *ret, uint32_t number, struct str value);
bool ref_group_is_empty(const struct ref_group *g);

/* The reference of one document: 1, 0 when it has none, or STORE_E*. */
int refs_get(struct store_txn *txn, uint32_t id, struct ref *ret);
/* The first document with internal id >= from that has one: 1, 0 at the end, or STORE_E*. */
int refs_next(struct store_txn *txn, uint32_t from, uint32_t *ret_id, struct ref *ret);
/* The first group with number >= from: likewise. */
int refs_next_group(struct store_txn *txn, uint32_t from, struct ref_group *ret);

/* Changing references: one group at a time is kept unpacked. */
struct refs_writer {
    struct store_txn *txn;
    struct ref_group group;
    bool is_loaded, is_changed;
    struct buf text; /* a row being put together */
};
void refs_writer_init(struct refs_writer *w, struct store_txn *txn);
void refs_writer_done(struct refs_writer *w); /* gives up what was not flushed */
/* The place of the document's reference, valid until the next call; NULL with *ret_rc negative. */
struct ref *refs_writer_at(struct refs_writer *w, uint32_t id, int *ret_rc);
void refs_writer_set(struct refs_writer *w, struct ref *place, struct ref value);
int refs_writer_flush(struct refs_writer *w);  /* 0 or STORE_E* */
void refs_writer_clear(struct refs_writer *w); /* the table was cleared */
