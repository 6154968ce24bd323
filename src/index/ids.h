#pragma once
/* External ids to internal ones. Numbers (the decimal form that a number has, 19 digits at most)
 * are packed by groups of neighbours, for they come in sequence: one byte each instead of 40, which
 * keeps the commit of a large batch short. Everything else, and numbers stored before there were
 * groups, are rows of INDEX_EXTERNAL_IDS.
 *
 * Row of INDEX_NUMBER_IDS, v1: key u64be external id / IDS_IN_GROUP; value: version byte, u64 with
 * a bit a slot that is used (slot 0 the lowest), then for each of these a varint: the internal id,
 * minus the one before it in the row plus one (first: 0), zigzag. */
#include "base/buf.h"
#include "store/env.h"

enum { IDS_IN_GROUP = 64 };

struct id_group {
    uint64_t number, used; /* used: a bit a slot */
    uint32_t ids[IDS_IN_GROUP];
};
void id_group_write(struct buf *out, const struct id_group *g);
/* 0, or STORE_ECORRUPT. */
int id_group_read(struct id_group *ret, uint64_t number, struct str value);

/* 1 found, 0 not, or STORE_E*. The id is valid (document_id_is_valid). */
int ids_find(struct store_txn *txn, struct str external_id, uint32_t *ret);

/* For the one writer: one group at a time is kept unpacked. */
struct ids_writer {
    struct store_txn *txn;
    struct id_group group;
    bool is_loaded, is_changed;
    struct buf text; /* a row being put together */
};
void ids_writer_init(struct ids_writer *w, struct store_txn *txn);
void ids_writer_done(struct ids_writer *w); /* gives up what was not flushed */
int ids_writer_find(struct ids_writer *w, struct str external_id, uint32_t *ret);
int ids_writer_put(struct ids_writer *w, struct str external_id, uint32_t id); /* one not there */
int ids_writer_delete(struct ids_writer *w, struct str external_id);
int ids_writer_clear(struct ids_writer *w);
int ids_writer_flush(struct ids_writer *w); /* 0 or STORE_E* */
