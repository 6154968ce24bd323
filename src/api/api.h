#pragma once
/* The REST API: every resource is a file with its route rows and handlers; api.c joins them, judges
 * and dispatches. */
#include "auth/auth.h"
#include "conf/conf.h"
#include "inbound/inbound.h"
#include "net/http_server.h"
#include "ops/ops.h"
#include "ops/replay.h"
#include "queue/queue.h"
#include "report/reports.h"
#include "webhook/webhook.h"

/* What handlers may reach: call->app. Built by app/. */
struct api {
    const struct conf *conf;
    struct loop *loop;
    struct turn *turn;
    struct auth *auth;
    struct queue *queue;
    struct index_set *indexes;
    struct payload_dir *payloads;
    struct ops *ops;
    struct webhooks *webhooks;
    struct replays *replays;
    struct reports *reports;
    struct inbound *inbound;
    struct http_server *server;
    struct task_feed *feed; /* these three: api_start */
    struct http_counts *http_counts;
    struct log_stream *log_stream;
    bool is_stopping;
};
void api_replied(void *api, const struct http_call *call, int status);
/* Builds what belongs to the API itself, once the other parts are set. */
void api_start(struct api *api);
/* Statuses of tasks have changed, durably: struct queue_hooks. */
void api_tasks_changed(struct api *api);
/* No new tasks; who waits for one is answered, streams end. */
void api_stop(struct api *api);
void api_done(struct api *api); /* after the server; a zeroed one is fine */
/* For struct http_server_conf. */
void api_judge(void *api, const struct http_head *head, struct http_verdict *ret);
void api_handle(void *api, struct http_call *call);
void api_too_large(void *api, const struct http_head *head, uint64_t declared, uint64_t limit,
                   struct err *ret);
/* Every route, for documents and tests. */
const struct route *const *api_routes(size_t *ret_n);
