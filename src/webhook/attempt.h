#pragma once
/* One HTTP request made for a delivery. Private to the folder.
 *
 *   BUILD --body ready--> SEND --answer, error, deadline--> RECORD --commit--> gone
 *     |                     |                                 |  ^
 *     | cancel              | cancel                   commit |  | a second later
 *     v                     v                         refused v  |
 *   LEAVE (end of turn) --> gone, nothing recorded        RETRY -+
 *
 *  attempt_start             -> BUILD
 *  on_request                BUILD -> SEND, or RECORD when the event cannot be read
 *  on_result, complete       SEND -> RECORD, or gone when canceled
 *  on_recorded               RECORD -> gone, or RETRY when the commit was refused
 *  on_retry                  RETRY -> RECORD
 *  attempt_cancel            BUILD, SEND, RETRY -> LEAVE */
#include "webhook/answer.h"
#include "webhook/record.h"
#include "webhook/sending.h"

struct lane;
struct pause;

enum attempt_state {
    ATTEMPT_BUILD,
    ATTEMPT_SEND,
    ATTEMPT_RECORD,
    ATTEMPT_RETRY,
    ATTEMPT_LEAVE,
    ATTEMPT_STATES
};

struct attempt {
    struct attempt *next; /* of its lane */
    struct lane *lane;
    enum attempt_state state;
    uint64_t delivery;
    int64_t due_at_ms;      /* of its due row */
    struct pause *pause;    /* the queue waits for it; NULL: it does not */
    struct request request; /* BUILD only */
    struct sending *sending;
    struct attempt_record record;
    struct buf answer;  /* what the record keeps of the response */
    struct buf settled; /* and of the recipients */
    enum http_outcome outcome;
    bool is_first, was_unreadable;
    struct verdict verdict;
    struct delivery_record after; /* the delivery as this attempt leaves it */
    struct turn_waiter waiter;
    struct loop_timer timer;
};

/* Where a delivery stands in its lane. */
struct due {
    uint64_t delivery, event;
    int64_t due_at_ms;
    bool is_first; /* never tried yet */
};
void attempt_start(struct lane *l, const struct due *due, struct pause *pause);
/* The delivery stays owed and no attempt is counted. Ends later, never from inside. */
void attempt_cancel(struct attempt *a);
/* Frees at once, without any callback: at webhooks_free. */
void attempt_free(struct attempt *a);
