#pragma once
/* Listing tasks or batches by uid (contract 1.9, 2.4): from the newest down or, reversed, from the
 * oldest up; {results, total, limit, from, next}. A generator for reply_listing that scans in
 * pieces and keeps only a cursor. */
#include "api/handler.h"
#include "api/task_filter.h"

struct uid_listing;

/* What is listed. item points to item_size bytes. */
struct uid_listing_kind {
    size_t item_size;
    void (*init)(void *item);
    void (*done)(void *item);
    /* The item with the greatest uid <= at (ascending: the least >= at): 1 / 0 / negative. */
    int (*seek)(struct queue *q, struct store_txn *txn, uint32_t at, bool ascending, void *item,
                uint32_t *ret_uid);
    uint64_t (*total)(struct queue *q, struct store_txn *txn);
    bool (*matches)(const struct uid_listing *l, const void *item);
    bool (*hides)(const struct uid_listing *l, const void *item); /* counts, but is not shown */
    void (*write)(struct buf *out, const void *item);
    /* Before the scan, in pieces: 1 when there is more to do, 0 when done, negative. NULL: none */
    int (*prepare)(struct uid_listing *l, struct store_txn *txn, int64_t deadline_us);
    void (*release)(struct uid_listing *l); /* frees extra's memory; NULL: nothing to free */
};

struct uid_listing {
    const struct uid_listing_kind *kind;
    struct arena *arena; /* owns this struct and what it points to */
    struct queue *queue;
    struct turn *turn;
    struct task_filter filter;
    bool is_all;                         /* nothing is filtered: the total is a counter */
    const struct param_u32s *candidates; /* the only uids that can match; NULL: all */
    void *item, *extra;                  /* extra: the kind's own */
    /* the cursor */
    bool is_prepared, has_begun;
    uint64_t at; /* next uid to look at (descending: + 1), or the position in candidates */
    uint64_t total, matched, shown; /* matched: those from `from` on */
    bool has_first, has_next;
    uint32_t first, next;
};
/* In an arena of its own; filter is copied. extra_size bytes of zeroed extra. */
struct uid_listing *uid_listing_new(struct http_call *call, const struct uid_listing_kind *kind,
                                    const struct task_filter *filter, size_t extra_size);
/* Consumes l. */
enum http_result uid_listing_reply(struct http_call *call, struct uid_listing *l);

/* A path parameter that is a uid: 0, or -1 with "{what} uid `X` is invalid. …". */
int uid_from_path(struct http_call *call, const char *what, enum err_code code, uint32_t *ret);
