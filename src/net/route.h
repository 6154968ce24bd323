#pragma once
/* The shape of a route row, and matching. The rows themselves live next to their handlers (api/).
 */
#include "base/str.h"

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_TRACE,
    HTTP_CONNECT,
    HTTP_METHODS
};
const char *http_method_name(enum http_method m);
bool http_method_parse(struct str name, enum http_method *ret); /* exact, upper case */

struct http_call;   /* http_server.h */
struct param_table; /* these two are api/'s */
struct fields;

/* What a handler says: the reply was sent; call->err is to be rendered; or it waits and will call
 * http_resume-style functions later (http_server.h). */
enum http_result { HTTP_DONE, HTTP_ERROR, HTTP_WAIT };

enum route_flags {
    ROUTE_OPEN = 1 << 0,      /* never authenticated */
    ROUTE_JSON_BODY = 1 << 1, /* a small JSON body is required */
    ROUTE_DOCUMENTS = 1 << 2, /* the body is an upload: the payload limit applies */
    ROUTE_ENQUEUES = 1 << 3,  /* adds a task: Idempotency-Key is honoured */
    ROUTE_PROVIDER = 1 << 4,  /* the body is a provider's event: its own limit applies */
};

enum { ROUTE_MAX_PARAMS = 4 };

struct route {
    enum http_method method;
    const char *pattern; /* "/indexes/{indexUid}/documents/{documentId}" */
    const char *action;  /* "documents.add"; NULL with ROUTE_OPEN */
    unsigned flags;
    enum http_result (*handler)(struct http_call *call);
    const char *summary; /* one line for documents */
    /* the rest is for documents only: api/openapi.c */
    const struct param_table *query; /* NULL: no parameters */
    const struct fields *body;       /* of a JSON object; NULL: of any shape, or no body */
    const char *header;              /* a request header that it knows */
    int status;                      /* of success; 0: 202 with ROUTE_ENQUEUES, else 200 */
    const char *answer;              /* content type of success; NULL: JSON */
};

struct route_match {
    const struct route *route;           /* NULL: not found */
    bool path_exists;                    /* with route == NULL: another method would match (405) */
    struct str params[ROUTE_MAX_PARAMS]; /* raw path segments, in the order of the pattern */
};
/* Matches a raw path (no query). Runs of '/' count as one, trailing ones are ignored. HEAD matches
 * GET rows. The pattern with the earliest literal segments owns a path, whatever the order of rows
 * and whatever methods it knows. */
struct route_match route_find(const struct route *const *rows, const uint8_t *depths, size_t n,
                              enum http_method method, struct str path);
/* How many segments a pattern has; most rows need no closer look. route_find wants it of each. */
uint8_t route_depth(const char *pattern);
