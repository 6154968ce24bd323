#pragma once
/* What a finished batch is to organisations (webhook/organization.h): collections, documents and
 * objects that changed, the batch itself. For struct queue_hooks, whose contract the functions
 * have.
 *
 * Which documents a batch changed is noted by its index's writer, in the commit that changes them,
 * only while somebody is subscribed; so a start that finds the batch unfinished tells the same. */
#include "ops/ops.h"
#include "webhook/organization.h"

struct news;
/* Before the first batch; without, nobody is told. */
void ops_tell(struct ops *o, struct webhooks *w);
struct news *news_begin(struct ops *o, uint32_t batch_uid); /* NULL: nobody is subscribed */
int news_step(struct news *n, struct store_txn *txn, const struct batch_run *run);
int news_add(struct news *n, struct store_txn *txn, const struct task *t);
int news_finish(struct news *n, struct store_txn *txn);
void news_discard(struct news *n);

/* --- for batches while they run --------------------------------------------------------------- */

/* Whether writers are to note what they change. */
bool news_notes_changes(const struct ops *o);
/* An import has just created its index: told when the batch is finished, whatever becomes of it. 0
 * or STORE_E*. */
int news_of_new_index(const struct ops *o, struct store_txn *txn, const struct uuid *index);
