#pragma once
/* Which enqueued tasks of one index go into one batch (contract 4.2): a pure automaton. It is given
 * the index's tasks in uid order and says of each whether it joins; the reason why a batch ended
 * comes out in the contract's words (3.5). */
#include "queue/task.h"

/* What the automaton must know of a task. */
struct autobatch_facts {
    uint32_t uid;
    enum task_kind kind;
    enum task_role role;
    struct str primary_key; /* data NULL: none given */
    bool allow;             /* may create the index: imports and settings only */
};

/*  begin --> DOCUMENTS --clear--> CLEAR             Every state but ALONE goes to INDEX_DELETION
 *            DELETIONS --import--> DOCUMENTS        with an index deletion, which ends the batch.
 *            DELETIONS --clear--> CLEAR
 *            SETTINGS  --clear--> CLEAR_SETTINGS    The table is next[] in autobatch.c. */
enum autobatch_state {
    AUTOBATCH_DOCUMENTS, /* imports, and deletions by id among them */
    AUTOBATCH_DELETIONS, /* by ids or by filter, no import yet */
    AUTOBATCH_CLEAR,
    AUTOBATCH_SETTINGS,
    AUTOBATCH_CLEAR_SETTINGS,
    AUTOBATCH_INDEX_DELETION,
    AUTOBATCH_ALONE,
    AUTOBATCH_STATES
};

enum autobatch_key { AUTOBATCH_KEY_NONE, AUTOBATCH_KEY_GUESSED, AUTOBATCH_KEY_SET };

struct autobatch {
    enum autobatch_state state;
    bool may_create_index; /* of the first task */
    bool index_exists;     /* or is created by the first task */
    char *index_key;       /* the index's primary key, NULL: none */
    enum autobatch_key key;
    char *batch_key;      /* with AUTOBATCH_KEY_SET */
    struct buf stop_text; /* why the batch ended; empty while it is open */
};

enum autobatch_result {
    AUTOBATCH_JOINED,
    AUTOBATCH_LAST,    /* joined, and nothing may follow */
    AUTOBATCH_REFUSED, /* the batch ends before this task */
};

/* Starts with the first task, which always joins: JOINED or LAST. index_key: data NULL for none. */
enum autobatch_result autobatch_begin(struct autobatch *a, const struct autobatch_facts *first,
                                      bool index_exists, struct str index_key);
/* Call only after JOINED. */
enum autobatch_result autobatch_next(struct autobatch *a, const struct autobatch_facts *task);
void autobatch_done(struct autobatch *a); /* accepts a zeroed one */

/* The text of contract 3.5 for a task that is always alone; also for the kinds with priority. */
void autobatch_write_alone(struct buf *out, uint32_t uid, enum task_kind kind);
