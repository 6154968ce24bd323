#pragma once
/* Conditions of a GET (RFC 9110, 13). */
#include "net/http_server.h"

/* What stands for one state of what is asked for: both are strong. */
struct validators {
    const char *etag;    /* with its quotes */
    int64_t modified_ns; /* as shown in Last-Modified: to the second */
};
enum condition {
    CONDITION_MET,
    CONDITION_NOT_MODIFIED, /* 304: the client has it */
    CONDITION_FAILED,       /* 412: it is another one than the client meant */
};
/* If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since, by their precedence (13.2.2). */
enum condition conditions_check(struct http_call *call, const struct validators *v);
/* Whether Range counts: If-Range is missing or names this state. */
bool conditions_allow_range(struct http_call *call, const struct validators *v);
