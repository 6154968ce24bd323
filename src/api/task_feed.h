#pragma once
/* Waiting for tasks without polling. The feed reads each change of a status once
 * (queue_changes_next) and passes it to those who wait: requests for one task's end, and streams of
 * changes. While nobody waits, or nothing changes, it does nothing. */
#include "api/handler.h"
#include "api/task_filter.h"
#include "net/http_server.h"

struct task_feed;
struct task_feed *task_feed_new(struct api *api);
void task_feed_free(struct task_feed *f); /* nobody may wait any more; NULL accepted */
/* Statuses have changed, durably. */
void task_feed_wake(struct task_feed *f);
/* The server is stopping: who waits is answered with what is, streams end. Later ones do not wait.
 */
void task_feed_stop(struct task_feed *f);
size_t task_feed_streams(const struct task_feed *f);
size_t task_feed_waits(const struct task_feed *f);

/* --- for the end of one task. The struct is the caller's. */
struct task_wait {
    uint32_t uid;
    void (*ended)(struct task_wait *w); /* once, with w forgotten already; the task may be gone */
    struct task_wait *next, **link;     /* private */
};
/* In the callback that has seen the task unfinished: its end is not missed. False: the feed has
 * stopped. */
bool task_feed_wait(struct task_feed *f, struct task_wait *w);
void task_feed_forget(struct task_feed *f, struct task_wait *w); /* harmless when not waiting */

/* --- streams: see task_stream.c */
enum stream_place {
    STREAM_LIVE,    /* gets every change as it is read */
    STREAM_BEHIND,  /* reads from the store by itself until it is live */
    STREAM_BLOCKED, /* its client does not read: waits for room, then it is behind */
    STREAM_PLACES
};
struct task_stream {
    struct task_feed *feed;
    struct http_call *call;
    struct http_stream *out;
    struct arena *arena; /* owns this struct and what it points to */
    struct task_filter filter;
    struct auth_grant grant;
    uint64_t at;      /* the number of the change that comes next */
    uint64_t told_id; /* the last id it was sent */
    bool is_foreign;  /* it resumes from an id that was never given out here */
    enum stream_place place;
    struct task_stream *next, **link; /* private: the list of its place */
};
/* Takes the stream, whose `at` is set; what came before `at` is not sent. */
void task_feed_join(struct task_feed *f, struct task_stream *s);
bool task_feed_is_stopped(const struct task_feed *f);

/* task_stream.c, for the feed. A change as streams send it. */
struct task_event {
    struct queue_change change;
    bool is_shown;    /* the task is there, as it was */
    struct task task; /* only then */
    struct buf text;  /* "id: ..\nevent: ..\ndata: ..\n\n" */
};
/* Reads the task and renders the event. 0 or negative. task_event_done in both cases. */
int task_event_read(struct task_event *e, struct queue *q, struct store_txn *txn,
                    const struct queue_change *c);
void task_event_done(struct task_event *e);
bool task_stream_wants(const struct task_stream *s, const struct task_event *e);
/* False: the client is not allowed any more; it was told. */
bool task_stream_beat(struct task_stream *s);
/* What was lost cannot be told any more; the stream goes on with change `next`. lost 0: unknown. */
void task_stream_tell_gap(struct task_stream *s, uint64_t lost, uint64_t next);
void task_stream_free(struct task_stream *s); /* after its list and output have let go of it */
