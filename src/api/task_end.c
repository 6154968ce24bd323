/* A request that waits for a task: ended by the feed, by its timer, or by its client's leaving,
 * whichever comes first. Knows nothing of answers. */
#include "api/task_end.h"

#include <stdlib.h>

#include "api/task_feed.h"
#include "base/mem.h"

struct wait {
    struct task_wait feed; /* first */
    struct http_call *call;
    struct loop_timer timer;
    task_end_over *over;
    void *arg;
};

static void
wait_free(void *arg)
{
    struct wait *w = arg;
    loop_timer_done(&w->timer);
    free(w);
}

static void
wait_over(struct wait *w)
{
    struct http_call *call = w->call;
    task_end_over *over = w->over;
    void *arg = w->arg;
    task_feed_forget(handler_api(call)->feed, &w->feed);
    loop_timer_clear(&w->timer);
    loop_defer(handler_api(call)->loop, wait_free, w); /* its timer may be running */
    call->on_gone = NULL;
    over(call, arg);
}

static void
on_ended(struct task_wait *feed)
{
    wait_over((struct wait *) feed);
}

static void
on_time(void *arg)
{
    wait_over(arg);
}

static void
on_gone(struct http_call *call)
{
    struct wait *w = call->state;
    task_feed_forget(handler_api(call)->feed, &w->feed);
    wait_free(w);
}

bool
task_end_wait(struct http_call *call, uint32_t uid, unsigned seconds, task_end_over *over,
              void *arg)
{
    struct api *api = handler_api(call);
    struct wait *w = mem_new(1, sizeof(*w));
    *w = (struct wait){
        .feed = {.uid = uid, .ended = on_ended}, .call = call, .over = over, .arg = arg};
    if (!task_feed_wait(api->feed, &w->feed)) {
        free(w);
        return false;
    }
    loop_timer_init(&w->timer, api->loop, on_time, w);
    loop_timer_set_ms(&w->timer, (int64_t) seconds * 1000);
    call->state = w;
    call->on_gone = on_gone;
    call->is_slow = true;
    http_call_watch(call);
    return true;
}
