#pragma once
/* A whole engine in a data directory of its own: loop, store, queue, indexes, ops. */
#include "index/catalog.h"
#include "ops/ops.h"

struct fixture {
    char dir[64];
    struct err err;
    struct loop *loop;
    struct store_env *env;
    struct turn *turn;
    struct payload_dir *payloads;
    struct index_set *indexes;
    struct queue *queue;
    struct ops *ops;
    struct loop_timer poll;
    bool is_started;
    int settle_slices;
    uint32_t last; /* uid of the last task added */
};
int fixture_setup(void **state);
int fixture_teardown(void **state);
void fixture_open(struct fixture *f);  /* everything but queue_start */
void fixture_close(struct fixture *f); /* as a killed process leaves it: nothing is stopped first */
void fixture_run(struct fixture *f);   /* starts the queue when needed, until nothing is enqueued */
void fixture_settle(struct fixture *f); /* lets other slices end their work */
void fixture_turn(struct fixture *f);   /* commits this turn's writes */

/* lines: one document (or id) a line, without the last newline; "" is an empty payload. */
void add_documents(struct fixture *f, const char *index, const char *primary_key,
                   const char *lines);
void add_documents_with(struct fixture *f, const struct ops_documents *d, const char *lines);
void delete_documents(struct fixture *f, const char *index, const char *lines);
void delete_by_filter(struct fixture *f, const char *index, const char *filter_json);
/* sent: as ops_update_settings wants it. */
void update_settings(struct fixture *f, const char *index, const char *sent, bool may_create);
void clear_documents(struct fixture *f, const char *index);
void create_index(struct fixture *f, const char *index, const char *primary_key);
void update_index(struct fixture *f, const char *index, const char *primary_key,
                  const char *new_uid);
void delete_index(struct fixture *f, const char *index);
void cancel_all(struct fixture *f);

/* "status details" or "failed details code: message"; compared and freed. */
void assert_task(struct fixture *f, uint32_t uid, const char *expected);
uint32_t batch_of(struct fixture *f, uint32_t uid);
/* The stored documents in listing order, separated by newlines; "(missing)" without the index. */
void assert_documents(struct fixture *f, const char *index, const char *expected);
/* "primary key|n|distribution", or "(missing)". */
void assert_index(struct fixture *f, const char *index, const char *expected);
/* A setting as the index holds it, "(missing)" without the index. name: "stopWords". */
void assert_setting(struct fixture *f, const char *index, const char *name, const char *expected);
/* Files in a folder of the data directory. */
unsigned count_files(struct fixture *f, const char *folder);
