#pragma once
/* Requests whose body is read by an intake, in slices when it is large, and that end in a task. */
#include "api/enqueue.h"

/* First member of the resource's own struct; filled by it down to `found`. */
struct upload {
    struct http_call *call;
    int status;                     /* of success */
    enqueue_fn *add;                /* its arg: the upload */
    int (*judge)(struct upload *u); /* what is judged behind the body; NULL, or 0 / -1 with err */
    struct intake_result found;     /* for add and judge */
    struct enqueue *enqueue;        /* private from here on */
    bool in_handler, is_read;
};
/* Copies u, whose struct has `size` bytes. conf: what the body is; the rest is filled in here. */
enum http_result upload_begin(const struct upload *u, size_t size, struct intake_conf *conf);
