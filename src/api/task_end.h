#pragma once
/* Holding a request until a task has ended (`Prefer: wait`). */
#include "api/handler.h"

/* Called once: the task has ended, its time is up, or the server stops. Answers with what is then
 * and calls handler_finish(). */
typedef void task_end_over(struct http_call *call, void *arg);
/* In the callback that has seen the task unfinished: its end is not missed. arg must live as long
 * as the call. True: the handler returns HTTP_WAIT; false: the server stops, nobody waits. */
bool task_end_wait(struct http_call *call, uint32_t uid, unsigned seconds, task_end_over *over,
                   void *arg);
