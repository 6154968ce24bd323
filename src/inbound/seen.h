#pragma once
/* Which events of providers were accepted, and what was answered: for 7 days, in the commit of what
 * they caused. */
#include "base/uuid.h"
#include "inbound/provider.h"
#include "loop/loop.h"
#include "store/turn.h"

struct seen;
struct seen *seen_new(struct loop *l, struct turn *turn);
void seen_free(struct seen *s); /* NULL accepted */

enum { SEEN_KEY_BYTES = 32 };
/* id: the provider's of the event. One without is known by what was signed: prefix and body. */
void seen_make_key(const struct uuid *connection, struct str id, uint8_t out[SEEN_KEY_BYTES]);
void seen_make_key_of_bytes(const struct uuid *connection, struct str timestamp, struct str body,
                            uint8_t out[SEEN_KEY_BYTES]);
/* Looked up in this turn's transaction, in which it may have been written a moment ago: 1 with the
 * answer (memory of the transaction), 0, negative. */
int seen_find(struct seen *s, const uint8_t key[SEEN_KEY_BYTES], struct str *ret_answer);
int seen_store(struct seen *s, const uint8_t key[SEEN_KEY_BYTES], struct str answer);
