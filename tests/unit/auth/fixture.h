#pragma once
/* What the tests of auth/ share: a store in a directory of its own, a loop for its turns, a clock
 * that stands still until it is moved, and one struct auth on it. */
#include "../support.h"
#include "auth/auth_internal.h"
#include "auth/keys.h"
#include "loop/loop.h"
#include "store/tables.h"

#define MASTER "MASTER_KEY"
#define NOW_NS INT64_C(1700000000000000000)

struct fixture {
    char dir[64];
    struct loop *loop;
    struct store_env *env;
    struct turn *turn;
    struct auth *auth;
    struct arena *arena;
    struct buf shown; /* JSON of the last key made or changed */
    struct err err;   /* of the last thing that failed */
};
int fixture_setup(void **state); /* without keys: call fixture_open */
int fixture_teardown(void **state);
void fixture_open(struct fixture *f);
void fixture_reopen(struct fixture *f, const char *master_key); /* as after a restart */
int fixture_commit(struct fixture *f);                          /* ends this turn; its result */
void fixture_refuse(struct fixture *f); /* ends this turn, whose commit is refused */
void fixture_set_clock(int64_t wall_ns);

/* Lists are words separated by spaces. The uid's last byte is n (0: a drawn one). Not committed. */
int fixture_create(struct fixture *f, uint8_t n, const char *actions, const char *indexes,
                   int64_t expires_at_ns);
struct uuid fixture_uid(uint8_t n);
/* The value of the key with that uid, in the arena. */
const char *fixture_value(struct fixture *f, uint8_t n);
/* Asks with "Bearer {token}"; index NULL: the route names none. */
int fixture_decide(struct fixture *f, const char *token, const char *action, const char *index,
                   struct auth_grant *ret);
/* What fixture_decide said before: granted, or refused with that message. Frees the error. */
void assert_granted(struct fixture *f, int rc);
void assert_refused(struct fixture *f, int rc, const char *message);
