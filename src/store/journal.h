#pragma once
/* The redo journal of an environment: a file of records, one a commit, each durable before the next
 * is written. It knows neither LMDB nor what a record says.
 *
 * Layout: two header slots of 4 KiB, then records. A header begins a generation; the valid one with
 * the higher generation counts, the other slot is the one written next, so that a torn header
 * leaves the old generation whole. A record belongs to a generation by its salt (random: no bytes
 * of a client can pass for a record) and ends at the first that is not whole. The file grows by
 * written zeros and is used again from the start: in the steady state a commit changes no metadata,
 * and its one sync writes the record's own blocks only. A record begins on a block of its own, so
 * that it can be written past the page cache, and no write touches a block that is durable.
 *
 * Every function that returns int gives 0 or an errno. */
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    JOURNAL_META_BYTES = 512,      /* of each meta page, one sector: LMDB's 0.9 uses 152 */
    JOURNAL_RECORD_HEAD_BYTES = 24 /* room that a record's buffer leaves in front */
};

/* What a header says: the state of data.mdb that the generation's records follow. */
struct journal_base {
    bool is_clean; /* data.mdb is complete and may have changed since: nothing to write back */
    uint32_t page_bytes;                  /* the second meta page is there */
    uint64_t data_bytes;                  /* the size of data.mdb, which never gets shorter */
    uint8_t metas[2][JOURNAL_META_BYTES]; /* the beginnings of data.mdb's first two pages */
    struct str tables; /* what the records' table numbers mean; see journal_open */
};

struct journal;

/* *ret is NULL when there is no file of that name, or an empty one. Damaged headers:
 * ERR_INVALID_STATE. */
int journal_open(struct journal **ret, const char *path, struct err *err);
/* Makes a new file, durable under its name, with a header that says base. */
int journal_create(struct journal **ret, const char *path, const struct journal_base *base);
void journal_close(struct journal *j); /* NULL accepted */

/* Of the current generation; tables points into the journal's own memory. */
const struct journal_base *journal_base(const struct journal *j);
uint64_t journal_bytes(const struct journal *j); /* of the generation's records */

/* Calls fn for each whole record of the generation, in order, until one is negative. Fails with
 * ERR_INVALID_STATE when a whole record lies behind a damaged one: that is no torn end. 0 or -1.
 * The journal must be begun anew afterwards. */
typedef int journal_record_fn(void *arg, struct str record, struct err *err);
int journal_replay(struct journal *j, journal_record_fn *fn, void *arg, struct err *err);

/* An append in two steps; what the caller does in between, the disk works beside. The record, whose
 * first JOURNAL_RECORD_HEAD_BYTES are ours, stays as it is until the second, which must follow a
 * start that succeeded; it waits until the record is durable. On failure of either no start will
 * find the record, or the journal is broken. */
int journal_start(struct journal *j, struct buf *record);
int journal_finish(struct journal *j);
/* Unmakes the last append; at most once an append. Broken on failure. */
int journal_take_back(struct journal *j);
/* Whether the disk may hold a record that was refused: nobody may be told that it is not there. */
bool journal_is_broken(const struct journal *j);

/* Begins a generation: what the records said must be durable elsewhere. On failure it is unknown
 * which generation a start would find; appends are refused until a call succeeds. A file larger
 * than keep_bytes is cut. */
int journal_begin(struct journal *j, const struct journal_base *base, uint64_t keep_bytes);
