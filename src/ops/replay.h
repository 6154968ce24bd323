#pragma once
/* Replays of webhooks as tasks (webhookReplay): durable, with progress, canceled like every task.
 * They run beside the batches, one at a time and in the order of their uids. */
#include "ops/ops.h"
#include "webhook/replay.h"

enum { REPLAYS_MAX = 100 /* that are not finished */ };

struct replays;
struct replays_conf {
    struct loop *loop;
    struct turn *turn;
    struct queue *queue;
    struct webhooks *webhooks;
};
struct replays *replays_new(const struct replays_conf *conf);
void replays_free(struct replays *r);  /* NULL accepted */
void replays_start(struct replays *r); /* goes on with what an earlier process left */
/* Starts no further piece; what is stored goes on at the next start. */
void replays_stop(struct replays *r);
void replays_wake(struct replays *r); /* one was added */

/* Builds the task, like the functions of ops.h. */
int replays_add(struct replays *r, const struct replay_request *request, struct ops_result *ret,
                struct err *err);
