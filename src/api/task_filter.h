#pragma once
/* The parameters that select tasks (contract 2.4, 2.6): their tables, and the predicate they make.
 * Different parameters are ANDed, values inside one are ORed, `*` means no filter. */
#include "api/params.h"
#include "auth/auth.h"
#include "queue/query.h"

struct param_date { /* an exclusive bound; is_bound is false for `*` */
    bool is_given, is_bound;
    int64_t ns;
};
param_reader param_date; /* struct param_date; of a day its first moment counts */
/* RFC 3339, or YYYY-MM-DD for the first moment of that day. */
bool date_from_text(struct str text, int64_t *ret_ns);

struct task_filter {
    struct param_u64 limit, from;
    bool reverse;
    struct param_u32s batch_uids, uids, canceled_by; /* sorted by task_filter_copy */
    struct param_set types, statuses;
    struct param_strs index_uids;
    struct param_date after_enqueued, before_enqueued, after_started, before_started,
        after_finished, before_finished;
};
extern const struct param_table task_list_query, task_cancel_query;
/* Listings: with limit, from and reverse. 0, or -1 with call->err. */
int task_filter_for_list(struct http_call *call, struct task_filter *ret);
/* GET /tasks/stream: what a listing filters by, without limit, from and reverse. */
int task_filter_for_stream(struct http_call *call, struct task_filter *ret);
/* What cancels or deletes (verb, for the message): without them, and at least one filter
 * (missing_task_filters). */
int task_filter_for_change(struct http_call *call, const char *verb, struct task_filter *ret);
/* A copy in another arena, ready for matching. */
void task_filter_copy(struct task_filter *ret, const struct task_filter *from, struct arena *arena);
/* The same as a query; its lists are the filter's. Only for filters made by task_filter_copy. */
void task_filter_query(const struct task_filter *f, struct task_query *ret);
/* The types that task_filter_hides() may hide, bit i: kind i. */
uint32_t task_filter_global_types(void);

/* Only for filters made by task_filter_copy. */
bool task_filter_matches(const struct task_filter *f, const struct task *t);
/* Whether a caller may know of the task: all of its indexes must be the key's, and tasks of no
 * single index are for keys of all indexes. */
bool task_filter_grants(const struct auth_grant *grant, const struct task *t);
/* Tasks that belong to no single index leave a listing that asks for indexes, though they count. */
bool task_filter_hides(const struct task_filter *f, const struct task *t);
