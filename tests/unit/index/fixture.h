#pragma once
/* A data directory of its own with an index set, and short forms for writing and reading. */
#include "index/index.h"

struct segment_limits;
struct fixture {
    const struct segment_limits *limits; /* NULL: the usual ones; effective after a reopen */
    char dir[64];
    struct index_set *set;
    struct uuid uuid;
    struct index *index;
    struct index_writer *writer;
    struct err err;
};
int fixture_setup(void **state); /* cmocka: opens the set and one index */
int fixture_teardown(void **state);
void fixture_reopen(struct fixture *f); /* closes everything, opens it again */
void fixture_begin(struct fixture *f);
void fixture_commit(struct fixture *f, const char *applied);
/* Adds a document whose primary key is "id"; the result of index_writer_add. */
int fixture_add(struct fixture *f, enum document_method method, const char *json, uint32_t marker);
/* The stored text of a document, heap; NULL when unknown. */
char *fixture_get(struct fixture *f, const char *external_id);
/* The documents in listing order, "id text\n" each, heap. */
char *fixture_list(struct fixture *f);
