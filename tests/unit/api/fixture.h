#pragma once
/* Handlers without sockets: the engine in a data directory of its own, and calls whose net/ side is
 * played by fixture.c (it defines the http_call_* and http_reply* functions itself). */
#include "api/api.h"

struct fake_call {
    struct http_call call;            /* first: replies find the fake again */
    struct buf body;                  /* not yet taken */
    const char *names[4], *values[4]; /* request headers */
    size_t n_headers;
    /* the reply */
    int n_replies, status;
    struct buf text, headers; /* headers: "name: value\n" each */
    struct api *api;
    bool is_alive; /* neither replied nor gone */
};

struct fixture {
    char dir[64];
    struct loop *loop;
    struct store_env *env;
    struct conf conf;
    struct api api;
    struct loop_timer poll;
    bool (*until)(void *arg);
    void *until_arg;
};
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* A request that is there whole; target may have a query. Headers are added before fixture_send. */
struct fake_call *fixture_call(struct fixture *f, enum http_method method, const char *target,
                               const char *body);
void fixture_header(struct fake_call *c, const char *name, const char *value);
void fixture_send(struct fixture *f, struct fake_call *c); /* api_handle */
void fixture_gone(struct fake_call *c);                    /* the client leaves */
void fixture_free(struct fake_call *c);
void fixture_turn(struct fixture *f); /* runs the loop until this turn's writes are settled */
void fixture_wait(struct fixture *f, struct fake_call *c); /* runs the loop until c is answered */
/* Sends a JSON request, waits, and returns the answered call. */
struct fake_call *fixture_ask(struct fixture *f, enum http_method method, const char *target,
                              const char *body);
/* The number of tasks in the store; files in a folder of the data directory. */
uint64_t fixture_tasks(struct fixture *f);
unsigned fixture_files(struct fixture *f, const char *folder);
void fixture_assert(struct fake_call *c, int status, const char *part); /* frees c */
