#pragma once
/* Listing tasks or batches by uid (contract 1.9, 2.4): from the newest down or, reversed, from the
 * oldest up; {results, total, limit, from, next}. A generator for reply_listing that walks the
 * chunks of a selection and keeps only a cursor. */
#include "api/handler.h"
#include "api/task_filter.h"
#include "queue/query.h"

struct uid_listing;

/* What is listed. item points to item_size bytes. */
struct uid_listing_kind {
    size_t item_size;
    bool of_batches;
    void (*init)(void *item);
    void (*done)(void *item);
    int (*get)(struct queue *q, struct store_txn *txn, uint32_t uid, void *item); /* 1 / 0 / neg. */
    uint64_t (*total)(struct queue *q, struct store_txn *txn);
    bool (*hides)(const struct uid_listing *l, const void *item); /* counts, but is not shown */
    void (*write)(struct buf *out, const void *item);
};

struct uid_listing {
    const struct uid_listing_kind *kind;
    struct arena *arena; /* owns this struct and what it points to */
    struct queue *queue;
    struct turn *turn;
    struct task_filter filter;
    struct auth_grant grant; /* of who asks */
    bool is_all;             /* nothing is filtered: the total is a counter */
    struct selection *selection;
    void *item;
    /* the cursor */
    bool is_prepared, has_begun;
    bool is_in_chunk;               /* within chunk, at is the next position to look at */
    uint64_t chunk;                 /* the next to look at (descending: + 1) */
    unsigned at;                    /* BITS_COUNT: the chunk is done */
    uint64_t total, matched, shown; /* matched: those from `from` on */
    bool has_first, has_next;
    uint32_t first, next;
};
enum http_result uid_listing_reply(struct http_call *call, const struct uid_listing_kind *kind,
                                   const struct task_filter *filter);

/* A path parameter that is a uid: 0, or -1 with "{what} uid `X` is invalid. …". */
int uid_from_path(struct http_call *call, const char *what, enum err_code code, uint32_t *ret);
