#pragma once
/* What routes share that change receivers of webhooks, whatever they call their fields, or that
 * list what is owed to one. */
#include "api/body.h"
#include "api/handler.h"
#include "api/reply.h"
#include "webhook/deliveries.h"

/* Makes the change that body asks for, in this turn's transaction, and writes the answer: 0, or -1
 * with call->err. */
typedef int receiver_change(struct http_call *call, const struct json *body, struct buf *out);
/* Reads the body, an object, and answers with the status when the change is durable. */
enum http_result receivers_change(struct http_call *call, int status, receiver_change *change);
/* The answer of a change that was made; body is taken. When nothing of the turn could be stored,
 * the list in memory forgets it too. */
enum http_result receivers_reply_changed(struct http_call *call, int status, struct buf *body);
enum http_result receivers_reply_deliveries(struct http_call *call,
                                            const struct delivery_query *query);
