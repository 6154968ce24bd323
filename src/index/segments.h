#pragma once
/* The bodies of documents in append-only files next to the environment of an index, so that the one
 * commit of a large batch is small: bodies reach the disk while the batch runs, in pieces, and are
 * synced before the commit whose references lead to them.
 *
 *   indexes/<uuid>/segment-NNNNNNNN    bodies, one behind the other
 *   INDEX_SEGMENTS: number u32be -> v1: bytes u64, bytes referred to u64, swept u32
 *
 * Bytes below the committed size of a segment are never written again: a batch begins on a page of
 * its own behind them. What a batch that was given up left there is cut off or overwritten. A file
 * without a row is removed when the index is opened; a row goes in the commit that makes it
 * superfluous, its file afterwards. Knows no document and no id. */
#include "index/refs.h"
#include "store/trash.h"

struct segment_limits {
    uint64_t inline_bytes;  /* bodies of one batch that stay in LMDB */
    uint64_t segment_bytes; /* a segment is full; only a larger body makes a larger segment */
    uint64_t compact_bytes; /* moved at least by a batch that finds a segment to be emptied */
};
extern const struct segment_limits segment_default_limits;

/* As rows tell it, or as the open writer will leave it. */
struct segment_state {
    uint64_t total, live; /* bytes: of the file that count, and of those referred to */
    uint32_t swept; /* 0; or it is being emptied, nothing is appended any more, and no group of
                       references below swept - 1 leads to it */
};

struct segment {
    uint32_t number;
    bool has_row;
    struct segment_state committed, now;
    char *map; /* NULL: not read yet */
    size_t map_bytes;
    uint64_t file_bytes;     /* known once it is mapped or open for writing */
    int fd;                  /* open for writing: has to be synced; -1: not */
    uint64_t pushed, waited; /* told to write, known to be written, up to there */
    bool is_damaged;
};

struct segments {
    const struct segment_limits *limits;
    struct trash *trash; /* may be NULL */
    char *dir;
    struct segment *items; /* ascending number */
    uint32_t n, last_number;
    unsigned n_holders;      /* snapshots that may lead to segments of now */
    struct segment *retired; /* nobody else refers to these any more */
    uint32_t n_retired;
    uint32_t closed_upto; /* no appends to these: a commit failed, nobody knows how far it came */
    uint32_t active;      /* the writer appends to this number, 0: none yet */
    struct buf pending;   /* not written yet: what follows file_bytes of the active one */
    bool has_new_name;    /* the directory has to be synced */
};

/* Reads the rows and removes files that have none: 0 or STORE_E*. dir: of the index. */
int segments_open(struct segments *s, const char *dir, struct store_txn *txn);
void segments_close(struct segments *s);
struct segment *segments_find(struct segments *s, uint32_t number); /* NULL: none */
/* Whether references may lead anywhere. */
static inline bool
segments_has_any(const struct segments *s)
{
    return s->n > 0 || s->n_retired > 0;
}
void segments_drop_retired(struct segments *s); /* the last holder has gone */

/* The body: valid until the next append or the end of the writer; without a writer, until the next
 * commit. 0, or STORE_E*. */
int segments_read(struct segments *s, const struct ref *ref, struct str *ret);

/* --- by the one writer */
int segments_append(struct segments *s, struct str body, struct ref *ret); /* 0 or STORE_E* */
void segments_release(struct segments *s, const struct ref *ref); /* nobody refers to it any more */
void segments_release_all(struct segments *s);
/* Whether the next append may go to this one. */
bool segments_is_open_end(const struct segments *s, const struct segment *g);
int segments_begin_emptying(struct segments *s, struct segment *g); /* 0 or STORE_E* */
/* One blocking piece of the way to the disk: 1 more, 0 all is durable, or STORE_E*. */
int segments_sync_step(struct segments *s);
int segments_store(struct segments *s, struct store_txn *txn); /* the rows: 0 or STORE_E* */
void segments_committed(struct segments *s);
/* Nothing was committed. is_sure: surely (no commit was tried). */
void segments_rolled_back(struct segments *s, bool is_sure);
