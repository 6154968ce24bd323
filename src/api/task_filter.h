#pragma once
/* The parameters that select tasks (contract 2.4, 2.6): their tables, and the predicate they make.
 * Different parameters are ANDed, values inside one are ORed, `*` means no filter. */
#include "api/params.h"
#include "queue/batch.h"

struct param_set { /* bit i: value i of an enum */
    bool is_given, has_star;
    uint32_t bits;
};
struct param_date { /* an exclusive bound; is_bound is false for `*` */
    bool is_given, is_bound;
    int64_t ns;
};

struct task_filter {
    struct param_u64 limit, from;
    bool reverse;
    struct param_u32s batch_uids, uids, canceled_by; /* sorted by task_filter_copy */
    struct param_set types, statuses;
    struct param_strs index_uids;
    struct param_date after_enqueued, before_enqueued, after_started, before_started,
        after_finished, before_finished;
};
/* Listings: with limit, from and reverse. 0, or -1 with call->err. */
int task_filter_for_list(struct http_call *call, struct task_filter *ret);
/* POST /tasks/cancel: without them, and at least one filter (missing_task_filters). */
int task_filter_for_cancel(struct http_call *call, struct task_filter *ret);
/* A copy in another arena, ready for matching. */
void task_filter_copy(struct task_filter *ret, const struct task_filter *from, struct arena *arena);
/* Whether nothing is filtered; whether only uids are. */
bool task_filter_is_all(const struct task_filter *f);
bool task_filter_is_uids(const struct task_filter *f);
/* Whether a list is a filter: given and without a star. */
bool param_u32s_filters(const struct param_u32s *list);
bool param_u32s_has(const struct param_u32s *sorted, uint32_t value);
bool param_date_passes(const struct param_date *after, const struct param_date *before, int64_t ns);
bool param_set_passes(const struct param_set *set, unsigned value);

/* Only for filters made by task_filter_copy. */
bool task_filter_matches(const struct task_filter *f, const struct task *t);
/* Tasks that belong to no single index leave a listing that asks for indexes, though they count. */
bool task_filter_hides(const struct task_filter *f, const struct task *t);
